// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"slices"
	"strings"
)

type verdict string

const (
	accepted verdict = "accepted"
	refused  verdict = "refused"
)

// ruleRow is one step under one CEL rule. Before and after are merge patches of the minimal object of the kind; where
// before is empty, after is a creation.
type ruleRow struct {
	path    string // the rule speaks of, as in the schema
	says    string // the words of the rule's message that name the rule
	before  string
	after   string
	verdict verdict
}

// ruleRows holds one line per step.
func ruleRows(kind string) []ruleRow {
	switch kind {
	case cloudAccount:
		return slices.Concat(accountRules(), sourceRules("spec.tls.caBundleRef", "spec: {tls: {caBundleRef: %s}}"), []ruleRow{
			{"spec.tls", "at most one of caBundleRef and insecureSkipVerify", "", `spec: {tls: {}}`, accepted},
			{"spec.tls", "at most one of caBundleRef and insecureSkipVerify", "", `spec: {tls: {insecureSkipVerify: true}}`, accepted},
			{"spec.tls", "at most one of caBundleRef and insecureSkipVerify", "", `spec: {tls: {insecureSkipVerify: false, caBundleRef: {secretKeyRef: {name: a, key: k}}}}`, accepted},
			{"spec.tls", "at most one of caBundleRef and insecureSkipVerify", "", `spec: {tls: {insecureSkipVerify: true, caBundleRef: {secretKeyRef: {name: a, key: k}}}}`, refused},
		})
	case clusterCloudAccount:
		return accountRules()
	case environment:
		return slices.Concat(resourceRules(), renameRules(), environmentRules)
	case application:
		return slices.Concat(resourceRules(), renameRules(), applicationRules())
	case component:
		return slices.Concat(resourceRules(), componentRules())
	case engine:
		return slices.Concat(commonRules(), engineRules())
	case kieConfig:
		return slices.Concat(withoutImportRules(commonRules()), kieConfigRules())
	default:
		panic("no rules for " + kind)
	}
}

