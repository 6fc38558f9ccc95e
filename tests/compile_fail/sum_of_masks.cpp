// Masks are not added.
// expect: xmask: masks are not added: m || n keeps what either keeps

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto both = m || m;
#else
    const auto both = m + m;
#endif
    return both.size() == 6 ? 0 : 1;
}
