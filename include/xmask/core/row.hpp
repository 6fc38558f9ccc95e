// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "attributes.hpp"
#include "buffer.hpp"
#include "flat.hpp"
#include "functor.hpp"
#include "shape.hpp"
#include "simd.hpp"
#include "word.hpp"
#include "xtensor.hpp"

/// @file
/// Operands, read row by row: any expression, of any layout, broadcast to the shape that is walked.
///
/// Rows are made once per operation for an expression and a shape, and live as long as what row(r)
/// gives. Before columns are read, row.prepare(c, end) makes [c, result) ready, where c < result <=
/// end; then row.read(c, count, bits) gives a block of at most 64 of them, of which the caller
/// looks at those whose bit is set. A block gives single elements, at(k), and registers, load(k);
/// it is a few pointers, which stay in registers themselves. Blocks over contiguous memory point
/// into it; a lazy function of such blocks is computed in registers; what is neither (a
/// column-major view, a generator, a mix of types) is collected in a buffer first.

namespace xmask::inline XMASK_ABI::detail {
/// f of what a tuple holds. std::apply takes four calls to the same end, which count without
/// optimization, and in the time to compile.
template <class F, class Tuple>
XMASK_INLINE decltype(auto) call_with(F&& f, Tuple&& tuple) {
    constexpr std::size_t size = std::tuple_size_v<std::remove_reference_t<Tuple>>;
    if constexpr (size == 1) {
        return f(std::get<0>(tuple));
    } else if constexpr (size == 2) {
        return f(std::get<0>(tuple), std::get<1>(tuple));
    } else {
        return [&]<std::size_t... I>(std::index_sequence<I...>)
                   XMASK_INLINE_LAMBDA -> decltype(auto) {
                       return f(std::get<I>(tuple)...);
                   }(std::make_index_sequence<size>());
    }
}

/// A block of elements that lie side by side.
template <class T>
class memory_block {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit memory_block(const T* first) noexcept : m_first(first) {}

    [[nodiscard]] XMASK_INLINE const T* data() const noexcept { return m_first; }

    XMASK_INLINE T at(std::size_t k) const noexcept { return m_first[k]; }

    XMASK_INLINE lanes<T> load(std::size_t k) const noexcept
        requires in_registers
    {
        return load_lanes(m_first + k);
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t count) const noexcept
        requires in_registers
    {
        return load_first_lanes(m_first + k, count);
    }

private:
    const T* m_first;
};

/// A block of floats that lie side by side, as doubles.
class widened_block {
public:
    using value_type = double;
    static constexpr bool in_registers = has_lanes<double>;

    explicit widened_block(const float* first) noexcept : m_first(first) {}

    XMASK_INLINE double at(std::size_t k) const noexcept { return static_cast<double>(m_first[k]); }

    XMASK_INLINE lanes<double> load(std::size_t k) const noexcept {
        return load_widened(m_first + k);
    }

    XMASK_INLINE lanes<double> load_first(std::size_t k, std::size_t count) const noexcept {
        std::array<float, lane_count<double>> buffer{};
        std::copy_n(m_first + k, count, buffer.begin());
        return load_widened(buffer.data());
    }

private:
    const float* m_first;
};

/// How many elements of a strided row are gathered at once.
inline constexpr std::size_t gathered_columns = 8 * word_columns;

/// One row of elements in memory, `stride` apart. Unit strides are read in place, others are
/// gathered into a buffer that all rows of an operand share: without one of its own, a row stays in
/// registers.
template <class T>
class memory_row {
public:
    memory_row(const T* row, std::ptrdiff_t stride, T* buffer) noexcept
        : m_row(row), m_origin(row), m_stride(stride), m_buffer(buffer) {}

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) noexcept {
        if (m_stride == 1) [[likely]] {
            return end;
        }
        const std::size_t count = std::min(end - c, gathered_columns);
        gather(m_buffer, m_origin + static_cast<std::ptrdiff_t>(c) * m_stride, m_stride, count);
        // Where column 0 would be; only what was gathered is looked at.
        m_row =
            reinterpret_cast<const T*>(reinterpret_cast<std::uintptr_t>(m_buffer) - c * sizeof(T));
        return c + count;
    }

