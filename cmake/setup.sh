#!/bin/sh
# Gets the dependencies of xmask, then builds and runs something, from a bare Debian or Ubuntu on:
#
#   sh cmake/setup.sh quickstart   builds and runs examples/quickstart.cpp
#   sh cmake/setup.sh test         builds and runs the tests; what follows goes to CMake, as -DXMASK_TEST_MARCH=x86-64-v3.
#                                  Where nothing has changed since they passed, it says so and does nothing.
#   sh cmake/setup.sh deps         only gets what they need
#   sh cmake/setup.sh deps-next    gets the next generation of xtensor and xsimd, into build/deps/next
#   sh cmake/setup.sh deps-cross   gets Catch2 for aarch64, into build/deps/catch2-aarch64
#
# Installed libraries are used. A missing compiler, CMake or build tool is installed with apt-get, and so are xtensor,
# xsimd and Catch2 where this release has recent ones. Otherwise the headers of a newer release are unpacked into
# build/deps, and the system does not change. Tests that need a BLAS or MPI get OpenBLAS and Open MPI, or are left out.
# Without apt-get, CMake downloads the releases of the libraries.
#
# CXX names the compiler. Without it the tests take a clang++, or install one where there is no compiler at all, because
# it compiles them in half of the time and half of the memory of g++.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
deps=$here/build/deps
log=$here/build/setup.log

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

quietly() { # COMMAND...: shows its output only when it fails
  "$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}

# ---- The system's packages ------------------------------------------------------------------------------------------

can_install() { have apt-get && { [ "$(id -u)" -eq 0 ] || have sudo; }; }

apt_as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"
  else
    quietly sudo env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"
  fi
}

updated=no
update_once() {
  [ $updated = yes ] && return
  updated=yes
  say "apt-get update"
  apt_as_root update || say "apt-get update failed; going on with the lists there are"
}

install_packages() {
  can_install || return
  update_once
  say "apt-get install $*"
  apt_as_root install -y --no-install-recommends "$@"
}

candidate() { apt-cache policy "$1" | sed -n 's/^ *Candidate: \([^(]\)/\1/p'; }

offers() { # PACKAGE VERSION: whether this release has that version of the package, or a newer one
  [ -n "$(candidate "$1")" ] || update_once
  version=$(candidate "$1")
  [ -n "$version" ] && dpkg --compare-versions "$version" ge "$2"
}

known() { [ -n "$(candidate "$1")" ]; }

# The newest clang++, 16 or newer: its name, or nothing.
newest_clang() {
  for version in $clang_versions; do
    if have "clang++-$version"; then echo "clang++-$version" && return; fi
  done
  if have clang++; then
    case $(clang++ -dumpversion) in 1[6-9].* | [2-9][0-9].*) echo clang++ ;; esac
  fi
}
clang_versions="25 24 23 22 21 20 19 18 17 16"

get_tools() { # test, where clang++ is preferred
  if [ "${1:-}" = test ] && [ -z "${CXX:-}" ]; then
    CXX=$(newest_clang)
    if [ -z "$CXX" ] && ! have c++ && ! have g++ && can_install; then
      update_once
      for version in $clang_versions; do
        if known "clang-$version"; then
          packages="clang-$version"
          for package in "lld-$version" "libclang-rt-$version-dev" "libomp-$version-dev"; do
            if known "$package"; then packages="$packages $package"; fi
          done
          install_packages $packages g++ && CXX=clang++-$version
          break
        fi
      done
    fi
    if [ -n "$CXX" ]; then export CXX; else unset CXX; fi
  fi
  tools=
  have "${CXX:-c++}" || have g++ || have clang++ || tools="$tools g++"
  have cmake || tools="$tools cmake"
  have ninja || have make || tools="$tools ninja-build"
  if [ -n "$tools" ]; then
    # Only the test of xmask.pc needs pkg-config, which alone is no reason to install anything.
    have pkg-config || tools="$tools pkg-config"
    install_packages $tools || die "please install:$tools"
  fi
  have "${CXX:-c++}" || { have g++ && export CXX=g++; } || export CXX=clang++
  version=$(cmake --version | sed -n 's/^cmake version //p')
  case $version in
    [012].* | 3.[0-9].* | 3.1[0-9].* | 3.2[01].*) die "CMake 3.22 or newer is needed, and this is $version" ;;
  esac
}

