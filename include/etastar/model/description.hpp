#pragma once

#include "etastar/model/model.hpp"

#include <string>

namespace etastar::model {

// In words, what is not the default left out: "relu mlp, sgd, train all, rates mup" or
// "tanh residual, branches L^-0.5, biases, weight variance 1.5, sign, train all, rates mup".
std::string describe(const Model& model);

} // namespace etastar::model
