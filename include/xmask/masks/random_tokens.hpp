// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <utility>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/lazy.hpp"
#include "../core/refused_operators.hpp"
#include "../core/row.hpp"
#include "../core/row_function.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "random_stream.hpp"

/// @file
/// Random token ids, which replace ids that a language model is to restore.

namespace xmask::inline XMASK_ABI {
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
/// A lazy expression of random token ids, made by random_tokens().
///
/// @tparam T the type of the ids.
/// @tparam S the type of the shape.
template <class T, class S>
class drawn_tokens : public detail::lazy<drawn_tokens<T, S>, T> {
    using base = detail::lazy<drawn_tokens<T, S>, T>;

public:
    using typename base::const_stepper;
    using typename base::inner_shape_type;
    using typename base::size_type;
    using typename base::value_type;

    /// @param shape of the expression.
    /// @param vocabulary number of ids, 1 or more.
    /// @param seed of the random numbers.
    /// @throws std::invalid_argument for a vocabulary of 0, or one whose ids T cannot hold.
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

    /// @param row the random numbers of a row.
    /// @param c a column.
    /// @returns the id there.
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
/// Writes the ids of one row that are asked for to a buffer.
template <class T, class S>
struct drawn_ids {
    const drawn_tokens<T, S>* tokens;
    row_stream stream;
    bool one_column;

    void operator()(T* to, std::size_t c, std::size_t count, word_t bits) const noexcept {
        bits &= first_bits(count);
        if (one_column) {
            std::fill_n(to, count, tokens->id(stream, 0));
        } else if (bits == ~word_t(0)) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                to[k] = tokens->id(stream, c + k);
            }
        } else {
            for (; bits != 0; bits &= bits - 1) {
                to[lowest_bit(bits)] = tokens->id(stream, c + lowest_bit(bits));
            }
        }
    }
};

/// The rows of random tokens, broadcast into a shape.
template <class T, class S>
struct row_maker<drawn_tokens<T, S>> {
    template <class W>
    static auto make(const drawn_tokens<T, S>& tokens, const W& walked) {
        return row_function([&tokens, numbers = row_numbers(walked, tokens.shape()),
                             one_column = columns_of(tokens.shape()) == 1](std::size_t r) {
            const auto own_row = static_cast<std::size_t>(numbers(r));
            return make_buffered_row<T>(drawn_ids<T, S>{&tokens, tokens.row(own_row), one_column});
        });
    }
};

/// Fails to compile, with one sentence, unless T is an integer type.
template <class T>
consteval bool require_ids() {
    constexpr bool integers = std::integral<T> && !std::same_as<T, bool>;
    static_assert(
        integers,
        "xmask: token ids are integers: name the type of your tokens, as in random_tokens<int>."
    );
    return integers;
}
} // namespace detail

/// Random token ids, uniformly distributed in [0, vocabulary).
///
/// An id depends on the seed, the number of its row, its column and the vocabulary only; it is
/// independent of masks with the same seed. Where the first ids are not words, write `first +
/// random_tokens(shape, vocabulary - first, seed)`.
///
///     xt::xtensor<int, 2> ids = xmask::random_tokens<int>({64, 512}, 30522, 42);    // (64, 512)
///
/// @tparam T the type of the ids, an integer type.
/// @param shape of the tensor: a number (one axis), a container of extents, or a list in braces.
/// @param vocabulary number of ids, 1 or more.
/// @param seed of the random numbers.
/// @returns a lazy expression of T.
/// @throws std::invalid_argument for a vocabulary of 0, or one whose ids T cannot hold.
///
/// Cost: nothing is stored; two multiplications for an id. Where a mask chooses (masked_replace),
/// only the chosen ids are drawn.
template <class T = std::int64_t, class S = std::initializer_list<std::size_t>>
auto random_tokens(const S& shape, std::size_t vocabulary, std::uint64_t seed) {
    if constexpr (detail::require_ids<T>()) {
        auto owned = detail::to_shape("random_tokens", shape);
        return drawn_tokens<T, decltype(owned)>(std::move(owned), vocabulary, seed);
    } else {
        return detail::refused();
    }
}
} // namespace xmask::inline XMASK_ABI
