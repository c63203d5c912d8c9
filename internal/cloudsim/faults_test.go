// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

const createBody = `{"name":"dev","vpc_id":"v1"}`

// environments counts what the cloud holds.
func (c *cloud) environments() int {
	c.t.Helper()
	found, err := c.Resources("servicestage", "environments")
	if err != nil {
		c.t.Fatal(err)
	}
	return len(found)
}

func TestFaultsOnACreate(t *testing.T) {
	const created = 1
	for _, tc := range []struct {
		name, fault string
		status      int // 0 is a cut connection
		body        string
		contentType string
		after       int
	}{
		{"status before the effect", `{"action":"status","status":503,"body":{"error_code":"X"}}`, 503, `{"error_code":"X"}`, "application/json;charset=utf8", 0},
		{"status and a text", `{"action":"status","body":"bad gateway","headers":{"Retry-After":"7"}}`, 500, "bad gateway", "text/plain;charset=utf-8", 0},
		{"no body", `{"action":"status","status":502}`, 502, "", "", 0},
		{"500 after the effect", `{"action":"statusAfter"}`, 500, "", "", created},
		{"reset before the effect", `{"action":"resetBefore"}`, 0, "", "", 0},
		{"reset after the effect", `{"action":"resetAfter"}`, 0, "", "", created},
		{"garbage after the effect", `{"action":"garbage"}`, 200, `{"count": 1, "environments": [{"id": "`, "application/json;charset=utf8", created},
		{"garbage of one's own", `{"action":"garbage","body":"<html>"}`, 200, "<html>", "text/plain;charset=utf-8", created},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCloud(t)
			c.sim(http.MethodPut, "faults", "["+tc.fault+"]", 200)
			got, err := c.try(c.signed(http.MethodPost, envsPath, createBody))
			if (err != nil) != (tc.status == 0) || got.status != tc.status || got.body != tc.body || got.header.Get("Content-Type") != tc.contentType {
				t.Errorf("answer %+v, error %v", got, err)
			}
			if strings.Contains(tc.fault, "Retry-After") && got.header.Get("Retry-After") != "7" {
				t.Errorf("headers %v", got.header)
			}
			if n := c.environments(); n != tc.after {
				t.Errorf("%d environments, want %d", n, tc.after)
			}
			calls := c.Calls()
			if len(calls) != 1 || calls[0].Status != tc.status || calls[0].Fault == "" {
				t.Errorf("logged %+v", calls)
			}
			c.sim(http.MethodDelete, "faults", "", 204)
			if got := c.call(http.MethodGet, envsPath, ""); got.status != 200 {
				t.Errorf("without faults: %+v", got)
			}
		})
	}
}

func TestEchoQuotesTheRequest(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "faults", `[{"action":"echo"}]`, 200)
	create, list := c.signed(http.MethodPost, envsPath, createBody), c.signed(http.MethodGet, envsPath, "")
	for want, r := range map[string]*http.Request{createBody: create, "Authorization: " + list.Header.Get("Authorization"): list} {
		got, err := c.try(r)
		if err != nil || got.status != 400 {
			t.Fatalf("answer %+v, error %v", got, err)
		}
		var said struct {
			Message string `json:"error_msg"`
		}
		if err := json.Unmarshal([]byte(got.body), &said); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.Message, want) {
			t.Errorf("message %q does not quote %q", said.Message, want)
		}
	}
	if n := c.environments(); n != 0 {
		t.Errorf("%d environments, want none", n)
	}
}

