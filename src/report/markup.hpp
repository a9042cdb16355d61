#pragma once

#include <string>
#include <string_view>

namespace etastar::report {

// As HTML shows it, in text and in quoted attributes: what HTML reads is escaped, bytes that are not UTF-8 and characters
// that are not drawn are spelt out; line breaks stay.
std::string html(std::string_view text);

// The same of a sentence: "^{...}" is a superscript, "_{...}" a subscript, `...` is code, and * after η a star.
std::string html_sentence(std::string_view text);

// A JSON document as it may stand in a script element.
std::string json_in_script(std::string_view json);

// A word of a POSIX shell.
std::string shell_word(std::string_view text);

} // namespace etastar::report
