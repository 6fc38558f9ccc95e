// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.
//
// The layers of xmask, which need xmask.hpp beside them and a BLAS, in one file, made by cmake/amalgamate.cmake: change the headers in include/xmask instead of this one.

#pragma once

#include "xmask.hpp"

// ==== xmask/layers.hpp ====

/// @file
/// All headers that need a BLAS. They need xtensor-blas on the include path, and a BLAS to link.

// ==== xmask/layers/attention.hpp ====

#include <cstddef>
#include <type_traits>

// ==== xmask/layers/attention_options.hpp ====

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

/// @file
/// Options of attention: scale, soft cap, bias, sinks.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Copies columns [c, c + count) of row r of a tensor to `to`: f(r, c, count, to).
template <class T>
using row_reader = std::function<void(std::size_t, std::size_t, std::size_t, T*)>;

/// A tensor of numbers of any type, which attention adds.
struct added_tensor {
    std::function<any_shape()> shape;
    std::function<row_reader<float>(const any_shape&)>
        floats; ///< of the tensor broadcast to a shape
    std::function<row_reader<double>(const any_shape&)> doubles;

    /// Reads the tensor, broadcast to a shape, as T.
    template <class T>
    [[nodiscard]] row_reader<T> rows(const any_shape& to) const {
        if constexpr (std::is_same_v<T, float>) {
            return floats(to);
        } else {
            return doubles(to);
        }
    }
};

/// Reads e, broadcast to a shape, as T.
template <class T, class E>
row_reader<T> make_row_reader(const E& e, const any_shape& shape) {
    return
        [rows = make_operand<T>(e, shape)](std::size_t r, std::size_t c, std::size_t count, T* to) {
            auto row = rows.row(r);
            for_each_block(c, c + count, [&](std::size_t at, std::size_t width) {
                store_block<false>(to + (at - c), row.block(at, width, first_bits(width)), width);
            });
        };
}

/// Holds a tensor, an lvalue by reference.
template <class E>
std::shared_ptr<const added_tensor> make_added_tensor(E&& e) {
    const auto held = std::make_shared<const std::tuple<closure_t<E>>>(std::forward<E>(e));
    return std::make_shared<const added_tensor>(added_tensor{
        [held] {
            const auto& shape = std::get<0>(*held).shape();
            return any_shape(shape.begin(), shape.end());
        },
        [held](const any_shape& shape) {
            return make_row_reader<float>(std::get<0>(*held), shape);
        },
        [held](const any_shape& shape) {
            return make_row_reader<double>(std::get<0>(*held), shape);
        }
    });
}

/// Fails to compile, with one sentence, unless E is a tensor of numbers.
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

/// A number, or a tensor or lazy expression of numbers of any type, that attention adds. An lvalue
/// is held by reference.
class attention_term {
public:
    /// Adds nothing.
    attention_term() = default;

    /// @param value the number for all places.
    template <class V>
        requires std::is_arithmetic_v<V>
    attention_term(V value) : attention_term(xt::xarray<double>(static_cast<double>(value))) {}

    /// @param e a tensor or lazy expression of numbers that broadcasts to where it is added.
    template <expression E>
        requires(!std::is_same_v<std::remove_cvref_t<E>, attention_term>)
    attention_term(E&& e) {
        if constexpr (detail::require_term<E>()) {
            m_term = detail::make_added_tensor(std::forward<E>(e));
        }
    }

    /// @returns the tensor, or null where nothing is added.
    [[nodiscard]] const detail::added_tensor* get() const noexcept { return m_term.get(); }

private:
    std::shared_ptr<const detail::added_tensor> m_term;
};

/// Options of attention.
///
///     auto y = xmask::masked_attention(query, key, value, xmask::keep_causal(n, n), {.scale = 0.125, .soft_cap = 50});
///     // (3, 4, 5)
struct attention_options {
    std::optional<double> scale = {}; ///< factor of query key^T; by default 1 / sqrt(features)
    double soft_cap = 0;      ///< scores become soft_cap * tanh(score / soft_cap); 0: no cap
    attention_term bias = {}; ///< added after the cap; broadcasts into (..., queries, keys)

    /// A logit for each head: a number, or a tensor that broadcasts into the leading axes of the
    /// query. It joins the sum by which a query's weights are divided, as a key without a value
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
#include <vector>

// ==== xmask/layers/attention_rows.hpp ====

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>

/// @file
/// Operations of attention on the rows of a masked panel of scores.

namespace xmask::inline XMASK_ABI::detail {
/// Queries of a band, keys of a tile, and the largest number of tiles in a panel. A panel of scores
/// stays in a core's own cache.
inline constexpr std::size_t band_queries = 64;
inline constexpr std::size_t tile_keys = word_columns;
inline constexpr std::size_t panel_tiles = 4;
inline constexpr std::size_t panel_keys = panel_tiles * tile_keys;

/// Neighbouring tiles of a band.
struct panel {
    std::size_t first; ///< its first key
    std::size_t keys;
    bool whole; ///< every pair is kept
};

/// The kept pairs of a panel: a word for each query and tile.
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

/// Calls f(x, kept) for each register of some rows and stores x. x is an array of one register of
/// each row; f changes it. kept(y) is y where the column is kept, 0 where it is dropped. Words that
/// keep nothing become 0 without a call.
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

/// Registers of T, or T where it has no registers.
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

/// The sum of a register's elements, or a number as it is.
template <class V>
auto sum_of(const V& x) {
    if constexpr (std::is_arithmetic_v<V>) {
        return x;
    } else {
        return xsimd::reduce_add(x);
    }
}

/// The maximum of `largest` and a row's kept scores.
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

/// Replaces scores by exp(score - largest), 0 where dropped.
/// @returns their sum.
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

// ==== xmask/layers/attention_scores.hpp ====

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <vector>

// ==== xmask/layers/gemm.hpp ====

#include <algorithm>
#include <complex> // xtensor-blas uses it and does not include it
#include <cstddef>

#include <xtensor-blas/xblas_config.hpp>

#include <xflens/cxxblas/cxxblas.cxx>

/// @file
/// The only file that names xtensor-blas: the product of matrices as they lie in memory.

namespace xmask::inline XMASK_ABI::detail {
/// Whether a factor is transposed.
enum class turned : bool { no, yes };

/// A row-major matrix in memory: rows lie `stride` elements apart.
template <class T>
struct matrix_view {
    T* first;
    std::size_t stride;

