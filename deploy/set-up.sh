#!/bin/sh
# Installs into .venv what a make target needs. The machine must have Python 3.11 or newer, and pip.
#   deploy/set-up.sh runtime|complete [python]
# `runtime` is enough to run the stack, `complete` also to test and check it. Lock files pin all packages by hash.
# Only one set-up runs at a time; another one waits. An interrupted one is repeated from the start.
set -eu
cd "$(dirname "$0")/.."
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_PYTHON PIP_DRY_RUN PIP_REQUIREMENT PIP_CONSTRAINT PIP_REQUIRE_VIRTUALENV
umask 022 # as root, another account runs PostgreSQL and must be able to read its programs
size=$1 wanted=${2:-}
own="shared-signing shared-service casino-service provider-service deploy/local"
tested_by="tests-e2e"
case $size in
runtime) inputs="deploy/set-up.sh deploy/command.sh deploy/local/requirements.lock" ;;
complete)
  inputs="deploy/set-up.sh requirements.lock"
  for package in $own $tested_by; do inputs="$inputs $package/pyproject.toml"; done
  ;;
*)
  echo "usage: $0 runtime|complete [python]" >&2
  exit 2
  ;;
esac

is_recent() { "$1" -P -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

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

# Takes the lock and restarts this script. Its processes inherit the lock, which ends with the last of them.
HOLD_LOCK='
import fcntl, os, sys
try:
    lock = os.open(".venv.lock", os.O_RDWR | os.O_CREAT, 0o644)
except OSError as error:
    sys.exit(f"set-up: nothing can be written to {os.getcwd()} ({error.strerror}): use a checkout of your own")
os.set_inheritable(lock, True)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("set-up: waiting for another one in this checkout", flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.environ["SET_UP_LOCK_HOLDER"] = str(os.getpid())
os.execv("/bin/sh", ["sh", "deploy/set-up.sh", *sys.argv[1:]])
'
if [ "${SET_UP_LOCK_HOLDER:-}" != $$ ]; then
  python=$(find_python)
  exec "$python" -I -c "$HOLD_LOCK" "$size" "$wanted"
fi

is_done() {
  [ -e ".venv/.$size" ] && [ -z "$(find $inputs -newer ".venv/.$size")" ] && .venv/bin/python -P -c '' 2>/dev/null
}

make_environment() {
  python=$(find_python)
  echo "set-up: making .venv with $("$python" --version) ($python)"
  rm -rf .venv
  mkdir .venv
  touch .venv/.unfinished
  # Creating an environment without pip is 20 times faster and needs no ensurepip. The machine's pip installs into it.
  if "$python" -P -m pip --python "$python" --version >/dev/null 2>&1; then
    "$python" -P -m venv --without-pip .venv
    "$python" -P -c 'import sys; print(sys.executable)' >.venv/installer
  else
    "$python" -P -m venv .venv
  fi
}

install() {
  if [ -s .venv/installer ]; then
    set -- "$(cat .venv/installer)" -P -m pip --python .venv/bin/python install "$@"
  else
    set -- .venv/bin/python -P -m pip install "$@"
  fi
  # A lock file is complete, so pip resolves nothing. Byte code is written at a module's first import.
  "$@" -qq --disable-pip-version-check --no-compile --no-deps
}

install_lock() {
  echo "set-up: installing $(grep -c '^[a-z].*==' "$1") packages from $1"
  install --require-hashes --only-binary :all: -r "$1"
}

is_done && exit
is_whole() {
  { [ -e .venv/.runtime ] || [ -e .venv/.complete ]; } && [ ! -e .venv/.unfinished ] && .venv/bin/python -P -c '' 2>/dev/null
}
is_whole || make_environment
touch .venv/.unfinished
site=$(.venv/bin/python -P -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
sources="$site/repository-sources.pth"
if [ "$size" = runtime ]; then
  install_lock deploy/local/requirements.lock
  # Put the sources on the path instead of building packages, which would take longer than the rest of the demo.
  # Relative paths, so that the checkout can be moved.
  .venv/bin/python -P -c 'import os, sys; print(*(os.path.relpath(f"{each}/src", sys.argv[1]) for each in sys.argv[2:]), sep="\n")' \
    "$site" $own >"$sources"
  for service in casino provider; do
    cp deploy/command.sh .venv/bin/$service
    chmod +x .venv/bin/$service
  done
else
  install_lock requirements.lock
  echo "set-up: installing the repository's own packages in place"
  rm -f .venv/bin/casino .venv/bin/provider
  set --
  for package in $own $tested_by; do set -- "$@" -e "./$package"; done
  install --no-build-isolation "$@"
  rm -f "$sources"
  touch .venv/.runtime # `complete` includes `runtime`
fi
touch ".venv/.$size"
rm .venv/.unfinished