    XMASK_INLINE memory_block<T> read(std::size_t c, std::size_t /*count*/, word_t /*bits*/)
        const noexcept {
        return memory_block<T>(m_row + c);
    }

private:
    // Out of line, so that the loops around a contiguous row keep nothing for it.
    [[gnu::noinline]] static void gather(
        T* to, const T* from, std::ptrdiff_t stride, std::size_t count
    ) noexcept {
        if (stride == 0) {
            std::fill_n(to, count, *from);
            return;
        }
        for (std::size_t k = 0; k < count; ++k) {
            to[k] = from[static_cast<std::ptrdiff_t>(k) * stride];
        }
    }

    const T* m_row;
    const T* m_origin;
    std::ptrdiff_t m_stride;
    T* m_buffer;
};

template <class T>
class memory_rows {
public:
    template <class E, class S>
    memory_rows(const E& e, const S& shape)
        : m_data(e.data() + e.data_offset())
        , m_offsets(shape, e.shape(), e.strides())
        , m_stride(last_stride(e, columns_of(shape)))
        , m_form(
              m_stride == 1 && m_offsets.uniform(columns_of(shape)) ? flat_form::direct
                                                                    : flat_form::none
          ) {}

    [[nodiscard]] flat_form form() const noexcept { return m_form; }

    XMASK_INLINE memory_row<T> flat_row() const noexcept { return row(0); }

    XMASK_INLINE memory_row<T> row(std::size_t r) const noexcept {
        return {m_data + m_offsets(r), m_stride, m_buffer.values};
    }

private:
    template <class E>
    static std::ptrdiff_t last_stride(const E& e, std::size_t n) {
        if (n == 1) {
            return 1;
        }
        return columns_of(e.shape()) == 1
                   ? 0
                   : static_cast<std::ptrdiff_t>(e.strides()[e.dimension() - 1]);
    }

    const T* m_data;
    row_offsets m_offsets;
    std::ptrdiff_t m_stride;
    flat_form m_form;
    mutable block_buffer<T, gathered_columns> m_buffer;
};

/// One value for every column of every row.
template <class T>
class scalar_row {
public:
    using value_type = T;
    static constexpr bool in_registers = has_lanes<T>;

    explicit scalar_row(const T& value) noexcept : m_value(value) {}

    XMASK_INLINE scalar_row row(std::size_t /*r*/) const noexcept { return *this; }

    [[nodiscard]] flat_form form() const noexcept { return flat_form::direct; }

    XMASK_INLINE scalar_row flat_row() const noexcept { return *this; }

    XMASK_INLINE std::size_t prepare(std::size_t /*c*/, std::size_t end) const noexcept {
        return end;
    }

    XMASK_INLINE scalar_row
    read(std::size_t /*c*/, std::size_t /*count*/, word_t /*bits*/) const noexcept {
        return *this;
    }

    XMASK_INLINE T at(std::size_t /*k*/) const noexcept { return m_value; }

    XMASK_INLINE lanes<T> load(std::size_t /*k*/) const noexcept
        requires in_registers
    {
        return lanes<T>(static_cast<lane_t<T>>(m_value));
    }

    XMASK_INLINE lanes<T> load_first(std::size_t k, std::size_t /*count*/) const noexcept
        requires in_registers
    {
        return load(k);
    }

private:
    T m_value;
};

/// Moves a stepper along the last axis; `column` is where it stands.
template <class Stepper>
XMASK_INLINE void step_to_column(
    Stepper& stepper, std::size_t last_axis, std::size_t& column, std::size_t to
) {
    if (to > column) {
        stepper.step(last_axis, to - column);
    } else if (to < column) {
        stepper.step_back(last_axis, column - to);
    }
    column = to;
}

/// One row of any expression, element by element through its stepper, and only where something is
/// kept.
template <class E>
class stepped_row {
public:
    using value_type = std::remove_cv_t<value_type_t<E>>;

    stepped_row(typename E::const_stepper stepper, std::size_t last_axis)
        : m_stepper(stepper), m_last_axis(last_axis) {}

