// Masks are not multiplied.
// expect: xmask: masks are not multiplied: m && n keeps what both keep

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto both = m & m;
#else
    const auto both = m * m;
#endif
    return both.size() == 6 ? 0 : 1;
}
