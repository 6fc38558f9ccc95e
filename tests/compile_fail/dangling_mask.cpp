// A mask holds a named tensor or mask by reference: it must not outlive a local one.
// lines: 20
// only: Clang
// flags: -Werror=return-stack-address
// expect: address of stack memory associated with local variable 'lengths' returned
// expect: address of stack memory associated with local variable 'tokens' returned
// expect: address of stack memory associated with local variable 'x' returned
// expect: address of stack memory associated with local variable 'b' returned
// expect: address of stack memory associated with local variable 'm' returned

#include <xmask/xmask.hpp>

#include <utility>

static auto of_lengths() {
    xt::xtensor<int, 1> lengths = {1, 2};
#ifdef XMASK_COMPILE_OK
    return xmask::keep_lengths(std::move(lengths), 3);
#else
    return xmask::keep_lengths(lengths, 3);
#endif
}

static auto of_tokens() {
    xt::xtensor<int, 2> tokens = {{1, 2}};
#ifdef XMASK_COMPILE_OK
    return xmask::bitmask(xmask::drop_tokens(tokens, 2));
#else
    return xmask::drop_tokens(tokens, 2);
#endif
}

static auto of_numbers() {
    xt::xtensor<float, 2> x = {{1, 2}};
#ifdef XMASK_COMPILE_OK
    return xmask::bitmask(xmask::keep_above(x, 1));
#else
    return xmask::keep_above(x, 1);
#endif
}

static auto of_booleans() {
    xt::xtensor<bool, 2> b = {{true, false}};
#ifdef XMASK_COMPILE_OK
    return xmask::keep_where(std::move(b));
#else
    return xmask::keep_where(b);
#endif
}

static auto of_masks() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    return std::move(m) && xmask::keep_all(3);
#else
    return m && xmask::keep_all(3);
#endif
}

int main() {
    return of_lengths().size() + of_tokens().size() + of_numbers().size() + of_booleans().size() +
                       of_masks().size() ==
                   18
               ? 0
               : 1;
}
