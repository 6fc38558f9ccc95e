// A value comes with its tolerance.
// expect: xmask: this takes two numbers: keep_between(x, 0, 1)

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::keep_close_to(x, 1, 0.1);
#else
    const auto m = xmask::keep_close_to(x, 1);
#endif
    return m.size() == 2 ? 0 : 1;
}
