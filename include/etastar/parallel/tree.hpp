#pragma once

#include <vector>

namespace etastar::parallel {

// Who hands out work to whom. Up to flat_limit ranks rank 0 serves everybody; beyond that consecutive ranks form
// groups, and the first of each group leads it: rank 0 serves its own group and the other leaders. Consecutive
// ranks usually share a node.
class Tree {
public:
    static constexpr int flat_limit = 256;
    static constexpr int usual_group = 64;

    explicit Tree(int size) : Tree(size, size <= flat_limit ? size : usual_group) {}
    Tree(int size, int group) : size_(size), group_(group) {}

    // The rank above; -1 for rank 0.
    int parent(int rank) const {
        if (rank == 0) return -1;
        return leads(rank) ? 0 : rank - rank % group_;
    }

    // The ranks below, ascending.
    std::vector<int> children(int rank) const {
        std::vector<int> list;
        if (!leads(rank)) return list;
        for (int r = rank + 1; r < end_of_group(rank); ++r) list.push_back(r);
        if (rank == 0)
            for (int r = group_; r < size_; r += group_) list.push_back(r);
        return list;
    }

    // Ranks behind a child of `rank`, the child included; 1 for `rank` itself.
    int weight(int rank, int child) const {
        return child != rank && leads(child) ? end_of_group(child) - child : 1;
    }

private:
    bool leads(int rank) const { return rank % group_ == 0; }
    int end_of_group(int leader) const { return leader + group_ < size_ ? leader + group_ : size_; }

    int size_;
    int group_;
};

} // namespace etastar::parallel
