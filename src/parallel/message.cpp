#include "message.hpp"

#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace etastar::parallel {
namespace {

class Packer {
public:
    template <class Range>
    void put(const Range& values) {
        using T = typename Range::value_type;
        static_assert(std::is_trivially_copyable_v<T>);
        const std::uint64_t count = values.size();
        append(&count, sizeof(count));
        append(values.data(), count * sizeof(T));
    }
    std::vector<std::byte> bytes;

private:
    void append(const void* data, std::size_t size) {
        const auto* from = static_cast<const std::byte*>(data);
        bytes.insert(bytes.end(), from, from + size);
    }
};

class Unpacker {
public:
    explicit Unpacker(std::span<const std::byte> bytes) : rest_(bytes) {}
    bool empty() const { return rest_.empty(); }

    template <class Range>
    Range get() {
        using T = typename Range::value_type;
        std::uint64_t count = 0;
        take(&count, sizeof(count));
        if (count > rest_.size() / sizeof(T))
            throw std::runtime_error("a message between ranks is cut short");
        Range values(count, T{});
        take(values.data(), count * sizeof(T));
        return values;
    }

private:
    void take(void* out, std::size_t size) {
        if (size > rest_.size()) throw std::runtime_error("a message between ranks is cut short");
        if (size > 0) std::memcpy(out, rest_.data(), size);
        rest_ = rest_.subspan(size);
    }
    std::span<const std::byte> rest_;
};

} // namespace

std::vector<std::byte> pack_work(const std::vector<std::uint64_t>& networks) {
    Packer packer;
    packer.put(networks);
    return std::move(packer.bytes);
}

std::vector<std::uint64_t> unpack_work(std::span<const std::byte> payload) {
    return Unpacker(payload).get<std::vector<std::uint64_t>>();
}

std::vector<std::byte> pack_results(const std::vector<NetworkResult>& results) {
    Packer packer;
    for (const auto& result : results) {
        packer.put(std::vector<std::uint64_t>{result.network});
        packer.put(result.rows);
        packer.put(result.response);
        packer.put(result.error);
    }
    return std::move(packer.bytes);
}

std::vector<NetworkResult> unpack_results(std::span<const std::byte> payload) {
    Unpacker unpacker(payload);
    std::vector<NetworkResult> results;
    while (!unpacker.empty()) {
        NetworkResult result;
        result.network = unpacker.get<std::vector<std::uint64_t>>().at(0);
        result.rows = unpacker.get<std::vector<sweep::TrialRow>>();
        result.response = unpacker.get<std::vector<double>>();
        result.error = unpacker.get<std::string>();
        results.push_back(std::move(result));
    }
    return results;
}

} // namespace etastar::parallel
