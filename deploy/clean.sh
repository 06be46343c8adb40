#!/bin/sh
# Removes the files that make targets create. The embedded PostgreSQL's files may be outside .state, behind a link: see
# deploy/local/src/local_stack/cluster.py.
set -eu
cd "$(dirname "$0")/.."
if [ -e .state/lock ] && command -v flock >/dev/null && ! flock -n .state/lock true; then
  echo "a stack is running on .state: stop it first" >&2
  exit 1
fi
if [ -L .state/postgres ]; then
  rm -rf "$(readlink -f .state/postgres)"
fi
rm -rf .state .venv .venv.lock build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
echo "clean"
