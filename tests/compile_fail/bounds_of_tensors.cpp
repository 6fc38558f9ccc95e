// Bounds are numbers.
// expect: xmask: this takes two numbers: keep_between(x, 0, 1)

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::keep_at_least(x, x) && xmask::keep_at_most(x, x);
#else
    const auto m = xmask::keep_between(x, x, x);
#endif
    return m.size() == 2 ? 0 : 1;
}
