// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"servicestage.dev/operator/internal/cloudsim"
)

// Keys sign calls.
type Keys struct {
	AccessKey, SecretKey string
}

// Samples returns config/samples for a namespace, with real keys in the place of the placeholders and an account that
// calls a simulator.
func Samples(namespace, simulatorURL string, keys Keys) ([]*unstructured.Unstructured, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	objects, err := ReadManifests(filepath.Join(root, "config", "samples"))
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		object.SetNamespace(namespace)
		var err error
		switch object.GetKind() {
		case "Secret":
			err = unstructured.SetNestedStringMap(object.Object,
				map[string]string{"accessKey": keys.AccessKey, "secretKey": keys.SecretKey}, "stringData")
		case "CloudAccount":
			err = unstructured.SetNestedStringMap(object.Object, map[string]string{
				"iam": simulatorURL, "servicestage": simulatorURL, "cse": simulatorURL, "vpc": simulatorURL,
			}, "spec", "endpoints")
		}
		if err != nil {
			return nil, fmt.Errorf("sample %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return objects, nil
}

// ComponentSample returns the objects of a file in config/samples/components for a namespace.
func ComponentSample(namespace, file string) ([]*unstructured.Unstructured, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	objects, err := ReadManifests(filepath.Join(root, "config", "samples", "components", file))
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		object.SetNamespace(namespace)
	}
	return objects, nil
}

// EngineSample returns config/samples/engines for a namespace, with the simulator's VPC and subnet and a root password in the
// place of the placeholders.
func EngineSample(namespace, rootPassword string) ([]*unstructured.Unstructured, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	objects, err := ReadManifests(filepath.Join(root, "config", "samples", "engines"))
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		object.SetNamespace(namespace)
		var err error
		switch object.GetKind() {
		case "Secret":
			err = unstructured.SetNestedStringMap(object.Object, map[string]string{"password": rootPassword}, "stringData")
		case "MicroserviceEngine":
			err = unstructured.SetNestedStringMap(object.Object, map[string]string{
				"vpcID": cloudsim.DefaultVPCID, "subnetID": cloudsim.DefaultSubnetID,
			}, "spec", "network")
		case "Environment":
			err = unstructured.SetNestedField(object.Object, cloudsim.DefaultVPCID, "spec", "vpcID")
		}
		if err != nil {
			return nil, fmt.Errorf("sample %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return objects, nil
}
