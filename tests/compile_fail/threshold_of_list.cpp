// A threshold compares numbers.
// expect: a threshold compares a tensor (or lazy expression) of numbers

#include <xmask/xmask.hpp>

#include <string>
#include <vector>

int main() {
#ifdef XMASK_COMPILE_OK
    const std::vector<float> x = {1.f, 2.f};
#else
    const std::vector<std::string> x = {"1", "2"};
#endif
    const auto m = xmask::keep_above(x, 1);
    return m.size() == 2 ? 0 : 1;
}
