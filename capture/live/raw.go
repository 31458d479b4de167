package live

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// ParseRaw reads a BPF program as `tcpdump -ddd` prints it: a line with the number of
// instructions, then for each a line with code, jt, jf and k, all in decimal. It fails, with the line,
// for what is not of this form and for what Linux would refuse without saying why.
//
// The program must be made for what the frames begin with: `tcpdump -y EN10MB -ddd` for
// StartEthernet, `tcpdump -y RAW -ddd` for StartIP. It cannot be told from its bytes.
func ParseRaw(text []byte) ([]bpf.RawInstruction, error) {
	const form = "it must be what `tcpdump -ddd` prints"
	var program []bpf.RawInstruction
	var lines []int // of the instructions
	count, n := -1, 0
	for line := range strings.Lines(string(text)) {
		n++
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case count < 0:
			c, err := strconv.ParseUint(fields[0], 10, 16)
			if err != nil || len(fields) != 1 {
				return nil, fmt.Errorf("read the BPF program: line %d is not the number of instructions; %s", n, form)
			}
			if c == 0 || c > maxInstructions {
				return nil, fmt.Errorf("read the BPF program: line %d: %d instructions, and Linux takes 1 to %d", n, c, maxInstructions)
			}
			count = int(c)
		case len(program) == count:
			return nil, fmt.Errorf("read the BPF program: line %d is beyond the %d instructions of its first line", n, count)
		default:
			i, ok := parseInstruction(fields)
			if !ok {
				return nil, fmt.Errorf("read the BPF program: line %d is not the four numbers of an instruction; %s", n, form)
			}
			program, lines = append(program, i), append(lines, n)
		}
	}
	switch {
	case count < 0:
		return nil, fmt.Errorf("read the BPF program: it is empty; %s", form)
	case len(program) < count:
		return nil, fmt.Errorf("read the BPF program: it ends at line %d, with %d of %d instructions", n, len(program), count)
	}
	if err := check(program, func(at int) string { return fmt.Sprintf("line %d", lines[at]) }); err != nil {
		return nil, fmt.Errorf("read the BPF program: %w", err)
	}
	return program, nil
}

// parseInstruction takes code, jt, jf and k.
func parseInstruction(fields []string) (i bpf.RawInstruction, ok bool) {
	if len(fields) != 4 {
		return i, false
	}
	var numbers [4]uint64
	for at, bits := range [4]int{16, 8, 8, 32} {
		var err error
		if numbers[at], err = strconv.ParseUint(fields[at], 10, bits); err != nil {
			return i, false
		}
	}
	return bpf.RawInstruction{Op: uint16(numbers[0]), Jt: uint8(numbers[1]), Jf: uint8(numbers[2]), K: uint32(numbers[3])}, true
}

// The codes of instructions, from linux/bpf_common.h.
const (
	codeLoadWord, codeLoadHalf, codeLoadByte                            = 0x20, 0x28, 0x30 // at a fixed offset
	codeLoadWordX, codeLoadHalfX, codeLoadByteX                         = 0x40, 0x48, 0x50 // behind X
	codeLoadConstant, codeLoadScratch, codeLoadLength                   = 0x00, 0x60, 0x80
	codeXConstant, codeXScratch, codeXLength, codeXHeader               = 0x01, 0x61, 0x81, 0xb1
	codeStore, codeStoreX                                               = 0x02, 0x03
	codeAdd, codeSub, codeMul, codeDiv, codeOr, codeAnd                 = 0x04, 0x14, 0x24, 0x34, 0x44, 0x54
	codeLeft, codeRight, codeNegate, codeMod, codeXor                   = 0x64, 0x74, 0x84, 0x94, 0xa4
	codeJump, codeIfEqual, codeIfGreater, codeIfGreaterEqual, codeIfSet = 0x05, 0x15, 0x25, 0x35, 0x45
	codeReturn, codeReturnA                                             = 0x06, 0x16
	codeToX, codeToA                                                    = 0x07, 0x87

	// codeX is what an operation or a test has that takes X instead of a constant.
	codeX = 0x08

	scratchWords = 16 // BPF_MEMWORDS

	// Loads from ancillaryOffset on (SKF_AD_OFF in linux/filter.h) are not from
	// the frame: there are some, four apart.
	ancillaryOffset = 0xfffff000
	lastAncillary   = 60
)

