// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Trains a network on handwritten digits, then removes most of its weights, then hides a part of
// its data. Each time a mask says what counts.
//
//     train_digits [FILE.svg]

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <xmask/layers.hpp>
#include <xmask/xmask.hpp>

#include "example.hpp"
#include "gated_network.hpp"
#include "heat_map.hpp"

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#ifndef EXAMPLE_DATA
#define EXAMPLE_DATA "examples/data"
#endif

namespace {
using example::check;
using example::gated_network;
using example::layer;

constexpr std::size_t pixels = 64;
constexpr std::size_t classes = 10;
constexpr int padding = -1;

struct images {
    xt::xarray<float> x;       // (images, 64), from 0 to 1
    xt::xtensor<int, 1> label; // (images)
};

/// A random order, the same on every machine.
void shuffle(std::vector<std::size_t>& order, std::mt19937& generator) {
    for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[generator() % i]);
    }
}

std::vector<std::size_t> numbers(std::size_t n) {
    std::vector<std::size_t> all(n);
    std::iota(all.begin(), all.end(), std::size_t(0));
    return all;
}

images images_of(const xt::xarray<std::uint8_t>& digits, std::span<const std::size_t> rows) {
    images some{
        xt::zeros<float>({rows.size(), pixels}), xt::xtensor<int, 1>({rows.size()}, padding)
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
        for (std::size_t p = 0; p < pixels; ++p) {
            some.x(i, p) = static_cast<float>(digits(rows[i], p)) / 16.f;
        }
        some.label(i) = digits(rows[i], pixels);
    }
    return some;
}

// ---- The network ------------------------------------------------------------------------------------------------

/// Weights as He et al. (2015) draw them, the same on every machine.
layer random_layer(std::size_t out, std::size_t in, std::mt19937& generator) {
    xt::xarray<float> weight = xt::zeros<float>({out, in});
    const double bound = std::sqrt(6. / static_cast<double>(in));
    for (float& w : weight) {
        w = static_cast<float>(bound * (static_cast<double>(generator()) / 2147483648. - 1));
    }
    return {weight, xt::zeros<float>({out})};
}

gated_network random_network() {
    std::mt19937 generator(1);
    auto feature = random_layer(48, pixels, generator);
    auto output = random_layer(classes, 48, generator);
    return {std::move(feature), std::move(output), random_layer(classes, pixels, generator)};
}

std::array<layer*, 3> layers_of(gated_network& network) {
    return {&network.feature, &network.output, &network.gate};
}

double accuracy(const gated_network& network, const images& test) {
    const auto scores = network.forward(test.x).y;
    const auto predicted = xmask::masked_argmax(scores, xmask::keep_all(scores.shape()), -1);
    const auto right = xmask::count_kept(xmask::keep_where(xt::equal(predicted, test.label)));
    return static_cast<double>(right) / static_cast<double>(test.label.size());
}

// ---- Training ---------------------------------------------------------------------------------------------------

/// `count` images of a random order. The last batch is filled with padding.
images batch_of(
    const images& all, const std::vector<std::size_t>& order, std::size_t first, std::size_t count
) {
    images batch{xt::zeros<float>({count, pixels}), xt::xtensor<int, 1>({count}, padding)};
    for (std::size_t i = 0; i < count && first + i < order.size(); ++i) {
        std::copy_n(&all.x(order[first + i], 0), pixels, &batch.x(i, 0));
        batch.label(i) = all.label(order[first + i]);
    }
    return batch;
}

/// Whether somebody sees what goes to std::cerr at once.
bool is_watched() {
#if __has_include(<unistd.h>)
    return isatty(STDERR_FILENO) != 0;
#else
    return false;
#endif
}

/// A progress bar for terminals, which disappears at the end.
void show_progress(const std::string& what, std::size_t done, std::size_t all, double loss) {
    if (!is_watched()) {
        return;
    }
    const std::size_t width = 30 * done / all;
    std::ostringstream bar;
    bar << what << " [" << std::string(width, '#') << std::string(30 - width, '.') << "] loss "
        << std::fixed << std::setprecision(4) << loss;
    std::cerr << '\r' << bar.str() << std::flush;
    if (done == all) {
        std::cerr << '\r' << std::string(bar.str().size(), ' ') << '\r' << std::flush;
    }
}

