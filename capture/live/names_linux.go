package live

const (
	// maxNames bounds the interfaces that an any capture tells apart; all others are
	// one without a name. Containers bring new ones every day.
	maxNames = 1024
	// maxIndexes bounds how many of the kernel's numbers are remembered.
	maxIndexes = 4096
)

// names number the interfaces of an any capture in order of appearance. One that is
// removed and made again has its old number.
type names struct {
	list    []string
	byName  map[string]int
	byIndex map[int32]named
	// age counts how often interfaces changed; they are asked for their names again then.
	age int
	// The last one, for most packets come from where the one before came from.
	last     int32
	lastName named
	// lookUp gives the name of an interface by the kernel's number.
	lookUp func(index int) (string, error)
}

type named struct{ number, age int }

func newNames(lookUp func(int) (string, error)) *names {
	return &names{byName: map[string]int{}, byIndex: map[int32]named{}, lookUp: lookUp}
}

// changed says that names may have changed.
func (n *names) changed() { n.age++ }

// number is the place in the list of the interface with the kernel's number.
func (n *names) number(index int32) int {
	if index == n.last && n.lastName.age == n.age && len(n.list) > 0 {
		return n.lastName.number
	}
	n.last, n.lastName = index, n.find(index)
	return n.lastName.number
}

func (n *names) find(index int32) named {
	old, known := n.byIndex[index]
	if known && old.age == n.age {
		return old
	}
	name, err := n.lookUp(int(index))
	found := named{age: n.age}
	switch {
	case err != nil && known:
		// It went away, and its last packets are still there.
		found.number = old.number
	case err != nil:
		found.number = n.add("")
	default:
		found.number = n.add(name)
	}
	if len(n.byIndex) >= maxIndexes {
		clear(n.byIndex)
	}
	n.byIndex[index] = found
	return found
}

func (n *names) add(name string) int {
	number, known := n.byName[name]
	if known {
		return number
	}
	if len(n.list) >= maxNames-1 && name != "" {
		return n.add("")
	}
	n.list = append(n.list, name)
	n.byName[name] = len(n.list) - 1
	return len(n.list) - 1
}
