// Both sheets and all layers by Embree 4 with packets of 8 or 16 rays, on all CPUs: the ceiling for
// ray casting on a CPU. A shared library for embree_ceiling.py, which builds it.
//
// A ray starts at the camera and advances by 1 in depth, so that distances are depths. Packets are
// blocks of 4x2 or 4x4 pixels; threads take blocks of rows in turn.

#include <embree4/rtcore.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

namespace {

const float MISS = std::numeric_limits<float>::quiet_NaN();

struct Image {
    float center[3];         // of the camera
    float right[3], down[3]; // change of the ray's direction from pixel to pixel
    float first[3];          // direction at image coordinates (0, 0)
    float end;               // depth behind the whole mesh
    int32_t width, height;
};

struct Crossing {
    float depth;
    uint32_t face;
};

template <int N> struct Packet;
template <> struct Packet<8> {
    using RayHit = RTCRayHit8;
    static void cast(const int *valid, RTCScene scene, RayHit *rays, RTCIntersectArguments *args) {
        rtcIntersect8(valid, scene, rays, args);
    }
};
template <> struct Packet<16> {
    using RayHit = RTCRayHit16;
    static void cast(const int *valid, RTCScene scene, RayHit *rays, RTCIntersectArguments *args) {
        rtcIntersect16(valid, scene, rays, args);
    }
};

// Takes the pixel of a ray from its place in the packet; false outside of the image.
bool pixel_of(const Image &image, int column, int row, int lane, int &index) {
    int x = column + (lane & 3), y = row + (lane >> 2);
    index = y * image.width + x;
    return x < image.width && y < image.height;
}

// Sets up the rays of a block of pixels, from the camera or back to it.
template <int N>
void set_rays(const Image &image, int column, int row, bool backward,
              typename Packet<N>::RayHit &rays, int *valid) {
    for (int lane = 0; lane < N; ++lane) {
        int index;
        valid[lane] = pixel_of(image, column, row, lane, index) ? -1 : 0;
        float u = column + (lane & 3) + 0.5f, v = row + (lane >> 2) + 0.5f;
        float direction[3], origin[3];
        for (int axis = 0; axis < 3; ++axis) {
            direction[axis] = image.first[axis] + u * image.right[axis] + v * image.down[axis];
            origin[axis] = image.center[axis] + (backward ? image.end * direction[axis] : 0.0f);
            if (backward) direction[axis] = -direction[axis];
        }
        rays.ray.org_x[lane] = origin[0];
        rays.ray.org_y[lane] = origin[1];
        rays.ray.org_z[lane] = origin[2];
        rays.ray.dir_x[lane] = direction[0];
        rays.ray.dir_y[lane] = direction[1];
        rays.ray.dir_z[lane] = direction[2];
        rays.ray.tnear[lane] = 0.0f;
        rays.ray.tfar[lane] = image.end;
        rays.ray.time[lane] = 0.0f;
        rays.ray.mask[lane] = ~0u;
        rays.ray.id[lane] = lane;
        rays.ray.flags[lane] = 0;
        rays.hit.geomID[lane] = RTC_INVALID_GEOMETRY_ID;
        rays.hit.primID[lane] = RTC_INVALID_GEOMETRY_ID;
        rays.hit.instID[0][lane] = RTC_INVALID_GEOMETRY_ID;
    }
}

// Calls work(row) for each block of N / 4 rows, on all threads.
template <int N, typename Work> void for_rows(const Image &image, int threads, Work work) {
    std::atomic<int> next{0};
    auto run = [&] {
        for (int row; (row = next.fetch_add(N / 4)) < image.height;) work(row);
    };
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(run);
    run();
    for (auto &other : others) other.join();
}

RTCIntersectArguments arguments() {
    RTCIntersectArguments args;
    rtcInitIntersectArguments(&args);
    args.flags = RTC_RAY_QUERY_FLAG_COHERENT;
    return args;
}

template <int N>
void cast_sheets(RTCScene scene, const Image &image, int threads, float *sheets, int64_t *faces) {
    size_t pixels = size_t(image.width) * image.height;
    for_rows<N>(image, threads, [&](int row) {
        RTCIntersectArguments args = arguments();
        alignas(64) typename Packet<N>::RayHit rays;
        alignas(64) int valid[N];
        for (int column = 0; column < image.width; column += 4) {
            for (int sheet = 0; sheet < 2; ++sheet) {
                set_rays<N>(image, column, row, sheet == 1, rays, valid);
                Packet<N>::cast(valid, scene, &rays, &args);
                for (int lane = 0; lane < N; ++lane) {
                    int index;
                    if (!pixel_of(image, column, row, lane, index)) continue;
                    bool hit = rays.hit.geomID[lane] != RTC_INVALID_GEOMETRY_ID;
                    float t = rays.ray.tfar[lane];
                    sheets[sheet * pixels + index] = !hit ? MISS : sheet ? image.end - t : t;
                    if (faces)
                        faces[sheet * pixels + index] = hit ? int64_t(rays.hit.primID[lane]) : -1;
                }
            }
        }
    });
}

struct AllHits {
    RTCRayQueryContext context; // first, so that a pointer to it is one to this
    std::vector<Crossing> *crossings;
};

// Notes each hit and rejects it, so that the traversal goes on to the next.
void note_hit(const RTCFilterFunctionNArguments *args) {
    auto *all = reinterpret_cast<AllHits *>(args->context);
    for (unsigned i = 0; i < args->N; ++i) {
        if (!args->valid[i]) continue;
        unsigned lane = RTCRayN_id(args->ray, args->N, i);
        all->crossings[lane].push_back({RTCRayN_tfar(args->ray, args->N, i),
                                        RTCHitN_primID(args->hit, args->N, i)});
        args->valid[i] = 0;
    }
}

// The crossings of the last image, kept until the next.
struct Layers {
    std::vector<std::vector<Crossing>> rows;
    std::vector<int64_t> offsets;
};

template <int N>
void cast_layers(RTCScene scene, const Image &image, int threads, Layers &layers) {
    int rows_of_block = N / 4;
    layers.rows.resize((image.height + rows_of_block - 1) / rows_of_block);
    std::vector<std::vector<int32_t>> counts(layers.rows.size());
    for_rows<N>(image, threads, [&](int row) {
        std::vector<Crossing> crossings[N];
        std::vector<std::vector<Crossing>> lines(rows_of_block);
        std::vector<int32_t> &count = counts[row / rows_of_block];
        count.assign(size_t(image.width) * rows_of_block, 0);
        AllHits all;
        rtcInitRayQueryContext(&all.context);
        all.crossings = crossings;
        RTCIntersectArguments args = arguments();
        args.flags = RTCRayQueryFlags(args.flags | RTC_RAY_QUERY_FLAG_INVOKE_ARGUMENT_FILTER);
        args.context = &all.context;
        args.filter = note_hit;
        alignas(64) typename Packet<N>::RayHit rays;
        alignas(64) int valid[N];
        for (int column = 0; column < image.width; column += 4) {
            set_rays<N>(image, column, row, false, rays, valid);
            for (auto &of_lane : crossings) of_lane.clear();
            Packet<N>::cast(valid, scene, &rays, &args);
            for (int lane = 0; lane < N; ++lane) {
                int index;
                if (!pixel_of(image, column, row, lane, index)) continue;
                auto &found = crossings[lane];
                std::sort(found.begin(), found.end(), [](const Crossing &a, const Crossing &b) {
                    return a.depth != b.depth ? a.depth < b.depth : a.face < b.face;
                });
                count[index - row * image.width] = int32_t(found.size());
                auto &line = lines[lane >> 2];
                line.insert(line.end(), found.begin(), found.end());
            }
        }
        auto &block = layers.rows[row / rows_of_block];
        block.clear();
        for (auto &line : lines) block.insert(block.end(), line.begin(), line.end());
    });
    size_t pixels = size_t(image.width) * image.height;
    layers.offsets.assign(1, 0);
    layers.offsets.reserve(pixels + 1);
    for (auto &count : counts)
        for (int32_t n : count)
            if (layers.offsets.size() <= pixels) layers.offsets.push_back(layers.offsets.back() + n);
}

} // namespace

