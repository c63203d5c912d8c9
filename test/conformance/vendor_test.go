// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	vendoriam "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3"
	iammodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/iam/v3/model"
	vendorstage "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/servicestage/v2"
	stagemodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/servicestage/v2/model"

	"servicestage.dev/operator/internal/cloudsim"
)

// vendorClient returns the vendor's HTTP client for the simulator. A request that lacks a project needs project "".
func vendorClient(t *testing.T, url, ak, sk, token, project string) *core.HcHttpClient {
	t.Helper()
	builder := basic.NewCredentialsBuilder().WithAk(ak).WithSk(sk).WithProjectId(project)
	if token != "" {
		builder = builder.WithSecurityToken(token)
	}
	credentials, err := builder.SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	client, err := core.NewHcHttpClientBuilder().WithEndpoint(url).WithCredential(credentials).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// v3 moves one of the vendor's request definitions, which end at V2, to the V3 path of the same operation. Methods,
// parameters and most of the bodies are the same.
func v3(definition *def.HttpRequestDef) *def.HttpRequestDef {
	definition.Path = strings.Replace(definition.Path, "/v2/", "/v3/", 1)
	return definition
}

// sync makes one call and returns its typed answer.
func sync[T any](t *testing.T, client *core.HcHttpClient, request any, definition *def.HttpRequestDef) *T {
	t.Helper()
	answer, err := client.Sync(request, definition)
	if err != nil {
		t.Fatalf("%s %s: %v", definition.Method, definition.Path, err)
	}
	return answer.(*T)
}

// refusal makes one call that must fail and returns the vendor's reading of the failure.
func refusal(t *testing.T, client *core.HcHttpClient, request any, definition *def.HttpRequestDef) *sdkerr.ServiceResponseError {
	t.Helper()
	_, err := client.Sync(request, definition)
	var failure *sdkerr.ServiceResponseError
	if !errors.As(err, &failure) {
		t.Fatalf("%s %s: %v, want an answer of the service", definition.Method, definition.Path, err)
	}
	return failure
}

func TestVendorFindsTheProject(t *testing.T) {
	for name, token := range map[string]string{"key": "", "temporary key": securityToken} {
		t.Run(name, func(t *testing.T) {
			_, url := startSimulator(t, func(o *cloudsim.Options) { o.SecurityToken = token })
			client := vendoriam.NewIamClient(vendorClient(t, url, accessKey, secretKey, token, ""))
			answer, err := client.KeystoneListProjects(&iammodel.KeystoneListProjectsRequest{Name: pointer(region)})
			if err != nil {
				t.Fatal(err)
			}
			projects := *answer.Projects
			if len(projects) != 1 || projects[0].Id != projectID || projects[0].Name != region {
				t.Errorf("projects = %v, want %s", projects, projectID)
			}
			none, err := client.KeystoneListProjects(&iammodel.KeystoneListProjectsRequest{Name: pointer("elsewhere")})
			if err != nil || len(*none.Projects) != 0 {
				t.Errorf("projects of another name = %v, %v; want none", none, err)
			}
		})
	}
}

func TestVendorGetsAToken(t *testing.T) {
	_, url := startSimulator(t)
	client := vendoriam.NewIamClient(vendorClient(t, url, accessKey, secretKey, "", ""))
	login := func(secret string) (*iammodel.KeystoneCreateUserTokenByPasswordResponse, error) {
		return client.KeystoneCreateUserTokenByPassword(&iammodel.KeystoneCreateUserTokenByPasswordRequest{
			Nocatalog: pointer("true"),
			Body: &iammodel.KeystoneCreateUserTokenByPasswordRequestBody{Auth: &iammodel.PwdAuth{
				Identity: &iammodel.PwdIdentity{
					Methods: []iammodel.PwdIdentityMethods{iammodel.GetPwdIdentityMethodsEnum().PASSWORD},
					Password: &iammodel.PwdPassword{User: &iammodel.PwdPasswordUser{
						Name: username, Password: secret, Domain: &iammodel.PwdPasswordUserDomain{Name: domainName},
					}},
				},
				Scope: &iammodel.AuthScope{Project: &iammodel.AuthScopeProject{Name: pointer(region)}},
			}},
		})
	}
	answer, err := login(password)
	if err != nil {
		t.Fatal(err)
	}
	if answer.XSubjectToken == nil || *answer.XSubjectToken == "" || answer.HttpStatusCode != 201 {
		t.Errorf("status %d, token %v; want 201 and a token", answer.HttpStatusCode, answer.XSubjectToken)
	}
	if answer.Token.Project == nil || answer.Token.Project.Id != projectID {
		t.Errorf("the token's project = %v, want %s", answer.Token.Project, projectID)
	}
	var failure *sdkerr.ServiceResponseError
	if _, err := login("wrong"); !errors.As(err, &failure) || failure.StatusCode != 401 {
		t.Errorf("login with a wrong password = %v, want 401", err)
	}
}

func TestVendorIsRefusedWithWrongKeys(t *testing.T) {
	tests := []struct {
		name, ak, sk, token string
		temporary           bool
	}{
		{"a wrong secret", accessKey, "wrong", "", false},
		{"an unknown key", "UNKNOWN", secretKey, "", false},
		{"a temporary key without its token", accessKey, secretKey, "", true},
		{"a temporary key with another token", accessKey, secretKey, "another", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, url := startSimulator(t, func(o *cloudsim.Options) {
				if tt.temporary {
					temporary(o)
				}
			})
			client := vendorClient(t, url, tt.ak, tt.sk, tt.token, projectID)
			failure := refusal(t, client, &stagemodel.ListEnvironmentsRequest{}, v3(vendorstage.GenReqDefForListEnvironments()))
			if failure.StatusCode != 401 || failure.ErrorCode != "APIGW.0301" || failure.ErrorMessage == "" || failure.RequestId == "" {
				t.Errorf("answer = %+v, want 401 APIGW.0301 with a message and a request id", failure)
			}
		})
	}
}

