#!/bin/sh
# Installs what tests-e2e/browser needs: Debian's chromium by apt-get, and axe-core from npm into .state/axe/.
# What cannot be had is said, and the tests that need it are skipped.
set -eu
cd "$(dirname "$0")/.."
package=axe-core@4.14.1
sha256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745

if ! command -v chromium >/dev/null 2>&1; then
  if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1; then
    echo "chromium could not be installed: the tests of pages are skipped" >&2
  fi
fi
[ -e .state/axe/axe.min.js ] && exit
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if archive=$(cd "$folder" && npm pack --silent "$package" 2>/dev/null) &&
  echo "$sha256  $folder/$archive" | sha256sum --check --quiet; then
  mkdir -p .state/axe
  tar -C "$folder" --no-same-owner -xf "$folder/$archive" package/axe.min.js package/LICENSE
  mv "$folder/package/LICENSE" "$folder/package/axe.min.js" .state/axe/
else
  echo "axe-core could not be had from npm: the tests of accessibility are skipped" >&2
fi
