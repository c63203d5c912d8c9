// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Statuses of a runtime stack: those of table 5-246, and the one that newer references add.
const (
	StackSupported  = "Supported"
	StackDeprecated = "Deprecated"
	StackDisable    = "Disable"
)

// RuntimeStack is one item of API reference 5.4.1.
type RuntimeStack struct {
	Name string `json:"name"`
	// DeployMode is container or virtualmachine.
	DeployMode string `json:"deploy_mode"`
	Version    string `json:"version"`
	// Type is Java, Tomcat, Nodejs, Php, Docker or Python.
	Type   string `json:"type"`
	Status string `json:"status"`
}

// DefaultRuntimeStacks returns the stacks that a simulator has until SetRuntimeStacks. The names and versions are
// made up after the reference's examples.
func DefaultRuntimeStacks() []RuntimeStack {
	return []RuntimeStack{
		{"OpenJDK8", "container", "1.2.0", "Java", StackSupported},
		{"OpenJDK8", "container", "1.1.4", "Java", StackDeprecated},
		{"OpenJDK11", "container", "1.1.0", "Java", StackSupported},
		{"OpenJDK17", "container", "1.0.0", "Java", StackSupported},
		{"OpenJDK7", "container", "1.0.1", "Java", StackDisable},
		{"Tomcat8", "container", "1.1.0", "Tomcat", StackSupported},
		{"Tomcat9", "container", "1.1.0", "Tomcat", StackSupported},
		{"Nodejs8", "container", "1.1.0", "Nodejs", StackDeprecated},
		{"Nodejs14", "container", "1.0.0", "Nodejs", StackSupported},
		{"Php7", "container", "1.1.0", "Php", StackSupported},
		{"Python3", "container", "1.1.0", "Python", StackSupported},
		{"Docker", "container", "1.0", "Docker", StackSupported},
		{"OpenJDK8", "virtualmachine", "1.2.0", "Java", StackSupported},
		{"OpenJDK8", "virtualmachine", "1.1.1", "Java", StackSupported},
		{"OpenJDK7", "virtualmachine", "1.0.0", "Java", StackDeprecated},
		{"Tomcat8", "virtualmachine", "1.2.0", "Tomcat", StackSupported},
		{"Nodejs8", "virtualmachine", "1.1.0", "Nodejs", StackDisable},
		{"Nodejs14", "virtualmachine", "1.0.0", "Nodejs", StackSupported},
	}
}

// fits compares with the runtime_stack of a component; what that leaves out fits.
func (r RuntimeStack) fits(wanted map[string]any) bool {
	version := textOf(wanted["version"])
	return r.Name == wanted["name"] && r.DeployMode == wanted["deploy_mode"] && r.Type == wanted["type"] && (version == "" || version == r.Version)
}

func (r RuntimeStack) validate() error {
	for _, f := range []struct{ name, value string }{{"name", r.Name}, {"deploy_mode", r.DeployMode}, {"version", r.Version}, {"type", r.Type}} {
		if f.value == "" {
			return fmt.Errorf("%s: must be set", f.name)
		}
	}
	if !slices.Contains([]string{StackSupported, StackDeprecated, StackDisable}, r.Status) {
		return fmt.Errorf("status: unknown value %q, use Supported, Deprecated or Disable", r.Status)
	}
	return nil
}

// runtimeStacks is the list of stacks, the same for every project.
type runtimeStacks struct {
	mu     sync.Mutex
	stacks []RuntimeStack
}

func newRuntimeStacks() *runtimeStacks { return &runtimeStacks{stacks: DefaultRuntimeStacks()} }

// set replaces the stacks; nil brings the defaults back.
func (r *runtimeStacks) set(list []RuntimeStack) error {
	for i, stack := range list {
		if err := stack.validate(); err != nil {
			return fmt.Errorf("runtimestacks[%d].%w", i, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stacks = slices.Clone(list)
	if list == nil {
		r.stacks = DefaultRuntimeStacks()
	}
	return nil
}

func (r *runtimeStacks) list() []RuntimeStack {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.stacks)
}

// listRuntimeStacks is 5.4.1; it neither pages nor filters.
func (s *serviceStage) listRuntimeStacks(*call) (reply, error) {
	stacks := s.stacks.list()
	if stacks == nil {
		stacks = []RuntimeStack{}
	}
	return reply{status: http.StatusOK, body: map[string]any{"runtimestacks": stacks}}, nil
}
