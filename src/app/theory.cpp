#include "etastar/theory/theory.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/error.hpp"
#include "etastar/model/description.hpp"
#include "etastar/sweep/fields.hpp"

#include "../json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>

namespace etastar::app {
namespace {

using theory::Criterion;
using theory::Layer;

constexpr const char* not_covered = "no theory at infinite width covers this model";
constexpr const char* too_deep =
    "theory at infinite width does not reach this depth: it would take too long, or the last digit of "
    "the weight variance decides";
constexpr const char* not_reached = "no rate reaches the threshold";
constexpr const char* no_size = "the theory does not know the size of the layers";
constexpr const char* overflow = "the response is beyond the range of floating point";

struct Cell {
    std::optional<std::uint32_t> width; // none where only the limit is asked for
    std::uint32_t depth;
};

// What the theories say of every width, depth and threshold, as JSON and as text.
class Report {
public:
    explicit Report(const TheoryOptions& options)
        : options_(options),
          exact_(theory::find(model(), theory::Regime::finite_width)),
          infinite_(theory::find(model(), theory::Regime::infinite_width)),
          closes_(infinite_ != nullptr && infinite_->changes(model(), 1, 1, 1.0).has_value()) {
        for (const auto& field : sweep::fields())
            if (field.of_model) tree_[std::string(field.key)] = field.write(options.grid);
        tree_["criterion"] = name_of(options.criterion);
        tree_["thresholds"] = options.thresholds;
        tree_["relative"] = options.relative;
        tree_["theory_exact"] = named(exact_);
        tree_["theory_infinite"] = named(infinite_);
        tree_["layer"] = name_of(options.layer);
        tree_["cells"] = Json::array();
        text_ = heading();
        for (const auto& cell : cells()) {
            const auto curve = curve_of(cell);
            for (const double threshold : options.thresholds) {
                auto entry = options.criterion == Criterion::linear ? linear(cell, threshold)
                                                                    : finite(cell, threshold);
                if (!options.etas.empty()) entry["curve"] = curve;
                tree_["cells"].push_back(std::move(entry));
            }
        }
        for (const auto& note : notes_) text_ += fmt::format("none: {}\n", note);
        text_ += curves_;
    }

    const Json& tree() const { return tree_; }
    const std::string& text() const { return text_; }

private:
    const model::Model& model() const { return options_.grid.model; }

    static Json named(const theory::Theory* theory) {
        return theory == nullptr ? Json(nullptr) : Json(theory->name());
    }

    std::vector<Cell> cells() const {
        std::vector<std::optional<std::uint32_t>> widths(options_.grid.width.begin(),
                                                         options_.grid.width.end());
        if (widths.empty()) widths.emplace_back();
        std::vector<Cell> all;
        for (const auto width : widths)
            for (const auto depth : options_.grid.depth) all.push_back({width, depth});
        return all;
    }

    std::string heading() const {
        auto text = fmt::format("{}, layer {}\n", model::describe(model()), name_of(options_.layer));
        if (exact_ != nullptr && options_.criterion == Criterion::linear)
            text += fmt::format("exact: {}\n", exact_->name());
        if (infinite_ != nullptr) text += fmt::format("n -> infinity: {}\n", infinite_->name());
        const auto* bound = options_.relative ? "threshold E z^2" : "threshold";
        if (options_.criterion == Criterion::linear)
            return fmt::format("eta*_lin, criterion linear, ({} / E response)^(1/2), for {}"
                               "{} {:>10} {:>14} {:>14} {:>14} {:>14}\n",
                               bound, text, place({}), "threshold", "exact", "n -> infinity", "E response",
                               "n -> infinity");
        return fmt::format("eta*_fin, criterion finite, at infinite width, the smallest rate at which E "
                           "(change)^2 of one step\n"
                           "reaches the {}, beside eta*_lin at infinite width, for {}"
                           "{} {:>10} {:>14} {:>14} {:>10}\n",
                           bound, text, place({}), "threshold", "eta*_fin", "eta*_lin", "ratio");
    }

    // First columns of a line: width, where there is one, and depth; their names for no cell.
    std::string place(const std::optional<Cell>& cell) const {
        auto depth = cell ? fmt::format("{:>8}", cell->depth) : fmt::format("{:>8}", "depth");
        if (options_.grid.width.empty()) return depth;
        return (cell ? fmt::format("{:>10} ", *cell->width) : fmt::format("{:>10} ", "width")) + depth;
    }

    static std::string show(const std::optional<double>& rate) {
        return rate && std::isfinite(*rate) ? fmt::format("{:.8g}", *rate) : "none";
    }

    // The limit does not depend on the width where none is needed.
    static std::uint32_t width_of(const Cell& cell) { return cell.width.value_or(1); }

    // NaN where there is no theory or it does not close.
    double response(const theory::Theory* theory, const Cell& cell, Layer layer) const {
        const auto found =
            theory == nullptr ? std::nullopt : theory->response(model(), width_of(cell), cell.depth, layer);
        return found.value_or(std::numeric_limits<double>::quiet_NaN());
    }

    // What the criterion bounds the change by; NaN where it is not known.
    double bound(const theory::Theory* theory, const Cell& cell, double threshold) const {
        const auto found = theory == nullptr ? std::nullopt
                                             : theory::bound(*theory, model(), width_of(cell), cell.depth,
                                                             options_.layer, threshold, options_.relative);
        return found.value_or(std::numeric_limits<double>::quiet_NaN());
    }

