#include "etastar/analysis/fit.hpp"
#include "etastar/error.hpp"
#include "etastar/report/json.hpp"
#include "etastar/report/text.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <random>
#include <stdexcept>

using namespace etastar;
using trial::Status;

namespace {

// A table whose every number is made up: eta* = 0.7 n^0.25 L^-1.2 for both criteria at threshold 1, with
// lognormal networks.
analysis::TrialTable fabricated(std::vector<std::uint32_t> widths, std::vector<std::uint32_t> depths,
                                std::uint64_t seeds) {
    sweep::Spec spec;
    spec.width = std::move(widths);
    spec.depth = std::move(depths);
    for (int k = 0; k < 13; ++k) spec.eta.push_back(0.003 * std::pow(2.0, k));
    spec.eta_unit = sweep::EtaUnit::absolute;
    spec.seeds = seeds;
    spec.model.input_dim = 8;
    analysis::TrialTable table{plan::Plan(spec), &trial::find_kind(spec.trial), {}, {}, true, 0, {}};
    std::vector<trial::FirstStepRow> rows;
    std::mt19937 generator(17);
    std::normal_distribution<double> normal;
    for (const auto width : spec.width)
        for (const auto depth : spec.depth) {
            const double star = 0.7 * std::pow(width, 0.25) * std::pow(depth, -1.2);
            for (std::uint64_t seed = 0; seed < seeds; ++seed) {
                const double sigma = 0.5;
                const double noise = std::exp(sigma * normal(generator) - sigma * sigma / 2); // mean 1
                for (const double eta : spec.eta) {
                    auto row = test::unmeasured({width, depth, seed}, eta, Status::done);
                    row.output = 0;
                    row.output_after = eta / star * std::sqrt(noise);
                    row.response_last = noise / (star * star);
                    row.response_max = 4 * row.response_last;
                    row.response_mean = row.response_last / 4;
                    row.response_output = row.response_last / 9;
                    row.dz2_last = eta * eta * row.response_last;
                    row.dz2_max = eta * eta * row.response_max;
                    row.dz2_mean = eta * eta * row.response_mean;
                    rows.push_back(test::sealed(row));
                }
            }
        }
    const auto bytes = std::as_bytes(std::span(rows));
    table.rows.assign(bytes.begin(), bytes.end());
    return table;
}

bool contains(const analysis::Interval& interval, double value) {
    return interval.low < value && value < interval.high;
}

} // namespace

TEST_CASE("a known power law is recovered within its intervals, by both criteria") {
    const auto report = analysis::fit(fabricated({400, 800, 1600}, {2, 4, 8, 16}, 200), {});
    REQUIRE(report.fits.size() == 2);
    for (const auto& fit : report.fits) {
        REQUIRE(fit.law.depth);
        REQUIRE(fit.law.width);
        CHECK(contains(fit.law.depth->ci95, -1.2));
        CHECK(contains(fit.law.width->ci95, 0.25));
        CHECK(contains(fit.law.constant->ci95, 0.7));
        CHECK(fit.law.depth->standard_error < 0.02);
        CHECK(fit.law.p_value > 1e-4);
        REQUIRE(fit.cells.size() == 12);
        int covered = 0;
        for (const auto& cell : fit.cells) {
            const double truth = 0.7 * std::pow(cell.width, 0.25) * std::pow(cell.depth, -1.2);
            CHECK(*cell.eta_star == Catch::Approx(truth).epsilon(0.1));
            covered += contains(cell.ci95, truth);
            CHECK(cell.networks == 200);
        }
        CHECK(covered >= 9);
        REQUIRE(fit.slopes.size() == 9);
        for (const auto& slope : fit.slopes) CHECK(slope.slope.value == Catch::Approx(-1.2).margin(0.2));
    }
    CHECK(report.fits[0].cells[0].z);
    CHECK_FALSE(report.fits[1].cells[0].exact);
    CHECK(report.warnings.empty());
}