# ---- A newer release's packages, unpacked into a folder -------------------------------------------------------------

# apt-get with its own state, cache and sources: it needs no root, and does not change the system's packages. Signatures
# are checked as usual, but not the date: a mirror that is a snapshot has a testing release past its own date.
private_apt() {
  apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources" \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o APT::Default-Release= \
    -o Dir::State="$apt/state" -o Dir::State::status="$apt/state/status" -o Dir::Cache="$apt/cache" \
    -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none "$@"
}

open_release() { # RELEASE "TYPES": points private_apt to that release
  . /etc/os-release
  apt=$deps/apt-$1
  case ${ID:-} in ubuntu) components="main universe" ;; *) components=main ;; esac
  mkdir -p "$apt/sources" "$apt/state/lists/partial" "$apt/cache/archives/partial"
  : >"$apt/state/status"
  for form in list sources; do
    : >"$apt/sources/own.$form"
    for file in /etc/apt/sources.$form /etc/apt/sources.list.d/*.$form; do
      [ -f "$file" ] || continue
      awk -v from="${VERSION_CODENAME:-}" -v to="$1" -v types="$2" -v components="$components" \
        -f cmake/sources.awk "$file" >>"$apt/sources/own.$form"
    done
  done
  cat "$apt"/sources/own.* | grep -q . && private_apt update >"$log" 2>&1
}

# The releases with xtensor 0.25 or newer, the best first.
releases() {
  . /etc/os-release
  case ${ID:-}:$1 in
    ubuntu:base) echo resolute questing plucky ;;
    ubuntu:next) echo resolute ;;
    *:base) echo trixie ;;
    *:next) echo forky ;;
  esac
}

unpack_libraries() { # base or next, and the version of xtensor: into build/deps/base or build/deps/next
  [ -d "$deps/$1/usr" ] && return
  have apt-get || return 1
  for release in $(releases "$1"); do
    say "unpacking xtensor and xsimd from $release into build/deps/$1"
    open_release "$release" deb || continue
    rm -rf "$deps/$1.part"
    mkdir -p "$deps/$1.part"
    (cd "$deps/$1.part" && private_apt download xtl-dev libxtensor-dev libxsimd-dev) >"$log" 2>&1 || continue
    dpkg --compare-versions "$(dpkg-deb -f "$deps/$1.part"/libxtensor-dev_*.deb Version)" ge "$2" || continue
    # Only the layers need it.
    (cd "$deps/$1.part" && private_apt download libxtensor-blas-dev) >"$log" 2>&1 || say "$release has no xtensor-blas"
    for package in "$deps/$1.part"/*.deb; do
      dpkg-deb -x "$package" "$deps/$1.part"
    done
    # pkg-config takes the paths as written, and they are those of a system's own folders.
    find "$deps/$1.part" -name '*.pc' -exec sed -i "s|=/usr|=$deps/$1/usr|" {} +
    rm -rf "$apt" "$deps/$1" "$deps/$1.part"/*.deb
    mv "$deps/$1.part" "$deps/$1"
    return
  done
  tail -n 3 "$log" >&2
  return 1
}

unpack_catch2() { # builds it: the library of a newer release need not link with this one's
  [ -d "$deps/catch2-$(uname -m)" ] && return
  have apt-get && get_catch2_source || return 1
  say "building Catch2 into build/deps"
  build_catch2 "$deps/catch2-$(uname -m)" $generator
}

get_catch2_source() {
  [ -d "$deps/catch2-source" ] && return
  for release in $(releases base); do
    say "unpacking Catch2's source from $release into build/deps"
    open_release "$release" deb-src || continue
    rm -rf "$deps/catch2-source.part"
    mkdir -p "$deps/catch2-source.part"
    (cd "$deps/catch2-source.part" && private_apt source --download-only catch2) >"$log" 2>&1 || continue
    tar -C "$deps/catch2-source.part" --strip-components=1 -xzf "$deps/catch2-source.part"/catch2_*.orig.tar.gz || continue
    rm -rf "$apt"
    mv "$deps/catch2-source.part" "$deps/catch2-source"
    return
  done
  tail -n 3 "$log" >&2
  return 1
}

build_catch2() { # FOLDER, and options for CMake
  into=$1
  shift
  # Amalgamated to few files it builds in seconds instead of minutes.
  quietly cmake -S "$deps/catch2-source" -B "$into.build" "$@" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=20 -DCMAKE_INSTALL_PREFIX="$into.part" \
    -DCATCH_INSTALL_DOCS=OFF -DCATCH_INSTALL_EXTRAS=ON &&
    quietly cmake --build "$into.build" --parallel "$jobs" && quietly cmake --install "$into.build" &&
    rm -rf "$into.build" && mv "$into.part" "$into"
}

# ---- Building -------------------------------------------------------------------------------------------------------

fetch=OFF
configure() { # BUILD-FOLDER OPTION...
  folder=$1
  shift
  cmake -S . -B "build/$folder" $generator -DXMASK_BUILD_TESTS=ON -DXMASK_FETCH_DEPENDENCIES=$fetch "$@" >"$log" 2>&1
}

get_libraries() { # the arguments of configure: tries, gets missing libraries, and tries again
  configure "$@" && return
  missing=$(grep -- "-- Missing: " "$log") || { cat "$log" >&2; die "CMake failed"; }
  libraries=there catch2=there
  case $missing in *xtensor* | *xsimd* | *xtl*) libraries=missing ;; esac
  case $missing in *Catch2*) catch2=missing ;; esac

  if can_install; then
    if [ $libraries = missing ] && offers libxtensor-dev 0.25 && offers libxsimd-dev 13; then
      install_packages libxtensor-dev libxsimd-dev && libraries=there
    fi
    if [ $catch2 = missing ] && offers catch2 3; then
      install_packages catch2 && catch2=there
    fi
  fi
  if [ $libraries = missing ]; then unpack_libraries base 0.25 || fetch=ON; fi
  if [ $catch2 = missing ]; then unpack_catch2 || fetch=ON; fi

  if [ $fetch = ON ]; then
    say "CMake downloads the rest"
    set -- "$@" -DXMASK_LAYERS=ON
  fi
  configure "$@" || { cat "$log" >&2; die "CMake failed"; }
}

left_out() { sed -n 's/^-- \(.* left out.*\)/\1/p' "$log"; }

# The package of that name for the clang++ that compiles.
of_clang() { # NAME SUFFIX
  case ${CXX:-} in *clang++*) echo "$1-$("$CXX" -dumpversion | sed 's/\..*//')-$2" ;; esac
}

