#include "etastar/host.hpp"

#include <unistd.h>

namespace etastar {

std::string host_name() {
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    return name;
}

} // namespace etastar
