#pragma once

#include "etastar/io/provenance.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/record.hpp"

#include "dimensions.hpp"
#include "hdf5.hpp"
#include "layout.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::io {

// Lays out a sweep's file, docs/format.md, with space for every row but none written.
class Builder {
public:
    // Creates `temporary`. Every failure names the final path.
    Builder(const std::filesystem::path& path, const std::filesystem::path& temporary);

    void write_head(const sweep::Spec& spec);
    void write_provenance(const Provenance& provenance);
    void write_axes(const plan::Plan& plan, const trial::RowType& row);
    // A user's examples, where the sweep has them.
    void write_data(const model::Data& data);
    DataMap reserve_data(const plan::Plan& plan, const trial::RecordLayout& layout);
    // Names the dimensions of all that has been written, and closes the file.
    void close();

private:
    using Shape = std::vector<hsize_t>;
    using Scales = std::vector<std::string>; // of each dimension, by path
    // The string attributes of a dataset; those without a value are left out.
    struct Note {
        const char* name;
        std::string_view value;
    };
    using Notes = std::vector<Note>;

    // Every number is dimensionless, also to readers that know of units.
    static Note units() { return {"units", "1"}; }

    hdf5::Handle group(const char* name);
    void attribute(hid_t owner, const char* name, hid_t type, const Shape& shape, const void* value);
    void attribute(hid_t owner, const char* name, const std::string& value);
    void write_notes(hid_t owner, const Notes& notes);
    // A dataset with its values, and one that is a scale.
    void values(const std::string& path, hid_t type, const Shape& shape, const void* data,
                const Scales& scales, const Notes& notes);
    void scale(const std::string& path, hid_t type, hsize_t size, const void* data, const Notes& notes);
    // A scale of this length without values.
    void dimension(const std::string& path, hsize_t size);

    // A contiguous dataset with its space allocated now, no fill written.
    Extent reserve(const std::string& path, hid_t type, const Shape& shape, const Scales& scales,
                   const Notes& notes);

    hdf5::Handle simple(const Shape& shape);
    hdf5::Handle dataset(const std::string& path, hid_t type, const Shape& shape, const Scales& scales,
                         const Notes& notes);
    hdf5::Handle owned(hid_t id, hdf5::Handle::Closer closer);
    void require(bool success);

    std::filesystem::path path_;
    hdf5::Handle file_;
    Scales scales_;
    std::vector<Dimensioned> dimensioned_;
};

} // namespace etastar::io
