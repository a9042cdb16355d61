#include "etastar/command_line/manual.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etastar::command_line {
namespace {

// What roff would take for its own: backslashes, hyphens that are no minus, and a line's first point or quote.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        const bool begins = out.empty() || out.back() == '\n';
        if (begins && (letter == '.' || letter == '\'')) out += "\\&";
        switch (letter) {
        case '\\':
            out += "\\e";
            break;
        case '-':
            out += "\\-";
            break;
        case '`':
            out += "\\(ga";
            break;
        case '^':
            out += "\\(ha";
            break;
        case '~':
            out += "\\(ti";
            break;
        default:
            out += letter;
        }
    }
    return out;
}

std::string upper(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    return out;
}

std::string title(const Program& program, std::string_view page, std::string_view summary) {
    return fmt::format(".TH {} 1 \"{}\" \"{} {}\"\n.SH NAME\n{} \\- {}\n", escaped(upper(page)), program.date,
                       program.name, program.version, escaped(page), escaped(summary));
}

// The paragraphs of a text; indented ones stand as they are.
std::string paragraphs(std::string_view text) {
    std::string out;
    bool new_paragraph = false;
    bool displayed = false;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        auto line = text.substr(0, end);
        text.remove_prefix(end);
        while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
        if (line.empty()) {
            new_paragraph = true;
            continue;
        }
        const bool display = line.front() == ' ';
        if (displayed && !display) out += ".fi\n";
        if (new_paragraph && !out.empty()) out += ".PP\n";
        if (display && !displayed) out += ".nf\n";
        new_paragraph = false;
        displayed = display;
        out += escaped(line) + "\n";
    }
    return displayed ? out + ".fi\n" : out;
}

std::string option_entry(const Description::Option& option) {
    using Value = Description::Value;
    auto text = fmt::format(".TP\n.B {}", escaped("--" + option.name));
    if (option.value != Value::none) {
        // Bold, then roman and italic in turn.
        const char* placeholder = option.value == Value::file ? "FILE" : "VALUE";
        text = fmt::format(".TP\n.BI {} {}", escaped("--" + option.name + "="), placeholder);
    }
    text += fmt::format("\n{}", escaped(option.help));
    if (!option.choices.empty())
        text +=
            fmt::format("\n.br\nOne of {}{}.", escaped(fmt::format("{}", fmt::join(option.choices, ", "))),
                        option.value == Value::file ? ", or a file" : "");
    if (!option.standard.empty()) text += fmt::format("\n.br\nDefault: {}.", escaped(option.standard));
    return text + "\n";
}

std::string entries(const std::vector<std::pair<std::string, std::string>>& meanings) {
    std::string text;
    for (const auto& [name, meaning] : meanings)
        text += fmt::format(".TP\n.B {}\n{}\n", escaped(name), escaped(meaning));
    return text;
}

std::string exit_status(const Program& program) {
    std::vector<std::pair<std::string, std::string>> meanings;
    for (const auto& meaning : program.exit_codes)
        meanings.emplace_back(std::to_string(meanings.size()), meaning);
    return ".SH EXIT STATUS\n" + entries(meanings);
}

std::string see_also(const Program& program, std::string_view but) {
    std::vector<std::string> names{program.name};
    for (const auto& command : program.commands) names.push_back(manual_name(program, command));
    std::string text;
    for (const auto& name : names)
        if (name != but) text += fmt::format("{}.BR {} (1)", text.empty() ? "" : ",\n", escaped(name));
    return ".SH SEE ALSO\n" + text + "\n";
}

} // namespace

std::string manual_name(const Program& program, const Command& command) {
    return fmt::format("{}-{}", program.name, command.name);
}

std::string manual_page(const Program& program, const Command& command) {
    const auto name = manual_name(program, command);
    // "usage: ...", an empty line, the rest.
    std::string_view usage = command.description.usage;
    const auto end = usage.find("\n\n");
    constexpr std::string_view prefix = "usage: ";
    auto synopsis = usage.substr(0, end);
    if (synopsis.starts_with(prefix)) synopsis.remove_prefix(prefix.size());
    auto text = title(program, name, command.summary);
    text += fmt::format(".SH SYNOPSIS\n{}\n", escaped(synopsis));
    if (end != std::string_view::npos) text += ".SH DESCRIPTION\n" + paragraphs(usage.substr(end + 2));
    text += ".SH OPTIONS\n";
    for (const auto& option : command.description.options) text += option_entry(option);
    text += ".TP\n.BR \\-h \", \" \\-\\-help\nPrint the options and exit.\n";
    return text + exit_status(program) + see_also(program, name);
}

std::string manual_page(const Program& program) {
    auto text = title(program, program.name, program.summary);
    text +=
        fmt::format(".SH SYNOPSIS\n.RI [ \"{}\" ]\n.B {}\n.I COMMAND\n.RI [ options ]\n.SH DESCRIPTION\n{}\n",
                    escaped(program.synopsis), escaped(program.name), escaped(program.about));
    text += ".SH COMMANDS\n";
    for (const auto& command : program.commands) {
        text += fmt::format(".TP\n.B {}", escaped(command.name));
        if (!command.operands.empty()) text += " " + escaped(command.operands);
        text += fmt::format("\n{}\n", escaped(command.summary));
    }
    text += ".SH OPTIONS\n" + entries(program.options);
    text += exit_status(program) + ".SH ENVIRONMENT\n" + entries(program.environment);
    return text + see_also(program, program.name);
}

} // namespace etastar::command_line
