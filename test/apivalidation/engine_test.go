// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apivalidation

import (
	"fmt"
	"slices"
	"strings"
)

const minimalEngine = `
spec:
  flavor: cse.s1.small2
  availabilityZones: [az1]
  network: {vpcID: vpc-1, subnetID: subnet-1}
  rootPasswordSecretRef: {name: root}
`

// completeEngine has no connection.secret, which cannot stand beside connection.configMap.
const completeEngine = `
spec:
  accountRef: {kind: CloudAccount, name: default}
  managementPolicy: Manage
  deletionPolicy: Delete
  import: {id: id-1}
  resyncInterval: 10m
  name: shop
  description: The shop's engine
  flavor: cse.s1.small2
  availabilityZones: [az1, az2]
  authType: RBAC
  rootPasswordSecretRef: {name: root, key: password}
  network: {vpcID: vpc-1, vpcName: net, subnetID: subnet-1, subnetCIDR: 192.168.0.0/24}
  publicIPID: ip-1
  inputs: {nodeFlavor: s6.large.2}
  enterpriseProjectID: "0"
  retryFailedCreate: 2
  connection: {configMap: engine}
status:` + completeResourceStatus + `
  name: shop
  engineStatus: Available
  version: 2.3.1
  latestVersion: 2.3.3
  flavor: cse.s1.small2
  authType: RBAC
  enterpriseProjectID: "0"
  job: {id: "12001", type: Create, state: Finished, phasesDone: 4, phasesTotal: 4, phase: accessConfigure}
  createRetries: 1
  endpoints:
    serviceCenter: {master: "https://192.168.0.2:30100", masterIPv6: "", slave: "", slaveIPv6: ""}
    kie: {master: "https://192.168.0.2:30110", masterIPv6: "", slave: "", slaveIPv6: ""}
    publicServiceCenter: {master: "https://1.2.3.4:30100", masterIPv6: "", slave: "", slaveIPv6: ""}
    publicKie: {master: "https://1.2.3.4:30110", masterIPv6: "", slave: "", slaveIPv6: ""}
  instances: {limit: 100, used: 7}
  connection: {configMap: engine}
`

// engineRows are the rules of a MicroserviceEngine alone.
func engineRows() []fieldRow {
	return join(
		with(`spec: {connection: {configMap: null, secret: s}}`, []fieldRow{
			row("spec.connection.secret", "minLength", values("s"), values("")),
			row("spec.connection.secret", "maxLength", text(253), text(254)),
		}),
		with(`status: {connection: {configMap: null, secret: s}}`, []fieldRow{
			row("status.connection.secret", "minLength", values("s"), values("")),
			row("status.connection.secret", "maxLength", text(253), text(254)),
		}),
		[]fieldRow{
			required("spec"),
			row("spec.name", "pattern", values("abc", "Shop-1", "a--9"), values("", "ab", "1shop", "-shop", "shop-", "my_shop", "shop.dev", "my shop")),
			row("spec.name", "maxLength", text(24), text(25)),
			row("spec.description", "minLength", values("d"), values("")),
			row("spec.description", "maxLength", text(255), text(256)),
			row("spec.flavor", "minLength", values("f"), values("")),
			row("spec.flavor", "maxLength", text(64), text(65)),
			row("spec.availabilityZones", "minItems", values(texts(1)), values(list())),
			row("spec.availabilityZones", "maxItems", values(texts(3)), values(texts(4))),
			row("spec.availabilityZones", "unique", values(list("az1", "az2")), values(list("az1", "az1"))),
			row("spec.availabilityZones[0]", "minLength", values("z"), values("")),
			row("spec.availabilityZones[0]", "maxLength", text(64), text(65)),
			row("spec.authType", "enum", values("RBAC", "NONE"), values("", "rbac", "OAuth")),
			row("spec.rootPasswordSecretRef.name", "minLength", values("n"), values("")),
			row("spec.rootPasswordSecretRef.name", "maxLength", text(253), text(254)),
			required("spec.rootPasswordSecretRef.name"),
			row("spec.rootPasswordSecretRef.key", "minLength", values("k"), values("")),
			row("spec.rootPasswordSecretRef.key", "maxLength", text(253), text(254)),
			row("spec.network.vpcID", "minLength", values("v"), values("")),
			row("spec.network.vpcID", "maxLength", text(64), text(65)),
			required("spec.network.vpcID"),
			row("spec.network.vpcName", "minLength", values("v"), values("")),
			row("spec.network.vpcName", "maxLength", text(64), text(65)),
			row("spec.network.subnetID", "minLength", values("s"), values("")),
			row("spec.network.subnetID", "maxLength", text(64), text(65)),
			required("spec.network.subnetID"),
			row("spec.network.subnetCIDR", "pattern", values("10.0.0.0/8", "192.168.100.0/24"), values("", "10.0.0.0", "10.0.0/8", "10.0.0.0/", "fd00::/64", "a.b.c.d/8")),
			row("spec.network.subnetCIDR", "maxLength", values("255.255.255.255/32"), values("255.255.255.255/320")),
			row("spec.publicIPID", "minLength", values("i"), values("")),
			row("spec.publicIPID", "maxLength", text(64), text(65)),
			row("spec.inputs", "maxProperties", values(labels(32)), values(labels(33))),
			row("spec.enterpriseProjectID", "minLength", values("0"), values("")),
			row("spec.enterpriseProjectID", "maxLength", text(64), text(65)),
			row("spec.retryFailedCreate", "minimum", values(0), values(-1)),
			row("spec.retryFailedCreate", "maximum", values(10), values(11)),
			row("spec.connection.configMap", "minLength", values("c"), values("")),
			row("spec.connection.configMap", "maxLength", text(253), text(254)),
			row("status.connection.configMap", "minLength", values("c"), values("")),
			row("status.connection.configMap", "maxLength", text(253), text(254)),
			required("status.job.id"),
		})
}

