#include "etastar/app/progress.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/quantity.hpp"

#include "clock.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace etastar::app {
namespace {

using namespace std::chrono_literals;
constexpr auto bar_interval = 200ms;
constexpr auto line_interval = 30s;
constexpr int bar_width = 30;

bool on_terminal() { return isatty(STDERR_FILENO) == 1; }

} // namespace

void print_log(const std::string& line) {
    const auto text = on_terminal() ? line + "\n" : fmt::format("{} {}\n", local_time(unix_now()), line);
    std::fwrite(text.data(), 1, text.size(), stderr);
}

Progress::Progress(std::uint64_t networks, double cost, Verbosity verbosity)
    : networks_(networks),
      cost_(cost),
      quiet_(verbosity == Verbosity::quiet),
      verbose_(verbosity == Verbosity::verbose),
      terminal_(on_terminal()),
      start_(Clock::now()),
      next_(start_ + (terminal_ ? Clock::duration(bar_interval) : Clock::duration(line_interval))) {}

Progress::~Progress() {
    if (!drawn_) return;
    print();
    std::fputc('\n', stderr);
}

void Progress::add(double cost) {
    ++done_;
    cost_done_ += cost;
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void Progress::show() {
    const auto now = Clock::now();
    if (quiet_ || now < next_) return;
    next_ = now + (terminal_ ? Clock::duration(bar_interval) : Clock::duration(line_interval));
    print();
}

void Progress::expect(std::uint64_t networks, double cost) {
    networks_ = networks;
    cost_ = cost;
}

void Progress::tell(const std::string& state) {
    state_ = state;
    if (quiet_ || (terminal_ && !verbose_)) return;
    make_room();
    print_log("etastar: " + state);
}

void Progress::make_room() {
    if (!drawn_) return;
    fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
    next_ = Clock::now();
}

void Progress::print() {
    const double elapsed = seconds();
    const double left = cost_done_ > 0 ? elapsed * std::max(cost_ / cost_done_ - 1, 0.0) : HUGE_VAL;
    std::string text = fmt::format("{}/{} networks, {:.4g} networks/s, {} left", done_, networks_,
                                   static_cast<double>(done_) / elapsed, show_duration(left));
    if (terminal_) {
        if (!state_.empty()) text += "; " + state_;
        const int filled =
            static_cast<int>(bar_width * (cost_ > 0 ? std::min(cost_done_ / cost_, 1.0) : 1.0));
        fmt::print(stderr, "\r[{:<{}}] {}\x1b[K", std::string(static_cast<std::size_t>(filled), '#'),
                   bar_width, text);
        std::fflush(stderr);
        drawn_ = true;
    } else {
        print_log("etastar: " + text);
    }
}

} // namespace etastar::app
