#pragma once

#include "etastar/sweep/spec.hpp"

#include <string>

namespace etastar::app {

// A sweep in one line of words: "first step of relu mlp, sgd, train all, rates mup; widths 64 and 128 x 5 depths from 4 to
// 64 x 400 seeds x 16 rates; implicit engine, single precision".
std::string sweep_in_words(const sweep::Spec& spec);

} // namespace etastar::app
