// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// maxBody is the largest body that a signed request may have (API reference 3.2).
const maxBody = 12 << 20

// Server is a simulated cloud. It is an http.Handler and safe for concurrent use.
type Server struct {
	options   Options
	clock     Clock
	random    *random
	state     *state
	authority *authority
	router    router
	faults    *faults
	limits    *limits
	latencies *latencies
	calls     *callLog
	outcomes  *outcomes
	clusters  *clusters
	stacks    *runtimeStacks
	stage     *serviceStage
	flavors   *engineFlavors
	hosts     *engineHosts
	network   *vpcs
	cse       *cse
	admin     http.Handler

	quirksMu sync.RWMutex
	quirks   Quirks
}

// New returns a simulated cloud without resources. It panics on quirks that do not exist: they are the caller's
// constants, while quirks set later are input and answered with an error.
func New(options Options) *Server {
	options = options.WithDefaults()
	if err := options.Quirks.validate(); err != nil {
		panic("cloudsim: " + err.Error())
	}
	rng := newRandom(options.Seed)
	s := &Server{
		options:   options,
		clock:     options.Clock,
		random:    rng,
		state:     newState(options.Clock),
		authority: newAuthority(options.Clock, rng, []Account{options.account()}),
		faults:    &faults{seed: options.Seed},
		limits:    &limits{clock: options.Clock},
		latencies: &latencies{},
		calls:     &callLog{max: options.CallLogSize},
		outcomes:  &outcomes{},
		clusters:  &clusters{},
		stacks:    newRuntimeStacks(),
		flavors:   newEngineFlavors(),
		quirks:    options.Quirks,
	}
	s.stage = newServiceStage(s)
	s.hosts = newEngineHosts(s)
	s.network = newVPCs(s)
	s.cse = newCSE(s)
	for _, service := range services(s) {
		service.install(&registry{router: &s.router})
	}
	s.admin = newAdmin(s)
	return s
}

// Handler returns the server as an http.Handler.
func (s *Server) Handler() http.Handler { return s }

// ServeHTTP implements http.Handler: the admin API under /_sim/, the cloud everywhere else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_sim" || strings.HasPrefix(r.URL.Path, "/_sim/") {
		s.admin.ServeHTTP(w, r)
		return
	}
	s.serveCloud(w, r)
}

// serveCloud takes a request through what stands before a service: faults, latency, throttling, authentication.
func (s *Server) serveCloud(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		// The client broke off in the middle of its request: the cloud never saw it, so it is not logged either.
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	entry := s.newEntry(r)
	entry.Account = s.authority.claimedIdentity(r)
	rt, params := s.router.find(r.Method, r.URL.EscapedPath())
	if rt != nil {
		entry.Operation = rt.operation()
		if !rt.secretBody {
			entry.Body = loggableBody(body)
		}
	}
	s.answer(w, r, body, entry, func(quirks Quirks) rendered {
		rep, err := s.process(rt, &call{
			request: r, params: params, query: r.URL.Query(), body: body, quirks: quirks, now: s.clock.Now(),
		})
		return render(rep, err, entry.RequestID, quirks)
	})
}

// newEntry is the call log's entry of a request that begins.
func (s *Server) newEntry(r *http.Request) Call {
	return Call{
		Time: s.clock.Now(), Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, RequestID: s.random.hex(16),
	}
}

// answer takes a request through faults, latency and the call log; process is what is behind them.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, body []byte, entry Call, process func(Quirks) rendered) {
	fault := s.faults.next(r.Method, r.URL.Path)
	if fault != nil {
		entry.Fault = fault.label()
	}
	wait(r.Context(), s.clock, s.latencies.of(r.Method, r.URL.Path, s.random)+fault.delay())

	var out rendered
	if !fault.beforeEffect() {
		out = process(s.Quirks())
	}
	out = fault.apply(out, r, body)
	entry.Status = out.status
	if fault.cuts() {
		entry.Status = 0
	}
	entry.Duration = s.clock.Now().Sub(entry.Time).Seconds()
	// Logged before it is written: who has the answer finds the call in the log.
	s.calls.add(entry)
	if fault.cuts() {
		cut(w)
		return
	}
	w.Header().Set("X-Request-Id", entry.RequestID)
	out.write(w)
}

