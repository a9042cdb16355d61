#include "etastar/command_line/parser.hpp"

#include "etastar/command_line/output.hpp"
#include "etastar/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace etastar::command_line {

namespace po = boost::program_options;

namespace {

// Name under which Boost keeps what is not an option.
constexpr const char* operand = "operand";

// Of an option's name in a message.
constexpr std::size_t longest_name = 80;

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

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

bool is_quote(char c) { return c == '"' || c == '\''; }

// The value of a line: without the comment after it and, of a quoted one, in which # is a # and blanks at the ends stay,
// without its quotes. Throws UsageError.
std::string read_value(std::string_view text) {
    text = trimmed(text);
    if (!text.empty() && is_quote(text.front())) {
        const auto end = text.find(text.front(), 1);
        if (end == std::string_view::npos)
            throw UsageError(fmt::format("{} has no closing quote", in_quotes(text)));
        if (const auto rest = trimmed(text.substr(end + 1)); !rest.empty() && rest.front() != '#')
            throw UsageError(
                fmt::format("{} goes on after its closing quote; a comment begins with #", in_quotes(text)));
        return std::string(text.substr(1, end - 1));
    }
    const auto value = trimmed(text.substr(0, text.find('#')));
    if (!value.empty() && is_quote(value.back()))
        throw UsageError(fmt::format("{} has no opening quote", in_quotes(value)));
    return std::string(value);
}

} // namespace

std::vector<ConfigLine> read_config_lines(std::string_view text) {
    std::vector<ConfigLine> lines;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#') continue;
        const auto equal = std::min(line.find('='), line.size());
        const auto name = trimmed(line.substr(0, equal));
        if (name.empty() || equal == line.size() || name.find('#') != std::string_view::npos)
            throw UsageError(fmt::format("{}: {} is not a line `name = value`", number, in_quotes(line)));
        try {
            lines.push_back({std::string(name), read_value(line.substr(equal + 1)), number});
        } catch (const UsageError& error) {
            throw UsageError(fmt::format("{}: {}: {}", number, shown(name, longest_name), error.what()));
        }
    }
    return lines;
}

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
    option.name = name.substr(0, name.find(',')); // the short form apart
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
    const auto take = [full = name.substr(0, name.find(',')), &out](const std::string& value) {
        refuse_no_name(full, value);
        out = value;
    };
    auto* value = po::value<std::string>();
    if (!out.empty()) value->default_value(out);
    auto& option = declare(name, help, value->notifier(take));
    option.standard = out;
    option.value = Description::Value::file;
}

void Parser::optional(const std::string& name, const std::string& shown_as, const std::string& implicit,
                      const std::string& help, Fits fits, Take take) {
    const auto take_some = [name, take = std::move(take)](const std::string& value) {
        if (value.empty()) throw UsageError(name + ": the value is empty");
        take(value);
    };
    auto* value = po::value<std::string>();
    declare(name, help, value->value_name(shown_as)->implicit_value(implicit)->notifier(take_some));
    optional_values_["--" + name] = {implicit, std::move(fits)};
}

void Parser::json(const std::string& help, std::string& out) {
    // A name that begins with - needs the = sign.
    const auto fits = [](const std::string& next) { return next == "-" || !next.starts_with('-'); };
    optional("json", "FILE", "-", help, fits, [&out](const std::string& value) {
        refuse_no_name("json", value);
        out = value;
    });
    declared("json").value = Description::Value::file;
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

// Boost takes optional values after an = sign only.
Arguments Parser::with_values_joined(const Arguments& arguments, bool files_spared) const {
    Arguments joined;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        joined.push_back(arguments[i]);
        if (arguments[i] == "--") {
            joined.insert(joined.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                          arguments.end());
            break;
        }
        const auto option = optional_values_.find(arguments[i]);
        if (option == optional_values_.end()) continue;
        const auto& [implicit, fits] = option->second;
        const bool follows =
            i + 1 < arguments.size() && fits(arguments[i + 1]) && !(files_spared && arguments[i + 1] != "-");
        if (follows) refuse_no_name(arguments[i].substr(2), arguments[i + 1]); // Boost has no word for it
        joined.back() += "=" + (follows ? arguments[++i] : implicit);
    }
    return joined;
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
        const auto read = [&](bool files_spared) {
            return po::command_line_parser(with_values_joined(arguments, files_spared))
                .options(all)
                .positional(positional)
                .style(style)
                .run();
        };
        auto parsed = read(false);
        // `status --json FILE` means the file to be read.
        const auto& found = parsed.options;
        if (most_files_ > 0 && std::none_of(found.begin(), found.end(), [](const auto& option) {
                return option.string_key == operand;
            }))
            parsed = read(true);
        for (const auto& option : parsed.options)
            if (option.string_key == operand && option.position_key < 0)
                throw UsageError(fmt::format("unrecognised option '--{}'; see --help", operand));
        po::store(parsed, map);
        if (map.count("help") > 0) {
            print(help());
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
    out << description_.usage << "\n" << visible_ << "\nWhat the words mean: etastar glossary\n";
    return out.str();
}

void Parser::read_config(const std::string& name, const po::options_description& options,
                         po::variables_map& map) {
    refuse_no_name("config", name);
    const auto config = read_config_text(name);
    const auto fail = [&](std::size_t line, const std::string& what) {
        throw UsageError(fmt::format("config: {}:{}: {}", name, line, what));
    };
    config_ = name;
    config_lines_.clear();
    po::parsed_options parsed(&options);
    std::vector<ConfigLine> lines;
    try {
        lines = read_config_lines(config);
    } catch (const UsageError& error) {
        throw UsageError(fmt::format("config: {}:{}", name, error.what()));
    }
    for (auto& line : lines) {
        const auto option = shown(line.name, longest_name);
        if (options.find_nothrow(line.name, false) == nullptr)
            fail(line.number, fmt::format("'{}' is not an option that a configuration file can set", option));
        const auto [first, is_new] = config_lines_.emplace(line.name, line.number);
        if (!is_new) fail(line.number, fmt::format("{}: is set already, on line {}", option, first->second));
        po::option set;
        set.string_key = line.name;
        set.value = {std::move(line.value)};
        parsed.options.push_back(std::move(set));
    }
    for (const auto& [option, value] : map)
        if (!value.defaulted()) config_lines_.erase(option);
    try {
        po::store(parsed, map);
    } catch (const po::error_with_option_name& error) {
        const auto option = error.get_option_name();
        fail(config_lines_[option.substr(std::min(option.find_first_not_of('-'), option.size()))],
             error.what());
    }
}

} // namespace etastar::command_line
