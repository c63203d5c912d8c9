#!/usr/bin/env bash
# Runs random fault schedules, and the outage, in virtual time:
#
#   hack/schedules.sh COUNT FIRST-SEED [flags of go test]
#
# There is one process for each core: the schedules of one process with two threads cost three times as much.
set -euo pipefail
cd "$(dirname "$0")/.."
left=$1 seed=$2
shift 2
export GOGC=400
only=.
pids=()
for ((cores = $(nproc); cores > 0; cores--)); do
  share=$(((left + cores - 1) / cores))
  go test -count=1 -cpu 1 -timeout 4h -run "$only" "$@" ./test/faults/schedules -schedules "$share" -seed "$seed" &
  pids+=($!)
  left=$((left - share)) seed=$((seed + share)) only=TestSchedules
  ((left > 0)) || break
done
status=0
for pid in "${pids[@]}"; do
  wait "$pid" || status=1
done
exit $status
