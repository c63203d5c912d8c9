// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	environmentJSON = `{"id":"e1","name":"dev","description":"d","project_id":"p1","enterprise_project_id":"0",` +
		`"deploy_mode":"mixed","vpc_id":"v1","creator":"bot","create_time":1767225600000,"update_time":1767225600001,` +
		`"labels":[{"key":"k","value":"v"}],"resources":[{"id":"r1","type":"cce","name":""}],"unknown":{"x":1}}`
	applicationJSON = `{"id":"a1","name":"shop","description":"d","project_id":"p1","enterprise_project_id":"0","creator":"bot",` +
		`"create_time":1767225600000,"update_time":1767225600001,"component_count":2,"labels":null}`
	configurationJSON = `{"application_id":"a1","environment_id":"e1","configuration":{"env":[{"name":"N","value":"V"}]}}`
)

var (
	environment = &Environment{
		ID: "e1", Name: "dev", Description: "d", ProjectID: "p1", EnterpriseProjectID: "0", DeployMode: "mixed", VPCID: "v1",
		Creator: "bot", CreateTime: 1767225600000, UpdateTime: 1767225600001, Labels: []Label{{"k", "v"}},
		Resources: []EnvironmentResource{{ID: "r1", Type: "cce"}},
	}
	application = &Application{
		ID: "a1", Name: "shop", Description: "d", ProjectID: "p1", EnterpriseProjectID: "0", Creator: "bot",
		CreateTime: 1767225600000, UpdateTime: 1767225600001, ComponentCount: 2,
	}
	configured = &ApplicationConfiguration{ApplicationID: "a1", EnvironmentID: "e1", Env: []EnvVar{{"N", "V"}}}
)

