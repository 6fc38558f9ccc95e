// The check of the language level comes first.
// expect: xmask needs C++20: compile with -std=c++20
// flags: -std=c++17

#include <xmask/xmask.hpp>

int main() { return static_cast<int>(xmask::keep_all(2).size()) - 2; }
