// Masks are not subtracted.
// expect: xmask: masks are not subtracted: m && !n keeps what only the first keeps

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto left = m && !m;
#else
    const auto left = m - m;
#endif
    return left.size() == 6 ? 0 : 1;
}
