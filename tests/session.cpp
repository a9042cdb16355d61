#ifndef ETASTAR_CATCH_V3
#define CATCH_CONFIG_RUNNER
#endif
#include "session.hpp"

#include "catch.hpp"

namespace etastar::test {

int run_tests(int argc, char** argv) { return Catch::Session().run(argc, argv); }

} // namespace etastar::test