void train(
    gated_network& network, const images& data, const std::string& what, std::size_t epochs,
    float rate
) {
    constexpr std::size_t batch_size = 64;
    std::mt19937 generator(2);
    auto order = numbers(data.label.size());
    std::vector<std::pair<xt::xarray<float>, xt::xarray<float>>> momentum;
    for (const layer* l : layers_of(network)) {
        momentum.emplace_back(
            xt::zeros<float>(l->weight.shape()), xt::zeros<float>(l->bias.shape())
        );
    }
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        shuffle(order, generator);
        const float step = rate * (1.f - static_cast<float>(epoch) / static_cast<float>(epochs));
        xmask::loss total;
        for (std::size_t first = 0; first < order.size(); first += batch_size) {
            const images batch = batch_of(data, order, first, batch_size);
            const auto m =
                xmask::keep_not_equal(batch.label, padding); // the last batch is not full
            const auto scale = 1 / static_cast<double>(xmask::count_kept(m));
            const auto pass = network.forward(batch.x);
            xt::xarray<float> by_y;
            total +=
                xmask::masked_cross_entropy(pass.y, batch.label, m, xmask::scaled(by_y, scale));
            network.backward(batch.x, pass, by_y);
            for (std::size_t i = 0; i < 3; ++i) {
                layer& l = *layers_of(network)[i];
                auto& [by_weight, by_bias] = momentum[i];
                xt::noalias(by_weight) = 0.9f * by_weight + l.by_weight;
                xt::noalias(by_bias) = 0.9f * by_bias + l.by_bias;
                xt::noalias(l.weight) = l.weight - step * by_weight;
                xt::noalias(l.bias) = l.bias - step * by_bias;
            }
        }
        show_progress(what, epoch + 1, epochs, total.mean());
    }
}

// ---- Pruning ----------------------------------------------------------------------------------------------------

/// Drops all but the largest weights of each layer, by magnitude.
void prune(gated_network& network, double kept) {
    for (layer* l : layers_of(network)) {
        l->kept = xmask::keep_largest<xmask::size_by::magnitude>(l->weight, kept);
        xmask::multiply_inplace(l->weight, l->kept);
    }
}

std::size_t kept_weights(gated_network& network) {
    std::size_t count = 0;
    for (const layer* l : layers_of(network)) {
        count += xmask::count_kept(l->kept);
        check(!xmask::masked_any(l->weight, !l->kept), "pruned weights are exactly 0");
    }
    return count;
}

/// Prunes more and more, and gives the accuracies as a picture.
example::line_chart show_pruning(
    const gated_network& trained, const images& data, const images& test
) {
    std::cout
        << "\nPruning by magnitude, at once, and step by step with fine-tuning under the mask:\n\n"
        << "    dropped    kept weights    accuracy    after fine-tuning\n";
    example::line_chart chart{
        "Digits that a pruned network recognizes", "weights that are dropped", {{0, "0"}}
    };
    for (const int percent : {0, 20, 40, 60, 80, 100}) {
        chart.y.push_back({0.01 * percent, std::to_string(percent) + " %"});
    }
    const double whole = accuracy(trained, test);
    chart.curves = {{"pruned step by step, and tuned", {whole}}, {"pruned at once", {whole}}};
    gated_network tuned = trained;
    for (const double dropped : {0.5, 0.8, 0.9, 0.95, 0.99}) {
        gated_network at_once = trained;
        prune(at_once, 1 - dropped);
        prune(tuned, 1 - dropped);
        const auto percent = std::to_string(std::lround(100 * dropped)) + " %";
        train(tuned, data, percent + " pruned", 15, 0.1f);
        const double without = accuracy(at_once, test);
        const double with = accuracy(tuned, test);
        std::cout << std::fixed << std::setprecision(1) << std::setw(11) << percent << std::setw(16)
                  << kept_weights(tuned) << std::setw(10) << 100 * without << " %" << std::setw(19)
                  << 100 * with << " %\n";
        chart.x.push_back({static_cast<double>(chart.x.size()), percent});
        chart.curves[0].y.push_back(with);
        chart.curves[1].y.push_back(without);
        check(kept_weights(at_once) == kept_weights(tuned), "both keep as many weights");
        check(with >= without - 0.01, "fine-tuning does not make it worse");
        check(dropped > 0.8 || with > 0.93, "most weights are not needed");
    }
    return chart;
}

