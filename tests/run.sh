#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds perfcore and tests it on every one of Python 3.11 and 3.12 that this machine has. See --help.
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 2
# shellcheck source=../.ci/lib.sh
. .ci/lib.sh

SUPPORTED=(3.11 3.12)

usage() {
    cat <<'TEXT'
usage: tests/run.sh [--only 3.11|3.12] [--quick | --sanitize | --coverage | --soak SECONDS] [--fuzz-seconds N]
                    [-- PYTEST-ARGUMENT...]

Installs the system packages that are missing (with sudo where not root), builds perfcore as a user's `pip install .`
does, and runs the tests on every one of Python 3.11 and 3.12 found; then, once, the checks of the code itself.

  --only VERSION    this Python only; it is an error when it is not there
  --quick           build and pytest only: no checks, no sanitizers, no fuzzing
  --sanitize        only what runs under sanitizers (C tests, pytest on every Python, fuzzing), at length; also
                    valgrind, and a debug build of Python where Debian has one
  --soak SECONDS    build, and sample, track and read for so long on each Python: nothing may grow; nothing else is run
  --coverage        only what runs, of the lines and branches of the C code and of the Python code: the C tests and
                    pytest on the first Python found, on a build with gcov; prints a table by file
  --fuzz-seconds N  time for each fuzz target (default 20; with --sanitize 120)
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
    fuzz_seconds=20
    [ "$mode" = sanitize ] && fuzz_seconds=120
fi

# What a developer's shell may hold and the tests must not inherit.
unset PYTHONPATH PYTHONHOME PYTHONMALLOC PYTEST_ADDOPTS PERFCORE_SANITIZE PERFCORE_COVERAGE CFLAGS LDFLAGS

failures=()
skipped=()
SECONDS=0

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
        failures+=("$name")
    fi
    return "$status"
}

# together 'NAME=COMMAND ARGUMENT...'...: the steps at the same time, what they print one after the other. The words of
# COMMAND hold no spaces.
together() {
    local pair words pids=() status i
    mkdir -p .build/logs
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
        [ "$status" -eq 0 ] || failures+=("${pair%%=*}")
        i=$((i + 1))
    done
}

# A check that cannot run: locally a note, in CI a failure, never silence.
cannot() {
    printf '\n== %s\n' "$1"
    if in_ci; then
        printf -- '-- %s: FAILED, cannot run: %s\n' "$1" "$2"
        failures+=("$1 (cannot run: $2)")
    else
        printf -- '-- %s: NOT RUN: %s\n' "$1" "$2"
        skipped+=("$1: $2")
    fi
}

# --- building and pytest -----------------------------------------------------------------------------------------

# Build the checkout and install it, not editable, with all that the tests need, into the venv of version $1.
build() {
    local version=$1 python=${interpreter[$1]} venv=.venv-tests-$1 stamp
    make_venv "$venv" "$python" || return 1
    stamp=$(fingerprint "$("$venv/bin/python" -VV)")
    if [ "$(cat "$venv/.built" 2>/dev/null)" = "$stamp" ]; then
        say "unchanged since the last build in $venv"
        return 0
    fi
    rm -f "$venv/.built"
    copy_sources ".build/source-$version"
    PERFCORE_WERROR=1 quietly "$venv/bin/python" -m pip install -q --no-build-isolation --force-reinstall --no-deps \
        ".build/source-$version" &&
        quietly "$venv/bin/python" -m pip install -q --no-build-isolation ".build/source-$version[dev]" clang-format==14.0.6 ||
        return 1
    printf '%s\n' "$stamp" >"$venv/.built"
}

