// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Every element-wise function and operator of xtensor, inside an operand and around a masked
// expression, gives the result for single elements: to the bit, or within a few units in the last
// place where registers use another formula.

#include <cmath>
#include <cstdint>
#include <limits>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/boolean.hpp>

#if __has_include(<xtensor/core/xmath.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/misc/xset_operation.hpp>
#else
#include <xtensor/xmath.hpp>
#include <xtensor/xset_operation.hpp>
#endif

namespace {
constexpr std::size_t columns = 75; // whole registers, and some elements more

/// The arguments of a function: ordinary values, and special cases of the function.
template <class T>
xt::xtensor<T, 2> numbers(T low, T high, unsigned seed) {
    xt::xtensor<T, 2> x = oracle::random<T>({2, columns}, seed);
    x = low + (x + T(2)) / T(4) * (high - low);
    if constexpr (std::is_floating_point_v<T>) {
        using limits = std::numeric_limits<T>;
        if (low < T(-1)) {
            const T special[] = {
                T(0),
                -T(0),
                T(0.5),
                T(-0.5),
                T(1.5),
                T(-2.5),
                limits::infinity(),
                -limits::infinity(),
                limits::quiet_NaN(),
                T(1)
            };
            for (std::size_t i = 0; i < std::size(special); ++i) {
                x(seed % 2, 3 * i + seed) = special[i];
            }
        }
    }
    return x;
}

template <class T>
void require_same(
    const char* name, const xt::xarray<T>& y, const xt::xtensor<T, 2>& expected, double error
) {
    REQUIRE(y.size() == expected.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
        const T a = y.flat(i);
        const T b = expected.flat(i);
        if (a == b || (a != a && b != b)) {
            continue;
        }
        CAPTURE(name, i, a, b);
        if constexpr (std::is_floating_point_v<T>) {
            REQUIRE(
                std::abs(a - b) <= T(error) * std::numeric_limits<T>::epsilon() *
                                       std::max(std::abs(b), std::numeric_limits<T>::min())
            );
        } else {
            REQUIRE(a == b);
        }
    }
}

/// The elements of an expression, one by one, as the standard library computes them, with
/// XTENSOR_USE_XSIMD, too.
template <class E>
auto each_of(const E& e) {
    xt::xtensor<typename E::value_type, 2> result =
        xt::empty<typename E::value_type>({std::size_t(2), columns});
    for (std::size_t i = 0; i < result.size(); ++i) {
        result.flat(i) = e(i / columns, i % columns);
    }
    return result;
}

/// Compares f(x...), filled where the mask drops.
template <class F, class X, class T, class... Rest>
void check_inside(
    const char* name, double error, F f, const X& x, const xt::xtensor<T, 2>& elements,
    const Rest&... rest
) {
    using value = typename std::decay_t<decltype(f(x, rest...))>::value_type;
    const auto kept = oracle::random<bool>({2, columns}, 9);
    const xt::xarray<value> y =
        xmask::masked_fill(f(x, rest...), xmask::keep_where(kept), value(1));
    xt::xtensor<value, 2> expected = each_of(f(elements, rest...));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expected.flat(i) = kept.flat(i) ? expected.flat(i) : value(1);
    }
    require_same<value>(name, y, expected, error);
}

/// f of a masked x, and of tensors, as an operand: one pass with a masked expression inside and
/// another outside. (Filled with 2, because pow(1, NaN) is NaN in registers of xsimd.)
template <class F, class T, class... Rest>
void check(const char* name, double error, F f, const xt::xtensor<T, 2>& x, const Rest&... rest) {
    const auto m = xmask::keep_where(oracle::random<bool>({2, columns}, 10));
    const xt::xtensor<T, 2> filled = xmask::masked_fill(x, m, T(2));
    check_inside(name, error, f, xmask::masked_fill(x, m, T(2)), filled, rest...);
}

/// f of a tensor alone as an operand.
template <class F, class T>
void check_tensor(const char* name, double error, F f, const xt::xtensor<T, 2>& x) {
    check_inside(name, error, f, x, x);
}
} // namespace

