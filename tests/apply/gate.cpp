// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <catch2/catch_all.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <support/allocations.hpp>
#include <support/oracle.hpp>
#include <xmask/apply/gate.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/multiply.hpp>
#include <xmask/masks/threshold.hpp>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {
using shape_t = std::vector<std::size_t>;

double gate(double z) { return 1 / (1 + std::exp(-z)); }

template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 1e-6 : 1e-14;
} // namespace

TEMPLATE_TEST_CASE("a gate is the logistic function, of any layout", "[gate]", float, double) {
    using T = TestType;
    for (const std::size_t n : oracle::columns) {
        const auto z = oracle::random<T>({3, n}, 1);
        const auto x = oracle::random<T>({3, n}, 2);
        xt::xarray<double> expected = z;
        for (auto& value : expected) {
            value = gate(value);
        }
        xt::xarray<double> product = expected;
        for (std::size_t i = 0; i < product.size(); ++i) {
            product.flat(i) *= static_cast<double>(x.flat(i));
        }
        oracle::for_each_layout(z, [&](const auto& logits, const std::string& layout) {
            CAPTURE(n, layout);
            xt::xarray<T> y = xmask::sigmoid_gate(logits);
            REQUIRE(oracle::close(y, expected, tolerance<T>));
            xt::noalias(y) = xmask::multiply(x, xmask::sigmoid_gate(logits));
            REQUIRE(oracle::close(y, product, tolerance<T>));
            y = 2 * xmask::multiply(x, xmask::sigmoid_gate(logits)) - x;
            REQUIRE(
                oracle::
                    close(y, xt::xarray<double>(2. * product - xt::cast<double>(x)), 2 * tolerance<T>)
            );
        });
    }
}

TEMPLATE_TEST_CASE(
    "a gate alone is computed in registers, as one that multiplies is", "[gate]", float, double
) {
    using T = TestType;
    const auto z = oracle::random<T>({3, 331}, 1);
    const xt::xarray<T> ones = xt::ones<T>({3, 331});
    const xt::xarray<T> multiplied = xmask::multiply(ones, xmask::sigmoid_gate(z));
    xt::xarray<T> y = xt::zeros<T>({3, 331});
    const std::size_t before = allocations();
    xt::noalias(y) = xmask::sigmoid_gate(z);
    REQUIRE(allocations() == before);
    REQUIRE(oracle::same_bits(oracle::elements(y), oracle::elements(multiplied)));
    xt::noalias(y) = ones * xmask::sigmoid_gate(z);
    REQUIRE(oracle::same_bits(oracle::elements(y), oracle::elements(multiplied)));
    xt::xtensor<T, 2, xt::layout_type::column_major> other = xmask::sigmoid_gate(z);
    other += xmask::sigmoid_gate(z);
    REQUIRE(oracle::close(other, xt::xarray<T>(multiplied + multiplied), tolerance<T>));
}

TEST_CASE("a gate is an expression as others are, and holds what is temporary", "[gate]") {
    const auto z = oracle::random<float>({4, 67}, 1);
    const auto gate_of_sum = xmask::sigmoid_gate(xt::xarray<float>(z + 1.f));
    STATIC_REQUIRE(std::is_same_v<decltype(gate_of_sum)::value_type, float>);
    REQUIRE(gate_of_sum.shape() == z.shape());
    std::size_t i = 0;
    for (const float open : gate_of_sum) {
        REQUIRE(
            std::abs(static_cast<double>(open) - gate(static_cast<double>(z.flat(i++)) + 1)) <= 1e-6
        );
    }
    REQUIRE(i == z.size());
    REQUIRE(
        std::abs(static_cast<double>(gate_of_sum(2, 3)) - gate(static_cast<double>(z(2, 3)) + 1)) <=
        1e-6
    );
    const xt::xarray<float> row = xt::view(gate_of_sum, 1);
    REQUIRE(oracle::close(row, xt::xarray<float>(xt::view(xt::xarray<float>(gate_of_sum), 1)), 1e-6)
    );
    const xt::xarray<float> number = 0.f;
    REQUIRE(xmask::sigmoid_gate(number)() == 0.5f);
    // A gate in a choice by a mask, and of another type than its operand.
    const xt::xarray<float> filled =
        xmask::masked_fill(gate_of_sum, xmask::keep_above(z, 0.f), -1.f);
    const xt::xarray<double> wide = z;
    const xt::xarray<float> product = xmask::multiply(z, xmask::sigmoid_gate(wide));
    for (i = 0; i < z.size(); ++i) {
        const auto at = static_cast<double>(z.flat(i));
        REQUIRE(
            std::abs(static_cast<double>(filled.flat(i)) - (at > 0 ? gate(at + 1) : -1)) <= 1e-6
        );
        REQUIRE(std::abs(static_cast<double>(product.flat(i)) - at * gate(at)) <= 1e-6);
    }
}

