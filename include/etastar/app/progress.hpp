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

    // Where what there is to do turns out as it is done: networks and cost of all of it, as far as it is known.
    void expect(std::uint64_t networks, double cost);

    // Where the sweep stands: behind the bar on a terminal; elsewhere, and where all is told, a line of its own.
    void tell(const std::string& state);
    double seconds() const; // since construction
    double cost() const { return cost_; }
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
    std::string state_;
    bool quiet_;
    bool verbose_;
    bool terminal_;
    bool drawn_ = false;
    Clock::time_point start_;
    Clock::time_point next_;
};

} // namespace etastar::app
