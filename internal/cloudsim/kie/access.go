// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	rootAccount = "root"
	adminRole   = "admin"

	// lockAfter wrong logins lock an account for the client's address for lockFor; fewer are remembered for attemptFor.
	// A login that succeeds in between does not clear them.
	lockAfter  = 3
	lockFor    = 15 * time.Minute
	attemptFor = 20 * time.Minute

	defaultTokenLifetime = 12 * time.Hour
)

// scope is what a permission is about.
type scope struct {
	Type   string            `json:"type"`
	Labels map[string]string `json:"labels,omitempty"`
}

// permission allows verbs on resources. Labels of a scope are kept and shown; they do not narrow it here.
type permission struct {
	Resources []scope  `json:"resources"`
	Verbs     []string `json:"verbs"`
}

func (p permission) allows(resource, verb string) bool {
	return slices.ContainsFunc(p.Resources, func(s scope) bool { return s.Type == resource }) &&
		(slices.Contains(p.Verbs, "*") || slices.Contains(p.Verbs, verb))
}

type role struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Perms      []permission `json:"perms"`
	CreateTime string       `json:"createTime"`
	UpdateTime string       `json:"updateTime"`
}

type account struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Roles      []string `json:"roles"`
	Status     string   `json:"status"`
	CreateTime string   `json:"createTime"`
	UpdateTime string   `json:"updateTime"`
	password   string
}

// identity is who a request comes from.
type identity struct {
	name string
	// everything is the identity of all requests while RBAC is off.
	everything  bool
	permissions []permission
}

func (i identity) may(resource, verb string) bool {
	return i.everything || slices.ContainsFunc(i.permissions, func(p permission) bool { return p.allows(resource, verb) })
}

// attempts is what is known of wrong logins.
type attempts struct {
	failures  int
	banned    bool
	releaseAt time.Time
}

// access knows accounts, roles, tokens and lockouts.
type access struct {
	clock Clock

	mu       sync.Mutex
	rbac     bool
	key      []byte
	issued   int64
	accounts map[string]*account
	roles    map[string]*role
	// roleOrder lists the roles in the order of their creation, accountOrder the accounts.
	roleOrder, accountOrder []string
	locks                   map[string]*attempts
}

func newAccess(clock Clock) *access {
	a := &access{clock: clock, accounts: map[string]*account{}, roles: map[string]*role{}, locks: map[string]*attempts{}}
	a.newKey()
	a.addRole(adminRole, []permission{allOf("account", "config", "role", "service", "governance", "ops", "service/schema")})
	a.addRole("developer", []permission{allOf("config", "service", "governance", "ops", "service/schema")})
	return a
}

func allOf(resources ...string) permission {
	p := permission{Verbs: []string{"*"}}
	for _, resource := range resources {
		p.Resources = append(p.Resources, scope{Type: resource})
	}
	return p
}

func (a *access) newKey() {
	a.key = make([]byte, 32)
	// crypto/rand.Read never returns an error: it ends the program instead.
	_, _ = rand.Read(a.key)
}

func (a *access) setAuth(rbac bool, rootPassword string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rbac = rbac
	root, ok := a.accounts[rootAccount]
	if !ok {
		root = a.addAccount(rootAccount, rootPassword, []string{adminRole})
	}
	if rootPassword != "" {
		root.password = rootPassword
	}
}

func (a *access) enabled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rbac
}

func (a *access) revoke() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newKey()
}

func (a *access) clearLocks() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.locks)
}

func (a *access) addAccount(name, password string, roles []string) *account {
	now := unixText(a.clock.Now())
	added := &account{
		ID: derivedID("account", name)[:32], Name: name, Roles: roles, Status: "active", CreateTime: now, UpdateTime: now, password: password,
	}
	a.accounts[name] = added
	a.accountOrder = append(a.accountOrder, name)
	return added
}

