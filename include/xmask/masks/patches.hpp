// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <tuple>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/overlap.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "random_stream.hpp"
#include "random_subset.hpp"

/// @file
/// Random patches of images, as masked image models are trained with.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// Images cut into patches: the last two axes of a shape. Rows of patches are numbered within their
/// image.
class patch_grid {
public:
    template <class S>
    patch_grid(const char* name, const S& shape, std::size_t patch_height, std::size_t patch_width)
        : m_patch_height(patch_height), m_patch_width(patch_width) {
        if (shape.size() < 2) [[unlikely]] {
            throw_invalid(
                name, "a shape of ", shape.size(), " axes, ", tuple_text(shape),
                "; expected (..., height, width)"
            );
        }
        const std::size_t height = shape[shape.size() - 2];
        const std::size_t width = shape[shape.size() - 1];
        if (patch_height == 0 || patch_width == 0 || height % patch_height != 0 ||
            width % patch_width != 0) [[unlikely]] {
            throw_invalid(
                name, "images of ", height, " x ", width, " are not whole patches of ",
                patch_height, " x ", patch_width
            );
        }
        m_height = height / patch_height;
        m_width = width / patch_width;
    }

    /// How many patches lie one upon the other.
    [[nodiscard]] std::size_t height() const noexcept { return m_height; }

    /// How many patches lie side by side.
    [[nodiscard]] std::size_t width() const noexcept { return m_width; }

    [[nodiscard]] std::size_t patch_width() const noexcept { return m_patch_width; }

    /// The image of a row of the mask.
    [[nodiscard]] std::size_t image(std::size_t r) const noexcept {
        return r / (m_height * m_patch_height);
    }

    /// The row of patches that a row of the mask lies in.
    [[nodiscard]] std::size_t patch_row(std::size_t r) const noexcept {
        return r % (m_height * m_patch_height) / m_patch_height;
    }

private:
    std::size_t m_patch_height;
    std::size_t m_patch_width;
    std::size_t m_height = 0;
    std::size_t m_width = 0;
};

/// A row through patches, of which a subset is kept.
class patches_cursor {
public:
    patches_cursor(
        const random_subset& subset, std::size_t first_patch, std::size_t patch_width, std::size_t n
    ) noexcept
        : m_subset(subset), m_first_patch(first_patch), m_patch_width(patch_width), m_columns(n) {}

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        const std::size_t first = c / m_patch_width;
        const std::size_t last = (std::min(c + word_columns, m_columns) - 1) / m_patch_width;
        word_t bits = 0;
        for (word_t kept = patches(first, last); kept != 0; kept &= kept - 1) {
            const std::size_t begin = (first + lowest_bit(kept)) * m_patch_width;
            bits |= range_word({begin, begin + m_patch_width}, c);
        }
        return bits;
    }

    [[nodiscard]] stretch at(std::size_t /*c*/) const noexcept {
        return {no_end, m_subset.known()};
    }

private:
    /// A bit for each of the patches first to last, of which there are at most 64. They are drawn
    /// 64 at a time, mostly once for several words.
    [[nodiscard]] word_t patches(std::size_t first, std::size_t last) const noexcept {
        if (first < m_drawn || last - m_drawn >= word_columns) {
            m_drawn = first;
            m_bits = m_subset.word(m_first_patch + first);
        }
        return m_bits >> (first - m_drawn) & first_bits(last - first + 1);
    }

    random_subset m_subset;
    std::size_t m_first_patch;
    std::size_t m_patch_width;
    std::size_t m_columns;
    mutable word_t m_bits = 0;
    mutable std::size_t m_drawn =
        std::numeric_limits<std::size_t>::max(); // m_bits begins with this patch
};

template <class S>
class patches_rule {
public:
    using shape_type = S;

    static constexpr const char* name = "keep_patches";

    patches_rule(S shape, const patch_grid& grid, double fraction, std::uint64_t seed)
        : m_shape(std::move(shape))
        , m_grid(grid)
        , m_subset(patch_count(), fraction_of("keep_patches", fraction, patch_count()))
        , m_seed(seed_of(stream_use::patches, seed)) {}

    [[nodiscard]] const shape_type& shape() const noexcept { return m_shape; }

    [[nodiscard]] auto sources() const noexcept { return std::tuple<>(); }

    [[nodiscard]] patches_cursor row(std::size_t r) const noexcept {
        return {
            m_subset.drawn(row_stream(m_seed, m_grid.image(r))),
            m_grid.patch_row(r) * m_grid.width(), m_grid.patch_width(), columns_of(m_shape)
        };
    }

private:
    [[nodiscard]] std::size_t patch_count() const noexcept {
        return m_grid.height() * m_grid.width();
    }

    S m_shape;
    patch_grid m_grid;
    random_subset m_subset;
    std::uint64_t m_seed;
};

template <class S>
auto make_patches(
    const S& shape, std::size_t patch_height, std::size_t patch_width, double fraction,
    std::uint64_t seed
) {
    auto owned = to_shape("keep_patches", shape);
    const patch_grid grid("keep_patches", owned, patch_height, patch_width);
    return mask(patches_rule<decltype(owned)>(std::move(owned), grid, fraction, seed));
}
} // namespace detail

/// Keeps whole patches of images: exactly a fraction of each image's patches, to the nearest
/// number, each image drawn on its own. A masked autoencoder sees a quarter of the patches of 16 x
/// 16 (He and others, 2021).
///
/// shape: (..., height, width), the mask's shape; a mask of the patches themselves has patches of 1
/// x 1. A pure function of the seed, the number of the image and the place of the patch in it. All
/// choices of patches are equally likely, as with keep_random_k; a smaller fraction of one seed
/// keeps a subset. Throws std::invalid_argument for fewer than two axes, extents that are not whole
/// patches, and a fraction outside of [0, 1]. No memory; a row costs as much as 64 elements of
/// keep_random_k, and a mask that is used often is worth a bitmask.
///
///     auto seen = xmask::keep_patches({64, 224, 224}, 16, 16, 0.25, 42);
///     auto images = xmask::unsqueeze(seen, 1);    // fits into a tensor of shape (64, 3, 224, 224)
template <class S>
auto keep_patches(
    const S& shape, std::size_t patch_height, std::size_t patch_width, double fraction,
    std::uint64_t seed
) {
    return detail::make_patches(shape, patch_height, patch_width, fraction, seed);
}

inline auto keep_patches(
    std::initializer_list<std::size_t> shape, std::size_t patch_height, std::size_t patch_width,
    double fraction, std::uint64_t seed
) {
    return detail::make_patches(shape, patch_height, patch_width, fraction, seed);
}
} // namespace xmask::inline XMASK_ABI
