// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controller_test writes down what each kind says to the cloud. A scenario runs a kind through the real client
// against the simulated cloud and compares the traffic with testdata/golden/<kind>/<scenario>.txt; go test -update
// rewrites the files, whose diff then shows a reviewer what became of the API traffic.
package controller_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/reconciler"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// ourClaim is the claim of every object in the scenarios.
var ourClaim = external.Claim{Token: "00112233445566778899aabbccddeeff", MintedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

// world is a simulated cloud whose traffic is written down, and a fake API server with an account for it.
type world struct {
	t        *testing.T
	cloud    *cloudsim.Server
	traffic  *traffic
	api      client.WithWatch
	accounts *account.Resolver
}

// newWorld returns a world in which nothing has happened yet.
func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, v1alpha1.AddToScheme(scheme))

	w := &world{t: t, cloud: cloudsim.New(cloudsim.Options{}), traffic: &traffic{}}
	server := httptest.NewServer(w.traffic.of(w.cloud.Handler()))
	t.Cleanup(server.Close)
	policy, err := endpoint.NewPolicy([]string{server.URL})
	must(t, err)
	ready := readyAccount(server.URL)
	objects = append(objects, ready, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "keys"},
		Data:       map[string][]byte{"accessKey": []byte(cloudsim.DefaultAccessKey), "secretKey": []byte(cloudsim.DefaultSecretKey)},
	})
	w.api = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	pool := account.NewPool(&account.Builder{Reader: w.api, Policy: policy, UserAgent: "test"})
	_, version, err := pool.Rebuild(t.Context(), ready)
	must(t, err)
	pool.Accept(ready, version)
	w.accounts = account.NewResolver(w.api, pool)
	return w
}

func readyAccount(url string) *v1alpha1.CloudAccount {
	a := &v1alpha1.CloudAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "default", Generation: 1},
		Spec: v1alpha1.CloudAccountSpec{
			AccountSpec: v1alpha1.AccountSpec{
				Region: cloudsim.DefaultRegion, ProjectID: cloudsim.DefaultProjectID,
				Endpoints: &v1alpha1.Endpoints{
					ServiceStage: v1alpha1.EndpointURL(url), CSE: v1alpha1.EndpointURL(url), VPC: v1alpha1.EndpointURL(url),
				},
				RateLimit: &v1alpha1.RateLimit{RequestsPerSecond: 10000, Burst: 10000},
			},
			Credentials: v1alpha1.Credentials{SecretRef: v1alpha1.ObjectReference{Name: "keys"}},
		},
		Status: v1alpha1.AccountStatus{ObservedGeneration: 1},
	}
	conditions.Set(&a.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAvailable, ObservedGeneration: 1,
	})
	return a
}

// commonSpec is what every object of the scenarios has.
func commonSpec() v1alpha1.ResourceSpec {
	return v1alpha1.ResourceSpec{AccountRef: v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "default"}}
}

// put puts a record into the cloud, behind everyone's back.
func (w *world) put(collection string, record cloudsim.Object) {
	w.t.Helper()
	_, err := w.cloud.PutResource("servicestage", collection, record)
	must(w.t, err)
}

// patch changes a record of the cloud, behind everyone's back.
func (w *world) patch(collection, id string, patch cloudsim.Object) {
	w.t.Helper()
	_, err := w.cloud.PatchResource("servicestage", collection, id, patch)
	must(w.t, err)
}

// fault makes the cloud fail.
func (w *world) fault(f cloudsim.Fault) {
	w.t.Helper()
	must(w.t, w.cloud.SetFaults([]cloudsim.Fault{f}))
}

// resource drives the cloud resource of an object as the loop does, step by step. Every step binds anew.
type resource[O reconciler.Object, R any] struct {
	*world
	kind external.Kind[O, R]
	obj  O
}

func drive[O reconciler.Object, R any](w *world, definition reconciler.Definition[O, R], obj O) *resource[O, R] {
	return &resource[O, R]{world: w, kind: definition.Kind, obj: obj}
}

func (r *resource[O, R]) bind(purpose external.Purpose) external.Resource[R] {
	r.t.Helper()
	bound, err := r.kind.Bind(r.t.Context(), r.obj, purpose)
	must(r.t, err)
	return bound
}

// id is the resource's id in the status.
func (r *resource[O, R]) id() string { return r.obj.CommonStatus().ID }

// took writes down what was observed.
func (r *resource[O, R]) took(handle external.Resource[R], observed *R) {
	if observed == nil {
		return
	}
	r.obj.CommonStatus().ID = handle.Identity(observed).ID
	if health := r.kind.Report(r.obj, observed); health.State != external.Healthy {
		r.t.Errorf("the resource is not healthy: %+v", health)
	}
}

