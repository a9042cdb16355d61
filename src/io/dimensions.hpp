#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

namespace etastar::io {

// A dataset and the dimension scale of each of its dimensions, by their paths in the file.
struct Dimensioned {
    std::string dataset;
    std::vector<std::string> scales;
};

// Makes these datasets HDF5 dimension scales and attaches each to its dimensions: what netCDF, xarray and h5py call named
// dimensions. It is done with attributes alone, those of the specification of HDF5's H5DS, whose library many
// installations leave out. A scale without data is a netCDF dimension without a variable. False where HDF5 fails.
bool attach_scales(hid_t file, const std::vector<std::string>& scales,
                   const std::vector<Dimensioned>& datasets);

} // namespace etastar::io
