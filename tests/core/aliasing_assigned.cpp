// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <support/self_masks.hpp>
#include <xmask/apply/gate.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/masked_replace.hpp>
#include <xmask/apply/multiply.hpp>

namespace {
/// Fails unless `xt::noalias(x) = lazy(x, mask of x)` gives the same as lazy(x, mask of a copy of
/// x).
template <class Lazy>
void require_assigned(Lazy&& lazy) {
    const auto require = [&](const char* name, const auto& make) {
        if (std::string(name) == "unknown rule") {
            return; // assignments assume that a rule without sources() does not read the target
        }
        for (const auto& shape : self_masks::shapes) {
            CAPTURE(name, shape);
            const auto from = oracle::random<float>(shape, 5);
            const xt::xarray<float> expected = lazy(from, make(from));
            xt::xarray<float> x = from;
            xt::noalias(x) = lazy(x, make(x));
            REQUIRE(oracle::same_bits(oracle::elements(x), oracle::elements(expected)));
            xt::xarray<float, xt::layout_type::column_major> y = from;
            xt::noalias(y) = lazy(y, make(y));
            REQUIRE(oracle::same_bits(oracle::elements(y), oracle::elements(expected)));
        }
    };
    self_masks::for_each<float>(require);
}
} // namespace

TEST_CASE("What is assigned without a temporary may look at the target", "[aliasing]") {
    require_assigned([](const auto& x, const auto& m) { return xmask::masked_fill(x, m, -7.f); });
}

TEST_CASE("So may a larger expression", "[aliasing]") {
    require_assigned([](const auto& x, auto m) {
        return 2.f * xmask::multiply(x, std::move(m)) + 1.f;
    });
}

TEST_CASE("Operands may be other views of the target", "[aliasing]") {
    for (const std::size_t n : self_masks::columns) {
        CAPTURE(n);
        const auto from = oracle::random<float>({n, n}, 5);
        const auto kept = oracle::random<bool>({n, n}, 6);
        const auto m = xmask::keep_where(kept);
        const auto require = [&](const auto& lazy) {
            const xt::xarray<float> expected = lazy(from);
            xt::xarray<float> x = from;
            xt::noalias(x) = lazy(x);
            REQUIRE(oracle::same_bits(oracle::elements(x), oracle::elements(expected)));
        };
        require([&](const auto& x) { return xmask::masked_fill(xt::transpose(x), m, 0.f); });
        require([&](const auto& x) { return xmask::masked_replace(xt::flip(x, 1), m, x); });
        require([&](const auto& x) { return xmask::masked_replace(x, m, xt::view(x, 0)); });
        require([&](const auto& x) { return xmask::multiply(x, xt::view(x, 0)); });
        require([&](const auto& x) { return xmask::multiply(x, xmask::sigmoid_gate(x)); });
        require([&](const auto& x) {
            return xmask::multiply(x, xmask::sigmoid_gate(xt::transpose(x)));
        });
        require([&](const auto& x) { return x + xmask::masked_fill(xt::transpose(x), m, 0.f); });
    }
}

TEST_CASE("A target that is given another shape may be looked at before", "[aliasing]") {
    const auto from = oracle::random<float>({70}, 5);
    const auto x = oracle::random<float>({3, 70}, 6);
    const xt::xarray<float> expected = xmask::masked_fill(x, xmask::keep_above(from, 0), -7.f);
    xt::xarray<float> y = from;
    xt::noalias(y) = xmask::masked_fill(x, xmask::keep_above(y, 0), -7.f);
    REQUIRE(y.dimension() == 2);
    REQUIRE(oracle::elements(y) == oracle::elements(expected));
}

TEST_CASE("A mask that is assigned to what it looks at", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        CAPTURE(shape);
        const auto from = oracle::random<bool>(shape, 5);
        xt::xarray<bool> x = from;
        xt::noalias(x) = xmask::shift(xmask::keep_where(x), 1);
        const xt::xarray<bool> expected = xmask::shift(xmask::keep_where(from), 1);
        REQUIRE(oracle::elements(x) == oracle::elements(expected));
    }
}
