// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"strconv"
	"strings"
)

// fieldRow is one validation of one field: the values that it lets through and those that it stops. Each value is put at
// the path into the complete object of the kind.
type fieldRow struct {
	path     string
	keyword  string
	accepted []any
	refused  []any
	with     string // patches the complete object first, for a field that cannot stand beside the others
}

// words are what the API server says for each keyword.
var words = map[string]string{
	"pattern":       "should match",
	"minLength":     "should be at least",
	"minItems":      "should have at least",
	"maxLength":     "may not be more than",
	"maxItems":      "must have at most",
	"maxProperties": "must have at most",
	"minimum":       "should be greater than or equal to",
	"maximum":       "should be less than or equal to",
	"enum":          "Unsupported value",
	"required":      "Required value",
	"date-time":     "must be of type date-time",
	"unique":        "Duplicate value",
}

// fieldRows holds one line per rule.
func fieldRows(kind string) []fieldRow {
	switch kind {
	case cloudAccount:
		return join(accountRows(),
			selectorRows("spec.tls.caBundleRef.configMapKeyRef"),
			with(`spec: {tls: {caBundleRef: {configMapKeyRef: null, secretKeyRef: {name: ca, key: ca.crt}}}}`,
				selectorRows("spec.tls.caBundleRef.secretKeyRef")),
			[]fieldRow{
				required("spec.credentials.secretRef"),
				row("spec.credentials.secretRef.name", "minLength", values("a"), values("")),
				row("spec.credentials.secretRef.name", "maxLength", text(253), text(254)),
				required("spec.credentials.secretRef.name"),
			})
	case clusterCloudAccount:
		return join(accountRows(), []fieldRow{
			required("spec.credentials.secretRef"),
			row("spec.credentials.secretRef.namespace", "minLength", values("a"), values("")),
			row("spec.credentials.secretRef.namespace", "maxLength", text(63), text(64)),
			required("spec.credentials.secretRef.namespace"),
			row("spec.credentials.secretRef.name", "minLength", values("a"), values("")),
			row("spec.credentials.secretRef.name", "maxLength", text(253), text(254)),
			required("spec.credentials.secretRef.name"),
			row("spec.tls.caBundle", "maxLength", text(131072), text(131073)),
			row("spec.allowedNamespaces.names", "maxItems", values(texts(256)), values(texts(257))),
			row("spec.allowedNamespaces.names", "unique", values(list("a", "b")), values(list("a", "a"))),
			required("spec.allowedNamespaces.selector.matchExpressions[0].key"),
			required("spec.allowedNamespaces.selector.matchExpressions[0].operator"),
		})
	case environment:
		return join(resourceRows(), projectRows(), []fieldRow{
			required("spec"),
			row("spec.vpcID", "minLength", values("v"), values("")),
			row("spec.vpcID", "maxLength", text(64), text(65)),
			row("spec.deployMode", "enum", values("virtualmachine", "container", "mixed"), values("", "Container", "serverless")),
			row("spec.resources", "maxItems", values(resources(64)), values(resources(65))),
			row("spec.resources[0].type", "enum", values("cce", "ecs", "as", "cse", "elb", "eip", "dcs", "rds"), values("", "vpc", "CCE")),
			required("spec.resources[0].type"),
			row("spec.resources[0].id", "minLength", values("i"), values("")),
			row("spec.resources[0].id", "maxLength", text(64), text(65)),
			row("spec.resources[0].name", "maxLength", text(64), text(65)),
			row("spec.resources[1].engineRef.name", "minLength", values("e"), values("")),
			row("spec.resources[1].engineRef.name", "maxLength", text(253), text(254)),
			required("spec.resources[1].engineRef.name"),
			row("status.resources", "maxItems", values(resources(64)), values(resources(65))),
			required("status.resources[0].type"),
			required("status.resources[0].id"),
		})
	case application:
		return join(resourceRows(), projectRows(),
			selectorRows("spec.configurations[0].env[1].valueFrom.configMapKeyRef"),
			selectorRows("spec.configurations[0].env[2].valueFrom.secretKeyRef"),
			[]fieldRow{
				row("spec.configurations", "maxItems", values(configurations(64)), values(configurations(65))),
				required("spec.configurations[0].environmentRef"),
				required("spec.configurations[0].env"),
				row("spec.configurations[0].environmentRef.name", "minLength", values("e"), values("")),
				row("spec.configurations[0].environmentRef.name", "maxLength", text(253), text(254)),
				row("spec.configurations[1].environmentRef.id", "minLength", values("e"), values("")),
				row("spec.configurations[1].environmentRef.id", "maxLength", text(64), text(65)),
				row("spec.configurations[0].env", "maxItems", values(variables(256)), values(variables(257))),
				row("spec.configurations[0].env", "unique",
					values(list(variable("A", "1"), variable("B", "1"))), values(list(variable("A", "1"), variable("A", "2")))),
				row("spec.configurations[0].env[0].name", "pattern",
					values("PATH", "_x", "spring.profiles.active", "-D", "a1"), values("", "1A", "A B", "Ä", "A=B")),
				row("spec.configurations[0].env[0].name", "maxLength", text(64), text(65)),
				required("spec.configurations[0].env[0].name"),
				row("spec.configurations[0].env[0].value", "maxLength", text(2048), text(2049)),
				required("status.configurations[0].environmentID"),
				required("status.configurations[0].variables"),
				row("status.configurations", "unique",
					values(list(observed("env-1"), observed("env-2"))), values(list(observed("env-1"), observed("env-1")))),
			})
	case component:
		return join(resourceRows(), componentRows())
	case engine:
		return join(commonRows(), engineRows())
	case kieConfig:
		return join(withoutImport(commonRows()), kieConfigRows())
	default:
		panic("no rows for " + kind)
	}
}

