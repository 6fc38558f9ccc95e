// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/core/block.hpp>
#include <xmask/core/simd.hpp>

namespace detail = xmask::detail;
namespace simd = xmask::detail::simd;
using xmask::word_t;

#define XMASK_TEST_TYPES                                                                           \
    float, double, bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,     \
        std::uint32_t, std::int64_t, std::uint64_t

namespace {
const std::vector<word_t> patterns = {
    0,
    ~word_t(0),
    0x5555'5555'5555'5555,
    0xaaaa'aaaa'aaaa'aaaa,
    0x0123'4567'89ab'cdef,
    0xfedc'ba98'7654'3210,
    1,
    word_t(1) << 63,
    0x8000'0000'8000'8080,
};

template <class T>
T sample(std::size_t k) {
    if constexpr (std::is_same_v<T, bool>) {
        return k % 3 == 1;
    } else {
        return static_cast<T>(k + 1);
    }
}

template <class T>
detail::lanes<T> sample_lanes() {
    T values[detail::lane_count<T>];
    for (std::size_t k = 0; k < detail::lane_count<T>; ++k) {
        values[k] = sample<T>(k);
    }
    return detail::load_lanes(static_cast<const T*>(values));
}
} // namespace

TEMPLATE_TEST_CASE("masks of a word become bits", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    for (const word_t bits : patterns) {
        std::array<detail::lane_mask<T>, 64 / n> masks;
        for (std::size_t i = 0; i < masks.size(); ++i) {
            masks[i] = detail::mask_from_bits<T>(bits, i * n);
        }
        REQUIRE(detail::word_from_masks<T>(masks) == bits);
    }
}

TEST_CASE("doubles are folded across lanes and narrowed", "[simd]") {
    constexpr std::size_t n = detail::lane_count<double>;
    const auto x = sample_lanes<double>();
    const auto sums = detail::scan_lanes(std::plus<>(), x, detail::lanes<double>(0.));
    const auto last = detail::last_lane(sums);
    std::array<float, n> narrow{};
    detail::store_narrowed(narrow.data(), sums);
    for (std::size_t k = 0; k < n; ++k) {
        const double expected = static_cast<double>((k + 1) * (k + 2)) / 2;
        REQUIRE(sums.get(k) == expected);
        REQUIRE(last.get(k) == static_cast<double>(n * (n + 1)) / 2);
        REQUIRE(narrow[k] == static_cast<float>(expected));
    }
}

TEMPLATE_TEST_CASE("bits become lanes and lanes become bits", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    for (const word_t pattern : patterns) {
        // Every shift, so that each bit meets each lane, and the bits above the register are seldom
        // 0.
        for (std::size_t shift = 0; shift < 64; ++shift) {
            const word_t bits = pattern >> shift | pattern << (63 - shift);
            bool right = true;
            for (std::size_t first = 0; first < 64; first += n) {
                const auto mask = detail::mask_from_bits<T>(bits, first);
                right =
                    right && detail::bits_from_mask(mask) == (bits >> first & xmask::first_bits(n));
                using lane = detail::lane_t<T>;
                lane chosen[n];
                xsimd::select(mask, detail::lanes<T>(lane(1)), detail::lanes<T>(lane(0)))
                    .store_unaligned(chosen);
                for (std::size_t k = 0; k < n; ++k) {
                    right = right && (chosen[k] != 0) == ((bits >> (first + k) & 1) != 0);
                }
            }
            REQUIRE(right);
        }
    }
}

TEMPLATE_TEST_CASE("bits choose lanes, whatever the lanes hold", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    // Lanes whose sign does not depend on the choice.
    T values[2][n];
    for (std::size_t k = 0; k < n; ++k) {
        const auto value = static_cast<int>(k % 100) + 1;
        values[0][k] = static_cast<T>(k % 2 == 0 ? value : -value);
        values[1][k] = static_cast<T>(k % 3 == 0 ? value + 1 : -value - 1);
    }
    const auto x = detail::load_lanes(static_cast<const T*>(values[0]));
    const auto y = detail::load_lanes(static_cast<const T*>(values[1]));
    for (const word_t bits : patterns) {
        bool right = true;
        for (std::size_t first = 0; first < 64; first += n) {
            T chosen[n];
            detail::store_lanes(chosen, detail::select_by_bits<T>(bits, first, x, y));
            T kept[n];
            detail::store_lanes(kept, detail::zero_unless<T>(bits, first, x));
            for (std::size_t k = 0; k < n; ++k) {
                const bool bit = (bits >> (first + k) & 1) != 0;
                right = right && chosen[k] == values[bit ? 0 : 1][k];
                right = right && kept[k] == (bit ? values[0][k] : T(0));
            }
        }
        REQUIRE(right);
    }
}

