package services

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// errTaken means that the server found its port taken.
var errTaken = errors.New("the port is taken")

// freePort returns a port on which nothing listens. It is below the ports that systems
// use for outgoing connections, so that it is still free when a killed server restarts.
func freePort() int {
	for {
		port := 10_000 + rand.N(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
}

// start runs the program and waits until it is ready.
func (s *Service) start() error {
	if s.running() {
		return errors.New("it is running")
	}

	cmd, err := s.kind.command(s.port, s.settings)
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer out.Close()

	cmd.Dir, cmd.Stdout, cmd.Stderr = s.data(), out, out
	unprivileged(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}

	// The goroutine gets its own channel, because a restart replaces s.ended.
	s.cmd, s.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		cmd.Wait()
		close(ended)
	}(s.ended)
	return s.await()
}

// await waits until the server is ready.
func (s *Service) await() error {
	for begin := time.Now(); time.Since(begin) < patience; {
		select {
		case <-s.ended:
			if bytes.Contains(s.log(), []byte("Address already in use")) {
				return errTaken
			}
			return fmt.Errorf("it ended: %v\n%s", s.cmd.ProcessState, s.log())
		case <-time.After(5 * time.Millisecond):
			if s.kind.ready(s) {
				return nil
			}
		}
	}
	return fmt.Errorf("it is not ready after %v\n%s", patience, s.log())
}

func (s *Service) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// quit asks the server to end, and waits until it has.
func (s *Service) quit() error {
	if !s.running() {
		return nil
	}
	if err := s.cmd.Process.Signal(s.kind.stop()); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("it did not end within %v", patience)
	}
}

// kill kills the main process first, so that it starts no others, and then the rest.
func (s *Service) kill() error {
	if s.cmd == nil {
		return nil
	}
	s.cmd.Process.Kill() // an error means that it has ended
	<-s.ended

	// The other processes end a little after the signal, so look until none is left.
	return until("they do not end", func() bool {
		pids := processes(s.folder)
		for _, pid := range pids {
			signal(pid, os.Kill)
		}
		return len(pids) == 0
	})
}

// processes returns the processes that run in a folder. The processes of PostgreSQL leave
// their process group, but all stay in the data folder.
func processes(dir string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		at, err := os.Readlink(link) // fails for those that have just ended
		if err != nil || at != dir && !strings.HasPrefix(at, dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signal sends sig to a process, which may have ended.
func signal(pid int, sig os.Signal) {
	if p, err := os.FindProcess(pid); err == nil {
		p.Signal(sig)
		p.Release()
	}
}

// pause stops the processes in a folder. It repeats until it finds all of them stopped,
// because a running process can still start others.
func pause(dir string) error {
	return until("they do not stop", func() bool {
		pids, stopped := processes(dir), 0
		for _, pid := range pids {
			signal(pid, pauseSignal)
			if state(pid) == 'T' {
				stopped++
			}
		}
		return stopped == len(pids)
	})
}

func resume(dir string) error {
	return until("they do not go on", func() bool {
		running := true
		for _, pid := range processes(dir) {
			signal(pid, resumeSignal)
			running = running && state(pid) != 'T'
		}
		return running
	})
}

// state returns the letter of a process's state, such as 'T' for a stopped one.
func state(pid int) byte {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := bytes.Cut(b, []byte(") ")) // after the name
	if len(after) == 0 {
		return 'X' // it has ended
	}
	return after[0]
}

// until calls done until it returns true, or fails with the complaint after a while.
func until(complaint string, done func() bool) error {
	for begin := time.Now(); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > patience {
			return errors.New(complaint)
		}
	}
	return nil
}

// copyFolder replaces to by a copy of from that keeps the owner.
func copyFolder(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
