#include "etastar/error.hpp"

#include "catch.hpp"

#include <string>

using etastar::shown;

TEST_CASE("text is shown on one line of printable UTF-8") {
    using namespace std::string_literals;
    CHECK(shown("width: 0", 100) == "width: 0");
    CHECK(shown("η* ∝ L^(−3/2), \U0001F600", 100) == "η* ∝ L^(−3/2), \U0001F600");
    CHECK(shown("a\nb", 100) == "a b");
    CHECK(shown("a\0b\x1b[2J\x7f\r\t"s, 100) == "a\\x00b\\x1b[2J\\x7f\\x0d\\x09");
    CHECK(shown("\ufeffwidth", 100) == "\\u{feff}width");
    CHECK(shown("a\u202eb\u200bc\u0085", 100) == "a\\u{202e}b\\u{200b}c\\u{85}");
    CHECK(shown("\U000e0041", 100) == "\\u{e0041}");
    // Not UTF-8: a stray byte, an overlong NUL, half a character, a surrogate, beyond the last.
    CHECK(shown("\xff|\xc0\x80|\xe2\x88|\xed\xa0\x80|\xf4\x90\x80\x80", 100)
          == "\\xff|\\xc0\\x80|\\xe2\\x88|\\xed\\xa0\\x80|\\xf4\\x90\\x80\\x80");
    CHECK(shown(shown("a\0\ufeff\xff"s, 100), 100) == shown("a\0\ufeff\xff"s, 100));
}

TEST_CASE("long text loses its middle, and says how much") {
    CHECK(shown(std::string(100, 'a'), 100) == std::string(100, 'a'));
    CHECK(shown(std::string(101, 'a'), 99) == std::string(66, 'a') + "… (2 bytes) …" + std::string(33, 'a'));
    const std::string long_text = "begin" + std::string(20'000'000, '9') + "end";
    const auto short_text = shown(long_text, 900);
    CHECK(short_text.substr(0, 5) == "begin");
    CHECK(short_text.substr(short_text.size() - 3) == "end");
    CHECK(short_text.find("(19999108 bytes)") != std::string::npos);
    CHECK(short_text.size() < 940);
    // No character is cut in two, whatever it is shown as.
    for (const std::string text : {"η", "\xff", "\ufeff", "−", "a"})
        for (std::size_t longest = 9; longest < 60; ++longest) {
            std::string repeated;
            for (int i = 0; i < 200; ++i) repeated += text;
            const auto whole = shown(text, 100);
            const auto cut = shown(repeated, longest);
            const auto middle = cut.find("… (");
            REQUIRE(middle != std::string::npos);
            CHECK(middle % whole.size() == 0);
            const std::string mark = " bytes) …";
            CHECK((cut.size() - cut.find(mark) - mark.size()) % whole.size() == 0);
            CHECK(cut.size() <= longest + 30);
        }
}

TEST_CASE("an error line is one line of bounded length") {
    std::string message = "config: ";
    for (int i = 0; i < 100'000; ++i) message += '\n';
    message += std::string(100'000, '\0') + "; see --help";
    const auto line = etastar::error_line(message);
    CHECK(line.substr(0, 17) == "etastar: config: ");
    CHECK(line.find('\n') == line.size() - 1);
    CHECK(line.size() <= 1000);
    CHECK(line.find("; see --help") != std::string::npos);
}
