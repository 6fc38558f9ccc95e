// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>

#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>

#include "support/oracle.hpp"

using Catch::Matchers::Message;

namespace {
struct extents {
    std::size_t q;
    std::size_t k;
};

/// Every row length with a few numbers of queries, fewer and more than keys.
const std::vector<extents> some_extents = {{0, 0},   {0, 3},   {3, 0},    {1, 1},
                                           {3, 3},   {1, 130}, {3, 1},    {70, 3},
                                           {64, 63}, {63, 64}, {65, 65},  {3, 130},
                                           {3, 2},   {2, 65},  {130, 64}, {130, 130}};

constexpr std::ptrdiff_t least = std::numeric_limits<std::ptrdiff_t>::min();
constexpr std::ptrdiff_t most = std::numeric_limits<std::ptrdiff_t>::max();
constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();

/// The expected elements: f(i, j), of signed indices.
template <class F>
std::vector<char> kept(extents e, F&& f) {
    std::vector<char> all;
    for (std::size_t i = 0; i < e.q; ++i) {
        for (std::size_t j = 0; j < e.k; ++j) {
            all.push_back(
                static_cast<char>(f(static_cast<std::ptrdiff_t>(i), static_cast<std::ptrdiff_t>(j)))
            );
        }
    }
    return all;
}

/// Fails unless the stretches of each row are exact, and all kept columns are known to be kept.
template <class M>
void require_ranges(const M& m) {
    const std::size_t n = oracle::columns_of(m.shape());
    bool exact = true;
    for (std::size_t r = 0; r < (n == 0 ? 0 : oracle::rows_of(m.shape())); ++r) {
        const auto cursor = m.row(r);
        std::size_t count = 0;
        for (std::size_t c = 0; c < n; ++c) {
            count += oracle::keeps(cursor, c);
        }
        exact = exact && oracle::extent_of(cursor).size() == count &&
                oracle::solid_of(cursor) == oracle::extent_of(cursor);
        exact = exact && oracle::extent_of(cursor).end <= n;
    }
    REQUIRE(exact);
}

std::ptrdiff_t signed_of(std::size_t x) { return static_cast<std::ptrdiff_t>(x); }

/// Offsets in both directions, and those of a cache of keys and values.
std::vector<std::ptrdiff_t> some_offsets(extents e) {
    return {1, -1, -64, 63, 1000, signed_of(e.k) - signed_of(e.q)};
}
} // namespace

TEST_CASE("the examples of the patterns' comments", "[patterns]") {
    oracle::require_mask(xmask::keep_causal(2, 3, 1), {1, 1, 0, 1, 1, 1});
    oracle::require_mask(xmask::keep_causal_bottom_right(2, 4), {1, 1, 1, 0, 1, 1, 1, 1});
    oracle::require_mask(xmask::keep_window(3, 4, 1, 0), {1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0});
    oracle::require_mask(xmask::keep_prefix(3, 3, 2), {1, 1, 0, 1, 1, 0, 1, 1, 1});
    oracle::require_mask(xmask::keep_chunked(3, 3, 2), {1, 0, 0, 1, 1, 0, 0, 0, 1});
    oracle::require_mask(
        xmask::keep_dilated(4, 4, 1, 2), {1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1}
    );
}

TEST_CASE("causal masks, of any offset", "[patterns]") {
    for (const extents e : some_extents) {
        CAPTURE(e.q, e.k);
        const auto [q, k] = e;
        const std::ptrdiff_t difference = signed_of(k) - signed_of(q);
        const std::vector<std::ptrdiff_t> offsets = {0,         1,    -1,           -64,
                                                     63,        1000, signed_of(k), -signed_of(q),
                                                     difference};
        for (const std::ptrdiff_t offset : offsets) {
            CAPTURE(offset);
            const auto m = xmask::keep_causal(q, k, offset);
            oracle::require_words(m, kept(e, [&](auto i, auto j) { return j <= i + offset; }));
            require_ranges(m);
        }
        oracle::require_words(xmask::keep_causal_top_left(q, k), kept(e, [](auto i, auto j) {
                                  return j <= i;
                              }));
        oracle::require_words(xmask::keep_causal_bottom_right(q, k), kept(e, [&](auto i, auto j) {
                                  return j <= i + difference;
                              }));
        oracle::require_words(xmask::keep_causal(q, k, most), kept(e, [](auto, auto) {
                                  return true;
                              }));
        oracle::require_words(xmask::keep_causal(q, k, least), kept(e, [](auto, auto) {
                                  return false;
                              }));
    }
}

