// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>
#include <xmask/reduce/sum.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

/// The sum, the magnitudes of its terms and their number, by a loop in long double.
struct naive {
    long double sum = 0;
    long double magnitude = 0;
    double count = 0;

    template <class T>
    naive(const std::vector<T>& x, const std::vector<char>& kept) {
        for (std::size_t i = 0; i < x.size(); ++i) {
            if (kept[i] != 0) {
                const auto term = static_cast<long double>(x[i]);
                sum += term;
                magnitude += std::abs(term);
                ++count;
            }
        }
    }
};

/// The error of a sum as a share of the sum of magnitudes.
template <class T>
double error_of(T sum, const naive& expected) {
    return static_cast<double>(
        std::abs(static_cast<long double>(sum) - expected.sum) / expected.magnitude
    );
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_sum and masked_mean of every type", "[sum]", float, double, long double, bool,
    std::int8_t, std::uint32_t, std::int64_t
) {
    constexpr bool real = std::is_floating_point_v<TestType>;
    using sum_type = std::conditional_t<
        real, TestType,
        std::conditional_t<std::is_signed_v<TestType>, std::int64_t, std::uint64_t>>;
    for (const std::size_t n : oracle::columns) {
        const shape_t shape = {3, n};
        const auto x = oracle::random<TestType>(shape, 1);
        auto none = oracle::random<bool>(shape, 2);
        auto all = none;
        none.fill(false);
        all.fill(true);
        for (const auto& kept : {oracle::random<bool>(shape, 2), none, all}) {
            const auto m = xmask::keep_where(kept);
            const naive expected(oracle::elements(x), oracle::elements(kept));
            const auto sum = xmask::masked_sum(x, m);
            STATIC_REQUIRE(std::is_same_v<decltype(sum), const sum_type>);
            CAPTURE(n);
            // The sums of these numbers are exact.
            REQUIRE(sum == static_cast<sum_type>(expected.sum));
            const auto mean = xmask::masked_mean(x, m);
            STATIC_REQUIRE(std::is_same_v<
                           decltype(mean), const std::conditional_t<real, TestType, double>>);
            const double quotient = static_cast<double>(expected.sum) / expected.count;
            REQUIRE(
                (expected.count == 0 ? std::isnan(mean)
                                     : std::abs(static_cast<double>(mean) - quotient) < 1e-7)
            );
        }
    }
}

TEST_CASE("Sums of integers do not overflow the elements' type", "[sum]") {
    const xt::xarray<std::int8_t> small = xt::ones<std::int8_t>({3, 1000}) * std::int8_t(127);
    REQUIRE(xmask::masked_sum(small, xmask::bitmask(xmask::keep_all({3, 1000}))) == 381000);
    const xt::xarray<std::uint8_t> bytes = xt::ones<std::uint8_t>({1000}) * std::uint8_t(255);
    REQUIRE(xmask::masked_sum(bytes, xmask::bitmask(xmask::keep_all(1000))) == 255000u);
    const xt::xarray<std::int32_t> large =
        xt::ones<std::int32_t>({300}) * std::numeric_limits<std::int32_t>::min();
    REQUIRE(
        xmask::masked_sum(large, xmask::bitmask(xmask::keep_all(300))) ==
        -300 * (std::int64_t(1) << 31)
    );
    REQUIRE(
        xmask::masked_mean(large, xmask::bitmask(xmask::keep_all(300))) ==
        static_cast<double>(std::numeric_limits<std::int32_t>::min())
    );
    const xt::xarray<std::int64_t> exact = {(std::int64_t(1) << 53) + 1, 2, -4};
    REQUIRE(
        xmask::masked_sum(exact, xmask::keep_lengths(xt::xtensor<int, 0>(2), 3)) ==
        (std::int64_t(1) << 53) + 3
    );
}

