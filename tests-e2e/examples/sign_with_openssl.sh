#!/bin/sh
# Ask a casino wallet for a balance with a signed request, and believe only a signed answer. curl and openssl do it.
#
# Usage: CASINO_SECRET=... sign_with_openssl.sh http://127.0.0.1:8000 <sessionToken> <userId>
set -eu

sha256() { openssl dgst -sha256 -r | cut -d' ' -f1; }
mac() { openssl dgst -sha256 -hmac "$CASINO_SECRET" -r | cut -d' ' -f1; }

wallet=$1 path=/casino/getBalance t=$(date +%s) n=$(openssl rand -hex 16)
body=$(printf '{"sessionToken":"%s","userId":"%s"}' "$2" "$3")
v1=$(printf 'v1\n%s\n%s\nPOST\n%s\n%s' "$t" "$n" "$path" "$(printf %s "$body" | sha256)" | mac)

answer=$(mktemp) head=$(mktemp)
trap 'rm -f "$answer" "$head"' EXIT
status=$(curl -sS -o "$answer" -D "$head" -w '%{http_code}' "$wallet$path" --data-binary "$body" \
    -H 'content-type: application/json' -H "x-casino-signature: t=$t,n=$n,k=main,v1=$v1")

signature=$(tr -d '\r' <"$head" | sed -n 's/^x-casino-signature: //p')
their_t=$(printf %s "$signature" | sed 's/^t=\([0-9]*\),.*/\1/')
expected=$(printf 'v1-response\n%s\n%s\n%s\n%s' "$their_t" "$n" "$status" "$(sha256 <"$answer")" | mac)
if [ "${signature##*v1=}" != "$expected" ]; then
    echo "This is not the wallet's answer." >&2
    exit 1
fi
cat "$answer"
