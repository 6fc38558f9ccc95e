// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Cross entropy, with and without the gradient.

#include "bench.hpp"

namespace bench {
namespace {
// Logits of rows, their targets, and the kept rows. All describe the same batch.
struct labelled {
    table logits;
    xt::xtensor<std::int64_t, 1> target;
    xt::xtensor<std::int64_t, 1> marked; // the same, and -100 where dropped
    xt::xtensor<bool, 1> ready;
    xt::xtensor<float, 1> weights; // 0 and 1

    labelled(const size& s, double density)
        : logits(random_floats(s, 7) * 20.f - 10.f)
        , target({s.rows}, 0)
        , marked({s.rows}, -100)
        , ready({s.rows}, false)
        , weights({s.rows}, 0.f) {
        random_numbers random(8);
        for (std::size_t r = 0; r < s.rows; ++r) {
            target(r) = static_cast<std::int64_t>(random.next() % s.columns);
            // Evenly spread, so that any few rows have the density, too.
            ready(r) = std::ceil(static_cast<double>(r + 1) * density) >
                       std::ceil(static_cast<double>(r) * density);
            marked(r) = ready(r) ? target(r) : -100;
            weights(r) = ready(r) ? 1.f : 0.f;
        }
    }

    auto mask() const { return xmask::keep_where(ready); }

    const float* row(std::size_t r) const { return &logits(r, 0); }

    float target_logit(std::size_t r) const { return logits(r, target(r)); }

    double log_sum_exp(std::size_t r) const {
        double exps = 0;
        for (std::size_t k = 0; k < logits.shape(1); ++k) {
            exps += std::exp(static_cast<double>(logits(r, k)));
        }
        return std::log(exps);
    }

