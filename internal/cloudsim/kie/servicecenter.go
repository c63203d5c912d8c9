// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	serverName      = "SERVICECENTER/0.0.1"
	contentTypeJSON = "application/json; charset=UTF-8"
)

func unixText(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// derivedID is an id that is the same for the same name.
func derivedID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return hex.EncodeToString(sum[:])
}

// registered is an answer with the service center's name on it.
func registered(answer response) response {
	answer.header.Set("Server", serverName)
	return answer
}

func registryJSON(status int, body any) response {
	return registered(response{status: status, header: contentType(contentTypeJSON), body: marshal(body, "")})
}

// done is the answer of a write: no body.
func done() response {
	return registered(response{status: http.StatusOK, header: contentType("text/plain; charset=UTF-8")})
}

// serviceCenter words a refusal.
func (r *refusal) serviceCenter() response {
	return registryJSON(r.status, struct {
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
		Detail  string `json:"detail,omitempty"`
	}{r.code, r.message, r.detail})
}

func refuse(status int, code, message, detail string) response {
	return (&refusal{status: status, code: code, message: message, detail: detail}).serviceCenter()
}

func badField(field, value, rule string) response {
	return refuse(http.StatusBadRequest, "400001", "Invalid parameter(s)",
		"field '"+field+"' invalid value '"+value+"' does not match rule: {Regexp: "+rule+"}")
}

func forbiddenService(resource, verb string) response {
	return refuse(http.StatusForbidden, "403205", "No permission(s)", "role has no permissions["+resource+":"+verb+"]")
}

func unreadable(err error) response {
	return refuse(http.StatusBadRequest, "400001", "Invalid parameter(s)", err.Error())
}

// version is GET /version.
func (e *Engine) version(*exchange) response {
	return registryJSON(http.StatusOK, map[string]string{
		"version": "0.0.1", "buildTag": "Not provided", "goVersion": "go1.20.14", "os": "linux", "arch": "amd64", "apiVersion": "3.0.0",
	})
}

// registryHealth answers with the service center as its own only instance.
func (e *Engine) registryHealth(x *exchange) response {
	now := unixText(e.clock.Now())
	return registryJSON(http.StatusOK, map[string]any{"instances": []any{map[string]any{
		"instanceId": derivedID("instance")[:32], "serviceId": derivedID("service")[:40], "endpoints": []string{"rest://" + x.request.Host + "/"},
		"hostName": "engine", "status": "UP", "healthCheck": map[string]any{"mode": "push", "interval": 30, "times": 3},
		"timestamp": now, "modTimestamp": now, "version": "0.0.1",
	}}})
}

var tokenLifetime = regexp.MustCompile(`^[1-9][0-9]*[mh]$`)

// login is 8.2.1. tokenExpirationTime is the open-source server's: 15m to 24h.
func (e *Engine) login(x *exchange) response {
	var input struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Lifetime string `json:"tokenExpirationTime"`
	}
	if err := decode(x.body, &input); err != nil {
		return unreadable(err)
	}
	lifetime := x.quirks.TokenLifetime
	if lifetime <= 0 {
		lifetime = defaultTokenLifetime
	}
	if input.Lifetime != "" {
		asked, err := time.ParseDuration(input.Lifetime)
		if err != nil || !tokenLifetime.MatchString(input.Lifetime) || asked < 15*time.Minute || asked > 24*time.Hour {
			return badField("Account.TokenExpirationTime", input.Lifetime, "TokenExpirationTime")
		}
		lifetime = asked
	}
	token, refused := e.access.login(input.Name, input.Password, x.address(), lifetime)
	if refused != nil {
		return refused.serviceCenter()
	}
	return registryJSON(http.StatusOK, map[string]string{"token": token})
}

// total is the form of the lists of accounts, roles and locks.
type total[E any] struct {
	Total int `json:"total"`
	Data  []E `json:"data"`
}

func listOf[E any](data []E) response {
	return registryJSON(http.StatusOK, total[E]{len(data), data})
}

func (e *Engine) listAccounts(x *exchange) response {
	if !x.account.may("account", "get") {
		return forbiddenService("account", "get")
	}
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	data := []account{}
	for _, name := range a.accountOrder {
		data = append(data, *a.accounts[name])
	}
	return listOf(data)
}

