// NumPy's name of keep_axes gives a sentence.
// expect: xmask: what NumPy calls keepdims, and PyTorch keepdim, is called keep_axes

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}};
    const auto m = xmask::keep_all({1, 2});
#ifdef XMASK_COMPILE_OK
    const auto y = xmask::masked_sum(x, m, 1, {.keep_axes = true});
#else
    const auto y = xmask::masked_sum(x, m, 1, {.keepdims = true});
#endif
    return sizeof(y) != 0 ? 0 : 1;
}
