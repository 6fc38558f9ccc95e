// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <vector>

#include "support/oracle.hpp"

/// @file
/// Naive functions of all kept elements along an axis, in double, line by line.

namespace lines {
/// f(x..., kept) gives the results of one line along `axis`; x are vectors of the elements of the
/// line.
template <class F, class T, class... More>
xt::xarray<double> map(
    std::size_t axis, const xt::xarray<bool>& kept, F&& f, const xt::xarray<T>& x,
    const More&... more
) {
    xt::xarray<double> result = xt::xarray<double>::from_shape(x.shape());
    const std::size_t extent = x.shape()[axis];
    std::size_t inner = 1;
    for (std::size_t i = axis + 1; i < x.dimension(); ++i) {
        inner *= x.shape()[i];
    }
    for (std::size_t i = 0; i < (extent == 0 ? 0 : x.size() / extent); ++i) {
        const auto position = [&](std::size_t k) {
            return (i / inner * extent + k) * inner + i % inner;
        };
        const auto line = [&](const auto& tensor) {
            std::vector<double> values(extent);
            for (std::size_t k = 0; k < extent; ++k) {
                values[k] = static_cast<double>(tensor.flat(position(k)));
            }
            return values;
        };
        std::vector<char> keeps(extent);
        for (std::size_t k = 0; k < extent; ++k) {
            keeps[k] = kept.flat(position(k));
        }
        const std::vector<double> y = f(keeps, line(x), line(more)...);
        for (std::size_t k = 0; k < extent; ++k) {
            result.flat(position(k)) = y[k];
        }
    }
    return result;
}

/// The gradient of sum(upstream * f(x)) by x, by central differences.
template <class F>
xt::xarray<double> numeric_gradient(
    const xt::xarray<double>& x, const xt::xarray<double>& upstream, F&& f
) {
    xt::xarray<double> gradient = xt::xarray<double>::from_shape(x.shape());
    const auto value = [&](const xt::xarray<double>& at) {
        const xt::xarray<double> y = f(at);
        double sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            sum += upstream.flat(i) == 0 ? 0 : upstream.flat(i) * y.flat(i);
        }
        return sum;
    };
    for (std::size_t i = 0; i < x.size(); ++i) {
        constexpr double step = 1e-5;
        auto above = x;
        auto below = x;
        above.flat(i) += step;
        below.flat(i) -= step;
        gradient.flat(i) = (value(above) - value(below)) / (2 * step);
    }
    return gradient;
}
} // namespace lines
