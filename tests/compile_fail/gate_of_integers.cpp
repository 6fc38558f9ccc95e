// A gate of integers would be rounded to 0 and 1.
// expect: a gate, and what it multiplies, are tensors (or lazy expressions) of real numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> z = {1.0f, 2.0f};
    const xt::xtensor<int, 1> whole = {1, 2};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> gate = xmask::sigmoid_gate(z);
    return gate(0) > 0.5f ? 0 : 1;
#else
    xmask::sigmoid_gate(whole);
    return 0;
#endif
}
