#pragma once

#include "etastar/model/model.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace etastar::app {

// Parameter tensors that have one learning rate.
struct ParameterGroup {
    std::string layer;   // "first", "hidden", "last" or "bias"
    std::string tensors; // "W^1", "W^2 .. W^L"
    double rate = 0;     // for the optimizer, not over the base rate; 0 where frozen
    double deviation = 0;
    std::uint32_t first = 0; // layers first .. first + count - 1; the read-out is layer L + 1
    std::uint32_t count = 0;
};

// Of the network of this size at this base rate. Biases of layers that are trained and of others are groups of their own.
std::vector<ParameterGroup> parameter_groups(const model::Model& model, std::uint32_t width,
                                             std::uint32_t depth, double eta);

// A module that defines the network, its optimizer with these groups, and one step of it.
std::string pytorch_code(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                         const std::vector<ParameterGroup>& groups);

} // namespace etastar::app
