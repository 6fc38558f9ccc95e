// Booleans are not lengths, in a container either.
// expect: lengths are integers, one a row

#include <xmask/xmask.hpp>

#include <vector>

int main() {
#ifdef XMASK_COMPILE_OK
    const std::vector<int> lengths = {1, 0};
#else
    const std::vector<bool> lengths = {true, false};
#endif
    const auto m = xmask::keep_last(lengths, 3);
    return m.size() == 6 ? 0 : 1;
}
