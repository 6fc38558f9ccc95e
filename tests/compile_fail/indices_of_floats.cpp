// Indices are integers.
// expect: indices are integers: a list or 1-D tensor for every row, or a 2-D tensor with one list a row

#include <xmask/xmask.hpp>

#include <vector>

int main() {
#ifdef XMASK_COMPILE_OK
    const std::vector<long> indices = {1};
#else
    const std::vector<double> indices = {1.};
#endif
    const auto m = xmask::keep_indices(indices, 3);
    return m.size() == 3 ? 0 : 1;
}
