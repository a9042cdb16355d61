#include "etastar/analysis/fit.hpp"
#include "etastar/analysis/profile.hpp"
#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/quantity.hpp"
#include "etastar/report/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace etastar::app {
namespace {

// Of a sweep that has kept them; a part of the file at a time.
std::vector<analysis::Profile> read_profiles(io::SweepReader& reader, const analysis::TrialTable& table,
                                             const analysis::FitOptions& options) {
    const auto& layout = reader.layout();
    const auto tables = layout.tables();
    const auto place = std::find_if(tables.begin(), tables.end(), [](const trial::Table& each) {
        return each.group == "profile" && each.name == "response";
    });
    if (place == tables.end()) return {};
    const auto index = static_cast<std::size_t>(place - tables.begin());
    analysis::ProfileSums sums(table);
    const auto networks = table.plan.networks();
    const auto at_once = std::min(reader.networks_at_once(), networks);
    std::vector<std::byte> records(at_once * layout.bytes());
    std::vector<double> response(place->columns);
    for (std::uint64_t first = 0; first < networks; first += at_once) {
        const auto count = std::min(at_once, networks - first);
        reader.read_checked_records(first, count, records);
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto record = trial::ConstBytes(records).subspan(i * layout.bytes(), layout.bytes());
            const auto bytes = layout.table(record, index);
            std::memcpy(response.data(), bytes.data(), bytes.size());
            sums.add(first + i, response);
        }
    }
    return sums.profiles(analysis::selected_cells(table, options));
}

std::string now() {
    const auto time = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)};
}

} // namespace

ExitCode report_command(const Arguments& arguments) {
    const auto options = parse_report(arguments);
    if (!options) return ExitCode::done;
    refuse_table("output", options->output, options->file);
    const auto table = io::read_sweep_file(options->file);
    io::SweepReader reader(options->file);
    const report::PageInput input{.source = {options->file.string(), version()},
                                  .spec = table.plan.spec(),
                                  .options = options->fit,
                                  .fit = analysis::fit(table, options->fit),
                                  .profiles = read_profiles(reader, table, options->fit),
                                  .provenance = reader.provenance(),
                                  .written = now()};
    const auto page = report::to_html(input);
    write_document(options->output, page);
    if (options->output != "-")
        write_document("-", fmt::format("{}: {}, to be opened in a browser\n", options->output,
                                        show_bytes(static_cast<double>(page.size()))));
    return ExitCode::done;
}

} // namespace etastar::app
