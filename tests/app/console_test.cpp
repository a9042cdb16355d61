#include "etastar/command_line/duration.hpp"
#include "etastar/command_line/parser.hpp"
#include "etastar/error.hpp"
#include "etastar/sweep/spec.hpp"

#include "app/clock.hpp"
#include "app/start.hpp"
#include "app/words.hpp"
#include "catch.hpp"
#include "support.hpp"

#include <cstdlib>
#include <ctime>

using namespace etastar;

TEST_CASE("durations, with units and as Slurm writes them") {
    const std::pair<const char*, double> good[] = {
        {"90s", 90},         {"90sec", 90},          {"10min", 600},        {"45m", 2700},
        {"2h", 7200},        {"1.5h", 5400},         {"0.5m", 30},          {"3h50m", 13800},
        {"1d2h3m4s", 93784}, {"1d4s", 86404},        {"10:00", 600},        {"2:00:00", 7200},
        {"00:00:05", 5},     {"120:00", 7200},       {"100:30:00", 361800}, {"1-12", 129600},
        {"1-12:30", 131400}, {"1-12:30:05", 131405}, {"0-1", 3600},         {"200000d", 1e9},
        {"999999999d", 1e9}};
    for (const auto& [text, seconds] : good) {
        INFO(text);
        const auto value = command_line::read_duration(text);
        REQUIRE(value);
        CHECK(*value == seconds);
    }
    for (const char* text :
         {"",      "0s",     "0:00", "90",    "m",       "5m3",    "-1s",     "1e3s",   "h1",
          "1m1h",  "1m1min", "1h1h", "10:60", "1:60:00", "1:2:60", "1:2:3:4", "1-24",   "1-2:3:4:5",
          "1-",    "-1:00",  "1:",   ":30",   "1:-1",    "1::1",   "1.5",     "1.5:00", ".5h",
          "1..5h", "1h 30m", "1 h",  "+1h",   "infs",    "nans",   "1H",      "soon",   "1-1-1"}) {
        INFO("'" << text << "'");
        CHECK_FALSE(command_line::read_duration(text));
        const auto told =
            test::refusal_of<UsageError>([&] { command_line::parse_duration("time-limit", text); });
        CHECK(told.find("time-limit: '" + std::string(text) + "'") == 0);
    }
    CHECK_FALSE(command_line::read_duration(std::string(1'000'000, '1') + "s"));
}

TEST_CASE("lines of a configuration file, with quotes and comments") {
    const std::pair<const char*, const char*> values[] = {{"a = b", "b"},
                                                          {"a=b#c", "b"},
                                                          {"a = 'b'", "b"},
                                                          {"a = \"b\" # c", "b"},
                                                          {"a = 'b # c'", "b # c"},
                                                          {"a = ' b '", " b "},
                                                          {"a = \"it's\"", "it's"},
                                                          {"a = it's", "it's"},
                                                          {"a = ''", ""},
                                                          {"a =", ""},
                                                          {"a = # b", ""},
                                                          {"a = b = c", "b = c"},
                                                          {"a = '\"'\t# 'x", "\""},
                                                          {"\ta\t=\tb c \r", "b c"},
                                                          {"a = x'y\" z", "x'y\" z"}};
    for (const auto& [line, value] : values) {
        INFO(line);
        const auto lines = command_line::read_config_lines(std::string("# first\n\n") + line);
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].name == "a");
        CHECK(lines[0].value == value);
        CHECK(lines[0].number == 3);
    }
    for (const char* line : {"a = 'b", "a = \"b'", "a = b'", "a = 'b' c", "a = \"b\"\"c\"", "a = b\" # c",
                             "a", "= b", "[a]", "a # = b"}) {
        INFO(line);
        const auto told = test::refusal_of<UsageError>(
            [&] { command_line::read_config_lines(std::string("\nb = 1\n") + line); });
        CHECK(told.substr(0, 3) == "3: ");
    }
}

