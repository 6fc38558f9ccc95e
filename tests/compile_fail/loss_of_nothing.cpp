// A loss without arguments.
// expect: xmask: a loss takes a prediction, a target and a mask

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> x = {1, 2, 3};
    const xmask::loss loss = xmask::masked_mse(x, x, xmask::keep_all(3));
#else
    const xmask::loss loss = xmask::masked_mse();
#endif
    return loss.sum() == 0 ? 0 : 1;
}
