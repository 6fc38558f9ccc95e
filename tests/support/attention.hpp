// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <xmask/layers/attention.hpp>

#include "support/oracle.hpp"

/// @file
/// Attention by loops over all pairs, in double.

namespace naive {
struct options {
    double scale = 0; // 0: 1 / sqrt(features)
    double soft_cap = 0;
    std::vector<double> bias = {};  // one for each pair, or empty
    std::vector<double> sinks = {}; // one for each matrix, or empty
};

/// query is (matrices, q, d), key (matrices, k, d), value (matrices, k, v); kept has one number for
/// each pair of each matrix.
template <class T>
xt::xtensor<double, 3> attention(
    const xt::xtensor<T, 3>& query, const xt::xtensor<T, 3>& key, const xt::xtensor<T, 3>& value,
    const std::vector<char>& kept, const options& with = {}
) {
    const std::size_t q = query.shape(1);
    const std::size_t k = key.shape(1);
    const std::size_t d = query.shape(2);
    xt::xtensor<double, 3> result = xt::zeros<double>({query.shape(0), q, value.shape(2)});
    std::vector<double> scores(k);
    for (std::size_t b = 0; b < query.shape(0); ++b) {
        for (std::size_t i = 0; i < q; ++i) {
            const std::size_t pair = (b * q + i) * k;
            double largest =
                with.sinks.empty() ? -std::numeric_limits<double>::infinity() : with.sinks[b];
            for (std::size_t j = 0; j < k; ++j) {
                if (kept[pair + j] == 0) {
                    continue;
                }
                scores[j] = 0;
                for (std::size_t f = 0; f < d; ++f) {
                    scores[j] +=
                        static_cast<double>(query(b, i, f)) * static_cast<double>(key(b, j, f));
                }
                scores[j] *= with.scale != 0 ? with.scale : 1 / std::sqrt(static_cast<double>(d));
                scores[j] = with.soft_cap != 0
                                ? with.soft_cap * std::tanh(scores[j] / with.soft_cap)
                                : scores[j];
                scores[j] += with.bias.empty() ? 0 : with.bias[pair + j];
                largest = std::max(largest, scores[j]);
            }
            double sum = with.sinks.empty() ? 0 : std::exp(with.sinks[b] - largest);
            for (std::size_t j = 0; j < k; ++j) {
                const double weight = kept[pair + j] != 0 ? std::exp(scores[j] - largest) : 0;
                sum += weight;
                for (std::size_t f = 0; f < value.shape(2) && kept[pair + j] != 0; ++f) {
                    result(b, i, f) += weight * static_cast<double>(value(b, j, f));
                }
            }
            for (std::size_t f = 0; f < value.shape(2) && sum != 0; ++f) {
                result(b, i, f) /= sum;
            }
        }
    }
    return result;
}

/// The largest difference of two tensors; NaN where one is NaN and the other is not.
template <class A, class B>
double difference(const A& a, const B& b) {
    REQUIRE(oracle::equal_shapes(a.shape(), b.shape()));
    double most = 0;
    auto other = b.begin();
    for (const auto x : a) {
        const auto error = std::abs(static_cast<double>(x) - static_cast<double>(*other++));
        most = error <= most ? most : error;
    }
    return most;
}

/// The allowed errors of double and float, for numbers of about 1.
template <class T>
constexpr double tolerance = std::is_same_v<T, float> ? 3e-6 : 1e-14;
} // namespace naive
