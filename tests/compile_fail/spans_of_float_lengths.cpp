// The lengths of a padded batch are integers, for spans, too.
// expect: lengths are integers, one a row

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<int, 1> lengths = {10, 12};
#else
    const xt::xtensor<float, 1> lengths = {10.f, 12.f};
#endif
    const auto m = xmask::keep_spans(lengths, 12, {.fraction = 0.5, .length = 2}, 42);
    return m.size() == 24 ? 0 : 1;
}
