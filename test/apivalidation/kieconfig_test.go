// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"slices"
	"strings"
)

const minimalKieConfig = `spec: {engineRef: {name: engine}}`

const completeKieConfig = `
spec:
  accountRef: {kind: ClusterCloudAccount, name: shared}
  managementPolicy: Observe
  deletionPolicy: Orphan
  resyncInterval: 5m
  endpoint: {kie: "https://192.0.2.1:30110", serviceCenter: "https://192.0.2.1:30100"}
  authSecretRef: {name: login}
  tls: {caBundleRef: {configMapKeyRef: {name: ca, key: ca.crt}}}
  access: Engine
  labels: {app: shop}
  conflictPolicy: Overwrite
  items:
  - {key: a, value: "1", valueType: text, labels: {service: cart}, enabled: false}
  - {key: b, valueFrom: {configMapKeyRef: {name: settings, key: b}}}
  - {key: c, valueFrom: {secretKeyRef: {name: secrets, key: c}}}
status:` + completeResourceStatus + `  total: 3
  syncedItems: 2
  failed: 1
  summary: 2/3
  failures: [{key: a, labels: {service: cart}, reason: Rejected, message: too long}]
  revision: 7
  watch: LongPoll
  written: [AAAAAAAAAAAAAAAA]
  refusedCredentials: v1
`

// byEngine names an engine by its object instead of its addresses.
const byEngine = `spec: {endpoint: null, engineRef: {name: engine}}`

func kieConfigRows() []fieldRow {
	return join(
		with(byEngine, []fieldRow{
			row("spec.engineRef.name", "minLength", values("e"), values("")),
			row("spec.engineRef.name", "maxLength", text(253), text(254)),
			required("spec.engineRef.name"),
		}),
		selectorRows("spec.tls.caBundleRef.configMapKeyRef"),
		with(`spec: {tls: {caBundleRef: {configMapKeyRef: null, secretKeyRef: {name: ca, key: ca.crt}}}}`,
			selectorRows("spec.tls.caBundleRef.secretKeyRef")),
		selectorRows("spec.items[1].valueFrom.configMapKeyRef"),
		selectorRows("spec.items[2].valueFrom.secretKeyRef"),
		engineAddressRows("spec.endpoint.kie"),
		engineAddressRows("spec.endpoint.serviceCenter"),
		[]fieldRow{
			required("spec"),
			required("spec.endpoint.kie"),
			row("spec.authSecretRef.name", "minLength", values("a"), values("")),
			row("spec.authSecretRef.name", "maxLength", text(253), text(254)),
			required("spec.authSecretRef.name"),
			with(byEngine, []fieldRow{row("spec.access", "enum", values("Engine", "Gateway"), values("", "engine", "Direct"))})[0],
			row("spec.labels", "maxProperties", values(labels(6)), values(labels(7))),
			row("spec.items", "maxItems", values(kieItems(1024)), values(kieItems(1025))),
			row("spec.items[0].key", "minLength", values("k"), values("")),
			row("spec.items[0].key", "maxLength", text(2048), text(2049)),
			row("spec.items[0].key", "pattern", values("a.B_c:d-1"), values("a b", "a/b", "a{b}", "ä")),
			required("spec.items[0].key"),
			row("spec.items[0].value", "maxLength", text(131072), text(131073)),
			row("spec.items[0].valueType", "enum", values("text", "json", "yaml", "ini", "properties", "xml"), values("", "JSON", "toml")),
			row("spec.items[0].labels", "maxProperties", values(labels(6)), values(labels(7))),
			row("spec.conflictPolicy", "enum", values("Fail", "Overwrite"), values("", "Ignore")),
			required("status.failures[0].key"),
			required("status.failures[0].reason"),
			row("status.failures", "maxItems", values(kieFailures(10)), values(kieFailures(11))),
			row("status.written", "maxItems", values(texts(2048)), values(texts(2049))),
		})
}

func engineAddressRows(path string) []fieldRow {
	const start = "https://kie.example.com/"
	address := func(n int) string { return start + strings.Repeat("a", n-len(start)) }
	return []fieldRow{
		row(path, "maxLength", values(address(2048)), values(address(2049))),
		row(path, "pattern", values("https://192.0.2.1:30110", "http://[::1]:30110/", "https://kie.example.com/prefix"),
			values("", "kie.example.com", "ftp://kie.example.com", "https://user@kie.example.com", "https://kie.example.com?a=b", "https://kie.example.com/#a")),
	}
}

func kieItems(n int) []any {
	return many(n, func(i int) any { return map[string]any{"key": fmt.Sprintf("key-%d", i), "value": "x"} })
}

func kieFailures(n int) []any {
	return many(n, func(i int) any { return map[string]any{"key": fmt.Sprintf("key-%d", i), "reason": "Rejected"} })
}

