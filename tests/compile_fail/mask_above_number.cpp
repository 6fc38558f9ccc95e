// Masks have no order.
// expect: xmask: a mask is neither less nor more: m itself keeps, !m is its opposite

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto y = xt::cast<int>(m) > 0;
#else
    const auto y = m > 0;
#endif
    return y.size() == 6 ? 0 : 1;
}
