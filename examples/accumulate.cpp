// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A batch too large for the memory is computed in parts, micro-batches, and their losses are added.
// The sequences have different lengths, so that a mean of the means of parts is not the mean of the
// whole: short sequences would count too much.
//
//     accumulate

#include <cstddef>
#include <iostream>
#include <vector>

#include <xmask/xmask.hpp>

#include "example.hpp"
#include "micro_batches.hpp"

int main() {
    const example::micro_batches batches;
    std::cout << "Six micro-batches, whose sequences have unequal lengths:\n\n";
    xt::xtensor<float, 3> accumulated = xt::zeros<float>(batches.prediction.shape());
    std::vector<xmask::loss> parts;
    xmask::loss merged;
    for (std::size_t i = 0; i < batches.count(); ++i) {
        parts.push_back(batches.part(i, accumulated)); // its loss, and the gradient
        merged += parts.back();
    }

    xt::xtensor<float, 3> gradient;
    const xmask::loss whole = batches.whole(gradient);
    example::show_losses("micro-batch", parts, "loss += loss, then loss.mean()", merged, whole);

    // The gradient of the mean is the gradient of the sum times 1 / weight. The weight is known
    // after all parts.
    accumulated *= static_cast<float>(1 / merged.weight());
    gradient *= static_cast<float>(1 / whole.weight());
    example::compare_gradients(accumulated, gradient);
    std::cout << "\nAll of it holds.\n";
}
