#!/bin/sh
# SPDX-License-Identifier: MIT
# perfcore beside other plugins of pytest, each alone and all together, in an environment of its own for each Python.
#
#   tests/outside/neighbours.sh [PYTHON...]
#
# By default python3.11 and python3.12, those that there are. Environments are kept in WORK (default: a new folder under
# TMPDIR). neighbours.py holds the suite and what must hold of it. Exit code 0 if all of it does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
echo "in $work"
if [ $# -eq 0 ]; then
    for python in python3.11 python3.12; do
        command -v "$python" >/dev/null 2>&1 && set -- "$@" "$python"
    done
    [ $# -gt 0 ] || { echo "neither python3.11 nor python3.12 is on PATH; name one" >&2 && exit 2; }
fi
status=0
for python in "$@"; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    venv=$work/neighbours-$version
    [ -d "$venv" ] || "$python" -m venv "$venv"
    pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"
    $pip install pytest pytest-benchmark "$root"
    neighbours="pytest-codspeed pytest-xdist pytest-asyncio pytest-memray pytest-cov pytest-randomly"
    # What an earlier run left must not be there when each is alone.
    # shellcheck disable=SC2086 # a list of words, here and below
    $pip uninstall --yes $neighbours 2>/dev/null
    for neighbour in $neighbours; do
        $pip install "$neighbour"
        "$venv/bin/python" -P "$here/neighbours.py" "$neighbour" || status=1
        $pip uninstall --yes "$neighbour"
    done
    # shellcheck disable=SC2086
    $pip install $neighbours
    # shellcheck disable=SC2086
    "$venv/bin/python" -P "$here/neighbours.py" $neighbours || status=1
done
exit $status
