// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.
//
// All of xmask in one file, made by cmake/amalgamate.cmake: change the headers in include/xmask instead of this one.

#pragma once

// ==== xmask/xmask.hpp ====

// ==== xmask/apply/masked_fill.hpp ====

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/core/applied.hpp ====

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
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

// ==== xmask/core/error.hpp ====

#include <sstream>
#include <stdexcept>
#include <string>

// ==== xmask/core/abi.hpp ====

/// @file
/// The name of the inline namespace that holds all of xmask.
///
/// Inline functions and templates compiled with different -m flags, or with and without XTENSOR_USE_XSIMD, are
/// different functions. If they had one name, the linker would keep one of them for both translation units, and a
/// program could meet an instruction that its processor lacks. So the flags are part of every symbol's name, and
/// users, who write only `xmask::`, never see it.

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

#define XMASK_ABI XMASK_ABI_JOIN(XMASK_ABI_ARCH, XMASK_ABI_FMA, XMASK_ABI_BITS, XMASK_ABI_XSIMD, XMASK_ABI_THREADS)

/// @file
/// Errors: one place that words them, so that each names the function, the value, where it stands, what was expected.

#if defined(__GNUC__)
#define XMASK_COLD [[gnu::cold, gnu::noinline]]
#else
#define XMASK_COLD
#endif

namespace xmask::inline XMASK_ABI::detail
{
    /// (2, 3) for a shape or any other list of numbers, as Python prints a tuple: (2,) for one number.
    template <class S>
    XMASK_COLD std::string tuple_text(const S& numbers)
    {
        std::ostringstream out;
        out << '(';
        const char* comma = "";
        for (const auto& number : numbers)
        {
            out << comma << +number;
            comma = ", ";
        }
        out << (numbers.size() == 1 ? ",)" : ")");
        return out.str();
    }

    template <class... Parts>
    XMASK_COLD std::string message(const char* function, const Parts&... parts)
    {
        std::ostringstream out;
        out << "xmask::" << function << ": ";
        (out << ... << parts);
        return out.str();
    }

    /// Throws std::invalid_argument: the arguments do not fit together.
    template <class... Parts>
    [[noreturn]] XMASK_COLD void throw_invalid(const char* function, const Parts&... parts)
    {
        throw std::invalid_argument(message(function, parts...));
    }

    /// Throws std::out_of_range: a value lies outside of what was promised.
    template <class... Parts>
    [[noreturn]] XMASK_COLD void throw_out_of_range(const char* function, const Parts&... parts)
    {
        throw std::out_of_range(message(function, parts...));
    }
}

// ==== xmask/core/xtensor.hpp ====

/// @file
/// The only file that names xtensor's headers: they moved into folders in xtensor 0.26.

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xeval.hpp>
#include <xtensor/core/xfunction.hpp>
#include <xtensor/core/xnoalias.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xeval.hpp>
#include <xtensor/xfunction.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xtensor.hpp>
#endif

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace xmask::inline XMASK_ABI
{
    /// Any xtensor expression: a container, a view, a lazy function, a mask.
    template <class E>
    concept expression = xt::is_xexpression<std::decay_t<E>>::value;

    /// The type of an expression's elements.
    template <class E>
    using value_type_t = typename std::decay_t<E>::value_type;

    namespace detail
    {
        /// How an expression is kept inside a lazy one: an lvalue by reference, an rvalue moved in.
        template <class E>
        using closure_t = xt::const_xclosure_t<E>;

        /// An expression whose elements lie in memory at data() + data_offset() + sum of index * stride.
        template <class E>
        concept has_memory = xt::has_data_interface<std::decay_t<E>>::value
                             && xt::has_strides<std::decay_t<E>>::value && requires(const std::decay_t<E>& e) {
                                    requires std::is_pointer_v<std::decay_t<decltype(e.data())>>;
                                    e.data_offset();
                                };
    }
}

/// @file
/// Shapes as rows: the last axis is the row, the leading axes number the rows in row-major order.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// A shape of any rank; up to four axes it needs no memory of its own.
        using any_shape = xt::dynamic_shape<std::size_t>;

        /// Length of a row: the last axis. A tensor of rank 0 is one row of one element.
        template <class S>
        constexpr std::size_t columns_of(const S& shape) noexcept
        {
            return shape.size() == 0 ? 1 : static_cast<std::size_t>(shape[shape.size() - 1]);
        }

        /// Number of rows: the product of the leading axes.
        template <class S>
        constexpr std::size_t rows_of(const S& shape) noexcept
        {
            std::size_t rows = 1;
            for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis)
            {
                rows *= static_cast<std::size_t>(shape[axis]);
            }
            return rows;
        }

        template <class S, class T>
        constexpr bool same_shape(const S& a, const T& b) noexcept
        {
            return a.size() == b.size()
                   && std::equal(
                       a.begin(), a.end(), b.begin(),
                       [](auto m, auto n) { return static_cast<std::size_t>(m) == static_cast<std::size_t>(n); }
                   );
        }

        /// Whether `from` stretches to `to` by NumPy's rules without enlarging it.
        template <class S, class T>
        constexpr bool broadcasts_to(const S& from, const T& to) noexcept
        {
            if (from.size() > to.size())
            {
                return false;
            }
            const std::size_t shift = to.size() - from.size();
            for (std::size_t axis = 0; axis < from.size(); ++axis)
            {
                const auto extent = static_cast<std::size_t>(from[axis]);
                if (extent != 1 && extent != static_cast<std::size_t>(to[axis + shift]))
                {
                    return false;
                }
            }
            return true;
        }

        /// Throws std::invalid_argument unless a mask (or weights) of shape `from` fits into an operand of shape `to`.
        template <class S, class T>
        void require_broadcast(const char* function, const char* what, const S& from, const T& to)
        {
            if (!broadcasts_to(from, to)) [[unlikely]]
            {
                throw_invalid(
                    function, what, " of shape ", tuple_text(from),
                    " does not broadcast into the operand of shape ", tuple_text(to),
                    "; align the last axes, and give each axis the operand's extent or 1"
                );
            }
        }

        template <class S, class T>
        void require_same_shape(const char* function, const char* a_name, const S& a, const char* b_name, const T& b)
        {
            if (!same_shape(a, b)) [[unlikely]]
            {
                throw_invalid(
                    function, a_name, " has shape ", tuple_text(a), " and ", b_name, " has shape ", tuple_text(b),
                    "; they must be equal"
                );
            }
        }

        /// A shape type with one more axis; the rank stays known at compile time where it was.
        template <class S>
        struct one_more_axis
        {
            using type = any_shape;
        };

        template <class T, std::size_t N>
        struct one_more_axis<std::array<T, N>>
        {
            using type = std::array<std::size_t, N + 1>;
        };

        template <std::size_t... N>
        struct one_more_axis<xt::fixed_shape<N...>>
        {
            using type = std::array<std::size_t, sizeof...(N) + 1>;
        };

        /// `shape` with `n` appended as its last axis.
        template <class S>
        auto append_axis(const S& shape, std::size_t n)
        {
            auto result = xt::uninitialized_shape<typename one_more_axis<S>::type>(shape.size() + 1);
            std::copy(shape.begin(), shape.end(), result.begin());
            result[shape.size()] = n;
            return result;
        }

        /// Maps a row's number to the sum of index * stride over the leading axes of a shape.
        ///
        /// Axes that one stride covers are merged on construction, so that a contiguous tensor, a broadcast one and
        /// most views cost one multiplication a row; any other layout costs a division an axis.
        class row_offsets
        {
        public:

            row_offsets() = default;

            /// `shape` is the shape that is walked, `from` and `strides` are those of what is read; size-1 and
            /// missing axes are broadcast.
            template <class S, class F, class D>
            row_offsets(const S& shape, const F& from, const D& strides)
            {
                for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis)
                {
                    const auto extent = static_cast<std::size_t>(shape[axis]);
                    if (extent == 1)
                    {
                        continue;
                    }
                    const std::size_t missing = shape.size() - from.size();
                    const bool broadcast = axis < missing || from[axis - missing] == 1;
                    push(extent, broadcast ? 0 : static_cast<std::ptrdiff_t>(strides[axis - missing]));
                }
            }

            std::ptrdiff_t operator()(std::size_t row) const noexcept
            {
                std::ptrdiff_t offset = 0;
                std::size_t axis = m_axes.size();
                for (; axis > 1; --axis)
                {
                    const auto& [extent, stride] = m_axes[axis - 1];
                    const std::size_t next = row / extent;
                    offset += static_cast<std::ptrdiff_t>(row - next * extent) * stride;
                    row = next;
                }
                return axis == 0 ? offset : offset + static_cast<std::ptrdiff_t>(row) * m_axes[0].stride;
            }

        private:

            struct merged_axis
            {
                std::size_t extent;
                std::ptrdiff_t stride;
            };

            void push(std::size_t extent, std::ptrdiff_t stride)
            {
                if (!m_axes.empty() && m_axes.back().stride == static_cast<std::ptrdiff_t>(extent) * stride)
                {
                    m_axes.back() = {m_axes.back().extent * extent, stride};
                }
                else
                {
                    m_axes.push_back({extent, stride});
                }
            }

            xt::svector<merged_axis, 4> m_axes;
        };

        /// Maps a row's number in `shape` to the row's number in `from`, which broadcasts to it.
        template <class S, class F>
        row_offsets row_numbers(const S& shape, const F& from)
        {
            xt::svector<std::ptrdiff_t, 8> strides(from.size());
            std::ptrdiff_t stride = 1;
            for (std::size_t axis = from.size(); axis-- > 0;)
            {
                strides[axis] = axis + 1 == from.size() ? 0 : stride;
                stride *= axis + 1 == from.size() ? 1 : static_cast<std::ptrdiff_t>(from[axis]);
            }
            return row_offsets(shape, from, strides);
        }
    }
}

/// @file
/// What makes a mask, and a tensor with a mask applied, an ordinary lazy xtensor expression.

namespace xmask::inline XMASK_ABI::detail
{
    /// Whether `strides` walk `shape` in row-major order without gaps. Strides of axes of extent 1 do not matter.
    template <class S, class D>
    constexpr bool is_row_major(const S& shape, const D& strides) noexcept
    {
        if (static_cast<std::size_t>(strides.size()) != shape.size())
        {
            return false;
        }
        std::ptrdiff_t expected = 1;
        for (std::size_t axis = shape.size(); axis-- > 0;)
        {
            if (shape[axis] != 1 && static_cast<std::ptrdiff_t>(strides[axis]) != expected)
            {
                return false;
            }
            expected *= static_cast<std::ptrdiff_t>(shape[axis]);
        }
        return true;
    }

