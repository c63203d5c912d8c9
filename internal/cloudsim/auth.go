// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// lockAfter wrong signatures in a row lock an access key for lockFor.
	lockAfter = 5
	lockFor   = 5 * time.Minute

	defaultTokenLifetime = 24 * time.Hour
	// tokenSize is the length of a token in characters; real ones are 4 to 16 KB.
	tokenSize = 4096
)

// Account is one identity: an access key, an IAM user, or both. All accounts with the same project see the same
// resources.
type Account struct {
	AccessKey     string `json:"accessKey,omitempty"`
	SecretKey     string `json:"secretKey,omitempty"`
	SecurityToken string `json:"securityToken,omitempty"`
	// ProjectID is the one project that the account may use, Region that project's name.
	ProjectID  string `json:"projectID,omitempty"`
	Region     string `json:"region,omitempty"`
	DomainName string `json:"domainName,omitempty"`
	Username   string `json:"username,omitempty"`
	Password   string `json:"password,omitempty"`
	// ExpiresAt ends the access key; zero never.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// Disabled refuses key, password and issued tokens.
	Disabled bool `json:"disabled,omitempty"`
}

// withDefaults fills in the scope from the account of the options.
func (a Account) withDefaults(base Account) Account {
	if a.ProjectID == "" {
		a.ProjectID = base.ProjectID
	}
	if a.Region == "" {
		a.Region = base.Region
	}
	if a.DomainName == "" {
		a.DomainName = base.DomainName
	}
	return a
}

// public is the account without its secrets.
func (a Account) public() Account {
	a.SecretKey, a.SecurityToken, a.Password = "", "", ""
	return a
}

// creator is the name that the account's resources carry.
func (a Account) creator() string {
	if a.Username != "" {
		return a.Username
	}
	return a.DomainName
}

func (a Account) domainID() string { return derivedID("domain", a.DomainName) }

func (a Account) userID() string { return derivedID("user", a.DomainName+"/"+a.creator()) }

func derivedID(kind, name string) string { return hexHash([]byte(kind + ":" + name))[:32] }

// principal is who a request comes from.
type principal struct {
	account Account
	// projectID is the scope; "" for a token that is scoped to the domain.
	projectID string
}

// token is what the cloud remembers of an issued token.
type token struct {
	domainName, username, password string
	projectID                      string
	expiresAt                      time.Time
}

// authority knows accounts, tokens and lockouts.
type authority struct {
	clock  Clock
	random *random

	mu       sync.Mutex
	accounts []Account
	// temporary are keys that the cloud itself issued.
	temporary map[string]Account
	tokens    map[[sha256.Size]byte]token
	failures  map[string]*failureCount
}

type failureCount struct {
	inRow       int
	lockedUntil time.Time
}

func newAuthority(clock Clock, rng *random, accounts []Account) *authority {
	a := &authority{clock: clock, random: rng, accounts: accounts}
	a.forget()
	return a
}

func (a *authority) forget() {
	a.temporary = map[string]Account{}
	a.tokens = map[[sha256.Size]byte]token{}
	a.failures = map[string]*failureCount{}
}

// reset returns to the given accounts and forgets tokens and lockouts.
func (a *authority) reset(accounts []Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts = accounts
	a.forget()
}

// setAccounts replaces the accounts. Lockouts stay; tokens of users that are gone, disabled or have another password
// are refused from now on.
func (a *authority) setAccounts(accounts []Account) error {
	keys, users := map[string]bool{}, map[string]bool{}
	for i, account := range accounts {
		if account.AccessKey == "" && account.Username == "" {
			return fmt.Errorf("accounts[%d]: needs accessKey with secretKey, or username with password", i)
		}
		if account.AccessKey != "" && account.SecretKey == "" {
			return fmt.Errorf("accounts[%d].secretKey: must be set for accessKey %q", i, account.AccessKey)
		}
		if account.Username != "" && account.Password == "" {
			return fmt.Errorf("accounts[%d].password: must be set for username %q", i, account.Username)
		}
		user := account.DomainName + "/" + account.Username
		if account.AccessKey != "" && keys[account.AccessKey] {
			return fmt.Errorf("accounts[%d].accessKey: %q is there twice", i, account.AccessKey)
		}
		if account.Username != "" && users[user] {
			return fmt.Errorf("accounts[%d].username: %q is there twice", i, user)
		}
		keys[account.AccessKey], users[user] = true, true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts = slices.Clone(accounts)
	return nil
}

func (a *authority) list() []Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.accounts)
}

