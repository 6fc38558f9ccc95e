// A threshold is given.
// expect: xmask: a threshold is a number, or a tensor or container of numbers, and comes second

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::keep_above(x, 1);
#else
    const auto m = xmask::keep_above(x);
#endif
    return m.size() == 2 ? 0 : 1;
}
