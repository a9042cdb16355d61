#include "blas_library.hpp"

#include "etastar/isa.hpp"

#include "blas_choice.hpp"
#include "etastar_blas.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#ifdef ETASTAR_BLAS_LINKED
// What a linked library has beside CBLAS, as the build found out.
extern "C" {
#define ETASTAR_DECLARE(name) void etastar_##name() __asm__(#name);
ETASTAR_BLAS_EXTRAS(ETASTAR_DECLARE)
#undef ETASTAR_DECLARE
}
#endif

namespace etastar::engine {
namespace {

bool is_set(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

#ifdef ETASTAR_BLAS_LINKED

// It has made its choices before main().
class Library {
public:
    static constexpr bool chooses_when_loaded = false;

    void load_again() {}

    void* find(std::string_view name) const {
        const std::pair<std::string_view, void (*)()> symbols[] = {
#define ETASTAR_ENTRY(name) {#name, &etastar_##name},
            ETASTAR_BLAS_EXTRAS(ETASTAR_ENTRY)
#undef ETASTAR_ENTRY
                {"cblas_sgemv", reinterpret_cast<void (*)()>(cblas_sgemv)},
            {"cblas_dgemv", reinterpret_cast<void (*)()>(cblas_dgemv)},
            {"cblas_sgemm", reinterpret_cast<void (*)()>(cblas_sgemm)},
            {"cblas_dgemm", reinterpret_cast<void (*)()>(cblas_dgemm)},
        };
        for (const auto& [symbol, address] : symbols)
            if (symbol == name) return reinterpret_cast<void*>(address);
        return nullptr;
    }
};

#else

class Library {
public:
    static constexpr bool chooses_when_loaded = true;

    Library() : handle_(open()) {}

    // With the choices that the environment now leads to. Some libraries that were loaded stay, with those they have made.
    void load_again() {
        ::dlclose(handle_);
        handle_ = open();
    }

    void* find(const char* name) const { return ::dlsym(handle_, name); }

private:
    static void* open() {
        std::vector<std::string> names;
        if (is_set("ETASTAR_BLAS")) {
            names = {std::getenv("ETASTAR_BLAS")};
        } else {
            names = {ETASTAR_BLAS_NAMES};
        }
        std::string errors;
        for (const auto& name : names) {
            if (void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
            errors += (errors.empty() ? "" : "; ") + std::string(::dlerror());
        }
        throw std::runtime_error("the BLAS cannot be loaded: " + errors);
    }

    void* handle_;
};

#endif

// Null where the library has no such function.
template <class Function>
Function* optional(const Library& library, const char* name) {
    return reinterpret_cast<Function*>(library.find(name));
}

template <class Function>
void find(const Library& library, const char* name, Function*& function) {
    function = optional<Function>(library, name);
    if (function == nullptr) throw std::runtime_error(fmt::format("the BLAS has no {}", name));
}

std::string text_of(const Library& library, const char* function) {
    auto* say = optional<const char*()>(library, function);
    const char* text = say == nullptr ? nullptr : say();
    return text == nullptr ? "" : text;
}

// The file that a function is in, links followed: which of a system's alternatives that is.
std::string file_of(const void* function) {
    Dl_info info;
    if (::dladdr(function, &info) == 0 || info.dli_fname == nullptr) return "unknown";
    std::error_code error;
    const auto path = std::filesystem::canonical(info.dli_fname, error);
    return error ? info.dli_fname : path.string();
}

std::string mkl_version(const Library& library) {
    auto* say = optional<void(char*, int)>(library, "mkl_get_version_string");
    if (say == nullptr) return {};
    char text[256] = "";
    say(text, sizeof text - 1);
    std::string version(text);
    version.erase(version.find_last_not_of(" \n") + 1);
    return version;
}

// FlexiBLAS is a front for another library.
std::string flexiblas_backend(const Library& library) {
    auto* say = optional<int(char*, std::size_t)>(library, "flexiblas_current_backend");
    if (say == nullptr) return {};
    char text[128] = "";
    say(text, sizeof text - 1);
    return text;
}

std::string version_of(const Library& library, const void* function) {
    if (auto config = text_of(library, "openblas_get_config"); !config.empty()) return config;
    if (auto mkl = mkl_version(library); !mkl.empty()) return mkl;
    if (auto blis = text_of(library, "bli_info_get_version_str"); !blis.empty()) return "BLIS " + blis;
    auto* version = optional<void(int*, int*, int*)>(library, "flexiblas_get_version");
    if (const auto backend = flexiblas_backend(library); version != nullptr) {
        int number[3] = {};
        version(&number[0], &number[1], &number[2]);
        return fmt::format("FlexiBLAS {}.{}.{}, {}", number[0], number[1], number[2], backend);
    }
    return "CBLAS of " + file_of(function);
}

std::string core_of(const Library& library) {
    if (auto openblas = text_of(library, "openblas_get_corename"); !openblas.empty()) return openblas;
    auto* arch = optional<int()>(library, "bli_arch_query_id");
    auto* name = optional<const char*(int)>(library, "bli_arch_string");
    if (arch != nullptr && name != nullptr) return name(arch());
    if (auto backend = flexiblas_backend(library); !backend.empty()) return backend;
    return "unknown";
}

// Threads are of no use to a rank, and where memory or processes are limited OpenBLAS may wait for ever for those that it
// could not start.
void ask_for_one_thread() {
    for (const char* variable : {"OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                                 "FLEXIBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"})
        ::setenv(variable, "1", 1);
    // BLIS multiplies these.
    for (const char* variable : {"BLIS_JC_NT", "BLIS_PC_NT", "BLIS_IC_NT", "BLIS_JR_NT", "BLIS_IR_NT"})
        ::unsetenv(variable);
    ::setenv("MKL_DYNAMIC", "FALSE", 1);
}

// MKL's word for the widest instructions that its kernels may have.
void limit_mkl() {
    if (!is_set("ETASTAR_ISA") || is_set("MKL_ENABLE_INSTRUCTIONS")) return;
    constexpr const char* names[] = {"SSE4_2", "AVX2", "AVX512"};
    ::setenv("MKL_ENABLE_INSTRUCTIONS", names[static_cast<int>(isa_limit())], 1);
}

// OpenBLAS is asked first, since it knows most processors, and newer versions know more. It falls back to its oldest kernels
// on those that it does not know, and to wide ones that cannot run on some whose AVX2 is masked.
std::string choose_openblas_core(Library& library, bool by_user) {
    if (by_user) return "environment";
    if (const auto widest = widest_kernels(isa_limit()); widest && Library::chooses_when_loaded)
        if (const auto core = better_core(core_of(library), *widest, is_set("ETASTAR_ISA"))) {
            ::setenv("OPENBLAS_CORETYPE", std::string(*core).c_str(), 1);
            library.load_again();
            if (core_of(library) == *core) return "etastar";
        }
    return "openblas";
}

BlasLibrary load() {
    const bool by_user = is_set("OPENBLAS_CORETYPE");
    if (Library::chooses_when_loaded) {
        ask_for_one_thread();
        limit_mkl();
        if (!by_user) ::unsetenv("OPENBLAS_CORETYPE"); // an empty one means Prescott to it
    }
    Library library;
    BlasLibrary blas{};
    blas.core_chosen_by =
        library.find("openblas_get_corename") != nullptr ? choose_openblas_core(library, by_user) : "library";
    find(library, "cblas_sgemv", blas.sgemv);
    find(library, "cblas_dgemv", blas.dgemv);
    find(library, "cblas_sgemm", blas.sgemm);
    find(library, "cblas_dgemm", blas.dgemm);
    for (const char* name : {"openblas_set_num_threads", "MKL_Set_Num_Threads", "flexiblas_set_num_threads"})
        if (auto* set = optional<void(int)>(library, name); set != nullptr && !blas.set_num_threads)
            blas.set_num_threads = set;
    if (auto* set = optional<void(std::int64_t)>(library, "bli_thread_set_num_threads");
        set != nullptr && !blas.set_num_threads)
        blas.set_num_threads = set; // its dim_t
    blas.version = version_of(library, reinterpret_cast<const void*>(blas.sgemm));
    blas.core = core_of(library);
    return blas;
}

// OpenBLAS tries for ever to map a buffer that there is no room for. So there must be room for the library and two
// buffers before it is loaded (with OpenMP it maps one at once), and a first product makes it map what it will need,
// which it keeps.
BlasLibrary load_with_buffers() {
    constexpr std::size_t buffer = std::size_t{32} << 22; // BUFFER_SIZE on x86-64, its largest
    void* room = ::mmap(nullptr, 3 * buffer, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) throw std::bad_alloc();
    ::munmap(room, 3 * buffer);
    auto blas = load();
    if (blas.set_num_threads) blas.set_num_threads(1);
    constexpr BlasInt n = 128; // smaller products may do without a buffer
    const std::vector<float> factor(std::size_t{n} * n);
    std::vector<float> product(std::size_t{n} * n);
    blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0f, factor.data(), n, factor.data(), n,
               0.0f, product.data(), n);
    return blas;
}

} // namespace

const BlasLibrary& blas_library() {
    static const BlasLibrary library = load_with_buffers();
    return library;
}

} // namespace etastar::engine
