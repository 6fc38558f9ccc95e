// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <stdexcept>

#include <catch2/catch_all.hpp>

#include <support/groups.hpp>
#include <support/lines.hpp>
#include <support/oracle.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/reduce/cumulative.hpp>

namespace {
/// Running results along one axis, element by element.
template <class T, class F>
std::vector<double> naive(
    const xt::xarray<T>& x, const std::vector<char>& kept, std::size_t axis, double start, F&& f
) {
    std::vector<double> all(x.size());
    std::size_t stride = 1;
    for (std::size_t later = axis + 1; later < x.dimension(); ++later) {
        stride *= x.shape(later);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double before = i / stride % x.shape(axis) == 0 ? start : all[i - stride];
        all[i] = kept[i] != 0 ? f(before, static_cast<double>(x.flat(i))) : before;
    }
    return all;
}

template <class T>
void require_running(double tolerance) {
    for (const auto& [shape, mask_shape] : groups::shapes) {
        const auto x = oracle::random<T>(shape, 1);
        const auto chosen = oracle::random<bool>(mask_shape, 5);
        const auto kept = groups::broadcast(chosen, shape);
        const xmask::bitmask m = xmask::keep_where(chosen);
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            const auto sums = naive(x, kept, axis, 0., [](double a, double b) { return a + b; });
            const auto products =
                naive(x, kept, axis, 1., [](double a, double b) { return a * b; });
            const auto signed_axis =
                static_cast<std::ptrdiff_t>(axis) - static_cast<std::ptrdiff_t>(shape.size());
            CAPTURE(shape, mask_shape, axis);
            const auto hidden = groups::hide(x, kept);
            REQUIRE(oracle::close(
                xmask::masked_cumsum(hidden, m, axis), xt::adapt(sums, shape), tolerance
            ));
            REQUIRE(oracle::close(
                xmask::masked_cumsum(hidden, m, signed_axis), xt::adapt(sums, shape), tolerance
            ));
            if constexpr (std::is_floating_point_v<T>) {
                REQUIRE(oracle::close(
                    xmask::masked_cumprod(hidden, m, axis), xt::adapt(products, shape), tolerance
                ));
            }
        }
    }
}
} // namespace

TEST_CASE("Running sums and products along every axis", "[cumulative]") {
    require_running<double>(1e-12);
    require_running<std::int8_t>(0.);
    const xmask::bitmask m = xmask::keep_all(3);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_cumsum(xt::xarray<float>(), m, 0)), xt::xarray<float>>);
    STATIC_REQUIRE(std::is_same_v<
                   decltype(xmask::masked_cumprod(xt::xarray<bool>(), m, 0)),
                   xt::xarray<std::uint64_t>>);
}

TEST_CASE("Running sums of any layout", "[cumulative]") {
    const auto x = oracle::random<float>({3, 4, 67}, 1);
    const auto kept = oracle::random<bool>({3, 4, 67}, 5);
    oracle::for_each_layout(x, [&](const auto& operand, const char* layout) {
        for (std::size_t axis = 0; axis < 3; ++axis) {
            CAPTURE(layout, axis);
            const auto sums = naive(x, oracle::elements(kept), axis, 0., [](double a, double b) {
                return a + b;
            });
            REQUIRE(oracle::close(
                xmask::masked_cumsum(operand, xmask::bitmask(xmask::keep_where(kept)), axis),
                xt::adapt(sums, {3, 4, 67}), 1e-6
            ));
        }
    });
}

TEST_CASE("Running sums as their documentation shows them", "[cumulative]") {
    const xt::xarray<int> tokens = {{5, 0, 7, 8}};
    const xt::xarray<std::int64_t> position =
        xmask::masked_cumsum(xt::ones_like(tokens), xmask::keep_lengths({3}, 4), -1) - 1;
    REQUIRE(oracle::elements(position) == std::vector<std::int64_t>{0, 1, 2, 2});
    const xt::xarray<float> hazard = {{0.5f, 0.5f, 0.25f}};
    const xt::xarray<float> survival =
        xmask::masked_cumprod(1.f - hazard, xmask::keep_lengths({2}, 3), -1);
    REQUIRE(oracle::elements(survival) == std::vector<float>{0.5f, 0.25f, 0.25f});
}

TEST_CASE("Running sums agree with PyTorch where something is kept", "[cumulative]") {
    const auto x = oracle::reference<float>("masked_cumsum", "x");
    const auto kept = oracle::reference<bool>("masked_cumsum", "mask");
    const auto expected = oracle::reference<double>("masked_cumsum", "y");
    const auto y = xmask::masked_cumsum(x, xmask::bitmask(xmask::keep_where(kept)), 1);
    const auto wide =
        xmask::masked_cumsum(xt::xarray<double>(x), xmask::bitmask(xmask::keep_where(kept)), 1);
    for (std::size_t i = 0; i < x.size(); ++i) {
        REQUIRE(
            (!kept.flat(i) || groups::close(static_cast<double>(y.flat(i)), expected.flat(i), 1e-5))
        );
        REQUIRE((!kept.flat(i) || groups::close(wide.flat(i), expected.flat(i), 1e-12)));
    }
}

