// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/extreme.hpp>

namespace {
constexpr auto max_of = [](const auto& x, const auto& m, const auto&... axes) {
    return xmask::masked_max(x, m, axes...);
};
constexpr auto min_of = [](const auto& x, const auto& m, const auto&... axes) {
    return xmask::masked_min(x, m, axes...);
};

template <class T>
constexpr double lowest =
    std::is_floating_point_v<T> ? -std::numeric_limits<double>::infinity()
                                : static_cast<double>(std::numeric_limits<T>::lowest());
template <class T>
constexpr double highest =
    std::is_floating_point_v<T> ? std::numeric_limits<double>::infinity()
                                : static_cast<double>(std::numeric_limits<T>::max());

template <class T>
double largest(const groups::group& kept) {
    return kept.values.empty() ? lowest<T>
                               : *std::max_element(kept.values.begin(), kept.values.end());
}

template <class T>
double smallest(const groups::group& kept) {
    return kept.values.empty() ? highest<T>
                               : *std::min_element(kept.values.begin(), kept.values.end());
}

double place_of_largest(const groups::group& kept) {
    return static_cast<double>(kept.places[static_cast<std::size_t>(
        std::max_element(kept.values.begin(), kept.values.end()) - kept.values.begin()
    )]);
}

double place_of_smallest(const groups::group& kept) {
    return static_cast<double>(kept.places[static_cast<std::size_t>(
        std::min_element(kept.values.begin(), kept.values.end()) - kept.values.begin()
    )]);
}

bool keeps_something(const groups::group& kept) { return !kept.values.empty(); }
} // namespace

TEMPLATE_TEST_CASE(
    "The largest and the smallest over every choice of axes", "[extreme]", float, long double,
    std::int8_t, std::uint16_t, std::int64_t, bool
) {
    groups::require_reduction<TestType>(max_of, largest<TestType>, 0.);
    groups::require_reduction<TestType>(min_of, smallest<TestType>, 0.);
    const xt::xarray<TestType> x = xt::ones<TestType>({2, 3});
    const xmask::bitmask m = xmask::keep_all({2, 3});
    STATIC_REQUIRE(std::is_same_v<decltype(xmask::masked_max(x, m)), TestType>);
    STATIC_REQUIRE(std::is_same_v<decltype(xmask::masked_min(x, m, 0)), xt::xarray<TestType>>);
}

TEMPLATE_TEST_CASE(
    "The places of the largest and the smallest", "[extreme]", float, std::int64_t, bool
) {
    groups::require_reduction<TestType>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_argmax(x, m, axes...);
        },
        place_of_largest, 0., keeps_something
    );
    groups::require_reduction<TestType>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_argmin(x, m, axes...);
        },
        place_of_smallest, 0., keeps_something
    );
}

TEST_CASE("Extremes of any layout", "[extreme]") {
    groups::require_layouts<float>(max_of, largest<float>, 0.);
    groups::require_layouts<std::int32_t>(min_of, smallest<std::int32_t>, 0.);
    groups::require_layouts<double>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_argmax(x, m, axes..., xmask::when_empty::zero);
        },
        [](const groups::group& kept) { return kept.values.empty() ? 0. : place_of_largest(kept); },
        0.
    );
}

TEST_CASE("Extremes of rows of every length", "[extreme]") {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<float>({5, n}, 3);
        const auto chosen = oracle::random<bool>({5, n}, 4);
        const auto m = xmask::keep_where(chosen);
        const auto kept = oracle::elements(chosen);
        CAPTURE(n);
        groups::require_groups(
            xmask::masked_max(x, m, 1), groups::collect(x, kept, {1}), largest<float>, 0.
        );
        groups::require_groups(
            xmask::masked_min(x, m, 0), groups::collect(x, kept, {0}), smallest<float>, 0.
        );
        REQUIRE(
            static_cast<double>(xmask::masked_max(x, m)) ==
            largest<float>(groups::collect(x, kept, {0, 1}).groups[0])
        );
    }
}

