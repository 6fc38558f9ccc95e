#!/bin/sh
# meson.sh FOLDER COMPILER SOURCE PREFIXES uses xmask as a subproject of Meson's, and installs it. PREFIXES are the folders
# of xtensor, xsimd and xtl, with commas between them.
set -eu
skipped=77
command -v meson >/dev/null && command -v ninja >/dev/null || exit $skipped
here=$(cd "$(dirname "$0")" && pwd)
export CXX="$2"
rm -rf "$1"
mkdir -p "$1/project/subprojects"
cp "$here/meson/meson.build" "$1/project"
cp "$here/main.cpp" "$1/project/program.cpp"
ln -s "$3" "$1/project/subprojects/xmask"
meson setup "$1/build" "$1/project" --force-fallback-for=xmask "-Dcmake_prefix_path=$4" --prefix=/usr
meson test -C "$1/build" --print-errorlogs
DESTDIR="$1/stage" meson install -C "$1/build" --no-rebuild
test -f "$1/stage/usr/include/xmask.hpp"
test -f "$1/stage/usr/include/xmask/masks/lengths.hpp"
grep -q '^Requires:.*xtensor' "$1/stage/usr/share/pkgconfig/xmask.pc"
