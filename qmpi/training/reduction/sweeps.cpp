// The sweeps of the exact sum over memory, each in one pass; `compiled.py` says what they are.
//
// Each gives the bits of the form made of torch's operations. All that could differ are float
// operations, and these are few: a product with a power of two, which is exact (or so small that
// rounding to integers makes it zero), and one or two additions whose order is written out. Largest
// elements are found by their bits: without a sign, floats are ordered as their bits are, infinities
// and NaNs above all numbers.

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace {

constexpr float ROUNDER = 12582912.0f;  // 1.5 * 2**23, as in `table.py`
constexpr int32_t INFINITE = 0x7F800000;

inline int32_t bits_of(float number) {
  int32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

inline float float_of(uint32_t bits) {
  float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

inline float value(float number) { return number; }
inline float value(uint16_t half) { return float_of(static_cast<uint32_t>(half) << 16); }

inline int32_t magnitude(float number) { return bits_of(number) & 0x7FFFFFFF; }

// Sums are modulo 2**32; of signed integers that would be undefined.
inline uint32_t rounded(float number) { return static_cast<uint32_t>(bits_of(number + ROUNDER)); }

// Whether work is worth waking other threads.
inline bool many(int64_t elements, int threads) { return threads > 1 && elements > 32768; }

template <class Kind>
int32_t largest_of(const Kind* from, int64_t count) {
  int32_t most = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t bare = magnitude(value(from[i]));
    most = bare > most ? bare : most;
  }
  return most;
}

template <class Kind>
void add_chunks(const Kind* from, int64_t count, int64_t chunk, const float* scales, int fresh,
                uint32_t start, uint32_t* total, int32_t* largest, int threads) {
  const int64_t chunks = (count + chunk - 1) / chunk;
#pragma omp parallel for num_threads(threads) if (many(count, threads))
  for (int64_t n = 0; n < chunks; ++n) {
    const int64_t size = std::min(chunk, count - n * chunk);
    const Kind* __restrict part = from + n * chunk;
    uint32_t* __restrict sums = total + n * chunk;
    const float scale = scales[n];
    int32_t most = 0;
    if (fresh) {
      for (int64_t i = 0; i < size; ++i) {
        const float x = value(part[i]);
        const int32_t bare = magnitude(x);
        most = bare > most ? bare : most;
        sums[i] = start + rounded(x * scale);
      }
    } else {
      for (int64_t i = 0; i < size; ++i) {
        const float x = value(part[i]);
        const int32_t bare = magnitude(x);
        most = bare > most ? bare : most;
        sums[i] += rounded(x * scale);
      }
    }
    largest[n] = most;
  }
}

template <class Kind>
int64_t look_at_rows(const Kind* from, int64_t rows, int64_t width, int32_t* largest, int threads) {
  int64_t all = 0;
#pragma omp parallel for num_threads(threads) if (many(rows * width, threads)) reduction(+ : all)
  for (int64_t row = 0; row < rows; ++row) {
    largest[row] = largest_of(from + row * width, width);
    all += largest[row];
  }
  return all;
}

struct Grid {
  const float* scales;
  const float* limits;
  uint32_t* sums;

  float scale(int64_t row, float most) const { return most < limits[row] ? scales[row] : 0.0f; }
};

template <class Kind>
int64_t add_rows(const Kind* from, int64_t rows, int64_t width, const int32_t* largest, Grid coarse,
                 Grid fine, const float* noise, int64_t noisy_rows, int fresh, uint32_t start,
                 int threads) {
  int64_t outliers = 0;
#pragma omp parallel for num_threads(threads) if (many(rows * width, threads)) reduction(+ : outliers)
  for (int64_t row = 0; row < rows; ++row) {
    const float most = float_of(static_cast<uint32_t>(largest[row]));
    const float by = coarse.scale(row, most), finely_by = fine.scale(row, most);
    outliers += !(most < coarse.limits[row]) && largest[row] < INFINITE;
    const Kind* __restrict part = from + row * width;
    const float* __restrict shake = noise + row % noisy_rows * width;
    uint32_t* __restrict sums = coarse.sums + row * width;
    uint32_t* __restrict fine_sums = fine.sums + row * width;
    if (fresh) {
      for (int64_t i = 0; i < width; ++i) {
        const float x = value(part[i]);
        sums[i] = start + rounded(shake[i] + x * by);
        fine_sums[i] = start + rounded(shake[i] + x * finely_by);
      }
    } else {
      for (int64_t i = 0; i < width; ++i) {
        const float x = value(part[i]);
        sums[i] += rounded(shake[i] + x * by);
        fine_sums[i] += rounded(shake[i] + x * finely_by);
      }
    }
  }
  return outliers;
}

}  // namespace

extern "C" {

void qmpi_add_chunks(const void* from, int is_half, int64_t count, int64_t chunk,
                     const float* scales, int fresh, uint32_t start, uint32_t* total,
                     int32_t* largest, int threads) {
  if (is_half) {
    add_chunks(static_cast<const uint16_t*>(from), count, chunk, scales, fresh, start, total,
               largest, threads);
  } else {
    add_chunks(static_cast<const float*>(from), count, chunk, scales, fresh, start, total, largest,
               threads);
  }
}

// Returns the sum of the bits of the largest elements.
int64_t qmpi_look_at_rows(const void* from, int is_half, int64_t rows, int64_t width,
                          int32_t* largest, int threads) {
  if (is_half) {
    return look_at_rows(static_cast<const uint16_t*>(from), rows, width, largest, threads);
  }
  return look_at_rows(static_cast<const float*>(from), rows, width, largest, threads);
}

// Returns how many rows fit neither grid and are finite.
int64_t qmpi_add_rows(const void* from, int is_half, int64_t rows, int64_t width,
                      const int32_t* largest, const float* scales, const float* limits,
                      uint32_t* sums, const float* fine_scales, const float* fine_limits,
                      uint32_t* fine_sums, const float* noise, int64_t noisy_rows, int fresh,
                      uint32_t start, int threads) {
  const Grid coarse{scales, limits, sums}, fine{fine_scales, fine_limits, fine_sums};
  if (is_half) {
    return add_rows(static_cast<const uint16_t*>(from), rows, width, largest, coarse, fine, noise,
                    noisy_rows, fresh, start, threads);
  }
  return add_rows(static_cast<const float*>(from), rows, width, largest, coarse, fine, noise,
                  noisy_rows, fresh, start, threads);
}

void qmpi_take_rows(const uint8_t* wanted, int64_t rows, int64_t width, const uint32_t* from,
                    uint32_t* to, int threads) {
#pragma omp parallel for num_threads(threads) if (many(rows * width, threads))
  for (int64_t row = 0; row < rows; ++row) {
    if (wanted[row]) std::memcpy(to + row * width, from + row * width, 4 * width);
  }
}

void qmpi_spread(const int32_t* total, int64_t count, int64_t chunk, const float* units,
                 float* mean, int threads) {
  const int64_t chunks = (count + chunk - 1) / chunk;
#pragma omp parallel for num_threads(threads) if (many(count, threads))
  for (int64_t n = 0; n < chunks; ++n) {
    const int64_t end = std::min(count, (n + 1) * chunk);
    const float unit = units[n];
    for (int64_t i = n * chunk; i < end; ++i) mean[i] = static_cast<float>(total[i]) * unit;
  }
}
}
