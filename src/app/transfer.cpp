#include "etastar/analysis/transfer.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/io/sweep_reader.hpp"
#include "etastar/model/description.hpp"
#include "etastar/sweep/fields.hpp"

#include "../json.hpp"
#include "pytorch.hpp"

#include <fmt/format.h>

#include <cmath>

namespace etastar::app {
namespace {

constexpr const char* rests_on =
    "This rests on the first step from initialisation, on a batch of one, and on a network without "
    "normalisation layers.";

// L/n from which `fit` warns of cells, too.
constexpr double widest_scatter = 0.1;

analysis::Transfer transfer(const TransferOptions& options) {
    const auto& model = options.model.model;
    if (options.file.empty())
        return analysis::transfer_by_theory(model, options.criterion, options.threshold, options.from,
                                            options.to);
    return analysis::transfer_by_measurement(io::read_sweep_file(options.file), model, options.criterion,
                                             options.threshold, options.from, options.to);
}

Json place(const analysis::Place& at, double eta) {
    return {{"width", at.width}, {"depth", at.depth}, {"eta", eta}};
}

} // namespace

ExitCode transfer_command(const Arguments& arguments) {
    const auto options = parse_transfer(arguments);
    if (!options) return ExitCode::done;
    refuse_table("json", options->json);
    const auto& model = options->model.model;
    const auto& [from, to] = std::pair(options->from, options->to);
    const auto result = transfer(*options);
    const double eta = options->eta * result.factor;
    if (!std::isnormal(eta))
        throw UsageError(
            fmt::format("from-eta: {} times the factor {:.4g} is beyond the range of floating point",
                        options->eta, result.factor));
    const auto groups = parameter_groups(model, to.width, to.depth, eta);
    const auto code = pytorch_code(model, to.width, to.depth, groups);

    if (!options->json.empty()) {
        Json tree{{"factor", number(result.factor)},
                  {"ci95", result.ci95 ? Json::array({number(result.ci95->low), number(result.ci95->high)})
                                       : Json(nullptr)},
                  {"eta", number(eta)},
                  {"law", result.law},
                  {"criterion", name_of(options->criterion)},
                  {"threshold", options->threshold},
                  {"file", options->file.empty() ? Json(nullptr) : Json(options->file.string())},
                  {"from", place(from, options->eta)},
                  {"to", place(to, eta)},
                  {"model", Json::object()},
                  {"groups", Json::array()},
                  {"rests_on", rests_on},
                  {"pytorch", code}};
        for (const auto& field : sweep::fields())
            if (field.of_model) tree["model"][std::string(field.key)] = field.write(options->model);
        for (const auto& group : groups)
            tree["groups"].push_back({{"layer", group.layer},
                                      {"lr", number(group.rate)},
                                      {"init_std", number(group.deviation)},
                                      {"count", group.count},
                                      {"tensors", group.tensors}});
        write_document(options->json, dumped(tree, 2) + "\n");
    }
    if (options->json == "-") return ExitCode::done;

    auto text =
        fmt::format("{}, input-dim {}\n\n{:<8} width {}, depth {}: eta = {:.6g}, Etastar's base rate\n"
                    "{:<8} width {}, depth {}: eta = {:.6g}\n"
                    "{:<8} {:.6g}{} = eta*(to) / eta*(from), {}, criterion {}, threshold {:g}\n\n",
                    model::describe(model), model.input_dim, "from", from.width, from.depth, options->eta,
                    "to", to.width, to.depth, eta, "factor", result.factor,
                    result.ci95 ? fmt::format(" [{:.6g}, {:.6g}]", result.ci95->low, result.ci95->high) : "",
                    result.law, name_of(options->criterion), options->threshold);
    text += fmt::format("{:<8} {:<12} {:>6} {:>14} {:>14} {:>14}\n", "group", "tensors", "count",
                        "learning rate", "over eta", "initial std");
    for (const auto& group : groups)
        if (group.count > 0)
            text += fmt::format("{:<8} {:<12} {:>6} {:>14.6g} {:>14.6g} {:>14.6g}{}\n", group.layer,
                                group.tensors, group.count, group.rate, group.rate / eta, group.deviation,
                                group.rate == 0 ? "  frozen" : "");
    if (const double depth_over_width = static_cast<double>(to.depth) / to.width;
        model.architecture == model::architecture_of<model::Mlp> && depth_over_width > widest_scatter)
        text += fmt::format(
            "\nL/n is {:.2g}: networks of this size differ so much from one another that one rate for all of "
            "them means little.\n",
            depth_over_width);
    text += fmt::format("\n{}\n\nThe same for PyTorch:\n\n{}", rests_on, code);
    write_document("-", text);
    return ExitCode::done;
}

} // namespace etastar::app
