#include "start.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"
#include "etastar/error.hpp"
#include "etastar/host.hpp"
#include "etastar/isa.hpp"
#include "etastar/quantity.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace etastar::app {
namespace {

// Hosts that are named; of more, their number.
constexpr std::size_t most_hosts_named = 4;
// Of a name that a line has.
constexpr std::size_t longest_shown = 200;

std::string_view isa_name(Isa isa) {
    switch (isa) {
    case Isa::avx512:
        return "avx512";
    case Isa::avx2:
        return "avx2";
    case Isa::baseline:
        break;
    }
    return "baseline";
}

std::string listed(const std::vector<std::string>& items) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i)
        text += fmt::format("{}{}", i == 0 ? "" : i + 1 == items.size() ? " and " : ", ", items[i]);
    return text;
}

// In the order in which they first occur.
struct HostRanks {
    std::string host;
    std::vector<std::size_t> ranks;
    std::vector<std::string> isas;
};

void add_distinct(std::vector<std::string>& list, const std::string& item) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

std::vector<HostRanks> by_host(const std::vector<RankPlace>& places) {
    std::vector<HostRanks> hosts;
    for (std::size_t rank = 0; rank < places.size(); ++rank) {
        const auto& place = places[rank];
        // Ranks of one host mostly follow one another.
        const auto found = std::find_if(hosts.rbegin(), hosts.rend(),
                                        [&](const auto& each) { return each.host == place.host; });
        auto& host = found != hosts.rend() ? *found : hosts.emplace_back(HostRanks{place.host, {}, {}});
        host.ranks.push_back(rank);
        add_distinct(host.isas, place.isa);
    }
    return hosts;
}

std::string hosts_in_words(const std::vector<HostRanks>& hosts) {
    if (hosts.size() == 1) return shown(hosts.front().host, longest_shown);
    if (hosts.size() > most_hosts_named) return fmt::format("{} hosts", hosts.size());
    std::vector<std::string> items;
    items.reserve(hosts.size());
    for (const auto& host : hosts)
        items.push_back(fmt::format("{} ({})", shown(host.host, longest_shown), host.ranks.size()));
    return listed(items);
}

// "0-31", "0, 2, 4"
std::string in_ranges(const std::vector<std::size_t>& ranks) {
    std::string text;
    for (std::size_t i = 0; i < ranks.size();) {
        std::size_t last = i;
        while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
        text += fmt::format("{}{}", text.empty() ? "" : ", ", ranks[i]);
        if (last > i) text += fmt::format("-{}", ranks[last]);
        i = last + 1;
    }
    return text;
}

// Name and version, without what it was built with.
std::string blas_in_words(const std::string& blas, const std::string& core) {
    const auto name_end = blas.find(' ');
    const auto version_end = name_end == std::string::npos ? name_end : blas.find(' ', name_end + 1);
    auto text = shown(blas.substr(0, version_end), longest_shown);
    if (blas == "none") return "no BLAS";
    if (!core.empty()) text += fmt::format(" {}", shown(core, longest_shown));
    return text;
}

} // namespace

std::string own_place() {
    std::string isa = "?";
    try {
        isa = isa_name(allowed_isa());
    } catch (const UsageError&) { // rank 0 tells it
    }
    return host_name() + "\n" + isa;
}

std::vector<RankPlace> places_of(const std::vector<std::string>& texts) {
    std::vector<RankPlace> places;
    places.reserve(texts.size());
    for (const auto& text : texts) {
        const auto end = std::min(text.rfind('\n'), text.size());
        places.push_back({text.substr(0, end), text.substr(std::min(end + 1, text.size()))});
    }
    return places;
}

std::string start_line(const Start& start) {
    const auto ranks = start.places.size();
    const auto hosts = by_host(start.places);
    std::vector<std::string> isas;
    for (const auto& host : hosts)
        for (const auto& isa : host.isas) add_distinct(isas, isa);

    auto text = fmt::format("etastar {} ({}): {}", version(), git_revision(),
                            show_workers(static_cast<int>(ranks), start.threads));
    text += fmt::format(" on {}, {} kernels, {}", hosts_in_words(hosts), listed(isas),
                        blas_in_words(start.blas, start.blas_core));
    if (start.launched) text += fmt::format(", {}", shown(start.mpi, longest_shown));

    text += fmt::format("; {}: ", shown(start.file, longest_shown));
    const char* most = start.has_target ? "at most " : "";
    text += start.to_do == 0 ? "nothing to do" : most + counted(start.to_do, "network") + " to do";
    if (start.before > 0) text += fmt::format(", {} done before", start.before);
    if (start.skipped > 0) text += fmt::format(", {} not needed", start.skipped);
    if (start.to_do > 0) {
        const double seconds =
            std::max(start.work / static_cast<double>(ranks * start.threads), start.longest);
        text +=
            seconds < 1 ? "; less than a second" : fmt::format("; {}about {}", most, show_duration(seconds));
        if (start.limit) text += fmt::format(", at most {}", show_duration(*start.limit));
    }

    if (!start.why_fewer_threads.empty()) text += "; threads: " + start.why_fewer_threads;
    return text;
}

std::vector<std::string> host_lines(const std::vector<RankPlace>& places) {
    std::vector<std::string> lines;
    for (const auto& host : by_host(places))
        lines.push_back(fmt::format("{}: {} {}, {} kernels", shown(host.host, longest_shown),
                                    host.ranks.size() == 1 ? "rank" : "ranks", in_ranges(host.ranks),
                                    listed(host.isas)));
    return lines;
}

} // namespace etastar::app
