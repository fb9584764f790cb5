# SPDX-License-Identifier: MIT
# Steps of tests/run.sh (bash; sourced, never run): checks of the code itself.
# shellcheck shell=bash

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
    local version=$1 bin=.venv-tests-$1/bin status=0
    step "clang-format" check_c_format "$bin" || status=1
    step "two storeys" check_storeys || status=1
    step "ruff check" "$bin/ruff" check -q setup.py perfcore tests benchmarks .github || status=1
    step "ruff format" "$bin/ruff" format -q --check --diff setup.py perfcore tests benchmarks .github || status=1
    step "mypy --strict" "$bin/python" -P -m mypy || status=1
    step "stubtest" "$bin/python" -P -m mypy.stubtest perfcore._core perfcore._memtrace \
        --allowlist tests/stubtest.allow --ignore-unused-allowlist || status=1
    step "gcc -fanalyzer" analyze_gcc || status=1
    if command -v cppcheck >/dev/null 2>&1 || { install_packages cppcheck && command -v cppcheck >/dev/null 2>&1; }; then
        step "cppcheck" analyze_cppcheck || status=1
    else
        cannot cppcheck "it is not installed and could not be"
        ! in_ci || status=1
    fi
    return $status
}
