#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The comparison of the action: BASE (or the merge base with TARGET, or BEFORE) against the checkout. Writes ab.json,
# comment.md and number.txt to RUNNER_TEMP/perfcore, the comment to the job's summary, and the verdict to its outputs.
# Exit code as perfcore ab: 0 passed, 1 a proven slow-down, 2 could not judge.
set -uo pipefail

out=$RUNNER_TEMP/perfcore
mkdir -p "$out"
[ -n "${NUMBER:-}" ] && printf '%s\n' "$NUMBER" >"$out/number.txt"

verdict() { printf 'verdict=%s\n' "$1" >>"$GITHUB_OUTPUT"; }

base=$BASE
if [ -z "$base" ] && [ -n "$TARGET" ]; then
    base=$(git merge-base "$TARGET" HEAD) || {
        echo "::error::no merge base with the pull request's target: check out with fetch-depth: 0"
        exit 2
    }
fi
[ -n "$base" ] || base=$BEFORE
if [ -z "$base" ] || ! git cat-file -e "$base^{commit}" 2>/dev/null; then
    echo "::notice::there is no earlier commit to compare with"
    verdict "nothing to compare"
    exit 0
fi

arguments=(--threshold "$THRESHOLD%" --mode exceeds --max-time "$MAX_TIME" --json)
[ -n "$FILTER" ] && arguments+=(--filter "$FILTER")
read -ra benchmarks <<<"$BENCHMARKS"
python -P -m perfcore ab "${arguments[@]}" "$base" -- "${benchmarks[@]}" >"$out/ab.json"
status=$?
if [ -s "$out/ab.json" ]; then # the figures are there even where a benchmark fails on head alone
    python -P -m perfcore report "$out/ab.json" --format github --output - >"$out/comment.md" || exit 2
    cat "$out/comment.md" >>"$GITHUB_STEP_SUMMARY"
fi
if [ "$status" -gt 1 ]; then
    echo "::error::perfcore ab could not judge (exit code $status); what it said is above"
    exit "$status"
fi
if [ "$status" -eq 1 ]; then
    echo "::error::slower than $(git rev-parse --short "$base") by more than $THRESHOLD %; see the summary"
    verdict regression
else
    verdict ok
fi
exit "$status"
