#!/usr/bin/env bash
# Prints the packages of one part of the tests, found by what their tests import rather than by a list to keep:
#
#   unit      needs nothing but Go
#   envtest   needs kube-apiserver and etcd in KUBEBUILDER_ASSETS
#
# test/e2e, test/faults, test/guides, test/packaging and test/cluster are parts of their own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go list -test -f '{{.ImportPath}}{{range .Deps}} {{.}}{{end}}' ./... | awk -v part="${1:?unit or envtest}" '
  $1 !~ /\.test$/ || $1 ~ /\/test\/(e2e|faults|guides|packaging|cluster)[.\/]/ { next }
  {
    kind = "unit"
    for (i = 2; i <= NF; i++)
      if ($i ~ /^sigs\.k8s\.io\/controller-runtime\/pkg\/envtest$/ || $i ~ /^servicestage\.dev\/operator\/test\/rig( |$)/) kind = "envtest"
    if (kind == part) { sub(/\.test$/, "", $1); print $1 }
  }'
