// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

const enginesPath = "/v2/p1/enginemgr/engines"

// network is the part of a creation that names the VPC and subnet that every simulator has.
var network = fmt.Sprintf(`"vpc":%q,"vpcId":%q,"networkId":%q,"subnetCidr":%q`,
	cloudsim.DefaultVPCName, cloudsim.DefaultVPCID, cloudsim.DefaultSubnetID, cloudsim.DefaultSubnetCIDR)

// engineBody is a creation with the fields given instead of the usual ones; null leaves one out.
func engineBody(t *testing.T, change string) string {
	t.Helper()
	body := map[string]any{}
	for _, document := range []string{
		`{"name":"test","payment":"1","flavor":"cse.s1.small2","azList":["az1","az2"],"authType":"NONE","specType":"CSE2",` + network + `}`, change,
	} {
		if document == "" {
			continue
		}
		if err := json.Unmarshal([]byte(document), &body); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range body {
		if value == nil {
			delete(body, name)
		}
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// createEngine creates an engine and returns its id and the number of its job.
func (c *cloud) createEngine(change string) (id string, job int64) {
	c.t.Helper()
	got := c.call(http.MethodPost, enginesPath, engineBody(c.t, change))
	if got.status != http.StatusOK {
		c.t.Fatalf("create: %d %s", got.status, got.body)
	}
	number, ok := got.field("jobId").(float64)
	if !ok {
		c.t.Fatalf("jobId is not a number: %s", got.body)
	}
	return fmt.Sprint(got.field("id")), int64(number)
}

// runEngineJobs lets all phases of a job pass.
func (c *cloud) runEngineJobs() { c.clock.Advance(10 * cloudsim.DefaultTaskDuration) }

// availableEngine returns the id of an engine that is there.
func (c *cloud) availableEngine(change string) string {
	c.t.Helper()
	id, _ := c.createEngine(change)
	c.runEngineJobs()
	c.wantEngineStatus(id, "Available")
	return id
}

func (c *cloud) wantEngineStatus(id, status string) {
	c.t.Helper()
	if got := c.call(http.MethodGet, enginesPath+"/"+id, ""); got.field("status") != status {
		c.t.Fatalf("status of the engine %v, want %s; %s", got.field("status"), status, got.body)
	}
}

// refusedEngine is an error of engine management; detail may be "*".
func refusedEngine(number, text, detail string) string {
	return fmt.Sprintf(`{"errorCode":"SVCSTG.%s","errorMessage":%q,"detail":%q}`, number, text, detail)
}

func TestEngineCreation(t *testing.T) {
	const (
		bad      = "Bad Request"
		internal = "Internal Server Error"
	)
	for _, test := range []struct {
		name, change string
		status       int
		want         string
	}{
		{"the whole", `{"description":"d","inputs":{"nodeFlavor":"x"},"publicIpId":"ip1"}`, 200, `{"id":"*","name":"test","jobId":12001}`},
		{"RBAC", `{"authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`, 200, `{"id":"*","name":"test","jobId":12001}`},
		{"shortest name", `{"name":"a-1"}`, 200, `{"id":"*","name":"a-1","jobId":12001}`},
		{"longest name", `{"name":"abcdefghijklmnopqrstuvwx"}`, 200, `{"id":"*","name":"abcdefghijklmnopqrstuvwx","jobId":12001}`},
		{"Nacos", `{"specType":"Nacos2","flavor":"cse.nacos2.c1.large.10"}`, 200, `{"id":"*","name":"test","jobId":12001}`},
		{"no name", `{"name":null}`, 500, refusedEngine("00500400", internal, "*")},
		{"name too short", `{"name":"ab"}`, 500, refusedEngine("00500400", internal, "*")},
		{"name too long", `{"name":"abcdefghijklmnopqrstuvwxy"}`, 500, refusedEngine("00500400", internal, "*")},
		{"name starts with a digit", `{"name":"1ab"}`, 500, refusedEngine("00500400", internal, "*")},
		{"name ends with a hyphen", `{"name":"ab-"}`, 500, refusedEngine("00500400", internal, "*")},
		{"name with an underscore", `{"name":"a_b"}`, 500, refusedEngine("00500400", internal, "*")},
		{"name default", `{"name":"default"}`, 500, refusedEngine("00500400", internal, "*")},
		{"spec type", `{"specType":"CSE3"}`, 400, refusedEngine("00501134", bad, `Invalid engine type: specType "CSE3".`)},
		{"payment", `{"payment":"2"}`, 400, refusedEngine("00501103", bad, "*")},
		{"flavor", `{"flavor":"cse.s1.tiny"}`, 400, refusedEngine("00501104", bad, "*")},
		{"flavor of another type", `{"flavor":"cse.nacos2.c1.large.10"}`, 400, refusedEngine("00501104", bad, "*")},
		{"no AZ", `{"azList":[]}`, 400, refusedEngine("00501105", bad, "*")},
		{"four AZs", `{"azList":["a","b","c","d"]}`, 400, refusedEngine("00501105", bad, "*")},
		{"an empty AZ", `{"azList":[""]}`, 400, refusedEngine("00501105", bad, "*")},
		{"auth type", `{"authType":"none"}`, 500, refusedEngine("00500400", internal, "Incorrect parameter. authType must be RBAC or NONE.")},
		{"RBAC without a password", `{"authType":"RBAC"}`, 500, refusedEngine("00500400", internal, "*")},
		{"RBAC with a weak password", `{"authType":"RBAC","auth_cred":{"pwd":"password1"}}`, 500, refusedEngine("00500400", internal, "*")},
		{"password starts with a digit", `{"authType":"RBAC","auth_cred":{"pwd":"1Passw0rd!"}}`, 500, refusedEngine("00500400", internal, "*")},
		{"RBAC on Nacos", `{"specType":"Nacos2","flavor":"cse.nacos2.c1.large.10","authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`, 500, refusedEngine("00500400", internal, "*")},
		{"description too long", `{"description":"` + strings.Repeat("d", 256) + `"}`, 500, refusedEngine("00500400", internal, "*")},
		{"public IP too long", `{"publicIpId":"` + strings.Repeat("d", 65) + `"}`, 500, refusedEngine("00500400", internal, "*")},
		{"no VPC name", `{"vpc":null}`, 500, refusedEngine("00500400", internal, "Incorrect parameter. vpc is mandatory.")},
		{"no subnet CIDR", `{"subnetCidr":null}`, 500, refusedEngine("00500400", internal, "Incorrect parameter. subnetCidr is mandatory.")},
		{"VPC id too long", `{"vpcId":"` + strings.Repeat("d", 65) + `"}`, 500, refusedEngine("00500400", internal, "*")},
		{"another VPC's name", `{"vpc":"other"}`, 500, refusedEngine("00500400", internal, "*")},
		{"unknown subnet", `{"networkId":"n1"}`, 500, refusedEngine("00500400", internal, "*")},
		{"another subnet's CIDR", `{"subnetCidr":"10.0.0.0/24"}`, 500, refusedEngine("00500400", internal, "*")},
		{"a number in inputs", `{"inputs":{"a":1}}`, 500, refusedEngine("00500400", internal, "*")},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCloud(t)
			check(t, c.call(http.MethodPost, enginesPath, engineBody(t, test.change)), test.status, test.want)
		})
	}
}

func TestEngineNameAndQuota(t *testing.T) {
	c := newCloud(t)
	c.createEngine("")
	check(t, c.call(http.MethodPost, enginesPath, engineBody(t, `{"name":"TEST"}`)), 400,
		refusedEngine("00501111", "Bad Request", "Duplicate engine instance name: TEST."))
	c.sim(http.MethodPut, "quirks", `{"quotas":{"cse/engines":1}}`, 200)
	check(t, c.call(http.MethodPost, enginesPath, engineBody(t, `{"name":"other"}`)), 400,
		refusedEngine("00501112", "Bad Request", "Insufficient engine instance quota: 1 of 1 are used."))
	check(t, c.call(http.MethodGet, "/v2/p1/enginemgr/quotas", ""), 200, `{"quotas":{"resources":[{"type":"cse","used":1,"quota":1}]}}`)
}

func TestEngineLife(t *testing.T) {
	c := newCloud(t)
	id, job := c.createEngine(`{"description":"d","authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"},"inputs":{"a":"b"}}`)
	one, jobPath := enginesPath+"/"+id, fmt.Sprintf("%s/%s/jobs/%d", enginesPath, id, job)

	nothing := `{"masterEntrypoint":"","masterEntrypointIpv6":null,"slaveEntrypoint":null,"slaveEntrypointIpv6":null,"type":"REGISTRY"}`
	detail := func(status, actions, address, kie, serviceCenter string) string {
		return fmt.Sprintf(`{"id":%q,"name":"test","alias":"","description":"d","authType":"RBAC","flavor":"cse.s1.small2","payment":"1",
			"version":"2.3.1","latestVersion":"2.3.3","status":%q,"beDefault":false,"createUser":"bot","createTime":%d,
			"cceSpec":"*","externalEntrypoint":{"externalAddress":%q,"publicAddress":"",
				"serviceEndpoint":{"kie":%s,"serviceCenter":%s},"publicServiceEndpoint":{"kie":%s,"serviceCenter":%s}},
			"reference":{"vpc":%q,"vpcId":%q,"azList":["az2","az1"],"networkId":%q,"subnetCidr":%q,"subnetCidrV6":"",
				"subnetGateway":"192.168.0.1","publicIpId":null,"serviceLimit":"100","instanceLimit":"100",
				"inputs":{"a":"b","is_arm_cluster":"false","nodeFlavor":"s6.large.2"}},
			"latestJobId":%d,"enterpriseProjectId":"0","enterpriseProjectName":"default","engineAdditionalActions":%s,
			"specType":"CSE2","type":"CSE","projectId":"p1","vmIds":[]}`, id, status, startMillis, address, kie, serviceCenter, nothing, nothing,
			cloudsim.DefaultVPCName, cloudsim.DefaultVPCID, cloudsim.DefaultSubnetID, cloudsim.DefaultSubnetCIDR, job, actions)
	}
	check(t, c.call(http.MethodGet, one, ""), 200, detail("Creating", "[]", "", nothing, nothing))

	// Before its first phase, in it, and after the last.
	jobStates := func() string {
		got := c.call(http.MethodGet, jobPath, "")
		var body struct {
			Status string
			Tasks  []struct{ TaskName, Status string }
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		words := []string{body.Status}
		for _, phase := range body.Tasks {
			words = append(words, phase.TaskName+"="+phase.Status)
		}
		return strings.Join(words, " ")
	}
	for _, want := range []string{
		"Init resourcePrepare=Init clusterCreate=Init engineInstall=Init accessConfigure=Init",
		"Executing resourcePrepare=Executing clusterCreate=Init engineInstall=Init accessConfigure=Init",
		"Executing resourcePrepare=Finished clusterCreate=Executing engineInstall=Init accessConfigure=Init",
		"Executing resourcePrepare=Finished clusterCreate=Finished engineInstall=Executing accessConfigure=Init",
		"Executing resourcePrepare=Finished clusterCreate=Finished engineInstall=Finished accessConfigure=Executing",
		"Finished resourcePrepare=Finished clusterCreate=Finished engineInstall=Finished accessConfigure=Finished",
	} {
		if got := jobStates(); got != want {
			t.Fatalf("job:\n%s, want\n%s", got, want)
		}
		c.clock.Advance(cloudsim.DefaultTaskDuration)
	}
	info := c.Engines()[0]
	entry := func(address string) string { return strings.Replace(nothing, `""`, `"`+address+`"`, 1) }
	check(t, c.call(http.MethodGet, one, ""), 200, detail("Available", "[]", "127.0.0.1", entry(info.Kie), entry(info.ServiceCenter)))
	check(t, c.call(http.MethodGet, jobPath, ""), 200, fmt.Sprintf(`{"id":%d,"engineId":%q,"type":"Create","description":"","status":"Finished",
		"scheduling":0,"createUser":"bot","startTime":%d,"endTime":%d,"context":"","tasks":"*"}`, job, id, startMillis, startMillis+1500))

	// The list has the addresses at the top.
	list := c.call(http.MethodGet, enginesPath, "")
	var body struct {
		Total int
		Data  []struct {
			ServiceEndpoint                                map[string]struct{ MasterEntrypoint string }
			TotalInstance, UsedInstance, AvailableInstance int
		}
	}
	if err := json.Unmarshal([]byte(list.body), &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Data) != 1 || body.Data[0].ServiceEndpoint["kie"].MasterEntrypoint != info.Kie || body.Data[0].AvailableInstance != 100 {
		t.Errorf("list: %s", list.body)
	}

	// Deleting: gone once the job is.
	check(t, c.call(http.MethodDelete, one, ""), 200, fmt.Sprintf(`{"id":%q,"name":"test","jobId":%d}`, id, job+1))
	c.wantEngineStatus(id, "Deleting")
	check(t, c.call(http.MethodDelete, one, ""), 400, refusedEngine("00501117", "Bad Request", "The engine cannot be deleted while it is Deleting."))
	c.runEngineJobs()
	gone := refusedEngine("00501116", "Bad Request", "Failed to find the engine instance.")
	check(t, c.call(http.MethodGet, one, ""), 400, gone)
	check(t, c.call(http.MethodGet, jobPath, ""), 400, gone)
	check(t, c.call(http.MethodGet, enginesPath, ""), 200, `{"total":0,"data":[]}`)
}

func TestEngineList(t *testing.T) {
	c := newCloud(t)
	for _, name := range []string{"first", "second", "third"} {
		c.createEngine(`{"name":"` + name + `"}`)
	}
	c.createEngine(`{"name":"nacos","specType":"Nacos2","flavor":"cse.nacos2.c1.large.10"}`)
	names := func(query string) string {
		var body struct {
			Total int
			Data  []struct{ Name string }
		}
		got := c.call(http.MethodGet, enginesPath+query, "")
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(got.body)
		}
		var names []string
		for _, e := range body.Data {
			names = append(names, e.Name)
		}
		return fmt.Sprint(body.Total, names)
	}
	for query, want := range map[string]string{
		"":                        "4 [first second third nacos]",
		"?offset=0&limit=2":       "4 [first second]",
		"?offset=1&limit=2":       "4 [first second]",
		"?offset=2&limit=2":       "4 [second third]",
		"?offset=9&limit=2":       "4 []",
		"?type=CSE":               "3 [first second third]",
		"?type=nacos":             "1 [nacos]",
		"?type=ALL&limit=1":       "4 [first]",
		"?type=CSE&offset=3":      "3 [third]",
		"?type=MicroGateway":      "0 []",
		"?type=CSE_SHARE&limit=5": "0 []",
	} {
		if got := names(query); got != want {
			t.Errorf("list%s: %s, want %s", query, got, want)
		}
	}
	c.sim(http.MethodPut, "quirks", `{"exactEngineOffset":true}`, 200)
	if got := names("?offset=1&limit=2"); got != "4 [second third]" {
		t.Errorf("exact offset: %s", got)
	}
	check(t, c.call(http.MethodGet, enginesPath+"?limit=x", ""), 500, refusedEngine("00500400", "Internal Server Error", "*"))
}

func TestEngineFailsAndIsRetried(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "outcomes", `[{"engine":"te*","job":"Create","task":"engineInstall","nth":1,"count":2,"result":"Error","message":"no room"}]`, 200)
	id, job := c.createEngine("")
	one := enginesPath + "/" + id
	phase := func() string {
		record, err := c.GetResource("cse", "jobs", fmt.Sprint(job))
		if err != nil {
			t.Fatal(err)
		}
		failed := record["phases"].([]any)[2].(map[string]any)
		return fmt.Sprint(record["status"], " ", failed["status"], " ", failed["log"])
	}
	c.runEngineJobs()
	c.wantEngineStatus(id, "CreateFailed")
	if got := phase(); got != "Error Error no room" {
		t.Fatalf("job: %s", got)
	}
	if got := fmt.Sprint(c.call(http.MethodGet, one, "").field("engineAdditionalActions")); got != "[Retry ForceDelete]" {
		t.Errorf("actions %s", got)
	}

	// The job keeps its number and goes on where it failed; the first retry fails too, the second does not.
	for _, want := range []string{"CreateFailed", "Available"} {
		check(t, c.call(http.MethodPut, one+"/actions", `{"action":"Retry"}`), 200, fmt.Sprintf(`{"id":%q,"name":"test","jobId":%d}`, id, job))
		c.wantEngineStatus(id, "Creating")
		c.runEngineJobs()
		c.wantEngineStatus(id, want)
	}
	if got := phase(); got != "Finished Finished <nil>" {
		t.Errorf("job: %s", got)
	}
	check(t, c.call(http.MethodPut, one+"/actions", `{"action":"Retry"}`), 400, refusedEngine("00501149", "Bad Request", "*"))
	check(t, c.call(http.MethodPut, one+"/actions", `{"action":"Rollback"}`), 500, refusedEngine("00500400", "Internal Server Error", "*"))
}