// TestOperations is the golden log: every operation of 5.1 and 5.2, the request it makes and what it returns.
func TestOperations(t *testing.T) {
	tests := []struct {
		name    string
		request string // with the body
		status  int
		reply   string
		call    func(context.Context, *Client) (any, error)
		want    any
	}{
		{
			"create an environment",
			`POST /environments {"name":"dev","deploy_mode":"mixed","description":"d","enterprise_project_id":"0","vpc_id":"v1","labels":[{"key":"k","value":"v"}]}`,
			200, environmentJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.CreateEnvironment(ctx, EnvironmentCreate{
					Name: "dev", DeployMode: "mixed", Description: "d", EnterpriseProjectID: "0", VPCID: "v1", Labels: []Label{{"k", "v"}},
				})
			}, environment,
		},
		{
			"create a plain environment", `POST /environments {"name":"dev","vpc_id":"v1"}`, 200, environmentJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.CreateEnvironment(ctx, EnvironmentCreate{Name: "dev", VPCID: "v1"})
			}, environment,
		},
		{
			"get an environment", `GET /environments/e1`, 200, environmentJSON,
			func(ctx context.Context, c *Client) (any, error) { return c.GetEnvironment(ctx, "e1") }, environment,
		},
		{
			"update an environment and keep the rest", `PUT /environments/e1 {"name":"dev"}`, 200, environmentJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateEnvironment(ctx, "e1", EnvironmentUpdate{Name: "dev"})
			}, environment,
		},
		{
			"clear an environment", `PUT /environments/e1 {"name":"dev","description":"","labels":[]}`, 200, environmentJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateEnvironment(ctx, "e1", EnvironmentUpdate{Name: "dev", Description: pointer(""), Labels: &[]Label{}})
			}, environment,
		},
		{
			"clear labels with a nil list", `PUT /environments/e1 {"name":"dev","labels":[]}`, 200, environmentJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateEnvironment(ctx, "e1", EnvironmentUpdate{Name: "dev", Labels: new([]Label)})
			}, environment,
		},
		{
			"delete an environment", `DELETE /environments/e1`, 204, ``,
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteEnvironment(ctx, "e1") }, nil,
		},
		{
			"get an environment's resources", `GET /environments/e1/resources`, 200, `{"resources":[{"id":"r1","type":"cce","name":"n"}]}`,
			func(ctx context.Context, c *Client) (any, error) { return c.GetEnvironmentResources(ctx, "e1") },
			[]EnvironmentResource{{ID: "r1", Type: "cce", Name: "n"}},
		},
		{
			"set an environment's resources", `PUT /environments/e1/resources {"resources":[{"id":"r1","type":"cce"},{"id":"r2","name":"n","type":"ecs"}]}`,
			200, `{"resources":[{"id":"r2","type":"ecs","name":"n"},{"id":"r1","type":"cce","name":""}]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.SetEnvironmentResources(ctx, "e1", []EnvironmentResource{{ID: "r1", Type: "cce"}, {ID: "r2", Type: "ecs", Name: "n"}})
			},
			[]EnvironmentResource{{ID: "r2", Type: "ecs", Name: "n"}, {ID: "r1", Type: "cce"}},
		},
		{
			"clear an environment's resources", `PUT /environments/e1/resources {"resources":[]}`, 200, `{"resources":null}`,
			func(ctx context.Context, c *Client) (any, error) { return c.SetEnvironmentResources(ctx, "e1", nil) },
			[]EnvironmentResource(nil),
		},
		{
			"create an application", `POST /applications {"name":"shop","description":"d","enterprise_project_id":"0","labels":[{"key":"k","value":"v"}]}`,
			200, applicationJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.CreateApplication(ctx, ApplicationCreate{Name: "shop", Description: "d", EnterpriseProjectID: "0", Labels: []Label{{"k", "v"}}})
			}, application,
		},
		{
			"get an application", `GET /applications/a1`, 200, applicationJSON,
			func(ctx context.Context, c *Client) (any, error) { return c.GetApplication(ctx, "a1") }, application,
		},
		{
			"update all of an application", `PUT /applications/a1 {"name":"shop","description":"","enterprise_project_id":"0","labels":[]}`, 200, applicationJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateApplication(ctx, "a1", ApplicationUpdate{
					Name: pointer("shop"), Description: pointer(""), EnterpriseProjectID: pointer("0"), Labels: new([]Label),
				})
			}, application,
		},
		{
			"update one field of an application", `PUT /applications/a1 {"description":"d"}`, 200, applicationJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateApplication(ctx, "a1", ApplicationUpdate{Description: pointer("d")})
			}, application,
		},
		{
			"delete an application", `DELETE /applications/a1`, 204, ``,
			func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteApplication(ctx, "a1") }, nil,
		},
		{
			"list all configurations", `GET /applications/a1/configuration`, 200, `{"configuration":[` + configurationJSON + `]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.ListApplicationConfigurations(ctx, "a1", "")
			},
			[]ApplicationConfiguration{*configured},
		},
		{
			"list one configuration where the cloud does not filter", `GET /applications/a1/configuration?environment_id=e2`, 200,
			`{"configuration":[` + configurationJSON + `]}`,
			func(ctx context.Context, c *Client) (any, error) {
				return c.ListApplicationConfigurations(ctx, "a1", "e2")
			},
			[]ApplicationConfiguration(nil),
		},
		{
			"set a configuration", `PUT /applications/a1/configuration {"environment_id":"e1","configuration":{"env":[{"name":"N","value":"V"}]}}`,
			200, configurationJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.SetApplicationConfiguration(ctx, "a1", "e1", []EnvVar{{"N", "V"}})
			}, configured,
		},
		{
			"set an empty configuration", `PUT /applications/a1/configuration {"environment_id":"e1","configuration":{"env":[]}}`, 200, configurationJSON,
			func(ctx context.Context, c *Client) (any, error) {
				return c.SetApplicationConfiguration(ctx, "a1", "e1", nil)
			}, configured,
		},
		{
			"delete a configuration", `DELETE /applications/a1/configuration?environment_id=e1`, 204, ``,
			func(ctx context.Context, c *Client) (any, error) {
				return nil, c.DeleteApplicationConfiguration(ctx, "a1", "e1")
			}, nil,
		},
		{
			"delete a configuration, answered 200", `DELETE /applications/a1/configuration?environment_id=e1`, 200, `{}`,
			func(ctx context.Context, c *Client) (any, error) {
				return nil, c.DeleteApplicationConfiguration(ctx, "a1", "e1")
			}, nil,
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

const (
	environmentList = "GET /environments?environment_id=e1&limit=100&offset=0&order=asc&order_by=create_time"
	applicationList = "GET /applications?limit=100&offset=0&order=asc&order_by=create_time"
)

// A missing resource is told by its own 404, or by 401 and a list that holds it no longer. Nothing else counts.
func TestGoneIsConfirmed(t *testing.T) {
	suspect := failure(401, "SVCSTG.00100401")
	tests := []struct {
		name   string
		answer http.HandlerFunc
		list   http.HandlerFunc // nil where the list must not be asked
		want   clouderr.Class
	}{
		{"its own 404", failure(404, "SVCSTG.0010OWN"), nil, clouderr.NotFound},
		{"another kind's 404", failure(404, "SVCSTG.00100404"), nil, clouderr.Invalid},
		{"a 404 that means something else", failure(404, "SVCSTG.00100441"), nil, clouderr.Invalid},
		{"a 404 of the gateway", failure(404, "APIGW.0101"), nil, clouderr.Invalid},
		{"a 404 of a proxy", reply(404, "<html>"), nil, clouderr.Transient},
		{"an empty 404", reply(404, ""), nil, clouderr.Transient},
		{"401, not in the list", suspect, reply(200, `{"count":0,"KIND":[]}`), clouderr.NotFound},
		{"401, others in the list", suspect, reply(200, `{"count":1,"KIND":[{"id":"other"}]}`), clouderr.NotFound},
		{"401, in the list", suspect, reply(200, `{"count":1,"KIND":[{"id":"ID"}]}`), clouderr.Transient},
		{"401, a list without what it counts", suspect, reply(200, `{"count":1,"KIND":[]}`), clouderr.Transient},
		{"401, an empty body", suspect, reply(200, ``), clouderr.Transient},
		{"401, garbage", suspect, reply(200, `<html>`), clouderr.Transient},
		{"401, a list that fails", suspect, failure(500, "SVCSTG.00100500"), clouderr.Transient},
		{"401, a list that is not understood", suspect, failure(400, "SVCSTG.00100400"), clouderr.Transient},
		{"401, a list that is not permitted", suspect, failure(403, "APIGW.0302"), clouderr.Forbidden},
		{"401, a list that is throttled", suspect, failure(429, "APIGW.0308"), clouderr.Throttled},
		{"401, a list that is refused", suspect, failure(401, "APIGW.0301"), clouderr.Unauthorized},
		{"401, a list that suspects itself", suspect, suspect, clouderr.Transient},
		{"credentials refused", failure(401, "APIGW.0301"), nil, clouderr.Unauthorized},
		{"a server error", failure(500, "SVCSTG.00100500"), nil, clouderr.Transient},
	}
	kinds := []struct {
		name, id, own, list string
		calls               map[string]func(context.Context, *Client) error
	}{
		{"environments", "e1", "SVCSTG.00100411", environmentList, map[string]func(context.Context, *Client) error{
			"GET /environments/e1":    func(ctx context.Context, c *Client) error { _, err := c.GetEnvironment(ctx, "e1"); return err },
			"DELETE /environments/e1": func(ctx context.Context, c *Client) error { return c.DeleteEnvironment(ctx, "e1") },
			"PUT /environments/e1": func(ctx context.Context, c *Client) error {
				_, err := c.UpdateEnvironment(ctx, "e1", EnvironmentUpdate{Name: "dev"})
				return err
			},
			"GET /environments/e1/resources": func(ctx context.Context, c *Client) error {
				_, err := c.GetEnvironmentResources(ctx, "e1")
				return err
			},
			"PUT /environments/e1/resources": func(ctx context.Context, c *Client) error {
				_, err := c.SetEnvironmentResources(ctx, "e1", nil)
				return err
			},
		}},
		{"applications", "a1", "SVCSTG.00100403", applicationList, map[string]func(context.Context, *Client) error{
			"GET /applications/a1":    func(ctx context.Context, c *Client) error { _, err := c.GetApplication(ctx, "a1"); return err },
			"DELETE /applications/a1": func(ctx context.Context, c *Client) error { return c.DeleteApplication(ctx, "a1") },
			"PUT /applications/a1": func(ctx context.Context, c *Client) error {
				_, err := c.UpdateApplication(ctx, "a1", ApplicationUpdate{})
				return err
			},
			"GET /applications/a1/configuration": func(ctx context.Context, c *Client) error {
				_, err := c.ListApplicationConfigurations(ctx, "a1", "")
				return err
			},
		}},
	}
	adapt := func(handler http.HandlerFunc, name, id, own string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			handler(&rewriter{ResponseWriter: w, replace: strings.NewReplacer("KIND", name, "ID", id, "SVCSTG.0010OWN", own)}, r)
		}
	}
	for _, kind := range kinds {
		for line, call := range kind.calls {
			for _, tt := range tests {
				t.Run(line+"/"+tt.name, func(t *testing.T) {
					answers := map[string]http.HandlerFunc{line: adapt(tt.answer, kind.name, kind.id, kind.own)}
					if tt.list != nil {
						answers[kind.list] = adapt(tt.list, kind.name, kind.id, kind.own)
					}
					cloud, client := newScript(t, answers)
					err := call(t.Context(), client)
					if got := clouderr.ClassOf(err); got != tt.want {
						t.Errorf("class = %s (%v), want %s", got, err, tt.want)
					}
					want := []string{line}
					if tt.list != nil {
						want = append(want, kind.list)
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
}

// rewriter fills in the kind's words in a reply.
type rewriter struct {
	http.ResponseWriter
	replace *strings.Replacer
}

func (w *rewriter) Write(body []byte) (int, error) {
	if _, err := w.ResponseWriter.Write([]byte(w.replace.Replace(string(body)))); err != nil {
		return 0, err
	}
	return len(body), nil
}

func TestDeletionsThatAreHeldBack(t *testing.T) {
	_, client := newScript(t, map[string]http.HandlerFunc{
		"DELETE /environments/e1": failure(409, "SVCSTG.00100426"),
		"DELETE /applications/a1": failure(409, "SVCSTG.00100401"),
	})
	for name, err := range map[string]error{
		"environment": client.DeleteEnvironment(t.Context(), "e1"), "application": client.DeleteApplication(t.Context(), "a1"),
	} {
		if !clouderr.Is(err, clouderr.InUse) {
			t.Errorf("%s: %v, want class InUse", name, err)
		}
	}
}

func TestNamesThatAreTaken(t *testing.T) {
	_, client := newScript(t, map[string]http.HandlerFunc{
		"POST /environments": failure(400, "SVCSTG.00100449"),
		"POST /applications": failure(400, "SVCSTG.00100458"),
	})
	_, environmentErr := client.CreateEnvironment(t.Context(), EnvironmentCreate{Name: "dev"})
	_, applicationErr := client.CreateApplication(t.Context(), ApplicationCreate{Name: "shop"})
	for name, err := range map[string]error{"environment": environmentErr, "application": applicationErr} {
		if !clouderr.Is(err, clouderr.Exists) {
			t.Errorf("%s: %v, want class Exists", name, err)
		}
	}
}

func TestRepliesWithoutAnID(t *testing.T) {
	_, client := newScript(t, map[string]http.HandlerFunc{
		"POST /environments": reply(200, `{}`), "GET /environments/e1": reply(200, `{}`),
		"POST /applications": reply(200, `{}`), "GET /applications/a1": reply(200, `{}`),
	})
	_, createEnvironment := client.CreateEnvironment(t.Context(), EnvironmentCreate{Name: "dev"})
	_, getEnvironment := client.GetEnvironment(t.Context(), "e1")
	_, createApplication := client.CreateApplication(t.Context(), ApplicationCreate{Name: "shop"})
	_, getApplication := client.GetApplication(t.Context(), "a1")
	for _, err := range []error{createEnvironment, getEnvironment, createApplication, getApplication} {
		if !clouderr.Is(err, clouderr.Transient) || !strings.Contains(clouderr.UserMessage(err), "no id") {
			t.Errorf("error = %v, want Transient without an id", err)
		}
	}
}

func TestIDsThatWouldChangeThePath(t *testing.T) {
	_, client := newScript(t, nil) // nothing may be sent
	for _, id := range []string{"", ".", "..", "../x", "a/b", "a?b", "a%2Fb", "a b", "é", strings.Repeat("x", 65)} {
		_, getEnvironment := client.GetEnvironment(t.Context(), id)
		_, setResources := client.SetEnvironmentResources(t.Context(), id, nil)
		_, getApplication := client.GetApplication(t.Context(), id)
		_, list := client.ListApplicationConfigurations(t.Context(), id, "")
		_, set := client.SetApplicationConfiguration(t.Context(), "a1", id, nil)
		for _, err := range []error{
			getEnvironment, setResources, getApplication, list, set, client.DeleteEnvironment(t.Context(), id),
			client.DeleteApplication(t.Context(), id), client.DeleteApplicationConfiguration(t.Context(), "a1", id),
		} {
			if !clouderr.Is(err, clouderr.Invalid) {
				t.Errorf("id %q: %v, want Invalid", id, err)
			}
		}
	}
}

func TestDeleteApplicationConfigurationThatIsGone(t *testing.T) {
	const (
		remove = "DELETE /applications/a1/configuration?environment_id=e1"
		list   = "GET /applications/a1/configuration?environment_id=e1"
	)
	suspect := failure(401, "SVCSTG.00100401")
	none, some := reply(200, `{"configuration":[]}`), reply(200, `{"configuration":[`+configurationJSON+`]}`)
	tests := []struct {
		name    string
		answers map[string]http.HandlerFunc
		want    clouderr.Class
	}{
		{"suspected, and not listed", map[string]http.HandlerFunc{remove: suspect, list: none}, ""},
		{"missing by an unknown code, and not listed", map[string]http.HandlerFunc{remove: failure(404, "SVCSTG.00100999"), list: none}, ""},
		{"missing environment, and not listed", map[string]http.HandlerFunc{remove: failure(404, "SVCSTG.00100411"), list: none}, ""},
		{"suspected, but listed", map[string]http.HandlerFunc{remove: suspect, list: some}, clouderr.Transient},
		{"missing application", map[string]http.HandlerFunc{remove: failure(404, "SVCSTG.00100403"), list: failure(404, "SVCSTG.00100403")}, ""},
		{"missing application, suspected", map[string]http.HandlerFunc{remove: suspect, list: suspect,
			applicationList: reply(200, `{"count":0,"applications":[]}`)}, ""},
		{"missing environment, suspected", map[string]http.HandlerFunc{remove: suspect, list: suspect,
			applicationList: reply(200, `{"count":1,"applications":[{"id":"a1"}]}`),
			environmentList: reply(200, `{"count":0,"environments":[]}`)}, ""},
		{"both still there", map[string]http.HandlerFunc{remove: suspect, list: suspect,
			applicationList: reply(200, `{"count":1,"applications":[{"id":"a1"}]}`),
			environmentList: reply(200, `{"count":1,"environments":[{"id":"e1"}]}`)}, clouderr.Transient},
		{"in use", map[string]http.HandlerFunc{remove: failure(409, "SVCSTG.00100419")}, clouderr.Busy},
		{"refused", map[string]http.HandlerFunc{remove: failure(401, "APIGW.0301")}, clouderr.Unauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, client := newScript(t, tt.answers)
			if got := clouderr.ClassOf(client.DeleteApplicationConfiguration(t.Context(), "a1", "e1")); got != tt.want {
				t.Errorf("class = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSetApplicationConfigurationWithSomethingMissing(t *testing.T) {
	const set = "PUT /applications/a1/configuration"
	suspect := failure(401, "SVCSTG.00100401")
	tests := []struct {
		name    string
		answers map[string]http.HandlerFunc
		want    clouderr.Class
		say     string
	}{
		{"application", map[string]http.HandlerFunc{set: failure(404, "SVCSTG.00100403")}, clouderr.NotFound, "words"},
		{"environment", map[string]http.HandlerFunc{set: failure(404, "SVCSTG.00100411")}, clouderr.Invalid, "words"},
		{"application, suspected", map[string]http.HandlerFunc{set: suspect,
			applicationList: reply(200, `{"count":0,"applications":[]}`)}, clouderr.NotFound, "the application does not exist"},
		{"environment, suspected", map[string]http.HandlerFunc{set: suspect,
			applicationList: reply(200, `{"count":1,"applications":[{"id":"a1"}]}`),
			environmentList: reply(200, `{"count":0,"environments":[]}`)}, clouderr.Invalid, "the environment does not exist"},
		{"nothing, but suspected", map[string]http.HandlerFunc{set: suspect,
			applicationList: reply(200, `{"count":1,"applications":[{"id":"a1"}]}`),
			environmentList: reply(200, `{"count":1,"environments":[{"id":"e1"}]}`)}, clouderr.Transient, "lists it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, client := newScript(t, tt.answers)
			_, err := client.SetApplicationConfiguration(t.Context(), "a1", "e1", []EnvVar{{"N", "V"}})
			if !clouderr.Is(err, tt.want) || !strings.Contains(clouderr.UserMessage(err), tt.say) {
				t.Errorf("error = %v, want %s with %q", err, tt.want, tt.say)
			}
		})
	}
}

func TestVariablesStayOutOfErrors(t *testing.T) {
	_, client := newScript(t, map[string]http.HandlerFunc{
		"PUT /applications/a1/configuration": reply(400, `{"error_code":"SVCSTG.00100400","error_msg":"invalid value: s3cret-canary"}`),
	})
	_, err := client.SetApplicationConfiguration(t.Context(), "a1", "e1", []EnvVar{{"PASSWORD", "s3cret-canary"}})
	if !clouderr.Is(err, clouderr.Invalid) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "invalid value") {
		t.Errorf("error = %v, want the cloud's words without the value", err)
	}
}
