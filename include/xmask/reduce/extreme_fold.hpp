// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <limits>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/simd.hpp"

/// @file
/// The fold to the largest or smallest element.

namespace xmask::inline XMASK_ABI::detail {
enum class extreme { largest, smallest };

template <class T>
constexpr bool is_nan(T x) noexcept {
    return std::is_floating_point_v<T> && x != x;
}

/// The fold to the largest or smallest element. NaN is more extreme than any number, as in PyTorch.
template <class T, extreme Which>
struct extreme_fold {
    using state = lane_t<T>;
    static constexpr bool in_registers = has_lanes<T>;
    static constexpr bool real = std::is_floating_point_v<T>;

    /// The extremes of lanes, and whether a lane has met NaN.
    struct registers {
        lanes<T> value;
        lane_mask<T> nan;
    };

    [[nodiscard]] static constexpr state start() noexcept {
        using limits = std::numeric_limits<T>;
        if constexpr (real) {
            return Which == extreme::largest ? -limits::infinity() : limits::infinity();
        } else {
            return Which == extreme::largest ? limits::lowest() : limits::max();
        }
    }

    /// Whether a takes the place of b.
    [[nodiscard]] static constexpr bool beats(state a, state b) noexcept {
        const bool beyond = Which == extreme::largest ? a > b : a < b;
        return beyond || (is_nan(a) && !is_nan(b));
    }

    void add(state& to, T x) const noexcept { merge(to, static_cast<state>(x)); }

    void merge(state& to, state other) const noexcept { to = beats(other, to) ? other : to; }

    [[nodiscard]] registers start_registers() const noexcept {
        return {neutral(), lane_mask<T>(false)};
    }

    XMASK_INLINE void add(registers& to, const lanes<T>& x) const noexcept {
        if constexpr (real) {
            to.nan = to.nan | (x != x);
        }
        to.value = further(to.value, x);
    }

    XMASK_INLINE void join(registers& to, const registers& other) const noexcept {
        if constexpr (real) {
            to.nan = to.nan | other.nan;
        }
        to.value = further(to.value, other.value);
    }

    [[nodiscard]] state total(const registers& from) const noexcept {
        if constexpr (real) {
            if (xsimd::any(from.nan)) {
                return std::numeric_limits<T>::quiet_NaN();
            }
            return Which == extreme::largest ? xsimd::reduce_max(from.value)
                                             : xsimd::reduce_min(from.value);
        } else {
            std::array<state, lane_count<T>> each;
            from.value.store_unaligned(each.data());
            state best = start();
            for (const state one : each) {
                merge(best, one);
            }
            return best;
        }
    }

    [[nodiscard]] auto neutral() const noexcept { return lanes<T>(start()); }

    XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept {
        const auto before = lanes<T>::load_unaligned(to);
        if constexpr (real) {
            const auto beyond = Which == extreme::largest ? x > before : x < before;
            xsimd::select(beyond | (x != x), x, before).store_unaligned(to);
        } else {
            further(before, x).store_unaligned(to);
        }
    }

private:
    XMASK_INLINE static lanes<T> further(const lanes<T>& a, const lanes<T>& b) noexcept {
        return Which == extreme::largest ? xsimd::max(a, b) : xsimd::min(a, b);
    }
};
} // namespace xmask::inline XMASK_ABI::detail