# run_pytest NAME PYTHON ARGUMENT...: pytest on the installed package, its output kept for the closing summary.
# -P keeps the checkout off sys.path, where the source package without its extension would shadow the installed one;
# tests/unit/test_installed.py checks that with PERFCORE_TEST_INSTALLED.
run_pytest() {
    local name=$1 python=$2 log status=0 module=(-m pytest)
    shift 2
    [ "$1" = -m ] && module=()
    mkdir -p .build/logs
    log=.build/logs/pytest-${name//[^a-z0-9.]/-}.log
    # A shell starts what runs in the background with Ctrl-C ignored, nohup with SIGHUP; there are tests of both.
    env --default-signal=INT,HUP "$python" -P ${module[@]+"${module[@]}"} "$@" ${pytest_args[@]+"${pytest_args[@]}"} 2>&1 | tee "$log" || status=$?
    return "$status"
}

test_installed() {
    PERFCORE_TEST_INSTALLED="$ROOT/.venv-tests-$1" run_pytest "pytest $1" ".venv-tests-$1/bin/python" tests
}

# --- sanitizers --------------------------------------------------------------------------------------------------

build_sanitized() {
    local version=$1 python=.venv-tests-$1/bin/python site=.build/sanitize-$1 stamp
    stamp=$(fingerprint "$("$python" -VV)" sanitize)
    [ "$(cat "$site/.built" 2>/dev/null)" = "$stamp" ] && return 0
    rm -rf "$site"
    copy_sources ".build/source-sanitize-$version"
    PERFCORE_SANITIZE=address,undefined quietly "$python" -m pip install -q --no-build-isolation --no-deps \
        --target "$site" ".build/source-sanitize-$version" || return 1
    printf '%s\n' "$stamp" >"$site/.built"
}

# The files of tests that reach the C code, but for those that
# - build something or start a database server, as the preloaded library reaches child processes;
# - look at resident memory, which ASan keeps;
# - import NumPy or what brings it, whose objects for the life of the process LSan takes for leaks.
files_to_sanitize() {
    local reaches='_core\b|_memtrace|perfcore\.(messaging|codecs|measure|shm)|perfcore\.judge\.(stats|rank|changepoint|pairs|verdict)'
    reaches+='|perfcore\.record\.(results|json)|^import perfcore$|^from perfcore import'
    local names='(numpy|scipy|sqlalchemy|otava|pymdp|perfcore\.suite)'
    grep -rlE "$reaches" tests/unit tests/cpy --include='test_*.py' | sort |
        xargs grep -LE "^ *(import|from) $names|importorskip\(\"$names" |
        grep -vE '/test_(build|history|memory_tracker)\.py$'
}

# test_sanitized VERSION MALLOC HALF: every other one of those files on the ASan+UBSan build. MALLOC=malloc sends every object through ASan's
# allocator, so that leaks are seen; MALLOC=pymalloc keeps CPython's, whose 16-byte alignment catches over-aligned
# structs, and whose pools LSan cannot look into.
test_sanitized() {
    local version=$1 malloc=$2 half=$3 site=$ROOT/.build/sanitize-$1 leaks=1 which=. files
    [ "$malloc" = malloc ] || leaks=0
    # In the everyday run the second allocator sees the tests of the extension as C code; with --sanitize, all.
    [ "$malloc$mode" = pymallocall ] && which='^tests/cpy/'
    mapfile -t files < <(files_to_sanitize | grep "$which" | awk -v half="$half" 'NR % 2 == half % 2')
    [ "${#files[@]}" -gt 0 ] || return 1
    PERFCORE_TEST_INSTALLED=$site PYTHONPATH=$site PYTHONMALLOC=$malloc LD_PRELOAD=$(gcc -print-file-name=libasan.so) \
        ASAN_OPTIONS=detect_leaks=$leaks LSAN_OPTIONS=suppressions=$ROOT/tests/lsan.supp:print_suppressions=0 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        run_pytest "sanitized $version $malloc $half" "$ROOT/.venv-tests-$version/bin/python" "${files[@]}" -p no:cacheprovider
}

# The C tests once more: those with threads under TSan, and all under valgrind, which sees what is read before it is set.
test_c_at_length() {
    local python=.venv-tests-$1/bin/python
    step "C tests under TSan" "$python" tests/c/run.py --under thread
    if command -v valgrind >/dev/null; then
        step "C tests under valgrind" "$python" tests/c/run.py --under valgrind
    else
        cannot "C tests under valgrind" "no valgrind; install it"
    fi
}

# Whether there is a debug build of Python $1, or could be installed: Debian has one beside its own Python.
have_debug_python() {
    command -v "python$1-dbg" >/dev/null && return 0
    [ "$PACKAGER" = apt ] && apt-cache show "python$1-dbg" >/dev/null 2>&1 &&
        install_packages "python$1-dbg" "python$1-venv" && command -v "python$1-dbg" >/dev/null
}

# The same files in an interpreter that has its assertions in and counts references, in development mode, with CPython's own
# checks of memory.
test_debug() {
    local version=$1 venv=.venv-tests-$1-debug files
    make_venv "$venv" "$(command -v "python$version-dbg")" || return 1
    copy_sources ".build/source-debug-$version"
    quietly "$venv/bin/python" -m pip install -q --no-build-isolation --force-reinstall --no-deps \
        ".build/source-debug-$version" &&
        quietly "$venv/bin/python" -m pip install -q --no-build-isolation ".build/source-debug-$version[test]" || return 1
    mapfile -t files < <(files_to_sanitize)
    PERFCORE_TEST_INSTALLED="$ROOT/$venv" PYTHONDEVMODE=1 PYTHONMALLOC=debug \
        run_pytest "debug $version" "$ROOT/$venv/bin/python" "${files[@]}" -p no:cacheprovider
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

fuzz() {
    local clang
    clang=$(find_fuzzer) || {
        case $PACKAGER in apt) install_packages clang ;; dnf) install_packages clang compiler-rt ;; esac
        clang=$(find_fuzzer) || {
            # Debian and Ubuntu keep the sanitizer runtime in a package named after the version.
            [ "$PACKAGER" = apt ] && install_packages "libclang-rt-$(clang -dumpversion 2>/dev/null | cut -d. -f1)-dev"
            clang=$(find_fuzzer)
        }
    } || {
        cannot fuzzing "no clang that links -fsanitize=fuzzer; install clang and its compiler-rt"
        return
    }
    step "fuzzing, $fuzz_seconds s for each target" env PYTHON=".venv-tests-$first/bin/python" tests/fuzz/run.sh "$fuzz_seconds" "$clang"
}

