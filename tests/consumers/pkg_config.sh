#!/bin/sh
# pkg_config.sh FOLDER COMPILER builds and runs main.cpp with the flags of pkg-config. PKG_CONFIG_PATH is set.
set -eu
skipped=77
command -v pkg-config >/dev/null || exit $skipped
pkg-config --exists xtensor xsimd || exit $skipped
mkdir -p "$1"
# shellcheck disable=SC2046  # the flags are several words
"$2" -std=c++20 -DXMASK_CONSUMES_SHORT_NAME $(pkg-config --cflags xmask) "$(dirname "$0")/main.cpp" -o "$1/consumer" $(pkg-config --libs xmask)
"$1/consumer"
