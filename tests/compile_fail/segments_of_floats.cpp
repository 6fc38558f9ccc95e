// Segment ids are integers.
// expect: segments are integers, one for each query and each key

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<int, 1> segments = {0, 1};
#else
    const xt::xtensor<float, 1> segments = {0.f, 1.f};
#endif
    const auto m = xmask::keep_same_segment(segments, segments);
    return m.size() == 4 ? 0 : 1;
}
