// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// The version of the library. CMakeLists.txt reads it from the three lines below.

#define XMASK_VERSION_MAJOR 0
#define XMASK_VERSION_MINOR 1
#define XMASK_VERSION_PATCH 0
