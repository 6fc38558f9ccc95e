// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#include <cstdlib>
#include <new>

#include "allocations.hpp"

namespace {
std::size_t count = 0;
std::size_t bytes = 0;
} // namespace

std::size_t allocations() noexcept { return count; }

std::size_t allocated_bytes() noexcept { return bytes; }

// Not inline: otherwise the compiler sees free() of a pointer from new, and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++count;
    bytes += size;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) {
        return memory;
    }
    throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
