// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/writer.hpp"
#include "accumulate.hpp"
#include "element_sum.hpp"
#include "loss.hpp"
#include "mse.hpp"

/// @file
/// Cross entropy of logits with a class for each position.

namespace xmask::inline XMASK_ABI
{
    namespace detail
    {
        /// The largest of n logits; NaN is passed over here and shows in the sum of exponentials.
        template <class T, class Row>
        T largest(Row& row, std::size_t n)
        {
            T best = -std::numeric_limits<T>::infinity();
            if constexpr (sums_in_registers<T>)
            {
                auto wide = lanes<T>(best);
                for_each_block(row, n, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
                    const auto block = row.read(c, count, first_bits(count));
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        auto x = load_register<full>(block, k, count - k);
                        if constexpr (!full)
                        {
                            x = xsimd::select(mask_from_bits<T>(first_bits(count - k), 0), x, lanes<T>(best));
                        }
                        wide = xsimd::max(wide, x);
                    });
                });
                return xsimd::reduce_max(wide);
            }
            else
            {
                for_each_block(row, n, [&](std::size_t c, std::size_t count) {
                    const auto block = row.read(c, count, first_bits(count));
                    for (std::size_t k = 0; k < count; ++k)
                    {
                        best = std::max(best, block.at(k));
                    }
                });
                return best;
            }
        }

        /// exp(x - shift), added up in double.
        template <class T>
        struct shifted_exp
        {
            T shift;

            template <class V>
            XMASK_INLINE V value(const V& x) const
            {
                using std::exp;
                return exp(x - V(shift));
            }
        };

        template <class T, class Row>
        double sum_of_exp(const Row& row, std::size_t n, T shift)
        {
            masked_terms<T, false, shifted_exp<T>, range_cursor, Row> terms({shift}, range_cursor({0, n}), row);
            term_sum<T> sum;
            for_each_kept_block(terms, [&](std::size_t c, auto count, word_t bits) XMASK_INLINE_LAMBDA {
                terms.add(sum, terms.read(c, count, bits), count, bits);
            });
            return static_cast<double>(sum.total().sum);
        }

        /// Writes scale * (softmax - one at the target).
        template <class T, class Row, class Writer>
        void write_softmax(Row& row, Writer& writer, std::size_t n, T shift, T factor, std::size_t target, T scale)
        {
            const shifted_exp<T> exp{shift};
            for_each_block(row, n, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
                const auto block = row.read(c, count, first_bits(count));
                T* to = writer.block(c);
                if constexpr (sums_in_registers<T>)
                {
                    for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                        const auto x = load_register<full>(block, k, count - k);
                        store_register<full, false>(to + k, exp.value(x) * lanes<T>(factor), count - k);
                    });
                }
                else
                {
                    for (std::size_t k = 0; k < count; ++k)
                    {
                        to[k] = exp.value(block.at(k)) * factor;
                    }
                }
                if (target - c < count)
                {
                    to[target - c] -= scale;
                }
                writer.commit(c, count);
            });
        }

        template <class T, class Writer>
        void write_zeros(Writer& writer, std::size_t n)
        {
            for (std::size_t c = 0; c < n; c += word_columns)
            {
                const std::size_t count = std::min(word_columns, n - c);
                T* to = writer.block(c);
                fill_columns(to, to + count, T(0));
                writer.commit(c, count);
            }
        }

        /// One row of positions under a mask: which count; each counts once.
        template <class Cursor>
        class mask_gate
        {
        public:

            explicit mask_gate(Cursor cursor)
                : m_cursor(std::move(cursor))
            {
            }

            [[nodiscard]] word_t bits(std::size_t c, std::size_t count)
            {
                return m_cursor.word(c) & first_bits(count);
            }

            [[nodiscard]] static double weight(std::size_t /*c*/) noexcept
            {
                return 1;
            }

        private:

            Cursor m_cursor;
        };

        /// One row of positions under real weights: all count, each by its weight.
        template <class Row>
        class weight_gate
        {
        public:

            explicit weight_gate(Row row)
                : m_row(std::move(row))
            {
            }

            [[nodiscard]] static word_t bits(std::size_t /*c*/, std::size_t count) noexcept
            {
                return first_bits(count);
            }

            [[nodiscard]] double weight(std::size_t c)
            {
                return static_cast<double>(read_one(m_row, c));
            }

        private:

            Row m_row;
        };

        /// The positions of a class loss: which count, how much, and which class each has.
        template <class Gates, class Targets>
        class positions
        {
        public:

            template <class S>
            positions(const S& shape, Gates gates, Targets targets)
                : m_gates(std::move(gates))
                , m_targets(std::move(targets))
                , m_columns(columns_of(shape))
                , m_rows(m_columns == 0 ? 0 : rows_of(shape))
            {
            }

            /// Calls counted(position, target, weight) and dropped(position), in order.
            template <class Counted, class Dropped>
            void for_each(Counted&& counted, Dropped&& dropped) const
            {
                for (std::size_t r = 0; r < m_rows; ++r)
                {
                    auto gate = gate_of(m_gates.row(r));
                    auto target = m_targets.row(r);
                    for_each_block(target, m_columns, [&](std::size_t c, std::size_t count) {
                        const word_t bits = gate.bits(c, count);
                        const auto targets = target.read(c, count, bits);
                        for (std::size_t k = 0; k < count; ++k)
                        {
                            const std::size_t position = r * m_columns + c + k;
                            (bits >> k & 1) != 0 ? counted(position, targets.at(k), gate.weight(c + k))
                                                 : dropped(position);
                        }
                    });
                }
            }

        private:

            template <class Row>
            static auto gate_of(Row row)
            {
                if constexpr (row_cursor<Row>)
                {
                    return mask_gate<Row>(std::move(row));
                }
                else
                {
                    return weight_gate<Row>(std::move(row));
                }
            }

            Gates m_gates;
            Targets m_targets;
            std::size_t m_columns;
            std::size_t m_rows;
        };

        template <class M, class Q>
        auto make_positions(const M& m, const Q& target)
        {
            auto targets = make_operand<std::remove_cv_t<value_type_t<Q>>>(target, target.shape());
            if constexpr (mask_expression<M>)
            {
                using gates = mask_rows<M>;
                return positions<gates, decltype(targets)>(target.shape(), gates(m, target.shape()), std::move(targets));
            }
            else
            {
                auto gates = make_operand<std::remove_cv_t<value_type_t<M>>>(m, target.shape());
                return positions<decltype(gates), decltype(targets)>(
                    target.shape(), std::move(gates), std::move(targets)
                );
            }
        }

        template <class P, class Q, class M>
        void require_class_shapes(const char* function, const P& prediction, const Q& target, const M& m)
        {
            const auto& shape = prediction.shape();
            if (shape.size() != target.dimension() + 1
                || !std::equal(target.shape().begin(), target.shape().end(), shape.begin(), [](auto a, auto b) {
                       return static_cast<std::size_t>(a) == static_cast<std::size_t>(b);
                   })) [[unlikely]]
            {
                throw_invalid(
                    function, "the prediction has shape ", tuple_text(shape), " and the target has shape ",
                    tuple_text(target.shape()), "; expected the target's shape and one last axis of classes"
                );
            }
            require_broadcast(function, mask_expression<M> ? "a mask" : "weights", m.shape(), target.shape());
        }

        template <class Positions, class S>
        void require_targets(const char* function, const Positions& positions, const S& shape, std::size_t classes)
        {
            positions.for_each(
                [&](std::size_t position, auto target, double /*weight*/) {
                    if (std::cmp_less(target, 0) || std::cmp_greater_equal(target, classes)) [[unlikely]]
                    {
                        at_flat_index(shape, position, [&](const auto& index) {
                            throw_out_of_range(
                                function, "target ", +target, " at ", tuple_text(index), " is outside of [0, ", classes, ")"
                            );
                        });
                    }
                },
                [](std::size_t) {}
            );
        }

        /// -log softmax at the target, of one row of logits, and its gradient: softmax - one at the target.
        template <class T>
        struct row_entropy
        {
            T shift = T(0);
            double sum_of_exps = 0;

            template <class Row>
            row_entropy(Row& logits, std::size_t classes)
                : shift(largest<T>(logits, classes))
                , sum_of_exps(sum_of_exp(logits, classes, shift))
            {
            }

            template <class Row>
            double loss_at(Row& logits, std::size_t target) const
            {
                const T logit = read_one(logits, target);
                return std::log(sum_of_exps) + (static_cast<double>(shift) - static_cast<double>(logit));
            }
        };

        template <class P, class Q, class M, class G>
        loss cross_entropy(const char* function, const P& prediction, const Q& target, const M& m, G&& gradient)
        {
            using T = std::remove_cv_t<value_type_t<P>>;
            require_class_shapes(function, prediction, target, m);
            const std::size_t classes = columns_of(prediction.shape());
            const auto logits = make_operand<T>(prediction, prediction.shape());
            const auto positions = make_positions(m, target);
            require_targets(function, positions, target.shape(), classes);
            loss total;
            if constexpr (std::is_same_v<std::decay_t<G>, no_gradient>)
            {
                positions.for_each(
                    [&](std::size_t position, auto at, double weight) {
                        auto row = logits.row(position);
                        const row_entropy<T> entropy(row, classes);
                        total += loss{weight * entropy.loss_at(row, static_cast<std::size_t>(at)), weight};
                    },
                    [](std::size_t) {}
                );
            }
            else
            {
                using traits = gradient_traits<std::remove_reference_t<G>>;
                auto& to = traits::target(gradient);
                resize_or_check(function, "the gradient", to, prediction.shape());
                row_writer<T, std::remove_reference_t<decltype(to)>> writer(to);
                positions.for_each(
                    [&](std::size_t position, auto at, double weight) {
                        auto row = logits.row(position);
                        const row_entropy<T> entropy(row, classes);
                        const auto chosen = static_cast<std::size_t>(at);
                        total += loss{weight * entropy.loss_at(row, chosen), weight};
                        const double scale = weight * traits::scale(gradient);
                        writer.seek(position);
                        write_softmax(
                            row, writer, classes, entropy.shift, static_cast<T>(scale / entropy.sum_of_exps), chosen,
                            static_cast<T>(scale)
                        );
                    },
                    [&](std::size_t position) {
                        writer.seek(position);
                        write_zeros<T>(writer, classes);
                    }
                );
            }
            return total;
        }

        template <class P, class Q>
        consteval bool require_classes()
        {
            constexpr bool fits = [] {
                if constexpr (expression<P> && expression<Q>)
                {
                    return std::is_floating_point_v<value_type_t<P>> && std::integral<value_type_t<Q>>
                           && !std::same_as<value_type_t<Q>, bool>;
                }
                else
                {
                    return false;
                }
            }();
            static_assert(fits, "xmask: cross entropy takes a prediction of real logits and a target of integer classes.");
            return fits;
        }

        template <class P, class Q, class M, class G>
        loss class_loss(const P& prediction, const Q& target, const M& m, G&& gradient)
        {
            if constexpr (require_classes<P, Q>() && require_mask_or_weights<M>())
            {
                return cross_entropy("masked_cross_entropy", prediction, target, m, gradient);
            }
            else
            {
                return {};
            }
        }
    }

    /// Cross entropy, -log softmax(prediction)[target], summed over the positions that the mask keeps.
    ///
    /// prediction: real logits, classes on the last axis. target: the class of each position, integers of the
    /// prediction's shape without that axis. m: a mask, or real weights, that broadcasts into the target.
    /// A dropped position is not looked at, so its target may be anything, -100 too.
    /// Throws std::invalid_argument where shapes do not fit, std::out_of_range for the target of a counted position
    /// outside of the classes, before anything is written.
    /// Logits of a counted position are read twice, while in the cache.
    ///
    ///     auto kept = xmask::keep_not_equal(classes, -100);
    ///     double mean = xmask::masked_cross_entropy(logits, classes, kept).mean();
    template <class P, class Q, class M>
    loss masked_cross_entropy(const P& prediction, const Q& target, const M& m)
    {
        return detail::class_loss(prediction, target, m, detail::no_gradient());
    }

    /// The same, and the gradient of the sum by the prediction, softmax - one-hot(target): 0 for dropped positions.
    /// `gradient`: a tensor that is given the prediction's shape, or scaled(tensor, factor).
    ///
    ///     xmask::loss l = xmask::masked_cross_entropy(logits, classes, m, logits_gradient);
    template <class P, class Q, class M, class G>
    loss masked_cross_entropy(const P& prediction, const Q& target, const M& m, G&& gradient)
    {
        return detail::class_loss(prediction, target, m, gradient);
    }
}
