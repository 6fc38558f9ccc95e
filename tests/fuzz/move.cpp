// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/apply/masked_scatter.hpp>
#include <xmask/apply/masked_select.hpp>
#include <xmask/apply/pack.hpp>

#include "families.hpp"
#include "mask.hpp"
#include "operand.hpp"

/// @file
/// Operations that move elements: select, scatter, pack and unpack.

namespace fuzz {
namespace {
template <class T>
void check_select(record& r, operand<T>& x, const drawn_mask& m, const array<char>& kept) {
    with_operand(r, x, rows_and_strided{}, [&](const auto& e, const auto& elements) {
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < kept.size(); ++i) {
            if (kept[i] != 0) {
                places.push_back(i);
            }
        }
        array<T> expected(places.size());
        for (std::size_t k = 0; k < places.size(); ++k) {
            expected[k] = elements[places[k]];
        }
        with_mask(r, m, [&](const auto& mask) {
            const auto got = xmask::masked_select(e, mask);
            r.same("masked_select", got.storage(), expected, {expected.size()});
        });
        r.count(kept.size());
    });
}

template <class T>
void check_scatter(record& r, operand<T>& x, const drawn_mask& m, const array<char>& kept) {
    const std::size_t more = r.d.below(3);
    std::size_t count = more;
    for (const char one : kept) {
        count += static_cast<std::size_t>(one);
    }
    const array<char> seen(count, 1);
    operand<T> source(r, {count}, seen, draw_values(r.d));
    array<T> expected = x.elements;
    r.operands = x.text(layout::rows);
    with_operand(r, source, rows_and_strided{}, [&](const auto& from, const auto& elements) {
        std::size_t next = 0;
        for (std::size_t i = 0; i < kept.size(); ++i) {
            expected[i] = kept[i] != 0 ? elements[next++] : expected[i];
        }
        with_mask(r, m, [&](const auto& mask) {
            if (r.d.coin()) {
                const array<T> got =
                    with_target<T>(r, x.shape, x.elements, in_memory{}, [&](auto& to) {
                        xmask::masked_scatter_inplace(to, mask, from);
                    });
                r.same("masked_scatter_inplace", got, expected, x.shape);
            } else {
                const auto rows = x.strided();
                const auto got = xmask::masked_scatter(rows, mask, from);
                r.same("masked_scatter", got.storage(), expected, x.shape);
            }
        });
    });
}

/// The mask has the shape of the tensor without its last axis.
template <class T>
void check_pack(record& r) {
    const shape_t shape = draw_shape(r.d, 1);
    const shape_t tokens(shape.begin(), shape.end() - 1);
    const std::size_t features = shape.back();
    const drawn_mask m = draw_mask(r, tokens, r.d.below(4));
    r.mask = m.text + " of shape " + text_of(tokens);
    array<char> kept(size_of(shape));
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] = m.kept[i / features];
        if (kept[i] != 0) {
            places.push_back(i);
        }
    }
    operand<T> x(r, shape, kept, draw_values(r.d));
    with_operand(r, x, rows_and_strided{}, [&](const auto& e, const auto& elements) {
        array<T> expected(places.size());
        for (std::size_t k = 0; k < places.size(); ++k) {
            expected[k] = elements[places[k]];
        }
        with_mask(r, m, [&](const auto& mask) {
            const auto packed = xmask::pack(e, mask);
            const shape_t packed_shape(packed.shape().begin(), packed.shape().end());
            r.same("pack", packed.storage(), expected, packed_shape);
            const T padding = draw_value<T>(r.d, values::plain);
            array<T> back(kept.size(), padding);
            for (std::size_t k = 0; k < places.size(); ++k) {
                back[places[k]] = expected[k];
            }
            const auto unpacked = xmask::unpack(packed, mask, padding);
            r.same("unpack", unpacked.storage(), back, shape);
        });
    });
}

template <class T>
void check_moves(record& r) {
    if (r.d.once_in(3)) {
        check_pack<T>(r);
        return;
    }
    const shape_t shape = draw_shape(r.d);
    const drawn_mask m = draw_mask_for(r, shape);
    const array<char> kept = spread(m, shape);
    operand<T> x(r, shape, kept, draw_values(r.d));
    if (r.d.coin()) {
        check_select(r, x, m, kept);
    } else {
        check_scatter(r, x, m, kept);
    }
}
} // namespace

void run_move(record& r) {
    with_type<float, double, std::int8_t, std::uint16_t, std::int32_t, bool>(r, [&]<class T>(T) {
        check_moves<T>(r);
    });
}
} // namespace fuzz