TEST_CASE("windows, of any width and offset", "[patterns]") {
    for (const extents e : some_extents) {
        CAPTURE(e.q, e.k);
        const auto [q, k] = e;
        for (const std::ptrdiff_t offset :
             std::vector<std::ptrdiff_t>{0, -3, 70, signed_of(k) - signed_of(q)}) {
            for (const extents sides :
                 std::vector<extents>{{0, 0}, {1, 0}, {0, 2}, {64, 1}, {2, 200}, {300, 300}}) {
                CAPTURE(offset, sides.q, sides.k);
                const auto m = xmask::keep_window(q, k, sides.q, sides.k, offset);
                const std::ptrdiff_t left = offset - signed_of(sides.q);
                const std::ptrdiff_t right = offset + signed_of(sides.k);
                oracle::require_words(m, kept(e, [&](auto i, auto j) {
                                          return j >= i + left && j <= i + right;
                                      }));
                require_ranges(m);
            }
        }
    }
}

TEST_CASE("no offset or width of a window overflows", "[patterns]") {
    const extents e = {3, 4};
    const auto all = kept(e, [](auto, auto) { return true; });
    const auto none = kept(e, [](auto, auto) { return false; });
    const auto causal = kept(e, [](auto i, auto j) { return j <= i; });
    const auto after = kept(e, [](auto i, auto j) { return j >= i; });
    oracle::require_words(xmask::keep_window(3, 4, endless, endless), all);
    oracle::require_words(xmask::keep_window(3, 4, endless, 0), causal);
    oracle::require_words(xmask::keep_window(3, 4, 0, endless), after);
    for (const std::ptrdiff_t offset : {least, least + 1, most / -2, most / 2, most - 1, most}) {
        CAPTURE(offset);
        oracle::require_words(xmask::keep_window(3, 4, 0, 0, offset), none);
        oracle::require_words(xmask::keep_window(3, 4, 1, 1, offset), none);
        oracle::require_words(xmask::keep_window(3, 4, endless, endless, offset), all);
        require_ranges(xmask::keep_window(3, 4, 1, endless, offset));
        require_ranges(xmask::keep_window(3, 4, endless, 1, offset));
        // The offset and the width cancel.
        const auto value = static_cast<std::size_t>(offset);
        const std::size_t size = offset < 0 ? 0 - value : value;
        oracle::require_words(
            offset < 0 ? xmask::keep_window(3, 4, 0, size, offset)
                       : xmask::keep_window(3, 4, size, 0, offset),
            offset < 0 ? causal : after
        );
    }
    for (const std::ptrdiff_t offset : {least, least + 1, most - 1, most}) {
        CAPTURE(offset);
        const std::vector<char> before = {1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0};
        oracle::require_words(xmask::keep_prefix(3, 4, 2, offset), offset < 0 ? before : all);
        oracle::require_words(xmask::keep_prefix(3, 4, {2}, offset), offset < 0 ? before : all);
        oracle::require_words(xmask::keep_chunked(3, 4, 2, offset), none);
        oracle::require_words(xmask::keep_chunked(3, 4, endless, offset), offset < 0 ? none : all);
        oracle::require_words(xmask::keep_dilated(3, 4, 5, 2, offset), none);
        oracle::require_words(
            xmask::keep_dilated(3, 4, endless, 1, offset), offset < 0 ? none : all
        );
    }
    // Query i is at most + i, and most is odd.
    for (const std::ptrdiff_t step : {2, 3}) {
        CAPTURE(step);
        oracle::require_words(
            xmask::keep_dilated(3, 4, endless, static_cast<std::size_t>(step), most),
            kept(e, [&](auto i, auto j) { return (most % step + i) % step == j % step; })
        );
    }
    const std::size_t half = std::size_t(1) << 62;
    oracle::require_words(xmask::keep_chunked(3, 4, half, most), none);
    oracle::require_words(xmask::keep_chunked(3, 4, 2 * half, most), kept(e, [](auto i, auto) {
                              return i == 0;
                          }));
    // Rows and columns of the largest masks.
    const std::size_t far = std::size_t(1) << 61;
    REQUIRE(
        oracle::extent_of(xmask::keep_window(far, far, 5, 2).row(far - 1)) ==
        xmask::column_range{far - 6, far}
    );
    REQUIRE(oracle::extent_of(xmask::keep_window(far, far, 5, 2, least).row(far - 1)).size() == 0);
    REQUIRE(oracle::extent_of(xmask::keep_window(far, far, 5, 2, most).row(far - 1)).size() == 0);
    REQUIRE(
        oracle::extent_of(xmask::keep_causal_bottom_right(1, far).row(0)) ==
        xmask::column_range{0, far}
    );
    REQUIRE(
        oracle::extent_of(xmask::keep_chunked(far, far, 8).row(far - 3)) ==
        xmask::column_range{far - 8, far - 2}
    );
    REQUIRE(
        oracle::extent_of(xmask::keep_chunked(far, 2 * far, 8, signed_of(far)).row(far - 3)).end ==
        2 * far - 2
    );
    REQUIRE(
        oracle::extent_of(xmask::keep_dilated(far, far, endless, endless).row(far - 1)) ==
        xmask::column_range{far - 1, far}
    );
    REQUIRE(
        oracle::solid_of(xmask::keep_dilated(far, far, endless, 1).row(far - 1)) ==
        xmask::column_range{0, far}
    );
}

