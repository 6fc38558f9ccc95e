// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.
//
// The layers of xmask, which need xmask.hpp beside them and a BLAS, in one file, made by cmake/amalgamate.cmake: change the headers in include/xmask instead of this one.

#pragma once

#include "xmask.hpp"

// ==== xmask/layers.hpp ====

/// @file
/// All that needs a BLAS beside xmask.hpp: put xtensor-blas on the include path, and link a BLAS.

// ==== xmask/layers/attention.hpp ====

#include <cstddef>
#include <type_traits>
#include <utility>

// ==== xmask/layers/attention_options.hpp ====

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

/// @file
/// What attention may be asked for beside its mask: scale, soft cap, bias, sinks.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Rows of some tensor, read as T.
template <class T>
class added_rows {
public:
    virtual ~added_rows() = default;

    /// Columns [c, c + count) of row r.
    virtual void read(std::size_t r, std::size_t c, std::size_t count, T* to) const = 0;
};

template <class T, class Rows>
class added_rows_of final : public added_rows<T> {
public:
    explicit added_rows_of(Rows rows) : m_rows(std::move(rows)) {}

    void read(std::size_t r, std::size_t c, std::size_t count, T* to) const override {
        auto row = m_rows.row(r);
        for_each_block(c, c + count, [&](std::size_t at, std::size_t width) {
            store_block<false>(to + (at - c), row.block(at, width, first_bits(width)), width);
        });
    }

private:
    Rows m_rows;
};

/// Some tensor of numbers, broadcast to a shape that is known when its rows are made.
class added_tensor {
public:
    virtual ~added_tensor() = default;
    [[nodiscard]] virtual any_shape shape() const = 0;
    [[nodiscard]] virtual std::unique_ptr<added_rows<float>> rows(const any_shape& shape, float)
        const = 0;
    [[nodiscard]] virtual std::unique_ptr<added_rows<double>> rows(const any_shape& shape, double)
        const = 0;
};

template <class CTE>
class added_tensor_of final : public added_tensor {
public:
    template <class E>
    explicit added_tensor_of(E&& e) : m_expression(std::forward<E>(e)) {}

    [[nodiscard]] any_shape shape() const override {
        const auto& extents = m_expression.shape();
        return any_shape(extents.begin(), extents.end());
    }

    [[nodiscard]] std::unique_ptr<added_rows<float>> rows(const any_shape& shape, float)
        const override {
        return make<float>(shape);
    }

    [[nodiscard]] std::unique_ptr<added_rows<double>> rows(const any_shape& shape, double)
        const override {
        return make<double>(shape);
    }

private:
    template <class T>
    std::unique_ptr<added_rows<T>> make(const any_shape& shape) const {
        auto rows = make_operand<T>(m_expression, shape);
        return std::make_unique<added_rows_of<T, decltype(rows)>>(std::move(rows));
    }

    CTE m_expression;
};

template <class E>
consteval bool require_term() {
    constexpr bool numbers = [] {
        if constexpr (expression<E>) {
            using value = std::remove_cv_t<value_type_t<E>>;
            return !mask_expression<E> && std::is_arithmetic_v<value> &&
                   !std::is_same_v<value, bool>;
        }
        return false;
    }();
    static_assert(
        numbers,
        "xmask: attention adds a tensor (or lazy expression) of numbers to its scores; a mask is its fourth "
        "argument."
    );
    return numbers;
}
} // namespace detail

/// A number, or a tensor or lazy expression of numbers, of any type, that attention adds. A tensor
/// is held by reference if it is an lvalue.
class attention_term {
public:
    /// Nothing.
    attention_term() = default;

    template <class V>
        requires std::is_arithmetic_v<V>
    attention_term(V value) : attention_term(xt::xarray<double>(static_cast<double>(value))) {}

    template <expression E>
        requires(!std::is_same_v<std::remove_cvref_t<E>, attention_term>)
    attention_term(E&& e) {
        if constexpr (detail::require_term<E>()) {
            m_term =
                std::make_shared<detail::added_tensor_of<detail::closure_t<E>>>(std::forward<E>(e));
        }
    }

    [[nodiscard]] const detail::added_tensor* get() const noexcept { return m_term.get(); }

private:
    std::shared_ptr<const detail::added_tensor> m_term;
};

/// Options of attention.
///
///     auto y = xmask::masked_attention(query, key, value, xmask::keep_causal(n, n), {.scale = 0.125, .soft_cap = 50});
struct attention_options {
    /// What the products of queries and keys are multiplied by; 1 / sqrt(features) where it is not
    /// set.
    std::optional<double> scale = std::nullopt;

    /// Scores become soft_cap * tanh(score / soft_cap); 0 leaves them as they are.
    double soft_cap = 0;

    /// Is added to the scores, after the soft cap. Broadcasts into (..., queries, keys).
    attention_term bias = {};

    /// A logit for each head, of a shape that broadcasts into the leading axes of the query, or one
    /// number: it joins the sum by which a query's weights are divided, as a key without a value
    /// would (Xiao et al., Efficient Streaming Language Models with Attention Sinks, 2023).
    attention_term sinks = {};
};
} // namespace xmask::inline XMASK_ABI

// ==== xmask/layers/attention_walk.hpp ====

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

// ==== xmask/layers/attention_rows.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>

/// @file
/// What attention does to the rows of a panel of scores, of which a mask keeps some.

namespace xmask::inline XMASK_ABI::detail {
/// A band's queries, a tile's keys, and the most tiles of a panel: a panel of scores stays in a
/// core's own cache.
inline constexpr std::size_t band_queries = 64;
inline constexpr std::size_t tile_keys = word_columns;
inline constexpr std::size_t panel_tiles = 4;
inline constexpr std::size_t panel_keys = panel_tiles * tile_keys;

/// Neighbouring tiles of a band.
struct panel {
    std::size_t first; // key
    std::size_t keys;
    bool whole; // every pair is kept
};

/// Which pairs of a panel are kept: a word for each query and tile.
class panel_bits {
public:
    template <class Band>
    void read(const Band& band, const panel& p) {
        const std::size_t tiles = (p.keys + tile_keys - 1) / tile_keys;
        for (std::size_t i = 0; i < band.rows(); ++i) {
            for (std::size_t w = 0; w < tiles; ++w) {
                const std::size_t c = w * tile_keys;
                const bool full = band.kind((p.first + c) / tile_keys) == tile_kind::full;
                m_words[i * panel_tiles + w] =
                    full ? first_bits(p.keys - c) : band.word(i, p.first + c);
            }
        }
    }

    [[nodiscard]] const word_t* row(std::size_t i) const noexcept {
        return m_words.data() + i * panel_tiles;
    }

