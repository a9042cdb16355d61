#include "etastar/host.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <vector>

namespace etastar {
namespace {

namespace fs = std::filesystem;

// Cores in the affinity of this process; the kernel refuses masks that are shorter than its own.
std::size_t cores_of_affinity() {
    for (std::size_t most = 1024; most <= std::size_t{1} << 20; most *= 2) {
        const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(most),
                                                                   [](cpu_set_t* s) { CPU_FREE(s); });
        const std::size_t bytes = CPU_ALLOC_SIZE(most);
        if (set && sched_getaffinity(0, bytes, set.get()) == 0)
            return static_cast<std::size_t>(CPU_COUNT_S(bytes, set.get()));
    }
    return static_cast<std::size_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

// The folders of the group of this process and of those around it. The line of version 2 is "0::/path"; where there is none
// the path is the root, whose files a container sees as its own.
std::vector<fs::path> folders(const ControlGroups& groups) {
    std::ifstream file(groups.membership);
    std::string line;
    fs::path path;
    while (std::getline(file, line))
        if (line.starts_with("0::/")) path = line.substr(4);
    std::vector<fs::path> list{groups.root};
    for (const auto& part : path)
        if (!part.empty()) list.push_back(list.back() / part);
    return list;
}

// The smallest of the groups' limits, of which `read` makes a number; "max" is none.
template <class Read>
double smallest(const ControlGroups& groups, const char* name, Read read) {
    double limit = std::numeric_limits<double>::infinity();
    for (const auto& folder : folders(groups)) {
        std::ifstream file(folder / name);
        if (const double own = read(file); file && own > 0) limit = std::min(limit, own);
    }
    return limit;
}

} // namespace

std::string host_name() {
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    return name;
}

std::size_t usable_cores(const ControlGroups& groups) {
    const double quota = smallest(groups, "cpu.max", [](std::istream& file) {
        double microseconds = 0;
        double period = 0;
        file >> microseconds >> period;
        return microseconds / period;
    });
    const auto cores = static_cast<double>(cores_of_affinity());
    return static_cast<std::size_t>(std::max(std::min(cores, std::ceil(quota)), 1.0));
}

double usable_memory(const ControlGroups& groups) {
    const double machine =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    const double group = smallest(groups, "memory.max", [](std::istream& file) {
        double bytes = 0;
        file >> bytes;
        return bytes;
    });
    rlimit addresses = {};
    const bool limited = getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY;
    const double own =
        limited ? static_cast<double>(addresses.rlim_cur) : std::numeric_limits<double>::infinity();
    return std::min({machine, group, own});
}

} // namespace etastar