TEST_CASE("prefixes, and causal after them", "[patterns]") {
    for (const extents e : some_extents) {
        CAPTURE(e.q, e.k);
        const auto [q, k] = e;
        for (const std::size_t prefix :
             {std::size_t(0), std::size_t(1), std::size_t(64), k / 2, k}) {
            const std::size_t p = std::min(prefix, k);
            const auto m = xmask::keep_prefix(q, k, p);
            oracle::require_words(m, kept(e, [&](auto i, auto j) {
                                      return j <= i || j < signed_of(p);
                                  }));
            require_ranges(m);
            for (const std::ptrdiff_t offset : some_offsets(e)) {
                CAPTURE(offset);
                const auto moved = xmask::keep_prefix(q, k, p, offset);
                oracle::require_words(moved, kept(e, [&](auto i, auto j) {
                                          return j <= i + offset || j < signed_of(p);
                                      }));
                require_ranges(moved);
            }
        }
    }
}

TEST_CASE("a prefix for each of a batch", "[patterns]") {
    const xt::xtensor<int, 2> prefix = {{0, 1}, {2, 3}, {4, 5}};
    std::vector<char> expected;
    for (const int p : prefix) {
        const auto one = kept({3, 5}, [&](auto i, auto j) { return j <= i || j < p; });
        expected.insert(expected.end(), one.begin(), one.end());
    }
    const auto m = xmask::keep_prefix(3, 5, prefix);
    REQUIRE(m.shape() == std::array<std::size_t, 4>{3, 2, 3, 5});
    REQUIRE(xmask::keep_prefix(3, 5, prefix, 2)(2, 1, 0, 3));
    oracle::require_words(
        xmask::keep_prefix(2, 3, {0, 2}, 1), {1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1}
    );
    oracle::require_words(
        xmask::keep_prefix(2, 3, {0, 2}, -2), {0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0}
    );
    oracle::require_mask(m, expected);
    require_ranges(m);
    oracle::for_each_layout(xt::xarray<int>(prefix), [&](const auto& table, const char* layout) {
        INFO(layout);
        oracle::require_words(xmask::keep_prefix(3, 5, table), expected);
    });
    const auto list = xmask::keep_prefix(2, 2, {0, 2});
    oracle::require_words(list, {1, 0, 1, 1, 1, 1, 1, 1});
    oracle::require_words(
        xmask::keep_prefix(2, 2, std::vector<std::uint8_t>{0, 2}), {1, 0, 1, 1, 1, 1, 1, 1}
    );
    oracle::require_words(xmask::keep_prefix(1, 2, xt::xtensor<int, 0>(2)), {1, 1});
    oracle::require_words(xmask::keep_prefix(0, 2, {0, 2}), {});
    oracle::require_words(xmask::keep_prefix(2, 0, {0, 0}), {});
}