var environmentRules = []ruleRow{
	{"spec.vpcID", "vpcID is required", "", `spec: {vpcID: vpc-1}`, accepted},
	{"spec.vpcID", "vpcID is required", "", `spec: {vpcID: null}`, refused},
	{"spec.vpcID", "vpcID is required", "", `spec: {vpcID: null, import: {byName: true}}`, accepted},
	{"spec.vpcID", "vpcID is required", "", `spec: {vpcID: null, managementPolicy: Observe}`, accepted},
	{"spec.vpcID", "vpcID is required", `spec: {vpcID: null, managementPolicy: Observe}`, `spec: {managementPolicy: Manage}`, refused},

	{"spec.vpcID", "vpcID is immutable", `spec: {vpcID: vpc-1}`, `metadata: {labels: {a: b}}`, accepted},
	{"spec.vpcID", "vpcID is immutable", `spec: {vpcID: null, import: {id: env-1}}`, `spec: {vpcID: vpc-1}`, accepted},
	{"spec.vpcID", "vpcID is immutable", `spec: {vpcID: vpc-1}`, `spec: {vpcID: vpc-2}`, refused},
	{"spec.vpcID", "vpcID is immutable", `spec: {vpcID: vpc-1, import: {id: env-1}}`, `spec: {vpcID: null}`, refused},

	{"spec.deployMode", "deployMode is immutable", `spec: {deployMode: mixed}`, `spec: {description: x}`, accepted},
	{"spec.deployMode", "deployMode is immutable", `spec: {}`, `spec: {deployMode: mixed}`, accepted},
	{"spec.deployMode", "deployMode is immutable", `spec: {deployMode: mixed}`, `spec: {deployMode: container}`, refused},
	{"spec.deployMode", "deployMode is immutable", `spec: {deployMode: mixed}`, `spec: {deployMode: null}`, refused},

	{"spec.enterpriseProjectID", "enterpriseProjectID is immutable", `spec: {enterpriseProjectID: "0"}`, `spec: {description: x}`, accepted},
	{"spec.enterpriseProjectID", "enterpriseProjectID is immutable", `spec: {}`, `spec: {enterpriseProjectID: "0"}`, accepted},
	{"spec.enterpriseProjectID", "enterpriseProjectID is immutable", `spec: {enterpriseProjectID: "0"}`, `spec: {enterpriseProjectID: "1"}`, refused},
	{"spec.enterpriseProjectID", "enterpriseProjectID is immutable", `spec: {enterpriseProjectID: "0"}`, `spec: {enterpriseProjectID: null}`, refused},

	{"spec.resources[]", "exactly one of id and engineRef", "", `spec: {resources: [{type: cse, id: e-1}]}`, accepted},
	{"spec.resources[]", "exactly one of id and engineRef", "", `spec: {resources: [{type: cse, engineRef: {name: e}}]}`, accepted},
	{"spec.resources[]", "exactly one of id and engineRef", "", `spec: {resources: [{type: cse}]}`, refused},
	{"spec.resources[]", "exactly one of id and engineRef", "", `spec: {resources: [{type: cse, id: e-1, engineRef: {name: e}}]}`, refused},

	{"spec.resources[]", "engineRef needs type: cse", "", `spec: {resources: [{type: cse, engineRef: {name: e}}]}`, accepted},
	{"spec.resources[]", "engineRef needs type: cse", "", `spec: {resources: [{type: cce, engineRef: {name: e}}]}`, refused},

	{"spec.resources", "each resource may be listed once", "", `spec: {resources: []}`, accepted},
	{"spec.resources", "each resource may be listed once", "", `spec: {resources: [{type: ecs, id: a}, {type: elb, id: a}, {type: ecs, id: b}]}`, accepted},
	{"spec.resources", "each resource may be listed once", "", `spec: {resources: [{type: cse, id: a}, {type: cse, engineRef: {name: a}}]}`, accepted},
	{"spec.resources", "each resource may be listed once", "", `spec: {resources: [{type: ecs, id: a}, {type: ecs, id: a, name: other}]}`, refused},
	{"spec.resources", "each resource may be listed once", "", `spec: {resources: [{type: cse, engineRef: {name: a}}, {type: cse, engineRef: {name: a}}]}`, refused},
}

func applicationRules() []ruleRow {
	const env = "spec.configurations[].env[]"
	rules := []ruleRow{
		{"spec.configurations[].environmentRef", "exactly one of name", "", `spec: {configurations: [{environmentRef: {name: dev}, env: []}]}`, accepted},
		{"spec.configurations[].environmentRef", "exactly one of name", "", `spec: {configurations: [{environmentRef: {id: env-1}, env: []}]}`, accepted},
		{"spec.configurations[].environmentRef", "exactly one of name", "", `spec: {configurations: [{environmentRef: {}, env: []}]}`, refused},
		{"spec.configurations[].environmentRef", "exactly one of name", "", `spec: {configurations: [{environmentRef: {name: dev, id: env-1}, env: []}]}`, refused},

		{"spec.configurations", "each environment may be listed once", "", `spec: {configurations: []}`, accepted},
		{"spec.configurations", "each environment may be listed once", "", `spec: {configurations: [{environmentRef: {name: a}, env: []}, {environmentRef: {id: a}, env: []}, {environmentRef: {name: b}, env: []}]}`, accepted},
		{"spec.configurations", "each environment may be listed once", "", `spec: {configurations: [{environmentRef: {name: a}, env: []}, {environmentRef: {name: a}, env: []}]}`, refused},
		{"spec.configurations", "each environment may be listed once", "", `spec: {configurations: [{environmentRef: {id: a}, env: []}, {environmentRef: {id: a}, env: []}]}`, refused},

		{env, "exactly one of value and valueFrom", "", variablePatch(`{name: A, value: ""}`), accepted},
		{env, "exactly one of value and valueFrom", "", variablePatch(`{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}`), accepted},
		{env, "exactly one of value and valueFrom", "", variablePatch(`{name: A}`), refused},
		{env, "exactly one of value and valueFrom", "", variablePatch(`{name: A, value: x, valueFrom: {secretKeyRef: {name: s, key: k}}}`), refused},
	}
	return append(rules, sourceRules(env+".valueFrom", variablePatch(`{name: A, valueFrom: %s}`))...)
}

