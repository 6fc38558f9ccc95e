// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// For quickstart.cpp: reads a text, and scores its pairs of tokens. This file has no masks.

#pragma once

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iostream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <xmask/xmask.hpp>

namespace example {
// The limits of a run: together they bound its memory.
inline constexpr std::size_t most_bytes = std::size_t(10) << 20;
inline constexpr std::size_t most_classes = 500;
inline constexpr std::size_t most_lines = 250;
inline constexpr std::size_t most_columns = 40;

enum special_id : int { padding, line_start, unknown, first_word };

struct text {
    std::vector<std::vector<int>> lines; // ids of tokens
    std::vector<std::string> vocabulary{"<padding>", "<line>", "<unknown>"};
    std::vector<int> count{0, 0, 0}; // the frequency of each id
    std::vector<int> marks;          // ids of punctuation
    xt::xtensor<float, 2> scores;    // a logit for each pair (token, next token)

    int count_of(int id) const { return count[static_cast<std::size_t>(id)]; }

    bool is_mark(int id) const { return std::find(marks.begin(), marks.end(), id) != marks.end(); }
};

inline std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes(most_bytes + 1, '\0');
    if (in) {
        in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    if (!in.is_open() || in.bad()) {
        throw std::runtime_error(path + " cannot be read");
    }
    bytes.resize(static_cast<std::size_t>(in.gcount()));
    const auto is_control = [](unsigned char c) { return c < ' ' && (c < '\t' || c > '\r'); };
    const auto controls = std::count_if(bytes.begin(), bytes.end(), is_control);
    if (bytes.find('\0') != std::string::npos ||
        static_cast<std::size_t>(controls) * 50 > bytes.size()) {
        throw std::runtime_error(path + " is binary, and a text is expected");
    }
    if (bytes.size() > most_bytes) {
        std::cout << "(cut: only the first " << (most_bytes >> 20)
                  << " MiB of the file are used)\n";
        bytes.resize(most_bytes);
    }
    return bytes.starts_with("\xEF\xBB\xBF") ? bytes.substr(3) : bytes;
}

// The number of bytes of punctuation at the start of `s`: one, three for the dashes and quotes of
// UTF-8, none for a letter.
inline std::size_t mark_bytes(std::string_view s) {
    const auto byte = static_cast<unsigned char>(s[0]);
    if (byte >= 0x80) {
        return s.size() >= 3 && (s.starts_with("\xE2\x80") || s.starts_with("\xE2\x81")) ? 3 : 0;
    }
    return std::isalnum(byte) != 0 ? 0 : 1;
}

inline bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

// Words in lower case, with the apostrophes inside them. Every punctuation mark is a token of its
// own.
inline std::vector<std::string> tokens_of(std::string_view line) {
    std::vector<std::string> tokens;
    while (!line.empty()) {
        std::size_t n = std::max<std::size_t>(mark_bytes(line), 1);
        if (mark_bytes(line) == 0) {
            const auto in_word = [&](std::size_t i) {
                return i < line.size() && mark_bytes(line.substr(i)) == 0;
            };
            while (in_word(n) || (n < line.size() && line[n] == '\'' && in_word(n + 1))) {
                ++n;
            }
        }
        if (!is_space(line[0])) {
            std::string& token = tokens.emplace_back(line.substr(0, n));
            std::transform(token.begin(), token.end(), token.begin(), [](char c) {
                return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
            });
        }
        line.remove_prefix(n);
    }
    return tokens;
}

// The most frequent words remain, all others become <unknown>.
inline void limit_vocabulary(
    text& t, const std::vector<std::string>& words, const std::vector<int>& counts
) {
    std::vector<std::size_t> order(words.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::sort(order.begin(), order.end(), [&](auto a, auto b) {
        return counts[a] != counts[b] ? counts[a] > counts[b] : a < b;
    });
    std::vector<int> id_of(words.size(), unknown);
    for (const std::size_t word : order) {
        if (t.vocabulary.size() == most_classes) {
            t.count[unknown] += counts[word];
            continue;
        }
        id_of[word] = static_cast<int>(t.vocabulary.size());
        t.vocabulary.push_back(words[word]);
        t.count.push_back(counts[word]);
        if (mark_bytes(words[word]) != 0) {
            t.marks.push_back(id_of[word]);
        }
    }
    for (auto& line : t.lines) {
        std::transform(line.begin(), line.end(), line.begin(), [&](int word) {
            return id_of[static_cast<std::size_t>(word)];
        });
    }
}

// The logit of a pair is the log of its frequency, smoothed.
inline void score_pairs(text& t) {
    t.scores = xt::xtensor<float, 2>({t.vocabulary.size(), t.vocabulary.size()}, 0.1f);
    for (const auto& line : t.lines) {
        int previous = line_start;
        for (const int next : line) {
            t.scores(previous, next) += 1.f;
            previous = next;
        }
    }
    t.scores = xt::eval(xt::log(t.scores));
}

inline text read_text(const std::string& path) {
    text t;
    std::unordered_map<std::string, int> seen;
    std::vector<std::string> words;
    std::vector<int> counts;
    std::size_t tokens = 0;
    std::istringstream in(read_file(path));
    for (std::string line; std::getline(in, line);) {
        std::size_t column = 0;
        for (const std::string& token : tokens_of(line)) {
            const auto [at, is_new] = seen.emplace(token, static_cast<int>(words.size()));
            if (is_new) {
                words.push_back(token);
                counts.push_back(0);
            }
            if (column++ % most_columns == 0) {
                t.lines.emplace_back(); // a line that is too long continues in the next row
            }
            t.lines.back().push_back(at->second);
            ++counts[static_cast<std::size_t>(at->second)];
            ++tokens;
        }
    }
    if (tokens == 0) {
        throw std::runtime_error(path + " holds no words");
    }
    limit_vocabulary(t, words, counts);
    std::cout << "Text: " << path << ": " << tokens << " tokens in " << t.lines.size() << " lines, "
              << words.size() << " different\n";
    if (t.count[unknown] != 0) {
        std::cout << "(cut: " << t.count[unknown]
                  << " tokens are of rare words and become <unknown>)\n";
    }
    score_pairs(t);
    return t;
}
} // namespace example
