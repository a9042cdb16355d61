#include "etastar/model/description.hpp"

#include <fmt/format.h>

namespace etastar::model {

std::string describe(const Model& model) { return describe(model, name_of(model.optimizer)); }

std::string describe(const Model& model, std::string_view optimizer) {
    auto text = std::string(name_of(model.activation));
    if (model.activation == activation_of<LeakyRelu>) text += fmt::format(" of leak {:g}", model.leak);
    text += fmt::format(" {}", name_of(model.architecture));
    if (model.architecture == architecture_of<Residual>)
        text += fmt::format(", branches L^{:g}", model.branch_power == 0 ? 0 : -model.branch_power);
    if (model.biases) text += ", biases";
    Model own = model;
    own.weight_variance.reset();
    if (model.gain() != own.gain()) text += fmt::format(", weight variance {:g}", model.gain());
    return text
           + fmt::format(", {}, train {}, rates {}", optimizer, name_of(model.train),
                         name_of(model.parametrization));
}

} // namespace etastar::model
