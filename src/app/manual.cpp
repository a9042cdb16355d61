#include "etastar/app/commands.hpp"
#include "etastar/app/version.hpp"

#include "describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>

// Manual pages in the language of man(7).
namespace etastar::app {
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

std::string page_of(const Command& command) { return fmt::format("etastar-{}", command.name); }

std::string title(std::string_view page, std::string_view summary) {
    return fmt::format(".TH {} 1 \"{}\" \"etastar {}\" \"Etastar\"\n.SH NAME\n{} \\- {}\n",
                       escaped(upper(page)), release_date(), version(), escaped(page), escaped(summary));
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

std::string exit_status() {
    std::string text = ".SH EXIT STATUS\n";
    int code = 0;
    for (const auto meaning : exit_code_meanings())
        text += fmt::format(".TP\n.B {}\n{}\n", code++, escaped(meaning));
    return text;
}

constexpr std::string_view environment[][2] = {
    {"ETASTAR_ISA",
     "baseline, avx2 or avx512: the widest instructions that kernels may have, the BLAS's among them."},
    {"ETASTAR_BLAS", "A shared library with CBLAS to load instead of the one that the program was built "
                     "with: a path, or a name to be "
                     "found as libraries are."},
    {"OPENBLAS_CORETYPE", "The processor type whose kernels OpenBLAS runs, Haswell for instance."},
    {"ETASTAR_MPI", "Set to anything: the program was started by an MPI launcher that it does not know."},
};

std::string see_also(std::string_view but) {
    std::string text = ".SH SEE ALSO\n";
    std::string separator;
    if (but != "etastar") {
        text += ".BR etastar (1)";
        separator = ",\n";
    }
    for (const auto& command : commands())
        if (const auto page = page_of(command); page != but) {
            text += fmt::format("{}.BR {} (1)", separator, escaped(page));
            separator = ",\n";
        }
    return text + "\n";
}

std::string page(const Command& command) {
    const auto description = describe(command);
    // "usage: ...", an empty line, the rest.
    std::string_view usage_text = description.usage;
    const auto end = usage_text.find("\n\n");
    constexpr std::string_view prefix = "usage: ";
    auto synopsis = usage_text.substr(0, end);
    if (synopsis.starts_with(prefix)) synopsis.remove_prefix(prefix.size());
    auto text = title(page_of(command), command.summary);
    text += fmt::format(".SH SYNOPSIS\n{}\n", escaped(synopsis));
    if (end != std::string_view::npos) text += ".SH DESCRIPTION\n" + paragraphs(usage_text.substr(end + 2));
    text += ".SH OPTIONS\n";
    for (const auto& option : description.options) text += option_entry(option);
    text += ".TP\n.BR \\-h \", \" \\-\\-help\nPrint the options and exit.\n";
    return text + exit_status() + see_also(page_of(command));
}

std::string main_page() {
    auto text = title("etastar", "largest stable learning rates of deep networks");
    text += ".SH SYNOPSIS\n.RI [ \"mpirun \\-n N\" ]\n.B etastar\n.I COMMAND\n.RI [ options ]\n"
            ".SH DESCRIPTION\nMeasures how large a learning rate the first step of a deep network can have, "
            "and which "
            "rates train, and how\nthat scales with width and depth: on a grid of random networks, with one "
            "process or "
            "many, into one HDF5 file.\n"
            ".SH COMMANDS\n";
    for (const auto& command : commands()) {
        text += fmt::format(".TP\n.B {}\n", escaped(command.name));
        if (!command.operands.empty())
            text = fmt::format("{} {}\n", text.substr(0, text.size() - 1), escaped(command.operands));
        text += escaped(command.summary) + "\n";
    }
    text += ".SH OPTIONS\n.TP\n.B \\-\\-help\nPrint the commands and exit.\n.TP\n.B \\-\\-version\nPrint the "
            "version and "
            "git revision.\n.TP\n.B \\-\\-data\\-folder\nPrint where job scripts and ready configurations "
            "are, in its "
            "folder jobs.\n";
    text += exit_status() + ".SH ENVIRONMENT\n";
    for (const auto& [name, meaning] : environment)
        text += fmt::format(".TP\n.B {}\n{}\n", name, escaped(meaning));
    return text + see_also("etastar");
}

std::string page_named(std::string_view name) {
    if (name == "etastar") return main_page();
    if (name.starts_with("etastar-")) name.remove_prefix(8);
    if (const auto* command = find_command(name)) return page(*command);
    throw UsageError(fmt::format("COMMAND: {} is not one of {}", in_quotes(name), command_names()));
}

} // namespace

ExitCode man_command(const Arguments& arguments) {
    Parser parser("usage: etastar man [COMMAND] [--folder FOLDER]\n\nPrints the manual page of a command, or "
                  "that of the "
                  "program:\n\n    etastar man fit | man -l -\n");
    std::vector<std::string> names;
    for (const auto& command : commands()) names.emplace_back(command.name);
    parser.accept_word(names);
    std::string folder;
    parser.file("folder", "write all pages there, as etastar.1, etastar-fit.1 and so on", folder);
    std::vector<std::string> words;
    if (!parser.parse(arguments, &words)) return ExitCode::done;
    if (folder.empty()) {
        write_document("-", page_named(words.empty() ? "etastar" : words.front()));
        return ExitCode::done;
    }
    if (!words.empty()) throw UsageError("folder: takes all pages; give no COMMAND");
    const auto write = [&](const std::string& name) {
        write_document((std::filesystem::path(folder) / (name + ".1")).string(), page_named(name));
    };
    write("etastar");
    for (const auto& command : commands()) write(page_of(command));
    return ExitCode::done;
}

} // namespace etastar::app
