// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/internal/cloudsim/kie"
)

// inside talks to an engine at its own addresses.
type inside struct {
	t      *testing.T
	client *http.Client
	info   cloudsim.EngineInfo
	token  string
}

// inside returns a client that trusts the engines' certificate.
func (c *cloud) inside(id string) *inside {
	c.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.EngineCA())
	for _, info := range c.Engines() {
		if info.ID == id && info.Kie != "" {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
			c.t.Cleanup(transport.CloseIdleConnections)
			return &inside{c.t, &http.Client{Transport: transport}, info, ""}
		}
	}
	c.t.Fatalf("engine %s has no addresses: %v", id, c.Engines())
	return nil
}

func (i *inside) try(ctx context.Context, method, target, body string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if i.token != "" {
		r.Header.Set("Authorization", "Bearer "+i.token)
	}
	response, err := i.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(read)}, err
}

func (i *inside) call(method, target, body string) answer {
	i.t.Helper()
	got, err := i.try(i.t.Context(), method, target, body)
	if err != nil {
		i.t.Fatalf("%s %s: %v", method, target, err)
	}
	return got
}

const items = "/v1/default/kie/kv"

func TestEngineAnswersAtItsOwnAddresses(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine(`{"authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`)
	in := c.inside(id)
	if !strings.HasPrefix(in.info.Kie, "https://127.0.0.1:") || in.info.Kie == in.info.ServiceCenter {
		t.Fatalf("addresses %+v", in.info)
	}
	stranger := &inside{t: t, client: http.DefaultClient, info: in.info}
	if _, err := stranger.try(t.Context(), http.MethodGet, in.info.Kie+items, ""); err == nil {
		t.Error("the certificate is trusted by a client that does not know it")
	}
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 401, "")
	login := in.call(http.MethodPost, in.info.ServiceCenter+"/v4/token", `{"name":"root","password":"Passw0rd!x"}`)
	in.token, _ = login.field("token").(string)
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 200, `{"total":0,"data":[]}`)
	checkText(t, in.call(http.MethodPost, in.info.Kie+"/v4/token", `{}`), 404, "404: Page Not Found")
}

// TestEngineThatWasPut needs no creation.
func TestEngineThatWasPut(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "resources/cse/engines/e1", `{"name":"put","status":"Creating","flavor":"cse.s1.small2"}`, 200)
	if info := c.Engines()[0]; info.Kie != "" {
		t.Errorf("addresses while it is created: %v", info)
	}
	c.sim(http.MethodPatch, "resources/cse/engines/e1", `{"status":"Available"}`, 200)
	in := c.inside("e1")
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 200, `{"total":0,"data":[]}`)
	if got := c.call(http.MethodGet, enginesPath+"/e1", ""); got.field("type") != "CSE" || got.field("enterpriseProjectId") != "0" {
		t.Errorf("detail %s", got.body)
	}
}

func checkText(t *testing.T, got answer, status int, want string) {
	t.Helper()
	if got.status != status || got.body != want {
		t.Errorf("%d %q, want %d %q", got.status, got.body, status, want)
	}
}

func TestEngineWithoutTLS(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.Quirks.PlainEngines = true })
	in := c.inside(c.availableEngine(""))
	check(t, in.call(http.MethodPost, in.info.Kie+items, `{"key":"a","value":"1"}`), 200, `{"id":"*","key":"a","value":"1","value_type":"text",
		"create_revision":1,"update_revision":1,"status":"disabled","create_time":"*","update_time":"*"}`)
	checkText(t, in.call(http.MethodPost, in.info.ServiceCenter+"/v4/token", `{"name":"root","password":"x"}`), 404, "404 page not found\n")
	if !strings.HasPrefix(in.info.Kie, "http://") {
		t.Errorf("address %s", in.info.Kie)
	}
}

