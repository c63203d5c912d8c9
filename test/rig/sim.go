// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

// Sim talks to the simulator's admin API, which sees and changes the cloud behind everyone's back. Its calls are not in
// the call log.
type Sim struct {
	// URL of the simulator, the endpoint of every service.
	URL string
	// HTTP reaches it; http.DefaultClient where left out.
	HTTP *http.Client
}

// Call is one entry of the simulator's call log.
type Call struct {
	Time    time.Time `json:"time"`
	Account string    `json:"account"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Query   string    `json:"query"`
	// Operation is the method and the path pattern, such as "PUT /v3/{project_id}/cas/environments/{environment_id}".
	Operation string `json:"operation"`
	// Status is 0 where the connection was cut.
	Status int `json:"status"`
	// Fault is the name of the fault that fired, if any.
	Fault string `json:"fault"`
	// Body is the request's, without secrets.
	Body json.RawMessage `json:"body"`
}

// String reads like a line of a log. Of an action the body says which one it is.
func (c Call) String() string {
	if action := c.Action(); action != "" {
		return fmt.Sprintf("%s %s %s -> %d", c.Method, c.Path, action, c.Status)
	}
	return fmt.Sprintf("%s %s -> %d", c.Method, c.Path, c.Status)
}

// Action is the body of a call that carries out an action, "" of any other call.
func (c Call) Action() string {
	if !strings.HasSuffix(c.Path, "/action") {
		return ""
	}
	return string(c.Body)
}

// IsWrite says whether the call asked for a change.
func (c Call) IsWrite() bool { return c.Method != http.MethodGet && c.Method != http.MethodHead }

// Record is a cloud resource as the simulator keeps it.
type Record map[string]any

// Text returns a text field, "" where the record has none of that name.
func (r Record) Text(field string) string {
	text, _ := r[field].(string)
	return text
}

// At returns what lies under nested fields as text, "" where there is nothing: At("status", "component_status").
func (r Record) At(path ...string) string {
	var value any = map[string]any(r)
	for _, field := range path {
		object, _ := value.(map[string]any)
		if value = object[field]; value == nil {
			return ""
		}
	}
	return fmt.Sprint(value)
}

// Calls returns the call log, oldest first.
func (s *Sim) Calls(ctx context.Context) ([]Call, error) {
	body, err := s.do(ctx, http.MethodGet, "/_sim/calls?bodies=1", nil)
	if err != nil {
		return nil, err
	}
	var calls []Call
	for lines := json.NewDecoder(bytes.NewReader(body)); ; {
		var call Call
		if err := lines.Decode(&call); errors.Is(err, io.EOF) {
			return calls, nil
		} else if err != nil {
			return nil, fmt.Errorf("call log: %w", err)
		}
		calls = append(calls, call)
	}
}

// ResetCalls empties the call log.
func (s *Sim) ResetCalls(ctx context.Context) error {
	_, err := s.do(ctx, http.MethodDelete, "/_sim/calls", nil)
	return err
}

// List returns a collection, such as "servicestage/environments".
func (s *Sim) List(ctx context.Context, collection string) ([]Record, error) {
	body, err := s.do(ctx, http.MethodGet, "/_sim/resources/"+collection, nil)
	if err != nil {
		return nil, err
	}
	var list struct{ Items []Record }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", collection, err)
	}
	return list.Items, nil
}

// Get returns one record.
func (s *Sim) Get(ctx context.Context, collection, id string) (Record, error) {
	body, err := s.do(ctx, http.MethodGet, recordPath(collection, id), nil)
	if err != nil {
		return nil, err
	}
	var record Record
	return record, json.Unmarshal(body, &record)
}

// Put stores a record.
func (s *Sim) Put(ctx context.Context, collection, id string, record Record) error {
	_, err := s.do(ctx, http.MethodPut, recordPath(collection, id), record)
	return err
}

// Patch changes fields of a record.
func (s *Sim) Patch(ctx context.Context, collection, id string, fields Record) error {
	_, err := s.do(ctx, http.MethodPatch, recordPath(collection, id), fields)
	return err
}

// Delete removes a record.
func (s *Sim) Delete(ctx context.Context, collection, id string) error {
	_, err := s.do(ctx, http.MethodDelete, recordPath(collection, id), nil)
	return err
}

// Health answers nil once the simulator does.
func (s *Sim) Health(ctx context.Context) error {
	_, err := s.do(ctx, http.MethodGet, "/_sim/health", nil)
	return err
}

// Faults replaces the faults that the simulator injects; none ends them.
func (s *Sim) Faults(ctx context.Context, faults ...cloudsim.Fault) error {
	_, err := s.do(ctx, http.MethodPut, "/_sim/faults", append([]cloudsim.Fault{}, faults...))
	return err
}

// Limits replaces the request limits; none ends them.
func (s *Sim) Limits(ctx context.Context, limits ...cloudsim.Limit) error {
	_, err := s.do(ctx, http.MethodPut, "/_sim/limits", append([]cloudsim.Limit{}, limits...))
	return err
}

// Latency replaces the latencies; none ends them.
func (s *Sim) Latency(ctx context.Context, latencies ...cloudsim.Latency) error {
	_, err := s.do(ctx, http.MethodPut, "/_sim/latency", append([]cloudsim.Latency{}, latencies...))
	return err
}

// Outcomes replaces how jobs of components end if not well; none lets those go on that an outcome holds.
func (s *Sim) Outcomes(ctx context.Context, outcomes ...cloudsim.Outcome) error {
	_, err := s.do(ctx, http.MethodPut, "/_sim/outcomes", append([]cloudsim.Outcome{}, outcomes...))
	return err
}

// Accounts replaces the accounts that the cloud knows. Their tokens end.
func (s *Sim) Accounts(ctx context.Context, accounts ...cloudsim.Account) error {
	_, err := s.do(ctx, http.MethodPut, "/_sim/accounts", append([]cloudsim.Account{}, accounts...))
	return err
}

// Engines returns the engines with their addresses.
func (s *Sim) Engines(ctx context.Context) ([]cloudsim.EngineInfo, error) {
	body, err := s.do(ctx, http.MethodGet, "/_sim/engines", nil)
	if err != nil {
		return nil, err
	}
	var engines []cloudsim.EngineInfo
	return engines, json.Unmarshal(body, &engines)
}

// Reset empties the cloud and takes back every fault, limit, latency and outcome.
func (s *Sim) Reset(ctx context.Context) error {
	_, err := s.do(ctx, http.MethodPost, "/_sim/reset", nil)
	return err
}

func recordPath(collection, id string) string {
	return "/_sim/resources/" + collection + "/" + url.PathEscape(id)
}

func (s *Sim) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := s.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, reply)
	}
	return reply, nil
}
