// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package importing writes what an account holds in the cloud as manifests that adopt it. Before a manifest is written,
// the API server has accepted it in a dry run and the kind's own comparison has found no difference from the cloud: what
// cannot be said so is left out, and named.
package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/account"
	"servicestage.dev/operator/internal/cli/cluster"
	"servicestage.dev/operator/internal/cli/estate"
	"servicestage.dev/operator/internal/cli/exit"
	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/cli/output"
	"servicestage.dev/operator/internal/cli/screen"
	"servicestage.dev/operator/internal/external"
	"servicestage.dev/operator/internal/plan"
)

// Options of an import.
type Options struct {
	// Account is [KIND/]NAME of the account whose estate is read.
	Account string
	// Resources to import, for example environments; all where empty.
	Resources []string
	// Manage has the objects manage the resources, instead of observing them.
	Manage bool
	// CreateSecrets creates the Secrets that the objects take values from.
	CreateSecrets bool
	// Dir to write one file per object to; the standard output where empty.
	Dir string
	// Overwrite replaces files that are there.
	Overwrite bool
	Format    output.Format
}

// Account reads [KIND/]NAME.
func Account(text string) (v1alpha1.AccountReference, error) {
	kind, name, found := strings.Cut(text, "/")
	if !found {
		kind, name = string(v1alpha1.AccountKindNamespaced), text
	}
	for _, known := range []v1alpha1.AccountKind{v1alpha1.AccountKindNamespaced, v1alpha1.AccountKindCluster} {
		if strings.EqualFold(kind, string(known)) && name != "" {
			return v1alpha1.AccountReference{Kind: known, Name: name}, nil
		}
	}
	return v1alpha1.AccountReference{}, fmt.Errorf("--account is %q: it must be the name of a CloudAccount, or ClusterCloudAccount/ and the name of one", text)
}

// selected are the kinds that the options name.
func (o Options) selected() ([]kinds.Kind, error) {
	for _, name := range o.Resources {
		if !slices.Contains(kinds.Resources(), name) {
			return nil, fmt.Errorf("--resources names %q: it must be some of %s", name, strings.Join(kinds.Resources(), ", "))
		}
	}
	return slices.DeleteFunc(kinds.All(), func(k kinds.Kind) bool {
		return len(o.Resources) > 0 && !slices.Contains(o.Resources, k.Resource)
	}), nil
}

// importer is one import.
type importer struct {
	options  Options
	cluster  *cluster.Cluster
	overlay  *cluster.Overlay
	accounts *account.Resolver
	estate   *estate.Estate
	screen   *screen.Screen
	errOut   io.Writer
	items    []*estate.Item
	// unchecked is set where the API server may not be asked to check objects.
	unchecked bool
}

// Run imports. Manifests go to the standard output or to files, everything else to the error output.
func Run(ctx context.Context, c *cluster.Cluster, o Options, streams genericiooptions.IOStreams) error {
	i := &importer{options: o, cluster: c, screen: screen.New(streams.ErrOut), errOut: streams.ErrOut}
	defer i.screen.Clear()
	selected, err := o.selected()
	if err != nil {
		return err
	}
	if err := i.prepare(ctx); err != nil {
		return err
	}
	for _, k := range selected {
		if err := i.read(ctx, k); err != nil {
			return err
		}
	}
	i.screen.Clear()
	if o.CreateSecrets {
		if err := i.createSecrets(ctx); err != nil {
			return err
		}
	}
	written, err := i.write(streams.Out)
	if err != nil {
		return err
	}
	return i.summary(written)
}

// prepare resolves the account and learns what the namespace holds.
func (i *importer) prepare(ctx context.Context) error {
	ref, err := Account(i.options.Account)
	if err != nil {
		return err
	}
	i.overlay = cluster.NewOverlay(i.cluster.Client)
	if i.accounts, err = i.cluster.Accounts(i.overlay); err != nil {
		return err
	}
	session, err := i.accounts.Resolve(ctx, i.cluster.Namespace, ref, external.ForSync)
	if wait := (*external.WaitError)(nil); errors.As(err, &wait) {
		return fmt.Errorf("the account cannot be used: %s", strings.TrimPrefix(wait.Message, "spec.accountRef: "))
	}
	if err != nil {
		return err
	}
	i.estate = &estate.Estate{
		Session: session, Account: ref, Namespace: i.cluster.Namespace, Manage: i.options.Manage,
		Progress: func(what string) { i.screen.Progress("Reading " + what) },
	}
	for _, k := range kinds.All() {
		present, err := k.List(ctx, i.cluster.Client, i.cluster.Namespace)
		if err != nil {
			return err
		}
		for _, obj := range present {
			i.estate.Reserve(k.Name, obj.GetName())
			if obj.CommonSpec().AccountRef == ref {
				i.estate.Register(k.Name, adopted(obj.CommonSpec(), obj.CommonStatus()), obj.GetName())
			}
		}
	}
	return nil
}

