// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <complex>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/threshold.hpp>

namespace {
using shape_t = std::vector<std::size_t>;

/// Booleans of which `eighths` in eight are true: 0 gives none, 8 gives all, and 9 alternates 64
/// true and 64 mixed ones.
xt::xarray<bool> kept_in_eight(const shape_t& shape, unsigned eighths, unsigned seed = 7) {
    xt::xarray<bool> kept = xt::xarray<bool>::from_shape(shape);
    std::mt19937 generator(seed);
    std::size_t i = 0;
    for (auto& value : kept) {
        const bool mixed = generator() % 8 < (eighths == 9 ? 4 : eighths);
        value = mixed || (eighths == 9 && i / 64 % 2 == 0);
        ++i;
    }
    return kept;
}

template <class T>
std::vector<T> filled(std::vector<T> x, const std::vector<char>& kept, T value) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = kept[i] != 0 ? x[i] : value;
    }
    return x;
}

/// The elements of a mask that is broadcast to `shape`.
std::vector<char> broadcast_elements(const xt::xarray<bool>& kept, const shape_t& shape) {
    return oracle::elements(xt::xarray<bool>(xt::broadcast(kept, shape)));
}

template <class T>
std::vector<char> bytes_of(const std::vector<T>& values) {
    std::vector<char> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) {
        std::memcpy(bytes.data(), values.data(), bytes.size());
    }
    return bytes;
}
} // namespace

TEMPLATE_TEST_CASE(
    "masked_fill of every type, row length and density", "[masked_fill]", float, double, bool,
    std::int8_t, std::int16_t, std::int32_t, std::int64_t
) {
    using stored = std::conditional_t<std::is_same_v<TestType, bool>, char, TestType>;
    const auto value = static_cast<TestType>(77);
    for (const std::size_t n : oracle::columns) {
        // Enough rows that an odd length begins them at every place of a register.
        const shape_t shape = {n > 1000 ? std::size_t(3) : std::size_t(17), n};
        const auto x = oracle::random<TestType>(shape, 3);
        for (const unsigned eighths : {0u, 8u, 4u, 9u}) {
            const auto kept = kept_in_eight(shape, eighths);
            const auto expected =
                filled<stored>(oracle::elements(x), oracle::elements(kept), stored(value));
            xt::xarray<TestType> y;
            y = xmask::masked_fill(x, xmask::keep_where(kept), value);
            CAPTURE(n, eighths);
            REQUIRE(y.dimension() == 2);
            REQUIRE(oracle::elements(y) == expected);
            xt::xarray<TestType> z = x;
            xmask::masked_fill_inplace(z, xmask::keep_where(kept), value);
            REQUIRE(oracle::elements(z) == expected);
        }
    }
}

TEST_CASE("masked_fill of complex numbers", "[masked_fill]") {
    using complex = std::complex<float>;
    const shape_t shape = {5, 67};
    const auto re = oracle::random<float>(shape, 1);
    xt::xarray<complex> x = xt::xarray<complex>::from_shape(shape);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = complex(re.flat(i), -2.f * re.flat(i));
    }
    const auto kept = kept_in_eight(shape, 4);
    const complex value(3.f, -4.f);
    const auto expected = filled(oracle::elements(x), oracle::elements(kept), value);
    const xt::xarray<complex> y = xmask::masked_fill(x, xmask::keep_where(kept), value);
    REQUIRE(oracle::elements(y) == expected);
    xmask::masked_fill_inplace(x, xmask::keep_where(kept), value);
    REQUIRE(oracle::elements(x) == expected);
}

TEMPLATE_TEST_CASE(
    "masked_fill by lengths works outside of the extent, too", "[masked_fill]", float, double,
    std::int8_t
) {
    for (const std::size_t n : oracle::columns) {
        const std::size_t rows = 19;
        const auto x = oracle::random<TestType>({rows, n}, 5);
        xt::xtensor<int, 1> lengths = xt::zeros<int>({rows});
        for (std::size_t r = 0; r < rows; ++r) {
            // None, all, and lengths on both sides of the borders of words.
            const std::size_t length = r == 0       ? 0
                                       : r == 1     ? n
                                       : r % 2 == 0 ? r * n / rows
                                                    : 62 + r % 6;
            lengths(r) = static_cast<int>(std::min(length, n));
        }
        const auto value = TestType(-9);
        const auto check = [&](const auto& m) {
            const auto expected = filled(oracle::elements(x), oracle::elements(m), value);
            xt::xarray<TestType> y = xt::zeros<TestType>({rows, n});
            xt::noalias(y) = xmask::masked_fill(x, m, value);
            CAPTURE(n);
            REQUIRE(oracle::elements(y) == expected);
            xt::xarray<TestType> z = x;
            xmask::masked_fill_inplace(z, m, value);
            REQUIRE(oracle::elements(z) == expected);
        };
        check(xmask::keep_lengths(lengths, n));
        check(xmask::keep_last(lengths, n));
    }
}

