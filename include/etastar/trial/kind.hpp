#pragma once

#include "etastar/cost.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/record.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::trial {

// Measures networks of a plan, one at a time.
class Worker {
public:
    virtual ~Worker() = default;

    // The network's record, its rows sealed. Throws where the network cannot be run: std::bad_alloc, or any exception
    // that says why.
    virtual std::vector<std::byte> run(std::uint64_t network) = 0;
};

// A kind of trial owns what is done to a network and what is kept of it. To add one, write the class, with its row's
// columns, and name it in kinds(); the file, the messages between ranks and the reader follow from the columns.
class Kind {
public:
    virtual ~Kind() = default;

    virtual std::string_view name() const = 0; // in the spec

    virtual const RowType& row() const = 0;
    virtual std::vector<Table> tables(const sweep::Spec& spec) const = 0;

    // That a record's rows and tables are of one run: a crash may leave only some of them on disk. `record` is
    // that of a network whose rows are all done or nonfinite.
    virtual bool consistent(const RecordLayout& layout, ConstBytes record) const = 0;

    // Of one network of a cell, its rates apart.
    virtual Cost cost(const sweep::Spec& spec, const plan::Cell& cell, std::size_t weight_budget) const = 0;

    // The plan is copied.
    virtual std::unique_ptr<Worker> worker(const plan::Plan& plan, std::size_t weight_budget) const = 0;

    RecordLayout layout(const sweep::Spec& spec) const { return {row(), spec.eta.size(), tables(spec)}; }
};

// All kinds.
std::span<const Kind* const> kinds();

// The one of this name among `kinds`. Throws UsageError naming the choices.
const Kind& find_kind(std::string_view name, std::span<const Kind* const> among = kinds());

// Makes it the record of a network that has not been measured.
void make_unmeasured(const RecordLayout& layout, const plan::Plan& plan, std::uint64_t network, Status status,
                     Bytes record);

} // namespace etastar::trial
