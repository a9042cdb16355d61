#include "etastar/app/version.hpp"

#include "etastar/host.hpp"

#include "etastar_revision.hpp"

#include <cstdint>
#include <filesystem>
#include <system_error>

namespace etastar::app {

std::string version() { return ETASTAR_VERSION; }

std::string release_date() { return ETASTAR_RELEASE_DATE; }

std::string git_revision() { return ETASTAR_GIT_REVISION; }

io::Provenance provenance_of_program(const parallel::Communicator& world) {
    io::Provenance provenance;
    provenance.version = version();
    provenance.git_revision = git_revision();
    provenance.host = host_name();
    provenance.ranks = static_cast<std::uint32_t>(world.size());
    provenance.mpi = world.description();
    return provenance;
}

std::string data_folder() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return {};
    const auto folder = std::filesystem::canonical(program.parent_path() / ETASTAR_DATA_FROM_PROGRAM, error);
    return error ? std::string() : folder.string();
}

} // namespace etastar::app
