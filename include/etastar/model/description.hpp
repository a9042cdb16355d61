#pragma once

#include "etastar/model/model.hpp"

#include <string>
#include <string_view>

namespace etastar::model {

// In words, what is not the default left out: "relu mlp, sgd, train all, rates mup" or
// "tanh residual, branches L^-0.5, biases, weight variance 1.5, sign, train all, rates mup".
std::string describe(const Model& model);

// The same with an optimizer of this name.
std::string describe(const Model& model, std::string_view optimizer);

} // namespace etastar::model
