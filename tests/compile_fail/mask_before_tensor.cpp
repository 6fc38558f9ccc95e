// The tensor comes first, the mask second.
// expect: the tensor comes first, the mask second

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_none({2});
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> y = xmask::masked_fill(x, m, 3.0f);
    return y(0) == 3.0f ? 0 : 1;
#else
    xmask::masked_fill(m, x, 3.0f);
    return 0;
#endif
}
