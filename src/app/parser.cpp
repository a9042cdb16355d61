#include "parser.hpp"

#include "etastar/app/commands.hpp"
#include "etastar/error.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace etastar::app {

namespace po = boost::program_options;

namespace {

// Name under which Boost keeps what is not an option.
constexpr const char* operand = "operand";

// What a configuration file may have: beyond any that is meant, and no device has an end.
constexpr std::size_t most_config_bytes = std::size_t{64} << 20;

std::string read_config_text(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    if (!file) throw UsageError(fmt::format("config: cannot open '{}'", name));
    std::string text;
    std::vector<char> buffer(1 << 16);
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > most_config_bytes)
            throw UsageError(
                fmt::format("config: '{}' has more than {} MiB", name, most_config_bytes / mebibyte));
    }
    if (file.bad()) throw UsageError(fmt::format("config: cannot read '{}'", name));
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
    return text;
}

// Line of each option in a file of `name = value` lines that has been parsed, from 1.
std::map<std::string, std::size_t, std::less<>> lines_of_options(const std::string& config) {
    std::map<std::string, std::size_t, std::less<>> lines;
    std::istringstream stream(config);
    std::string line;
    for (std::size_t number = 1; std::getline(stream, line); ++number) {
        const auto begin = line.find_first_not_of(" \t");
        const auto equal = line.find('=');
        if (begin == std::string::npos || line[begin] == '#' || equal == std::string::npos || equal <= begin)
            continue;
        lines[line.substr(begin, line.find_last_not_of(" \t", equal - 1) + 1 - begin)] = number;
    }
    return lines;
}

} // namespace

void refuse_no_name(const std::string& option, const std::string& name) {
    if (name.empty()) throw UsageError(option + ": the file name is empty");
    if (name.find('\0') != std::string::npos)
        throw UsageError(fmt::format("{}: {} is no file name: it has a NUL byte", option, in_quotes(name)));
}

Description* Parser::described_ = nullptr;

Description Parser::describe(const std::function<void(const Arguments& arguments)>& run) {
    Description description;
    described_ = &description;
    try {
        run({"--help"});
    } catch (...) {
        described_ = nullptr;
        throw;
    }
    described_ = nullptr;
    return description;
}

Parser::Parser(std::string usage) : visible_("Options", 110, 60) { description_.usage = std::move(usage); }

Description::Option& Parser::declare(const std::string& name, const std::string& help,
                                     const po::value_semantic* value) {
    visible_.add_options()(name.c_str(), value, help.c_str());
    auto& option = description_.options.emplace_back();
    option.name = name;
    option.help = help;
    return option;
}

void Parser::option(const std::string& name, const std::string& help, Take take) {
    // A script's empty variable must not leave out what the option is there for.
    const auto take_some = [name, take = std::move(take)](const std::string& value) {
        if (value.empty()) throw UsageError(name + ": the value is empty");
        take(value);
    };
    declare(name, help, po::value<std::string>()->notifier(take_some));
}

void Parser::option(const std::string& name, const std::string& standard, const std::string& help,
                    Take take) {
    auto* value = po::value<std::string>()->default_value(standard)->notifier(std::move(take));
    declare(name, help, value).standard = standard;
}

void Parser::repeated(const std::string& name, const std::string& help, Take take) {
    const auto take_all = [take = std::move(take)](const std::vector<std::string>& values) {
        for (const auto& value : values) take(value);
    };
    declare(name, help, po::value<std::vector<std::string>>()->notifier(take_all)).repeatable = true;
}

void Parser::file(const std::string& name, const std::string& help, std::string& out) {
    const auto take = [name, &out](const std::string& value) {
        refuse_no_name(name, value);
        out = value;
    };
    auto* value = po::value<std::string>();
    if (!out.empty()) value->default_value(out);
    auto& option = declare(name, help, value->notifier(take));
    option.standard = out;
    option.value = Description::Value::file;
}

void Parser::flag(const std::string& name, const std::string& help, bool& out) {
    declare(name, help, po::bool_switch(&out)).value = Description::Value::none;
}

Description::Option& Parser::declared(std::string_view name) {
    for (auto& option : description_.options)
        if (option.name == name) return option;
    throw std::logic_error(fmt::format("no option {} has been declared", name));
}

