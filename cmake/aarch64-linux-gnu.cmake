# Toolchain: from another Debian or Ubuntu to aarch64, with libraries of arm64 beside the machine's own (tools/cross-aarch64).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# Compiler wrappers of another machine cannot be asked.
set(MPI_CXX_HEADER_DIR /usr/lib/aarch64-linux-gnu/openmpi/include)
set(MPI_CXX_LIB_NAMES mpi)
set(MPI_mpi_LIBRARY /usr/lib/aarch64-linux-gnu/openmpi/lib/libmpi.so)
set(HDF5_ROOT /usr/lib/aarch64-linux-gnu/hdf5/serial)
set(HDF5_C_COMPILER_EXECUTABLE NO)
