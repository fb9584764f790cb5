#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds perfcore and tests it on every one of Python 3.11 and 3.12 that this machine has. See --help.
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 2
# shellcheck source=../.ci/lib.sh
. .ci/lib.sh
# shellcheck source=sanitized.sh
. tests/sanitized.sh
# shellcheck source=checks.sh
. tests/checks.sh

SUPPORTED=(3.11 3.12)

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--only 3.11|3.12] [--quick | --sanitize | --coverage | --soak SECONDS] [--fuzz-seconds N]
                    [-- PYTEST-ARGUMENT...]

Installs the system packages that are missing (with sudo where not root; in CI also a browser), builds a wheel of perfcore
for every one of Python 3.11 and 3.12 found, and tests it; runs the checks of the code itself, once.

  --only VERSION    this Python only; it is an error when it is not there
  --quick           build and pytest only: no checks, no sanitizers, no fuzzing
  --sanitize        only what runs under sanitizers (C tests, pytest on every Python, fuzzing), at length; also
                    valgrind, and a debug build of Python where Debian has one
  --soak SECONDS    build, and sample, track and read for so long on each Python: nothing may grow; nothing else is run
  --coverage        only what runs, of the lines and branches of the C code and of the Python code: the C tests and
                    pytest on the first Python found, on a build with gcov; prints a table by file
  --fuzz-seconds N  time for each fuzz target (default 10; with --sanitize 120)
  -- ARGUMENTS      passed to pytest, e.g.  tests/run.sh --quick -- -k samples -x

Exit code: 0 all passed, 1 something failed, 2 the tests could not be run.
TEXT
}

versions=("${SUPPORTED[@]}")
only=
mode=all
fuzz_seconds=
soak_seconds=
pytest_args=()
while [ $# -gt 0 ]; do
    case $1 in
    --only)
        only=${2:-}
        [[ " ${SUPPORTED[*]} " == *" $only "* && -n $only ]] || die "--only takes one of: ${SUPPORTED[*]}"
        versions=("$only")
        shift
        ;;
    --quick) mode=quick ;;
    --sanitize) mode=sanitize ;;
    --soak)
        mode=soak
        soak_seconds=${2:-}
        [[ $soak_seconds =~ ^[1-9][0-9]*$ ]] || die "--soak takes a number of seconds"
        shift
        ;;
    --coverage) mode=coverage ;;
    --fuzz-seconds)
        fuzz_seconds=${2:-}
        [[ $fuzz_seconds =~ ^[1-9][0-9]*$ ]] || die "--fuzz-seconds takes a number of seconds"
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    --)
        shift
        pytest_args=("$@")
        break
        ;;
    *) die "unknown argument: $1 (see --help)" ;;
    esac
    shift
done
if [ -z "$fuzz_seconds" ]; then
    fuzz_seconds=10
    [ "$mode" = sanitize ] && fuzz_seconds=120
fi

# What a developer's shell may hold and the tests must not inherit.
unset PYTHONPATH PYTHONHOME PYTHONMALLOC PYTHONDEVMODE PYTEST_ADDOPTS PERFCORE_SANITIZE PERFCORE_COVERAGE CFLAGS LDFLAGS
# A pytest in a child process, of which there are hundreds, compiles its plugins anew where it may not keep what it made.
unset PYTHONDONTWRITEBYTECODE

SECONDS=0
mkdir -p .build/logs
# What failed and what was not run, a line each; files, as steps run in processes of their own.
FAILURES=.build/logs/failures
NOT_RUN=.build/logs/not-run
: >"$FAILURES"
: >"$NOT_RUN"

failed() { grep -qxF -- "$1" "$FAILURES" || printf '%s\n' "$1" >>"$FAILURES"; }

# step NAME COMMAND...: run it under a heading; a failure is remembered and the run goes on. Returns its status.
step() {
    local name=$1 began=$SECONDS status=0
    shift
    printf '\n== %s\n' "$name"
    "$@" </dev/null || status=$?
    if [ "$status" -eq 0 ]; then
        printf -- '-- %s: ok (%d s)\n' "$name" $((SECONDS - began))
    else
        printf -- '-- %s: FAILED (exit %d, %d s)\n' "$name" "$status" $((SECONDS - began))
        failed "$name"
    fi
    return "$status"
}