// refusal is the gateway's answer to credentials that it does not accept.
func refusal(reason string) *apiError {
	return &apiError{
		status: http.StatusUnauthorized, code: "0301", shape: shapeGateway,
		message: "Incorrect IAM authentication information: " + reason,
	}
}

// authenticate tells who sent the request. The refusals' reasons are the gateway's own where they are known:
// "verify aksk signature fail", "AK access failed to reach the limit,forbidden", "Get secretKey failed",
// "x-auth-token not found", "decrypt token fail" and "token expires"; the others are inferred.
func (a *authority) authenticate(r *http.Request, body []byte) (principal, *apiError) {
	tokenText, signed := r.Header.Get("X-Auth-Token"), r.Header.Get("Authorization")
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case tokenText != "" && signed != "":
		return principal{}, refusal("X-Auth-Token and Authorization must not be sent together") // inferred
	case tokenText != "":
		return a.byToken(tokenText)
	case signed != "":
		return a.bySignature(r, body, signed)
	default:
		return principal{}, refusal("x-auth-token not found")
	}
}

func (a *authority) byToken(text string) (principal, *apiError) {
	t, ok := a.tokens[sha256.Sum256([]byte(text))]
	if !ok {
		return principal{}, refusal("decrypt token fail")
	}
	if !a.clock.Now().Before(t.expiresAt) {
		return principal{}, refusal("token expires, expires_at: " + t.expiresAt.UTC().Format(iamTime))
	}
	account, ok := a.user(t.domainName, t.username)
	if !ok || account.Disabled || account.Password != t.password {
		return principal{}, refusal("decrypt token fail, the token has been revoked") // inferred
	}
	return principal{account: account, projectID: t.projectID}, nil
}

func (a *authority) bySignature(r *http.Request, body []byte, header string) (principal, *apiError) {
	auth, err := parseAuthorization(header)
	if err != nil {
		return principal{}, refusal(err.Error()) // inferred
	}
	if locked := a.failures[auth.accessKey]; locked != nil && a.clock.Now().Before(locked.lockedUntil) {
		return principal{}, refusal("AK access failed to reach the limit,forbidden")
	}
	account, known := a.key(auth.accessKey)
	if !known || account.Disabled {
		return principal{}, refusal("Get secretKey failed")
	}
	if refused := a.checkDate(r, auth); refused != nil {
		return principal{}, refused
	}
	if refused := a.checkSecurityToken(r, auth, account); refused != nil {
		return principal{}, refused
	}
	if !signatureMatches(auth, r, body, account.SecretKey) {
		a.countFailure(auth.accessKey)
		return principal{}, refusal("verify aksk signature fail")
	}
	delete(a.failures, auth.accessKey)
	return principal{account: account, projectID: account.ProjectID}, nil
}

// checkDate refuses a date that is missing, unsigned, or too far off. Wordings inferred.
func (a *authority) checkDate(r *http.Request, auth authorization) *apiError {
	date, err := time.Parse(signatureTime, r.Header.Get("X-Sdk-Date"))
	if err != nil || !slices.Contains(auth.signedHeaders, "x-sdk-date") {
		return refusal("verify aksk signature fail, X-Sdk-Date must be sent as YYYYMMDDTHHMMSSZ and signed")
	}
	if skew := a.clock.Now().Sub(date); skew > maxSkew || skew < -maxSkew {
		return refusal("verify aksk signature fail, X-Sdk-Date is more than 15 minutes off")
	}
	return nil
}

