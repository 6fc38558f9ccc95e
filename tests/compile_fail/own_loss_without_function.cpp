// A loss of one's own has a function.
// expect: xmask: a loss of your own takes an expression and a mask

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> p = {1, 2, 3}, t = {1, 1, 1};
    const auto m = xmask::keep_all(3);
#ifdef XMASK_COMPILE_OK
    const auto loss = xmask::masked_loss(p - t, m);
#else
    const auto loss = xmask::masked_loss(p, t, m);
#endif
    return loss.count() == 3 ? 0 : 1;
}
