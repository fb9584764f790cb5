#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs perfcore for the action. From PyPI a wheel brings its libraries; a source needs the machine's.
set -euo pipefail
case $PERFCORE in # .[test], a path, git+https://..., perfcore[test] @ git+https://...
. | .\[* | ./* | ../* | /* | git+* | *://*)
    if command -v apt-get >/dev/null 2>&1; then
        sudo=$(command -v sudo || true)
        $sudo apt-get update -q
        $sudo apt-get install -q -y --no-install-recommends build-essential pkg-config libproc2-dev libcjson-dev
    fi
    ;;
esac
python -m pip install -q "$PERFCORE"
python -P -m perfcore --version
