// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <xmask/core/block.hpp>
#include <xmask/core/simd.hpp>

namespace detail = xmask::detail;
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

TEMPLATE_TEST_CASE("bits become lanes and lanes become bits", "[simd]", XMASK_TEST_TYPES) {
    using T = TestType;
    constexpr std::size_t n = detail::lane_count<T>;
    for (const word_t pattern : patterns) {
        // Every shift, so that each bit meets each lane, and the bits above the register are never
        // 0 for long.
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
    // Lanes whose sign says nothing of the choice.
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
        // Exactly as long as what may be read, so that a sanitizer sees any further read.
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
        const auto halves = detail::widen(detail::load_lanes(static_cast<const float*>(values)));
        double wide[n];
        detail::store_lanes(wide, halves[0]);
        detail::store_lanes(wide + n / 2, halves[1]);
        for (std::size_t k = 0; k < n; ++k) {
            REQUIRE(wide[k] == static_cast<double>(values[k]));
            REQUIRE(std::signbit(wide[k]) == std::signbit(values[k]));
        }
    }
}

TEST_CASE("types without registers are known", "[simd]") {
    STATIC_REQUIRE(detail::has_lanes<float>);
    STATIC_REQUIRE(detail::has_lanes<bool>);
    STATIC_REQUIRE_FALSE(detail::has_lanes<long double>);
}
