// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// admin is the API under /_sim/: open, not logged, untouched by faults and limits.
type admin struct{ server *Server }

func newAdmin(s *Server) http.Handler {
	a := &admin{s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/health", a.health)
	mux.HandleFunc("POST /_sim/reset", a.reset)
	mux.HandleFunc("GET /_sim/calls", a.getCalls)
	mux.HandleFunc("DELETE /_sim/calls", a.deleteCalls)
	mux.HandleFunc("GET /_sim/resources/{service}/{collection}", a.listResources)
	mux.HandleFunc("GET /_sim/resources/{service}/{collection}/{id}", a.getResource)
	mux.HandleFunc("PUT /_sim/resources/{service}/{collection}/{id}", a.putResource)
	mux.HandleFunc("PATCH /_sim/resources/{service}/{collection}/{id}", a.patchResource)
	mux.HandleFunc("DELETE /_sim/resources/{service}/{collection}/{id}", a.deleteResource)
	mux.HandleFunc("GET /_sim/quirks", a.getQuirks)
	mux.HandleFunc("PUT /_sim/quirks", a.putQuirks)
	handleList(mux, "faults", func() any { return s.Faults() }, s.SetFaults)
	handleList(mux, "limits", func() any { return s.Limits() }, s.SetLimits)
	handleList(mux, "latency", func() any { return s.Latency() }, s.SetLatency)
	handleList(mux, "outcomes", func() any { return s.Outcomes() }, s.SetOutcomes)
	handleList(mux, "clusters", func() any { return s.Clusters() }, s.SetClusters)
	handleList(mux, "runtimestacks", func() any { return s.RuntimeStacks() }, s.SetRuntimeStacks)
	a.installEngines(mux)
	mux.HandleFunc("GET /_sim/accounts", a.getAccounts)
	mux.HandleFunc("PUT /_sim/accounts", a.putAccounts)
	mux.HandleFunc("/_sim/", func(w http.ResponseWriter, r *http.Request) {
		answerError(w, http.StatusNotFound, fmt.Errorf("no admin operation %s %s; see the README of internal/cloudsim", r.Method, r.URL.Path))
	})
	return mux
}

// handleList adds GET, PUT and DELETE of a list that is replaced as a whole.
func handleList[E any](mux *http.ServeMux, name string, get func() any, set func([]E) error) {
	mux.HandleFunc("GET /_sim/"+name, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, get())
	})
	mux.HandleFunc("PUT /_sim/"+name, func(w http.ResponseWriter, r *http.Request) {
		var list []E
		if err := readDocument(r, &list); err != nil {
			answerError(w, http.StatusBadRequest, err)
			return
		}
		if err := set(list); err != nil {
			answerError(w, http.StatusBadRequest, err)
			return
		}
		answer(w, http.StatusOK, get())
	})
	mux.HandleFunc("DELETE /_sim/"+name, func(w http.ResponseWriter, _ *http.Request) {
		if err := set(nil); err != nil {
			answerError(w, http.StatusInternalServerError, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func (a *admin) health(w http.ResponseWriter, _ *http.Request) {
	a.server.state.mu.RLock()
	resources := map[string]int{}
	for path, c := range a.server.state.collections {
		resources[path] = c.size()
	}
	a.server.state.mu.RUnlock()
	answer(w, http.StatusOK, map[string]any{"status": "ok", "time": a.server.clock.Now(), "resources": resources})
}

func (a *admin) reset(w http.ResponseWriter, _ *http.Request) {
	a.server.Reset()
	w.WriteHeader(http.StatusNoContent)
}

// getCalls writes JSON lines. Query: method and path (a glob) select, bodies=1 adds the request bodies.
func (a *admin) getCalls(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	selected, err := Match{Method: query.Get("method"), Path: query.Get("path")}.compile()
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	buffered := bufio.NewWriter(w)
	for _, c := range a.server.Calls() {
		if !selected.matches(c.Method, c.Path) {
			continue
		}
		if query.Get("bodies") != "1" {
			c.Body = nil
		}
		// Write errors stay with the writer; Flush returns them.
		_, _ = buffered.Write(append(encodeJSON(c), '\n'))
	}
	// A reader that is gone is no error of the simulator.
	_ = buffered.Flush()
}

func (a *admin) deleteCalls(w http.ResponseWriter, _ *http.Request) {
	a.server.ResetCalls()
	w.WriteHeader(http.StatusNoContent)
}

// listResources answers {"count", "items"}; ?project= selects one project.
func (a *admin) listResources(w http.ResponseWriter, r *http.Request) {
	records, err := a.server.records(r.PathValue("service"), r.PathValue("collection"), r.URL.Query().Get("project"))
	if err != nil {
		answerError(w, statusOf(err), err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"count": len(records), "items": records})
}

func (a *admin) getResource(w http.ResponseWriter, r *http.Request) {
	object, err := a.server.GetResource(r.PathValue("service"), r.PathValue("collection"), r.PathValue("id"))
	answerObject(w, object, err)
}

func (a *admin) putResource(w http.ResponseWriter, r *http.Request) {
	var document json.RawMessage
	if err := readDocument(r, &document); err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	object, err := a.server.putDocument(r.PathValue("service"), r.PathValue("collection"), r.PathValue("id"), document)
	answerObject(w, object, err)
}

func (a *admin) patchResource(w http.ResponseWriter, r *http.Request) {
	var patch Object
	if err := readDocument(r, &patch); err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	object, err := a.server.PatchResource(r.PathValue("service"), r.PathValue("collection"), r.PathValue("id"), patch)
	answerObject(w, object, err)
}

func (a *admin) deleteResource(w http.ResponseWriter, r *http.Request) {
	if err := a.server.DeleteResource(r.PathValue("service"), r.PathValue("collection"), r.PathValue("id")); err != nil {
		answerError(w, statusOf(err), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *admin) getQuirks(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, a.server.Quirks())
}

// putQuirks changes the switches that the body names and answers all of them.
func (a *admin) putQuirks(w http.ResponseWriter, r *http.Request) {
	var document json.RawMessage
	if err := readDocument(r, &document); err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	if err := a.server.MergeQuirks(document); err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	answer(w, http.StatusOK, a.server.Quirks())
}

// getAccounts shows the accounts without their secrets.
func (a *admin) getAccounts(w http.ResponseWriter, _ *http.Request) {
	accounts := a.server.Accounts()
	for i := range accounts {
		accounts[i] = accounts[i].public()
	}
	answer(w, http.StatusOK, accounts)
}

func (a *admin) putAccounts(w http.ResponseWriter, r *http.Request) {
	var accounts []Account
	if err := readDocument(r, &accounts); err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	if err := a.server.SetAccounts(accounts); err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	a.getAccounts(w, r)
}

func readDocument(r *http.Request, dst any) error {
	document, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if err := decodeStrict(document, dst); err != nil {
		return fmt.Errorf("the request body is not the JSON that %s wants: %w", r.URL.Path, err)
	}
	return nil
}

func statusOf(err error) int {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnknownCollection) {
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

func answerObject(w http.ResponseWriter, object Object, err error) {
	if err != nil {
		answerError(w, statusOf(err), err)
		return
	}
	answer(w, http.StatusOK, object)
}

func answer(w http.ResponseWriter, status int, body any) {
	rendered{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: append(encodeJSON(body), '\n')}.write(w)
}

func answerError(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]any{"error": err.Error()})
}
