// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "families.hpp"
#include "fill.hpp"

namespace fuzz {
void run_fill_unsigned(record& r) {
    with_type<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, bool>(r, [&]<class T>(T) {
        check_fills<T>(r);
    });
}
} // namespace fuzz
