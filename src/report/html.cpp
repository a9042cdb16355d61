#include "etastar/names.hpp"
#include "etastar/report/commands.hpp"
#include "etastar/report/page.hpp"
#include "etastar/report/words.hpp"

#include "etastar_page.hpp"
#include "figures.hpp"
#include "markup.hpp"
#include "notation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <map>

namespace etastar::report {
namespace {

using namespace analysis;

// Of all tables of cells.
constexpr std::size_t most_table_rows = 1200;

std::string paragraph(const std::string& sentence, const char* kind = nullptr) {
    return fmt::format("<p{}>{}</p>\n", kind == nullptr ? "" : fmt::format(" class=\"{}\"", kind),
                       html_sentence(sentence));
}

std::string section(const char* id, const char* title, const std::string& body) {
    return fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n{2}</section>\n",
        id, title, body);
}

std::string details(const std::string& summary, const std::string& body) {
    return fmt::format("<details><summary>{}</summary>\n{}</details>\n", html_sentence(summary), body);
}

std::string list_of(const std::vector<std::string>& sentences, const char* kind = "said") {
    if (sentences.empty()) return {};
    auto out = fmt::format("<ul class=\"{}\">\n", kind);
    for (const auto& sentence : sentences) out += "<li>" + html_sentence(sentence) + "</li>\n";
    return out + "</ul>\n";
}

// Tables

struct TableColumn {
    std::string head; // HTML
    bool is_text = false;
};

struct HtmlTable {
    std::string caption; // a sentence
    std::vector<TableColumn> columns;
    std::vector<std::vector<std::string>> rows; // HTML
    bool sortable = false;
};

std::string to_text(const HtmlTable& table, const std::string& label) {
    auto out =
        fmt::format("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">\n<table{}>\n",
                    html(label), table.sortable ? " class=\"sortable\"" : "");
    if (!table.caption.empty()) out += "<caption>" + html_sentence(table.caption) + "</caption>\n";
    out += "<thead><tr>";
    for (const auto& column : table.columns)
        out +=
            fmt::format("<th scope=\"col\"{}>{}</th>", column.is_text ? " class=\"text\"" : "", column.head);
    out += "</tr></thead>\n<tbody>\n";
    for (const auto& row : table.rows) {
        out += "<tr>";
        for (std::size_t i = 0; i < row.size(); ++i)
            out += fmt::format("<td{}>{}</td>", table.columns[i].is_text ? " class=\"text\"" : "", row[i]);
        out += "</tr>\n";
    }
    return out + "</tbody>\n</table>\n</div>\n";
}

std::string five(double x) { return std::isfinite(x) ? fmt::format("{:#.5g}", x) : std::string("?"); }
std::string five(const std::optional<double>& x) { return x ? five(*x) : std::string("–"); }

std::string four(double x) { return std::isfinite(x) ? fmt::format("{:#.4g}", x) : std::string("?"); }

std::string ends(const Interval& i, double unit = 1, std::string (*shown)(double) = five) {
    if (!std::isfinite(i.low) && !std::isfinite(i.high)) return "–";
    return fmt::format("[{}, {}]", shown(i.low / unit), shown(i.high / unit));
}

std::string minus(double x, const char* format) { return with_minus(fmt::format(fmt::runtime(format), x)); }

constexpr const char* star_head = "<i>η</i><sup>∗</sup>";

HtmlTable cell_table(const CriterionFit& fit, std::size_t most) {
    HtmlTable table;
    table.sortable = true;
    table.caption = label_of(fit);
    const auto some = [&](auto has) { return std::any_of(fit.cells.begin(), fit.cells.end(), has); };
    const bool training = fit.criterion->of_training();
    const bool exact = some([](const auto& cell) { return cell.exact.has_value(); });
    const bool infinite = !exact && some([](const auto& cell) { return cell.infinite.has_value(); });
    const bool scores = some([](const auto& cell) { return cell.z.has_value(); });
    table.columns = {{"width <i>n</i>"}, {"depth <i>L</i>"}, {"networks"}, {star_head}, {"95 % interval"}};
    if (exact || infinite) {
        table.columns.push_back({exact ? "exact" : "<i>n</i> → ∞"});
        table.columns.push_back({exact ? "over exact" : "over <i>n</i> → ∞"});
    }
    if (scores) table.columns.push_back({"<i>z</i>"});
    if (training) {
        table.columns.push_back({fmt::format("{} <i>L</i><sup>3/2</sup>", star_head)});
        table.columns.push_back({fmt::format("{} <i>λ</i><sub>0</sub>", star_head)});
        table.columns.push_back({fmt::format("{} <i>λ</i><sub>T</sub>", star_head)});
    }
    for (const auto& cell : fit.cells) {
        if (table.rows.size() == most) break;
        std::vector<std::string> row{
            fmt::format("{}", cell.width), fmt::format("{}", cell.depth), fmt::format("{}", cell.networks),
            cell.eta_star ? with_error(*cell.eta_star, *cell.eta_star * cell.relative_error) : "–",
            cell.eta_star ? ends(cell.ci95) : "–"};
        if (exact || infinite) {
            const auto& theory = exact ? cell.exact : cell.infinite;
            row.push_back(five(theory));
            row.push_back(theory && cell.eta_star ? fmt::format("{} {}", four(*cell.eta_star / *theory),
                                                                ends(cell.ci95, *theory, four))
                                                  : "–");
        }
        if (scores) row.push_back(cell.z ? minus(*cell.z, "{:+.2f}") : "–");
        if (training) {
            const auto times = [&](double factor) {
                return cell.eta_star ? fmt::format("{:.4g}", *cell.eta_star * factor) : std::string("–");
            };
            row.push_back(times(std::pow(cell.depth, 1.5)));
            row.push_back(cell.kernel ? times(cell.kernel->initial.value) : "–");
            row.push_back(cell.kernel ? times(cell.kernel->final.value) : "–");
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

// Why cells have no estimate, or what is to be known of it; cells of one note together.
std::string notes_list(const CriterionFit& fit) {
    constexpr std::size_t most_named = 12;
    std::vector<std::pair<std::string, std::vector<std::string>>> notes;
    for (const auto& cell : fit.cells) {
        if (cell.note.empty()) continue;
        auto found = std::find_if(notes.begin(), notes.end(),
                                  [&](const auto& note) { return note.first == cell.note; });
        if (found == notes.end()) found = notes.insert(notes.end(), {cell.note, {}});
        found->second.push_back(fmt::format("{}/{}", cell.depth, cell.width));
    }
    std::vector<std::string> lines;
    for (const auto& [note, cells] : notes) {
        const auto named = std::min(cells.size(), most_named);
        lines.push_back(fmt::format(
            "L/n = {}{}: {}",
            fmt::join(cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(named), ", "),
            named < cells.size() ? fmt::format(" and {} more", cells.size() - named) : std::string(), note));
    }
    return list_of(lines, "small");
}

std::string slope_table(const CriterionFit& fit) {
    if (fit.slopes.empty()) return {};
    HtmlTable table;
    table.sortable = true;
    table.columns = {{"width <i>n</i>"}, {"from <i>L</i>"}, {"to <i>L</i>"}, {"slope"}, {"95 % interval"}};
    if (fit.exact) table.columns.push_back({"exact"});
    for (const auto& slope : fit.slopes) {
        if (table.rows.size() == most_table_rows / 4) break;
        std::vector<std::string> row{fmt::format("{}", slope.width), fmt::format("{}", slope.depth),
                                     fmt::format("{}", slope.next_depth), minus(slope.slope.value, "{:.4f}"),
                                     fmt::format("[{}, {}]", minus(slope.slope.ci95.low, "{:.4f}"),
                                                 minus(slope.slope.ci95.high, "{:.4f}"))};
        if (fit.exact) row.push_back(slope.exact ? minus(*slope.exact, "{:.4f}") : "–");
        table.rows.push_back(std::move(row));
    }
    return details(fmt::format("Slopes of log η* in log L between neighbouring depths: {}", label_of(fit)),
                   to_text(table, "Local slopes, " + label_of(fit)));
}

std::string misalignment_table(const CriterionFit& fit) {
    if (fit.misalignment.empty()) return {};
    HtmlTable table;
    table.columns = {{"over", true}, {"at", true},      {"exponent of <i>L</i>"},
                     {"spread"},     {"95 % interval"}, {"observed"},
                     {"noise"},      {"<i>p</i>"}};
    for (const auto& spread : fit.misalignment) {
        if (table.rows.size() == most_table_rows / 4) break;
        const auto three = [](double x) {
            return std::isfinite(x) ? fmt::format("{:.3f}", x) : std::string("?");
        };
        table.rows.push_back(
            {spread.over_widths ? "widths" : "depths",
             !spread.at ? "all" : fmt::format("<i>{}</i> = {}", spread.over_widths ? "L" : "n", *spread.at),
             spread.over_widths ? "–" : minus(spread.exponent, "{:.3f}") + (spread.fitted ? " (fit)" : ""),
             three(spread.value), fmt::format("[{}, {}]", three(spread.ci95.low), three(spread.ci95.high)),
             three(spread.observed), three(spread.noise), fmt::format("{:.2g}", spread.p_value)});
    }
    return details(fmt::format("Misalignment, the spread of log η* beyond its noise: {}", label_of(fit)),
                   to_text(table, "Misalignment, " + label_of(fit)));
}

// Sections

std::string answer_section(const Words& words, const PageInput& input) {
    std::string body;
    if (words.answers.empty()) body += paragraph("There is nothing to fit.");
    for (const auto& answer : words.answers) {
        body += fmt::format("<article class=\"answer\">\n<h3>{}</h3>\n{}", html_sentence(answer.heading),
                            paragraph(answer.definition, "definition"));
        if (!answer.headlines.empty()) {
            body += "<dl class=\"headlines\">\n";
            for (const auto& line : answer.headlines)
                body += fmt::format("<div><dt>{}</dt><dd><span class=\"value\">{}</span> <span "
                                    "class=\"interval\">{}</span>{}</dd></div>\n",
                                    html_sentence(line.label), html_sentence(line.value),
                                    html_sentence(line.interval),
                                    line.note.empty() ? ""
                                                      : fmt::format(" <span class=\"beside\">{}</span>",
                                                                    html_sentence(line.note)));
            body += "</dl>\n";
        }
        body += list_of(answer.sentences) + "</article>\n";
    }
    body += paragraph(fmt::format("Intervals are of 95 %. An exponent is the weighted least-squares slope of "
                                  "log η* over the cells, with the "
                                  "weights `{}`, which do not depend on the sample.",
                                  input.fit.fits.empty() ? "–" : input.fit.fits.front().weights),
                      "small");
    return section("answer", "The answer", body);
}

std::string figure_html(const Figure& figure) {
    if (!figure.absence.empty())
        return fmt::format("<div class=\"nofigure\"><h3>{}</h3>{}</div>\n", html_sentence(figure.title),
                           paragraph(figure.absence));
    auto caption = figure.caption;
    if (!figure.thinned.empty()) caption += " " + figure.thinned + "; `etastar fit --json` has all.";
    return fmt::format("<figure id=\"figure-{0}\">\n<h3>{1}</h3>\n<div class=\"chart\" data-figure=\"{0}\" "
                       "data-title=\"{2}\"></div>\n"
                       "<figcaption>{3}</figcaption>\n</figure>\n",
                       figure.name, html_sentence(figure.title), html(figure.title), html_sentence(caption));
}

std::string figures_section(const Figures& figures) {
    std::string body = "<noscript><p class=\"notice\">The figures are drawn by a script in this page, which "
                       "is off in this browser; all that is "
                       "in words and tables is here.</p></noscript>\n"
                       "<p class=\"small screen\">Point at a mark, touch it, or focus a figure and use the "
                       "arrow keys to read its numbers; the keys "
                       "below a figure hide and show what they name.</p>\n";
    for (const auto& figure : figures.list) body += figure_html(figure);
    return section("figures", "Figures", body);
}

std::string cells_section(const FitReport& fit) {
    std::string body;
    std::size_t tables = 0;
    const auto repeats = [&](std::size_t i) {
        return i > 0 && fit.fits[i].criterion->scales() && fit.fits[i - 1].criterion == fit.fits[i].criterion;
    };
    for (std::size_t i = 0; i < fit.fits.size(); ++i) tables += !repeats(i);
    for (std::size_t i = 0; i < fit.fits.size(); ++i) {
        if (repeats(i)) continue;
        const auto& each = fit.fits[i];
        const auto most = std::max<std::size_t>(most_table_rows / tables, 1);
        body += to_text(cell_table(each, most), "Cells, " + label_of(each));
        if (each.cells.size() > most)
            body += paragraph(fmt::format("These are the first {} of {} cells; `etastar fit --csv` has all.",
                                          most, each.cells.size()),
                              "small");
        body += notes_list(each) + slope_table(each) + misalignment_table(each);
    }
    body += paragraph("In parentheses the standard error, in units of the last digits. “–”: there is none; "
                      "“?”: the sample does not bound that side.",
                      "small");
    return section("cells", "Cells", body);
}

std::string code_block(const std::string& text) {
    return "<pre tabindex=\"0\"><code>" + html(text) + "</code></pre>\n";
}

// "2026-01-31T12:00:00Z" of seconds since 1970; empty of NaN.
std::string utc(const std::string& seconds) {
    const double value = std::strtod(seconds.c_str(), nullptr);
    if (!std::isfinite(value) || std::abs(value) > 1e12) return {};
    const auto time = static_cast<std::time_t>(value);
    std::tm parts{};
    if (gmtime_r(&time, &parts) == nullptr) return {};
    char text[40];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string provenance_section(const PageInput& input) {
    HtmlTable table;
    table.columns = {{"what", true}, {"value", true}};
    const auto add = [&](const std::string& name, const std::string& value) {
        table.rows.push_back({html(name), "<code>" + html(value) + "</code>"});
    };
    add("file", input.source.file);
    const std::map<std::string, std::string> entries(input.provenance.begin(), input.provenance.end());
    const auto named = [&](const std::string& name) {
        const auto found = entries.find(name);
        return found == entries.end() ? std::string() : found->second;
    };
    // Where it began and ended, then with what, then whatever else the file has.
    std::vector<std::string> order{"version", "git_revision", "started", "finished_unix", "host", "ranks"};
    for (const auto& [name, value] : entries)
        if (std::find(order.begin(), order.end(), name) == order.end() && name != "started_unix")
            order.push_back(name);
    for (const auto& name : order) {
        auto value = named(name);
        if (name == "finished_unix") {
            value = utc(value);
            if (!value.empty()) add("finished", value);
        } else if (!value.empty()) {
            add(name, value);
        }
    }
    add("spec_hash", sweep::hash(input.fit.spec));
    add("this page", fmt::format("etastar {}, {}; bootstrap of {} resamples, seed {}", input.source.version,
                                 input.written, input.fit.resamples, input.fit.seed));
    return section(
        "provenance", "Provenance",
        paragraph("Where the sweep was begun, and with what. Its rows depend on the specification alone.")
            + to_text(table, "Provenance"));
}

std::string spec_section(const PageInput& input) {
    HtmlTable table;
    table.columns = {{"field", true}, {"value", true}, {"meaning", true}};
    for (const auto& entry : spec_entries(input.spec))
        table.rows.push_back({"<code>" + html(entry.key) + "</code>",
                              "<code>" + html(entry.value) + "</code>", html(entry.meaning)});
    return section(
        "spec", "Specification",
        paragraph("Everything that the numbers depend on, defaults included.")
            + to_text(table, "Specification")
            + details("The same as the file has it, one line of JSON", code_block(input.fit.spec)));
}

std::string commands_section(const PageInput& input) {
    auto name = std::filesystem::path(input.source.file).filename().string();
    if (name.starts_with('-')) name.insert(0, "./"); // not an option
    const auto file = shell_word(name);
    const auto fit = fit_words(input.options);
    std::string body = paragraph(
        "The sweep, to the same rows on any number of ranks; what this page says as text; and this page:");
    body += code_block(fmt::format("etastar sweep{} --output {}\netastar fit {}{}\netastar report {}{}",
                                   sweep_words(input.spec), file, file, fit, file, fit));
    if (input.spec.trains() && input.spec.training.data.source == model::DataSource::file)
        body += paragraph("`FILE.h5` has the user’s own examples, `x` and `y`; the sweep’s file keeps them "
                          "in its group `data`.");
    const auto config = sweep_config(input.spec);
    body += details(
        "The sweep as a configuration file, for `etastar sweep --config`",
        code_block(config.empty()
                       ? "# all defaults\n"
                       : config
                             + fmt::format("output = {}\n",
                                           std::filesystem::path(input.source.file).filename().string())));
    return section("commands", "Commands that reproduce this", body);
}

struct Term {
    const char* name;
    const char* meaning;
    int of; // 0 both, 1 a first step, 2 training
};
constexpr Term terms[] = {
    {"n, L", "width, the number of neurons of a hidden layer; depth, the number of hidden layers", 0},
    {"cell", "the networks of one width and depth, each drawn anew from its random initialisation", 0},
    {"η, base rate",
     "the learning rate that each layer’s own rate is a multiple of (in the maximal-update parametrisation, "
     "a power of the width)",
     0},
    {"η*", "the largest base rate by a criterion", 0},
    {"Δz^{ℓ}, dz2",
     "by how much the step changes the pre-activations of layer ℓ; dz2 is its mean square over neurons", 1},
    {"threshold c", "what the mean of dz2 may be at most", 1},
    {"response G_{ℓ}",
     "dz2 over η^{2} to first order in η, for a unit error: a number of each network, whose mean gives η* = "
     "(c / mean G)^{1/2}",
     1},
    {"criterion linear, finite",
     "the threshold is held against the step’s first order in η, or against the step itself", 1},
    {"exact theory", "the expectation of G at that very width and depth, in closed form", 1},
    {"infinite width", "the limit n → ∞ at fixed depth; for a real step the only theory", 1},
    {"z", "by how many standard errors a cell is from theory", 1},
    {"log-normal",
     "the law of G in deep networks: layers multiply their fluctuations, so that log G is nearly normal, of "
     "variance about 13 L/n",
     1},
    {"loss_{t}", "the mean of (f − y)^{2}/2 over the examples after t steps", 2},
    {"converges, reaches, stable, best",
     "half of the networks end below the fraction Q of their first loss; have been below it once; keep every "
     "loss below Q times the first; the smallest mean log loss",
     2},
    {"misalignment",
     "the standard deviation of log η* among cells whose rates would agree if the rate transferred, beyond "
     "what their errors give",
     2},
    {"λ_{0}, λ_{T}",
     "the largest eigenvalue of the tangent kernel before training and after it at the largest rate up to η*",
     2},
    {"exponent",
     "a of η* = C n^{a} L^{b} and b: slopes of log η* in log n and log L, by weighted least squares", 0},
    {"95 % interval",
     "covers the true value in 95 of 100 sweeps; how it came about is in `etastar fit --json`", 0},
    {"pending, failed, nonfinite, skipped",
     "a trial that has not run; could not run; ran beyond the range of floating point, and counts as "
     "infinitely large; was not needed for the target half-width that the sweep was given",
     0},
};

std::string glossary_section(bool training) {
    std::string body = "<dl class=\"glossary\">\n";
    for (const auto& term : terms)
        if (term.of == 0 || (term.of == 2) == training)
            body += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", html_sentence(term.name),
                                html_sentence(term.meaning));
    return section("glossary", "Terms", body + "</dl>\n");
}

std::string warnings_section(const FitReport& fit) {
    return section("warnings", "Warnings",
                   fit.warnings.empty() ? paragraph("None.") : list_of(fit.warnings, "warned"));
}

// "2/8" of a sweep's second of eight parts; empty of a whole one.
std::string shard_of(const PageInput& input) {
    for (const auto& [name, value] : input.provenance)
        if (name == "shard") return value;
    return {};
}

std::string state_badge(const PageInput& input) {
    const auto& rows = input.fit.rows;
    if (rows.pending > 0 && input.spec.has_target()) return "<span class=\"badge open\">not ended</span>";
    if (rows.pending > 0)
        return fmt::format(
            "<span class=\"badge open\">{:.1f} % of the trials</span>",
            std::floor(1000 * static_cast<double>(rows.finished) / static_cast<double>(rows.all)) / 10);
    if (rows.failed > 0 || rows.damaged > 0)
        return "<span class=\"badge open\">complete but for failed trials</span>";
    if (const auto shard = shard_of(input); !shard.empty())
        return fmt::format("<span class=\"badge open\">shard {}, complete</span>", html(shard));
    return "<span class=\"badge\">complete</span>";
}

// The template with the values of its {{names}}; what a value holds is not looked at again.
std::string filled(std::string_view form, const std::map<std::string_view, std::string>& values) {
    std::string out;
    while (true) {
        const auto begin = form.find("{{");
        out += form.substr(0, begin);
        if (begin == std::string_view::npos) return out;
        const auto end = form.find("}}", begin);
        out += values.at(form.substr(begin + 2, end - begin - 2));
        form.remove_prefix(end + 2);
    }
}

} // namespace

std::string to_html(const PageInput& input) {
    auto words = in_words(input.spec, input.fit);
    if (const auto shard = shard_of(input); !shard.empty())
        words.missing.insert(
            words.missing.begin(),
            fmt::format("This is a part of a sweep, its shard {}, with seeds {} to {} of it: `etastar "
                        "merge` joins the shards, and the whole has smaller errors.",
                        shard, input.spec.first_seed, input.spec.first_seed + input.spec.seeds - 1));
    const auto figures = figures_of(input);
    std::string question;
    for (const auto& sentence : words.question) question += paragraph(sentence);
    std::string main = section("question", "The question", question);
    if (!words.missing.empty())
        main += "<div class=\"notice\" role=\"note\">\n" + list_of(words.missing, "missing") + "</div>\n";
    main += answer_section(words, input) + figures_section(figures) + cells_section(input.fit)
            + warnings_section(input.fit) + spec_section(input) + provenance_section(input)
            + commands_section(input) + glossary_section(input.spec.trains());
    const auto file = std::filesystem::path(input.source.file).filename().string();
    return filled(page::html, {{"title", html(fmt::format("{} – {}", file, words.title))},
                               {"version", html(input.source.version)},
                               {"css", page::css},
                               {"heading", html(words.title)},
                               {"model", html(input.fit.model)},
                               {"file", html(file)},
                               {"state", state_badge(input)},
                               {"written", html(input.written)},
                               {"main", main},
                               {"data", json_in_script(figures.data)},
                               {"js", page::js}});
}

} // namespace etastar::report