TEST_CASE("a prefix that changes after it was checked never reaches past the row", "[patterns]") {
    xt::xtensor<int, 1> prefix = {1};
    const auto m = xmask::keep_prefix(1, 3, prefix);
    prefix(0) = 2;
    oracle::require_words(m, {1, 1, 0});
    prefix(0) = 1000;
    oracle::require_words(m, {1, 1, 1});
    prefix(0) = -1000;
    oracle::require_words(m, {1, 0, 0});
}

TEST_CASE("chunks", "[patterns]") {
    for (const extents e : some_extents) {
        CAPTURE(e.q, e.k);
        for (const std::ptrdiff_t chunk : {1, 2, 3, 63, 64, 65, 1000}) {
            const auto m = xmask::keep_chunked(e.q, e.k, static_cast<std::size_t>(chunk));
            oracle::require_words(m, kept(e, [&](auto i, auto j) {
                                      return j <= i && j / chunk == i / chunk;
                                  }));
            require_ranges(m);
        }
        for (const std::ptrdiff_t offset : some_offsets(e)) {
            CAPTURE(offset);
            const auto m = xmask::keep_chunked(e.q, e.k, 7, offset);
            oracle::require_words(m, kept(e, [&](auto i, auto j) {
                                      return j <= i + offset && j / 7 == (i + offset) / 7;
                                  }));
            require_ranges(m);
        }
    }
}

TEST_CASE("dilated windows", "[patterns]") {
    for (const extents e : some_extents) {
        CAPTURE(e.q, e.k);
        for (const std::ptrdiff_t step : {1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 100}) {
            for (const std::ptrdiff_t left : {0, 1, 5, 1000}) {
                CAPTURE(step, left);
                oracle::require_words(
                    xmask::keep_dilated(
                        e.q, e.k, static_cast<std::size_t>(left), static_cast<std::size_t>(step)
                    ),
                    kept(
                        e, [&](auto i, auto j
                           ) { return j <= i && (i - j) % step == 0 && (i - j) / step <= left; }
                    )
                );
            }
        }
        for (const std::ptrdiff_t offset : some_offsets(e)) {
            CAPTURE(offset);
            oracle::require_words(
                xmask::keep_dilated(e.q, e.k, 5, 3, offset),
                kept(
                    e,
                    [&](auto i, auto j) {
                        const std::ptrdiff_t back = i + offset - j;
                        return back >= 0 && back % 3 == 0 && back / 3 <= 5;
                    }
                )
            );
        }
    }
}

TEST_CASE("patterns refuse what makes no sense", "[patterns]") {
    REQUIRE_THROWS_MATCHES(
        xmask::keep_chunked(2, 2, 0), std::invalid_argument,
        Message("xmask::keep_chunked: chunk 0; expected 1 or more")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_dilated(2, 2, 1, 0), std::invalid_argument,
        Message("xmask::keep_dilated: step 0; expected 1 or more")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_prefix(2, 4, 5), std::out_of_range,
        Message("xmask::keep_prefix: prefix 5 is outside of [0, 4]")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_prefix(2, 4, -1), std::out_of_range,
        Message("xmask::keep_prefix: prefix -1 is outside of [0, 4]")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_prefix(2, 4, {0, 4, -1}), std::out_of_range,
        Message("xmask::keep_prefix: prefix -1 at position 2 is outside of [0, 4]")
    );
    REQUIRE_THROWS_MATCHES(
        xmask::keep_prefix(2, 4, xt::xtensor<std::uint8_t, 2>{{0, 255}}), std::out_of_range,
        Message("xmask::keep_prefix: prefix 255 at position 1 is outside of [0, 4]")
    );
}

