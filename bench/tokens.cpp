// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks from token ids, into a bool array and applied to the tokens.

#include "bench.hpp"

// From 0.26 on, xt::isin does not compile where xtensor uses xsimd: it asks whether two registers
// are equal.
#if !defined(XTENSOR_USE_XSIMD) || (XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR < 26)
#define ISIN_COMPILES
#endif

namespace bench {
namespace {
constexpr std::size_t vocabulary = 50000;

struct case_of_tokens {
    xt::xtensor<std::int64_t, 2> tokens;
    std::vector<std::int64_t> ids;
    bool_table kept;

    // One token in a hundred is among the ids, whatever their number.
    case_of_tokens(const size& s, std::size_t id_count) : tokens(s.shape()), kept(s.shape()) {
        random_numbers random(6);
        std::vector<bool> is_id(vocabulary);
        while (ids.size() < id_count) {
            const auto id = random.next() % vocabulary;
            if (!is_id[id]) {
                is_id[id] = true;
                ids.push_back(static_cast<std::int64_t>(id));
            }
        }
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto token = random.next() % 100 == 0
                                   ? ids[random.next() % ids.size()]
                                   : static_cast<std::int64_t>(random.next() % vocabulary);
            tokens.storage()[i] = token;
            kept.storage()[i] = !is_id[static_cast<std::size_t>(token)];
        }
    }
};

// A thousand ids in DRAM would take xtensor too long, because it compares each.
bool is_too_long(const case_of_tokens& data) {
    return data.tokens.size() * data.ids.size() > 200'000'000;
}

// Few ids are compared, many are looked up.
contender drop_by_hand(const case_of_tokens& data, bool_table& kept) {
    const std::int64_t* tokens = data.tokens.data();
    const std::size_t n = data.tokens.size();
    if (data.ids.size() == 5) {
        std::int64_t ids[5];
        std::copy_n(data.ids.begin(), 5, ids);
        return [=, &kept] { by_hand_loops::drop_few(tokens, n, ids, kept.data()); };
    }
    std::vector<char> is_id(vocabulary);
    for (const std::int64_t id : data.ids) {
        is_id[static_cast<std::size_t>(id)] = 1;
    }
    return [=, &kept] { by_hand_loops::drop_many(tokens, n, is_id.data(), kept.data()); };
}

void to_booleans(
    benchmark::State& state, const std::string& name, const size& s, std::size_t id_count
) {
    const case_of_tokens data(s, id_count);
    xt::xtensor<std::int64_t, 2> copy(s.shape(), 0);
    bool_table result(s.shape(), false);
    contenders all{
        .ours = [&] { xt::noalias(result) = xmask::drop_tokens(data.tokens, data.ids); },
        .reference = copy_of(data.tokens, copy),
        .by_hand = drop_by_hand(data, result),
        .libtorch = with_libtorch::drop_tokens(data.tokens, data.ids, result),
    };
#ifdef ISIN_COMPILES
    if (!is_too_long(data)) {
        all.xtensor = [&] { xt::noalias(result) = !xt::isin(data.tokens, data.ids); };
    }
#endif
    compare(state, name, std::move(all), is(result, data.kept));
}

void to_tokens(
    benchmark::State& state, const std::string& name, const size& s, std::size_t id_count
) {
    const case_of_tokens data(s, id_count);
    const std::int64_t unknown = -1;
    const auto m = xmask::drop_tokens(data.tokens, data.ids);
    xt::xtensor<std::int64_t, 2> result(s.shape(), 0);
    xt::xtensor<std::int64_t, 2> expected = data.tokens;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expected.storage()[i] = data.kept.storage()[i] ? expected.storage()[i] : unknown;
    }
    contenders all{
        .ours = [&] { xt::noalias(result) = xmask::masked_fill(data.tokens, m, unknown); },
        .reference = copy_of(data.tokens, result),
    };
#ifdef ISIN_COMPILES
    if (!is_too_long(data)) {
        all.xtensor = [&] {
            xt::noalias(result) = xt::where(xt::isin(data.tokens, data.ids), unknown, data.tokens);
        };
    }
#endif
    compare(state, name, std::move(all), is(result, expected));
}

const family rows(part::masks, [] {
    for (const size& s : all_sizes()) {
        for (const std::size_t ids : {5u, 1000u}) {
            if (ids > s.elements()) {
                continue; // all of the time would go into the table of ids
            }
            const std::string end = std::to_string(ids) + " ids, int64/" + s.name;
            const size of = s.of_width(sizeof(std::int64_t));
            add("drop_tokens to a bool array/" + end,
                [=](benchmark::State& state, const std::string& name) {
                    to_booleans(state, name, of, ids);
                });
            add("masked_fill/drop_tokens, " + end,
                [=](benchmark::State& state, const std::string& name) {
                    to_tokens(state, name, of, ids);
                });
        }
    }
});
} // namespace
} // namespace bench
