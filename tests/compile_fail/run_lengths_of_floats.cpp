// Run lengths are numbers of elements.
// expect: run lengths are integers: a 1-D tensor of them, a standard container, or a list

#include <xmask/xmask.hpp>

#include <vector>

int main() {
#ifdef XMASK_COMPILE_OK
    const std::vector<long> counts = {1, 2};
#else
    const std::vector<double> counts = {1., 2.};
#endif
    const auto m = xmask::keep_run_lengths(counts, 3);
    return m.size() == 3 ? 0 : 1;
}
