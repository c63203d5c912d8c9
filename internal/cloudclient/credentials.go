// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"unicode"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const redacted = "[redacted]"

// Credentials authenticate an account: an access key (AccessKey and SecretKey, and SecurityToken where the key is
// temporary), or an IAM user (DomainName, Username and Password) for whom tokens are fetched. They print and marshal
// as "[redacted]".
type Credentials struct {
	AccessKey, SecretKey, SecurityToken string
	DomainName, Username, Password      string
}

// field pairs a value with the name that users know it by.
type field struct{ name, value string }

func (c Credentials) keyFields() []field {
	return []field{{"accessKey", c.AccessKey}, {"secretKey", c.SecretKey}}
}

func (c Credentials) userFields() []field {
	return []field{{"domainName", c.DomainName}, {"username", c.Username}, {"password", c.Password}}
}

// usesKey says whether the credentials are an access key rather than a user.
func (c Credentials) usesKey() bool {
	return c.AccessKey != "" || c.SecretKey != "" || c.SecurityToken != ""
}

func (c Credentials) usesUser() bool {
	return c.DomainName != "" || c.Username != "" || c.Password != ""
}

// Validate returns nil or an error of class Invalid that names the field that is missing, superfluous or malformed.
// It never holds a value.
func (c Credentials) Validate() error {
	const want = "accessKey and secretKey (and securityToken for a temporary key), or domainName, username and password"
	switch {
	case c.usesKey() && c.usesUser():
		return clouderr.New(clouderr.Invalid, "the credentials hold both an access key and a user; keep one of the two: %s", want)
	case !c.usesKey() && !c.usesUser():
		return clouderr.New(clouderr.Invalid, "the credentials are empty; want %s", want)
	}
	fields := c.userFields()
	if c.usesKey() {
		fields = c.keyFields()
	}
	for _, f := range fields {
		if f.value == "" {
			return clouderr.New(clouderr.Invalid, "the credentials lack %s; want %s", f.name, want)
		}
	}
	for _, f := range append(fields, field{"securityToken", c.SecurityToken}) {
		if strings.ContainsFunc(f.value, unicode.IsControl) {
			return clouderr.New(clouderr.Invalid,
				"the credentials' %s holds a line break or another control character; write it without a trailing newline", f.name)
		}
	}
	for _, f := range []field{{"accessKey", c.AccessKey}, {"secretKey", c.SecretKey}, {"securityToken", c.SecurityToken}} {
		if strings.ContainsFunc(f.value, func(r rune) bool { return r == ',' || r > unicode.MaxASCII || unicode.IsSpace(r) }) {
			return clouderr.New(clouderr.Invalid, "the credentials' %s holds a space, a comma or a character that is not ASCII", f.name)
		}
	}
	return nil
}

// secrets lists the values that must never be shown.
func (c Credentials) secrets() []string { return []string{c.SecretKey, c.SecurityToken, c.Password} }

// String hides the credentials.
func (c Credentials) String() string { return redacted }

// GoString hides the credentials.
func (c Credentials) GoString() string { return "cloudclient.Credentials{" + redacted + "}" }

// Format hides the credentials from every verb of fmt.
func (c Credentials) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(redacted)) }

// LogValue hides the credentials from log/slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON hides the credentials.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// minSecret is the length in bytes from which a value counts as a secret when texts are redacted: replacing shorter
// ones would make texts unreadable and protect nothing.
const minSecret = 4

// redact hides the secrets in text that came from outside.
func redact(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}