// checkSecurityToken demands the token of a temporary key, as a signed header. Wordings inferred.
func (a *authority) checkSecurityToken(r *http.Request, auth authorization, account Account) *apiError {
	if !account.ExpiresAt.IsZero() && !a.clock.Now().Before(account.ExpiresAt) {
		return refusal("the access key has expired, expires_at: " + account.ExpiresAt.UTC().Format(iamTime))
	}
	sent := r.Header.Get("X-Security-Token")
	if subtle.ConstantTimeCompare([]byte(sent), []byte(account.SecurityToken)) == 0 {
		return refusal("decrypt token fail, X-Security-Token is not the access key's")
	}
	if sent != "" && !slices.Contains(auth.signedHeaders, "x-security-token") {
		return refusal("verify aksk signature fail, X-Security-Token must be signed")
	}
	return nil
}

func (a *authority) countFailure(accessKey string) {
	count := a.failures[accessKey]
	if count == nil {
		count = &failureCount{}
		a.failures[accessKey] = count
	}
	count.inRow++
	if count.inRow >= lockAfter {
		count.inRow = 0
		count.lockedUntil = a.clock.Now().Add(lockFor)
	}
}

func (a *authority) key(accessKey string) (Account, bool) {
	if account, ok := a.temporary[accessKey]; ok {
		return account, true
	}
	i := slices.IndexFunc(a.accounts, func(account Account) bool { return account.AccessKey == accessKey })
	if i < 0 {
		return Account{}, false
	}
	return a.accounts[i], true
}

func (a *authority) user(domainName, username string) (Account, bool) {
	i := slices.IndexFunc(a.accounts, func(account Account) bool {
		return username != "" && account.Username == username && account.DomainName == domainName
	})
	if i < 0 {
		return Account{}, false
	}
	return a.accounts[i], true
}

// login checks a user's password.
func (a *authority) login(domainName, username, password string) (Account, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	account, ok := a.user(domainName, username)
	same := subtle.ConstantTimeCompare([]byte(account.Password), []byte(password)) == 1
	return account, ok && same && !account.Disabled
}

// projects lists the projects of a domain.
func (a *authority) projects(domainName string) []Account {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []Account
	for _, account := range a.accounts {
		known := slices.ContainsFunc(found, func(other Account) bool { return other.ProjectID == account.ProjectID })
		if account.DomainName == domainName && !known {
			found = append(found, account)
		}
	}
	return found
}

// issueToken returns the text of a new token; tokens that have ended are forgotten on the way.
func (a *authority) issueToken(account Account, projectID string, lifetime time.Duration) (string, token) {
	now := a.clock.Now()
	t := token{
		domainName: account.DomainName, username: account.Username, password: account.Password,
		projectID: projectID, expiresAt: now.Add(lifetime),
	}
	text := base64.RawURLEncoding.EncodeToString(a.random.bytes(tokenSize * 3 / 4))
	a.mu.Lock()
	defer a.mu.Unlock()
	// An hour of grace keeps "expired" apart from "unknown".
	maps.DeleteFunc(a.tokens, func(_ [sha256.Size]byte, old token) bool { return now.Sub(old.expiresAt) > time.Hour })
	a.tokens[sha256.Sum256([]byte(text))] = t
	return text, t
}

// issueKey returns a temporary key with the rights of an account.
func (a *authority) issueKey(account Account, lifetime time.Duration) Account {
	now := a.clock.Now()
	account.AccessKey = "HST" + a.random.hex(9)
	account.SecretKey = a.random.hex(20)
	account.SecurityToken = base64.RawURLEncoding.EncodeToString(a.random.bytes(384))
	account.ExpiresAt = now.Add(lifetime)
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.temporary, func(_ string, old Account) bool { return now.Sub(old.ExpiresAt) > time.Hour })
	a.temporary[account.AccessKey] = account
	return account
}

// claimedIdentity names the sender for the call log without believing it; "" where no one is claimed.
func (a *authority) claimedIdentity(r *http.Request) string {
	if auth, err := parseAuthorization(r.Header.Get("Authorization")); err == nil {
		return auth.accessKey
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tokens[sha256.Sum256([]byte(r.Header.Get("X-Auth-Token")))].username
}
