// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "../core/block.hpp"
#include "../core/overlap.hpp"
#include "../core/target.hpp"
#include "../core/walk.hpp"
#include "../core/xtensor.hpp"
#include "class_options.hpp"
#include "counted.hpp"
#include "line_sums.hpp"
#include "loss.hpp"
#include "positions.hpp"

/// @file
/// The common part of losses of classes: how they read, weigh, and write their gradient.

namespace xmask::inline XMASK_ABI::detail {
/// The gradient of a class loss, row by row. Rows that are not contiguous memory of T are written
/// through a buffer.
template <class T, class G>
class class_gradient {
    using traits = gradient_traits<G>;

public:
    class_gradient(G& gradient, std::size_t classes)
        : m_writer(traits::target(gradient))
        , m_buffer(m_writer.in_place() ? 0 : classes)
        , m_classes(classes)
        , m_scale(traits::scale(gradient)) {}

    [[nodiscard]] double scale() const noexcept { return m_scale; }

    [[nodiscard]] T* begin(std::size_t row) {
        m_writer.seek(row);
        m_to = m_buffer.empty() ? m_writer.block(0) : m_buffer.data();
        return m_to;
    }

    /// Begins a row with term<0> of each class, and gives the sums of the terms.
    template <class F, class Row>
    line_sums<F> sums(const F& terms, Row&& row, std::size_t position) {
        T* to = begin(position);
        return store_terms(terms, row, to, m_classes);
    }

    /// Multiplies the terms that the row began with; gives the row.
    template <class Row>
    T* scale_terms(const Row& row, T factor) {
        detail::scale_terms(row, m_to, m_classes, factor);
        return m_to;
    }

    void end() {
        for_each_block(0, m_buffer.size(), [&](std::size_t c, std::size_t count) {
            std::copy_n(m_buffer.data() + c, count, m_writer.block(c));
            m_writer.commit(c, count);
        });
    }

    void clear(std::size_t row) {
        T* to = begin(row);
        fill_columns(to, to + m_classes, T(0));
        end();
    }

private:
    row_writer<T, typename traits::container> m_writer;
    std::vector<T> m_buffer;
    T* m_to = nullptr; // the row
    std::size_t m_classes;
    double m_scale;
};

/// The absence of a gradient.
template <class T>
class class_gradient<T, const no_gradient> {
public:
    class_gradient(const no_gradient& /*gradient*/, std::size_t /*classes*/) noexcept {}

    template <class F, class Row>
    line_sums<F> sums(const F& terms, Row&& row, std::size_t /*position*/) const {
        return sums_of_row(terms, row);
    }

    void clear(std::size_t /*row*/) const noexcept {}
};

/// The sum of the losses of the positions that count, and their gradient if one is asked for.
/// `loss_at(rows, result, position, target, weight)` gives the loss of a position, and writes its
/// gradient by `result`; visit(position, loss) sees the loss. Each thread has its own rows.
template <
    class T, class Rows, class Positions, class S, class Sources, class Weight, class G, class Loss,
    class Visit>
loss sum_of_classes(
    const char* function, const Rows& rows, const Positions& positions, std::size_t elements,
    const S& shape, const Sources& sources, Weight&& weight, G& gradient, Loss&& loss_at,
    Visit&& visit
) {
    return with_gradient<T>(function, gradient, shape, sources, weight, [&](auto& to) {
        return sum_over_positions(
            rows, positions, elements,
            [&](const auto& own, const auto& some, std::size_t first, std::size_t last) {
                class_gradient<T, std::remove_reference_t<decltype(to)>> result(
                    to, columns_of(shape)
                );
                loss sum;
                some.for_each(
                    first, last,
                    [&](std::size_t position, auto target, double of_position) {
                        const loss one = loss_at(own, result, position, target, of_position);
                        visit(position, one);
                        sum += one;
                    },
                    [&](std::size_t position) { result.clear(position); }
                );
                return sum;
            }
        );
    });
}

/// The weight of a class loss: a position's own times that of its target's class.
template <class Positions>
double weight_by_class(
    const Positions& positions, std::size_t classes, const xt::xtensor<double, 1>& class_weights
) {
    return weight_over_positions(positions, classes, [&](auto target, double weight) {
        return weight * class_weight(class_weights, static_cast<std::size_t>(target));
    });
}

/// The tensors that a class loss reads while its gradient is written.
template <class P, class Q, class M>
auto sources_of_classes(const P& prediction, const Q& target, const M& m) noexcept {
    return sources_of_counted(m, read_in_place(prediction), read_anywhere(target));
}
} // namespace xmask::inline XMASK_ABI::detail
