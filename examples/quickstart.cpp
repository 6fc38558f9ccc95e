// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// How well do the pairs of words of a text predict its words? Lines have many lengths, and some of
// their tokens must not count. Masks select the tokens that do.
//
//     quickstart [FILE]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <xmask/xmask.hpp>

#include "text.hpp"

#ifndef EXAMPLE_DATA
#define EXAMPLE_DATA "examples/data"
#endif

namespace {
using example::text;

// ---- The batch: lines of many lengths, padded into one tensor ---------------------------------------------------

struct batch {
    xt::xtensor<int, 1> lengths;  // the number of tokens of each line
    xt::xtensor<int, 2> targets;  // the next token, at each position of each line
    xt::xtensor<int, 2> counts;   // the frequency of that token in the text
    xt::xtensor<float, 3> logits; // the logits of each token of the vocabulary as the next one
};

batch make_batch(const text& t, std::size_t first, std::size_t last) {
    const std::size_t rows = last - first;
    const std::size_t classes = t.vocabulary.size();
    std::size_t columns = 0;
    for (std::size_t r = first; r < last; ++r) {
        columns = std::max(columns, t.lines[r].size());
    }
    batch b{
        xt::xtensor<int, 1>({rows}, 0), xt::xtensor<int, 2>({rows, columns}, example::padding),
        xt::xtensor<int, 2>({rows, columns}, 0),
        xt::xtensor<float, 3>({rows, columns, classes}, 0.f)
    };
    for (std::size_t r = 0; r < rows; ++r) {
        const auto& line = t.lines[first + r];
        b.lengths(r) = static_cast<int>(line.size());
        for (std::size_t c = 0; c < line.size(); ++c) {
            b.targets(r, c) = line[c];
            b.counts(r, c) = t.count_of(line[c]);
            const int previous = c == 0 ? example::line_start : line[c - 1];
            std::copy_n(&t.scores(previous, 0), classes, &b.logits(r, c, 0));
        }
    }
    return b;
}

// ---- The masks: which positions count? --------------------------------------------------------------------------

// A mask says which elements are kept. It is lazy: it refers to its tensor, and nothing is computed
// before it is used.
auto in_line(const batch& b) { return xmask::keep_lengths(b.lengths, b.targets.shape(1)); }

auto words(const batch& b, const text& t) { return xmask::drop_tokens(b.targets, t.marks); }

auto frequent(const batch& b) { return xmask::keep_at_least(b.counts, 2); }

bool held_out(std::size_t column) { return column == 3 || column == 7; }

auto not_held_out(const batch& b) {
    std::vector<std::size_t> columns{3, 7};
    std::erase_if(columns, [&](std::size_t c) { return c >= b.targets.shape(1); });
    return xmask::drop_indices(columns, b.targets.shape());
}

auto kept_of(const batch& b, const text& t) {
    return in_line(b) && words(b, t) && frequent(b) && not_held_out(b);
}

// Names a mask, and gives its picture line by line.
class picture {
public:
    static constexpr std::size_t width = 14;

    template <class M>
    picture(const std::string& name, const std::string& code, const M& mask)
        : m_lines(xmask::to_string(mask, {.width = width, .height = mask.shape(0)})) {
        std::cout << "    " << std::left << std::setw(14) << name << std::setw(46) << code
                  << std::right << std::setw(5) << xmask::count_kept(mask) << std::setw(5)
                  << std::lround(100 * xmask::density(mask)) << " %\n";
    }

