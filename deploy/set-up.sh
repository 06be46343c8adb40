#!/bin/sh
# Makes .venv hold what a make target needs: nothing but Python 3.11 or newer and pip are asked of the machine.
#   deploy/set-up.sh <python or ""> <lock file> <stamp file>
# Packages come by hash from the lock file; the repository's own four packages are installed in place.
set -eu
cd "$(dirname "$0")/.."
wanted=$1 lock=$2 stamp=$3

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  if [ -n "$wanted" ]; then
    is_recent "$wanted" && { command -v "$wanted"; return; }
    echo "PYTHON=$wanted is not a working Python 3.11 or newer" >&2
    exit 1
  fi
  for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
    is_recent "$name" && { command -v "$name"; return; }
  done
  echo "no Python 3.11 or newer was found on the PATH: install one, or name it with: make PYTHON=/path/to/python3 …" >&2
  exit 1
}

if ! .venv/bin/python -c '' 2>/dev/null; then
  rm -rf .venv
  python=$(find_python)
  echo "set-up: making .venv with $("$python" --version) ($python)"
  # Without pip of its own a virtual environment is made 20 times faster, and needs no ensurepip; the machine's pip fills it.
  if "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip .venv
    "$python" -c 'import sys; print(sys.executable)' >.venv/installer
  else
    "$python" -m venv .venv
  fi
fi

if [ -s .venv/installer ]; then
  pip() { "$(cat .venv/installer)" -m pip --python .venv/bin/python "$@"; }
else
  pip() { .venv/bin/python -m pip "$@"; }
fi

echo "set-up: installing $(grep -c '^[a-z].*==' "$lock") packages from $lock"
# The lock is complete, so nothing is resolved; byte code is written when a module is first used.
pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes --only-binary :all: -r "$lock"
echo "set-up: installing the repository's own packages in place"
pip install -qq --disable-pip-version-check --no-compile --no-deps --no-build-isolation \
  -e ./shared-signing -e ./casino-service -e ./provider-service -e ./deploy/local
touch "$stamp"
