// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <type_traits>

#include "abi.hpp"

/// @file
/// Requirements of a call. `require_mask<M>` and the others are type aliases. Each names the
/// sentence of the error where M does not fit.
///
///     if constexpr (require_all<require_tensor<X>, require_mask<M>>()) {
///
/// The public function asks for them itself, and they are types, not functions: compilers write up
/// to three lines for each function between the call and the sentence.

namespace xmask::inline XMASK_ABI::detail {
/// The first of some requirements that is not met; std::true_type where all are. A requirement is a
/// class template of a bool, and of the types in question. It converts to this bool; the conversion
/// asserts it, with the sentence. Nothing else of a requirement is instantiated.
template <class... Requirements>
struct first_unmet {
    using type = std::true_type;
};

template <template <bool, class...> class Requirement, class... T, class... Others>
struct first_unmet<Requirement<true, T...>, Others...> : first_unmet<Others...> {};

template <template <bool, class...> class Requirement, class... T, class... Others>
struct first_unmet<Requirement<false, T...>, Others...> {
    using type = Requirement<false, T...>;
};

template <class... Others>
struct first_unmet<std::true_type, Others...> : first_unmet<Others...> {};

template <class... Requirements>
using require_all = typename first_unmet<Requirements...>::type;
} // namespace xmask::inline XMASK_ABI::detail
