// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>

#include "attributes.hpp"
#include "error.hpp"
#include "xtensor.hpp"

/// @file
/// Shapes as rows: the last axis is a row, and the leading axes number the rows in row-major order.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A shape of any rank. Up to four axes it allocates nothing.
using any_shape = xt::dynamic_shape<std::size_t>;

/// The rank of a type that does not say it.
inline constexpr std::size_t any_rank = std::numeric_limits<std::size_t>::max();

/// The rank that the type of a shape says.
template <class S>
inline constexpr std::size_t rank_in = any_rank;

template <class S>
    requires requires { std::tuple_size<S>::value; }
inline constexpr std::size_t rank_in<S> = std::tuple_size<S>::value;

/// A shape that may be changed, of a rank in its type or of any rank.
template <std::size_t Rank>
using shape_of_rank =
    std::conditional_t<Rank == any_rank, any_shape, std::array<std::size_t, Rank>>;

/// A shape that may be changed, of as many axes as S, or of More axes more.
template <class S, std::ptrdiff_t More = 0>
using shape_like =
    shape_of_rank<rank_in<S> == any_rank ? any_rank : rank_in<S> + static_cast<std::size_t>(More)>;

/// The largest rank of a tensor.
inline constexpr std::size_t max_rank = 16;

inline void require_rank(const char* function, std::size_t rank) {
    if (rank > max_rank) [[unlikely]] {
        throw_invalid(
            function, "a tensor of ", rank, " axes; at most ", max_rank, " are supported"
        );
    }
}

/// Whether the number of elements of a shape fits into a std::ptrdiff_t.
template <class S>
constexpr bool countable(const S& shape) noexcept {
    std::ptrdiff_t elements = 1;
    bool overflows = false;
    for (const auto extent : shape) {
        if (extent == 0) {
            return true;
        }
        overflows |= __builtin_mul_overflow(elements, static_cast<std::size_t>(extent), &elements);
    }
    return !overflows;
}

/// Throws std::invalid_argument for a shape of too many axes or elements.
template <class S>
void require_countable(const char* function, const S& shape) {
    require_rank(function, shape.size());
    if (!countable(shape)) [[unlikely]] {
        throw_invalid(function, "shape ", tuple_text(shape), " has more than 2^63 - 1 elements");
    }
}

/// The number of columns: the extent of the last axis. A tensor of rank 0 is one row of one
/// element.
template <class S>
constexpr std::size_t columns_of(const S& shape) noexcept {
    return shape.size() == 0 ? 1 : static_cast<std::size_t>(shape[shape.size() - 1]);
}

/// The number of rows: the product of the extents of the leading axes.
template <class S>
constexpr std::size_t rows_of(const S& shape) noexcept {
    std::size_t rows = 1;
    for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) {
        rows *= static_cast<std::size_t>(shape[axis]);
    }
    return rows;
}

template <class S, class T>
constexpr bool equal_shapes(const S& a, const T& b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](auto m, auto n) {
               return static_cast<std::size_t>(m) == static_cast<std::size_t>(n);
           });
}

/// Whether `from` broadcasts to `to` by NumPy's rules, without enlarging `to`.
template <class S, class T>
constexpr bool broadcasts_to(const S& from, const T& to) noexcept {
    if (from.size() > to.size()) {
        return false;
    }
    const std::size_t shift = to.size() - from.size();
    for (std::size_t axis = 0; axis < from.size(); ++axis) {
        const auto extent = static_cast<std::size_t>(from[axis]);
        if (extent != 1 && extent != static_cast<std::size_t>(to[axis + shift])) {
            return false;
        }
    }
    return true;
}

/// Throws std::invalid_argument unless a mask, or weights, of shape `from` broadcasts into an
/// operand of shape `to`.
template <class S, class T>
void require_broadcast(const char* function, const char* what, const S& from, const T& to) {
    require_rank(function, to.size());
    if (!broadcasts_to(from, to)) [[unlikely]] {
        throw_invalid(
            function, what, " of shape ", tuple_text(from),
            " does not broadcast into the operand of shape ", tuple_text(to),
            "; align the last axes, and give each axis the operand's extent or 1"
        );
    }
}

template <class S, class T>
void require_same_shape(
    const char* function, const char* a_name, const S& a, const char* b_name, const T& b
) {
    if (!equal_shapes(a, b)) [[unlikely]] {
        throw_invalid(
            function, a_name, " has shape ", tuple_text(a), " and ", b_name, " has shape ",
            tuple_text(b), "; they must be equal"
        );
    }
}

/// `shape` with a last axis of extent `n` appended.
template <class S>
auto append_axis(const S& shape, std::size_t n) {
    auto result = xt::uninitialized_shape<shape_like<S, 1>>(shape.size() + 1);
    std::copy(shape.begin(), shape.end(), result.begin());
    result[shape.size()] = n;
    return result;
}

/// Converts an extent to std::size_t. Throws std::invalid_argument for a negative one.
template <class I>
std::size_t to_extent(const char* function, I extent, std::size_t axis) {
    if constexpr (std::is_signed_v<I>) {
        if (extent < 0) [[unlikely]] {
            throw_invalid(function, "extent ", +extent, " of axis ", axis, "; expected 0 or more");
        }
    }
    return static_cast<std::size_t>(extent);
}

