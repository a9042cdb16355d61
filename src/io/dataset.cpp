#include "etastar/io/dataset.hpp"

#include "etastar/error.hpp"

#include "hdf5.hpp"
#include "input.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace etastar::io {
namespace {

namespace fs = std::filesystem;
using hdf5::Handle;
using Shape = Input::Shape;

constexpr const char* wanted = "data are x [P, n0] and y [P]";

struct Numbers {
    Handle data;
    Shape shape;
};

Numbers open_numbers(const Input& input, const char* name) {
    const HangGuard hang_guard;
    const auto refuse = [&](const std::string& why) {
        throw FileError(fmt::format("{}: {}; {}", input.path().string(), why, wanted));
    };
    if (H5Lexists(input.root(), name, H5P_DEFAULT) <= 0) refuse(fmt::format("has no dataset {}", name));
    Numbers numbers{Handle(H5Dopen2(input.root(), name, H5P_DEFAULT), H5Dclose), {}};
    if (!numbers.data) refuse(fmt::format("its {} is no dataset that can be opened", name));
    const Handle type(H5Dget_type(numbers.data.get()), H5Tclose);
    const auto kind = H5Tget_class(type.get());
    if (kind != H5T_FLOAT && kind != H5T_INTEGER)
        refuse(fmt::format("its {} has no numbers, integers or floating point", name));
    const Handle space(H5Dget_space(numbers.data.get()), H5Sclose);
    numbers.shape.resize(static_cast<std::size_t>(std::max(H5Sget_simple_extent_ndims(space.get()), 0)));
    H5Sget_simple_extent_dims(space.get(), numbers.shape.data(), nullptr);
    return numbers;
}

void refuse_shapes(const fs::path& path, const Shape& x, const Shape& y) {
    const auto refuse = [&](const std::string& why) {
        throw FileError(fmt::format("{}: {}; {}", path.string(), why, wanted));
    };
    const auto shown = [](const char* name, const Shape& shape) {
        return fmt::format("its {} has the shape [{}]", name, fmt::join(shape, ", "));
    };
    if (x.size() != 2) refuse(shown("x", x));
    if (x[0] == 0 || x[1] == 0) refuse(shown("x", x) + ": no examples");
    if (y.size() != 1) refuse(shown("y", y));
    if (y[0] != x[0]) refuse(fmt::format("{} where x has {} rows", shown("y", y), x[0]));
}

// Without a HangGuard: it takes as long as the data, and how they are packed, ask for.
std::vector<double> read_values(const Input& input, const char* name, const Numbers& numbers) {
    const auto& shape = numbers.shape;
    const auto columns = shape.size() == 2 ? shape.back() : 1;
    std::vector<double> values(shape.front() * columns);
    const Shape start(shape.size(), 0);
    const Handle all(H5Dget_space(numbers.data.get()), H5Sclose);
    const Handle memory(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
    if (H5Sselect_hyperslab(all.get(), H5S_SELECT_SET, start.data(), nullptr, shape.data(), nullptr) < 0
        || H5Dread(numbers.data.get(), H5T_NATIVE_DOUBLE, memory.get(), all.get(), H5P_DEFAULT, values.data())
               < 0)
        hdf5::fail(input.path(), fmt::format("read its {}", name));
    const auto bad =
        std::find_if(values.begin(), values.end(), [](double value) { return !std::isfinite(value); });
    if (bad == values.end()) return values;
    const auto at = static_cast<hsize_t>(bad - values.begin());
    const auto place =
        shape.size() == 2 ? fmt::format("{}, {}", at / columns, at % columns) : fmt::format("{}", at);
    throw FileError(fmt::format("{}: row {} of its {} has a value that is not finite: {}[{}] is {}",
                                input.path().string(), at / columns, name, name, place, *bad));
}

} // namespace

model::Dataset read_dataset(const fs::path& path, std::uint32_t most) {
    const hdf5::QuietErrors quiet;
    const Input input(path);
    auto x = open_numbers(input, "x");
    auto y = open_numbers(input, "y");
    refuse_shapes(path, x.shape, y.shape);
    const auto dimension = x.shape[1];
    const auto used = std::min<hsize_t>(x.shape[0], most);
    // By division: a product may not fit.
    if (dimension > max_data || used > max_data / (dimension + 1))
        throw FileError(fmt::format("{}: has {} examples of dimension {}; at most {} numbers can be used",
                                    path.string(), x.shape[0], dimension, max_data));
    x.shape[0] = y.shape[0] = used;
    return {static_cast<std::uint32_t>(used), static_cast<std::uint32_t>(dimension),
            read_values(input, "x", x), read_values(input, "y", y)};
}

} // namespace etastar::io
