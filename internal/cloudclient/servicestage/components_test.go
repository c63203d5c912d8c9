// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	componentList = "GET /applications/a1/components?limit=100&offset=0&order=asc&order_by=create_time"
	componentPut  = "PUT /applications/a1/components/c1"

	// detailJSON is a detail: without names of application and environment, with configuration.
	detailJSON = `{"id":"c1","name":"web","description":"d","labels":null,"application_id":"a1","environment_id":"e1",` +
		`"version":"1.0.0","replica":2,"limit_cpu":0.25,"envs":[{"name":"TZ","value":"UTC","inner":true}],"workload_kind":"deployment",` +
		`"status":{"component_status":"running","available_replica":"1","replica":2,"fail_detail":null,"last_job_id":"JOB1",` +
		`"creator":"bot","create_time":1679556221933,"update_time":"1679579448500","artifact":{"type":"image","url":"swr/x:1"}},` +
		`"update_strategy":{"max_surge":"30%","max_unavailable":9007199254740993}}`
	// itemJSON is an item of a list.
	itemJSON = `{"id":"c1","name":"web","labels":[],"application_id":"a1","application_name":"shop","environment_id":"e1",` +
		`"environment_name":"dev","version":"1.0.0","creator":"bot","platform_type":"cce",` +
		`"external_accesses":[{"protocol":"http","address":"192.168.0.1","forward_port":"80"}],` +
		`"status":{"component_status":"FAILED","available_replica":0,"replica":2,"fail_detail":"cluster_deleted","create_time":1679556221933}}`
)

var (
	wantDetail = &Component{
		ID: "c1", Name: "web", Description: "d", ApplicationID: "a1", EnvironmentID: "e1", Version: "1.0.0",
		WorkloadKind: "deployment", Creator: "bot", CreateTime: 1679556221933, UpdateTime: 1679579448500,
		Status: ComponentStatus{
			ComponentStatus: ComponentRunning, AvailableReplica: 1, Replica: 2, LastJobID: "JOB1",
			Artifact: Artifact{Type: "image", URL: "swr/x:1"},
		},
		Fields: map[string]any{
			"id": "c1", "name": "web", "description": "d", "labels": nil, "application_id": "a1", "environment_id": "e1",
			"version": "1.0.0", "replica": json.Number("2"), "limit_cpu": json.Number("0.25"), "workload_kind": "deployment",
			"envs": []any{map[string]any{"name": "TZ", "value": "UTC", "inner": true}},
			"status": map[string]any{
				"component_status": "running", "available_replica": "1", "replica": json.Number("2"), "fail_detail": nil,
				"last_job_id": "JOB1", "creator": "bot", "create_time": json.Number("1679556221933"), "update_time": "1679579448500",
				"artifact": map[string]any{"type": "image", "url": "swr/x:1"},
			},
			"update_strategy": map[string]any{"max_surge": "30%", "max_unavailable": json.Number("9007199254740993")},
		},
	}
	wantItem = &Component{
		ID: "c1", Name: "web", ApplicationID: "a1", ApplicationName: "shop", EnvironmentID: "e1", EnvironmentName: "dev",
		Version: "1.0.0", PlatformType: "cce", Creator: "bot", CreateTime: 1679556221933, Labels: []Label{},
		ExternalAccesses: []ExternalAccess{{Protocol: "http", Address: "192.168.0.1", ForwardPort: 80}},
		Status:           ComponentStatus{ComponentStatus: ComponentFailed, Replica: 2, FailDetail: "cluster_deleted"},
	}
)

// collect reads a list to its end. The whole records are left out: the detail has them.
func collect(list iter.Seq2[*Component, error]) (all []*Component, err error) {
	for component, err := range list {
		if err != nil {
			return all, err
		}
		component.Fields = nil
		all = append(all, component)
	}
	return all, nil
}

