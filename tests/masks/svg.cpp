// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <xmask/masks/ask.hpp>
#include <xmask/masks/bitmask.hpp>
#include <xmask/masks/boolean.hpp>
#include <xmask/masks/combine.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/masks/patterns.hpp>
#include <xmask/masks/svg.hpp>

#include "support/oracle.hpp"

namespace {
struct element {
    std::string name;
    std::map<std::string, std::string> attributes;
    std::string text;
    std::string group; // the class of the innermost enclosing element that has one

    std::size_t number(const std::string& attribute) const {
        return std::stoul(attributes.at(attribute));
    }
};

/// Parses the part of XML that pictures use: elements, attributes in double quotes, text, five
/// entities. Throws where a document is not well-formed.
class xml_reader {
public:
    explicit xml_reader(std::string document) : m_rest(std::move(document)) {}

    std::vector<element> read() {
        read_element("");
        read_spaces();
        expect(m_at == m_rest.size(), "one root");
        return m_elements;
    }

private:
    void expect(bool right, const char* what) const {
        if (!right) {
            throw std::runtime_error(std::string(what) + " at: " + m_rest.substr(m_at, 40));
        }
    }

    bool skip(const std::string& text) {
        if (m_rest.compare(m_at, text.size(), text) != 0) {
            return false;
        }
        m_at += text.size();
        return true;
    }

    bool read_spaces() {
        const std::size_t before = m_at;
        while (m_at < m_rest.size() && std::isspace(static_cast<unsigned char>(m_rest[m_at]))) {
            ++m_at;
        }
        return m_at != before;
    }

    std::string read_name() {
        std::string name;
        while (m_at < m_rest.size() &&
               (std::isalnum(static_cast<unsigned char>(m_rest[m_at])) || m_rest[m_at] == '-')) {
            name += m_rest[m_at++];
        }
        expect(!name.empty(), "a name");
        return name;
    }

    /// Characters and entities up to `end`.
    std::string read_text(char end) {
        const std::map<std::string, char> entities = {
            {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}
        };
        std::string text;
        while (m_at < m_rest.size() && m_rest[m_at] != end) {
            const auto entity = std::find_if(entities.begin(), entities.end(), [&](const auto& e) {
                return skip(e.first);
            });
            if (entity != entities.end()) {
                text += entity->second;
                continue;
            }
            const char c = m_rest[m_at++];
            expect(
                c != '&' && c != '<' && c != '"' &&
                    (static_cast<unsigned char>(c) >= ' ' || c == '\n'),
                "a character"
            );
            text += c;
        }
        expect(m_at < m_rest.size(), "more text");
        return text;
    }

    void read_element(std::string group) {
        expect(skip("<"), "an element");
        element e{read_name(), {}, "", ""};
        while (read_spaces() && m_rest[m_at] != '/' && m_rest[m_at] != '>') {
            const std::string name = read_name();
            expect(skip("=\""), "a quoted value");
            expect(e.attributes.emplace(name, read_text('"')).second, "each attribute once");
            expect(skip("\""), "a quote");
        }
        group = e.attributes.contains("class") ? e.attributes.at("class") : group;
        e.group = group;
        const std::size_t at = m_elements.size();
        m_elements.push_back(e);
        if (skip("/>")) {
            return;
        }
        expect(skip(">"), "the end of a tag");
        std::string text = read_text('<');
        while (!skip("</")) {
            read_element(group);
            text += read_text('<');
        }
        expect(skip(e.name + ">"), "the tag that was opened");
        m_elements[at].text = text;
    }