// create creates the resource.
func (r *resource[O, R]) create() error {
	r.t.Helper()
	r.traffic.heading("create")
	handle := r.bind(external.ForSync)
	observed, op, err := handle.Create(r.t.Context(), ourClaim)
	if op != nil {
		r.t.Errorf("creating is an operation: %+v", op)
	}
	r.took(handle, observed)
	return err
}

// mustCreate creates the resource and leaves that out of the traffic: the scenario begins afterwards.
func (r *resource[O, R]) mustCreate() {
	r.t.Helper()
	must(r.t, r.create())
	r.traffic.reset()
}

// find looks for the resource and returns the ids of what could be it.
func (r *resource[O, R]) find() []string {
	r.t.Helper()
	r.traffic.heading("find")
	handle := r.bind(external.ForSync)
	var ids []string
	for observed, err := range handle.Find(r.t.Context(), ourClaim) {
		must(r.t, err)
		ids = append(ids, handle.Identity(observed).ID)
	}
	return ids
}

// look observes the resource and returns what differs.
func (r *resource[O, R]) look() (external.Changes, *R, external.Resource[R], error) {
	r.t.Helper()
	r.traffic.heading("look")
	handle := r.bind(external.ForSync)
	observed, err := handle.Get(r.t.Context(), r.id())
	if err != nil {
		return external.Changes{}, nil, handle, err
	}
	changes := handle.Diff(observed)
	if identity := handle.Identity(observed); identity.ClaimKnown && identity.Claim == "" {
		changes.Mark = true
	}
	r.took(handle, observed)
	return changes, observed, handle, nil
}

// sync observes the resource and updates what differs, which must be the paths given ("mark" for the claim), and checks
// that nothing differs afterwards.
func (r *resource[O, R]) sync(want ...string) {
	r.t.Helper()
	changes, observed, handle, err := r.look()
	must(r.t, err)
	if len(changes.Immutable) > 0 {
		r.t.Fatalf("%q cannot be changed", changes.Immutable)
	}
	got := slices.Clone(changes.Paths)
	if changes.Mark {
		got = append(got, "mark")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("changes (-want +got):\n%s", diff)
	}
	if changes.Empty() {
		return
	}
	r.traffic.heading("update " + strings.Join(got, ", "))
	after, op, err := handle.Update(r.t.Context(), observed, changes, ourClaim)
	must(r.t, err)
	if op != nil {
		r.t.Errorf("updating is an operation: %+v", op)
	}
	r.took(handle, after)
	if again := handle.Diff(after); !again.Empty() {
		r.t.Errorf("still different after the update: %+v", again)
	}
	r.settled()
}

// settled looks once more, off the record: a second update never happens.
func (r *resource[O, R]) settled() {
	r.t.Helper()
	resume := r.traffic.pause()
	defer resume()
	changes, _, _, err := r.look()
	must(r.t, err)
	if !changes.Empty() {
		r.t.Errorf("a second update would change %+v", changes)
	}
}

// remove deletes the resource.
func (r *resource[O, R]) remove() error {
	r.t.Helper()
	r.traffic.heading("delete")
	op, err := r.bind(external.ForDelete).Delete(r.t.Context(), r.id())
	if op != nil {
		r.t.Errorf("deleting is an operation: %+v", op)
	}
	return err
}

// unmark takes the claim off, as a deletion with the policy Orphan does.
func (r *resource[O, R]) unmark() {
	r.t.Helper()
	r.traffic.heading("unmark")
	handle := r.bind(external.ForDelete)
	for observed, err := range handle.Find(r.t.Context(), ourClaim) {
		must(r.t, err)
		if handle.Identity(observed).Claim == ourClaim.Token {
			_, _, err := handle.Update(r.t.Context(), observed, external.Changes{Unmark: true}, ourClaim)
			must(r.t, err)
			return
		}
	}
	r.t.Error("nothing carries the claim")
}

// fails checks the class of an error.
func fails(t *testing.T, err error, class clouderr.Class) {
	t.Helper()
	if !clouderr.Is(err, class) {
		t.Errorf("the error is %v, want one of class %s", err, class)
	}
}

// waitsFor checks that err is a wait for a reference, and names the field.
func waitsFor(t *testing.T, err error, field string) {
	t.Helper()
	var wait *external.WaitError
	if !errors.As(err, &wait) || wait.Cause != external.WaitForReference || !strings.HasPrefix(wait.Message, field+": ") {
		t.Errorf("the error is %v, want a wait that names %s", err, field)
	}
}

// same compares lists whose order matters.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// traffic writes down requests and replies.
type traffic struct {
	mu     sync.Mutex
	text   bytes.Buffer
	paused bool
}

