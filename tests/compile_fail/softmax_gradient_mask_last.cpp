// The mask comes before the upstream gradient.
// expect: a gradient takes the tensor, the mask, the upstream gradient

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2}, {3, 4}};
    const auto m = xmask::keep_all({2, 2});
#ifdef XMASK_COMPILE_OK
    const auto gradient = xt::xtensor<float, 2>(xmask::masked_softmax_gradient(x, m, x));
    return gradient(0, 0) > 0 ? 0 : 1;
#else
    xmask::masked_softmax_gradient(x, x, m);
    return 0;
#endif
}