// TestComponentOperations is the golden log of 5.3 but for the records, and of 5.4.
func TestComponentOperations(t *testing.T) {
	tests := []struct {
		name    string
		request string // with the body
		status  int
		reply   string
		call    func(context.Context, *Client) (any, error)
		want    any
	}{
		{
			"create a component", `POST /applications/a1/components {"name":"web","replica":2,"source":{"kind":"image","url":"swr/x:1"}}`,
			200, `{"job_id":"JOB1","component_id":"c1"}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.CreateComponent(ctx, "a1", map[string]any{
					"name": "web", "replica": json.Number("2"), "source": map[string]any{"kind": "image", "url": "swr/x:1"},
				})
			}, &ComponentJob{ComponentID: "c1", JobID: "JOB1"},
		},
		{
			"get a component", `GET /applications/a1/components/c1`, 200, detailJSON,
			func(ctx context.Context, c *Client) (any, error) { return c.GetComponent(ctx, "a1", "c1") }, wantDetail,
		},
		{
			"get a component whose detail has no ids", `GET /applications/a1/components/c1`, 200, `{"name":"web"}`,
			func(ctx context.Context, c *Client) (any, error) { return c.GetComponent(ctx, "a1", "c1") },
			&Component{ID: "c1", ApplicationID: "a1", Name: "web", Fields: map[string]any{"name": "web"}},
		},
		{
			"send back what a detail holds",
			`PUT /applications/a1/components/c1 {"limit_cpu":0.25,"max_unavailable":9007199254740993}`, 200, `{"job_id":"JOB2"}`,
			func(ctx context.Context, c *Client) (any, error) {
				strategy := wantDetail.Fields["update_strategy"].(map[string]any)
				return c.UpdateComponent(ctx, "a1", "c1", map[string]any{
					"limit_cpu": wantDetail.Fields["limit_cpu"], "max_unavailable": strategy["max_unavailable"],
				})
			}, "JOB2",
		},
		{
			"an update that starts no job", `PUT /applications/a1/components/c1 {"name":"web"}`, 200, `{"job_id":null}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateComponent(ctx, "a1", "c1", map[string]any{"name": "web"})
			}, "",
		},
		{
			"delete a component", `DELETE /applications/a1/components/c1`, 200, ``,
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteComponent(ctx, "a1", "c1") }, nil,
		},
		{
			"delete a component, answered with its id", `DELETE /applications/a1/components/c1`, 200, `{"component_id":"c1"}`,
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteComponent(ctx, "a1", "c1") }, nil,
		},
		{
			"list an application's components", componentList, 200, `{"count":1,"components":[` + itemJSON + `]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return collect(c.ListComponents(ctx, "a1", ComponentListOptions{}))
			}, []*Component{wantItem},
		},
		{
			"list an application's components by name", componentList, 200, `{"count":2,"components":[{"id":"c0","name":"web-2"},` + itemJSON + `]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return collect(c.ListComponents(ctx, "a1", ComponentListOptions{Name: "WEB"}))
			}, []*Component{wantItem},
		},
		{
			"list all components", "GET /components?limit=100&offset=0&order=asc&order_by=create_time", 200, `{"count":0,"components":null}`,
			func(ctx context.Context, c *Client) (any, error) {
				return collect(c.ListComponents(ctx, "", ComponentListOptions{}))
			}, []*Component(nil),
		},
		{
			"list all components by names, where the cloud matches loosely",
			"GET /components?application_name=shop&component_name=web&limit=10&offset=0&order=asc&order_by=create_time", 200,
			`{"count":3,"components":[{"id":"c0","name":"web-2","application_name":"shop"},{"id":"c2","name":"web","application_name":"shop-2"},` + itemJSON + `]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return collect(c.ListComponents(ctx, "", ComponentListOptions{ApplicationName: "shop", Name: "web", Limit: 10}))
			}, []*Component{wantItem},
		},
		{
			"list runtime stacks", "GET /runtimestacks", 200,
			`{"runtimestacks":[{"name":"OpenJDK8","deploy_mode":"container","version":"1.1.1","type":"Java","status":"Deprecated"},` +
				`{"id":"r2","name":"Docker","deploy_mode":"container","version":"1.0","type":"Docker","status":"Supported","url":"swr/d","system":1,"description":null},null]}`,
			func(ctx context.Context, c *Client) (any, error) { return c.ListRuntimeStacks(ctx) },
			[]RuntimeStack{
				{Name: "OpenJDK8", DeployMode: "container", Version: "1.1.1", Type: "Java", Status: "Deprecated"},
				{ID: "r2", Name: "Docker", DeployMode: "container", Version: "1.0", Type: "Docker", Status: "Supported", URL: "swr/d", System: true},
			},
		},
		{
			"no runtime stacks", "GET /runtimestacks", 200, `{"runtimestacks":null}`,
			func(ctx context.Context, c *Client) (any, error) { return c.ListRuntimeStacks(ctx) }, []RuntimeStack(nil),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line, _, _ := strings.Cut(tt.request, " {")
			cloud, client := newScript(t, map[string]http.HandlerFunc{line: reply(tt.status, tt.reply)})
			got, err := tt.call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{tt.request}, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestComponentsOfManyPages(t *testing.T) {
	_, client := newScript(t, map[string]http.HandlerFunc{
		"GET /components?limit=2&offset=0&order=asc&order_by=create_time": reply(200, `{"count":3,"components":[{"id":"c1"},{"id":"c2"}]}`),
		"GET /components?limit=2&offset=1&order=asc&order_by=create_time": reply(200, `{"count":3,"components":[{"id":"c2"},{"id":"c3"}]}`),
	})
	var got []string
	for component, err := range client.ListComponents(t.Context(), "", ComponentListOptions{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, component.ID)
	}
	if diff := cmp.Diff([]string{"c1", "c2", "c3"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

// componentCalls are the calls about one component, by their requests.
var componentCalls = map[string]func(context.Context, *Client) error{
	"GET /applications/a1/components/c1": func(ctx context.Context, c *Client) error {
		_, err := c.GetComponent(ctx, "a1", "c1")
		return err
	},
	componentPut: func(ctx context.Context, c *Client) error {
		_, err := c.UpdateComponent(ctx, "a1", "c1", map[string]any{"name": "web"})
		return err
	},
	"DELETE /applications/a1/components/c1": func(ctx context.Context, c *Client) error {
		return c.DeleteComponent(ctx, "a1", "c1")
	},
	"POST /applications/a1/components/c1/action": func(ctx context.Context, c *Client) error {
		_, err := c.ComponentAction(ctx, "a1", "c1", ActionStop, nil)
		return err
	},
	recordList: func(ctx context.Context, c *Client) error {
		for _, err := range c.ListComponentRecords(ctx, "a1", "c1") {
			return err
		}
		return nil
	},
}

// A missing component is told by its own 404, by its application's, or by 401 and a list that holds it no longer.
func TestComponentGoneIsConfirmed(t *testing.T) {
	suspect := failure(401, "SVCSTG.00100401")
	applications := func(body string) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{componentList: suspect, applicationList: reply(200, body)}
	}
	components := func(answer http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{componentList: answer}
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		lists  map[string]http.HandlerFunc // all of them must be asked
		want   clouderr.Class
	}{
		{"its own 404", failure(404, "SVCSTG.00100404"), nil, clouderr.NotFound},
		{"its application's 404", failure(404, "SVCSTG.00100403"), nil, clouderr.NotFound},
		{"its environment's 404", failure(404, "SVCSTG.00100411"), nil, clouderr.Invalid},
		{"a load balancer's 404", failure(404, "SVCSTG.00100424"), nil, clouderr.Invalid},
		{"version already used", failure(404, "SVCSTG.00100441"), nil, clouderr.Invalid},
		{"a 404 of the gateway", failure(404, "APIGW.0101"), nil, clouderr.Invalid},
		{"an empty 404", reply(404, ""), nil, clouderr.Transient},
		{"401, not in the list", suspect, components(reply(200, `{"count":1,"components":[{"id":"c2"}]}`)), clouderr.NotFound},
		{"401, in the list", suspect, components(reply(200, `{"count":1,"components":[{"id":"c1"}]}`)), clouderr.Transient},
		{"401, a list without what it counts", suspect, components(reply(200, `{"count":1,"components":[]}`)), clouderr.Transient},
		{"401, a list that fails", suspect, components(failure(500, "SVCSTG.00100500")), clouderr.Transient},
		{"401, a list of an application that is gone", suspect, components(failure(404, "SVCSTG.00100403")), clouderr.NotFound},
		{"401, a suspect list, an application that is gone", suspect, applications(`{"count":0,"applications":[]}`), clouderr.NotFound},
		{"401, a suspect list, an application that is there", suspect, applications(`{"count":1,"applications":[{"id":"a1"}]}`), clouderr.Transient},
		{"credentials refused", failure(401, "APIGW.0301"), nil, clouderr.Unauthorized},
		{"not in this state", failure(409, "SVCSTG.00100419"), nil, clouderr.Busy},
		{"cannot be deleted now", failure(409, "SVCSTG.00100423"), nil, clouderr.Busy},
		{"in another release task", failure(409, "SVCSTG.00100432"), nil, clouderr.Busy},
		{"deployed, uninstall first", failure(400, "SVCSTG.00100402"), nil, clouderr.Invalid},
	}
	for line, call := range componentCalls {
		for _, tt := range tests {
			t.Run(line+"/"+tt.name, func(t *testing.T) {
				answers, want := map[string]http.HandlerFunc{line: tt.answer}, []string{line}
				for _, list := range []string{componentList, applicationList} {
					if tt.lists[list] != nil {
						answers[list] = tt.lists[list]
						want = append(want, list)
					}
				}
				cloud, client := newScript(t, answers)
				if err := call(t.Context(), client); clouderr.ClassOf(err) != tt.want {
					t.Errorf("error = %v, want class %s", err, tt.want)
				}
				var got []string
				for _, request := range cloud.requests() {
					plain, _, _ := strings.Cut(request, " {")
					got = append(got, plain)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("requests (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestCreateComponentThatFails(t *testing.T) {
	const create = "POST /applications/a1/components"
	suspect := failure(401, "SVCSTG.00100401")
	tests := []struct {
		name    string
		answers map[string]http.HandlerFunc
		want    clouderr.Class
	}{
		{"name taken", map[string]http.HandlerFunc{create: failure(409, "SVCSTG.00100413")}, clouderr.Exists},
		{"version taken", map[string]http.HandlerFunc{create: failure(404, "SVCSTG.00100441")}, clouderr.Invalid},
		{"unknown runtime", map[string]http.HandlerFunc{create: failure(400, "SVCSTG.00100420")}, clouderr.Invalid},
		{"application gone", map[string]http.HandlerFunc{create: failure(404, "SVCSTG.00100403")}, clouderr.NotFound},
		{"environment gone", map[string]http.HandlerFunc{create: failure(404, "SVCSTG.00100411")}, clouderr.Invalid},
		{"application gone, suspected", map[string]http.HandlerFunc{create: suspect,
			applicationList: reply(200, `{"count":0,"applications":[]}`)}, clouderr.NotFound},
		{"environment gone, suspected", map[string]http.HandlerFunc{create: suspect,
			applicationList: reply(200, `{"count":1,"applications":[{"id":"a1"}]}`),
			environmentList: reply(200, `{"count":0,"environments":[]}`)}, clouderr.Invalid},
		{"nothing gone, but suspected", map[string]http.HandlerFunc{create: suspect,
			applicationList: reply(200, `{"count":1,"applications":[{"id":"a1"}]}`),
			environmentList: reply(200, `{"count":1,"environments":[{"id":"e1"}]}`)}, clouderr.Transient},
		{"a reply without an id", map[string]http.HandlerFunc{create: reply(200, `{"job_id":"JOB1"}`)}, clouderr.Transient},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud, client := newScript(t, tt.answers)
			job, err := client.CreateComponent(t.Context(), "a1", map[string]any{"environment_id": "e1"})
			if job != nil || clouderr.ClassOf(err) != tt.want {
				t.Errorf("%v, %v; want class %s", job, err, tt.want)
			}
			if got := len(cloud.requests()); got != len(tt.answers) {
				t.Errorf("%d requests, want each of the %d once", got, len(tt.answers))
			}
		})
	}
}

func TestListComponentsOfAnApplicationThatIsGone(t *testing.T) {
	for name, answers := range map[string]map[string]http.HandlerFunc{
		"documented": {componentList: failure(404, "SVCSTG.00100403")},
		"suspected":  {componentList: failure(401, "SVCSTG.00100401"), applicationList: reply(200, `{"count":0,"applications":[]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := newScript(t, answers)
			if got, err := collect(client.ListComponents(t.Context(), "a1", ComponentListOptions{})); !clouderr.Is(err, clouderr.NotFound) {
				t.Errorf("%v, %v; want NotFound", got, err)
			}
		})
	}
}