func TestFaultsOnAList(t *testing.T) {
	c := newCloud(t)
	for i := range 3 {
		c.put("environments", fmt.Sprintf(`{"id":"e%d","name":"env-%d","create_time":%d}`, i, i, i+1))
	}
	ids := func() string {
		var body struct {
			Count        int
			Environments []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(c.call(http.MethodGet, envsPath, "").body), &body); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(body.Count, body.Environments)
	}
	for fault, want := range map[string]string{
		`[{"action":"emptyList"}]`:                                           "0 []",
		`[{"action":"truncatedList","keep":2}]`:                              "2 [{e2} {e1}]",
		`[{"action":"truncatedList","keep":9}]`:                              "3 [{e2} {e1} {e0}]",
		`[{"action":"emptyList","match":{"path":"/v3/*/cas/applications"}}]`: "3 [{e2} {e1} {e0}]",
	} {
		c.sim(http.MethodPut, "faults", fault, 200)
		if got := ids(); got != want {
			t.Errorf("%s: %s, want %s", fault, got, want)
		}
	}
	c.sim(http.MethodPut, "faults", `[{"action":"emptyList"}]`, 200)
	if got := c.call(http.MethodGet, envsPath+"/nope", ""); got.status != 401 {
		t.Errorf("an error is not a list: %+v", got)
	}
}

func TestWhenFaultsFire(t *testing.T) {
	pattern := func(c *cloud, n int) string {
		var b strings.Builder
		for range n {
			if c.call(http.MethodGet, envsPath, "").status == 500 {
				b.WriteString("x")
			} else {
				b.WriteString(".")
			}
		}
		return b.String()
	}
	for _, tc := range []struct{ fault, want string }{
		{`{"action":"status"}`, "xxxxxx"},
		{`{"action":"status","nth":3}`, "..x..."},
		{`{"action":"status","count":2}`, "xx...."},
		{`{"action":"status","nth":2,"count":3}`, ".xxx.."},
		{`{"action":"status","match":{"method":"POST"}}`, "......"},
		{`{"action":"status","match":{"method":"GET","path":"/v3/*/cas/**"}}`, "xxxxxx"},
		{`{"action":"status","match":{"path":"/v3/*"}}`, "......"},
		{`{"action":"status","match":{"pathRegexp":"environments$"}}`, "xxxxxx"},
		{`{"action":"status","nth":2},{"action":"status","nth":2}`, ".xx..."},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			c := newCloud(t)
			c.sim(http.MethodPut, "faults", "["+tc.fault+"]", 200)
			if got := pattern(c, len(tc.want)); got != tc.want {
				t.Errorf("fired %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("probability", func(t *testing.T) {
		c := newCloud(t)
		run := func(seed int) string {
			c.sim(http.MethodPut, "faults", fmt.Sprintf(`[{"action":"status","probability":0.5,"seed":%d}]`, seed), 200)
			return pattern(c, 40)
		}
		first := run(7)
		if hits := strings.Count(first, "x"); hits < 10 || hits > 30 {
			t.Errorf("fired %d times of 40: %s", hits, first)
		}
		if again := run(7); again != first {
			t.Errorf("the same seed gave\n%s and then\n%s", first, again)
		}
		if other := run(8); other == first {
			t.Errorf("another seed gave the same %s", other)
		}
	})
	t.Run("counters", func(t *testing.T) {
		c := newCloud(t)
		c.sim(http.MethodPut, "faults", `[{"name":"third","action":"status","nth":3,"match":{"path":"/v3/*/cas/environments"}}]`, 200)
		pattern(c, 4)
		compareJSON(t, c.sim(http.MethodGet, "faults", "", 200).body,
			`[{"name":"third","action":"status","nth":3,"count":1,"match":{"path":"/v3/*/cas/environments"},"matches":4,"hits":1}]`)
		if last := c.Calls()[2]; last.Fault != "third" || last.Status != 500 {
			t.Errorf("logged %+v", last)
		}
	})
}

func TestFaultsThatAreRefused(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "faults", `[{"action":"status"}]`, 200)
	for body, want := range map[string]string{
		`[{"action":"explode"}]`:                                       "faults[0].action: unknown value",
		`[{"action":"status"},{"action":"delay"}]`:                     "faults[1].delay: must be set",
		`[{"action":"delay","delay":5}]`:                               "a duration is a string with a unit",
		`[{"action":"delay","delay":"-1s"}]`:                           "must not be negative",
		`[{"action":"status","probability":2}]`:                        "faults[0].probability",
		`[{"action":"status","status":99}]`:                            "faults[0].status",
		`[{"action":"status","nth":-1}]`:                               "must not be negative",
		`[{"action":"status","match":{"method":"get"}}]`:               "faults[0].match.method",
		`[{"action":"status","match":{"pathRegexp":"("}}]`:             "faults[0].match.pathRegexp",
		`[{"action":"status","match":{"path":"/a","pathRegexp":"b"}}]`: "not both",
		`[{"action":"status","stauts":500}]`:                           "unknown field",
		`{"action":"status"}`:                                          "cannot unmarshal object",
	} {
		if got := c.sim(http.MethodPut, "faults", body, 400); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want %q", body, got.body, want)
		}
	}
	if rules := c.Faults(); len(rules) != 1 {
		t.Errorf("refused lists replaced the rules: %+v", rules)
	}
}

