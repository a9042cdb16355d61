#include "etastar/io/sweep_reader.hpp"

#include "etastar/error.hpp"
#include "etastar/io/dataset.hpp"

#include "hdf5.hpp"
#include "input.hpp"
#include "layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>

namespace etastar::io {
namespace {

using hdf5::Handle;
using trial::Bytes;
using trial::ConstBytes;
using trial::Status;
namespace fs = std::filesystem;

// A row that is read while it is written looks torn; a moment later it is whole.
constexpr int most_looks = 3;
constexpr std::chrono::milliseconds between_looks{2};

sweep::Spec read_spec(const Input& input) {
    if (!Input::has_attribute(input.root(), "filetype") || input.text(input.root(), "filetype") != file_type)
        throw FileError(
            fmt::format("{}: is an HDF5 file, but not of type {}", input.path().string(), file_type));
    const auto version = input.integers("format_version", 2);
    const bool older = version[0] < format_major || (version[0] == format_major && version[1] < oldest_minor);
    if (older || version[0] != format_major)
        throw FileError(fmt::format("{}: has format {}.{}, this program reads {}.{} and later {}.x: {}",
                                    input.path().string(), version[0], version[1], format_major, oldest_minor,
                                    format_major,
                                    older ? "run the sweep again, or read it with the version that wrote it"
                                          : "a newer version wrote it"));
    input.refuse_remains();
    const auto json = input.text(input.root(), "spec");
    if (sweep::hash(json) != input.text(input.root(), "spec_hash"))
        input.refuse_damage("spec and spec_hash disagree");
    try {
        return sweep::from_json(json);
    } catch (const UsageError& error) {
        throw FileError(fmt::format("{}: cannot be read: {}", input.path().string(), error.what()));
    }
}

// A dataset of numbers as docs/format.md has it.
Handle open_numbers(const Input& input, const std::string& name, hid_t type, const Input::Shape& shape) {
    auto data = input.dataset(name, shape);
    if (!Input::has_type(data, type)) input.refuse_damage(fmt::format("its {} have another type", name));
    return data;
}

// A user's examples, as the spec names them.
std::shared_ptr<const model::Dataset> read_data(const Input& input, const sweep::Spec& spec) {
    model::Dataset table{spec.training.data.samples, spec.model.input_dim, {}, {}};
    const hsize_t rows = table.samples;
    const hsize_t columns = table.input_dim;
    const auto x = open_numbers(input, "data/x", H5T_IEEE_F64LE, {rows, columns});
    const auto y = open_numbers(input, "data/y", H5T_IEEE_F64LE, {rows});
    if (columns > max_data || rows > max_data / (columns + 1)) input.refuse_damage("its data are too many");
    table.x.resize(rows * columns);
    table.y.resize(rows);
    const auto at_once = std::max<hsize_t>(rows_at_once / columns, 1);
    for (hsize_t row = 0; row < rows; row += at_once) {
        const auto count = std::min(at_once, rows - row);
        input.read(x, H5T_IEEE_F64LE, {row, 0}, {count, columns}, table.x.data() + row * columns);
        input.read(y, H5T_IEEE_F64LE, {row}, {count}, table.y.data() + row);
    }
    if (sweep::digest(table) != spec.training.data.digest)
        input.refuse_damage("its data are not those that its spec names");
    return std::make_shared<const model::Dataset>(std::move(table));
}

plan::Plan read_plan(const Input& input) {
    auto spec = read_spec(input);
    if (spec.training.data.source == model::DataSource::file)
        spec.training.data.table = read_data(input, spec);
    const Input::Shape shape{spec.width.size(), spec.depth.size(), spec.eta.size()};
    const auto data = open_numbers(input, "axes/eta_absolute", H5T_IEEE_F64LE, shape);
    std::vector<double> etas(spec.cells() * spec.eta.size());
    input.read(data, H5T_IEEE_F64LE, {0, 0, 0}, shape, etas.data());
    const bool named = Input::has_attribute(data.get(), "unit_theory");
    try {
        return {std::move(spec), etas, named ? input.text(data.get(), "unit_theory") : std::string()};
    } catch (const UsageError& error) {
        input.refuse_damage(error.what());
    }
}

const trial::Kind& read_kind(const Input& input, const sweep::Spec& spec,
                             std::span<const trial::Kind* const> kinds) {
    try {
        return trial::find_kind(spec.trial, kinds);
    } catch (const UsageError& error) {
        throw FileError(fmt::format("{}: cannot be read: {}", input.path().string(), error.what()));
    }
}

} // namespace

struct SweepReader::Implementation {
    Implementation(const fs::path& path, std::span<const trial::Kind* const> kinds)
        : input(path),
          plan(read_plan(input)),
          kind(read_kind(input, plan.spec(), kinds)),
          layout(kind.layout(plan.spec())),
          type(row_type(layout.row(), plan.spec().has_target())),
          last_status(plan.spec().has_target() ? Status::skipped : Status::failed),
          complete(read_complete()),
          trials(open_trials()) {
        for (const auto& table : layout.tables()) {
            const hsize_t rows = plan.networks() * table.rows;
            tables.push_back(
                {open_numbers(input, fmt::format("{}/{}", table.group, table.name), H5T_IEEE_F64LE,
                              {rows, table.columns}),
                 open_numbers(input, fmt::format("{}/check", table.group), H5T_STD_U32LE, {rows})});
        }
    }

