// A function of the indices takes one for each axis.
// expect: keep_if calls f(i, j, ...) with one std::size_t for each axis of the shape

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const auto even = [](std::size_t i, std::size_t j) { return (i + j) % 2 == 0; };
#else
    const auto even = [](std::size_t i) { return i % 2 == 0; };
#endif
    const auto m = xmask::keep_if({2, 3}, even);
    return m.size() == 6 ? 0 : 1;
}