// delayed sends a request that the cloud delays, and lets release run once it waits.
func (c *cloud) delayed(r *http.Request, release func()) answer {
	c.t.Helper()
	type outcome struct {
		answer
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		got, err := c.try(r)
		done <- outcome{got, err}
	}()
	c.clock.BlockUntil(1)
	select {
	case got := <-done:
		c.t.Fatalf("answered before its time: %+v", got)
	default:
	}
	release()
	got := <-done
	if got.err != nil {
		c.t.Fatal(got.err)
	}
	return got.answer
}

func TestDelaysAndLatency(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "faults", `[{"action":"delay","delay":"3s","match":{"method":"POST"}}]`, 200)
	got := c.delayed(c.signed(http.MethodPost, envsPath, createBody), func() { c.clock.Advance(3 * time.Second) })
	check(t, got, 200, `"*"`)
	if logged := c.Calls()[0]; logged.Duration != 3 || logged.Fault != "delay" {
		t.Errorf("logged %+v", logged)
	}
	check(t, c.call(http.MethodGet, envsPath+"?limit=0", ""), 200, `{"count":1,"environments":[]}`)

	shown := c.sim(http.MethodPut, "latency", `[{"match":{"path":"/v3/*/cas/environments"},"min":"2s"},{"min":"1s","max":"10s"}]`, 200)
	compareJSON(t, shown.body, `[{"match":{"path":"/v3/*/cas/environments"},"min":"2s"},{"min":"1s","max":"10s"}]`)
	got = c.delayed(c.signed(http.MethodGet, envsPath, ""), func() { c.clock.Advance(2 * time.Second) })
	check(t, got, 200, `"*"`)
	c.ResetCalls()
	got = c.delayed(c.signed(http.MethodGet, appsPath, ""), func() { c.clock.Advance(10 * time.Second) })
	check(t, got, 200, `{"count":0,"applications":[]}`)
	if d := c.Calls()[0].Duration; d < 1 || d > 10 {
		t.Errorf("a latency of %v s, want 1 to 10", d)
	}
	c.sim(http.MethodDelete, "latency", "", 204)
	check(t, c.call(http.MethodGet, appsPath, ""), 200, `{"count":0,"applications":[]}`)
	if err := c.SetLatency([]cloudsim.Latency{{Min: cloudsim.Duration(2), Max: cloudsim.Duration(1)}}); err == nil {
		t.Error("max below min was accepted")
	}
}

func TestAClientThatGivesUpDoesNotUndoTheEffect(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "latency", `[{"min":"1h"}]`, 200)
	ctx, giveUp := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, c.url+envsPath, strings.NewReader(createBody))
	r.Header.Set("Content-Type", "application/json")
	c.key.sign(r, []byte(createBody), c.clock.Now())
	done := make(chan struct{})
	go func() {
		c.ServeHTTP(httptest.NewRecorder(), r)
		close(done)
	}()
	c.clock.BlockUntil(1)
	if n := c.environments(); n != 0 {
		t.Errorf("%d environments while the cloud still waits", n)
	}
	giveUp()
	<-done
	if n := c.environments(); n != 1 {
		t.Errorf("%d environments after the client gave up, want 1", n)
	}
}

