#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds every tests/fuzz/fuzz_*.c with the core under libFuzzer, ASan and UBSan, and runs each for SECONDS on its
# corpus (tests/fuzz/corpus/NAME/ for fuzz_NAME.c, a dictionary in tests/fuzz/NAME.dict if there is one).
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
targets=(tests/fuzz/fuzz_*.c)
read -ra flags <<<"-std=c11 -O1 -g -ffp-contract=off -D_GNU_SOURCE -fno-omit-frame-pointer \
-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Icsrc/core \
$(pkg-config --cflags libcjson libproc2)"
read -ra libraries <<<"$(pkg-config --libs libcjson libproc2) -lm -pthread"
mapfile -t core < <(find csrc/core -name '*.c' | sort)

export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
passed=0 failed=0
for source in "${targets[@]}"; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    work=.build/fuzz/$name
    mkdir -p "$work/corpus"
    inputs=("$work/corpus")
    [ -d "tests/fuzz/corpus/$name" ] && inputs+=("tests/fuzz/corpus/$name")
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/")
    [ -f "tests/fuzz/$name.dict" ] && options+=(-dict="tests/fuzz/$name.dict")
    echo "fuzz_$name: building"
    if ! "$clang" "${flags[@]}" -o "$work/fuzz" "$source" "${core[@]}" "${libraries[@]}"; then
        echo "fuzz_$name: does not build"
        failed=$((failed + 1))
    elif "$work/fuzz" "${options[@]}" "${inputs[@]}" >"$work/log" 2>&1; then
        echo "fuzz_$name: ok, $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") inputs, $(sed -n 's/.* \(cov: [0-9]*\).*/\1/p' "$work/log" | tail -n 1)"
        passed=$((passed + 1))
    else
        echo "fuzz_$name: FAILED"
        tail -n 60 "$work/log"
        failed=$((failed + 1))
    fi
done
echo "fuzz targets: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