func TestComponentsThatAreGarbage(t *testing.T) {
	for _, body := range []string{`{}`, `null`, `[]`, `{"id":{}`, `{"id":"c1","status":7}`, `<html>`, ``} {
		_, client := newScript(t, map[string]http.HandlerFunc{"GET /applications/a1/components/c1": reply(200, body)})
		if got, err := client.GetComponent(t.Context(), "a1", "c1"); !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("%q: %v, %v; want Transient", body, got, err)
		}
	}
}

func TestSecretsOfComponentsStayOutOfErrors(t *testing.T) {
	const secret = "s3cret-canary"
	quote := reply(400, `{"error_code":"SVCSTG.00100400","error_msg":"invalid value: `+secret+`"}`)
	_, client := newScript(t, map[string]http.HandlerFunc{"POST /applications/a1/components": quote, componentPut: quote})
	body := map[string]any{"envs": []any{map[string]any{"name": "PASSWORD", "value": secret}}}
	_, create := client.CreateComponent(t.Context(), "a1", body, secret)
	_, update := client.UpdateComponent(t.Context(), "a1", "c1", body, secret)
	for what, err := range map[string]error{"create": create, "update": update} {
		if !clouderr.Is(err, clouderr.Invalid) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "invalid value") {
			t.Errorf("%s: %v, want the cloud's words without the value", what, err)
		}
	}
}

