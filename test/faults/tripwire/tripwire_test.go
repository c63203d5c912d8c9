// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tripwire_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"servicestage.dev/operator/test/faults/tripwire"
)

// server counts what it was asked to write.
func server(t *testing.T) (*httptest.Server, *atomic.Int32) {
	var written atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			written.Add(1)
		}
		w.Header().Set("Seen-Host", r.Host)
		fmt.Fprintf(w, "one\ntwo\nthree\n")
	}))
	t.Cleanup(s.Close)
	return s, &written
}

func post(t *testing.T, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/things", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: tripwire.OneShotTransport()}).Do(request)
	if err == nil {
		t.Cleanup(func() { response.Body.Close() })
	}
	return response, err
}

func writes(r *http.Request) string {
	if r.Method != http.MethodPost {
		return ""
	}
	return r.Method + " " + r.URL.Path
}

func proxy(t *testing.T, w *tripwire.Wire, target string) *tripwire.Proxy {
	p, err := w.NewProxy(target, tripwire.OneShotTransport(), writes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestATrapActsAtOneRequest(t *testing.T) {
	for _, tc := range []struct {
		name    string
		when    tripwire.Moment
		verdict tripwire.Verdict
		written int32
		answers int
	}{
		{"cut before the effect", tripwire.Before, tripwire.Cut, 2, 2},
		{"cut after the effect", tripwire.After, tripwire.Cut, 3, 2},
		{"watched before the effect", tripwire.Before, tripwire.Pass, 3, 3},
		{"watched after the effect", tripwire.After, tripwire.Pass, 3, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			s, written := server(t)
			wire := &tripwire.Wire{}
			p := proxy(t, wire, s.URL)
			var seen int32
			sprung := wire.Arm(&tripwire.Trap{Nth: 2, When: tc.when, Spring: func(*http.Request) tripwire.Verdict {
				seen = written.Load()
				return tc.verdict
			}})
			answers := 0
			for i := range 3 {
				if _, err := post(t, p.URL); err == nil {
					answers++
				} else {
					g.Expect(i).To(Equal(1), "%v", err)
				}
			}
			g.Expect(sprung).To(BeClosed())
			g.Expect(written.Load()).To(Equal(tc.written))
			g.Expect(answers).To(Equal(tc.answers))
			g.Expect(seen).To(Equal(map[tripwire.Moment]int32{tripwire.Before: 1, tripwire.After: 2}[tc.when]))
			g.Expect(wire.Steps()).To(HaveLen(3))
		})
	}
}

func TestSignaturesHold(t *testing.T) {
	g := NewWithT(t)
	s, _ := server(t)
	p := proxy(t, &tripwire.Wire{}, s.URL)
	response, err := post(t, p.URL)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect("http://"+response.Header.Get("Seen-Host")).To(Equal(p.URL), "the host is signed")
}

func TestStreamsAreFiltered(t *testing.T) {
	g := NewWithT(t)
	s, _ := server(t)
	p := proxy(t, &tripwire.Wire{}, s.URL)
	p.FilterStreams(func(*http.Request) tripwire.Filter {
		return func(line []byte) [][]byte {
			switch string(line) {
			case "one\n":
				return [][]byte{line, line}
			case "two\n":
				return nil
			default:
				return [][]byte{line}
			}
		}
	})
	response, err := post(t, p.URL)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(io.ReadAll(response.Body)).To(BeEquivalentTo("one\none\nthree\n"))
}
