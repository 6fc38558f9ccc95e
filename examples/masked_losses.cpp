// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Losses over kept elements: sequences of many lengths, data with gaps, and a loss of the user's
// own on images.
//
//     masked_losses

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>

#include <xmask/xmask.hpp>

#include "example.hpp"

namespace {
using example::check;

// Three sequences, padded to 4 tokens; a model's logits for each of 3 classes at each token.
void cross_entropy_over_padded_sequences() {
    const xt::xtensor<int, 2> target = {{0, 2, 1, 1}, {1, -100, -100, -100}, {2, 0, -100, -100}};
    xt::xtensor<float, 3> logits = xt::zeros<float>({3, 4, 3});
    for (std::size_t i = 0; i < logits.size(); ++i) {
        logits.flat(i) = static_cast<float>(i * i % 7) - 3.f;
    }
    const auto m = xmask::keep_lengths({4, 1, 2}, 4);
    std::cout
        << "Cross entropy of 3 sequences of 4, 1 and 2 tokens; the rest is padding, of class -100:\n"
        << xmask::to_string(m);
    xt::xtensor<float, 3> gradient;
    const xmask::loss loss = xmask::masked_cross_entropy(logits, target, m, gradient);

    double sum = 0; // the same by hand
    for (std::size_t s = 0; s < 3; ++s) {
        for (std::size_t t = 0; t < 4 && target(s, t) >= 0; ++t) {
            double total = 0;
            for (std::size_t c = 0; c < 3; ++c) {
                total += std::exp(static_cast<double>(logits(s, t, c)));
            }
            sum += std::log(total) - static_cast<double>(logits(s, t, target(s, t)));
        }
    }
    std::cout << "the sum is " << loss.sum() << " over " << loss.weight() << " tokens, a mean of "
              << loss.mean() << "; by hand " << sum / 7 << '\n';
    check(
        loss.weight() == 7 && std::abs(loss.sum() - sum) < 1e-5, "the loss is that of the 7 tokens"
    );
    const auto padding = xmask::unsqueeze(!m, -1);
    check(!xmask::masked_any(gradient, padding), "padding has no gradient");

    // The values of the padding are never seen.
    const float nan = std::numeric_limits<float>::quiet_NaN();
    xmask::masked_fill_inplace(logits, !padding, nan);
    check(
        xmask::masked_cross_entropy(logits, target, m).sum() == loss.sum(),
        "NaN in the padding is not seen"
    );
}

// Hourly temperatures, and those of a model. A failed sensor has sent NaN.
void squares_over_missing_data() {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> measured = {
        {20.f, 21.f, nan, 24.f, 23.f}, {nan, nan, 18.f, 19.f, 21.f}
    };
    const xt::xtensor<float, 2> model = {
        {20.5f, 21.f, 22.f, 23.f, 23.f}, {17.f, 17.f, 18.f, 20.f, 20.f}
    };
    const auto there = xmask::keep_not_nan(measured);
    std::cout << "\nMean squared error over data with holes: keep_not_nan(measured)\n"
              << xmask::to_string(there);
    xt::xtensor<float, 2> gradient;
    const xmask::loss loss = xmask::masked_mse(model, measured, there, gradient);
    std::cout << "the mean over " << loss.weight() << " values is " << loss.mean()
              << "; without a mask it is "
              << xmask::masked_mse(model, measured, xmask::keep_all(measured.shape())).mean()
              << "\nthe gradient of the sum, 0 in the holes:\n"
              << example::table(gradient);
    check(
        loss.weight() == 7 && std::abs(loss.mean() - 3.25 / 7) < 1e-6,
        "the error is that of what was measured"
    );
    check(
        gradient(0, 2) == 0 && gradient(1, 0) == 0 && gradient(0, 0) == 1, "holes have no gradient"
    );
    xt::xarray<float> by_row =
        xmask::masked_mean(xmask::masked_mse.each(model, measured, there), there, -1);
    std::cout << "and of each sensor:\n" << example::table(by_row, 3);
}

// A loss is a function of two numbers and its derivative by the first.
struct half_square {
    template <class V>
    V value(const V& p, const V& t) const {
        return V(0.5f) * (p - t) * (p - t);
    }

    template <class V>
    V derivative(const V& p, const V& t) const {
        return p - t;
    }
};

constexpr xmask::element_loss<half_square> masked_half_square("masked_half_square");

// Images of (batch, height, width). Only the inside of a circle counts.
void own_loss_on_images() {
    const xt::xtensor<float, 3> prediction = xt::ones<float>({2, 5, 8}) * 3.f;
    const xt::xtensor<float, 3> truth = xt::ones<float>({2, 5, 8});
    const auto circle = xmask::keep_if({2, 5, 8}, [](auto, auto y, auto x) {
        const double up = static_cast<double>(y) - 2;
        const double right = static_cast<double>(x) - 3.5;
        return up * up + right * right <= 6.5;
    });
    std::cout << "\nA loss of one's own, (p - t)^2 / 2, on two images; inside of a circle:\n"
              << xmask::to_string(circle);
    xt::xtensor<float, 3> gradient;
    const xmask::loss loss = masked_half_square(prediction, truth, circle, gradient);
    std::cout << "the mean over " << loss.weight() << " pixels is " << loss.mean() << '\n';
    check(loss.mean() == 2, "the mean of (3 - 1)^2 / 2 is 2, whatever is outside");
    check(
        !xmask::any_kept(xmask::keep_not_equal(gradient, 0.f) ^ circle),
        "only the inside has a gradient"
    );

    // As an expression, where no gradient is needed.
    const xmask::loss same =
        xmask::masked_loss(0.5f * (prediction - truth) * (prediction - truth), circle);
    check(
        same.sum() == loss.sum() && same.weight() == loss.weight(),
        "an expression gives the same loss"
    );
}

template <class L, class T>
void compare(const std::string& name, const L& masked_loss, const T& target) {
    const auto prediction = example::reference<float>(name, "prediction");
    const auto m = xmask::keep_where(example::reference<bool>(name, "mask"));
    xt::xarray<float> gradient;
    const xmask::loss loss = masked_loss(prediction, target, m, gradient);
    example::compare(name + ", mean", loss.mean(), example::reference_number(name, "mean"));
    const xt::xarray<double> of_mean = gradient / loss.weight();
    example::compare(
        name + ", gradient", of_mean, example::reference<double>(name, "grad_of_mean")
    );
}
} // namespace

int main() {
    cross_entropy_over_padded_sequences();
    squares_over_missing_data();
    own_loss_on_images();
    std::cout << "\nLosses of larger tensors beside PyTorch's in double:\n";
    const auto cross_entropy = [](const auto& p, const auto& t, const auto& m, auto& gradient) {
        return xmask::masked_cross_entropy(p, t, m, gradient);
    };
    compare(
        "cross_entropy", cross_entropy, example::reference<std::int64_t>("cross_entropy", "target")
    );
    compare("mse", xmask::masked_mse, example::reference<float>("mse", "target"));
    compare(
        "custom_half_square", masked_half_square,
        example::reference<float>("custom_half_square", "target")
    );
    std::cout << "\nAll of it holds.\n";
}
