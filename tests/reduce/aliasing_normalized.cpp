// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <vector>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <support/self_masks.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/normalize.hpp>
#include <xmask/reduce/softmax.hpp>

namespace {
/// Tests op(x, mask of x, axis) on matrices of all shapes.
template <class Op>
void require_of_all_masks(Op&& op) {
    self_masks::for_each<float>([&](const char* name, const auto& make) {
        for (const auto& shape : self_masks::shapes) {
            for (const std::ptrdiff_t axis : {0, 1}) {
                CAPTURE(name, shape, axis);
                auto x = oracle::random<float>(shape, 5);
                self_masks::require_as_by_copies(x, make, [&](auto& to, const auto& m) {
                    op(to, m, axis);
                });
            }
        }
    });
}

/// Tests op on a layout that is not written in place.
template <class Op>
void require_of_column_major(Op&& op) {
    for (const auto& shape : self_masks::shapes) {
        for (const std::ptrdiff_t axis : {0, 1}) {
            CAPTURE(shape, axis);
            const auto from = oracle::random<float>(shape, 5);
            const auto m = [](const auto& x) { return xmask::shift(xmask::keep_above(x, 0), 1); };
            xt::xarray<float, xt::layout_type::column_major> expected = from;
            op(expected, m(from), axis);
            xt::xarray<float, xt::layout_type::column_major> x = from;
            op(x, m(x), axis);
            REQUIRE(oracle::close(x, expected, 1e-6));
        }
    }
}
} // namespace

TEST_CASE("masked_softmax_inplace may look at what it writes", "[aliasing]") {
    const auto op = [](auto& x, const auto& m, std::ptrdiff_t axis) {
        xmask::masked_softmax_inplace(x, m, axis);
    };
    require_of_all_masks(op);
    require_of_column_major(op);
}

TEST_CASE("masked_log_softmax_inplace and masked_softmin_inplace, too", "[aliasing]") {
    require_of_column_major([](auto& x, const auto& m, std::ptrdiff_t axis) {
        xmask::masked_log_softmax_inplace(x, m, axis);
    });
    require_of_column_major([](auto& x, const auto& m, std::ptrdiff_t axis) {
        xmask::masked_softmin_inplace(x, m, axis);
    });
}

TEST_CASE("masked_normalize_inplace may look at what it writes", "[aliasing]") {
    const auto op = [](auto& x, const auto& m, std::ptrdiff_t axis) {
        xmask::masked_normalize_inplace(x, m, axis);
    };
    require_of_all_masks(op);
    require_of_column_major(op);
}

TEST_CASE("masked_standardize_inplace may look at what it writes", "[aliasing]") {
    const auto op = [](auto& x, const auto& m, std::ptrdiff_t axis) {
        xmask::masked_standardize_inplace(x, m, axis);
    };
    require_of_all_masks(op);
    require_of_column_major(op);
}

TEST_CASE("A softmax within a larger expression may look at the target", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        CAPTURE(shape);
        const auto from = oracle::random<float>(shape, 5);
        const auto kept = oracle::random<bool>(shape, 6);
        const auto m = xmask::keep_where(kept);
        const xt::xarray<float> expected = 2.f * xmask::masked_softmax(from, m, 0) + from;
        xt::xarray<float> x = from;
        xt::noalias(x) = 2.f * xmask::masked_softmax(x, m, 0) + x;
        REQUIRE(oracle::elements(x) == oracle::elements(expected));
    }
}
