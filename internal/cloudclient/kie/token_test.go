// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

func mustGet(t *testing.T, client *Client) {
	t.Helper()
	if _, err := client.Get(t.Context(), "i1"); err != nil {
		t.Fatalf("Get: %v", err)
	}
}

func wantLogins(t *testing.T, engine *fakeEngine, want int) {
	t.Helper()
	if got := engine.loginCount(); got != want {
		t.Errorf("%d logins, want %d", got, want)
	}
}

func TestOneLoginForAllRequests(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	client := engine.client()
	for _, err := range together(200, func(i int) error {
		_, err := client.Create(t.Context(), Item{Key: fmt.Sprint("k", i), Value: "v"})
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantLogins(t, engine, 1)
	if got := len(engine.requests()); got != 200 {
		t.Errorf("%d requests, want 200", got)
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	client := engine.client()
	mustGet(t, client)
	engine.clock.advance(9 * time.Hour)
	mustGet(t, client)
	wantLogins(t, engine, 1)
	engine.clock.advance(110 * time.Minute) // 10 h 50 min of 12 h
	mustGet(t, client)
	wantLogins(t, engine, 2)
}

func TestTokenSaysHowLongItLives(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	jwt := func(claims string) string {
		return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"
	}
	for value, want := range map[string]time.Duration{
		"opaque":                       12 * time.Hour,
		jwt(`{"exp":1800000900}`):      15 * time.Minute,
		jwt(`{"exp":"1800000900"}`):    15 * time.Minute,
		jwt(`{"exp":1800000010}`):      12 * time.Hour, // clocks that differ
		jwt(`{"exp":1700000000}`):      12 * time.Hour,
		jwt(`{"exp":1900000000}`):      12 * time.Hour,
		jwt(`{"account":"root"}`):      12 * time.Hour,
		jwt(`not JSON`):                12 * time.Hour,
		"h.%%%.s":                      12 * time.Hour,
		jwt(`{"exp":1800000900}`)[:10]: 12 * time.Hour,
	} {
		if got := lifeOf(value, now); got != want {
			t.Errorf("lifeOf(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestAnEndedTokenIsRenewedOnce(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	client := engine.client()
	mustGet(t, client)
	engine.revoke()
	for _, err := range together(50, func(int) error {
		_, err := client.Get(t.Context(), "i1")
		return err
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	wantLogins(t, engine, 2)
}

func TestARefusedLoginIsNeverRepeated(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	engine.change(func(e *fakeEngine) { e.password = "another" })
	client := engine.client()
	call := func(int) error {
		_, err := client.Get(t.Context(), "i1")
		return err
	}
	errs := together(50, call)
	engine.clock.advance(time.Hour)
	errs = append(errs, call(0))
	engine.change(func(e *fakeEngine) { e.password = testPassword }) // too late: a changed secret is a new client
	errs = append(errs, call(0))
	for _, err := range errs {
		if !clouderr.Is(err, clouderr.Unauthorized) {
			t.Errorf("%v, want class Unauthorized", err)
		}
		if strings.Contains(err.Error(), testPassword) || !strings.Contains(err.Error(), "401202") {
			t.Errorf("the error is %q", err)
		}
	}
	wantLogins(t, engine, 1)
	if got := engine.requests(); len(got) != 0 {
		t.Errorf("requests were sent: %v", got)
	}
	if !clouderr.Is(client.Refused(), clouderr.Unauthorized) {
		t.Errorf("Refused = %v", client.Refused())
	}
	if again := engine.client(); again.Refused() != nil {
		t.Errorf("a new client is refused: %v", again.Refused())
	}
}

func TestARefusedRenewalDropsTheToken(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	client := engine.client()
	mustGet(t, client)
	engine.change(func(e *fakeEngine) { e.password = "another" })
	engine.clock.advance(11 * time.Hour)
	for range 3 {
		if _, err := client.Get(t.Context(), "i1"); !clouderr.Is(err, clouderr.Unauthorized) {
			t.Errorf("%v, want class Unauthorized", err)
		}
	}
	wantLogins(t, engine, 2)
}

func TestABlockedAccountIsLeftAlone(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	engine.change(func(e *fakeEngine) {
		e.login = reply(403, `{"errorCode":"403201","errorMessage":"Account blocked"}`)
	})
	client := engine.client()
	for after, want := range []time.Duration{15 * time.Minute, 10 * time.Minute, 5 * time.Minute} {
		_, err := client.Get(t.Context(), "i1")
		if !clouderr.Is(err, clouderr.Throttled) || clouderr.RetryAfter(err) != want {
			t.Errorf("try %d: %v, retry after %v; want class Throttled and %v", after, err, clouderr.RetryAfter(err), want)
		}
		engine.clock.advance(5 * time.Minute)
	}
	wantLogins(t, engine, 1)
	if client.Refused() != nil {
		t.Errorf("Refused = %v: the password was not judged", client.Refused())
	}
	engine.change(func(e *fakeEngine) { e.login = nil })
	mustGet(t, client)
	wantLogins(t, engine, 2)
}

func TestManyCallersCostOneFailedLogin(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	engine.change(func(e *fakeEngine) { e.login = reply(503, "") })
	client := engine.client()
	for _, err := range together(30, func(int) error {
		_, err := client.Get(t.Context(), "i1")
		return err
	}) {
		if !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("%v, want class Transient", err)
		}
	}
	wantLogins(t, engine, 1)
	engine.change(func(e *fakeEngine) { e.login = nil })
	engine.clock.advance(failurePause)
	mustGet(t, client)
	wantLogins(t, engine, 2)
}

func TestAGoodTokenSurvivesAFailedRenewal(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	client := engine.client()
	mustGet(t, client)
	engine.change(func(e *fakeEngine) { e.login = reply(500, "") })
	engine.clock.advance(11 * time.Hour)
	mustGet(t, client)
	mustGet(t, client)
	wantLogins(t, engine, 2)
	engine.clock.advance(renewalPause)
	mustGet(t, client)
	wantLogins(t, engine, 3)
}

func TestATokenOfAnotherEngine(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	stranger := newFakeEngine(t, nil)
	client := engine.client(func(cfg *Config) { cfg.ServiceCenterAddresses = []string{stranger.url} })
	get := func() {
		t.Helper()
		_, err := client.Get(t.Context(), "i1")
		if !clouderr.Is(err, clouderr.Forbidden) || !strings.Contains(err.Error(), "same engine") {
			t.Errorf("%v, want class Forbidden", err)
		}
	}
	for range 5 {
		get()
	}
	wantLogins(t, stranger, 1)
	engine.clock.advance(renewalPause)
	get()
	wantLogins(t, stranger, 2)
	if client.Refused() != nil {
		t.Errorf("Refused = %v: the password was accepted", client.Refused())
	}
}

func TestWithoutAuthentication(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	engine.change(func(e *fakeEngine) { e.password = "" })
	client := engine.client(open)
	mustGet(t, client)
	wantLogins(t, engine, 0)

	engine.change(func(e *fakeEngine) { e.password = testPassword })
	_, err := client.Get(t.Context(), "i1")
	if !clouderr.Is(err, clouderr.Unauthorized) || !strings.Contains(err.Error(), "asks for a login") {
		t.Errorf("%v, want class Unauthorized and the way out", err)
	}
	wantLogins(t, engine, 0)
}

func TestALoginOutlivesItsCaller(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	ctx, cancel := context.WithCancel(t.Context())
	engine.change(func(e *fakeEngine) {
		e.login = func(w http.ResponseWriter, _ *http.Request) {
			cancel()
			_, _ = io.WriteString(w, `{"token":"T-LATE"}`)
		}
		e.valid["T-LATE"] = true
	})
	client := engine.client()
	if _, err := client.Get(ctx, "i1"); !clouderr.Is(err, clouderr.Transient) {
		t.Errorf("%v, want class Transient", err)
	}
	mustGet(t, client)
	wantLogins(t, engine, 1)
}

func TestUnusableTokens(t *testing.T) {
	for _, body := range []string{`{}`, `{"token":""}`, `{"token":"a b"}`, `{"token":"a\nb"}`, `[]`, ``, `{"token":"` + strings.Repeat("x", maxToken+1) + `"}`} {
		engine := newFakeEngine(t, reply(200, oneItem))
		engine.change(func(e *fakeEngine) { e.login = reply(200, body) })
		if _, err := engine.client().Get(t.Context(), "i1"); !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("login answered %.40q: %v, want class Transient", body, err)
		}
	}
}

func TestPasswordStaysOutOfErrors(t *testing.T) {
	engine := newFakeEngine(t, reply(200, oneItem))
	password := `Quo"ted-secret\1`
	engine.change(func(e *fakeEngine) {
		e.login = reply(400, `{"errorCode":"400001","errorMessage":"invalid value 'Quo\"ted-secret\\1'","detail":"body {\"password\":\"Quo\\\"ted-secret\\\\1\"}"}`)
	})
	client := engine.client(func(cfg *Config) { cfg.Password = password })
	_, err := client.Get(t.Context(), "i1")
	if text := fmt.Sprintf("%v %+v %s %v", err, err, clouderr.UserMessage(err), client); !clouderr.Is(err, clouderr.Invalid) || strings.Contains(text, "ted-secret") {
		t.Errorf("printed as %s", text)
	}
}

func TestOnlyTheConfigurationCenterProvesAToken(t *testing.T) {
	for _, status := range []int{429, 502, 503} {
		engine := newFakeEngine(t, nil)
		answers := []int{status, 401, 401}
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answers[0])
			answers = answers[1:]
		}))
		t.Cleanup(proxy.Close)
		client := engine.client(func(cfg *Config) { cfg.KieAddresses = []string{proxy.URL} })
		for range 2 {
			if _, err := client.Get(t.Context(), "i1"); err == nil {
				t.Errorf("after %d: no error", status)
			}
			engine.clock.advance(10 * time.Second)
		}
		wantLogins(t, engine, 1)
	}
}
