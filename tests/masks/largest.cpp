// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/largest.hpp>
#include <xmask/masks/largest_along.hpp>
#include <xmask/masks/largest_slices.hpp>

using xmask::size_by;
using xmask::word_t;

namespace {
template <size_by By, class T>
long double size_of(T x) {
    const auto wide = static_cast<long double>(x);
    return By == size_by::magnitude ? std::abs(wide) : wide;
}

/// The positions of [first, last) of `all`, largest first, NaN last, ties in order.
template <size_by By, class T>
std::vector<std::size_t> ranked(const std::vector<T>& all, std::size_t first, std::size_t last) {
    std::vector<std::size_t> order(last - first);
    std::iota(order.begin(), order.end(), first);
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        const auto a = size_of<By>(all[i]);
        const auto b = size_of<By>(all[j]);
        if (a > b || b > a) {
            return a > b;
        }
        const bool number = a == a;
        return number == (b == b) ? i < j : number;
    });
    return order;
}

template <size_by By, class T>
std::vector<char> top_k(
    const std::vector<T>& all, std::size_t columns, std::size_t group, std::size_t k
) {
    std::vector<char> kept(all.size());
    for (std::size_t first = 0; columns != 0 && first < all.size(); first += group) {
        const auto order = ranked<By>(all, first, first + group);
        for (std::size_t i = 0; i < k; ++i) {
            kept[order[i]] = 1;
        }
    }
    return kept;
}

/// Few different values, so that ties are frequent; the lowest number, and NaN for real types.
template <class T>
xt::xarray<T> crowded(const std::vector<std::size_t>& shape, unsigned seed) {
    auto x = oracle::random<T>(shape, seed);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = i % 11 == 3 ? std::numeric_limits<T>::lowest()
                                : static_cast<T>(static_cast<int>(x.flat(i)) % 5);
        if (std::is_floating_point_v<T> && i % 7 == 5) {
            x.flat(i) = std::numeric_limits<T>::quiet_NaN();
        }
    }
    return x;
}
} // namespace

TEMPLATE_TEST_CASE(
    "The largest of rows, of everything and of groups", "[largest]", float, double, std::int8_t,
    std::int32_t, std::uint16_t
) {
    using T = TestType;
    for (const std::size_t n : {1u, 4u, 64u, 68u, 200u}) {
        const auto x = crowded<T>({5, n}, 3);
        const auto all = oracle::elements(x);
        CAPTURE(n);
        for (const std::size_t k : {std::size_t(0), std::size_t(1), n / 3, n - 1, n}) {
            CAPTURE(k);
            oracle::require_words(xmask::keep_top_k(x, k), top_k<size_by::value>(all, n, n, k));
            oracle::require_words(
                xmask::keep_top_k<size_by::magnitude>(x, k), top_k<size_by::magnitude>(all, n, n, k)
            );
        }
        for (const double fraction : {0., 0.1, 0.5, 0.97, 1.}) {
            CAPTURE(fraction);
            const auto k =
                static_cast<std::size_t>(std::llround(fraction * static_cast<double>(x.size())));
            oracle::require_words(
                xmask::keep_largest(x, fraction), top_k<size_by::value>(all, n, 5 * n, k)
            );
            const auto by_magnitude = xmask::keep_largest<size_by::magnitude>(x, fraction);
            oracle::require_words(by_magnitude, top_k<size_by::magnitude>(all, n, 5 * n, k));
            REQUIRE(xmask::count_kept(by_magnitude) == k);
        }
        if (n % 4 == 0) {
            oracle::require_words(xmask::keep_n_of_m(x, 2, 4), top_k<size_by::value>(all, n, 4, 2));
            oracle::require_words(
                xmask::keep_n_of_m<size_by::magnitude>(x, 1, 4),
                top_k<size_by::magnitude>(all, n, 4, 1)
            );
        }
    }
    const auto odd = crowded<T>({2, 66}, 4);
    oracle::require_words(
        xmask::keep_n_of_m(odd, 2, 3), top_k<size_by::value>(oracle::elements(odd), 66, 3, 2)
    );
    oracle::require_words(xmask::keep_n_of_m(odd, 0, 3), std::vector<char>(odd.size()));
}

TEST_CASE("Groups of every size", "[largest]") {
    for (const std::size_t m : {1u, 2u, 3u, 5u, 8u, 11u, 16u, 17u, 40u}) {
        // One group, less than a word, and more, so that groups cross words.
        for (const std::size_t groups : {std::size_t(1), std::size_t(4), 230 / m}) {
            const auto x = crowded<float>({3, m * groups}, 3);
            const auto all = oracle::elements(x);
            const xt::xarray<float> turned = xt::transpose(x);
            for (const std::size_t n : {std::size_t(0), std::size_t(1), (m + 1) / 2, m - 1, m}) {
                CAPTURE(n, m, groups);
                const auto expected = top_k<size_by::value>(all, m * groups, m, n);
                const auto mask = xmask::keep_n_of_m(x, n, m);
                oracle::require_words(mask, expected);
                const auto row = mask.row(2);
                // Words from any column on, as stores at aligned addresses ask for them.
                for (std::size_t c = m * groups / 3; c < m * groups; c += 64) {
                    const std::size_t first = 2 * m * groups + c;
                    for (std::size_t at = c; at < std::min(c + 64, m * groups); ++at) {
                        REQUIRE((row.word(c) >> (at - c) & 1) == word_t(expected[first + at - c]));
                    }
                }
                oracle::require_words(
                    xmask::keep_n_of_m(xt::view(x, xt::all(), xt::all()), n, m), expected
                );
                const xt::xarray<bool> down = xmask::keep_n_of_m(turned, n, m, 0);
                const auto kept = oracle::elements(xt::xarray<bool>(xt::transpose(down)));
                REQUIRE(std::equal(kept.begin(), kept.end(), expected.begin(), expected.end()));
            }
        }
    }
}

