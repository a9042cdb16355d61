#include "session.hpp"

int main(int argc, char** argv) { return etastar::test::run_tests(argc, argv); }
