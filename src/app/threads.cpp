#include "threads.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/engine/settings.hpp"
#include "etastar/host.hpp"
#include "etastar/quantity.hpp"
#include "etastar/trial/kind.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace etastar::app {
namespace {

// Of the memory there is, what the program takes by itself: for the weights that it could draw again, ...
constexpr double share_for_weights = 0.5;
// ... and for all.
constexpr double share_for_networks = 0.75;
// A thread's stack, and the addresses that the allocator takes for it.
constexpr double bytes_of_thread = 80.0 * (1 << 20);

void share_out_budget(SweepOptions& options, double memory) {
    const auto threads = static_cast<double>(options.threads);
    double budget = engine::default_weight_budget;
    if (options.budget_of_rank)
        budget = static_cast<double>(*options.budget_of_rank) / threads;
    else if (options.threads > 1)
        budget = std::min(budget, share_for_weights * memory / threads);
    options.weight_budget = static_cast<std::size_t>(budget);
}

} // namespace

void settle_threads(SweepOptions& options, bool launched) {
    const auto cores = usable_cores();
    const double memory = usable_memory();
    if (!options.threads_given) options.threads = launched ? 1 : cores;
    share_out_budget(options, memory);
    if (options.threads_given || options.threads == 1) return;

    const auto& spec = options.spec;
    const auto largest =
        trial::find_kind(spec.trial)
            .cost(spec, {spec.width.back(), spec.depth.back(), {}, {}}, options.weight_budget);
    const auto bytes = static_cast<double>(largest.bytes);
    const double fit = share_for_networks * memory / (bytes + bytes_of_thread);
    if (fit >= static_cast<double>(options.threads)) return;
    options.threads = static_cast<std::size_t>(std::max(fit, 1.0));
    if (options.budget_of_rank) share_out_budget(options, memory);
    options.why_fewer_threads = fmt::format(
        "{} of {} cores: of the largest networks, {} each, no more fit the memory, {}; --threads N decides",
        options.threads, cores, show_bytes(bytes), show_bytes(memory));
}

} // namespace etastar::app
