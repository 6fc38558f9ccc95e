// A sum takes a tensor.
// expect: xmask: sums and means are of a tensor (or lazy expression) of numbers

#include <xmask/xmask.hpp>

#include <vector>

#if __has_include(<xtensor/containers/xadapt.hpp>)
#include <xtensor/containers/xadapt.hpp>
#else
#include <xtensor/xadapt.hpp>
#endif

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    const std::vector<float> v = {1.0f, 2.0f};
#ifdef XMASK_COMPILE_OK
    xmask::masked_sum(xt::adapt(v), xmask::keep_all(2));
#else
    xmask::masked_sum(v, m);
#endif
    return m.size() == 6 ? 0 : 1;
}