func TestEngineJobsThatTimeOutOrAreHeld(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine("")
	one := enginesPath + "/" + id
	c.sim(http.MethodPut, "outcomes", `[{"engine":"*","job":"Delete","result":"Timeout","nth":1},{"engine":"*","job":"Upgrade","task":"engineUpgrade","result":"HELD"}]`, 200)

	check(t, c.call(http.MethodDelete, one, ""), 200, `{"id":"*","name":"test","jobId":12002}`)
	c.runEngineJobs()
	c.wantEngineStatus(id, "DeleteFailed")
	check(t, c.call(http.MethodGet, one+"/jobs/12002", ""), 200, fmt.Sprintf(`{"id":12002,"engineId":%q,"type":"Delete","description":"","status":"Timeout",
		"scheduling":0,"createUser":"bot","startTime":"*","endTime":"*","context":"","tasks":"*"}`, id))

	if _, err := c.PatchResource("cse", "engines", id, cloudsim.Object{"status": "Available"}); err != nil {
		t.Fatal(err)
	}
	check(t, c.call(http.MethodPut, one+"/upgrade", `{"version":"2.3.3"}`), 200, `{"id":"*","name":"test","jobId":12003}`)
	c.runEngineJobs()
	c.wantEngineStatus(id, "Upgrading")
	c.sim(http.MethodDelete, "outcomes", "", 204)
	c.runEngineJobs()
	c.wantEngineStatus(id, "Available")
	if got := c.call(http.MethodGet, one, "").field("version"); got != "2.3.3" {
		t.Errorf("version %v", got)
	}
}

