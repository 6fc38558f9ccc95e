// A number in the place of the other tensor.
// expect: masked_replace takes what is dropped from a tensor; for one value write xmask::masked_fill

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> y = xmask::masked_fill(x, m, 0.0f);
#else
    const xt::xtensor<float, 1> y = xmask::masked_replace(x, m, 0.0f);
#endif
    return y(0) == 1.0f ? 0 : 1;
}
