#!/bin/sh
# Runs the unit and integration suites beside the end-to-end suite: both wait more than they compute.
#   deploy/run-suites.sh PYTHON SUITE...     every SUITE runs in the background, tests-e2e in the foreground
# The end-to-end run shows its progress as it goes; the other one is shown when it has ended. Fails when either fails.
set -u
python=$1
shift
log=$(mktemp)
"$python" -m pytest "$@" >"$log" 2>&1 </dev/null &
beside=$!
trap 'kill "$beside" 2>/dev/null; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

echo "beside this run, shown when it has ended: $*"
"$python" -m pytest tests-e2e
end_to_end=$?
wait "$beside"
integration=$?
cat "$log"
[ "$end_to_end" -eq 0 ] && [ "$integration" -eq 0 ]
