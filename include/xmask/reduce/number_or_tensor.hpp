// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <type_traits>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/xtensor.hpp"

/// @file
/// An option of a loss that is a number, or a tensor of numbers.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class E>
consteval bool require_option_tensor() {
    constexpr bool numbers = !mask_expression<E> && std::is_arithmetic_v<value_type_t<E>> &&
                             !std::is_same_v<std::remove_cv_t<value_type_t<E>>, bool>;
    static_assert(numbers, "xmask: this option is a number, or a tensor of numbers.");
    return numbers;
}
} // namespace detail

/// A number for all elements, or a tensor that broadcasts into the prediction, such as one number a
/// class. A tensor is copied.
///
///     xmask::number_or_tensor same = 2;
///     xmask::number_or_tensor of_classes = {1, 2, 5};
class number_or_tensor {
public:
    /// One number for all elements.
    ///
    /// @param number  the number
    number_or_tensor(double number) : m_number(number) {}

    /// A list of numbers along the last axis.
    ///
    /// @param numbers  one number for each position of the last axis
    number_or_tensor(std::initializer_list<double> numbers)
        : m_tensor(xt::xarray<double>::from_shape({numbers.size()})) {
        std::copy(numbers.begin(), numbers.end(), m_tensor->begin());
    }

    /// A tensor of numbers.
    ///
    /// @param e  a tensor or lazy expression of numbers, which is copied
    template <expression E>
    number_or_tensor(const E& e) {
        if constexpr (detail::require_option_tensor<E>()) {
            m_tensor = e;
        }
    }

    /// The tensor, or nullptr where there is one number.
    [[nodiscard]] const xt::xarray<double>* tensor() const noexcept {
        return m_tensor ? &*m_tensor : nullptr;
    }

    /// The number for all elements, where there is no tensor.
    [[nodiscard]] double number() const noexcept { return m_number; }

private:
    double m_number = 0;
    std::optional<xt::xarray<double>> m_tensor;
};

namespace detail {
/// Throws std::invalid_argument unless the number, or each number of the tensor, is in range.
inline void require_option(
    const char* function, const char* option, const number_or_tensor& value,
    const option_range& range
) {
    if (value.tensor() != nullptr) {
        require_each_option(function, option, *value.tensor(), range);
    } else {
        require_option(function, option, value.number(), range);
    }
}
} // namespace detail
} // namespace xmask::inline XMASK_ABI
