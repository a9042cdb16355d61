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
    {"steps", {"12", 12}},
    {"samples", {"4", 4}},
    {"data", {"linear", "linear"}},
    {"online", {"", true}},
    {"batch", {"2", 2}},
    {"momentum", {"0.5", 0.5}},
    {"target_ci", {"0.05", 0.05}},
    {"target_criterion", {"finite", "finite"}},
    {"target_threshold", {"0.01", 0.01}},
};

sweep::Spec default_spec() {
    sweep::Spec spec;
    for (const auto& each : sweep::fields())
        if (!each.is_flag()) each.parse(spec, each.option(), std::string(each.standard));
    return spec;
}

sweep::Spec training_spec() {
    auto spec = test::small_spec();
    spec.trial = sweep::training_trial;
    return spec;
}

// Of a trial, model and optimizer that have what the field is about.
sweep::Spec spec_with(std::string_view key) {
    auto spec = default_spec();
    if (key == "target_criterion" || key == "target_threshold") spec.target.ci = 0.1;
    if (!field(key).absence(spec).empty()) spec.trial = sweep::training_trial;
    if (key == "leak") spec.model.activation = model::activation_of<model::LeakyRelu>;
    if (key == "branch_power") spec.model.architecture = model::architecture_of<model::Residual>;
    if (key == "batch") spec.training.data.samples = 3;
    if (key == "momentum") spec.training.memory = engine::Memory::momentum;
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
    const auto keys = [](const sweep::Spec& spec) {
        std::vector<std::string> list;
        const auto tree = Json::parse(to_json(spec));
        for (const auto& [key, value] : tree.items()) list.push_back(key);
        return list;
    };
    CHECK(keys(test::small_spec()) == order);

    auto of_training = order;
    of_training.pop_back();
    of_training.insert(of_training.end(), {"steps", "samples", "data", "online", "batch"});
    auto spec = training_spec();
    CHECK(keys(spec) == of_training);
    spec.training.memory = engine::Memory::momentum;
    of_training.emplace_back("momentum");
    CHECK(keys(spec) == of_training);
    spec.training.data.online = true;
    of_training.erase(of_training.end() - 2);
    CHECK(keys(spec) == of_training);
}

