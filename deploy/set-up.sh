#!/bin/sh
# Makes .venv hold what a make target needs: nothing but Python 3.11 or newer and pip are asked of the machine.
#   deploy/set-up.sh runtime|complete [python]
# `runtime` runs the stack, `complete` also tests and checks it. Every package comes by its hash from a lock file.
set -eu
cd "$(dirname "$0")/.."
size=$1 wanted=${2:-}
own="shared-signing shared-service casino-service provider-service deploy/local"

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

make_environment() {
  python=$(find_python)
  echo "set-up: making .venv with $("$python" --version) ($python)"
  rm -rf .venv
  # Without a pip of its own an environment is made 20 times faster and needs no ensurepip; the machine's pip fills it.
  if "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip .venv
    "$python" -c 'import sys; print(sys.executable)' >.venv/installer
  else
    "$python" -m venv .venv
  fi
}

install() {
  if [ -s .venv/installer ]; then
    set -- "$(cat .venv/installer)" -m pip --python .venv/bin/python install "$@"
  else
    set -- .venv/bin/python -m pip install "$@"
  fi
  # A lock is complete, so nothing is resolved; byte code is written when a module is first used.
  "$@" -qq --disable-pip-version-check --no-compile --no-deps
}

install_lock() {
  echo "set-up: installing $(grep -c '^[a-z].*==' "$1") packages from $1"
  install --require-hashes --only-binary :all: -r "$1"
}

.venv/bin/python -c '' 2>/dev/null || make_environment
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
sources="$site/repository-sources.pth"
case $size in
runtime)
  install_lock deploy/local/requirements.lock
  # Running needs only the sources on the path: building the packages would take longer than the rest of the demo.
  for package in $own; do echo "$PWD/$package/src"; done >"$sources"
  ;;
complete)
  install_lock requirements.lock
  echo "set-up: installing the repository's own packages in place"
  set --
  for package in $own; do set -- "$@" -e "./$package"; done
  install --no-build-isolation "$@"
  rm -f "$sources"
  touch .venv/.runtime  # of which this is a superset
  ;;
*)
  echo "usage: $0 runtime|complete [python]" >&2
  exit 2
  ;;
esac
touch ".venv/.$size"
