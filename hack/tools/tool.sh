#!/usr/bin/env bash
# Prints the path of a pinned development tool, building it if need be:
#
#   "$(hack/tools/tool.sh controller-gen)" --version
#
# The versions are the tool lines of hack/tools/go.mod, and of the go.mod of hack/tools/lint, helm, sbom and apidocs, whose
# libraries would not agree with the others'; kubectl is built from its library (hack/tools/kubectl); for promtool those of test/integrations/go.mod, whose tests use the same
# release of Prometheus. Binaries are kept outside the checkout, keyed by what pins them, so that later runs and other
# checkouts start at once.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case "${1:-}" in
  controller-gen) module=$here package=sigs.k8s.io/controller-tools/cmd/controller-gen ;;
  ginkgo)         module=$here package=github.com/onsi/ginkgo/v2/ginkgo ;;
  kustomize)      module=$here package=sigs.k8s.io/kustomize/kustomize/v5 ;;
  setup-envtest)  module=$here package=sigs.k8s.io/controller-runtime/tools/setup-envtest ;;
  golangci-lint)  module=$here/lint package=github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
  promtool)       module=$here/../../test/integrations package=github.com/prometheus/prometheus/cmd/promtool ;;
  helm)           module=$here/helm package=helm.sh/helm/v3/cmd/helm ;;
  kubectl)        module=$here/kubectl package=servicestage.dev/operator/hack/tools/kubectl ;;
  cyclonedx-gomod) module=$here/sbom package=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod ;;
  crd-ref-docs)   module=$here/apidocs package=github.com/elastic/crd-ref-docs ;;
  *) echo "usage: tool.sh controller-gen|ginkgo|kustomize|setup-envtest|golangci-lint|promtool|helm|kubectl|cyclonedx-gomod|crd-ref-docs" >&2; exit 2 ;;
esac

# What a tool's own build would stamp into it. helm renders for the Kubernetes of its libraries where it asks no cluster.
stamps() { # tool
  local pin minor part
  case $1 in
    helm)
      pin=$(cd "$module" && go list -m -f '{{.Version}}' helm.sh/helm/v3)
      minor=$(cd "$module" && go list -m -f '{{.Version}}' k8s.io/client-go | cut -d. -f2)
      printf ' -X helm.sh/helm/v3/internal/version.version=%s -X helm.sh/helm/v3/internal/version.metadata=' "$pin"
      printf ' -X helm.sh/helm/v3/pkg/%s.k8sVersionMajor=1' chartutil lint/rules
      printf ' -X helm.sh/helm/v3/pkg/%s.k8sVersionMinor='"$minor" chartutil lint/rules ;;
    kubectl)
      pin=$(cd "$module" && go list -m -f '{{.Version}}' k8s.io/kubectl)
      for part in component-base/version client-go/pkg/version; do
        printf ' -X k8s.io/%s.gitVersion=v1%s' "$part" "${pin#v0}"
      done ;;
  esac
}

version=$(go env GOVERSION)
key=$(cat "$module/go.mod" "$module/go.sum" | git hash-object --stdin | cut -c1-12)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/servicestage-operator/tools/$key-$version-$(go env GOHOSTOS)-$(go env GOHOSTARCH)
binary=$dir/$1

if [ ! -x "$binary" ]; then
  mkdir -p "$dir"
  started=$SECONDS
  echo "tools: building $1 (the first time only)" >&2
  (cd "$module" && GOOS='' GOARCH='' CGO_ENABLED=0 go build -trimpath -ldflags="-s -w$(stamps "$1")" -o "$binary.$$" "$package")
  mv "$binary.$$" "$binary" # a rename, so that two builds at once cannot leave half a binary
  echo "tools: built $1 in $((SECONDS - started)) s" >&2
fi
printf '%s\n' "$binary"
