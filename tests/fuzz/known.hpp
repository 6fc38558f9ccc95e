// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// Differences that are known and not yet mended. The fuzzer leaves these out; whoever mends one
/// deletes its line, and what asks for it.

namespace fuzz::known {
/// masked_quantile next to an infinity is NaN, or the wrong infinity.
inline constexpr bool quantiles_of_infinities = true;

/// masked_norm_gradient with p = 1 is 0 where the norm is infinite; gradients of max, min and norm
/// are 0 where NaN is kept.
inline constexpr bool gradients_of_infinities = true;

/// In-place operations whose mask looks at other columns of the tensor that is written.
inline constexpr bool masks_of_the_target = true;

/// A bitmask that is updated by a mask of itself: b |= shift(b, 1).
inline constexpr bool updates_by_itself = true;
} // namespace fuzz::known
