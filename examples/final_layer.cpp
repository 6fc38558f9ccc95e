// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The last layer of a model gives a score to each word that could come next. Some words must not be
// chosen. The mask says which words may be, and everything after the layer counts only these.
//
//     final_layer

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <xmask/xmask.hpp>

#include "example.hpp"

namespace {
using example::check;

const std::vector<std::string> words = {"the", "cat", "sat", "<unk>", "on", "<pad>"};

// Three texts, and the scores of the next word for each.
const xt::xtensor<float, 2> scores = {
    {0.5f, 2.0f, -1.0f, 3.0f, 0.0f, 1.5f},
    {1.0f, -0.5f, 2.5f, 0.0f, 0.5f, 4.0f},
    {-2.0f, 0.0f, 0.5f, 2.0f, 1.0f, 0.5f}
};

void show(const std::string& title, const xt::xtensor<float, 2>& x) {
    std::cout << '\n' << title << "\n    ";
    for (const auto& word : words) {
        std::cout << std::string(7 - word.size(), ' ') << word;
    }
    std::cout << '\n' << example::table(x);
}

void mask_some_words() {
    show("Scores of the next word:", scores);
    const auto allowed = xmask::drop_indices({3, 5}, scores.shape());
    std::cout << "\nNever <unk> (3) nor <pad> (5): drop_indices({3, 5}, scores.shape())\n"
              << xmask::to_string(allowed);

    const xt::xtensor<float, 2> zeros = xmask::multiply(scores, allowed);
    show("multiply(scores, allowed): 0 where dropped, as for features", zeros);
    check(
        zeros(0, 3) == 0 && zeros(0, 0) == scores(0, 0),
        "multiply keeps what is kept and gives 0 for the rest"
    );

    // A score of 0 is a score like any other: exp(0) = 1. For a softmax, dropped scores must be far
    // below all others.
    const xt::xtensor<float, 2> filled = xmask::masked_fill(scores, allowed, -1e9f);
    show("masked_fill(scores, allowed, -1e9f): for a softmax", filled);

    const xt::xtensor<float, 2> by_fill =
        xmask::masked_softmax(filled, xmask::keep_all(filled.shape()));
    const xt::xtensor<float, 2> probability = xmask::masked_softmax(scores, allowed);
    show("masked_softmax(scores, allowed): fill and softmax in one pass", probability);
    check(
        example::difference(by_fill, probability) < 1e-6,
        "filling and a softmax are the masked softmax"
    );
    for (std::size_t r = 0; r < 3; ++r) {
        const auto sum =
            static_cast<double>(xmask::masked_sum(xt::view(probability, r), xmask::keep_all(6)));
        check(
            std::abs(sum - 1) < 1e-6 && probability(r, 3) == 0,
            "allowed words share the whole probability"
        );
    }

    xt::xtensor<float, 2> x = scores;
    xmask::masked_fill_inplace(x, allowed, -1e9f); // only dropped scores are written
    check(x == filled, "in place and not are the same");
    x = scores;
    xmask::multiply_inplace(x, allowed);
    check(x == zeros, "in place and not are the same");
    std::cout << "\nIn place, masked_fill_inplace and multiply_inplace give the same.\n";
}

// Each text may have another number of candidates: the rest of a row is padding.
void mask_by_lengths() {
    const std::vector<int> lengths = {6, 2, 4};
    const auto m = xmask::keep_lengths(lengths, 6);
    std::cout << "\nA batch of lengths 6, 2, 4: keep_lengths(lengths, 6)\n" << xmask::to_string(m);
    const xt::xtensor<float, 2> probability = xmask::masked_softmax(scores, m);
    show("masked_softmax(scores, m)", probability);
    check(
        probability(1, 2) == 0 && probability(2, 4) == 0 && probability(0, 5) > 0,
        "padding has no probability"
    );
}

void compare_with_pytorch() {
    std::cout << "\nThe same on 7 x 133 scores, and on 6 x 4 x 37, beside PyTorch's in double:\n";
    const auto x = example::reference<float>("masked_fill", "x");
    const auto m =
        xmask::keep_lengths(example::reference<std::int64_t>("masked_fill", "lengths"), 133);
    xt::xarray<float> y = xmask::masked_fill(x, m, -1e9f);
    example::compare("masked_fill(x, m, -1e9f)", y, example::reference<double>("masked_fill", "y"));
    const auto factor = example::reference<float>("multiply_hard", "x");
    const auto by_length =
        xmask::keep_lengths(example::reference<std::int64_t>("multiply_hard", "lengths"), 133);
    y = xmask::multiply(factor, by_length);
    example::compare("multiply(x, m)", y, example::reference<double>("multiply_hard", "y"), 0);
    const auto kept = xmask::keep_where(example::reference<bool>("masked_softmax", "mask"));
    y = xmask::masked_softmax(example::reference<float>("masked_softmax", "x"), kept);
    example::compare("masked_softmax(x, m)", y, example::reference<double>("masked_softmax", "y"));
}
} // namespace

int main() {
    mask_some_words();
    mask_by_lengths();
    compare_with_pytorch();
    std::cout << "\nAll of it holds.\n";
}
