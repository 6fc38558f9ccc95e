// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/masked_replace.hpp>
#include <xmask/apply/multiply.hpp>

#if __has_include(<xtensor/core/xnoalias.hpp>)
#include <xtensor/core/xnoalias.hpp>
#elif __has_include(<xtensor/xnoalias.hpp>)
#include <xtensor/xnoalias.hpp>
#endif

#include "mask.hpp"
#include "operand.hpp"

/// @file
/// Fills, products and replacements, for each element type.

namespace fuzz {
/// Three types have all layouts and lazy operands, the others have two layouts.
template <class T>
using layouts_of = std::conditional_t<
    std::is_same_v<T, float> || std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::uint8_t>,
    every_layout, rows_and_strided>;

/// y = f(x, m), lazy, assigned to a tensor of any layout.
template <class T>
void check_lazy_fill(record& r, operand<T>& x, const drawn_mask& m, const array<char>& kept) {
    const bool multiplies = r.d.coin();
    const T value = multiplies ? T() : draw_value<T>(r.d, values::plain);
    with_operand(r, x, layouts_of<T>{}, [&](const auto& e, const auto& elements) {
        using V = typename std::decay_t<decltype(e)>::value_type;
        array<V> expected(elements.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            expected[i] = kept[i] != 0 ? elements[i] : static_cast<V>(value);
        }
        with_mask(r, m, [&](const auto& mask) {
            const auto compare = [&](const char* what, const auto& lazy) {
                const array<V> got = with_target<V>(
                    r, x.shape, array<V>(elements.size(), V(1)), rows_and_strided{},
                    [&](auto& to) { xt::noalias(to) = lazy; }
                );
                r.same(what, got, expected, x.shape);
            };
            if (multiplies) {
                compare("multiply", xmask::multiply(e, mask));
            } else {
                compare("masked_fill", xmask::masked_fill(e, mask, value));
            }
        });
    });
}

/// In place, on a tensor of any layout.
template <class T>
void check_fill_inplace(record& r, operand<T>& x, const drawn_mask& m, const array<char>& kept) {
    const bool multiplies = r.d.coin();
    const T value = multiplies ? T() : draw_value<T>(r.d, values::plain);
    r.operands = x.text(layout::rows);
    array<T> expected = x.elements;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] = kept[i] != 0 ? expected[i] : value;
    }
    with_mask(r, m, [&](const auto& mask) {
        const array<T> got = with_target<T>(r, x.shape, x.elements, in_memory{}, [&](auto& to) {
            if (multiplies) {
                xmask::multiply_inplace(to, mask);
            } else {
                xmask::masked_fill_inplace(to, mask, value);
            }
        });
        r.same(multiplies ? "multiply_inplace" : "masked_fill_inplace", got, expected, x.shape);
    });
}

/// Replacement of dropped elements by those of another tensor, which broadcasts.
template <class T>
void check_replace(record& r, operand<T>& x, const drawn_mask& m, const array<char>& kept) {
    const shape_t other_shape = draw_broadcast(r.d, x.shape);
    const array<char> seen(size_of(other_shape), 1);
    operand<T> y(r, other_shape, seen, draw_values(r.d));
    r.operands = x.text(layout::rows);
    with_operand(r, y, rows_and_strided{}, [&](const auto& other, const auto& others) {
        array<T> expected = x.elements;
        std::size_t i = 0;
        for_each_index(x.shape, [&](const shape_t& index) {
            if (kept[i] == 0) {
                expected[i] = others[position_in(other_shape, index)];
            }
            ++i;
        });
        with_mask(r, m, [&](const auto& mask) {
            if (r.d.coin()) {
                const array<T> got =
                    with_target<T>(r, x.shape, x.elements, rows_and_strided{}, [&](auto& to) {
                        xmask::masked_replace_inplace(to, mask, other);
                    });
                r.same("masked_replace_inplace", got, expected, x.shape);
            } else {
                const auto rows = x.rows();
                const xt::xarray<T> got = xmask::masked_replace(rows, mask, other);
                r.same("masked_replace", got.storage(), expected, x.shape);
            }
        });
    });
}

template <class T>
void check_fills(record& r) {
    const shape_t shape = draw_shape(r.d);
    const drawn_mask m = draw_mask_for(r, shape);
    const array<char> kept = spread(m, shape);
    operand<T> x(r, shape, kept, draw_values(r.d));
    const std::string mask = r.mask;
    check_lazy_fill(r, x, m, kept);
    r.mask = mask;
    check_fill_inplace(r, x, m, kept);
    r.mask = mask;
    check_replace(r, x, m, kept);
}
} // namespace fuzz
