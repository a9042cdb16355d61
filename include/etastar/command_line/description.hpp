#pragma once

#include <string>
#include <utility>
#include <vector>

namespace etastar::command_line {

using Arguments = std::vector<std::string>; // of a command, without the command's name

// What a command takes, for its manual page and for the completion of shells.
struct Description {
    enum class Value { none, text, file, choice };
    struct Option {
        std::string name; // without dashes
        std::string help;
        std::string standard; // the default; empty for none
        Value value = Value::text;
        bool repeatable = false;
        std::vector<std::string>
            choices; // that a value is one of; where it may also be a file, some that it may be
    };
    std::string usage; // "usage: ..." and, after an empty line, what the command does
    std::vector<Option> options;
    bool takes_files = false;
    std::vector<std::string> words; // that an operand is one of
};

// A command as manual pages and completions show it.
struct Command {
    std::string name;
    std::string operands; // as the usage shows them
    std::string summary;
    Description description;
};

// The program, for the same.
struct Program {
    std::string name;
    std::string version;
    std::string date; // of the release
    std::string summary;
    std::string synopsis; // what may stand before the name
    std::string about;
    // Names and meanings.
    std::vector<std::pair<std::string, std::string>> options; // without a command
    std::vector<std::pair<std::string, std::string>> environment;
    std::vector<std::string> exit_codes; // the meaning of each from 0 on
    std::vector<Command> commands;
};

} // namespace etastar::command_line