TEST_CASE("thresholds and layers scale as they must") {
    const auto table = fabricated({400}, {2, 4}, 50);
    analysis::FitOptions options;
    const auto star = [&](const char* criterion, double threshold, theory::Layer layer) {
        options.criteria = {&analysis::estimator(criterion)};
        options.thresholds = {threshold};
        options.layer = layer;
        return *analysis::fit(table, options).fits.at(0).cells.at(1).eta_star;
    };
    for (const auto criterion : {"linear", "finite"}) {
        const double last = star(criterion, 1, theory::Layer::last);
        CHECK(star(criterion, 0.01, theory::Layer::last) == Catch::Approx(last / 10).epsilon(1e-6));
        CHECK(star(criterion, 1, theory::Layer::max) == Catch::Approx(last / 2).epsilon(1e-6));
        CHECK(star(criterion, 1, theory::Layer::mean) == Catch::Approx(last * 2).epsilon(1e-6));
    }
    CHECK(star("linear", 1, theory::Layer::output)
          == Catch::Approx(3 * star("linear", 1, theory::Layer::last)));
    CHECK(star("finite", 1, theory::Layer::output) == Catch::Approx(star("finite", 1, theory::Layer::last)));
}

TEST_CASE("relative thresholds are multiples of the mean of z^2 of the same layers") {
    // z^2 of last, max and mean are 3, 5 and 2 in every network, and the response is 1, 4 and 1/4 of that of last.
    auto table = fabricated({400}, {2, 4}, 50);
    for (auto& row : test::rows_of(table)) {
        row.z2_last = 3;
        row.z2_max = 5;
        row.z2_mean = 2;
    }
    analysis::FitOptions options;
    const auto cell = [&](const char* criterion, double threshold, theory::Layer layer, bool relative,
                          analysis::Average statistic = analysis::Average::mean) {
        options.criteria = {&analysis::estimator(criterion)};
        options.thresholds = {threshold};
        options.layer = layer;
        options.relative = relative;
        options.statistic = statistic;
        return analysis::fit(table, options).fits.at(0).cells.at(1);
    };
    for (const auto criterion : {"linear", "finite"})
        for (const auto statistic : {analysis::Average::mean, analysis::Average::median})
            for (const auto& [layer, size] :
                 {std::pair{theory::Layer::last, 3}, {theory::Layer::max, 5}, {theory::Layer::mean, 2}}) {
                const auto relative = cell(criterion, 0.5, layer, true, statistic);
                const auto absolute = cell(criterion, 0.5 * size, layer, false, statistic);
                CHECK(*relative.eta_star == Catch::Approx(*absolute.eta_star).epsilon(1e-10));
                CHECK(relative.ci95.low == Catch::Approx(absolute.ci95.low).epsilon(1e-10));
                CHECK(relative.ci95.high == Catch::Approx(absolute.ci95.high).epsilon(1e-10));
                CHECK(*relative.z2 == size);
            }
    // Where z^2 goes with the response, the ratio fluctuates less than the response.
    for (auto& row : test::rows_of(table)) row.z2_last = row.response_last;
    for (const auto criterion : {"linear", "finite"}) {
        const auto relative = cell(criterion, 1, theory::Layer::last, true);
        CHECK(*relative.eta_star == Catch::Approx(1).epsilon(1e-6));
        CHECK(relative.relative_error < 1e-6);
        CHECK(cell(criterion, 1, theory::Layer::last, false).relative_error > 0.01);
    }
    for (auto& row : test::rows_of(table)) row.z2_last = 0;
    for (const auto criterion : {"linear", "finite"})
        CHECK(cell(criterion, 1, theory::Layer::last, true).note.find("z^2 is zero") != std::string::npos);
    options.layer = theory::Layer::output;
    CHECK(test::refusal_of<UsageError>([&] { analysis::fit(table, options); }).rfind("relative: ", 0) == 0);
}

