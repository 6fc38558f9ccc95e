// A boolean tensor does not say what true means, and a maximum takes no weights.
// expect: a mask is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<bool, 1> b = {true, false};
#ifdef XMASK_COMPILE_OK
    const float largest = xmask::masked_max(x, xmask::keep_where(b));
    return largest == 1.0f ? 0 : 1;
#else
    xmask::masked_max(x, b);
    return 0;
#endif
}
