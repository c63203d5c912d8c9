// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudsim"
	"servicestage.dev/operator/test/rig"
)

// dbPassword must not appear in anything that the plugin writes.
const dbPassword = "canary-db-password"

// invoked is what came of a run of the plugin.
type invoked struct {
	Out, Err string
	Code     int
}

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--kubeconfig="+plane.Kubeconfig, "--namespace="+w.namespace, "--cache-dir="+filepath.Join(w.dir, "discovery"))
	switch args[0] {
	case "import", "plan":
		args = append(args, "--allow-endpoint-host="+w.sim.URL+",127.0.0.1")
	}
	return exec.CommandContext(ctx, filepath.Join(bin, "kubectl-servicestage"), args...)
}

// plugin runs the built plugin to its end.
func (w *world) plugin(ctx context.Context, args ...string) invoked {
	GinkgoHelper()
	cmd := w.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil {
		Expect(errors.As(err, &exit)).To(BeTrue(), "%v", err)
	}
	AddReportEntry("kubectl servicestage "+args[0], out.String()+errOut.String(), ReportEntryVisibilityFailureOrVerbose)
	for _, text := range []string{out.String(), errOut.String()} {
		Expect(text).NotTo(ContainSubstring(dbPassword), "a secret value is shown")
		Expect(text).NotTo(ContainSubstring(keys.SecretKey), "the account's secret key is shown")
	}
	return invoked{Out: out.String(), Err: errOut.String(), Code: cmd.ProcessState.ExitCode()}
}

// applyFolder applies what the plugin wrote, as a user does.
func applyFolder(ctx context.Context, dir string) {
	GinkgoHelper()
	objects, err := rig.ReadManifests(dir)
	Expect(err).NotTo(HaveOccurred())
	Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())
}

// builtByHand puts into the cloud what people made there before there was an operator.
func (w *world) builtByHand(ctx context.Context) {
	GinkgoHelper()
	put := func(collection, id string, record rig.Record) {
		Expect(w.sim.Put(ctx, collection, id, record)).To(Succeed())
	}
	put("cse/engines", "engine-1", rig.Record{
		"name": "Shop-Engine", "status": "Available", "flavor": "cse.s1.small2", "spec_type": "CSE2", "auth_type": "NONE", "version": "1.3.1",
		"vpc": "vpc", "vpc_id": "vpc-1", "network_id": "subnet-1", "subnet_cidr": "192.168.0.0/24", "az_list": []string{"az1"}, "payment": "1",
	})
	kieItem := func(id, key, value string, labels rig.Record) {
		put("cse/items", "engine-1:"+id, rig.Record{"engine_id": "engine-1", "key": key, "value": value, "value_type": "text", "status": "enabled", "labels": labels})
	}
	kieItem("i1", "log.level", "info", rig.Record{"app": "shop"})
	kieItem("i2", "db.password", dbPassword, rig.Record{"app": "shop"})
	kieItem("i3", "currency", "EUR", rig.Record{})
	put(environments, "env-1", rig.Record{
		"name": "Live", "vpc_id": "vpc-1", "deploy_mode": "container", "description": "by hand",
		"labels":    []rig.Record{{"key": "team", "value": "shop"}},
		"resources": []rig.Record{{"type": "cce", "id": "cluster-1", "name": "cluster"}, {"type": "vpc", "id": "vpc-1"}, {"type": "cse", "id": "engine-1"}},
	})
	put(environments, "env-2", rig.Record{"name": "live_B", "vpc_id": "vpc-2", "deploy_mode": "mixed", "description": strings.Repeat("long ", 40)})
	put(applications, "app-1", rig.Record{"name": "shop", "description": "The web shop"})
	put(configurations, "app-1:env-1", rig.Record{"application_id": "app-1", "environment_id": "env-1", "env": []rig.Record{
		{"name": "LOG_LEVEL", "value": "info"}, {"name": "DB_PASSWORD", "value": dbPassword},
	}})
	image := rig.Record{"kind": "image", "url": "swr.example.com/shop/web:1.0.0", "storage": "swr"}
	stack := rig.Record{"name": "Docker", "type": "Docker", "version": "1.0", "deploy_mode": "container"}
	references := []rig.Record{{"type": "cce", "id": "cluster-1", "parameters": rig.Record{"namespace": "default"}}}
	put(components, "comp-1", rig.Record{
		"name": "web", "application_id": "app-1", "environment_id": "env-1", "version": "1.0.0", "replica": 2, "source": image,
		"runtime_stack": stack, "refer_resources": references, "limit_cpu": 0.25, "limit_memory": 0.5,
		"envs":           []rig.Record{{"name": "MODE", "value": "live"}},
		"mesher":         rig.Record{"port": "13092"}, // a text, where a spec has a number
		"liveness_probe": rig.Record{"type": "tcp", "port": 8080, "delay": 5, "timeout": 2},
	})
	put(components, "comp-2", rig.Record{
		"name": "worker", "application_id": "app-1", "environment_id": "env-1", "version": "2.0.0", "replica": 1, "source": image,
		"runtime_stack": stack, "refer_resources": references, "status": rig.Record{"component_status": "STOPPED"},
		"envs": []rig.Record{{"name": "DB_PASSWORD", "value": dbPassword}, {"name": "MODE", "value": "live"}},
	})
}

