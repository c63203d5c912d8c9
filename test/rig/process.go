// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// probeInterval is the time between two looks at whether a part is ready.
	probeInterval = 50 * time.Millisecond
	// startTimeout bounds how long a part may take until it answers.
	startTimeout = 60 * time.Second
	// stopTimeout bounds how long a part may take to stop by itself before it is killed.
	stopTimeout = 20 * time.Second
	// tailLines is how many of a part's last log lines go into an error.
	tailLines = 15
)

// Process is a child process whose output goes to a file.
type Process struct {
	// Name is what errors call it.
	Name string
	// LogFile holds what it wrote to stdout and stderr.
	LogFile string

	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; to be read once done is closed
}

// command says what to run.
type command struct {
	name string // also the name of the log file
	path string
	args []string
	env  []string // added to this program's own
	dir  string   // where the log file goes
}

// start runs the command. It goes on until Stop or Kill.
func start(c command) (*Process, error) {
	p := &Process{Name: c.name, LogFile: filepath.Join(c.dir, c.name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(c.path, c.args...) //nolint:noctx // a context bounds the start alone; Stop and Kill end the process
	p.cmd.Env = append(os.Environ(), c.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = childAttributes()

	started := make(chan error)
	go func() {
		// The kernel ties the child to the thread that started it: this one stays until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	return p, nil
}

// startReady runs the command and waits until probe answers nil. Where that does not come about the process is killed.
func startReady(ctx context.Context, c command, probe func(context.Context) error) (*Process, error) {
	p, err := start(c)
	if err != nil {
		return nil, err
	}
	if err := p.waitReady(ctx, probe); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, p.Tail(tailLines)), p.Kill())
	}
	return p, nil
}

func (p *Process) waitReady(ctx context.Context, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready: %w", p.Name, p.exit())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (%w)", p.Name, err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// exit says how the process ended, as an error in any case.
func (p *Process) exit() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// Stop asks the process to end, waits for it, and kills it if it takes too long. An unclean end is an error. Stopping
// what has been stopped or killed already does nothing.
func (p *Process) Stop() error {
	if p.ended() {
		return nil
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s did not stop within %v\n%s", p.Name, stopTimeout, p.Tail(tailLines)), p.Kill())
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGTERM {
		return nil // etcd passes the signal on to itself once it is done
	}
	if p.err != nil {
		return fmt.Errorf("%s did not stop cleanly: %w\n%s", p.Name, p.err, p.Tail(tailLines))
	}
	return nil
}

// Kill ends the process at once, as kill -9 does, and waits until it is gone.
func (p *Process) Kill() error {
	if p.ended() {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends to the whole process group.
func (p *Process) signal(s syscall.Signal) error {
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signalling %s: %w", p.Name, err)
	}
	return nil
}

// Tail returns the last n lines of the process's output, each indented.
func (p *Process) Tail(n int) string {
	log, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(bytes.TrimRight(log, "\n")), "\n")
	lines = lines[max(0, len(lines)-n):]
	return fmt.Sprintf("  last lines of %s:\n    %s", p.LogFile, strings.Join(lines, "\n    "))
}
