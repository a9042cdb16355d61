#include "rounds.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace etastar::app {
namespace {

using analysis::Verdict;
using trial::Status;

// Failed networks are run again.
bool has_run(const trial::RecordLayout& layout, trial::ConstBytes record) {
    for (std::size_t k = 0; k < layout.rates(); ++k)
        if (const auto status = trial::status(layout.row(record, k));
            status != Status::done && status != Status::nonfinite)
            return false;
    return true;
}

double work_of(const plan::Plan& priced, const std::vector<std::uint64_t>& networks) {
    double seconds = 0;
    for (std::size_t i = 0; i < networks.size(); ++i)
        seconds += static_cast<double>(networks[i]) * priced.cells()[i].cost.seconds;
    return seconds;
}

std::string target_of(const sweep::Spec& spec) {
    auto text = fmt::format("+- {:g}, criterion {}", spec.target.ci, spec.target_criterion());
    if (!spec.trains()) text += fmt::format(", threshold {:g}", spec.target.threshold);
    return text;
}

} // namespace

Rounds::Rounds(const plan::Plan& priced, io::SweepFile& file, const std::filesystem::path& path,
               Recorder& recorder)
    : plan_(priced),
      file_(file),
      recorder_(recorder),
      all_done_(file.networks_left().empty()),
      allocation_(file.plan()),
      table_{file.plan(), &trial::find_kind(file.plan().spec().trial), {}, {}, false, 0, {}},
      cells_(file.plan().cells().size()),
      networks_(cells_.size(), 0),
      fits_(cells_.size()) {
    if (!file.is_new()) reader_.emplace(path);
    const auto tables = file.layout().tables();
    for (std::size_t t = 0; t < tables.size(); ++t)
        if (tables[t].analysed) analysed_.push_back(t);
    for (auto& cell : cells_) cell.tables.resize(analysed_.size());
}

void Rounds::put(std::uint64_t network, trial::ConstBytes record) {
    const auto seeds = plan_.spec().seeds;
    auto& cell = cells_[network / seeds];
    const auto index = network % seeds;
    const auto& layout = file_.layout();
    const auto rows = layout.rows(record);
    std::copy(rows.begin(), rows.end(), cell.rows.begin() + static_cast<std::ptrdiff_t>(index * rows.size()));
    for (std::size_t i = 0; i < analysed_.size(); ++i) {
        const auto part = layout.table(record, analysed_[i]);
        std::memcpy(cell.tables[i].data() + index * part.size() / sizeof(double), part.data(), part.size());
    }
    cell.changed = true;
}

// Takes from the file what it has of the cell's networks up to this number, and adds the others to the units.
void Rounds::extend(std::size_t cell, std::uint64_t networks, std::vector<parallel::Unit>& units) {
    const auto& layout = file_.layout();
    auto& rows = cells_[cell];
    rows.rows.resize(networks * layout.rows_bytes());
    for (std::size_t i = 0; i < analysed_.size(); ++i)
        rows.tables[i].resize(networks * layout.table_bytes(analysed_[i]) / sizeof(double));
    const auto first_of_cell = cell * plan_.spec().seeds;
    const auto first = first_of_cell + networks_[cell];
    const auto end = first_of_cell + networks;
    const auto at_once = reader_ ? reader_->networks_at_once() : 1;
    std::vector<std::byte> records;
    for (auto network = first; network < end; network += at_once) {
        const auto count = std::min(at_once, end - network);
        records.resize(count * layout.bytes());
        if (reader_)
            reader_->read_checked_records(network, count, records);
        else
            trial::make_unmeasured(layout, plan_, network, Status::pending, trial::Bytes(records));
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto record = trial::ConstBytes(records).subspan(i * layout.bytes(), layout.bytes());
            put(network + i, record);
            if (!has_run(layout, record)) units.push_back({network + i, plan_.cells()[cell].cost.seconds});
        }
    }
    networks_[cell] = networks;
}

void Rounds::collect(std::vector<parallel::NetworkResult>&& results) {
    for (const auto& result : results) {
        put(result.network, result.record);
        work_done_ += result.expected_seconds;
    }
    run_ += results.size();
    recorder_.collect(std::move(results));
}

void Rounds::decide() {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        auto& cell = cells_[i];
        if (!std::exchange(cell.changed, false)) continue;
        std::swap(table_.rows, cell.rows);
        std::swap(table_.tables, cell.tables);
        const auto& of = plan_.cells()[i];
        fits_[i] = allocation_.estimate({&table_, of.width, of.depth, networks_[i], plan_.rates(), 0});
        std::swap(table_.rows, cell.rows);
        std::swap(table_.tables, cell.tables);
        recorder_.tick();
    }
    decision_ = allocation_.next(fits_, networks_, former_);
    if (decision_.half_width) former_.push_back({networks_, *decision_.half_width});
}

