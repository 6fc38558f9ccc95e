// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "../core/error.hpp"
#include "../core/target.hpp"
#include "../core/word.hpp"
#include "../core/xtensor.hpp"
#include "../masks/bitmask.hpp"
#include "loss.hpp"

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
