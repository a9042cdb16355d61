#include "etastar/analysis/fit.hpp"
#include "etastar/error.hpp"
#include "etastar/report/json.hpp"
#include "etastar/report/text.hpp"

#include "catch.hpp"
#include "trained.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <stdexcept>

using namespace etastar;
using test::trained;

namespace {

analysis::CriterionFit fit_of(const analysis::TrialTable& table, const char* criterion,
                              analysis::FitOptions options = {}) {
    options.criteria = {&analysis::estimator(criterion)};
    return analysis::fit(table, options).fits.at(0);
}

// Log losses quadratic in log eta, least at 2 n^0.1 L^-1.5 and the network's own factor of it.
analysis::TrialTable quadratic(std::vector<std::uint32_t> widths, std::vector<std::uint32_t> depths,
                               std::uint64_t seeds, double scatter, double width_exponent = 0.1,
                               double first = 0.004) {
    std::mt19937 generator(3);
    std::normal_distribution<double> normal;
    double own = 0;
    return trained(std::move(widths), std::move(depths), test::ratios(first, std::sqrt(2), 24), seeds, 4,
                   [&](const model::NetworkId& id, std::size_t k, double eta) {
                       if (k == 0) own = scatter * normal(generator);
                       const double star =
                           std::log(2 * std::pow(id.width, width_exponent)) - 1.5 * std::log(id.depth) + own;
                       test::MadeUpRun run;
                       const double fall = 3 - std::pow(std::log(eta) - star, 2);
                       for (int t = 0; t <= 4; ++t) run.loss.push_back(0.5 * std::exp(-fall * t));
                       run.kernel_initial = 0.5 * id.depth + 1;
                       run.kernel_final = 2 / eta;
                       return run;
                   });
}

} // namespace

TEST_CASE("training: the largest rate lies where the fraction of successes falls below one half") {
    // Networks 0 .. 9 have the largest rates 1.5, 1.5, 3, 3, 3, 3, 6, 6, 6, none: at rates 1, 2, 4 there succeed 9, 7 and 3.
    const double largest[] = {1.5, 1.5, 3, 3, 3, 3, 6, 6, 6, 0};
    const auto table =
        trained({16}, {2}, {1, 2, 4, 8}, 10, 6, [&](const model::NetworkId& id, std::size_t, double eta) {
            auto run = test::falls_below(eta, largest[id.seed], 6);
            if (id.seed == 9) run.loss.assign(7, 0.3); // dead
            run.kernel_initial = 3 + double(id.seed);
            run.kernel_final = eta * (1 + double(id.seed));
            return run;
        });
    const double expected = 2 * std::pow(2, (7 - 5) / (7.0 - 3));
    for (const char* criterion : {"converges", "reaches"}) {
        const auto fit = fit_of(table, criterion);
        CHECK(fit.step == 6);
        CHECK(*fit.fraction == 0.01);
        const auto& cell = fit.cells.at(0);
        CHECK(cell.networks == 10);
        CHECK(*cell.eta_star == Catch::Approx(expected));
        CHECK(cell.ci95.low < expected);
        CHECK(cell.ci95.high > expected);
        CHECK(cell.interval == analysis::IntervalMethod::bootstrap);
        CHECK(cell.kernel->eta == 2);
        CHECK(cell.kernel->initial.value == 7.5);
        CHECK(cell.kernel->final.value == Catch::Approx(2 * 7.5)); // of 3 .. 10, and two that have diverged
        CHECK(cell.kernel->initial.ci95.low == 4);
    }
    // The dead network is stable: 10, 8, 4 and 1.
    const auto stable = fit_of(table, "stable");
    CHECK(*stable.fraction == 4);
    CHECK(*stable.cells[0].eta_star == Catch::Approx(2 * std::pow(2, (8 - 5) / (8.0 - 4))));

    // Two steps lose a hundredth and not less; ten times its loss is not above it.
    analysis::FitOptions options;
    options.step = 2;
    CHECK(fit_of(table, "converges", options).cells[0].note.find("at most 0 of 10") != std::string::npos);
    options.fraction = 0.1;
    CHECK(*fit_of(table, "converges", options).cells[0].eta_star == Catch::Approx(expected));
    options.step = 1;
    options.fraction = 10;
    const auto above = fit_of(table, "stable", options).cells[0];
    CHECK(above.outside_grid);
    CHECK(above.note.find("at the largest rate, 8") != std::string::npos);

    // A loss that comes back was reached.
    auto returns = table;
    for (std::size_t row = 0; row < 40; ++row)
        if (std::isfinite(returns.tables[0][row * 7 + 6]) && row < 36) returns.tables[0][row * 7 + 6] = 0.5;
    CHECK(fit_of(returns, "converges").cells[0].outside_grid);
    CHECK(*fit_of(returns, "reaches").cells[0].eta_star == Catch::Approx(expected));
}

