// Axes in braces are integers.
// expect: xmask: a reduction takes a tensor, a mask, and, if any, axes and options

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2, 3}};
    const auto m = xmask::keep_lengths({2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto sum = xmask::masked_sum(x, m, {0, 1});
#else
    const auto sum = xmask::masked_sum(x, m, {0, 1.5});
#endif
    return sum.size() == 1 ? 0 : 1;
}
