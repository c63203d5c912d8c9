// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

func TestAdminResources(t *testing.T) {
	c := newCloud(t)
	const one = "resources/servicestage/environments/e1"
	c.sim(http.MethodGet, one, "", 404)
	const record = `{"id":"e1","name":"dev","description":"","project_id":"p1","enterprise_project_id":"","deploy_mode":"","vpc_id":"v1","creator":"",
		"create_time":1767323045000,"update_time":%d,"labels":%s,"resources":null}`
	compareJSON(t, c.sim(http.MethodPut, one, `{"name":"dev","vpc_id":"v1"}`, 200).body, fmt.Sprintf(record, startMillis, "null"))
	compareJSON(t, c.sim(http.MethodGet, one, "", 200).body, fmt.Sprintf(record, startMillis, "null"))

	compareJSON(t, c.sim(http.MethodPatch, one, `{"labels":[{"key":"k","value":"v"}]}`, 200).body, fmt.Sprintf(record, startMillis+1, `[{"key":"k","value":"v"}]`))
	compareJSON(t, c.sim(http.MethodPatch, one, `{"labels":null}`, 200).body, fmt.Sprintf(record, startMillis+2, "null"))
	compareJSON(t, c.sim(http.MethodPatch, one, `{"update_time":5}`, 200).body, fmt.Sprintf(record, 5, "null"))
	compareJSON(t, c.sim(http.MethodPatch, one, `{"id":"e9"}`, 200).body, fmt.Sprintf(record, startMillis, "null"))
	check(t, c.call(http.MethodGet, envsPath+"?name=dev&limit=0", ""), 200, `{"count":1,"environments":[]}`)

	c.sim(http.MethodPut, "resources/servicestage/environments/e2", `{"name":"dev","project_id":"p2"}`, 200)
	for query, count := range map[string]float64{"": 2, "?project=p2": 1, "?project=p3": 0} {
		if got := c.sim(http.MethodGet, "resources/servicestage/environments"+query, "", 200).field("count"); got != count {
			t.Errorf("list%s: %v, want %v", query, got, count)
		}
	}
	c.sim(http.MethodDelete, one, "", 204)
	c.sim(http.MethodDelete, one, "", 404)
	c.sim(http.MethodPatch, one, `{}`, 404)
	for _, bad := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{http.MethodGet, "resources/servicestage/planets", "", 404, "use one of [cse/engines cse/items cse/jobs servicestage/applications servicestage/components servicestage/configurations servicestage/environments servicestage/jobs servicestage/releases vpc/subnets vpc/vpcs]"},
		{http.MethodPut, one, `{"lables":[]}`, 400, "does not fit servicestage/environments"},
		{http.MethodPut, one, `[]`, 400, "does not fit servicestage/environments"},
		{http.MethodPut, one, `{`, 400, "is not the JSON"},
		{http.MethodPatch, "resources/servicestage/environments/e2", `{"name":1}`, 400, "does not fit"},
		{http.MethodGet, "planets", "", 404, "no admin operation"},
		{http.MethodPut, "quirks", `{"missingResource":"404"}`, 400, "missingResource: unknown value"},
		{http.MethodPut, "quirks", `{"missingResources":"notFound"}`, 400, "unknown field"},
		{http.MethodPut, "quirks", `{"quotas":{"servicestage/environments":-1}}`, 400, "quotas.servicestage/environments"},
	} {
		if got := c.sim(bad.method, bad.path, bad.body, bad.status); !strings.Contains(got.body, bad.want) {
			t.Errorf("%s %s: %s, want %q", bad.method, bad.path, got.body, bad.want)
		}
	}
	if len(c.Calls()) != 1 {
		t.Errorf("admin calls are in the call log: %+v", c.Calls())
	}
}

