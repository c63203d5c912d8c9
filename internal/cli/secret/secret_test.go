// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package secret

import "testing"

func TestIs(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		want        bool
	}{
		{"DB_PASSWORD", "x", true},
		{"dbPassword", "x", true},
		{"spring.datasource.password", "x", true},
		{"DB_PASS", "x", true},
		{"dbPass", "x", true},
		{"API_KEY", "x", true},
		{"ApiKey", "x", true},
		{"AWS_SECRET_ACCESS_KEY", "x", true},
		{"GITHUB_TOKEN", "x", true},
		{"LICENSE_KEY", "x", true},
		{"DATABASE_URL", "postgres://shop:hunter2@db:5432/shop", true},
		{"DATABASE_URL", "postgres://db:5432/shop", false},
		{"CALLBACK", "https://example.com/a:b@c", false},
		{"CERT", "-----BEGIN PRIVATE KEY-----\nMIIE", true},
		{"HEADER", "Bearer abc", true},
		{"LOG_LEVEL", "debug", false},
		{"BYPASS_CACHE", "true", false},
		{"KEYBOARD", "de", false},
		{"MONKEY", "1", false},
		{"COMPASS", "north", false},
		{"CURRENCY", "EUR", false},
		{"AUTHOR", "me", false},
	} {
		if got := Is(tc.name, tc.value); got != tc.want {
			t.Errorf("Is(%q, %q) = %t, want %t", tc.name, tc.value, got, tc.want)
		}
	}
}

func TestIn(t *testing.T) {
	for text, want := range map[string]bool{
		"-Xms256m -Xmx1024m":                                     false,
		"-Djavax.net.ssl.keyStorePassword=hunter2":               true,
		`java -jar shop.jar --spring.datasource.password=s3cr3t`: true,
		`--password hunter2`:                                     true,
		`--password-file /run/password`:                          true, // a file's name is taken for the password: never the reverse
		`--password=$PASSWORD`:                                   false,
		`<Connector keystorePass="x" port="8443"/>`:              true,
		`<Realm connectionPassword="hunter2"/>`:                  true,
		"curl https://user:hunter2@example.com":                  true,
		"./warm-up --verbose":                                    false,
	} {
		if got := In(text); got != want {
			t.Errorf("In(%q) = %t, want %t", text, got, want)
		}
	}
}
