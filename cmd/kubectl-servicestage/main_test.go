// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// invoke runs a command line without a cluster.
func invoke(t *testing.T, args ...string) (out, errOut string, code int) {
	t.Helper()
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	t.Setenv("HOME", t.TempDir())
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &stdout, ErrOut: &stderr})
	return stdout.String(), stderr.String(), code
}

func TestBadCommandLinesNameWhatIsWrong(t *testing.T) {
	for line, want := range map[string]string{
		"improt":                              `unknown command "improt"`,
		"import extra":                        `unknown command "extra"`,
		"import --manag":                      "unknown flag: --manag (see kubectl servicestage import --help)",
		"import --output=text":                `--output is "text": it must be yaml or json`,
		"plan --output=table":                 `--output is "table": it must be yaml or json`,
		"plan environment/dev --filename=x":   "name either objects or files, not both",
		"wait --timeout=soon":                 `invalid argument "soon" for "--timeout"`,
		"tree --server=http://127.0.0.1:1":    "127.0.0.1:1",
		"plan --allow-endpoint-host=ftp://x/": `--allow-endpoint-host: pattern "ftp://x/"`,
	} {
		_, errOut, code := invoke(t, strings.Fields(line)...)
		if code != 1 || !strings.HasPrefix(errOut, "error: ") || !strings.Contains(errOut, want) {
			t.Errorf("%s: code %d, said %q, want %q", line, code, errOut, want)
		}
	}
}

func TestCtrlCEndsWithItsOwnCode(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Setenv("KUBECONFIG", t.TempDir()+"/none")
	var errOut bytes.Buffer
	code := run(ctx, []string{"tree", "--server=http://127.0.0.1:1"}, genericiooptions.IOStreams{Out: &errOut, ErrOut: &errOut})
	if code != 130 || errOut.String() != "interrupted\n" {
		t.Errorf("code %d, said %q", code, errOut.String())
	}
}

func TestExamplesAreCommandsThatExist(t *testing.T) {
	root := newRoot(genericiooptions.IOStreams{})
	flag := regexp.MustCompile(`--([a-z-]+)`)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" || cmd.Name() == "help" {
			continue
		}
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s has no example, or no description", cmd.Name())
		}
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			rest, found := strings.CutPrefix(line, displayName+" "+cmd.Name())
			if !found {
				t.Errorf("%s: the example %q runs something else", cmd.Name(), line)
			}
			for _, match := range flag.FindAllStringSubmatch(rest, -1) {
				if cmd.Flag(match[1]) == nil {
					t.Errorf("%s: the example %q has a flag that there is not", cmd.Name(), line)
				}
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"wait ":                               "environment/\napplication/\ncomponent/",
		"import --resources environments,app": "environments,environments\nenvironments,applications\nenvironments,components",
		"plan --output ":                      "json\nyaml",
	} {
		out, _, code := invoke(t, append([]string{cobra.ShellCompNoDescRequestCmd}, strings.Split(line, " ")...)...)
		if code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%q completes to %q (code %d), want %q", line, out, code, want)
		}
	}
	script, _, code := invoke(t, "completion", "bash")
	if code != 0 || !strings.Contains(script, "__start_kubectl-servicestage") {
		t.Errorf("no completion script: code %d", code)
	}
}
