#include "etastar/analysis/fit.hpp"
#include "etastar/report/commands.hpp"
#include "etastar/report/csv.hpp"
#include "etastar/report/latex.hpp"
#include "etastar/report/page.hpp"
#include "etastar/report/words.hpp"
#include "etastar/sweep/fields.hpp"

#include "catch.hpp"
#include "models.hpp"
#include "report/markup.hpp"
#include "report/notation.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

using namespace etastar;

namespace {

analysis::LinearEstimate estimate(double value, double error) {
    return {value, error, {value - 2 * error, value + 2 * error}};
}

analysis::CellFit cell(std::uint32_t width, std::uint32_t depth, double eta_star) {
    analysis::CellFit result;
    result.width = width;
    result.depth = depth;
    result.networks = 100;
    result.eta_star = eta_star;
    result.ci95 = {0.98 * eta_star, 1.02 * eta_star};
    result.interval = analysis::IntervalMethod::log_normal;
    result.relative_error = 0.01;
    return result;
}

// A fit of eta* = L^-1.5 to first order, with exact theory that it agrees with.
analysis::CriterionFit agreeing(const std::vector<std::uint32_t>& widths,
                                const std::vector<std::uint32_t>& depths) {
    analysis::CriterionFit fit;
    fit.criterion = &analysis::estimator("linear");
    fit.weights = "n/L";
    for (const auto width : widths)
        for (const auto depth : depths) {
            fit.cells.push_back(cell(width, depth, std::pow(depth, -1.5)));
            fit.cells.back().exact = std::pow(depth, -1.5);
            fit.cells.back().z = 0.3;
        }
    fit.law.constant = estimate(1, 0.01);
    fit.exact = analysis::PowerLaw{};
    fit.exact->constant = estimate(1, 0);
    fit.ratio = analysis::PowerLaw{};
    fit.ratio->constant = estimate(1.001, 0.01);
    fit.law.cells = fit.cells.size();
    fit.law.terms = 1 + (widths.size() > 1) + (depths.size() > 1);
    fit.law.degrees = fit.law.cells - fit.law.terms;
    if (depths.size() > 1) {
        fit.law.depth = estimate(-1.4932, 0.0006);
        fit.exact->depth = estimate(-1.4931, 0);
        fit.ratio->depth = estimate(-0.0001, 0.0006);
    }
    if (widths.size() > 1) {
        fit.law.width = estimate(0.001, 0.002);
        fit.exact->width = estimate(0.0002, 0);
        fit.ratio->width = estimate(0.001, 0.002);
    }
    return fit;
}

struct Told {
    sweep::Spec spec = test::small_spec();
    analysis::FitReport fit;

    explicit Told(analysis::CriterionFit only) {
        spec.seeds = 100;
        fit.spec = sweep::to_json(spec);
        fit.model = "relu mlp";
        fit.rows = {spec.rows(), spec.rows(), 0, 0, 0};
        fit.fits.push_back(std::move(only));
    }

    // All sentences of the answer and what is missing, as ASCII has them.
    std::string text() const {
        const auto words = report::in_words(spec, fit);
        std::string all;
        for (const auto& sentence : words.missing) all += report::plain(sentence) + "\n";
        for (const auto& answer : words.answers)
            for (const auto& sentence : answer.sentences) all += report::plain(sentence) + "\n";
        return all;
    }
    bool says(const std::string& words) const { return text().find(words) != std::string::npos; }
};

std::vector<std::string> lines_of(const std::string& text, const std::string& end) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto at = text.find(end, begin);
        REQUIRE(at != std::string::npos);
        lines.push_back(text.substr(begin, at - begin));
        begin = at + end.size();
    }
    return lines;
}

} // namespace

TEST_CASE("an answer names exponents with intervals beside exact theory, and claims no dependence that is "
          "not seen") {
    const Told told(agreeing({256, 1024}, {4, 8, 16}));
    INFO(told.text());
    CHECK(told.says("η* falls with depth as L^-1.4932, 95 % interval [-1.4944, -1.4920]; the same fit to "
                    "exact theory at "
                    "these very cells gives -1.4931."));
    CHECK(told.says("No dependence on width is seen: the exponent of n is 0.0010, 95 % interval [-0.0030, "
                    "0.0050], by which "
                    "η* changes by [-0.42 %, +0.7 %] from n = 256 to 1024"));
    CHECK(told.says("Fitted in the same way, the ratio of measurement to exact theory has constant 1.001"));
    CHECK(told.says("Of 6 cells that can be compared one by one, 6 lie within 1.96"));
    CHECK_FALSE(told.says("not ended"));
    CHECK_FALSE(told.says("one power law"));
    const auto headlines = report::in_words(told.spec, told.fit).answers[0].headlines;
    REQUIRE(headlines.size() == 3);
    CHECK(headlines[0].value == "−1.4932");
    CHECK(headlines[0].note == "exact theory −1.4931");
}

