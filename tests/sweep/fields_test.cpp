#include "etastar/error.hpp"
#include "etastar/sweep/fields.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <map>

using namespace etastar;
using Json = nlohmann::ordered_json;

namespace {

const sweep::Field& field(std::string_view key) {
    for (const auto& each : sweep::fields())
        if (each.key == key) return each;
    throw std::out_of_range(std::string(key));
}

// As the command line says it, and as the file does; none of them a default.
struct Value {
    std::string text;
    Json json;
};
const std::map<std::string_view, Value> values{
    {"trial", {"toy", "toy"}},
    {"width", {"8,16:64:x2", {8, 16, 32, 64}}},
    {"depth", {"3", Json::array({3})}},
    {"eta", {"0.5,0.1", {0.1, 0.5}}},
    {"eta_unit", {"absolute", "absolute"}},
    {"seeds", {"7", 7}},
    {"first_seed", {"18446744073709549000", 18446744073709549000u}},
    {"engine", {"dense", "dense"}},
    {"precision", {"double", "double"}},
    {"input_dim", {"12", 12}},
    {"activation", {"tanh", "tanh"}},
    {"leak", {"0.2", 0.2}},
    {"weight_variance", {"1.5", 1.5}},
    {"architecture", {"residual", "residual"}},
    {"branch_power", {"1", 1.0}},
    {"biases", {"", true}},
    {"optimizer", {"sign", "sign"}},
    {"train", {"hidden", "hidden"}},
    {"rates", {"global", "global"}},
    {"profile", {"", true}},
};

sweep::Spec default_spec() {
    sweep::Spec spec;
    for (const auto& each : sweep::fields())
        if (!each.is_flag()) each.parse(spec, each.option(), std::string(each.standard));
    return spec;
}

std::string refusal(const Json& tree) {
    return test::refusal_of<UsageError>([&] { sweep::from_json(tree.dump()); });
}

} // namespace

TEST_CASE("fields stand in the file in their order") {
    // Of docs/format.md.
    const std::vector<std::string> order{
        "trial",        "width",     "depth",     "eta",        "eta_unit", "seeds",           "first_seed",
        "engine",       "precision", "input_dim", "activation", "leak",     "weight_variance", "architecture",
        "branch_power", "biases",    "optimizer", "train",      "rates",    "profile"};
    std::vector<std::string> keys;
    for (const auto& each : sweep::fields()) keys.emplace_back(each.key);
    CHECK(keys == order);
    keys.clear();
    const auto tree = Json::parse(to_json(test::small_spec()));
    for (const auto& [key, value] : tree.items()) keys.push_back(key);
    CHECK(keys == order);
}

TEST_CASE("every field round-trips through its option and through JSON, and touches no other") {
    for (const auto& each : sweep::fields()) {
        INFO(each.key);
        // Of a model that has what the field is about.
        auto standard = default_spec();
        if (each.key == "leak") standard.model.activation = model::activation_of<model::LeakyRelu>;
        if (each.key == "branch_power") standard.model.architecture = model::architecture_of<model::Residual>;
        const auto& value = values.at(each.key); // a new field needs a value here
        auto spec = standard;
        each.parse(spec, each.option(), value.text);
        CHECK(each.write(spec) == value.json);
        CHECK(each.write(standard) != value.json);
        const auto differences = sweep::differences(spec, standard);
        // An activation has a weight variance of its own.
        CHECK(differences.size() == (each.key == "activation" || each.key == "leak" ? 2 : 1));
        CHECK(differences.at(0).field == each.key);

        auto read = standard;
        each.read(read, value.json);
        CHECK(read == spec);
        CHECK(sweep::from_json(to_json(spec)) == spec);
        CHECK_FALSE(each.help.empty());
    }
    CHECK(values.size() == sweep::fields().size());
}

TEST_CASE("the defaults make a valid spec") {
    CHECK_NOTHROW(sweep::validate(default_spec()));
    CHECK(default_spec().width == std::vector<std::uint32_t>{1024, 4096, 16384});
    CHECK_FALSE(default_spec().response_profile);
}

TEST_CASE("options are keys with dashes; flags have no default; some fields are the model's") {
    CHECK(field("eta_unit").option() == "eta-unit");
    CHECK(field("first_seed").option() == "first-seed");
    CHECK(field("width").option() == "width");
    for (const auto& each : sweep::fields()) {
        INFO(each.key);
        CHECK(each.is_flag() == (each.key == "profile" || each.key == "biases"));
        constexpr std::string_view of_model[] = {"input_dim",    "activation",   "leak",   "weight_variance",
                                                 "architecture", "branch_power", "biases", "optimizer",
                                                 "train",        "rates"};
        CHECK(each.of_model
              == (std::find(std::begin(of_model), std::end(of_model), each.key) != std::end(of_model)));
    }
}

TEST_CASE("the file has the weight variance as a number, whether it was given or is the activation's own") {
    auto spec = test::small_spec();
    const auto written = [&] { return Json::parse(to_json(spec)).at("weight_variance"); };
    CHECK(written() == 2.0);
    spec.model.activation = model::activation_of<model::Tanh>;
    CHECK(written() == 1.0);
    CHECK(sweep::from_json(to_json(spec)) == spec);
    spec.model.weight_variance = 1.25;
    CHECK(written() == 1.25);
    field("weight_variance").parse(spec, "weight-variance", "critical");
    CHECK(written() == 1.0);
}

TEST_CASE("what cannot be parsed names the option") {
    for (const char* key : {"width", "depth", "eta", "seeds", "first_seed", "input_dim", "train"}) {
        auto spec = default_spec();
        INFO(key);
        try {
            field(key).parse(spec, field(key).option(), "x");
            FAIL_CHECK("accepted");
        } catch (const UsageError& error) {
            CHECK(std::string(error.what()).rfind(field(key).option() + ": 'x'", 0) == 0);
        }
    }
}

TEST_CASE("an unknown or missing key, or a value of another type, is refused by its name") {
    const auto whole = Json::parse(to_json(test::small_spec()));
    REQUIRE(refusal(whole).empty());
    auto more = whole;
    more["momentum"] = 0.9;
    CHECK(refusal(more) == "spec: 'momentum' is not known to this version of Etastar");
    for (const auto& each : sweep::fields()) {
        auto less = whole;
        less.erase(std::string(each.key));
        CHECK(refusal(less) == "spec: '" + std::string(each.key) + "' is missing");
        auto other = whole;
        other[std::string(each.key)] = Json::object();
        CHECK_FALSE(refusal(other).empty());
    }
}
