// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <array>
#include <limits>
#include <type_traits>

#include "../core/attributes.hpp"
#include "../core/error.hpp"
#include "../core/exp.hpp"
#include "../core/simd.hpp"
#include "element_loss.hpp"
#include "number_or_tensor.hpp"

/// @file
/// Losses of two classes: binary cross entropy of probabilities and of logits, focal loss, hinge
/// loss, hinge embedding loss, soft margin loss.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The parts of losses of a logit x, computed without overflow or cancellation.
template <class V>
struct logistic {
    V yes;        ///< 1 / (1 + exp(-x)), the probability of yes
    V no;         ///< 1 - yes
    V log_of_yes; ///< -log(yes) = log(1 + exp(-x))
    V log_of_no;  ///< -log(no) = log(1 + exp(x))

    XMASK_INLINE explicit logistic(const V& x) {
        const V zero(0);
        const V one(1);
        const V small = exp_nonpositive(negative_absolute(x));
        const V likely = one / (one + small);
        const V unlikely = small * likely;
        const auto positive = x > zero;
        const V rest = log1p_of_share(small);
        yes = xsimd::select(positive, likely, unlikely);
        no = xsimd::select(positive, unlikely, likely);
        const V above = xsimd::select(positive, x, zero);
        log_of_yes = rest + (above - x);
        log_of_no = rest + above;
    }
};

/// The binary cross entropy of a share p, with logarithms of at least -100. Not inlined: the labels
/// 0 and 1 rarely need it.
template <class V>
[[gnu::const, gnu::noinline]] V entropy_of_share(V p, V t) {
    const V least(-100);
    const V log_yes = log_of(p);
    const V log_no = log1p_of(V(-p));
    return -(
        t * xsimd::select(log_yes < least, least, log_yes) +
        (V(1) - t) * xsimd::select(log_no < least, least, log_no)
    );
}

/// The focal loss, with its options as numbers of type T.
template <class T>
class focal_terms {
public:
    focal_terms(double alpha, double gamma)
        : m_gamma(gamma)
        , m_squares(gamma == 2)
        , m_weight_of_yes(static_cast<T>(alpha < 0 ? 1 : alpha))
        , m_weight_of_no(static_cast<T>(alpha < 0 ? 1 : 1 - alpha)) {}

    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return slope(p, t)[0];
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return slope(p, t)[1];
    }

    template <class V>
    XMASK_INLINE std::array<V, 2> slope(const V& p, const V& t) const {
        const V rest = V(1) - t;
        const logistic<V> y(p);
        const V missed = t * y.no + rest * y.yes;
        const V entropy = t * y.log_of_yes + rest * y.log_of_no;
        const V of_entropy = rest * y.yes - t * y.no;
        const V of_missed = y.yes * y.no * (rest - t);
        const V weight = constant<V>(static_cast<double>(m_weight_of_yes)) * t +
                         constant<V>(static_cast<double>(m_weight_of_no)) * rest;
        if (m_squares) [[likely]] {
            const V weighted = weight * missed;
            const V factor = weighted * missed;
            return {
                factor * entropy, factor * of_entropy + weighted * entropy * (of_missed + of_missed)
            };
        }
        const V factor = weight * power(missed, m_gamma);
        // The derivative of log(missed). Where `missed` underflows, so does the factor before it.
        const V rate = xsimd::select(missed > V(0), of_missed / missed, V(0));
        return {
            factor * entropy,
            factor * (of_entropy + constant<V>(m_gamma) * entropy * rate),
        };
    }

private:
    double m_gamma;
    bool m_squares;
    T m_weight_of_yes;
    T m_weight_of_no;
};
} // namespace detail

/// Binary cross entropy -(t log p + (1 - t) log(1 - p)) of a probability p. Logarithms are at least
/// -100.
struct bce_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        if constexpr (std::is_same_v<V, detail::lanes<float>>) {
            // Of a label, one of the two logarithms counts.
            const auto yes = t == V(1);
            const auto label = yes || t == V(0);
            const auto inside = p >= V(std::numeric_limits<float>::min()) && p < V(1);
            if (xsimd::all(label && inside)) [[likely]] {
                return -detail::log_of_choice(yes, p);
            }
        }
        return detail::entropy_of_share(p, t);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        const V least(constant<V>(1e-12));
        const V spread = (V(1) - p) * p;
        return (p - t) / xsimd::select(spread < least, least, spread);
    }
};