    /// Iterates over an expression by the flat index of row-major order.
    template <class E>
    class flat_iterator
    {
    public:

        using value_type = typename E::value_type;
        using reference = typename E::const_reference;
        using pointer = const value_type*;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::random_access_iterator_tag;

        flat_iterator() = default;

        flat_iterator(const E* expression, std::size_t index) noexcept
            : m_expression(expression)
            , m_index(static_cast<difference_type>(index))
        {
        }

        reference operator*() const
        {
            return m_expression->data_element(static_cast<std::size_t>(m_index));
        }

        reference operator[](difference_type n) const
        {
            return *(*this + n);
        }

        flat_iterator& operator++()
        {
            ++m_index;
            return *this;
        }

        flat_iterator operator++(int)
        {
            auto before = *this;
            ++m_index;
            return before;
        }

        flat_iterator& operator--()
        {
            --m_index;
            return *this;
        }

        flat_iterator operator--(int)
        {
            auto before = *this;
            --m_index;
            return before;
        }

        flat_iterator& operator+=(difference_type n)
        {
            m_index += n;
            return *this;
        }

        flat_iterator& operator-=(difference_type n)
        {
            m_index -= n;
            return *this;
        }

        friend flat_iterator operator+(flat_iterator it, difference_type n)
        {
            return it += n;
        }

        friend flat_iterator operator+(difference_type n, flat_iterator it)
        {
            return it += n;
        }

        friend flat_iterator operator-(flat_iterator it, difference_type n)
        {
            return it -= n;
        }

        friend difference_type operator-(const flat_iterator& a, const flat_iterator& b)
        {
            return a.m_index - b.m_index;
        }

        friend bool operator==(const flat_iterator& a, const flat_iterator& b)
        {
            return a.m_index == b.m_index;
        }

        friend auto operator<=>(const flat_iterator& a, const flat_iterator& b)
        {
            return a.m_index <=> b.m_index;
        }

    private:

        const E* m_expression = nullptr;
        difference_type m_index = 0;
    };

    /// Base of every lazy expression of the library. D supplies shape(), element(first, last), data_element(i),
    /// stepper_begin, stepper_end, has_linear_assign; this adds what xtensor asks of an expression besides.
    template <class D, class Value>
    class lazy : public xt::xexpression<D>, public xt::xconst_iterable<D>, public xt::xconst_accessible<D>
    {
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

        [[nodiscard]] xt::layout_type layout() const noexcept
        {
            return xt::layout_type::row_major;
        }

        [[nodiscard]] bool is_contiguous() const noexcept
        {
            return true;
        }

        /// The element at these indices; missing leading ones count as 0, surplus leading ones are ignored.
        template <class... Index>
        value_type operator()(Index... index) const
        {
            const std::array<std::size_t, sizeof...(Index)> all{static_cast<std::size_t>(index)...};
            return self().element(all.begin(), all.end());
        }

        template <class... Index>
        value_type unchecked(Index... index) const
        {
            return (*this)(index...);
        }

        /// The element at a flat row-major position.
        value_type flat(std::size_t i) const
        {
            return self().data_element(i);
        }

        template <class S>
        bool broadcast_shape(S& to, bool /*reuse_cache*/ = false) const
        {
            return xt::broadcast_shape(self().shape(), to);
        }

        [[nodiscard]] linear_iterator linear_begin() const noexcept
        {
            return {&self(), 0};
        }

        [[nodiscard]] linear_iterator linear_end() const noexcept
        {
            return {&self(), self().size()};
        }

        [[nodiscard]] linear_iterator linear_cbegin() const noexcept
        {
            return linear_begin();
        }

        [[nodiscard]] linear_iterator linear_cend() const noexcept
        {
            return linear_end();
        }

    private:

        const D& self() const noexcept
        {
            return static_cast<const D&>(*this);
        }
    };

    /// Calls visit(index) with the multi-index of a flat row-major position.
    template <class S, class F>
    decltype(auto) at_flat_index(const S& shape, std::size_t i, F&& visit)
    {
        xt::svector<std::size_t, 8> index(shape.size());
        for (std::size_t axis = shape.size(); axis-- > 0;)
        {
            const auto extent = static_cast<std::size_t>(shape[axis]);
            index[axis] = i % extent;
            i /= extent;
        }
        return visit(index);
    }
}

// ==== xmask/core/mask.hpp ====

#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/core/word.hpp ====

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

/// @file
/// The two answers of a mask about a row: words of 64 columns, and the range outside of which nothing is kept.

namespace xmask::inline XMASK_ABI
{
    /// 64 mask values of one row; bit k is column c + k, and 1 means keep.
    using word_t = std::uint64_t;

    /// How many columns a word holds.
    inline constexpr std::size_t word_columns = 64;

    /// Columns [begin, end) of a row.
    struct column_range
    {
        std::size_t begin = 0;
        std::size_t end = 0;

        /// Number of columns; 0 where end lies before begin.
        [[nodiscard]] constexpr std::size_t size() const noexcept
        {
            return end > begin ? end - begin : 0;
        }

        friend constexpr bool operator==(const column_range&, const column_range&) = default;
    };

    /// The columns that both ranges hold.
    [[nodiscard]] constexpr column_range intersection(column_range a, column_range b) noexcept
    {
        const std::size_t begin = std::max(a.begin, b.begin);
        return {begin, std::max(begin, std::min(a.end, b.end))};
    }

    /// The smallest range that holds both.
    [[nodiscard]] constexpr column_range hull(column_range a, column_range b) noexcept
    {
        if (a.size() == 0 || b.size() == 0)
        {
            return a.size() == 0 ? b : a;
        }
        return {std::min(a.begin, b.begin), std::max(a.end, b.end)};
    }

    /// A word with its lowest `count` bits set; all 64 where count is 64 or more.
    [[nodiscard]] constexpr word_t first_bits(std::size_t count) noexcept
    {
        return count >= word_columns ? ~word_t(0) : (word_t(1) << count) - 1;
    }

    /// The number of the lowest set bit; the word must not be 0.
    [[nodiscard]] constexpr std::size_t lowest_bit(word_t bits) noexcept
    {
        return static_cast<std::size_t>(std::countr_zero(bits));
    }

    /// How many bits are set.
    [[nodiscard]] constexpr std::size_t count_bits(word_t bits) noexcept
    {
        return static_cast<std::size_t>(std::popcount(bits));
    }

    /// The bits of columns [c, c + 64) that lie in `range`.
    [[nodiscard]] constexpr word_t range_word(column_range range, std::size_t c) noexcept
    {
        const word_t below_end = range.end > c ? first_bits(range.end - c) : 0;
        const word_t below_begin = range.begin > c ? first_bits(range.begin - c) : 0;
        return below_end & ~below_begin;
    }
}

/// @file
/// The protocol: a rule gives row cursors, a cursor gives words; mask<Rule> makes any rule an xtensor expression.

namespace xmask::inline XMASK_ABI
{
    /// What a mask answers about one row. `word(c)` is for any c below the row's length, a multiple of 64 or not;
    /// its bits past the row's end are 0. No column outside of `extent()` is kept.
    ///
    /// A cursor whose words are costly may also have `bool kept(std::size_t c) const` for one column alone.
    template <class C>
    concept row_cursor = requires(const C& cursor, std::size_t c) {
        { cursor.word(c) } -> std::same_as<word_t>;
        { cursor.extent() } -> std::same_as<column_range>;
    };

    /// How a mask is made: a shape, and a cursor for each row. Rows are numbered in row-major order of the leading
    /// axes; a cursor does not outlive its rule. Rules answer from any thread, and hold no memory in proportion to
    /// the mask's size unless their name says so.
    ///
    /// A rule whose rows share some work may offer rows() instead: what it returns is made once for an operation, and
    /// has row(r).
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

    namespace detail
    {
        template <class T>
        struct is_mask_impl : std::false_type
        {
        };

        template <mask_rule Rule>
        struct is_mask_impl<mask<Rule>> : std::true_type
        {
        };
    }

    /// Whether M (after removing references) is a mask of this library.
    template <class M>
    concept mask_expression = detail::is_mask_impl<std::remove_cvref_t<M>>::value;

    /// Whether W can stand as weights (a soft mask): an expression of real numbers.
    template <class W>
    concept weight_expression = expression<W> && !mask_expression<W> && std::is_floating_point_v<value_type_t<W>>;

    namespace detail
    {
        /// Fails to compile, with one sentence, where something else stands in a mask's place.
        template <class M>
        consteval bool require_mask()
        {
            static_assert(
                mask_expression<M>,
                "xmask: a mask is expected here. A boolean or numeric tensor does not say what true means: write "
                "xmask::keep_where(b) if true means keep, xmask::drop_where(b) if true means drop."
            );
            return mask_expression<M>;
        }

        /// The same where a mask or real-valued weights may stand.
        template <class M>
        consteval bool require_mask_or_weights()
        {
            static_assert(
                mask_expression<M> || weight_expression<M>,
                "xmask: a mask, or a tensor of real weights, is expected here. A boolean tensor does not say what true "
                "means: write xmask::keep_where(b) if true means keep, xmask::drop_where(b) if true means drop."
            );
            return mask_expression<M> || weight_expression<M>;
        }

        /// Fails to compile, with one sentence, where a plain number or container stands in a tensor's place.
        template <class E>
        consteval bool require_tensor()
        {
            static_assert(
                expression<E> && !mask_expression<E>,
                "xmask: the tensor comes first, the mask second; the first argument here is not a tensor."
            );
            return expression<E> && !mask_expression<E>;
        }

        /// What gives a mask's cursors: what its rule makes for one operation, or the rule itself.
        template <class Rule>
        decltype(auto) rule_rows(const Rule& rule)
        {
            if constexpr (requires { rule.rows(); })
            {
                return rule.rows();
            }
            else
            {
                return (rule);
            }
        }

        /// One column of a row, by the cheapest way the cursor has.
        template <row_cursor C>
        bool kept(const C& cursor, std::size_t c)
        {
            if constexpr (requires { { cursor.kept(c) } -> std::same_as<bool>; })
            {
                return cursor.kept(c);
            }
            else
            {
                return (cursor.word(c) & 1) != 0;
            }
        }

        /// Walks a mask element by element in any order, as xtensor's general assignment does.
        template <class M>
        class mask_stepper
        {
        public:

            using value_type = bool;
            using reference = bool;
            using pointer = const bool*;
            using size_type = std::size_t;
            using difference_type = std::ptrdiff_t;

            mask_stepper() = default;

