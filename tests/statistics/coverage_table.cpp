// The table of docs/science.md, section 5: how often the intervals of `fit` hold the truth. Minutes of work.
//
//     etastar_coverage [SWEEPS [linear|finite|outside]]
#include "etastar/names.hpp"

#include "coverage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

using namespace etastar;
using test::CoverageSetting;
using test::Tally;

namespace {

bool all_within = true;

std::string shown(const std::vector<Tally>& tallies) {
    std::string text;
    for (const auto& tally : tallies) {
        all_within = all_within && tally.within(0.93, 0.97);
        text += fmt::format("{}{:.1f}", text.empty() ? "" : " ", tally.percent());
    }
    return text.empty() ? "-" : text;
}

void print(const CoverageSetting& setting, const test::Coverage& measured) {
    std::string depths;
    for (const auto depth : setting.depths) depths += fmt::format("{}{}", depths.empty() ? "" : " ", depth);
    std::string methods;
    for (const auto method : measured.methods) methods += name_of(method).substr(0, 1);
    fmt::print("| {} {:g} | {} | {} | {} | {} | {} | {} | {} | {} |\n", setting.criterion, setting.threshold,
               setting.width, depths, setting.networks, shown(measured.cells), shown(measured.slopes),
               shown({measured.exponent}), measured.relative.total > 0 ? shown({measured.relative}) : "-",
               methods);
    std::fflush(stdout);
}

// Settings with seeds of their own.
class Fresh {
public:
    Fresh(std::uint64_t seed, std::uint64_t sweeps) : seed_(seed), sweeps_(sweeps) {}

    CoverageSetting operator()(CoverageSetting setting) {
        setting.first_seed = seed_;
        seed_ += sweeps_ * setting.networks;
        return setting;
    }

private:
    std::uint64_t seed_;
    std::uint64_t sweeps_;
};

void first_order(std::uint64_t sweeps) {
    Fresh fresh(10'000'000, sweeps);
    for (const std::uint64_t networks : {30, 100, 400})
        for (const auto& [width, depths] : {std::pair{64U, std::vector<std::uint32_t>{1, 2, 4, 8, 16}},
                                            std::pair{128U, std::vector<std::uint32_t>{2, 4, 8, 16, 32}},
                                            std::pair{256U, std::vector<std::uint32_t>{4, 8, 16, 32, 64}}}) {
            const auto setting = fresh({width, depths, networks, "linear", 1, {1}, 0});
            print(setting, test::coverage(setting, test::exact_truth(setting), sweeps));
        }
}

void whole_steps(std::uint64_t sweeps) {
    Fresh fresh(2'000'000'000, sweeps);
    struct Steps {
        std::uint32_t width;
        std::vector<std::uint32_t> depths;
        std::vector<std::uint64_t> networks;
    };
    for (const double threshold : {1.0, 0.1})
        for (const auto& steps : {Steps{1024, {2, 4, 8}, {20, 30}}, Steps{128, {2, 4, 8}, {100, 400}},
                                  Steps{256, {4, 8, 16}, {100, 400}}}) {
            CoverageSetting setting{steps.width, steps.depths, 0, "finite", threshold, {}, 0};
            for (double eta = 0.75 * std::sqrt(threshold); eta < 4.5 * std::sqrt(threshold); eta *= 1.3)
                setting.eta.push_back(eta);
            const auto truth = test::measured_truth(setting, 20, 5000);
            for (const std::uint64_t networks : steps.networks) {
                setting.networks = networks;
                const auto chosen = fresh(setting);
                print(chosen, test::coverage(chosen, truth, sweeps));
            }
        }
}

// What falls outside the promise: dead networks, ten networks, and depths of the order of the width.
void outside(std::uint64_t sweeps) {
    Fresh fresh(4'000'000'000, sweeps);
    for (const auto& setting : {CoverageSetting{4, {2, 4, 8}, 100, "linear", 1, {1}, 0},
                                CoverageSetting{8, {2, 4, 8}, 400, "linear", 1, {1}, 0},
                                CoverageSetting{16, {4, 8, 16}, 400, "linear", 1, {1}, 0},
                                CoverageSetting{64, {16, 32, 64}, 10, "linear", 1, {1}, 0},
                                CoverageSetting{64, {16, 32, 64}, 100, "linear", 1, {1}, 0},
                                CoverageSetting{64, {4, 8, 16}, 5000, "linear", 1, {1}, 0}}) {
        const auto chosen = fresh(setting);
        print(chosen, test::coverage(chosen, test::exact_truth(chosen), sweeps));
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::uint64_t sweeps = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 500;
    if (sweeps == 0) {
        fmt::print(stderr, "etastar_coverage: '{}' is not a number of sweeps\n", argv[1]);
        return 2;
    }
    fmt::print("| criterion, c | n | L | networks | cells | local slopes | depth exponent | measured / exact "
               "| interval |\n"
               "|---|---|---|---|---|---|---|---|---|\n");
    const std::string part = argc > 2 ? argv[2] : "";
    const auto wanted = [&](const char* name) { return part.empty() || part == name; };
    if (wanted("linear")) first_order(sweeps);
    if (wanted("finite")) whole_steps(sweeps);
    const bool verdict = all_within;
    if (wanted("outside")) outside(sweeps);
    if (!verdict) fmt::print("\nA true coverage between 93 and 97 % is not credible everywhere.\n");
    return verdict ? 0 : 1;
}