TEMPLATE_TEST_CASE("a gate overflows nowhere", "[gate]", float, double) {
    using limits = std::numeric_limits<TestType>;
    xt::xarray<TestType> z = xt::zeros<TestType>({100});
    z(0) = limits::infinity();
    z(1) = -limits::infinity();
    z(2) = limits::max();
    z(3) = limits::lowest();
    z(4) = limits::quiet_NaN();
    z(5) = 30;
    z(6) = -30;
    const xt::xarray<TestType> y = xmask::sigmoid_gate(z);
    REQUIRE(y(0) == 1);
    REQUIRE(y(1) == 0);
    REQUIRE(y(2) == 1);
    REQUIRE(y(3) == 0);
    REQUIRE(std::isnan(y(4)));
    REQUIRE(std::abs(static_cast<double>(y(6)) / gate(-30.) - 1) < tolerance<TestType>);
    REQUIRE(y(99) == TestType(0.5));

    // Far from 0, 1 - g keeps all its digits: by_z = g (1 - g).
    const xt::xarray<TestType> one = xt::ones<TestType>({100});
    xt::xarray<TestType> by_x;
    xt::xarray<TestType> by_z;
    xmask::sigmoid_gate_gradient(one, z, one, by_x, by_z);
    REQUIRE(std::abs(static_cast<double>(by_z(5)) / (gate(30.) * gate(-30.)) - 1) < tolerance<TestType>);
    REQUIRE(by_z(0) == 0);
    REQUIRE(by_z(1) == 0);
}

TEMPLATE_TEST_CASE("gradients of a gate are its slopes", "[gate]", float, double) {
    using T = TestType;
    for (const std::size_t n : oracle::columns) {
        const auto x = oracle::random<T>({2, n}, 1);
        const auto z = oracle::random<T>({2, n}, 2);
        const auto upstream = oracle::random<T>({2, n}, 3);
        xt::xarray<double> slope_x = x;
        xt::xarray<double> slope_z = x;
        for (std::size_t i = 0; i < x.size(); ++i) {
            const auto u = static_cast<double>(upstream.flat(i));
            const auto at = static_cast<double>(z.flat(i));
            slope_x.flat(i) = u * gate(at);
            slope_z.flat(i) =
                u * static_cast<double>(x.flat(i)) * (gate(at + 1e-6) - gate(at - 1e-6)) / 2e-6;
        }
        oracle::for_each_layout(x, [&](const auto& operand, const std::string& layout) {
            CAPTURE(n, layout);
            xt::xarray<T, xt::layout_type::column_major> by_x;
            xt::xtensor<T, 2> by_z;
            xmask::sigmoid_gate_gradient(operand, z + T(0), upstream, by_x, by_z);
            REQUIRE(oracle::close(by_x, slope_x, tolerance<T>));
            REQUIRE(oracle::close(by_z, slope_z, std::is_same_v<T, float> ? 1e-6 : 1e-9));
        });
        xt::xarray<T> in_place = upstream;
        xt::xarray<T> by_z;
        xmask::sigmoid_gate_gradient(x, z, in_place, in_place, by_z);
        REQUIRE(oracle::close(in_place, slope_x, tolerance<T>));
        REQUIRE(oracle::close(by_z, slope_z, std::is_same_v<T, float> ? 1e-6 : 1e-9));
    }
}

TEST_CASE("the gradient by a gate that is broadcast is the sum of its uses", "[gate]") {
    const auto x = oracle::random<double>({3, 4, 70}, 1);
    const auto upstream = oracle::random<double>({3, 4, 70}, 3);
    for (const shape_t& shape :
         {shape_t{70}, shape_t{4, 1}, shape_t{3, 1, 70}, shape_t{1, 4, 70}, shape_t{}, shape_t{1}
         }) {
        const auto z = oracle::random<double>(shape, 2);
        const xt::xarray<double> wide = xt::broadcast(z, x.shape());
        xt::xarray<double> by_x;
        xt::xarray<double> by_z;
        xmask::sigmoid_gate_gradient(x, z, upstream, by_x, by_z);
        xt::xarray<double> all_x;
        xt::xarray<double> all_z;
        xmask::sigmoid_gate_gradient(x, wide, upstream, all_x, all_z);
        REQUIRE(oracle::close(by_x, all_x, 0));
        REQUIRE(by_z.dimension() == shape.size());
        xt::xarray<double> sums = xt::zeros<double>(shape);
        for (std::size_t i = 0; i < x.size(); ++i) {
            std::vector<std::size_t> index = {i / 280, i / 70 % 4, i % 70};
            index.erase(index.begin(), index.end() - static_cast<std::ptrdiff_t>(shape.size()));
            for (std::size_t axis = 0; axis < shape.size(); ++axis) {
                index[axis] = shape[axis] == 1 ? 0 : index[axis];
            }
            sums.element(index.begin(), index.end()) += all_z.flat(i);
        }
        REQUIRE(oracle::close(by_z, sums, 1e-12));
    }
}