TEMPLATE_TEST_CASE(
    "a partial load reads its elements only, and gives 0 in the other lanes", "[simd]",
    XMASK_TEST_TYPES
) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    for (std::size_t count = 0; count < n; ++count) {
        // Exactly as long as the allowed reads, so that a sanitizer sees any further read.
        const auto memory = std::make_unique<T[]>(count);
        for (std::size_t k = 0; k < count; ++k) {
            memory[k] = sample<T>(k);
        }
        const auto x = detail::load_first_lanes(static_cast<const T*>(memory.get()), count);
        T lanes[n];
        detail::store_lanes(lanes, x);
        for (std::size_t k = 0; k < n; ++k) {
            REQUIRE(lanes[k] == (k < count ? sample<T>(k) : T()));
        }
    }
}

TEMPLATE_TEST_CASE("a partial store writes its elements only", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    const auto x = sample_lanes<T>();
    for (std::size_t count = 0; count < n; ++count) {
        const T before = std::is_same_v<T, bool> ? T(1) : T(99);
        T memory[n];
        std::fill_n(memory, n, before);
        detail::store_first_lanes(memory, x, count);
        for (std::size_t k = 0; k < n; ++k) {
            REQUIRE(memory[k] == (k < count ? sample<T>(k) : before));
        }
        const auto exact = std::make_unique<T[]>(count);
        detail::store_first_lanes(exact.get(), x, count);
        REQUIRE(std::equal(exact.get(), exact.get() + count, memory));
    }
}

TEMPLATE_TEST_CASE("a streaming store writes what a store does", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    alignas(64) T memory[n];
    detail::store_streaming(memory, sample_lanes<T>());
    detail::finish_streaming();
    for (std::size_t k = 0; k < n; ++k) {
        REQUIRE(memory[k] == sample<T>(k));
    }
}

TEST_CASE("floats widen to doubles exactly, in order", "[simd]") {
    constexpr std::size_t n = detail::lane_count<float>;
    const float specials[] = {
        0.1f,
        -0.f,
        std::numeric_limits<float>::max(),
        std::numeric_limits<float>::denorm_min(),
        std::numeric_limits<float>::infinity(),
        -16777215.f,
        std::numeric_limits<float>::lowest(),
        3.f,
    };
    float values[n];
    for (std::size_t first = 0; first < 8; ++first) {
        for (std::size_t k = 0; k < n; ++k) {
            values[k] = specials[(first + k) % 8];
        }
        const auto x = detail::load_lanes(static_cast<const float*>(values));
        const auto halves = detail::widen(x);
        double wide[n];
        detail::store_lanes(wide, halves[0]);
        detail::store_lanes(wide + n / 2, halves[1]);
        double loaded[n / 2];
        detail::store_lanes(loaded, detail::load_widened(values));
        REQUIRE(std::memcmp(loaded, wide, sizeof(loaded)) == 0);
        for (std::size_t k = 0; k < n; ++k) {
            REQUIRE(wide[k] == static_cast<double>(values[k]));
            REQUIRE(std::signbit(wide[k]) == std::signbit(values[k]));
        }
    }
}

TEMPLATE_TEST_CASE("chosen lanes move together, in order", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    const auto check = [n](word_t bits, const auto& moved) {
        T expected[n];
        std::size_t count = 0;
        for (std::size_t k = 0; k < n; ++k) {
            if ((bits >> k & 1) != 0) {
                expected[count++] = sample<T>(k);
            }
        }
        T lanes[n];
        detail::store_lanes(lanes, moved);
        return std::equal(expected, expected + count, lanes);
    };
    bool right = true;
    for (const word_t pattern : patterns) {
        for (std::size_t shift = 0; shift < 64; ++shift) {
            const word_t bits = pattern >> shift & xmask::first_bits(n);
            if constexpr (detail::has_compress<T>) {
                right = right && check(bits, detail::compress_lanes<T>(sample_lanes<T>(), bits));
            }
            const auto portable = simd::compress_lanes<T>(simd::generic(), sample_lanes<T>(), bits);
            right = right && check(bits, portable);
        }
    }
    REQUIRE(right);
}