            mask_stepper(const M* mask, size_type offset)
                : m_mask(mask)
                , m_offset(offset)
                , m_strides(mask->dimension())
            {
                difference_type stride = 1;
                for (size_type axis = m_strides.size(); axis-- > 0;)
                {
                    const auto extent = static_cast<difference_type>(mask->shape()[axis]);
                    m_strides[axis] = extent == 1 ? 0 : stride;
                    stride *= extent;
                }
            }

            reference operator*() const
            {
                return m_mask->data_element(static_cast<size_type>(m_flat));
            }

            void step(size_type axis, size_type n = 1)
            {
                if (axis >= m_offset)
                {
                    m_flat += m_strides[axis - m_offset] * static_cast<difference_type>(n);
                }
            }

            void step_back(size_type axis, size_type n = 1)
            {
                if (axis >= m_offset)
                {
                    m_flat -= m_strides[axis - m_offset] * static_cast<difference_type>(n);
                }
            }

            void reset(size_type axis)
            {
                if (axis >= m_offset)
                {
                    m_flat -= m_strides[axis - m_offset] * (extent(axis - m_offset) - 1);
                }
            }

            void reset_back(size_type axis)
            {
                if (axis >= m_offset)
                {
                    m_flat += m_strides[axis - m_offset] * (extent(axis - m_offset) - 1);
                }
            }

            void to_begin()
            {
                m_flat = 0;
            }

            void to_end(xt::layout_type l)
            {
                m_flat = 0;
                for (size_type axis = 0; axis < m_strides.size(); ++axis)
                {
                    m_flat += m_strides[axis] * (extent(axis) - 1);
                }
                if (m_strides.size() != 0)
                {
                    m_flat += l == xt::layout_type::row_major ? m_strides.back() : m_strides.front();
                }
            }

        private:

            difference_type extent(size_type axis) const
            {
                return static_cast<difference_type>(m_mask->shape()[axis]);
            }

            const M* m_mask = nullptr;
            size_type m_offset = 0;
            xt::svector<difference_type, 4> m_strides;
            difference_type m_flat = 0;
        };
    }
}

template <xmask::mask_rule Rule>
struct xt::xiterable_inner_types<xmask::mask<Rule>>
{
    using inner_shape_type = typename Rule::shape_type;
    using const_stepper = xmask::detail::mask_stepper<xmask::mask<Rule>>;
    using stepper = const_stepper;
};

template <xmask::mask_rule Rule>
struct xt::xcontainer_inner_types<xmask::mask<Rule>>
{
    using reference = bool;
    using const_reference = bool;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI
{
    /// Says which elements of a tensor count: true means keep. A lazy xtensor expression of bool.
    ///
    /// Made by the builders (keep_lengths, drop_indices, keep_above, ...) and by combining masks with && || ! ^. A
    /// rule of your own becomes one by `xmask::mask(my_rule)`.
    ///
    ///     auto m = xmask::keep_lengths(lengths, 512) && xmask::drop_tokens(tokens, {0});
    ///     xt::xarray<bool> b = m;             // the words are unpacked once, row by row
    ///     std::size_t kept = xmask::count_kept(m);
    template <mask_rule Rule>
    class mask : public detail::lazy<mask<Rule>, bool>
    {
        using base = detail::lazy<mask<Rule>, bool>;

    public:

        using rule_type = Rule;
        using typename base::const_stepper;
        using typename base::inner_shape_type;
        using typename base::size_type;

        explicit mask(Rule rule) noexcept(std::is_nothrow_move_constructible_v<Rule>)
            : m_rule(std::move(rule))
        {
        }

        /// Stores another mask, where the rule stores (bitmask b = m).
        template <mask_expression M>
            requires(!std::same_as<std::remove_cvref_t<M>, mask> && std::constructible_from<Rule, const std::remove_cvref_t<M>&>)
        mask(const M& other)
            : m_rule(other)
        {
        }

        using base::shape;

        const inner_shape_type& shape() const noexcept
        {
            return m_rule.shape();
        }

        /// How this mask answers.
        const Rule& rule() const noexcept
        {
            return m_rule;
        }

        /// The cursor of one row: word(c) and extent().
        auto row(std::size_t r) const
        {
            return detail::rule_rows(m_rule).row(r);
        }

        template <class It>
        bool element(It first, It last) const
        {
            const auto& extents = shape();
            auto given = static_cast<std::size_t>(last - first);
            for (; given > extents.size(); --given)
            {
                ++first;
            }
            std::size_t r = 0;
            std::size_t c = 0;
            for (std::size_t axis = extents.size() - given; axis < extents.size(); ++axis, ++first)
            {
                const auto extent = static_cast<std::size_t>(extents[axis]);
                const auto i = extent == 1 ? 0 : static_cast<std::size_t>(*first);
                if (axis + 1 == extents.size())
                {
                    c = i;
                }
                else
                {
                    r = r * extent + i;
                }
            }
            return detail::kept(row(r), c);
        }

        bool data_element(size_type i) const
        {
            const std::size_t n = detail::columns_of(shape());
            return detail::kept(row(i / n), i % n);
        }

        template <class S>
        bool has_linear_assign(const S& strides) const noexcept
        {
            return detail::is_row_major(shape(), strides);
        }

        template <class S>
        const_stepper stepper_begin(const S& walked) const noexcept
        {
            return const_stepper(this, walked.size() - this->dimension());
        }

        template <class S>
        const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept
        {
            auto result = stepper_begin(walked);
            result.to_end(l);
            return result;
        }

    private:

        Rule m_rule;
    };

    template <mask_rule Rule>
    mask(Rule) -> mask<Rule>;
}

// ==== xmask/core/row.hpp ====

#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

// ==== xmask/core/simd.hpp ====

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <xsimd/xsimd.hpp>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define XMASK_X86 1
#else
#define XMASK_X86 0
#endif

/// @file
/// The only file that names xsimd: registers of lanes, and the ways between their masks and the bits of a word.

namespace xmask::inline XMASK_ABI::detail
{
    /// The type whose lanes carry elements of type T: bool travels as a byte.
    template <class T>
    using lane_t = std::conditional_t<std::is_same_v<T, bool>, unsigned char, T>;

    /// Whether the processor has registers of T. Other types (complex, long double) take scalar loops.
    template <class T>
    inline constexpr bool has_lanes = xsimd::has_simd_register<lane_t<T>, xsimd::default_arch>::value;

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

    /// The lowest lane_count<T> bits of `bits`, one a lane; higher bits are ignored.
    template <class T>
    inline lane_mask<T> mask_from_bits(word_t bits) noexcept
    {
        using batch = lanes<T>;
        [[maybe_unused]] constexpr std::size_t n = lane_count<T>;
#if defined(__AVX512F__)
        if constexpr (register_bytes<T> == 64)
        {
            return lane_mask<T>(static_cast<typename lane_mask<T>::register_type>(bits));
        }
        else
#endif
            if constexpr (n <= 8 * sizeof(lane_t<T>))
        {
            // Lane i keeps bit i of the word and compares it: three instructions, no table.
            using bits_t = xsimd::as_unsigned_integer_t<lane_t<T>>;
            static constexpr auto bit_of_lane = [] {
                std::array<bits_t, n> bit{};
                for (std::size_t lane = 0; lane < n; ++lane)
                {
                    bit[lane] = static_cast<bits_t>(word_t(1) << lane);
                }
                return bit;
            }();
            const auto bit = xsimd::batch<bits_t>::load_unaligned(bit_of_lane.data());
            const auto chosen = (xsimd::batch<bits_t>(static_cast<bits_t>(bits)) & bit) == bit;
            return xsimd::batch_bool_cast<lane_t<T>>(chosen);
        }
        else
        {
            return batch::batch_bool_type::from_mask(bits & first_bits(n));
        }
    }

    /// One bit for each lane, lane 0 lowest.
    template <class M>
    inline word_t bits_from_mask(const M& mask) noexcept
    {
        return static_cast<word_t>(mask.mask());
    }

    template <class T>
    inline lanes<T> load_lanes(const T* from) noexcept
    {
        return lanes<T>::load_unaligned(reinterpret_cast<const lane_t<T>*>(from));
    }

    template <class T>
    inline void store_lanes(T* to, const lanes<T>& value) noexcept
    {
        value.store_unaligned(reinterpret_cast<lane_t<T>*>(to));
    }

    /// The first `count` elements (fewer than a register holds), 0 in the other lanes; reads nothing past them.
    template <class T>
    inline lanes<T> load_first_lanes(const T* from, std::size_t count) noexcept
    {
#if defined(__AVX512F__)
        if constexpr (register_bytes<T> == 64 && sizeof(T) >= 4)
        {
            const auto bits = first_bits(count);
            if constexpr (std::is_same_v<T, float>)
            {
                return lanes<T>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(bits), from));
            }
            else if constexpr (std::is_same_v<T, double>)
            {
                return lanes<T>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(bits), from));
            }
            else if constexpr (sizeof(T) == 4)
            {
                return lanes<T>(_mm512_maskz_loadu_epi32(static_cast<__mmask16>(bits), from));
            }
            else
            {
                return lanes<T>(_mm512_maskz_loadu_epi64(static_cast<__mmask8>(bits), from));
            }
        }
        else
#endif
        {
            std::array<lane_t<T>, lane_count<T>> buffer{};
            for (std::size_t k = 0; k < count; ++k)
            {
                buffer[k] = static_cast<lane_t<T>>(from[k]);
            }
            return lanes<T>::load_unaligned(buffer.data());
        }
    }

    /// Writes the first `count` lanes and nothing past them.
    template <class T>
    inline void store_first_lanes(T* to, const lanes<T>& value, std::size_t count) noexcept
    {
#if defined(__AVX512F__)
        if constexpr (register_bytes<T> == 64 && sizeof(T) >= 4)
        {
            const auto bits = first_bits(count);
            if constexpr (std::is_same_v<T, float>)
            {
                _mm512_mask_storeu_ps(to, static_cast<__mmask16>(bits), value);
            }
            else if constexpr (std::is_same_v<T, double>)
            {
                _mm512_mask_storeu_pd(to, static_cast<__mmask8>(bits), value);
            }
            else if constexpr (sizeof(T) == 4)
            {
                _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(bits), value);
            }
            else
            {
                _mm512_mask_storeu_epi64(to, static_cast<__mmask8>(bits), value);
            }
        }
        else
