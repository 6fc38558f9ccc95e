// NaN times 0 is NaN: multiply drops it.
// expect: xmask: write xmask::multiply(x, m) for a tensor times a mask

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 2> y = xmask::multiply(x, m);
#else
    const auto y = x * m;
#endif
    return y.size() == 6 ? 0 : 1;
}
