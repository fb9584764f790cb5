#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds every tests/fuzz/fuzz_*.c with the core under libFuzzer, ASan and UBSan, and runs each for SECONDS on its
# corpus (tests/fuzz/corpus/NAME/ for fuzz_NAME.c, what hours of it found in NAME.tar.gz there, a dictionary in
# tests/fuzz/NAME.dict if there is one), as many at a time as there are processors.
#
#   tests/fuzz/run.sh SECONDS [CLANG] [NAME...]
#
# A first line `// python: NAME...` says that a target has Python inside and files csrc/ext/workload/NAME.c besides the
# core; it is built with the headers and the library of $PYTHON (python3), and left out where that has no library.
#
# What it finds stays in .build/fuzz/NAME/: the growing corpus, and crash-* files to replay with .build/fuzz/NAME/fuzz.
# After a long run, the least of it that reaches as much is kept:
#
#   mkdir kept && .build/fuzz/NAME/fuzz -merge=1 -max_len=2048 kept .build/fuzz/NAME/corpus
#   tar c --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C kept . | gzip -9n >tests/fuzz/corpus/NAME.tar.gz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
    echo "usage: tests/fuzz/run.sh SECONDS [CLANG] [NAME...]" >&2
    exit 2
}
clang=${2:-clang}
shift $(($# < 2 ? $# : 2))

shopt -s nullglob
read -ra flags <<<"-std=c11 -O1 -g -ffp-contract=off -D_GNU_SOURCE -fno-omit-frame-pointer \
-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Icsrc/core \
$(pkg-config --cflags libcjson libproc2)"
read -ra libraries <<<"$(pkg-config --libs libcjson libproc2) -lm -pthread"
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0

# at_once FUNCTION ARGUMENT...: the function on each argument, no more at a time than processors; 1 when one failed.
at_once() {
    local function=$1 argument status=0 running=0 most
    most=$(nproc)
    shift
    for argument in "$@"; do
        if [ "$running" -ge "$most" ]; then
            wait -n || status=1
            running=$((running - 1))
        fi
        "$function" "$argument" &
        running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do
        wait -n || status=1
        running=$((running - 1))
    done
    return $status
}

compile_core() {
    local object=${1#csrc/core/}
    "$clang" "${flags[@]}" -c -o ".build/fuzz/core/${object//\//-}.o" "$1"
}

# Print what a program with Python inside is compiled and linked with; 1 where it cannot be linked.
python_flags() {
    local words
    words=$("${PYTHON:-python3}" -c 'import sysconfig as s; v = s.get_config_var
print("-I" + s.get_paths()["include"], "-L" + v("LIBDIR"), "-Wl,-rpath," + v("LIBDIR"), "-lpython" + v("LDVERSION"))')
    # shellcheck disable=SC2086
    echo 'int Py_IsInitialized(void); int main(void) { return Py_IsInitialized(); }' |
        "$clang" -x c - $words -o /dev/null 2>/dev/null && printf '%s\n' "$words"
}

fuzz_target() {
    local name=$1 work=.build/fuzz/$1 inputs options bindings python=()
    mkdir -p "$work/corpus"
    inputs=("$work/corpus")
    [ -d "tests/fuzz/corpus/$name" ] && inputs+=("tests/fuzz/corpus/$name")
    if [ -f "tests/fuzz/corpus/$name.tar.gz" ] &&
        ! tar -xzf "tests/fuzz/corpus/$name.tar.gz" --no-same-owner -C "$work/corpus"; then
        echo "fuzz_$name: its corpus cannot be unpacked"
        return 1
    fi
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/")
    [ -f "tests/fuzz/$name.dict" ] && options+=(-dict="tests/fuzz/$name.dict")
    read -ra bindings <<<"$(sed -n '1s|^// python: ||p' "tests/fuzz/fuzz_$name.c")"
    if [ ${#bindings[@]} -gt 0 ]; then
        if ! read -ra python < <(python_flags); then
            echo "fuzz_$name: left out, for ${PYTHON:-python3} has no libpython to link with"
            return 0
        fi
        bindings=("${bindings[@]/#/csrc/ext/workload/}")
        python+=(-Icsrc/ext "${bindings[@]/%/.c}")
        options+=(-detect_leaks=0) # only at the end: the interpreter's caches would have it look after each input
    fi
    if ! "$clang" "${flags[@]}" -fsanitize=fuzzer -o "$work/fuzz" "tests/fuzz/fuzz_$name.c" .build/fuzz/core/*.o "${python[@]}" "${libraries[@]}"; then
        echo "fuzz_$name: does not build"
        return 1
    fi
    if ! "$work/fuzz" "${options[@]}" "${inputs[@]}" >"$work/log" 2>&1; then
        printf 'fuzz_%s: FAILED\n%s\n' "$name" "$(tail -n 60 "$work/log")"
        return 1
    fi
    echo "fuzz_$name: ok, $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") inputs, $(sed -n 's/.* \(cov: [0-9]*\).*/\1/p' "$work/log" | tail -n 1)"
}

targets=()
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    targets+=("$name")
done
[ ${#targets[@]} -gt 0 ] || {
    echo "no fuzz target of that name" >&2
    exit 2
}
rm -rf .build/fuzz/core
mkdir -p .build/fuzz/core
mapfile -t core < <(find csrc/core -name '*.c' | sort)
at_once compile_core "${core[@]}" || {
    echo "the core does not build for fuzzing"
    exit 1
}
at_once fuzz_target "${targets[@]}" || {
    echo "fuzz targets: ${#targets[@]}, not all passed"
    exit 1
}
echo "fuzz targets: ${#targets[@]} passed"
