// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package planning shows what the operator would change in the cloud for objects of the cluster, or of files.
package planning

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/resource"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cli/cluster"
	"servicestage.dev/operator/internal/cli/exit"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cli/screen"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/plan"
	"servicestage.dev/operator/internal/reconciler"
)

// Options of a plan.
type Options struct {
	// Getter knows kubeconfig, for resolving Args.
	Getter genericclioptions.RESTClientGetter
	// Args name objects of the cluster, as kubectl get takes them; all of the namespace where they and Files are empty.
	Args []string
	// Selector of labels, for Args.
	Selector string
	// Files to plan in place of objects of the cluster.
	Files  resource.FilenameOptions
	Format output.Format
}

// Validate says what is wrong with the options.
func (o Options) Validate(args []string) error {
	switch {
	case o.files() && len(args) > 0:
		return errors.New("name either objects or files, not both")
	case o.files() && o.Selector != "":
		return errors.New("--selector goes with objects of the cluster, not with files")
	default:
		return nil
	}
}

func (o Options) files() bool { return len(o.Files.Filenames) > 0 || o.Files.Kustomize != "" }

// Entry is what would be done for one object.
type Entry struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Action is one of those of package plan, or Unknown where Error says why it cannot be told.
	Action string `json:"action"`
	// ID of the cloud resource, where there is one.
	ID string `json:"id,omitempty"`
	// Changes by field. With Held they would be made, were it not for what Held says; with Blocked they are in the way.
	Changes []Change `json:"changes,omitempty"`
	// Marks says that the claim, a label by which the operator recognises the resource, would be written.
	Marks   bool   `json:"marks,omitempty"`
	Held    string `json:"held,omitempty"`
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}

// unknown is the action where nothing can be told.
const unknown = "Unknown"

// Change is one field that differs.
type Change struct {
	Path string `json:"path"`
	// From is what the cloud holds and To what the spec says, as a person reads them; secrets are masked. Either is empty
	// where it is not known or not there.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Plan is the result for all objects.
type Plan struct {
	Objects []Entry `json:"objects"`
	// Summary counts the objects by their action.
	Summary map[string]int `json:"summary"`
}

// subject is an object to plan, or why it cannot be planned.
type subject struct {
	kind kinds.Kind
	// name is there also where obj is not.
	namespace, name string
	obj             reconciler.Object
	err             error
}

// Run plans.
func Run(ctx context.Context, c *cluster.Cluster, o Options, streams genericiooptions.IOStreams) error {
	overlay := cluster.NewOverlay(c.Client)
	accounts, err := c.Accounts(overlay)
	if err != nil {
		return err
	}
	progress := screen.New(streams.ErrOut)
	defer progress.Clear()
	var subjects []subject
	if o.files() {
		subjects, err = fromFiles(ctx, c, overlay, o)
	} else {
		subjects, err = fromCluster(c, o)
	}
	if err != nil {
		return err
	}
	order(subjects)
	p := Plan{Objects: []Entry{}, Summary: map[string]int{}}
	ids, err := environmentIDs(ctx, c)
	if err != nil {
		return err
	}
	for i, s := range subjects {
		progress.Progress(fmt.Sprintf("Planning %d of %d: %s %s", i+1, len(subjects), s.kind.Name, s.name))
		entry := Entry{Kind: s.kind.Name, Namespace: s.namespace, Name: s.name}
		var result plan.Result
		if err = s.err; err == nil {
			result, err = s.kind.Plan(accounts, overlay)(ctx, s.obj)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			entry.Action, entry.Error = unknown, message(err)
		} else {
			entry.fill(s.obj, result, ids)
		}
		if result.After != nil {
			overlay.Put(result.After)
			ids.learn(result.After)
		}
		p.Objects = append(p.Objects, entry)
		p.Summary[entry.Action]++
	}
	progress.Clear()
	return p.finish(streams.Out, o.Format)
}

// finish writes the plan and returns the error that stands for the exit code.
func (p Plan) finish(out io.Writer, format output.Format) error {
	var err error
	if format == output.Text {
		_, err = io.WriteString(out, p.text())
	} else {
		err = output.Write(out, format, p)
	}
	if err != nil {
		return err
	}
	switch {
	case p.Summary[unknown] > 0:
		return &exit.Error{Code: exit.Failed, Message: "for some objects it cannot be told what would change"}
	case p.Summary[string(plan.Blocked)] > 0:
		return &exit.Error{Code: exit.Failed, Message: "some objects are blocked until someone acts"}
	case slices.ContainsFunc(p.Objects, func(e Entry) bool { return plan.Action(e.Action).Changes() }):
		return &exit.Error{Code: exit.Changes}
	default:
		return nil
	}
}

// message says what an error means to users.
func message(err error) string {
	var wait *external.WaitError
	if errors.As(err, &wait) {
		return wait.Message
	}
	return clouderr.UserMessage(err)
}

// order sorts objects so that what others refer to goes first, and by name.
func order(subjects []subject) {
	all := kinds.All()
	rank := func(s subject) int {
		return slices.IndexFunc(all, func(k kinds.Kind) bool { return k.Name == s.kind.Name })
	}
	slices.SortStableFunc(subjects, func(a, b subject) int {
		if ra, rb := rank(a), rank(b); ra != rb {
			return ra - rb
		}
		return slices.Compare([]string{a.namespace, a.name}, []string{b.namespace, b.name})
	})
}

// fill turns a result into an entry.
func (e *Entry) fill(obj reconciler.Object, r plan.Result, ids idsByName) {
	e.Action, e.ID, e.Marks, e.Held, e.Message = string(r.Action), r.ID, r.Marks, r.Held, r.Message
	for _, path := range r.Paths {
		e.Changes = append(e.Changes, change(path, obj, r.Cloud, ids[obj.GetNamespace()]))
	}
}

// idsByName are the ids of environments by namespace and name: paths name environments by their objects.
type idsByName map[string]map[string]string

func (i idsByName) learn(obj reconciler.Object) {
	if _, ok := obj.(*v1alpha1.Environment); !ok {
		return
	}
	if i[obj.GetNamespace()] == nil {
		i[obj.GetNamespace()] = map[string]string{}
	}
	i[obj.GetNamespace()][obj.GetName()] = obj.CommonStatus().ID
}

func environmentIDs(ctx context.Context, c *cluster.Cluster) (idsByName, error) {
	k, err := kinds.Of(&v1alpha1.Environment{})
	if err != nil {
		return nil, err
	}
	list, err := k.List(ctx, c.Client, c.Namespace)
	ids := idsByName{}
	for _, obj := range list {
		ids.learn(obj)
	}
	return ids, err
}