TEST_CASE("an answer says what the cells cannot tell") {
    CHECK(Told(agreeing({256}, {4, 8, 16}))
              .says("There is one width with an estimate, n = 256: how η* depends on width cannot be told."));
    CHECK(Told(agreeing({256, 512}, {4})).says("There is one depth with an estimate, L = 4"));

    auto two = agreeing({256}, {4, 8});
    CHECK(Told(two).says("as many coefficients as there are cells, 2"));
    auto holed = agreeing({256, 512}, {4, 8, 16});
    holed.cells.back() = {};
    holed.cells.back().width = 512;
    holed.cells.back().depth = 16;
    holed.cells.back().note = "no network has run";
    holed.law.cells = 5;
    CHECK(Told(holed).says("Of the 6 pairs of these widths and depths 5 are in the fit"));
    CHECK(Told(holed).says(
        "1 of 6 cells has no estimate (n = 512, L = 16: no network has run) and is in no exponent."));

    auto bent = agreeing({256}, {4, 8, 16});
    bent.law.chi_squared = 40;
    bent.law.p_value = 1e-9;
    bent.slopes = {{256, 4, 8, estimate(-1.4, 0.01), {}}, {256, 8, 16, estimate(-1.7, 0.01), {}}};
    CHECK(Told(bent).says("do not lie on one power law (χ^2 = 40 for 1 degree of freedom, p < 0.001)"));
    CHECK(Told(bent).says("lies between -1.700 [-1.720, -1.680] (n = 256, L = 8 to 16) and -1.400"));

    auto off = agreeing({256}, {4, 8, 16});
    off.ratio->depth = estimate(0.1, 0.01);
    CHECK(Told(off).says("Measurement and exact theory differ beyond these errors"));
    off.cells[0].z = 6;
    CHECK(Told(off).says("Of 3 cells that can be compared one by one, 2 lie within 1.96 standard errors of "
                         "exact theory; the largest "
                         "distance is 6.0, which chance exceeds in less than one sweep of a thousand."));

    auto alone = agreeing({256}, {4, 8, 16});
    alone.exact.reset();
    alone.ratio.reset();
    for (auto& each : alone.cells) each.exact.reset(), each.z.reset();
    CHECK(Told(alone).says("There is no theory of these networks by this criterion to compare with."));
    CHECK_FALSE(Told(alone).says("exact theory at these"));
    for (auto& each : alone.cells) each.infinite = *each.eta_star / 0.9;
    CHECK(Told(alone).says("There is no exact theory at finite width; over that of infinite width η* is "
                           "0.9 in 3 cells."));

    auto none = agreeing({256}, {4, 8});
    none.law = none.exact.emplace();
    for (auto& each : none.cells) {
        each.eta_star.reset();
        each.note = "outside";
    }
    CHECK(Told(none).text() == "No cell has an estimate (n = 256, L = 4: outside).\n");
}

TEST_CASE("an answer says how much of a sweep is missing") {
    Told told(agreeing({256}, {4, 8, 16}));
    told.fit.rows = {10000, 9999, 1, 0, 0};
    CHECK(told.says("9999 of 10000 trials have run (99.9 %), 1 still to come"));
    told.fit.rows = {100, 40, 50, 7, 3};
    told.fit.fits[0].cells[0].networks = 12;
    CHECK(told.says("40 of 100 trials have run (40.0 %), 50 still to come"));
    CHECK(told.says("7 of 100 trials failed"));
    CHECK(told.says("3 of 100 rows are damaged"));
    CHECK(told.says("Cells have from 12 to 100 of their 100 networks."));
    told.spec.seeds = 5;
    CHECK(told.says("With 5 networks a cell the intervals are not to be trusted"));
}

TEST_CASE("an answer weighs single cells against the fitted ratio") {
    auto fit = agreeing({256}, {4, 8, 16});
    fit.cells[0].z = 3.2;
    CHECK(Told(fit).says(
        "2 lie within 1.96 standard errors of exact theory; the largest distance is 3.2, which "
        "chance exceeds in 0.41 % of sweeps: a hint that single cells are off, which the fitted "
        "ratio does not show."));
    fit.cells[1].z = 6;
    CHECK(Told(fit).says("1 lies within"));
    CHECK(Told(fit).says("single cells are off, though the fitted ratio does not show it."));
}