# together 'NAME=COMMAND ARGUMENT...'...: the steps at the same time, what they print one after the other. The words of
# COMMAND hold no spaces.
together() {
    local pair words pids=() status i
    i=0
    for pair in "$@"; do
        read -ra words <<<"${pair#*=}"
        step "${pair%%=*}" "${words[@]}" >".build/logs/together-$i.log" 2>&1 &
        pids+=($!)
        i=$((i + 1))
    done
    i=0
    for pair in "$@"; do
        status=0
        wait "${pids[$i]}" || status=$?
        cat ".build/logs/together-$i.log"
        [ "$status" -eq 0 ] || failed "${pair%%=*}"
        i=$((i + 1))
    done
}

# at_leisure COMMAND...: as a step of `together`, on what the others leave of the processors.
at_leisure() {
    renice -n 19 -p "$BASHPID" >/dev/null
    "$@"
}

# A check that cannot run: locally a note, in CI a failure, never silence.
cannot() {
    printf '\n== %s\n' "$1"
    if in_ci; then
        printf -- '-- %s: FAILED, cannot run: %s\n' "$1" "$2"
        failed "$1 (cannot run: $2)"
    else
        printf -- '-- %s: NOT RUN: %s\n' "$1" "$2"
        printf '%s: %s\n' "$1" "$2" >>"$NOT_RUN"
    fi
}

# --- building and pytest -----------------------------------------------------------------------------------------

# Build a wheel of the checkout and install it, with all that the tests need, into the venv of version $1.
build() {
    local version=$1 python=${interpreter[$1]} venv=.venv-tests-$1 wheels=.build/wheel-$1 wheel stamp
    make_venv "$venv" "$python" || return 1
    stamp=$(fingerprint "$("$venv/bin/python" -VV)")
    if [ "$(cat "$venv/.built" 2>/dev/null)" = "$stamp" ]; then
        say "unchanged since the last build in $venv"
        return 0
    fi
    rm -f "$venv/.built"
    copy_sources ".build/source-$version"
    rm -rf "$wheels"
    PERFCORE_WERROR=1 quietly "$venv/bin/python" -m pip wheel -q --no-build-isolation --no-deps -w "$wheels" \
        ".build/source-$version" || return 1
    wheel=$(echo "$wheels"/perfcore-*.whl)
    # Bytecode is made on import, of what is imported.
    quietly "$venv/bin/python" -m pip install -q --no-compile --force-reinstall --no-deps "$wheel" &&
        quietly "$venv/bin/python" -m pip install -q --no-compile "${wheel}[dev]" clang-format==14.0.6 || return 1
    printf '%s\n' "$stamp" >"$venv/.built"
}

# Where run_pytest NAME keeps its output.
log_of() {
    printf '.build/logs/pytest-%s.log\n' "${1//[^a-z0-9.]/-}"
}

# run_pytest NAME PYTHON ARGUMENT...: pytest on the installed package, its output kept for the closing summary.
# -P keeps the checkout off sys.path, where the source package without its extension would shadow the installed one;
# tests/unit/test_installed.py checks that with PERFCORE_TEST_INSTALLED.
run_pytest() {
    local name=$1 python=$2 log status=0 module=(-m pytest)
    shift 2
    [ "$1" = -m ] && module=()
    mkdir -p .build/logs
    log=$(log_of "$name")
    # A shell starts what runs in the background with Ctrl-C ignored, nohup with SIGHUP; there are tests of both.
    env --default-signal=INT,HUP "$python" -P ${module[@]+"${module[@]}"} "$@" ${pytest_args[@]+"${pytest_args[@]}"} 2>&1 | tee "$log" || status=$?
    return "$status"
}

test_installed() {
    PERFCORE_TEST_INSTALLED="$ROOT/.venv-tests-$1" run_pytest "pytest $1" ".venv-tests-$1/bin/python" tests
}

# --- coverage ----------------------------------------------------------------------------------------------------

# The tests on a build with gcov, under coverage.py; what both saw is printed after. Those of the extension alone run without
# coverage.py: a tracer that is called where there is no memory ends them. The tables are this step's result: a test that
# fails under a tracer is reported by pytest, and by the everyday run if it is a real failure.
measure_coverage() {
    local version=$1 python=$ROOT/.venv-tests-$1/bin/python site=$ROOT/.build/coverage-$1
    local source=.build/source-coverage-$1 data=$ROOT/.build/coverage-data
    rm -rf "$site" "$data"
    mkdir -p "$data"
    copy_sources "$source"
    PERFCORE_COVERAGE=1 quietly "$python" -m pip install -q --no-build-isolation --no-deps --target "$site" "$source" || return 1
    "$python" tests/c/run.py --under coverage || return 1
    PERFCORE_TEST_INSTALLED=$site PYTHONPATH=$site run_pytest "coverage of C $version" "$python" tests/cpy
    PERFCORE_TEST_INSTALLED=$site PYTHONPATH=$site COVERAGE_FILE=$data/python \
        run_pytest "coverage $version" "$python" -m coverage run --rcfile="$ROOT/tests/coverage.ini" \
        -m pytest tests/unit tests/e2e ||
        note "some tests fail under coverage.py: what they would have run is missing below"
    COVERAGE_FILE=$data/python "$python" -m coverage combine -q "$data" &&
        COVERAGE_FILE=$data/python "$python" -m coverage report --rcfile=tests/coverage.ini
    "$python" tests/coverage.py .build/c-coverage "$source" --missing --reasons tests/uncovered.toml
}