TEST_CASE("masked_fill of every rank, with every mask that broadcasts", "[masked_fill]") {
    const std::vector<std::pair<shape_t, std::vector<shape_t>>> cases = {
        {{}, {{}}},
        {{1}, {{}, {1}}},
        {{70}, {{}, {1}, {70}}},
        {{3, 1}, {{}, {1}, {3, 1}, {1, 1}}},
        {{3, 70}, {{}, {1}, {70}, {1, 1}, {3, 1}, {1, 70}, {3, 70}}},
        {{2, 3, 70},
         {{},
          {70},
          {3, 70},
          {3, 1},
          {2, 1, 1},
          {2, 1, 70},
          {1, 3, 70},
          {1, 3, 1},
          {2, 3, 1},
          {2, 3, 70}}},
        {{2, 3, 2, 65},
         {{},
          {65},
          {2, 1},
          {3, 1, 1},
          {3, 1, 65},
          {2, 1, 2, 1},
          {2, 1, 2, 65},
          {2, 1, 1, 65},
          {2, 3, 2, 65}}},
        {{2, 1, 3, 2, 5},
         {{},
          {5},
          {2, 5},
          {3, 1, 1},
          {2, 1, 1, 1, 1},
          {2, 1, 1, 2, 1},
          {1, 1, 3, 1, 5},
          {2, 1, 3, 2, 5}}},
        {{0, 5}, {{}, {5}, {1, 1}, {0, 1}, {0, 5}}},
        {{3, 0, 2}, {{}, {2}, {3, 1, 1}, {3, 0, 2}}},
    };
    for (const auto& [shape, masks] : cases) {
        const auto x = oracle::random<float>(shape, 2);
        for (const auto& mask_shape : masks) {
            for (const unsigned eighths : {0u, 4u, 8u}) {
                const auto kept = kept_in_eight(mask_shape, eighths);
                const auto expected =
                    filled(oracle::elements(x), broadcast_elements(kept, shape), 9.f);
                CAPTURE(shape, mask_shape, eighths);
                const xt::xarray<float> y = xmask::masked_fill(x, xmask::keep_where(kept), 9.f);
                REQUIRE(shape_t(y.shape().begin(), y.shape().end()) == shape);
                REQUIRE(oracle::elements(y) == expected);
                xt::xarray<float> z = x;
                xmask::masked_fill_inplace(z, xmask::keep_where(kept), 9.f);
                REQUIRE(oracle::elements(z) == expected);
            }
        }
    }
}

TEST_CASE("masked_fill may write to its own operand", "[masked_fill]") {
    const auto x = oracle::random<float>({5, 130}, 8);
    const auto kept = kept_in_eight({5, 130}, 4);
    const xmask::bitmask m = xmask::keep_where(kept);
    auto y = x;
    y = xmask::masked_fill(y, m, 2.f);
    REQUIRE(oracle::elements(y) == filled(oracle::elements(x), oracle::elements(kept), 2.f));
    auto z = x;
    xt::noalias(z) = xmask::masked_fill(2.f * z + 1.f, m, 2.f);
    const xt::xarray<float> line = 2.f * x + 1.f;
    REQUIRE(oracle::elements(z) == filled(oracle::elements(line), oracle::elements(kept), 2.f));
    // The mask may read the operand, too.
    auto w = x;
    xt::noalias(w) = xmask::masked_fill(w, xmask::keep_above(w, 0.f), 0.5f);
    REQUIRE(
        oracle::elements(w) ==
        oracle::elements(xt::xarray<float>(xt::where(x > 0.f, x, xt::ones_like(x) * 0.5f)))
    );
    auto v = x;
    xmask::masked_fill_inplace(v, xmask::keep_above(v, 0.f), 0.5f);
    REQUIRE(oracle::elements(v) == oracle::elements(w));
    // A transposed operand needs the temporary of a plain assignment.
    auto square = oracle::random<float>({66, 66}, 9);
    const xt::xarray<float> turned = xt::transpose(square);
    const auto square_kept = kept_in_eight({66, 66}, 4);
    square = xmask::masked_fill(
        xt::transpose(square), xmask::bitmask(xmask::keep_where(square_kept)), 1.f
    );
    REQUIRE(
        oracle::elements(square) ==
        filled(oracle::elements(turned), oracle::elements(square_kept), 1.f)
    );
}

