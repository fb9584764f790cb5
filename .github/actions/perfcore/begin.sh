#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Begins what the action leaves in RUNNER_TEMP/perfcore: of a pull request its NUMBER, by which the comment finds it.
set -euo pipefail
out=$RUNNER_TEMP/perfcore
rm -rf "$out" # what another comparison of this job has left
mkdir -p "$out"
if [ -n "$NUMBER" ]; then
    printf '%s\n' "$NUMBER" >"$out/number.txt"
fi
