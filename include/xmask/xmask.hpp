// Copyright (c) 2026, the xmask authors. Distributed under the terms of the BSD 3-Clause License, see LICENSE.

#pragma once

#include <xmask/apply/masked_fill.hpp>
#include <xmask/core/abi.hpp>
#include <xmask/core/applied.hpp>
#include <xmask/core/error.hpp>
#include <xmask/core/held.hpp>
#include <xmask/core/lazy.hpp>
#include <xmask/core/mask.hpp>
#include <xmask/core/mask_rows.hpp>
#include <xmask/core/row.hpp>
#include <xmask/core/shape.hpp>
#include <xmask/core/simd.hpp>
#include <xmask/core/word.hpp>
#include <xmask/core/writer.hpp>
#include <xmask/core/xtensor.hpp>
#include <xmask/masks/lengths.hpp>
#include <xmask/version.hpp>