    [[nodiscard]] bool kept(std::size_t i, std::size_t c) const noexcept {
        return (row(i)[c / word_columns] >> c % word_columns & 1) != 0;
    }

private:
    std::array<word_t, band_queries * panel_tiles> m_words;
};

/// Calls f(c, count, bits) for each 64 columns of a row; count is whole_word for all but the last.
template <class F>
XMASK_INLINE void for_each_word(std::size_t columns, const word_t* bits, F&& f) {
    for_each_block(0, columns, [&](std::size_t c, auto count) XMASK_INLINE_LAMBDA {
        f(c, count, bits[c / word_columns]);
    });
}

/// Calls f(x..., c) for each register of some rows, and stores what it gives, of kept columns, to
/// the first: an array of one register for each of Rows, of which those of dropped columns become
/// 0.
template <class T, std::size_t N, class F>
XMASK_INLINE void map_kept(
    std::size_t columns, const word_t* bits, const std::array<T*, N>& rows, F&& f
) {
    for_each_word(columns, bits, [&](std::size_t c, auto count, word_t word) XMASK_INLINE_LAMBDA {
        if (word == 0) {
            for (T* row : rows) {
                std::fill_n(row + c, std::size_t(count), T(0));
            }
            return;
        }
        const bool all = word == ~word_t(0);
        if constexpr (has_lanes<T>) {
            const auto zero = lanes<T>(T(0));
            for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                std::array<lanes<T>, N> x;
                for (std::size_t r = 0; r < N; ++r) {
                    x[r] = load_register<full>(memory_block<T>(rows[r] + c), k, count - k);
                }
                if (all) {
                    f(x, [](const lanes<T>& y) { return y; });
                } else {
                    const auto kept = mask_from_bits<T>(word, k);
                    f(x, [&](const lanes<T>& y) { return xsimd::select(kept, y, zero); });
                }
                for (std::size_t r = 0; r < N; ++r) {
                    store_register<full, false>(rows[r] + c + k, x[r], count - k);
                }
            });
        } else {
            for (std::size_t k = 0; k < count; ++k) {
                std::array<T, N> x;
                for (std::size_t r = 0; r < N; ++r) {
                    x[r] = rows[r][c + k];
                }
                f(x, [&](T y) { return (word >> k & 1) != 0 ? y : T(0); });
                for (std::size_t r = 0; r < N; ++r) {
                    rows[r][c + k] = x[r];
                }
            }
        }
    });
}

/// Registers of T, or T where there are none.
template <class T>
struct register_of {
    using type = T;
};

template <class T>
    requires has_lanes<T>
struct register_of<T> {
    using type = lanes<T>;
};

template <class T>
using register_t = typename register_of<T>::type;

template <class V>
auto sum_of(const V& x) {
    if constexpr (std::is_arithmetic_v<V>) {
        return x;
    } else {
        return xsimd::reduce_add(x);
    }
}

/// The largest of a row's kept scores, or `largest` where that is more; -infinity is the least.
template <class T>
T largest_kept(const T* scores, std::size_t columns, const word_t* bits, T largest) {
    if constexpr (has_lanes<T>) {
        auto most = lanes<T>(largest);
        const auto least = lanes<T>(-std::numeric_limits<T>::infinity());
        for_each_word(
            columns, bits,
            [&](std::size_t c, auto count, word_t word) XMASK_INLINE_LAMBDA {
                if (word == 0) {
                    return;
                }
                const bool all = word == ~word_t(0);
                for_each_register<T>(count, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    const auto x = load_register<full>(memory_block<T>(scores + c), k, count - k);
                    most = xsimd::max(most, all ? x : select_by_bits<T>(word, k, x, least));
                });
            }
        );
        return xsimd::reduce_max(most);
    } else {
        for (std::size_t c = 0; c < columns; ++c) {
            const bool kept = (bits[c / word_columns] >> c % word_columns & 1) != 0;
            largest = kept ? std::max(largest, scores[c]) : largest;
        }
        return largest;
    }
}

