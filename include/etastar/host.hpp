#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace etastar {

// Name of this machine.
std::string host_name();

// Where a process finds what its control group (version 2) allows it.
struct ControlGroups {
    std::filesystem::path root = "/sys/fs/cgroup";
    std::filesystem::path membership = "/proc/self/cgroup";
};

// Cores that this process may use at a time, at least 1: those of its affinity, or of its control groups' processor time
// where that is less.
std::size_t usable_cores(const ControlGroups& groups = {});

// Bytes of memory that this process may use at most: the machine's, or what its control groups or its own limit of addresses
// leave of that.
double usable_memory(const ControlGroups& groups = {});

} // namespace etastar
