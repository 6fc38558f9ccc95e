// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Models whose outputs are masked by their input: each output has a gate between 0 and 1, which is
// computed beside it. Three models with PyTorch's weights: a fully connected network, a sequence
// encoder, attention.
//
//     gated_outputs [FILE.svg]

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include <xmask/layers.hpp>
#include <xmask/xmask.hpp>

#include "example.hpp"
#include "gated_network.hpp"
#include "heat_map.hpp"

#if __has_include(<xtensor/misc/xmanipulation.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/misc/xmanipulation.hpp>
#else
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#endif

namespace {
using example::check;
using example::gated_network;
using example::layer;
using tensor = xt::xarray<float>;

layer layer_of(const std::string& model, const std::string& name) {
    return {
        example::reference<float>(model, name + "_weight"),
        example::reference<float>(model, name + "_bias")
    };
}

/// The output and the gate, both computed from the same features.
tensor gated(const std::string& model, const std::string& output, const tensor& features) {
    const tensor logits = layer_of(model, "mask").forward(features);
    return xmask::multiply(layer_of(model, output).forward(features), xmask::sigmoid_gate(logits));
}

// ---- A fully connected network ----------------------------------------------------------------------------------

void draw_gate(const gated_network& network, const std::string& path) {
    // One input goes from -4 to 4, all others are 0.
    constexpr std::size_t steps = 33;
    tensor x = xt::zeros<float>({steps, std::size_t(10)});
    for (std::size_t i = 0; i < steps; ++i) {
        x(i, 0) = -4.f + 0.25f * static_cast<float>(i);
    }
    const tensor gate = xmask::sigmoid_gate(network.gate.forward(x));
    example::heat_map map{
        "Which outputs input 0 switches on", "input 0 from -4 to 4", {}, xt::transpose(gate)
    };
    for (std::size_t output = 0; output < gate.shape()[1]; ++output) {
        map.rows.push_back("output " + std::to_string(output));
    }
    std::cout << "\nThe gates of all outputs as input 0 goes from -4 to 4, █ open, · shut:\n\n"
              << example::to_text(map);
    example::write_svg(map, path);
    std::cout << "\nThe same is drawn in " << path << '\n';
    check(gate(0, 0) != gate(steps - 1, 0), "the input turns the gates");
}

void fully_connected(const std::string& path) {
    const std::string model = "gated_fc";
    const auto expect = [&](const std::string& name) {
        return example::reference<double>(model, name);
    };
    gated_network network{
        layer_of(model, "feature"), layer_of(model, "output"), layer_of(model, "mask")
    };
    const auto x = example::reference<float>(model, "x");
    const auto pass = network.forward(x);
    const tensor gate = xmask::sigmoid_gate(pass.logits);
    std::cout
        << "A gated fully connected network: 10 inputs, 32 features, 5 outputs.\nFour inputs' outputs\n"
        << example::table(pass.ungated) << "times their gates\n"
        << example::table(gate) << "are\n"
        << example::table(pass.y) << "\nBeside PyTorch's in double:\n";
    example::compare("output", pass.y, expect("y"));
    example::compare("gate", gate, expect("gate"));
    example::compare("gradient by x", network.backward(x, pass, expect("up")), expect("grad_x"));
    const std::pair<const char*, const layer*> layers[] = {
        {"feature", &network.feature}, {"output", &network.output}, {"mask", &network.gate}
    };
    for (const auto& [name, l] : layers) {
        const std::string of = name;
        example::compare(
            "gradient by the weights of " + of, l->by_weight, expect("grad_" + of + "_weight")
        );
        example::compare(
            "gradient by the bias of " + of, l->by_bias, expect("grad_" + of + "_bias")
        );
    }
    draw_gate(network, path);
}

// ---- A sequence encoder -----------------------------------------------------------------------------------------

/// The last hidden state of an LSTM. Its own gates are soft masks, too: they forget, take in, and
/// show.
tensor lstm(const std::string& model, const tensor& x) {
    const auto weights = [&](const char* name) { return example::reference<float>(model, name); };
    const layer from_input(weights("weight_ih"), weights("bias_ih"));
    const layer from_hidden(weights("weight_hh"), weights("bias_hh"));
    const tensor inputs = from_input.forward(x); // (batch, steps, 4 * size)
    const std::size_t size = inputs.shape()[2] / 4;
    tensor hidden = xt::zeros<float>({x.shape()[0], size});
    tensor cell = hidden;
    for (std::size_t step = 0; step < x.shape()[1]; ++step) {
        const tensor z = xt::view(inputs, xt::all(), step) + from_hidden.forward(hidden);
        const auto part = [&](std::size_t k) {
            return tensor(xt::view(z, xt::all(), xt::range(k * size, (k + 1) * size)));
        };
        const tensor taken = xmask::multiply(xt::tanh(part(2)), xmask::sigmoid_gate(part(0)));
        cell = xmask::multiply(cell, xmask::sigmoid_gate(part(1))) + taken;
        hidden = xmask::multiply(xt::tanh(cell), xmask::sigmoid_gate(part(3)));
    }
    return hidden;
}

void sequence_encoder() {
    const std::string model = "gated_seq2seq";
    std::cout
        << "\nAn LSTM reads 4 sequences of 20 steps; its last state drives a decoder and the decoder's gate:\n";
    const tensor hidden = lstm(model, example::reference<float>(model, "x"));
    const tensor y = gated(model, "decoder", hidden);
    std::cout << example::table(y);
    example::compare("hidden state", hidden, example::reference<double>(model, "hidden"));
    example::compare("output", y, example::reference<double>(model, "y"));
}

// ---- Attention --------------------------------------------------------------------------------------------------

constexpr std::size_t heads = 4;

/// (batch, tokens, features) to (batch, heads, tokens, features of a head), and back.
tensor split_heads(tensor x) {
    const auto shape = x.shape();
    x.reshape({shape[0], shape[1], heads, shape[2] / heads});
    return xt::transpose(x, {0, 2, 1, 3});
}

tensor join_heads(const tensor& x) {
    tensor joined = xt::transpose(x, {0, 2, 1, 3});
    joined.reshape({x.shape()[0], x.shape()[2], heads * x.shape()[3]});
    return joined;
}

/// Each token attends to the tokens that `pairs` keeps. The mean over the tokens that `tokens`
/// keeps drives the outputs.
template <class M, class P>
void attention(
    const std::string& what, const M& pairs, const P& tokens, const std::string& expected
) {
    const std::string model = "gated_attention";
    const auto x = example::reference<float>(model, "x");
    const auto project = [&](const char* name) {
        return split_heads(layer_of(model, name).forward(x));
    };
    const tensor seen =
        xmask::masked_attention(project("query"), project("key"), project("value"), pairs);
    const tensor y = gated(model, "output", xmask::masked_mean_pool(join_heads(seen), tokens));
    std::cout << '\n' << what << ":\n" << example::table(y);
    example::compare("output", y, example::reference<double>(model, expected));
}

void attention_layers() {
    constexpr std::size_t n = 20;
    const auto lengths = example::reference<std::int64_t>("gated_attention", "lengths");
    const auto tokens = xmask::keep_lengths(lengths, n);
    // A padded key is dropped for every head and every query.
    const auto keys = xmask::unsqueeze(xmask::unsqueeze(tokens, 1), 1);
    std::cout
        << "\nFour heads of attention over 4 sequences of 20 tokens, of which some are padding:\n"
        << xmask::to_string(tokens);
    attention(
        "Every token sees all", xmask::keep_all({n, n}), xmask::keep_all({std::size_t(4), n}), "y"
    );
    attention(
        "No token sees padding, and padding is no part of the mean", keys, tokens, "y_padded"
    );
    attention(
        "Nor what comes later, keep_causal(20, 20) && keys", xmask::keep_causal(n, n) && keys,
        tokens, "y_causal"
    );
}
} // namespace

int main(int argc, char** argv) {
    try {
        if (argc > 2) {
            throw std::runtime_error("usage: gated_outputs [FILE.svg]");
        }
        fully_connected(argc == 2 ? argv[1] : EXAMPLE_PICTURES "/gated_outputs.svg");
        sequence_encoder();
        attention_layers();
        std::cout << "\nAll of it holds.\n";
    } catch (const std::exception& error) {
        std::cerr << "gated_outputs: " << error.what() << '\n';
        return 2;
    }
}
