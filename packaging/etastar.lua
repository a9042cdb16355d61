-- Lua module file, for Lmod: copy it to MODULEPATH/etastar/1.0.0.lua and set prefix.
local prefix = "/opt/etastar/1.0.0"

help([[Etastar measures the largest learning rates of deep networks: etastar --help, man etastar.]])
whatis("Name: Etastar")
whatis("Version: 1.0.0")
whatis("Description: largest learning rates of deep networks, on a laptop or a cluster")

conflict("etastar")
-- What it was built with, if that is in modules; only its tools need Python:
-- depends_on("openmpi")

prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("MANPATH", pathJoin(prefix, "share/man"))
-- bash-completion and zsh look here.
prepend_path("XDG_DATA_DIRS", pathJoin(prefix, "share"))
prepend_path("FPATH", pathJoin(prefix, "share/zsh/site-functions"))
-- find_package(etastar)
prepend_path("CMAKE_PREFIX_PATH", prefix)
setenv("ETASTAR_ROOT", prefix)