# Print a clang that can build a fuzz target.
find_fuzzer() {
    local clang out status=1
    out=$(mktemp -d)
    printf '#include <stddef.h>\n#include <stdint.h>\nint LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { (void)d; (void)n; return 0; }\n' >"$out/probe.c"
    for clang in clang $(compgen -c clang- | grep -E '^clang-[0-9]+$' | sort -t- -k2 -rn | uniq); do
        if "$clang" -fsanitize=fuzzer,address,undefined -o "$out/probe" "$out/probe.c" 2>/dev/null; then
            printf '%s\n' "$clang"
            status=0
            break
        fi
    done
    rm -rf "$out"
    return $status
}

# --- checks of the code itself -----------------------------------------------------------------------------------

check_c_format() {
    find csrc tests -name '*.[ch]' -print0 | xargs -0 "$1/clang-format" --dry-run -Werror
}

# The two storeys: the core knows no Python, and allocates through its seam alone.
check_storeys() {
    local found
    found=$(grep -rnE '# *include *[<"]Python\.h|\bPy[A-Z][A-Za-z]*_' csrc/core |
        grep -vE ':[0-9]+: *//' || true)
    found+=$(grep -rnE '\b(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup|asprintf) *\(' csrc/core --include='*.[ch]' |
        grep -vE '^csrc/core/base/pc_alloc\.c:|:[0-9]+: *//' || true)
    [ -z "$found" ] && return 0
    printf '%s\n' "$found"
    return 1
}

analyze_gcc() {
    local file status=0 cflags
    cflags=$(pkg-config --cflags libcjson libproc2)
    while IFS= read -r file; do
        # shellcheck disable=SC2086 # the flags are words
        gcc -std=c11 -O2 -Wall -Wextra -Werror -fanalyzer -D_GNU_SOURCE -Icsrc/core $cflags -c -o /dev/null "$file" || status=1
    done < <(find csrc/core -name '*.c' | sort)
    return $status
}

# shiftNegativeLHS: a right shift of a negative number is implementation-defined, and arithmetic in gcc and clang; a left
# shift is UBSan's to catch.
analyze_cppcheck() {
    cppcheck --quiet --std=c11 --library=posix --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --suppress=shiftNegativeLHS --error-exitcode=1 -D_GNU_SOURCE -Icsrc/core csrc/core
}

checks() {
    local version=$1 bin=.venv-tests-$1/bin
    step "clang-format" check_c_format "$bin"
    step "two storeys" check_storeys
    step "ruff check" "$bin/ruff" check -q setup.py perfcore tests benchmarks .github
    step "ruff format" "$bin/ruff" format -q --check --diff setup.py perfcore tests benchmarks .github
    step "mypy --strict" "$bin/python" -P -m mypy
    step "stubtest" "$bin/python" -P -m mypy.stubtest perfcore._core perfcore._memtrace \
        --allowlist tests/stubtest.allow --ignore-unused-allowlist
    step "gcc -fanalyzer" analyze_gcc
    if command -v cppcheck >/dev/null 2>&1 || { install_packages cppcheck && command -v cppcheck >/dev/null 2>&1; }; then
        step "cppcheck" analyze_cppcheck
    else
        cannot cppcheck "it is not installed and could not be"
    fi
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
        skipped+=("Python $version: not on this machine")
    fi
done

steps=()
for version in "${found[@]}"; do
    steps+=("build $version=build $version")
done
together "${steps[@]}"
built=()
for version in "${found[@]}"; do
    [ -f ".venv-tests-$version/.built" ] && built+=("$version")
done
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
    together "${steps[@]}"
fi

if [ ${#built[@]} -gt 0 ]; then
    first=${built[0]}
    [ "$mode" = all ] && checks "$first"
    if [ "$mode" = coverage ]; then
        step "coverage $first" measure_coverage "$first"
    elif [ "$mode" != quick ] && [ "$mode" != soak ]; then
        step "C tests" ".venv-tests-$first/bin/python" tests/c/run.py
        [ "$mode" = sanitize ] && test_c_at_length "$first"
        sanitized=("$first")
        [ "$mode" = sanitize ] && sanitized=("${built[@]}")
        for version in "${sanitized[@]}"; do
            step "sanitized build $version" build_sanitized "$version" || continue
            steps=()
            for malloc in malloc pymalloc; do
                for half in 1 2; do # of the files, side by side: two processors have as much to do
                    steps+=("sanitized $version $malloc $half=test_sanitized $version $malloc $half")
                done
            done
            together "${steps[@]}"
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
[ ${#skipped[@]} -gt 0 ] && printf 'not run: %s\n' "${skipped[@]}"
if [ ${#failures[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failures[@]}"
    exit 1
fi
say "all passed"
