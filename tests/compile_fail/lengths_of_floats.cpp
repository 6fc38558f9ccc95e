// Lengths are integers.
// expect: lengths are integers, one a row

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<int, 1> lengths = {1, 2};
#else
    const xt::xtensor<float, 1> lengths = {1.f, 2.f};
#endif
    const auto m = xmask::keep_lengths(lengths, 3);
    return m.size() == 6 ? 0 : 1;
}
