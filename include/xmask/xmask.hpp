// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

/// @file
/// All of xmask.

#include "apply/masked_fill.hpp"
#include "apply/multiply.hpp"
#include "masks/additive.hpp"
#include "masks/ask.hpp"
#include "masks/bitmask.hpp"
#include "masks/boolean.hpp"
#include "masks/combine.hpp"
#include "masks/id_set.hpp"
#include "masks/indices.hpp"
#include "masks/largest.hpp"
#include "masks/lengths.hpp"
#include "masks/patterns.hpp"
#include "masks/positions.hpp"
#include "masks/random.hpp"
#include "masks/ranges.hpp"
#include "masks/svg.hpp"
#include "masks/text.hpp"
#include "masks/threshold.hpp"
#include "masks/tiles.hpp"
#include "masks/tokens.hpp"
#include "reduce/cross_entropy.hpp"
#include "reduce/loss.hpp"
#include "reduce/mse.hpp"
#include "reduce/sum.hpp"
#include "version.hpp"