std::vector<parallel::Unit> Rounds::more() {
    std::vector<parallel::Unit> units;
    // Rounds whose networks the file has are gone through until one has something to run.
    while (units.empty() && !all_done_) {
        if (rounds_ == 0) {
            decision_.networks = allocation_.first_round();
        } else {
            decide();
            tell();
            if (decision_.verdict != Verdict::go_on) return {};
        }
        ++rounds_;
        for (std::size_t i = 0; i < cells_.size(); ++i)
            if (decision_.networks[i] > networks_[i]) extend(i, decision_.networks[i], units);
    }
    const auto work = std::accumulate(units.begin(), units.end(), work_done_,
                                      [](double so_far, const auto& unit) { return so_far + unit.seconds; });
    auto more = std::uint64_t{0};
    auto more_work = 0.0;
    if (decision_.expected) {
        more = analysis::total(*decision_.expected) - analysis::total(networks_);
        more_work = work_of(plan_, *decision_.expected) - work_of(plan_, networks_);
    }
    recorder_.progress().expect(run_ + units.size() + more, work + more_work);
    return units;
}

std::string Rounds::half_width() const {
    return decision_.half_width ? fmt::format("depth exponent +- {:.3g}", *decision_.half_width)
                                : "no depth exponent yet";
}

void Rounds::tell() const {
    auto text = fmt::format("round {}: {}, target {:g}", rounds_, half_width(), plan_.spec().target.ci);
    if (decision_.verdict == Verdict::go_on) {
        text += fmt::format("; {} networks so far, next {}", analysis::total(networks_),
                            analysis::total(decision_.networks) - analysis::total(networks_));
        if (decision_.expected)
            text += fmt::format(" of about {}",
                                analysis::total(*decision_.expected) - analysis::total(networks_));
        if (decision_.seeds_needed)
            text += fmt::format("; --seeds {} will not be enough, a new sweep with {} might",
                                plan_.spec().seeds, *decision_.seeds_needed);
    }
    recorder_.progress().tell(text);
}

bool Rounds::skip_rest(const std::function<bool()>& has_to_stop) {
    if (all_done_) return true;
    if (decision_.verdict == Verdict::go_on)
        throw std::logic_error("a sweep with a target ended between rounds");
    const auto& layout = file_.layout();
    const auto seeds = plan_.spec().seeds;
    constexpr std::uint64_t bytes_at_once = std::uint64_t{1} << 22;
    const auto at_once = std::max<std::uint64_t>(bytes_at_once / layout.bytes(), 1);
    std::vector<std::byte> records;
    std::vector<io::FinishedNetwork> networks;
    for (std::size_t cell = 0; cell < cells_.size(); ++cell)
        for (auto first = cell * seeds + networks_[cell]; first < (cell + 1) * seeds; first += at_once) {
            if (has_to_stop()) return false;
            recorder_.tick(); // looks after the file
            const auto count = std::min(at_once, (cell + 1) * seeds - first);
            records.resize(count * layout.bytes());
            networks.clear();
            for (std::uint64_t i = 0; i < count; ++i) {
                const auto record = trial::Bytes(records).subspan(i * layout.bytes(), layout.bytes());
                trial::make_unmeasured(layout, file_.plan(), first + i, Status::skipped, record);
                networks.push_back({first + i, record});
            }
            file_.write_networks(networks);
        }
    return true;
}

std::string Rounds::summary() const {
    if (all_done_) return "nothing was left to run";
    const auto counts = fmt::format("{} of at most {} networks in {}", analysis::total(networks_),
                                    plan_.networks(), counted(rounds_, "round"));
    const auto target = fmt::format("{}; target: {}", half_width(), target_of(plan_.spec()));
    switch (decision_.verdict) {
    case Verdict::reached:
        return fmt::format("{}; reached {}", counts, target);
    case Verdict::seeds_ended:
        return fmt::format("{}; no seeds left at {}{}", counts, target,
                           decision_.seeds_needed ? fmt::format(
                               ", which may take a new sweep with --seeds {}", *decision_.seeds_needed)
                                                  : "");
    case Verdict::grid_limits:
        return fmt::format("{}; limited by the grid of rates at {}: more networks do not help, a new sweep "
                           "with a finer --eta does; target: {}",
                           counts, half_width(), target_of(plan_.spec()));
    case Verdict::no_exponent:
        return fmt::format("{}; too few cells have a rate, see `etastar fit`: {}", counts, target);
    case Verdict::go_on:
        break;
    }
    return fmt::format("so far {}", target);
}

std::string show_target(const plan::Plan& priced) {
    const auto& spec = priced.spec();
    std::string out;
    const auto line = [&](const char* what, const std::string& value) {
        out += fmt::format("{:<16} {}\n", what, value);
    };
    const auto amount = [&](const std::vector<std::uint64_t>& networks) {
        return fmt::format("{} networks, {} on one core", analysis::total(networks),
                           show_duration(work_of(priced, networks)));
    };
    line("target", "depth exponent " + target_of(spec));
    line("first round", amount(analysis::Allocation(priced).first_round()));
    const auto forecast = analysis::forecast(priced);
    if (!forecast) {
        line("to expect", "not known beforehand; what is above at most");
    } else if (forecast->verdict == Verdict::reached) {
        line("to expect", fmt::format("{}, in {} rounds", amount(forecast->networks), forecast->rounds));
    } else {
        auto text = fmt::format("all networks, and +- {:.2g}", forecast->half_width.value_or(0));
        if (forecast->seeds_needed)
            text += fmt::format("; the target takes --seeds {}", *forecast->seeds_needed);
        line("to expect", text);
    }
    return out;
}

} // namespace etastar::app
