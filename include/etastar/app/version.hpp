#pragma once

#include "etastar/io/provenance.hpp"
#include "etastar/parallel/communicator.hpp"

#include <string>

namespace etastar::app {

std::string version();      // of the release, "1.0.0"
std::string release_date(); // "2026-11-26"
std::string git_revision(); // of the checkout it was built from, "unknown" outside one

// Of a file that this program writes on these ranks: what is so whatever it computes.
io::Provenance provenance_of_program(const parallel::Communicator& world);

// Where the program's data are, job scripts among them: share/etastar, found from where the program is. Empty if nowhere.
std::string data_folder();

} // namespace etastar::app
