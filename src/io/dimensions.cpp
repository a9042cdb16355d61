#include "dimensions.hpp"

#include "hdf5.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <map>

namespace etastar::io {
namespace {

using hdf5::Handle;

// Of an entry of REFERENCE_LIST: a dataset, and which of its dimensions the scale belongs to.
struct User {
    hobj_ref_t dataset;
    unsigned dimension;
};

bool write_attribute(hid_t owner, const char* name, hid_t type, const Handle& space, const void* value) {
    Handle attribute(H5Acreate2(owner, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    return attribute && H5Awrite(attribute.get(), type, value) >= 0 && attribute.close();
}

// H5DS takes only strings of fixed length.
bool write_fixed_text(hid_t owner, const char* name, const std::string& text) {
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    return H5Tset_size(type.get(), text.size() + 1) >= 0
           && write_attribute(owner, name, type.get(), space, text.c_str());
}

Handle list_space(hsize_t size) { return {H5Screate_simple(1, &size, nullptr), H5Sclose}; }

bool write_scale(hid_t file, const std::string& path, const std::vector<User>& users) {
    const Handle scale(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
    if (!scale) return false;
    const Handle space(H5Dget_space(scale.get()), H5Sclose);
    // netCDF's own words, which its readers look for.
    const auto name = H5Dget_offset(scale.get()) == HADDR_UNDEF
                          ? fmt::format("This is a netCDF dimension but not a netCDF variable.{:>10}",
                                        H5Sget_simple_extent_npoints(space.get()))
                          : path.substr(path.rfind('/') + 1);
    const Handle type(H5Tcreate(H5T_COMPOUND, sizeof(User)), H5Tclose);
    return H5Tinsert(type.get(), "dataset", offsetof(User, dataset), H5T_STD_REF_OBJ) >= 0
           && H5Tinsert(type.get(), "dimension", offsetof(User, dimension), H5T_NATIVE_INT) >= 0
           && write_fixed_text(scale.get(), "CLASS", "DIMENSION_SCALE")
           && write_fixed_text(scale.get(), "NAME", name)
           && (users.empty()
               || write_attribute(scale.get(), "REFERENCE_LIST", type.get(), list_space(users.size()),
                                  users.data()));
}

} // namespace

bool attach_scales(hid_t file, const std::vector<std::string>& scales,
                   const std::vector<Dimensioned>& datasets) {
    const auto refer = [&](const std::string& path, hobj_ref_t& reference) {
        return H5Rcreate(&reference, file, path.c_str(), H5R_OBJECT, -1) >= 0;
    };
    const Handle list_type(H5Tvlen_create(H5T_STD_REF_OBJ), H5Tclose);
    std::map<std::string, std::vector<User>> users;
    for (const auto& path : scales) users[path] = {};
    for (const auto& [path, of_dimensions] : datasets) {
        hobj_ref_t dataset = 0;
        if (!refer(path, dataset)) return false;
        std::vector<hobj_ref_t> references(of_dimensions.size());
        std::vector<hvl_t> list;
        for (unsigned i = 0; i < of_dimensions.size(); ++i) {
            if (!refer(of_dimensions[i], references[i])) return false;
            users.at(of_dimensions[i]).push_back({dataset, i});
            list.push_back({1, &references[i]});
        }
        const Handle data(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose);
        if (!data
            || !write_attribute(data.get(), "DIMENSION_LIST", list_type.get(), list_space(list.size()),
                                list.data()))
            return false;
    }
    for (const auto& [path, of_scale] : users)
        if (!write_scale(file, path, of_scale)) return false;
    return true;
}

} // namespace etastar::io
