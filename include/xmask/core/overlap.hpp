// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "bundle.hpp"
#include "distinct.hpp"
#include "row.hpp"
#include "shape.hpp"
#include "xtensor.hpp"

/// @file
/// Aliasing: whether an operation reads elements that it writes. A result is as if the mask and all
/// operands had been evaluated before anything was written. An operand that is read in place needs
/// no copy, because each element is read before it is written, and never after. Any other operand
/// that overlaps the target is stored first.
///
/// A rule, or a lazy expression, declares its reads by sources(): a bundle of read_in_place(e), where
/// element i of the result depends on element i of e alone, and of read_anywhere(e); std::tuple<>()
/// where it reads no tensor. Without sources() it may read anything. Operations in place then store
/// its elements first; assignments, which mostly write new memory, assume that it does not read the
/// target. Variables that a lambda captures are not seen.

namespace xmask::inline XMASK_ABI::detail {
/// How operands overlap the target.
enum class overlap {
    none,     ///< not at all
    in_place, ///< an element is read only where it is written
    unknown,  ///< the reads are not known
    elsewhere ///< an element may be read after it was written
};

/// Which elements of a source an element of the result depends on.
enum class reach { own_element, any_element };

template <class E, reach R>
struct source {
    const E& expression;
};

template <class E>
source<E, reach::own_element> read_in_place(const E& e) noexcept {
    return {e};
}

template <class E>
source<E, reach::any_element> read_anywhere(const E& e) noexcept {
    return {e};
}

/// An expression or a rule that declares its reads.
template <class E>
concept has_sources = requires(const E& e) { e.sources(); };

/// A type, such as bitmask, whose memory no view refers to: it overlaps only itself.
template <class E>
concept shares_no_memory = requires { requires E::shares_no_memory; };

/// A view or a broadcast: an expression of one other.
template <class E>
concept wraps_expression = requires(const E& e) {
    { e.expression() } -> expression;
};

/// Whether objects of these types may share memory.
template <class T, class U>
consteval bool types_alias() {
    if constexpr (std::is_same_v<T, U> || !std::is_arithmetic_v<T> || !std::is_arithmetic_v<U>) {
        return true;
    } else if constexpr (std::integral<T> && std::integral<U>) {
        return (sizeof(T) == 1 || sizeof(U) == 1 || sizeof(T) == sizeof(U));
    } else {
        constexpr bool bytes = sizeof(T) == 1 || sizeof(U) == 1;
        return bytes && !std::is_same_v<T, bool> && !std::is_same_v<U, bool>;
    }
}

/// The type that may alias: the elements of a target, or the target itself where it shares no
/// memory.
template <class To>
struct target_element {
    using type = To;
};

template <expression To>
    requires(!shares_no_memory<To>)
struct target_element<To> {
    using type = std::remove_cv_t<value_type_t<To>>;
};

template <class E, class T>
consteval bool may_overlap();

template <class T, class Sources>
inline constexpr bool any_may_overlap = false;

template <class T, class... E, reach... R>
inline constexpr bool any_may_overlap<T, bundle<source<E, R>...>> = (may_overlap<E, T>() || ...);

template <class T, class Arguments>
inline constexpr bool any_argument_may_overlap = false;

template <class T, class... CT>
inline constexpr bool any_argument_may_overlap<T, std::tuple<CT...>> =
    (may_overlap<std::decay_t<CT>, T>() || ...);

template <class E>
inline constexpr bool is_function = false;

template <class F, class... CT>
inline constexpr bool is_function<xt::xfunction<F, CT...>> = true;

/// Whether E, by its type, may read a target of elements of T.
template <class E, class T>
consteval bool may_overlap() {
    if constexpr (has_sources<E>) {
        return any_may_overlap<T, decltype(std::declval<const E&>().sources())>;
    } else if constexpr (shares_no_memory<E>) {
        return std::is_same_v<E, T>;
    } else if constexpr (xt::is_xscalar<E>::value) {
        return false; // read before anything is written
    } else if constexpr (is_function<E>) {
        return any_argument_may_overlap<
            T, std::decay_t<decltype(std::declval<const E&>().arguments())>>;
    } else if constexpr (has_memory<E>) {
        return !shares_no_memory<T> && types_alias<std::remove_cv_t<value_type_t<E>>, T>();
    } else if constexpr (wraps_expression<E>) {
        return may_overlap<std::decay_t<decltype(std::declval<const E&>().expression())>, T>();
    } else {
        return true;
    }
}

/// Whether each element of two tensors has the same address.
template <class A, class B>
bool same_places(const A& a, const B& b) noexcept {
    if constexpr (sizeof(value_type_t<A>) != sizeof(value_type_t<B>)) {
        return false;
    } else {
        const auto* first = static_cast<const void*>(a.data() + a.data_offset());
        if (first != static_cast<const void*>(b.data() + b.data_offset()) ||
            !equal_shapes(a.shape(), b.shape())) {
            return false;
        }
        for (std::size_t axis = 0; axis < a.dimension(); ++axis) {
            if (a.shape()[axis] != 1 && static_cast<std::ptrdiff_t>(a.strides()[axis]) !=
                                            static_cast<std::ptrdiff_t>(b.strides()[axis])) {
                return false;
            }
        }
        return true;
    }
}

/// The tensor that an operation writes.
template <class To>
class target {
public:
    using element = typename target_element<To>::type;