// goodPassword is the rule of the cloud (7.3.3) and of the service center: 8 to 32 characters of all four kinds.
func goodPassword(password string) bool {
	var upper, lower, digit, special bool
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		case unicode.IsDigit(r):
			digit = true
		default:
			special = true
		}
	}
	return len(password) >= 8 && len(password) <= 32 && upper && lower && digit && special
}

func (e *Engine) createAccount(x *exchange) response {
	if !x.account.may("account", "create") {
		return forbiddenService("account", "create")
	}
	var input struct {
		Name     string   `json:"name"`
		Password string   `json:"password"`
		Roles    []string `json:"roles"`
	}
	if err := decode(x.body, &input); err != nil {
		return unreadable(err)
	}
	if !goodPassword(input.Password) {
		return badField("Account.Password", input.Password, "password")
	}
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.accounts[input.Name]; ok {
		return refuse(http.StatusConflict, "409200", "account name is duplicated", "account is duplicated")
	}
	for _, name := range input.Roles {
		if _, ok := a.roles[name]; !ok {
			return refuse(http.StatusBadRequest, "400203", "Account has invalid role(s)", "role "+name+" does not exist")
		}
	}
	a.addAccount(input.Name, input.Password, input.Roles)
	return done()
}

func missingAccount() response {
	return refuse(http.StatusNotFound, "404200", "account not exist", "")
}

func (e *Engine) deleteAccount(x *exchange) response {
	name := x.params["name"]
	if !x.account.may("account", "delete") || name == rootAccount {
		return forbiddenService("account", "delete")
	}
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.accounts[name]; !ok {
		return missingAccount()
	}
	delete(a.accounts, name)
	a.accountOrder = slices.DeleteFunc(a.accountOrder, func(other string) bool { return other == name })
	return done()
}

func (e *Engine) changePassword(x *exchange) response {
	name := x.params["name"]
	if !x.account.may("account", "update") && x.account.name != name {
		return forbiddenService("account", "update")
	}
	var input struct {
		Password string `json:"password"`
	}
	if err := decode(x.body, &input); err != nil {
		return unreadable(err)
	}
	if !goodPassword(input.Password) {
		return badField("Account.Password", input.Password, "password")
	}
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	changed, ok := a.accounts[name]
	if !ok {
		return missingAccount()
	}
	changed.password, changed.UpdateTime = input.Password, unixText(a.clock.Now())
	return done()
}

func (e *Engine) listRoles(x *exchange) response {
	if !x.account.may("role", "get") {
		return forbiddenService("role", "get")
	}
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	data := []role{}
	for _, name := range a.roleOrder {
		data = append(data, *a.roles[name])
	}
	return listOf(data)
}

func (e *Engine) createRole(x *exchange) response {
	if !x.account.may("role", "create") {
		return forbiddenService("role", "create")
	}
	var input struct {
		Name  string       `json:"name"`
		Perms []permission `json:"perms"`
	}
	if err := decode(x.body, &input); err != nil {
		return unreadable(err)
	}
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.roles[input.Name]; ok {
		return refuse(http.StatusConflict, "409201", "role name is duplicated", "")
	}
	a.addRole(input.Name, input.Perms)
	return done()
}

func (e *Engine) deleteRole(x *exchange) response {
	if !x.account.may("role", "delete") {
		return forbiddenService("role", "delete")
	}
	name := x.params["name"]
	a := e.access
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.roles[name]; !ok {
		return refuse(http.StatusNotFound, "404201", "role not exist", "")
	}
	for _, bound := range a.accounts {
		if slices.Contains(bound.Roles, name) {
			return refuse(http.StatusBadRequest, "400205", "Role is bound to some user(s)", "")
		}
	}
	delete(a.roles, name)
	a.roleOrder = slices.DeleteFunc(a.roleOrder, func(other string) bool { return other == name })
	return done()
}

func (e *Engine) listLocks(x *exchange) response {
	if !x.account.may("account", "get") {
		return forbiddenService("account", "get")
	}
	return listOf(e.access.lockRecords())
}

func (e *Engine) selfPermissions(x *exchange) response {
	return registryJSON(http.StatusOK, map[string]any{"perms": x.account.permissions})
}
