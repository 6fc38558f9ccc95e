// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include <xmask/reduce/element_loss.hpp>
#include <xmask/reduce/weighted.hpp>

#include "reduce.hpp"

/// @file
/// Element-wise losses and their gradients, under masks, weights, and both.

namespace fuzz {
/// A loss in double, by its definition, and the size that its rounding is relative to.
struct slope {
    double value;
    double derivative;
    double size;
};

/// The ranges of predictions and targets.
inline double draw_real(dice& d) { return static_cast<double>(d.below(8192)) / 1024 - 4; }

inline double draw_label(dice& d) { return static_cast<double>(d.below(2)); }

inline double draw_sign(dice& d) { return d.coin() ? 1 : -1; }

inline double draw_probability(dice& d) { return static_cast<double>(1 + d.below(1022)) / 1024; }

inline double draw_share(dice& d) { return static_cast<double>(d.below(1024)) / 1024; }

inline double draw_count(dice& d) { return static_cast<double>(d.below(9)); }

/// The mask, the weights, or both.
enum class counting { mask, weights, both, rows };

/// The weight of each element. Weights of dropped elements are garbage.
inline array<double> draw_weights(
    record& r, counting how, const drawn_mask& m, const array<char>& kept, const shape_t& shape,
    xt::xarray<double>& weights
) {
    array<double> all(kept.size());
    weights = xt::xarray<double>::from_shape(shape);
    std::size_t i = 0;
    const std::size_t n = columns_of(m.shape);
    for_each_index(shape, [&](const shape_t& index) {
        double& weight = weights.storage()[i];
        weight = static_cast<double>(r.d.below(8)) / 4;
        all[i] = how == counting::weights ? weight : kept[i];
        if (how == counting::both) {
            all[i] *= weight;
            weight = kept[i] != 0 ? weight : draw_garbage<double>(r.d);
        }
        if (how == counting::rows && kept[i] != 0) {
            const char* row = m.kept.begin() + position_in(m.shape, index) / n * n;
            all[i] = 1 / static_cast<double>(std::count(row, row + n, char(1)));
        }
        ++i;
    });
    return all;
}

/// Compares the loss and its gradient with f(prediction, target).
template <class T, class Loss, class F>
void check_loss_by(
    record& r, const char* name, const Loss& call, F&& f, const shape_t& shape, const auto& p,
    const array<T>& ps, const auto& t, const array<T>& ts, const auto& counts,
    const array<double>& weights
) {
    double sum = 0;
    double size = 0;
    double weight = 0;
    const double scale = r.d.of({1., 0.5});
    references gradient(ps.size());
    for (std::size_t i = 0; i < ps.size(); ++i) {
        weight += weights[i];
        if (weights[i] != 0) {
            const slope one = f(static_cast<double>(ps[i]), static_cast<double>(ts[i]));
            sum += weights[i] * one.value;
            size += weights[i] * (std::abs(one.value) + one.size);
            gradient.value[i] = scale * weights[i] * one.derivative;
            gradient.size[i] = std::abs(gradient.value[i]) + weights[i] * one.size;
        }
    }
    const double error = 4 * rounding<T>;
    if (r.d.coin()) {
        const xmask::loss got = call(p, t, counts);
        r.near_number(name, got.sum, sum, error * size);
        r.near_number("weight of a loss", got.weight, weight, rounding<T> * weight);
        r.count(ps.size());
        return;
    }
    xmask::loss got;
    const array<T> written =
        with_target<T>(r, shape, array<T>(ps.size(), T(3)), layouts<layout::rows>{}, [&](auto& to) {
            got = call(p, t, counts, xmask::scaled(to, scale));
        });
    r.near_number(name, got.sum, sum, error * size);
    r.near_number("weight of a loss", got.weight, weight, rounding<T> * weight);
    r.close(
        (std::string("gradient of ") + name).c_str(), written, gradient.value, gradient.size,
        {error}, shape
    );
}

/// One random loss: compares call(prediction, target, counts [, gradient]) with f. Draws numbers of
/// [p_least, p_most] and [t_least, t_most].
template <class T, class Loss, class F, class DrawP, class DrawT>
void check_loss(
    record& r, const char* name, const Loss& call, F&& f, DrawP&& draw_p, DrawT&& draw_t
) {
    const shape_t shape = draw_shape(r.d);
    const drawn_mask m = draw_mask_for(r, shape);
    const array<char> kept = spread(m, shape);
    const counting how =
        r.d.of({counting::mask, counting::mask, counting::weights, counting::both, counting::rows});
    xt::xarray<double> weights;
    const array<double> counted = draw_weights(r, how, m, kept, shape, weights);
    const bool sees_all = how == counting::weights;
    const auto draw = [&](auto&& number) {
        array<T> all(kept.size());
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i] = kept[i] != 0 || sees_all ? static_cast<T>(number(r.d)) : draw_garbage<T>(r.d);
        }
        return all;
    };
    operand<T> prediction(r, shape, draw(draw_p));
    operand<T> target(r, shape, draw(draw_t));
    with_operand(r, prediction, layouts<layout::strided>{}, [&](const auto& p, const auto& ps) {
        with_operand(r, target, layouts<layout::rows>{}, [&](const auto& t, const auto& ts) {
            const auto by = [&](const auto& counts) {
                check_loss_by<T>(r, name, call, f, shape, p, ps, t, ts, counts, counted);
            };
            switch (how) {
            case counting::mask:
                with_hidden_mask(r, m, by);
                break;
            case counting::weights:
                r.mask = "weights";
                by(weights);
                break;
            case counting::both:
                r.mask = "weighted " + r.mask;
                // Of the type of the next case, so that both are compiled once.
                by(xmask::weighted(m.lazy, xt::xarray<double>(weights)));
                break;
            case counting::rows: {
                r.mask = "balanced " + r.mask;
                by(xmask::balanced(m.lazy));
                break;
            }
            }
        });
    });
}
} // namespace fuzz