    std::size_t prepare(std::size_t /*c*/, std::size_t end) const noexcept { return end; }

    memory_block<value_type> read(std::size_t c, std::size_t count, word_t bits) {
        for (bits &= first_bits(count); bits != 0; bits &= bits - 1) {
            const std::size_t k = lowest_bit(bits);
            step_to_column(m_stepper, m_last_axis, m_column, c + k);
            m_buffer.values[k] = *m_stepper;
        }
        return memory_block<value_type>(m_buffer.values);
    }

private:
    typename E::const_stepper m_stepper;
    std::size_t m_last_axis;
    std::size_t m_column = 0;
    block_buffer<value_type> m_buffer;
};

/// Moves a stepper over `shape` from its beginning to the start of row r.
template <class Stepper, class S>
void step_to_row(Stepper& stepper, const S& shape, std::size_t r) {
    for (std::size_t axis = shape.size(); axis-- > 1;) {
        const auto extent = static_cast<std::size_t>(shape[axis - 1]);
        if (r % extent != 0) {
            stepper.step(axis - 1, r % extent);
        }
        r /= extent;
    }
}

template <class E, class S>
class stepped_rows {
public:
    stepped_rows(const E& e, const S& shape) : m_expression(std::addressof(e)), m_shape(shape) {}

    XMASK_INLINE stepped_row<E> row(std::size_t r) const {
        auto stepper = m_expression->stepper_begin(m_shape);
        step_to_row(stepper, m_shape, r);
        return {stepper, m_shape.size() - 1};
    }

    [[nodiscard]] flat_form form() const noexcept { return flat_form::none; }

    XMASK_INLINE stepped_row<E> flat_row() const { return row(0); }

private:
    const E* m_expression;
    S m_shape;
};

/// Whether a functor of xtensor works on registers of T and gives one back.
template <class F, class T, class... Args>
concept register_function =
    has_lanes<T> && std::is_floating_point_v<T> && requires(const F& f, const lanes<T>& x) {
        requires(std::same_as<Args, T> && ...);
        { f.simd_apply((static_cast<void>(sizeof(Args)), x)...) } -> std::same_as<lanes<T>>;
    };

/// A lazy function of other blocks. Where all of them have one real type and the function takes
/// registers, it is computed in registers; otherwise element by element.
template <class F, class... Block>
class function_block {
public:
    using value_type =
        std::decay_t<decltype(std::declval<const F&>()(std::declval<typename Block::value_type>()...
        ))>;
    static constexpr bool in_registers =
        (Block::in_registers && ...) &&
        register_function<F, value_type, typename Block::value_type...>;

    explicit function_block(const F& f, Block... blocks) : m_function(f), m_blocks(blocks...) {}

    XMASK_INLINE value_type at(std::size_t k) const {
        return call_with(
            [&](const auto&... block) XMASK_INLINE_LAMBDA { return m_function(block.at(k)...); },
            m_blocks
        );
    }

    XMASK_INLINE auto load(std::size_t k) const
        requires in_registers
    {
        return call_with(
            [&](const auto&... block)
                XMASK_INLINE_LAMBDA { return m_function.simd_apply(block.load(k)...); },
            m_blocks
        );
    }

    XMASK_INLINE auto load_first(std::size_t k, std::size_t count) const
        requires in_registers
    {
        return call_with(
            [&](const auto&... block) XMASK_INLINE_LAMBDA {
                return m_function.simd_apply(block.load_first(k, count)...);
            },
            m_blocks
        );
    }

private:
    F m_function;
    std::tuple<Block...> m_blocks;
};

/// The type of one block of Row.
template <class Row>
using block_t = std::decay_t<decltype(std::declval<Row&>().read(0, 0, 0))>;

/// Prepares several rows; gives the column up to which all are ready.
template <class... Row>
XMASK_INLINE std::size_t prepare_all(std::tuple<Row...>& rows, std::size_t c, std::size_t end) {
    call_with([&](auto&... row) XMASK_INLINE_LAMBDA { ((end = row.prepare(c, end)), ...); }, rows);
    return end;
}

/// One element of a row.
template <class Row>
XMASK_INLINE auto read_one(Row& row, std::size_t c) {
    row.prepare(c, c + 1);
    return row.read(c, 1, 1).at(0);
}

