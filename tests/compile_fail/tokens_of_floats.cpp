// Token ids are integers.
// expect: tokens are a tensor of integers, and ids a list or container of integers

#include <xmask/xmask.hpp>

#include <vector>

int main() {
    const xt::xtensor<int, 1> tokens = {1, 2};
#ifdef XMASK_COMPILE_OK
    const std::vector<int> ids = {1};
#else
    const std::vector<double> ids = {1.};
#endif
    const auto m = xmask::drop_tokens(tokens, ids);
    return m.size() == 2 ? 0 : 1;
}
