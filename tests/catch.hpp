#pragma once

// Catch2 v2 (Debian 12) and v3 (newer systems) under one name.
#ifdef ETASTAR_CATCH_V3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
namespace Catch {
using Detail::Approx;
}
#endif
