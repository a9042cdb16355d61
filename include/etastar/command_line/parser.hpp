#pragma once

#include "etastar/command_line/description.hpp"
#include "etastar/names.hpp"
#include "etastar/sweep/fields.hpp"

#include <boost/program_options.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etastar::command_line {

inline constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

// The system would take a NUL for the end of the name.
void refuse_no_name(const std::string& option, const std::string& name);

// A line `name = value` of a configuration file; # begins a comment, except within quotes round the value, which are taken
// off. Lines count from 1.
struct ConfigLine {
    std::string name;
    std::string value;
    std::size_t number = 0;
};

// Throws UsageError that begins with the line's number.
std::vector<ConfigLine> read_config_lines(std::string_view text);

// Command-line and configuration syntax of one command: each option is declared once, with what becomes of its value.
class Parser {
public:
    // Of the command that `run` runs with these arguments: its first Parser is described in place of being used, and acts as
    // if --help had been printed.
    static Description describe(const std::function<void(const Arguments& arguments)>& run);

    using Take = std::function<void(const std::string& text)>;

    explicit Parser(std::string usage);

    // --name TEXT; `take` is called with the value, or with the default where there is one. It throws UsageError that
    // begins with the name.
    void option(const std::string& name, const std::string& help, Take take);
    void option(const std::string& name, const std::string& standard, const std::string& help, Take take);

    // --name, once or more often.
    void repeated(const std::string& name, const std::string& help, Take take);

    // --name FILE; `out` stays as it is where the option is not given. "name,n" has the short form -n.
    void file(const std::string& name, const std::string& help, std::string& out);

    // --name [VALUE], without one `implicit`. What follows is its value if it `fits`, or stands after an = sign.
    using Fits = std::function<bool(const std::string& next)>;
    void optional(const std::string& name, const std::string& shown_as, const std::string& implicit,
                  const std::string& help, Fits fits, Take take);

    // --json [FILE], without one "-", standard output.
    void json(const std::string& help, std::string& out);

    // "name" or, with a letter that is short for it, "name,n".
    void flag(const std::string& name, const std::string& help, bool& out);

    // A field of a spec, with another default where one is given.
    void field(const sweep::Field& field, sweep::Spec& spec, std::string standard = {});

    // What an option that has been declared may be.
    void choices(std::string_view name, std::vector<std::string> names);
    template <class Enum>
    void choices(std::string_view name) {
        std::vector<std::string> names;
        for (const auto& entry : Names<Enum>::table) names.emplace_back(entry.first);
        choices(name, std::move(names));
    }

    // The same, of one that may also be the name of a file.
    void choices_or_file(std::string_view name, std::vector<std::string> names);

    // --config: a file of `name = value` lines; what the command line sets wins.
    void accept_config() { config_accepted_ = true; }

    // One FILE, or several.
    void accept_files(bool several) {
        description_.takes_files = true;
        most_files_ = several ? std::string::npos : 1;
    }

    // At most one operand, one of these words.
    void accept_word(std::vector<std::string> words) {
        description_.words = std::move(words);
        most_files_ = 1;
    }

    // False when --help was asked for and printed. `files` takes the operands; one of accept_word may be absent.
    bool parse(const Arguments& arguments, std::vector<std::string>* files = nullptr);

    // The name of the configuration file, empty for none.
    const std::string& config() const { return config_; }

    // That the command line or the configuration file has set this option.
    bool given(std::string_view name) const { return given_.find(name) != given_.end(); }

    // Runs a check of values. What it says of an option that the configuration file has set begins with where that is.
    void explain_origin(const std::function<void()>& check) const;

private:
    std::string help() const;
    Arguments with_values_joined(const Arguments& arguments, bool files_spared) const;
    void read_config(const std::string& name, const boost::program_options::options_description& options,
                     boost::program_options::variables_map& map);

    Description::Option& declare(const std::string& name, const std::string& help,
                                 const boost::program_options::value_semantic* value);

    Description::Option& declared(std::string_view name);

    static Description* described_;

    Description description_;
    boost::program_options::options_description visible_;
    std::string config_;
    // Of options that the command line leaves to the configuration file.
    std::map<std::string, std::size_t, std::less<>> config_lines_;
    std::set<std::string, std::less<>> given_;
    std::map<std::string, std::pair<std::string, Fits>, std::less<>> optional_values_; // by "--name"
    bool config_accepted_ = false;
    std::size_t most_files_ = 0;
};

} // namespace etastar::command_line
