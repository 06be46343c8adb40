#!/bin/sh
# Issues a certificate from a private authority, and creates the authority if there is none.
#   deploy/tls/issue.sh <folder of the authority> <folder for the certificate> <host> [<host>…]
# Needs OpenSSL 3. A host is a name or an IP address. The certificate is valid for DAYS=90 days. authority.key can issue
# certificates for every service: keep its folder away from the services. A service needs cert.pem and key.pem, its
# callers authority.pem.
set -eu
[ $# -ge 3 ] || {
  sed -n '2,3s/^# *//p' "$0" >&2
  exit 2
}
authority=$1 target=$2
shift 2
for host in "$@"; do
  case $host in
    '' | *[!0-9A-Za-z.:_*-]* | -* | .* | *..*)
      echo "issue.sh: \"$host\" is not a name or an IP address (an IPv6 address has no brackets, a name no port)" >&2
      exit 2
      ;;
  esac
done
umask 077
mkdir -p "$authority" "$target"
scratch=$(mktemp -d "$target/issuing-XXXXXX") # on the same file system, so that mv is atomic
trap 'rm -rf "$scratch"' EXIT
# OpenSSL is verbose on success. On failure its last lines name the reason.
quietly() {
  "$@" 2>"$scratch/said" || {
    echo "issue.sh: openssl failed for $hosts: $(grep -v '^[.+*-]*$' "$scratch/said" | tail -n 2 | tr '\n' ' ')" >&2
    exit 1
  }
}
hosts="$*"
curve="ec -pkeyopt ec_paramgen_curve:P-256"

if [ ! -s "$authority/authority.pem" ]; then
  # shellcheck disable=SC2086 # three words
  quietly openssl req -x509 -newkey $curve -noenc -days 3650 -subj "/CN=Private authority" -config /dev/null \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$authority/authority.key" -out "$scratch/authority.pem"
  mv "$scratch/authority.pem" "$authority/authority.pem"
  chmod 644 "$authority/authority.pem"
fi

names=
for host in "$@"; do
  case $host in
    *:*) names="$names,IP:$host" ;;
    *[!0-9.]*) names="$names,DNS:$host" ;;
    *) names="$names,IP:$host" ;;
  esac
done
{
  echo "subjectAltName=${names#,}"
  echo "basicConstraints=critical,CA:FALSE"
  echo "keyUsage=critical,digitalSignature"
  echo "extendedKeyUsage=serverAuth"
  echo "authorityKeyIdentifier=keyid"
} >"$scratch/extensions"
# shellcheck disable=SC2086 # three words
quietly openssl req -new -newkey $curve -noenc -subj "/CN=$(printf %.64s "$1")" -config /dev/null \
  -keyout "$scratch/key.pem" -out "$scratch/request"
quietly openssl x509 -req -in "$scratch/request" -CA "$authority/authority.pem" -CAkey "$authority/authority.key" \
  -set_serial "0x$(openssl rand -hex 16)" -days "${DAYS:-90}" -extfile "$scratch/extensions" \
  -out "$scratch/cert.pem"
chmod 644 "$scratch/cert.pem"
mv "$scratch/key.pem" "$target/key.pem"
mv "$scratch/cert.pem" "$target/cert.pem"
