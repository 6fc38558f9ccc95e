// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "families.hpp"
#include "fill.hpp"

namespace fuzz {
void run_fill_real(record& r) {
    with_type<float, double>(r, [&]<class T>(T) { check_fills<T>(r); });
}
} // namespace fuzz
