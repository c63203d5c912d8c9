// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package secret guesses which values are secrets, by their names and by their form, so that they are not shown. It would
// rather take a plain value for a secret than the reverse.
package secret

import (
	"regexp"
	"slices"
	"strings"
)

// Mask stands for a value that is not shown.
const Mask = "***"

var (
	// words make a name speak of a secret wherever they are in it, once separators are gone.
	words = []string{
		"password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "accesskey", "privatekey", "signingkey",
		"encryptionkey", "connectionstring", "authorization",
	}
	// parts do so only as a part of their own: PASS in DB_PASS, and not in BYPASS.
	parts = []string{"pass", "pwd", "pw", "pin", "key", "pat", "auth", "cred", "creds", "dsn", "salt", "sas", "jwt", "cookie"}

	separators = regexp.MustCompile(`[^A-Za-z0-9]+`)
	humps      = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	// inURL finds the password of a URL, pem a key file, bearer an authorization header, and inText a password that is
	// given to a program.
	inURL  = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^/@\s:]*:[^/@\s]+@`)
	bearer = regexp.MustCompile(`(?i)^(bearer|basic)\s+\S`)
	inText = regexp.MustCompile(`(?i)[a-z0-9_.-]*(pass|pwd|secret|token|credential|api[_.-]?key|private[_.-]?key)[a-z0-9_.-]*["']?\s*[=:\s]\s*["']?[^\s"'$]`)
)

// pem begins a key or a certificate.
const pem = "-----BEGIN "

// Is says whether the value of a variable must not be shown.
func Is(name, value string) bool { return speaks(name) || looks(value) }

// speaks says whether a name speaks of a secret.
func speaks(name string) bool {
	joined := strings.ToLower(separators.ReplaceAllString(name, ""))
	if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(joined, w) }) {
		return true
	}
	split := separators.Split(humps.ReplaceAllString(name, "${1}_${2}"), -1)
	return slices.ContainsFunc(split, func(part string) bool { return slices.Contains(parts, strings.ToLower(part)) })
}

// looks says whether a value looks like a secret.
func looks(value string) bool {
	return inURL.MatchString(value) || bearer.MatchString(value) || strings.Contains(value, pem)
}

// In says whether a text, such as a command line or a file, seems to hold a secret.
func In(text string) bool { return looks(text) || inText.MatchString(text) }