func TestEngineChanges(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine(`{"description":"d"}`)
	one := enginesPath + "/" + id
	field := func(name string) any { return c.call(http.MethodGet, one, "").field(name) }

	check(t, c.call(http.MethodPut, one, `{"description":"","alias":"shown"}`), 200, "")
	if field("description") != "d" || field("alias") != "shown" || field("name") != "test" {
		t.Errorf("a description cannot be cleared: %v, %v", field("description"), field("alias"))
	}
	check(t, c.call(http.MethodPut, one, `{"alias":"`+strings.Repeat("x", 65)+`"}`), 500, refusedEngine("00500400", "Internal Server Error", "*"))

	check(t, c.call(http.MethodPut, one+"/resize", `{"flavor":"cse.s1.large2"}`), 200, `{"id":"*","name":"test","job_id":12002}`)
	c.wantEngineStatus(id, "Modifying")
	check(t, c.call(http.MethodPut, one+"/resize", `{"flavor":"cse.s1.small2"}`), 400, refusedEngine("00501149", "Bad Request", "*"))
	c.runEngineJobs()
	if field("flavor") != "cse.s1.large2" {
		t.Errorf("flavor %v", field("flavor"))
	}
	check(t, c.call(http.MethodPut, one+"/resize", `{"flavor":"none"}`), 400, refusedEngine("00501104", "Bad Request", "*"))
	check(t, c.call(http.MethodPut, one+"/upgrade", `{"version":"9"}`), 500, refusedEngine("00500400", "Internal Server Error", "*"))
	check(t, c.call(http.MethodPut, one+"/config", `{"authType":"RBAC"}`), 500, refusedEngine("00500400", "Internal Server Error", "*"))
	check(t, c.call(http.MethodPut, one+"/config", `{"authType":"RBAC","auth_cred":{"pwd":"Passw0rd!x"}}`), 200, `{"id":"*","name":"test","jobId":12003}`)
	c.runEngineJobs()
	if field("authType") != "RBAC" {
		t.Errorf("authType %v", field("authType"))
	}
}

