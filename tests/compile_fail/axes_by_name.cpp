// Axes have numbers, not names.
// expect: xmask: a reduction takes a tensor, a mask, and, if any, axes and options

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2, 3}};
    const auto m = xmask::keep_lengths({2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto sum = xmask::masked_sum(x, m, 0);
#else
    const auto sum = xmask::masked_sum(x, m, "rows");
#endif
    return sum.size() == 3 ? 0 : 1;
}
