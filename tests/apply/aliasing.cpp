// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdint>
#include <vector>

#include <catch2/catch_all.hpp>

#include <support/oracle.hpp>
#include <support/self_masks.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/apply/masked_replace.hpp>
#include <xmask/apply/masked_scatter.hpp>
#include <xmask/apply/multiply.hpp>

namespace {
/// Tests op on row-major matrices of all shapes, with every mask of the target.
template <class T, class Op>
void require_of_all_masks(Op&& op) {
    self_masks::for_each<T>([&](const char* name, const auto& make) {
        for (const auto& shape : self_masks::shapes) {
            auto x = oracle::random<T>(shape, 5);
            CAPTURE(name, shape);
            self_masks::require_as_by_copies(x, make, op);
        }
    });
}
} // namespace

TEST_CASE("masked_fill_inplace may look at what it writes", "[aliasing]") {
    require_of_all_masks<std::int32_t>([](auto& x, const auto& m) {
        xmask::masked_fill_inplace(x, m, -7);
    });
}

TEST_CASE("multiply_inplace may look at what it writes", "[aliasing]") {
    require_of_all_masks<float>([](auto& x, const auto& m) { xmask::multiply_inplace(x, m); });
}

TEST_CASE("masked_scatter_inplace may look at what it writes", "[aliasing]") {
    const xt::xarray<float> source = oracle::random<float>({2, 300}, 9) + 3.f;
    require_of_all_masks<float>([&](auto& x, const auto& m) {
        xmask::masked_scatter_inplace(x, m, source);
    });
}

TEST_CASE("An operation in place may look at what it writes, in any layout", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        const auto from = oracle::random<std::int32_t>(shape, 5);
        self_masks::for_each_elsewhere([&](const char* name, const auto& make) {
            CAPTURE(name, shape);
            const auto fill = [](auto& x, const auto& m) { xmask::masked_fill_inplace(x, m, -7); };
            xt::xarray<std::int32_t, xt::layout_type::column_major> transposed = from;
            self_masks::require_as_by_copies(transposed, make, fill);
            xt::xarray<std::int32_t> wide = xt::zeros<std::int32_t>({shape[0], 2 * shape[1]});
            auto strided = xt::view(wide, xt::all(), xt::range(0, 2 * shape[1], 2));
            strided = from;
            self_masks::require_as_by_copies(strided, make, fill);
        });
    }
}

TEST_CASE("A mask may look at the target by another view of its memory", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        CAPTURE(shape);
        const auto from = oracle::random<float>({shape[0], shape[1] + 1}, 5);
        const auto n = static_cast<std::ptrdiff_t>(shape[1]);
        const auto left = [&](auto& base) { return xt::view(base, xt::all(), xt::range(0, n)); };
        const auto right = [&](auto& base) {
            return xt::view(base, xt::all(), xt::range(1, n + 1));
        };
        for (const bool forwards : {true, false}) {
            const auto apply = [&](auto& base, const auto& seen) {
                auto first = left(base);
                auto second = right(base);
                if (forwards) {
                    xmask::masked_fill_inplace(second, xmask::keep_above(left(seen), 0), -7.f);
                } else {
                    xmask::masked_fill_inplace(first, xmask::keep_above(right(seen), 0), -7.f);
                }
            };
            xt::xarray<float> base = from;
            xt::xarray<float> expected = from;
            apply(expected, from);
            apply(base, base);
            REQUIRE(oracle::elements(base) == oracle::elements(expected));
        }
    }
}

TEST_CASE("masked_replace_inplace may take elements of what it writes", "[aliasing]") {
    for (const std::size_t n : self_masks::columns) {
        const auto from = oracle::random<float>({n, n}, 5);
        const auto kept = oracle::random<bool>({n, n}, 6);
        const auto require = [&](const char* name, const auto& other) {
            CAPTURE(name, n);
            const auto m = xmask::keep_where(kept);
            const auto shifted = [](const auto& x) {
                return xmask::shift(xmask::keep_above(x, 0), 1);
            };
            xt::xarray<float> expected = from;
            xmask::masked_replace_inplace(expected, m, other(from));
            xt::xarray<float> x = from;
            xmask::masked_replace_inplace(x, m, other(x));
            REQUIRE(oracle::elements(x) == oracle::elements(expected));
            expected = from;
            xmask::masked_replace_inplace(expected, shifted(from), other(from));
            x = from;
            xmask::masked_replace_inplace(x, shifted(x), other(x));
            REQUIRE(oracle::elements(x) == oracle::elements(expected));
        };
        require("itself", [](const auto& x) { return 2.f * x; });
        require("transposed", [](const auto& x) { return xt::transpose(x); });
        require("first row", [](const auto& x) { return xt::view(x, 0, xt::all()); });
        require("backwards", [](const auto& x) { return xt::flip(x, 1); });
        require("masked", [](const auto& x) {
            return xmask::masked_fill(x, xmask::shift(xmask::keep_above(x, 0), -1), 0.f);
        });
    }
}

TEST_CASE("A shifted view of the target replaces what is dropped", "[aliasing]") {
    for (const std::size_t n : self_masks::columns) {
        const auto from = oracle::random<float>({3, n + 1}, 5);
        const auto kept = oracle::random<bool>({3, n}, 6);
        const auto columns = [&](auto& x, std::size_t first) {
            return xt::view(x, xt::all(), xt::range(first, first + n));
        };
        for (const std::size_t first : {std::size_t(0), std::size_t(1)}) {
            CAPTURE(n, first);
            xt::xarray<float> expected = from;
            auto to_expected = columns(expected, first);
            xmask::masked_replace_inplace(
                to_expected, xmask::keep_where(kept), columns(from, 1 - first)
            );
            xt::xarray<float> x = from;
            auto to = columns(x, first);
            xmask::masked_replace_inplace(to, xmask::keep_where(kept), columns(x, 1 - first));
            REQUIRE(oracle::elements(x) == oracle::elements(expected));
        }
    }
}

TEST_CASE("multiply_inplace by weights of its own memory", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        CAPTURE(shape);
        const auto from = oracle::random<float>(shape, 5);
        xt::xarray<float> expected = from;
        xmask::multiply_inplace(expected, xt::view(from, 0, xt::all()));
        xt::xarray<float> x = from;
        xmask::multiply_inplace(x, xt::view(x, 0, xt::all()));
        REQUIRE(oracle::elements(x) == oracle::elements(expected));
        expected = from;
        xmask::multiply_inplace(expected, from);
        x = from;
        xmask::multiply_inplace(x, x);
        REQUIRE(oracle::elements(x) == oracle::elements(expected));
    }
}

TEST_CASE("masked_scatter_inplace takes its source from the target", "[aliasing]") {
    for (const auto& shape : self_masks::shapes) {
        CAPTURE(shape);
        const auto from = oracle::random<float>(shape, 5);
        const auto kept = oracle::random<bool>(shape, 6);
        xt::xarray<float> expected = from;
        xmask::masked_scatter_inplace(expected, xmask::keep_where(kept), from);
        xt::xarray<float> x = from;
        xmask::masked_scatter_inplace(x, xmask::keep_where(kept), x);
        REQUIRE(oracle::elements(x) == oracle::elements(expected));
    }
}
