// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/row.hpp>

#include "support/oracle.hpp"

#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#include <xtensor/views/xindex_view.hpp>
#else
#include <xtensor/xindex_view.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#endif

namespace detail = xmask::detail;

using extents = std::vector<std::size_t>;

namespace {
/// Whether an expression, read as elements of T in rows of `shape`, gives `expected`: one by one,
/// and in registers.
template <class T, class E>
bool reads_as(const E& e, const extents& shape, const std::vector<T>& expected) {
    const auto rows = detail::make_operand<T>(e, shape);
    const std::size_t n = detail::columns_of(shape);
    bool right = expected.size() == detail::rows_of(shape) * n;
    for (std::size_t r = 0; right && r < (n == 0 ? 0 : detail::rows_of(shape)); ++r) {
        auto row = rows.row(r);
        std::vector<std::size_t> starts;
        for (std::size_t c = 0; c < n; c += 64) {
            starts.push_back(c);
        }
        // Then backwards, and from columns at which no word begins.
        for (const std::size_t c : {n - 1, n / 2, std::size_t(0)}) {
            starts.push_back(c);
        }
        for (const std::size_t c : starts) {
            const std::size_t count = std::min<std::size_t>(64, n - c);
            const auto block = row.block(c, count, xmask::first_bits(count));
            for (std::size_t k = 0; k < count; ++k) {
                right = right && oracle::same_bits(T(block.at(k)), expected[r * n + c + k]);
            }
            if constexpr (decltype(block)::in_registers) {
                detail::for_each_register<T>(count, [&](std::size_t k, auto full) {
                    const std::size_t lanes = std::min(detail::lane_count<T>, count - k);
                    T values[detail::lane_count<T>];
                    detail::store_lanes(values, detail::load_register<full>(block, k, count - k));
                    for (std::size_t lane = 0; lane < lanes; ++lane) {
                        right = right &&
                                oracle::same_bits(values[lane], expected[r * n + c + k + lane]);
                    }
                });
            }
        }
    }
    return right;
}

template <class T, class E>
bool reads_as_itself(const E& e) {
    return reads_as<T>(e, extents(e.shape().begin(), e.shape().end()), oracle::elements(e));
}
} // namespace

TEST_CASE("operands of every layout read as their elements", "[row]") {
    for (const std::size_t n : oracle::columns) {
        CAPTURE(n);
        for (const extents& shape : {extents{n}, extents{3, n}, extents{2, 3, n}, extents{n, 2}}) {
            const auto x = oracle::random<float>(shape, 7);
            const auto expected = oracle::elements(x);
            oracle::for_each_layout(x, [&](const auto& e, const char* layout) {
                INFO(layout);
                REQUIRE(reads_as<float>(e, shape, expected));
            });
        }
    }
}

TEST_CASE("tensors of rank 0 to 8 are rows", "[row]") {
    extents shape;
    for (std::size_t rank = 0; rank <= 8; ++rank) {
        const auto x = oracle::random<double>(shape, 3);
        const auto expected = oracle::elements(x);
        oracle::for_each_layout(x, [&](const auto& e, const char* layout) {
            INFO(rank << " axes, " << layout);
            REQUIRE(reads_as<double>(e, shape, expected));
        });
        shape.push_back(rank % 2 == 0 ? 2 : 3);
    }
}

TEST_CASE("operands broadcast to the shape that is walked", "[row]") {
    const extents shape = {2, 3, 70};
    const xt::xarray<float> zeros = xt::zeros<float>(shape);
    for (const extents& from :
         {extents{}, extents{1}, extents{70}, extents{3, 70}, extents{3, 1}, extents{1, 70},
          extents{2, 1, 70}, extents{2, 3, 1}, extents{2, 1, 1}, extents{1, 1, 1}}) {
        const auto x = oracle::random<float>(from, 5);
        const auto expected = oracle::elements(xt::xarray<float>(zeros + x));
        oracle::for_each_layout(x, [&](const auto& e, const char* layout) {
            INFO(xmask::detail::tuple_text(from) << ", " << layout);
            REQUIRE(reads_as<float>(e, shape, expected));
        });
    }
}

TEST_CASE("rows of one repeated element may take turns", "[row]") {
    xt::xarray<float> x = xt::ones<float>({2, 1});
    x(1, 0) = 2.f;
    const auto rows = detail::make_operand<float>(x, extents{2, 100});
    auto first = rows.row(0);
    auto second = rows.row(1);
    for (const std::size_t c : {std::size_t(0), std::size_t(64), std::size_t(3)}) {
        REQUIRE(first.block(c, 7, 0x7f).at(6) == 1.f);
        REQUIRE(second.block(c, 36, ~xmask::word_t(0)).at(35) == 2.f);
        REQUIRE(second.block(c, 7, 0x7f).at(0) == 2.f);
    }
    auto copy = rows;
    REQUIRE(copy.row(1).block(0, 64, 1).at(63) == 2.f);
}

TEST_CASE("elements are brought to the type that is asked for", "[row]") {
    const extents shape = {3, 67};
    const auto x = oracle::random<std::int16_t>(shape, 2);
    std::vector<double> expected;
    for (const auto value : x) {
        expected.push_back(static_cast<double>(value));
    }
    REQUIRE(reads_as<double>(x, shape, expected));
    REQUIRE(reads_as<double>(
        xt::xarray<std::int16_t, xt::layout_type::column_major>(x), shape, expected
    ));
}

