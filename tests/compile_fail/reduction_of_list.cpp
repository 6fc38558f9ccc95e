// A reduction takes a tensor: a list of numbers is not one.
// expect: a reduction is of a tensor

#include <xmask/xmask.hpp>

#include <vector>

int main() {
    const std::vector<float> x = {1.0f, 2.0f};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> tensor = {x[0], x[1]};
    return xmask::masked_max(tensor, xmask::keep_all(2)) == 2.0f ? 0 : 1;
#else
    xmask::masked_max(x, xmask::keep_all(2));
    return 0;
#endif
}
