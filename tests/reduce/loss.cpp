// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <numeric>
#include <stdexcept>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/reduce/loss.hpp>
#include <xmask/reduce/mse.hpp>

#if __has_include(<xtensor/views/xdynamic_view.hpp>)
#include <xtensor/views/xdynamic_view.hpp>
#else
#include <xtensor/xdynamic_view.hpp>
#endif

TEST_CASE("A loss is a sum and a weight, and adds up", "[loss]") {
    xmask::loss total;
    REQUIRE((total.sum == 0. && total.weight == 0.));
    total += xmask::loss{6., 2.};
    REQUIRE(total.mean() == 3.);
    total += xmask::loss{1., 5.};
    // Numbers are read as means are, or as fields.
    REQUIRE((total.sum() == 7. && total.weight() == 7. && total.count() == 0.));
    REQUIRE((total.sum == 7. && total.weight == 7.));
    const auto sum = xmask::loss{1., 2.} + xmask::loss{3., 4.};
    REQUIRE((sum.sum == 4. && sum.weight == 6.));
    // Not a mean of means.
    REQUIRE((xmask::loss{10., 1.} + xmask::loss{0., 9.}).mean() == 1.);
}

TEST_CASE("The mean of nothing is what one asks for", "[loss]") {
    using Catch::Matchers::ContainsSubstring;
    using xmask::when_empty;
    const xmask::loss nothing;
    REQUIRE(std::isnan(nothing.mean()));
    REQUIRE(std::isnan(nothing.mean(when_empty::nan)));
    REQUIRE(nothing.mean(when_empty::zero) == 0.);
    REQUIRE_THROWS_AS(nothing.mean(when_empty::raise), std::domain_error);
    REQUIRE_THROWS_WITH(
        nothing.mean(when_empty::raise), ContainsSubstring("xmask::loss::mean: nothing is kept")
    );
    const xmask::loss something{3., 2.};
    REQUIRE(something.mean(when_empty::zero) == 1.5);
    REQUIRE(something.mean(when_empty::raise) == 1.5);
}

TEST_CASE("The mean of a weighted loss over the number of elements", "[loss]") {
    using xmask::when_empty;
    const auto p = oracle::random<double>({4, 70}, 1);
    const auto t = oracle::random<double>({4, 70}, 2);
    const auto kept = oracle::random<bool>({4, 70}, 3);
    const auto m = xmask::keep_where(kept);
    const xt::xarray<double> weights = oracle::random<double>({4, 70}, 4) + 2.5;
    double sum = 0;
    double of_all = 0;
    double count = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const double term = weights.flat(i) * std::pow(p.flat(i) - t.flat(i), 2);
        of_all += term;
        sum += kept.flat(i) ? term : 0;
        count += kept.flat(i);
    }
    const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-13 * std::abs(b); };
    // The mean of PyTorch's mse_loss with weights.
    const auto whole = xmask::masked_mse(p, t, weights);
    REQUIRE(whole.count == 280);
    REQUIRE(near(whole.mean_by_count(), of_all / 280));
    xt::xarray<double> gradient;
    for (const auto& l :
         {xmask::masked_mse(p, t, xmask::weighted(m, weights)),
          xmask::masked_mse(p, t, xmask::weighted(m, weights), gradient)}) {
        REQUIRE(l.count == count);
        REQUIRE(near(l.mean_by_count(), sum / count));
        REQUIRE(!near(l.mean(), l.mean_by_count()));
        REQUIRE((l + whole).count == count + 280);
    }
    const auto plain = xmask::masked_mse(p, t, m);
    REQUIRE(plain.count == plain.weight);
    REQUIRE(plain.mean_by_count() == plain.mean());
    REQUIRE(std::isnan(xmask::loss().mean_by_count()));
    REQUIRE(xmask::loss().mean_by_count(when_empty::zero) == 0.);
    REQUIRE_THROWS_AS(xmask::loss().mean_by_count(when_empty::raise), std::domain_error);
}