TEST_CASE("every type of element reads as itself", "[row]") {
    const extents shape = {2, 130};
    const auto read = []<class T>(const xt::xarray<T>& x) {
        const xt::xarray<T, xt::layout_type::column_major> transposed = x;
        return reads_as_itself<T>(x) && reads_as_itself<T>(transposed);
    };
    REQUIRE(read(oracle::random<std::int8_t>(shape)));
    REQUIRE(read(oracle::random<std::uint8_t>(shape)));
    REQUIRE(read(oracle::random<std::uint16_t>(shape)));
    REQUIRE(read(oracle::random<std::int32_t>(shape)));
    REQUIRE(read(oracle::random<std::uint64_t>(shape)));
    // No registers of these types.
    const xt::xarray<long double> wide = oracle::random<double>(shape);
    const auto rows = detail::make_operand<long double>(wide, shape);
    auto row = rows.row(1);
    const auto block = row.block(64, 64, ~std::uint64_t(0));
    REQUIRE(block.at(6) == wide(1, 70));
    STATIC_REQUIRE_FALSE(decltype(block)::in_registers);
}

TEST_CASE("views, generators and lazy functions read as their elements", "[row]") {
    const auto x = oracle::random<float>({4, 5, 66}, 9);
    const auto y = oracle::random<float>({66}, 10);
    const xt::xtensor_fixed<float, xt::xshape<2, 3>> fixed = {{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}};

    REQUIRE(reads_as_itself<float>(fixed));
    REQUIRE(reads_as_itself<float>(xt::view(x, 2)));
    REQUIRE(reads_as_itself<float>(xt::view(x, xt::all(), 1, xt::range(3, 60))));
    REQUIRE(reads_as_itself<float>(xt::view(x, xt::all(), xt::all(), 7)));
    REQUIRE(reads_as_itself<float>(xt::view(x, xt::range(0, 4, 2), xt::newaxis(), xt::all())));
    REQUIRE(reads_as_itself<float>(xt::view(x, xt::keep(3, 0), xt::all(), xt::drop(1, 4))));
    REQUIRE(reads_as_itself<float>(
        xt::view(x, xt::all(), xt::all(), xt::range(65, xt::placeholders::_, -1))
    ));
    REQUIRE(reads_as_itself<float>(xt::transpose(x)));
    REQUIRE(reads_as_itself<float>(xt::flip(x, 2)));
    REQUIRE(reads_as_itself<float>(xt::flip(x, 0)));
    REQUIRE(reads_as_itself<float>(xt::broadcast(y, extents{3, 66})));
    REQUIRE(reads_as_itself<float>(xt::ones<float>({3, 70})));
    REQUIRE(reads_as_itself<float>(xt::arange<float>(0.f, 130.f)));
    REQUIRE(reads_as_itself<float>(x * 2.f + y));
    // Only functions that round alike in registers and in std: the square root may differ in the
    // last place on NEON.
    REQUIRE(reads_as_itself<float>(xt::abs(x) - xt::transpose(x, {0, 1, 2})));
    REQUIRE(reads_as_itself<float>(xt::where(x > y, x, 1.f)));
    REQUIRE(reads_as_itself<float>(xt::cast<float>(x * 3.)));
    REQUIRE(reads_as_itself<double>(x * 3.));
    REQUIRE(reads_as_itself<float>(
        xt::index_view(x, std::vector<extents>{{0, 0, 0}, {3, 4, 65}, {1, 2, 3}})
    ));
    const std::vector<float> memory = {1.f, 2.f, 3.f, 4.f, 5.f, 6.f};
    REQUIRE(reads_as_itself<float>(xt::adapt(memory, extents{2, 3})));
}

TEST_CASE("a strided row is gathered in pieces", "[row]") {
    const auto x = oracle::random<float>({3, 1300}, 11);
    const xt::xarray<float, xt::layout_type::column_major> turned = x;
    REQUIRE(reads_as_itself<float>(turned));
    REQUIRE(reads_as_itself<float>(turned + x));
    REQUIRE(reads_as_itself<float>(xt::view(x, xt::all(), xt::range(1, 1300, 2))));
    REQUIRE(reads_as<float>(xt::view(x, xt::all(), xt::range(5, 6)), extents{3, 1300}, [&] {
        std::vector<float> column;
        for (std::size_t i = 0; i < 3 * 1300; ++i) {
            column.push_back(x(i / 1300, 5));
        }
        return column;
    }()));
}

TEST_CASE("a row reads nothing past its memory", "[row]") {
    for (std::size_t n = 1; n < 70; ++n) {
        // Memory of exactly n elements, so that a sanitizer sees any further read.
        const auto memory = std::make_unique<float[]>(n);
        const auto x =
            xt::adapt(static_cast<const float*>(memory.get()), n, xt::no_ownership(), extents{n});
        REQUIRE(reads_as<float>(x, extents{n}, std::vector<float>(n)));
    }
}

TEST_CASE("a lazy operand is computed only where bits are set", "[row]") {
    const xt::xtensor<int, 1> x = xt::arange<int>(100);
    std::vector<int> seen;
    const auto note = [&](int value) {
        seen.push_back(value);
        return 2 * value;
    };
    const auto e = xt::make_lambda_xfunction(note, x);
    const auto rows = detail::make_operand<int>(e, e.shape());
    auto row = rows.row(0);
    const auto block = row.block(3, 64, 0b1000'0101);
    REQUIRE(block.at(0) == 6);
    REQUIRE(block.at(2) == 10);
    REQUIRE(block.at(7) == 20);
    REQUIRE(seen == std::vector<int>{3, 5, 10});
    row.block(96, 4, 0);
    REQUIRE(seen.size() == 3);
}
