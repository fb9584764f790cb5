#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds perfcore into .venv, runs the benchmarks, and checks them against the baseline (or
# makes the first one). See --help.
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 2
# shellcheck source=../.ci/lib.sh
. .ci/lib.sh

RESULTS=benchmarks/results
BASELINE=$RESULTS/baseline/baseline_results.json
VENV=.venv

usage() {
    cat <<'TEXT'
usage: benchmarks/run_performance_benchmarks.sh [--quick] [--passes N] [--filter EXPR] [--profile]
                                                [--update-baseline] [--postgres] [--python 3.11|3.12]

Runs `pytest benchmarks --benchmark-only` on perfcore's loops, several times. Where something is missing it is installed first: system
packages (with sudo where not root), a virtual environment in .venv, perfcore itself built from this checkout.

  --quick            one pass of at most 0.2 s for each benchmark, less where 1 % precision is reached sooner
  --passes N         run the suite N times, one after the other (default: 10; with --quick: 1), each in a process of
                     its own; of each benchmark the pass with the lowest median counts, because what others do on the
                     machine takes time and gives none. The results say which pass that is and how far apart they lay.
                     Each benchmark has 2 s for all of them, but 0.2 s to 1 s in each. By default, passes that 14 minutes
                     have no room for are left out; of N passes, none
  --filter EXPR      only the benchmarks that match, as in pytest -k; makes no first baseline
  --profile          also run each benchmark once under cProfile and show its slowest functions
  --update-baseline  make this run the baseline instead of checking against it; the old one stays as .previous.json
  --postgres         run the database suite on PostgreSQL too, on a server that is started for the run on a free port
                     of 127.0.0.1 and removed afterwards (Debian's packages, installed where missing); to use a
                     server of your own, leave this out and set PERFCORE_DATABASE_URL
  --python VERSION   use this Python (default: the one of .venv, else the newest of 3.12 and 3.11 found)

Files, under benchmarks/results/: daily/DATE_TIME_results.json (this run), latest.json (a copy of it),
baseline/baseline_results.json, dashboard/report.html (this run beside the baseline). A whole run, without --quick and
--filter, of a tagged commit without changes is kept as releases/TAG_results.json, too; one without --passes is added to
the history, which perfcore trends shows: history.db, or what pyproject.toml says.

Exit code: 0 passed, 1 a regression or a failed benchmark, 2 could not measure or judge.
TEXT
}

quick= passes= filter= profile= update= postgres= version=
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=yes ;;
    --passes | --passes=*)
        if [ "$1" = --passes ]; then
            passes=${2:-}
            shift
        else
            passes=${1#*=}
        fi
        [[ $passes =~ ^[1-9][0-9]?$ ]] || die "--passes takes a number from 1 to 99"
        ;;
    --filter)
        [ -n "${2:-}" ] || die "--filter takes an expression, as pytest -k does"
        filter=$2
        shift
        ;;
    --filter=?*) filter=${1#*=} ;;
    --profile) profile=yes ;;
    --update-baseline) update=yes ;;
    --postgres) postgres=yes ;;
    --python)
        [[ ${2:-} =~ ^3\.1[12]$ ]] || die "--python takes 3.11 or 3.12"
        version=$2
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) die "unknown argument: $1 (see --help)" ;;
    esac
    shift
done

[ -z "$filter" ] || [ -z "$update" ] ||
    die "--update-baseline with --filter would leave only the filtered benchmarks in the baseline; give one of the two"

# --- what is needed ----------------------------------------------------------------------------------------------

# Print the interpreter that .venv was made from, when there is one and it will do.
venv_python() {
    local path
    [ -x "$VENV/bin/python" ] || return 1
    for wanted in ${version:-3.12 3.11}; do
        path=$(python_path "$VENV/bin/python" "$wanted") && printf '%s %s\n' "$wanted" "$path" && return 0
    done
    return 1
}

choose_python() {
    local wanted path
    read -r wanted path < <(venv_python) && python_complete "$path" && {
        version=$wanted python=$path
        return 0
    }
    for wanted in ${version:-3.12 3.11}; do
        path=$(find_python "$wanted") || continue
        complete_python "$path" "$wanted" || continue
        version=$wanted python=$path
        return 0
    done
    return 1
}

python=
install_build_packages || die "the system packages named above could not be installed"
[ -z "$postgres" ] || install_postgres ||
    die "there is no PostgreSQL server and it could not be installed; install it, or run without --postgres"
choose_python || {
    # shellcheck disable=SC2086 # the versions are words
    install_some_python ${version:-3.12 3.11} && choose_python
} || die "no usable Python ${version:-3.12 or 3.11} on this machine; install one (e.g. apt-get install python3.11 python3.11-dev python3.11-venv)"

# Editable, so that one can go on working in .venv; rebuilt when a source changed.
build() {
    local stamp
    make_venv "$VENV" "$python" || return 1
    stamp=$(fingerprint "$("$VENV/bin/python" -VV)" editable)
    if [ "$(cat "$VENV/.built" 2>/dev/null)" != "$stamp" ] || ! "$VENV/bin/python" -c 'import perfcore._core' 2>/dev/null; then
        say "building perfcore for Python $version in $VENV"
        rm -f "$VENV/.built"
        quietly "$VENV/bin/python" -m pip install -q --no-build-isolation -e '.[test]' || return 1
        printf '%s\n' "$stamp" >"$VENV/.built"
    fi
}
build || die "perfcore could not be built; the output above says why"

# --- the run -----------------------------------------------------------------------------------------------------

