// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

const ok = `{"count":0,"environments":[]}`

// refused is the gateway's 401 with a reason.
func refused(reason string) string {
	return fmt.Sprintf(`{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: %s","request_id":"*"}`, reason)
}

func TestSignedRequests(t *testing.T) {
	const signatureFails = "verify aksk signature fail"
	for _, tc := range []struct {
		name    string
		options func(*cloudsim.Options)
		path    string
		send    func(c *cloud, r *http.Request)
		status  int
		want    string
	}{
		{name: "only the date is signed", send: func(c *cloud, r *http.Request) { c.key.sign(r, nil, c.clock.Now()) }, status: 200, want: ok},
		{name: "more headers are signed", send: func(c *cloud, r *http.Request) {
			r.Header.Set("Accept", "application/json")
			r.Header.Set("User-Agent", "test/1")
			c.key.sign(r, nil, c.clock.Now(), "host", "accept", "user-agent")
		}, status: 200, want: ok},
		{name: "query out of order", path: envsPath + "?offset=0&limit=10&name=a%20b", send: func(c *cloud, r *http.Request) {
			c.key.sign(r, nil, c.clock.Now())
		}, status: 200, want: ok},
		{name: "14 minutes off", send: func(c *cloud, r *http.Request) { c.key.sign(r, nil, c.clock.Now().Add(-14*time.Minute)) }, status: 200, want: ok},
		{name: "16 minutes late", send: func(c *cloud, r *http.Request) { c.key.sign(r, nil, c.clock.Now().Add(-16*time.Minute)) },
			status: 401, want: refused("verify aksk signature fail, X-Sdk-Date is more than 15 minutes off")},
		{name: "16 minutes early", send: func(c *cloud, r *http.Request) { c.key.sign(r, nil, c.clock.Now().Add(16*time.Minute)) },
			status: 401, want: refused("verify aksk signature fail, X-Sdk-Date is more than 15 minutes off")},
		{name: "no date", send: func(c *cloud, r *http.Request) {
			c.key.sign(r, nil, c.clock.Now())
			r.Header.Del("X-Sdk-Date")
		}, status: 401, want: refused("verify aksk signature fail, X-Sdk-Date must be sent as YYYYMMDDTHHMMSSZ and signed")},
		{name: "the date is not signed", send: func(c *cloud, r *http.Request) {
			c.key.signOnly(r, nil, c.clock.Now(), []string{"host"})
		}, status: 401, want: refused("verify aksk signature fail, X-Sdk-Date must be sent as YYYYMMDDTHHMMSSZ and signed")},
		{name: "a changed query", send: func(c *cloud, r *http.Request) {
			c.key.sign(r, nil, c.clock.Now())
			r.URL.RawQuery = "limit=1"
		}, status: 401, want: refused(signatureFails)},
		{name: "a changed header", send: func(c *cloud, r *http.Request) {
			r.Header.Set("Accept", "a")
			c.key.sign(r, nil, c.clock.Now(), "accept")
			r.Header.Set("Accept", "b")
		}, status: 401, want: refused(signatureFails)},
		{name: "another secret", send: func(c *cloud, r *http.Request) { keys{access: "AK1", secret: "no"}.sign(r, nil, c.clock.Now()) }, status: 401, want: refused(signatureFails)},
		{name: "unknown key", send: func(c *cloud, r *http.Request) { keys{access: "AK9", secret: "SK1"}.sign(r, nil, c.clock.Now()) }, status: 401, want: refused("Get secretKey failed")},
		{name: "nothing", send: func(*cloud, *http.Request) {}, status: 401, want: refused("x-auth-token not found")},
		{name: "another algorithm", send: func(_ *cloud, r *http.Request) { r.Header.Set("Authorization", "Bearer x") },
			status: 401, want: refused("the algorithm of the Authorization header must be SDK-HMAC-SHA256")},
		{name: "both ways", send: func(c *cloud, r *http.Request) {
			r.Header.Set("X-Auth-Token", "x")
			c.key.sign(r, nil, c.clock.Now())
		}, status: 401, want: refused("X-Auth-Token and Authorization must not be sent together")},
		{name: "a security token for a key that has none", send: func(c *cloud, r *http.Request) {
			keys{access: "AK1", secret: "SK1", token: "T"}.sign(r, nil, c.clock.Now())
		}, status: 401, want: refused("decrypt token fail, X-Security-Token is not the access key's")},
		{name: "temporary key", options: func(o *cloudsim.Options) { o.SecurityToken = "T" }, send: func(c *cloud, r *http.Request) {
			c.key.sign(r, nil, c.clock.Now())
		}, status: 200, want: ok},
		{name: "temporary key without its token", options: func(o *cloudsim.Options) { o.SecurityToken = "T" }, send: func(c *cloud, r *http.Request) {
			keys{access: "AK1", secret: "SK1"}.sign(r, nil, c.clock.Now())
		}, status: 401, want: refused("decrypt token fail, X-Security-Token is not the access key's")},
		{name: "temporary key whose token is not signed", options: func(o *cloudsim.Options) { o.SecurityToken = "T" }, send: func(c *cloud, r *http.Request) {
			keys{access: "AK1", secret: "SK1"}.sign(r, nil, c.clock.Now())
			r.Header.Set("X-Security-Token", "T")
		}, status: 401, want: refused("verify aksk signature fail, X-Security-Token must be signed")},
		{name: "the other spelling of the codes", options: func(o *cloudsim.Options) { o.Quirks.GatewayPrefix = "APIG" }, send: func(*cloud, *http.Request) {}, status: 401,
			want: strings.Replace(refused("x-auth-token not found"), "APIGW", "APIG", 1)},
		{name: "another project in the path", path: "/v3/p2/cas/environments", send: func(c *cloud, r *http.Request) { c.key.sign(r, nil, c.clock.Now()) }, status: 403,
			want: `{"error_code":"APIGW.0302","error_msg":"The caller is not authorized to access project p2 with these credentials","request_id":"*"}`},
		{name: "another project in the header", send: func(c *cloud, r *http.Request) {
			r.Header.Set("X-Project-Id", "p2")
			c.key.sign(r, nil, c.clock.Now(), "x-project-id")
		}, status: 403,
			want: `{"error_code":"APIGW.0302","error_msg":"The caller is not authorized to access project p1 with these credentials","request_id":"*"}`},
		{name: "no project in the path", path: "/v3//cas/environments", send: func(*cloud, *http.Request) {}, status: 404,
			want: `{"error_code":"APIGW.0101","error_msg":"*","request_id":"*"}`},
		{name: "unknown API, whoever asks", path: "/v3/p1/cas/nothing", send: func(*cloud, *http.Request) {}, status: 404,
			want: `{"error_code":"APIGW.0101","error_msg":"The API does not exist or has not been published in the environment","request_id":"*"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var changes []func(*cloudsim.Options)
			if tc.options != nil {
				changes = append(changes, tc.options)
			}
			c := newCloud(t, changes...)
			if tc.path == "" {
				tc.path = envsPath
			}
			r := c.request(http.MethodGet, tc.path, "")
			tc.send(c, r)
			got := c.send(r)
			check(t, got, tc.status, tc.want)
			if got.header.Get("X-Request-Id") == "" {
				t.Error("no X-Request-Id")
			}
		})
	}
}

func TestSignedBodies(t *testing.T) {
	const body = `{"name":"dev","vpc_id":"v1"}`
	for _, tc := range []struct {
		name, contentType, marker, signed string
		status                            int
	}{
		{name: "signed as sent", contentType: "application/json;charset=utf8", signed: body, status: 200},
		{name: "content type as the reference writes it", contentType: "application/json;utf-8", signed: body, status: 200},
		{name: "changed after signing", contentType: "application/json", signed: `{"name":"prod","vpc_id":"v1"}`, status: 401},
		{name: "unsigned payload", contentType: "application/json", marker: "UNSIGNED-PAYLOAD", signed: "", status: 200},
		{name: "a stated hash that is not the body's", contentType: "application/json", marker: strings.Repeat("0", 64), signed: body, status: 401},
		{name: "no content type", signed: body, status: 400},
		{name: "a form", contentType: "multipart/form-data", marker: "UNSIGNED-PAYLOAD", status: 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCloud(t)
			r := c.request(http.MethodPost, envsPath, body)
			r.Header.Del("Content-Type")
			if tc.contentType != "" {
				r.Header.Set("Content-Type", tc.contentType)
			}
			if tc.marker != "" {
				r.Header.Set("X-Sdk-Content-Sha256", tc.marker)
			}
			c.key.sign(r, []byte(tc.signed), c.clock.Now())
			check(t, c.send(r), tc.status, `"*"`)
		})
	}
}

func TestBodyTooLarge(t *testing.T) {
	c := newCloud(t)
	got := c.call(http.MethodPost, envsPath, strings.Repeat(" ", 12<<20+1))
	check(t, got, 413, `{"error_code":"APIGW.0201","error_msg":"Request entity too large","request_id":"*"}`)
}

func TestFiveWrongSignaturesLockTheKey(t *testing.T) {
	c := newCloud(t)
	wrong := keys{access: "AK1", secret: "no"}
	try := func(k keys) answer {
		r := c.request(http.MethodGet, envsPath, "")
		k.sign(r, nil, c.clock.Now())
		return c.send(r)
	}
	for range 4 {
		check(t, try(wrong), 401, refused("verify aksk signature fail"))
	}
	check(t, try(c.key), 200, ok) // four in a row, then a right one: counted anew
	for range 5 {
		check(t, try(wrong), 401, refused("verify aksk signature fail"))
	}
	locked := refused("AK access failed to reach the limit,forbidden")
	check(t, try(c.key), 401, locked)
	c.clock.Advance(5*time.Minute - time.Second)
	check(t, try(c.key), 401, locked)
	c.clock.Advance(time.Second)
	check(t, try(c.key), 200, ok)
}

func TestAccounts(t *testing.T) {
	c := newCloud(t)
	c.put("environments", `{"id":"e1","name":"dev"}`)
	try := func(k keys, project string) answer {
		r := c.request(http.MethodGet, "/v3/"+project+"/cas/environments?limit=0", "")
		k.sign(r, nil, c.clock.Now())
		return c.send(r)
	}
	const one, none = `{"count":1,"environments":[]}`, `{"count":0,"environments":[]}`
	first, second, other := c.key, keys{access: "AK2", secret: "SK2", token: "T2"}, keys{access: "AK3", secret: "SK3"}
	check(t, try(first, "p1"), 200, one)
	check(t, try(second, "p1"), 401, refused("Get secretKey failed"))

	shown := c.sim(http.MethodPut, "accounts", `[{"accessKey":"AK1","secretKey":"SK1","disabled":true},
		{"accessKey":"AK2","secretKey":"SK2","securityToken":"T2","expiresAt":"2026-01-02T03:14:05Z"},
		{"accessKey":"AK3","secretKey":"SK3","projectID":"p2","region":"cn-north-4","domainName":"other"}]`, 200)
	compareJSON(t, shown.body, `[{"accessKey":"AK1","projectID":"p1","region":"ap-southeast-3","domainName":"acme","disabled":true},
		{"accessKey":"AK2","projectID":"p1","region":"ap-southeast-3","domainName":"acme","expiresAt":"2026-01-02T03:14:05Z"},
		{"accessKey":"AK3","projectID":"p2","region":"cn-north-4","domainName":"other"}]`)
	check(t, try(first, "p1"), 401, refused("Get secretKey failed"))
	check(t, try(second, "p1"), 200, one)
	check(t, try(other, "p2"), 200, none)
	check(t, try(other, "p1"), 403, `"*"`)
	c.clock.Advance(10 * time.Minute)
	check(t, try(second, "p1"), 401, refused("the access key has expired, expires_at: 2026-01-02T03:14:05.000000Z"))
	check(t, try(other, "p2"), 200, none)

	for body, want := range map[string]string{
		`[{}]`:                 "accounts[0]: needs accessKey",
		`[{"accessKey":"A"}]`:  "accounts[0].secretKey",
		`[{"username":"bot"}]`: "accounts[0].password",
		`[{"acessKey":"A"}]`:   "unknown field",
		`[{"accessKey":"A","secretKey":"S"},{"accessKey":"A","secretKey":"S"}]`:                               "accounts[1].accessKey",
		`[{"username":"u","password":"S","domainName":"d"},{"username":"u","password":"S","domainName":"d"}]`: "accounts[1].username",
	} {
		if got := c.sim(http.MethodPut, "accounts", body, 400); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s, want %q", body, got.body, want)
		}
	}
	check(t, try(other, "p2"), 200, none) // refused lists change nothing
}

// login asks for a token.
func (c *cloud) login(query, password, scope string) answer {
	c.t.Helper()
	return c.send(c.request(http.MethodPost, "/v3/auth/tokens"+query, fmt.Sprintf(
		`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"bot","password":%q,"domain":{"name":"acme"}}}}%s}}`, password, scope)))
}

const projectScope = `,"scope":{"project":{"name":"ap-southeast-3"}}`

func (c *cloud) withToken(token string) answer {
	c.t.Helper()
	r := c.request(http.MethodGet, envsPath, "")
	r.Header.Set("X-Auth-Token", token)
	return c.send(r)
}

func TestTokens(t *testing.T) {
	c := newCloud(t)
	got := c.login("?nocatalog=true", "pw", projectScope)
	check(t, got, 201, `{"token":{"methods":["password"],"issued_at":"2026-01-02T03:04:05.000000Z","expires_at":"2026-01-03T03:04:05.000000Z","roles":[],
		"user":{"id":"*","name":"bot","domain":{"id":"*","name":"acme"},"password_expires_at":"*"},
		"project":{"id":"p1","name":"ap-southeast-3","domain":{"id":"*","name":"acme"}}}}`)
	token := got.header.Get("X-Subject-Token")
	if len(token) < 4096 {
		t.Errorf("a token of %d characters, real ones have at least 4096", len(token))
	}
	check(t, c.withToken(token), 200, ok)
	check(t, c.withToken(token[:100]), 401, refused("decrypt token fail"))
	c.clock.Advance(24*time.Hour - time.Second)
	check(t, c.withToken(token), 200, ok)
	c.clock.Advance(time.Second)
	check(t, c.withToken(token), 401, refused("token expires, expires_at: 2026-01-03T03:04:05.000000Z"))
}

func TestTokenRequests(t *testing.T) {
	iamError := func(status int, title, message string) string {
		return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"title":%q}}`, status, message, title)
	}
	c := newCloud(t)
	wrong := iamError(401, "Unauthorized", "The username or password is wrong.")
	check(t, c.login("", "no", projectScope), 401, wrong)
	check(t, c.login("", "", projectScope), 401, wrong)
	check(t, c.login("", "pw", `,"scope":{"project":{"name":"mars-1"}}`), 404, iamError(404, "Not Found", "Could not find project: mars-1."))
	if got := c.login("", "pw", `,"scope":{"project":{"id":"p1"}}`); got.status != 201 || !strings.Contains(got.body, `"catalog":[{`) {
		t.Errorf("scope by id, with the catalog: %d %s", got.status, got.body)
	}
	domain := c.login("?nocatalog=1", "pw", `,"scope":{"domain":{"name":"acme"}}`)
	if domain.status != 201 || strings.Contains(domain.body, "project") || strings.Contains(domain.body, "catalog") {
		t.Errorf("domain scope: %d %s", domain.status, domain.body)
	}
	check(t, c.withToken(domain.header.Get("X-Subject-Token")), 403, `{"error_code":"APIGW.0302","error_msg":"*","request_id":"*"}`)
	for body, message := range map[string]string{
		`{`:  "The request body is invalid: the request body must be a JSON object",
		`{}`: "The request body is invalid: auth.identity is mandatory",
		`{"auth":{"identity":{"methods":["hw_ak_sk"]}}}`:                                `The request body is invalid: auth.identity.methods must be ["password"]`,
		`{"auth":{"identity":{"methods":["password"]}}}`:                                "The request body is invalid: auth.identity.password.user and its domain are mandatory",
		`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":1}}}}}`: "The request body is invalid: auth.identity.password.user.name must not be a JSON number",
	} {
		check(t, c.send(c.request(http.MethodPost, "/v3/auth/tokens", body)), 400, iamError(400, "Bad Request", message))
	}
}