TEST_CASE("times are ISO 8601, local with the offset or UTC") {
    const char* zone = std::getenv("TZ");
    const std::string kept = zone == nullptr ? "" : zone;
    const auto in_zone = [](const char* name, double time) {
        ::setenv("TZ", name, 1);
        ::tzset();
        return app::local_time(time);
    };
    CHECK(in_zone("UTC0", 1769860800.9) == "2026-01-31T12:00:00+00:00");
    CHECK(in_zone("ABC-05:45", 1769860800) == "2026-01-31T17:45:00+05:45");
    CHECK(in_zone("ABC03:30", 1769860800) == "2026-01-31T08:30:00-03:30");
    CHECK(app::utc_time(1769860800) == "2026-01-31T12:00:00Z");
    CHECK(app::read_utc_time("2026-01-31T12:00:00Z") == 1769860800.0);
    CHECK_FALSE(app::read_utc_time("2026-01-31 12:00"));
    zone == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", kept.c_str(), 1);
    ::tzset();
}

TEST_CASE("the start line tells ranks, hosts, kernels, work and time") {
    app::Start start;
    start.file = "run.h5";
    start.to_do = 100;
    start.work = 1000;
    start.longest = 30;
    start.blas = "OpenBLAS 0.3.21 DYNAMIC_ARCH MAX_THREADS=64";
    start.blas_core = "Haswell";
    start.places = app::places_of({"node1\navx2"});
    const auto tells = [&](const char* text) {
        return app::start_line(start).find(text) != std::string::npos;
    };
    CHECK(tells(": 1 rank on node1, avx2 kernels, OpenBLAS 0.3.21 Haswell; run.h5: 100 networks to do; about "
                "16m40s"));
    start.threads = 8;
    CHECK(tells(": 8 threads on node1"));
    CHECK(tells("; about 2m05s"));
    start.why_fewer_threads = "8 of 16 cores";
    CHECK(tells("; threads: 8 of 16 cores"));
    start.has_target = true;
    CHECK(tells("at most 100 networks to do; at most about 2m05s"));
    start.has_target = false;
    start.why_fewer_threads.clear();
    start.threads = 1;
    start.launched = true;
    start.mpi = "Open MPI v4.1.4";
    start.before = 20;
    start.limit = 3600;
    start.places = app::places_of({"a\navx2", "b\navx512", "a\navx2"});
    CHECK(tells(
        ": 3 ranks on a (2) and b (1), avx2 and avx512 kernels, OpenBLAS 0.3.21 Haswell, Open MPI v4.1.4; "
        "run.h5: 100 networks to do, 20 done before; about 5m33s, at most 1h00m"));
    CHECK(app::host_lines(start.places)
          == std::vector<std::string>{"a: ranks 0, 2, avx2 kernels", "b: rank 1, avx512 kernels"});
    start.places = app::places_of(std::vector<std::string>(100, "a\navx2"));
    CHECK(tells("about 30.0 s")); // that of the longest network
    CHECK(app::host_lines(start.places) == std::vector<std::string>{"a: ranks 0-99, avx2 kernels"});
    start.to_do = 0;
    CHECK(tells("run.h5: nothing to do, 20 done before"));
    start.skipped = 75;
    CHECK(tells("run.h5: nothing to do, 20 done before, 75 not needed"));
    std::vector<std::string> many;
    for (int i = 0; i < 6; ++i) many.push_back("host" + std::to_string(i) + "\navx2");
    start.places = app::places_of(many);
    CHECK(tells("6 ranks on 6 hosts, avx2"));
}

TEST_CASE("a sweep in words") {
    sweep::Spec spec;
    spec.width = {64, 128};
    spec.depth = {4, 8, 16};
    spec.eta = {1};
    spec.seeds = 5;
    CHECK(app::sweep_in_words(spec)
          == "first step of relu mlp, sgd, train all, rates mup; widths 64 and 128 x 3 depths from 4 to 16 x "
             "5 seeds "
             "x 1 rate; implicit engine, single precision");
    spec.trial = "training";
    spec.depth = {4};
    CHECK(app::sweep_in_words(spec).find("training (") == 0);
}