TEST_CASE("Sums of very many floats are right to 1e-7 of their magnitudes", "[sum]") {
    const std::size_t n = 500001;
    xt::xarray<float> x = xt::zeros<float>({n});
    const auto kept = oracle::random<bool>({n}, 2);
    const auto check = [&] {
        for (const bool whole : {true, false}) {
            xt::xarray<bool> chosen = kept;
            if (whole) {
                chosen.fill(true);
            }
            const auto m = xmask::keep_where(chosen);
            const naive expected(oracle::elements(x), oracle::elements(chosen));
            REQUIRE(error_of(xmask::masked_sum(x, m), expected) < 1e-7);
            REQUIRE(
                error_of(static_cast<double>(xmask::masked_mean(x, m)) * expected.count, expected) <
                1e-7
            );
        }
        // Along rows and columns of a square, too.
        const std::size_t side = 600;
        const xt::xarray<float> square =
            xt::reshape_view(xt::view(x, xt::range(0, side * side)), {side, side});
        const auto rows =
            xmask::masked_sum(square, xmask::bitmask(xmask::keep_all({side, side})), 1);
        const auto columns =
            xmask::masked_sum(square, xmask::bitmask(xmask::keep_all({side, side})), 0);
        const auto elements = oracle::elements(square);
        double worst = 0;
        for (std::size_t k = 0; k < side; k += 66) {
            std::vector<float> row;
            std::vector<float> column;
            for (std::size_t i = 0; i < side; ++i) {
                row.push_back(elements[k * side + i]);
                column.push_back(elements[i * side + k]);
            }
            const std::vector<char> ones(side, 1);
            worst = std::max(
                {worst, error_of(rows(k), naive(row, ones)),
                 error_of(columns(k), naive(column, ones))}
            );
        }
        REQUIRE(worst < 1e-7);
    };
    SECTION("all equal") {
        x.fill(0.1f);
        check();
    }
    SECTION("large and small by turns") {
        for (std::size_t i = 0; i < n; ++i) {
            x(i) = i % 2 == 0 ? 1e7f : 0.3f;
        }
        check();
    }
    SECTION("large ones that cancel, and small ones") {
        for (std::size_t i = 0; i < n; ++i) {
            x(i) = i % 3 == 0 ? 1e6f : i % 3 == 1 ? -1e6f : 0.7f;
        }
        check();
    }
    SECTION("large at first, small afterwards") {
        x.fill(1.1f);
        x(0) = 16777216.f;
        check();
    }
}

TEST_CASE("Sums of numbers near the largest do not overflow where their total does not", "[sum]") {
    xt::xarray<float> x = xt::ones<float>({256});
    for (std::size_t i = 0; i < x.size(); ++i) {
        // By blocks, so that equal signs meet in any order of addition.
        x(i) = i < 128 ? 3e38f : -3e38f;
    }
    REQUIRE(xmask::masked_sum(x, xmask::bitmask(xmask::keep_all(256))) == 0.f);
    REQUIRE(
        xmask::masked_mean(xt::view(x, xt::range(0, 128)), xmask::bitmask(xmask::keep_all(128))) ==
        3e38f
    );
}

TEST_CASE("Sums of every rank, with every mask that broadcasts, of any layout", "[sum]") {
    const std::vector<std::pair<shape_t, shape_t>> cases = {
        {{}, {}},
        {{9}, {}},
        {{9}, {1}},
        {{3, 65}, {65}},
        {{3, 65}, {3, 1}},
        {{3, 1}, {3, 1}},
        {{2, 3, 65}, {3, 1}},
        {{2, 3, 65}, {2, 1, 65}},
        {{2, 3, 2, 7}, {2, 1, 1, 7}},
        {{2, 1, 2, 3, 5}, {1, 1, 2, 1, 5}},
        {{0, 3}, {3}},
        {{3, 0}, {3, 1}},
    };
    for (const auto& [shape, mask_shape] : cases) {
        const auto x = oracle::random<double>(shape, 1);
        const auto kept = oracle::random<bool>(mask_shape, 5);
        const naive expected(
            oracle::elements(x), oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)))
        );
        CAPTURE(shape, mask_shape);
        oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
            CAPTURE(layout);
            REQUIRE(
                xmask::masked_sum(operand, xmask::bitmask(xmask::keep_where(kept))) ==
                static_cast<double>(expected.sum)
            );
        });
    }
}

