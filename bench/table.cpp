// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// The results as text.

#include <algorithm>

#include "compare.hpp"
#include "report.hpp"

namespace bench {
namespace {
constexpr int name_width = 58;

const char* title(part of) {
    switch (of) {
    case part::copies:
        return "Copies: what any loop that loads and stores can reach";
    case part::apply:
        return "Masks applied";
    case part::masks:
        return "Masks, each made anew and applied in the call";
    case part::ask:
        return "Masks counted and stored";
    case part::reduce:
        return "Reductions, normalizations and losses";
    case part::shapes:
        break;
    }
    return "";
}

std::string ratio_text(double value) {
    char text[32] = "";
    if (value != 0) {
        std::snprintf(
            text, sizeof text,
            value < 9.995   ? "%.2f"
            : value < 99.95 ? "%.1f"
                            : "%.0f",
            value
        );
    }
    return text;
}

void print_row(std::FILE* out, const result& r) {
    std::string line(256, ' ');
    const auto over_ours = [&](way which) { return ratio_text(r.over(which, ours)); };
    const int length = std::snprintf(
        line.data(), line.size(), "%-*s %9s %8s %9s %9s %9s", name_width, r.name.c_str(),
        time_text(median(r.seconds[ours])).c_str(), ratio_text(r.over(ours, reference)).c_str(),
        over_ours(xtensor).c_str(), over_ours(by_hand).c_str(), over_ours(libtorch).c_str()
    );
    line.resize(static_cast<std::size_t>(length));
    line.resize(line.find_last_not_of(' ') + 1);
    std::fprintf(
        out, "%s%s%s\n", line.c_str(), r.reference_name == "a copy" ? "" : "  copy is ",
        r.reference_name == "a copy" ? "" : r.reference_name.c_str()
    );
}

void print_rows(std::FILE* out, part in) {
    bool first = true;
    for (const result& r : results()) {
        if (r.in != in || !r.has(ours)) {
            continue;
        }
        if (first) {
            std::fprintf(
                out, "\n%s\n\n%-*s %9s %8s %9s %9s %9s\n", title(in), name_width, "", "time",
                "/ copy", "xtensor", "by hand", "libtorch"
            );
        }
        first = false;
        print_row(out, r);
    }
}

void print_series(std::FILE* out) {
    std::string table;
    for (const series& s : all_series()) {
        if (s.table != table) {
            table = s.table;
            std::fprintf(
                out, "\n%s\n\n%-*s %9s", table.c_str(), name_width - 20, "",
                s.labels.front().c_str()
            );
            for (std::size_t k = 1; k < s.labels.size(); ++k) {
                std::fprintf(out, " %9s", s.labels[k].c_str());
            }
            std::fprintf(out, "\n");
        }
        std::fprintf(
            out, "%-*s %9s", name_width - 20, s.name.c_str(),
            time_text(median(s.seconds[0])).c_str()
        );
        for (std::size_t k = 1; k < s.seconds.size(); ++k) {
            std::fprintf(out, " %9s", ratio_text(ratio(s.seconds[k], s.seconds[0])).c_str());
        }
        std::fprintf(out, "\n");
    }
}
} // namespace

std::string time_text(double seconds) {
    char text[32];
    const char* unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : "ms";
    const double scale = seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : 1e3;
    std::snprintf(text, sizeof text, "%.3g %s", seconds * scale, unit);
    return text;
}

void print_report(std::FILE* out, const std::vector<fact>& facts) {
    if (is_smoke_run()) {
        std::fprintf(out, "\nA smoke run: one round, a smaller DRAM. Its times mean little.\n");
    }
    std::fprintf(out, "\n");
    for (const fact& f : facts) {
        std::fprintf(out, "%s: %s\n", f.name, f.value.c_str());
    }
    std::fprintf(
        out,
        "\nMedians, one thread. \"/ copy\": xmask's time over that of a copy, so below 1 is faster. A copy is the faster of\n"
        "two loops over registers that copy the operand, with plain or with streaming stores: the first table has both.\n"
        "\"xtensor\", \"by hand\" (with xsimd), \"libtorch\": how many times as long as xmask they take.\n"
        "L2 is 64 x 512 floats, L3 512 x 4096, DRAM 4096 x 8192, or as many of what is named.\n"
    );
    for (const part in : {part::copies, part::apply, part::masks, part::ask, part::reduce}) {
        print_rows(out, in);
    }
    print_series(out);
    print_targets(out);
}
} // namespace bench
