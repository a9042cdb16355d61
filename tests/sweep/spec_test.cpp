#include "etastar/error.hpp"
#include "etastar/sweep/spec.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>
#include <memory>

using namespace etastar;

TEST_CASE("a spec survives JSON exactly, and its hash follows every field") {
    auto spec = test::small_spec();
    spec.eta = {0.1, 1.0 / 3, 1e-300};
    std::sort(spec.eta.begin(), spec.eta.end());
    spec.first_seed = 18446744073709551000u;
    spec.precision = engine::Precision::double_;
    spec.model.train = model::Train::hidden;
    CHECK(sweep::from_json(sweep::to_json(spec)) == spec);

    const auto changed = [&](auto change) {
        auto other = spec;
        change(other);
        CHECK(sweep::hash(sweep::to_json(other)) != sweep::hash(sweep::to_json(spec)));
        CHECK(sweep::differences(other, spec).size() == 1);
    };
    changed([](auto& s) { s.width.push_back(1000); });
    changed([](auto& s) { s.depth.back() += 1; });
    changed([](auto& s) { s.eta[1] = std::nextafter(s.eta[1], 1); });
    changed([](auto& s) { s.eta_unit = sweep::EtaUnit::linear; });
    changed([](auto& s) { ++s.seeds; });
    changed([](auto& s) { ++s.first_seed; });
    changed([](auto& s) { ++s.model.input_dim; });
    changed([](auto& s) { s.precision = engine::Precision::single_; });
    changed([](auto& s) { s.model.train = model::Train::all; });
    changed([](auto& s) { s.model.parametrization = model::Parametrization::global; });
    changed([](auto& s) { s.response_profile = true; });
    changed([](auto& s) { s.engine = engine::EngineKind::implicit; });
    changed([](auto& s) { s.trial = "another"; });
    CHECK(sweep::differences(spec, spec).empty());
}

TEST_CASE("specs that make no sense are refused") {
    const auto refused = [](auto change) {
        auto spec = test::small_spec();
        change(spec);
        CHECK_THROWS_AS(sweep::validate(spec), UsageError);
    };
    CHECK_NOTHROW(sweep::validate(test::small_spec()));
    refused([](auto& s) { s.width.clear(); });
    refused([](auto& s) { s.width = {4, 2}; });
    refused([](auto& s) { s.depth = {2, 2}; });
    refused([](auto& s) { s.depth = {0, 2}; });
    refused([](auto& s) { s.eta = {std::nan("")}; });
    refused([](auto& s) { s.eta = {HUGE_VAL}; });
    refused([](auto& s) { s.eta = {-1.0}; });
    refused([](auto& s) { s.seeds = 0; });
    refused([](auto& s) { s.model.input_dim = 0; });
    refused([](auto& s) { s.first_seed = ~std::uint64_t{0}; });
    refused([](auto& s) { s.seeds = std::uint64_t{1} << 60; });
}

TEST_CASE("trainings that make no sense are refused by the option") {
    const auto refused = [](const std::string& option, auto change) {
        auto spec = test::small_spec();
        spec.trial = sweep::training_trial;
        CHECK_NOTHROW(sweep::validate(spec));
        change(spec, spec.training.data);
        const auto why = test::refusal_of<UsageError>([&] { sweep::validate(spec); });
        INFO(why);
        CHECK(why.rfind(option + ": ", 0) == 0);
    };
    using model::DataSource;
    refused("steps", [](auto& s, auto&) { s.training.steps = 0; });
    refused("steps", [](auto& s, auto&) { s.training.steps = sweep::max_steps + 1; });
    refused("steps", [](auto& s, auto&) {
        s.training.steps = sweep::max_steps;
        s.eta.resize(17);
        for (std::size_t k = 0; k < 17; ++k) s.eta[k] = 1 + static_cast<double>(k);
    });
    refused("samples", [](auto&, auto& data) { data.samples = 0; });
    refused("batch", [](auto&, auto& data) { data.batch = 2; });
    refused("batch", [](auto&, auto& data) {
        data.online = true;
        data.samples = 3;
        data.batch = 2;
    });
    refused("online", [](auto&, auto& data) {
        data.source = DataSource::file;
        data.digest = "a";
        data.online = true;
    });
    refused("data", [](auto&, auto& data) { data.source = DataSource::file; });
    refused("data", [](auto&, auto& data) {
        data.source = DataSource::file;
        data.digest = "a";
        data.table = std::make_shared<model::Dataset>(model::Dataset{1, 3, {1, 2, 3}, {1}});
    });
    for (const double momentum : {-0.1, 1.0, std::nan("")})
        refused("momentum", [&](auto& s, auto&) { s.training.momentum = momentum; });
    refused("profile", [](auto& s, auto&) { s.response_profile = true; });
}

TEST_CASE("a data set is named by its values, and a spec by that name") {
    const model::Dataset data{2, 3, {1, 2, 3, 4, 5, 6}, {-1, 1}};
    // uuid.UUID(bytes=sha1(NAMESPACE_URL + u64 2 + u64 3 + x + y)[:16], version=5)
    CHECK(sweep::digest(data) == "f285b846-5741-5f79-b70f-fb2e56e26273");
    auto other = data;
    other.x[5] = std::nextafter(6, 7);
    CHECK(sweep::digest(other) != sweep::digest(data));
    CHECK(sweep::digest({3, 2, data.x, data.y}) != sweep::digest(data));

    auto spec = test::small_spec();
    spec.trial = sweep::training_trial;
    spec.model.input_dim = 3;
    auto& used = spec.training.data;
    used = {.source = model::DataSource::file,
            .samples = 2,
            .digest = sweep::digest(data),
            .table = std::make_shared<const model::Dataset>(data)};
    CHECK_NOTHROW(sweep::validate(spec));
    const auto read = sweep::from_json(sweep::to_json(spec));
    CHECK(read == spec);
    CHECK(read.training.data.table == nullptr);
    auto another = spec;
    another.training.data.digest = sweep::digest(other);
    CHECK(sweep::differences(spec, another).size() == 1);
    CHECK(sweep::differences(spec, another).front().field == "data");
    for (const char* text : {"\"file:\"", "\"file\"", "\"table.h5\""}) {
        auto json = sweep::to_json(spec);
        const auto at = json.find("\"file:");
        json.replace(at, json.find('"', at + 1) + 1 - at, text);
        CHECK_THROWS_AS(sweep::from_json(json), UsageError);
    }
}

TEST_CASE("malformed JSON is refused") {
    for (const char* text : {"", "{}", "[]", "{\"width\": 3}", "nonsense"})
        CHECK_THROWS_AS(sweep::from_json(text), UsageError);
    auto text = sweep::to_json(test::small_spec());
    text.replace(text.find("dense"), 5, "loose");
    CHECK_THROWS_AS(sweep::from_json(text), UsageError);
}
