// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"math"
	"slices"
)

// form is what a field must be in JSON.
type form int

const (
	formText form = iota
	formInteger
	formNumber
	formBoolean
	formTexts   // list of strings
	formObject  // object with fields
	formObjects // list of such objects
	formMap     // object with keys of the user's own
	formAny     // met in more than one form: taken as it is
)

// fieldRule is one line of a table of the reference.
type fieldRule struct {
	name      string
	form      form
	mandatory bool
	// mayBeEmpty lets "" count as present in a mandatory text.
	mayBeEmpty bool
	// longest is in characters, 0 for any length.
	longest int
	// highest bounds numbers, 0 for none; numbers are never negative.
	highest float64
	values  []string
	fields  []fieldRule
}

const highestPort = 65535

func mandatory(rule fieldRule) fieldRule {
	rule.mandatory = true
	return rule
}

func textField(name string, values ...string) fieldRule {
	return fieldRule{name: name, form: formText, values: values}
}

func longText(name string, longest int) fieldRule {
	return fieldRule{name: name, form: formText, longest: longest}
}

func anyText(name string) fieldRule {
	return fieldRule{name: name, form: formText, mandatory: true, mayBeEmpty: true}
}

func integerField(name string) fieldRule { return fieldRule{name: name, form: formInteger} }
func numberField(name string) fieldRule  { return fieldRule{name: name, form: formNumber} }
func booleanField(name string) fieldRule { return fieldRule{name: name, form: formBoolean} }
func textsField(name string) fieldRule   { return fieldRule{name: name, form: formTexts} }
func mapField(name string) fieldRule     { return fieldRule{name: name, form: formMap} }
func anyField(name string) fieldRule     { return fieldRule{name: name, form: formAny} }
func portField(name string) fieldRule {
	return fieldRule{name: name, form: formInteger, highest: highestPort}
}

func objectField(name string, fields ...fieldRule) fieldRule {
	return fieldRule{name: name, form: formObject, fields: fields}
}

func objectsField(name string, fields ...fieldRule) fieldRule {
	return fieldRule{name: name, form: formObjects, fields: fields}
}

// componentRules are tables 5-96 to 5-127 and then the fields that newer references add.
var componentRules = []fieldRule{
	mandatory(textField("name")),
	objectsField("labels", mandatory(textField("key")), anyText("value")),
	mandatory(objectField("runtime_stack",
		mandatory(textField("name")),
		mandatory(textField("type", "Java", "Tomcat", "Nodejs", "Php", "Docker", "Python")),
		// Mandatory by table 5-123; clients met that the cloud fills it in. See Quirks.StackVersionMandatory.
		textField("version"),
		mandatory(textField("deploy_mode", "container", "virtualmachine")))),
	longText("description", maxDescriptionLength),
	mandatory(objectField("source",
		mandatory(textField("kind", "code", "package", "image")),
		textField("version"), textField("url"), textField("storage", "swr", "codearts", "obs"), textField("auth", "iam", "none"),
		textField("repo_auth"), textField("repo_namespace"), textField("repo_ref"), textField("repo_type"), textField("web_url"), textField("repo_url"))),
	objectField("build", fieldRule{name: "parameters", form: formObject, fields: []fieldRule{
		longText("build_cmd", 512), longText("dockerfile_path", 128), longText("artifact_namespace", 64), mandatory(textField("cluster_id")),
		mapField("node_label_selector"), textField("environment_id"), anyField("build_env_selected"), textField("cluster_namespace"), anyField("use_public_cluster"),
	}}),
	numberField("limit_cpu"), numberField("limit_memory"), numberField("request_cpu"), numberField("request_memory"),
	mandatory(longText("version", 32)),
	objectsField("envs", mandatory(textField("name")), textField("value"), booleanField("inner"),
		objectField("value_from", mandatory(textField("reference_type", "configMapKey", "secretKey")), mandatory(textField("name")), textField("key"), booleanField("optional"))),
	mandatory(integerField("replica")),
	objectsField("storages",
		mandatory(textField("type", "HostPath", "EmptyDir", "ConfigMap", "Secret", "PersistentVolumeClaim")),
		mandatory(textField("name")),
		mandatory(objectField("parameters", textField("path"), textField("name"), integerField("default_mode"), textField("medium"))),
		mandatory(objectsField("mounts", mandatory(textField("path")), anyText("sub_path"), mandatory(booleanField("read_only"))))),
	objectField("deploy_strategy",
		mandatory(textField("type", "OneBatchRelease", "RollingRelease", "GrayRelease")),
		objectField("rolling_release", mandatory(integerField("batches"))),
		objectField("gray_release",
			mandatory(textField("type", "weight", "WEIGHT", "CONTENT", "content")),
			fieldRule{name: "first_batch_weight", form: formInteger, highest: 100}, integerField("first_batch_replica"),
			integerField("remaining_batches"), integerField("remaining_batch"),
			textField("replica_surge_mode", "MIRROR", "EXTRA", "NOSURGE", "mirror", "extra", "no_surge"), integerField("deployment_mode"),
			textField("rule_match_mode", "all", "any"),
			objectsField("rules", textField("type"), textField("key"), textField("value"), textField("condition")))),
	objectField("command", textsField("command"), textsField("args")),
	lifecycleRule("post_start"), lifecycleRule("pre_stop"),
	objectField("mesher", mandatory(portField("port"))),
	textField("timezone"), textField("jvm_opts"),
	objectField("tomcat_opts", anyText("server_xml"), anyField("http_port"), anyField("context_path")),
	objectsField("logs", mandatory(textField("log_path")), mandatory(textField("rotate", "Hourly", "Daily", "Weekly")), mandatory(textField("host_path")),
		mandatory(textField("host_extend_path", "None", "PodUID", "PodName", "PodUID/ContainerName", "PodName/ContainerName"))),
	metricRule("custom_metric"), metricRule("custom_metrics"),
	// An object in the reference, a list of conditions as clients met it.
	anyField("affinity"), anyField("anti_affinity"),
	probeRule("liveness_probe"), probeRule("readiness_probe"),
	objectsField("external_accesses", textField("protocol"), textField("address"), portField("forward_port")),
	objectsField("host_aliases", mandatory(textField("ip")), mandatory(textsField("hostname"))),
	textField("dns_policy"),
	objectField("dns_config", textsField("nameservers"), textsField("searches"), objectsField("options", mandatory(textField("name")), textField("value"))),
	objectField("security_context", integerField("run_as_user"), integerField("run_as_group"), objectField("capabilities", textsField("add"), textsField("drop"))),
	mapField("update_strategy"), longText("swimlane_id", 64), textField("config_mode"), textField("workload_content"), textField("workload_kind"),
	textField("create_mode"), textField("enterprise_project_id"),
}

