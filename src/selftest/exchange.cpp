#include "exchange.hpp"

#include "check.hpp"

#include <fmt/format.h>

#include <chrono>
#include <set>
#include <thread>

namespace etastar::selftest {

using parallel::Tag;
using std::chrono::steady_clock;

namespace {

// For a message of a rank that may be slow to start, on a busy machine.
constexpr auto patience = std::chrono::seconds(60);

// Whom a rank exchanges messages with: all others or, of many ranks, those at distances that are powers of 2.
std::set<int> partners_of(int rank, int size) {
    constexpr int few = 32;
    std::set<int> partners;
    for (int distance = 1; distance < size; distance = size <= few ? distance + 1 : 2 * distance)
        for (const int other : {(rank + distance) % size, (rank - distance + size) % size})
            if (other != rank) partners.insert(other);
    return partners;
}

std::vector<std::byte> pattern_of(int from, int to, std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(
            (static_cast<std::size_t>(from) * 31 + static_cast<std::size_t>(to) * 17 + i * i) & 0xff);
    return bytes;
}

} // namespace

void Exchange::send(int to, Tag tag, std::vector<std::byte> payload) {
    world_.send(to, tag, std::move(payload));
}

std::vector<std::byte> Exchange::receive(int from, Tag tag) {
    const auto deadline = steady_clock::now() + patience;
    auto& waiting = inbox_[{from, tag}];
    while (waiting.empty()) {
        if (auto message = world_.poll())
            inbox_[{message->source, message->tag}].push_back(std::move(message->payload));
        else if (steady_clock::now() > deadline)
            throw Wrong(fmt::format("rank {} hears nothing from rank {}", rank(), from));
        else
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        world_.all_sent();
    }
    auto payload = std::move(waiting.front());
    waiting.erase(waiting.begin());
    return payload;
}

void Exchange::finish_sending() {
    const auto deadline = steady_clock::now() + patience;
    while (!world_.all_sent()) {
        if (steady_clock::now() > deadline)
            throw Wrong(fmt::format("messages of rank {} do not arrive", rank()));
        if (auto message = world_.poll())
            inbox_[{message->source, message->tag}].push_back(std::move(message->payload));
    }
}

std::vector<std::string> Exchange::gather(const std::string& text) {
    if (rank() != 0) {
        const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
        send(0, Tag::result, {bytes, bytes + text.size()});
        finish_sending();
        return {};
    }
    std::vector<std::string> texts{text};
    for (int from = 1; from < size(); ++from) {
        const auto payload = receive(from, Tag::result);
        texts.emplace_back(reinterpret_cast<const char*>(payload.data()), payload.size());
    }
    return texts;
}

void check_messages(Exchange& exchange) {
    const auto partners = partners_of(exchange.rank(), exchange.size());
    constexpr std::size_t sizes[] = {0, 1, 1000, 300'000};
    for (const auto size : sizes)
        for (const int other : partners)
            exchange.send(other, Tag::work, pattern_of(exchange.rank(), other, size));
    for (const auto size : sizes)
        for (const int other : partners)
            require(exchange.receive(other, Tag::work) == pattern_of(other, exchange.rank(), size),
                    fmt::format("a message of {} bytes from rank {} to rank {} arrives changed", size, other,
                                exchange.rank()));
    exchange.finish_sending();
    const auto pattern = pattern_of(0, 0, std::size_t{1} << 20);
    const std::string text(reinterpret_cast<const char*>(pattern.data()), pattern.size());
    require(exchange.broadcast(exchange.rank() == 0 ? text : "") == text,
            fmt::format("a broadcast arrives changed on rank {}", exchange.rank()));
}

} // namespace etastar::selftest
