// The program that every consumer builds: one mask, one masked operation, and a check of the
// result.

#ifdef XMASK_CONSUMES_SHORT_NAME
#include <xmask.hpp>
#else
#include <xmask/xmask.hpp>
#endif

#include <cstddef>
#include <cstdio>

#ifdef XTENSOR_USE_XSIMD
#error "xmask must leave XTENSOR_USE_XSIMD to those who use it"
#endif

int main() {
    const xt::xtensor<float, 2> x = xt::ones<float>({2, 3});
    const xt::xtensor<std::size_t, 1> lengths = {1, 3};
    const xt::xtensor<float, 2> y = xmask::masked_fill(x, xmask::keep_lengths(lengths, 3), -1.0f);
    std::printf("xmask %d.%d.%d\n", XMASK_VERSION_MAJOR, XMASK_VERSION_MINOR, XMASK_VERSION_PATCH);
    return y(0, 0) == 1.0f && y(0, 1) == -1.0f && y(1, 2) == 1.0f ? 0 : 1;
}