var (
	// createRules are table 5-96. It does not call environment_id mandatory; that nothing can run without is inferred.
	createRules = append(slices.Clone(componentRules), mandatory(textField("environment_id")), mandatory(referRule()))
	// updateRules are table 5-156: no environment, and refer_resources may be left out.
	updateRules = append(slices.Clone(componentRules), referRule())
)

func lifecycleRule(name string) fieldRule {
	return objectField(name, mandatory(textField("type", "http", "command")),
		textField("scheme", "HTTP", "HTTPS"), textField("host"), portField("port"), textField("path"), textsField("command"))
}

func probeRule(name string) fieldRule {
	return objectField(name, mandatory(textField("type", "http", "tcp", "command")), mandatory(integerField("delay")), mandatory(integerField("timeout")),
		textField("scheme", "HTTP", "HTTPS"), textField("host"), portField("port"), textField("path"), textsField("command"))
}

// metricRule is the custom metric, which create calls custom_metrics and update custom_metric.
func metricRule(name string) fieldRule {
	return objectField(name, mandatory(textField("path")), mandatory(portField("port")), mandatory(textField("dimensions")))
}

func referRule() fieldRule {
	return objectsField("refer_resources", anyText("id"),
		mandatory(textField("type", "vpc", "eip", "elb", "cce", "ecs", "as", "cse", "dcs", "rds")),
		objectField("parameters", textField("namespace"), textsField("hosts"), textField("type"), textField("name")))
}

// readFields checks an object against its rules and returns a copy that has only the fields that the rules know; null
// counts as absent. The error names the field by its path.
func readFields(rules []fieldRule, path string, object map[string]any) (map[string]any, error) {
	known := make(map[string]any, len(object))
	for _, rule := range rules {
		field := path + rule.name
		value := object[rule.name]
		if value == nil || (value == "" && !rule.mayBeEmpty) {
			if rule.mandatory {
				return nil, badParameter("%s is mandatory.", field)
			}
			if value == nil {
				continue
			}
		}
		read, err := rule.read(field, value)
		if err != nil {
			return nil, err
		}
		known[rule.name] = read
	}
	return known, nil
}

// read checks one value that is there.
func (r fieldRule) read(field string, value any) (any, error) {
	switch r.form {
	case formText:
		return r.readText(field, value)
	case formInteger, formNumber:
		return r.readNumber(field, value)
	case formBoolean:
		if _, ok := value.(bool); !ok {
			return nil, wrongForm(field, "a boolean")
		}
	case formTexts:
		list, ok := value.([]any)
		if !ok || slices.ContainsFunc(list, func(item any) bool { _, ok := item.(string); return !ok }) {
			return nil, wrongForm(field, "a list of strings")
		}
	case formMap:
		if _, ok := value.(map[string]any); !ok {
			return nil, wrongForm(field, "an object")
		}
	case formObject:
		object, ok := value.(map[string]any)
		if !ok {
			return nil, wrongForm(field, "an object")
		}
		return readFields(r.fields, field+".", object)
	case formObjects:
		return r.readObjects(field, value)
	case formAny:
	}
	return value, nil
}

func (r fieldRule) readText(field string, value any) (any, error) {
	text, ok := value.(string)
	if !ok {
		return nil, wrongForm(field, "a string")
	}
	if r.longest > 0 {
		if err := checkLength(field, text, r.longest); err != nil {
			return nil, err
		}
	}
	if len(r.values) > 0 && text != "" {
		if err := checkEnum(field, text, r.values); err != nil {
			return nil, err
		}
	}
	return text, nil
}

func (r fieldRule) readNumber(field string, value any) (any, error) {
	number, ok := value.(float64)
	if !ok {
		return nil, wrongForm(field, "a number")
	}
	if r.form == formInteger && number != math.Trunc(number) {
		return nil, wrongForm(field, "an integer")
	}
	if number < 0 {
		return nil, badParameter("%s must not be negative.", field)
	}
	if r.highest > 0 && number > r.highest {
		return nil, badParameter("%s must be at most %v.", field, r.highest)
	}
	return number, nil
}

func (r fieldRule) readObjects(field string, value any) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, wrongForm(field, "a list of objects")
	}
	read := make([]any, 0, len(list))
	for i, item := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		object, ok := item.(map[string]any)
		if !ok {
			return nil, wrongForm(at, "an object")
		}
		known, err := readFields(r.fields, at+".", object)
		if err != nil {
			return nil, err
		}
		read = append(read, known)
	}
	return read, nil
}

func wrongForm(field, wanted string) *apiError { return badParameter("%s must be %s.", field, wanted) }
