#include "figures.hpp"

#include "etastar/names.hpp"
#include "etastar/report/words.hpp"

#include "../json.hpp"
#include "notation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace etastar::report {
namespace {

using namespace analysis;

// What of an axis goes into a figure; a page stays below a megabyte.
struct Most {
    std::size_t widths;
    std::size_t depths;
};
constexpr Most most_of_rates{12, 48};
constexpr Most most_of_curves{6, 10};
constexpr std::size_t most_points = 64; // of a curve

// Six digits, which is more than a figure shows.
Json brief(double x) {
    if (!std::isfinite(x)) return nullptr;
    return std::stod(fmt::format("{:.6g}", x));
}

// Of so many things those that are shown: the first, the last, and others evenly between.
std::vector<std::size_t> evenly(std::size_t count, std::size_t most) {
    std::vector<std::size_t> chosen;
    if (count <= most) {
        for (std::size_t i = 0; i < count; ++i) chosen.push_back(i);
    } else {
        for (std::size_t i = 0; i < most; ++i) chosen.push_back(i * (count - 1) / (most - 1));
    }
    return chosen;
}

// Every so many values of a curve.
template <class Values>
Json brief_list(const Values& values) {
    auto array = Json::array();
    for (const auto i : evenly(values.size(), most_points)) array.push_back(brief(values[i]));
    return array;
}

Json brief_lows(const std::vector<Interval>& intervals) {
    auto array = Json::array();
    for (const auto i : evenly(intervals.size(), most_points)) array.push_back(brief(intervals[i].low));
    return array;
}

Json brief_highs(const std::vector<Interval>& intervals) {
    auto array = Json::array();
    for (const auto i : evenly(intervals.size(), most_points)) array.push_back(brief(intervals[i].high));
    return array;
}

Json integer_list(const std::vector<std::uint32_t>& values) {
    auto array = Json::array();
    for (const auto i : evenly(values.size(), most_points)) array.push_back(values[i]);
    return array;
}

// The widths and depths of a figure's cells, and which of them it shows.
class Shown {
public:
    template <class Cells>
    Shown(const Cells& cells, Most most) {
        std::set<std::uint32_t> widths;
        std::set<std::uint32_t> depths;
        for (const auto& cell : cells) {
            widths.insert(cell.width);
            depths.insert(cell.depth);
        }
        choose(widths, most.widths, "widths", widths_);
        choose(depths, most.depths, "depths", depths_);
    }

    template <class Cell>
    bool has(const Cell& cell) const {
        return has_width(cell.width) && has_depth(cell.depth);
    }
    bool has_width(std::uint32_t width) const { return widths_.contains(width); }
    bool has_depth(std::uint32_t depth) const { return depths_.contains(depth); }

    // "Shown are 10 of 24 depths."; empty where all are.
    const std::string& remark() const { return remark_; }

private:
    void choose(const std::set<std::uint32_t>& all, std::size_t most, const char* what,
                std::set<std::uint32_t>& chosen) {
        const std::vector<std::uint32_t> values(all.begin(), all.end());
        for (const auto i : evenly(values.size(), most)) chosen.insert(values[i]);
        if (chosen.size() == all.size()) return;
        remark_ += fmt::format("{}{} of {} {}", remark_.empty() ? "Shown are " : " and ", chosen.size(),
                               all.size(), what);
    }

