set -euo pipefail
cd "$(mktemp -d)"
# Through the driver's own interface, which needs neither the toolkit nor Python.
cat >driver.cpp <<'END'
#include <cstdio>
#include <dlfcn.h>

constexpr int needed = 13000;

template <typename Function> Function *symbol(void *library, const char *name) {
    auto *found = reinterpret_cast<Function *>(dlsym(library, name));
    if (!found) std::printf("libcuda.so.1 has no %s\n", name);
    return found;
}

int main() {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library) {
        std::printf("%s: the container got no driver; is NVIDIA's container toolkit set up?\n", dlerror());
        return 1;
    }
    auto *get_version = symbol<int(int *)>(library, "cuDriverGetVersion");
    auto *init = symbol<int(unsigned)>(library, "cuInit");
    auto *get_count = symbol<int(int *)>(library, "cuDeviceGetCount");
    auto *get_name = symbol<int(char *, int, int)>(library, "cuDeviceGetName");
    auto *get_memory = symbol<int(size_t *, int)>(library, "cuDeviceTotalMem_v2");
    if (!get_version || !init || !get_count || !get_name || !get_memory) return 1;
    int version = 0;
    if (int status = get_version(&version)) {
        std::printf("cuDriverGetVersion: error %d\n", status);
        return 1;
    }
    std::printf("the driver supports CUDA %d.%d\n", version / 1000, version % 1000 / 10);
    if (version < needed) {
        std::printf("too old: CUDA 13.0 needs a driver of the 580 series or newer on the host\n");
        return 1;
    }
    if (int status = init(0)) {
        std::printf("cuInit: error %d; `dmesg` on the host may say more\n", status);
        return 1;
    }
    int count = 0;
    if (get_count(&count) || count == 0) {
        std::printf("no device\n");
        return 1;
    }
    for (int device = 0; device < count; ++device) {
        char name[256] = "";
        size_t bytes = 0;
        if (get_name(name, sizeof name, device) || get_memory(&bytes, device) || bytes == 0) {
            std::printf("device %d does not answer\n", device);
            return 1;
        }
        std::printf("device %d: %s, %.1f GB\n", device, name, bytes / 1e9);
    }
    return 0;
}
END
g++ -O1 -o driver driver.cpp -ldl
cat /proc/driver/nvidia/version 2>/dev/null || true
./driver