TEMPLATE_TEST_CASE(
    "NaN that is kept is the extreme, wherever it stands", "[extreme]", float, double
) {
    const auto nan = std::numeric_limits<TestType>::quiet_NaN();
    for (const std::size_t n : {1u, 5u, 64u, 65u, 200u}) {
        const xmask::bitmask m = xmask::keep_all({3, n});
        for (const std::size_t c : {std::size_t(0), n / 2, n - 1}) {
            auto x = oracle::random<TestType>({3, n}, 1);
            x(1, c) = nan;
            CAPTURE(n, c);
            REQUIRE(std::isnan(xmask::masked_max(x, m)));
            REQUIRE(std::isnan(xmask::masked_min(x, m)));
            REQUIRE(xmask::masked_argmax(x, m) == n + c);
            REQUIRE(xmask::masked_argmin(x, m) == n + c);
            const auto rows = xmask::masked_max(x, m, 1);
            REQUIRE((!std::isnan(rows(0)) && std::isnan(rows(1)) && !std::isnan(rows(2))));
            const auto columns = xmask::masked_min(x, m, 0);
            for (std::size_t k = 0; k < n; ++k) {
                REQUIRE(std::isnan(columns(k)) == (k == c));
            }
            REQUIRE(xmask::masked_argmin(x, m, 0)(c) == 1);
            REQUIRE(xmask::masked_argmax(x, m, 1)(1) == c);
            x(2, n - 1) = nan;
            REQUIRE(xmask::masked_argmax(x, m) == n + c);
        }
    }
}

TEST_CASE("Extremes of infinities and of the types' ends", "[extreme]") {
    const float infinity = std::numeric_limits<float>::infinity();
    const xt::xarray<float> x = {{-infinity, -infinity, -infinity}};
    const xmask::bitmask m = xmask::keep_lengths({2}, 3);
    REQUIRE(xmask::masked_max(x, m, 1)(0) == -infinity);
    REQUIRE(xmask::masked_argmax(x, xmask::keep_last({2}, 3), -1)(0) == 1);
    const xt::xarray<std::int8_t> low = {-128, -128};
    REQUIRE(xmask::masked_argmax(low, xmask::bitmask(xmask::keep_all(2))) == 0);
    REQUIRE(xmask::masked_max(low, xmask::bitmask(xmask::keep_all(2))) == -128);
}

TEST_CASE("Extremes of nothing", "[extreme]") {
    using xmask::when_empty;
    const auto x = oracle::random<float>({2, 3}, 1);
    const auto whole = oracle::random<int>({2, 3}, 1);
    const xmask::bitmask m = xmask::keep_lengths({3, 0}, 3);
    const xmask::bitmask none = xmask::keep_none({2, 3});
    REQUIRE(xmask::masked_max(x, none) == -std::numeric_limits<float>::infinity());
    REQUIRE(std::isnan(xmask::masked_max(x, none, when_empty::nan)));
    REQUIRE(xmask::masked_min(x, none, when_empty::zero) == 0.f);
    REQUIRE_THROWS_AS(xmask::masked_min(x, m, 1, when_empty::raise), std::domain_error);
    REQUIRE_THROWS_AS(xmask::masked_max(whole, none, when_empty::nan), std::domain_error);
    REQUIRE(xmask::masked_max(whole, m, 1, {.empty = when_empty::zero})(1) == 0);
    REQUIRE_THROWS_AS(xmask::masked_argmax(x, none), std::domain_error);
    REQUIRE_THROWS_WITH(
        xmask::masked_argmin(x, m, 1),
        "xmask::masked_argmin: nothing is kept, so there is no position"
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_argmax(x, none, when_empty::nan),
        "xmask::masked_argmax: nothing is kept, so there is no position"
    );
    REQUIRE(xmask::masked_argmax(x, none, when_empty::zero) == 0);
    REQUIRE(
        xmask::masked_argmin(x, m, -1, {.empty = when_empty::zero, .keep_axes = true})
            .dimension() == 2
    );
}

