// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "../core/block.hpp"
#include "../core/error.hpp"
#include "../core/lazy.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/pieces.hpp"
#include "../core/row.hpp"
#include "element_sum.hpp"
#include "loss.hpp"
#include "weighted.hpp"

/// @file
/// The positions of a class loss: which count, how much, and which class each has.

namespace xmask::inline XMASK_ABI::detail {
/// The positions of a target, in order.
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
    /// [first, last). The target of a dropped position is not read.
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

/// The rows of targets that are not read: the class of each position is in its own probabilities.
using no_targets = scalar_rows<std::int64_t>;

/// The positions of a shape that m counts: a mask, weights, or both.
template <class M, class S, class Targets>
auto positions_of(
    const M& m, const S& shape, Targets targets, std::optional<std::int64_t> ignored
) {
    const auto make = [&](auto weights) {
        return class_positions(
            shape, counted_rows(m, shape), std::move(weights), std::move(targets), ignored
        );
    };
    if constexpr (mask_expression<M>) {
        return make(scalar_rows<double>(1.));
    } else {
        const auto& weights = weights_in(m);
        using weight = std::remove_cv_t<value_type_t<std::decay_t<decltype(weights)>>>;
        return make(make_operand<weight>(weights, shape));
    }
}

/// The positions of a target, whose classes are read as they are.
template <class M, class Q>
auto positions_of(const M& m, const Q& target, std::optional<std::int64_t> ignored) {
    const auto& shape = target.shape();
    using element = std::remove_cv_t<value_type_t<Q>>;
    return positions_of(m, shape, make_operand<element>(target, shape), ignored);
}

/// The sum of f(rows, positions, first, last) over all positions: f gives the loss of some of them.
/// Each thread has its own copies of rows and positions. A position has `elements` elements.
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

/// The weight of a class loss: the sum of weight_of(target, weight) over the positions that count,
/// in the order of sum_over_positions.
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
    return sum_over_positions(no_targets(0), positions, elements, weigh).weight();
}

/// Throws std::invalid_argument unless the prediction has the shape of the target, followed by an
/// axis of classes.
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

/// The shape of the positions. Throws std::invalid_argument unless the target has the shape of the
/// prediction, with an axis of classes.
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

/// Throws std::out_of_range where the target of a counted position is no class, or
/// `has_class(position, target)` is false.
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

/// Whether Q is a target of classes for the prediction P, or, with Probabilities, a target of
/// probabilities.
template <class P, class Q, bool Probabilities>
inline constexpr bool is_target_of_classes = [] {
    if constexpr (real_expression<P> && expression<Q> && !mask_expression<Q>) {
        using target = std::remove_cv_t<value_type_t<Q>>;
        return (std::integral<target> && !std::same_as<target, bool>) ||
               (Probabilities && is_probabilities<Q>);
    } else {
        return false;
    }
}();

template <bool Fits, class... /*P, Q*/>
struct classes_or_probabilities_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: cross entropy takes a prediction of real logits, and a target of integer classes or of real probabilities, one a class."
        );
        return Fits;
    }
};

template <bool Fits, class... /*P, Q*/>
struct classes_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: masked_nll takes a prediction of real log-probabilities and a target of integer classes."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless Q is a target of classes for the prediction P, or,
/// with Probabilities, a target of probabilities.
template <class P, class Q, bool Probabilities>
using require_classes = std::conditional_t<
    Probabilities,
    classes_or_probabilities_expected<is_target_of_classes<P, Q, Probabilities>, P, Q>,
    classes_expected<is_target_of_classes<P, Q, Probabilities>, P, Q>>;
} // namespace xmask::inline XMASK_ABI::detail