// adopted is the id of the cloud resource that an object stands for, or will.
func adopted(spec *v1alpha1.ResourceSpec, status *v1alpha1.ResourceStatus) string {
	if status.ID == "" && spec.Import != nil {
		return spec.Import.ID
	}
	return status.ID
}

// read imports the resources of one kind.
func (i *importer) read(ctx context.Context, k kinds.Kind) error {
	planned := k.Plan(i.accounts, i.overlay)
	for item, err := range k.Import(ctx, i.estate) {
		if err != nil {
			return err
		}
		item.Object.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(k.Name))
		for _, held := range item.Secrets {
			i.overlay.Put(held)
		}
		refused, err := i.settle(ctx, item, planned)
		if err != nil {
			return fmt.Errorf("%s: %w", item.Title, err)
		}
		if refused != "" {
			i.estate.LeaveOut(item.Title, refused)
			continue
		}
		i.estate.Register(k.Name, item.ID, item.Object.GetName())
		i.items = append(i.items, item)
	}
	return nil
}

// settle drops from an item what the API server refuses and what would change the cloud, until neither is left. It
// returns why the item cannot be written, where that is so.
func (i *importer) settle(ctx context.Context, item *estate.Item, planned plan.Func) (refused string, err error) {
	for {
		accepted, refusal, err := i.dryRun(ctx, item.Object)
		if err != nil {
			return "", err
		}
		if refusal == nil {
			result, reason, err := compare(ctx, accepted, planned)
			if err != nil || reason != "" {
				return reason, err
			}
			if len(result.Paths) == 0 {
				// What refers to it from now on finds it as if it were applied and adopted.
				i.overlay.Put(result.After)
				return "", nil
			}
			refusal = &fields{paths: result.Paths, why: "what the cloud holds of it cannot be said in a spec"}
		}
		dropped, err := drop(item, refusal)
		if err != nil {
			return "", err
		}
		if !dropped {
			return refusal.String(), nil
		}
	}
}

// createSecrets creates the Secrets that the imported objects take values from. One that is there is left as it is.
func (i *importer) createSecrets(ctx context.Context) error {
	for _, item := range i.items {
		for _, held := range item.Secrets {
			err := i.cluster.Client.Create(ctx, held, client.FieldOwner(fieldOwner))
			switch {
			case apierrors.IsAlreadyExists(err):
				fmt.Fprintf(i.errOut, "Secret %s is there already and left as it is\n", held.Name)
			case err != nil:
				return fmt.Errorf("create Secret %s: %w", held.Name, err)
			default:
				fmt.Fprintf(i.errOut, "Created Secret %s with %d values\n", held.Name, len(held.Data))
			}
		}
	}
	return nil
}

// summary says what was written, what a reader must know, and what was left out.
func (i *importer) summary(written string) error {
	if i.unchecked {
		fmt.Fprintln(i.errOut, "Warning: you may not apply these objects, not even in a dry run, so that the API server has not checked them")
	}
	for _, item := range i.items {
		for _, note := range item.Notes {
			fmt.Fprintf(i.errOut, "Note: %s: %s\n", kinds.Title(item.Object), output.Printable(note))
		}
	}
	for _, present := range i.estate.Present {
		fmt.Fprintf(i.errOut, "Already there: %s\n", output.Printable(present))
	}
	for _, gap := range i.estate.Gaps {
		fmt.Fprintf(i.errOut, "Left out: %s: %s\n", output.Printable(gap.What), output.Printable(gap.Why))
	}
	fmt.Fprintln(i.errOut, written)
	if len(i.estate.Gaps) > 0 {
		return &exit.Error{Code: exit.Partial, Message: fmt.Sprintf("the import is partial: %d left out", len(i.estate.Gaps))}
	}
	return nil
}
