#!/bin/sh
# pkg_config.sh FOLDER COMPILER builds and runs main.cpp with the flags of pkg-config. PKG_CONFIG_PATH is set.
set -eu
skipped=77
command -v pkg-config >/dev/null || exit $skipped
pkg-config --exists xtensor xsimd || exit $skipped
mkdir -p "$1/bin"
cp "$(dirname "$0")/main.cpp" "$1/program.cpp"
# README's command calls this compiler, which need not optimize.
printf '#!/bin/sh\nexec "%s" -DXMASK_CONSUMES_SHORT_NAME "$@" -O0\n' "$(command -v "$2")" >"$1/bin/g++"
chmod +x "$1/bin/g++"
cd "$1"
PATH="$1/bin:$PATH"
# shellcheck disable=SC2046  # the flags are several words
g++ -std=c++20 -O3 $(pkg-config --cflags xmask) program.cpp
./a.out
