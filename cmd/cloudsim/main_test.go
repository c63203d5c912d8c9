// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestServesUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"--listen", "127.0.0.1:0", "--project", "p1"}, write, io.Discard) }()

	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`^cloudsim: listening on (http://127\.0\.0\.1:[1-9][0-9]*)\n$`).FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("printed %q", line)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, found[1]+"/_sim/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("health: %d", response.StatusCode)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestBadFlags(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"--colour red", "flag provided but not defined: -colour"},
		{"--seed many", `invalid value "many" for flag -seed`},
		{"--log-level loud", `invalid value "loud" for flag -log-level`},
		{"--listen nowhere", `--listen "nowhere": use host:port`},
		{"--listen 127.0.0.1:99999", `--listen "127.0.0.1:99999"`},
		{"--engine-task-duration 0s", "--engine-task-duration 0s: must be longer than 0"},
		{"--engine-host=", "--engine-host must not be empty"},
		{"--task-duration 0s", "--task-duration 0s: must be longer than 0"},
		{"--project a/b", "a project id stands in the path and cannot hold a slash"},
		{"--access-key= --secret-key=", "--access-key, --secret-key must not be empty"},
		{"serve", `unexpected argument "serve"`},
	} {
		t.Run(tc.args, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(tc.args), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var usage strings.Builder
	if err := run(t.Context(), []string{"--help"}, io.Discard, &usage); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"listen", "access-key", "secret-key", "project", "region", "seed", "username", "password", "domain", "log-level", "task-duration", "engine-task-duration", "engine-host"} {
		if !strings.Contains(usage.String(), "  -"+name) {
			t.Errorf("the usage does not show --%s", name)
		}
	}
}
