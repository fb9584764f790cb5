#!/bin/sh
# SPDX-License-Identifier: MIT
# The differential tests over releases of pytest-benchmark and pytest, each pair in an environment of its own.
#
#   tests/outside/matrix.sh [PYTHON [PYTEST_BENCHMARK...]]
#
# Environments are kept in WORK (default: a new folder under TMPDIR). Exit code 0 if all pass.
set -eu
python=${1:-python3}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 4.0.0 5.0.1 5.1.0 5.2.3 5.3.1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
echo "in $work"
status=0
for release in "$@"; do
    case $release in
    4.* | 5.[012].* | 5.3.0) newest="pytest==9.0.*" ;; # they use Node._nodeid, which later releases of pytest lack
    *) newest="pytest==9.*" ;;
    esac
    for pytest in "pytest==8.*" "$newest"; do
        venv="$work/$release-$(echo "$pytest" | tr -dc '0-9')"
        [ -d "$venv" ] || "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "setuptools>=77" "$pytest" \
            "pytest-benchmark[aspect,histogram]==$release" "$root"
        printf '%s, %s: ' "pytest-benchmark $release" "$pytest"
        # An exit code of its own: a pipe would hide it.
        if (cd "$root" && "$venv/bin/python" -m pytest -q -p no:cacheprovider -o filterwarnings=error \
            tests/e2e/plugin tests/unit/plugin >"$venv/log" 2>&1); then
            tail -n 1 "$venv/log"
        else
            status=1
            tail -n 1 "$venv/log"
            grep -E '^(FAILED|ERROR)' "$venv/log" || true
        fi
    done
done
exit $status
