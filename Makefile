# Everything a contributor runs. `make help` lists the targets. Needs Go, git and a C compiler (for the race detector);
# development tools are pinned in hack/tools and built on first use.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
ARCH ?= $(shell go env GOARCH)
IMG ?= servicestage-operator:$(VERSION)
CONTAINER_TOOL ?= docker
# The time that an image bears: its commit's, so that the same commit makes the same image.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH
CREATED = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%FT%TZ 2>/dev/null || date -u -r $(SOURCE_DATE_EPOCH) +%FT%TZ)
LDFLAGS := -s -w -X main.version=$(VERSION)
# docker takes the time from the environment.
IMAGE_TIME := $(if $(filter docker,$(firstword $(CONTAINER_TOOL))),,--timestamp $(SOURCE_DATE_EPOCH))
TOOL := hack/tools/tool.sh
PROGRESS := hack/progress.sh

# The race detector needs cgo and a C compiler: without one the tests still run. RACE= turns it off.
RACE ?= $(shell [ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null && echo -race)
GOTEST := go test $(RACE) -timeout 20m
TESTFLAGS ?=

##@ General

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make <target>\n"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*##/ {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ See it run

.PHONY: demo
demo: demo-build ## Start a control plane, a simulated cloud and the manager; watch them work; about a minute.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets exec bin/demo --bin=bin

.PHONY: playground
playground: demo-build ## The same, but stays up for the guides, and says how to reach it.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets exec bin/demo --bin=bin --stay

.PHONY: playground-empty
playground-empty: demo-build ## A playground without the operator: a cluster to install it in.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets exec bin/demo --bin=bin --empty

.PHONY: demo-build
demo-build:
	@$(PROGRESS) "build" go build -buildvcs=false -o bin/ ./cmd/manager ./cmd/cloudsim ./cmd/kubectl-servicestage ./hack/demo

##@ Test

.PHONY: test
test: test-unit test-sweep test-envtest test-conformance test-integrations test-e2e test-packaging test-guides test-faults ## Run every test.

.PHONY: test-unit
test-unit: ## Tests that need nothing but Go.
	@pkgs=$$(hack/test-packages.sh unit) && $(PROGRESS) "unit tests" $(GOTEST) $(TESTFLAGS) $$pkgs
	@cd test/bench/plots && go test $(TESTFLAGS) ./...

# One thread, in which the race detector found nothing and takes several times as long.
.PHONY: test-sweep
test-sweep: ## Every field of every kind: set, changed, left out, emptied, drifted.
	@$(PROGRESS) "field sweep" go test -timeout 20m $(TESTFLAGS) ./test/sweep

.PHONY: test-envtest
test-envtest: ## Tests against a real API server: API validation, lifecycles.
	@assets=$$(hack/controlplane/assets.sh) && pkgs=$$(hack/test-packages.sh envtest) && \
	  if [ -z "$$pkgs" ]; then echo "test-envtest: no package" >&2; exit 1; fi && \
	  KUBEBUILDER_ASSETS=$$assets $(PROGRESS) "API server tests" $(GOTEST) $(TESTFLAGS) $$pkgs

.PHONY: test-conformance
test-conformance: ## The signer and the simulator against the cloud vendor's SDK.
	@cd test/conformance && ../../$(PROGRESS) "conformance tests" go test -timeout 20m $(TESTFLAGS) ./...

.PHONY: test-integrations
test-integrations: ## What is offered to Flux, Argo CD, Prometheus and Grafana against those tools themselves.
	@promtool=$$($(TOOL) promtool) && \
	  $(PROGRESS) "promtool check rules" "$$promtool" check rules config/prometheus/rules.yaml && \
	  $(PROGRESS) "promtool test rules" "$$promtool" test rules config/prometheus/rules_test.yaml
	@# Uncached: what these tests read is outside of their module, where go test does not look for changes.
	@cd test/integrations && ../../$(PROGRESS) "integration tests" go test -count=1 -timeout 20m $(TESTFLAGS) ./...

.PHONY: test-e2e
test-e2e: ## The built manager, the built simulator and a real API server as separate processes.
	@assets=$$(hack/controlplane/assets.sh) && \
	  KUBEBUILDER_ASSETS=$$assets $(PROGRESS) "end-to-end tests" go test -timeout 20m -v $(TESTFLAGS) ./test/e2e/... -ginkgo.v -ginkgo.no-color

.PHONY: test-packaging
test-packaging: ## The Helm chart with the real helm on a real API server, and the manager with what the chart gives it.
	@hack/tools/tool.sh helm >/dev/null && assets=$$(hack/controlplane/assets.sh) && \
	  KUBEBUILDER_ASSETS=$$assets $(PROGRESS) "packaging tests" go test -timeout 20m -v $(TESTFLAGS) ./test/packaging/... -ginkgo.v -ginkgo.no-color

.PHONY: test-guides
test-guides: ## Follow the guides word by word on playgrounds, with the real kubectl and helm.
	@$(TOOL) helm >/dev/null && $(TOOL) kubectl >/dev/null && assets=$$(hack/controlplane/assets.sh) && \
	  KUBEBUILDER_ASSETS=$$assets $(PROGRESS) "guides" go test -count=1 -timeout 5m $(TESTFLAGS) ./test/guides

.PHONY: test-cluster
test-cluster: ## The chart in a cluster with nodes: CLUSTER_TOOL=folder, or KUBECONFIG and IMAGE_LOADER="kind load image-archive".
	@$(PROGRESS) "cluster tests" hack/test-cluster.sh

.PHONY: test-image
test-image: ## The image: reproducible, static, alone in it, labelled, for both architectures. Needs buildah.
	@$(PROGRESS) "image tests" hack/test-image.sh

.PHONY: lint
lint: ## Run the linters, and prove that the import rules bite.
	@hack/lint-rules.sh
	@lint=$$($(TOOL) golangci-lint) && $(PROGRESS) "golangci-lint" "$$lint" run ./...
	@lint=$$($(TOOL) golangci-lint) && cd test/conformance && "$$lint" run --config ../../.golangci.yml ./...
	@lint=$$($(TOOL) golangci-lint) && cd test/integrations && "$$lint" run --config ../../.golangci.yml ./...
	@lint=$$($(TOOL) golangci-lint) && cd test/bench/plots && "$$lint" run --config ../../../.golangci.yml ./...

.PHONY: fmt
fmt: ## Format the code.
	@lint=$$($(TOOL) golangci-lint) && "$$lint" fmt ./...

##@ Reliability and supply chain

.PHONY: test-schedules
test-schedules: ## Random fault schedules and an outage, in virtual time.
	@$(PROGRESS) "random schedules" hack/schedules.sh 300 1 -timeout 20m $(TESTFLAGS)

.PHONY: test-faults
test-faults: test-schedules ## The short run of the fault checks: crashes, lost replies, distorted events, random schedules.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets \
	  $(PROGRESS) "fault tests" go test -timeout 20m -parallel 6 -short $(TESTFLAGS) ./test/faults ./test/faults/tripwire

# One seed names the whole run; a failing schedule prints the command that repeats it.
SCHEDULES ?= 10000
SEED ?= 1

.PHONY: faults
faults: ## All of them, with SCHEDULES random schedules from SEED; prints a table. Takes 45 minutes.
	@assets=$$(hack/controlplane/assets.sh) && mkdir -p bin && table=$$PWD/bin/faults.txt && rm -f "$$table" && failed=0 && \
	  export KUBEBUILDER_ASSETS=$$assets FAULTS_TABLE=$$table && \
	  { $(PROGRESS) "fault tests" go test -count=1 -timeout 60m -parallel 6 $(TESTFLAGS) ./test/faults || failed=1; } && \
	  { $(PROGRESS) "schedules from seed $(SEED)" hack/schedules.sh $(SCHEDULES) $(SEED) -v $(TESTFLAGS) || failed=1; } && \
	  cat "$$table" && exit $$failed

# What a target finds is written beside it, into testdata/fuzz, and is a test from then on.
FUZZTIME ?= 30s
FUZZ ?=

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME each, one after the other; FUZZ=name limits them by package or name.
	@hack/fuzz.sh $(FUZZTIME) $(FUZZ)

BENCHFLAGS ?=
BENCHDOCS := cd test/bench/plots && go run -buildvcs=false . ../../../bin/bench.json ../../../docs

# The figures that are committed are compared with, and replaced only where none is worse and nothing failed. An interrupted
# run is gone on with by BENCHFLAGS="-continue bin/bench.json".
.PHONY: bench
bench: ## Measure everything, five runs, up to 10,000 objects, and compare with docs/benchmarks.json; writes docs. Takes two hours.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets go run -buildvcs=false ./test/bench \
	  $(if $(wildcard docs/benchmarks.json),-against docs/benchmarks.json) $(BENCHFLAGS)
	@$(BENCHDOCS)

.PHONY: bench-docs
bench-docs: ## Write docs/benchmarks.md, its pictures and docs/benchmarks.json of bin/bench.json, also where figures are worse.
	@$(BENCHDOCS)

.PHONY: bench-quick
bench-quick: ## A small version in four minutes; fails where a count of calls or writes is not what it has to be.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets go run -buildvcs=false ./test/bench -quick -out bin/bench-quick.json $(BENCHFLAGS)

.PHONY: sbom
sbom: ## Write dist/manager.cdx.json: what is linked into the manager, as CycloneDX.
	@hack/sbom.sh dist/manager.cdx.json

.PHONY: licenses
licenses: sbom ## List the licences of all that is linked into the manager; fail where one is not allowed.
	@cd hack/licenses && go run -buildvcs=false . ../../bin/linked/manager

.PHONY: reproducible
reproducible: ## Build twice in different folders and fail where the binaries differ.
	@$(PROGRESS) "reproducible" hack/reproducible.sh

##@ Generate

.PHONY: generate
generate: ## Generate deepcopy, apply configurations, CRDs and their reference, RBAC roles, kustomizations, what Argo CD and the chart need.
	@gen=$$($(TOOL) controller-gen) && \
	  rm -rf config/crd/bases api/applyconfiguration && \
	  "$$gen" object:headerFile=hack/boilerplate.go.txt paths=./api/... && \
	  "$$gen" applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/... && \
	  "$$gen" crd:generateEmbeddedObjectMeta=false paths=./api/... output:crd:dir=config/crd/bases && \
	  "$$gen" rbac:roleName=servicestage-operator,fileName=role.yaml paths=./internal/... paths=./cmd/... output:rbac:dir=config/rbac && \
	  apidocs=$$($(TOOL) crd-ref-docs) && \
	  "$$apidocs" --log-level=ERROR --source-path=api/v1alpha1 --config=hack/tools/apidocs/config.yaml --renderer=markdown --output-path=docs/reference/api.md && \
	  hack/generate-config.sh && \
	  go run -buildvcs=false ./hack/argocd && \
	  go run -buildvcs=false ./hack/chart

.PHONY: update-states
update-states: ## Write the states that the lifecycle tests see objects settle in, and what Argo CD is told about them.
	@assets=$$(hack/controlplane/assets.sh) && \
	  KUBEBUILDER_ASSETS=$$assets $(PROGRESS) "lifecycle tests" go test -timeout 20m $(TESTFLAGS) ./test/lifecycle -update
	@go run -buildvcs=false ./hack/argocd

.PHONY: update-metrics
update-metrics: ## Write the list of the metrics that the built manager exports, for the tests of alerts and dashboards.
	@assets=$$(hack/controlplane/assets.sh) && KUBEBUILDER_ASSETS=$$assets \
	  $(PROGRESS) "end-to-end tests" go test -timeout 20m $(TESTFLAGS) ./test/e2e -ginkgo.focus 'The metrics' -update

.PHONY: verify-generate
verify-generate: ## Fail where generated files are not current.
	@$(PROGRESS) "verify-generate" hack/verify-generate.sh

##@ Build

.PHONY: build
build: ## Build bin/manager, bin/cloudsim and bin/kubectl-servicestage.
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/ ./cmd/manager ./cmd/cloudsim ./cmd/kubectl-servicestage
	@install -m 755 cmd/kubectl-servicestage/kubectl_complete-servicestage bin/

.PHONY: docker-build
docker-build: ## Build the image IMG with the manager for linux/ARCH (amd64, arm64), by CONTAINER_TOOL (docker, podman, buildah).
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/linux-$(ARCH)/manager ./cmd/manager
	@touch -d $(CREATED) bin/linux-$(ARCH)/manager
	@$(CONTAINER_TOOL) build --platform linux/$(ARCH) $(IMAGE_TIME) --build-arg TARGETARCH=$(ARCH) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$(REVISION) --build-arg CREATED=$(CREATED) -t $(IMG) .

.PHONY: simulator-image
simulator-image: ## Build the image IMG with the simulated cloud, for tests in a cluster.
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) go build -trimpath -buildvcs=false -ldflags '-s -w' -o bin/linux-$(ARCH)/cloudsim ./cmd/cloudsim
	@$(CONTAINER_TOOL) build --platform linux/$(ARCH) --build-arg TARGETARCH=$(ARCH) -f test/cluster/simulator.Dockerfile -t $(IMG) .

.PHONY: manifests
manifests: ## Write dist/install.yaml: everything a cluster needs, with the image IMG.
	@kustomize=$$($(TOOL) kustomize) && mkdir -p dist && \
	  "$$kustomize" build config/default | sed 's|image: servicestage-operator:.*|image: $(IMG)|' >dist/install.yaml && \
	  echo "dist/install.yaml: $$(grep -c '^kind:' dist/install.yaml) objects, image $(IMG)"

.PHONY: chart
chart: ## Pack the Helm chart into dist/.
	@helm=$$($(TOOL) helm) && "$$helm" package charts/servicestage-operator --destination dist

.PHONY: controlplane
controlplane: ## Build kube-apiserver, kube-controller-manager and etcd once (minutes), or find them; prints where.
	@hack/controlplane/assets.sh

.PHONY: clean
clean: ## Remove what was built in the checkout. The caches outside it stay.
	@rm -rf bin dist cover.out