TEST_CASE("training: the best rate is the parabola's, and its power law is recovered") {
    const auto table = quadratic({64, 256}, {2, 4, 8, 16}, 30, 0.2);
    const auto fit = fit_of(table, "best");
    CHECK_FALSE(fit.fraction);
    CHECK(fit.weights == "n/L");
    for (const auto& cell : fit.cells) {
        const double truth = 2 * std::pow(cell.width, 0.1) * std::pow(cell.depth, -1.5);
        CHECK(*cell.eta_star == Catch::Approx(truth).epsilon(0.15));
        CHECK(cell.relative_error == Catch::Approx(0.2 / std::sqrt(30)).epsilon(0.3));
    }
    CHECK(fit.law.depth->value == Catch::Approx(-1.5).margin(5 * fit.law.depth->standard_error));
    CHECK(fit.law.width->value == Catch::Approx(0.1).margin(5 * fit.law.width->standard_error));
    CHECK(fit.law.depth->standard_error < 0.03);
    REQUIRE(fit.slopes.size() == 6);

    // Without scatter the parabola is exact.
    for (const auto& cell : fit_of(quadratic({64}, {2, 4, 8}, 2, 0, 0), "best").cells)
        CHECK(*cell.eta_star == Catch::Approx(2 * std::pow(cell.depth, -1.5)).epsilon(1e-9));

    for (const auto& [first, words] : {std::pair{3.0, "smallest rate, 3"}, {1e-6, "largest rate, 0.0028"}}) {
        const auto cell = fit_of(quadratic({64}, {2}, 5, 0.1, 0.1, first), "best").cells[0];
        CHECK(cell.outside_grid);
        CHECK(cell.note.find(words) != std::string::npos);
    }
    const auto single = trained({16}, {2}, {1}, 5, 4, [](const model::NetworkId&, std::size_t, double eta) {
        return test::falls_below(eta, 2, 4);
    });
    CHECK(fit_of(single, "best").cells[0].outside_grid);
    CHECK(fit_of(single, "best").cells[0].note == "a single rate brackets nothing");
}

TEST_CASE("training: where cells do not determine a power law, it is said which is missing") {
    const auto text_of = [](const analysis::TrialTable& table) {
        analysis::FitOptions options;
        options.criteria = {&analysis::estimator("best")};
        return report::to_text(analysis::fit(table, options));
    };
    const auto lacks = [&](analysis::TrialTable table, std::vector<std::size_t> cells) {
        auto* rows = reinterpret_cast<trial::TrainingRow*>(table.rows.data());
        const auto rates = table.plan.rates();
        const auto of_cell = table.plan.spec().seeds * rates;
        for (const auto cell : cells)
            for (std::size_t i = 0; i < of_cell; ++i)
                rows[cell * of_cell + i].end.status = trial::Status::pending;
        return text_of(table);
    };
    const auto says = [](const std::string& text, const char* words) {
        return text.find(words) != std::string::npos;
    };
    CHECK(says(lacks(quadratic({64, 256}, {2, 4}, 5, 0.1), {1, 2}),
               "2 cells have an estimate with an error bar: too few to fit a constant and two exponents\n"));
    CHECK(says(lacks(quadratic({64, 128, 256}, {2, 4, 8}, 5, 0.1), {1, 2, 3, 5, 6, 7}),
               "3 cells have an estimate with an error bar, but width and depth go together"));
    CHECK(says(text_of(quadratic({64, 256}, {2, 4}, 1, 0.1)),
               "no cell has an estimate with an error bar: nothing to fit\n"));
    CHECK(says(lacks(quadratic({64, 256}, {2, 4}, 5, 0.1), {1}), "depth exponent b"));
}