/// One element of row r.
template <class Rows>
XMASK_INLINE auto read_at(const Rows& rows, std::size_t r, std::size_t c) {
    auto row = rows.row(r);
    return read_one(row, c);
}

template <class F, class... Row>
class function_row {
public:
    explicit function_row(const F& f, std::tuple<Row...> rows)
        : m_function(f), m_rows(std::move(rows)) {}

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return prepare_all(m_rows, c, end);
    }

    XMASK_INLINE function_block<F, block_t<Row>...> read(
        std::size_t c, std::size_t count, word_t bits
    ) {
        return call_with(
            [&](auto&... row) XMASK_INLINE_LAMBDA {
                return function_block<F, block_t<Row>...>(m_function, row.read(c, count, bits)...);
            },
            m_rows
        );
    }

private:
    F m_function;
    std::tuple<Row...> m_rows;
};

/// The type of one row of Rows.
template <class Rows>
using row_t = std::decay_t<decltype(std::declval<const Rows&>().row(0))>;

template <class Rows>
using flat_row_t = std::decay_t<decltype(std::declval<const Rows&>().flat_row())>;

template <class... Rows>
flat_form form_of_all(const std::tuple<Rows...>& rows) noexcept {
    return call_with(
        [](const auto&... each) { return std::min({flat_form::direct, each.form()...}); }, rows
    );
}

template <class F, class... Rows>
class function_rows {
public:
    function_rows(const F& f, Rows... rows) : m_function(f), m_rows(std::move(rows)...) {}

    XMASK_INLINE auto row(std::size_t r) const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return function_row<F, row_t<Rows>...>(
                    m_function, std::tuple<row_t<Rows>...>(rows.row(r)...)
                );
            },
            m_rows
        );
    }

    [[nodiscard]] flat_form form() const noexcept { return form_of_all(m_rows); }

    XMASK_INLINE auto flat_row() const {
        return call_with(
            [&](const auto&... rows) XMASK_INLINE_LAMBDA {
                return function_row<F, flat_row_t<Rows>...>(
                    m_function, std::tuple<flat_row_t<Rows>...>(rows.flat_row()...)
                );
            },
            m_rows
        );
    }

private:
    F m_function;
    std::tuple<Rows...> m_rows;
};

/// Brings any row to the type T and into registers, by way of 64 elements at a time.
template <class Row, class T>
class buffered_row {
public:
    explicit buffered_row(Row row) : m_row(std::move(row)) {}

    std::size_t prepare(std::size_t c, std::size_t end) { return m_row.prepare(c, end); }

    memory_block<T> read(std::size_t c, std::size_t count, word_t bits) {
        const auto block = m_row.read(c, count, bits);
        if (count == word_columns && bits == ~word_t(0)) {
            for (std::size_t k = 0; k < word_columns; ++k) {
                m_buffer.values[k] = static_cast<T>(block.at(k));
            }
        } else {
            // What is dropped is not computed: it could trap (an integer division) or call the
            // user's function.
            for (std::size_t k = 0; k < count; ++k) {
                m_buffer.values[k] = (bits >> k & 1) != 0 ? static_cast<T>(block.at(k)) : T();
            }
        }
        return memory_block<T>(m_buffer.values);
    }

private:
    Row m_row;
    block_buffer<T> m_buffer;
};

template <class Rows, class T>
class buffered_rows {
public:
    explicit buffered_rows(Rows rows) : m_rows(std::move(rows)) {}

    XMASK_INLINE buffered_row<row_t<Rows>, T> row(std::size_t r) const {
        return buffered_row<row_t<Rows>, T>(m_rows.row(r));
    }

    [[nodiscard]] flat_form form() const noexcept { return m_rows.form(); }

    XMASK_INLINE auto flat_row() const {
        return buffered_row<flat_row_t<Rows>, T>(m_rows.flat_row());
    }

private:
    Rows m_rows;
};

/// Reads rows of floats in memory as doubles.
template <class Row>
class widened_row {
public:
    explicit widened_row(Row row) : m_row(std::move(row)) {}