TEST_CASE("every field round-trips through its option and through JSON, and touches no other") {
    for (const auto& each : sweep::fields()) {
        INFO(each.key);
        const auto standard = spec_with(each.key);
        const auto& value = values.at(each.key); // a new field needs a value here
        auto spec = standard;
        each.parse(spec, each.option(), value.text);
        CHECK(each.write(spec) == value.json);
        CHECK(each.write(standard) != value.json);
        const auto differences = sweep::differences(spec, standard);
        // An activation has a weight variance of its own; a full batch is as large as there are samples.
        const bool two = each.key == "activation" || each.key == "leak" || each.key == "samples";
        CHECK(differences.size() == (two ? 2 : 1));
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
        CHECK(each.is_flag() == (each.key == "profile" || each.key == "biases" || each.key == "online"));
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
    for (const auto& spec : {test::small_spec(), training_spec()}) {
        const auto whole = Json::parse(to_json(spec));
        REQUIRE(refusal(whole).empty());
        auto more = whole;
        more["decay"] = 0.9;
        CHECK(refusal(more) == "spec: 'decay' is not known to this version of Etastar");
        for (const auto& each : sweep::fields()) {
            const std::string key(each.key);
            auto other = whole;
            other[key] = Json::object();
            CHECK_FALSE(refusal(other).empty());
            if (each.optional) continue;
            if (each.is_in(spec)) {
                auto less = whole;
                less.erase(key);
                CHECK(refusal(less) == "spec: '" + key + "' is missing");
            } else {
                other[key] = values.at(each.key).json;
                CHECK(refusal(other) == "spec: '" + key + "' is not known here: it " + each.absence(spec));
            }
        }
    }
}

TEST_CASE("a spec may have a target, and then is another one") {
    auto spec = test::small_spec();
    auto precise = spec;
    precise.target.ci = 0.125;
    const auto json = to_json(precise);
    CHECK(
        json.find(R"("profile":false,"target_ci":0.125,"target_criterion":"linear","target_threshold":1.0})")
        != std::string::npos);
    CHECK(sweep::from_json(json) == precise);
    const auto differences = sweep::differences(spec, precise);
    REQUIRE(differences.size() == 1);
    CHECK(differences[0].field == "target_ci");
    CHECK(differences[0].here == "none");
    CHECK(differences[0].there == "0.125");
    field("target_criterion").parse(precise, "target-criterion", "finite");
    CHECK(sweep::from_json(to_json(precise)) == precise);
    field("target_criterion").parse(precise, "target-criterion", "auto");
    CHECK(to_json(precise) == json);

    auto training = training_spec();
    training.target.ci = 0.5;
    CHECK(to_json(training).find(R"("target_ci":0.5,"target_criterion":"converges"})") != std::string::npos);
    CHECK(sweep::from_json(to_json(training)) == training);

    const auto refused = [&](auto change) {
        auto wrong = precise;
        change(wrong);
        return test::refusal_of<UsageError>([&] { sweep::validate(wrong); });
    };
    CHECK(refused([](auto&) {}).empty());
    CHECK(refused([](auto& s) { s.target.ci = -1; }) == "target-ci: -1 is not a positive, finite number");
    CHECK(refused([](auto& s) { s.depth = {2}; })
          == "target-ci: one depth, 2, has no exponent; give --depth two or more");
    CHECK(refused([](auto& s) { s.seeds = 1; })
          == "target-ci: one network a cell has no interval; give --seeds of 2 or more");
    auto zero = Json::parse(json);
    zero["target_ci"] = 0;
    CHECK(refusal(zero).find("target_") != std::string::npos);
}

TEST_CASE("the spec of a first step says nothing of training") {
    CHECK(
        to_json(test::small_spec())
        == R"({"trial":"first-step","width":[8,16],"depth":[2,3],"eta":[0.01,0.1,1.0],"eta_unit":"absolute",)"
           R"("seeds":5,"first_seed":0,"engine":"dense","precision":"single","input_dim":4,"activation":"relu",)"
           R"("leak":0.1,"weight_variance":2.0,"architecture":"mlp","branch_power":0.5,"biases":false,)"
           R"("optimizer":"sgd","train":"all","rates":"mup","profile":false})");
}

TEST_CASE("one key is the optimizer of first steps and of training") {
    struct Case {
        const char* name;
        model::Optimizer first;
        engine::Memory memory;
        bool trains;
        bool steps;
    };
    using engine::Memory;
    const Case cases[] = {{"sgd", model::optimizer_of<model::Sgd>, Memory::none, true, true},
                          {"sign", model::optimizer_of<model::Sign>, Memory::none, false, true},
                          {"normalized", model::optimizer_of<model::Normalized>, Memory::none, false, true},
                          {"momentum", model::optimizer_of<model::Sgd>, Memory::momentum, true, false},
                          {"adam", model::optimizer_of<model::Sign>, Memory::adam, true, false}};
    for (const auto& each : cases)
        for (const bool trains : {false, true}) {
            INFO(each.name << trains);
            auto spec = trains ? training_spec() : test::small_spec(); // dense
            spec.training.memory = Memory::adam;
            field("optimizer").parse(spec, "optimizer", each.name);
            CHECK(spec.model.optimizer == each.first);
            CHECK(spec.training.memory == each.memory);
            CHECK(sweep::optimizer_name(spec) == each.name);
            const auto why = test::refusal_of<UsageError>([&] { sweep::validate(spec); });
            CHECK(why.empty() == (trains ? each.trains : each.steps));
            if (why.empty())
                CHECK(sweep::from_json(to_json(spec)) == spec);
            else
                CHECK(why.rfind("optimizer: '" + std::string(each.name) + "'", 0) == 0);
        }
    auto spec = training_spec();
    field("optimizer").parse(spec, "optimizer", "adam");
    spec.engine = engine::EngineKind::implicit;
    CHECK(test::refusal_of<UsageError>([&] { sweep::validate(spec); }).find("--engine dense")
          != std::string::npos);
    CHECK(test::refusal_of<UsageError>([&] { field("optimizer").parse(spec, "optimizer", "adagrad"); })
          == "optimizer: 'adagrad' is not one of sgd, sign, normalized, momentum, adam");
}

TEST_CASE("the whole of the samples is a batch, whether it was given or not") {
    auto spec = training_spec();
    spec.training.data.samples = 6;
    auto same = spec;
    same.training.data.batch = 6;
    CHECK(same == spec);
    CHECK(to_json(same) == to_json(spec));
    field("batch").parse(same, "batch", "3");
    CHECK(Json::parse(to_json(same)).at("batch") == 3);
    CHECK(sweep::differences(same, spec).size() == 1);
    field("batch").parse(same, "batch", "all");
    CHECK(same == spec);
    auto none = Json::parse(to_json(spec));
    none["batch"] = 0;
    CHECK(refusal(none) == "spec: '0' is no value of 'batch'");
}

TEST_CASE("specs differ in what both of them have") {
    auto training = training_spec();
    training.model.input_dim += 1;
    training.training.memory = engine::Memory::momentum;
    std::vector<std::string> names;
    for (const auto& each : sweep::differences(training, test::small_spec())) names.push_back(each.field);
    CHECK(names == std::vector<std::string>{"trial", "input_dim", "optimizer"});
}
