#include "etastar/app/version.hpp"

#include "etastar_revision.hpp"

#include <filesystem>
#include <system_error>

namespace etastar::app {

std::string version() { return ETASTAR_VERSION; }

std::string release_date() { return ETASTAR_RELEASE_DATE; }

std::string git_revision() { return ETASTAR_GIT_REVISION; }

std::string data_folder() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return {};
    const auto folder = std::filesystem::canonical(program.parent_path() / ETASTAR_DATA_FROM_PROGRAM, error);
    return error ? std::string() : folder.string();
}

} // namespace etastar::app
