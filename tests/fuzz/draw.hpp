// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

/// @file
/// Random numbers and shapes. The same seed gives the same on every machine.

namespace fuzz {
using shape_t = std::vector<std::size_t>;

/// SplitMix64.
class dice {
public:
    explicit dice(std::uint64_t seed) noexcept : m_state(seed) {}

    std::uint64_t bits() noexcept {
        std::uint64_t z = m_state += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    /// A number below n; 0 where n is 0.
    std::size_t below(std::size_t n) noexcept {
        return n == 0 ? 0 : static_cast<std::size_t>(bits() >> 11) % n;
    }

    /// A number from first to last.
    std::size_t from(std::size_t first, std::size_t last) noexcept {
        return first + below(last - first + 1);
    }

    std::ptrdiff_t signed_from(std::ptrdiff_t first, std::ptrdiff_t last) noexcept {
        return first +
               static_cast<std::ptrdiff_t>(below(static_cast<std::size_t>(last - first + 1)));
    }

    /// True once in n times.
    bool once_in(std::size_t n) noexcept { return below(n) == 0; }

    bool coin() noexcept { return once_in(2); }

    /// A number in [0, 1).
    double share() noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53; }

    template <class T>
    T of(std::initializer_list<T> some) noexcept {
        return some.begin()[below(some.size())];
    }

private:
    std::uint64_t m_state;
};

/// Elements in memory, also of bool, unlike std::vector.
template <class T>
class array {
public:
    array() = default;

    explicit array(std::size_t size, T value = T()) : m_data(new T[size]), m_size(size) {
        std::fill_n(m_data.get(), size, value);
    }

    array(const array& other) : m_data(new T[other.m_size]), m_size(other.m_size) {
        std::copy(other.begin(), other.end(), m_data.get());
    }

    array(array&&) noexcept = default;

    array& operator=(array other) noexcept {
        std::swap(m_data, other.m_data);
        std::swap(m_size, other.m_size);
        return *this;
    }

    [[nodiscard]] std::size_t size() const noexcept { return m_size; }

    T& operator[](std::size_t i) noexcept { return m_data[i]; }

    const T& operator[](std::size_t i) const noexcept { return m_data[i]; }

    T* begin() noexcept { return m_data.get(); }

    T* end() noexcept { return m_data.get() + m_size; }

    const T* begin() const noexcept { return m_data.get(); }

    const T* end() const noexcept { return m_data.get() + m_size; }

private:
    std::unique_ptr<T[]> m_data;
    std::size_t m_size = 0;
};

inline std::size_t size_of(const shape_t& shape) noexcept {
    std::size_t size = 1;
    for (const std::size_t extent : shape) {
        size *= extent;
    }
    return size;
}

/// The last extent. A tensor of rank 0 is a row of one column.
inline std::size_t columns_of(const shape_t& shape) noexcept {
    return shape.empty() ? 1 : shape.back();
}

inline std::size_t rows_of(const shape_t& shape) noexcept {
    return shape.empty() ? 1 : size_of(shape_t(shape.begin(), shape.end() - 1));
}

/// Calls f(index) for each index of a shape, in row-major order.
template <class F>
void for_each_index(const shape_t& shape, F&& f) {
    shape_t index(shape.size());
    for (std::size_t left = size_of(shape); left > 0; --left) {
        f(static_cast<const shape_t&>(index));
        for (std::size_t axis = shape.size(); axis-- > 0;) {
            if (++index[axis] < shape[axis]) {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// The row-major position of an index in a shape that broadcasts into the shape of the index.
inline std::size_t position_in(const shape_t& shape, const shape_t& index) noexcept {
    std::size_t position = 0;
    const std::size_t skipped = index.size() - shape.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        position = position * shape[axis] + (shape[axis] == 1 ? 0 : index[skipped + axis]);
    }
    return position;
}

inline std::string text_of(const shape_t& shape) {
    std::string text = "(";
    for (const std::size_t extent : shape) {
        text += text.size() == 1 ? "" : ", ";
        text += std::to_string(extent);
    }
    return text + ")";
}

/// Extents at which loops over words, registers and short rows break.
std::size_t draw_columns(dice& d);

/// A shape of a rank in [least, most], with at most some thousand elements.
shape_t draw_shape(dice& d, std::size_t least = 0, std::size_t most = 5);

/// A shape that broadcasts into another one; in half of the cases that shape itself.
shape_t draw_broadcast(dice& d, const shape_t& shape);
} // namespace fuzz