#endif
        {
            std::array<lane_t<T>, lane_count<T>> buffer;
            value.store_unaligned(buffer.data());
            for (std::size_t k = 0; k < count; ++k)
            {
                to[k] = static_cast<T>(buffer[k]);
            }
        }
    }

    /// Writes past the caches where the processor can; `to` is aligned to register_bytes<T>.
    template <class T>
    inline void store_streaming(T* to, const lanes<T>& value) noexcept
    {
#if XMASK_X86
        // Moving the bits through an integer register type costs nothing: it is the same register.
#if defined(__AVX512F__)
        if constexpr (register_bytes<T> == 64)
        {
            _mm512_stream_si512(reinterpret_cast<__m512i*>(to), __builtin_bit_cast(__m512i, value.data));
        }
        else
#endif
#if defined(__AVX__)
            if constexpr (register_bytes<T> == 32)
        {
            _mm256_stream_si256(reinterpret_cast<__m256i*>(to), __builtin_bit_cast(__m256i, value.data));
        }
        else
#endif
        {
            static_assert(register_bytes<T> == 16);
            _mm_stream_si128(reinterpret_cast<__m128i*>(to), __builtin_bit_cast(__m128i, value.data));
        }
#else
        store_lanes(to, value);
#endif
    }

    /// Makes streamed stores visible before anything that follows.
    inline void finish_streaming() noexcept
    {
#if XMASK_X86
        _mm_sfence();
#endif
    }

    /// The two halves of a register of floats, each float exactly as a double.
    inline std::array<lanes<double>, 2> widen(const lanes<float>& x) noexcept
    {
#if defined(__AVX512F__)
        return {
            lanes<double>(_mm512_cvtps_pd(_mm512_castps512_ps256(x))),
            lanes<double>(_mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)))),
        };
#elif defined(__AVX__)
        return {
            lanes<double>(_mm256_cvtps_pd(_mm256_castps256_ps128(x))),
            lanes<double>(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))),
        };
#else
        std::array<float, lane_count<float>> buffer;
        x.store_unaligned(buffer.data());
        std::array<double, lane_count<float>> wide;
        for (std::size_t k = 0; k < lane_count<float>; ++k)
        {
            wide[k] = static_cast<double>(buffer[k]);
        }
        return {
            lanes<double>::load_unaligned(wide.data()),
            lanes<double>::load_unaligned(wide.data() + lane_count<double>),
        };
#endif
    }
}

/// @file
/// Operands, read row by row: any expression, of any layout, broadcast to the shape that is walked.
///
/// Rows are made once per operation for an expression and a shape; row(r) gives one of them. For each block of at most
/// 64 columns, prepare(c, count, bits) comes first; then at(c) gives one element and load(c) a register of them. Rows
/// over contiguous memory point into it; a lazy function of such rows is computed in registers; what is neither (a
/// column-major view, a generator, a mix of types) goes through a buffer of 64 elements.

namespace xmask::inline XMASK_ABI::detail
{
    /// Room for 64 elements, uninitialized; a copy of it copies nothing, so that rows are cheap to move.
    template <class T>
    struct block_buffer
    {
        block_buffer() noexcept
        {
        }

        block_buffer(const block_buffer&) noexcept
        {
        }

        block_buffer& operator=(const block_buffer&) noexcept
        {
            return *this;
        }

        T& operator[](std::size_t k) noexcept
        {
            return values[k];
        }

        const T& operator[](std::size_t k) const noexcept
        {
            return values[k];
        }

        T values[word_columns];
    };

    /// One row of elements in memory, `stride` apart. Unit strides are read in place, others are gathered.
    template <class T>
    class memory_row
    {
    public:

        using value_type = T;
        static constexpr bool in_registers = has_lanes<T>;

        memory_row(const T* row, std::ptrdiff_t stride) noexcept
            : m_row(row)
            , m_stride(stride)
        {
        }

        void prepare(std::size_t c, std::size_t count, word_t /*bits*/) noexcept
        {
            if (m_stride != 1)
            {
                gather(c, count);
            }
        }

        T at(std::size_t c) const noexcept
        {
            return *address(c);
        }

        lanes<T> load(std::size_t c) const noexcept
            requires in_registers
        {
            return detail::load_lanes(address(c));
        }

        lanes<T> load_first(std::size_t c, std::size_t count) const noexcept
            requires in_registers
        {
            return detail::load_first_lanes(address(c), count);
        }

    private:

        const T* address(std::size_t c) const noexcept
        {
            return m_stride == 1 ? m_row + c : m_buffer.values + (c - m_begin);
        }

        void gather(std::size_t c, std::size_t count) noexcept
        {
            const T* from = m_row + static_cast<std::ptrdiff_t>(c) * m_stride;
            for (std::size_t k = 0; k < count; ++k)
            {
                m_buffer[k] = from[static_cast<std::ptrdiff_t>(k) * m_stride];
            }
            m_begin = c;
        }

        const T* m_row;
        std::ptrdiff_t m_stride;
        std::size_t m_begin = 0;
        block_buffer<T> m_buffer;
    };

    template <class T>
    class memory_rows
    {
    public:

        template <class E, class S>
        memory_rows(const E& e, const S& shape)
            : m_data(e.data() + e.data_offset())
            , m_offsets(shape, e.shape(), e.strides())
            , m_stride(last_stride(e, columns_of(shape)))
        {
        }

        memory_row<T> row(std::size_t r) const noexcept
        {
            return {m_data + m_offsets(r), m_stride};
        }

    private:

        template <class E>
        static std::ptrdiff_t last_stride(const E& e, std::size_t n)
        {
            if (n == 1)
            {
                return 1;
            }
            return columns_of(e.shape()) == 1 ? 0 : static_cast<std::ptrdiff_t>(e.strides()[e.dimension() - 1]);
        }

        const T* m_data;
        row_offsets m_offsets;
        std::ptrdiff_t m_stride;
    };

    /// One value for every column of every row.
    template <class T>
    class scalar_row
    {
    public:

        using value_type = T;
        static constexpr bool in_registers = has_lanes<T>;

        explicit scalar_row(const T& value) noexcept
            : m_value(value)
        {
        }

        const scalar_row& row(std::size_t /*r*/) const noexcept
        {
            return *this;
        }

        void prepare(std::size_t /*c*/, std::size_t /*count*/, word_t /*bits*/) noexcept
        {
        }

        T at(std::size_t /*c*/) const noexcept
        {
            return m_value;
        }

        lanes<T> load(std::size_t /*c*/) const noexcept
            requires in_registers
        {
            return lanes<T>(static_cast<lane_t<T>>(m_value));
        }

        lanes<T> load_first(std::size_t c, std::size_t /*count*/) const noexcept
            requires in_registers
        {
            return load(c);
        }

    private:

        T m_value;
    };

    /// One row of any expression, element by element through its stepper, and only where something is kept.
    template <class E>
    class stepped_row
    {
    public:

        using value_type = value_type_t<E>;
        static constexpr bool in_registers = false;

        stepped_row(typename E::const_stepper stepper, std::size_t last_axis)
            : m_stepper(stepper)
            , m_last_axis(last_axis)
        {
        }

        void prepare(std::size_t c, std::size_t count, word_t bits)
        {
            m_begin = c;
            for (bits &= first_bits(count); bits != 0; bits &= bits - 1)
            {
                const std::size_t k = lowest_bit(bits);
                move_to(c + k);
                m_buffer[k] = *m_stepper;
            }
        }

        value_type at(std::size_t c) const noexcept
        {
            return m_buffer[c - m_begin];
        }

    private:

        void move_to(std::size_t c)
        {
            if (c > m_column)
            {
                m_stepper.step(m_last_axis, c - m_column);
            }
            else if (c < m_column)
            {
                m_stepper.step_back(m_last_axis, m_column - c);
            }
            m_column = c;
        }

        typename E::const_stepper m_stepper;
        std::size_t m_last_axis;
        std::size_t m_column = 0;
        std::size_t m_begin = 0;
        block_buffer<value_type> m_buffer;
    };

    /// Moves a stepper over `shape` from its beginning to the start of row r.
    template <class Stepper, class S>
    void step_to_row(Stepper& stepper, const S& shape, std::size_t r)
    {
        for (std::size_t axis = shape.size(); axis-- > 1;)
        {
            const auto extent = static_cast<std::size_t>(shape[axis - 1]);
            if (r % extent != 0)
            {
                stepper.step(axis - 1, r % extent);
            }
            r /= extent;
        }
    }

    template <class E, class S>
    class stepped_rows
    {
    public:

        stepped_rows(const E& e, const S& shape)
            : m_expression(&e)
            , m_shape(shape)
        {
        }

        stepped_row<E> row(std::size_t r) const
        {
            auto stepper = m_expression->stepper_begin(m_shape);
            step_to_row(stepper, m_shape, r);
            return {stepper, m_shape.size() - 1};
        }

    private:

        const E* m_expression;
        S m_shape;
    };

    /// Whether a functor of xtensor works on registers of T and gives one back.
    template <class F, class T, class... Args>
    concept register_function = has_lanes<T> && std::is_floating_point_v<T> && requires(const F& f, const lanes<T>& x) {
        requires(std::same_as<Args, T> && ...);
        { f.simd_apply((static_cast<void>(sizeof(Args)), x)...) } -> std::same_as<lanes<T>>;
    };

    /// A lazy function of other rows. Where all of them have one real type and the function takes registers, it is
    /// computed in registers; otherwise element by element.
    template <class F, class... Row>
    class function_row
    {
    public:

        using value_type = std::decay_t<decltype(std::declval<const F&>()(std::declval<typename Row::value_type>()...))>;
        static constexpr bool in_registers = (Row::in_registers && ...)
                                             && register_function<F, value_type, typename Row::value_type...>;

        function_row(const F& f, std::tuple<Row...> rows)
            : m_function(f)
            , m_rows(std::move(rows))
        {
        }

        void prepare(std::size_t c, std::size_t count, word_t bits)
        {
            std::apply([&](auto&... row) { (row.prepare(c, count, bits), ...); }, m_rows);
        }

        value_type at(std::size_t c) const
        {
            return std::apply([&](const auto&... row) { return m_function(row.at(c)...); }, m_rows);
        }

        auto load(std::size_t c) const
            requires in_registers
        {
            return std::apply([&](const auto&... row) { return m_function.simd_apply(row.load(c)...); }, m_rows);
        }

        auto load_first(std::size_t c, std::size_t count) const
            requires in_registers
        {
            return std::apply(
                [&](const auto&... row) { return m_function.simd_apply(row.load_first(c, count)...); }, m_rows
            );
        }

    private:

        F m_function;
        std::tuple<Row...> m_rows;
    };

    /// The type of one row of Rows.
    template <class Rows>
    using row_t = std::decay_t<decltype(std::declval<const Rows&>().row(0))>;

    template <class F, class... Rows>
    class function_rows
    {
    public:

        function_rows(const F& f, Rows... rows)
            : m_function(f)
            , m_rows(std::move(rows)...)
        {
        }

