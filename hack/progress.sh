#!/usr/bin/env bash
# Runs a command and says after two seconds, and then every ten, that it is still running:
#
#   hack/progress.sh "unit tests" go test ./...
set -uo pipefail
name=$1
shift
started=$SECONDS
printf '== %s\n' "$name" >&2
(pause=2; while sleep $pause >/dev/null 2>&1; do pause=10; printf '   %s: %d s\n' "$name" $((SECONDS - started)) >&2; done) >/dev/null &
ticker=$!
trap 'kill "$ticker" 2>/dev/null' EXIT
"$@"
status=$?
printf '== %s: %s after %d s\n' "$name" "$([ $status = 0 ] && echo done || echo "FAILED ($status)")" $((SECONDS - started)) >&2
exit $status
