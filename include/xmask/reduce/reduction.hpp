// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <numeric>
#include <optional>
#include <type_traits>
#include <vector>

#include "../core/axes.hpp"
#include "../core/rank.hpp"
#include "../core/xtensor.hpp"
#include "element_sum.hpp"
#include "fold.hpp"
#include "fold_axes.hpp"
#include "options.hpp"
#include "refused_reductions.hpp"
#include "upstream.hpp"
#include "when_empty.hpp"

/// @file
/// The ways to call a reduction and its gradient: of everything or along axes, with options or
/// without. A formula gives the result.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Options of a function that has none.
struct no_options {};

/// The formula of a reduction: an empty struct with
///
///     using options = reduce_options;    // or options with more fields
///
///     // Fails to compile, with one sentence, unless x is reducible under m.
///     template <class X, class M>
///     using fits = require_reducible<X, M>;
///
///     // The result over everything or over kept_axes; `function` is the name for errors.
///     template <class X, class M, reduced_axes Axes>
///     static auto of(const char* function, const X& x, const M& m, const Axes& over, const options&);
///
/// A formula that takes more arguments has them behind the options.
template <class F>
concept reduction_formula = std::is_empty_v<F> && requires(typename F::options options) {
    requires std::is_same_v<decltype(options.keep_axes), bool>;
    requires std::is_same_v<decltype(options.empty), std::optional<when_empty>>;
};

/// The formula of the gradient of a reduction: an empty struct with
///
///     using gradient_options = no_options;    // or those of the reduction
///
///     // Fails to compile, with one sentence, unless these have a gradient.
///     template <class X, class M, class... U>
///     using has_gradient = require_differentiable<X, M, U...>;
///
///     template <class X, class M, class U>
///     static auto gradient(
///         const char* function, const X& x, const M& m, const kept_axes& axes, const U& upstream,
///         const gradient_options&
///     );
template <class F>
concept gradient_formula = std::is_empty_v<F> && requires { typename F::gradient_options; };

/// The result of a reduction of everything: f(0).
template <class R, class F>
R make_result(const everything& /*over*/, bool /*keep_axes*/, F&& f) {
    return f(std::size_t(0));
}

/// The result of a reduction along axes: f(i) at each position i of the axes that stay.
template <class R, class F>
xt::xarray<R> make_result(const kept_axes& axes, bool keep_axes, F&& f) {
    auto result = xt::xarray<R>::from_shape(keep_axes ? axes.full_shape() : axes.shape());
    for (std::size_t i = 0; i < axes.size(); ++i) {
        result.data()[i] = f(i);
    }
    return result;
}

/// Every axis of a tensor.
inline axes_list every_axis(std::size_t rank) {
    std::vector<std::ptrdiff_t> axes(rank);
    std::iota(axes.begin(), axes.end(), std::ptrdiff_t(0));
    return axes_list(axes);
}

/// The result of a reduction: value(i) at position i, or what the options say where nothing is
/// kept. `folded` has the counts.
template <class R, reduced_axes Axes, class Folded, class F>
auto result_of(
    const char* function, const Axes& over, const Folded& folded, const reduce_options& options,
    F&& value
) {
    return make_result<R>(over, options.keep_axes, [&](std::size_t i) {
        const R result = value(i);
        return !options.empty || folded.count(i) != 0
                   ? result
                   : when_nothing_kept<R>(function, options.empty, result);
    });
}

/// Folds f of the elements that a mask keeps, and gives finish(state) as R.
template <class R, class Fold, reduced_axes Axes, class X, class M, class F, class Finish>
auto fold_function(
    const char* function, const Fold& fold, const X& x, const M& m, const Axes& over,
    const reduce_options& options, const F& f, Finish&& finish
) {
    using element = element_t<X>;
    const auto all = fold_over<element>(
        over, fold, x.shape(), masked_rows<element>(function, x, m, f), options.empty.has_value()
    );
    return result_of<R>(function, over, all, options, [&](std::size_t i) {
        return static_cast<R>(finish(all.state(i)));
    });
}

/// Folds the elements that a mask keeps, and gives the state as R.
template <class R, class Fold, reduced_axes Axes, class X, class M>
auto fold_elements(
    const char* function, const Fold& fold, const X& x, const M& m, const Axes& over,
    const reduce_options& options
) {
    return fold_function<R>(function, fold, x, m, over, options, identity(), [](const auto& state) {
        return state;
    });
}
} // namespace detail

