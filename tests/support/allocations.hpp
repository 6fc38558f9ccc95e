// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

#include <cstddef>

/// How often the whole program has allocated by new.
std::size_t allocations() noexcept;

/// How many bytes it has asked for.
std::size_t allocated_bytes() noexcept;
