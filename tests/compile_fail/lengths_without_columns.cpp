// The number of columns is one number.
// expect: xmask: masks of lengths take the lengths and the number of columns

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<int, 1> lengths = {1, 2};
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::keep_lengths(lengths, 2);
#else
    const auto m = xmask::keep_lengths(lengths, lengths);
#endif
    return m.size() == 4 ? 0 : 1;
}
