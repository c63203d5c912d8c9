// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report gathers what the fault checks came to, for the table that `make faults` prints.
package report

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"text/tabwriter"
)

// FileVariable names the file that rows are appended to; without it there is no table.
const FileVariable = "FAULTS_TABLE"

// Table collects rows, from tests that may run side by side.
type Table struct {
	mu   sync.Mutex
	rows []row
}

type row struct {
	check, kind string
	scenarios   int
	result      string
}

// Add notes how a check went for a kind, once the test is over.
func (t *Table) Add(tb testing.TB, check, kind string, scenarios *int, note string) {
	tb.Cleanup(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		result := "passed"
		if tb.Failed() {
			result = "FAILED"
		}
		if note != "" {
			result += ", " + note
		}
		t.rows = append(t.rows, row{check, kind, *scenarios, result})
	})
}

// Write appends the rows to the file.
func (t *Table) Write() error {
	path := os.Getenv(FileVariable)
	if path == "" || len(t.rows) == 0 {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", FileVariable, err)
	}
	defer file.Close()
	w := tabwriter.NewWriter(file, 0, 8, 3, ' ', 0)
	for _, r := range t.rows {
		fmt.Fprintf(w, "%-30s\t%-12s\t%9d\t%s\n", r.check, r.kind, r.scenarios, r.result)
	}
	return w.Flush()
}
