// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A batch in six parts, and the loss of the whole from those of the parts: for programs that
// compute one part after another, and for those that compute them on many processes.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <xmask/xmask.hpp>

#include "example.hpp"

namespace example {
/// Six micro-batches of 8 sequences of at most 31 numbers, padded: (6, 8, 31).
struct micro_batches {
    [[nodiscard]] std::size_t count() const { return lengths.shape(0); }

    /// The squared error of one micro-batch. The gradient is of the sum, so that it needs no other
    /// part.
    xmask::loss part(std::size_t i, xt::xtensor<float, 3>& gradient) const {
        const auto m = xmask::keep_lengths(xt::view(lengths, i), prediction.shape(2));
        return xmask::masked_mse(
            xt::view(prediction, i), xt::view(target, i), m, xt::view(gradient, i)
        );
    }

    /// The squared error of all micro-batches at once.
    xmask::loss whole(xt::xtensor<float, 3>& gradient) const {
        return xmask::masked_mse(
            prediction, target, xmask::keep_lengths(lengths, prediction.shape(2)), gradient
        );
    }

    xt::xtensor<float, 3> prediction = reference<float>("accumulated_mse", "prediction");
    xt::xtensor<float, 3> target = reference<float>("accumulated_mse", "target");
    xt::xtensor<std::int64_t, 2> lengths = reference<std::int64_t>("accumulated_mse", "lengths");
};

inline double mean_of_means(const std::vector<xmask::loss>& parts) {
    double sum = 0;
    for (const xmask::loss& part : parts) {
        sum += part.mean();
    }
    return sum / static_cast<double>(parts.size());
}

/// Prints the parts, their total, `how`, and the whole. Ends the program unless the total equals
/// the whole.
inline void show_losses(
    const std::string& name, const std::vector<xmask::loss>& parts, const std::string& how,
    const xmask::loss& merged, const xmask::loss& whole
) {
    std::cout << std::fixed << std::setw(15) << name << "   sum of squares   elements       mean\n";
    for (std::size_t i = 0; i < parts.size(); ++i) {
        std::cout << std::setw(15) << i << std::setprecision(4) << std::setw(17) << parts[i].sum()
                  << std::setprecision(0) << std::setw(11) << parts[i].weight()
                  << std::setprecision(4) << std::setw(11) << parts[i].mean() << '\n';
    }
    std::cout << "\nThe mean over all elements:\n" << std::setprecision(9);
    const auto show = [](const std::string& what, double mean) {
        std::cout << "    " << std::left << std::setw(46) << what << std::right << mean << '\n';
    };
    if (parts.size() > 1) {
        show("WRONG: the mean of " + std::to_string(parts.size()) + " means", mean_of_means(parts));
        check(
            !(difference(mean_of_means(parts), whole.mean()) < 1e-3), "a mean of means is another"
        );
    }
    const double pytorch = reference_number("accumulated_mse", "mean");
    show(how, merged.mean());
    show("the whole batch at once", whole.mean());
    show("PyTorch, in double", pytorch);
    check(merged.weight() == whole.weight(), "the parts have the whole's elements");
    check(difference(merged.mean(), whole.mean()) < 1e-14, "the merged loss is that of the whole");
    check(difference(merged.mean(), pytorch) < 1e-6, "the merged loss is PyTorch's");
}

/// Reports that the results are equal to the bit, and ends the program where they are not.
inline void compare_gradients(
    const xt::xtensor<float, 3>& of_parts, const xt::xtensor<float, 3>& of_whole
) {
    check(of_parts == of_whole, "the gradients of the parts are that of the whole, to the bit");
    std::cout
        << "\nThe gradients of the mean, of the parts and of the whole, are the same to the bit.\n";
}
} // namespace example