#define CHECK_FUNCTION(name, error, ...)                                                           \
    check(#name, error, [](const auto&... a) { return xt::name(a...); }, __VA_ARGS__)
#define CHECK_FUNCTION_OF_TENSOR(name, error, x)                                                   \
    check_tensor(#name, error, [](const auto& a) { return xt::name(a); }, x)
#define CHECK_OPERATOR(op, ...)                                                                    \
    check(#op, 0, [](const auto& a, const auto& b) { return a op b; }, __VA_ARGS__)

TEST_CASE("Functions of one argument are those of single elements", "[functions]") {
    const auto x = numbers<float>(-8, 8, 1);
    CHECK_FUNCTION(abs, 0, x);
    CHECK_FUNCTION(fabs, 0, x);
    CHECK_FUNCTION(sign, 0, x);
    CHECK_FUNCTION(ceil, 0, x);
    CHECK_FUNCTION(floor, 0, x);
    CHECK_FUNCTION(trunc, 0, x);
    CHECK_FUNCTION(round, 0, x);
    CHECK_FUNCTION(nearbyint, 0, x);
    CHECK_FUNCTION(rint, 0, x);
    CHECK_FUNCTION(isfinite, 0, x);
    CHECK_FUNCTION(isinf, 0, x);
    CHECK_FUNCTION(isnan, 0, x);
    CHECK_FUNCTION(nan_to_num, 0, x);
    CHECK_FUNCTION(square, 0, x);
    CHECK_FUNCTION(cube, 0, x);
    CHECK_FUNCTION(pow<5>, 2, x);
    CHECK_FUNCTION(deg2rad, 1, x);
    CHECK_FUNCTION(rad2deg, 1, x);
    CHECK_FUNCTION(radians, 1, x);
    CHECK_FUNCTION(degrees, 1, x);
    CHECK_FUNCTION(cast<double>, 0, x);
    CHECK_FUNCTION(cast<int>, 0, numbers<float>(-1, 8, 2));
    CHECK_FUNCTION(sqrt, 0, x);
    CHECK_FUNCTION(operator+, 0, x);
    CHECK_FUNCTION(operator-, 0, x);
    CHECK_FUNCTION_OF_TENSOR(abs, 0, x);
    CHECK_FUNCTION_OF_TENSOR(isnan, 0, x);
    CHECK_FUNCTION_OF_TENSOR(sqrt, 0, x);
    CHECK_FUNCTION_OF_TENSOR(cast<double>, 0, x);
}

TEST_CASE("Transcendental functions are those of single elements", "[functions]") {
    const auto x = numbers<float>(-8, 8, 1);
    const auto unit = numbers<float>(-0.99f, 0.99f, 2);
    const auto positive = numbers<float>(0.01f, 20, 3);
    CHECK_FUNCTION(exp, 4, x);
    CHECK_FUNCTION(exp2, 4, x);
    CHECK_FUNCTION(expm1, 4, x);
    CHECK_FUNCTION(log, 4, positive);
    CHECK_FUNCTION(log10, 4, positive);
    CHECK_FUNCTION(log2, 4, positive);
    CHECK_FUNCTION(log1p, 4, positive);
    CHECK_FUNCTION(cbrt, 4, x);
    CHECK_FUNCTION(sin, 4, x);
    CHECK_FUNCTION(cos, 4, x);
    CHECK_FUNCTION(tan, 4, x);
    CHECK_FUNCTION(asin, 4, unit);
    CHECK_FUNCTION(acos, 4, unit);
    CHECK_FUNCTION(atan, 4, x);
    CHECK_FUNCTION(sinh, 4, x);
    CHECK_FUNCTION(cosh, 4, x);
    CHECK_FUNCTION(tanh, 4, x);
    CHECK_FUNCTION(asinh, 4, x);
    CHECK_FUNCTION(acosh, 0, x);
    CHECK_FUNCTION(atanh, 4, unit);
    CHECK_FUNCTION(erf, 4, x);
    CHECK_FUNCTION(erfc, 0, x);
    CHECK_FUNCTION(tgamma, 0, positive);
    CHECK_FUNCTION(tgamma, 0, numbers<float>(1, 1e30f, 2));
    CHECK_FUNCTION(lgamma, 0, x);
    CHECK_FUNCTION_OF_TENSOR(exp, 4, x);
}

TEST_CASE("Functions of several arguments are those of single elements", "[functions]") {
    const auto x = numbers<float>(-8, 8, 1);
    const auto y = numbers<float>(-8, 8, 2);
    const auto z = numbers<float>(-8, 8, 3);
    const auto positive = numbers<float>(0.01f, 20, 3);
    CHECK_FUNCTION(maximum, 0, x, y);
    CHECK_FUNCTION(minimum, 0, x, y);
    CHECK_FUNCTION(maximum, 0, x, 0.5f);
    CHECK_FUNCTION(minimum, 0, x, 0.5f);
    CHECK_FUNCTION(maximum, 0, x, 0.5);
    CHECK_FUNCTION(clip, 0, x, -1.f, 1.f);
    CHECK_FUNCTION(clip, 0, x, y, z);
    CHECK_FUNCTION(fmax, 0, x, y);
    CHECK_FUNCTION(fmin, 0, x, y);
    CHECK_FUNCTION(fdim, 0, x, y);
    CHECK_FUNCTION(fmod, 0, x, y);
    CHECK_FUNCTION(remainder, 0, x, y);
    CHECK_FUNCTION(fma, 1, x, y, z);
    CHECK_FUNCTION(pow, 16, positive, y);
    CHECK_FUNCTION(hypot, 0, x, y);
    CHECK_FUNCTION(atan2, 4, x, y);
    CHECK_FUNCTION(isclose, 0, x, y);
    CHECK_FUNCTION(equal, 0, x, y);
    CHECK_FUNCTION(not_equal, 0, x, y);
    CHECK_FUNCTION(less, 0, x, y);
    CHECK_FUNCTION(less_equal, 0, x, y);
    CHECK_FUNCTION(greater, 0, x, y);
    CHECK_FUNCTION(greater_equal, 0, x, y);
    const auto kept = oracle::random<bool>({2, columns}, 4);
    check("where", 0, [&](const auto& a, const auto& b) { return xt::where(kept, a, b); }, x, y);
    check("where", 0, [](const auto& a, const auto& b) { return xt::where(a > b, a, b); }, x, y);
#if !defined(XTENSOR_USE_XSIMD) // xtensor itself does not compile it for reals
    const xt::xtensor<float, 1> few = {1.5f, 1.f};
    check("isin", 0, [&](const auto& a) { return xt::isin(a, few); }, x);
#endif
}

TEST_CASE("Operators are those of single elements", "[functions]") {
    const auto x = numbers<float>(-8, 8, 1);
    const auto y = numbers<float>(-8, 8, 2);
    CHECK_OPERATOR(+, x, y);
    CHECK_OPERATOR(-, x, y);
    CHECK_OPERATOR(*, x, y);
    CHECK_OPERATOR(/, x, y);
    CHECK_OPERATOR(<, x, y);
    CHECK_OPERATOR(<=, x, y);
    CHECK_OPERATOR(>, x, y);
    CHECK_OPERATOR(>=, x, y);
    CHECK_OPERATOR(&&, x, y);
    CHECK_OPERATOR(||, x, y);
    check("!", 0, [](const auto& a) { return !a; }, x);
    const xt::xtensor<int, 2> i = oracle::random<int>({2, columns}, 1);
    const xt::xtensor<int, 2> j = oracle::random<unsigned>({2, columns}, 2) + 1u;
    CHECK_OPERATOR(%, i, j);
    CHECK_OPERATOR(&, i, j);
    CHECK_OPERATOR(|, i, j);
    CHECK_OPERATOR(^, i, j);
    CHECK_OPERATOR(<<, j, j);
    CHECK_OPERATOR(>>, j, j);
    check("~", 0, [](const auto& a) { return ~a; }, i);
    CHECK_FUNCTION(maximum, 0, i, j);
    CHECK_FUNCTION(clip, 0, i, -2, 3);
}

TEST_CASE("Functions of doubles are those of single elements", "[functions]") {
    const auto x = numbers<double>(-8, 8, 1);
    const auto y = numbers<double>(-8, 8, 2);
    CHECK_FUNCTION(maximum, 0, x, y);
    CHECK_FUNCTION(minimum, 0, x, y);
    CHECK_FUNCTION(clip, 0, x, -1., 1.);
    CHECK_FUNCTION(fmax, 0, x, y);
    CHECK_FUNCTION(fmod, 0, x, y);
    CHECK_FUNCTION(hypot, 0, numbers<double>(1e300, 1e301, 1), y);
    CHECK_FUNCTION(round, 0, x);
    CHECK_FUNCTION(exp, 4, x);
    check("where", 0, [](const auto& a, const auto& b) { return xt::where(a > b, a, b); }, x, y);
}

TEST_CASE("A lambda that takes no registers is called by element", "[functions]") {
    const auto x = numbers<float>(-8, 8, 1);
    const auto relu = [](auto v) -> decltype(v < 0 ? 0 * v : v) { return v < 0 ? 0 * v : v; };
    const auto of_relu = [&](const auto& a) {
        return xt::make_lambda_xfunction(decltype(relu)(relu), a);
    };
    check("relu", 0, of_relu, x);
#if !defined(XTENSOR_USE_XSIMD)
    // A lambda without a return type cannot be asked whether it takes registers. With
    // XTENSOR_USE_XSIMD xtensor asks, and fails to compile.
    const auto bare = [](auto v) { return v < 0 ? 0 * v : v; };
    const auto of_bare = [&](const auto& a) {
        return xt::make_lambda_xfunction(decltype(bare)(bare), a);
    };
    check("bare relu", 0, of_bare, x);
#endif
}

TEST_CASE("Functions of reals are computed in registers", "[functions]") {
    const xt::xtensor<float, 1> x = {1.f};
    xt::xtensor<float, 1> y = {2.f};
    const auto in_registers = [&](const auto& e) {
        using rows = decltype(xmask::detail::make_rows(e, x.shape()));
        return xmask::detail::block_t<xmask::detail::row_t<rows>>::in_registers;
    };
    REQUIRE(in_registers(xt::maximum(x, y)));
    REQUIRE(in_registers(xt::minimum(x, 0.f)));
    REQUIRE(in_registers(xt::clip(x, 0.f, y)));
    REQUIRE(in_registers(xt::square(x)));
    REQUIRE(in_registers(xt::square(y)));
    REQUIRE(in_registers(xt::cube(x + y)));
    REQUIRE(in_registers(xt::pow<4>(y)));
    REQUIRE(in_registers(xt::exp(x)));
    REQUIRE_FALSE(in_registers(xt::fmax(x, y)));
}
