#!/bin/sh
# The demo authority of docker compose. Issues a certificate for each service, and a new one 30 days before the old one
# expires, or at once with RENEW=1. The services read new certificates without a restart.
set -eu
uid=10001
for service in casino provider; do
  files=/certificates/$service
  if [ -n "${RENEW:-}" ] || ! openssl x509 -checkend 2592000 -noout -in "$files/cert.pem" 2>/dev/null; then
    DAYS=365 "$(dirname "$0")/issue.sh" /authority "$files" "$service-tls" localhost 127.0.0.1
  fi
  cp /authority/authority.pem "$files/authority.pem"
  chown "$uid:$uid" "$files/key.pem"
done