TEMPLATE_TEST_CASE("a gate agrees with PyTorch", "[gate][reference]", float, double) {
    using T = TestType;
    const auto read = [](const char* array) {
        return oracle::reference<double>("multiply_soft_gate", array);
    };
    const xt::xarray<T> x = oracle::reference<float>("multiply_soft_gate", "x");
    const xt::xarray<T> z = oracle::reference<float>("multiply_soft_gate", "gate");
    const xt::xarray<T> upstream = read("up");
    const double error = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    const xt::xarray<T> y = xmask::multiply(x, xmask::sigmoid_gate(z));
    REQUIRE(oracle::close(y, read("y"), error));
    xt::xarray<T> by_x;
    xt::xarray<T> by_z;
    xmask::sigmoid_gate_gradient(x, z, upstream, by_x, by_z);
    REQUIRE(oracle::close(by_x, read("grad_x"), error));
    REQUIRE(oracle::close(by_z, read("grad_gate"), error));
}

TEST_CASE("a gate refuses shapes that do not fit, before anything is written", "[gate]") {
    const auto x = oracle::random<float>({2, 3}, 1);
    xt::xarray<float> by_x = {7};
    xt::xarray<float> by_z = {7};
    REQUIRE_THROWS_MATCHES(
        xmask::sigmoid_gate_gradient(x, oracle::random<float>({3, 2}), x, by_x, by_z),
        std::invalid_argument,
        MessageMatches(
            ContainsSubstring("sigmoid_gate_gradient") && ContainsSubstring("(3, 2)") &&
            ContainsSubstring("(2, 3)")
        )
    );
    REQUIRE_THROWS_MATCHES(
        xmask::sigmoid_gate_gradient(x, x, oracle::random<float>({3}), by_x, by_z),
        std::invalid_argument,
        MessageMatches(ContainsSubstring("the upstream gradient has shape (3,)"))
    );
    REQUIRE(by_x.size() == 1);
    REQUIRE(by_z(0) == 7);
}

TEST_CASE("a gate refuses gradients that share memory, and takes views that do not", "[gate]") {
    const auto x = oracle::random<float>({2, 3}, 1);
    const auto z = oracle::random<float>({2, 3}, 2);
    const auto refuses = [&](auto&& by_x, auto&& by_z) {
        REQUIRE_THROWS_MATCHES(
            xmask::sigmoid_gate_gradient(x, z, x, by_x, by_z), std::invalid_argument,
            MessageMatches(ContainsSubstring(
                "the gradient by x and the gradient by z are written to the same memory"
            ))
        );
    };
    xt::xarray<float> both = {7.f};
    refuses(both, both);
    REQUIRE(both.size() == 1);
    REQUIRE(both(0) == 7.f);
    xt::xarray<float> wide = xt::zeros<float>({3, 4});
    wide.fill(7.f);
    refuses(
        xt::view(wide, xt::range(0, 2), xt::range(0, 3)),
        xt::view(wide, xt::range(1, 3), xt::range(1, 4))
    );
    refuses(
        xt::view(wide, xt::range(0, 2), xt::range(0, 3)),
        xt::flip(xt::view(wide, xt::range(0, 2), xt::range(0, 3)), 1)
    );
    REQUIRE(oracle::elements(wide) == std::vector<float>(12, 7.f));

    // Halves of a row, and every other column, are interleaved without a common element.
    xt::xarray<float> by_x, by_z;
    xmask::sigmoid_gate_gradient(x, z, x, by_x, by_z);
    xt::xarray<float> packed = xt::zeros<float>({2, 6});
    xmask::sigmoid_gate_gradient(
        x, z, x, xt::view(packed, xt::all(), xt::range(0, 3)),
        xt::view(packed, xt::all(), xt::range(3, 6))
    );
    REQUIRE(xt::view(packed, xt::all(), xt::range(0, 3)) == by_x);
    REQUIRE(xt::view(packed, xt::all(), xt::range(3, 6)) == by_z);
    xmask::sigmoid_gate_gradient(
        x, z, x, xt::view(packed, xt::all(), xt::range(0, 6, 2)),
        xt::view(packed, xt::all(), xt::range(1, 6, 2))
    );
    REQUIRE(xt::view(packed, xt::all(), xt::range(0, 6, 2)) == by_x);
    REQUIRE(xt::view(packed, xt::all(), xt::range(1, 6, 2)) == by_z);
}
