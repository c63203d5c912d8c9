// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Match selects requests. Empty fields match everything.
type Match struct {
	// Method is an HTTP method.
	Method string `json:"method,omitempty"`
	// Path is a glob on the whole path, without the query: * stands for anything within a segment, ** for anything.
	Path string `json:"path,omitempty"`
	// PathRegexp is a regular expression that must match somewhere in the path.
	PathRegexp string `json:"pathRegexp,omitempty"`
}

// matcher is a compiled Match.
type matcher struct {
	method string
	path   *regexp.Regexp
}

// compile names the field that is wrong.
func (m Match) compile() (matcher, error) {
	out := matcher{method: m.Method}
	switch m.Method {
	case "", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead:
	default:
		return matcher{}, fmt.Errorf("method: %q is not an HTTP method in upper case", m.Method)
	}
	if m.Path != "" && m.PathRegexp != "" {
		return matcher{}, fmt.Errorf("pathRegexp: use either path (a glob) or pathRegexp, not both")
	}
	pattern := m.PathRegexp
	if m.Path != "" {
		pattern = globRegexp(m.Path)
	}
	path, err := regexp.Compile(pattern)
	if err != nil {
		return matcher{}, fmt.Errorf("pathRegexp: %w", err)
	}
	out.path = path
	return out, nil
}

func (m matcher) matches(method, path string) bool {
	return (m.method == "" || m.method == method) && m.path.MatchString(path)
}

func globRegexp(glob string) string {
	var b strings.Builder
	b.WriteString("^")
	for len(glob) > 0 {
		switch {
		case strings.HasPrefix(glob, "**"):
			b.WriteString(".*")
			glob = glob[2:]
		case glob[0] == '*':
			b.WriteString("[^/]*")
			glob = glob[1:]
		default:
			end := strings.IndexByte(glob, '*')
			if end < 0 {
				end = len(glob)
			}
			b.WriteString(regexp.QuoteMeta(glob[:end]))
			glob = glob[end:]
		}
	}
	b.WriteString("$")
	return b.String()
}

// Duration is a time.Duration that is written "250ms" in JSON.
type Duration time.Duration

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON implements json.Unmarshaler; it wants a string with a unit and no minus.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a duration is a string with a unit such as \"250ms\", not %s", data)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("a duration is a string with a unit such as \"250ms\": %w", err)
	}
	if parsed < 0 {
		return fmt.Errorf("a duration must not be negative: %s", text)
	}
	*d = Duration(parsed)
	return nil
}