func TestLimits(t *testing.T) {
	const message = "The throttling threshold has been reached: policy %s over ratelimit,limit:2,time:%s"
	second := keys{access: "AK2", secret: "SK2"}
	for _, tc := range []struct{ name, limit, period, want string }{
		{"user", `{"scope":"user","limit":2,"period":"1m"}`, "1 minute", "first:..x second:..x other:x later:.."},
		{"ip", `{"scope":"ip","limit":2,"period":"30s"}`, "30 second", "first:..x second:xxx other:x later:.."},
		{"api", `{"scope":"api","limit":2,"period":"2m"}`, "2 minute", "first:..x second:xxx other:. later:.."},
		{"user", `{"scope":"user","limit":2,"period":"1s","match":{"method":"POST"}}`, "1 second", "first:... second:... other:. later:.."},
	} {
		t.Run(tc.limit, func(t *testing.T) {
			c := newCloud(t)
			if err := c.SetAccounts([]cloudsim.Account{{AccessKey: "AK1", SecretKey: "SK1"}, {AccessKey: "AK2", SecretKey: "SK2"}}); err != nil {
				t.Fatal(err)
			}
			c.sim(http.MethodPut, "limits", "["+tc.limit+"]", 200)
			try := func(k keys, path string, n int) string {
				var b strings.Builder
				for range n {
					r := c.request(http.MethodGet, path, "")
					k.sign(r, nil, c.clock.Now())
					got := c.send(r)
					if got.status == 200 {
						b.WriteString(".")
						continue
					}
					check(t, got, 429, fmt.Sprintf(`{"error_code":"APIGW.0308","error_msg":%q,"request_id":"*"}`, fmt.Sprintf(message, tc.name, tc.period)))
					if after := got.header.Get("Retry-After"); after != "" {
						t.Errorf("Retry-After %s without the switch", after)
					}
					b.WriteString("x")
				}
				return b.String()
			}
			got := "first:" + try(c.key, envsPath, 3) + " second:" + try(second, envsPath, 3) + " other:" + try(c.key, appsPath, 1)
			c.clock.Advance(2 * time.Minute)
			got += " later:" + try(c.key, envsPath, 2)
			if got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "quirks", `{"retryAfter":true}`, 200)
	c.sim(http.MethodPut, "limits", `[{"scope":"user","limit":1,"period":"1m"}]`, 200)
	check(t, c.call(http.MethodGet, envsPath, ""), 200, ok)
	c.clock.Advance(20 * time.Second)
	got := c.call(http.MethodGet, envsPath, "")
	if got.status != 429 || got.header.Get("Retry-After") != "40" {
		t.Errorf("answer %+v, want 429 and 40 s", got)
	}
	c.sim(http.MethodPut, "limits", `[{"scope":"user","limit":1,"period":"1m","unstated":true}]`, 200)
	check(t, c.call(http.MethodGet, envsPath, ""), 200, ok)
	check(t, c.call(http.MethodGet, envsPath, ""), 429, `{"error_code":"APIGW.0308","error_msg":"The throttling threshold has been reached","request_id":"*"}`)
	c.sim(http.MethodDelete, "limits", "", 204)
	check(t, c.call(http.MethodGet, envsPath, ""), 200, ok)
	for body, want := range map[string]string{
		`[{"scope":"planet","limit":1,"period":"1s"}]`: "limits[0].scope",
		`[{"scope":"ip","limit":0,"period":"1s"}]`:     "limits[0].limit",
		`[{"scope":"ip","limit":1}]`:                   "limits[0].period",
		`[{"scope":"ip","limit":1,"period":"1500ms"}]`: "limits[0].period",
	} {
		if got := c.sim(http.MethodPut, "limits", body, 400); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want %q", body, got.body, want)
		}
	}
}