    [[nodiscard]] T* row(std::size_t r) const noexcept { return first + r * stride; }

    /// Without the first r rows.
    [[nodiscard]] matrix_view from(std::size_t r) const noexcept { return {row(r), stride}; }
};

/// C = alpha A B + beta C. C is (m, n); A and B, transposed where `turned` says so, are (m, k) and
/// (k, n). T is float or double.
template <class T>
void gemm(
    turned turn_a, turned turn_b, std::size_t m, std::size_t n, std::size_t k, T alpha,
    matrix_view<const T> a, matrix_view<const T> b, T beta, matrix_view<T> c
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

#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

/// @file
/// Tensors as matrices that a matrix product reads in place, and results that are computed beside
/// their targets.

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

/// The shape with another last axis.
template <class S>
any_shape with_columns(const S& shape, std::size_t columns) {
    any_shape result(shape.begin(), shape.end());
    result.back() = columns;
    return result;
}

/// The matrices of a tensor. Rows of T that lie one distance apart are read in place, those of any
/// other tensor are copied.
template <class T>
class matrix_stack {
public:
    /// The last two axes are matrices. They are numbered by the leading axes that are walked, into
    /// which those of the tensor broadcast.
    template <class E>
    matrix_stack(E& e, const any_shape& leading) {
        read(e, &leading);
    }

    /// One matrix of all rows.
    template <class E>
    explicit matrix_stack(E& e) {
        read(e, nullptr);
    }

    // The matrices may lie in m_copy.
    matrix_stack(const matrix_stack&) = delete;
    matrix_stack& operator=(const matrix_stack&) = delete;

    [[nodiscard]] matrix_view<T> operator[](std::size_t matrix) const noexcept {
        return {m_data + m_offsets(matrix), m_stride};
    }

    /// Extents of one matrix.
    [[nodiscard]] std::size_t rows() const noexcept { return m_rows; }

    [[nodiscard]] std::size_t columns() const noexcept { return m_columns; }

private:
    template <class E>
    void read(E& e, const any_shape* leading) {
        if constexpr (has_memory<E> &&
                      std::is_same_v<std::remove_cv_t<value_type_t<E>>, std::remove_cv_t<T>>) {
            if (place(e.shape(), e.strides(), leading)) {
                m_data = first_element(e);
                return;
            }
        }
        if constexpr (std::is_const_v<T>) {
            m_copy.resize(any_shape(e.shape().begin(), e.shape().end()));
            assign_rows(m_copy, e);
            place(m_copy.shape(), m_copy.strides(), leading);
            m_data = m_copy.data();
        }
    }

    /// Finds out how the matrices lie; false where a matrix product cannot read them so.
    template <class S, class D>
    bool place(const S& shape, const D& strides, const any_shape* leading) {
        const std::size_t rank = shape.size();
        std::ptrdiff_t stride = 0;
        bool one_distance = true;
        m_columns = columns_of(shape);
        if (leading != nullptr) {
            m_rows = static_cast<std::size_t>(shape[rank - 2]);
            stride = static_cast<std::ptrdiff_t>(strides[rank - 2]);
            // row_offsets numbers rows; the rows of these shapes are the matrices.
            m_offsets = row_offsets(
                append_axis(*leading, 1), append_axis(without_last(shape, 2), 1), strides
            );
        } else {
            m_rows = rows_of(shape);
            const row_offsets offsets(shape, shape, strides);
            stride = m_rows > 1 ? offsets(1) : 0;
            one_distance = offsets.uniform(static_cast<std::size_t>(stride));
        }
        m_stride = m_rows <= 1 ? m_columns : static_cast<std::size_t>(stride);
        const bool side_by_side = m_columns <= 1 || strides[rank - 1] == 1;
        const bool apart =
            one_distance && std::cmp_greater_equal(stride, m_columns) &&
            std::cmp_less_equal(stride, std::numeric_limits<xt::blas_index_t>::max());
        return side_by_side && (m_rows <= 1 || apart);
    }

    xt::xarray<std::remove_cv_t<T>, xt::layout_type::row_major> m_copy;
    T* m_data = nullptr;
    std::size_t m_rows = 0;
    std::size_t m_columns = 0;
    std::size_t m_stride = 0;
    row_offsets m_offsets;
};

/// A result that was computed beside its target, because the target may lie in an operand's memory.
template <class To, class From>
struct finished {
    const char* name;
    To& to;
    From& from;

    void resize(const char* function) const { resize_or_check(function, name, to, from.shape()); }

    /// Copies nothing where the types are the same.
    void hand_over() const {
        if constexpr (std::is_same_v<To, From>) {
            to = std::move(from);
        } else {
            assign_rows(to, from);
        }
    }
};

template <class To, class From>
finished(const char*, To&, From&) -> finished<To, From>; // for clang++ 16

/// Hands all results over. Throws std::invalid_argument before anything is written where a target
/// has another shape and cannot be resized.
template <class... R>
void hand_over(const char* function, const R&... results) {
    (results.resize(function), ...);
    (results.hand_over(), ...);
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// The scores of attention, band by band and panel by panel.

namespace xmask::inline XMASK_ABI::detail {
/// The scores of one band of queries. A band's tiles that keep anything are its panels, neighbours
/// together, so that a matrix product is worth its call.
template <class T, class M>
class attention_scores {
    using tiles_type = mask_tiles<const M&>;

public:
    /// The shapes have been checked.
    attention_scores(
        const M& m, const any_shape& scores_shape, const matrix_stack<const T>& query,
        const matrix_stack<const T>& key, const attention_options& options
    )
        : m_query(query)
        , m_key(key)
        , m_tiles(m, scores_shape, tiling::of(scores_shape, band_queries, tile_keys))
        , m_band(m_tiles.band())
        , m_bias(
              options.bias.get() != nullptr ? options.bias.get()->template rows<T>(scores_shape)
                                            : nullptr
          )
        , m_added(m_bias != nullptr ? panel_keys : 0)
        , m_scale(static_cast<T>(scale_of(options, query.columns())))
        , m_cap(static_cast<T>(options.soft_cap))
        , m_stride(std::min(key.rows(), panel_keys))
        , m_scores(std::min(query.rows(), band_queries) * m_stride) {}

    [[nodiscard]] std::size_t bands() const noexcept { return m_tiles.rows(); }

    void seek(std::size_t band) { m_band.seek(band); }

    /// The matrix of the band, its first query there, and how many it has.
    [[nodiscard]] std::size_t matrix() const noexcept { return m_band.matrix(); }

    [[nodiscard]] std::size_t first_query() const noexcept { return m_band.row(); }

    [[nodiscard]] std::size_t queries() const noexcept { return m_band.rows(); }

    /// The band's own rows of a stack.
    [[nodiscard]] matrix_view<const T> rows_of_band(const matrix_stack<const T>& stack) const {
        return stack[m_band.matrix()].from(m_band.row());
    }

    /// The factor of products of queries and keys.
    [[nodiscard]] T scale() const noexcept { return m_scale; }

    /// Whether there is a soft cap.
    [[nodiscard]] bool caps() const noexcept { return m_cap != T(0); }

    /// Which pairs of the panel are kept.
    [[nodiscard]] const panel_bits& bits() const noexcept { return m_bits; }

    /// The panel's scores, one row a query. Rows lie stride() apart.
    [[nodiscard]] T* row(std::size_t i) { return m_scores.data() + i * m_stride; }

    [[nodiscard]] const std::vector<T>& all() const noexcept { return m_scores; }

    [[nodiscard]] std::size_t stride() const noexcept { return m_stride; }

    /// Calls f(panel) for the panels of the band.
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

    /// Computes the scores of a panel, as the softmax takes them. `slopes` gets the derivative of
    /// the soft cap, for gradients.
    void compute(const panel& p, std::vector<T>* slopes) {
        gemm<T>(
            turned::no, turned::yes, m_band.rows(), p.keys, m_query.columns(), m_scale,
            rows_of_band(m_query), m_key[m_band.matrix()].from(p.first), T(0),
            {m_scores.data(), m_stride}
        );
        for (std::size_t i = 0; i < m_band.rows() && caps(); ++i) {
            cap(row(i), p.keys, slopes == nullptr ? nullptr : slopes->data() + i * m_stride);
        }
        for (std::size_t i = 0; i < m_band.rows() && m_bias != nullptr; ++i) {
            const std::size_t r = m_band.matrix() * m_query.rows() + m_band.row() + i;
            m_bias(r, p.first, p.keys, m_added.data());
            std::transform(row(i), row(i) + p.keys, m_added.data(), row(i), std::plus<>());
        }
    }

private:
    static double scale_of(const attention_options& options, std::size_t features) {
        return options.scale.value_or(
            features == 0 ? 1 : 1 / std::sqrt(static_cast<double>(features))
        );
    }

    void cap(T* scores, std::size_t columns, T* slopes) const {
        using V = register_t<T>;
        const V limit(m_cap);
        const V one(T(1));
        std::array<word_t, panel_tiles> all; // bits past the row are not looked at
        all.fill(~word_t(0));
        if (slopes == nullptr) {
            map_kept(columns, all.data(), std::array<T*, 1>{scores}, [&](auto& x, auto&&) {
                x[0] = limit * tanh_of(V(x[0] / limit));
            });
            return;
        }
        map_kept(columns, all.data(), std::array<T*, 2>{scores, slopes}, [&](auto& x, auto&&) {
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

    const matrix_stack<const T>& m_query;
    const matrix_stack<const T>& m_key;
    tiles_type m_tiles;
    typename tiles_type::band_type m_band;
    panel_bits m_bits;
    row_reader<T> m_bias; // empty where nothing is added
    std::vector<T> m_added;
    T m_scale;
    T m_cap;
    std::size_t m_stride;
    std::vector<T> m_scores;
};
} // namespace xmask::inline XMASK_ABI::detail

// ==== xmask/layers/finite_factor.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// @file
/// The rule for NaN and infinities in matrix products with weights that a mask drops.

namespace xmask::inline XMASK_ABI::detail {
/// Rows that are multiplied by masked weights: dropped weights are 0.
///
/// NaN and infinities times 0 are NaN. The matrix product takes 0 in their place. Products with
/// kept weights are put into its result afterwards, so that dropped elements change no bit.
template <class T>
class finite_factor {
public:
    /// Looks at all elements. The rows must stay as they are while products are made.
    void look(matrix_view<const T> rows, std::size_t count, std::size_t columns) {
        m_rows = rows;
        m_columns = columns;
        m_bad.clear();
        if (all_finite(count)) [[likely]] {
            return;
        }
        m_bad.resize(count);
        for (std::size_t r = 0; r < count; ++r) {
            m_bad[r] = std::any_of(row(r), row(r) + columns, [](T x) { return !std::isfinite(x); });
        }
    }

    [[nodiscard]] const T* row(std::size_t r) const noexcept { return m_rows.row(r); }

    /// Row `first` and all later rows, unchanged.
    [[nodiscard]] matrix_view<const T> rows_from(std::size_t first) const noexcept {
        return m_rows.from(first);
    }

    /// Calls product(view) with rows [first, first + count), in which 0 replaces NaN and
    /// infinities, then add(r) for each of these rows that has some.
    template <class F, class G>
    void multiply(std::size_t first, std::size_t count, F&& product, G&& add) {
        if (!any_bad(first, count)) [[likely]] {
            product(rows_from(first));
            return;
        }
        m_clean.resize(count * m_columns);
        for (std::size_t r = 0; r < count; ++r) {
            std::transform(
                row(first + r), row(first + r) + m_columns, m_clean.data() + r * m_columns,
                [](T x) { return std::isfinite(x) ? x : T(0); }
            );
        }
        product(matrix_view<const T>{m_clean.data(), m_columns});
        for (std::size_t r = first; r < first + count; ++r) {
            if (m_bad[r] != 0) {
                add(r);
            }
        }
    }

private:
    [[nodiscard]] bool any_bad(std::size_t first, std::size_t count) const noexcept {
        bool any = false;
        for (std::size_t r = first; !m_bad.empty() && r < first + count; ++r) {
            any |= m_bad[r] != 0;
        }
        return any;
    }

    /// Adds up each element times 0: the sum is NaN where one is not finite.
    [[nodiscard]] bool all_finite(std::size_t count) const {
        T sum(0);
        if constexpr (has_lanes<T>) {
            auto sums = lanes<T>(T(0));
            const auto zero = lanes<T>(T(0));
            for (std::size_t r = 0; r < count; ++r) {
                for_each_register<T>(m_columns, [&](std::size_t k, auto full) XMASK_INLINE_LAMBDA {
                    sums = xsimd::fma(
                        load_register<full>(memory_block<T>(row(r)), k, m_columns - k), zero, sums
                    );
                });
            }
            sum = xsimd::reduce_add(sums);
        } else {
            for (std::size_t r = 0; r < count; ++r) {
                std::for_each(row(r), row(r) + m_columns, [&](T x) { sum += x * T(0); });
            }
        }
        return sum == T(0);
    }

    matrix_view<const T> m_rows{};
    std::size_t m_columns = 0;
    std::vector<unsigned char> m_bad; // empty where all rows are finite
    std::vector<T> m_clean;
};

/// Adds the products of a weight and those elements of a row that are not finite.
template <class T>
void add_not_finite(T* to, T weight, const T* row, std::size_t columns) {
    for (std::size_t c = 0; c < columns; ++c) {
        if (!std::isfinite(row[c])) {
            to[c] += weight * row[c];
        }
    }
}
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// Attention tile by tile, with a running softmax, and its gradients.
///
/// The forward pass is that of Dao et al., FlashAttention: Fast and Memory-Efficient Exact
/// Attention with IO-Awareness (2022), the backward pass that of Dao, FlashAttention-2 (2023):
/// scores are never stored but computed again.

namespace xmask::inline XMASK_ABI::detail {
/// The running softmax of a band: output, maximum and sum of each query.
template <class T>
class running_softmax {
public:
    running_softmax(std::size_t queries, std::size_t features)
        : m_features(features), m_output(queries * features), m_largest(queries), m_sum(queries) {}

    /// `first` joins each query's sum as a score without a value; -infinity adds nothing.
    void restart(T first) {
        std::fill(m_output.begin(), m_output.end(), T(0));
        std::fill(m_largest.begin(), m_largest.end(), first);
        std::fill(m_sum.begin(), m_sum.end(), first == least() ? 0 : 1);
    }

    /// Query i's scores of a panel become weights, up to the factor of finish().
    void add(std::size_t i, T* scores, std::size_t keys, const word_t* bits) {
        const T before = shift(i);
        m_largest[i] = largest_kept(scores, keys, bits, m_largest[i]);
        const T after = shift(i);
        if (before != after && m_sum[i] != 0) {
            const T factor = std::exp(before - after);
            m_sum[i] *= static_cast<double>(factor);
            std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
        }
        m_sum[i] += exponentials(scores, keys, bits, after);
    }

    /// Divides the first `queries` outputs by their sums.
    void finish(std::size_t queries) {
        for (std::size_t i = 0; i < queries; ++i) {
            const T factor = inverse_sum(i);
            std::for_each(output(i), output(i + 1), [&](T& y) { y *= factor; });
        }
    }

    [[nodiscard]] T* output(std::size_t i) { return m_output.data() + i * m_features; }

    [[nodiscard]] matrix_view<T> outputs() { return {m_output.data(), m_features}; }

    /// The number that is subtracted from scores: the largest score, or 0 where that is -infinity,
    /// because the difference of two infinities is NaN.
    [[nodiscard]] T shift(std::size_t i) const {
        return m_largest[i] == least() ? T(0) : m_largest[i];
    }

    /// 0 where nothing is kept, or nothing but -infinity.
    [[nodiscard]] T inverse_sum(std::size_t i) const {
        return m_sum[i] == 0 ? T(0) : static_cast<T>(1 / m_sum[i]);
    }

private:
    static constexpr T least() noexcept { return -std::numeric_limits<T>::infinity(); }

    std::size_t m_features;
    std::vector<T> m_output;
    std::vector<T> m_largest;
    std::vector<double> m_sum;
};

/// Memory of one band for the gradients.
template <class T>
class gradient_scratch {
public:
    gradient_scratch(std::size_t scores, std::size_t queries, std::size_t features, bool caps)
        : by_scores(scores)
        , slopes(caps ? scores : 0)
        , by_query(queries * features)
        , shares(queries) {}

    std::vector<T> by_scores;
    std::vector<T> slopes;
    std::vector<T> by_query;
    std::vector<T> shares;
};

/// Attention of one stack of matrices, band by band.
template <class T, class M>
class attention_walk {
public:
    /// The shapes have been checked.
    attention_walk(
        const M& m, const any_shape& scores_shape, const matrix_stack<const T>& query,
        const matrix_stack<const T>& key, const matrix_stack<const T>& value,
        const attention_options& options
    )
        : m_query(query)
        , m_key(key)
        , m_value(value)
        , m_scores(m, scores_shape, query, key, options)
        , m_softmax(std::min(query.rows(), band_queries), value.columns()) {
        if (options.sinks.get() != nullptr) {
            const any_shape leading = without_last(scores_shape, 2);
            const auto rows = options.sinks.get()->template rows<T>(leading);
            m_sinks.resize(rows_of(leading) * columns_of(leading));
            for (std::size_t r = 0; r < rows_of(leading) && !m_sinks.empty(); ++r) {
                rows(r, 0, columns_of(leading), m_sinks.data() + r * columns_of(leading));
            }
        }
    }

    /// Writes the weighted values of each query to `to`.
    void forward(const matrix_stack<T>& to) {
        for (std::size_t b = 0; b < m_scores.bands(); ++b) {
            seek(b);
            weigh();
            const matrix_view<T> out = to[m_matrix].from(m_scores.first_query());
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                std::copy_n(m_softmax.output(i), m_value.columns(), out.row(i));
            }
        }
    }

    /// Adds to the gradients by query, key and value, given that by the output.
    void backward(
        const matrix_stack<const T>& upstream, const matrix_stack<T>& by_query,
        const matrix_stack<T>& by_key, const matrix_stack<T>& by_value
    ) {
        const std::size_t features = m_query.columns();
        gradient_scratch<T> more(
            m_scores.all().size(), std::min(m_query.rows(), band_queries), features, m_scores.caps()
        );
        std::size_t matrix = no_matrix;
        for (std::size_t b = 0; b < m_scores.bands(); ++b) {
            seek(b);
            if (matrix != m_matrix) {
                matrix = m_matrix;
                m_keys.look(m_key[matrix], m_key.rows(), features);
            }
            m_queries.look(m_scores.rows_of_band(m_query), m_scores.queries(), features);
            m_outer.look(m_scores.rows_of_band(upstream), m_scores.queries(), m_value.columns());
            weigh();
            share(more);
            add_gradients(more, by_key[matrix], by_value[matrix]);
            const matrix_view<T> out = by_query[matrix].from(m_scores.first_query());
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                const T* from = more.by_query.data() + i * features;
                std::transform(from, from + features, out.row(i), out.row(i), std::plus<>());
            }
        }
    }

private:
    static constexpr std::size_t no_matrix = std::numeric_limits<std::size_t>::max();

    void seek(std::size_t band) {
        m_scores.seek(band);
        if (m_matrix != m_scores.matrix()) {
            m_matrix = m_scores.matrix();
            m_values.look(m_value[m_matrix], m_value.rows(), m_value.columns());
        }
    }

    /// C += alpha A B, or alpha A^T B. A is a panel of weights, 0 where dropped. B has `columns`
    /// columns.
    void add_product(
        turned turn, const std::vector<T>& a, T alpha, const panel& p, finite_factor<T>& b,
        std::size_t first, std::size_t columns, matrix_view<T> c
    ) {
        const bool transposed = turn == turned::yes;
        const std::size_t outer = transposed ? p.keys : m_scores.queries();
        const std::size_t inner = transposed ? m_scores.queries() : p.keys;
        const matrix_view<const T> weights{a.data(), m_scores.stride()};
        const auto product = [&](matrix_view<const T> rows) {
            gemm<T>(turn, turned::no, outer, columns, inner, alpha, weights, rows, T(1), c);
        };
        if (p.whole) {
            product(b.rows_from(first));
            return;
        }
        b.multiply(first, inner, product, [&](std::size_t r) {
            for (std::size_t s = 0; s < outer; ++s) {
                const std::size_t i = transposed ? r - first : s;
                const std::size_t j = transposed ? s : r - first;
                if (m_scores.bits().kept(i, j)) {
                    add_not_finite(c.row(s), alpha * weights.row(i)[j], b.row(r), columns);
                }
            }
        });
    }

    /// The outputs of a band become its weighted values.
    void weigh() {
        m_softmax.restart(
            m_sinks.empty() ? -std::numeric_limits<T>::infinity() : m_sinks[m_matrix]
        );
        m_scores.for_each_panel([&](const panel& p) {
            m_scores.compute(p, nullptr);
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                m_softmax.add(i, m_scores.row(i), p.keys, m_scores.bits().row(i));
            }
            add_product(
                turned::no, m_scores.all(), T(1), p, m_values, p.first, m_value.columns(),
                m_softmax.outputs()
            );
        });
        m_softmax.finish(m_scores.queries());
    }

    /// For each query the product of its output and upstream gradient, which all its scores share.
    void share(gradient_scratch<T>& more) {
        for (std::size_t i = 0; i < m_scores.queries(); ++i) {
            double sum = 0;
            for (std::size_t f = 0; f < m_value.columns(); ++f) {
                sum += static_cast<double>(m_softmax.output(i)[f]) *
                       static_cast<double>(m_outer.row(i)[f]);
            }
            more.shares[i] = static_cast<T>(sum);
        }
    }

    void add_gradients(gradient_scratch<T>& more, matrix_view<T> by_key, matrix_view<T> by_value) {
        const std::size_t features = m_query.columns();
        std::fill(more.by_query.begin(), more.by_query.end(), T(0));
        m_scores.for_each_panel([&](const panel& p) {
            m_scores.compute(p, m_scores.caps() ? &more.slopes : nullptr);
            gemm<T>(
                turned::no, turned::yes, m_scores.queries(), p.keys, m_value.columns(), T(1),
                m_outer.rows_from(0), m_values.rows_from(p.first), T(0),
                {more.by_scores.data(), m_scores.stride()}
            );
            for (std::size_t i = 0; i < m_scores.queries(); ++i) {
                differentiate(p, i, more);
            }
            add_product(
                turned::yes, m_scores.all(), T(1), p, m_outer, 0, m_value.columns(),
                by_value.from(p.first)
            );
            add_product(
                turned::no, more.by_scores, m_scores.scale(), p, m_keys, p.first, features,
                {more.by_query.data(), features}
            );
            add_product(
                turned::yes, more.by_scores, m_scores.scale(), p, m_queries, 0, features,
                by_key.from(p.first)
            );
        });
    }

    /// Scores become weights, and gradients by weights become those by products of queries and
    /// keys.
    void differentiate(const panel& p, std::size_t i, gradient_scratch<T>& more) {
        using V = register_t<T>;
        const V shift(m_softmax.shift(i));
        const V factor(m_softmax.inverse_sum(i));
        const V shared(more.shares[i]);
        const word_t* const bits = m_scores.bits().row(i);
        T* const by_score = more.by_scores.data() + i * m_scores.stride();
        if (!m_scores.caps()) {
            map_kept(
                p.keys, bits, std::array<T*, 2>{m_scores.row(i), by_score},
                [&](auto& x, auto&& kept) XMASK_INLINE_LAMBDA {
                    const V weight = exp_nonpositive(V(x[0] - shift)) * factor;
                    x[1] = kept(V(weight * (x[1] - shared)));
                    x[0] = kept(weight);
                }
            );
            return;
        }
        T* const slopes = more.slopes.data() + i * m_scores.stride();
        map_kept(
            p.keys, bits, std::array<T*, 3>{m_scores.row(i), by_score, slopes},
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
    attention_scores<T, M> m_scores;
    running_softmax<T> m_softmax;
    std::vector<T> m_sinks;
    finite_factor<T> m_values;
    finite_factor<T> m_keys; // these three for gradients
    finite_factor<T> m_queries;
    finite_factor<T> m_outer;
    std::size_t m_matrix = no_matrix;
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

template <bool Fits, class... /*E*/>
struct attention_tensors_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: attention takes query, key, value, then the mask; the first three are tensors (or lazy expressions) of float or double."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless all E are tensors of float or double, and M is a
/// mask.
template <class M, class... E>
using require_attention = require_all<
    attention_tensors_expected<(holds_blas_numbers<E>() && ...), E...>, require_mask<M>>;

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

/// Throws std::invalid_argument unless the options fit the scores.
inline void require_options(
    const char* function, const attention_options& options, const any_shape& scores
) {
    if (options.bias.get() != nullptr) {
        require_broadcast(function, "a bias", options.bias.get()->shape(), scores);
    }
    if (options.sinks.get() != nullptr) {
        require_broadcast(
            function, "a tensor of sinks", options.sinks.get()->shape(), without_last(scores, 2)
        );
    }
    if (options.scale) {
        require_option(function, "scale", *options.scale, option_range::any_number().finite());
    }
    require_option(function, "soft_cap", options.soft_cap, option_range::at_least(0).finite());
}

/// Throws std::invalid_argument unless the leading axes of a tensor broadcast into those of the
/// query.
inline void require_leading(
    const char* function, const char* what, const any_shape& shape, const any_shape& leading
) {
    if (!broadcasts_to(shape, leading)) [[unlikely]] {
        throw_invalid(
            function, what, " has the leading axes ", tuple_text(shape),
            ", which do not broadcast into ", tuple_text(leading), ", those of the query"
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
    require_leading(function, "the key", without_last(key, 2), leading);
    require_leading(function, "the value", without_last(value, 2), leading);
    const any_shape shape = append_axis(append_axis(leading, from_end(query, 2)), from_end(key, 2));
    require_broadcast(function, "a mask", m, shape);
    require_options(function, options, shape);
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
} // namespace detail

/// Scaled dot-product attention: softmax(scale * query key^T) value over the pairs that the mask
/// keeps.
///
/// A query that keeps no key gives 0. NaN and infinities in a key or value show only in queries
/// that keep it, and change no bit of any other. The leading axes of key and value broadcast into
/// those of the query: (b, heads, group, q, d) and (b, heads, 1, k, d) are grouped queries. The
/// method is FlashAttention's (Dao et al., 2022).
///
///     auto causal = xmask::keep_causal(n, n);
///     // 1 0 0 0
///     // 1 1 0 0
///     // 1 1 1 0
///     // 1 1 1 1
///     xt::xtensor<float, 3> y = xmask::masked_attention(query, key, value, causal && xmask::unsqueeze(m, 1));
///     // (3, 4, 5)
///
/// @param query a tensor or lazy expression of float or double, of shape (..., q, features).
/// @param key a tensor or lazy expression of the type of the query, of shape (..., k, features).
/// @param value a tensor or lazy expression of the type of the query, of shape (..., k, value
///   features).
/// @param m a mask that broadcasts into (..., q, k): true means that the query sees the key.
/// @param options scale, soft cap, bias and sinks.
/// @returns a new row-major container of shape (..., q, value features).
/// @throws std::invalid_argument where shapes do not fit, or an option is out of its range.
///
/// Cost: tiles of 64 x 64 pairs take two matrix products each, none where nothing is kept, and no
/// look at the mask where everything is (see tiles()). Memory is that of a few tiles, and a bit for
/// each pair in 64 rows of a mask without structure. Tensors whose rows lie one distance apart are
/// read in place. The products are too small for a BLAS to share among threads: one thread is best
/// (OPENBLAS_NUM_THREADS=1).
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
        auto result = detail::zeros_of<detail::row_major_copy_t<T, Q>>(
            name, detail::with_columns(query.shape(), detail::columns_of(value.shape()))
        );
        const auto leading = detail::without_last(shape, 2);
        const detail::matrix_stack<const T> queries(query, leading);
        const detail::matrix_stack<const T> keys(key, leading);
        const detail::matrix_stack<const T> values(value, leading);
        const detail::matrix_stack<T> to(result, leading);
        detail::attention_walk<T, M>(m, shape, queries, keys, values, options).forward(to);
        return result;
    } else {
        return detail::refused();
    }
}

/// The gradients of masked_attention by query, key and value.
///
/// A key or value that no query keeps has the gradient 0, and so has a query that keeps no key,
/// whatever they hold. A gradient may be written to an operand's memory. The method is
/// FlashAttention-2's (Dao, 2023).
///
///     xt::xtensor<float, 3> dq, dk, dv;
///     xmask::masked_attention_gradient(query, key, value, xmask::keep_causal(n, n), hidden, dq, dk, dv);
///     xt::sum(dv)();    // 60
///
/// @param query as for masked_attention, of shape (..., q, features).
/// @param key as for masked_attention, of shape (..., k, features).
/// @param value as for masked_attention, of shape (..., k, value features).
/// @param m the mask, as for masked_attention.
/// @param upstream the gradient by the result, of its shape (..., q, value features).
/// @param by_query the gradient by the query: a container, which is resized, or a view of the
/// query's shape.
/// @param by_key the gradient by the key, of its shape.
/// @param by_value the gradient by the value, of its shape.
/// @param options those of masked_attention.
/// @throws std::invalid_argument where shapes do not fit, an option is out of its range, or two
/// gradients share memory, before anything is written.
///
/// Cost: the scores are computed again, twice: seven matrix products a tile. Memory is that of the
/// gradients and a few tiles. A container of the operand's rank and type, row-major, takes over the
/// memory in which its gradient was computed.
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
        detail::require_same_shape(
            name, "the upstream gradient", upstream.shape(), "attention",
            detail::with_columns(query.shape(), detail::columns_of(value.shape()))
        );
        detail::require_distinct(
            name, "the gradient by query", by_query, "the gradient by key", by_key,
            "the gradient by value", by_value
        );
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
        detail::hand_over(
            name, detail::finished{"the gradient by query", by_query, own_query},
            detail::finished{"the gradient by key", by_key, own_key},
            detail::finished{"the gradient by value", by_value, own_value}
        );
    }
}
} // namespace xmask::inline XMASK_ABI

// ==== xmask/layers/linear.hpp ====

#include <algorithm>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <vector>

// ==== xmask/layers/linear_weights.hpp ====

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

/// @file
/// The weights of a masked linear layer, and products with them.

namespace xmask::inline XMASK_ABI::detail {
/// The weights of a layer with its mask or gate applied. Weights that a mask drops have no
/// influence on products, whatever they meet; a gate drops nothing.
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
    void forward(const matrix_stack<const T>& x, const T* bias, T* y) const {
        for (std::size_t r = 0; r < x.rows(); ++r) {
            std::copy_n(bias, m_out, y + r * m_out);
        }
        product(x, turned::yes, bias, T(1), {y, m_out}, [](std::size_t out, std::size_t in) {
            return std::pair(in, out);
        });
    }

    /// by_x = upstream weights.
    void backward(const matrix_stack<const T>& upstream, T* by_x) const {
        const std::vector<T> zeros(m_in);
        product(
            upstream, turned::no, zeros.data(), T(0), {by_x, m_in},
            [](std::size_t out, std::size_t in) { return std::pair(out, in); }
        );
    }

private:
    /// to = x weights + beta to, where each row of beta to is `start`. ends(out, in) gives the
    /// column of x that a weight takes, and the column of `to` to which it adds.
    template <class F>
    void product(
        const matrix_stack<const T>& x, turned turn, const T* start, T beta, matrix_view<T> to,
        F&& ends
    ) const {
        const auto multiply_by = [&](matrix_view<const T> rows) {
            gemm<T>(
                turned::no, turn, x.rows(), to.stride, x.columns(), T(1), rows,
                {m_weights.data(), m_in}, beta, to
            );
        };
        if constexpr (mask_expression<M>) {
            finite_factor<T> factor;
            factor.look(x[0], x.rows(), x.columns());
            factor.multiply(0, x.rows(), multiply_by, [&](std::size_t r) {
                compute_again(factor.row(r), start, to.row(r), ends);
            });
        } else {
            multiply_by(x[0]);
        }
    }

    /// Computes again the results of a row to which its NaN and infinities are added. They cannot
    /// be added afterwards: a weight may be infinite, and the product took 0 times that.
    template <class F>
    void compute_again(const T* row, const T* start, T* to, F&& ends) const {
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

    /// Calls f(out, in) for each weight that the mask keeps.
    template <class F>
    void for_each_kept(F&& f) const {
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

    xt::xtensor<T, 2, xt::layout_type::row_major> m_weights;
    const M& m_mask;
    std::size_t m_out;
    std::size_t m_in;
};
} // namespace xmask::inline XMASK_ABI::detail

/// @file
/// A linear layer whose weights are masked, or gated, and its gradients.

namespace xmask::inline XMASK_ABI {
namespace detail {
template <class E>
struct is_sigmoid_gate : std::false_type {};

template <class CT>
struct is_sigmoid_gate<applied<gate_op<CT>>> : std::true_type {};

/// Whether all are tensors of one type that a BLAS has.
template <class X, class... E>
inline constexpr bool of_one_blas_type = [] {
    if constexpr (expression<X> && (expression<E> && ...)) {
        using T = std::remove_cv_t<value_type_t<X>>;
        return (std::is_same_v<T, float> || std::is_same_v<T, double>) &&
               (std::is_same_v<std::remove_cv_t<value_type_t<E>>, T> && ...);
    }
    return false;
}();

template <bool Fits, class... /*E*/>
struct linear_tensors_expected {
    consteval operator bool() const {
        static_assert(
            Fits,
            "xmask: a linear layer takes x, weight and bias, then the mask; the first three are tensors (or lazy expressions), all of float or all of double."
        );
        return Fits;
    }
};

/// Fails to compile, with one sentence, unless all are tensors of one type that a BLAS has, and M
/// is a mask or a gate.
template <class M, class... E>
using require_linear =
    require_all<linear_tensors_expected<of_one_blas_type<E...>, E...>, require_mask_or_weights<M>>;

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

/// The gradients of a layer, beside their targets: a target may lie in an operand's memory.
template <class T, class X, class W>
struct linear_slopes {
    row_major_copy_t<T, X> by_x;
    row_major_copy_t<T, W> product; ///< upstream^T x: by the weights after the mask
    xt::xtensor<T, 1> by_bias;
};

/// The sum of each column of a matrix.
template <class T>
xt::xtensor<T, 1> column_sums(const matrix_stack<const T>& matrix) {
    std::vector<double> sums(matrix.columns());
    for (std::size_t r = 0; r < matrix.rows(); ++r) {
        std::transform(sums.begin(), sums.end(), matrix[0].row(r), sums.begin(), std::plus<>());
    }
    auto result = xt::xtensor<T, 1>::from_shape({sums.size()});
    std::transform(sums.begin(), sums.end(), result.data(), [](double sum) {
        return static_cast<T>(sum);
    });
    return result;
}

template <class T, class X, class W, class M, class U>
linear_slopes<T, X, W> slopes_of_linear(
    const char* function, const X& x, const W& weight, const M& m, const U& upstream
) {
    linear_slopes<T, X, W> own;
    resize_or_check(function, "the gradient by x", own.by_x, x.shape());
    resize_or_check(function, "the gradient by the weight", own.product, weight.shape());
    const matrix_stack<const T> inputs(x);
    const matrix_stack<const T> slopes(upstream);
    gemm<T>(
        turned::yes, turned::no, slopes.columns(), inputs.columns(), slopes.rows(), T(1), slopes[0],
        inputs[0], T(0), {own.product.data(), inputs.columns()}
    );
    own.by_bias = column_sums(slopes);
    layer_weights<T, M>(weight, m).backward(slopes, own.by_x.data());
    return own;
}

/// Throws std::invalid_argument where shapes do not fit, or gradients share memory.
template <class X, class W, class M, class U, class ToX, class ToW, class ToB>
void require_linear_gradient(
    const char* function, const X& x, const W& weight, const M& m, const U& upstream,
    const ToX& by_x, const ToW& by_weight, const ToB& by_bias
) {
    require_linear_shapes(function, x, weight, m);
    const any_shape expected = with_columns(x.shape(), static_cast<std::size_t>(weight.shape()[0]));
    if (!equal_shapes(upstream.shape(), expected)) [[unlikely]] {
        throw_invalid(
            function, "the upstream gradient has shape ", tuple_text(upstream.shape()),
            "; expected ", tuple_text(expected)
        );
    }
    require_distinct(
        function, "the gradient by x", by_x, "the gradient by the weight", by_weight,
        "the gradient by the bias", by_bias
    );
}

/// The same for a gate, which has the weight's shape.
template <class W, class G, class ToX, class ToW, class ToB, class ToG>
void require_gate_gradient(
    const char* function, const W& weight, const G& gate, const ToX& by_x, const ToW& by_weight,
    const ToB& by_bias, const ToG& by_gate
) {
    if (!equal_shapes(gate.shape(), weight.shape())) [[unlikely]] {
        throw_invalid(
            function, "the gate has shape ", tuple_text(gate.shape()),
            "; expected that of the weight, ", tuple_text(weight.shape())
        );
    }
    const char* const name = "the gradient by the gate";
    require_distinct(function, "the gradient by x", by_x, name, by_gate);
    require_distinct(function, "the gradient by the weight", by_weight, name, by_gate);
    require_distinct(function, "the gradient by the bias", by_bias, name, by_gate);
}
} // namespace detail

/// A linear layer with masked weights: y = x (weight masked)^T + bias.
///
/// NaN and infinities in dropped weights, and those of x that only dropped weights would meet,
/// change no bit of the result.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}, {5, 6}};
///     xt::xtensor<float, 1> bias = {0, 10};
///     auto y = xmask::masked_linear(x, weight, bias, xmask::keep_above(weight, 3.5f));
///     // 8 27
///
/// @param x a tensor or lazy expression of float or double, of shape (..., in).
/// @param weight of the same type, of shape (out, in), as in PyTorch.
/// @param bias of the same type, of shape (out).
/// @param m a mask, or a gate of real numbers such as sigmoid_gate(z), that broadcasts into the
/// weight.
/// @returns a new row-major xt::xarray of shape (..., out).
/// @throws std::invalid_argument where shapes do not fit.
///
/// Cost: one matrix product by BLAS, and one pass over the weights into a copy.
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
        auto y = xt::xarray<T, xt::layout_type::row_major>::from_shape(
            detail::with_columns(x.shape(), out)
        );
        const detail::matrix_stack<const T> biases(bias);
        detail::layer_weights<T, M>(weight, m).forward(
            detail::matrix_stack<const T>(x), biases[0].row(0), y.data()
        );
        return y;
    } else {
        return detail::refused();
    }
}

/// The gradients of masked_linear by x, weight and bias.
///
/// The gradient by the weight is exactly 0 where the mask drops. A gradient may be written to an
/// operand's memory.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{3, 4}}, upstream = {{1}}, by_x, by_weight;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::keep_above(weight, 3.5f), upstream, by_x, by_weight, by_bias);
///     std::cout << by_weight(0, 0) << ' ' << by_weight(0, 1);    // 0 2
///
/// @param x as for masked_linear, of shape (..., in).
/// @param weight as for masked_linear, of shape (out, in).
/// @param m the mask or gate, as for masked_linear.
/// @param upstream the gradient by the layer's result, of its shape (..., out) and x's type.
/// @param by_x the gradient by x: a container, which is resized, or a view of x's shape.
/// @param by_weight the gradient by the weight, of its shape.
/// @param by_bias the gradient by the bias, of shape (out).
/// @throws std::invalid_argument where shapes do not fit, or two gradients share memory, before
/// anything is written.
///
/// Cost: two matrix products by BLAS. Gradients are computed in memory of their own; a container of
/// the operand's rank and type, row-major, takes over that memory.
template <class X, class W, class M, class U, class ToX, class ToW, class ToB>
void masked_linear_gradient(
    const X& x, const W& weight, const M& m, const U& upstream, ToX&& by_x, ToW&& by_weight,
    ToB&& by_bias
) {
    if constexpr (detail::require_linear<M, X, W, U>()) {
        using T = std::remove_cv_t<value_type_t<X>>;
        constexpr const char* function = "masked_linear_gradient";
        detail::require_linear_gradient(function, x, weight, m, upstream, by_x, by_weight, by_bias);
        auto own = detail::slopes_of_linear<T>(function, x, weight, m, upstream);
        detail::assign_rows(own.product, multiply(own.product, m));
        detail::hand_over(
            function, detail::finished{"the gradient by x", by_x, own.by_x},
            detail::finished{"the gradient by the weight", by_weight, own.product},
            detail::finished{"the gradient by the bias", by_bias, own.by_bias}
        );
    }
}

/// The gradients of masked_linear with a gate, by x, weight, bias and gate.
///
///     xt::xtensor<float, 2> x = {{1, 2}}, weight = {{4, 8}}, z = {{0, 0}}, upstream = {{1}}, by_x, by_weight, by_z;
///     xt::xtensor<float, 1> by_bias;
///     xmask::masked_linear_gradient(x, weight, xmask::sigmoid_gate(z), upstream, by_x, by_weight, by_bias, by_z);
///     std::cout << by_z(0, 0) << ' ' << by_z(0, 1);    // 1 4
///
/// @param x as for masked_linear, of shape (..., in).
/// @param weight as for masked_linear, of shape (out, in).
/// @param gate sigmoid_gate(z), or a tensor of real weights; of the weight's shape.
/// @param upstream the gradient by the layer's result, of its shape (..., out) and x's type.
/// @param by_x the gradient by x: a container, which is resized, or a view of x's shape.
/// @param by_weight the gradient by the weight, of its shape.
/// @param by_bias the gradient by the bias, of shape (out).
/// @param by_gate the gradient by z of a sigmoid gate, or by the real weights, of the weight's
///   shape.
/// @throws std::invalid_argument where shapes do not fit, or two gradients share memory, before
/// anything is written.
///
/// Cost: two matrix products by BLAS, and a pass over the weights. Memory is that of the overload
/// without by_gate.
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
        detail::require_gate_gradient(function, weight, gate, by_x, by_weight, by_bias, by_gate);
        detail::require_linear_gradient(
            function, x, weight, gate, upstream, by_x, by_weight, by_bias
        );
        auto own = detail::slopes_of_linear<T>(function, x, weight, gate, upstream);
        detail::row_major_copy_t<T, W> own_gate;
        if constexpr (detail::is_sigmoid_gate<M>::value) {
            sigmoid_gate_gradient(weight, gate.op().operand(), own.product, own.product, own_gate);
        } else {
            own_gate = multiply(own.product, weight);
            detail::assign_rows(own.product, multiply(own.product, gate));
        }
        detail::hand_over(
            function, detail::finished{"the gradient by x", by_x, own.by_x},
            detail::finished{"the gradient by the weight", by_weight, own.product},
            detail::finished{"the gradient by the bias", by_bias, own.by_bias},
            detail::finished{"the gradient by the gate", by_gate, own_gate}
        );
    }
}
} // namespace xmask::inline XMASK_ABI