// TestAddressesEnd: with the engine, with a reset, with the simulator.
func TestAddressesEnd(t *testing.T) {
	c := newCloud(t)
	for name, end := range map[string]func(id string){
		"delete": func(id string) {
			c.call(http.MethodDelete, enginesPath+"/"+id, "")
			c.runEngineJobs()
		},
		"admin": func(id string) { c.sim(http.MethodDelete, "resources/cse/engines/"+id, "", 204) },
		"reset": func(string) { c.sim(http.MethodPost, "reset", "", 204) },
		"close": func(string) { c.Close() },
	} {
		id := c.availableEngine(fmt.Sprintf(`{"name":%q}`, name))
		in := c.inside(id)
		in.call(http.MethodGet, in.info.Kie+items, "")
		end(id)
		if got, err := in.try(t.Context(), http.MethodGet, in.info.Kie+items, ""); err == nil {
			t.Errorf("after %s: still answers %d", name, got.status)
		}
		c.sim(http.MethodPost, "reset", "", 204)
	}
}

func TestEngineThatDoesNotServe(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine("")
	in := c.inside(id)
	for _, status := range []string{"Unavailable", "Freezed", "Deleting"} {
		c.sim(http.MethodPatch, "resources/cse/engines/"+id, `{"status":"`+status+`"}`, 200)
		check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 503, "")
	}
	c.sim(http.MethodPatch, "resources/cse/engines/"+id, `{"status":"Available"}`, 200)
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 200, `{"total":0,"data":[]}`)
}

// TestEngineCallsAreLoggedAndFaulty: the engines' own addresses have the call log, faults and limits of the cloud.
func TestEngineCallsAreLoggedAndFaulty(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine(`{"authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`)
	in := c.inside(id)
	login := in.call(http.MethodPost, in.info.ServiceCenter+"/v4/token", `{"name":"root","password":"Passw0rd!x"}`)
	in.token, _ = login.field("token").(string)
	c.sim(http.MethodPut, "faults", `[{"match":{"path":"/v1/default/kie/**"},"nth":1,"action":"status","status":500}]`, 200)
	c.sim(http.MethodPut, "limits", `[{"scope":"ip","limit":1,"period":"1m","match":{"path":"/v1/default/kie/**"}}]`, 200)
	c.ResetCalls()
	for _, want := range []int{500, 200, 429} {
		got := in.call(http.MethodGet, in.info.Kie+items, "")
		if got.status != want {
			t.Errorf("status %d, want %d", got.status, want)
		}
		if want == 429 && got.body != "" {
			t.Errorf("a throttled engine has no body: %s", got.body)
		}
	}
	in.call(http.MethodPost, in.info.ServiceCenter+"/v4/token", `{"name":"root","password":"Passw0rd!x"}`)
	var log []string
	for _, call := range c.Calls() {
		if call.Engine != id {
			t.Errorf("engine %q in the log", call.Engine)
		}
		log = append(log, fmt.Sprint(call.Operation, " ", call.Status, " ", len(call.Body)))
	}
	want := []string{"GET /v1/{project}/kie/kv 500 0", "GET /v1/{project}/kie/kv 200 0", "GET /v1/{project}/kie/kv 429 0", "POST /v4/token 200 0"}
	if fmt.Sprint(log) != fmt.Sprint(want) {
		t.Errorf("log %q, want %q", log, want)
	}
}

