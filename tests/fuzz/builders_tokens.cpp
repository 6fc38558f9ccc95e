// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <xmask/masks/tokens.hpp>

#include "builders.hpp"

/// @file
/// Masks of token ids.

namespace fuzz {
namespace {
template <class T>
struct drawn_tokens {
    xt::xarray<T> tokens;
    std::vector<std::int64_t> ids;
    array<char> among; ///< whether a token is among the ids
};

/// A vocabulary of which some tokens are among the ids. Ids outside of T match no token.
template <class T>
drawn_tokens<T> draw_tokens(record& r, const shape_t& shape) {
    const std::size_t words = r.d.of<std::size_t>({3, 10, 100});
    drawn_tokens<T> all{xt::xarray<T>::from_shape(shape), {}, array<char>(size_of(shape))};
    const bool extreme = r.d.once_in(4);
    for (T& token : all.tokens.storage()) {
        token = extreme ? draw_value<T>(r.d, values::extremes)
                        : static_cast<T>(r.d.below(words) - (std::is_signed_v<T> ? 1 : 0));
    }
    const std::size_t count = r.d.of<std::size_t>({0, 1, 2, 5, 9, 40});
    for (std::size_t k = 0; k < count; ++k) {
        const std::int64_t far[] = {-1, 128, 256, 70000, std::int64_t(1) << 40};
        all.ids.push_back(
            r.d.once_in(6) ? far[r.d.below(5)]
            : r.d.once_in(4) && all.tokens.size() != 0
                ? static_cast<std::int64_t>(all.tokens.storage()[r.d.below(all.tokens.size())])
                : static_cast<std::int64_t>(r.d.below(words))
        );
    }
    for (std::size_t i = 0; i < all.among.size(); ++i) {
        for (const std::int64_t id : all.ids) {
            all.among[i] = all.among[i] != 0 || std::cmp_equal(all.tokens.storage()[i], id);
        }
    }
    return all;
}

template <class T>
std::string token_text(const char* name, const std::vector<std::int64_t>& ids) {
    return std::string(name) + "(" + type_name<T> + ", " + std::to_string(ids.size()) + " ids)";
}

template <class T, bool drops>
drawn_mask tokens(record& r, const shape_t& shape) {
    drawn_tokens<T> all = draw_tokens<T>(r, shape);
    for (char& one : all.among) {
        one = (one != 0) != drops;
    }
    const std::string text = token_text<T>(drops ? "drop_tokens" : "keep_tokens", all.ids);
    if constexpr (drops) {
        return made(
            r, xmask::drop_tokens(std::move(all.tokens), all.ids), std::move(all.among), text
        );
    } else {
        return made(
            r, xmask::keep_tokens(std::move(all.tokens), all.ids), std::move(all.among), text
        );
    }
}

template <class T>
drawn_mask through_first(record& r, const shape_t& shape) {
    drawn_tokens<T> all = draw_tokens<T>(r, shape);
    const std::size_t n = columns_of(shape);
    array<char> kept(all.among.size());
    bool over = false;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        over = i % n != 0 && over;
        kept[i] = !over;
        over = over || all.among[i] != 0;
    }
    const std::string text = token_text<T>("keep_through_first", all.ids);
    return made(
        r, xmask::keep_through_first(std::move(all.tokens), all.ids), std::move(kept), text
    );
}

template <class T>
drawn_mask between_markers(record& r, const shape_t& shape) {
    const std::size_t rare = r.d.of<std::size_t>({3, 10, 100});
    auto x = xt::xarray<T>::from_shape(shape);
    const std::size_t n = columns_of(shape);
    array<char> kept(x.size());
    bool within = false;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        T& token = x.storage()[i];
        token = static_cast<T>(r.d.once_in(rare) ? r.d.from(1, 4) : 7);
        within = i % n != 0 && within;
        const bool begins = token == 1 || token == 3;
        const bool ends = token == 2;
        kept[i] = within && !begins && !ends;
        within = begins || (within && !ends);
    }
    const std::vector<int> begin = {1, 3};
    return made(
        r, xmask::keep_between_markers(std::move(x), begin, 2), std::move(kept),
        std::string("keep_between_markers(") + type_name<T> + ")"
    );
}
} // namespace

const builders& token_builders() {
    static const builders all = {
        {any_shape, tokens<std::int8_t, false>},    {any_shape, tokens<std::uint16_t, true>},
        {any_shape, tokens<std::int32_t, true>},    {any_shape, tokens<std::int64_t, false>},
        {any_shape, through_first<std::uint8_t>},   {any_shape, through_first<std::int32_t>},
        {any_shape, between_markers<std::int64_t>}, {any_shape, between_markers<std::int16_t>},
    };
    return all;
}
} // namespace fuzz
