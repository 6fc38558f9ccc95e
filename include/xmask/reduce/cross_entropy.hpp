// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

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

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/mask_rows.hpp"
#include "../core/row.hpp"
#include "../core/target.hpp"
#include "../masks/bitmask.hpp"
#include "../masks/combine.hpp"
#include "class_options.hpp"
#include "element_loss.hpp"
#include "loss.hpp"
#include "positions.hpp"
#include "row_map.hpp"
#include "soft_cross_entropy.hpp"
#include "softmax.hpp"

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
