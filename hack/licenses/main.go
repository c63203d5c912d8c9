// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command licenses lists the licences of the modules that are linked into a binary, read from their own licence files,
// and fails where one is not allowed or not known.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"text/tabwriter"

	"github.com/go-enry/go-license-detector/v4/licensedb"
	"github.com/go-enry/go-license-detector/v4/licensedb/filer"
)

// allowed licences ask for no more than to be named. The detector takes Go's own BSD-3-Clause for BSD-Source-Code, and ISC
// for 0BSD.
var allowed = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-Source-Code", "ISC", "MIT"}

// A licence counts as recognised from this confidence on, and an allowed one is taken for what a text is where no other
// fits it better by more than the margin: the texts of the BSD family differ in little.
const (
	confident = 0.85
	margin    = 0.05
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: licenses BINARY")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, out io.Writer) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	args := []string{"mod", "download", "-json"}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		args = append(args, dep.Path+"@"+dep.Version)
	}
	answer, err := exec.CommandContext(ctx, "go", args...).Output() //nolint:gosec // G204: the modules of our own binary
	if err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	defer w.Flush()
	var problems []error
	for modules := json.NewDecoder(bytes.NewReader(answer)); modules.More(); {
		var module struct{ Path, Version, Dir string }
		if err := modules.Decode(&module); err != nil {
			return err
		}
		license, err := licenseOf(module.Dir)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", module.Path, err))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", module.Path, module.Version, license)
	}
	return errors.Join(problems...)
}

// licenseOf returns the licence of a module by the files in its folder. A module within a repository may have its licence
// in the repository's root, which the module proxy puts into the module.
func licenseOf(dir string) (string, error) {
	files, err := filer.FromDirectory(dir)
	if err != nil {
		return "", err
	}
	defer files.Close()
	matches, err := licensedb.Detect(files)
	if err != nil {
		return "", err
	}
	best, license := "", ""
	for id, match := range matches {
		if best == "" || match.Confidence > matches[best].Confidence {
			best = id
		}
		if slices.Contains(allowed, id) && (license == "" || match.Confidence > matches[license].Confidence) {
			license = id
		}
	}
	switch {
	case matches[best].Confidence < confident:
		return best, fmt.Errorf("no licence is recognised; closest is %q with %.2f", best, matches[best].Confidence)
	case license == "" || matches[license].Confidence < matches[best].Confidence-margin:
		return best, fmt.Errorf("%s is not one of %v", best, allowed)
	}
	return license, nil
}
