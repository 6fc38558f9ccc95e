// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <limits>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_replace.hpp>
#include <xmask/apply/masked_scatter.hpp>
#include <xmask/apply/masked_select.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>

// Elements that are not chosen are never seen: whatever their values, no bit of a selected,
// scattered or replaced element changes.

namespace {
using shape_t = std::vector<std::size_t>;

/// x, with `poison` where `kept` is not `untouched`.
template <class T>
xt::xarray<T> poisoned(xt::xarray<T> x, const xt::xarray<bool>& kept, bool untouched, T poison) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept.flat(i) == untouched ? x.flat(i) : poison;
    }
    return x;
}

template <class T, class E>
void append(std::vector<T>& all, const E& result) {
    const auto more = oracle::elements(result);
    all.insert(all.end(), more.begin(), more.end());
}

template <class T, class M>
void require_unseen(const M& m, const xt::xarray<bool>& kept) {
    using limits = std::numeric_limits<T>;
    const shape_t shape(kept.shape().begin(), kept.shape().end());
    const auto x = oracle::random<T>(shape, 1);
    const auto y = oracle::random<T>(shape, 2);
    const auto source = oracle::random<T>({kept.size()}, 3);
    const std::size_t count = xmask::masked_select(x, m).size();

    const auto select = [&](const xt::xarray<T>& from) {
        std::vector<T> all;
        append(all, xmask::masked_select(from, m));
        append(all, xmask::masked_select(from * from + T(1), m));
        append(all, xmask::masked_scatter(y, m, xmask::masked_select(from, m)));
        return all;
    };
    const auto replace = [&](const xt::xarray<T>& from, const xt::xarray<T>& other) {
        std::vector<T> all;
        append(all, xt::xarray<T>(xmask::masked_replace(from, m, other)));
        append(all, xt::xarray<T>(xmask::masked_replace(from * from, m, other * other)));
        append(all, xt::xarray<T>(T(2) * xmask::masked_replace(from, m, other)));
        append(all, xmask::masked_replace(from, m, other));
        auto in_place = from;
        xmask::masked_replace_inplace(in_place, m, other);
        append(all, in_place);
        return all;
    };
    const auto scatter = [&](const xt::xarray<T>& to, const xt::xarray<T>& from) {
        std::vector<T> all;
        append(all, xmask::masked_scatter(to, m, from));
        auto in_place = to;
        xmask::masked_scatter_inplace(in_place, m, from);
        append(all, in_place);
        return all;
    };
    const auto selected = select(x);
    const auto replaced = replace(x, y);
    const auto scattered = scatter(x, source);
    for (const T poison :
         {limits::quiet_NaN(), -limits::quiet_NaN(), limits::infinity(), -limits::infinity(),
          limits::max(), T(-0.)}) {
        CAPTURE(shape, poison);
        REQUIRE(oracle::same_bits(select(poisoned(x, kept, true, poison)), selected));
        REQUIRE(oracle::same_bits(replace(poisoned(x, kept, true, poison), y), replaced));
        REQUIRE(oracle::same_bits(replace(x, poisoned(y, kept, false, poison)), replaced));
        // The overwritten elements, and the unused elements of the source.
        xt::xarray<T> rest = source;
        std::fill(rest.begin() + static_cast<std::ptrdiff_t>(count), rest.end(), poison);
        REQUIRE(oracle::same_bits(scatter(poisoned(x, kept, false, poison), rest), scattered));
    }
}
} // namespace

TEMPLATE_TEST_CASE(
    "What is not chosen is never seen by select, scatter and replace", "[unseen]", float, double
) {
    for (const std::size_t n : {1u, 3u, 64u, 65u, 200u}) {
        const xt::xtensor<std::size_t, 1> lengths = {n, 0, n / 2, n - n / 3, 1};
        const auto by_length = xmask::keep_lengths(lengths, n);
        require_unseen<TestType>(by_length, by_length);
        const auto kept = oracle::random<bool>({5, n}, 4);
        require_unseen<TestType>(xmask::bitmask(xmask::keep_where(kept)), kept);
    }
}