    XMASK_INLINE std::size_t prepare(std::size_t c, std::size_t end) {
        return m_row.prepare(c, end);
    }

    XMASK_INLINE widened_block read(std::size_t c, std::size_t count, word_t bits) {
        return widened_block(m_row.read(c, count, bits).data());
    }

private:
    Row m_row;
};

template <class Rows>
class widened_rows {
public:
    explicit widened_rows(Rows rows) : m_rows(std::move(rows)) {}

    XMASK_INLINE widened_row<row_t<Rows>> row(std::size_t r) const {
        return widened_row<row_t<Rows>>(m_rows.row(r));
    }

    [[nodiscard]] flat_form form() const noexcept { return m_rows.form(); }

    XMASK_INLINE auto flat_row() const { return widened_row<flat_row_t<Rows>>(m_rows.flat_row()); }

private:
    Rows m_rows;
};

/// Whether to read what is dropped does nothing but cost time: memory, and functions of registers
/// of it. Other rows may call a user's function, or trap.
template <class Row>
inline constexpr bool reads_freely = false;

template <class T>
inline constexpr bool reads_freely<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_freely<scalar_row<T>> = true;

template <class Row>
inline constexpr bool reads_freely<widened_row<Row>> = reads_freely<Row>;

template <class F, class... Row>
inline constexpr bool reads_freely<function_row<F, Row...>> =
    block_t<function_row<F, Row...>>::in_registers && (reads_freely<Row> && ...);

/// Whether to read what is dropped costs no more than a load, less than to ask what is.
template <class Row>
inline constexpr bool reads_memory = false;

template <class T>
inline constexpr bool reads_memory<memory_row<T>> = true;

template <class T>
inline constexpr bool reads_memory<scalar_row<T>> = true;

template <class E, class S>
auto make_rows(const E& e, const S& shape);

/// Chooses the rows of an expression by its kind; specialized for the library's own lazy results in
/// applied.hpp.
template <class E>
struct row_maker {
    template <class S>
    static auto make(const E& e, const S& shape) {
        if constexpr (has_memory<E>) {
            return memory_rows<std::remove_cv_t<value_type_t<E>>>(e, shape);
        } else {
            return stepped_rows<E, S>(e, shape);
        }
    }
};

template <class CT>
struct row_maker<xt::xscalar<CT>> {
    template <class S>
    static auto make(const xt::xscalar<CT>& e, const S& /*shape*/) {
        return scalar_row<std::remove_cv_t<value_type_t<xt::xscalar<CT>>>>(e.expression());
    }
};

template <class F, class... CT>
struct row_maker<xt::xfunction<F, CT...>> {
    template <class S>
    static auto make(const xt::xfunction<F, CT...>& e, const S& shape) {
        using functor = std::decay_t<decltype(row_functor<F, CT...>::of(e.functor()))>;
        return call_with(
            [&](const auto&... argument) {
                return function_rows<functor, decltype(make_rows(argument, shape))...>(
                    row_functor<F, CT...>::of(e.functor()), make_rows(argument, shape)...
                );
            },
            e.arguments()
        );
    }
};

template <class E, class S>
auto make_rows(const E& e, const S& shape) {
    return row_maker<E>::make(e, shape);
}

/// The rows of an expression as an operation reads them: elements of type T, in registers where T
/// has them.
template <class T, class E, class S>
auto make_operand(const E& e, const S& shape) {
    using rows = decltype(make_rows(e, shape));
    using block = block_t<row_t<rows>>;
    // In scalar loops too a block of memory, or one value, of the right type needs no copy.
    constexpr bool direct = block::in_registers || std::same_as<block, memory_block<T>> ||
                            std::same_as<block, scalar_row<T>>;
    if constexpr (direct && std::same_as<typename block::value_type, T>) {
        return make_rows(e, shape);
    } else if constexpr (has_lanes<double> && std::same_as<T, double> &&
                         std::same_as<block, memory_block<float>>) {
        return widened_rows<rows>(make_rows(e, shape));
    } else {
        return buffered_rows<rows, T>(make_rows(e, shape));
    }
}
} // namespace xmask::inline XMASK_ABI::detail
