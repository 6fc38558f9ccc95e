// A const tensor is not changed.
// expect: xmask: what is changed in place is a tensor or view that is not const

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
#ifdef XMASK_COMPILE_OK
    xmask::masked_scatter_inplace(x, m, x);
#else
    const auto& y = x;
    xmask::masked_scatter_inplace(y, m, x);
#endif
    return m.size() == 6 ? 0 : 1;
}
