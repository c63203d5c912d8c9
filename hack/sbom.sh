#!/usr/bin/env bash
# Writes what is linked into the manager as a CycloneDX document, module by module.
#
#   hack/sbom.sh dist/manager.cdx.json
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:?where to write it}
tool=$(hack/tools/tool.sh cyclonedx-gomod)
mkdir -p "$(dirname "$out")"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -o bin/linked/manager ./cmd/manager
"$tool" bin -json -output "$out" bin/linked/manager
echo "sbom: $out"
