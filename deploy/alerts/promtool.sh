#!/bin/sh
# Prints the path of promtool: the machine's, or Debian's, which is downloaded once into .venv/promtool.
# Exits with 3 when the machine has neither promtool nor apt.
set -eu
cd "$(dirname "$0")/../.."
own=$PWD/.venv/promtool/promtool

if command -v promtool; then exit; fi
if [ -x "$own" ]; then
  echo "$own"
  exit
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "there is neither promtool on the PATH nor apt-get to fetch it with" >&2
  exit 3
fi

mkdir -p "$(dirname "$own")"
scratch=$(mktemp -d "$(dirname "$own")/fetching-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
fetch() { (cd "$scratch" && apt-get -qq download prometheus >&2); }
# A fresh container has no package lists yet; only root can fetch them.
fetch || { apt-get -qq update >&2 && fetch; }
dpkg-deb --fsys-tarfile "$scratch"/prometheus_*.deb | tar -x -C "$scratch" ./usr/bin/promtool
mv "$scratch/usr/bin/promtool" "$own" # atomic: another run may be fetching too
echo "$own"
