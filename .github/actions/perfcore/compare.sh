#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The comparison of the action: the checkout against BASE, or what it would be merged into, or the commit before the push.
# TARGET and CHANGE are the tips of a pull request, as its event knows them. Writes ab.json and comment.md to
# RUNNER_TEMP/perfcore, which begin.sh has made, the comment to the job's summary, and the verdict to its outputs.
# Exit code as perfcore ab: 0 passed, 1 a proven slow-down, 2 could not judge.
set -uo pipefail

out=$RUNNER_TEMP/perfcore

verdict() { printf 'verdict=%s\n' "$1" >>"$GITHUB_OUTPUT"; }
is_commit() { git cat-file -e "$1^{commit}" 2>/dev/null; }
cannot() {
    echo "::error::$1"
    exit 2
}

base=$BASE
if [ -n "$base" ]; then
    # The checkout of a pull request has origin/main, and no main.
    is_commit "$base" || base=origin/$BASE
    is_commit "$base" || cannot "base: the checkout has no revision $BASE: see how it is spelt; check out with fetch-depth: 0"
elif [ -n "$TARGET" ]; then
    # What GitHub checks out is the change merged into the target, which may have moved on since TARGET was noted.
    if [ "$(git rev-parse --quiet --verify HEAD^2)" = "${CHANGE:-unknown}" ]; then
        base=$(git rev-parse HEAD^1)
    else
        base=$(git merge-base "$TARGET" HEAD) ||
            cannot "no merge base with the pull request's target: check out with fetch-depth: 0"
    fi
elif [ -n "$BEFORE" ] && [ -n "${BEFORE//0/}" ]; then
    base=$BEFORE
    # After a forced push no branch leads to it.
    is_commit "$base" || git fetch --quiet --depth=1 origin "$base" ||
        cannot "the commit before the push, $base, cannot be fetched: check out with fetch-depth: 0"
else
    echo "::notice::there is no earlier commit to compare with"
    verdict "nothing to compare"
    exit 0
fi

THRESHOLD=${THRESHOLD%\%} # in percent, also where the sign is there
arguments=(--threshold "$THRESHOLD%" --mode exceeds --max-time "$MAX_TIME" --json)
[ -n "$FILTER" ] && arguments+=(--filter "$FILTER")
read -rd '' -a benchmarks <<<"$BENCHMARKS" # of all lines
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
