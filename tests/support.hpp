#pragma once

#include "etastar/sweep/spec.hpp"

#include <filesystem>
#include <string>

namespace etastar::test {

// A sweep of milliseconds.
inline sweep::Spec small_spec() {
    sweep::Spec spec;
    spec.width = {8, 16};
    spec.depth = {2, 3};
    spec.eta = {0.01, 0.1, 1.0};
    spec.eta_unit = sweep::EtaUnit::absolute;
    spec.seeds = 5;
    spec.input_dim = 4;
    spec.engine = sweep::EngineKind::dense;
    return spec;
}

// A fresh folder, removed at the end.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "etastar-test-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

} // namespace etastar::test