    static std::string show_response(double x) { return std::isnan(x) ? "none" : fmt::format("{:.8g}", x); }
    static std::optional<double> linear_rate(double response, double bound) {
        return std::isnan(bound) ? std::nullopt : theory::linear_rate(response, bound);
    }

    Json entry(const Cell& cell, double threshold, const std::optional<double>& exact,
               const std::optional<double>& infinite, const char* missing) {
        Json entry{{"width", cell.width ? Json(*cell.width) : Json(nullptr)},
                   {"depth", cell.depth},
                   {"threshold", threshold},
                   {"criterion", name_of(options_.criterion)},
                   {"exact", number(exact)},
                   {"infinite", number(infinite)},
                   {"infinite_error", nullptr}};
        if (infinite)
            entry["infinite_error"] =
                number(theory::rate_error(*infinite_, options_.criterion, model(), width_of(cell), cell.depth,
                                          options_.layer, *infinite));
        if (entry["infinite"].is_null()) {
            entry["note"] = missing;
            notes_.insert(missing);
        }
        return entry;
    }

    Json linear(const Cell& cell, double threshold) {
        const double here = response(exact_, cell, options_.layer);
        const double limit = response(infinite_, cell, options_.layer);
        const auto rate = linear_rate(here, bound(exact_, cell, threshold));
        const double bound_limit = bound(infinite_, cell, threshold);
        const auto rate_limit = linear_rate(limit, bound_limit);
        text_ += fmt::format("{} {:>10g} {:>14} {:>14} {:>14} {:>14}\n", place(cell), threshold, show(rate),
                             show(rate_limit), show_response(here), show_response(limit));
        if (std::isinf(here)) notes_.insert(overflow);
        auto result = entry(cell, threshold, rate, rate_limit,
                            beyond(cell)              ? too_deep
                            : std::isnan(limit)       ? not_covered
                            : std::isinf(limit)       ? overflow
                            : std::isnan(bound_limit) ? no_size
                                                      : not_reached);
        result["response"] = number(here);
        result["response_infinite"] = number(limit);
        result["response_last"] = number(response(exact_, cell, Layer::last));
        result["response_mean"] = number(response(exact_, cell, Layer::mean));
        result["response_output"] = number(response(exact_, cell, Layer::output));
        return result;
    }

    bool beyond(const Cell& cell) const {
        return infinite_ != nullptr && !infinite_->reaches(model(), cell.depth);
    }

    Json finite(const Cell& cell, double threshold) {
        const double bound_limit = bound(infinite_, cell, threshold);
        const bool closes = closes_ && !std::isnan(bound_limit);
        const auto rate = closes ? theory::critical_step_rate(*infinite_, model(), width_of(cell), cell.depth,
                                                              options_.layer, bound_limit)
                                 : std::nullopt;
        const auto line = linear_rate(response(infinite_, cell, options_.layer), bound_limit);
        text_ += fmt::format("{} {:>10g} {:>14} {:>14} {:>10}\n", place(cell), threshold, show(rate),
                             show(line), rate && line ? fmt::format("{:.5g}", *rate / *line) : "none");
        auto result = entry(cell, threshold, std::nullopt, rate,
                            beyond(cell) ? too_deep
                            : closes     ? not_reached
                            : closes_    ? no_size
                                         : not_covered);
        result["linear"] = number(line);
        return result;
    }

    // The step at infinite width against the rate.
    Json curve_of(const Cell& cell) {
        auto curve = Json::array();
        for (const double eta : options_.etas) {
            const auto changes = infinite_ == nullptr
                                     ? std::nullopt
                                     : infinite_->changes(model(), width_of(cell), cell.depth, eta);
            if (!changes) return nullptr;
            if (curves_.empty())
                curves_ =
                    fmt::format("\nOne step at infinite width to unit error: E (dz)^2 of the last layer, its "
                                "mean over layers, and |df|\n{} {:>14} {:>14} {:>14} {:>14}\n",
                                place({}), "eta", "dz2_last", "dz2_mean", "output_change");
            const double output = std::sqrt(changes->output);
            curves_ += fmt::format("{} {:>14.8g} {:>14.8g} {:>14.8g} {:>14.8g}\n", place(cell), eta,
                                   changes->last, changes->mean, output);
            curve.push_back({{"eta", eta},
                             {"dz2_last", number(changes->last)},
                             {"dz2_mean", number(changes->mean)},
                             {"output_change", number(output)}});
        }
        return curve;
    }

    const TheoryOptions& options_;
    const theory::Theory* exact_;
    const theory::Theory* infinite_;
    bool closes_; // it knows whole steps
    Json tree_;
    std::string text_;
    std::string curves_;
    std::set<std::string> notes_;
};

} // namespace

ExitCode theory_command(const Arguments& arguments) {
    const auto options = parse_theory(arguments);
    if (!options) return ExitCode::done;
    refuse_table("json", options->json);
    const Report report(*options);
    if (!options->json.empty()) write_document(options->json, dumped(report.tree(), 2) + "\n");
    if (options->json != "-") write_document("-", report.text());
    return ExitCode::done;
}

} // namespace etastar::app
