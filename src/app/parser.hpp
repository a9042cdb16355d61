#pragma once

#include "etastar/app/options.hpp"
#include "etastar/sweep/fields.hpp"

#include <boost/program_options.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace etastar::app {

inline constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

// The system would take a NUL for the end of the name.
void refuse_no_name(const std::string& option, const std::string& name);

// Command-line and configuration syntax of one command: each option is declared once, with what becomes of its value.
class Parser {
public:
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

    void flag(const std::string& name, const std::string& help, bool& out);

    // A field of a spec, with another default where one is given.
    void field(const sweep::Field& field, sweep::Spec& spec, std::string standard = {});

    // --config: a file of `name = value` lines; what the command line sets wins.
    void accept_config() { config_accepted_ = true; }

    // One FILE, or several.
    void accept_files(bool several) { most_files_ = several ? std::string::npos : 1; }

    // False when --help was asked for and printed.
    bool parse(const Arguments& arguments, std::vector<std::string>* files = nullptr);

    // That the command line or the configuration file has set this option.
    bool given(std::string_view name) const { return given_.find(name) != given_.end(); }

    // Runs a check of values. What it says of an option that the configuration file has set begins with where that is.
    void explain_origin(const std::function<void()>& check) const;

private:
    std::string help() const;
    void read_config(const std::string& name, const boost::program_options::options_description& options,
                     boost::program_options::variables_map& map);

    std::string usage_;
    boost::program_options::options_description visible_;
    std::string config_;
    // Of options that the command line leaves to the configuration file.
    std::map<std::string, std::size_t, std::less<>> config_lines_;
    std::set<std::string, std::less<>> given_;
    bool config_accepted_ = false;
    std::size_t most_files_ = 0;
};

} // namespace etastar::app
