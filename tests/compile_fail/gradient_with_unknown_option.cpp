// Options of a gradient are those of its reduction.
// expect: xmask: the gradient of a reduction takes the tensor, the mask

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2, 3}};
    const auto m = xmask::keep_lengths({2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto gradient = xmask::masked_norm_gradient(x, m, 1.0, {.p = 1});
#else
    const auto gradient = xmask::masked_norm_gradient(x, m, 1.0, {.ord = 1});
#endif
    return gradient.size() == 3 ? 0 : 1;
}