// accountRows are the rules of both kinds of account.
func accountRows() []fieldRow {
	projectName := with(`spec: {projectID: null, projectName: shop}`, []fieldRow{
		row("spec.projectName", "minLength", values("s"), values("")),
		row("spec.projectName", "maxLength", text(64), text(65)),
	})
	return join(conditionRows(), projectName, []fieldRow{
		required("spec"),
		row("spec.region", "pattern", values("ap-southeast-3", "cn-north-4", "r1"), values("", "AP-Southeast-3", "a.b", "-a", "a-", "a--b", "evil/x")),
		row("spec.region", "maxLength", text(64), text(65)),
		required("spec.region"),
		row("spec.projectID", "pattern", values("0a1b2c3d", "0A1B-2c"), values("", "a/b", "a_b")),
		row("spec.projectID", "maxLength", text(64), text(65)),
		row("spec.enterpriseProjectID", "maxLength", text(64), text(65)),
		row("status.rateLimits", "maxItems", values(texts(32)), values(texts(33))),
		row("spec.endpoints.iam", "maxLength", values(address(512)), values(address(513))),
		row("spec.endpoints.servicestage", "maxLength", values(address(512)), values(address(513))),
		row("spec.endpoints.cse", "maxLength", values(address(512)), values(address(513))),
		row("spec.endpoints.vpc", "maxLength", values(address(512)), values(address(513))),
		row("spec.rateLimit.requestsPerSecond", "minimum", values(1), values(0, -1)),
		row("spec.rateLimit.requestsPerSecond", "maximum", values(10000), values(10001)),
		required("spec.rateLimit.requestsPerSecond"),
		row("spec.rateLimit.burst", "minimum", values(1), values(0, -1)),
		row("spec.rateLimit.burst", "maximum", values(10000), values(10001)),
		required("spec.credentials"),
	})
}

// resourceRows are the rules of every cloud resource of ServiceStage.
func resourceRows() []fieldRow {
	return join(commonRows(), []fieldRow{
		row("spec.name", "pattern", values("ab", "Shop-1", "a_b", "a--9"), values("", "a", "1shop", "_shop", "shop-", "shop_", "shop.dev", "my shop", "läden")),
		row("spec.name", "maxLength", text(64), text(65)),
		row("spec.description", "maxLength", text(128), text(129)),
	})
}

// commonRows are the rules of what every cloud resource has.
func commonRows() []fieldRow {
	return join(conditionRows(), []fieldRow{
		row("spec.accountRef.kind", "enum", values("CloudAccount", "ClusterCloudAccount"), values("", "Secret", "cloudaccount")),
		row("spec.accountRef.name", "minLength", values("a"), values("")),
		row("spec.accountRef.name", "maxLength", text(253), text(254)),
		row("spec.managementPolicy", "enum", values("Manage", "Observe"), values("", "manage", "ReadOnly")),
		row("spec.deletionPolicy", "enum", values("Delete", "Orphan"), values("", "Retain")),
		row("spec.import.id", "minLength", values("i"), values("")),
		row("spec.import.id", "maxLength", text(64), text(65)),
		row("status.drift", "maxItems", values(texts(16)), values(texts(17))),
		row("status.operation.verb", "enum", values("Create", "Update", "Delete"), values("", "Restart")),
		required("status.operation.verb"),
		required("status.operation.startedAt"),
		row("status.operation.startedAt", "date-time", values("2026-01-02T03:04:05Z"), values("", "yesterday")),
		row("status.lastSyncTime", "date-time", values("2026-01-02T03:04:05Z"), values("", "yesterday")),
	})
}

