// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <type_traits>

#include "../core/error.hpp"

/// @file
/// The result where nothing is kept: one rule for reductions, pooling and losses.

namespace xmask::inline XMASK_ABI {
/// The result where nothing is kept. Each reduction has a default: 0 for a sum, NaN for a mean.
///
/// Results of their operand's shape (softmax, normalize, standardize) need no answer: all of such a
/// line is dropped, and is 0, or -infinity, as whatever is dropped. For NaN there, fill it:
///
///     auto filled = xmask::keep_above(xmask::count_kept(m, -1), 0);    // rows that keep something
///     xt::xtensor<float, 2> p = xmask::masked_fill(xmask::masked_softmax(x, m), xmask::unsqueeze(filled, -1), NAN);
enum class when_empty {
    nan,  ///< NaN, so that the mistake is seen
    zero, ///< 0, so that an empty batch adds nothing
    raise ///< throws std::domain_error
};

namespace detail {
/// The result where nothing is kept: `neutral`, unless `empty` asks for something else.
template <class R>
R when_nothing_kept(const char* function, std::optional<when_empty> empty, R neutral) {
    if (!empty) {
        return neutral;
    }
    if (*empty == when_empty::zero) {
        return R(0);
    }
    if (*empty == when_empty::nan && std::is_floating_point_v<R>) {
        return std::numeric_limits<R>::quiet_NaN();
    }
    throw std::domain_error(message(
        function, "nothing is kept, so there is no result",
        *empty == when_empty::nan ? ", and no integer is NaN" : ""
    ));
}

/// The position where nothing is kept: 0 if asked for, else std::domain_error.
inline std::size_t position_of_nothing(const char* function, std::optional<when_empty> empty) {
    if (empty == when_empty::zero) {
        return 0;
    }
    throw std::domain_error(message(function, "nothing is kept, so there is no position"));
}

/// The result where nothing is kept, without a neutral element: NaN, unless `empty` asks for
/// something else.
template <class R>
R when_nothing_kept(const char* function, std::optional<when_empty> empty) {
    return when_nothing_kept<R>(function, empty.value_or(when_empty::nan), R());
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
