package mqtt

// crashClasses are the inputs that crash other parsers, or make them allocate
// without bound or read what is not there: one of each kind.
var crashClasses = []string{
	"20ffffff7f",                                    // a length of 256 MiB, believed
	"20ffffffff0f",                                  // a length of five bytes: 4 GiB
	"10 8080808080808080808080",                     // a length without end
	"10ffffff7f 0004'MQTT'04",                       // a CONNECT of 256 MiB
	"100e 0004'MQTT'0402003c ffff'n1'",              // client identifier of 65,535 bytes
	"1010 ffff'MQTT'0402003c 0002'n1'",              // protocol name of 65,535 bytes
	"1005 0004'MQT'",                                // body shorter than its first field
	"100a 0004'MQTT'04c2003c",                       // flags promise fields, none come
	"1012 0004'MQTT'0502003c ff 0005'step-1'",       // property length beyond the packet
	"1012 0004'MQTT'0502003c ffffffff 0001'a'",      // property length without end
	"1014 0004'MQTT'0502003c 05 1100000000 0001'a'", // exactly one property
	"1014 0004'MQTT'0502003c 05 26ffff0000 0001'a'", // user property over-read
	"1011 0004'MQTT'0502003c 03 210000 0001",        // receive maximum 0, then cut
	"2000", "2001 00", "2002 0000", "2003 0000ff", "2004 0000 01 1f", "2008 0000 05 1fffff 0000",
	"20070000042600010061",
	"e000", "e001 8e", "e002 8e00", "e003 8eff 00", "e006 8e04 1fffff 00",
	"f000", "f001 18", "f002 1800", "f005 180315ffff", "f003 18ff01",
	"8206 0001 ff 0001'a'", // truncated SUBSCRIBE of version 5
	"0ac0", "0a", "0000", "c001", "3602 0000",
	"108e 0004'MQTT'", "10ff 0006'MQIsdp'", "108e 0004'MQXX'",
	"'GET / HTTP/1.1'0d0a0d0a", "1603010200 010001fc0303", "15030100020228",
}
