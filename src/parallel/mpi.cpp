#include "etastar/parallel/mpi.hpp"

#include "etastar/error.hpp"

#include <mpi.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <list>
#include <numeric>
#include <stdexcept>

namespace etastar::parallel {
namespace {

void check(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw std::runtime_error(std::string(call) + ": " + text);
}

class World final : public Communicator::Implementation {
public:
    explicit World(MPI_Comm original) {
        check(MPI_Comm_dup(original, &communicator_), "MPI_Comm_dup");
        check(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
        check(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
        check(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
    }
    // The communicator is left to MPI_Finalize: to free it is collective, and by then some rank may be gone.
    ~World() override {
        // The library may still read a message that nobody has taken.
        if (!outbox_.empty()) [[maybe_unused]]
            auto* kept = new std::list<Sending>(std::move(outbox_)); // NOLINT
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    std::string description() const override {
        char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
        int length = 0;
        check(MPI_Get_library_version(text, &length), "MPI_Get_library_version");
        std::string version(text, static_cast<std::size_t>(length));
        std::replace(version.begin(), version.end(), '\t', ' ');
        return version.substr(0, version.find_first_of(",\n"));
    }

    void send(int destination, Tag tag, std::vector<std::byte> payload) override {
        all_sent();
        auto& sending = outbox_.emplace_back();
        sending.payload = std::move(payload);
        check(MPI_Isend(sending.payload.data(), static_cast<int>(sending.payload.size()), MPI_BYTE,
                        destination, static_cast<int>(tag), communicator_, &sending.request),
              "MPI_Isend");
    }

    bool all_sent() override {
        outbox_.remove_if([](Sending& sending) {
            int sent = 0;
            check(MPI_Test(&sending.request, &sent, MPI_STATUS_IGNORE), "MPI_Test");
            return sent != 0;
        });
        return outbox_.empty();
    }

    std::optional<Message> poll() override {
        int arrived = 0;
        MPI_Status status;
        check(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, communicator_, &arrived, &status), "MPI_Iprobe");
        if (!arrived) return std::nullopt;
        int size = 0;
        check(MPI_Get_count(&status, MPI_BYTE, &size), "MPI_Get_count");
        Message message{status.MPI_SOURCE, static_cast<Tag>(status.MPI_TAG),
                        std::vector<std::byte>(static_cast<std::size_t>(size))};
        check(MPI_Recv(message.payload.data(), size, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG,
                       communicator_, MPI_STATUS_IGNORE),
              "MPI_Recv");
        return message;
    }

    std::string broadcast(std::string text) override {
        auto size = static_cast<unsigned long long>(text.size());
        check(MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, 0, communicator_), "MPI_Bcast");
        text.resize(size);
        check(MPI_Bcast(text.data(), static_cast<int>(size), MPI_CHAR, 0, communicator_), "MPI_Bcast");
        return text;
    }

    std::vector<std::string> gather(const std::string& text) override {
        const auto ranks = static_cast<std::size_t>(rank_ == 0 ? size_ : 0);
        const auto length = static_cast<int>(text.size());
        std::vector<int> lengths(ranks);
        check(MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, communicator_), "MPI_Gather");
        std::vector<int> offsets(ranks);
        std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
        std::string all(ranks == 0 ? 0 : static_cast<std::size_t>(offsets.back() + lengths.back()), '\0');
        check(MPI_Gatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR,
                          0, communicator_),
              "MPI_Gatherv");
        std::vector<std::string> texts(ranks);
        for (std::size_t i = 0; i < ranks; ++i)
            texts[i] = all.substr(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(lengths[i]));
        return texts;
    }

    std::shared_ptr<Implementation> duplicate() override { return std::make_shared<World>(communicator_); }

    [[noreturn]] void abort(int code) override {
        MPI_Abort(communicator_, code);
        std::_Exit(code);
    }

private:
    struct Sending {
        std::vector<std::byte> payload;
        MPI_Request request = MPI_REQUEST_NULL;
    };

    MPI_Comm communicator_ = MPI_COMM_NULL;
    std::list<Sending> outbox_; // messages under way: their buffers must not move
    int rank_ = 0;
    int size_ = 1;
};

// Processes that mpirun says it started; 1 without one, or one that does not say.
int launched_processes() {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) // Open MPI; MPICH and Intel MPI
        if (const char* size = std::getenv(name)) return std::atoi(size);
    return 1;
}

} // namespace

bool launched_by_mpi() {
    // The user's word for a launcher that is not among the rest; Open MPI, MPICH and Intel MPI (hydra), PMIx,
    // srun, MVAPICH, ALPS and PALS.
    for (const char* name :
         {"ETASTAR_MPI", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "PMIX_RANK", "SLURM_STEP_NUM_TASKS",
          "MV2_COMM_WORLD_RANK", "MPI_LOCALRANKID", "ALPS_APP_PE", "PALS_RANKID"})
        if (std::getenv(name) != nullptr) return true;
    return false;
}

MpiSession::MpiSession() : exceptions_at_start_(std::uncaught_exceptions()) {
    int provided = 0;
    // Only the main thread calls MPI; trials run in others.
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        throw std::runtime_error("MPI could not be initialised");
    world_ = Communicator(std::make_shared<World>(MPI_COMM_WORLD));
    // Under the mpirun of another MPI every process finds itself alone and would run the whole sweep.
    if (world_.size() == 1 && launched_processes() > 1) {
        const auto library = world_.description();
        world_ = Communicator();
        MPI_Finalize();
        throw UsageError("this mpirun belongs to another MPI; use that of " + library);
    }
}

MpiSession::~MpiSession() {
    if (std::uncaught_exceptions() > exceptions_at_start_) world_.abort(1);
    world_ = Communicator();
    MPI_Finalize();
}

} // namespace etastar::parallel
