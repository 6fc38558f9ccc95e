// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>

#include "../core/error.hpp"
#include "../core/mask.hpp"
#include "../core/shape.hpp"
#include "../core/word.hpp"
#include "computed_rule.hpp"
#include "patches.hpp"
#include "random_length.hpp"
#include "random_stream.hpp"

/// @file
/// Random rectangles in images, for joint-embedding models and cutout.

namespace xmask::inline XMASK_ABI {
/// A random number of [least, most], uniformly distributed. One number converts to it.
struct random_real {
    /// A fixed number.
    ///
    /// @param fixed the number.
    constexpr random_real(double fixed) noexcept : random_real(fixed, fixed) {}

    /// A number of a range.
    ///
    /// @param from the minimum.
    /// @param to the maximum.
    constexpr random_real(double from, double to) noexcept : least(from), most(to) {}

    double least; ///< minimum
    double most;  ///< maximum
};

/// How many rectangles keep_blocks keeps in an image, and how large they are: by `area` and
/// `aspect`, or by `height` and `width`.
struct block_options {
    std::size_t count = 1;        ///< number of rectangles in an image; they may overlap
    std::size_t patch_height = 1; ///< rows of a patch; rectangles are whole patches
    std::size_t patch_width = 1;  ///< columns of a patch
    random_real area = 0;   ///< share of the image's area, above 0 and at most 1; 0 where not used
    random_real aspect = 1; ///< height divided by width, in patches; sides are rounded to patches
    std::optional<random_length> height = {}; ///< in patches, cut to the image's height
    std::optional<random_length> width = {};  ///< in patches, cut to the image's width
};

namespace detail {
/// The places of the rectangles. Checks the options.
class rectangle_plan {
public:
    rectangle_plan(
        const char* name, const patch_grid& grid, block_options options, std::uint64_t seed
    )
        : m_grid(grid), m_options(std::move(options)), m_seed(seed_of(stream_use::blocks, seed)) {
        const auto& [count, patch_height, patch_width, area, aspect, height, width] = m_options;
        const bool has_area = area.least != 0 || area.most != 0;
        if (has_area == height.has_value() || has_area == width.has_value()) [[unlikely]] {
            throw_invalid(name, "give either the area of a block, or its height and its width");
        }
        if (has_area) {
            require_range(name, "area", area, 1.);
        }
        require_range(name, "aspect", aspect, std::numeric_limits<double>::max());
    }

    [[nodiscard]] const patch_grid& grid() const noexcept { return m_grid; }

    [[nodiscard]] std::size_t count() const noexcept { return m_options.count; }

    [[nodiscard]] row_stream stream(std::size_t image) const noexcept { return {m_seed, image}; }

    /// The columns of a rectangle in a row of patches; none where it lies above or below.
    [[nodiscard]] column_range columns(
        const row_stream& stream, std::size_t rectangle, std::size_t patch_row
    ) const noexcept {
        const std::size_t first = rectangle * numbers;
        const auto [height, width] = sides(stream, first);
        const auto top = to_size(stream.below(m_grid.height() - height + 1, first + 2));
        if (patch_row - top >= height) {
            return {};
        }
        const auto left = to_size(stream.below(m_grid.width() - width + 1, first + 3));
        return {left * m_grid.patch_width(), (left + width) * m_grid.patch_width()};
    }

private:
    struct extents {
        std::size_t height;
        std::size_t width;
    };

    /// Pairs of random numbers for one rectangle.
    static constexpr std::size_t numbers = 4;

    static void require_range(
        const char* name, const char* what, const random_real& range, double most
    ) {
        if (!(range.least > 0 && range.least <= range.most && range.most <= most)) [[unlikely]] {
            throw_invalid(
                name, what, " from ", range.least, " to ", range.most,
                "; expected two numbers above 0", most == 1 ? ", at most 1" : "", ", in order"
            );
        }
    }

    [[nodiscard]] extents sides(const row_stream& stream, std::size_t first) const noexcept {
        if (m_options.height && m_options.width) {
            return {
                std::min((*m_options.height)(stream.pair(first)), m_grid.height()),
                std::min((*m_options.width)(stream.pair(first + 1)), m_grid.width())
            };
        }
        const double patches =
            static_cast<double>(m_grid.height()) * static_cast<double>(m_grid.width());
        const double area = drawn(m_options.area, stream.pair(first)) * patches;
        const double aspect = drawn(m_options.aspect, stream.pair(first + 1));
        return {
            whole(std::sqrt(area * aspect), m_grid.height()),
            whole(std::sqrt(area / aspect), m_grid.width())
        };
    }

