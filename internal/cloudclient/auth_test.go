// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

func countClasses(errs []error) map[clouderr.Class]int {
	counts := map[clouderr.Class]int{}
	for _, err := range errs {
		counts[clouderr.ClassOf(err)]++
	}
	return counts
}

// A wrong key costs one wrong signature, however many objects use it; five lock the key.
func TestAWrongKeyIsTriedOnce(t *testing.T) {
	cloud := newFakeCloud(t, keyCloud("ANOTHERKEY"))
	client := cloud.client(t)
	errs := together(50, func() error { return client.Do(t.Context(), get(nil)) })
	if diff := cmp.Diff(map[clouderr.Class]int{clouderr.Unauthorized: 50}, countClasses(errs)); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
	if got := len(cloud.requests()); got != 1 {
		t.Fatalf("%d requests for 50 callers, want 1", got)
	}
	messages := map[string]bool{}
	for _, err := range errs {
		messages[clouderr.UserMessage(err)] = true
	}
	want := map[string]bool{"APIG.0301: Incorrect IAM authentication information: verify aksk signature fail": true}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("messages differ between callers (-want +got):\n%s", diff)
	}
	if later := asError(client.Do(t.Context(), post())); later.Operation != "CreateEnvironment" || later.RequestID != "" || later.Status != 401 {
		t.Errorf("a later caller gets %+v, want its own operation and nobody's request id", later)
	}
	if _, err := client.ProjectID(t.Context()); err != nil {
		t.Errorf("ProjectID = %v, want the configured one without a call", err)
	}

	// While the key stays wrong, Verify goes out, once each time; then the key is mended in the cloud.
	if err := client.Verify(t.Context()); !clouderr.Is(err, clouderr.Unauthorized) {
		t.Errorf("Verify = %v, want Unauthorized", err)
	}
	if got := len(cloud.requests()); got != 2 {
		t.Errorf("%d requests after Verify, want 2", got)
	}
	cloud.answer(keyCloud(testAccessKey))
	if err := client.Do(t.Context(), get(nil)); !clouderr.Is(err, clouderr.Unauthorized) {
		t.Errorf("Do before Verify = %v, want Unauthorized", err)
	}
	if err := client.Verify(t.Context()); err != nil {
		t.Errorf("Verify with the mended key = %v", err)
	}
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Errorf("Do after Verify = %v", err)
	}
	if got := len(cloud.requests()); got != 4 {
		t.Errorf("%d requests in all, want 4", got)
	}
}

func TestAGoodKeyLetsCallersPassTogether(t *testing.T) {
	const callers = 8
	arrived, release := make(chan struct{}, callers), make(chan struct{})
	cloud := newFakeCloud(t, replyWith(200, `{}`))
	client := cloud.client(t)
	if err := client.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	cloud.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		replyWith(200, `{}`)(w, r)
	})
	done := make(chan []error)
	go func() { done <- together(callers, func() error { return client.Do(t.Context(), get(nil)) }) }()
	for range callers {
		<-arrived // hangs unless all of them are at the server at once
	}
	close(release)
	for _, err := range <-done {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestWhatProvesCredentials(t *testing.T) {
	tests := []struct {
		name    string
		reply   http.HandlerFunc
		proven  bool
		refused bool
	}{
		{"success", replyWith(200, `{}`), true, false},
		{"an answer of the service", replyWith(400, `{"error_code":"SVCSTG.00100400"}`), true, false},
		{"the service's own 401", replyWith(401, `{"error_code":"SVCSTG.00100401"}`), true, false},
		{"no permission", replyWith(403, `{"error_code":"APIGW.0302"}`), true, false},
		{"no permission for this API", replyWith(401, `{"error_code":"APIGW.0302"}`), false, false},
		{"throttled", replyWith(429, ``), false, false},
		{"broken", replyWith(500, ``), false, false},
		{"no such API", replyWith(404, `{"error_code":"APIGW.0101"}`), false, false},
		{"refused", replyWith(401, refusedBody), false, true},
		{"refused by an older gateway", replyWith(401, `{"error_code":"APIGW.0301"}`), false, true},
		{"refused without a word", replyWith(401, ``), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := newFakeCloud(t, tt.reply).client(t)
			_ = client.Do(t.Context(), post())
			if client.gate.proven != tt.proven || (client.gate.refusal != nil) != tt.refused {
				t.Errorf("proven %v, refusal %v; want proven %v, refused %v", client.gate.proven, client.gate.refusal, tt.proven, tt.refused)
			}
		})
	}
}