        auto row(std::size_t r) const
        {
            return std::apply(
                [&](const auto&... rows) {
                    return function_row<F, row_t<Rows>...>(m_function, std::tuple<row_t<Rows>...>(rows.row(r)...));
                },
                m_rows
            );
        }

    private:

        F m_function;
        std::tuple<Rows...> m_rows;
    };

    /// Brings any row to the type T and into registers, by way of 64 elements at a time.
    template <class Row, class T>
    class buffered_row
    {
    public:

        using value_type = T;
        static constexpr bool in_registers = has_lanes<T>;

        explicit buffered_row(Row row)
            : m_row(std::move(row))
        {
        }

        void prepare(std::size_t c, std::size_t count, word_t bits)
        {
            m_row.prepare(c, count, bits);
            m_begin = c;
            if (count == word_columns && bits == ~word_t(0))
            {
                for (std::size_t k = 0; k < word_columns; ++k)
                {
                    m_buffer[k] = static_cast<T>(m_row.at(c + k));
                }
                return;
            }
            // What is dropped is not computed: it could trap (an integer division) or call the user's function.
            for (std::size_t k = 0; k < count; ++k)
            {
                m_buffer[k] = (bits >> k & 1) != 0 ? static_cast<T>(m_row.at(c + k)) : T();
            }
        }

        T at(std::size_t c) const noexcept
        {
            return m_buffer[c - m_begin];
        }

        lanes<T> load(std::size_t c) const noexcept
            requires in_registers
        {
            return detail::load_lanes(m_buffer.values + (c - m_begin));
        }

        lanes<T> load_first(std::size_t c, std::size_t count) const noexcept
            requires in_registers
        {
            return detail::load_first_lanes(m_buffer.values + (c - m_begin), count);
        }

    private:

        Row m_row;
        std::size_t m_begin = 0;
        block_buffer<T> m_buffer;
    };

    template <class Rows, class T>
    class buffered_rows
    {
    public:

        explicit buffered_rows(Rows rows)
            : m_rows(std::move(rows))
        {
        }

        buffered_row<row_t<Rows>, T> row(std::size_t r) const
        {
            return buffered_row<row_t<Rows>, T>(m_rows.row(r));
        }

    private:

        Rows m_rows;
    };

    template <class E, class S>
    auto make_rows(const E& e, const S& shape);

    /// Chooses the rows of an expression by its kind; specialized for the library's own lazy results in applied.hpp.
    template <class E>
    struct row_maker
    {
        template <class S>
        static auto make(const E& e, const S& shape)
        {
            if constexpr (has_memory<E>)
            {
                return memory_rows<std::remove_cv_t<value_type_t<E>>>(e, shape);
            }
            else
            {
                return stepped_rows<E, S>(e, shape);
            }
        }
    };

    template <class CT>
    struct row_maker<xt::xscalar<CT>>
    {
        template <class S>
        static auto make(const xt::xscalar<CT>& e, const S& /*shape*/)
        {
            return scalar_row<std::remove_cv_t<value_type_t<xt::xscalar<CT>>>>(e.expression());
        }
    };

    template <class F, class... CT>
    struct row_maker<xt::xfunction<F, CT...>>
    {
        template <class S>
        static auto make(const xt::xfunction<F, CT...>& e, const S& shape)
        {
            using functor = typename xt::xfunction<F, CT...>::functor_type;
            return std::apply(
                [&](const auto&... argument) {
                    return function_rows<functor, decltype(make_rows(argument, shape))...>(
                        e.functor(), make_rows(argument, shape)...
                    );
                },
                e.arguments()
            );
        }
    };

    template <class E, class S>
    auto make_rows(const E& e, const S& shape)
    {
        return row_maker<E>::make(e, shape);
    }

    /// The rows of an expression as an operation reads them: elements of type T, in registers where T has them.
    template <class T, class E, class S>
    auto make_operand(const E& e, const S& shape)
    {
        using rows = decltype(make_rows(e, shape));
        using row = row_t<rows>;
        if constexpr (row::in_registers && std::same_as<typename row::value_type, T>)
        {
            return make_rows(e, shape);
        }
        else
        {
            return buffered_rows<rows, T>(make_rows(e, shape));
        }
    }
}

// ==== xmask/core/writer.hpp ====

#include <cstddef>
#include <cstdint>
#include <type_traits>

/// @file
/// Results, written row by row into any assignable expression.

namespace xmask::inline XMASK_ABI::detail
{
    /// Gives the container `to` the shape, or throws std::invalid_argument where it can't take it.
    template <class E, class S>
    void resize_or_check(const char* function, const char* what, E& to, const S& shape)
    {
        if constexpr (requires { to.resize(shape); })
        {
            if (!same_shape(to.shape(), shape))
            {
                to.resize(shape);
            }
        }
        if (!same_shape(to.shape(), shape)) [[unlikely]]
        {
            throw_invalid(
                function, what, " has the fixed shape ", tuple_text(to.shape()), "; expected ", tuple_text(shape)
            );
        }
    }

    /// Rows of a destination in memory. Where they are contiguous and of type T, blocks are written in place;
    /// otherwise 64 elements are collected, then scattered and converted.
    template <class T, class E, bool InMemory = has_memory<E>>
    class row_writer
    {
        using element = std::remove_cv_t<value_type_t<E>>;
        static constexpr bool same_type = std::is_same_v<element, T>;

    public:

        explicit row_writer(E& to)
            : m_data(to.data() + to.data_offset())
            , m_offsets(to.shape(), to.shape(), to.strides())
            , m_stride(columns_of(to.shape()) == 1 ? 1 : static_cast<std::ptrdiff_t>(to.strides()[to.dimension() - 1]))
        {
        }

        void seek(std::size_t r) noexcept
        {
            m_row = m_data + m_offsets(r);
        }

        /// Whether blocks are the destination's own memory.
        [[nodiscard]] bool in_place() const noexcept
        {
            return same_type && m_stride == 1;
        }

        /// Where columns [c, c + 64) are to be written; they arrive with commit().
        T* block(std::size_t c) noexcept
        {
            if constexpr (same_type)
            {
                if (m_stride == 1)
                {
                    return m_row + c;
                }
            }
            return m_buffer.values;
        }

        void commit(std::size_t c, std::size_t count) noexcept
        {
            if (in_place())
            {
                return;
            }
            element* to = m_row + static_cast<std::ptrdiff_t>(c) * m_stride;
            for (std::size_t k = 0; k < count; ++k)
            {
                to[static_cast<std::ptrdiff_t>(k) * m_stride] = static_cast<element>(m_buffer[k]);
            }
        }

        /// Writes `value` to column c + k for each set bit k.
        void write(std::size_t c, word_t bits, const T& value) noexcept
        {
            for (; bits != 0; bits &= bits - 1)
            {
                m_row[static_cast<std::ptrdiff_t>(c + lowest_bit(bits)) * m_stride] = static_cast<element>(value);
            }
        }

    private:

        element* m_data;
        element* m_row = nullptr;
        row_offsets m_offsets;
        std::ptrdiff_t m_stride;
        block_buffer<T> m_buffer;
    };

    /// Rows of any other destination, by its stepper.
    template <class T, class E>
    class row_writer<T, E, false>
    {
    public:

        explicit row_writer(E& to)
            : m_to(&to)
        {
        }

        void seek(std::size_t r) noexcept
        {
            m_number = r;
        }

        [[nodiscard]] bool in_place() const noexcept
        {
            return false;
        }

        T* block(std::size_t /*c*/) noexcept
        {
            return m_buffer.values;
        }

        void commit(std::size_t c, std::size_t count)
        {
            for (std::size_t k = 0; k < count; ++k)
            {
                *at(c + k) = static_cast<value_type_t<E>>(m_buffer[k]);
            }
        }

        void write(std::size_t c, word_t bits, const T& value)
        {
            for (; bits != 0; bits &= bits - 1)
            {
                *at(c + lowest_bit(bits)) = static_cast<value_type_t<E>>(value);
            }
        }

    private:

        auto at(std::size_t c) const
        {
            const auto& shape = m_to->shape();
            auto stepper = m_to->stepper_begin(shape);
            step_to_row(stepper, shape, m_number);
            if (c != 0)
            {
                stepper.step(shape.size() - 1, c);
            }
            return stepper;
        }

        E* m_to;
        std::size_t m_number = 0;
        block_buffer<T> m_buffer;
    };
}