func TestComponentsKeepWhatTheyAreGiven(t *testing.T) {
	c := newCloud(t)
	const one = "resources/servicestage/components/c1"
	c.put("applications", `{"id":"a1","name":"one"}`)
	c.put("applications", `{"id":"a2","name":"two"}`)
	c.sim(http.MethodPut, one, `{"name":"web","application_id":"a1","environment_id":"e1","status":{"component_status":"RUNNING"},"replica":2}`, 200)
	compareJSON(t, c.sim(http.MethodPatch, one, `{"application_id":"a2","status":{"available_replica":1},"replica":null}`, 200).body,
		`{"id":"c1","name":"web","project_id":"p1","application_id":"a2","environment_id":"e1","create_time":1767323045000,"update_time":1767323045001,
			"status":{"component_status":"RUNNING","available_replica":1}}`)
	for id, count := range map[string]float64{"a1": 0, "a2": 1} {
		if got := c.call(http.MethodGet, appsPath+"/"+id, "").field("component_count"); got != count {
			t.Errorf("%s has %v components, want %v", id, got, count)
		}
	}
}

func TestQuirksAreMerged(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.Quotas = map[string]int{"servicestage/environments": 3} })
	c.sim(http.MethodPut, "quirks", `{"detailLabels":true,"quotas":{"servicestage/applications":1}}`, 200)
	c.sim(http.MethodPut, "quirks", `{"keepResourceNames":true,"quotas":{"servicestage/environments":null}}`, 200)
	got := c.Quirks()
	if !got.DetailLabels || !got.KeepResourceNames || len(got.Quotas) != 1 || got.Quotas["servicestage/applications"] != 1 {
		t.Errorf("quirks %+v", got)
	}
	if err := c.SetQuirks(cloudsim.Quirks{LabelRule: "loose"}); err == nil {
		t.Error("an unknown value was accepted")
	}
	if err := c.SetQuirks(cloudsim.Quirks{}); err != nil || c.Quirks().DetailLabels {
		t.Errorf("SetQuirks: %v, %+v", err, c.Quirks())
	}
}

func TestCallLog(t *testing.T) {
	c := newCloud(t)
	check(t, c.call(http.MethodPost, envsPath, `{"name":"dev","vpc_id":"v1","password":"canary-1"}`), 200, `"*"`)
	token := c.login("?nocatalog=1", "pw", projectScope).header.Get("X-Subject-Token")
	c.clock.Advance(time.Second)
	check(t, c.withToken(token), 200, `"*"`)
	check(t, c.send(c.request(http.MethodGet, "/nothing?a=b", "")), 404, `"*"`)
	check(t, c.call(http.MethodPut, appsPath+"/a1/configuration", `{"environment_id":"e","configuration":{"env":[{"name":"DB_PASSWORD","value":"canary-2"},{"name":"A","value":"1"}]}}`), 401, `"*"`)

	got := c.sim(http.MethodGet, "calls?bodies=1", "", 200)
	lines := strings.Split(strings.TrimSpace(got.body), "\n")
	want := []string{
		`{"time":"2026-01-02T03:04:05Z","account":"AK1","method":"POST","path":"/v3/p1/cas/environments","operation":"POST /v3/{project_id}/cas/environments",
			"status":200,"duration":0,"requestID":"*","body":{"name":"dev","vpc_id":"v1","password":"REDACTED"}}`,
		`{"time":"2026-01-02T03:04:05Z","account":"","method":"POST","path":"/v3/auth/tokens","query":"nocatalog=1","operation":"POST /v3/auth/tokens",
			"status":201,"duration":0,"requestID":"*"}`,
		`{"time":"2026-01-02T03:04:06Z","account":"bot","method":"GET","path":"/v3/p1/cas/environments","operation":"GET /v3/{project_id}/cas/environments",
			"status":200,"duration":0,"requestID":"*"}`,
		`{"time":"2026-01-02T03:04:06Z","account":"","method":"GET","path":"/nothing","query":"a=b","status":404,"duration":0,"requestID":"*"}`,
		`{"time":"2026-01-02T03:04:06Z","account":"AK1","method":"PUT","path":"/v3/p1/cas/applications/a1/configuration",
			"operation":"PUT /v3/{project_id}/cas/applications/{application_id}/configuration","status":401,"duration":0,"requestID":"*",
			"body":{"environment_id":"e","configuration":{"env":[{"name":"DB_PASSWORD","value":"REDACTED"},{"name":"A","value":"1"}]}}}`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), got.body)
	}
	for i := range want {
		compareJSON(t, lines[i], want[i])
	}
	everything, err := json.Marshal(c.Calls())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"canary", `"pw"`, token, "SK1", "Signature"} {
		if strings.Contains(string(everything), secret) {
			t.Errorf("the log holds %.20q", secret)
		}
	}
	if body := c.sim(http.MethodGet, "calls", "", 200).body; strings.Contains(body, `"body"`) {
		t.Errorf("bodies without being asked for: %s", body)
	}
	if body := c.sim(http.MethodGet, "calls?method=GET&path=/v3/*/cas/environments", "", 200).body; strings.Count(body, "\n") != 1 {
		t.Errorf("the filter leaves %s", body)
	}
	c.sim(http.MethodDelete, "calls", "", 204)
	if body := c.sim(http.MethodGet, "calls", "", 200).body; body != "" {
		t.Errorf("after the deletion: %s", body)
	}
}

