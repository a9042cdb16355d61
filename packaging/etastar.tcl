#%Module1.0
# Tcl module file, for Environment Modules and for Lmod: copy it to MODULEPATH/etastar/1.0.0 and set prefix.
set prefix /opt/etastar/1.0.0

proc ModulesHelp {} {
    puts stderr "Etastar measures the largest learning rates of deep networks: etastar --help, man etastar."
}
module-whatis "Etastar: largest learning rates of deep networks, on a laptop or a cluster"

conflict etastar
# What it was built with, if that is in modules; only its tools need Python:
# prereq openmpi

prepend-path PATH $prefix/bin
prepend-path MANPATH $prefix/share/man
# bash-completion and zsh look here.
prepend-path XDG_DATA_DIRS $prefix/share
prepend-path FPATH $prefix/share/zsh/site-functions
# find_package(etastar)
prepend-path CMAKE_PREFIX_PATH $prefix
setenv ETASTAR_ROOT $prefix