TEMPLATE_TEST_CASE("bytes become lanes", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    for (const word_t bits : patterns) {
        bool bytes[n];
        for (std::size_t k = 0; k < n; ++k) {
            bytes[k] = (bits >> k & 1) != 0;
        }
        const bool* from = bytes;
        const word_t expected = bits & xmask::first_bits(n);
        if constexpr (detail::has_lanes_of_bytes<T>) {
            REQUIRE(detail::bits_from_mask(detail::mask_from_bytes<T>(from)) == expected);
        }
        const auto portable = simd::mask_from_bytes<T>(simd::generic(), from);
        REQUIRE(detail::bits_from_mask(portable) == expected);
    }
}

TEMPLATE_TEST_CASE("a load in passing is a load", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    T values[n + 1];
    for (std::size_t k = 0; k <= n; ++k) {
        values[k] = sample<T>(k);
    }
    T lanes[n];
    detail::store_lanes(lanes, detail::load_in_passing<T>(values + 1));
    REQUIRE(std::equal(lanes, lanes + n, values + 1));
}

TEST_CASE("numbers become words with as many bits", "[simd]") {
    for (std::size_t count = 0; count <= 65; ++count) {
        std::vector<word_t> words(count);
        for (std::size_t k = 0; k < count; ++k) {
            words[k] = 64 - k;
        }
        detail::replace_by_first_bits(words.data(), count);
        for (std::size_t k = 0; k < count; ++k) {
            REQUIRE(words[k] == xmask::first_bits(64 - k));
        }
    }
    constexpr std::size_t n = detail::lane_count<word_t>;
    for (word_t first = 0; first + n <= 65; ++first) {
        word_t words[n];
        for (std::size_t k = 0; k < n; ++k) {
            words[k] = first + k;
        }
        const auto counts = detail::load_lanes(static_cast<const word_t*>(words));
        detail::store_lanes(words, simd::first_bits_of_each(simd::generic(), counts));
        for (std::size_t k = 0; k < n; ++k) {
            REQUIRE(words[k] == xmask::first_bits(first + k));
        }
    }
}

TEST_CASE("the larger of a limit and NaN is NaN", "[simd]") {
    constexpr std::size_t n = detail::lane_count<float>;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float values[] = {
        nan, -2.f, 2.f, std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()
    };
    for (const float value : values) {
        const auto limit = detail::lanes<float>(-1.f);
        const auto x = detail::lanes<float>(value);
        float larger[2][n];
        detail::store_lanes(larger[0], detail::max_or_nan(limit, x));
        detail::store_lanes(larger[1], simd::max_or_nan(simd::generic(), limit, x));
        for (const auto& lanes : larger) {
            for (const float lane : lanes) {
                REQUIRE(std::isnan(lane) == std::isnan(value));
                REQUIRE((std::isnan(lane) || lane == std::max(-1.f, value)));
            }
        }
    }
}

TEST_CASE("a table of registers is looked up by the lowest bits", "[simd]") {
    constexpr std::size_t n = detail::lane_count<std::int32_t>;
    std::int32_t table[n];
    std::int32_t numbers[n];
    for (std::size_t k = 0; k < n; ++k) {
        table[k] = static_cast<std::int32_t>(100 + k);
        numbers[k] = static_cast<std::int32_t>((n - 1 - k) + n * k * 3);
    }
    const auto at = detail::load_lanes(static_cast<const std::int32_t*>(numbers));
    std::int32_t found[2][n];
    detail::store_lanes(found[0], detail::look_up(table, at));
    detail::store_lanes(found[1], simd::look_up(simd::generic(), table, at));
    for (std::size_t k = 0; k < n; ++k) {
        REQUIRE(found[0][k] == table[n - 1 - k]);
        REQUIRE(found[1][k] == table[n - 1 - k]);
    }
}

TEST_CASE("types without registers are known", "[simd]") {
    STATIC_REQUIRE(detail::has_lanes<float>);
    STATIC_REQUIRE(detail::has_lanes<bool>);
    STATIC_REQUIRE_FALSE(detail::has_lanes<long double>);
}
