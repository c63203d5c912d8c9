// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/cloudsim/kie"
)

// difference is an answer that is deliberately not the real server's.
type difference struct {
	reason string
	status int
	// instead is sent afterwards, so that the later requests find what they found at the real server.
	instead *recordedRequest
}

// differences are all of them, by transcript and request.
var differences = map[string]map[string]difference{
	kieTranscript: {
		"yaml create": {
			reason: "YAML bodies are refused: the cloud documents JSON alone, and no client of this project sends anything else",
			status: http.StatusUnsupportedMediaType,
			instead: &recordedRequest{
				Method: http.MethodPost, URL: "/v1/proj1/kie/kv", Headers: map[string]string{"Content-Type": "application/json"},
				Body: `{"key":"ykey","value":"yv"}`,
			},
		},
		"metrics": {
			reason: "the numbers of the server's process are its own; the cloud does not publish them",
			status: http.StatusNotFound,
		},
	},
	rbacTranscript: {},
}

// spelledOut are requests and answers that the transcripts abbreviate.
var spelledOut = map[string]func(*recorded){
	"large value 131072": func(r *recorded) {
		long := strings.Repeat("a", 100000)
		r.Request.Body = strings.ReplaceAll(r.Request.Body, "aaaa...(100000 a)", long)
		r.Response.Body = strings.ReplaceAll(r.Response.Body, "aaaa...(100000 a)", long)
	},
	"value of 131073 bytes": func(r *recorded) {
		r.Request.Headers = map[string]string{"Content-Type": "application/json"}
		r.Request.Body = `{"key":"big","value":"` + strings.Repeat("a", 131073) + `"}`
	},
	"import multipart (Huawei /kie/file)": func(r *recorded) {
		var buffer bytes.Buffer
		form := multipart.NewWriter(&buffer)
		part, err := form.CreateFormFile("file", "items.json")
		if err == nil {
			_, err = part.Write([]byte(`{"data":[]}`))
		}
		if err != nil || form.Close() != nil {
			panic("a form in memory cannot be written")
		}
		r.Request.Headers = map[string]string{"Content-Type": form.FormDataContentType()}
		r.Request.Body = buffer.String()
	},
}

// writesMeanwhile happen while a request waits; the transcript tells of them in the request's name.
var writesMeanwhile = map[string]kie.Item{
	"list ?label=app:shop&wait=10s with a write at 2s -> 200": {
		Project: "proj1", Key: "watched", Value: "1", Labels: map[string]string{"app": "shop"},
	},
	"wait: unrelated write does not wake": {Project: "proj1", Key: "unrelated", Value: "1", Labels: map[string]string{"app": "other"}},
}

// server is an engine behind a listener, on a clock that the transcript moves.
type server struct {
	t      *testing.T
	clock  *cloudsim.ManualClock
	engine *kie.Engine
	url    string
}

