#!/usr/bin/env bash
# Checks the running containers: non-root, read-only, no capability, bounds on memory and processes, ports on loopback,
# and no access of a database login to the other service's schema.
#   deploy/docker/check-hardening.sh <compose command…>
set -euo pipefail
compose=("$@")
failures=0
expect() { # <what> <expected> <actual>
  if [ "$2" = "$3" ]; then echo "  ok      $1"; else echo "  FAILED  $1: '$3' instead of '$2'"; failures=$((failures + 1)); fi
}

echo "hardening of the running containers"
for service in casino provider casino-2 provider-2 casino-tls provider-tls; do
  container=$("${compose[@]}" ps --quiet "$service")
  inspect() { docker inspect --format "$1" "$container"; }
  expect "$service runs as an ordinary user" 10001 "$("${compose[@]}" exec -T "$service" id -u)"
  expect "$service has a read-only file system" true "$(inspect '{{.HostConfig.ReadonlyRootfs}}')"
  expect "$service has dropped every capability" '[ALL]' "$(inspect '{{.HostConfig.CapDrop}}')"
  expect "$service gains no privilege" '[no-new-privileges:true]' "$(inspect '{{.HostConfig.SecurityOpt}}')"
  expect "$service has a bound on memory" 536870912 "$(inspect '{{.HostConfig.Memory}}')"
  expect "$service has no swap beyond it" 536870912 "$(inspect '{{.HostConfig.MemorySwap}}')"
  expect "$service has a bound on processes" 256 "$(inspect '{{.HostConfig.PidsLimit}}')"
  expect "$service is published on loopback only" '127.0.0.1 ' \
    "$(inspect '{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}')"
done
for pair in casino:800 provider:810; do
  service=${pair%:*} ports=${pair#*:}
  status() { # <port> <path>: requested by the other service in compose's network
    "${compose[@]}" exec -T "$([ "$service" = casino ] && echo provider || echo casino)" python -P -c \
      "import http.client as c; h = c.HTTPConnection('$service', $1, timeout=5); h.request('GET', '$2'); print(h.getresponse().status)"
  }
  expect "$service shows its metrics in compose's network" 200 "$(status "${ports}1" /metrics)"
  expect "$service shows none of them at its public port" 404 "$(status "${ports}0" /metrics)"
done
postgres_bounds=$(docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' "$("${compose[@]}" ps --quiet postgres)")
expect "postgres has bounds on memory and processes" '2147483648 512' "$postgres_bounds"
expect "postgres is not published" 'map[]' \
  "$(docker inspect --format '{{.HostConfig.PortBindings}}' "$("${compose[@]}" ps --quiet postgres)")"

query() { # <login> <role> <statement>: over TCP
  "${compose[@]}" exec -T -e "PGPASSWORD=demo-only-$1" -e "PGOPTIONS=-c role=$2" postgres \
    psql -h 127.0.0.1 -U "$1_login" -d stack -Atc "$3" 2>&1 | head -1 || true
}
for pair in casino:provider provider:casino; do
  own=${pair%:*} other=${pair#*:}
  expect "$own works in its schema" t "$(query "$own" "${own}_app" "select has_schema_privilege('$own', 'usage')")"
  expect "$own cannot see the schema of $other" f "$(query "$own" "${own}_app" "select has_schema_privilege('$other', 'usage')")"
  expect "$own cannot become the owner of its schema" "ERROR:  permission denied to set role \"${own}_owner\"" \
    "$(query "$own" "${own}_app" "set role ${own}_owner")"
done
for service in casino provider; do
  expect "${service}_2_login cannot connect to the first pair's database" 'permission denied for database "stack"' \
    "$("${compose[@]}" exec -T -e PGPASSWORD=demo-only-2 postgres psql -h 127.0.0.1 -U "${service}_2_login" -d stack -Atc 'select 1' 2>&1 |
      grep -o 'permission denied for database "[^"]*"' | head -1 || true)"
done
[ "$failures" = 0 ]
