#include "pytorch.hpp"

#include "etastar/model/description.hpp"
#include "etastar/names.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>

namespace etastar::app {
namespace {

// phi(z), of every activation.
std::string phi(const model::Model& model) {
    static const std::map<std::string_view, std::string_view> bodies{
        {"relu", "F.relu(z)"},     {"linear", "z"},
        {"tanh", "torch.tanh(z)"}, {"erf", "torch.erf(math.sqrt(math.pi) / 2 * z)"},
        {"gelu", "F.gelu(z)"},     {"silu", "F.silu(z)"},
    };
    if (model.activation == model::activation_of<model::LeakyRelu>)
        return fmt::format("F.leaky_relu(z, {})", model.leak);
    return std::string(bodies.at(name_of(model.activation)));
}

std::string_view optimizer_note(const model::Model& model) {
    if (model.optimizer == model::optimizer_of<model::Sign>)
        return "# Adam's first step is lr * sign(gradient) where eps is far below the gradients, whatever "
               "the betas.\n";
    if (model.optimizer == model::optimizer_of<model::Normalized>)
        return "# Muon's first step: the gradient made orthogonal, of spectral norm 1, times lr. Of one "
               "example it is of rank "
               "one,\n"
               "# and that is the gradient over its norm. Another Muon takes these lr where it scales its "
               "update by "
               "nothing else.\n"
               "class Orthogonal(torch.optim.Optimizer):\n"
               "    @torch.no_grad()\n"
               "    def step(self):\n"
               "        for group in self.param_groups:\n"
               "            for p in group[\"params\"]:\n"
               "                norm = p.grad.norm()\n"
               "                if norm > 0:\n"
               "                    p.sub_(group[\"lr\"] / norm * p.grad)\n\n\n";
    return "";
}

struct Constructor {
    std::string_view open;
    std::string_view close;
};

Constructor constructor(const model::Model& model) {
    if (model.optimizer == model::optimizer_of<model::Sign>)
        return {"torch.optim.Adam([", "], lr=0.0, eps=1e-20)"};
    if (model.optimizer == model::optimizer_of<model::Normalized>)
        return {"Orthogonal([", "], {\"lr\": 0.0})"};
    return {"torch.optim.SGD([", "], lr=0.0)"};
}

// The Python list of a group's tensors.
std::string members(const ParameterGroup& group, std::uint32_t depth) {
    if (group.layer == "first") return "[network.first.weight]";
    if (group.layer == "hidden") return "[layer.weight for layer in network.hidden]";
    if (group.layer == "last") return "[network.last.weight]";
    if (group.first == 1 && group.count == 1) return "[network.first.bias]";
    return fmt::format("[layer.bias for layer in {}]", group.first == 1 && group.count == depth
                                                           ? "(network.first, *network.hidden)"
                                                           : "network.hidden");
}

} // namespace

std::vector<ParameterGroup> parameter_groups(const model::Model& model, std::uint32_t width,
                                             std::uint32_t depth, double eta) {
    const auto laws = layer_laws(model, width, depth);
    std::vector<ParameterGroup> groups{
        {"first", "W^1", eta * laws.first.rate, laws.first.deviation, 1, 1},
        {"hidden", "W^2 .. W^L", eta * laws.hidden.rate, laws.hidden.deviation, 2, depth - 1},
        {"last", "v", eta * laws.readout.rate, laws.readout.deviation, depth + 1, 1}};
    if (!model.biases) return groups;
    if (laws.first.bias_rate == laws.hidden.bias_rate || depth == 1) {
        groups.push_back({"bias", "b^1 .. b^L", eta * laws.first.bias_rate, 0, 1, depth});
    } else {
        groups.push_back({"bias", "b^1", eta * laws.first.bias_rate, 0, 1, 1});
        groups.push_back({"bias", "b^2 .. b^L", eta * laws.hidden.bias_rate, 0, 2, depth - 1});
    }
    return groups;
}

std::string pytorch_code(const model::Model& model, std::uint32_t width, std::uint32_t depth,
                         const std::vector<ParameterGroup>& groups) {
    const auto block = layer_laws(model, width, depth).hidden.block;
    const char* bias = model.biases ? "True" : "False";
    const bool hidden = depth > 1;
    std::string code = fmt::format(
        "{}import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
        "# {}: width {}, depth {}. Inputs of size 1; the loss is (f - y)^2 / 2 of one example.\n"
        "def phi(z):\n    return {}\n\n\n"
        "class Network(nn.Module):\n"
        "    def __init__(self, inputs={}, width={}, depth={}):\n"
        "        super().__init__()\n"
        "        self.first = nn.Linear(inputs, width, bias={})\n"
        "        self.hidden = nn.ModuleList([nn.Linear(width, width, bias={}) for _ in range(depth - 1)])\n"
        "        self.last = nn.Linear(width, 1, bias=False)\n",
        model.activation == model::activation_of<model::Erf> ? "import math\n\n" : "", model::describe(model),
        width, depth, phi(model), model.input_dim, width, depth, bias, bias);
    for (const auto& group : groups) {
        if (group.layer == "first")
            code += fmt::format("        nn.init.normal_(self.first.weight, std={})\n", group.deviation);
        if (group.layer == "hidden" && hidden)
            code += fmt::format("        for layer in self.hidden:\n"
                                "            nn.init.normal_(layer.weight, std={})\n",
                                group.deviation);
        if (group.layer == "last")
            code += fmt::format("        nn.init.normal_(self.last.weight, std={})\n", group.deviation);
    }
    if (model.biases)
        code += "        for layer in (self.first, *self.hidden):\n"
                "            nn.init.zeros_(layer.bias)\n";
    const auto update =
        block.skip == 0 ? std::string("layer(phi(z))") : fmt::format("z + {} * layer(phi(z))", block.branch);
    code += fmt::format("\n    def forward(self, x):\n"
                        "        z = self.first(x)\n"
                        "        for layer in self.hidden:\n"
                        "            z = {}\n"
                        "        return self.last(phi(z)).squeeze(-1)\n\n\n",
                        update);
    code += optimizer_note(model);
    const auto [open, close] = constructor(model);
    code += fmt::format("network = Network()\noptimizer = {}\n", open);
    for (const auto& group : groups)
        if (group.count > 0)
            code += fmt::format("    {{\"params\": {}, \"lr\": {}}},  # {}{}\n", members(group, depth),
                                group.rate, group.tensors, group.rate == 0 ? ", frozen" : "");
    code += fmt::format("{}\n\n\n"
                        "def step(x, y):\n"
                        "    optimizer.zero_grad()\n"
                        "    loss = (network(x) - y).square().mean() / 2\n"
                        "    loss.backward()\n"
                        "    optimizer.step()\n"
                        "    return loss.item()\n",
                        close);
    return code;
}

} // namespace etastar::app
