#pragma once

#include "etastar/model/model.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace etastar::test {

// Every activation with every architecture and optimizer, biases in every second one; with the activation's own variance
// but for one.
inline std::vector<model::Model> all_models(std::uint32_t input_dim) {
    std::vector<model::Model> models;
    for (const auto& [activation_name, activation] : Names<model::Activation>::table)
        for (const auto& [architecture_name, architecture] : Names<model::Architecture>::table)
            for (const auto& [optimizer_name, optimizer] : Names<model::Optimizer>::table) {
                model::Model each;
                each.activation = activation;
                if (activation == model::activation_of<model::LeakyRelu>) each.leak = 0.2;
                each.architecture = architecture;
                if (architecture == model::architecture_of<model::Residual>) each.branch_power = 0.7;
                each.optimizer = optimizer;
                each.biases = models.size() % 2 == 1;
                if (models.size() == 9) each.weight_variance = 1.3;
                each.input_dim = input_dim;
                models.push_back(each);
            }
    return models;
}

inline std::string describe(const model::Model& model) {
    return fmt::format("{} {} {}{}, train {}, rates {}", name_of(model.activation),
                       name_of(model.architecture), name_of(model.optimizer),
                       model.biases ? " with biases" : "", name_of(model.train),
                       name_of(model.parametrization));
}

} // namespace etastar::test
