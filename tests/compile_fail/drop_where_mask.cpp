// A mask already says what true means.
// expect: keep_where and drop_where take a tensor or expression of bool

#include <xmask/xmask.hpp>

int main() {
    const auto m = xmask::keep_lengths({1}, 2);
#ifdef XMASK_COMPILE_OK
    const auto inverted = !m;
#else
    const auto inverted = xmask::drop_where(m);
#endif
    return inverted.size() == 2 ? 0 : 1;
}
