#!/bin/sh
# Runs the suites in parallel, because they wait more than they compute.
#   deploy/run-suites.sh PYTHON SUITE...     each SUITE in its own pytest run, tests-e2e/faults and tests-e2e/chaos in
#                                            another, the rest of tests-e2e in the foreground
#   WITHOUT_FAULTS=1                         skips faults and chaos: they need access to the server's processes and
#                                            files, which a container does not give
#   WITHOUT_E2E=1                            runs the named suites alone
# The foreground run prints its progress; the others are printed when they have ended. Fails when any of them fails.
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
  echo "in the background, printed when it has ended: $*"
  "$python" -m pytest "$@" >"$logs/$name" 2>&1 </dev/null &
  beside="$beside $name:$!"
}

for suite in "$@"; do run_beside "$suite" "$suite"; done
status=0
if [ -z "${WITHOUT_E2E:-}" ]; then
  [ -n "${WITHOUT_FAULTS:-}" ] || run_beside faults tests-e2e/faults tests-e2e/chaos
  "$python" -m pytest tests-e2e --ignore tests-e2e/faults --ignore tests-e2e/chaos || status=$?
fi
for run in $beside; do
  wait "${run#*:}" || status=1
  cat "$logs/${run%%:*}"
done
exit "$status"
