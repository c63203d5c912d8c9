#!/usr/bin/env bash
# Builds the manager from two copies of the checkout in different folders, with a build cache each, and compares.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

build() { # name
  mkdir -p "$work/$1/checkout"
  git ls-files -z | xargs -0 tar -cf - | tar -xf - -C "$work/$1/checkout"
  (cd "$work/$1/checkout" && GOCACHE=$work/$1/cache CGO_ENABLED=0 \
    go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=reproducible' -o "$work/$1/manager" ./cmd/manager)
  rm -rf "$work/$1/cache"
}

build first
build a-second-folder-with-another-name
if ! cmp "$work/first/manager" "$work/a-second-folder-with-another-name/manager"; then
  echo "reproducible: the two binaries differ" >&2
  exit 1
fi
echo "reproducible: both builds are sha256 $(sha256sum <"$work/first/manager" | cut -d' ' -f1)"
