#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Does what the README says under "From a clone to a caught regression", each line as it stands there, in a folder of its
# own, and tells how long each took. Only the clone's address is replaced: by this repository.
#
#   tests/outside/newcomer.sh [PYTHON]
#
# PYTHON stands for python3 (default: python3). Exit code 0 if every line did what the README says: the first check and the
# comparison end with 1, everything else with 0.
set -euo pipefail
python=$(command -v "${1:-python3}")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work/bin" && cd "$work"
echo "in $work"
ln -sf "$python" bin/python3
mkdir -p origin && ln -sfn "$root" origin/perfcore # the clone is called as the address ends
awk '/^## / { at = /From a clone to a caught regression/ } at && /^```$/ { exit } at && inside; /^```sh$/ { inside = at }' \
    "$root/README.md" | sed "s#https://github.com/OWNER/perfcore#$work/origin/perfcore#" >lines.sh
grep -q 'perfcore ab' lines.sh || { echo "the README has no such lines" >&2 && exit 2; }

# One command is what bash reads as one: the lines of a here-document belong to it.
began=$SECONDS status=0 unexpected=0 command=
export PATH=$work/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
export GIT_AUTHOR_NAME=Somebody GIT_AUTHOR_EMAIL=somebody@example.org GIT_COMMITTER_NAME=Somebody GIT_COMMITTER_EMAIL=somebody@example.org
end=
while IFS= read -r line <&3; do
    command+=$line$'\n'
    if [ -n "$end" ]; then
        [ "$line" = "$end" ] || continue
        end=
    elif [[ $line =~ \<\<\'?([A-Z]+) ]]; then
        end=${BASH_REMATCH[1]}
        continue
    fi
    [ -n "${command//[$' \n']/}" ] || { command= && continue; }
    wanted=0
    [[ $command == *"# exit code 1"* ]] && wanted=1
    printf '\n$ %s' "$command"
    start=$SECONDS status=0
    set +eu
    eval "$command" 3<&-
    status=$?
    set -eu
    printf -- '-- exit code %d, %d s\n' "$status" $((SECONDS - start))
    [ "$status" -eq "$wanted" ] || { echo "-- expected exit code $wanted" && unexpected=1 && break; }
    command=
done 3<lines.sh
printf '\nin all: %d s: %s\n' $((SECONDS - began)) "$([ "$unexpected" -eq 0 ] && echo "as the README says" || echo FAILED)"
exit "$unexpected"