// TestItemsBehindEveryonesBack: a change through the admin API ends a long poll.
func TestItemsBehindEveryonesBack(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.Quirks.PlainEngines = true })
	id := c.availableEngine("")
	in := c.inside(id)
	created := in.call(http.MethodPost, in.info.Kie+items, `{"key":"a","value":"1","labels":{"app":"shop"}}`)
	record := "resources/cse/items/" + id + ":" + fmt.Sprint(created.field("id"))
	shown := `{"id":"*","engine_id":"` + id + `","item_id":"*","project":"default","key":"a","value":"%s","value_type":"text","status":"disabled",
		"labels":{"app":"shop"},"create_revision":1,"update_revision":%d,"create_time":"*","update_time":"*"}`
	compareJSON(t, c.sim(http.MethodGet, record, "", 200).body, fmt.Sprintf(shown, "1", 1))

	polled := make(chan answer, 1)
	go func() {
		got, err := in.try(t.Context(), http.MethodGet, in.info.Kie+items+"?revision=1&wait=1m", "")
		if err != nil {
			got.body = err.Error()
		}
		polled <- got
	}()
	c.clock.BlockUntil(1)
	compareJSON(t, c.sim(http.MethodGet, "engines", "", 200).body, fmt.Sprintf(`[{"id":%q,"name":"test","status":"Available","serviceCenter":"*","kie":"*",
		"revision":1,"items":1,"waiting":1}]`, id))
	compareJSON(t, c.sim(http.MethodPatch, record, `{"value":"2"}`, 200).body, fmt.Sprintf(shown, "2", 2))
	got := <-polled
	if got.status != 200 || got.header.Get("X-Kie-Revision") != "2" || !strings.Contains(got.body, `"value": "2"`) {
		t.Errorf("poll: %d %v %s", got.status, got.header, got.body)
	}

	c.sim(http.MethodPut, "resources/cse/items/"+id+":new", `{"key":"b","value":"x"}`, 200)
	c.sim(http.MethodPatch, record, `{"labels":{"app":null,"env":"dev"}}`, 200)
	c.sim(http.MethodGet, record, "", 404)
	if got := c.sim(http.MethodGet, "resources/cse/items", "", 200).field("count"); got != 2.0 {
		t.Errorf("%v items", got)
	}
	c.sim(http.MethodPut, "resources/cse/items/nothing:new", `{"key":"b","value":"x"}`, 400)
	c.sim(http.MethodPut, "resources/cse/items/"+id+":new", `{"value":"x"}`, 400)
	c.sim(http.MethodDelete, "resources/cse/items/"+id+":"+kie.ItemID("default", "b", nil), "", 204)
	c.sim(http.MethodDelete, "resources/cse/items/"+id+":nothing", "", 404)
	if got := c.Engine(id).Items(); len(got) != 1 || got[0].Labels["env"] != "dev" {
		t.Errorf("items %v", got)
	}
}

// TestPollEndsWithItsEngine: nobody waits for an engine that is gone.
func TestPollEndsWithItsEngine(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.Quirks.PlainEngines = true })
	id := c.availableEngine("")
	in := c.inside(id)
	ended := make(chan error, 1)
	go func() {
		_, err := in.try(t.Context(), http.MethodGet, in.info.Kie+items+"?wait=1m", "")
		ended <- err
	}()
	c.clock.BlockUntil(1)
	c.sim(http.MethodDelete, "resources/cse/engines/"+id, "", 204)
	if err := <-ended; err == nil {
		t.Error("the poll was answered")
	}
}

func TestRevokeAndUnlock(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.Quirks.PlainEngines = true })
	id := c.availableEngine(`{"authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`)
	in := c.inside(id)
	login := func(password string) answer {
		return in.call(http.MethodPost, in.info.ServiceCenter+"/v4/token", `{"name":"root","password":"`+password+`"}`)
	}
	in.token, _ = login("Passw0rd!x").field("token").(string)
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 200, `{"total":0,"data":[]}`)
	c.sim(http.MethodDelete, "engines/"+id+"/tokens", "", 204)
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 401, "")
	for _, want := range []int{401, 401, 401, 403} {
		if got := login("wrong"); got.status != want {
			t.Errorf("wrong password: %d, want %d", got.status, want)
		}
	}
	c.sim(http.MethodDelete, "engines/"+id+"/locks", "", 204)
	if got := login("Passw0rd!x"); got.status != 200 {
		t.Errorf("unlocked: %d", got.status)
	}
	// The password changes where the operator does not see it.
	c.sim(http.MethodPatch, "resources/cse/engines/"+id, `{"root_password":"Other1!xyz"}`, 200)
	if got := login("Passw0rd!x"); got.status != 401 {
		t.Errorf("old password: %d", got.status)
	}
	c.sim(http.MethodDelete, "engines/nothing/locks", "", 404)
}

