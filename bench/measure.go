package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// sample is what one run of a command took.
type sample struct {
	wall, cpu time.Duration
	memory    int64 // bytes at the peak; 0 where that cannot be told
}

// result is a row's samples, by command and round.
type result struct {
	row
	samples [][]sample
}

// measure runs the commands of a row in turn, so that what else happens on the
// machine meets all of them. Commands that are not installed are left out.
func (r row) measure(rounds int, absent map[string]bool) (result, error) {
	if r.rounds > 0 {
		rounds = r.rounds
	}
	res := result{row: r}
	res.commands = nil
	for _, c := range r.commands {
		if _, err := exec.LookPath(c.args[0]); errors.Is(err, exec.ErrNotFound) {
			absent[c.args[0]] = true
			continue
		}
		res.commands = append(res.commands, c)
	}
	res.samples = make([][]sample, len(res.commands))
	for round := range rounds + 1 { // the first is the warm-up
		for i, c := range res.commands {
			if c.once && round != 1 {
				continue
			}
			s, err := c.run()
			if err != nil {
				return res, err
			}
			progress("%s %d/%d: %v: %.3f s", r.name, round, rounds, c, s.wall.Seconds())
			if round > 0 {
				res.samples[i] = append(res.samples[i], s)
			}
		}
	}
	return res, nil
}

// run runs a command once; what it prints goes nowhere.
func (c command) run() (sample, error) {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	began := time.Now()
	err := cmd.Run()
	wall := time.Since(began)
	if err != nil {
		return sample{}, fmt.Errorf("run %v: %w\n%s", c, err, complaints.Bytes())
	}
	p := cmd.ProcessState
	s := sample{wall: wall, cpu: p.UserTime() + p.SystemTime(), memory: peak(p.SysUsage())}
	if s.memory <= floor() {
		s.memory = 0
	}
	return s, nil
}

// floor is the smallest peak that can be told, in bytes: on Linux a child shares
// this process's memory until it calls execve, and that counts as its own.
func floor() int64 {
	status, _ := os.ReadFile("/proc/self/status") // only Linux has it
	m := peakSize.FindSubmatch(status)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64) // the pattern lets only digits through
	return n << 10
}

var peakSize = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)
