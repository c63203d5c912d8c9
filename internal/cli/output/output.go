// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package output writes objects as manifests, and results as JSON or YAML.
package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"servicestage.dev/operator/api/v1alpha1"
)

// Format of what is written.
type Format string

// The formats. Not every command has every one.
const (
	Text Format = ""
	YAML Format = "yaml"
	JSON Format = "json"
)

// Parse reads the value of --output; allowed says which formats the command has.
func Parse(value string, allowed ...Format) (Format, error) {
	if f := Format(value); slices.Contains(allowed, f) {
		return f, nil
	}
	names := []string{}
	for _, f := range allowed {
		if f != Text {
			names = append(names, string(f))
		}
	}
	return Text, fmt.Errorf("--output is %q: it must be %s", value, strings.Join(names, " or "))
}

// Write writes a value as JSON or YAML.
func Write(w io.Writer, f Format, value any) error {
	var data []byte
	var err error
	if f == JSON {
		data, err = json.MarshalIndent(value, "", "  ")
		data = append(data, '\n')
	} else {
		data, err = yaml.Marshal(value)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// Clean is an object as a manifest says it: without what the API server adds, and without an account that is the default.
func Clean(obj client.Object) (map[string]any, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	metadata, _ := content["metadata"].(map[string]any)
	for _, field := range []string{"creationTimestamp", "managedFields", "resourceVersion", "uid", "generation"} {
		delete(metadata, field)
	}
	spec, _ := content["spec"].(map[string]any)
	account, _ := spec["accountRef"].(map[string]any)
	if account["kind"] == string(v1alpha1.AccountKindNamespaced) && account["name"] == "default" {
		delete(spec, "accountRef")
	}
	return content, nil
}

// commentWidth is where lines of comments are broken.
const commentWidth = 100

// Manifest is an object as a YAML document, its notes as comments before it.
func Manifest(content map[string]any, notes []string) ([]byte, error) {
	var b bytes.Buffer
	for _, note := range notes {
		for _, line := range wrap(note, commentWidth) {
			b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
		}
	}
	data, err := yaml.Marshal(content)
	if err != nil {
		return nil, err
	}
	b.Write(data)
	return b.Bytes(), nil
}

// wrap breaks a text at spaces. Lines that begin with a space are commands, and stay as they are. What would break out of
// a comment, or a terminal, is left out.
func wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		if strings.HasPrefix(paragraph, " ") {
			lines = append(lines, Printable(paragraph))
			continue
		}
		line := ""
		for _, word := range strings.Fields(Printable(paragraph)) {
			if line != "" && len(line)+1+len(word) > width {
				lines = append(lines, line)
				line = ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		lines = append(lines, line)
	}
	return lines
}

// Printable replaces what moves the cursor, or hides text, by spaces: the cloud's words may hold anything.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r >= 0x7f && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2028 && r <= 0x2029,
			r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
