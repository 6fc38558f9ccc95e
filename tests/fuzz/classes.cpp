// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/cross_entropy.hpp>

#include "families.hpp"
#include "reduce.hpp"

/// @file
/// Cross entropy and negative log-likelihood, their options and gradients.

namespace fuzz {
namespace {
struct drawn_classes {
    shape_t shape; ///< of the logits
    shape_t positions;
    std::size_t classes;
    drawn_mask mask; ///< of the positions
    array<char> kept;
    xt::xarray<std::int32_t> target;
    std::vector<double> weights; ///< of classes
    array<char> exists;          ///< the kept classes
    xmask::cross_entropy_options options;
};

drawn_classes draw_classes(record& r) {
    const shape_t shape = draw_shape(r.d, 1);
    const shape_t positions(shape.begin(), shape.end() - 1);
    const std::size_t n = shape.back();
    drawn_mask m = draw_mask_for(r, positions);
    array<char> kept = spread(m, positions);
    drawn_classes all{
        shape,
        positions,
        n,
        std::move(m),
        std::move(kept),
        xt::xarray<std::int32_t>::from_shape(positions),
        std::vector<double>(n, 1.),
        array<char>(n, 1),
        {}
    };
    if (r.d.once_in(3)) {
        all.options.label_smoothing = r.d.of({0.1, 1.});
        all.options.z_loss = r.d.of({0., 0.25});
    }
    if (r.d.once_in(3)) {
        all.options.class_weights = xt::xtensor<double, 1>::from_shape({n});
        for (std::size_t c = 0; c < n; ++c) {
            all.weights[c] = static_cast<double>(r.d.below(5)) / 2;
            all.options.class_weights(c) = all.weights[c];
        }
    }
    if (n > 0 && r.d.once_in(3)) {
        const drawn_mask classes = draw_mask(r, {n}, r.d.below(3));
        all.exists = classes.kept;
        all.options.classes = xmask::bitmask(classes.lazy);
    }
    std::vector<std::int32_t> possible;
    for (std::size_t c = 0; c < n; ++c) {
        if (all.exists[c] != 0) {
            possible.push_back(static_cast<std::int32_t>(c));
        }
    }
    for (std::size_t i = 0; i < all.kept.size(); ++i) {
        // Without a class, no position counts.
        all.target.storage()[i] = all.kept[i] == 0 || possible.empty()
                                      ? r.d.of<std::int32_t>({-100, -1, 1 << 30})
                                      : possible[r.d.below(possible.size())];
    }
    if (possible.empty()) {
        all.options.ignore = std::nullopt;
    } else if (r.d.once_in(4)) {
        // An ignored class, although it exists.
        all.options.ignore = possible[0];
        for (std::size_t i = 0; i < all.kept.size(); ++i) {
            all.kept[i] = all.kept[i] != 0 && all.target.storage()[i] != possible[0];
        }
    }
    return all;
}

/// The terms of one position in the loss and in the gradient.
struct entropy {
    double value;
    double size;
    std::vector<double> gradient;
};

template <class T>
entropy entropy_of(const drawn_classes& all, const T* x, std::size_t target) {
    double largest = -std::numeric_limits<double>::infinity();
    double count = 0;
    double weight = 0;
    for (std::size_t c = 0; c < all.classes; ++c) {
        if (all.exists[c] != 0) {
            largest = std::max(largest, static_cast<double>(x[c]));
            count += 1;
            weight += all.weights[c];
        }
    }
    double sum = 0;
    for (std::size_t c = 0; c < all.classes; ++c) {
        sum += all.exists[c] != 0 ? std::exp(static_cast<double>(x[c]) - largest) : 0;
    }
    const double log_sum = largest + std::log(sum);
    const double e = all.options.label_smoothing;
    const double z = all.options.z_loss;
    const double of_target = all.weights[target];
    entropy one{
        (1 - e) * of_target * (log_sum - static_cast<double>(x[target])) + z * log_sum * log_sum,
        1 + std::abs(log_sum), std::vector<double>(all.classes, 0.)
    };
    for (std::size_t c = 0; c < all.classes; ++c) {
        if (all.exists[c] != 0) {
            const double share = std::exp(static_cast<double>(x[c]) - log_sum);
            one.value += e / count * all.weights[c] * (log_sum - static_cast<double>(x[c]));
            one.size += e / count * all.weights[c] * std::abs(log_sum - static_cast<double>(x[c]));
            one.gradient[c] = (1 - e) * of_target * (share - (c == target ? 1 : 0)) +
                              e / count * (weight * share - all.weights[c]) +
                              2 * z * log_sum * share;
        }
    }
    one.size += std::abs(one.value);
    return one;
}

template <class T>
void check_entropy(record& r) {
    const drawn_classes all = draw_classes(r);
    bool possible = false;
    for (const char exists : all.exists) {
        possible = possible || exists != 0;
    }
    bool counts = false;
    for (const char kept : all.kept) {
        counts = counts || kept != 0;
    }
    if (counts && !possible) {
        return;
    }
    // Logits of positions that do not count, and of dropped classes, are garbage.
    array<char> seen(size_of(all.shape));
    for (std::size_t i = 0; i < seen.size(); ++i) {
        seen[i] = all.kept[i / all.classes] != 0 && all.exists[i % all.classes] != 0;
    }
    operand<T> x(r, all.shape, seen, r.d.of({values::plain, values::ties}), false);
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& elements) {
        references gradient(elements.size());
        double sum = 0;
        double size = 0;
        double weight = 0;
        for (std::size_t i = 0; i < all.kept.size(); ++i) {
            if (all.kept[i] == 0) {
                continue;
            }
            const auto target = static_cast<std::size_t>(all.target.storage()[i]);
            const entropy one = entropy_of(all, elements.begin() + i * all.classes, target);
            sum += one.value;
            size += one.size;
            weight += all.weights[target];
            for (std::size_t c = 0; c < all.classes; ++c) {
                gradient.value[i * all.classes + c] = one.gradient[c];
                gradient.size[i * all.classes + c] = one.size;
            }
        }
        const double error = 4 * rounding<T>;
        with_hidden_mask(r, all.mask, [&](const auto& mask) {
            xmask::loss got;
            const array<T> written = with_target<T>(
                r, all.shape, array<T>(elements.size(), T(3)), rows_and_strided{},
                [&](auto& to) {
                    got = xmask::masked_cross_entropy(e, all.target, mask, all.options, to);
                }
            );
            r.near_number("masked_cross_entropy", got.sum, sum, error * size);
            r.near_number("weight of masked_cross_entropy", got.weight, weight, 1e-9 * weight);
            r.close(
                "gradient of masked_cross_entropy", written, gradient.value, gradient.size, {error},
                all.shape
            );
            const auto each = xmask::masked_cross_entropy(e, all.target, mask, all.options);
            r.near_number("masked_cross_entropy, no gradient", each.sum, sum, error * size);
        });
    });
}

