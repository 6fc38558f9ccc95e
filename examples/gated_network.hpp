// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// A network whose outputs are masked by its input: a gate between 0 and 1, computed from the input,
// multiplies the output of the features.
//
//     hidden = relu(feature(x))
//     y      = output(hidden) * sigmoid(gate(x))

#pragma once

#include <cstddef>
#include <utility>

#include <xmask/layers.hpp>
#include <xmask/xmask.hpp>

namespace example {
/// A linear layer, the mask of its weights, and the gradients of its last backward pass.
struct layer {
    layer(xt::xarray<float> w, xt::xarray<float> b)
        : weight(std::move(w)), bias(std::move(b)), kept(xmask::keep_all(weight.shape())) {}

    [[nodiscard]] xt::xarray<float> forward(const xt::xarray<float>& x) const {
        return xmask::masked_linear(x, weight, bias, kept);
    }

    /// The gradient by x; `upstream` is the gradient by the output.
    xt::xarray<float> backward(const xt::xarray<float>& x, const xt::xarray<float>& upstream) {
        xt::xarray<float> by_x;
        xmask::masked_linear_gradient(x, weight, kept, upstream, by_x, by_weight, by_bias);
        return by_x;
    }

    xt::xarray<float> weight; // (out, in)
    xt::xarray<float> bias;   // (out)
    xmask::bitmask kept;      // the mask of the weights: all, to begin with
    xt::xarray<float> by_weight;
    xt::xarray<float> by_bias;
};

struct gated_network {
    /// The tensors of the forward pass that the backward pass needs.
    struct pass {
        xt::xarray<float> hidden;
        xt::xarray<float> ungated;
        xt::xarray<float> logits;
        xt::xarray<float> y;
    };

    [[nodiscard]] pass forward(const xt::xarray<float>& x) const {
        pass p;
        p.hidden = feature.forward(x);
        xmask::multiply_inplace(p.hidden, xmask::keep_above(p.hidden, 0.f)); // relu is a mask, too
        p.ungated = output.forward(p.hidden);
        p.logits = gate.forward(x);
        p.y = xmask::multiply(p.ungated, xmask::sigmoid_gate(p.logits));
        return p;
    }

    /// The gradient by x. Those by weights and biases are in the layers.
    xt::xarray<float> backward(
        const xt::xarray<float>& x, const pass& p, const xt::xarray<float>& upstream
    ) {
        xt::xarray<float> by_ungated, by_logits;
        xmask::sigmoid_gate_gradient(p.ungated, p.logits, upstream, by_ungated, by_logits);
        xt::xarray<float> by_hidden = output.backward(p.hidden, by_ungated);
        xmask::multiply_inplace(by_hidden, xmask::keep_above(p.hidden, 0.f));
        return feature.backward(x, by_hidden) + gate.backward(x, by_logits);
    }

    layer feature;
    layer output;
    layer gate;
};
} // namespace example
