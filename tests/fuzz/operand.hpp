// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xmask/core/xtensor.hpp>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/core/xmath.hpp>
#include <xtensor/views/xstrided_view.hpp>
#else
#include <xtensor/xmath.hpp>
#include <xtensor/xstrided_view.hpp>
#endif

#include "draw.hpp"
#include "record.hpp"

/// @file
/// Random tensors of every layout and type.

namespace fuzz {
template <class T>
constexpr const char* type_name = "?";
template <>
inline constexpr const char* type_name<float> = "float";
template <>
inline constexpr const char* type_name<double> = "double";
template <>
inline constexpr const char* type_name<bool> = "bool";
template <>
inline constexpr const char* type_name<std::int8_t> = "int8";
template <>
inline constexpr const char* type_name<std::int16_t> = "int16";
template <>
inline constexpr const char* type_name<std::int32_t> = "int32";
template <>
inline constexpr const char* type_name<std::int64_t> = "int64";
template <>
inline constexpr const char* type_name<std::uint8_t> = "uint8";
template <>
inline constexpr const char* type_name<std::uint16_t> = "uint16";
template <>
inline constexpr const char* type_name<std::uint32_t> = "uint32";
template <>
inline constexpr const char* type_name<std::uint64_t> = "uint64";

/// The distribution of the kept elements of an operand.
enum class values {
    plain,    ///< in [-4, 4); integers of one digit
    ties,     ///< few different ones, with 0 and -0
    extremes, ///< integers: the lowest and the highest; real numbers: large and small
    specials, ///< plain, with a few NaN and infinities
    lows      ///< plain, with a few NaN and -infinities
};

inline values draw_values(dice& d) {
    return d.of({values::plain, values::ties, values::extremes, values::specials});
}

template <class T>
T draw_value(dice& d, values like) {
    using limits = std::numeric_limits<T>;
    if constexpr (std::is_same_v<T, bool>) {
        return d.coin();
    } else if constexpr (std::is_floating_point_v<T>) {
        switch (like) {
        case values::ties:
            return d.of<T>({T(0), T(-0.), T(1), T(-1), T(2)});
        case values::extremes:
            return static_cast<T>(std::ldexp(d.share() - 0.5, static_cast<int>(d.below(60)) - 30));
        case values::specials:
            if (d.once_in(40)) {
                return d.of<T>({limits::quiet_NaN(), limits::infinity(), -limits::infinity()});
            }
            break;
        case values::lows:
            if (d.once_in(40)) {
                return d.of<T>({limits::quiet_NaN(), -limits::infinity(), -limits::infinity()});
            }
            break;
        case values::plain:
            break;
        }
        return static_cast<T>(d.below(8192)) / T(1024) - T(4);
    } else {
        if (like == values::extremes) {
            const auto near = static_cast<T>(d.below(3));
            return d.of<T>(
                {static_cast<T>(limits::min() + near), static_cast<T>(limits::max() - near),
                 static_cast<T>(d.bits())}
            );
        }
        const auto value = static_cast<std::int64_t>(d.below(like == values::ties ? 3 : 19));
        return static_cast<T>(std::is_signed_v<T> ? value - (like == values::ties ? 1 : 9) : value);
    }
}

/// Garbage for dropped elements.
template <class T>
T draw_garbage(dice& d) {
    using limits = std::numeric_limits<T>;
    if constexpr (std::is_floating_point_v<T>) {
        return d.of<T>(
            {limits::quiet_NaN(), limits::infinity(), -limits::infinity(), limits::max(),
             limits::lowest(), limits::denorm_min(), T(-1e9), T(-0.)}
        );
    } else if constexpr (std::is_same_v<T, bool>) {
        return d.coin();
    } else {
        return d.of<T>({limits::min(), limits::max(), static_cast<T>(d.bits())});
    }
}

enum class layout { rows, columns, strided, lazy };

/// The strides and the memory of the elements of a tensor.
struct placement {
    std::vector<std::ptrdiff_t> strides;
    std::size_t offset = 0;
    std::size_t size = 0; ///< of the memory

