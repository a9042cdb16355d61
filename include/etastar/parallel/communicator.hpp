#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace etastar::parallel {

// Down the tree of ranks: work and stop. Up: results, a wish to stop, and a last word.
enum class Tag : int { work = 1, result = 2, stop = 3, stop_wish = 4, bye = 5 };

struct Message {
    int source = 0;
    Tag tag = Tag::work;
    std::vector<std::byte> payload;
};

// The few verbs that a sweep needs between its ranks. A value: copies share one implementation, which is
// either MPI or a single process. Messages between two ranks arrive in the order sent. Errors of the
// transport throw std::runtime_error.
class Communicator {
public:
    struct Implementation {
        virtual ~Implementation() = default;
        virtual int rank() const = 0;
        virtual int size() const = 0;
        virtual std::string description() const = 0;
        virtual void send(int destination, Tag tag, std::vector<std::byte> payload) = 0;
        virtual bool all_sent() = 0;
        virtual std::optional<Message> poll() = 0;
        virtual std::string broadcast(std::string text) = 0;
        virtual std::vector<std::string> gather(const std::string& text) = 0;
        virtual std::shared_ptr<Implementation> duplicate() = 0;
        virtual void abort(int code) = 0; // does not return
    };

    // A single process.
    Communicator();
    explicit Communicator(std::shared_ptr<Implementation> implementation)
        : implementation_(std::move(implementation)) {}

    int rank() const { return implementation_->rank(); }
    int size() const { return implementation_->size(); }

    // Library and version, for the record.
    std::string description() const { return implementation_->description(); }

    // Starts a message and returns at once: no rank ever waits for another inside a send, so none can wait in
    // a circle.
    void send(int destination, Tag tag, std::vector<std::byte> payload) {
        implementation_->send(destination, tag, std::move(payload));
    }

    // True when nothing this rank has sent is still under way. A long message needs both ends to call
    // all_sent or poll.
    bool all_sent() { return implementation_->all_sent(); }

    // The next message to this rank if one has arrived; never waits.
    std::optional<Message> poll() { return implementation_->poll(); }

    // Rank 0's text, on every rank. Collective.
    std::string broadcast(std::string text) { return implementation_->broadcast(std::move(text)); }

    // Every rank's text, by rank, on rank 0; elsewhere nothing. Collective.
    std::vector<std::string> gather(const std::string& text) { return implementation_->gather(text); }

    // The same ranks, with messages of their own: none from here ever arrives there. Collective.
    Communicator duplicate() { return Communicator(implementation_->duplicate()); }

    // Ends every rank at once.
    [[noreturn]] void abort(int code) {
        implementation_->abort(code);
        std::abort();
    }

private:
    std::shared_ptr<Implementation> implementation_;
};

} // namespace etastar::parallel
