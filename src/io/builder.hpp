#pragma once

#include "etastar/io/provenance.hpp"
#include "etastar/plan/plan.hpp"
#include "etastar/trial/record.hpp"

#include "hdf5.hpp"
#include "layout.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace etastar::io {

// Lays out a sweep's file, docs/format.md, with space for every row but none written.
class Builder {
public:
    // Creates `temporary`. Every failure names the final path.
    Builder(const std::filesystem::path& path, const std::filesystem::path& temporary);

    void write_head(const sweep::Spec& spec);
    void write_provenance(const Provenance& provenance);
    void write_axes(const plan::Plan& plan);
    // A user's examples, where the sweep has them.
    void write_data(const model::Data& data);
    DataMap reserve_data(const plan::Plan& plan, const trial::RecordLayout& layout);
    void close() { require(file_.close()); }

private:
    using Shape = std::vector<hsize_t>;
    struct Note {
        const char* name;
        std::string value;
    };

    hdf5::Handle group(const char* name);
    void attribute(hid_t owner, const char* name, hid_t type, const Shape& shape, const void* value);
    void attribute(hid_t owner, const char* name, const std::string& value);
    // A dataset with its values, and with the attribute `note` where that has a value.
    void values(hid_t group, const char* name, hid_t type, const Shape& shape, const void* data,
                const Note& note = {"", {}});

    // A contiguous dataset with its space allocated now, no fill written.
    Extent reserve(hid_t group, const char* name, hid_t type, const Shape& shape);

    hdf5::Handle simple(const Shape& shape);
    hdf5::Handle dataset(hid_t group, const char* name, hid_t type, const Shape& shape);
    hdf5::Handle owned(hid_t id, hdf5::Handle::Closer closer);
    void require(bool success);

    std::filesystem::path path_;
    hdf5::Handle file_;
};

} // namespace etastar::io