/// @file
/// A tensor with a mask applied: a lazy expression that assigns itself row by row, 64 columns at a time.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// From how many bytes on a result is written past the caches: well beyond a core's share of them, reading
        /// the lines that a store would otherwise fetch costs half as much again.
        inline constexpr std::size_t streaming_bytes = std::size_t(32) << 20;

        /// Bytes of a cache line; stores that do not straddle two are faster.
        inline constexpr std::size_t line_bytes = 64;

        /// Columns up to the first one that starts a cache line; 0 where none does.
        template <class T>
        std::size_t columns_to_line(const T* row) noexcept
        {
            const auto past = reinterpret_cast<std::uintptr_t>(row) % line_bytes;
            return past % sizeof(T) != 0 ? 0 : (line_bytes - past) % line_bytes / sizeof(T);
        }

        /// Whether stores of T to this address may stream.
        template <class T>
        bool can_stream(const T* row) noexcept
        {
            if constexpr (has_lanes<T>)
            {
                return reinterpret_cast<std::uintptr_t>(row) % sizeof(T) == 0;
            }
            else
            {
                return false;
            }
        }

        template <bool Streaming, class T>
        void store_as(T* to, const lanes<T>& value) noexcept
        {
            if constexpr (Streaming)
            {
                store_streaming(to, value);
            }
            else
            {
                store_lanes(to, value);
            }
        }

        /// Writes `value` to [first, last). With Streaming, all but the ends goes past the caches.
        template <bool Streaming = false, class T>
        void fill_columns(T* first, T* last, const T& value) noexcept
        {
            if constexpr (has_lanes<T>)
            {
                constexpr auto n = static_cast<std::ptrdiff_t>(lane_count<T>);
                const auto wide = lanes<T>(static_cast<lane_t<T>>(value));
                if constexpr (Streaming)
                {
                    const auto head = static_cast<std::ptrdiff_t>(columns_to_line(first));
                    for (const T* stop = first + std::min(head, last - first); first != stop; ++first)
                    {
                        *first = value;
                    }
                }
                for (; last - first >= n; first += n)
                {
                    store_as<Streaming>(first, wide);
                }
            }
            for (; first != last; ++first)
            {
                *first = value;
            }
        }

        /// Calls f(offset, full) for each register of a block of `count` columns; the last one may be partial.
        template <class T, class F>
        void for_each_register(std::size_t count, F&& f)
        {
            constexpr std::size_t n = lane_count<T>;
            std::size_t k = 0;
            for (; k + n <= count; k += n)
            {
                f(k, std::true_type());
            }
            if (k < count)
            {
                f(k, std::false_type());
            }
        }

        template <bool Full, class Row>
        auto load_register(const Row& row, std::size_t c, std::size_t count)
        {
            if constexpr (Full)
            {
                return row.load(c);
            }
            else
            {
                return row.load_first(c, count);
            }
        }

        template <bool Full, bool Streaming, class T>
        void store_register(T* to, const lanes<T>& value, std::size_t count)
        {
            if constexpr (Full)
            {
                store_as<Streaming>(to, value);
            }
            else
            {
                store_first_lanes(to, value, count);
            }
        }

        /// Writes one row in place. Blocks start at cache lines, and what lies outside of the extent is only filled.
        template <bool Streaming, class From, class T>
        void write_row(From&& from, T* row, std::size_t n)
        {
            const column_range kept = from.extent();
            // A short row has nothing to gain from an extra block that brings it to a cache line.
            const std::size_t head = Streaming || n >= 4 * word_columns ? std::min(columns_to_line(row), n) : 0;
            std::size_t c = 0;
            if (kept.begin > head)
            {
                c = head + (kept.begin - head) / word_columns * word_columns;
                fill_columns<Streaming>(row, row + c, from.outside());
            }
            else if (head > 0)
            {
                from.template block<false>(row, 0, head);
                c = head;
            }
            for (; c < kept.end && c + word_columns <= n; c += word_columns)
            {
                from.template block<Streaming>(row + c, c, word_columns);
            }
            if (c < kept.end)
            {
                from.template block<false>(row + c, c, n - c);
                return;
            }
            fill_columns<Streaming>(row + c, row + n, from.outside());
        }

        /// Writes one row through the writer's buffer.
        template <class From, class Writer>
        void write_row_buffered(From&& from, Writer& writer, std::size_t n)
        {
            for (std::size_t c = 0; c < n; c += word_columns)
            {
                const std::size_t count = std::min(word_columns, n - c);
                from.template block<false>(writer.block(c), c, count);
                writer.commit(c, count);
            }
        }

        /// Writes every row of a lazy result to `to`, which has its shape.
        template <class T, class Rows, class E>
        void write_rows(const Rows& rows, E& to)
        {
            const std::size_t row_count = rows_of(to.shape());
            const std::size_t n = columns_of(to.shape());
            if (row_count == 0 || n == 0)
            {
                return;
            }
            row_writer<T, E> writer(to);
            writer.seek(0);
            const bool in_place = writer.in_place();
            const bool streaming = in_place && row_count * n * sizeof(T) >= streaming_bytes
                                   && can_stream(writer.block(0));
            for (std::size_t r = 0; r < row_count; ++r)
            {
                writer.seek(r);
                if (!in_place)
                {
                    write_row_buffered(rows.row(r), writer, n);
                }
                else if (streaming)
                {
                    if constexpr (has_lanes<T>)
                    {
                        write_row<true>(rows.row(r), writer.block(0), n);
                    }
                }
                else
                {
                    write_row<false>(rows.row(r), writer.block(0), n);
                }
            }
            if (streaming)
            {
                finish_streaming();
            }
        }

        /// Whether every leaf of an expression holds elements of type T, so that xtensor's load_simd gives what it
        /// should (xtensor#2025).
        template <class E, class T>
        struct leaves_are : std::is_same<value_type_t<E>, T>
        {
        };

        template <class F, class... CT, class T>
        struct leaves_are<xt::xfunction<F, CT...>, T>
            : std::bool_constant<
                  std::is_same_v<value_type_t<xt::xfunction<F, CT...>>, T> && (leaves_are<std::decay_t<CT>, T>::value && ...)>
        {
        };

        /// Whether an expression can be read by flat index.
        template <class E>
        struct has_flat_access : std::bool_constant<requires(const E& e) { e.data_element(std::size_t(0)); }>
        {
        };

        template <class F, class... CT>
        struct has_flat_access<xt::xfunction<F, CT...>> : std::bool_constant<(has_flat_access<std::decay_t<CT>>::value && ...)>
        {
        };

        /// Walks an applied expression by walking its operand and its mask.
        template <class A>
        class applied_stepper
        {
        public:

            using value_type = typename A::value_type;
            using reference = value_type;
            using pointer = const value_type*;
            using size_type = std::size_t;
            using difference_type = std::ptrdiff_t;
            using operand_stepper = typename std::decay_t<decltype(std::declval<const A&>().operand())>::const_stepper;
            using gate_stepper = typename std::decay_t<decltype(std::declval<const A&>().gate())>::const_stepper;

            applied_stepper() = default;

            applied_stepper(const A* applied, operand_stepper operand, gate_stepper gate)
                : m_applied(applied)
                , m_operand(operand)
                , m_gate(gate)
            {
            }

            reference operator*() const
            {
                return m_applied->combine([this] { return *m_operand; }, *m_gate);
            }

            void step(size_type axis, size_type n = 1)
            {
                m_operand.step(axis, n);
                m_gate.step(axis, n);
            }

            void step_back(size_type axis, size_type n = 1)
            {
                m_operand.step_back(axis, n);
                m_gate.step_back(axis, n);
            }

            void reset(size_type axis)
            {
                m_operand.reset(axis);
                m_gate.reset(axis);
            }

            void reset_back(size_type axis)
            {
                m_operand.reset_back(axis);
                m_gate.reset_back(axis);
            }

            void to_begin()
            {
                m_operand.to_begin();
                m_gate.to_begin();
            }

            void to_end(xt::layout_type l)
            {
                m_operand.to_end(l);
                m_gate.to_end(l);
            }

        private:

            const A* m_applied = nullptr;
            operand_stepper m_operand;
            gate_stepper m_gate;
        };
    }

    /// A tensor with a mask (or real weights) applied, not yet computed. An ordinary lazy xtensor expression; alone
    /// on the right of an assignment it is one pass by words, inside a larger expression xtensor walks it.
    ///
    /// Op says what is done: operand(), gate(), combine(get, gate value), rows(shape), and name().
    template <class Op>
    class applied;
}

template <class Op>
struct xt::xiterable_inner_types<xmask::applied<Op>>
{
    using inner_shape_type = typename Op::shape_type;
    using const_stepper = xmask::detail::applied_stepper<Op>;
    using stepper = const_stepper;
};

template <class Op>
struct xt::xcontainer_inner_types<xmask::applied<Op>>
{
    using reference = typename Op::value_type;
    using const_reference = typename Op::value_type;
    using size_type = std::size_t;
};

namespace xmask::inline XMASK_ABI
{
    template <class Op>
    class applied : public detail::lazy<applied<Op>, typename Op::value_type>
    {
        using base = detail::lazy<applied<Op>, typename Op::value_type>;
        using operand_type = std::decay_t<decltype(std::declval<const Op&>().operand())>;

    public:

        using typename base::const_stepper;
        using typename base::inner_shape_type;
        using typename base::size_type;
        using typename base::value_type;

        explicit applied(Op op)
            : m_op(std::move(op))
        {
        }

        using base::shape;

        const inner_shape_type& shape() const noexcept
        {
            return m_op.operand().shape();
        }

        const Op& op() const noexcept
        {
            return m_op;
        }

        template <class It>
        value_type element(It first, It last) const
        {
            return m_op.combine(
                [&] { return m_op.operand().element(first, last); }, m_op.gate().element(first, last)
            );
        }

        value_type data_element(size_type i) const
        {
            if constexpr (detail::has_flat_access<operand_type>::value)
            {
                if (m_linear)
                {
                    return m_op.combine([&] { return m_op.operand().data_element(i); }, m_op.gate().data_element(i));
                }
            }
            return detail::at_flat_index(shape(), i, [&](const auto& index) {
                return element(index.begin(), index.end());
            });
        }

        template <class S>
        bool has_linear_assign(const S& strides) const noexcept
        {
            return m_linear && detail::is_row_major(shape(), strides);
        }

        template <class S>
        const_stepper stepper_begin(const S& walked) const noexcept
        {
            return {&m_op, m_op.operand().stepper_begin(walked), m_op.gate().stepper_begin(walked)};
        }

        template <class S>
        const_stepper stepper_end(const S& walked, xt::layout_type l) const noexcept
        {
            return {&m_op, m_op.operand().stepper_end(walked, l), m_op.gate().stepper_end(walked, l)};
        }

        /// The fast row walk; xtensor calls it when this expression stands alone on the right-hand side.
        template <class E>
        void assign_to(xt::xexpression<E>& to) const
        {
            auto& result = to.derived_cast();
            detail::resize_or_check(m_op.name(), "the result", result, shape());
            detail::write_rows<value_type>(m_op.rows(result.shape()), result);
        }

#if defined(XTENSOR_USE_XSIMD)
        /// One register of a larger expression that xtensor vectorizes.
        template <class Align, class Requested = value_type, std::size_t N = detail::lane_count<Requested>>
            requires(
                std::same_as<Requested, value_type> && Op::has_register_form && detail::leaves_are<operand_type, value_type>::value
                && xt::has_simd_interface<operand_type, value_type>::value
            )
        detail::lanes<Requested> load_simd(size_type i) const
        {
            const std::size_t n = detail::columns_of(shape());
            const std::size_t c = i % n;
            if (c + detail::lane_count<value_type> <= n)
            {
                return m_op.combine_register(
                    m_op.operand().template load_simd<Align, value_type>(i), m_op.gate().row(i / n).word(c)
                );
            }
            std::array<value_type, detail::lane_count<value_type>> values;
            for (std::size_t k = 0; k < values.size(); ++k)
            {
                values[k] = data_element(i + k);
            }
            return detail::load_lanes(values.data());
        }
#endif

    private:

        bool linear_operand() const
        {
            if constexpr (detail::has_flat_access<operand_type>::value)
            {
                auto strides = xt::svector<std::ptrdiff_t, 8>(shape().size());
                std::ptrdiff_t stride = 1;
                for (std::size_t axis = strides.size(); axis-- > 0;)
                {
                    strides[axis] = shape()[axis] == 1 ? 0 : stride;
                    stride *= static_cast<std::ptrdiff_t>(shape()[axis]);
                }
                return m_op.operand().has_linear_assign(strides) && m_op.gate().has_linear_assign(strides)
                       && detail::same_shape(m_op.gate().shape(), shape());
            }
            else
            {
                return false;
            }
        }

        Op m_op;
        bool m_linear = linear_operand();
    };

    namespace detail
    {
        template <class T>
        struct is_applied : std::false_type
        {
        };

