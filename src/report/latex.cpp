#include "etastar/report/latex.hpp"

#include "etastar/error.hpp"
#include "etastar/names.hpp"

#include "notation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace etastar::report {
namespace {

using namespace analysis;

constexpr std::size_t most_rows_of_a_page = 45;

std::string tex(std::string_view text) {
    std::string out;
    for (const char c : etastar::shown(text, text.size() * 12 + 1)) {
        switch (c) {
        case '\\':
            out += "\\textbackslash{}";
            break;
        case '~':
            out += "\\textasciitilde{}";
            break;
        case '^':
            out += "\\textasciicircum{}";
            break;
        case '<':
            out += "\\textless{}";
            break;
        case '>':
            out += "\\textgreater{}";
            break;
        case '|':
            out += "\\textbar{}";
            break;
        case '"':
            out += "\\textquotedbl{}";
            break;
        case '&':
        case '%':
        case '$':
        case '#':
        case '_':
        case '{':
        case '}':
            out += '\\';
            out += c;
            break;
        default:
            out += c;
        }
    }
    return out;
}

// 1.2e-05 as 1.2 \cdot 10^{-5}, of a number in text; in a formula.
std::string tex_number(const std::string& text) {
    const auto e = text.find('e');
    if (e == std::string::npos) return text;
    return fmt::format("{} \\cdot 10^{{{}}}", text.substr(0, e), std::atoi(text.c_str() + e + 1));
}

std::string formula(const std::string& text) { return fmt::format("${}$", tex_number(text)); }

std::string tex_interval(const Interval& i, int digits) {
    const auto end = [&](double x) {
        return std::isfinite(x) ? tex_number(fmt::format("{:#.{}g}", x, digits)) : std::string("?");
    };
    if (!std::isfinite(i.low) && !std::isfinite(i.high)) return "--";
    return fmt::format("$[{},\\, {}]$", end(i.low), end(i.high));
}

// An exponent, a constant.
std::string tex_estimate(const LinearEstimate& e, int decimals) {
    return fmt::format("${:.{}f}$ [${:.{}f}$, ${:.{}f}$]", e.value, decimals, e.ci95.low, decimals,
                       e.ci95.high, decimals);
}

std::string tex_law(const CriterionFit& fit) {
    if (!fit.law.constant) return {};
    std::string form = "C";
    std::string values;
    const auto term = [&](const char* letter, const char* symbol, const std::optional<LinearEstimate>& e,
                          const std::optional<LinearEstimate>* exact) {
        if (!e) return;
        form += fmt::format("\\, {}^{{{}}}", letter, symbol);
        values += fmt::format(", ${} =$ {}", symbol, tex_estimate(*e, decimals_of(e->standard_error)));
        if (exact != nullptr && *exact)
            values +=
                fmt::format(" (exact theory: ${:.{}f}$)", (*exact)->value, decimals_of(e->standard_error));
    };
    term("n", "a", fit.law.width, fit.exact ? &fit.exact->width : nullptr);
    term("L", "b", fit.law.depth, fit.exact ? &fit.exact->depth : nullptr);
    const auto& c = *fit.law.constant;
    const auto test = fit.law.degrees == 0 ? std::string()
                                           : fmt::format("; $\\chi^2 = {}$ for {}",
                                                         tex_number(chi_squared_text(fit.law.chi_squared)),
                                                         freedom_text(fit.law.degrees));
    return fmt::format(" $\\eta^\\star = {}$ with $C = {}$ {}{}{}.", form,
                       tex_number(fmt::format("{:.4g}", c.value)), tex_interval(c.ci95, 4), values, test);
}

std::string tex_caption(const FitReport& report, const CriterionFit& fit) {
    std::string criterion;
    if (fit.criterion->of_training())
        criterion = fmt::format("criterion {}: {}", tex(fit.criterion->name()),
                                tex(fit.criterion->statement(fit.step, fit.fraction.value_or(0))));
    else
        criterion = fmt::format("criterion {}, threshold ${}{}$, layer {}{}", tex(fit.criterion->name()),
                                tex_number(fmt::format("{:g}", fit.threshold)),
                                fit.relative ? "\\, \\mathbf{E} z^2" : "", name_of(fit.layer),
                                fit.statistic == Average::median ? ", median" : "");
    return fmt::format("Largest learning rate $\\eta^\\star$ of {} ({}), from $N$ networks each. In "
                       "parentheses the standard error, in "
                       "units of the last digits; intervals of 95\\,\\%.{}",
                       tex(report.model), criterion, tex_law(fit));
}

struct LatexColumn {
    const char* align;
    const char* head;
    std::string (*value)(const CellFit& cell);
};

std::vector<LatexColumn> latex_columns(const CriterionFit& fit) {
    const auto some = [&](auto has) { return std::any_of(fit.cells.begin(), fit.cells.end(), has); };
    std::vector<LatexColumn> columns{
        {"r", "$n$", [](const CellFit& cell) { return fmt::format("{}", cell.width); }},
        {"r", "$L$", [](const CellFit& cell) { return fmt::format("{}", cell.depth); }},
        {"r", "$N$", [](const CellFit& cell) { return fmt::format("{}", cell.networks); }},
        {"l", "$\\eta^\\star$",
         [](const CellFit& cell) {
             return cell.eta_star ? formula(with_error(*cell.eta_star, *cell.eta_star * cell.relative_error))
                                  : std::string("--");
         }},
        {"l", "95\\,\\% interval",
         [](const CellFit& cell) { return cell.eta_star ? tex_interval(cell.ci95, 5) : std::string("--"); }},
    };
    const auto theory = [&](const char* head, std::string (*value)(const CellFit& cell)) {
        columns.push_back({"l", head, value});
    };
    if (some([](const CellFit& cell) { return cell.exact.has_value(); }))
        theory("exact", [](const CellFit& cell) {
            return cell.exact ? formula(fmt::format("{:#.5g}", *cell.exact)) : std::string("--");
        });
    else if (some([](const CellFit& cell) { return cell.infinite.has_value(); }))
        theory("$n \\to \\infty$", [](const CellFit& cell) {
            return cell.infinite ? formula(fmt::format("{:#.5g}", *cell.infinite)) : std::string("--");
        });
    if (some([](const CellFit& cell) { return cell.z.has_value(); }))
        columns.push_back({"r", "$z$", [](const CellFit& cell) {
                               return cell.z ? formula(fmt::format("{:+.2f}", *cell.z)) : std::string("--");
                           }});
    return columns;
}

} // namespace