    double expected() const {
        double total = 0;
        for (std::size_t r = 0; r < ready.size(); ++r) {
            total += ready(r) ? log_sum_exp(r) - static_cast<double>(target_logit(r)) : 0;
        }
        return total;
    }
};

// Of the kept rows.
template <stores how>
void copy_kept(const labelled& data, table& to) {
    for (std::size_t r = 0; r < to.shape(0); ++r) {
        if (data.ready(r)) {
            copy<how>(data.row(r), &to(r, 0), to.shape(1));
        }
    }
}

contender copy_of_kept(const labelled& data, table& to) {
    return faster(
        [&] { copy_kept<stores::plain>(data, to); }, [&] { copy_kept<stores::streaming>(data, to); }
    );
}

// `exps` is room for as many logits. xtensor alone computes all rows.
double with_xtensor(const labelled& data, table& exps) {
    const xt::xtensor<float, 1> top = xt::amax(data.logits, {1});
    xt::noalias(exps) = xt::exp(data.logits - xt::view(top, xt::all(), xt::newaxis()));
    const xt::xtensor<float, 1> sums = xt::sum(exps, {1});
    double total = 0;
    for (std::size_t r = 0; r < sums.size(); ++r) {
        total += data.ready(r)
                     ? static_cast<double>(std::log(sums(r)) + top(r) - data.target_logit(r))
                     : 0;
    }
    return total;
}

double by_hand_loop(const labelled& data) {
    double total = 0;
    for (std::size_t r = 0; r < data.ready.size(); ++r) {
        if (data.ready(r)) {
            total += static_cast<double>(
                by_hand_loops::log_sum_exp(data.row(r), data.logits.shape(1)) - data.target_logit(r)
            );
        }
    }
    return total;
}

// The mask multiplies the losses of all rows.
void masked(benchmark::State& state, const std::string& name, const size& s, double density) {
    const labelled data(s, density);
    table room(s.shape(), 0.f);
    double total = 0;
    compare(
        state, name,
        {
            .ours =
                [&] {
                    total =
                        xmask::masked_cross_entropy(data.logits, data.target, data.mask()).sum();
                },
            .reference = copy_of_kept(data, room),
            .xtensor = [&] { total = with_xtensor(data, room); },
            .by_hand = [&] { total = by_hand_loop(data); },
            .libtorch =
                with_libtorch::masked_cross_entropy(data.logits, data.target, data.weights, total),
            .reference_name = "a copy of the kept logits",
        },
        is_about(total, data.expected())
    );
}

// The targets contain the mask.
void ignoring(benchmark::State& state, const std::string& name, const size& s, double density) {
    const labelled data(s, density);
    table room(s.shape(), 0.f);
    double total = 0;
    compare(
        state, name,
        {
            .ours =
                [&] {
                    const auto kept = xmask::keep_not_equal(data.marked, -100);
                    total = xmask::masked_cross_entropy(data.logits, data.marked, kept).sum();
                },
            .reference = copy_of_kept(data, room),
            .libtorch =
                with_libtorch::ignoring_cross_entropy(data.logits, data.marked, -100, total),
            .reference_name = "a copy of the kept logits",
        },
        is_about(total, data.expected())
    );
}

table expected_gradient(const labelled& data) {
    table result(data.logits.shape(), 0.f);
    for (std::size_t r = 0; r < data.ready.size(); ++r) {
        const double log_sum = data.log_sum_exp(r);
        for (std::size_t k = 0; data.ready(r) && k < result.shape(1); ++k) {
            const double target = std::cmp_equal(k, data.target(r)) ? 1 : 0;
            result(r, k) = static_cast<float>(
                std::exp(static_cast<double>(data.logits(r, k)) - log_sum) - target
            );
        }
    }
    return result;
}

double gradient_with_xtensor(const labelled& data, table& gradient) {
    const double total = with_xtensor(data, gradient);
    const auto column = [&](const auto& x) { return xt::view(x, xt::all(), xt::newaxis()); };
    const xt::xtensor<float, 1> sums = xt::sum(gradient, {1});
    gradient = xt::where(column(data.ready), gradient / column(sums), 0.f);
    for (std::size_t r = 0; r < data.ready.size(); ++r) {
        gradient(r, data.target(r)) -= data.ready(r) ? 1.f : 0.f;
    }
    return total;
}

void with_gradient(
    benchmark::State& state, const std::string& name, const size& s, double density
) {
    const labelled data(s, density);
    table gradient(s.shape(), 0.f);
    table room(s.shape(), 0.f);
    double total = 0;
    const auto right = [&, sum = data.expected(), expected = expected_gradient(data)] {
        const auto near = [](float a, float b) {
            return std::abs(a - b) <= 1e-5f * (0.1f + std::abs(b));
        };
        const bool is_right = close(total, sum, 1e-4) &&
                              std::equal(gradient.begin(), gradient.end(), expected.begin(), near);
        gradient.fill(-1.f);
        return is_right;
    };
    compare(
        state, name,
        {
            .ours =
                [&] {
                    total =
                        xmask::masked_cross_entropy(data.logits, data.target, data.mask(), gradient)
                            .sum();
                },
            .reference = copy_of_kept(data, room),
            .xtensor = [&] { total = gradient_with_xtensor(data, gradient); },
            .reference_name = "a copy of the kept logits",
        },
        right
    );
}

using measurement_of = void (*)(benchmark::State&, const std::string&, const size&, double);

void add_losses(
    const char* what, measurement_of measure, const size& s, const std::vector<double>& densities
) {
    for (const double density : densities) {
        add(what + tail(std::to_string(s.columns) + " classes", density, s),
            [=](benchmark::State& state, const std::string& name) {
                measure(state, name, s, density);
            });
    }
}

// About as many logits as a size has elements.
size with_classes(const size& s, std::size_t classes) {
    return {s.name, std::max<std::size_t>(4, s.elements() / classes), classes};
}

const family rows(part::reduce, [] {
    for (const std::size_t classes : {1000u, 32000u}) {
        for (const size& s : all_sizes()) {
            if (s.rows == tiny().rows) {
                continue; // there are more classes than elements
            }
            const size of = with_classes(s, classes);
            add_losses("masked_cross_entropy", masked, of, all_densities());
            add_losses("masked_cross_entropy by ignored targets", ignoring, of, all_densities());
        }
        add_losses(
            "masked_cross_entropy and gradient", with_gradient, with_classes(l2(), classes), {0.5}
        );
    }
});
} // namespace
} // namespace bench
