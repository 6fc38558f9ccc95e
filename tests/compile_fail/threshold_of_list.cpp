// A threshold compares a tensor, not a container.
// expect: a threshold compares a tensor (or lazy expression) of numbers

#include <xmask/xmask.hpp>

#include <vector>

int main() {
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> x = {1.f, 2.f};
#else
    const std::vector<float> x = {1.f, 2.f};
#endif
    const auto m = xmask::keep_above(x, 1);
    return m.size() == 2 ? 0 : 1;
}
