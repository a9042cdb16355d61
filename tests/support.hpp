#pragma once

#include "etastar/engine/settings.hpp"
#include "etastar/io/sweep_file.hpp"
#include "etastar/model/model.hpp"
#include "etastar/names.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/sweep/spec.hpp"
#include "etastar/trial/first_step.hpp"
#include "etastar/trial/results.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace etastar::test {

inline constexpr std::array trains{model::Train::all, model::Train::first, model::Train::hidden,
                                   model::Train::last};
inline constexpr std::array parametrizations{model::Parametrization::mup, model::Parametrization::global};

// Of every value of an enumeration.
template <class Enum>
std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& [name, value] : Names<Enum>::table) all.emplace_back(name);
    return all;
}

inline model::Model model_of(model::Train train, model::Parametrization parametrization,
                             std::uint32_t input_dim) {
    return {.train = train, .parametrization = parametrization, .input_dim = input_dim};
}

// Of networks with input dimension 5.
inline engine::Settings settings(model::Train train = model::Train::all,
                                 model::Parametrization parametrization = model::Parametrization::mup,
                                 engine::Precision precision = engine::Precision::single_,
                                 std::size_t weight_budget = engine::default_weight_budget) {
    return {
        .model = model_of(train, parametrization, 5), .precision = precision, .weight_budget = weight_budget};
}

// A sweep of milliseconds.
inline sweep::Spec small_spec() {
    sweep::Spec spec;
    spec.width = {8, 16};
    spec.depth = {2, 3};
    spec.eta = {0.01, 0.1, 1.0};
    spec.eta_unit = sweep::EtaUnit::absolute;
    spec.seeds = 5;
    spec.model.input_dim = 4;
    spec.engine = engine::EngineKind::dense;
    return spec;
}

// What an attempt that is refused with this error says; nothing where it is not refused.
template <class Error, class Attempt>
std::string refusal_of(Attempt&& attempt) {
    try {
        attempt();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

template <class T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Rows of one kind of trial are bytes to the program; these are their typed views.
template <class Row>
trial::Bytes bytes_of(Row& row) {
    return std::as_writable_bytes(std::span(&row, 1));
}
template <class Row = trial::FirstStepRow>
std::vector<Row> rows_of(trial::ConstBytes bytes) {
    std::vector<Row> rows(bytes.size() / sizeof(Row));
    std::memcpy(rows.data(), bytes.data(), bytes.size());
    return rows;
}
inline std::span<trial::FirstStepRow> rows_of(trial::Results& results) {
    return {reinterpret_cast<trial::FirstStepRow*>(results.rows.data()),
            results.rows.size() / sizeof(trial::FirstStepRow)};
}

inline trial::FirstStepRow sealed(trial::FirstStepRow row) {
    seal(trial::first_step_row, bytes_of(row));
    return row;
}
inline bool intact(trial::FirstStepRow row) { return trial::intact(bytes_of(row)); }

inline trial::FirstStepRow unmeasured(const model::NetworkId& id, double eta, trial::Status status) {
    trial::FirstStepRow row;
    make_unmeasured(trial::first_step_row, {id.width, id.depth, id.seed, eta}, status, bytes_of(row));
    return row;
}

// The record of a network that has run, of made-up numbers; with a table, its part holds `value` everywhere.
inline std::vector<std::byte> made_up_record(const plan::Plan& plan, const trial::RecordLayout& layout,
                                             std::uint64_t network, double value = 0.5) {
    std::vector<std::byte> record(layout.bytes());
    make_unmeasured(layout, plan, network, trial::Status::done, record);
    for (std::size_t k = 0; k < plan.rates(); ++k) {
        auto row = rows_of<>(layout.row(record, k)).front();
        row.dz2_last = value;
        row.response_last = value;
        row = sealed(row);
        std::memcpy(layout.row(record, k).data(), &row, sizeof(row));
    }
    for (std::size_t t = 0; t < layout.tables().size(); ++t)
        for (std::size_t at = 0; at < layout.table_bytes(t); at += sizeof(double))
            std::memcpy(layout.table(record, t).data() + at, &value, sizeof(double));
    return record;
}

inline void write_record(io::SweepFile& file, std::uint64_t network, const std::vector<std::byte>& record) {
    const io::FinishedNetwork finished{network, record};
    file.write_networks({&finished, 1});
}
inline void write_network(io::SweepFile& file, std::uint64_t network) {
    write_record(file, network, made_up_record(file.plan(), file.layout(), network));
}

// Changes a bit of the file's byte at this place.
inline void flip_byte(const std::filesystem::path& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char old = static_cast<char>(file.get());
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(old ^ 0x10));
}

// A fresh folder, removed at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "etastar-test-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

} // namespace etastar::test
