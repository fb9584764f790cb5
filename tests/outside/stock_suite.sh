#!/bin/sh
# SPDX-License-Identifier: MIT
# pytest-benchmark's own test-suite, from its source release, in an environment without perfcore and then with it.
#
#   tests/outside/stock_suite.sh [PYTEST_BENCHMARK [PYTEST [PYTHON]]]
#
# Its code is fetched into a scratch folder (WORK, default: a new one under TMPDIR), never kept here. Exit code 0 if every
# test has the same outcome in both runs.
set -eu
release=${1:-5.3.1}
pytest=${2:-pytest}
python=${3:-python3}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
echo "in $work"

[ -d "pytest_benchmark-$release" ] || {
    "$python" -m pip download --quiet --disable-pip-version-check --no-binary :all: --no-deps "pytest-benchmark==$release"
    tar xzf ./*"$release.tar.gz"
}
[ -d venv ] || "$python" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "pytest-benchmark[aspect,histogram,elasticsearch]==$release" \
    "$pytest" "setuptools>=77" freezegun nbmake hunter pytest-instafail
venv/bin/pip uninstall --quiet --yes perfcore

suite() {
    # Inner sessions of the suite read COLUMNS and call the command line by name; its configuration comes along, its
    # source does not.
    rm -rf "run-$1"
    mkdir "run-$1"
    cp -r "pytest_benchmark-$release/tests" "pytest_benchmark-$release/pytest.ini" "run-$1/"
    (cd "run-$1" && PATH="$work/venv/bin:$PATH" COLUMNS=80 PYTHONPATH=tests PYTHONUNBUFFERED=yes ../venv/bin/python -m pytest -q \
        -p no:cacheprovider --junitxml="../$1.xml" tests >"../$1.log" 2>&1) || true
    tail -n 1 "$1.log"
}

echo "without perfcore:"
suite without
venv/bin/pip install --quiet --disable-pip-version-check "$root"
echo "with perfcore:"
suite with
exec "$python" "$here/outcomes.py" without.xml with.xml
