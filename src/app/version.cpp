#include "etastar/app/version.hpp"

#include "etastar_revision.hpp"

namespace etastar::app {

std::string version() { return ETASTAR_VERSION; }

std::string git_revision() { return ETASTAR_GIT_REVISION; }

} // namespace etastar::app
