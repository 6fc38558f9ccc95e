// A batch is made of sequences.
// expect: xmask: pad takes a range of ranges of numbers

#include <xmask/xmask.hpp>

#include <vector>

int main() {
    const std::vector<int> numbers = {1, 2};
#ifdef XMASK_COMPILE_OK
    xmask::pad(std::vector<std::vector<int>>{numbers}, 0);
#else
    xmask::pad(numbers, 0);
#endif
    return 0;
}
