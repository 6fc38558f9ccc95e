// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/core/mask.hpp>
#include <xmask/masks/text.hpp> // Catch2 prints the values that it compares

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xfixed.hpp>
#include <xtensor/generators/xbuilder.hpp>
#include <xtensor/io/xnpy.hpp>
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xbuilder.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xnpy.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xview.hpp>
#endif

/// @file
/// The oracle of all tests: naive loops, element by element, and PyTorch's results.

namespace oracle {
/// Row lengths at which loops over words and registers break.
inline const std::vector<std::size_t> columns = {0, 1, 3, 63, 64, 65, 130, 4097};

/// A row-major tensor of values in [-2, 2) (integers: -8 to 8, unsigned: 0 to 16). The same seed
/// gives the same values.
template <class T, class S>
xt::xarray<T> random(const S& shape, unsigned seed = 1) {
    xt::xarray<T> x =
        xt::xarray<T>::from_shape(std::vector<std::size_t>(shape.begin(), shape.end()));
    std::mt19937 generator(seed);
    for (auto& value : x) {
        const auto bits = generator();
        if constexpr (std::is_floating_point_v<T>) {
            value = static_cast<T>(bits % 4096) / T(1024) - T(2);
        } else if constexpr (std::is_same_v<T, bool>) {
            value = (bits >> 7 & 1) != 0;
        } else {
            value = static_cast<T>(static_cast<int>(bits % 17) - (std::is_signed_v<T> ? 8 : 0));
        }
    }
    return x;
}

template <class T>
xt::xarray<T> random(std::initializer_list<std::size_t> shape, unsigned seed = 1) {
    return random<T>(std::vector<std::size_t>(shape), seed);
}

/// Calls f(x, name) with the values of `from` in each layout that xtensor has. The result of f must
/// not depend on the layout.
template <class T, class F>
void for_each_layout(const xt::xarray<T>& from, F&& f) {
    f(from, "row-major");
    const xt::xarray<T, xt::layout_type::column_major> transposed = from;
    f(transposed, "column-major");
    if (from.dimension() == 0) {
        return;
    }
    // Every other column of a wider tensor, from its second column on: strided and unaligned.
    auto shape = std::vector<std::size_t>(from.shape().begin(), from.shape().end());
    shape.back() = 2 * shape.back() + 1;
    xt::xarray<T> wide = xt::zeros<T>(shape);
    auto strided =
        xt::strided_view(wide, {xt::ellipsis(), xt::range(1, static_cast<int>(shape.back()), 2)});
    strided = from;
    f(strided, "strided");
    // Rows with a gap after each, and a first row that starts one element late.
    shape.back() = from.shape().back() + 3;
    xt::xarray<T> padded = xt::zeros<T>(shape);
    auto offset = xt::strided_view(
        padded, {xt::ellipsis(), xt::range(1, static_cast<int>(from.shape().back()) + 1)}
    );
    offset = from;
    f(offset, "offset");
    f(from + T(), "lazy");
}

/// The result of elements() for a T. std::vector<bool> has no memory of bool, so bool becomes char.
template <class T>
using element_type = std::conditional_t<std::is_same_v<T, bool>, char, T>;

/// The elements of any expression, in row-major order, one by one.
template <class E>
auto elements(const E& e) {
    using value = element_type<typename E::value_type>;
    std::vector<value> all;
    all.reserve(e.size());
    std::vector<std::size_t> index(e.dimension());
    for (std::size_t i = 0; i < e.size(); ++i) {
        all.push_back(static_cast<value>(e.element(index.begin(), index.end())));
        for (std::size_t axis = index.size(); axis-- > 0;) {
            if (++index[axis] < static_cast<std::size_t>(e.shape()[axis])) {
                break;
            }
            index[axis] = 0;
        }
    }
    return all;
}

/// The elements of an array, as it stores them.
template <class T>
auto elements(const xt::xarray<T, xt::layout_type::row_major>& x) {
    return std::vector<element_type<T>>(x.storage().begin(), x.storage().end());
}

/// Whether two values have the same bits. NaN equals NaN, and 0 does not equal -0.
template <class T>
bool same_bits(T a, T b) {
    return std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](const T& x, const T& y) {
               return same_bits(x, y);
           });
}

/// Garbage for dropped elements.
template <class T>
const std::vector<T> garbage = {
    std::numeric_limits<T>::quiet_NaN(),
    std::numeric_limits<T>::infinity(),
    -std::numeric_limits<T>::infinity(),
    std::numeric_limits<T>::max(),
    T(-1e9),
    T(0),
    T(-0.),
};

/// x with such garbage in its dropped elements, in turn.
template <class T>
xt::xarray<T>
hide(xt::xarray<T> x, const std::vector<char>& kept, const std::vector<T>& with = garbage<T>) {
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.flat(i) = kept[i] != 0 ? x.flat(i) : with[i % with.size()];
    }
    return x;
}

/// Whether |a - b| <= tolerance * max(1, |b|), element by element. NaN agrees with NaN.
template <class A, class B>
bool close(const A& a, const B& b, double tolerance) {
    const auto x = elements(a);
    const auto y = elements(b);
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), [&](auto u, auto v) {
               const auto p = static_cast<double>(u);
               const auto q = static_cast<double>(v);
               return (std::isnan(p) && std::isnan(q)) || p == q ||
                      std::abs(p - q) <= tolerance * std::max(1., std::abs(q));
           });
}

