#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the two C libraries that a wheel carries, libproc2 (procps-ng, LGPL-2.1-or-later) and cJSON (MIT), where the
# distribution has none: the manylinux images do not. Their licences go to PREFIX/share/licenses, for repair.sh.
#
#   .github/wheels/libraries.sh PREFIX
#
# The sources are Debian's copies of the releases, checked against the sums below; a folder PERFCORE_SOURCES that holds
# them already is used instead of the network. Takes a C compiler, make, tar with xz, and curl.
set -euo pipefail

PROCPS=procps_4.0.2.orig.tar.xz
PROCPS_SUM=ee3fcd2ea6ff94aa43a81ba5cc7912b7c9615acd2911c7a3d3ea081287fdf47a
CJSON=cjson_1.7.15.orig.tar.gz
CJSON_SUM=5308fd4bd90cef7aa060558514de6a1a4a0819974a26e6ed13973c5f624c24b2
POOL=https://deb.debian.org/debian/pool/main

prefix=${1:-}
[ -n "$prefix" ] || {
    echo "usage: .github/wheels/libraries.sh PREFIX" >&2
    exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# source FILE POOL-FOLDER SUM: unpack the release into $work/NAME, whatever its own top folder is called.
source_of() {
    local file=$1 folder=$2 sum=$3 into=$work/${1%%_*}
    if [ -n "${PERFCORE_SOURCES:-}" ]; then
        cp "$PERFCORE_SOURCES/$file" "$work/$file"
    else
        curl -fsSL --retry 3 -o "$work/$file" "$POOL/$folder/$file"
    fi
    printf '%s  %s\n' "$sum" "$work/$file" | sha256sum --check --quiet
    mkdir "$into"
    tar -xf "$work/$file" -C "$into" --strip-components=1
}

source_of "$PROCPS" p/procps "$PROCPS_SUM"
source_of "$CJSON" c/cjson "$CJSON_SUM"
mkdir -p "$prefix/share/licenses"

# The library alone: no programs, so neither ncurses nor systemd.
(
    cd "$work/procps"
    ./configure --quiet --prefix="$prefix" --libdir="$prefix/lib" --disable-static --disable-nls \
        --without-ncurses --without-systemd --without-elogind
    make -s -j"$(nproc)" library/libproc2.la
    make -s install-libLTLIBRARIES lib_LTLIBRARIES=library/libproc2.la
    make -s install-library_libproc2_la_includeHEADERS install-pkgconfigDATA
    cp COPYING.LIB "$prefix/share/licenses/libproc2.LGPL-2.1.txt"
)
(
    cd "$work/cjson"
    make -s shared
    make -s install-cjson PREFIX="$prefix"
    install -d "$prefix/lib/pkgconfig"
    cat >"$prefix/lib/pkgconfig/libcjson.pc" <<EOF
Name: libcjson
Description: cJSON
Version: 1.7.15
Libs: -L$prefix/lib -lcjson
Cflags: -I$prefix/include/cjson -I$prefix/include
EOF
    cp LICENSE "$prefix/share/licenses/cJSON.MIT.txt"
)
echo "libproc2 and libcjson are in $prefix"
