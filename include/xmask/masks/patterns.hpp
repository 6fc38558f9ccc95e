// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// Masks of attention, whose rows are queries and whose columns are keys: causal, windows,
/// prefixes, segments, chunks; and the mask of any function of the indices.

#include "dilated.hpp"
#include "function_mask.hpp"
#include "prefixes.hpp"
#include "segments.hpp"
#include "windows.hpp"