func TestVendorManagesEnvironments(t *testing.T) {
	for name, token := range map[string]string{"key": "", "temporary key": securityToken} {
		t.Run(name, func(t *testing.T) {
			_, url := startSimulator(t, func(o *cloudsim.Options) { o.SecurityToken = token })
			client := vendorClient(t, url, accessKey, secretKey, token, projectID)

			created := sync[stagemodel.CreateEnvironmentResponse](t, client, &stagemodel.CreateEnvironmentRequest{Body: &stagemodel.EnvironmentCreate{
				Name: "dev-env", Description: pointer("first é"), DeployMode: "mixed", VpcId: "vpc-1",
			}}, v3(vendorstage.GenReqDefForCreateEnvironment()))
			if created.HttpStatusCode != 200 || created.Id == nil || *created.Name != "dev-env" || *created.ProjectId != projectID || *created.CreateTime == 0 {
				t.Fatalf("created = %v", created)
			}
			id := *created.Id

			order := stagemodel.GetListEnvironmentsRequestOrderEnum().ASC
			listed := sync[stagemodel.ListEnvironmentsResponse](t, client, &stagemodel.ListEnvironmentsRequest{
				Limit: pointer(int32(10)), Offset: pointer(int32(0)), OrderBy: pointer("create_time"), Order: &order,
			}, v3(vendorstage.GenReqDefForListEnvironments()))
			if *listed.Count != 1 || len(*listed.Environments) != 1 {
				t.Errorf("listed = %v", listed)
			}

			changed := sync[stagemodel.ChangeEnvironmentResponse](t, client, &stagemodel.ChangeEnvironmentRequest{
				EnvironmentId: id, Body: &stagemodel.EnvironmentModify{Name: pointer("dev-env"), Description: pointer("second")},
			}, v3(vendorstage.GenReqDefForChangeEnvironment()))
			if *changed.Description != "second" {
				t.Errorf("changed = %v", changed)
			}
			shown := sync[stagemodel.ShowEnvironmentDetailResponse](t, client, &stagemodel.ShowEnvironmentDetailRequest{EnvironmentId: id},
				v3(vendorstage.GenReqDefForShowEnvironmentDetail()))
			if *shown.Id != id || *shown.Description != "second" || *shown.VpcId != "vpc-1" || *shown.DeployMode != "mixed" {
				t.Errorf("shown = %v", shown)
			}

			again := refusal(t, client, &stagemodel.CreateEnvironmentRequest{Body: &stagemodel.EnvironmentCreate{Name: "DEV-ENV", DeployMode: "mixed", VpcId: "vpc-1"}},
				v3(vendorstage.GenReqDefForCreateEnvironment()))
			if again.StatusCode != 400 || again.ErrorCode != "SVCSTG.00100449" {
				t.Errorf("the same name again = %+v, want 400 SVCSTG.00100449", again)
			}

			deleted := sync[stagemodel.DeleteEnvironmentResponse](t, client, &stagemodel.DeleteEnvironmentRequest{EnvironmentId: id},
				v3(vendorstage.GenReqDefForDeleteEnvironment()))
			if deleted.HttpStatusCode != 204 {
				t.Errorf("deleted = %v, want 204", deleted)
			}
			gone := refusal(t, client, &stagemodel.ShowEnvironmentDetailRequest{EnvironmentId: id}, v3(vendorstage.GenReqDefForShowEnvironmentDetail()))
			if gone.StatusCode != 401 || gone.ErrorCode != "SVCSTG.00100401" {
				t.Errorf("gone = %+v, want 401 SVCSTG.00100401", gone)
			}
		})
	}
}

