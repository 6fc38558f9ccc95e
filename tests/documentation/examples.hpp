// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The surroundings of the examples in the headers' comments: the names that they use without a
// declaration, and the comparison of a result with the comment that shows it. check.cmake writes
// the program.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <numeric>
#include <source_location>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include <xmask/xmask.hpp>

#if __has_include(<xtensor/core/xmath.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/generators/xbuilder.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xview.hpp>
#endif

namespace documentation {
/// The names of one example: a batch of three texts, padded to n tokens, and tensors of that shape.
struct names {
    std::size_t n = 4;
    std::size_t keys = n;
    xt::xtensor<int, 1> lengths = {2, 4, 3};
    xt::xtensor<int, 2> tokens = {{5, 6, 0, 0}, {7, 101, 5, 102}, {8, 2, 9, 0}};
    xmask::bitmask m = xmask::keep_lengths(lengths, n);

    xt::xtensor<float, 2> x = {
        {0.5f, -1.f, 2.f, 0.f}, {1.f, 4.f, -3.f, 0.25f}, {-2.f, 0.125f, 1.f, 3.f}
    };
    xt::xtensor<float, 2> y = 2.f * x;
    xt::xtensor<float, 2> z = y + 1.f;
    xt::xtensor<float, 2> weights = 0.1f * x;
    xt::xtensor<float, 2> gate = xt::abs(weights);
    xt::xtensor<float, 2> scores = 3.f * x;
    xt::xtensor<float, 2> distances = xt::abs(x);
    xt::xtensor<float, 2> hazard = 0.1f * distances;

    xt::xtensor<float, 2> prediction = x;
    xt::xtensor<float, 2> target = y;
    xt::xtensor<float, 2> p = x;
    xt::xtensor<float, 2> t = y;
    xt::xtensor<int, 2> predicted = tokens;
    xt::xtensor<float, 2> probability = xt::ones<float>({3, 4}) * 0.25f;
    xt::xtensor<float, 2> label = {
        {1.f, 0.f, 1.f, 0.f}, {0.f, 1.f, 1.f, 0.f}, {1.f, 1.f, 0.f, 0.f}
    };
    xt::xtensor<float, 2> gradient;

    // The features of a token; gradients with one number a text, an element, and a feature of a
    // text.
    xt::xtensor<float, 3> hidden = xt::ones<float>({3, 4, 5});
    xt::xtensor<float, 1> upstream = {1.f, 2.f, 3.f};
    xt::xtensor<float, 2> dy = 0.5f * y;
    xt::xtensor<float, 2> image_features = xt::ones<float>({9, 5});
    xt::xtensor<float, 2> dpooled = xt::ones<float>({3, 5});

    xt::xtensor<float, 3> query = hidden;
    xt::xtensor<float, 3> key = hidden;
    xt::xtensor<float, 3> value = hidden;

    xt::xtensor<float, 3> logits = xt::ones<float>({3, 4, 110});
    xt::xtensor<float, 3> share = logits / 110.f;
    xt::xtensor<float, 3> log_p = xt::log(share);
    xt::xtensor<int, 2> classes = tokens;
    xt::xtensor<float, 3> logits_gradient;