func variablePatch(variable string) string {
	return fmt.Sprintf("spec: {configurations: [{environmentRef: {name: dev}, env: [%s]}]}", variable)
}

// accountRules are the rules of both kinds of account.
func accountRules() []ruleRow {
	rules := []ruleRow{
		{"spec", "at most one of projectID and projectName", "", `spec: {}`, accepted},
		{"spec", "at most one of projectID and projectName", "", `spec: {projectID: p1}`, accepted},
		{"spec", "at most one of projectID and projectName", "", `spec: {projectName: ap-southeast-3_shop}`, accepted},
		{"spec", "at most one of projectID and projectName", "", `spec: {projectID: p1, projectName: shop}`, refused},
	}
	for _, service := range []string{"iam", "servicestage", "cse", "vpc"} {
		for url, verdict := range map[string]verdict{
			"https://servicestage.ap-southeast-3.myhuaweicloud.com": accepted,
			"http://127.0.0.1:8080":                                 accepted,
			"https://gateway.example.com/prefix/":                   accepted,
			"https://[::1]:8443":                                    accepted,
			"servicestage.example.com":                              refused,
			"ftp://example.com":                                     refused,
			"https://":                                              refused,
			"https://user:password@example.com":                     refused,
			"https://example.com?a=b":                               refused,
			"https://example.com/#a":                                refused,
			"https://example.com/a b":                               refused,
			"https://exa mple.com":                                  refused,
		} {
			rules = append(rules, ruleRow{"spec.endpoints." + service, "an endpoint is a URL", "",
				fmt.Sprintf(`spec: {endpoints: {%s: %q}}`, service, url), verdict})
		}
	}
	return rules
}

// resourceRules are the rules of every cloud resource of ServiceStage.
func resourceRules() []ruleRow {
	rules := append(commonRules(), []ruleRow{
		{"spec.name", "set spec.name", "", `metadata: {name: shop-1}`, accepted},
		{"spec.name", "set spec.name", "", `metadata: {name: "1shop"}`, refused},
		{"spec.name", "set spec.name", "", `metadata: {name: shop.dev}`, refused},
		{"spec.name", "set spec.name", "", `metadata: {name: s}`, refused},
		{"spec.name", "set spec.name", "", fmt.Sprintf(`metadata: {name: %s}`, strings.Repeat("a", 64)), accepted},
		{"spec.name", "set spec.name", "", fmt.Sprintf(`metadata: {name: %s}`, strings.Repeat("a", 65)), refused},
		{"spec.name", "set spec.name", "", `{metadata: {name: "1shop.dev"}, spec: {name: shop}}`, accepted},
		{"spec.name", "set spec.name", `{metadata: {name: "1shop"}, spec: {name: shop}}`, `spec: {name: null}`, refused},
	}...)
	for key, verdict := range map[string]verdict{
		"team": accepted, strings.Repeat("k", 128): accepted, "servicestage-dev": accepted,
		"": refused, strings.Repeat("k", 129): refused, "servicestage-dev-claim": refused,
	} {
		rules = append(rules, ruleRow{"spec.labels", "label keys", "", fmt.Sprintf(`spec: {labels: {%q: v}}`, key), verdict})
	}
	for value, verdict := range map[string]verdict{
		"": accepted, strings.Repeat("v", 255): accepted, strings.Repeat("v", 256): refused,
	} {
		rules = append(rules, ruleRow{"spec.labels", "label values", "", fmt.Sprintf(`spec: {labels: {team: %q}}`, value), verdict})
	}
	return rules
}