// engineRules are the CEL rules of a MicroserviceEngine alone.
func engineRules() []ruleRow {
	const (
		required = "flavor, availabilityZones and network are required"
		password = "rootPasswordSecretRef is required"
		named    = "set spec.name"
		oneOf    = "exactly one of the fields in [configMap secret]"
	)
	rules := []ruleRow{
		{"spec", required, "", `spec: {}`, accepted},
		{"spec", required, "", `spec: {flavor: null}`, refused},
		{"spec", required, "", `spec: {availabilityZones: null}`, refused},
		{"spec", required, "", `spec: {network: null}`, refused},
		{"spec", required, "", `spec: {network: null, import: {byName: true}}`, accepted},
		{"spec", required, "", `spec: {network: null, managementPolicy: Observe}`, accepted},

		{"spec.rootPasswordSecretRef", password, "", `spec: {authType: RBAC}`, accepted},
		{"spec.rootPasswordSecretRef", password, "", `spec: {rootPasswordSecretRef: null}`, refused},
		{"spec.rootPasswordSecretRef", password, "", `spec: {rootPasswordSecretRef: null, authType: NONE}`, accepted},
		{"spec.rootPasswordSecretRef", password, "", `spec: {rootPasswordSecretRef: null, import: {id: id-1}}`, accepted},
		{"spec.rootPasswordSecretRef", password, "", `spec: {rootPasswordSecretRef: null, managementPolicy: Observe}`, accepted},

		{"spec.name", "choose another", "", `spec: {name: Default}`, accepted},
		{"spec.name", "choose another", "", `spec: {name: default}`, refused},
		{"spec.name", named, "", `metadata: {name: shop-1}`, accepted},
		{"spec.name", named, "", `metadata: {name: "1shop"}`, refused},
		{"spec.name", named, "", `metadata: {name: ab}`, refused},
		{"spec.name", named, "", `metadata: {name: default}`, refused},
		{"spec.name", named, "", fmt.Sprintf(`metadata: {name: %s}`, strings.Repeat("a", 24)), accepted},
		{"spec.name", named, "", fmt.Sprintf(`metadata: {name: %s}`, strings.Repeat("a", 25)), refused},
		{"spec.name", named, "", `{metadata: {name: "1shop.dev"}, spec: {name: shop}}`, accepted},
		{"spec.name", named, `{metadata: {name: "1shop"}, spec: {name: shop}}`, `spec: {name: null}`, refused},
		{"spec.name", named, `{metadata: {name: "1shop"}, spec: {name: shop}}`, `spec: {description: x}`, accepted},

		{"spec.inputs", "input keys have 1 to 64", "", fmt.Sprintf(`spec: {inputs: {%s: %s}}`, strings.Repeat("k", 64), strings.Repeat("v", 255)), accepted},
		{"spec.inputs", "input keys have 1 to 64", "", `spec: {inputs: {"": v}}`, refused},
		{"spec.inputs", "input keys have 1 to 64", "", fmt.Sprintf(`spec: {inputs: {%s: v}}`, strings.Repeat("k", 65)), refused},
		{"spec.inputs", "input keys have 1 to 64", "", fmt.Sprintf(`spec: {inputs: {k: %s}}`, strings.Repeat("v", 256)), refused},

		{"spec.connection", oneOf, "", `spec: {connection: {configMap: c}}`, accepted},
		{"spec.connection", oneOf, "", `spec: {connection: {secret: s}}`, accepted},
		{"spec.connection", oneOf, "", `spec: {connection: {}}`, refused},
		{"spec.connection", oneOf, "", `spec: {connection: {configMap: c, secret: s}}`, refused},
		{"status.connection", oneOf, "", `status: {observedGeneration: 1, connection: {secret: s}}`, accepted},
		{"status.connection", oneOf, "", `status: {observedGeneration: 1, connection: {configMap: c, secret: s}}`, refused},
	}
	immutable := func(field, unset, before, after string) []ruleRow {
		path, says := "spec."+field, field+" is immutable"
		spec := func(value string) string { return fmt.Sprintf(`spec: {%s: %s}`, field, value) }
		return []ruleRow{
			{path, says, spec(before), `spec: {description: x}`, accepted},
			{path, says, fmt.Sprintf(`spec: {import: {id: id-1}, %s: null}`, field), spec(before), map[bool]verdict{true: accepted, false: refused}[unset == "may be added"]},
			{path, says, spec(before), spec(after), refused},
			{path, says, `spec: {import: {id: id-1}, ` + field + `: ` + before + `}`, spec("null"), refused},
		}
	}
	return slices.Concat(rules,
		immutable("name", "stays as it is", "shop", "shop-2"),
		immutable("availabilityZones", "may be added", "[az1]", "[az2]"),
		immutable("network", "may be added", "{vpcID: vpc-1, subnetID: subnet-1}", "{vpcID: vpc-2, subnetID: subnet-1}"),
		immutable("publicIPID", "may be added", "ip-1", "ip-2"),
		immutable("inputs", "may be added", "{a: b}", "{a: c}"),
		immutable("enterpriseProjectID", "may be added", `"0"`, `"1"`))
}
