#include "etastar/error.hpp"
#include "etastar/model/model.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <cmath>

using namespace etastar;
using model::Parametrization;
using model::Train;

namespace {

constexpr std::uint32_t n = 256;
constexpr std::uint32_t n0 = 16;

model::LayerLaws laws_of(Train train, Parametrization parametrization) {
    return model::layer_laws(test::model_of(train, parametrization, n0), n, 1);
}

} // namespace

TEST_CASE("layers have the rate of the parametrisation if they are trained, else none") {
    struct Rates {
        Train train;
        Parametrization parametrization;
        double first, hidden, readout;
    };
    const Rates expected[] = {
        {Train::all, Parametrization::mup, 16, 1, 1.0 / 256},
        {Train::all, Parametrization::global, 1, 1, 1},
        {Train::first, Parametrization::mup, 16, 0, 0},
        {Train::first, Parametrization::global, 1, 0, 0},
        {Train::hidden, Parametrization::mup, 0, 1, 0},
        {Train::hidden, Parametrization::global, 0, 1, 0},
        {Train::last, Parametrization::mup, 0, 0, 1.0 / 256},
        {Train::last, Parametrization::global, 0, 0, 1},
    };
    static_assert(std::size(expected) == test::trains.size() * test::parametrizations.size());
    for (const auto& rates : expected) {
        const auto laws = laws_of(rates.train, rates.parametrization);
        INFO(name_of(rates.train) << ", " << name_of(rates.parametrization));
        CHECK(laws.first.rate == rates.first);
        CHECK(laws.hidden.rate == rates.hidden);
        CHECK(laws.readout.rate == rates.readout);
        CHECK(laws.moves_hidden_layers() == (rates.train != Train::last));
    }
}

TEST_CASE("weights have the variance 2 / fan-in, and the read-out 1 / n^2, however layers are trained") {
    for (const auto train : test::trains)
        for (const auto parametrization : test::parametrizations) {
            const auto laws = laws_of(train, parametrization);
            CHECK(laws.first.variance() == 2.0 / n0);
            CHECK(laws.first.gain == 2);
            CHECK(laws.first.fan_in == n0);
            CHECK(laws.hidden.variance() == 2.0 / n);
            CHECK(laws.hidden.gain == 2);
            CHECK(laws.hidden.fan_in == n);
            CHECK(laws.readout.variance() == 1.0 / (double{n} * n));
            CHECK(laws.readout.fan_in == n);
            for (const auto& law : {laws.first, laws.hidden, laws.readout})
                CHECK(law.deviation == Catch::Approx(std::sqrt(law.variance())).epsilon(1e-15));
        }
}

TEST_CASE("layer 1 has the first law, all others the hidden one") {
    const auto laws = laws_of(Train::all, Parametrization::mup);
    CHECK(&laws[1] == &laws.first);
    for (const std::uint32_t layer : {2u, 3u, 1000u}) CHECK(&laws[layer] == &laws.hidden);
}

TEST_CASE("names of trained layers and of parametrisations") {
    for (const auto train : test::trains) CHECK(parse_name<Train>(name_of(train)) == train);
    for (const auto parametrization : test::parametrizations)
        CHECK(parse_name<Parametrization>(name_of(parametrization)) == parametrization);
    CHECK(name_of(Train::hidden) == "hidden");
    CHECK(name_of(Parametrization::global) == "global");
    CHECK_THROWS_AS(parse_name<Train>("middle"), UsageError);
}