// projectRows are the rules of every cloud resource that belongs to an enterprise project and has tags for labels.
func projectRows() []fieldRow {
	return []fieldRow{
		row("spec.enterpriseProjectID", "minLength", values("0"), values("")),
		row("spec.enterpriseProjectID", "maxLength", text(64), text(65)),
		row("spec.labels", "maxProperties", values(labels(9)), values(labels(10))),
	}
}

// conditionRows are the rules of status.conditions, which every kind has.
func conditionRows() []fieldRow {
	return []fieldRow{
		row("status.conditions", "unique",
			values(list(condition("Ready"), condition("Synced"))), values(list(condition("Ready"), condition("Ready")))),
		row("status.conditions[0].type", "pattern", values("Ready", "example.com/Ready"), values("", "not ready")),
		row("status.conditions[0].type", "maxLength", text(316), text(317)),
		required("status.conditions[0].type"),
		row("status.conditions[0].status", "enum", values("True", "False", "Unknown"), values("", "true")),
		required("status.conditions[0].status"),
		row("status.conditions[0].reason", "pattern", values("Available", "A1"), values("not ready", "1A")),
		row("status.conditions[0].reason", "minLength", values("A"), values("")),
		row("status.conditions[0].reason", "maxLength", text(1024), text(1025)),
		required("status.conditions[0].reason"),
		row("status.conditions[0].message", "maxLength", text(32768), text(32769)),
		required("status.conditions[0].message"),
		row("status.conditions[0].lastTransitionTime", "date-time", values("2026-01-02T03:04:05Z"), values("", "yesterday")),
		required("status.conditions[0].lastTransitionTime"),
		row("status.conditions[0].observedGeneration", "minimum", values(0), values(-1)),
	}
}

// selectorRows are the rules of the selector of one key of a Secret or ConfigMap.
func selectorRows(path string) []fieldRow {
	return []fieldRow{
		row(path+".name", "minLength", values("n"), values("")),
		row(path+".name", "maxLength", text(253), text(254)),
		required(path + ".name"),
		row(path+".key", "minLength", values("k"), values("")),
		row(path+".key", "maxLength", text(253), text(254)),
		required(path + ".key"),
	}
}

func row(path, keyword string, accepted, refused []any) fieldRow {
	return fieldRow{path: path, keyword: keyword, accepted: accepted, refused: refused}
}

// required is the rule that a field must be there; the complete object shows the other way.
func required(path string) fieldRow {
	return fieldRow{path: path, keyword: "required", refused: values(absent{})}
}

// with gives the rows a patch of the complete object.
func with(patch string, rows []fieldRow) []fieldRow {
	for i := range rows {
		rows[i].with = patch
	}
	return rows
}

func join(parts ...[]fieldRow) []fieldRow {
	var out []fieldRow
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

// values lists the values of a row as the JSON types that objects hold.
func values(in ...any) []any {
	out := make([]any, len(in))
	for i, value := range in {
		if n, ok := value.(int); ok {
			value = int64(n)
		}
		out[i] = value
	}
	return out
}

func list(in ...any) []any { return append([]any{}, in...) }

// text is one string of n letters.
func text(n int) []any { return values(strings.Repeat("a", n)) }

// texts is a list of n different strings.
func texts(n int) []any {
	return many(n, func(i int) any { return "a" + strconv.Itoa(i) })
}

func many(n int, element func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = element(i)
	}
	return out
}

func resources(n int) []any {
	return many(n, func(i int) any { return map[string]any{"type": "ecs", "id": fmt.Sprintf("server-%d", i)} })
}

func configurations(n int) []any {
	return many(n, func(i int) any {
		return map[string]any{"environmentRef": map[string]any{"name": fmt.Sprintf("env-%d", i)}, "env": []any{}}
	})
}

func variables(n int) []any {
	return many(n, func(i int) any { return variable(fmt.Sprintf("V%d", i), "x") })
}

func variable(name, value string) any { return map[string]any{"name": name, "value": value} }

func observed(id string) any { return map[string]any{"environmentID": id, "variables": int64(1)} }

func labels(n int) any {
	out := map[string]any{}
	for i := range n {
		out[fmt.Sprintf("label-%d", i)] = ""
	}
	return out
}

func condition(conditionType string) any {
	return map[string]any{"type": conditionType, "status": "True", "reason": "Test", "message": "",
		"lastTransitionTime": "2026-01-02T03:04:05Z"}
}

// address is an endpoint of n characters.
func address(n int) string {
	const start = "https://iam.example.com/"
	return start + strings.Repeat("a", n-len(start))
}