func TestCallLogIsBounded(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.CallLogSize = 3 })
	for i := range 5 {
		c.call(http.MethodGet, fmt.Sprintf("%s?offset=%d", envsPath, i), "")
	}
	var queries []string
	for _, call := range c.Calls() {
		queries = append(queries, call.Query)
	}
	if got := strings.Join(queries, " "); got != "offset=2 offset=3 offset=4" {
		t.Errorf("kept %s", got)
	}
}

func TestReset(t *testing.T) {
	c := newCloud(t)
	token := c.login("", "pw", projectScope).header.Get("X-Subject-Token")
	check(t, c.call(http.MethodPost, envsPath, createBody), 200, `"*"`)
	c.put("components", `{"id":"c1","environment_id":"e1"}`)
	for path, body := range map[string]string{
		"faults": `[{"action":"status"}]`, "limits": `[{"scope":"ip","limit":1,"period":"1m"}]`, "latency": `[{"min":"1h"}]`,
		"quirks": `{"missingResource":"notFound"}`, "accounts": `[{"accessKey":"AK9","secretKey":"SK9"}]`,
	} {
		c.sim(http.MethodPut, path, body, 200)
	}
	c.sim(http.MethodPost, "reset", "", 204)
	if len(c.Calls())+len(c.Faults())+len(c.Limits())+len(c.Latency()) != 0 {
		t.Error("something is left")
	}
	check(t, c.withToken(token), 401, refused("decrypt token fail"))
	check(t, c.call(http.MethodGet, envsPath, ""), 200, ok)
	check(t, c.call(http.MethodGet, envsPath+"/e1", ""), 401, missingBody)
	c.put("environments", `{"id":"e1","name":"dev"}`)
	check(t, c.call(http.MethodDelete, envsPath+"/e1", ""), 204, "")
	compareJSON(t, c.sim(http.MethodGet, "health", "", 200).body, `{"status":"ok","time":"2026-01-02T03:04:05Z","resources":
		{"cse/engines":0,"cse/items":0,"cse/jobs":0,"vpc/subnets":1,"vpc/vpcs":1,"servicestage/applications":0,"servicestage/components":0,"servicestage/configurations":0,"servicestage/environments":0,
			"servicestage/jobs":0,"servicestage/releases":0}}`)
}

func TestSameSeedSameCloud(t *testing.T) {
	ids := func(seed int64) string {
		c := newCloud(t, func(o *cloudsim.Options) { o.Seed = seed })
		first := c.call(http.MethodPost, envsPath, createBody)
		second := c.call(http.MethodPost, appsPath, `{"name":"app"}`)
		return fmt.Sprint(first.field("id"), second.field("id"), first.header.Get("X-Request-Id"))
	}
	if one, two := ids(3), ids(3); one != two {
		t.Errorf("seed 3 gave %s and %s", one, two)
	}
	if one, two := ids(3), ids(4); one == two {
		t.Errorf("seeds 3 and 4 both gave %s", one)
	}
}

