// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	enginesURI = "/v2/enginemgr/engines"
	listURI    = "GET " + enginesURI + "?limit=100&offset=0&type=CSE"
)

// The addresses of an engine, in the letters of replies.
const entriesJSON = `{
	"kie":{"masterEntrypoint":"https://192.168.0.169:30110","masterEntrypointIpv6":"https://[2407::1]:30110","slaveEntrypoint":null,"slaveEntrypointIpv6":null,"type":"REGISTRY"},
	"serviceCenter":{"masterEntrypoint":"https://192.168.0.169:30100","slaveEntrypoint":"https://192.168.0.170:30100","type":"REGISTRY"}}`

var (
	wantKie    = EntryPoint{Master: "https://192.168.0.169:30110", MasterIPv6: "https://[2407::1]:30110"}
	wantCenter = EntryPoint{Master: "https://192.168.0.169:30100", Slave: "https://192.168.0.170:30100"}
)

func TestEngineShapes(t *testing.T) {
	reference := Reference{
		VPC: "vpc-test", VPCID: "v1", NetworkID: "n1", SubnetCIDR: "192.168.0.0/24", SubnetGateway: "192.168.0.2",
		AZList: []string{"az2", "az1"}, ServiceLimit: 200, InstanceLimit: 500, Inputs: map[string]string{"nodeFlavor": "s6.large.2", "arm": "false"},
	}
	tests := []struct {
		name, json string
		want       Engine
	}{
		{
			"an item of a list",
			`{"id":"e1","name":"test","enterpriseProjectId":"0","enterpriseProjectName":"default","type":"CSE_SHARE","description":"d",
			  "flavor":"cse.s1.medium2","payment":"1","authType":"RBAC","status":"Available","externalAddress":"192.168.0.169",
			  "serviceEndpoint":` + entriesJSON + `,"publicAddress":"","publicServiceEndpoint":{"kie":{"masterEntrypoint":""}},
			  "totalInstance":200,"usedInstance":3,"availableInstance":197,"version":"2.3.1","latestVersion":"2.3.3","createTime":1635576800332,
			  "dueTo":4102415999000,"latestJobId":12339,"engineAdditionalActions":["Retry"],"specType":"CSE2",
			  "reference":{"vpc":"vpc-test","vpcId":"v1","azList":["az2","az1"],"networkId":"n1","subnetCidr":"192.168.0.0/24",
			   "subnetGateway":"192.168.0.2","publicIpId":null,"serviceLimit":200,"instanceLimit":500,"inputs":{"nodeFlavor":"s6.large.2","arm":"false"}}}`,
			Engine{
				ID: "e1", Name: "test", EnterpriseProjectID: "0", EnterpriseProjectName: "default", Type: "CSE_SHARE", Description: "d",
				Flavor: "cse.s1.medium2", Payment: "1", AuthType: "RBAC", Status: StatusAvailable, ExternalAddress: "192.168.0.169",
				Kie: wantKie, ServiceCenter: wantCenter, TotalInstances: 200, UsedInstances: 3, AvailableInstances: 197,
				Version: "2.3.1", LatestVersion: "2.3.3", CreateTime: 1635576800332, LatestJobID: 12339,
				AdditionalActions: []string{"Retry"}, SpecType: "CSE2", Reference: reference,
			},
		},
		{
			"a detail with a stray address, limits as text and inputs of other types",
			`{"id":"e1","name":"test","alias":"shown","authType":"rbac","payment":1,"status":"CREATING","beDefault":true,"createUser":"u","latestJobId":"7",
			  "cceSpec":{"id":7465},"externalEntrypoint":{"externalAddress":"192.168.0.169","publicAddress":"1.2.3.4","serviceEndpoint":` + entriesJSON + `},
			  "publicServiceEndpoint":{"kie":{"masterEntryPoint":"https://1.2.3.4:30110"}},
			  "reference":{"vpc":"vpc-test","vpcId":"v1","azList":["az2","az1"],"networkId":"n1","subnetCidr":"192.168.0.0/24",
			   "subnetGateway":"192.168.0.2","serviceLimit":"200","instanceLimit":"500","inputs":{"nodeFlavor":"s6.large.2","arm":false}},
			  "projectId":"p1","vmIds":[""]}`,
			Engine{
				ID: "e1", Name: "test", Alias: "shown", AuthType: "RBAC", Payment: "1", Status: StatusCreating, Default: true, CreateUser: "u", LatestJobID: 7,
				ExternalAddress: "192.168.0.169", PublicAddress: "1.2.3.4", Kie: wantKie, ServiceCenter: wantCenter,
				PublicKie: EntryPoint{Master: "https://1.2.3.4:30110"}, ProjectID: "p1", Reference: reference,
			},
		},
		{
			"the configuration center under its other name, and a state nobody knows",
			`{"id":"e1","status":"Resizing","externalEntrypoint":{"serviceEndpoint":{"configCenter":{"masterEntryPoint":"https://10.0.0.1:30110"}}}}`,
			Engine{ID: "e1", Status: "Resizing", Kie: EntryPoint{Master: "https://10.0.0.1:30110"}},
		},
		{
			"an engine at its beginning",
			`{"id":"e1","name":"n","status":"Creating","externalEntrypoint":null,"serviceEndpoint":"","reference":null,"engineAdditionalActions":null,"inputs":""}`,
			Engine{ID: "e1", Name: "n", Status: StatusCreating},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Engine
			if err := json.Unmarshal([]byte(tt.json), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("engine (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEntryPointAddresses(t *testing.T) {
	got := EntryPoint{Master: "m", MasterIPv6: "m6", Slave: "s"}.Addresses()
	if diff := cmp.Diff([]string{"m", "s", "m6"}, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// collect reads a list to its end or its error.
func collect(ctx context.Context, client *Client) (ids []string, err error) {
	for engine, err := range client.ListEngines(ctx) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, engine.ID)
	}
	return ids, nil
}

func enginesJSON(total, from, to int) string {
	var engines []string
	for n := from; n < to; n++ {
		engines = append(engines, fmt.Sprintf(`{"id":"e%d"}`, n))
	}
	return fmt.Sprintf(`{"total":%d,"data":[%s]}`, total, strings.Join(engines, ","))
}

func TestListEngines(t *testing.T) {
	second := strings.Replace(listURI, "offset=0", "offset=100", 1)
	tests := []struct {
		name     string
		answers  map[string]http.HandlerFunc
		want     int
		requests []string
		class    clouderr.Class
	}{
		{"none", map[string]http.HandlerFunc{listURI: reply(200, enginesJSON(0, 0, 0))}, 0, []string{listURI}, ""},
		{"null", map[string]http.HandlerFunc{listURI: reply(200, `{"total":0,"data":null}`)}, 0, []string{listURI}, ""},
		{"one, which would be at offset 1 too", map[string]http.HandlerFunc{listURI: reply(200, enginesJSON(1, 0, 1))}, 1, []string{listURI}, ""},
		{
			"two pages that overlap", map[string]http.HandlerFunc{listURI: reply(200, enginesJSON(150, 0, 100)), second: reply(200, enginesJSON(150, 99, 150))},
			150, []string{listURI, second}, "",
		},
		{"without a total", map[string]http.HandlerFunc{listURI: reply(200, `{"data":[{"id":"e0"},null]}`)}, 1, []string{listURI}, ""},
		{
			"fewer than it says", map[string]http.HandlerFunc{listURI: reply(200, enginesJSON(2, 0, 1)), second: reply(200, enginesJSON(2, 0, 1))},
			1, []string{listURI, second}, clouderr.Transient,
		},
		{"no list", map[string]http.HandlerFunc{listURI: reply(200, `{}`)}, 0, []string{listURI}, clouderr.Transient},
		{"refused", map[string]http.HandlerFunc{listURI: failure(403, "SVCSTG.00500403")}, 0, []string{listURI}, clouderr.Forbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud, client := newScript(t, tt.answers)
			ids, err := collect(t.Context(), client)
			if len(ids) != tt.want || clouderr.ClassOf(err) != tt.class {
				t.Errorf("%d engines, %v; want %d and class %q", len(ids), err, tt.want, tt.class)
			}
			if diff := cmp.Diff(tt.requests, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListEnginesOfAMovingTotal(t *testing.T) {
	second := strings.Replace(listURI, "offset=0", "offset=100", 1)
	t.Run("an engine is deleted between two pages", func(t *testing.T) {
		// The first of 150 engines goes after the first page, so that engine 100 moves onto a page that was read.
		deleted := false
		cloud, client := newScript(t, map[string]http.HandlerFunc{
			listURI: func(w http.ResponseWriter, r *http.Request) {
				if deleted {
					reply(200, enginesJSON(149, 1, 101))(w, r)
					return
				}
				reply(200, enginesJSON(150, 0, 100))(w, r)
				deleted = true
			},
			second: reply(200, enginesJSON(149, 101, 150)),
		})
		ids, err := collect(t.Context(), client)
		if err != nil || len(ids) != 150 {
			t.Errorf("%d engines, %v; want 150", len(ids), err)
		}
		if diff := cmp.Diff([]string{listURI, second, listURI, second}, cloud.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	})
	t.Run("never at rest", func(t *testing.T) {
		total := 150
		next := func(w http.ResponseWriter, r *http.Request) {
			total++
			reply(200, enginesJSON(total, 0, 100))(w, r)
		}
		_, client := newScript(t, map[string]http.HandlerFunc{listURI: next, second: next})
		if _, err := collect(t.Context(), client); !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("%v, want class Transient", err)
		}
	})
	t.Run("the reader has had enough", func(t *testing.T) {
		cloud, client := newScript(t, map[string]http.HandlerFunc{listURI: reply(200, enginesJSON(150, 0, 100))})
		for range client.ListEngines(t.Context()) {
			break
		}
		if n := len(cloud.requests()); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestListFlavors(t *testing.T) {
	const uri = "GET /v2/enginemgr/flavors?specType=CSE2"
	cloud, client := newScript(t, map[string]http.HandlerFunc{
		uri: reply(200, `{"total":2,"data":[{"flavor":"cse.s1.small2","description":"100 instances","spec":{}},null,{"flavor":"cse.s1.large2"}]}`),
	})
	got, err := client.ListFlavors(t.Context(), "ep1", "CSE2")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Flavor{{"cse.s1.small2", "100 instances"}, {"cse.s1.large2", ""}}, got); diff != "" {
		t.Errorf("flavors (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{uri + " [ep1]"}, cloud.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestCreateEngine(t *testing.T) {
	const uri = "POST " + enginesURI
	least := EngineCreate{
		Name: "shop", Flavor: "cse.s1.small2", AZList: []string{"az1"}, AuthType: "NONE", VPC: "vpc-demo", VPCID: "v1",
		NetworkID: "n1", SubnetCIDR: "192.168.0.0/24",
	}
	most := least
	most.Description, most.AuthType, most.PublicIPID = "d", "RBAC", "ip1"
	most.Inputs, most.RootPassword = map[string]string{"nodeFlavor": "s6"}, "Passw0rd!x"
	tests := []struct {
		name, project string
		create        EngineCreate
		want          string
	}{
		{
			"the least", "", least,
			` [0] {"name":"shop","payment":"1","flavor":"cse.s1.small2","azList":["az1"],"authType":"NONE","vpc":"vpc-demo","vpcId":"v1",` +
				`"networkId":"n1","subnetCidr":"192.168.0.0/24","specType":"CSE2"}`,
		},
		{
			"the most", "ep1", most,
			` [ep1] {"name":"shop","description":"d","payment":"1","flavor":"cse.s1.small2","azList":["az1"],"authType":"RBAC","vpc":"vpc-demo","vpcId":"v1",` +
				`"networkId":"n1","subnetCidr":"192.168.0.0/24","specType":"CSE2","publicIpId":"ip1","auth_cred":{"pwd":"Passw0rd!x"},"inputs":{"nodeFlavor":"s6"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cloud, client := newScript(t, map[string]http.HandlerFunc{uri: reply(200, `{"id":"e1","name":"shop","jobId":17655}`)})
			got, err := client.CreateEngine(t.Context(), tt.project, tt.create)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&EngineJob{ID: "e1", Name: "shop", JobID: 17655}, got); diff != "" {
				t.Errorf("job (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{uri + tt.want}, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCreateEngineFailures(t *testing.T) {
	for answer, want := range map[*http.HandlerFunc]clouderr.Class{
		pointer(failure(400, "SVCSTG.00501111")): clouderr.Exists,
		pointer(failure(400, "SVCSTG.00501112")): clouderr.Quota,
		pointer(failure(400, "SVCSTG.00501104")): clouderr.Invalid,
		pointer(failure(500, "SVCSTG.00500400")): clouderr.Transient,
		pointer(reply(200, `{}`)):                clouderr.Transient,
		pointer(reply(200, ``)):                  clouderr.Transient,
	} {
		_, client := newScript(t, map[string]http.HandlerFunc{"POST " + enginesURI: *answer})
		if _, err := client.CreateEngine(t.Context(), "", EngineCreate{Name: "shop"}); !clouderr.Is(err, want) {
			t.Errorf("%v, want class %s", err, want)
		}
	}
}

func TestRootPasswordStaysHidden(t *testing.T) {
	create := EngineCreate{Name: "shop", RootPassword: "Passw0rd!x"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "create", create)
	_, client := newScript(t, map[string]http.HandlerFunc{
		"POST " + enginesURI: reply(400, `{"error_code":"SVCSTG.00501100","error_msg":"pwd Passw0rd!x is weak","detail":"{\"pwd\":\"Passw0rd!x\"}"}`),
	})
	_, err := client.CreateEngine(t.Context(), "", create)
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", create, create, create, create), fmt.Sprint(&create), log.String(), fmt.Sprint(err), clouderr.UserMessage(err),
	} {
		if strings.Contains(text, "Passw0rd") || text == "" {
			t.Errorf("printed as %s", text)
		}
	}
}

// engineCalls are all the calls about one engine, by their requests.
func engineCalls() map[string]func(context.Context, *Client) error {
	return map[string]func(context.Context, *Client) error{
		"GET " + enginesURI + "/e1": func(ctx context.Context, c *Client) error {
			_, err := c.GetEngine(ctx, "ep1", "e1")
			return err
		},
		"PUT " + enginesURI + `/e1 {"description":"d","alias":"a"}`: func(ctx context.Context, c *Client) error {
			return c.UpdateEngine(ctx, "ep1", "e1", EngineUpdate{Description: pointer("d"), Alias: pointer("a")})
		},
		"PUT " + enginesURI + `/e1 {"description":"d"}`: func(ctx context.Context, c *Client) error {
			return c.UpdateEngine(ctx, "ep1", "e1", EngineUpdate{Description: pointer("d")})
		},
		"DELETE " + enginesURI + "/e1": func(ctx context.Context, c *Client) error {
			_, err := c.DeleteEngine(ctx, "ep1", "e1")
			return err
		},
		"GET " + enginesURI + "/e1/jobs/7": func(ctx context.Context, c *Client) error {
			_, err := c.GetEngineJob(ctx, "ep1", "e1", 7)
			return err
		},
		"PUT " + enginesURI + `/e1/actions {"action":"Retry"}`: func(ctx context.Context, c *Client) error {
			return c.EngineAction(ctx, "ep1", "e1", ActionRetry)
		},
		"PUT " + enginesURI + `/e1/resize {"flavor":"f","inputs":{"a":"b"}}`: func(ctx context.Context, c *Client) error {
			_, err := c.ResizeEngine(ctx, "ep1", "e1", "f", map[string]string{"a": "b"})
			return err
		},
		"PUT " + enginesURI + `/e1/upgrade {"version":"2.4"}`: func(ctx context.Context, c *Client) error {
			_, err := c.UpgradeEngine(ctx, "ep1", "e1", "2.4")
			return err
		},
		"PUT " + enginesURI + `/e1/config {"authType":"RBAC"}`: func(ctx context.Context, c *Client) error {
			_, err := c.SetAuthType(ctx, "ep1", "e1", "RBAC")
			return err
		},
		"POST /v1/kie/download {\"ids\":[\"i1\"]}": func(ctx context.Context, c *Client) error {
			_, err := c.ExportKie(ctx, "ep1", "e1", []string{"i1"})
			return err
		},
		"POST /v1/kie/download {\"ids\":[]}": func(ctx context.Context, c *Client) error {
			_, err := c.ExportKie(ctx, "ep1", "e1", nil)
			return err
		},
	}
}

// cut separates the line of a request from its body.
func cutBody(request string) (line, body string) {
	line, body, found := strings.Cut(request, " {")
	if found {
		body = " {" + body
	}
	return line, body
}

func TestCallsAboutOneEngine(t *testing.T) {
	for request, call := range engineCalls() {
		line, body := cutBody(request)
		t.Run(request, func(t *testing.T) {
			cloud, client := newScript(t, map[string]http.HandlerFunc{
				line: reply(200, `{"id":"e1","name":"shop","jobId":8,"status":"Available","data":[]}`),
			})
			if err := call(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{line + " [ep1]" + body}, cloud.requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMissingEngine(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		list   http.HandlerFunc
		want   clouderr.Class
		words  string
	}{
		{"as documented", failure(400, "SVCSTG.00501116"), nil, clouderr.NotFound, ""},
		{"as observed, and not listed", failure(401, "SVCSTG.00501125"), reply(200, enginesJSON(1, 0, 1)), clouderr.NotFound, "does not exist"},
		{"as observed, and listed as deleted", failure(401, "SVCSTG.00501125"), reply(200, `{"total":1,"data":[{"id":"e1","status":"Deleted"}]}`), clouderr.NotFound, ""},
		{"as observed, but listed", failure(401, "SVCSTG.00501125"), reply(200, enginesJSON(2, 0, 2)), clouderr.Transient, "but lists it"},
		{"as observed, and no list", failure(401, "SVCSTG.00501125"), reply(500, ""), clouderr.Transient, "would confirm"},
		{"as observed, and no list allowed", failure(401, "SVCSTG.00501125"), failure(403, "SVCSTG.1"), clouderr.Forbidden, "would confirm"},
		{"as observed, and half a list", failure(401, "SVCSTG.00501125"), reply(200, `{}`), clouderr.Transient, "would confirm"},
		{"another refusal of the service", failure(401, "SVCSTG.00501199"), nil, clouderr.Forbidden, ""},
		{"busy", failure(400, "SVCSTG.00501117"), nil, clouderr.Busy, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for request, call := range engineCalls() {
				line, _ := cutBody(request)
				answers := map[string]http.HandlerFunc{line: tt.answer}
				if tt.list != nil {
					answers[listURI] = tt.list
				}
				_, client := newScript(t, answers)
				err := call(t.Context(), client)
				if !clouderr.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.words) {
					t.Errorf("%s: %v, want class %s and %q", request, err, tt.want, tt.words)
				}
			}
		})
	}
}

func TestAnswersOfOtherShapes(t *testing.T) {
	uri := "PUT " + enginesURI + "/e1/resize"
	_, client := newScript(t, map[string]http.HandlerFunc{uri: reply(200, `{"job_id":"9"}`)})
	got, err := client.ResizeEngine(t.Context(), "", "e1", "f", nil)
	if err != nil || *got != (EngineJob{ID: "e1", JobID: 9}) {
		t.Errorf("%+v, %v; want job 9 of e1", got, err)
	}
	for _, body := range []string{"", "{}", `{"id":"e1"}`} {
		_, client := newScript(t, map[string]http.HandlerFunc{
			"PUT " + enginesURI + "/e1": reply(200, body), "PUT " + enginesURI + "/e1/actions": reply(200, body),
		})
		if err := client.UpdateEngine(t.Context(), "", "e1", EngineUpdate{}); err != nil {
			t.Errorf("an update answered with %q: %v", body, err)
		}
		if err := client.EngineAction(t.Context(), "", "e1", ActionRetry); err != nil {
			t.Errorf("an action answered with %q: %v", body, err)
		}
	}
}

func TestIDsThatChangeTheCall(t *testing.T) {
	cloud, client := newScript(t, nil)
	for _, id := range []string{"", ".", "..", "a/b", "a?b", "a b", "a\r\nX: y"} {
		_, get := client.GetEngine(t.Context(), "", id)
		_, deleted := client.DeleteEngine(t.Context(), "", id)
		_, exported := client.ExportKie(t.Context(), "", id, nil)
		errs := []error{get, deleted, exported}
		if id != "" {
			_, get := client.GetEngine(t.Context(), id, "e1")
			_, create := client.CreateEngine(t.Context(), id, EngineCreate{})
			_, flavors := client.ListFlavors(t.Context(), id, "CSE2")
			errs = append(errs, get, create, flavors)
		}
		for i, err := range errs {
			if !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("id %q, call %d: %v, want class Invalid", id, i, err)
			}
		}
	}
	if _, err := client.GetEngineJob(t.Context(), "", "e1", 0); !clouderr.Is(err, clouderr.Invalid) {
		t.Errorf("job 0: %v, want class Invalid", err)
	}
	if got := cloud.requests(); len(got) != 0 {
		t.Errorf("requests were sent: %v", got)
	}
}
