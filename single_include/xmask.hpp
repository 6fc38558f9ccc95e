// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.
//
// All of xmask in one file, made by cmake/amalgamate.cmake: change the headers in include/xmask instead of this one.

#pragma once

// ==== xmask/xmask.hpp ====

/// @file
/// All of xmask.

// ==== xmask/apply/gate.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/core/applied.hpp ====

#include <algorithm>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

// ==== xmask/core/lazy.hpp ====

#include <array>
#include <cstddef>
#include <iterator>

// ==== xmask/core/shape.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>

// ==== xmask/core/attributes.hpp ====

/// @file
/// Advice to the compiler. The walk over a row's words is fast only when its steps are inlined into
/// one loop, so that the row's state stays in registers; at -O2 compilers would rather call them.

#if defined(__GNUC__)
#define XMASK_COLD [[gnu::cold, gnu::noinline]]
#elif defined(_MSC_VER)
#define XMASK_COLD __declspec(noinline)
#else
#define XMASK_COLD
#endif

// On a parameter that the result holds by reference. clang++ warns where the result outlives the
// argument, as what a function returns outlives its local tensors.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::lifetimebound)
#define XMASK_LIFETIMEBOUND [[clang::lifetimebound]]
#endif
#endif
#if !defined(XMASK_LIFETIMEBOUND)
#define XMASK_LIFETIMEBOUND
#endif

// Without optimization, and under a sanitizer, it would only make code larger and slower to
// compile.
#if defined(XMASK_INLINE)
#define XMASK_INLINE_LAMBDA
#elif defined(__GNUC__) && defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
#define XMASK_INLINE [[gnu::always_inline]] inline
#define XMASK_INLINE_LAMBDA __attribute__((always_inline))
#elif defined(_MSC_VER) && !defined(_DEBUG)
#define XMASK_INLINE __forceinline
#define XMASK_INLINE_LAMBDA
#else
#define XMASK_INLINE inline
#define XMASK_INLINE_LAMBDA
#endif

// ==== xmask/core/error.hpp ====

#include <cstddef>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

// ==== xmask/core/abi.hpp ====

/// @file
/// The name of the inline namespace that holds all of xmask.
///
/// Inline functions and templates compiled with different -m flags, or with and without
/// XTENSOR_USE_XSIMD, are different functions. If they had one name, the linker would keep one of
/// them for both translation units, and a program could meet an instruction that its processor
/// lacks. So the flags are part of every symbol's name, and users, who write only `xmask::`, never
/// see it.

// Here, because every header comes here first. After #error compilers would go on, and say
// thousands of lines; what is not there to include ends them.
#if __cplusplus < 202002L && (!defined(_MSVC_LANG) || _MSVC_LANG < 202002L)
#error "xmask needs C++20: compile with -std=c++20 or later (MSVC: /std:c++20)."
#include <xmask_ends_here>
#endif

#define XMASK_ABI_JOIN_(a, b, c, d, e) a##b##c##d##e
#define XMASK_ABI_JOIN(a, b, c, d, e) XMASK_ABI_JOIN_(a, b, c, d, e)

#if defined(__AVX512VBMI2__)
#define XMASK_ABI_ARCH avx512vbmi2
#elif defined(__AVX512VBMI__)
#define XMASK_ABI_ARCH avx512vbmi
#elif defined(__AVX512BW__)
#define XMASK_ABI_ARCH avx512bw
#elif defined(__AVX512F__)
#define XMASK_ABI_ARCH avx512f
#elif defined(__AVX2__)
#define XMASK_ABI_ARCH avx2
#elif defined(__AVX__)
#define XMASK_ABI_ARCH avx
#elif defined(__SSE4_2__)
#define XMASK_ABI_ARCH sse4_2
#elif defined(__SSE4_1__)
#define XMASK_ABI_ARCH sse4_1
#elif defined(__SSSE3__)
#define XMASK_ABI_ARCH ssse3
#elif defined(__SSE3__)
#define XMASK_ABI_ARCH sse3
#elif defined(__SSE2__) || defined(_M_X64)
#define XMASK_ABI_ARCH sse2
#elif defined(__ARM_FEATURE_SVE)
#define XMASK_ABI_ARCH sve
#elif defined(__aarch64__) || defined(_M_ARM64)
#define XMASK_ABI_ARCH neon64
#elif defined(__ARM_NEON)
#define XMASK_ABI_ARCH neon
#else
#define XMASK_ABI_ARCH generic
#endif

#if defined(__FMA__)
#define XMASK_ABI_FMA _fma
#else
#define XMASK_ABI_FMA
#endif

#if defined(__BMI2__)
#define XMASK_ABI_BITS _bmi2
#elif defined(__POPCNT__)
#define XMASK_ABI_BITS _popcnt
#else
#define XMASK_ABI_BITS
#endif

#if defined(XTENSOR_USE_XSIMD)
#define XMASK_ABI_XSIMD _xsimd
#else
#define XMASK_ABI_XSIMD
#endif

#if defined(XTENSOR_USE_TBB)
#define XMASK_ABI_THREADS _tbb
#elif defined(XTENSOR_USE_OPENMP)
#define XMASK_ABI_THREADS _openmp
#else
#define XMASK_ABI_THREADS
#endif

#define XMASK_ABI                                                                                  \
    XMASK_ABI_JOIN(                                                                                \
        XMASK_ABI_ARCH, XMASK_ABI_FMA, XMASK_ABI_BITS, XMASK_ABI_XSIMD, XMASK_ABI_THREADS          \
    )

/// @file
/// Errors: one place that words them, so that each names the function, the value, where it stands,
/// what was expected. One place that checks options, too.

namespace xmask::inline XMASK_ABI::detail {
/// (2, 3) for a shape or any other list of numbers, as Python prints a tuple: (2,) for one number.
template <class S>
XMASK_COLD std::string tuple_text(const S& numbers) {
    std::ostringstream out;
    out << '(';
    const char* comma = "";
    for (const auto& number : numbers) {
        out << comma << +number;
        comma = ", ";
    }
    out << (numbers.size() == 1 ? ",)" : ")");
    return out.str();
}

template <class... Parts>
XMASK_COLD std::string message(const char* function, const Parts&... parts) {
    std::ostringstream out;
    out << "xmask::" << function << ": ";
    (out << ... << parts);
    return out.str();
}

/// Throws std::invalid_argument: the arguments do not fit together.
template <class... Parts>
[[noreturn]] XMASK_COLD void throw_invalid(const char* function, const Parts&... parts) {
    throw std::invalid_argument(message(function, parts...));
}

/// Throws std::out_of_range: a value lies outside of what was promised.
template <class... Parts>
[[noreturn]] XMASK_COLD void throw_out_of_range(const char* function, const Parts&... parts) {
    throw std::out_of_range(message(function, parts...));
}

/// The numbers that an option may be. NaN is never one of them.
struct option_range {
    double least = -std::numeric_limits<double>::infinity();
    double most = std::numeric_limits<double>::infinity();
    bool excludes_least = false;
    bool excludes_infinity = false;

    static constexpr option_range any_number() noexcept { return {}; }

    static constexpr option_range at_least(double least) noexcept { return {.least = least}; }

    static constexpr option_range above(double least) noexcept {
        return {.least = least, .excludes_least = true};
    }

    static constexpr option_range between(double least, double most) noexcept {
        return {.least = least, .most = most};
    }

    /// The same numbers without the infinities.
    [[nodiscard]] constexpr option_range finite() const noexcept {
        return {least, most, excludes_least, true};
    }

    [[nodiscard]] constexpr bool contains(double value) const noexcept {
        constexpr double largest = std::numeric_limits<double>::max();
        return (excludes_least ? value > least : value >= least) && value <= most &&
               (!excludes_infinity || (value >= -largest && value <= largest));
    }

    [[nodiscard]] XMASK_COLD std::string text() const {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        const char* number = excludes_infinity ? "a finite number" : "a number";
        std::ostringstream out;
        if (excludes_least) {
            out << number << " above " << least;
            if (most != infinity) {
                out << ", at most " << most;
            }
        } else if (most != infinity) {
            out << least << " to " << most;
        } else if (least != -infinity) {
            out << (excludes_infinity ? "a finite number, " : "") << least << " or more";
        } else {
            out << number;
        }
        return out.str();
    }
};

/// Throws std::invalid_argument unless an option's value is in range; all operations check their
/// options here. `otherwise` ends the sentence with what else the caller lets pass: ", or -1 for
/// none".
inline void require_option(
    const char* function, const char* option, double value, const option_range& range,
    const char* otherwise = ""
) {
    if (!range.contains(value)) [[unlikely]] {
        throw_invalid(function, option, " is ", value, "; expected ", range.text(), otherwise);
    }
}

/// The same for each of a list of values, in order; the error names the place.
template <class Values>
void require_each_option(
    const char* function, const char* option, const Values& values, const option_range& range
) {
    std::size_t place = 0;
    for (const auto& value : values) {
        if (!range.contains(static_cast<double>(value))) [[unlikely]] {
            throw_invalid(
                function, option, '[', place, "] is ", value, "; expected ", range.text()
            );
        }
        ++place;
    }
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/xtensor.hpp ====

/// @file
/// The only file that names xtensor's headers: they moved into folders in xtensor 0.26.

#if __has_include(<xtensor/core/xtensor_config.hpp>)
#include <xtensor/core/xtensor_config.hpp>
#else
#include <xtensor/xtensor_config.hpp>
#endif

#if XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR < 25
#error "xmask needs xtensor 0.25 or later."
#include <xmask_ends_here>
#endif

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xeval.hpp>
#include <xtensor/core/xfunction.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xeval.hpp>
#include <xtensor/xfunction.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xtensor.hpp>
#endif

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace xmask::inline XMASK_ABI {
/// Any xtensor expression: a container, a view, a lazy function, a mask.
template <class E>
concept expression = xt::is_xexpression<std::decay_t<E>>::value;

/// The type of an expression's elements.
template <class E>
using value_type_t = typename std::decay_t<E>::value_type;

namespace detail {
/// How an expression is kept inside a lazy one: an lvalue by reference, an rvalue moved in.
template <class E>
using closure_t = xt::const_xclosure_t<E>;

/// An expression whose elements lie in memory at data() + data_offset() + sum of index * stride. An
/// adapted std::vector<bool>, whose elements are bits, is none.
template <class E>
concept has_memory =
    xt::has_data_interface<std::decay_t<E>>::value && xt::has_strides<std::decay_t<E>>::value &&
    requires(const std::decay_t<E>& e) {
        requires std::is_pointer_v<std::decay_t<decltype(e.data())>>;
        requires std::is_lvalue_reference_v<typename std::decay_t<E>::const_reference>;
        e.data_offset();
    };
/// The first element of an expression in memory; null where an empty container has none.
template <has_memory E>
auto* first_element(E& e) noexcept {
    auto* const data = e.data();
    return data == nullptr ? data : data + e.data_offset();
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

/// @file
/// Shapes as rows: the last axis is the row, the leading axes number the rows in row-major order.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A shape of any rank; up to four axes it needs no memory of its own.
using any_shape = xt::dynamic_shape<std::size_t>;

/// The most axes a tensor may have, more than anybody stacks.
inline constexpr std::size_t max_rank = 16;

inline void require_rank(const char* function, std::size_t rank) {
    if (rank > max_rank) [[unlikely]] {
        throw_invalid(
            function, "a tensor of ", rank, " axes; at most ", max_rank, " are supported"
        );
    }
}

/// Whether a shape's elements can be numbered: their number fits into a std::ptrdiff_t.
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

/// Length of a row: the last axis. A tensor of rank 0 is one row of one element.
template <class S>
constexpr std::size_t columns_of(const S& shape) noexcept {
    return shape.size() == 0 ? 1 : static_cast<std::size_t>(shape[shape.size() - 1]);
}

/// Number of rows: the product of the leading axes.
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

/// Whether `from` stretches to `to` by NumPy's rules without enlarging it.
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

/// Throws std::invalid_argument unless a mask (or weights) of shape `from` fits into an operand of
/// shape `to`.
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

/// A shape type with one more axis; the rank stays known at compile time where it was.
template <class S>
struct one_more_axis {
    using type = any_shape;
};

template <class T, std::size_t N>
struct one_more_axis<std::array<T, N>> {
    using type = std::array<std::size_t, N + 1>;
};

template <std::size_t... N>
struct one_more_axis<xt::fixed_shape<N...>> {
    using type = std::array<std::size_t, sizeof...(N) + 1>;
};

/// `shape` with `n` appended as its last axis.
template <class S>
auto append_axis(const S& shape, std::size_t n) {
    auto result = xt::uninitialized_shape<typename one_more_axis<S>::type>(shape.size() + 1);
    std::copy(shape.begin(), shape.end(), result.begin());
    result[shape.size()] = n;
    return result;
}

/// An extent as a builder takes it. Throws std::invalid_argument for one below 0.
template <class I>
std::size_t to_extent(const char* function, I extent, std::size_t axis) {
    if constexpr (std::is_signed_v<I>) {
        if (extent < 0) [[unlikely]] {
            throw_invalid(function, "extent ", +extent, " of axis ", axis, "; expected 0 or more");
        }
    }
    return static_cast<std::size_t>(extent);
}

/// The type in which a builder holds a shape; the rank stays known at compile time where it was.
template <class S>
struct held_shape {
    using type = any_shape;
};

template <class S>
    requires requires { std::tuple_size<S>::value; }
struct held_shape<S> {
    using type = std::array<std::size_t, std::tuple_size<S>::value>;
};

/// A shape as a builder takes it: a number for one axis, a list, or any container of extents.
template <class S>
    requires(!std::is_integral_v<S>)
typename held_shape<S>::type to_shape(const char* function, const S& shape) {
    auto copy = xt::uninitialized_shape<typename held_shape<S>::type>(shape.size());
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

/// Maps a row's number to the sum of index * stride over the leading axes of a shape.
///
/// Axes that one stride covers are merged on construction, so that a contiguous tensor, a broadcast
/// one and most views cost one multiplication a row; any other layout costs a division an axis.
class row_offsets {
public:
    row_offsets() noexcept { m_axes[0].stride = 0; }

    /// `shape` is the shape that is walked, `from` and `strides` are those of what is read; size-1
    /// and missing axes are broadcast.
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

    /// Copies only the axes there are: rows of operands are handed on several times before a call's
    /// first load.
    XMASK_INLINE row_offsets(const row_offsets& other) noexcept { *this = other; }

    XMASK_INLINE row_offsets& operator=(const row_offsets& other) noexcept {
        m_count = other.m_count;
        m_axes[0] = other.m_axes[0];
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

    /// Whether rows lie `stride` apart, or there is but one.
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

    // No allocation and nothing to destroy: a call on a small tensor takes tens of nanoseconds.
    std::array<merged_axis, max_rank> m_axes;
    std::size_t m_count = 0;
};

/// Maps a row's number in `shape` to the row's number in `from`, which broadcasts to it.
template <class S, class F>
row_offsets row_numbers(const S& shape, const F& from) {
    require_rank("shape", from.size());
    std::array<std::ptrdiff_t, max_rank> strides;
    // Unsigned, because the rows of a mask that is only asked for one of them may be too many.
    std::size_t stride = 1;
    for (std::size_t axis = from.size(); axis-- > 0;) {
        strides[axis] = axis + 1 == from.size() ? 0 : static_cast<std::ptrdiff_t>(stride);
        stride *= axis + 1 == from.size() ? 1 : static_cast<std::size_t>(from[axis]);
    }
    return row_offsets(shape, from, strides);
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

/// @file
/// What makes a mask, and a tensor with a mask applied, an ordinary lazy xtensor expression.

namespace xmask::inline XMASK_ABI::detail {
/// Iterates over an expression by the flat index of row-major order.
template <class E>
class flat_iterator {
public:
    using value_type = typename E::value_type;
    using reference = typename E::const_reference;
    using pointer = const value_type*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::random_access_iterator_tag;

    flat_iterator() = default;

    flat_iterator(const E* expression, std::size_t index) noexcept
        : m_expression(expression), m_index(static_cast<difference_type>(index)) {}

    reference operator*() const {
        return m_expression->data_element(static_cast<std::size_t>(m_index));
    }

    reference operator[](difference_type n) const { return *(*this + n); }

    flat_iterator& operator++() {
        ++m_index;
        return *this;
    }

    flat_iterator operator++(int) {
        auto before = *this;
        ++m_index;
        return before;
    }

    flat_iterator& operator--() {
        --m_index;
        return *this;
    }

    flat_iterator operator--(int) {
        auto before = *this;
        --m_index;
        return before;
    }

    flat_iterator& operator+=(difference_type n) {
        m_index += n;
        return *this;
    }

    flat_iterator& operator-=(difference_type n) {
        m_index -= n;
        return *this;
    }

    friend flat_iterator operator+(flat_iterator it, difference_type n) { return it += n; }

    friend flat_iterator operator+(difference_type n, flat_iterator it) { return it += n; }

    friend flat_iterator operator-(flat_iterator it, difference_type n) { return it -= n; }

    friend difference_type operator-(const flat_iterator& a, const flat_iterator& b) {
        return a.m_index - b.m_index;
    }

    friend bool operator==(const flat_iterator& a, const flat_iterator& b) {
        return a.m_index == b.m_index;
    }

    friend auto operator<=>(const flat_iterator& a, const flat_iterator& b) {
        return a.m_index <=> b.m_index;
    }

private:
    const E* m_expression = nullptr;
    difference_type m_index = 0;
};

/// Walks an expression element by element in any order, as xtensor's general assignment does.
template <class E>
class flat_stepper {
public:
    using value_type = typename E::value_type;
    using reference = value_type;
    using pointer = const value_type*;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using shape_type = typename E::shape_type;

    flat_stepper() = default;

    flat_stepper(const E* expression, size_type offset)
        : m_expression(expression), m_offset(offset), m_strides(expression->dimension()) {
        difference_type stride = 1;
        for (size_type axis = m_strides.size(); axis-- > 0;) {
            const auto extent = static_cast<difference_type>(expression->shape()[axis]);
            m_strides[axis] = extent == 1 ? 0 : stride;
            stride *= extent;
        }
    }

    reference operator*() const {
        return m_expression->data_element(static_cast<size_type>(m_flat));
    }

    void step(size_type axis, size_type n = 1) {
        if (axis >= m_offset) {
            m_flat += m_strides[axis - m_offset] * static_cast<difference_type>(n);
        }
    }

    void step_back(size_type axis, size_type n = 1) {
        if (axis >= m_offset) {
            m_flat -= m_strides[axis - m_offset] * static_cast<difference_type>(n);
        }
    }

    void reset(size_type axis) {
        if (axis >= m_offset) {
            m_flat -= m_strides[axis - m_offset] * (extent(axis - m_offset) - 1);
        }
    }

    void reset_back(size_type axis) {
        if (axis >= m_offset) {
            m_flat += m_strides[axis - m_offset] * (extent(axis - m_offset) - 1);
        }
    }

    void to_begin() { m_flat = 0; }

    void to_end(xt::layout_type l) {
        m_flat = 0;
        for (size_type axis = 0; axis < m_strides.size(); ++axis) {
            m_flat += m_strides[axis] * (extent(axis) - 1);
        }
        // One step past the last element, along the axis that is walked fastest; it may be one of
        // those before the expression's own.
        if (m_strides.size() != 0 && l == xt::layout_type::row_major) {
            m_flat += m_strides.back();
        } else if (m_strides.size() != 0 && m_offset == 0) {
            m_flat += m_strides.front();
        }
    }

private:
    difference_type extent(size_type axis) const {
        return static_cast<difference_type>(m_expression->shape()[axis]);
    }

    const E* m_expression = nullptr;
    size_type m_offset = 0;
    xt::svector<difference_type, 4> m_strides;
    difference_type m_flat = 0;
};

/// Marks the lazy expressions of this library.
struct lazy_base {};

/// Base of every lazy expression of the library. D supplies shape(), element(first, last),
/// data_element(i), stepper_begin, stepper_end; this adds what xtensor asks of an expression
/// besides.
template <class D, class Value>
class lazy : public lazy_base,
             public xt::xexpression<D>,
             public xt::xconst_iterable<D>,
             public xt::xconst_accessible<D> {
    using accessible_base = xt::xconst_accessible<D>;
    using iterable_base = xt::xconst_iterable<D>;

public:
    using expression_tag = xt::xtensor_expression_tag;
    using value_type = Value;
    using reference = Value;
    using const_reference = Value;
    using pointer = const Value*;
    using const_pointer = const Value*;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using bool_load_type = xt::bool_load_type<Value>;
    using inner_shape_type = typename iterable_base::inner_shape_type;
    using shape_type = inner_shape_type;
    using stepper = typename iterable_base::stepper;
    using const_stepper = typename iterable_base::const_stepper;
    using linear_iterator = flat_iterator<D>;
    using const_linear_iterator = flat_iterator<D>;

    static constexpr xt::layout_type static_layout = xt::layout_type::dynamic;
    static constexpr bool contiguous_layout = false;

    using accessible_base::shape;

    [[nodiscard]] xt::layout_type layout() const noexcept { return xt::layout_type::row_major; }

    [[nodiscard]] bool is_contiguous() const noexcept { return true; }

    /// The element at these indices; missing leading ones count as 0, surplus leading ones are
    /// ignored.
    template <class... Index>
    value_type operator()(Index... index) const {
        const std::array<std::size_t, sizeof...(Index)> all{static_cast<std::size_t>(index)...};
        return self().element(all.begin(), all.end());
    }

    template <class... Index>
    value_type unchecked(Index... index) const {
        return (*this)(index...);
    }

    /// The element at a flat row-major position.
    value_type flat(std::size_t i) const { return self().data_element(i); }

    template <class S>
    bool broadcast_shape(S& to, bool /*reuse_cache*/ = false) const {
        return xt::broadcast_shape(self().shape(), to);
    }

    /// Never: what holds a mask is assigned row by row (assign.hpp).
    template <class S>
    constexpr bool has_linear_assign(const S& /*strides*/) const noexcept {
        return false;
    }

    [[nodiscard]] linear_iterator linear_begin() const noexcept { return {&self(), 0}; }

    [[nodiscard]] linear_iterator linear_end() const noexcept { return {&self(), self().size()}; }

    [[nodiscard]] linear_iterator linear_cbegin() const noexcept { return linear_begin(); }

    [[nodiscard]] linear_iterator linear_cend() const noexcept { return linear_end(); }

private:
    const D& self() const noexcept { return static_cast<const D&>(*this); }
};

/// Calls visit(index) with the multi-index of a flat row-major position.
template <class S, class F>
decltype(auto) at_flat_index(const S& shape, std::size_t i, F&& visit) {
    xt::svector<std::size_t, 8> index(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        const auto extent = static_cast<std::size_t>(shape[axis]);
        index[axis] = i % extent;
        i /= extent;
    }
    return visit(index);
}

/// The flat row-major position of a multi-index; as xtensor does, missing leading indices count as
/// 0, surplus leading ones are ignored, and an axis of extent 1 stands for any index.
template <class S, class It>
std::size_t flat_index(const S& shape, It first, It last) {
    auto given = static_cast<std::size_t>(last - first);
    for (; given > shape.size(); --given) {
        ++first;
    }
    std::size_t i = 0;
    for (std::size_t axis = shape.size() - given; axis < shape.size(); ++axis, ++first) {
        const auto extent = static_cast<std::size_t>(shape[axis]);
        i = i * extent + (extent == 1 ? 0 : static_cast<std::size_t>(*first));
    }
    return i;
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/mask.hpp ====

#include <concepts>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/assign.hpp ====

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/overlap.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/distinct.hpp ====

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <type_traits>
#include <vector>

/// @file
/// Several results of one call, which must not share memory.

namespace xmask::inline XMASK_ABI::detail {
/// Memory from one address up to another.
struct byte_range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;

    [[nodiscard]] bool overlaps(const byte_range& other) const noexcept {
        return begin < other.end && other.begin < end;
    }
};

template <class T>
byte_range bytes_of(const T* first, std::size_t count) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(first);
    return {begin, begin + count * sizeof(T)};
}

/// The least range that holds all elements.
template <has_memory E>
byte_range hull_of(const E& e) {
    if (e.size() == 0) {
        return {};
    }
    const auto* least = e.data() + e.data_offset();
    const auto* most = least;
    for (std::size_t axis = 0; axis < e.dimension(); ++axis) {
        const auto length = static_cast<std::ptrdiff_t>(e.strides()[axis]) *
                            (static_cast<std::ptrdiff_t>(e.shape()[axis]) - 1);
        (length < 0 ? least : most) += length;
    }
    return {bytes_of(least, 1).begin, bytes_of(most, 1).end};
}

/// The ranges that the elements fill: rows where these are contiguous, else single elements. None
/// where elements have no address.
template <class E>
std::vector<byte_range> ranges_of(const E& e) {
    std::vector<byte_range> ranges;
    if (e.size() == 0) {
        return ranges;
    }
    if constexpr (has_memory<E>) {
        const auto& shape = e.shape();
        const std::size_t n = columns_of(shape);
        const bool contiguous = n == 1 || e.strides()[shape.size() - 1] == 1;
        const std::ptrdiff_t stride =
            n == 1 ? 1 : static_cast<std::ptrdiff_t>(e.strides()[shape.size() - 1]);
        const row_offsets offsets(shape, shape, e.strides());
        for (std::size_t r = 0; r < rows_of(shape); ++r) {
            const auto* row = e.data() + e.data_offset() + offsets(r);
            for (std::size_t c = 0; c < (contiguous ? 1 : n); ++c) {
                ranges.push_back(
                    bytes_of(row + static_cast<std::ptrdiff_t>(c) * stride, contiguous ? n : 1)
                );
            }
        }
    } else if constexpr (std::is_lvalue_reference_v<decltype(*e.begin())>) {
        for (const auto& element : e) {
            ranges.push_back(bytes_of(std::addressof(element), 1));
        }
    }
    return ranges;
}

/// Whether some memory is an element of both. Views that lie between each other, as the columns of
/// one tensor, have none in common.
template <class A, class B>
bool share_elements(const A& a, const B& b) {
    if constexpr (has_memory<A> && has_memory<B>) {
        if (!hull_of(a).overlaps(hull_of(b))) {
            return false;
        }
    }
    auto ranges = ranges_of(a);
    std::ranges::sort(ranges, {}, &byte_range::begin);
    // Ranges of one expression do not overlap: the last that begins before the end of another is
    // the only one that can reach into it.
    return std::ranges::any_of(ranges_of(b), [&](const byte_range& range) {
        const auto after = std::ranges::lower_bound(ranges, range.end, {}, &byte_range::begin);
        return after != ranges.begin() && std::prev(after)->overlaps(range);
    });
}

/// Throws std::invalid_argument where two results share memory: one would overwrite the other.
template <class A, class B>
void require_distinct(
    const char* function, const char* a_name, const A& a, const char* b_name, const B& b
) {
    const bool same =
        static_cast<const void*>(std::addressof(a)) == static_cast<const void*>(std::addressof(b));
    if (same || share_elements(a, b)) [[unlikely]] {
        throw_invalid(
            function, a_name, " and ", b_name,
            " are written to the same memory; expected one tensor ", "for each"
        );
    }
}

/// The same of three.
template <class A, class B, class C>
void require_distinct(
    const char* function, const char* a_name, const A& a, const char* b_name, const B& b,
    const char* c_name, const C& c
) {
    require_distinct(function, a_name, a, b_name, b);
    require_distinct(function, a_name, a, c_name, c);
    require_distinct(function, b_name, b, c_name, c);
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/row.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/block.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/simd.hpp ====

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// ==== xmask/core/simd/avx.hpp ====

#include <array>

// ==== xmask/core/simd/lanes.hpp ====

#include <cstddef>
#include <type_traits>

#include <xsimd/config/xsimd_config.hpp>

#if XSIMD_VERSION_MAJOR < 13
#error "xmask needs xsimd 13 or later."
#include <xmask_ends_here>
#elif defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
#error "xmask needs SIMD registers that xsimd knows, as SSE2, NEON, SVE, RVV or VSX."
#include <xmask_ends_here>
#endif

#include <xsimd/xsimd.hpp>

/// @file
/// Registers of lanes, and the tags of the instruction sets.

namespace xmask::inline XMASK_ABI::detail {
/// The type whose lanes carry elements of type T: bool travels as a byte.
template <class T>
using lane_t = std::conditional_t<std::is_same_v<T, bool>, unsigned char, T>;

/// Whether the processor has registers of T. Other types (complex, long double) take scalar loops.
template <class T>
inline constexpr bool has_lanes =
    std::is_arithmetic_v<T> && xsimd::has_simd_register<lane_t<T>, xsimd::default_arch>::value;

/// A register of T.
template <class T>
using lanes = xsimd::batch<lane_t<T>>;

/// One bit of decision for each lane of a register of T.
template <class T>
using lane_mask = typename lanes<T>::batch_bool_type;

/// How many T fit into one register.
template <class T>
inline constexpr std::size_t lane_count = lanes<T>::size;

/// Bytes a streaming store must be aligned to.
template <class T>
inline constexpr std::size_t register_bytes = lane_count<T> * sizeof(T);

/// The functions of core/simd.hpp for each instruction set. Each takes the tag of its set first. A
/// set's tag derives from that of the set it extends, so that overload resolution finds the
/// function of the best set that has one, and at last that of `generic`, which xsimd makes.
namespace simd {
struct generic {};

struct sse2 : generic {};

struct avx : sse2 {};

struct avx2 : avx {};

struct avx2_fma : avx2 {};

/// Not from avx2, whose functions are for registers of 32 bytes.
struct avx512f : sse2 {};

/// AVX512BW and AVX512VL: processors have both or none.
struct avx512bw : avx512f {};

struct avx512vbmi2 : avx512bw {};

struct neon : generic {};

/// The best set that the compiler may use.
#if defined(__AVX512VBMI2__) && defined(__AVX512BW__) && defined(__AVX512VL__)
using native = avx512vbmi2;
#elif defined(__AVX512BW__) && defined(__AVX512VL__)
using native = avx512bw;
#elif defined(__AVX512F__)
using native = avx512f;
#elif defined(__AVX2__) && defined(__FMA__)
using native = avx2_fma;
#elif defined(__AVX2__)
using native = avx2;
#elif defined(__AVX__)
using native = avx;
#elif defined(__SSE2__)
using native = sse2;
#elif XSIMD_WITH_NEON64 && !XSIMD_WITH_SVE
using native = neon;
#else
using native = generic;
#endif

/// How a register of slots holds ids that tokens of one type are looked up in (match_slots).
struct slot_layout {
    std::size_t slots = 2;     ///< ids that the register holds, a power of two
    std::size_t most = 0;      ///< ids for which each is likely to find a slot of its own
    std::size_t id_bytes = 8;  ///< of each id in its slot
    std::size_t registers = 1; ///< of tokens looked up by one call
};
} // namespace simd
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// AVX: floats in registers of 32 bytes.

#if defined(__AVX__) && !defined(__AVX512F__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
    requires(register_bytes<T> == 32)
XMASK_INLINE void store_streaming(avx, T* to, const lanes<T>& value) noexcept {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), __builtin_bit_cast(__m256i, value.data));
}

XMASK_INLINE lanes<float> max_or_nan(
    avx, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(_mm256_max_ps(limit, x));
}

XMASK_INLINE std::array<lanes<double>, 2> widen(avx, const lanes<float>& x) noexcept {
    return {
        lanes<double>(_mm256_cvtps_pd(_mm256_castps256_ps128(x))),
        lanes<double>(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))),
    };
}

XMASK_INLINE lanes<double> load_widened(avx, const float* from) noexcept {
    return lanes<double>(_mm256_cvtps_pd(_mm_loadu_ps(from)));
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/simd/avx2.hpp ====

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// ==== xmask/core/simd/bits.hpp ====

#include <cstdint>
#include <type_traits>

#if defined(__BMI2__) && defined(__x86_64__)
#include <immintrin.h>
#endif

/// @file
/// What the processor's instructions for single words of bits are used for.

namespace xmask::inline XMASK_ABI::detail::simd {
/// A word with its lowest `count` bits set, of at most 64.
[[nodiscard]] constexpr std::uint64_t lowest_bits(std::uint64_t count) noexcept {
#if defined(__BMI2__) && defined(__x86_64__)
    if (!std::is_constant_evaluated()) {
        return _bzhi_u64(~std::uint64_t(0), static_cast<unsigned>(count));
    }
#endif
    // Without a branch, which short rows would make unpredictable. 64 becomes 1 - 1 - 1.
    return (std::uint64_t(1) << count % 64) - 1 - count / 64;
}
} // namespace xmask::inline XMASK_ABI::detail::simd

// ==== xmask/core/simd/generic.hpp ====

#include <array>
#include <cstddef>
#include <cstdint>

/// @file
/// The functions of core/simd.hpp as xsimd makes them on every processor.

namespace xmask::inline XMASK_ABI::detail::simd {
/// The word's bits from k on as a mask: each lane gets the same piece of the word, one for several
/// registers, and looks at its own bit.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(generic, std::uint64_t bits, std::size_t k) noexcept {
    using bits_t = xsimd::as_unsigned_integer_t<lane_t<T>>;
    constexpr std::size_t n = lane_count<T>;
    constexpr std::size_t piece = 8 * sizeof(bits_t);
    if constexpr (n <= piece) {
        static constexpr auto bit_of_column = [] {
            std::array<bits_t, piece> bit{};
            for (std::size_t column = 0; column < piece; ++column) {
                bit[column] = static_cast<bits_t>(std::uint64_t(1) << column);
            }
            return bit;
        }();
        const auto bit = xsimd::batch<bits_t>::load_unaligned(bit_of_column.data() + k % piece);
        const auto chosen =
            (xsimd::batch<bits_t>(static_cast<bits_t>(bits >> (k - k % piece))) & bit) == bit;
        return xsimd::batch_bool_cast<lane_t<T>>(chosen);
    } else {
        return lane_mask<T>::from_mask(bits >> k & lowest_bits(n));
    }
}

template <class T>
XMASK_INLINE lanes<T> select_lanes(
    generic, const lane_mask<T>& chosen, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return xsimd::select(chosen, x, y);
}

template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    generic, std::uint64_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return xsimd::select(mask_from_bits<T>(native(), bits, k), x, y);
}

template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(
    generic, const lane_mask<T>& chosen, const lanes<T>& x
) noexcept {
    return xsimd::select(chosen, x, lanes<T>(lane_t<T>(0)));
}

template <class T>
XMASK_INLINE lanes<T> zero_unless(
    generic, std::uint64_t bits, std::size_t k, const lanes<T>& x
) noexcept {
    return zero_unless_lanes<T>(native(), mask_from_bits<T>(native(), bits, k), x);
}

template <class T>
consteval bool has_lanes_of_bytes(generic) noexcept {
    return false;
}

template <class T>
XMASK_INLINE lane_mask<T> mask_from_bytes(generic, const bool* from) noexcept {
    return lane_mask<T>::load_unaligned(from);
}

/// In two steps, because xsimd leaves a shift by 64 undefined.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    generic, const lanes<std::uint64_t>& counts
) noexcept {
    using batch = lanes<std::uint64_t>;
    const auto half = counts >> 1;
    return ((batch(1) << half) << (counts - half)) - batch(1);
}

template <class T>
XMASK_INLINE lanes<T> load_first_lanes(generic, const T* from, std::size_t count) noexcept {
    std::array<lane_t<T>, lane_count<T>> buffer{};
    for (std::size_t k = 0; k < count; ++k) {
        buffer[k] = static_cast<lane_t<T>>(from[k]);
    }
    return lanes<T>::load_unaligned(buffer.data());
}

template <class T>
XMASK_INLINE void store_first_lanes(
    generic, T* to, const lanes<T>& value, std::size_t count
) noexcept {
    std::array<lane_t<T>, lane_count<T>> buffer;
    value.store_unaligned(buffer.data());
    for (std::size_t k = 0; k < count; ++k) {
        to[k] = static_cast<T>(buffer[k]);
    }
}

template <class T>
consteval bool has_compress(generic) noexcept {
    return false;
}

template <class T>
XMASK_INLINE lanes<T> compress_lanes(generic, const lanes<T>& x, std::uint64_t bits) noexcept {
    std::array<lane_t<T>, lane_count<T>> buffer;
    x.store_unaligned(buffer.data());
    std::size_t to = 0;
    for (std::size_t k = 0; k < lane_count<T>; ++k) {
        buffer[to] = buffer[k];
        to += bits >> k & 1;
    }
    return lanes<T>::load_unaligned(buffer.data());
}

template <class T>
XMASK_INLINE void store_streaming(generic, T* to, const lanes<T>& value) noexcept {
    value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
}

XMASK_INLINE void finish_streaming(generic) noexcept {}

/// By a comparison: which operand xsimd's max gives for NaN changed in xsimd 14.
XMASK_INLINE lanes<float> max_or_nan(
    generic, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return xsimd::select(x < limit, limit, x);
}

template <class B>
XMASK_INLINE B square_root(generic, const B& x) noexcept {
    return xsimd::sqrt(x);
}

template <class B>
XMASK_INLINE B quotient(generic, const B& x, const B& y) noexcept {
    return x / y;
}

XMASK_INLINE lanes<double> load_widened(generic, const float* from) noexcept {
    std::array<double, lane_count<double>> wide;
    for (std::size_t k = 0; k < lane_count<double>; ++k) {
        wide[k] = static_cast<double>(from[k]);
    }
    return lanes<double>::load_unaligned(wide.data());
}

XMASK_INLINE std::array<lanes<double>, 2> widen(generic, const lanes<float>& x) noexcept {
    std::array<float, lane_count<float>> buffer;
    x.store_unaligned(buffer.data());
    return {
        load_widened(generic(), buffer.data()),
        load_widened(generic(), buffer.data() + lane_count<double>),
    };
}

consteval std::size_t table_lanes(generic) noexcept { return 1; }

XMASK_INLINE lanes<std::int32_t> look_up(
    generic, const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    constexpr std::size_t n = lane_count<std::int32_t>;
    std::array<std::int32_t, n> buffer;
    at.store_unaligned(buffer.data());
    for (auto& number : buffer) {
        number = table[static_cast<std::uint32_t>(number) % n];
    }
    return lanes<std::int32_t>::load_unaligned(buffer.data());
}

template <class T>
XMASK_INLINE lanes<T> load_in_passing(generic, const T* from) noexcept {
    return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
}

template <class T>
consteval slot_layout slots_of(generic) noexcept {
    return {};
}

/// As slots_of says, there is none.
template <class T>
void match_slots(generic) = delete;
} // namespace xmask::inline XMASK_ABI::detail::simd

/// @file
/// AVX2: registers of 32 bytes, and masks that are registers, too.

#if defined(__AVX2__) && !defined(__AVX512F__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// Each lane gets the byte of the word that holds its bit.
template <class T>
    requires(sizeof(T) == 1)
XMASK_INLINE lane_mask<T> mask_from_bits(avx2, std::uint64_t bits, std::size_t k) noexcept {
    const auto byte_of_lane = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3,
        3
    );
    const auto bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
    const auto bytes =
        _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits >> k)), byte_of_lane);
    return lane_mask<T>(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit));
}

/// A blend looks at the sign alone, so that each lane need only shift its own bit there.
template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> select_by_bits(
    avx2, std::uint64_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    using bits_t = xsimd::as_unsigned_integer_t<lane_t<T>>;
    constexpr std::size_t piece = 8 * sizeof(bits_t);
    static constexpr auto shift_of_column = [] {
        std::array<bits_t, piece> shift{};
        for (std::size_t column = 0; column < piece; ++column) {
            shift[column] = static_cast<bits_t>(piece - 1 - column);
        }
        return shift;
    }();
    const auto shift = xsimd::batch<bits_t>::load_unaligned(shift_of_column.data() + k % piece);
    const auto columns = xsimd::batch<bits_t>(static_cast<bits_t>(bits >> (k - k % piece)));
    if constexpr (sizeof(T) == 4) {
        const auto kept = __builtin_bit_cast(__m256, x.data);
        const auto other = __builtin_bit_cast(__m256, y.data);
        const auto signs = _mm256_castsi256_ps(_mm256_sllv_epi32(columns.data, shift.data));
        return lanes<T>(__builtin_bit_cast(decltype(x.data), _mm256_blendv_ps(other, kept, signs)));
    } else {
        const auto kept = __builtin_bit_cast(__m256d, x.data);
        const auto other = __builtin_bit_cast(__m256d, y.data);
        const auto signs = _mm256_castsi256_pd(_mm256_sllv_epi64(columns.data, shift.data));
        return lanes<T>(__builtin_bit_cast(decltype(x.data), _mm256_blendv_pd(other, kept, signs)));
    }
}

/// One instruction, where a blend takes three.
template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(
    avx2, const lane_mask<T>& chosen, const lanes<T>& x
) noexcept {
    return lanes<T>(__builtin_bit_cast(
        decltype(x.data),
        _mm256_and_si256(
            __builtin_bit_cast(__m256i, chosen.data), __builtin_bit_cast(__m256i, x.data)
        )
    ));
}

template <class T>
consteval bool has_lanes_of_bytes(avx2) noexcept {
    return sizeof(T) >= 4;
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lane_mask<T> mask_from_bytes(avx2, const bool* from) noexcept {
    __m256i wide;
    if constexpr (sizeof(T) == 4) {
        wide = _mm256_cvtepu8_epi32(_mm_loadu_si64(from));
        wide = _mm256_cmpgt_epi32(wide, _mm256_setzero_si256());
    } else {
        wide = _mm256_cvtepu8_epi64(_mm_loadu_si32(from));
        wide = _mm256_cmpgt_epi64(wide, _mm256_setzero_si256());
    }
    return lane_mask<T>(__builtin_bit_cast(typename lane_mask<T>::register_type, wide));
}

/// A shift by 64 gives 0 here.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    avx2, const lanes<std::uint64_t>& counts
) noexcept {
    using batch = lanes<std::uint64_t>;
    return batch(_mm256_sllv_epi64(_mm256_set1_epi64x(1), counts)) - batch(1);
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> load_first_lanes(avx2, const T* from, std::size_t count) noexcept {
    using bits_t = xsimd::as_integer_t<T>;
    const __m256i chosen =
        xsimd::batch_bool_cast<bits_t>(mask_from_bits<T>(avx2(), lowest_bits(count), 0)).data;
    if constexpr (std::is_same_v<T, float>) {
        return lanes<T>(_mm256_maskload_ps(from, chosen));
    } else if constexpr (std::is_same_v<T, double>) {
        return lanes<T>(_mm256_maskload_pd(from, chosen));
    } else if constexpr (sizeof(T) == 4) {
        return lanes<T>(_mm256_maskload_epi32(reinterpret_cast<const int*>(from), chosen));
    } else {
        return lanes<T>(_mm256_maskload_epi64(reinterpret_cast<const long long*>(from), chosen));
    }
}

/// By halves: a masked store is slow on some processors, and never forwarded to the next load.
template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE void store_first_lanes(
    avx2, T* to, const lanes<T>& value, std::size_t count
) noexcept {
    auto* out = reinterpret_cast<unsigned char*>(to);
    const auto bits = __builtin_bit_cast(__m256i, value.data);
    auto half = _mm256_castsi256_si128(bits);
    const std::size_t bytes = count * sizeof(T);
    if (bytes & 16) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), half);
        half = _mm256_extracti128_si256(bits, 1);
        out += 16;
    }
    if (bytes & 8) {
        _mm_storeu_si64(out, half);
        half = _mm_unpackhi_epi64(half, half);
        out += 8;
    }
    if (bytes & 4) {
        _mm_storeu_si32(out, half);
    }
}

template <class T>
consteval bool has_compress(avx2) noexcept {
    return sizeof(T) >= 4;
}

/// For each choice of 8 lanes, their numbers in order, one a byte.
inline constexpr auto chosen_lane_numbers = [] {
    std::array<std::uint64_t, 256> numbers{};
    for (std::uint64_t bits = 0; bits < 256; ++bits) {
        unsigned to = 0;
        for (std::uint64_t lane = 0; lane < 8; ++lane) {
            if ((bits >> lane & 1) != 0) {
                numbers[bits] |= lane << 8 * to++;
            }
        }
    }
    return numbers;
}();

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> compress_lanes(avx2, const lanes<T>& x, std::uint64_t bits) noexcept {
    if constexpr (sizeof(T) == 8) {
        // Each lane is two of 32 bits.
        bits = (bits | bits << 2) & 0x33;
        bits = (bits | bits << 1) & 0x55;
        bits |= bits << 1;
    }
    const auto numbers = _mm_loadu_si64(&chosen_lane_numbers[bits & 0xff]);
    const auto moved = _mm256_permutevar8x32_epi32(
        __builtin_bit_cast(__m256i, x.data), _mm256_cvtepu8_epi32(numbers)
    );
    return lanes<T>(__builtin_bit_cast(decltype(x.data), moved));
}

/// Where there is no FMA, exp by a polynomial is as fast.
consteval std::size_t table_lanes(avx2_fma) noexcept { return 8; }

XMASK_INLINE lanes<std::int32_t> look_up(
    avx2, const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    const auto loaded = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table));
    return lanes<std::int32_t>(_mm256_permutevar8x32_epi32(loaded, at));
}

/// Eight slots of 32 bits for tokens of any width: AVX2 moves lanes of 32 bits about, and no
/// others. Tokens of 64 bits are looked up by their lower halves, 32 tokens at once.
template <class T>
    requires(sizeof(T) >= 4)
consteval slot_layout slots_of(avx2) noexcept {
    return {.slots = 8, .most = 7, .id_bytes = 4, .registers = sizeof(T) == 4 ? 1 : 8};
}

/// The ids in the slots of eight tokens of 32 bits.
XMASK_INLINE __m256i
ids_in_slots(const std::int32_t* ids, std::uint32_t factor, __m256i tokens) noexcept {
    constexpr int shift = 32 - 3;
    const auto product = _mm256_mullo_epi32(tokens, _mm256_set1_epi32(static_cast<int>(factor)));
    return look_up(avx2(), ids, lanes<std::int32_t>(_mm256_srli_epi32(product, shift)));
}

/// Which of eight tokens of 64 bits are ids, in the order 0 1 4 5 2 3 6 7, as lanes of 32 bits.
XMASK_INLINE __m256i
match_eight(const std::int32_t* ids, std::uint32_t factor, __m256i a, __m256i b) noexcept {
    const auto x = _mm256_castsi256_ps(a);
    const auto y = _mm256_castsi256_ps(b);
    const auto low = _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0x88));
    const auto high = _mm256_castps_si256(_mm256_shuffle_ps(x, y, 0xdd));
    // All ids fit into 32 bits: their upper halves repeat the sign.
    return _mm256_and_si256(
        _mm256_cmpeq_epi32(low, ids_in_slots(ids, factor, low)),
        _mm256_cmpeq_epi32(high, _mm256_srai_epi32(low, 31))
    );
}

template <class T>
    requires(sizeof(T) == 4)
XMASK_INLINE std::uint64_t match_slots(
    avx2, const std::int32_t* ids, std::uint32_t factor, const std::array<lanes<T>, 1>& tokens
) noexcept {
    const __m256i x = tokens[0].data;
    const auto found = _mm256_cmpeq_epi32(x, ids_in_slots(ids, factor, x));
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(found)));
}

template <class T>
    requires(sizeof(T) == 8)
XMASK_INLINE std::uint64_t match_slots(
    avx2, const std::int32_t* ids, std::uint32_t factor, const std::array<lanes<T>, 8>& tokens
) noexcept {
    const auto eight = [&](std::size_t i) XMASK_INLINE_LAMBDA {
        return match_eight(ids, factor, tokens[2 * i].data, tokens[2 * i + 1].data);
    };
    const auto found = _mm256_packs_epi16(
        _mm256_packs_epi32(eight(0), eight(1)), _mm256_packs_epi32(eight(2), eight(3))
    );
    // The lower 128 bits hold the tokens 0 1 4 5 8 9 ..., the upper ones 2 3 6 7 10 11 ...
    const auto pairs = _mm256_setr_epi8(
        0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12,
        13, 6, 7, 14, 15
    );
    const auto in_order = _mm256_shuffle_epi8(_mm256_permute4x64_epi64(found, 0xd8), pairs);
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(in_order));
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/simd/avx512.hpp ====

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// @file
/// AVX-512: registers of 64 bytes, and masks that are bits.

#if defined(__AVX512F__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// The bits are the mask.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(avx512f, std::uint64_t bits, std::size_t k) noexcept {
    return lane_mask<T>(static_cast<typename lane_mask<T>::register_type>(bits >> k));
}

/// Has x in a register. Otherwise the compiler would load or store under the mask that selects
/// (vblendmps and vmovups with a memory operand), which halves the throughput of memory on AMD's
/// Zen 5.
template <class T>
XMASK_INLINE void hold([[maybe_unused]] const lanes<T>& x) noexcept {
#if defined(__GNUC__)
    asm volatile("" : : "v"(x.data));
#endif
}

template <class T>
XMASK_INLINE lanes<T> select_lanes(
    avx512f, const lane_mask<T>& chosen, const lanes<T>& x, const lanes<T>& y
) noexcept {
    hold<T>(x);
    hold<T>(y);
    return xsimd::select(chosen, x, y);
}

template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    avx512f, std::uint64_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return select_lanes<T>(avx512f(), mask_from_bits<T>(avx512f(), bits, k), x, y);
}

template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(
    avx512f, const lane_mask<T>& chosen, const lanes<T>& x
) noexcept {
    hold<T>(x);
    return xsimd::select(chosen, x, lanes<T>(lane_t<T>(0)));
}

/// A shift by 64 gives 0 here; xsimd's goes through memory.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    avx512f, const lanes<std::uint64_t>& counts
) noexcept {
    using batch = lanes<std::uint64_t>;
    return batch(_mm512_sllv_epi64(_mm512_set1_epi64(1), counts)) - batch(1);
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> load_first_lanes(avx512f, const T* from, std::size_t count) noexcept {
    const auto bits = lowest_bits(count);
    if constexpr (std::is_same_v<T, float>) {
        return lanes<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), from));
    } else if constexpr (std::is_same_v<T, double>) {
        return lanes<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(bits), from));
    } else if constexpr (sizeof(T) == 4) {
        return lanes<T>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>(bits), from));
    } else {
        return lanes<T>(_mm512_maskz_loadu_epi64(static_cast<__mmask8>(bits), from));
    }
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE void store_first_lanes(
    avx512f, T* to, const lanes<T>& value, std::size_t count
) noexcept {
    const auto bits = lowest_bits(count);
    if constexpr (std::is_same_v<T, float>) {
        _mm512_mask_storeu_ps(to, static_cast<__mmask16>(bits), value);
    } else if constexpr (std::is_same_v<T, double>) {
        _mm512_mask_storeu_pd(to, static_cast<__mmask8>(bits), value);
    } else if constexpr (sizeof(T) == 4) {
        _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(bits), value);
    } else {
        _mm512_mask_storeu_epi64(to, static_cast<__mmask8>(bits), value);
    }
}

template <class T>
consteval bool has_compress(avx512f) noexcept {
    return sizeof(T) >= 4;
}

template <class T>
    requires(sizeof(T) >= 4)
XMASK_INLINE lanes<T> compress_lanes(avx512f, const lanes<T>& x, std::uint64_t bits) noexcept {
    const auto from = __builtin_bit_cast(__m512i, x.data);
    __m512i moved;
    if constexpr (sizeof(T) == 8) {
        moved = _mm512_maskz_compress_epi64(static_cast<__mmask8>(bits), from);
    } else {
        moved = _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), from);
    }
    return lanes<T>(__builtin_bit_cast(decltype(x.data), moved));
}

template <class T>
XMASK_INLINE void store_streaming(avx512f, T* to, const lanes<T>& value) noexcept {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), __builtin_bit_cast(__m512i, value.data));
}

/// The instruction gives its second operand where either is NaN.
XMASK_INLINE lanes<float> max_or_nan(
    avx512f, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(_mm512_max_ps(limit, x));
}

XMASK_INLINE std::array<lanes<double>, 2> widen(avx512f, const lanes<float>& x) noexcept {
    return {
        lanes<double>(_mm512_cvtps_pd(_mm512_castps512_ps256(x))),
        lanes<double>(
            _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)))
        ),
    };
}

XMASK_INLINE lanes<double> load_widened(avx512f, const float* from) noexcept {
    return lanes<double>(_mm512_cvtps_pd(_mm256_loadu_ps(from)));
}

consteval std::size_t table_lanes(avx512f) noexcept { return 16; }

XMASK_INLINE lanes<std::int32_t> look_up(
    avx512f, const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    return lanes<std::int32_t>(_mm512_permutexvar_epi32(at, _mm512_loadu_si512(table)));
}

/// By halves, of which no more than one lies in two cache lines: in large memory, twice as fast on
/// AMD's Zen 5 as registers that all do.
template <class T>
XMASK_INLINE lanes<T> load_in_passing(avx512f, const T* from) noexcept {
    const auto* const halves = reinterpret_cast<const __m256i*>(from);
    auto low = _mm512_castsi256_si512(_mm256_loadu_si256(halves));
#if defined(__GNUC__)
    asm("" : "+v"(low)); // or one load would be made of both
#endif
    const auto both = _mm512_inserti64x4(low, _mm256_loadu_si256(halves + 1), 1);
    return lanes<T>(__builtin_bit_cast(decltype(lanes<T>().data), both));
}

template <class T>
    requires(sizeof(T) >= 4)
consteval slot_layout slots_of(avx512f) noexcept {
    return {.slots = 16, .most = 10, .id_bytes = sizeof(T), .registers = 1};
}

template <class T, class Id>
XMASK_INLINE std::uint64_t match_slots(
    avx512f, const Id* ids, std::uint32_t factor, const std::array<lanes<T>, 1>& tokens
) noexcept {
    constexpr int shift = 32 - 4;
    const __m512i x = tokens[0].data;
    if constexpr (sizeof(T) == 8) {
        const auto slot = _mm512_srli_epi64(_mm512_mul_epu32(x, _mm512_set1_epi64(factor)), shift);
        const auto id =
            _mm512_permutex2var_epi64(_mm512_loadu_si512(ids), slot, _mm512_loadu_si512(ids + 8));
        return _mm512_cmpeq_epi64_mask(x, id);
    } else {
        const auto product = _mm512_mullo_epi32(x, _mm512_set1_epi32(static_cast<int>(factor)));
        const auto slot = _mm512_srli_epi32(product, shift);
        return _mm512_cmpeq_epi32_mask(x, _mm512_permutexvar_epi32(slot, _mm512_loadu_si512(ids)));
    }
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/simd/avx512bw.hpp ====

/// @file
/// AVX512BW and AVX512VL: comparisons of bytes that give bits.

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
consteval bool has_lanes_of_bytes(avx512bw) noexcept {
    return sizeof(T) <= 4;
}

template <class T>
    requires(sizeof(T) <= 4)
XMASK_INLINE lane_mask<T> mask_from_bytes(avx512bw, const bool* from) noexcept {
    using bits_t = typename lane_mask<T>::register_type;
    if constexpr (sizeof(T) == 1) {
        const auto bytes = _mm512_loadu_si512(from);
        return lane_mask<T>(static_cast<bits_t>(_mm512_test_epi8_mask(bytes, bytes)));
    } else if constexpr (sizeof(T) == 2) {
        const auto bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        return lane_mask<T>(static_cast<bits_t>(_mm256_test_epi8_mask(bytes, bytes)));
    } else {
        const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        return lane_mask<T>(static_cast<bits_t>(_mm_test_epi8_mask(bytes, bytes)));
    }
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/simd/avx512vbmi2.hpp ====

#include <cstdint>

/// @file
/// AVX512VBMI2: moves chosen lanes of one and two bytes together.

#if defined(__AVX512VBMI2__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
consteval bool has_compress(avx512vbmi2) noexcept {
    return true;
}

template <class T>
    requires(sizeof(T) <= 2)
XMASK_INLINE lanes<T> compress_lanes(avx512vbmi2, const lanes<T>& x, std::uint64_t bits) noexcept {
    if constexpr (sizeof(T) == 2) {
        return lanes<T>(_mm512_maskz_compress_epi16(static_cast<__mmask32>(bits), x));
    } else {
        return lanes<T>(_mm512_maskz_compress_epi8(static_cast<__mmask64>(bits), x));
    }
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/simd/neon.hpp ====

#include <array>
#include <cstdint>

/// @file
/// NEON of 64-bit ARM, in registers of 16 bytes.

#if XSIMD_WITH_NEON64 && !XSIMD_WITH_SVE
#include <arm_neon.h>

namespace xmask::inline XMASK_ABI::detail::simd {
/// A shift by 64 gives 0 here.
XMASK_INLINE lanes<std::uint64_t> first_bits_of_each(
    neon, const lanes<std::uint64_t>& counts
) noexcept {
    const auto one = vdupq_n_u64(1);
    const auto shifted = vshlq_u64(one, vreinterpretq_s64_u64(counts.data));
    return lanes<std::uint64_t>(vsubq_u64(shifted, one));
}

/// The instruction gives NaN where either operand is NaN; the limit never is.
XMASK_INLINE lanes<float> max_or_nan(
    neon, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(vmaxq_f32(limit, x));
}

/// xsimd refines an estimate for floats. The estimate is NaN for the root of infinity.
XMASK_INLINE lanes<float> square_root(neon, const lanes<float>& x) noexcept {
    return lanes<float>(vsqrtq_f32(x));
}

XMASK_INLINE lanes<float> quotient(neon, const lanes<float>& x, const lanes<float>& y) noexcept {
    return lanes<float>(vdivq_f32(x, y));
}

XMASK_INLINE std::array<lanes<double>, 2> widen(neon, const lanes<float>& x) noexcept {
    return {
        lanes<double>(vcvt_f64_f32(vget_low_f32(x))),
        lanes<double>(vcvt_high_f64_f32(x)),
    };
}

XMASK_INLINE lanes<double> load_widened(neon, const float* from) noexcept {
    return lanes<double>(vcvt_f64_f32(vld1_f32(from)));
}
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/simd/sse2.hpp ====

/// @file
/// What SSE2 has beyond xsimd: stores past the caches, and the maximum that keeps NaN.

#if defined(__SSE2__)
#include <emmintrin.h>

namespace xmask::inline XMASK_ABI::detail::simd {
template <class T>
XMASK_INLINE void store_streaming(sse2, T* to, const lanes<T>& value) noexcept {
    static_assert(register_bytes<T> == 16);
    // Moving the bits through an integer register type costs nothing: it is the same register.
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), __builtin_bit_cast(__m128i, value.data));
}

XMASK_INLINE void finish_streaming(sse2) noexcept { _mm_sfence(); }

#if !defined(__AVX__)
/// The instruction gives its second operand where either is NaN.
XMASK_INLINE lanes<float> max_or_nan(
    sse2, const lanes<float>& limit, const lanes<float>& x
) noexcept {
    return lanes<float>(_mm_max_ps(limit, x));
}
#endif
} // namespace xmask::inline XMASK_ABI::detail::simd
#endif

// ==== xmask/core/word.hpp ====

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

/// @file
/// Words: 64 columns of one row of a mask as bits. Ranges of columns, and their bits.

namespace xmask::inline XMASK_ABI {
/// 64 columns of one row of a mask: bit k stands for column c + k, and 1 means keep.
using word_t = std::uint64_t;

/// The number of columns in a word.
inline constexpr std::size_t word_columns = 64;

namespace detail {
/// Converts to std::size_t. A template, because g++ warns of a plain cast where both types are one.
template <class T>
constexpr std::size_t to_size(T value) noexcept {
    return static_cast<std::size_t>(value);
}
} // namespace detail

/// Columns [begin, end) of a row.
struct column_range {
    std::size_t begin = 0; ///< the first column
    std::size_t end = 0;   ///< one past the last column

    /// The number of columns; 0 where end is less than begin.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return end > begin ? end - begin : 0;
    }

    friend constexpr bool operator==(const column_range&, const column_range&) = default;
};

/// Gives the columns that are in both ranges.
///
/// @param a  a range of columns
/// @param b  another one
/// @returns  the common range; an empty one where there is none
///
///     std::size_t common = xmask::intersection({0, 4}, {2, 9}).size();    // 2
[[nodiscard]] constexpr column_range intersection(column_range a, column_range b) noexcept {
    const std::size_t begin = std::max(a.begin, b.begin);
    return {begin, std::max(begin, std::min(a.end, b.end))};
}

/// Gives the smallest range that contains both ranges.
///
/// @param a  a range of columns; an empty one counts for nothing
/// @param b  another one
/// @returns  the smallest range that contains a and b
///
///     std::size_t spanned = xmask::hull({0, 4}, {6, 9}).size();    // 9
[[nodiscard]] constexpr column_range hull(column_range a, column_range b) noexcept {
    if (a.size() == 0 || b.size() == 0) {
        return a.size() == 0 ? b : a;
    }
    return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
}

/// Gives a word with its lowest `count` bits set.
///
/// @param count  a number of bits; 64 or more give all 64
/// @returns      the word
///
///     xmask::word_t bits = xmask::first_bits(3);    // 7
[[nodiscard]] constexpr word_t first_bits(std::size_t count) noexcept {
    return detail::simd::lowest_bits(std::min(count, word_columns));
}

/// Gives the number of the lowest set bit.
///
/// @param bits  a word that is not 0
/// @returns     the number of the bit, from 0 to 63
///
///     std::size_t k = xmask::lowest_bit(12);    // 2
[[nodiscard]] constexpr std::size_t lowest_bit(word_t bits) noexcept {
    return static_cast<std::size_t>(std::countr_zero(bits));
}

/// Counts the set bits of a word.
///
/// @param bits  a word
/// @returns     the number of set bits, from 0 to 64
///
///     std::size_t kept = xmask::count_bits(12);    // 2
[[nodiscard]] constexpr std::size_t count_bits(word_t bits) noexcept {
    return static_cast<std::size_t>(std::popcount(bits));
}

/// Gives the word of a row that keeps one range: what `word(c)` of such a cursor returns.
///
/// @param range  the kept columns
/// @param c      the first column of the word
/// @returns      a word whose bit k says whether `range` contains column c + k
///
///     xmask::word_t bits = xmask::range_word({2, 4}, 1);    // 6
[[nodiscard]] constexpr word_t range_word(column_range range, std::size_t c) noexcept {
    return first_bits(std::max(range.end, c) - c) & ~first_bits(std::max(range.begin, c) - c);
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// What xmask needs of registers, beyond xsimd's own functions: the ways between a register's mask
/// and the bits of a word, partial loads and stores, stores past the caches.
///
/// Each function below calls the one of its name in core/simd/, of the best instruction set that
/// the compiler may use: a set's file holds what the set does better than xsimd does portably
/// (core/simd/generic.hpp). Code outside of core/simd/ names no instruction set.

namespace xmask::inline XMASK_ABI::detail {
/// A register from memory, and to it; of any alignment.
template <class T>
XMASK_INLINE lanes<T> load_lanes(const T* from) noexcept {
    return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
}

template <class T>
XMASK_INLINE void store_lanes(T* to, const lanes<T>& value) noexcept {
    value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
}

/// The first `count` elements (fewer than a register holds), 0 in the other lanes; reads nothing
/// past them.
template <class T>
XMASK_INLINE lanes<T> load_first_lanes(const T* from, std::size_t count) noexcept {
    return simd::load_first_lanes(simd::native(), from, count);
}

/// Writes the first `count` lanes and nothing past them.
template <class T>
XMASK_INLINE void store_first_lanes(T* to, const lanes<T>& value, std::size_t count) noexcept {
    simd::store_first_lanes<T>(simd::native(), to, value, count);
}

/// Writes past the caches where the processor can; `to` is aligned to register_bytes<T>.
template <class T>
XMASK_INLINE void store_streaming(T* to, const lanes<T>& value) noexcept {
    simd::store_streaming<T>(simd::native(), to, value);
}

/// Makes streamed stores visible before anything that follows.
XMASK_INLINE void finish_streaming() noexcept { simd::finish_streaming(simd::native()); }

/// Bits [k, k + lane_count<T>) of a word, one a lane; k is a multiple of lane_count<T>.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bits(word_t bits, std::size_t k) noexcept {
    return simd::mask_from_bits<T>(simd::native(), bits, k);
}

/// One bit for each lane, lane 0 lowest.
template <class M>
XMASK_INLINE word_t bits_from_mask(const M& mask) noexcept {
    return static_cast<word_t>(mask.mask());
}

/// Whether the processor makes a mask of registers of T of as many bytes in an instruction or two.
template <class T>
inline constexpr bool has_lanes_of_bytes = [] {
    if constexpr (has_lanes<T>) {
        return simd::has_lanes_of_bytes<T>(simd::native());
    }
    return false;
}();

/// Which of lane_count<T> bytes are not 0.
template <class T>
XMASK_INLINE lane_mask<T> mask_from_bytes(const bool* from) noexcept
    requires has_lanes_of_bytes<T>
{
    return simd::mask_from_bytes<T>(simd::native(), from);
}

/// x in the chosen lanes, y in the others.
template <class T>
XMASK_INLINE lanes<T> select_lanes(
    const lane_mask<T>& chosen, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return simd::select_lanes<T>(simd::native(), chosen, x, y);
}

/// x in the lanes whose bits are set in the word, from bit k on, y in the others; k is a multiple
/// of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> select_by_bits(
    word_t bits, std::size_t k, const lanes<T>& x, const lanes<T>& y
) noexcept {
    return simd::select_by_bits<T>(simd::native(), bits, k, x, y);
}

/// x in the chosen lanes, 0 in the others.
template <class T>
XMASK_INLINE lanes<T> zero_unless_lanes(const lane_mask<T>& chosen, const lanes<T>& x) noexcept {
    return simd::zero_unless_lanes<T>(simd::native(), chosen, x);
}

/// x in the lanes whose bits are set in the word, from bit k on, 0 in the others; k is a multiple
/// of lane_count<T>.
template <class T>
XMASK_INLINE lanes<T> zero_unless(word_t bits, std::size_t k, const lanes<T>& x) noexcept {
    return simd::zero_unless<T>(simd::native(), bits, k, x);
}

/// Whether the processor can move the chosen lanes of a register of T together.
template <class T>
inline constexpr bool has_compress = [] {
    if constexpr (has_lanes<T>) {
        return simd::has_compress<T>(simd::native());
    }
    return false;
}();

/// The lanes whose bits (the lowest lane_count<T>) are set, in order, in the first lanes; the
/// others hold anything.
template <class T>
XMASK_INLINE lanes<T> compress_lanes(const lanes<T>& x, word_t bits) noexcept
    requires has_compress<T>
{
    return simd::compress_lanes<T>(simd::native(), x, bits);
}

/// Replaces each of `count` numbers, of at most 64, by a word with that many of its lowest bits
/// set.
inline void replace_by_first_bits(word_t* words, std::size_t count) noexcept {
    std::size_t i = 0;
    if constexpr (has_lanes<word_t>) {
        for (; i + lane_count<word_t> <= count; i += lane_count<word_t>) {
            const auto counts = load_lanes<word_t>(words + i);
            store_lanes(words + i, simd::first_bits_of_each(simd::native(), counts));
        }
    }
    for (; i < count; ++i) {
        words[i] = first_bits(words[i]);
    }
}

/// The larger of x and a limit that is a number; NaN where x is NaN.
XMASK_INLINE lanes<float> max_or_nan(const lanes<float>& limit, const lanes<float>& x) noexcept {
    return simd::max_or_nan(simd::native(), limit, x);
}

/// The square root and the quotient, rounded once.
template <class B>
XMASK_INLINE B square_root(const B& x) noexcept {
    return simd::square_root(simd::native(), x);
}

template <class B>
XMASK_INLINE B quotient(const B& x, const B& y) noexcept {
    return simd::quotient(simd::native(), x, y);
}

/// The two halves of a register of floats, each float exactly as a double.
XMASK_INLINE std::array<lanes<double>, 2> widen(const lanes<float>& x) noexcept {
    return simd::widen(simd::native(), x);
}

/// As many floats as a register holds doubles, each exactly as a double.
XMASK_INLINE lanes<double> load_widened(const float* from) noexcept {
    return simd::load_widened(simd::native(), from);
}

/// How many numbers the table of look_up has: as many as a register, where looking up is quick,
/// otherwise 1.
inline constexpr std::size_t table_lanes = simd::table_lanes(simd::native());

/// The elements of a table as large as a register, by the lowest bits of each lane's number.
XMASK_INLINE lanes<std::int32_t> look_up(
    const std::int32_t* table, const lanes<std::int32_t>& at
) noexcept {
    return simd::look_up(simd::native(), table, at);
}

/// A register of a large array that is read in order and only once, of any alignment.
template <class T>
XMASK_INLINE lanes<T> load_in_passing(const T* from) noexcept {
    return simd::load_in_passing<T>(simd::native(), from);
}

/// How match_slots takes ids and tokens of type T; `most` is 0 where there is none.
template <class T>
inline constexpr simd::slot_layout slots_for = [] {
    if constexpr (has_lanes<T>) {
        return simd::slots_of<T>(simd::native());
    }
    return simd::slot_layout();
}();

/// An id in its slot.
template <class T>
using slot_t = std::conditional_t<slots_for<T>.id_bytes == 4, std::int32_t, T>;

/// The slot of a token: the highest bits of the lower half of its product with an odd factor.
template <class T>
constexpr std::size_t slot_of(T token, std::uint32_t factor) noexcept {
    constexpr int shift = 33 - std::bit_width(slots_for<T>.slots);
    return (static_cast<std::uint32_t>(token) * factor) >> shift;
}

/// Looks tokens up among few ids, at the same cost for one id as for all: bit k says whether token
/// k is equal to the id in its slot.
template <class T>
XMASK_INLINE word_t match_slots(
    const slot_t<T>* ids, std::uint32_t factor,
    const std::array<lanes<T>, slots_for<T>.registers>& tokens
) noexcept
    requires(slots_for<T>.most != 0)
{
    return simd::match_slots<T>(simd::native(), ids, factor, tokens);
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Blocks: at most 64 elements of an operand at the same columns.
///
/// A block has a value_type, single elements `at(k)`, and, where `in_registers` is true, registers
/// `load(k)` of all lanes and `load_first(k, count)` of the first few. It is small enough to stay
/// in registers itself.

namespace xmask::inline XMASK_ABI::detail {
/// The size of a block of 64 columns, known at compile time: its loops become straight lines.
using whole_word = std::integral_constant<std::size_t, word_columns>;

/// f of what a tuple holds. It takes one call where std::apply takes four, which count in builds
/// without optimization and in the time to compile.
template <class F, class Tuple>
XMASK_INLINE decltype(auto) call_with(F&& f, Tuple&& tuple) {
    constexpr std::size_t size = std::tuple_size_v<std::remove_reference_t<Tuple>>;
    if constexpr (size == 1) {
        return f(std::get<0>(tuple));
    } else if constexpr (size == 2) {
        return f(std::get<0>(tuple), std::get<1>(tuple));
    } else {
        return [&]<std::size_t... I>(std::index_sequence<I...>)
                   XMASK_INLINE_LAMBDA -> decltype(auto) {
                       return f(std::get<I>(tuple)...);
                   }(std::make_index_sequence<size>());
    }
}

/// Calls f(offset, full) for each register of a block of `count` columns; the last one may be
/// partial.
template <class T, class Count, class F>
XMASK_INLINE void for_each_register(Count count, F&& f) {
    constexpr std::size_t n = lane_count<T>;
    if constexpr (std::is_same_v<Count, whole_word>) {
        [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
            (f(I * n, std::true_type()), ...);
        }(std::make_index_sequence<word_columns / n>());
    } else {
        std::size_t k = 0;
        for (; k + n <= count; k += n) {
            f(k, std::true_type());
        }
        if (k < count) {
            f(k, std::false_type());
        }
    }
}

/// A register of a block from element k on; a partial one holds `count` elements.
template <bool Full, class Block>
XMASK_INLINE auto load_register(const Block& block, std::size_t k, std::size_t count) {
    if constexpr (Full) {
        return block.load(k);
    } else {
        return block.load_first(k, count);
    }
}

/// Elements that lie side by side in memory.
template <class T>
class memory_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit memory_block(const T* first) noexcept : m_first(first) {}

    [[nodiscard]] XMASK_INLINE const T* data() const noexcept { return m_first; }

    XMASK_INLINE T at(std::size_t k) const noexcept { return m_first[k]; }

    XMASK_INLINE lanes<T> load(std::size_t k) const noexcept
        requires in_registers
    {
        return load_lanes(m_first + k);
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const noexcept
        requires in_registers
    {
        return load_first_lanes(m_first + k, count);
    }

private:
    const T* m_first;
};

/// Floats that lie side by side in memory, read as doubles.
class widened_block {
public:
    using value_type = double;
    static constexpr bool in_registers = has_lanes<double>;

    explicit widened_block(const float* first) noexcept : m_first(first) {}

    XMASK_INLINE double at(std::size_t k) const noexcept { return static_cast<double>(m_first[k]); }

    XMASK_INLINE lanes<double> load(std::size_t k) const noexcept {
        return load_widened(m_first + k);
    }

    XMASK_INLINE lanes<double> load_first(std::size_t k, std::size_t count) const noexcept {
        std::array<float, lane_count<double>> buffer{};
        std::copy_n(m_first + k, count, buffer.begin());
        return load_widened(buffer.data());
    }

private:
    const float* m_first;
};

/// One value for every element.
template <class T>
class scalar_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit scalar_block(const T& value) noexcept : m_value(value) {}

    XMASK_INLINE T at(std::size_t /*k*/) const noexcept { return m_value; }

    XMASK_INLINE lanes<T> load(std::size_t /*k*/) const noexcept
        requires in_registers
    {
        return lanes<T>(static_cast<lane_t<T>>(m_value));
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t /*count*/) const noexcept
        requires in_registers
    {
        return load(k);
    }

private:
    T m_value;
};

/// The blocks of several operands at the same columns. It hands the elements, or the registers, of
/// all of them to a function.
template <class... Block>
class zip_block {
public:
    explicit zip_block(Block... blocks) : m_blocks(blocks...) {}

    /// f of the elements at k.
    template <class F>
    XMASK_INLINE auto at(std::size_t k, F&& f) const {
        return call_with(
            [&](const auto&... block) XMASK_INLINE_LAMBDA { return f(block.at(k)...); }, m_blocks
        );
    }

    /// f of the registers from k on; partial ones hold `count` elements.
    template <bool Full, class F>
    XMASK_INLINE auto load(std::size_t k, std::size_t count, F&& f) const {
        return call_with(
            [&](const auto&... block)
                XMASK_INLINE_LAMBDA { return f(load_register<Full>(block, k, count)...); },
            m_blocks
        );
    }

private:
    std::tuple<Block...> m_blocks;
};

/// Whether a functor of xtensor works on registers of T and gives one back.
template <class F, class T, class... Args>
concept register_function =
    has_lanes<T> && std::is_floating_point_v<T> && requires(const F& f, const lanes<T>& x) {
        requires(std::same_as<Args, T> && ...);
        { f.simd_apply((static_cast<void>(sizeof(Args)), x)...) } -> std::same_as<lanes<T>>;
    };

/// A lazy function of other blocks. Where all of them have one real type and the function takes
/// registers, it is computed in registers; otherwise element by element.
template <class F, class... Block>
class function_block {
public:
    using value_type =
        std::decay_t<decltype(std::declval<const F&>()(std::declval<typename Block::value_type>()...
        ))>;
    static constexpr bool in_registers =
        (Block::in_registers && ...) &&
        register_function<F, value_type, typename Block::value_type...>;

    explicit function_block(const F& f, Block... blocks) : m_function(f), m_blocks(blocks...) {}

    XMASK_INLINE value_type at(std::size_t k) const { return m_blocks.at(k, m_function); }

    XMASK_INLINE auto load(std::size_t k) const
        requires in_registers
    {
        return m_blocks.template load<true>(k, 0, in_lanes());
    }

    XMASK_INLINE auto load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return m_blocks.template load<false>(k, count, in_lanes());
    }

private:
    XMASK_INLINE auto in_lanes() const {
        return [this](const auto&... x) XMASK_INLINE_LAMBDA { return m_function.simd_apply(x...); };
    }

    F m_function;
    zip_block<Block...> m_blocks;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/buffer.hpp ====

#include <cstddef>

/// @file
/// Room for a few elements on the stack.

namespace xmask::inline XMASK_ABI::detail {
/// Room for elements, uninitialized; a copy of it copies nothing, so that rows are cheap to move.
template <class T, std::size_t N = word_columns>
struct block_buffer {
    block_buffer() noexcept {}

    block_buffer(const block_buffer&) noexcept {}

    block_buffer& operator=(const block_buffer&) noexcept { return *this; }

    T values[N];
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/functor.hpp ====

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

/// @file
/// The functors of xtensor's lazy functions, as rows call them. xtensor calls simd_apply only where
/// XTENSOR_USE_XSIMD is defined, and without it some of them do not compile for registers, or take
/// one decision for a whole register.

namespace xmask::inline XMASK_ABI::detail {
/// A functor that is called for each element.
template <class F>
class by_element {
public:
    explicit by_element(const F& f) : m_function(f) {}

    template <class... T>
    XMASK_INLINE auto operator()(const T&... x) const {
        return m_function(x...);
    }

private:
    F m_function;
};

/// xtensor's functor, whose choice between registers is xsimd's.
struct largest_of_two : xt::math::maximum<void> {
    template <class B>
    XMASK_INLINE B simd_apply(const B& a, const B& b) const {
        return xsimd::select(a > b, a, b);
    }
};

struct smallest_of_two : xt::math::minimum<void> {
    template <class B>
    XMASK_INLINE B simd_apply(const B& a, const B& b) const {
        return xsimd::select(a < b, a, b);
    }
};

struct clipped : xt::math::clamp_fun {
    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& low, const B& high) const {
        return xsimd::select(x < low, low, xsimd::select(high < x, high, x));
    }
};

/// xtensor's functors, rounded as the standard library rounds: xsimd refines an estimate on NEON.
struct exact_root : xt::math::sqrt_fun {
    template <class B>
    XMASK_INLINE B simd_apply(const B& x) const {
        return square_root(x);
    }
};

struct exact_quotient : xt::detail::divides {
    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& y) const {
        return quotient(x, y);
    }
};

/// Whether a lambda with one argument is that of xt::square or xt::cube, in an expression whose
/// closure is CT.
template <class F, class CT>
concept power_lambda =
    []<class... E>(std::type_identity<E>...) {
        return (
            (std::same_as<xt::xfunction<F, CT>, decltype(xt::square(std::declval<E>()))> ||
             std::same_as<xt::xfunction<F, CT>, decltype(xt::cube(std::declval<E>()))>) ||
            ...
        );
    }(std::type_identity<CT>(),
      std::type_identity<std::remove_const_t<std::remove_reference_t<CT>>&>());

template <class F, class... G>
concept any_of = (std::same_as<F, G> || ...);

/// Functions whose results in registers are far from those of the standard library for some
/// arguments: where one is NaN, infinite or large, or where a result is tiny.
template <class F>
concept rough_in_registers = any_of<
    F, xt::math::fmax_fun, xt::math::fmin_fun, xt::math::fmod_fun, xt::math::remainder_fun,
    xt::math::fdim_fun, xt::math::hypot_fun, xt::math::acosh_fun, xt::math::erfc_fun,
    xt::math::tgamma_fun, xt::math::lgamma_fun>;

/// How rows call the functor of xt::xfunction<F, CT...>.
template <class F, class... CT>
struct row_functor {
    static decltype(auto) of(const F& f) {
        if constexpr (rough_in_registers<F>) {
            return by_element<F>(f);
        } else {
            return (f);
        }
    }
};

template <class T, class... CT>
struct row_functor<xt::math::maximum<T>, CT...> {
    static largest_of_two of(const xt::math::maximum<T>& /*f*/) { return {}; }
};

template <class T, class... CT>
struct row_functor<xt::math::minimum<T>, CT...> {
    static smallest_of_two of(const xt::math::minimum<T>& /*f*/) { return {}; }
};

template <class... CT>
struct row_functor<xt::math::clamp_fun, CT...> {
    static clipped of(const xt::math::clamp_fun& /*f*/) { return {}; }
};

template <class... CT>
struct row_functor<xt::math::sqrt_fun, CT...> {
    static exact_root of(const xt::math::sqrt_fun& /*f*/) { return {}; }
};

template <class... CT>
struct row_functor<xt::detail::divides, CT...> {
    static exact_quotient of(const xt::detail::divides& /*f*/) { return {}; }
};

/// A lambda is called for each element. One that states no return type cannot be asked whether it
/// takes registers; and one that decides by `v < 0 ? a : b` takes registers for AVX-512, whose
/// masks convert to bool, and takes one decision for all lanes.
template <class F, class... CT>
struct row_functor<xt::detail::lambda_adapt<F>, CT...> {
    using lambda = xt::detail::lambda_adapt<F>;

    static auto of(const lambda& f) {
        if constexpr (sizeof...(CT) == 1 && (power_lambda<lambda, CT> && ...)) {
            return f;
        } else {
            return by_element<lambda>(f);
        }
    }
};

template <std::size_t N, class... CT>
struct row_functor<xt::detail::lambda_adapt<xt::detail::pow_impl<N>>, CT...> {
    static decltype(auto) of(const xt::detail::lambda_adapt<xt::detail::pow_impl<N>>& f) {
        return f;
    }
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Operands, read row by row: any expression, of any layout, broadcast to the shape that is walked.
///
/// Rows are made once for an operation, an expression and a shape. `rows.row(r)` gives one row;
/// `rows.flat(n)` says whether row 0 goes on through all rows of n columns. `row.block(c, count,
/// bits)` gives columns [c, c + count), at most 64, of which the caller looks at those whose bit is
/// set; the next call may overwrite a block. Blocks over contiguous memory point into it. A lazy
/// function of such blocks is computed in registers. Anything else (a strided view, a generator, a
/// mix of types) is collected in a buffer first.

namespace xmask::inline XMASK_ABI::detail {
/// The type of one row of Rows.
template <class Rows>
using row_t = std::decay_t<decltype(std::declval<const Rows&>().row(0))>;

/// The type of one block of Row.
template <class Row>
using block_t = std::decay_t<decltype(std::declval<Row&>().block(0, std::size_t(), word_t()))>;

/// What an operation reads row by row.
template <class R>
concept operand_rows = requires(const R& rows, row_t<R>& row, std::size_t n) {
    { rows.flat(n) } -> std::same_as<bool>;
    row.block(n, n, word_t());
};

/// One row of elements in memory, `stride` apart. Contiguous rows are read in place, others are
/// gathered into a buffer that all rows of an operand share.
template <class T>
class memory_row {
public:
    memory_row(const T* row, std::ptrdiff_t stride, T* buffer) noexcept
        : m_row(row), m_stride(stride), m_buffer(buffer) {}

    XMASK_INLINE memory_block<T> block(
        std::size_t c, std::size_t count, word_t /*bits*/
    ) const noexcept {
        if (m_stride == 1) [[likely]] {
            return memory_block<T>(m_row + c);
        }
        gather(m_buffer, m_row + static_cast<std::ptrdiff_t>(c) * m_stride, m_stride, count);
        return memory_block<T>(m_buffer);
    }

    /// The elements where they lie side by side, otherwise null.
    [[nodiscard]] XMASK_INLINE const T* contiguous() const noexcept {
        return m_stride == 1 ? m_row : nullptr;
    }

private:
    // Out of line, so that the loops around a contiguous row keep nothing for it.
    [[gnu::noinline]] static void gather(
        T* to, const T* from, std::ptrdiff_t stride, std::size_t count
    ) noexcept {
        if (stride == 0) {
            std::fill_n(to, count, *from);
            return;
        }
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = from[static_cast<std::ptrdiff_t>(k) * stride];
        }
    }

    const T* m_row;
    std::ptrdiff_t m_stride;
    T* m_buffer;
};

template <class T>
class memory_rows {
public:
    template <class E, class S>
    memory_rows(const E& e, const S& shape)
        : m_data(first_element(e))
        , m_offsets(shape, e.shape(), e.strides())
        , m_stride(last_stride(e, columns_of(shape))) {}

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return m_stride == 1 && m_offsets.uniform(n);
    }

    XMASK_INLINE memory_row<T> row(std::size_t r) const noexcept {
        return {m_data + m_offsets(r), m_stride, m_buffer.values};
    }

private:
    template <class E>
    static std::ptrdiff_t last_stride(const E& e, std::size_t n) {
        if (n == 1) {
            return 1;
        }
        return columns_of(e.shape()) == 1
                   ? 0
                   : static_cast<std::ptrdiff_t>(e.strides()[e.dimension() - 1]);
    }

    const T* m_data;
    row_offsets m_offsets;
    std::ptrdiff_t m_stride;
    mutable block_buffer<T> m_buffer;
};

/// One value for every column of every row.
template <class T>
class scalar_rows {
public:
    explicit scalar_rows(const T& value) noexcept : m_value(value) {}

    XMASK_INLINE scalar_rows row(std::size_t /*r*/) const noexcept { return *this; }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return true; }

    XMASK_INLINE scalar_block<T> block(
        std::size_t /*c*/, std::size_t /*count*/, word_t /*bits*/
    ) const noexcept {
        return scalar_block<T>(m_value);
    }

private:
    T m_value;
};

/// Moves a stepper along the last axis; `column` is where it stands.
template <class Stepper>
XMASK_INLINE void step_to_column(
    Stepper& stepper, std::size_t last_axis, std::size_t& column, std::size_t to
) {
    if (to > column) {
        stepper.step(last_axis, to - column);
    } else if (to < column) {
        stepper.step_back(last_axis, column - to);
    }
    column = to;
}

/// Moves a stepper over `shape` from its beginning to the start of row r.
template <class Stepper, class S>
void step_to_row(Stepper& stepper, const S& shape, std::size_t r) {
    for (std::size_t axis = shape.size(); axis-- > 1;) {
        const auto extent = static_cast<std::size_t>(shape[axis - 1]);
        if (r % extent != 0) {
            stepper.step(axis - 1, r % extent);
        }
        r /= extent;
    }
}

/// One row of any expression, element by element through its stepper, and only where something is
/// kept.
template <class E>
class stepped_row {
public:
    using value_type = std::remove_cv_t<value_type_t<E>>;

    stepped_row(typename E::const_stepper stepper, std::size_t last_axis)
        : m_stepper(stepper), m_last_axis(last_axis) {}

    memory_block<value_type> block(std::size_t c, std::size_t count, word_t bits) {
        for (bits &= first_bits(count); bits != 0; bits &= bits - 1) {
            const std::size_t k = lowest_bit(bits);
            step_to_column(m_stepper, m_last_axis, m_column, c + k);
            m_buffer.values[k] = *m_stepper;
        }
        return memory_block<value_type>(m_buffer.values);
    }

private:
    typename E::const_stepper m_stepper;
    std::size_t m_last_axis;
    std::size_t m_column = 0;
    block_buffer<value_type> m_buffer;
};

template <class E, class S>
class stepped_rows {
public:
    stepped_rows(const E& e, const S& shape) : m_expression(std::addressof(e)), m_shape(shape) {}

    XMASK_INLINE stepped_row<E> row(std::size_t r) const {
        auto stepper = m_expression->stepper_begin(m_shape);
        step_to_row(stepper, m_shape, r);
        return {stepper, m_shape.size() - 1};
    }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return false; }

private:
    const E* m_expression;
    S m_shape;
};

/// The rows of several operands at the same place.
template <class... Row>
class zip_row {
public:
    explicit zip_row(Row... rows) : m_rows(std::move(rows)...) {}

    XMASK_INLINE zip_block<block_t<Row>...> block(std::size_t c, std::size_t count, word_t bits) {
        return call_with(
            [&](auto&... row) XMASK_INLINE_LAMBDA {
                return zip_block<block_t<Row>...>(row.block(c, count, bits)...);
            },
            m_rows
        );
    }

private:
    std::tuple<Row...> m_rows;
};

template <operand_rows... Rows>
class zip_rows {
public:
    explicit zip_rows(Rows... rows) : m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows)
                XMASK_INLINE_LAMBDA { return zip_row<row_t<Rows>...>(rows.row(r)...); },
            m_rows
        );
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return call_with([n](const auto&... rows) { return (rows.flat(n) && ...); }, m_rows);
    }

private:
    std::tuple<Rows...> m_rows;
};

/// A lazy function of other rows.
template <class F, class... Row>
class function_row {
public:
    explicit function_row(const F& f, Row... rows) : m_function(f), m_rows(std::move(rows)...) {}

    XMASK_INLINE function_block<F, block_t<Row>...> block(
        std::size_t c, std::size_t count, word_t bits
    ) {
        return call_with(
            [&](auto&... row) XMASK_INLINE_LAMBDA {
                return function_block<F, block_t<Row>...>(m_function, row.block(c, count, bits)...);
            },
            m_rows
        );
    }

private:
    F m_function;
    std::tuple<Row...> m_rows;
};

template <class F, operand_rows... Rows>
class function_rows {
public:
    function_rows(const F& f, Rows... rows) : m_function(f), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return function_row<F, row_t<Rows>...>(m_function, rows.row(r)...);
            },
            m_rows
        );
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return call_with([n](const auto&... rows) { return (rows.flat(n) && ...); }, m_rows);
    }

private:
    F m_function;
    std::tuple<Rows...> m_rows;
};

/// Converts the elements of a row to T. Floats in memory are widened to doubles in registers; any
/// other row passes through a buffer.
template <class Row, class T>
class converted_row {
    static constexpr bool widens = has_lanes<double> && std::same_as<T, double> &&
                                   std::same_as<block_t<Row>, memory_block<float>>;

    struct no_buffer {};

public:
    explicit converted_row(Row row) : m_row(std::move(row)) {}

    XMASK_INLINE auto block(std::size_t c, std::size_t count, word_t bits) {
        if constexpr (widens) {
            return widened_block(m_row.block(c, count, bits).data());
        } else {
            convert(m_row.block(c, count, bits), count, bits);
            return memory_block<T>(m_buffer.values);
        }
    }

private:
    template <class Block>
    void convert(const Block& block, std::size_t count, word_t bits) {
        if (count == word_columns && bits == ~word_t(0)) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                m_buffer.values[k] = static_cast<T>(block.at(k));
            }
            return;
        }
        // What is dropped is not computed: it could trap (an integer division) or call the user's
        // function.
        for (std::size_t k = 0; k < count; ++k) {
            m_buffer.values[k] = (bits >> k & 1) != 0 ? static_cast<T>(block.at(k)) : T();
        }
    }

    Row m_row;
    std::conditional_t<widens, no_buffer, block_buffer<T>> m_buffer;
};

template <operand_rows Rows, class T>
class converted_rows {
public:
    explicit converted_rows(Rows rows) : m_rows(std::move(rows)) {}

    XMASK_INLINE converted_row<row_t<Rows>, T> row(std::size_t r) const {
        return converted_row<row_t<Rows>, T>(m_rows.row(r));
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept { return m_rows.flat(n); }

private:
    Rows m_rows;
};

/// Whether to read a dropped element does nothing but cost time: memory, values, and functions of
/// registers of both. Other rows may call a user's function, or trap.
template <class Row>
inline constexpr bool reads_freely = false;

template <class T>
inline constexpr bool reads_freely<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_freely<scalar_rows<T>> = true;

template <class Row, class T>
inline constexpr bool reads_freely<converted_row<Row, T>> =
    std::same_as<block_t<converted_row<Row, T>>, widened_block> && reads_freely<Row>;

template <class F, class... Row>
inline constexpr bool reads_freely<function_row<F, Row...>> =
    block_t<function_row<F, Row...>>::in_registers && (reads_freely<Row> && ...);

/// Whether to read a dropped element costs no more than a load, less than to ask whether it is
/// kept.
template <class Row>
inline constexpr bool reads_memory = false;

template <class T>
inline constexpr bool reads_memory<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_memory<scalar_rows<T>> = true;

/// A row's elements where they lie side by side in memory, otherwise null.
template <class Row>
XMASK_INLINE auto contiguous_elements(const Row& row) noexcept {
    if constexpr (requires { row.contiguous(); }) {
        return row.contiguous();
    } else {
        return static_cast<const typename block_t<Row>::value_type*>(nullptr);
    }
}

/// One element of a row.
template <class Row>
XMASK_INLINE auto read_one(Row& row, std::size_t c) {
    return row.block(c, 1, 1).at(0);
}

/// One element of row r.
template <operand_rows Rows>
XMASK_INLINE auto read_at(const Rows& rows, std::size_t r, std::size_t c) {
    auto row = rows.row(r);
    return read_one(row, c);
}

template <class E, class S>
auto make_rows(const E& e, const S& shape);

/// Chooses the rows of an expression by its kind; specialized for the library's own lazy results in
/// applied.hpp.
template <class E>
struct row_maker {
    template <class S>
    static auto make(const E& e, const S& shape) {
        if constexpr (has_memory<E>) {
            return memory_rows<std::remove_cv_t<value_type_t<E>>>(e, shape);
        } else {
            return stepped_rows<E, S>(e, shape);
        }
    }
};

template <class CT>
struct row_maker<xt::xscalar<CT>> {
    template <class S>
    static auto make(const xt::xscalar<CT>& e, const S& /*shape*/) {
        return scalar_rows<std::remove_cv_t<value_type_t<xt::xscalar<CT>>>>(e.expression());
    }
};

template <class F, class... CT>
struct row_maker<xt::xfunction<F, CT...>> {
    template <class S>
    static auto make(const xt::xfunction<F, CT...>& e, const S& shape) {
        using functor = std::decay_t<decltype(row_functor<F, CT...>::of(e.functor()))>;
        return call_with(
            [&](const auto&... argument) {
                return function_rows<functor, decltype(make_rows(argument, shape))...>(
                    row_functor<F, CT...>::of(e.functor()), make_rows(argument, shape)...
                );
            },
            e.arguments()
        );
    }
};

template <class E, class S>
auto make_rows(const E& e, const S& shape) {
    return row_maker<E>::make(e, shape);
}

/// The rows of an expression as an operation reads them: elements of type T, in registers where T
/// has them.
template <class T, class E, class S>
auto make_operand(const E& e, const S& shape) {
    using rows = decltype(make_rows(e, shape));
    using block = block_t<row_t<rows>>;
    // In scalar loops too a block of memory, or one value, of the right type needs no copy.
    constexpr bool direct = block::in_registers || std::same_as<block, memory_block<T>> ||
                            std::same_as<block, scalar_block<T>>;
    if constexpr (direct && std::same_as<typename block::value_type, T>) {
        return make_rows(e, shape);
    } else {
        return converted_rows<rows, T>(make_rows(e, shape));
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Aliasing: whether an operation reads what it writes, and where. A result is as if the mask and
/// all operands had been evaluated before anything was written. What is read in place needs no
/// copy: each element is read before it is written, and not after. Everything else that overlaps
/// the target is stored first.
///
/// A mask rule, or a lazy expression, tells what it reads by sources(): a tuple of
/// read_in_place(e), where element i of the result depends on element i of e alone, and
/// read_anywhere(e). Without sources() it may read anything: operations in place store its elements
/// first, while an assignment, most of which are to new memory, trusts it. What a function refers
/// to besides its arguments is not seen.

namespace xmask::inline XMASK_ABI::detail {
/// How operands lie to the target.
enum class overlap {
    none,     ///< apart from it
    in_place, ///< an element is read only where it is written
    unknown,  ///< what is read is not known
    elsewhere ///< an element may be read after it was written
};

/// Which elements of a source one element of a result depends on.
enum class reach { own_element, any_element };

template <class E, reach R>
struct source {
    const E& expression;
};

template <class E>
source<E, reach::own_element> read_in_place(const E& e) noexcept {
    return {e};
}

template <class E>
source<E, reach::any_element> read_anywhere(const E& e) noexcept {
    return {e};
}

/// Whether an expression or a rule tells what it reads.
template <class E>
concept has_sources = requires(const E& e) { e.sources(); };

/// What no view and no pointer refers to overlaps only itself.
template <class E>
concept shares_no_memory = requires { requires E::shares_no_memory; };

/// Views and broadcasts: an expression of one other.
template <class E>
concept wraps_expression = requires(const E& e) {
    { e.expression() } -> expression;
};

/// Whether objects of these types may lie in the same memory.
template <class T, class U>
consteval bool types_alias() {
    if constexpr (std::is_same_v<T, U> || !std::is_arithmetic_v<T> || !std::is_arithmetic_v<U>) {
        return true;
    } else if constexpr (std::integral<T> && std::integral<U>) {
        return (sizeof(T) == 1 || sizeof(U) == 1 || sizeof(T) == sizeof(U));
    } else {
        constexpr bool bytes = sizeof(T) == 1 || sizeof(U) == 1;
        return bytes && !std::is_same_v<T, bool> && !std::is_same_v<U, bool>;
    }
}

/// What a target is made of: its elements, or itself where these are no tensor's.
template <class To>
struct target_element {
    using type = To;
};

template <expression To>
    requires(!shares_no_memory<To>)
struct target_element<To> {
    using type = std::remove_cv_t<value_type_t<To>>;
};

template <class E, class T>
consteval bool may_overlap();

template <class T, class Sources>
inline constexpr bool any_may_overlap = false;

template <class T, class... E, reach... R>
inline constexpr bool any_may_overlap<T, std::tuple<source<E, R>...>> =
    (may_overlap<E, T>() || ...);

template <class T, class Arguments>
inline constexpr bool any_argument_may_overlap = false;

template <class T, class... CT>
inline constexpr bool any_argument_may_overlap<T, std::tuple<CT...>> =
    (may_overlap<std::decay_t<CT>, T>() || ...);

template <class E>
inline constexpr bool is_function = false;

template <class F, class... CT>
inline constexpr bool is_function<xt::xfunction<F, CT...>> = true;

/// Whether E, by its type, may read a target of elements of T.
template <class E, class T>
consteval bool may_overlap() {
    if constexpr (has_sources<E>) {
        return any_may_overlap<T, decltype(std::declval<const E&>().sources())>;
    } else if constexpr (shares_no_memory<E>) {
        return std::is_same_v<E, T>;
    } else if constexpr (xt::is_xscalar<E>::value) {
        return false; // read before anything is written
    } else if constexpr (is_function<E>) {
        return any_argument_may_overlap<
            T, std::decay_t<decltype(std::declval<const E&>().arguments())>>;
    } else if constexpr (has_memory<E>) {
        return !shares_no_memory<T> && types_alias<std::remove_cv_t<value_type_t<E>>, T>();
    } else if constexpr (wraps_expression<E>) {
        return may_overlap<std::decay_t<decltype(std::declval<const E&>().expression())>, T>();
    } else {
        return true;
    }
}

/// Whether each element of two tensors lies at the same place.
template <class A, class B>
bool same_places(const A& a, const B& b) noexcept {
    if constexpr (sizeof(value_type_t<A>) != sizeof(value_type_t<B>)) {
        return false;
    } else {
        const auto* first = static_cast<const void*>(a.data() + a.data_offset());
        if (first != static_cast<const void*>(b.data() + b.data_offset()) ||
            !equal_shapes(a.shape(), b.shape())) {
            return false;
        }
        for (std::size_t axis = 0; axis < a.dimension(); ++axis) {
            if (a.shape()[axis] != 1 && static_cast<std::ptrdiff_t>(a.strides()[axis]) !=
                                            static_cast<std::ptrdiff_t>(b.strides()[axis])) {
                return false;
            }
        }
        return true;
    }
}

/// What an operation writes.
template <class To>
class target {
public:
    using element = typename target_element<To>::type;

    explicit target(const To& to) noexcept : m_to(std::addressof(to)), m_bytes(reached(to)) {}

    /// Elements in memory, at their own places.
    template <has_memory E>
    [[nodiscard]] overlap with_memory(const E& e) const noexcept {
        if (!m_bytes.overlaps(hull_of(e))) [[likely]] {
            return overlap::none;
        }
        if constexpr (has_memory<To>) {
            return same_places(e, *m_to) ? overlap::in_place : overlap::elsewhere;
        } else {
            return overlap::elsewhere;
        }
    }

    template <class E>
    [[nodiscard]] bool is([[maybe_unused]] const E& e) const noexcept {
        if constexpr (std::is_same_v<E, To>) {
            return std::addressof(e) == m_to;
        } else {
            return false;
        }
    }

private:
    /// The bytes that may be written: all there are, where nothing is known.
    template <class E>
    static byte_range reached([[maybe_unused]] const E& e) noexcept {
        if constexpr (has_memory<E>) {
            return hull_of(e);
        } else if constexpr (wraps_expression<E>) {
            return reached(e.expression());
        } else {
            return {0, std::numeric_limits<std::uintptr_t>::max()};
        }
    }

    const To* m_to;
    byte_range m_bytes;
};

template <class E, class To>
overlap overlap_of(const E& e, const target<To>& to);

/// What is read anywhere is not in place.
template <reach R>
constexpr overlap as_read(overlap how) noexcept {
    return R == reach::any_element && how == overlap::in_place ? overlap::elsewhere : how;
}

template <class To, class... E, reach... R>
overlap overlap_of_sources(
    const std::tuple<source<E, R>...>& sources, [[maybe_unused]] const target<To>& to
) {
    return call_with(
        [&](const auto&... each) {
            return std::max({overlap::none, as_read<R>(overlap_of(each.expression, to))...});
        },
        sources
    );
}

/// How an expression, or a mask, lies to a target of the shape to which it is broadcast.
template <class E, class To>
overlap overlap_of([[maybe_unused]] const E& e, [[maybe_unused]] const target<To>& to) {
    if constexpr (!may_overlap<E, typename target<To>::element>()) {
        return overlap::none;
    } else if constexpr (has_sources<E>) {
        return overlap_of_sources(e.sources(), to);
    } else if constexpr (shares_no_memory<E>) {
        return to.is(e) ? overlap::in_place : overlap::none;
    } else if (to.is(e)) {
        return overlap::in_place;
    } else if constexpr (is_function<E>) {
        return call_with(
            [&](const auto&... argument) {
                return std::max({overlap::none, overlap_of(argument, to)...});
            },
            e.arguments()
        );
    } else if constexpr (has_memory<E>) {
        return to.with_memory(e);
    } else if constexpr (wraps_expression<E>) {
        return as_read<reach::any_element>(overlap_of(e.expression(), to));
    } else {
        return overlap::unknown;
    }
}

/// Whether some operand is read too late, if a target is given a shape and written.
template <class To, class S, class Sources>
bool reads_too_late(const To& to, const S& shape, const Sources& sources) {
    if constexpr (any_may_overlap<typename target<To>::element, Sources>) {
        const overlap how = overlap_of_sources(sources, target<To>(to));
        return how == overlap::elsewhere ||
               (how == overlap::in_place && !equal_shapes(shape, to.shape()));
    } else {
        return false;
    }
}

/// A container of E's shape type and elements of T, row-major.
template <class T, class E, class S = typename std::decay_t<E>::shape_type>
struct row_major_copy {
    using type = xt::xarray<T, xt::layout_type::row_major>;
};

template <class T, class E, class S>
    requires requires { std::tuple_size<S>::value; }
struct row_major_copy<T, E, S> {
    using type = xt::xtensor<T, std::tuple_size<S>::value, xt::layout_type::row_major>;
};

template <class T, class E>
using row_major_copy_t = typename row_major_copy<T, E>::type;
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/target.hpp ====

#include <algorithm>
#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/rows.hpp ====

#include <algorithm>
#include <cstddef>
#include <utility>

// ==== xmask/core/packed.hpp ====

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>

// ==== xmask/core/cursor.hpp ====

#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <utility>

/// @file
/// The protocol of a cursor: the answers of a mask about one row.

namespace xmask::inline XMASK_ABI {
/// The common property of the columns of a stretch.
enum class stretch_kind : unsigned char {
    dropped, ///< all columns are dropped
    kept,    ///< all columns are kept
    unknown  ///< the words decide
};

/// A range of columns with a known or unknown decision: from the column that was asked about to
/// `end`.
struct stretch {
    std::size_t end;   ///< one past the last column; it may be past the end of the row
    stretch_kind kind; ///< whether the columns are kept, dropped or unknown

    friend constexpr bool operator==(const stretch&, const stretch&) = default;
};

/// A cursor: it answers for one row of a mask.
///
/// `word(c)` gives columns [c, c + 64) as bits, for any c in the row; bits past the end of the row
/// are 0. `at(c)` gives the stretch that begins at column c; its end is larger than c. A cursor
/// that only knows its words may omit `at`.
///
/// A cursor that compares registers anyway may also have `lane_word<T> lanes<T>(c)`: the decisions
/// for columns [c, c + 64) as masks of registers of T. All 64 columns are then in the row.
///
/// @tparam C  the type of the cursor
template <class C>
concept row_cursor = requires(const C& cursor, std::size_t c) {
    { cursor.word(c) } -> std::same_as<word_t>;
};

namespace detail {
/// The end of a stretch that reaches the end of every row.
inline constexpr std::size_t no_end = std::numeric_limits<std::size_t>::max();

/// The stretch that begins at column c; unknown where the cursor has no at().
template <row_cursor C>
XMASK_INLINE stretch stretch_at(const C& cursor, [[maybe_unused]] std::size_t c) {
    if constexpr (requires {
                      { cursor.at(c) } -> std::same_as<stretch>;
                  }) {
        return cursor.at(c);
    } else {
        return {no_end, stretch_kind::unknown};
    }
}

/// Whether the cursor keeps column c.
template <row_cursor C>
XMASK_INLINE bool keeps(const C& cursor, std::size_t c) {
    return (cursor.word(c) & 1) != 0;
}

/// The decisions for 64 columns, as masks of registers of T.
template <class T>
using lane_word = std::array<lane_mask<T>, word_columns / lane_count<T>>;

/// The masks f(i) for each register i of T in 64 columns.
template <class T, class F>
XMASK_INLINE lane_word<T> make_lane_word(F&& f) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        return lane_word<T>{f(I)...};
    }(std::make_index_sequence<word_columns / lane_count<T>>());
}

/// The bits of 64 columns.
template <class T>
XMASK_INLINE word_t bits_from_lanes(const lane_word<T>& chosen) noexcept {
    word_t bits = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        bits |= bits_from_mask(chosen[i]) << i * lane_count<T>;
    }
    return bits;
}

/// A cursor that gives its decisions as masks of registers of T, too.
template <class C, class T>
concept lane_cursor = has_lanes<T> && requires(const C& cursor, std::size_t c) {
    { cursor.template lanes<T>(c) } -> std::same_as<lane_word<T>>;
};

/// The stretch at column c of a row that keeps the columns of one range.
[[nodiscard]] XMASK_INLINE constexpr stretch stretch_of(column_range kept, std::size_t c) noexcept {
    if (c < kept.begin) {
        return {kept.begin < kept.end ? kept.begin : no_end, stretch_kind::dropped};
    }
    return c < kept.end ? stretch{kept.end, stretch_kind::kept}
                        : stretch{no_end, stretch_kind::dropped};
}

/// The stretch at column c of a row that drops everything outside of a range, and whose words
/// decide inside.
[[nodiscard]] XMASK_INLINE constexpr stretch stretch_within(
    column_range range, std::size_t c
) noexcept {
    const stretch known = stretch_of(range, c);
    return {known.end, known.kind == stretch_kind::kept ? stretch_kind::unknown : known.kind};
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/core/walk.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>

/// @file
/// The walk over one row of a mask, which every operation shares. An operation is a delegate: it
/// says what happens to a block of columns and to a range of dropped columns.

namespace xmask::inline XMASK_ABI::detail {
/// What an operation does with the columns of a row.
///
/// `block(c, count, bits)` takes columns [c, c + count), at most 64; `count` is whole_word where
/// all 64 are there. `dropped(c, end)` takes columns that are all dropped.
///
/// A delegate may also have `kept(c, end)` for columns that are all kept; without it they arrive as
/// blocks whose bits are all set. One that can use the cursor's own lanes has
/// `lane_block(cursor, c)` for 64 columns. `static constexpr bool takes_any_range = true` asks for
/// each known stretch as it is; otherwise the ends of stretches arrive as blocks of 64 columns,
/// which costs less where something is written for every column.
template <class D>
concept walk_delegate = requires(D& delegate, std::size_t c) {
    delegate.block(c, whole_word(), word_t());
    delegate.block(c, c, word_t());
    delegate.dropped(c, c);
};

/// Calls f(c, count) for columns [c, end), 64 at a time; count is whole_word for all but the last.
template <class F>
XMASK_INLINE void for_each_block(std::size_t c, std::size_t end, F&& f) {
    for (; c + word_columns <= end; c += word_columns) {
        f(c, whole_word());
    }
    if (c < end) {
        f(c, end - c);
    }
}

/// Hands columns [c, end), which are all kept, to a delegate.
template <walk_delegate D>
XMASK_INLINE void walk_kept(D& delegate, std::size_t c, std::size_t end) {
    if constexpr (requires { delegate.kept(c, end); }) {
        delegate.kept(c, end);
    } else {
        for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
            delegate.block(at, count, first_bits(count));
        });
    }
}

/// Whether a delegate takes known stretches as they are.
template <class D>
inline constexpr bool takes_any_range = requires { requires D::takes_any_range; };

/// Hands one word of columns to a delegate.
template <row_cursor C, walk_delegate D>
XMASK_INLINE void walk_word(const C& cursor, std::size_t c, D& delegate) {
    if constexpr (requires { delegate.lane_block(cursor, c); }) {
        delegate.lane_block(cursor, c);
    } else {
        delegate.block(c, whole_word(), cursor.word(c));
    }
}

/// Hands columns [c, end) of a row to a delegate, in order. Blocks begin at multiples of 64 columns
/// from c on.
template <row_cursor C, walk_delegate D>
XMASK_INLINE void walk(const C& cursor, std::size_t c, std::size_t end, D& delegate) {
    while (takes_any_range<D> ? c < end : c + word_columns <= end) {
        const stretch ahead = stretch_at(cursor, c);
        const std::size_t known = std::min(ahead.end, end);
        if (ahead.kind != stretch_kind::unknown &&
            (takes_any_range<D> || known - c >= word_columns)) {
            // Whole words, and the end of the row where the stretch reaches it.
            const std::size_t stop =
                takes_any_range<D> || known == end ? known : known - (known - c) % word_columns;
            if (ahead.kind == stretch_kind::kept) {
                walk_kept(delegate, c, stop);
            } else {
                delegate.dropped(c, stop);
            }
            c = stop;
            if constexpr (takes_any_range<D>) {
                continue;
            }
        }
        if (c + word_columns > end) {
            break;
        }
        // The word in which a known stretch ends, or those of an unknown one.
        const std::size_t last = ahead.kind == stretch_kind::unknown ? known : c;
        do {
            walk_word(cursor, c, delegate);
            c += word_columns;
        } while (c + word_columns <= last);
    }
    if (c < end) {
        delegate.block(c, end - c, cursor.word(c) & first_bits(end - c));
    }
}

/// The delegate of what only looks at kept columns: f(c, count, bits) for each block that keeps
/// some.
template <class F>
class kept_blocks {
public:
    explicit kept_blocks(F& f) noexcept : m_function(f) {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            m_function(c, count, bits);
        }
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

private:
    F& m_function;
};

/// Calls f(c, count, bits) for each block of columns [begin, end) that keeps some, in order.
template <row_cursor C, class F>
XMASK_INLINE void for_each_kept_block(const C& cursor, std::size_t begin, std::size_t end, F&& f) {
    kept_blocks<std::remove_reference_t<F>> delegate(f);
    walk(cursor, begin, end, delegate);
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Short rows laid end to end. Where the memory of all operands goes on from one row to the next,
/// an operation walks many short rows as one, and spends nothing on their ends. Here the words of
/// such rows are joined.

namespace xmask::inline XMASK_ABI::detail {
/// Rows shorter than this are worth packing.
inline constexpr std::size_t packed_columns = 2 * word_columns;

/// The most columns that are packed at a time.
inline constexpr std::size_t packed_at_once = 128 * word_columns;

/// The first word of each of `count` rows from r on, one after the other; W has a bit for each of
/// their columns.
template <class Rows, class W>
void ask_first_words(const Rows& rows, std::size_t r, std::size_t count, W* to) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = static_cast<W>(rows.row(r + i).word(0));
    }
}

/// A row whose words lie in memory; `begin` is the column of the first one.
class words_cursor {
public:
    words_cursor(const word_t* words, std::size_t begin) noexcept
        : m_words(words), m_begin(begin) {}

    /// One word past the last one is readable, and 0.
    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const std::size_t at = c - m_begin;
        const word_t* words = m_words + at / word_columns;
        const std::size_t past = at % word_columns;
        return words[0] >> past | words[1] << 1 << (word_columns - 1 - past);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, stretch_kind::unknown};
    }

private:
    const word_t* m_words;
    std::size_t m_begin;
};

/// The words of some rows of n columns, joined. Many rows are joined at a time, so that what is the
/// same for all of them stays in registers.
class packed_words {
public:
    explicit packed_words(std::size_t n) noexcept : m_columns(n) {}

    /// How many rows are joined at a time: as far as possible so many that they fill whole words.
    [[nodiscard]] std::size_t rows_at_once() const noexcept {
        const std::size_t aligned = word_columns / std::gcd(m_columns, word_columns);
        const std::size_t most = packed_at_once / m_columns;
        return most >= aligned ? most - most % aligned : most;
    }

    /// Joins `count` rows from `first` on.
    template <class Masks>
    [[gnu::noinline]] words_cursor join(const Masks& masks, std::size_t first, std::size_t count) {
        const std::size_t columns = count * m_columns;
        if (columns != m_filled || !masks.one_row()) {
            m_filled = columns;
            fill(masks, first, count);
        }
        return {m_words.values, first * m_columns};
    }

private:
    template <class Masks>
    void fill(const Masks& masks, std::size_t first, std::size_t count) {
        switch (std::endian::native == std::endian::little ? m_columns : 0) {
        case 8:
            copy_words<std::uint8_t>(masks, first, count);
            break;
        case 16:
            copy_words<std::uint16_t>(masks, first, count);
            break;
        case 32:
            copy_words<std::uint32_t>(masks, first, count);
            break;
        case word_columns:
            masks.first_words(first, count, m_words.values);
            m_words.values[count] = 0;
            break;
        default:
            join_bits(masks, first, count);
        }
    }

    /// Rows as long as W has bits lie in memory as they do in words.
    template <class W, class Masks>
    void copy_words(const Masks& masks, std::size_t first, std::size_t count) {
        std::array<W, packed_at_once / (8 * sizeof(W))> rows;
        masks.first_words(first, count, rows.data());
        const std::size_t filled = (count * m_columns + word_columns - 1) / word_columns;
        m_words.values[filled - 1] = 0;
        m_words.values[filled] = 0;
        std::memcpy(m_words.values, rows.data(), count * sizeof(W));
    }

    /// Rows of any length, one behind the other.
    template <class Masks>
    void join_bits(const Masks& masks, std::size_t first, std::size_t count) {
        word_t* to = m_words.values;
        word_t bits = 0;
        std::size_t filled = 0;
        const auto append = [&](word_t more, std::size_t columns) XMASK_INLINE_LAMBDA {
            bits |= more << filled;
            filled += columns;
            if (filled >= word_columns) {
                *to++ = bits;
                filled -= word_columns;
                bits = filled == 0 ? 0 : more >> (columns - filled);
            }
        };
        if (m_columns < word_columns) {
            constexpr std::size_t some_rows = 64;
            std::array<word_t, some_rows> words;
            for (std::size_t i = 0; i < count; i += some_rows) {
                const std::size_t some = std::min(some_rows, count - i);
                masks.first_words(first + i, some, words.data());
                std::for_each_n(words.begin(), some, [&](word_t word) XMASK_INLINE_LAMBDA {
                    append(word, m_columns);
                });
            }
        } else {
            for (std::size_t r = first; r < first + count; ++r) {
                const auto row = masks.row(r);
                for_each_block(0, m_columns, [&](std::size_t c, std::size_t columns) {
                    append(row.word(c), columns);
                });
            }
        }
        to[0] = bits;
        to[1] = 0;
    }

    std::size_t m_columns;
    std::size_t m_filled = 0; // how many columns the words hold
    block_buffer<word_t, packed_at_once / word_columns + 2> m_words;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/pieces.hpp ====

#include <algorithm>
#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

#if defined(XTENSOR_USE_TBB)
#include <tbb/parallel_for.h>
#endif

/// @file
/// Work cut into pieces, and the threads that take them: those of TBB or OpenMP, where
/// XTENSOR_USE_TBB or XTENSOR_USE_OPENMP says that xtensor shall have them, too. Pieces do not
/// depend on how many threads there are, or whether there are any, and what they give is added in
/// their order: so results are the same to the bit.

namespace xmask::inline XMASK_ABI::detail {
#if defined(XTENSOR_USE_TBB) || defined(XTENSOR_USE_OPENMP)
inline constexpr bool has_threads = true;
#else
inline constexpr bool has_threads = false;
#endif

/// How many elements a piece has, about.
inline constexpr std::size_t piece_elements = std::size_t(1) << 16;

/// Fewer elements are not worth waking a thread.
inline constexpr std::size_t threaded_elements = std::size_t(1) << 18;

/// Some rows, and the same columns of each.
struct piece {
    std::size_t first_row;
    std::size_t last_row;
    std::size_t begin;
    std::size_t end;
};

/// All rows of n columns in pieces: several short rows, or a part of a long one.
class pieces {
public:
    pieces(std::size_t row_count, std::size_t n) noexcept
        : pieces(row_count, n, std::min(n, piece_elements)) {}

    /// Pieces of which each holds whole rows.
    [[nodiscard]] static pieces of_whole_rows(std::size_t row_count, std::size_t n) noexcept {
        return {row_count, n, n};
    }

    [[nodiscard]] std::size_t size() const noexcept { return m_down * m_across; }

    [[nodiscard]] piece operator[](std::size_t i) const noexcept {
        const std::size_t row = i / m_across * m_rows_each;
        const std::size_t column = i % m_across * m_columns_each;
        return {
            row, std::min(row + m_rows_each, m_row_count), column,
            std::min(column + m_columns_each, m_columns)
        };
    }

    /// All of them as one.
    [[nodiscard]] piece whole() const noexcept { return {0, m_row_count, 0, m_columns}; }

    /// Whether threads, where there are some, are worth waking.
    [[nodiscard]] bool worth_threads() const noexcept {
        return m_row_count * m_columns >= threaded_elements && size() > 1;
    }

private:
    pieces(std::size_t row_count, std::size_t n, std::size_t columns_each) noexcept
        : m_row_count(row_count)
        , m_columns(n)
        , m_rows_each(n == 0 ? row_count : std::max(std::size_t(1), piece_elements / n))
        , m_columns_each(columns_each)
        , m_down(row_count == 0 || n == 0 ? 0 : (row_count - 1) / m_rows_each + 1)
        , m_across(n == 0 ? 1 : (n - 1) / columns_each + 1) {}

    std::size_t m_row_count;
    std::size_t m_columns;
    std::size_t m_rows_each;
    std::size_t m_columns_each;
    std::size_t m_down;
    std::size_t m_across;
};

/// Of the pieces that throw, the first one's exception.
class first_thrown {
public:
    /// Calls f(i), whose exception must not end the others' work: one of those before i may throw,
    /// too.
    template <class F>
    void guard(std::size_t i, F& f) {
        try {
            f(i);
        } catch (...) {
            const std::lock_guard lock(m_mutex);
            if (!m_thrown || i < m_first) {
                m_first = i;
                m_thrown = std::current_exception();
            }
        }
    }

    void rethrow() const {
        if (m_thrown) {
            std::rethrow_exception(m_thrown);
        }
    }

private:
    std::mutex m_mutex;
    std::exception_ptr m_thrown;
    std::size_t m_first = 0;
};

/// Calls f(i) for each i below count, in several threads. What the first of those that throw throws
/// is thrown here, however many threads there are.
template <class F>
    requires has_threads
void for_each_in_threads([[maybe_unused]] std::size_t count, [[maybe_unused]] F&& f) {
    first_thrown thrown;
#if defined(XTENSOR_USE_TBB)
    tbb::parallel_for(std::size_t(0), count, [&](std::size_t i) { thrown.guard(i, f); });
#elif defined(XTENSOR_USE_OPENMP)
    const auto end = static_cast<std::ptrdiff_t>(count);
#pragma omp parallel for schedule(static)
    for (std::ptrdiff_t i = 0; i < end; ++i) {
        thrown.guard(static_cast<std::size_t>(i), f);
    }
#endif
    thrown.rethrow();
}

/// Calls f(rows, piece) for each piece, with a copy of the rows in each thread, which has buffers
/// of its own. Without threads one call does it all.
template <class Rows, class F>
void for_each_piece(const pieces& all, const Rows& rows, F&& f) {
    if constexpr (has_threads) {
        if (all.worth_threads()) {
            for_each_in_threads(all.size(), [&](std::size_t i) {
                const Rows own = rows;
                f(own, all[i]);
            });
            return;
        }
    }
    f(rows, all.whole());
}

/// The sum of f(rows, piece) over all pieces; `add(sum, next)` adds one. There is at least one
/// piece.
template <class Rows, class F, class Add>
auto sum_of_pieces(const pieces& all, const Rows& rows, F&& f, Add&& add) {
    if constexpr (has_threads) {
        if (all.worth_threads()) {
            std::vector<decltype(f(rows, all[0]))> parts(all.size());
            for_each_in_threads(all.size(), [&](std::size_t i) {
                const Rows own = rows;
                parts[i] = f(own, all[i]);
            });
            auto sum = parts[0];
            std::for_each(parts.begin() + 1, parts.end(), [&](const auto& part) {
                add(sum, part);
            });
            return sum;
        }
    }
    auto sum = f(rows, all[0]);
    for (std::size_t i = 1; i < all.size(); ++i) {
        add(sum, f(rows, all[i]));
    }
    return sum;
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/range_cursor.hpp ====

#include <cstddef>

/// @file
/// The cursor of masks that keep one range of a row: lengths, windows, constants.

namespace xmask::inline XMASK_ABI::detail {
/// A row that keeps one range of columns.
class range_cursor {
public:
    explicit constexpr range_cursor(column_range kept) noexcept : m_kept(kept) {}

    [[nodiscard]] XMASK_INLINE constexpr word_t word(std::size_t c) const noexcept {
        return range_word(m_kept, c);
    }

    [[nodiscard]] XMASK_INLINE constexpr stretch at(std::size_t c) const noexcept {
        return stretch_of(m_kept, c);
    }

    [[nodiscard]] constexpr column_range range() const noexcept { return m_kept; }

private:
    column_range m_kept;
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// All rows of an operation: the one place that knows which rows are laid end to end, and how the
/// work is cut into pieces for threads.

namespace xmask::inline XMASK_ABI::detail {
/// The rows of a mask that keeps everything, for operations without a mask.
class all_rows {
public:
    template <class S>
    explicit all_rows(const S& shape) noexcept
        : m_row_count(rows_of(shape)), m_columns(columns_of(shape)) {}

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t /*r*/) const noexcept {
        return range_cursor({0, m_columns});
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] XMASK_INLINE range_cursor whole() const noexcept {
        return range_cursor({0, m_row_count * m_columns});
    }

    [[nodiscard]] bool packs() const noexcept { return m_columns < packed_columns; }

    [[nodiscard]] static bool one_row() noexcept { return true; }

    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        ask_first_words(*this, r, count, to);
    }

private:
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// How the rows of an operation are walked.
enum class row_layout {
    separate, ///< one by one
    flat,     ///< as one row: the mask's own words go on from one row to the next
    packed    ///< as one row, whose words are joined
};

/// How rows of a mask are walked together with operands that are flat or not.
template <class Masks>
row_layout layout_of(const Masks& masks, bool flat_operands) {
    if (!flat_operands) {
        return row_layout::separate;
    }
    return masks.flat()    ? row_layout::flat
           : masks.packs() ? row_layout::packed
                           : row_layout::separate;
}

/// The rows of a shape, and the way to walk them.
class row_plan {
public:
    template <class S>
    row_plan(const S& shape, row_layout layout) noexcept
        : m_row_count(columns_of(shape) == 0 ? 0 : rows_of(shape))
        , m_columns(columns_of(shape))
        , m_layout(layout) {}

    [[nodiscard]] bool empty() const noexcept { return m_row_count == 0; }

    [[nodiscard]] pieces cut() const noexcept {
        switch (m_layout) {
        case row_layout::flat:
            return {m_row_count == 0 ? std::size_t(0) : 1, m_row_count * m_columns};
        case row_layout::packed:
            return pieces::of_whole_rows(m_row_count, m_columns);
        default:
            return {m_row_count, m_columns};
        }
    }

    /// Calls f(cursor, r, begin, end) for the rows of a piece, until f says true: columns [begin,
    /// end) of row r are to be walked by the cursor. Rows that are laid end to end are row 0.
    /// Whether f said true.
    ///
    /// Inlined, so that what f adds up stays in registers from row to row.
    template <class Masks, class F>
    XMASK_INLINE bool any_row(const Masks& masks, const piece& part, F&& f) const {
        if (m_layout == row_layout::packed && part.first_row != part.last_row) {
            return any_packed(masks, part, f);
        }
        const bool flat = m_layout == row_layout::flat;
        for (std::size_t r = part.first_row; r < part.last_row; ++r) {
            if (f(flat ? masks.whole() : masks.row(r), r, part.begin, part.end)) {
                return true;
            }
        }
        return false;
    }

    /// The same for all rows of the piece.
    template <class Masks, class F>
    XMASK_INLINE void for_each_row(const Masks& masks, const piece& part, F&& f) const {
        any_row(
            masks, part,
            [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                XMASK_INLINE_LAMBDA {
                    f(cursor, r, begin, end);
                    return false;
                }
        );
    }

private:
    template <class Masks, class F>
    XMASK_INLINE bool any_packed(const Masks& masks, const piece& part, F&& f) const {
        packed_words words(m_columns);
        const std::size_t step = words.rows_at_once();
        for (std::size_t r = part.first_row; r < part.last_row; r += step) {
            const std::size_t count = std::min(step, part.last_row - r);
            const words_cursor cursor = words.join(masks, r, count);
            if (f(cursor, std::size_t(0), r * m_columns, (r + count) * m_columns)) {
                return true;
            }
        }
        return false;
    }

    std::size_t m_row_count;
    std::size_t m_columns;
    row_layout m_layout;
};

/// One row of operands under a mask.
template <row_cursor Cursor, class Row>
class masked_row {
public:
    masked_row(Cursor cursor, Row row, std::size_t n)
        : m_cursor(std::move(cursor)), m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] const Cursor& cursor() const noexcept { return m_cursor; }

    [[nodiscard]] const Row& operands() const noexcept { return m_row; }

    [[nodiscard]] std::size_t columns() const noexcept { return m_columns; }

    template <class Count>
    XMASK_INLINE auto block(std::size_t c, Count count, word_t bits) {
        return m_row.block(c, count, bits);
    }

private:
    Cursor m_cursor;
    Row m_row;
    std::size_t m_columns;
};

/// The rows of a mask and of the operands that are walked with them. Each thread has a copy, whose
/// buffers are its own.
template <class Masks, class Rows>
struct masked_operands {
    Masks masks;
    Rows rows;
    std::size_t columns;

    [[nodiscard]] XMASK_INLINE auto row(std::size_t r) const {
        using cursor = std::decay_t<decltype(masks.row(r))>;
        return masked_row<cursor, row_t<Rows>>(masks.row(r), rows.row(r), columns);
    }
};

template <class Masks, class Rows>
masked_operands(Masks, Rows, std::size_t) -> masked_operands<Masks, Rows>;

/// Calls f(c, count, bits) for each block of a row that keeps some, in order.
template <row_cursor Cursor, class Row, class F>
XMASK_INLINE void for_each_kept_block(masked_row<Cursor, Row>& row, F&& f) {
    for_each_kept_block(row.cursor(), 0, row.columns(), f);
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/core/store.hpp ====

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// @file
/// Stores to contiguous memory: aligned, streaming past the caches, and with the lines of a result
/// asked for ahead.

namespace xmask::inline XMASK_ABI::detail {
/// From how many bytes on a result is written past the caches: well beyond a core's share of them,
/// reading the lines that a store would otherwise fetch costs half as much again.
inline constexpr std::size_t streaming_bytes = std::size_t(32) << 20;

/// Columns up to the first one at which an aligned register starts; 0 where none does.
template <class T>
std::size_t columns_to_register([[maybe_unused]] const T* row) noexcept {
    if constexpr (has_lanes<T>) {
        const auto past = reinterpret_cast<std::uintptr_t>(row) % register_bytes<T>;
        return past % sizeof(T) != 0 ? 0
                                     : (register_bytes<T> - past) % register_bytes<T> / sizeof(T);
    } else {
        return 0;
    }
}

/// Whether stores of T to this address may stream.
template <class T>
bool can_stream(const T* row) noexcept {
    if constexpr (has_lanes<T>) {
        return reinterpret_cast<std::uintptr_t>(row) % sizeof(T) == 0;
    } else {
        return false;
    }
}

template <bool Streaming, class T>
XMASK_INLINE void store_as(T* to, const lanes<T>& value) noexcept {
    if constexpr (Streaming) {
        store_streaming(to, value);
    } else {
        store_lanes(to, value);
    }
}

/// How far ahead of its stores a result's lines are asked for: a store that finds its line in the
/// second cache waits for it in the way of all others.
inline constexpr std::size_t prefetch_bytes = 2048;

/// Asks for the lines that some stores of `bytes` from here on will need `prefetch_bytes` later, if
/// there are such.
XMASK_INLINE void prefetch_stores(const void* to, std::size_t bytes) noexcept {
    constexpr std::size_t line_bytes = 64;
    const auto first = reinterpret_cast<std::uintptr_t>(to) + prefetch_bytes;
    for (std::size_t at = 0; at < bytes; at += line_bytes) {
        __builtin_prefetch(reinterpret_cast<const void*>(first + at), 1);
    }
}

/// What follows the columns that are filled.
enum class filled_part {
    alone,  ///< nothing that is written
    of_more ///< more of the result
};

/// Writes whole registers from `first` on, as many as fit; asks for lines before `asked`. Gives
/// where it stopped.
template <bool Streaming, class T>
XMASK_INLINE T* fill_registers(T* first, T* last, const lanes<T>& value, const T* asked) noexcept {
    constexpr auto n = static_cast<std::ptrdiff_t>(lane_count<T>);
    for (; last - first >= 4 * n; first += 4 * n) {
        if (first < asked) {
            prefetch_stores(first, 4 * n * sizeof(T));
        }
        store_as<Streaming>(first, value);
        store_as<Streaming>(first + n, value);
        store_as<Streaming>(first + 2 * n, value);
        store_as<Streaming>(first + 3 * n, value);
    }
    for (; last - first >= n; first += n) {
        store_as<Streaming>(first, value);
    }
    return first;
}

/// Fills at least a register: the ends by themselves, so that what is between them is aligned.
template <filled_part Part, class T>
XMASK_INLINE void fill_aligned(T* first, T* last, const lanes<T>& value) noexcept {
    constexpr auto ahead = static_cast<std::ptrdiff_t>(prefetch_bytes / sizeof(T));
    // The processor foresees a few lines by itself, unless the end is written first and far away.
    const bool is_near = last - first < ahead;
    const T* const asked = Part == filled_part::of_more ? last
                           : last - first < 4 * ahead   ? first
                                                        : last - ahead;
    T* const end = last - lane_count<T>;
    store_lanes(first, value);
    if (is_near) {
        store_lanes(end, value);
    }
    fill_registers<false>(first + columns_to_register(first), last, value, asked);
    if (!is_near) {
        store_lanes(end, value);
    }
}

/// Writes `value` to [first, last). With Streaming, all but the ends goes past the caches.
template <bool Streaming = false, filled_part Part = filled_part::alone, class T>
void fill_columns(T* first, T* last, const T& value) noexcept {
    if constexpr (has_lanes<T>) {
        const auto wide = lanes<T>(static_cast<lane_t<T>>(value));
        const auto count = static_cast<std::size_t>(last - first);
        if (count < lane_count<T>) {
            store_first_lanes(first, wide, count);
            return;
        }
        if constexpr (!Streaming) {
            fill_aligned<Part>(first, last, wide);
            return;
        }
        T* const aligned = first + columns_to_register(first);
        std::fill(first, aligned, value);
        first = fill_registers<true>(aligned, last, wide, aligned);
    }
    std::fill(first, last, value);
}

template <bool Full, bool Streaming, class T>
XMASK_INLINE void store_register(T* to, const lanes<T>& value, std::size_t count) {
    if constexpr (Full) {
        store_as<Streaming>(to, value);
    } else {
        store_first_lanes(to, value, count);
    }
}

/// Writes a block as it is.
template <bool Streaming, class T, class Block, class Count>
XMASK_INLINE void store_block(T* to, const Block& block, Count count) {
    if constexpr (has_lanes<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            store_register<full, Streaming>(
                to + k, load_register<full>(block, k, count - k), count - k
            );
        });
    } else {
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = block.at(k);
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Results: any assignable expression, written row by row by a delegate.

namespace xmask::inline XMASK_ABI::detail {
/// Gives the container `to` the shape, or throws std::invalid_argument where it can't take it.
template <class E, class S>
void resize_or_check(const char* function, const char* what, E& to, const S& shape) {
    require_countable(function, shape);
    if constexpr (requires { to.resize(shape); }) {
        // A rank that is part of the type can't change, and xtensor does not check it.
        const bool rank_fits = !requires { std::tuple_size<typename E::shape_type>::value; } ||
                               to.dimension() == static_cast<std::size_t>(shape.size());
        if (rank_fits && !equal_shapes(to.shape(), shape)) {
            to.resize(shape);
        }
    }
    if (!equal_shapes(to.shape(), shape)) [[unlikely]] {
        throw_invalid(
            function, what, " has the fixed shape ", tuple_text(to.shape()), "; expected ",
            tuple_text(shape)
        );
    }
}

/// Rows of a destination in memory. Where they are contiguous and of type T, columns are written in
/// place; otherwise some are collected, then scattered and converted.
template <class T, class E, bool InMemory = has_memory<E>>
class row_writer {
    using element = std::remove_cv_t<value_type_t<E>>;
    static constexpr bool same_type = std::is_same_v<element, T>;

public:
    explicit row_writer(E& to)
        : m_data(first_element(to))
        , m_offsets(to.shape(), to.shape(), to.strides())
        , m_stride(
              columns_of(to.shape()) == 1
                  ? 1
                  : static_cast<std::ptrdiff_t>(to.strides()[to.dimension() - 1])
          )
        , m_buffer(in_place() ? nullptr : new T[columns_of(to.shape())]) {}

    void seek(std::size_t r) noexcept { m_row = m_data + m_offsets(r); }

    /// Whether blocks are the destination's own memory.
    [[nodiscard]] bool in_place() const noexcept { return same_type && m_stride == 1; }

    /// Whether row 0 goes on through all rows.
    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return in_place() && m_offsets.uniform(n);
    }

    /// Where columns from c on are to be written. Where that is not in place, they arrive with
    /// commit().
    T* block(std::size_t c) noexcept {
        if constexpr (same_type) {
            if (m_stride == 1) {
                return m_row + c;
            }
        }
        return m_buffer.get();
    }

    void commit(std::size_t c, std::size_t count) noexcept {
        if (in_place()) {
            return;
        }
        element* to = m_row + static_cast<std::ptrdiff_t>(c) * m_stride;
        for (std::size_t k = 0; k < count; ++k) {
            to[static_cast<std::ptrdiff_t>(k) * m_stride] = static_cast<element>(m_buffer[k]);
        }
    }

    /// Writes one column.
    void write(std::size_t c, const T& value) noexcept {
        m_row[static_cast<std::ptrdiff_t>(c) * m_stride] = static_cast<element>(value);
    }

private:
    element* m_data;
    element* m_row = nullptr;
    row_offsets m_offsets;
    std::ptrdiff_t m_stride;
    std::unique_ptr<T[]> m_buffer;
};

/// Rows of any other destination, by its stepper.
template <class T, class E>
class row_writer<T, E, false> {
public:
    explicit row_writer(E& to)
        : m_to(std::addressof(to))
        , m_stepper(to.stepper_begin(to.shape()))
        , m_buffer(new T[columns_of(to.shape())]) {}

    void seek(std::size_t r) {
        m_stepper = m_to->stepper_begin(m_to->shape());
        step_to_row(m_stepper, m_to->shape(), r);
        m_column = 0;
    }

    [[nodiscard]] bool in_place() const noexcept { return false; }

    [[nodiscard]] bool flat(std::size_t /*n*/) const noexcept { return false; }

    T* block(std::size_t /*c*/) noexcept { return m_buffer.get(); }

    void commit(std::size_t c, std::size_t count) {
        for (std::size_t k = 0; k < count; ++k) {
            *at(c + k) = static_cast<value_type_t<E>>(m_buffer[k]);
        }
    }

    void write(std::size_t c, const T& value) { *at(c) = static_cast<value_type_t<E>>(value); }

private:
    /// The stepper at column c of this row.
    auto& at(std::size_t c) {
        step_to_column(m_stepper, m_to->dimension() - 1, m_column, c);
        return m_stepper;
    }

    E* m_to;
    typename E::stepper m_stepper;
    std::size_t m_column = 0;
    std::unique_ptr<T[]> m_buffer;
};

/// Where a delegate writes columns of a row: column c goes to `first[c - base]`.
template <class T, bool Streaming>
class written_columns {
public:
    written_columns(T* first, std::size_t base) noexcept : m_first(first), m_base(base) {}

    static constexpr bool streams = Streaming;

    [[nodiscard]] XMASK_INLINE T* at(std::size_t c) const noexcept {
        return m_first + (c - m_base);
    }

    /// Asks for the lines of a result ahead of its whole blocks.
    template <class Count>
    XMASK_INLINE void prefetch(std::size_t c, Count /*count*/) const noexcept {
        if constexpr (std::is_same_v<Count, whole_word> && !Streaming) {
            prefetch_stores(at(c), word_columns * sizeof(T));
        }
    }

    /// Writes a block as it is.
    template <class Block, class Count>
    XMASK_INLINE void store(std::size_t c, const Block& block, Count count) const {
        prefetch(c, count);
        store_block<Streaming && std::is_same_v<Count, whole_word>>(at(c), block, count);
    }

    /// Writes one value to columns [c, end).
    XMASK_INLINE void fill(std::size_t c, std::size_t end, const T& value) const noexcept {
        fill_columns<Streaming, filled_part::of_more>(at(c), at(end), value);
    }

private:
    T* m_first;
    std::size_t m_base;
};

/// Whether blocks begin where stores are aligned: sums taken on the way must not depend on where
/// the memory lies.
enum class block_start { aligned, fixed };

/// The result of an operation.
template <class T, class E>
class row_target {
public:
    explicit row_target(E& to) : m_to(std::addressof(to)) {
        const std::size_t n = columns_of(to.shape());
        const std::size_t row_count = rows_of(to.shape());
        row_writer<T, E> writer(to);
        if (row_count != 0 && n != 0) {
            writer.seek(0);
            m_flat = writer.flat(n);
            m_streams = writer.in_place() && row_count * n * sizeof(T) >= streaming_bytes &&
                        can_stream(writer.block(0));
        }
    }

    /// Whether row 0 goes on through all rows.
    [[nodiscard]] bool flat() const noexcept { return m_flat; }

    /// Writes a piece. make(cursor, r, columns) gives the delegate that writes row r to `columns`.
    template <block_start Start = block_start::aligned, class Masks, class Make>
    void write(const row_plan& plan, const Masks& masks, const piece& part, Make&& make) const {
        row_writer<T, E> writer(*m_to);
        plan.for_each_row(
            masks, part,
            [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end) {
                writer.seek(r);
                if (!writer.in_place()) {
                    write_buffered(writer, cursor, r, begin, end, make);
                    return;
                }
                if constexpr (has_lanes<T>) {
                    if (m_streams) {
                        write_row<true, Start>(writer.block(0), cursor, r, begin, end, make);
                        return;
                    }
                }
                write_row<false, Start>(writer.block(0), cursor, r, begin, end, make);
            }
        );
        if (m_streams) {
            finish_streaming();
        }
    }

private:
    template <bool Streaming, block_start Start, class C, class Make>
    static void write_row(
        T* row, const C& cursor, std::size_t r, std::size_t begin, std::size_t end, Make&& make
    ) {
        auto delegate = make(cursor, r, written_columns<T, Streaming>(row, 0));
        std::size_t c = begin;
        if constexpr (Start == block_start::aligned || Streaming) {
            const std::size_t head = std::min(columns_to_register(row + begin), end - begin);
            if (head != 0) {
                delegate.block(begin, head, cursor.word(begin) & first_bits(head));
                c += head;
            }
        }
        walk(cursor, c, end, delegate);
        finish(delegate);
    }

    /// Through the writer's buffer.
    template <class C, class Make>
    static void write_buffered(
        row_writer<T, E>& writer, const C& cursor, std::size_t r, std::size_t begin,
        std::size_t end, Make&& make
    ) {
        auto delegate = make(cursor, r, written_columns<T, false>(writer.block(begin), begin));
        walk(cursor, begin, end, delegate);
        finish(delegate);
        writer.commit(begin, end - begin);
    }

    /// A delegate that adds up may hand over what it holds after the last column.
    template <class D>
    static void finish(D& delegate) {
        if constexpr (requires { delegate.finish(); }) {
            delegate.finish();
        }
    }

    E* m_to;
    bool m_flat = false;
    bool m_streams = false;
};

/// Writes every row of `to`. make(rows, r, columns) gives the delegate of row r.
template <class T, class E, class Masks, class Rows, class Make>
void write_rows(E& to, const masked_operands<Masks, Rows>& rows, Make&& make) {
    const row_target<T, E> result(to);
    const row_plan plan(
        to.shape(), layout_of(rows.masks, result.flat() && rows.rows.flat(rows.columns))
    );
    if (plan.empty()) {
        return;
    }
    for_each_piece(plan.cut(), rows, [&](const auto& own, const piece& part) {
        const auto make_row = [&](const auto& /*cursor*/, std::size_t r, auto columns) {
            return make(own.rows, r, columns);
        };
        result.write(plan, own.masks, part, make_row);
    });
}

/// Writes a row of an operand as it is.
template <class Columns, class Row>
class copy_delegate {
public:
    copy_delegate(Columns to, Row row) : m_to(to), m_row(std::move(row)) {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t /*bits*/) {
        m_to.store(c, m_row.block(c, count, first_bits(count)), count);
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

private:
    Columns m_to;
    Row m_row;
};

/// Writes rows of an operand, of elements of type T, as they are.
template <class T, class E, operand_rows Rows>
void write_copy(E& to, const Rows& from) {
    write_rows<T>(
        to, masked_operands{all_rows(to.shape()), from, columns_of(to.shape())},
        [](const auto& rows, std::size_t r, auto columns) {
            return copy_delegate<decltype(columns), row_t<Rows>>(columns, rows.row(r));
        }
    );
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// The assignment of larger expressions that hold a mask, or a tensor with a mask applied,
/// somewhere inside: to containers, to views, by = and by += alike. xtensor would step through them
/// element by element.

namespace xmask::inline XMASK_ABI::detail {
/// Whether an expression is one of this library's, or a lazy function with one among its arguments.
template <class E>
struct holds_mask : std::is_base_of<lazy_base, E> {};

template <class F, class... CT>
struct holds_mask<xt::xfunction<F, CT...>>
    : std::bool_constant<(holds_mask<std::decay_t<CT>>::value || ...)> {};

/// Writes an expression apart from `to`, or in place, broadcast to the shape of `to`.
template <class To, class E>
void copy_rows(To& to, const E& from) {
    using element = std::remove_cv_t<value_type_t<E>>;
    write_copy<element>(to, make_operand<element>(from, to.shape()));
}

/// Assigns an expression by way of a copy, and gives true, where reading these sources of it while
/// `to` is written would be too late. Otherwise does nothing.
template <class T, class E, class Sources, class To>
bool assign_apart(const char* function, const E& from, const Sources& sources, To& to) {
    if constexpr (any_may_overlap<typename target<To>::element, Sources>) {
        if (reads_too_late(to, from.shape(), sources)) [[unlikely]] {
            row_major_copy_t<T, E> copy;
            resize_or_check(function, "a copy of the result", copy, from.shape());
            if constexpr (requires { from.write_to(copy); }) {
                from.write_to(copy);
            } else {
                copy_rows(copy, from);
            }
            resize_or_check(function, "the result", to, copy.shape());
            copy_rows(to, copy);
            return true;
        }
    }
    return false;
}

template <class T, class E, class To>
bool assign_apart(const char* function, const E& from, To& to) {
    if constexpr (has_sources<E>) {
        return assign_apart<T>(function, from, from.sources(), to);
    } else {
        return assign_apart<T>(function, from, std::tuple(read_in_place(from)), to);
    }
}

/// Writes an expression, broadcast to the shape of `to`, row by row.
template <class To, class E>
void assign_rows(To& to, const E& from) {
    if (!assign_apart<std::remove_cv_t<value_type_t<E>>>("assignment", from, to)) {
        copy_rows(to, from);
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// xtensor comes here for every assignment of an expression that is not linear, and none that holds
/// a mask is.
template <class To, class E, xt::layout_type L>
    requires(xmask::detail::holds_mask<E>::value)
class xt::stepper_assigner<To, E, L> {
public:
    stepper_assigner(To& to, const E& from) : m_to(to), m_from(from) {}

    void run() { xmask::detail::assign_rows(m_to, m_from); }

private:
    To& m_to;
    const E& m_from;
};

// ==== xmask/core/mask_rows.hpp ====

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

/// @file
/// The rows of a mask that is broadcast into a larger shape.

namespace xmask::inline XMASK_ABI::detail {
/// What gives a mask's cursors: what its rule makes for one operation, or the rule itself.
template <class Rule>
decltype(auto) rule_rows(const Rule& rule) {
    if constexpr (requires { rule.rows(); }) {
        return rule.rows();
    } else {
        return (rule);
    }
}

/// A cursor together with the rows that it may point into. Not movable: the cursor points into
/// m_rows.
template <class Rule>
class held_row {
    using rows = std::decay_t<decltype(std::declval<const Rule&>().rows())>;
    using cursor = decltype(std::declval<const rows&>().row(0));

public:
    held_row(const Rule& rule, std::size_t r) : m_rows(rule.rows()), m_cursor(m_rows.row(r)) {}

    held_row(const held_row&) = delete;
    held_row& operator=(const held_row&) = delete;

    [[nodiscard]] word_t word(std::size_t c) const { return m_cursor.word(c); }

    [[nodiscard]] stretch at(std::size_t c) const { return stretch_at(m_cursor, c); }

    template <class T>
        requires lane_cursor<cursor, T>
    XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        return m_cursor.template lanes<T>(c);
    }

private:
    rows m_rows;
    cursor m_cursor;
};

/// The cursor of a row whose mask may have one column that stands for all of them.
template <row_cursor C>
class broadcast_cursor {
public:
    broadcast_cursor(C cursor, std::size_t n, bool one_column)
        : m_cursor(cursor), m_columns(n), m_one_column(one_column) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            return keeps(m_cursor, 0) ? first_bits(m_columns - c) : 0;
        }
        return m_cursor.word(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            return {no_end, keeps(m_cursor, 0) ? stretch_kind::kept : stretch_kind::dropped};
        }
        return stretch_at(m_cursor, c);
    }

    template <class T>
        requires lane_cursor<C, T>
    [[nodiscard]] XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        if (m_one_column) [[unlikely]] {
            const auto all = mask_from_bits<T>(word(c), 0);
            return make_lane_word<T>([&](std::size_t /*i*/) { return all; });
        }
        return m_cursor.template lanes<T>(c);
    }

private:
    C m_cursor;
    std::size_t m_columns;
    bool m_one_column;
};

/// Gives the cursor of each row of `shape`, into which the mask broadcasts.
///
/// The mask's own rows may offer more than row(r). `flat()` and `whole()`: whether their words go
/// on from one row to the next, and the cursor of all of them as one row. `one_row()`: whether all
/// rows are alike. `first_words(r, count, to)`: the first words of many rows at once. `packs()`:
/// whether the rows may be packed at all.
template <class M>
class mask_rows {
    using rows = decltype(rule_rows(std::declval<const M&>().rule()));
    using plain_rows = std::decay_t<rows>;

public:
    using cursor =
        broadcast_cursor<std::decay_t<decltype(std::declval<const plain_rows&>().row(0))>>;

    template <class S>
    mask_rows(const M& mask, const S& shape)
        : m_rows(rule_rows(mask.rule()))
        , m_numbers(row_numbers(shape, mask.shape()))
        , m_row_count(rows_of(shape))
        , m_columns(columns_of(shape))
        , m_same(m_row_count == rows_of(mask.shape()) && m_columns == columns_of(mask.shape()))
        , m_one_column(columns_of(mask.shape()) == 1 && m_columns != 1) {}

    [[nodiscard]] XMASK_INLINE cursor row(std::size_t r) const {
        return cursor(m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_columns, m_one_column);
    }

    /// Whether whole() may stand for all rows.
    [[nodiscard]] bool flat() const {
        if constexpr (requires(const plain_rows& own) { own.flat(); }) {
            return m_same && m_rows.flat();
        } else {
            return false;
        }
    }

    /// The cursor of all rows, laid end to end.
    [[nodiscard]] XMASK_INLINE cursor whole() const {
        if constexpr (requires(const plain_rows& own) { own.whole(); }) {
            return cursor(m_rows.whole(), m_row_count * m_columns, false);
        } else {
            return row(0);
        }
    }

    /// Whether all rows are alike.
    [[nodiscard]] bool one_row() const {
        if constexpr (requires(const plain_rows& own) { own.one_row(); }) {
            return !m_one_column && m_rows.one_row();
        } else {
            return false;
        }
    }

    /// Whether rows are worth packing: short ones, and longer ones that are all alike, unless
    /// stretches that are dropped are worth more.
    [[nodiscard]] bool packs() const {
        if constexpr (requires(const plain_rows& own) { own.packs(); }) {
            if (!m_rows.packs()) {
                return false;
            }
        }
        if (m_columns < packed_columns) {
            return true;
        }
        if (m_columns > packed_at_once / 4 || !one_row()) {
            return false;
        }
        const cursor all = row(0);
        std::size_t dropped = 0;
        for (std::size_t c = 0; c < m_columns;) {
            const stretch ahead = all.at(c);
            const std::size_t end = std::min(ahead.end, m_columns);
            dropped += ahead.kind == stretch_kind::dropped ? end - c : 0;
            c = end;
        }
        return dropped < m_columns / 2;
    }

    /// The first word of each of `count` rows from r on, or so much of it as W holds.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        if (one_row()) {
            std::fill_n(to, count, static_cast<W>(row(r).word(0)));
            return;
        }
        if constexpr (requires(const plain_rows& own) { own.first_words(r, count, to); }) {
            if (m_numbers.uniform(1) && !m_one_column) {
                m_rows.first_words(r, count, to);
                return;
            }
        }
        ask_first_words(*this, r, count, to);
    }

private:
    rows m_rows;
    row_offsets m_numbers;
    std::size_t m_row_count;
    std::size_t m_columns;
    bool m_same;
    bool m_one_column;
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// The protocol of a rule, which gives a cursor for each row; and mask<Rule>, which makes any
/// rule an xtensor expression of bool.

namespace xmask::inline XMASK_ABI {
/// A rule: it gives the shape of a mask, and a cursor for each row.
///
/// `shape()` gives the shape, of type `shape_type`; `row(r)` gives the cursor of row r. Rows are
/// numbered in row-major order of the leading axes. A cursor does not outlive its rule. Several
/// threads may ask a rule at once. A rule holds no memory in proportion to the size of the mask,
/// unless its name says so.
///
/// A rule whose rows share work may have `rows()` instead of `row(r)`. An operation calls `rows()`
/// once; the result has `row(r)`.
///
/// A rule may have a `name`, a member or a function, for errors and for explain(). A rule made of
/// other masks may have `for_each_term(index, f)`: it calls f(mask, index in that mask) for each
/// mask that decides the element at an index. `static constexpr bool any_term_decides = true` says
/// that one mask with the same answer as the whole decides.
///
/// Where an operation writes in place, a mask may read the written tensor. A rule that reads no
/// tensor says so by `auto sources() const { return std::tuple<>(); }`. Other masks are stored
/// first, one bit an element.
///
/// @tparam R  the type of the rule
template <class R>
    concept mask_rule = requires(const R& rule, std::size_t r) {
        typename R::shape_type;
        { rule.shape() } -> std::convertible_to<const typename R::shape_type&>;
    } && (requires(const R& rule, std::size_t r) {
        { rule.row(r) } -> row_cursor;
    } || requires(const R& rule, std::size_t r) {
        { rule.rows().row(r) } -> row_cursor;
    });

template <mask_rule Rule>
class mask;

namespace detail {
template <class T>
struct is_mask_impl : std::false_type {};

template <mask_rule Rule>
struct is_mask_impl<mask<Rule>> : std::true_type {};

/// The name of a rule, for errors and explain(); "mask" where it has none.
template <class Rule>
std::string name_of(const Rule& rule) {
    if constexpr (requires {
                      { rule.name() } -> std::convertible_to<std::string>;
                  }) {
        return rule.name();
    } else if constexpr (requires {
                             { rule.name } -> std::convertible_to<std::string>;
                         }) {
        return rule.name;
    } else {
        return "mask";
    }
}
} // namespace detail

/// A mask of this library; M may be a reference.
///
/// @tparam M  the type of the mask
template <class M>
concept mask_expression = detail::is_mask_impl<std::remove_cvref_t<M>>::value;

/// Weights (a soft mask): an expression of real numbers.
///
/// @tparam W  the type of the expression
template <class W>
concept weight_expression =
    expression<W> && !mask_expression<W> && std::is_floating_point_v<value_type_t<W>>;

namespace detail {
/// Whether M is weights, alone or together with a mask.
template <class M>
concept holds_weights =
    weight_expression<M> || requires { requires std::remove_cvref_t<M>::holds_weights; };

// These assert constants, not concepts: compilers explain a failed concept in many lines.

/// Fails to compile, with one sentence, where M is not a mask.
template <class M>
consteval bool require_mask() {
    constexpr bool is_mask = mask_expression<M>;
    if constexpr (holds_weights<M>) {
        static_assert(
            is_mask,
            "xmask: a mask is expected here. Real weights go with what multiplies: xmask::multiply, masked_sum, "
            "masked_mean and losses; xmask::keep_not_equal(weights, 0) is a mask of what they do not give 0."
        );
    } else {
        static_assert(
            is_mask,
            "xmask: a mask is expected here. A boolean or numeric tensor does not say what true means: write "
            "xmask::keep_where(b) if true means keep, xmask::drop_where(b) if true means drop."
        );
    }
    return is_mask;
}

/// Fails to compile, with one sentence, where M is neither a mask nor real weights.
template <class M>
consteval bool require_mask_or_weights() {
    constexpr bool is_counted = mask_expression<M> || weight_expression<M>;
    static_assert(
        is_counted,
        "xmask: a mask, or a tensor of real weights, is expected here. A boolean tensor does not say what true "
        "means: write xmask::keep_where(b) if true means keep, xmask::drop_where(b) if true means drop."
    );
    return is_counted;
}

/// Fails to compile, with one sentence, where E is not a tensor but a number, a container or a
/// mask.
template <class E>
consteval bool require_tensor() {
    constexpr bool is_tensor = expression<E> && !mask_expression<E>;
    static_assert(
        is_tensor,
        "xmask: the tensor comes first, the mask second; the first argument here is not a tensor."
    );
    return is_tensor;
}

/// Whether the arguments of a reduction are in order: not a mask before a tensor. A mask may be the
/// tensor of a reduction; its elements are 0 and 1.
template <class X, class M>
inline constexpr bool in_order = !mask_expression<X> || !expression<M> || mask_expression<M>;

/// Whether elements of E can be written.
template <class E>
concept writable = expression<E> && !std::is_const_v<std::remove_reference_t<E>> &&
                   requires(std::remove_reference_t<E>& e) { *e.begin() = *e.cbegin(); };

/// Fails to compile, with one sentence, where E cannot be written.
template <class E>
consteval bool require_target() {
    constexpr bool can_be_written = writable<E>;
    static_assert(
        can_be_written,
        "xmask: what is changed in place is a tensor or view that is not const; a lazy expression is assigned to a "
        "tensor first."
    );
    return can_be_written;
}

/// The delegate that writes a mask as elements of 0 and 1.
template <class T, class Columns>
class unpack_delegate {
public:
    explicit unpack_delegate(Columns to) : m_to(to) {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) const {
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        if constexpr (has_lanes<T>) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            const auto zero = lanes<T>(lane_t<T>(0));
            const auto one = lanes<T>(lane_t<T>(1));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto y = select_by_bits<T>(bits, k, one, zero);
                store_register<full, streams>(to + k, y, count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = static_cast<T>(bits >> k & 1);
            }
        }
    }

    void kept(std::size_t c, std::size_t end) const { m_to.fill(c, end, T(1)); }

    void dropped(std::size_t c, std::size_t end) const { m_to.fill(c, end, T(0)); }

private:
    Columns m_to;
};

/// A row of a mask as an operand of a larger expression: elements of bool.
template <class Cursor>
class mask_operand_row {
public:
    explicit mask_operand_row(Cursor cursor) : m_cursor(std::move(cursor)) {}

    memory_block<bool> block(std::size_t c, std::size_t count, word_t /*bits*/) {
        const unpack_delegate<bool, written_columns<bool, false>> unpack({m_buffer.values, c});
        unpack.block(c, count, m_cursor.word(c));
        return memory_block<bool>(m_buffer.values);
    }

private:
    Cursor m_cursor;
    block_buffer<bool> m_buffer;
};

/// The rows of a mask as an operand of a larger expression.
template <class M>
class mask_operand_rows {
public:
    template <class S>
    mask_operand_rows(const M& m, const S& shape) : m_masks(m, shape) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return mask_operand_row<typename mask_rows<M>::cursor>(m_masks.row(r));
    }

    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    mask_rows<M> m_masks;
};

template <mask_rule Rule>
struct row_maker<mask<Rule>> {
    template <class S>
    static auto make(const mask<Rule>& m, const S& shape) {
        return mask_operand_rows<mask<Rule>>(m, shape);
    }
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI

template <xmask::mask_rule Rule>
struct xt::xiterable_inner_types<xmask::mask<Rule>> {
    using inner_shape_type = typename Rule::shape_type;
    using const_stepper = xmask::detail::flat_stepper<xmask::mask<Rule>>;
    using stepper = const_stepper;
};

template <xmask::mask_rule Rule>
struct xt::xcontainer_inner_types<xmask::mask<Rule>> {
    using reference = bool;
    using const_reference = bool;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
/// A mask: it says which elements of a tensor count. True means keep.
///
/// A lazy xtensor expression of bool. Builders (keep_lengths, drop_indices, keep_above, ...) and
/// the operators && || ! ^ make masks, and so does `xmask::mask(my_rule)` for a rule of your own.
/// Cost: a mask holds its rule, and no memory in proportion to its size unless the rule stores.
///
/// @tparam Rule  the rule that answers for the rows (mask_rule)
///
///     auto m = xmask::keep_lengths(lengths, n) && xmask::drop_tokens(tokens, {0});
///     xt::xarray<bool> b = m;    // one pass, word by word
///     std::size_t kept = xmask::count_kept(m);
template <mask_rule Rule>
class mask : public detail::lazy<mask<Rule>, bool> {
    using base = detail::lazy<mask<Rule>, bool>;

public:
    using rule_type = Rule;
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;

    /// Makes a mask of a rule.
    ///
    /// A mask may have more than 2^63 - 1 elements, and answers for single rows; counting or
    /// storing all of it then throws.
    ///
    /// @param rule  copied or moved into the mask
    /// @throws std::invalid_argument  for a shape of more than 16 axes
    explicit mask(Rule rule) : m_rule(std::move(rule)) {
        if (shape().size() > detail::max_rank) [[unlikely]] {
            detail::require_rank(detail::name_of(m_rule).c_str(), shape().size());
        }
    }

    /// Stores another mask, where the rule stores: `bitmask b = m`.
    ///
    /// @param other  any mask
    template <mask_expression M>
        requires(!std::same_as<std::remove_cvref_t<M>, mask> && std::constructible_from<Rule, const std::remove_cvref_t<M>&>)
    mask(const M& other) : m_rule(other) {}

    using base::shape;

    const inner_shape_type& shape() const noexcept { return m_rule.shape(); }

    /// The rule of this mask.
    const Rule& rule() const noexcept { return m_rule; }

    /// The rule of this mask, to be changed.
    Rule& rule() noexcept { return m_rule; }

    /// The tensors that this mask reads, where its rule says so (core/overlap.hpp).
    [[nodiscard]] auto sources() const
        requires(detail::has_sources<Rule> || detail::shares_no_memory<Rule>)
    {
        if constexpr (detail::has_sources<Rule>) {
            return m_rule.sources();
        } else {
            return std::tuple(detail::read_in_place(m_rule));
        }
    }

    /// The cursor of row r: word(c) and at(c).
    XMASK_INLINE auto row(std::size_t r) const {
        if constexpr (requires { m_rule.rows(); }) {
            return detail::held_row<Rule>(m_rule, r);
        } else {
            return m_rule.row(r);
        }
    }

    template <class It>
    bool element(It first, It last) const {
        const auto& extents = shape();
        auto given = static_cast<std::size_t>(last - first);
        for (; given > extents.size(); --given) {
            ++first;
        }
        std::size_t r = 0;
        std::size_t c = 0;
        for (std::size_t axis = extents.size() - given; axis < extents.size(); ++axis, ++first) {
            const auto extent = static_cast<std::size_t>(extents[axis]);
            const auto i = extent == 1 ? 0 : static_cast<std::size_t>(*first);
            if (axis + 1 == extents.size()) {
                c = i;
            } else {
                r = r * extent + i;
            }
        }
        return detail::keeps(row(r), c);
    }

    bool data_element(size_type i) const {
        const std::size_t n = detail::columns_of(shape());
        return detail::keeps(row(i / n), i % n);
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        return const_stepper(this, walked.size() - this->dimension());
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept {
        auto result = stepper_begin(walked);
        result.to_end(l);
        return result;
    }

    /// Writes the mask to a tensor, row by row. xtensor calls it where the mask stands alone on the
    /// right of an assignment.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<bool>("mask", *this, result)) {
            return;
        }
        detail::resize_or_check("mask", "the result", result, shape());
        write_to(result);
    }

    /// Writes the mask to a tensor of its shape that its rule does not read.
    template <class E>
    void write_to(E& result) const {
        using element = std::remove_cv_t<value_type_t<E>>;
        detail::write_rows<element>(
            result,
            detail::masked_operands{
                detail::mask_rows<mask>(*this, shape()), detail::scalar_rows<bool>(true),
                detail::columns_of(shape())
            },
            [](const auto& /*rows*/, std::size_t /*r*/, auto columns) {
                return detail::unpack_delegate<element, decltype(columns)>(columns);
            }
        );
    }

private:
    Rule m_rule;
};

template <mask_rule Rule>
mask(Rule) -> mask<Rule>;
} // namespace xmask::inline XMASK_ABI

// ==== xmask/core/operators.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// The operators of masks: && || ! ^, and & | ~. mask.hpp includes this file, so that every header
/// with masks has them; otherwise xtensor's operators would be found in their place.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The shape type of two masks that are broadcast together. The rank is known at compile time where
/// both ranks are.
template <class S, class T>
struct broadcast_shape_type {
    using type = any_shape;
};

template <class T, std::size_t M, class U, std::size_t N>
struct broadcast_shape_type<std::array<T, M>, std::array<U, N>> {
    using type = std::array<std::size_t, std::max(M, N)>;
};

/// The shape of two masks that are broadcast together. Throws std::invalid_argument where they do
/// not fit.
template <class S, class T>
auto broadcast_together(const char* name, const S& a, const T& b) {
    const std::size_t rank = std::max<std::size_t>(a.size(), b.size());
    auto shape = xt::uninitialized_shape<typename broadcast_shape_type<S, T>::type>(rank);
    for (std::size_t axis = 0; axis < rank; ++axis) {
        const auto m =
            axis + a.size() < rank ? 1 : static_cast<std::size_t>(a[axis + a.size() - rank]);
        const auto n =
            axis + b.size() < rank ? 1 : static_cast<std::size_t>(b[axis + b.size() - rank]);
        shape[axis] = m == 1 ? n : m;
    }
    if (!broadcasts_to(a, shape) || !broadcasts_to(b, shape)) [[unlikely]] {
        throw_invalid(
            name, "masks of shapes ", tuple_text(a), " and ", tuple_text(b),
            " do not broadcast together; align the last axes, and give each axis one extent or 1"
        );
    }
    return shape;
}

/// The index of an element, one number for each axis.
using element_index = std::vector<std::size_t>;

/// The index, in a tensor of shape `from`, of the element that is broadcast to `index`.
template <class S>
element_index broadcast_index(const element_index& index, const S& from) {
    element_index there(from.size());
    for (std::size_t axis = 0; axis < there.size(); ++axis) {
        there[axis] = from[axis] == 1 ? 0 : index[axis + index.size() - there.size()];
    }
    return there;
}

/// Keeps what both masks keep: how their bits combine, and which kind of stretch decides alone.
struct both {
    static constexpr const char* name = "operator&&";
    static constexpr bool any_term_decides = true;
    static constexpr auto deciding = stretch_kind::dropped;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a & b;
    }
};

/// Keeps what either mask keeps.
struct either {
    static constexpr const char* name = "operator||";
    static constexpr bool any_term_decides = true;
    static constexpr auto deciding = stretch_kind::kept;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a | b;
    }
};

/// Keeps what exactly one mask keeps.
struct one_of {
    static constexpr const char* name = "operator^";
    static constexpr bool any_term_decides = false;
    // No stretch decides alone.
    static constexpr auto deciding = stretch_kind::unknown;

    template <class Bits>
    XMASK_INLINE static constexpr Bits word(Bits a, Bits b) noexcept {
        return a ^ b;
    }
};

/// The stretch of a combination, from the stretches of its two rows at the same column.
template <class How>
XMASK_INLINE constexpr stretch combined(stretch a, stretch b) noexcept {
    if constexpr (How::deciding != stretch_kind::unknown) {
        if (a.kind == How::deciding && b.kind == How::deciding) {
            return {std::max(a.end, b.end), How::deciding};
        }
        if (a.kind == How::deciding || b.kind == How::deciding) {
            return a.kind == How::deciding ? a : b;
        }
    }
    const std::size_t end = std::min(a.end, b.end);
    if (a.kind == stretch_kind::unknown || b.kind == stretch_kind::unknown) {
        return {end, stretch_kind::unknown};
    }
    const word_t kept =
        How::word(word_t(a.kind == stretch_kind::kept), word_t(b.kind == stretch_kind::kept));
    return {end, kept != 0 ? stretch_kind::kept : stretch_kind::dropped};
}

/// One row of a combination.
template <class How, row_cursor A, row_cursor B>
class pair_cursor {
public:
    pair_cursor(A a, B b) : m_a(std::move(a)), m_b(std::move(b)) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return How::word(m_a.word(c), m_b.word(c));
    }

    template <class T>
        requires(lane_cursor<A, T> && lane_cursor<B, T>)
    XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        const auto a = m_a.template lanes<T>(c);
        const auto b = m_b.template lanes<T>(c);
        return make_lane_word<T>([&](std::size_t i)
                                     XMASK_INLINE_LAMBDA { return How::word(a[i], b[i]); });
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        return combined<How>(m_a.at(c), m_b.at(c));
    }

private:
    A m_a;
    B m_b;
};

/// The rows of a combination.
template <class How, class RowsA, class RowsB>
class pair_rows {
public:
    pair_rows(RowsA a, RowsB b) : m_a(std::move(a)), m_b(std::move(b)) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return pair_cursor<How, typename RowsA::cursor, typename RowsB::cursor>(
            m_a.row(r), m_b.row(r)
        );
    }

    [[nodiscard]] bool flat() const { return m_a.flat() && m_b.flat(); }

    XMASK_INLINE auto whole() const {
        return pair_cursor<How, typename RowsA::cursor, typename RowsB::cursor>(
            m_a.whole(), m_b.whole()
        );
    }

    [[nodiscard]] bool one_row() const { return m_a.one_row() && m_b.one_row(); }

    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        constexpr std::size_t at_once = 64;
        std::array<W, at_once> other;
        for (std::size_t i = 0; i < count; i += at_once) {
            const std::size_t some = std::min(at_once, count - i);
            m_a.first_words(r + i, some, to + i);
            m_b.first_words(r + i, some, other.data());
            for (std::size_t k = 0; k < some; ++k) {
                to[i + k] = static_cast<W>(How::word(to[i + k], other[k]));
            }
        }
    }

private:
    RowsA m_a;
    RowsB m_b;
};

/// The rule of a combination of two masks that are broadcast together.
template <class How, class CTA, class CTB>
class pair_rule {
    using mask_a = std::decay_t<CTA>;
    using mask_b = std::decay_t<CTB>;

public:
    using shape_type = typename broadcast_shape_type<
        typename mask_a::inner_shape_type, typename mask_b::inner_shape_type>::type;

    static constexpr const char* name = How::name;
    static constexpr bool any_term_decides = How::any_term_decides;

    template <class A, class B>
    pair_rule(A&& a, B&& b)
        : m_a(std::forward<A>(a))
        , m_b(std::forward<B>(b))
        , m_shape(broadcast_together(How::name, m_a.shape(), m_b.shape())) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_in_place(m_a), read_in_place(m_b));
    }

    [[nodiscard]] auto rows() const {
        using rows_a = mask_rows<mask_a>;
        using rows_b = mask_rows<mask_b>;
        return pair_rows<How, rows_a, rows_b>(rows_a(m_a, m_shape), rows_b(m_b, m_shape));
    }

    template <class F>
    void for_each_term(const element_index& index, F&& f) const {
        f(m_a, broadcast_index(index, m_a.shape()));
        f(m_b, broadcast_index(index, m_b.shape()));
    }

private:
    CTA m_a;
    CTB m_b;
    shape_type m_shape;
};

/// The mask of a combination. Fails to compile, with one sentence, where A or B is not a mask.
template <class How, class A, class B>
auto combine(A&& a, B&& b) {
    if constexpr (require_mask<A>() && require_mask<B>()) {
        using rule = pair_rule<How, closure_t<A>, closure_t<B>>;
        return mask(rule(std::forward<A>(a), std::forward<B>(b)));
    } else if constexpr (mask_expression<A>) {
        return std::forward<A>(a);
    } else {
        return std::forward<B>(b);
    }
}

/// One row of a negated mask.
template <row_cursor C>
class not_cursor {
public:
    not_cursor(C cursor, std::size_t n) : m_cursor(std::move(cursor)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return ~m_cursor.word(c) & first_bits(m_columns - c);
    }

    template <class T>
        requires lane_cursor<C, T>
    XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
        const auto kept = m_cursor.template lanes<T>(c);
        return make_lane_word<T>([&](std::size_t i) XMASK_INLINE_LAMBDA { return !kept[i]; });
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        const auto [end, kind] = m_cursor.at(c);
        return {
            end, kind == stretch_kind::unknown ? kind
                 : kind == stretch_kind::kept  ? stretch_kind::dropped
                                               : stretch_kind::kept
        };
    }

private:
    C m_cursor;
    std::size_t m_columns;
};

/// The rows of a negated mask.
template <class Rows>
class not_rows {
public:
    not_rows(Rows rows, std::size_t row_count, std::size_t n)
        : m_rows(std::move(rows)), m_row_count(row_count), m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return not_cursor<typename Rows::cursor>(m_rows.row(r), m_columns);
    }

    [[nodiscard]] bool flat() const { return m_rows.flat(); }

    XMASK_INLINE auto whole() const {
        return not_cursor<typename Rows::cursor>(m_rows.whole(), m_row_count * m_columns);
    }

    [[nodiscard]] bool one_row() const { return m_rows.one_row(); }

    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const {
        m_rows.first_words(r, count, to);
        const auto all = static_cast<W>(first_bits(m_columns));
        for (std::size_t i = 0; i < count; ++i) {
            to[i] = static_cast<W>(~to[i] & all);
        }
    }

private:
    Rows m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// The rule of a negated mask. With a name it is that of a drop_ builder, which explain() does not
/// look into; without a name it is operator!.
template <class CTM>
class not_rule {
    using mask_type = std::decay_t<CTM>;

public:
    using shape_type = typename mask_type::inner_shape_type;

    template <class M>
    not_rule(const char* name, M&& m) : m_mask(std::forward<M>(m)), m_name(name) {}

    [[nodiscard]] const char* name() const noexcept {
        return m_name == nullptr ? "operator!" : m_name;
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_mask.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_in_place(m_mask)); }

    [[nodiscard]] auto rows() const {
        using rows = mask_rows<mask_type>;
        return not_rows<rows>(rows(m_mask, shape()), rows_of(shape()), columns_of(shape()));
    }

    template <class F>
    void for_each_term(const element_index& index, F&& f) const {
        if (m_name == nullptr) {
            f(m_mask, index);
        }
    }

private:
    CTM m_mask;
    const char* m_name;
};

/// The negation of a mask. drop_ builders negate a keep_ mask under their own name; explain() hides
/// the negation. Without a name it is operator!.
template <class M>
auto complement(const char* name, M&& m) {
    return mask(not_rule<closure_t<M>>(name, std::forward<M>(m)));
}
} // namespace detail

/// Keeps what both masks keep.
///
/// Holds named masks by reference, as xtensor's expressions do: a function that returns the result
/// moves its local masks in. Cost: nothing is computed before the mask is asked.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({2, 3}, 4) && xmask::drop_indices({1}, 4);
///     // 1 0 0 0
///     // 1 0 1 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A&& a, B&& b) {
    return detail::combine<detail::both>(std::forward<A>(a), std::forward<B>(b));
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A& a XMASK_LIFETIMEBOUND, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::both>(a, b);
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A& a XMASK_LIFETIMEBOUND, B&& b) {
    return detail::combine<detail::both>(a, std::forward<B>(b));
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&&(A&& a, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::both>(std::forward<A>(a), b);
}

/// Keeps what both masks keep; `&` and `&&` are one operation.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({2, 3}, 4) & xmask::keep_last({3}, 4);
///     // 0 1 0 0
///     // 0 1 1 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator&(A&& a, B&& b) {
    return detail::combine<detail::both>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what either mask keeps.
///
/// Holds named masks by reference, as xtensor's expressions do. Cost: nothing is computed before
/// the mask is asked.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({1, 2}, 4) || xmask::keep_last({1, 0}, 4);
///     // 1 0 0 1
///     // 1 1 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A&& a, B&& b) {
    return detail::combine<detail::either>(std::forward<A>(a), std::forward<B>(b));
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A& a XMASK_LIFETIMEBOUND, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::either>(a, b);
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A& a XMASK_LIFETIMEBOUND, B&& b) {
    return detail::combine<detail::either>(a, std::forward<B>(b));
}

template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator||(A&& a, B& b XMASK_LIFETIMEBOUND) {
    return detail::combine<detail::either>(std::forward<A>(a), b);
}

/// Keeps what either mask keeps; `|` and `||` are one operation.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({1, 2}, 4) | xmask::keep_last({1}, 4);
///     // 1 0 0 1
///     // 1 1 0 1
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator|(A&& a, B&& b) {
    return detail::combine<detail::either>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what exactly one of the masks keeps.
///
/// Holds named masks by reference, as xtensor's expressions do. Cost: nothing is computed before
/// the mask is asked.
///
/// @param a  a mask
/// @param b  a mask; a and b broadcast together as in NumPy
/// @returns  a mask of the common shape
/// @throws std::invalid_argument  where the shapes do not broadcast together
///
///     auto m = xmask::keep_lengths({1, 2}, 4) ^ xmask::keep_indices({1}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
template <class A, class B>
    requires(mask_expression<A> || mask_expression<B>)
auto operator^(A&& a, B&& b) {
    return detail::combine<detail::one_of>(std::forward<A>(a), std::forward<B>(b));
}

/// Keeps what the mask drops.
///
/// Holds a named mask by reference, as xtensor's expressions do. Cost: nothing is computed before
/// the mask is asked.
///
/// @param m  a mask
/// @returns  a mask of the same shape
///
///     auto m = !xmask::keep_lengths({1, 3}, 4);
///     // 0 1 1 1
///     // 0 0 0 1
template <class M>
    requires mask_expression<M>
auto operator!(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

template <class M>
    requires mask_expression<M>
auto operator!(M& m XMASK_LIFETIMEBOUND) {
    return detail::complement(nullptr, m);
}

/// Keeps what the mask drops; `~` and `!` are one operation.
///
/// @param m  a mask
/// @returns  a mask of the same shape
///
///     auto m = ~xmask::keep_lengths({1, 3}, 4);
///     // 0 1 1 1
///     // 0 0 0 1
template <class M>
    requires mask_expression<M>
auto operator~(M&& m) {
    return detail::complement(nullptr, std::forward<M>(m));
}

/// Prints a mask as a picture, as to_string does; without <xmask/masks/text.hpp>, its shape.
///
/// @param out  a stream of char
/// @param m    a mask
/// @returns    the stream
///
///     std::cout << xmask::keep_causal(2, 3);
///     // █··
///     // ██·
template <class Stream, class M, bool Drawn = requires(const M& m) { to_string(m); }>
    requires(mask_expression<M> && requires(Stream& out) { out.rdbuf()->pubsync(); })
Stream& operator<<(Stream& out, const M& m) {
    // Drawn is a part of the function's name: files with and without text.hpp may be linked together.
    if constexpr (Drawn) {
        out << to_string(m);
    } else {
        out << "a mask of shape " << detail::tuple_text(m.shape())
            << "; <xmask/masks/text.hpp> draws it";
    }
    return out;
}

// Ambiguous expressions do not compile: each of these operators gives one sentence that says what
// to write.
/// @cond

template <class A, class B>
    requires mask_expression<A>
A&& operator&=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept &= n. A lazy mask "
        "becomes a new one: auto both = m && n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires mask_expression<A>
A&& operator|=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept |= n. A lazy mask "
        "becomes a new one: auto both = m || n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires mask_expression<A>
A&& operator^=(A&& a, const B& /*b*/) {
    constexpr bool is_stored = !mask_expression<A>;
    static_assert(
        is_stored,
        "xmask: only a bitmask that is not const is changed in place: xmask::bitmask kept = m; kept ^= n. A lazy mask "
        "becomes a new one: auto both = m ^ n."
    );
    return std::forward<A>(a);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator+(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not added: m || n keeps what either keeps. As numbers, a mask is xt::cast<int>(m)."
    );
    return std::forward<A>(a) || std::forward<B>(b);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator-(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not subtracted: m && !n keeps what only the first keeps. As numbers, a mask is "
        "xt::cast<int>(m)."
    );
    return std::forward<A>(a) && std::forward<B>(b);
}

template <class A, class B>
    requires(mask_expression<A> && mask_expression<B>)
auto operator*(A&& a, B&& b) {
    constexpr bool are_numbers = !mask_expression<A>;
    static_assert(
        are_numbers,
        "xmask: masks are not multiplied: m && n keeps what both keep. As numbers, a mask is xt::cast<int>(m)."
    );
    return std::forward<A>(a) && std::forward<B>(b);
}

template <class A, class B>
    requires(expression<A> && expression<B> && mask_expression<A> != mask_expression<B>)
auto operator*(A&& a, B&& b) {
    constexpr bool times_mask = mask_expression<A> || mask_expression<B>;
    static_assert(
        !times_mask,
        "xmask: write xmask::multiply(x, m) for a tensor times a mask: what is dropped becomes 0, where NaN * 0 would "
        "be NaN. As numbers, the mask is xt::cast<float>(m)."
    );
    return xt::detail::make_xfunction<xt::detail::multiplies>(
        std::forward<A>(a), std::forward<B>(b)
    );
}

template <class M, class T>
    requires(mask_expression<M> && !expression<T>)
bool operator==(const M& /*m*/, const T& /*value*/) {
    constexpr bool is_mask = expression<T>;
    static_assert(
        is_mask,
        "xmask: a mask is not compared with a number. !m is its opposite, and xmask::all_kept(m) and "
        "xmask::any_kept(m) ask about the whole."
    );
    return is_mask;
}
/// @endcond
} // namespace xmask::inline XMASK_ABI

/// @file
/// A tensor with a mask applied: a lazy expression that an assignment computes row by row, 64
/// columns at a time.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// An operation that chooses between its operand and another one.
template <class Op>
concept chooses = requires(const Op& op) { op.other(); };

/// The stepper of the other operand, where an operation has none.
struct no_stepper {
    void step(std::size_t /*axis*/, std::size_t /*n*/) noexcept {}

    void step_back(std::size_t /*axis*/, std::size_t /*n*/) noexcept {}

    void reset(std::size_t /*axis*/) noexcept {}

    void reset_back(std::size_t /*axis*/) noexcept {}

    void to_begin() noexcept {}

    void to_end(xt::layout_type /*l*/) noexcept {}
};

template <class Op>
struct other_stepper {
    using type = no_stepper;
};

template <chooses Op>
struct other_stepper<Op> {
    using type = typename std::decay_t<decltype(std::declval<const Op&>().other())>::const_stepper;
};

/// Makes a stepper of xtensor default-constructible, as iterators require.
template <class S>
class optional_stepper {
public:
    optional_stepper() = default;

    optional_stepper(S stepper) : m_stepper(std::move(stepper)) {}

    decltype(auto) operator*() const { return **m_stepper; }

    void step(std::size_t axis, std::size_t n) { m_stepper->step(axis, n); }

    void step_back(std::size_t axis, std::size_t n) { m_stepper->step_back(axis, n); }

    void reset(std::size_t axis) { m_stepper->reset(axis); }

    void reset_back(std::size_t axis) { m_stepper->reset_back(axis); }

    void to_begin() { m_stepper->to_begin(); }

    void to_end(xt::layout_type l) { m_stepper->to_end(l); }

private:
    std::optional<S> m_stepper;
};

template <class S>
using stepper_of_iterator =
    std::conditional_t<std::is_default_constructible_v<S>, S, optional_stepper<S>>;

/// The stepper of an applied expression: it steps through the operands and the mask.
template <class A>
class applied_stepper {
public:
    using value_type = typename A::value_type;
    using reference = value_type;
    using pointer = const value_type*;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using shape_type = typename A::shape_type;
    using operand_stepper = stepper_of_iterator<
        typename std::decay_t<decltype(std::declval<const A&>().operand())>::const_stepper>;
    using gate_stepper = stepper_of_iterator<
        typename std::decay_t<decltype(std::declval<const A&>().gate())>::const_stepper>;
    using other_stepper = stepper_of_iterator<typename detail::other_stepper<A>::type>;

    applied_stepper() = default;

    applied_stepper(
        const A* applied, operand_stepper operand, gate_stepper gate, other_stepper other
    )
        : m_applied(applied), m_operand(operand), m_gate(gate), m_other(other) {}

    reference operator*() const {
        if constexpr (chooses<A>) {
            return m_applied->combine(
                [this] { return *m_operand; }, *m_gate, [this] { return *m_other; }
            );
        } else {
            return m_applied->combine([this] { return *m_operand; }, *m_gate);
        }
    }

    void step(size_type axis, size_type n = 1) {
        m_operand.step(axis, n);
        m_gate.step(axis, n);
        m_other.step(axis, n);
    }

    void step_back(size_type axis, size_type n = 1) {
        m_operand.step_back(axis, n);
        m_gate.step_back(axis, n);
        m_other.step_back(axis, n);
    }

    void reset(size_type axis) {
        m_operand.reset(axis);
        m_gate.reset(axis);
        m_other.reset(axis);
    }

    void reset_back(size_type axis) {
        m_operand.reset_back(axis);
        m_gate.reset_back(axis);
        m_other.reset_back(axis);
    }

    void to_begin() {
        m_operand.to_begin();
        m_gate.to_begin();
        m_other.to_begin();
    }

    void to_end(xt::layout_type l) {
        m_operand.to_end(l);
        m_gate.to_end(l);
        m_other.to_end(l);
    }

private:
    const A* m_applied = nullptr;
    operand_stepper m_operand;
    gate_stepper m_gate;
    [[no_unique_address]] other_stepper m_other;
};
} // namespace detail

/// A tensor with a mask, or real weights, applied, and not yet computed.
///
/// A lazy xtensor expression. Alone on the right of an assignment, or inside a larger expression
/// that is assigned, it is computed row by row in one pass (core/assign.hpp).
///
/// @tparam Op  the operation. `operand()` and `gate()` give the tensor and the mask or weights;
///   `combine(get, gate value)` gives one element; `rows(shape)` gives the rows for a larger
///   expression; `write(result)` writes all; `sources()` says what is read; `name()` is for errors.
///   An operation with two operands also has `other()`, and `combine(get, gate value, get other)`.
template <class Op>
class applied;
} // namespace xmask::inline XMASK_ABI

template <class Op>
struct xt::xiterable_inner_types<xmask::applied<Op>> {
    using inner_shape_type = typename Op::shape_type;
    using const_stepper = xmask::detail::applied_stepper<Op>;
    using stepper = const_stepper;
};

template <class Op>
struct xt::xcontainer_inner_types<xmask::applied<Op>> {
    using reference = typename Op::value_type;
    using const_reference = typename Op::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
template <class Op>
class applied : public detail::lazy<applied<Op>, typename Op::value_type> {
    using base = detail::lazy<applied<Op>, typename Op::value_type>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    /// Makes an expression of an operation.
    ///
    /// @param op  the operation, moved into the expression
    explicit applied(Op op) : m_op(std::move(op)) {}

    using base::shape;

    const inner_shape_type& shape() const noexcept { return m_op.operand().shape(); }

    const Op& op() const noexcept { return m_op; }

    /// The tensors that this expression reads (core/overlap.hpp).
    [[nodiscard]] auto sources() const noexcept { return m_op.sources(); }

    template <class It>
    value_type element(It first, It last) const {
        const auto get = [&] { return m_op.operand().element(first, last); };
        if constexpr (detail::chooses<Op>) {
            return m_op.combine(get, m_op.gate().element(first, last), [&] {
                return m_op.other().element(first, last);
            });
        } else {
            return m_op.combine(get, m_op.gate().element(first, last));
        }
    }

    value_type data_element(size_type i) const {
        return detail::at_flat_index(shape(), i, [&](const auto& index) {
            return element(index.begin(), index.end());
        });
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        const auto begin = [&](const auto& e) { return e.stepper_begin(walked); };
        return {&m_op, begin(m_op.operand()), begin(m_op.gate()), stepper_of_other(begin)};
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept {
        const auto end = [&](const auto& e) { return e.stepper_end(walked, l); };
        return {&m_op, end(m_op.operand()), end(m_op.gate()), stepper_of_other(end)};
    }

    /// Computes the expression row by row. xtensor calls it where the expression stands alone on
    /// the right of an assignment.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<value_type>(m_op.name(), *this, result)) {
            return;
        }
        detail::resize_or_check(m_op.name(), "the result", result, shape());
        write_to(result);
    }

    /// Writes the expression to a tensor of its shape, of which it reads, if anything, each element
    /// where it is written.
    template <class E>
    void write_to(E& result) const {
        m_op.write(result);
    }

private:
    template <class F>
    auto stepper_of_other(F&& make) const {
        if constexpr (detail::chooses<Op>) {
            return make(m_op.other());
        } else {
            return detail::no_stepper();
        }
    }

    Op m_op;
};

namespace detail {
/// The rows of an applied expression inside a larger one: they give blocks, and nothing is stored
/// on the way.
template <class Op>
struct row_maker<applied<Op>> {
    template <class S>
    static auto make(const applied<Op>& e, const S& shape) {
        return e.op().rows(shape);
    }
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/core/exp.hpp ====

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

/// @file
/// Exponentials and powers: exp of numbers up to 0, as a softmax has them after its shift; x to the
/// power of a number; and constants as registers.

namespace xmask::inline XMASK_ABI {
/// Converts a number to V, which is a number or a register. For the constants in the function of a
/// loss, which computes on both.
///
/// @tparam V  an arithmetic type, or a register of xsimd
/// @param x   the number
/// @returns   x as V; in every lane where V is a register
///
///     float half = xmask::constant<float>(0.5);    // 0.5
template <class V>
XMASK_INLINE V constant(double x) {
    if constexpr (std::is_arithmetic_v<V>) {
        return static_cast<V>(x);
    } else {
        return V(static_cast<typename V::value_type>(x));
    }
}
} // namespace xmask::inline XMASK_ABI

namespace xmask::inline XMASK_ABI::detail {
/// For j from 0 to N - 1, the bits of 2^(j / N) as a float, minus j << (23 - log2(N)). exp_by_table
/// adds n << (23 - log2(N)), whose low part j cancels this.
template <std::size_t N>
inline constexpr std::array<std::int32_t, N> roots_of_two{};

template <>
inline constexpr std::array<std::int32_t, 16> roots_of_two<16> = {
    0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
    0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d,
};

template <>
inline constexpr std::array<std::int32_t, 8> roots_of_two<8> = {
    0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7, 0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7,
};

/// exp(x) by a table of N roots of two: exp(x) = 2^(n / N) exp(r) with |r| <= log(2) / (2 N). A
/// polynomial of degree 3 suffices for exp(r). Source: Tang, Table-Driven Implementation of the
/// Exponential Function, ACM TOMS 15, 1989.
template <std::size_t N>
XMASK_INLINE lanes<float> exp_by_table(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    constexpr int bits = std::countr_zero(N);
    // The sum rounds N x / log(2) to a whole number n; its lowest bits are those of n.
    const auto rounder = batch(12582912.f);
    // At the least n, -127 N, the scale has exponent 0 and is 0, and so is the result.
    const auto bounded = max_or_nan(batch(-88.0297f), x);
    const auto shifted = xsimd::fma(bounded, batch(1.44269504f * N), rounder);
    const auto n = shifted - rounder;
    const auto r = xsimd::fma(
        n, batch(-3.1946185e-5f / N), xsimd::fma(n, batch(-0.693115234375f / N), bounded)
    );
    const auto whole = xsimd::bitwise_cast<std::int32_t>(shifted);
    const auto scale =
        xsimd::bitwise_cast<float>(look_up(roots_of_two<N>.data(), whole) + (whole << (23 - bits)));
    const auto p = xsimd::fma(batch(0.166667f), r, batch(N == 16 ? 0.50001617f : 0.50006454f));
    return xsimd::fma(scale, xsimd::fma(r * r, p, r), scale);
}

/// exp(x) by a polynomial alone: exp(x) = 2^n exp(r) with |r| <= log(2) / 2. n log(2) is subtracted
/// in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980). The
/// polynomial has degree 6 and is fitted to the least relative error (Remez); its first terms, 1 +
/// r + r^2 / 2, are exact.
XMASK_INLINE lanes<float> exp_by_polynomial(const lanes<float>& x) noexcept {
    using batch = lanes<float>;
    // The sum rounds x / log(2) to a whole number n. Its lowest bits are n + 127, the bits of an
    // exponent.
    const auto rounder = batch(12582912.f + 127.f);
    // At the least n, -127, these bits are 0, and so is the factor that they form.
    const auto bounded = max_or_nan(batch(-88.0297f), x);
    const auto shifted = xsimd::fma(bounded, batch(1.44269504f), rounder);
    const auto n = shifted - rounder;
    const auto r =
        xsimd::fma(n, batch(2.12194440e-4f), xsimd::fma(n, batch(-0.693359375f), bounded));
    auto p = xsimd::fma(batch(0.00140614226761f), r, batch(0.00837905903569f));
    p = xsimd::fma(p, r, batch(0.0416647733151f));
    p = xsimd::fma(p, r, batch(0.166663648087f));
    p = xsimd::fma(p, r, batch(0.5f));
    p = xsimd::fma(p, r, batch(1.f));
    p = xsimd::fma(p, r, batch(1.f));
    return p * xsimd::bitwise_cast<float>(xsimd::bitwise_cast<std::int32_t>(shifted) << 23);
}

/// exp(x) for x <= 0, in registers of float. The error is at most 1.1 ulp with AVX-512 and ARM's
/// FMA, and 1.6 ulp elsewhere. exp(0) is exactly 1. Below -87.34, where exp leaves the normal
/// floats, the result falls faster, and is exactly 0 from -88.03 on. NaN stays NaN.
///
/// Cost: half the time of xsimd's exp, which takes all x, with AVX-512 and AVX2; 5/6 elsewhere.
XMASK_INLINE lanes<float> exp_nonpositive(const lanes<float>& x) noexcept {
    if constexpr (table_lanes == lane_count<float>) {
        return exp_by_table<table_lanes>(x);
    } else {
        return exp_by_polynomial(x);
    }
}

template <std::same_as<lanes<double>> V>
XMASK_INLINE V exp_nonpositive(const V& x) noexcept {
    return xsimd::exp(x);
}

template <class T>
    requires std::is_floating_point_v<T>
XMASK_INLINE T exp_nonpositive(T x) noexcept {
    return std::exp(x);
}

/// Functions of registers and numbers that are not inlined, for losses that use several of them. A
/// loop has code for whole, partial and selected registers; to inline these functions into all
/// three costs g++ a minute and a gigabyte for one loss, and gains a tenth of the time.
namespace called {
template <class V>
[[gnu::const, gnu::noinline]] V exp(V x) noexcept {
    return xsimd::exp(x);
}

template <class V>
[[gnu::const, gnu::noinline]] V log(V x) noexcept {
    return xsimd::log(x);
}

template <class V>
[[gnu::const, gnu::noinline]] V log1p(V x) noexcept {
    return xsimd::log1p(x);
}

template <class V>
[[gnu::const, gnu::noinline]] V pow(V x, V exponent) noexcept {
    return xsimd::pow(x, exponent);
}
} // namespace called

/// x to the power of a number, for x >= 0.
template <class V>
XMASK_INLINE V power(const V& x, double exponent) noexcept {
    // The most frequent exponents, with exact results.
    if (exponent == 2) {
        return x * x;
    }
    if (exponent == 1) {
        return x;
    }
    return called::pow(x, constant<V>(exponent));
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Soft masks that a model learns: gates of logits, and the gradients of a gated product.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The parts of a gate: open = 1 / (1 + exp(-z)), and shut = 1 - open. Both are computed without
/// overflow or cancellation.
template <class V>
struct gate_parts {
    V open;
    V shut;
};

template <class T>
    requires std::is_floating_point_v<T>
gate_parts<T> gate_of(T z) {
    const T small = std::exp(-std::abs(z));
    const T likely = T(1) / (T(1) + small);
    const T unlikely = small * likely;
    return z > T(0) ? gate_parts<T>{likely, unlikely} : gate_parts<T>{unlikely, likely};
}

template <class V>
    requires(!std::is_arithmetic_v<V>)
XMASK_INLINE gate_parts<V> gate_of(const V& z) {
    const V small = exp_nonpositive(-xsimd::abs(z));
    const V likely = V(1) / (V(1) + small);
    const V unlikely = small * likely;
    const auto positive = z > V(0);
    return {xsimd::select(positive, likely, unlikely), xsimd::select(positive, unlikely, likely)};
}

/// The open part of a gate, as a functor of xtensor's lazy expressions.
struct gate_function {
    template <class T>
    T operator()(const T& z) const {
        return gate_of(z).open;
    }

    template <class V>
    XMASK_INLINE V simd_apply(const V& z) const
        requires requires { exp_nonpositive(z); }
    {
        return gate_of(z).open;
    }
};

/// A gate as an expression that assigns itself in registers.
template <class CTZ>
class gate_op {
public:
    using operand_type = std::decay_t<CTZ>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class Z>
    gate_op(std::in_place_t, Z&& z) : m_logits(std::forward<Z>(z)) {}

    [[nodiscard]] const char* name() const noexcept { return "sigmoid_gate"; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_logits; }

    /// The logits stand in for the mask: `applied` steps through operand and gate alike.
    [[nodiscard]] const operand_type& gate() const noexcept { return m_logits; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_in_place(m_logits)); }

    template <class Get>
    value_type combine(Get&& /*get*/, const value_type& z) const {
        return gate_function()(z);
    }

    template <class S>
    auto rows(const S& shape) const {
        auto logits = make_operand<value_type>(m_logits, shape);
        return function_rows<gate_function, decltype(logits)>(gate_function(), std::move(logits));
    }

    template <class E>
    void write(E& to) const {
        write_copy<value_type>(to, rows(to.shape()));
    }

private:
    CTZ m_logits;
};

template <class... E>
consteval bool require_gate() {
    constexpr bool real = [] {
        if constexpr ((expression<E> && ...)) {
            return (
                (std::is_floating_point_v<std::remove_cv_t<value_type_t<E>>> &&
                 !mask_expression<E>) &&
                ...
            );
        }
        return false;
    }();
    static_assert(
        real,
        "xmask: a gate, and what it multiplies, are tensors (or lazy expressions) of real numbers."
    );
    return real;
}

/// Writes the derivatives of a block: upstream * open by x, upstream * x * open * shut by z.
template <class T, class Blocks, class Count>
void write_slopes(const Blocks& blocks, Count count, T* by_x, T* by_z) {
    if constexpr (has_lanes<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            blocks.template load<full>(
                k, count - k,
                [&](const auto& x, const auto& z, const auto& u) XMASK_INLINE_LAMBDA {
                    const auto gate = gate_of(z);
                    const auto slope = u * gate.open;
                    store_register<full, false>(by_x + k, slope, count - k);
                    store_register<full, false>(by_z + k, slope * x * gate.shut, count - k);
                }
            );
        });
    } else {
        for (std::size_t k = 0; k < count; ++k) {
            blocks.at(k, [&](T x, T z, T u) {
                const auto gate = gate_of(z);
                const T slope = u * gate.open;
                by_z[k] = slope * x * gate.shut;
                by_x[k] = slope;
            });
        }
    }
}

/// Writes the derivatives of all elements. All operands and results have the shape of x.
template <class T, class X, class Z, class U, class ToX, class ToZ>
void write_gate_slopes(const X& x, const Z& z, const U& upstream, ToX& to_x, ToZ& to_z) {
    const auto& shape = x.shape();
    const std::size_t n = columns_of(shape);
    const zip_rows operands(
        make_operand<T>(x, shape), make_operand<T>(z, shape), make_operand<T>(upstream, shape)
    );
    row_writer<T, ToX> by_x(to_x);
    row_writer<T, ToZ> by_z(to_z);
    for (std::size_t r = 0; n != 0 && r < rows_of(shape); ++r) {
        auto row = operands.row(r);
        by_x.seek(r);
        by_z.seek(r);
        for_each_block(0, n, [&](std::size_t c, auto count) {
            const auto blocks = row.block(c, count, first_bits(count));
            write_slopes(blocks, count, by_x.block(c), by_z.block(c));
            by_x.commit(c, count);
            by_z.commit(c, count);
        });
    }
}

/// Gives each element of `to` the sum of the derivatives at the elements it is broadcast to. Sums
/// are in double.
template <class From, class To>
void sum_into(const From& from, To& to) {
    const auto shape = from.shape();
    const std::size_t n = columns_of(shape);
    const std::size_t columns = columns_of(to.shape());
    const row_offsets numbers = row_numbers(shape, to.shape());
    std::vector<double> sums(to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto row = static_cast<std::size_t>(numbers(i / n)) * columns;
        sums[row + (columns == 1 ? 0 : i % n)] += static_cast<double>(from.data()[i]);
    }
    std::transform(
        sums.begin(), sums.end(), to.template begin<xt::layout_type::row_major>(),
        [](double sum) { return static_cast<std::remove_cv_t<value_type_t<To>>>(sum); }
    );
}
} // namespace detail

/// Gives a soft mask of logits, 1 / (1 + exp(-z)).
///
/// No z overflows. Results in float err by at most 3 ulp where they are normal numbers. Cost: one
/// exp an element; multiply(x, sigmoid_gate(z)) is one pass and allocates nothing.
///
/// @param z  logits, a tensor or lazy expression of real numbers
/// @returns  a lazy expression of the shape and element type of z, of numbers from 0 to 1
///
///     xt::xtensor<float, 1> z = {0, 100, -200};
///     xt::xtensor<float, 1> gate = xmask::sigmoid_gate(z);    // 0.5, 1, 0
template <class Z>
auto sigmoid_gate(Z&& z) {
    if constexpr (detail::require_gate<Z>()) {
        using op = detail::gate_op<detail::closure_t<Z>>;
        return applied<op>(op(std::in_place, std::forward<Z>(z)));
    }
}

/// Writes the gradients of multiply(x, sigmoid_gate(z)) by x and by z.
///
/// With g = 1 / (1 + exp(-z)), by_x = upstream * g and by_z = upstream * x * g * (1 - g). Where z
/// is broadcast, by_z is the sum over the elements it is broadcast to, summed in double. Cost: one
/// pass. Allocates only where z is broadcast, or a gradient shares memory with other elements of an
/// operand.
///
/// @param x         a tensor or lazy expression of real numbers
/// @param z         logits, a tensor or lazy expression of real numbers that broadcasts into x
/// @param upstream  the gradient of the product, of the shape of x
/// @param by_x      receives the gradient by x, of its shape; it may be `upstream` or x itself
/// @param by_z      receives the gradient by z, of its shape
/// @throws std::invalid_argument  where shapes do not fit, or by_x and by_z share memory; nothing
///   is written then
///
///     xt::xtensor<float, 1> x = {2, 4}, z = {0, 0}, upstream = {1, 1}, by_x, by_z;
///     xmask::sigmoid_gate_gradient(x, z, upstream, by_x, by_z);
///     std::cout << by_x(0) << ' ' << by_z(1);    // 0.5 1
template <class X, class Z, class U, class ToX, class ToZ>
void sigmoid_gate_gradient(const X& x, const Z& z, const U& upstream, ToX&& by_x, ToZ&& by_z) {
    if constexpr (detail::require_gate<X, Z, U>()) {
        using T = std::common_type_t<
            std::remove_cv_t<value_type_t<X>>, std::remove_cv_t<value_type_t<Z>>>;
        constexpr const char* function = "sigmoid_gate_gradient";
        detail::require_broadcast(function, "a gate", z.shape(), x.shape());
        if (!detail::equal_shapes(upstream.shape(), x.shape())) [[unlikely]] {
            detail::throw_invalid(
                function, "the upstream gradient has shape ", detail::tuple_text(upstream.shape()),
                "; expected ", detail::tuple_text(x.shape())
            );
        }
        detail::require_distinct(function, "the gradient by x", by_x, "the gradient by z", by_z);
        const std::tuple sources(
            detail::read_in_place(x), detail::read_in_place(z), detail::read_in_place(upstream)
        );
        if (detail::reads_too_late(by_x, x.shape(), sources) ||
            detail::reads_too_late(by_z, z.shape(), sources)) [[unlikely]] {
            detail::row_major_copy_t<T, X> own_x;
            detail::row_major_copy_t<T, Z> own_z;
            sigmoid_gate_gradient(x, z, upstream, own_x, own_z);
            detail::resize_or_check(function, "the gradient by x", by_x, own_x.shape());
            detail::resize_or_check(function, "the gradient by z", by_z, own_z.shape());
            detail::assign_rows(by_x, own_x);
            detail::assign_rows(by_z, own_z);
            return;
        }
        detail::resize_or_check(function, "the gradient by x", by_x, x.shape());
        detail::resize_or_check(function, "the gradient by z", by_z, z.shape());
        if (detail::equal_shapes(z.shape(), x.shape())) {
            detail::write_gate_slopes<T>(x, z, upstream, by_x, by_z);
            return;
        }
        auto slopes = xt::xarray<T, xt::layout_type::row_major>::from_shape(
            detail::any_shape(x.shape().begin(), x.shape().end())
        );
        detail::write_gate_slopes<T>(x, z, upstream, by_x, slopes);
        detail::sum_into(slopes, by_z);
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/apply/masked_fill.hpp ====

#include <type_traits>
#include <utility>

// ==== xmask/apply/choice.hpp ====

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// The choice between two operands: the first where the mask keeps, the other, a tensor or one
/// value, where it drops. masked_fill, masked_replace and multiply by a mask are choices.

namespace xmask::inline XMASK_ABI::detail {
template <class Row>
struct is_scalar_row : std::false_type {};

template <class T>
struct is_scalar_row<scalar_rows<T>> : std::true_type {};

/// A block of a choice inside a larger expression.
template <class T, class Block, class Other>
class choice_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    choice_block(const Block& operand, const Other& other, word_t bits)
        : m_operand(operand), m_other(other), m_bits(bits) {}

    XMASK_INLINE T at(std::size_t k) const {
        return (m_bits >> k & 1) != 0 ? m_operand.at(k) : m_other.at(k);
    }

    XMASK_INLINE lanes<T> load(std::size_t k) const
        requires in_registers
    {
        return select_by_bits<T>(m_bits, k, m_operand.load(k), m_other.load(k));
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return select_by_bits<T>(
            m_bits, k, m_operand.load_first(k, count), m_other.load_first(k, count)
        );
    }

private:
    Block m_operand;
    Other m_other;
    word_t m_bits;
};

/// A row of a choice inside a larger expression.
template <class T, class Row, class Other, class Cursor>
class choice_row {
public:
    choice_row(Row operand, Other other, Cursor cursor)
        : m_operand(std::move(operand)), m_other(std::move(other)), m_cursor(std::move(cursor)) {}

    XMASK_INLINE choice_block<T, block_t<Row>, block_t<Other>> block(
        std::size_t c, std::size_t count, word_t bits
    ) {
        const word_t kept = m_cursor.word(c);
        return {
            m_operand.block(c, count, kept & bits), m_other.block(c, count, ~kept & bits), kept
        };
    }

private:
    Row m_operand;
    Other m_other;
    Cursor m_cursor;
};

/// The rows of a choice inside a larger expression.
template <class T, class Rows, class Others, class Masks>
class choice_rows {
public:
    choice_rows(Rows operand, Others other, Masks masks)
        : m_operand(std::move(operand)), m_other(std::move(other)), m_masks(std::move(masks)) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return choice_row<T, row_t<Rows>, row_t<Others>, typename Masks::cursor>(
            m_operand.row(r), m_other.row(r), m_masks.row(r)
        );
    }

    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    Rows m_operand;
    Others m_other;
    Masks m_masks;
};

/// The delegate of a choice: it copies kept columns from the operand and dropped ones from the
/// other. An element that is not chosen is not read, unless reading costs less than asking.
template <class T, class Columns, class Row, class Other>
class choice_delegate {
    static constexpr bool selects_freely = has_lanes<T> && reads_memory<Row> && reads_memory<Other>;

public:
    choice_delegate(Columns to, Row operand, Other other)
        : m_to(to), m_operand(std::move(operand)), m_other(std::move(other)) {}

    void dropped(std::size_t c, std::size_t end) {
        if constexpr (is_scalar_row<Other>::value) {
            m_to.fill(c, end, m_other.block(c, 1, 1).at(0));
        } else {
            for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
                m_to.store(at, m_other.block(at, count, first_bits(count)), count);
            });
        }
    }

    void kept(std::size_t c, std::size_t end) {
        for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
            m_to.store(at, m_operand.block(at, count, first_bits(count)), count);
        });
    }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if constexpr (!selects_freely || Columns::streams) {
            if (bits == 0) {
                dropped(c, c + count);
                return;
            }
            if (bits == first_bits(count)) {
                kept(c, c + count);
                return;
            }
        }
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        const auto kept = m_operand.block(c, count, bits);
        const auto other = m_other.block(c, count, ~bits & first_bits(count));
        if constexpr (has_lanes<T>) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = load_register<full>(kept, k, count - k);
                const auto y = load_register<full>(other, k, count - k);
                store_register<full, streams>(to + k, select_by_bits<T>(bits, k, x, y), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? kept.at(k) : other.at(k);
            }
        }
    }

    /// Writes 64 columns by the cursor's own lanes. Both operands are read everywhere.
    template <lane_cursor<T> C>
        requires(reads_freely<Row> && reads_freely<Other>)
    XMASK_INLINE void lane_block(const C& cursor, std::size_t c) {
        m_to.prefetch(c, whole_word());
        T* const to = m_to.at(c);
        const auto kept = m_operand.block(c, whole_word(), ~word_t(0));
        const auto other = m_other.block(c, whole_word(), ~word_t(0));
        const auto chosen = cursor.template lanes<T>(c);
        for_each_register<T>(whole_word(), [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
            store_as<Columns::streams>(
                to + k, select_lanes<T>(chosen[k / lane_count<T>], kept.load(k), other.load(k))
            );
        });
    }

private:
    Columns m_to;
    Row m_operand;
    Other m_other;
};

/// The rows of both operands of a choice.
template <class Rows, class Others>
struct choice_operands {
    Rows operand;
    Others other;

    [[nodiscard]] bool flat(std::size_t n) const noexcept {
        return operand.flat(n) && other.flat(n);
    }
};

template <class Rows, class Others>
choice_operands(Rows, Others) -> choice_operands<Rows, Others>;

/// Writes rows of the operand where the masks keep, and of the other where they drop.
template <class T, class E, class Rows, class Others, class Masks>
void write_choice(E& to, Rows operand, Others other, Masks masks) {
    write_rows<T>(
        to,
        masked_operands{
            std::move(masks), choice_operands{std::move(operand), std::move(other)},
            columns_of(to.shape())
        },
        [](const auto& rows, std::size_t r, auto columns) {
            return choice_delegate<T, decltype(columns), row_t<Rows>, row_t<Others>>(
                columns, rows.operand.row(r), rows.other.row(r)
            );
        }
    );
}

/// A choice as the operation of an `applied` expression.
template <class CTX, class CTM, class CTY>
class choice_op {
public:
    using operand_type = std::decay_t<CTX>;
    using mask_type = std::decay_t<CTM>;
    using other_type = std::decay_t<CTY>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class X, class M, class Y>
    choice_op(const char* name, X&& x, M&& m, Y&& y)
        : m_operand(std::forward<X>(x))
        , m_mask(std::forward<M>(m))
        , m_other(std::forward<Y>(y))
        , m_name(name) {
        require_broadcast(name, "a mask", m_mask.shape(), m_operand.shape());
        require_broadcast(name, "a replacement", m_other.shape(), m_operand.shape());
    }

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_operand; }

    [[nodiscard]] const mask_type& gate() const noexcept { return m_mask; }

    [[nodiscard]] const other_type& other() const noexcept { return m_other; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_in_place(m_operand), read_in_place(m_mask), read_in_place(m_other));
    }

    template <class Get, class GetOther>
    value_type combine(Get&& get, bool kept, GetOther&& get_other) const {
        return kept ? static_cast<value_type>(get()) : static_cast<value_type>(get_other());
    }

    template <class S>
    auto rows(const S& shape) const {
        auto operand = make_operand<value_type>(m_operand, shape);
        auto other = make_operand<value_type>(m_other, shape);
        using masks = mask_rows<mask_type>;
        return choice_rows<value_type, decltype(operand), decltype(other), masks>(
            std::move(operand), std::move(other), masks(m_mask, shape)
        );
    }

    template <class E>
    void write(E& to) const {
        const auto& shape = to.shape();
        write_choice<value_type>(
            to, make_operand<value_type>(m_operand, shape),
            make_operand<value_type>(m_other, shape), mask_rows<mask_type>(m_mask, shape)
        );
    }

private:
    CTX m_operand;
    CTM m_mask;
    CTY m_other;
    const char* m_name;
};

template <class X, class M, class Y>
auto make_choice(const char* name, X&& x, M&& m, Y&& y) {
    using op = choice_op<closure_t<X>, closure_t<M>, closure_t<Y>>;
    return applied<op>(op(name, std::forward<X>(x), std::forward<M>(m), std::forward<Y>(y)));
}

/// A choice whose other operand is one value, converted to the element type of x.
template <class X, class M, class T>
auto make_fill(const char* name, X&& x, M&& m, const T& value) {
    using element = std::remove_cv_t<value_type_t<X>>;
    return make_choice(
        name, std::forward<X>(x), std::forward<M>(m),
        xt::xscalar<element>(static_cast<element>(value))
    );
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/apply/replace.hpp ====

#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/masks/bitmask.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// A mask in memory, one bit an element.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A row of stored words; the bits past its end are 0.
class stored_cursor {
public:
    stored_cursor(const word_t* words, std::size_t n) noexcept : m_words(words), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const word_t* at = m_words + c / word_columns;
        const std::size_t shift = c % word_columns;
        if (shift == 0) {
            return *at;
        }
        const bool last = (c / word_columns + 1) * word_columns >= m_columns;
        return *at >> shift | (last ? 0 : at[1] << (word_columns - shift));
    }

private:
    const word_t* m_words;
    std::size_t m_columns;
};

class bitmask_rule {
public:
    using shape_type = any_shape;

    static constexpr const char* name = "bitmask";

    /// Only masks of this very rule read its words.
    static constexpr bool shares_no_memory = true;

    template <mask_expression M>
    explicit bitmask_rule(const M& mask)
        : m_shape(mask.shape().begin(), mask.shape().end())
        , m_row_words((columns_of(m_shape) + word_columns - 1) / word_columns)
        , m_words(word_count()) {
        const mask_rows<M> rows(mask, m_shape);
        word_t* to = m_words.data();
        for (std::size_t r = 0; r < (m_row_words == 0 ? 0 : rows_of(m_shape)); ++r) {
            const auto cursor = rows.row(r);
            for (std::size_t w = 0; w < m_row_words; ++w) {
                *to++ = cursor.word(w * word_columns);
            }
        }
    }

    /// Rows of words as they are stored; the bits past a row's end are 0.
    bitmask_rule(any_shape shape, std::vector<word_t> words)
        : m_shape(std::move(shape))
        , m_row_words((columns_of(m_shape) + word_columns - 1) / word_columns)
        , m_words(std::move(words)) {}

    bitmask_rule(const bitmask_rule&) = default;
    bitmask_rule& operator=(const bitmask_rule&) = default;

    /// What is moved from is a mask of no elements.
    bitmask_rule(bitmask_rule&& other) noexcept { take(other); }

    bitmask_rule& operator=(bitmask_rule&& other) noexcept {
        if (this != &other) {
            take(other);
        }
        return *this;
    }

    ~bitmask_rule() = default;

    /// Combines each word with another mask's, which broadcasts into this one.
    template <class M, class F>
    void combine(const char* function, const M& other, F&& f) {
        require_broadcast(function, "a mask", other.shape(), m_shape);
        if constexpr (may_overlap<M, bitmask_rule>() && !std::is_same_v<M, mask<bitmask_rule>>) {
            if (overlap_of(other, target<bitmask_rule>(*this)) > overlap::in_place) {
                combine(function, mask<bitmask_rule>(other), f);
                return;
            }
        }
        const mask_rows<M> rows(other, m_shape);
        word_t* to = m_words.data();
        for (std::size_t r = 0; r < (m_row_words == 0 ? 0 : rows_of(m_shape)); ++r) {
            const auto cursor = rows.row(r);
            for (std::size_t w = 0; w < m_row_words; ++w, ++to) {
                *to = f(*to, cursor.word(w * word_columns));
            }
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    /// All words, row by row.
    [[nodiscard]] const std::vector<word_t>& words() const noexcept { return m_words; }

    [[nodiscard]] XMASK_INLINE stored_cursor row(std::size_t r) const noexcept {
        return {m_words.data() + r * m_row_words, columns_of(m_shape)};
    }

    /// The first word of each of `count` rows, or so much of it as W holds.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const noexcept {
        if (m_row_words != 1) {
            ask_first_words(*this, r, count, to);
            return;
        }
        const word_t* from = m_words.data() + r;
        for (std::size_t i = 0; i < count; ++i) {
            to[i] = static_cast<W>(from[i]);
        }
    }

    /// Whether rows fill whole words.
    [[nodiscard]] bool flat() const noexcept { return columns_of(m_shape) % word_columns == 0; }

    [[nodiscard]] XMASK_INLINE stored_cursor whole() const noexcept {
        return {m_words.data(), word_columns * m_words.size()};
    }

private:
    void take(bitmask_rule& other) noexcept {
        m_shape = std::exchange(other.m_shape, any_shape{0});
        m_row_words = std::exchange(other.m_row_words, 0);
        m_words = std::exchange(other.m_words, {});
    }

    /// Throws std::invalid_argument for more bytes than there can be.
    [[nodiscard]] std::size_t word_count() const {
        require_countable(name, m_shape);
        const std::array<std::size_t, 3> bytes = {rows_of(m_shape), m_row_words, sizeof(word_t)};
        if (!countable(bytes)) [[unlikely]] {
            throw_invalid(name, "shape ", tuple_text(m_shape), " takes more than 2^63 - 1 bytes");
        }
        return m_row_words == 0 ? 0 : rows_of(m_shape) * m_row_words;
    }

    any_shape m_shape;
    std::size_t m_row_words;
    std::vector<word_t> m_words;
};
} // namespace detail

/// A mask in memory: one bit an element, every row starts a 64-bit word. Itself a mask; made from
/// any other.
///
/// Worth it for a mask that is costly to answer and used often. Making it asks for each word once.
///
///     xmask::bitmask kept = xmask::drop_tokens(tokens, {5, 6}) && xmask::keep_lengths(lengths, n);
using bitmask = mask<detail::bitmask_rule>;

namespace detail {
/// Calls f with a mask, or, where it may read more of `to` than is allowed, with a copy of it; by
/// default more than the element that is written.
template <class M, class To, class F>
void with_mask_apart(const M& m, const To& to, F&& f, overlap allowed = overlap::in_place) {
    if constexpr (may_overlap<M, typename target<To>::element>()) {
        if (overlap_of(m, target<To>(to)) > allowed) [[unlikely]] {
            f(bitmask(m));
            return;
        }
    }
    f(m);
}
} // namespace detail

namespace detail {
template <class M, class F>
bitmask& combine_into(const char* function, bitmask& to, const M& m, F&& f) {
    if constexpr (require_mask<M>()) {
        to.rule().combine(function, m, f);
    }
    return to;
}
} // namespace detail

/// Drops what m drops, too. m broadcasts into the stored mask: std::invalid_argument otherwise. In
/// place.
///
///     xmask::bitmask kept = xmask::keep_lengths({2, 3}, 4);
///     kept &= xmask::drop_indices({1}, 4);
///     // 1 0 0 0
///     // 1 0 1 0
template <class M>
bitmask& operator&=(bitmask& to, const M& m) {
    return detail::combine_into("operator&=", to, m, [](word_t a, word_t b) { return a & b; });
}

/// Keeps what m keeps, too. Otherwise as &=.
///
///     xmask::bitmask kept = xmask::keep_lengths({1, 2}, 4);
///     kept |= xmask::keep_indices({3}, 4);
///     // 1 0 0 1
///     // 1 1 0 1
template <class M>
bitmask& operator|=(bitmask& to, const M& m) {
    return detail::combine_into("operator|=", to, m, [](word_t a, word_t b) { return a | b; });
}

/// Keeps what exactly one of both keeps. Otherwise as &=.
///
///     xmask::bitmask kept = xmask::keep_lengths({1, 2}, 4);
///     kept ^= xmask::keep_indices({1}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
template <class M>
bitmask& operator^=(bitmask& to, const M& m) {
    return detail::combine_into("operator^=", to, m, [](word_t a, word_t b) { return a ^ b; });
}

/// Whether two stored masks have one shape and keep the same elements. A comparison a word.
///
///     xmask::bitmask first = xmask::keep_lengths({2}, 4), second = xmask::keep_indices({0, 1}, {1, 4});
///     bool same = first == second;    // true
inline bool operator==(const bitmask& a, const bitmask& b) {
    return detail::equal_shapes(a.shape(), b.shape()) && a.rule().words() == b.rule().words();
}

inline bool operator!=(const bitmask& a, const bitmask& b) { return !(a == b); }

/// Which bit of a byte comes first, as NumPy's packbits names it.
enum class bit_order {
    big,   ///< the first element is the highest bit
    little ///< the first element is the lowest bit
};

namespace detail {
constexpr std::uint8_t reversed(std::uint8_t byte) noexcept {
    unsigned bits = byte;
    bits = (bits & 0x0f) << 4 | bits >> 4;
    bits = (bits & 0x33) << 2 | (bits >> 2 & 0x33);
    bits = (bits & 0x55) << 1 | (bits >> 1 & 0x55);
    return static_cast<std::uint8_t>(bits);
}

constexpr std::uint8_t ordered(std::uint8_t byte, bit_order order) noexcept {
    return order == bit_order::big ? reversed(byte) : byte;
}
} // namespace detail

/// The mask as bytes of 8 elements, each row starting a byte, as numpy.packbits(mask, axis=-1,
/// bitorder=...) gives them: an array of shape (..., ceil(n / 8)); spare bits are 0. A mask of rank
/// 0 gives one byte.
///
///     xt::xarray<std::uint8_t> bytes = xmask::packbits(xmask::keep_lengths({1, 10}, 10));
///     // 128, 0
///     // 255, 192
template <class M>
auto packbits(const M& m, bit_order order = bit_order::big) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        const std::size_t bytes = (n + 7) / 8;
        detail::require_countable("packbits", m.shape());
        auto shape = detail::any_shape(m.shape().begin(), m.shape().end());
        shape.resize(std::max<std::size_t>(shape.size(), 1));
        shape.back() = bytes;
        auto result = xt::xarray<std::uint8_t>::from_shape(shape);
        const detail::mask_rows<M> rows(m, m.shape());
        std::uint8_t* to = result.data();
        for (std::size_t r = 0; r < (n == 0 ? 0 : detail::rows_of(m.shape())); ++r) {
            const auto cursor = rows.row(r);
            for (std::size_t b = 0; b < bytes; ++b) {
                const word_t word = cursor.word(b / 8 * word_columns);
                *to++ = detail::ordered(static_cast<std::uint8_t>(word >> b % 8 * 8), order);
            }
        }
        return result;
    }
}

/// The mask of n columns that packbits, or numpy.packbits along the last axis, made bytes of.
///
/// bytes: an array of std::uint8_t of shape (..., ceil(n / 8)); what it holds past n is not looked
/// at. Throws std::invalid_argument where the last axis is of another extent.
///
///     xt::xtensor<std::uint8_t, 1> bytes = {0b10100000};
///     xmask::bitmask m = xmask::unpackbits(bytes, 4);    // 1 0 1 0
template <expression E>
bitmask unpackbits(const E& bytes, std::size_t n, bit_order order = bit_order::big) {
    static_assert(
        std::is_same_v<std::remove_cv_t<value_type_t<E>>, std::uint8_t>,
        "xmask: packed bits are std::uint8_t."
    );
    const std::size_t row_bytes = (n + 7) / 8;
    if (bytes.dimension() == 0 || detail::columns_of(bytes.shape()) != row_bytes) [[unlikely]] {
        detail::throw_invalid(
            "unpackbits", "bytes of shape ", detail::tuple_text(bytes.shape()), "; ", n,
            " columns are ", row_bytes, " bytes along the last axis"
        );
    }
    auto shape = detail::any_shape(bytes.shape().begin(), bytes.shape().end());
    shape.back() = n;
    const std::size_t row_words = (n + word_columns - 1) / word_columns;
    std::vector<word_t> words(detail::rows_of(shape) * row_words);
    auto from = bytes.template begin<xt::layout_type::row_major>();
    for (std::size_t r = 0; r < (n == 0 ? 0 : detail::rows_of(shape)); ++r) {
        word_t* row = words.data() + r * row_words;
        for (std::size_t b = 0; b < row_bytes; ++b, ++from) {
            row[b / 8] |= word_t(detail::ordered(*from, order)) << b % 8 * 8;
        }
        row[row_words - 1] &= first_bits(n - (row_words - 1) * word_columns);
    }
    return bitmask(detail::bitmask_rule(std::move(shape), std::move(words)));
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// The choice in place: dropped elements are overwritten, kept elements are not touched.

namespace xmask::inline XMASK_ABI::detail {
/// Overwrites dropped columns of a contiguous row.
template <class T, class Other>
class replace_delegate {
    using columns = written_columns<T, false>;

public:
    static constexpr bool takes_any_range = true;

    replace_delegate(T* row, Other other) : m_to(row, 0), m_other(std::move(other)) {}

    void kept(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    void dropped(std::size_t c, std::size_t end) {
        if constexpr (is_scalar_row<Other>::value) {
            fill_columns(m_to.at(c), m_to.at(end), m_other.block(c, 1, 1).at(0));
        } else {
            for_each_block(c, end, [&](std::size_t at, auto count) XMASK_INLINE_LAMBDA {
                const auto other = m_other.block(at, count, first_bits(count));
                store_block<false>(m_to.at(at), other, count);
            });
        }
    }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        const word_t chosen = ~bits & first_bits(count);
        if (chosen == 0) {
            return;
        }
        if (bits == 0) {
            dropped(c, c + count);
            return;
        }
        T* const to = m_to.at(c);
        const auto other = m_other.block(c, count, chosen);
        if constexpr (has_lanes<T>) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = load_register<full>(memory_block<T>(to), k, count - k);
                const auto y = load_register<full>(other, k, count - k);
                store_register<full, false>(to + k, select_by_bits<T>(chosen, k, y, x), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (chosen >> k & 1) != 0 ? other.at(k) : to[k];
            }
        }
    }

private:
    columns m_to;
    Other m_other;
};

/// Overwrites dropped columns of a row that is not contiguous, element by element.
template <class Writer, class Other>
class replace_each_delegate {
public:
    static constexpr bool takes_any_range = true;

    replace_each_delegate(Writer& writer, Other other)
        : m_writer(&writer), m_other(std::move(other)) {}

    void kept(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    void dropped(std::size_t c, std::size_t end) {
        for_each_block(c, end, [&](std::size_t at, std::size_t count) { block(at, count, 0); });
    }

    void block(std::size_t c, std::size_t count, word_t bits) {
        word_t chosen = ~bits & first_bits(count);
        const auto other = m_other.block(c, count, chosen);
        for (; chosen != 0; chosen &= chosen - 1) {
            const std::size_t k = lowest_bit(chosen);
            m_writer->write(c + k, other.at(k));
        }
    }

private:
    Writer* m_writer;
    Other m_other;
};

/// Overwrites dropped elements of x with those of y. The mask and y may read an element of x only
/// where it is written.
template <class E, class M, class Y>
void replace_rows(E& x, const M& m, const Y& y) {
    using T = std::remove_cv_t<value_type_t<E>>;
    const std::size_t n = columns_of(x.shape());
    const masked_operands rows{mask_rows<M>(m, x.shape()), make_operand<T>(y, x.shape()), n};
    const bool flat = row_target<T, E>(x).flat() && rows.rows.flat(n);
    const row_plan plan(x.shape(), layout_of(rows.masks, flat));
    if (plan.empty()) {
        return;
    }
    for_each_piece(plan.cut(), rows, [&](const auto& own, const piece& part) {
        row_writer<T, E> writer(x);
        plan.for_each_row(
            own.masks, part,
            [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end) {
                using other = row_t<std::decay_t<decltype(own.rows)>>;
                writer.seek(r);
                if (writer.in_place()) {
                    replace_delegate<T, other> delegate(writer.block(0), own.rows.row(r));
                    walk(cursor, begin, end, delegate);
                } else {
                    replace_each_delegate<row_writer<T, E>, other> delegate(
                        writer, own.rows.row(r)
                    );
                    walk(cursor, begin, end, delegate);
                }
            }
        );
    });
}

/// Overwrites dropped elements of x with those of y. Stores first a mask, or a y, that reads other
/// elements of x than the written one.
template <class E, class M, class Y>
void replace_inplace(const char* name, E& x, const M& m, const Y& y) {
    using T = std::remove_cv_t<value_type_t<E>>;
    require_broadcast(name, "a mask", m.shape(), x.shape());
    require_broadcast(name, "a replacement", y.shape(), x.shape());
    if constexpr (may_overlap<Y, T>()) {
        if (overlap_of(y, target<E>(x)) > overlap::in_place) [[unlikely]] {
            const bitmask kept(m);
            row_major_copy_t<T, E> others;
            resize_or_check(name, "a copy of the replacement", others, x.shape());
            replace_rows(others, kept, y);
            replace_rows(x, kept, others);
            return;
        }
    }
    with_mask_apart(m, x, [&](const auto& apart) { replace_rows(x, apart, y); });
}

/// Overwrites dropped elements of x with one value.
template <class E, class M, class T>
void fill_inplace(const char* name, E& x, const M& m, const T& value) {
    replace_inplace(name, x, m, xt::xscalar<T>(value));
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// masked_fill and masked_fill_inplace give dropped elements one value.

namespace xmask::inline XMASK_ABI {
/// Gives x where the mask keeps, and `value` where it drops.
///
/// Dropped elements never influence the result: a NaN under the mask stays there. Cost: one pass
/// when assigned, nothing allocated; long dropped ranges of x are not read.
///
/// @param x      a tensor or lazy expression of any element type, layout and rank
/// @param m      a mask that broadcasts into x and does not enlarge it
/// @param value  a number, converted to the element type of x
/// @returns      a lazy expression of the shape and element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
///
///     xt::xtensor<float, 2> scores = {{1, 2, 3}, {4, 5, 6}};
///     xt::noalias(y) = xmask::masked_fill(scores, xmask::keep_lengths({3, 1}, 3), -1e9f);
///     // 1, 2, 3
///     // 4, -1e9, -1e9
template <class X, class M, class T>
auto masked_fill(X&& x, M&& m, const T& value) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
        return detail::make_fill("masked_fill", std::forward<X>(x), std::forward<M>(m), value);
    }
}

/// Overwrites dropped elements of x with `value`, in place.
///
/// Cost: the time to write the dropped elements; kept ranges are neither read nor written. A mask
/// that reads x at other places than its own element is stored first, one bit an element.
///
/// @param x      a tensor or view of any element type and layout, not const
/// @param m      a mask that broadcasts into x; it may look at x
/// @param value  a number, converted to the element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x; x is unchanged then
///
///     xmask::masked_fill_inplace(scores, xmask::keep_lengths(lengths, n), -1e9f);
template <class X, class M, class T>
void masked_fill_inplace(X&& x, const M& m, const T& value) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        detail::fill_inplace("masked_fill_inplace", x, m, static_cast<element>(value));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/apply/masked_replace.hpp ====

#include <type_traits>
#include <utility>

/// @file
/// masked_replace and masked_replace_inplace give dropped elements the values of another tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class Y>
consteval bool require_replacement() {
    constexpr bool tensor = expression<Y> && !mask_expression<Y>;
    static_assert(
        tensor,
        "xmask: masked_replace takes what is dropped from a tensor; for one value write xmask::masked_fill."
    );
    return tensor;
}
} // namespace detail

/// Gives x where the mask keeps, and y where it drops.
///
/// Elements that are not chosen never influence the result, and a lazy operand is not computed
/// there. Cost: one pass when assigned, nothing allocated.
///
/// @param x  a tensor or lazy expression of any element type, layout and rank
/// @param m  a mask that broadcasts into x and does not enlarge it
/// @param y  a tensor or lazy expression that broadcasts into x; its elements are converted to
///   the element type of x
/// @returns  a lazy expression of the shape and element type of x
/// @throws std::invalid_argument  where the mask or y does not broadcast into x
///
///     xt::noalias(y) = xmask::masked_replace(x, xmask::keep_finite(x), z);
///     xt::noalias(y) = xmask::masked_replace(x, xmask::keep_lengths(lengths, n), 0.5f * y);
template <class X, class M, class Y>
auto masked_replace(X&& x, M&& m, Y&& y) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>() &&
                  detail::require_replacement<Y>()) {
        return detail::make_choice(
            "masked_replace", std::forward<X>(x), std::forward<M>(m), std::forward<Y>(y)
        );
    }
}

/// Overwrites dropped elements of x with those of y, in place.
///
/// Cost: the time to read and write the dropped elements. Where y reads an element of x other than
/// the written one, the dropped elements of y are copied first.
///
/// @param x  a tensor or view of any element type and layout, not const
/// @param m  a mask that broadcasts into x; it may look at x
/// @param y  a tensor or lazy expression that broadcasts into x; its elements are converted to
///   the element type of x
/// @throws std::invalid_argument  where the mask or y does not broadcast into x; x is unchanged
///   then
///
///     xmask::masked_replace_inplace(x, xmask::keep_finite(x), xt::zeros_like(x));
template <class X, class M, class Y>
void masked_replace_inplace(X&& x, const M& m, const Y& y) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>() && detail::require_replacement<Y>()) {
        detail::replace_inplace("masked_replace_inplace", x, m, y);
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/apply/masked_scatter.hpp ====

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/apply/masked_select.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/masks/ask.hpp ====

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <vector>

// ==== xmask/core/axes.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <ranges>
#include <utility>

/// @file
/// The axes of a reduction: which go, which stay, and where a row's sum belongs.

namespace xmask::inline XMASK_ABI::detail {
/// Axes as a reduction takes them: one number, or a container of numbers.
template <class A>
concept axes_argument =
    (std::integral<A> && !std::same_as<A, bool>) ||
    (std::ranges::sized_range<A> && std::integral<std::ranges::range_value_t<A>>);

/// The axes that go, as the caller named them.
class axes_list {
public:
    template <axes_argument A>
    axes_list(const A& axes) {
        if constexpr (std::integral<A>) {
            add(axes);
        } else {
            for (const auto axis : axes) {
                add(axis);
            }
        }
    }

    axes_list(std::initializer_list<std::ptrdiff_t> axes) : m_axes(axes.begin(), axes.end()) {}

    [[nodiscard]] auto begin() const noexcept { return m_axes.begin(); }

    [[nodiscard]] auto end() const noexcept { return m_axes.end(); }

    [[nodiscard]] std::size_t size() const noexcept { return m_axes.size(); }

private:
    template <class I>
    void add(I axis) {
        // What is too large for any tensor must not turn negative.
        constexpr auto most = std::numeric_limits<std::ptrdiff_t>::max();
        m_axes.push_back(std::cmp_greater(+axis, most) ? most : static_cast<std::ptrdiff_t>(axis));
    }

    xt::svector<std::ptrdiff_t, 4> m_axes;
};

/// The number of an axis, which may count from the end. Throws std::out_of_range for an axis that
/// does not exist.
template <class I>
std::size_t axis_number(const char* function, I axis, std::size_t rank) {
    const auto count = static_cast<std::ptrdiff_t>(rank);
    if (std::cmp_less(+axis, -count) || std::cmp_greater_equal(+axis, count)) [[unlikely]] {
        throw_out_of_range(function, "axis ", +axis, " is outside of [", -count, ", ", count, ")");
    }
    const auto signed_axis = static_cast<std::ptrdiff_t>(axis);
    return static_cast<std::size_t>(signed_axis < 0 ? signed_axis + count : signed_axis);
}

/// The number of the axis that an operation goes along. As in PyTorch, a tensor of rank 0 is a line
/// of one element, whose axis is 0 or -1.
template <class I>
std::size_t line_axis_number(const char* function, I axis, std::size_t rank) {
    return axis_number(function, axis, std::max(rank, std::size_t(1)));
}

/// The rows of a shape as lines along one of its axes cross them. Along the last axis a line is a
/// row.
class axis_of_rows {
public:
    template <class S>
    axis_of_rows(const S& shape, std::size_t axis)
        : m_extent(shape.size() == 0 ? 1 : static_cast<std::size_t>(shape[axis]))
        , m_along_rows(axis + 1 >= shape.size()) {
        for (std::size_t a = axis + 1; a + 1 < shape.size(); ++a) {
            m_stride *= static_cast<std::size_t>(shape[a]);
        }
    }

    [[nodiscard]] bool along_rows() const noexcept { return m_along_rows; }

    /// The extent of the axis.
    [[nodiscard]] std::size_t extent() const noexcept { return m_extent; }

    /// From a row to the next one that the same lines cross.
    [[nodiscard]] std::size_t stride() const noexcept { return m_stride; }

    /// Where row r stands along the axis.
    [[nodiscard]] std::size_t position(std::size_t r) const noexcept {
        return r / m_stride % m_extent;
    }

    /// The number of the rows that the same lines cross as row r.
    [[nodiscard]] std::size_t bundle(std::size_t r) const noexcept {
        return r / m_stride / m_extent * m_stride + r % m_stride;
    }

    /// The first row of a bundle.
    [[nodiscard]] std::size_t first_row(std::size_t bundle) const noexcept {
        return bundle / m_stride * m_stride * m_extent + bundle % m_stride;
    }

private:
    std::size_t m_extent;
    std::size_t m_stride = 1;
    bool m_along_rows;
};

/// The result's shape, and the result's offset for each row of the operand.
class kept_axes {
public:
    /// Throws std::out_of_range for an axis that the shape does not have, std::invalid_argument for
    /// one named twice.
    template <class S, axes_argument A>
    kept_axes(const char* function, const S& shape, const A& axes) {
        require_countable(function, shape);
        if constexpr (std::integral<A>) {
            mark(function, m_reduced, axes, shape.size());
        } else {
            for (const auto axis : axes) {
                mark(function, m_reduced, axis, shape.size());
            }
        }
        std::array<std::ptrdiff_t, max_rank> strides{};
        auto kept = static_cast<std::size_t>(
            std::count(m_reduced.begin(), m_reduced.begin() + shape.size(), false)
        );
        m_shape = any_shape(kept);
        m_full_shape = any_shape(shape.begin(), shape.end());
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            if (m_reduced[axis]) {
                m_full_shape[axis] = 1;
                continue;
            }
            strides[axis] = static_cast<std::ptrdiff_t>(m_size);
            m_size *= static_cast<std::size_t>(shape[axis]);
            m_shape[--kept] = static_cast<std::size_t>(shape[axis]);
        }
        m_keeps_last = shape.size() != 0 && !m_reduced[shape.size() - 1];
        m_offsets = row_offsets(shape, shape, strides);
    }

    /// The shape of the result.
    [[nodiscard]] const any_shape& shape() const noexcept { return m_shape; }

    /// The shape of the operand, with 1 in place of the axes that go: it broadcasts into the
    /// operand.
    [[nodiscard]] const any_shape& full_shape() const noexcept { return m_full_shape; }

    /// Whether this axis of the operand goes.
    [[nodiscard]] bool reduces(std::size_t axis) const noexcept { return m_reduced[axis]; }

    /// The number of elements of the result.
    [[nodiscard]] std::size_t size() const noexcept { return m_size; }

    /// Whether the columns of a row stay apart.
    [[nodiscard]] bool keeps_last() const noexcept { return m_keeps_last; }

    /// Where row r of the operand goes.
    [[nodiscard]] std::size_t offset(std::size_t r) const noexcept {
        return static_cast<std::size_t>(m_offsets(r));
    }

private:
    template <class I>
    static void mark(
        const char* function, std::array<bool, max_rank>& reduced, I axis, std::size_t rank
    ) {
        const std::size_t at = line_axis_number(function, axis, rank);
        if (reduced[at]) [[unlikely]] {
            throw_invalid(function, "axis ", at, " is named twice");
        }
        reduced[at] = true;
    }

    std::array<bool, max_rank> m_reduced{};
    any_shape m_shape;
    any_shape m_full_shape;
    row_offsets m_offsets;
    std::size_t m_size = 1;
    bool m_keeps_last = false;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/masks/runs.hpp ====

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

/// @file
/// Where a mask keeps: runs, the first and last kept positions, lengths.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The first column of [c, n) that a row keeps, or n.
template <row_cursor C>
std::size_t next_kept(const C& cursor, std::size_t c, std::size_t n) {
    while (c < n) {
        const stretch ahead = stretch_at(cursor, c);
        if (ahead.kind == stretch_kind::kept) {
            return c;
        }
        if (ahead.kind == stretch_kind::unknown) {
            const word_t bits = cursor.word(c) & first_bits(n - c);
            if (bits != 0) {
                return c + lowest_bit(bits);
            }
            c += word_columns;
        } else {
            c = std::min(ahead.end, n);
        }
    }
    return n;
}

/// The leading axes of a mask, which number its rows.
template <class S>
any_shape leading_axes(const S& shape) {
    return any_shape(shape.begin(), shape.size() == 0 ? shape.end() : shape.end() - 1);
}

/// An array with f(cursor, row number) for each row of a mask.
template <class T, class M, class F>
xt::xarray<T> ask_rows(const char* function, const M& m, F&& f) {
    require_countable(function, m.shape());
    auto result = xt::xarray<T>::from_shape(leading_axes(m.shape()));
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < result.size(); ++r) {
        result.data()[r] = f(rows.row(r), r);
    }
    return result;
}

/// The first column that a row keeps, or -1.
template <row_cursor C>
std::ptrdiff_t first_in_row(const C& cursor, std::size_t n) {
    const std::size_t first = next_kept(cursor, 0, n);
    return first < n ? static_cast<std::ptrdiff_t>(first) : -1;
}

/// The delegate that remembers the last kept column.
class last_delegate {
public:
    static constexpr bool takes_any_range = true;

    template <class Count>
    void block(std::size_t c, Count /*count*/, word_t bits) noexcept {
        if (bits != 0) {
            m_last = static_cast<std::ptrdiff_t>(c + to_size(std::bit_width(bits)) - 1);
        }
    }

    void kept(std::size_t /*c*/, std::size_t end) noexcept {
        m_last = static_cast<std::ptrdiff_t>(end) - 1;
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    [[nodiscard]] std::ptrdiff_t last() const noexcept { return m_last; }

private:
    std::ptrdiff_t m_last = -1;
};

/// The last column that a row keeps, or -1.
template <row_cursor C>
std::ptrdiff_t last_in_row(const C& cursor, std::size_t n) {
    last_delegate found;
    walk(cursor, 0, n, found);
    return found.last();
}

/// An array over the other axes, with the first or last kept position along an axis, or -1. Goes
/// through the rows in order: the first answer stays, or the last one overwrites.
template <bool First, class M, class A>
xt::xarray<std::ptrdiff_t> ask_line_ends(const char* function, const M& m, A axis) {
    const kept_axes kept(function, m.shape(), axis);
    const axis_of_rows lines(m.shape(), line_axis_number(function, axis, m.dimension()));
    const std::size_t n = columns_of(m.shape());
    auto result = xt::xarray<std::ptrdiff_t>::from_shape(kept.shape());
    result.fill(-1);
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < (n == 0 ? 0 : rows_of(m.shape())); ++r) {
        const auto cursor = rows.row(r);
        std::ptrdiff_t* at = result.data() + kept.offset(r);
        if (!kept.keeps_last()) {
            *at = First ? first_in_row(cursor, n) : last_in_row(cursor, n);
            continue;
        }
        const auto position = static_cast<std::ptrdiff_t>(lines.position(r));
        const auto answer = [&](std::size_t c) { at[c] = First && at[c] >= 0 ? at[c] : position; };
        for_each_kept_block(cursor, 0, n, [&](std::size_t c, std::size_t /*count*/, word_t bits) {
            for (; bits != 0; bits &= bits - 1) {
                answer(c + lowest_bit(bits));
            }
        });
    }
    return result;
}

/// The runs of kept positions along a line that crosses rows.
template <class M>
std::vector<column_range> runs_across(const M& m, std::size_t line, const axis_of_rows& lines) {
    std::vector<column_range> runs;
    const std::size_t n = columns_of(m.shape());
    const mask_rows<M> rows(m, m.shape());
    const std::size_t first = lines.first_row(line / n);
    for (std::size_t i = 0; i < lines.extent(); ++i) {
        if (!keeps(rows.row(first + i * lines.stride()), line % n)) {
            continue;
        }
        if (runs.empty() || runs.back().end != i) {
            runs.push_back({i, i});
        }
        runs.back().end = i + 1;
    }
    return runs;
}

/// The delegate that collects the runs of kept columns, in order.
class run_delegate {
public:
    static constexpr bool takes_any_range = true;

    void block(std::size_t c, std::size_t /*count*/, word_t bits) {
        while (bits != 0) {
            const std::size_t begin = lowest_bit(bits);
            const word_t holes = ~bits & ~first_bits(begin);
            const std::size_t end = holes == 0 ? word_columns : lowest_bit(holes);
            kept(c + begin, c + end);
            bits &= ~first_bits(end);
        }
    }

    void kept(std::size_t begin, std::size_t end) {
        if (!m_runs.empty() && m_runs.back().end == begin) {
            m_runs.back().end = end;
        } else {
            m_runs.push_back({begin, end});
        }
    }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    [[nodiscard]] std::vector<column_range>&& runs() && noexcept { return std::move(m_runs); }

private:
    std::vector<column_range> m_runs;
};

/// The runs of kept columns of a row, in order.
template <row_cursor C>
std::vector<column_range> runs_in_row(const C& cursor, std::size_t n) {
    run_delegate found;
    walk(cursor, 0, n, found);
    return std::move(found).runs();
}
} // namespace detail

/// The runs of kept columns in one row.
///
///     auto runs = xmask::runs_of(xmask::drop_indices({2}, 5), 0);    // [0, 2), [3, 5)
///
/// @param m a mask.
/// @param row its number, in row-major order of the leading axes.
/// @returns a column_range [begin, end) for each run, in order.
/// @throws std::out_of_range for a row that the mask does not have.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
std::vector<column_range> runs_of(const M& m, std::size_t row) {
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("runs_of", m.shape());
        const std::size_t rows = detail::rows_of(m.shape());
        if (row >= rows) [[unlikely]] {
            detail::throw_out_of_range("runs_of", "row ", row, " is outside of [0, ", rows, ")");
        }
        return detail::runs_in_row(m.row(row), detail::columns_of(m.shape()));
    }
    return {};
}

/// The runs of kept positions along an axis.
///
///     auto runs = xmask::runs_of(xmask::keep_lengths({2, 0, 1}, 3), 0, 0);    // [0, 1), [2, 3)
///
/// @param m a mask.
/// @param line the number of a line along the axis, in row-major order of the other axes.
/// @param axis negative ones are counted from the end.
/// @returns a column_range [begin, end) for each run, in order.
/// @throws std::out_of_range for a line or an axis that the mask does not have.
///
/// Cost: an element costs a question to its row; the last axis costs as much as one row.
template <class M, std::integral A>
std::vector<column_range> runs_of(const M& m, std::size_t line, A axis) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::line_axis_number("runs_of", axis, m.dimension());
        if (at + 1 >= m.dimension()) {
            return runs_of(m, line);
        }
        const detail::axis_of_rows lines(m.shape(), at);
        const std::size_t count = detail::kept_axes("runs_of", m.shape(), axis).size();
        if (line >= count) [[unlikely]] {
            detail::throw_out_of_range("runs_of", "line ", line, " is outside of [0, ", count, ")");
        }
        return detail::runs_across(m, line, lines);
    }
    return {};
}

/// The first column that each row keeps.
///
///     xt::xarray<std::ptrdiff_t> first = xmask::first_kept(xmask::keep_last({2, 0}, 5));    // 3, -1
///
/// @param m a mask.
/// @returns an xt::xarray of std::ptrdiff_t over the leading axes; -1 for a row that keeps nothing.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: a look at each row up to that column.
template <class M>
auto first_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::ptrdiff_t>(
            "first_kept", m,
            [n](const auto& cursor, std::size_t /*r*/) { return detail::first_in_row(cursor, n); }
        );
    }
}

/// The first kept position along an axis.
///
///     xt::xarray<std::ptrdiff_t> first = xmask::first_kept(xmask::keep_lengths({0, 2, 1}, 3), 0);    // 1, 1, -1
///
/// @param m a mask.
/// @param axis negative ones are counted from the end.
/// @returns an xt::xarray of std::ptrdiff_t over the other axes; -1 where nothing is kept.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: one pass over the mask; a step for each kept element where the axis is not the last one.
template <class M, std::integral A>
auto first_kept(const M& m, A axis) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_line_ends<true>("first_kept", m, axis);
    }
}

/// The last column that each row keeps.
///
///     xt::xarray<std::ptrdiff_t> last = xmask::last_kept(xmask::keep_lengths({2, 0}, 5));    // 1, -1
///
/// @param m a mask.
/// @returns an xt::xarray of std::ptrdiff_t over the leading axes; -1 for a row that keeps nothing.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
auto last_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::ptrdiff_t>(
            "last_kept", m,
            [n](const auto& cursor, std::size_t /*r*/) { return detail::last_in_row(cursor, n); }
        );
    }
}

/// The last kept position along an axis.
///
///     xt::xarray<std::ptrdiff_t> last = xmask::last_kept(xmask::keep_lengths({0, 2, 1}, 3), 0);    // 2, 1, -1
///
/// @param m a mask.
/// @param axis negative ones are counted from the end.
/// @returns an xt::xarray of std::ptrdiff_t over the other axes; -1 where nothing is kept.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: one pass over the mask; a step for each kept element where the axis is not the last one.
template <class M, std::integral A>
auto last_kept(const M& m, A axis) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_line_ends<false>("last_kept", m, axis);
    }
}

/// The length of each row: keep_lengths backwards.
///
///     xt::xarray<std::size_t> lengths = xmask::lengths_of(xmask::keep_lengths({3, 1}, 4));    // 3, 1
///
/// @param m a mask whose rows keep their first columns only.
/// @returns an xt::xarray of std::size_t over the leading axes.
/// @throws std::invalid_argument, with the row and its first column that does not fit, for a row
/// that keeps a column behind one that it drops.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
auto lengths_of(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t n = detail::columns_of(m.shape());
        return detail::ask_rows<std::size_t>(
            "lengths_of", m,
            [n](const auto& cursor, std::size_t r) {
                const auto runs = detail::runs_in_row(cursor, n);
                if (runs.size() > 1 || (runs.size() == 1 && runs[0].begin != 0)) [[unlikely]] {
                    const std::size_t at = runs[0].begin != 0 ? runs[0].begin : runs[1].begin;
                    detail::throw_invalid(
                        "lengths_of", "row ", r, " keeps column ", at,
                        " behind one that it drops; expected rows that "
                        "keep their first columns only"
                    );
                }
                return runs.empty() ? std::size_t(0) : runs[0].end;
            }
        );
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Questions to a mask: how much it keeps, and of which rows.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The delegate that counts kept columns.
class count_delegate {
public:
    static constexpr bool takes_any_range = true;

    template <class Count>
    XMASK_INLINE void block(std::size_t /*c*/, Count /*count*/, word_t bits) noexcept {
        m_count += count_bits(bits);
    }

    void kept(std::size_t c, std::size_t end) noexcept { m_count += end - c; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    [[nodiscard]] std::size_t count() const noexcept { return m_count; }

private:
    std::size_t m_count = 0;
};

/// How many of columns [begin, end) a row keeps.
template <row_cursor C>
std::size_t count_row(const C& cursor, std::size_t begin, std::size_t end) {
    count_delegate counted;
    walk(cursor, begin, end, counted);
    return counted.count();
}

/// How many elements of `shape` are kept by a mask that broadcasts into it.
template <class S, class MaskRows>
std::size_t count_rows(const S& shape, const MaskRows& masks) {
    const row_plan plan(shape, layout_of(masks, true));
    std::size_t count = 0;
    plan.for_each_row(
        masks, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end)
            XMASK_INLINE_LAMBDA { count += count_row(cursor, begin, end); }
    );
    return count;
}

/// Whether f(cursor, begin, end) is true for some columns of a mask. Stops at the first of them.
template <class M, class F>
bool any_row(const char* function, const M& m, F&& f) {
    require_countable(function, m.shape());
    const mask_rows<M> rows(m, m.shape());
    const row_plan plan(m.shape(), layout_of(rows, true));
    return plan.any_row(
        rows, plan.cut().whole(),
        [&](const auto& cursor, std::size_t /*r*/, std::size_t begin, std::size_t end) {
            return f(cursor, begin, end);
        }
    );
}

/// The number of kept elements at each position of the axes that stay.
template <class M>
std::vector<std::size_t> count_along(const M& m, const kept_axes& axes) {
    std::vector<std::size_t> counts(axes.size());
    const std::size_t n = columns_of(m.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(m.shape());
    const mask_rows<M> rows(m, m.shape());
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto cursor = rows.row(r);
        std::size_t* at = counts.data() + axes.offset(r);
        if (!axes.keeps_last()) {
            *at += count_row(cursor, 0, n);
            continue;
        }
        for_each_kept_block(cursor, 0, n, [&](std::size_t c, std::size_t, word_t bits) {
            for (; bits != 0; bits &= bits - 1) {
                ++at[c + lowest_bit(bits)];
            }
        });
    }
    return counts;
}

/// An array over the axes that stay, with f(number of kept elements) for each position.
template <class T, class M, class A, class F>
xt::xarray<T> ask_along(const char* function, const M& m, const A& axes, F&& f) {
    const kept_axes kept(function, m.shape(), axes);
    const auto counts = count_along(m, kept);
    auto result = xt::xarray<T>::from_shape(kept.shape());
    std::transform(counts.begin(), counts.end(), result.data(), f);
    return result;
}
} // namespace detail

/// The number of elements that a mask keeps.
///
///     std::size_t tokens = xmask::count_kept(xmask::keep_lengths({3, 1}, 4));    // 4
///
/// @param m a mask.
/// @returns the number of kept elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: 64 columns at a time, and no look at ranges that the mask knows to be kept or dropped.
template <class M>
std::size_t count_kept(const M& m) {
    std::size_t count = 0;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("count_kept", m.shape());
        count = detail::count_rows(m.shape(), detail::mask_rows<M>(m, m.shape()));
    }
    return count;
}

/// The numbers of kept elements along axes.
///
///     xt::xarray<std::size_t> each = xmask::count_kept(xmask::keep_lengths({3, 1}, 4), -1);    // 3, 1
///
/// @param m a mask.
/// @param axes a number, a container of numbers or a list in braces; negative ones are counted from
/// the end.
/// @returns an xt::xarray of std::size_t over the axes that stay.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: 64 columns at a time where the last axis goes, else a step for each kept element.
template <class M, detail::axes_argument A = std::initializer_list<std::ptrdiff_t>>
auto count_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_along<std::size_t>("count_kept", m, axes, std::identity());
    }
}

/// The share of elements that a mask keeps.
///
///     double share = xmask::density(xmask::keep_lengths({3, 1}, 4));    // 0.5
///
/// @param m a mask.
/// @returns 0 to 1; NaN for a mask without elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: that of count_kept.
template <class M>
double density(const M& m) {
    double share = std::numeric_limits<double>::quiet_NaN();
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("density", m.shape());
        if (m.size() != 0) {
            share = static_cast<double>(count_kept(m)) / static_cast<double>(m.size());
        }
    }
    return share;
}

/// Whether a mask keeps anything.
///
///     bool answered = xmask::any_kept(xmask::keep_lengths({0, 1}, 4));    // true
///
/// @param m a mask.
/// @returns false for a mask without elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: stops at the first kept element.
template <class M>
bool any_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        return detail::any_row(
            "any_kept", m,
            [](const auto& cursor, std::size_t begin, std::size_t end) {
                return detail::next_kept(cursor, begin, end) < end;
            }
        );
    }
    return false;
}

/// Whether a mask keeps anything along axes.
///
///     xt::xarray<bool> answered = xmask::any_kept(xmask::keep_lengths({0, 1}, 4), -1);    // false, true
///
/// @param m a mask.
/// @param axes a number, a container of numbers or a list in braces; negative ones are counted from
/// the end.
/// @returns an xt::xarray of bool over the axes that stay.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: that of count_kept along these axes.
template <class M, detail::axes_argument A = std::initializer_list<std::ptrdiff_t>>
auto any_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        return detail::ask_along<bool>("any_kept", m, axes, [](std::size_t count) {
            return count != 0;
        });
    }
}

/// Whether a mask keeps everything.
///
///     bool whole = xmask::all_kept(xmask::keep_lengths({4, 1}, 4));    // false
///
/// @param m a mask.
/// @returns true for a mask without elements.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: stops at the first row that drops something.
template <class M>
bool all_kept(const M& m) {
    if constexpr (detail::require_mask<M>()) {
        return !detail::any_row(
            "all_kept", m,
            [](const auto& cursor, std::size_t begin, std::size_t end) {
                return detail::count_row(cursor, begin, end) != end - begin;
            }
        );
    }
    return false;
}

/// Whether a mask keeps everything along axes.
///
///     xt::xarray<bool> whole = xmask::all_kept(xmask::keep_lengths({4, 1}, 4), -1);    // true, false
///
/// @param m a mask.
/// @param axes a number, a container of numbers or a list in braces; negative ones are counted from
/// the end.
/// @returns an xt::xarray of bool over the axes that stay.
/// @throws std::out_of_range for an axis that the mask does not have.
///
/// Cost: that of count_kept along these axes.
template <class M, detail::axes_argument A = std::initializer_list<std::ptrdiff_t>>
auto all_kept(const M& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        const detail::kept_axes kept("all_kept", m.shape(), axes);
        const std::size_t each = kept.size() == 0 ? 0 : m.size() / kept.size();
        return detail::ask_along<bool>("all_kept", m, axes, [each](std::size_t count) {
            return count == each;
        });
    }
}

/// The rows that keep nothing.
///
///     auto rows = xmask::empty_rows(xmask::keep_lengths({3, 0, 1, 0}, 4));    // 1, 3
///
/// @param m a mask.
/// @returns the numbers of these rows, in row-major order of the leading axes.
/// @throws std::invalid_argument for a mask of more than 2^63 - 1 elements.
///
/// Cost: a look at each row up to its first kept element.
template <class M>
std::vector<std::size_t> empty_rows(const M& m) {
    std::vector<std::size_t> empty;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("empty_rows", m.shape());
        const std::size_t n = detail::columns_of(m.shape());
        const detail::mask_rows<M> rows(m, m.shape());
        for (std::size_t r = 0; r < detail::rows_of(m.shape()); ++r) {
            if (detail::next_kept(rows.row(r), 0, n) == n) {
                empty.push_back(r);
            }
        }
    }
    return empty;
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// masked_select gives kept elements, without gaps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Writes the elements of a block whose bits are set to `to`, and nothing past `end`. Returns the
/// address after the last one.
template <class T, class Block, class Count>
XMASK_INLINE T* compress_block(T* to, T* end, const Block& block, Count count, word_t bits) {
    if (bits == first_bits(count)) {
        store_block<false>(to, block, count);
        return to + count;
    }
    if constexpr (has_compress<T>) {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            const word_t chosen = bits >> k & first_bits(lane_count<T>);
            const std::size_t chosen_count = count_bits(chosen);
            const auto packed = compress_lanes<T>(load_register<full>(block, k, count - k), chosen);
            if (end - to >= static_cast<std::ptrdiff_t>(lane_count<T>)) {
                // The next store overwrites the lanes after the chosen ones.
                store_lanes(to, packed);
            } else {
                store_first_lanes(to, packed, chosen_count);
            }
            to += chosen_count;
        });
    } else {
        for (; bits != 0; bits &= bits - 1) {
            *to++ = block.at(lowest_bit(bits));
        }
    }
    return to;
}

template <class T, class X, class M>
auto select_kept(const char* function, const X& x, const M& m) {
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    const mask_rows<M> masks(m, shape);
    const auto operand = make_operand<T>(x, shape);
    auto result = xt::xtensor<T, 1>::from_shape({count_rows(shape, masks)});
    T* to = result.data();
    T* const end = to + result.size();
    const row_plan plan(shape, layout_of(masks, operand.flat(columns_of(shape))));
    plan.for_each_row(
        masks, plan.cut().whole(),
        [&](const auto& cursor, std::size_t r, std::size_t first, std::size_t last) {
            auto row = operand.row(r);
            for_each_kept_block(
                cursor, first, last,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    to = compress_block(to, end, row.block(c, count, bits), count, bits);
                }
            );
        }
    );
    return result;
}
} // namespace detail

/// Gives the kept elements of x, in row-major order.
///
/// masked_scatter is the inverse; masked_scatter(zeros, m, upstream) is the gradient by x. Cost:
/// two walks of the mask, one for the count and one for the elements. Blocks without a kept element
/// are not read.
///
/// @param x  a tensor or lazy expression of any element type, layout and rank
/// @param m  a mask that broadcasts into x and does not enlarge it
/// @returns  an xtensor of rank 1 with the element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x
///
///     xt::xtensor<float, 1> positive = xmask::masked_select(x, xmask::keep_above(x, 0));
template <class X, class M>
auto masked_select(const X& x, const M& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
        return detail::select_kept<std::remove_cv_t<value_type_t<X>>>("masked_select", x, m);
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// masked_scatter and masked_scatter_inplace give kept elements the values of a list, in order.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Calls f with a pointer to the elements of e in row-major order, converted to T. Copies them,
/// unless they lie so in memory that `to` does not share.
template <class T, class E, class To, class F>
void with_elements(const E& e, const To& to, F&& f) {
    if constexpr (has_memory<E> && std::is_same_v<std::remove_cv_t<value_type_t<E>>, T>) {
        const memory_rows<T> rows(e, e.shape());
        if (rows.flat(columns_of(e.shape())) && overlap_of(e, target<To>(to)) == overlap::none) {
            f(first_element(e));
            return;
        }
    }
    row_major_copy_t<T, E> copy;
    resize_or_check("masked_scatter", "a copy of the source", copy, e.shape());
    assign_rows(copy, e);
    f(std::as_const(copy).data());
}

/// Copies elements of `from`, in order, to the columns whose bits are set. Returns the first
/// element that was not used.
template <class T>
const T* scatter_word(T* to, std::size_t count, word_t bits, const T* from) {
    if (bits == first_bits(count)) {
        std::copy_n(from, count, to);
        return from + count;
    }
    for (; bits != 0; bits &= bits - 1) {
        to[lowest_bit(bits)] = *from++;
    }
    return from;
}

template <class E, class MaskRows, class T>
void scatter_rows(E& x, const MaskRows& masks, const T* from) {
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    row_writer<T, E> writer(x);
    for (std::size_t r = 0; r < row_count; ++r) {
        writer.seek(r);
        for_each_kept_block(masks.row(r), 0, n, [&](std::size_t c, auto count, word_t bits) {
            if (writer.in_place()) {
                from = scatter_word(writer.block(0) + c, count, bits, from);
                return;
            }
            for (; bits != 0; bits &= bits - 1) {
                writer.write(c + lowest_bit(bits), *from++);
            }
        });
    }
}

/// Throws std::invalid_argument unless the mask broadcasts into x, and the source has an element
/// for each kept one.
template <class S, class M, class Source>
void require_source(const char* function, const S& shape, const M& m, const Source& source) {
    require_broadcast(function, "a mask", m.shape(), shape);
    const std::size_t count = count_rows(shape, mask_rows<M>(m, shape));
    if (source.size() < count) [[unlikely]] {
        throw_invalid(
            function, "the source has ", source.size(), " elements, and the mask keeps ", count,
            "; expected at least one for each"
        );
    }
}

template <class E, class M, class Source>
void scatter_into(E& x, const M& m, const Source& source) {
    using T = std::remove_cv_t<value_type_t<E>>;
    const mask_rows<M> masks(m, x.shape());
    with_elements<T>(source, x, [&](const T* from) { scatter_rows(x, masks, from); });
}

template <class Source>
consteval bool require_scattered() {
    constexpr bool tensor = expression<Source> && !mask_expression<Source>;
    static_assert(
        tensor,
        "xmask: masked_scatter takes the elements to write from a tensor, as its third argument."
    );
    return tensor;
}
} // namespace detail

/// Gives x with its kept elements replaced by those of `source`, in row-major order.
///
/// The first element of `source` goes to the first kept position. masked_select is the inverse.
/// Cost: a copy of x, one count of the mask, and one walk that writes the kept elements.
///
/// @param x       a tensor or lazy expression of any element type, layout and rank
/// @param m       a mask that broadcasts into x and does not enlarge it
/// @param source  a tensor or lazy expression of any shape, with at least as many elements as the
///   mask keeps; converted to the element type of x. The rest is not used.
/// @returns  a row-major container of the shape and element type of x
/// @throws std::invalid_argument  where the mask does not broadcast into x, or `source` has fewer
///   elements than the mask keeps
///
///     auto y = xmask::masked_scatter(x, m, xmask::masked_select(x, m));      // x
///     auto embedded = xmask::masked_scatter(hidden, xmask::unsqueeze(m, -1), image_features);
template <class X, class M, class Source>
auto masked_scatter(const X& x, const M& m, const Source& source) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>() &&
                  detail::require_scattered<Source>()) {
        detail::require_source("masked_scatter", x.shape(), m, source);
        detail::row_major_copy_t<std::remove_cv_t<value_type_t<X>>, X> result;
        detail::resize_or_check("masked_scatter", "the result", result, x.shape());
        detail::assign_rows(result, x);
        detail::scatter_into(result, m, source);
        return result;
    }
}

/// Overwrites kept elements of x with those of `source`, in row-major order, in place.
///
/// Cost: one count of the mask, and one walk that writes the kept elements. A `source` in the
/// memory of x is copied first.
///
/// @param x       a tensor or view of any element type and layout, not const
/// @param m       a mask that broadcasts into x; it may look at x
/// @param source  a tensor or lazy expression of any shape, with at least as many elements as the
///   mask keeps; converted to the element type of x. The rest is not used.
/// @throws std::invalid_argument  where the mask does not broadcast into x, or `source` has fewer
///   elements than the mask keeps; x is unchanged then
///
///     xmask::masked_scatter_inplace(x, m, xmask::masked_select(y, m));
template <class X, class M, class Source>
void masked_scatter_inplace(X&& x, const M& m, const Source& source) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>() && detail::require_scattered<Source>()) {
        detail::with_mask_apart(m, x, [&](const auto& apart) {
            detail::require_source("masked_scatter_inplace", x.shape(), apart, source);
            detail::scatter_into(x, apart, source);
        });
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/apply/multiply.hpp ====

#include <cstddef>
#include <type_traits>
#include <utility>

/// @file
/// multiply and multiply_inplace multiply by a mask, which keeps or gives 0, or by real weights.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The product of two numbers, or of two registers.
struct product {
    template <class A, class B>
    XMASK_INLINE auto operator()(const A& x, const B& weight) const {
        return x * weight;
    }

    template <class V>
    XMASK_INLINE V simd_apply(const V& x, const V& weight) const {
        return x * weight;
    }
};

/// A product with real weights as an expression.
template <class CTX, class CTW>
class product_op {
public:
    using operand_type = std::decay_t<CTX>;
    using weights_type = std::decay_t<CTW>;
    using value_type = std::remove_cv_t<value_type_t<operand_type>>;
    using shape_type = typename operand_type::inner_shape_type;

    template <class X, class W>
    product_op(X&& x, W&& weights)
        : m_operand(std::forward<X>(x)), m_weights(std::forward<W>(weights)) {
        require_broadcast(name(), "weights", m_weights.shape(), m_operand.shape());
    }

    [[nodiscard]] const char* name() const noexcept { return "multiply"; }

    [[nodiscard]] const operand_type& operand() const noexcept { return m_operand; }

    [[nodiscard]] const weights_type& gate() const noexcept { return m_weights; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_in_place(m_operand), read_in_place(m_weights));
    }

    template <class Get>
    value_type combine(Get&& get, value_type_t<weights_type> weight) const {
        return static_cast<value_type>(get()) * static_cast<value_type>(weight);
    }

    template <class S>
    auto rows(const S& shape) const {
        auto operand = make_operand<value_type>(m_operand, shape);
        auto weights = make_operand<value_type>(m_weights, shape);
        return function_rows<product, decltype(operand), decltype(weights)>(
            product(), std::move(operand), std::move(weights)
        );
    }

    template <class E>
    void write(E& to) const {
        write_copy<value_type>(to, rows(to.shape()));
    }

private:
    CTX m_operand;
    CTW m_weights;
};
} // namespace detail

/// Gives x times a mask, or times real weights.
///
/// By a mask: x where it keeps, +0 where it drops, whatever x holds there (NaN and infinity too).
/// By weights (a soft mask, a gate): the product of each element, computed in the element type of
/// x. Cost: one pass when assigned, nothing allocated.
///
/// @param x  a tensor or lazy expression of any layout and rank; of real numbers where m is weights
/// @param m  a mask, or a tensor or lazy expression of real weights, that broadcasts into x and
///   does not enlarge it
/// @returns  a lazy expression of the shape and element type of x
/// @throws std::invalid_argument  where m does not broadcast into x
///
///     xt::noalias(y) = xmask::multiply(weights, xmask::keep_above(weights, 0.1f));    // pruned
///     xt::noalias(y) = xmask::multiply(x, gate);                                      // gated
template <class X, class M>
auto multiply(X&& x, M&& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask_or_weights<M>()) {
        if constexpr (mask_expression<M>) {
            return detail::make_fill(
                "multiply", std::forward<X>(x), std::forward<M>(m), value_type_t<X>()
            );
        } else {
            static_assert(
                std::is_floating_point_v<value_type_t<X>>,
                "xmask: real weights multiply a tensor of real numbers; convert the tensor first."
            );
            using op = detail::product_op<detail::closure_t<X>, detail::closure_t<M>>;
            return applied<op>(op(std::forward<X>(x), std::forward<M>(m)));
        }
    }
}

/// Multiplies x by a mask, or by real weights, in place.
///
/// Cost: by a mask, the time to write 0 to the dropped elements; by weights, one pass.
///
/// @param x  a tensor or view of any layout, not const; of real numbers where m is weights
/// @param m  a mask, or a tensor or lazy expression of real weights, that broadcasts into x; it may
///   look at x
/// @throws std::invalid_argument  where m does not broadcast into x; x is unchanged then
///
///     xmask::multiply_inplace(weights, xmask::keep_above(weights, 0.1f));
template <class X, class M>
void multiply_inplace(X&& x, const M& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_target<X>() &&
                  detail::require_mask_or_weights<M>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        if constexpr (mask_expression<M>) {
            detail::fill_inplace("multiply_inplace", x, m, element());
        } else {
            detail::require_broadcast("multiply_inplace", "weights", m.shape(), x.shape());
            multiply(x, m).assign_to(x);
        }
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/apply/pack.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/masks/combine.hpp ====

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <utility>

/// @file
/// Masks from masks: unsqueeze and shift (&& || ! ^ come with every mask); and the two masks that
/// need nothing, keep_all and keep_none.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A mask with one more axis of extent 1. Where that is the last axis, each element becomes a row
/// of its own.
template <class CTM>
class unsqueeze_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;
    using cursor_type = typename rows_type::cursor;

    class column_cursor {
    public:
        column_cursor(cursor_type cursor, std::size_t column, bool whole_row)
            : m_cursor(std::move(cursor)), m_column(column), m_whole_row(whole_row) {}

        [[nodiscard]] word_t word(std::size_t c) const {
            return m_whole_row ? m_cursor.word(c) : word_t(keeps(m_cursor, m_column));
        }

        [[nodiscard]] stretch at(std::size_t c) const {
            return m_whole_row ? m_cursor.at(c) : stretch{no_end, stretch_kind::unknown};
        }

        template <class T>
            requires lane_cursor<cursor_type, T>
        XMASK_INLINE lane_word<T> lanes(std::size_t c) const {
            return m_cursor.template lanes<T>(c);
        }

    private:
        cursor_type m_cursor;
        std::size_t m_column;
        bool m_whole_row;
    };

    class column_rows {
    public:
        column_rows(rows_type rows, std::size_t n, bool whole_row)
            : m_rows(std::move(rows)), m_columns(n), m_whole_row(whole_row) {}

        XMASK_INLINE column_cursor row(std::size_t r) const {
            return m_whole_row ? column_cursor(m_rows.row(r), 0, true)
                               : column_cursor(m_rows.row(r / m_columns), r % m_columns, false);
        }

        [[nodiscard]] bool one_row() const { return m_whole_row && m_rows.one_row(); }

        [[nodiscard]] bool flat() const { return m_rows.flat(); }

        /// Packing is for short rows; rows of one column say nothing of how long theirs are.
        [[nodiscard]] bool packs() const noexcept { return m_whole_row; }

        /// The elements lie end to end as they did.
        XMASK_INLINE column_cursor whole() const { return column_cursor(m_rows.whole(), 0, true); }

    private:
        rows_type m_rows;
        std::size_t m_columns;
        bool m_whole_row;
    };

public:
    using shape_type = typename one_more_axis<typename mask_type::inner_shape_type>::type;

    static constexpr const char* name = "unsqueeze";

    template <class M>
    unsqueeze_rule(M&& m, std::size_t axis)
        : m_mask(std::forward<M>(m))
        , m_shape(append_axis(m_mask.shape(), 1))
        , m_axis(axis)
        , m_last(axis + 1 == m_shape.size()) {
        std::rotate(
            m_shape.begin() + static_cast<std::ptrdiff_t>(axis), m_shape.end() - 1, m_shape.end()
        );
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        return column_rows(rows_type(m_mask, m_mask.shape()), columns_of(m_mask.shape()), !m_last);
    }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index.erase(index.begin() + static_cast<std::ptrdiff_t>(m_axis));
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    bool m_last;
};

/// A row moved along its columns; what comes in from outside is dropped.
template <row_cursor C>
class shift_cursor {
public:
    shift_cursor(C cursor, std::ptrdiff_t by, std::size_t n)
        : m_cursor(std::move(cursor))
        , m_right(by > 0 ? static_cast<std::size_t>(by) : 0)
        , m_left(by < 0 ? std::size_t(0) - static_cast<std::size_t>(by) : 0)
        , m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        const std::size_t hidden = m_right > c ? m_right - c : 0;
        const std::size_t from = std::max(c, m_right) - m_right + m_left;
        if (hidden >= word_columns || from >= m_columns) {
            return 0;
        }
        return m_cursor.word(from) << hidden & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t c) const {
        const std::size_t from = std::max(c, m_right) - m_right + m_left;
        if (c < m_right || from >= m_columns) {
            return {c < m_right ? m_right : no_end, stretch_kind::dropped};
        }
        const auto [end, kind] = m_cursor.at(from);
        return {std::min(end, m_columns) - m_left + m_right, kind};
    }

private:
    C m_cursor;
    std::size_t m_right;
    std::size_t m_left;
    std::size_t m_columns;
};

template <class Rows>
class shift_rows {
public:
    shift_rows(Rows rows, std::ptrdiff_t by, std::size_t n)
        : m_rows(std::move(rows)), m_by(by), m_columns(n) {}

    auto row(std::size_t r) const {
        return shift_cursor<typename Rows::cursor>(m_rows.row(r), m_by, m_columns);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_rows.one_row(); }

private:
    Rows m_rows;
    std::ptrdiff_t m_by;
    std::size_t m_columns;
};

template <class CTM>
class shift_rule {
    using mask_type = std::decay_t<CTM>;

public:
    using shape_type = typename mask_type::inner_shape_type;

    static constexpr const char* name = "shift";

    template <class M>
    shift_rule(M&& m, std::ptrdiff_t by)
        : m_mask(std::forward<M>(m)), m_by(std::clamp(by, -columns(), columns())) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_mask.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const {
        using rows = mask_rows<mask_type>;
        return shift_rows<rows>(rows(m_mask, shape()), m_by, columns_of(shape()));
    }

    /// What comes in from outside of the row is no term's doing.
    template <class F>
    void for_each_term(element_index index, F&& f) const {
        const std::ptrdiff_t from =
            index.empty() ? 0 : static_cast<std::ptrdiff_t>(index.back()) - m_by;
        if (from < 0 || from >= columns() || (index.empty() && m_by != 0)) {
            return;
        }
        if (!index.empty()) {
            index.back() = static_cast<std::size_t>(from);
        }
        f(m_mask, index);
    }

private:
    [[nodiscard]] std::ptrdiff_t columns() const {
        return static_cast<std::ptrdiff_t>(columns_of(shape()));
    }

    CTM m_mask;
    std::ptrdiff_t m_by;
};

/// Every row alike: all kept, or none.
template <class S>
class constant_rule {
public:
    using shape_type = S;

    constant_rule(S shape, bool kept)
        : m_shape(std::move(shape))
        , m_kept{0, kept ? columns_of(m_shape) : 0}
        , m_name(kept ? "keep_all" : "keep_none") {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t /*r*/) const noexcept {
        return range_cursor(m_kept);
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] XMASK_INLINE range_cursor whole() const noexcept {
        return range_cursor({0, rows_of(m_shape) * m_kept.end});
    }

private:
    S m_shape;
    column_range m_kept;
    const char* m_name;
};

template <class S>
auto make_constant(const S& shape, bool kept) {
    auto owned = to_shape(kept ? "keep_all" : "keep_none", shape);
    return mask(constant_rule<decltype(owned)>(std::move(owned), kept));
}
} // namespace detail

/// The mask with an axis of extent 1 inserted before `axis` (negative: counted from the end of the
/// new shape), so that it broadcasts there. Throws std::out_of_range for an axis that the new shape
/// does not have.
///
///     auto m = xmask::unsqueeze(xmask::keep_lengths({2, 4, 3}, 4), 1);    // (3, 1, 4)
template <class M>
auto unsqueeze(M&& m, std::ptrdiff_t axis) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("unsqueeze", axis, m.dimension() + 1);
        using rule = detail::unsqueeze_rule<detail::closure_t<M>>;
        return mask(rule(std::forward<M>(m), at));
    }
}

/// The mask moved along its last axis, to the right where `by` is positive: column c keeps what
/// column c - by kept. What comes in from outside of the row is dropped. A word costs one of the
/// mask's own.
///
///     auto m = xmask::shift(xmask::keep_lengths({3}, 4), 1);    // 0 1 1 1
///     auto targets = xmask::shift(xmask::keep_tokens(tokens, {5, 6}), -1);    // of next-token prediction
template <class M>
auto shift(M&& m, std::ptrdiff_t by) {
    if constexpr (detail::require_mask<M>()) {
        return mask(detail::shift_rule<detail::closure_t<M>>(std::forward<M>(m), by));
    }
}

/// Keeps everything. shape: a number (one axis), or a shape.
///
///     auto m = xmask::keep_all(x.shape());
template <class S>
auto keep_all(const S& shape) {
    return detail::make_constant(shape, true);
}

inline auto keep_all(std::initializer_list<std::size_t> shape) {
    return detail::make_constant(shape, true);
}

/// Keeps nothing. shape: a number (one axis), or a shape.
///
///     auto m = xmask::keep_none(3);    // 0 0 0
template <class S>
auto keep_none(const S& shape) {
    return detail::make_constant(shape, false);
}

inline auto keep_none(std::initializer_list<std::size_t> shape) {
    return detail::make_constant(shape, false);
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// pack lays the tokens of a padded batch end to end, without the padding; unpack puts them back.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A row-major container type of the mask's shape with one more axis.
template <class T, class S, class R = typename one_more_axis<S>::type>
struct unpacked_of {
    using type = xt::xarray<T, xt::layout_type::row_major>;
};

template <class T, class S, class I, std::size_t N>
struct unpacked_of<T, S, std::array<I, N>> {
    using type = xt::xtensor<T, N, xt::layout_type::row_major>;
};
} // namespace detail

/// Lays the kept tokens of a padded batch end to end.
///
/// unpack is the inverse, and unpack(upstream, m) the gradient by x. Cumulative lengths say which
/// tokens belong to which sequence: keep_packed, segment_ids. Cost: as masked_select, two walks of
/// the mask; padding is not read.
///
/// @param x  a tensor or lazy expression of shape (..., tokens, features), of any element type and
///   layout
/// @param m  a mask that broadcasts into (..., tokens), the shape of x without its last axis
/// @returns  a row-major xtensor of shape (kept tokens, features)
/// @throws std::invalid_argument  where x has rank 0, or the mask does not broadcast
///
///     // hidden: (sequences, tokens, features); packed: (sum of lengths, features)
///     auto packed = xmask::pack(hidden, xmask::keep_lengths(lengths, n));
template <class X, class M>
auto pack(const X& x, const M& m) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        if (x.dimension() == 0) [[unlikely]] {
            detail::throw_invalid(
                "pack", "the tensor has no axes; expected (..., tokens, features)"
            );
        }
        const detail::any_shape tokens(x.shape().begin(), x.shape().end() - 1);
        detail::require_broadcast("pack", "a mask", m.shape(), tokens);
        const std::size_t count = detail::count_rows(tokens, detail::mask_rows<M>(m, tokens));
        auto elements = detail::select_kept<T>("pack", x, unsqueeze(m, -1));
        const std::size_t features = detail::columns_of(x.shape());
        using packed = xt::xtensor<T, 2, xt::layout_type::row_major>;
        typename packed::shape_type shape = {count, features};
        // xtensor gives an axis of extent 1 the stride 0.
        typename packed::strides_type strides = {
            static_cast<std::ptrdiff_t>(count == 1 ? 0 : features), features == 1 ? 0 : 1
        };
        return packed(std::move(elements.storage()), std::move(shape), std::move(strides));
    }
}

/// Puts packed tokens back to the kept positions of a padded batch.
///
/// pack is the inverse, and pack(upstream, m) the gradient by `packed`. Cost: one count of the
/// mask, a fill of the result, and one walk that writes the tokens.
///
/// @param packed   a tensor or lazy expression of shape (kept tokens, features)
/// @param m        a mask of shape (..., tokens)
/// @param padding  the value of all features of a dropped token
/// @returns  a row-major container of shape (..., tokens, features) and the element type of
///   `packed`
/// @throws std::invalid_argument  where `packed` does not have rank 2 with one row for each kept
///   token
///
///     auto padded = xmask::unpack(image_features, xmask::keep_lengths(lengths, n), 0.f);
template <class X, class M>
auto unpack(
    const X& packed, const M& m,
    std::type_identity_t<std::remove_cv_t<value_type_t<X>>> padding = {}
) {
    if constexpr (detail::require_tensor<X>() && detail::require_mask<M>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        const std::size_t count = detail::count_rows(m.shape(), detail::mask_rows<M>(m, m.shape()));
        if (packed.dimension() != 2 || static_cast<std::size_t>(packed.shape()[0]) != count)
            [[unlikely]] {
            detail::throw_invalid(
                "unpack", "the tensor has shape ", detail::tuple_text(packed.shape()),
                "; expected (", count, ", features), a row for each token that the mask keeps"
            );
        }
        typename detail::unpacked_of<T, typename M::inner_shape_type>::type result;
        result.resize(detail::append_axis(m.shape(), static_cast<std::size_t>(packed.shape()[1])));
        result.fill(padding);
        detail::scatter_into(result, unsqueeze(m, -1), packed);
        return result;
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/apply/pad.hpp ====

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>

/// @file
/// pad: sequences of any length as the rows of one tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A range of ranges of numbers, each of which knows its size: std::vector<std::vector<int>>.
template <class S>
concept ragged_range =
    std::ranges::forward_range<S> && std::ranges::sized_range<S> &&
    std::ranges::sized_range<std::ranges::range_reference_t<S>> &&
    std::is_arithmetic_v<std::ranges::range_value_t<std::ranges::range_reference_t<S>>>;

/// Fails to compile, with one sentence, for anything else.
template <class S, class T>
consteval bool require_sequences() {
    constexpr bool fits = ragged_range<S> && std::is_arithmetic_v<T>;
    static_assert(
        fits,
        "xmask: pad takes a range of ranges of numbers, as std::vector<std::vector<int>>, and the number "
        "behind their ends."
    );
    return fits;
}
} // namespace detail

/// A batch of sequences, padded on the right to the longest, and how long each is.
template <class T>
struct padded_batch {
    xt::xtensor<T, 2> values;            ///< shape (sequences, longest)
    xt::xtensor<std::size_t, 1> lengths; ///< for keep_lengths(lengths, values.shape(1))
};

/// Copies sequences into the rows of one tensor, and fills what is behind their ends.
///
/// Cost: one pass over the sequences. pack is the way back.
///
/// @param sequences  a range of ranges of numbers, as a std::vector of them; or a list of lists
/// @param value      what stands behind the ends, converted to the sequences' type
/// @returns          the tensor, of shape (sequences, longest), and the lengths; without sequences, or
///                   where all are empty, the tensor has no elements
///
///     std::vector<std::vector<int>> sequences = {{7, 4, 9}, {5}};
///     auto [tokens, lengths] = xmask::pad(sequences, 0);
///     auto m = xmask::keep_lengths(lengths, tokens.shape(1));
///     // 1 1 1
///     // 1 0 0
template <class S, class V = int>
auto pad(const S& sequences, V value = 0) {
    if constexpr (detail::require_sequences<const S, V>()) {
        using T = std::ranges::range_value_t<std::ranges::range_reference_t<const S>>;
        const std::size_t rows = std::ranges::size(sequences);
        auto lengths = xt::xtensor<std::size_t, 1>::from_shape({rows});
        std::ranges::transform(sequences, lengths.data(), [](const auto& sequence) {
            return static_cast<std::size_t>(std::ranges::size(sequence));
        });
        const std::size_t longest =
            rows == 0 ? 0 : *std::max_element(lengths.begin(), lengths.end());
        auto values = xt::xtensor<T, 2>::from_shape({rows, longest});
        T* to = values.data();
        for (const auto& sequence : sequences) {
            T* const end = to + longest;
            std::fill(std::ranges::copy(sequence, to).out, end, static_cast<T>(value));
            to = end;
        }
        return padded_batch<T>{std::move(values), std::move(lengths)};
    }
}

/// Copies lists into the rows of one tensor, and fills what is behind their ends.
///
/// @param sequences  a list of lists of numbers of one type
/// @param value      what stands behind the ends, converted to that type
/// @returns          the tensor, of shape (sequences, longest), and the lengths
///
///     auto padded = xmask::pad({{7, 4, 9}, {5}}, 0);
///     padded.values;
///     // 7 4 9
///     // 5 0 0
template <class T, class V = int>
    requires std::is_arithmetic_v<T>
padded_batch<T> pad(std::initializer_list<std::initializer_list<T>> sequences, V value = 0) {
    return pad<std::initializer_list<std::initializer_list<T>>>(sequences, value);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/additive.hpp ====

#include <limits>
#include <type_traits>
#include <utility>

/// @file
/// A mask as numbers to add to scores: 0 where it keeps, minus infinity where it drops.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class T>
struct to_additive {
    T operator()(bool kept) const noexcept {
        return kept ? T(0) : -std::numeric_limits<T>::infinity();
    }
};
} // namespace detail

/// 0 where the mask keeps, minus infinity where it drops: what PyTorch calls a float mask. A lazy
/// expression of T, a real type, with the mask's shape. Where a row keeps nothing, a softmax of
/// scores plus it is NaN.
///
///     xt::xtensor<float, 2> bias = xmask::additive<float>(xmask::keep_lengths({2, 4}, 4));
///     // 0, 0, -inf, -inf
///     // 0, 0, 0, 0
template <class T, class M>
auto additive(M&& m) {
    static_assert(
        std::is_floating_point_v<T>,
        "xmask: an additive mask is of a real type, which has an infinity."
    );
    if constexpr (detail::require_mask<M>()) {
        using expression = xt::xfunction<detail::to_additive<T>, detail::closure_t<M>>;
        return expression(detail::to_additive<T>(), std::forward<M>(m));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/blocks.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

// ==== xmask/masks/patches.hpp ====

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <tuple>
#include <utility>

// ==== xmask/masks/random_stream.hpp ====

#include <cstddef>
#include <cstdint>

/// @file
/// Random numbers that are pure functions of a seed and a position: the same on every machine, in
/// any order, from any thread.

namespace xmask::inline XMASK_ABI::detail {
/// The increment of SplitMix64: 2^64 divided by the golden ratio.
inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number
/// generators, 2014; constants by D. Stafford): every input gives its own output, and all bits
/// depend on all.
constexpr std::uint64_t scrambled(std::uint64_t x) noexcept {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/// The upper half of a product: an even number of 64 bits becomes one in [0, n), each as likely to
/// within n / 2^64.
constexpr std::uint64_t number_below(std::uint64_t n, std::uint64_t number) noexcept {
    // By halves, which every compiler has.
    const std::uint64_t low = (number & 0xffffffff) * (n & 0xffffffff) >> 32;
    const std::uint64_t middle = (number >> 32) * (n & 0xffffffff) + low;
    const std::uint64_t other = (number & 0xffffffff) * (n >> 32) + (middle & 0xffffffff);
    return (number >> 32) * (n >> 32) + (middle >> 32) + (other >> 32);
}

/// A stream of 32-bit numbers for each row of a seed, of which any can be had at any time: the
/// numbers of SplitMix64, in halves, that starts at the row's key.
class row_stream {
public:
    constexpr row_stream(std::uint64_t seed, std::size_t row) noexcept
        : m_key(scrambled(scrambled(seed + golden_gamma) + (row + 1) * golden_gamma)) {}

    /// Numbers 2 * pair (the low half) and 2 * pair + 1.
    [[nodiscard]] constexpr std::uint64_t pair(std::size_t pair) const noexcept {
        return scrambled(m_key + (pair + 1) * golden_gamma);
    }

    /// A number in [0, n) from the 64 bits of a pair.
    [[nodiscard]] constexpr std::uint64_t below(std::uint64_t n, std::size_t pair) const noexcept {
        return number_below(n, this->pair(pair));
    }

private:
    std::uint64_t m_key;
};

/// What numbers are drawn for. Each use has streams of its own, so that masks of different kinds
/// are independent though they have one seed.
enum class stream_use : std::uint64_t {
    subset = 1,
    patches,
    blocks,
    span_count,
    span_lengths,
    span_gaps,
    token_fate,
    tokens
};

/// The seed of one use.
constexpr std::uint64_t seed_of(stream_use use, std::uint64_t seed) noexcept {
    return scrambled(scrambled(seed) ^ static_cast<std::uint64_t>(use) * golden_gamma);
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/masks/random_subset.hpp ====

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <tuple>
#include <utility>

/// @file
/// Masks that keep an exact number of elements, chosen at random: of each row, or of a whole
/// tensor.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The most elements of which a random subset is drawn: its halves have 32 bits.
inline constexpr std::uint64_t most_shuffled = std::uint64_t(1) << 58;

/// A shuffle of the numbers [0, n), n > 64, of which each can be had alone: a Feistel network
/// (Black and Rogaway, Ciphers with arbitrary finite domains, 2002) on pairs (high, low) with high
/// in [0, highs) and low in [0, 2^bits). There are a few more pairs than numbers; what leaves [0,
/// n) goes round again until it is back.
class shuffle {
public:
    shuffle() = default;

    explicit shuffle(std::uint64_t n) noexcept
        : m_bits(static_cast<unsigned>(std::bit_width(n) - 1) / 2)
        , m_highs(static_cast<std::uint32_t>((n + low_mask()) >> m_bits))
        , m_end(n) {}

    /// The same numbers in another order.
    void set_key(const row_stream& stream) noexcept {
        for (std::size_t round = 0; round < rounds; round += 2) {
            const std::uint64_t numbers = stream.pair(round / 2);
            m_keys[round] = static_cast<std::uint32_t>(numbers);
            m_keys[round + 1] = static_cast<std::uint32_t>(numbers >> 32);
        }
    }

    /// Where number i goes.
    [[nodiscard]] std::uint64_t operator()(std::uint64_t i) const noexcept {
        do {
            auto high = static_cast<std::uint32_t>(i >> m_bits);
            auto low = static_cast<std::uint32_t>(i) & low_mask();
            for (std::size_t round = 0; round < rounds; round += 2) {
                high = next_high(high, low, m_keys[round]);
                low = next_low(high, low, m_keys[round + 1]);
            }
            i = std::uint64_t(high) << m_bits | low;
        } while (i >= m_end);
        return i;
    }

    /// A bit for each of the numbers from `first` on: whether it goes below `limit`.
    [[nodiscard]] word_t below(std::uint64_t limit, std::uint64_t first) const noexcept {
        // Loops that compilers turn into registers of lanes.
        std::array<std::uint32_t, word_columns> high;
        std::array<std::uint32_t, word_columns> low;
        const auto first_high = static_cast<std::uint32_t>(first >> m_bits);
        const std::uint32_t first_low = static_cast<std::uint32_t>(first) & low_mask();
        for (std::size_t k = 0; k < word_columns; ++k) {
            const std::uint32_t from = first_low + static_cast<std::uint32_t>(k);
            high[k] = first_high + (from >> m_bits);
            low[k] = from & low_mask();
        }
        for (std::size_t round = 0; round < rounds; round += 2) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                high[k] = next_high(high[k], low[k], m_keys[round]);
                low[k] = next_low(high[k], low[k], m_keys[round + 1]);
            }
        }
        word_t bits = pairs_below(limit, high, low);
        const std::uint64_t end = std::min<std::uint64_t>(m_end - first, word_columns);
        for (word_t outside = ~pairs_below(m_end, high, low) & first_bits(end); outside != 0;
             outside &= outside - 1) {
            const std::size_t k = lowest_bit(outside);
            const std::uint64_t i = (*this)(std::uint64_t(high[k]) << m_bits | low[k]);
            bits |= word_t(i < limit) << k;
        }
        return bits & first_bits(end);
    }

private:
    /// With 8 the pairs and triples of 2,000,000 subsets of 65 to 130 positions are as even as
    /// chance; with 6 not yet.
    static constexpr std::size_t rounds = 8;

    /// All bits depend on all (C. Wellons, hash-prospector, 2018; constants by TheIronBorn).
    static constexpr std::uint32_t mixed(std::uint32_t x) noexcept {
        x = (x ^ x >> 16) * 0x21f0aaad;
        x = (x ^ x >> 15) * 0x735a2d97;
        return x ^ x >> 15;
    }

    [[nodiscard]] XMASK_INLINE std::uint32_t low_mask() const noexcept {
        return (std::uint32_t(1) << m_bits) - 1;
    }

    [[nodiscard]] XMASK_INLINE std::uint32_t next_high(
        std::uint32_t high, std::uint32_t low, std::uint32_t key
    ) const noexcept {
        high += static_cast<std::uint32_t>(std::uint64_t(mixed(low + key)) * m_highs >> 32);
        return std::min(high, high - m_highs); // which wraps round where it is not too large
    }

    [[nodiscard]] XMASK_INLINE std::uint32_t next_low(
        std::uint32_t high, std::uint32_t low, std::uint32_t key
    ) const noexcept {
        return (low + mixed(high + key)) & low_mask();
    }

    [[nodiscard]] word_t pairs_below(
        std::uint64_t limit, const std::array<std::uint32_t, word_columns>& high,
        const std::array<std::uint32_t, word_columns>& low
    ) const noexcept {
        // Halves below 2^31 are compared as signed, which every processor can.
        const auto limit_high = static_cast<std::int32_t>(limit >> m_bits);
        const auto limit_low = static_cast<std::int32_t>(limit & low_mask());
        word_t bits = 0;
        if constexpr (has_lanes<std::int32_t>) {
            for_each_register<std::int32_t>(
                whole_word(),
                [&](std::size_t k, auto) XMASK_INLINE_LAMBDA {
                    const auto h =
                        load_lanes(reinterpret_cast<const std::int32_t*>(high.data() + k));
                    const auto l =
                        load_lanes(reinterpret_cast<const std::int32_t*>(low.data() + k));
                    bits |= bits_from_mask(h < limit_high || (h == limit_high && l < limit_low))
                            << k;
                }
            );
        } else {
            for (std::size_t k = 0; k < word_columns; ++k) {
                bits |= word_t((std::uint64_t(high[k]) << m_bits | low[k]) < limit) << k;
            }
        }
        return bits;
    }

    unsigned m_bits = 0;
    std::uint32_t m_highs = 0;
    std::uint64_t m_end = 0;
    std::array<std::uint32_t, rounds> m_keys{};
};

/// k of n positions, kept: those that a shuffle brings to the front. Up to 64 positions are
/// shuffled as cards are, so that all subsets are exactly as likely.
class random_subset {
public:
    random_subset() = default;

    random_subset(std::uint64_t n, std::uint64_t k) noexcept
        : m_shuffle(n > word_columns ? shuffle(n) : shuffle()), m_size(n), m_kept(k) {}

    /// The subset of one stream.
    [[nodiscard]] random_subset drawn(const row_stream& stream) const noexcept {
        random_subset subset = *this;
        if (m_size > word_columns) {
            subset.m_shuffle.set_key(stream);
        } else {
            subset.m_bits = dealt(stream);
        }
        return subset;
    }

    /// The bits of positions [first, first + 64); first < n.
    [[nodiscard]] word_t word(std::uint64_t first) const noexcept {
        if (m_kept == 0 || m_kept == m_size) {
            return m_kept == 0 ? 0 : first_bits(m_size - first);
        }
        return m_size > word_columns ? m_shuffle.below(m_kept, first) : m_bits >> first;
    }

    [[nodiscard]] std::uint64_t size() const noexcept { return m_size; }

    /// Whether all positions are alike.
    [[nodiscard]] stretch_kind known() const noexcept {
        return m_kept == 0        ? stretch_kind::dropped
               : m_kept == m_size ? stretch_kind::kept
                                  : stretch_kind::unknown;
    }

private:
    /// The first k cards of a shuffled pack (Fisher and Yates): a larger k keeps the same and more.
    [[nodiscard]] word_t dealt(const row_stream& stream) const noexcept {
        std::array<unsigned char, word_columns> cards;
        std::iota(cards.begin(), cards.end(), static_cast<unsigned char>(0));
        word_t bits = 0;
        for (std::size_t i = 0; i < m_kept; ++i) {
            std::swap(cards[i], cards[i + to_size(stream.below(m_size - i, i))]);
            bits |= word_t(1) << cards[i];
        }
        return bits;
    }

    shuffle m_shuffle;
    std::uint64_t m_size = 0;
    std::uint64_t m_kept = 0;
    word_t m_bits = 0;
};

/// n columns whose first one is a position of a subset.
class subset_cursor {
public:
    subset_cursor(const random_subset& subset, std::uint64_t first, std::size_t n) noexcept
        : m_subset(subset), m_first(first), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        return m_subset.word(m_first + c) & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, m_subset.known()};
    }

private:
    random_subset m_subset;
    std::uint64_t m_first;
    std::size_t m_columns;
};

inline void require_shuffled(const char* name, std::uint64_t n) {
    if (n > most_shuffled) [[unlikely]] {
        throw_invalid(
            name, "a subset of ", n, " elements; at most ", most_shuffled, " are supported"
        );
    }
}

/// A subset of each row.
template <class S>
class row_subset_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_random_k";

    row_subset_rule(S shape, std::size_t k, std::uint64_t seed)
        : m_shape(std::move(shape))
        , m_subset(columns_of(m_shape), k)
        , m_seed(seed_of(stream_use::subset, seed)) {
        const std::size_t n = columns_of(m_shape);
        if (k > n) [[unlikely]] {
            throw_out_of_range(
                "keep_random_k", "k ", k, " is outside of [0, ", n, "], the length of a row"
            );
        }
        require_shuffled("keep_random_k", n);
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] subset_cursor row(std::size_t r) const noexcept {
        return {m_subset.drawn(row_stream(m_seed, r)), 0, columns_of(m_shape)};
    }

private:
    S m_shape;
    random_subset m_subset;
    std::uint64_t m_seed;
};

/// How many of `size` things are a fraction of them, to the nearest number.
inline std::size_t fraction_of(const char* name, double fraction, std::size_t size) {
    require_option(name, "fraction", fraction, option_range::between(0, 1));
    require_shuffled(name, size);
    return std::min(
        size, static_cast<std::size_t>(std::llround(fraction * static_cast<double>(size)))
    );
}

/// A subset of the whole tensor.
template <class S>
class whole_subset_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_random_fraction";

    whole_subset_rule(S shape, double fraction, std::uint64_t seed)
        : m_shape(std::move(shape))
        , m_subset(random_subset(size(), fraction_of("keep_random_fraction", fraction, size()))
                       .drawn(row_stream(seed_of(stream_use::subset, seed), 0))) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] subset_cursor row(std::size_t r) const noexcept {
        return {m_subset, r * columns_of(m_shape), columns_of(m_shape)};
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] subset_cursor whole() const noexcept { return {m_subset, 0, size()}; }

private:
    [[nodiscard]] std::size_t size() const noexcept {
        return rows_of(m_shape) * columns_of(m_shape);
    }

    S m_shape;
    random_subset m_subset;
};

template <class S>
auto make_row_subset(const S& shape, std::size_t k, std::uint64_t seed) {
    auto owned = to_shape("keep_random_k", shape);
    return mask(row_subset_rule<decltype(owned)>(std::move(owned), k, seed));
}

template <class S>
auto make_whole_subset(const S& shape, double fraction, std::uint64_t seed) {
    auto owned = to_shape("keep_random_fraction", shape);
    return mask(whole_subset_rule<decltype(owned)>(std::move(owned), fraction, seed));
}
} // namespace detail

/// Keeps exactly k elements of each row, chosen at random, each row on its own.
///
/// shape: the mask's shape, or a number for 1-D. A pure function of the seed, the number of the
/// row, its length and the column; of one seed, a smaller k keeps a subset of what a larger one
/// keeps. All subsets are equally likely: exactly in rows of up to 64 columns, as far as a keyed
/// permutation (a Feistel network) goes in longer ones. Throws std::out_of_range for k beyond the
/// row's length. Takes no memory; an element costs eight rounds of the network, each time it is
/// asked: a mask that is used often is worth a bitmask.
///
///     auto m = xmask::keep_random_k({64, 4096}, 1024, 42);    // prunes three weights out of four in each row
template <class S>
auto keep_random_k(const S& shape, std::size_t k, std::uint64_t seed) {
    return detail::make_row_subset(shape, k, seed);
}

inline auto keep_random_k(
    std::initializer_list<std::size_t> shape, std::size_t k, std::uint64_t seed
) {
    return detail::make_row_subset(shape, k, seed);
}

/// Keeps exactly a fraction of all elements, to the nearest number, chosen at random: unstructured
/// random pruning. Throws std::invalid_argument for a fraction outside of [0, 1]. Otherwise as
/// keep_random_k of a single row.
///
///     auto m = xmask::keep_random_fraction(weights.shape(), 0.1, 42);    // prunes nine weights out of ten
template <class S>
auto keep_random_fraction(const S& shape, double fraction, std::uint64_t seed) {
    return detail::make_whole_subset(shape, fraction, seed);
}

inline auto keep_random_fraction(
    std::initializer_list<std::size_t> shape, double fraction, std::uint64_t seed
) {
    return detail::make_whole_subset(shape, fraction, seed);
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Random patches of images, as masked image models are trained with.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Images cut into patches: the last two axes of a shape. Rows of patches are numbered within their
/// image.
class patch_grid {
public:
    template <class S>
    patch_grid(const char* name, const S& shape, std::size_t patch_height, std::size_t patch_width)
        : m_patch_height(patch_height), m_patch_width(patch_width) {
        if (shape.size() < 2) [[unlikely]] {
            throw_invalid(
                name, "a shape of ", shape.size(), " axes, ", tuple_text(shape),
                "; expected (..., height, width)"
            );
        }
        const std::size_t height = shape[shape.size() - 2];
        const std::size_t width = shape[shape.size() - 1];
        if (patch_height == 0 || patch_width == 0 || height % patch_height != 0 ||
            width % patch_width != 0) [[unlikely]] {
            throw_invalid(
                name, "images of ", height, " x ", width, " are not whole patches of ",
                patch_height, " x ", patch_width
            );
        }
        m_height = height / patch_height;
        m_width = width / patch_width;
    }

    /// How many patches lie one upon the other.
    [[nodiscard]] std::size_t height() const noexcept { return m_height; }

    /// How many patches lie side by side.
    [[nodiscard]] std::size_t width() const noexcept { return m_width; }

    [[nodiscard]] std::size_t patch_width() const noexcept { return m_patch_width; }

    /// The image of a row of the mask.
    [[nodiscard]] std::size_t image(std::size_t r) const noexcept {
        return r / (m_height * m_patch_height);
    }

    /// The row of patches that a row of the mask lies in.
    [[nodiscard]] std::size_t patch_row(std::size_t r) const noexcept {
        return r % (m_height * m_patch_height) / m_patch_height;
    }

private:
    std::size_t m_patch_height;
    std::size_t m_patch_width;
    std::size_t m_height = 0;
    std::size_t m_width = 0;
};

/// A row through patches, of which a subset is kept.
class patches_cursor {
public:
    patches_cursor(
        const random_subset& subset, std::size_t first_patch, std::size_t patch_width, std::size_t n
    ) noexcept
        : m_subset(subset), m_first_patch(first_patch), m_patch_width(patch_width), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        const std::size_t first = c / m_patch_width;
        const std::size_t last = (std::min(c + word_columns, m_columns) - 1) / m_patch_width;
        word_t bits = 0;
        for (word_t kept = patches(first, last); kept != 0; kept &= kept - 1) {
            const std::size_t begin = (first + lowest_bit(kept)) * m_patch_width;
            bits |= range_word({begin, begin + m_patch_width}, c);
        }
        return bits;
    }

    [[nodiscard]] stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, m_subset.known()};
    }

private:
    /// A bit for each of the patches first to last, of which there are at most 64. They are drawn
    /// 64 at a time, mostly once for several words.
    [[nodiscard]] word_t patches(std::size_t first, std::size_t last) const noexcept {
        if (first < m_drawn || last - m_drawn >= word_columns) {
            m_drawn = first;
            m_bits = m_subset.word(m_first_patch + first);
        }
        return m_bits >> (first - m_drawn) & first_bits(last - first + 1);
    }

    random_subset m_subset;
    std::size_t m_first_patch;
    std::size_t m_patch_width;
    std::size_t m_columns;
    mutable word_t m_bits = 0;
    mutable std::size_t m_drawn =
        std::numeric_limits<std::size_t>::max(); // m_bits begins with this patch
};

template <class S>
class patches_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_patches";

    patches_rule(S shape, const patch_grid& grid, double fraction, std::uint64_t seed)
        : m_shape(std::move(shape))
        , m_grid(grid)
        , m_subset(patch_count(), fraction_of("keep_patches", fraction, patch_count()))
        , m_seed(seed_of(stream_use::patches, seed)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] patches_cursor row(std::size_t r) const noexcept {
        return {
            m_subset.drawn(row_stream(m_seed, m_grid.image(r))),
            m_grid.patch_row(r) * m_grid.width(), m_grid.patch_width(), columns_of(m_shape)
        };
    }

private:
    [[nodiscard]] std::size_t patch_count() const noexcept {
        return m_grid.height() * m_grid.width();
    }

    S m_shape;
    patch_grid m_grid;
    random_subset m_subset;
    std::uint64_t m_seed;
};

template <class S>
auto make_patches(
    const S& shape, std::size_t patch_height, std::size_t patch_width, double fraction,
    std::uint64_t seed
) {
    auto owned = to_shape("keep_patches", shape);
    const patch_grid grid("keep_patches", owned, patch_height, patch_width);
    return mask(patches_rule<decltype(owned)>(std::move(owned), grid, fraction, seed));
}
} // namespace detail

/// Keeps whole patches of images: exactly a fraction of each image's patches, to the nearest
/// number, each image drawn on its own. A masked autoencoder sees a quarter of the patches of 16 x
/// 16 (He and others, 2021).
///
/// shape: (..., height, width), the mask's shape; a mask of the patches themselves has patches of 1
/// x 1. A pure function of the seed, the number of the image and the place of the patch in it. All
/// choices of patches are equally likely, as with keep_random_k; a smaller fraction of one seed
/// keeps a subset. Throws std::invalid_argument for fewer than two axes, extents that are not whole
/// patches, and a fraction outside of [0, 1]. No memory; a row costs as much as 64 elements of
/// keep_random_k, and a mask that is used often is worth a bitmask.
///
///     auto seen = xmask::keep_patches({64, 224, 224}, 16, 16, 0.25, 42);
///     auto images = xmask::unsqueeze(seen, 1);    // fits into a tensor of shape (64, 3, 224, 224)
template <class S>
auto keep_patches(
    const S& shape, std::size_t patch_height, std::size_t patch_width, double fraction,
    std::uint64_t seed
) {
    return detail::make_patches(shape, patch_height, patch_width, fraction, seed);
}

inline auto keep_patches(
    std::initializer_list<std::size_t> shape, std::size_t patch_height, std::size_t patch_width,
    double fraction, std::uint64_t seed
) {
    return detail::make_patches(shape, patch_height, patch_width, fraction, seed);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/random_length.hpp ====

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

/// @file
/// How long the spans and blocks of a random mask are.

namespace xmask::inline XMASK_ABI {
/// A length of 1 or more: always the same, or drawn. A number converts to it.
///
/// Drawn lengths are those of 64 random bits by tables made with nothing but correctly rounded
/// operations: the same on every machine.
///
///     xmask::random_length always = 10;
///     auto between = xmask::random_length::uniform(1, 10);
///     auto spanbert = xmask::random_length::geometric(0.2, 10);
class random_length {
public:
    /// Always the same. Throws std::invalid_argument for one below 1.
    template <std::integral T>
    random_length(T fixed) {
        if (fixed < T(1)) [[unlikely]] {
            detail::throw_invalid("random_length", "length ", +fixed, "; expected at least 1");
        }
        m_shortest = static_cast<std::size_t>(fixed);
        m_longest = m_shortest;
    }

    /// Any of shortest to longest, each as likely. Throws std::invalid_argument unless 1 <=
    /// shortest <= longest.
    [[nodiscard]] static random_length uniform(std::size_t shortest, std::size_t longest) {
        if (shortest < 1 || shortest > longest) [[unlikely]] {
            detail::throw_invalid(
                "random_length::uniform", "lengths from ", shortest, " to ", longest,
                "; expected 1 or more, in order"
            );
        }
        random_length length = shortest;
        length.m_longest = longest;
        return length;
    }

    /// 1 to longest, each next one less likely by a factor of 1 - p, as SpanBERT has it (p 0.2,
    /// longest 10). Throws std::invalid_argument unless 0 < p <= 1 and longest >= 1.
    [[nodiscard]] static random_length geometric(double p, std::size_t longest) {
        if (!(p > 0 && p <= 1) || longest == 0) [[unlikely]] {
            detail::throw_invalid(
                "random_length::geometric", "p ", p, " and longest ", longest,
                "; expected p in (0, 1], and 1 or more"
            );
        }
        std::vector<double> weights(longest, 0.);
        double weight = 1;
        for (double& each : weights) {
            each = weight;
            weight *= 1 - p;
        }
        return from_weights(weights);
    }

    /// Poisson's distribution of this mean, of what is at least 1 (as BART's, which has a mean of
    /// 3). Throws std::invalid_argument for a mean outside of (0, 1000000].
    [[nodiscard]] static random_length poisson(double mean) {
        detail::require_option(
            "random_length::poisson", "mean", mean,
            {.least = 0, .most = 1e6, .excludes_least = true}
        );
        // From the most likely length downwards and upwards, so that nothing overflows.
        std::vector<double> weights(std::max<std::size_t>(1, static_cast<std::size_t>(mean)), 1.);
        for (std::size_t length = weights.size(); length > 1; --length) {
            weights[length - 2] = weights[length - 1] * static_cast<double>(length) / mean;
        }
        while (weights.back() > 1e-20) {
            weights.push_back(weights.back() * mean / static_cast<double>(weights.size() + 1));
        }
        return from_weights(weights);
    }

    /// Length k + 1 as likely as weights[k] is large. Throws std::invalid_argument for a negative
    /// or infinite weight, or none above 0.
    [[nodiscard]] static random_length weighted(const std::vector<double>& weights) {
        detail::require_each_option(
            "random_length::weighted", "weights", weights,
            detail::option_range::at_least(0).finite()
        );
        if (std::ranges::none_of(weights, [](double weight) { return weight > 0; })) [[unlikely]] {
            detail::throw_invalid("random_length::weighted", "no weight is above 0");
        }
        return from_weights(weights);
    }

    /// The least length that comes up.
    [[nodiscard]] std::size_t shortest() const noexcept { return m_shortest; }

    /// The greatest length that comes up.
    [[nodiscard]] std::size_t longest() const noexcept { return m_longest; }

    /// The mean of many.
    [[nodiscard]] double mean() const noexcept {
        if (m_limits.empty()) {
            return (static_cast<double>(m_shortest) + static_cast<double>(m_longest)) / 2;
        }
        double mean = static_cast<double>(m_shortest);
        for (const std::uint64_t limit : m_limits) {
            mean += static_cast<double>(~limit) / 18446744073709551616.;
        }
        return mean;
    }

    /// The length that 64 random bits stand for.
    [[nodiscard]] std::size_t operator()(std::uint64_t bits) const noexcept {
        if (m_limits.empty()) {
            return m_shortest +
                   detail::to_size(detail::number_below(m_longest - m_shortest + 1, bits));
        }
        const auto at = std::upper_bound(m_limits.begin(), m_limits.end(), bits);
        return m_shortest + static_cast<std::size_t>(at - m_limits.begin());
    }

private:
    static random_length from_weights(const std::vector<double>& weights) {
        const auto positive = [](double weight) { return weight > 0; };
        const auto first = std::find_if(weights.begin(), weights.end(), positive);
        auto last = weights.end() - 1;
        while (!positive(*last)) {
            --last;
        }
        double total = 0;
        for (auto at = first; at <= last; ++at) {
            total += *at;
        }
        random_length length = first - weights.begin() + 1;
        length.m_longest = static_cast<std::size_t>(last - weights.begin() + 1);
        double below = 0;
        for (auto at = first; at < last; ++at) {
            below += *at;
            // The largest double below 2^64, so that the number fits.
            const double limit =
                std::min(below / total * 18446744073709551616., 18446744073709549568.);
            length.m_limits.push_back(static_cast<std::uint64_t>(limit));
        }
        return length;
    }

    std::size_t m_shortest = 1;
    std::size_t m_longest = 1;
    std::vector<std::uint64_t>
        m_limits; // of 64 bits: those below the k-th one stand for at most the k-th length
};
} // namespace xmask::inline XMASK_ABI

/// @file
/// Random rectangles in images, as joint-embedding models predict them.

namespace xmask::inline XMASK_ABI {
/// Any number of [least, most], each as likely. One number converts to it.
struct random_real {
    constexpr random_real(double fixed) noexcept : random_real(fixed, fixed) {}

    constexpr random_real(double from, double to) noexcept : least(from), most(to) {}

    double least;
    double most;
};

/// How many blocks keep_blocks keeps in an image, and how large they are.
struct block_options {
    /// How many blocks there are; they may overlap.
    std::size_t count = 1;

    /// Blocks are whole patches of so many rows and columns.
    std::size_t patch_height = 1;
    std::size_t patch_width = 1;

    /// Either the area of a block as a part of its image, above 0 and at most 1, and its height
    /// divided by its width, in patches; sides are rounded to whole patches, at least one, at most
    /// all.
    random_real area = 0;
    random_real aspect = 1;

    /// Or its sides in patches; those that are longer than the image are cut.
    std::optional<random_length> height = std::nullopt;
    std::optional<random_length> width = std::nullopt;
};

namespace detail {
/// Where the blocks of images are: the options, checked.
class block_plan {
public:
    block_plan(const char* name, const patch_grid& grid, block_options options, std::uint64_t seed)
        : m_grid(grid), m_options(std::move(options)), m_seed(seed_of(stream_use::blocks, seed)) {
        const auto& [count, patch_height, patch_width, area, aspect, height, width] = m_options;
        const bool has_area = area.least != 0 || area.most != 0;
        if (has_area == height.has_value() || has_area == width.has_value()) [[unlikely]] {
            throw_invalid(name, "give either the area of a block, or its height and its width");
        }
        if (has_area) {
            require_range(name, "area", area, 1.);
        }
        require_range(name, "aspect", aspect, std::numeric_limits<double>::max());
    }

    [[nodiscard]] const patch_grid& grid() const noexcept { return m_grid; }

    [[nodiscard]] std::size_t count() const noexcept { return m_options.count; }

    [[nodiscard]] row_stream stream(std::size_t image) const noexcept { return {m_seed, image}; }

    /// The columns that a block keeps in a row of patches; none where it lies above or below.
    [[nodiscard]] column_range columns(
        const row_stream& stream, std::size_t block, std::size_t patch_row
    ) const noexcept {
        const std::size_t first = block * numbers;
        const auto [height, width] = sides(stream, first);
        const auto top = to_size(stream.below(m_grid.height() - height + 1, first + 2));
        if (patch_row - top >= height) {
            return {};
        }
        const auto left = to_size(stream.below(m_grid.width() - width + 1, first + 3));
        return {left * m_grid.patch_width(), (left + width) * m_grid.patch_width()};
    }

private:
    struct extents {
        std::size_t height;
        std::size_t width;
    };

    /// How many pairs of random numbers a block takes.
    static constexpr std::size_t numbers = 4;

    static void require_range(
        const char* name, const char* what, const random_real& range, double most
    ) {
        if (!(range.least > 0 && range.least <= range.most && range.most <= most)) [[unlikely]] {
            throw_invalid(
                name, what, " from ", range.least, " to ", range.most,
                "; expected two numbers above 0", most == 1 ? ", at most 1" : "", ", in order"
            );
        }
    }

    [[nodiscard]] extents sides(const row_stream& stream, std::size_t first) const noexcept {
        if (m_options.height && m_options.width) {
            return {
                std::min((*m_options.height)(stream.pair(first)), m_grid.height()),
                std::min((*m_options.width)(stream.pair(first + 1)), m_grid.width())
            };
        }
        const double patches =
            static_cast<double>(m_grid.height()) * static_cast<double>(m_grid.width());
        const double area = drawn(m_options.area, stream.pair(first)) * patches;
        const double aspect = drawn(m_options.aspect, stream.pair(first + 1));
        return {
            whole(std::sqrt(area * aspect), m_grid.height()),
            whole(std::sqrt(area / aspect), m_grid.width())
        };
    }

    /// A number of a range; rounded once, whether or not the processor has this instruction.
    static double drawn(const random_real& range, std::uint64_t bits) noexcept {
        // 53 bits make a double of [0, 1) exactly.
        const double part = static_cast<double>(bits >> 11) / 9007199254740992.;
        return std::fma(part, range.most - range.least, range.least);
    }

    static std::size_t whole(double side, std::size_t most) noexcept {
        const double rounded = std::max(1., std::nearbyint(side));
        return rounded < static_cast<double>(most) ? static_cast<std::size_t>(rounded) : most;
    }

    patch_grid m_grid;
    block_options m_options;
    std::uint64_t m_seed;
};

/// A row through the blocks of an image.
class blocks_cursor {
public:
    blocks_cursor(const block_plan& plan, std::size_t r) noexcept
        : m_plan(&plan)
        , m_stream(plan.stream(plan.grid().image(r)))
        , m_patch_row(plan.grid().patch_row(r)) {
        for_each([&](column_range block) { m_extent = hull(m_extent, block); });
    }

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        word_t bits = 0;
        if (c < m_extent.end && c + word_columns > m_extent.begin) {
            for_each([&](column_range block) { bits |= range_word(block, c); });
        }
        return bits;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    template <class F>
    void for_each(F&& f) const noexcept {
        for (std::size_t block = 0; block < m_plan->count(); ++block) {
            f(m_plan->columns(m_stream, block, m_patch_row));
        }
    }

    const block_plan* m_plan;
    row_stream m_stream;
    std::size_t m_patch_row;
    column_range m_extent;
};

template <class S>
class blocks_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_blocks";

    blocks_rule(S shape, block_plan plan) : m_shape(std::move(shape)), m_plan(std::move(plan)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] blocks_cursor row(std::size_t r) const noexcept { return {m_plan, r}; }

private:
    S m_shape;
    block_plan m_plan;
};

template <class S>
auto make_blocks(const S& shape, block_options options, std::uint64_t seed) {
    auto owned = to_shape("keep_blocks", shape);
    const patch_grid grid("keep_blocks", owned, options.patch_height, options.patch_width);
    block_plan plan("keep_blocks", grid, std::move(options), seed);
    return mask(blocks_rule<decltype(owned)>(std::move(owned), std::move(plan)));
}
} // namespace detail

/// Keeps rectangles of whole patches at random places of images, each image on its own: what I-JEPA
/// predicts (Assran and others, 2023), or !keep_blocks(...), the holes of cutout (DeVries and
/// Taylor, 2017).
///
/// shape: (..., height, width), the mask's shape. options: see block_options. The size of each
/// block is drawn, then its place, all places within the image equally likely; blocks may overlap.
/// A pure function of the seed, the number of the image and its size in patches; of one seed, fewer
/// blocks are the first of more. I-JEPA: {.count = 4, .patch_height = 14, .patch_width = 14, .area
/// = {0.15, 0.2}, .aspect = {0.75, 1.5}} for the targets, and for the context one block with .area
/// = {0.85, 1}, without the targets. Throws std::invalid_argument for fewer than two axes, extents
/// that are not whole patches, and for neither or both of area and sides, or ranges of them that
/// are none. No memory; a word costs drawing each block.
///
///     auto targets = xmask::keep_blocks({8, 16, 16}, {.count = 4, .area = {0.15, 0.2}, .aspect = {0.75, 1.5}}, 42);
///     auto context = xmask::keep_blocks({8, 16, 16}, {.area = {0.85, 1}}, 43) && !targets;
///     auto holes = xmask::keep_blocks({8, 32, 32}, {.height = 8, .width = 8}, 42);
template <class S>
auto keep_blocks(const S& shape, block_options options, std::uint64_t seed) {
    return detail::make_blocks(shape, std::move(options), seed);
}

inline auto keep_blocks(
    std::initializer_list<std::size_t> shape, block_options options, std::uint64_t seed
) {
    return detail::make_blocks(shape, std::move(options), seed);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/boolean.hpp ====

#include <concepts>
#include <utility>

// ==== xmask/core/held.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <utility>

/// @file
/// Small tables that a builder keeps (lengths, indices): a tensor, a lazy expression, a standard
/// container or a list.

namespace xmask::inline XMASK_ABI::detail {
/// A standard container of numbers.
template <class C>
concept number_range = !expression<C> && std::ranges::sized_range<C> &&
                       std::is_arithmetic_v<std::ranges::range_value_t<C>>;

/// Whether C can be held as a table of numbers.
template <class C>
concept number_table = expression<C> || number_range<C>;

/// Whether C is a table of integers; bool is none.
template <class C>
consteval bool holds_integers() {
    if constexpr (number_range<C>) {
        using value = std::ranges::range_value_t<C>;
        return std::integral<value> && !std::same_as<value, bool>;
    } else if constexpr (expression<C>) {
        using value = std::remove_cv_t<value_type_t<C>>;
        return std::integral<value> && !std::same_as<value, bool>;
    } else {
        return false;
    }
}

/// A tensor in memory is held as closures are, by reference or moved in; all else is copied once.
template <number_table C>
decltype(auto) hold(C&& values) {
    if constexpr (number_range<C>) {
        auto copy =
            xt::xtensor<std::ranges::range_value_t<C>, 1>::from_shape({std::ranges::size(values)});
        std::ranges::copy(values, copy.begin());
        return copy;
    } else if constexpr (has_memory<C>) {
        return closure_t<C>(std::forward<C>(values));
    } else {
        return std::decay_t<decltype(xt::eval(std::forward<C>(values)))>(values);
    }
}

template <class T>
auto hold(std::initializer_list<T> values) {
    auto copy = xt::xtensor<T, 1>::from_shape({values.size()});
    std::copy(values.begin(), values.end(), copy.begin());
    return copy;
}

/// What hold() gives: a reference or a container.
template <class C>
using held_t = decltype(hold(std::declval<C>()));

/// A number of columns that a table holds, within [0, n]: the caller's tensor may have changed
/// since it was checked.
template <std::integral T, std::unsigned_integral N>
constexpr N clamped(T number, N n) noexcept {
    const T positive = std::max(number, T(0));
    if constexpr (sizeof(T) > sizeof(N)) {
        return static_cast<N>(std::min(positive, static_cast<T>(n)));
    } else {
        return std::min(static_cast<N>(positive), n);
    }
}

/// Maps the rows of a mask, whose leading axes are those of `table`, to offsets in the table's
/// memory.
template <class E>
row_offsets table_offsets(const char* function, const E& table) {
    const std::size_t axes = table.dimension();
    require_rank(function, axes + 1);
    return row_offsets(table.shape(), table.strides(), axes);
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/masks/element_rule.hpp ====

#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// Masks that a test of each element of a tensor decides: booleans, thresholds, token ids.

namespace xmask::inline XMASK_ABI::detail {
/// A test at hand. A small one is copied, so that what is written between two of its uses can't
/// have changed it.
template <class Test>
class held_test {
    static constexpr bool small = sizeof(Test) <= 16 && std::is_trivially_copyable_v<Test>;

public:
    explicit held_test(const Test& test) noexcept : m_test(hold(test)) {}

    XMASK_INLINE const Test& operator*() const noexcept {
        if constexpr (small) {
            return m_test;
        } else {
            return *m_test;
        }
    }

    XMASK_INLINE const Test* operator->() const noexcept { return &**this; }

private:
    static auto hold(const Test& test) noexcept {
        if constexpr (small) {
            return test;
        } else {
            return &test;
        }
    }

    std::conditional_t<small, Test, const Test*> m_test;
};

/// One row of elements under a test. Test has `bool operator()(T) const`, and `lane_mask<T>
/// lanes(lanes<T>) const` where the type has registers, and may have `word_t word(word_t) const` to
/// overrule what the registers say, or `word_t block(block, count) const` to answer a block its own
/// way.
template <class Test, class Row>
class element_cursor {
    using T = typename block_t<Row>::value_type;

    static constexpr bool tests_lanes = [] {
        if constexpr (detail::has_lanes<T>) {
            return requires(const Test& t, const detail::lanes<T>& x) { t.lanes(x); } &&
                   !requires(const Test& t, word_t bits) { t.word(bits); } &&
                   !requires(const Test& t, const block_t<Row>& block) {
                       t.block(block, whole_word());
                   };
        }
        return false;
    }();

public:
    element_cursor(const Test& test, Row row, std::size_t n)
        : m_test(test), m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return c + word_columns <= m_columns ? test(c, whole_word()) : test(c, m_columns - c);
    }

    /// Where the elements have registers of as many lanes, and nothing but these decides.
    template <class U>
        requires(sizeof(U) == sizeof(T) && tests_lanes && block_t<Row>::in_registers)
    XMASK_INLINE lane_word<U> lanes(std::size_t c) const {
        const auto block = m_row.block(c, whole_word(), ~word_t(0));
        return make_lane_word<U>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return xsimd::batch_bool_cast<lane_t<U>>(m_test->lanes(block.load(i * lane_count<T>)));
        });
    }

    /// Where the elements are booleans, which are narrower, and nothing but their bytes decides.
    template <class U>
        requires(
            sizeof(U) != 1 && has_lanes_of_bytes<U> &&
            std::same_as<block_t<Row>, memory_block<bool>> && requires { Test::of_bytes; }
        )
    XMASK_INLINE lane_word<U> lanes(std::size_t c) const {
        const bool* bytes = m_row.block(c, whole_word(), ~word_t(0)).data();
        return make_lane_word<U>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return mask_from_bytes<U>(bytes + i * lane_count<U>);
        });
    }

private:
    template <class Count>
    XMASK_INLINE word_t test(std::size_t c, Count count) const {
        const auto block = m_row.block(c, count, first_bits(count));
        if constexpr (requires { m_test->block(block, count); }) {
            return m_test->block(block, count);
        }
        word_t bits = 0;
        if constexpr (requires(const Test& t, const detail::lanes<T>& x) { t.lanes(x); }) {
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = load_register<full>(block, k, count - k);
                bits |= bits_from_mask(m_test->lanes(x)) << k;
            });
            if constexpr (requires { m_test->word(bits); }) {
                bits = m_test->word(bits);
            }
            return bits & first_bits(count);
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                bits |= word_t((*m_test)(block.at(k))) << k;
            }
            return bits;
        }
    }

    held_test<Test> m_test;
    mutable Row m_row; // a row over anything but memory keeps a buffer
    std::size_t m_columns;
};

template <class Test, class Rows>
class element_rows {
public:
    element_rows(const Test& test, Rows rows, std::size_t row_count, std::size_t n)
        : m_test(&test), m_rows(std::move(rows)), m_row_count(row_count), m_columns(n) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return element_cursor<Test, row_t<Rows>>(*m_test, m_rows.row(r), m_columns);
    }

    [[nodiscard]] bool flat() const { return m_rows.flat(m_columns); }

    XMASK_INLINE auto whole() const {
        return element_cursor<Test, row_t<Rows>>(*m_test, m_rows.row(0), m_row_count * m_columns);
    }

private:
    const Test* m_test;
    Rows m_rows;
    std::size_t m_row_count;
    std::size_t m_columns;
};

/// Keeps the elements of a tensor that pass a test, in the tensor's own type.
template <class CTX, class Test>
class element_rule {
    using operand_type = std::decay_t<CTX>;

public:
    using shape_type = typename operand_type::inner_shape_type;

    template <class X>
    element_rule(X&& x, Test test, const char* name)
        : m_operand(std::forward<X>(x)), m_test(std::move(test)), m_name(name) {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_in_place(m_operand)); }

    [[nodiscard]] auto rows() const {
        auto operand =
            make_operand<std::remove_cv_t<value_type_t<operand_type>>>(m_operand, shape());
        return element_rows<Test, decltype(operand)>(
            m_test, std::move(operand), rows_of(shape()), columns_of(shape())
        );
    }

private:
    CTX m_operand;
    Test m_test;
    const char* m_name;
};

template <class X, class Test>
auto make_element_mask(const char* name, X&& x, Test test) {
    return mask(element_rule<closure_t<X>, Test>(std::forward<X>(x), std::move(test), name));
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// The only ways in for boolean tensors: the name says what true means.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The test of a boolean: 64 bytes are packed to a word.
struct is_true {
    /// A byte that is not 0 is a true one.
    static constexpr bool of_bytes = true;

    bool operator()(bool value) const noexcept { return value; }

    template <class V>
    XMASK_INLINE auto lanes(const V& values) const noexcept {
        return values != V(static_cast<unsigned char>(0));
    }
};

template <class E>
consteval bool require_booleans() {
    constexpr bool booleans = [] {
        if constexpr (expression<E> && !mask_expression<E>) {
            return std::same_as<std::remove_cv_t<value_type_t<E>>, bool>;
        } else {
            return false;
        }
    }();
    static_assert(
        booleans,
        "xmask: keep_where and drop_where take a tensor or expression of bool; for numbers compare them, as in "
        "xmask::keep_not_equal(x, 0)."
    );
    return booleans;
}
} // namespace detail

/// Keeps where `e` is true. e: a tensor or lazy expression of bool, of any shape, which is the
/// mask's; or a standard container of bool, which is copied.
///
/// A word costs loading 64 bytes; a lazy expression is computed in its own types, 64 elements at a
/// time, so that comparisons of any types are right.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.9f};
///     auto m = xmask::keep_where(x > 0.5f && x < 0.8f);    // 0 1 0
template <class E>
auto keep_where(E&& e) {
    if constexpr (detail::number_range<E>) {
        return keep_where(detail::hold(e));
    } else if constexpr (detail::require_booleans<E>()) {
        return detail::make_element_mask("keep_where", std::forward<E>(e), detail::is_true());
    }
}

template <expression E>
auto keep_where(E& e XMASK_LIFETIMEBOUND) {
    if constexpr (detail::require_booleans<E>()) {
        return detail::make_element_mask("keep_where", e, detail::is_true());
    }
}

/// Drops where `e` is true: for the masks of APIs in which true means padding.
///
///     xt::xtensor<bool, 1> key_padding_mask = {false, false, true};
///     auto m = xmask::drop_where(key_padding_mask);    // 1 1 0
template <class E>
auto drop_where(E&& e) {
    if constexpr (detail::number_range<E>) {
        return drop_where(detail::hold(e));
    } else if constexpr (detail::require_booleans<E>()) {
        return detail::complement("drop_where", keep_where(std::forward<E>(e)));
    }
}

template <expression E>
auto drop_where(E& e XMASK_LIFETIMEBOUND) {
    if constexpr (detail::require_booleans<E>()) {
        return detail::complement("drop_where", keep_where(e));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/explain.hpp ====

#include <cstddef>
#include <initializer_list>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

/// @file
/// Why a mask keeps or drops an element.

namespace xmask::inline XMASK_ABI {
/// Why a mask keeps or drops an element: its own answer, and those of the masks that it is made of.
struct explanation {
    std::string name;                    ///< what the mask is called: keep_lengths, operator&&, ...
    bool kept = false;                   ///< whether it keeps the element
    std::vector<std::size_t> index = {}; ///< where the element stands in this mask
    bool decides =
        true; ///< whether the mask around this one answers as it does because of this one
    std::vector<explanation> terms = {
    }; ///< the masks that this one is made of; none where it stands for itself

    /// The names of the builders that decide, in the order in which they were written.
    [[nodiscard]] std::vector<std::string> decided_by() const {
        if (terms.empty()) {
            return {name};
        }
        std::vector<std::string> names;
        for (const explanation& term : terms) {
            if (term.decides) {
                for (const std::string& deeper : term.decided_by()) {
                    names.push_back(deeper);
                }
            }
        }
        return names;
    }
};

namespace detail {
template <class M>
explanation explain_at(const M& m, const element_index& index) {
    explanation result{name_of(m.rule()), m.element(index.begin(), index.end()), index};
    if constexpr (requires {
                      m.rule().for_each_term(index, [](const auto&, const element_index&) {});
                  }) {
        bool any_decides = false;
        if constexpr (requires { m.rule().any_term_decides; }) {
            any_decides = m.rule().any_term_decides;
        }
        m.rule().for_each_term(index, [&](const auto& term, const element_index& there) {
            result.terms.push_back(explain_at(term, there));
            result.terms.back().decides = !any_decides || result.terms.back().kept == result.kept;
        });
    }
    return result;
}

/// A position as an index of a mask's shape, checked.
template <class S, class P>
element_index checked_index(const S& shape, const P& position) {
    if (position.size() != shape.size()) [[unlikely]] {
        throw_invalid(
            "explain", "a position of ", position.size(), " indices; a mask of shape ",
            tuple_text(shape), " expects ", shape.size()
        );
    }
    element_index index;
    for (const auto i : position) {
        const auto extent = static_cast<std::size_t>(shape[index.size()]);
        if (std::cmp_less(+i, 0) || std::cmp_greater_equal(+i, extent)) [[unlikely]] {
            throw_out_of_range(
                "explain", "index ", +i, " along axis ", index.size(), " is outside of [0, ",
                extent, ")"
            );
        }
        index.push_back(static_cast<std::size_t>(i));
    }
    return index;
}

inline void append_lines(
    std::string& out, const explanation& term, std::size_t depth, bool decides
) {
    out.append(2 * depth, ' ');
    out.append(term.name).append(term.kept ? " keeps " : " drops ").append(tuple_text(term.index));
    if (depth != 0 && term.terms.empty() && decides) {
        out += "  <- decides";
    }
    out += '\n';
    for (const explanation& part : term.terms) {
        append_lines(out, part, depth + 1, decides && part.decides);
    }
}
} // namespace detail

/// Which term of a combined mask keeps or drops the element at a position.
///
/// position: a list, container or 1-D tensor of integers, one index for each axis. Of a && that
/// drops, those terms decide that drop; where it keeps, all do. Each term is explained in turn, at
/// the place in its own shape that broadcasts, shifts or is cut to the position. Costs an element
/// of each term. Throws std::out_of_range for an index outside of its axis, naming both;
/// std::invalid_argument for a wrong number of indices.
///
///     auto m = xmask::keep_lengths({3, 1}, 4) && xmask::drop_indices({2}, 4);
///     std::cout << xmask::explain(m, {0, 2});
///     // operator&& drops (0, 2)
///     //   keep_lengths keeps (0, 2)
///     //   drop_indices drops (2,)  <- decides
template <class M, detail::number_table P>
explanation explain(const M& m, const P& position) {
    if constexpr (detail::require_mask<M>()) {
        constexpr bool integers = detail::holds_integers<P>();
        static_assert(
            integers,
            "xmask: a position is a list of integers, one index for each axis of the mask."
        );
        if constexpr (integers) {
            return detail::explain_at(m, detail::checked_index(m.shape(), position));
        }
    }
    return {};
}

template <class M>
explanation explain(const M& m, std::initializer_list<std::ptrdiff_t> position) {
    return explain(m, std::vector<std::ptrdiff_t>(position));
}

/// An explanation as text: a line for each term, from the outside in, with the place of the element
/// in the term; what decides is marked.
///
///     std::string text = to_string(xmask::explain(m, {0, 2}));
inline std::string to_string(const explanation& why) {
    std::string out;
    detail::append_lines(out, why, 0, true);
    return out;
}

inline std::ostream& operator<<(std::ostream& out, const explanation& why) {
    return out << to_string(why);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/id_set.hpp ====

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/masks/id_lookup.hpp ====

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/masks/few_ids.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/masks/sorted_ids.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Ids in the type of the tokens, in ascending order.

namespace xmask::inline XMASK_ABI::detail {
/// Whether T can hold a value.
template <class T, class U>
constexpr bool fits(U value) noexcept {
    // Integer promotion, because std::in_range takes no characters.
    return std::cmp_greater_equal(+value, +std::numeric_limits<T>::min()) &&
           std::cmp_less_equal(+value, +std::numeric_limits<T>::max());
}

/// The minimum and maximum, without the branches of std::minmax.
template <class T>
std::pair<T, T> bounds_of(const std::vector<T>& values) noexcept {
    std::pair bounds(values.front(), values.front());
    for (const T value : values) {
        bounds = {std::min(bounds.first, value), std::max(bounds.second, value)};
    }
    return bounds;
}

/// Sorts ids and removes duplicates. Ids that lie close together are set as bits and read back in
/// order, which is several times as fast as sorting by comparison.
template <class T>
void sort_once(std::vector<T>& ids) {
    using unsigned_t = std::make_unsigned_t<T>;
    constexpr std::size_t few = 32;
    if (std::ranges::adjacent_find(ids, std::greater_equal()) == ids.end()) {
        return;
    }
    const auto [least, most] = bounds_of(ids);
    const auto low = static_cast<unsigned_t>(least);
    const auto from_low = [low](T id) {
        return static_cast<unsigned_t>(static_cast<unsigned_t>(id) - low);
    };
    const std::size_t words = from_low(most) / word_columns + 1;
    if (ids.size() < few || words > ids.size()) {
        std::ranges::sort(ids);
        ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
        return;
    }
    std::vector<word_t> found(words);
    for (const T id : ids) {
        found[from_low(id) / word_columns] |= word_t(1) << from_low(id) % word_columns;
    }
    auto to = ids.begin();
    for (std::size_t number = 0; number < words; ++number) {
        for (word_t bits = found[number]; bits != 0; bits &= bits - 1) {
            *to++ = static_cast<T>(low + (number * word_columns + lowest_bit(bits)));
        }
    }
    ids.erase(to, ids.end());
}

/// One id in the tokens' type T; nothing where T cannot hold it, because then no token has it.
template <class T, std::integral I>
std::vector<T> ids_of(const I& id) {
    return fits<T>(id) ? std::vector<T>(1, static_cast<T>(id)) : std::vector<T>();
}

/// Ids in the tokens' type T, without those that T cannot hold.
template <class T, class I>
std::vector<T> ids_of(const I& ids) {
    using id_type = std::remove_cvref_t<decltype(*ids.begin())>;
    if constexpr (std::is_same_v<id_type, T>) {
        return std::vector<T>(ids.begin(), ids.end());
    }
    std::vector<T> own;
    if constexpr (requires { ids.size(); }) {
        own.reserve(ids.size());
    }
    for (const auto id : ids) {
        if (fits<T>(id)) {
            own.push_back(static_cast<T>(id));
        }
    }
    return own;
}

/// The same in ascending order, without duplicates.
template <class T, class I>
std::vector<T> sorted_ids(const I& ids) {
    auto sorted = ids_of<T>(ids);
    sort_once(sorted);
    return sorted;
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/masks/word_of.hpp ====

#include <cstddef>

/// @file
/// Words of bits from the answers of a test.

namespace xmask::inline XMASK_ABI::detail {
/// Bit k of the word is f(k).
template <class Count, class F>
XMASK_INLINE word_t word_of(Count count, F&& f) {
    word_t bits = 0;
    for (std::size_t k = 0; k < count; ++k) {
        bits |= word_t(f(k)) << k;
    }
    return bits;
}

/// The word that f makes of a block: f gives the lane mask of a register of T.
template <class T, class Block, class Count, class F>
XMASK_INLINE word_t word_of_registers(const Block& block, Count count, F&& f) {
    word_t bits = 0;
    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
        bits |= bits_from_mask(f(load_register<full>(block, k, count - k))) << k;
    });
    return bits & first_bits(count);
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Few ids, which registers hold.

namespace xmask::inline XMASK_ABI::detail {
/// Few ids: each register is compared with every id.
template <class T>
class compared_ids {
public:
    /// With more ids, looking each element up is faster.
    static constexpr std::size_t most = 8;

    compared_ids() = default;

    explicit compared_ids(const std::vector<T>& ids) noexcept : m_count(ids.size()) {
        std::copy(ids.begin(), ids.end(), m_ids.begin());
    }

    bool operator()(T token) const noexcept {
        bool found = false;
        for (std::size_t k = 0; k < m_count; ++k) {
            found |= m_ids[k] == token;
        }
        return found;
    }

    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        if constexpr (has_lanes<T>) {
            return word_of_registers<T>(tokens, count, [&](const lanes<T>& x) XMASK_INLINE_LAMBDA {
                return compare(x);
            });
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    XMASK_INLINE auto compare(const lanes<T>& tokens) const noexcept
        requires has_lanes<T>
    {
        auto found = tokens == lanes<T>(m_ids[0]);
        for (std::size_t k = 1; k < m_count; ++k) {
            found = found || tokens == lanes<T>(m_ids[k]);
        }
        return found;
    }

    std::array<T, most> m_ids{};
    std::size_t m_count = 0;
};

/// Few ids in the slots of a table that one register holds. A token's hash names the slot with whose
/// id it is compared, so that many ids cost as much as one. Spare slots repeat an id.
template <class T>
class slotted_ids {
    using slot_type = slot_t<T>;

public:
    static constexpr bool available = slots_for<T>.most != 0;

    slotted_ids() = default;

    /// Looks for a multiplier that gives each id its own slot.
    explicit slotted_ids(const std::vector<T>& ids) noexcept {
        if (!available || ids.empty() || ids.size() > slots_for<T>.most || !all_fit(ids)) {
            return;
        }
        for (std::size_t tries = 0; tries < 64 && !m_found; ++tries) {
            m_factor += 0x9e3779b8u; // odd numbers, each as good as the last
            word_t taken = 0;
            m_found = std::all_of(ids.begin(), ids.end(), [&](T id) {
                const word_t slot = word_t(1) << slot_of(id, m_factor);
                return (std::exchange(taken, taken | slot) & slot) == 0;
            });
        }
        if (m_found) {
            m_ids.fill(static_cast<slot_type>(ids[0]));
            for (const T id : ids) {
                m_ids[slot_of(id, m_factor)] = static_cast<slot_type>(id);
            }
        }
    }

    /// Whether such a multiplier was found.
    [[nodiscard]] bool found() const noexcept { return m_found; }

    XMASK_INLINE bool operator()(T token) const noexcept {
        return static_cast<T>(m_ids[slot_of(token, m_factor)]) == token;
    }

    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const
        requires available
    {
        if constexpr (registers == 1) {
            word_t bits = 0;
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                bits |= match({load<full>(tokens, k, count - k)}) << k;
            });
            return bits & first_bits(count);
        } else if constexpr (std::is_same_v<Count, whole_word>) {
            word_t bits = 0;
            for (std::size_t k = 0; k < word_columns; k += registers * lane_count<T>) {
                bits |= match_group(tokens, k, std::make_index_sequence<registers>()) << k;
            }
            return bits;
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    static constexpr std::size_t registers = slots_for<T>.registers;

    /// Whether the slots can hold the ids.
    static bool all_fit(const std::vector<T>& ids) noexcept {
        return sizeof(slot_type) >= sizeof(T) ||
               std::all_of(ids.begin(), ids.end(), [](T id) { return fits<slot_type>(id); });
    }

    template <bool Full, class Block>
    XMASK_INLINE static lanes<T> load(const Block& tokens, std::size_t k, std::size_t count) {
        if constexpr (Full && requires { tokens.data(); }) {
            return load_in_passing<T>(tokens.data() + k);
        } else {
            return load_register<Full>(tokens, k, count);
        }
    }

    XMASK_INLINE word_t match(const std::array<lanes<T>, registers>& tokens) const noexcept {
        return match_slots<T>(m_ids.data(), m_factor, tokens);
    }

    template <class Block, std::size_t... I>
    XMASK_INLINE word_t
    match_group(const Block& tokens, std::size_t k, std::index_sequence<I...>) const {
        return match({load<true>(tokens, k + I * lane_count<T>, lane_count<T>)...});
    }

    std::array<slot_type, slots_for<T>.slots> m_ids{};
    std::uint32_t m_factor = 1;
    bool m_found = false;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/masks/many_ids.hpp ====

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

/// @file
/// Many ids, which are looked up in memory.

namespace xmask::inline XMASK_ABI::detail {
/// Many ids that lie close together: a byte for each value from the lowest to the highest. A byte is
/// faster to read than a bit.
template <class T>
class byte_table {
    using unsigned_t = std::make_unsigned_t<T>;

public:
    /// Whether a table of `count` ids in [least, most] is cheap to make and stays in a cache.
    static bool suits(T least, T most, std::size_t count) noexcept {
        constexpr std::size_t first_level = std::size_t(1) << 15;
        constexpr std::size_t second_level = std::size_t(1) << 18;
        const auto range = distance(least, most);
        return range < first_level || (range < second_level && range / 256 < count);
    }

    byte_table() = default;

    /// @param ids in any order.
    byte_table(const std::vector<T>& ids, T least, T most)
        : m_low(least)
        // A power of two, so that one test tells which tokens lie beyond; and one byte for these.
        , m_bytes(std::bit_ceil(static_cast<std::size_t>(distance(least, most)) + 1) + 1) {
        for (const T id : ids) {
            m_bytes[distance(m_low, id)] = 1;
        }
    }

    bool operator()(T token) const noexcept {
        return m_bytes[std::min<std::size_t>(distance(m_low, token), values())] != 0;
    }

    template <class Block, class Count>
    word_t block(const Block& tokens, Count count) const {
        if constexpr (std::is_same_v<Count, whole_word>) {
            return all_within(tokens) ? whole<true>(tokens) : whole<false>(tokens);
        } else {
            return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
        }
    }

private:
    /// value - low. For values below `low` the difference wraps to beyond any table.
    static unsigned_t distance(T low, T value) noexcept {
        return static_cast<unsigned_t>(
            static_cast<unsigned_t>(value) - static_cast<unsigned_t>(low)
        );
    }

    [[nodiscard]] std::size_t values() const noexcept { return m_bytes.size() - 1; }

    template <class Block>
    [[nodiscard]] bool all_within(const Block& tokens) const {
        if (values() - 1 >= std::numeric_limits<unsigned_t>::max()) {
            return true;
        }
        const auto beyond = static_cast<unsigned_t>(~static_cast<unsigned_t>(values() - 1));
        if constexpr (has_lanes<T>) {
            auto any = lanes<unsigned_t>(unsigned_t(0));
            const auto low = lanes<T>(m_low);
            for_each_register<T>(
                whole_word(),
                [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
                    any |= xsimd::bitwise_cast<unsigned_t>(tokens.load(k) - low);
                }
            );
            return bits_from_mask(
                       (any & lanes<unsigned_t>(beyond)) != lanes<unsigned_t>(unsigned_t(0))
                   ) == 0;
        } else {
            unsigned_t any = 0;
            for (std::size_t k = 0; k < word_columns; ++k) {
                any = static_cast<unsigned_t>(any | distance(m_low, tokens.at(k)));
            }
            return (any & beyond) == 0;
        }
    }

    template <bool Within, class Block>
    [[nodiscard]] word_t whole(const Block& tokens) const {
        const auto* const bytes = m_bytes.data();
        const std::size_t last = values();
        // The place of the value 0. Addresses as wide as the tokens wrap as distances do, which
        // saves the subtraction.
        const auto zero =
            reinterpret_cast<std::uintptr_t>(bytes) - static_cast<std::uintptr_t>(m_low);
        const auto byte = [&](std::size_t k) XMASK_INLINE_LAMBDA {
            const T token = tokens.at(k);
            if constexpr (Within && sizeof(T) == sizeof(std::uintptr_t)) {
                return *reinterpret_cast<const std::uint8_t*>(
                    zero + static_cast<std::uintptr_t>(token)
                );
            } else if constexpr (Within) {
                return bytes[distance(m_low, token)];
            } else {
                return bytes[std::min<std::size_t>(distance(m_low, token), last)];
            }
        };
        word_t bits = 0;
        for (std::size_t first = 0; first < word_columns; first += 8) {
            // Highest column first: each byte costs one instruction that doubles and adds.
            word_t eight = 0;
            for (std::size_t k = 8; k-- > 0;) {
                eight = eight + eight + byte(first + k);
            }
            bits |= eight << first;
        }
        return bits;
    }

    T m_low{};
    std::vector<std::uint8_t> m_bytes;
};

/// Many ids far apart: a hash table with linear probing, at most half full.
template <class T>
class hash_table {
    using unsigned_t = std::make_unsigned_t<T>;

public:
    hash_table() = default;

    explicit hash_table(const std::vector<T>& sorted)
        : m_free(missing_from(sorted))
        , m_mask(std::bit_ceil(4 * sorted.size()) - 1)
        , m_shift(static_cast<unsigned>(64 - std::countr_one(m_mask)))
        , m_places(m_mask + 1, m_free) {
        for (const T id : sorted) {
            std::size_t at = place_of(id);
            while (m_places[at] != m_free) {
                at = (at + 1) & m_mask;
            }
            m_places[at] = id;
        }
    }

    bool operator()(T token) const noexcept {
        std::size_t at = place_of(token);
        while (m_places[at] != token && m_places[at] != m_free) {
            at = (at + 1) & m_mask;
        }
        return m_places[at] == token && token != m_free;
    }

    template <class Block, class Count>
    word_t block(const Block& tokens, Count count) const {
        return word_of(count, [&](std::size_t k) { return (*this)(tokens.at(k)); });
    }

private:
    /// A value that is no id, which marks free places. There is one: ids that take all values lie
    /// close together, and are in a byte_table.
    static T missing_from(const std::vector<T>& sorted) noexcept {
        T value = sorted.front();
        for (const T id : sorted) {
            if (id != value) {
                break;
            }
            value = static_cast<T>(static_cast<unsigned_t>(value) + 1u);
        }
        return value;
    }

    [[nodiscard]] std::size_t place_of(T value) const noexcept {
        const auto key = std::uint64_t(static_cast<unsigned_t>(value));
        return to_size((key * 0x9e3779b97f4a7c15u) >> m_shift);
    }

    T m_free{};
    std::size_t m_mask = 0;
    unsigned m_shift = 0;
    std::vector<T> m_places;
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// The look-up of tokens among integer ids.

namespace xmask::inline XMASK_ABI::detail {
/// Looks tokens up among ids of their own type. The number and range of the ids decide how.
template <class T>
class id_lookup {
public:
    /// @param ids in any order, with duplicates. A table of bytes needs no sorted ids.
    explicit id_lookup(std::vector<T> ids) {
        if (ids.empty() || (ids.size() > few && find_bytes(ids))) {
            return;
        }
        sort_once(ids);
        m_slotted = slotted_ids<T>(ids);
        if (m_slotted.found()) {
            m_way = way::slotted;
        } else if (ids.size() <= compared_ids<T>::most) {
            m_compared = compared_ids<T>(ids);
            m_way = way::compared;
        } else if (!find_bytes(ids)) {
            m_hash = hash_table<T>(ids);
            m_way = way::hash;
        }
    }

    id_lookup(const id_lookup&) = default;
    id_lookup& operator=(const id_lookup&) = default;

    /// An object that was moved from finds nothing.
    id_lookup(id_lookup&& other) noexcept { *this = std::move(other); }

    id_lookup& operator=(id_lookup&& other) noexcept {
        if (this != &other) {
            m_slotted = std::move(other.m_slotted);
            m_compared = std::move(other.m_compared);
            m_bytes = std::move(other.m_bytes);
            m_hash = std::move(other.m_hash);
            m_way = std::exchange(other.m_way, way::none);
        }
        return *this;
    }

    ~id_lookup() = default;

    bool operator()(T token) const noexcept {
        switch (m_way) {
        case way::slotted:
            return m_slotted(token);
        case way::compared:
            return m_compared(token);
        case way::bytes:
            return m_bytes(token);
        case way::hash:
            return m_hash(token);
        default:
            return false;
        }
    }

    /// The word of a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        if constexpr (slotted_ids<T>::available) {
            if (m_way == way::slotted) [[likely]] {
                return m_slotted.block(tokens, count);
            }
        }
        return block_otherwise(tokens, count);
    }

private:
    enum class way { none, slotted, compared, bytes, hash };

    /// Without duplicates, so many ids may be few enough for registers.
    static constexpr std::size_t few = 32;

    /// Makes a table of bytes, where it suits.
    bool find_bytes(const std::vector<T>& ids) {
        const auto [least, most] = bounds_of(ids);
        if (!byte_table<T>::suits(least, most, ids.size())) {
            return false;
        }
        m_bytes = byte_table<T>(ids, least, most);
        m_way = way::bytes;
        return true;
    }

    // Out of line: these searches take longer than a call, and the operation's loop stays small.
    template <class Block, class Count>
    [[gnu::noinline]] word_t block_otherwise(const Block& tokens, Count count) const {
        switch (m_way) {
        case way::compared:
            return m_compared.block(tokens, count);
        case way::bytes:
            return m_bytes.block(tokens, count);
        case way::hash:
            return m_hash.block(tokens, count);
        default:
            return 0;
        }
    }

    slotted_ids<T> m_slotted;
    compared_ids<T> m_compared;
    byte_table<T> m_bytes;
    hash_table<T> m_hash;
    way m_way = way::none;
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Sets of integer ids.

namespace xmask::inline XMASK_ABI {
/// A set of integer ids, built once and used often: stop words, special tokens, a vocabulary.
///
/// Token builders take a set wherever they take ids; they hold an lvalue by reference and move an
/// rvalue in. Ids are compared with tokens of any integer type as numbers: -1 is not 2^64 - 1.
/// Tokens of the ids' own type use the set as it is; a mask over tokens of another type converts
/// the ids when it is made. Few ids are compared in registers. Many are looked up in a table of
/// bytes over their range, or by their hashes where the range is wide.
///
///     const xmask::id_set<std::int64_t> stop({1, 2, 3});
///     auto m = xmask::keep_tokens(tokens, stop);
///     bool stops = stop.contains(7);    // false
///
/// @tparam T the ids' type, which is deduced.
template <std::integral T>
    requires(!std::same_as<T, bool>)
class id_set {
public:
    using value_type = T;

    /// @param ids in any order; duplicates count once.
    id_set(std::initializer_list<T> ids) : id_set(detail::sorted_ids<T>(ids), 0) {}

    /// Copies the ids.
    ///
    /// @param ids a standard container, tensor or lazy expression of integers, in any order;
    /// duplicates count once, and ids that T cannot hold are left out.
    template <class C>
        requires(detail::holds_integers<C>())
    explicit id_set(const C& ids) : id_set(detail::sorted_ids<T>(ids), 0) {}

    id_set(const id_set&) = default;
    id_set& operator=(const id_set&) = default;

    /// A set that was moved from is empty.
    id_set(id_set&& other) noexcept = default;

    /// A set that was moved from is empty.
    id_set& operator=(id_set&& other) noexcept {
        if (this != &other) {
            m_ids = std::exchange(other.m_ids, {});
            m_lookup = std::move(other.m_lookup);
        }
        return *this;
    }

    ~id_set() = default;

    /// @returns the number of different ids.
    [[nodiscard]] std::size_t size() const noexcept { return m_ids.size(); }

    /// @param id a number of any integer type.
    /// @returns whether it is among the ids; costs one look-up.
    template <std::integral U>
    [[nodiscard]] bool contains(U id) const noexcept {
        return detail::fits<T>(id) && m_lookup(static_cast<T>(id));
    }

    /// @returns an iterator over the ids, in ascending order.
    [[nodiscard]] auto begin() const noexcept { return m_ids.begin(); }

    /// @returns the end of the ids.
    [[nodiscard]] auto end() const noexcept { return m_ids.end(); }

    /// @returns what masks look tokens up with.
    [[nodiscard]] XMASK_INLINE const detail::id_lookup<T>& lookup() const noexcept {
        return m_lookup;
    }

private:
    id_set(std::vector<T> sorted, int /*sorted already*/)
        : m_ids(std::move(sorted)), m_lookup(m_ids) {}

    std::vector<T> m_ids;
    detail::id_lookup<T> m_lookup;
};

template <expression C>
explicit id_set(const C&) -> id_set<std::remove_cv_t<value_type_t<C>>>;

template <detail::number_range C>
explicit id_set(const C&) -> id_set<std::ranges::range_value_t<C>>;

namespace detail {
/// Whether a token builder takes I as ids: a set, list or container of integers, or one integer.
template <class I>
consteval bool holds_ids() {
    using ids = std::remove_cvref_t<I>;
    return holds_integers<ids>() || (std::integral<ids> && !std::same_as<ids, bool>);
}

/// The test of a token of type T against a set, which is held by reference or moved in.
template <class T, class CTI>
class id_test {
public:
    template <class I>
    explicit id_test(I&& ids) : m_ids(std::forward<I>(ids)) {}

    [[nodiscard]] const id_set<T>& ids() const noexcept { return m_ids; }

    bool operator()(T token) const noexcept { return ids().lookup()(token); }

    /// The word of a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        return ids().lookup().block(tokens, count);
    }

private:
    CTI m_ids;
};

/// The test against a set of T, or against a set made of other ids.
template <class T, class I>
auto make_set_test(I&& ids) {
    if constexpr (std::is_same_v<std::remove_cvref_t<I>, id_set<T>>) {
        using closure =
            std::conditional_t<std::is_lvalue_reference_v<I>, const id_set<T>&, id_set<T>>;
        return id_test<T, closure>(std::forward<I>(ids));
    } else {
        return id_test<T, id_set<T>>(id_set<T>(ids_of<T>(ids)));
    }
}

/// The test where ids are only looked up and need no order.
template <class T, class I>
auto make_id_test(I&& ids) {
    if constexpr (std::is_same_v<std::remove_cvref_t<I>, id_set<T>>) {
        return make_set_test<T>(std::forward<I>(ids));
    } else {
        return id_lookup<T>(ids_of<T>(ids));
    }
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/indices.hpp ====

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// ==== xmask/masks/listed_bits.hpp ====

#include <cstddef>
#include <cstdint>
#include <vector>

/// @file
/// Rows of listed columns as bits.

namespace xmask::inline XMASK_ABI::detail {
/// A row that keeps listed columns.
class paged_cursor {
public:
    static constexpr std::size_t page_words = 16;
    /// Behind a page's words stands the first word of the next page, in which a word that begins
    /// within the last one ends.
    static constexpr std::size_t page_size = page_words + 1;

    paged_cursor(const word_t* words, const std::uint32_t* pages, column_range extent) noexcept
        : m_words(words), m_pages(pages), m_extent(extent) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const std::size_t number = c / word_columns;
        const word_t* at = m_words + m_pages[number / page_words] * page_size + number % page_words;
        const std::size_t shift = c % word_columns;
        if (shift == 0) {
            return *at;
        }
        return at[0] >> shift | at[1] << (word_columns - shift);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    const word_t* m_words;
    const std::uint32_t* m_pages;
    column_range m_extent;
};

/// Rows of listed columns as bits, in pages of 1024 columns. Pages that keep nothing share one, so
/// that long rows of few columns take little memory. A word is found without a search.
class listed_bits {
public:
    explicit listed_bits(std::size_t n)
        : m_row_pages((n + page_columns - 1) / page_columns), m_words(paged_cursor::page_size, 0) {}

    /// Adds a row that keeps these columns, in any order.
    void append(const std::vector<std::size_t>& columns) {
        const std::size_t first_page = m_pages.size();
        m_pages.resize(first_page + m_row_pages, 0);
        column_range& extent = m_extents.emplace_back();
        for (const std::size_t c : columns) {
            const std::size_t page = first_page + c / page_columns;
            const std::size_t number = c % page_columns / word_columns;
            const word_t bit = word_t(1) << c % word_columns;
            words_of(page)[number] |= bit;
            if (number == 0 && page > first_page) {
                words_of(page - 1)[paged_cursor::page_words] |= bit;
            }
            extent = hull(extent, {c, c + 1});
        }
    }

    /// How many rows there are.
    [[nodiscard]] std::size_t size() const noexcept { return m_extents.size(); }

    [[nodiscard]] XMASK_INLINE paged_cursor row(std::size_t r) const noexcept {
        return {m_words.data(), m_pages.data() + r * m_row_pages, m_extents[r]};
    }

private:
    static constexpr std::size_t page_columns = paged_cursor::page_words * word_columns;

    /// The words of a page that is written.
    word_t* words_of(std::size_t page) {
        if (m_pages[page] == 0) {
            m_pages[page] = static_cast<std::uint32_t>(m_words.size() / paged_cursor::page_size);
            m_words.resize(m_words.size() + paged_cursor::page_size, 0);
        }
        return m_words.data() + m_pages[page] * paged_cursor::page_size;
    }

    std::size_t m_row_pages;
    std::vector<word_t> m_words;
    std::vector<std::uint32_t> m_pages;
    std::vector<column_range> m_extents;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/masks/points.hpp ====

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

/// @file
/// Masks from lists of positions.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Elements at listed positions.
template <class S>
class points_rule {
public:
    using shape_type = S;

    static constexpr const char* name() noexcept { return "keep_points"; }

    /// @param table one position a row: an index for each axis of the mask.
    template <class E>
    points_rule(const char* name, const E& table, S shape)
        : m_shape(std::move(shape)), m_lists(columns_of(m_shape)) {
        if (table.dimension() != 2 || columns_of(table.shape()) != m_shape.size()) [[unlikely]] {
            throw_invalid(
                name, "points of shape ", tuple_text(table.shape()), "; a mask of shape ",
                tuple_text(m_shape), " expects (points, ", m_shape.size(), ")"
            );
        }
        std::vector<point> points;
        points.reserve(rows_of(table.shape()));
        auto it = table.template begin<xt::layout_type::row_major>();
        for (std::size_t i = 0; i < rows_of(table.shape()); ++i) {
            points.push_back(checked(name, it, i));
        }
        std::ranges::sort(points);
        m_lists.append({}); // for all rows without points
        std::vector<std::size_t> columns;
        for (auto at = points.begin(); at != points.end();) {
            m_rows.push_back(at->row);
            columns.clear();
            for (; at != points.end() && at->row == m_rows.back(); ++at) {
                columns.push_back(at->column);
            }
            m_lists.append(columns);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] paged_cursor row(std::size_t r) const noexcept {
        const auto at = std::lower_bound(m_rows.begin(), m_rows.end(), r);
        const bool found = at != m_rows.end() && *at == r;
        return m_lists.row(found ? static_cast<std::size_t>(at - m_rows.begin()) + 1 : 0);
    }

private:
    struct point {
        std::size_t row;
        std::size_t column;

        friend auto operator<=>(const point&, const point&) = default;
    };

    template <class It>
    point checked(const char* name, It& it, std::size_t i) const {
        point at{0, 0};
        for (std::size_t axis = 0; axis < m_shape.size(); ++axis, ++it) {
            const auto index = *it;
            const std::size_t extent = m_shape[axis];
            if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, extent)) [[unlikely]] {
                throw_out_of_range(
                    name, "index ", +index, " along axis ", axis, " of point ", i,
                    " is outside of [0, ", extent, ")"
                );
            }
            if (axis + 1 == m_shape.size()) {
                at.column = static_cast<std::size_t>(index);
            } else {
                at.row = at.row * extent + static_cast<std::size_t>(index);
            }
        }
        return at;
    }

    S m_shape;
    std::vector<std::size_t> m_rows;
    listed_bits m_lists;
};

template <class P, class S>
auto make_points(const char* name, P&& points, const S& shape) {
    constexpr bool integers = expression<P> && holds_integers<P>();
    static_assert(
        integers,
        "xmask: points are a 2-D tensor of integers, one position a row, or a list of lists."
    );
    if constexpr (integers) {
        decltype(auto) table = hold(std::forward<P>(points));
        auto owned = to_shape(name, shape);
        return mask(points_rule<decltype(owned)>(name, table, std::move(owned)));
    }
}

template <class P, class S>
auto make_dropped_points(P&& points, const S& shape) {
    return complement("drop_points", make_points("drop_points", std::forward<P>(points), shape));
}

/// A list of positions as a table. Throws std::invalid_argument where one has another rank.
template <class T>
xt::xtensor<T, 2> table_of(
    const char* name, std::initializer_list<std::initializer_list<T>> points, std::size_t rank
) {
    auto table = xt::xtensor<T, 2>::from_shape({points.size(), rank});
    auto to = table.begin();
    for (const auto& point : points) {
        if (point.size() != rank) [[unlikely]] {
            throw_invalid(
                name, "a point of ", point.size(), " indices; a mask of rank ", rank,
                " expects as many"
            );
        }
        to = std::copy(point.begin(), point.end(), to);
    }
    return table;
}
} // namespace detail

/// Keeps the elements at listed positions.
///
///     const xt::xtensor<int, 2> points = {{0, 1}, {1, 3}};
///     auto m = xmask::keep_points(points, {2, 4});
///     // 0 1 0 0
///     // 0 0 0 1
///
/// @param points a tensor of integers of shape (points, rank): one index for each axis, from 0 on,
/// in any order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <class P, class S = std::initializer_list<std::size_t>>
auto keep_points(P&& points, const S& shape) {
    return detail::make_points("keep_points", std::forward<P>(points), shape);
}

/// Keeps the elements at the positions of a list.
///
///     auto m = xmask::keep_points({{0, 1}, {1, 3}}, {2, 4});
///     // 0 1 0 0
///     // 0 0 0 1
///
/// @param points a list of positions, each a list of one index for each axis, from 0 on, in any
/// order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <std::integral T, class S = std::initializer_list<std::size_t>>
auto keep_points(std::initializer_list<std::initializer_list<T>> points, const S& shape) {
    const auto owned = detail::to_shape("keep_points", shape);
    return detail::make_points(
        "keep_points", detail::table_of("keep_points", points, owned.size()), owned
    );
}

/// Drops the elements at listed positions and keeps all others.
///
///     const xt::xtensor<int, 2> points = {{0, 1}, {1, 3}};
///     auto m = xmask::drop_points(points, {2, 4});
///     // 1 0 1 1
///     // 1 1 1 0
///
/// @param points a tensor of integers of shape (points, rank): one index for each axis, from 0 on,
/// in any order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <class P, class S = std::initializer_list<std::size_t>>
auto drop_points(P&& points, const S& shape) {
    return detail::make_dropped_points(std::forward<P>(points), shape);
}

/// Drops the elements at the positions of a list and keeps all others.
///
///     auto m = xmask::drop_points({{0, 1}, {1, 3}}, {2, 4});
///     // 1 0 1 1
///     // 1 1 1 0
///
/// @param points a list of positions, each a list of one index for each axis, from 0 on, in any
/// order, with or without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index outside of its axis, with point, axis and value.
/// @throws std::invalid_argument where points are not of the mask's rank.
///
/// Cost: memory is at most 152 bytes for each point, and 4 for each 1024 columns of a row that has
/// one; a row costs a search among the rows that have points, a word a look into a table.
template <std::integral T, class S = std::initializer_list<std::size_t>>
auto drop_points(std::initializer_list<std::initializer_list<T>> points, const S& shape) {
    const auto owned = detail::to_shape("drop_points", shape);
    return detail::make_dropped_points(
        detail::table_of("drop_points", points, owned.size()), owned
    );
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Masks from lists of columns.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Listed columns: one list for all rows, or one for each row.
template <class S>
class indices_rule {
public:
    using shape_type = S;

    static constexpr const char* name() noexcept { return "keep_indices"; }

    /// @param table 1-D, or 2-D with a row for each row of the mask.
    template <class E>
    indices_rule(const char* name, const E& table, S shape)
        : m_shape(std::move(shape)), m_lists(columns_of(m_shape)) {
        const std::size_t lists = table.dimension() == 2 ? rows_of(table.shape()) : 1;
        const std::size_t length = columns_of(table.shape());
        check_table(name, table.shape(), lists);
        std::vector<std::size_t> row(length);
        auto it = table.template begin<xt::layout_type::row_major>();
        for (std::size_t list = 0; list < lists; ++list) {
            for (std::size_t k = 0; k < length; ++k, ++it) {
                row[k] = checked(name, *it, list, k, table.dimension() == 2);
            }
            m_lists.append(row);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE paged_cursor row(std::size_t r) const noexcept {
        return m_lists.row(m_lists.size() == 1 ? 0 : r);
    }

    [[nodiscard]] bool one_row() const noexcept { return m_lists.size() == 1; }

private:
    template <class T>
    void check_table(const char* name, const T& table_shape, std::size_t lists) const {
        if (table_shape.size() != 1 && table_shape.size() != 2) [[unlikely]] {
            throw_invalid(
                name, "indices of shape ", tuple_text(table_shape),
                "; expected one list (1-D), or one list for each row of the mask (2-D)"
            );
        }
        if (table_shape.size() == 2 && lists != rows_of(m_shape)) [[unlikely]] {
            throw_invalid(
                name, "indices of shape ", tuple_text(table_shape), " hold ", lists,
                " lists; a mask of shape ", tuple_text(m_shape), " has ", rows_of(m_shape), " rows"
            );
        }
    }

    template <class T>
    std::size_t checked(const char* name, T index, std::size_t list, std::size_t k, bool many)
        const {
        const std::size_t n = columns_of(m_shape);
        if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, n)) [[unlikely]] {
            const std::string row = many ? " of row " + std::to_string(list) : "";
            throw_out_of_range(
                name, "index ", +index, " at position ", k, row, " is outside of [0, ", n, ")"
            );
        }
        return static_cast<std::size_t>(index);
    }

    S m_shape;
    listed_bits m_lists;
};

/// Fails to compile, with one sentence, unless I holds integers.
template <class I>
consteval bool require_indices() {
    constexpr bool integers = holds_integers<I>();
    static_assert(
        integers,
        "xmask: indices are integers: a list or 1-D tensor for every row, or a 2-D tensor with one list a row."
    );
    return integers;
}

template <class I, class S>
auto make_indices(const char* name, I&& indices, const S& shape) {
    if constexpr (require_indices<I>()) {
        decltype(auto) table = hold(std::forward<I>(indices));
        auto owned = to_shape(name, shape);
        return mask(indices_rule<decltype(owned)>(name, table, std::move(owned)));
    }
}

template <class I, class S>
auto make_dropped_indices(I&& indices, const S& shape) {
    return complement(
        "drop_indices", make_indices("drop_indices", std::forward<I>(indices), shape)
    );
}
} // namespace detail

/// Keeps the listed columns of each row.
///
///     const std::vector<int> columns = {0, 2};
///     auto m = xmask::keep_indices(columns, 4);    // 1 0 1 0
///
/// @param indices integers from 0 on, in any order, with or without duplicates. A container or 1-D
/// tensor holds the columns of all rows, a 2-D tensor one list for each row.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
/// @throws std::invalid_argument where the number of lists is not the number of rows.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <class I, class S = std::initializer_list<std::size_t>>
auto keep_indices(I&& indices, const S& shape) {
    return detail::make_indices("keep_indices", std::forward<I>(indices), shape);
}

/// Keeps the columns of a list in each row.
///
///     auto m = xmask::keep_indices({0, 2}, 4);    // 1 0 1 0
///
/// @param indices a list of integers from 0 on, the columns of all rows, in any order, with or
/// without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <std::integral T, class S = std::initializer_list<std::size_t>>
auto keep_indices(std::initializer_list<T> indices, const S& shape) {
    return detail::make_indices("keep_indices", detail::hold(indices), shape);
}

/// Drops the listed columns of each row and keeps all others.
///
///     const xt::xtensor<int, 2> columns = {{0, 2}, {3, 3}};
///     auto m = xmask::drop_indices(columns, {2, 4});
///     // 0 1 0 1
///     // 1 1 1 0
///
/// @param indices integers from 0 on, in any order, with or without duplicates. A container or 1-D
/// tensor holds the columns of all rows, a 2-D tensor one list for each row.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
/// @throws std::invalid_argument where the number of lists is not the number of rows.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <class I, class S = std::initializer_list<std::size_t>>
auto drop_indices(I&& indices, const S& shape) {
    return detail::make_dropped_indices(std::forward<I>(indices), shape);
}

/// Drops the columns of a list in each row and keeps all others.
///
///     auto m = xmask::drop_indices({0, 2}, {2, 4});
///     // 0 1 0 1
///     // 0 1 0 1
///
/// @param indices a list of integers from 0 on, the columns of all rows, in any order, with or
/// without duplicates.
/// @param shape the mask's shape: a number (one axis), a container of extents, or a list in braces.
/// @returns a mask of that shape.
/// @throws std::out_of_range for an index below 0 or past the row, with its value and position.
///
/// Cost: a list takes at most a bit for each column, and 128 bytes for each of its indices and 4
/// for each 1024 columns where that is less; a word costs a look into a table.
template <std::integral T, class S = std::initializer_list<std::size_t>>
auto drop_indices(std::initializer_list<T> indices, const S& shape) {
    return detail::make_dropped_indices(detail::hold(indices), shape);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/language_model.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

// ==== xmask/masks/random.hpp ====

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <utility>

/// @file
/// Random masks: each element is a pure function of a seed and its position.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A share of the 2^32 numbers of a stream.
struct number_share {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// The numbers that come with a probability, which is checked.
inline std::uint64_t share_of(const char* name, const char* what, double probability) {
    require_option(name, what, probability, option_range::between(0, 1));
    return static_cast<std::uint64_t>(std::nearbyint(probability * 4294967296.));
}

/// Keeps each column of a row whose number lies in a range.
class random_cursor {
public:
    random_cursor(row_stream stream, number_share range, std::size_t n) noexcept
        : m_stream(stream)
        , m_begin(static_cast<std::uint32_t>(range.begin))
        , m_count(range.end - range.begin)
        , m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        const word_t bits = even_word(c / 2);
        const word_t odd = c % 2 == 0 ? bits
                                      : bits >> 1 | word_t(kept(c + word_columns - 1))
                                                        << (word_columns - 1);
        return odd & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t /*c*/) const noexcept {
        return {
            no_end, m_count == 0     ? stretch_kind::dropped
                    : every_number() ? stretch_kind::kept
                                     : stretch_kind::unknown
        };
    }

private:
    using pairs = std::array<std::uint64_t, word_columns / 2>;
    using numbers = std::array<std::uint32_t, word_columns>;

    [[nodiscard]] bool every_number() const noexcept { return m_count >> 32 != 0; }

    [[nodiscard]] bool kept(std::size_t c) const noexcept {
        return in_range(static_cast<std::uint32_t>(m_stream.pair(c / 2) >> c % 2 * 32));
    }

    [[nodiscard]] bool in_range(std::uint32_t number) const noexcept {
        return number - m_begin < m_count;
    }

    /// The word from column 2 * pair on.
    [[nodiscard]] word_t even_word(std::size_t pair) const noexcept {
        if (every_number()) {
            return ~word_t(0);
        }
        // A loop of nothing but arithmetic becomes one over registers.
        pairs drawn;
        for (std::size_t k = 0; k < drawn.size(); ++k) {
            drawn[k] = m_stream.pair(pair + k);
        }
        word_t bits = 0;
        if constexpr (has_lanes<std::uint32_t> && std::endian::native == std::endian::little) {
            const auto halves = std::bit_cast<numbers>(drawn);
            const lanes<std::uint32_t> begin(m_begin);
            const lanes<std::uint32_t> count(static_cast<std::uint32_t>(m_count));
            for_each_register<std::uint32_t>(
                whole_word(),
                [&](std::size_t k, auto) XMASK_INLINE_LAMBDA {
                    bits |= bits_from_mask(load_lanes(halves.data() + k) - begin < count) << k;
                }
            );
        } else {
            for (std::size_t k = 0; k < drawn.size(); ++k) {
                bits |= word_t(in_range(static_cast<std::uint32_t>(drawn[k]))) << 2 * k;
                bits |= word_t(in_range(static_cast<std::uint32_t>(drawn[k] >> 32))) << (2 * k + 1);
            }
        }
        return bits;
    }

    row_stream m_stream;
    std::uint32_t m_begin;
    std::uint64_t m_count;
    std::size_t m_columns;
};

template <class S>
class random_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_random";

    random_rule(S shape, number_share range, std::uint64_t seed)
        : m_shape(std::move(shape)), m_range(range), m_seed(seed) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] random_cursor row(std::size_t r) const noexcept {
        return {row_stream(m_seed, r), m_range, columns_of(m_shape)};
    }

private:
    S m_shape;
    number_share m_range;
    std::uint64_t m_seed;
};

template <class S>
auto make_random(const S& shape, double probability, std::uint64_t seed) {
    auto owned = to_shape("keep_random", shape);
    const number_share range{0, share_of("keep_random", "probability", probability)};
    return mask(random_rule<decltype(owned)>(std::move(owned), range, seed));
}
} // namespace detail

/// Keeps each element with a probability, independently of all others.
///
/// shape: the mask's shape, or a number for 1-D. probability: of being kept, 0 to 1, to the nearest
/// 2^-32. An element depends on the seed, the number of its row and its column only: not on the
/// extents, on other elements, on the order in which they are asked for, or on the machine. Another
/// mask needs another seed. Throws std::invalid_argument for a probability outside of [0, 1]. Costs
/// two multiplications for two elements, each time it is asked: a mask that is used often is worth
/// a bitmask.
///
///     auto dropout = xmask::keep_random(x.shape(), 0.9, 42);
template <class S>
auto keep_random(const S& shape, double probability, std::uint64_t seed) {
    return detail::make_random(shape, probability, seed);
}

inline auto keep_random(
    std::initializer_list<std::size_t> shape, double probability, std::uint64_t seed
) {
    return detail::make_random(shape, probability, seed);
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Which tokens a masked language model is to restore, and what it sees in their place.

namespace xmask::inline XMASK_ABI {
/// How often tokens are selected, and what becomes of those that are; the defaults are BERT's.
struct language_model_options {
    /// Of a candidate to be selected.
    double probability = 0.15;

    /// Of a selected token to become the mask token.
    double mask_token = 0.8;

    /// Of a selected token to become a random one. All others stay as they are.
    double random_token = 0.1;
};

/// The masks of language_model_masks. Each selected token is in exactly one of the last three.
template <mask_expression M>
struct language_model_selection {
    M selected;   ///< what the model is to restore: the mask of its loss
    M masked;     ///< what becomes the mask token
    M randomized; ///< what becomes a random token
    M unchanged;  ///< what is to be restored though it is seen
};

namespace detail {
/// Random numbers below `masked` select a token to be masked, from there to `randomized` to be
/// randomized, from there to `selected` to stay.
struct token_fates {
    explicit token_fates(const language_model_options& options) {
        const char* const name = "language_model_masks";
        selected = share_of(name, "probability", options.probability);
        share_of(name, "mask_token", options.mask_token);
        share_of(name, "random_token", options.random_token);
        const double changed = options.mask_token + options.random_token;
        // A sum of decimal fractions may be 1 but for its rounding.
        if (changed > 1 + 1e-12) [[unlikely]] {
            throw_invalid(
                name, "mask_token ", options.mask_token, " and random_token ", options.random_token,
                "; expected a sum of at most 1"
            );
        }
        masked = share_of(name, "probability", options.probability * options.mask_token);
        randomized = share_of(name, "probability", options.probability * std::min(changed, 1.));
    }

    std::uint64_t masked;
    std::uint64_t randomized;
    std::uint64_t selected;
};

/// The candidates whose random numbers lie in a range. Four masks share the candidates: those that
/// are an rvalue are copied into each.
template <class M>
auto candidates_in(std::remove_reference_t<M>& candidates, number_share range, std::uint64_t seed) {
    auto shape = to_shape("language_model_masks", candidates.shape());
    using rule = random_rule<decltype(shape)>;
    mask drawn(rule(std::move(shape), range, seed_of(stream_use::token_fate, seed)));
    if constexpr (std::is_lvalue_reference_v<M>) {
        return combine<both>(candidates, std::move(drawn));
    } else {
        return combine<both>(std::remove_cvref_t<M>(candidates), std::move(drawn));
    }
}
} // namespace detail

/// Selects random tokens that a language model is to restore, and says what becomes of each: four
/// lazy masks of the candidates' shape, selected, masked, randomized and unchanged. BERT's rule
/// (Devlin and others, 2019, section 3.1): of 15 in 100 tokens 80 in 100 become the mask token, 10
/// in 100 a random one, and 10 in 100 stay.
///
/// candidates: a mask of the tokens that may be selected, with no padding or special tokens among
/// them; held by reference if it is an lvalue, otherwise copied four times. A pure function of the
/// seed, the number of the row and the column: of one seed, a larger probability selects more of
/// the same. Throws std::invalid_argument for a probability outside of [0, 1], and where mask_token
/// and random_token exceed 1 together. Costs what keep_random costs, and the candidates.
///
///     auto words = xmask::drop_tokens(tokens, {0, 101, 102});
///     auto chosen = xmask::language_model_masks(words, {.probability = 0.15}, 42);
///     // The model sees these ids, and masked_cross_entropy(logits, tokens, chosen.selected) is its loss:
///     auto hidden = xmask::masked_fill(tokens, !chosen.masked, 103);
///     auto random = xmask::random_tokens<int>(tokens.shape(), 30522, 42);
///     xt::xtensor<int, 2> seen = xmask::masked_replace(hidden, !chosen.randomized, random);
template <class M>
auto language_model_masks(
    M&& candidates, const language_model_options& options, std::uint64_t seed
) {
    if constexpr (detail::require_mask<M>()) {
        const detail::token_fates fates(options);
        const auto in = [&](std::uint64_t begin, std::uint64_t end) {
            return detail::candidates_in<M>(candidates, {begin, end}, seed);
        };
        return language_model_selection<decltype(in(0, 0))>{
            in(0, fates.selected), in(0, fates.masked), in(fates.masked, fates.randomized),
            in(fates.randomized, fates.selected)
        };
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/largest.hpp ====

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/masks/n_of_m.hpp ====

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/masks/size_key.hpp ====

#include <cmath>
#include <concepts>
#include <cstddef>
#include <type_traits>

/// @file
/// The order of masks by size: larger keys come first, NaN comes after every number, and of equal
/// elements the first ones come first.

namespace xmask::inline XMASK_ABI {
/// What makes an element large.
enum class size_by {
    value,    ///< x
    magnitude ///< |x|, as pruning goes by
};

namespace detail {
/// What elements of T are ordered by. The magnitudes of signed integers are unsigned: the magnitude
/// of the lowest integer fits, too.
template <class T, size_by By>
using size_key = typename std::conditional_t<
    By == size_by::magnitude && std::signed_integral<T>, std::make_unsigned<T>,
    std::type_identity<T>>::type;

/// Whether a magnitude of T differs from its value.
template <class T, size_by By>
inline constexpr bool key_differs =
    By == size_by::magnitude && !std::unsigned_integral<T> && !std::same_as<T, bool>;

template <size_by By, class T>
XMASK_INLINE size_key<T, By> key_of(T x) noexcept {
    if constexpr (!key_differs<T, By>) {
        return x;
    } else if constexpr (std::signed_integral<T>) {
        using key = size_key<T, By>;
        return static_cast<key>(x < 0 ? key(0) - static_cast<key>(x) : static_cast<key>(x));
    } else {
        return std::abs(x);
    }
}

/// The keys of a register of T.
template <class T, size_by By>
XMASK_INLINE lanes<size_key<T, By>> keys_of(const lanes<T>& x) noexcept {
    if constexpr (!key_differs<T, By>) {
        return x;
    } else if constexpr (std::signed_integral<T>) {
        return xsimd::bitwise_cast<size_key<T, By>>(xsimd::abs(x));
    } else {
        return xsimd::abs(x);
    }
}

/// Whether element a at position i comes before b at position j, largest first.
template <size_by By, class T>
bool precedes(T a, std::size_t i, T b, std::size_t j) noexcept {
    if (a != a || b != b) {
        return a == a || (b != b && i < j);
    }
    const auto x = key_of<By>(a);
    const auto y = key_of<By>(b);
    return x > y || (x == y && i < j);
}

/// Which of 64 elements are numbers.
template <class T>
XMASK_INLINE word_t number_bits(const T* x) noexcept {
    word_t bits = ~word_t(0);
    if constexpr (has_lanes<T> && std::floating_point<T>) {
        bits = 0;
        for (std::size_t k = 0; k < word_columns; k += lane_count<T>) {
            const auto a = load_lanes(x + k);
            bits |= bits_from_mask(a == a) << k;
        }
    } else if constexpr (std::floating_point<T>) {
        for (std::size_t k = 0; k < word_columns; ++k) {
            bits &= ~(word_t(x[k] != x[k]) << k);
        }
    }
    return bits;
}

/// Which of 64 elements are not larger than their counterparts, and both are numbers.
template <size_by By, class T>
XMASK_INLINE word_t not_larger_bits(const T* x, const T* y) noexcept {
    word_t bits = 0;
    if constexpr (has_lanes<T>) {
        for (std::size_t k = 0; k < word_columns; k += lane_count<T>) {
            const auto a = keys_of<T, By>(load_lanes(x + k));
            bits |= bits_from_mask(a <= keys_of<T, By>(load_lanes(y + k))) << k;
        }
    } else {
        for (std::size_t k = 0; k < word_columns; ++k) {
            bits |= word_t(key_of<By>(x[k]) <= key_of<By>(y[k])) << k;
        }
    }
    return bits;
}

/// Which of 64 elements are larger than their counterparts; `numbers` says which are numbers, and a
/// number is larger than NaN.
template <size_by By, class T>
XMASK_INLINE word_t larger_bits(const T* x, word_t numbers, const T* y) noexcept {
    return numbers & ~not_larger_bits<By>(x, y);
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/threshold.hpp ====

#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

/// @file
/// Masks from comparing elements with a threshold.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// One past the largest value of an integer type, as a real number: a power of two, so exact.
template <class Real, class Integer>
constexpr Real upper_bound() noexcept {
    return static_cast<Real>(std::numeric_limits<Integer>::max() / 2 + 1) * Real(2);
}

/// Exact comparison of any two numbers: no conversion can change the answer.
template <class T, class U>
constexpr bool exactly_less(T a, U b) noexcept {
    if constexpr (std::integral<T> && std::integral<U>) {
        return std::cmp_less(+a, +b);
    } else if constexpr (std::integral<T>) {
        // Beyond T's range the answer is known; within it, b lies in (whole - 1, whole].
        if (!(b > static_cast<U>(std::numeric_limits<T>::min()))) {
            return false;
        }
        if (b >= upper_bound<U, T>()) {
            return true;
        }
        const U whole = std::ceil(b);
        return whole >= upper_bound<U, T>() || a < static_cast<T>(whole);
    } else if constexpr (std::integral<U>) {
        if (!(a < upper_bound<T, U>())) {
            return false;
        }
        if (a < static_cast<T>(std::numeric_limits<U>::min())) {
            return true;
        }
        return static_cast<U>(std::floor(a)) < b;
    } else {
        return static_cast<std::common_type_t<T, U>>(a) < static_cast<std::common_type_t<T, U>>(b);
    }
}

template <class T, class U>
constexpr bool exactly_equal(T a, U b) noexcept {
    return a == a && b == b && !exactly_less(a, b) && !exactly_less(b, a);
}

/// Orders. Each compares two numbers exactly, and two registers of one type.
struct above {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x > t;
    }
};

struct at_least {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x) || exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x >= t;
    }
};

struct below {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x < t;
    }
};

struct at_most {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(x, t) || exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x <= t;
    }
};

struct equal {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x == t;
    }
};

struct not_equal {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return !exactly_equal(x, t);
    }

    template <class V>
    static auto lanes(const V& x, const V& t) noexcept {
        return x != t;
    }
};

/// The largest T that is not above t, the smallest that is not below, or neither where T ends
/// before.
template <class T, class U>
constexpr T rounded_down(U t) noexcept {
    if constexpr (std::same_as<T, U>) {
        return t;
    } else if constexpr (std::integral<T>) {
        if (exactly_less(std::numeric_limits<T>::max(), t)) {
            return std::numeric_limits<T>::max();
        }
        return std::integral<U> ? static_cast<T>(t) : static_cast<T>(std::floor(t));
    } else {
        if (exactly_less(std::numeric_limits<T>::max(), t)) {
            return exactly_less(t, std::numeric_limits<T>::infinity())
                       ? std::numeric_limits<T>::max()
                       : std::numeric_limits<T>::infinity();
        }
        if (exactly_less(t, std::numeric_limits<T>::lowest())) {
            return -std::numeric_limits<T>::infinity();
        }
        const T nearest = static_cast<T>(t);
        return exactly_less(t, nearest)
                   ? std::nextafter(nearest, -std::numeric_limits<T>::infinity())
                   : nearest;
    }
}

template <class T, class U>
constexpr T rounded_up(U t) noexcept {
    if constexpr (std::same_as<T, U>) {
        return t;
    } else if constexpr (std::integral<T>) {
        if (exactly_less(t, std::numeric_limits<T>::min())) {
            return std::numeric_limits<T>::min();
        }
        return std::integral<U> ? static_cast<T>(t) : static_cast<T>(std::ceil(t));
    } else {
        const T down = rounded_down<T>(t);
        return exactly_less(down, t) ? std::nextafter(down, std::numeric_limits<T>::infinity())
                                     : down;
    }
}

/// Whether a number compares at all, and lies within T's range.
template <class T, class U>
constexpr bool within(U t) noexcept {
    return t == t && (std::floating_point<T> || (!exactly_less(t, std::numeric_limits<T>::min()) &&
                                                 !exactly_less(std::numeric_limits<T>::max(), t)));
}

/// Compares elements of type T with one number of any type. The number is brought to T on
/// construction, rounded to the side that leaves every answer as it is; where no T does that, the
/// answer is settled once for all.
template <class Order, class T>
class compare_number {
public:
    template <class U>
    explicit compare_number(U t) {
        constexpr bool lower = std::same_as<Order, above> || std::same_as<Order, at_most>;
        const bool exact = std::same_as<Order, equal> || std::same_as<Order, not_equal>;
        if (!within<T>(t) || (exact && !exactly_equal(rounded_down<T>(t), t))) {
            // All T lie on one side of t, or none equals it, or t is NaN. A real T has NaN, which
            // answers just so; of integers any gives the answer.
            if constexpr (std::floating_point<T>) {
                m_threshold = std::numeric_limits<T>::quiet_NaN();
            } else {
                m_always = Order::test(T(), t);
                m_settled = true;
            }
            return;
        }
        m_threshold = lower ? rounded_down<T>(t) : rounded_up<T>(t);
    }

    bool operator()(T x) const noexcept {
        return m_settled ? m_always : Order::test(x, m_threshold);
    }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return Order::lanes(x, detail::lanes<T>(m_threshold));
    }

    /// A word of answers, unless they were settled.
    XMASK_INLINE word_t word(word_t bits) const noexcept
        requires std::integral<T>
    {
        return m_settled ? (m_always ? ~word_t(0) : 0) : bits;
    }

private:
    T m_threshold = T();
    bool m_settled = false;
    bool m_always = false;
};

/// Keeps lo <= x <= hi, both brought to T.
template <class T>
class compare_between {
public:
    template <class U, class V>
    compare_between(U lo, V hi) {
        constexpr T least = std::numeric_limits<T>::lowest();
        constexpr T most = std::numeric_limits<T>::max();
        if (lo != lo || hi != hi || exactly_less(hi, lo) ||
            (std::integral<T> && (exactly_less(most, lo) || exactly_less(hi, least)))) {
            m_low = most;
            m_high = least;
            return;
        }
        m_low = rounded_up<T>(lo);
        m_high = rounded_down<T>(hi);
    }

    bool operator()(T x) const noexcept { return x >= m_low && x <= m_high; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x >= detail::lanes<T>(m_low) && x <= detail::lanes<T>(m_high);
    }

private:
    T m_low;
    T m_high;
};

/// -t exactly, in a type that holds it; long double holds any integer of 64 bits where it is the wider one.
template <class T>
constexpr auto negated(T t) noexcept {
    if constexpr (std::floating_point<T>) {
        return -t;
    } else if constexpr (std::unsigned_integral<T>) {
        return -static_cast<long double>(t);
    } else {
        // The lowest has no opposite; any element lies beyond either.
        return t == std::numeric_limits<T>::min() ? std::numeric_limits<T>::max()
                                                  : static_cast<T>(-t);
    }
}

/// Keeps x < lo or x > hi, both brought to T; NaN is neither.
template <class T>
class compare_outside {
public:
    template <class U, class V>
    compare_outside(U lo, V hi) {
        constexpr T least = std::numeric_limits<T>::lowest();
        constexpr T most = std::numeric_limits<T>::max();
        if constexpr (std::integral<T>) {
            if (exactly_less(most, lo) || exactly_less(hi, least)) {
                m_low = most;
                m_high = static_cast<T>(most - 1);
                return;
            }
        }
        // What does not compare keeps nothing on its side.
        m_low = lo == lo ? rounded_up<T>(lo)
                         : (std::integral<T> ? least : -std::numeric_limits<T>::infinity());
        m_high = hi == hi ? rounded_down<T>(hi)
                          : (std::integral<T> ? most : std::numeric_limits<T>::infinity());
    }

    bool operator()(T x) const noexcept { return x < m_low || x > m_high; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x < detail::lanes<T>(m_low) || x > detail::lanes<T>(m_high);
    }

private:
    T m_low;
    T m_high;
};

/// Keeps what equals itself: all but NaN.
template <class T>
struct compare_itself {
    bool operator()(T x) const noexcept { return x == x; }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires has_lanes<T>
    {
        return x == x;
    }
};

/// |x| > t, for two tensors.
struct beyond {
    template <class T, class U>
    static constexpr bool test(T x, U t) noexcept {
        return exactly_less(t, x) || exactly_less(x, negated(t));
    }
};

template <class X>
consteval bool require_numbers() {
    constexpr bool numbers = [] {
        if constexpr (expression<X> && !mask_expression<X>) {
            return std::is_arithmetic_v<std::remove_cv_t<value_type_t<X>>>;
        } else {
            return false;
        }
    }();
    static_assert(numbers, "xmask: a threshold compares a tensor (or lazy expression) of numbers.");
    return numbers;
}

/// Compares two tensors element by element, exactly; as an xtensor functor, computed by the rows of
/// both.
template <class Order>
struct order_function {
    template <class T, class U>
    bool operator()(T x, U t) const noexcept {
        return Order::test(x, t);
    }
};

template <class Order, class X, class T>
auto make_threshold(const char* name, X&& x, T&& t) {
    if constexpr (number_range<X>) {
        return make_threshold<Order>(name, hold(x), std::forward<T>(t));
    } else if constexpr (number_range<T>) {
        return make_threshold<Order>(name, std::forward<X>(x), hold(t));
    } else if constexpr (require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        if constexpr (expression<T>) {
            require_broadcast(name, "a threshold", t.shape(), x.shape());
            using compared = xt::xfunction<order_function<Order>, closure_t<X>, closure_t<T>>;
            return make_element_mask(
                name, compared(order_function<Order>(), std::forward<X>(x), std::forward<T>(t)),
                is_true()
            );
        } else {
            static_assert(
                std::is_arithmetic_v<std::decay_t<T>>, "xmask: a threshold is a number or a tensor."
            );
            return make_element_mask(name, std::forward<X>(x), compare_number<Order, element>(t));
        }
    }
}
} // namespace detail

namespace detail {
/// The largest number that is not above a + b, where both are finite.
inline long double sum_rounded_down(long double a, long double b) noexcept {
    const long double sum = a + b;
    // What rounding took away, exactly: Knuth, The Art of Computer Programming 2, section 4.2.2,
    // theorem B.
    const long double from_b = sum - a;
    const long double lost = (a - (sum - from_b)) + (b - from_b);
    return lost < 0 ? std::nextafter(sum, -std::numeric_limits<long double>::infinity()) : sum;
}

template <class X, class L, class H>
auto make_between(const char* name, X&& x, L lo, H hi) {
    if constexpr (number_range<X>) {
        return make_between(name, hold(x), lo, hi);
    } else if constexpr (require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return make_element_mask(name, std::forward<X>(x), compare_between<element>(lo, hi));
    }
}

template <class X, class L, class H>
auto make_outside(const char* name, X&& x, L lo, H hi) {
    if constexpr (number_range<X>) {
        return make_outside(name, hold(x), lo, hi);
    } else if constexpr (require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return make_element_mask(name, std::forward<X>(x), compare_outside<element>(lo, hi));
    }
}
} // namespace detail

/// Keeps x > t.
///
/// x: a tensor or lazy expression of numbers, whose shape is the mask's, or a standard container,
/// which is copied. t: a number, or a tensor or container that broadcasts into x
/// (std::invalid_argument otherwise). Values are compared exactly, whatever
/// their types: 16777217 is above
/// 16777216.f, and -1 is not above 0u. NaN is above nothing, below nothing and equal to nothing.
/// A number costs a comparison a register.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_above(x, 0.5);    // 0 1 0
template <class X, class T>
auto keep_above(X&& x, T&& t) {
    return detail::make_threshold<detail::above>(
        "keep_above", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_above(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::above>("keep_above", x, std::forward<T>(t));
}

/// Keeps x >= t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_at_least(x, 0.5);    // 0 1 1
template <class X, class T>
auto keep_at_least(X&& x, T&& t) {
    return detail::make_threshold<detail::at_least>(
        "keep_at_least", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_at_least(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::at_least>("keep_at_least", x, std::forward<T>(t));
}

/// Keeps x < t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_below(x, 0.5);    // 1 0 0
template <class X, class T>
auto keep_below(X&& x, T&& t) {
    return detail::make_threshold<detail::below>(
        "keep_below", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_below(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::below>("keep_below", x, std::forward<T>(t));
}

/// Keeps x <= t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_at_most(x, 0.5);    // 1 0 1
template <class X, class T>
auto keep_at_most(X&& x, T&& t) {
    return detail::make_threshold<detail::at_most>(
        "keep_at_most", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_at_most(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::at_most>("keep_at_most", x, std::forward<T>(t));
}

/// Keeps x == t. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> x = {0.2f, 0.7f, 0.5f};
///     auto m = xmask::keep_equal(x, 0.5);    // 0 0 1
template <class X, class T>
auto keep_equal(X&& x, T&& t) {
    return detail::make_threshold<detail::equal>(
        "keep_equal", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_equal(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::equal>("keep_equal", x, std::forward<T>(t));
}

/// Keeps x != t; NaN is kept. Otherwise as keep_above.
///
///     xt::xtensor<float, 1> weights = {1.f, 0.f, 0.5f};
///     auto m = xmask::keep_not_equal(weights, 0.f);    // 1 0 1
template <class X, class T>
auto keep_not_equal(X&& x, T&& t) {
    return detail::make_threshold<detail::not_equal>(
        "keep_not_equal", std::forward<X>(x), std::forward<T>(t)
    );
}

template <expression X, class T>
auto keep_not_equal(X& x XMASK_LIFETIMEBOUND, T&& t) {
    return detail::make_threshold<detail::not_equal>("keep_not_equal", x, std::forward<T>(t));
}

/// Keeps lo <= x <= hi, for numbers lo and hi; nothing where hi < lo or one of them is NaN. As
/// exact as keep_above.
///
///     xt::xtensor<float, 1> x = {-0.25f, 0.8f, 0.5f};
///     auto m = xmask::keep_between(x, -0.25, 0.75);    // 1 0 1
template <class X, class L, class H>
    requires(std::is_arithmetic_v<L> && std::is_arithmetic_v<H>)
auto keep_between(X&& x, L lo, H hi) {
    return detail::make_between("keep_between", std::forward<X>(x), lo, hi);
}

/// Keeps x < lo or x > hi, for numbers lo and hi; NaN is dropped, and a NaN bound keeps nothing on
/// its side. As exact as keep_above.
///
///     xt::xtensor<float, 1> x = {-4.f, 3.f, 5.f};
///     auto m = xmask::keep_outside(x, -3, 3);    // 1 0 1
template <class X, class L, class H>
    requires(std::is_arithmetic_v<L> && std::is_arithmetic_v<H>)
auto keep_outside(X&& x, L lo, H hi) {
    return detail::make_outside("keep_outside", std::forward<X>(x), lo, hi);
}

/// Keeps |x| > t, as magnitude pruning does; t a number, or a tensor that broadcasts into x. NaN is
/// dropped. The magnitude of the lowest integer is right, too. As exact as keep_above.
///
///     xt::xtensor<float, 1> weights = {-0.5f, 0.001f, 0.2f};
///     auto m = xmask::keep_magnitude_above(weights, 0.01);    // 1 0 1
template <class X, class T>
auto keep_magnitude_above(X&& x, T&& t) {
    if constexpr (detail::number_table<T>) {
        return detail::make_threshold<detail::beyond>(
            "keep_magnitude_above", std::forward<X>(x), std::forward<T>(t)
        );
    } else {
        static_assert(
            std::is_arithmetic_v<std::decay_t<T>>, "xmask: a threshold is a number or a tensor."
        );
        return detail::make_outside(
            "keep_magnitude_above", std::forward<X>(x), detail::negated(t), t
        );
    }
}

/// Keeps value - tolerance <= x <= value + tolerance; nothing where the tolerance is negative or
/// anything is NaN. As exact as keep_above: no bound is rounded to where an element would change
/// sides.
///
///     xt::xtensor<float, 1> x = {0.9f, 1.f, 1.1f};
///     auto m = xmask::keep_close_to(x, 1, 1e-6);    // 0 1 0
template <class X, class V, class T>
    requires(std::is_arithmetic_v<V> && std::is_arithmetic_v<T>)
auto keep_close_to(X&& x, V value, T tolerance) {
    const auto middle = static_cast<long double>(value);
    const auto radius = static_cast<long double>(tolerance);
    return detail::make_between(
        "keep_close_to", std::forward<X>(x), -detail::sum_rounded_down(-middle, radius),
        detail::sum_rounded_down(middle, radius)
    );
}

/// Keeps all but NaN and the infinities; every integer.
///
///     xt::xtensor<float, 1> x = {1.f, INFINITY, NAN};
///     auto m = xmask::keep_finite(x);    // 1 0 0
template <class X>
auto keep_finite(X&& x) {
    if constexpr (detail::number_range<X>) {
        return keep_finite(detail::hold(x));
    } else if constexpr (detail::require_numbers<X>()) {
        using element = std::numeric_limits<std::remove_cv_t<value_type_t<X>>>;
        return detail::make_between(
            "keep_finite", std::forward<X>(x), element::lowest(), element::max()
        );
    }
}

/// Keeps all but NaN; every integer.
///
///     xt::xtensor<float, 1> x = {1.f, INFINITY, NAN};
///     auto m = xmask::keep_not_nan(x);    // 1 1 0
template <class X>
auto keep_not_nan(X&& x) {
    if constexpr (detail::number_range<X>) {
        return keep_not_nan(detail::hold(x));
    } else if constexpr (detail::require_numbers<X>()) {
        using element = std::remove_cv_t<value_type_t<X>>;
        return detail::make_element_mask(
            "keep_not_nan", std::forward<X>(x), detail::compare_itself<element>()
        );
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Masks that keep the n largest of every m neighbours: structured sparsity.
///
/// An element is kept if fewer than n of its group come before it. Comparisons of whole registers
/// tell which elements come before which; the bits of these comparisons are added column by column,
/// 64 columns at once. Nothing is sorted.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The largest group that is ranked by comparisons of registers.
inline constexpr std::size_t most_ranked = 16;

/// Counts in 64 columns at once: digit i holds bit i of each count.
template <std::size_t Digits>
class column_ranks {
public:
    XMASK_INLINE void add(word_t bits) noexcept {
        for (auto& digit : m_digits) {
            if (Digits > 4 && bits == 0) {
                return;
            }
            const word_t carry = digit & bits;
            digit ^= bits;
            bits = carry;
        }
    }

    /// The columns that have counted less than n.
    [[nodiscard]] XMASK_INLINE word_t below(std::size_t n) const noexcept {
        if (n >> Digits != 0) {
            return ~word_t(0);
        }
        word_t below = 0;
        word_t equal = ~word_t(0);
        for (std::size_t i = Digits; i-- > 0;) {
            const word_t bit = word_t(0) - (n >> i & 1);
            below |= equal & bit & ~m_digits[i];
            equal &= ~(bit ^ m_digits[i]);
        }
        return below;
    }

private:
    std::array<word_t, Digits> m_digits{};
};

/// Columns [0, 64) of whole groups of m columns, by the comparisons of neighbours: bit i of
/// later[d] says whether column i + d is larger than column i. `pairs` holds all columns but the
/// last one of each group.
template <class M>
XMASK_INLINE word_t keep_ranked(
    const std::array<word_t, most_ranked>& later, M m, std::size_t n, word_t pairs
) noexcept {
    constexpr std::size_t digits = [] {
        if constexpr (std::is_same_v<M, std::size_t>) {
            return std::size_t(4);
        } else {
            return static_cast<std::size_t>(std::bit_width(M::value - 1));
        }
    }();
    // Of each pair one comes before the other: the later column if it is larger, otherwise the
    // earlier one. Bit i of `behind` counts for column i, bit i of `ahead` for column i - d.
    std::array<word_t, most_ranked> behind;
    std::array<word_t, most_ranked> ahead;
    for (std::size_t d = 1; d < m; ++d, pairs &= pairs >> 1) {
        behind[d] = later[d] & pairs;
        ahead[d] = (~later[d] & pairs) << d;
    }
    column_ranks<digits> before;
    for (std::size_t d = 1; d < m; ++d) {
        // The first m - d columns of a group have a column d behind, the others one m - d ahead.
        before.add(behind[d] | ahead[m - d]);
    }
    return before.below(n);
}

/// Keeps n of each group of m columns of a row.
template <class Row, size_by By>
class group_cursor {
    using T = typename block_t<Row>::value_type;

    static constexpr std::size_t window = word_columns + most_ranked;

public:
    group_cursor(Row row, std::size_t kept, std::size_t group, std::size_t columns)
        : m_row(std::move(row))
        , m_elements(contiguous_elements(m_row))
        , m_kept(kept)
        , m_group(group)
        , m_columns(columns) {
        if (group <= most_ranked) {
            m_whole = word_columns / group * group;
            for (std::size_t first = 0; first < m_whole; first += group) {
                m_pairs |= first_bits(group - 1) << first;
            }
        }
    }

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return m_group == 4 ? ranked(std::integral_constant<std::size_t, 4>(), c) : of_any_size(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, m_kept == 0 ? stretch_kind::dropped : stretch_kind::unknown};
    }

private:
    // Out of line, so that the loops around hold one copy of the registers of groups of 4.
    [[gnu::noinline]] word_t of_any_size(std::size_t c) const {
        return m_group <= most_ranked ? ranked(m_group, c) : one_by_one(c);
    }

    /// Columns [c, c + 64) from as many windows of whole groups as cover them.
    template <class M>
    XMASK_INLINE word_t ranked(M m, std::size_t c) const {
        std::size_t first = c - c % m;
        const word_t bits = ranked_from(m, first) >> (c - first);
        if (first == c && word_columns % m == 0) [[likely]] {
            return bits & first_bits(m_columns - c);
        }
        return ranked_across(m, c, first + m_whole, bits);
    }

    template <class M>
    word_t ranked_across(M m, std::size_t c, std::size_t next, word_t bits) const {
        for (; next < std::min(c + word_columns, m_columns); next += m_whole) {
            bits |= ranked_from(m, next) << (next - c);
        }
        return bits & first_bits(m_columns - c);
    }

    /// The columns of whole groups from `first`, where a group begins, on.
    template <class M>
    XMASK_INLINE word_t ranked_from(M m, std::size_t first) const {
        if (m_elements != nullptr) [[likely]] {
            const T* const x = m_elements + first;
            if (first + word_columns + m <= m_columns) [[likely]] {
                return compared(m, x, std::false_type());
            }
            if (first >= m && first + word_columns <= m_columns) {
                return compared(m, x, std::true_type());
            }
        }
        return copied(m, first);
    }

    /// Compares pairs of elements; x and the elements up to m behind them, or m ahead, are there.
    template <class M, class Back>
    XMASK_INLINE word_t compared(M m, const T* x, Back) const noexcept {
        std::array<word_t, most_ranked> later;
        const word_t numbers = number_bits(x);
        for (std::size_t d = 1; d < m; ++d) {
            later[d] = Back::value ? larger_bits<By>(x, numbers, x - d) >> d
                                   : larger_bits<By>(x + d, numbers >> d, x);
        }
        return keep_ranked(later, m, m_kept, m_pairs) & first_bits(m_whole);
    }

    /// The same of a copy, where the row ends, or is not contiguous.
    template <class M>
    [[gnu::noinline]] word_t copied(M m, std::size_t first) const {
        std::array<T, window> copy{};
        const std::size_t count = std::min(m_whole, m_columns - first);
        const auto block = m_row.block(first, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            copy[k] = block.at(k);
        }
        return compared(m, copy.data(), std::false_type());
    }

    /// Groups of any size.
    [[nodiscard]] word_t one_by_one(std::size_t c) const {
        word_t bits = 0;
        const std::size_t end = std::min(c + word_columns, m_columns);
        for (std::size_t k = c; k < end; ++k) {
            bits |= word_t(kept(k)) << (k - c);
        }
        return bits;
    }

    [[nodiscard]] bool kept(std::size_t c) const {
        const std::size_t first = c - c % m_group;
        const T x = read_one(m_row, c);
        std::size_t before = 0;
        for (std::size_t k = first; k < first + m_group; ++k) {
            before += k != c && precedes<By>(read_one(m_row, k), k, x, c) ? 1u : 0u;
        }
        return before < m_kept;
    }

    mutable Row m_row;
    const T* m_elements;
    std::size_t m_kept;
    std::size_t m_group;
    std::size_t m_columns;
    std::size_t m_whole = 0; ///< columns of the whole groups in a word
    word_t m_pairs = 0;      ///< of these all but the last one of each group
};

template <class CTX, size_by By>
class group_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));
    using cursor = group_cursor<row_t<operand_rows>, By>;

    class group_rows {
    public:
        explicit group_rows(const group_rule& rule)
            : m_operand(make_operand<T>(rule.m_operand, rule.shape()))
            , m_kept(rule.m_kept)
            , m_group(rule.m_group)
            , m_row_count(rows_of(rule.shape()))
            , m_columns(columns_of(rule.shape())) {}

        XMASK_INLINE auto row(std::size_t r) const {
            return cursor(m_operand.row(r), m_kept, m_group, m_columns);
        }

        /// Rows are whole groups, so that the groups of one row after another go on.
        [[nodiscard]] bool flat() const { return m_operand.flat(m_columns); }

        XMASK_INLINE auto whole() const {
            return cursor(m_operand.row(0), m_kept, m_group, m_row_count * m_columns);
        }

    private:
        operand_rows m_operand;
        std::size_t m_kept;
        std::size_t m_group;
        std::size_t m_row_count;
        std::size_t m_columns;
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_n_of_m";

    template <class X>
    group_rule(X&& x, std::size_t n, std::size_t m)
        : m_operand(std::forward<X>(x)), m_kept(n), m_group(m) {
        const std::size_t columns = columns_of(shape());
        if (n > m || m == 0 || columns % m != 0) [[unlikely]] {
            throw_invalid(
                name, n, " of every ", m, " in rows of ", columns,
                "; expected at most the group's size, and rows of whole groups"
            );
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const { return group_rows(*this); }

private:
    CTX m_operand;
    std::size_t m_kept;
    std::size_t m_group;
};

/// Keeps n of each group of m neighbours along an axis; those in other rows are read, one after
/// another.
template <class Rows, size_by By>
class group_along_cursor {
    using row_type = row_t<Rows>;
    using T = typename block_t<row_type>::value_type;
    using copy_type = std::array<T, word_columns>;

public:
    group_along_cursor(
        const Rows& rows, const axis_of_rows& lines, std::size_t r, std::size_t kept,
        std::size_t group, std::size_t n
    )
        : m_along_row(rows.row(r), kept, group, n)
        , m_rows(&rows)
        , m_lines(&lines)
        , m_kept(kept)
        , m_group(group)
        , m_columns(n) {
        if (!lines.along_rows()) {
            m_at = lines.position(r) % group;
            m_first = r - m_at * lines.stride();
            // Along one axis all steps are alike.
            m_elements = contiguous_elements(rows.row(m_first));
            if (m_elements != nullptr && group > 1) {
                m_step = contiguous_elements(rows.row(m_first + lines.stride())) - m_elements;
            }
        }
    }

    [[nodiscard]] word_t word(std::size_t c) const {
        if (m_lines->along_rows()) {
            return m_along_row.word(c);
        }
        return m_group <= most_ranked ? across<4>(c) : across<63>(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_along_row.at(c);
    }

private:
    template <std::size_t Digits>
    [[nodiscard]] word_t across(std::size_t c) const {
        copy_type own_copy;
        copy_type copy;
        const T* const own = elements(m_at, c, own_copy);
        const word_t numbers = number_bits(own);
        column_ranks<Digits> before;
        for (std::size_t i = 0; i < m_group; ++i) {
            if (i < m_at) {
                before.add(~larger_bits<By>(own, numbers, elements(i, c, copy)));
            } else if (i > m_at) {
                const T* const other = elements(i, c, copy);
                before.add(larger_bits<By>(other, number_bits(other), own));
            }
        }
        return before.below(m_kept) & first_bits(m_columns - c);
    }

    /// 64 elements from column c on of row i of the group, or as many as there are and zeros.
    [[nodiscard]] const T* elements(std::size_t i, std::size_t c, copy_type& copy) const {
        if (m_elements != nullptr && c + word_columns <= m_columns) [[likely]] {
            return m_elements + static_cast<std::ptrdiff_t>(i) * m_step + c;
        }
        copy.fill(T());
        auto row = m_rows->row(m_first + i * m_lines->stride());
        const std::size_t count = std::min(word_columns, m_columns - c);
        const auto block = row.block(c, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            copy[k] = block.at(k);
        }
        return copy.data();
    }

    group_cursor<row_type, By> m_along_row;
    const Rows* m_rows;
    const axis_of_rows* m_lines;
    const T* m_elements = nullptr; ///< of the group's first row, where rows are contiguous
    std::ptrdiff_t m_step = 0;     ///< from one row of the group to the next
    std::size_t m_first = 0;       ///< number of the group's first row
    std::size_t m_at = 0;          ///< of this row within the group
    std::size_t m_kept;
    std::size_t m_group;
    std::size_t m_columns;
};

template <class CTX, size_by By>
class group_along_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

    class group_rows {
    public:
        explicit group_rows(const group_along_rule& rule)
            : m_rule(&rule), m_operand(make_operand<T>(rule.m_operand, rule.shape())) {}

        auto row(std::size_t r) const {
            return group_along_cursor<operand_rows, By>(
                m_operand, m_rule->m_lines, r, m_rule->m_kept, m_rule->m_group,
                columns_of(m_rule->shape())
            );
        }

    private:
        const group_along_rule* m_rule;
        operand_rows m_operand;
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_n_of_m";

    template <class X>
    group_along_rule(X&& x, std::size_t n, std::size_t m, std::size_t axis)
        : m_operand(std::forward<X>(x)), m_lines(shape(), axis), m_kept(n), m_group(m) {
        if (n > m || m == 0 || m_lines.extent() % m != 0) [[unlikely]] {
            throw_invalid(
                name, n, " of every ", m, " along axis ", axis, " of extent ", m_lines.extent(),
                "; expected at most the group's size, and whole groups"
            );
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const { return group_rows(*this); }

private:
    CTX m_operand;
    axis_of_rows m_lines;
    std::size_t m_kept;
    std::size_t m_group;
};
} // namespace detail

/// Keeps the n largest of every m neighbouring elements of a row: structured sparsity, 2 of 4 by
/// magnitude as processors take it. Of equal elements the first ones are kept; NaN comes last.
///
/// Cost: for m up to 16, m - 1 comparisons of registers each time a word is asked for; beyond 16, m
/// comparisons of each element. The mask stores nothing but x.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param n how many elements of each group are kept.
/// @param m elements of a group.
/// @returns a mask of x's shape.
/// @throws std::invalid_argument for n beyond m, or rows that are not whole groups.
///
///     xt::xtensor<float, 1> weights = {0.1f, -0.9f, 0.3f, 0.2f, 4.f, 0.f, -3.f, 2.f};
///     auto m = xmask::keep_n_of_m<xmask::size_by::magnitude>(weights, 2, 4);    // 0 1 1 0 1 0 1 0
template <size_by By = size_by::value, class X>
auto keep_n_of_m(X&& x, std::size_t n, std::size_t m) {
    if constexpr (detail::require_numbers<X>()) {
        return mask(detail::group_rule<detail::closure_t<X>, By>(std::forward<X>(x), n, m));
    }
}

/// Keeps the n largest of every m neighbouring elements along an axis. Of equal elements the first
/// ones along the axis are kept; NaN comes last.
///
/// Cost: for m up to 16, m - 1 comparisons of registers each time a word is asked for. The mask
/// stores nothing but x.
///
/// @tparam By what makes an element large: its value, or its magnitude.
/// @param x tensor or lazy expression of numbers, whose shape is the mask's. The elements must not
/// change while the mask is used.
/// @param n how many elements of each group are kept.
/// @param m elements of a group.
/// @param axis the axis that groups lie along; negative numbers count from the end.
/// @returns a mask of x's shape.
/// @throws std::out_of_range for an axis that x does not have.
/// @throws std::invalid_argument for n beyond m, or an extent that is not a multiple of m.
///
///     auto m = xmask::keep_n_of_m<xmask::size_by::magnitude>(weights, 1, 3, 0);    // 1 of 3 down the columns
template <size_by By = size_by::value, class X>
auto keep_n_of_m(X&& x, std::size_t n, std::size_t m, std::ptrdiff_t axis) {
    if constexpr (detail::require_numbers<X>()) {
        const std::size_t at = detail::axis_number("keep_n_of_m", axis, x.dimension());
        return mask(detail::group_along_rule<detail::closure_t<X>, By>(std::forward<X>(x), n, m, at)
        );
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Masks that keep the largest elements: of each row, of a whole tensor, of groups. NaN comes after
/// every number, and of equal elements the first ones are kept.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Whether registers of T give their keys.
template <class T, size_by By>
inline constexpr bool keys_in_registers =
    has_lanes<T> && !std::same_as<T, bool> && (By == size_by::value || std::floating_point<T>);

/// Where a cut goes through elements: those with larger keys are kept, and the first few of those
/// at the cut.
template <class T, size_by By>
struct size_cut {
    using key_limits = std::numeric_limits<size_key<T, By>>;

    static constexpr size_key<T, By> largest_key =
        key_limits::has_infinity ? key_limits::infinity() : key_limits::max();

    size_key<T, By> key = largest_key; // nothing is larger
    bool among_nan = false;            ///< every number is kept, and the cut goes through the NaN
    std::size_t tie_end = 0; ///< elements at the cut are kept before this column (or flat position)

    /// The cut that keeps k of the elements, which are given by their keys; called again for the
    /// ties' positions.
    static size_cut through(std::vector<T>& elements, std::size_t k) {
        size_cut cut;
        if (k == 0) {
            return cut;
        }
        std::vector<size_key<T, By>> keys;
        keys.reserve(elements.size());
        for (const T x : elements) {
            if (x == x) {
                keys.push_back(key_of<By>(x));
            }
        }
        std::size_t ties = k;
        if (k > keys.size()) {
            cut.among_nan = true;
            ties -= keys.size();
        } else {
            const auto at = keys.begin() + static_cast<std::ptrdiff_t>(k - 1);
            std::nth_element(keys.begin(), at, keys.end(), std::greater<>());
            cut.key = *at;
            ties -= static_cast<std::size_t>(
                std::count_if(keys.begin(), keys.end(), [&](auto other) { return other > cut.key; })
            );
        }
        for (std::size_t i = 0; i < elements.size(); ++i) {
            if (cut.at(elements[i]) && --ties == 0) {
                cut.tie_end = i + 1;
                break;
            }
        }
        return cut;
    }

    [[nodiscard]] bool above(T x) const noexcept {
        return among_nan ? x == x : key_of<By>(x) > key;
    }

    [[nodiscard]] bool at(T x) const noexcept { return among_nan ? x != x : key_of<By>(x) == key; }

    /// Whether the element at a position of those that were cut is kept.
    [[nodiscard]] bool keeps(T x, std::size_t position) const noexcept {
        return above(x) || (position < tie_end && at(x));
    }

    /// From the first element that is kept to past the last.
    [[nodiscard]] column_range extent_of(const std::vector<T>& elements) const noexcept {
        column_range kept{0, elements.size()};
        while (kept.begin < kept.end && !keeps(elements[kept.begin], kept.begin)) {
            ++kept.begin;
        }
        while (kept.end > kept.begin && !keeps(elements[kept.end - 1], kept.end - 1)) {
            --kept.end;
        }
        return kept;
    }
};

/// The two tests of a cut, for element_cursor.
template <class T, size_by By>
struct above_cut {
    size_cut<T, By> cut;

    bool operator()(T x) const noexcept { return cut.above(x); }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires keys_in_registers<T, By>
    {
        return cut.among_nan ? x == x : keys_of<T, By>(x) > detail::lanes<T>(cut.key);
    }
};

template <class T, size_by By>
struct at_cut {
    size_cut<T, By> cut;

    bool operator()(T x) const noexcept { return cut.at(x); }

    XMASK_INLINE auto lanes(const detail::lanes<T>& x) const noexcept
        requires keys_in_registers<T, By>
    {
        return cut.among_nan ? x != x : keys_of<T, By>(x) == detail::lanes<T>(cut.key);
    }
};

template <class T, size_by By, class Row>
class cut_cursor {
public:
    cut_cursor(
        const above_cut<T, By>& above, const at_cut<T, By>& at, std::size_t tie_end,
        column_range extent, const Row& row, std::size_t n
    )
        : m_above(above, row, n), m_at(at, row, n), m_tie_end(tie_end), m_extent(extent) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        const word_t bits = m_above.word(c);
        return c < m_tie_end ? bits | (m_at.word(c) & first_bits(m_tie_end - c)) : bits;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    element_cursor<above_cut<T, By>, Row> m_above;
    element_cursor<at_cut<T, By>, Row> m_at;
    std::size_t m_tie_end;
    column_range m_extent;
};

/// Reads a row of numbers.
template <class T, class Row>
void append_row(Row row, std::size_t n, std::vector<T>& to) {
    for_each_block(0, n, [&](std::size_t c, std::size_t count) {
        const auto block = row.block(c, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            to.push_back(block.at(k));
        }
    });
}

/// Keeps what lies above a cut: one cut for each row, or one through the whole tensor.
template <class CTX, size_by By>
class cut_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

    struct two_tests {
        above_cut<T, By> above;
        at_cut<T, By> at;
        column_range kept;
    };

    class cut_rows {
    public:
        cut_rows(const cut_rule& rule)
            : m_rule(&rule)
            , m_operand(make_operand<T>(rule.m_operand, rule.shape()))
            , m_columns(columns_of(rule.shape())) {}

        XMASK_INLINE auto row(std::size_t r) const {
            const auto& cuts = m_rule->m_cuts;
            const two_tests& tests = cuts[cuts.size() == 1 ? 0 : r];
            // A cut through everything counts its ties along all rows.
            const std::size_t before = m_rule->m_whole ? r * m_columns : 0;
            const std::size_t tie_end = std::max(tests.at.cut.tie_end, before) - before;
            const column_range kept = intersection(tests.kept, {before, before + m_columns});
            return cut_cursor<T, By, row_t<operand_rows>>(
                tests.above, tests.at, tie_end, {kept.begin - before, kept.end - before},
                m_operand.row(r), m_columns
            );
        }

    private:
        const cut_rule* m_rule;
        operand_rows m_operand;
        std::size_t m_columns;
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    [[nodiscard]] const char* name() const noexcept {
        return m_whole ? "keep_largest" : "keep_top_k";
    }

    /// Keeps k of each row, or of everything.
    template <class X>
    cut_rule(X&& x, std::size_t k, bool whole) : m_operand(std::forward<X>(x)), m_whole(whole) {
        const std::size_t n = columns_of(shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(shape());
        const auto operand = make_operand<T>(m_operand, shape());
        std::vector<T> elements;
        for (std::size_t r = 0; r < row_count; ++r) {
            append_row(operand.row(r), n, elements);
            if (!whole) {
                cut(elements, k);
            }
        }
        // One serves empty rows, however many there are.
        if (whole || n == 0) {
            cut(elements, k);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const { return cut_rows(*this); }

private:
    void cut(std::vector<T>& elements, std::size_t k) {
        const auto through = size_cut<T, By>::through(elements, k);
        m_cuts.push_back({{through}, {through}, through.extent_of(elements)});
        elements.clear();
    }

    CTX m_operand;
    std::vector<two_tests> m_cuts;
    bool m_whole;
};
} // namespace detail

/// Keeps the k largest elements of each row; By is size_by::value or size_by::magnitude. Along
/// another axis: keep_top_k(x, k, axis).
///
/// x: a tensor or lazy expression of numbers, whose shape is the mask's; the elements are to stay
/// as they are while the mask is used. Throws std::out_of_range for k beyond the row's length. To
/// build it takes linear time on average and memory for a row; a word costs a comparison a
/// register.
///
///     auto m = xmask::keep_top_k(xt::xtensor<float, 1>{0.1f, 0.7f, 0.7f, 0.2f}, 2);    // 0 1 1 0
template <size_by By = size_by::value, class X>
auto keep_top_k(X&& x, std::size_t k) {
    if constexpr (detail::require_numbers<X>()) {
        const std::size_t n = detail::columns_of(x.shape());
        if (k > n) [[unlikely]] {
            detail::throw_out_of_range(
                "keep_top_k", "k ", k, " is outside of [0, ", n, "], the length of a row"
            );
        }
        return mask(detail::cut_rule<detail::closure_t<X>, By>(std::forward<X>(x), k, false));
    }
}

/// Keeps the largest elements of the whole tensor: a fraction of them, to the nearest number.
/// Throws std::invalid_argument for a fraction outside of [0, 1]. Takes memory for all elements
/// while it is built. Otherwise as keep_top_k.
///
///     xt::xtensor<float, 2> weights = {{0.1f, -0.9f}, {0.3f, 0.2f}};
///     auto m = xmask::keep_largest<xmask::size_by::magnitude>(weights, 0.5);
///     // 0 1
///     // 1 0
template <size_by By = size_by::value, class X>
auto keep_largest(X&& x, double fraction) {
    if constexpr (detail::require_numbers<X>()) {
        detail::require_option(
            "keep_largest", "fraction", fraction, detail::option_range::between(0, 1)
        );
        const auto k =
            static_cast<std::size_t>(std::llround(fraction * static_cast<double>(x.size())));
        return mask(detail::cut_rule<detail::closure_t<X>, By>(std::forward<X>(x), k, true));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/largest_along.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Masks that keep the largest elements along any axis.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Keeps what lies above the cut of its line: one cut for all columns, or one for each.
template <size_by By, class Row>
class line_cursor {
    using T = typename block_t<Row>::value_type;

public:
    line_cursor(
        Row row, const size_cut<T, By>* cuts, std::size_t position, bool along_row,
        column_range extent
    )
        : m_row(std::move(row))
        , m_cuts(cuts)
        , m_position(position)
        , m_along_row(along_row)
        , m_extent(extent) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        word_t bits = 0;
        if (c >= m_extent.end) {
            return bits;
        }
        const std::size_t count = std::min(word_columns, m_extent.end - c);
        const auto block = m_row.block(c, count, first_bits(count));
        for (std::size_t k = 0; k < count; ++k) {
            bits |= word_t(keeps(block.at(k), c + k)) << k;
        }
        return bits;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    [[nodiscard]] bool keeps(T x, std::size_t c) const noexcept {
        return m_along_row ? m_cuts->keeps(x, c) : m_cuts[c].keeps(x, m_position);
    }

    mutable Row m_row; // a row over anything but memory keeps a buffer
    const size_cut<T, By>* m_cuts;
    std::size_t m_position;
    bool m_along_row;
    column_range m_extent;
};

/// The k largest of each line along an axis; memory for a cut a line.
template <class CTX, size_by By>
class line_rule {
    using operand_type = std::decay_t<CTX>;
    using T = std::remove_cv_t<value_type_t<operand_type>>;
    using operand_rows = decltype(make_operand<T>(
        std::declval<const operand_type&>(), std::declval<const operand_type&>().shape()
    ));

    class line_rows {
    public:
        explicit line_rows(const line_rule& rule)
            : m_rule(&rule)
            , m_operand(make_operand<T>(rule.m_operand, rule.shape()))
            , m_columns(columns_of(rule.shape())) {}

        auto row(std::size_t r) const {
            const axis_of_rows& lines = m_rule->m_lines;
            const bool along = lines.along_rows();
            const std::size_t first = m_columns == 0 ? 0 : along ? r : lines.bundle(r) * m_columns;
            return line_cursor<By, row_t<operand_rows>>(
                m_operand.row(r), m_rule->m_cuts.data() + first, along ? 0 : lines.position(r),
                along, {0, m_rule->m_any ? m_columns : 0}
            );
        }

    private:
        const line_rule* m_rule;
        operand_rows m_operand;
        std::size_t m_columns;
    };

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = "keep_top_k";

    template <class X>
    line_rule(X&& x, std::size_t k, std::size_t axis)
        : m_operand(std::forward<X>(x)), m_lines(shape(), axis), m_any(k != 0) {
        const std::size_t n = columns_of(shape());
        const std::size_t row_count = n == 0 || m_lines.extent() == 0 ? 0 : rows_of(shape());
        const auto operand = make_operand<T>(m_operand, shape());
        if (m_lines.along_rows()) {
            std::vector<T> elements;
            for (std::size_t r = 0; r < row_count; ++r, elements.clear()) {
                append_row(operand.row(r), n, elements);
                m_cuts.push_back(size_cut<T, By>::through(elements, k));
            }
            return;
        }
        m_cuts.reserve(row_count / std::max<std::size_t>(m_lines.extent(), 1) * n);
        std::array<std::vector<T>, word_columns> lines;
        for (std::size_t bundle = 0;
             bundle < row_count / std::max<std::size_t>(m_lines.extent(), 1); ++bundle) {
            for_each_block(0, n, [&](std::size_t c, std::size_t count) {
                cut_lines(operand, bundle, c, count, k, lines);
            });
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_operand.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_operand)); }

    [[nodiscard]] auto rows() const { return line_rows(*this); }

private:
    /// Columns [c, c + count) of one bundle, a line each.
    void cut_lines(
        const operand_rows& operand, std::size_t bundle, std::size_t c, std::size_t count,
        std::size_t k, std::array<std::vector<T>, word_columns>& lines
    ) {
        for (std::size_t i = 0; i < m_lines.extent(); ++i) {
            auto row = operand.row(m_lines.first_row(bundle) + i * m_lines.stride());
            const auto block = row.block(c, count, first_bits(count));
            for (std::size_t at = 0; at < count; ++at) {
                lines[at].push_back(block.at(at));
            }
        }
        for (std::size_t at = 0; at < count; ++at) {
            m_cuts.push_back(size_cut<T, By>::through(lines[at], k));
            lines[at].clear();
        }
    }

    CTX m_operand;
    axis_of_rows m_lines;
    std::vector<size_cut<T, By>> m_cuts;
    bool m_any;
};
} // namespace detail

/// Keeps the k largest elements along an axis, negative ones counted from the end: of each column
/// of a matrix, for axis 0. Of equal elements the first ones along the axis are kept; NaN comes
/// last.
///
/// Throws std::out_of_range for an axis that x does not have, or k beyond its extent. To build it
/// takes linear time on average; memory is that of a cut for each line along the axis, x.size()
/// divided by its extent. An element costs two comparisons. Otherwise as keep_top_k(x, k).
///
///     const xt::xtensor<int, 2> x = {{1, 5}, {4, 5}, {3, 6}};
///     auto m = xmask::keep_top_k(x, 2, 0);
///     // 0 1
///     // 1 0
///     // 1 1
template <size_by By = size_by::value, class X>
auto keep_top_k(X&& x, std::size_t k, std::ptrdiff_t axis) {
    if constexpr (detail::require_numbers<X>()) {
        const std::size_t at = detail::axis_number("keep_top_k", axis, x.dimension());
        const auto extent = static_cast<std::size_t>(x.shape()[at]);
        if (k > extent) [[unlikely]] {
            detail::throw_out_of_range(
                "keep_top_k", "k ", k, " is outside of [0, ", extent, "], the extent of axis ", at
            );
        }
        return mask(detail::line_rule<detail::closure_t<X>, By>(std::forward<X>(x), k, at));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/largest_slices.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Masks that keep whole slices of a tensor, those with the largest norms: structured pruning.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Norms of the slices along an axis.
template <class E>
class slice_norms {
    using T = std::remove_cv_t<value_type_t<E>>;

public:
    slice_norms(const E& x, std::size_t axis, double p)
        : m_expression(&x)
        , m_slices(x.shape(), axis)
        , m_largest(m_slices.extent())
        , m_norms(m_slices.extent()) {
        visit([&](std::size_t slice, double size) {
            double& largest = m_largest[slice];
            largest = size > largest || size != size ? size : largest;
        });
        if (std::isinf(p)) {
            m_norms = m_largest;
            return;
        }
        // In units of each slice's own, so that no power overflows, and none that counts is lost.
        // Those of the usual norms are powers of two, and round nothing.
        std::vector<double> units(m_largest);
        for (double& unit : units) {
            const bool measures = unit > 0 && std::isfinite(unit);
            unit = !measures ? 1 : p == 1 || p == 2 ? std::ldexp(1., std::ilogb(unit)) : unit;
        }
        visit([&](std::size_t slice, double size) {
            m_norms[slice] += power(size / units[slice], p);
        });
        // Norms beyond the largest number are compared in smaller units, as all others are then.
        bool fits = true;
        for (std::size_t slice = 0; slice < m_norms.size(); ++slice) {
            m_norms[slice] = root(m_norms[slice], p);
            fits = fits &&
                   !(std::isfinite(m_norms[slice]) && std::isinf(m_norms[slice] * units[slice]));
        }
        const double scale = fits ? 1 : std::ldexp(1., -512);
        for (std::size_t slice = 0; slice < m_norms.size(); ++slice) {
            m_norms[slice] *= units[slice] * scale;
        }
    }

    [[nodiscard]] std::vector<double>& values() noexcept { return m_norms; }

private:
    static double power(double size, double p) {
        return p == 1 ? size : p == 2 ? size * size : std::pow(size, p);
    }

    static double root(double sum, double p) {
        return p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p);
    }

    /// Calls f(slice, |x|) for each element.
    template <class F>
    void visit(F&& f) const {
        const auto& shape = m_expression->shape();
        const std::size_t n = columns_of(shape);
        const std::size_t row_count = n == 0 || m_slices.extent() == 0 ? 0 : rows_of(shape);
        const auto operand = make_operand<T>(*m_expression, shape);
        for (std::size_t r = 0; r < row_count; ++r) {
            auto row = operand.row(r);
            const bool along = m_slices.along_rows();
            const std::size_t slice = along ? 0 : m_slices.position(r);
            for_each_block(0, n, [&](std::size_t c, std::size_t count) {
                const auto block = row.block(c, count, first_bits(count));
                for (std::size_t k = 0; k < count; ++k) {
                    f(along ? c + k : slice, std::abs(static_cast<double>(block.at(k))));
                }
            });
        }
    }

    const E* m_expression;
    axis_of_rows m_slices;
    std::vector<double> m_largest;
    std::vector<double> m_norms;
};

/// A row of slices: all of it, or none, where they are rows; some columns, the same in all rows,
/// where they cross.
class slices_cursor {
public:
    slices_cursor(const word_t* words, column_range kept, std::size_t n) noexcept
        : m_words(words), m_kept(kept), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        return m_words == nullptr ? range_word(m_kept, c)
                                  : stored_cursor(m_words, m_columns).word(c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_words == nullptr ? stretch_of(m_kept, c) : stretch_within(m_kept, c);
    }

private:
    const word_t* m_words;
    column_range m_kept;
    std::size_t m_columns;
};

/// One bit a slice.
template <class S>
class slices_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_largest_slices";

    /// Keeps k of the slices, which are given by their norms.
    slices_rule(const S& shape, std::size_t axis, std::vector<double>& norms, std::size_t k)
        : m_shape(shape)
        , m_slices(shape, axis)
        , m_words((norms.size() + word_columns - 1) / word_columns) {
        const auto cut = size_cut<double, size_by::value>::through(norms, k);
        m_kept = cut.extent_of(norms);
        for (std::size_t i = 0; i < norms.size(); ++i) {
            m_words[i / word_columns] |= word_t(cut.keeps(norms[i], i)) << i % word_columns;
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] slices_cursor row(std::size_t r) const noexcept {
        const std::size_t n = columns_of(m_shape);
        if (m_slices.along_rows()) {
            return {m_words.data(), m_kept, n};
        }
        const std::size_t i = m_slices.position(r);
        const bool kept = (m_words[i / word_columns] >> i % word_columns & 1) != 0;
        return {nullptr, {0, kept ? n : 0}, n};
    }

private:
    S m_shape;
    axis_of_rows m_slices;
    std::vector<word_t> m_words;
    column_range m_kept;
};
} // namespace detail

/// Keeps whole slices along an axis, those with the largest p-norm: a fraction of them, to the
/// nearest number. This is structured pruning, ln_structured of PyTorch: axis 0 of a layer's
/// weights prunes its outputs, axis 1 its inputs.
///
/// x: a tensor or lazy expression of numbers, whose shape is the mask's. It is read here, and not
/// looked at again. axis: negative ones are counted from the end. p: any positive number, or
/// infinity for the largest magnitude. The norm of a slice is (sum of |x|^p)^(1/p) of its elements,
/// computed in double; of equal norms the first slices are kept, and NaN comes last. Throws
/// std::invalid_argument for a fraction outside of [0, 1] or p not above 0, std::out_of_range for
/// an axis that x does not have. The mask stores one bit for each slice, and is broadcast from
/// these: whole rows are kept or dropped at once.
///
///     const xt::xtensor<float, 2> weights = {{1, -1, 1}, {0, 3, 0}, {0, 0, 1}};
///     auto m = xmask::keep_largest_slices(weights, 0.34, 0);
///     // 0 0 0
///     // 1 1 1
///     // 0 0 0
template <class X>
auto keep_largest_slices(const X& x, double fraction, std::ptrdiff_t axis, double p = 2) {
    if constexpr (detail::require_numbers<X>()) {
        detail::require_option(
            "keep_largest_slices", "fraction", fraction, detail::option_range::between(0, 1)
        );
        detail::require_option("keep_largest_slices", "p", p, detail::option_range::above(0));
        const std::size_t at = detail::axis_number("keep_largest_slices", axis, x.dimension());
        detail::slice_norms<X> norms(x, at, p);
        const auto k = static_cast<std::size_t>(
            std::llround(fraction * static_cast<double>(norms.values().size()))
        );
        using shape_type = typename X::inner_shape_type;
        return mask(detail::slices_rule<shape_type>(x.shape(), at, norms.values(), k));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/lengths.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// Masks of padded sequences: each row keeps its first, or its last, few columns.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Which end of a row is padded.
enum class padding { right, left };

template <class CTL, padding Side>
class lengths_rule {
    using table = std::decay_t<CTL>;

public:
    using shape_type = typename one_more_axis<typename table::inner_shape_type>::type;

    template <class L>
    lengths_rule(const char* name, L&& lengths, std::size_t n)
        : m_lengths(std::forward<L>(lengths))
        , m_shape(append_axis(m_lengths.shape(), n))
        , m_offsets(table_offsets(name, m_lengths))
        , m_name(name) {
        if (!all_within(n)) [[unlikely]] {
            throw_outside(name, n);
        }
    }

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_lengths)); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t n = m_shape[m_shape.size() - 1];
        const std::size_t length = clamped(at(r), n);
        return range_cursor(
            Side == padding::right ? column_range{0, length} : column_range{n - length, n}
        );
    }

    /// The first word of each of `count` rows, or so much of it as W holds; as many as fit into a
    /// register at a time.
    template <class W>
    void first_words(std::size_t r, std::size_t count, W* to) const noexcept {
        const std::size_t n = m_shape[m_shape.size() - 1];
        if (n > 8 * sizeof(W) || !m_offsets.uniform(1)) {
            ask_first_words(*this, r, count, to);
            return;
        }
        // In 32 bits, of which a register holds more.
        const auto* lengths = data() + r;
        const auto most = static_cast<std::uint32_t>(n);
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t length = clamped(lengths[i], most);
            const std::uint32_t bits = Side == padding::right ? length : most - length;
            if constexpr (std::is_same_v<W, word_t>) {
                to[i] = bits;
            } else {
                // In two steps, because a shift by 32 is not defined.
                to[i] = static_cast<W>((std::uint32_t(1) << bits / 2 << (bits - bits / 2)) - 1);
            }
        }
        if constexpr (std::is_same_v<W, word_t>) {
            replace_by_first_bits(to, count);
        }
        if constexpr (Side == padding::left) {
            const auto all = static_cast<W>(first_bits(n));
            for (std::size_t i = 0; i < count; ++i) {
                to[i] = static_cast<W>(to[i] ^ all);
            }
        }
    }

private:
    const auto* data() const noexcept {
        return m_lengths.data() + static_cast<std::ptrdiff_t>(m_lengths.data_offset());
    }

    auto at(std::size_t r) const noexcept { return data()[m_offsets(r)]; }

    template <class T>
    static auto as_unsigned(T length) noexcept {
        return static_cast<std::make_unsigned_t<T>>(length);
    }

    /// Looks at all of them, so that the compiler may compare many at a time.
    [[nodiscard]] bool all_within(std::size_t n) const noexcept {
        using length_type = std::decay_t<decltype(at(0))>;
        using number = decltype(as_unsigned(at(0)));
        // The largest tells, as negative ones are larger than all that the lengths' type holds. Few processors find the largest
        // of several of 64 bits; of those it is the sign of a length, or of what is left behind it.
        constexpr bool by_sign = sizeof(number) == sizeof(n);
        number seen = 0;
        const auto look_at = [&](auto length) {
            const number positive = as_unsigned(length);
            seen = by_sign ? static_cast<number>(seen | positive | (n - positive))
                           : std::max(seen, positive);
        };
        const std::size_t rows = rows_of(m_shape);
        if (m_offsets.uniform(1)) {
            std::for_each(data(), data() + rows, look_at);
        } else {
            for (std::size_t r = 0; r < rows; ++r) {
                look_at(at(r));
            }
        }
        constexpr auto most = static_cast<number>(std::numeric_limits<length_type>::max());
        return by_sign ? seen <= std::numeric_limits<number>::max() / 2
                       : seen <= std::min<std::size_t>(most, n);
    }

    XMASK_COLD void throw_outside(const char* name, std::size_t n) const {
        for (std::size_t r = 0; r < rows_of(m_shape); ++r) {
            const auto length = at(r);
            if (std::cmp_less(+length, 0) || std::cmp_greater(+length, n)) {
                throw_out_of_range(
                    name, "length ", +length, " of row ", r, " is outside of [0, ", n, "]"
                );
            }
        }
    }

    CTL m_lengths;
    shape_type m_shape;
    row_offsets m_offsets;
    const char* m_name;
};

template <class L>
consteval bool require_lengths() {
    constexpr bool integers = holds_integers<L>();
    static_assert(
        integers,
        "xmask: lengths are integers, one a row: a tensor of them, a standard container, or a list."
    );
    return integers;
}

template <padding Side, class L>
auto make_lengths(const char* name, L&& lengths, std::size_t n) {
    if constexpr (require_lengths<L>()) {
        using rule = lengths_rule<held_t<L>, Side>;
        return mask(rule(name, hold(std::forward<L>(lengths)), n));
    }
}
} // namespace detail

/// Keeps the first lengths[...] of n columns in each row: a batch padded on the right.
///
/// lengths: integers of any rank, a tensor, lazy expression, standard container or list. The mask's
/// shape is lengths.shape + [n]. A tensor is held by reference if it is an lvalue. Throws
/// std::out_of_range, naming the row and the value, for a length below 0 or beyond n. A word costs
/// a shift; nothing is allocated for a tensor of lengths.
///
///     xt::xtensor<int, 1> lengths = {2, 4};
///     auto m = xmask::keep_lengths(lengths, 4);
///     // 1 1 0 0
///     // 1 1 1 1
template <class L>
auto keep_lengths(L&& lengths, std::size_t n) {
    return detail::make_lengths<detail::padding::right>(
        "keep_lengths", std::forward<L>(lengths), n
    );
}

template <detail::has_memory L>
auto keep_lengths(L& lengths XMASK_LIFETIMEBOUND, std::size_t n) {
    return detail::make_lengths<detail::padding::right>("keep_lengths", lengths, n);
}

template <std::integral T>
auto keep_lengths(std::initializer_list<T> lengths, std::size_t n) {
    return keep_lengths(detail::hold(lengths), n);
}

/// Keeps the last lengths[...] of n columns in each row: a batch padded on the left. Otherwise as
/// keep_lengths.
///
///     auto m = xmask::keep_last({2, 4}, 4);
///     // 0 0 1 1
///     // 1 1 1 1
template <class L>
auto keep_last(L&& lengths, std::size_t n) {
    return detail::make_lengths<detail::padding::left>("keep_last", std::forward<L>(lengths), n);
}

template <detail::has_memory L>
auto keep_last(L& lengths XMASK_LIFETIMEBOUND, std::size_t n) {
    return detail::make_lengths<detail::padding::left>("keep_last", lengths, n);
}

template <std::integral T>
auto keep_last(std::initializer_list<T> lengths, std::size_t n) {
    return keep_last(detail::hold(lengths), n);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/patterns.hpp ====

/// @file
/// Masks of attention, whose rows are queries and whose columns are keys: causal, windows,
/// prefixes, segments, chunks; and the mask of any function of the indices.

// ==== xmask/masks/dilated.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>

// ==== xmask/masks/windows.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <tuple>

/// @file
/// Masks of attention in which a query sees one range of keys: causal, windows, chunks.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Farther than any row or column. No offset that is added to a column needs to be larger.
inline constexpr std::size_t far_away = std::numeric_limits<std::size_t>::max() / 4 + 1;

/// offset + count, at most far_away from 0.
[[nodiscard]] constexpr std::ptrdiff_t add_far(std::ptrdiff_t offset, std::size_t count) noexcept {
    const auto value = static_cast<std::size_t>(offset);
    if (offset < 0 && count < 0 - value) {
        return -static_cast<std::ptrdiff_t>(std::min(0 - value - count, far_away));
    }
    const std::size_t sum =
        offset < 0 ? value + count : std::min(value, far_away) + std::min(count, far_away);
    return static_cast<std::ptrdiff_t>(std::min(sum, far_away));
}

/// offset - count. ~x is -x - 1, which overflows for no x.
[[nodiscard]] constexpr std::ptrdiff_t subtract_far(
    std::ptrdiff_t offset, std::size_t count
) noexcept {
    return ~add_far(~offset, count);
}

/// i + offset, or 0 where that lies before the first key.
[[nodiscard]] constexpr std::size_t moved_by(std::size_t i, std::ptrdiff_t offset) noexcept {
    const auto by = static_cast<std::size_t>(offset);
    return offset < 0 ? i - std::min(i, 0 - by) : i + by;
}

/// The range of n keys that query i sees.
template <class P>
concept key_pattern = requires(const P& pattern, std::size_t i, std::size_t n) {
    { pattern(i, n) } -> std::same_as<column_range>;
};

/// Keys [i + begin, i + end) of query i.
struct window_pattern {
    std::ptrdiff_t begin;
    std::ptrdiff_t end;

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        return {std::min(moved_by(i, begin), n), std::min(moved_by(i, end), n)};
    }
};

/// Causal within chunks.
struct chunk_pattern {
    std::size_t chunk;
    std::ptrdiff_t offset;

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        // Before the first key there are no chunks.
        const std::size_t end = moved_by(i + 1, offset);
        return {std::min(end - (end == 0 ? 0 : (end - 1) % chunk + 1), n), std::min(end, n)};
    }
};

/// A mask whose rows are the ranges of a pattern.
template <key_pattern Pattern>
class pattern_rule {
public:
    using shape_type = std::array<std::size_t, 2>;

    pattern_rule(const char* name, std::size_t q, std::size_t k, Pattern pattern) noexcept
        : m_shape{q, k}, m_pattern(pattern), m_name(name) {}

    [[nodiscard]] const char* name() const noexcept { return m_name; }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        return range_cursor(m_pattern(r, m_shape[1]));
    }

private:
    shape_type m_shape;
    Pattern m_pattern;
    const char* m_name;
};
} // namespace detail

/// Keeps key j for query i where j <= i + offset: no query sees a later key.
///
/// With offset 0 the first query sees the first key only, as with PyTorch's is_causal. With k - q,
/// the number of earlier keys in a cache, the last query sees all keys, as in FlashAttention.
/// keep_causal_top_left and keep_causal_bottom_right are these two.
///
///     auto m = xmask::keep_causal(2, 3, 1);
///     // 1 1 0
///     // 1 1 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param offset number of keys before the first query; may be negative.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
inline auto keep_causal(std::size_t q, std::size_t k, std::ptrdiff_t offset = 0) {
    const auto begin = -static_cast<std::ptrdiff_t>(detail::far_away);
    const detail::window_pattern pattern{begin, detail::add_far(offset, 1)};
    return mask(detail::pattern_rule("keep_causal", q, k, pattern));
}

/// Keeps keys 0 to i for query i: keep_causal(q, k, 0).
///
///     auto m = xmask::keep_causal_top_left(2, 4);
///     // 1 0 0 0
///     // 1 1 0 0
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
inline auto keep_causal_top_left(std::size_t q, std::size_t k) { return keep_causal(q, k, 0); }

/// Keeps keys 0 to i + k - q for query i: keep_causal(q, k, k - q). The queries are the last q of k
/// tokens, as with a cache of keys and values.
///
/// Where there are more queries than keys, the first queries see nothing.
///
///     auto m = xmask::keep_causal_bottom_right(2, 4);
///     // 1 1 1 0
///     // 1 1 1 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
inline auto keep_causal_bottom_right(std::size_t q, std::size_t k) {
    return keep_causal(q, k, static_cast<std::ptrdiff_t>(k) - static_cast<std::ptrdiff_t>(q));
}

/// Keeps keys i + offset - left to i + offset + right, both included, for query i: attention in a
/// sliding window.
///
/// FlashAttention's window_size of (left, right) is this with an offset of k - q.
///
///     auto m = xmask::keep_window(3, 4, 1, 0);
///     // 1 0 0 0
///     // 1 1 0 0
///     // 0 1 1 0
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param left number of keys before the query's own place; k or more sets no limit.
/// @param right number of keys behind it; k or more sets no limit.
/// @param offset number of keys before the first query; may be negative.
/// @returns a mask of shape (q, k).
///
/// Cost: nothing is stored; a row is one range, and a word costs two shifts.
inline auto keep_window(
    std::size_t q, std::size_t k, std::size_t left, std::size_t right, std::ptrdiff_t offset = 0
) {
    const auto begin = detail::subtract_far(offset, left);
    const auto end = detail::add_far(detail::add_far(offset, right), 1);
    return mask(detail::pattern_rule("keep_window", q, k, detail::window_pattern{begin, end}));
}

/// Keeps key j for query i at position p = i + offset, where j <= p and both lie in the same chunk:
/// causal within chunks.
///
/// A query before the first key sees nothing.
///
///     auto m = xmask::keep_chunked(3, 3, 2);
///     // 1 0 0
///     // 1 1 0
///     // 0 0 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param chunk number of tokens in a chunk, 1 or more.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (q, k).
/// @throws std::invalid_argument for a chunk of 0.
///
/// Cost: nothing is stored; a row is one range, which costs a division, and a word costs two
/// shifts.
inline auto keep_chunked(
    std::size_t q, std::size_t k, std::size_t chunk, std::ptrdiff_t offset = 0
) {
    if (chunk == 0) [[unlikely]] {
        detail::throw_invalid("keep_chunked", "chunk 0; expected 1 or more");
    }
    return mask(detail::pattern_rule("keep_chunked", q, k, detail::chunk_pattern{chunk, offset}));
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Masks of attention with gaps: dilated windows.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Keys begin, begin + step, ... before end.
class dilated_cursor {
public:
    /// @param comb bits 0, step, 2 * step, ... of a word.
    dilated_cursor(column_range range, std::size_t step, word_t comb) noexcept
        : m_range(range), m_step(step), m_comb(comb) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        // Distance to the next multiple of the step.
        const std::size_t past = c > m_range.begin ? (c - m_range.begin) % m_step : 0;
        const std::size_t ahead = c < m_range.begin ? m_range.begin - c
                                  : past == 0       ? 0
                                                    : m_step - past;
        const word_t bits = ahead < word_columns ? m_comb << ahead : 0;
        return bits & first_bits(std::max(m_range.end, c) - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_step == 1 || m_range.size() == 1 ? stretch_of(m_range, c)
                                                  : stretch_within(m_range, c);
    }

private:
    column_range m_range;
    std::size_t m_step;
    word_t m_comb;
};

/// Every step-th key of a window that ends at the query's own place.
class dilated_rule {
public:
    using shape_type = std::array<std::size_t, 2>;

    static constexpr const char* name = "keep_dilated";

    dilated_rule(
        std::size_t q, std::size_t k, std::size_t left, std::size_t step, std::ptrdiff_t offset
    )
        : m_shape{q, k}, m_left(left), m_step(step), m_offset(offset) {
        if (step == 0) [[unlikely]] {
            throw_invalid("keep_dilated", "step 0; expected 1 or more");
        }
        for (std::size_t bit = 0; bit < word_columns; bit += std::min(step, word_columns)) {
            m_comb |= word_t(1) << bit;
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE dilated_cursor row(std::size_t i) const noexcept {
        const std::size_t n = m_shape[1];
        const std::size_t past = moved_by(i + 1, m_offset);
        if (past == 0) {
            return dilated_cursor({0, 0}, m_step, m_comb);
        }
        const std::size_t last = past - 1;
        const std::size_t begin = last - std::min(m_left, last / m_step) * m_step;
        if (begin >= n) {
            return dilated_cursor({n, n}, m_step, m_comb);
        }
        const std::size_t end = last < n ? past : n - (n - 1 - begin) % m_step;
        return dilated_cursor({begin, end}, m_step, m_comb);
    }

private:
    shape_type m_shape;
    std::size_t m_left;
    std::size_t m_step;
    std::ptrdiff_t m_offset;
    word_t m_comb = 0;
};
} // namespace detail

/// Keeps keys p, p - step, p - 2 * step, ... down to p - left * step for query i at position
/// p = i + offset: a dilated window.
///
/// A query before the first key sees nothing.
///
///     auto m = xmask::keep_dilated(4, 4, 1, 2);
///     // 1 0 0 0
///     // 0 1 0 0
///     // 1 0 1 0
///     // 0 1 0 1
///
/// @param q number of queries, the rows.
/// @param k number of keys, the columns.
/// @param left number of keys besides the query's own.
/// @param step distance of these keys, 1 or more.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (q, k).
/// @throws std::invalid_argument for a step of 0.
///
/// Cost: nothing is stored; a word costs a division and two shifts.
inline auto keep_dilated(
    std::size_t q, std::size_t k, std::size_t left, std::size_t step, std::ptrdiff_t offset = 0
) {
    return mask(detail::dilated_rule(q, k, left, step, offset));
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/function_mask.hpp ====

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// The mask of any function of the indices.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Whether F takes the indices of a shape of type S and returns a bool.
template <class F, class S>
struct takes_indices : std::is_invocable_r<bool, const F&, const S&> {};

template <class F, std::size_t N>
struct takes_indices<F, std::array<std::size_t, N>> {
    static constexpr bool value = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::is_invocable_r_v<bool, const F&, decltype(I)...>;
    }(std::make_index_sequence<N>());
};

/// Fails to compile, with one sentence, unless F takes the indices of a shape of type S.
template <class F, class S>
consteval bool require_index_function() {
    constexpr bool takes = takes_indices<F, S>::value;
    static_assert(
        takes,
        "xmask: keep_if calls f(i, j, ...) with one std::size_t for each axis of the shape, and f "
        "returns bool; where the number of axes is known at run time only, f takes one container of "
        "indices."
    );
    return takes;
}

/// One row of a function. The indices of the leading axes are known.
template <class F, class S>
class function_cursor {
public:
    function_cursor(const F& f, S index, std::size_t n)
        : m_function(&f), m_index(std::move(index)), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return c + word_columns <= m_columns ? ask(c, whole_word()) : ask(c, m_columns - c);
    }

private:
    template <class Count>
    XMASK_INLINE word_t ask(std::size_t c, Count count) const {
        // In two steps, so that the compiler may call the function for many columns at once.
        S index = m_index;
        std::array<bool, word_columns> answers;
        for (std::size_t k = 0; k < count; ++k) {
            answers[k] = call(index, c + k);
        }
        return word_of_registers<bool>(
            memory_block<bool>(answers.data()), count,
            [](const auto& x) XMASK_INLINE_LAMBDA { return x != lanes<bool>(0); }
        );
    }

    XMASK_INLINE bool call(S& index, std::size_t c) const {
        // A shape of rank 0 is one row of one column, and has no index.
        if (index.size() != 0) {
            index[index.size() - 1] = c;
        }
        if constexpr (requires { std::tuple_size<S>::value; }) {
            return static_cast<bool>(std::apply(*m_function, std::as_const(index)));
        } else {
            return static_cast<bool>((*m_function)(std::as_const(index)));
        }
    }

    const F* m_function;
    S m_index;
    std::size_t m_columns;
};

/// The mask of a function of the indices.
template <class S, class F>
class function_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_if";

    template <class G>
    function_rule(S shape, G&& f) : m_shape(std::move(shape)), m_function(std::forward<G>(f)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    /// Only for functions without captures: others may read any tensor.
    [[nodiscard]] auto sources() const noexcept
        requires std::is_empty_v<F>
    {
        return std::tuple<>();
    }

    [[nodiscard]] auto row(std::size_t r) const {
        S index = m_shape;
        for (std::size_t axis = index.size(); axis-- > 1;) {
            index[axis - 1] = r % m_shape[axis - 1];
            r /= m_shape[axis - 1];
        }
        return function_cursor<F, S>(m_function, std::move(index), columns_of(m_shape));
    }

private:
    S m_shape;
    F m_function;
};

template <class S, class F>
auto make_function(S shape, F&& f) {
    if constexpr (require_index_function<std::decay_t<F>, S>()) {
        return mask(function_rule<S, std::decay_t<F>>(std::move(shape), std::forward<F>(f)));
    }
}
} // namespace detail

/// Keeps the elements for whose indices a function is true.
///
///     auto m = xmask::keep_if(std::array<std::size_t, 2>{2, 3}, [](std::size_t i, std::size_t j) { return i < j; });
///     // 0 1 1
///     // 0 0 1
///
/// @param shape the mask's shape: a number (one axis) or a container of extents.
/// @param f called as f(i, j, ...) with a std::size_t for each axis, or as f(index) with one
/// container of indices where the number of axes is known at run time only; returns bool. It is
/// copied or moved in. It may be called in any order, any number of times, by several threads.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for an extent below 0, or more than 16 axes.
///
/// Cost: nothing is stored; each element costs a call.
template <class S, class F>
auto keep_if(const S& shape, F&& f) {
    return detail::make_function(detail::to_shape("keep_if", shape), std::forward<F>(f));
}

/// Keeps the elements for whose indices a function is true, for a shape in braces.
///
///     auto m = xmask::keep_if({2, 3}, [](std::size_t i, std::size_t j) { return (i + j) % 2 == 0; });
///     // 1 0 1
///     // 0 1 0
///
/// @tparam N number of axes, which is deduced.
/// @param shape the mask's extents.
/// @param f called as f(i, j, ...) with a std::size_t for each axis; returns bool. It is copied or
/// moved in. It may be called in any order, any number of times, by several threads.
/// @returns a mask of that shape.
///
/// Cost: nothing is stored; each element costs a call.
template <std::size_t N, class F>
auto keep_if(const std::size_t (&shape)[N], F&& f) {
    return detail::make_function(std::to_array(shape), std::forward<F>(f));
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/prefixes.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// Masks of attention in which every query sees a prefix.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Causal, or before the prefix.
struct prefix_pattern {
    std::size_t prefix;
    std::ptrdiff_t offset;

    [[nodiscard]] XMASK_INLINE constexpr column_range operator()(std::size_t i, std::size_t n)
        const noexcept {
        return {0, std::min(std::max(moved_by(i + 1, offset), prefix), n)};
    }
};

template <class P>
concept prefix_number = std::integral<P> && !std::same_as<P, bool>;

/// Throws std::out_of_range for a prefix outside of [0, k].
template <class P, class... Where>
void require_prefix_within(P prefix, std::size_t k, const Where&... where) {
    if (std::cmp_less(+prefix, 0) || std::cmp_greater(+prefix, k)) [[unlikely]] {
        throw_out_of_range(
            "keep_prefix", "prefix ", +prefix, where..., " is outside of [0, ", k, "]"
        );
    }
}

/// One prefix for each text of a batch.
template <class CTP>
class prefix_rule {
    using table = std::decay_t<CTP>;

public:
    using shape_type = typename one_more_axis<
        typename one_more_axis<typename table::inner_shape_type>::type>::type;

    static constexpr const char* name = "keep_prefix";

    template <class P>
    prefix_rule(std::size_t q, std::size_t k, P&& prefix, std::ptrdiff_t offset)
        : m_prefix(std::forward<P>(prefix))
        , m_shape(append_axis(append_axis(m_prefix.shape(), q), k))
        , m_offsets(table_offsets(name, m_prefix))
        , m_queries(q)
        , m_keys(k)
        , m_offset(offset) {
        for (std::size_t batch = 0; batch < m_prefix.size(); ++batch) {
            require_prefix_within(at(batch), k, " at position ", batch);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_prefix)); }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t batch = r / m_queries;
        const prefix_pattern pattern{clamped(at(batch), m_keys), m_offset};
        return range_cursor(pattern(r - batch * m_queries, m_keys));
    }

private:
    auto at(std::size_t batch) const noexcept {
        return m_prefix.data(
        )[static_cast<std::ptrdiff_t>(m_prefix.data_offset()) + m_offsets(batch)];
    }

    CTP m_prefix;
    shape_type m_shape;
    row_offsets m_offsets;
    std::size_t m_queries;
    std::size_t m_keys;
    std::ptrdiff_t m_offset;
};

/// Fails to compile, with one sentence, unless P holds integers.
template <class P>
consteval bool require_prefix() {
    constexpr bool integers = holds_integers<P>();
    static_assert(
        integers,
        "xmask: a prefix is an integer, or integers, one for each of a batch: a tensor of them, a "
        "standard container, or a list."
    );
    return integers;
}
} // namespace detail

/// Keeps key j for query i where j <= i + offset or j < prefix: every query sees the whole prefix,
/// and beyond it is causal.
///
///     auto m = xmask::keep_prefix(3, 3, 2);
///     // 1 1 0
///     // 1 1 0
///     // 1 1 1
///
/// @param q number of queries.
/// @param k number of keys, the columns.
/// @param prefix number of keys in the prefix, 0 to k: an integer, or integers of any rank, one for
/// each text of a batch: a tensor, lazy expression or standard container. An lvalue is held by
/// reference.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (q, k), or prefix.shape + (q, k).
/// @throws std::out_of_range for a prefix below 0 or beyond k, with its value and position.
///
/// Cost: nothing is stored; a row is one range, and a word costs a shift.
template <class P>
auto keep_prefix(std::size_t q, std::size_t k, P&& prefix, std::ptrdiff_t offset = 0) {
    if constexpr (detail::prefix_number<std::decay_t<P>>) {
        detail::require_prefix_within(prefix, k);
        const detail::prefix_pattern pattern{static_cast<std::size_t>(prefix), offset};
        return mask(detail::pattern_rule("keep_prefix", q, k, pattern));
    } else if constexpr (detail::require_prefix<P>()) {
        using rule = detail::prefix_rule<detail::held_t<P>>;
        return mask(rule(q, k, detail::hold(std::forward<P>(prefix)), offset));
    }
}

/// Keeps key j for query i of text b where j <= i + offset or j < prefix[b].
///
///     auto m = xmask::keep_prefix(1, 3, {1, 2});
///     // 1 0 0
///     // 1 1 0
///
/// @param q number of queries.
/// @param k number of keys, the columns.
/// @param prefix a list of the number of keys in each text's prefix, 0 to k.
/// @param offset number of keys before the first query, k - q with a cache; may be negative.
/// @returns a mask of shape (prefix.size(), q, k).
/// @throws std::out_of_range for a prefix below 0 or beyond k, with its value and position.
///
/// Cost: memory for the list; a row is one range, and a word costs a shift.
template <std::integral T>
auto keep_prefix(
    std::size_t q, std::size_t k, std::initializer_list<T> prefix, std::ptrdiff_t offset = 0
) {
    return keep_prefix(q, k, detail::hold(prefix), offset);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/segments.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Masks of attention within segments: several sequences packed into one.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The keys of a query's segment: one range, or those columns of it whose id is that of the first.
template <class T>
class segment_cursor {
public:
    segment_cursor(column_range range, const T* keys) noexcept : m_range(range), m_keys(keys) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const noexcept {
        const word_t bits = range_word(m_range, c);
        if (m_keys == nullptr || bits == 0) [[likely]] {
            return bits;
        }
        // What lies past the range may be past the row.
        return c + word_columns <= m_range.end ? equal(c, whole_word()) : equal(c, m_range.end - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return m_keys == nullptr ? stretch_of(m_range, c) : stretch_within(m_range, c);
    }

private:
    template <class Count>
    XMASK_INLINE word_t equal(std::size_t c, Count count) const noexcept {
        const T id = m_keys[m_range.begin];
        if constexpr (has_lanes<T>) {
            const auto ids = lanes<T>(id);
            return word_of_registers<T>(
                memory_block<T>(m_keys + c), count,
                [&](const lanes<T>& keys) XMASK_INLINE_LAMBDA { return keys == ids; }
            );
        } else {
            return word_of(count, [&](std::size_t k) { return m_keys[c + k] == id; });
        }
    }

    column_range m_range;
    const T* m_keys; // null where the range is the segment
};

/// The keys of one id.
template <class T>
struct segment {
    T id;
    column_range range; ///< from the first key to past the last
    bool mixed;         ///< other ids lie between them
};

/// The segments of one row of ids, ordered by id.
template <class T>
void find_segments(const T* ids, std::size_t n, std::vector<segment<T>>& segments) {
    segments.clear();
    for (std::size_t c = 0; c < n;) {
        const std::size_t begin = c;
        for (++c; c < n && ids[c] == ids[begin]; ++c) {}
        segments.push_back({ids[begin], {begin, c}, false});
    }
    const auto before = [](const segment<T>& a, const segment<T>& b) {
        return a.id < b.id || (a.id == b.id && a.range.begin < b.range.begin);
    };
    if (!std::is_sorted(segments.begin(), segments.end(), before)) {
        std::sort(segments.begin(), segments.end(), before);
    }
    std::size_t count = 0;
    for (const segment<T>& next : segments) {
        if (count != 0 && segments[count - 1].id == next.id) {
            segments[count - 1].range.end = next.range.end;
            segments[count - 1].mixed = true;
            continue;
        }
        segments[count++] = next;
    }
    segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(count), segments.end());
}

/// The segments of all queries, found on construction, so that a row costs one look. The ids are
/// copied: the ranges must not become those of other ids.
template <class S, class T>
class segment_rule {
    struct found {
        column_range range;
        std::size_t keys; ///< where the row's ids begin in m_keys, or `whole`
    };

    static constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

public:
    using shape_type = S;

    static constexpr const char* name = "keep_same_segment";

    template <class Q, class K>
    segment_rule(const Q& q_segments, const K& k_segments)
        : m_shape(append_axis(q_segments.shape(), columns_of(k_segments.shape()))) {
        const std::size_t q = columns_of(q_segments.shape());
        const std::size_t k = columns_of(k_segments.shape());
        std::vector<T> keys(
            k_segments.template begin<xt::layout_type::row_major>(),
            k_segments.template end<xt::layout_type::row_major>()
        );
        m_found.reserve(q_segments.size());
        std::vector<segment<T>> segments;
        bool mixed = false;
        auto id = q_segments.template begin<xt::layout_type::row_major>();
        for (std::size_t batch = 0; m_found.size() < q_segments.size(); ++batch) {
            find_segments(keys.data() + batch * k, k, segments);
            for (std::size_t i = 0; i < q; ++i, ++id) {
                m_found.push_back(find(segments, *id, batch * k));
                mixed |= m_found.back().keys != whole;
            }
        }
        if (mixed) {
            m_keys = std::move(keys);
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] XMASK_INLINE segment_cursor<T> row(std::size_t r) const noexcept {
        const found& at = m_found[r];
        return segment_cursor<T>(at.range, at.keys == whole ? nullptr : m_keys.data() + at.keys);
    }

private:
    /// Compares ids of any two types by value.
    template <class I>
    static found find(const std::vector<segment<T>>& segments, I id, std::size_t keys) {
        const auto at =
            std::partition_point(segments.begin(), segments.end(), [&](const segment<T>& s) {
                return std::cmp_less(+s.id, +id);
            });
        if (at == segments.end() || !std::cmp_equal(+at->id, +id)) {
            return {{}, whole};
        }
        return {at->range, at->mixed ? keys : whole};
    }

    shape_type m_shape;
    std::vector<found> m_found;
    std::vector<T> m_keys;
};

/// Fails to compile, with one sentence, unless Q and K hold integers.
template <class Q, class K>
consteval bool require_segments() {
    constexpr bool integers = holds_integers<Q>() && holds_integers<K>();
    static_assert(
        integers,
        "xmask: segments are integers, one for each query and each key: tensors of them, standard "
        "containers, or lists."
    );
    return integers;
}

template <class Q, class K>
auto make_segments(const Q& q_segments, const K& k_segments) {
    const auto& a = q_segments.shape();
    const auto& b = k_segments.shape();
    if (a.size() == 0 || a.size() != b.size() || !std::equal(a.begin(), a.end() - 1, b.begin()))
        [[unlikely]] {
        throw_invalid(
            "keep_same_segment", "q_segments has shape ", tuple_text(a),
            " and k_segments has shape ", tuple_text(b),
            "; expected (..., q) and (..., k), equal but for the last axis"
        );
    }
    using shape = typename one_more_axis<typename Q::inner_shape_type>::type;
    return mask(segment_rule<shape, std::remove_cv_t<value_type_t<K>>>(q_segments, k_segments));
}
} // namespace detail

/// Keeps the keys whose segment is the query's: attention within each of several sequences packed
/// into one.
///
/// The ids are looked at and copied here: the mask does not follow a tensor that changes later.
///
///     auto m = xmask::keep_same_segment({0, 0, 1}, {0, 0, 1}) && xmask::keep_causal(3, 3);
///     // 1 0 0
///     // 1 1 0
///     // 0 0 1
///
/// @param q_segments integer ids of shape (..., q): a tensor, lazy expression or standard
/// container.
/// @param k_segments integer ids of shape (..., k), of any integer type.
/// @returns a mask of shape (..., q, k).
/// @throws std::invalid_argument where the shapes differ in more than the last axis.
///
/// Cost: memory for one range a query. Where the keys of a segment lie side by side, as in sorted
/// ids, a row is that range, and a word costs two shifts; otherwise a word compares the ids between
/// the segment's first and last key.
template <class Q, class K>
auto keep_same_segment(const Q& q_segments, const K& k_segments) {
    if constexpr (detail::require_segments<Q, K>()) {
        const auto& queries = detail::hold(q_segments);
        const auto& keys = detail::hold(k_segments);
        return detail::make_segments(queries, keys);
    }
}

/// Keeps the keys whose segment is the query's, for ids in lists.
///
///     auto m = xmask::keep_same_segment({7, 7, 8}, {7, 8});
///     // 1 0
///     // 1 0
///     // 0 1
///
/// @param q_segments a list of q integer ids.
/// @param k_segments a list of k integer ids.
/// @returns a mask of shape (q, k).
///
/// Cost: memory for one range a query. Where the keys of a segment lie side by side a word costs
/// two shifts; otherwise it compares the ids between the segment's first and last key.
template <std::integral T, std::integral U>
auto keep_same_segment(std::initializer_list<T> q_segments, std::initializer_list<U> k_segments) {
    return keep_same_segment(detail::hold(q_segments), detail::hold(k_segments));
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/positions.hpp ====

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

/// @file
/// The positions that a mask keeps, one by one.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The flat positions of what a mask keeps, in order: a range to loop over.
template <class CTM>
class kept_positions {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;

public:
    class iterator {
    public:
        using value_type = std::size_t;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator(const rows_type& rows, std::size_t row_count, std::size_t n)
            : m_rows(std::addressof(rows)), m_row_count(row_count), m_columns(n) {
            if (m_row_count != 0) {
                m_bits = word();
            }
            skip_empty();
        }

        std::size_t operator*() const noexcept {
            return m_row * m_columns + m_column + lowest_bit(m_bits);
        }

        iterator& operator++() {
            m_bits &= m_bits - 1;
            skip_empty();
            return *this;
        }

        void operator++(int) { ++*this; }

        bool operator==(std::default_sentinel_t) const noexcept { return m_row == m_row_count; }

    private:
        [[nodiscard]] word_t word() const {
            return m_rows->row(m_row).word(m_column) & first_bits(m_columns - m_column);
        }

        void skip_empty() {
            while (m_bits == 0 && m_row != m_row_count) {
                m_column += word_columns;
                if (m_column >= m_columns) {
                    m_column = 0;
                    ++m_row;
                }
                m_bits = m_row == m_row_count ? 0 : word();
            }
        }

        const rows_type* m_rows;
        std::size_t m_row_count;
        std::size_t m_columns;
        std::size_t m_row = 0;
        std::size_t m_column = 0;
        word_t m_bits = 0;
    };

    template <class M>
    explicit kept_positions(M&& m) : m_mask(std::forward<M>(m)), m_rows(m_mask, m_mask.shape()) {}

    // The rows look into the mask.
    kept_positions(const kept_positions&) = delete;
    kept_positions& operator=(const kept_positions&) = delete;

    [[nodiscard]] iterator begin() const {
        const std::size_t n = columns_of(m_mask.shape());
        return {m_rows, n == 0 ? 0 : rows_of(m_mask.shape()), n};
    }

    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    CTM m_mask;
    rows_type m_rows;
};
} // namespace detail

/// The flat row-major positions of what the mask keeps, in order: a range for a loop. Nothing is
/// allocated; each word is asked for once.
///
///     for (std::size_t i : xmask::positions_of(xmask::keep_lengths({1, 2}, 4))) { std::cout << i << ' '; }    // 0 4 5
template <class M>
auto positions_of(M&& m) {
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("positions_of", m.shape());
        return detail::kept_positions<detail::closure_t<M>>(std::forward<M>(m));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/random_tokens.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

/// @file
/// Random token ids, to put in place of those that a language model is to restore.

namespace xmask::inline XMASK_ABI {
/// Random token ids, not yet drawn: what random_tokens gives.
template <class T, class S>
class drawn_tokens;
} // namespace xmask::inline XMASK_ABI

template <class T, class S>
struct xt::xiterable_inner_types<xmask::drawn_tokens<T, S>> {
    using inner_shape_type = S;
    using const_stepper = xmask::detail::flat_stepper<xmask::drawn_tokens<T, S>>;
    using stepper = const_stepper;
};

template <class T, class S>
struct xt::xcontainer_inner_types<xmask::drawn_tokens<T, S>> {
    using reference = T;
    using const_reference = T;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
template <class T, class S>
class drawn_tokens : public detail::lazy<drawn_tokens<T, S>, T> {
    using base = detail::lazy<drawn_tokens<T, S>, T>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    drawn_tokens(S shape, std::size_t vocabulary, std::uint64_t seed)
        : m_shape(std::move(shape))
        , m_vocabulary(vocabulary)
        , m_seed(detail::seed_of(detail::stream_use::tokens, seed)) {
        if (vocabulary == 0 ||
            vocabulary - 1 > static_cast<std::uintmax_t>(std::numeric_limits<T>::max()))
            [[unlikely]] {
            detail::throw_invalid(
                "random_tokens", "a vocabulary of ", vocabulary,
                " tokens; expected 1 or more, and ids up to ", +std::numeric_limits<T>::max()
            );
        }
    }

    using base::shape;

    const inner_shape_type& shape() const noexcept { return m_shape; }

    /// The id that a row has in a column.
    [[nodiscard]] XMASK_INLINE T id(const detail::row_stream& row, std::size_t c) const noexcept {
        return static_cast<T>(row.below(m_vocabulary, c));
    }

    [[nodiscard]] detail::row_stream row(std::size_t r) const noexcept { return {m_seed, r}; }

    template <class It>
    value_type element(It first, It last) const {
        return data_element(detail::flat_index(m_shape, first, last));
    }

    value_type data_element(size_type i) const {
        const std::size_t n = detail::columns_of(m_shape);
        return id(row(i / n), i % n);
    }

    template <class W>
    const_stepper stepper_begin(const W& walked) const noexcept {
        return const_stepper(this, walked.size() - this->dimension());
    }

    template <class W>
    const_stepper stepper_end(const W& walked, xt::layout_type l) const noexcept {
        auto result = stepper_begin(walked);
        result.to_end(l);
        return result;
    }

private:
    S m_shape;
    std::uint64_t m_vocabulary;
    std::uint64_t m_seed;
};

namespace detail {
/// One row of random tokens: those that are asked for are drawn into a buffer.
template <class T, class S>
class drawn_tokens_row {
public:
    drawn_tokens_row(const drawn_tokens<T, S>& tokens, std::size_t r, bool one_column) noexcept
        : m_tokens(&tokens), m_stream(tokens.row(r)), m_one_column(one_column) {}

    memory_block<T> block(std::size_t c, std::size_t count, word_t bits) noexcept {
        bits &= first_bits(count);
        if (m_one_column) {
            std::fill_n(m_buffer.values, count, m_tokens->id(m_stream, 0));
        } else if (bits == ~word_t(0)) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                m_buffer.values[k] = m_tokens->id(m_stream, c + k);
            }
        } else {
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                m_buffer.values[k] = m_tokens->id(m_stream, c + k);
            }
        }
        return memory_block<T>(m_buffer.values);
    }

private:
    const drawn_tokens<T, S>* m_tokens;
    row_stream m_stream;
    bool m_one_column;
    block_buffer<T> m_buffer;
};

template <class T, class S>
class drawn_tokens_rows {
public:
    template <class W>
    drawn_tokens_rows(const drawn_tokens<T, S>& tokens, const W& walked)
        : m_tokens(&tokens)
        , m_numbers(row_numbers(walked, tokens.shape()))
        , m_one_column(columns_of(tokens.shape()) == 1) {}

    XMASK_INLINE drawn_tokens_row<T, S> row(std::size_t r) const noexcept {
        return {*m_tokens, static_cast<std::size_t>(m_numbers(r)), m_one_column};
    }

    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    const drawn_tokens<T, S>* m_tokens;
    row_offsets m_numbers;
    bool m_one_column;
};

template <class T, class S>
struct row_maker<drawn_tokens<T, S>> {
    template <class W>
    static auto make(const drawn_tokens<T, S>& tokens, const W& walked) {
        return drawn_tokens_rows<T, S>(tokens, walked);
    }
};

template <class T>
consteval bool require_ids() {
    constexpr bool integers = std::integral<T> && !std::same_as<T, bool>;
    static_assert(
        integers,
        "xmask: token ids are integers: name the type of your tokens, as in random_tokens<int>."
    );
    return integers;
}

template <class T, class S>
auto make_tokens(const S& shape, std::size_t vocabulary, std::uint64_t seed) {
    if constexpr (require_ids<T>()) {
        auto owned = to_shape("random_tokens", shape);
        return drawn_tokens<T, decltype(owned)>(std::move(owned), vocabulary, seed);
    }
}
} // namespace detail

/// Random token ids, each of [0, vocabulary) as likely: a lazy expression of T, an integer type.
///
/// shape: of the tensor, or a number for 1-D. An id depends on the seed, the number of its row, its
/// column and the vocabulary only, and not on the masks that are drawn of the same seed. Where the
/// first ids are not words, write `first + random_tokens(shape, vocabulary - first, seed)`. Throws
/// std::invalid_argument for an empty vocabulary, or one whose ids T does not hold. Where a mask
/// chooses (masked_replace), only what is chosen is drawn.
///
///     xt::xtensor<int, 2> ids = xmask::random_tokens<int>({64, 512}, 30522, 42);
template <class T = std::int64_t, class S>
auto random_tokens(const S& shape, std::size_t vocabulary, std::uint64_t seed) {
    return detail::make_tokens<T>(shape, vocabulary, seed);
}

template <class T = std::int64_t>
auto random_tokens(
    std::initializer_list<std::size_t> shape, std::size_t vocabulary, std::uint64_t seed
) {
    return detail::make_tokens<T>(shape, vocabulary, seed);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/ranges.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// Masks that keep one range of each row, and those of batches packed end to end.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class CTB, class CTE>
class ranges_rule {
    using table = std::decay_t<CTB>;

public:
    using shape_type = typename one_more_axis<typename table::inner_shape_type>::type;

    static constexpr const char* name = "keep_ranges";

    template <class B, class E>
    ranges_rule(B&& begin, E&& end, std::size_t n)
        : m_begin(std::forward<B>(begin))
        , m_end(std::forward<E>(end))
        , m_shape(append_axis(m_begin.shape(), n)) {
        require_same_shape("keep_ranges", "begin", m_begin.shape(), "end", m_end.shape());
        m_begin_offsets = table_offsets(name, m_begin);
        m_end_offsets = table_offsets(name, m_end);
        for (std::size_t r = 0; r < rows_of(m_shape); ++r) {
            const auto first = at(m_begin, m_begin_offsets, r);
            const auto last = at(m_end, m_end_offsets, r);
            if (std::cmp_less(+first, 0) || std::cmp_less(+last, +first) ||
                std::cmp_greater(+last, n)) [[unlikely]] {
                throw_out_of_range(
                    "keep_ranges", "the range [", +first, ", ", +last, ") of row ", r,
                    " is not within [0, ", n, ")"
                );
            }
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept {
        return std::tuple(read_anywhere(m_begin), read_anywhere(m_end));
    }

    [[nodiscard]] XMASK_INLINE range_cursor row(std::size_t r) const noexcept {
        const std::size_t end = clamped(at(m_end, m_end_offsets, r), m_shape[m_shape.size() - 1]);
        return range_cursor({clamped(at(m_begin, m_begin_offsets, r), end), end});
    }

private:
    template <class E>
    static auto at(const E& e, const row_offsets& offsets, std::size_t r) noexcept {
        return e.data()[static_cast<std::ptrdiff_t>(e.data_offset()) + offsets(r)];
    }

    CTB m_begin;
    CTE m_end;
    shape_type m_shape;
    row_offsets m_begin_offsets;
    row_offsets m_end_offsets;
};

template <class T>
consteval bool require_boundaries() {
    constexpr bool integers = holds_integers<T>();
    static_assert(
        integers,
        "xmask: boundaries are integers: a tensor of them, a standard container, or a list."
    );
    return integers;
}

/// The lengths between cumulative ones, checked.
template <class C>
xt::xtensor<std::size_t, 1> lengths_between(const char* name, C&& cumulative) {
    const auto& table = cumulative;
    if (table.dimension() != 1 || table.size() == 0) [[unlikely]] {
        throw_invalid(
            name, "cumulative lengths of shape ", tuple_text(table.shape()),
            "; expected one axis with 0 first, then the end of each sequence"
        );
    }
    if (table(0) != 0) [[unlikely]] {
        throw_invalid(name, "cumulative length ", +table(0), " at position 0; expected 0");
    }
    auto lengths = xt::xtensor<std::size_t, 1>::from_shape({table.size() - 1});
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        if (std::cmp_less(+table(i + 1), +table(i))) [[unlikely]] {
            throw_out_of_range(
                name, "cumulative length ", +table(i + 1), " at position ", i + 1,
                " is below the one before it, ", +table(i)
            );
        }
        lengths(i) = static_cast<std::size_t>(table(i + 1)) - static_cast<std::size_t>(table(i));
    }
    return lengths;
}
} // namespace detail

/// Keeps columns [begin, end) of n in each row.
///
/// begin, end: integers of one shape and any rank: tensors, lazy expressions, standard containers
/// or lists. The mask's shape is begin.shape + [n]. Tensors are held by reference if they are
/// lvalues. Throws std::out_of_range, naming the row, unless 0 <= begin <= end <= n;
/// std::invalid_argument where the shapes differ. A word costs two shifts.
///
///     auto m = xmask::keep_ranges({0, 1}, {2, 4}, 4);
///     // 1 1 0 0
///     // 0 1 1 1
template <class B, class E>
auto keep_ranges(B&& begin, E&& end, std::size_t n) {
    if constexpr (detail::require_boundaries<B>() && detail::require_boundaries<E>()) {
        using rule = detail::ranges_rule<detail::held_t<B>, detail::held_t<E>>;
        return mask(
            rule(detail::hold(std::forward<B>(begin)), detail::hold(std::forward<E>(end)), n)
        );
    }
}

template <std::integral T, std::integral U>
auto keep_ranges(std::initializer_list<T> begin, std::initializer_list<U> end, std::size_t n) {
    return keep_ranges(detail::hold(begin), detail::hold(end), n);
}

/// The padded batch of sequences that are packed end to end: row i keeps its first cumulative[i +
/// 1] - cumulative[i] of n columns. cumulative: integers, 0 first, then the end of each sequence
/// (cu_seqlens of variable-length attention). Throws std::invalid_argument where it does not begin
/// with 0, std::out_of_range where it falls, or where a sequence is longer than n. Memory for one
/// length a row.
///
///     auto m = xmask::keep_packed({0, 2, 3, 7}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
///     // 1 1 1 1
template <class C>
auto keep_packed(C&& cumulative, std::size_t n) {
    if constexpr (detail::require_boundaries<C>()) {
        decltype(auto) table = detail::hold(std::forward<C>(cumulative));
        return detail::make_lengths<detail::padding::right>(
            "keep_packed", detail::lengths_between("keep_packed", table), n
        );
    }
}

template <std::integral T>
auto keep_packed(std::initializer_list<T> cumulative, std::size_t n) {
    return keep_packed(detail::hold(cumulative), n);
}

/// The number of its sequence for each token of a packed batch, an array of cumulative.back()
/// elements: keep_same_segment makes the mask of attention within sequences from it. Otherwise as
/// keep_packed.
///
///     auto ids = xmask::segment_ids({0, 2, 3, 7});    // 0 0 1 2 2 2 2
template <class C>
auto segment_ids(C&& cumulative) {
    if constexpr (detail::require_boundaries<C>()) {
        decltype(auto) table = detail::hold(std::forward<C>(cumulative));
        const auto lengths = detail::lengths_between("segment_ids", table);
        auto ids =
            xt::xtensor<std::size_t, 1>::from_shape({static_cast<std::size_t>(table(lengths.size()))
            });
        std::size_t* to = ids.data();
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            to = std::fill_n(to, lengths(i), i);
        }
        return ids;
    }
}

template <std::integral T>
auto segment_ids(std::initializer_list<T> cumulative) {
    return segment_ids(detail::hold(cumulative));
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/run_lengths.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <utility>
#include <vector>

/// @file
/// A mask in memory as the lengths of its runs.

namespace xmask::inline XMASK_ABI {
/// A mask as the lengths of alternating runs, in row-major order of all its elements: how many are
/// dropped first, how many are kept then, and so on. Two masks are equal if their run lengths are.
struct run_lengths {
    std::vector<std::size_t> shape;
    std::vector<std::size_t> counts; ///< dropped, kept, dropped, ...; only the first may be 0

    friend bool operator==(const run_lengths&, const run_lengths&) = default;
};

namespace detail {
/// Part of a sequence of runs, of which it knows those that touch it. Words are mostly asked for in
/// order, so the search starts where the last one ended.
class runs_cursor {
public:
    /// Positions [begin, begin + n) of the sequence; every run of [first, last) has some of them.
    runs_cursor(
        const column_range* first, const column_range* last, std::size_t begin, std::size_t n
    ) noexcept
        : m_first(first), m_last(last), m_at(first), m_begin(begin), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        const std::size_t from = m_begin + c;
        word_t bits = 0;
        for (const column_range* run = first_run(from);
             run != m_last && run->begin < from + word_columns; ++run) {
            bits |= range_word(*run, from);
        }
        return bits & first_bits(m_columns - c);
    }

    [[nodiscard]] stretch at(std::size_t c) const noexcept {
        const std::size_t from = m_begin + c;
        const column_range* const run = first_run(from);
        if (run == m_last) {
            return {no_end, stretch_kind::dropped};
        }
        return run->begin > from ? stretch{run->begin - m_begin, stretch_kind::dropped}
                                 : stretch{run->end - m_begin, stretch_kind::kept};
    }

private:
    /// The first run that ends past a position of the sequence.
    const column_range* first_run(std::size_t from) const noexcept {
        const auto ends_before = [from](const column_range& run) { return run.end <= from; };
        if (m_at != m_first && !ends_before(*(m_at - 1))) {
            m_at = std::partition_point(m_first, m_at, ends_before);
        }
        while (m_at != m_last && ends_before(*m_at)) {
            ++m_at;
        }
        return m_at;
    }

    const column_range* m_first;
    const column_range* m_last;
    mutable const column_range* m_at;
    std::size_t m_begin;
    std::size_t m_columns;
};

/// Runs of kept elements in row-major order; memory in proportion to the runs.
template <class S>
class runs_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_run_lengths";

    template <class E>
    runs_rule(const E& counts, S shape) : m_shape(std::move(shape)) {
        if (counts.dimension() != 1) [[unlikely]] {
            throw_invalid(
                name, "counts of shape ", tuple_text(counts.shape()), "; expected one axis"
            );
        }
        std::size_t at = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            const std::size_t end = at + checked(counts(i), i, at);
            if (i % 2 == 1 && end != at) {
                append(at, end);
            }
            at = end;
        }
        if (at != elements()) [[unlikely]] {
            throw_invalid(
                name, "the counts add up to ", at, "; a mask of shape ", tuple_text(m_shape),
                " has ", elements(), " elements"
            );
        }
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] runs_cursor row(std::size_t r) const noexcept {
        const std::size_t n = columns_of(m_shape);
        const std::size_t begin = r * n;
        const column_range* all = m_runs.data();
        const column_range* past = all + m_runs.size();
        const column_range* first = std::partition_point(all, past, [=](const column_range& run) {
            return run.end <= begin;
        });
        const column_range* last = std::partition_point(first, past, [=](const column_range& run) {
            return run.begin < begin + n;
        });
        return {first, last, begin, n};
    }

    [[nodiscard]] static bool flat() noexcept { return true; }

    [[nodiscard]] runs_cursor whole() const noexcept {
        return {m_runs.data(), m_runs.data() + m_runs.size(), 0, elements()};
    }

private:
    [[nodiscard]] std::size_t elements() const noexcept {
        return rows_of(m_shape) * columns_of(m_shape);
    }

    template <class T>
    std::size_t checked(T count, std::size_t i, std::size_t before) const {
        if (std::cmp_less(+count, 0) || std::cmp_greater(+count, elements() - before))
            [[unlikely]] {
            throw_out_of_range(
                name, "count ", +count, " at position ", i, " is outside of [0, ",
                elements() - before, "], the elements that are left"
            );
        }
        return static_cast<std::size_t>(count);
    }

    void append(std::size_t begin, std::size_t end) {
        if (!m_runs.empty() && m_runs.back().end == begin) {
            m_runs.back().end = end;
            return;
        }
        m_runs.push_back({begin, end});
    }

    S m_shape;
    std::vector<column_range> m_runs;
};

template <class C>
consteval bool require_counts() {
    constexpr bool integers = holds_integers<C>();
    static_assert(
        integers,
        "xmask: run lengths are integers: a 1-D tensor of them, a standard container, or a list."
    );
    return integers;
}

template <class C, class S>
auto make_runs(C&& counts, const S& shape) {
    if constexpr (require_counts<C>()) {
        decltype(auto) table = hold(std::forward<C>(counts));
        auto owned = to_shape("keep_run_lengths", shape);
        return mask(runs_rule<decltype(owned)>(table, std::move(owned)));
    }
}
} // namespace detail

/// The run lengths of a mask. Costs each row's extent, and memory for the runs.
///
/// The order is row-major, and runs go on from row to row. COCO's run-length encoding counts in the
/// same way, but down the columns: it is that of the transposed mask.
///
///     xmask::run_lengths_of(xmask::keep_lengths({2, 4, 0}, 4)).counts;    // 0 2 2 4 4
template <class M>
run_lengths run_lengths_of(const M& m) {
    run_lengths result;
    if constexpr (detail::require_mask<M>()) {
        detail::require_countable("run_lengths_of", m.shape());
        result.shape.assign(m.shape().begin(), m.shape().end());
        result.counts = {0};
        const auto add = [&](std::size_t count, bool kept) {
            const bool same = (result.counts.size() % 2 == 0) == kept;
            if (same) {
                result.counts.back() += count;
            } else if (count != 0) {
                result.counts.push_back(count);
            }
        };
        const std::size_t n = detail::columns_of(m.shape());
        const detail::mask_rows<M> rows(m, m.shape());
        for (std::size_t r = 0; r < (n == 0 ? 0 : detail::rows_of(m.shape())); ++r) {
            std::size_t c = 0;
            for (const auto& [begin, end] : detail::runs_in_row(rows.row(r), n)) {
                add(begin - c, false);
                add(end - begin, true);
                c = end;
            }
            add(n - c, false);
        }
    }
    return result;
}

/// The mask that has these run lengths, as run_lengths_of gives them.
///
/// counts: integers, a list, container or 1-D tensor: how many elements are dropped first, how many
/// are kept then, and so on, in row-major order; any may be 0. shape: the mask's shape, or a number
/// for 1-D. Throws std::out_of_range for a count below 0 or beyond the elements that are left,
/// naming its position; std::invalid_argument where the counts do not add up to the mask's
/// elements. Memory for the kept runs; a row costs a search among them, a word a step through them.
/// Nothing is unpacked.
///
///     auto m = xmask::keep_run_lengths({1, 4, 3}, {2, 4});
///     // 0 1 1 1
///     // 1 0 0 0
template <class C, class S>
auto keep_run_lengths(C&& counts, const S& shape) {
    return detail::make_runs(std::forward<C>(counts), shape);
}

template <std::integral T, class S>
auto keep_run_lengths(std::initializer_list<T> counts, const S& shape) {
    return detail::make_runs(detail::hold(counts), shape);
}

template <class C>
auto keep_run_lengths(C&& counts, std::initializer_list<std::size_t> shape) {
    return detail::make_runs(std::forward<C>(counts), shape);
}

template <std::integral T>
auto keep_run_lengths(std::initializer_list<T> counts, std::initializer_list<std::size_t> shape) {
    return detail::make_runs(detail::hold(counts), shape);
}

template <std::same_as<run_lengths> R>
auto keep_run_lengths(const R& runs) {
    return detail::make_runs(runs.counts, runs.shape);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/slices.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

/// @file
/// Parts of a mask that are masks themselves: a range of an axis, or one index of it.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// A shape type with one axis less; the rank stays known at compile time where it was.
template <class S>
struct one_axis_less {
    using type = any_shape;
};

template <class T, std::size_t N>
    requires(N > 0)
struct one_axis_less<std::array<T, N>> {
    using type = std::array<std::size_t, N - 1>;
};

/// A shape as one that can be changed: as it is, but for shapes fixed at compile time.
template <class S>
using free_shape = typename broadcast_shape_type<S, S>::type;

/// The rows of a mask that are rows of its part. Along the last axis all of them are.
class part_rows {
public:
    /// [begin, begin + count) of an axis.
    template <class S>
    part_rows(const S& shape, std::size_t axis, std::size_t begin, std::size_t count) {
        std::size_t inner = 1;
        for (std::size_t a = axis + 1; a + 1 < shape.size(); ++a) {
            inner *= static_cast<std::size_t>(shape[a]);
        }
        if (axis + 1 == shape.size()) {
            m_block = rows_of(shape);
            m_stride = m_block;
            return;
        }
        m_block = count * inner;
        m_stride = static_cast<std::size_t>(shape[axis]) * inner;
        m_first = begin * inner;
    }

    /// The number in the mask of row r of the part.
    [[nodiscard]] XMASK_INLINE std::size_t operator()(std::size_t r) const noexcept {
        return r < m_block ? m_first + r : r / m_block * m_stride + m_first + r % m_block;
    }

private:
    std::size_t m_block;
    std::size_t m_stride;
    std::size_t m_first = 0;
};

/// Columns [begin, begin + n) of a row.
template <row_cursor C>
class part_cursor {
public:
    part_cursor(C cursor, std::size_t begin, std::size_t n)
        : m_cursor(std::move(cursor)), m_begin(begin), m_columns(n) {}

    [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
        return m_cursor.word(m_begin + c) & first_bits(m_columns - c);
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const {
        const auto [end, kind] = m_cursor.at(m_begin + c);
        return {end == no_end ? no_end : end - m_begin, kind};
    }

private:
    C m_cursor;
    std::size_t m_begin;
    std::size_t m_columns;
};

/// A range of an axis, which stays.
template <class CTM>
class slice_range_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;

    class rows_of_range {
    public:
        explicit rows_of_range(const slice_range_rule& rule)
            : m_rows(rule.m_mask, rule.m_mask.shape())
            , m_numbers(rule.m_mask.shape(), rule.m_axis, rule.m_begin, rule.m_shape[rule.m_axis])
            , m_begin(rule.m_axis + 1 == rule.m_shape.size() ? rule.m_begin : 0)
            , m_columns(columns_of(rule.m_shape)) {}

        XMASK_INLINE auto row(std::size_t r) const {
            return part_cursor<typename rows_type::cursor>(
                m_rows.row(m_numbers(r)), m_begin, m_columns
            );
        }

    private:
        rows_type m_rows;
        part_rows m_numbers;
        std::size_t m_begin;
        std::size_t m_columns;
    };

public:
    using shape_type = free_shape<typename mask_type::inner_shape_type>;

    static constexpr const char* name = "mask_slice";

    template <class M>
    slice_range_rule(M&& m, std::size_t axis, std::size_t begin, std::size_t end)
        : m_mask(std::forward<M>(m))
        , m_shape(xt::uninitialized_shape<shape_type>(m_mask.dimension()))
        , m_axis(axis)
        , m_begin(begin) {
        std::copy(m_mask.shape().begin(), m_mask.shape().end(), m_shape.begin());
        m_shape[axis] = end - begin;
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const { return rows_of_range(*this); }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index[m_axis] += m_begin;
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    std::size_t m_begin;
};

/// One index of an axis, which goes. Where that is the last axis, a row is a column of the mask: an
/// element from each of its rows.
template <class CTM>
class slice_index_rule {
    using mask_type = std::decay_t<CTM>;
    using rows_type = mask_rows<mask_type>;
    using cursor_type = typename rows_type::cursor;

    class cursor {
    public:
        explicit cursor(cursor_type row) : m_row(std::move(row)) {}

        cursor(const rows_type& rows, std::size_t first, std::size_t column, std::size_t n)
            : m_rows(&rows), m_first(first), m_column(column), m_columns(n) {}

        [[nodiscard]] XMASK_INLINE word_t word(std::size_t c) const {
            return m_row ? m_row->word(c) : gathered(c);
        }

        [[nodiscard]] stretch at(std::size_t c) const {
            return m_row ? m_row->at(c) : stretch{no_end, stretch_kind::unknown};
        }

    private:
        [[nodiscard]] word_t gathered(std::size_t c) const {
            word_t bits = 0;
            for (std::size_t k = 0; k < word_columns && c + k < m_columns; ++k) {
                bits |= word_t(keeps(m_rows->row(m_first + c + k), m_column)) << k;
            }
            return bits;
        }

        std::optional<cursor_type> m_row;
        const rows_type* m_rows = nullptr;
        std::size_t m_first = 0;
        std::size_t m_column = 0;
        std::size_t m_columns = 0;
    };

    class rows_at_index {
    public:
        explicit rows_at_index(const slice_index_rule& rule)
            : m_rows(rule.m_mask, rule.m_mask.shape())
            , m_numbers(rule.m_mask.shape(), rule.m_axis, rule.m_index, 1)
            , m_column(rule.m_index)
            , m_columns(columns_of(rule.m_shape))
            , m_across(rule.m_axis == rule.m_shape.size()) {}

        XMASK_INLINE cursor row(std::size_t r) const {
            return m_across ? cursor(m_rows, r * m_columns, m_column, m_columns)
                            : cursor(m_rows.row(m_numbers(r)));
        }

    private:
        rows_type m_rows;
        part_rows m_numbers;
        std::size_t m_column;
        std::size_t m_columns;
        bool m_across;
    };

public:
    using shape_type =
        typename one_axis_less<free_shape<typename mask_type::inner_shape_type>>::type;

    static constexpr const char* name = "mask_slice";

    template <class M>
    slice_index_rule(M&& m, std::size_t axis, std::size_t index)
        : m_mask(std::forward<M>(m))
        , m_shape(xt::uninitialized_shape<shape_type>(m_mask.dimension() - 1))
        , m_axis(axis)
        , m_index(index) {
        const auto& from = m_mask.shape();
        const auto gone = from.begin() + static_cast<std::ptrdiff_t>(axis);
        std::copy(gone + 1, from.end(), std::copy(from.begin(), gone, m_shape.begin()));
    }

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_mask)); }

    [[nodiscard]] auto rows() const { return rows_at_index(*this); }

    template <class F>
    void for_each_term(element_index index, F&& f) const {
        index.insert(index.begin() + static_cast<std::ptrdiff_t>(m_axis), m_index);
        f(m_mask, index);
    }

private:
    CTM m_mask;
    shape_type m_shape;
    std::size_t m_axis;
    std::size_t m_index;
};
} // namespace detail

/// Indices [begin, end) of one axis of a mask, as a mask; the axis stays. In Python, m[begin:end]
/// for axis 0.
///
/// axis: negative ones are counted from the end. The slice is as lazy as its mask: it stores
/// nothing, and answers with the mask's own words, extents and solid ranges, so that a row of it
/// costs a row of the mask. It is held by reference if it has a name. Throws std::out_of_range for
/// an axis that the mask does not have, or unless 0 <= begin <= end <= its extent.
///
///     auto causal = xmask::keep_causal(4096, 4096);
///     auto last = xmask::mask_slice(causal, 0, 4000, 4096);    // the last 96 queries see all keys before them
///     auto near = xmask::mask_slice(last, 1, 3000, 4096);      // of the last 1096 keys
template <class M, std::integral A, std::integral B, std::integral E>
auto mask_slice(M&& m, A axis, B begin, E end) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("mask_slice", axis, m.dimension());
        const auto extent = static_cast<std::size_t>(m.shape()[at]);
        if (std::cmp_less(+begin, 0) || std::cmp_less(+end, +begin) ||
            std::cmp_greater(+end, extent)) [[unlikely]] {
            detail::throw_out_of_range(
                "mask_slice", "the range [", +begin, ", ", +end, ") of axis ", at,
                " is not within [0, ", extent, ")"
            );
        }
        using rule = detail::slice_range_rule<detail::closure_t<M>>;
        return mask(rule(
            std::forward<M>(m), at, static_cast<std::size_t>(begin), static_cast<std::size_t>(end)
        ));
    }
}

/// One index of an axis of a mask, as a mask without this axis. In Python, m[index] for axis 0.
///
/// As the range above; but of the last axis, an element costs one of the mask's rows. Throws
/// std::out_of_range for an axis that the mask does not have, or an index outside of it.
///
///     auto row = xmask::mask_slice(xmask::keep_causal(3, 4), 0, 1);    // 1 1 0 0
template <class M, std::integral A, std::integral I>
auto mask_slice(M&& m, A axis, I index) {
    if constexpr (detail::require_mask<M>()) {
        const std::size_t at = detail::axis_number("mask_slice", axis, m.dimension());
        const auto extent = static_cast<std::size_t>(m.shape()[at]);
        if (std::cmp_less(+index, 0) || std::cmp_greater_equal(+index, extent)) [[unlikely]] {
            detail::throw_out_of_range(
                "mask_slice", "index ", +index, " of axis ", at, " is outside of [0, ", extent, ")"
            );
        }
        using rule = detail::slice_index_rule<detail::closure_t<M>>;
        return mask(rule(std::forward<M>(m), at, static_cast<std::size_t>(index)));
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/spans.hpp ====

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

/// @file
/// Random spans of columns in each row, as models of speech and text are trained with.

namespace xmask::inline XMASK_ABI {
/// How many spans keep_spans keeps in a row, and how long they are.
struct span_options {
    /// How much of a row the spans are to hold, 0 to 1: fraction * n / mean length spans, rounded
    /// up or down at random so that it is right on average.
    std::optional<double> fraction = std::nullopt;

    /// Or how many spans there are in a row.
    std::optional<std::size_t> count = std::nullopt;

    /// How long a span is.
    random_length length = 10;

    /// The least number of columns between two spans; 0 lets them touch.
    std::size_t min_space = 1;

    /// Spans hold exactly round(fraction * n) columns of each row, as T5 has it: `count` spans, or
    /// as many as the mean length makes of them, to the nearest number; all ways to part the
    /// columns among them are equally likely, and only the mean of `length` counts.
    bool exact = false;
};

namespace detail {
/// Some of a row of slots are marked, all choices equally likely; gives the marks in order, each by
/// how many slots lie before it (Fan, Muller and Rezucha's selection sampling, 1962). A draw a
/// slot.
class ordered_marks {
public:
    ordered_marks(std::uint64_t slots, std::uint64_t marks) noexcept
        : m_slots(slots), m_marks(marks) {}

    /// How many slots are skipped before the next mark, of which there must be one.
    [[nodiscard]] std::size_t next(const row_stream& stream) noexcept {
        std::size_t skipped = 0;
        while (stream.below(m_slots--, m_drawn++) >= m_marks) {
            ++skipped;
        }
        --m_marks;
        return skipped;
    }

private:
    std::uint64_t m_slots;
    std::uint64_t m_marks;
    std::size_t m_drawn = 0;
};

/// What the rows of a mask of spans share: the options, checked.
class span_plan {
public:
    span_plan(const char* name, span_options options, std::size_t n, std::uint64_t seed)
        : m_options(std::move(options)), m_mean(m_options.length.mean()), m_seed(seed) {
        // More than a row has is as much as a row has.
        m_options.min_space = std::min(m_options.min_space, n);
        require_complete(name);
        require_fit(name, n);
    }

    [[nodiscard]] const span_options& options() const noexcept { return m_options; }

    [[nodiscard]] bool fixed() const noexcept {
        return m_options.length.shortest() == m_options.length.longest();
    }

    [[nodiscard]] row_stream stream(stream_use use, std::size_t row) const noexcept {
        return {seed_of(use, m_seed), row};
    }

    /// How many columns exact spans hold.
    [[nodiscard]] std::size_t exact_columns(std::size_t n) const noexcept {
        return std::min(
            n, static_cast<std::size_t>(std::llround(*m_options.fraction * static_cast<double>(n)))
        );
    }

    /// How many exact spans hold that many of n columns.
    [[nodiscard]] std::size_t exact_count(std::size_t n, std::size_t columns) const noexcept {
        const auto wanted = m_options.count ? *m_options.count
                                            : at_least_one(static_cast<double>(columns) / m_mean);
        const std::size_t fitting =
            m_options.min_space == 0 ? n : (n - columns) / m_options.min_space + 1;
        return std::min({wanted, columns, fitting});
    }

    /// How many spans a row of n columns is to have, whether or not they fit.
    [[nodiscard]] std::size_t wanted_count(std::size_t n, std::size_t row) const noexcept {
        if (m_options.count) {
            return *m_options.count;
        }
        // 53 bits make a double of [0, 1) exactly.
        const auto drawn = static_cast<double>(stream(stream_use::span_count, row).pair(0) >> 11);
        return static_cast<std::size_t>(
            *m_options.fraction * static_cast<double>(n) / m_mean + drawn / 9007199254740992.
        );
    }

    /// How many spans of one length fit.
    [[nodiscard]] std::size_t fitting_count(std::size_t n, std::size_t length) const noexcept {
        return length > n ? 0 : (n - length) / (length + m_options.min_space) + 1;
    }

private:
    static std::size_t at_least_one(double count) noexcept {
        return std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(count)));
    }

    void require_complete(const char* name) const {
        const auto& fraction = m_options.fraction;
        if (fraction) {
            require_option(name, "fraction", *fraction, option_range::between(0, 1));
        }
        if (m_options.exact && !fraction) [[unlikely]] {
            throw_invalid(
                name, "exact spans without a fraction; give the fraction of a row that they hold"
            );
        }
        if (!m_options.exact && fraction.has_value() == m_options.count.has_value()) [[unlikely]] {
            throw_invalid(
                name, fraction ? "both a fraction and a count" : "no fraction and no count",
                "; give one of them"
            );
        }
    }

    /// What is known before anything is drawn.
    void require_fit(const char* name, std::size_t n) const {
        std::size_t count = m_options.count.value_or(0);
        if (m_options.exact) {
            const std::size_t columns = exact_columns(n);
            const bool none = m_options.count && count == 0 && columns != 0;
            if (none || count > exact_count(n, columns)) [[unlikely]] {
                throw_invalid(
                    name, count, " spans that hold ", columns, " columns, with ",
                    m_options.min_space, " between them, do not fit into rows of ", n
                );
            }
            return;
        }
        if (!m_options.count) {
            // At least one in some of the rows, however small a fraction is.
            const double wanted = *m_options.fraction * static_cast<double>(n) / m_mean;
            count = wanted > 0 ? std::max<std::size_t>(1, static_cast<std::size_t>(wanted)) : 0;
        }
        if (count > fitting_count(n, m_options.length.shortest())) [[unlikely]] {
            throw_invalid(
                name, count, " spans of ", m_options.length.shortest(), fixed() ? "" : " or more",
                " columns, with ", m_options.min_space, " between them, do not fit into rows of ", n
            );
        }
    }

    span_options m_options;
    double m_mean;
    std::uint64_t m_seed;
};

/// The spans of one row, generated in order; it remembers where it is, and begins again when asked
/// for what lies behind.
class spans_cursor {
public:
    spans_cursor(const span_plan& plan, std::size_t row, column_range within) noexcept
        : m_plan(&plan)
        , m_lengths(plan.stream(stream_use::span_lengths, row))
        , m_gaps(plan.stream(stream_use::span_gaps, row))
        , m_within(within) {
        plan_row(row);
        restart();
    }

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        if (c < m_known) {
            restart();
        }
        word_t bits = range_word(m_span, c);
        while (m_span.end < c + word_columns) {
            advance();
            bits |= range_word(m_span, c);
        }
        return bits;
    }

    [[nodiscard]] bool kept(std::size_t c) const noexcept {
        if (c < m_known) {
            restart();
        }
        while (m_span.end <= c) {
            advance();
        }
        return c >= m_span.begin;
    }

    [[nodiscard]] stretch at(std::size_t c) const noexcept {
        return stretch_within(m_count == 0 ? column_range() : m_within, c);
    }

private:
    static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

    /// How many spans there are, and how many columns they hold.
    void plan_row(std::size_t row) noexcept {
        const std::size_t n = m_within.size();
        const auto& options = m_plan->options();
        if (options.exact) {
            m_columns = m_plan->exact_columns(n);
            m_count = m_plan->exact_count(n, m_columns);
        } else if (m_plan->fixed()) {
            const std::size_t length = options.length.shortest();
            m_count = std::min(m_plan->wanted_count(n, row), m_plan->fitting_count(n, length));
            m_columns = m_count * length;
        } else {
            for (const std::size_t wanted = m_plan->wanted_count(n, row); m_count < wanted;
                 ++m_count) {
                const std::size_t free =
                    n - m_columns - (m_count == 0 ? 0 : (m_count - 1) * options.min_space);
                const std::size_t space = m_count == 0 ? 0 : options.min_space;
                const std::size_t length = drawn_length(m_count);
                if (space > free || length > free - space) {
                    break;
                }
                m_columns += length;
            }
        }
        m_free = m_count == 0 ? 0 : n - m_columns - (m_count - 1) * options.min_space;
    }

    [[nodiscard]] std::size_t drawn_length(std::size_t span) const noexcept {
        return m_plan->options().length(m_lengths.pair(span));
    }

    void restart() const noexcept {
        m_next = 0;
        m_marks = ordered_marks(m_free + m_count, m_count);
        m_cuts = ordered_marks(
            std::max<std::size_t>(m_columns, 1) - 1, std::max<std::size_t>(m_count, 1) - 1
        );
        m_left = m_columns;
        m_span = {m_within.begin, m_within.begin};
        advance();
        m_known = 0;
    }

    /// Goes on to the next span; behind the last one there is one that nobody reaches.
    void advance() const noexcept {
        m_known = m_span.end;
        if (m_next == m_count) {
            m_span = {nowhere, nowhere};
            return;
        }
        const std::size_t space = m_next == 0 ? 0 : m_plan->options().min_space;
        const std::size_t begin = m_span.end + space + m_marks.next(m_gaps);
        m_span = {begin, begin + next_length()};
        ++m_next;
    }

    [[nodiscard]] std::size_t next_length() const noexcept {
        if (!m_plan->options().exact) {
            return drawn_length(m_next);
        }
        const std::size_t length = m_next + 1 == m_count ? m_left : m_cuts.next(m_lengths) + 1;
        m_left -= length;
        return length;
    }

    const span_plan* m_plan;
    row_stream m_lengths;
    row_stream m_gaps;
    column_range m_within;
    std::size_t m_count = 0;
    std::size_t m_columns = 0;
    std::size_t m_free = 0;

    mutable ordered_marks m_marks{0, 0}; // where spans begin among the free columns
    mutable ordered_marks m_cuts{0, 0};  // where exact spans end among their columns
    mutable std::size_t m_left = 0;      // columns of exact spans that are still to come
    mutable std::size_t m_next = 0;      // the number of the span after m_span
    mutable column_range m_span;
    mutable std::size_t m_known = 0; // nothing is kept from here to m_span
};

/// Within says which columns of a row there are: all of them, or those of a sequence.
template <class Within>
class spans_rule {
public:
    using shape_type = typename Within::shape_type;

    static constexpr const char* name = "keep_spans";

    spans_rule(Within within, span_plan plan)
        : m_within(std::move(within)), m_plan(std::move(plan)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_within.shape(); }

    [[nodiscard]] auto sources() const noexcept { return m_within.sources(); }

    [[nodiscard]] spans_cursor row(std::size_t r) const noexcept {
        return {m_plan, r, m_within.row(r).range()};
    }

private:
    Within m_within;
    span_plan m_plan;
};

template <class S>
auto make_spans(const S& shape, span_options options, std::uint64_t seed) {
    auto owned = to_shape("keep_spans", shape);
    span_plan plan("keep_spans", std::move(options), columns_of(owned), seed);
    using within = constant_rule<decltype(owned)>;
    return mask(spans_rule<within>(within(std::move(owned), true), std::move(plan)));
}
} // namespace detail

/// Keeps spans of columns in each row, at random places, each row on its own: what speech and text
/// models are to predict (!keep_spans(...) is what they see). Spans never overlap.
///
/// shape: the mask's shape, or a number for 1-D. options: see span_options. Lengths are drawn one
/// by one, then all ways to distribute the free columns before, between and behind the spans are
/// equally likely. A pure function of the seed, the number of the row and its length. wav2vec 2.0
/// and HuBERT: {.fraction = 0.65, .length = 10}; SpanBERT: {.fraction = 0.15, .length =
/// random_length::geometric(0.2, 10)}; BART: {.fraction = 0.3, .length =
/// random_length::poisson(3)}; T5: {.fraction =
/// 0.15, .length = 3, .exact = true}.
/// Throws std::invalid_argument for a fraction outside of [0, 1], for both or none of fraction and
/// count, and where it is known that the spans do not fit: as many of the least length as are wanted.
/// Otherwise a row has as many of them as fit. No memory; a
/// cursor makes the spans in order, a random number for each free column, so that a row costs about
/// as much as one of keep_random. Asked for what lies behind, it begins the row again: for random
/// access store a bitmask.
///
///     auto predicted = xmask::keep_spans({8, 1500}, {.fraction = 0.65, .length = 10}, 42);
///     auto two = xmask::keep_spans({2, 12}, {.count = 2, .length = 3}, 42);
///     // ····███·███·
///     // ·███····███·
template <class S>
auto keep_spans(const S& shape, span_options options, std::uint64_t seed) {
    return detail::make_spans(shape, std::move(options), seed);
}

inline auto keep_spans(
    std::initializer_list<std::size_t> shape, span_options options, std::uint64_t seed
) {
    return detail::make_spans(shape, std::move(options), seed);
}

/// The same for a padded batch: spans lie within the first lengths[...] of n columns of each row,
/// and fractions are of these. lengths: as keep_lengths takes them, which throws what this throws.
/// The mask's shape is lengths.shape + [n]. Options are checked for rows of n columns; a shorter
/// row has as many spans as fit.
///
///     auto predicted = xmask::keep_spans(lengths, n, {.fraction = 0.5, .length = 2}, 42);
template <class L>
auto keep_spans(L&& lengths, std::size_t n, span_options options, std::uint64_t seed) {
    if constexpr (detail::require_lengths<L>()) {
        using within = detail::lengths_rule<detail::held_t<L>, detail::padding::right>;
        detail::span_plan plan("keep_spans", std::move(options), n, seed);
        return mask(detail::spans_rule<within>(
            within("keep_spans", detail::hold(std::forward<L>(lengths)), n), std::move(plan)
        ));
    }
}

template <std::integral T>
auto keep_spans(
    std::initializer_list<T> lengths, std::size_t n, span_options options, std::uint64_t seed
) {
    return keep_spans(detail::hold(lengths), n, std::move(options), seed);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/svg.hpp ====

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// ==== xmask/masks/tiles.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

/// @file
/// A mask as tiles, each full, partial or empty: what work is skipped by, and pictures are drawn
/// from.

namespace xmask::inline XMASK_ABI {
/// How much of a tile is kept.
enum class tile_kind : unsigned char { empty, partial, full };

namespace detail {
/// One row of tiles: how many elements of each are kept.
class tile_counts {
public:
    tile_counts(std::size_t tiles, std::size_t width)
        : m_width(width), m_kept(tiles), m_whole(tiles + 1) {}

    void clear() {
        std::fill(m_kept.begin(), m_kept.end(), 0);
        std::fill(m_whole.begin(), m_whole.end(), 0);
    }

    /// Columns of one row that are all kept: two tiles take their share, and those between them are
    /// noted at once.
    void add(column_range all) {
        const std::size_t first = all.begin / m_width;
        const std::size_t last = (all.end - 1) / m_width;
        if (first == last) {
            m_kept[first] += all.size();
            return;
        }
        m_kept[first] += (first + 1) * m_width - all.begin;
        m_kept[last] += all.end - last * m_width;
        ++m_whole[first + 1];
        --m_whole[last];
    }

    /// The word at column c of one row.
    void add(std::size_t c, word_t bits) {
        while (bits != 0) {
            const std::size_t dropped = lowest_bit(bits);
            c += dropped;
            bits >>= dropped;
            const std::size_t t = c / m_width;
            const std::size_t count = std::min((t + 1) * m_width - c, word_columns);
            m_kept[t] += count_bits(bits & first_bits(count));
            bits = count == word_columns ? 0 : bits >> count;
            c += count;
        }
    }

    /// Calls f(tile number, elements kept) for each tile.
    template <class F>
    void for_each(F&& f) const {
        std::ptrdiff_t whole = 0;
        for (std::size_t t = 0; t < m_kept.size(); ++t) {
            whole += m_whole[t];
            f(t, m_kept[t] + static_cast<std::size_t>(whole) * m_width);
        }
    }

private:
    std::size_t m_width;
    std::vector<std::size_t> m_kept;
    std::vector<std::ptrdiff_t>
        m_whole; // rows that keep this tile whole, less those that keep the one before
};

/// Bits, one for each element of some rows. There is no memory for them until some are written.
class bit_rows {
public:
    bit_rows(std::size_t rows, std::size_t n)
        : m_rows(rows), m_words((n + word_columns - 1) / word_columns) {}

    /// Sets the bits of columns [c, c + count); they lie in at most two words.
    void write(std::size_t i, std::size_t c, std::size_t count, word_t bits) {
        if (m_bits.empty()) {
            m_bits.resize(m_rows * m_words);
        }
        word_t* at = m_bits.data() + i * m_words + c / word_columns;
        const std::size_t shift = c % word_columns;
        const word_t chosen = first_bits(count);
        *at = (*at & ~(chosen << shift)) | bits << shift;
        if (shift + count > word_columns) {
            at[1] = (at[1] & ~(chosen >> (word_columns - shift))) | bits >> (word_columns - shift);
        }
    }

    /// The bits of columns [c, c + 64), those past the row 0 or those of the next one.
    [[nodiscard]] word_t read(std::size_t i, std::size_t c) const {
        const std::size_t at = i * m_words + c / word_columns;
        const std::size_t shift = c % word_columns;
        const bool two = shift != 0 && at + 1 < m_bits.size();
        return m_bits[at] >> shift | (two ? m_bits[at + 1] << (word_columns - shift) : 0);
    }

private:
    std::size_t m_rows;
    std::size_t m_words;
    std::vector<word_t> m_bits;
};

/// How a stack of matrices is cut: tiles of `tile_rows` x `tile_columns` elements, fewer at the
/// last edges.
struct tiling {
    std::size_t matrices;
    std::size_t matrix_rows;
    std::size_t columns;
    std::size_t tile_rows;
    std::size_t tile_columns;

    /// The last two axes are the matrix; a row alone is a matrix of one row.
    template <class S>
    static tiling of(const S& shape, std::size_t tile_rows, std::size_t tile_columns) {
        const std::size_t rows =
            shape.size() < 2 ? 1 : static_cast<std::size_t>(shape[shape.size() - 2]);
        return {
            rows == 0 ? 0 : rows_of(shape) / rows, rows, columns_of(shape), tile_rows, tile_columns
        };
    }

    [[nodiscard]] std::size_t bands_of_matrix() const noexcept {
        return columns == 0 ? 0 : matrix_rows / tile_rows + (matrix_rows % tile_rows != 0);
    }

    [[nodiscard]] std::size_t bands() const noexcept { return matrices * bands_of_matrix(); }

    [[nodiscard]] std::size_t tiles_of_band() const noexcept {
        return matrices * matrix_rows == 0 ? 0
                                           : columns / tile_columns + (columns % tile_columns != 0);
    }

    [[nodiscard]] std::size_t tiles() const noexcept { return bands() * tiles_of_band(); }
};

/// One row of tiles of a mask. Each word is asked for at most once; where words are wanted, those
/// that were asked for are kept.
template <class MaskRows>
class tile_band {
public:
    tile_band(const MaskRows& rows, const tiling& cut, bool wants_words)
        : m_rows(std::addressof(rows))
        , m_wants_words(wants_words)
        , m_cut(cut)
        , m_counts(cut.tiles_of_band(), std::max<std::size_t>(cut.tile_columns, 1))
        , m_kept(cut.tiles_of_band())
        , m_words(std::min(cut.tile_rows, cut.matrix_rows), cut.columns) {
        m_cursors.reserve(std::min(cut.tile_rows, cut.matrix_rows));
    }

    /// Goes to a band. Of columns that the mask knows to be kept or dropped nobody asks for words.
    void seek(std::size_t band) {
        m_matrix = band / m_cut.bands_of_matrix();
        m_first = band % m_cut.bands_of_matrix() * m_cut.tile_rows;
        m_row_count = std::min(m_cut.tile_rows, m_cut.matrix_rows - m_first);
        m_cursors.clear();
        m_counts.clear();
        for (std::size_t i = 0; i < m_row_count; ++i) {
            m_cursors.push_back(m_rows->row(m_matrix * m_cut.matrix_rows + m_first + i));
            row_delegate delegate{*this, i};
            walk(m_cursors.back(), 0, m_cut.columns, delegate);
        }
        m_counts.for_each([&](std::size_t t, std::size_t kept) { m_kept[t] = kept; });
    }

    [[nodiscard]] const tiling& cut() const noexcept { return m_cut; }

    [[nodiscard]] std::size_t matrix() const noexcept { return m_matrix; }

    /// Its first row in the matrix, and how many it has.
    [[nodiscard]] std::size_t row() const noexcept { return m_first; }

    [[nodiscard]] std::size_t rows() const noexcept { return m_row_count; }

    [[nodiscard]] std::size_t tiles() const noexcept { return m_kept.size(); }

    /// Columns of tile t.
    [[nodiscard]] std::size_t columns(std::size_t t) const noexcept {
        return std::min(m_cut.tile_columns, m_cut.columns - t * m_cut.tile_columns);
    }

    [[nodiscard]] std::size_t kept(std::size_t t) const noexcept { return m_kept[t]; }

    [[nodiscard]] tile_kind kind(std::size_t t) const noexcept {
        if (m_kept[t] == 0) {
            return tile_kind::empty;
        }
        return m_kept[t] == m_row_count * columns(t) ? tile_kind::full : tile_kind::partial;
    }

    /// Columns [c, c + 64) of row i of the band.
    [[nodiscard]] word_t word(std::size_t i, std::size_t c) const {
        const auto& cursor = m_cursors[i];
        const std::size_t end = std::min(c + word_columns, m_cut.columns);
        word_t bits = 0;
        for (std::size_t at = c; at < end;) {
            const stretch next = cursor.at(at);
            const std::size_t stop = std::min(next.end, end);
            if (next.kind != stretch_kind::dropped) {
                const word_t known =
                    next.kind == stretch_kind::kept ? ~word_t(0) : m_words.read(i, at);
                bits |= (known & first_bits(stop - at)) << (at - c);
            }
            at = stop;
        }
        return bits;
    }

private:
    /// Counts a row, and writes its words where they are wanted.
    struct row_delegate {
        static constexpr bool takes_any_range = true;

        tile_band& to;
        std::size_t i;

        void block(std::size_t c, std::size_t count, word_t bits) {
            to.m_counts.add(c, bits);
            if (to.m_wants_words) {
                to.m_words.write(i, c, count, bits);
            }
        }

        void kept(std::size_t c, std::size_t end) { to.m_counts.add(column_range{c, end}); }

        void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}
    };

    const MaskRows* m_rows;
    bool m_wants_words;
    tiling m_cut;
    std::vector<typename MaskRows::cursor> m_cursors;
    tile_counts m_counts;
    std::vector<std::size_t> m_kept;
    bit_rows m_words;
    std::size_t m_matrix = 0;
    std::size_t m_first = 0;
    std::size_t m_row_count = 0;
};
} // namespace detail

/// One tile of a mask, while the walk that gave it stands at its row of tiles.
template <class Band>
class mask_tile {
public:
    mask_tile(const Band& band, std::size_t number) noexcept
        : m_band(std::addressof(band)), m_number(number) {}

    [[nodiscard]] tile_kind kind() const noexcept { return m_band->kind(m_number); }

    /// How many of its elements are kept; it is known, and asking costs nothing.
    [[nodiscard]] std::size_t kept() const noexcept { return m_band->kept(m_number); }

    /// Which matrix of a stack it lies in, by row-major number of the leading axes.
    [[nodiscard]] std::size_t matrix() const noexcept { return m_band->matrix(); }

    /// Its first row and column, in the matrix.
    [[nodiscard]] std::size_t row() const noexcept { return m_band->row(); }

    [[nodiscard]] std::size_t column() const noexcept {
        return m_number * m_band->cut().tile_columns;
    }

    /// How many rows and columns it has.
    [[nodiscard]] std::size_t rows() const noexcept { return m_band->rows(); }

    [[nodiscard]] std::size_t columns() const noexcept { return m_band->columns(m_number); }

    /// 64 of its elements, from column c of its row i on: bit k says whether column c + k is kept.
    /// Bits past the tile are 0. No word of the mask is asked for twice.
    [[nodiscard]] word_t word(std::size_t i, std::size_t c = 0) const {
        return m_band->word(i, column() + c) & first_bits(columns() - c);
    }

private:
    const Band* m_band;
    std::size_t m_number;
};

/// A mask cut into tiles: a range of them, in row-major order. Made by tiles().
template <class CTM>
class mask_tiles {
    using mask_type = std::decay_t<CTM>;
    using rows_type = detail::mask_rows<mask_type>;

public:
    using band_type = detail::tile_band<rows_type>;

    class iterator {
    public:
        using value_type = mask_tile<band_type>;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator(std::unique_ptr<band_type> band, std::size_t bands)
            : m_band(std::move(band)), m_left(bands), m_bands(bands) {
            seek();
        }

        value_type operator*() const noexcept { return {*m_band, m_tile}; }

        iterator& operator++() {
            if (++m_tile == m_band->tiles()) {
                m_tile = 0;
                --m_left;
                seek();
            }
            return *this;
        }

        void operator++(int) { ++*this; }

        bool operator==(std::default_sentinel_t) const noexcept { return m_left == 0; }

    private:
        void seek() {
            if (m_left != 0) {
                m_band->seek(m_bands - m_left);
            }
        }

        std::unique_ptr<band_type> m_band; // tiles refer to it, wherever the iterator goes
        std::size_t m_tile = 0;
        std::size_t m_left;
        std::size_t m_bands;
    };

    /// Of the mask as it is.
    template <class M>
    mask_tiles(M&& m, std::size_t tile_rows, std::size_t tile_columns)
        : m_mask(std::forward<M>(m))
        , m_rows(m_mask, m_mask.shape())
        , m_cut(detail::tiling::of(m_mask.shape(), tile_rows, tile_columns)) {}

    /// Of a mask that is broadcast to a shape, cut as `cut` says.
    template <class M, class S>
    mask_tiles(M&& m, const S& shape, const detail::tiling& cut)
        : m_mask(std::forward<M>(m)), m_rows(m_mask, shape), m_cut(cut) {}

    // The rows look into the mask.
    mask_tiles(const mask_tiles&) = delete;
    mask_tiles& operator=(const mask_tiles&) = delete;

    [[nodiscard]] iterator begin() const {
        return {std::make_unique<band_type>(band()), size() == 0 ? 0 : rows()};
    }

    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// How many tiles there are, how many rows of them in all matrices, and how many in a row.
    [[nodiscard]] std::size_t size() const noexcept { return m_cut.tiles(); }

    [[nodiscard]] std::size_t rows() const noexcept { return m_cut.bands(); }

    [[nodiscard]] std::size_t columns() const noexcept { return m_cut.tiles_of_band(); }

    /// The extents of a tile; the last ones may be smaller.
    [[nodiscard]] std::size_t tile_rows() const noexcept { return m_cut.tile_rows; }

    [[nodiscard]] std::size_t tile_columns() const noexcept { return m_cut.tile_columns; }

    /// How many matrices of a stack end before a row of tiles.
    [[nodiscard]] std::size_t matrices_before(std::size_t tile_row) const noexcept {
        return tile_row / m_cut.bands_of_matrix();
    }

    /// For a walk of one's own: band.seek(number of a row of tiles) makes it that row. Each thread
    /// takes its own.
    [[nodiscard]] band_type band(bool wants_words = true) const {
        return band_type(m_rows, m_cut, wants_words);
    }

    /// How many tiles are full, partial and empty.
    [[nodiscard]] std::size_t count(tile_kind kind) const {
        std::size_t count = 0;
        band_type line = band(false);
        for (std::size_t r = 0; r < rows(); ++r) {
            line.seek(r);
            for (std::size_t t = 0; t < columns(); ++t) {
                count += line.kind(t) == kind;
            }
        }
        return count;
    }

private:
    CTM m_mask;
    rows_type m_rows;
    detail::tiling m_cut;
};

namespace detail {
/// A mask cut for a picture: at most `most_rows` x `most_columns` tiles of equal size, of one
/// element each where that fits. Folded rows may belong to several matrices of a stack.
template <mask_expression M>
mask_tiles<const M&> picture_tiles(const M& m, std::size_t most_rows, std::size_t most_columns) {
    const auto extent_of_tile = [](std::size_t extent, std::size_t most) {
        const std::size_t room = std::max<std::size_t>(most, 1);
        return std::max<std::size_t>(extent / room + (extent % room != 0), 1);
    };
    const std::size_t rows = m.size() == 0 ? 0 : rows_of(m.shape());
    const std::size_t height = extent_of_tile(rows, most_rows);
    const std::size_t width =
        extent_of_tile(m.size() == 0 ? 0 : columns_of(m.shape()), most_columns);
    tiling cut = tiling::of(m.shape(), height, width);
    if (height != 1 || rows == 0 || m.dimension() < 3) {
        cut.matrices = 1;
        cut.matrix_rows = rows;
    }
    return {m, m.shape(), cut};
}

/// How many tiles of each kind a picture has.
class tile_legend {
public:
    void count(tile_kind kind) { ++m_counts[static_cast<std::size_t>(kind)]; }

    [[nodiscard]] std::size_t operator[](tile_kind kind) const noexcept {
        return m_counts[static_cast<std::size_t>(kind)];
    }

private:
    std::array<std::size_t, 3> m_counts{};
};

/// Whether tiles are more than one element.
template <class Tiles>
bool is_folded(const Tiles& tiles) noexcept {
    return tiles.tile_rows() > 1 || tiles.tile_columns() > 1;
}
} // namespace detail

/// The mask cut into tiles of `rows` x `columns` of its last two axes: a range of tiles in
/// row-major order, each of which says whether it is full, partial or empty, where it lies, how
/// many elements it keeps, and their words. Leading axes are a stack of matrices; a row alone is a
/// matrix of one row. The last tiles of a matrix may be smaller.
///
/// Throws std::invalid_argument for tiles of no rows or no columns. What the mask knows of its rows
/// (of lengths, ranges, causal masks, windows, prefixes, segments and all that is combined of them)
/// is not looked at; other masks are asked for each word once. Memory for one row of tiles: a
/// number for each, and a bit for each element. A causal 65,536 x 65,536 in tiles of 64 x 64 is
/// walked in milliseconds. to_string and to_svg draw a tile as a character or square.
///
///     for (const auto tile : xmask::tiles(m, 64, 64))
///     {
///         if (tile.kind() == xmask::tile_kind::empty) { continue; }
///         std::cout << tile.row() << ' ' << tile.column() << ' ' << tile.kept() << '\n';
///     }
///     auto full = xmask::tiles(xmask::keep_causal(256, 256), 64, 64).count(xmask::tile_kind::full);    // 6
template <class M>
auto tiles(M&& m, std::size_t rows, std::size_t columns) {
    if constexpr (detail::require_mask<M>()) {
        if (rows == 0 || columns == 0) [[unlikely]] {
            detail::throw_invalid(
                "tiles", "tiles of ", rows, " x ", columns, " elements; expected 1 x 1 or more"
            );
        }
        return mask_tiles<detail::closure_t<M>>(std::forward<M>(m), rows, columns);
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// A mask as a picture in SVG, for documentation.

namespace xmask::inline XMASK_ABI {
/// What to_svg draws. Texts are UTF-8, and an empty one takes no room.
struct svg_options {
    std::string title = {};        // above the picture; also what a screen reader says
    std::string row_label = {};    // at the left, "queries"
    std::string column_label = {}; // above the columns, "keys"
    std::size_t rows = 64;         // at most as many squares; a larger mask is folded into tiles
    std::size_t columns = 64;
    std::size_t cell = 10; // the side of a square, in pixels
    bool legend = true;    // what each shade means, and how many squares have it
};

namespace detail {
/// Text as XML wants it; control characters, which XML has no place for, become spaces.
inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
        }
    }
    return out;
}

/// About as wide as a text of font size 12 is drawn, in pixels, and rather too wide: capitals take
/// more room than other letters, and characters of three bytes and more, as Chinese ones, a square.
/// UTF-8's continuation bytes take none.
inline std::size_t text_width(std::string_view text) {
    std::size_t width = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool continues = (byte & 0xC0) == 0x80;
        const bool capital = byte >= 'A' && byte <= 'Z';
        width += continues ? 0 : byte >= 0xE0 ? 12 : capital ? 9 : 7;
    }
    return width;
}

/// Draws a mask tile by tile. All numbers are whole pixels, so that edges are sharp and files
/// small.
template <class Tiles>
class svg_picture {
    static constexpr std::size_t line_height = 18;
    static constexpr std::size_t margin = 2;
    static constexpr std::size_t swatch = 10;

    // In the middle between black and white, so that both backgrounds show them.
    static constexpr const char* kept_color = "#3b82f6";
    static constexpr const char* text_color = "#76808b";
    static constexpr const char* empty_style = "fill=\"#808080\" fill-opacity=\".2\"";

public:
    svg_picture(const Tiles& tiles, const svg_options& options)
        : m_tiles(tiles)
        , m_options(options)
        , m_left(margin + (options.row_label.empty() ? 0 : line_height))
        , m_top(
              margin +
              line_height * (!options.title.empty() + std::size_t(!options.column_label.empty()))
          )
        , m_picture_width(m_tiles.columns() * options.cell)
        , m_picture_height(
              m_tiles.rows() == 0 ? 0 : y_of(m_tiles.rows() - 1) + options.cell - m_top
          ) {}

    [[nodiscard]] std::string text() {
        // In this order: what is drawn is counted for the legend, and each part takes its room.
        std::string body = frames();
        body += runs();
        body += is_folded(m_tiles) ? "" : grid();
        body += labels();
        body += key();
        std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(m_width) +
                          "\" height=\"" + number(m_height) + "\" viewBox=\"0 0 " +
                          number(m_width) + " " + number(m_height) +
                          "\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n";
        if (!m_options.title.empty()) {
            out += "<title>" + escaped(m_options.title) + "</title>\n";
        }
        return out + body + "</svg>\n";
    }

private:
    static std::string number(std::size_t value) { return std::to_string(value); }

    /// Where a row of tiles is drawn; matrices of a stack stand one square apart.
    [[nodiscard]] std::size_t y_of(std::size_t row) const {
        return m_top + (row + m_tiles.matrices_before(row)) * m_options.cell;
    }

    static std::string rect(std::size_t x, std::size_t y, std::size_t width, std::size_t height) {
        return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) +
               "\" height=\"" + number(height) + "\"/>\n";
    }

    static std::string group(const char* name, const std::string& style, const std::string& what) {
        if (what.empty()) {
            return what;
        }
        return std::string("<g class=\"") + name + "\" " + style +
               " shape-rendering=\"crispEdges\">\n" + what + "</g>\n";
    }

    static std::string style_of(tile_kind kind) {
        return "fill=\"" + std::string(kept_color) +
               (kind == tile_kind::partial ? "\" fill-opacity=\".5\"" : "\"");
    }

    /// Calls f(first row, last row) for each matrix of a stack.
    template <class F>
    void for_each_matrix(F&& f) const {
        for (std::size_t first = 0, r = 0; r < m_tiles.rows(); ++r) {
            if (r + 1 == m_tiles.rows() ||
                m_tiles.matrices_before(r + 1) != m_tiles.matrices_before(r)) {
                f(first, r);
                first = r + 1;
            }
        }
    }

    /// What lies behind each matrix: the shade of what is dropped.
    [[nodiscard]] std::string frames() const {
        std::string out;
        for_each_matrix([&](std::size_t first, std::size_t last) {
            const std::size_t height = y_of(last) + m_options.cell - y_of(first);
            out += rect(m_left, y_of(first), m_picture_width, height);
        });
        return group("empty", empty_style, out);
    }

    /// A rectangle for each run of full tiles, and of partial ones.
    [[nodiscard]] std::string runs() {
        std::string full;
        std::string partial;
        auto band = m_tiles.band(false);
        for (std::size_t r = 0; r < m_tiles.rows(); ++r) {
            band.seek(r);
            for (std::size_t begin = 0, end = 0; begin < band.tiles(); begin = end) {
                const tile_kind kind = band.kind(begin);
                for (; end < band.tiles() && band.kind(end) == kind; ++end) {
                    m_legend.count(kind);
                }
                if (kind != tile_kind::empty) {
                    const std::size_t width = (end - begin) * m_options.cell;
                    (kind == tile_kind::full ? full : partial) +=
                        rect(m_left + begin * m_options.cell, y_of(r), width, m_options.cell);
                }
            }
        }
        return group("full", style_of(tile_kind::full), full) +
               group("partial", style_of(tile_kind::partial), partial);
    }

    /// Lines between elements.
    [[nodiscard]] std::string grid() const {
        std::string path;
        for_each_matrix([&](std::size_t first, std::size_t last) {
            const std::size_t top = y_of(first);
            const std::size_t bottom = y_of(last) + m_options.cell;
            for (std::size_t y = top; y <= bottom; y += m_options.cell) {
                path += "M" + number(m_left) + " " + number(y) + "h" + number(m_picture_width);
            }
            for (std::size_t x = m_left; x <= m_left + m_picture_width; x += m_options.cell) {
                path += "M" + number(x) + " " + number(top) + "v" + number(bottom - top);
            }
        });
        if (path.empty()) {
            return path;
        }
        return "<path stroke=\"#808080\" stroke-opacity=\".4\" shape-rendering=\"crispEdges\" d=\"" +
               path + "\"/>\n";
    }

    /// Text whose lower left corner is at (x, y), or centred there, or turned to be read upwards.
    [[nodiscard]] static std::string words(
        std::size_t x, std::size_t y, const std::string& text, const std::string& attributes = ""
    ) {
        return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" fill=\"" + text_color + "\"" +
               attributes + ">" + escaped(text) + "</text>\n";
    }

    [[nodiscard]] std::string labels() {
        const std::string centred = " text-anchor=\"middle\"";
        std::string out;
        m_width = m_left + m_picture_width + margin;
        m_height = m_top + m_picture_height + margin;
        if (!m_options.title.empty()) {
            out += words(m_left, line_height - 4, m_options.title, " font-weight=\"bold\"");
            m_width =
                std::max(m_width, m_left + text_width(m_options.title) * 8 / 7 + margin); // bold
        }
        if (!m_options.column_label.empty()) {
            const std::size_t middle =
                m_left + std::max(m_picture_width, text_width(m_options.column_label)) / 2;
            out += words(middle, m_top - 5, m_options.column_label, centred);
            m_width = std::max(m_width, m_left + text_width(m_options.column_label) + margin);
        }
        if (!m_options.row_label.empty()) {
            const std::size_t middle =
                m_top + std::max(m_picture_height, text_width(m_options.row_label)) / 2;
            out += words(
                line_height - 5, middle, m_options.row_label,
                centred + " transform=\"rotate(-90 " + number(line_height - 5) + " " +
                    number(middle) + ")\""
            );
            m_height = std::max(m_height, m_top + text_width(m_options.row_label) + margin);
        }
        return out;
    }

    /// The legend: a square of each shade, below the picture, one a line.
    [[nodiscard]] std::string key() {
        if (!m_options.legend) {
            return "";
        }
        std::string squares;
        std::string texts;
        const auto line = [&](tile_kind kind, const std::string& text) {
            const std::size_t y = m_height + 4;
            squares += group("swatch", empty_style, rect(m_left, y, swatch, swatch));
            squares += kind == tile_kind::empty
                           ? ""
                           : group("swatch", style_of(kind), rect(m_left, y, swatch, swatch));
            texts += words(m_left + swatch + 6, y + swatch, text);
            m_height += line_height;
            m_width = std::max(m_width, m_left + swatch + 6 + text_width(text) + margin);
        };
        if (is_folded(m_tiles)) {
            const std::string tiles =
                " tiles of " + number(m_tiles.tile_rows()) + " x " + number(m_tiles.tile_columns());
            line(tile_kind::full, number(m_legend[tile_kind::full]) + " full" + tiles);
            line(tile_kind::partial, number(m_legend[tile_kind::partial]) + " partial");
            line(tile_kind::empty, number(m_legend[tile_kind::empty]) + " empty");
        } else {
            line(tile_kind::full, number(m_legend[tile_kind::full]) + " kept");
            line(tile_kind::empty, number(m_legend[tile_kind::empty]) + " dropped");
        }
        m_height += margin;
        return "<g class=\"legend\">\n" + squares + texts + "</g>\n";
    }

    const Tiles& m_tiles;
    const svg_options& m_options;
    std::size_t m_left;
    std::size_t m_top;
    std::size_t m_picture_width;
    std::size_t m_picture_height;
    std::size_t m_width = 0;
    std::size_t m_height = 0;
    tile_legend m_legend;
};

template <class Tiles>
std::string svg_text(const Tiles& tiles, const svg_options& options) {
    if (options.cell == 0) [[unlikely]] {
        throw_invalid("to_svg", "cell 0; expected squares of 1 pixel or more");
    }
    return svg_picture<Tiles>(tiles, options).text();
}
} // namespace detail

/// The mask as a picture: a small SVG that stands alone, for documentation, readable on light and
/// dark backgrounds.
///
/// Each row's kept columns are one rectangle a run, in the group of class "full". A mask of more
/// rows or columns than options say is folded into tiles of three shades: full, partial (in a group
/// of that class) and empty. Leading axes follow one another, matrices a square apart. Costs what
/// to_string costs. Throws std::invalid_argument for squares of 0 pixels.
///
///     std::ofstream file("causal.svg");
///     file << xmask::to_svg(xmask::keep_causal(8, 8), {.row_label = "queries", .column_label = "keys"});
template <class M>
std::string to_svg(const M& m, const svg_options& options = {}) {
    if constexpr (detail::require_mask<M>()) {
        return detail::svg_text(detail::picture_tiles(m, options.rows, options.columns), options);
    }
    return {};
}

/// Tiles as a picture, a square for each, however many there are; options.rows and options.columns
/// are not looked at. Otherwise as the picture of a mask.
///
///     std::string svg = xmask::to_svg(xmask::tiles(m, 64, 64), {.title = "what attention computes"});
template <class CTM>
std::string to_svg(const mask_tiles<CTM>& tiles, const svg_options& options = {}) {
    return detail::svg_text(tiles, options);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/text.hpp ====

#include <cstddef>
#include <ostream>
#include <string>

/// @file
/// A mask as a picture in text.

namespace xmask::inline XMASK_ABI {
/// How large a picture may be, in characters and lines. A larger mask is folded: a character then
/// stands for a tile.
struct text_options {
    std::size_t width = 80;
    std::size_t height = 40;
};

namespace detail {
[[nodiscard]] constexpr const char* character_of(tile_kind kind) noexcept {
    return kind == tile_kind::full ? "█" : kind == tile_kind::partial ? "▒" : "·";
}

/// What a character of a folded picture stands for, and how many there are of each.
template <class Tiles>
std::string legend_text(const Tiles& tiles, const tile_legend& legend) {
    std::string out = "(each character is a tile of " + std::to_string(tiles.tile_rows()) + " x " +
                      std::to_string(tiles.tile_columns()) + " elements:";
    struct entry {
        tile_kind kind;
        const char* name;
    };
    for (const auto& [kind, name] :
         {entry{tile_kind::full, " full,"}, entry{tile_kind::partial, " partial,"},
          entry{tile_kind::empty, " empty)\n"}}) {
        out.append(" ")
            .append(character_of(kind))
            .append(" ")
            .append(std::to_string(legend[kind]))
            .append(name);
    }
    return out;
}

/// A character for each tile, and what it stands for.
template <class Tiles>
std::string tiles_text(const Tiles& tiles) {
    std::string out;
    tile_legend legend;
    auto band = tiles.band(false);
    for (std::size_t r = 0; r < tiles.rows(); ++r) {
        if (r != 0 && tiles.matrices_before(r) != tiles.matrices_before(r - 1)) {
            out += '\n';
        }
        band.seek(r);
        for (std::size_t t = 0; t < band.tiles(); ++t) {
            out += character_of(band.kind(t));
            legend.count(band.kind(t));
        }
        out += '\n';
    }
    if (is_folded(tiles)) {
        out += legend_text(tiles, legend);
    }
    return out;
}
} // namespace detail

/// The mask as lines of characters, UTF-8: █ kept, · dropped. Leading axes follow one another,
/// matrices a blank line apart.
///
/// A mask of more columns or rows than fit is folded: a character is then a tile, █ kept whole, ▒
/// in part, · not at all, and a last line says how large a tile is and how many there are of each
/// kind. Each row's extent is looked at once, and not where the mask knows a range to be kept
/// whole: a causal window of 65,536 x 65,536 takes milliseconds.
///
///     std::cout << xmask::to_string(xmask::keep_lengths({3, 1}, 4));
///     // ███·
///     // █···
template <class M>
std::string to_string(const M& m, const text_options& options = {}) {
    if constexpr (detail::require_mask<M>()) {
        return detail::tiles_text(detail::picture_tiles(m, options.height, options.width));
    }
    return {};
}

/// Tiles as lines of characters, one for each, however many there are: █ full, ▒ partial, · empty;
/// and how many there are of each kind.
///
///     std::string picture = xmask::to_string(xmask::tiles(xmask::keep_causal(256, 256), 64, 64));
template <class CTM>
std::string to_string(const mask_tiles<CTM>& tiles) {
    return detail::tiles_text(tiles);
}

/// The elements of one tile: █ kept, · dropped.
///
///     std::string first = xmask::to_string(*xmask::tiles(xmask::keep_causal(9, 9), 2, 3).begin());
template <class Band>
std::string to_string(const mask_tile<Band>& tile) {
    std::string out;
    for (std::size_t i = 0; i < tile.rows(); ++i) {
        for (std::size_t c = 0; c < tile.columns(); ++c) {
            const bool kept = (tile.word(i, c) & 1) != 0;
            out += detail::character_of(kept ? tile_kind::full : tile_kind::empty);
        }
        out += '\n';
    }
    return out;
}

/// Draws tiles, as to_string does.
///
///     std::cout << xmask::tiles(xmask::keep_all({4, 6}), 2, 2);
template <class CTM>
std::ostream& operator<<(std::ostream& out, const mask_tiles<CTM>& tiles) {
    return out << to_string(tiles);
}

/// Draws one tile, as to_string does.
///
///     std::cout << *xmask::tiles(xmask::keep_causal(2, 3), 2, 2).begin();
///     // █·
///     // ██
template <class Band>
std::ostream& operator<<(std::ostream& out, const mask_tile<Band>& tile) {
    return out << to_string(tile);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/masks/tokens.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/masks/real_ids.hpp ====

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Ids of real numbers: codes, sentinels and labels that a file keeps as floats. They are looked up
/// by their bits, as integers are.

namespace xmask::inline XMASK_ABI::detail {
/// Whether T holds a number as it is. NaN is no number.
template <std::floating_point T, class U>
bool holds_exactly(U value) noexcept {
    if constexpr (std::integral<U>) {
        const auto bits = static_cast<std::uint64_t>(value);
        const std::uint64_t size = std::cmp_less(+value, 0) ? 0 - bits : bits;
        const int width = static_cast<int>(std::bit_width(size));
        return size == 0 || width - std::countr_zero(size) <= std::numeric_limits<T>::digits;
    } else if constexpr (std::numeric_limits<U>::digits > std::numeric_limits<T>::digits) {
        return std::isinf(value) ||
               (std::abs(value) <= static_cast<U>(std::numeric_limits<T>::max()) &&
                static_cast<U>(static_cast<T>(value)) == value);
    } else {
        return value == value;
    }
}

/// Ids, or one, of the tokens' own type. Those that the type can't hold are in no token, and left
/// out.
template <std::floating_point T, class I>
std::vector<T> real_ids_of(const I& ids) {
    std::vector<T> own;
    const auto add = [&](auto id) {
        if (holds_exactly<T>(id)) {
            own.push_back(static_cast<T>(id));
        }
    };
    if constexpr (std::is_arithmetic_v<I>) {
        add(ids);
    } else {
        std::for_each(ids.begin(), ids.end(), add);
    }
    return own;
}

/// The integer that has the bits of a real number, of both zeros those of +0; void where there is
/// none as wide.
template <class T>
using bits_of_real = std::conditional_t<
    !std::numeric_limits<T>::is_iec559, void,
    std::conditional_t<
        sizeof(T) == sizeof(std::uint32_t), std::uint32_t,
        std::conditional_t<sizeof(T) == sizeof(std::uint64_t), std::uint64_t, void>>>;

template <class T>
XMASK_INLINE bits_of_real<T> to_bits(T x) noexcept {
    return std::bit_cast<bits_of_real<T>>(x == T(0) ? T(0) : x);
}

/// A block of real numbers as their bits.
template <class T, class Block>
class block_of_bits {
    using bits = bits_of_real<T>;

public:
    explicit block_of_bits(const Block& block) noexcept : m_block(block) {}

    XMASK_INLINE bits at(std::size_t k) const noexcept { return to_bits<T>(m_block.at(k)); }

    XMASK_INLINE auto load(std::size_t k) const noexcept
        requires has_lanes<bits>
    {
        if constexpr (has_lanes<T>) {
            return bits_in(m_block.load(k));
        } else {
            return gathered(k, lane_count<bits>);
        }
    }

    XMASK_INLINE auto load_first(std::size_t k, std::size_t count) const noexcept
        requires has_lanes<bits>
    {
        if constexpr (has_lanes<T>) {
            return bits_in(m_block.load_first(k, count));
        } else {
            return gathered(k, count);
        }
    }

private:
    template <class V>
    XMASK_INLINE static lanes<bits> bits_in(const V& x) noexcept {
        const V zero(T(0));
        return xsimd::bitwise_cast<lane_t<bits>>(xsimd::select(x == zero, zero, x));
    }

    lanes<bits> gathered(std::size_t k, std::size_t count) const noexcept
        requires has_lanes<bits>
    {
        std::array<bits, lane_count<bits>> buffer{};
        for (std::size_t i = 0; i < count; ++i) {
            buffer[i] = at(k + i);
        }
        return load_lanes(buffer.data());
    }

    const Block& m_block;
};

/// The test of a token of a real type. NaN is equal to no id, and an id of NaN to no token.
template <std::floating_point T>
class real_ids {
    using bits = bits_of_real<T>;
    static constexpr bool by_bits = !std::is_void_v<bits>;

public:
    template <class I>
    explicit real_ids(const I& ids) : m_ids(real_ids_of<T>(ids)), m_lookup(lookup_of(m_ids)) {}

    /// In any order.
    [[nodiscard]] const std::vector<T>& ids() const noexcept { return m_ids; }

    bool operator()(T token) const noexcept {
        if constexpr (by_bits) {
            return m_lookup(to_bits<T>(token));
        } else {
            return token == token && std::binary_search(m_lookup.begin(), m_lookup.end(), token);
        }
    }

    /// Answers a block of a row.
    template <class Block, class Count>
    XMASK_INLINE word_t block(const Block& tokens, Count count) const {
        if constexpr (by_bits) {
            return m_lookup.block(block_of_bits<T, Block>(tokens), count);
        } else {
            word_t found = 0;
            for (std::size_t k = 0; k < count; ++k) {
                found |= word_t((*this)(tokens.at(k))) << k;
            }
            return found;
        }
    }

private:
    static auto lookup_of(std::vector<T> ids) {
        if constexpr (by_bits) {
            std::vector<bits> all(ids.size());
            std::transform(ids.begin(), ids.end(), all.begin(), to_bits<T>);
            return id_lookup<bits>(std::move(all));
        } else {
            std::sort(ids.begin(), ids.end());
            return ids;
        }
    }

    std::vector<T> m_ids;
    decltype(lookup_of(std::vector<T>())) m_lookup;
};

/// Whether I can stand for the ids of real tokens: a list or container of numbers, or one number.
template <class I>
consteval bool holds_real_ids() {
    using ids = std::remove_cvref_t<I>;
    if constexpr (std::is_arithmetic_v<ids>) {
        return !std::same_as<ids, bool>;
    } else if constexpr (expression<ids>) {
        return std::is_arithmetic_v<value_type_t<ids>> && !std::same_as<value_type_t<ids>, bool>;
    } else if constexpr (number_range<ids>) {
        return !std::same_as<std::ranges::range_value_t<ids>, bool>;
    } else {
        return false;
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Masks from token ids, integers or real numbers: padding, special tokens, a vocabulary to keep; sequences up to their end
/// marker; spans between markers.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The type of a tensor's tokens.
template <class X>
using token_t = std::remove_cv_t<value_type_t<X>>;

template <class T>
concept arithmetic = std::is_arithmetic_v<T>;

template <class X>
consteval bool holds_real_tokens() {
    if constexpr (expression<X> && !mask_expression<X>) {
        return std::is_floating_point_v<token_t<X>>;
    }
    return false;
}

template <class X, class... I>
consteval bool require_tokens() {
    if constexpr (holds_real_tokens<X>()) {
        constexpr bool numbers = (holds_real_ids<I>() && ...);
        static_assert(
            numbers,
            "xmask: ids of real tokens are numbers: one, a list, a container or a tensor of them."
        );
        return numbers;
    } else {
        constexpr bool integers =
            expression<X> && !mask_expression<X> && holds_integers<X>() && (holds_ids<I>() && ...);
        static_assert(
            integers,
            "xmask: tokens are a tensor of integers, and ids a list or container of integers; a tensor "
            "of real numbers takes ids of either."
        );
        return integers;
    }
}

/// The test of a token of type T against ids.
template <class T, class I>
auto make_token_test(I&& ids) {
    if constexpr (std::floating_point<T>) {
        return real_ids<T>(ids);
    } else {
        return make_id_test<T>(std::forward<I>(ids));
    }
}

/// The same of ids that can be gone through.
template <class T, class I>
auto make_marker_test(I&& ids) {
    if constexpr (std::floating_point<T>) {
        return real_ids<T>(ids);
    } else {
        return make_set_test<T>(std::forward<I>(ids));
    }
}

template <class X, class I>
auto make_tokens(const char* name, X&& tokens, I&& ids) {
    if constexpr (require_tokens<X, I>()) {
        return make_element_mask(
            name, std::forward<X>(tokens), make_token_test<token_t<X>>(std::forward<I>(ids))
        );
    }
}

/// Calls f(block, count) with the columns [c, c + 64) of a row, or as many as there are.
template <class Row, class F>
XMASK_INLINE auto with_block(Row& row, std::size_t c, std::size_t n, F&& f) {
    const std::size_t count = std::min(n - c, word_columns);
    const auto block = row.block(c, count, first_bits(count));
    return count == word_columns ? f(block, whole_word()) : f(block, count);
}

/// Gives each row's cursor, which is made of the tokens' row and whatever Finder knows.
template <class Finder, class Rows>
class marked_rows {
public:
    marked_rows(const Finder& finder, Rows rows, std::size_t n)
        : m_finder(&finder), m_rows(std::move(rows)), m_columns(n) {}

    [[nodiscard]] auto row(std::size_t r) const {
        return m_finder->cursor(m_rows.row(r), m_columns);
    }

private:
    const Finder* m_finder;
    Rows m_rows;
    std::size_t m_columns;
};

/// Rows that markers among the tokens divide; a Finder has cursor(row, columns).
template <class CTX, class Finder>
class marked_rule {
    using operand_type = std::decay_t<CTX>;

public:
    using shape_type = typename operand_type::inner_shape_type;

    static constexpr const char* name = Finder::name;

    template <class X>
    marked_rule(X&& tokens, Finder finder)
        : m_tokens(std::forward<X>(tokens)), m_finder(std::move(finder)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_tokens.shape(); }

    [[nodiscard]] auto sources() const noexcept { return std::tuple(read_anywhere(m_tokens)); }

    [[nodiscard]] auto rows() const {
        auto tokens = make_operand<token_t<operand_type>>(m_tokens, shape());
        return marked_rows<Finder, decltype(tokens)>(
            m_finder, std::move(tokens), columns_of(shape())
        );
    }

private:
    CTX m_tokens;
    Finder m_finder;
};

template <class X, class Finder>
auto make_marked(X&& tokens, Finder finder) {
    return mask(marked_rule<closure_t<X>, Finder>(std::forward<X>(tokens), std::move(finder)));
}

/// Keeps a row up to and with its first marker.
template <class Test>
class through_first {
public:
    static constexpr const char* name = "keep_through_first";

    explicit through_first(Test test) : m_test(std::move(test)) {}

    template <class Row>
    [[nodiscard]] range_cursor cursor(Row row, std::size_t n) const {
        for (std::size_t c = 0; c < n; c += word_columns) {
            const word_t found =
                with_block(row, c, n, [&](const auto& block, auto count) XMASK_INLINE_LAMBDA {
                    return m_test.block(block, count);
                });
            if (found != 0) {
                return range_cursor({0, c + lowest_bit(found) + 1});
            }
        }
        return range_cursor({0, n});
    }

private:
    Test m_test;
};

/// A row that keeps what lies between markers. It remembers how far it has read, so that words
/// asked in order cost one pass; one that lies before starts anew.
template <class Begin, class End, class Row>
class between_cursor {
public:
    between_cursor(const Begin& begin, const End& end, Row row, std::size_t n)
        : m_begin(&begin), m_end(&end), m_row(std::move(row)), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const {
        if (c < m_next) {
            m_next = 0;
            m_inside = false;
        }
        while (m_next < c) {
            read(std::min(c, m_next + word_columns));
        }
        return read(std::min(m_columns, c + word_columns));
    }

private:
    /// The word of the columns from the next one up to `stop`, at most 64.
    word_t read(std::size_t stop) const {
        word_t begins = 0;
        word_t ends = 0;
        with_block(m_row, m_next, stop, [&](const auto& block, auto count) XMASK_INLINE_LAMBDA {
            begins = m_begin->block(block, count);
            ends = m_end->block(block, count);
            return 0;
        });
        // What an addition carries runs on from each begin up to the next end.
        const word_t between = ~ends;
        const word_t from = (begins | word_t(m_inside)) & between;
        const word_t reached = (((from + between) ^ between) | from) & between;
        const std::size_t count = stop - m_next;
        m_inside = (reached >> (count - 1) & 1) != 0;
        m_next = stop;
        return reached & ~begins & first_bits(count);
    }

    const Begin* m_begin;
    const End* m_end;
    mutable Row m_row; // a row over anything but memory keeps a buffer
    std::size_t m_columns;
    mutable std::size_t m_next = 0;
    mutable bool m_inside = false;
};

/// Keeps what lies between begin and end markers.
template <class Begin, class End>
class between_markers {
public:
    static constexpr const char* name = "keep_between_markers";

    between_markers(Begin begin, End end) : m_begin(std::move(begin)), m_end(std::move(end)) {
        for (const auto id : m_begin.ids()) {
            if (m_end(id)) [[unlikely]] {
                throw_invalid(
                    name, "id ", +id,
                    " is among the begin markers and among the end markers; an id marks a "
                    "begin or an end, not both"
                );
            }
        }
    }

    template <class Row>
    [[nodiscard]] auto cursor(Row row, std::size_t n) const {
        return between_cursor<Begin, End, Row>(m_begin, m_end, std::move(row), n);
    }

private:
    Begin m_begin;
    End m_end;
};

template <class X, class I>
auto make_through_first(X&& tokens, I&& ids) {
    if constexpr (require_tokens<X, I>()) {
        auto test = make_token_test<token_t<X>>(std::forward<I>(ids));
        return make_marked(std::forward<X>(tokens), through_first<decltype(test)>(std::move(test)));
    }
}

template <class X, class B, class E>
auto make_between_markers(X&& tokens, B&& begin, E&& end) {
    if constexpr (require_tokens<X, B, E>()) {
        auto begins = make_marker_test<token_t<X>>(std::forward<B>(begin));
        auto ends = make_token_test<token_t<X>>(std::forward<E>(end));
        using finder = between_markers<decltype(begins), decltype(ends)>;
        return make_marked(std::forward<X>(tokens), finder(std::move(begins), std::move(ends)));
    }
}
} // namespace detail

/// Keeps the tokens that are among `ids`.
///
/// tokens: a tensor or lazy expression of integers or real numbers, whose shape is the mask's; an
/// lvalue is held by reference. ids: one id, a list, container or tensor of integers, which is
/// copied, or an id_set, which is held by reference if it is an lvalue; of real tokens, integers or
/// real numbers. Tokens and ids are compared exactly, as numbers: an id that the tokens' type can't
/// hold is in none, as 0.1 is in no float; -0 is 0, and NaN equals nothing, NaN included
/// (keep_not_nan finds it). Up to about 8 ids cost about as much as copying the
/// tokens; more cost three instructions a token, one of them a look into a table.
///
///     const xt::xtensor<int, 1> tokens = {101, 7, 8, 102};
///     auto m = xmask::keep_tokens(tokens, {101, 102});    // 1 0 0 1
///     const xt::xtensor<float, 1> codes = {-999.f, 0.5f};
///     auto known = xmask::drop_tokens(codes, -999);    // 0 1
template <class X, class I>
auto keep_tokens(X&& tokens, I&& ids) {
    return detail::make_tokens("keep_tokens", std::forward<X>(tokens), std::forward<I>(ids));
}

template <expression X, class I>
auto keep_tokens(X& tokens XMASK_LIFETIMEBOUND, I&& ids) {
    return detail::make_tokens("keep_tokens", tokens, std::forward<I>(ids));
}

template <class X, detail::arithmetic T>
auto keep_tokens(X&& tokens, std::initializer_list<T> ids) {
    return detail::make_tokens("keep_tokens", std::forward<X>(tokens), ids);
}

/// Drops the tokens that are among `ids`, and keeps all others. Otherwise as keep_tokens.
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 0, 0};
///     auto m = xmask::drop_tokens(tokens, {0});    // 1 1 0 0
template <class X, class I>
auto drop_tokens(X&& tokens, I&& ids) {
    return detail::complement(
        "drop_tokens",
        detail::make_tokens("keep_tokens", std::forward<X>(tokens), std::forward<I>(ids))
    );
}

template <expression X, class I>
auto drop_tokens(X& tokens XMASK_LIFETIMEBOUND, I&& ids) {
    return detail::complement("drop_tokens", keep_tokens(tokens, std::forward<I>(ids)));
}

template <class X, detail::arithmetic T>
auto drop_tokens(X&& tokens, std::initializer_list<T> ids) {
    return detail::complement(
        "drop_tokens", detail::make_tokens("keep_tokens", std::forward<X>(tokens), ids)
    );
}

/// Keeps each row up to and with the first of its tokens that is among `ids`; the whole row where
/// none is.
///
/// tokens and ids: as keep_tokens takes them. Each row is read once, up to its first marker, when
/// an operation comes to it; the words after that cost a shift.
///
///     const xt::xtensor<int, 1> tokens = {5, 6, 2, 0, 2};
///     auto m = xmask::keep_through_first(tokens, 2);
///     // 1 1 1 0 0
template <class X, class I>
auto keep_through_first(X&& tokens, I&& ids) {
    return detail::make_through_first(std::forward<X>(tokens), std::forward<I>(ids));
}

template <class X, detail::arithmetic T>
auto keep_through_first(X&& tokens, std::initializer_list<T> ids) {
    return detail::make_through_first(std::forward<X>(tokens), ids);
}

/// Keeps what lies after a begin marker and before the next end marker; a span without an end goes
/// on to the row's end. No marker is kept, wherever it stands: a begin inside of a span, or an end
/// outside of one, is only dropped.
///
/// tokens: as keep_tokens takes them. begin, end: one id, a list, container, tensor or id_set.
/// Throws std::invalid_argument, naming the id, if a token could be a begin and an end. Words in
/// the order of the columns cost two look-ups a token; one asked out of order reads its row anew.
///
///     const xt::xtensor<int, 1> tokens = {7, 1, 5, 6, 2, 8, 1, 9};
///     auto m = xmask::keep_between_markers(tokens, 1, 2);
///     // 0 0 1 1 0 0 0 1
template <class X, class B, class E>
auto keep_between_markers(X&& tokens, B&& begin, E&& end) {
    return detail::make_between_markers(
        std::forward<X>(tokens), std::forward<B>(begin), std::forward<E>(end)
    );
}

template <class X, detail::arithmetic T, detail::arithmetic U>
auto keep_between_markers(
    X&& tokens, std::initializer_list<T> begin, std::initializer_list<U> end
) {
    return detail::make_between_markers(std::forward<X>(tokens), begin, end);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/binary.hpp ====

#include <cmath>

// ==== xmask/reduce/element_loss.hpp ====

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/reduce/element_sum.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/reduce/accumulate.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

/// @file
/// Sums over what a mask keeps: accumulated in double, or in 64-bit integers, whatever the elements
/// are.

namespace xmask::inline XMASK_ABI::detail {
/// What elements of T are summed in.
template <class T>
using sum_t = std::conditional_t<
    std::is_floating_point_v<T>, std::conditional_t<(sizeof(T) > sizeof(double)), T, double>,
    std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;

/// A sum of 64-bit integers that does not wrap: exact for up to 2^32 of them. It is kept in two
/// halves, which compilers add in registers; one number of 128 bits they would not.
template <class T>
class split_sum {
    static constexpr int half = 32;

public:
    split_sum() = default;

    split_sum(T x) noexcept // NOLINT: a sum of one
        : m_low(static_cast<std::uint64_t>(x) & 0xffffffff)
        , m_high(static_cast<std::uint64_t>(x >> half)) {}

    split_sum& operator+=(const split_sum& other) noexcept {
        m_low += other.m_low;
        m_high += other.m_high;
        return *this;
    }

    /// The nearest real number, or one beside it.
    template <class R>
        requires std::is_floating_point_v<R>
    explicit operator R() const noexcept {
        return static_cast<R>(static_cast<T>(m_high)) * static_cast<R>(std::uint64_t(1) << half) +
               static_cast<R>(m_low);
    }

private:
    std::uint64_t m_low = 0;
    std::uint64_t m_high = 0; // wraps as T does
};

/// What elements of T are summed in where the sum is no result, but a mean or more is made of it: it
/// must not wrap.
template <class T>
using unwrapped_sum_t = std::conditional_t<
    std::is_integral_v<T> && sizeof(T) == sizeof(std::uint64_t), split_sum<sum_t<T>>, sum_t<T>>;

/// Adds to a sum; 64-bit integers wrap around, as their sums do.
template <class Sum, class X>
XMASK_INLINE void add_to(Sum& to, const X& x) noexcept {
    if constexpr (std::is_integral_v<Sum> && std::is_signed_v<Sum>) {
        using bits = std::make_unsigned_t<Sum>;
        to = static_cast<Sum>(static_cast<bits>(to) + static_cast<bits>(x));
    } else {
        to += x;
    }
}

/// Adds registers of T in double.
template <class T>
class register_sum {
public:
    XMASK_INLINE void add(const lanes<T>& x) noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            m_sums[0] += wide[0];
            m_sums[1] += wide[1];
        } else {
            m_sums[0] += x;
        }
    }

    /// Adds the registers term(0), term(1), ... of a whole word. They are added up among themselves
    /// first, so that one word need not wait for the last. Exact: floats are widened one by one,
    /// and only the final rounding of a sum is left. Otherwise four by four, after two additions in
    /// float: for terms that were rounded themselves.
    template <bool Exact, class Term>
    XMASK_INLINE void add_word(Term&& term) noexcept {
        constexpr std::size_t registers = word_columns / lane_count<T>;
        if constexpr (std::is_same_v<T, float>) {
            constexpr std::size_t at_once = Exact ? 1 : 4;
            const auto next = [&](std::size_t i) XMASK_INLINE_LAMBDA {
                if constexpr (Exact) {
                    return widen(term(i));
                } else {
                    return widen(sum_of_four(term, i));
                }
            };
            auto wide = next(0);
            [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
                (add_wide(wide, next((I + 1) * at_once)), ...);
            }(std::make_index_sequence<registers / at_once - 1>());
            m_sums[0] += wide[0];
            m_sums[1] += wide[1];
        } else {
            auto even = term(0);
            auto odd = term(1);
            [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
                ((even += term(2 * I + 2), odd += term(2 * I + 3)), ...);
            }(std::make_index_sequence<registers / 2 - 1>());
            m_sums[0] += even;
            m_sums[1] += odd;
        }
    }

    [[nodiscard]] double total() const noexcept { return xsimd::reduce_add(m_sums[0] + m_sums[1]); }

private:
    XMASK_INLINE static void add_wide(
        std::array<lanes<double>, 2>& to, const std::array<lanes<double>, 2>& more
    ) noexcept {
        to[0] += more[0];
        to[1] += more[1];
    }

    template <class Term>
    XMASK_INLINE static auto sum_of_four(const Term& term, std::size_t i) noexcept {
        // In the order of memory, which prefetching follows: operands of + have none.
        const auto a = term(i);
        const auto b = term(i + 1);
        const auto c = term(i + 2);
        const auto d = term(i + 3);
        return (a + b) + (c + d);
    }

    std::array<lanes<double>, 2> m_sums{lanes<double>(0.), lanes<double>(0.)};
};

/// Whether sums of T go through registers.
template <class T>
inline constexpr bool sums_in_registers =
    has_lanes<T> && (std::is_same_v<T, float> || std::is_same_v<T, double>);

/// Adds term(k, full) for each register of a block; term gives 0 in lanes that don't count.
template <class T, bool Exact, class Count, class Term>
XMASK_INLINE void add_block(register_sum<T>& sum, Count count, Term&& term) {
    if constexpr (std::is_same_v<Count, whole_word>) {
        sum.template add_word<Exact>([&](std::size_t i) XMASK_INLINE_LAMBDA {
            return term(i * lane_count<T>, std::true_type());
        });
    } else {
        for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            sum.add(term(k, full));
        });
    }
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/loss.hpp ====

#include <cmath>
#include <type_traits>
#include <utility>

// ==== xmask/reduce/when_empty.hpp ====

#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <type_traits>

/// @file
/// What a result is where nothing is kept: one answer for reductions, pooling and losses.

namespace xmask::inline XMASK_ABI {
/// What a result is where nothing is kept. Each reduction says what it is unless asked: a sum 0, a
/// mean NaN.
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

/// The position where nothing is kept: 0 if asked for.
inline std::size_t position_of_nothing(const char* function, std::optional<when_empty> empty) {
    if (empty == when_empty::zero) {
        return 0;
    }
    throw std::domain_error(message(function, "nothing is kept, so there is no position"));
}

/// The same for results without a neutral element.
template <class R>
R when_nothing_kept(const char* function, std::optional<when_empty> empty) {
    return when_nothing_kept<R>(function, empty.value_or(when_empty::nan), R());
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

/// @file
/// What a loss returns, and how it writes its gradient.

namespace xmask::inline XMASK_ABI {
/// The sum of a loss over what is kept, the weight that it is of, and the number of elements:
/// without weights these are equal; with weights, `weight` is their sum. Losses of parts
/// (micro-batches, ranks) add up to the loss of the whole.
///
///     xmask::loss total;
///     total += xmask::masked_mse(x, y, m);
///     total += xmask::masked_mse(y, z, xmask::keep_above(z, 1));
///     double mean = total.mean();    // over all kept elements, not a mean of means
struct loss {
    double sum = 0;
    double weight = 0;
    double count = 0; ///< how many elements (or positions) count, whatever their weights

    /// sum / weight; where the weight is 0, what `empty` says (std::domain_error for raise).
    [[nodiscard]] double mean(when_empty empty = when_empty::nan) const {
        return weight != 0 ? sum / weight : detail::when_nothing_kept<double>("loss::mean", empty);
    }

    /// sum / count: a weighted loss over the number of elements, not over the sum of their weights,
    /// as the "mean" of PyTorch's mse_loss and binary_cross_entropy with weights.
    ///
    ///     xmask::loss l = xmask::masked_mse(x, y, xmask::weighted(m, weights));
    ///     double mean = l.mean_by_count();
    [[nodiscard]] double mean_by_count(when_empty empty = when_empty::nan) const {
        return count != 0 ? sum / count
                          : detail::when_nothing_kept<double>("loss::mean_by_count", empty);
    }

    loss& operator+=(const loss& other) noexcept {
        sum += other.sum;
        weight += other.weight;
        count += other.count;
        return *this;
    }

    friend loss operator+(loss a, const loss& b) noexcept { return a += b; }

    /// A loss is no number: this fails to compile, and says what to write.
    template <class T>
        requires std::is_arithmetic_v<T>
    operator T() const {
        constexpr bool is_number = !std::is_arithmetic_v<T>;
        static_assert(
            is_number,
            "xmask: a loss is a sum and a weight; write l.mean() for their quotient, or l.sum."
        );
        return T();
    }

    /// Prints the mean, the sum and the weight.
    ///
    ///     std::cout << xmask::loss{6, 4};    // mean 1.5, sum 6, weight 4
    template <class Stream>
        requires requires(Stream& out) { out.rdbuf()->pubsync(); }
    friend Stream& operator<<(Stream& out, const loss& l) {
        out << "mean " << l.mean() << ", sum " << l.sum << ", weight " << l.weight;
        return out;
    }
};

/// A container for a gradient, and the factor that it is written with.
template <class E>
struct scaled_gradient {
    E& container;
    double scale;
};

/// Has a loss write its gradient times `scale`: 1 / weight for the gradient of the mean, where that
/// is known. Throws std::invalid_argument for a factor of NaN.
///
///     auto kept = static_cast<double>(xmask::count_kept(m));
///     xmask::masked_mse(prediction, target, m, xmask::scaled(gradient, 1 / kept));
template <class E>
    requires expression<E>
scaled_gradient<E> scaled(E& container, double scale) {
    if (std::isnan(scale)) [[unlikely]] {
        detail::throw_invalid("scaled", "factor ", scale, "; expected a number");
    }
    return {container, scale};
}

/// A container for the gradient of a loss's mean.
template <class E>
struct mean_gradient {
    E& container;
};

/// Has a loss write the gradient of its mean, `loss::mean()`, in place of that of its sum.
///
/// Cost: the weight is found first, in a pass over the mask, as count_kept; weights are added up in a
/// pass over them. Where the weight is 0, the gradient is 0.
///
/// @param container  a tensor or a view, not const, which the loss gives the prediction's shape; held
///                   by reference
/// @returns          the last argument of a loss, or of masked_loss
///
///     xmask::loss l = xmask::masked_mse(prediction, target, m, xmask::of_mean(gradient));
///     prediction -= 0.1f * gradient;    // a step of training, however much is kept
template <class E>
    requires expression<E>
mean_gradient<E> of_mean(E& container) noexcept {
    return {container};
}

namespace detail {
/// Stands for a gradient that nobody asked for.
struct no_gradient {};

template <class G>
struct gradient_traits {
    using container = std::remove_reference_t<G>;

    static container& target(container& gradient) noexcept { return gradient; }

    static double scale(const container& /*gradient*/) noexcept { return 1; }
};

template <class E>
struct gradient_traits<scaled_gradient<E>> {
    using container = E;

    static E& target(const scaled_gradient<E>& gradient) noexcept { return gradient.container; }

    static double scale(const scaled_gradient<E>& gradient) noexcept { return gradient.scale; }
};

template <class E>
struct gradient_traits<const scaled_gradient<E>> : gradient_traits<scaled_gradient<E>> {};

/// Its scale is known where the weight is: with_gradient makes a scaled_gradient of it.
template <class E>
struct gradient_traits<mean_gradient<E>> {
    using container = E;

    static E& target(const mean_gradient<E>& gradient) noexcept { return gradient.container; }
};

template <class E>
struct gradient_traits<const mean_gradient<E>> : gradient_traits<mean_gradient<E>> {};

/// Whether the gradient of the mean is asked for.
template <class G>
inline constexpr bool of_the_mean = false;

template <class E>
inline constexpr bool of_the_mean<mean_gradient<E>> = true;
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/weighted.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// What counts in a loss, a sum or a mean, and how much: a mask and weights together.

namespace xmask::inline XMASK_ABI {
/// A mask whose kept elements have weights; made by weighted() and balanced().
template <class CTM, class CTW>
class weighted_mask {
public:
    static constexpr bool holds_weights = true;

    template <class M, class W>
    weighted_mask(M&& m, W&& weights)
        : m_mask(std::forward<M>(m)), m_weights(std::forward<W>(weights)) {}

    [[nodiscard]] const std::decay_t<CTM>& mask() const& noexcept { return m_mask; }

    [[nodiscard]] CTM&& mask() && noexcept { return static_cast<CTM&&>(m_mask); }

    [[nodiscard]] const std::decay_t<CTW>& weights() const& noexcept { return m_weights; }

    [[nodiscard]] CTW&& weights() && noexcept { return static_cast<CTW&&>(m_weights); }

private:
    CTM m_mask;
    CTW m_weights;
};

namespace detail {
template <class T>
struct is_weighted_mask : std::false_type {};

template <class CTM, class CTW>
struct is_weighted_mask<weighted_mask<CTM, CTW>> : std::true_type {};
} // namespace detail

/// Whether M is a mask with weights.
template <class M>
concept weighted_mask_expression = detail::is_weighted_mask<std::remove_cvref_t<M>>::value;

namespace detail {
template <class M, class W>
auto make_weighted(M&& m, W&& weights) {
    return weighted_mask<closure_t<M>, closure_t<W>>(std::forward<M>(m), std::forward<W>(weights));
}

template <class W>
consteval bool require_weights() {
    static_assert(
        weight_expression<W>, "xmask: weights are a tensor (or lazy expression) of real numbers."
    );
    return weight_expression<W>;
}

/// Fails to compile, with one sentence, where what counts is not said by a mask or weights.
template <class M>
consteval bool require_counted() {
    if constexpr (weighted_mask_expression<M>) {
        return true;
    } else {
        return require_mask_or_weights<M>();
    }
}
} // namespace detail

/// What a loss, masked_sum and masked_mean count: what the mask keeps, each element by its weight.
/// What is dropped is not seen, neither there nor in the weights.
///
/// weights: real numbers, a tensor or a lazy expression. Both broadcast into the operand. The
/// loss's weight is the sum of the weights that are kept. Lvalues are held by reference.
///
///     double mean = xmask::masked_mse(p, t, xmask::weighted(m, weights)).mean();
///     float by_weight = xmask::masked_mean(x, xmask::weighted(m, weights));
template <class M, class W>
auto weighted(M&& m, W&& weights) {
    if constexpr (detail::require_mask<M>() && detail::require_weights<W>()) {
        return detail::make_weighted(std::forward<M>(m), std::forward<W>(weights));
    }
}

/// A mask each of whose rows weighs 1 in all, however much it keeps: the loss's mean is then the
/// mean of its rows' means, and so is the mean of several losses added up. Rows that keep nothing
/// do not count. With `axes` (a number or a list, negative ones counted from the end), what is kept
/// along them weighs 1.
///
/// Holds one number a row. Throws as count_kept does.
///
///     xmask::loss l = xmask::masked_mse(p, t, xmask::balanced(m), gradient);
///     double mean_of_means = l.mean();
template <class M, detail::axes_argument A>
auto balanced(M&& m, const A& axes) {
    if constexpr (detail::require_mask<M>()) {
        const auto counts = detail::ask_along<std::size_t>("balanced", m, axes, std::identity());
        // The mask's shape with 1 along the axes.
        std::vector<std::size_t> shape(m.shape().begin(), m.shape().end());
        const auto reduce = [&](auto axis) {
            if (shape.empty()) {
                return;
            }
            const auto from_end = static_cast<std::ptrdiff_t>(shape.size());
            const auto at = static_cast<std::ptrdiff_t>(axis);
            shape[static_cast<std::size_t>(at < 0 ? at + from_end : at)] = 1;
        };
        if constexpr (std::integral<A>) {
            reduce(axes);
        } else {
            std::ranges::for_each(axes, reduce);
        }
        auto weights = xt::xarray<double>::from_shape(shape);
        std::ranges::transform(counts, weights.data(), [](std::size_t count) {
            return count == 0 ? 0. : 1. / static_cast<double>(count);
        });
        return detail::make_weighted(std::forward<M>(m), std::move(weights));
    }
}

template <class M>
auto balanced(M&& m, std::initializer_list<std::ptrdiff_t> axes) {
    return balanced(std::forward<M>(m), std::vector<std::ptrdiff_t>(axes));
}

template <class M>
auto balanced(M&& m) {
    return balanced(std::forward<M>(m), -1);
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// The sum of an element-wise function over what a mask keeps, or times real weights; with its
/// derivative in the same pass. A function F has `value(x...)`, and for a gradient
/// `derivative(x...)` by its first argument; both take numbers, and, to be fast, registers of them.

namespace xmask::inline XMASK_ABI::detail {
/// The function of a plain sum.
struct identity {
    template <class V>
    XMASK_INLINE V value(const V& x) const noexcept {
        return x;
    }
};

/// A function times real weights, which come before its arguments.
template <class F>
struct weighted {
    F function;

    template <class W, class... V>
        requires requires(const F& f, const V&... x) { f.value(x...); }
    XMASK_INLINE W value(const W& w, const V&... x) const {
        return w * static_cast<W>(function.value(x...));
    }

    template <class W, class... V>
    XMASK_INLINE W derivative(const W& w, const V&... x) const {
        return w * static_cast<W>(function.derivative(x...));
    }
};

/// Whether F takes and gives registers of T. A function of plain numbers is called for one element
/// at a time.
template <class F, class T, class... Row>
consteval bool takes_registers() {
    if constexpr (sums_in_registers<T>) {
        return requires(const F& f, const lanes<T>& x) {
            { f.value((static_cast<void>(sizeof(Row)), x)...) } -> std::convertible_to<lanes<T>>;
        };
    } else {
        return false;
    }
}

/// Whether the terms of F are elements as they are, so that nothing but their sum may round.
template <class F>
inline constexpr bool adds_exactly = std::is_same_v<F, identity>;

/// A sum of terms of type T, the weight it is of, and the number of terms.
template <class T, class Sum = sum_t<T>>
struct weighted_sum {
    Sum sum = 0;
    double weight = 0;
    double count = 0;

    weighted_sum& operator+=(const weighted_sum& other) noexcept {
        add_to(sum, other.sum);
        weight += other.weight;
        count += other.count;
        return *this;
    }
};

/// Collects terms of type T, by registers where they have them.
template <class T, class Sum = sum_t<T>>
class term_sum {
public:
    template <bool Exact, class Count, class Term>
    XMASK_INLINE void add_registers(Count count, Term&& term) {
        add_block<T, Exact>(m_registers, count, term);
    }

    void add(Sum term) noexcept { add_to(m_scalars, term); }

    void add_count(std::size_t count) noexcept { m_count += count; }

    [[nodiscard]] weighted_sum<T, Sum> total() const noexcept {
        const auto count = static_cast<double>(m_count);
        if constexpr (sums_in_registers<T>) {
            return {m_scalars + m_registers.total(), count, count};
        } else {
            return {m_scalars, count, count};
        }
    }

private:
    struct nothing {};

    std::conditional_t<sums_in_registers<T>, register_sum<T>, nothing> m_registers;
    Sum m_scalars = 0;
    std::size_t m_count = 0;
};

/// A function of the blocks of several operands: its values, and its derivatives.
template <class T, class F, class... Block>
class term_block {
public:
    static constexpr bool in_registers = takes_registers<F, T, Block...>();
    static constexpr bool exact = adds_exactly<F>;

    term_block(const F& function, zip_block<Block...> operands)
        : m_function(&function), m_operands(operands) {}

    T value(std::size_t k) const {
        return m_operands.at(k, [&](const auto&... x) {
            return static_cast<T>(m_function->value(x...));
        });
    }

    T derivative(std::size_t k) const {
        return m_operands.at(k, [&](const auto&... x) {
            return static_cast<T>(m_function->derivative(x...));
        });
    }

    template <bool Full>
    XMASK_INLINE lanes<T> value_register(std::size_t k, std::size_t count) const {
        return m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
            return m_function->value(x...);
        });
    }

    template <bool Full>
    XMASK_INLINE lanes<T> derivative_register(std::size_t k, std::size_t count) const {
        return m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
            return m_function->derivative(x...);
        });
    }

private:
    const F* m_function;
    zip_block<Block...> m_operands;
};

template <class T, class F, class... Row>
class term_row {
public:
    term_row(const F& function, zip_row<Row...> rows)
        : m_function(function), m_rows(std::move(rows)) {}

    XMASK_INLINE term_block<T, F, block_t<Row>...> block(
        std::size_t c, std::size_t count, word_t bits
    ) {
        return {m_function, m_rows.block(c, count, bits)};
    }

private:
    F m_function;
    zip_row<Row...> m_rows;
};

template <class T, class F, class... Row>
inline constexpr bool reads_freely<term_row<T, F, Row...>> =
    term_block<T, F, block_t<Row>...>::in_registers && (reads_freely<Row> && ...);

template <class T, class F, class... Rows>
class term_rows {
public:
    explicit term_rows(const F& function, Rows... rows)
        : m_function(function), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return term_row<T, F, row_t<Rows>...>(m_function, m_rows.row(r));
    }

    [[nodiscard]] bool flat(std::size_t n) const noexcept { return m_rows.flat(n); }

    /// How the terms are walked. Words that lie across rows are added exactly; terms that are not
    /// may only be packed where no row holds a whole word.
    template <class Masks>
    [[nodiscard]] row_layout layout(const Masks& masks, bool flat_rows, std::size_t n) const {
        if constexpr (adds_exactly<F>) {
            return layout_of(masks, flat_rows);
        } else {
            return flat_rows && n < word_columns ? row_layout::packed : row_layout::separate;
        }
    }

private:
    F m_function;
    zip_rows<Rows...> m_rows;
};

template <class T, class F, class... Rows>
auto make_terms(const F& f, Rows... rows) {
    return term_rows<T, F, Rows...>(f, std::move(rows)...);
}

/// Whether words of a row may hold columns of several rows.
template <class Cursor>
inline constexpr bool joins_rows = std::is_same_v<Cursor, words_cursor>;

/// Adds what a block keeps. Where not Exact, words that are kept whole are added up four registers
/// at a time: what a row adds depends on its own columns only, not on how many are padded or on
/// what lies before and behind it.
template <bool Exact, class T, class Sum, class Block, class Count>
XMASK_INLINE void add_terms(term_sum<T, Sum>& sum, const Block& terms, Count count, word_t bits) {
    sum.add_count(count_bits(bits));
    if constexpr (Block::in_registers) {
        // Where all is kept, only a partial register needs selection: it holds 0 past its end,
        // which the function need not map to 0.
        if (bits == first_bits(count)) {
            sum.template add_registers<Exact>(
                count,
                [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    const auto x = terms.template value_register<full>(k, count - k);
                    if constexpr (full) {
                        return x;
                    } else {
                        return zero_unless<T>(bits, k, x);
                    }
                }
            );
            return;
        }
        sum.template add_registers<true>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            return zero_unless<T>(bits, k, terms.template value_register<full>(k, count - k));
        });
    } else if (bits == ~word_t(0)) {
        for (std::size_t k = 0; k < word_columns; ++k) {
            sum.add(static_cast<sum_t<T>>(terms.value(k)));
        }
    } else {
        for (; bits != 0; bits &= bits - 1) {
            sum.add(static_cast<sum_t<T>>(terms.value(lowest_bit(bits))));
        }
    }
}

/// Sums the terms of a row.
template <bool Exact, class T, class Sum, class Row>
class sum_delegate {
public:
    /// The sum is held here while it grows, so that it stays in registers.
    sum_delegate(const term_sum<T, Sum>& sum, Row row) : m_sum(sum), m_row(std::move(row)) {}

    [[nodiscard]] const term_sum<T, Sum>& sum() const noexcept { return m_sum; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            add_terms<Exact>(m_sum, m_row.block(c, count, bits), count, bits);
        }
    }

    /// Adds 64 columns by the cursor's own lanes.
    template <lane_cursor<T> C>
        requires reads_freely<Row>
    XMASK_INLINE void lane_block(const C& cursor, std::size_t c) {
        const auto chosen = cursor.template lanes<T>(c);
        const word_t bits = bits_from_lanes<T>(chosen);
        if (bits == 0 || bits == ~word_t(0)) {
            block(c, whole_word(), bits);
            return;
        }
        const auto terms = m_row.block(c, whole_word(), ~word_t(0));
        m_sum.add_count(count_bits(bits));
        m_sum.template add_registers<true>(
            whole_word(),
            [&](std::size_t k, auto /*full*/) XMASK_INLINE_LAMBDA {
                return zero_unless_lanes<T>(
                    chosen[k / lane_count<T>], terms.template value_register<true>(k, 0)
                );
            }
        );
    }

private:
    term_sum<T, Sum> m_sum;
    Row m_row;
};

/// Sums the terms of a row, and writes scale * derivative where something is kept, 0 elsewhere.
template <bool Exact, class T, class Columns, class Row>
class gradient_delegate {
public:
    /// The sum is held here while it grows, so that it stays in registers.
    gradient_delegate(Columns to, term_sum<T>& sum, Row row, T scale)
        : m_to(to), m_total(&sum), m_sum(sum), m_row(std::move(row)), m_scale(scale) {}

    /// After the last column.
    void finish() const noexcept { *m_total = m_sum; }

    void dropped(std::size_t c, std::size_t end) const { m_to.fill(c, end, T(0)); }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            dropped(c, c + count);
            return;
        }
        const auto terms = m_row.block(c, count, bits);
        add_terms<Exact>(m_sum, terms, count, bits);
        m_to.prefetch(c, count);
        T* const to = m_to.at(c);
        if constexpr (decltype(terms)::in_registers) {
            constexpr bool streams = Columns::streams && std::is_same_v<Count, whole_word>;
            const auto factor = lanes<T>(m_scale);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto slope = factor * terms.template derivative_register<full>(k, count - k);
                store_register<full, streams>(to + k, zero_unless<T>(bits, k, slope), count - k);
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                to[k] = (bits >> k & 1) != 0 ? m_scale * terms.derivative(k) : T(0);
            }
        }
    }

private:
    Columns m_to;
    term_sum<T>* m_total;
    term_sum<T> m_sum;
    Row m_row;
    T m_scale;
};

/// Whether a gradient is asked for.
template <class G>
inline constexpr bool wants_gradient = !std::is_same_v<std::remove_cvref_t<G>, no_gradient>;

/// The sum of the terms that are kept of `shape`. Terms of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class S, class Masks, class Terms>
weighted_sum<T, Sum> sum_terms(
    const S& shape, const masked_operands<Masks, Terms>& rows, const no_gradient& /*none*/
) {
    const std::size_t n = rows.columns;
    const row_plan plan(shape, rows.rows.layout(rows.masks, rows.rows.flat(n), n));
    if (plan.empty()) {
        return {};
    }
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            term_sum<T, Sum> sum;
            plan.for_each_row(
                own.masks, part,
                [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                    XMASK_INLINE_LAMBDA {
                        constexpr bool exact = block_t<row_t<Terms>>::exact ||
                                               joins_rows<std::decay_t<decltype(cursor)>>;
                        sum_delegate<exact, T, Sum, row_t<Terms>> delegate(sum, own.rows.row(r));
                        walk(cursor, begin, end, delegate);
                        sum = delegate.sum();
                    }
            );
            return sum.total();
        },
        [](auto& sum, const auto& part) { sum += part; }
    );
}

/// The same, and their derivatives in `gradient`, which has the shape.
template <class T, class Sum = sum_t<T>, class S, class Masks, class Terms, class G>
    requires wants_gradient<G>
weighted_sum<T> sum_terms(const S& shape, const masked_operands<Masks, Terms>& rows, G& gradient) {
    using traits = gradient_traits<G>;
    auto& to = traits::target(gradient);
    const row_target<T, std::remove_reference_t<decltype(to)>> result(to);
    const std::size_t n = rows.columns;
    const bool flat = result.flat() && rows.rows.flat(n);
    const row_plan plan(shape, rows.rows.layout(rows.masks, flat, n));
    if (plan.empty()) {
        return {};
    }
    const T scale = static_cast<T>(traits::scale(gradient));
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            term_sum<T> sum;
            result.template write<block_start::fixed>(
                plan, own.masks, part,
                [&](const auto& cursor, std::size_t r, auto columns) {
                    constexpr bool exact =
                        block_t<row_t<Terms>>::exact || joins_rows<std::decay_t<decltype(cursor)>>;
                    return gradient_delegate<exact, T, decltype(columns), row_t<Terms>>(
                        columns, sum, own.rows.row(r), scale
                    );
                }
            );
            return sum.total();
        },
        [](weighted_sum<T>& sum, const weighted_sum<T>& part) { sum += part; }
    );
}

/// Throws std::invalid_argument unless what counts fits into the operand.
template <class M, class S>
void require_counted_shape(const char* function, const M& m, const S& shape) {
    if constexpr (weighted_mask_expression<M>) {
        require_broadcast(function, "a mask", m.mask().shape(), shape);
        require_broadcast(function, "weights", m.weights().shape(), shape);
    } else {
        require_broadcast(function, mask_expression<M> ? "a mask" : "weights", m.shape(), shape);
    }
}

/// The mask in what counts, row by row.
template <class M, class S>
auto counted_rows(const M& m, const S& shape) {
    if constexpr (mask_expression<M>) {
        return mask_rows<M>(m, shape);
    } else if constexpr (weighted_mask_expression<M>) {
        return mask_rows<std::decay_t<decltype(m.mask())>>(m.mask(), shape);
    } else {
        return all_rows(shape);
    }
}

/// The weights in what counts, where there are some.
template <holds_weights M>
const auto& weights_in(const M& m) noexcept {
    if constexpr (weighted_mask_expression<M>) {
        return m.weights();
    } else {
        return m;
    }
}

/// The sum of the weights of what the masks keep.
template <class T, class S, class Masks, class W>
double sum_of_weights(const S& shape, const Masks& masks, const W& weights) {
    const auto result = sum_terms<T>(
        shape,
        masked_operands{
            masks, make_terms<T>(identity(), make_operand<T>(weights, shape)), columns_of(shape)
        },
        no_gradient()
    );
    return static_cast<double>(result.sum);
}

/// The weight of a loss of T over `shape`.
template <class T, class M, class S>
double counted_weight(const M& m, const S& shape) {
    if constexpr (mask_expression<M>) {
        return static_cast<double>(count_rows(shape, mask_rows<M>(m, shape)));
    } else {
        return sum_of_weights<T>(shape, counted_rows(m, shape), weights_in(m));
    }
}

/// The same sum, of f times weights.
template <class T, class F, class S, class Masks, class W, class G, class... X>
weighted_sum<T> sum_by_weights(
    const F& f, const S& shape, const Masks& masks, const W& weights, G&& gradient, const X&... x
) {
    const std::size_t n = columns_of(shape);
    auto result = sum_terms<T>(
        shape,
        masked_operands{
            masks,
            make_terms<T>(
                weighted<F>{f}, make_operand<T>(weights, shape), make_operand<T>(x, shape)...
            ),
            n
        },
        gradient
    );
    result.weight = sum_of_weights<T>(shape, masks, weights);
    return result;
}

/// What a loss reads of what counts. Weights are summed after the gradient was written.
template <class M>
auto sources_of_counted(const M& m) noexcept {
    if constexpr (mask_expression<M>) {
        return std::tuple(read_in_place(m));
    } else if constexpr (weighted_mask_expression<M>) {
        return std::tuple(read_in_place(m.mask()), read_anywhere(m.weights()));
    } else {
        return std::tuple(read_anywhere(m));
    }
}

/// f(gradient), with a gradient that is asked for in its shape; or in a copy of it, where these
/// sources would be read too late. weight(gradient) is that of the loss, for a gradient of the mean; a
/// generic lambda, so that nothing of it is compiled for another gradient.
template <class T, class G, class S, class Sources, class Weight, class F>
auto with_gradient(
    [[maybe_unused]] const char* function, G& gradient, [[maybe_unused]] const S& shape,
    [[maybe_unused]] const Sources& sources, [[maybe_unused]] Weight&& weight, F&& f
) {
    if constexpr (of_the_mean<std::remove_const_t<G>>) {
        const double of_all = weight(gradient);
        const scaled_gradient<typename gradient_traits<G>::container> of_sum{
            gradient.container, of_all == 0 ? 0 : 1 / of_all
        };
        return with_gradient<T>(function, of_sum, shape, sources, weight, f);
    } else {
        if constexpr (wants_gradient<G>) {
            using traits = gradient_traits<G>;
            using container = typename traits::container;
            auto& to = traits::target(gradient);
            if constexpr (any_may_overlap<typename target<container>::element, Sources>) {
                if (reads_too_late(to, shape, sources)) [[unlikely]] {
                    row_major_copy_t<T, container> copy;
                    resize_or_check(function, "a copy of the gradient", copy, shape);
                    const auto result = [&] {
                        if constexpr (std::is_same_v<container, std::remove_cvref_t<G>>) {
                            return f(copy); // most often of the same type
                        } else {
                            const auto apart = scaled(copy, traits::scale(gradient));
                            return f(apart);
                        }
                    }();
                    resize_or_check(function, "the gradient", to, copy.shape());
                    copy_rows(to, copy);
                    return result;
                }
            }
            resize_or_check(function, "the gradient", to, shape);
        }
        return f(gradient);
    }
}

/// Sums f over what `m` keeps of the operands, by weights where m has them, and writes the gradient
/// if asked to. All operands have one shape, into which m broadcasts. Terms of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class F, class M, class G, class X, class... Y>
weighted_sum<T, Sum> element_sum(
    const char* function, const F& f, const M& m, G&& gradient, const X& x, const Y&... y
) {
    const auto& shape = x.shape();
    require_counted_shape(function, m, shape);
    const auto sources =
        std::tuple_cat(sources_of_counted(m), std::tuple(read_in_place(x), read_in_place(y)...));
    const auto weight = [&](const auto& /*gradient*/) { return counted_weight<T>(m, shape); };
    return with_gradient<T>(function, gradient, shape, sources, weight, [&](auto& to) {
        if constexpr (mask_expression<M>) {
            return sum_terms<T, Sum>(
                shape,
                masked_operands{
                    mask_rows<M>(m, shape),
                    make_terms<T>(f, make_operand<T>(x, shape), make_operand<T>(y, shape)...),
                    columns_of(shape)
                },
                to
            );
        } else {
            return sum_by_weights<T>(f, shape, counted_rows(m, shape), weights_in(m), to, x, y...);
        }
    });
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/number_or_tensor.hpp ====

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <type_traits>

/// @file
/// An option of a loss that is one number, or a tensor of them.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class E>
consteval bool require_option_tensor() {
    constexpr bool numbers = !mask_expression<E> && std::is_arithmetic_v<value_type_t<E>> &&
                             !std::is_same_v<std::remove_cv_t<value_type_t<E>>, bool>;
    static_assert(numbers, "xmask: this option is a number, or a tensor of numbers.");
    return numbers;
}
} // namespace detail

/// One number for all elements, or a tensor that broadcasts into the prediction: along the last axis,
/// one number a class. A tensor is copied.
///
///     xmask::number_or_tensor same = 2;
///     xmask::number_or_tensor of_classes = {1, 2, 5};
class number_or_tensor {
public:
    number_or_tensor(double number) : m_number(number) {}

    number_or_tensor(std::initializer_list<double> numbers)
        : m_tensor(xt::xarray<double>::from_shape({numbers.size()})) {
        std::copy(numbers.begin(), numbers.end(), m_tensor->begin());
    }

    template <expression E>
    number_or_tensor(const E& e) {
        if constexpr (detail::require_option_tensor<E>()) {
            m_tensor = e;
        }
    }

    /// The tensor, or nullptr where there is one number.
    [[nodiscard]] const xt::xarray<double>* tensor() const noexcept {
        return m_tensor ? &*m_tensor : nullptr;
    }

    /// The number for all elements, where there is no tensor.
    [[nodiscard]] double number() const noexcept { return m_number; }

private:
    double m_number = 0;
    std::optional<xt::xarray<double>> m_tensor;
};

namespace detail {
/// require_option of the number, or of each of the tensor's.
inline void require_option(
    const char* function, const char* option, const number_or_tensor& value,
    const option_range& range
) {
    if (value.tensor() != nullptr) {
        require_each_option(function, option, *value.tensor(), range);
    } else {
        require_option(function, option, value.number(), range);
    }
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

/// @file
/// Element-wise losses: a struct of named options with a value and a derivative becomes a loss,
/// with its gradient, for any mask, weights, layout and type.

namespace xmask::inline XMASK_ABI {
/// What a loss is made of: value(p, t), and derivative(p, t) by p for a gradient.
template <class F, class T>
concept element_function = requires(const F& f, const T& x) {
    { f.value(x, x) } -> std::convertible_to<T>;
};

namespace detail {
template <class T>
loss to_loss(const weighted_sum<T>& total) noexcept {
    return {static_cast<double>(total.sum), total.weight, total.count};
}

template <class E>
consteval bool is_real() {
    if constexpr (expression<E>) {
        return std::is_floating_point_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

template <class E>
consteval bool is_numbers() {
    if constexpr (expression<E> && !mask_expression<E>) {
        return std::is_arithmetic_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

template <class P, class... Q>
consteval bool require_real() {
    constexpr bool fits = is_real<P>() && (is_numbers<Q>() && ...);
    static_assert(
        fits,
        "xmask: a loss takes tensors (or lazy expressions) of real numbers, and a target of any numbers; "
        "convert an integer prediction first."
    );
    return fits;
}

/// The type that a loss is computed in: that of its real operands.
template <class P, class Q>
using loss_element_t = std::conditional_t<
    std::is_floating_point_v<std::remove_cv_t<value_type_t<Q>>>,
    std::common_type_t<value_type_t<P>, value_type_t<Q>>, std::remove_cv_t<value_type_t<P>>>;

/// A loss one of whose options may be a tensor: `terms` is its function of (p, t, that option).
template <class F>
concept has_operand = requires(const F& f) {
    typename F::terms;
    { F::operand_name } -> std::convertible_to<const char*>;
    { f.operand() } -> std::same_as<const number_or_tensor&>;
};

/// The function of (p, t) where that option is one number.
template <class Terms>
struct with_number {
    double number;

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return Terms().value(p, t, V(constant<V>(number)));
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return Terms().derivative(p, t, V(constant<V>(number)));
    }
};

/// Calls f(function, more...) with a loss's function of the prediction, the target and more operands.
template <class T, class F, class S, class Call>
auto call_with_function(const char* name, const F& function, const S& shape, Call&& call) {
    if constexpr (has_operand<F>) {
        const number_or_tensor& option = function.operand();
        if (option.tensor() == nullptr) {
            return call(with_number<typename F::terms>{option.number()});
        }
        require_broadcast(name, F::operand_name, option.tensor()->shape(), shape);
        const xt::xarray<T> values = *option.tensor();
        return call(typename F::terms(), values);
    } else {
        return call(function);
    }
}

template <class F, class T, class G>
consteval bool require_function() {
    constexpr bool derives = has_operand<F> || std::is_same_v<std::decay_t<G>, no_gradient> ||
                             requires(const F& f, const T& x) {
                                 { f.derivative(x, x) } -> std::convertible_to<T>;
                             };
    constexpr bool has_value = has_operand<F> || element_function<F, T>;
    static_assert(
        has_value && derives,
        "xmask: the function of a loss is a struct with `value(p, t) const` and, for a gradient, "
        "`derivative(p, t) const`, of numbers; or two lambdas of (p, t): masked_loss(p, t, m, value, derivative, "
        "gradient)."
    );
    return has_value && derives;
}

template <class G>
consteval bool require_gradient() {
    constexpr bool fits = requires {
        typename gradient_traits<std::remove_reference_t<G>>::container;
    } && writable<typename gradient_traits<std::remove_reference_t<G>>::container>;
    static_assert(
        fits, "xmask: the last argument of a loss, its gradient, is a tensor, of_mean(tensor) or "
              "scaled(tensor, factor), and is written: neither const nor lazy."
    );
    return fits;
}

/// Lets a function refuse its options.
template <class F>
void check_options(const char* function, const F& f) {
    if constexpr (requires { f.check(function); }) {
        f.check(function);
    }
}

template <class F, class P, class Q, class M, class G>
loss sum_of_elements(
    const char* name, const F& f, const P& prediction, const Q& target, const M& m, G&& gradient
) {
    if constexpr (require_real<P, Q>() && require_counted<M>()) {
        using element = loss_element_t<P, Q>;
        if constexpr (require_function<F, element, G>()) {
            check_options(name, f);
            require_same_shape(
                name, "the prediction", prediction.shape(), "the target", target.shape()
            );
            return call_with_function<element>(
                name, f, prediction.shape(),
                [&](const auto& function, const auto&... more) {
                    return to_loss(element_sum<element>(
                        name, function, m, gradient, prediction, target, more...
                    ));
                }
            );
        }
    }
    return {};
}

/// The value of a loss as a function of xtensor's.
template <class T, class F>
struct value_functor {
    F function;

    template <class... X>
    T operator()(const X&... x) const {
        return static_cast<T>(function.value(static_cast<T>(x)...));
    }

    template <class... V>
        requires(takes_registers<F, T, V...>())
    XMASK_INLINE auto simd_apply(const V&... x) const {
        return function.value(x...);
    }
};

/// The losses of all elements, lazy. A loss that may have a tensor as an option has one type for both:
/// the number is a tensor, too.
template <class T, class F, class P, class Q>
auto each_value(const char* name, const F& f, P&& prediction, Q&& target) {
    if constexpr (has_operand<F>) {
        const number_or_tensor& option = f.operand();
        if (option.tensor() != nullptr) {
            require_broadcast(name, F::operand_name, option.tensor()->shape(), prediction.shape());
        }
        using functor = value_functor<T, typename F::terms>;
        return xt::xfunction<functor, closure_t<P>, closure_t<Q>, xt::xarray<T>>(
            functor{}, std::forward<P>(prediction), std::forward<Q>(target),
            option.tensor() != nullptr ? xt::xarray<T>(*option.tensor())
                                       : xt::xarray<T>(static_cast<T>(option.number()))
        );
    } else {
        using functor = value_functor<T, F>;
        return xt::xfunction<functor, closure_t<P>, closure_t<Q>>(
            functor{f}, std::forward<P>(prediction), std::forward<Q>(target)
        );
    }
}

template <class F, class P, class Q, class M>
auto each_element(const char* name, const F& f, P&& prediction, Q&& target, M&& m) {
    if constexpr (require_real<P, Q>() && require_counted<M>()) {
        using element = loss_element_t<P, Q>;
        if constexpr (require_function<F, element, no_gradient>()) {
            check_options(name, f);
            require_same_shape(
                name, "the prediction", prediction.shape(), "the target", target.shape()
            );
            require_counted_shape(name, m, prediction.shape());
            auto values =
                each_value<element>(name, f, std::forward<P>(prediction), std::forward<Q>(target));
            if constexpr (weighted_mask_expression<M>) {
                return multiply(
                    multiply(std::move(values), std::forward<M>(m).weights()),
                    std::forward<M>(m).mask()
                );
            } else {
                return multiply(std::move(values), std::forward<M>(m));
            }
        }
    }
}
} // namespace detail

/// A loss of two tensors, made of a function F(p, t) of two numbers and its derivative by the
/// first. F is also the loss's options: a struct of named fields, with
///
///    template <class V> V value(const V& p, const V& t) const;         // V: a number, or a register of them
///    template <class V> V derivative(const V& p, const V& t) const;    // by p; only for gradients
///    void check(const char* name) const;                               // if it is there: throws for bad options
///
/// Registers take + - * /, comparisons, and xsimd's functions, which take numbers too: xsimd::exp,
/// xsimd::abs, xsimd::select(condition, a, b). A function of plain numbers (double value(double,
/// double) const) works as well, one element at a time.
///
/// All losses are called alike, (prediction, target, what counts, options, gradient), of which the
/// last two may be left out:
///
///     xmask::masked_huber(p, t, m);
///     xmask::masked_huber(p, t, m, {.delta = 0.5});
///     xmask::masked_huber(p, t, m, gradient);
///     xmask::masked_huber(p, t, m, {.delta = 0.5}, gradient);
///
/// prediction: a tensor or lazy expression of real numbers. target: one of numbers, of the same
/// shape. What counts: a mask that broadcasts into it, real weights, or both by weighted(m, w) and
/// balanced(m). gradient: a tensor that is given the prediction's shape and the gradient of the sum
/// by the prediction, 0 where the mask drops; or of_mean(tensor), for that of the mean, loss::mean();
/// or scaled(tensor, factor). Computed in the type of
/// its real operands, summed in double. One pass over what is kept; what is dropped is not read.
/// Throws std::invalid_argument where shapes or options do not fit, before anything is written.
///
/// Reductions: the sum (loss::sum), the mean over what is kept (loss::mean()), the mean of rows'
/// means (balanced(m)), none (each).
///
/// A loss of your own, here sqrt(1 + (p - t)^2 / s^2) - 1 (Charbonnier et al., Deterministic
/// edge-preserving regularization in computed imaging, 1997; the case alpha = 1 of Barron, A
/// general and adaptive robust loss function, 2019):
///
///     struct charbonnier_loss
///     {
///         double scale = 1;
///
///         template <class V>
///         V value(const V& p, const V& t) const
///         {
///             const V u = (p - t) / xmask::constant<V>(scale);
///             return u * u / (xsimd::sqrt(u * u + V(1)) + V(1));    // the same, and exact for small u
///         }
///
///         template <class V>
///         V derivative(const V& p, const V& t) const
///         {
///             const V u = (p - t) / xmask::constant<V>(scale);
///             return u / (xsimd::sqrt(u * u + V(1)) * xmask::constant<V>(scale));
///         }
///     };
///     inline constexpr xmask::element_loss<charbonnier_loss> masked_charbonnier("masked_charbonnier");
///     double mean = masked_charbonnier(p, t, m, {.scale = 0.1}, gradient).mean();
template <class F>
class element_loss {
public:
    /// `name` is how errors name it.
    constexpr explicit element_loss(const char* name) noexcept : m_name(name) {}

    template <class P, class Q, class M>
    loss operator()(const P& prediction, const Q& target, const M& m, const F& options = {}) const {
        return detail::sum_of_elements(
            m_name, options, prediction, target, m, detail::no_gradient()
        );
    }

    template <class P, class Q, class M, class G>
        requires(!std::same_as<std::remove_cvref_t<G>, F>)
    loss operator()(const P& prediction, const Q& target, const M& m, G&& gradient) const {
        return (*this)(prediction, target, m, F{}, std::forward<G>(gradient));
    }

    template <class P, class Q, class M, class G>
    loss operator()(
        const P& prediction, const Q& target, const M& m, const F& options, G&& gradient
    ) const {
        if constexpr (detail::require_gradient<G>()) {
            return detail::sum_of_elements(m_name, options, prediction, target, m, gradient);
        } else {
            return {};
        }
    }

    /// The losses of single elements, 0 where the mask drops, or times their weights: a lazy tensor
    /// of the prediction's shape. With masked_sum and masked_mean, a loss of each row, or along any
    /// axes.
    ///
    ///     xt::xarray<float> losses = xmask::masked_mse.each(p, t, m);
    ///     xt::xarray<float> of_rows = xmask::masked_mean(xmask::masked_huber.each(p, t, m, {.delta = 0.5}), m, -1);
    template <class P, class Q, class M>
    auto each(P&& prediction, Q&& target, M&& m, const F& options = {}) const {
        return detail::each_element(
            m_name, options, std::forward<P>(prediction), std::forward<Q>(target),
            std::forward<M>(m)
        );
    }

private:
    const char* m_name;
};

/// A loss of your own: the sum of a lazy expression over what the mask keeps, or by weights.
///
/// Only what is kept is computed. Throws std::invalid_argument where the mask does not broadcast
/// into e.
///
///     xmask::loss l = xmask::masked_loss(xt::abs(p - t), m);
template <class E, class M>
loss masked_loss(const E& e, const M& m) {
    if constexpr (detail::require_real<E>() && detail::require_counted<M>()) {
        using element = std::remove_cv_t<value_type_t<E>>;
        return detail::to_loss(detail::element_sum<element>(
            "masked_loss", detail::identity(), m, detail::no_gradient(), e
        ));
    } else {
        return {};
    }
}

/// A loss of your own by its function, as element_loss describes it; with a last argument, its
/// gradient.
///
///     xmask::loss l = xmask::masked_loss(xmask::huber_loss{.delta = 0.1}, p, t, m, gradient);
template <class F, class P, class Q, class M>
    requires(!expression<F>)
loss masked_loss(const F& function, const P& prediction, const Q& target, const M& m) {
    return element_loss<F>("masked_loss")(prediction, target, m, function);
}

template <class F, class P, class Q, class M, class G>
    requires(!expression<F>)
loss masked_loss(
    const F& function, const P& prediction, const Q& target, const M& m, G&& gradient
) {
    return element_loss<F>("masked_loss")(
        prediction, target, m, function, std::forward<G>(gradient)
    );
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Losses of yes or no: binary cross entropy of probabilities and of logits, focal loss, hinge loss,
/// hinge embedding loss, soft margin loss.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// What losses of a logit x are made of. Nothing overflows, and nothing is a difference of nearly
/// equal numbers.
template <class V>
struct logistic {
    V yes;        ///< 1 / (1 + exp(-x)), the probability of yes
    V no;         ///< 1 - yes
    V log_of_yes; ///< -log(yes) = log(1 + exp(-x))
    V log_of_no;  ///< -log(no) = log(1 + exp(x))

    XMASK_INLINE explicit logistic(const V& x) {
        const V zero(0);
        const V one(1);
        const V small = called::exp(-xsimd::abs(x));
        const V likely = one / (one + small);
        const V unlikely = small * likely;
        const auto positive = x > zero;
        const V rest = called::log1p(small);
        yes = xsimd::select(positive, likely, unlikely);
        no = xsimd::select(positive, unlikely, likely);
        log_of_yes = rest + xsimd::select(positive, zero, -x);
        log_of_no = rest + xsimd::select(positive, x, zero);
    }
};
} // namespace detail

/// -(t log p + (1 - t) log(1 - p)) of a probability p; logarithms are at least -100.
struct bce_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V least(-100);
        const V log_yes = detail::called::log(p);
        const V log_no = detail::called::log1p(-p);
        return -(
            t * xsimd::select(log_yes < least, least, log_yes) +
            (V(1) - t) * xsimd::select(log_no < least, least, log_no)
        );
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V least(constant<V>(1e-12));
        const V spread = (V(1) - p) * p;
        return (p - t) / xsimd::select(spread < least, least, spread);
    }
};

/// -(pos_weight t log y + (1 - t) log(1 - y)) of y = 1 / (1 + exp(-p)); pos_weight is one number, or a
/// tensor that broadcasts into the prediction.
struct bce_with_logits_loss {
    number_or_tensor pos_weight = 1;

    void check(const char* name) const {
        detail::require_option(
            name, "pos_weight", pos_weight, detail::option_range::at_least(0).finite()
        );
    }

    /// The function of p, t, and the weight of positive targets.
    struct terms {
        template <class V>
        XMASK_INLINE V value(const V& p, const V& t, const V& weight) const {
            const detail::logistic<V> y(p);
            return weight * t * y.log_of_yes + (V(1) - t) * y.log_of_no;
        }

        template <class V>
        XMASK_INLINE V derivative(const V& p, const V& t, const V& weight) const {
            const detail::logistic<V> y(p);
            return (V(1) - t) * y.yes - weight * t * y.no;
        }
    };

    static constexpr const char* operand_name = "pos_weight";

    [[nodiscard]] const number_or_tensor& operand() const noexcept { return pos_weight; }
};

/// Binary cross entropy with logits, times (1 - y_t)^gamma and alpha_t.
struct focal_with_logits_loss {
    double alpha = 0.25;
    double gamma = 2;

    void check(const char* name) const {
        if (alpha != -1) {
            detail::require_option(
                name, "alpha", alpha, detail::option_range::between(0, 1), ", or -1 for none"
            );
        }
        detail::require_option(name, "gamma", gamma, detail::option_range::at_least(0).finite());
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const detail::logistic<V> y(p);
        return weight(t) * detail::power(missed(y, t), gamma) * entropy(y, t);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V zero(0);
        const V one(1);
        const detail::logistic<V> y(p);
        const V s = missed(y, t);
        const V slope = (one - t) * y.yes - t * y.no;
        // The derivative of log s; where s underflows, so does what it multiplies.
        const V rate = xsimd::select(s > zero, y.yes * y.no * (one - t - t) / s, zero);
        return weight(t) * detail::power(s, gamma) *
               (slope + constant<V>(gamma) * entropy(y, t) * rate);
    }

private:
    template <class V>
    XMASK_INLINE static V missed(const detail::logistic<V>& y, const V& t) {
        return t * y.no + (V(1) - t) * y.yes;
    }

    template <class V>
    XMASK_INLINE static V entropy(const detail::logistic<V>& y, const V& t) {
        return t * y.log_of_yes + (V(1) - t) * y.log_of_no;
    }

    template <class V>
    XMASK_INLINE V weight(const V& t) const {
        return alpha < 0 ? V(1) : V(constant<V>(alpha) * t + constant<V>(1 - alpha) * (V(1) - t));
    }
};

/// max(0, margin - t p), t being -1 or 1.
struct hinge_loss {
    double margin = 1;

    void check(const char* name) const {
        detail::require_option(name, "margin", margin, detail::option_range::any_number().finite());
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V short_of = constant<V>(margin) - t * p;
        return xsimd::select(short_of < V(0), V(0), short_of);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return xsimd::select(constant<V>(margin) - t * p > V(0), -t, V(0));
    }
};

/// p where t is 1, max(0, margin - p) where t is -1.
struct hinge_embedding_loss {
    double margin = 1;

    void check(const char* name) const {
        detail::require_option(name, "margin", margin, detail::option_range::any_number().finite());
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V zero(0);
        const V short_of = constant<V>(margin) - p;
        const V far = xsimd::select(short_of < zero, zero, short_of);
        return xsimd::select(t != V(1), far, zero) + xsimd::select(t != V(-1), p, zero);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V zero(0);
        const V far = xsimd::select(constant<V>(margin) - p >= zero, V(-1), zero);
        return xsimd::select(t != V(1), far, zero) + xsimd::select(t != V(-1), V(1), zero);
    }
};

/// log(1 + exp(-t p)), t being -1 or 1.
struct soft_margin_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return detail::logistic<V>(t * p).log_of_yes;
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return -t * detail::logistic<V>(t * p).no;
    }
};

/// Binary cross entropy of probabilities, as PyTorch's binary_cross_entropy: -(t log p + (1 - t)
/// log(1 - p)), the logarithms being at least -100; gradient (p - t) / max(p (1 - p), 1e-12).
/// Probabilities outside of [0, 1] give NaN. With logits at hand, masked_bce_with_logits is more
/// accurate. element_loss says what the arguments are.
///
///     double mean = xmask::masked_bce(probability, label, m).mean();
inline constexpr element_loss<bce_loss> masked_bce("masked_bce");

/// Binary cross entropy of logits, as PyTorch's binary_cross_entropy_with_logits: with y = 1 / (1 +
/// exp(-p)), minus pos_weight t log y + (1 - t) log(1 - y), computed so that no logit overflows.
/// Options: pos_weight = 1, of positive targets: a number, or a tensor that broadcasts into the
/// prediction, as one number a class on the last axis. element_loss says what the arguments are.
///
///     double mean = xmask::masked_bce_with_logits(scores, label, m, {.pos_weight = 3}, gradient).mean();
///     double of_classes = xmask::masked_bce_with_logits(scores, label, m, {.pos_weight = {1, 2, 1, 3}}).mean();
inline constexpr element_loss<bce_with_logits_loss> masked_bce_with_logits("masked_bce_with_logits"
);

/// The focal loss of logits, as torchvision's sigmoid_focal_loss: with y = 1 / (1 + exp(-p)) and
/// y_t = t y + (1 - t) (1 - y), binary cross entropy times (1 - y_t)^gamma times alpha t + (1 -
/// alpha) (1 - t) (Lin et al., Focal loss for dense object detection, 2017). Options: alpha = 0.25,
/// 0 to 1, or -1 for no such factor; gamma = 2, 0 or more. element_loss says what the arguments
/// are.
///
///     double mean = xmask::masked_focal_with_logits(scores, label, m, {.alpha = -1, .gamma = 2}).mean();
inline constexpr element_loss<focal_with_logits_loss> masked_focal_with_logits(
    "masked_focal_with_logits"
);

/// The hinge loss max(0, margin - t p), as Keras' and torchmetrics'; targets are -1 and 1. Options:
/// margin = 1. element_loss says what the arguments are.
///
///     double mean = xmask::masked_hinge(scores, 2.f * label - 1.f, m).mean();
inline constexpr element_loss<hinge_loss> masked_hinge("masked_hinge");

/// The hinge embedding loss of distances p, as PyTorch's hinge_embedding_loss: p where the target is
/// 1 (alike), max(0, margin - p) where the target is -1 (unlike); of another target, both. The
/// gradient of the latter is -1 where p is the margin itself. Options: margin = 1. element_loss says
/// what the arguments are.
///
///     double mean = xmask::masked_hinge_embedding(distances, 2.f * label - 1.f, m, {.margin = 2}).mean();
inline constexpr element_loss<hinge_embedding_loss> masked_hinge_embedding("masked_hinge_embedding"
);

/// The soft margin loss log(1 + exp(-t p)), as PyTorch's soft_margin_loss, computed so that nothing
/// overflows; targets are -1 and 1. element_loss says what the arguments are.
///
///     double mean = xmask::masked_soft_margin(scores, 2.f * label - 1.f, m).mean();
inline constexpr element_loss<soft_margin_loss> masked_soft_margin("masked_soft_margin");
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/cross_entropy.hpp ====

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/reduce/class_options.hpp ====

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

/// @file
/// What losses of classes share: their options, and how they write a gradient.

namespace xmask::inline XMASK_ABI {
/// Options of masked_cross_entropy.
struct cross_entropy_options {
    /// How much of a target is spread evenly over the classes, 0 to 1 (Szegedy et al., Rethinking
    /// the Inception architecture, 2016).
    double label_smoothing = 0;

    /// Weight of log(sum(exp(logits)))^2, which keeps logits from drifting (Chowdhery et al., PaLM,
    /// 2022).
    double z_loss = 0;

    /// A target that does not count, as -100 in PyTorch. Rows that balanced() weighs are those of
    /// its mask alone: where ignored targets are not to count there either, write balanced(m &&
    /// keep_not_equal(target, -100)).
    std::optional<std::int64_t> ignore = std::nullopt;

    /// A weight for each class, or none: all weigh 1. A position's weight is that of its target's
    /// class.
    xt::xtensor<double, 1> class_weights = {};

    /// Which classes there are: a mask that broadcasts into the prediction. Stored, one bit an
    /// element of its own.
    std::optional<bitmask> classes = std::nullopt;
};

/// Options of masked_nll.
struct nll_options {
    std::optional<std::int64_t> ignore = std::nullopt; ///< a target that does not count
    xt::xtensor<double, 1> class_weights = {}; ///< a weight for each class, or none: all weigh 1
};

namespace detail {
/// Throws std::invalid_argument for class weights that are not one a class, and finite numbers from
/// 0 on.
inline void require_class_weights(
    const char* function, const xt::xtensor<double, 1>& weights, std::size_t classes
) {
    if (weights.size() != 0 && weights.size() != classes) [[unlikely]] {
        throw_invalid(
            function, weights.size(), " class weights; expected ", classes, ", one a class"
        );
    }
    require_each_option(function, "class_weights", weights, option_range::at_least(0).finite());
}

inline double class_weight(const xt::xtensor<double, 1>& weights, std::size_t target) noexcept {
    return weights.size() == 0 ? 1 : weights.data()[target];
}

/// Throws std::invalid_argument for options of a cross entropy that do not fit.
inline void require_entropy_options(
    const char* function, const cross_entropy_options& options, std::size_t classes
) {
    require_option(
        function, "label_smoothing", options.label_smoothing, option_range::between(0, 1)
    );
    require_option(function, "z_loss", options.z_loss, option_range::at_least(0).finite());
    require_class_weights(function, options.class_weights, classes);
}

/// The gradient of a class loss, row by row. A row that is not contiguous memory of T is a buffer
/// that is copied there.
template <class T, class G>
class class_gradient {
    using traits = gradient_traits<G>;

public:
    class_gradient(G& gradient, std::size_t classes)
        : m_writer(traits::target(gradient))
        , m_buffer(m_writer.in_place() ? 0 : classes)
        , m_classes(classes)
        , m_scale(traits::scale(gradient)) {}

    [[nodiscard]] double scale() const noexcept { return m_scale; }

    [[nodiscard]] T* begin(std::size_t row) {
        m_writer.seek(row);
        return m_buffer.empty() ? m_writer.block(0) : m_buffer.data();
    }

    void end() {
        for_each_block(0, m_buffer.size(), [&](std::size_t c, std::size_t count) {
            std::copy_n(m_buffer.data() + c, count, m_writer.block(c));
            m_writer.commit(c, count);
        });
    }

    void clear(std::size_t row) {
        T* to = begin(row);
        fill_columns(to, to + m_classes, T(0));
        end();
    }

private:
    row_writer<T, typename traits::container> m_writer;
    std::vector<T> m_buffer;
    std::size_t m_classes;
    double m_scale;
};

template <class T>
class class_gradient<T, const no_gradient> {
public:
    class_gradient(const no_gradient& /*gradient*/, std::size_t /*classes*/) noexcept {}

    void clear(std::size_t /*row*/) const noexcept {}
};
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/positions.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

/// @file
/// The positions of a class loss: which count, how much, and which class each has.

namespace xmask::inline XMASK_ABI::detail {
/// The positions of a target's shape, in order.
template <class Masks, class Weights, class Targets>
class class_positions {
public:
    template <class S>
    class_positions(
        const S& shape, Masks masks, Weights weights, Targets targets,
        std::optional<std::int64_t> ignored
    )
        : m_masks(std::move(masks))
        , m_weights(std::move(weights))
        , m_targets(std::move(targets))
        , m_columns(columns_of(shape))
        , m_rows(m_columns == 0 ? 0 : rows_of(shape))
        , m_ignored(ignored) {}

    [[nodiscard]] std::size_t size() const noexcept { return m_rows * m_columns; }

    /// Calls counted(position, target, weight) or dropped(position) for each of the positions
    /// [first, last); the target of a dropped one is not looked at.
    template <class Counted, class Dropped>
    void for_each(std::size_t first, std::size_t last, Counted&& counted, Dropped&& dropped) const {
        while (first < last) {
            const std::size_t r = first / m_columns;
            const std::size_t before = r * m_columns;
            const std::size_t stop = std::min(last - before, m_columns);
            for_each_of_row(r, first - before, stop, counted, dropped);
            first = before + stop;
        }
    }

private:
    template <class Counted, class Dropped>
    void for_each_of_row(
        std::size_t r, std::size_t begin, std::size_t stop, Counted& counted, Dropped& dropped
    ) const {
        const auto cursor = m_masks.row(r);
        auto weights = m_weights.row(r);
        auto target = m_targets.row(r);
        for_each_block(begin, stop, [&](std::size_t c, std::size_t count) {
            const word_t bits = cursor.word(c) & first_bits(count);
            const auto targets = target.block(c, count, bits);
            for (std::size_t k = 0; k < count; ++k) {
                const std::size_t position = r * m_columns + c + k;
                if ((bits >> k & 1) != 0 && !is_ignored(targets.at(k))) {
                    counted(position, targets.at(k), static_cast<double>(read_one(weights, c + k)));
                } else {
                    dropped(position);
                }
            }
        });
    }

    template <class I>
    [[nodiscard]] bool is_ignored(I target) const noexcept {
        return m_ignored.has_value() && std::cmp_equal(+target, *m_ignored);
    }

    Masks m_masks;
    Weights m_weights;
    Targets m_targets;
    std::size_t m_columns;
    std::size_t m_rows;
    std::optional<std::int64_t> m_ignored;
};

template <class S, class Masks, class Weights, class Q>
auto make_class_positions(
    const S& shape, Masks masks, Weights weights, const Q& target,
    std::optional<std::int64_t> ignored
) {
    auto targets = make_operand<std::remove_cv_t<value_type_t<Q>>>(target, shape);
    return class_positions<Masks, Weights, decltype(targets)>(
        shape, std::move(masks), std::move(weights), std::move(targets), ignored
    );
}

template <class W, class S>
auto weight_rows(const W& weights, const S& shape) {
    return make_operand<std::remove_cv_t<value_type_t<W>>>(weights, shape);
}

/// The positions that m counts: a mask, weights, or both.
template <class M, class Q>
auto positions_of(const M& m, const Q& target, std::optional<std::int64_t> ignored) {
    const auto& shape = target.shape();
    if constexpr (mask_expression<M>) {
        return make_class_positions(
            shape, counted_rows(m, shape), scalar_rows<double>(1.), target, ignored
        );
    } else {
        return make_class_positions(
            shape, counted_rows(m, shape), weight_rows(weights_in(m), shape), target, ignored
        );
    }
}

/// Rows of targets that nobody looks at: the class of each position is in its own probabilities.
class no_targets {
public:
    [[nodiscard]] XMASK_INLINE scalar_rows<std::int64_t> row(std::size_t /*r*/) const noexcept {
        return scalar_rows<std::int64_t>(0);
    }
};

/// The positions of a shape that m counts, without targets.
template <class M, class S>
auto positions_of_shape(const M& m, const S& shape) {
    const auto make = [&](auto masks, auto weights) {
        return class_positions<decltype(masks), decltype(weights), no_targets>(
            shape, std::move(masks), std::move(weights), no_targets(), std::nullopt
        );
    };
    if constexpr (mask_expression<M>) {
        return make(counted_rows(m, shape), scalar_rows<double>(1.));
    } else {
        return make(counted_rows(m, shape), weight_rows(weights_in(m), shape));
    }
}

/// The sum of f(rows, positions, first, last), the losses of some of the positions, over all of
/// them; each of several threads, where they are worth waking, has its own copies. elements: of a
/// position.
template <class Rows, class Positions, class F>
loss sum_over_positions(const Rows& rows, const Positions& positions, std::size_t elements, F&& f) {
    const auto all = pieces::of_whole_rows(positions.size(), elements);
    if (all.size() == 0) {
        return {};
    }
    return sum_of_pieces(
        all, std::pair<Rows, Positions>(rows, positions),
        [&](const auto& own, const piece& part) {
            return f(own.first, own.second, part.first_row, part.last_row);
        },
        [](loss& sum, const loss& next) { sum += next; }
    );
}

/// The weight of a class loss: the sum of what weight_of(target, weight) gives for the positions that
/// count, in the order in which sum_over_positions adds that of the loss.
template <class Positions, class F>
double weight_over_positions(const Positions& positions, std::size_t elements, F&& weight_of) {
    const auto weigh = [&](const auto& /*rows*/, const auto& some, std::size_t first,
                           std::size_t last) {
        loss sum;
        const auto counted = [&](std::size_t /*position*/, auto target, double weight) {
            sum.weight += weight_of(target, weight);
        };
        some.for_each(first, last, counted, [](std::size_t /*position*/) {});
        return sum;
    };
    return sum_over_positions(no_targets(), positions, elements, weigh).weight;
}

/// Throws std::invalid_argument unless the prediction has the target's shape and an axis of classes
/// behind it.
template <class P, class Q, class M>
void require_class_shapes(const char* function, const P& prediction, const Q& target, const M& m) {
    const auto& shape = prediction.shape();
    if (shape.size() != target.dimension() + 1 ||
        !std::equal(
            target.shape().begin(), target.shape().end(), shape.begin(),
            [](auto a, auto b) {
                return static_cast<std::size_t>(a) == static_cast<std::size_t>(b);
            }
        )) [[unlikely]]
    {
        throw_invalid(
            function, "the prediction has shape ", tuple_text(shape), " and the target has shape ",
            tuple_text(target.shape()), "; expected the target's shape and one last axis of classes"
        );
    }
    require_counted_shape(function, m, target.shape());
}

/// Throws std::invalid_argument unless the target has the prediction's shape, and there is an axis of
/// classes; gives the shape of the positions.
template <class P, class Q, class M>
any_shape require_probability_shapes(
    const char* function, const P& prediction, const Q& target, const M& m
) {
    const auto& shape = prediction.shape();
    if (shape.size() == 0 || !equal_shapes(shape, target.shape())) [[unlikely]] {
        throw_invalid(
            function, "the prediction has shape ", tuple_text(shape), " and the target has shape ",
            tuple_text(target.shape()),
            "; a target of real numbers is the probability of each class: expected the prediction's "
            "shape, the last axis of classes"
        );
    }
    const any_shape positions(shape.begin(), shape.end() - 1);
    require_counted_shape(function, m, positions);
    return positions;
}

/// Throws std::out_of_range for a counted position whose target is no class, or one that
/// `has_class(position, target)` denies.
template <class Positions, class S, class Has>
void require_targets(
    const char* function, const Positions& positions, const S& shape, std::size_t classes,
    Has&& has_class
) {
    positions.for_each(
        0, positions.size(),
        [&](std::size_t position, auto target, double /*weight*/) {
            const bool outside =
                std::cmp_less(+target, 0) || std::cmp_greater_equal(+target, classes);
            if (outside || !has_class(position, static_cast<std::size_t>(target))) [[unlikely]] {
                at_flat_index(shape, position, [&](const auto& index) {
                    if (outside) {
                        throw_out_of_range(
                            function, "target ", +target, " at ", tuple_text(index),
                            " is outside of [0, ", classes, ")"
                        );
                    }
                    throw_out_of_range(
                        function, "target ", +target, " at ", tuple_text(index),
                        " is a class that the mask over classes drops"
                    );
                });
            }
        },
        [](std::size_t) {}
    );
}

/// Whether a target is the probability of each class.
template <class Q>
inline constexpr bool is_probabilities = [] {
    if constexpr (expression<Q>) {
        return std::is_floating_point_v<std::remove_cv_t<value_type_t<Q>>>;
    } else {
        return false;
    }
}();

/// Fails to compile, with one sentence, unless Q is a target of classes for the prediction P, or of
/// probabilities where these are taken.
template <class P, class Q, bool Probabilities>
consteval bool require_classes() {
    constexpr bool fits = [] {
        if constexpr (expression<P> && expression<Q> && !mask_expression<Q>) {
            using target = std::remove_cv_t<value_type_t<Q>>;
            return std::is_floating_point_v<std::remove_cv_t<value_type_t<P>>> &&
                   ((std::integral<target> && !std::same_as<target, bool>) ||
                    (Probabilities && is_probabilities<Q>));
        } else {
            return false;
        }
    }();
    if constexpr (Probabilities) {
        static_assert(
            fits,
            "xmask: cross entropy takes a prediction of real logits, and a target of integer classes or of "
            "real probabilities, one a class."
        );
    } else {
        static_assert(
            fits,
            "xmask: masked_nll takes a prediction of real log-probabilities and a target of integer classes."
        );
    }
    return fits;
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/row_map.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/reduce/held_rows.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>

// ==== xmask/reduce/line_sums.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

/// @file
/// Sums over the lines of an axis, shifted by the largest kept element where the function asks for
/// it: the base of softmax, normalization and cross entropy.
///
/// A function F says what is summed. Along the axis, over kept elements, first the largest of
/// first(x...) is found, where F::shifts, and settle() makes the shift of it; then F::sums sums of
/// term<n>(shift, x...) are taken. first and term take numbers and registers of them.

namespace xmask::inline XMASK_ABI::detail {
/// The numbers with which F maps an element.
template <class F>
using facts_of = std::array<typename F::value_type, F::fact_count>;

/// The shift of nothing.
template <class F>
inline constexpr auto first_shift =
    F::shifts ? -std::numeric_limits<typename F::value_type>::infinity()
              : typename F::value_type(0);

/// Calls f(std::integral_constant<std::size_t, I>()) for I = 0, ..., N - 1.
template <std::size_t N, class F>
XMASK_INLINE void for_each_index(F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) XMASK_INLINE_LAMBDA {
        (f(std::integral_constant<std::size_t, I>()), ...);
    }(std::make_index_sequence<N>());
}

/// The shift of a line and the sums of its terms.
template <class F>
struct line_sums {
    typename F::value_type shift;
    std::array<double, F::sums> sums;
};

/// The shift and the sums of one line of elements.
template <class F>
class line_facts {
    using T = typename F::value_type;

public:
    explicit line_facts(const F& f) noexcept : m_function(&f) {}

    template <class... V>
    void add_to_shift(const V&... x) {
        if constexpr (F::shifts) {
            m_shift = std::max(m_shift, m_function->first(x...));
        }
    }

    /// After the last element was added to the shift.
    void finish_shift() noexcept {
        if constexpr (F::shifts) {
            m_shift = m_function->settle(m_shift);
        }
    }

    template <class... V>
    void add_terms(const V&... x) {
        for_each_index<F::sums>([&](auto i) {
            m_sums[i] += static_cast<double>(m_function->template term<i>(m_shift, x...));
        });
    }

    [[nodiscard]] line_sums<F> total() const noexcept { return {m_shift, m_sums}; }

    [[nodiscard]] facts_of<F> facts() const { return m_function->facts(m_shift, m_sums); }

private:
    const F* m_function;
    T m_shift = first_shift<F>;
    std::array<double, F::sums> m_sums{};
};

/// The shift and sums of a line; visit(f) calls f(x...) with what it keeps, in order.
template <class F, class Visit>
line_sums<F> sums_of_line(const F& f, Visit&& visit) {
    line_facts<F> line(f);
    visit([&](const auto&... x) { line.add_to_shift(x...); });
    line.finish_shift();
    visit([&](const auto&... x) { line.add_terms(x...); });
    return line.total();
}

/// The rows of some operands under a mask, read as elements of T.
template <class T, class S, class M, class... X>
auto make_zipped_operands(const S& shape, const M& m, const X&... x) {
    return masked_operands{
        mask_rows<M>(m, shape), zip_rows(make_operand<T>(x, shape)...), columns_of(shape)
    };
}

template <class T, std::size_t N>
std::array<double, N> totals_of(const std::array<register_sum<T>, N>& sums) noexcept {
    std::array<double, N> totals;
    std::ranges::transform(sums, totals.begin(), [](const auto& sum) { return sum.total(); });
    return totals;
}

/// Adds g(x...) of what a block keeps.
template <bool Exact, class T, class Blocks, class Count, class G>
XMASK_INLINE void add_kept(
    register_sum<T>& sum, const Blocks& blocks, Count count, word_t bits, G&& g
) {
    if (bits == ~word_t(0)) {
        add_block<T, Exact>(sum, count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            return blocks.template load<full>(k, count - k, g);
        });
        return;
    }
    add_block<T, Exact>(sum, count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
        return zero_unless<T>(bits, k, blocks.template load<full>(k, count - k, g));
    });
}

template <class F, class Row>
typename F::value_type shift_of_row(const F& f, Row row) {
    using T = typename F::value_type;
    if constexpr (F::shifts) {
        const auto lowest = lanes<T>(first_shift<F>);
        // As many as a processor compares before it has the first result.
        std::array<lanes<T>, 4> largest{lowest, lowest, lowest, lowest};
        const auto first = [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.first(x...); };
        for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
            const auto blocks = row.block(c, count, bits);
            const bool all = bits == ~word_t(0);
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                auto x = blocks.template load<full>(k, count - k, first);
                if (!full || !all) {
                    x = select_by_bits<T>(bits, k, x, lowest);
                }
                // Whether NaN is passed over or not: it shows in the sums.
                auto& to = largest[k / lane_count<T> % 4];
                to = xsimd::max(x, to);
            });
        });
        const auto even = xsimd::max(largest[0], largest[2]);
        const auto odd = xsimd::max(largest[1], largest[3]);
        return f.settle(xsimd::reduce_max(xsimd::max(even, odd)));
    } else {
        return T(0);
    }
}

/// The sums of a row whose shift is known.
template <class F, class Row>
std::array<double, F::sums> sums_of_terms(const F& f, typename F::value_type shift, Row row) {
    using T = typename F::value_type;
    const auto wide = lanes<T>(shift);
    std::array<register_sum<T>, F::sums> sums;
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        const auto blocks = row.block(c, count, bits);
        for_each_index<F::sums>([&](auto i) XMASK_INLINE_LAMBDA {
            add_kept<false>(
                sums[i], blocks, count, bits,
                [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.template term<i>(wide, x...); }
            );
        });
    });
    return totals_of(sums);
}

template <class F, class Row>
line_sums<F> sums_of_row(const F& f, Row row) {
    using T = typename F::value_type;
    if constexpr (sums_in_registers<T>) {
        const T shift = shift_of_row(f, row);
        return {shift, sums_of_terms(f, shift, std::move(row))};
    } else {
        return sums_of_line(f, [&](auto&& visit) {
            auto walked = row;
            for_each_kept_block(walked, [&](std::size_t c, std::size_t count, word_t bits) {
                const auto blocks = walked.block(c, count, bits);
                for (; bits != 0; bits &= bits - 1) {
                    blocks.at(lowest_bit(bits), visit);
                }
            });
        });
    }
}

template <class F, class Row>
facts_of<F> facts_of_row(const F& f, Row row) {
    const auto total = sums_of_row(f, std::move(row));
    return f.facts(total.shift, total.sums);
}

/// Multiplies [first, last) by a factor.
template <class T>
void scale_columns(T* first, T* last, T factor) noexcept {
    if constexpr (has_lanes<T>) {
        const auto wide = lanes<T>(factor);
        constexpr auto n = static_cast<std::ptrdiff_t>(lane_count<T>);
        for (; last - first >= n; first += n) {
            store_lanes(first, load_lanes(first) * wide);
        }
    }
    for (; first != last; ++first) {
        *first *= factor;
    }
}

/// Writes term<0> of each kept element of a row, 0 where nothing is kept, and sums all terms.
template <class F, class Row>
class store_terms_delegate {
    using T = typename F::value_type;

public:
    store_terms_delegate(const F& f, T shift, Row& row, T* to) noexcept
        : m_function(&f), m_row(&row), m_to(to), m_shift(shift) {}

    void dropped(std::size_t c, std::size_t end) const noexcept {
        fill_columns(m_to + c, m_to + end, T(0));
    }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            dropped(c, c + count);
            return;
        }
        const auto blocks = m_row->block(c, count, bits);
        // First, as the row may lie where it is written.
        for_each_index<F::sums - 1>([&](auto i) XMASK_INLINE_LAMBDA {
            add_kept<false>(m_sums[i + 1], blocks, count, bits, term<i + 1>());
        });
        const bool all = bits == ~word_t(0);
        all ? store<true>(c, blocks, count, bits) : store<false>(c, blocks, count, bits);
    }

    [[nodiscard]] std::array<double, F::sums> totals() const noexcept { return totals_of(m_sums); }

private:
    template <std::size_t I>
    XMASK_INLINE auto term() const {
        return [this](const auto&... x)
                   XMASK_INLINE_LAMBDA { return m_function->template term<I>(m_shift, x...); };
    }

    template <bool All, class Blocks, class Count>
    XMASK_INLINE void store(std::size_t c, const Blocks& blocks, Count count, word_t bits) {
        T* const to = m_to + c;
        add_block<T, false>(m_sums[0], count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
            lanes<T> y = blocks.template load<full>(k, count - k, term<0>());
            if constexpr (!All) {
                y = zero_unless<T>(bits, k, y);
            }
            store_register<full, false>(to + k, y, count - k);
            return y;
        });
    }

    const F* m_function;
    Row* m_row;
    T* m_to;
    lanes<T> m_shift;
    std::array<register_sum<T>, F::sums> m_sums;
};

/// The sums of a row's terms, while term<0> of each kept element is written to `to`.
template <class F, class Row>
std::array<double, F::sums> store_terms(
    const F& f, typename F::value_type shift, Row row, typename F::value_type* to
) {
    store_terms_delegate<F, Row> delegate(f, shift, row, to);
    walk(row.cursor(), 0, row.columns(), delegate);
    return delegate.totals();
}

/// The same, with the shift of the row.
template <class F, class Row>
line_sums<F> store_terms(const F& f, Row row, typename F::value_type* to, std::size_t n) {
    using T = typename F::value_type;
    if constexpr (sums_in_registers<T>) {
        const T shift = shift_of_row(f, row);
        return {shift, store_terms(f, shift, std::move(row), to)};
    } else {
        const auto line = sums_of_row(f, row);
        // The row may lie where it is written.
        for_each_block(0, n, [&](std::size_t c, std::size_t count) {
            const word_t bits = row.cursor().word(c) & first_bits(count);
            const auto blocks = row.block(c, count, bits);
            for (std::size_t k = 0; k < count; ++k) {
                to[c + k] = (bits >> k & 1) == 0 ? T(0) : blocks.at(k, [&](const auto&... x) {
                    return f.template term<0>(line.shift, x...);
                });
            }
        });
        return line;
    }
}

/// Multiplies a row's terms by a factor. A dropped column is 0, and stays so if the factor is NaN.
template <class T, class Row>
void scale_terms(const Row& row, T* to, std::size_t n, T factor) {
    // Only stretches that are not dropped; no word is asked for.
    for (std::size_t c = 0; c < n;) {
        const stretch ahead = stretch_at(row.cursor(), c);
        const std::size_t end = std::min(ahead.end, n);
        if (ahead.kind != stretch_kind::dropped) {
            scale_columns(to + c, to + end, factor);
        }
        c = end;
    }
    if (factor == factor) [[likely]] {
        return;
    }
    for_each_block(0, n, [&](std::size_t c, std::size_t count) {
        word_t dropped = ~row.cursor().word(c) & first_bits(count);
        for (; dropped != 0; dropped &= dropped - 1) {
            to[c + lowest_bit(dropped)] = T(0);
        }
    });
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/mapped_row.hpp ====

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

/// @file
/// One row of a tensor whose elements depend on all that is kept along an axis.

namespace xmask::inline XMASK_ABI::detail {
/// The facts of a row of the result: the same for all columns, or some for each.
template <class F>
class row_facts {
    using T = typename F::value_type;

public:
    explicit row_facts(const facts_of<F>& facts) : m_facts(facts) {}

    row_facts(const T* table, std::size_t size) : m_table(table), m_size(size) {}

    XMASK_INLINE facts_of<F> at(std::size_t c) const {
        if (m_table == nullptr) [[likely]] {
            return m_facts;
        }
        facts_of<F> facts;
        for_each_index<F::fact_count>([&](auto i) XMASK_INLINE_LAMBDA {
            facts[i] = m_table[i * m_size + c];
        });
        return facts;
    }

    XMASK_INLINE auto load(std::size_t c) const {
        std::array<lanes<T>, F::fact_count> facts;
        for_each_index<F::fact_count>([&](auto i) XMASK_INLINE_LAMBDA {
            facts[i] =
                m_table == nullptr ? lanes<T>(m_facts[i]) : load_lanes(m_table + i * m_size + c);
        });
        return facts;
    }

private:
    facts_of<F> m_facts{};
    const T* m_table = nullptr;
    std::size_t m_size = 0;
};

/// 64 elements of the result.
template <class F, class Blocks>
class mapped_block {
public:
    using value_type = typename F::value_type;
    static constexpr bool in_registers = sums_in_registers<value_type>;

    mapped_block(
        const F& f, const row_facts<F>& facts, const Blocks& operands, std::size_t c, word_t bits
    )
        : m_function(f), m_facts(facts), m_operands(operands), m_column(c), m_bits(bits) {}

    XMASK_INLINE value_type at(std::size_t k) const {
        return (m_bits >> k & 1) == 0 ? F::outside : m_operands.at(k, [&](const auto&... x) {
            return m_function.map(m_facts.at(m_column + k), x...);
        });
    }

    XMASK_INLINE lanes<value_type> load(std::size_t k) const
        requires in_registers
    {
        return load<true>(k, 0);
    }

    XMASK_INLINE lanes<value_type> load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return load<false>(k, count);
    }

private:
    template <bool Full>
    XMASK_INLINE lanes<value_type> load(std::size_t k, std::size_t count) const {
        const auto facts = m_facts.load(m_column + k);
        const auto y =
            m_operands.template load<Full>(k, count, [&](const auto&... x) XMASK_INLINE_LAMBDA {
                return m_function.map(facts, x...);
            });
        return select_by_bits<value_type>(m_bits, k, y, lanes<value_type>(F::outside));
    }

    F m_function;
    row_facts<F> m_facts;
    Blocks m_operands;
    std::size_t m_column;
    word_t m_bits;
};

/// One row of the result.
template <class F, class Row>
class mapped_row {
public:
    mapped_row(const F& f, const row_facts<F>& facts, Row row)
        : m_function(f), m_facts(facts), m_row(std::move(row)) {}

    /// A block of which the kept columns are known.
    template <class Count>
    XMASK_INLINE auto mapped(std::size_t c, Count count, word_t kept, word_t looked_at) {
        const auto operands = m_row.block(c, count, kept & looked_at);
        return mapped_block<F, std::remove_const_t<decltype(operands)>>(
            m_function, m_facts, operands, c, kept
        );
    }

    XMASK_INLINE auto block(std::size_t c, std::size_t count, word_t bits) {
        return mapped(c, count, m_row.cursor().word(c), bits);
    }

private:
    F m_function;
    row_facts<F> m_facts;
    Row m_row;
};

/// Writes a row of the result.
template <class Columns, class F, class Row>
class map_delegate {
public:
    map_delegate(Columns to, mapped_row<F, Row> row) : m_to(to), m_row(std::move(row)) {}

    void dropped(std::size_t c, std::size_t end) const { m_to.fill(c, end, F::outside); }

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits == 0) {
            dropped(c, c + count);
        } else {
            m_to.store(c, m_row.mapped(c, count, bits, bits), count);
        }
    }

private:
    Columns m_to;
    mapped_row<F, Row> m_row;
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Rows along which the axis lies, written in place: short ones from registers that hold the whole
/// row, longer ones a few at a time, so that they stay in the first cache.

namespace xmask::inline XMASK_ABI::detail {
/// The most registers of a row that is held in them as a whole.
inline constexpr std::size_t held_registers = 4;

/// Whether rows of n columns are held in registers as a whole.
template <class T>
constexpr bool fits_registers(std::size_t n) noexcept {
    return n <= std::min(held_registers * lane_count<T>, word_columns);
}

/// Writes a row that R registers hold. No branch depends on what is kept, so that the processor
/// works on several rows at a time.
template <std::size_t R, class F, class Row>
void write_held_row(const F& f, Row row, typename F::value_type* to, std::size_t n) {
    using T = typename F::value_type;
    using batch = lanes<T>;
    constexpr std::size_t width = lane_count<T>;
    const word_t bits = row.cursor().word(0) & first_bits(n);
    const auto blocks = row.block(0, n, bits);
    // g of the operands' registers, `other` where nothing is kept.
    const auto kept = [&](std::size_t i, const batch& other, auto&& g) XMASK_INLINE_LAMBDA {
        const std::size_t k = i * width;
        const batch x = k + width <= n ? blocks.template load<true>(k, width, g)
                                       : blocks.template load<false>(k, n > k ? n - k : 0, g);
        return select_by_bits<T>(bits, k, x, other);
    };
    T shift = T(0);
    if constexpr (F::shifts) {
        const auto lowest = batch(first_shift<F>);
        auto largest = lowest;
        for_each_index<R>([&](auto i) XMASK_INLINE_LAMBDA {
            const auto first = [&](const auto&... x) XMASK_INLINE_LAMBDA { return f.first(x...); };
            largest = xsimd::max(kept(i, lowest, first), largest);
        });
        shift = f.settle(xsimd::reduce_max(largest));
    }
    const auto wide = batch(shift);
    const auto zero = batch(T(0));
    std::array<batch, R> terms;
    std::array<double, F::sums> totals;
    for_each_index<F::sums>([&](auto s) XMASK_INLINE_LAMBDA {
        register_sum<T> sum;
        for_each_index<R>([&](auto i) XMASK_INLINE_LAMBDA {
            const auto term = kept(i, zero, [&](const auto&... x) XMASK_INLINE_LAMBDA {
                return f.template term<s>(wide, x...);
            });
            sum.add(term);
            if constexpr (s == 0) {
                terms[i] = term;
            }
        });
        totals[s] = sum.total();
    });
    const facts_of<F> facts = f.facts(shift, totals);
    std::array<batch, F::fact_count> wide_facts;
    std::ranges::transform(facts, wide_facts.begin(), [](T fact) { return batch(fact); });
    for_each_index<R>([&](auto i) XMASK_INLINE_LAMBDA {
        batch y;
        if constexpr (F::keeps_terms) {
            // A dropped lane is 0, and times NaN would be NaN.
            y = zero_unless<T>(bits, i * width, terms[i] * wide_facts[1]);
        } else {
            y = kept(i, batch(F::outside), [&](const auto&... x) XMASK_INLINE_LAMBDA {
                return f.map(wide_facts, x...);
            });
        }
        const std::size_t k = i * width;
        if (k + width <= n) {
            store_lanes(to + k, y);
        } else if (k < n) {
            store_first_lanes(to + k, y, n - k);
        }
    });
}

/// Writes each row by itself, from what registers hold of it.
template <std::size_t R, class F, class Rows, class Writer>
void write_held_rows(
    const F& f, const Rows& rows, Writer& writer, std::size_t begin, std::size_t end, std::size_t n
) {
    for (std::size_t r = begin; r < end; ++r) {
        writer.seek(r);
        write_held_row<R>(f, rows.row(r), writer.block(0), n);
    }
}

/// Writes a row whose facts are known; where the terms are kept, `to` holds them.
template <class F, class Row>
void finish_row(const F& f, const facts_of<F>& facts, Row row, typename F::value_type* to) {
    if constexpr (F::keeps_terms) {
        scale_terms(row, to, row.columns(), facts[1]);
    } else {
        const auto cursor = row.cursor();
        const std::size_t n = row.columns();
        using columns = written_columns<typename F::value_type, false>;
        map_delegate<columns, F, Row> delegate(
            columns(to, 0), mapped_row<F, Row>(f, row_facts<F>(facts), std::move(row))
        );
        walk(cursor, 0, n, delegate);
    }
}

/// Writes rows along which the axis lies. Each step goes through a few of them, which stay in the
/// first cache: what comes last in one row need not be waited for by the next.
template <class F, class Rows, class Writer>
void write_whole_rows(
    const F& f, const Rows& rows, Writer& writer, std::size_t begin, std::size_t end, std::size_t n
) {
    using T = typename F::value_type;
    constexpr std::size_t most = 8;
    constexpr std::size_t cached_columns = (std::size_t(16) << 10) / sizeof(T);
    const std::size_t step = std::clamp(cached_columns / n, std::size_t(1), most);
    std::array<T, most> shifts;
    std::array<std::array<double, F::sums>, most> sums;
    for (std::size_t first = begin; first < end; first += step) {
        const std::size_t count = std::min(step, end - first);
        for (std::size_t i = 0; i < count; ++i) {
            shifts[i] = shift_of_row(f, rows.row(first + i));
        }
        for (std::size_t i = 0; i < count; ++i) {
            writer.seek(first + i);
            if constexpr (F::keeps_terms) {
                sums[i] = store_terms(f, shifts[i], rows.row(first + i), writer.block(0));
            } else {
                sums[i] = sums_of_terms(f, shifts[i], rows.row(first + i));
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            writer.seek(first + i);
            finish_row(f, f.facts(shifts[i], sums[i]), rows.row(first + i), writer.block(0));
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/line_table.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <vector>

/// @file
/// The lines of an axis that is not the last: all lines through the columns of a row, side by side.

namespace xmask::inline XMASK_ABI::detail {
/// How an axis lies among the rows of a shape. Its lines are numbered like the rows, with the axis
/// left out.
struct row_axis {
    std::size_t extent = 1; ///< of the axis
    std::size_t inner = 1;  ///< rows between two elements of a line
    bool last = true;       ///< lines are rows

    template <class S>
    row_axis(const S& shape, std::size_t axis) : last(axis + 1 >= shape.size()) {
        for (std::size_t i = 0; i + 1 < shape.size(); ++i) {
            if (i == axis) {
                extent = static_cast<std::size_t>(shape[i]);
            } else if (i > axis) {
                inner *= static_cast<std::size_t>(shape[i]);
            }
        }
    }

    /// The row of lines that row r belongs to.
    [[nodiscard]] std::size_t line_row(std::size_t r) const noexcept {
        return r / (extent * inner) * inner + r % inner;
    }

    /// The row at position i of a row of lines.
    [[nodiscard]] std::size_t row(std::size_t line_row, std::size_t i) const noexcept {
        return (line_row / inner * extent + i) * inner + line_row % inner;
    }
};

/// The lines through the columns of a row, side by side; each row of the axis is added to all of
/// them.
template <class F>
class line_row {
    using T = typename F::value_type;

public:
    line_row(const F& f, std::size_t n) : m_function(&f), m_shift(padded(n), first_shift<F>) {
        m_sums.fill(std::vector<double>(padded(n)));
    }

    template <class Row>
    void add_to_shift(Row row) {
        if constexpr (F::shifts) {
            const auto first = [&](const auto&... x)
                                   XMASK_INLINE_LAMBDA { return m_function->first(x...); };
            for_each_kept_block(
                row,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    const auto blocks = row.block(c, count, bits);
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        T* to = m_shift.data() + c + k;
                        const auto before = load_lanes(to);
                        const auto x = blocks.template load<full>(k, count - k, first);
                        store_lanes(to, select_by_bits<T>(bits, k, xsimd::max(x, before), before));
                    });
                }
            );
        }
    }

    void finish_shift() {
        if constexpr (F::shifts) {
            std::ranges::transform(m_shift, m_shift.begin(), [&](T largest) {
                return m_function->settle(largest);
            });
        }
    }

    template <class Row>
    void add_terms(Row row) {
        for_each_index<F::sums>([&](auto i) {
            // The shift is one more operand, read from where the columns are.
            for_each_kept_block(
                row,
                [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                    const auto blocks = row.block(c, count, bits);
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        const auto shift = load_lanes(m_shift.data() + c + k);
                        const auto term = blocks.template load<full>(
                            k, count - k,
                            [&](const auto&... x) XMASK_INLINE_LAMBDA {
                                return m_function->template term<i>(shift, x...);
                            }
                        );
                        add(m_sums[i].data() + c + k, zero_unless<T>(bits, k, term));
                    });
                }
            );
        });
    }

    [[nodiscard]] facts_of<F> facts(std::size_t c) const {
        std::array<double, F::sums> sums;
        std::ranges::transform(m_sums, sums.begin(), [c](const auto& sum) { return sum[c]; });
        return m_function->facts(m_shift[c], sums);
    }

private:
    /// Registers are loaded and stored whole, also at the last few columns.
    static std::size_t padded(std::size_t n) noexcept { return n + word_columns; }

    static void add(double* to, const lanes<T>& x) {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            store_lanes(to, load_lanes(to) + wide[0]);
            store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) + wide[1]);
        } else {
            store_lanes(to, load_lanes(to) + x);
        }
    }

    const F* m_function;
    std::vector<T> m_shift;
    std::array<std::vector<double>, F::sums> m_sums;
};

/// The same for types without registers.
template <class F>
    requires(!sums_in_registers<typename F::value_type>)
class line_row<F> {
public:
    line_row(const F& f, std::size_t n) : m_lines(n, line_facts<F>(f)) {}

    template <class Row>
    void add_to_shift(Row row) {
        for_each_kept(row, [&](std::size_t c, const auto&... x) { m_lines[c].add_to_shift(x...); });
    }

    void finish_shift() {
        std::ranges::for_each(m_lines, [](auto& line) { line.finish_shift(); });
    }

    template <class Row>
    void add_terms(Row row) {
        for_each_kept(row, [&](std::size_t c, const auto&... x) { m_lines[c].add_terms(x...); });
    }

    [[nodiscard]] facts_of<F> facts(std::size_t c) const { return m_lines[c].facts(); }

private:
    template <class Row, class G>
    static void for_each_kept(Row& row, G&& g) {
        for_each_kept_block(row, [&](std::size_t c, std::size_t count, word_t bits) {
            const auto blocks = row.block(c, count, bits);
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                blocks.at(k, [&](const auto&... x) { g(c + k, x...); });
            }
        });
    }

    std::vector<line_facts<F>> m_lines;
};

/// The facts of all lines of an axis that is not the last. Holds as many numbers as there are
/// lines, a few times.
template <class F>
class facts_table {
    using T = typename F::value_type;

public:
    template <class Rows>
    facts_table(
        const F& f, const Rows& rows, const row_axis& axis, std::size_t row_count, std::size_t n
    )
        : m_columns(n) {
        const std::size_t line_rows =
            row_count == 0 || n == 0 || axis.last ? 0 : row_count / axis.extent;
        m_size = line_rows * n;
        if (m_size == 0) {
            return;
        }
        m_values.resize(F::fact_count * m_size + word_columns); // registers are loaded whole
        for (std::size_t l = 0; l < line_rows; ++l) {
            line_row<F> lines(f, n);
            for (std::size_t i = 0; i < axis.extent; ++i) {
                lines.add_to_shift(rows.row(axis.row(l, i)));
            }
            lines.finish_shift();
            for (std::size_t i = 0; i < axis.extent; ++i) {
                lines.add_terms(rows.row(axis.row(l, i)));
            }
            for (std::size_t c = 0; c < n; ++c) {
                const auto facts = lines.facts(c);
                for (std::size_t i = 0; i < F::fact_count; ++i) {
                    m_values[i * m_size + l * n + c] = facts[i];
                }
            }
        }
    }

    /// Where the first facts of a row of lines begin; the next ones lie size() further on.
    [[nodiscard]] const T* row(std::size_t line_row) const noexcept {
        return m_values.data() + line_row * m_columns;
    }

    [[nodiscard]] std::size_t size() const noexcept { return m_size; }

private:
    std::size_t m_columns;
    std::size_t m_size = 0;
    std::vector<T> m_values;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/upstream.hpp ====

/// @file
/// The order in which all gradients are called: the tensor, the mask, the upstream gradient, then
/// axes and options.

namespace xmask::inline XMASK_ABI::detail {
/// What stands for an upstream gradient: an array over the axes that stay.
template <class U>
concept upstream_argument = expression<U> && !mask_expression<U>;

/// Whether these are the third and fourth argument of a gradient along axes, or the other way round,
/// so that require_gradient_order can say so.
template <class U, class A>
concept gradient_arguments = (expression<U> && axes_argument<A>) || upstream_argument<A>;

/// Fails to compile, with one sentence, unless the upstream gradient, if there is one, stands in its
/// place.
template <class... U>
consteval bool require_gradient_order() {
    constexpr bool ordered = (upstream_argument<U> && ...);
    static_assert(
        ordered,
        "xmask: a gradient takes the tensor, the mask, the upstream gradient (that of what the result "
        "feeds), then axes and options, in this order."
    );
    return ordered;
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Lazy tensors whose elements depend on all that is kept along an axis: softmax, normalize, and
/// their gradients.
///
/// A function F says how. Along the axis, over what is kept, first the largest of first(x...) is
/// found, where F::shifts, and settle() makes the shift of it; then F::sums sums of term<n>(shift,
/// x...) are taken. facts(shift, sums) makes of them the few numbers with which map(facts, x...)
/// gives each kept element; what is dropped is `outside`. first, term and map take numbers and
/// registers of them. Where F::keeps_terms, map is term<0> times facts[1], and outside 0: a row
/// that is assigned by itself holds its terms in the result until their sum is known, so that none
/// is computed twice.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The rows of the result, broadcast to a shape. What is summed along the axis is so in the
/// result's own shape.
template <class F, class OwnRows, class Rows>
class mapped_rows {
public:
    template <class Own, class S>
    mapped_rows(
        const F& f, const Own& own_shape, OwnRows own, const row_axis& axis, const S& shape,
        Rows rows
    )
        : m_function(f)
        , m_own(std::move(own))
        , m_rows(std::move(rows))
        , m_axis(axis)
        , m_numbers(row_numbers(shape, own_shape))
        , m_table(f, m_own, axis, rows_of(own_shape), columns_of(own_shape))
        , m_one_column(columns_of(own_shape) == 1) {}

    XMASK_INLINE auto row(std::size_t r) const {
        using row_type = row_t<Rows>;
        return mapped_row<F, row_type>(
            m_function, facts(static_cast<std::size_t>(m_numbers(r))), m_rows.row(r)
        );
    }

    [[nodiscard]] static bool flat(std::size_t /*n*/) noexcept { return false; }

private:
    [[nodiscard]] row_facts<F> facts(std::size_t own_row) const {
        if (m_axis.last) {
            return row_facts<F>(facts_of_row(m_function, m_own.row(own_row)));
        }
        const row_facts<F> facts(m_table.row(m_axis.line_row(own_row)), m_table.size());
        return m_one_column ? row_facts<F>(facts.at(0)) : facts;
    }

    F m_function;
    OwnRows m_own;
    Rows m_rows;
    row_axis m_axis;
    row_offsets m_numbers;
    facts_table<F> m_table;
    bool m_one_column;
};
} // namespace detail

/// A tensor whose elements depend on all that a mask keeps along an axis (masked_softmax,
/// masked_normalize, ...), not yet computed. An ordinary lazy xtensor expression: what is assigned
/// goes row by row. A single element costs the whole line along the axis.
template <class F, class CTM, class... CTX>
class row_mapped;
} // namespace xmask::inline XMASK_ABI

template <class F, class CTM, class CTX, class... CTY>
struct xt::xiterable_inner_types<xmask::row_mapped<F, CTM, CTX, CTY...>> {
    using inner_shape_type = typename std::decay_t<CTX>::inner_shape_type;
    using const_stepper = xt::xindexed_stepper<xmask::row_mapped<F, CTM, CTX, CTY...>, true>;
    using stepper = const_stepper;
};

template <class F, class CTM, class... CTX>
struct xt::xcontainer_inner_types<xmask::row_mapped<F, CTM, CTX...>> {
    using reference = typename F::value_type;
    using const_reference = typename F::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI {
template <class F, class CTM, class... CTX>
class row_mapped : public detail::lazy<row_mapped<F, CTM, CTX...>, typename F::value_type> {
    using base = detail::lazy<row_mapped<F, CTM, CTX...>, typename F::value_type>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    /// Operands of one shape. Throws std::invalid_argument where the shapes do not fit.
    template <class M, class... X>
    row_mapped(const char* name, const F& f, std::size_t axis, M&& m, X&&... operands)
        : m_function(f)
        , m_mask(std::forward<M>(m))
        , m_operands(std::forward<X>(operands)...)
        , m_axis(axis)
        , m_name(name) {
        detail::call_with(
            [&](const auto&, const auto&... rest) {
                (detail::require_same_shape(
                     name, "the first tensor", shape(), "another", rest.shape()
                 ),
                 ...);
            },
            m_operands
        );
        detail::require_broadcast(name, "a mask", m_mask.shape(), shape());
    }

    using base::shape;

    const inner_shape_type& shape() const noexcept { return std::get<0>(m_operands).shape(); }

    template <class It>
    value_type element(It first, It last) const {
        // As xtensor does: surplus leading indices are ignored, missing ones count as 0.
        xt::svector<std::size_t, 8> index(shape().size(), 0);
        for (std::size_t axis = index.size(); axis-- > 0 && last != first;) {
            index[axis] = static_cast<std::size_t>(*--last);
        }
        const auto kept = [&](const auto& at) { return m_mask.element(at.begin(), at.end()); };
        if (!kept(index)) {
            return F::outside;
        }
        const auto visit_at = [&](const auto& at, auto&& visit) {
            return detail::call_with(
                [&](const auto&... x) {
                    return visit(static_cast<value_type>(x.element(at.begin(), at.end()))...);
                },
                m_operands
            );
        };
        const auto total = detail::sums_of_line(m_function, [&](auto&& visit) {
            auto at = index;
            const std::size_t extent = at.empty() ? 1 : static_cast<std::size_t>(shape()[m_axis]);
            for (std::size_t i = 0; i < extent; ++i) {
                if (!at.empty()) {
                    at[m_axis] = i;
                }
                if (kept(at)) {
                    visit_at(at, visit);
                }
            }
        });
        const auto facts = m_function.facts(total.shift, total.sums);
        return visit_at(index, [&](const auto&... x) { return m_function.map(facts, x...); });
    }

    value_type data_element(size_type i) const {
        return detail::at_flat_index(shape(), i, [&](const auto& index) {
            return element(index.begin(), index.end());
        });
    }

    template <class S>
    const_stepper stepper_begin(const S& walked) const noexcept {
        return const_stepper(this, walked.size() - this->dimension());
    }

    template <class S>
    const_stepper stepper_end(const S& walked, xt::layout_type /*l*/) const noexcept {
        return const_stepper(this, walked.size() - this->dimension(), true);
    }

    /// xtensor calls it when this expression stands alone on the right-hand side.
    template <class E>
    void assign_to(xt::xexpression<E>& to) const {
        auto& result = to.derived_cast();
        if (detail::assign_apart<value_type>(m_name, *this, sources_of_rows(), result)) {
            return;
        }
        if constexpr (detail::has_threads) {
            // Several threads may write parts of a row, each of which needs all of it.
            if (detail::columns_of(shape()) > detail::piece_elements &&
                detail::assign_apart<value_type>(m_name, *this, result)) {
                return;
            }
        }
        detail::resize_or_check(m_name, "the result", result, shape());
        write_to(result);
    }

    /// The same into what has this shape, and is read in place, if at all.
    template <class E>
    void write_to(E& result) const {
        if constexpr (detail::sums_in_registers<value_type>) {
            if (detail::row_axis(shape(), m_axis).last &&
                detail::row_writer<value_type, E>(result).in_place()) {
                write_own_rows(result);
                return;
            }
        }
        using masks = detail::mask_rows<std::decay_t<CTM>>;
        detail::write_rows<value_type>(
            result,
            detail::masked_operands{
                masks(m_mask, shape()), rows(shape()), detail::columns_of(shape())
            },
            [](const auto& rows, std::size_t r, auto columns) {
                return detail::map_delegate(columns, rows.row(r));
            }
        );
    }

    /// What this reads in a larger expression (core/overlap.hpp).
    [[nodiscard]] auto sources() const noexcept {
        return detail::call_with(
            [&](const auto&... x) {
                return std::tuple(detail::read_anywhere(m_mask), detail::read_anywhere(x)...);
            },
            m_operands
        );
    }

    /// What a walk over `walked`, into which this broadcasts, reads.
    template <class S>
    auto rows(const S& walked) const {
        auto own = operand_rows(shape());
        auto broadcast = operand_rows(walked);
        return detail::mapped_rows<F, decltype(own), decltype(broadcast)>(
            m_function, shape(), std::move(own), detail::row_axis(shape(), m_axis), walked,
            std::move(broadcast)
        );
    }

private:
    /// What this reads where it is written by itself: a line before any element of it is written,
    /// and its mask again where the line holds its terms.
    [[nodiscard]] auto sources_of_rows() const noexcept {
        return detail::call_with(
            [&](const auto&... x) {
                if constexpr (F::keeps_terms) {
                    return std::tuple(detail::read_anywhere(m_mask), detail::read_in_place(x)...);
                } else {
                    return std::tuple(detail::read_in_place(m_mask), detail::read_in_place(x)...);
                }
            },
            m_operands
        );
    }

    /// Writes rows along which the axis lies, in place.
    template <class E>
    void write_own_rows(E& to) const {
        constexpr std::size_t width = detail::lane_count<value_type>;
        const std::size_t n = detail::columns_of(shape());
        const auto all = detail::pieces::of_whole_rows(n == 0 ? 0 : detail::rows_of(shape()), n);
        detail::for_each_piece(
            all, operand_rows(shape()),
            [&](const auto& rows, const detail::piece& part) {
                detail::row_writer<value_type, E> writer(to);
                const auto write = [&](auto registers) {
                    detail::write_held_rows<registers>(
                        m_function, rows, writer, part.first_row, part.last_row, n
                    );
                };
                if (!detail::fits_registers<value_type>(n)) {
                    detail::write_whole_rows(
                        m_function, rows, writer, part.first_row, part.last_row, n
                    );
                } else if (n <= width) {
                    write(std::integral_constant<std::size_t, 1>());
                } else if (n <= 2 * width) {
                    write(std::integral_constant<std::size_t, 2>());
                } else {
                    write(std::integral_constant<std::size_t, 4>());
                }
            }
        );
    }

    template <class S>
    auto operand_rows(const S& walked) const {
        return detail::call_with(
            [&](const auto&... x) {
                return detail::make_zipped_operands<value_type>(walked, m_mask, x...);
            },
            m_operands
        );
    }

    F m_function;
    CTM m_mask;
    std::tuple<CTX...> m_operands;
    std::size_t m_axis;
    const char* m_name;
};

namespace detail {
template <class F, class CTM, class... CTX>
struct row_maker<row_mapped<F, CTM, CTX...>> {
    template <class S>
    static auto make(const row_mapped<F, CTM, CTX...>& e, const S& shape) {
        return e.rows(shape);
    }
};

template <class... X>
consteval bool require_real_tensors() {
    constexpr bool real = ([] {
        if constexpr (expression<X> && !mask_expression<X>) {
            return std::is_floating_point_v<std::remove_cv_t<value_type_t<X>>>;
        } else {
            return false;
        }
    }() && ...);
    static_assert(
        real,
        "xmask: this takes tensors (or lazy expressions) of real numbers, the mask after them; convert integers first."
    );
    return real;
}

/// Fails to compile, with one sentence, unless these are the tensor, the mask and the upstream
/// gradient of a gradient along an axis.
template <class X, class M, class G>
consteval bool require_row_gradient() {
    if constexpr (require_gradient_order<G>()) {
        return require_real_tensors<X, G>() && require_mask<M>();
    } else {
        return false;
    }
}

template <class... X>
using real_of = std::common_type_t<std::remove_cv_t<value_type_t<X>>...>;

template <class F, class M, class... X>
auto make_row_mapped(const char* name, const F& f, std::ptrdiff_t axis, M&& m, X&&... operands) {
    const std::size_t rank = std::get<0>(std::forward_as_tuple(operands...)).dimension();
    return row_mapped<F, closure_t<M>, closure_t<X>...>(
        name, f, line_axis_number(name, axis, rank), std::forward<M>(m),
        std::forward<X>(operands)...
    );
}

/// Gives x what F makes of it, in place.
template <class F, class X, class M>
void map_inplace(const char* name, const F& f, std::ptrdiff_t axis, const M& m, X& x) {
    // Of a row that holds its terms, the mask is asked again.
    with_mask_apart(
        m, x, [&](const auto& apart) { make_row_mapped(name, f, axis, apart, x).assign_to(x); },
        F::keeps_terms ? overlap::none : overlap::in_place
    );
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/soft_cross_entropy.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/reduce/softmax.hpp ====

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

/// @file
/// Softmax, log_softmax and softmin over what a mask keeps, and their gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// What all of the family share: elements shifted by the largest, so that no exponential overflows.
template <class T, bool Negative>
struct exp_terms {
    using value_type = T;

    static constexpr bool shifts = true;
    static constexpr std::size_t sums = 1;
    static constexpr std::size_t fact_count = 2;

    template <class V>
    XMASK_INLINE static V first(const V& x) noexcept {
        if constexpr (Negative) {
            return -x;
        } else {
            return x;
        }
    }

    /// Where all that is kept is -inf, it stays so, and no difference of infinities is taken.
    static T settle(T largest) noexcept {
        return largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
    }

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& largest, const V& x) noexcept {
        return exp_nonpositive(first(x) - largest);
    }
};

/// exp(x - largest) / sum.
template <class T, bool Negative = false>
struct softmax_function : exp_terms<T, Negative> {
    static constexpr bool keeps_terms = true;
    static constexpr T outside = T(0);

    static std::array<T, 2> facts(T largest, const std::array<double, 1>& total) noexcept {
        return {largest, total[0] == 0 ? T(0) : static_cast<T>(1 / total[0])};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 2>& facts, const V& x) noexcept {
        return softmax_function::template term<0>(facts[0], x) * facts[1];
    }
};

/// (x - largest) - log(sum).
template <class T>
struct log_softmax_function : exp_terms<T, false> {
    static constexpr bool keeps_terms = false;
    static constexpr T outside = -std::numeric_limits<T>::infinity();

    static std::array<T, 2> facts(T largest, const std::array<double, 1>& total) noexcept {
        return {largest, total[0] == 0 ? T(0) : static_cast<T>(std::log(total[0]))};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 2>& facts, const V& x) noexcept {
        return (x - facts[0]) - facts[1];
    }
};

/// y (g - sum(y g)), of y = softmax(x) and the gradient g by y.
template <class T>
struct softmax_gradient_function {
    using value_type = T;

    static constexpr bool shifts = false;
    static constexpr std::size_t sums = 1;
    static constexpr std::size_t fact_count = 1;
    static constexpr bool keeps_terms = false;
    static constexpr T outside = T(0);

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& /*shift*/, const V& y, const V& g) noexcept {
        return y * g;
    }

    static std::array<T, 1> facts(T /*shift*/, const std::array<double, 1>& total) noexcept {
        return {static_cast<T>(total[0])};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 1>& facts, const V& y, const V& g) noexcept {
        return y * (g - facts[0]);
    }
};

/// Its negative, of y = softmin(x).
template <class T>
struct softmin_gradient_function : softmax_gradient_function<T> {
    template <class V>
    XMASK_INLINE static V map(const std::array<V, 1>& facts, const V& y, const V& g) noexcept {
        return y * (facts[0] - g);
    }
};

/// g - exp(y) sum(g), of y = log_softmax(x) and the gradient g by y.
template <class T>
struct log_softmax_gradient_function {
    using value_type = T;

    static constexpr bool shifts = false;
    static constexpr std::size_t sums = 1;
    static constexpr std::size_t fact_count = 1;
    static constexpr bool keeps_terms = false;
    static constexpr T outside = T(0);

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& /*shift*/, const V& /*y*/, const V& g) noexcept {
        return g;
    }

    static std::array<T, 1> facts(T /*shift*/, const std::array<double, 1>& total) noexcept {
        return {static_cast<T>(total[0])};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 1>& facts, const V& y, const V& g) noexcept {
        return g - exp_nonpositive(y) * facts[0];
    }
};
} // namespace detail

/// exp(x) / sum(exp(x)) along an axis, over what the mask keeps; 0 where it drops.
///
/// x: a tensor or lazy expression of real numbers, of which the result has shape and type; `0.125f
/// * scores + bias` is scaled and shifted on the way. m broadcasts into x. axis: counts from the
/// end where negative. Lazy: assign it, or go on with it. Where nothing is kept, or nothing but
/// -inf, the result is 0, never NaN; NaN that is kept makes its line NaN. Elements below 1.2e-38 of
/// the largest may come out smaller, or 0. Throws std::invalid_argument where the mask does not
/// fit, std::out_of_range for an axis that x does not have. Along the last axis a row is read
/// twice, while in the cache, and each exponential is computed once; along another axis, or inside
/// of a larger expression, twice, and another axis takes memory for its lines.
///
///     xt::xtensor<float, 2> scores = {{1.f, 1.f, 7.f}, {0.f, 3.f, 5.f}};
///     xt::xtensor<float, 2> p = xmask::masked_softmax(scores, xmask::keep_lengths({2, 0}, 3));
///     // 0.5 0.5 0
///     // 0   0   0
template <class X, class M>
auto masked_softmax(X&& x, M&& m, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_mask<M>()) {
        return detail::make_row_mapped(
            "masked_softmax", detail::softmax_function<detail::real_of<X>>(), axis,
            std::forward<M>(m), std::forward<X>(x)
        );
    }
}

/// The same in place: x becomes its softmax. x is any assignable tensor or view.
///
///     xmask::masked_softmax_inplace(scores, m);
template <class X, class M>
void masked_softmax_inplace(X&& x, const M& m, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>()) {
        detail::map_inplace(
            "masked_softmax_inplace", detail::softmax_function<detail::real_of<X>>(), axis, m, x
        );
    }
}

/// The softmax of -x: the smallest elements weigh most. Otherwise as masked_softmax.
///
///     auto weights = xmask::masked_softmin(distances, m);
template <class X, class M>
auto masked_softmin(X&& x, M&& m, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_mask<M>()) {
        return detail::make_row_mapped(
            "masked_softmin", detail::softmax_function<detail::real_of<X>, true>(), axis,
            std::forward<M>(m), std::forward<X>(x)
        );
    }
}

/// The same in place.
///
///     xmask::masked_softmin_inplace(distances, m);
template <class X, class M>
void masked_softmin_inplace(X&& x, const M& m, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>()) {
        detail::map_inplace(
            "masked_softmin_inplace", detail::softmax_function<detail::real_of<X>, true>(), axis, m,
            x
        );
    }
}

/// log(softmax(x)), without the rounding of a small softmax; -inf where the mask drops. Otherwise
/// as masked_softmax.
///
///     xt::xtensor<float, 2> logs = xmask::masked_log_softmax(scores, m);
template <class X, class M>
auto masked_log_softmax(X&& x, M&& m, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_mask<M>()) {
        return detail::make_row_mapped(
            "masked_log_softmax", detail::log_softmax_function<detail::real_of<X>>(), axis,
            std::forward<M>(m), std::forward<X>(x)
        );
    }
}

/// The same in place.
///
///     xmask::masked_log_softmax_inplace(scores, m);
template <class X, class M>
void masked_log_softmax_inplace(X&& x, const M& m, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>()) {
        detail::map_inplace(
            "masked_log_softmax_inplace", detail::log_softmax_function<detail::real_of<X>>(), axis,
            m, x
        );
    }
}

/// The gradient of masked_softmax(x, m, axis) by x, from its result, not from x: result (upstream -
/// sum(result upstream)), 0 where the mask drops.
///
/// result: what masked_softmax gave. upstream: the gradient by the result. Lazy; tensors of one
/// shape; otherwise as masked_softmax.
///
///     xt::xtensor<float, 2> dx = xmask::masked_softmax_gradient(p, m, dy);
template <class Y, class M, class G>
auto masked_softmax_gradient(Y&& result, M&& m, G&& upstream, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_row_gradient<Y, M, G>()) {
        return detail::make_row_mapped(
            "masked_softmax_gradient", detail::softmax_gradient_function<detail::real_of<Y, G>>(),
            axis, std::forward<M>(m), std::forward<Y>(result), std::forward<G>(upstream)
        );
    }
}

/// The gradient of masked_softmin(x, m, axis) by x, from its result: result (sum(result upstream) -
/// upstream), 0 where the mask drops. Otherwise as masked_softmax_gradient.
///
///     xt::xtensor<float, 2> dx = xmask::masked_softmin_gradient(p, m, dy);
template <class Y, class M, class G>
auto masked_softmin_gradient(Y&& result, M&& m, G&& upstream, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_row_gradient<Y, M, G>()) {
        return detail::make_row_mapped(
            "masked_softmin_gradient", detail::softmin_gradient_function<detail::real_of<Y, G>>(),
            axis, std::forward<M>(m), std::forward<Y>(result), std::forward<G>(upstream)
        );
    }
}

/// The gradient of masked_log_softmax(x, m, axis) by x, from its result: upstream - exp(result)
/// sum(upstream), 0 where the mask drops. Otherwise as masked_softmax_gradient.
///
///     xt::xtensor<float, 2> dx = xmask::masked_log_softmax_gradient(p, m, dy);
template <class Y, class M, class G>
auto masked_log_softmax_gradient(Y&& result, M&& m, G&& upstream, std::ptrdiff_t axis = -1) {
    if constexpr (detail::require_row_gradient<Y, M, G>()) {
        return detail::make_row_mapped(
            "masked_log_softmax_gradient",
            detail::log_softmax_gradient_function<detail::real_of<Y, G>>(), axis,
            std::forward<M>(m), std::forward<Y>(result), std::forward<G>(upstream)
        );
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Cross entropy with a target of probabilities, one for each class.

namespace xmask::inline XMASK_ABI::detail {
/// The terms of the cross entropy of logits x with a target q: exp(x - largest), q, and q (x -
/// largest), which is 0 where q is 0, even of a logit of -infinity.
template <class T>
struct soft_terms : exp_terms<T, false> {
    static constexpr std::size_t sums = 3;

    template <class V>
    XMASK_INLINE static V first(const V& x, const V& /*q*/) noexcept {
        return x;
    }

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& largest, const V& x, const V& q) noexcept {
        if constexpr (I == 0) {
            return exp_nonpositive(x - largest);
        } else if constexpr (I == 1) {
            return q;
        } else {
            return xsimd::select(q == V(0), V(0), V(q * (x - largest)));
        }
    }
};

/// The rows of logits, of the probabilities they are to have, and of the classes there are.
template <class Logits, class Targets, class Masks>
struct soft_rows {
    Logits logits;
    Targets targets;
    Masks masks;
};

/// The target of one position at a time, smoothed and times the class weights: w ((1 - e) t + e /
/// (number of classes)), 0 for classes that there are not.
template <class T>
class soft_target {
public:
    soft_target(const cross_entropy_options& options, std::size_t classes)
        : m_values(classes)
        , m_weights(&options.class_weights)
        , m_smoothing(options.label_smoothing) {}

    /// Gives how many classes there are.
    template <class Cursor, class Row>
    std::size_t read(const Cursor& cursor, Row row) {
        const std::size_t n = m_values.size();
        for_each_block(0, n, [&](std::size_t c, auto count) {
            store_block<false>(m_values.data() + c, row.block(c, count, first_bits(count)), count);
        });
        const std::size_t classes = count_row(cursor, 0, n);
        if (classes == n && m_smoothing == 0 && m_weights->size() == 0) {
            return n;
        }
        const double even = m_smoothing / static_cast<double>(classes);
        for_each_block(0, n, [&](std::size_t c, std::size_t count) {
            const word_t bits = cursor.word(c);
            for (std::size_t k = 0; k < count; ++k) {
                const double smooth =
                    (1 - m_smoothing) * static_cast<double>(m_values[c + k]) + even;
                m_values[c + k] = (bits >> k & 1) != 0
                                      ? static_cast<T>(class_weight(*m_weights, c + k) * smooth)
                                      : T(0);
            }
        });
        return classes;
    }

    [[nodiscard]] memory_row<T> row() const noexcept { return {m_values.data(), 1, nullptr}; }

    /// Subtracts a multiple of the target.
    void subtract(T* from, T factor) const noexcept {
        for (std::size_t c = 0; c < m_values.size(); ++c) {
            from[c] -= factor * m_values[c];
        }
    }

private:
    std::vector<T> m_values;
    const xt::xtensor<double, 1>* m_weights;
    double m_smoothing;
};

/// As sum_of_entropies, of targets that are probabilities. A position without any class costs
/// nothing.
template <class T, class Rows, class Positions, class G, class Visit>
loss sum_of_soft_entropies(
    const Rows& rows, const Positions& positions, std::size_t first, std::size_t last,
    const cross_entropy_options& options, std::size_t classes, G& gradient, Visit&& visit
) {
    class_gradient<T, G> result(gradient, classes);
    soft_target<T> target(options, classes);
    const soft_terms<T> terms;
    loss sum;
    positions.for_each(
        first, last,
        [&](std::size_t position, auto /*target*/, double weight) {
            const auto cursor = rows.masks.row(position);
            loss one{0, weight, 1};
            if (target.read(cursor, rows.targets.row(position)) == 0) [[unlikely]] {
                visit(position, one);
                sum += one;
                result.clear(position);
                return;
            }
            using operands = zip_row<row_t<decltype(rows.logits)>, memory_row<T>>;
            const masked_row<std::decay_t<decltype(cursor)>, operands> row(
                cursor, operands(rows.logits.row(position), target.row()), classes
            );
            [[maybe_unused]] T* to = nullptr;
            const auto line = [&] {
                if constexpr (wants_gradient<G>) {
                    to = result.begin(position);
                    return store_terms(terms, row, to, classes);
                } else {
                    return sums_of_row(terms, row);
                }
            }();
            const double over_largest = std::log(line.sums[0]);
            const double log_sum = over_largest + static_cast<double>(line.shift);
            one.sum = weight * (line.sums[1] * over_largest - line.sums[2] +
                                options.z_loss * log_sum * log_sum);
            visit(position, one);
            sum += one;
            if constexpr (wants_gradient<G>) {
                const double scale = weight * result.scale();
                const double slope = line.sums[1] + 2 * options.z_loss * log_sum;
                const auto factor = static_cast<T>(scale * slope / line.sums[0]);
                scale_terms(row, to, classes, factor);
                target.subtract(to, static_cast<T>(scale));
                result.end();
            }
        },
        [&](std::size_t position) { result.clear(position); }
    );
    return sum;
}

/// Cross entropy with a target of probabilities: checks all there is to check, then sums the losses,
/// visits that of each counted position, and writes the gradient.
template <class P, class Q, class M, class G, class Visit>
loss soft_cross_entropy(
    const char* function, const P& prediction, const Q& target, const M& m,
    const cross_entropy_options& options, G& gradient, Visit&& visit
) {
    using T = std::remove_cv_t<value_type_t<P>>;
    const any_shape positions_shape = require_probability_shapes(function, prediction, target, m);
    const auto& shape = prediction.shape();
    const std::size_t classes = columns_of(shape);
    require_entropy_options(function, options, classes);
    if (options.ignore) [[unlikely]] {
        throw_invalid(
            function, "ignore is ", *options.ignore,
            ", a class; expected none, as the target is of probabilities"
        );
    }
    const auto positions = positions_of_shape(m, positions_shape);
    // A target is read whole before its place is written.
    const auto sources = std::tuple_cat(
        sources_of_counted(m), std::tuple(read_in_place(prediction), read_in_place(target))
    );
    const auto weight = [&](const auto& /*gradient*/) {
        return weight_over_positions(positions, classes, [](auto /*class*/, double own) {
            return own;
        });
    };
    const auto run = [&](auto masks) {
        auto logits = make_operand<T>(prediction, shape);
        auto targets = make_operand<T>(target, shape);
        const soft_rows<decltype(logits), decltype(targets), decltype(masks)> all = {
            std::move(logits), std::move(targets), std::move(masks)
        };
        return with_gradient<T>(function, gradient, shape, sources, weight, [&](auto& to) {
            return sum_over_positions(
                all, positions, classes,
                [&](const auto& rows, const auto& some, std::size_t first, std::size_t last) {
                    return sum_of_soft_entropies<T>(
                        rows, some, first, last, options, classes, to, visit
                    );
                }
            );
        });
    };
    if (!options.classes.has_value()) {
        return run(all_rows(shape));
    }
    require_broadcast(function, "a mask over classes", options.classes->shape(), shape);
    return run(mask_rows<bitmask>(*options.classes, shape));
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Losses of a class for each position: cross entropy of logits, and negative log-likelihood of
/// log-probabilities.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The terms of a smoothed cross entropy, of logits x and class weights w: exp(x - largest), and w
/// (x - largest).
template <class T>
struct smoothed_terms : exp_terms<T, false> {
    static constexpr std::size_t sums = 2;

    template <class V>
    XMASK_INLINE static V first(const V& x, const V& /*w*/) noexcept {
        return x;
    }

    template <std::size_t I, class V>
    XMASK_INLINE static V term(const V& largest, const V& x, const V& w) noexcept {
        return I == 0 ? exp_nonpositive(x - largest) : w * (x - largest);
    }
};

/// What the rows of logits have in common where options ask for nothing but a z-loss.
template <class T, class Logits>
class plain_entropy {
public:
    using terms = exp_terms<T, false>;

    plain_entropy(Logits logits, std::size_t classes)
        : m_logits(std::move(logits)), m_classes(classes) {}

    [[nodiscard]] double logit(std::size_t position, std::size_t target) const {
        return static_cast<double>(read_at(m_logits, position, target));
    }

    [[nodiscard]] auto row(std::size_t position) const {
        return masked_row<range_cursor, zip_row<row_t<Logits>>>(
            range_cursor({0, m_classes}), zip_row<row_t<Logits>>(m_logits.row(position)), m_classes
        );
    }

    [[nodiscard]] static bool has_class(std::size_t /*position*/, std::size_t /*target*/) noexcept {
        return true;
    }

    /// What a counted position adds besides the entropy of its target; there is no smoothing.
    [[nodiscard]] static double smoothing(
        std::size_t /*position*/, double /*log_sum*/, const line_sums<terms>& /*line*/
    ) noexcept {
        return 0;
    }

    [[nodiscard]] static double smoothing_slope(std::size_t /*position*/) noexcept { return 0; }

    static void subtract_smoothing(std::size_t /*position*/, T* /*to*/, double /*scale*/) noexcept {
    }

private:
    Logits m_logits;
    std::size_t m_classes;
};

/// The weights of the classes, and which of them there are.
template <class T>
struct class_table {
    template <class S>
    class_table(const char* function, const S& shape, const cross_entropy_options& options)
        : weights(xt::xtensor<T, 1>::from_shape({columns_of(shape)}))
        , classes(
              options.classes.has_value() ? *options.classes : bitmask(keep_all(columns_of(shape)))
          ) {
        require_broadcast(function, "a mask over classes", classes.shape(), shape);
        if (options.class_weights.size() == 0) {
            weights.fill(T(1));
        } else {
            std::ranges::transform(options.class_weights, weights.begin(), [](double w) {
                return static_cast<T>(w);
            });
        }
    }

    xt::xtensor<T, 1> weights;
    bitmask classes;
};

/// The same with smoothing, class weights and a mask over classes. The smoothed part of position i
/// is smoothing / (number of classes) * sum over classes of w (log_sum - x).
template <class T, class Logits>
class smoothed_entropy {
public:
    using terms = smoothed_terms<T>;

    template <class S>
    smoothed_entropy(Logits logits, const class_table<T>& table, const S& shape, double smoothing)
        : m_logits(std::move(logits))
        , m_table(&table)
        , m_masks(table.classes, shape)
        , m_rows(table.weights, shape)
        , m_smoothing(smoothing) {}

    [[nodiscard]] double logit(std::size_t position, std::size_t target) const {
        return static_cast<double>(read_at(m_logits, position, target));
    }

    [[nodiscard]] auto row(std::size_t position) const {
        using cursor = typename mask_rows<bitmask>::cursor;
        using row = zip_row<row_t<Logits>, memory_row<T>>;
        return masked_row<cursor, row>(
            m_masks.row(position), row(m_logits.row(position), m_rows.row(position)),
            m_table->weights.size()
        );
    }

    [[nodiscard]] bool has_class(std::size_t position, std::size_t target) const {
        return keeps(m_masks.row(position), target);
    }

    [[nodiscard]] double smoothing(
        std::size_t position, double log_sum, const line_sums<terms>& line
    ) const {
        const auto [count, weight] = classes_of(position);
        const double over_largest = log_sum - static_cast<double>(line.shift);
        return m_smoothing == 0 || count == 0
                   ? 0
                   : m_smoothing / count * (weight * over_largest - line.sums[1]);
    }

    /// The factor of the softmax in the gradient of the smoothed part.
    [[nodiscard]] double smoothing_slope(std::size_t position) const {
        const auto [count, weight] = classes_of(position);
        return m_smoothing == 0 || count == 0 ? 0 : m_smoothing / count * weight;
    }

    /// Subtracts what is not the softmax of that gradient.
    void subtract_smoothing(std::size_t position, T* to, double scale) const {
        if (m_smoothing == 0) {
            return;
        }
        const auto cursor = m_masks.row(position);
        const T factor = static_cast<T>(scale * m_smoothing / classes_of(position).count);
        const T* weights = m_table->weights.data();
        for_each_kept_block(
            cursor, 0, m_table->weights.size(),
            [&](std::size_t c, std::size_t /*count*/, word_t bits) {
                for (; bits != 0; bits &= bits - 1) {
                    to[c + lowest_bit(bits)] -= factor * weights[c + lowest_bit(bits)];
                }
            }
        );
    }

private:
    struct class_sums {
        double count = 0;
        double weight = 0;
    };

    /// The classes of a position and their weights; one mask row is mostly that of all positions.
    [[nodiscard]] class_sums classes_of(std::size_t position) const {
        if (m_smoothing == 0) {
            return {};
        }
        if (m_table->classes.dimension() > 1 || !m_known) {
            m_sums = {};
            const auto cursor = m_masks.row(position);
            const T* weights = m_table->weights.data();
            for_each_kept_block(
                cursor, 0, m_table->weights.size(),
                [&](std::size_t c, std::size_t /*count*/, word_t bits) {
                    for (; bits != 0; bits &= bits - 1) {
                        m_sums.count += 1;
                        m_sums.weight += static_cast<double>(weights[c + lowest_bit(bits)]);
                    }
                }
            );
            m_known = true;
        }
        return m_sums;
    }

    Logits m_logits;
    const class_table<T>* m_table;
    mask_rows<bitmask> m_masks;
    memory_rows<T> m_rows;
    double m_smoothing;
    mutable class_sums m_sums;
    mutable bool m_known = false;
};

/// The sum of the losses of the positions [first, last), and the gradient if asked for;
/// visit(position, loss) is called for each position that counts.
template <class T, class Entropy, class Positions, class G, class Visit>
loss sum_of_entropies(
    const Entropy& entropy, const Positions& positions, std::size_t first, std::size_t last,
    const cross_entropy_options& options, [[maybe_unused]] std::size_t classes, G& gradient,
    Visit&& visit
) {
    class_gradient<T, G> result(gradient, classes);
    const typename Entropy::terms terms;
    const double hard = 1 - options.label_smoothing;
    loss sum;
    positions.for_each(
        first, last,
        [&](std::size_t position, auto at, double weight) {
            const auto target = static_cast<std::size_t>(at);
            [[maybe_unused]] T* to = nullptr;
            // Before its place is written: the gradient may be the logits' own memory.
            const double logit = entropy.logit(position, target);
            const auto line = [&] {
                if constexpr (wants_gradient<G>) {
                    to = result.begin(position);
                    return store_terms(terms, entropy.row(position), to, classes);
                } else {
                    return sums_of_row(terms, entropy.row(position));
                }
            }();
            const double log_sum = std::log(line.sums[0]) + static_cast<double>(line.shift);
            const double own = class_weight(options.class_weights, target);
            const double value = hard * own * (log_sum - logit) +
                                 entropy.smoothing(position, log_sum, line) +
                                 options.z_loss * log_sum * log_sum;
            const loss one{weight * value, weight * own, 1};
            visit(position, one);
            sum += one;
            if constexpr (wants_gradient<G>) {
                const double scale = weight * result.scale();
                const double slope =
                    hard * own + entropy.smoothing_slope(position) + 2 * options.z_loss * log_sum;
                const auto factor = static_cast<T>(scale * slope / line.sums[0]);
                scale_terms(entropy.row(position), to, classes, factor);
                to[target] -= static_cast<T>(scale * hard * own);
                entropy.subtract_smoothing(position, to, scale);
                result.end();
            }
        },
        [&](std::size_t position) { result.clear(position); }
    );
    return sum;
}

/// The weight of a class loss: a position's own times that of its target's class.
template <class Positions>
double weight_by_class(
    const Positions& positions, std::size_t classes, const xt::xtensor<double, 1>& class_weights
) {
    return weight_over_positions(positions, classes, [&](auto target, double weight) {
        return weight * class_weight(class_weights, static_cast<std::size_t>(target));
    });
}

/// What a class loss reads while its gradient is written.
template <class P, class Q, class M>
auto sources_of_classes(const P& prediction, const Q& target, const M& m) noexcept {
    return std::tuple_cat(
        sources_of_counted(m), std::tuple(read_in_place(prediction), read_anywhere(target))
    );
}

/// Checks all there is to check, then sums the losses, visits that of each counted position, and
/// writes the gradient.
template <class P, class Q, class M, class G, class Visit>
loss cross_entropy(
    const char* function, const P& prediction, const Q& target, const M& m,
    const cross_entropy_options& options, G& gradient, Visit&& visit
) {
    using T = std::remove_cv_t<value_type_t<P>>;
    using logits = decltype(make_operand<T>(prediction, prediction.shape()));
    require_class_shapes(function, prediction, target, m);
    const auto& shape = prediction.shape();
    const std::size_t classes = columns_of(shape);
    require_entropy_options(function, options, classes);
    const auto positions = positions_of(m, target, options.ignore);
    const auto weight = [&](const auto& /*gradient*/) {
        return weight_by_class(positions, classes, options.class_weights);
    };
    const auto run = [&](const auto& entropy) {
        require_targets(
            function, positions, target.shape(), classes,
            [&](std::size_t position, std::size_t at) { return entropy.has_class(position, at); }
        );
        return with_gradient<T>(
            function, gradient, shape, sources_of_classes(prediction, target, m), weight,
            [&](auto& to) {
                return sum_over_positions(
                    entropy, positions, classes,
                    [&](const auto& rows, const auto& some, std::size_t first, std::size_t last) {
                        return sum_of_entropies<T>(
                            rows, some, first, last, options, classes, to, visit
                        );
                    }
                );
            }
        );
    };
    if (options.label_smoothing == 0 && !options.classes.has_value()) {
        return run(plain_entropy<T, logits>(make_operand<T>(prediction, shape), classes));
    }
    const class_table<T> table(function, shape, options);
    return run(smoothed_entropy<T, logits>(
        make_operand<T>(prediction, shape), table, shape, options.label_smoothing
    ));
}

/// The same of log-probabilities.
template <class T, class Logs, class Positions, class G, class Visit>
loss sum_of_likelihoods(
    const Logs& logs, const Positions& positions, std::size_t first, std::size_t last,
    const nll_options& options, std::size_t classes, G& gradient, Visit&& visit
) {
    class_gradient<T, G> result(gradient, classes);
    loss sum;
    positions.for_each(
        first, last,
        [&](std::size_t position, auto at, double weight) {
            const auto target = static_cast<std::size_t>(at);
            const double own = weight * class_weight(options.class_weights, target);
            // Before its place is written: the gradient may be the prediction's own memory.
            const loss one{-own * static_cast<double>(read_at(logs, position, target)), own, 1};
            visit(position, one);
            sum += one;
            if constexpr (wants_gradient<G>) {
                T* to = result.begin(position);
                fill_columns(to, to + classes, T(0));
                to[target] = static_cast<T>(-own * result.scale());
                result.end();
            }
        },
        [&](std::size_t position) { result.clear(position); }
    );
    return sum;
}

/// As cross_entropy, of log-probabilities.
template <class P, class Q, class M, class G, class Visit>
loss log_likelihood(
    const char* function, const P& prediction, const Q& target, const M& m,
    const nll_options& options, G& gradient, Visit&& visit
) {
    using T = std::remove_cv_t<value_type_t<P>>;
    require_class_shapes(function, prediction, target, m);
    const auto& shape = prediction.shape();
    const std::size_t classes = columns_of(shape);
    require_class_weights(function, options.class_weights, classes);
    const auto positions = positions_of(m, target, options.ignore);
    require_targets(function, positions, target.shape(), classes, [](std::size_t, std::size_t) {
        return true;
    });
    const auto weight = [&](const auto& /*gradient*/) {
        return weight_by_class(positions, classes, options.class_weights);
    };
    return with_gradient<T>(
        function, gradient, shape, sources_of_classes(prediction, target, m), weight,
        [&](auto& to) {
            return sum_over_positions(
                make_operand<T>(prediction, shape), positions, wants_gradient<G> ? classes : 1,
                [&](const auto& logs, const auto& some, std::size_t first, std::size_t last) {
                    return sum_of_likelihoods<T>(
                        logs, some, first, last, options, classes, to, visit
                    );
                }
            );
        }
    );
}
} // namespace detail

/// A loss with a class for each position; masked_cross_entropy and masked_nll are two. Called like
/// all losses: (prediction, target, what counts, options, gradient), of which the last two may be
/// left out.
///
/// prediction: real numbers, classes on the last axis; of another axis, a view with it moved there,
/// and such a view of the gradient. target: the class of each position, integers of the
/// prediction's shape without that axis; for a cross entropy also the probability of each class, real
/// numbers of the prediction's shape. What counts: a mask that broadcasts into the target, real
/// weights, or both by weighted(m, w) and balanced(m). gradient: a tensor that is given the
/// prediction's shape and the gradient of the sum, 0 for positions that do not count; or
/// of_mean(tensor), for that of the mean; or scaled(tensor, factor). A position that does not count is not looked at, so its target may be
/// anything, -100 too. The loss's weight is the number of positions that count, or the sum of their
/// weights, each times the weight of its target's class (of probabilities, the number or sum alone, as
/// PyTorch has it). Throws std::invalid_argument where shapes
/// or options do not fit, std::out_of_range for the target of a counted position outside of the
/// classes; before anything is written.
///
///     // (batch, classes, positions), as PyTorch has them
///     xt::xtensor<float, 3> first = xt::ones<float>({3, 110, 4});
///     double mean = xmask::masked_cross_entropy(xt::transpose(first, {0, 2, 1}), classes, m).mean();
template <class Options>
class class_loss {
    static constexpr bool of_logits = std::same_as<Options, cross_entropy_options>;
    static constexpr const char* name = of_logits ? "masked_cross_entropy" : "masked_nll";

public:
    template <class P, class Q, class M>
    loss operator()(const P& prediction, const Q& target, const M& m, const Options& options = {})
        const {
        const detail::no_gradient none{};
        return sum(prediction, target, m, options, none);
    }

    template <class P, class Q, class M, class G>
        requires(!std::same_as<std::remove_cvref_t<G>, Options>)
    loss operator()(const P& prediction, const Q& target, const M& m, G&& gradient) const {
        return (*this)(prediction, target, m, Options{}, std::forward<G>(gradient));
    }

    template <class P, class Q, class M, class G>
    loss operator()(
        const P& prediction, const Q& target, const M& m, const Options& options, G&& gradient
    ) const {
        if constexpr (detail::require_gradient<G>()) {
            return sum(prediction, target, m, options, gradient);
        } else {
            return {};
        }
    }

    /// The losses of single positions, an array of the target's shape; 0 for positions that do not
    /// count. With masked_sum and masked_mean, a loss of each row, or along any axes. Not lazy:
    /// targets are checked first.
    ///
    ///     xt::xarray<float> losses = xmask::masked_cross_entropy.each(logits, classes, m);
    template <class P, class Q, class M>
    auto each(const P& prediction, const Q& target, const M& m, const Options& options = {}) const {
        if constexpr (detail::require_classes<P, Q, of_logits>() && detail::require_counted<M>()) {
            using T = std::remove_cv_t<value_type_t<P>>;
            // The prediction's shape without classes. What does not fit is refused before it is used.
            const auto& shape = prediction.shape();
            const std::size_t rank = shape.size() == 0 ? 0 : shape.size() - 1;
            auto losses = xt::xarray<T>::from_shape(
                detail::any_shape(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(rank))
            );
            losses.fill(T(0));
            const detail::no_gradient none{};
            visit(prediction, target, m, options, none, [&](std::size_t position, const loss& one) {
                losses.data()[position] = static_cast<T>(one.sum);
            });
            return losses;
        }
    }

private:
    template <class P, class Q, class M, class G>
    static loss sum(
        const P& prediction, const Q& target, const M& m, const Options& options, G& gradient
    ) {
        if constexpr (detail::require_classes<P, Q, of_logits>() && detail::require_counted<M>()) {
            return visit(prediction, target, m, options, gradient, [](std::size_t, const loss&) {});
        } else {
            return {};
        }
    }

    /// The loss; calls f(position, loss) for each position that counts, and writes the gradient.
    template <class P, class Q, class M, class G, class F>
    static loss visit(
        const P& prediction, const Q& target, const M& m, const Options& options, G& gradient, F&& f
    ) {
        if constexpr (of_logits && detail::is_probabilities<Q>) {
            return detail::soft_cross_entropy(name, prediction, target, m, options, gradient, f);
        } else if constexpr (of_logits) {
            return detail::cross_entropy(name, prediction, target, m, options, gradient, f);
        } else {
            return detail::log_likelihood(name, prediction, target, m, options, gradient, f);
        }
    }
};

/// Cross entropy, -log softmax(prediction)[target], of real logits; class_loss says what the
/// arguments are.
///
/// With smoothing e, class weights w and a z-loss z, of the classes there are, a position costs (1
/// - e) w[t] (L - x[t]) + e / (number of classes) * sum(w (L - x)) + z L^2, where L =
/// log(sum(exp(x))): what PyTorch computes, where it has the option. Of probabilities q[c] in place of
/// a class, sum(w[c] ((1 - e) q[c] + e / (number of classes)) (L - x[c])) + z L^2; these need not add
/// up to 1, and what is 0 costs nothing. A mask over classes leaves out the others, in L too. Logits of a counted position are read twice, while in the cache.
///
///     auto kept = xmask::keep_not_equal(classes, -100);
///     double mean = xmask::masked_cross_entropy(logits, classes, kept).mean();
///     xmask::masked_cross_entropy(logits, classes, kept, {.label_smoothing = 0.1}, logits_gradient);
///     double distilled = xmask::masked_cross_entropy(logits, share, kept).mean();
inline constexpr class_loss<cross_entropy_options> masked_cross_entropy;

/// Negative log-likelihood, -w[target] prediction[target], of log-probabilities; class_loss says
/// what the arguments are.
///
///     double mean = xmask::masked_nll(log_p, classes, m).mean();
inline constexpr class_loss<nll_options> masked_nll;
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/cumulative.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <vector>

// ==== xmask/reduce/fold.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

// ==== xmask/reduce/options.hpp ====

#include <concepts>
#include <optional>
#include <type_traits>

/// @file
/// What all reductions share: their options, their results' types, and what they refuse.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Fields that others call otherwise: braces with an unknown name say nothing but that they fit no
/// function, so that the best known of these have a sentence.
struct keepdims_field {
    constexpr keepdims_field() = default;

    template <class T>
    constexpr keepdims_field(const T& /*value*/) {
        constexpr bool is_known = sizeof(T) == 0;
        static_assert(
            is_known,
            "xmask: what NumPy calls keepdims, and PyTorch keepdim, is called keep_axes: {.keep_axes = true}."
        );
    }
};

struct ddof_field {
    constexpr ddof_field() = default;

    template <class T>
    constexpr ddof_field(const T& /*value*/) {
        constexpr bool is_known = sizeof(T) == 0;
        static_assert(
            is_known,
            "xmask: what NumPy calls ddof is called correction, as in PyTorch, and is 1 unless told: {.correction = 0}."
        );
    }
};
} // namespace detail

/// Options of a reduction. Where `empty` is not set, what nothing is kept of gives the neutral
/// element (sum, norm 0; product 1; max -infinity, min +infinity, of integers their lowest and
/// highest; logsumexp -infinity; any false, all true), or NaN where there is none. An integer has
/// no NaN: it throws std::domain_error instead. Reductions with more options (var_options,
/// norm_options) name their own first, then these two: `{.p = 1, .keep_axes = true}`.
///
///     xt::xarray<float> best = xmask::masked_max(x, m, 1, {.empty = xmask::when_empty::zero, .keep_axes = true});
///     xt::xarray<float> mean = xmask::masked_mean(x, m, 1, xmask::when_empty::zero);    // shorter
struct reduce_options {
    std::optional<when_empty> empty = std::nullopt;
    bool keep_axes = false; ///< reduced axes stay, with extent 1; a number has none
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

namespace detail {
/// Options in full, or only what happens where nothing is kept.
template <class O, class Options>
concept options_argument = std::same_as<O, Options> || std::same_as<O, when_empty>;

template <class Options, class O>
Options to_options(const O& options) {
    if constexpr (std::same_as<O, Options>) {
        return options;
    } else {
        Options all;
        all.empty = options;
        return all;
    }
}

/// The options that all reductions have.
template <class Options>
reduce_options shared_options(const Options& options) {
    return {.empty = options.empty, .keep_axes = options.keep_axes};
}

/// The type of a sum or product: a real operand's own, 64 bits for integers, which would overflow
/// theirs.
template <class T>
using sum_result_t = std::conditional_t<std::is_floating_point_v<T>, T, sum_t<T>>;

/// The type of a mean and of whatever else is a real number: a real operand's own, double for
/// integers.
template <class T>
using mean_result_t = std::conditional_t<std::is_floating_point_v<T>, T, double>;

/// The type in which real results are computed.
template <class T>
using wide_t =
    std::conditional_t<(std::is_floating_point_v<T> && sizeof(T) > sizeof(double)), T, double>;

template <class E>
consteval bool holds_numbers() {
    if constexpr (expression<E>) {
        return std::is_arithmetic_v<std::remove_cv_t<value_type_t<E>>>;
    } else {
        return false;
    }
}

/// Fails to compile, with one sentence, unless X is a tensor of numbers and M a mask.
template <class X, class M>
consteval bool require_reducible() {
    constexpr bool numbers = holds_numbers<X>();
    static_assert(numbers, "xmask: a reduction is of a tensor (or lazy expression) of numbers.");
    static_assert(
        in_order<X, M>, "xmask: the tensor comes first, the mask second; here the mask comes first."
    );
    if constexpr (numbers && in_order<X, M>) {
        return require_mask<M>();
    } else {
        return false;
    }
}

template <class E>
using element_t = std::remove_cv_t<value_type_t<E>>;
} // namespace detail
} // namespace xmask::inline XMASK_ABI

/// @file
/// The walk that all reductions share: over everything, along rows, or column by column, once over
/// what is kept.
///
/// A fold of elements of T is a small struct:
///
///     using state = ...;                           // what one position of the result holds
///     state start() const;                         // of nothing
///     void add(state&, T) const;                   // one element
///     void merge(state&, const state&) const;      // what another row holds
///     static constexpr bool in_registers = ...;    // whether it offers what follows
///     using registers = ...;                       // the state of lanes that fold a row together
///     registers start_registers() const;
///     void add(registers&, const lanes<T>&) const;
///     void join(registers&, const registers&) const;
///     state total(const registers&) const;
///     lanes<T> neutral() const;                    // lanes that add nothing
///     void add_columns(state*, const lanes<T>&) const;    // each lane to its own state

namespace xmask::inline XMASK_ABI::detail {
/// Folds the blocks of rows into one state. Words that are kept whole go to several registers in
/// turn, so that none waits for the last.
template <class T, class Fold>
class row_fold {
    static constexpr std::size_t register_count = 4;

    struct nothing {};

    static auto start_registers(const Fold& fold) {
        if constexpr (Fold::in_registers) {
            const auto one = fold.start_registers();
            return std::array<std::decay_t<decltype(one)>, register_count>{one, one, one, one};
        } else {
            return nothing();
        }
    }

public:
    explicit row_fold(const Fold& fold)
        : m_fold(fold), m_registers(start_registers(fold)), m_state(fold.start()) {}

    template <bool Exact, class Block, class Count>
    XMASK_INLINE void add(const Block& block, Count count, word_t bits) {
        m_count += count_bits(bits);
        if constexpr (Fold::in_registers) {
            constexpr bool whole = std::is_same_v<Count, whole_word>;
            const bool all = bits == first_bits(count);
            const auto neutral = m_fold.neutral();
            const auto add_all = [&](auto select) XMASK_INLINE_LAMBDA {
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    auto x = block.template value_register<full>(k, count - k);
                    if constexpr (select || !full) {
                        x = select_by_bits<T>(bits, k, x, neutral);
                    }
                    m_fold.add(m_registers[whole ? k / lane_count<T> % register_count : 0], x);
                });
            };
            all ? add_all(std::false_type()) : add_all(std::true_type());
        } else {
            for (; bits != 0; bits &= bits - 1) {
                m_fold.add(m_state, block.value(lowest_bit(bits)));
            }
        }
    }

    [[nodiscard]] std::size_t count() const noexcept { return m_count; }

    [[nodiscard]] auto total() const {
        auto state = m_state;
        if constexpr (Fold::in_registers) {
            auto all = m_registers[0];
            for (std::size_t i = 1; i < register_count; ++i) {
                m_fold.join(all, m_registers[i]);
            }
            m_fold.merge(state, m_fold.total(all));
        }
        return state;
    }

private:
    Fold m_fold;
    decltype(start_registers(std::declval<const Fold&>())) m_registers;
    typename Fold::state m_state;
    std::size_t m_count = 0;
};

/// A plain sum, of terms as masked_terms adds them.
template <class T, class Sum = sum_t<T>>
struct sum_fold {
    using state = Sum;
    static constexpr bool in_registers = sums_in_registers<T>;

    [[nodiscard]] state start() const noexcept { return 0; }

    void add(state& to, T x) const noexcept { add_to(to, static_cast<sum_t<T>>(x)); }

    void merge(state& to, state other) const noexcept { add_to(to, other); }

    [[nodiscard]] auto neutral() const noexcept { return lanes<T>(T(0)); }

    XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            store_lanes(to, load_lanes(to) + wide[0]);
            store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) + wide[1]);
        } else {
            store_lanes(to, load_lanes(to) + x);
        }
    }
};

/// Folds a row's blocks by the sums that everything else uses.
template <class T, class Sum>
class row_fold<T, sum_fold<T, Sum>> {
public:
    explicit row_fold(const sum_fold<T, Sum>& /*fold*/) {}

    template <bool Exact, class Block, class Count>
    XMASK_INLINE void add(const Block& block, Count count, word_t bits) {
        add_terms<Exact>(m_sum, block, count, bits);
    }

    [[nodiscard]] std::size_t count() const noexcept {
        return static_cast<std::size_t>(m_sum.total().weight);
    }

    [[nodiscard]] Sum total() const noexcept { return m_sum.total().sum; }

private:
    term_sum<T, Sum> m_sum;
};

/// Folds a row of terms.
template <bool Exact, class T, class Fold, class Row>
class fold_delegate {
public:
    fold_delegate(const row_fold<T, Fold>& fold, Row row) : m_fold(fold), m_row(std::move(row)) {}

    [[nodiscard]] const row_fold<T, Fold>& fold() const noexcept { return m_fold; }

    void dropped(std::size_t /*c*/, std::size_t /*end*/) const noexcept {}

    template <class Count>
    XMASK_INLINE void block(std::size_t c, Count count, word_t bits) {
        if (bits != 0) {
            m_fold.template add<Exact>(m_row.block(c, count, bits), count, bits);
        }
    }

private:
    row_fold<T, Fold> m_fold;
    Row m_row;
};

/// Folds what columns [begin, end) of a row keep.
template <class T, class Fold, class Cursor, class Row>
XMASK_INLINE void fold_row(
    row_fold<T, Fold>& fold, const Cursor& cursor, Row row, std::size_t begin, std::size_t end
) {
    constexpr bool exact = block_t<Row>::exact || joins_rows<Cursor>;
    fold_delegate<exact, T, Fold, Row> delegate(fold, std::move(row));
    walk(cursor, begin, end, delegate);
    fold = delegate.fold();
}

/// A state and how many elements it is of.
template <class State>
struct folded {
    State state;
    std::size_t count;
};

/// Folds everything that is kept, in the order of rows, in pieces.
template <class T, class Fold, class S, class Rows>
folded<typename Fold::state> fold_all(const Fold& fold, const S& shape, const Rows& rows) {
    using result = folded<typename Fold::state>;
    const std::size_t n = columns_of(shape);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    if (row_count == 0) {
        return {fold.start(), 0};
    }
    const row_plan plan(shape, rows.rows.layout(rows.masks, rows.rows.flat(n), n));
    return sum_of_pieces(
        plan.cut(), rows,
        [&](const auto& own, const piece& part) {
            row_fold<T, Fold> one(fold);
            plan.for_each_row(
                own.masks, part,
                [&](const auto& cursor, std::size_t r, std::size_t begin, std::size_t end)
                    XMASK_INLINE_LAMBDA { fold_row(one, cursor, own.rows.row(r), begin, end); }
            );
            return result{one.total(), one.count()};
        },
        [&](result& to, const result& part) {
            fold.merge(to.state, part.state);
            to.count += part.count;
        }
    );
}

/// Counts the set bits of many words, column by column. The counts are held bit by bit: a word is
/// added to 64 of them by carries, as by hand, and two steps are enough on average.
class column_counts {
    static constexpr std::size_t digits = 8;
    using counter = std::array<word_t, digits>;

public:
    explicit column_counts(std::size_t columns)
        : m_counters(columns == 0 ? 0 : columns / word_columns + 2), m_counts(columns) {}

    /// Adds bit k to column at + k.
    void add(std::size_t at, word_t bits) {
        const std::size_t shift = at % word_columns;
        add_word(at / word_columns, bits << shift);
        if (shift != 0) {
            add_word(at / word_columns + 1, bits >> (word_columns - shift));
        }
    }

    [[nodiscard]] std::size_t count(std::size_t column) const noexcept {
        std::size_t count = m_counts[column];
        const auto& held = m_counters[column / word_columns];
        for (std::size_t digit = 0; digit < digits; ++digit) {
            count += to_size(held[digit] >> column % word_columns & 1) << digit;
        }
        return count;
    }

private:
    void add_word(std::size_t i, word_t bits) {
        for (std::size_t digit = 0; bits != 0 && digit < digits; ++digit) {
            const word_t carry = m_counters[i][digit] & bits;
            m_counters[i][digit] ^= bits;
            bits = carry;
        }
        for (; bits != 0; bits &= bits - 1) {
            m_counts[i * word_columns + lowest_bit(bits)] += std::size_t(1) << digits;
        }
    }

    std::vector<counter> m_counters;
    std::vector<std::size_t> m_counts;
};

/// The states of all positions of the axes that stay, and how many elements each is of.
template <class State>
class folded_axes {
public:
    /// Where not `counted`, nobody asks for the counts of columns.
    folded_axes(const kept_axes& axes, std::size_t n, const State& start, bool counted)
        : m_columns(n)
        , m_by_column(axes.keeps_last())
        , m_counted(counted)
        // Whole registers may be loaded and stored at the last columns.
        , m_states(axes.size() + word_columns, start)
        , m_counts(m_by_column ? (n == 0 ? 0 : axes.size() / n) : axes.size())
        , m_column_counts(m_by_column && counted ? axes.size() : 0) {}

    [[nodiscard]] State* states(std::size_t at) noexcept { return m_states.data() + at; }

    [[nodiscard]] const State& state(std::size_t i) const noexcept { return m_states[i]; }

    [[nodiscard]] std::size_t count(std::size_t i) const noexcept {
        return m_by_column ? m_counts[i / m_columns] + m_column_counts.count(i) : m_counts[i];
    }

    void add_count(std::size_t at, std::size_t count) noexcept { m_counts[at] += count; }

    /// Whether the columns of a row are to be counted one by one; a row that is kept whole costs
    /// one addition.
    template <class Cursor>
    bool counts_columns(std::size_t at, const Cursor& cursor) {
        const bool whole = m_counted && stretch_at(cursor, 0).kind == stretch_kind::kept &&
                           stretch_at(cursor, 0).end >= m_columns;
        if (whole) {
            ++m_counts[at / m_columns];
            return false;
        }
        return m_counted;
    }

    void add_columns(std::size_t at, word_t bits) { m_column_counts.add(at, bits); }

private:
    std::size_t m_columns;
    bool m_by_column;
    bool m_counted;
    std::vector<State> m_states;
    std::vector<std::size_t> m_counts; // of positions, or of rows kept whole
    column_counts m_column_counts;
};

/// Folds what a row keeps, each column by itself.
template <class T, class Fold, class Row>
void fold_columns(
    const Fold& fold, Row& row, folded_axes<typename Fold::state>& result, std::size_t at
) {
    const bool counted = result.counts_columns(at, row.cursor());
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        if (counted) {
            result.add_columns(at + c, bits);
        }
        const auto block = row.block(c, count, bits);
        auto* to = result.states(at + c);
        if constexpr (Fold::in_registers) {
            const auto neutral = fold.neutral();
            const auto add_all = [&](auto select) XMASK_INLINE_LAMBDA {
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    auto x = block.template value_register<full>(k, count - k);
                    if constexpr (select || !full) {
                        x = select_by_bits<T>(bits, k, x, neutral);
                    }
                    fold.add_columns(to + k, x);
                });
            };
            bits == first_bits(count) ? add_all(std::false_type()) : add_all(std::true_type());
        } else {
            if (bits == ~word_t(0)) {
                for (std::size_t k = 0; k < word_columns; ++k) {
                    fold.add(to[k], block.value(k));
                }
                return;
            }
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t k = lowest_bit(bits);
                fold.add(to[k], block.value(k));
            }
        }
    });
}

/// Rows that do not depend on where they go.
template <class Rows>
struct plain_rows {
    Rows rows;

    XMASK_INLINE auto row(std::size_t r, std::size_t /*at*/) const { return rows.row(r); }

    XMASK_INLINE auto columns(std::size_t r, std::size_t /*at*/) const { return rows.row(r); }
};

/// Folds each row into its position. Threads fold rows by themselves, which are merged in the order
/// of rows as without.
template <class T, class Fold, class Rows>
void fold_rows(
    const Fold& fold, std::size_t row_count, std::size_t n, const kept_axes& axes, const Rows& rows,
    folded_axes<typename Fold::state>& result
) {
    using part = folded<typename Fold::state>;
    const auto fold_one = [&](const Rows& own, std::size_t r) {
        const auto row = own.row(r, axes.offset(r));
        row_fold<T, Fold> one(fold);
        fold_row(one, row.cursor(), row.operands(), 0, row.columns());
        return part{one.total(), one.count()};
    };
    const auto merge = [&](std::size_t r, const part& one) {
        const std::size_t at = axes.offset(r);
        result.add_count(at, one.count);
        fold.merge(*result.states(at), one.state);
    };
    if constexpr (has_threads) {
        const auto all = pieces::of_whole_rows(row_count, n);
        if (all.worth_threads()) {
            std::vector<part> parts(row_count, part{fold.start(), 0});
            for_each_piece(all, rows, [&](const Rows& own, const piece& some) {
                for (std::size_t r = some.first_row; r < some.last_row; ++r) {
                    parts[r] = fold_one(own, r);
                }
            });
            for (std::size_t r = 0; r < row_count; ++r) {
                merge(r, parts[r]);
            }
            return;
        }
    }
    for (std::size_t r = 0; r < row_count; ++r) {
        merge(r, fold_one(rows, r));
    }
}

/// Folds along axes: each row into its position, or, where the last axis stays, column by column.
/// `rows` gives the terms of row r that go to position `at`: as row(r, at), or as columns(r, at).
template <class T, class Fold, class S, class Rows>
folded_axes<typename Fold::state> fold_along(
    const Fold& fold, const S& shape, const kept_axes& axes, const Rows& rows, bool counted = true
) {
    const std::size_t n = columns_of(shape);
    folded_axes<typename Fold::state> result(axes, n, fold.start(), counted);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    if (!axes.keeps_last()) {
        fold_rows<T>(fold, row_count, n, axes, rows, result);
        return result;
    }
    for (std::size_t r = 0; r < row_count; ++r) {
        const std::size_t at = axes.offset(r);
        auto row = rows.columns(r, at);
        fold_columns<T>(fold, row, result, at);
    }
    return result;
}

/// f of the elements of x under a mask, row by row, as terms of type T.
template <class T, class X, class M, class F = identity>
auto masked_rows(const char* function, const X& x, const M& m, const F& f = {}) {
    const auto& shape = x.shape();
    require_broadcast(function, "a mask", m.shape(), shape);
    return masked_operands{
        mask_rows<M>(m, shape), make_terms<T>(f, make_operand<T>(x, shape)), columns_of(shape)
    };
}

/// A function of an element and of a shift, with the shift of one position.
template <class F, class T>
struct shifted {
    T shift;
    F function = {};

    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return function.value(x, V(shift));
    }
};

/// The terms F(x, shift), where each position of the axes that stay has a shift of its own.
template <class T, class F, class Masks, class Rows>
class shifted_rows {
public:
    shifted_rows(
        const F& function, Masks masks, Rows rows, std::size_t n, const std::vector<T>& shifts
    )
        : m_function(function)
        , m_masks(std::move(masks))
        , m_rows(std::move(rows))
        , m_columns(n)
        , m_shifts(shifts.data()) {}

    XMASK_INLINE auto row(std::size_t r, std::size_t at) const {
        using function = shifted<F, T>;
        return masked(
            r, term_row<T, function, row_t<Rows>>(
                   function{m_shifts[at], m_function}, zip_row<row_t<Rows>>(m_rows.row(r))
               )
        );
    }

    XMASK_INLINE auto columns(std::size_t r, std::size_t at) const {
        using shifts = memory_row<T>;
        return masked(
            r, term_row<T, F, row_t<Rows>, shifts>(
                   m_function,
                   zip_row<row_t<Rows>, shifts>(m_rows.row(r), shifts(m_shifts + at, 1, nullptr))
               )
        );
    }

private:
    template <class Row>
    XMASK_INLINE auto masked(std::size_t r, Row row) const {
        return masked_row<row_t<Masks>, Row>(m_masks.row(r), std::move(row), m_columns);
    }

    F m_function;
    Masks m_masks;
    Rows m_rows;
    std::size_t m_columns;
    const T* m_shifts;
};

/// The sums of F(x, shift) along axes; `shifts` has one for each position.
template <class T, class F, class X, class M>
auto sum_shifted(
    const X& x, const M& m, const kept_axes& axes, const std::vector<T>& shifts, const F& f = {}
) {
    const auto& shape = x.shape();
    auto operand = make_operand<T>(x, shape);
    using rows = shifted_rows<T, F, mask_rows<M>, decltype(operand)>;
    return fold_along<T>(
        sum_fold<T>(), shape, axes,
        rows(f, mask_rows<M>(m, shape), std::move(operand), columns_of(shape), shifts), false
    );
}

/// A result with f(i) at each position i of the axes that stay.
template <class R, class F>
xt::xarray<R> make_result(const kept_axes& axes, bool keep_axes, F&& f) {
    auto result = xt::xarray<R>::from_shape(keep_axes ? axes.full_shape() : axes.shape());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        result.data()[i] = f(i);
    }
    return result;
}

/// How many elements of `shape` a mask keeps at each position of the axes that stay.
template <class S, class M>
std::vector<std::size_t> count_rows(const S& shape, const M& m, const kept_axes& axes) {
    const std::size_t n = columns_of(shape);
    const std::size_t row_count = n == 0 ? 0 : rows_of(shape);
    folded_axes<char> counted(axes, n, 0, true);
    const mask_rows<M> rows(m, shape);
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto cursor = rows.row(r);
        const std::size_t at = axes.offset(r);
        if (axes.keeps_last() && !counted.counts_columns(at, cursor)) {
            continue;
        }
        if (!axes.keeps_last()) {
            counted.add_count(at, count_row(cursor, 0, n));
            continue;
        }
        for_each_kept_block(cursor, 0, n, [&](std::size_t c, auto /*count*/, word_t bits) {
            counted.add_columns(at + c, bits);
        });
    }
    std::vector<std::size_t> counts(axes.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
        counts[i] = counted.count(i);
    }
    return counts;
}

/// Every axis of a tensor.
inline axes_list every_axis(std::size_t rank) {
    std::vector<std::ptrdiff_t> axes(rank);
    std::iota(axes.begin(), axes.end(), std::ptrdiff_t(0));
    return axes_list(axes);
}

/// Folds all rows of terms of T to finish(state), of type R; where nothing is kept, to what the
/// options say.
template <class R, class T, class Fold, class S, class Rows, class F>
R fold_to_number(
    const char* function, const Fold& fold, const S& shape, const Rows& rows,
    const reduce_options& options, F&& finish
) {
    const auto total = fold_all<T>(fold, shape, rows);
    const R result = finish(total.state);
    return total.count != 0 ? result : when_nothing_kept<R>(function, options.empty, result);
}

/// The same along axes.
template <class R, class T, class Fold, class S, class Rows, class F>
xt::xarray<R> fold_to_axes(
    const char* function, const Fold& fold, const S& shape, Rows rows, const kept_axes& axes,
    const reduce_options& options, F&& finish
) {
    const auto all = fold_along<T>(
        fold, shape, axes, plain_rows<Rows>{std::move(rows)}, options.empty.has_value()
    );
    return make_result<R>(axes, options.keep_axes, [&](std::size_t i) {
        const R result = finish(all.state(i));
        return !options.empty || all.count(i) != 0
                   ? result
                   : when_nothing_kept<R>(function, options.empty, result);
    });
}

/// Folds the elements that a mask keeps to one number of type R.
template <class R, class Fold, class X, class M>
R fold_elements(
    const char* function, const Fold& fold, const X& x, const M& m, const reduce_options& options
) {
    using element = element_t<X>;
    return fold_to_number<R, element>(
        function, fold, x.shape(), masked_rows<element>(function, x, m), options,
        [](auto state) { return static_cast<R>(state); }
    );
}

/// The same along axes.
template <class R, class Fold, class X, class M>
xt::xarray<R> fold_elements(
    const char* function, const Fold& fold, const X& x, const M& m, const axes_list& axes,
    const reduce_options& options
) {
    using element = element_t<X>;
    const kept_axes kept(function, x.shape(), axes);
    return fold_to_axes<R, element>(
        function, fold, x.shape(), masked_rows<element>(function, x, m), kept, options,
        [](auto state) { return static_cast<R>(state); }
    );
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/gradient.hpp ====

#include <cstddef>
#include <type_traits>
#include <utility>

/// @file
/// Gradients of reductions: a function of each element, and of numbers that its position among the
/// axes that stay has.

namespace xmask::inline XMASK_ABI::detail {
template <class X>
consteval bool require_real_element() {
    constexpr bool real = std::is_floating_point_v<element_t<X>>;
    static_assert(
        real, "xmask: a gradient is by a tensor of real numbers; convert integers first."
    );
    return real;
}

template <class X, class M, class... U>
consteval bool require_differentiable() {
    if constexpr (!require_gradient_order<U...>()) {
        return false;
    } else if constexpr (require_reducible<X, M>()) {
        return require_real_element<X>();
    } else {
        return false;
    }
}

/// e, broadcast to the result's shape, where the mask keeps, 0 elsewhere; only what is kept is
/// computed. e may read the result where it is written.
template <class R, class T, class E, class M>
void write_kept(T& result, const E& e, const M& m) {
    const auto& shape = result.shape();
    write_choice<R>(
        result, make_operand<R>(e, shape), scalar_rows<R>(R(0)), mask_rows<M>(m, shape)
    );
}

/// The same of this shape.
template <class R, class S, class E, class M>
xt::xarray<R> fill_kept(const S& shape, const E& e, const M& m) {
    auto result = xt::xarray<R>::from_shape(shape);
    write_kept<R>(result, e, m);
    return result;
}

/// A lazy function of expressions that outlive it.
template <class F, class... E>
auto lazy_function(const F& f, const E&... e) {
    return xt::xfunction<F, const E&...>(f, e...);
}

/// The gradient of what the reduction feeds, as it broadcasts into the operand. It has the result's
/// shape, with or without the axes that went.
template <class R, class U>
xt::xarray<R> upstream_of(const char* function, const U& upstream, const kept_axes& axes) {
    if constexpr (std::is_arithmetic_v<U>) {
        auto all = xt::xarray<R>::from_shape(axes.full_shape());
        all.fill(static_cast<R>(upstream));
        return all;
    } else {
        if (!equal_shapes(upstream.shape(), axes.shape()) &&
            !equal_shapes(upstream.shape(), axes.full_shape())) [[unlikely]] {
            throw_invalid(
                function, "the upstream gradient has shape ", tuple_text(upstream.shape()),
                "; expected ", tuple_text(axes.shape()), " or ", tuple_text(axes.full_shape())
            );
        }
        xt::xarray<R> all = upstream;
        all.reshape(axes.full_shape());
        return all;
    }
}

/// One number for each position of the axes that stay, as it broadcasts into the operand.
template <class R, class F>
xt::xarray<R> at_positions(const kept_axes& axes, F&& f) {
    return make_result<R>(axes, true, [&](std::size_t i) { return static_cast<R>(f(i)); });
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/reduce/product.hpp ====

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

/// @file
/// Products of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Multiplies in double, or in 64-bit integers, which wrap around.
template <class T>
struct product_fold {
    using state = sum_t<T>;
    static constexpr bool in_registers = sums_in_registers<T>;

    struct registers {
        std::array<lanes<double>, 2> products;
    };

    [[nodiscard]] state start() const noexcept { return 1; }

    void add(state& to, T x) const noexcept { merge(to, static_cast<state>(x)); }

    void merge(state& to, state other) const noexcept {
        if constexpr (std::is_same_v<state, std::int64_t>) {
            to = static_cast<state>(
                static_cast<std::uint64_t>(to) * static_cast<std::uint64_t>(other)
            );
        } else {
            to *= other;
        }
    }

    [[nodiscard]] registers start_registers() const noexcept {
        return {{lanes<double>(1.), lanes<double>(1.)}};
    }

    XMASK_INLINE void add(registers& to, const lanes<T>& x) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            to.products[0] *= wide[0];
            to.products[1] *= wide[1];
        } else {
            to.products[0] *= x;
        }
    }

    XMASK_INLINE void join(registers& to, const registers& other) const noexcept {
        to.products[0] *= other.products[0];
        to.products[1] *= other.products[1];
    }

    [[nodiscard]] double total(const registers& from) const noexcept {
        std::array<double, lane_count<double>> each;
        store_lanes(each.data(), from.products[0] * from.products[1]);
        double product = 1;
        for (const double one : each) {
            product *= one;
        }
        return product;
    }

    [[nodiscard]] auto neutral() const noexcept { return lanes<T>(T(1)); }

    XMASK_INLINE void add_columns(state* to, const lanes<T>& x) const noexcept {
        if constexpr (std::is_same_v<T, float>) {
            const auto wide = widen(x);
            store_lanes(to, load_lanes(to) * wide[0]);
            store_lanes(to + lane_count<double>, load_lanes(to + lane_count<double>) * wide[1]);
        } else {
            store_lanes(to, load_lanes(to) * x);
        }
    }
};
} // namespace detail

/// The product of what the mask keeps, 1 where that is nothing.
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or 64-bit integers for integers and
/// bool, which wrap around; real elements are multiplied in double. Throws std::invalid_argument
/// where the mask does not broadcast into x. One pass over what is kept.
///
///     float all = xmask::masked_prod(x, xmask::keep_not_equal(x, 0));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_prod(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<detail::sum_result_t<element>>(
            "masked_prod", detail::product_fold<element>(), x, m,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The products along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_prod(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_prod(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<detail::sum_result_t<element>>(
            "masked_prod", detail::product_fold<element>(), x, m, axes,
            detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_prod(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_prod(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// x where it is not 0, else 1.
struct factor_or_one {
    template <class A>
    A operator()(const A& x) const {
        return x == A(0) ? A(1) : x;
    }
};

struct is_zero {
    template <class A>
    A operator()(const A& x) const {
        return x == A(0) ? A(1) : A(0);
    }
};

/// The product of the others: product / x, or at a single 0 the product of all others.
struct product_of_others {
    template <class A, class B>
    A operator()(const A& x, const B& product, const B& at_zero) const {
        return static_cast<A>(x == A(0) ? at_zero : product / static_cast<B>(x));
    }
};

template <class X, class M, class U>
auto product_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    using element = element_t<X>;
    const char* function = "masked_prod_gradient";
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    const reduce_options options;
    const auto factors = lazy_function(factor_or_one(), x);
    const auto zero = lazy_function(is_zero(), x);
    const auto product = fold_elements<sum_t<element>>(
        function, product_fold<element>(), factors, m, names, options
    );
    const auto zeros =
        fold_elements<sum_t<element>>(function, sum_fold<element>(), zero, m, names, options);
    // In double, as the product: it may be beyond floats where the product of the others is not.
    const auto of_zeros = [&](sum_t<element> wanted) {
        return at_positions<sum_t<element>>(axes, [&](std::size_t i) {
            const auto all = static_cast<sum_t<element>>(u.data()[i]) * product.data()[i];
            return zeros.data()[i] == wanted ? all : sum_t<element>(0);
        });
    };
    const auto without_zero = of_zeros(0);
    const auto with_one_zero = of_zeros(1);
    return fill_kept<element>(
        x.shape(), lazy_function(product_of_others(), x, without_zero, with_one_zero), m
    );
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_prod(x, m, axes) by x: u times the product of
/// the others that are kept, right where some of them are 0, too; 0 where the mask drops. An array
/// of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_prod_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_prod_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::product_gradient(x, m, axes, upstream);
    }
}

/// The gradient of `upstream` times masked_prod(x, m), over everything.
template <class X, class M>
auto masked_prod_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::product_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Running sums and products of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Writes the state after each column of one row: of one state that goes along the row, or of each
/// column's own.
template <bool Along, class R, class Fold, class Row>
void accumulate_row(
    const Fold& fold, Row& row, typename Fold::state* states, R* to, std::size_t n
) {
    for_each_block(0, n, [&](std::size_t c, auto count) {
        const word_t bits = row.cursor().word(c) & first_bits(count);
        auto* state = Along ? states : states + c;
        if (bits == 0) {
            for (std::size_t k = 0; k < count; ++k) {
                to[c + k] = static_cast<R>(state[Along ? 0 : k]);
            }
            return;
        }
        const auto block = row.block(c, count, bits);
        for (std::size_t k = 0; k < count; ++k) {
            auto& one = state[Along ? 0 : k];
            if ((bits >> k & 1) != 0) {
                fold.add(one, block.value(k));
            }
            to[c + k] = static_cast<R>(one);
        }
    });
}

template <class Fold, class X, class M, class A>
auto accumulate_along(const char* function, const Fold& fold, const X& x, const M& m, A axis) {
    using element = element_t<X>;
    using result_type = sum_result_t<element>;
    const kept_axes axes(function, x.shape(), axis);
    const auto rows = masked_rows<element>(function, x, m);
    auto result = xt::xarray<result_type>::from_shape(x.shape());
    std::vector<typename Fold::state> states(axes.size(), fold.start());
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    // In the order of rows, each position meets its elements in the order of the axis.
    for (std::size_t r = 0; r < row_count; ++r) {
        auto row = rows.row(r);
        auto* at = states.data() + axes.offset(r);
        result_type* to = result.data() + r * n;
        axes.keeps_last() ? accumulate_row<false>(fold, row, at, to, n)
                          : accumulate_row<true>(fold, row, at, to, n);
    }
    return result;
}

/// How the lines along an axis lie in row-major memory: `inner` of them side by side.
struct line_layout {
    std::size_t outer = 1;
    std::size_t extent;
    std::size_t inner = 1;

    template <class S>
    line_layout(const S& shape, std::size_t axis) : extent(static_cast<std::size_t>(shape[axis])) {
        for (std::size_t i = 0; i < shape.size(); ++i) {
            (i < axis ? outer : inner) *= i == axis ? 1 : static_cast<std::size_t>(shape[i]);
        }
    }
};

/// Calls f(state, at, k) for each element, position k of its line, at flat position `at`; every
/// line backwards, with a state of its own, 0 at first.
template <class State, class F>
void for_each_backwards(const line_layout& lines, F&& f) {
    std::vector<State> states(lines.inner);
    for (std::size_t o = 0; o < lines.outer; ++o) {
        std::ranges::fill(states, State(0));
        for (std::size_t k = lines.extent; k-- > 0;) {
            for (std::size_t i = 0; i < lines.inner; ++i) {
                f(states[i], (o * lines.extent + k) * lines.inner + i, k);
            }
        }
    }
}

template <class X, class M, class U>
void require_cumulative(const char* function, const X& x, const M& m, const U& upstream) {
    require_broadcast(function, "a mask", m.shape(), x.shape());
    require_same_shape(
        function, "the tensor", x.shape(), "the upstream gradient", upstream.shape()
    );
}
} // namespace detail

/// The running sums of x along one axis, of what the mask keeps: what it drops adds nothing, and
/// the sum so far stands there, as in a running sum of multiply(x, m).
///
/// x: a tensor or lazy expression of numbers. Returns an array of x's shape and type, of 64-bit
/// integers for integers and bool; real elements are added in double. Throws std::invalid_argument
/// where the mask does not broadcast into x, std::out_of_range for an axis that x does not have.
/// One pass.
///
///     xt::xarray<std::int64_t> position = xmask::masked_cumsum(xt::ones_like(tokens), m, -1) - 1;
template <class X, class M, std::integral A>
auto masked_cumsum(const X& x, const M& m, A axis) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::accumulate_along(
            "masked_cumsum", detail::sum_fold<detail::element_t<X>>(), x, m, axis
        );
    }
}

/// The running products of x along one axis, of what the mask keeps: what it drops changes nothing,
/// and the product so far (1 at first) stands there. Otherwise as masked_cumsum.
///
///     xt::xarray<float> survival = xmask::masked_cumprod(1.f - hazard, m, -1);
template <class X, class M, std::integral A>
auto masked_cumprod(const X& x, const M& m, A axis) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::accumulate_along(
            "masked_cumprod", detail::product_fold<detail::element_t<X>>(), x, m, axis
        );
    }
}

/// The gradient of the sum of `upstream` times masked_cumsum(x, m, axis) by x: the sum of upstream
/// from each element on where the mask keeps, 0 where it drops. An array of x's shape and type;
/// only x's shape is looked at.
///
/// upstream: of x's shape. It counts everywhere: where the mask drops, the sum so far stands in the
/// result. Throws as masked_cumsum, and std::invalid_argument where upstream has another shape.
///
///     xt::xarray<float> dx = xmask::masked_cumsum_gradient(x, m, dy, -1);
template <class X, class M, class U, class A>
    requires((std::integral<A> && expression<U>) || detail::upstream_argument<A>)
auto masked_cumsum_gradient(const X& x, const M& m, const U& upstream, const A& axis) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        constexpr const char* function = "masked_cumsum_gradient";
        const std::size_t along = detail::line_axis_number(function, axis, x.dimension());
        detail::require_cumulative(function, x, m, upstream);
        using wide = detail::sum_t<element>;
        const xt::xarray<wide> u = upstream;
        auto result = xt::xarray<element>::from_shape(x.shape());
        detail::for_each_backwards<wide>(
            detail::line_layout(x.shape(), along),
            [&](wide& sum, std::size_t at, std::size_t /*k*/) {
                sum += u.data()[at];
                result.data()[at] = static_cast<element>(sum);
            }
        );
        multiply_inplace(result, m);
        return result;
    }
}

/// The same of masked_cumprod: each element gets the sum, from it on, of upstream times the product
/// of the others so far; right where some of them are 0, too. Holds three arrays of doubles of x's
/// shape.
///
///     xt::xarray<float> dx = xmask::masked_cumprod_gradient(x, m, dy, -1);
template <class X, class M, class U, class A>
    requires((std::integral<A> && expression<U>) || detail::upstream_argument<A>)
auto masked_cumprod_gradient(const X& x, const M& m, const U& upstream, const A& axis) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        using wide = detail::sum_t<element>;
        constexpr const char* function = "masked_cumprod_gradient";
        const std::size_t along = detail::line_axis_number(function, axis, x.dimension());
        detail::require_cumulative(function, x, m, upstream);
        // What is dropped is a factor of 1.
        const xt::xarray<wide> factors = masked_fill(x, m, element(1));
        const xt::xarray<wide> u = upstream;
        const auto products =
            detail::accumulate_along(function, detail::product_fold<wide>(), factors, m, axis);
        auto result = xt::xarray<element>::from_shape(x.shape());
        const detail::line_layout lines(x.shape(), along);
        // What stands behind an element: its upstream, and what follows times the factors between.
        detail::for_each_backwards<wide>(lines, [&](wide& behind, std::size_t at, std::size_t k) {
            behind += u.data()[at];
            const wide before = k == 0 ? wide(1) : products.data()[at - lines.inner];
            result.data()[at] = static_cast<element>(before * behind);
            behind *= factors.data()[at];
        });
        multiply_inplace(result, m);
        return result;
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/distribution.hpp ====

#include <numbers>

/// @file
/// Losses between distributions: Kullback-Leibler divergence, and counts under a Poisson
/// distribution.

namespace xmask::inline XMASK_ABI {
/// t (log t - p) of a log-probability p; or, where targets are logarithms too, exp(t) (t - p).
struct kl_div_loss {
    bool log_target = false;

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V zero(0);
        const V target = probability(t);
        const V log_of_target = log_target ? t : V(xsimd::log(t));
        return xsimd::select(target == zero, zero, target * (log_of_target - p));
    }

    template <class V>
    XMASK_INLINE V derivative(const V& /*p*/, const V& t) const {
        return -probability(t);
    }

private:
    template <class V>
    XMASK_INLINE V probability(const V& t) const {
        return log_target ? detail::called::exp(t) : t;
    }
};

/// exp(p) - t p, p being the logarithm of the rate; or p - t log(p + eps), p being the rate itself.
struct poisson_nll_loss {
    bool log_input = true;
    bool full = false;
    double eps = 1e-8;

    void check(const char* name) const {
        detail::require_option(name, "eps", eps, detail::option_range::at_least(0).finite());
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V l = log_input ? V(xsimd::exp(p) - t * p)
                              : V(p - t * detail::called::log(p + constant<V>(eps)));
        return full ? V(l + stirling(t)) : l;
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return log_input ? V(xsimd::exp(p) - t) : V(V(1) - t / (p + constant<V>(eps)));
    }

private:
    /// Stirling's approximation of log t!, 0 up to 1.
    template <class V>
    XMASK_INLINE static V stirling(const V& t) {
        const V approximation =
            t * detail::called::log(t) - t +
            constant<V>(0.5) * detail::called::log(constant<V>(2 * std::numbers::pi) * t);
        return xsimd::select(t > V(1), approximation, V(0));
    }
};

/// The Kullback-Leibler divergence of log-probabilities p from probabilities t, as PyTorch's
/// kl_div: t (log t - p), 0 where t is 0; gradient -t. Options: log_target = false; if true,
/// targets are log-probabilities, exp(t) (t - p). Each element of a distribution is one element of
/// the mean, as PyTorch's reduction "mean" has it; for its "batchmean" divide the sum by the number
/// of distributions. element_loss says what the arguments are.
///
///     xmask::loss l = xmask::masked_kl_div(log_p, share, xmask::unsqueeze(m, -1));
///     double batch_mean = l.sum / static_cast<double>(xmask::count_kept(m));
inline constexpr element_loss<kl_div_loss> masked_kl_div("masked_kl_div");

/// The negative log-likelihood of counts t under a Poisson distribution, as PyTorch's
/// poisson_nll_loss: exp(p) - t p, p being the logarithm of its rate. Options: log_input = true; if
/// false, p is the rate, p - t log(p + eps); eps = 1e-8. full = false; if true, log t! is added
/// where t > 1, by Stirling's approximation t log t - t + log(2 pi t) / 2. element_loss says what
/// the arguments are.
///
///     double mean = xmask::masked_poisson_nll(scores, tokens, m, {.full = true}).mean();
inline constexpr element_loss<poisson_nll_loss> masked_poisson_nll("masked_poisson_nll");
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/extreme.hpp ====

#include <array>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <vector>

/// @file
/// The largest and the smallest of what a mask keeps, and where they stand.

namespace xmask::inline XMASK_ABI {
namespace detail {
enum class extreme { largest, smallest };

template <class T>
constexpr bool is_nan(T x) noexcept {
    return std::is_floating_point_v<T> && x != x;
}

/// Keeps the extreme of what it sees; NaN is more extreme than any number, as in PyTorch.
template <class T, extreme Which>
struct extreme_fold {
    using state = lane_t<T>;
    static constexpr bool in_registers = has_lanes<T>;
    static constexpr bool real = std::is_floating_point_v<T>;

    /// Lanes of a row; NaN is looked for on the side.
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
        }
        std::array<state, lane_count<T>> each;
        from.value.store_unaligned(each.data());
        state best = start();
        for (const state one : each) {
            merge(best, one);
        }
        return best;
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

/// An extreme and its flat position among the axes that go.
template <class State>
struct placed {
    State value;
    std::size_t at = none;

    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
};

/// The first column at which a row keeps `value`, or NaN where that is NaN.
template <class T, class Row>
std::size_t find_kept(Row& row, T value) {
    std::size_t found = placed<T>::none;
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
        if (found != placed<T>::none) {
            return;
        }
        const auto block = row.block(c, count, bits);
        word_t equal = 0;
        if constexpr (has_lanes<T>) {
            const auto wanted = lanes<T>(static_cast<lane_t<T>>(value));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                const auto x = block.template value_register<full>(k, count - k);
                equal |= bits_from_mask(is_nan(value) ? x != x : x == wanted) << k;
            });
            equal &= bits;
        } else {
            for (word_t rest = bits; rest != 0; rest &= rest - 1) {
                const T x = block.value(lowest_bit(rest));
                equal |= (is_nan(value) ? is_nan(x) : x == value) ? rest & (~rest + 1) : 0;
            }
        }
        if (equal != 0) {
            found = c + lowest_bit(equal);
        }
    });
    return found;
}

/// Takes the extreme of a row, whose columns begin at flat position `first`, where it beats what
/// there is.
template <class T, extreme Which, class Rows>
void place_row(placed<lane_t<T>>& best, const Rows& rows, std::size_t r, std::size_t first) {
    using fold = extreme_fold<T, Which>;
    row_fold<T, fold> all{fold()};
    const auto row = rows.row(r);
    fold_row(all, row.cursor(), row.operands(), 0, row.columns());
    const auto value = all.total();
    if (all.count() != 0 && (best.at == best.none || fold::beats(value, best.value))) {
        auto again = rows.row(r);
        best = {value, first + find_kept(again, static_cast<T>(value))};
    }
}

/// The same of each column, all of which have flat position `at`.
template <class T, extreme Which, class Row>
void place_columns(placed<lane_t<T>>* best, Row& row, std::size_t at) {
    for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
        const auto block = row.block(c, count, bits);
        for (; bits != 0; bits &= bits - 1) {
            const std::size_t k = lowest_bit(bits);
            const auto value = static_cast<lane_t<T>>(block.value(k));
            auto& to = best[c + k];
            if (to.at == to.none || extreme_fold<T, Which>::beats(value, to.value)) {
                to = {value, at};
            }
        }
    });
}

/// The flat position, among the axes that go, of each row's first column.
template <class S>
row_offsets reduced_positions(const S& shape, const kept_axes& axes) {
    std::array<std::ptrdiff_t, max_rank> strides{};
    std::ptrdiff_t stride = 1;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        if (axes.reduces(axis)) {
            strides[axis] = stride;
            stride *= static_cast<std::ptrdiff_t>(shape[axis]);
        }
    }
    return row_offsets(shape, shape, strides);
}

template <extreme Which, class X, class M>
std::size_t place(const char* function, const X& x, const M& m, const reduce_options& options) {
    using element = element_t<X>;
    const auto rows = masked_rows<element>(function, x, m);
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    placed<lane_t<element>> best{};
    for (std::size_t r = 0; r < row_count; ++r) {
        place_row<element, Which>(best, rows, r, r * n);
    }
    return best.at != best.none ? best.at : position_of_nothing(function, options.empty);
}

template <extreme Which, class X, class M>
xt::xarray<std::size_t> place_along(
    const char* function, const X& x, const M& m, const axes_list& axes,
    const reduce_options& options
) {
    using element = element_t<X>;
    const kept_axes kept(function, x.shape(), axes);
    const auto rows = masked_rows<element>(function, x, m);
    const auto positions = reduced_positions(x.shape(), kept);
    std::vector<placed<lane_t<element>>> best(kept.size());
    const std::size_t n = columns_of(x.shape());
    const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
    for (std::size_t r = 0; r < row_count; ++r) {
        const auto first = static_cast<std::size_t>(positions(r));
        if (kept.keeps_last()) {
            auto row = rows.row(r);
            place_columns<element, Which>(best.data() + kept.offset(r), row, first);
            continue;
        }
        place_row<element, Which>(best[kept.offset(r)], rows, r, first);
    }
    return make_result<std::size_t>(kept, options.keep_axes, [&](std::size_t i) {
        return best[i].at != best[i].none ? best[i].at
                                          : position_of_nothing(function, options.empty);
    });
}
} // namespace detail

/// The largest element that the mask keeps, -infinity (of integers: the lowest) where that is
/// nothing. NaN that is kept is the result.
///
/// x: a tensor or lazy expression of numbers. Returns x's type. Throws std::invalid_argument where
/// the mask does not broadcast into x. One pass over what is kept.
///
///     float largest = xmask::masked_max(x, xmask::keep_lengths(lengths, n));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_max", detail::extreme_fold<element, detail::extreme::largest>(), x, m,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The largest elements along `axes`, one for each position of the axes that stay. Over the tokens
/// of (batch, tokens, features) this is max pooling.
///
///     xt::xarray<float> pooled = xmask::masked_max(hidden, xmask::unsqueeze(m, -1), 1, xmask::when_empty::zero);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_max", detail::extreme_fold<element, detail::extreme::largest>(), x, m, axes,
            detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_max(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The smallest element that the mask keeps, +infinity (of integers: the highest) where that is
/// nothing. Otherwise as masked_max.
///
///     float smallest = xmask::masked_min(x, xmask::keep_finite(x));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_min(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_min", detail::extreme_fold<element, detail::extreme::smallest>(), x, m,
            detail::to_options<reduce_options>(options)
        );
    }
}

/// The smallest elements along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_min(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_min(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        return detail::fold_elements<element>(
            "masked_min", detail::extreme_fold<element, detail::extreme::smallest>(), x, m, axes,
            detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_min(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_min(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The flat row-major position of the largest element that the mask keeps: of the first NaN, if
/// there is one, or of the first of several. Where nothing is kept there is no position: throws
/// std::domain_error, or gives 0 for when_empty::zero. Otherwise as masked_max; rows that hold a
/// new largest are read twice.
///
///     std::size_t where = xmask::masked_argmax(x, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
std::size_t masked_argmax(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place<detail::extreme::largest>(
            "masked_argmax", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return 0;
}

/// The index along the axis that goes, for each position of the axes that stay; where several go,
/// the flat row-major position among them.
///
///     xt::xarray<std::size_t> classes = xmask::masked_argmax(scores, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmax(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place_along<detail::extreme::largest>(
            "masked_argmax", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmax(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_argmax(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The flat row-major position of the smallest element that the mask keeps. Otherwise as
/// masked_argmax.
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
std::size_t masked_argmin(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place<detail::extreme::smallest>(
            "masked_argmin", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return 0;
}

/// The same along `axes`.
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmin(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::place_along<detail::extreme::smallest>(
            "masked_argmin", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_argmin(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_argmin(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
struct equal_to_extreme {
    template <class A>
    A operator()(const A& x, const A& extreme) const {
        return x == extreme ? A(1) : A(0);
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& extreme) const {
        using lane = typename B::value_type;
        return xsimd::select(x == extreme, B(lane(1)), B(lane(0)));
    }
};

/// a where x is the extreme, and everywhere where that is NaN.
struct share_of_extreme {
    template <class A>
    A operator()(const A& x, const A& extreme, const A& a) const {
        return x < extreme || x > extreme ? A(0) : a;
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& extreme, const B& a) const {
        const B zero(typename B::value_type(0));
        return xsimd::select((x < extreme) | (x > extreme), zero, a);
    }
};

template <extreme Which, class X, class M, class U>
auto extreme_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream
) {
    using element = element_t<X>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    const auto best = fold_elements<element>(
        function, extreme_fold<element, Which>(), x, m, names, reduce_options{std::nullopt, true}
    );
    const auto tie = lazy_function(equal_to_extreme(), x, best);
    const auto ties =
        fold_elements<element>(function, sum_fold<element>(), tie, m, names, reduce_options());
    const auto share = at_positions<element>(axes, [&](std::size_t i) {
        return is_nan(best.data()[i]) ? best.data()[i]
               : ties.data()[i] == 0  ? element(0)
                                      : u.data()[i] / ties.data()[i];
    });
    return fill_kept<element>(x.shape(), lazy_function(share_of_extreme(), x, best, share), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_max(x, m, axes) by x: u at the largest,
/// shared evenly by elements that tie, as of torch.amax; 0 elsewhere and where the mask drops; NaN
/// for all that is kept where the largest is NaN. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_max_gradient(hidden, xmask::unsqueeze(m, -1), dpooled, 1);    // of max pooling
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_max_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::extreme_gradient<detail::extreme::largest>(
            "masked_max_gradient", x, m, axes, upstream
        );
    }
}

/// The gradient of `upstream` times masked_max(x, m), over everything.
template <class X, class M>
auto masked_max_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::extreme_gradient<detail::extreme::largest>(
            "masked_max_gradient", x, m, detail::every_axis(x.dimension()), upstream
        );
    }
}

/// The same of masked_min.
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_min_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::extreme_gradient<detail::extreme::smallest>(
            "masked_min_gradient", x, m, axes, upstream
        );
    }
}

template <class X, class M>
auto masked_min_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::extreme_gradient<detail::extreme::smallest>(
            "masked_min_gradient", x, m, detail::every_axis(x.dimension()), upstream
        );
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/lambda_loss.hpp ====

#include <type_traits>
#include <utility>

/// @file
/// A loss of your own, made of lambdas.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Two lambdas of (p, t): a loss, and its derivative by p. A lambda of `auto` is called with
/// registers, one of `double` with single elements.
template <class Value, class Derivative>
struct lambda_loss {
    Value of_value;
    Derivative of_derivative;

    template <class V>
        requires std::is_invocable_r_v<V, const Value&, const V&, const V&>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return static_cast<V>(of_value(p, t));
    }

    template <class V>
        requires std::is_invocable_r_v<V, const Derivative&, const V&, const V&>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return static_cast<V>(of_derivative(p, t));
    }
};

/// Fails to compile, with one sentence, where a gradient stands in the place of a derivative.
template <class Derivative>
consteval bool require_derivative() {
    constexpr bool is_function = std::is_invocable_v<const Derivative&, double, double>;
    static_assert(
        is_function,
        "xmask: a gradient needs the derivative of the loss: masked_loss(p, t, m, value, derivative, gradient)."
    );
    return is_function;
}
} // namespace detail

/// A loss of your own by a lambda of (p, t).
///
/// A lambda of `auto` is called with registers, and takes what these take: + - * /, comparisons,
/// xsimd::abs, xsimd::select(condition, a, b). A lambda of `double` is called for one element at a
/// time, and takes anything.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      one of numbers, of the same shape
/// @param m           what counts: a mask that broadcasts into it, real weights, or both
/// @param value       the loss of one element
/// @returns           the sum over what is kept, its weight and its count
/// @throws std::invalid_argument  where shapes do not fit
///
///     xmask::loss l = xmask::masked_loss(p, t, m, [](double p, double t) { return std::abs(p - t); });
template <class P, class Q, class M, class Value>
    requires expression<P>
loss masked_loss(const P& prediction, const Q& target, const M& m, const Value& value) {
    return masked_loss(detail::lambda_loss<Value, Value>{value, value}, prediction, target, m);
}

/// A loss of your own by two lambdas of (p, t): its value, and its derivative by p. One pass computes
/// both. Lambdas of `auto` are called with registers, lambdas of `double` for one element at a time.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      one of numbers, of the same shape
/// @param m           what counts: a mask that broadcasts into it, real weights, or both
/// @param value       the loss of one element
/// @param derivative  its derivative by p
/// @param gradient    a tensor that is given the gradient of the sum; or of_mean(tensor), or
///                    scaled(tensor, factor); may be left out
/// @returns           the sum over what is kept, its weight and its count
/// @throws std::invalid_argument  where shapes do not fit, before anything is written
///
///     auto value = [](auto p, auto t) { return (p - t) * (p - t); };
///     auto derivative = [](auto p, auto t) { return 2 * (p - t); };
///     double mean = xmask::masked_loss(p, t, m, value, derivative, xmask::of_mean(gradient)).mean();
template <class P, class Q, class M, class Value, class Derivative, class... G>
    requires(expression<P> && sizeof...(G) <= 1)
loss masked_loss(
    const P& prediction, const Q& target, const M& m, const Value& value,
    const Derivative& derivative, G&&... gradient
) {
    if constexpr (detail::require_derivative<Derivative>()) {
        return masked_loss(
            detail::lambda_loss<Value, Derivative>{value, derivative}, prediction, target, m,
            std::forward<G>(gradient)...
        );
    } else {
        return {};
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/logical.hpp ====

#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <vector>

/// @file
/// Whether any, or all, of what a mask keeps is true.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// 1 where x is not 0; NaN is not.
struct truth {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        if constexpr (std::is_arithmetic_v<V>) {
            return static_cast<V>(x != V(0));
        } else {
            using lane = typename V::value_type;
            return xsimd::select(x != V(lane(0)), V(lane(1)), V(lane(0)));
        }
    }
};

/// Any is the largest truth, all the smallest; of nothing, these lie below 0 and above 1.
template <extreme Which, class X, class M>
bool fold_truths(const char* function, const X& x, const M& m, const reduce_options& options) {
    using element = element_t<X>;
    return fold_to_number<bool, element>(
        function, extreme_fold<element, Which>(), x.shape(),
        masked_rows<element>(function, x, m, truth()), options, [](auto state) { return state > 0; }
    );
}

template <extreme Which, class X, class M>
xt::xarray<bool> fold_truths(
    const char* function, const X& x, const M& m, const axes_list& axes,
    const reduce_options& options
) {
    using element = element_t<X>;
    const kept_axes kept(function, x.shape(), axes);
    return fold_to_axes<bool, element>(
        function, extreme_fold<element, Which>(), x.shape(),
        masked_rows<element>(function, x, m, truth()), kept, options,
        [](auto state) { return state > 0; }
    );
}
} // namespace detail

/// Whether any element that the mask keeps is true (not 0; NaN is true). False where nothing is
/// kept.
///
/// x: a tensor or lazy expression of numbers or bool. Throws std::invalid_argument where the mask
/// does not broadcast into x. One pass over what is kept.
///
///     bool wrong = xmask::masked_any(xt::not_equal(predicted, target), m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
bool masked_any(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::largest>(
            "masked_any", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return false;
}

/// The same along `axes`, for each position of the axes that stay.
///
///     xt::xarray<bool> rows = xmask::masked_any(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_any(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::largest>(
            "masked_any", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_any(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_any(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// Whether all elements that the mask keeps are true (not 0; NaN is true). True where nothing is
/// kept. Otherwise as masked_any.
///
///     bool exact = xmask::masked_all(xt::equal(predicted, target), m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
bool masked_all(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::smallest>(
            "masked_all", x, m, detail::to_options<reduce_options>(options)
        );
    }
    return false;
}

/// The same along `axes`, for each position of the axes that stay.
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_all(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::fold_truths<detail::extreme::smallest>(
            "masked_all", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_all(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_all(x, m, std::vector<std::ptrdiff_t>(axes), options);
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/logsumexp.hpp ====

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// The logarithm of the sum of exponentials of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
struct exp_of_difference {
    template <class V>
    XMASK_INLINE V value(const V& x, const V& shift) const {
        using std::exp;
        return exp(x - shift);
    }
};

/// By how much exponents are shifted, given the largest: not by an infinity, whose difference from
/// itself is NaN.
template <class T>
T shift_of(T largest) noexcept {
    return std::isfinite(largest) ? largest : T(0);
}

/// The largest at each position of the axes that stay, and the sums of exp(x - shift).
template <class R>
struct exp_sums {
    folded_axes<R> largest;
    std::vector<R> shifts;
    folded_axes<sum_t<R>> sums;
};

template <class R, class X, class M>
exp_sums<R> exp_sums_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, bool counted
) {
    using rows = decltype(masked_rows<R>(function, x, m));
    auto largest = fold_along<R>(
        extreme_fold<R, extreme::largest>(), x.shape(), axes,
        plain_rows<rows>{masked_rows<R>(function, x, m)}, counted
    );
    std::vector<R> shifts(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        shifts[i] = shift_of(largest.state(i));
    }
    auto sums = sum_shifted<R, exp_of_difference>(x, m, axes, shifts);
    return {std::move(largest), std::move(shifts), std::move(sums)};
}

/// log(sum of exp(x - shift)) + shift; NaN where NaN is kept.
template <class R>
R shifted_log(R largest, double sum) {
    return is_nan(largest) ? largest
                           : static_cast<R>(
                                 std::log(static_cast<wide_t<R>>(sum)) +
                                 static_cast<wide_t<R>>(shift_of(largest))
                             );
}
} // namespace detail

/// log(sum of exp(x)) of what the mask keeps, -infinity where that is nothing. Shifted by the
/// largest, so that it does not overflow.
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers. Throws
/// std::invalid_argument where the mask does not broadcast into x. Two passes over what is kept.
///
///     float energy = xmask::masked_logsumexp(scores, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_logsumexp(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto rows = detail::masked_rows<result>("masked_logsumexp", x, m);
        const auto largest = detail::fold_all<result>(
            detail::extreme_fold<result, detail::extreme::largest>(), x.shape(), rows
        );
        const detail::shifted<detail::exp_of_difference, result> exp{detail::shift_of(largest.state)
        };
        const auto total =
            detail::element_sum<result>("masked_logsumexp", exp, m, detail::no_gradient(), x);
        const auto log = detail::shifted_log(largest.state, static_cast<double>(total.sum));
        return largest.count != 0
                   ? log
                   : detail::when_nothing_kept<result>(
                         "masked_logsumexp", detail::to_options<reduce_options>(options).empty, log
                     );
    }
}

/// The same along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_logsumexp(scores, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_logsumexp(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes kept("masked_logsumexp", x.shape(), axes);
        const auto all = detail::exp_sums_along<result>(
            "masked_logsumexp", x, m, kept, chosen.empty.has_value()
        );
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            const auto log =
                detail::shifted_log(all.largest.state(i), static_cast<double>(all.sums.state(i)));
            return !chosen.empty || all.largest.count(i) != 0
                       ? log
                       : detail::when_nothing_kept<result>("masked_logsumexp", chosen.empty, log);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_logsumexp(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_logsumexp(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// a * exp(x - shift).
struct scaled_exp {
    template <class A>
    A operator()(const A& x, const A& shift, const A& scale) const {
        using std::exp;
        return scale * exp(x - shift);
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& shift, const B& scale) const {
        return scale * xsimd::exp(x - shift);
    }
};

template <class X, class M, class U>
auto logsumexp_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    using element = element_t<X>;
    constexpr const char* function = "masked_logsumexp_gradient";
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    // Not by the logarithm of the sum, which is rounded to x's type.
    const auto all = exp_sums_along<element>(function, x, m, axes, false);
    const auto shift = at_positions<element>(axes, [&](std::size_t i) { return all.shifts[i]; });
    const auto scale = at_positions<element>(axes, [&](std::size_t i) {
        const auto sum = all.sums.state(i);
        return sum == 0 ? decltype(sum)(0) : static_cast<decltype(sum)>(u.data()[i]) / sum;
    });
    return fill_kept<element>(x.shape(), lazy_function(scaled_exp(), x, shift, scale), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_logsumexp(x, m, axes) by x: u times the
/// softmax where the mask keeps, 0 where it drops. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_logsumexp_gradient(scores, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_logsumexp_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::logsumexp_gradient(x, m, axes, upstream);
    }
}

/// The gradient of `upstream` times masked_logsumexp(x, m), over everything.
template <class X, class M>
auto masked_logsumexp_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::logsumexp_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/moments.hpp ====

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <vector>

// ==== xmask/reduce/sum.hpp ====

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Sums and means over what a mask keeps: of everything, or along axes.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class X, class M>
consteval bool require_summable() {
    constexpr bool numbers = holds_numbers<X>();
    static_assert(
        numbers, "xmask: sums and means are of a tensor (or lazy expression) of numbers."
    );
    static_assert(
        in_order<X, M>, "xmask: the tensor comes first, the mask second; here the mask comes first."
    );
    if constexpr (numbers && in_order<X, M> && require_counted<M>()) {
        constexpr bool weighable = mask_expression<M> || std::is_floating_point_v<value_type_t<X>>;
        static_assert(
            weighable,
            "xmask: real weights go with a tensor of real numbers; convert the tensor first."
        );
        return weighable;
    } else {
        return false;
    }
}

/// The sum and the weight at each position of the axes that stay.
template <class Sum>
struct axis_sums {
    std::vector<Sum> sum;
    std::vector<double> weight;
};

template <class T, class Sum = sum_t<T>, class Rows, class S>
folded_axes<Sum> sum_rows(const S& shape, const kept_axes& axes, Rows rows, bool counted) {
    return fold_along<T>(
        sum_fold<T, Sum>(), shape, axes, plain_rows<Rows>{std::move(rows)}, counted
    );
}

/// The weight at each position of the axes that stay: the number that is kept, or the sum of their
/// weights.
template <class T, class S, class M>
std::vector<double> weights_along(const S& shape, const M& m, const kept_axes& axes) {
    if constexpr (mask_expression<M>) {
        const auto counts = count_rows(shape, m, axes);
        return {counts.begin(), counts.end()};
    } else {
        const auto weights = sum_rows<T>(
            shape, axes,
            masked_operands{
                counted_rows(m, shape),
                make_terms<T>(identity(), make_operand<T>(weights_in(m), shape)), columns_of(shape)
            },
            false
        );
        std::vector<double> sums(axes.size());
        std::copy_n(&weights.state(0), axes.size(), sums.begin());
        return sums;
    }
}

/// Sums along axes, and their weights where asked for. Elements of T are summed in Sum.
template <class T, class Sum = sum_t<T>, class X, class M>
axis_sums<Sum> sum_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, bool weighed
) {
    const auto& shape = x.shape();
    require_counted_shape(function, m, shape);
    axis_sums<Sum> result{
        std::vector<Sum>(axes.size()), std::vector<double>(weighed ? axes.size() : 0)
    };
    if constexpr (mask_expression<M>) {
        const auto sums = sum_rows<T, Sum>(shape, axes, masked_rows<T>(function, x, m), weighed);
        for (std::size_t i = 0; i < axes.size(); ++i) {
            result.sum[i] = sums.state(i);
            if (weighed) {
                result.weight[i] = static_cast<double>(sums.count(i));
            }
        }
    } else {
        const auto sums = sum_rows<T>(
            shape, axes,
            masked_operands{
                counted_rows(m, shape),
                make_terms<T>(
                    weighted<identity>(), make_operand<T>(weights_in(m), shape),
                    make_operand<T>(x, shape)
                ),
                columns_of(shape)
            },
            false
        );
        std::copy_n(&sums.state(0), axes.size(), result.sum.begin());
        if (weighed) {
            result.weight = weights_along<T>(shape, m, axes);
        }
    }
    return result;
}
} // namespace detail

/// The sum of what the mask keeps, 0 where that is nothing; or the sum of x times real weights, or
/// both by weighted(m, w).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or 64-bit integers for integers and
/// bool. Real elements are added in double: for floats of any number the error is below 1e-7 of the
/// sum of their magnitudes. Throws std::invalid_argument where the mask does not broadcast into x.
/// One pass over what is kept.
///
///     float total = xmask::masked_sum(x, xmask::keep_above(x, 0));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_sum(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::sum_result_t<element>;
        const auto total = detail::element_sum<element>(
            "masked_sum", detail::identity(), m, detail::no_gradient(), x
        );
        return total.weight != 0
                   ? static_cast<result>(total.sum)
                   : detail::when_nothing_kept<result>(
                         "masked_sum", detail::to_options<reduce_options>(options).empty,
                         static_cast<result>(total.sum)
                     );
    }
}

/// The sums along `axes` (a number or a list, negative ones counted from the end), one for each
/// position of the axes that stay. Throws std::out_of_range for an axis that x does not have.
/// Otherwise as above.
///
///     xt::xarray<float> rows = xmask::masked_sum(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_sum(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::sum_result_t<element>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes kept("masked_sum", x.shape(), axes);
        const auto sums =
            detail::sum_along<element>("masked_sum", x, m, kept, chosen.empty.has_value());
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            const auto sum = static_cast<result>(sums.sum[i]);
            return sums.weight.empty() || sums.weight[i] != 0
                       ? sum
                       : detail::when_nothing_kept<result>("masked_sum", chosen.empty, sum);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_sum(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_sum(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The mean of what the mask keeps, or the mean by real weights. Where nothing is kept (or the
/// weights sum to 0): NaN, 0, or std::domain_error, as the options say. Returns x's type, or double
/// for integers. Otherwise as masked_sum.
///
///     double mean = xmask::masked_mean(x, m, xmask::when_empty::zero);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        const auto total = detail::element_sum<element, detail::unwrapped_sum_t<element>>(
            "masked_mean", detail::identity(), m, detail::no_gradient(), x
        );
        return total.weight != 0
                   ? static_cast<result>(
                         static_cast<detail::wide_t<element>>(total.sum) / total.weight
                     )
                   : detail::when_nothing_kept<result>(
                         "masked_mean", detail::to_options<reduce_options>(options).empty
                     );
    }
}

namespace detail {
template <class X, class M, class A>
auto mean_along(
    const char* function, const X& x, const M& m, const A& axes, const reduce_options& options
) {
    using element = element_t<X>;
    using result = mean_result_t<element>;
    const kept_axes kept(function, x.shape(), axes);
    const auto sums = sum_along<element, unwrapped_sum_t<element>>(function, x, m, kept, true);
    return make_result<result>(kept, options.keep_axes, [&](std::size_t i) {
        return sums.weight[i] != 0
                   ? static_cast<result>(static_cast<wide_t<element>>(sums.sum[i]) / sums.weight[i])
                   : when_nothing_kept<result>(function, options.empty);
    });
}
} // namespace detail

/// The means along `axes`, one for each position of the axes that stay. Over the tokens of (batch,
/// tokens, features) this is mean pooling: the features of a token that is dropped are not read.
///
///     xt::xarray<float> pooled = xmask::masked_mean(hidden, xmask::unsqueeze(m, -1), 1);    // over tokens
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_summable<X, M>()) {
        return detail::mean_along(
            "masked_mean", x, m, axes, detail::to_options<reduce_options>(options)
        );
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_mean(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// u at each position, or u / weight; times the weights where there are some.
template <class X, class M, class U>
auto sum_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    bool mean
) {
    using element = element_t<X>;
    const auto& shape = x.shape();
    const kept_axes axes(function, shape, names);
    require_counted_shape(function, m, shape);
    auto u = upstream_of<element>(function, upstream, axes);
    if (mean) {
        const auto weights = weights_along<element>(shape, m, axes);
        for (std::size_t i = 0; i < axes.size(); ++i) {
            u.data()[i] = weights[i] == 0 ? element(0)
                                          : static_cast<element>(
                                                static_cast<wide_t<element>>(u.data()[i]) /
                                                static_cast<wide_t<element>>(weights[i])
                                            );
        }
    }
    if constexpr (mask_expression<M>) {
        return fill_kept<element>(shape, u, m);
    } else {
        const auto slopes = u * weights_in(m);
        if constexpr (weighted_mask_expression<M>) {
            return fill_kept<element>(shape, slopes, m.mask());
        } else {
            return fill_kept<element>(shape, slopes, keep_all(shape));
        }
    }
}

/// As require_differentiable, where weights may stand.
template <class X, class M, class... U>
consteval bool require_differentiable_sum() {
    if constexpr (!require_gradient_order<U...>()) {
        return false;
    } else if constexpr (require_summable<X, M>()) {
        return require_real_element<X>();
    } else {
        return false;
    }
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_sum(x, m, axes) by x: u where the mask keeps,
/// 0 where it drops; u times its weight, where there are weights. An array of x's shape and type;
/// only x's shape is looked at.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another.
///
///     xt::xarray<float> dx = xmask::masked_sum_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_sum_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable_sum<X, M, U>()) {
        return detail::sum_gradient("masked_sum_gradient", x, m, axes, upstream, false);
    }
}

/// The gradient of `upstream` times masked_sum(x, m), over everything.
template <class X, class M>
auto masked_sum_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable_sum<X, M>()) {
        return detail::sum_gradient(
            "masked_sum_gradient", x, m, detail::every_axis(x.dimension()), upstream, false
        );
    }
}

/// The same of masked_mean: u / number kept where the mask keeps, 0 where it drops; of weights, u
/// times the weight over their sum.
///
///     xt::xarray<float> dx = xmask::masked_mean_gradient(hidden, xmask::unsqueeze(m, -1), dpooled, 1);    // of pooling
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_mean_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable_sum<X, M, U>()) {
        return detail::sum_gradient("masked_mean_gradient", x, m, axes, upstream, true);
    }
}

template <class X, class M>
auto masked_mean_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable_sum<X, M>()) {
        return detail::sum_gradient(
            "masked_mean_gradient", x, m, detail::every_axis(x.dimension()), upstream, true
        );
    }
}
} // namespace xmask::inline XMASK_ABI

/// @file
/// Variances and standard deviations of what a mask keeps, and tensors standardized by them.

namespace xmask::inline XMASK_ABI {
/// Options of a variance. It is the sum of squared differences from the mean over (number kept -
/// correction): 1 gives the unbiased estimate, as in PyTorch, 0 the mean of squares, as NumPy and
/// normalization layers take it. Where no more elements than the correction are kept there is no
/// variance, and `empty` says what stands there.
struct var_options {
    double correction = 1;
    std::optional<when_empty> empty = std::nullopt;             ///< as in reduce_options
    bool keep_axes = false;                                     ///< as in reduce_options
    [[no_unique_address]] detail::ddof_field ddof = {};         ///< says that this is correction
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

/// A mean and a variance, or arrays of them.
template <class T>
struct mean_and_var {
    T mean;
    T var;
};

namespace detail {
struct squared_difference {
    template <class V>
    XMASK_INLINE V value(const V& x, const V& mean) const {
        const V difference = x - mean;
        return difference * difference;
    }
};

/// The number, mean and sum of squared differences of what is kept, in two passes: nothing cancels.
template <class V>
struct moments {
    double count;
    V mean;
    V squares;

    /// Whether there is a variance.
    [[nodiscard]] bool varies(double correction) const noexcept { return count > correction; }

    template <class R>
    R mean_as(const char* function, std::optional<when_empty> empty) const {
        return count > 0 ? static_cast<R>(mean) : when_nothing_kept<R>(function, empty);
    }

    template <class R>
    R var_as(const char* function, const var_options& options) const {
        return varies(options.correction) ? static_cast<R>(squares / (count - options.correction))
                                          : when_nothing_kept<R>(function, options.empty);
    }

    template <class R>
    R std_as(const char* function, const var_options& options) const {
        return varies(options.correction)
                   ? static_cast<R>(std::sqrt(squares / (count - options.correction)))
                   : when_nothing_kept<R>(function, options.empty);
    }
};

/// Throws std::invalid_argument for a correction that is none.
inline void require_correction(const char* function, double correction) {
    require_option(function, "correction", correction, option_range::at_least(0).finite());
}

template <class X, class M>
auto moments_of(const char* function, const X& x, const M& m, const var_options& options) {
    require_correction(function, options.correction);
    using element = element_t<X>;
    using wide = wide_t<element>;
    const auto total =
        element_sum<element, unwrapped_sum_t<element>>(function, identity(), m, no_gradient(), x);
    const auto mean = total.weight > 0 ? static_cast<wide>(total.sum) / total.weight : wide(0);
    const auto squares =
        element_sum<wide>(function, shifted<squared_difference, wide>{mean}, m, no_gradient(), x);
    return moments<wide>{total.weight, mean, squares.sum};
}

template <class X, class M>
auto moments_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, double correction
) {
    require_correction(function, correction);
    using element = element_t<X>;
    using wide = wide_t<element>;
    const auto sums = sum_along<element, unwrapped_sum_t<element>>(function, x, m, axes, true);
    std::vector<wide> means(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        means[i] = sums.weight[i] > 0 ? static_cast<wide>(sums.sum[i]) / sums.weight[i] : wide(0);
    }
    const auto squares = sum_shifted<wide, squared_difference>(x, m, axes, means);
    std::vector<moments<wide>> all(axes.size());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        all[i] = {sums.weight[i], means[i], squares.state(i)};
    }
    return all;
}

/// (x - shift) * scale.
struct standardized {
    template <class A, class B, class C>
    auto operator()(const A& x, const B& shift, const C& scale) const {
        return (static_cast<std::common_type_t<A, B>>(x) - shift) * scale;
    }

    template <class B>
    XMASK_INLINE B simd_apply(const B& x, const B& shift, const B& scale) const {
        return (x - shift) * scale;
    }
};
} // namespace detail

/// The variance of what the mask keeps, by default with the correction 1 (unbiased).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers. Computed in
/// double in two passes over what is kept, the mean first, so that nothing cancels. Where nothing
/// is kept, or no more than the correction: NaN, 0, or std::domain_error, as the options say.
/// Throws std::invalid_argument where the mask does not broadcast into x, and for a correction
/// below 0.
///
///     float spread = xmask::masked_var(x, m, {.correction = 0});
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        return detail::moments_of("masked_var", x, m, chosen)
            .template var_as<result>("masked_var", chosen);
    }
}

/// The variances along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_var(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const detail::kept_axes kept("masked_var", x.shape(), axes);
        const auto all = detail::moments_along("masked_var", x, m, kept, chosen.correction);
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            return all[i].template var_as<result>("masked_var", chosen);
        });
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_var(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The standard deviation of what the mask keeps: the root of masked_var.
///
///     float deviation = xmask::masked_std(x, m);
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        return detail::moments_of("masked_std", x, m, chosen)
            .template std_as<result>("masked_std", chosen);
    }
}

/// The standard deviations along `axes`, one for each position of the axes that stay.
template <class X, class M, detail::axes_argument A, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const detail::kept_axes kept("masked_std", x.shape(), axes);
        const auto all = detail::moments_along("masked_std", x, m, kept, chosen.correction);
        return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
            return all[i].template std_as<result>("masked_std", chosen);
        });
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_std(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The mean and the variance of what the mask keeps, for the price of the variance.
///
///     auto [mean, var] = xmask::masked_mean_var(x, m);
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_mean_var(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const auto all = detail::moments_of("masked_mean_var", x, m, chosen);
        return mean_and_var<result>{
            all.template mean_as<result>("masked_mean_var", chosen.empty),
            all.template var_as<result>("masked_mean_var", chosen)
        };
    }
}

/// The means and variances along `axes`: the statistics of a batch norm, where all axes but that of
/// the channels go.
///
///     auto [mean, var] = xmask::masked_mean_var(x, m, {0, 1}, {.correction = 0});
template <class X, class M, detail::axes_argument A, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_mean_var(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<var_options>(options);
        const detail::kept_axes kept("masked_mean_var", x.shape(), axes);
        const auto all = detail::moments_along("masked_mean_var", x, m, kept, chosen.correction);
        const auto mean = [&](std::size_t i) {
            return all[i].template mean_as<result>("masked_mean_var", chosen.empty);
        };
        const auto var = [&](std::size_t i) {
            return all[i].template var_as<result>("masked_mean_var", chosen);
        };
        return mean_and_var<xt::xarray<result>>{
            detail::make_result<result>(kept, chosen.keep_axes, mean),
            detail::make_result<result>(kept, chosen.keep_axes, var)
        };
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_mean_var(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_mean_var(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// Options of masked_standardize: what is added to the variance, and the variance's correction.
struct standardize_options {
    double eps = 1e-5;
    double correction = 0;
};

namespace detail {
/// Throws std::invalid_argument for options that are none.
inline void require_standardize(const char* function, const standardize_options& options) {
    require_option(function, "eps", options.eps, option_range::at_least(0).finite());
}

template <class R, class T, class X, class M, class A>
void standardize(
    const char* function, T& result, const X& x, const M& m, const A& axes,
    const standardize_options& options
) {
    const kept_axes kept(function, x.shape(), axes);
    require_standardize(function, options);
    const auto all = moments_along(function, x, m, kept, options.correction);
    const auto mean = at_positions<R>(kept, [&](std::size_t i) { return all[i].mean; });
    const auto scale = at_positions<R>(kept, [&](std::size_t i) {
        const double free = all[i].count - options.correction;
        return 1 / std::sqrt((free > 0 ? all[i].squares / free : 0) + options.eps);
    });
    write_kept<R>(result, lazy_function(standardized(), x, mean, scale), m);
}

/// Fails to compile, with one sentence, unless what is standardized has room for it.
template <class X, class M>
consteval bool require_standardizable() {
    if constexpr (require_reducible<X, M>()) {
        constexpr bool real = std::is_floating_point_v<element_t<X>>;
        static_assert(
            real,
            "xmask: only a tensor of real numbers can be standardized in place; convert integers first."
        );
        return real;
    } else {
        return false;
    }
}
} // namespace detail

/// (x - mean) / sqrt(var + eps) where the mask keeps, with the means and variances of what it keeps
/// along `axes`; 0 where it drops. Along the features this is a layer norm, along all axes but the
/// channels' a batch norm, without their weights.
///
/// Returns an array of x's shape and type, double for integers. Where no more elements than the
/// correction are kept, the variance counts as 0. Throws as masked_var, and std::invalid_argument
/// for eps below 0.
///
///     xt::xarray<float> y = xmask::masked_standardize(x, m, -1);
template <class X, class M, detail::axes_argument A>
auto masked_standardize(
    const X& x, const M& m, const A& axes, const standardize_options& options = {}
) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result_type = detail::mean_result_t<detail::element_t<X>>;
        auto result = xt::xarray<result_type>::from_shape(x.shape());
        detail::standardize<result_type>("masked_standardize", result, x, m, axes, options);
        return result;
    }
}

template <class X, class M>
auto masked_standardize(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes,
    const standardize_options& options = {}
) {
    return masked_standardize(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The same in place. x is any assignable tensor or view of real numbers.
///
///     xmask::masked_standardize_inplace(x, m, -1);
template <class X, class M, detail::axes_argument A>
void masked_standardize_inplace(
    X&& x, const M& m, const A& axes, const standardize_options& options = {}
) {
    if constexpr (detail::require_standardizable<X, M>() && detail::require_target<X>()) {
        detail::with_mask_apart(m, x, [&](const auto& apart) {
            detail::standardize<detail::element_t<X>>(
                "masked_standardize_inplace", x, x, apart, axes, options
            );
        });
    }
}

template <class X, class M>
void masked_standardize_inplace(
    X&& x, const M& m, std::initializer_list<std::ptrdiff_t> axes,
    const standardize_options& options = {}
) {
    masked_standardize_inplace(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// (g - mean of g - y * mean of g y) * scale, of y = (x - mean of x) * scale; the means first.
struct standardized_slope {
    template <class V>
    XMASK_INLINE V operator()(
        const V& g, const V& x, const V& mean, const V& scale, const V& mean_g, const V& mean_gy
    ) const {
        return (g - mean_g - (x - mean) * scale * mean_gy) * scale;
    }

    template <class B>
    XMASK_INLINE B simd_apply(
        const B& g, const B& x, const B& mean, const B& scale, const B& mean_g, const B& mean_gy
    ) const {
        return (*this)(g, x, mean, scale, mean_g, mean_gy);
    }
};
} // namespace detail

/// The gradient by x of masked_standardize(x, m, axes, options), given the gradient by its result,
/// of x's shape; 0 where the mask drops. An array of x's shape and type. Four passes over what is
/// kept.
///
/// Throws std::invalid_argument where shapes do not fit.
///
///     xt::xarray<float> dx = xmask::masked_standardize_gradient(x, m, dy, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_standardize_gradient(
    const X& x, const M& m, const U& upstream, const A& axes,
    const standardize_options& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        using element = detail::element_t<X>;
        constexpr const char* name = "masked_standardize_gradient";
        detail::require_same_shape(
            name, "the tensor", x.shape(), "the upstream gradient", upstream.shape()
        );
        const detail::kept_axes kept(name, x.shape(), axes);
        detail::require_standardize(name, options);
        const auto all = detail::moments_along(name, x, m, kept, options.correction);
        // The mean over what is kept by the variance's own divisor: its slope by the mean is 0.
        const auto free = [&](std::size_t i) { return all[i].count - options.correction; };
        const auto mean =
            detail::at_positions<element>(kept, [&](std::size_t i) { return all[i].mean; });
        const auto scale = detail::at_positions<element>(kept, [&](std::size_t i) {
            return 1 / std::sqrt((free(i) > 0 ? all[i].squares / free(i) : 0) + options.eps);
        });
        const auto y = detail::lazy_function(detail::standardized(), x, mean, scale);
        const auto sums = detail::sum_along<element>(name, upstream, m, kept, true);
        const auto products = detail::sum_along<element>(name, upstream * y, m, kept, false);
        const auto mean_g = detail::at_positions<element>(kept, [&](std::size_t i) {
            return all[i].count > 0 ? sums.sum[i] / all[i].count : 0;
        });
        const auto mean_gy = detail::at_positions<element>(kept, [&](std::size_t i) {
            return free(i) > 0 ? products.sum[i] / free(i) : 0;
        });
        return detail::fill_kept<element>(
            x.shape(),
            detail::lazy_function(
                detail::standardized_slope(), upstream, x, mean, scale, mean_g, mean_gy
            ),
            m
        );
    }
}

namespace detail {
template <class X, class M, class U>
auto var_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    const var_options& options, bool root
) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    const auto all = moments_along(function, x, m, axes, options.correction);
    const auto mean = at_positions<element>(axes, [&](std::size_t i) { return all[i].mean; });
    const auto scale = at_positions<element>(axes, [&](std::size_t i) {
        const double free = all[i].count - options.correction;
        if (free <= 0 || all[i].squares == 0) {
            return wide(0);
        }
        return static_cast<wide>(u.data()[i]) *
               (root ? 1 / (free * std::sqrt(all[i].squares / free)) : 2 / wide(free));
    });
    return fill_kept<element>(x.shape(), lazy_function(standardized(), x, mean, scale), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_var(x, m, axes, options) by x: 2 u (x - mean)
/// / (number kept - correction) where the mask keeps, 0 where it drops or where there is no
/// variance. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. Three passes over what is kept.
///
///     xt::xarray<float> dx = xmask::masked_var_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = var_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, var_options>)
auto masked_var_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::var_gradient(
            "masked_var_gradient", x, m, axes, upstream, detail::to_options<var_options>(options),
            false
        );
    }
}

/// The gradient of `upstream` times masked_var(x, m, options), over everything.
template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_var_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::var_gradient(
            "masked_var_gradient", x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<var_options>(options), false
        );
    }
}

/// The same of masked_std: u (x - mean) / ((number kept - correction) std), 0 where all that is
/// kept is equal.
///
///     xt::xarray<float> dx = xmask::masked_std_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = var_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, var_options>)
auto masked_std_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::var_gradient(
            "masked_std_gradient", x, m, axes, upstream, detail::to_options<var_options>(options),
            true
        );
    }
}

template <class X, class M, class O = var_options>
    requires detail::options_argument<O, var_options>
auto masked_std_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::var_gradient(
            "masked_std_gradient", x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<var_options>(options), true
        );
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/mse.hpp ====

/// @file
/// The mean squared error.

namespace xmask::inline XMASK_ABI {
/// (p - t)^2, and 2 (p - t) by p.
struct mse_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V difference = p - t;
        return difference * difference;
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V difference = p - t;
        return difference + difference;
    }
};

/// The squared error (p - t)^2, as PyTorch's mse_loss, summed over what the mask keeps; and its
/// gradient 2 (p - t). element_loss says what the arguments are.
///
///     xmask::loss l = xmask::masked_mse(prediction, target, xmask::keep_lengths(lengths, n));
///     double mean = l.mean();
///     xmask::masked_mse(prediction, target, m, gradient);
inline constexpr element_loss<mse_loss> masked_mse("masked_mse");
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/norm.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Norms of what a mask keeps, of any order.

namespace xmask::inline XMASK_ABI {
/// Options of a norm. Its order p: 2 for the Euclidean norm, 1 for the sum of magnitudes, infinity
/// for the largest magnitude, -infinity for the smallest, 0 for the number of elements that are not
/// 0, or any other number.
struct norm_options {
    double p = 2;
    std::optional<when_empty> empty = std::nullopt;             ///< as in reduce_options
    bool keep_axes = false;                                     ///< as in reduce_options
    [[no_unique_address]] detail::keepdims_field keepdims = {}; ///< says that this is keep_axes
};

namespace detail {
struct magnitude {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        using std::abs;
        return abs(x);
    }
};

struct square {
    template <class V>
    XMASK_INLINE V value(const V& x) const {
        return x * x;
    }
};

/// |x|^p, or for p = 0 whether x is not 0.
struct magnitude_power {
    double p;

    template <class V>
    V value(const V& x) const {
        using std::abs;
        using std::pow;
        if (p == 0) {
            if constexpr (std::is_floating_point_v<V>) {
                return x != 0 ? V(1) : V(0);
            } else {
                return xsimd::select(x != V(0.), V(1.), V(0.));
            }
        }
        return pow(abs(x), V(p));
    }
};

/// Calls visit(fold, function, finish) with what computes the norm of order p.
template <class T, class F>
auto with_norm(const char* function, double p, F&& visit) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const auto same = [](T state) { return state; };
    require_option(function, "p", p, option_range::any_number());
    if (p == infinity) {
        // Of no magnitude, 0 is the largest.
        return visit(extreme_fold<T, extreme::largest>(), magnitude(), [](T state) {
            return state < 0 ? T(0) : state;
        });
    }
    if (p == -infinity) {
        return visit(extreme_fold<T, extreme::smallest>(), magnitude(), same);
    }
    if (p == 1) {
        return visit(sum_fold<T>(), magnitude(), same);
    }
    if (p == 2) {
        return visit(sum_fold<T>(), square(), [](T state) { return std::sqrt(state); });
    }
    return visit(sum_fold<T>(), magnitude_power{p}, [p](T state) {
        return p == 0 ? state : std::pow(state, static_cast<T>(1 / p));
    });
}

/// Whether a norm of order p is exact whatever elements of T there are: none of their powers is
/// beyond a double.
template <class T>
bool powers_fit(double p) noexcept {
    const bool is_narrow = std::is_integral_v<T> || sizeof(T) <= sizeof(float);
    const double size = std::abs(p);
    return p == 0 || p == 1 || std::isinf(p) || (is_narrow && size >= 0.5 && size <= 6);
}

/// Whether the root of a sum of powers is exact: nothing that counts was too small or too large for
/// T. From |p| = 1 on only powers can be.
template <class T, class Finish>
XMASK_INLINE bool is_exact_norm(T sum, double p, const Finish& finish) noexcept {
    using limits = std::numeric_limits<T>;
    constexpr T elements = std::uint64_t(1) << 40;
    const auto outside = [](T x, T least) { return (x < least) | (x > limits::max()); };
    return !outside(sum, limits::min() / limits::epsilon() * elements) &&
           (std::abs(p) >= 1 || !outside(finish(sum), limits::min()));
}

/// Whether all norms along axes are exact, which are the roots of these sums: of nothing, too.
template <class T, class S, class M, class Finish>
bool holds_exact_norms(
    const folded_axes<T>& sums, const S& shape, const M& m, const kept_axes& axes, double p,
    const Finish& finish
) {
    std::size_t inexact = 0;
    std::size_t empty = 0;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const T sum = sums.state(i);
        inexact += static_cast<std::size_t>(!is_exact_norm(sum, p, finish));
        empty += static_cast<std::size_t>(sum == 0);
    }
    if (inexact == 0 || empty == 0) {
        return inexact == 0;
    }
    // Only the mask tells an empty sum from one of powers that are too small.
    const auto counts = axes.keeps_last() ? count_rows(shape, m, axes) : std::vector<std::size_t>();
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const std::size_t count = counts.empty() ? sums.count(i) : counts[i];
        if (count != 0 && !is_exact_norm(sums.state(i), p, finish)) {
            return false;
        }
    }
    return true;
}

/// The power of a magnitude over a unit.
struct scaled_power {
    double p;

    template <class V>
    XMASK_INLINE V value(const V& x, const V& unit) const {
        const V ratio = x / unit;
        return p == 2 ? ratio * ratio : magnitude_power{p}.value(ratio);
    }
};

/// A norm in two factors: its power may be beyond any number.
template <class T>
struct norm_factors {
    T unit;
    T root;

    [[nodiscard]] T value() const noexcept { return unit * root; }
};

/// The power of two below each extreme magnitude that is a unit, else 1.
template <class T, extreme Which, class X, class M>
std::vector<T> units_along(const char* function, const X& x, const M& m, const kept_axes& axes) {
    auto rows = masked_rows<T>(function, x, m, magnitude());
    const auto extremes = fold_along<T>(
        extreme_fold<T, Which>(), x.shape(), axes, plain_rows<decltype(rows)>{std::move(rows)},
        false
    );
    std::vector<T> units(axes.size());
    for (std::size_t i = 0; i < units.size(); ++i) {
        const T size = extremes.state(i);
        const bool measures = size > 0 && size <= std::numeric_limits<T>::max();
        units[i] = measures ? std::ldexp(T(1), std::ilogb(size)) : T(1);
    }
    return units;
}

/// Norms along axes. Where one is not exact, it is summed again, of elements over a unit that is the
/// power of two below the largest magnitude (the smallest, where p is negative).
template <class T, class X, class M>
std::vector<norm_factors<T>> norms_along(
    const char* function, const X& x, const M& m, const kept_axes& axes, double p
) {
    std::vector<norm_factors<T>> norms(axes.size());
    return with_norm<T>(function, p, [&](const auto& fold, const auto& f, const auto& finish) {
        auto rows = masked_rows<T>(function, x, m, f);
        const auto all = fold_along<T>(
            fold, x.shape(), axes, plain_rows<decltype(rows)>{std::move(rows)}, false
        );
        bool exact = true;
        for (std::size_t i = 0; i < norms.size(); ++i) {
            const T sum = all.state(i);
            norms[i] = {T(1), finish(sum)};
            exact = exact && is_exact_norm(sum, p, finish);
        }
        if (exact || powers_fit<element_t<X>>(p)) {
            return norms;
        }
        const auto lost = [&](std::size_t i) { return !is_exact_norm(all.state(i), p, finish); };
        const auto units = p > 0 ? units_along<T, extreme::largest>(function, x, m, axes)
                                 : units_along<T, extreme::smallest>(function, x, m, axes);
        const auto sums = sum_shifted<T>(x, m, axes, units, scaled_power{p});
        for (std::size_t i = 0; i < norms.size(); ++i) {
            if (lost(i)) {
                norms[i] = {units[i], finish(sums.state(i))};
            }
        }
        return norms;
    });
}
} // namespace detail

/// The norm of what the mask keeps: (sum of |x|^p)^(1/p), p = 2 unless the options say otherwise; 0
/// where nothing is kept (+infinity where p is negative).
///
/// x: a tensor or lazy expression of numbers. Returns x's type, or double for integers; computed in
/// double. Throws std::invalid_argument where the mask does not broadcast into x, or p is NaN. One
/// pass over what is kept, and two more where powers of it are too small or too large for a double:
/// the norm of {1e200, 1e200} is 1.4e200.
///
///     float length = xmask::masked_norm(x, m);
///     float largest = xmask::masked_norm(x, m, {.p = std::numeric_limits<double>::infinity()});
template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        using wide = detail::wide_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<norm_options>(options);
        return detail::with_norm<wide>(
            "masked_norm", chosen.p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                const auto total = detail::fold_all<wide>(
                    fold, x.shape(), detail::masked_rows<wide>("masked_norm", x, m, f)
                );
                if (total.count == 0) {
                    return detail::when_nothing_kept<result>(
                        "masked_norm", chosen.empty, static_cast<result>(finish(total.state))
                    );
                }
                if (detail::is_exact_norm(total.state, chosen.p, finish) ||
                    detail::powers_fit<detail::element_t<X>>(chosen.p)) [[likely]] {
                    return static_cast<result>(finish(total.state));
                }
                const detail::kept_axes none(
                    "masked_norm", x.shape(), detail::every_axis(x.dimension())
                );
                return static_cast<result>(
                    detail::norms_along<wide>("masked_norm", x, m, none, chosen.p)[0].value()
                );
            }
        );
    }
}

/// The norms along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_norm(x, m, -1, {.p = 1, .keep_axes = true});
template <class X, class M, detail::axes_argument A, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using result = detail::mean_result_t<detail::element_t<X>>;
        using wide = detail::wide_t<detail::element_t<X>>;
        const auto chosen = detail::to_options<norm_options>(options);
        const detail::kept_axes kept("masked_norm", x.shape(), axes);
        return detail::with_norm<wide>(
            "masked_norm", chosen.p,
            [&](const auto& fold, const auto& f, const auto& finish) {
                auto rows = detail::masked_rows<wide>("masked_norm", x, m, f);
                const auto all = detail::fold_along<wide>(
                    fold, x.shape(), kept, detail::plain_rows<decltype(rows)>{std::move(rows)},
                    chosen.empty.has_value()
                );
                const auto as_result = [&](auto&& norm) {
                    return detail::make_result<result>(kept, chosen.keep_axes, [&](std::size_t i) {
                        const auto one = static_cast<result>(norm(i));
                        return !chosen.empty || all.count(i) != 0
                                   ? one
                                   : detail::when_nothing_kept<result>(
                                         "masked_norm", chosen.empty, one
                                     );
                    });
                };
                if (detail::powers_fit<detail::element_t<X>>(chosen.p) ||
                    detail::holds_exact_norms(all, x.shape(), m, kept, chosen.p, finish))
                    [[likely]] {
                    return as_result([&](std::size_t i) { return finish(all.state(i)); });
                }
                const auto norms = detail::norms_along<wide>("masked_norm", x, m, kept, chosen.p);
                return as_result([&](std::size_t i) { return norms[i].value(); });
            }
        );
    }
}

template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_norm(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// u sign(x) (|x| / norm)^(p - 1), 0 where x, u or the norm is 0, NaN where the norm is. The norm is
/// one number or the product of two factors; where the unit is infinite, infinite elements count as
/// 1 and others as 0.
struct norm_slope {
    double p;

    template <class A, class N>
    A operator()(const A& x, const A& u, const N& norm) const {
        return slope(x, u, norm, std::abs(static_cast<N>(x)) / norm);
    }

    template <class A, class N>
    A operator()(const A& x, const A& u, const N& unit, const N& root) const {
        const N size = std::abs(static_cast<N>(x));
        const N ratio = std::isinf(unit) ? (std::isinf(size) ? N(1) : N(0)) : size / unit;
        return slope(x, u, root, ratio / root);
    }

private:
    // The ratio first: neither power alone need be a number.
    template <class A, class N>
    A slope(const A& x, const A& u, const N& norm, const N& ratio) const {
        if (p == 1) {
            return x < A(0) ? -u : x > A(0) ? u : x == A(0) ? A(0) : x;
        }
        if (is_nan(norm)) {
            return static_cast<A>(norm);
        }
        if (x == A(0) || u == A(0) || norm == N(0)) {
            return A(0);
        }
        const N size = p == 2 ? ratio : std::pow(ratio, static_cast<N>(p - 1));
        return static_cast<A>(static_cast<N>(x < A(0) ? -u : u) * size);
    }
};

/// a * sign(x) where |x| is the extreme magnitude; NaN where that is.
struct extreme_slope {
    template <class A>
    A operator()(const A& x, const A& a, const A& extreme) const {
        if (is_nan(extreme)) {
            return extreme;
        }
        return std::abs(x) == extreme && x != A(0) ? (x < A(0) ? -a : a) : A(0);
    }
};

/// 1 where |x| is the extreme magnitude.
struct extreme_tie {
    template <class A>
    A operator()(const A& x, const A& extreme) const {
        using std::abs;
        return abs(x) == extreme ? A(1) : A(0);
    }
};

template <class X, class M, class U>
auto norm_gradient(const X& x, const M& m, const axes_list& names, const U& upstream, double p) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const char* function = "masked_norm_gradient";
    const kept_axes axes(function, x.shape(), names);
    require_broadcast(function, "a mask", m.shape(), x.shape());
    const auto u = upstream_of<element>(function, upstream, axes);
    if (p == 0) {
        // A number of elements, the same all around.
        auto none = xt::xarray<element>::from_shape(x.shape());
        none.fill(element(0));
        return none;
    }
    const auto norms = norms_along<wide>(function, x, m, axes, p);
    const auto norm = at_positions<wide>(axes, [&](std::size_t i) { return norms[i].value(); });
    const auto ties_of = [&](const xt::xarray<element>& size) {
        return masked_sum(lazy_function(extreme_tie(), x, size), m, names);
    };
    if (std::isinf(p)) {
        const auto size = at_positions<element>(axes, [&](std::size_t i) { return norms[i].root; });
        const auto ties = ties_of(size);
        const auto a = at_positions<element>(axes, [&](std::size_t i) {
            return ties.data()[i] == 0 ? element(0) : u.data()[i] / ties.data()[i];
        });
        return fill_kept<element>(x.shape(), lazy_function(extreme_slope(), x, a, size), m);
    }
    const bool plain = std::ranges::all_of(norms, [](const auto& one) {
        return one.value() == 0 || is_nan(one.value()) || std::isnormal(one.value());
    });
    if (plain || p == 1) {
        return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, norm), m);
    }
    // Infinite elements are taken for equal ones, beside which all others are 0.
    const auto ties = ties_of(at_positions<element>(axes, [](std::size_t) {
        return std::numeric_limits<element>::infinity();
    }));
    const auto unit = at_positions<wide>(axes, [&](std::size_t i) {
        return std::isinf(norms[i].root) ? norms[i].root : norms[i].unit;
    });
    const auto root = at_positions<wide>(axes, [&](std::size_t i) {
        return std::isinf(norms[i].root) ? std::pow(
                                               std::max(static_cast<wide>(ties.data()[i]), wide(1)),
                                               static_cast<wide>(1 / p)
                                           )
                                         : norms[i].root;
    });
    return fill_kept<element>(x.shape(), lazy_function(norm_slope{p}, x, u, unit, root), m);
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_norm(x, m, axes, options) by x: u sign(x)
/// (|x| / norm)^(p - 1) where the mask keeps, 0 where it drops and where x is 0. Of p = infinity,
/// elements that tie share it evenly. It is NaN for all that is kept where the norm is NaN (of p =
/// 1, for the elements that are). Where k infinite elements are kept, they get u sign(x) k^(1 / p -
/// 1), as equal ones would, and finite elements 0 (u sign(x) of p = 1, infinity of p below 1). An
/// array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another.
///
///     xt::xarray<float> dx = xmask::masked_norm_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>, class O = norm_options>
    requires(detail::gradient_arguments<U, A> && detail::options_argument<O, norm_options>)
auto masked_norm_gradient(
    const X& x, const M& m, const U& upstream, const A& axes, const O& options = {}
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::norm_gradient(
            x, m, axes, upstream, detail::to_options<norm_options>(options).p
        );
    }
}

/// The gradient of `upstream` times masked_norm(x, m, options), over everything.
template <class X, class M, class O = norm_options>
    requires detail::options_argument<O, norm_options>
auto masked_norm_gradient(const X& x, const M& m, double upstream = 1, const O& options = {}) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::norm_gradient(
            x, m, detail::every_axis(x.dimension()), upstream,
            detail::to_options<norm_options>(options).p
        );
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/normalize.hpp ====

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

/// @file
/// Tensors divided by the norm of what a mask keeps along an axis, and the gradient.
/// (masked_standardize, to mean 0 and variance 1, is with the moments.)

namespace xmask::inline XMASK_ABI {
/// Options of masked_normalize.
struct normalize_options {
    double p = 2;       ///< which norm: (sum |x|^p)^(1/p), or the largest |x| where p is infinite
    double eps = 1e-12; ///< the least that is divided by
};

namespace detail {
template <class V>
XMASK_INLINE V absolute(const V& x) noexcept {
    using std::abs;
    return abs(x);
}

/// The norm of a line, taken of elements over the largest, so that no power overflows.
template <class T>
struct norm_terms {
    using value_type = T;
    using wide = wide_t<T>;

    static constexpr bool shifts = true;
    static constexpr std::size_t fact_count = 2;
    static constexpr bool keeps_terms = false;
    static constexpr T outside = T(0);

    normalize_options options;

    /// The largest, so that it may be divided by.
    [[nodiscard]] T settle(T largest) const noexcept {
        using limits = std::numeric_limits<T>;
        const T least = std::isinf(options.p) ? limits::denorm_min() : limits::min();
        return std::clamp(largest, least, limits::max());
    }

    template <class V>
    XMASK_INLINE V power_term(const V& largest, const V& x) const noexcept {
        // The largest is the norm already; the sum only tells of NaN.
        return std::isinf(options.p) ? absolute(x)
                                     : power(absolute(x) * (V(1) / largest), options.p);
    }

    /// 1 / max(norm, eps) in two factors, the second 1 but where T does not hold their product; and
    /// the norm over the largest, or 0 where eps counts.
    struct factors {
        wide first;
        wide second;
        double scale;
    };

    [[nodiscard]] factors inverse_norm(T largest, double sum) const noexcept {
        using limits = std::numeric_limits<T>;
        const double scale = root(sum);
        const wide norm = static_cast<wide>(largest) * static_cast<wide>(scale);
        // NaN is kept, as it is by the elements.
        if (norm < options.eps) {
            return {1 / static_cast<wide>(options.eps), 1, 0};
        }
        if (std::isnormal(static_cast<T>(1 / norm)) || !std::isnormal(scale)) [[likely]] {
            return {1 / norm, 1, scale};
        }
        constexpr int most = 1 - limits::min_exponent;
        const wide unit = std::ldexp(wide(1), -std::clamp(std::ilogb(largest), -most, most));
        return {unit, 1 / (static_cast<wide>(largest) * unit * static_cast<wide>(scale)), scale};
    }

private:
    [[nodiscard]] double root(double sum) const noexcept {
        if (std::isinf(options.p)) {
            return sum == sum ? 1 : sum;
        }
        return options.p == 2   ? std::sqrt(sum)
               : options.p == 1 ? sum
                                : std::pow(sum, 1 / options.p);
    }
};

/// x / max(norm, eps).
template <class T>
struct normalize_function : norm_terms<T> {
    static constexpr std::size_t sums = 1;

    template <class V>
    XMASK_INLINE static V first(const V& x) noexcept {
        return absolute(x);
    }

    template <std::size_t I, class V>
    XMASK_INLINE V term(const V& largest, const V& x) const noexcept {
        return this->power_term(largest, x);
    }

    std::array<T, 2> facts(T largest, const std::array<double, 1>& total) const noexcept {
        const auto inverse = this->inverse_norm(largest, total[0]);
        return {static_cast<T>(inverse.first), static_cast<T>(inverse.second)};
    }

    template <class V>
    XMASK_INLINE static V map(const std::array<V, 2>& facts, const V& x) noexcept {
        return x * facts[0] * facts[1];
    }
};

/// (g - sum(g y) sign(x) |y|^(p - 1)) / norm, of y = x / norm; g / eps where eps is larger.
template <class T>
struct normalize_gradient_function : norm_terms<T> {
    static constexpr std::size_t sums = 2;
    static constexpr std::size_t fact_count = 3;

    template <class V>
    XMASK_INLINE static V first(const V& x, const V& /*g*/) noexcept {
        return absolute(x);
    }

    template <std::size_t I, class V>
    XMASK_INLINE V term(const V& largest, const V& x, const V& g) const noexcept {
        if constexpr (I == 0) {
            return this->power_term(largest, x);
        } else {
            return x * (V(1) / largest) * g;
        }
    }

    std::array<T, 3> facts(T largest, const std::array<double, 2>& total) const noexcept {
        const auto [first, second, scale] = this->inverse_norm(largest, total[0]);
        return {
            static_cast<T>(first), static_cast<T>(second),
            scale != 0 ? static_cast<T>(total[1] / scale) : T(0)
        };
    }

    template <class V>
    XMASK_INLINE V map(const std::array<V, 3>& facts, const V& x, const V& g) const noexcept {
        const V y = x * facts[0] * facts[1];
        if (this->options.p == 2) {
            return (g - facts[2] * y) * facts[0] * facts[1];
        }
        const V size = absolute(y);
        const V slope = this->options.p == 1 ? V(1) : power(size, this->options.p - 1);
        return (g - facts[2] * sign_of(x) * slope) * facts[0] * facts[1];
    }

private:
    template <class V>
    XMASK_INLINE static V sign_of(const V& x) noexcept {
        if constexpr (std::is_arithmetic_v<V>) {
            return x == 0 ? V(0) : std::copysign(V(1), x);
        } else {
            return xsimd::sign(x);
        }
    }
};

/// Throws std::invalid_argument for a norm that is none.
inline void require_norm(
    const char* function, const normalize_options& options, bool differentiable
) {
    require_option(
        function, "p", options.p,
        differentiable ? option_range::at_least(1).finite() : option_range::at_least(1)
    );
    require_option(function, "eps", options.eps, option_range::at_least(0).finite());
}
} // namespace detail

/// x / max(norm of what the mask keeps, eps) along an axis; 0 where the mask drops.
///
/// x: a tensor or lazy expression of real numbers, of which the result has shape and type. m
/// broadcasts into x. axis: counts from the end where negative. options: p, 2 unless said, and eps,
/// 1e-12. No power overflows. Lazy. Where nothing is kept the result is 0. Throws
/// std::invalid_argument where the mask does not fit, for p below 1 and eps below 0;
/// std::out_of_range for an axis that x does not have. x is read three times, while in the cache.
///
///     xt::xtensor<float, 1> x = {3.f, 9.f, 4.f};
///     xt::xtensor<float, 1> y = xmask::masked_normalize(x, xmask::drop_indices({1}, 3));    // 0.6, 0, 0.8
template <class X, class M>
auto masked_normalize(
    X&& x, M&& m, std::ptrdiff_t axis = -1, const normalize_options& options = {}
) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_mask<M>()) {
        detail::require_norm("masked_normalize", options, false);
        return detail::make_row_mapped(
            "masked_normalize", detail::normalize_function<detail::real_of<X>>{{options}}, axis,
            std::forward<M>(m), std::forward<X>(x)
        );
    }
}

/// The same in place: x becomes what it is over its norm. x is any assignable tensor or view.
///
///     xmask::masked_normalize_inplace(weights, m);
template <class X, class M>
void masked_normalize_inplace(
    X&& x, const M& m, std::ptrdiff_t axis = -1, const normalize_options& options = {}
) {
    if constexpr (detail::require_real_tensors<X>() && detail::require_target<X>() &&
                  detail::require_mask<M>()) {
        constexpr const char* function = "masked_normalize_inplace";
        detail::require_norm(function, options, false);
        detail::map_inplace(
            function, detail::normalize_function<detail::real_of<X>>{{options}}, axis, m, x
        );
    }
}

/// The gradient by x of masked_normalize(x, m, axis, options), given the gradient by its result; 0
/// where the mask drops. p is finite. Otherwise as masked_normalize.
///
///     xt::xtensor<float, 2> dx = xmask::masked_normalize_gradient(x, m, dy);
template <class X, class M, class G>
auto masked_normalize_gradient(
    X&& x, M&& m, G&& upstream, std::ptrdiff_t axis = -1, const normalize_options& options = {}
) {
    if constexpr (detail::require_row_gradient<X, M, G>()) {
        detail::require_norm("masked_normalize_gradient", options, true);
        return detail::make_row_mapped(
            "masked_normalize_gradient",
            detail::normalize_gradient_function<detail::real_of<X, G>>{{options}}, axis,
            std::forward<M>(m), std::forward<X>(x), std::forward<G>(upstream)
        );
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/pool.hpp ====

#include <algorithm>
#include <cstddef>
#include <type_traits>

/// @file
/// Pooling: of the kept tokens of (..., tokens, features), one vector of features, under a mask of
/// (..., tokens).

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The tokens' axes of x: all but its last. Throws std::invalid_argument unless there are tokens
/// and features, and the mask broadcasts into the tokens.
template <class X, class M>
any_shape token_shape(const char* function, const X& x, const M& m) {
    if (x.dimension() < 2) [[unlikely]] {
        throw_invalid(
            function, "x has shape ", tuple_text(x.shape()), "; expected (..., tokens, features)"
        );
    }
    any_shape tokens(x.shape().begin(), x.shape().end() - 1);
    if (!broadcasts_to(m.shape(), tokens)) [[unlikely]] {
        throw_invalid(
            function, "a mask of shape ", tuple_text(m.shape()),
            " does not broadcast into the tokens of shape ", tuple_text(tokens),
            ", those of x without its last axis, the features"
        );
    }
    return tokens;
}

/// Calls visit(b, token) with one token of each row b of tokens, which choose(cursor, n) finds; -1
/// means none.
template <class M, class Choose, class Visit>
void for_each_token(const any_shape& tokens, const M& m, Choose&& choose, Visit&& visit) {
    const std::size_t each = columns_of(tokens);
    const mask_rows<M> masks(m, tokens);
    const std::size_t batch = rows_of(tokens);
    for (std::size_t b = 0; b < batch; ++b) {
        visit(b, each == 0 ? std::ptrdiff_t(-1) : choose(masks.row(b), each));
    }
}

/// Copies the features of one token of each row.
template <class X, class M, class Choose>
auto take_tokens(
    const char* function, const X& x, const M& m, const reduce_options& options, Choose&& choose
) {
    using element = element_t<X>;
    const any_shape tokens = token_shape(function, x, m);
    const std::size_t features = columns_of(x.shape());
    any_shape shape(x.shape().begin(), x.shape().end() - 1);
    shape.back() = options.keep_axes ? 1 : features;
    if (options.keep_axes) {
        shape.push_back(features);
    }
    auto result = xt::xarray<element>::from_shape(shape);
    if (features == 0) {
        return result;
    }
    const auto rows = make_operand<element>(x, x.shape());
    for_each_token(tokens, m, choose, [&](std::size_t b, std::ptrdiff_t token) {
        element* to = result.data() + b * features;
        if (token < 0) {
            std::fill_n(to, features, when_nothing_kept<element>(function, options.empty));
            return;
        }
        auto row = rows.row(b * columns_of(tokens) + static_cast<std::size_t>(token));
        for_each_block(0, features, [&](std::size_t c, auto count) {
            store_block<false>(to + c, row.block(c, count, first_bits(count)), count);
        });
    });
    return result;
}

/// The gradient of the same: upstream at the token that was taken, 0 elsewhere.
template <class X, class M, class U, class Choose>
auto put_tokens(const char* function, const X& x, const M& m, const U& upstream, Choose&& choose) {
    using element = element_t<X>;
    const any_shape tokens = token_shape(function, x, m);
    const std::size_t features = columns_of(x.shape());
    const auto u = upstream_of<element>(function, upstream, kept_axes(function, x.shape(), -2));
    auto result = xt::xarray<element>::from_shape(x.shape());
    result.fill(element(0));
    for_each_token(tokens, m, choose, [&](std::size_t b, std::ptrdiff_t token) {
        if (token >= 0) {
            element* to = result.data() +
                          (b * columns_of(tokens) + static_cast<std::size_t>(token)) * features;
            std::copy_n(u.data() + b * features, features, to);
        }
    });
    return result;
}

/// The first token that a row keeps.
struct first_token {
    template <class Cursor>
    std::ptrdiff_t operator()(const Cursor& cursor, std::size_t n) const {
        return first_in_row(cursor, n);
    }
};

struct last_token {
    template <class Cursor>
    std::ptrdiff_t operator()(const Cursor& cursor, std::size_t n) const {
        return last_in_row(cursor, n);
    }
};
} // namespace detail

/// Mean pooling: the mean of the features of the tokens that the mask keeps; masked_mean over the
/// tokens' axis.
///
/// x: (..., tokens, features), numbers; m: a mask that broadcasts into (..., tokens). Returns (...,
/// features), or with keep_axes (..., 1, features). Where no token is kept: NaN, 0, or
/// std::domain_error, as the options say. Throws std::invalid_argument where shapes do not fit. One
/// pass over the kept tokens; those dropped are not read.
///
///     xt::xarray<float> sentence = xmask::masked_mean_pool(hidden, xmask::keep_lengths(lengths, n));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_mean_pool(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        constexpr const char* function = "masked_mean_pool";
        detail::token_shape(function, x, m);
        return detail::mean_along(
            function, x, unsqueeze(m, -1), -2, detail::to_options<reduce_options>(options)
        );
    }
}

/// Max pooling: the largest of each feature over the tokens that the mask keeps; masked_max over
/// the tokens' axis.
/// -infinity (of integers: the lowest) where no token is kept, unless the options say otherwise. Otherwise as
/// masked_mean_pool.
///
///     xt::xarray<float> sentence = xmask::masked_max_pool(hidden, m, xmask::when_empty::zero);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_max_pool(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        constexpr const char* function = "masked_max_pool";
        detail::token_shape(function, x, m);
        return detail::fold_elements<element>(
            function, detail::extreme_fold<element, detail::extreme::largest>(), x,
            unsqueeze(m, -1), -2, detail::to_options<reduce_options>(options)
        );
    }
}

/// The features of the first token that the mask keeps, in each row of tokens: the [CLS] token,
/// also of sequences that are padded on the left. Only these are read. Where no token is kept: NaN
/// (of integers std::domain_error), 0, or std::domain_error, as the options say. Otherwise as
/// masked_mean_pool.
///
///     xt::xarray<float> cls = xmask::masked_first_token(hidden, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_first_token(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::take_tokens(
            "masked_first_token", x, m, detail::to_options<reduce_options>(options),
            detail::first_token()
        );
    }
}

/// The features of the last token that the mask keeps, as decoders are pooled, whichever side is
/// padded. Otherwise as masked_first_token.
///
///     xt::xarray<float> sentence = xmask::masked_last_token(hidden, xmask::keep_lengths(lengths, n));
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_last_token(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        return detail::take_tokens(
            "masked_last_token", x, m, detail::to_options<reduce_options>(options),
            detail::last_token()
        );
    }
}

/// The gradient by x of masked_mean_pool(x, m), given the gradient by its result: shared evenly by
/// the tokens that are kept, 0 for the others. An array of x's shape and type; only x's shape is
/// looked at.
///
/// upstream: of the result's shape, with or without the axis of tokens; throws
/// std::invalid_argument where it has another, or where the mask does not fit.
///
///     xt::xarray<float> dx = xmask::masked_mean_pool_gradient(hidden, m, dpooled);
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_mean_pool_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        constexpr const char* function = "masked_mean_pool_gradient";
        detail::token_shape(function, x, m);
        return detail::sum_gradient(function, x, unsqueeze(m, -1), -2, upstream, true);
    }
}

/// The same of masked_max_pool: of each feature it goes to the token with the largest, shared
/// evenly by those that tie.
///
///     xt::xarray<float> dx = xmask::masked_max_pool_gradient(hidden, m, dpooled);
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_max_pool_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        constexpr const char* function = "masked_max_pool_gradient";
        detail::token_shape(function, x, m);
        return detail::extreme_gradient<detail::extreme::largest>(
            function, x, unsqueeze(m, -1), -2, upstream
        );
    }
}

/// The same of masked_first_token: it goes to the token that was taken.
///
///     xt::xarray<float> dx = xmask::masked_first_token_gradient(hidden, m, dpooled);
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_first_token_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::put_tokens(
            "masked_first_token_gradient", x, m, upstream, detail::first_token()
        );
    }
}

/// The same of masked_last_token.
///
///     xt::xarray<float> dx = xmask::masked_last_token_gradient(hidden, m, dpooled);
template <class X, class M, class U>
    requires detail::upstream_argument<U>
auto masked_last_token_gradient(const X& x, const M& m, const U& upstream) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::put_tokens(
            "masked_last_token_gradient", x, m, upstream, detail::last_token()
        );
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/quantile.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

/// @file
/// Medians and quantiles of what a mask keeps.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// What is kept, side by side for each position of the axes that stay.
template <class T>
class kept_elements {
    using value = lane_t<T>;

public:
    template <class X, class M>
    kept_elements(const char* function, const X& x, const M& m, const kept_axes& axes)
        : m_begins(axes.size() + 1) {
        const auto rows = masked_rows<T>(function, x, m);
        const auto counts = count_rows(x.shape(), m, axes);
        std::partial_sum(counts.begin(), counts.end(), m_begins.begin() + 1);
        m_values.resize(m_begins.back());
        std::vector<std::size_t> next(m_begins.begin(), m_begins.end() - 1);
        const std::size_t n = columns_of(x.shape());
        const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
        for (std::size_t r = 0; r < row_count; ++r) {
            auto row = rows.row(r);
            std::size_t* to = next.data() + axes.offset(r);
            for_each_kept_block(row, [&](std::size_t c, auto count, word_t bits) {
                const auto block = row.block(c, count, bits);
                for (; bits != 0; bits &= bits - 1) {
                    const std::size_t k = lowest_bit(bits);
                    m_values[to[axes.keeps_last() ? c + k : 0]++] =
                        static_cast<value>(block.value(k));
                }
            });
        }
    }

    /// Those of position i, in any order.
    [[nodiscard]] std::span<value> at(std::size_t i) {
        return {m_values.data() + m_begins[i], m_begins[i + 1] - m_begins[i]};
    }

private:
    std::vector<std::size_t> m_begins;
    std::vector<value> m_values;
};

template <class T>
bool holds_nan(std::span<T> values) {
    return std::ranges::any_of(values, [](T x) { return is_nan(x); });
}

/// The element of rank k, as if the values were sorted; they are reordered.
template <class T>
T of_rank(std::span<T> values, std::size_t k) {
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(k));
    return values[k];
}

template <class R, class T>
R median_of(const char* function, std::span<T> values, const reduce_options& options) {
    if (values.empty()) {
        return when_nothing_kept<R>(function, options.empty);
    }
    if constexpr (std::is_floating_point_v<R>) {
        if (holds_nan(values)) {
            return std::numeric_limits<R>::quiet_NaN();
        }
    }
    return static_cast<R>(of_rank(values, (values.size() - 1) / 2));
}

/// The elements between which a quantile lies, and how far it is from the lower to the higher one.
template <class T>
struct between_ranks {
    T low;
    T high;
    double share;
};

/// Of values of which there are some; they are reordered.
template <class T>
between_ranks<T> ranks_around(std::span<T> values, double q) {
    const double rank = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(rank);
    const double share = rank - static_cast<double>(below);
    const T low = of_rank(values, below);
    // What stands behind rank k is not smaller.
    return {low, share == 0 ? low : *std::ranges::min_element(values.subspan(below + 1)), share};
}

/// The point at a share in [0, 1) of the way from low to high. Beside an infinity it is that one;
/// between both there is none.
template <class T>
T point_between(T low, T high, T share) {
    if (share == 0 || low == high) {
        return low;
    }
    const T way = high - low;
    return std::isinf(way) ? low * (1 - share) + high * share : low + share * way;
}

template <class R, class T>
R quantile_of(const char* function, std::span<T> values, double q, const reduce_options& options) {
    using wide = wide_t<R>;
    if (values.empty()) {
        return when_nothing_kept<R>(function, options.empty);
    }
    if (holds_nan(values)) {
        return std::numeric_limits<R>::quiet_NaN();
    }
    const auto around = ranks_around(values, q);
    return static_cast<R>(point_between(
        static_cast<wide>(around.low), static_cast<wide>(around.high),
        static_cast<wide>(around.share)
    ));
}

inline void require_share(const char* function, double q) {
    if (!(q >= 0 && q <= 1)) [[unlikely]] {
        throw_out_of_range(function, "q is ", q, "; expected a share in [0, 1]");
    }
}
} // namespace detail

/// The median of what the mask keeps: of an even number of elements the lower of the middle two, as
/// torch.median has it, so that it is one of them. NaN that is kept is the result.
///
/// x: a tensor or lazy expression of numbers. Returns x's type. Where nothing is kept: NaN (of
/// integers std::domain_error), 0, or std::domain_error, as the options say. Throws
/// std::invalid_argument where the mask does not broadcast into x. What is kept is copied; then the
/// time is in proportion to it.
///
///     float middle = xmask::masked_median(x, m);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(const X& x, const M& m, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        const detail::kept_axes none("masked_median", x.shape(), detail::every_axis(x.dimension()));
        detail::kept_elements<element> kept("masked_median", x, m, none);
        return detail::median_of<element>(
            "masked_median", kept.at(0), detail::to_options<reduce_options>(options)
        );
    }
}

/// The medians along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_median(x, m, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(const X& x, const M& m, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes stay("masked_median", x.shape(), axes);
        detail::kept_elements<element> kept("masked_median", x, m, stay);
        return detail::make_result<element>(stay, chosen.keep_axes, [&](std::size_t i) {
            return detail::median_of<element>("masked_median", kept.at(i), chosen);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_median(
    const X& x, const M& m, std::initializer_list<std::ptrdiff_t> axes, const O& options = {}
) {
    return masked_median(x, m, std::vector<std::ptrdiff_t>(axes), options);
}

/// The quantile q of what the mask keeps, 0 <= q <= 1: the element of rank q (number kept - 1), or,
/// between two ranks, on the line between their elements, as torch.quantile and NumPy have it.
/// Between a finite and an infinite element it is the infinite one, as in NumPy's median; between
/// the two infinities NaN. NaN that is kept is the result.
///
/// Returns x's type, or double for integers. Throws std::out_of_range for another q. Where nothing
/// is kept: NaN, 0, or std::domain_error, as the options say. Otherwise as masked_median.
///
///     float ninth = xmask::masked_quantile(x, m, 0.9);
template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(const X& x, const M& m, double q, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        detail::require_share("masked_quantile", q);
        const detail::kept_axes none(
            "masked_quantile", x.shape(), detail::every_axis(x.dimension())
        );
        detail::kept_elements<element> kept("masked_quantile", x, m, none);
        return detail::quantile_of<result>(
            "masked_quantile", kept.at(0), q, detail::to_options<reduce_options>(options)
        );
    }
}

/// The quantiles q along `axes`, one for each position of the axes that stay.
///
///     xt::xarray<float> rows = xmask::masked_quantile(x, m, 0.5, -1);
template <class X, class M, detail::axes_argument A, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(const X& x, const M& m, double q, const A& axes, const O& options = {}) {
    if constexpr (detail::require_reducible<X, M>()) {
        using element = detail::element_t<X>;
        using result = detail::mean_result_t<element>;
        detail::require_share("masked_quantile", q);
        const auto chosen = detail::to_options<reduce_options>(options);
        const detail::kept_axes stay("masked_quantile", x.shape(), axes);
        detail::kept_elements<element> kept("masked_quantile", x, m, stay);
        return detail::make_result<result>(stay, chosen.keep_axes, [&](std::size_t i) {
            return detail::quantile_of<result>("masked_quantile", kept.at(i), q, chosen);
        });
    }
}

template <class X, class M, class O = reduce_options>
    requires detail::options_argument<O, reduce_options>
auto masked_quantile(
    const X& x, const M& m, double q, std::initializer_list<std::ptrdiff_t> axes,
    const O& options = {}
) {
    return masked_quantile(x, m, q, std::vector<std::ptrdiff_t>(axes), options);
}

namespace detail {
/// a where x is the lower of two elements, b where it is the higher one, both where they are equal;
/// a everywhere where the lower one is NaN.
struct shares_of_ranks {
    template <class A>
    A operator()(const A& x, const A& low, const A& a, const A& high, const A& b) const {
        return (x < low || x > low ? A(0) : a) + (x == high ? b : A(0));
    }
};

/// The gradient of choose(values).low and high at each position, by their shares; elements that tie
/// share it.
template <class X, class M, class U, class F>
auto rank_gradient(
    const char* function, const X& x, const M& m, const axes_list& names, const U& upstream,
    F&& choose
) {
    using element = element_t<X>;
    using wide = wide_t<element>;
    const kept_axes axes(function, x.shape(), names);
    const auto u = upstream_of<element>(function, upstream, axes);
    kept_elements<element> kept(function, x, m, axes);
    auto low = at_positions<element>(axes, [](std::size_t) { return 0; });
    auto high = low;
    auto to_low = low;
    auto to_high = low;
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto values = kept.at(i);
        if (values.empty()) {
            continue;
        }
        if (holds_nan(values)) {
            low.data()[i] = to_low.data()[i] = std::numeric_limits<element>::quiet_NaN();
            continue;
        }
        const auto chosen = choose(values);
        const auto share = [&](element value, double part) {
            const auto ties = static_cast<wide>(std::ranges::count(values, value));
            return static_cast<element>(
                static_cast<wide>(u.data()[i]) * static_cast<wide>(part) / ties
            );
        };
        low.data()[i] = chosen.low;
        high.data()[i] = chosen.high;
        to_low.data()[i] = share(chosen.low, 1 - chosen.share);
        to_high.data()[i] = share(chosen.high, chosen.share);
    }
    return fill_kept<element>(
        x.shape(), lazy_function(shares_of_ranks(), x, low, to_low, high, to_high), m
    );
}

template <class X, class M, class U>
auto median_gradient(const X& x, const M& m, const axes_list& names, const U& upstream) {
    return rank_gradient("masked_median_gradient", x, m, names, upstream, [](auto values) {
        const auto middle = of_rank(values, (values.size() - 1) / 2);
        return between_ranks<std::decay_t<decltype(middle)>>{middle, middle, 0};
    });
}

template <class X, class M, class U>
auto quantile_gradient(
    const X& x, const M& m, double q, const axes_list& names, const U& upstream
) {
    require_share("masked_quantile_gradient", q);
    return rank_gradient("masked_quantile_gradient", x, m, names, upstream, [q](auto values) {
        return ranks_around(values, q);
    });
}
} // namespace detail

/// The gradient of the sum of `upstream` times masked_median(x, m, axes) by x: u at the median,
/// shared evenly by elements that equal it; 0 elsewhere and where the mask drops; NaN for all that
/// is kept where some of it is NaN. An array of x's shape and type.
///
/// upstream: an array of the result's shape, with or without the axes that went; throws
/// std::invalid_argument where it has another. What is kept is copied.
///
///     xt::xarray<float> dx = xmask::masked_median_gradient(x, m, upstream, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_median_gradient(const X& x, const M& m, const U& upstream, const A& axes) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::median_gradient(x, m, axes, upstream);
    }
}

/// The gradient of `upstream` times masked_median(x, m), over everything.
template <class X, class M>
auto masked_median_gradient(const X& x, const M& m, double upstream = 1) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::median_gradient(x, m, detail::every_axis(x.dimension()), upstream);
    }
}

/// The same of masked_quantile: u is parted between the two elements that the quantile lies
/// between, as it is.
///
///     xt::xarray<float> dx = xmask::masked_quantile_gradient(x, m, upstream, 0.9, -1);
template <
    class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
    class Q = std::initializer_list<std::ptrdiff_t>,
    class A = std::initializer_list<std::ptrdiff_t>>
    requires detail::gradient_arguments<U, A>
auto masked_quantile_gradient(
    const X& x, const M& m, const U& upstream, const Q& q, const A& axes
) {
    if constexpr (detail::require_differentiable<X, M, U>()) {
        return detail::quantile_gradient(x, m, static_cast<double>(q), axes, upstream);
    }
}

template <class X, class M>
auto masked_quantile_gradient(const X& x, const M& m, double upstream, double q) {
    if constexpr (detail::require_differentiable<X, M>()) {
        return detail::quantile_gradient(x, m, q, detail::every_axis(x.dimension()), upstream);
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/reduce/regression.hpp ====

/// @file
/// Losses of real targets that grow slower than the square: mae, huber, smooth_l1.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// -1, 0 or 1; 0 for NaN.
template <class V>
XMASK_INLINE V sign(const V& x) {
    const V zero(0);
    return xsimd::select(x > zero, V(1), xsimd::select(x < zero, V(-1), zero));
}

/// x, or the end of [-limit, limit] that is closer to it.
template <class V>
XMASK_INLINE V clamp(const V& x, const V& limit) {
    return xsimd::select(x > limit, limit, xsimd::select(x < -limit, -limit, x));
}
} // namespace detail

/// |p - t|, and its sign by p, which is 0 where p equals t.
struct mae_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return xsimd::abs(p - t);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return detail::sign<V>(p - t);
    }
};

/// d = p - t: d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond.
struct huber_loss {
    double delta = 1;

    void check(const char* name) const {
        detail::require_option(name, "delta", delta, detail::option_range::above(0));
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V half(constant<V>(0.5));
        const V limit(constant<V>(delta));
        const V size = xsimd::abs(p - t);
        return xsimd::select(size <= limit, half * size * size, limit * (size - half * limit));
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return detail::clamp<V>(p - t, constant<V>(delta));
    }
};

/// d = p - t: d^2 / (2 beta) where |d| < beta, |d| - beta / 2 beyond.
struct smooth_l1_loss {
    double beta = 1;

    void check(const char* name) const {
        detail::require_option(name, "beta", beta, detail::option_range::at_least(0));
    }

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        const V half(constant<V>(0.5));
        const V limit(constant<V>(beta));
        const V size = xsimd::abs(p - t);
        return xsimd::select(size < limit, half * size * size / limit, size - half * limit);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V difference = p - t;
        const V limit(constant<V>(beta));
        return xsimd::select(
            xsimd::abs(difference) < limit, difference / limit, detail::sign(difference)
        );
    }
};

/// The absolute error |p - t|, as PyTorch's l1_loss; its gradient is the sign of p - t, 0 where
/// they are equal. element_loss says what the arguments are.
///
///     double mean = xmask::masked_mae(prediction, target, m).mean();
inline constexpr element_loss<mae_loss> masked_mae("masked_mae");

/// The Huber loss, as PyTorch's huber_loss: (p - t)^2 / 2 where |p - t| <= delta, delta (|p - t| -
/// delta / 2) beyond (Huber, Robust estimation of a location parameter, 1964). Options: delta = 1,
/// above 0. element_loss says what the arguments are.
///
///     double mean = xmask::masked_huber(prediction, target, m, {.delta = 0.5}, gradient).mean();
inline constexpr element_loss<huber_loss> masked_huber("masked_huber");

/// PyTorch's smooth_l1_loss: (p - t)^2 / (2 beta) where |p - t| < beta, |p - t| - beta / 2 beyond;
/// the Huber loss divided by its delta (Girshick, Fast R-CNN, 2015). Options: beta = 1, 0 for the
/// absolute error. element_loss says what the arguments are.
///
///     double mean = xmask::masked_smooth_l1(prediction, target, m, {.beta = 0.1}).mean();
inline constexpr element_loss<smooth_l1_loss> masked_smooth_l1("masked_smooth_l1");
} // namespace xmask::inline XMASK_ABI

// ==== xmask/version.hpp ====

/// @file
/// The version of the library. CMakeLists.txt reads it from the three lines below.

#define XMASK_VERSION_MAJOR 0
#define XMASK_VERSION_MINOR 1
#define XMASK_VERSION_PATCH 0