func TestUnknownCollectionAndRecordInProcess(t *testing.T) {
	s := cloudsim.New(cloudsim.Options{})
	if _, err := s.Resources("cse", "planets"); !errors.Is(err, cloudsim.ErrUnknownCollection) {
		t.Errorf("Resources: %v", err)
	}
	if err := s.DeleteResource("servicestage", "environments", "e1"); !errors.Is(err, cloudsim.ErrNotFound) {
		t.Errorf("DeleteResource: %v", err)
	}
	object, err := s.PutResource("servicestage", "environments", cloudsim.Object{"name": "dev"})
	if err != nil || object["id"] == "" || object["project_id"] != cloudsim.DefaultProjectID {
		t.Errorf("PutResource: %v, %v", object, err)
	}
}

func TestNewRefusesUnknownQuirks(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New accepted a quirk that does not exist")
		}
	}()
	cloudsim.New(cloudsim.Options{Quirks: cloudsim.Quirks{ErrorShape: "xml"}})
}

func TestManyEnvironments(t *testing.T) {
	const n = many
	last := fmt.Sprintf("e%06d", n-1)
	c := newCloud(t)
	for i := range n {
		if _, err := c.PutResource("servicestage", "environments", cloudsim.Object{"id": fmt.Sprintf("e%06d", i), "name": fmt.Sprintf("env-%06d", i), "create_time": i + 1}); err != nil {
			t.Fatal(err)
		}
	}
	// Pages from both ends, without a listener's share in it.
	page := func(query string) (count int, ids []string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://cloud.test"+envsPath+query, http.NoBody)
		c.key.sign(r, nil, c.clock.Now())
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		var body struct {
			Count        int
			Environments []struct{ ID string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 200 {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		for _, env := range body.Environments {
			ids = append(ids, env.ID)
		}
		return body.Count, ids
	}
	seen := map[string]bool{}
	for offset := 0; offset < n; offset += 100 {
		count, ids := page(fmt.Sprintf("?limit=100&offset=%d", offset))
		if count != n || len(ids) != 100 {
			t.Fatalf("offset %d: %d of %d", offset, len(ids), count)
		}
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != n {
		t.Errorf("the pages hold %d environments, want %d", len(seen), n)
	}
	if count, ids := page(fmt.Sprintf("?order_by=name&order=asc&limit=1&offset=%d", n-1)); count != n || ids[0] != last {
		t.Errorf("the last by name: %v of %d", ids, count)
	}
	if count, ids := page(""); count != n || len(ids) != 1000 || ids[0] != last {
		t.Errorf("without limit: %d of %d from %s", len(ids), count, ids[0])
	}
	if count, ids := page("?name=ENV-005000"); count != 1 || ids[0] != "e005000" {
		t.Errorf("by name: %v of %d", ids, count)
	}
}

func TestConcurrentCalls(t *testing.T) {
	c := newCloud(t)
	const workers, each = 8, 20
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprintf("env-%d-%d", worker, i)
				created := c.call(http.MethodPost, envsPath, fmt.Sprintf(`{"name":%q,"vpc_id":"v"}`, name))
				id, _ := created.field("id").(string)
				c.call(http.MethodPut, envsPath+"/"+id, fmt.Sprintf(`{"name":%q,"labels":[]}`, name))
				c.call(http.MethodGet, envsPath+"?order_by=name", "")
				c.call(http.MethodGet, envsPath+"?order_by=update_time", "")
				if i%2 == 0 {
					c.call(http.MethodDelete, envsPath+"/"+id, "")
				}
			}
		})
	}
	group.Wait()
	if n := c.environments(); n != workers*each/2 {
		t.Errorf("%d environments, want %d", n, workers*each/2)
	}
	statuses := map[int]int{}
	for _, call := range c.Calls() {
		statuses[call.Status]++
	}
	if statuses[200] != workers*each*4 || statuses[204] != workers*each/2 || len(statuses) != 2 {
		t.Errorf("statuses %v", statuses)
	}
}
