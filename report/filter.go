package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mqttriage/mqttriage/decode"
)

// filterOf is a Wireshark display filter for a session. Where the versions of
// Wireshark number streams differently, it names the packets.
func filterOf(s *decode.Session, packets []int) string {
	if !s.StreamUnsure {
		return fmt.Sprintf("tcp.stream eq %d", s.Stream)
	}
	return framesFilter(packets)
}

// framesFilter selects packets by number. Wireshark 4 takes set elements only
// with commas between them.
func framesFilter(packets []int) string {
	numbers := make([]string, 0, len(packets))
	for _, p := range packets {
		numbers = append(numbers, strconv.Itoa(p))
	}
	return "frame.number in {" + strings.Join(numbers, ", ") + "}"
}
