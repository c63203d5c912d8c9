#!/usr/bin/env bash
# Tests the chart in a cluster with nodes: builds the images of the operator and of the simulated cloud, loads them, and
# runs test/cluster. The cluster is one of
#
#   KUBECONFIG=file IMAGE_LOADER="kind load image-archive"   one that runs; the loader is called with an archive's path
#   CLUSTER_TOOL=folder                                      one that folder/cluster.sh starts (up), loads (load FILE),
#                                                            gives access to (kubectl ...) and ends (down)
#
# Images are built by CONTAINER_TOOL; where that is not set by buildah, podman or docker, whichever works. Exits with 77
# where there is nothing to run it with, and says what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { printf 'test-cluster: %s\n' "$*" >&2; }
skip() { say "not run: $*"; exit 77; }

tool=${CLUSTER_TOOL:-}
if [ -n "$tool" ]; then
  [ -x "$tool/cluster.sh" ] || { say "CLUSTER_TOOL=$tool: there is no cluster.sh in it"; exit 1; }
elif [ -z "${KUBECONFIG:-}" ] || [ -z "${IMAGE_LOADER:-}" ]; then
  skip "name a cluster by KUBECONFIG and IMAGE_LOADER, or a folder with cluster.sh by CLUSTER_TOOL"
fi

work=$(mktemp -d) up=
cleanup() {
  [ -z "$up" ] || "$tool/cluster.sh" down >&2 || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

container=${CONTAINER_TOOL:-}
if [ -z "$container" ]; then
  if command -v buildah >/dev/null; then
    container="buildah --root $work/images --runroot $work/run --storage-driver vfs" # needs no daemon, leaves nothing behind
  elif podman info >/dev/null 2>&1; then
    container=podman
  elif docker info >/dev/null 2>&1; then
    container=docker
  else
    skip "no image can be built: install buildah, podman or docker (or set CONTAINER_TOOL)"
  fi
fi

if [ -n "$tool" ]; then
  say "starting the cluster"
  if ! "$tool/cluster.sh" up >"$work/up" 2>&1; then
    grep -q 'run build.sh' "$work/up" && skip "the cluster of $tool is not built yet: $(grep -m1 'run build.sh' "$work/up")"
    cat "$work/up" >&2
    say "the cluster did not start"
    exit 1
  fi
  up=yes
  "$tool/cluster.sh" kubectl config view --raw >"$work/kubeconfig"
  export KUBECONFIG=$work/kubeconfig
  IMAGE_LOADER="$tool/cluster.sh load"
fi

version=test-$(git rev-parse --short HEAD 2>/dev/null || echo none)
image() { # make's target, name
  local ref=registry.local/$2:$version
  say "building $ref"
  make -s "$1" CONTAINER_TOOL="$container" IMG="$ref" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  case $container in
    buildah*) $container push --quiet "$ref" "docker-archive:$work/$2.tar:$ref" ;;
    *) $container save --output "$work/$2.tar" "$ref" ;;
  esac >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  say "loading $ref"
  $IMAGE_LOADER "$work/$2.tar" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}
image docker-build servicestage-operator
image simulator-image cloudsim

TEST_CLUSTER_KUBECONFIG=$KUBECONFIG TEST_CLUSTER_IMAGE=registry.local/servicestage-operator:$version \
  TEST_CLUSTER_SIMULATOR_IMAGE=registry.local/cloudsim:$version \
  go test -count=1 -timeout 20m -v ./test/cluster/... -ginkgo.v -ginkgo.no-color
