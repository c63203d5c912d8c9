// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Lengths of 7.3.3, in characters.
const (
	maxEngineDescription = 255
	maxEngineAlias       = 64
	maxEngineReference   = 64
	maxSubnetCIDR        = 24
	maxEngineAZs         = 3
)

var engineName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$`)

// engineInput is the body of 7.3.3.
type engineInput struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Payment     string            `json:"payment"`
	Flavor      string            `json:"flavor"`
	AZList      []string          `json:"azList"`
	AuthType    string            `json:"authType"`
	VPC         string            `json:"vpc"`
	VPCID       string            `json:"vpcId"`
	NetworkID   string            `json:"networkId"`
	SubnetCIDR  string            `json:"subnetCidr"`
	PublicIPID  string            `json:"publicIpId"`
	SpecType    string            `json:"specType"`
	Inputs      map[string]string `json:"inputs"`
	Credential  struct {
		Password string `json:"pwd"`
	} `json:"auth_cred"`
}

// createEngine is 7.3.3.
func (s *cse) createEngine(c *call) (reply, error) {
	var input engineInput
	if err := c.decode(&input); err != nil {
		return reply{}, badEngineParameter(c.quirks, "%s.", err)
	}
	for _, check := range []func(*call, *engineInput) error{s.checkKind, s.checkNetwork, s.checkRoom} {
		if err := check(c, &input); err != nil {
			return reply{}, err
		}
	}
	now := c.now.UnixMilli()
	created := &engine{
		meta:        meta{ID: s.random.uuid(), Name: input.Name, ProjectID: c.project(), CreateTime: now, UpdateTime: now},
		Description: input.Description, Status: engineCreating, Flavor: input.Flavor, Payment: input.Payment, SpecType: input.SpecType,
		AuthType: input.AuthType, Version: engineVersion, LatestVersion: engineLatestVersion, EnterpriseProjectID: c.enterpriseProject(),
		CreateUser: c.caller.account.creator(), AZList: input.AZList, VPC: input.VPC, VPCID: input.VPCID, NetworkID: input.NetworkID,
		SubnetCIDR: input.SubnetCIDR, PublicIPID: input.PublicIPID, Inputs: input.Inputs, RootPassword: input.Credential.Password,
	}
	if input.AuthType == authNone {
		created.RootPassword = ""
	}
	s.engines.put(created)
	return s.started(created, s.startJob(c, created, jobTypeCreate, engineChange{}), "jobId"), nil
}

// checkKind is about what the engine is to be.
func (s *cse) checkKind(c *call, in *engineInput) error {
	q := c.quirks
	if engineTypes[in.SpecType] == "" {
		return engineRefusal("00501134", "Invalid engine type: specType %q.", in.SpecType)
	}
	if !engineName.MatchString(in.Name) || in.Name == "default" {
		return badEngineParameter(q, "name must have 3 to 24 letters, digits and hyphens, start with a letter, not end with a hyphen and not be default.")
	}
	if in.Payment != "1" {
		return engineRefusal("00501103", "Empty or invalid billing mode: payment %q.", in.Payment)
	}
	if _, ok := s.flavors.find(in.SpecType, in.Flavor); !ok {
		return engineRefusal("00501104", "Incorrect engine instance flavor: %q.", in.Flavor)
	}
	if in.SpecType == specCSE && len(in.AZList) == 0 || len(in.AZList) > maxEngineAZs || slices.Contains(in.AZList, "") {
		return engineRefusal("00501105", "Incorrect AZ: azList must name 1 to %d AZs.", maxEngineAZs)
	}
	if err := checkAuthType(q, in.SpecType, in.AuthType); err != nil {
		return err
	}
	if in.AuthType == authRBAC {
		if err := checkRootPassword(q, in.Credential.Password); err != nil {
			return err
		}
	}
	return firstTooLong(q, field{"description", in.Description, maxEngineDescription}, field{"publicIpId", in.PublicIPID, maxEngineReference})
}

func checkAuthType(quirks Quirks, specType, authType string) error {
	if authType != authRBAC && authType != authNone {
		return badEngineParameter(quirks, "authType must be RBAC or NONE.")
	}
	if specType == specNacos && authType != authNone {
		return badEngineParameter(quirks, "authType of a Nacos engine must be NONE.")
	}
	return nil
}

// checkRootPassword: the account is always root, so neither that name nor its reverse is a password.
func checkRootPassword(quirks Quirks, password string) error {
	var upper, lower, digit, special bool
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		case unicode.IsDigit(r):
			digit = true
		default:
			special = true
		}
	}
	n := utf8.RuneCountInString(password)
	if n >= 8 && n <= 32 && upper && lower && digit && special && unicode.IsLetter([]rune(password)[0]) {
		return nil
	}
	return badEngineParameter(quirks, "auth_cred.pwd must have 8 to 32 characters with a digit, an upper-case and a lower-case letter and a special character, and start with a letter.")
}

// checkNetwork is about where the engine is to be. That the cloud compares with the VPC service is inferred.
func (s *cse) checkNetwork(c *call, in *engineInput) error {
	q := c.quirks
	fields := []field{
		{"vpc", in.VPC, maxEngineReference}, {"vpcId", in.VPCID, maxEngineReference}, {"networkId", in.NetworkID, maxEngineReference},
		{"subnetCidr", in.SubnetCIDR, maxSubnetCIDR},
	}
	for _, f := range fields {
		if f.value == "" {
			return badEngineParameter(q, "%s is mandatory.", f.name)
		}
	}
	if err := firstTooLong(q, fields...); err != nil || q.AnyVPC {
		return err
	}
	network, ok := s.network.vpcs.get(c.project(), in.VPCID)
	if !ok || network.Name != in.VPC {
		return badEngineParameter(q, "vpcId %s is not the id of a VPC of the name %q.", in.VPCID, in.VPC)
	}
	part, ok := s.network.subnets.get(c.project(), in.NetworkID)
	if !ok || part.VPCID != in.VPCID || part.CIDR != in.SubnetCIDR {
		return badEngineParameter(q, "networkId %s is not the id of a subnet %s of VPC %s.", in.NetworkID, in.SubnetCIDR, in.VPCID)
	}
	return nil
}

// checkRoom is about the engines that are there.
func (s *cse) checkRoom(c *call, in *engineInput) error {
	if len(s.engines.named(c.project(), in.Name)) > 0 {
		return engineRefusal("00501111", "Duplicate engine instance name: %s.", in.Name)
	}
	if quota, limited := c.quirks.Quotas[enginesPath]; limited && s.engines.count(c.project()) >= quota {
		return engineRefusal("00501112", "Insufficient engine instance quota: %d of %d are used.", s.engines.count(c.project()), quota)
	}
	return nil
}

// field is a text with a length.
type field struct {
	name, value string
	longest     int
}

// firstTooLong returns a nil error, not a nil *apiError.
func firstTooLong(quirks Quirks, fields ...field) error {
	for _, f := range fields {
		if utf8.RuneCountInString(f.value) > f.longest {
			return badEngineParameter(quirks, "%s must have at most %d characters.", f.name, f.longest)
		}
	}
	return nil
}
