// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/logsumexp.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/norm.hpp>
#include <xmask/reduce/sum.hpp>

#include "families.hpp"
#include "reduce.hpp"

/// @file
/// Means, variances, norms and log-sum-exps.

namespace fuzz {
namespace {
const double nan = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();

struct moment_pair {
    references mean;
    references var;
};

template <class V>
moment_pair moments_of(const groups& all, const array<V>& x, double correction) {
    moment_pair both{references(all.size()), references(all.size())};
    for (std::size_t g = 0; g < all.size(); ++g) {
        long double sum = 0;
        double largest = 0;
        for (const std::size_t at : all[g]) {
            sum += static_cast<long double>(x[at]);
            largest = std::max(largest, std::abs(static_cast<double>(x[at])));
        }
        const auto count = static_cast<long double>(all[g].size());
        const long double mean = sum / count;
        long double squares = 0;
        for (const std::size_t at : all[g]) {
            const long double off = static_cast<long double>(x[at]) - mean;
            squares += off * off;
        }
        both.mean.value[g] = static_cast<double>(mean);
        both.mean.size[g] = largest;
        const bool some = count > static_cast<long double>(correction);
        both.var.value[g] =
            some ? static_cast<double>(squares / (count - static_cast<long double>(correction)))
                 : nan;
        // Elements of 64 bits are rounded to a double first.
        both.var.size[g] = std::abs(both.var.value[g]) + 1e-7 * largest * largest;
    }
    return both;
}

template <class T>
void check_moments(record& r) {
    const reduction way = draw_reduction(r);
    const values like = draw_values(r.d);
    with_reduction<
        T>(r, way, like, rows_and_strided{}, [&](const auto& e, const auto& x, const auto& mask) {
        xmask::var_options options;
        options.correction = r.d.of({0., 1., 2.});
        moment_pair expected = moments_of(way.all, x, options.correction);
        const bound by{rounding<T>};
        const shape_t& shape = way.result;
        switch (r.d.below(3)) {
        case 0:
            r.close(
                "masked_mean",
                results_of(way, e, mask, [](const auto&... a) { return xmask::masked_mean(a...); }),
                expected.mean.value, expected.mean.size, by, shape
            );
            break;
        case 1:
            r.close(
                "masked_var",
                results_of(
                    way, e, mask, [&](const auto&... a) { return xmask::masked_var(a..., options); }
                ),
                expected.var.value, expected.var.size, by, shape
            );
            break;
        default:
            // The error of a root, relative to it, is large where var is small.
            for (std::size_t g = 0; g < way.all.size(); ++g) {
                const double root = std::sqrt(expected.var.value[g]);
                const double error = expected.var.size[g] - std::abs(expected.var.value[g]);
                expected.var.value[g] = root;
                expected.var.size[g] = root + std::sqrt(error / by.relative);
            }
            r.close(
                "masked_std",
                results_of(
                    way, e, mask, [&](const auto&... a) { return xmask::masked_std(a..., options); }
                ),
                expected.var.value, expected.var.size, by, shape
            );
        }
    });
}

double norm_of(const std::vector<double>& sizes, double p) {
    if (p == infinity || p == -infinity) {
        double found = p > 0 ? 0 : infinity;
        for (const double size : sizes) {
            found = p > 0 ? std::max(found, size) : std::min(found, size);
        }
        return found;
    }
    long double sum = 0;
    for (const double size : sizes) {
        sum += p == 0 ? static_cast<long double>(size != 0)
                      : std::pow(static_cast<long double>(size), static_cast<long double>(p));
    }
    return p == 0 ? static_cast<double>(sum)
                  : static_cast<double>(std::pow(sum, 1 / static_cast<long double>(p)));
}

template <class T>
void check_norm(record& r) {
    const reduction way = draw_reduction(r);
    const values like = r.d.of({values::plain, values::ties, values::extremes});
    with_reduction<T>(
        r, way, like, few_layouts<T>{},
        [&](const auto& e, const auto& x, const auto& mask) {
            xmask::norm_options options;
            options.p = r.d.of({2., 2., 1., infinity, -infinity, 0., 3.});
            r.operands += " p " + text_of(options.p);
            array<double> expected(way.all.size());
            for (std::size_t g = 0; g < way.all.size(); ++g) {
                std::vector<double> sizes;
                for (const std::size_t at : way.all[g]) {
                    sizes.push_back(std::abs(static_cast<double>(x[at])));
                }
                expected[g] = norm_of(sizes, options.p);
            }
            r.close(
                "masked_norm",
                results_of(
                    way, e, mask,
                    [&](const auto&... a) { return xmask::masked_norm(a..., options); }
                ),
                expected, {rounding<T>}, way.result
            );
        }
    );
}

template <class T>
void check_logsumexp(record& r) {
    const reduction way = draw_reduction(r);
    const values like = r.d.of({values::plain, values::ties, values::extremes});
    with_reduction<T>(
        r, way, like, few_layouts<T>{},
        [&](const auto& e, const auto& x, const auto& mask) {
            references expected(way.all.size());
            for (std::size_t g = 0; g < way.all.size(); ++g) {
                double largest = -infinity;
                for (const std::size_t at : way.all[g]) {
                    largest = std::max(largest, static_cast<double>(x[at]));
                }
                double sum = 0;
                for (const std::size_t at : way.all[g]) {
                    sum += std::exp(static_cast<double>(x[at]) - largest);
                }
                expected.value[g] = way.all[g].empty() ? -infinity : largest + std::log(sum);
                expected.size[g] = 1 + std::abs(largest);
            }
            r.close(
                "masked_logsumexp",
                results_of(
                    way, e, mask, [&](const auto&... a) { return xmask::masked_logsumexp(a...); }
                ),
                expected.value, expected.size, {rounding<T>}, way.result
            );
        }
    );
}
} // namespace

void run_moments(record& r) {
    const auto check = [&]<class T>(T) {
        switch (r.d.below(3)) {
        case 0:
            return check_norm<T>(r);
        case 1:
            return check_logsumexp<T>(r);
        default:
            return check_moments<T>(r);
        }
    };
    with_type<float, double, std::int8_t, std::uint16_t, std::int32_t, std::int64_t>(r, check);
}
} // namespace fuzz