// accountIsReady applies the account and waits until the cloud has accepted it.
func (w *world) accountIsReady(ctx context.Context) {
	GinkgoHelper()
	w.applyAccount(ctx, keys)
	Eventually(accountReady(ctx, w.namespace)).WithContext(ctx).Should(BeTrue())
}

var _ = Describe("kubectl servicestage import", func() {
	It("writes manifests that change nothing in the cloud when they are applied", func(ctx context.Context) {
		w := newWorld(ctx)
		w.accountIsReady(ctx)
		w.builtByHand(ctx)
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		dir := filepath.Join(w.dir, "estate")

		By("Importing")
		result := w.plugin(ctx, "import", "--dir="+dir, "--create-secrets")
		Expect(result.Code).To(BeZero(), result.Err)
		Expect(result.Err).To(And(ContainSubstring("Wrote 8 objects"), ContainSubstring("DB_PASSWORD of environment live may be secret"),
			ContainSubstring("environment/live-b: spec.description is left out and stays as it is in the cloud: the API server refuses it"),
			ContainSubstring("component/web: spec.mesher is left out and stays as it is in the cloud: what the cloud holds of it cannot be said in a spec"),
			ContainSubstring("component/worker: spec.env is left out and stays as it is in the cloud: DB_PASSWORD may be secret")))
		entries, err := os.ReadDir(dir)
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			Expect(err).NotTo(HaveOccurred())
			Expect(string(data)).NotTo(ContainSubstring(dbPassword))
		}
		Expect(names).To(Equal([]string{
			"application-shop.yaml", "component-web.yaml", "component-worker.yaml", "environment-live-b.yaml", "environment-live.yaml",
			"kieconfig-shop-engine-shop.yaml", "kieconfig-shop-engine.yaml", "microserviceengine-shop-engine.yaml",
		}))

		By("Planning the files: nothing would change")
		planned := w.plugin(ctx, "plan", "--filename="+dir)
		Expect(planned.Code).To(BeZero(), planned.Out+planned.Err)
		Expect(planned.Out).To(ContainSubstring("Plan: 8 unchanged."))

		By("Applying them")
		applyFolder(ctx, dir)
		engine := &v1alpha1.MicroserviceEngine{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-engine"}}
		items := &v1alpha1.KieConfig{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-engine-shop"}}
		live, other, shop, web, worker := w.environment("live"), w.environment("live-b"), w.application("shop"), w.component("web"), w.component("worker")
		w.eventuallyReady(ctx, engine, items, live, other, shop, web, worker)
		for _, obj := range []resource{engine, items, live, other, shop, web, worker} {
			Expect(obj.CommonStatus().Drift).To(BeEmpty(), obj.GetName())
		}
		Expect(items.Status.Summary).To(Equal("2/2"))
		Expect(live.Spec.Name).To(Equal("Live"))
		Expect(live.Spec.Resources).To(ContainElement(HaveField("EngineRef", HaveField("Name", "shop-engine"))))
		Expect(other.Spec.Name).To(Equal("live_B"))
		Expect(web.Spec.ApplicationRef.Name).To(Equal("shop"))
		Expect(web.Spec.EnvironmentRef.Name).To(Equal("live"))
		Expect(worker.Spec.State).To(Equal(v1alpha1.ComponentStopped))
		Expect(w.writes(ctx)).To(BeEmpty())

		By("Importing again: everything is there already")
		again := w.plugin(ctx, "import")
		Expect(again.Code).To(BeZero())
		Expect(again.Out).To(BeEmpty())
		Expect(again.Err).To(And(ContainSubstring(`Already there: Component "web" (id comp-1) is Component/web`), ContainSubstring("items of MicroserviceEngine shop-engine: 2 of them are in KieConfig/shop-engine-shop"),
			ContainSubstring("Wrote 0 objects")))

		By("Refusing to overwrite files")
		Expect(k8s.Delete(ctx, worker)).To(Succeed())
		w.eventuallyGone(ctx, worker)
		refused := w.plugin(ctx, "import", "--dir="+dir)
		Expect(refused.Code).To(Equal(1))
		Expect(refused.Err).To(ContainSubstring("component-worker.yaml is there already"))
	}, SpecTimeout(2*time.Minute))

	It("has manifests manage with --manage, which writes the claim and nothing else", func(ctx context.Context) {
		w := newWorld(ctx)
		w.accountIsReady(ctx)
		w.builtByHand(ctx)
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		dir := filepath.Join(w.dir, "estate")

		Expect(w.plugin(ctx, "import", "--dir="+dir, "--create-secrets", "--manage", "--resources=environments,applications").Code).To(BeZero())
		planned := w.plugin(ctx, "plan", "--filename="+dir)
		Expect(planned.Code).To(Equal(2), planned.Out+planned.Err)
		Expect(planned.Out).To(And(ContainSubstring("environment/live: would be adopted (id env-1)\n    + the claim"), ContainSubstring("Plan: 3 to adopt.")))
		Expect(w.writes(ctx)).To(BeEmpty())

		applyFolder(ctx, dir)
		w.eventuallyReady(ctx, w.environment("live"), w.environment("live-b"), w.application("shop"))
		Expect(w.writes(ctx)).To(ConsistOf("PUT environments/{id}", "PUT environments/{id}", "PUT applications/{id}"))
		record := w.inCloud(ctx, environments, "Live")
		Expect(record).To(HaveKeyWithValue("labels", ConsistOf(
			HaveKeyWithValue("key", "team"), HaveKeyWithValue("key", "servicestage-dev-claim"),
			And(HaveKeyWithValue("key", "servicestage-dev-owner"), HaveKeyWithValue("value", w.namespace+"_live")))))
		Expect(record.Text("description")).To(Equal("by hand"))
		Expect(w.plugin(ctx, "plan").Code).To(BeZero())
	}, SpecTimeout(2*time.Minute))

	It("leaves out what the account may not read, and says so", func(ctx context.Context) {
		w := newWorld(ctx)
		w.accountIsReady(ctx)
		w.builtByHand(ctx)
		forbidden := func(path string) cloudsim.Fault {
			return cloudsim.Fault{
				Match: cloudsim.Match{Method: "GET", Path: "/v3/*/cas/" + path}, Action: cloudsim.FaultStatus, Status: 403,
				Body: json.RawMessage(`{"error_code":"SVCSTG.00100402","error_msg":"no permission"}`),
			}
		}
		Expect(w.sim.Faults(ctx, forbidden("environments"), forbidden("applications/*/components/comp-2"))).To(Succeed())

		result := w.plugin(ctx, "import", "--create-secrets")
		Expect(result.Code).To(Equal(3), result.Err)
		Expect(result.Err).To(And(
			ContainSubstring("Left out: environments: the account may not list them: SVCSTG.00100402: no permission"),
			ContainSubstring(`Left out: Component "worker" (id comp-2): the account may not read it`),
			ContainSubstring("the import is partial: 2 left out")))
		Expect(result.Out).To(And(ContainSubstring("kind: Application"), ContainSubstring("kind: Component"), Not(ContainSubstring("kind: Environment"))))
		Expect(result.Out).To(ContainSubstring("environmentRef:\n      id: env-1"), "what was not imported is referred to by its id")
	}, SpecTimeout(2*time.Minute))

	It("says what is wrong with an account", func(ctx context.Context) {
		w := newWorld(ctx)
		missing := w.plugin(ctx, "import", "--account=none")
		Expect(missing.Code).To(Equal(1))
		Expect(missing.Err).To(ContainSubstring(`the account cannot be used: there is no CloudAccount "none" in namespace ` + w.namespace))
		Expect(w.plugin(ctx, "import", "--account=Nothing/x").Err).To(ContainSubstring("ClusterCloudAccount/ and the name of one"))
		Expect(w.plugin(ctx, "import", "--resources=things").Err).To(ContainSubstring(`--resources names "things": it must be some of microserviceengines, environments, applications, components, kieconfigs`))
	}, SpecTimeout(time.Minute))
})

var _ = Describe("kubectl servicestage plan", func() {
	It("tells by field what would change, and changes nothing", func(ctx context.Context) {
		w := newWorld(ctx, "--resync-interval=1h")
		w.accountIsReady(ctx)
		dev, shop := w.environment("dev"), w.application("shop", v1alpha1.ApplicationConfiguration{
			EnvironmentRef: v1alpha1.Reference{Name: "dev"},
			Env:            []v1alpha1.EnvVar{{Name: "LOG_LEVEL", Value: ptr.To("info")}, {Name: "DB_PASSWORD", Value: ptr.To(dbPassword)}},
		})
		dev.Spec.Description = ptr.To("as it should be")
		Expect(k8s.Create(ctx, dev)).To(Succeed())
		Expect(k8s.Create(ctx, shop)).To(Succeed())
		w.eventuallyReady(ctx, dev, shop)

		By("Finding nothing to change")
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		nothing := w.plugin(ctx, "plan")
		Expect(nothing.Code).To(BeZero(), nothing.Out+nothing.Err)
		Expect(nothing.Out).To(Equal("environment/dev: nothing would change\napplication/shop: nothing would change\n\nPlan: 2 unchanged.\n"))

		By("Changing the cloud behind the operator's back")
		Expect(w.sim.Patch(ctx, environments, dev.Status.ID, rig.Record{"description": "meddled"})).To(Succeed())
		Expect(w.sim.Patch(ctx, configurations, shop.Status.ID+":"+dev.Status.ID, rig.Record{"env": []rig.Record{
			{"name": "LOG_LEVEL", "value": "debug"}, {"name": "DB_PASSWORD", "value": dbPassword + "2"}, {"name": "EXTRA", "value": "1"},
		}})).To(Succeed())
		drifted := w.plugin(ctx, "plan")
		Expect(drifted.Code).To(Equal(2), drifted.Err)
		Expect(drifted.Out).To(Equal(`environment/dev: would be changed
    ~ spec.description: "meddled" -> "as it should be"
application/shop: would be changed
    ~ spec.configurations[dev].env[DB_PASSWORD]: "***" -> "***"
    - spec.configurations[dev].env[EXTRA]: "1"
    ~ spec.configurations[dev].env[LOG_LEVEL]: "debug" -> "info"

Plan: 2 to change.
`))
		var machine struct {
			Objects []struct{ Name, Action string }
		}
		Expect(json.Unmarshal([]byte(w.plugin(ctx, "plan", "environment/dev", "-o", "json").Out), &machine)).To(Succeed())
		Expect(machine.Objects).To(ConsistOf(And(HaveField("Name", "dev"), HaveField("Action", "Update"))))

		By("Planning files")
		file := filepath.Join(w.dir, "wanted.yaml")
		Expect(os.WriteFile(file, []byte(`
apiVersion: servicestage.dev/v1alpha1
kind: Application
metadata: {name: new}
spec: {configurations: [{environmentRef: {name: fresh}, env: []}]}
---
apiVersion: servicestage.dev/v1alpha1
kind: Environment
metadata: {name: fresh}
spec: {vpcID: vpc-1}
---
apiVersion: servicestage.dev/v1alpha1
kind: Environment
metadata: {name: dev}
spec: {vpcID: vpc-1, description: edited}
`), 0o600)).To(Succeed())
		files := w.plugin(ctx, "plan", "--filename="+file)
		Expect(files.Code).To(Equal(2), files.Err)
		Expect(files.Out).To(And(ContainSubstring("environment/fresh: would be created"),
			ContainSubstring(`~ spec.description: "meddled" -> "edited"`),
			ContainSubstring(`application/new: would be created: once this is there: spec.configurations[0].environmentRef: Environment "fresh" has no id`)))

		By("Planning what cannot be told: the rest is planned all the same")
		broken := w.environment("broken")
		broken.Spec.AccountRef = v1alpha1.AccountReference{Kind: v1alpha1.AccountKindNamespaced, Name: "none"}
		Expect(k8s.Create(ctx, broken)).To(Succeed())
		unknown := w.plugin(ctx, "plan")
		Expect(unknown.Code).To(Equal(1))
		Expect(unknown.Out).To(And(ContainSubstring(`environment/broken: cannot tell: spec.accountRef: there is no CloudAccount "none"`),
			ContainSubstring(`~ spec.description: "meddled"`), ContainSubstring("2 to change, 1 unknown")))

		Expect(w.writes(ctx)).To(BeEmpty())
	}, SpecTimeout(2*time.Minute))

	It("tells the items of a set", func(ctx context.Context) {
		w := newWorld(ctx)
		w.accountIsReady(ctx)
		w.builtByHand(ctx)
		dir, file := filepath.Join(w.dir, "estate"), filepath.Join(w.dir, "items.yaml")
		Expect(w.plugin(ctx, "import", "--dir="+dir, "--resources=microserviceengines").Code).To(BeZero())
		applyFolder(ctx, dir)
		engine := &v1alpha1.MicroserviceEngine{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-engine"}}
		w.eventuallyReady(ctx, engine)
		Expect(w.sim.ResetCalls(ctx)).To(Succeed())
		Expect(os.WriteFile(file, []byte(`
apiVersion: servicestage.dev/v1alpha1
kind: KieConfig
metadata: {name: own}
spec:
  engineRef: {name: shop-engine}
  access: Gateway
  conflictPolicy: Overwrite
  labels: {app: shop}
  items: [{key: log.level, value: debug}, {key: api.token, value: `+dbPassword+`}, {key: currency, value: EUR}]
`), 0o600)).To(Succeed())
		result := w.plugin(ctx, "plan", "--filename="+file)
		Expect(result.Code).To(Equal(2), result.Out+result.Err)
		Expect(result.Out).To(Equal(`kieconfig/own: would be created
    ~ spec.items[api.token]: -> "***"
    ~ spec.items[currency]: -> "EUR"
    ~ spec.items[log.level]: -> "debug"

Plan: 1 to create.
`))
		Expect(w.writes(ctx)).To(BeEmpty())
	}, SpecTimeout(time.Minute))

	It("refuses what the schema refuses", func(ctx context.Context) {
		w := newWorld(ctx)
		w.accountIsReady(ctx)
		file := filepath.Join(w.dir, "wrong.yaml")
		Expect(os.WriteFile(file, []byte("apiVersion: servicestage.dev/v1alpha1\nkind: Environment\nmetadata: {name: dev}\nspec: {vpcID: v, deploymode: container}\n"), 0o600)).To(Succeed())
		result := w.plugin(ctx, "plan", "-f", file)
		Expect(result.Code).To(Equal(1))
		Expect(result.Out).To(ContainSubstring(`environment/dev: cannot tell: Environment in version "v1alpha1" cannot be handled as a Environment: strict decoding error: unknown field "spec.deploymode"`))
		Expect(w.plugin(ctx, "plan", "environment/dev", "-f", file).Err).To(ContainSubstring("name either objects or files, not both"))
	}, SpecTimeout(time.Minute))
})

var _ = Describe("kubectl servicestage wait", func() {
	It("shows how far the cloud is, and ends when everything is Ready", func(ctx context.Context) {
		w := newWorld(ctx)
		w.applySamples(ctx)
		result := w.plugin(ctx, "wait", "--timeout=1m")
		Expect(result.Code).To(BeZero(), result.Out+result.Err)
		Expect(result.Out).To(And(MatchRegexp(`(?m)^environment/dev +Ready +container, vpc`), MatchRegexp(`(?m)^application/shop +Ready`)))

		By("Following a deployment that stands still for a while")
		Expect(w.sim.Outcomes(ctx, cloudsim.Outcome{Component: "checkout", Job: "create", Task: "DEPLOY_BATCH_2_OF_3", Result: cloudsim.OutcomeHeld})).To(Succeed())
		objects, err := rig.ComponentSample(w.namespace, "gray_release.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(rig.Apply(ctx, k8s, objects...)).To(Succeed())
		out := gbytes.NewBuffer()
		cmd := w.command(ctx, "wait", "component/checkout")
		cmd.Stdout, cmd.Stderr = out, out
		Expect(cmd.Start()).To(Succeed())
		Eventually(out).WithContext(ctx).Should(gbytes.Say(`component/checkout +Waiting +Creating: \d of \d tasks, now DEPLOY_BATCH_2_OF_3, Deploying`))
		Expect(w.sim.Outcomes(ctx)).To(Succeed())
		Expect(cmd.Wait()).To(Succeed())
		Expect(out).To(gbytes.Say(`component/checkout +Ready +Running, 1.0.0, 5/5 replicas`))

		By("Showing them as they belong together")
		shown := w.plugin(ctx, "tree")
		Expect(shown.Code).To(BeZero())
		Expect(shown.Out).To(MatchRegexp(`└─ application/shop +True +Available +True .*\n +└─ component/checkout +True +Available +True +Running, 1.0.0, 5/5`))
	}, SpecTimeout(2*time.Minute))

	It("ends early where someone must act, late where time is up, and cleanly on Ctrl-C", func(ctx context.Context) {
		w := newWorld(ctx)
		w.accountIsReady(ctx)
		taken, waiting := w.environment("taken"), w.application("waiting", v1alpha1.ApplicationConfiguration{
			EnvironmentRef: v1alpha1.Reference{Name: "later"}, Env: []v1alpha1.EnvVar{},
		})
		Expect(w.sim.Put(ctx, environments, "theirs", rig.Record{"name": "taken", "vpc_id": "vpc-1"})).To(Succeed())
		Expect(k8s.Create(ctx, taken)).To(Succeed())
		Expect(k8s.Create(ctx, waiting)).To(Succeed())

		stalled := w.plugin(ctx, "wait", "--timeout=1m")
		Expect(stalled.Code).To(Equal(4), stalled.Out+stalled.Err)
		Expect(stalled.Out).To(MatchRegexp(`environment/taken +Stalled +AlreadyExists: The cloud already holds the environment "taken"`))
		Expect(stalled.Err).To(ContainSubstring("someone must act: environment/taken"))

		overtime := w.plugin(ctx, "wait", "application/waiting", "--timeout=1s")
		Expect(overtime.Code).To(Equal(5), overtime.Out+overtime.Err)
		Expect(overtime.Err).To(ContainSubstring("not Ready after 1s: application/waiting"))

		out := gbytes.NewBuffer()
		cmd := w.command(ctx, "wait", "application/waiting")
		cmd.Stdout, cmd.Stderr = out, out
		Expect(cmd.Start()).To(Succeed())
		Eventually(out).WithContext(ctx).Should(gbytes.Say(`application/waiting +Waiting`))
		Expect(cmd.Process.Signal(syscall.SIGINT)).To(Succeed())
		Expect(cmd.Wait()).To(HaveOccurred())
		Expect(cmd.ProcessState.ExitCode()).To(Equal(130))
		Expect(out).To(gbytes.Say("interrupted\n"))

		By("Deleting what is waited for")
		out = gbytes.NewBuffer()
		cmd = w.command(ctx, "wait", "application/waiting")
		cmd.Stdout, cmd.Stderr = out, out
		Expect(cmd.Start()).To(Succeed())
		Eventually(out).WithContext(ctx).Should(gbytes.Say(`application/waiting +Waiting`))
		Expect(k8s.Delete(ctx, waiting)).To(Succeed())
		Expect(cmd.Wait()).To(HaveOccurred())
		Expect(cmd.ProcessState.ExitCode()).To(Equal(1))
		Expect(out).To(gbytes.Say("deleted: application/waiting"))
	}, SpecTimeout(2*time.Minute))
})
