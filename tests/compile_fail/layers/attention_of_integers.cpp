// A BLAS has no matrix product of integers.
// expect: attention takes query, key, value, then the mask; the first three are tensors

#include <xmask/xmask.hpp>

#include <xmask/layers.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}};
    const xt::xtensor<int, 2> k = {{1, 2}};
    const auto m = xmask::keep_all({1, 1});
#ifdef XMASK_COMPILE_OK
    return xmask::masked_attention(x, x, x, m).size() == 2 ? 0 : 1;
#else
    xmask::masked_attention(x, k, x, m);
    return 0;
#endif
}