TEST_CASE("what is known of ReLU networks is said of no others") {
    auto table = fabricated({64}, {2, 48}, 50);
    const auto as = [&](auto change) {
        auto spec = table.plan.spec();
        change(spec.model);
        auto other = table;
        other.plan = plan::Plan(spec);
        analysis::FitOptions options;
        options.curves = true;
        return analysis::fit(other, options);
    };
    const auto relu = as([](model::Model&) {});
    CHECK(relu.fits[0].asymptote);
    CHECK(relu.fits[0].cells[0].f2_share);
    CHECK_FALSE(relu.fits[1].cells[1].eta_star); // explosions
    CHECK(relu.fits[0].weights.find("13.2") != std::string::npos);
    CHECK(relu.model == "relu mlp, sgd, train all, rates mup");
    CHECK(relu.warnings.at(0).find("heavy-tailed") != std::string::npos);

    const auto tanh = as([](model::Model& m) { m.activation = model::activation_of<model::Tanh>; });
    CHECK_FALSE(tanh.fits[0].asymptote);
    CHECK(tanh.fits[1].cells[1].eta_star);
    CHECK(tanh.fits[0].weights == "n/L");
    CHECK(tanh.model == "tanh mlp, sgd, train all, rates mup");
    CHECK(tanh.warnings.empty());

    const auto stream = as([](model::Model& m) {
        m.architecture = model::architecture_of<model::Residual>;
        m.optimizer = model::optimizer_of<model::Sign>;
        m.biases = true;
        m.weight_variance = 1.5;
    });
    CHECK_FALSE(stream.fits[0].asymptote);
    CHECK_FALSE(stream.fits[0].cells[0].f2_share);
    CHECK(stream.fits[0].weights.find("tau") != std::string::npos);
    CHECK(stream.model
          == "relu residual, branches L^-0.5, biases, weight variance 1.5, sign, train all, rates mup");
}

TEST_CASE("the linear estimate is that of a unit error, with the share of f^2 beside it") {
    auto table = fabricated({400}, {2}, 40);
    double response = 0;
    double weighted = 0;
    for (auto& row : test::rows_of(table)) {
        row.output = static_cast<double>(row.seed % 3);
        response += row.response_last;
        weighted += row.output * row.output * row.response_last;
    }
    const double rows = static_cast<double>(test::rows_of(table).size());
    const auto cell = analysis::fit(table, {}).fits[0].cells[0];
    CHECK(*cell.eta_star == Catch::Approx(std::sqrt(rows / response)));
    CHECK(*cell.f2_share == Catch::Approx(weighted / response));
}

TEST_CASE("cells without an answer say why and stay out of the regression") {
    auto table = fabricated({400}, {2, 4, 8}, 50);
    analysis::FitOptions options;
    options.criteria = {&analysis::estimator("finite")};
    options.thresholds = {1e-9, 1e9};
    const auto outside = analysis::fit(table, options);
    for (const auto& fit : outside.fits) {
        for (const auto& cell : fit.cells) {
            CHECK_FALSE(cell.eta_star);
            CHECK(cell.note.find("threshold") != std::string::npos);
        }
        CHECK_FALSE(fit.law.depth);
    }
    CHECK(outside.warnings.size() == 2);

    // Nothing but pending rows at L = 4, overflow at L = 8.
    for (auto& row : test::rows_of(table)) {
        if (row.depth == 4) row.end.status = Status::pending;
        if (row.depth == 8) {
            row.end.status = Status::nonfinite;
            row.dz2_last = HUGE_VAL;
        }
    }
    options.thresholds = {1};
    const auto partial = analysis::fit(table, options);
    CHECK(partial.fits[0].cells[0].eta_star);
    CHECK(partial.fits[0].cells[1].note == "no network has run");
    CHECK_FALSE(partial.fits[0].cells[2].eta_star);
    CHECK_FALSE(partial.fits[0].law.depth); // one depth left
}

TEST_CASE("an overflow above the threshold does not hide the crossing") {
    auto table = fabricated({400}, {2}, 50);
    const double before = *analysis::fit(table, {}).fits[1].cells[0].eta_star;
    for (auto& row : test::rows_of(table))
        if (row.eta > 8 * before) {
            row.end.status = Status::nonfinite;
            row.dz2_last = HUGE_VAL;
        }
    CHECK(*analysis::fit(table, {}).fits[1].cells[0].eta_star == Catch::Approx(before));
}

TEST_CASE("warnings") {
    const auto warned = [](const analysis::TrialTable& table, const char* words) {
        for (const auto& warning : analysis::fit(table, {}).warnings)
            if (warning.find(words) != std::string::npos) return true;
        return false;
    };
    CHECK(warned(fabricated({64}, {2, 8}, 30), "L/n > 0.1"));
    CHECK_FALSE(warned(fabricated({400}, {2, 8}, 30), "L/n"));
    CHECK(warned(fabricated({400}, {2, 8}, 19), "fewer than 20"));
    auto table = fabricated({400}, {2, 8}, 30);
    table.damaged = 3;
    for (std::size_t i = 0; i < 3; ++i) test::rows_of(table)[i].end.status = Status::pending;
    CHECK(warned(table, "3 of 780 rows are damaged"));
    CHECK_FALSE(warned(table, "have not run"));
    test::rows_of(table)[20].end.status = Status::failed;
    CHECK(warned(table, "1 of 780 rows failed"));
}

