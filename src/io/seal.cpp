#include "seal.hpp"

#include "etastar/error.hpp"
#include "etastar/io/descriptor.hpp"

#include "crash_guard.hpp"
#include "hdf5.hpp"
#include "system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

namespace etastar::io {
namespace {

namespace fs = std::filesystem;

constexpr char magic[16] = "etastar seal 2\n";
constexpr std::size_t copies = 2;
constexpr std::size_t chunk = std::size_t{1} << 20;

struct Range {
    std::uint64_t begin;
    std::uint64_t end;
};

// [0, size) without the given extents.
std::vector<Range> complement(std::uint64_t size, std::vector<Range> extents) {
    std::sort(extents.begin(), extents.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    std::vector<Range> ranges;
    std::uint64_t at = 0;
    for (const auto& extent : extents) {
        if (extent.begin > at) ranges.push_back({at, extent.begin});
        at = std::max(at, extent.end);
    }
    if (size > at) ranges.push_back({at, size});
    return ranges;
}

template <class Visit>
void for_each_chunk(int descriptor, const fs::path& path, const std::vector<Range>& ranges, Visit visit) {
    std::vector<char> buffer(chunk);
    for (auto range : ranges)
        while (range.begin < range.end) {
            const auto size = std::min<std::uint64_t>(chunk, range.end - range.begin);
            const auto count = read_at(descriptor, path, range.begin, buffer.data(), size);
            if (count < size)
                throw FileError(
                    fmt::format("{}: is damaged: it ends at byte {}", path.string(), range.begin + count));
            visit(range.begin, buffer.data(), count);
            range.begin += count;
        }
}

std::vector<Range> ranges_of(std::span<const Extent> extents) {
    std::vector<Range> ranges;
    for (const auto& extent : extents) ranges.push_back({extent.offset, extent.offset + extent.bytes});
    return ranges;
}

std::uint32_t structure_check(int descriptor, const fs::path& path, const Seal& seal) {
    uLong crc = 0;
    auto changing = ranges_of(seal.data);
    changing.push_back({seal.complete_offset, seal.complete_offset + 1});
    changing.push_back({seal.finished_offset, seal.finished_offset + sizeof(double)});
    const auto sealed = complement(seal.structure_bytes, std::move(changing));
    for_each_chunk(descriptor, path, sealed, [&](std::uint64_t, const char* data, std::size_t size) {
        crc = crc32_z(crc, reinterpret_cast<const Bytef*>(data), size);
    });
    return static_cast<std::uint32_t>(crc);
}

std::uint32_t own_check(const Seal& seal) {
    return static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(&seal), offsetof(Seal, check)));
}

std::uint64_t size_of(int descriptor, const fs::path& path) {
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0) fail_errno(path, "read it");
    return static_cast<std::uint64_t>(status.st_size);
}

