// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/groups.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/moments.hpp>

namespace {
double mean_of(const groups::group& kept) {
    double sum = 0;
    for (const double x : kept.values) {
        sum += x;
    }
    return sum / static_cast<double>(kept.values.size());
}

double variance(const groups::group& kept, double correction) {
    if (static_cast<double>(kept.values.size()) <= correction) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const double mean = mean_of(kept);
    double squares = 0;
    for (const double x : kept.values) {
        squares += (x - mean) * (x - mean);
    }
    return squares / (static_cast<double>(kept.values.size()) - correction);
}

double unbiased(const groups::group& kept) { return variance(kept, 1); }
} // namespace

TEMPLATE_TEST_CASE("Variances over every choice of axes", "[moments]", float, double, std::int8_t) {
    const double tolerance = std::is_same_v<TestType, float> ? 1e-6 : 1e-13;
    groups::require_reduction<TestType>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_var(x, m, axes...);
        },
        unbiased, tolerance
    );
    const xt::xarray<TestType> x = xt::ones<TestType>({2, 3});
    const xmask::bitmask m = xmask::keep_all({2, 3});
    using result = std::conditional_t<std::is_same_v<TestType, float>, float, double>;
    STATIC_REQUIRE(std::is_same_v<decltype(xmask::masked_var(x, m)), result>);
    STATIC_REQUIRE(std::is_same_v<decltype(xmask::masked_std(x, m, 0)), xt::xarray<result>>);
}

TEST_CASE("Standard deviations, means and corrections", "[moments]") {
    groups::require_reduction<double>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_std(x, m, axes..., {.correction = 0});
        },
        [](const groups::group& kept) { return std::sqrt(variance(kept, 0)); }, 1e-13
    );
    groups::require_reduction<double>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_mean_var(x, m, axes...).mean;
        },
        mean_of, 1e-13
    );
    groups::require_reduction<double>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_mean_var(x, m, axes..., {.correction = 2.5}).var;
        },
        [](const groups::group& kept) { return variance(kept, 2.5); }, 1e-13
    );
}

TEST_CASE("Variances of any layout", "[moments]") {
    groups::require_layouts<float>(
        [](const auto& x, const auto& m, const auto&... axes) {
            return xmask::masked_var(x, m, axes...);
        },
        unbiased, 1e-6
    );
}

TEST_CASE("Variances of numbers far from 0 do not cancel", "[moments]") {
    xt::xarray<double> x = oracle::random<double>({3, 1000}, 1);
    const xmask::bitmask m = xmask::keep_all({3, 1000});
    const double near = xmask::masked_var(x, m);
    x += 1e9;
    REQUIRE(std::abs(xmask::masked_var(x, m) - near) < 1e-6 * near);
    const xt::xarray<float> large = xt::ones<float>({100000}) * 16777216.f;
    REQUIRE(xmask::masked_var(large, xmask::bitmask(xmask::keep_all(100000))) == 0.f);
}

