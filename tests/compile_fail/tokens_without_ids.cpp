// A mask of tokens has ids.
// expect: xmask: masks of tokens take the tokens and the ids

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<int, 1> tokens = {1, 2};
#ifdef XMASK_COMPILE_OK
    const auto m = xmask::drop_tokens(tokens, 0);
#else
    const auto m = xmask::drop_tokens(tokens);
#endif
    return m.size() == 2 ? 0 : 1;
}
