// The tensor comes first.
// expect: xmask: the tensor comes first, the mask second; here the mask comes first

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
#ifdef XMASK_COMPILE_OK
    xmask::masked_max(x, m);
#else
    xmask::masked_max(m, x);
#endif
    return m.size() == 6 ? 0 : 1;
}