TEMPLATE_TEST_CASE(
    "Means and variances of large 64-bit integers do not wrap", "[moments]", std::int64_t,
    std::uint64_t, long long
) {
    const auto large = [](std::int64_t sign) {
        xt::xarray<TestType> x = oracle::random<TestType>({3, 4, 67}, 5);
        const auto step = static_cast<TestType>(std::int64_t(1) << 54);
        const auto from = static_cast<TestType>(std::int64_t(9) << 59);
        for (auto& value : x) {
            value = static_cast<TestType>(from + value * step);
            value = sign < 0 ? static_cast<TestType>(0 - static_cast<std::uint64_t>(value)) : value;
        }
        return x;
    };
    for (const std::int64_t sign : {1, -1}) {
        const auto x = large(sign);
        const auto kept = oracle::random<bool>({3, 4, 67}, 2);
        const auto m = xmask::keep_where(kept);
        groups::for_each_axes(3, [&](const groups::axes_t& axes) {
            CAPTURE(axes);
            const auto all = groups::collect(x, oracle::elements(kept), axes);
            const auto require = [&](const auto& result, auto&& f) {
                groups::require_groups(result, all, f, 1e-13);
            };
            require(xmask::masked_mean(x, m, axes), mean_of);
            require(xmask::masked_var(x, m, axes), unbiased);
            const auto both = xmask::masked_mean_var(x, m, axes);
            require(both.mean, mean_of);
            require(both.var, unbiased);
            const auto deviation = [](const groups::group& group) {
                return std::sqrt(unbiased(group));
            };
            require(xmask::masked_std(x, m, axes), deviation);
        });
        // The same numbers in double, where nothing wraps around.
        const xt::xarray<double> wide = x;
        const double mean = xmask::masked_mean(wide, m);
        REQUIRE(groups::close(xmask::masked_mean(x, m), mean, 1e-14));
        REQUIRE(groups::close(xmask::masked_mean_var(x, m).mean, mean, 1e-14));
        REQUIRE(groups::close(xmask::masked_var(x, m), xmask::masked_var(wide, m), 1e-12));
        REQUIRE(groups::close(xmask::masked_std(x, m), xmask::masked_std(wide, m), 1e-12));
        REQUIRE(oracle::close(
            xmask::masked_standardize(x, m, -1), xmask::masked_standardize(wide, m, -1), 1e-12
        ));
        // Sums stay in 64 bits.
        STATIC_REQUIRE(sizeof(xmask::masked_sum(x, m)) == 8);
    }
}

TEST_CASE("Means of 64-bit integers of both signs are exact", "[moments]") {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    const xt::xarray<std::int64_t> x = {{most, most, most, 3}, {least, least, least, 0}};
    const auto all = xmask::keep_all({2, 4});
    REQUIRE(xmask::masked_mean(x, all) == 0.);
    REQUIRE(
        oracle::elements(xmask::masked_mean(x, all, 0)) ==
        std::vector<double>{-0.5, -0.5, -0.5, 1.5}
    );
    const xt::xarray<std::int64_t> same = xt::ones<std::int64_t>({6}) * 1700000000000000000;
    REQUIRE(xmask::masked_mean(same, xmask::keep_all(6)) == 1.7e18);
    const xt::xarray<std::uint64_t> full =
        xt::ones<std::uint64_t>({200}) * std::numeric_limits<std::uint64_t>::max();
    REQUIRE(xmask::masked_mean(full, xmask::keep_all(200)) == 18446744073709551616.);
    REQUIRE(xmask::masked_var(full, xmask::keep_all(200)) == 0.);
}

TEST_CASE("Where too few are kept there is no variance", "[moments]") {
    using xmask::when_empty;
    const xt::xarray<float> x = {{1.f, 3.f}, {5.f, 7.f}, {2.f, 2.f}};
    const xmask::bitmask m = xmask::keep_lengths({2, 1, 0}, 2);
    const auto nan = xmask::masked_var(x, m, 1);
    REQUIRE((nan(0) == 2.f && std::isnan(nan(1)) && std::isnan(nan(2))));
    REQUIRE(
        oracle::elements(xmask::masked_var(x, m, 1, when_empty::zero)) ==
        std::vector<float>{2.f, 0.f, 0.f}
    );
    REQUIRE(
        oracle::elements(xmask::masked_std(x, m, 1, {.correction = 0, .empty = when_empty::zero})
        ) == std::vector<float>{1.f, 0.f, 0.f}
    );
    REQUIRE_THROWS_AS(xmask::masked_var(x, m, 1, when_empty::raise), std::domain_error);
    REQUIRE_THROWS_WITH(
        xmask::masked_std(x, m, 1, when_empty::raise),
        Catch::Matchers::ContainsSubstring("xmask::masked_std")
    );
    REQUIRE(std::isnan(xmask::masked_var(x, xmask::bitmask(xmask::keep_none({3, 2})))));
    const auto [mean, var] =
        xmask::masked_mean_var(x, m, 1, {.empty = when_empty::zero, .keep_axes = true});
    REQUIRE(mean(1, 0) == 5.f);
    REQUIRE(var(1, 0) == 0.f);
}

