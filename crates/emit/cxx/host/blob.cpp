// Where the constants' bytes are: behind the library's own file, or beside it.
//
// The library is [ELF][padding to a page][blob][trailer]; the trailer is the
// blob's offset and size, each a little-endian u64, and a 16-byte magic. The
// blob is mapped, never read: processes that load one file share its pages.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

namespace tt {

static const char MAGIC[17] = "TINTYPE-BLOB-v1";  // 15 letters and the NUL, 16 bytes

struct Trailer {
  uint64_t offset;
  uint64_t size;
  char magic[16];
};

static const uint64_t MAP_ALIGNMENT = 4096;

// A file that closes itself, however its scope is left.
struct File {
  int fd;

  explicit File(const char* path) : fd(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd >= 0) close(fd);
  }
};

static void map_range(const File& file, uint64_t offset, uint64_t size, Blob* blob) {
  // A page of this machine may be larger than the alignment in the file.
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t skip = offset % page;
  void* mapping = mmap(nullptr, size + skip, PROT_READ, MAP_PRIVATE, file.fd,
                       static_cast<off_t>(offset - skip));
  if (mapping == MAP_FAILED)
    tt_fail("mapping %llu bytes of constants failed", (unsigned long long)size);
  blob->mapping = mapping;
  blob->mapping_size = size + skip;
  blob->data = static_cast<const char*>(mapping) + skip;
}

// True if the file ends in a trailer; then the blob is mapped or does not fit.
static bool map_appended(const char* path, uint64_t size, Blob* blob) {
  const File file(path);
  struct stat status;
  if (file.fd < 0 || fstat(file.fd, &status)) return false;
  const uint64_t file_size = static_cast<uint64_t>(status.st_size);
  Trailer trailer;
  if (file_size < sizeof trailer ||
      pread(file.fd, &trailer, sizeof trailer,
            static_cast<off_t>(file_size - sizeof trailer)) != sizeof trailer ||
      memcmp(trailer.magic, MAGIC, sizeof trailer.magic))
    return false;
  if (trailer.size != size || trailer.offset % MAP_ALIGNMENT || trailer.offset > file_size ||
      file_size - trailer.offset != size + sizeof trailer)
    tt_fail("'%s': the constants behind the library (%llu bytes) are not those of the model "
            "(%llu bytes): the file is damaged",
            path, (unsigned long long)trailer.size, (unsigned long long)size);
  map_range(file, trailer.offset, size, blob);
  return true;
}

// "<library without .so>_weights.blob"; true if it is there.
static bool map_beside(const char* path, uint64_t size, Blob* blob) {
  const size_t length = strlen(path);
  if (length < 3 || strcmp(path + length - 3, ".so")) return false;
  char name[4096];
  if (snprintf(name, sizeof name, "%.*s_weights.blob", static_cast<int>(length - 3), path) >=
      static_cast<int>(sizeof name))
    return false;
  const File file(name);
  struct stat status;
  if (file.fd < 0 || fstat(file.fd, &status)) return false;
  if (static_cast<uint64_t>(status.st_size) != size)
    tt_fail("'%s' has %llu bytes, the model's constants have %llu", name,
            (unsigned long long)status.st_size, (unsigned long long)size);
  map_range(file, 0, size, blob);
  return true;
}

// The file behind the mapping that holds this library's table, from /proc/self/maps:
// right even where the path given to dlopen was relative and the directory changed.
static bool find_mapped_path(char* path, size_t capacity) {
  FILE* maps = fopen("/proc/self/maps", "re");
  if (!maps) return false;
  const uintptr_t address = reinterpret_cast<uintptr_t>(&tt_model_info);
  bool found = false;
  char line[4352];
  while (!found && fgets(line, sizeof line, maps)) {
    unsigned long start, end;
    int path_at = 0;
    if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &start, &end, &path_at) < 2 || !path_at ||
        address < start || end <= address)
      continue;
    line[strcspn(line, "\n")] = 0;
    found = line[path_at] == '/' &&
            snprintf(path, capacity, "%s", line + path_at) < static_cast<int>(capacity);
  }
  fclose(maps);
  return found;
}

void find_blob(uint64_t size, Blob* blob) {
  *blob = Blob();
  if (size == 0) return;
  Dl_info info;
  const char* loaded = dladdr(&tt_model_info, &info) ? info.dli_fname : nullptr;
  if (loaded && map_appended(loaded, size, blob)) return;
  char mapped[4096];
  const bool has_mapped = find_mapped_path(mapped, sizeof mapped);
  if (has_mapped && map_appended(mapped, size, blob)) return;
  if (loaded && map_beside(loaded, size, blob)) return;
  if (has_mapped) map_beside(mapped, size, blob);
}

void release_blob(Blob* blob) {
  if (blob->mapping) munmap(blob->mapping, blob->mapping_size);
  *blob = Blob();
}

}  // namespace tt