func newServer(t *testing.T, at time.Time, options kie.Options) *server {
	t.Helper()
	clock := cloudsim.NewManualClock(at)
	options.Clock = clock
	engine := kie.New(options)
	listener := httptest.NewServer(engine.Handler())
	t.Cleanup(listener.Close)
	return &server{t, clock, engine, listener.URL}
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (s *server) send(r recordedRequest) reply {
	s.t.Helper()
	target, err := url.Parse(r.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), r.Method, s.url+target.RequestURI(), strings.NewReader(r.Body))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.Body != "" {
		// What the client of the transcripts sends where none is named.
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

// play sends a request at the moment of its answer; one that waits is sent before, and time passes while it does.
func (s *server) play(r recorded) reply {
	s.t.Helper()
	answered, err := http.ParseTime(r.Response.Headers["Date"])
	if err != nil {
		s.t.Fatal(err)
	}
	if answered.Sub(s.clock.Now()) <= 0 || !strings.Contains(r.Request.URL, "wait=") || r.Response.Status == http.StatusBadRequest {
		s.clock.Advance(answered.Sub(s.clock.Now()))
		return s.send(r.Request)
	}
	got := make(chan reply, 1)
	go func() { got <- s.send(r.Request) }()
	s.clock.BlockUntil(1)
	write, writes := writesMeanwhile[r.Name]
	if writes && r.Response.Status == http.StatusOK {
		s.clock.Advance(answered.Sub(s.clock.Now()))
		s.engine.Put(write)
		return <-got
	}
	if writes {
		s.engine.Put(write)
	}
	// Dates are whole seconds, waits begin within one: the last second brings the end in any case.
	s.clock.Advance(answered.Sub(s.clock.Now()) - time.Second)
	s.clock.Advance(time.Second)
	return <-got
}

// replay sends every request of a transcript and compares status, headers that matter and body. normalise makes the two
// bodies comparable; the bodies of Kie need none.
func replay(t *testing.T, name string, options kie.Options, prepare func(*server, *recorded), normalise func(string) string) {
	t.Helper()
	list := readTranscript(t, name)
	var s *server
	differed := 0
	for _, r := range list {
		if r.Fresh {
			at, err := http.ParseTime(r.Response.Headers["Date"])
			if err != nil {
				t.Fatal(err)
			}
			s = newServer(t, at.Add(-time.Second), options)
		}
		if spell := spelledOut[r.Name]; spell != nil {
			spell(&r)
		}
		prepare(s, &r)
		got := s.play(r)
		if differs, ok := differences[name][r.Name]; ok {
			differed++
			if got.status != differs.status {
				t.Errorf("%s: status %d, want %d, which differs from the real server because %s", r.Name, got.status, differs.status, differs.reason)
			}
			if differs.instead != nil {
				if there := s.send(*differs.instead); there.status != http.StatusOK {
					t.Fatalf("%s: instead: %d %s", r.Name, there.status, there.body)
				}
			}
			continue
		}
		compareAnswers(t, r, got, normalise)
	}
	if differed != len(differences[name]) {
		t.Errorf("%d of %d differences are about requests of the transcript", differed, len(differences[name]))
	}
}

func compareAnswers(t *testing.T, r recorded, got reply, normalise func(string) string) {
	t.Helper()
	if got.status != r.Response.Status {
		t.Errorf("%s: status %d, the real server's %d; body %s", r.Name, got.status, r.Response.Status, got.body)
		return
	}
	for _, header := range []string{"Content-Type", "Allow", "X-Kie-Revision", "Server"} {
		if want := r.Response.Headers[header]; got.header.Get(header) != want {
			t.Errorf("%s: %s: %q, the real server's %q", r.Name, header, got.header.Get(header), want)
		}
	}
	if diff := cmp.Diff(normalise(r.Response.Body), normalise(strings.Trim(got.body, "\n"))); diff != "" {
		t.Errorf("%s: body (-real +simulated):\n%s", r.Name, diff)
	}
}

// TestKieAnswersAsTheTranscript compares bodies byte by byte: ids, revisions and times are the real server's.
func TestKieAnswersAsTheTranscript(t *testing.T) {
	replay(t, kieTranscript, kie.Options{}, func(*server, *recorded) {}, func(body string) string { return body })
}

// TestRBACAnswersAsTheTranscript: tokens, ids and the service center's own address are not those of the transcript.
func TestRBACAnswersAsTheTranscript(t *testing.T) {
	tokens := map[string]string{}
	prepare := func(s *server, r *recorded) {
		if r.Request.Headers["Authorization"] != "Bearer <jwt>" {
			return
		}
		account, password := "root", "Passw0rd!x"
		if strings.HasPrefix(r.Name, "reader ") || strings.HasPrefix(r.Name, "kie reader ") || r.Name == "self perms" {
			account, password = "reader", "Passw0rd!z"
		}
		if tokens[account] == "" {
			tokens[account] = s.login(account, password)
		}
		r.Request.Headers["Authorization"] = "Bearer " + tokens[account]
	}
	replay(t, rbacTranscript, kie.Options{RBAC: true, RootPassword: "Passw0rd!x"}, prepare, normaliseRegistry)
}

func (s *server) login(name, password string) string {
	s.t.Helper()
	got := s.send(recordedRequest{
		Method: http.MethodPost, URL: "/v4/token", Headers: map[string]string{"Content-Type": "application/json"},
		Body: `{"name":"` + name + `","password":"` + password + `"}`,
	})
	var body struct{ Token string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Token == "" {
		s.t.Fatalf("login of %s: %d %s", name, got.status, got.body)
	}
	return body.Token
}

// normaliseRegistry hides what every server has of its own.
func normaliseRegistry(body string) string {
	var document any
	if json.Unmarshal([]byte(body), &document) != nil {
		return body
	}
	own := map[string]bool{
		"token": true, "id": true, "serviceId": true, "instanceId": true, "hostName": true, "endpoints": true, "createTime": true,
		"updateTime": true, "timestamp": true, "modTimestamp": true,
	}
	var hide func(any) any
	hide = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				v[name] = hide(value)
				if own[name] {
					v[name] = "OWN"
				}
			}
		case []any:
			for i := range v {
				v[i] = hide(v[i])
			}
		}
		return v
	}
	encoded, err := json.MarshalIndent(hide(document), "", " ")
	if err != nil {
		return body
	}
	return string(encoded)
}
