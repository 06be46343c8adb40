#!/bin/sh
# Make one signed call of a casino wallet, and believe only a signed answer. curl and openssl do it.
#
# Usage: CASINO_SECRET=... signed_call.sh http://127.0.0.1:8000 POST /casino/getBalance '{"sessionToken":"…","userId":"1"}'
#        CASINO_SECRET=... signed_call.sh http://127.0.0.1:8000 GET '/casino/transactions?after=0&limit=100'
# Prints the body. Ends with 0 for a signed 200, 1 for a signed refusal, 2 when the outcome is unknown.
# CLOCK_OFFSET=<seconds> is added to this machine's time. KEY_ID=<id> names another key than main.
set -eu

if [ $# -lt 3 ]; then
    echo "Usage: CASINO_SECRET=... signed_call.sh WALLET METHOD TARGET [BODY], such as http://127.0.0.1:8000 GET /casino/transactions" >&2
    exit 2
fi
if [ -z "${CASINO_SECRET:-}" ]; then # without it no answer can be believed
    echo "Set CASINO_SECRET to the secret that the operator gave you." >&2
    exit 2
fi

sha256() { openssl dgst -sha256 -r | cut -d' ' -f1; }
mac() { openssl dgst -sha256 -hmac "$CASINO_SECRET" -r | cut -d' ' -f1; }
member() { sed -n "s/.*\"$1\": *\"\{0,1\}\([a-zA-Z0-9_]*\).*/\1/p" "$answer"; }

wallet=$1 method=$2 target=$3 body=${4:-} key=${KEY_ID:-main}
case $method in # only a call that moves money has an outcome and a transactionId
GET) unknown="Nothing can be concluded from it. A GET changes nothing: ask again." ;;
*) unknown="The outcome is unknown. Repeat the same transactionId." ;;
esac
t=$(($(date +%s) + ${CLOCK_OFFSET:-0})) n=$(openssl rand -hex 16)
v1=$(printf 'v1\n%s\n%s\n%s\n%s\n%s' "$t" "$n" "$method" "$target" "$(printf %s "$body" | sha256)" | mac)

answer=$(mktemp) head=$(mktemp)
trap 'rm -f "$answer" "$head"' EXIT
if [ -n "$body" ]; then set -- --data-binary "$body" -H 'content-type: application/json'; else set --; fi
status=$(curl -sS --max-time 8 -o "$answer" -D "$head" -w '%{http_code}' -X "$method" "$wallet$target" "$@" \
    -H "x-casino-signature: t=$t,n=$n,k=$key,v1=$v1") || {
    echo "No answer. $unknown" >&2
    exit 2
}

signature=$(tr -d '\r' <"$head" | sed -n 's/^x-casino-signature: //p')
their_t=$(printf %s "$signature" | sed 's/^t=\([0-9]*\),.*/\1/')
expected=$(printf 'v1-response\n%s\n%s\n%s\n%s' "$their_t" "$n" "$status" "$(sha256 <"$answer")" | mac)
[ -n "$expected" ] && [ "${signature##*v1=}" = "$expected" ] && signed=yes || signed=no

if [ "$status" = 401 ]; then
    echo "401 $(member code), signed: $signed" >&2
    case $(member code) in
    signature_missing) echo "No x-casino-signature arrived: does a proxy drop it?" >&2 ;;
    signature_malformed) echo "The header has another form than t=…,n=…,k=…,v1=…, or came twice." >&2 ;;
    unknown_key) echo "The casino has no live key '$key'. Ask the operator for the ids: casino keys." >&2 ;;
    bad_signature) echo "CASINO_SECRET is not this key's, or path, query or body changed on the way." >&2 ;;
    timestamp_out_of_window)
        [ "$signed" = no ] || echo "This clock is off. Set it, or add CLOCK_OFFSET=$(($(member serverTime) - $(date +%s)))." >&2
        ;;
    nonce_replay) echo "This nonce was used before: a request was sent twice. Sign each attempt anew." >&2 ;;
    esac
    echo "Sign anew once. After a second 401: $unknown" >&2
    exit 2
fi
if [ "$signed" = no ]; then
    echo "This $status is not signed by the wallet. $unknown" >&2
    [ "$method" != GET ] || cat "$answer" >&2
    exit 2
fi
cat "$answer"
[ "$status" = 200 ]
