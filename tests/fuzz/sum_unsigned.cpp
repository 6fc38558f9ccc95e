// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "families.hpp"
#include "sum.hpp"

namespace fuzz {
void run_sum_unsigned(record& r) {
    with_type<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>(r, [&]<class T>(T) {
        check_reductions<T>(r, rows_and_strided{});
    });
}
} // namespace fuzz