        template <class Op>
        struct is_applied<applied<Op>> : std::true_type
        {
        };

        /// A row of a lazy result as the operand of another: its blocks are computed into 64 elements.
        template <class Row, class T>
        class applied_row
        {
        public:

            using value_type = T;
            static constexpr bool in_registers = has_lanes<T>;

            applied_row(Row row, bool one_column)
                : m_row(std::move(row))
                , m_one_column(one_column)
            {
            }

            void prepare(std::size_t c, std::size_t count, word_t /*bits*/)
            {
                m_begin = c;
                if (!m_one_column)
                {
                    m_row.template block<false>(m_buffer.values, c, count);
                    return;
                }
                m_row.template block<false>(m_buffer.values, 0, 1);
                std::fill_n(m_buffer.values + 1, count - 1, m_buffer[0]);
            }

            T at(std::size_t c) const noexcept
            {
                return m_buffer[c - m_begin];
            }

            lanes<T> load(std::size_t c) const noexcept
                requires in_registers
            {
                return detail::load_lanes(m_buffer.values + (c - m_begin));
            }

            lanes<T> load_first(std::size_t c, std::size_t count) const noexcept
                requires in_registers
            {
                return detail::load_first_lanes(m_buffer.values + (c - m_begin), count);
            }

        private:

            Row m_row;
            bool m_one_column;
            std::size_t m_begin = 0;
            block_buffer<T> m_buffer;
        };

        template <class Rows, class T>
        class applied_rows
        {
        public:

            template <class S, class F>
            applied_rows(Rows rows, const S& shape, const F& from)
                : m_rows(std::move(rows))
                , m_numbers(row_numbers(shape, from))
                , m_one_column(columns_of(from) == 1)
            {
            }

            applied_row<row_t<Rows>, T> row(std::size_t r) const
            {
                return {m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_one_column};
            }

        private:

            Rows m_rows;
            row_offsets m_numbers;
            bool m_one_column;
        };

        template <class Op>
        struct row_maker<applied<Op>>
        {
            template <class S>
            static auto make(const applied<Op>& e, const S& shape)
            {
                using rows = decltype(e.op().rows(e.shape()));
                return applied_rows<rows, typename Op::value_type>(e.op().rows(e.shape()), shape, e.shape());
            }
        };
    }
}

// ==== xmask/core/mask_rows.hpp ====

#include <cstddef>
#include <utility>

/// @file
/// The rows of a mask that is broadcast into a larger shape.

namespace xmask::inline XMASK_ABI::detail
{
    /// The cursor of a row whose mask may have one column that stands for all of them.
    template <row_cursor C>
    class broadcast_cursor
    {
    public:

        broadcast_cursor(C cursor, std::size_t n, bool one_column)
            : m_cursor(cursor)
            , m_columns(n)
            , m_one_column(one_column)
            , m_kept(one_column && detail::kept(m_cursor, 0))
        {
        }

        word_t word(std::size_t c) const
        {
            if (m_one_column) [[unlikely]]
            {
                return m_kept ? first_bits(m_columns - c) : 0;
            }
            return m_cursor.word(c);
        }

        bool kept(std::size_t c) const
        {
            return m_one_column ? m_kept : detail::kept(m_cursor, c);
        }

        column_range extent() const
        {
            if (m_one_column) [[unlikely]]
            {
                return {0, m_kept ? m_columns : 0};
            }
            return m_cursor.extent();
        }

    private:

        C m_cursor;
        std::size_t m_columns;
        bool m_one_column;
        bool m_kept;
    };

    /// Gives the cursor of each row of `shape`, into which the mask broadcasts.
    template <mask_expression M>
    class mask_rows
    {
        using rows = decltype(rule_rows(std::declval<const M&>().rule()));

    public:

        using cursor = broadcast_cursor<std::decay_t<decltype(std::declval<const std::decay_t<rows>&>().row(0))>>;

        template <class S>
        mask_rows(const M& mask, const S& shape)
            : m_rows(rule_rows(mask.rule()))
            , m_numbers(row_numbers(shape, mask.shape()))
            , m_columns(columns_of(shape))
            , m_one_column(columns_of(mask.shape()) == 1 && m_columns != 1)
        {
        }

        cursor row(std::size_t r) const
        {
            return cursor(m_rows.row(static_cast<std::size_t>(m_numbers(r))), m_columns, m_one_column);
        }

    private:

        rows m_rows;
        row_offsets m_numbers;
        std::size_t m_columns;
        bool m_one_column;
    };
}

/// @file
/// masked_fill and masked_fill_inplace: what is dropped becomes a value.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// One row of masked_fill: a word of ones is copied, a word of zeros filled, any other selects lanes.
        template <class T, class Row, class Cursor>
        class fill_row
        {
        public:

            fill_row(Row operand, Cursor cursor, const T& value)
                : m_operand(std::move(operand))
                , m_cursor(std::move(cursor))
                , m_value(value)
            {
            }

            [[nodiscard]] column_range extent() const
            {
                return m_cursor.extent();
            }

            [[nodiscard]] const T& outside() const noexcept
            {
                return m_value;
            }

            template <bool Streaming>
            void block(T* to, std::size_t c, std::size_t count)
            {
                const word_t all = first_bits(count);
                const word_t bits = m_cursor.word(c) & all;
                if (bits == 0)
                {
                    fill_columns<Streaming>(to, to + count, m_value);
                    return;
                }
                m_operand.prepare(c, count, bits);
                if constexpr (!has_lanes<T>)
                {
                    for (std::size_t k = 0; k < count; ++k)
                    {
                        to[k] = (bits >> k & 1) != 0 ? m_operand.at(c + k) : m_value;
                    }
                }
                else if (count == word_columns)
                {
                    bits == all ? copy<Streaming>(to, c, word_columns) : select<Streaming>(to, c, word_columns, bits);
                }
                else
                {
                    bits == all ? copy<false>(to, c, count) : select<false>(to, c, count, bits);
                }
            }

        private:

            template <bool Streaming>
            void copy(T* to, std::size_t c, std::size_t count)
            {
                for_each_register<T>(count, [&](std::size_t k, auto full) {
                    store_register<full, Streaming>(to + k, load_register<full>(m_operand, c + k, count - k), count - k);
                });
            }

            template <bool Streaming>
            void select(T* to, std::size_t c, std::size_t count, word_t bits)
            {
                const auto value = lanes<T>(static_cast<lane_t<T>>(m_value));
                for_each_register<T>(count, [&](std::size_t k, auto full) {
                    const auto x = load_register<full>(m_operand, c + k, count - k);
                    const auto y = xsimd::select(mask_from_bits<T>(bits >> k), x, value);
                    store_register<full, Streaming>(to + k, y, count - k);
                });
            }

            Row m_operand;
            Cursor m_cursor;
            T m_value;
        };

        template <class T, class Rows, class MaskRows>
        class fill_rows
        {
        public:

            fill_rows(Rows operand, MaskRows masks, const T& value)
                : m_operand(std::move(operand))
                , m_masks(std::move(masks))
                , m_value(value)
            {
            }

            auto row(std::size_t r) const
            {
                return fill_row<T, row_t<Rows>, row_t<MaskRows>>(m_operand.row(r), m_masks.row(r), m_value);
            }

        private:

            Rows m_operand;
            MaskRows m_masks;
            T m_value;
        };

        /// masked_fill as an expression.
        template <class CTX, class CTM>
        class fill_op
        {
        public:

            using operand_type = std::decay_t<CTX>;
            using mask_type = std::decay_t<CTM>;
            using value_type = std::remove_cv_t<value_type_t<operand_type>>;
            using shape_type = typename operand_type::inner_shape_type;
            static constexpr bool has_register_form = has_lanes<value_type>;

            template <class X, class M>
            fill_op(const char* name, X&& x, M&& m, const value_type& value)
                : m_operand(std::forward<X>(x))
                , m_mask(std::forward<M>(m))
                , m_value(value)
                , m_name(name)
            {
                require_broadcast(name, "a mask", m_mask.shape(), m_operand.shape());
            }

            [[nodiscard]] const char* name() const noexcept
            {
                return m_name;
            }

            [[nodiscard]] const operand_type& operand() const noexcept
            {
                return m_operand;
            }

            [[nodiscard]] const mask_type& gate() const noexcept
            {
                return m_mask;
            }

            template <class Get>
            value_type combine(Get&& get, bool kept) const
            {
                return kept ? static_cast<value_type>(get()) : m_value;
            }

            auto combine_register(const lanes<value_type>& x, word_t bits) const
                requires has_register_form
            {
                return xsimd::select(mask_from_bits<value_type>(bits), x, lanes<value_type>(static_cast<lane_t<value_type>>(m_value)));
            }

            template <class S>
            auto rows(const S& shape) const
            {
                auto operand = make_operand<value_type>(m_operand, shape);
                return fill_rows<value_type, decltype(operand), mask_rows<mask_type>>(
                    std::move(operand), mask_rows<mask_type>(m_mask, shape), m_value
                );
            }

        private:

            CTX m_operand;
            CTM m_mask;
            value_type m_value;
            const char* m_name;
        };

        template <class X, class M, class T>
        auto make_fill(const char* name, X&& x, M&& m, const T& value)
        {
            using op = fill_op<closure_t<X>, closure_t<M>>;
            return applied<op>(op(name, std::forward<X>(x), std::forward<M>(m), static_cast<typename op::value_type>(value)));
        }

        /// Writes `value` where a bit is set.
        template <class T>
        void select_dropped(T* to, std::size_t count, word_t dropped, const T& value)
        {
            if constexpr (has_lanes<T>)
            {
                const auto wide = lanes<T>(static_cast<lane_t<T>>(value));
                for_each_register<T>(count, [&](std::size_t k, auto full) {
                    const auto chosen = mask_from_bits<T>(dropped >> k);
                    if constexpr (full)
                    {
                        store_lanes(to + k, xsimd::select(chosen, wide, load_lanes(to + k)));
                    }
                    else
                    {
                        store_first_lanes(to + k, xsimd::select(chosen, wide, load_first_lanes(to + k, count - k)), count - k);
                    }
                });
            }
            else
            {
                for (std::size_t k = 0; k < count; ++k)
                {
                    to[k] = (dropped >> k & 1) != 0 ? value : to[k];
                }
            }
        }

        /// Overwrites what a row's cursor drops; what is kept is neither read nor written where a whole word is kept.
        template <class T, class C>
        void fill_dropped(T* row, std::size_t n, const C& cursor, const T& value)
        {
            const column_range kept = cursor.extent();
            fill_columns(row, row + std::min(kept.begin, n), value);
            std::size_t c = kept.begin;
            for (; c < kept.end; c += word_columns)
            {
                const std::size_t count = std::min(word_columns, n - c);
                const word_t dropped = ~cursor.word(c) & first_bits(count);
                if (dropped == first_bits(count))
                {
                    fill_columns(row + c, row + c + count, value);
                }
                else if (dropped != 0)
                {
                    select_dropped(row + c, count, dropped, value);
                }
            }
            if (c < n)
            {
                fill_columns(row + c, row + n, value);
            }
        }

        template <class E, class M, class T>
        void fill_inplace(const char* name, E& x, const M& m, const T& value)
        {
            require_broadcast(name, "a mask", m.shape(), x.shape());
            const std::size_t n = columns_of(x.shape());
            const std::size_t row_count = n == 0 ? 0 : rows_of(x.shape());
            const mask_rows<M> masks(m, x.shape());
            row_writer<T, E> writer(x);
            for (std::size_t r = 0; r < row_count; ++r)
            {
                writer.seek(r);
                const auto cursor = masks.row(r);
                if (writer.in_place())
                {
                    fill_dropped(writer.block(0), n, cursor, value);
                    continue;
                }
                for (std::size_t c = 0; c < n; c += word_columns)
                {
                    const std::size_t count = std::min(word_columns, n - c);
                    writer.write(c, ~cursor.word(c) & first_bits(count), value);
                }
            }
        }
    }

    /// x where the mask keeps, `value` where it drops; lazy, with x's shape and element type.
    ///
    /// The mask broadcasts into x, as NumPy does, and never enlarges it. What is dropped is not seen: NaN there stays
    /// there. `value` is converted to x's element type.
    /// Throws std::invalid_argument where the mask's shape does not fit. One pass, no temporary; what lies outside of
    /// the mask's extent is not read.
    ///
    ///     xt::xtensor<float, 2> scores = ...;                              // (2, 4)
    ///     auto m = xmask::keep_lengths(xt::xtensor<int, 1>{4, 2}, 4);
    ///     xt::noalias(y) = xmask::masked_fill(scores, m, -1e9f);          // row 1 ends in -1e9, -1e9
    template <class X, class M, class T>
    auto masked_fill(X&& x, M&& m, const T& value)
    {
        if constexpr (detail::require_tensor<X>() && detail::require_mask<M>())
        {
            return detail::make_fill("masked_fill", std::forward<X>(x), std::forward<M>(m), value);
        }
    }

    /// Overwrites what the mask drops with `value`; takes the time to write that. x is any assignable tensor or view.
    ///
    /// Throws std::invalid_argument where the mask's shape does not fit, before anything is written.
    ///
    ///     xmask::masked_fill_inplace(scores, xmask::keep_lengths(lengths, 512), -1e9f);
    template <class X, class M, class T>
    void masked_fill_inplace(X&& x, const M& m, const T& value)
    {
        if constexpr (detail::require_tensor<X>() && detail::require_mask<M>())
        {
            using element = std::remove_cv_t<value_type_t<X>>;
            detail::fill_inplace("masked_fill_inplace", x, m, static_cast<element>(value));
        }
    }
}