func TestAKeyThatIsRevokedLater(t *testing.T) {
	cloud := newFakeCloud(t, keyCloud(testAccessKey))
	client := cloud.client(t)
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Fatal(err)
	}
	cloud.answer(keyCloud("ANOTHERKEY"))
	for range 10 {
		if err := client.Do(t.Context(), get(nil)); !clouderr.Is(err, clouderr.Unauthorized) {
			t.Fatalf("Do = %v, want Unauthorized", err)
		}
	}
	if got := len(cloud.requests()); got != 2 {
		t.Errorf("%d requests, want 2: one good, one refused", got)
	}
	// A good reply to a call that was under way when the refusal came does not lift it.
	client.gate.judge(nil, false)
	if err := client.gate.refused(); err == nil {
		t.Error("the refusal is lifted by a late success")
	}
}

func TestTokenIsSharedAndSent(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	cloud := newFakeCloud(t, iam.handle)
	client := cloud.client(t, withUser, withoutProject, withClock(clock))
	for _, err := range together(50, func() error { return client.Do(t.Context(), get(nil)) }) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := iam.loginCount(); got != 1 {
		t.Errorf("%d logins for 50 callers, want 1", got)
	}
	requests := cloud.requests()
	if got, want := requests[0].line(), "POST /v3/auth/tokens?nocatalog=true"; got != want {
		t.Errorf("first request = %q, want %q", got, want)
	}
	want := `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"bot","password":"` + testPassword +
		`","domain":{"name":"acme"}}}},"scope":{"project":{"name":"` + testRegion + `"}}}}`
	if got := requests[0].Body; got != want {
		t.Errorf("login\n got %s\nwant %s", got, want)
	}
	for _, name := range []string{"Authorization", "X-Auth-Token", "X-Project-Id"} {
		if got := requests[0].Header.Get(name); got != "" {
			t.Errorf("the login carries %s: %q", name, got)
		}
	}
	for _, r := range requests[1:] {
		if got, want := r.line(), "GET /v3/"+testProject+"/cas/environments/e1"; got != want {
			t.Errorf("request = %q, want %q (the project is the token's)", got, want)
		}
		if r.Header.Get("X-Auth-Token") != "TOKEN-0001" || r.Header.Get("Authorization") != "" {
			t.Errorf("X-Auth-Token = %q, Authorization = %q", r.Header.Get("X-Auth-Token"), r.Header.Get("Authorization"))
		}
	}
}

