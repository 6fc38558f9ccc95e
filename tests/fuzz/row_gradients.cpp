// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/cumulative.hpp>
#include <xmask/reduce/moments.hpp>
#include <xmask/reduce/normalize.hpp>
#include <xmask/reduce/softmax.hpp>

#include "families.hpp"
#include "lines.hpp"

/// @file
/// Gradients of operations whose result has the shape of the tensor: softmax, running sums,
/// normalized and standardized tensors.

namespace fuzz {
namespace {
/// The kept elements of a line, their upstream gradients, and the resulting gradients.
struct line_slopes {
    const std::vector<double>& x;
    const std::vector<double>& u;
    std::vector<double>& slope;
    std::vector<double>& size;
};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

double magnitudes(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += std::abs(a[i] * b[i]);
    }
    return sum;
}

/// Compares a gradient with the result of `of` for each line.
template <class T, class Of>
void check_against(
    record& r, const char* name, const lines& l, const array<T>& x, const array<T>& u,
    const xt::xarray<T>& got, double error, Of&& of
) {
    references expected(x.size());
    for (const std::vector<std::size_t>& line : l.all) {
        std::vector<double> xs;
        std::vector<double> us;
        for (const std::size_t at : line) {
            xs.push_back(static_cast<double>(x[at]));
            us.push_back(static_cast<double>(u[at]));
        }
        std::vector<double> slope(line.size());
        std::vector<double> size(line.size());
        of(line_slopes{xs, us, slope, size});
        for (std::size_t i = 0; i < line.size(); ++i) {
            expected.value[line[i]] = slope[i];
            expected.size[line[i]] = size[i];
        }
    }
    r.close(name, got.storage(), expected.value, expected.size, {error, 1e-30}, l.shape);
}

void of_softmax(line_slopes s, double sign) {
    const double sum = dot(s.x, s.u);
    const double size = magnitudes(s.x, s.u);
    for (std::size_t i = 0; i < s.x.size(); ++i) {
        s.slope[i] = sign * s.x[i] * (s.u[i] - sum);
        s.size[i] = std::abs(s.x[i]) * (std::abs(s.u[i]) + size);
    }
}

void of_log_softmax(line_slopes s) {
    double sum = 0;
    double size = 0;
    for (const double u : s.u) {
        sum += u;
        size += std::abs(u);
    }
    for (std::size_t i = 0; i < s.x.size(); ++i) {
        s.slope[i] = s.u[i] - std::exp(s.x[i]) * sum;
        s.size[i] = std::abs(s.u[i]) + std::exp(s.x[i]) * size;
    }
}

void of_normalize(line_slopes s) {
    const double norm = std::sqrt(dot(s.x, s.x));
    for (std::size_t i = 0; i < s.x.size() && norm > 1e-12; ++i) {
        s.slope[i] = (s.u[i] - s.x[i] * dot(s.x, s.u) / (norm * norm)) / norm;
        s.size[i] =
            (std::abs(s.u[i]) + std::abs(s.x[i]) * magnitudes(s.x, s.u) / (norm * norm)) / norm;
    }
    // All elements are 0: x / eps.
    for (std::size_t i = 0; i < s.x.size() && norm <= 1e-12; ++i) {
        s.slope[i] = s.u[i] / 1e-12;
        s.size[i] = std::abs(s.slope[i]);
    }
}

void of_standardize(line_slopes s) {
    const auto count = static_cast<double>(s.x.size());
    double mean = 0;
    double mean_u = 0;
    double size_u = 0;
    double largest = 0;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
        mean += s.x[i] / count;
        mean_u += s.u[i] / count;
        size_u += std::abs(s.u[i]) / count;
        largest = std::max(largest, std::abs(s.x[i]));
    }
    double var = 0;
    double product = 0;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
        var += (s.x[i] - mean) * (s.x[i] - mean) / count;
    }
    const double scale = 1 / std::sqrt(var + 1e-5);
    for (std::size_t i = 0; i < s.x.size(); ++i) {
        product += s.u[i] * (s.x[i] - mean) * scale / count;
    }
    const double y_size = (largest + std::abs(mean)) * scale;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
        s.slope[i] = scale * (s.u[i] - mean_u - (s.x[i] - mean) * scale * product);
        s.size[i] = scale * (std::abs(s.u[i]) + size_u + y_size * y_size * (size_u + 1e-3));
    }
}

