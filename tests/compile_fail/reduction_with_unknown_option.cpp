// Other libraries have options that a reduction does not have.
// expect: xmask: a reduction takes a tensor, a mask, and, if any, axes and options

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2, 3}};
    const auto m = xmask::keep_lengths({2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto variance = xmask::masked_var(x, m, 1, {.correction = 0});
#else
    const auto variance = xmask::masked_var(x, m, 1, {.unbiased = false});
#endif
    return variance.size() == 1 ? 0 : 1;
}
