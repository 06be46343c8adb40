#!/usr/bin/env bash
# Checks the running services of the profile `tls`: rounds work over TLS, only a service can read its key, a client
# without the authority fails, and renewed certificates are used without a restart.
#   BIN=.venv/bin deploy/docker/test-tls.sh <compose command…>
set -euo pipefail
compose=("$@")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CASINO_URL=https://127.0.0.1:$CASINO_TLS_PORT PROVIDER_URL=https://127.0.0.1:$PROVIDER_TLS_PORT
ca=$scratch/authority.pem
simulate() { "$BIN/python" -P -m local_stack simulate; }
fail() {
  echo "FAILED  $1" >&2
  exit 1
}

echo "TLS of the running containers"
"${compose[@]}" exec -T casino-tls cat /tls/authority.pem >"$ca"
PROVIDER_CA_FILE=$ca simulate
if simulate >"$scratch/said" 2>&1; then fail "a caller without the authority was served"; fi
grep -q "CERTIFICATE_VERIFY_FAILED" "$scratch/said" || fail "$(cat "$scratch/said")"
for service in casino-tls provider-tls; do
  key=$("${compose[@]}" exec -T "$service" stat -c '%a %u' /tls/key.pem)
  [ "$key" = "600 10001" ] || fail "the key of $service has mode and owner $key"
  if "${compose[@]}" exec -T "$service" ls /authority 2>/dev/null; then fail "$service sees the authority's key"; fi
done
E2E_TARGET=compose E2E_CA_FILE=$ca "$BIN/python" -P -m pytest tests-e2e/contract/test_scripted_round.py tests-e2e/contract/test_credits.py

shown() { openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
before="$(shown "$CASINO_TLS_PORT") $(shown "$PROVIDER_TLS_PORT")"
started=$("${compose[@]}" ps --quiet casino-tls provider-tls | xargs docker inspect --format '{{.State.StartedAt}}')
"${compose[@]}" run --rm --no-deps -e RENEW=1 authority
for port in "$CASINO_TLS_PORT" "$PROVIDER_TLS_PORT"; do
  for _ in $(seq 60); do
    serial=$(shown "$port")
    [[ -n $serial && $before != *"$serial"* ]] && continue 2
    sleep 0.5
  done
  fail "port $port still shows the old certificate"
done
PROVIDER_CA_FILE=$ca simulate
after=$("${compose[@]}" ps --quiet casino-tls provider-tls | xargs docker inspect --format '{{.State.StartedAt}}')
[ "$started" = "$after" ] || fail "a service was restarted"
