#!/bin/sh
# Runs a command of a service. `deploy/set-up.sh runtime` copies this file to .venv/bin/casino and .venv/bin/provider.
# -P: Python imports nothing from the current folder, where anybody may have written a module.
exec "$(dirname "$0")/python" -P -m "${0##*/}" "$@"