    explicit target(const To& to) noexcept : m_to(std::addressof(to)), m_bytes(reached(to)) {}

    /// The overlap with elements in memory that are read in place.
    template <has_memory E>
    [[nodiscard]] overlap with_memory(const E& e) const noexcept {
        if (!m_bytes.overlaps(hull_of(e))) [[likely]] {
            return overlap::none;
        }
        if constexpr (has_memory<To>) {
            return same_places(e, *m_to) ? overlap::in_place : overlap::elsewhere;
        } else {
            return overlap::elsewhere;
        }
    }

    template <class E>
    [[nodiscard]] bool is([[maybe_unused]] const E& e) const noexcept {
        if constexpr (std::is_same_v<E, To>) {
            return std::addressof(e) == m_to;
        } else {
            return false;
        }
    }

private:
    /// The bytes that may be written; all bytes where nothing is known.
    template <class E>
    static byte_range reached([[maybe_unused]] const E& e) noexcept {
        if constexpr (has_memory<E>) {
            return hull_of(e);
        } else if constexpr (wraps_expression<E>) {
            return reached(e.expression());
        } else {
            return {0, std::numeric_limits<std::uintptr_t>::max()};
        }
    }

    const To* m_to;
    byte_range m_bytes;
};

template <class E, class To>
overlap overlap_of(const E& e, const target<To>& to);

/// The overlap of a source that is read in place or anywhere.
template <reach R>
constexpr overlap as_read(overlap how) noexcept {
    return R == reach::any_element && how == overlap::in_place ? overlap::elsewhere : how;
}

template <class To, class... E, reach... R>
overlap overlap_of_sources(
    const bundle<source<E, R>...>& sources, [[maybe_unused]] const target<To>& to
) {
    return sources.call([&](const auto&... each) {
        return std::max({overlap::none, as_read<R>(overlap_of(each.expression, to))...});
    });
}

/// How an expression or a mask overlaps a target of the shape that it is broadcast to.
template <class E, class To>
overlap overlap_of([[maybe_unused]] const E& e, [[maybe_unused]] const target<To>& to) {
    if constexpr (!may_overlap<E, typename target<To>::element>()) {
        return overlap::none;
    } else if constexpr (has_sources<E>) {
        return overlap_of_sources(e.sources(), to);
    } else if constexpr (shares_no_memory<E>) {
        return to.is(e) ? overlap::in_place : overlap::none;
    } else if (to.is(e)) {
        return overlap::in_place;
    } else if constexpr (is_function<E>) {
        return std::apply(
            [&](const auto&... argument) {
                return std::max({overlap::none, overlap_of(argument, to)...});
            },
            e.arguments()
        );
    } else if constexpr (has_memory<E>) {
        return to.with_memory(e);
    } else if constexpr (wraps_expression<E>) {
        return as_read<reach::any_element>(overlap_of(e.expression(), to));
    } else {
        return overlap::unknown;
    }
}

/// Whether an operand would be read after it is written, or after the target is resized to `shape`.
template <class To, class S, class Sources>
bool reads_too_late(const To& to, const S& shape, const Sources& sources) {
    if constexpr (any_may_overlap<typename target<To>::element, Sources>) {
        const overlap how = overlap_of_sources(sources, target<To>(to));
        return how == overlap::elsewhere ||
               (how == overlap::in_place && !equal_shapes(shape, to.shape()));
    } else {
        return false;
    }
}

/// A row-major container type with the shape type of E and elements of T.
template <class T, class E, class S = typename std::decay_t<E>::shape_type>
struct row_major_copy {
    using type = xt::xarray<T, xt::layout_type::row_major>;
};

template <class T, class E, class S>
    requires requires { std::tuple_size<S>::value; }
struct row_major_copy<T, E, S> {
    using type = xt::xtensor<T, std::tuple_size<S>::value, xt::layout_type::row_major>;
};

template <class T, class E>
using row_major_copy_t = typename row_major_copy<T, E>::type;
} // namespace xmask::inline XMASK_ABI::detail
