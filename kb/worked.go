package kb

import (
	"fmt"
	"strconv"
	"strings"
)

// workedFact is the fact that says which change of the CONNECT was followed by
// its being accepted.
const workedFact = "worked_change"

// workedChanges are the changes that a fix may name under worked: the values of
// the fact that stand for one change.
var workedChanges = []string{"client-id", "clean-start", "keep-alive", "version", "credentials", "port"}

// worked is the judgement of a fix that a client made with success.
func (e evidence) worked() judgement {
	packets := e.packets[workedFact]
	j := judgement{status: Recommended, packets: packets, because: Text{
		En: "The CONNECT was accepted after this change.",
		Zh: "作此改动之后，CONNECT 被接受。",
	}}
	switch len(packets) {
	case 0:
	case 1:
		j.because = Text{
			En: fmt.Sprintf("The CONNECT was accepted at packet %d after this change.", packets[0]),
			Zh: fmt.Sprintf("作此改动之后，数据包 %d 处的 CONNECT 被接受。", packets[0]),
		}
	default:
		numbers := make([]string, min(len(packets), 3))
		for i := range numbers {
			numbers[i] = strconv.Itoa(packets[i])
		}
		more := ""
		if len(packets) > len(numbers) {
			more = " …"
		}
		j.because = Text{
			En: "CONNECTs were accepted at packets " + strings.Join(numbers, ", ") + more + " after this change.",
			Zh: "作此改动之后，数据包 " + strings.Join(numbers, "、") + more + " 处的 CONNECT 被接受。",
		}
	}
	return j
}
