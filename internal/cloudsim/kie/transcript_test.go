// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.json anew from the transcripts")

// transcripts are the files under testdata without their ending: NAME.md is what the real servers said, NAME.json the
// same for a machine.
const (
	kieTranscript  = "kie-transcript"
	rbacTranscript = "service-center-rbac-transcript"
)

// recorded is one request and its answer.
type recorded struct {
	Name string `json:"name"`
	// Fresh starts anew with an empty engine.
	Fresh    bool             `json:"fresh,omitempty"`
	Request  recordedRequest  `json:"request"`
	Response recordedResponse `json:"response"`
}

type recordedRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	// Note is what the transcript adds to the first line.
	Note    string            `json:"note,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Flags are arguments of the client that stand for what is not shown.
	Flags []string `json:"flags,omitempty"`
	Body  string   `json:"body,omitempty"`
}

type recordedResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body,omitempty"`
}

// parseTranscript reads the Markdown: "### name", the request and the answer in two http blocks.
func parseTranscript(t *testing.T, markdown string) []recorded {
	t.Helper()
	var list []recorded
	fresh := true
	var blocks []string
	var block []string
	inBlock := false
	for line := range strings.Lines(markdown) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "```http" && !inBlock:
			inBlock, block = true, nil
		case line == "```" && inBlock:
			inBlock = false
			blocks = append(blocks, strings.Join(block, "\n"))
			if len(blocks) == 2 {
				last := &list[len(list)-1]
				last.Request, last.Response = parseRequest(t, blocks[0]), parseResponse(t, blocks[1])
				blocks = nil
			}
		case inBlock:
			block = append(block, line)
		case strings.HasPrefix(line, "# Addendum"):
			fresh = true
		case strings.HasPrefix(line, "### "):
			list = append(list, recorded{Name: strings.TrimPrefix(line, "### "), Fresh: fresh})
			fresh = false
		}
	}
	return list
}

func parseRequest(t *testing.T, block string) recordedRequest {
	t.Helper()
	first, rest, _ := strings.Cut(block, "\n")
	words := strings.SplitN(first, " ", 3)
	if len(words) < 2 {
		t.Fatalf("not a request line: %q", first)
	}
	r := recordedRequest{Method: words[0], URL: words[1]}
	if len(words) == 3 {
		r.Note = strings.TrimSpace(words[2])
	}
	r.Headers, r.Flags, r.Body = parseMessage(rest)
	return r
}

func parseResponse(t *testing.T, block string) recordedResponse {
	t.Helper()
	first, rest, _ := strings.Cut(block, "\n")
	words := strings.SplitN(first, " ", 3)
	if len(words) < 2 {
		t.Fatalf("not a status line: %q", first)
	}
	status, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatalf("not a status line: %q", first)
	}
	r := recordedResponse{Status: status}
	r.Headers, _, r.Body = parseMessage(rest)
	return r
}

func parseMessage(text string) (headers map[string]string, flags []string, body string) {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			flags = append(flags, line)
			continue
		}
		if headers == nil {
			headers = map[string]string{}
		}
		headers[name] = value
	}
	return headers, flags, strings.Trim(text, "\n")
}

// readTranscript returns the machine's form.
func readTranscript(t *testing.T, name string) []recorded {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []recorded
	if err := json.Unmarshal(document, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestMachineFormFollowsTranscript keeps testdata/*.json what testdata/*.md says; -update writes it.
func TestMachineFormFollowsTranscript(t *testing.T) {
	for name, requests := range map[string]int{kieTranscript: 105, rbacTranscript: 40} {
		markdown, err := os.ReadFile(filepath.Join("testdata", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count("\n"+string(markdown), "\n### "); n != requests {
			t.Errorf("%s.md has %d requests, want %d", name, n, requests)
		}
		list := parseTranscript(t, string(markdown))
		if *update {
			var buffer bytes.Buffer
			encoder := json.NewEncoder(&buffer)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(list); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join("testdata", name+".json"), buffer.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(list, readTranscript(t, name)); diff != "" {
			t.Errorf("%s.json is not what %s.md says; run the test with -update (-transcript +json):\n%s", name, name, diff)
		}
	}
}
