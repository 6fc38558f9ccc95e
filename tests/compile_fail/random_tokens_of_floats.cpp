// Token ids are integers.
// expect: token ids are integers

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    const auto tokens = xmask::random_tokens<int>({2, 3}, 100, 42);
#else
    const auto tokens = xmask::random_tokens<float>({2, 3}, 100, 42);
#endif
    return tokens.size() == 6 ? 0 : 1;
}
