// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <vector>

#include "record.hpp"

/// @file
/// The operations that the fuzzer compares, one family a file.

namespace fuzz {
void run_masks(record& r);
void run_natives(record& r);
void run_fill_real(record& r);
void run_fill_signed(record& r);
void run_fill_unsigned(record& r);
void run_sum_real(record& r);
void run_sum_signed(record& r);
void run_sum_unsigned(record& r);
void run_move(record& r);
void run_order(record& r);
void run_selection(record& r);
void run_moments(record& r);
void run_sum_gradients(record& r);
void run_order_gradients(record& r);
void run_moment_gradients(record& r);
void run_softmax(record& r);
void run_lines(record& r);
void run_row_gradients(record& r);
void run_regression(record& r);
void run_binary(record& r);
void run_distributions(record& r);
void run_classes(record& r);
void run_pools(record& r);

inline const std::vector<family>& families() {
    static const std::vector<family> all = {
        {"masks", run_masks},
        {"natives", run_natives},
        {"fill_real", run_fill_real},
        {"fill_signed", run_fill_signed},
        {"fill_unsigned", run_fill_unsigned},
        {"sum_real", run_sum_real},
        {"sum_signed", run_sum_signed},
        {"sum_unsigned", run_sum_unsigned},
        {"move", run_move},
        {"order", run_order},
        {"selection", run_selection},
        {"moments", run_moments},
        {"sum_gradients", run_sum_gradients},
        {"order_gradients", run_order_gradients},
        {"moment_gradients", run_moment_gradients},
        {"softmax", run_softmax},
        {"lines", run_lines},
        {"row_gradients", run_row_gradients},
        {"regression", run_regression},
        {"binary", run_binary},
        {"distributions", run_distributions},
        {"classes", run_classes},
        {"pools", run_pools},
    };
    return all;
}
} // namespace fuzz