extern "C" {

struct Caster {
    RTCDevice device;
    RTCScene scene;
    Layers layers;
};

Caster *caster_new(const float *vertices, int64_t vertex_count, const uint32_t *faces,
                   int64_t face_count) {
    auto *caster = new Caster;
    caster->device = rtcNewDevice(nullptr);
    caster->scene = rtcNewScene(caster->device);
    RTCGeometry geometry = rtcNewGeometry(caster->device, RTC_GEOMETRY_TYPE_TRIANGLE);
    std::memcpy(rtcSetNewGeometryBuffer(geometry, RTC_BUFFER_TYPE_VERTEX, 0, RTC_FORMAT_FLOAT3, 12,
                                        vertex_count),
                vertices, 12 * vertex_count);
    std::memcpy(rtcSetNewGeometryBuffer(geometry, RTC_BUFFER_TYPE_INDEX, 0, RTC_FORMAT_UINT3, 12,
                                        face_count),
                faces, 12 * face_count);
    rtcCommitGeometry(geometry);
    rtcAttachGeometry(caster->scene, geometry);
    rtcReleaseGeometry(geometry);
    rtcSetSceneFlags(caster->scene, RTC_SCENE_FLAG_FILTER_FUNCTION_IN_ARGUMENTS);
    // The higher quality splits faces, whose hits the filter would then see twice.
    rtcSetSceneBuildQuality(caster->scene, RTC_BUILD_QUALITY_MEDIUM);
    rtcCommitScene(caster->scene);
    return caster;
}

void caster_free(Caster *caster) {
    rtcReleaseScene(caster->scene);
    rtcReleaseDevice(caster->device);
    delete caster;
}

// Largest packet that the device traces as one: 16 with AVX-512, 8 with AVX, else 4.
int native_width(const Caster *caster) {
    if (rtcGetDeviceProperty(caster->device, RTC_DEVICE_PROPERTY_NATIVE_RAY16_SUPPORTED)) return 16;
    if (rtcGetDeviceProperty(caster->device, RTC_DEVICE_PROPERTY_NATIVE_RAY8_SUPPORTED)) return 8;
    return 4;
}

int embree_version(const Caster *caster) {
    return int(rtcGetDeviceProperty(caster->device, RTC_DEVICE_PROPERTY_VERSION));
}

// sheets: (2, height, width) depths, NaN for a miss. faces: the same, -1 for a miss; may be null.
void sheets(Caster *caster, const Image *image, int width, int threads, float *sheets,
            int64_t *faces) {
    if (width == 16)
        cast_sheets<16>(caster->scene, *image, threads, sheets, faces);
    else
        cast_sheets<8>(caster->scene, *image, threads, sheets, faces);
}

// Returns the number of crossings, for copy_layers.
int64_t layers(Caster *caster, const Image *image, int width, int threads) {
    if (width == 16)
        cast_layers<16>(caster->scene, *image, threads, caster->layers);
    else
        cast_layers<8>(caster->scene, *image, threads, caster->layers);
    return caster->layers.offsets.back();
}

// offsets: (pixels + 1); depth, face: (crossings), sorted by (depth, face) within a pixel.
void copy_layers(const Caster *caster, int64_t *offsets, float *depth, uint32_t *face) {
    const Layers &layers = caster->layers;
    std::copy(layers.offsets.begin(), layers.offsets.end(), offsets);
    for (auto &row : layers.rows)
        for (auto &crossing : row) {
            *depth++ = crossing.depth;
            *face++ = crossing.face;
        }
}
}
