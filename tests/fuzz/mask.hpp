// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <xmask/core/mask.hpp>
#include <xmask/masks/bitmask.hpp>

#include "draw.hpp"
#include "record.hpp"

/// @file
/// Random masks behind one type, so that masks of masks have one type, too: a rule that forwards
/// all questions to a hidden mask.

namespace fuzz {
/// The answers of a hidden cursor.
class hidden_cursor {
public:
    hidden_cursor() = default;
    hidden_cursor(const hidden_cursor&) = delete;
    hidden_cursor& operator=(const hidden_cursor&) = delete;
    virtual ~hidden_cursor() = default;

    [[nodiscard]] virtual std::uint64_t word(std::size_t c) const = 0;
    [[nodiscard]] virtual xmask::stretch at(std::size_t c) const = 0;
};

template <class Cursor>
class hidden_cursor_of final : public hidden_cursor {
public:
    explicit hidden_cursor_of(Cursor cursor) : m_cursor(std::move(cursor)) {}

    [[nodiscard]] std::uint64_t word(std::size_t c) const override { return m_cursor.word(c); }

    [[nodiscard]] xmask::stretch at(std::size_t c) const override {
        if constexpr (requires { m_cursor.at(c); }) {
            return m_cursor.at(c);
        } else {
            return {std::size_t(-1), xmask::stretch_kind::unknown};
        }
    }

private:
    Cursor m_cursor;
};

/// The cursors of one operation.
class hidden_rows {
public:
    hidden_rows() = default;
    hidden_rows(const hidden_rows&) = delete;
    hidden_rows& operator=(const hidden_rows&) = delete;
    virtual ~hidden_rows() = default;

    [[nodiscard]] virtual std::shared_ptr<const hidden_cursor> row(std::size_t r) const = 0;
};

template <class Rows>
class hidden_rows_of final : public hidden_rows {
public:
    explicit hidden_rows_of(Rows rows) : m_rows(std::forward<Rows>(rows)) {}

    [[nodiscard]] std::shared_ptr<const hidden_cursor> row(std::size_t r) const override {
        using cursor = std::remove_cvref_t<decltype(m_rows.row(r))>;
        return std::make_shared<hidden_cursor_of<cursor>>(m_rows.row(r));
    }

private:
    Rows m_rows;
};

class hidden_mask {
public:
    hidden_mask() = default;
    hidden_mask(const hidden_mask&) = delete;
    hidden_mask& operator=(const hidden_mask&) = delete;
    virtual ~hidden_mask() = default;

    [[nodiscard]] virtual std::shared_ptr<const hidden_rows> rows() const = 0;
};

template <class M>
class hidden_mask_of final : public hidden_mask {
public:
    explicit hidden_mask_of(M m) : m_mask(std::move(m)) {}

    [[nodiscard]] std::shared_ptr<const hidden_rows> rows() const override {
        const auto& rule = m_mask.rule();
        if constexpr (requires { rule.rows(); }) {
            return std::make_shared<hidden_rows_of<decltype(rule.rows())>>(rule.rows());
        } else {
            return std::make_shared<hidden_rows_of<decltype(rule)>>(rule);
        }
    }

private:
    M m_mask;
};

/// The cursor, and the rows that it refers to.
struct lazy_cursor {
    std::shared_ptr<const hidden_rows> rows;
    std::shared_ptr<const hidden_cursor> own;

    std::uint64_t word(std::size_t c) const { return own->word(c); }

    xmask::stretch at(std::size_t c) const { return own->at(c); }
};

struct lazy_rows {
    std::shared_ptr<const hidden_rows> from;

    lazy_cursor row(std::size_t r) const { return {from, from->row(r)}; }
};

/// A rule of a user.
class lazy_rule {
public:
    using shape_type = xt::dynamic_shape<std::size_t>;

    lazy_rule(const shape_t& shape, std::shared_ptr<const hidden_mask> from)
        : m_shape(shape.begin(), shape.end()), m_from(std::move(from)) {}

    [[nodiscard]] const shape_type& shape() const { return m_shape; }

    [[nodiscard]] lazy_rows rows() const { return {m_from->rows()}; }

private:
    shape_type m_shape;
    std::shared_ptr<const hidden_mask> m_from;
};

using lazy_mask = xmask::mask<lazy_rule>;

/// Hides a mask that owns its data.
template <class M>
lazy_mask hide(M m) {
    const shape_t shape(m.shape().begin(), m.shape().end());
    return xmask::mask(lazy_rule(shape, std::make_shared<hidden_mask_of<M>>(std::move(m))));
}

/// A random mask, and its elements by a reference without xmask.
struct drawn_mask {
    shape_t shape;
    array<char> kept; ///< in row-major order of the shape
    lazy_mask lazy;
    std::string text;
};

/// A mask of exactly this shape, of masks combined up to `depth` times.
drawn_mask draw_mask(record& r, const shape_t& shape, std::size_t depth);

/// A mask that broadcasts into a tensor of a shape; its text goes into the record.
drawn_mask draw_mask_for(record& r, const shape_t& shape);

/// The elements of a mask that is broadcast to a shape.
array<char> spread(const drawn_mask& m, const shape_t& shape);

/// Calls f with the mask as it is, or stored.
template <class F>
void with_mask(record& r, const drawn_mask& m, F&& f) {
    if (r.d.coin()) {
        f(m.lazy);
    } else {
        r.mask = "bitmask of " + r.mask;
        const xmask::bitmask stored = m.lazy;
        f(stored);
    }
}
/// Calls f with the mask in one type, where two would take long to compile.
template <class F>
void with_hidden_mask(record& r, const drawn_mask& m, F&& f) {
    if (r.d.coin()) {
        r.mask = "bitmask of " + r.mask;
        f(hide(xmask::bitmask(m.lazy)));
    } else {
        f(m.lazy);
    }
}
} // namespace fuzz