# The dependencies of the layers and some examples, where they are available; otherwise these are left out.
get_extras() { # the arguments of configure
  missing=$(left_out)
  packages=
  case $(echo "$missing" | sed -n '/^Layers/p') in
    *"a BLAS"*) packages=libopenblas-dev ;;
  esac
  case $missing in
    # It depends on this release's xtensor, and is useful only where that is new enough.
    *xtensor-blas*) if offers libxtensor-dev 0.25; then packages="$packages libxtensor-blas-dev"; fi ;;
  esac
  case $missing in *"without MPI"*) packages="$packages libopenmpi-dev openmpi-bin" ;; esac
  case $missing in *OpenMP*) packages="$packages $(of_clang libomp dev)" ;; esac
  case $missing in *"thread sanitizer"*) packages="$packages $(of_clang libclang-rt dev)" ;; esac
  if [ -n "${packages# }" ]; then
    for package in $packages; do install_packages "$package" || say "going on without $package"; done
    configure "$@" || { cat "$log" >&2; die "CMake failed"; }
    missing=$(left_out)
  fi
  if [ -n "$missing" ]; then say "$missing"; fi
}

case ${1:-} in
  quickstart | test | deps | deps-next | deps-cross) ;;
  *)
    sed -n '2,/^set/s/^# \{0,1\}//p' cmake/setup.sh
    exit 2
    ;;
