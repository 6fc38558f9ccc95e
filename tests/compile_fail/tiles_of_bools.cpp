// A boolean tensor does not say what true means: tiles take a mask.
// expect: a mask is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<bool, 2> b = {{true, false}, {true, true}};
#ifdef XMASK_COMPILE_OK
    return xmask::tiles(xmask::keep_where(b), 1, 2).count(xmask::tile_kind::full) == 1 ? 0 : 1;
#else
    xmask::tiles(b, 1, 2);
    return 0;
#endif
}
