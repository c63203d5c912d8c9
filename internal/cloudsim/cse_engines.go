// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Words of an engine's status.
const (
	engineCreating      = "Creating"
	engineAvailable     = "Available"
	engineUnavailable   = "Unavailable"
	engineDeleting      = "Deleting"
	engineDeleted       = "Deleted"
	engineUpgrading     = "Upgrading"
	engineModifying     = "Modifying"
	engineCreateFailed  = "CreateFailed"
	engineDeleteFailed  = "DeleteFailed"
	engineUpgradeFailed = "UpgradeFailed"
	engineModifyFailed  = "ModifyFailed"
	engineFreezed       = "Freezed"

	authRBAC = "RBAC"
	authNone = "NONE"
)

// The version that engines are created with and the one that they can be upgraded to are the reference's example.
const (
	engineVersion       = "2.3.1"
	engineLatestVersion = "2.3.3"
)

// engine is an exclusive microservice engine (7.3.4).
type engine struct {
	meta
	Description         string            `json:"description"`
	Alias               string            `json:"alias"`
	Status              string            `json:"status"`
	Flavor              string            `json:"flavor"`
	Payment             string            `json:"payment"`
	SpecType            string            `json:"spec_type"`
	AuthType            string            `json:"auth_type"`
	Version             string            `json:"version"`
	LatestVersion       string            `json:"latest_version"`
	EnterpriseProjectID string            `json:"enterprise_project_id"`
	CreateUser          string            `json:"create_user"`
	AZList              []string          `json:"az_list"`
	VPC                 string            `json:"vpc"`
	VPCID               string            `json:"vpc_id"`
	NetworkID           string            `json:"network_id"`
	SubnetCIDR          string            `json:"subnet_cidr"`
	PublicIPID          string            `json:"public_ip_id"`
	Inputs              map[string]string `json:"inputs"`
	LatestJobID         int64             `json:"latest_job_id"`
	// RootPassword is the password of root inside the engine; only the admin API shows it.
	RootPassword string `json:"root_password,omitempty"`
}

// published says whether the engine has addresses.
func (e *engine) published() bool {
	switch e.Status {
	case engineCreating, engineCreateFailed, engineDeleted:
		return false
	}
	return e.isCSE()
}

// serves says whether something answers at the addresses.
func (e *engine) serves() bool {
	switch e.Status {
	case engineUnavailable, engineFreezed, engineDeleting:
		return false
	}
	return e.published()
}

// isCSE: records that the admin API puts may leave the spec type out.
func (e *engine) isCSE() bool { return e.SpecType == specCSE || e.SpecType == "" }

// additionalActions are the console's hints; which state has which is inferred.
func (e *engine) additionalActions() []string {
	switch e.Status {
	case engineCreateFailed:
		return []string{"Retry", "ForceDelete"}
	case engineDeleteFailed, engineUpgradeFailed, engineModifyFailed:
		return []string{"Retry"}
	}
	return []string{}
}

// listEngines is 7.3.2. type compares without case; there is no filter on the enterprise project.
func (s *cse) listEngines(c *call) (reply, error) {
	limit, err := s.intParameter(c, "limit", defaultUnpagedLimit)
	if err != nil {
		return reply{}, err
	}
	offset, err := s.intParameter(c, "offset", 0)
	if err != nil {
		return reply{}, err
	}
	// Observed: offset 0 and offset 1 are the same page. Inferred from it: offsets count from one.
	if !c.quirks.ExactEngineOffset && offset > 0 {
		offset--
	}
	wanted := c.query.Get("type")
	fits := []*engine{}
	for _, found := range s.engines.all(c.project()) {
		kind := engineTypes[specCSE]
		if !found.isCSE() {
			kind = engineTypes[found.SpecType]
		}
		if wanted == "" || strings.EqualFold(wanted, "ALL") || strings.EqualFold(wanted, kind) {
			fits = append(fits, found)
		}
	}
	page, total := slices.Clone(fits), len(fits)
	page = page[min(offset, total):]
	page = page[:min(limit, len(page))]
	data := make([]map[string]any, len(page))
	for i, found := range page {
		data[i] = s.listItem(found, c.quirks)
	}
	return reply{status: http.StatusOK, body: map[string]any{"total": total, "data": data}}, nil
}