// ---- Missing data -----------------------------------------------------------------------------------------------

/// Draws the first images beside each other, as text and into a file.
void draw(const std::string& title, const std::string& file, const xt::xarray<float>& x) {
    constexpr std::size_t count = 6;
    constexpr std::size_t side = 8;
    const auto shape = std::array<std::size_t, 2>{side, count * (side + 1) - 1};
    example::heat_map map{title, "", std::vector<std::string>(side), xt::zeros<float>(shape)};
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t p = 0; p < pixels; ++p) {
            map.values(p / side, i * (side + 1) + p % side) = x(i, p);
        }
    }
    const std::string path = std::string(EXAMPLE_PICTURES "/").append(file);
    example::write_svg(map, path);
    std::cout << '\n' << title << ", drawn in " << path << ":\n\n" << example::to_text(map) << '\n';
}

void show_missing_data(const gated_network& trained, const images& test) {
    std::cout << "\nA quarter of the test images' pixels is missing, and reads NaN:\n\n";
    const xmask::bitmask there = xmask::keep_random(test.x.shape(), 0.75, 3);
    const auto nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xarray<float> measured = xmask::masked_fill(test.x, there, nan);
    draw("Some digits", "digits.svg", test.x);
    draw("The same, ? where a pixel is missing", "digits_missing.svg", measured);
    const auto show = [&](const std::string& what, const xt::xarray<float>& x) {
        const double right = accuracy(trained, {x, test.label});
        std::cout << "    " << std::left << std::setw(64) << what << std::right
                  << std::setprecision(1) << std::setw(6) << 100 * right << " %\n";
        return right;
    };
    const auto present = xmask::keep_not_nan(measured);
    const double whole = show("nothing is missing", test.x);
    const double as_nan = show("naive: NaN goes into the network", measured);
    xt::xarray<float> x = xmask::masked_fill(measured, present, 0.f);
    const double as_zero = show("naive: missing is 0, masked_fill(x, m, 0.f)", x);
    const xt::xarray<float> mean =
        xmask::masked_mean(measured, present, {0}); // of the present values, for each pixel
    x = xmask::masked_replace(measured, present, mean);
    const double as_mean =
        show("masked: missing is that pixel's mean, masked_replace(x, m, mean)", x);
    check(
        as_nan < 0.2 && as_nan < as_zero && as_zero < as_mean && as_mean < whole,
        "what is missing is better masked"
    );
}
} // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 2) {
            throw std::runtime_error("usage: train_digits [FILE.svg]");
        }
        const auto start = std::chrono::steady_clock::now();
        const auto digits = xt::load_npy<std::uint8_t>(EXAMPLE_DATA "/digits.npy");
        auto order = numbers(digits.shape()[0]);
        std::mt19937 generator(0);
        shuffle(order, generator);
        const images data = images_of(digits, std::span(order).first(1400));
        const images test = images_of(digits, std::span(order).subspan(1400));
        std::cout << "Handwritten digits, 8 x 8 pixels: " << data.label.size() << " to train, "
                  << test.label.size() << " to test.\n";
        gated_network network = random_network();
        train(network, data, "training", 40, 0.1f);
        const double right = accuracy(network, test);
        std::cout << std::fixed << std::setprecision(1) << "A gated network of "
                  << kept_weights(network) << " weights has " << 100 * right
                  << " % of them right.\n";
        check(right > 0.93, "more than 93 % of the digits are right");
        const std::string path = argc == 2 ? argv[1] : EXAMPLE_PICTURES "/pruning.svg";
        example::write_svg(show_pruning(network, data, test), path);
        std::cout << "\nThe same is drawn in " << path << '\n';
        show_missing_data(network, test);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        std::cerr << "It took " << seconds.count() << " s.\n";
        std::cout << "\nAll of it holds.\n";
    } catch (const std::exception& error) {
        std::cerr << "train_digits: " << error.what() << '\n';
        return 2;
    }
}
