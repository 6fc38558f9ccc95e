// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// All of xmask, under the name of the single header.

#include "xmask/xmask.hpp"
