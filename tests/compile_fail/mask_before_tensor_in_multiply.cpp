// The tensor comes first, the mask second.
// expect: the tensor comes first, the mask second

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_none({2});
#ifdef XMASK_COMPILE_OK
    xmask::multiply_inplace(x, m);
#else
    xmask::multiply_inplace(m, x);
#endif
    return x(0) == 0.0f ? 0 : 1;
}
