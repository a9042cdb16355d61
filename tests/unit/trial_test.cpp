#include "etastar/sweep/trial.hpp"

#include "catch.hpp"

#include <cmath>
#include <cstring>
#include <limits>

using namespace etastar::sweep;

TEST_CASE("a sealed row is intact until any byte changes") {
    TrialRow row = unmeasured_row(64, 8, 3, 0.1, Status::pending);
    CHECK(intact(row));
    CHECK(std::isnan(row.dz2_last));
    row.dz2_last = 1.5;
    CHECK_FALSE(intact(row));
    row = sealed(row);
    for (std::size_t byte = 0; byte < sizeof(TrialRow); ++byte) {
        TrialRow torn = row;
        unsigned char bytes[sizeof(TrialRow)];
        std::memcpy(bytes, &torn, sizeof(torn));
        bytes[byte] ^= 0x10;
        std::memcpy(&torn, bytes, sizeof(torn));
        INFO("byte " << byte);
        CHECK_FALSE(intact(torn));
    }
}

TEST_CASE("the checksum is the CRC-32 of zlib") {
    // zlib.crc32 of 124 zero bytes.
    TrialRow row;
    CHECK(checksum(row) == 0x15d70e0cu);
}

TEST_CASE("rows with different NaNs seal to the same bytes") {
    TrialRow a = unmeasured_row(1, 1, 0, 1, Status::failed);
    TrialRow b = a;
    b.output = -std::numeric_limits<double>::quiet_NaN();
    b.loss = std::numeric_limits<double>::signaling_NaN();
    b = sealed(b);
    CHECK(std::memcmp(&a, &b, sizeof(a)) == 0);
}
