// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guides follows the guides word by word: it runs the commands that they mark, in their order, on the playground
// that they name, and compares what the guides say that the commands print.
package guides

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"servicestage.dev/operator/test/rig"
)

// The pages of a group are followed one after the other on one playground; the last ones leave little of it.
var groups = []struct {
	playground string // the target of make, and the mark
	flag       string // of hack/demo
	pages      []string
}{
	{"playground", "--stay", []string{"README.md", "docs/troubleshooting.md", "docs/runbooks.md", "docs/guides/monitoring.md",
		"docs/kubectl-servicestage.md", "docs/guides/gitops.md", "docs/guides/import.md"}},
	{"playground", "--stay", []string{"docs/guides/backup.md"}},
	{"playground-empty", "--empty", []string{"docs/guides/install.md"}},
	{"playground-empty", "--empty", []string{"docs/guides/upgrade.md"}},
}

// timeout bounds one group, playground included.
const timeout = 2 * time.Minute

func TestGuides(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := rig.Build(t.Context(), bin, "./cmd/manager", "./cmd/cloudsim", "./cmd/kubectl-servicestage", "./hack/demo"); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"kubectl", "helm"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(root, "hack", "tools", "tool.sh"), tool).Output()
		if err != nil {
			t.Fatalf("%s: %v", tool, err)
		}
		if err := os.Symlink(strings.TrimSpace(string(out)), filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range groups {
		t.Run(filepath.Base(group.pages[len(group.pages)-1]), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			checkout := playground(ctx, t, root, bin, group.flag)
			for _, page := range group.pages {
				follow(ctx, t, checkout, page, group.playground)
			}
		})
	}
}

// playground starts one and returns a folder that looks like a checkout in which it was started. What the commands write
// stays in that folder.
func playground(ctx context.Context, t *testing.T, root, bin, flag string) string {
	t.Helper()
	checkout := t.TempDir()
	for from, to := range map[string]string{root: checkout, bin: filepath.Join(checkout, "bin")} {
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if name := entry.Name(); name != "bin" && name != "dist" {
				if err := os.Symlink(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var log bytes.Buffer
	demo := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(bin, "demo"), "--bin=bin", flag)
	demo.Dir, demo.Stdout, demo.Stderr = checkout, &log, &log
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- demo.Wait() }()
	t.Cleanup(func() {
		if err := demo.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("the playground ended by itself: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("the playground did not end well: %v\n%s", err, log.Bytes())
		}
	})
	NewWithT(t).Eventually(func() error {
		_, err := os.Stat(filepath.Join(checkout, "bin", "playground.env"))
		return err
	}).WithContext(ctx).WithTimeout(timeout).Should(Succeed())
	return checkout
}

// block is a block of lines that are indented by four spaces, below a mark: commands to run, or what they print.
type block struct {
	line   int // of the mark
	prints bool
	exit   string // the status that the commands end with
	text   string
}

// blocks lists those of a page that are for a playground.
func blocks(page, playground string) []block {
	var found []block
	mark := regexp.MustCompile(`(?m)^<!-- (` + playground + `|prints)(?:, exit (\d+))? -->\n\n?((?: {4}.*\n|\n)+)`)
	for _, at := range mark.FindAllStringSubmatchIndex(page, -1) {
		b := block{line: 1 + strings.Count(page[:at[0]], "\n"), prints: page[at[2]:at[3]] == "prints", exit: "0"}
		if at[4] >= 0 {
			b.exit = page[at[4]:at[5]]
		}
		b.text = strings.TrimSpace(strings.ReplaceAll("\n"+page[at[6]:at[7]], "\n    ", "\n"))
		found = append(found, b)
	}
	return found
}

// follow runs what a page marks in one shell, as a reader would, and stops at the first command that fails.
func follow(ctx context.Context, t *testing.T, checkout, page, mark string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(checkout, filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	found := blocks(string(content), mark)
	if len(found) == 0 {
		t.Errorf("%s marks no commands for %s", page, mark)
	}
	script := "set -eo pipefail\nsource bin/playground.env\n"
	for _, b := range found {
		if !b.prints {
			script += fmt.Sprintf("echo '## line %d of the page'\nset +e\n", b.line)
			script += command(b)
		}
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = checkout
	// The shell's commands end with it, and hold the output no longer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	started := time.Now()
	out, err := cmd.CombinedOutput()
	outputs := strings.Split(string(out), "## line ")
	if err != nil {
		t.Fatalf("%s: the commands of line %s\n%v", page, outputs[len(outputs)-1], err)
	}
	t.Logf("%s: %d blocks in %.1f s", page, len(found), time.Since(started).Seconds())
	next := 0
	for _, b := range found {
		if !b.prints {
			next++
			continue
		}
		printed := strings.Join(strings.Fields(outputs[next]), " ")
		for line := range strings.Lines(b.text) {
			if want := strings.Join(strings.Fields(line), " "); !strings.Contains(printed, want) {
				t.Errorf("%s:%d: what was run before does not print %q but\n%s", page, b.line, want, outputs[next])
			}
		}
	}
}

// command is the part of the script that runs a block.
func command(b block) string {
	if b.exit == "0" {
		return "set -e\n" + b.text + "\n"
	}
	return fmt.Sprintf("%s\nstatus=$?\nset -e\n[ $status = %s ] || { echo \"ended with status $status\"; exit 1; }\n", b.text, b.exit)
}
