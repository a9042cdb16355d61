// The sweep's hand-out logic in simulated time, from one rank to thousands: what rank 0 can serve alone, and what
// leaders of groups change. Prints a table; arguments: prices in microseconds (latency, message, result).
#include "simulation.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

using namespace etastar;

namespace {

void table(const char* name, const test::Mix& mix, const test::Prices& prices) {
    fmt::print("\n{}: {} networks\n{:>8} {:>6} {:>12} {:>10} {:>10} {:>12}\n", name, mix.expected.size(),
               "ranks", "group", "makespan s", "/ bound", "rank 0", "messages");
    for (const int ranks : {64, 256, 1024, 4096, 10240})
        for (const bool grouped : {false, true}) {
            if (grouped && ranks <= parallel::Tree::usual_group) continue;
            test::Cluster cluster;
            cluster.ranks = ranks;
            cluster.group = grouped ? parallel::Tree::usual_group : ranks;
            cluster.prices = prices;
            cluster.dead_slow = 0.005;
            const auto course = test::Simulation(cluster).run(mix.expected, mix.actual);
            fmt::print("{:>8} {:>6} {:>12.2f} {:>10.4f} {:>9.1f}% {:>12}\n", ranks, grouped ? "64" : "flat",
                       course.makespan, course.makespan / course.bound, 100 * course.root_busy,
                       course.messages);
            std::fflush(stdout);
        }
}

} // namespace

int main(int argc, char** argv) {
    test::Prices prices;
    if (argc == 4) {
        prices.latency = 1e-6 * std::atof(argv[1]);
        prices.per_message = 1e-6 * std::atof(argv[2]);
        prices.per_result = 1e-6 * std::atof(argv[3]);
    }
    fmt::print("latency {:.1f} us, message {:.1f} us, result {:.1f} us; 1 % of the ranks at half speed, one "
               "at 1/200\n",
               1e6 * prices.latency, 1e6 * prices.per_message, 1e6 * prices.per_result);
    table("dense mix", test::dense_mix(40000), prices);
    table("implicit mix", test::implicit_mix(33334), prices);
}