func TestTokensEndWithTheirUser(t *testing.T) {
	c := newCloud(t)
	token := c.login("", "pw", projectScope).header.Get("X-Subject-Token")
	check(t, c.withToken(token), 200, ok)
	for _, accounts := range []string{
		`[{"username":"bot","password":"changed"}]`, `[{"username":"bot","password":"pw","disabled":true}]`, `[{"username":"other","password":"pw"}]`,
	} {
		c.sim(http.MethodPut, "accounts", accounts, 200)
		check(t, c.withToken(token), 401, refused("decrypt token fail, the token has been revoked"))
	}
	c.sim(http.MethodPut, "quirks", `{"tokenLifetimeSeconds":60}`, 200)
	c.sim(http.MethodPut, "accounts", `[{"username":"bot","password":"pw"}]`, 200)
	short := c.login("", "pw", projectScope).header.Get("X-Subject-Token")
	check(t, c.withToken(short), 200, ok)
	c.clock.Advance(time.Minute)
	check(t, c.withToken(short), 401, refused("token expires, expires_at: 2026-01-02T03:05:05.000000Z"))
}

func TestTemporaryKeys(t *testing.T) {
	c := newCloud(t)
	const path = "/v3.0/OS-CREDENTIAL/securitytokens"
	ask := func(duration string) answer {
		return c.call(http.MethodPost, path, `{"auth":{"identity":{"methods":["token"]`+duration+`}}}`)
	}
	got := ask(`,"token":{"duration_seconds":1000}`)
	check(t, got, 201, `{"credential":{"access":"*","secret":"*","securitytoken":"*","expires_at":"2026-01-02T03:20:45.000000Z"}}`)
	var body struct {
		Credential struct{ Access, Secret, SecurityToken string }
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	c.key = keys{access: body.Credential.Access, secret: body.Credential.Secret, token: body.Credential.SecurityToken}
	check(t, c.call(http.MethodGet, envsPath, ""), 200, ok)
	c.clock.Advance(1000 * time.Second)
	check(t, c.call(http.MethodGet, envsPath, ""), 401, refused("the access key has expired, expires_at: 2026-01-02T03:20:45.000000Z"))

	c.key = keys{access: "AK1", secret: "SK1"}
	check(t, ask(""), 201, `{"credential":{"access":"*","secret":"*","securitytoken":"*","expires_at":"2026-01-02T03:35:45.000000Z"}}`)
	check(t, ask(`,"token":{"duration_seconds":899}`), 400, `{"error":{"code":400,"title":"Bad Request","message":"The request body is invalid: duration_seconds must be 900 to 86400"}}`)
	check(t, c.send(c.request(http.MethodPost, path, `{}`)), 401,
		`{"error":{"code":401,"title":"Unauthorized","message":"Incorrect IAM authentication information: x-auth-token not found"}}`)
}

func TestProjects(t *testing.T) {
	c := newCloud(t)
	if err := c.SetAccounts([]cloudsim.Account{
		{AccessKey: "AK1", SecretKey: "SK1"}, {AccessKey: "AK2", SecretKey: "SK2"},
		{AccessKey: "AK3", SecretKey: "SK3", ProjectID: "p2", Region: "cn-north-4"},
		{AccessKey: "AK4", SecretKey: "SK4", ProjectID: "p3", Region: "cn-north-4", DomainName: "other"},
	}); err != nil {
		t.Fatal(err)
	}
	ids := func(query string) string {
		got := c.call(http.MethodGet, "/v3/projects"+query, "")
		var body struct {
			Projects []struct{ ID, Name string }
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 || body.Projects == nil {
			t.Fatalf("%d %s", got.status, got.body)
		}
		var found []string
		for _, p := range body.Projects {
			found = append(found, p.ID+"="+p.Name)
		}
		return strings.Join(found, " ")
	}
	for query, want := range map[string]string{
		"":                   "p1=ap-southeast-3 p2=cn-north-4",
		"/":                  "p1=ap-southeast-3 p2=cn-north-4",
		"?name=cn-north-4":   "p2=cn-north-4",
		"?name=mars-1":       "",
		"?page=2&per_page=1": "p2=cn-north-4",
		"?page=3&per_page=1": "",
		"?enabled=false":     "",
		"?domain_id=other":   "",
	} {
		if got := ids(query); got != want {
			t.Errorf("projects%s: %q, want %q", query, got, want)
		}
	}
	check(t, c.call(http.MethodGet, "/v3/projects?per_page=5001", ""), 400, `{"error":{"code":400,"title":"Bad Request","message":"per_page must be 1 to 5000"}}`)
}
