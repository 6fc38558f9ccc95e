// A mask is not added to a tensor.
// expect: xmask: a mask is not a number: xmask::multiply(x, m) and xmask::masked_fill(x, m, v) change what m drops

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
#ifdef XMASK_COMPILE_OK
    const auto y = xt::cast<float>(m) + x;
#else
    const auto y = m + x;
#endif
    return y.size() == 6 ? 0 : 1;
}
