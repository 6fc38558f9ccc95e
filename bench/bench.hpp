// Copyright (c) 2026, the xmask authors. BSD 3-Clause License: see LICENSE.

// All that a family of rows needs.

#pragma once

#include "by_hand.hpp"
#include "compare.hpp"
#include "libtorch.hpp"
#include "operands.hpp"
#include "sources.hpp"
