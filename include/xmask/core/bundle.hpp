// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <utility>

#include "abi.hpp"
#include "attributes.hpp"

/// @file
/// Values of several types, for the innermost loops. std::tuple has many constructors, whose
/// conditions the compiler checks for each list of types: that takes a tenth of the time that it
/// needs for a program. A bundle has one.

namespace xmask::inline XMASK_ABI::detail {
template <std::size_t, class T>
struct bundled {
    [[no_unique_address]] T value;
};

template <class Indices, class... T>
class indexed_bundle;

template <std::size_t... I, class... T>
class indexed_bundle<std::index_sequence<I...>, T...> : bundled<I, T>... {
public:
    explicit constexpr indexed_bundle(T... values) : bundled<I, T>{std::forward<T>(values)}... {}

    /// Calls f with all values.
    template <class F>
    XMASK_INLINE decltype(auto) call(F&& f) {
        return f(this->bundled<I, T>::value...);
    }

    template <class F>
    XMASK_INLINE decltype(auto) call(F&& f) const {
        return f(std::as_const(this->bundled<I, T>::value)...);
    }
};

template <class... T>
class bundle : public indexed_bundle<std::index_sequence_for<T...>, T...> {
    using indexed_bundle<std::index_sequence_for<T...>, T...>::indexed_bundle;
};

template <class... T>
bundle(T...) -> bundle<T...>;
} // namespace xmask::inline XMASK_ABI::detail
