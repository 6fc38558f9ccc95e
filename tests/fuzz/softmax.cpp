// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/reduce/softmax.hpp>

#include "families.hpp"
#include "fill.hpp"
#include "lines.hpp"

/// @file
/// Softmax, softmin and log_softmax, in place and not, and their gradients.

namespace fuzz {
namespace {
enum class kind { softmax, softmin, log_softmax };

const char* name_of(kind k) {
    return k == kind::softmax   ? "masked_softmax"
           : k == kind::softmin ? "masked_softmin"
                                : "masked_log_softmax";
}

template <class V>
references softmax_of(kind k, const lines& l, const array<V>& x) {
    const double sign = k == kind::softmin ? -1 : 1;
    references y(x.size());
    const double infinity = std::numeric_limits<double>::infinity();
    std::fill(y.value.begin(), y.value.end(), k == kind::log_softmax ? -infinity : 0.);
    for (const std::vector<std::size_t>& line : l.all) {
        double largest = -infinity;
        bool has_nan = false;
        for (const std::size_t at : line) {
            const double value = sign * static_cast<double>(x[at]);
            has_nan = has_nan || std::isnan(value);
            largest = std::max(largest, value);
        }
        double sum = 0;
        for (const std::size_t at : line) {
            sum += std::exp(sign * static_cast<double>(x[at]) - largest);
        }
        for (const std::size_t at : line) {
            const double off = sign * static_cast<double>(x[at]) - largest;
            y.value[at] = has_nan                  ? std::numeric_limits<double>::quiet_NaN()
                          : k == kind::log_softmax ? off - std::log(sum)
                                                   : std::exp(off) / sum;
            y.size[at] = k == kind::log_softmax ? 1 + std::abs(off) + std::log(sum) : y.value[at];
            if (largest == -infinity && !has_nan) {
                y.value[at] = k == kind::log_softmax ? -infinity : 0;
                y.size[at] = 0;
            }
        }
    }
    return y;
}

template <class T>
void check_softmax(record& r, kind k) {
    const lines l = draw_lines(r);
    // +infinity in the exponent is not specified.
    const values like = r.d.of(
        {values::plain, values::ties, values::extremes,
         k == kind::softmin ? values::plain : values::lows}
    );
    operand<T> x(r, l.shape, l.kept, like);
    const bool in_place = r.d.coin();
    const bound by{rounding<T>, std::is_same_v<T, float> ? 1e-37 : 1e-300};
    with_hidden_mask(r, l.mask, [&](const auto& mask) {
        if (in_place) {
            r.operands = x.text(layout::rows) + " axis " + std::to_string(l.axis);
            const references expected = softmax_of(k, l, x.elements);
            const array<T> got = with_target<T>(r, l.shape, x.elements, in_memory{}, [&](auto& to) {
                k == kind::softmax   ? xmask::masked_softmax_inplace(to, mask, l.axis)
                : k == kind::softmin ? xmask::masked_softmin_inplace(to, mask, l.axis)
                                     : xmask::masked_log_softmax_inplace(to, mask, l.axis);
            });
            r.close(name_of(k), got, expected.value, expected.size, by, l.shape);
            return;
        }
        with_operand(r, x, few_layouts<T>{}, [&](const auto& e, const auto& elements) {
            const references expected = softmax_of(k, l, elements);
            const auto compare = [&](const auto& lazy) {
                const array<T> got =
                    with_target<T>(r, l.shape, x.elements, rows_and_strided{}, [&](auto& to) {
                        xt::noalias(to) = lazy;
                    });
                r.close(name_of(k), got, expected.value, expected.size, by, l.shape);
            };
            r.operands += " axis " + std::to_string(l.axis);
            if (k == kind::softmax) {
                compare(xmask::masked_softmax(e, mask, l.axis));
            } else if (k == kind::softmin) {
                compare(xmask::masked_softmin(e, mask, l.axis));
            } else {
                compare(xmask::masked_log_softmax(e, mask, l.axis));
            }
        });
    });
}
} // namespace

void run_softmax(record& r) {
    const kind k = r.d.of({kind::softmax, kind::softmin, kind::log_softmax});
    with_type<float, double>(r, [&]<class T>(T) { check_softmax<T>(r, k); });
}
} // namespace fuzz