func TestEnterpriseProjectOfAnEngine(t *testing.T) {
	c := newCloud(t)
	call := func(project, method, path, body string) answer {
		r := c.request(method, path, body)
		if project != "" {
			r.Header.Set("X-Enterprise-Project-ID", project)
		}
		c.key.sign(r, []byte(body), c.clock.Now(), "host")
		return c.send(r)
	}
	created := call("ep1", http.MethodPost, enginesPath, engineBody(t, ""))
	one := enginesPath + "/" + fmt.Sprint(created.field("id"))
	gone := refusedEngine("00501116", "Bad Request", "*")
	for _, project := range []string{"", "0", "ep2"} {
		check(t, call(project, http.MethodGet, one, ""), 400, gone)
		check(t, call(project, http.MethodDelete, one, ""), 400, gone)
	}
	if got := call("ep1", http.MethodGet, one, "").field("enterpriseProjectId"); got != "ep1" {
		t.Errorf("enterpriseProjectId %v", got)
	}
	c.sim(http.MethodPut, "quirks", `{"anyEnterpriseProject":true}`, 200)
	if got := call("", http.MethodGet, one, ""); got.status != 200 {
		t.Errorf("with the switch: %d", got.status)
	}
}

func TestEngineQuirks(t *testing.T) {
	c := newCloud(t)
	id := c.availableEngine("")
	one := enginesPath + "/" + id
	for quirk, want := range map[string]string{
		`{"missingEngine":"unauthorized"}`:                        `{"errorCode":"SVCSTG.00501125","errorMessage":"Unauthorized","detail":"*"}`,
		`{"missingEngine":"","engineErrorShape":"error_msg"}`:     `{"error_code":"SVCSTG.00501116","error_msg":"Bad Request","detail":"*"}`,
		`{"missingEngine":"","engineErrorShape":"error_message"}`: `{"error_code":"SVCSTG.00501116","error_message":"*"}`,
	} {
		c.sim(http.MethodPut, "quirks", quirk, 200)
		got := c.call(http.MethodGet, enginesPath+"/nothing", "")
		check(t, got, map[bool]int{true: 401, false: 400}[strings.Contains(want, "1125")], want)
		c.sim(http.MethodPut, "quirks", `{"missingEngine":"","engineErrorShape":""}`, 200)
	}
	c.sim(http.MethodPut, "quirks", `{"engineBadParameter":"badRequest"}`, 200)
	check(t, c.call(http.MethodPost, enginesPath, engineBody(t, `{"name":"x"}`)), 400, refusedEngine("00500400", "Bad Request", "*"))
	c.sim(http.MethodPut, "quirks", `{"numericEngineLimits":true,"keepAZOrder":true,"noServerInputs":true,"configCenter":true}`, 200)
	var body struct {
		Reference          map[string]any
		ExternalEntrypoint struct{ ServiceEndpoint map[string]any }
	}
	if err := json.Unmarshal([]byte(c.call(http.MethodGet, one, "").body), &body); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(body.Reference["serviceLimit"], body.Reference["azList"], body.Reference["inputs"]); got != "100 [az1 az2] map[]" {
		t.Errorf("reference %s", got)
	}
	if body.ExternalEntrypoint.ServiceEndpoint["configCenter"] == nil || body.ExternalEntrypoint.ServiceEndpoint["kie"] != nil {
		t.Errorf("endpoints %v", body.ExternalEntrypoint.ServiceEndpoint)
	}
	check(t, c.call(http.MethodGet, one+"/jobs/x", ""), 400, refusedEngine("00501152", "Bad Request", "*"))
	check(t, c.call(http.MethodGet, one+"/jobs/77", ""), 400, refusedEngine("00501153", "Bad Request", "*"))
}

