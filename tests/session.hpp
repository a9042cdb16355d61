#pragma once

namespace etastar::test {

// Runs the tests that the arguments name. Returns what main() should.
int run_tests(int argc, char** argv);

} // namespace etastar::test