template <class T>
void check_likelihood(record& r) {
    drawn_classes all = draw_classes(r);
    xmask::nll_options options;
    options.ignore = all.options.ignore;
    options.class_weights = all.options.class_weights;
    array<char> seen(size_of(all.shape));
    for (std::size_t i = 0; i < seen.size(); ++i) {
        seen[i] = all.kept[i / all.classes];
    }
    for (std::size_t i = 0; i < all.kept.size(); ++i) {
        const auto target = all.target.storage()[i];
        if (all.kept[i] != 0 && !(target >= 0 && std::cmp_less(target, all.classes))) {
            return; // no class to draw
        }
    }
    operand<T> x(r, all.shape, seen, values::plain, false);
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& elements) {
        array<double> gradient(elements.size());
        double sum = 0;
        double size = 0;
        double weight = 0;
        for (std::size_t i = 0; i < all.kept.size(); ++i) {
            if (all.kept[i] != 0) {
                const auto target = static_cast<std::size_t>(all.target.storage()[i]);
                const auto p = static_cast<double>(elements[i * all.classes + target]);
                sum -= all.weights[target] * p;
                size += std::abs(all.weights[target] * p);
                weight += all.weights[target];
                gradient[i * all.classes + target] = -all.weights[target];
            }
        }
        with_hidden_mask(r, all.mask, [&](const auto& mask) {
            xmask::loss got;
            const array<T> written = with_target<T>(
                r, all.shape, array<T>(elements.size(), T(3)), rows_and_strided{},
                [&](auto& to) { got = xmask::masked_nll(e, all.target, mask, options, to); }
            );
            r.near_number("masked_nll", got.sum, sum, rounding<T> * size);
            r.near_number("weight of masked_nll", got.weight, weight, 1e-9 * weight);
            r.close("gradient of masked_nll", written, gradient, {rounding<T>}, all.shape);
        });
    });
}
} // namespace

void run_classes(record& r) {
    const bool of_logits = !r.d.once_in(3);
    with_type<float, double>(r, [&]<class T>(T) {
        if (of_logits) {
            check_entropy<T>(r);
        } else {
            check_likelihood<T>(r);
        }
    });
}
} // namespace fuzz
