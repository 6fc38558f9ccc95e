// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/apply/masked_select.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/mse.hpp>
#include <xmask/reduce/softmax.hpp>
#include <xmask/reduce/sum.hpp>

#include "families.hpp"
#include "fill.hpp"
#include "reduce.hpp"

/// @file
/// Masks in their own types, where these have own paths: thresholds that decide registers, lengths
/// and indices that are packed for short rows, tensors of bool. And masks that read the written
/// tensor.

namespace fuzz {
namespace {
/// A tensor, and the elements that a mask keeps of it.
template <class T>
struct scene {
    shape_t shape;
    xt::xarray<T> x;
    array<T> elements;
    array<char> kept;
};

template <class T, class M>
void check_moves(record& r, const scene<T>& s, const M& m) {
    array<T> expected = s.elements;
    std::vector<T> chosen;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (s.kept[i] != 0) {
            chosen.push_back(expected[i]);
        }
        expected[i] = s.kept[i] != 0 ? expected[i] : T(-7);
    }
    const xt::xarray<T> filled = xmask::masked_fill(s.x, m, -7);
    r.same("masked_fill, native", filled.storage(), expected, s.shape);
    const auto selected = xmask::masked_select(s.x, m);
    array<T> wanted(chosen.size());
    std::copy(chosen.begin(), chosen.end(), wanted.begin());
    r.same("masked_select, native", selected.storage(), wanted, {chosen.size()});
    // Inside a larger expression; twice a number is exact.
    const xt::xarray<T> twice = T(2) * xmask::masked_fill(s.x, m, -7) + xmask::multiply(s.x, m);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] = static_cast<T>(T(2) * expected[i] + (s.kept[i] != 0 ? s.elements[i] : T(0)));
    }
    r.same("masked_fill + multiply, native", twice.storage(), expected, s.shape);
}

template <class T, class M>
void check_sums(record& r, const scene<T>& s, const M& m) {
    const std::size_t n = columns_of(s.shape);
    const std::size_t rows = rows_of(s.shape);
    references all(1);
    references each(rows);
    references squares(1);
    array<double> gradient(s.kept.size());
    double count = 0;
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        if (s.kept[i] != 0) {
            const auto x = static_cast<double>(s.elements[i]);
            count += 1;
            all.value[0] += x;
            all.size[0] += std::abs(x);
            each.value[i / n] += x;
            each.size[i / n] += std::abs(x);
            squares.value[0] += (x - 1) * (x - 1);
            gradient[i] = 2 * (x - 1);
        }
    }
    squares.size[0] = squares.value[0];
    const bound by{std::is_same_v<T, float> ? 1e-7 : 1e-13};
    const T sum = xmask::masked_sum(s.x, m);
    r.close("masked_sum, native", array<T>(1, sum), all.value, all.size, by, {});
    if (!s.shape.empty()) {
        const auto sums = xmask::masked_sum(s.x, m, -1);
        r.close("masked_sum along rows, native", sums.storage(), each.value, each.size, by, {rows});
    }
    xt::xarray<T> slope;
    const xt::xarray<T> ones = xt::ones<T>(s.shape);
    const xmask::loss loss = xmask::masked_mse(s.x, ones, m, slope);
    r.close(
        "masked_mse, native", array<double>(1, loss.sum), squares.value, squares.size,
        {rounding<T>}, {}
    );
    r.number("weight of masked_mse, native", loss.weight(), count);
    r.close("gradient of masked_mse, native", slope.storage(), gradient, {rounding<T>}, s.shape);
}

template <class T, class M>
void check_row_softmax(record& r, const scene<T>& s, const M& m) {
    if (s.shape.empty()) {
        return;
    }
    array<double> expected(s.kept.size());
    const std::size_t n = columns_of(s.shape);
    for (std::size_t row = 0; row < rows_of(s.shape); ++row) {
        double sum = 0;
        for (std::size_t c = 0; c < n; ++c) {
            const std::size_t i = row * n + c;
            expected[i] = s.kept[i] != 0 ? std::exp(static_cast<double>(s.elements[i])) : 0;
            sum += expected[i];
        }
        for (std::size_t c = 0; c < n; ++c) {
            expected[row * n + c] = sum > 0 ? expected[row * n + c] / sum : 0;
        }
    }
    const xt::xarray<T> got = xmask::masked_softmax(s.x, m);
    r.close("masked_softmax, native", got.storage(), expected, {rounding<T>, 1e-37}, s.shape);
}

template <class T, class M>
void check_native(record& r, scene<T>& s, const M& m, const char* text) {
    r.mask = text;
    r.operands = std::string(type_name<T>) + " " + text_of(s.shape);
    switch (r.d.below(3)) {
    case 0:
        return check_moves(r, s, m);
    case 1:
        return check_sums(r, s, m);
    default:
        return check_row_softmax(r, s, m);
    }
}