TEST_CASE("counting does not look at what a pattern keeps", "[patterns]") {
    // Element by element, or word by word, these would not end.
    const std::size_t n = 65536;
    REQUIRE(xmask::count_kept(xmask::keep_causal(n, n)) == n * (n + 1) / 2);
    REQUIRE(
        xmask::count_kept(xmask::keep_causal(n, n) && xmask::keep_window(n, n, 99, endless)) ==
        n * 100 - 99 * 50
    );
    REQUIRE(xmask::count_kept(xmask::keep_window(n, n, 99, 0)) == n * 100 - 99 * 50);
    REQUIRE(xmask::count_kept(xmask::keep_chunked(n, n, 1024)) == n / 1024 * (1024 * 1025 / 2));
    REQUIRE(xmask::count_kept(xmask::keep_prefix(n, n, n)) == n * n);
}

TEST_CASE("a pattern and lengths make the mask of a padded batch", "[patterns]") {
    const std::vector<std::size_t> lengths = {0, 3, 70};
    const auto m =
        xmask::unsqueeze(xmask::keep_lengths(lengths, 70), 1) && xmask::keep_causal(70, 70);
    std::vector<char> expected;
    for (const std::size_t length : lengths) {
        const auto one =
            kept({70, 70}, [&](auto i, auto j) { return j <= i && j < signed_of(length); });
        expected.insert(expected.end(), one.begin(), one.end());
    }
    oracle::require_words(m, expected);
    oracle::require_words(!m, [&] {
        auto dropped = expected;
        std::for_each(dropped.begin(), dropped.end(), [](char& c) { c = c == 0; });
        return dropped;
    }());
}

TEST_CASE("scores outside of a pattern are filled", "[patterns]") {
    for (const std::size_t k : std::initializer_list<std::size_t>{3, 65, 130}) {
        const std::size_t q = 5;
        const auto scores = oracle::random<float>({2, q, k});
        const auto window = xmask::keep_window(q, k, 70, 0, signed_of(k - 2));
        const xt::xarray<float> filled = xmask::masked_fill(scores, window, -9.f);
        const xt::xarray<float> dilated =
            xmask::masked_fill(scores, xmask::keep_dilated(q, k, 3, 2), -9.f);
        bool same = true;
        for (std::size_t b = 0; b < 2; ++b) {
            for (std::size_t i = 0; i < q; ++i) {
                for (std::size_t j = 0; j < k; ++j) {
                    const bool in = j <= i + k - 2 && j + 70 >= i + k - 2;
                    const bool on = j <= i && (i - j) % 2 == 0 && (i - j) / 2 <= 3;
                    same = same && oracle::same_bits(filled(b, i, j), in ? scores(b, i, j) : -9.f);
                    same = same && oracle::same_bits(dilated(b, i, j), on ? scores(b, i, j) : -9.f);
                }
            }
        }
        REQUIRE(same);
    }
}

TEST_CASE("Patterns are those that PyTorch makes", "[patterns]") {
    const auto mask_of = [](const char* name) {
        return oracle::elements(oracle::reference<bool>(name, "mask"));
    };
    oracle::require_words(xmask::keep_causal(70, 70), mask_of("keep_causal"));
    oracle::require_words(xmask::keep_window(70, 70, 8, 0), mask_of("keep_window"));
    oracle::require_words(xmask::keep_window(70, 70, 4, 4), mask_of("keep_band"));
    oracle::require_words(xmask::keep_prefix(70, 70, 12), mask_of("keep_prefix_lm"));
    const auto segments = oracle::reference<std::int64_t>("keep_same_segment", "segments");
    oracle::require_words(
        xmask::keep_same_segment(segments, segments), mask_of("keep_same_segment")
    );
}