    struct TableData {
        Handle values;
        Handle checks;
    };
    using Rates = std::vector<std::size_t>; // of one network, by index

    Input input;
    plan::Plan plan;
    const trial::Kind& kind;
    trial::RecordLayout layout;
    Handle type;
    Status last_status; // that a row may have
    bool complete;
    Handle trials;
    std::vector<TableData> tables;
    std::uint64_t damaged_rows = 0;

    bool read_complete() const {
        const auto value = input.integers("complete", 1)[0];
        if (value > 1) input.refuse_damage(fmt::format("attribute complete is {}", value));
        return value == 1;
    }

    Handle open_trials() const {
        auto data = input.dataset("trials", {plan.rows()});
        if (!Input::has_type(data, type.get()))
            input.refuse_damage(fmt::format("its trials have other fields than those of {}", kind.name()));
        return data;
    }

    trial::Coordinates expected(std::uint64_t row) const {
        const auto id = plan.id(row / plan.rates());
        return {id.width, id.depth, id.seed, plan.cell_of(row / plan.rates()).etas[row % plan.rates()]};
    }

    bool is_sound(std::uint64_t index, ConstBytes row) const {
        return trial::coordinates(row) == expected(index) && trial::intact(row)
               && trial::status(row) <= last_status;
    }

    // A few at a time: no call takes long.
    void read_raw_rows(std::uint64_t first, Bytes rows) const {
        const auto bytes = layout.row().bytes;
        const std::uint64_t count = rows.size() / bytes;
        for (std::uint64_t i = 0; i < count; i += rows_at_once)
            input.read(trials, type.get(), {first + i}, {std::min<std::uint64_t>(rows_at_once, count - i)},
                       rows.data() + i * bytes);
    }

    // Those of the rows that are not sound, by index.
    std::vector<std::size_t> unsound(std::uint64_t first, ConstBytes rows,
                                     std::span<const std::size_t> among) const {
        const auto bytes = layout.row().bytes;
        std::vector<std::size_t> list;
        for (const auto i : among)
            if (!is_sound(first + i, rows.subspan(i * bytes, bytes))) list.push_back(i);
        return list;
    }

    void read_rows(std::uint64_t first, Bytes rows) {
        const auto bytes = layout.row().bytes;
        std::vector<std::size_t> suspects(rows.size() / bytes);
        std::iota(suspects.begin(), suspects.end(), std::size_t{0});
        read_raw_rows(first, rows);
        suspects = unsound(first, rows, suspects);
        for (int look = 1; look < most_looks && !suspects.empty(); ++look) {
            std::this_thread::sleep_for(between_looks);
            for (const auto i : suspects) read_raw_rows(first + i, rows.subspan(i * bytes, bytes));
            suspects = unsound(first, rows, suspects);
        }
        damaged_rows += suspects.size();
        for (const auto i : suspects)
            trial::make_unmeasured(layout.row(), expected(first + i), Status::pending,
                                   rows.subspan(i * bytes, bytes));
    }

