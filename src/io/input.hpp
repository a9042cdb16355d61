#pragma once

#include "crash_guard.hpp"
#include "hdf5.hpp"
#include "layout.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace etastar::io {

// An HDF5 file to be read that may be damaged in any way. All members throw FileError naming the file, also where HDF5
// crashes or does not come back from a single call.
class Input {
public:
    using Shape = std::vector<hsize_t>;

    explicit Input(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    hid_t root() const { return file_.get(); }

    // HDF5 cuts off what follows its part of the file; what is neither that nor a seal of this format is what is left of
    // one. To be called once the file's version is known: a seal of another is no damage.
    void refuse_remains() const;

    static bool has_attribute(hid_t owner, const char* name);
    std::string text(hid_t owner, const char* name) const;
    std::vector<std::uint32_t> integers(const char* name, std::size_t count) const;

    // Names of an object's attributes, ascending; and the text of one that is a single string or number.
    static std::vector<std::string> attributes(hid_t owner);
    std::optional<std::string> value_as_text(hid_t owner, const char* name) const;

    hdf5::Handle group(const char* name) const; // none if there is none

    // A dataset of this shape, in this file and not behind a link in another.
    hdf5::Handle dataset(const std::string& name, const Shape& shape) const;
    static bool has_type(const hdf5::Handle& data, hid_t type);

    // A part of a dataset.
    void read(const hdf5::Handle& data, hid_t type, const Shape& start, const Shape& count, void* out) const;

    // Where its data are; refuses those that are not contiguous.
    Extent extent(const hdf5::Handle& data) const;

    // Throws "PATH: is damaged: WHY".
    [[noreturn]] void refuse_damage(const std::string& why) const;

private:
    hdf5::Handle attribute(hid_t owner, const char* name) const;

    std::optional<CrashGuard> guard_; // first, for it guards HDF5's closing of the others, too
    std::filesystem::path path_;
    hdf5::Handle file_;
};

} // namespace etastar::io