// process is the gateway and then the service.
func (s *Server) process(rt *route, c *call) (reply, error) {
	r := c.request
	if rt == nil {
		return reply{}, unknownAPI()
	}
	if len(c.body) > maxBody {
		return reply{}, &apiError{
			status: http.StatusRequestEntityTooLarge, code: "0201", shape: shapeGateway, message: "Request entity too large",
		}
	}
	keys := map[string]string{LimitAPI: rt.operation(), LimitIP: clientIP(r)}
	if refused := s.limits.take(r.Method, r.URL.Path, keys, c.quirks.RetryAfter); refused != nil {
		return reply{}, refused
	}
	if !rt.public {
		if err := s.admit(rt, c); err != nil {
			return reply{}, err
		}
	}
	if rt.changes {
		s.state.mu.Lock()
		defer s.state.mu.Unlock()
	} else {
		s.state.mu.RLock()
		defer s.state.mu.RUnlock()
	}
	return rt.handle(c)
}

// unknownAPI is the gateway's answer to a path or method that no service has.
func unknownAPI() *apiError {
	return &apiError{
		status: http.StatusNotFound, code: "0101", shape: shapeGateway,
		message: "The API does not exist or has not been published in the environment",
	}
}

// admit authenticates the caller and checks what it may use.
func (s *Server) admit(rt *route, c *call) error {
	caller, refused := s.authority.authenticate(c.request, c.body)
	if refused != nil {
		if rt.iamErrors {
			refused.shape = shapeIAM
		}
		return refused
	}
	c.caller = caller
	user := caller.account.AccessKey
	if c.request.Header.Get("X-Auth-Token") != "" {
		user = caller.account.DomainName + "/" + caller.account.Username
	}
	if throttled := s.limits.take(c.request.Method, c.request.URL.Path, map[string]string{LimitUser: user}, c.quirks.RetryAfter); throttled != nil {
		return throttled
	}
	project, inPath := c.params["project_id"]
	header := c.request.Header.Get("X-Project-Id")
	// Inferred: no reference shows the answer to a project that the credentials do not reach.
	if inPath && (project != caller.projectID || (header != "" && header != project)) {
		return &apiError{
			status: http.StatusForbidden, code: "0302", shape: shapeGateway,
			message: "The caller is not authorized to access project " + project + " with these credentials",
		}
	}
	return nil
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Reset returns the simulator to what New made of it: no resources but the default VPC and subnet, no calls, faults,
// limits, latencies, outcomes, vanished clusters, tokens or lockouts, and the options' account and quirks and the runtime
// stacks and flavors it began with. The seed's sequence of ids goes on, so that no id comes back.
func (s *Server) Reset() {
	s.state.mu.Lock()
	s.state.clear()
	s.network.seed()
	s.state.mu.Unlock()
	s.authority.reset([]Account{s.options.account()})
	for _, clear := range []func() error{
		func() error { return s.faults.set(nil) },
		func() error { return s.limits.set(nil) },
		func() error { return s.latencies.set(nil) },
		func() error { return s.outcomes.set(nil) },
		func() error { return s.clusters.set(nil) },
		func() error { return s.stacks.set(nil) },
		func() error { return s.flavors.set(nil) },
	} {
		if err := clear(); err != nil {
			panic("cloudsim: an empty list was refused: " + err.Error())
		}
	}
	s.calls.reset()
	s.quirksMu.Lock()
	s.quirks = s.options.Quirks
	s.quirksMu.Unlock()
}

// Quirks returns the switches as they stand.
func (s *Server) Quirks() Quirks {
	s.quirksMu.RLock()
	defer s.quirksMu.RUnlock()
	return s.quirks
}

// SetQuirks replaces all switches.
func (s *Server) SetQuirks(quirks Quirks) error {
	if err := quirks.validate(); err != nil {
		return err
	}
	s.quirksMu.Lock()
	defer s.quirksMu.Unlock()
	s.quirks = quirks
	return nil
}

// MergeQuirks changes the switches that the JSON document names.
func (s *Server) MergeQuirks(document []byte) error {
	s.quirksMu.Lock()
	defer s.quirksMu.Unlock()
	merged, err := s.quirks.merge(document)
	if err != nil {
		return err
	}
	s.quirks = merged
	return nil
}

// Calls returns the call log, the oldest call first.
func (s *Server) Calls() []Call { return s.calls.list() }

// ResetCalls empties the call log.
func (s *Server) ResetCalls() { s.calls.reset() }

// SetFaults replaces the faults and their counters.
func (s *Server) SetFaults(list []Fault) error { return s.faults.set(list) }

// Faults returns the faults with their counters.
func (s *Server) Faults() []FaultState { return s.faults.list() }

// SetLimits replaces the rate limits and forgets what was counted.
func (s *Server) SetLimits(list []Limit) error { return s.limits.set(list) }

// Limits returns the rate limits.
func (s *Server) Limits() []Limit { return s.limits.list() }

// SetLatency replaces the latencies.
func (s *Server) SetLatency(list []Latency) error { return s.latencies.set(list) }

// Latency returns the latencies.
func (s *Server) Latency() []Latency { return s.latencies.list() }

// SetOutcomes replaces how jobs of components and engines end, with the counters; jobs that were held go on.
func (s *Server) SetOutcomes(list []Outcome) error {
	if err := s.outcomes.set(list); err != nil {
		return err
	}
	s.stage.releaseHeldJobs()
	s.cse.releaseHeldJobs()
	return nil
}

// Outcomes returns the outcomes with their counters.
func (s *Server) Outcomes() []OutcomeState { return s.outcomes.list() }

// SetClusters replaces the CCE clusters that have vanished.
func (s *Server) SetClusters(list []ClusterFault) error { return s.clusters.set(list) }

// Clusters returns the CCE clusters that have vanished.
func (s *Server) Clusters() []ClusterFault { return s.clusters.list() }

// SetRuntimeStacks replaces the runtime stacks; nil brings DefaultRuntimeStacks back.
func (s *Server) SetRuntimeStacks(list []RuntimeStack) error { return s.stacks.set(list) }

// RuntimeStacks returns the runtime stacks.
func (s *Server) RuntimeStacks() []RuntimeStack { return s.stacks.list() }

// SetAccounts replaces the accounts; what an account leaves out of its scope it takes from Options.
func (s *Server) SetAccounts(list []Account) error {
	accounts := make([]Account, len(list))
	for i, account := range list {
		accounts[i] = account.withDefaults(s.options.account())
	}
	return s.authority.setAccounts(accounts)
}

// Accounts returns the accounts, secrets included.
func (s *Server) Accounts() []Account { return s.authority.list() }

// Object is a record in the form of its JSON; numbers are float64.
type Object = map[string]any

// Errors of the in-process resource calls; match them with errors.Is.
var (
	ErrUnknownCollection = errors.New("unknown collection")
	ErrNotFound          = errors.New("no such record")
)

func (s *Server) collection(service, name string) (adminCollection, error) {
	c, ok := s.state.collections[service+"/"+name]
	if !ok {
		return nil, fmt.Errorf("%w %s/%s, use one of %v", ErrUnknownCollection, service, name, s.state.paths())
	}
	return c, nil
}

// Resources returns a collection's records of all projects, in the order of their creation.
func (s *Server) Resources(service, collection string) ([]Object, error) {
	records, err := s.records(service, collection, "")
	if err != nil {
		return nil, err
	}
	objects := make([]Object, len(records))
	for i, rec := range records {
		objects[i] = toObject(rec)
	}
	return objects, nil
}

// records returns the records themselves, which never change once stored.
func (s *Server) records(service, collection, project string) ([]any, error) {
	c, err := s.collection(service, collection)
	if err != nil {
		return nil, err
	}
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	return c.adminList(project), nil
}

// GetResource returns one record as the cloud holds it.
func (s *Server) GetResource(service, collection, id string) (Object, error) {
	c, err := s.collection(service, collection)
	if err != nil {
		return nil, err
	}
	s.state.mu.RLock()
	defer s.state.mu.RUnlock()
	rec, ok := c.adminGet(id)
	if !ok {
		return nil, fmt.Errorf("%w: %s/%s/%s", ErrNotFound, service, collection, id)
	}
	return toObject(rec), nil
}

// PutResource creates or replaces a record without any of the API's checks. Without "id" it gets one; without
// "project_id" it belongs to Options.ProjectID; without times it is of now.
func (s *Server) PutResource(service, collection string, object Object) (Object, error) {
	id, _ := object["id"].(string)
	if id == "" {
		id = s.random.uuid()
	}
	return s.putDocument(service, collection, id, encodeJSON(object))
}

func (s *Server) putDocument(service, collection, id string, document []byte) (Object, error) {
	c, err := s.collection(service, collection)
	if err != nil {
		return nil, err
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	rec, err := c.adminPut(id, s.options.ProjectID, document)
	if err != nil {
		return nil, err
	}
	return toObject(rec), nil
}

// PatchResource applies a JSON merge patch behind everyone's back; update_time moves on as for any change.
func (s *Server) PatchResource(service, collection, id string, patch Object) (Object, error) {
	c, err := s.collection(service, collection)
	if err != nil {
		return nil, err
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if _, ok := c.adminGet(id); !ok {
		return nil, fmt.Errorf("%w: %s/%s/%s", ErrNotFound, service, collection, id)
	}
	rec, err := c.adminPatch(id, patch)
	if err != nil {
		return nil, err
	}
	return toObject(rec), nil
}

// DeleteResource removes a record behind everyone's back, in use or not.
func (s *Server) DeleteResource(service, collection, id string) error {
	c, err := s.collection(service, collection)
	if err != nil {
		return err
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if !c.remove(id) {
		return fmt.Errorf("%w: %s/%s/%s", ErrNotFound, service, collection, id)
	}
	return nil
}
