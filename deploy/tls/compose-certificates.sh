#!/bin/sh
# The demo authority of docker compose: a certificate for each service, kept until 30 days before it expires. RENEW=1
# makes new ones at once, which the services take without a restart.
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
