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

std::vector<std::byte> pack_work(const Work& work) {
    Packer packer;
    packer.put(work.units);
    packer.put(std::vector<double>{work.slack});
    return std::move(packer.bytes);
}

Work unpack_work(std::span<const std::byte> payload) {
    Unpacker unpacker(payload);
    Work work;
    work.units = unpacker.get<std::vector<Unit>>();
    work.slack = unpacker.get<std::vector<double>>().at(0);
    return work;
}

std::vector<std::byte> pack_results(const std::vector<NetworkResult>& results) {
    Packer packer;
    for (const auto& result : results) {
        packer.put(std::vector<std::uint64_t>{result.network, result.skipped});
        packer.put(std::vector<double>{result.expected_seconds, result.seconds});
        packer.put(result.record);
        packer.put(result.error);
    }
    return std::move(packer.bytes);
}

std::vector<NetworkResult> unpack_results(std::span<const std::byte> payload) {
    Unpacker unpacker(payload);
    std::vector<NetworkResult> results;
    while (!unpacker.empty()) {
        NetworkResult result;
        const auto integers = unpacker.get<std::vector<std::uint64_t>>();
        result.network = integers.at(0);
        result.skipped = integers.at(1) != 0;
        const auto seconds = unpacker.get<std::vector<double>>();
        result.expected_seconds = seconds.at(0);
        result.seconds = seconds.at(1);
        result.record = unpacker.get<std::vector<std::byte>>();
        result.error = unpacker.get<std::string>();
        results.push_back(std::move(result));
    }
    return results;
}

std::vector<std::byte> pack_number(double number) {
    Packer packer;
    packer.put(std::vector<double>{number});
    return std::move(packer.bytes);
}

double unpack_number(std::span<const std::byte> payload) {
    return Unpacker(payload).get<std::vector<double>>().at(0);
}

} // namespace etastar::parallel