TEST_CASE("A gradient goes into any container", "[loss]") {
    const auto p = oracle::random<double>({4, 70}, 1);
    const auto t = oracle::random<double>({4, 70}, 2);
    const auto kept = oracle::random<bool>({4, 70}, 3);
    const auto m = xmask::keep_where(kept);
    std::vector<double> expected;
    for (std::size_t i = 0; i < p.size(); ++i) {
        expected.push_back(kept.flat(i) ? 2. * (p.flat(i) - t.flat(i)) : 0.);
    }
    const auto whole = xmask::masked_mse(p, t, m);
    const auto check = [&](auto&& gradient) {
        const auto loss = xmask::masked_mse(p, t, m, gradient);
        REQUIRE(std::abs(loss.sum - whole.sum) < 1e-12);
        REQUIRE(loss.weight == whole.weight);
        const auto written = oracle::elements(gradient);
        REQUIRE(std::equal(
            written.begin(), written.end(), expected.begin(), expected.end(),
            [](auto a, double b) { return static_cast<double>(a) == b; }
        ));
    };

    SECTION("containers, given their shape") {
        check(xt::xtensor<double, 2>());
        check(xt::xarray<double>());
        check(xt::xarray<double>(xt::ones<double>({3, 3, 3})));
        check(xt::xarray<double, xt::layout_type::column_major>());
        check(xt::xtensor_fixed<double, xt::xshape<4, 70>>());
        // Differences of these numbers are exact in float, too.
        check(xt::xtensor<float, 2>());
    }
    SECTION("views, beside which nothing changes") {
        xt::xarray<double> wide = xt::zeros<double>({8, 145});
        const auto changed = [](const auto& x) {
            return std::ranges::count_if(oracle::elements(x), [](double v) { return v != 0.; });
        };
        check(xt::view(wide, xt::range(1, 8, 2), xt::range(3, 143, 2)));
        REQUIRE(changed(wide) <= static_cast<std::ptrdiff_t>(xmask::count_kept(m)));
        wide.fill(0.);
        check(xt::dynamic_view(wide, {xt::keep(7, 1, 3, 4), xt::range(2, 72)}));
        REQUIRE(changed(wide) <= static_cast<std::ptrdiff_t>(xmask::count_kept(m)));
    }
    SECTION("in place of the prediction") {
        auto copy = p;
        xmask::masked_mse(copy, t, m, copy);
        REQUIRE(oracle::elements(copy) == expected);
    }
    SECTION("scaled") {
        xt::xtensor<double, 2> gradient;
        const auto loss = xmask::masked_mse(p, t, m, xmask::scaled(gradient, 0.25));
        REQUIRE(std::abs(loss.sum - whole.sum) < 1e-12);
        for (auto& value : expected) {
            value *= 0.25;
        }
        REQUIRE(oracle::elements(gradient) == expected);
        gradient.fill(7.);
        const auto quarter = xmask::scaled(gradient, 0.25);
        xmask::masked_mse(p, t, m, quarter);
        REQUIRE(oracle::elements(gradient) == expected);
        xt::xarray<double> wide = xt::zeros<double>({4, 73});
        auto view = xt::view(wide, xt::all(), xt::range(2, 72));
        xmask::masked_mse(p, t, m, xmask::scaled(view, 0.25));
        REQUIRE(oracle::elements(view) == expected);
        // As the documentation of element_loss shows it.
        auto count = static_cast<double>(xmask::count_kept(m));
        xmask::masked_mse(p, t, m, xmask::scaled(gradient, 1 / count));
        REQUIRE(
            std::abs(
                xt::sum(gradient)() -
                4. * std::accumulate(expected.begin(), expected.end(), 0.) / count
            ) < 1e-12
        );
    }
    SECTION("a fixed shape that is wrong throws before anything is written") {
        using Catch::Matchers::ContainsSubstring;
        xt::xtensor_fixed<double, xt::xshape<70, 4>> fixed;
        fixed.fill(7.);
        REQUIRE_THROWS(xmask::masked_mse(p, t, m, fixed));
        REQUIRE(xt::all(xt::equal(fixed, 7.)));
        xt::xarray<double> wide = xt::ones<double>({4, 71});
        auto view = xt::view(wide, xt::all(), xt::range(0, 69));
        REQUIRE_THROWS_AS(xmask::masked_mse(p, t, m, view), std::invalid_argument);
        REQUIRE_THROWS_WITH(
            xmask::masked_mse(p, t, m, view),
            ContainsSubstring("xmask::masked_mse: the gradient") && ContainsSubstring("(4, 69)") &&
                ContainsSubstring("(4, 70)")
        );
        REQUIRE_THROWS_AS(
            xmask::masked_mse(p, t, m, xmask::scaled(view, 2.)), std::invalid_argument
        );
        REQUIRE_THROWS_WITH(
            xmask::scaled(view, std::nan("")), "xmask::scaled: factor nan; expected a number"
        );
        REQUIRE(xt::all(xt::equal(wide, 1.)));
    }
}

TEST_CASE("Losses of parts add up to the loss of the whole", "[loss]") {
    const auto p = oracle::random<float>({12, 67}, 1);
    const auto t = oracle::random<float>({12, 67}, 2);
    const auto kept = oracle::random<bool>({12, 67}, 3);
    const auto whole = xmask::masked_mse(p, t, xmask::bitmask(xmask::keep_where(kept)));
    xmask::loss total;
    for (const auto& [begin, end] :
         {std::pair(0, 1), std::pair(1, 5), std::pair(5, 5), std::pair(5, 12)}) {
        auto rows = xt::range(begin, end);
        const xt::xarray<bool> part = xt::view(kept, rows);
        total += xmask::masked_mse(
            xt::view(p, rows), xt::view(t, rows), xmask::bitmask(xmask::keep_where(part))
        );
    }
    REQUIRE(total.weight == whole.weight);
    REQUIRE(std::abs(total.sum - whole.sum) <= 1e-13 * whole.sum);
}

TEST_CASE("A loss prints its mean, sum and weight", "[loss]") {
    std::ostringstream out;
    out << xmask::loss{6, 4} << '\n' << xmask::loss();
    REQUIRE(out.str() == "mean 1.5, sum 6, weight 4\nmean nan, sum 0, weight 0");
}
