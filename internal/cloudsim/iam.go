// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// iamTime is how IAM writes times.
const iamTime = "2006-01-02T15:04:05.000000Z"

// iam is the identity service: tokens by password, temporary keys, and the look-up of projects.
type iam struct{ authority *authority }

func (i *iam) install(g *registry) {
	secret := func(rt *route) { rt.secretBody = true; rt.iamErrors = true }
	public := func(rt *route) { rt.public = true }
	g.handle(http.MethodPost, "/v3/auth/tokens", i.createToken, secret, public)
	g.handle(http.MethodPost, "/v3.0/OS-CREDENTIAL/securitytokens", i.createSecurityToken, secret)
	g.handle(http.MethodGet, "/v3/projects", i.listProjects, secret)
}

func iamError(status int, format string, args ...any) *apiError {
	return &apiError{status: status, message: fmt.Sprintf(format, args...), shape: shapeIAM}
}

type iamName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type tokenRequest struct {
	Auth *struct {
		Identity *struct {
			Methods  []string `json:"methods"`
			Password *struct {
				User *struct {
					Name     string   `json:"name"`
					Password string   `json:"password"`
					Domain   *iamName `json:"domain"`
				} `json:"user"`
			} `json:"password"`
		} `json:"identity"`
		Scope *struct {
			Project *iamName `json:"project"`
			Domain  *iamName `json:"domain"`
		} `json:"scope"`
	} `json:"auth"`
}

// createToken answers POST /v3/auth/tokens (API reference 3.1 and 3.2). Of the identity methods it knows password.
func (i *iam) createToken(c *call) (reply, error) {
	var body tokenRequest
	if err := c.decode(&body); err != nil {
		return reply{}, iamError(http.StatusBadRequest, "The request body is invalid: %v", err)
	}
	if body.Auth == nil || body.Auth.Identity == nil {
		return reply{}, iamError(http.StatusBadRequest, "The request body is invalid: auth.identity is mandatory")
	}
	identity := body.Auth.Identity
	if len(identity.Methods) != 1 || identity.Methods[0] != "password" {
		return reply{}, iamError(http.StatusBadRequest, `The request body is invalid: auth.identity.methods must be ["password"]`)
	}
	if identity.Password == nil || identity.Password.User == nil || identity.Password.User.Domain == nil {
		return reply{}, iamError(http.StatusBadRequest, "The request body is invalid: auth.identity.password.user and its domain are mandatory")
	}
	user := identity.Password.User
	account, ok := i.authority.login(user.Domain.Name, user.Name, user.Password)
	if !ok {
		return reply{}, iamError(http.StatusUnauthorized, "The username or password is wrong.")
	}
	var project *iamName
	if body.Auth.Scope != nil {
		project = body.Auth.Scope.Project
	}
	if project == nil {
		// Inferred: a token without a scope is good for the domain only.
		return i.issue(c, account, "")
	}
	if project.ID != account.ProjectID && (project.Name == "" || project.Name != account.Region) {
		return reply{}, iamError(http.StatusNotFound, "Could not find project: %s%s.", project.ID, project.Name) // inferred
	}
	return i.issue(c, account, account.ProjectID)
}

func (i *iam) issue(c *call, account Account, projectID string) (reply, error) {
	lifetime := time.Duration(c.quirks.TokenLifetimeSeconds) * time.Second
	if lifetime == 0 {
		lifetime = defaultTokenLifetime
	}
	text, t := i.authority.issueToken(account, projectID, lifetime)
	domain := map[string]any{"id": account.domainID(), "name": account.DomainName}
	body := map[string]any{
		"methods":    []string{"password"},
		"issued_at":  c.now.UTC().Format(iamTime),
		"expires_at": t.expiresAt.UTC().Format(iamTime),
		"roles":      []any{},
		"user": map[string]any{
			"id": account.userID(), "name": account.Username, "domain": domain, "password_expires_at": "",
		},
	}
	if projectID == "" {
		body["domain"] = domain
	} else {
		body["project"] = map[string]any{"id": projectID, "name": account.Region, "domain": domain}
	}
	if c.query.Get("nocatalog") == "" {
		body["catalog"] = catalog(account)
	}
	return reply{
		status: http.StatusCreated, header: http.Header{"X-Subject-Token": {text}}, body: map[string]any{"token": body},
	}, nil
}

