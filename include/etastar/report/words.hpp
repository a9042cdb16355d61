#pragma once

#include "etastar/analysis/fit.hpp"
#include "etastar/sweep/spec.hpp"

#include <string>
#include <vector>

namespace etastar::report {

// What a fit says, in sentences. Text is UTF-8; "^{...}" is an exponent, as in "L^{−3/2}". Nothing is claimed that the fit
// does not hold: a dependence is one whose interval does not contain 0, agreement is an interval that contains theory.

// A number worth large type, with its interval.
struct Headline {
    std::string label;
    std::string value;
    std::string interval; // empty where there is none
    std::string note;
};

// Of one criterion and threshold.
struct Answer {
    std::string heading;
    std::string definition; // of eta*
    std::vector<Headline> headlines;
    std::vector<std::string> sentences;
};

struct Words {
    std::string title;
    std::vector<std::string> question;
    std::vector<std::string> missing; // of the rows; empty where every trial has run
    std::vector<Answer> answers;      // thresholds that only scale eta* are a sentence of the first
};

Words in_words(const sweep::Spec& spec, const analysis::FitReport& fit);

// Whether this fit's depth exponent is known as the sweep's target asks ("±": signs of mathematics). Empty of a sweep
// without a target, and where this is not the target's exponent: of another criterion, or of some of the cells.
std::string target_sentence(const sweep::Spec& spec, const analysis::FitReport& report,
                            const analysis::CriterionFit& fit);

// The criterion and its threshold, or step, in a few words.
std::string label_of(const analysis::CriterionFit& fit);

// Without the braces of exponents, as ASCII has them: "L^-1.5".
std::string plain(const std::string& text);

} // namespace etastar::report