template <class T>
void check_mapped(
    record& r, const lines& l, const auto& e, const array<T>& x, const auto& up, const array<T>& u,
    const auto& mask
) {
    const double error = 8 * rounding<T>;
    const auto compare = [&](const char* name, const xt::xarray<T>& got, auto&& of) {
        check_against(r, name, l, x, u, got, error, of);
    };
    switch (r.d.below(5)) {
    case 0:
        return compare(
            "masked_softmax_gradient", xmask::masked_softmax_gradient(e, mask, up, l.axis),
            [](line_slopes s) { of_softmax(s, 1); }
        );
    case 1:
        return compare(
            "masked_softmin_gradient", xmask::masked_softmin_gradient(e, mask, up, l.axis),
            [](line_slopes s) { of_softmax(s, -1); }
        );
    case 2:
        return compare(
            "masked_log_softmax_gradient", xmask::masked_log_softmax_gradient(e, mask, up, l.axis),
            of_log_softmax
        );
    case 3:
        return compare(
            "masked_normalize_gradient", xmask::masked_normalize_gradient(e, mask, up, l.axis),
            of_normalize
        );
    default:
        return compare(
            "masked_standardize_gradient", xmask::masked_standardize_gradient(e, mask, up, l.axis),
            of_standardize
        );
    }
}

/// The upstream gradient counts everywhere: dropped elements of the result hold the sum so far.
template <class T>
void check_running(record& r, const lines& l) {
    array<T> us(l.kept.size());
    for (T& u : us) {
        u = draw_value<T>(r.d, values::plain);
    }
    operand<T> x(r, l.shape, l.kept, values::plain);
    operand<T> upstream(r, l.shape, us);
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto&) {
        with_operand(r, upstream, layouts<layout::strided>{}, [&](const auto& up, const auto&) {
            with_hidden_mask(r, l.mask, [&](const auto& mask) {
                references expected(us.size());
                for (const std::vector<std::size_t>& line : l.whole) {
                    double sum = 0;
                    double size = 0;
                    for (std::size_t k = line.size(); k-- > 0;) {
                        sum += static_cast<double>(us[line[k]]);
                        size += std::abs(static_cast<double>(us[line[k]]));
                        expected.value[line[k]] = l.kept[line[k]] != 0 ? sum : 0;
                        expected.size[line[k]] = size;
                    }
                }
                const xt::xarray<T> got = xmask::masked_cumsum_gradient(e, mask, up, l.axis);
                r.close(
                    "masked_cumsum_gradient", got.storage(), expected.value, expected.size,
                    {rounding<T>}, l.shape
                );
            });
        });
    });
}

template <class T>
void check_row_gradients(record& r) {
    const lines l = draw_lines(r);
    if (r.d.once_in(6)) {
        return check_running<T>(r, l);
    }
    operand<T> x(r, l.shape, l.kept, r.d.of({values::plain, values::ties}));
    operand<T> upstream(r, l.shape, l.kept, values::plain);
    with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& xs) {
        with_operand(r, upstream, layouts<layout::rows>{}, [&](const auto& up, const auto& us) {
            r.operands += " axis " + std::to_string(l.axis);
            with_hidden_mask(r, l.mask, [&](const auto& mask) {
                check_mapped(r, l, e, xs, up, us, mask);
            });
        });
    });
}
} // namespace

void run_row_gradients(record& r) {
    with_type<float, double>(r, [&]<class T>(T) { check_row_gradients<T>(r); });
}
} // namespace fuzz