func TestComponentIDsThatWouldChangeThePath(t *testing.T) {
	_, client := newScript(t, nil) // nothing may be sent
	for _, bad := range []string{"", "..", "a/b", "a?b", "é"} {
		for _, ids := range [][2]string{{bad, "c1"}, {"a1", bad}} {
			_, get := client.GetComponent(t.Context(), ids[0], ids[1])
			_, update := client.UpdateComponent(t.Context(), ids[0], ids[1], nil)
			_, action := client.ComponentAction(t.Context(), ids[0], ids[1], ActionStart, nil)
			var records error
			for _, err := range client.ListComponentRecords(t.Context(), ids[0], ids[1]) {
				records = err
			}
			for _, err := range []error{get, update, action, records, client.DeleteComponent(t.Context(), ids[0], ids[1])} {
				if !clouderr.Is(err, clouderr.Invalid) {
					t.Errorf("ids %q: %v, want Invalid", ids, err)
				}
			}
		}
		_, create := client.CreateComponent(t.Context(), bad, nil)
		_, job := client.GetJob(t.Context(), bad)
		for _, err := range []error{create, job} {
			if !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("id %q: %v, want Invalid", bad, err)
			}
		}
	}
	if _, err := collect(client.ListComponents(t.Context(), "..", ComponentListOptions{})); !clouderr.Is(err, clouderr.Invalid) {
		t.Errorf("list: %v, want Invalid", err)
	}
}
