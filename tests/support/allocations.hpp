// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

/// The number of allocations by new in the whole program.
std::size_t allocations() noexcept;

/// The number of bytes of these allocations.
std::size_t allocated_bytes() noexcept;
