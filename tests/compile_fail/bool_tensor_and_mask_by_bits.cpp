// A boolean tensor does not combine with a mask by &, either.
// expect: xmask: a mask is expected here. A boolean or numeric tensor does not say what true means

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    const xt::xtensor<bool, 1> b = {true, false, true};
#ifdef XMASK_COMPILE_OK
    const auto both = m & xmask::keep_where(b);
#else
    const auto both = m & b;
#endif
    return both.size() == 6 ? 0 : 1;
}
