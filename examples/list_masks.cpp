// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// Masks from common lists: lengths, indices, token ids.
//
//     list_masks

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <xmask/xmask.hpp>

#include "example.hpp"

namespace {
using example::check;

template <class M>
void show(const std::string& code, const M& m) {
    std::cout << '\n' << code << '\n' << xmask::to_string(m);
    std::cout << "keeps " << xmask::count_kept(m) << " of " << m.size() << '\n';
}

void from_lengths() {
    std::cout << "Lengths: how many tokens each text has; what follows them is padding.\n";
    const std::vector<int> lengths = {5, 0, 3, 8};
    const auto m = xmask::keep_lengths(lengths, 8);
    show("keep_lengths({5, 0, 3, 8}, 8)", m);
    show("keep_last({5, 0, 3, 8}, 8), where the padding comes first", xmask::keep_last(lengths, 8));
    const auto back = xmask::lengths_of(m);
    check(
        std::equal(
            back.begin(), back.end(), lengths.begin(),
            [](auto a, int b) { return static_cast<int>(a) == b; }
        ),
        "lengths_of gives the lengths back"
    );
    try {
        xmask::keep_lengths({5, 9}, 8);
        check(false, "a length beyond the row is refused");
    } catch (const std::out_of_range& error) {
        std::cout << "a mistake is named: " << error.what() << '\n';
    }
}

void from_indices() {
    std::cout << "\nIndices: which positions to keep, or to drop.\n";
    const std::vector<int> columns = {0, 3, 4};
    const auto kept = xmask::keep_indices(columns, 8);
    const auto dropped = xmask::drop_indices(columns, 8);
    show("keep_indices({0, 3, 4}, 8)", kept);
    show("drop_indices({0, 3, 4}, 8)", dropped);
    show("keep_indices({0, 3, 4}, {3, 8}), of each row", xmask::keep_indices(columns, {3, 8}));
    show(
        "keep_points({{0, 1}, {2, 7}}, {3, 8}), single elements",
        xmask::keep_points({{0, 1}, {2, 7}}, {3, 8})
    );
    check(xmask::all_kept(kept ^ dropped), "each position is kept by one of the two");
}

void from_token_ids() {
    std::cout << "\nToken ids: which tokens count. 101 begins a text, 102 ends it, 0 is padding.\n";
    const xt::xtensor<int, 2> tokens = {
        {101, 7, 8, 7, 102, 0, 0, 0}, {101, 9, 102, 0, 0, 0, 0, 0}, {101, 7, 5, 6, 8, 9, 5, 102}
    };
    const auto words = xmask::drop_tokens(tokens, {0, 101, 102});
    show("drop_tokens(tokens, {0, 101, 102})", words);
    show("keep_tokens(tokens, {7, 8})", xmask::keep_tokens(tokens, {7, 8}));
    show("keep_through_first(tokens, 102)", xmask::keep_through_first(tokens, 102));
    check(xmask::count_kept(words) == 10, "there are 10 words");

    // Masks combine: words among the first six tokens of each text except the second.
    const auto both = words && xmask::keep_lengths({6, 0, 6}, 8);
    show("drop_tokens(tokens, {0, 101, 102}) && keep_lengths({6, 0, 6}, 8)", both);
    check(xmask::count_kept(both) == 8, "both are kept together");

    // A set is made once and used for many batches, whatever the number of ids.
    std::vector<int> many;
    for (int id = 0; id < 2000; id += 2) {
        many.push_back(id);
    }
    const xmask::id_set even(many);
    show("keep_tokens(tokens, even), a set of 1,000 ids", xmask::keep_tokens(tokens, even));
}

template <class M>
void compare(const std::string& name, const M& m) {
    const xt::xarray<bool> all = m;
    example::compare(
        name + ", " + std::to_string(m.size()) + " elements", all,
        example::reference<bool>(name, "mask"), 0
    );
}

void compare_with_pytorch() {
    std::cout << "\nThe same of larger lists beside PyTorch's:\n";
    const auto numbers = [](const char* name, const char* array) {
        return example::reference<std::int64_t>(name, array);
    };
    compare("keep_lengths", xmask::keep_lengths(numbers("keep_lengths", "lengths"), 133));
    compare("drop_indices", xmask::drop_indices(numbers("drop_indices", "indices"), 200));
    const auto few = numbers("drop_tokens_few", "tokens");
    compare("drop_tokens_few", xmask::drop_tokens(few, numbers("drop_tokens_few", "ids")));
    const auto many = numbers("drop_tokens_many", "tokens");
    compare("drop_tokens_many", xmask::drop_tokens(many, numbers("drop_tokens_many", "ids")));
}
} // namespace

int main() {
    from_lengths();
    from_indices();
    from_token_ids();
    compare_with_pytorch();
    std::cout << "\nAll of it holds.\n";
}