esac

# As many jobs as there are processors, and as memory allows: a job of clang++ takes up to 2 GB, one of g++ 2.2.
count_jobs() {
  jobs=$(nproc 2>/dev/null || echo 2)
  memory=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null || true)
  for limit in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do # of a container
    if [ -r $limit ] && grep -qx '[0-9]\{1,15\}' $limit; then
      limit=$(($(cat $limit) / 1024))
      if [ -z "$memory" ] || [ "$limit" -lt "$memory" ]; then memory=$limit; fi
    fi
  done
  if [ -n "$memory" ]; then
    fit=$((memory / 2000000))
    [ "$fit" -ge 1 ] || fit=1
    if [ "$fit" -lt "$jobs" ]; then jobs=$fit; fi
  fi
}

# Runs the tests only where something has changed since they passed.
test_key() { echo "$("${CXX:-c++}" --version | head -n 1) $*"; }

nothing_changed() { # the arguments of configure
  [ -f build/test/passed ] && [ "$(cat build/test/passed)" = "$(test_key "$@")" ] &&
    [ -z "$(find CMakeLists.txt README.md bench cmake docs examples include single_include tests -newer build/test/passed)" ]
}

mkdir -p "$deps"
count_jobs
case $1 in quickstart) get_tools ;; *) get_tools test ;; esac
if have ninja; then generator=-GNinja; else generator=; fi

case ${1:-} in
  quickstart)
    get_libraries quickstart -DXMASK_BUILD_TESTS=OFF -DXMASK_BUILD_BENCH=OFF
    say "compiling examples/quickstart.cpp: half a minute, and 1 GB of memory"
    quietly cmake --build build/quickstart --parallel "$jobs" --target quickstart || die "the build failed"
    build/quickstart/examples/quickstart
    ;;
  test)
    # xtensor compiles slowly; these tests need no optimization, and keep their assertions.
    shift
    set -- -DXMASK_BUILD_BENCH=OFF -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 "$@"
    if nothing_changed "$@"; then
      say "the tests passed, and nothing has changed since; to run them again: ctest --test-dir build/test"
      exit
    fi
    # Objects of another compiler are of no use.
    if ! grep -q "^CMAKE_CXX_COMPILER:.*[=/]${CXX:-c++}\$" build/test/CMakeCache.txt 2>/dev/null; then rm -rf build/test; fi
    case ${CXX:-c++} in *clang*) seconds=400 ;; *) seconds=900 ;; esac
    say "compiling and running the tests with ${CXX:-c++}: about $((seconds / jobs / 60 + 1)) minutes," \
      "and up to $((jobs * 2)) GB of memory for $jobs at once"
    get_libraries test "$@"
    get_extras test "$@"
    test_key "$@" >build/test/passing
    cmake --build build/test --parallel "$jobs" || die "the build failed"
    ctest --test-dir build/test --output-on-failure --parallel "$jobs"
    mv build/test/passing build/test/passed
    ;;
  deps)
    get_libraries test -DXMASK_BUILD_BENCH=OFF
    get_extras test -DXMASK_BUILD_BENCH=OFF
    say "everything is there"
    ;;
  deps-next)
    unpack_libraries next 0.27 || die "no release with xtensor 0.27 can be reached"
    say "xtensor 0.27 or newer is in build/deps/next"
    ;;
  deps-cross)
    if [ ! -d "$deps/catch2-aarch64" ]; then
      get_catch2_source || die "Catch2's source cannot be had"
      say "building Catch2 for aarch64 into build/deps"
      build_catch2 "$deps/catch2-aarch64" $generator --toolchain "$here/cmake/aarch64-linux-gnu.cmake"
    fi
    say "Catch2 for aarch64 is in build/deps/catch2-aarch64"
    ;;
esac