    /// A number of a range. fma rounds once on every processor.
    static double drawn(const random_real& range, std::uint64_t bits) noexcept {
        // 53 bits are exactly a double of [0, 1).
        const double part = static_cast<double>(bits >> 11) / 9007199254740992.;
        return std::fma(part, range.most - range.least, range.least);
    }

    static std::size_t whole(double side, std::size_t most) noexcept {
        const double rounded = std::max(1., std::nearbyint(side));
        return rounded < static_cast<double>(most) ? static_cast<std::size_t>(rounded) : most;
    }

    patch_grid m_grid;
    block_options m_options;
    std::uint64_t m_seed;
};

/// A row through the rectangles of an image.
class rectangles_cursor {
public:
    rectangles_cursor(const rectangle_plan& plan, std::size_t r) noexcept
        : m_plan(&plan)
        , m_stream(plan.stream(plan.grid().image(r)))
        , m_patch_row(plan.grid().patch_row(r)) {
        for_each([&](column_range rectangle) { m_extent = hull(m_extent, rectangle); });
    }

    [[nodiscard]] word_t word(std::size_t c) const noexcept {
        word_t bits = 0;
        if (c < m_extent.end && c + word_columns > m_extent.begin) {
            for_each([&](column_range rectangle) { bits |= range_word(rectangle, c); });
        }
        return bits;
    }

    [[nodiscard]] XMASK_INLINE stretch at(std::size_t c) const noexcept {
        return stretch_within(m_extent, c);
    }

private:
    template <class F>
    void for_each(F&& f) const noexcept {
        for (std::size_t rectangle = 0; rectangle < m_plan->count(); ++rectangle) {
            f(m_plan->columns(m_stream, rectangle, m_patch_row));
        }
    }

    const rectangle_plan* m_plan;
    row_stream m_stream;
    std::size_t m_patch_row;
    column_range m_extent;
};

/// The rows through the rectangles of images.
struct rectangle_rows {
    rectangle_plan plan;

    rectangles_cursor operator()(std::size_t r) const noexcept { return {plan, r}; }
};
} // namespace detail

/// Keeps rectangles of whole patches at random places of each image.
///
/// I-JEPA predicts them (Assran et al., 2023); !keep_blocks(...) are the holes of cutout (DeVries
/// and Taylor, 2017). The size of each rectangle is drawn, then its place: all places within the
/// image are equally likely, and rectangles may overlap. The mask is a pure function of the seed,
/// the number of the image and its size in patches; with the same seed, fewer rectangles are the
/// first of more.
///
/// I-JEPA: {.count = 4, .patch_height = 14, .patch_width = 14, .area = {0.15, 0.2}, .aspect =
/// {0.75, 1.5}} for the targets, and for the context one rectangle with .area = {0.85, 1}, without
/// the targets.
///
///     auto targets = xmask::keep_blocks({8, 16, 16}, {.count = 4, .area = {0.15, 0.2}, .aspect = {0.75, 1.5}}, 42);
///     // (8, 16, 16)
///     auto context = xmask::keep_blocks({8, 16, 16}, {.area = {0.85, 1}}, 43) && !targets;
///     // (8, 16, 16)
///     auto holes = xmask::keep_blocks({8, 32, 32}, {.height = 8, .width = 8}, 42);
///     // (8, 32, 32)
///
/// @param shape (..., height, width), the mask's shape: a container of extents, or a list in
/// braces.
/// @param options number and size of the rectangles.
/// @param seed of the random numbers.
/// @returns a mask of that shape.
/// @throws std::invalid_argument for fewer than two axes, extents that are not whole patches,
/// neither or both of area and sides, and ranges out of order or out of bounds.
///
/// Cost: nothing is stored; a word costs drawing each rectangle.
template <class S = std::initializer_list<std::size_t>>
auto keep_blocks(const S& shape, block_options options, std::uint64_t seed) {
    constexpr const char* name = "keep_blocks";
    auto owned = detail::to_shape(name, shape);
    const detail::patch_grid grid(name, owned, options.patch_height, options.patch_width);
    detail::rectangle_rows rows{detail::rectangle_plan(name, grid, std::move(options), seed)};
    return mask(detail::computed_rule(name, std::move(owned), std::move(rows)));
}
} // namespace xmask::inline XMASK_ABI
