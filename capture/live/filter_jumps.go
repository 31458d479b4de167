package live

import "golang.org/x/net/bpf"

// A label is a place in a program, known when all of it is there.
type label int

// next is the instruction that follows.
const next label = -1

// program is a BPF program in the making, whose jumps go to labels: only forward, as
// BPF's do.
type program struct {
	steps []step
	// places are where the labels are: before which step.
	places []int
}

// step is an instruction, a jump, or a test.
type step struct {
	// instruction is nil of a jump and a test.
	instruction bpf.Instruction
	// A test compares A with value, or with X; it goes to the first label when it
	// holds, else to the second. A jump goes to the first.
	tests bool
	test  bpf.JumpTest
	value uint32
	x     bool
	to    [2]label
	// far says that a label is beyond the 8 bits that a test has for it. The
	// test then goes to a jump of its own, right behind it.
	far [2]bool
}

// maxTestJump is how many instructions a test can go over.
const maxTestJump = 0xff

func (s *step) size() int {
	n := 1
	for _, far := range s.far {
		if far {
			n++
		}
	}
	return n
}

// label makes a label, to be put somewhere later.
func (p *program) label() label {
	p.places = append(p.places, 0)
	return label(len(p.places) - 1)
}

// here puts a label before what comes next.
func (p *program) here(l label) { p.places[l] = len(p.steps) }

func (p *program) do(instructions ...bpf.Instruction) {
	for _, i := range instructions {
		p.steps = append(p.steps, step{instruction: i})
	}
}

func (p *program) jump(to label) { p.steps = append(p.steps, step{to: [2]label{to, to}}) }

// jumpIf goes on at yes or no, by A.
func (p *program) jumpIf(test bpf.JumpTest, value uint32, yes, no label) {
	p.steps = append(p.steps, step{tests: true, test: test, value: value, to: [2]label{yes, no}})
}

// jumpIfX compares A with X.
func (p *program) jumpIfX(test bpf.JumpTest, yes, no label) {
	p.steps = append(p.steps, step{tests: true, test: test, x: true, to: [2]label{yes, no}})
}

// assemble makes the instructions.
func (p *program) assemble() []bpf.Instruction {
	at := p.place()
	list := make([]bpf.Instruction, 0, at[len(p.steps)])
	for i := range p.steps {
		s := &p.steps[i]
		// over is how many instructions lie between one and a label.
		over := func(l label, from int) int {
			if l == next {
				return at[i+1] - from - 1
			}
			return at[p.places[l]] - from - 1
		}
		switch {
		case s.instruction != nil:
			list = append(list, s.instruction)
			continue
		case !s.tests:
			list = append(list, bpf.Jump{Skip: uint32(over(s.to[0], at[i]))})
			continue
		}
		var skip [2]uint8
		jumps := 0
		for k, l := range s.to {
			if skip[k] = uint8(over(l, at[i])); s.far[k] {
				skip[k] = uint8(jumps)
				jumps++
			}
		}
		if s.x {
			list = append(list, bpf.JumpIfX{Cond: s.test, SkipTrue: skip[0], SkipFalse: skip[1]})
		} else {
			list = append(list, bpf.JumpIf{Cond: s.test, Val: s.value, SkipTrue: skip[0], SkipFalse: skip[1]})
		}
		for k, l := range s.to {
			if s.far[k] {
				list = append(list, bpf.Jump{Skip: uint32(over(l, len(list)))})
			}
		}
	}
	return list
}

// place finds out where each step's instructions begin, and which labels are far. What is
// far stays so, so that it comes to an end.
func (p *program) place() (at []int) {
	at = make([]int, len(p.steps)+1)
	for {
		for i := range p.steps {
			at[i+1] = at[i] + p.steps[i].size()
		}
		moved := false
		for i := range p.steps {
			s := &p.steps[i]
			for k, l := range s.to {
				if s.tests && l != next && !s.far[k] && at[p.places[l]]-at[i]-1 > maxTestJump {
					s.far[k], moved = true, true
				}
			}
		}
		if !moved {
			return at
		}
	}
}
