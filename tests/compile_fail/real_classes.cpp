// Classes are integers.
// expect: masked_nll takes a prediction of real log-probabilities and a target of integer classes

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> logits = {{1.0f, 2.0f}};
    const auto m = xmask::keep_all({1});
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<int, 1> target = {1};
#else
    const xt::xtensor<float, 1> target = {1.0f};
#endif
    return xmask::masked_nll(logits, target, m).weight == 1.0 ? 0 : 1;
}
