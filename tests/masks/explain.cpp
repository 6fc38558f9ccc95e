// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <array>
#include <cstddef>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>

#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/explain.hpp>
#include <xmask/masks/indices.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/text.hpp>

#include "support/kinds.hpp"
#include "support/oracle.hpp"
#include "support/own_rule.hpp"

using names = std::vector<std::string>;

TEST_CASE("An explanation prints a line for each term, from the outside in", "[explain]") {
    const auto lengths = xmask::keep_lengths({3, 1}, 4);
    const auto m = lengths && xmask::drop_indices({2}, 4);
    REQUIRE(
        to_string(xmask::explain(m, {0, 2})) == "operator&& drops (0, 2)\n"
                                                "  keep_lengths keeps (0, 2)\n"
                                                "  drop_indices drops (2,)  <- decides\n"
    );
    const xmask::explanation outside = xmask::explain(m, {1, 2});
    REQUIRE_FALSE(outside.kept);
    REQUIRE(outside.name == "operator&&");
    REQUIRE(outside.decided_by() == names{"keep_lengths", "drop_indices"});
    REQUIRE(xmask::explain(m, {0, 3}).decided_by() == names{"keep_lengths"});
    REQUIRE(xmask::explain(m, {0, 0}).kept);
    REQUIRE(xmask::explain(m, {0, 0}).decided_by() == names{"keep_lengths", "drop_indices"});

    std::ostringstream out;
    out << xmask::explain(lengths, {0, 2});
    REQUIRE(out.str() == "keep_lengths keeps (0, 2)\n");
    REQUIRE(xmask::explain(lengths, {0, 2}).decided_by() == names{"keep_lengths"});
    REQUIRE(
        to_string(xmask::explain(xmask::keep_none({}), std::vector<int>())) ==
        "keep_none drops ()\n"
    );
}

TEST_CASE("Each kind of combination hands the position on", "[explain]") {
    // Queries of a padded batch. Each query sees the kept keys and its own left neighbour.
    const auto keys = xmask::unsqueeze(xmask::keep_lengths({3, 1}, 4), 1);
    const auto m =
        !(keys && xmask::shift(xmask::keep_all({4, 4}), 1)) || xmask::keep_none({2, 1, 1});
    REQUIRE(
        to_string(xmask::explain(m, {1, 3, 0})) == "operator|| keeps (1, 3, 0)\n"
                                                   "  operator! keeps (1, 3, 0)\n"
                                                   "    operator&& drops (1, 3, 0)\n"
                                                   "      unsqueeze keeps (1, 0, 0)\n"
                                                   "        keep_lengths keeps (1, 0)\n"
                                                   "      shift drops (3, 0)  <- decides\n"
                                                   "  keep_none drops (1, 0, 0)\n"
    );
    REQUIRE(
        to_string(
            xmask::explain(xmask::shift(xmask::keep_last({2}, 4), -1) ^ xmask::keep_none(4), {0, 1})
        ) == "operator^ keeps (0, 1)\n"
             "  shift keeps (0, 1)\n"
             "    keep_last keeps (0, 2)  <- decides\n"
             "  keep_none drops (1,)  <- decides\n"
    );
    // The left term of either ends a search, whichever side is nested.
    const auto nested = xmask::keep_none(4) || (xmask::keep_all(4) && xmask::keep_lengths({2}, 4));
    REQUIRE(xmask::explain(nested, {0, 1}).decided_by() == names{"keep_all", "keep_lengths"});
    REQUIRE(xmask::explain(nested, {0, 2}).decided_by() == names{"keep_none", "keep_lengths"});
}

TEST_CASE("What an explanation says is what the masks say", "[explain]") {
    const std::size_t n = 70;
    const auto b = oracle::random<bool>({4, n}, 3);
    const auto check = [&](const auto& a) {
        const auto third = xmask::keep_where(b);
        const auto m = (a && !third) || (xmask::shift(a, 3) ^ xmask::keep_all(n));
        bool right = true;
        for (std::size_t i = 0; i < m.size(); ++i) {
            const std::array<std::size_t, 2> at = {i / n, i % n};
            const auto why = xmask::explain(m, at);
            const bool left = a(at[0], at[1]) && !third(at[0], at[1]);
            const bool other = at[1] < 3 || !a(at[0], at[1] - 3);
            right = right && why.kept == m(at[0], at[1]) && why.kept == (left || other);
            right = right && why.terms.at(0).kept == left && why.terms.at(1).kept == other;
            right = right && why.terms[0].decides == (left == why.kept) &&
                    why.terms[1].decides == (other == why.kept);
            right = right && why.terms[0].terms.at(0).kept == a(at[0], at[1]);
            right = right && why.terms[1].terms.at(0).terms.size() == (at[1] < 3 ? 0u : 1u);
        }
        REQUIRE(right);
    };
    check(xmask::keep_lengths({std::size_t(0), n / 2, n - 1, n}, n));
    check(kinds::stored(n, 5)[2]);
}

namespace {
struct named_thirds : own_rule::every_third {
    const char* name() const { return "every_third"; }
};

struct renamed_thirds : own_rule::every_third {
    std::string name = "a name of its own";
};
} // namespace

TEST_CASE("A user's rule has a name where it gives one", "[explain]") {
    REQUIRE(to_string(xmask::explain(own_rule::thirds({3}), {0})) == "mask keeps (0,)\n");
    const named_thirds rule = {{{3}}};
    REQUIRE(to_string(xmask::explain(xmask::mask(rule), {1})) == "every_third drops (1,)\n");
    renamed_thirds renamed;
    renamed.extents = {3};
    REQUIRE(xmask::explain(xmask::mask(renamed), {1}).name == "a name of its own");
}

TEST_CASE("A position outside of the mask is refused", "[explain]") {
    const auto m = xmask::keep_lengths({3, 1}, 4);
    REQUIRE_THROWS_WITH(
        xmask::explain(m, {0, 4}), "xmask::explain: index 4 along axis 1 is outside of [0, 4)"
    );
    REQUIRE_THROWS_AS(xmask::explain(m, {2, 0}), std::out_of_range);
    REQUIRE_THROWS_WITH(
        xmask::explain(m, {-1, 0}), "xmask::explain: index -1 along axis 0 is outside of [0, 2)"
    );
    REQUIRE_THROWS_AS(
        xmask::explain(m, std::vector<std::size_t>{0, std::numeric_limits<std::size_t>::max()}),
        std::out_of_range
    );
    REQUIRE_THROWS_WITH(
        xmask::explain(m, {1}),
        "xmask::explain: a position of 1 indices; a mask of shape (2, 4) expects 2"
    );
    REQUIRE_THROWS_AS(xmask::explain(m, {0, 0, 0}), std::invalid_argument);
    REQUIRE(xmask::explain(m, xt::xtensor<int, 1>{1, 0}).kept);
}
