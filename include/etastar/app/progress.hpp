#pragma once

#include "etastar/app/options.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace etastar::app {

// What a sweep tells of itself on standard error: a line as it is on a terminal, elsewhere with the time before it.
void print_log(const std::string& line);

// Progress of a sweep on standard error: a bar that rewrites itself on a terminal, a line every 30 s
// elsewhere. The time left follows the estimated cost done, not the number of networks.
class Progress {
public:
    Progress(std::uint64_t networks, double cost, Verbosity verbosity);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void add(double cost);
    void show();
    double seconds() const; // since construction
    double cost_done() const { return cost_done_; }

    // Takes the bar away, for a line that is printed next.
    void make_room();

private:
    void print();

    using Clock = std::chrono::steady_clock;
    std::uint64_t networks_;
    double cost_;
    std::uint64_t done_ = 0;
    double cost_done_ = 0;
    bool quiet_;
    bool terminal_;
    bool drawn_ = false;
    Clock::time_point start_;
    Clock::time_point next_;
};

} // namespace etastar::app
