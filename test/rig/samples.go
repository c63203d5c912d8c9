// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"path/filepath"
	"slices"

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
	}
	return objects, simulate(objects, simulatorURL, keys)
}

// AllSamples returns Samples with a component, an engine, and what an engine holds: at least one object of every kind that
// is in a namespace.
func AllSamples(namespace, simulatorURL string, keys Keys) ([]*unstructured.Unstructured, error) {
	samples, err := Samples(namespace, simulatorURL, keys)
	if err != nil {
		return nil, err
	}
	component, err := ComponentSample(namespace, "container_image.yaml")
	if err != nil {
		return nil, err
	}
	engine, err := EngineSample(namespace, "Simulated-1")
	return slices.Concat(samples, component, engine), err
}

// ClusterSamples returns config/samples/cluster in the same way.
func ClusterSamples(simulatorURL string, keys Keys) ([]*unstructured.Unstructured, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	objects, err := ReadManifests(filepath.Join(root, "config", "samples", "cluster"))
	if err != nil {
		return nil, err
	}
	return objects, simulate(objects, simulatorURL, keys)
}

// simulate puts keys into Secrets and a simulator's address into accounts.
func simulate(objects []*unstructured.Unstructured, url string, keys Keys) error {
	for _, object := range objects {
		var err error
		switch object.GetKind() {
		case "Secret":
			err = unstructured.SetNestedStringMap(object.Object,
				map[string]string{"accessKey": keys.AccessKey, "secretKey": keys.SecretKey}, "stringData")
		case "CloudAccount", "ClusterCloudAccount":
			err = unstructured.SetNestedStringMap(object.Object, map[string]string{
				"iam": url, "servicestage": url, "cse": url, "vpc": url,
			}, "spec", "endpoints")
		}
		if err != nil {
			return fmt.Errorf("sample %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
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