// gateway sends a signed request with x-engine-id.
func (c *cloud) gateway(path, engine, contentType, body string) answer {
	c.t.Helper()
	r := c.request(http.MethodPost, path, body)
	r.Header.Set("Content-Type", contentType)
	if engine != "" {
		r.Header.Set("X-Engine-Id", engine)
	}
	if strings.HasPrefix(contentType, "multipart/") {
		r.Header.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD")
	}
	c.key.sign(r, []byte(body), c.clock.Now(), "host")
	return c.send(r)
}

func upload(t *testing.T, field, name, file string) (contentType, body string) {
	t.Helper()
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	part, err := form.CreateFormFile(field, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(file)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return form.FormDataContentType(), buffer.String()
}

func TestImportThroughTheGateway(t *testing.T) {
	refusedItems := func(number string) string {
		return `{"error_code":"SVCSTG.` + number + `","error_message":"Bad Request","detail":"*"}`
	}
	imported := func(key, value, status, labels string, created, updated int) string {
		return fmt.Sprintf(`{"id":"*","key":%q,"value":%q,"value_type":"text","status":%q,"create_revision":%d,"update_revision":%d,
			"create_time":"*","update_time":"*","labels":%s}`, key, value, status, created, updated, labels)
	}
	// Before each import there is one item, there=old, of revision 1.
	for _, test := range []struct {
		name, query, field, file string
		status                   int
		want                     string
	}{
		{
			"force", "?override=force", "upload_file",
			`{"data":[{"key":"there","value":"new","status":"enabled"},{"key":"a","value":"1","labels":{"app":"shop"},"value_type":"text"}]}`, 200,
			`{"success":[` + imported("there", "new", "enabled", "null", 1, 2) + `,` + imported("a", "1", "disabled", `{"app":"shop"}`, 3, 3) + `],"failure":[]}`,
		},
		{
			"skip", "?override=skip", "upload_file", `{"data":[{"key":"there","value":"new"},{"key":"a","value":"1"}]}`, 200,
			`{"success":[` + imported("a", "1", "disabled", "null", 2, 2) + `],"failure":[
				{"key":"there","labels":null,"error_code":"400004","error_message":"skip overriding duplicate kvs"}]}`,
		},
		{
			"abort", "?override=abort", "upload_file", `{"data":[{"key":"a","value":"1"},{"key":"there","value":"new"},{"key":"b","value":"2"}]}`, 200,
			`{"success":[` + imported("a", "1", "disabled", "null", 2, 2) + `],"failure":[
				{"key":"there","labels":null,"error_code":"400005","error_message":"stop overriding kvs after reaching the duplicate kv"},
				{"key":"b","labels":null,"error_code":"400005","error_message":"stop overriding kvs after reaching the duplicate kv"}]}`,
		},
		{
			"label of the query", "?override=force&label=env:dev", "upload_file", `{"data":[{"key":"there","value":"n","labels":{"app":"shop"}}]}`, 200,
			`{"success":[` + imported("there", "n", "disabled", `{"env":"dev"}`, 2, 2) + `],"failure":[]}`,
		},
		{
			"one bad key", "?override=force", "upload_file", `{"data":[{"key":"bad key","value":"n"}]}`, 200,
			`{"success":[],"failure":[{"key":"bad key","labels":null,"error_code":"400001","error_message":"validate failed, field: KVDoc.Key, rule: ^[a-zA-Z0-9._:-]+$"}]}`,
		},
		{"no override", "", "upload_file", `{"data":[]}`, 400, refusedItems("00400100")},
		{"bad override", "?override=maybe", "upload_file", `{"data":[]}`, 400, refusedItems("00400100")},
		{"bad label", "?override=force&label=env", "upload_file", `{"data":[]}`, 400, refusedItems("00400653")},
		{"another field", "?override=force", "file", `{"data":[]}`, 400, refusedItems("00400650")},
		{"empty file", "?override=force", "upload_file", "", 400, refusedItems("00400651")},
		{"no JSON", "?override=force", "upload_file", "a: b", 400, refusedItems("00400651")},
		{"value is a number", "?override=force", "upload_file", `{"data":[{"key":"a","value":1}]}`, 400, refusedItems("00400652")},
		{"no key", "?override=force", "upload_file", `{"data":[{"value":"1"}]}`, 400, refusedItems("00400652")},
		{"long value", "?override=force", "upload_file", `{"data":[{"key":"a","value":"` + strings.Repeat("v", 131073) + `"}]}`, 400, refusedItems("00400649")},
		{"labels are a list", "?override=force", "upload_file", `{"data":[{"key":"a","value":"1","labels":[]}]}`, 400, refusedItems("00400653")},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud(t)
			id := c.availableEngine("")
			c.Engine(id).Put(kie.Item{Key: "there", Value: "old"})
			contentType, body := upload(t, test.field, "items.json", test.file)
			check(t, c.gateway("/v1/p1/kie/file"+test.query, id, contentType, body), test.status, test.want)
		})
	}
	c := newCloud(t)
	id := c.availableEngine("")
	contentType, body := upload(t, "upload_file", "items.json", `{"data":[]}`)
	check(t, c.gateway("/v1/p1/kie/file?override=force", "", contentType, body), 400, refusedItems("00400100"))
	check(t, c.gateway("/v1/p1/kie/file?override=force", "nothing", contentType, body), 400, refusedItems("00501116"))
	check(t, c.gateway("/v1/p1/kie/file?override=force", id, "application/json", `{"data":[]}`), 400, refusedItems("00400650"))
	contentType, body = upload(t, "upload_file", "items.txt", `{"data":[]}`)
	check(t, c.gateway("/v1/p1/kie/file?override=force", id, contentType, body), 400, refusedItems("00400650"))
	c.sim(http.MethodPatch, "resources/cse/engines/"+id, `{"status":"Unavailable"}`, 200)
	check(t, c.gateway("/v1/p1/kie/download", id, "application/json", `{"ids":[]}`), 500,
		`{"error_code":"SVCSTG.00300605","error_message":"Internal Server Error","detail":"*"}`)
}

