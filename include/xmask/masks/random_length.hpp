// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../core/error.hpp"
#include "../core/word.hpp"
#include "random_stream.hpp"

/// @file
/// Lengths of the spans and sides of the rectangles of random masks.

namespace xmask::inline XMASK_ABI {
/// A length of 1 or more, fixed or random. A number converts to it.
///
/// A random length is computed from 64 random bits, with correctly rounded operations only: it is
/// the same on every machine.
///
///     xmask::random_length always = 10;
///     auto between = xmask::random_length::uniform(1, 10);
///     auto spanbert = xmask::random_length::geometric(0.2, 10);
///     between.mean();    // 5.5
class random_length {
public:
    /// A fixed length.
    ///
    /// @param fixed the length, 1 or more.
    /// @throws std::invalid_argument for a length below 1.
    template <std::integral T>
    random_length(T fixed) {
        if (fixed < T(1)) [[unlikely]] {
            detail::throw_invalid("random_length", "length ", +fixed, "; expected at least 1");
        }
        m_shortest = static_cast<std::size_t>(fixed);
        m_longest = m_shortest;
    }

    /// Lengths in a range, equally likely.
    ///
    /// @param shortest the minimum, 1 or more.
    /// @param longest the maximum.
    /// @returns such a length.
    /// @throws std::invalid_argument unless 1 <= shortest <= longest.
    [[nodiscard]] static random_length uniform(std::size_t shortest, std::size_t longest) {
        if (shortest < 1 || shortest > longest) [[unlikely]] {
            detail::throw_invalid(
                "random_length::uniform", "lengths from ", shortest, " to ", longest,
                "; expected 1 or more, in order"
            );
        }
        random_length length = shortest;
        length.m_longest = longest;
        return length;
    }

    /// Lengths 1 to longest, each less likely than the one before by a factor of 1 - p, as in
    /// SpanBERT (p 0.2, longest 10).
    ///
    /// @param p above 0, at most 1.
    /// @param longest the maximum, 1 or more.
    /// @returns such a length.
    /// @throws std::invalid_argument unless 0 < p <= 1 and longest >= 1.
    [[nodiscard]] static random_length geometric(double p, std::size_t longest) {
        if (!(p > 0 && p <= 1) || longest == 0) [[unlikely]] {
            detail::throw_invalid(
                "random_length::geometric", "p ", p, " and longest ", longest,
                "; expected p in (0, 1], and 1 or more"
            );
        }
        std::vector<double> weights(longest, 0.);
        double weight = 1;
        for (double& each : weights) {
            each = weight;
            weight *= 1 - p;
        }
        return from_weights(weights);
    }

    /// Lengths of Poisson's distribution, without 0, as in BART (mean 3).
    ///
    /// @param mean of the distribution with 0, above 0 and at most 1,000,000.
    /// @returns such a length.
    /// @throws std::invalid_argument for a mean outside of (0, 1000000].
    [[nodiscard]] static random_length poisson(double mean) {
        detail::require_option(
            "random_length::poisson", "mean", mean,
            {.least = 0, .most = 1e6, .excludes_least = true}
        );
        // Starts from the most likely length, so that nothing overflows.
        std::vector<double> weights(std::max<std::size_t>(1, static_cast<std::size_t>(mean)), 1.);
        for (std::size_t length = weights.size(); length > 1; --length) {
            weights[length - 2] = weights[length - 1] * static_cast<double>(length) / mean;
        }
        while (weights.back() > 1e-20) {
            weights.push_back(weights.back() * mean / static_cast<double>(weights.size() + 1));
        }
        return from_weights(weights);
    }

    /// Lengths with weights: the probability of length k + 1 is in proportion to weights[k].
    ///
    /// @param weights numbers of 0 or more, at least one of them above 0.
    /// @returns such a length.
    /// @throws std::invalid_argument for a weight that is negative, NaN or infinite, or where none
    /// is above 0.
    [[nodiscard]] static random_length weighted(const std::vector<double>& weights) {
        detail::require_each_option(
            "random_length::weighted", "weights", weights,
            detail::option_range::at_least(0).finite()
        );
        if (std::ranges::none_of(weights, [](double weight) { return weight > 0; })) [[unlikely]] {
            detail::throw_invalid("random_length::weighted", "no weight is above 0");
        }
        return from_weights(weights);
    }

    /// @returns the smallest possible length.
    [[nodiscard]] std::size_t shortest() const noexcept { return m_shortest; }

    /// @returns the largest possible length.
    [[nodiscard]] std::size_t longest() const noexcept { return m_longest; }

    /// @returns the expected length.
    [[nodiscard]] double mean() const noexcept {
        if (m_limits.empty()) {
            return (static_cast<double>(m_shortest) + static_cast<double>(m_longest)) / 2;
        }
        double mean = static_cast<double>(m_shortest);
        for (const std::uint64_t limit : m_limits) {
            mean += static_cast<double>(~limit) / 18446744073709551616.;
        }
        return mean;
    }

    /// @param bits 64 random bits.
    /// @returns the length that these bits select.
    [[nodiscard]] std::size_t operator()(std::uint64_t bits) const noexcept {
        if (m_limits.empty()) {
            return m_shortest +
                   detail::to_size(detail::number_below(m_longest - m_shortest + 1, bits));
        }
        const auto at = std::upper_bound(m_limits.begin(), m_limits.end(), bits);
        return m_shortest + static_cast<std::size_t>(at - m_limits.begin());
    }

private:
    static random_length from_weights(const std::vector<double>& weights) {
        const auto positive = [](double weight) { return weight > 0; };
        const auto first = std::find_if(weights.begin(), weights.end(), positive);
        auto last = weights.end() - 1;
        while (!positive(*last)) {
            --last;
        }
        double total = 0;
        for (auto at = first; at <= last; ++at) {
            total += *at;
        }
        random_length length = first - weights.begin() + 1;
        length.m_longest = static_cast<std::size_t>(last - weights.begin() + 1);
        double below = 0;
        for (auto at = first; at < last; ++at) {
            below += *at;
            // The largest double below 2^64, so that the number fits.
            const double limit =
                std::min(below / total * 18446744073709551616., 18446744073709549568.);
            length.m_limits.push_back(static_cast<std::uint64_t>(limit));
        }
        return length;
    }

    std::size_t m_shortest = 1;
    std::size_t m_longest = 1;
    std::vector<std::uint64_t> m_limits; // 64 random bits below limit k: at most length k
};
} // namespace xmask::inline XMASK_ABI