    std::string m_rest;
    std::size_t m_at = 0;
    std::vector<element> m_elements;
};

std::vector<element> elements_of(const std::string& svg) { return xml_reader(svg).read(); }

std::vector<element> rects(const std::vector<element>& all, const std::string& group) {
    std::vector<element> found;
    std::copy_if(all.begin(), all.end(), std::back_inserter(found), [&](const element& e) {
        return e.name == "rect" && e.group == group;
    });
    return found;
}

std::size_t area(const std::vector<element>& all) {
    std::size_t sum = 0;
    for (const element& e : all) {
        sum += e.number("width") * e.number("height");
    }
    return sum;
}

std::vector<std::string> texts(const std::vector<element>& all) {
    std::vector<std::string> found;
    for (const element& e : all) {
        if (e.name == "text") {
            found.push_back(e.text);
        }
    }
    return found;
}

/// Nothing is drawn past the edges.
bool fits(const std::vector<element>& all) {
    return std::all_of(all.begin(), all.end(), [&](const element& e) {
        return e.name != "rect" || (e.number("x") + e.number("width") <= all[0].number("width") &&
                                    e.number("y") + e.number("height") <= all[0].number("height"));
    });
}

/// Each square of a picture that is not folded, one rectangle a run, is at the place of its
/// element.
template <class M>
void require_drawn(const M& m, std::size_t cell) {
    const auto all = elements_of(xmask::to_svg(m, {.rows = 1000, .columns = 1000, .cell = cell}));
    const auto kept = oracle::elements(m);
    const std::size_t n = m.shape(m.dimension() - 1);
    const std::size_t matrix_rows =
        m.dimension() > 2 ? m.shape(m.dimension() - 2) : kept.size() / n;
    const auto frames = rects(all, "empty");
    const auto full = rects(all, "full");
    REQUIRE(frames.size() == kept.size() / n / matrix_rows);
    REQUIRE(area(frames) == m.size() * cell * cell);
    REQUIRE(area(full) == xmask::count_kept(m) * cell * cell);
    REQUIRE(rects(all, "partial").empty());
    REQUIRE(fits(all));
    std::vector<char> drawn(kept.size());
    for (const element& e : full) {
        REQUIRE(e.number("height") == cell);
        const auto frame = std::find_if(frames.begin(), frames.end(), [&](const element& f) {
            return e.number("y") >= f.number("y") &&
                   e.number("y") < f.number("y") + f.number("height");
        });
        REQUIRE(frame != frames.end());
        const std::size_t row = static_cast<std::size_t>(frame - frames.begin()) * matrix_rows +
                                (e.number("y") - frame->number("y")) / cell;
        const std::size_t begin = (e.number("x") - frame->number("x")) / cell;
        const std::size_t end = begin + e.number("width") / cell;
        // A run is drawn as one rectangle.
        REQUIRE((begin == 0 || kept[row * n + begin - 1] == 0));
        REQUIRE((end == n || kept[row * n + end] == 0));
        std::fill_n(
            drawn.begin() + static_cast<std::ptrdiff_t>(row * n + begin), end - begin, char(1)
        );
    }
    REQUIRE(drawn == kept);
}
} // namespace

TEST_CASE("each run of kept elements is a rectangle", "[svg]") {
    for (const std::size_t cell : {1u, 7u, 10u}) {
        require_drawn(xmask::keep_lengths({3, 1, 0, 4}, 4), cell);
        require_drawn(xmask::keep_window(9, 7, 2, 1), cell);
        for (const std::size_t n : {1u, 63u, 64u, 65u, 130u}) {
            require_drawn(xmask::bitmask(xmask::keep_where(oracle::random<bool>({3, n}, 2))), cell);
            require_drawn(
                xmask::bitmask(xmask::keep_where(oracle::random<bool>({2, 2, 3, n}, 3))), cell
            );
        }
        require_drawn(xmask::bitmask(xmask::keep_where(oracle::random<bool>({40}, 4))), cell);
        require_drawn(xmask::keep_none({2, 3}), cell);
    }
}

TEST_CASE("a large mask is drawn in tiles of three shades", "[svg]") {
    // Tiles of 2 x 3, the last ones of 1: full, partial and empty in each row.
    const auto m = xmask::keep_lengths({4, 5, 7, 7, 0}, 7);
    const auto all = elements_of(xmask::to_svg(m, {.rows = 3, .columns = 3, .cell = 4}));
    REQUIRE(area(rects(all, "empty")) == 3 * 3 * 16);
    REQUIRE(area(rects(all, "full")) == 4 * 16);
    REQUIRE(area(rects(all, "partial")) == 1 * 16);
    REQUIRE(rects(all, "full").size() == 2);
    REQUIRE(rects(all, "swatch").size() == 5);
    REQUIRE(
        texts(all) == std::vector<std::string>{"4 full tiles of 2 x 3", "1 partial", "4 empty"}
    );
    REQUIRE(fits(all));
    REQUIRE(std::none_of(all.begin(), all.end(), [](const element& e) { return e.name == "path"; })
    );
    // No more squares than wanted, however large the mask is.
    const auto large = elements_of(xmask::to_svg(xmask::keep_causal(5000, 7000), {.cell = 2}));
    REQUIRE(area(rects(large, "empty")) == 64 * 64 * 4);
    const auto one = elements_of(xmask::to_svg(m, {.rows = 0, .columns = 0, .cell = 10}));
    REQUIRE(area(rects(one, "partial")) == 100);
    // Squares of small masks are larger.
    const auto side = [](const auto& mask) {
        return rects(elements_of(xmask::to_svg(mask)), "full")[0].number("height");
    };
    REQUIRE((side(xmask::keep_all({2, 3})) == 24 && side(xmask::keep_all({5, 16})) == 15));
    REQUIRE((side(xmask::keep_all({2, 60})) == 10 && side(xmask::keep_all(5000)) == 10));
}

