// The tensor comes first, the mask second.
// expect: the tensor comes first, the mask second

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f}, {2.0f}};
    const auto m = xmask::keep_all(2);
#ifdef XMASK_COMPILE_OK
    return xmask::pack(x, m).size() == 2 ? 0 : 1;
#else
    xmask::pack(m, x);
    return 0;
#endif
}
