// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstdint>
#include <vector>

#include <xmask/core/mask.hpp>

#include "support/oracle.hpp"

/// @file
/// A mask as a user writes it.

namespace own_rule {
/// A rule with the least that the protocol asks for. It keeps where row + column is divisible by 3.
struct every_third {
    using shape_type = xt::dynamic_shape<std::size_t>;

    struct cursor {
        std::size_t r;
        std::size_t n;

        std::uint64_t word(std::size_t c) const {
            std::uint64_t bits = 0;
            for (std::size_t k = 0; k < 64 && c + k < n; ++k) {
                bits |= std::uint64_t((r + c + k) % 3 == 0) << k;
            }
            return bits;
        }
    };

    const shape_type& shape() const { return extents; }

    cursor row(std::size_t r) const { return {r, extents.empty() ? 1 : extents.back()}; }

    shape_type extents;
};

inline auto thirds(std::vector<std::size_t> shape) {
    return xmask::mask(every_third{{shape.begin(), shape.end()}});
}

inline std::vector<char> expected_thirds(const std::vector<std::size_t>& shape) {
    const std::size_t n = oracle::columns_of(shape);
    std::vector<char> expected(n * oracle::rows_of(shape));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] = (i / n + i % n) % 3 == 0;
    }
    return expected;
}
} // namespace own_rule