    std::set<std::uint32_t> widths_;
    std::set<std::uint32_t> depths_;
    std::string remark_;
};

Json curves_of_theory(const char* at, const std::vector<ExactCurve>& curves, const Shown& shown,
                      bool of_width) {
    auto array = Json::array();
    for (const auto& curve : curves)
        if (of_width ? shown.has_width(curve.at) : shown.has_depth(curve.at))
            array.push_back(
                {{at, curve.at}, {"x", integer_list(curve.x)}, {"y", brief_list(curve.eta_star)}});
    return array;
}

Json rates_of(const CriterionFit& fit, const Shown& shown) {
    Json tree = {{"label", label_of(fit)}, {"cells", Json::array()}};
    for (const auto& cell : fit.cells) {
        if (!shown.has(cell)) continue;
        Json entry = {{"n", cell.width}, {"L", cell.depth}, {"N", cell.networks}};
        if (cell.eta_star) {
            entry["y"] = brief(*cell.eta_star);
            entry["lo"] = brief(cell.ci95.low);
            entry["hi"] = brief(cell.ci95.high);
        }
        if (cell.exact) entry["exact"] = brief(*cell.exact);
        if (cell.infinite) entry["inf"] = brief(*cell.infinite);
        if (cell.z) entry["z"] = brief(*cell.z);
        if (cell.kernel) {
            const auto& kernel = *cell.kernel;
            entry["k0"] = {brief(kernel.initial.value), brief(kernel.initial.ci95.low),
                           brief(kernel.initial.ci95.high)};
            entry["kT"] = {brief(kernel.final.value), brief(kernel.final.ci95.low),
                           brief(kernel.final.ci95.high)};
        }
        tree["cells"].push_back(std::move(entry));
    }
    tree["exactL"] = curves_of_theory("n", fit.exact_in_depth, shown, true);
    tree["exactN"] = curves_of_theory("L", fit.exact_in_width, shown, false);
    tree["inf"] = Json::array();
    for (const auto& curve : fit.infinite) {
        if (curve.width && !shown.has_width(*curve.width)) continue;
        tree["inf"].push_back({{"n", curve.width ? Json(*curve.width) : Json(nullptr)},
                               {"x", integer_list(curve.depth)},
                               {"y", brief_list(curve.eta_star)}});
    }
    if (fit.asymptote)
        tree["asymptote"] = {{"shown", law_text(fit.asymptote->law)},
                             {"x", integer_list(fit.asymptote_depth)},
                             {"y", brief_list(fit.asymptote_rate)}};
    if (fit.law.constant) {
        const auto value = [](const auto& e) { return e ? brief(e->value) : Json(0); };
        tree["law"] = {
            {"c", brief(fit.law.constant->value)}, {"a", value(fit.law.width)}, {"b", value(fit.law.depth)}};
    }
    return tree;
}

template <class Cells>
std::size_t widths_of(const Cells& cells) {
    std::set<std::uint32_t> values;
    for (const auto& cell : cells) values.insert(cell.width);
    return values.size();
}

template <class Cells>
std::size_t depths_of(const Cells& cells) {
    std::set<std::uint32_t> values;
    for (const auto& cell : cells) values.insert(cell.depth);
    return values.size();
}

bool any_rate(const FitReport& fit) {
    return std::any_of(fit.fits.begin(), fit.fits.end(), [](const auto& each) {
        return std::any_of(each.cells.begin(), each.cells.end(),
                           [](const auto& cell) { return cell.eta_star.has_value(); });
    });
}

// What the lines of that figure are, over all its criteria.
std::string lines_of_depth(const std::vector<CriterionFit>& fits, bool training) {
    const auto some = [&](auto has) { return std::any_of(fits.begin(), fits.end(), has); };
    std::vector<std::string> kinds;
    if (some([](const auto& fit) { return !fit.exact_in_depth.empty(); }))
        kinds.emplace_back("exact theory at that width");
    if (some([](const auto& fit) { return !fit.infinite.empty(); }))
        kinds.emplace_back("theory of infinite width");
    if (some([](const auto& fit) { return fit.asymptote.has_value(); }))
        kinds.emplace_back("the power law that theory tends to");
    if (kinds.empty())
        return training ? "The line is the fitted power law."
                        : "The line is the fitted power law; there is no theory to draw.";
    return fmt::format("Lines, where the criterion has them: {}.", fmt::join(kinds, "; "));
}

// eta* against depth, over theory, and against width.
void add_rates(const PageInput& input, Figures& figures, Json& data) {
    const auto& fits = input.fit.fits;
    const auto& cells = fits.front().cells;
    const Shown shown(cells, most_of_rates);
    data["rates"] = Json::array();
    for (const auto& fit : fits) data["rates"].push_back(rates_of(fit, shown));
    const bool training = fits.front().criterion->of_training();
    const bool theory = std::any_of(fits.begin(), fits.end(), [](const auto& fit) {
        return std::any_of(fit.cells.begin(), fit.cells.end(),
                           [](const auto& cell) { return cell.exact || cell.infinite; });
    });
    const std::string none = any_rate(input.fit) ? "" : "No cell has an estimate of η* to draw.";
    const auto single = [&](std::size_t count, const char* axis) {
        return none.empty() && count < 2 ? fmt::format("There is one {}: nothing to draw against it.", axis)
                                         : none;
    };
    figures.list.push_back(
        {"depth", "η* against depth",
         "The largest learning rate η* and its 95 % interval, a colour for each width; both axes are "
         "logarithmic. "
             + lines_of_depth(fits, training),
         single(depths_of(cells), "depth"), shown.remark()});
    figures.list.push_back({"ratio", theory ? "η* over theory" : "η* over the fitted power law",
                            theory
                                ? "Each cell’s η* over exact theory at its width and depth or, where "
                                  "there is none, over that of infinite width. "
                                  "On the line they agree."
                                : "Each cell’s η* over the power law fitted to all of them. A cell whose "
                                  "interval holds the line keeps to that law; by chance one in 20 does not.",
                            none, shown.remark()});
    figures.list.push_back({"width", "η* against width", "The same rates, a colour for each depth.",
                            single(widths_of(cells), "width"), shown.remark()});
}

// The rate in whose units the step is drawn: the same of all cells.
struct Unit {
    std::string label;
    const CriterionFit* fit = nullptr;
    std::optional<double> CellFit::*value = nullptr;
};

Unit unit_of(const FitReport& report) {
    const auto all_have = [](const CriterionFit& fit, std::optional<double> CellFit::*value) {
        return std::all_of(fit.cells.begin(), fit.cells.end(), [&](const CellFit& cell) {
            return cell.networks == 0 || (cell.*value).has_value();
        });
    };
    // To first order before the whole step, whose theory takes the step's own curve to 1.
    for (const bool scales : {true, false})
        for (const auto& [value, what] :
             {std::pair{&CellFit::exact, "exact theory’s"}, {&CellFit::infinite, "infinite width’s"}})
            for (const auto& fit : report.fits)
                if (fit.criterion->scales() == scales && all_have(fit, value))
                    return {fmt::format("η over {} η* ({}, threshold {:g})", what, fit.criterion->name(),
                                        fit.threshold),
                            &fit, value};
    for (const auto& fit : report.fits)
        if (all_have(fit, &CellFit::eta_star))
            return {fmt::format("η over the measured η* ({}, threshold {:g})", fit.criterion->name(),
                                fit.threshold),
                    &fit, &CellFit::eta_star};
    return {"learning rate η", nullptr, nullptr};
}

const char* change_name(theory::Layer layer) {
    return layer == theory::Layer::output ? "Δf²"
           : layer == theory::Layer::max  ? "largest Δz²"
           : layer == theory::Layer::mean ? "Δz², mean over layers"
                                          : "Δz²";
}

void add_step(const PageInput& input, Figures& figures, Json& data) {
    Figure figure{"step", "What a step of rate η changes", "", "", ""};
    if (input.fit.curves.empty()) {
        figure.absence = "This fit looks at no value per rate: it has the criterion linear alone.";
        figures.list.push_back(std::move(figure));
        return;
    }
    const auto& curves = input.fit.curves.front();
    const Shown shown(curves.cells, most_of_curves);
    const auto unit = unit_of(input.fit);
    const auto what = std::string(change_name(curves.layer)) + (curves.relative ? " over z²" : "");
    Json tree = {{"unit", unit.label},
                 {"what", "mean " + what},
                 {"thresholds", Json::array()},
                 {"cells", Json::array()}};
    std::set<double> thresholds;
    for (const auto& fit : input.fit.fits) thresholds.insert(fit.threshold);
    for (const double threshold : thresholds) tree["thresholds"].push_back(brief(threshold));
    for (const auto& curve : curves.cells) {
        if (!shown.has(curve)) continue;
        double one = 1;
        if (unit.fit != nullptr)
            for (const auto& cell : unit.fit->cells)
                if (cell.width == curve.width && cell.depth == curve.depth)
                    one = (cell.*unit.value).value_or(1);
        tree["cells"].push_back({{"n", curve.width},
                                 {"L", curve.depth},
                                 {"N", curve.networks},
                                 {"unit", brief(one)},
                                 {"eta", brief_list(curve.eta)},
                                 {"y", brief_list(curve.mean)},
                                 {"lo", brief_lows(curve.ci95)},
                                 {"hi", brief_highs(curve.ci95)},
                                 {"lin", brief_list(curve.linear)},
                                 {"inf", brief_list(curve.infinite)}});
    }
    data["step"] = std::move(tree);
    figure.caption =
        fmt::format("The mean over networks of {} after one real step, against the rate in units of each "
                    "cell’s {}; dashed what "
                    "the first order in η predicts, dash-dotted theory of infinite width, horizontal the "
                    "threshold{}. Curves that lie "
                    "on one another are one law.",
                    what, unit.fit == nullptr ? "own grid" : "η*", thresholds.size() == 1 ? "" : "s");
    if (unit.fit == nullptr)
        figure.caption = fmt::format(
            "The mean over networks of {} after one real step against the rate; horizontal the threshold.",
            what);
    figure.thinned = shown.remark();
    figures.list.push_back(std::move(figure));
}

void add_profile(const PageInput& input, Figures& figures, Json& data) {
    Figure figure{
        "profile", "Profile over depth",
        "The mean over networks of the response G_{ℓ} of each layer ℓ, by which (Δz^{ℓ})^{2} = η^{2} "
        "G_{ℓ} to first order in η for a unit error, "
        "with its 95 % interval.",
        "", ""};
    if (!input.spec.response_profile)
        figure.absence = "The sweep did not keep every layer’s response: `etastar sweep --profile` does.";
    else if (input.profiles.empty())
        figure.absence = "No network’s profile is in the file yet.";
    if (figure.absence.empty()) {
        const Shown shown(input.profiles, most_of_curves);
        figure.thinned = shown.remark();
        data["profile"] = Json::array();
        for (const auto& profile : input.profiles)
            if (shown.has(profile))
                data["profile"].push_back({{"n", profile.width},
                                           {"L", profile.depth},
                                           {"N", profile.networks},
                                           {"x", integer_list(profile.layer)},
                                           {"y", brief_list(profile.mean)},
                                           {"lo", brief_lows(profile.ci95)},
                                           {"hi", brief_highs(profile.ci95)},
                                           {"exact", brief_list(profile.exact)}});
        if (!input.profiles.front().exact.empty()) figure.caption += " Lines are its exact expectation.";
    }
    figures.list.push_back(std::move(figure));
}

void add_distributions(const PageInput& input, Figures& figures, Json& data) {
    const auto& all = input.fit.distributions;
    Figure figure{"distribution", "Distribution of log G over networks",
                  "The density of log G, the response that the first-order rate rests on, over the networks "
                  "of a cell: its histogram, the normal law of "
                  "the same mean and deviation, by which G is log-normal, and where it is known theory’s.",
                  "", ""};
    if (all.empty()) {
        figure.absence =
            "No cell has two networks with different responses: there is no distribution to draw.";
    } else {
        const Shown shown(all, most_of_curves);
        figure.thinned = shown.remark();
        data["distribution"] = Json::array();
        for (const auto& cell : all) {
            if (!shown.has(cell)) continue;
            Json entry = {{"n", cell.width},
                          {"L", cell.depth},
                          {"N", cell.networks},
                          {"outside", cell.outside},
                          {"mean", brief(cell.mean)},
                          {"sd", brief(cell.deviation)},
                          {"skew", brief(cell.skewness)},
                          {"first", brief(cell.first)},
                          {"bin", brief(cell.bin)},
                          {"counts", cell.counts}};
            if (cell.expected_mean)
                entry["theory"] = {brief(*cell.expected_mean), brief(*cell.expected_deviation)};
            data["distribution"].push_back(std::move(entry));
        }
    }
    figures.list.push_back(std::move(figure));
}

Json medians(const std::vector<Median>& list) {
    auto y = Json::array();
    auto lo = Json::array();
    auto hi = Json::array();
    for (const auto i : evenly(list.size(), most_points)) {
        y.push_back(brief(list[i].value));
        lo.push_back(brief(list[i].ci95.low));
        hi.push_back(brief(list[i].ci95.high));
    }
    return {{"y", y}, {"lo", lo}, {"hi", hi}};
}

void add_training(const PageInput& input, Figures& figures, Json& data) {
    Figure steps{
        "losssteps", "Loss over steps",
        "The median over networks of loss_{t} / loss_{0} at a few rates about the best, with its 95 % "
        "interval; a curve ends where half of the networks have diverged.",
        "", ""};
    Figure rates{"lossrate", "Loss against the rate", "", "", ""};
    // On a fixed kernel; with a memory the bound is another.
    const bool bounded = sweep::optimizer_name(input.spec) == "sgd";
    data["bounded"] = bounded;
    Figure kernel{
        "kernel", "Tangent kernel against depth",
        fmt::format(
            "The median largest eigenvalue λ of the tangent kernel before training (open) and after it at "
            "the largest rate up to η* (filled){}.",
            bounded ? ", beside 2/η*, above which gradient descent on a fixed kernel diverges" : ""),
        any_rate(input.fit) ? "" : "No cell has an estimate of η*, whose kernel would be drawn.", ""};
    const auto& training = input.fit.training;
    if (!training || training->cells.empty()) {
        steps.absence = rates.absence = "No network has run at every rate yet.";
    } else {
        const Shown shown(training->cells, most_of_curves);
        steps.thinned = rates.thinned = shown.remark();
        rates.caption = fmt::format("The median over networks of the loss after step {} over the first, "
                                    "against the rate times a power of the depth: "
                                    "where curves lie on one another the rate transfers.",
                                    training->step);
        data["training"] = {{"step", training->step}, {"cells", Json::array()}};
        for (const auto& cell : training->cells) {
            if (!shown.has(cell)) continue;
            Json entry = {
                {"n", cell.width}, {"L", cell.depth}, {"N", cell.networks}, {"eta", brief_list(cell.eta)}};
            entry["loss"] = medians(cell.loss);
            entry["histories"] = Json::array();
            for (const auto& history : cell.histories) {
                auto line = medians(history.loss);
                line["eta"] = brief(history.eta);
                line["t"] = integer_list(history.steps);
                entry["histories"].push_back(std::move(line));
            }
            data["training"]["cells"].push_back(std::move(entry));
        }
    }
    figures.list.push_back(std::move(steps));
    figures.list.push_back(std::move(rates));
    figures.list.push_back(std::move(kernel));
}

} // namespace

Figures figures_of(const PageInput& input) {
    Figures figures;
    Json data = Json::object();
    if (!input.fit.fits.empty()) add_rates(input, figures, data);
    if (input.spec.trains()) {
        add_training(input, figures, data);
    } else {
        add_step(input, figures, data);
        add_profile(input, figures, data);
        add_distributions(input, figures, data);
    }
    figures.data = data.dump(-1, ' ', true, Json::error_handler_t::replace);
    return figures;
}

} // namespace etastar::report