void Parser::choices(std::string_view name, std::vector<std::string> names) {
    auto& option = declared(name);
    option.choices = std::move(names);
    option.value = Description::Value::choice;
}

void Parser::choices_or_file(std::string_view name, std::vector<std::string> names) {
    auto& option = declared(name);
    option.choices = std::move(names);
    option.value = Description::Value::file;
}

void Parser::field(const sweep::Field& field, sweep::Spec& spec, std::string standard) {
    const auto name = field.option();
    if (standard.empty()) standard = field.standard;
    if (field.is_flag()) {
        const auto take = [&field, &spec, name](bool given) {
            if (given) field.parse(spec, name, {});
        };
        declare(name, field.help, po::bool_switch()->notifier(take)).value = Description::Value::none;
    } else {
        option(name, standard, field.help,
               [&field, &spec, name](const std::string& text) { field.parse(spec, name, text); });
        if (!field.choices.empty()) choices(name, field.choices);
    }
}

bool Parser::parse(const Arguments& arguments, std::vector<std::string>* files) {
    // What a configuration file may set.
    const po::options_description configurable = visible_;
    if (config_accepted_)
        declare("config", "file of `name = value` lines for the options here; the command line wins",
                po::value<std::string>())
            .value = Description::Value::file;
    visible_.add_options()("help,h", "print this help and exit");
    if (described_ != nullptr) {
        *described_ = description_;
        return false;
    }
    po::options_description all;
    all.add(visible_);
    all.add_options()(operand, po::value<std::vector<std::string>>());
    po::positional_options_description positional;
    positional.add(operand, -1);

    using namespace po::command_line_style;
    const int style = unix_style & ~allow_guessing;
    po::variables_map map;
    try {
        const auto parsed =
            po::command_line_parser(arguments).options(all).positional(positional).style(style).run();
        for (const auto& option : parsed.options)
            if (option.string_key == operand && option.position_key < 0)
                throw UsageError(fmt::format("unrecognised option '--{}'; see --help", operand));
        po::store(parsed, map);
        if (map.count("help") > 0) {
            write_document("-", help());
            return false;
        }
        if (map.count("config") > 0) read_config(map["config"].as<std::string>(), configurable, map);
        for (const auto& [option, value] : map)
            if (!value.defaulted()) given_.insert(option);
        explain_origin([&] { po::notify(map); });
    } catch (const po::error& error) {
        throw UsageError(std::string(error.what()) + "; see --help");
    }
    std::vector<std::string> operands;
    if (map.count(operand) > 0) operands = map[operand].as<std::vector<std::string>>();
    for (const auto& each : operands)
        if (description_.takes_files) refuse_no_name("FILE", each);
    if (description_.takes_files && operands.empty()) throw UsageError("FILE is missing; see --help");
    if (operands.size() > most_files_)
        throw UsageError(fmt::format("unexpected argument {}; see --help", in_quotes(operands[most_files_])));
    if (files != nullptr) *files = std::move(operands);
    return true;
}

void Parser::explain_origin(const std::function<void()>& check) const {
    try {
        check();
    } catch (const UsageError& error) {
        const std::string_view message = error.what();
        const auto line = config_lines_.find(message.substr(0, message.find(':')));
        if (line == config_lines_.end()) throw;
        throw UsageError(fmt::format("config: {}:{}: {}", config_, line->second, message));
    }
}

std::string Parser::help() const {
    std::ostringstream out;
    out << description_.usage << "\n" << visible_;
    return out.str();
}

void Parser::read_config(const std::string& name, const po::options_description& options,
                         po::variables_map& map) {
    refuse_no_name("config", name);
    const auto config = read_config_text(name);
    try {
        std::istringstream stream(config);
        const auto parsed = po::parse_config_file(stream, options);
        config_ = name;
        config_lines_ = lines_of_options(config);
        for (const auto& [option, value] : map)
            if (!value.defaulted()) config_lines_.erase(option);
        po::store(parsed, map);
    } catch (const po::error& error) {
        throw UsageError(fmt::format("config: {}: {}", name, error.what()));
    }
}

} // namespace etastar::app