TEST_CASE("masked_fill passes on what is kept, bit by bit", "[masked_fill]") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    const float tiny = std::numeric_limits<float>::denorm_min();
    std::uint32_t payload_bits = 0x7fc12345u;
    float payload = 0;
    std::memcpy(&payload, &payload_bits, sizeof(payload));
    const std::vector<float> special = {nan,  inf,   -inf,    -0.f, 0.f,
                                        tiny, -tiny, payload, -nan, 1e38f};
    xt::xarray<float> x = oracle::random<float>({3, 67}, 1);
    for (std::size_t i = 0; i < x.size(); i += 2) {
        x.flat(i) = special[i / 2 % special.size()];
    }
    const auto kept = kept_in_eight({3, 67}, 6);
    for (const float value : {nan, inf, -0.f, -1e9f}) {
        const auto expected = bytes_of(filled(oracle::elements(x), oracle::elements(kept), value));
        const xt::xarray<float> y = xmask::masked_fill(x, xmask::keep_where(kept), value);
        REQUIRE(bytes_of(oracle::elements(y)) == expected);
        auto z = x;
        xmask::masked_fill_inplace(z, xmask::keep_where(kept), value);
        REQUIRE(bytes_of(oracle::elements(z)) == expected);
    }
}

TEST_CASE("masked_fill converts the value to the tensor's type", "[masked_fill]") {
    const xt::xtensor<int, 2> x = {{1, 2, 3}};
    const xt::xtensor<int, 2> y = xmask::masked_fill(x, xmask::keep_lengths({2}, 3), -7.9);
    REQUIRE(oracle::elements(y) == std::vector<int>{1, 2, -7});
    const xt::xtensor<double, 1> p = {1., 2., 3.};
    const xt::xtensor<double, 1> q =
        xmask::masked_fill(p, xmask::drop_where(xt::xtensor<bool, 1>{true, false, true}), 0);
    REQUIRE(oracle::elements(q) == std::vector<double>{0., 2., 0.});
}

TEST_CASE("masked_fill refuses shapes that do not fit, and says which", "[masked_fill]") {
    using Catch::Matchers::ContainsSubstring;
    xt::xarray<float> x = xt::ones<float>({2, 3});
    const xmask::bitmask wrong = xmask::keep_all({2, 4});
    REQUIRE_THROWS_AS(xmask::masked_fill(x, wrong, 0.f), std::invalid_argument);
    REQUIRE_THROWS_WITH(
        xmask::masked_fill(x, wrong, 0.f), ContainsSubstring("xmask::masked_fill: ") &&
                                               ContainsSubstring("(2, 4)") &&
                                               ContainsSubstring("(2, 3)")
    );
    // A mask never enlarges its operand.
    REQUIRE_THROWS_AS(
        xmask::masked_fill(x, xmask::bitmask(xmask::keep_all({5, 2, 3})), 0.f),
        std::invalid_argument
    );
    REQUIRE_THROWS_AS(
        xmask::masked_fill(x, xmask::bitmask(xmask::keep_all({1, 2, 3})), 0.f),
        std::invalid_argument
    );
    const xt::xarray<float> thin = xt::ones<float>({2, 1});
    REQUIRE_THROWS_AS(
        xmask::masked_fill(thin, xmask::bitmask(xmask::keep_all({2, 3})), 0.f),
        std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::masked_fill_inplace(x, xmask::bitmask(xmask::keep_none({3, 3})), 0.f),
        ContainsSubstring("xmask::masked_fill_inplace: ") && ContainsSubstring("(3, 3)")
    );
    REQUIRE(xt::all(xt::equal(x, 1.f)));

    const auto m = xmask::keep_none({3});
    auto view = xt::view(x, xt::all(), xt::range(0, 2));
    REQUIRE_THROWS(xt::noalias(view) = xmask::masked_fill(x, m, 0.f));
    REQUIRE(xt::all(xt::equal(x, 1.f)));
    xt::xtensor_fixed<float, xt::xshape<3, 2>> fixed;
    REQUIRE_THROWS(xt::noalias(fixed) = xmask::masked_fill(x, m, 0.f));
}

