// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/apply/pack.hpp>
#include <xmask/apply/pad.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/lengths.hpp>

#include "support/oracle.hpp"

namespace {
/// The features of each kept token, one after another.
template <class T>
std::vector<T> naive_pack(const xt::xarray<T>& x, const std::vector<char>& kept) {
    const auto all = oracle::elements(x);
    const std::size_t features = x.shape().back();
    std::vector<T> packed;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (kept[i / features] != 0) {
            packed.push_back(all[i]);
        }
    }
    return packed;
}
} // namespace

TEMPLATE_TEST_CASE(
    "packed tokens are those that are kept, and unpacked stand where they stood", "[pack]", float,
    std::int16_t
) {
    using T = TestType;
    for (const std::size_t features : {1u, 3u, 64u, 70u}) {
        const xt::xarray<T> x = oracle::random<T>({std::size_t(3), std::size_t(67), features}, 1);
        for (const double density : {0., 0.4, 1.}) {
            CAPTURE(features, density);
            xt::xarray<bool> b = xt::zeros<bool>({3, 67});
            for (std::size_t i = 0; i < b.size(); ++i) {
                b.data()[i] = static_cast<double>(i * 7 % 10) < 10 * density;
            }
            const xmask::bitmask m = xmask::keep_where(b);
            const auto kept = oracle::elements(b);
            const auto expected = naive_pack(x, kept);
            const auto packed = xmask::pack(x, m);
            REQUIRE(
                packed.shape() == std::array<std::size_t, 2>{expected.size() / features, features}
            );
            REQUIRE(oracle::elements(packed) == expected);
            const auto back = xmask::unpack(packed, m, T(9));
            REQUIRE(oracle::equal_shapes(back.shape(), x.shape()));
            auto wanted = oracle::elements(x);
            for (std::size_t i = 0; i < wanted.size(); ++i) {
                wanted[i] = kept[i / features] != 0 ? wanted[i] : T(9);
            }
            REQUIRE(oracle::elements(back) == wanted);
        }
    }
}

TEST_CASE("tokens of any layout are packed and unpacked", "[pack]") {
    const xt::xarray<float> x = oracle::random<float>({2, 5, 6}, 1);
    const xmask::bitmask m = xmask::keep_lengths({2, 4}, 5);
    const auto expected = naive_pack(x, oracle::elements(m));
    oracle::for_each_layout(x, [&](const auto& e, const std::string& layout) {
        CAPTURE(layout);
        REQUIRE(oracle::elements(xmask::pack(e, m)) == expected);
    });
    const xt::xarray<float> packed = xmask::pack(x, m);
    oracle::for_each_layout(packed, [&](const auto& e, const std::string& layout) {
        CAPTURE(layout);
        REQUIRE(oracle::elements(xmask::pack(xmask::unpack(e, m), m)) == expected);
    });
    // A mask of one row, broadcast to a batch.
    REQUIRE(xmask::pack(x, xmask::bitmask(xmask::keep_lengths({3}, 5))).shape(0) == 6);
    // The packed tensor is an ordinary xtensor.
    const xt::xtensor<float, 2> twice = 2.f * xmask::pack(x, m);
    REQUIRE(twice(5, 1) == 2 * x(1, 3, 1));
}

TEST_CASE("what is packed and unpacked has the ranks it should have", "[pack]") {
    const xt::xtensor<float, 3> x = oracle::random<float>({2, 5, 6}, 1);
    const xt::xtensor<int, 1> lengths = {1, 0};
    const auto packed = xmask::pack(x, xmask::keep_lengths(lengths, 5));
    static_assert(std::is_same_v<decltype(packed), const xt::xtensor<float, 2>>);
    REQUIRE(packed.shape() == std::array<std::size_t, 2>{1, 6});
    REQUIRE(packed(0, 4) == x(0, 0, 4));
    const auto back = xmask::unpack(packed, xmask::keep_lengths(lengths, 5));
    static_assert(std::is_same_v<decltype(back), const xt::xtensor<float, 3>>);
    REQUIRE(back(0, 0, 4) == x(0, 0, 4));
    REQUIRE(back(1, 4, 5) == 0.f);
    // No features, and no tokens.
    const xt::xtensor<float, 3> nothing = xt::zeros<float>({2, 5, 0});
    const xmask::bitmask m = xmask::keep_lengths({2, 1}, 5);
    REQUIRE(xmask::pack(nothing, m).shape() == std::array<std::size_t, 2>{3, 0});
    REQUIRE(xmask::unpack(xmask::pack(nothing, m), m).shape(2) == 0);
    const xt::xtensor<float, 2> rows = oracle::random<float>({5, 1}, 1);
    REQUIRE(xmask::pack(rows, xmask::bitmask(xmask::keep_all(5))).shape(0) == 5);
    REQUIRE(xmask::pack(rows, xmask::bitmask(xmask::keep_all(5)))(3, 0) == rows(3, 0));
}

