// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "libtorch.hpp"

#ifdef BENCH_LIBTORCH
#include <limits>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/csrc/api/include/torch/version.h>

namespace bench::with_libtorch {
namespace {
// For the only thread of the program, until it ends.
void set_up() {
    static const bool threads = (at::set_num_threads(1), true);
    static const c10::InferenceMode no_gradients;
    static_cast<void>(threads);
}

template <class T>
at::Tensor tensor_of(const memory<T>& m, bool flat = false) {
    set_up();
    const auto rows = static_cast<std::int64_t>(m.rows);
    const auto columns = static_cast<std::int64_t>(m.columns);
    const auto type = c10::CppTypeToScalarType<T>::value;
    return flat ? at::from_blob(m.data, {rows * columns}, type)
                : at::from_blob(m.data, {rows, columns}, type);
}
} // namespace

std::string description() {
    const std::string config = at::show_config();
    const auto at = config.find("CPU capability usage: ");
    const std::string capability =
        at == std::string::npos ? ""
                                : ", " + config.substr(at + 22, config.find('\n', at) - at - 22);
    return TORCH_VERSION + capability + ", 1 thread";
}

work copy(floats x, floats y) {
    return [from = tensor_of(x), to = tensor_of(y)]() mutable { to.copy_(from); };
}

work masked_fill_by_lengths(floats x, memory<int> lengths, float value, floats y) {
    const auto from = tensor_of(x);
    return [from, counts = tensor_of(lengths, true).unsqueeze(1),
            positions = at::arange(from.size(1), at::kInt),
            drop = at::empty(from.sizes(), at::kBool), value, to = tensor_of(y)]() mutable {
        at::ge_out(drop, positions, counts);
        to.copy_(from).masked_fill_(drop, value);
    };
}

work masked_fill(floats x, bools kept, float value, floats y) {
    const auto from = tensor_of(x);
    return [from, keep = tensor_of(kept), other = at::scalar_tensor(value, at::kFloat),
            to = tensor_of(y)]() mutable { at::where_out(to, keep, from, other); };
}

work masked_fill_by_threshold(floats x, float least, float value, floats y) {
    const auto from = tensor_of(x);
    return [from, keep = at::empty(from.sizes(), at::kBool), least,
            other = at::scalar_tensor(value, at::kFloat), to = tensor_of(y)]() mutable {
        at::ge_out(keep, from, least);
        at::where_out(to, keep, from, other);
    };
}

work multiply(floats x, bools kept, floats y) {
    return [from = tensor_of(x), keep = tensor_of(kept), to = tensor_of(y)]() mutable {
        at::mul_out(to, from, keep);
    };
}

work multiply_by_threshold(floats x, float least, floats y) {
    const auto from = tensor_of(x);
    return [from, keep = at::empty(from.sizes(), at::kBool), least, to = tensor_of(y)]() mutable {
        at::ge_out(keep, from, least);
        at::mul_out(to, from, keep);
    };
}

work drop_tokens(integers tokens, integers ids, bools kept) {
    return [from = tensor_of(tokens), among = tensor_of(ids, true),
            to = tensor_of(kept)]() mutable { at::isin_out(to, from, among, false, true); };
}

work masked_select(floats x, bools kept, floats y) {
    return [from = tensor_of(x), keep = tensor_of(kept), to = tensor_of(y, true)]() mutable {
        at::masked_select_out(to, from, keep);
    };
}

work masked_softmax(floats x, bools kept, floats y) {
    const auto from = tensor_of(x);
    return [from, keep = tensor_of(kept),
            lowest = at::scalar_tensor(-std::numeric_limits<float>::infinity(), at::kFloat),
            scores = at::empty_like(from), to = tensor_of(y)]() mutable {
        at::where_out(scores, keep, from, lowest);
        at::_softmax_out(to, scores, 1, false);
    };
}

work masked_mse(floats p, floats t, floats kept, double& sum) {
    const auto from = tensor_of(p);
    return [from, target = tensor_of(t), keep = tensor_of(kept), squares = at::empty_like(from),
            total = at::empty({}, at::kFloat), &sum]() mutable {
        at::mse_loss_out(squares, from, target, at::Reduction::None);
        squares.mul_(keep);
        at::sum_out(total, squares, at::OptionalIntArrayRef());
        sum = total.item<float>();
    };
}

work masked_cross_entropy(floats logits, integers target, floats kept, double& sum) {
    return [x = tensor_of(logits), t = tensor_of(target, true), keep = tensor_of(kept, true),
            &sum] {
        sum = at::cross_entropy_loss(x, t, {}, at::Reduction::None).mul_(keep).sum().item<float>();
    };
}

work ignoring_cross_entropy(floats logits, integers target, std::int64_t ignored, double& sum) {
    return [x = tensor_of(logits), t = tensor_of(target, true), ignored, &sum] {
        sum = at::cross_entropy_loss(x, t, {}, at::Reduction::Sum, ignored).item<float>();
    };
}
} // namespace bench::with_libtorch
#endif
