// A product of integers and real weights would be rounded to integers.
// expect: real weights multiply a tensor of real numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> weights = {0.5f, 2.0f};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
#else
    const xt::xtensor<int, 1> x = {1, 2};
#endif
    const xt::xtensor<float, 1> y = xmask::multiply(x, weights);
    return y(0) == 0.5f ? 0 : 1;
}
