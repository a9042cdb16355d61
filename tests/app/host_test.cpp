#include "etastar/host.hpp"

#include "catch.hpp"

#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace etastar;
namespace fs = std::filesystem;

namespace {

// Made-up control groups.
class Groups {
public:
    Groups() { fs::create_directories(folder_ / "fs" / "slice" / "job"); }
    ~Groups() { fs::remove_all(folder_); }
    Groups(const Groups&) = delete;
    Groups& operator=(const Groups&) = delete;

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
    }
    ControlGroups paths() const { return {folder_ / "fs", folder_ / "membership"}; }

private:
    fs::path folder_ = fs::temp_directory_path() / ("etastar-groups-" + std::to_string(::getpid()));
};

std::size_t cores_of_affinity() {
    cpu_set_t set;
    REQUIRE(sched_getaffinity(0, sizeof(set), &set) == 0);
    return static_cast<std::size_t>(CPU_COUNT(&set));
}

} // namespace

TEST_CASE("cores are those of the affinity, or of the control groups' processor time") {
    const Groups groups;
    const auto all = cores_of_affinity();
    CHECK(usable_cores(groups.paths()) == all); // no files at all
    groups.write("membership", "9:name=systemd:/\n0::/slice/job\n");
    groups.write("fs/slice/job/cpu.max", "max 100000\n");
    CHECK(usable_cores(groups.paths()) == all);
    groups.write("fs/slice/cpu.max", "20000 100000\n"); // of the group around it: a fifth of a core
    CHECK(usable_cores(groups.paths()) == 1);
    groups.write("fs/slice/cpu.max", "99900000 100000\n");
    CHECK(usable_cores(groups.paths()) == all);
    groups.write("fs/slice/job/cpu.max", "junk");
    CHECK(usable_cores(groups.paths()) == all);

    // One core of those that there are; then more processor time than cores.
    cpu_set_t before;
    REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; ++i)
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
            break;
        }
    REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
    groups.write("fs/slice/job/cpu.max", "150000 100000\n");
    CHECK(usable_cores(groups.paths()) == 1);
    REQUIRE(sched_setaffinity(0, sizeof(before), &before) == 0);
    if (all > 1) CHECK(usable_cores(groups.paths()) == 2); // one and a half
}

TEST_CASE("memory is the machine's, or what the control groups leave") {
    const Groups groups;
    const double all = usable_memory(groups.paths());
    CHECK(all > 1e8);
    groups.write("membership", "0::/slice/job\n");
    groups.write("fs/slice/job/memory.max", "max\n");
    CHECK(usable_memory(groups.paths()) == all);
    groups.write("fs/slice/job/memory.max", "16777216\n");
    CHECK(usable_memory(groups.paths()) == 16777216);
}