func (a *access) addRole(name string, perms []permission) {
	now := unixText(a.clock.Now())
	a.roles[name] = &role{ID: derivedID("role", name)[:32], Name: name, Perms: perms, CreateTime: now, UpdateTime: now}
	a.roleOrder = append(a.roleOrder, name)
}

// login checks a password and issues a token.
func (a *access) login(name, password, address string, lifetime time.Duration) (string, *refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	lock := name + "::" + address
	tried := a.locks[lock]
	if tried != nil && !now.Before(tried.releaseAt) {
		delete(a.locks, lock)
		tried = nil
	}
	if tried != nil && tried.banned {
		return "", &refusal{status: http.StatusForbidden, code: "403201", message: "Account blocked"}
	}
	known, ok := a.accounts[name]
	if !ok || known.password == "" || subtle.ConstantTimeCompare([]byte(known.password), []byte(password)) != 1 {
		a.failed(lock, tried, now)
		return "", &refusal{status: http.StatusUnauthorized, code: "401202", message: "User name or password is wrong"}
	}
	return a.token(known, now.Add(lifetime)), nil
}

func (a *access) failed(lock string, tried *attempts, now time.Time) {
	if tried == nil {
		tried = &attempts{}
		a.locks[lock] = tried
	}
	tried.failures++
	tried.releaseAt = now.Add(attemptFor)
	if tried.failures >= lockAfter {
		tried.banned, tried.releaseAt = true, now.Add(lockFor)
	}
}

// claims is what a token says.
type claims struct {
	Account string   `json:"account"`
	Expires int64    `json:"exp"`
	Roles   []string `json:"roles"`
	// Number makes every token another one.
	Number int64 `json:"jti"`
}

func (a *access) token(of *account, expires time.Time) string {
	a.issued++
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS512","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(marshal(claims{of.Name, expires.Unix(), of.Roles, a.issued}, ""))
	return unsigned + "." + a.signature(unsigned)
}

func (a *access) signature(text string) string {
	mac := hmac.New(sha512.New, a.key)
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// identify reads an Authorization header.
func (a *access) identify(authorization string) (identity, *refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.rbac {
		return identity{everything: true}, nil
	}
	if authorization == "" {
		return identity{}, &refusal{status: http.StatusUnauthorized, code: "401204", message: "No authorization header"}
	}
	said, wrong := a.verify(authorization)
	if wrong != "" {
		return identity{}, &refusal{status: http.StatusUnauthorized, code: "401201", message: "Request unauthorized", detail: wrong}
	}
	who := identity{name: said.Account}
	for _, name := range said.Roles {
		if r, ok := a.roles[name]; ok {
			who.permissions = append(who.permissions, r.Perms...)
		}
	}
	return who, nil
}

// verify returns what a token says, or what is wrong with it.
func (a *access) verify(authorization string) (claims, string) {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return claims{}, "invalid auth header"
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, "token contains an invalid number of segments"
	}
	if !hmac.Equal([]byte(parts[2]), []byte(a.signature(parts[0]+"."+parts[1]))) {
		return claims{}, "signature is invalid"
	}
	var said claims
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &said) != nil {
		return claims{}, "token is malformed"
	}
	if a.clock.Now().Unix() >= said.Expires {
		return claims{}, "token is expired"
	}
	return said, ""
}

// lockRecord is one line of GET /v4/account-locks.
type lockRecord struct {
	Key       string `json:"key"`
	Status    string `json:"status"`
	ReleaseAt int64  `json:"releaseAt"`
}

func (a *access) lockRecords() []lockRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	records := []lockRecord{}
	for _, key := range slices.Sorted(maps.Keys(a.locks)) {
		record := lockRecord{Key: key, Status: "attempted", ReleaseAt: a.locks[key].releaseAt.Unix()}
		if a.locks[key].banned {
			record.Status = "banned"
		}
		if a.clock.Now().Before(a.locks[key].releaseAt) {
			records = append(records, record)
		}
	}
	return records
}