    // The tables of networks [first, first + count) into their records, with NaN for rows that do not match their
    // checksum. Returns for each network to which of its rates these belong, ascending; of a table that is not one row
    // a rate, to the first.
    std::vector<Rates> read_tables(std::uint64_t first, std::uint64_t count, Bytes records) const {
        std::vector<Rates> damaged(count);
        for (std::size_t t = 0; t < tables.size(); ++t) {
            const auto& table = layout.tables()[t];
            const auto row_bytes = table.columns * sizeof(double);
            std::vector<std::byte> values(count * layout.table_bytes(t));
            std::vector<std::uint32_t> checks(count * table.rows);
            input.read(tables[t].values, H5T_IEEE_F64LE, {first * table.rows, 0},
                       {checks.size(), table.columns}, values.data());
            input.read(tables[t].checks, H5T_STD_U32LE, {first * table.rows}, {checks.size()}, checks.data());
            for (std::size_t i = 0; i < checks.size(); ++i) {
                const auto row = Bytes(values).subspan(i * row_bytes, row_bytes);
                if (trial::checksum(row) == checks[i]) continue;
                trial::fill_nan(row);
                auto& rates = damaged[i / table.rows];
                const auto rate = table.rows == layout.rates() ? static_cast<std::size_t>(i % table.rows) : 0;
                const auto place = std::lower_bound(rates.begin(), rates.end(), rate);
                if (place == rates.end() || *place != rate) rates.insert(place, rate);
            }
            for (std::uint64_t i = 0; i < count; ++i) {
                const auto part = Bytes(values).subspan(i * layout.table_bytes(t), layout.table_bytes(t));
                std::copy(part.begin(), part.end(), layout.table(record_of(records, i), t).begin());
            }
        }
        return damaged;
    }

    Bytes record_of(Bytes records, std::uint64_t i) const {
        return records.subspan(i * layout.bytes(), layout.bytes());
    }

    // Rows before tables: a sweep that runs writes them in the other order. Returns what read_tables does.
    std::vector<Rates> read_records(std::uint64_t first, std::uint64_t count, Bytes records) {
        std::vector<std::byte> rows(count * layout.rows_bytes());
        read_rows(first * layout.rates(), rows);
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto part = Bytes(rows).subspan(i * layout.rows_bytes(), layout.rows_bytes());
            std::copy(part.begin(), part.end(), layout.rows(record_of(records, i)).begin());
        }
        return read_tables(first, count, records);
    }

    // Of a network: pending before failed before skipped before done.
    Status status_of(ConstBytes record) const {
        constexpr Status order[] = {Status::pending, Status::failed, Status::skipped};
        for (const auto status : order)
            for (std::size_t k = 0; k < layout.rates(); ++k)
                if (trial::status(layout.row(record, k)) == status) return status;
        return Status::done;
    }

    // The rates of a network whose rows say that they have run but whose tables, damaged at some or of another run than
    // the rows, say otherwise. Of another run, which cannot be told: the first stands for all.
    Rates contradicted(ConstBytes record, const Rates& damaged) const {
        if (status_of(record) != Status::done) return {};
        if (damaged.empty() && !kind.consistent(layout, record)) return {0};
        return damaged;
    }

    // As read_records does; the rows of contradicted rates become pending and are counted as damaged.
    void read_checked_records(std::uint64_t first, std::uint64_t count, Bytes records) {
        const auto damaged = read_records(first, count, records);
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto record = record_of(records, i);
            const auto rates = contradicted(record, damaged[i]);
            for (const auto rate : rates)
                trial::make_unmeasured(layout.row(), expected((first + i) * layout.rates() + rate),
                                       Status::pending, layout.row(record, rate));
            damaged_rows += rates.size();
        }
    }
};

SweepReader::SweepReader(const fs::path& path, std::span<const trial::Kind* const> kinds) {
    const hdf5::QuietErrors quiet;
    implementation_ = std::make_unique<Implementation>(path, kinds);
}
SweepReader::~SweepReader() = default;
SweepReader::SweepReader(SweepReader&&) noexcept = default;
SweepReader& SweepReader::operator=(SweepReader&&) noexcept = default;

const plan::Plan& SweepReader::plan() const { return implementation_->plan; }
const trial::Kind& SweepReader::kind() const { return implementation_->kind; }
const trial::RecordLayout& SweepReader::layout() const { return implementation_->layout; }
bool SweepReader::complete() const { return implementation_->complete; }
std::uint64_t SweepReader::damaged_rows() const { return implementation_->damaged_rows; }

std::uint64_t SweepReader::networks_at_once() const { return io::networks_at_once(implementation_->layout); }

void SweepReader::read_rows(std::uint64_t first_row, Bytes rows) {
    const hdf5::QuietErrors quiet;
    implementation_->read_rows(first_row, rows);
}