TEST_CASE("a picture has the texts that are asked for, escaped", "[svg]") {
    const std::string title = "a < b && \"c\" > 'd' – é";
    const auto all = elements_of(xmask::to_svg(
        xmask::keep_causal(2, 2),
        {.title = title, .row_label = "queries & more", .column_label = "<keys>"}
    ));
    REQUIRE(
        texts(all) ==
        std::vector<std::string>{title, "<keys>", "queries & more", "3 kept", "1 dropped"}
    );
    REQUIRE(all[1].name == "title");
    REQUIRE(all[1].text == title);
    REQUIRE(fits(all));
    // Characters that XML forbids.
    const auto spaced =
        elements_of(xmask::to_svg(xmask::keep_all(1), {.title = "a\tb\nc\1d", .legend = false}));
    REQUIRE(texts(spaced) == std::vector<std::string>{"a b c d"});
    REQUIRE(texts(elements_of(xmask::to_svg(xmask::keep_all(1), {.legend = false}))).empty());
}

TEST_CASE("a picture is as wide and as high as its texts", "[svg]") {
    const auto width = [](const std::string& title) {
        return elements_of(xmask::to_svg(xmask::keep_all(1), {.title = title, .legend = false}))[0]
            .number("width");
    };
    const std::size_t ten = width("causal key");
    REQUIRE(ten >= 2 + 10 * 7);
    REQUIRE(width("CAUSAL KEY") > ten);
    // A margin on both sides, and bold letters, which are a seventh wider.
    REQUIRE(ten == 2 + xmask::detail::text_width("causal key") * 8 / 7 + 2);
    REQUIRE(width("ééééé ééé.") == ten);
    REQUIRE(width("因果掩码因果掩码因果") >= 2 + 10 * 12);
    const auto all =
        elements_of(xmask::to_svg(xmask::keep_all(1), {.row_label = "queries", .legend = false}));
    REQUIRE(all[0].number("height") >= 7 * 7);
}

TEST_CASE("a picture stands alone", "[svg]") {
    const std::string svg = xmask::to_svg(xmask::keep_causal(8, 8));
    const auto all = elements_of(svg);
    REQUIRE(all[0].name == "svg");
    REQUIRE(all[0].attributes.at("xmlns") == "http://www.w3.org/2000/svg");
    REQUIRE(
        all[0].attributes.at("viewBox") ==
        "0 0 " + all[0].attributes.at("width") + " " + all[0].attributes.at("height")
    );
    REQUIRE(svg.find("href") == std::string::npos);
    REQUIRE(svg.find("url(") == std::string::npos);
    REQUIRE(svg.size() < 2000);
}

TEST_CASE("a mask without elements is a picture without squares", "[svg]") {
    for (const std::vector<std::size_t>& shape :
         std::vector<std::vector<std::size_t>>{{0}, {0, 3}, {3, 0}, {2, 0, 100}}) {
        const auto all = elements_of(
            xmask::to_svg(xmask::keep_all(shape), {.title = "nothing", .row_label = "rows"})
        );
        REQUIRE(area(rects(all, "empty")) == 0);
        REQUIRE(rects(all, "full").empty());
        REQUIRE(fits(all));
    }
}

TEST_CASE("squares of no pixels are refused", "[svg]") {
    REQUIRE_THROWS_AS(xmask::to_svg(xmask::keep_all(1), {.cell = 0}), std::invalid_argument);
}