    std::string next_line() {
        std::string line;
        std::getline(m_lines, line);
        const auto drawn =
            std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
        return line + std::string(width + 2 - static_cast<std::size_t>(drawn), ' ');
    }

private:
    std::istringstream m_lines;
};

void show_masks(const batch& b, const text& t) {
    std::cout << "\nMasks: which of the " << b.targets.size()
              << " positions count, and how many are that?\n";
    picture pictures[] = {
        {"in_line", "keep_lengths(lengths, " + std::to_string(b.targets.shape(1)) + ")", in_line(b)
        },
        {"words", "drop_tokens(targets, marks)", words(b, t)},
        {"frequent", "keep_at_least(counts, 2)", frequent(b)},
        {"not_held_out", "drop_indices({3, 7}, targets.shape())", not_held_out(b)},
        {"kept", "in_line && words && frequent && not_held_out", kept_of(b, t)},
    };
    const std::size_t lines = std::min<std::size_t>(b.targets.shape(0), 12);
    std::cout << "\nto_string(mask), its first lines: █ is kept, · is dropped"
              << (b.targets.shape(1) > picture::width ? ", ▒ stands for both" : "") << "\n\n"
              << "    in_line         words           frequent        not_held_out    kept\n";
    for (std::size_t r = 0; r < lines; ++r) {
        std::cout << "    ";
        std::for_each(std::begin(pictures), std::end(pictures), [](picture& p) {
            std::cout << p.next_line();
        });
        std::cout << '\n';
    }
}

// ---- The loss: how surprised are we by what counts? -------------------------------------------------------------

// The same without padding, masks or floats, for comparison.
xmask::loss plain_loss(const text& t, std::size_t lines) {
    xmask::loss total;
    for (std::size_t r = 0; r < lines; ++r) {
        int previous = example::line_start;
        for (std::size_t c = 0; c < t.lines[r].size(); ++c) {
            const int next = t.lines[r][c];
            if (!t.is_mark(next) && t.count_of(next) >= 2 && !held_out(c)) {
                double sum = 0;
                for (std::size_t id = 0; id < t.vocabulary.size(); ++id) {
                    sum += std::exp(static_cast<double>(t.scores(previous, id)));
                }
                total +=
                    xmask::loss{std::log(sum) - static_cast<double>(t.scores(previous, next)), 1};
            }
            previous = next;
        }
    }
    return total;
}

void check(bool holds, const char* what) {
    if (!holds) {
        std::cerr << "quickstart: it does not hold that " << what << '\n';
        std::exit(1);
    }
}

void show(const char* code, const xmask::loss& l) {
    std::cout << "    " << std::left << std::setw(62) << code << std::right << std::fixed
              << std::setprecision(5) << std::setw(10) << std::exp(l.mean()) << '\n';
}

bool agree(const xmask::loss& a, const xmask::loss& b) {
    return a.weight() == b.weight() &&
           std::abs(std::exp(a.mean()) / std::exp(b.mean()) - 1) <= 1e-6;
}

// Whether there is a token to predict.
bool show_losses(const batch& b, const text& t) {
    const xmask::bitmask kept =
        kept_of(b, t); // stored, one bit a position, because it is used often
    xt::xtensor<float, 3> gradient;
    const xmask::loss l = xmask::masked_cross_entropy(b.logits, b.targets, kept, gradient);
    if (l.weight() == 0) {
        std::cout
            << "\nNothing is left to predict: all tokens are marks, occur only once, or are held out.\n";
        return false;
    }
    std::cout << "\nPerplexity of the " << l.weight() << " tokens that count, exp(loss.mean()):\n";
    show("masked_cross_entropy(logits, targets, kept, gradient)", l);

    const std::size_t lines = b.targets.shape(0);
    const xmask::loss plain = plain_loss(t, lines);
    show("plain loops over the lines as they are, in double", plain);
    check(agree(l, plain), "the masked loss is that of the plain loops");

    xmask::loss merged;
    for (const batch& half : {make_batch(t, 0, lines / 2), make_batch(t, lines / 2, lines)}) {
        merged += xmask::masked_cross_entropy(half.logits, half.targets, kept_of(half, t));
    }
    show("two halves, each padded by itself: loss += loss", merged);
    check(agree(merged, l), "the losses of two halves add up to that of the whole");

    const auto logits_kept = xmask::unsqueeze(kept, -1); // for all classes of a position alike
    const float nan = std::numeric_limits<float>::quiet_NaN();
    xt::xtensor<float, 3> filled = xmask::masked_fill(b.logits, logits_kept, nan);
    const xmask::loss under = xmask::masked_cross_entropy(filled, b.targets, kept, gradient);
    show("masked_fill(logits, unsqueeze(kept, -1), NaN): unseen", under);
    check(under.sum() == l.sum(), "NaN under the mask is not seen");

    filled = xmask::masked_fill(b.logits, logits_kept, 0.f);
    show(
        "WRONG: filled with 0, a plain mean over all positions",
        xmask::masked_cross_entropy(filled, b.targets, xmask::keep_all(b.targets.shape()))
    );

    const auto leaks = xmask::count_kept(xmask::keep_not_equal(gradient, 0.f) && !logits_kept);
    std::cout << "\nGradient: " << leaks << " elements of the " << xmask::count_kept(!kept)
              << " positions under the mask are not 0\n";
    check(leaks == 0, "the gradient under the mask is 0");
    return true;
}

// ---- The time that it takes -------------------------------------------------------------------------------------

template <class F>
double seconds(F&& f) {
    double best = std::numeric_limits<double>::infinity();
    for (int run = 0; run < 9; ++run) {
        const auto start = std::chrono::steady_clock::now();
        f();
        best = std::min(
            best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()
        );
    }
    return best;
}

void show_times(const batch& b, const text& t) {
    const auto lazy = kept_of(b, t);
    xmask::bitmask kept = lazy;
    xt::xtensor<float, 3> to = b.logits;
    const double copy =
        seconds([&] { std::memcpy(to.data(), b.logits.data(), to.size() * sizeof(float)); });
    const auto row = [&](const char* code, double time) {
        std::cout << "    " << std::left << std::setw(56) << code << std::right << std::fixed
                  << std::setprecision(1) << std::setw(9) << time * 1e6 << " us"
                  << std::setprecision(2) << std::setw(8) << time / copy << '\n';
    };
    volatile double sink = 0; // so that no result counts as unused
    std::cout << "\nTime of each step, and as a multiple of copying the logits ("
              << to.size() * sizeof(float) / 1024 << " KiB):\n";
    row("std::memcpy(to, logits)", copy);
    row("bitmask kept = in_line && words && frequent && ...", seconds([&] { kept = lazy; }));
    row("count_kept(kept)", seconds([&] { sink = static_cast<double>(xmask::count_kept(kept)); }));
    row("to = masked_fill(logits, unsqueeze(kept, -1), 0.f)", seconds([&] {
            xt::noalias(to) = xmask::masked_fill(b.logits, xmask::unsqueeze(kept, -1), 0.f);
        }));
    row("masked_cross_entropy(logits, targets, kept)",
        seconds([&] { sink = xmask::masked_cross_entropy(b.logits, b.targets, kept).sum(); }));
    row("masked_cross_entropy(logits, targets, kept, gradient)",
        seconds([&] { sink = xmask::masked_cross_entropy(b.logits, b.targets, kept, to).sum(); }));
}
} // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 2) {
            throw std::runtime_error("usage: quickstart [FILE]");
        }
        const text t = example::read_text(argc == 2 ? argv[1] : EXAMPLE_DATA "/looking_glass.txt");
        const std::size_t lines = std::min(t.lines.size(), example::most_lines);
        const batch b = make_batch(t, 0, lines);
        if (lines < t.lines.size()) {
            std::cout << "(cut: only the first " << lines << " lines are in the batch)\n";
        }
        std::cout << "Batch: " << lines << " lines x " << b.targets.shape(1)
                  << " positions, shorter lines are padded; x " << t.vocabulary.size()
                  << " logits\n";
        show_masks(b, t);
        if (show_losses(b, t)) {
            show_times(b, t);
        }
    } catch (const std::exception& e) {
        std::cerr << "quickstart: " << e.what() << '\n';
        return 2;
    }
}
