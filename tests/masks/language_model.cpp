// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <support/chance.hpp>
#include <support/oracle.hpp>
#include <xmask/apply/masked_fill.hpp>
#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/language_model.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/random_tokens.hpp>
#include <xmask/masks/tokens.hpp>

namespace {
/// The fate of each element: '.' not selected, m masked, r randomized, u unchanged; '?' where masks
/// contradict.
template <class M>
std::string fates_of(const xmask::language_model_selection<M>& chosen) {
    const auto selected = oracle::elements(xmask::bitmask(chosen.selected));
    const auto masked = oracle::elements(xmask::bitmask(chosen.masked));
    const auto randomized = oracle::elements(xmask::bitmask(chosen.randomized));
    const auto unchanged = oracle::elements(xmask::bitmask(chosen.unchanged));
    std::string fates;
    for (std::size_t i = 0; i < selected.size(); ++i) {
        const int fate = masked[i] + 2 * randomized[i] + 4 * unchanged[i];
        const char* const names = ".mr?u???";
        fates += (fate != 0) == (selected[i] != 0) ? names[fate] : '?';
    }
    return fates;
}

double count_of(const std::string& fates, char fate) {
    double count = 0;
    for (const char each : fates) {
        count += each == fate ? 1 : 0;
    }
    return count;
}

/// Fails unless `count` of `all` is likely: within 5 standard deviations.
void require_part(double count, double all, double p) {
    CAPTURE(count, all, p);
    REQUIRE(std::abs(count - all * p) <= 5 * std::sqrt(all * p * (1 - p)));
}
} // namespace

TEST_CASE(
    "Tokens are selected, and masked, randomized or left, as often as was asked", "[language_model]"
) {
    const double all = 100 * 500;
    const auto everything = xmask::keep_all({100, 500});
    const std::string bert = fates_of(xmask::language_model_masks(everything, {}, 1));
    REQUIRE(bert.find('?') == std::string::npos);
    require_part(count_of(bert, 'm'), all, 0.12);
    require_part(count_of(bert, 'r'), all, 0.015);
    require_part(count_of(bert, 'u'), all, 0.015);

    const std::string other = fates_of(xmask::language_model_masks(
        everything, {.probability = 0.5, .mask_token = 0.3, .random_token = 0.5}, 1
    ));
    REQUIRE(other.find('?') == std::string::npos);
    require_part(count_of(other, 'm'), all, 0.15);
    require_part(count_of(other, 'r'), all, 0.25);
    require_part(count_of(other, 'u'), all, 0.1);
    // A token that is selected with a small probability is also selected with a larger one.
    bool within = true;
    for (std::size_t i = 0; i < bert.size(); ++i) {
        within = within && (bert[i] == '.' || other[i] != '.');
    }
    REQUIRE(within);
}

TEST_CASE("The extremes of a language model's masks", "[language_model]") {
    const auto everything = xmask::keep_all({3, 100});
    const std::string none =
        fates_of(xmask::language_model_masks(everything, {.probability = 0}, 1));
    REQUIRE(none == std::string(300, '.'));
    const std::string masked = fates_of(xmask::language_model_masks(
        everything, {.probability = 1, .mask_token = 1, .random_token = 0}, 1
    ));
    REQUIRE(masked == std::string(300, 'm'));
    const std::string randomized = fates_of(xmask::language_model_masks(
        everything, {.probability = 1, .mask_token = 0, .random_token = 1}, 1
    ));
    REQUIRE(randomized == std::string(300, 'r'));
    const std::string unchanged = fates_of(xmask::language_model_masks(
        everything, {.probability = 1, .mask_token = 0, .random_token = 0}, 1
    ));
    REQUIRE(unchanged == std::string(300, 'u'));
    // Fractions whose exact sum is 1 leave nothing unchanged, although the rounded sum may not be
    // 1.
    for (const double part : {0.1, 0.2, 0.3, 0.7, 0.9, 1. / 3, 1. / 7}) {
        const auto chosen = xmask::language_model_masks(
            everything, {.probability = 0.3, .mask_token = part, .random_token = 1 - part}, 2
        );
        REQUIRE(count_of(fates_of(chosen), '?') == 0);
        REQUIRE_FALSE(xmask::any_kept(chosen.unchanged));
    }
}