    [[nodiscard]] std::size_t slot(const shape_t& index) const noexcept {
        auto at = static_cast<std::ptrdiff_t>(offset);
        for (std::size_t axis = 0; axis < index.size(); ++axis) {
            at += static_cast<std::ptrdiff_t>(index[axis]) * strides[axis];
        }
        return static_cast<std::size_t>(at);
    }
};

/// Random strides: axes in any order, gaps, backwards, and, where `repeats`, 0 along an axis.
placement draw_placement(dice& d, const shape_t& shape, bool repeats);

template <class T>
using strided_t = xt::xstrided_view<xt::xtensor<T, 1>&, xt::dynamic_shape<std::size_t>>;

/// A random tensor. Its elements do not depend on its layout.
template <class T>
class operand {
public:
    shape_t shape;
    array<T> elements; ///< in row-major order

    /// Garbage replaces most elements for which `kept` is false.
    operand(
        record& r, const shape_t& its_shape, const array<char>& kept, values like,
        bool repeats = true
    )
        : shape(its_shape)
        , elements(size_of(its_shape))
        , m_place(draw_placement(r.d, its_shape, repeats))
        , m_like(like) {
        m_memory = xt::xtensor<T, 1>::from_shape({m_place.size});
        draw_memory(r.d, kept);
        std::size_t i = 0;
        for_each_index(shape, [&](const shape_t& index) {
            elements[i++] = m_memory(m_place.slot(index));
        });
    }

    /// A tensor of given elements.
    operand(record& r, const shape_t& its_shape, array<T> its_elements)
        : shape(its_shape)
        , elements(std::move(its_elements))
        , m_place(draw_placement(r.d, its_shape, false))
        , m_like(values::plain) {
        m_memory = xt::xtensor<T, 1>::from_shape({m_place.size});
        std::size_t i = 0;
        for_each_index(shape, [&](const shape_t& index) {
            m_memory(m_place.slot(index)) = elements[i++];
        });
    }

    [[nodiscard]] std::string text(layout l) const {
        const char* names[] = {"row-major", "column-major", "strided", "lazy"};
        std::string all =
            std::string(type_name<T>) + " " + names[static_cast<int>(l)] + " " + text_of(shape);
        if (l == layout::strided) {
            all += " strides (";
            for (const std::ptrdiff_t stride : m_place.strides) {
                all += std::to_string(stride) + " ";
            }
            all += ") offset " + std::to_string(m_place.offset);
        }
        return all;
    }

    [[nodiscard]] xt::xarray<T> rows() const {
        auto x = xt::xarray<T>::from_shape(shape);
        std::copy(elements.begin(), elements.end(), x.storage().begin());
        return x;
    }

    [[nodiscard]] auto columns() const {
        xt::xarray<T, xt::layout_type::column_major> x;
        x.resize(shape);
        fill_column_major(x.storage(), shape);
        return x;
    }

    [[nodiscard]] strided_t<T> strided() { return strided_view_of(m_memory, shape, m_place); }

    static strided_t<T> strided_view_of(
        xt::xtensor<T, 1>& memory, const shape_t& shape, const placement& place
    ) {
        using strides = typename strided_t<T>::strides_type;
        return strided_t<T>(
            memory, xt::dynamic_shape<std::size_t>(shape.begin(), shape.end()),
            strides(place.strides.begin(), place.strides.end()), place.offset,
            xt::layout_type::dynamic
        );
    }

private:
    void draw_memory(dice& d, const array<char>& kept) {
        std::vector<char> seen(m_place.size, 0);
        std::size_t i = 0;
        for_each_index(shape, [&](const shape_t& index) {
            char& slot = seen[m_place.slot(index)];
            slot = static_cast<char>(slot | kept[i++]);
        });
        const bool hides = !d.once_in(8);
        for (std::size_t s = 0; s < seen.size(); ++s) {
            m_memory(s) = hides && seen[s] == 0 ? draw_garbage<T>(d) : draw_value<T>(d, m_like);
        }
    }

    template <class S>
    void fill_column_major(S& storage, const shape_t& its_shape) const {
        std::size_t i = 0;
        for_each_index(its_shape, [&](const shape_t& index) {
            std::size_t at = 0;
            for (std::size_t axis = index.size(); axis-- > 0;) {
                at = at * its_shape[axis] + index[axis];
            }
            storage[at] = elements[i++];
        });
    }

    placement m_place;
    values m_like;
    xt::xtensor<T, 1> m_memory;
};

/// The elements of a lazy expression of xs, and the expression.
template <class T>
struct lazy_form {
    static auto expression(const xt::xarray<T>& x) {
        if constexpr (std::is_floating_point_v<T> || std::is_unsigned_v<T>) {
            return T(2) * x + T(1);
        } else {
            return ~x;
        }
    }

    using value_type = typename std::decay_t<decltype(expression(xt::xarray<T>()))>::value_type;

