// A mask of indices has a shape.
// expect: xmask: masks of indices take the indices and the shape of the mask

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::keep_indices({0, 1}, 2);
#else
    const auto m = xmask::keep_indices({0, 1});
#endif
    return m.size() == 2 ? 0 : 1;
}