# --- the run -----------------------------------------------------------------------------------------------------

install_build_packages || die "the system packages named above could not be installed"
install_postgres || cannot "tests with PostgreSQL" "no server is here, and none could be installed"

found=()
declare -A interpreter
look_for_pythons() {
    local version path
    found=()
    for version in "${versions[@]}"; do
        path=$(find_python "$version") || continue
        if complete_python "$path" "$version"; then
            interpreter[$version]=$path
            found+=("$version")
        fi
    done
}
look_for_pythons
if [ ${#found[@]} -eq 0 ]; then
    install_some_python "${versions[@]}" && look_for_pythons
fi
[ ${#found[@]} -gt 0 ] || die "no usable Python ${versions[*]} on this machine; install one (e.g. apt-get install python3.11 python3.11-dev python3.11-venv)"
for version in "${versions[@]}"; do
    if [ -n "${interpreter[$version]:-}" ]; then
        say "Python $version: ${interpreter[$version]}"
    else
        note "Python $version is not on this machine; not tested"
        printf 'Python %s: not on this machine\n' "$version" >>"$NOT_RUN"
    fi
done

steps=()
for version in "${found[@]}"; do
    steps+=("build $version=build $version")
done
# Pages are looked at in a browser, which nobody's own machine is given for that.
case $mode in all | quick | coverage) in_ci && steps+=("a browser=install_browser") ;; esac
together "${steps[@]}"
built=()
for version in "${found[@]}"; do
    [ -f ".venv-tests-$version/.built" ] && built+=("$version")
done
first=${built[0]:-}
rm -f .build/logs/pytest-*.log
if [ "$mode" = soak ]; then
    for version in "${built[@]}"; do
        step "soak $version" ".venv-tests-$version/bin/python" -P tests/soak.py --seconds "$soak_seconds"
    done
elif [ "$mode" != sanitize ] && [ "$mode" != coverage ] && [ ${#built[@]} -gt 0 ]; then
    steps=()
    for version in "${built[@]}"; do
        steps+=("pytest $version=test_installed $version")
    done
    [ "$mode" = all ] && steps+=("checks=at_leisure checks $first" "sanitized build $first=at_leisure build_sanitized $first")
    together "${steps[@]}"
fi

if [ ${#built[@]} -gt 0 ]; then
    if [ "$mode" = coverage ]; then
        step "coverage $first" measure_coverage "$first"
    elif [ "$mode" != quick ] && [ "$mode" != soak ]; then
        step "C tests" ".venv-tests-$first/bin/python" tests/c/run.py
        [ "$mode" = sanitize ] && test_c_at_length "$first"
        sanitized=("$first")
        [ "$mode" = sanitize ] && sanitized=("${built[@]}")
        for version in "${sanitized[@]}"; do
            [ "$mode" != sanitize ] || step "sanitized build $version" build_sanitized "$version"
            [ -f ".build/sanitize-$version/.built" ] || continue
            steps=()
            for malloc in malloc pymalloc; do
                for half in 1 2; do # of the files, side by side: two processors have as much to do
                    steps+=("sanitized $version $malloc $half=test_sanitized $version $malloc $half")
                done
            done
            together "${steps[@]}"
            [ "$mode" != sanitize ] || step "threads under TSan $version" test_threads "$version"
            if [ "$mode" = sanitize ] && have_debug_python "$version"; then
                step "debug build of Python $version" test_debug "$version"
            fi
        done
        fuzz
    fi
fi

printf '\n== summary (%d s)\n' "$SECONDS"
for log in .build/logs/pytest-*.log; do
    [ -f "$log" ] && printf '%s: %s\n' "$(basename "$log" .log)" \
        "$(grep -E '^=+ .*(passed|failed|error|skipped|no tests ran|deselected).* =+$' "$log" | tail -n 1)"
done
sed 's/^/not run: /' "$NOT_RUN"
if [ -s "$FAILURES" ]; then
    sed 's/^/FAILED: /' "$FAILURES"
    exit 1
fi
say "all passed"
