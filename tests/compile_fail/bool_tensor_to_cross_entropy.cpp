// A boolean tensor does not say what true means: a loss takes masks and real weights.
// expect: a mask, or a tensor of real weights, is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> logits = {{1.0f, 2.0f}};
    const xt::xtensor<int, 1> target = {1};
    const xt::xtensor<bool, 1> b = {true};
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_cross_entropy(logits, target, xmask::keep_where(b));
#else
    const xmask::loss l = xmask::masked_cross_entropy(logits, target, b);
#endif
    return l.weight == 1.0 ? 0 : 1;
}