/// Scores become exponentials of how far they lie below `largest`, 0 where dropped; gives their
/// sum.
template <class T>
double exponentials(T* scores, std::size_t columns, const word_t* bits, T largest) {
    using V = register_t<T>;
    const V shift(largest);
    V sum(T(0));
    map_kept(
        columns, bits, std::array<T*, 1>{scores},
        [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
            x[0] = kept(exp_nonpositive(V(x[0] - shift)));
            sum = sum + x[0];
        }
    );
    return static_cast<double>(sum_of(sum));
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/layers/gemm.hpp ====

#include <algorithm>
#include <complex> // xtensor-blas uses it and does not include it
#include <cstddef>

#include <xtensor-blas/xblas_config.hpp>

#include <xflens/cxxblas/cxxblas.cxx>

/// @file
/// The only file that names xtensor-blas: the matrix product, on blocks of matrices as they lie in
/// memory.

namespace xmask::inline XMASK_ABI::detail {
/// Whether a factor is transposed.
enum class turned : bool { no, yes };

/// A block of a row-major matrix: rows lie `stride` elements apart.
template <class T>
struct block_of {
    T* first;
    std::size_t stride;
};

/// C = alpha A B + beta C, of C (m, n), and of A (m, k) and B (k, n) or what is so when turned. T
/// is float or double.
template <class T>
void gemm(
    turned turn_a, turned turn_b, std::size_t m, std::size_t n, std::size_t k, T alpha,
    block_of<const T> a, block_of<const T> b, T beta, block_of<T> c
) {
    using index = xt::blas_index_t;
    if (m == 0 || n == 0) {
        return;
    }
    const auto number = [](std::size_t x) {
        return static_cast<index>(std::max<std::size_t>(x, 1));
    };
    const auto transpose = [](turned t) {
        return t == turned::yes ? cxxblas::Trans : cxxblas::NoTrans;
    };
    cxxblas::gemm<index>(
        cxxblas::RowMajor, transpose(turn_a), transpose(turn_b), static_cast<index>(m),
        static_cast<index>(n), static_cast<index>(k), alpha, a.first, number(a.stride), b.first,
        number(b.stride), beta, c.first, number(c.stride)
    );
}
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/layers/matrix_stack.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

/// @file
/// Tensors as stacks of matrices that a matrix product reads in place, and products that don't see
/// what is dropped.

namespace xmask::inline XMASK_ABI::detail {
/// All axes but the last `count`.
template <class S>
any_shape without_last(const S& shape, std::size_t count) {
    any_shape result(shape.size() - count);
    for (std::size_t axis = 0; axis < result.size(); ++axis) {
        result[axis] = static_cast<std::size_t>(shape[axis]);
    }
    return result;
}

/// The matrices of the last two axes, numbered by the leading axes that are walked, into which
/// those of the tensor broadcast.
template <class T>
class matrix_stack {
public:
    /// Where e's matrices lie in memory as T, row by row, they are read there; otherwise e is
    /// copied.
    template <class E>
    matrix_stack(E& e, const any_shape& leading) {
        if constexpr (has_memory<E> &&
                      std::is_same_v<std::remove_cv_t<value_type_t<E>>, std::remove_cv_t<T>>) {
            if (lies_in_rows(e)) {
                place(e.data() + e.data_offset(), e.shape(), e.strides(), leading);
                return;
            }
        }
        if constexpr (std::is_const_v<T>) {
            m_copy.resize(any_shape(e.shape().begin(), e.shape().end()));
            assign_rows(m_copy, e);
            place(m_copy.data(), m_copy.shape(), m_copy.strides(), leading);
        }
    }

    matrix_stack(const matrix_stack&) = delete;
    matrix_stack& operator=(const matrix_stack&) = delete;

    [[nodiscard]] block_of<T> operator[](std::size_t matrix) const noexcept {
        return {m_data + m_offsets(matrix), m_stride};
    }

    [[nodiscard]] std::size_t rows() const noexcept { return m_rows; }

    [[nodiscard]] std::size_t columns() const noexcept { return m_columns; }

private:
    template <class E>
    static bool lies_in_rows(const E& e) {
        const std::size_t rank = e.dimension();
        const auto rows = static_cast<std::size_t>(e.shape()[rank - 2]);
        const auto columns = static_cast<std::size_t>(e.shape()[rank - 1]);
        const auto stride = static_cast<std::ptrdiff_t>(e.strides()[rank - 2]);
        const bool side_by_side = columns <= 1 || e.strides()[rank - 1] == 1;
        const bool one_by_one =
            stride >= static_cast<std::ptrdiff_t>(columns) &&
            stride <= static_cast<std::ptrdiff_t>(std::numeric_limits<xt::blas_index_t>::max());
        return side_by_side && (rows <= 1 || one_by_one);
    }

    template <class S, class D>
    void place(T* data, const S& shape, const D& strides, const any_shape& leading) {
        const std::size_t rank = shape.size();
        m_data = data;
        m_rows = static_cast<std::size_t>(shape[rank - 2]);
        m_columns = static_cast<std::size_t>(shape[rank - 1]);
        m_stride = m_rows <= 1 ? m_columns : static_cast<std::size_t>(strides[rank - 2]);
        // The rows that are numbered are matrices here.
        m_offsets =
            row_offsets(append_axis(leading, 1), append_axis(without_last(shape, 2), 1), strides);
    }

    xt::xarray<std::remove_cv_t<T>, xt::layout_type::row_major> m_copy;
    T* m_data = nullptr;
    std::size_t m_rows = 0;
    std::size_t m_columns = 0;
    std::size_t m_stride = 0;
    row_offsets m_offsets;
};

/// Rows of a matrix, and which of them hold NaN or an infinity: those times a weight of 0 are not
/// 0.
template <class T>
class factor_rows {
public:
    void look(block_of<const T> rows, std::size_t count, std::size_t columns) {
        m_rows = rows;
        m_bad.clear();
        if (all_finite(count, columns)) [[likely]] {
            return;
        }
        m_bad.resize(count);
        for (std::size_t r = 0; r < count; ++r) {
            m_bad[r] = std::any_of(row(r), row(r) + columns, [](T x) { return !std::isfinite(x); });
        }
    }

    [[nodiscard]] const T* row(std::size_t r) const noexcept {
        return m_rows.first + r * m_rows.stride;
    }

    [[nodiscard]] block_of<const T> block(std::size_t first) const noexcept {
        return {row(first), m_rows.stride};
    }

    /// Of rows that are not all finite.
    [[nodiscard]] bool bad(std::size_t r) const noexcept { return m_bad[r] != 0; }

    [[nodiscard]] bool any_bad(std::size_t first, std::size_t count) const noexcept {
        bool any = false;
        for (std::size_t r = first; !m_bad.empty() && r < first + count; ++r) {
            any |= bad(r);
        }
        return any;
    }

private:
    /// Sums of what is 0 times each element: NaN where one is not finite.
    [[nodiscard]] bool all_finite(std::size_t count, std::size_t columns) const {
        T sum(0);
        if constexpr (has_lanes<T>) {
            auto sums = lanes<T>(T(0));
            const auto zero = lanes<T>(T(0));
            for (std::size_t r = 0; r < count; ++r) {
                for_each_register<T>(columns, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    sums = xsimd::fma(
                        load_register<full>(memory_block<T>(row(r)), k, columns - k), zero, sums
                    );
                });
            }
            sum = xsimd::reduce_add(sums);
        } else {
            for (std::size_t r = 0; r < count; ++r) {
                std::for_each(row(r), row(r) + columns, [&](T x) { sum += x * T(0); });
            }
        }
        return sum == T(0);
    }

    block_of<const T> m_rows{};
    std::vector<unsigned char> m_bad; // empty where all rows are finite
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Attention tile by tile, with a running softmax, and its gradients.
///
/// The forward pass is that of Dao et al., FlashAttention: Fast and Memory-Efficient Exact
/// Attention with IO-Awareness (2022), the backward pass that of Dao, FlashAttention-2 (2023):
/// scores are never stored but computed again. Queries are taken in bands. The tiles of a band that
/// keep anything are its panels, neighbours together, so that a matrix product is worth its call.

namespace xmask::inline XMASK_ABI::detail {
/// What a tile needs, for one thread. All of it is as large as a few panels, whatever the number of
/// tokens.
template <class T>
class attention_scratch {
public:
    /// Fewer queries and keys than a panel has need less.
    attention_scratch(std::size_t q, std::size_t k, std::size_t value_features)
        : queries(std::min(q, band_queries))
        , keys(std::min(k, panel_keys))
        , scores(queries * keys)
        , output(queries * value_features)
        , largest(queries)
        , sum(queries) {}

    std::size_t queries;
    std::size_t keys; // how far rows of scores lie apart
    std::vector<T> scores;
    std::vector<T> output;
    std::vector<T> largest;
    std::vector<double> sum;
    std::vector<T> clean; // used only where something is not finite
};

/// The same, and more, for gradients.
template <class T>
class gradient_scratch {
public:
    gradient_scratch(const attention_scratch<T>& forward, std::size_t features, bool caps)
        : by_scores(forward.scores.size())
        , slopes(caps ? forward.scores.size() : 0)
        , by_query(forward.queries * features)
        , shares(forward.queries) {}

    std::vector<T> by_scores;
    std::vector<T> slopes;
    std::vector<T> by_query;
    std::vector<T> shares;
};

/// Attention of one stack of matrices, band by band.
template <class T, class M>
class attention_walk {
    using block = block_of<const T>;
    using tiles_type = mask_tiles<const M&>;

public:
    /// The tensors' shapes are checked.
    attention_walk(
        const M& m, const any_shape& scores_shape, const matrix_stack<const T>& query,
        const matrix_stack<const T>& key, const matrix_stack<const T>& value,
        const attention_options& options
    )
        : m_query(query)
        , m_key(key)
        , m_value(value)
        , m_tiles(m, scores_shape, tiling::of(scores_shape, band_queries, tile_keys))
        , m_band(m_tiles.band())
        , m_bias(
              options.bias.get() != nullptr ? options.bias.get()->rows(scores_shape, T()) : nullptr
          )
        , m_added(m_bias != nullptr ? panel_keys : 0)
        , m_scale(static_cast<T>(scale_of(options, query.columns())))
        , m_cap(static_cast<T>(options.soft_cap))
        , m_scratch(query.rows(), key.rows(), value.columns()) {
        if (options.sinks.get() != nullptr) {
            const any_shape leading = without_last(scores_shape, 2);
            const auto rows = options.sinks.get()->rows(leading, T());
            m_sinks.resize(rows_of(leading) * columns_of(leading));
            for (std::size_t r = 0; r < rows_of(leading) && !m_sinks.empty(); ++r) {
                rows->read(r, 0, columns_of(leading), m_sinks.data() + r * columns_of(leading));
            }
        }
    }

    /// Writes the weighted values of each query to `to`.
    void forward(const matrix_stack<T>& to) {
        for (std::size_t b = 0; b < m_tiles.rows(); ++b) {
            seek(b);
            weigh();
            const block_of<T> out = to[m_band.matrix()];
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                std::copy_n(
                    output(i), m_value.columns(), out.first + (m_band.row() + i) * out.stride
                );
            }
        }
    }

    /// Adds to the gradients by query, key and value, given that by the output.
    void backward(
        const matrix_stack<const T>& upstream, const matrix_stack<T>& by_query,
        const matrix_stack<T>& by_key, const matrix_stack<T>& by_value
    ) {
        gradient_scratch<T> more(m_scratch, m_query.columns(), m_cap != T(0));
        factor_rows<T> keys;
        factor_rows<T> queries;
        factor_rows<T> outer;
        std::size_t matrix = m_tiles.rows();
        for (std::size_t b = 0; b < m_tiles.rows(); ++b) {
            seek(b);
            if (m_band.matrix() != matrix) {
                matrix = m_band.matrix();
                keys.look(m_key[matrix], m_key.rows(), m_key.columns());
            }
            queries.look(rows_of_band(m_query), m_band.rows(), m_query.columns());
            outer.look(rows_of_band(upstream), m_band.rows(), m_value.columns());
            weigh();
            share(outer, more);
            add_gradients(more, queries, keys, outer, by_key[matrix], by_value[matrix]);
            const block_of<T> out = by_query[matrix];
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                T* row = out.first + (m_band.row() + i) * out.stride;
                const T* from = more.by_query.data() + i * m_query.columns();
                std::transform(from, from + m_query.columns(), row, row, std::plus<>());
            }
        }
    }

private:
    static double scale_of(const attention_options& options, std::size_t features) {
        return options.scale.value_or(
            features == 0 ? 1 : 1 / std::sqrt(static_cast<double>(features))
        );
    }

    void seek(std::size_t band) {
        m_band.seek(band);
        if (m_matrix != m_band.matrix()) {
            m_matrix = m_band.matrix();
            m_values.look(m_value[m_matrix], m_value.rows(), m_value.columns());
        }
    }

    /// A band's own rows.
    [[nodiscard]] block rows_of_band(const matrix_stack<const T>& stack) const {
        const block all = stack[m_band.matrix()];
        return {all.first + m_band.row() * all.stride, all.stride};
    }

    [[nodiscard]] T* output(std::size_t i) {
        return m_scratch.output.data() + i * m_value.columns();
    }

    [[nodiscard]] T* scores(std::size_t i) { return m_scratch.scores.data() + i * m_scratch.keys; }

    /// Calls f(panel) for what the band keeps.
    template <class F>
    void for_each_panel(F&& f) {
        for (std::size_t t = 0; t < m_band.tiles();) {
            if (m_band.kind(t) == tile_kind::empty) {
                ++t;
                continue;
            }
            panel p{t * tile_keys, 0, true};
            for (std::size_t count = 0; count < panel_tiles && t < m_band.tiles(); ++count, ++t) {
                if (m_band.kind(t) == tile_kind::empty) {
                    break;
                }
                p.keys += m_band.columns(t);
                p.whole = p.whole && m_band.kind(t) == tile_kind::full;
            }
            m_bits.read(m_band, p);
            f(p);
        }
    }

    /// The scores of a panel, as the softmax takes them. slopes: of the soft cap, for gradients.
    void compute_scores(const panel& p, std::vector<T>* slopes) {
        const block key = m_key[m_matrix];
        gemm<T>(
            turned::no, turned::yes, m_band.rows(), p.keys, m_query.columns(), m_scale,
            rows_of_band(m_query), {key.first + p.first * key.stride, key.stride}, T(0),
            {m_scratch.scores.data(), m_scratch.keys}
        );
        for (std::size_t i = 0; i < m_band.rows() && m_cap != T(0); ++i) {
            cap(scores(i), p.keys,
                slopes == nullptr ? nullptr : slopes->data() + i * m_scratch.keys);
        }
        for (std::size_t i = 0; i < m_band.rows() && m_bias != nullptr; ++i) {
            const std::size_t r = m_matrix * m_query.rows() + m_band.row() + i;
            m_bias->read(r, p.first, p.keys, m_added.data());
            std::transform(scores(i), scores(i) + p.keys, m_added.data(), scores(i), std::plus<>());
        }
    }

    void cap(T* row, std::size_t columns, T* slopes) const {
        using V = register_t<T>;
        const V limit(m_cap);
        const V one(T(1));
        const std::array<word_t, panel_tiles> all = [] {
            std::array<word_t, panel_tiles> words;
            words.fill(~word_t(0));
            return words;
        }();
        // The rest of a last word is never asked for.
        if (slopes == nullptr) {
            map_kept(columns, all.data(), std::array<T*, 1>{row}, [&](auto& x, auto&&) {
                x[0] = limit * tanh_of(V(x[0] / limit));
            });
            return;
        }
        map_kept(columns, all.data(), std::array<T*, 2>{row, slopes}, [&](auto& x, auto&&) {
            const V t = tanh_of(V(x[0] / limit));
            x[0] = limit * t;
            x[1] = one - t * t;
        });
    }

    template <class V>
    static V tanh_of(const V& x) {
        if constexpr (std::is_arithmetic_v<V>) {
            return std::tanh(x);
        } else {
            return xsimd::tanh(x);
        }
    }

    /// C += alpha A B, or A^T B: A is a panel of weights, 0 where dropped, and B are rows of which
    /// one that is not finite is multiplied only by weights of kept pairs.
    void add_product(
        turned turn, const std::vector<T>& a, T alpha, const panel& p, const factor_rows<T>& b,
        std::size_t first, std::size_t columns, block_of<T> c
    ) {
        const std::size_t outer = turn == turned::yes ? p.keys : m_band.rows();
        const std::size_t inner = turn == turned::yes ? m_band.rows() : p.keys;
        const block weights{a.data(), m_scratch.keys};
        if (p.whole || !b.any_bad(first, inner)) [[likely]] {
            gemm<T>(
                turn, turned::no, outer, columns, inner, alpha, weights, b.block(first), T(1), c
            );
            return;
        }
        m_scratch.clean.resize(std::max(m_scratch.clean.size(), inner * columns));
        for (std::size_t r = 0; r < inner; ++r) {
            T* to = m_scratch.clean.data() + r * columns;
            if (b.bad(first + r)) {
                std::fill_n(to, columns, T(0));
            } else {
                std::copy_n(b.row(first + r), columns, to);
            }
        }
        gemm<T>(
            turn, turned::no, outer, columns, inner, alpha, weights,
            {m_scratch.clean.data(), columns}, T(1), c
        );
        for (std::size_t r = 0; r < inner; ++r) {
            for (std::size_t s = 0; s < outer && b.bad(first + r); ++s) {
                const std::size_t i = turn == turned::yes ? r : s;
                const std::size_t j = turn == turned::yes ? s : r;
                for (std::size_t f = 0; f < columns && m_bits.kept(i, j); ++f) {
                    c.first[s * c.stride + f] +=
                        alpha * a[i * m_scratch.keys + j] * b.row(first + r)[f];
                }
            }
        }
    }

    /// The running softmax: output becomes the band's weighted values, largest and sum what its
    /// weights are made of.
    void weigh() {
        const bool sinks = !m_sinks.empty();
        const T start = sinks ? m_sinks[m_matrix] : -std::numeric_limits<T>::infinity();
        std::fill(m_scratch.output.begin(), m_scratch.output.end(), T(0));
        std::fill(m_scratch.largest.begin(), m_scratch.largest.end(), start);
        std::fill(
            m_scratch.sum.begin(), m_scratch.sum.end(),
            start == -std::numeric_limits<T>::infinity() ? 0 : 1
        );
        for_each_panel([&](const panel& p) {
            compute_scores(p, nullptr);
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                const T before = settled(m_scratch.largest[i]);
                m_scratch.largest[i] =
                    largest_kept(scores(i), p.keys, m_bits.row(i), m_scratch.largest[i]);
                const T after = settled(m_scratch.largest[i]);
                if (before != after && m_scratch.sum[i] != 0) {
                    const T factor = std::exp(before - after);
                    m_scratch.sum[i] *= static_cast<double>(factor);
                    std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
                }
                m_scratch.sum[i] += exponentials(scores(i), p.keys, m_bits.row(i), after);
            }
            add_product(
                turned::no, m_scratch.scores, T(1), p, m_values, p.first, m_value.columns(),
                {m_scratch.output.data(), m_value.columns()}
            );
        });
        for (std::size_t i = 0; i < m_band.rows(); ++i) {
            const T factor = inverse_sum(i);
            std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
        }
    }

    /// Where all that is kept is -infinity, no difference of infinities is taken.
    static T settled(T largest) {
        return largest == -std::numeric_limits<T>::infinity() ? T(0) : largest;
    }

    /// 0 where nothing is kept, or nothing but -infinity.
    [[nodiscard]] T inverse_sum(std::size_t i) const {
        return m_scratch.sum[i] == 0 ? T(0) : static_cast<T>(1 / m_scratch.sum[i]);
    }

    /// For each query the product of its output and upstream gradient, which all its scores share.
    void share(const factor_rows<T>& outer, gradient_scratch<T>& more) {
        for (std::size_t i = 0; i < m_band.rows(); ++i) {
            double sum = 0;
            for (std::size_t f = 0; f < m_value.columns(); ++f) {
                sum += static_cast<double>(output(i)[f]) * static_cast<double>(outer.row(i)[f]);
            }
            more.shares[i] = static_cast<T>(sum);
        }
    }

    void add_gradients(
        gradient_scratch<T>& more, const factor_rows<T>& queries, const factor_rows<T>& keys,
        const factor_rows<T>& outer, block_of<T> by_key, block_of<T> by_value
    ) {
        const std::size_t features = m_query.columns();
        std::fill(more.by_query.begin(), more.by_query.end(), T(0));
        for_each_panel([&](const panel& p) {
            compute_scores(p, m_cap != T(0) ? &more.slopes : nullptr);
            gemm<T>(
                turned::no, turned::yes, m_band.rows(), p.keys, m_value.columns(), T(1),
                outer.block(0), m_values.block(p.first), T(0),
                {more.by_scores.data(), m_scratch.keys}
            );
            for (std::size_t i = 0; i < m_band.rows(); ++i) {
                differentiate(p, i, more);
            }
            add_product(
                turned::yes, m_scratch.scores, T(1), p, outer, 0, m_value.columns(),
                {by_value.first + p.first * by_value.stride, by_value.stride}
            );
            add_product(
                turned::no, more.by_scores, m_scale, p, keys, p.first, features,
                {more.by_query.data(), features}
            );
            add_product(
                turned::yes, more.by_scores, m_scale, p, queries, 0, features,
                {by_key.first + p.first * by_key.stride, by_key.stride}
            );
        });
    }

    /// Scores become weights, and gradients by weights become those by products of queries and
    /// keys.
    void differentiate(const panel& p, std::size_t i, gradient_scratch<T>& more) {
        using V = register_t<T>;
        const V shift(settled(m_scratch.largest[i]));
        const V factor(inverse_sum(i));
        const V shared(more.shares[i]);
        T* by_score = more.by_scores.data() + i * m_scratch.keys;
        if (m_cap == T(0)) {
            map_kept(
                p.keys, m_bits.row(i), std::array<T*, 2>{scores(i), by_score},
                [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
                    const V weight = exp_nonpositive(V(x[0] - shift)) * factor;
                    x[1] = kept(V(weight * (x[1] - shared)));
                    x[0] = kept(weight);
                }
            );
            return;
        }
        map_kept(
            p.keys, m_bits.row(i),
            std::array<T*, 3>{scores(i), by_score, more.slopes.data() + i * m_scratch.keys},
            [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
                const V weight = exp_nonpositive(V(x[0] - shift)) * factor;
                x[1] = kept(V(weight * (x[1] - shared) * x[2]));
                x[0] = kept(weight);
            }
        );
    }

    const matrix_stack<const T>& m_query;
    const matrix_stack<const T>& m_key;
    const matrix_stack<const T>& m_value;
    tiles_type m_tiles;
    typename tiles_type::band_type m_band;
    std::unique_ptr<added_rows<T>> m_bias;
    std::vector<T> m_added;
    std::vector<T> m_sinks;
    T m_scale;
    T m_cap;
    attention_scratch<T> m_scratch;
    factor_rows<T> m_values;
    panel_bits m_bits;
    std::size_t m_matrix = std::numeric_limits<std::size_t>::max();
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Attention under a mask, and its gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class E>
consteval bool holds_blas_numbers() {
    if constexpr (expression<E>) {
        using value = std::remove_cv_t<value_type_t<E>>;
        return std::is_same_v<value, float> || std::is_same_v<value, double>;
    }
    return false;
}

/// Fails to compile, with one sentence, unless all are tensors of float or double, and M is a mask.
template <class M, class... E>
consteval bool require_attention() {
    constexpr bool real = (holds_blas_numbers<E>() && ...);
    static_assert(
        real,
        "xmask: attention takes query, key, value, then the mask; the first three are tensors (or lazy "
        "expressions) of float or double."
    );
    if constexpr (real) {
        return require_mask<M>();
    }
    return false;
}

template <class... E>
using attention_real = std::common_type_t<std::remove_cv_t<value_type_t<E>>...>;

template <class S>
void require_matrices(const char* function, const char* what, const S& shape) {
    if (shape.size() < 2) [[unlikely]] {
        throw_invalid(
            function, what, " has shape ", tuple_text(shape), "; expected (..., tokens, features)"
        );
    }
}

/// Throws std::invalid_argument unless the shapes fit; gives that of the scores.
template <class Q, class K, class V, class M>
any_shape scores_shape(
    const char* function, const Q& query, const K& key, const V& value, const M& m,
    const attention_options& options
) {
    require_matrices(function, "the query", query);
    require_matrices(function, "the key", key);
    require_matrices(function, "the value", value);
    const auto from_end = [](const auto& shape, std::size_t axis) {
        return static_cast<std::size_t>(shape[shape.size() - axis]);
    };
    if (from_end(query, 1) != from_end(key, 1)) [[unlikely]] {
        throw_invalid(
            function, "the query has shape ", tuple_text(query), " and the key ", tuple_text(key),
            "; expected as many features of both, the last axis"
        );
    }
    if (from_end(key, 2) != from_end(value, 2)) [[unlikely]] {
        throw_invalid(
            function, "the key has shape ", tuple_text(key), " and the value ", tuple_text(value),
            "; expected as many tokens of both, the last axis but one"
        );
    }
    const any_shape leading = without_last(query, 2);
    const auto require_leading = [&](const char* what, const any_shape& shape) {
        if (!broadcasts_to(shape, leading)) [[unlikely]] {
            throw_invalid(
                function, what, " has the leading axes ", tuple_text(shape),
                ", which do not broadcast into ", tuple_text(leading), ", those of the query"
            );
        }
    };
    require_leading("the key", without_last(key, 2));
    require_leading("the value", without_last(value, 2));
    const any_shape shape = append_axis(append_axis(leading, from_end(query, 2)), from_end(key, 2));
    require_broadcast(function, "a mask", m, shape);
    if (options.bias.get() != nullptr) {
        require_broadcast(function, "a bias", options.bias.get()->shape(), shape);
    }
    if (options.sinks.get() != nullptr) {
        require_broadcast(function, "a tensor of sinks", options.sinks.get()->shape(), leading);
    }
    if (options.scale) {
        require_option(function, "scale", *options.scale, option_range::any_number().finite());
    }
    require_option(function, "soft_cap", options.soft_cap, option_range::at_least(0).finite());
    return shape;
}

/// A container of zeros of a shape.
template <class To, class S>
To zeros_of(const char* function, const S& shape) {
    To result;
    resize_or_check(function, "the result", result, shape);
    result.fill(0);
    return result;
}

/// Gives `to` what was computed beside it, without a copy where the types are the same.
template <class To, class From>
void hand_over(To& to, From& from) {
    if constexpr (std::is_same_v<To, From>) {
        to = std::move(from);
    } else {
        assign_rows(to, from);
    }
}
} // namespace detail

/// softmax(scale * query key^T) value over the pairs that the mask keeps: scaled dot-product
/// attention.
///
/// query (..., q, features), key (..., k, features), value (..., k, value features): tensors or
/// lazy expressions of float or double, of any layout; the leading axes of key and value broadcast
/// into those of the query, so that (b, heads, group, q, d) and (b, heads, 1, k, d) are grouped
/// queries. m broadcasts into (..., q, k): true means that the query sees the key. Gives a
/// row-major container of shape (..., q, value features). options: scale, soft cap, bias, sinks. A
/// query that keeps no key gives 0. NaN and infinities in a key or value show only in queries that
/// keep it, and change no bit of any other. Throws std::invalid_argument where shapes do not fit.
///
/// Work is done in tiles of 64 x 64 pairs, two matrix products each: none where nothing is kept,
/// and no look at the mask where everything is; see tiles(). Needs memory for a few tiles, and a
/// bit for each pair of a mask without structure in 64 rows. Tensors whose rows lie side by side in
/// memory are read in place. A BLAS gains nothing by sharing so small products among its threads:
/// one thread is best (OPENBLAS_NUM_THREADS=1).
///
///     auto causal = xmask::keep_causal(n, n);
///     xt::xtensor<float, 3> y = xmask::masked_attention(query, key, value, causal && xmask::unsqueeze(m, 1));
template <class Q, class K, class V, class M>
auto masked_attention(
    const Q& query, const K& key, const V& value, const M& m, const attention_options& options = {}
) {
    if constexpr (detail::require_attention<M, Q, K, V>()) {
        using T = detail::attention_real<Q, K, V>;
        constexpr const char* name = "masked_attention";
        const auto shape = detail::scores_shape(
            name, query.shape(), key.shape(), value.shape(), m.shape(), options
        );
        auto result_shape = detail::any_shape(query.shape().begin(), query.shape().end());
        result_shape.back() = detail::columns_of(value.shape());
        using result_type = detail::row_major_copy_t<T, Q>;
        auto result = detail::zeros_of<result_type>(name, result_shape);
        const auto leading = detail::without_last(shape, 2);
        const detail::matrix_stack<const T> queries(query, leading);
        const detail::matrix_stack<const T> keys(key, leading);
        const detail::matrix_stack<const T> values(value, leading);
        const detail::matrix_stack<T> to(result, leading);
        detail::attention_walk<T, M>(m, shape, queries, keys, values, options).forward(to);
        return result;
    }
}

/// The gradients of masked_attention(query, key, value, m, options) by query, key and value, given
/// that by its result.
///
/// upstream: of the result's shape. by_query, by_key, by_value: containers, which are given the
/// shapes of query, key and value, or tensors and views of those shapes. What is dropped is never
/// seen: a key or value that no query keeps has the gradient 0, as a query has that keeps none,
/// whatever stands there. Throws std::invalid_argument where shapes do not fit, or two gradients share
/// memory, before anything is written. The scores are computed again, twice: seven matrix products a tile in all, and no
/// memory beside the gradients and a few tiles.
///
///     xt::xtensor<float, 3> dq, dk, dv;
///     xmask::masked_attention_gradient(query, key, value, xmask::keep_causal(n, n), hidden, dq, dk, dv);
template <class Q, class K, class V, class M, class G, class DQ, class DK, class DV>
void masked_attention_gradient(
    const Q& query, const K& key, const V& value, const M& m, const G& upstream, DQ&& by_query,
    DK&& by_key, DV&& by_value, const attention_options& options = {}
) {
    if constexpr (detail::require_attention<M, Q, K, V, G>()) {
        using T = detail::attention_real<Q, K, V>;
        constexpr const char* name = "masked_attention_gradient";
        const auto shape = detail::scores_shape(
            name, query.shape(), key.shape(), value.shape(), m.shape(), options
        );
        auto result_shape = detail::any_shape(query.shape().begin(), query.shape().end());
        result_shape.back() = detail::columns_of(value.shape());
        detail::require_same_shape(
            name, "the upstream gradient", upstream.shape(), "attention", result_shape
        );
        detail::require_distinct(
            name, "the gradient by query", by_query, "the gradient by key", by_key,
            "the gradient by value", by_value
        );
        detail::resize_or_check(name, "the gradient by query", by_query, query.shape());
        detail::resize_or_check(name, "the gradient by key", by_key, key.shape());
        detail::resize_or_check(name, "the gradient by value", by_value, value.shape());
        // A gradient may be written where one of the tensors lies, so it is computed beside it.
        auto own_query = detail::zeros_of<detail::row_major_copy_t<T, Q>>(name, query.shape());
        auto own_key = detail::zeros_of<detail::row_major_copy_t<T, K>>(name, key.shape());
        auto own_value = detail::zeros_of<detail::row_major_copy_t<T, V>>(name, value.shape());
        {
            const auto leading = detail::without_last(shape, 2);
            const detail::matrix_stack<const T> queries(query, leading);
            const detail::matrix_stack<const T> keys(key, leading);
            const detail::matrix_stack<const T> values(value, leading);
            const detail::matrix_stack<const T> outer(upstream, leading);
            const detail::matrix_stack<T> to_query(own_query, leading);
            const detail::matrix_stack<T> to_key(own_key, leading);
            const detail::matrix_stack<T> to_value(own_value, leading);
            detail::attention_walk<T, M>(m, shape, queries, keys, values, options)
                .backward(outer, to_query, to_key, to_value);
        }
        detail::hand_over(by_query, own_query);
        detail::hand_over(by_key, own_key);
        detail::hand_over(by_value, own_value);
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/layers/linear.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// A linear layer whose weights are masked, or gated, and its gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class T>
using row_major_array = xt::xarray<T, xt::layout_type::row_major>;

/// Whether e's elements lie in memory in row-major order, without gaps.
template <class E>
bool is_contiguous(const E& e) {
    std::ptrdiff_t stride = 1;
    for (std::size_t axis = e.dimension(); axis-- > 0;) {
        const auto extent = static_cast<std::ptrdiff_t>(e.shape()[axis]);
        if (extent != 1 && static_cast<std::ptrdiff_t>(e.strides()[axis]) != stride) {
            return false;
        }
        stride *= extent;
    }
    return true;
}

/// A tensor's rows as those of one matrix: in its own memory where they lie there side by side,
/// else a copy.
template <class T>
class row_matrix {
public:
    template <class E>
    explicit row_matrix(const E& e) : m_rows(rows_of(e.shape())), m_columns(columns_of(e.shape())) {
        if constexpr (has_memory<E> && std::is_same_v<std::remove_cv_t<value_type_t<E>>, T>) {
            if (is_contiguous(e)) {
                m_data = e.data() + e.data_offset();
                return;
            }
        }
        m_copy.resize(any_shape(e.shape().begin(), e.shape().end()));
        assign_rows(m_copy, e);
        m_data = m_copy.data();
    }

    row_matrix(const row_matrix&) = delete;
    row_matrix& operator=(const row_matrix&) = delete;

    [[nodiscard]] std::size_t rows() const noexcept { return m_rows; }

    [[nodiscard]] const T* row(std::size_t r) const noexcept { return m_data + r * m_columns; }

    [[nodiscard]] block_of<const T> block() const noexcept { return {m_data, m_columns}; }

private:
    row_major_array<T> m_copy;
    const T* m_data = nullptr;
    std::size_t m_rows;
    std::size_t m_columns;
};

/// A factor of products with weights that are 0 where a mask drops them: times NaN or an infinity
/// those are not 0, so the products take 0 for these, and what they go into is computed again.
template <class T>
class finite_factor {
public:
    /// dropping: whether there is a mask; a gate sees everything.
    finite_factor(const row_matrix<T>& x, std::size_t columns, bool dropping) : m_block(x.block()) {
        for (std::size_t r = 0; dropping && r < x.rows(); ++r) {
            if (!all_finite(x.row(r), columns)) [[unlikely]] {
                m_spoilt.push_back(r);
            }
        }
        if (!m_spoilt.empty()) {
            m_copy.assign(x.row(0), x.row(x.rows()));
            std::replace_if(
                m_copy.begin(), m_copy.end(), [](T value) { return !std::isfinite(value); }, T(0)
            );
            m_block.first = m_copy.data();
        }
    }

    finite_factor(const finite_factor&) = delete;
    finite_factor& operator=(const finite_factor&) = delete;

    [[nodiscard]] block_of<const T> block() const noexcept { return m_block; }

    /// The rows that hold NaN or an infinity.
    [[nodiscard]] const std::vector<std::size_t>& spoilt() const noexcept { return m_spoilt; }

private:
    static bool all_finite(const T* row, std::size_t columns) {
        // No early end: so the compiler looks at many at a time.
        T sum(0);
        for (std::size_t c = 0; c < columns; ++c) {
            sum += row[c] * T(0);
        }
        return sum == T(0);
    }

    block_of<const T> m_block;
    std::vector<T> m_copy;
    std::vector<std::size_t> m_spoilt;
};

/// The weights of a layer with its mask or gate applied, and products with them that see nothing of
/// what a mask drops.
template <class T, class M>
class layer_weights {
public:
    template <class W>
    layer_weights(const W& weight, const M& m)
        : m_mask(m)
        , m_out(static_cast<std::size_t>(weight.shape()[0]))
        , m_in(static_cast<std::size_t>(weight.shape()[1])) {
        m_weights.resize({m_out, m_in});
        assign_rows(m_weights, multiply(weight, m));
    }

    /// y = x weights^T + bias, of rows of `in` and of `out` numbers.
    void forward(const row_matrix<T>& x, const T* bias, T* y) const {
        for (std::size_t r = 0; r < x.rows(); ++r) {
            std::copy_n(bias, m_out, y + r * m_out);
        }
        const finite_factor<T> factor(x, m_in, mask_expression<M>);
        gemm<T>(
            turned::no, turned::yes, x.rows(), m_out, m_in, T(1), factor.block(), block(), T(1),
            {y, m_out}
        );
        for (const std::size_t r : factor.spoilt()) {
            add_again(x.row(r), bias, y + r * m_out, [](std::size_t out, std::size_t in) {
                return std::pair(in, out);
            });
        }
    }

    /// by_x = upstream weights.
    void backward(const row_matrix<T>& upstream, T* by_x) const {
        const finite_factor<T> factor(upstream, m_out, mask_expression<M>);
        gemm<T>(
            turned::no, turned::no, upstream.rows(), m_in, m_out, T(1), factor.block(), block(),
            T(0), {by_x, m_in}
        );
        const std::vector<T> zeros(m_in);
        for (const std::size_t r : factor.spoilt()) {
            add_again(
                upstream.row(r), zeros.data(), by_x + r * m_in,
                [](std::size_t out, std::size_t in) { return std::pair(out, in); }
            );
        }
    }

private:
    [[nodiscard]] block_of<const T> block() const noexcept { return {m_weights.data(), m_in}; }

    /// Computes again what a row's NaN and infinities go into, start plus the row times kept
    /// weights alone; all else stays as it is, to the bit. ends(out, in) gives which number of the
    /// row a weight takes to which result.
    template <class F>
    void add_again(const T* row, const T* start, T* to, F&& ends) const {
        std::vector<char> again(std::max(m_in, m_out));
        for_each_kept([&](std::size_t out, std::size_t in) {
            const auto [from, at] = ends(out, in);
            if (!std::isfinite(row[from])) {
                again[at] = 1;
                to[at] = start[at];
            }
        });
        for_each_kept([&](std::size_t out, std::size_t in) {
            const auto [from, at] = ends(out, in);
            if (again[at] != 0) {
                to[at] += row[from] * m_weights(out, in);
            }
        });
    }

    template <class F>
    void for_each_kept(F&& f) const {
        if constexpr (mask_expression<M>) {
            const mask_rows<M> rows(m_mask, m_weights.shape());
            for (std::size_t j = 0; j < m_out; ++j) {
                for_each_kept_block(
                    rows.row(j), 0, m_in,
                    [&](std::size_t c, std::size_t /*count*/, word_t bits) {
                        for (; bits != 0; bits &= bits - 1) {
                            f(j, c + lowest_bit(bits));
                        }
                    }
                );
            }
        }
    }

    row_major_array<T> m_weights;
    const M& m_mask;
    std::size_t m_out;
    std::size_t m_in;
};

template <class E>
struct is_sigmoid_gate : std::false_type {};

template <class CT>
struct is_sigmoid_gate<applied<gate_op<CT>>> : std::true_type {};

/// Fails to compile, with one sentence, unless all are tensors of one type that a BLAS has, and M
/// is a mask or a gate.
template <class M, class X, class... E>
consteval bool require_linear() {
    constexpr bool real = [] {
        if constexpr (expression<X> && (expression<E> && ...)) {
            using T = std::remove_cv_t<value_type_t<X>>;
            return (std::is_same_v<T, float> || std::is_same_v<T, double>) &&
                   (std::is_same_v<std::remove_cv_t<value_type_t<E>>, T> && ...);
        }
        return false;
    }();
    static_assert(
        real,
        "xmask: a linear layer takes x, weight and bias, then the mask; the first three are tensors (or lazy "
        "expressions), all of float or all of double."
    );
    if constexpr (real) {
        return require_mask_or_weights<M>();
    }
    return false;
}

template <class X, class W, class M>
void require_linear_shapes(const char* function, const X& x, const W& weight, const M& m) {
    if (weight.dimension() != 2) [[unlikely]] {
        throw_invalid(
            function, "the weight has shape ", tuple_text(weight.shape()), "; expected (out, in)"
        );
    }
    if (x.dimension() == 0 || x.shape()[x.dimension() - 1] != weight.shape()[1]) [[unlikely]] {
        throw_invalid(
            function, "x has shape ", tuple_text(x.shape()), "; expected (..., ", weight.shape()[1],
            ") for a weight of shape ", tuple_text(weight.shape())
        );
    }
    require_broadcast(
        function, mask_expression<M> ? "a mask" : "a gate", m.shape(), weight.shape()
    );
}

/// x's shape with another last axis.
template <class S>
any_shape with_columns(const S& shape, std::size_t columns) {
    any_shape result(shape.begin(), shape.end());
    result[result.size() - 1] = columns;
    return result;
}

/// Calls f(place) to write the row-major elements of `to`: there, or in an array that is then
/// copied.
template <class T, class To, class F>
void write_row_major(To& to, F&& f) {
    if constexpr (has_memory<To> && std::is_same_v<std::remove_cv_t<value_type_t<To>>, T>) {
        if (is_contiguous(to)) {
            f(to.data() + to.data_offset());
            return;
        }
    }
    auto result = row_major_array<T>::from_shape(any_shape(to.shape().begin(), to.shape().end()));
    f(result.data());
    assign_rows(to, result);
}

/// Whether one of several gradients lies in the memory of an operand, all of which are read until
/// the last gradient is written.
template <class... To, class... E>
bool overwrites_any(const std::tuple<To&...>& gradients, const E&... e) {
    const auto sources = std::tuple(read_anywhere(e)...);
    return call_with(
        [&](const auto&... to) { return (reads_too_late(to, to.shape(), sources) || ...); },
        gradients
    );
}

/// Gives a gradient what was computed beside it.
template <class To, class From>
void give(To& to, const From& from) {
    resize_or_check("masked_linear_gradient", "a gradient", to, from.shape());
    assign_rows(to, from);
}

/// The gradients by x and by the bias; f(product) is given upstream^T x, the gradient by the
/// weights as multiplied.
template <class T, class X, class W, class M, class U, class ToX, class ToW, class ToB, class F>
void slopes_of_linear(
    const X& x, const W& weight, const M& m, const U& upstream, ToX& by_x, ToW& by_weight,
    ToB& by_bias, F&& f
) {
    constexpr const char* function = "masked_linear_gradient";
    require_linear_shapes(function, x, weight, m);
    const auto out = static_cast<std::size_t>(weight.shape()[0]);
    const auto in = static_cast<std::size_t>(weight.shape()[1]);
    if (!equal_shapes(upstream.shape(), with_columns(x.shape(), out))) [[unlikely]] {
        throw_invalid(
            function, "the upstream gradient has shape ", tuple_text(upstream.shape()),
            "; expected ", tuple_text(with_columns(x.shape(), out))
        );
    }
    require_distinct(
        function, "the gradient by x", by_x, "the gradient by the weight", by_weight,
        "the gradient by the bias", by_bias
    );
    resize_or_check(function, "the gradient by x", by_x, x.shape());
    resize_or_check(function, "the gradient by the weight", by_weight, weight.shape());
    resize_or_check(function, "the gradient by the bias", by_bias, any_shape{out});
    const row_matrix<T> inputs(x);
    const row_matrix<T> slopes(upstream);
    auto product = row_major_array<T>::from_shape({out, in});
    gemm<T>(
        turned::yes, turned::no, out, in, slopes.rows(), T(1), slopes.block(), inputs.block(), T(0),
        {product.data(), in}
    );
    f(product);
    write_row_major<T>(by_bias, [&](T* to) {
        std::vector<double> sums(out);
        for (std::size_t r = 0; r < slopes.rows(); ++r) {
            std::transform(
                sums.begin(), sums.end(), slopes.row(r), sums.begin(), std::plus<double>()
            );
        }
        std::transform(sums.begin(), sums.end(), to, [](double sum) {
            return static_cast<T>(sum);
        });
    });
    const layer_weights<T, M> weights(weight, m);
    write_row_major<T>(by_x, [&](T* to) { weights.backward(slopes, to); });
}
} // namespace detail

/// A linear layer with masked weights: y = x (weight masked)^T + bias.
///
/// x: (..., in); weight: (out, in), as in PyTorch; bias: (out); all of float or all of double,
/// tensors or lazy expressions. m: a mask, or a gate of real numbers such as sigmoid_gate(z), that
/// broadcasts into the weight. Gives a new xt::xarray of shape (..., out). What a mask drops is not
/// seen: NaN there, or the NaN or infinity of x that it would meet, changes nothing. Throws
/// std::invalid_argument where shapes do not fit. One matrix product by BLAS, and a pass over the
/// weights into a copy of them.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}, {5, 6}};
///     xt::xtensor<float, 1> bias = {0, 10};
///     auto y = xmask::masked_linear(x, weight, bias, xmask::keep_above(weight, 3.5f));
///     // 8 27
template <class X, class W, class B, class M>
auto masked_linear(const X& x, const W& weight, const B& bias, const M& m) {
    if constexpr (detail::require_linear<M, X, W, B>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        detail::require_linear_shapes("masked_linear", x, weight, m);
        const auto out = static_cast<std::size_t>(weight.shape()[0]);
        if (bias.dimension() != 1 || bias.shape()[0] != weight.shape()[0]) [[unlikely]] {
            detail::throw_invalid(
                "masked_linear", "the bias has shape ", detail::tuple_text(bias.shape()),
                "; expected (", out, ",) for a weight of shape ", detail::tuple_text(weight.shape())
            );
        }
        auto y = detail::row_major_array<T>::from_shape(detail::with_columns(x.shape(), out));
        const detail::row_matrix<T> biases(bias);
        detail::layer_weights<T, M>(weight, m).forward(
            detail::row_matrix<T>(x), biases.row(0), y.data()
        );
        return y;
    }
}

/// The gradients of masked_linear by x, weight and bias, for the gradient of what it feeds, which
/// has the shape of masked_linear's result.
///
/// Each is given the shape of what it is the gradient of. By the weight it is exactly 0 where a
/// mask drops. Throws std::invalid_argument where shapes do not fit, or two gradients share memory,
/// before anything is written.
/// Two matrix products by BLAS.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}}, upstream = {{1}}, by_x, by_weight;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::keep_above(weight, 3.5f), upstream, by_x, by_weight, by_bias);
///     std::cout << by_weight(0, 0) << ' ' << by_weight(0, 1);    // 0 2
template <class X, class W, class M, class U, class ToX, class ToW, class ToB>
void masked_linear_gradient(
    const X& x, const W& weight, const M& m, const U& upstream, ToX&& by_x, ToW&& by_weight,
    ToB&& by_bias
) {
    if constexpr (detail::require_linear<M, X, W, U>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        if (detail::overwrites_any(std::tie(by_x, by_weight, by_bias), x, weight, m, upstream)) {
            detail::row_major_array<T> own_x, own_weight, own_bias;
            masked_linear_gradient(x, weight, m, upstream, own_x, own_weight, own_bias);
            detail::give(by_x, own_x);
            detail::give(by_weight, own_weight);
            detail::give(by_bias, own_bias);
            return;
        }
        detail::slopes_of_linear<T>(
            x, weight, m, upstream, by_x, by_weight, by_bias,
            [&](const auto& product) { detail::assign_rows(by_weight, multiply(product, m)); }
        );
    }
}

/// The same for a gate, with the gradient by it: of sigmoid_gate(z) by z, of other weights by
/// these. The gate has the weight's shape.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{4, 8}}, z = {{0, 0}}, upstream = {{1}}, by_x, by_weight, by_z;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::sigmoid_gate(z), upstream, by_x, by_weight, by_bias, by_z);
///     std::cout << by_z(0, 0) << ' ' << by_z(0, 1);    // 1 4
template <class X, class W, class M, class U, class ToX, class ToW, class ToB, class ToG>
void masked_linear_gradient(
    const X& x, const W& weight, const M& gate, const U& upstream, ToX&& by_x, ToW&& by_weight,
    ToB&& by_bias, ToG&& by_gate
) {
    if constexpr (detail::require_linear<M, X, W, U>()) {
        static_assert(
            !mask_expression<M>, "xmask: a mask has no gradient; only a gate of real numbers has."
        );
        using T = std::remove_cv_t<value_type_t<X>>;
        constexpr const char* function = "masked_linear_gradient";
        if (!detail::equal_shapes(gate.shape(), weight.shape())) [[unlikely]] {
            detail::throw_invalid(
                function, "the gate has shape ", detail::tuple_text(gate.shape()),
                "; expected that of the weight, ", detail::tuple_text(weight.shape())
            );
        }
        const char* by_gate_name = "the gradient by the gate";
        detail::require_distinct(function, "the gradient by x", by_x, by_gate_name, by_gate);
        detail::require_distinct(
            function, "the gradient by the weight", by_weight, by_gate_name, by_gate
        );
        detail::require_distinct(
            function, "the gradient by the bias", by_bias, by_gate_name, by_gate
        );
        if (detail::overwrites_any(
                std::tie(by_x, by_weight, by_bias, by_gate), x, weight, gate, upstream
            )) {
            detail::row_major_array<T> own_x, own_weight, own_bias, own_gate;
            masked_linear_gradient(
                x, weight, gate, upstream, own_x, own_weight, own_bias, own_gate
            );
            detail::give(by_x, own_x);
            detail::give(by_weight, own_weight);
            detail::give(by_bias, own_bias);
            detail::give(by_gate, own_gate);
            return;
        }
        detail::resize_or_check(function, by_gate_name, by_gate, weight.shape());
        detail::slopes_of_linear<T>(
            x, weight, gate, upstream, by_x, by_weight, by_bias,
            [&](const auto& product) {
                if constexpr (detail::is_sigmoid_gate<M>::value) {
                    sigmoid_gate_gradient(weight, gate.op().operand(), product, by_weight, by_gate);
                } else {
                    detail::assign_rows(by_weight, multiply(product, gate));
                    detail::assign_rows(by_gate, multiply(product, weight));
                }
            }
        );
    }
}
} // namespace xmask::inline XMASK_ABI
