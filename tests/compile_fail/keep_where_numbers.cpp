// Numbers are not conditions.
// expect: keep_where and drop_where take a tensor or expression of bool; for numbers compare them

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<int, 1> x = {1, 0};
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::keep_not_equal(x, 0) && xmask::keep_where(x > 0);
#else
    const auto m = xmask::keep_where(x);
#endif
    return m.size() == 2 ? 0 : 1;
}
