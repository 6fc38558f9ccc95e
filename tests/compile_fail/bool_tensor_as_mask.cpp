// A boolean tensor does not say what true means, and is therefore not a mask.
// expect: a mask is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<bool, 1> b = {true, false};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<std::size_t, 1> lengths = {1};
    const xt::xtensor<float, 2> y =
        xmask::masked_fill(xt::xtensor<float, 2>({1, 2}), xmask::keep_lengths(lengths, 2), 0.0f);
#else
    const xt::xtensor<float, 1> y = xmask::masked_fill(x, b, 0.0f);
#endif
    return y.size() == x.size() + b.size() ? 1 : 0;
}
