#include "etastar/error.hpp"
#include "etastar/sweep/list.hpp"

#include "catch.hpp"

#include <cmath>

using namespace etastar;
using Integers = std::vector<std::uint32_t>;
using Reals = std::vector<double>;

TEST_CASE("integer lists") {
    const auto parse = [](const char* text) { return sweep::parse_integer_list("width", text); };
    CHECK(parse("64,128,256") == Integers{64, 128, 256});
    CHECK(parse("256,64, 128") == Integers{64, 128, 256});
    CHECK(parse("7") == Integers{7});
    CHECK(parse("4:64:x2") == Integers{4, 8, 16, 32, 64});
    CHECK(parse("4:60:x2") == Integers{4, 8, 16, 32});
    CHECK(parse("1:9:lin5") == Integers{1, 3, 5, 7, 9});
    CHECK(parse("1:1000:log4") == Integers{1, 10, 100, 1000});
    CHECK(parse("3,8:32:x2") == Integers{3, 8, 16, 32});
    CHECK(parse("4294967295") == Integers{4294967295u});
    CHECK(parse("1:2147483648:x2").size() == 32);
    CHECK(parse("1e4") == Integers{10000});
    CHECK(parse("1E2:4e+2:x2,2.5e0001,1.50e1") == Integers{15, 25, 100, 200, 400});
    CHECK(parse("4.294967295e9") == Integers{4294967295u});
}

TEST_CASE("real lists") {
    const auto parse = [](const char* text) { return sweep::parse_real_list("eta", text); };
    CHECK(parse("0.1,0.01") == Reals{0.01, 0.1});
    CHECK(parse("1e-300") == Reals{1e-300});
    const auto log = parse("0.01:10:log16");
    REQUIRE(log.size() == 16);
    CHECK(log.front() == 0.01);
    CHECK(log.back() == 10.0);
    for (std::size_t i = 1; i < log.size(); ++i)
        CHECK(log[i] / log[i - 1] == Catch::Approx(std::pow(1000.0, 1.0 / 15)).epsilon(1e-12));
    const auto steps = parse("0.1:100:x10");
    REQUIRE(steps.size() == 4);
    CHECK(steps.back() == Catch::Approx(100.0).epsilon(1e-14));
}

TEST_CASE("lists that are refused name the option and the value") {
    for (const char* text : {"",
                             ",",
                             "1,",
                             ",1",
                             "1,,2",
                             "0",
                             "-1",
                             "1.5",
                             "abc",
                             "1.25e1",
                             "1e-1",
                             "1.e3",
                             ".5e1",
                             "1e",
                             "e3",
                             "1e10",
                             "1e99999999999999999999",
                             "0e3",
                             "4294967296",
                             "99999999999999999999",
                             "1:2",
                             "1:2:3",
                             "1:2:x2:4",
                             "4:64:x1",
                             "4:64:x0.5",
                             "4:64:xinf",
                             "4:64:x",
                             "64:4:x2",
                             "4:4:x2",
                             "1:9:lin1",
                             "1:9:lin0",
                             "1:9:lin-5",
                             "1:9:lin",
                             "1:9:log1000000000",
                             "1:4000000000:x1.0000001",
                             "0:9:lin5",
                             "5,5",
                             "4,4:64:x2",
                             "1:3:lin9",
                             "0x10",
                             "nan",
                             "inf",
                             "1 2",
                             "+5"}) {
        INFO("'" << text << "'");
        try {
            sweep::parse_integer_list("width", text);
            FAIL_CHECK("accepted");
        } catch (const UsageError& error) {
            CHECK(std::string(error.what()).rfind("width: ", 0) == 0);
            CHECK(std::string(error.what()).find('\n') == std::string::npos);
        }
    }
    for (const char* text :
         {"", "0", "-0.1", "nan", "inf", "1e400", "0.1,0.1", "0:1:log4", "x", "1:0.5:log4", "0.1.2", "-0"}) {
        INFO("'" << text << "'");
        CHECK_THROWS_AS(sweep::parse_real_list("eta", text), UsageError);
    }
}

TEST_CASE("counts") {
    CHECK(sweep::parse_count("seeds", "18446744073709551615") == ~std::uint64_t{0});
    CHECK(sweep::parse_count("first-seed", "0", true) == 0);
    CHECK(sweep::parse_count("seeds", "1e3") == 1000);
    CHECK(sweep::parse_count("seeds", "1.8446744073709551615e19") == ~std::uint64_t{0});
    for (const char* text :
         {"", "0", "-1", "1.0", "1.5e0", "1e20", "1e-1", "18446744073709551616", "1 ", " 1", "ten"}) {
        INFO("'" << text << "'");
        CHECK_THROWS_AS(sweep::parse_count("seeds", text), UsageError);
    }
}
