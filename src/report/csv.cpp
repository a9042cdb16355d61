#include "etastar/report/csv.hpp"

#include "etastar/names.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <optional>
#include <vector>

namespace etastar::report {
namespace {

using namespace analysis;

std::string field(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c;
    }
    return quoted + '"';
}

std::string field(double x) { return std::isfinite(x) ? fmt::format("{}", x) : std::string(); }
std::string field(std::optional<double> x) { return x ? field(*x) : std::string(); }

struct CsvColumn {
    std::string name;
    std::function<std::string(const CriterionFit&, const CellFit&)> value;
};

// Of a column that training does not have, or that only training has.
template <class Value>
auto of_step(Value value) {
    return [value](const CriterionFit& fit, const CellFit&) {
        return fit.criterion->of_training() ? std::string() : value(fit);
    };
}

template <class Value>
auto of_cell(Value value) {
    return [value](const CriterionFit&, const CellFit& cell) -> std::string { return value(cell); };
}

template <class Value>
auto of_estimate(Value value) {
    return of_cell(
        [value](const CellFit& cell) { return cell.eta_star ? field(value(cell)) : std::string(); });
}

// eta* over that of theory, and the ends of its interval.
void add_csv_ratio(std::vector<CsvColumn>& columns, const std::string& name,
                   std::optional<double> CellFit::*theory) {
    const auto over = [theory](auto value) {
        return of_estimate([theory, value](const CellFit& cell) {
            return cell.*theory ? value(cell) / *(cell.*theory) : std::nan("");
        });
    };
    columns.push_back({name, over([](const CellFit& cell) { return *cell.eta_star; })});
    columns.push_back({name + "_ci95_low", over([](const CellFit& cell) { return cell.ci95.low; })});
    columns.push_back({name + "_ci95_high", over([](const CellFit& cell) { return cell.ci95.high; })});
}

void add_csv_kernel(std::vector<CsvColumn>& columns) {
    const auto of_kernel = [](auto value) {
        return of_cell([value](const CellFit& cell) {
            return cell.kernel ? field(value(*cell.kernel)) : std::string();
        });
    };
    columns.push_back({"kernel_eta", of_kernel([](const KernelFit& k) { return k.eta; })});
    for (const auto& [name, which] :
         {std::pair{"kernel_initial", &KernelFit::initial}, {"kernel_final", &KernelFit::final}}) {
        const std::string prefix = name;
        columns.push_back(
            {prefix, of_kernel([which = which](const KernelFit& k) { return (k.*which).value; })});
        columns.push_back({prefix + "_ci95_low",
                           of_kernel([which = which](const KernelFit& k) { return (k.*which).ci95.low; })});
        columns.push_back({prefix + "_ci95_high",
                           of_kernel([which = which](const KernelFit& k) { return (k.*which).ci95.high; })});
    }
}

std::vector<CsvColumn> make_csv_columns() {
    std::vector<CsvColumn> columns{
        {"criterion", [](const CriterionFit& fit, const CellFit&) { return field(fit.criterion->name()); }},
        {"threshold", of_step([](const CriterionFit& fit) { return field(fit.threshold); })},
        {"relative",
         of_step([](const CriterionFit& fit) { return std::string(fit.relative ? "true" : "false"); })},
        {"layer", of_step([](const CriterionFit& fit) { return field(name_of(fit.layer)); })},
        {"statistic", of_step([](const CriterionFit& fit) { return field(name_of(fit.statistic)); })},
        {"step",
         [](const CriterionFit& fit, const CellFit&) {
             return fit.criterion->of_training() ? fmt::format("{}", fit.step) : std::string();
         }},
        {"fraction", [](const CriterionFit& fit, const CellFit&) { return field(fit.fraction); }},
        {"width", of_cell([](const CellFit& cell) { return fmt::format("{}", cell.width); })},
        {"depth", of_cell([](const CellFit& cell) { return fmt::format("{}", cell.depth); })},
        {"networks", of_cell([](const CellFit& cell) { return fmt::format("{}", cell.networks); })},
        {"eta_star", of_cell([](const CellFit& cell) { return field(cell.eta_star); })},
        {"ci95_low", of_estimate([](const CellFit& cell) { return cell.ci95.low; })},
        {"ci95_high", of_estimate([](const CellFit& cell) { return cell.ci95.high; })},
        {"interval", of_cell([](const CellFit& cell) {
             return cell.eta_star ? field(name_of(cell.interval)) : std::string();
         })},
        {"centre", of_estimate([](const CellFit& cell) {
             return cell.log_rate ? std::exp(cell.log_rate->value) : *cell.eta_star;
         })},
        {"f2_share", of_cell([](const CellFit& cell) { return field(cell.f2_share); })},
        {"z2", of_cell([](const CellFit& cell) { return field(cell.z2); })},
        {"variance_ratio", of_cell([](const CellFit& cell) { return field(cell.variance_ratio); })},
        {"exact", of_cell([](const CellFit& cell) { return field(cell.exact); })},
        {"infinite", of_cell([](const CellFit& cell) { return field(cell.infinite); })},
        {"infinite_error", of_cell([](const CellFit& cell) {
             return cell.infinite ? field(cell.infinite_error) : std::string();
         })},
    };
    add_csv_ratio(columns, "ratio", &CellFit::exact);
    add_csv_ratio(columns, "ratio_infinite", &CellFit::infinite);
    columns.push_back({"z", of_cell([](const CellFit& cell) { return field(cell.z); })});
    add_csv_kernel(columns);
    columns.push_back({"note", of_cell([](const CellFit& cell) { return field(cell.note); })});
    return columns;
}

} // namespace

std::string to_csv(const FitReport& report) {
    static const auto columns = make_csv_columns();
    std::string out;
    const auto line = [&](auto value) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (i > 0) out += ',';
            out += value(columns[i]);
        }
        out += "\r\n";
    };
    line([](const CsvColumn& column) { return column.name; });
    for (const auto& fit : report.fits)
        for (const auto& cell : fit.cells)
            line([&](const CsvColumn& column) { return column.value(fit, cell); });
    return out;
}

} // namespace etastar::report
