#include "etastar/error.hpp"
#include "etastar/sweep/spec.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>

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

TEST_CASE("malformed JSON is refused") {
    for (const char* text : {"", "{}", "[]", "{\"width\": 3}", "nonsense"})
        CHECK_THROWS_AS(sweep::from_json(text), UsageError);
    auto text = sweep::to_json(test::small_spec());
    text.replace(text.find("dense"), 5, "loose");
    CHECK_THROWS_AS(sweep::from_json(text), UsageError);
}
