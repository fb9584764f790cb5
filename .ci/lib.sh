# SPDX-License-Identifier: MIT
# Shell functions shared by tests/run.sh and benchmarks/run_performance_benchmarks.sh (bash; sourced, never run):
# system packages, finding Python, virtual environments, building this checkout. The caller has set ROOT to the
# checkout and runs under `set -uo pipefail`. Nothing here reads stdin.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
note() { printf 'note: %s\n' "$*"; }
die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

in_ci() { [ "${CI:-}" = true ] || [ "${CI:-}" = 1 ]; }

# Run a command; show what it printed only when it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        printf 'failed (exit %d): %s\n' "$status" "$*"
        cat "$log"
    fi
    rm -f "$log"
    return "$status"
}

# --- system packages ---------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        # A password can be asked for only where somebody can type it.
        if [ -t 0 ] && [ -t 2 ]; then sudo "$@"; else sudo -n "$@"; fi
    else
        printf 'not root, and there is no sudo: %s\n' "$*"
        return 1
    fi
}

package_installed() {
    case $PACKAGER in
    apt) [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ] ;;
    dnf) rpm -q --quiet "$1" ;;
    *) return 1 ;;
    esac
}

if command -v apt-get >/dev/null 2>&1; then
    PACKAGER=apt
elif command -v dnf >/dev/null 2>&1; then
    PACKAGER=dnf
else
    PACKAGER=none
fi

APT_UPDATED=
# Install those of the named packages that are missing. Says what it installs; 1 when it could not.
install_packages() {
    local missing=() name
    for name in "$@"; do
        package_installed "$name" || missing+=("$name")
    done
    [ "${#missing[@]}" -eq 0 ] && return 0
    case $PACKAGER in
    apt)
        say "installing: ${missing[*]}"
        if [ -z "$APT_UPDATED" ]; then
            # Package lists that are merely old often still serve: let the installation decide.
            quietly as_root apt-get -q update || note "apt-get update failed; trying with the lists there are"
            APT_UPDATED=yes
        fi
        quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
        ;;
    dnf)
        say "installing: ${missing[*]}"
        quietly as_root dnf -q -y install "${missing[@]}"
        ;;
    *) return 1 ;;
    esac
}

# What compiling the extension takes. Where there is no packager we know, the build itself names what is missing.
install_build_packages() {
    case $PACKAGER in
    apt) install_packages build-essential pkg-config libproc2-dev libcjson-dev ;;
    dnf) install_packages gcc make pkgconf procps-ng-devel cjson-devel ;;
    *) note "neither apt-get nor dnf here: a C compiler, pkg-config, libproc2 and libcjson must be installed already" ;;
    esac
}

# Whether a PostgreSQL server's programs are on this machine (Debian keeps them off PATH).
have_postgres() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null 2>&1
}

# Install the PostgreSQL server's programs. Debian would also make a cluster and start it on the standard port, which
# nobody has asked for: its own switch keeps it from that.
install_postgres() {
    have_postgres && return 0
    case $PACKAGER in
    apt)
        if ! package_installed postgresql-common; then
            install_packages postgresql-common || return 1
            quietly as_root sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' \
                /etc/postgresql-common/createcluster.conf || return 1
        fi
        install_packages postgresql
        ;;
    dnf) install_packages postgresql-server ;;
    esac
    have_postgres
}

# Whether a browser that the tests know is on this machine.
have_browser() {
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1
}

install_browser() {
    have_browser || install_packages chromium
    have_browser
}

# --- Python ------------------------------------------------------------------------------------------------------

# Print the path of the CPython $2 that $1 really is, or fail. A pyenv shim of a version that is not selected, a
# broken link or another version fails here. The real path is printed, so that a venv made from it outlives a shim or
# the environment that was active.
python_path() {
    "$1" -c '
import os, sys
if sys.implementation.name != "cpython" or "%d.%d" % sys.version_info[:2] != sys.argv[1]:
    sys.exit(1)
print(os.path.realpath(sys.executable))' "$2" 2>/dev/null </dev/null
}