namespace {

// A criterion that is in no list: eta* is the mean loss.
class Toy : public analysis::Estimator {
public:
    explicit Toy(std::string needs) : needs_(std::move(needs)) {}
    std::string_view name() const override { return "toy"; }
    std::string_view description() const override { return "the mean loss"; }
    std::vector<std::string> columns(theory::Layer) const override { return {needs_}; }
    analysis::CellFit estimate(const analysis::Cell& cell, const analysis::FitOptions&,
                               double threshold) const override {
        const auto loss = analysis::column(*cell.table, needs_);
        analysis::CellFit fit;
        fit.networks = cell.networks;
        double sum = 0;
        for (std::uint64_t i = 0; i < cell.networks; ++i) sum += loss[cell.row(i, 0)];
        fit.eta_star = threshold * sum / static_cast<double>(cell.networks);
        fit.relative_error = 0.1;
        return fit;
    }

private:
    std::string needs_;
};

} // namespace

TEST_CASE("a criterion is one object: it reads columns by name and is reported under its own") {
    auto table = fabricated({400, 800}, {2, 4}, 30);
    for (auto& row : test::rows_of(table)) row.loss = 2.0 * row.depth;
    const Toy toy("loss");
    analysis::FitOptions options;
    options.criteria = {&toy};
    options.thresholds = {3};
    const auto report = analysis::fit(table, options);
    CHECK(*report.fits.at(0).cells.at(1).eta_star == Catch::Approx(24));
    CHECK(report.fits[0].law.depth->value == Catch::Approx(1));
    CHECK(nlohmann::json::parse(report::to_json(report, {}))["fits"][0]["criterion"] == "toy");
    CHECK(report::to_text(report).find("toy criterion, threshold 3") == 0);

    const Toy other("loss_of_another_kind_of_trial");
    options.criteria = {&other};
    CHECK_THROWS_AS(analysis::fit(table, options), UsageError);
}

TEST_CASE("the criteria of a table are those whose columns it has") {
    const auto table = fabricated({400}, {2}, 2);
    for (const auto* criterion : analysis::estimators()) {
        CHECK(&analysis::estimator(criterion->name()) == criterion);
        if (criterion->of_training()) continue;
        for (const auto layer :
             {theory::Layer::last, theory::Layer::max, theory::Layer::mean, theory::Layer::output})
            for (const auto& name : criterion->columns(layer)) CHECK(analysis::has_column(table, name));
    }
    CHECK_THROWS_AS(analysis::estimator("converging"), UsageError);
    CHECK(analysis::fit(table, {}).fits.size() == 2);
    CHECK_FALSE(analysis::has_column(table, "loss_final"));
    CHECK_THROWS_AS(analysis::column(table, "status"), std::invalid_argument);
}

TEST_CASE("JSON has the documented shape and no NaN") {
    analysis::FitOptions options;
    options.thresholds = {1, 1e9};
    const auto tree =
        nlohmann::json::parse(report::to_json(analysis::fit(fabricated({400}, {2, 8}, 30), options), {}));
    REQUIRE(tree.at("fits").size() == 4);
    const auto& linear = tree["fits"][0];
    CHECK(linear["criterion"] == "linear");
    CHECK(linear["threshold"] == 1.0);
    CHECK(linear["layer"] == "last");
    CHECK(linear["exponents"]["width"].is_null());
    CHECK(linear["exponents"]["depth"]["ci95"].size() == 2);
    CHECK(linear["constant"]["value"].is_number());
    const auto& cell = linear["cells"][0];
    for (const char* key : {"width", "depth", "networks", "eta_star", "ci95", "exact", "z"})
        CHECK(cell.contains(key));
    const auto& unbracketed = tree["fits"][3];
    CHECK(unbracketed["criterion"] == "finite");
    CHECK(unbracketed["cells"][0]["eta_star"].is_null());
    CHECK(unbracketed["cells"][0]["exact"].is_null());
    CHECK(unbracketed["cells"][0]["note"].is_string());
    CHECK(unbracketed["exponents"]["depth"].is_null());
    CHECK(unbracketed["constant"].is_null());
}