TEST_CASE("padding is not seen", "[pack][unseen]") {
    xt::xtensor<float, 3> x = oracle::random<float>({2, 5, 6}, 1);
    const xmask::bitmask m = xmask::keep_lengths({2, 4}, 5);
    const auto expected = oracle::elements(xmask::pack(x, m));
    x(0, 2, 1) = x(1, 4, 5) = std::numeric_limits<float>::quiet_NaN();
    REQUIRE(oracle::elements(xmask::pack(x, m)) == expected);
}

TEST_CASE("packing says what does not fit", "[pack]") {
    using Catch::Matchers::Message;
    const xt::xtensor<float, 3> x = xt::zeros<float>({2, 5, 6});
    const xmask::bitmask m = xmask::keep_lengths({2, 4}, 5);
    REQUIRE_THROWS_AS(
        xmask::pack(x, xmask::bitmask(xmask::keep_all({2, 6}))), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::pack(x, xmask::bitmask(xmask::keep_all({2, 5, 6}))), std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::pack(xt::xarray<float>(1.f), xmask::bitmask(xmask::keep_all({1}))),
        std::invalid_argument
    );
    REQUIRE_THROWS_MATCHES(
        xmask::unpack(xt::xtensor<float, 2>(xt::zeros<float>({5, 3})), m), std::invalid_argument,
        Message(
            "xmask::unpack: the tensor has shape (5, 3); expected (6, features), a row for each token that the mask keeps"
        )
    );
    REQUIRE_THROWS_AS(xmask::unpack(x, m), std::invalid_argument);
}

TEST_CASE("pad makes a batch of sequences and their lengths", "[pad]") {
    const std::vector<std::vector<int>> sequences = {{7, 4, 9}, {}, {5, 6}};
    const auto [tokens, lengths] = xmask::pad(sequences, -1);
    REQUIRE(tokens == xt::xtensor<int, 2>{{7, 4, 9}, {-1, -1, -1}, {5, 6, -1}});
    REQUIRE(lengths == xt::xtensor<std::size_t, 1>{3, 0, 2});
    // unpack is the inverse.
    xt::xtensor<int, 3> features = xt::zeros<int>({3, 3, 1});
    xt::view(features, xt::all(), xt::all(), 0) = tokens;
    const auto packed = xmask::pack(features, xmask::keep_lengths(lengths, tokens.shape(1)));
    REQUIRE(oracle::elements(packed) == std::vector<int>{7, 4, 9, 5, 6});
    // The padding is 0 by default. Lists, arrays and tensors are packed, too; the padding may have
    // another type.
    REQUIRE(xmask::pad({{1.5f}, {2.f, 3.f}}).values == xt::xtensor<float, 2>{{1.5f, 0}, {2, 3}});
    const std::array<std::vector<bool>, 2> bits = {std::vector<bool>{true}, {false, true}};
    REQUIRE(xmask::pad(bits, true).values == xt::xtensor<bool, 2>{{true, true}, {false, true}});
    const std::vector<xt::xtensor<double, 1>> tensors = {{1, 2}, {3}};
    REQUIRE(xmask::pad(tensors, 9).values == xt::xtensor<double, 2>{{1, 2}, {3, 9}});
    REQUIRE(
        xmask::pad(std::vector<std::vector<int>>(), 0).values.shape() ==
        std::array<std::size_t, 2>{0, 0}
    );
    REQUIRE(
        xmask::pad(std::vector<std::vector<int>>(2), 0).values.shape() ==
        std::array<std::size_t, 2>{2, 0}
    );
}