# What a shell may hold and a measurement must not inherit.
unset PYTHONPATH PYTHONHOME PYTHONMALLOC PYTHONDEVMODE PYTEST_ADDOPTS

mkdir -p "$RESULTS/daily" "$RESULTS/baseline" || die "cannot write to $RESULTS"
whole=
[ -n "$filter$quick$passes" ] || whole=yes
results=$RESULTS/daily/$(date +%Y-%m-%d_%H%M%S)_results.json
if [ -n "$quick" ]; then
    passes=${passes:-1}
    size=(--passes "$passes" --benchmark-max-time=0.2 --perfcore-precision=1%)
else
    limit=()
    [ -n "$passes" ] || limit=(--max-time 840) # a loaded machine is through in 15 minutes, too
    passes=${passes:-10}
    ms=$((2000 / passes)) # for a benchmark in a pass: its part of 2 s, but from 0.2 s to 1 s
    ms=$((ms > 1000 ? 1000 : ms < 200 ? 200 : ms))
    size=(--passes "$passes" "${limit[@]}" --benchmark-max-time="$((ms / 1000)).$(printf %03d $((ms % 1000)))")
fi
pytest=("$VENV/bin/python" -P -m perfcore.suite.passes "${size[@]}" --output "$results"
    benchmarks --benchmark-only --benchmark-disable-gc)
[ -n "$filter" ] && pytest+=(-k "$filter")
# The table of one pass of many is not that of the results, which is shown below.
[ "$passes" -gt 1 ] && [ -z "$profile" ] && pytest+=(--benchmark-quiet)
[ -n "$profile" ] && pytest+=(--benchmark-cprofile=tottime --benchmark-cprofile-top=10)

# The server is a child of the wrapper: it ends when the wrapper does, on Ctrl-C too.
[ -n "$postgres" ] && pytest=("$VENV/bin/python" -P -m perfcore.suite.postgres "${pytest[@]}")

say "running: ${pytest[*]}"
"${pytest[@]}" </dev/null
status=$?
[ -s "$results" ] || rm -f "$results"
case $status in
0) ;;
1)
    [ -f "$results" ] && say "results of the benchmarks that passed: $results"
    say "FAILED: a benchmark failed; nothing is judged and the baseline is as it was"
    exit 1
    ;;
69)
    [ -n "$postgres" ] && die "no PostgreSQL server could be started; run without --postgres, or see above"
    die "pytest ended with exit code 69"
    ;;
5)
    die "no benchmark matches${filter:+ --filter $filter}"
    ;;
*)
    [ -f "$results" ] && say "what was measured so far: $results"
    die "pytest ended with exit code $status; nothing is judged and the baseline is as it was"
    ;;
esac
[ -f "$results" ] || die "pytest passed but wrote no results: did every benchmark skip itself?"
cp "$results" "$RESULTS/.latest.json.new" && mv "$RESULTS/.latest.json.new" "$RESULTS/latest.json" ||
    die "cannot write $RESULTS/latest.json"
tag=$(git describe --tags --exact-match --dirty 2>/dev/null) || tag=
release=
if [ -n "$tag" ] && [[ $tag != *-dirty ]] && [ -z "$filter$quick" ]; then
    release=$RESULTS/releases/${tag//\//-}_results.json
    mkdir -p "$RESULTS/releases" && cp "$results" "$release" || die "cannot write $release"
fi

# --- the verdict -------------------------------------------------------------------------------------------------

perfcore=("$VENV/bin/perfcore")
say
if [ "$passes" -gt 1 ] && { [ -n "$update" ] || [ ! -f "$BASELINE" ]; }; then
    "${perfcore[@]}" analyze "$results" # a check shows the figures, too
    say
fi
if [ -n "$update" ] && [ -f "$BASELINE" ]; then
    # --force: the user has asked for these figures, slower or not; the old baseline stays beside as .previous.json.
    "${perfcore[@]}" baseline update "$results" --baseline "$BASELINE" --force
    status=$?
elif [ ! -f "$BASELINE" ] && [ -n "$filter" ]; then
    note "there is no baseline yet, and a filtered run makes none: run once without --filter"
    status=0
elif [ ! -f "$BASELINE" ]; then
    say "no baseline yet: this run becomes it"
    "${perfcore[@]}" baseline save "$results" --baseline "$BASELINE"
    status=$?
else
    "${perfcore[@]}" check "$results" --baseline "$BASELINE" --fail-on-regression
    status=$?
fi

# The targets are told beside the verdict, which is about change: a slow machine misses them in every run.
if [ -z "$filter" ]; then
    say
    "${perfcore[@]}" validate-sla "$results" --sla benchmarks/sla.toml --allow-missing || note "see the targets above"
fi

# Whole runs make the history: beside the fastest of ten passes one quick one looks slower without any change.
if [ -n "$whole" ]; then
    say
    if "${perfcore[@]}" history add "$results"; then
        "${perfcore[@]}" history prune || note "old runs stay in the history"
    else
        note "the run is not in the history"
    fi
fi

# A page that cannot be made takes nothing from the verdict.
against=()
[ -f "$BASELINE" ] && against=(--baseline "$BASELINE")
dashboard=$RESULTS/dashboard/report.html
"$VENV/bin/python" benchmarks/generate_dashboard.py "$results" "${against[@]}" --output "$RESULTS/dashboard" >/dev/null || {
    note "the dashboard could not be written"
    dashboard=
}

say
say "results:  $results"
say "latest:   $RESULTS/latest.json"
[ -n "$release" ] && say "release:  $release"
[ -f "$BASELINE" ] && say "baseline: $BASELINE"
[ -n "$dashboard" ] && say "dashboard: $dashboard"
exit "$status"
