// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/cumulative.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/normalize.hpp>

#include "families.hpp"
#include "fill.hpp"
#include "lines.hpp"
#include "sum.hpp"

/// @file
/// Running sums and products, normalized and standardized tensors.

namespace fuzz {
namespace {
template <class V>
void check_cumulative(
    record& r, const lines& l, const auto& e, const array<V>& x, const auto& mask
) {
    const bool adds = r.d.coin();
    const char* name = adds ? "masked_cumsum" : "masked_cumprod";
    const auto compare = [&](const auto& got) {
        if constexpr (std::is_floating_point_v<V>) {
            references expected(x.size());
            double logs = 0;
            for (const std::vector<std::size_t>& line : l.whole) {
                double so_far = adds ? 0 : 1;
                double size = 0;
                double sum = 0;
                for (const std::size_t at : line) {
                    if (l.kept[at] != 0) {
                        const auto one = static_cast<double>(x[at]);
                        so_far = adds ? so_far + one : so_far * one;
                        size += std::abs(one);
                        sum += one == 0 || !std::isfinite(one) ? 0.
                                                               : std::abs(std::log2(std::abs(one)));
                    }
                    expected.value[at] = so_far;
                    expected.size[at] = adds ? size : std::abs(so_far);
                }
                logs = std::max(logs, sum);
            }
            if (adds || logs < 900) {
                r.close(
                    name, got.storage(), expected.value, expected.size,
                    {adds && std::is_same_v<V, float> ? 1e-7 : rounding<V>, 1e-37}, l.shape
                );
            }
        } else {
            array<whole_t<V>> expected(x.size());
            for (const std::vector<std::size_t>& line : l.whole) {
                std::uint64_t so_far = adds ? 0 : 1;
                for (const std::size_t at : line) {
                    const auto one = static_cast<std::uint64_t>(x[at]);
                    if (l.kept[at] != 0) {
                        so_far = adds ? so_far + one : so_far * one;
                    }
                    expected[at] = static_cast<whole_t<V>>(so_far);
                }
            }
            r.same(name, got.storage(), expected, l.shape);
        }
    };
    if (adds) {
        compare(xmask::masked_cumsum(e, mask, l.axis));
    } else {
        compare(xmask::masked_cumprod(e, mask, l.axis));
    }
}

/// x over the larger of its norm and eps.
template <class T>
references normalized(const lines& l, const array<T>& x, double p) {
    references y(x.size());
    for (const std::vector<std::size_t>& line : l.all) {
        double sum = 0;
        for (const std::size_t at : line) {
            const double size = std::abs(static_cast<double>(x[at]));
            sum = std::isinf(p) ? std::max(sum, size) : sum + std::pow(size, p);
        }
        const double norm = std::max(std::isinf(p) ? sum : std::pow(sum, 1 / p), 1e-12);
        for (const std::size_t at : line) {
            y.value[at] = static_cast<double>(x[at]) / norm;
            y.size[at] = std::abs(y.value[at]);
        }
    }
    return y;
}

template <class T>
references standardized(const lines& l, const array<T>& x) {
    references y(x.size());
    for (const std::vector<std::size_t>& line : l.all) {
        double mean = 0;
        double largest = 0;
        for (const std::size_t at : line) {
            mean += static_cast<double>(x[at]) / static_cast<double>(line.size());
            largest = std::max(largest, std::abs(static_cast<double>(x[at])));
        }
        double var = 0;
        for (const std::size_t at : line) {
            const double off = static_cast<double>(x[at]) - mean;
            var += off * off / static_cast<double>(line.size());
        }
        const double scale = 1 / std::sqrt(var + 1e-5);
        for (const std::size_t at : line) {
            y.value[at] = (static_cast<double>(x[at]) - mean) * scale;
            y.size[at] = 2 * largest * scale;
        }
    }
    return y;
}

template <class T>
void check_scaled(record& r, const lines& l) {
    operand<T> x(r, l.shape, l.kept, r.d.of({values::plain, values::ties}));
    const bool standardizes = r.d.coin();
    xmask::normalize_options options;
    options.p = r.d.of({2., 1., 3., std::numeric_limits<double>::infinity()});
    const auto expected_of = [&](const auto& elements) {
        return standardizes ? standardized(l, elements) : normalized(l, elements, options.p);
    };
    const bound by{2 * rounding<T>, 1e-30};
    r.operands = "axis " + std::to_string(l.axis) + " p " + text_of(options.p);
    with_hidden_mask(r, l.mask, [&](const auto& mask) {
        if (r.d.coin()) {
            const references expected = expected_of(x.elements);
            const array<T> got = with_target<T>(r, l.shape, x.elements, in_memory{}, [&](auto& to) {
                if (standardizes) {
                    xmask::masked_standardize_inplace(to, mask, l.axis);
                } else {
                    xmask::masked_normalize_inplace(to, mask, l.axis, options);
                }
            });
            r.close(
                standardizes ? "masked_standardize_inplace" : "masked_normalize_inplace", got,
                expected.value, expected.size, by, l.shape
            );
            return;
        }
        with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& elements) {
            const references expected = expected_of(elements);
            const xt::xarray<T> got = [&]() -> xt::xarray<T> {
                if (standardizes) {
                    return xmask::masked_standardize(e, mask, l.axis);
                }
                return xmask::masked_normalize(e, mask, l.axis, options);
            }();
            r.close(
                standardizes ? "masked_standardize" : "masked_normalize", got.storage(),
                expected.value, expected.size, by, l.shape
            );
        });
    });
}

template <class T>
void check_lines(record& r) {
    const lines l = draw_lines(r);
    if constexpr (std::is_floating_point_v<T>) {
        if (r.d.coin()) {
            return check_scaled<T>(r, l);
        }
    }
    operand<T> x(r, l.shape, l.kept, draw_values(r.d));
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& elements) {
        r.operands += " axis " + std::to_string(l.axis);
        with_hidden_mask(r, l.mask, [&](const auto& mask) {
            check_cumulative(r, l, e, elements, mask);
        });
    });
}
} // namespace

void run_lines(record& r) {
    with_type<float, double, std::int8_t, std::uint64_t>(r, [&]<class T>(T) { check_lines<T>(r); });
}
} // namespace fuzz
