// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"os"
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

// AllSamples returns config/samples with at least one object of every kind that is in a namespace, in the same way: of
// its folders all but that of components, of which it takes one.
func AllSamples(namespace, simulatorURL string, keys Keys) ([]*unstructured.Unstructured, error) {
	objects, err := Samples(namespace, simulatorURL, keys)
	if err != nil {
		return nil, err
	}
	component, err := ComponentSample(namespace, "container_image.yaml")
	if err != nil {
		return nil, err
	}
	objects = append(objects, component...)
	root, err := Root()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(root, "config", "samples"))
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.IsDir() || entry.Name() == "cluster" || entry.Name() == "components" {
			continue
		}
		more, err := ReadManifests(filepath.Join(root, "config", "samples", entry.Name()))
		if err != nil {
			return nil, err
		}
		for _, object := range more {
			object.SetNamespace(namespace)
		}
		if err := simulate(more, simulatorURL, keys); err != nil {
			return nil, err
		}
		objects = append(objects, more...)
	}
	return objects, nil
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
			if _, keyed, _ := unstructured.NestedString(object.Object, "stringData", "accessKey"); !keyed {
				continue // of something else, such as a password
			}
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
