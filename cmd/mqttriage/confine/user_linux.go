package confine

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// The kernel's ID for whoever has none (Documentation/admin-guide/sysctl/fs.rst,
// overflowuid), which every distribution calls nobody.
const overflowID = 65534

// identity is who the process goes on as.
type identity struct {
	name     string
	uid, gid int
	changes  bool // from who the process is
}

func (i identity) String() string {
	numbers := fmt.Sprintf("%d:%d", i.uid, i.gid)
	if i.name == strconv.Itoa(i.uid) { // it has no other
		return numbers
	}
	return i.name + " (" + numbers + ")"
}

// wanted is who a process with this effective UID goes on as, where the user
// asks for name (see Options.User).
func wanted(name string, euid int) (identity, error) {
	if euid != 0 {
		return wantedByOther(name, euid)
	}
	if name != "" {
		to, err := find(name)
		to.changes = to.uid != 0
		return to, err
	}
	to, err := find("mqttriage")
	if err != nil {
		to, err = find("nobody")
	}
	to.changes = to.uid != 0
	return to, err
}

// wantedByOther is the same for a process that is not root.
func wantedByOther(name string, euid int) (identity, error) {
	self := identity{name: strconv.Itoa(euid), uid: euid, gid: os.Getegid()}
	if u, err := user.LookupId(self.name); err == nil {
		self.name = u.Username
	}
	if name == "" {
		return self, nil
	}
	to, err := find(name)
	if err != nil {
		return identity{}, err
	}
	if to.uid != euid {
		return identity{}, fmt.Errorf("--user %s: only root can become another user, and this is %s; leave --user out", name, self)
	}
	return self, nil
}

// find looks a user up by name, UID, or UID:GID, which needs no entry in
// /etc/passwd.
func find(name string) (identity, error) {
	uid, gid, both := strings.Cut(name, ":")
	if both {
		u, uidErr := strconv.ParseUint(uid, 10, 31)
		g, gidErr := strconv.ParseUint(gid, 10, 31)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return identity{}, fmt.Errorf("--user %s: two numbers are wanted around the colon, such as 1000:1000", name)
		}
		return identity{name: uid, uid: int(u), gid: int(g)}, nil
	}
	found, err := user.Lookup(name)
	if err != nil && name == "nobody" { // small devices have no users but root
		return identity{name: name, uid: overflowID, gid: overflowID}, nil
	}
	if err != nil {
		if _, numeric := strconv.ParseUint(name, 10, 31); numeric == nil {
			if found, err = user.LookupId(name); err != nil {
				return identity{}, fmt.Errorf("--user %s: no such user; name the group too, as in %s:%s", name, name, name)
			}
		} else {
			return identity{}, fmt.Errorf("--user %s: no such user; useradd --system %s makes one, and nobody is always there", name, name)
		}
	}
	u, uidErr := strconv.ParseUint(found.Uid, 10, 31)
	g, gidErr := strconv.ParseUint(found.Gid, 10, 31)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return identity{}, fmt.Errorf("--user %s: %w", name, err)
	}
	return identity{name: found.Username, uid: int(u), gid: int(g)}, nil
}
