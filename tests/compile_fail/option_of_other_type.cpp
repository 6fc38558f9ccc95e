// An option is of the type that the loss documents, with a gradient, too.
// expect: xmask: a loss takes a prediction, a target and a mask

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 1> p = {1, 2, 3}, t = {1, 1, 1}, gradient;
#ifdef XMASK_COMPILE_OK
    auto loss = xmask::masked_huber(p, t, xmask::keep_all(3), {.delta = 0.5}, gradient);
#else
    auto loss = xmask::masked_huber(p, t, xmask::keep_all(3), {.delta = "0.5"}, gradient);
#endif
    return loss.mean() > 0 ? 0 : 1;
}
