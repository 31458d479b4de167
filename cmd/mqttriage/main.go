// Command mqttriage reads packet captures, rebuilds every MQTT handshake in
// them and says what went wrong, what causes it, what will not help and what
// will.
//
//	mqttriage read [flags] FILE...
//	mqttriage live [flags] -i IFACE
//	mqttriage explain ID|CODE
//	mqttriage kb list|show|check|export|import
//	mqttriage version
//	mqttriage completion SHELL
//
// Reports go to standard output, everything else to standard error.
package main

import (
	"os"
	"strings"
)

func main() {
	limitMemory(strings.Join(os.Args[1:min(len(os.Args), 2)], ""))
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
