// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include "record.hpp"

#include <iostream>

namespace fuzz {
namespace {
/// The number of differences that are printed for each operation.
constexpr std::uint64_t most_printed = 3;

std::string index_text(std::size_t i, const shape_t& shape) {
    shape_t index(shape.size());
    for (std::size_t axis = shape.size(); axis-- > 0;) {
        index[axis] = shape[axis] == 0 ? 0 : i % shape[axis];
        i /= std::max<std::size_t>(1, shape[axis]);
    }
    return text_of(index);
}
} // namespace

void record::differ(std::string_view what, const std::string& text) {
    m_failed = true;
    if (++m_all.differences[std::string(what)] > most_printed) {
        return;
    }
    std::cout << "DIFFERENCE in " << what << ": " << text << "\n  mask:     " << mask
              << "\n  operands: " << operands << "\n  repeat:   xmask_fuzz --only " << m_family
              << " --seed " << m_seed << " --cases 1" << std::endl;
}

void record::differ_at(
    std::string_view what, std::size_t i, const shape_t& shape, const std::string& got,
    const std::string& expected
) {
    differ(what, "at " + index_text(i, shape) + " got " + got + ", expected " + expected);
}
} // namespace fuzz