TEST_CASE("Sums and means by real weights", "[sum]") {
    for (const std::size_t n : {1u, 64u, 130u}) {
        const auto x = oracle::random<float>({3, n}, 1);
        for (const shape_t& shape : {shape_t{3, n}, shape_t{n}, shape_t{3, 1}, shape_t{}}) {
            const xt::xarray<float> weights = oracle::random<float>(shape, 2) + 2.f;
            const auto factors =
                oracle::elements(xt::xarray<float>(xt::broadcast(weights, x.shape())));
            double sum = 0;
            double weight = 0;
            double magnitude = 0;
            for (std::size_t i = 0; i < x.size(); ++i) {
                sum += static_cast<double>(factors[i]) * static_cast<double>(x.flat(i));
                magnitude +=
                    std::abs(static_cast<double>(factors[i]) * static_cast<double>(x.flat(i)));
                weight += static_cast<double>(factors[i]);
            }
            REQUIRE(
                std::abs(static_cast<double>(xmask::masked_sum(x, weights)) - sum) <=
                2e-7 * magnitude
            );
            REQUIRE(
                std::abs(static_cast<double>(xmask::masked_mean(x, weights)) - sum / weight) <=
                2e-7 * magnitude / weight
            );
        }
    }
    const xt::xarray<double> x = {1., 2., 3.};
    REQUIRE(std::isnan(xmask::masked_mean(x, xt::xarray<double>{0., 0., 0.})));
    REQUIRE(xmask::masked_mean(x, xt::xarray<double>{0., 0., 0.}, xmask::when_empty::zero) == 0.);
}

TEST_CASE("The mean of nothing", "[sum]") {
    using Catch::Matchers::ContainsSubstring;
    using xmask::when_empty;
    const auto x = oracle::random<float>({3, 5}, 1);
    const xmask::bitmask none = xmask::keep_none({3, 5});
    REQUIRE(xmask::masked_sum(x, none) == 0.f);
    REQUIRE(std::isnan(xmask::masked_mean(x, none)));
    REQUIRE(xmask::masked_mean(x, none, when_empty::zero) == 0.f);
    REQUIRE_THROWS_AS(xmask::masked_mean(x, none, when_empty::raise), std::domain_error);
    REQUIRE_THROWS_WITH(
        xmask::masked_mean(x, none, when_empty::raise),
        ContainsSubstring("xmask::masked_mean: nothing is kept")
    );
    REQUIRE(std::isnan(xmask::masked_mean(
        xt::xarray<int>(xt::ones<int>({2, 0})), xmask::bitmask(xmask::keep_all({2, 0}))
    )));
}

TEST_CASE("Sums see NaN and infinity where they are kept", "[sum]") {
    auto x = oracle::random<float>({70}, 1);
    x(3) = std::numeric_limits<float>::infinity();
    REQUIRE(
        xmask::masked_sum(x, xmask::bitmask(xmask::keep_all(70))) ==
        std::numeric_limits<float>::infinity()
    );
    x(69) = -std::numeric_limits<float>::infinity();
    REQUIRE(std::isnan(xmask::masked_sum(x, xmask::bitmask(xmask::keep_all(70)))));
    REQUIRE(std::isfinite(xmask::masked_sum(x, xmask::keep_between(x, -9.f, 9.f))));
}

TEST_CASE("The sum of a lazy expression computes only what is kept", "[sum]") {
    const auto divisor = oracle::random<int>({3, 70}, 4);
    const auto m = xmask::keep_not_equal(divisor, 0);
    std::int64_t expected = 0;
    for (const int d : divisor) {
        expected += d != 0 ? 100 / d : 0;
    }
    REQUIRE(xmask::masked_sum(100 / divisor, m) == expected);
    const auto along = xmask::masked_sum(100 / divisor, m, 0);
    REQUIRE(xt::sum(along)() == expected);
}

TEST_CASE("Sums do not depend on the order of rows", "[sum]") {
    const auto x = oracle::random<float>({11, 130}, 1);
    const auto kept = oracle::random<bool>({11, 130}, 3);
    const auto order = xt::keep(3, 10, 0, 7, 5, 1, 9, 2, 8, 6, 4);
    const xt::xarray<float> x2 = xt::view(x, order);
    const xt::xarray<bool> kept2 = xt::view(kept, order);
    REQUIRE(
        xmask::masked_sum(x2, xmask::bitmask(xmask::keep_where(kept2))) ==
        xmask::masked_sum(x, xmask::bitmask(xmask::keep_where(kept)))
    );
    const auto rows = xmask::masked_sum(x, xmask::bitmask(xmask::keep_where(kept)), 1);
    const auto rows2 = xmask::masked_sum(x2, xmask::bitmask(xmask::keep_where(kept2)), 1);
    REQUIRE(oracle::same_bits(
        oracle::elements(rows2), oracle::elements(xt::xarray<float>(xt::view(rows, order)))
    ));
}