func TestEngineFlavors(t *testing.T) {
	c := newCloud(t)
	const path = "/v2/p1/enginemgr/flavors"
	four := `{"total":4,"data":[{"flavor":"cse.s1.small2","description":"*"},{"flavor":"cse.s1.medium2","description":"*"},
		{"flavor":"cse.s1.large2","description":"*"},{"flavor":"cse.s1.xlarge2","description":"*"}]}`
	check(t, c.call(http.MethodGet, path+"?specType=CSE2", ""), 200, four)
	check(t, c.call(http.MethodGet, path+"?spec_type=CSE2", ""), 200, four)
	check(t, c.call(http.MethodGet, path+"?specType=CSE9", ""), 400, refusedEngine("00501134", "Bad Request", "*"))
	c.sim(http.MethodPut, "flavors", `[{"flavor":"f1","specType":"CSE2","instances":7}]`, 200)
	check(t, c.call(http.MethodGet, path, ""), 200, `{"total":1,"data":[{"flavor":"f1","description":""}]}`)
	check(t, c.call(http.MethodPost, enginesPath, engineBody(t, "")), 400, refusedEngine("00501104", "Bad Request", "*"))
	c.sim(http.MethodPut, "flavors", `[{"flavor":"f1","specType":"CSE"}]`, 400)
	c.sim(http.MethodDelete, "flavors", "", 204)
	check(t, c.call(http.MethodGet, path+"?specType=CSE2", ""), 200, four)
}

