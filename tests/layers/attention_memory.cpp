// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstddef>

#include <catch2/catch_test_macros.hpp>

#include <xmask/layers/attention.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/allocations.hpp"
#include "support/attention.hpp"

namespace {
constexpr std::size_t features = 4;

/// The memory that a forward and a backward call allocate, without the result and the gradients.
template <class F>
std::size_t bytes_of(std::size_t n, F&& mask_of) {
    const xt::xtensor<float, 2> x = oracle::random<float>({n, features}, 1);
    const auto m = mask_of(n);
    xt::xtensor<float, 2> dq;
    xt::xtensor<float, 2> dk;
    xt::xtensor<float, 2> dv;
    const std::size_t before = allocated_bytes();
    const auto y = xmask::masked_attention(x, x, x, m);
    xmask::masked_attention_gradient(x, x, x, m, y, dq, dk, dv);
    return allocated_bytes() - before;
}

template <class F>
void require_linear(F&& mask_of) {
    const std::size_t few = bytes_of(128, mask_of);
    const std::size_t many = bytes_of(256, mask_of);
    const std::size_t most = bytes_of(512, mask_of);
    // Twice the tokens double the memory. Scores would quadruple it, and take 1 MB in the end.
    REQUIRE(most - many <= 2 * (many - few) + 4096);
    REQUIRE(most < 500'000);
}
} // namespace

TEST_CASE("attention takes memory in proportion to the tokens", "[attention]") {
    require_linear([](std::size_t n) { return xmask::keep_causal(n, n); });
    require_linear([](std::size_t n) { return xmask::keep_all({n, n}); });
    require_linear([](std::size_t n) {
        return xmask::keep_if({n, n}, [](std::size_t i, std::size_t j) {
            return (i ^ j) % 3 != 0;
        });
    });
}
