// A boolean tensor does not say whether true tokens may be selected.
// expect: a mask is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<bool, 2> words = {{true, true, false}};
#ifdef XMASK_COMPILE_OK
    const auto chosen = xmask::language_model_masks(xmask::keep_where(words), {}, 42);
#else
    const auto chosen = xmask::language_model_masks(words, {}, 42);
#endif
    return chosen.selected.size() == 3 ? 0 : 1;
}