/// A reduction of what a mask keeps: masked_sum, masked_max and the others. All are called alike:
///
///     float all = xmask::masked_max(x, m);                                       // of everything: a number
///     xt::xtensor<float, 1> rows = xmask::masked_max(x, m, -1);                  // along an axis
///     xt::xtensor<float, 0> both = xmask::masked_max(x, m, {0, 1});              // along some axes
///     xt::xarray<float> kept = xmask::masked_max(x, m, 1, {.keep_axes = true});  // with options
///     float or_zero = xmask::masked_max(x, m, xmask::when_empty::zero);          // with the most common option
///
/// Each reduction documents its result and its type. Where x has a rank in its type and the axes
/// have their number in theirs, so does the result: it is an xt::xtensor. The axes are a number, a
/// list in braces, an array or a std::array then. Otherwise it is an xt::xarray: of an x that is
/// one, for axes in a std::vector, and with a braced list of options, because `keep_axes` is a
/// value. It is one for axes in braces, too, where braces may be a number among the options: of
/// variances and norms.
///
/// @tparam Formula the formula (detail::reduction_formula).
/// @tparam Given types of arguments that a formula takes after the mask, such as a quantile's share.
template <class Formula, class... Given>
class reduction : detail::refused_calls<detail::refused_reduction<Formula>> {
    static_assert(detail::reduction_formula<Formula>);

    using options_type = typename Formula::options;

    /// Braces with one number may be options that begin with a number, as {.correction = 0}, which
    /// g++ takes for an array, too. These reductions take braces as a list.
    static constexpr bool counts_braces = !requires { options_type{1}; };

    using braced_axes =
        std::conditional_t<counts_braces, detail::no_axes, std::initializer_list<std::ptrdiff_t>>;

public:
    /// @cond
    using detail::refused_calls<detail::refused_reduction<Formula>>::operator();
    /// @endcond

    /// A reduction by its formula.
    ///
    /// @param name how errors name the reduction.
    constexpr explicit reduction(const char* name) noexcept : m_name(name) {}

    /// Reduces everything.
    ///
    /// @param x a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into x.
    /// @param given what the formula takes: nothing, or the share of a quantile.
    /// @param options a braced list of named fields, or a when_empty.
    /// @returns a number.
    /// @throws std::invalid_argument where the mask does not broadcast into x or an option is out
    ///    of range, std::domain_error where nothing is kept and the options ask to raise.
    template <class X, class M, class O = options_type>
        requires detail::options_argument<O, options_type>
    auto operator()(const X& x, const M& m, Given... given, const O& options = {}) const {
        if constexpr (typename Formula::template fits<X, M>()) {
            return Formula::of(
                m_name, x, m, detail::everything(), detail::to_options<options_type>(options),
                given...
            );
        } else {
            return detail::refused();
        }
    }

    /// Reduces along axes.
    ///
    /// @param x a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into x.
    /// @param given what the formula takes: nothing, or the share of a quantile.
    /// @param axes a number, or a container of numbers; negative ones count from the end.
    /// @returns an array of the axes that stay: an xtensor where the types of x and of the axes have
    ///    their numbers, else an xarray.
    /// @throws std::out_of_range for an axis that x does not have, std::invalid_argument where an
    ///    axis is named twice or the mask does not broadcast into x.
    template <class X, class M, class A = braced_axes>
        requires detail::axes_argument<A>
    auto operator()(const X& x, const M& m, Given... given, const A& axes) const {
        if constexpr (typename Formula::template fits<X, M>()) {
            return detail::with_rank<detail::rank_without<X, A>()>(
                along(x, m, axes, options_type(), given...)
            );
        } else {
            return detail::refused();
        }
    }

    /// Reduces along axes in braces.
    ///
    /// @tparam N the number of axes, which is deduced.
    /// @param x a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into x.
    /// @param given what the formula takes: nothing, or the share of a quantile.
    /// @param axes numbers in braces; negative ones count from the end.
    /// @returns an array of the axes that stay: an xtensor where x has a rank in its type, else an
    ///    xarray.
    /// @throws std::out_of_range for an axis that x does not have, std::invalid_argument where an
    ///    axis is named twice or the mask does not broadcast into x.
    template <class X, class M, std::size_t N>
        requires counts_braces
    auto operator()(const X& x, const M& m, Given... given, const detail::braced_axis (&axes)[N])
        const {
        return (*this)(x, m, given..., detail::numbers_of(axes));
    }

    /// Reduces along axes, with options.
    ///
    /// @param x a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into x.
    /// @param given what the formula takes: nothing, or the share of a quantile.
    /// @param axes a number, or a container of numbers; negative ones count from the end.
    /// @param options a braced list of named fields, or a when_empty.
    /// @returns an array of the axes that stay, or, with keep_axes, of all axes, where the reduced
    ///    ones have extent 1: an xarray, or with a when_empty that of a call without options.
    /// @throws std::out_of_range for an axis that x does not have, std::invalid_argument where an
    ///    axis is named twice, the mask does not broadcast into x or an option is out of range,
    ///    std::domain_error where nothing is kept and the options ask to raise.
    template <class X, class M, class A = braced_axes, class O = options_type>
        requires(detail::axes_argument<A> && detail::options_argument<O, options_type>)
    auto operator()(const X& x, const M& m, Given... given, const A& axes, const O& options) const {
        if constexpr (typename Formula::template fits<X, M>()) {
            // Only options with fields may keep the axes.
            constexpr bool drops_axes = std::same_as<O, when_empty>;
            return detail::with_rank<drops_axes ? detail::rank_without<X, A>() : detail::any_rank>(
                along(x, m, axes, detail::to_options<options_type>(options), given...)
            );
        } else {
            return detail::refused();
        }
    }