func (s *cse) intParameter(c *call, name string, absent int) (int, error) {
	n, err := intParameter(c.query, name, absent, math.MaxInt32)
	if err != nil {
		return 0, badEngineParameter(c.quirks, "%s must be an integer that is not negative.", name)
	}
	return n, nil
}

// getEngine is 7.3.4.
func (s *cse) getEngine(c *call) (reply, error) {
	found, err := s.find(c, c.params["engine_id"])
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: s.detail(found, c.quirks)}, nil
}

// updateEngine changes description and alias, its body and answer are those of newer pages. Observed: a description
// cannot be cleared.
func (s *cse) updateEngine(c *call) (reply, error) {
	var input struct {
		Description *string `json:"description"`
		Alias       *string `json:"alias"`
	}
	found, err := s.findWith(c, &input)
	if err != nil {
		return reply{}, err
	}
	if err := firstTooLong(c.quirks, field{"description", text(input.Description), maxEngineDescription}, field{"alias", text(input.Alias), maxEngineAlias}); err != nil {
		return reply{}, err
	}
	if found.Status == engineDeleting {
		return reply{}, engineBusy(found)
	}
	s.engines.update(found, func(next *engine) {
		if text(input.Description) != "" {
			next.Description = *input.Description
		}
		if input.Alias != nil {
			next.Alias = *input.Alias
		}
	})
	return reply{status: http.StatusOK}, nil
}

// findWith finds the engine and reads the body.
func (s *cse) findWith(c *call, input any) (*engine, error) {
	found, err := s.find(c, c.params["engine_id"])
	if err != nil {
		return nil, err
	}
	if err := c.decode(input); err != nil {
		return nil, badEngineParameter(c.quirks, "%s.", err)
	}
	return found, nil
}

// engineBusy is the answer to a change that the state does not allow; the code is inferred.
func engineBusy(found *engine) *apiError {
	return engineRefusal("00501149", "The engine cannot be changed while it is %s.", found.Status)
}

// deletable are the states that 12.3 names, and the failed ones, which would otherwise last for ever.
var deletable = []string{
	engineAvailable, engineUnavailable, engineCreateFailed, engineDeleteFailed, engineUpgradeFailed, engineModifyFailed,
}

// deleteEngine is 7.3.5.
func (s *cse) deleteEngine(c *call) (reply, error) {
	found, err := s.find(c, c.params["engine_id"])
	if err != nil {
		return reply{}, err
	}
	if !slices.Contains(deletable, found.Status) {
		return reply{}, engineRefusal("00501117", "The engine cannot be deleted while it is %s.", found.Status)
	}
	return s.started(found, s.startJob(c, found, jobTypeDelete, engineChange{}), "jobId"), nil
}

// actOnEngine retries what has failed; the answer is inferred.
func (s *cse) actOnEngine(c *call) (reply, error) {
	var input struct {
		Action string `json:"action"`
	}
	found, err := s.findWith(c, &input)
	if err != nil {
		return reply{}, err
	}
	if input.Action != "Retry" {
		return reply{}, badEngineParameter(c.quirks, "action must be Retry.")
	}
	last, ok := s.jobs.find(strconv.FormatInt(found.LatestJobID, 10))
	if !ok || !slices.Contains(found.additionalActions(), "Retry") {
		return reply{}, engineBusy(found)
	}
	return s.started(found, s.retryJob(found, last), "jobId"), nil
}