    static value_type of(T x) {
        if constexpr (std::is_floating_point_v<T> || std::is_unsigned_v<T>) {
            return static_cast<value_type>(T(2) * x + T(1));
        } else {
            return static_cast<value_type>(~x);
        }
    }
};

template <layout... L>
struct layouts {};

using every_layout = layouts<layout::rows, layout::columns, layout::strided, layout::lazy>;
using in_memory = layouts<layout::rows, layout::columns, layout::strided>;
using rows_and_strided = layouts<layout::rows, layout::strided>;

/// For types of which more would compile slowly.
template <class T>
using few_layouts =
    std::conditional_t<std::is_same_v<T, float>, rows_and_strided, layouts<layout::strided>>;

/// Calls f(expression, its elements) with a tensor in a random layout.
template <class T, class F, layout... L>
void with_operand(record& r, operand<T>& x, layouts<L...>, F&& f) {
    constexpr layout all[] = {L...};
    const layout chosen = all[r.d.below(sizeof...(L))];
    r.operands += (r.operands.empty() ? "" : "; ") + x.text(chosen);
    const auto one = [&]<layout O>(std::integral_constant<layout, O>) {
        if (O != chosen) {
            return;
        }
        if constexpr (O == layout::rows) {
            const auto rows = x.rows();
            f(rows, x.elements);
        } else if constexpr (O == layout::columns) {
            const auto columns = x.columns();
            f(columns, x.elements);
        } else if constexpr (O == layout::strided) {
            const auto strided = x.strided();
            f(strided, x.elements);
        } else {
            const auto rows = x.rows();
            const auto lazy = lazy_form<T>::expression(rows);
            array<typename lazy_form<T>::value_type> elements(x.elements.size());
            std::transform(
                x.elements.begin(), x.elements.end(), elements.begin(), lazy_form<T>::of
            );
            f(lazy, elements);
        }
    };
    (one(std::integral_constant<layout, L>()), ...);
}

/// Calls f(target) with a tensor of given elements in a random layout, and returns its elements
/// afterwards. Memory between the elements of a view must not change.
template <class T, class F, layout... L>
array<T> with_target(
    record& r, const shape_t& shape, const array<T>& elements, layouts<L...>, F&& f
) {
    constexpr layout all[] = {L...};
    const layout chosen = all[r.d.below(sizeof...(L))];
    const placement place = draw_placement(r.d, shape, false);
    const char* names[] = {" to row-major", " to column-major", " to strided", ""};
    r.operands += names[static_cast<int>(chosen)];
    array<T> result(elements.size());
    const auto read = [&](const auto& x) {
        std::size_t i = 0;
        for_each_index(shape, [&](const shape_t& index) {
            result[i++] = x.element(index.begin(), index.end());
        });
    };
    const auto write = [&](auto& x) {
        std::size_t i = 0;
        for_each_index(shape, [&](const shape_t& index) {
            x.element(index.begin(), index.end()) = elements[i++];
        });
    };
    const auto one = [&]<layout O>(std::integral_constant<layout, O>) {
        if (O != chosen) {
            return;
        }
        if constexpr (O == layout::strided) {
            xt::xtensor<T, 1> memory = xt::xtensor<T, 1>::from_shape({place.size});
            for (auto& value : memory) {
                value = draw_garbage<T>(r.d);
            }
            auto view = operand<T>::strided_view_of(memory, shape, place);
            write(view);
            xt::xtensor<T, 1> before = memory;
            f(view);
            read(view);
            for_each_index(shape, [&](const shape_t& index) {
                before(place.slot(index)) = memory(place.slot(index));
            });
            bool untouched = true;
            for (std::size_t i = 0; i < place.size; ++i) {
                untouched = untouched && same_value<T>(before(i), memory(i));
            }
            r.that("what lies between a view's elements", untouched);
        } else {
            constexpr auto order =
                O == layout::rows ? xt::layout_type::row_major : xt::layout_type::column_major;
            xt::xarray<T, order> x;
            x.resize(shape);
            write(x);
            f(x);
            read(x);
        }
    };
    (one(std::integral_constant<layout, L>()), ...);
    return result;
}

/// Calls f(T()) with a random type.
template <class... T, class F>
void with_type(record& r, F&& f) {
    const std::size_t chosen = r.d.below(sizeof...(T));
    std::size_t i = 0;
    ((i++ == chosen ? f(T()) : void()), ...);
}
} // namespace fuzz