std::string to_latex(const FitReport& report, const Source& source) {
    std::string out =
        fmt::format("% {}\n% etastar {}: fit --latex. In the preamble: \\usepackage{{booktabs}}",
                    etastar::shown(source.file, 500), source.version);
    const auto is_long = [](const CriterionFit& fit) { return fit.cells.size() > most_rows_of_a_page; };
    if (std::any_of(report.fits.begin(), report.fits.end(), is_long)) out += "\\usepackage{longtable}";
    out += "\n";
    for (const auto& fit : report.fits) {
        const auto columns = latex_columns(fit);
        std::string align;
        std::string head;
        for (const auto& column : columns) {
            align += column.align;
            head += (head.empty() ? "" : " & ") + std::string(column.head);
        }
        head = fmt::format("\\toprule\n{} \\\\\n\\midrule\n", head);
        const auto caption = fmt::format("\\caption{{{}}}", tex_caption(report, fit));
        if (is_long(fit))
            out += fmt::format("\n\\begin{{longtable}}{{{}}}\n{} \\\\\n{}\\endfirsthead\n{}\\endhead\n"
                               "\\bottomrule\n\\endfoot\n",
                               align, caption, head, head);
        else
            out += fmt::format("\n\\begin{{table}}\n\\centering\n{}\n\\begin{{tabular}}{{{}}}\n{}", caption,
                               align, head);
        for (std::size_t i = 0; i < fit.cells.size(); ++i) {
            const auto& cell = fit.cells[i];
            if (i > 0 && cell.width != fit.cells[i - 1].width) out += "\\addlinespace\n";
            std::string line;
            for (const auto& column : columns) line += (line.empty() ? "" : " & ") + column.value(cell);
            out += line + " \\\\";
            if (!cell.note.empty()) out += " % " + etastar::shown(cell.note, 500);
            out += "\n";
        }
        out += is_long(fit) ? "\\end{longtable}\n" : "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
    }
    for (const auto& warning : report.warnings) out += "% warning: " + etastar::shown(warning, 1000) + "\n";
    return out;
}

} // namespace etastar::report