TEST_CASE("an answer says whether a sweep's target was reached, and what its networks may be") {
    Told told(agreeing({256}, {4, 8, 16}));
    told.spec.width = {256};
    told.spec.depth = {4, 8, 16};
    told.spec.target.ci = 0.001;
    told.fit.rows = {1000, 400, 600, 0, 0, 0};
    CHECK(told.says("400 of at most 1000 trials have run; its target may need fewer."));
    CHECK(told.says(
        "The sweep is to go on until the depth exponent is known to ±0.001; it is ±0.0012 so far."));
    CHECK(report::in_words(told.spec, told.fit).question[1].find("up to 100 random networks for each")
          != std::string::npos);
    told.fit.rows = {1000, 1000, 0, 0, 0, 0};
    CHECK(told.says(
        "The sweep was to go on until the depth exponent was known to ±0.001; it is ±0.0012: the target is "
        "not reached, for the 100 networks of a cell (--seeds) ended first."));
    told.spec.target.ci = 0.0012 + 1e-9;
    told.fit.rows = {1000, 400, 0, 0, 0, 600};
    CHECK(told.says("it is ±0.0012: the target is reached."));
    CHECK(told.says("600 of 1000 trials were not needed for the target and have not run."));
    told.spec.target.criterion = "finite";
    CHECK_FALSE(told.says("was to go on"));
    told.spec.target.criterion.clear();
    told.spec.depth.push_back(32);
    CHECK_FALSE(told.says("was to go on"));
}

TEST_CASE("every field of a sweep has a meaning of its own") {
    for (const auto* trial : {"first-step", "training"}) {
        auto spec = test::small_spec();
        spec.trial = trial;
        spec.target.ci = 0.1;
        for (const auto& entry : report::spec_entries(spec)) {
            INFO(entry.key << ": " << entry.meaning);
            const auto& fields = sweep::fields();
            const auto field = std::find_if(fields.begin(), fields.end(),
                                            [&](const auto& each) { return each.key == entry.key; });
            REQUIRE(field != fields.end());
            CHECK(entry.meaning != field->help);
            CHECK(entry.meaning.find("--") == std::string::npos);
        }
    }
}

TEST_CASE("CSV has a row per cell and fit, quotes what needs it and loses no digit") {
    auto fit = agreeing({256}, {4, 8});
    fit.cells[0].eta_star = 1.0 / 3;
    fit.cells[0].ci95.high = std::nan("");
    fit.cells[1].note = "a, \"b\"\nc";
    Told told(fit);
    told.fit.fits.push_back(fit);
    const auto lines = lines_of(report::to_csv(told.fit), "\r\n");
    REQUIRE(lines.size() == 5);
    CHECK(lines[0].starts_with(
        "criterion,threshold,relative,layer,statistic,step,fraction,width,depth,networks,eta_star,ci95_low,"
        "ci95_high,interval,centre,"));
    CHECK(lines[0].ends_with(
        ",z,kernel_eta,kernel_initial,kernel_initial_ci95_low,kernel_initial_ci95_high,kernel_final,"
        "kernel_final_ci95_low,kernel_final_ci95_high,note"));
    CHECK(
        lines[1].starts_with("linear,1,false,last,mean,,,256,4,100,0.3333333333333333,0.1225,,log-normal,"));
    CHECK(lines[2].ends_with(",\"a, \"\"b\"\"\nc\""));
    const auto commas = [](const std::string& line) { return std::count(line.begin(), line.end(), ','); };
    CHECK(commas(lines[1]) == commas(lines[0]));
}

TEST_CASE("values have their errors in units of the last digits") {
    CHECK(report::with_error(0.021335, 0.000023) == "0.021335(23)");
    CHECK(report::with_error(0.021335, 0.00000996) == "0.021335(10)");
    CHECK(report::with_error(1.5, 0.1) == "1.50(10)");
    CHECK(report::with_error(12.345, 1.2) == "12.3(1.2)");
    CHECK(report::with_error(1234.5, 120) == "1234(120)");
    CHECK(report::with_error(2.13e-7, 2e-9) == "2.130(20)e-7");
    CHECK(report::with_error(0.5, std::nan("")) == "0.50000");
    CHECK(report::with_error(0.5, 0) == "0.50000");
}