// resizeEngine takes another flavor of the same type.
func (s *cse) resizeEngine(c *call) (reply, error) {
	var input struct {
		Flavor string            `json:"flavor"`
		Inputs map[string]string `json:"inputs"`
	}
	found, err := s.findIdle(c, &input)
	if err != nil {
		return reply{}, err
	}
	if _, ok := s.flavors.find(found.specType(), input.Flavor); !ok {
		return reply{}, engineRefusal("00501104", "Incorrect engine instance flavor: %q.", input.Flavor)
	}
	key := "job_id"
	if c.quirks.CamelResizeJob {
		key = "jobId"
	}
	return s.started(found, s.startJob(c, found, jobTypeModify, engineChange{Flavor: input.Flavor, Inputs: input.Inputs}), key), nil
}

// upgradeEngine takes the latest version.
func (s *cse) upgradeEngine(c *call) (reply, error) {
	var input struct {
		Version string `json:"version"`
	}
	found, err := s.findIdle(c, &input)
	if err != nil {
		return reply{}, err
	}
	if input.Version == "" || len(input.Version) > 24 || input.Version != found.LatestVersion || input.Version == found.Version {
		return reply{}, badEngineParameter(c.quirks, "version must be the latest version, %s.", found.LatestVersion)
	}
	return s.started(found, s.startJob(c, found, jobTypeUpgrade, engineChange{Version: input.Version}), "jobId"), nil
}

// configureEngine turns authentication on or off; that it takes auth_cred as the creation does is inferred.
func (s *cse) configureEngine(c *call) (reply, error) {
	var input struct {
		AuthType   string `json:"authType"`
		Credential *struct {
			Password string `json:"pwd"`
		} `json:"auth_cred"`
	}
	found, err := s.findIdle(c, &input)
	if err != nil {
		return reply{}, err
	}
	change := engineChange{AuthType: input.AuthType}
	if input.Credential != nil {
		change.RootPassword = input.Credential.Password
	}
	if err := checkAuthType(c.quirks, found.specType(), input.AuthType); err != nil {
		return reply{}, err
	}
	if input.AuthType == authRBAC && (found.RootPassword == "" || change.RootPassword != "") {
		if err := checkRootPassword(c.quirks, change.RootPassword); err != nil {
			return reply{}, err
		}
	}
	return s.started(found, s.startJob(c, found, jobTypeConfigure, change), "jobId"), nil
}

// findIdle is findWith for changes that want an engine at rest.
func (s *cse) findIdle(c *call, input any) (*engine, error) {
	found, err := s.findWith(c, input)
	if err != nil {
		return nil, err
	}
	if found.Status != engineAvailable {
		return nil, engineBusy(found)
	}
	return found, nil
}

func (e *engine) specType() string {
	if e.isCSE() {
		return specCSE
	}
	return e.SpecType
}

// started is the answer of everything that goes on in a job.
func (s *cse) started(e *engine, job *engineJob, key string) reply {
	return reply{status: http.StatusOK, body: map[string]any{"id": e.ID, "name": e.Name, key: job.number()}}
}

// common is what the list and the detail share.
func (s *cse) common(e *engine, quirks Quirks) map[string]any {
	return map[string]any{
		"id": e.ID, "name": e.Name, "alias": e.Alias, "enterpriseProjectId": orDefaultProject(e.EnterpriseProjectID),
		"enterpriseProjectName": projectName(orDefaultProject(e.EnterpriseProjectID)), "type": engineTypes[e.specType()], "description": e.Description,
		"flavor": e.Flavor, "payment": e.Payment, "authType": e.AuthType, "status": e.Status, "version": e.Version,
		"latestVersion": e.LatestVersion, "createTime": e.CreateTime, "latestJobId": e.LatestJobID,
		"engineAdditionalActions": e.additionalActions(), "specType": e.specType(), "reference": s.reference(e, quirks),
	}
}

func projectName(id string) string {
	if id == "0" {
		return "default"
	}
	return "project-" + id
}

