#!/usr/bin/env bash
# Writes every requirements.lock from one resolution, so that all have the same versions. Lock files contain names and
# hashes, no index address: pip's configuration decides where packages come from.
#   deploy/locks/lock.sh <uv program> [further options of uv, such as --upgrade]
set -euo pipefail
cd "$(dirname "$0")/../.."
uv=$1
shift
options=(--universal --python-version 3.11 --generate-hashes --no-header --quiet
  --no-emit-package shared-signing --no-emit-package shared-service --no-emit-package casino-service
  --no-emit-package provider-service --no-emit-package local-stack)

compile() { # <lock file> <inputs…>
  local lock=$1
  shift
  echo "locking $lock"
  "$uv" pip compile "${options[@]}" "${more[@]}" --output-file "$lock" "$@" >/dev/null
}

packages=deploy/locks/packages.in
more=("$@")
compile requirements.lock deploy/local/pyproject.toml casino-service/pyproject.toml provider-service/pyproject.toml \
  "$packages" deploy/locks/build.in deploy/locks/tools.in
more=(--constraints requirements.lock --no-annotate)
compile deploy/local/requirements.lock deploy/local/pyproject.toml casino-service/pyproject.toml \
  provider-service/pyproject.toml "$packages"
compile casino-service/requirements.lock casino-service/pyproject.toml "$packages"
compile provider-service/requirements.lock provider-service/pyproject.toml "$packages"
compile deploy/locks/build.lock deploy/locks/build.in
compile deploy/locks/sbom.lock deploy/locks/sbom.in
if grep -nE '://|^-|file:|@ ' requirements.lock ./*/requirements.lock deploy/*/*.lock; then
  echo "a lock file contains an address: see above" >&2
  exit 1
fi
