// A lambda of auto is called with registers, which std::abs does not take.
// expect: xmask: a lambda of `auto` is called with registers: write xsimd::abs in place of std::abs

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 1> p = {1, 2, 3}, t = {1, 1, 1};
    auto m = xmask::keep_all(3);
#ifdef XMASK_COMPILE_OK
    auto value = [](auto a, auto b) { return xsimd::abs(a - b); };
    auto loss = xmask::masked_loss(p, t, m, value, value);
#else
    auto loss = xmask::masked_loss(p, t, m, [](auto a, auto b) { return std::abs(a - b); });
#endif
    return loss.count() == 3 ? 0 : 1;
}
