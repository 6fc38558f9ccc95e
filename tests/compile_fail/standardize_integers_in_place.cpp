// Standardized elements are real: a tensor of integers cannot hold them.
// expect: only a tensor of real numbers can be standardized in place

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<int, 1> x = {1, 2};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    return xmask::masked_standardize(x, m, 0)(0) < 0.0 ? 0 : 1;
#else
    xmask::masked_standardize_inplace(x, m, 0);
    return 0;
#endif
}
