// A softmax of integers would be 0 nearly everywhere.
// expect: tensors (or lazy expressions) of real numbers, the mask after them; convert integers first

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<int, 1> whole = {1, 2};
#ifdef XMASK_COMPILE_OK
    xt::xtensor<float, 1> y = xmask::masked_softmax(x, xmask::keep_all(2));
    return y(0) < 1.0f ? 0 : 1;
#else
    xmask::masked_softmax(whole, xmask::keep_all(2));
    return 0;
#endif
}
