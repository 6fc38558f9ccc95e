// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

#pragma once

/// @file
/// All that needs a BLAS beside xmask.hpp: put xtensor-blas on the include path, and link a BLAS.

#include "layers/attention.hpp"
#include "layers/linear.hpp"
