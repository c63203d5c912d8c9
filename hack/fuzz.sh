#!/usr/bin/env bash
# Runs every fuzz target of the repository, one after the other, for a time each:
#
#   hack/fuzz.sh 30s [NAME]
#
# NAME limits it to the targets whose package or name contains it. What a target finds is kept beside it, in testdata/fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:?for how long each, for example 30s}
only=${2:-}

targets=$(grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|^(.*)/[^/]*:func (.*)$|\1 \2|' | sort | grep -F -- "$only" || true)
if [ -z "$targets" ]; then
  echo "fuzz: no target's package or name contains '$only'" >&2
  exit 1
fi
failed=()
while read -r package target; do
  # One worker each unless FUZZPARALLEL says otherwise: a machine has other things to do.
  hack/progress.sh "fuzz $package $target" go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -parallel "${FUZZPARALLEL:-1}" </dev/null ||
    failed+=("$package $target")
done <<<"$targets"
if [ ${#failed[@]} -gt 0 ]; then
  printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "fuzz: $(wc -l <<<"$targets") targets, $time each: nothing found"
