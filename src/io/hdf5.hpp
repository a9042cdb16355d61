#pragma once

#include "etastar/error.hpp"

#include <hdf5.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

namespace etastar::io::hdf5 {

// Silences HDF5's own error output for its lifetime; failures become FileError.
class QuietErrors {
public:
    QuietErrors();
    ~QuietErrors();
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;

private:
    H5E_auto2_t printer_ = nullptr;
    void* data_ = nullptr;
};

// Cause of the last HDF5 failure: the innermost entry of its error stack, in one line.
std::string last_error();

// Throws FileError "PATH: cannot ACTION (cause)".
[[noreturn]] void fail(const std::filesystem::path& path, const std::string& action);

// Owner of one HDF5 identifier. close() reports what a destructor must swallow.
class Handle {
public:
    using Closer = herr_t (*)(hid_t);

    Handle() = default;
    Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(closer_, other.closer_);
        return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        if (id_ >= 0) closer_(id_);
    }

    hid_t get() const { return id_; }
    explicit operator bool() const { return id_ >= 0; }
    bool close() { return closer_(std::exchange(id_, -1)) >= 0; }

private:
    hid_t id_ = -1;
    Closer closer_ = nullptr;
};

// File access without HDF5's own lock, which in a reader would keep the writer out, and in the writer every reader;
// and without a buffer for small reads, which would show old bytes of a file that is being written.
Handle unlocked_access();

// Variable-length UTF-8 string type: what h5py reads as str.
Handle string_type();

} // namespace etastar::io::hdf5
