// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A feed-forward layer with masked weights: by a given mask, by a threshold, and by a gate that is
// learned. Only active weights receive gradients, so that training does not change the others.
//
//     weight_masks

#include <cstddef>
#include <iostream>
#include <limits>

#include <xmask/layers.hpp>
#include <xmask/xmask.hpp>

#include "example.hpp"

namespace {
using example::check;

// x: 3 rows of 4 inputs. weight: 2 outputs by 4 inputs, as in PyTorch.
const xt::xtensor<float, 2> x = {
    {1.f, 0.f, 2.f, -1.f}, {0.5f, 1.f, 0.f, 1.f}, {-1.f, 2.f, 1.f, 0.f}
};
const xt::xtensor<float, 2> weight = {{0.9f, -0.2f, 0.6f, 0.1f}, {0.3f, 0.8f, -0.7f, 0.55f}};
const xt::xtensor<float, 1> bias = {0.f, 1.f};
const xt::xtensor<float, 2> target = {{1.f, 0.f}, {0.f, 1.f}, {1.f, 1.f}};

double error(const xt::xarray<float>& y) {
    return xmask::masked_mse(y, target, xmask::keep_all(target.shape())).mean();
}

// One step of gradient descent: y = x (weight * m)^T + bias, its error, and the resulting changes.
template <class M>
void train(const M& m) {
    xt::xtensor<float, 2> w = weight, by_output, by_x, by_weight;
    xt::xtensor<float, 1> b = bias, by_bias;
    const xt::xarray<float> y = xmask::masked_linear(x, w, b, m);
    xmask::masked_mse(
        y, target, xmask::keep_all(target.shape()), xmask::scaled(by_output, 1.0 / 6)
    );
    xmask::masked_linear_gradient(x, w, m, by_output, by_x, by_weight, by_bias);
    std::cout << "The mask, and the gradient by the weights:\n"
              << xmask::to_string(m) << example::table(by_weight) << '\n';

    const double before = error(y);
    xt::noalias(w) = w - 0.1f * by_weight;
    xt::noalias(b) = b - 0.1f * by_bias;
    const double after = error(xmask::masked_linear(x, w, b, m));
    std::cout << "A step takes the mean squared error from " << before << " to " << after << ".\n";
    check(after < before, "the step makes the error smaller");
    for (std::size_t i = 0; i < w.size(); ++i) {
        check(
            m.flat(i) ? by_weight.flat(i) != 0 : w.flat(i) == weight.flat(i),
            "active weights change, and only they"
        );
    }
}

void by_a_given_mask() {
    std::cout << "A given binary mask: keep_where(b)\n";
    const xt::xtensor<bool, 2> b = {{true, true, false, false}, {false, true, true, false}};
    train(xmask::keep_where(b));

    // A dropped weight may be anything.
    xt::xtensor<float, 2> spoiled = weight;
    xmask::masked_fill_inplace(
        spoiled, xmask::keep_where(b), std::numeric_limits<float>::quiet_NaN()
    );
    const auto y = xmask::masked_linear(x, spoiled, bias, xmask::keep_where(b));
    check(
        y == xmask::masked_linear(x, weight, bias, xmask::keep_where(b)),
        "dropped weights are not seen"
    );
}

void by_a_threshold() {
    std::cout << "\nA threshold: keep_above(weight, 0.5f)\n";
    train(xmask::keep_above(weight, 0.5f));
}

// Here weights are dropped by degrees: each weight has a gate between 0 and 1, which is learned
// with it.
void by_a_learned_gate() {
    std::cout << "\nA learned gate: sigmoid_gate(z)\n";
    xt::xtensor<float, 2> w = weight, z = xt::zeros<float>(weight.shape()), by_output, by_x,
                          by_weight, by_z;
    xt::xtensor<float, 1> b = bias, by_bias;
    double first = 0, last = 0;
    for (int step = 0; step < 200; ++step) {
        const auto gate = xmask::sigmoid_gate(z);
        const xt::xarray<float> y = xmask::masked_linear(x, w, b, gate);
        last = xmask::masked_mse(
                   y, target, xmask::keep_all(target.shape()), xmask::scaled(by_output, 1.0 / 6)
        )
                   .mean();
        first = step == 0 ? last : first;
        xmask::masked_linear_gradient(x, w, gate, by_output, by_x, by_weight, by_bias, by_z);
        xt::noalias(w) = w - 0.1f * by_weight;
        xt::noalias(b) = b - 0.1f * by_bias;
        xt::noalias(z) = z - 0.1f * by_z;
    }
    const xt::xtensor<float, 2> gate = xmask::sigmoid_gate(z);
    std::cout << "200 steps take the error from " << first << " to " << last
              << "; all gates began at 0.5, and are now\n"
              << example::table(gate);
    check(last < first / 10, "weights and gates are learned together");
}

void compare_with_pytorch() {
    std::cout
        << "\nA layer of 40 inputs and 23 outputs beside PyTorch's in double, with all its gradients:\n";
    const auto compare = [](const std::string& name, const auto& m) {
        const auto get = [&](const char* array) { return example::reference<float>(name, array); };
        const auto expect = [&](const char* array) {
            return example::reference<double>(name, array);
        };
        const xt::xarray<float> up = expect("up");
        xt::xarray<float> by_x, by_weight, by_bias, by_gate;
        example::compare(
            name + ", output", xmask::masked_linear(get("x"), get("weight"), get("bias"), m),
            expect("y")
        );
        if constexpr (xmask::mask_expression<decltype(m)>) {
            xmask::masked_linear_gradient(get("x"), get("weight"), m, up, by_x, by_weight, by_bias);
            example::compare(name + ", by bias", by_bias, expect("grad_bias"));
        } else {
            xmask::masked_linear_gradient(
                get("x"), get("weight"), m, up, by_x, by_weight, by_bias, by_gate
            );
            example::compare(name + ", by gate", by_gate, expect("grad_gate"));
        }
        example::compare(name + ", by weight", by_weight, expect("grad_weight"));
        example::compare(name + ", by x", by_x, expect("grad_x"));
    };
    compare("masked_linear", xmask::keep_where(example::reference<bool>("masked_linear", "mask")));
    const auto large = example::reference<float>("masked_linear_threshold", "weight");
    compare("masked_linear_threshold", xmask::keep_above(large, 0.5f));
    compare(
        "masked_linear_gate",
        xmask::sigmoid_gate(example::reference<float>("masked_linear_gate", "gate"))
    );
}
} // namespace

int main() {
    by_a_given_mask();
    by_a_threshold();
    by_a_learned_gate();
    compare_with_pytorch();
    std::cout << "\nAll of it holds.\n";
}
