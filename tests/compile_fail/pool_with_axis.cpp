// A pooling has no axes.
// expect: xmask: a pooling takes the features of tokens, a mask of the tokens, and, if any, options

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2, 3}, {4, 5, 6}};
#ifdef XMASK_COMPILE_OK
    const auto pooled = xmask::masked_mean_pool(x, xmask::keep_all(2));
#else
    const auto pooled = xmask::masked_mean_pool(x, xmask::keep_all(2), 0);
#endif
    return pooled.size() == 3 ? 0 : 1;
}