    // std::cout in an example.
    std::ostringstream out;
};

inline int failures = 0;

inline void fail(const std::string& what, const std::source_location& at) {
    ++failures;
    std::cerr << at.file_name() << ':' << at.line() << ": " << what << '\n';
}

using rows = std::vector<std::vector<double>>;

/// The numbers of a comment, line by line, separated by spaces or commas. true, false, nan and inf
/// are numbers, too.
inline rows rows_of(const std::string& comment) {
    rows all;
    std::istringstream lines(comment);
    for (std::string line; std::getline(lines, line);) {
        std::replace(line.begin(), line.end(), ',', ' ');
        std::istringstream words(line);
        all.emplace_back();
        for (std::string word; words >> word;) {
            all.back().push_back(
                word == "true"    ? 1
                : word == "false" ? 0
                                  : std::strtod(word.c_str(), nullptr)
            );
        }
    }
    return all;
}

/// The numbers of a value: a number, a container or an expression.
template <class T>
rows rows_of_value(const T& value) {
    rows all;
    if constexpr (std::is_arithmetic_v<T>) {
        all = {{static_cast<double>(value)}};
    } else if constexpr (xmask::expression<T>) {
        const std::size_t columns = xmask::detail::columns_of(value.shape());
        std::vector<std::size_t> index(value.dimension());
        for (std::size_t i = 0; i < value.size(); ++i) {
            for (std::size_t axis = index.size(), rest = i; axis-- > 0;) {
                index[axis] = rest % static_cast<std::size_t>(value.shape()[axis]);
                rest /= static_cast<std::size_t>(value.shape()[axis]);
            }
            if (i % columns == 0) {
                all.emplace_back();
            }
            all.back().push_back(static_cast<double>(value.element(index.begin(), index.end())));
        }
    } else {
        all.emplace_back();
        for (const auto& each : value) {
            all.back().push_back(static_cast<double>(each));
        }
    }
    return all;
}

inline bool agree(const rows& a, const rows& b) {
    const auto close = [](double p, double q) {
        return p == q || (std::isnan(p) && std::isnan(q)) || std::abs(p - q) <= 1e-5 * std::abs(q);
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& p, const auto& q) {
        return std::equal(p.begin(), p.end(), q.begin(), q.end(), close);
    });
}

inline std::string text_of(const rows& all) {
    std::ostringstream out;
    for (const auto& row : all) {
        for (const double value : row) {
            out << ' ' << value;
        }
        out << '\n';
    }
    return out.str();
}

/// A picture, or rows of 0 and 1, as a picture without spaces.
inline std::string picture_of(std::string text) {
    const auto replace = [&](const std::string& from, const std::string& to) {
        for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
            text.replace(at, from.size(), to);
        }
    };
    replace(" ", "");
    replace("1", "█");
    replace("0", "·");
    replace("\n\n", "\n");
    return text;
}

/// Compares a value with the comment that shows it.
template <class T>
void expect(
    const T& value, const std::string& comment,
    std::source_location at = std::source_location::current()
) {
    std::string found;
    bool right = false;
    if constexpr (std::is_same_v<T, std::ostringstream>) {
        found = value.str();
        found.resize(found.find_last_not_of(" \n") + 1);
        found += '\n';
        right = found == comment;
    } else if constexpr (std::is_same_v<T, std::vector<xmask::column_range>>) {
        for (const xmask::column_range& range : value) {
            found += (found.empty() ? "[" : ", [") + std::to_string(range.begin) + ", " +
                     std::to_string(range.end) + ")";
        }
        found += '\n';
        right = found == comment;
    } else if constexpr (xmask::mask_expression<T>) {
        if (comment[0] == '(') {
            found = xmask::detail::tuple_text(value.shape()) + '\n';
            right = found == comment;
        } else {
            found = picture_of(xmask::to_string(value, {.width = 1000, .height = 1000}));
            right = found == picture_of(comment);
        }
    } else {
        if constexpr (xmask::expression<T>) {
            found = comment[0] == '(' ? xmask::detail::tuple_text(value.shape()) + '\n' : "";
        }
        right = found == comment;
        if (found.empty()) {
            const rows all = rows_of_value(value);
            found = text_of(all);
            right = agree(all, rows_of(comment));
        }
    }
    if (!right) {
        fail("the result is\n" + found + "and the comment says\n" + comment, at);
    }
}

template <class Example>
void run(const char* file, int line) {
    try {
        Example().run();
    } catch (const std::exception& error) {
        ++failures;
        std::cerr << file << ':' << line << ": the example throws " << error.what() << '\n';
    }
}

/// Runs a program of docs/, and compares the text that it prints.
inline void run_program(int (*program)(), const std::string& expected, const char* file, int line) {
    std::ostringstream printed;
    std::streambuf* const before = std::cout.rdbuf(printed.rdbuf());
    int result = 1;
    try {
        result = program();
    } catch (const std::exception& error) {
        printed << "throws " << error.what() << '\n';
    }
    std::cout.rdbuf(before);
    if (result != 0 || (!expected.empty() && printed.str() != expected)) {
        ++failures;
        std::cerr << file << ':' << line << ": the program ends with " << result << " and prints\n"
                  << printed.str() << "and the page says\n"
                  << expected;
    }
}
} // namespace documentation
