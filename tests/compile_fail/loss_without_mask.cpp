// A loss without a mask.
// expect: xmask: a loss takes a prediction, a target and a mask

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 1> p = {1, 2, 3}, t = {1, 1, 1};
#ifdef XMASK_COMPILE_OK
    auto loss = xmask::masked_mse(p, t, xmask::keep_all(t.shape()));
#else
    auto loss = xmask::masked_mse(p, t);
#endif
    return loss.count() == 3 ? 0 : 1;
}