// commonRules are the rules of what every cloud resource has.
func commonRules() []ruleRow {
	const moved = "accountRef is immutable"
	rules := []ruleRow{
		{"spec.accountRef", moved, `spec: {accountRef: {name: a}}`, `metadata: {labels: {a: b}}`, accepted},
		{"spec.accountRef", moved, `spec: {}`, `spec: {accountRef: {kind: CloudAccount, name: default}}`, accepted},
		{"spec.accountRef", moved, `spec: {accountRef: {name: default}}`, `spec: {accountRef: null}`, accepted},
		{"spec.accountRef", moved, `spec: {accountRef: {name: a}}`, `spec: {accountRef: {name: b}}`, refused},
		{"spec.accountRef", moved, `spec: {accountRef: {name: a}}`, `spec: {accountRef: {kind: ClusterCloudAccount}}`, refused},
		{"spec.accountRef", moved, `spec: {accountRef: {name: a}}`, `spec: {accountRef: null}`, refused},

		{"spec.import", "exactly one of import.id and import.byName", "", `spec: {import: {id: id-1}}`, accepted},
		{"spec.import", "exactly one of import.id and import.byName", "", `spec: {import: {byName: true}}`, accepted},
		{"spec.import", "exactly one of import.id and import.byName", "", `spec: {import: {id: id-1, byName: false}}`, accepted},
		{"spec.import", "exactly one of import.id and import.byName", "", `spec: {import: {}}`, refused},
		{"spec.import", "exactly one of import.id and import.byName", "", `spec: {import: {byName: false}}`, refused},
		{"spec.import", "exactly one of import.id and import.byName", "", `spec: {import: {id: id-1, byName: true}}`, refused},
		{"spec.import", "exactly one of import.id and import.byName", `spec: {}`, `spec: {import: {byName: true}}`, accepted},
		{"spec.import", "exactly one of import.id and import.byName", `spec: {import: {byName: true}}`, `spec: {import: null}`, accepted},
	}
	for interval, verdict := range map[string]verdict{
		"5s": accepted, "10m": accepted, "10m0s": accepted, "1h30m": accepted, "5.5s": accepted, "5000ms": accepted,
		"4s": refused, "4999ms": refused, "0s": refused, "-10m": refused,
		"": refused, "10": refused, "soon": refused, "1d": refused, "10 m": refused, "1h1h1h1h1h": refused, "100000h": refused, "9999999999h": refused,
	} {
		rules = append(rules, ruleRow{"spec.resyncInterval", "a duration of at least 5s", "",
			fmt.Sprintf(`spec: {resyncInterval: %q}`, interval), verdict})
	}
	return rules
}

// renameRules are the rules of every cloud resource that can be renamed.
func renameRules() []ruleRow {
	return []ruleRow{
		{"spec.name", "set spec.name", `{metadata: {name: "1shop"}, spec: {name: shop}}`, `spec: {name: shop-2}`, accepted},
	}
}

// sourceRules are the rules of a value that comes from a Secret or a ConfigMap; patch puts one in place.
func sourceRules(path, patch string) []ruleRow {
	const says = "exactly one of configMapKeyRef and secretKeyRef"
	return []ruleRow{
		{path, says, "", fmt.Sprintf(patch, `{configMapKeyRef: {name: c, key: k}}`), accepted},
		{path, says, "", fmt.Sprintf(patch, `{secretKeyRef: {name: s, key: k}}`), accepted},
		{path, says, "", fmt.Sprintf(patch, `{}`), refused},
		{path, says, "", fmt.Sprintf(patch, `{configMapKeyRef: {name: c, key: k}, secretKeyRef: {name: s, key: k}}`), refused},
	}
}
