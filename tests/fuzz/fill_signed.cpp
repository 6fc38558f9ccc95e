// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "families.hpp"
#include "fill.hpp"

namespace fuzz {
void run_fill_signed(record& r) {
    with_type<std::int8_t, std::int16_t, std::int32_t, std::int64_t>(r, [&]<class T>(T) {
        check_fills<T>(r);
    });
}
} // namespace fuzz