func (l *traffic) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.paused {
		fmt.Fprintf(&l.text, format, args...)
	}
}

func (l *traffic) heading(text string) { l.add("# %s\n\n", text) }

func (l *traffic) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

// pause writes nothing down until the function that it returns is called.
func (l *traffic) pause() (resume func()) {
	set := func(paused bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.paused = paused
	}
	set(true)
	return func() { set(false) }
}

// of writes down what goes in and out of a handler.
func (l *traffic) of(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		reply := httptest.NewRecorder()
		next.ServeHTTP(reply, r)
		project := ""
		if id := r.Header.Get("X-Enterprise-Project-Id"); id != "" {
			project = "X-Enterprise-Project-Id: " + id + "\n"
		}
		l.add("%s %s\n%s%s%d\n%s\n", r.Method, r.URL.RequestURI(), project, readable(body), reply.Code, readable(reply.Body.Bytes()))
		for key, values := range reply.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(reply.Code)
		_, _ = w.Write(reply.Body.Bytes()) // a client that went away shows in the test
	})
}

// readable indents JSON, and returns "" for nothing.
func readable(body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return ""
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return string(body) + "\n"
	}
	return out.String() + "\n"
}

var (
	idPattern      = regexp.MustCompile(`"(?:id|component_id)": "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})"`)
	jobPattern     = regexp.MustCompile(`JOB[0-9a-f]{8}-[0-9a-f-]{27}`)
	timePattern    = regexp.MustCompile(`("(?:(?:create|update|begin|start|end)(?:_time|Time)|created_at|updated_at)": )(?:[1-9][0-9]*|"[^"]*")`)
	addressPattern = regexp.MustCompile(`https://127\.0\.0\.1:[0-9]+`)
	clusterPattern = regexp.MustCompile(`("clusterId": )"[^"]*"`)
	requestPattern = regexp.MustCompile(`("request_?[iI]d": )"[^"]*"`)
)

// normalized returns the traffic with the ids that the cloud made up replaced by {id-1}, {id-2}, ... in the order of their
// appearance, and with times and request ids taken out.
func (l *traffic) normalized() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.ReplaceAll(l.text.String(), cloudsim.DefaultProjectID, "{project}")
	text = timePattern.ReplaceAllString(text, `$1"{time}"`)
	text = requestPattern.ReplaceAllString(text, `$1"{request}"`)
	text = clusterPattern.ReplaceAllString(text, `$1"{cluster}"`)
	for i := 1; addressPattern.MatchString(text); i++ {
		text = strings.ReplaceAll(text, addressPattern.FindString(text), fmt.Sprintf("https://{address-%d}", i))
	}
	for i := 1; ; i++ {
		job := jobPattern.FindString(text)
		if job == "" {
			break
		}
		text = strings.ReplaceAll(text, job, fmt.Sprintf("{job-%d}", i))
	}
	for i := 1; ; i++ {
		id := idPattern.FindStringSubmatch(text)
		if id == nil {
			return strings.TrimSpace(text) + "\n"
		}
		text = strings.ReplaceAll(text, id[1], fmt.Sprintf("{id-%d}", i))
	}
}

// compare compares the traffic with the golden file, or rewrites the file.
func (w *world) compare(path string) {
	w.t.Helper()
	got := w.traffic.normalized()
	if *update {
		must(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(w.t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		w.t.Fatalf("there is no %s; write it with go test ./internal/controller -update", path)
	}
	must(w.t, err)
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		w.t.Errorf("the traffic differs from %s; if it is meant to, go test ./internal/controller -update rewrites it (-file +now):\n%s", path, diff)
	}
}

// scenario is a story with traffic.
type scenario struct {
	name string
	run  func(t *testing.T, w *world)
}

// kinds lists the scenarios of each kind, and the world that they begin in.
var kinds = []struct {
	name      string
	world     func(*testing.T) *world
	scenarios []scenario
}{
	{"environment", func(t *testing.T) *world { return newWorld(t) }, environmentScenarios},
	{"application", newApplicationWorld, applicationScenarios},
	{"component", newComponentWorld, componentScenarios},
	{"microserviceengine", newEngineWorld, engineScenarios},
}

func TestGolden(t *testing.T) {
	used := map[string]bool{}
	for _, kind := range kinds {
		for _, s := range kind.scenarios {
			path := filepath.Join("testdata", "golden", kind.name, s.name+".txt")
			used[path] = true
			t.Run(kind.name+"/"+s.name, func(t *testing.T) {
				w := kind.world(t)
				s.run(t, w)
				if !t.Failed() {
					w.compare(path)
				}
			})
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*", "*"))
	must(t, err)
	for _, file := range files {
		if !used[file] {
			t.Errorf("%s belongs to no scenario: delete it", file)
		}
	}
}