void SweepReader::read_records(std::uint64_t first, std::uint64_t count, Bytes records) {
    const hdf5::QuietErrors quiet;
    implementation_->read_records(first, count, records);
}

void SweepReader::read_checked_records(std::uint64_t first, std::uint64_t count, Bytes records) {
    const hdf5::QuietErrors quiet;
    implementation_->read_checked_records(first, count, records);
}

std::string SweepReader::provenance(const char* name) const {
    const hdf5::QuietErrors quiet;
    const auto& input = implementation_->input;
    const Handle group = input.group("provenance");
    if (!group || !Input::has_attribute(group.get(), name)) return {};
    return input.text(group.get(), name);
}

std::vector<std::pair<std::string, std::string>> SweepReader::provenance() const {
    const hdf5::QuietErrors quiet;
    const auto& input = implementation_->input;
    std::vector<std::pair<std::string, std::string>> entries;
    const Handle group = input.group("provenance");
    if (!group) return entries;
    for (const auto& name : Input::attributes(group.get()))
        if (auto text = input.value_as_text(group.get(), name.c_str()))
            entries.emplace_back(name, std::move(*text));
    return entries;
}

Tally SweepReader::tally() {
    const hdf5::QuietErrors quiet;
    auto& file = *implementation_;
    const auto damaged_before = file.damaged_rows;
    const auto at_once = networks_at_once();
    std::vector<std::byte> records(std::min(at_once, file.plan.networks()) * file.layout.bytes());
    Tally tally;
    for (std::uint64_t first = 0; first < file.plan.networks(); first += at_once) {
        const auto count = std::min(at_once, file.plan.networks() - first);
        file.read_checked_records(first, count, records);
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto status = file.status_of(file.record_of(records, i));
            ++(status == Status::pending   ? tally.pending
               : status == Status::failed  ? tally.failed
               : status == Status::skipped ? tally.skipped
                                           : tally.finished);
            if (status == Status::pending || status == Status::failed) tally.left.push_back(first + i);
        }
    }
    tally.damaged = file.damaged_rows - damaged_before;
    return tally;
}

DataMap SweepReader::data_map() const {
    const auto& file = *implementation_;
    DataMap map;
    map.trials = file.input.extent(file.trials);
    for (const auto& table : file.tables)
        map.tables.push_back({file.input.extent(table.values), file.input.extent(table.checks)});
    return map;
}

namespace {

// The rows of all networks, and these tables.
void read_with_tables(SweepReader& reader, const std::vector<std::size_t>& tables, trial::Results& results) {
    const auto& layout = reader.layout();
    const auto networks = reader.plan().networks();
    for (const auto t : tables)
        results.tables.emplace_back(networks * layout.table_bytes(t) / sizeof(double));
    const auto at_once = std::min(reader.networks_at_once(), networks);
    std::vector<std::byte> records(at_once * layout.bytes());
    for (std::uint64_t first = 0; first < networks; first += at_once) {
        const auto count = std::min(at_once, networks - first);
        reader.read_checked_records(first, count, records);
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto record = ConstBytes(records).subspan(i * layout.bytes(), layout.bytes());
            const auto rows = layout.rows(record);
            std::copy(rows.begin(), rows.end(),
                      results.rows.begin() + static_cast<std::ptrdiff_t>((first + i) * rows.size()));
            for (std::size_t k = 0; k < tables.size(); ++k) {
                const auto part = layout.table(record, tables[k]);
                std::memcpy(results.tables[k].data() + (first + i) * part.size() / sizeof(double),
                            part.data(), part.size());
            }
        }
    }
}

} // namespace

trial::Results read_sweep_file(const fs::path& path, std::span<const trial::Kind* const> kinds) {
    SweepReader reader(path, kinds);
    trial::Results results{
        reader.plan(), &reader.kind(), {}, {}, reader.complete(), 0, reader.provenance("version")};
    const auto& layout = reader.layout();
    results.rows.resize(results.plan.rows() * layout.row().bytes);
    std::vector<std::size_t> analysed;
    for (std::size_t t = 0; t < layout.tables().size(); ++t)
        if (layout.tables()[t].analysed) analysed.push_back(t);
    if (analysed.empty())
        reader.read_rows(0, results.rows);
    else
        read_with_tables(reader, analysed, results);
    results.damaged = reader.damaged_rows();
    return results;
}

} // namespace etastar::io
