// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <initializer_list>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/held.hpp"
#include "../core/mask.hpp"
#include "combine.hpp"

/// @file
/// Why a mask keeps or drops an element.

namespace xmask::inline XMASK_ABI {
/// Why a mask keeps or drops an element: its own answer, and those of its terms.
struct explanation {
    std::string name;                    ///< of the mask: keep_lengths, operator&&, ...
    bool kept = false;                   ///< whether it keeps the element
    std::vector<std::size_t> index = {}; ///< place of the element in this mask
    bool decides = true; ///< whether the mask around this one answers so because of it
    std::vector<explanation> terms = {}; ///< the masks of which it is made

    /// @returns the names of the builders that decide, in the order in which they were written.
    [[nodiscard]] std::vector<std::string> decided_by() const {
        if (terms.empty()) {
            return {name};
        }
        std::vector<std::string> names;
        for (const explanation& term : terms) {
            if (term.decides) {
                for (const std::string& deeper : term.decided_by()) {
                    names.push_back(deeper);
                }
            }
        }
        return names;
    }
};

namespace detail {
/// Explains an element of a mask, and that of its terms.
template <class M>
explanation explain_at(const M& m, const element_index& index) {
    explanation result{name_of(m.rule()), m.element(index.begin(), index.end()), index};
    if constexpr (requires {
                      m.rule().for_each_term(index, [](const auto&, const element_index&) {});
                  }) {
        bool any_decides = false;
        if constexpr (requires { m.rule().any_term_decides; }) {
            any_decides = m.rule().any_term_decides;
        }
        m.rule().for_each_term(index, [&](const auto& term, const element_index& there) {
            result.terms.push_back(explain_at(term, there));
            result.terms.back().decides = !any_decides || result.terms.back().kept == result.kept;
        });
    }
    return result;
}

/// A position as an index of a shape. Throws where it is outside of the shape.
template <class S, class P>
element_index checked_index(const S& shape, const P& position) {
    if (position.size() != shape.size()) [[unlikely]] {
        throw_invalid(
            "explain", "a position of ", position.size(), " indices; a mask of shape ",
            tuple_text(shape), " expects ", shape.size()
        );
    }
    element_index index;
    for (const auto i : position) {
        const auto extent = static_cast<std::size_t>(shape[index.size()]);
        if (std::cmp_less(+i, 0) || std::cmp_greater_equal(+i, extent)) [[unlikely]] {
            throw_out_of_range(
                "explain", "index ", +i, " along axis ", index.size(), " is outside of [0, ",
                extent, ")"
            );
        }
        index.push_back(static_cast<std::size_t>(i));
    }
    return index;
}

/// Appends a line for an explanation, and lines for its terms.
inline void append_lines(
    std::string& out, const explanation& term, std::size_t depth, bool decides
) {
    out.append(2 * depth, ' ');
    out.append(term.name).append(term.kept ? " keeps " : " drops ").append(tuple_text(term.index));
    if (depth != 0 && term.terms.empty() && decides) {
        out += "  <- decides";
    }
    out += '\n';
    for (const explanation& part : term.terms) {
        append_lines(out, part, depth + 1, decides && part.decides);
    }
}
} // namespace detail

/// Says which term of a combined mask keeps or drops the element at a position.
///
/// Of a && that drops, the terms that drop decide; where it keeps, all do. Each term is explained
/// at the place in its own shape that is broadcast, shifted or cut to the position.
///
///     auto m = xmask::keep_lengths({3, 1}, 4) && xmask::drop_indices({2}, 4);
///     // 1 1 0 0
///     // 1 0 0 0
///     const std::vector<int> position = {0, 2};
///     auto why = xmask::explain(m, position).decided_by();
///     std::cout << xmask::explain(m, {0, 2});
///     // operator&& drops (0, 2)
///     //   keep_lengths keeps (0, 2)
///     //   drop_indices drops (2,)  <- decides
///
/// @param m a mask.
/// @param position a container or 1-D tensor of integers, in braces too, one index for each axis.
/// @returns its answer and those of its terms.
/// @throws std::out_of_range for an index outside of its axis, with both.
/// @throws std::invalid_argument for a wrong number of indices.
///
/// Cost: one element of each term.
template <class M, detail::number_table P = std::initializer_list<std::ptrdiff_t>>
explanation explain(const M& m, const P& position) {
    if constexpr (detail::require_mask<M>()) {
        constexpr bool integers = detail::holds_integers<P>();
        static_assert(
            integers,
            "xmask: a position is a list of integers, one index for each axis of the mask."
        );
        if constexpr (integers) {
            return detail::explain_at(m, detail::checked_index(m.shape(), position));
        }
    }
    return {};
}

/// Writes an explanation as text.
///
/// Each term is a line, from the outside in, with the place of the element in the term. Terms that
/// decide are marked.
///
///     std::string text = to_string(xmask::explain(m, {0, 2}));
///
/// @param why the result of explain().
/// @returns the lines.
inline std::string to_string(const explanation& why) {
    std::string out;
    detail::append_lines(out, why, 0, true);
    return out;
}

/// Writes an explanation as to_string does.
///
///     std::cout << xmask::explain(xmask::keep_all({2, 4}), {0, 2});
///     // keep_all keeps (0, 2)
///
/// @param out where to.
/// @param why the result of explain().
/// @returns out.
inline std::ostream& operator<<(std::ostream& out, const explanation& why) {
    return out << to_string(why);
}
} // namespace xmask::inline XMASK_ABI