/// Binary cross entropy -(pos_weight t log y + (1 - t) log(1 - y)) of y = 1 / (1 + exp(-p)).
struct bce_with_logits_loss {
    /// The weight of positive targets: a number, or a tensor that broadcasts into the prediction;
    /// 0 or more.
    number_or_tensor pos_weight = 1;

    void check(const char* name) const {
        detail::require_option(
            name, "pos_weight", pos_weight, detail::option_range::at_least(0).finite()
        );
    }

    /// The function of p, t and the weight of positive targets.
    struct terms {
        template <class V>
        XMASK_INLINE V value(const V& p, const V& t, const V& weight) const {
            return slope(p, t, weight)[0];
        }

        template <class V>
        XMASK_INLINE V derivative(const V& p, const V& t, const V& weight) const {
            return slope(p, t, weight)[1];
        }

        template <class V>
        XMASK_INLINE std::array<V, 2> slope(const V& p, const V& t, const V& weight) const {
            const detail::logistic<V> y(p);
            return {
                weight * t * y.log_of_yes + (V(1) - t) * y.log_of_no,
                (V(1) - t) * y.yes - weight * t * y.no,
            };
        }
    };

    static constexpr const char* operand_name = "pos_weight";

    [[nodiscard]] const number_or_tensor& operand() const noexcept { return pos_weight; }
};

/// Binary cross entropy of logits, times (1 - y_t)^gamma and alpha_t.
struct focal_with_logits_loss {
    double alpha = 0.25; ///< the weight of positive targets, from 0 to 1; -1 for no weight
    double gamma = 2;    ///< the exponent of 1 - y_t; 0 or more

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
        return in<double>().value(p, t);
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return in<double>().derivative(p, t);
    }

    /// Gives the function with its options converted once, for a loop.
    ///
    /// @tparam T  the type of the numbers: float or double
    /// @returns   a function of p and t, with value, derivative and slope
    template <class T>
    [[nodiscard]] detail::focal_terms<T> in() const {
        return {alpha, gamma};
    }
};

/// The hinge loss max(0, margin - t p), where t is -1 or 1.
struct hinge_loss {
    double margin = 1; ///< the t p from which the loss is 0

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

/// The hinge embedding loss: p where t is 1, max(0, margin - p) where t is -1.
struct hinge_embedding_loss {
    double margin = 1; ///< the distance from which unlike pairs have the loss 0

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

/// The soft margin loss log(1 + exp(-t p)), where t is -1 or 1.
struct soft_margin_loss {
    template <class V>
    XMASK_INLINE V value(const V& p, const V& t) const {
        return slope(p, t)[0];
    }

    template <class V>
    XMASK_INLINE V derivative(const V& p, const V& t) const {
        return slope(p, t)[1];
    }

