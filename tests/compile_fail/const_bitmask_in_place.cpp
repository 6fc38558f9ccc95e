// A const bitmask is not changed.
// expect: xmask: only a bitmask that is not const is changed in place

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    xmask::bitmask kept = m;
    kept |= m;
#else
    const xmask::bitmask kept = m;
    kept |= m;
#endif
    return kept.size() == 6 ? 0 : 1;
}
