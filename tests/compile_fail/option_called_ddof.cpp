// NumPy's name of the correction gives a sentence.
// expect: xmask: what NumPy calls ddof is called correction

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}};
    const auto m = xmask::keep_all({1, 2});
#ifdef XMASK_COMPILE_OK
    const auto y = xmask::masked_var(x, m, {.correction = 0});
#else
    const auto y = xmask::masked_var(x, m, {.ddof = 0});
#endif
    return sizeof(y) != 0 ? 0 : 1;
}
