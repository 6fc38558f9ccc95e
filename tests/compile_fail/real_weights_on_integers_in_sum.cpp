// A sum of integers is an integer; with real weights it would be rounded.
// expect: real weights go with a tensor of real numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> weights = {0.5f, 2.0f};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    return xmask::masked_sum(x, weights) == 4.5f ? 0 : 1;
#else
    const xt::xtensor<int, 1> x = {1, 2};
    xmask::masked_sum(x, weights);
    return 0;
#endif
}