    template <class V>
    XMASK_INLINE std::array<V, 2> slope(const V& p, const V& t) const {
        const detail::logistic<V> y(t * p);
        return {y.log_of_yes, -t * y.no};
    }
};

/// Gives the binary cross entropy of probabilities, summed over the kept elements.
///
/// The loss is -(t log p + (1 - t) log(1 - p)), with logarithms of at least -100, as PyTorch's
/// binary_cross_entropy; the gradient is (p - t) / max(p (1 - p), 1e-12). Probabilities outside of
/// [0, 1] give NaN. Of logits, masked_bce_with_logits is more accurate. Cost: one pass over the
/// kept elements.
///
/// @param prediction  probabilities, a tensor or lazy expression of real numbers from 0 to 1
/// @param target      probabilities of yes, most often 0 and 1, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     none: may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes do not fit; nothing is written then
///
///     double mean = xmask::masked_bce(probability, label, m).mean();    // 0.898022
inline constexpr element_loss<bce_loss> masked_bce("masked_bce");

/// Gives the binary cross entropy of logits, summed over the kept elements.
///
/// With y = 1 / (1 + exp(-p)), the loss is -(pos_weight t log y + (1 - t) log(1 - y)), as PyTorch's
/// binary_cross_entropy_with_logits. No logit overflows. Cost: one pass over the kept elements.
///
/// @param prediction  logits, a tensor or lazy expression of real numbers
/// @param target      probabilities of yes, most often 0 and 1, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     bce_with_logits_loss: {.pos_weight = 1}, a number, or a tensor that
///   broadcasts into the prediction, such as one number a class; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_bce_with_logits(scores, label, m, {.pos_weight = 3}, gradient).mean();
///     // 6.05156
///     double of_classes = xmask::masked_bce_with_logits(scores, label, m, {.pos_weight = {1, 2, 1, 3}}).mean();
///     // 2.61477
inline constexpr element_loss<bce_with_logits_loss> masked_bce_with_logits("masked_bce_with_logits"
);

/// Gives the focal loss of logits, summed over the kept elements.
///
/// With y = 1 / (1 + exp(-p)) and y_t = t y + (1 - t) (1 - y), the loss is the binary cross entropy
/// times (1 - y_t)^gamma times alpha t + (1 - alpha) (1 - t), as torchvision's sigmoid_focal_loss.
/// Source: Lin et al., Focal loss for dense object detection, 2017. Cost: one pass over the kept
/// elements.
///
/// @param prediction  logits, a tensor or lazy expression of real numbers
/// @param target      probabilities of yes, most often 0 and 1, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     focal_with_logits_loss: {.alpha = 0.25, .gamma = 2}; alpha is from 0 to 1, or
///   -1 for no such factor, and gamma 0 or more; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_focal_with_logits(scores, label, m, {.alpha = -1, .gamma = 2}).mean();
///     // 2.34681
inline constexpr element_loss<focal_with_logits_loss> masked_focal_with_logits(
    "masked_focal_with_logits"
);

/// Gives the hinge loss max(0, margin - t p), summed over the kept elements.
///
/// The loss is that of Keras and torchmetrics. Cost: one pass over the kept elements.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      -1 and 1, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     hinge_loss: {.margin = 1}, a finite number; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_hinge(scores, 2.f * label - 1.f, m).mean();    // 3.04167
inline constexpr element_loss<hinge_loss> masked_hinge("masked_hinge");

/// Gives the hinge embedding loss of distances, summed over the kept elements.
///
/// The loss is p where the target is 1 (alike), max(0, margin - p) where it is -1 (unlike), and the
/// sum of both for other targets, as PyTorch's hinge_embedding_loss. Where p equals the margin, the
/// gradient of the second is -1. Cost: one pass over the kept elements.
///
/// @param prediction  distances, a tensor or lazy expression of real numbers
/// @param target      1 and -1, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     hinge_embedding_loss: {.margin = 1}, a finite number; may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes or options do not fit; nothing is written then
///
///     double mean = xmask::masked_hinge_embedding(distances, 2.f * label - 1.f, m, {.margin = 2}).mean();
///     // 1.59722
inline constexpr element_loss<hinge_embedding_loss> masked_hinge_embedding("masked_hinge_embedding"
);

/// Gives the soft margin loss log(1 + exp(-t p)), summed over the kept elements.
///
/// Nothing overflows. The loss is that of PyTorch's soft_margin_loss. Cost: one pass over the kept
/// elements.
///
/// @param prediction  a tensor or lazy expression of real numbers
/// @param target      -1 and 1, of the shape of the prediction
/// @param m           a mask that broadcasts into the prediction, real weights, or both by
///   weighted() and balanced()
/// @param options     none: may be left out
/// @param gradient    receives the gradient by the prediction: a tensor, of_mean(tensor) or
///   scaled(tensor, factor); may be left out
/// @returns  the sum over the kept elements, its weight and their count
/// @throws std::invalid_argument  where shapes do not fit; nothing is written then
///
///     double mean = xmask::masked_soft_margin(scores, 2.f * label - 1.f, m).mean();    // 2.55664
inline constexpr element_loss<soft_margin_loss> masked_soft_margin("masked_soft_margin");
} // namespace xmask::inline XMASK_ABI
