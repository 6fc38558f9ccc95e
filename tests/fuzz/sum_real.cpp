// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "families.hpp"
#include "sum.hpp"

namespace fuzz {
void run_sum_real(record& r) {
    if (r.d.coin()) {
        check_reductions<float>(r, every_layout{});
    } else {
        check_reductions<double>(r, rows_and_strided{});
    }
}
} // namespace fuzz
