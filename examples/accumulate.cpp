// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

// A batch too large for the memory is computed in parts, micro-batches, and what they give is added up. Their sequences
// have different lengths, so a mean of their means is not the mean of the whole: short ones would count too much.
//
//     accumulate

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <vector>

#include <xmask/xmask.hpp>

#include "example.hpp"

int main()
{
    using example::check;

    // Six micro-batches of 8 sequences of up to 31 numbers.
    const auto prediction = example::reference<float>("accumulated_mse", "prediction");
    const auto target = example::reference<float>("accumulated_mse", "target");
    const auto lengths = example::reference<std::int64_t>("accumulated_mse", "lengths");
    const std::size_t parts = prediction.shape()[0];

    std::cout << "Micro-batch    sum of squares    elements      mean\n" << std::fixed;
    xmask::loss merged;
    double sum_of_means = 0;
    xt::xtensor<float, 3> accumulated = xt::zeros<float>(prediction.shape());
    for (std::size_t i = 0; i < parts; ++i)
    {
        const auto m = xmask::keep_lengths(xt::eval(xt::view(lengths, i)), 31);
        xt::xtensor<float, 2> gradient;    // of the sum, so it needs no other part
        const xmask::loss part = xmask::masked_mse(xt::view(prediction, i), xt::view(target, i), m, gradient);
        xt::view(accumulated, i) = gradient;
        merged += part;
        sum_of_means += part.mean();
        std::cout << std::setw(11) << i + 1 << std::setprecision(4) << std::setw(18) << part.sum << std::setprecision(0)
                  << std::setw(12) << part.weight << std::setprecision(5) << std::setw(10) << part.mean() << '\n';
    }

    const auto m = xmask::keep_lengths(lengths, 31);
    xt::xtensor<float, 3> gradient;
    const xmask::loss whole = xmask::masked_mse(prediction, target, m, gradient);
    std::cout << "\nmean of the six means, WRONG:    " << sum_of_means / static_cast<double>(parts)
              << "\nloss += loss, then mean():       " << merged.mean()
              << "\nthe whole batch at once:         " << whole.mean()
              << "\nPyTorch, the whole, in double:   " << example::reference_number("accumulated_mse", "mean") << '\n';
    check(merged.weight == whole.weight, "the parts have the whole's elements");
    check(std::abs(merged.mean() / whole.mean() - 1) < 1e-14, "the merged loss is that of the whole");
    check(std::abs(merged.mean() - example::reference_number("accumulated_mse", "mean")) < 1e-6, "it is PyTorch's, too");
    check(std::abs(sum_of_means / static_cast<double>(parts) / whole.mean() - 1) > 1e-3, "a mean of means is not");

    // The gradient of the mean is that of the sum times 1 / weight, and the weight is known when all parts are.
    const auto scale = static_cast<float>(1 / merged.weight);
    xt::noalias(accumulated) = accumulated * scale;
    xt::noalias(gradient) = gradient * scale;
    std::cout << "\nThe gradients of the mean, of the parts and of the whole, are the same to the bit: "
              << (accumulated == gradient ? "yes" : "no") << '\n';
    check(accumulated == gradient, "the gradient is that of the whole, to the bit");
    std::cout << "\nAll of it holds.\n";
}
