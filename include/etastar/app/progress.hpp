#pragma once

#include <chrono>
#include <cstdint>

namespace etastar::app {

// Progress of a sweep on standard error: a bar that rewrites itself on a terminal, a line every 30 s
// elsewhere. The time left follows the estimated cost done, not the number of networks.
class Progress {
public:
    Progress(std::uint64_t networks, double cost);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void add(double cost);
    void show();
    double seconds() const; // since construction

private:
    void print();

    using Clock = std::chrono::steady_clock;
    std::uint64_t networks_;
    double cost_;
    std::uint64_t done_ = 0;
    double cost_done_ = 0;
    bool terminal_;
    bool drawn_ = false;
    Clock::time_point start_;
    Clock::time_point next_;
};

} // namespace etastar::app