TEST_CASE("Variances and standardization refuse options that are none", "[moments]") {
    xt::xarray<double> x = {{1., 3.}, {5., 8.}};
    const xt::xarray<double> u = xt::ones<double>({2, 2});
    const xt::xarray<double> before = x;
    const auto m = xmask::keep_all({2, 2});
    const double infinity = std::numeric_limits<double>::infinity();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double wrong : {-1., nan, infinity, -1e-300}) {
        CAPTURE(wrong);
        const xmask::var_options options = {.correction = wrong};
        REQUIRE_THROWS_AS(xmask::masked_var(x, m, options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_var(x, m, 0, options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_std(x, m, options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_std(x, m, 0, options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_mean_var(x, m, options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_mean_var(x, m, 0, options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_var_gradient(x, m, 1., options), std::invalid_argument);
        REQUIRE_THROWS_AS(xmask::masked_std_gradient(x, m, 1., options), std::invalid_argument);
        for (const xmask::standardize_options& other :
             {xmask::standardize_options{.eps = wrong},
              xmask::standardize_options{.correction = wrong}}) {
            REQUIRE_THROWS_AS(xmask::masked_standardize(x, m, 0, other), std::invalid_argument);
            REQUIRE_THROWS_AS(
                xmask::masked_standardize_inplace(x, m, 0, other), std::invalid_argument
            );
            REQUIRE_THROWS_AS(
                xmask::masked_standardize_gradient(x, m, u, 0, other), std::invalid_argument
            );
        }
    }
    REQUIRE(x == before);
    REQUIRE_THROWS_WITH(
        xmask::masked_standardize(x, m, 0, {.eps = -1}),
        "xmask::masked_standardize: eps is -1; expected a finite number, 0 or more"
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_std(x, m, {.correction = nan}),
        "xmask::masked_std: correction is nan; expected a finite number, 0 or more"
    );
}

TEST_CASE("Variances agree with PyTorch", "[moments]") {
    const auto x = oracle::reference<float>("reduce_rows", "x");
    const xmask::bitmask m = xmask::keep_where(oracle::reference<bool>("reduce_rows", "mask"));
    const xt::xarray<double> wide = x;
    REQUIRE(oracle::close(
        xmask::masked_var(x, m, 1), oracle::reference<double>("reduce_rows", "var"), 1e-5
    ));
    REQUIRE(oracle::close(
        xmask::masked_var(wide, m, 1), oracle::reference<double>("reduce_rows", "var"), 1e-12
    ));
    REQUIRE(oracle::close(
        xmask::masked_std(wide, m, 1), oracle::reference<double>("reduce_rows", "std"), 1e-12
    ));
    const xt::xarray<double> all = oracle::reference<float>("reduce_all", "x");
    const double var = oracle::reference<double>("reduce_all", "var")();
    REQUIRE(
        std::abs(
            xmask::masked_var(
                all,
                xmask::bitmask(xmask::keep_where(oracle::reference<bool>("reduce_all", "mask")))
            ) -
            var
        ) <= 1e-12 * var
    );
}

TEST_CASE("Standardized tensors have mean 0 and variance 1", "[moments]") {
    for (const std::size_t n : {1u, 64u, 67u}) {
        const auto x = oracle::random<float>({3, 4, n}, 1);
        const auto kept = oracle::random<bool>({3, 4, n}, 2);
        const auto m = xmask::keep_where(kept);
        for (const auto& axes :
             {groups::axes_t{2}, groups::axes_t{0}, groups::axes_t{0, 1}, groups::axes_t{0, 1, 2}
             }) {
            const auto y =
                xmask::masked_standardize(groups::hide(x, oracle::elements(kept)), m, axes);
            REQUIRE(y.shape() == x.shape());
            const auto [mean, var] = xmask::masked_mean_var(
                x, m, axes, {.correction = 0, .empty = xmask::when_empty::zero, .keep_axes = true}
            );
            const xt::xarray<float> means = xt::broadcast(mean, x.shape());
            const xt::xarray<float> vars = xt::broadcast(var, x.shape());
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double expected =
                    (static_cast<double>(x.flat(i)) - static_cast<double>(means.flat(i))) /
                    std::sqrt(static_cast<double>(vars.flat(i)) + 1e-5);
                REQUIRE(groups::close(
                    static_cast<double>(y.flat(i)), kept.flat(i) ? expected : 0., 1e-5
                ));
            }
        }
    }
    const xt::xarray<int> whole = {{1, 3}, {5, 9}};
    const auto y = xmask::masked_standardize(
        whole, xmask::bitmask(xmask::keep_lengths({2, 1}, 2)), 1, {.eps = 0, .correction = 1}
    );
    REQUIRE(std::abs(y(0, 0) + std::sqrt(0.5)) < 1e-12);
}

TEST_CASE("The gradient of standardizing is that of central differences", "[moments]") {
    const auto x = oracle::random<double>({2, 3, 5}, 3);
    const auto u = oracle::random<double>({2, 3, 5}, 6);
    const auto kept = oracle::random<bool>({2, 3, 5}, 4);
    const xmask::bitmask m = xmask::keep_where(kept);
    groups::for_each_axes(3, [&](const groups::axes_t& axes) {
        for (const double correction : {0., 1.}) {
            const xmask::standardize_options options = {.eps = 1e-2, .correction = correction};
            const auto objective = [&](const xt::xarray<double>& point) {
                const auto y = xmask::masked_standardize(point, m, axes, options);
                double sum = 0;
                for (std::size_t i = 0; i < y.size(); ++i) {
                    sum += y.flat(i) * u.flat(i);
                }
                return sum;
            };
            const auto dx = xmask::masked_standardize_gradient(
                groups::hide(x, oracle::elements(kept)), m, u, axes, options
            );
            REQUIRE(dx.shape() == x.shape());
            for (std::size_t i = 0; i < x.size(); ++i) {
                auto above = x;
                auto below = x;
                above.flat(i) += 1e-5;
                below.flat(i) -= 1e-5;
                CAPTURE(axes, correction, i);
                REQUIRE(groups::close(
                    dx.flat(i), kept.flat(i) ? (objective(above) - objective(below)) / 2e-5 : 0.,
                    1e-6
                ));
            }
        }
    });
    const xt::xarray<double> other = xt::zeros<double>({2, 3});
    REQUIRE_THROWS_AS(xmask::masked_standardize_gradient(x, m, other, 1), std::invalid_argument);
}

TEST_CASE("Moments have the rank of their axes in their type", "[moments]") {
    const xt::xtensor_fixed<float, xt::xshape<2, 3>> x = {{1, 2, 3}, {4, 5, 6}};
    const auto m = xmask::keep_lengths({2, 3}, 3);
    const auto both = xmask::masked_mean_var(x, m, -1);
    STATIC_REQUIRE(std::is_same_v<decltype(both.var), xt::xtensor<float, 1>>);
    REQUIRE(both.mean == xt::xtensor<float, 1>{1.5f, 5.f});
    REQUIRE(both.var == xt::xtensor<float, 1>{0.5f, 1.f});
    // Braces with a number are axes, not options, whose first field is a number, too.
    REQUIRE(xmask::masked_var(x, m, {1}) == both.var);
    const float of_all = xmask::masked_var(x, m, {.correction = 0});
    REQUIRE(of_all > 0.f);
    const auto y = xmask::masked_standardize(x, m, 1);
    STATIC_REQUIRE(std::is_same_v<decltype(y), const xt::xtensor<float, 2>>);
    REQUIRE(y(0, 2) == 0.f);
}