TEST_CASE("Only candidates are selected", "[language_model]") {
    for (const std::size_t n : {1u, 63u, 64u, 65u, 130u, 4097u}) {
        CAPTURE(n);
        const auto tokens = oracle::random<int>({2, 3, n}, 4);
        const xt::xtensor<std::size_t, 2> lengths = {{n, n / 2, 0}, {1, n, n - 1}};
        const auto candidates =
            xmask::keep_lengths(lengths, n) && xmask::drop_tokens(tokens, {0, 3});
        const auto everything = xmask::keep_all({2, 3, n});
        const xmask::language_model_options options = {
            .probability = 0.6, .mask_token = 0.5, .random_token = 0.3
        };
        const auto chosen = xmask::language_model_masks(candidates, options, 9);
        // Whether a token is selected does not depend on the candidates.
        std::string expected = fates_of(xmask::language_model_masks(everything, options, 9));
        const auto allowed = oracle::elements(candidates);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            expected[i] = allowed[i] != 0 ? expected[i] : '.';
        }
        REQUIRE(fates_of(chosen) == expected);
        const auto where = [&](const std::string& fates) {
            std::vector<char> kept;
            for (const char each : expected) {
                kept.push_back(fates.find(each) != std::string::npos);
            }
            return kept;
        };
        oracle::require_words(chosen.selected, where("mru"));
        oracle::require_words(chosen.masked, where("m"));
        oracle::require_words(chosen.randomized, where("r"));
        oracle::require_words(chosen.unchanged, where("u"));
        chance::require_any_order(chosen.randomized);
        chance::require_any_order(chosen.unchanged);
    }
}

TEST_CASE("Tokens are corrupted in three lines", "[language_model]") {
    const xt::xtensor<int, 2> tokens = xmask::random_tokens<int>({20, 300}, 1000, 8);
    const auto chosen =
        xmask::language_model_masks(xmask::drop_tokens(tokens, {0, 1, 2}), {.probability = 0.5}, 7);
    const auto random = xmask::random_tokens<int>(tokens.shape(), 1000, 7);
    const xt::xtensor<int, 2> hidden = xmask::masked_fill(tokens, !chosen.masked, 3000);
    const std::string fates = fates_of(chosen);
    bool right = true;
    double changed = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const int token = tokens.data()[i];
        right = right && hidden.data()[i] == (fates[i] == 'm' ? 3000 : token);
        right = right && (token > 2 || fates[i] == '.');
        changed += fates[i] == 'r' && random.data_element(i) != token ? 1 : 0;
    }
    REQUIRE(right);
    // The random tokens differ from the tokens at their places, although streams of this library
    // drew both.
    REQUIRE(changed > 0.98 * count_of(fates, 'r'));
    REQUIRE(count_of(fates, 'r') > 200);
}

TEST_CASE(
    "Candidates that are made on the spot are kept by each of the masks", "[language_model]"
) {
    const auto made = [] {
        const auto chosen = xmask::language_model_masks(
            xmask::keep_lengths(xt::xtensor<int, 1>{70, 3}, 70), {.probability = 1}, 3
        );
        return std::pair(chosen.selected, chosen.masked);
    }();
    REQUIRE(xmask::count_kept(made.first) == 73);
    REQUIRE(xmask::count_kept(made.second) > 0);
    // A const rvalue, too.
    const auto bits = []() -> const xmask::bitmask { return xmask::keep_all({2, 5}); };
    REQUIRE(
        xmask::count_kept(xmask::language_model_masks(bits(), {.probability = 1}, 3).selected) == 10
    );
    // An lvalue is held by reference.
    xmask::bitmask stored = xmask::keep_none({2, 5});
    const auto [selected, masked, randomized, unchanged] =
        xmask::language_model_masks(stored, {.probability = 1}, 3);
    REQUIRE_FALSE(xmask::any_kept(selected));
    stored |= xmask::keep_all({2, 5});
    REQUIRE(xmask::all_kept(selected));
}

TEST_CASE("A language model's masks of a known seed", "[language_model]") {
    // The drawn masks must be the same on every machine and in every version.
    const auto chosen = xmask::language_model_masks(
        xmask::keep_all(40), {.probability = 0.4, .mask_token = 0.6}, 1
    );
    REQUIRE(fates_of(chosen) == "mm..mumm.......rm.m....u.m.m.....m.rm.m.");
}

TEST_CASE("Probabilities that can't be are refused", "[language_model]") {
    const auto all = xmask::keep_all({2, 5});
    REQUIRE_THROWS_WITH(
        xmask::language_model_masks(all, {.probability = 1.5}, 1),
        "xmask::language_model_masks: probability is 1.5; expected 0 to 1"
    );
    REQUIRE_THROWS_WITH(
        xmask::language_model_masks(all, {.mask_token = -0.1}, 1),
        "xmask::language_model_masks: mask_token is -0.1; expected 0 to 1"
    );
    REQUIRE_THROWS_AS(
        xmask::language_model_masks(
            all, {.random_token = std::numeric_limits<double>::quiet_NaN()}, 1
        ),
        std::invalid_argument
    );
    REQUIRE_THROWS_WITH(
        xmask::language_model_masks(all, {.mask_token = 0.8, .random_token = 0.3}, 1),
        "xmask::language_model_masks: mask_token 0.8 and random_token 0.3; expected a sum of at most 1"
    );
}