namespace {
/// Groups of four of all orders of some floats: ties, both zeros, infinities, NaN of both signs.
template <size_by By>
void require_groups_in_registers() {
    using limits = std::numeric_limits<float>;
    const std::vector<float> values = {
        0.f,
        -0.f,
        1.f,
        -1.f,
        limits::infinity(),
        -limits::infinity(),
        limits::lowest(),
        limits::denorm_min(),
        limits::quiet_NaN(),
        -limits::quiet_NaN(),
    };
    xt::xarray<float> x = xt::zeros<float>({2, 20480});
    for (std::size_t i = 0; i < x.size(); ++i) {
        // Each value at each of the four places, in all combinations.
        std::size_t group = i / 4;
        for (std::size_t place = 0; place < i % 4; ++place) {
            group /= values.size();
        }
        x.flat(i) = values[group % values.size()];
    }
    const auto all = oracle::elements(x);
    for (std::size_t n = 0; n <= 4; ++n) {
        const auto expected = top_k<By>(all, 20480, 4, n);
        const auto mask = xmask::keep_n_of_m<By>(x, n, 4);
        const auto right = [&](const auto& filled) {
            return std::equal(
                filled.begin(), filled.end(), expected.begin(), expected.end(),
                [](float y, char kept) { return (y != 2.f) == (kept != 0); }
            );
        };
        REQUIRE(right(xt::xarray<float>(xmask::masked_fill(x, mask, 2.f))));
        // Past an aligned address, so that blocks begin within groups.
        xt::xtensor<float, 2> wide({2, 20483}, 0.f);
        auto part = xt::view(wide, xt::all(), xt::range(3, 20483));
        xt::noalias(part) = xmask::masked_fill(x, mask, 2.f);
        REQUIRE(right(part));
    }
}
} // namespace

TEST_CASE("Groups of four floats within registers", "[largest]") {
    require_groups_in_registers<size_by::value>();
    require_groups_in_registers<size_by::magnitude>();
}

TEST_CASE("The largest elements of other layouts and lazy operands", "[largest]") {
    const auto x = crowded<float>({3, 130}, 5);
    const auto expected =
        top_k<size_by::value>(oracle::elements(xt::xarray<float>(2.f * x)), 130, 130, 40);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        CAPTURE(layout);
        oracle::require_mask(xmask::keep_top_k(operand, 40), expected);
        oracle::require_words(
            xmask::keep_n_of_m(operand, 1, 2), top_k<size_by::value>(oracle::elements(x), 130, 2, 1)
        );
    });
    const auto made = [&] { return xmask::keep_top_k(xt::xarray<float>(x), 40); }();
    oracle::require_words(made, expected);
}

TEST_CASE("What can't be the largest is refused", "[largest]") {
    const xt::xtensor<float, 2> x = xt::zeros<float>({2, 6});
    REQUIRE_THROWS_WITH(
        xmask::keep_top_k(x, 7), "xmask::keep_top_k: k 7 is outside of [0, 6], the length of a row"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_largest(x, 1.5), "xmask::keep_largest: fraction is 1.5; expected 0 to 1"
    );
    REQUIRE_THROWS_WITH(
        xmask::keep_n_of_m(x, 2, 4),
        "xmask::keep_n_of_m: 2 of every 4 in rows of 6; expected at most the group's size, and rows of whole groups"
    );
    REQUIRE_THROWS_AS(xmask::keep_n_of_m(x, 4, 3), std::invalid_argument);
    REQUIRE_THROWS_AS(xmask::keep_n_of_m(x, 0, 0), std::invalid_argument);
}

TEST_CASE("The largest are those that PyTorch keeps", "[largest]") {
    const auto rows = oracle::reference<float>("keep_top_k_per_row", "w");
    oracle::require_words(
        xmask::keep_top_k<size_by::magnitude>(rows, 7),
        oracle::elements(oracle::reference<bool>("keep_top_k_per_row", "mask"))
    );
    const auto groups = oracle::reference<float>("keep_2_of_4", "w");
    oracle::require_words(
        xmask::keep_n_of_m<size_by::magnitude>(groups, 2, 4),
        oracle::elements(oracle::reference<bool>("keep_2_of_4", "mask"))
    );
}

TEST_CASE("Nothing is the largest of nothing", "[largest]") {
    for (const std::vector<std::size_t>& shape :
         std::vector<std::vector<std::size_t>>{{0}, {0, 3}, {3, 0}, {2, 3, 0}}) {
        CAPTURE(shape.size(), shape.front());
        const auto x = oracle::random<float>(shape, 5);
        const auto check = [&](const auto& m) {
            oracle::require_words(m, {});
            const xmask::bitmask stored = m;
            REQUIRE(stored == xmask::bitmask(xmask::keep_none(shape)));
        };
        check(xmask::keep_top_k(x, 0));
        check(xmask::keep_largest(x, 0.5));
        check(xmask::keep_n_of_m(x, 1, shape.back() == 0 ? 2 : 3));
        for (std::ptrdiff_t axis = 0; axis < static_cast<std::ptrdiff_t>(shape.size()); ++axis) {
            check(xmask::keep_top_k(x, 0, axis));
            check(xmask::keep_n_of_m(x, 1, 1, axis));
            check(xmask::keep_largest_slices(x, 0.5, axis));
        }
    }
}