// check finds what Linux would refuse: bpf_check_classic and check_load_and_stores in
// net/core/filter.c. where names an instruction.
func check(program []bpf.RawInstruction, where func(at int) string) error {
	if len(program) == 0 || len(program) > maxInstructions {
		return fmt.Errorf("%d instructions, and Linux takes 1 to %d", len(program), maxInstructions)
	}
	// written has, for every instruction, the scratch words that are written on
	// all ways to it.
	written := make([]uint16, len(program))
	for i := range written {
		written[i] = 0xffff
	}
	written[0] = 0
	for at, i := range program {
		left := uint32(len(program) - at - 1) // how many instructions follow
		scratch := written[at]
		flow := func(to uint32) { written[at+1+int(to)] &= scratch }
		switch i.Op {
		case codeLoadWord, codeLoadHalf, codeLoadByte:
			if i.K >= ancillaryOffset && (i.K-ancillaryOffset > lastAncillary || i.K%4 != 0) {
				return fmt.Errorf("%s: a load from %d, which Linux does not know", where(at), i.K)
			}
		case codeLoadScratch, codeXScratch, codeStore, codeStoreX:
			if i.K >= scratchWords {
				return fmt.Errorf("%s: scratch word %d, and there are %d", where(at), i.K, scratchWords)
			}
			if i.Op == codeStore || i.Op == codeStoreX {
				scratch |= 1 << i.K
			} else if scratch&(1<<i.K) == 0 {
				return fmt.Errorf("%s: scratch word %d is read before it is written", where(at), i.K)
			}
		case codeDiv, codeMod:
			if i.K == 0 {
				return fmt.Errorf("%s: a division by 0", where(at))
			}
		case codeLeft, codeRight:
			if i.K >= 32 {
				return fmt.Errorf("%s: a shift by %d bits, and there are 32", where(at), i.K)
			}
		case codeJump:
			if i.K >= left {
				return fmt.Errorf("%s: a jump over %d instructions, and %d follow", where(at), i.K, left)
			}
			flow(i.K)
			continue
		case codeIfEqual, codeIfGreater, codeIfGreaterEqual, codeIfSet,
			codeIfEqual | codeX, codeIfGreater | codeX, codeIfGreaterEqual | codeX, codeIfSet | codeX:
			if over := max(uint32(i.Jt), uint32(i.Jf)); over >= left {
				return fmt.Errorf("%s: a jump over %d instructions, and %d follow", where(at), over, left)
			}
			flow(uint32(i.Jt))
			flow(uint32(i.Jf))
			continue
		case codeReturn, codeReturnA:
			if left == 0 {
				continue
			}
			// Linux goes on as if it did not return.
		case codeLoadWordX, codeLoadHalfX, codeLoadByteX, codeLoadConstant, codeLoadLength,
			codeXConstant, codeXLength, codeXHeader,
			codeAdd, codeSub, codeMul, codeOr, codeAnd, codeXor, codeNegate,
			codeAdd | codeX, codeSub | codeX, codeMul | codeX, codeDiv | codeX, codeOr | codeX,
			codeAnd | codeX, codeMod | codeX, codeXor | codeX, codeLeft | codeX, codeRight | codeX,
			codeToX, codeToA:
		default:
			return fmt.Errorf("%s: instruction code %d, which Linux does not know", where(at), i.Op)
		}
		if left == 0 {
			return fmt.Errorf("%s: the last instruction must return", where(at))
		}
		flow(0)
	}
	return nil
}