func kieConfigRules() []ruleRow {
	const (
		one       = "exactly one of engineRef"
		noEngine  = `spec: {engineRef: null, endpoint: {kie: "https://a"}}`
		immutable = "engineRef is immutable"
		address   = "endpoint.kie is immutable"
	)
	rules := []ruleRow{
		{"spec", one, "", `spec: {engineRef: {name: e}}`, accepted},
		{"spec", one, "", noEngine, accepted},
		{"spec", one, "", `spec: {engineRef: null}`, refused},
		{"spec", one, "", `spec: {endpoint: {kie: "https://a"}}`, refused},

		{"spec.engineRef", immutable, `spec: {engineRef: {name: e}}`, `spec: {conflictPolicy: Overwrite}`, accepted},
		{"spec.engineRef", immutable, `spec: {engineRef: {name: e}}`, `spec: {engineRef: {name: f}}`, refused},
		{"spec.engineRef", immutable, `spec: {engineRef: {name: e}}`, noEngine, refused},
		{"spec.engineRef", immutable, noEngine, `spec: {endpoint: null, engineRef: {name: e}}`, refused},

		{"spec.endpoint.kie", address, noEngine, `spec: {endpoint: {serviceCenter: "https://b"}}`, accepted},
		{"spec.endpoint.kie", address, noEngine, `spec: {endpoint: {kie: "https://b"}}`, refused},

		{"spec.access", "needs engineRef", "", `spec: {access: Gateway}`, accepted},
		{"spec.access", "needs engineRef", "", `spec: {access: Gateway, engineRef: null, endpoint: {kie: "https://a"}}`, refused},

		{"spec.import", "not by import", "", `spec: {conflictPolicy: Overwrite}`, accepted},
		{"spec.import", "not by import", "", `spec: {import: {byName: true}}`, refused},

		{"spec.endpoint.serviceCenter", "authSecretRef needs", "", `spec: {authSecretRef: {name: s}}`, accepted},
		{"spec.endpoint.serviceCenter", "authSecretRef needs", "", `spec: {engineRef: null, endpoint: {kie: "https://a", serviceCenter: "https://b"}, authSecretRef: {name: s}}`, accepted},
		{"spec.endpoint.serviceCenter", "authSecretRef needs", "", `spec: {engineRef: null, endpoint: {kie: "https://a"}, authSecretRef: {name: s}}`, refused},

		{"spec.items[]", "exactly one of value and valueFrom", "", `spec: {items: [{key: a, value: ""}]}`, accepted},
		{"spec.items[]", "exactly one of value and valueFrom", "", `spec: {items: [{key: a, valueFrom: {secretKeyRef: {name: s, key: k}}}]}`, accepted},
		{"spec.items[]", "exactly one of value and valueFrom", "", `spec: {items: [{key: a}]}`, refused},
		{"spec.items[]", "exactly one of value and valueFrom", "", `spec: {items: [{key: a, value: "", valueFrom: {secretKeyRef: {name: s, key: k}}}]}`, refused},

		{"spec.tls", "at most one of caBundleRef and insecureSkipVerify", "", `spec: {tls: {insecureSkipVerify: true}}`, accepted},
		{"spec.tls", "at most one of caBundleRef and insecureSkipVerify", "", `spec: {tls: {insecureSkipVerify: true, caBundleRef: {secretKeyRef: {name: a, key: k}}}}`, refused},
	}
	for labels, verdict := range map[string]verdict{
		`{app: ""}`: accepted, fmt.Sprintf(`{%q: %q}`, strings.Repeat("k", 128), strings.Repeat("v", 128)): accepted,
		`{"": v}`: refused, fmt.Sprintf(`{%q: v}`, strings.Repeat("k", 129)): refused, fmt.Sprintf(`{k: %q}`, strings.Repeat("v", 129)): refused,
	} {
		rules = append(rules,
			ruleRow{"spec.labels", "label keys have", "", fmt.Sprintf(`spec: {labels: %s}`, labels), verdict},
			ruleRow{"spec.items[].labels", "label keys have", "", fmt.Sprintf(`spec: {items: [{key: a, value: "", labels: %s}]}`, labels), verdict})
	}
	return slices.Concat(rules,
		sourceRules("spec.tls.caBundleRef", "spec: {tls: {caBundleRef: %s}}"),
		sourceRules("spec.items[].valueFrom", "spec: {items: [{key: a, valueFrom: %s}]}"))
}

// nameless kinds have no name in the cloud.
func nameless(kind string) bool { return kind == kieConfig }

// refusedAltogether says whether a kind refuses a field that all cloud resources have, so that what is below it cannot be
// shown.
func refusedAltogether(kind, path string) bool {
	return kind == kieConfig && strings.HasPrefix(path, "spec.import")
}

func withoutImport(rows []fieldRow) []fieldRow {
	return slices.DeleteFunc(rows, func(r fieldRow) bool { return refusedAltogether(kieConfig, r.path) })
}

func withoutImportRules(rows []ruleRow) []ruleRow {
	return slices.DeleteFunc(rows, func(r ruleRow) bool { return refusedAltogether(kieConfig, r.path) })
}