func TestVendorManagesApplications(t *testing.T) {
	_, url := startSimulator(t)
	client := vendorClient(t, url, accessKey, secretKey, "", projectID)

	environment := sync[stagemodel.CreateEnvironmentResponse](t, client, &stagemodel.CreateEnvironmentRequest{Body: &stagemodel.EnvironmentCreate{
		Name: "dev-env", DeployMode: "mixed", VpcId: "vpc-1",
	}}, v3(vendorstage.GenReqDefForCreateEnvironment()))
	created := sync[stagemodel.CreateApplicationResponse](t, client, &stagemodel.CreateApplicationRequest{Body: &stagemodel.ApplicationCreate{
		Name: "shop", Description: pointer("first"),
	}}, v3(vendorstage.GenReqDefForCreateApplication()))
	if created.HttpStatusCode != 200 || created.Id == nil || *created.Name != "shop" {
		t.Fatalf("created = %v", created)
	}
	id := *created.Id

	listed := sync[stagemodel.ListApplicationsResponse](t, client, &stagemodel.ListApplicationsRequest{}, v3(vendorstage.GenReqDefForListApplications()))
	if *listed.Count != 1 || len(*listed.Applications) != 1 || *(*listed.Applications)[0].Id != id {
		t.Errorf("listed = %v", listed)
	}
	changed := sync[stagemodel.ChangeApplicationResponse](t, client, &stagemodel.ChangeApplicationRequest{
		ApplicationId: id, Body: &stagemodel.ApplicationModify{Description: pointer("second")},
	}, v3(vendorstage.GenReqDefForChangeApplication()))
	if *changed.Description != "second" || *changed.Name != "shop" {
		t.Errorf("changed = %v", changed)
	}

	sync[stagemodel.ChangeApplicationConfigurationResponse](t, client, &stagemodel.ChangeApplicationConfigurationRequest{
		ApplicationId: id,
		Body: &stagemodel.ApplicationConfigModify{EnvironmentId: *environment.Id, Configuration: &stagemodel.ApplicationConfigModifyConfiguration{
			Env: []stagemodel.ApplicationConfigModifyConfigurationEnv{{Name: "MODE", Value: "test"}},
		}},
	}, v3(vendorstage.GenReqDefForChangeApplicationConfiguration()))
	shown := sync[stagemodel.ShowApplicationConfigurationResponse](t, client, &stagemodel.ShowApplicationConfigurationRequest{
		ApplicationId: id, EnvironmentId: environment.Id,
	}, v3(vendorstage.GenReqDefForShowApplicationConfiguration()))
	if len(*shown.Configuration) != 1 || *(*shown.Configuration)[0].EnvironmentId != *environment.Id {
		t.Errorf("configuration = %v", shown)
	}
	sync[stagemodel.DeleteApplicationConfigurationResponse](t, client, &stagemodel.DeleteApplicationConfigurationRequest{
		ApplicationId: id, EnvironmentId: *environment.Id,
	}, v3(vendorstage.GenReqDefForDeleteApplicationConfiguration()))

	deleted := sync[stagemodel.DeleteApplicationResponse](t, client, &stagemodel.DeleteApplicationRequest{ApplicationId: id},
		v3(vendorstage.GenReqDefForDeleteApplication()))
	if deleted.HttpStatusCode != 204 {
		t.Errorf("deleted = %v, want 204", deleted)
	}
	gone := refusal(t, client, &stagemodel.ShowApplicationDetailRequest{ApplicationId: id}, v3(vendorstage.GenReqDefForShowApplicationDetail()))
	if gone.StatusCode != 401 || gone.ErrorCode != "SVCSTG.00100401" {
		t.Errorf("gone = %+v, want 401 SVCSTG.00100401", gone)
	}
}
