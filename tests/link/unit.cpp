// Compiled several times, each time with other flags. XMASK_LINK_NAME is the name of its only
// function.

#include <xmask/xmask.hpp>

#include <algorithm>
#include <cstddef>

// Fills `filled`, of `rows` rows and `columns` columns, with -1 past the length of each row.
extern "C" void XMASK_LINK_NAME(
    const float* values, const std::size_t* lengths, std::size_t rows, std::size_t columns,
    float* filled
) {
    auto x = xt::xtensor<float, 2>::from_shape({rows, columns});
    std::copy_n(values, rows * columns, x.data());
    auto n = xt::xtensor<std::size_t, 1>::from_shape({rows});
    std::copy_n(lengths, rows, n.data());
    const xt::xtensor<float, 2> y = xmask::masked_fill(x, xmask::keep_lengths(n, columns), -1.0f);
    std::copy_n(y.data(), rows * columns, filled);
}