    /// Reduces along axes in braces, with options.
    ///
    /// @tparam N the number of axes, which is deduced.
    /// @param x a tensor or lazy expression of numbers.
    /// @param m a mask that broadcasts into x.
    /// @param given what the formula takes: nothing, or the share of a quantile.
    /// @param axes numbers in braces; negative ones count from the end.
    /// @param options a braced list of named fields, or a when_empty.
    /// @returns an array of the axes that stay, or, with keep_axes, of all axes, where the reduced
    ///    ones have extent 1: an xarray, or with a when_empty that of a call without options.
    /// @throws std::out_of_range for an axis that x does not have, std::invalid_argument where an
    ///    axis is named twice, the mask does not broadcast into x or an option is out of range,
    ///    std::domain_error where nothing is kept and the options ask to raise.
    template <class X, class M, std::size_t N, class O = options_type>
        requires(counts_braces && detail::options_argument<O, options_type>)
    auto operator()(
        const X& x, const M& m, Given... given, const detail::braced_axis (&axes)[N],
        const O& options
    ) const {
        return (*this)(x, m, given..., detail::numbers_of(axes), options);
    }

private:
    template <class X, class M, class A>
    auto along(
        const X& x, const M& m, const A& axes, const options_type& options, const Given&... given
    ) const {
        return Formula::of(
            m_name, x, m, detail::kept_axes(m_name, x.shape(), axes), options, given...
        );
    }

    const char* m_name;
};

/// The gradient by x of a reduction: masked_sum_gradient, masked_max_gradient and the others. All
/// are called alike:
///
///     xt::xarray<float> of_all = xmask::masked_max_gradient(x, m);                  // of the number
///     xt::xarray<float> twice = xmask::masked_max_gradient(x, m, 2.0);              // times a factor
///     xt::xarray<float> of_rows = xmask::masked_max_gradient(x, m, upstream, -1);   // of the rows' results
///
/// @tparam Formula the formula (detail::gradient_formula).
template <class Formula>
class reduction_gradient : detail::refused_calls<detail::refused_reduction_gradient<Formula>> {
    static_assert(detail::gradient_formula<Formula>);

    using options_type = typename Formula::gradient_options;

public:
    /// @cond
    using detail::refused_calls<detail::refused_reduction_gradient<Formula>>::operator();
    /// @endcond

    /// A gradient by its formula.
    ///
    /// @param name how errors name the gradient.
    constexpr explicit reduction_gradient(const char* name) noexcept : m_name(name) {}

    /// The gradient of the sum of `upstream` times the reduction of x along axes.
    ///
    /// @param x a tensor or lazy expression of real numbers.
    /// @param m a mask that broadcasts into x.
    /// @param upstream the gradient by the reduction's result: an array of its shape, with or
    ///    without the axes that went.
    /// @param axes a number, or a list of numbers, braced or not; negative ones count from the end.
    /// @param options those of the reduction, where they change the gradient.
    /// @returns an array of x's shape and type, 0 where the mask drops.
    /// @throws std::invalid_argument where a shape does not fit, std::out_of_range for an axis that
    ///    x does not have.
    template <
        class X, class M, class U = std::initializer_list<std::ptrdiff_t>,
        class A = std::initializer_list<std::ptrdiff_t>, class O = options_type>
        requires(detail::gradient_arguments<U, A> && detail::options_argument<O, options_type>)
    auto operator()(const X& x, const M& m, const U& upstream, const A& axes, const O& options = {})
        const {
        if constexpr (typename Formula::template has_gradient<X, M, U>()) {
            return Formula::gradient(
                m_name, x, m, detail::kept_axes(m_name, x.shape(), axes), upstream,
                detail::to_options<options_type>(options)
            );
        }
    }

    /// The gradient of `upstream` times the reduction of all of x.
    ///
    /// @param x a tensor or lazy expression of real numbers.
    /// @param m a mask that broadcasts into x.
    /// @param upstream the gradient by the reduction's result.
    /// @param options those of the reduction, where they change the gradient.
    /// @returns an array of x's shape and type, 0 where the mask drops.
    /// @throws std::invalid_argument where the mask does not broadcast into x or an option is out
    ///    of range.
    template <class X, class M, class O = options_type>
        requires detail::options_argument<O, options_type>
    auto operator()(const X& x, const M& m, double upstream = 1, const O& options = {}) const {
        if constexpr (typename Formula::template has_gradient<X, M>()) {
            return Formula::gradient(
                m_name, x, m,
                detail::kept_axes(m_name, x.shape(), detail::every_axis(x.dimension())), upstream,
                detail::to_options<options_type>(options)
            );
        }
    }

private:
    const char* m_name;
};
} // namespace xmask::inline XMASK_ABI