func TestVPCLookUps(t *testing.T) {
	c := newCloud(t)
	one := fmt.Sprintf(`{"id":%q,"name":"vpc-default","description":"","cidr":"192.168.0.0/16","status":"OK","routes":[],
		"enterprise_project_id":"0","tenant_id":"p1","created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}`, cloudsim.DefaultVPCID)
	subnet := fmt.Sprintf(`{"id":%q,"name":"subnet-default","description":"","cidr":"192.168.0.0/24","cidr_v6":"","gateway_ip":"192.168.0.1",
		"vpc_id":%q,"status":"ACTIVE","availability_zone":"","dhcp_enable":true,"dnsList":[],"neutron_network_id":%q,"neutron_subnet_id":"*",
		"tenant_id":"p1","created_at":"*","updated_at":"*"}`, cloudsim.DefaultSubnetID, cloudsim.DefaultVPCID, cloudsim.DefaultSubnetID)
	check(t, c.call(http.MethodGet, "/v1/p1/vpcs/"+cloudsim.DefaultVPCID, ""), 200, `{"vpc":`+one+`}`)
	check(t, c.call(http.MethodGet, "/v1/p1/vpcs/nothing", ""), 404, `{"code":"VPC.0003","message":"VPC does not exist."}`)
	check(t, c.call(http.MethodGet, "/v1/p1/subnets/"+cloudsim.DefaultSubnetID, ""), 200, `{"subnet":`+subnet+`}`)
	check(t, c.call(http.MethodGet, "/v1/p1/subnets/nothing", ""), 404, `{"code":"VPC.0202","message":"Subnet does not exist."}`)
	c.sim(http.MethodPut, "resources/vpc/vpcs/v2", `{"name":"mine","cidr":"10.0.0.0/8","status":"OK"}`, 200)
	c.sim(http.MethodPut, "resources/vpc/subnets/s2", `{"name":"part","cidr":"10.1.0.0/24","vpc_id":"v2","status":"ACTIVE"}`, 200)
	ids := func(path, list string) string {
		var body map[string][]struct{ ID string }
		if err := json.Unmarshal([]byte(c.call(http.MethodGet, path, "").body), &body); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(body[list])
	}
	for path, want := range map[string]string{
		"/v1/p1/vpcs":         "[{" + cloudsim.DefaultVPCID + "} {v2}]",
		"/v1/p1/vpcs?id=v2":   "[{v2}]",
		"/v1/p1/vpcs?limit=1": "[{" + cloudsim.DefaultVPCID + "}]",
		"/v1/p1/vpcs?marker=" + cloudsim.DefaultVPCID: "[{v2}]",
	} {
		if got := ids(path, "vpcs"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := ids("/v1/p1/subnets?vpc_id=v2", "subnets"); got != "[{s2}]" {
		t.Errorf("subnets of v2: %s", got)
	}
	check(t, c.call(http.MethodPost, enginesPath, engineBody(t, `{"vpc":"mine","vpcId":"v2","networkId":"s2","subnetCidr":"10.1.0.0/24"}`)), 200,
		`{"id":"*","name":"test","jobId":12001}`)
	c.sim(http.MethodPost, "reset", "", 204)
	check(t, c.call(http.MethodGet, "/v1/p1/vpcs", ""), 200, `{"vpcs":[`+one+`]}`)
}

func TestTaskMillisecondsAreThoseOfEnginesToo(t *testing.T) {
	c := newCloud(t)
	c.sim(http.MethodPut, "quirks", `{"taskMilliseconds":60000}`, 200)
	id, _ := c.createEngine("")
	c.runEngineJobs()
	c.wantEngineStatus(id, "Creating")
	c.clock.Advance(5 * time.Minute)
	c.wantEngineStatus(id, "Available")
}

// TestOutcomesOfEnginesLeaveComponentsAlone: and the other way round.
func TestOutcomesOfEnginesLeaveComponentsAlone(t *testing.T) {
	s := newRunning(t, webBody(""))
	s.sim(http.MethodPut, "outcomes", `[{"engine":"*","result":"Error"},{"component":"*","result":"FAILED"}]`, 200)
	id, _ := s.createEngine("")
	s.act(`{"action":"restart"}`)
	s.clock.Advance(time.Minute)
	s.wantEngineStatus(id, "CreateFailed")
	s.wantStatus("FAILED 3/3")
	var hits []int
	for _, state := range s.Outcomes() {
		hits = append(hits, state.Hits)
	}
	if fmt.Sprint(hits) != "[1 1]" {
		t.Errorf("hits %v, want one of each rule", hits)
	}
	for body, want := range map[string]string{
		`[{"engine":"*","result":"FAILED"}]`:                   "outcomes[0].result: unknown value",
		`[{"engine":"*","job":"create","result":"Error"}]`:     "outcomes[0].job: unknown value",
		`[{"engine":"a","component":"b","result":"Error"}]`:    "outcomes[0].engine: use either",
		`[{"component":"*","job":"Create","result":"FAILED"}]`: "outcomes[0].job: unknown value",
	} {
		if got := s.sim(http.MethodPut, "outcomes", body, 400).body; !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", body, got, want)
		}
	}
}