// catalog lists the endpoints that the vendor's documents give for the account's region.
func catalog(account Account) []any {
	endpoint := func(name, url string) any {
		return map[string]any{
			"id": derivedID("service", name), "name": name, "type": name,
			"endpoints": []any{map[string]any{
				"id": derivedID("endpoint", name), "interface": "public", "region": account.Region,
				"region_id": account.Region, "url": url,
			}},
		}
	}
	host := account.Region + ".myhuaweicloud.com"
	return []any{
		endpoint("iam", "https://iam."+host+"/v3"),
		endpoint("servicestage", "https://servicestage."+host+"/v3/"+account.ProjectID),
		endpoint("cse", "https://cse."+host+"/v2/"+account.ProjectID),
	}
}

type securityTokenRequest struct {
	Auth *struct {
		Identity *struct {
			Methods []string `json:"methods"`
			Token   *struct {
				DurationSeconds *int `json:"duration_seconds"`
			} `json:"token"`
		} `json:"identity"`
	} `json:"auth"`
}

// createSecurityToken answers POST /v3.0/OS-CREDENTIAL/securitytokens for the caller itself (method token): a
// temporary key with the caller's rights.
func (i *iam) createSecurityToken(c *call) (reply, error) {
	var body securityTokenRequest
	if err := c.decode(&body); err != nil {
		return reply{}, iamError(http.StatusBadRequest, "The request body is invalid: %v", err)
	}
	if body.Auth == nil || body.Auth.Identity == nil || len(body.Auth.Identity.Methods) != 1 || body.Auth.Identity.Methods[0] != "token" {
		return reply{}, iamError(http.StatusBadRequest, `The request body is invalid: auth.identity.methods must be ["token"]`)
	}
	const shortest, longest = 900, 86400
	seconds := shortest
	if body.Auth.Identity.Token != nil && body.Auth.Identity.Token.DurationSeconds != nil {
		seconds = *body.Auth.Identity.Token.DurationSeconds
	}
	if seconds < shortest || seconds > longest {
		return reply{}, iamError(http.StatusBadRequest, "The request body is invalid: duration_seconds must be %d to %d", shortest, longest)
	}
	key := i.authority.issueKey(c.caller.account, time.Duration(seconds)*time.Second)
	return reply{status: http.StatusCreated, body: map[string]any{"credential": map[string]any{
		"access": key.AccessKey, "secret": key.SecretKey, "securitytoken": key.SecurityToken,
		"expires_at": key.ExpiresAt.UTC().Format(iamTime),
	}}}, nil
}

// listProjects answers GET /v3/projects (API reference 12.5).
func (i *iam) listProjects(c *call) (reply, error) {
	account := c.caller.account
	page, perPage := 1, 5000
	for name, value := range map[string]*int{"page": &page, "per_page": &perPage} {
		text := c.query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 5000 {
			return reply{}, iamError(http.StatusBadRequest, "%s must be 1 to 5000", name)
		}
		*value = n
	}
	projects := []any{}
	for _, project := range i.authority.projects(account.DomainName) {
		if name := c.query.Get("name"); name != "" && name != project.Region {
			continue
		}
		if id := c.query.Get("domain_id"); id != "" && id != account.domainID() {
			continue
		}
		if c.query.Get("enabled") == "false" {
			continue
		}
		projects = append(projects, map[string]any{
			"id": project.ProjectID, "name": project.Region, "domain_id": account.domainID(), "parent_id": account.domainID(),
			"is_domain": false, "enabled": true, "description": "",
			"links": map[string]any{"self": "https://" + c.request.Host + "/v3/projects/" + project.ProjectID, "next": nil, "previous": nil},
		})
	}
	first := min((page-1)*perPage, len(projects))
	return reply{status: http.StatusOK, body: map[string]any{
		"links":    map[string]any{"self": "https://" + c.request.Host + "/v3/projects", "next": nil, "previous": nil},
		"projects": projects[first:min(first+perPage, len(projects))],
	}}, nil
}
