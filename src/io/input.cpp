#include "input.hpp"

#include "etastar/error.hpp"
#include "etastar/io/descriptor.hpp"

#include "seal.hpp"
#include "system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace etastar::io {

namespace fs = std::filesystem;
using hdf5::Handle;

Input::Input(const fs::path& path) : path_(path) {
    // A pipe would wait for its other end.
    const Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!descriptor) fail_errno(path, "open it");
    if (fs::is_directory(path)) throw FileError(fmt::format("{}: is a directory", path.string()));
    if (!fs::is_regular_file(path)) throw FileError(fmt::format("{}: is not a regular file", path.string()));
    if (!read_seal(descriptor.get(), path)) guard_.emplace(path);
    const HangGuard hang_guard;
    // Outlives the call: closing it would clear the error of a failed open.
    const auto access = hdf5::unlocked_access();
    file_ = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!file_)
        throw FileError(
            fmt::format("{}: is not a readable HDF5 file ({})", path.string(), hdf5::last_error()));
}

bool Input::has_attribute(hid_t owner, const char* name) {
    const HangGuard hang_guard;
    return H5Aexists(owner, name) > 0;
}

std::string Input::text(hid_t owner, const char* name) const {
    const HangGuard hang_guard;
    const Handle opened = attribute(owner, name);
    const Handle type(H5Aget_type(opened.get()), H5Tclose);
    const Handle space(H5Aget_space(opened.get()), H5Sclose);
    if (!type || H5Tis_variable_str(type.get()) <= 0 || !space
        || H5Sget_simple_extent_npoints(space.get()) != 1)
        refuse_damage(fmt::format("attribute {} is not a string", name));
    char* value = nullptr;
    if (H5Aread(opened.get(), type.get(), &value) < 0 || value == nullptr)
        hdf5::fail(path_, fmt::format("read {}", name));
    std::string copy(value);
    H5free_memory(value);
    return copy;
}

std::vector<std::uint32_t> Input::integers(const char* name, std::size_t count) const {
    const HangGuard hang_guard;
    const Handle opened = attribute(root(), name);
    const Handle space(H5Aget_space(opened.get()), H5Sclose);
    if (!space || H5Sget_simple_extent_npoints(space.get()) != static_cast<hssize_t>(count))
        refuse_damage(fmt::format("attribute {} has the wrong shape", name));
    std::vector<std::uint32_t> values(count);
    if (H5Aread(opened.get(), H5T_NATIVE_UINT32, values.data()) < 0)
        hdf5::fail(path_, fmt::format("read {}", name));
    return values;
}

std::vector<std::string> Input::attributes(hid_t owner) {
    const HangGuard hang_guard;
    std::vector<std::string> names;
    for (hsize_t i = 0;; ++i) {
        const auto size =
            H5Aget_name_by_idx(owner, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
        if (size < 0) return names;
        std::string name(static_cast<std::size_t>(size) + 1, '\0');
        H5Aget_name_by_idx(owner, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
        name.pop_back();
        names.push_back(std::move(name));
    }
}

std::optional<std::string> Input::value_as_text(hid_t owner, const char* name) const {
    bool is_text = false;
    double number = 0;
    {
        const HangGuard hang_guard;
        const Handle opened = attribute(owner, name);
        const Handle type(H5Aget_type(opened.get()), H5Tclose);
        const Handle space(H5Aget_space(opened.get()), H5Sclose);
        if (!type || !space || H5Sget_simple_extent_npoints(space.get()) != 1) return std::nullopt;
        is_text = H5Tis_variable_str(type.get()) > 0;
        const auto kind = H5Tget_class(type.get());
        const bool is_number = kind == H5T_INTEGER || kind == H5T_FLOAT;
        if (!is_text && !(is_number && H5Aread(opened.get(), H5T_NATIVE_DOUBLE, &number) >= 0))
            return std::nullopt;
    }
    return is_text ? text(owner, name) : fmt::format("{}", number);
}

Handle Input::group(const char* name) const {
    const HangGuard hang_guard;
    return {H5Gopen2(root(), name, H5P_DEFAULT), H5Gclose};
}

Handle Input::dataset(const std::string& name, const Shape& shape) const {
    const HangGuard hang_guard;
    Handle data(H5Dopen2(root(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!data) hdf5::fail(path_, fmt::format("open its {}", name));
    const auto file_name = [](hid_t object) {
        std::string text(4096, '\0');
        const auto size = H5Fget_name(object, text.data(), text.size());
        text.resize(size > 0 ? std::min(static_cast<std::size_t>(size), text.size()) : 0);
        return text;
    };
    if (file_name(data.get()) != file_name(root())) refuse_damage("its data are in another file");
    const Handle space(H5Dget_space(data.get()), H5Sclose);
    Shape found(static_cast<std::size_t>(std::max(H5Sget_simple_extent_ndims(space.get()), 0)));
    H5Sget_simple_extent_dims(space.get(), found.data(), nullptr);
    if (found != shape)
        refuse_damage(fmt::format("its {} have the shape [{}] where its spec has [{}]", name,
                                  fmt::join(found, ", "), fmt::join(shape, ", ")));
    return data;
}

bool Input::has_type(const Handle& data, hid_t type) {
    const HangGuard hang_guard;
    const Handle found(H5Dget_type(data.get()), H5Tclose);
    return found && H5Tequal(found.get(), type) > 0;
}

void Input::read(const Handle& data, hid_t type, const Shape& start, const Shape& count, void* out) const {
    if (std::find(count.begin(), count.end(), hsize_t{0}) != count.end()) return;
    const HangGuard hang_guard;
    const Handle all(H5Dget_space(data.get()), H5Sclose);
    const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(all.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0
        || H5Dread(data.get(), type, memory.get(), all.get(), H5P_DEFAULT, out) < 0)
        hdf5::fail(path_, "read it");
}

Extent Input::extent(const Handle& data) const {
    const haddr_t offset = H5Dget_offset(data.get());
    if (offset == HADDR_UNDEF)
        throw FileError(fmt::format("{}: its rows are not contiguous, as another program wrote them: it "
                                    "can be read, not continued",
                                    path_.string()));
    return {offset, H5Dget_storage_size(data.get())};
}

void Input::refuse_damage(const std::string& why) const {
    throw FileError(fmt::format("{}: is damaged: {}", path_.string(), why));
}

Handle Input::attribute(hid_t owner, const char* name) const {
    Handle opened(H5Aopen(owner, name, H5P_DEFAULT), H5Aclose);
    if (!opened) refuse_damage(fmt::format("attribute {} is missing", name));
    return opened;
}

void Input::refuse_remains() const {
    if (!guard_) return; // sealed
    const HangGuard hang_guard;
    haddr_t end = 0;
    if (H5Fget_eoa(root(), &end) < 0) hdf5::fail(path_, "read it");
    if (const auto size = fs::file_size(path_); size != end)
        refuse_damage(
            fmt::format("it has {} bytes; {} would be whole, with or without a seal after them", size, end));
}

} // namespace etastar::io