TEST_CASE("Sums agree with PyTorch", "[sum]") {
    const auto x = oracle::reference<float>("reduce_all", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("reduce_all", "mask"));
    const double sum = oracle::reference<double>("reduce_all", "sum")();
    const double mean = oracle::reference<double>("reduce_all", "mean")();
    REQUIRE(std::abs(static_cast<double>(xmask::masked_sum(x, m)) - sum) <= 1e-5 * std::abs(sum));
    REQUIRE(
        std::abs(static_cast<double>(xmask::masked_mean(x, m)) - mean) <= 1e-5 * std::abs(mean)
    );
    const xt::xarray<double> wide = x;
    REQUIRE(std::abs(xmask::masked_sum(wide, m) - sum) <= 1e-12 * std::abs(sum));
    REQUIRE(std::abs(xmask::masked_mean(wide, m) - mean) <= 1e-12 * std::abs(mean));
}

TEST_CASE("Sums refuse shapes that do not fit, and say which", "[sum]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    REQUIRE_THROWS_AS(
        xmask::masked_sum(x, xmask::bitmask(xmask::keep_all({2, 2, 3}))), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(x, xmask::bitmask(xmask::keep_all({2}))),
        ContainsSubstring("xmask::masked_sum: a mask of shape (2,)") && ContainsSubstring("(2, 3)")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_mean(x, xmask::bitmask(xmask::keep_all({2}))),
        ContainsSubstring("xmask::masked_mean: a mask")
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_sum(x, xt::xarray<float>(xt::ones<float>({2}))),
        ContainsSubstring("xmask::masked_sum: weights of shape (2,)")
    );
}

TEST_CASE("A sum by comparisons has the bits of a sum by the same words", "[sum]") {
    const auto check = [](const xt::xarray<float>& y) {
        const auto m = xmask::keep_above(y, 0.25f);
        const xmask::bitmask words(m);
        xt::xarray<float> x = oracle::random<float>({3, y.shape(1)});
        xmask::masked_fill_inplace(x, words, std::numeric_limits<float>::quiet_NaN());
        CAPTURE(y.shape(1));
        REQUIRE(oracle::same_bits(xmask::masked_sum(x, m), xmask::masked_sum(x, words)));
        REQUIRE(oracle::same_bits(xmask::masked_mean(x, m), xmask::masked_mean(x, words)));
        const xt::xarray<double> wide = x;
        const auto of_doubles = xmask::keep_above(xt::xarray<double>(y), 0.25);
        REQUIRE(
            oracle::same_bits(xmask::masked_sum(wide, of_doubles), xmask::masked_sum(wide, words))
        );
        REQUIRE(std::isfinite(xmask::masked_sum(x, m)));
    };
    for (const auto n : {std::size_t(63), std::size_t(64), std::size_t(65), std::size_t(4097)}) {
        check(oracle::random<float>({3, n}, 7));
    }
    // The words in which lengths end.
    for (std::size_t length = 1; length < 64; ++length) {
        const xt::xtensor<std::size_t, 1> lengths = {length, 64 + length, 200 - length};
        check(xt::cast<float>(xt::xarray<bool>(xmask::keep_lengths(lengths, 200))));
    }
}

TEST_CASE("Sums as their documentation shows them", "[sum]") {
    const xt::xtensor<float, 2> x = {{1.f, -2.f, 3.f}, {-4.f, 5.f, 0.f}};
    float total = xmask::masked_sum(x, xmask::keep_above(x, 0));
    REQUIRE(total == 9.f);
    const auto m = xmask::keep_above(x, 0.f);
    xt::xarray<float> rows = xmask::masked_sum(x, m, -1);
    REQUIRE(oracle::elements(rows) == std::vector<float>{4.f, 5.f});
    double mean = xmask::masked_mean(x, xmask::keep_none({2, 3}), xmask::when_empty::zero);
    REQUIRE(mean == 0.);
}