// listItem has the addresses at the top.
func (s *cse) listItem(e *engine, quirks Quirks) map[string]any {
	body := s.common(e, quirks)
	maps.Copy(body, s.endpoints(e, quirks))
	flavor, _ := s.flavors.find(e.specType(), e.Flavor)
	body["totalInstance"], body["usedInstance"], body["availableInstance"] = flavor.Instances, 0, flavor.Instances
	body["dueTo"] = int64(4102415999000)
	return body
}

// detail has the addresses under externalEntrypoint.
func (s *cse) detail(e *engine, quirks Quirks) map[string]any {
	body := s.common(e, quirks)
	body["projectId"], body["createUser"], body["beDefault"], body["vmIds"] = e.ProjectID, e.CreateUser, false, []string{}
	body["externalEntrypoint"] = s.endpoints(e, quirks)
	body["cceSpec"] = map[string]any{
		"id": 7465, "engineId": e.ID, "specType": "CCE", "cluster": nil, "clusterId": derivedID("cluster", e.ID),
		"clusterNodes": map[string]any{"clusterNodes": []any{}}, "flavor": nil, "region": "", "version": "", "extendParam": "",
	}
	return body
}

// endpoints are empty until the engine is there. The public ones need a public IP.
func (s *cse) endpoints(e *engine, quirks Quirks) map[string]any {
	serviceCenter, kie := s.hosts.addresses(e.ID)
	address := ""
	if kie != "" {
		address = s.hosts.host
	}
	body := map[string]any{
		"externalAddress": address, "serviceEndpoint": endpointMap(serviceCenter, kie, quirks),
		"publicAddress": "", "publicServiceEndpoint": endpointMap("", "", quirks),
	}
	if e.PublicIPID != "" {
		body["publicAddress"], body["publicServiceEndpoint"] = address, endpointMap(serviceCenter, kie, quirks)
	}
	return body
}

func endpointMap(serviceCenter, kie string, quirks Quirks) map[string]any {
	entry := func(address string) map[string]any {
		return map[string]any{
			"masterEntrypoint": address, "masterEntrypointIpv6": nil, "slaveEntrypoint": nil, "slaveEntrypointIpv6": nil, "type": "REGISTRY",
		}
	}
	name := "kie"
	if quirks.ConfigCenter {
		name = "configCenter"
	}
	return map[string]any{name: entry(kie), "serviceCenter": entry(serviceCenter)}
}

// reference is table 7-46.
func (s *cse) reference(e *engine, quirks Quirks) map[string]any {
	flavor, _ := s.flavors.find(e.specType(), e.Flavor)
	limit := func(n int) any {
		if quirks.NumericEngineLimits {
			return n
		}
		return strconv.Itoa(n)
	}
	azs := append([]string{}, e.AZList...)
	if !quirks.KeepAZOrder {
		slices.Reverse(azs)
	}
	inputs := maps.Clone(e.Inputs)
	if inputs == nil {
		inputs = map[string]string{}
	}
	if !quirks.NoServerInputs {
		inputs["is_arm_cluster"] = "false"
		if inputs["nodeFlavor"] == "" {
			inputs["nodeFlavor"] = "s6.large.2"
		}
	}
	gateway := ""
	if found, ok := s.network.subnets.get(e.ProjectID, e.NetworkID); ok {
		gateway = found.GatewayIP
	}
	return map[string]any{
		"vpc": e.VPC, "vpcId": e.VPCID, "azList": azs, "networkId": e.NetworkID, "subnetCidr": e.SubnetCIDR, "subnetCidrV6": "",
		"subnetGateway": gateway, "publicIpId": orNil(e.PublicIPID), "serviceLimit": limit(flavor.Services),
		"instanceLimit": limit(flavor.Instances), "inputs": inputs,
	}
}

func orNil(value string) any {
	if value == "" {
		return nil
	}
	return value
}
