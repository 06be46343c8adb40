#!/usr/bin/env bash
# Builds the images, starts the compose stack, runs the scripted round and the end-to-end suite against it, and removes
# the stack. It has its own project name and ports, so a running stack is not affected.
#   BIN=.venv/bin deploy/docker/test-compose.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
export COMPOSE_PROJECT_NAME=casino-stack-test CASINO_DEMO=1
export CASINO_PORT=${TEST_CASINO_PORT:-18000} PROVIDER_PORT=${TEST_PROVIDER_PORT:-18100}
unset CASINO_SECRET PROVIDER_SECRET CASINO_KEYS PROVIDER_KEYS CASINO_URL PROVIDER_URL
export CASINO_TLS_PORT=${TEST_CASINO_TLS_PORT:-18443} PROVIDER_TLS_PORT=${TEST_PROVIDER_TLS_PORT:-18543}
export CASINO_2_PORT=${TEST_CASINO_2_PORT:-18010} PROVIDER_2_PORT=${TEST_PROVIDER_2_PORT:-18110}
compose=(docker compose --profile tls --profile two-peers --ansi never --progress quiet --env-file /dev/null)

down() { "${compose[@]}" down --volumes --timeout 20; }
show_logs() { "${compose[@]}" logs --no-color --tail 40 "$@" | sed 's/\x1b\[[0-9]*K//' | cut -c1-400; }
trap down EXIT
down
echo "building and starting the compose stack"
if ! "${compose[@]}" up --build --detach --wait; then
  "${compose[@]}" ps --all
  show_logs
  exit 1
fi
"${compose[@]}" ps --all --format 'table {{.Service}}\t{{.Status}}\t{{.Ports}}'

export CASINO_URL=http://127.0.0.1:$CASINO_PORT PROVIDER_URL=http://127.0.0.1:$PROVIDER_PORT
for peer in 1 2; do
  for game in 1 5; do "$BIN/python" -P -m local_stack simulate --peer "$peer" --game "$game"; done
done
deploy/docker/check-hardening.sh "${compose[@]}"
deploy/docker/test-tls.sh "${compose[@]}"
# These folders start stacks of their own, so they are not run against this one.
elsewhere=(--ignore tests-e2e/faults --ignore tests-e2e/chaos --ignore tests-e2e/bench --ignore tests-e2e/saboteurs)
if ! E2E_TARGET=compose "$BIN/python" -P -m pytest tests-e2e "${elsewhere[@]}"; then
  show_logs casino provider
  exit 1
fi