# Whether an interpreter can make a venv and has Python.h.
python_complete() {
    "$1" -c '
import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' >/dev/null 2>&1 </dev/null
}

# Print the places where a machine may keep Python $1, best first.
python_candidates() {
    local version=$1 root
    type -ap "python$version"
    if command -v pyenv >/dev/null 2>&1 && root=$(pyenv root 2>/dev/null); then
        ls -d "$root/versions/$version".*/bin/"python$version" 2>/dev/null
    fi
    command -v uv >/dev/null 2>&1 && uv python find --no-project --offline "$version" 2>/dev/null
    ls -d "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}/cpython-$version".*/bin/"python$version" 2>/dev/null
    type -ap python python3 # a CI's set-up step
    return 0
}

# Print the best interpreter of version $1: the first complete one, else the first that runs. Fails when there is none.
find_python() {
    local version=$1 candidate path fallback=
    while IFS= read -r candidate; do
        path=$(python_path "$candidate" "$version") || continue
        if python_complete "$path"; then
            printf '%s\n' "$path"
            return 0
        fi
        [ -n "$fallback" ] || fallback=$path
    done < <(python_candidates "$version")
    [ -n "$fallback" ] && printf '%s\n' "$fallback"
}

# Install what interpreter $1 of version $2 lacks (the distribution splits off headers and venv). 1 if it still lacks.
complete_python() {
    python_complete "$1" && return 0
    case $PACKAGER in
    apt) install_packages "python$2-dev" "python$2-venv" ;;
    dnf) install_packages "python$2-devel" ;;
    esac
    python_complete "$1" && return 0
    say "$1 lacks Python.h or the venv module; install python$2-dev and python$2-venv, or another Python $2"
    return 1
}

# Install a Python from the distribution, whichever of the versions $@ it offers first. For machines with none.
install_some_python() {
    local version
    [ "$PACKAGER" = apt ] && [ -z "$APT_UPDATED" ] && quietly as_root apt-get -q update && APT_UPDATED=yes
    for version in "$@"; do
        case $PACKAGER in
        apt)
            apt-cache show "python$version" >/dev/null 2>&1 || continue
            install_packages "python$version" "python$version-dev" "python$version-venv" && return 0
            ;;
        dnf) install_packages "python$version" "python$version-devel" && return 0 ;;
        esac
    done
    return 1
}

# --- virtual environments and builds -----------------------------------------------------------------------------

# Make venv $1 from interpreter $2, unless it is there, works, and came from the same interpreter.
make_venv() {
    local venv=$1 python=$2 origin
    origin="$python $("$python" -VV 2>&1 | tr '\n' ' ')"
    if [ "$(cat "$venv/.made-from" 2>/dev/null)" = "$origin" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        return 0
    fi
    rm -rf "$venv"
    quietly "$python" -m venv "$venv" || return 1
    quietly "$venv/bin/python" -m pip install -q --upgrade pip 'setuptools>=77' || return 1
    printf '%s\n' "$origin" >"$venv/.made-from"
}

# Print a checksum of everything that decides what a build of this checkout gives, and of the words $@.
fingerprint() {
    {
        printf '%s\n' "$@"
        cd "$ROOT" && find csrc perfcore -type f \( -name '*.[ch]' -o -name '*.py' -o -name '*.pyi' -o -name py.typed \) \
            -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        sha256sum setup.py pyproject.toml README.md
    } | sha256sum | cut -d' ' -f1
}

# Copy what a source distribution holds to $1, so that a build neither litters the checkout nor picks up old objects.
copy_sources() {
    rm -rf "$1"
    mkdir -p "$1"
    (cd "$ROOT" && tar -cf - --exclude='*.so' --exclude=__pycache__ \
        setup.py pyproject.toml README.md LICENSE csrc perfcore) | tar -xf - -C "$1"
}