TEST_CASE("training: beside a rate at which a network diverges the best rate is known to half a step") {
    // Losses fall faster with the rate, until networks from some seed on diverge at 8.
    const auto table = [](std::uint64_t diverging) {
        return trained({16}, {2}, {1, 2, 4, 8}, 20, 4,
                       [&](const model::NetworkId& id, std::size_t, double eta) {
                           test::MadeUpRun run;
                           for (int t = 0; t <= 4; ++t) run.loss.push_back(std::exp(-eta * t));
                           if (eta == 8 && id.seed >= diverging) run.loss = {1, HUGE_VAL};
                           return run;
                       });
    };
    const auto cell = fit_of(table(0), "best").cells[0];
    CHECK(*cell.eta_star == Catch::Approx(4));
    CHECK(cell.relative_error == Catch::Approx(std::log(2) / std::sqrt(12)).epsilon(0.1));
    // Of many samples one network is not in, and then 8 is best: the rates bound nothing above.
    const auto open = fit_of(table(19), "best").cells[0];
    CHECK(*open.eta_star == Catch::Approx(4));
    CHECK(std::isnan(open.ci95.high));
    CHECK(open.ci95.low < 4);
    CHECK_FALSE(open.log_rate);
    CHECK(open.note == "the interval reaches beyond the grid of rates");
}

TEST_CASE("training: losses of zero have a logarithm, and rows that have not run are left out") {
    auto table = quadratic({64}, {2}, 10, 0, 0);
    auto* rows = reinterpret_cast<trial::TrainingRow*>(table.rows.data());
    const double star = 2 * std::pow(2, -1.5);
    for (std::size_t i = 0; i < 240; ++i)
        if (std::abs(std::log(rows[i].eta / star)) < 0.4) table.tables[0][i * 5 + 4] = 0;
    CHECK(*fit_of(table, "best").cells[0].eta_star == Catch::Approx(star).epsilon(0.3));
    CHECK(fit_of(table, "best").cells[0].note.rfind("rounding decides", 0) == 0);
    analysis::FitOptions earlier;
    earlier.step = 3;
    CHECK(fit_of(table, "best", earlier).cells[0].note.empty());
    rows[24].end.status = trial::Status::failed;
    rows[49].end.status = trial::Status::pending;
    CHECK(fit_of(table, "best").cells[0].networks == 8);
    for (std::size_t i = 0; i < 240; ++i) rows[i].end.status = trial::Status::pending;
    CHECK(fit_of(table, "best").cells[0].note == "no network has run");
}

TEST_CASE("training: misalignment is what of the spread noise does not explain") {
    const auto spread = [](const analysis::CriterionFit& fit, bool over_widths, bool fitted) {
        for (const auto& entry : fit.misalignment)
            if (entry.over_widths == over_widths && entry.fitted == fitted && !entry.at) return entry;
        throw std::logic_error("no such spread");
    };
    // n^0.1 over widths a factor of 4 apart: a standard deviation of 0.1 log 4.
    const auto apart = fit_of(quadratic({16, 64, 256}, {2, 4, 8}, 40, 0.1), "best");
    const auto over_widths = spread(apart, true, false);
    const double truth = 0.1 * std::log(4);
    CHECK(over_widths.ci95.low < truth);
    CHECK(truth < over_widths.ci95.high);
    CHECK(over_widths.ci95.low > 0.5 * truth);
    CHECK(over_widths.value == Catch::Approx(truth).epsilon(0.2));
    CHECK(over_widths.noise == Catch::Approx(0.1 / std::sqrt(40)).epsilon(0.2));
    CHECK(over_widths.p_value < 1e-3);
    CHECK(over_widths.among == std::vector<std::uint32_t>{16, 64, 256});
    for (const bool fitted : {false, true}) {
        const auto over_depths = spread(apart, false, fitted);
        CHECK(over_depths.ci95.low == Catch::Approx(0).margin(1e-9));
        CHECK(over_depths.ci95.high < 0.05);
        CHECK(over_depths.p_value > 1e-4);
    }
    CHECK(spread(apart, false, true).exponent == apart.law.depth->value);

    const auto together =
        spread(fit_of(quadratic({16, 64, 256}, {2, 4, 8}, 40, 0.1, 0), "best"), true, false);
    CHECK(together.ci95.low == Catch::Approx(0).margin(1e-9));
    CHECK(together.ci95.high < truth);
    CHECK(together.p_value > 1e-4);
}

