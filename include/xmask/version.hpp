// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// The version of the library. CMakeLists.txt reads it from the three definitions below.

/// The major version: it changes where a program may no longer compile, or give another result.
#define XMASK_VERSION_MAJOR 0
/// The minor version: it changes with new functions and, while the major version is zero, also
/// where a program may no longer compile.
#define XMASK_VERSION_MINOR 1
/// The patch version: it changes with corrections.
#define XMASK_VERSION_PATCH 0