TEST_CASE("counts and sums of squares read as numbers do") {
    CHECK(etastar::counted(1, "network") == "1 network");
    CHECK(etastar::counted(2, "network") == "2 networks");
    CHECK(report::freedom_text(1) == "1 degree of freedom");
    CHECK(report::chi_squared_text(8126) == "8130");
    CHECK(report::chi_squared_text(999.7) == "1000");
    CHECK(report::chi_squared_text(12.34) == "12.3");
    CHECK(report::chi_squared_text(0.5) == "0.5");
    CHECK(report::range_text(2.541, 2.539, " and ") == "2.54");
    CHECK(report::range_text(2.5, 2.6, " and ") == "2.5 and 2.6");
}

TEST_CASE("LaTeX tables escape what LaTeX reads, and have uncertainties and exponents") {
    auto fit = agreeing({256, 1024}, {4, 8});
    fit.cells[1].eta_star.reset();
    fit.cells[1].note = "nothing\n\\end{document}";
    Told told(fit);
    told.fit.model = "a_b & 50 % of {x} ~ \\c";
    const auto text = report::to_latex(told.fit, {"run_1\n\\evil.h5", "1.0"});
    CHECK(text.find("a\\_b \\& 50 \\% of \\{x\\} \\textasciitilde{} \\textbackslash{}c")
          != std::string::npos);
    CHECK(text.find("$0.1250(12)$") != std::string::npos);
    CHECK(text.find("$b =$ $-1.4932$ [$-1.4944$, $-1.4920$] (exact theory: $-1.4931$)") != std::string::npos);
    for (const auto& line : lines_of(text, "\n"))
        if (line.find("evil") != std::string::npos || line.find("nothing") != std::string::npos)
            CHECK(line.find('%') < std::min(line.find("evil"), line.find("nothing")));
    CHECK(text.find("\\begin{tabular}{rrrllll"
                    "r}")
          == std::string::npos);
    CHECK(text.find("\\begin{tabular}{rrrlllr}") != std::string::npos);
}

TEST_CASE("pages show any text and run none of it") {
    CHECK(report::html("<b a=\"x\" b='y'> & \x1b \xff")
          == "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt; &amp; \\x1b \\xff");
    CHECK(report::html("a\nb\n") == "a\nb\n");
    CHECK(report::html_sentence("L^{−3/2} of G_{ℓ} by `x < y`")
          == "L<sup>−3/2</sup> of G<sub>ℓ</sub> by <code>x &lt; y</code>");
    CHECK(report::html_sentence("^{open") == "^{open");
    CHECK(report::json_in_script("\"</script><!--&\"") == "\"\\u003c/script\\u003e\\u003c!--\\u0026\"");
    CHECK(report::shell_word("run-1.h5") == "run-1.h5");
    CHECK(report::shell_word("it's") == "'it'\\''s'");
    CHECK(report::shell_word("a\n'\xff") == "$'a\\x0a\\'\\xff'");
    CHECK(report::shell_word("") == "''");

    const Told told(agreeing({256}, {4, 8, 16}));
    const auto page = report::to_html({.source = {"x</script>\xff\"'<i>.h5", "1"},
                                       .spec = told.spec,
                                       .options = {},
                                       .fit = told.fit,
                                       .profiles = {},
                                       .provenance = {{"host", "<script>alert(1)</script>"}},
                                       .written = "now"});
    CHECK(page.find("<script>alert") == std::string::npos);
    CHECK(page.find("x</script>") == std::string::npos);
    std::size_t ends = 0;
    for (auto at = page.find("</script>"); at != std::string::npos; at = page.find("</script>", at + 1))
        ++ends;
    CHECK(ends == 2);
    CHECK(page.find("http://")
          == page.find("http://www.w3.org/2000/svg")); // the name of SVG, which nothing fetches
}

TEST_CASE("lists of a reproducing command are the shortest that read as the same values") {
    auto spec = test::small_spec();
    spec.width = {64, 128, 256, 512};
    spec.depth = {1, 4, 5, 9};
    CHECK(report::sweep_words(spec).find(" --width 64:512:x2 --depth 1,4,5,9") != std::string::npos);
    analysis::FitOptions options;
    CHECK(report::fit_words(options).empty());
    options.thresholds = {0.5, 1};
    options.widths = {{64, 512}};
    options.depths = {{4, 4}, {8, 8}};
    CHECK(report::fit_words(options) == " --threshold 0.5 --threshold 1 --width 64:512 --depth 4,8");
}
