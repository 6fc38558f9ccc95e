// A program whose parts were compiled for different processors. Each part must do the same, and no
// part may run the instructions of another. nm.cmake checks that no function of xmask is in two
// parts.

#include <array>
#include <cstddef>
#include <cstdio>
#include <initializer_list>

extern "C" {
using unit = void(const float*, const std::size_t*, std::size_t, std::size_t, float*);
unit xmask_baseline;
unit xmask_xsimd;
#if defined(__x86_64__)
unit xmask_v3;
unit xmask_v4;
#endif
}

namespace {
constexpr std::size_t rows = 3;
constexpr std::size_t columns = 37;

bool agrees(const char* name, unit* fill) {
    std::array<float, rows * columns> values{};
    values.fill(2.0f);
    std::array<float, rows * columns> filled{};
    const std::array<std::size_t, rows> lengths{0, 20, columns};
    fill(values.data(), lengths.data(), rows, columns, filled.data());
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < columns; ++column) {
            if (filled[row * columns + column] != (column < lengths[row] ? 2.0f : -1.0f)) {
                std::printf("%s: wrong at %zu, %zu\n", name, row, column);
                return false;
            }
        }
    }
    std::printf("%s: right\n", name);
    return true;
}
} // namespace

int main() {
    bool right = agrees("baseline", xmask_baseline) && agrees("xsimd", xmask_xsimd);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        right = right && agrees("x86-64-v3", xmask_v3);
    }
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        right = right && agrees("x86-64-v4", xmask_v4);
    }
#endif
    return right ? 0 : 1;
}