TEST_CASE("Extremes agree with PyTorch", "[extreme]") {
    const auto rows = oracle::reference<float>("reduce_rows", "x");
    const xmask::bitmask rows_mask =
        xmask::keep_where(oracle::reference<bool>("reduce_rows", "mask"));
    REQUIRE(oracle::close(
        xmask::masked_max(rows, rows_mask, 1), oracle::reference<double>("reduce_rows", "amax"), 0.
    ));
    REQUIRE(oracle::close(
        xmask::masked_min(rows, rows_mask, 1), oracle::reference<double>("reduce_rows", "amin"), 0.
    ));
    REQUIRE(oracle::close(
        xmask::masked_argmax(rows, rows_mask, 1, xmask::when_empty::zero),
        oracle::reference<double>("reduce_rows", "argmax"), 0.
    ));
    REQUIRE(oracle::close(
        xmask::masked_argmin(rows, rows_mask, 1, xmask::when_empty::zero),
        oracle::reference<double>("reduce_rows", "argmin"), 0.
    ));
    const auto all = oracle::reference<float>("reduce_all", "x");
    const xmask::bitmask all_mask =
        xmask::keep_where(oracle::reference<bool>("reduce_all", "mask"));
    REQUIRE(
        static_cast<double>(xmask::masked_max(all, all_mask)) ==
        oracle::reference<double>("reduce_all", "amax")()
    );
    REQUIRE(
        static_cast<double>(xmask::masked_min(all, all_mask)) ==
        oracle::reference<double>("reduce_all", "amin")()
    );
    const auto first = oracle::reference<float>("reduce_axis_0", "x");
    const xmask::bitmask first_mask =
        xmask::keep_where(oracle::reference<bool>("reduce_axis_0", "mask"));
    REQUIRE(oracle::close(
        xmask::masked_max(first, first_mask, 0), oracle::reference<double>("reduce_axis_0", "amax"),
        0.
    ));
    const auto second = oracle::reference<float>("reduce_axis_1", "x");
    const xmask::bitmask second_mask =
        xmask::keep_where(oracle::reference<bool>("reduce_axis_1", "mask"));
    REQUIRE(oracle::close(
        xmask::masked_min(second, second_mask, 1),
        oracle::reference<double>("reduce_axis_1", "amin"), 0.
    ));
}

TEST_CASE("Extremes refuse what does not fit", "[extreme]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    REQUIRE_THROWS_WITH(
        xmask::masked_max(x, xmask::bitmask(xmask::keep_all(2))),
        ContainsSubstring("xmask::masked_max: a mask of shape (2,)")
    );
    REQUIRE_THROWS_AS(
        xmask::masked_argmin(x, xmask::bitmask(xmask::keep_all({2, 2, 3})), 0),
        std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_argmax(x, xmask::bitmask(xmask::keep_all({2, 3})), 2), std::out_of_range
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_min(x, xmask::bitmask(xmask::keep_all({2, 3})), {0, 0}),
        ContainsSubstring("xmask::masked_min: axis 0 is named twice")
    );
}

TEST_CASE("Extremes by a threshold, whose lanes are taken as they are", "[extreme]") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();
    xt::xtensor<float, 2> x = xt::zeros<float>({3, 200});
    xt::xtensor<float, 2> y = xt::zeros<float>({3, 200});
    for (std::size_t i = 0; i < x.size(); ++i) {
        y.data()[i] = static_cast<float>(i * 7 % 5) - 2.f;
        x.data()[i] = y.data()[i] > 0.f ? static_cast<float>(i * 37 % 201) - 100.f : nan;
    }
    // Row 1 keeps NaN, row 2 nothing.
    x(1, 77) = nan;
    y(1, 77) = 1.f;
    xt::view(y, 2, xt::all()) = -1.f;
    const auto m = xmask::keep_above(y, 0.f);
    const auto largest = xmask::masked_max(x, m, 1);
    const auto smallest = xmask::masked_min(x, m, 1);
    float high = -infinity;
    float low = infinity;
    for (std::size_t c = 0; c < 200; ++c) {
        high = y(0, c) > 0.f ? std::max(high, x(0, c)) : high;
        low = y(0, c) > 0.f ? std::min(low, x(0, c)) : low;
    }
    REQUIRE(largest(0) == high);
    REQUIRE(smallest(0) == low);
    REQUIRE(std::isnan(largest(1)));
    REQUIRE(std::isnan(smallest(1)));
    REQUIRE(largest(2) == -infinity);
    REQUIRE(smallest(2) == infinity);
    // Flat, too.
    x(1, 77) = 0.f;
    REQUIRE(xmask::masked_max(x, m) >= high);
    REQUIRE(xmask::masked_max(x, xmask::keep_above(y, 5.f)) == -infinity);
}
