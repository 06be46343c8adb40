#!/bin/sh
# Writes a software bill of materials (CycloneDX JSON) of each service's image, from its lock file: build/sbom/*.json.
# The tool is installed in a separate environment.
set -eu
cd "$(dirname "$0")/.."
tools=build/sbom-tools
if ! [ -x $tools/bin/cyclonedx-py ]; then
  .venv/bin/python -P -m venv --without-pip $tools
  "$(cat .venv/installer 2>/dev/null || echo .venv/bin/python)" -P -m pip --python $tools/bin/python install -qq \
    --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r deploy/locks/sbom.lock
fi
mkdir -p build/sbom
for service in casino-service provider-service; do
  PYTHONWARNINGS=ignore $tools/bin/cyclonedx-py requirements --output-reproducible --spec-version 1.6 --of JSON \
    --pyproject $service/pyproject.toml --output-file build/sbom/$service.cdx.json $service/requirements.lock
  echo "build/sbom/$service.cdx.json: $(grep -c '"bom-ref": "requirements' build/sbom/$service.cdx.json) components"
done
