#pragma once

#include "etastar/parallel/communicator.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace etastar::selftest {

// What a check says on every rank: messages are kept until somebody asks for them.
class Exchange {
public:
    explicit Exchange(parallel::Communicator& world) : world_(world.duplicate()) {}

    int rank() const { return world_.rank(); }
    int size() const { return world_.size(); }

    void send(int to, parallel::Tag tag, std::vector<std::byte> payload);

    // The next message of this rank and tag. Throws Wrong where none comes within a minute.
    std::vector<std::byte> receive(int from, parallel::Tag tag);

    // Throws Wrong where messages do not leave within a minute.
    void finish_sending();

    std::string broadcast(std::string text) { return world_.broadcast(std::move(text)); }

    // The texts of all ranks, on rank 0.
    std::vector<std::string> gather(const std::string& text);

private:
    parallel::Communicator world_;
    std::map<std::pair<int, parallel::Tag>, std::vector<std::vector<std::byte>>> inbox_;
};

// Short messages, and some that are longer than what transports send without being asked to. Throws Wrong.
void check_messages(Exchange& exchange);

} // namespace etastar::selftest
