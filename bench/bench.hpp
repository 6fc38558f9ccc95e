// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// All includes of a family of rows.

#pragma once

#include "by_hand.hpp"
#include "compare.hpp"
#include "libtorch.hpp"
#include "operands.hpp"
#include "sources.hpp"