// A file's structure with holes in the place of its rows.
class Copy {
public:
    Copy(int descriptor, const fs::path& original, const std::vector<Range>& ranges)
        : original_(original), name_(original.string() + fmt::format(".sealing-{}", getpid())) {
        file_ = Descriptor(::open(name_.path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (!file_) fail_errno(original, "seal it");
        const auto size = static_cast<off_t>(size_of(descriptor, original));
        if (::ftruncate(file_.get(), size) != 0) fail_errno(original, "seal it");
        for_each_chunk(descriptor, original, ranges,
                       [&](std::uint64_t at, const char* data, std::size_t count) {
                           write_at(file_.get(), original, at, data, count);
                       });
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    void set(std::uint8_t complete, double finished) const {
        const auto require = [this](bool success) {
            if (!success) hdf5::fail(original_, "seal it");
        };
        const HangGuard hang_guard;
        const auto access = hdf5::unlocked_access();
        hdf5::Handle file(H5Fopen(name_.path().c_str(), H5F_ACC_RDWR, access.get()), H5Fclose);
        require(bool(file));
        const auto write = [&](const char* object, const char* name, hid_t type, const void* value) {
            // HDF5 1.10.8 cannot write to what H5Aopen_by_name opens; with the object held open it can.
            hdf5::Handle owner(H5Oopen(file.get(), object, H5P_DEFAULT), H5Oclose);
            require(bool(owner));
            hdf5::Handle attribute(H5Aopen(owner.get(), name, H5P_DEFAULT), H5Aclose);
            require(bool(attribute) && H5Awrite(attribute.get(), type, value) >= 0 && attribute.close()
                    && owner.close());
        };
        write("/provenance", "finished_unix", H5T_IEEE_F64LE, &finished);
        write("/", "complete", H5T_STD_U8LE, &complete);
        require(file.close());
    }

    std::vector<char> bytes(const std::vector<Range>& ranges) const {
        std::vector<char> all;
        for_each_chunk(file_.get(), original_, ranges,
                       [&](std::uint64_t, const char* data, std::size_t size) {
                           all.insert(all.end(), data, data + size);
                       });
        return all;
    }

private:
    fs::path original_;
    TemporaryFile name_;
    Descriptor file_;
};

} // namespace

std::optional<Seal> read_seal(int descriptor, const fs::path& path) {
    const auto size = size_of(descriptor, path);
    if (size < copies * sizeof(Seal)) return std::nullopt;
    Seal found[copies];
    read_at(descriptor, path, size - sizeof(found), found, sizeof(found));
    bool damaged = false;
    for (const auto& seal : found) {
        if (std::memcmp(seal.magic, magic, sizeof(magic)) != 0) continue;
        damaged = true;
        if (seal.check != own_check(seal) || seal.structure_bytes + sizeof(found) != size) continue;
        if (structure_check(descriptor, path, seal) != seal.structure_check)
            throw FileError(
                fmt::format("{}: is damaged: its structure does not match its checksum", path.string()));
        return seal;
    }
    if (damaged)
        throw FileError(fmt::format("{}: is damaged: its seal does not match its checksum", path.string()));
    return std::nullopt;
}

Seal add_seal(int descriptor, const fs::path& path, const std::vector<Extent>& data) {
    Seal seal;
    std::memcpy(seal.magic, magic, sizeof(magic));
    seal.structure_bytes = size_of(descriptor, path);
    if (data.size() > std::size(seal.data)) throw std::logic_error("more tables than a seal has room for");
    std::copy(data.begin(), data.end(), seal.data);

    const auto structure = complement(seal.structure_bytes, ranges_of(data));
    {
        const CrashGuard guard(path);
        const Copy copy(descriptor, path, structure);
        const double unknown = std::numeric_limits<double>::quiet_NaN();
        copy.set(0, unknown);
        const auto before = copy.bytes(structure);
        // Differs from the other in every byte.
        copy.set(1, std::bit_cast<double>(~std::bit_cast<std::uint64_t>(unknown)));
        const auto after = copy.bytes(structure);
        std::vector<std::uint64_t> changed;
        std::size_t i = 0;
        for (const auto& range : structure)
            for (auto at = range.begin; at < range.end; ++at, ++i)
                if (before[i] != after[i]) changed.push_back(at);
        const auto run = [&](std::size_t first) {
            for (std::size_t k = 1; k < sizeof(double); ++k)
                if (changed[first + k] != changed[first] + k) return false;
            return true;
        };
        if (before.size() != after.size() || changed.size() != 1 + sizeof(double) || !(run(0) || run(1)))
            throw FileError(
                fmt::format("{}: cannot seal it: another program wrote it in a way that HDF5 does not "
                            "change in place; it can be read, not continued",
                            path.string()));
        // The lone byte is before or after the eight.
        const bool lone_first = changed[1] != changed[0] + 1 || !run(0);
        seal.complete_offset = lone_first ? changed.front() : changed.back();
        seal.finished_offset = lone_first ? changed[1] : changed[0];
    }
    seal.structure_check = structure_check(descriptor, path, seal);
    seal.check = own_check(seal);
    const Seal twice[copies] = {seal, seal};
    write_at(descriptor, path, seal.structure_bytes, twice, sizeof(twice));
    return seal;
}

} // namespace etastar::io