func TestExportThroughTheGateway(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine("")
	plain := c.Engine(id).Put(kie.Item{Key: "a", Value: "1"})
	c.Engine(id).Put(kie.Item{Key: "b", Value: "2", Status: kie.StatusEnabled, Labels: map[string]string{"app": "shop"}})
	c.Engine(id).Put(kie.Item{Key: "c", Value: "3", Labels: map[string]string{"app": "shop", "env": "dev"}})
	keys := func(query, body string) string {
		var document struct{ Data []struct{ Key string } }
		got := c.gateway("/v1/p1/kie/download"+query, id, "application/json", body)
		if err := json.Unmarshal([]byte(got.body), &document); err != nil {
			t.Fatal(got.body)
		}
		return fmt.Sprint(document.Data)
	}
	for query, want := range map[string]string{
		"": "[{c} {b} {a}]", "?label=app:shop": "[{c} {b}]", "?label=app:shop&match=exact": "[{b}]", "?match=exact": "[{a}]", "?label=app:none": "[]",
	} {
		if got := keys(query, `{"ids":[]}`); got != want {
			t.Errorf("export%s: %s, want %s", query, got, want)
		}
	}
	check(t, c.gateway("/v1/p1/kie/download", id, "application/json", `{"ids":["`+plain.ID+`","nothing"]}`), 200,
		`{"metadata":{"version":"2.0.0","annotations":{}},"data":[{"id":"*","key":"a","value":"1","labels":null,"status":"disabled","value_type":"text"}]}`)
}

// TestSameClockInside: tokens inside an engine end on the simulator's clock.
func TestSameClockInside(t *testing.T) {
	c := newCloud(t, func(o *cloudsim.Options) { o.Quirks.PlainEngines = true })
	in := c.inside(c.availableEngine(`{"authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`))
	in.token, _ = in.call(http.MethodPost, in.info.ServiceCenter+"/v4/token", `{"name":"root","password":"Passw0rd!x"}`).field("token").(string)
	c.clock.Advance(12*time.Hour - time.Second)
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 200, `{"total":0,"data":[]}`)
	c.clock.Advance(time.Second)
	check(t, in.call(http.MethodGet, in.info.Kie+items, ""), 401, "")
}
