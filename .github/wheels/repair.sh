#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Puts libproc2 and libcjson into a wheel (auditwheel), and their licences beside perfcore's own.
#
#   .github/wheels/repair.sh WHEEL DESTINATION LIBRARIES
#
# LIBRARIES is the prefix that libraries.sh installed into. Takes auditwheel and wheel (PyPI) and patchelf.
set -euo pipefail

[ $# -eq 3 ] || {
    echo "usage: .github/wheels/repair.sh WHEEL DESTINATION LIBRARIES" >&2
    exit 2
}
wheel=$1 destination=$2 libraries=$3
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

LD_LIBRARY_PATH=$libraries/lib "$python" -m auditwheel repair --wheel-dir "$work/repaired" "$wheel"
"$python" -m wheel unpack --dest "$work/tree" "$work"/repaired/*.whl
for licences in "$work"/tree/*/*.dist-info/licenses; do
    cp "$libraries"/share/licenses/*.txt "$licences/"
done
mkdir -p "$destination"
"$python" -m wheel pack --dest-dir "$destination" "$work"/tree/*
