// There is no gradient by integers.
// expect: a gradient is by a tensor of real numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<int, 1> x = {1, 2};
#ifdef XMASK_COMPILE_OK
    const auto gradient = xmask::masked_norm_gradient(xt::cast<double>(x), xmask::keep_all(2));
    return gradient(0) > 0 ? 0 : 1;
#else
    xmask::masked_norm_gradient(x, xmask::keep_all(2));
    return 0;
#endif
}