/// Converts the shape argument of a builder: a number for one axis, a list, or any container of
/// extents. Throws std::invalid_argument for a negative extent, and for too many axes or elements.
template <class S>
    requires(!std::is_integral_v<S>)
shape_like<S> to_shape(const char* function, const S& shape) {
    auto copy = xt::uninitialized_shape<shape_like<S>>(shape.size());
    std::transform(
        shape.begin(), shape.end(), copy.begin(),
        [&, axis = std::size_t(0)](auto extent) mutable {
            return to_extent(function, extent, axis++);
        }
    );
    require_countable(function, copy);
    return copy;
}

template <class I>
    requires std::is_integral_v<I>
std::array<std::size_t, 1> to_shape(const char* function, I extent) {
    return to_shape(function, std::array<I, 1>{extent});
}

/// Maps the number of a row to the sum of index * stride over the leading axes of a shape.
///
/// The constructor merges axes with a common stride. A contiguous tensor, a broadcast one and most
/// views then cost one multiplication a row; other layouts cost one division an axis.
class row_offsets {
public:
    row_offsets() noexcept { m_axes[0].stride = 0; }

    /// `shape` is the shape that is walked; `from` and `strides` are those of the operand. Missing
    /// axes and axes of extent 1 are broadcast.
    template <class S, class F, class D>
    row_offsets(const S& shape, const F& from, const D& strides) : row_offsets() {
        require_rank("shape", shape.size());
        for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) {
            const auto extent = static_cast<std::size_t>(shape[axis]);
            if (extent == 1) {
                continue;
            }
            const std::size_t missing = shape.size() - from.size();
            const bool broadcast = axis < missing || from[axis - missing] == 1;
            push(extent, broadcast ? 0 : static_cast<std::ptrdiff_t>(strides[axis - missing]));
        }
    }

    /// The first `axes` axes of a table, nothing broadcast.
    template <class S, class D>
    row_offsets(const S& shape, const D& strides, std::size_t axes) : row_offsets() {
        require_rank("shape", axes);
        for (std::size_t axis = 0; axis < axes; ++axis) {
            if (shape[axis] != 1) {
                push(
                    static_cast<std::size_t>(shape[axis]),
                    static_cast<std::ptrdiff_t>(strides[axis])
                );
            }
        }
    }

    /// Copies only the axes in use: a call copies the rows of its operands several times before its
    /// first load.
    XMASK_INLINE row_offsets(const row_offsets& other) noexcept { *this = other; }

    XMASK_INLINE row_offsets& operator=(const row_offsets& other) noexcept {
        m_count = other.m_count;
        // The extent of the first axis is not asked for. Copied with it, the stride would be loaded
        // by more bytes than the store just before, and wait for that store.
        m_axes[0].stride = other.m_axes[0].stride;
        for (std::size_t axis = 1; axis < m_count; ++axis) {
            m_axes[axis] = other.m_axes[axis];
        }
        return *this;
    }

    XMASK_INLINE std::ptrdiff_t operator()(std::size_t row) const noexcept {
        if (m_count > 1) [[unlikely]] {
            return divide(row);
        }
        return static_cast<std::ptrdiff_t>(row) * m_axes[0].stride;
    }

    /// Whether all rows are `stride` apart, or there is one row.
    [[nodiscard]] bool uniform(std::size_t stride) const noexcept {
        return m_count == 0 ||
               (m_count == 1 && m_axes[0].stride == static_cast<std::ptrdiff_t>(stride));
    }

private:
    struct merged_axis {
        std::size_t extent;
        std::ptrdiff_t stride;
    };

    [[nodiscard, gnu::noinline]] std::ptrdiff_t divide(std::size_t row) const noexcept {
        std::ptrdiff_t offset = 0;
        for (std::size_t axis = m_count; axis > 1; --axis) {
            const auto& [extent, stride] = m_axes[axis - 1];
            const std::size_t next = row / extent;
            offset += static_cast<std::ptrdiff_t>(row - next * extent) * stride;
            row = next;
        }
        return offset + static_cast<std::ptrdiff_t>(row) * m_axes[0].stride;
    }

    void push(std::size_t extent, std::ptrdiff_t stride) {
        const auto next = extent * static_cast<std::size_t>(stride);
        if (m_count != 0 && m_axes[m_count - 1].stride == static_cast<std::ptrdiff_t>(next)) {
            m_axes[m_count - 1] = {m_axes[m_count - 1].extent * extent, stride};
            return;
        }
        m_axes[m_count++] = {extent, stride};
    }

    // An array, without allocation or destructor: a call on a small tensor takes tens of
    // nanoseconds.
    std::array<merged_axis, max_rank> m_axes;
    std::size_t m_count = 0;
};

/// Maps the number of a row in `shape` to the number of the row in `from`, which broadcasts to it.
template <class S, class F>
row_offsets row_numbers(const S& shape, const F& from) {
    require_rank("shape", from.size());
    std::array<std::ptrdiff_t, max_rank> strides;
    // Unsigned, because a mask may have more rows than a std::ptrdiff_t holds, and be asked for
    // one.
    std::size_t stride = 1;
    for (std::size_t axis = from.size(); axis-- > 0;) {
        strides[axis] = axis + 1 == from.size() ? 0 : static_cast<std::ptrdiff_t>(stride);
        stride *= axis + 1 == from.size() ? 1 : static_cast<std::size_t>(from[axis]);
    }
    return row_offsets(shape, from, strides);
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
