// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The same work by libtorch, in one thread, on the same memory; nothing where libtorch was not
// found. Each function makes tensors over existing memory, and gives the work, which writes to
// existing memory.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "compare.hpp"

namespace bench::with_libtorch {
// Memory of an array, in row-major order. An input is not written.
template <class T>
struct memory {
    T* data;
    std::size_t rows;
    std::size_t columns;

    template <class Array>
    memory(const Array& from)
        : data(const_cast<T*>(from.data()))
        , rows(from.dimension() < 2 ? 1 : from.shape()[0])
        , columns(rows == 0 ? 0 : from.size() / rows) {}

    memory(const std::vector<T>& from)
        requires(!std::is_same_v<T, bool>)
        : data(const_cast<T*>(from.data())), rows(1), columns(from.size()) {}
};

using floats = memory<float>;
using bools = memory<bool>;
using integers = memory<std::int64_t>;

#ifdef BENCH_LIBTORCH
using work = std::function<void()>;

// The version of libtorch, and how it was built.
std::string description();

work copy(floats x, floats y);
work masked_fill_by_lengths(floats x, memory<int> lengths, float value, floats y);
work masked_fill(floats x, bools kept, float value, floats y);
work masked_fill_by_threshold(floats x, float least, float value, floats y);
work multiply(floats x, bools kept, floats y);
work multiply_by_threshold(floats x, float least, floats y);
work drop_tokens(integers tokens, integers ids, bools kept);
work masked_select(floats x, bools kept, floats y);
work masked_softmax(floats x, bools kept, floats y);

// Sums. `kept` is 0 and 1, because multiplying by booleans takes longer.
work masked_mse(floats p, floats t, floats kept, double& sum);
work masked_cross_entropy(floats logits, integers target, floats kept, double& sum);
work ignoring_cross_entropy(floats logits, integers target, std::int64_t ignored, double& sum);
#else
struct missing {
    template <class... Arguments>
    nothing operator()(Arguments&&...) const {
        return {};
    }
};

inline std::string description() { return "not found"; }

inline constexpr missing copy, masked_fill_by_lengths, masked_fill, masked_fill_by_threshold,
    multiply, multiply_by_threshold, drop_tokens, masked_select, masked_softmax, masked_mse,
    masked_cross_entropy, ignoring_cross_entropy;
#endif
} // namespace bench::with_libtorch
