#include "etastar/theory/moments.hpp"
#include "etastar/theory/theory.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>
#include <set>

using namespace etastar;
using theory::Layer;
using theory::Regime;

TEST_CASE("theories are found by regime, the first that covers the model") {
    const auto list = theory::theories();
    REQUIRE(list.size() == 3);
    std::set<std::string_view> names;
    for (const auto* each : list) names.insert(each->name());
    CHECK(names.size() == list.size());
    for (const auto train : test::trains)
        for (const auto how : test::parametrizations) {
            const auto model = test::model_of(train, how, 10);
            const auto* finite = theory::find(model, Regime::finite_width);
            const auto* infinite = theory::find(model, Regime::infinite_width);
            REQUIRE(finite != nullptr);
            REQUIRE(infinite != nullptr);
            CHECK(finite->name() == "exact moments");
            CHECK(finite->regime() == Regime::finite_width);
            CHECK(infinite->name() == "infinite width");
            CHECK(infinite->regime() == Regime::infinite_width);
        }
}

TEST_CASE("every first step has a theory at infinite width, and piecewise linear ones under gradient descent "
          "exact moments") {
    for (const auto& activation : test::names<model::Activation>())
        for (const auto& optimizer : test::names<model::Optimizer>())
            for (const auto& architecture : test::names<model::Architecture>()) {
                model::Model model{.input_dim = 10};
                model.activation = parse_name<model::Activation>(activation);
                model.optimizer = parse_name<model::Optimizer>(optimizer);
                model.architecture = parse_name<model::Architecture>(architecture);
                const auto* infinite = theory::find(model, Regime::infinite_width);
                REQUIRE(infinite != nullptr);
                CHECK(infinite->name()
                      == (architecture == "mlp" ? "infinite width" : "infinite width, integrated paths"));
                const bool kinks =
                    activation == "relu" || activation == "leaky-relu" || activation == "linear";
                CHECK((theory::find(model, Regime::finite_width) != nullptr)
                      == (optimizer == "sgd" && (architecture == "mlp" ? kinks : activation == "linear")));
                CHECK(*infinite->response(model, 64, 3, Layer::last) > 0);
                CHECK(*infinite->size(model, 64, 3, Layer::last) > 0);
            }
}

TEST_CASE("theories answer what their functions calculate, and nothing where it does not close") {
    const model::Model model{.input_dim = 10};
    const auto* finite = theory::find(model, Regime::finite_width);
    const auto* infinite = theory::find(model, Regime::infinite_width);
    for (const auto layer : {Layer::last, Layer::mean, Layer::output, Layer::max}) {
        const auto exact = finite->response(model, 64, 4, layer);
        const auto limit = infinite->response(model, 64, 4, layer);
        CHECK(exact.has_value() == (layer != Layer::max));
        if (exact) CHECK(*exact == theory::exact_responses(model, 64, 4).of(layer));
        // Without fluctuations the largest layer is the last one.
        CHECK(
            limit
            == theory::infinite_width_responses(model, 64, 4).of(layer == Layer::max ? Layer::last : layer));
        if (exact) CHECK(*exact > *limit);
        CHECK_FALSE(finite->change2(model, 64, 4, layer, 0.1));
        CHECK(*infinite->change2(model, 64, 4, layer, 1e-6) == Catch::Approx(1e-12 * *limit).epsilon(1e-4));
    }
}

namespace {

// Covers every model and knows one number.
struct Toy final : theory::Theory {
    std::string_view name() const override { return "toy"; }
    Regime regime() const override { return Regime::infinite_width; }
    bool covers(const model::Model&) const override { return true; }
    std::optional<double> response(const model::Model&, std::uint32_t, std::uint32_t, Layer) const override {
        return 4;
    }
};

} // namespace

TEST_CASE("a theory of the linear order alone has no finite steps") {
    const Toy toy;
    CHECK(theory::critical_rate(*toy.response({}, 1, 1, Layer::last)) == 0.5);
    CHECK_FALSE(toy.change2({}, 1, 1, Layer::last, 0.1));
}

TEST_CASE("critical rates") {
    CHECK(theory::critical_rate(4) == 0.5);
    CHECK(theory::critical_rate(4, 0.01) == Catch::Approx(0.05));
    CHECK(theory::critical_rate(0) == HUGE_VAL);
    CHECK(theory::critical_rate(HUGE_VAL) == 0);
    CHECK(std::isnan(theory::critical_rate(std::nan(""))));
}