// ==== xmask/core/held.hpp ====

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <utility>

/// @file
/// Small tables that a builder keeps (lengths, indices): a tensor, a lazy expression, a standard container or a list.

namespace xmask::inline XMASK_ABI::detail
{
    /// A standard container of numbers.
    template <class C>
    concept number_range = !expression<C> && std::ranges::sized_range<C>
                           && std::is_arithmetic_v<std::ranges::range_value_t<C>>;

    /// Whether C can be held as a table of numbers.
    template <class C>
    concept number_table = expression<C> || number_range<C>;

    /// A tensor in memory is held as closures are, by reference or moved in; all else is copied once.
    template <number_table C>
    decltype(auto) hold(C&& values)
    {
        if constexpr (number_range<C>)
        {
            auto copy = xt::xtensor<std::ranges::range_value_t<C>, 1>::from_shape({std::ranges::size(values)});
            std::ranges::copy(values, copy.begin());
            return copy;
        }
        else if constexpr (has_memory<C>)
        {
            return closure_t<C>(std::forward<C>(values));
        }
        else
        {
            return std::decay_t<decltype(xt::eval(std::forward<C>(values)))>(values);
        }
    }

    template <class T>
    auto hold(std::initializer_list<T> values)
    {
        auto copy = xt::xtensor<T, 1>::from_shape({values.size()});
        std::copy(values.begin(), values.end(), copy.begin());
        return copy;
    }

    /// What hold() gives: a reference or a container.
    template <class C>
    using held_t = decltype(hold(std::declval<C>()));

    /// Maps the rows of a mask, whose leading axes are those of `table`, to offsets in the table's memory.
    template <class E>
    row_offsets table_offsets(const E& table, std::size_t axes)
    {
        any_shape walked(axes + 1);
        any_shape from(axes + 1);
        xt::svector<std::ptrdiff_t, 4> strides(axes + 1);
        for (std::size_t axis = 0; axis < axes; ++axis)
        {
            walked[axis] = from[axis] = static_cast<std::size_t>(table.shape()[axis]);
            strides[axis] = static_cast<std::ptrdiff_t>(table.strides()[axis]);
        }
        walked[axes] = from[axes] = 1;
        strides[axes] = 0;
        return row_offsets(walked, from, strides);
    }
}

// ==== xmask/masks/lengths.hpp ====

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <utility>

/// @file
/// Masks of padded sequences: each row keeps its first, or its last, few columns.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// A row that keeps one range of columns.
        class range_cursor
        {
        public:

            explicit constexpr range_cursor(column_range kept) noexcept
                : m_kept(kept)
            {
            }

            [[nodiscard]] constexpr word_t word(std::size_t c) const noexcept
            {
                return range_word(m_kept, c);
            }

            [[nodiscard]] constexpr bool kept(std::size_t c) const noexcept
            {
                return c >= m_kept.begin && c < m_kept.end;
            }

            [[nodiscard]] constexpr column_range extent() const noexcept
            {
                return m_kept;
            }

        private:

            column_range m_kept;
        };

        /// Which end of a row is padded.
        enum class padding
        {
            right,
            left
        };

        template <class CTL, padding Side>
        class lengths_rule
        {
            using table = std::decay_t<CTL>;

        public:

            using shape_type = typename one_more_axis<typename table::inner_shape_type>::type;

            template <class L>
            lengths_rule(const char* name, L&& lengths, std::size_t n)
                : m_lengths(std::forward<L>(lengths))
                , m_shape(append_axis(m_lengths.shape(), n))
                , m_offsets(table_offsets(m_lengths, m_lengths.dimension()))
            {
                const std::size_t rows = rows_of(m_shape);
                for (std::size_t r = 0; r < rows; ++r)
                {
                    const auto length = at(r);
                    if (std::cmp_less(length, 0) || std::cmp_greater(length, n)) [[unlikely]]
                    {
                        throw_out_of_range(name, "length ", +length, " of row ", r, " is outside of [0, ", n, "]");
                    }
                }
            }

            [[nodiscard]] const shape_type& shape() const noexcept
            {
                return m_shape;
            }

            [[nodiscard]] range_cursor row(std::size_t r) const noexcept
            {
                // Clamped, because the caller's tensor may have changed since it was checked.
                const std::size_t n = m_shape[m_shape.size() - 1];
                const auto stored = at(r);
                const std::size_t length = std::cmp_less(stored, 0)      ? 0
                                           : std::cmp_greater(stored, n) ? n
                                                                         : static_cast<std::size_t>(stored);
                return range_cursor(Side == padding::right ? column_range{0, length} : column_range{n - length, n});
            }

        private:

            auto at(std::size_t r) const noexcept
            {
                return m_lengths.data()[static_cast<std::ptrdiff_t>(m_lengths.data_offset()) + m_offsets(r)];
            }

            CTL m_lengths;
            shape_type m_shape;
            row_offsets m_offsets;
        };

        template <class L>
        consteval bool require_lengths()
        {
            constexpr bool integers = [] {
                if constexpr (number_range<L>)
                {
                    return std::integral<std::ranges::range_value_t<L>>;
                }
                else if constexpr (expression<L>)
                {
                    return std::integral<value_type_t<L>> && !std::same_as<value_type_t<L>, bool>;
                }
                else
                {
                    return false;
                }
            }();
            static_assert(
                integers, "xmask: lengths are integers, one a row: a tensor of them, a standard container, or a list."
            );
            return integers;
        }

        template <padding Side, class L>
        auto make_lengths(const char* name, L&& lengths, std::size_t n)
        {
            if constexpr (require_lengths<L>())
            {
                using rule = lengths_rule<held_t<L>, Side>;
                return mask(rule(name, hold(std::forward<L>(lengths)), n));
            }
        }
    }

    /// Keeps the first lengths[...] of n columns in each row: a batch padded on the right.
    ///
    /// lengths: integers of any rank, a tensor, lazy expression, standard container or list. The mask's shape is
    /// lengths.shape + [n]. A tensor is held by reference if it is an lvalue.
    /// Throws std::out_of_range, naming the row and the value, for a length below 0 or beyond n.
    /// A word costs a shift; nothing is allocated for a tensor of lengths.
    ///
    ///     xt::xtensor<int, 1> lengths = {2, 4};
    ///     auto m = xmask::keep_lengths(lengths, 4);
    ///     // 1 1 0 0
    ///     // 1 1 1 1
    template <class L>
    auto keep_lengths(L&& lengths, std::size_t n)
    {
        return detail::make_lengths<detail::padding::right>("keep_lengths", std::forward<L>(lengths), n);
    }

    template <std::integral T>
    auto keep_lengths(std::initializer_list<T> lengths, std::size_t n)
    {
        return keep_lengths(detail::hold(lengths), n);
    }

    /// Keeps the last lengths[...] of n columns in each row: a batch padded on the left. Otherwise as keep_lengths.
    ///
    ///     auto m = xmask::keep_last({2, 4}, 4);
    ///     // 0 0 1 1
    ///     // 1 1 1 1
    template <class L>
    auto keep_last(L&& lengths, std::size_t n)
    {
        return detail::make_lengths<detail::padding::left>("keep_last", std::forward<L>(lengths), n);
    }

    template <std::integral T>
    auto keep_last(std::initializer_list<T> lengths, std::size_t n)
    {
        return keep_last(detail::hold(lengths), n);
    }
}

// ==== xmask/version.hpp ====

/// @file
/// The version of the library. CMakeLists.txt reads it from the three lines below.

#define XMASK_VERSION_MAJOR 0
#define XMASK_VERSION_MINOR 1
#define XMASK_VERSION_PATCH 0
