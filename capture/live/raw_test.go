package live_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/mqttriage/mqttriage/capture/live"
)

// tcpdumpTCP is `tcpdump -y EN10MB -ddd tcp`.
const tcpdumpTCP = `12
40 0 0 12
21 0 2 2048
48 0 0 23
21 6 7 6
21 0 6 34525
48 0 0 20
21 3 0 6
21 0 3 44
48 0 0 54
21 0 1 6
6 0 0 262144
6 0 0 0
`

func TestParseRaw(t *testing.T) {
	program, err := live.ParseRaw([]byte(tcpdumpTCP))
	if err != nil {
		t.Fatal(err)
	}
	if want := (bpf.RawInstruction{Op: 21, Jt: 6, Jf: 7, K: 6}); len(program) != 12 || program[3] != want {
		t.Errorf("%d instructions, the fourth is %v", len(program), program[3])
	}
	if got := printed(program); got != tcpdumpTCP {
		t.Errorf("printed again it is %q", got)
	}
	// As other systems and editors leave it.
	for _, text := range []string{
		strings.ReplaceAll(tcpdumpTCP, "\n", "\r\n"), strings.TrimSpace(tcpdumpTCP), "\n" + tcpdumpTCP + "\n\n",
		strings.ReplaceAll(tcpdumpTCP, " ", "\t"),
	} {
		if again, err := live.ParseRaw([]byte(text)); err != nil || !slices.Equal(again, program) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseRawRefuses(t *testing.T) {
	const pass = "6 0 0 65535\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "it is empty; it must be what `tcpdump -ddd` prints"},
		{"blank lines", "\n \n", "it is empty"},
		{"tcpdump -d", "(000) ldh      [12]\n", "line 1 is not the number of instructions; it must be what `tcpdump -ddd` prints"},
		{"tcpdump -dd", "{ 0x28, 0, 0, 0x0000000c },\n", "line 1 is not the number of instructions"},
		{"a negative number", "-1\n", "line 1 is not the number of instructions"},
		{"no instructions", "0\n", "line 1: 0 instructions, and Linux takes 1 to 4096"},
		{"too many", "4097\n" + strings.Repeat(pass, 4097), "line 1: 4097 instructions, and Linux takes 1 to 4096"},
		{"far too many", "65536\n", "line 1 is not the number of instructions"},
		{"too few", "2\n" + pass, "it ends at line 2, with 1 of 2 instructions"},
		{"more than it says", "1\n" + pass + pass, "line 3 is beyond the 1 instructions of its first line"},
		{"three numbers", "1\n6 0 0\n", "line 2 is not the four numbers of an instruction"},
		{"five numbers", "1\n6 0 0 1 1\n", "line 2 is not the four numbers of an instruction"},
		{"a word", "1\n6 0 0 x\n", "line 2 is not"},
		{"hexadecimal", "1\n0x6 0 0 1\n", "line 2 is not"},
		{"a jump of more than 8 bits", "2\n21 256 0 1\n" + pass, "line 2 is not"},
		{"k of more than 32 bits", "1\n6 0 0 4294967296\n", "line 2 is not"},
		{"no end", "1\n40 0 0 12\n", "line 2: the last instruction must return"},
		{"unknown code", "3\n\n99 0 0 0\n" + pass + pass, "line 3: instruction code 99, which Linux does not know"},
		{"a load of 8 bytes", "2\n56 0 0 0\n" + pass, "line 2: instruction code 56"},
		{"return X", "1\n14 0 0 0\n", "line 2: instruction code 14"},
		{"jump to its end", "2\n5 0 0 1\n" + pass, "line 2: a jump over 1 instructions, and 1 follow"},
		{"loop", "3\n0 0 0 1\n5 0 0 4294967294\n" + pass, "line 3: a jump over 4294967294 instructions, and 1 follow"},
		{"test beyond the end", "3\n21 1 2 1\n" + pass + pass, "line 2: a jump over 2 instructions, and 2 follow"},
		{"test at the end", "1\n21 0 0 1\n", "line 2: a jump over 0 instructions, and 0 follow"},
		{"division by 0", "2\n52 0 0 0\n" + pass, "line 2: a division by 0"},
		{"modulus by 0", "2\n148 0 0 0\n" + pass, "line 2: a division by 0"},
		{"shift", "2\n100 0 0 32\n" + pass, "line 2: a shift by 32 bits, and there are 32"},
		{"scratch", "2\n2 0 0 16\n" + pass, "line 2: scratch word 16, and there are 16"},
		{"scratch that is not written", "2\n96 0 0 3\n" + pass, "line 2: scratch word 3 is read before it is written"},
		{"scratch that is not written on one way", "5\n21 1 0 1\n2 0 0 3\n96 0 0 3\n4 0 0 0\n" + pass, "line 4: scratch word 3 is read before it is written"},
		{"scratch that is written on another way", "5\n2 0 0 2\n21 0 1 1\n3 0 0 3\n97 0 0 3\n" + pass, "line 5: scratch word 3 is read"},
		{"unknown metadata", "2\n32 0 0 4294963264\n" + pass, "line 2: a load from 4294963264, which Linux does not know"},
		{"odd metadata", "2\n32 0 0 4294963201\n" + pass, "line 2: a load from 4294963201"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := live.ParseRaw([]byte(test.text))
			if err == nil || !strings.HasPrefix(err.Error(), "read the BPF program: "+test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	for _, text := range []string{
		"2\n32 0 0 4294963248\n" + pass,                    // the VLAN tag
		"2\n40 0 0 4293918720\n" + pass,                    // the network header
		"4\n21 1 0 1\n2 0 0 3\n4 0 0 0\n" + pass,           // written, and not read
		"5\n2 0 0 3\n21 1 0 1\n4 0 0 0\n96 0 0 3\n" + pass, // written before
		"2\n148 0 0 3\n22 0 0 0\n",                         // returns A
	} {
		if _, err := live.ParseRaw([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