/// The word of elements [at, end), or of the first 64 of them.
inline std::uint64_t word_of(const std::vector<char>& kept, std::size_t at, std::size_t end) {
    std::uint64_t word = 0;
    for (std::size_t k = 0; k < 64 && at + k < end; ++k) {
        word |= std::uint64_t(kept[at + k] != 0) << k;
    }
    return word;
}

/// The number of columns of a shape. A shape of rank 0 has one row of one column.
template <class S>
std::size_t columns_of(const S& shape) {
    return shape.size() == 0 ? 1 : static_cast<std::size_t>(shape[shape.size() - 1]);
}

/// The number of rows of a shape.
template <class S>
std::size_t rows_of(const S& shape) {
    std::size_t rows = 1;
    for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) {
        rows *= static_cast<std::size_t>(shape[axis]);
    }
    return rows;
}

/// Whether two shapes are the same.
template <class S, class T>
bool equal_shapes(const S& a, const T& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto m, auto n) {
        return static_cast<std::size_t>(m) == static_cast<std::size_t>(n);
    });
}

/// Whether a cursor keeps column c.
template <class C>
bool keeps(const C& cursor, std::size_t c) {
    return (cursor.word(c) & 1) != 0;
}

/// The stretch at column c of a cursor, which may have words only.
template <class C>
xmask::stretch stretch_at(const C& cursor, std::size_t c) {
    if constexpr (requires { cursor.at(c); }) {
        return cursor.at(c);
    } else {
        return {std::numeric_limits<std::size_t>::max(), xmask::stretch_kind::unknown};
    }
}

/// The range from the first stretch that is not dropped to the end of the last one.
template <class C>
xmask::column_range extent_of(
    const C& cursor, std::size_t n = std::numeric_limits<std::size_t>::max()
) {
    xmask::column_range all;
    for (std::size_t c = 0; c < n;) {
        const xmask::stretch ahead = stretch_at(cursor, c);
        if (ahead.kind != xmask::stretch_kind::dropped) {
            all = hull(all, {c, std::min(ahead.end, n)});
        }
        c = ahead.end;
    }
    return all;
}

/// The first kept stretch.
template <class C>
xmask::column_range solid_of(
    const C& cursor, std::size_t n = std::numeric_limits<std::size_t>::max()
) {
    for (std::size_t c = 0; c < n;) {
        const xmask::stretch ahead = stretch_at(cursor, c);
        if (ahead.kind == xmask::stretch_kind::kept) {
            return {c, std::min(ahead.end, n)};
        }
        c = ahead.end;
    }
    return {};
}

/// Whether the stretches of a row of n columns, from column 0 on, agree with its elements.
template <class C>
bool right_stretches(
    const C& cursor, const std::vector<char>& expected, std::size_t first, std::size_t n
) {
    for (std::size_t c = 0; c < n;) {
        const xmask::stretch ahead = stretch_at(cursor, c);
        if (ahead.end <= c) {
            return false;
        }
        const std::size_t end = std::min(ahead.end, n);
        for (; c < end; ++c) {
            const bool kept = expected[first + c] != 0;
            if ((ahead.kind == xmask::stretch_kind::kept && !kept) ||
                (ahead.kind == xmask::stretch_kind::dropped && kept)) {
                return false;
            }
        }
    }
    return true;
}

/// Fails unless the elements of a mask are `expected`, in row-major order, and agree with its words
/// from any column on, and with its stretches. Quick to compile.
template <class M>
void require_words(const M& mask, const std::vector<char>& expected) {
    const std::size_t n = columns_of(mask.shape());
    const std::size_t rows = rows_of(mask.shape());
    REQUIRE(mask.size() == expected.size());
    REQUIRE(elements(mask) == expected);
    bool words = true;
    bool stretches = true;
    for (std::size_t r = 0; r < (n == 0 ? 0 : rows); ++r) {
        const auto cursor = mask.row(r);
        stretches = stretches && right_stretches(cursor, expected, r * n, n);
        // Aligned columns in order, as operations ask; then some others, backwards.
        std::vector<std::size_t> asked;
        for (std::size_t c = 0; c < n; c += 64) {
            asked.push_back(c);
        }
        for (const std::size_t c : {n - 1, n / 2, n / 3, std::size_t(1), std::size_t(0)}) {
            asked.push_back(std::min(c, n - 1));
        }
        for (const std::size_t c : asked) {
            words = words && cursor.word(c) == word_of(expected, r * n + c, r * n + n);
        }
    }
    REQUIRE(words);
    REQUIRE(stretches);
}

/// Fails unless every way to ask a mask agrees with `expected`: words, stretches, elements,
/// iteration, and assignment to containers of other layouts and types.
template <class M>
void require_mask(const M& mask, const std::vector<char>& expected) {
    require_words(mask, expected);
    std::vector<char> iterated;
    for (const bool kept : mask) {
        iterated.push_back(kept);
    }
    REQUIRE(iterated == expected);
    const xt::xarray<bool> assigned = mask;
    REQUIRE(elements(assigned) == expected);
    const xt::xarray<float, xt::layout_type::column_major> numbers = mask;
    REQUIRE(std::equal(
        expected.begin(), expected.end(), elements(numbers).begin(),
        [](char a, float b) { return float(a) == b; }
    ));
}

/// An array of a reference case that PyTorch computed.
template <class T>
xt::xarray<T> reference(const std::string& name, const std::string& array) {
    // Piece by piece, because g++ 12 warns of a sum of strings (GCC bug 105651).
    std::string path = XMASK_TEST_DATA "/";
    path.append(name).append("/").append(array).append(".npy");
    return xt::load_npy<T>(path);
}
} // namespace oracle
