#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks of other people's projects, from their source releases, unmodified, on stock's loops and on perfcore's.
#
#   tests/outside/projects.sh [PYTHON [PROJECT...]]
#
# Their code is fetched into a scratch folder (WORK, default: a new one under TMPDIR), never kept here. Exit code 0 if every
# project has the same benchmarks with the same outcomes on both, and perfcore leaves none under 5 us at one iteration.
set -eu
python=${1:-python3}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- construct cattrs pluggy graphql-core
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
echo "in $work"
[ -d venv ] || "$python" -m venv venv
pip="venv/bin/pip --disable-pip-version-check --quiet"
$pip install "setuptools>=77" pytest pytest-benchmark
$pip install "$root"

status=0
for project in "$@"; do
    # What to install besides the project, where its benchmarks are, what its own configuration needs to have undone.
    case $project in
    construct) extra="numpy arrow ruamel.yaml cloudpickle lz4 cryptography" where=tests/test_benchmarks.py options= ;;
    cattrs) extra="msgspec orjson ujson immutables pymongo pyyaml tomlkit cbor2 msgpack hypothesis" where=bench options= ;;
    pluggy) extra= where=testing/benchmark.py options= ;;
    graphql-core) extra="pytest-asyncio pytest-timeout" where=tests/benchmarks options=--benchmark-enable ;;
    *) echo "unknown project $project" >&2 && exit 2 ;;
    esac
    folder=$(find . -maxdepth 1 -type d -name "$(echo "$project" | tr - '?')-[0-9]*" | head -n 1)
    if [ -z "$folder" ]; then
        $pip download --no-binary "$project" --no-deps "$project"
        tar xzf "$(find . -maxdepth 1 -name "$(echo "$project" | tr - '?')-[0-9]*.tar.gz" | head -n 1)"
        folder=$(find . -maxdepth 1 -type d -name "$(echo "$project" | tr - '?')-[0-9]*" | head -n 1)
    fi
    # shellcheck disable=SC2086 # a list of words
    $pip install "./$folder" $extra
    for mode in off on; do
        # shellcheck disable=SC2086
        (cd "$folder" && ../venv/bin/python -m pytest -q -p no:cacheprovider $where --perfcore=$mode --benchmark-only $options \
            --benchmark-max-time="${MAX_TIME:-0.1}" --benchmark-json="../$project-$mode.json" --junitxml="../$project-$mode.xml" \
            >"../$project-$mode.log" 2>&1) || true
    done
    "$python" "$here/compare.py" "$project" "$project-off" "$project-on" || status=1
done
exit $status
