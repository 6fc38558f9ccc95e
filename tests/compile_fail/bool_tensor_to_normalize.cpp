// A boolean tensor does not say what true means, in masked_normalize as anywhere.
// expect: a mask is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<bool, 1> b = {true, false};
    xt::xtensor<float, 1> y;
#ifdef XMASK_COMPILE_OK
    y = xmask::masked_normalize(x, xmask::keep_where(b));
    return y(0) == 1.0f ? 0 : 1;
#else
    y = xmask::masked_normalize(x, b);
    return 0;
#endif
}
