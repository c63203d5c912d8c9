#!/usr/bin/env bash
# Fails, printing the difference, where a generated file is not what `make generate` makes of the sources. Works on a
# copy: the checkout stays as it is.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
mkdir "$work/before"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
  [ ! -e "$f" ] || printf '%s\0' "$f"
done | tar -cf - --null -T - | tar -xf - -C "$work/before"
cp -R "$work/before" "$work/after"
MAKEFLAGS='' make -s -C "$work/after" generate
if ! (cd "$work" && diff -ruN before after); then
  echo "verify-generate: generated files are not current: run 'make generate'" >&2
  exit 1
fi
for module in . hack/licenses hack/tools hack/tools/apidocs hack/tools/helm hack/tools/kubectl hack/tools/lint hack/tools/sbom test/bench/plots test/conformance test/integrations; do
  [ -f "$module/go.mod" ] || continue
  (cd "$module" && go mod tidy -diff) || { echo "verify-generate: run 'go mod tidy' in $module" >&2; exit 1; }
done
echo "verify-generate: generated files are current"
