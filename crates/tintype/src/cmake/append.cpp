// Puts a model's constants behind its library: [library][zeros to a page][constants][trailer].
// The trailer is the constants' offset and size, little-endian, and a mark of sixteen bytes.
//
//     append LIBRARY CONSTANTS
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char MARK[17] = "TINTYPE-BLOB-v1";  // fifteen letters and the NUL
static const uint64_t PAGE = 4096;

static int fail(const char* path) {
  perror(path);
  return 1;
}

static void put(unsigned char* to, uint64_t value) {
  for (int i = 0; i < 8; i++) to[i] = static_cast<unsigned char>(value >> (8 * i));
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: append LIBRARY CONSTANTS\n");
    return 2;
  }
  FILE* constants = fopen(argv[2], "rb");
  if (!constants) return fail(argv[2]);
  FILE* library = fopen(argv[1], "ab");
  if (!library || fseek(library, 0, SEEK_END)) return fail(argv[1]);
  static const char zeros[PAGE] = {};
  const uint64_t end = static_cast<uint64_t>(ftell(library));
  const uint64_t start = (end + PAGE - 1) / PAGE * PAGE;
  if (fwrite(zeros, 1, start - end, library) != start - end) return fail(argv[1]);
  static char buffer[1 << 16];
  uint64_t size = 0;
  size_t count;
  while ((count = fread(buffer, 1, sizeof buffer, constants)) > 0) {
    if (fwrite(buffer, 1, count, library) != count) return fail(argv[1]);
    size += count;
  }
  if (ferror(constants)) return fail(argv[2]);
  unsigned char trailer[32];
  put(trailer, start);
  put(trailer + 8, size);
  memcpy(trailer + 16, MARK, 16);
  if (fwrite(trailer, 1, sizeof trailer, library) != sizeof trailer || fclose(library))
    return fail(argv[1]);
  return 0;
}
