// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// All of xmask, by the name that it has as one header.

#include "xmask/xmask.hpp"
