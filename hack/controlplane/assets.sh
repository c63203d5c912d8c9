#!/usr/bin/env bash
# Prints the directory that holds kube-apiserver, kube-controller-manager and etcd, making it if need be.
#
#   KUBEBUILDER_ASSETS       wins where it is set and complete.
#   setup-envtest            is tried next, briefly, for those who can reach its download.
#   the Go module proxy      otherwise: the binaries are built once (about nine minutes on two cores) and kept by
#                            version outside the checkout, so that later runs and other checkouts take seconds.
#
# Progress goes to stderr, the directory alone to stdout.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binaries=(etcd kube-apiserver kube-controller-manager)

ticker=
trap '[ -z "$ticker" ] || kill "$ticker" 2>/dev/null' EXIT
say() { printf 'controlplane: %s\n' "$*" >&2; }

complete() { # dir
  local b
  for b in "${binaries[@]}"; do [ -x "$1/$b" ] || return 1; done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  complete "$KUBEBUILDER_ASSETS" || {
    say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks one of: ${binaries[*]} (unset it to build them here)"; exit 1; }
  printf '%s\n' "$KUBEBUILDER_ASSETS"
  exit 0
fi

version=$(cd "$here" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/servicestage-operator
dir=$cache/controlplane/$version-$(go env GOOS)-$(go env GOARCH)

if complete "$dir"; then
  printf '%s\n' "$dir"
  exit 0
fi

mkdir -p "$dir"
exec 9>"$dir/.lock"
if command -v flock >/dev/null; then
  flock -n 9 || { say "another build of $version is running; waiting for it"; flock 9; }
fi

download() { # setup-envtest's archive has no kube-controller-manager: what it lacks is built below
  local setup got b
  command -v timeout >/dev/null || return 0
  setup=$("$here/../tools/tool.sh" setup-envtest) || return 0
  got=$(timeout "${ENVTEST_DOWNLOAD_TIMEOUT:-20}" \
    "$setup" use "${version#v}" --bin-dir "$cache/envtest" -p path 2>/dev/null </dev/null) || return 0
  for b in "${binaries[@]}"; do
    if [ -x "$got/$b" ] && [ ! -x "$dir/$b" ]; then cp "$got/$b" "$dir/$b"; say "$b downloaded"; fi
  done
}

ticker= # the process that prints progress, while one runs
stop_ticker() {
  [ -n "$ticker" ] || return 0
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
}
trap stop_ticker EXIT

build() { # binary package
  [ ! -x "$dir/$1" ] || return 0
  local minor=${version#v1.} ld="-s -w" p started=$SECONDS
  for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    ld+=" -X $p.gitVersion=$version -X $p.gitMajor=1 -X $p.gitMinor=${minor%%.*} -X $p.gitTreeState=clean"
  done
  say "building $1 $version (minutes the first time, the build cache keeps it)"
  # its sleep outlives it: it must not hold the stdout that a caller waits on, nor the lock
  (while sleep 20 >/dev/null 2>&1; do say "  still building $1, $((SECONDS - started)) s"; done) >/dev/null 9>&- &
  ticker=$!
  (cd "$here" && CGO_ENABLED=0 go build -trimpath -ldflags "$ld" -o "$dir/.$1.partial" "$2") 9>&-
  stop_ticker
  mv "$dir/.$1.partial" "$dir/$1"
  say "built $1 in $((SECONDS - started)) s"
}

if [ -z "${CONTROLPLANE_NO_DOWNLOAD:-}" ]; then download; fi
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
printf '%s\n' "$dir"
