#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmarks of other people's projects, unmodified, on stock's loops and on perfcore's. From their source releases,
# or from their repositories where the release lacks the benchmarks.
#
#   tests/outside/projects.sh [PYTHON [PROJECT...]]
#
# Their code is fetched into a scratch folder (WORK, default: a new one under TMPDIR), never kept here. KEEP=1 uses the
# wheel of perfcore that is in WORK already. Exit code 0 if every
# project has the same benchmarks with the same outcomes on both, and perfcore leaves none under 5 us at one iteration.
set -eu
python=${1:-python3}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- construct cattrs bidict pluggy graphql-core
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
echo "in $work"
pip="-m pip --disable-pip-version-check --quiet"
# One wheel for all environments; KEEP=1 takes the one of the last run.
# shellcheck disable=SC2086 # a list of words, here and below
[ -n "${KEEP:-}" ] || { rm -rf wheels && "$python" $pip wheel --no-deps --wheel-dir wheels "$root"; }

status=0
for project in "$@"; do
    # What to install besides the project, where its benchmarks are, what its own configuration needs to have undone.
    repository='' options=''
    case $project in
    construct)
        repository=https://github.com/construct/construct
        extra="numpy arrow ruamel.yaml cloudpickle lz4 cryptography" where=tests/test_benchmarks.py
        ;;
    cattrs) extra="msgspec orjson ujson immutables pymongo pyyaml tomlkit cbor2 msgpack hypothesis" where=bench ;;
    bidict)
        repository=https://github.com/jab/bidict
        # Its own recipe for benchmarks: around its configuration, which unloads pytest-benchmark.
        extra= where=microbenchmarks.py options="-c /dev/null --rootdir=."
        ;;
    pluggy) extra= where=testing/benchmark.py ;;
    graphql-core) extra="pytest-asyncio pytest-timeout" where=tests/benchmarks options=--benchmark-enable ;;
    *) echo "unknown project $project" >&2 && exit 2 ;;
    esac
    if [ -n "$repository" ]; then
        folder=$project-repository
        [ -d "$folder" ] || git clone --quiet --depth 1 "$repository" "$folder"
    else
        name=$(echo "$project" | tr - '?')
        [ -n "$(find . -maxdepth 1 -type d -name "$name-[0-9]*")" ] || {
            # shellcheck disable=SC2086
            "$python" $pip download --no-binary "$project" --no-deps "$project"
            tar xzf "$(find . -maxdepth 1 -name "$name-[0-9]*.tar.gz" | head -n 1)"
        }
        folder=$(find . -maxdepth 1 -type d -name "$name-[0-9]*" | head -n 1)
    fi
    # An environment of its own: the projects' plugins do not suit each other.
    [ -d "venv-$project" ] || "$python" -m venv "venv-$project"
    # shellcheck disable=SC2086
    "venv-$project/bin/python" $pip install pytest pytest-benchmark "./$folder" $extra
    # shellcheck disable=SC2086
    "venv-$project/bin/python" $pip install --force-reinstall --no-deps wheels/perfcore-*.whl
    for mode in off on; do
        rm -f "$project-$mode.json" "$project-$mode.xml"
        # shellcheck disable=SC2086
        (cd "$folder" && ../venv-$project/bin/python -m pytest -q -p no:cacheprovider $where --perfcore=$mode --benchmark-only $options \
            --benchmark-max-time="${MAX_TIME:-0.1}" --benchmark-json="../$project-$mode.json" --junitxml="../$project-$mode.xml" \
            >"../$project-$mode.log" 2>&1) || true
    done
    "$python" "$here/compare.py" "$project" "$project-off" "$project-on" || status=1
done
exit $status
