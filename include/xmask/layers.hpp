// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// All headers that need a BLAS. They need xtensor-blas on the include path, and a BLAS to link.

#include "layers/attention.hpp"
#include "layers/linear.hpp"
