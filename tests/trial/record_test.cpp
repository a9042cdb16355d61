#include "etastar/trial/first_step.hpp"
#include "etastar/trial/kind.hpp"
#include "etastar/trial/record.hpp"

#include "catch.hpp"
#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

using namespace etastar;
using trial::FirstStepRow;
using trial::Scalar;
using trial::Status;

TEST_CASE("a sealed row is intact until any byte changes") {
    auto row = test::unmeasured({64, 8, 3}, 0.1, Status::pending);
    CHECK(test::intact(row));
    CHECK(std::isnan(row.dz2_last));
    row.dz2_last = 1.5;
    CHECK_FALSE(test::intact(row));
    row = test::sealed(row);
    CHECK(test::intact(row));
    for (std::size_t byte = 0; byte < sizeof(FirstStepRow); ++byte) {
        auto torn = row;
        test::bytes_of(torn)[byte] ^= std::byte{0x10};
        INFO("byte " << byte);
        CHECK_FALSE(test::intact(torn));
    }
}

TEST_CASE("the checksum is the CRC-32 of zlib") {
    // The check value of CRC-32/ISO-HDLC, and zlib.crc32 of 148 zero bytes.
    const char digits[] = "123456789";
    CHECK(trial::checksum(std::as_bytes(std::span(digits, 9))) == 0xcbf43926u);
    const FirstStepRow row = test::sealed({});
    CHECK(row.end.check == 0x7af3da5du);
}

TEST_CASE("rows with different NaNs seal to the same bytes") {
    const auto a = test::unmeasured({1, 1, 0}, 1, Status::failed);
    auto b = a;
    b.output = -std::numeric_limits<double>::quiet_NaN();
    b.loss = std::numeric_limits<double>::signaling_NaN();
    b = test::sealed(b);
    CHECK(std::memcmp(&a, &b, sizeof(a)) == 0);
}

TEST_CASE("sealing changes nothing but NaNs and the check") {
    auto row = test::unmeasured({1, 1, 0}, 1, Status::nonfinite);
    row.output = -0.0;
    row.loss = std::numeric_limits<double>::denorm_min();
    row.dz2_last = HUGE_VAL;
    row.end.check = 0;
    auto sealed = test::sealed(row);
    CHECK(sealed.end.check != 0);
    sealed.end.check = 0;
    CHECK(std::memcmp(&row, &sealed, sizeof(row)) == 0);
}

TEST_CASE("an unmeasured row has its coordinates and status, and nothing else") {
    for (const auto status : {Status::pending, Status::failed}) {
        auto row = test::unmeasured({3, 7, ~std::uint64_t{0}}, 0.25, status);
        CHECK(trial::coordinates(test::bytes_of(row)) == trial::Coordinates{3, 7, ~std::uint64_t{0}, 0.25});
        CHECK(trial::status(test::bytes_of(row)) == status);
        for (const auto& column : trial::first_step_columns)
            if (column.type == Scalar::f64 && column.name != "eta") {
                double value = 0;
                std::memcpy(&value, test::bytes_of(row).data() + column.offset, sizeof(value));
                INFO(column.name);
                CHECK(std::isnan(value));
            }
    }
}

TEST_CASE("the columns of every kind cover its row in order, but for three reserved bytes at the end") {
    for (const auto* kind : trial::kinds()) {
        INFO(kind->name());
        const auto& type = kind->row();
        std::size_t at = 0;
        for (const auto& column : type.columns) {
            INFO(column.name);
            if (column.name == "check") at += sizeof(trial::RowEnd::reserved);
            CHECK(column.offset == at);
            at += trial::bytes_of(column.type);
            CHECK(type.find(column.name) == &column); // no other of this name before it
            CHECK_FALSE(column.meaning.empty());
        }
        CHECK(at == type.bytes);
        // Coordinates first and RowEnd last, as everybody who moves rows takes for granted.
        const auto& columns = type.columns;
        REQUIRE(columns.size() > 6);
        const std::pair<std::string_view, Scalar> first[] = {
            {"width", Scalar::u32}, {"depth", Scalar::u32}, {"seed", Scalar::u64}, {"eta", Scalar::f64}};
        for (std::size_t i = 0; i < std::size(first); ++i) {
            CHECK(columns[i].name == first[i].first);
            CHECK(columns[i].type == first[i].second);
        }
        CHECK(columns[columns.size() - 2].name == "status");
        CHECK(columns[columns.size() - 2].type == Scalar::status);
        CHECK(columns.back().name == "check");
        CHECK(columns.back().type == Scalar::u32);
    }
    CHECK(trial::first_step_row.find("loss_final") == nullptr);
}

TEST_CASE("a record is its rows, then its part of each table") {
    const trial::RecordLayout layout(trial::first_step_row, 3,
                                     {{"a", "one", 1, 5}, {"b", "two", 4, 2}, {"c", "three", 2, 1}});
    CHECK(layout.rates() == 3);
    CHECK(layout.rows_bytes() == 3 * 152);
    CHECK(layout.table_bytes(0) == 5 * 8);
    CHECK(layout.table_bytes(1) == 4 * 2 * 8);
    CHECK(layout.table_bytes(2) == 2 * 8);
    CHECK(layout.bytes() == 3 * 152 + (5 + 8 + 2) * 8);
    std::vector<std::byte> record(layout.bytes());
    const auto offset = [&](trial::Bytes part) { return part.data() - record.data(); };
    CHECK(offset(layout.rows(record)) == 0);
    CHECK(offset(layout.row(record, 2)) == 304);
    CHECK(layout.row(record, 2).size() == 152);
    CHECK(offset(layout.table(record, 0)) == 456);
    CHECK(offset(layout.table(record, 1)) == 456 + 40);
    CHECK(offset(layout.table(record, 2)) == 456 + 40 + 64);
    CHECK(layout.table(record, 2).size() == 16);

    make_unmeasured(layout, {16, 2, 9, 0}, std::vector<double>{0.1, 0.2, 0.3}, Status::failed, record);
    const auto rows = test::rows_of<>(layout.rows(record));
    for (std::size_t k = 0; k < 3; ++k) {
        CHECK(test::intact(rows[k]));
        CHECK(rows[k].end.status == Status::failed);
        CHECK(rows[k].seed == 9);
        CHECK(rows[k].eta == Catch::Approx(0.1 * double(k + 1)));
    }
    for (std::size_t t = 0; t < 3; ++t)
        for (const double value : test::rows_of<double>(layout.table(record, t))) CHECK(std::isnan(value));
}

TEST_CASE("a record without tables is its rows") {
    const trial::RecordLayout layout(trial::first_step_row, 2, {});
    CHECK(layout.bytes() == 304);
    CHECK(layout.bytes() == layout.rows_bytes());
}
