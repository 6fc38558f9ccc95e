// A single bool does not combine with a mask, on either side.
// expect: a mask is expected here

#include <xmask/xmask.hpp>

int main() {
    const auto m = xmask::keep_lengths({1}, 2);
#ifdef XMASK_COMPILE_OK
    const auto both = xmask::keep_all(2) || m;
#else
    const auto both = true || m;
#endif
    return both.size() == 2 ? 0 : 1;
}
