// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/random_length.hpp>

using xmask::random_length;

namespace {
/// Draws many lengths. Fails unless length k + 1 is as frequent as weights[k] says.
void require_drawn(const random_length& length, std::vector<double> weights) {
    double total = 0;
    double mean = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
        total += weights[k];
        mean += weights[k] * static_cast<double>(k + 1);
    }
    const double draws = 100000;
    std::vector<double> counts(weights.size());
    const xmask::detail::row_stream stream(1, 2);
    for (std::size_t i = 0; i < static_cast<std::size_t>(draws); ++i) {
        const std::size_t drawn = length(stream.pair(i));
        REQUIRE(drawn >= length.shortest());
        REQUIRE(drawn <= length.longest());
        if (drawn <= counts.size()) {
            ++counts[drawn - 1];
        }
    }
    for (std::size_t k = 0; k < weights.size(); ++k) {
        const double p = weights[k] / total;
        CAPTURE(k, counts[k], p);
        REQUIRE(std::abs(counts[k] - draws * p) <= 5 * std::sqrt(draws * p * (1 - p)) + 1e-9);
    }
    REQUIRE(std::abs(length.mean() - mean / total) < 1e-9);
}
} // namespace

TEST_CASE("A number is a length that is always the same", "[random_length]") {
    const random_length length = 7;
    REQUIRE(length(0) == 7);
    REQUIRE(length(~std::uint64_t(0)) == 7);
    REQUIRE(length.mean() == 7);
    REQUIRE_THROWS_WITH(random_length(0), "xmask::random_length: length 0; expected at least 1");
    REQUIRE_THROWS_AS(random_length(-3), std::invalid_argument);
}

TEST_CASE("Lengths are drawn as often as their distributions say", "[random_length]") {
    require_drawn(random_length::uniform(3, 6), {0, 0, 1, 1, 1, 1});
    require_drawn(random_length::uniform(4, 4), {0, 0, 0, 1});
    std::vector<double> geometric;
    for (std::size_t k = 0; k < 10; ++k) {
        geometric.push_back(std::pow(0.8, static_cast<double>(k)));
    }
    require_drawn(random_length::geometric(0.2, 10), geometric);
    require_drawn(random_length::geometric(1, 10), {1});
    for (const double mean : {0.3, 3., 20.5}) {
        std::vector<double> poisson;
        for (std::size_t k = 1; k < 90; ++k) {
            poisson.push_back(std::exp(
                static_cast<double>(k) * std::log(mean) - std::lgamma(static_cast<double>(k) + 1)
            ));
        }
        require_drawn(random_length::poisson(mean), poisson);
    }
    REQUIRE(std::abs(random_length::poisson(2000).mean() - 2000) < 1e-6);
    require_drawn(random_length::weighted({0, 0.5, 0, 2, 1, 0}), {0, 0.5, 0, 2, 1, 0});
    REQUIRE(random_length::weighted({0, 0.5, 0, 2, 1, 0}).longest() == 5);
    REQUIRE(random_length::weighted({0, 3}).shortest() == 2);
}

TEST_CASE("The extreme bits stand for the extreme lengths", "[random_length]") {
    for (const auto& length :
         {random_length::uniform(2, 9), random_length::geometric(0.5, 4), random_length::poisson(3)
         }) {
        REQUIRE(length(0) == length.shortest());
        REQUIRE(
            length(~std::uint64_t(0)) >=
            length.longest() - (length.longest() > 20 ? length.longest() : 0)
        );
    }
}

TEST_CASE("Lengths that can't be are refused", "[random_length]") {
    REQUIRE_THROWS_WITH(
        random_length::uniform(3, 2),
        "xmask::random_length::uniform: lengths from 3 to 2; expected 1 or more, in order"
    );
    REQUIRE_THROWS_AS(random_length::uniform(0, 2), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        random_length::geometric(0, 10),
        "xmask::random_length::geometric: p 0 and longest 10; expected p in (0, 1], and 1 or more"
    );
    REQUIRE_THROWS_AS(random_length::geometric(0.5, 0), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        random_length::poisson(0),
        "xmask::random_length::poisson: mean is 0; expected a number above 0, at most 1e+06"
    );
    REQUIRE_THROWS_AS(
        random_length::poisson(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        random_length::weighted({1, -2}),
        "xmask::random_length::weighted: weights[1] is -2; expected a finite number, 0 or more"
    );
    REQUIRE_THROWS_WITH(
        random_length::weighted({}), "xmask::random_length::weighted: no weight is above 0"
    );
    REQUIRE_THROWS_AS(random_length::weighted({0, 0}), std::invalid_argument);
}
