// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/apply/gate.hpp>
#include <xmask/apply/multiply.hpp>
#include <xmask/reduce/pool.hpp>

#include "families.hpp"
#include "reduce.hpp"

/// @file
/// Pooling of tokens and its gradients; products with weights, and gates.

namespace fuzz {
namespace {
/// Tokens of (..., tokens, features), and a mask of (..., tokens).
struct batch {
    shape_t shape;
    shape_t tokens;
    drawn_mask mask;
    array<char> kept; ///< of the elements
    shape_t result;
    groups all; ///< the kept elements of each feature
};

batch draw_batch(record& r) {
    const shape_t shape = draw_shape(r.d, 2);
    const shape_t tokens(shape.begin(), shape.end() - 1);
    drawn_mask m = draw_mask_for(r, tokens);
    const array<char> of_tokens = spread(m, tokens);
    array<char> kept(size_of(shape));
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] = of_tokens[i / shape.back()];
    }
    const std::vector<std::ptrdiff_t> axes = {-2};
    groups all = kept_along(kept, shape, axes);
    return {shape,         tokens, std::move(m), std::move(kept), reduced_shape(shape, axes),
            std::move(all)};
}

enum class pool { mean, max, first, last };

template <class T>
void check_pool(record& r) {
    const batch b = draw_batch(r);
    operand<T> x(r, b.shape, b.kept, r.d.of({values::plain, values::ties}));
    const pool which = r.d.of({pool::mean, pool::max, pool::first, pool::last});
    const char* names[] = {
        "masked_mean_pool", "masked_max_pool", "masked_first_token", "masked_last_token"
    };
    const char* name = names[static_cast<int>(which)];
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& elements) {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        array<double> expected(b.all.size(), nan);
        array<double> size(b.all.size());
        array<double> slope(elements.size());
        for (std::size_t g = 0; g < b.all.size(); ++g) {
            const auto& group = b.all[g];
            if (group.empty()) {
                expected[g] = which == pool::max ? -std::numeric_limits<double>::infinity() : nan;
                continue;
            }
            double sum = 0;
            double largest = static_cast<double>(elements[group[0]]);
            for (const std::size_t at : group) {
                const auto one = static_cast<double>(elements[at]);
                sum += one;
                size[g] = std::max(size[g], std::abs(one));
                largest = std::max(largest, one);
            }
            expected[g] = which == pool::mean    ? sum / static_cast<double>(group.size())
                          : which == pool::max   ? largest
                          : which == pool::first ? static_cast<double>(elements[group.front()])
                                                 : static_cast<double>(elements[group.back()]);
            double ties = 0;
            for (const std::size_t at : group) {
                ties += static_cast<double>(elements[at]) == largest ? 1 : 0;
            }
            for (const std::size_t at : group) {
                const bool is_largest = static_cast<double>(elements[at]) == largest;
                slope[at] = which == pool::mean    ? 1 / static_cast<double>(group.size())
                            : which == pool::max   ? (is_largest ? 1 / ties : 0)
                            : which == pool::first ? (at == group.front() ? 1 : 0)
                                                   : (at == group.back() ? 1 : 0);
            }
        }
        const xt::xarray<double> up = xt::ones<double>(b.result);
        with_hidden_mask(r, b.mask, [&](const auto& mask) {
            const auto compare = [&](const auto& got, const auto& gradient) {
                r.close(name, got.storage(), expected, size, {rounding<T>}, b.result);
                r.close(
                    (std::string(name) + "_gradient").c_str(), gradient.storage(), slope,
                    {rounding<T>}, b.shape
                );
            };
            switch (which) {
            case pool::mean:
                return compare(
                    xmask::masked_mean_pool(e, mask), xmask::masked_mean_pool_gradient(e, mask, up)
                );
            case pool::max:
                return compare(
                    xmask::masked_max_pool(e, mask), xmask::masked_max_pool_gradient(e, mask, up)
                );
            case pool::first:
                return compare(
                    xmask::masked_first_token(e, mask),
                    xmask::masked_first_token_gradient(e, mask, up)
                );
            case pool::last:
                return compare(
                    xmask::masked_last_token(e, mask),
                    xmask::masked_last_token_gradient(e, mask, up)
                );
            }
        });
    });
}

/// x times weights that broadcast, or times a gate of them.
template <class T>
void check_weights(record& r) {
    const shape_t shape = draw_shape(r.d);
    const shape_t of_gate = draw_broadcast(r.d, shape);
    const array<char> all(size_of(shape), 1);
    const array<char> some(size_of(of_gate), 1);
    operand<T> x(r, shape, all, values::plain);
    operand<T> z(r, of_gate, some, r.d.of({values::plain, values::ties}));
    const bool is_gate = r.d.coin();
    r.mask = is_gate ? "a gate" : "weights";
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& xs) {
        with_operand(r, z, few_layouts<T>{}, [&](const auto& w, const auto& ws) {
            array<double> expected(xs.size());
            std::size_t i = 0;
            for_each_index(shape, [&](const shape_t& index) {
                const auto weight = static_cast<double>(ws[position_in(of_gate, index)]);
                const double factor = is_gate ? 1 / (1 + std::exp(-weight)) : weight;
                expected[i] = static_cast<double>(xs[i]) * factor;
                ++i;
            });
            const xt::xarray<T> got = [&]() -> xt::xarray<T> {
                if (is_gate) {
                    return xmask::multiply(e, xmask::sigmoid_gate(w));
                }
                return xmask::multiply(e, w);
            }();
            r.close("multiply by weights", got.storage(), expected, {rounding<T>}, shape);
        });
    });
}
} // namespace

void run_pools(record& r) {
    const bool pools = r.d.coin();
    with_type<float, double>(r, [&]<class T>(T) {
        if (pools) {
            check_pool<T>(r);
        } else {
            check_weights<T>(r);
        }
    });
}
} // namespace fuzz
