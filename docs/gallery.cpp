// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Draws every kind of mask with xmask::to_svg, and prints the page that shows the pictures. docs/build.py runs it.
//
//     gallery FOLDER > gallery.md

#include <cmath>
#include <cstddef>
#include <fstream>
#include <iostream>
#include <string>

#include <xmask/xmask.hpp>

namespace {
using namespace xmask;

std::string folder;
std::size_t pictures = 0;

/// Writes the picture of a mask, and its part of the page.
template <class M>
void show(const M& m, const std::string& code, const std::string& about) {
    const std::string name = "mask_" + std::to_string(++pictures) + ".svg";
    std::ofstream(folder + '/' + name) << to_svg(m, {.legend = false});
    std::cout << "\n" << about << ":\n\n```cpp\n" << code << "\n```\n\n![](" << name << ")\n";
}
} // namespace

#define SHOW(about, ...) show(__VA_ARGS__, #__VA_ARGS__, about)

int main(int argc, char** argv) {
    folder = argc > 1 ? argv[1] : ".";
    const xt::xtensor<float, 1> x = {0.5f, -2.f, 1.f, 0.f, 3.f, -1.f, 0.25f, -4.f};
    const xt::xtensor<float, 1> holes = {1, NAN, 2, INFINITY};
    const xt::xtensor<int, 1> tokens = {1, 5, 7, 2, 5, 9, 2, 0};
    xt::xtensor<float, 2> wave = xt::zeros<float>({16, 32});
    for (std::size_t i = 0; i < 16; ++i) {
        for (std::size_t j = 0; j < 32; ++j) {
            wave(i, j) = std::sin(0.4f * float(i)) * std::cos(0.3f * float(j)) + 0.01f * float(j);
        }
    }

    std::cout
        << "# Gallery\n\nWhat is blue is kept. xmask::to_svg drew each picture from the line above it, with\n\n"
           "```cpp\n"
           "x = {0.5, -2, 1, 0, 3, -1, 0.25, -4}; holes = {1, NAN, 2, INFINITY};\n"
           "tokens = {1, 5, 7, 2, 5, 9, 2, 0};\n"
           "wave(i, j) = sin(0.4 * i) * cos(0.3 * j) + 0.01 * j;    // 16 x 32\n```\n";

    std::cout << "\n## Lengths\n";
    SHOW("The first columns of each row: padding on the right", keep_lengths({7, 3, 0, 12}, 12));
    SHOW("The last columns: padding on the left", keep_last({7, 3, 0, 12}, 12));
    SHOW("From begin to end", keep_ranges({0, 2, 5}, {4, 9, 12}, 12));
    SHOW("What is no padding, by cumulative lengths", keep_packed({0, 2, 3, 9}, 12));

    std::cout << "\n## Indices and token ids\n";
    SHOW("The listed columns", keep_indices({0, 3, 7}, {2, 12}));
    SHOW("All others", drop_indices({0, 3, 7}, {2, 12}));
    SHOW("The listed elements", keep_points({{0, 1}, {1, 3}, {3, 8}}, {4, 12}));
    SHOW("All others", drop_points({{0, 1}, {1, 3}, {3, 8}}, {4, 12}));
    SHOW("These ids", keep_tokens(tokens, {5, 9}));
    SHOW("All others", drop_tokens(tokens, {0, 5}));
    SHOW("Up to the first end marker", keep_through_first(tokens, 2));
    SHOW("Between two markers", keep_between_markers(tokens, 1, 2));

    std::cout << "\n## Thresholds and size\n";
    SHOW("Above a number", keep_above(wave, 0.2f));
    SHOW("At least a number", keep_at_least(x, 0));
    SHOW("Below a number", keep_below(x, 0));
    SHOW("At most a number", keep_at_most(x, 0));
    SHOW("Equal to a number", keep_equal(x, 0));
    SHOW("Not equal to a number", keep_not_equal(x, 0));
    SHOW("Between two numbers", keep_between(wave, -0.25f, 0.25f));
    SHOW("Outside of two numbers", keep_outside(wave, -0.25f, 0.25f));
    SHOW("Close to a number", keep_close_to(wave, 0.5f, 0.1f));
    SHOW("A magnitude above a number", keep_magnitude_above(wave, 0.5f));
    SHOW("Neither NaN nor infinite", keep_finite(holes));
    SHOW("Not NaN", keep_not_nan(holes));
    SHOW("What a boolean tensor keeps", keep_where(x > 0.f));
    SHOW("What a boolean tensor drops", drop_where(x > 0.f));
    SHOW("The largest of each row", keep_top_k(wave, 6));
    SHOW("The largest of each column", keep_top_k(wave, 3, 0));
    SHOW("The largest of all, by magnitude", keep_largest<size_by::magnitude>(wave, 0.1));
    SHOW("The two largest of each four", keep_n_of_m(wave, 2, 4));
    SHOW("Whole columns by their norm", keep_largest_slices(wave, 0.25, 1));
    SHOW("The fewest that have a probability together", keep_top_p<scores::logits>(x, 0.9));
    SHOW("At least a share of the largest probability", keep_min_p<scores::logits>(x, 0.1));

    std::cout << "\n## Attention\n\nRows are queries, columns are keys.\n";
    SHOW("Nothing that comes later", keep_causal(16, 24));
    SHOW("The same, where the last query sees all keys", keep_causal_bottom_right(16, 24));
    SHOW("A sliding window: 4 keys before, 2 behind", keep_window(16, 24, 4, 2));
    SHOW("A prefix that all see", keep_prefix(16, 24, 5));
    SHOW("Causal within chunks", keep_chunked(16, 24, 4));
    SHOW("Each second key", keep_dilated(16, 24, 4, 2));
    SHOW(
        "Keys of the query's segment",
        keep_same_segment({0, 0, 0, 1, 1, 2, 2, 2}, {0, 0, 0, 1, 1, 2, 2, 2})
    );
    SHOW("Any function of the indices", keep_if({16, 24}, [](auto i, auto j) {
             return (i ^ j) % 4 == 0;
         }));

    std::cout << "\n## Chance\n\nThe same for the same seed, on every machine.\n";
    SHOW("Each with a probability", keep_random({8, 32}, 0.3, 42));
    SHOW("Just so many of each row", keep_random_k({8, 32}, 8, 42));
    SHOW("Just that share of all", keep_random_fraction({8, 32}, 0.25, 42));
    SHOW("Spans that do not overlap", keep_spans({8, 32}, {.count = 3, .length = 4}, 42));
    SHOW("A share of the patches of a grid", keep_patches({16, 32}, 4, 4, 0.4, 42));
    SHOW("Rectangles anywhere", keep_blocks({16, 32}, {.height = 4, .width = 6}, 42));
    SHOW(
        "The tokens that a language model predicts",
        language_model_masks(keep_all({8, 32}), {.probability = 0.15}, 42).selected
    );

    std::cout << "\n## Masks of masks\n";
    SHOW("What both keep", keep_causal(16, 24) && keep_window(16, 24, 6, 6));
    SHOW("What either keeps", keep_prefix(16, 24, 4) || keep_dilated(16, 24, 4, 3));
    SHOW("What one of them keeps", keep_above(wave, 0.f) ^ keep_chunked(16, 32, 8));
    SHOW("What it drops", !keep_lengths({7, 3, 0, 12}, 12));
    SHOW("Moved along", shift(keep_lengths({7, 3, 0, 12}, 12), 2));
    SHOW("A part", mask_slice(keep_causal(16, 24), 0, 10, 16));
    SHOW("Stored as runs of dropped and kept", keep_run_lengths({1, 4, 3, 2, 2}, {2, 6}));
    SHOW("Everything", keep_all({3, 12}));
    SHOW("Nothing", keep_none({3, 12}));
    return 0;
}
