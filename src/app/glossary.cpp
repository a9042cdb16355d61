#include "etastar/app/commands.hpp"
#include "etastar/command_line/parser.hpp"

#include <fmt/format.h>

namespace etastar::app {

using command_line::Parser;

namespace {

// One screen of 24 lines; docs/glossary.md has the same lines.
constexpr const char* glossary =
    R"(network       random weights of one width n and depth L (its hidden layers) with its example
seed          the number of a network: (seed, width, depth) gives its weights, on every machine
trial, row    one network at one learning rate, and its line in the table; cell: all of one (n, L)
base rate     eta, the number on the axis: a layer's learning rate is eta times its multiplier
muP           rates mup: multipliers by which each layer moves as much at any width; global: all 1
dz2           |dz|^2/n, by which a step changes the pre-activations z of a layer, mostly the last
response      G: dz2 = eta^2 (f - y)^2 G to first order in eta; f is the output, y the target
threshold     c: a rate is small enough while the mean of dz2 over the networks is at most c
criterion     linear: dz2 is taken as eta^2 G (first order, unit error); finite: the whole step's;
              of training, by the losses: converges, stable, reaches (largest rate that does), best
eta*          the largest base rate by that criterion: what `fit` estimates in every cell, and
exponents     a and b of eta* = C n^a L^b over the cells; local slope: b of two neighbouring depths
unit linear   rates as multiples of the cell's own eta* (linear, c = 1), which theory knows before
exact         by theory at this width and depth; infinite: by theory of infinite width
width effect  eta* at width n over that at infinite width: mostly 1 but for terms of order L/n
misalignment  spread of the eta* of several n, or of L^(3/2) eta* of several L, beyond their errors
kernel        the tangent kernel's largest eigenvalue: training is stable while eta times it is < 2
engine        implicit: samples what such a network does without its matrices; dense: forms them
shard         a part of the seeds of a sweep in a file of its own; `etastar merge` joins them
                                                                      More: docs/glossary.md
)";

} // namespace

ExitCode glossary_command(const Arguments& arguments) {
    Parser parser("usage: etastar glossary\n\nSays on one screen what the words mean.\n");
    if (!parser.parse(arguments)) return ExitCode::done;
    write_document("-", glossary);
    return ExitCode::done;
}

} // namespace etastar::app
