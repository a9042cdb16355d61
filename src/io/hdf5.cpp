#include "hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <string_view>

namespace etastar::io::hdf5 {

QuietErrors::QuietErrors() {
    // At exit HDF5 would try again to flush a file that it could not write, and crash.
    static std::once_flag once;
    std::call_once(once, [] { H5dont_atexit(); });
    H5Eget_auto2(H5E_DEFAULT, &printer_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

QuietErrors::~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, printer_, data_); }

std::string last_error() {
    std::string text;
    const auto keep_first = [](unsigned, const H5E_error2_t* error, void* data) -> herr_t {
        auto& out = *static_cast<std::string*>(data);
        if (out.empty() && error->desc != nullptr) out = error->desc;
        return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
    // HDF5 buries the cause of a failed read or write in a list of addresses.
    constexpr std::string_view marker = "error message = '";
    if (const auto at = text.find(marker); at != std::string::npos) {
        const auto begin = at + marker.size();
        text = text.substr(begin, text.find('\'', begin) - begin);
    }
    const auto unprintable = [](unsigned char c) { return c < 0x20 || c >= 0x7f; };
    std::replace_if(text.begin(), text.end(), unprintable, ' ');
    return text.empty() ? "unknown HDF5 error" : text;
}

void fail(const std::filesystem::path& path, const std::string& action) {
    throw FileError(fmt::format("{}: cannot {} ({})", path.string(), action, last_error()));
}

Handle unlocked_access() {
    Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 10, 7) && !(H5_VERSION_GE(1, 12, 0) && !H5_VERSION_GE(1, 12, 1))
    H5Pset_file_locking(access.get(), false, true);
#endif
    H5Pset_sieve_buf_size(access.get(), 0);
    return access;
}

Handle string_type() {
    Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return type;
}

} // namespace etastar::io::hdf5
