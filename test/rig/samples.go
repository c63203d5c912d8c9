// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