func TestTokenScope(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"by id", func(*Config) {}, `"scope":{"project":{"id":"` + testProject + `"}}`},
		{"by region", withoutProject, `"scope":{"project":{"name":"` + testRegion + `"}}`},
		{"by name", func(cfg *Config) { cfg.ProjectID, cfg.ProjectName = "", "ap-southeast-3_sub" }, `"scope":{"project":{"name":"ap-southeast-3_sub"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := newFakeClock()
			cloud := newFakeCloud(t, newTokenCloud(clock).handle)
			if err := cloud.client(t, withUser, tt.change, withClock(clock)).Do(t.Context(), get(nil)); err != nil {
				t.Fatal(err)
			}
			if got := cloud.requests()[0].Body; !strings.Contains(got, tt.want) {
				t.Errorf("login = %s, want %s in it", got, tt.want)
			}
		})
	}
}

func TestTokenIsRenewedEarly(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	cloud := newFakeCloud(t, iam.handle)
	client := cloud.client(t, withUser, withClock(clock))
	step := func(advance time.Duration, wantLogins int) {
		t.Helper()
		clock.advance(advance)
		for _, err := range together(10, func() error { return client.Do(t.Context(), get(nil)) }) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := iam.loginCount(); got != wantLogins {
			t.Fatalf("%d logins, want %d", got, wantLogins)
		}
	}
	step(0, 1)
	step(19*time.Hour, 1)          // before 80 % of 24 hours
	step(2*time.Hour+time.Hour, 2) // after 90 %
	iam.change(func(c *tokenCloud) { c.down = true })
	clock.advance(22 * time.Hour) // due again, and IAM is down: the token is good for two hours more
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Fatalf("Do while IAM is down = %v", err)
	}
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Fatalf("Do while IAM is down = %v", err)
	}
	if got := iam.loginCount(); got != 3 {
		t.Errorf("%d logins, want 3: a failed renewal pauses for a minute", got)
	}
	clock.advance(3 * time.Hour)
	if err := client.Do(t.Context(), get(nil)); !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("Do after the token's end while IAM is down = %v, want Transient", err)
	}
	iam.change(func(c *tokenCloud) { c.down = false })
	step(0, 5)
}

func TestTokenThatEndedEarlyIsRenewedOnce(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	cloud := newFakeCloud(t, iam.handle)
	client := cloud.client(t, withUser, withClock(clock))
	if err := client.Do(t.Context(), post()); err != nil {
		t.Fatal(err)
	}
	iam.change(func(c *tokenCloud) { clear(c.valid) })
	for _, err := range together(20, func() error { return client.Do(t.Context(), post()) }) {
		if err != nil {
			t.Error(err)
		}
	}
	if got := iam.loginCount(); got != 2 {
		t.Errorf("%d logins, want 2", got)
	}
}

func TestTokenThatIsNeverTaken(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	cloud := newFakeCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v3/auth/tokens" {
			iam.handle(w, r)
			return
		}
		replyWith(401, refusedBody)(w, r)
	})
	client := cloud.client(t, withUser, withClock(clock))
	for _, err := range together(20, func() error { return client.Do(t.Context(), post()) }) {
		if !clouderr.Is(err, clouderr.Unauthorized) {
			t.Errorf("Do = %v, want Unauthorized", err)
		}
	}
	if got := iam.loginCount(); got != 2 {
		t.Errorf("%d logins, want 2: one, and one renewal", got)
	}
	if got := len(cloud.requests()); got != 4 {
		t.Errorf("%d requests, want 4: two logins, the request and its repetition", got)
	}
}

func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	iam.password = "another"
	cloud := newFakeCloud(t, iam.handle)
	client := cloud.client(t, withUser, withoutProject, withClock(clock))
	for _, err := range together(50, func() error { return client.Do(t.Context(), get(nil)) }) {
		if got, want := clouderr.UserMessage(err), "The username or password is wrong."; got != want || !clouderr.Is(err, clouderr.Unauthorized) {
			t.Errorf("Do = %v, want Unauthorized, %q", err, want)
		}
	}
	if got := iam.loginCount(); got != 1 {
		t.Errorf("%d logins, want 1", got)
	}
	iam.change(func(c *tokenCloud) { c.password = testPassword })
	if err := client.Verify(t.Context()); err != nil {
		t.Errorf("Verify with the mended password = %v", err)
	}
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Errorf("Do after Verify = %v", err)
	}
}

// The password changes while many callers need a new token at once: one wrong login, not one each.
func TestAPasswordThatChangesLater(t *testing.T) {
	clock := newFakeClock()
	iam := newTokenCloud(clock)
	cloud := newFakeCloud(t, iam.handle)
	client := cloud.client(t, withUser, withClock(clock))
	if err := client.Do(t.Context(), get(nil)); err != nil {
		t.Fatal(err)
	}
	iam.change(func(c *tokenCloud) { c.password = "changed"; clear(c.valid) })
	for _, err := range together(50, func() error { return client.Do(t.Context(), get(nil)) }) {
		if !clouderr.Is(err, clouderr.Unauthorized) {
			t.Errorf("Do = %v, want Unauthorized", err)
		}
	}
	if got := iam.loginCount(); got != 2 {
		t.Errorf("%d logins, want 2: one good, one refused", got)
	}
}

func TestUnusableTokens(t *testing.T) {
	tests := []struct{ name, header string }{
		{"none", ""},
		{"too long", strings.Repeat("x", maxToken+1)},
		{"with a space", "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newFakeCloud(t, replyWith(201, `{"token":{}}`, "X-Subject-Token: "+tt.header))
			err := cloud.client(t, withUser).Do(t.Context(), get(nil))
			if !clouderr.Is(err, clouderr.Transient) || !strings.Contains(clouderr.UserMessage(err), "usable token") {
				t.Errorf("Do = %v, want Transient", err)
			}
		})
	}
}

func TestProjectID(t *testing.T) {
	tests := []struct {
		name   string
		reply  string
		change func(*Config)
		want   string
		class  clouderr.Class
		say    string
	}{
		{"one", `{"projects":[{"id":"p1","name":"ap-southeast-3"}]}`, withoutProject, "p1", "", ""},
		{"one, by its name", `{"projects":[{"id":"p2","name":"ap-southeast-3_sub"}]}`,
			func(cfg *Config) { cfg.ProjectID, cfg.ProjectName = "", "ap-southeast-3_sub" }, "p2", "", ""},
		{"others that are named alike", `{"projects":[{"id":"p1","name":"ap-southeast-3"},{"id":"p2","name":"ap-southeast-3_sub"}]}`,
			withoutProject, "p1", "", ""},
		{"none", `{"projects":[]}`, withoutProject, "", clouderr.Invalid, "projectName"},
		{"several", `{"projects":[{"id":"p1","name":"ap-southeast-3"},{"id":"p2","name":"ap-southeast-3"}]}`,
			withoutProject, "", clouderr.Invalid, "projectName"},
		{"garbage", `{"projects":[{"id":"../..","name":"ap-southeast-3"}]}`, withoutProject, "", clouderr.Transient, "project id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud := newFakeCloud(t, replyWith(200, tt.reply))
			client := cloud.client(t, tt.change)
			results := make(chan string, 10)
			errs := together(10, func() error {
				id, err := client.ProjectID(t.Context())
				results <- id
				return err
			})
			for _, err := range errs {
				if got := <-results; got != tt.want || clouderr.ClassOf(err) != tt.class {
					t.Errorf("ProjectID = %q, %v; want %q, class %q", got, err, tt.want, tt.class)
				}
				if err != nil && !strings.Contains(clouderr.UserMessage(err), tt.say) {
					t.Errorf("message = %q, want %q in it", clouderr.UserMessage(err), tt.say)
				}
			}
			if got := len(cloud.requests()); tt.class == "" && got != 1 {
				t.Errorf("%d requests for 10 callers, want 1", got)
			}
			r := cloud.requests()[0]
			if !strings.HasPrefix(r.line(), "GET /v3/projects?name=ap-southeast-3") || r.Header.Get("X-Project-Id") != "" ||
				!strings.Contains(r.Header.Get("Authorization"), "SignedHeaders=host;x-sdk-date,") {
				t.Errorf("request = %s, %v", r.line(), r.Header)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	cloud := newFakeCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v3/projects" {
			replyWith(200, `{"projects":[{"id":"p1","name":"ap-southeast-3"}]}`)(w, r)
			return
		}
		replyWith(200, `{"count":0,"environments":[]}`)(w, r)
	})
	if err := cloud.client(t, withoutProject).Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET /v3/projects?name=ap-southeast-3", "GET /v3/p1/cas/environments?limit=1"}
	if diff := cmp.Diff(want, cloud.lines()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}

	cloud.answer(replyWith(403, `{"error_code":"APIGW.0302","error_msg":"not authorised"}`))
	if err := cloud.client(t).Verify(t.Context()); !clouderr.Is(err, clouderr.Forbidden) {
		t.Errorf("Verify without permission = %v, want Forbidden", err)
	}
}
