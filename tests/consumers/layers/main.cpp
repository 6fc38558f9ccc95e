// A layer whose matrix products come from the BLAS that the package found.

#include <xmask/layers.hpp>
#include <xmask/xmask.hpp>

int main() {
    // The first token sees itself alone, whatever the key of the second one is.
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}, {3.0f, 4.0f}};
    const xt::xtensor<float, 2> y = xmask::masked_attention(x, x, x, xmask::keep_causal(2, 2));
    return y(0, 0) == 1.0f && y(0, 1) == 2.0f && y(1, 0) > 1.0f ? 0 : 1;
}