TEST_CASE("training: options of the two families of criteria do not mix") {
    const auto training = quadratic({64}, {2, 4}, 5, 0.1);
    const auto refusal = [&](auto change) {
        analysis::FitOptions options;
        change(options);
        return test::refusal_of<UsageError>([&] { analysis::fit(training, options); });
    };
    CHECK(refusal([](auto& o) { o.thresholds = {1}; }).rfind("threshold: ", 0) == 0);
    CHECK(refusal([](auto& o) { o.layer = theory::Layer::max; }).rfind("layer: ", 0) == 0);
    CHECK(refusal([](auto& o) { o.statistic = analysis::Average::median; }).rfind("statistic: ", 0) == 0);
    CHECK(refusal([](auto& o) { o.relative = true; }).rfind("relative: ", 0) == 0);
    CHECK(refusal([](auto& o) { o.step = 5; }) == "step: 5 is not one of the 4 steps of this sweep");
    const auto of_one = [&](const char* criterion, double fraction) {
        return refusal([&](auto& o) {
            o.criteria = {&analysis::estimator(criterion)};
            o.fraction = fraction;
        });
    };
    CHECK(of_one("converges", 1.5) == "fraction: 1.5 is above 1; of criterion 'converges' it is at most 1");
    CHECK(of_one("stable", 0.5) == "fraction: 0.5 is below 1; of criterion 'stable' it is at least 1");
    CHECK(of_one("best", 0.5) == "fraction: criterion 'best' has none");
    CHECK(of_one("reaches", 1).empty());
    CHECK(refusal([&](auto& o) {
              o.criteria = {&analysis::estimator("finite")};
              o.step = 2;
          }).rfind("step: ", 0)
          == 0);
    CHECK(refusal([&](auto& o) { o.criteria = {&analysis::estimator("linear")}; }).find("column")
          != std::string::npos);
    // Of several, a fraction is that of those that accept it.
    analysis::FitOptions options;
    options.fraction = 0.2;
    for (const auto& fit : analysis::fit(training, options).fits)
        CHECK(fit.fraction.value_or(0)
              == (fit.criterion->name() == "stable" ? 4
                  : fit.criterion->name() == "best" ? 0
                                                    : 0.2));
}

TEST_CASE("training: reports have all of it and no NaN") {
    analysis::FitOptions options;
    options.curves = true;
    const auto report = analysis::fit(quadratic({16, 64}, {2, 4}, 8, 0.1), options);
    const auto tree = nlohmann::json::parse(report::to_json(report, {}));
    REQUIRE(tree["fits"].size() == 4);
    const auto& best = tree["fits"][1];
    CHECK(best["criterion"] == "best");
    CHECK(best["threshold"].is_null());
    CHECK(best["step"] == 4);
    CHECK(best["fraction"].is_null());
    CHECK(tree["fits"][0]["fraction"] == 0.01);
    const auto& cell = best["cells"][1];
    CHECK(cell["kernel"]["initial"]["value"] == 3.0);
    CHECK(cell["kernel"]["eta_star_initial"].get<double>()
          == Catch::Approx(3 * cell["eta_star"].get<double>()));
    CHECK(best["misalignment"].size() == 9);
    const auto& training = tree["training"];
    CHECK(training["step"] == 4);
    REQUIRE(training["cells"].size() == 4);
    CHECK(training["cells"][0]["loss"].size() == 24);
    CHECK(training["cells"][0]["loss_ci95"][3].size() == 2);
    CHECK(training["cells"][0]["histories"].size() == 5);
    CHECK(training["cells"][0]["histories"][0]["loss"][0] == 1.0);
    const auto text = report::to_text(report);
    for (const char* words :
         {"best criterion: eta* is the rate of the smallest mean over networks of log loss_4",
          "half of the networks have loss_4 < 0.01 loss_0", "keep every loss up to step 4 at most 4 loss_0",
          "over widths, every depth", "eta* lam_T", "depth exponent b"})
        CHECK(text.find(words) != std::string::npos);
}
