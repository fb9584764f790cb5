# SPDX-License-Identifier: MIT
# Steps of tests/run.sh (bash; sourced, never run): what sees the mistakes that C lets pass. The sanitizers, valgrind, a
# debug build of Python, the fuzz targets. Pythons are built and tested with the functions of run.sh itself.
# shellcheck shell=bash

# build_sanitized VERSION [thread]: with ASan and UBSan into .build/sanitize-VERSION, or with TSan into .build/thread-VERSION.
build_sanitized() {
    local version=$1 python=.venv-tests-$1/bin/python kind=${2:-sanitize} with=${2:-address,undefined} site stamp
    site=.build/$kind-$version
    stamp=$(fingerprint "$("$python" -VV)" "$kind")
    [ "$(cat "$site/.built" 2>/dev/null)" = "$stamp" ] && return 0
    rm -rf "$site"
    copy_sources ".build/source-$kind-$version"
    PERFCORE_SANITIZE=$with quietly "$python" -m pip install -q --no-build-isolation --no-deps \
        --target "$site" ".build/source-$kind-$version" || return 1
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

# test_sanitized VERSION MALLOC HALF: every other one of those files on the ASan+UBSan build. MALLOC=malloc sends every
# object through ASan's allocator, so that leaks are seen; MALLOC=pymalloc keeps CPython's, whose 16-byte alignment catches
# over-aligned structs, and whose pools LSan cannot look into.
test_sanitized() {
    local version=$1 malloc=$2 half=$3 site=$ROOT/.build/sanitize-$1 leaks=1 which=. files try status=0
    # Python alone, which takes 60 times as long in ASan's allocator.
    local of_size=tests/unit/test_reports.py::test_a_thousand_benchmarks
    [ "$malloc" = malloc ] || leaks=0
    # In the everyday run the second allocator sees the tests of the extension as C code; with --sanitize, all.
    [ "$malloc$mode" = pymallocall ] && which='^tests/cpy/'
    mapfile -t files < <(files_to_sanitize | grep "$which" | awk -v half="$half" 'NR % 2 == half % 2')
    [ "${#files[@]}" -gt 0 ] || return 1
    for try in 1 2; do
        status=0
        PERFCORE_TEST_INSTALLED=$site PYTHONPATH=$site PYTHONMALLOC=$malloc LD_PRELOAD=$(gcc -print-file-name=libasan.so) \
            ASAN_OPTIONS=detect_leaks=$leaks LSAN_OPTIONS=suppressions=$ROOT/tests/lsan.supp:print_suppressions=0 \
            UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
            run_pytest "sanitized $version $malloc $half" "$ROOT/.venv-tests-$version/bin/python" "${files[@]}" \
            -p no:cacheprovider --deselect "$of_size" || status=$?
        if [ "$try" = 2 ] || ! leaks_not_looked_for "sanitized $version $malloc $half"; then break; fi
        note "LeakSanitizer itself crashed after the tests had passed; once more"
    done
    return "$status"
}

# leaks_not_looked_for NAME: all tests of that run passed, and LSan could not tell of leaks, since it crashed. It does so now
# and then where threads are (google/sanitizers#1353).
leaks_not_looked_for() {
    local log
    log=$(log_of "$1")
    grep -q '^==[0-9]*==LeakSanitizer has encountered a fatal error' "$log" && ! grep -qE '^=+ .*(failed|error).* =+$' "$log"
}

# Those of the files that have threads, on the TSan build in the usual interpreter: its locks are the system's, so what the GIL
# guards is seen to be guarded. Left out are two tests that TSan's own thread spoils, and one whose signals it holds back.
test_threads() {
    local version=$1 site=$ROOT/.build/thread-$1 logs=$ROOT/.build/logs/tsan files status=0
    build_sanitized "$version" thread || return 1
    rm -f "$logs".*
    mapfile -t files < <(files_to_sanitize | xargs grep -lE 'messaging|threading')
    PERFCORE_TEST_INSTALLED=$site PYTHONPATH=$site LD_PRELOAD=$(gcc -print-file-name=libtsan.so) \
        TSAN_OPTIONS=exitcode=0:die_after_fork=0:allocator_may_return_null=1:log_path=$logs:suppressions=$ROOT/tests/tsan.supp:print_suppressions=0 \
        run_pytest "threads $version" "$ROOT/.venv-tests-$version/bin/python" "${files[@]}" -p no:cacheprovider \
        --deselect tests/unit/test_metrics_collector.py::test_sees_memory_and_its_own_absence \
        --deselect tests/unit/test_process.py::test_switches_of_another_process_with_threads_are_absent \
        --deselect tests/unit/messaging/test_message_history.py::test_an_endless_iterator_can_be_interrupted || status=$?
    # Children tell of theirs in files of their own.
    ! grep -h -A12 '^WARNING: ThreadSanitizer' "$logs".* 2>/dev/null || status=1
    return "$status"
}

# The C tests once more: of the code for processors without SSE2; those with threads under TSan; and all under valgrind,
# which sees what is read before it is set.
test_c_at_length() {
    local python=.venv-tests-$1/bin/python
    step "C tests without SSE2" "$python" tests/c/run.py --under scalar
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
