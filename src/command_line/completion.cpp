#include "etastar/command_line/completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace etastar::command_line {
namespace {

using Value = Description::Value;
using Option = Description::Option;

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string names_of_commands(const Program& program) {
    std::vector<std::string> names;
    for (const auto& command : program.commands) names.push_back(command.name);
    return joined(names);
}

// What stands where an option or a word of `[commands]` may.
constexpr std::string_view bash_head = R"(# Completion of etastar for bash. Made by `etastar completion bash`.

_etastar_offer() { COMPREPLY=($(compgen -W "$1" -- "$word")); }
_etastar_files() {
    compopt -o filenames 2>/dev/null
    local IFS=$'\n'
    COMPREPLY+=($(compgen -f -- "$word"))
}

_etastar() {
    # The words --name=value are three to bash.
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $word == "=" ]]; then
        word=
    elif [[ $before == "=" ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
)";

std::string bash_command(const Command& command) {
    const auto& description = command.description;
    auto text = fmt::format("    {})\n        case $before in\n", command.name);
    std::string free;
    std::string names;
    for (const auto& option : description.options) {
        const auto dashed = "--" + option.name;
        names += dashed + " ";
        switch (option.value) {
        case Value::none:
            break;
        case Value::text:
            free += (free.empty() ? "" : " | ") + dashed;
            break;
        case Value::choice:
            text +=
                fmt::format("        {}) _etastar_offer \"{}\"; return ;;\n", dashed, joined(option.choices));
            break;
        case Value::file:
            if (option.choices.empty())
                text += fmt::format("        {}) _etastar_files; return ;;\n", dashed);
            else
                text += fmt::format("        {}) _etastar_offer \"{}\"; _etastar_files; return ;;\n", dashed,
                                    joined(option.choices));
            break;
        }
    }
    if (!free.empty()) text += fmt::format("        {}) return ;;\n", free);
    text += "        esac\n";
    const auto options = fmt::format("_etastar_offer \"{}--help\"", names);
    if (description.takes_files)
        text += fmt::format("        if [[ $word == -* ]]; then {}; else _etastar_files; fi ;;\n", options);
    else if (!description.words.empty())
        text += fmt::format("        if [[ $word == -* ]]; then {}; else _etastar_offer \"{}\"; fi ;;\n",
                            options, joined(description.words));
    else
        text += fmt::format("        {} ;;\n", options);
    return text;
}

// In single quotes, within which `_arguments` takes brackets and colons for its own.
std::string zsh_text(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') out += '\\';
        out += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    }
    return out;
}

std::string zsh_value(const Option& option) {
    switch (option.value) {
    case Value::none:
        return "";
    case Value::text:
        return fmt::format(":{}: ", option.name);
    case Value::choice:
        return fmt::format(":{}:({})", option.name, joined(option.choices));
    case Value::file:
        break;
    }
    if (option.choices.empty()) return fmt::format(":{}:_files", option.name);
    return fmt::format(":{}:{{compadd {}; _files}}", option.name, joined(option.choices));
}

std::string zsh_command(const Command& command) {
    const auto& description = command.description;
    auto text = fmt::format("    {})\n        _arguments \\\n", command.name);
    for (const auto& option : description.options)
        text += fmt::format("            '{}--{}{}[{}]{}' \\\n", option.repeatable ? "*" : "", option.name,
                            option.value == Value::none ? "" : "=", zsh_text(option.help), zsh_value(option));
    if (description.takes_files) text += "            '*:file:_files' \\\n";
    if (!description.words.empty())
        text += fmt::format("            ':word:({})' \\\n", joined(description.words));
    return text + "            '--help[print this help and exit]' ;;\n";
}

} // namespace

std::string bash_completion(const Program& program) {
    auto text =
        fmt::format("{}    if ((COMP_CWORD == 1)); then\n        _etastar_offer \"{} --help --version\"\n"
                    "        return\n    fi\n    case ${{COMP_WORDS[1]}} in\n",
                    bash_head, names_of_commands(program));
    for (const auto& command : program.commands) text += bash_command(command);
    return text + "    esac\n}\n\ncomplete -F _etastar etastar\n";
}

std::string zsh_completion(const Program& program) {
    std::string text =
        "#compdef etastar\n# Completion of etastar for zsh. Made by `etastar completion zsh`.\n\n"
        "_etastar() {\n    local line state\n    _arguments -C '1: :->command' '*:: :->argument'\n"
        "    if [[ $state == command ]]; then\n        local -a commands=(\n";
    for (const auto& command : program.commands)
        text += fmt::format("            '{}:{}'\n", command.name, zsh_text(command.summary));
    text += "        )\n        _describe command commands\n        return\n    fi\n    case $line[1] in\n";
    for (const auto& command : program.commands) text += zsh_command(command);
    return text
           + "    esac\n}\n\n"
             "# Loaded by the completion system from a file of this name, or sourced.\n"
             "if [[ $funcstack[1] == _etastar ]]; then\n    _etastar \"$@\"\nelse\n    compdef _etastar "
             "etastar\nfi\n";
}

} // namespace etastar::command_line
