// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <functional>

#include <xmask/masks/boolean.hpp>
#include <xmask/masks/threshold.hpp>

#include "builders.hpp"

/// @file
/// Masks of thresholds and booleans.

namespace fuzz {
namespace {
/// A tensor that decides a mask: none of its elements is dropped.
template <class T>
xt::xarray<T> draw_deciding(record& r, const shape_t& shape) {
    const values like = draw_values(r.d);
    auto x = xt::xarray<T>::from_shape(shape);
    for (T& value : x.storage()) {
        value = draw_value<T>(r.d, like);
    }
    return x;
}

template <class T, class F>
array<char> kept_of(const xt::xarray<T>& x, F&& f) {
    array<char> kept(x.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] = f(x.storage()[i]) ? 1 : 0;
    }
    return kept;
}

/// One comparison of one type.
template <class T, class Make, class Test>
drawn_mask compared(record& r, const shape_t& shape, const char* name, Make&& make, Test&& test) {
    xt::xarray<T> x = draw_deciding<T>(r, shape);
    const T t = draw_value<T>(r.d, r.d.of({values::plain, values::ties, values::specials}));
    array<char> kept = kept_of(x, [&](T e) { return test(e, t); });
    const std::string text = std::string(name) + "(" + type_name<T> + ", " + text_of(t) + ")";
    return made(r, make(std::move(x), t), std::move(kept), text);
}

drawn_mask above(record& r, const shape_t& shape) {
    return compared<float>(
        r, shape, "keep_above", [](auto x, auto t) { return xmask::keep_above(std::move(x), t); },
        std::greater<>()
    );
}

drawn_mask at_least(record& r, const shape_t& shape) {
    return compared<double>(
        r, shape, "keep_at_least",
        [](auto x, auto t) { return xmask::keep_at_least(std::move(x), t); }, std::greater_equal<>()
    );
}

drawn_mask below(record& r, const shape_t& shape) {
    return compared<std::int16_t>(
        r, shape, "keep_below", [](auto x, auto t) { return xmask::keep_below(std::move(x), t); },
        std::less<>()
    );
}

drawn_mask at_most(record& r, const shape_t& shape) {
    return compared<std::int32_t>(
        r, shape, "keep_at_most",
        [](auto x, auto t) { return xmask::keep_at_most(std::move(x), t); }, std::less_equal<>()
    );
}

drawn_mask equal(record& r, const shape_t& shape) {
    return compared<std::uint8_t>(
        r, shape, "keep_equal", [](auto x, auto t) { return xmask::keep_equal(std::move(x), t); },
        std::equal_to<>()
    );
}

drawn_mask not_equal(record& r, const shape_t& shape) {
    return compared<float>(
        r, shape, "keep_not_equal",
        [](auto x, auto t) { return xmask::keep_not_equal(std::move(x), t); }, std::not_equal_to<>()
    );
}

/// Masks of two bounds, and of NaN and infinities.
template <class T>
drawn_mask bounded(record& r, const shape_t& shape) {
    xt::xarray<T> x = draw_deciding<T>(r, shape);
    const T lo = draw_value<T>(r.d, values::plain);
    const T hi = draw_value<T>(r.d, r.d.of({values::plain, values::specials}));
    const std::string bounds =
        std::string("(") + type_name<T> + ", " + text_of(lo) + ", " + text_of(hi) + ")";
    switch (r.d.below(5)) {
    case 0: {
        array<char> kept = kept_of(x, [&](T e) { return e >= lo && e <= hi; });
        return made(
            r, xmask::keep_between(std::move(x), lo, hi), std::move(kept), "keep_between" + bounds
        );
    }
    case 1: {
        array<char> kept = kept_of(x, [&](T e) { return e < lo || e > hi; });
        return made(
            r, xmask::keep_outside(std::move(x), lo, hi), std::move(kept), "keep_outside" + bounds
        );
    }
    case 2: {
        array<char> kept = kept_of(x, [&](T e) {
            return std::abs(static_cast<double>(e)) > static_cast<double>(hi);
        });
        return made(
            r, xmask::keep_magnitude_above(std::move(x), hi), std::move(kept),
            "keep_magnitude_above" + bounds
        );
    }
    case 3: {
        array<char> kept = kept_of(x, [](T e) { return std::isfinite(e); });
        return made(r, xmask::keep_finite(std::move(x)), std::move(kept), "keep_finite");
    }
    default: {
        array<char> kept = kept_of(x, [](T e) { return !std::isnan(e); });
        return made(r, xmask::keep_not_nan(std::move(x)), std::move(kept), "keep_not_nan");
    }
    }
}

drawn_mask booleans(record& r, const shape_t& shape) {
    const std::size_t rare = r.d.of<std::size_t>({1, 2, 3, 20, 200});
    auto b = xt::xarray<bool>::from_shape(shape);
    for (bool& one : b.storage()) {
        one = r.d.once_in(rare);
    }
    if (r.d.coin()) {
        array<char> kept = kept_of(b, [](bool one) { return one; });
        return made(r, xmask::keep_where(std::move(b)), std::move(kept), "keep_where");
    }
    array<char> kept = kept_of(b, [](bool one) { return !one; });
    return made(r, xmask::drop_where(std::move(b)), std::move(kept), "drop_where");
}
} // namespace

const builders& threshold_builders() {
    static const builders all = {
        {any_shape, booleans},       {any_shape, above},           {any_shape, at_least},
        {any_shape, below},          {any_shape, at_most},         {any_shape, equal},
        {any_shape, bounded<float>}, {any_shape, bounded<double>}, {any_shape, not_equal},
    };
    return all;
}
} // namespace fuzz
