// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "computed_rule.hpp"
#include "random_stream.hpp"
#include "random_subset.hpp"

/// @file
/// Random patches of images, for training masked image models.

namespace xmask::inline XMASK_ABI {
namespace detail {
/// The patches of images, which are the last two axes of a shape. Rows of patches are numbered
/// within their image.
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

    /// The number of rows of patches in an image.
    [[nodiscard]] std::size_t height() const noexcept { return m_height; }

    /// The number of patches in a row of patches.
    [[nodiscard]] std::size_t width() const noexcept { return m_width; }

    [[nodiscard]] std::size_t patch_width() const noexcept { return m_patch_width; }

    /// The image of a row of the mask.
    [[nodiscard]] std::size_t image(std::size_t r) const noexcept {
        return r / (m_height * m_patch_height);
    }

    /// The row of patches in which a row of the mask lies.
    [[nodiscard]] std::size_t patch_row(std::size_t r) const noexcept {
        return r % (m_height * m_patch_height) / m_patch_height;
    }

private:
    std::size_t m_patch_height;
    std::size_t m_patch_width;
    std::size_t m_height = 0;
    std::size_t m_width = 0;
};

/// A row of a mask that keeps a subset of patches.
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
    /// A bit for each of the patches first to last, at most 64. Patches are drawn 64 at a time,
    /// mostly once for several words.
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

/// A subset of the patches of each image, in rows of n columns.
struct patch_rows {
    patch_grid grid;
    random_subset subset;
    std::uint64_t seed;
    std::size_t n;

    patches_cursor operator()(std::size_t r) const noexcept {
        return {
            subset.drawn(row_stream(seed, grid.image(r))), grid.patch_row(r) * grid.width(),
            grid.patch_width(), n
        };
    }
};
} // namespace detail

/// Keeps a random subset of the patches of each image: exactly a fraction of them.
///
/// A masked autoencoder sees a quarter of the patches of 16 x 16 (He et al., 2021). The mask is a
/// pure function of the seed, the number of the image and the place of the patch in it. All subsets
/// are equally likely, as those of keep_random_k; with the same seed a smaller fraction keeps a
/// subset of a larger one.
///
///     auto seen = xmask::keep_patches({64, 224, 224}, 16, 16, 0.25, 42);    // (64, 224, 224)
///     auto images = xmask::unsqueeze(seen, 1);    // fits into a tensor of shape (64, 3, 224, 224)
///
/// @param shape (..., height, width), the mask's shape: a container of extents, or a list in
/// braces. A mask of the patches themselves has patches of 1 x 1.
/// @param patch_height rows of a patch, a divisor of the height.
/// @param patch_width columns of a patch, a divisor of the width.
/// @param fraction share of kept patches, 0 to 1, to the nearest number of patches.
/// @param seed of the random numbers.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for fewer than two axes, extents that are not whole patches, and a
/// fraction outside of [0, 1].
///
/// Cost: nothing is stored; a row costs as much as 64 elements of keep_random_k: store a mask that
/// is used often in a bitmask.
template <class S = std::initializer_list<std::size_t>>
auto keep_patches(
    const S& shape, std::size_t patch_height, std::size_t patch_width, double fraction,
    std::uint64_t seed
) {
    constexpr const char* name = "keep_patches";
    auto owned = detail::to_shape(name, shape);
    const detail::patch_grid grid(name, owned, patch_height, patch_width);
    const std::size_t patches = grid.height() * grid.width();
    const detail::random_subset subset(patches, detail::fraction_of(name, fraction, patches));
    const detail::patch_rows rows{
        grid, subset, detail::seed_of(detail::stream_use::patches, seed), detail::columns_of(owned)
    };
    return mask(detail::computed_rule(name, std::move(owned), rows));
}
} // namespace xmask::inline XMASK_ABI
