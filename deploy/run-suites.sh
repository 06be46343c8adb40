#!/bin/sh
# Runs the suites beside each other: all of them wait more than they compute.
#   deploy/run-suites.sh PYTHON SUITE...     each SUITE in a run of its own, tests-e2e/faults and tests-e2e/chaos in
#                                            another, the rest of tests-e2e in the foreground
#   WITHOUT_FAULTS=1                         leaves both of these out: those tests act on the server's own processes and
#                                            disks, which a container keeps to itself
# The foreground shows its progress as it goes; the others are shown when they have ended. Fails when any of them fails.
set -u
python=$1
shift
logs=$(mktemp -d)
beside=

end() {
  for run in $beside; do kill "${run#*:}" 2>/dev/null; done
  rm -rf "$logs"
}
trap end EXIT
trap 'exit 130' INT TERM

run_beside() {
  name=$1
  shift
  echo "beside this run, shown when it has ended: $*"
  "$python" -m pytest "$@" >"$logs/$name" 2>&1 </dev/null &
  beside="$beside $name:$!"
}

for suite in "$@"; do run_beside "$suite" "$suite"; done
[ -n "${WITHOUT_FAULTS:-}" ] || run_beside faults tests-e2e/faults tests-e2e/chaos
"$python" -m pytest tests-e2e --ignore tests-e2e/faults --ignore tests-e2e/chaos
status=$?
for run in $beside; do
  wait "${run#*:}" || status=1
  cat "$logs/${run%%:*}"
done
exit "$status"