TEST_CASE("masked_fill agrees with PyTorch", "[masked_fill]") {
    const auto x = oracle::reference<float>("masked_fill", "x");
    const auto lengths = oracle::reference<std::int64_t>("masked_fill", "lengths");
    const auto expected = oracle::reference<double>("masked_fill", "y");
    const auto m = xmask::keep_lengths(lengths, x.shape()[1]);
    const xt::xarray<double> y = xmask::masked_fill(x, m, -1e9f);
    REQUIRE(oracle::elements(y) == oracle::elements(expected));
    const xt::xarray<double> z = xmask::masked_fill(xt::xarray<double>(x), m, -1e9);
    REQUIRE(oracle::elements(z) == oracle::elements(expected));
}

TEST_CASE("masked_fill as its documentation shows it", "[masked_fill]") {
    xt::xtensor<float, 2> scores = xt::ones<float>({2, 4});
    auto m = xmask::keep_lengths(xt::xtensor<int, 1>{4, 2}, 4);
    xt::xtensor<float, 2> y;
    xt::noalias(y) = xmask::masked_fill(scores, m, -1e9f);
    REQUIRE(oracle::elements(y) == std::vector<float>{1, 1, 1, 1, 1, 1, -1e9f, -1e9f});
    xt::xtensor<int, 1> lengths = {1, 3};
    xmask::masked_fill_inplace(scores, xmask::keep_lengths(lengths, 4), -1e9f);
    REQUIRE(oracle::elements(scores) == std::vector<float>{1, -1e9f, -1e9f, -1e9f, 1, 1, 1, -1e9f});
}

TEST_CASE("masked_fill of a result beyond the caches, at an odd address", "[masked_fill]") {
    const std::size_t rows = 515;
    const std::size_t n = 16411;
    REQUIRE(rows * n * sizeof(float) >= std::size_t(32) << 20);
    xt::xtensor<float, 2> x = xt::zeros<float>({rows, n});
    std::vector<float> numbers(4096);
    std::iota(numbers.begin(), numbers.end(), 0.f);
    for (std::size_t i = 0; i < x.size(); i += numbers.size()) {
        std::copy_n(numbers.begin(), std::min(numbers.size(), x.size() - i), x.data() + i);
    }
    std::vector<float> memory(rows * n + 2, -1.f);
    auto y = xt::adapt(
        memory.data() + 1, rows * n, xt::no_ownership(), std::array<std::size_t, 2>{rows, n}
    );
    // Compared as bytes: loops over so many elements take seconds without optimization.
    const auto wrong_rows = [&](const auto& fill) {
        std::size_t count = 0;
        std::vector<float> expected(n);
        for (std::size_t r = 0; r < rows; ++r) {
            std::copy_n(x.data() + r * n, n, expected.begin());
            fill(r, expected);
            count += std::memcmp(memory.data() + 1 + r * n, expected.data(), n * sizeof(float)) != 0
                         ? 1u
                         : 0u;
        }
        return count;
    };
    std::vector<std::size_t> lengths(rows, n);
    for (std::size_t r = 1; r < rows; ++r) {
        lengths[r] = r * 977 % (n + 1);
    }
    xt::noalias(y) = xmask::masked_fill(x, xmask::keep_lengths(lengths, n), -5.f);
    REQUIRE(wrong_rows([&](std::size_t r, std::vector<float>& row) {
                std::fill_n(row.data() + lengths[r], n - lengths[r], -5.f);
            }) == 0);
    xt::noalias(y) = xmask::masked_fill(x, xmask::keep_last(lengths, n), -5.f);
    REQUIRE(wrong_rows([&](std::size_t r, std::vector<float>& row) {
                std::fill_n(row.data(), n - lengths[r], -5.f);
            }) == 0);
    xt::noalias(y) = xmask::masked_fill(x, xmask::keep_between(x, 100.f, 1000.f), -5.f);
    REQUIRE(wrong_rows([&](std::size_t /*r*/, std::vector<float>& row) {
                for (float* value = row.data(); value != row.data() + n; ++value) {
                    *value = *value >= 100.f && *value <= 1000.f ? *value : -5.f;
                }
            }) == 0);
    REQUIRE(memory.front() == -1.f);
    REQUIRE(memory.back() == -1.f);
}