TEST_CASE("Running sums refuse what does not fit", "[cumulative]") {
    const xt::xarray<float> x = xt::ones<float>({2, 3});
    REQUIRE_THROWS_AS(
        xmask::masked_cumsum(x, xmask::bitmask(xmask::keep_all({2, 3})), 2), std::out_of_range
    );
    REQUIRE_THROWS_AS(
        xmask::masked_cumprod(x, xmask::bitmask(xmask::keep_all(2)), 0), std::invalid_argument
    );
    const xt::xarray<float> scalar = 1.f;
    REQUIRE_THROWS_AS(
        xmask::masked_cumsum(
            scalar, xmask::bitmask(xmask::keep_all(std::vector<std::size_t>())), 1
        ),
        std::out_of_range
    );
}

TEST_CASE("Gradients of running sums and products are differences, at zeros too", "[cumulative]") {
    auto x = oracle::random<double>({2, 3, 5}, 3);
    x(0, 1, 1) = x(0, 1, 3) = x(1, 0, 0) = x(1, 2, 4) = 0;
    const auto u = oracle::random<double>({2, 3, 5}, 6);
    for (const unsigned seed : {4u, 5u, 0u}) {
        auto chosen = oracle::random<bool>({2, 3, 5}, seed);
        chosen = chosen || seed == 0;
        const xmask::bitmask m = xmask::keep_where(chosen);
        const auto hidden = groups::hide(x, oracle::elements(chosen));
        for (std::size_t axis = 0; axis < 3; ++axis) {
            CAPTURE(seed, axis);
            const auto sums = lines::numeric_gradient(x, u, [&](const auto& at) {
                return xmask::masked_cumsum(at, m, axis);
            });
            REQUIRE(oracle::close(xmask::masked_cumsum_gradient(hidden, m, u, axis), sums, 1e-8));
            const auto products = lines::numeric_gradient(x, u, [&](const auto& at) {
                return xmask::masked_cumprod(at, m, axis);
            });
            REQUIRE(
                oracle::close(xmask::masked_cumprod_gradient(hidden, m, u, axis), products, 1e-8)
            );
        }
    }
}

TEST_CASE("Gradients of running sums of rows of every length, and of any layout", "[cumulative]") {
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<float>({3, n}, 1);
        const auto u = oracle::random<float>({3, n}, 2);
        const auto kept = oracle::random<bool>({3, n}, 5);
        const xmask::bitmask m = xmask::keep_where(kept);
        std::vector<double> expected(x.size());
        for (std::size_t i = x.size(); i-- > 0;) {
            expected[i] = double(u.flat(i)) + (i % n == n - 1 ? 0 : expected[i + 1]);
        }
        for (std::size_t i = 0; i < x.size(); ++i) {
            expected[i] = kept.flat(i) ? expected[i] : 0;
        }
        CAPTURE(n);
        REQUIRE(oracle::close(
            xmask::masked_cumsum_gradient(x, m, u, 1), xt::adapt(expected, {std::size_t(3), n}),
            1e-7
        ));
        if (n == 65) {
            const xt::xarray<float, xt::layout_type::column_major> x2 = x;
            const xt::xarray<float, xt::layout_type::column_major> u2 = u;
            const auto products = xmask::masked_cumprod_gradient(x, m, u, -1);
            REQUIRE(oracle::same_bits(
                oracle::elements(xmask::masked_cumprod_gradient(x2, m, u2, -1)),
                oracle::elements(products)
            ));
            REQUIRE(oracle::same_bits(
                oracle::elements(xmask::masked_cumprod_gradient(x + 0.f, m, u + 0.f, -1)),
                oracle::elements(products)
            ));
        }
    }
}

TEST_CASE("Gradients of running sums refuse what does not fit", "[cumulative]") {
    using Catch::Matchers::ContainsSubstring;
    const xt::xarray<double> x = xt::ones<double>({2, 3});
    const xt::xarray<double> u = xt::ones<double>({3});
    const xmask::bitmask m = xmask::keep_all({2, 3});
    REQUIRE_THROWS_WITH(
        xmask::masked_cumsum_gradient(x, m, u, 0),
        ContainsSubstring(
            "xmask::masked_cumsum_gradient: the tensor has shape (2, 3) and the upstream gradient has shape (3,)"
        )
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_cumprod_gradient(x, m, x, 2),
        "xmask::masked_cumprod_gradient: axis 2 is outside of [-2, 2)"
    );
    REQUIRE_THROWS_AS(
        xmask::masked_cumprod_gradient(x, xmask::bitmask(xmask::keep_all(2)), x, 0),
        std::invalid_argument
    );
}