/// Writes garbage to dropped elements, unless the mask reads them.
template <class T>
void hide_dropped(record& r, scene<T>& s) {
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        if (s.kept[i] == 0) {
            s.elements[i] = draw_garbage<T>(r.d);
            s.x.storage()[i] = s.elements[i];
        }
    }
}

template <class T>
scene<T> draw_scene(record& r) {
    const shape_t shape = draw_shape(r.d);
    scene<T> s{
        shape, xt::xarray<T>::from_shape(shape), array<T>(size_of(shape)),
        array<char>(size_of(shape))
    };
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        s.elements[i] = draw_value<T>(r.d, values::plain);
        s.x.storage()[i] = s.elements[i];
    }
    return s;
}

template <class T>
void check_threshold(record& r) {
    scene<T> s = draw_scene<T>(r);
    const T t = draw_value<T>(r.d, values::plain);
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        s.kept[i] = s.elements[i] > t;
    }
    check_native(r, s, xmask::keep_above(s.x, t), "keep_above(x, t) of the operand");
}

template <class T>
void check_boolean(record& r) {
    scene<T> s = draw_scene<T>(r);
    xt::xarray<bool> b = xt::xarray<bool>::from_shape(s.shape);
    const std::size_t rare = r.d.of<std::size_t>({1, 2, 10});
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        b.storage()[i] = r.d.once_in(rare);
        s.kept[i] = b.storage()[i];
    }
    hide_dropped(r, s);
    check_native(r, s, xmask::keep_where(b), "keep_where(b)");
}

template <class T>
void check_lengths(record& r) {
    scene<T> s = draw_scene<T>(r);
    if (s.shape.empty()) {
        return;
    }
    const std::size_t n = s.shape.back();
    xt::xarray<std::int32_t> lengths =
        xt::xarray<std::int32_t>::from_shape(shape_t(s.shape.begin(), s.shape.end() - 1));
    for (auto& length : lengths.storage()) {
        length = static_cast<std::int32_t>(r.d.from(0, n));
    }
    const bool inverts = r.d.coin();
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        s.kept[i] = std::cmp_less(i % n, lengths.storage()[i / n]) != inverts;
    }
    hide_dropped(r, s);
    if (inverts) {
        check_native(r, s, !xmask::keep_lengths(lengths, n), "!keep_lengths");
    } else {
        check_native(r, s, xmask::keep_lengths(lengths, n), "keep_lengths");
    }
}

template <class T>
void check_indices(record& r) {
    scene<T> s = draw_scene<T>(r);
    if (s.shape.empty() || s.kept.size() == 0) {
        return;
    }
    const std::size_t n = s.shape.back();
    std::vector<std::size_t> columns;
    for (std::size_t k = r.d.below(std::min<std::size_t>(n, 40)); k > 0; --k) {
        columns.push_back(r.d.below(n));
    }
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        s.kept[i] = std::count(columns.begin(), columns.end(), i % n) == 0;
    }
    hide_dropped(r, s);
    check_native(r, s, xmask::drop_indices(columns, s.shape), "drop_indices");
}

/// In place, under a mask that reads the written tensor.
template <class T>
void check_own_threshold(record& r) {
    scene<T> s = draw_scene<T>(r);
    const T t = draw_value<T>(r.d, values::plain);
    const T value = draw_value<T>(r.d, values::plain);
    for (std::size_t i = 0; i < s.kept.size(); ++i) {
        s.kept[i] = s.elements[i] <= t;
        s.elements[i] = s.kept[i] != 0 ? s.elements[i] : value;
    }
    r.mask = "keep_at_most of the tensor that is written";
    r.operands = std::string(type_name<T>) + " " + text_of(s.shape);
    const std::size_t n = columns_of(s.shape);
    if (r.d.coin() && !s.shape.empty()) {
        r.mask = "shift(keep_at_most(x, t), 1) of the tensor that is written";
        for (std::size_t i = 0; i < s.kept.size(); ++i) {
            const bool keeps = i % n != 0 && s.x.storage()[i - 1] <= t; // reads the column before
            s.elements[i] = keeps ? s.x.storage()[i] : value;
        }
        xmask::masked_fill_inplace(s.x, xmask::shift(xmask::keep_at_most(s.x, t), 1), value);
    } else if (r.d.coin()) {
        xmask::masked_fill_inplace(s.x, xmask::keep_at_most(s.x, t), value);
    } else {
        xt::noalias(s.x) = xmask::masked_fill(s.x, xmask::keep_at_most(s.x, t), value);
    }
    r.same("masked_fill in place by its own threshold", s.x.storage(), s.elements, s.shape);
}
} // namespace

void run_natives(record& r) {
    const std::size_t which = r.d.below(5);
    with_type<float, double>(r, [&]<class T>(T) {
        switch (which) {
        case 0:
            return check_threshold<T>(r);
        case 1:
            return check_boolean<T>(r);
        case 2:
            return check_lengths<T>(r);
        case 3:
            return check_indices<T>(r);
        default:
            return check_own_threshold<T>(r);
        }
    });
}
} // namespace fuzz
