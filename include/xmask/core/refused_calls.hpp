// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>

#include "mask_expression.hpp"
#include "shape.hpp"
#include "word.hpp"
#include "xtensor.hpp"

/// @file
/// What refused calls give, and the overload of a function object that takes every wrong call, so
/// that compilers write one sentence in place of a list of overloads.

namespace xmask::inline XMASK_ABI::detail {
/// The result of a refused operator or call: the rest of the program compiles.
class refused : public xt::xarray<double> {
public:
    template <class N>
        requires std::is_arithmetic_v<N>
    operator N() const {
        return N();
    }
};

/// The rule of a refused builder.
struct refused_rule {
    using shape_type = any_shape;

    struct cursor {
        static word_t word(std::size_t /*c*/) noexcept { return 0; }
    };

    static const shape_type& shape() {
        static const shape_type none;
        return none;
    }

    static cursor row(std::size_t /*r*/) noexcept { return {}; }

    static auto sources() noexcept { return std::tuple<>(); }
};

/// The result of a refused builder: the rest of the program compiles.
inline mask<refused_rule> refused_mask() { return mask(refused_rule()); }

/// An argument of a wrong call: anything but a braced list of named fields.
struct any_argument {
    template <class... X>
    any_argument(const X&... /*x*/) noexcept {}
};

/// The first argument of a wrong call, which gives a Refusal. The conversion instantiates the
/// Refusal before g++ rejects the other arguments, so that its sentence is the first.
template <class Refusal>
struct refused_argument {
    // Of these equal default arguments, each compiler explains one in fewer lines.
#ifdef __clang__
    template <class X>
    refused_argument(const X& /*x*/, Refusal /*result*/ = Refusal()) noexcept {}
#else
    template <class X>
    refused_argument(const X& /*x*/, Refusal /*result*/ = {}) noexcept {}
#endif
};

/// The base of a function object: every call that fits none of its overloads fails to compile, with
/// the sentence of Refusal. Refusal is what such a call would give: a class template whose
/// static_assert is false.
///
/// Braces with an unknown field convert to nothing; only an ellipsis takes these, and it is the
/// worst match for all else.
template <class Refusal>
class refused_calls {
    using first = refused_argument<Refusal>;
    using any = any_argument;

public:
    Refusal operator()() const;

    Refusal operator()(first, any = {}, any = {}, any = {}, any = {}, any = {}) const;

    // Templates, as these are worse than the overload above where both fit.
    template <class = void>
    Refusal operator()(first, any, ...) const;

    template <class = void>
    Refusal operator()(first, any, any, ...) const;
};
} // namespace xmask::inline XMASK_ABI::detail
