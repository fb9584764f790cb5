#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds every tests/fuzz/fuzz_*.c with the core under libFuzzer, ASan and UBSan, and runs each for SECONDS on its
# corpus (tests/fuzz/corpus/NAME/ for fuzz_NAME.c, a dictionary in tests/fuzz/NAME.dict if there is one), as many at a
# time as there are processors.
#
#   tests/fuzz/run.sh SECONDS [CLANG] [NAME...]
#
# What it finds stays in .build/fuzz/NAME/: the growing corpus, and crash-* files to replay with .build/fuzz/NAME/fuzz.
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

fuzz_target() {
    local name=$1 work=.build/fuzz/$1 inputs options
    mkdir -p "$work/corpus"
    inputs=("$work/corpus")
    [ -d "tests/fuzz/corpus/$name" ] && inputs+=("tests/fuzz/corpus/$name")
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/")
    [ -f "tests/fuzz/$name.dict" ] && options+=(-dict="tests/fuzz/$name.dict")
    if ! "$clang" "${flags[@]}" -fsanitize=fuzzer -o "$work/fuzz" "tests/fuzz/fuzz_$name.c" .build/fuzz/core/*.o "${libraries[@]}"; then
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
