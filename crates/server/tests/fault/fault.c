/* A disk that fails on request, laid over a process with LD_PRELOAD. For tests.
 *
 * Files opened under $FAULT_DIR are on that disk. Of the calls that change or sync them,
 * $FAULT_PER_MILLION in a million fail at random, from $FAULT_SEED, once $FAULT_AFTER have gone
 * through: with EIO or ENOSPC, or, for a write, with half of it written. While the file
 * $FAULT_CONTROL exists, every write fails with the error that it names (ENOSPC, EROFS, EIO).
 * Each failure adds a byte to $FAULT_COUNT, so that they are counted also when the process is killed. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096

enum kind { WRITE, SYNC, TRUNCATE };

static atomic_bool on_disk[FILES];
static atomic_ullong calls;
static const char *disk, *control;
static unsigned long long per_million, after, seed;
static int counter = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static unsigned long long number(const char *name) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *count = getenv("FAULT_COUNT");
    disk = getenv("FAULT_DIR");
    control = getenv("FAULT_CONTROL");
    per_million = number("FAULT_PER_MILLION");
    after = number("FAULT_AFTER");
    seed = number("FAULT_SEED");
    if (count)
        counter = REAL(open)(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int opened(int file, const char *path) {
    if (file >= 0 && file < FILES)
        on_disk[file] = disk && strncmp(path, disk, strlen(disk)) == 0;
    return file;
}

/* splitmix64: https://prng.di.unimi.it/splitmix64.c */
static uint64_t mixed(uint64_t number) {
    number += 0x9e3779b97f4a7c15ull;
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ull;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebull;
    return number ^ (number >> 31);
}

/* The error that the control file names, 0 without one. */
static int controlled(void) {
    char word[16] = {0};
    int file = control ? REAL(open)(control, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return 0;
    ssize_t length = read(file, word, sizeof word - 1);
    REAL(close)(file);
    if (length >= 6 && strncmp(word, "ENOSPC", 6) == 0)
        return ENOSPC;
    return strncmp(word, "EROFS", 5) == 0 ? EROFS : EIO;
}

static int failed(int error) {
    if (counter >= 0 && REAL(write)(counter, "x", 1) < 0)
        abort();
    errno = error;
    return 1;
}

/* Whether this call is to fail; `errno` says how. With `half`, 0 means that half of it is to be done. */
static int fails(int file, enum kind kind, int *half) {
    if (file < 0 || file >= FILES || !on_disk[file])
        return 0;
    int error = kind == SYNC ? 0 : controlled();
    if (error)
        return failed(error);
    uint64_t call = ++calls;
    uint64_t chance = mixed(seed ^ mixed(call));
    if (call <= after || chance % 1000000 >= per_million)
        return 0;
    switch ((chance >> 32) % 3) {
    case 0:
        return failed(EIO);
    case 1:
        return failed(kind == SYNC ? EIO : ENOSPC);
    default:
        if (!half)
            return failed(EIO);
        *half = 1;
        failed(0);
        return 0;
    }
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                    \
        va_end(rest);                                                                              \
        return opened(REAL(name)(path, flags, mode), path);                                        \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    int name(int dir, const char *path, int flags, ...) {                                          \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                    \
        va_end(rest);                                                                              \
        return opened(REAL(name)(dir, path, flags, mode), path);                                   \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
    if (file >= 0 && file < FILES)
        on_disk[file] = 0;
    return REAL(close)(file);
}

static size_t cut(size_t length, int half) { return half && length > 1 ? length / 2 : length; }

ssize_t write(int file, const void *from, size_t length) {
    int half = 0;
    return fails(file, WRITE, &half) ? -1 : REAL(write)(file, from, cut(length, half));
}

ssize_t pwrite(int file, const void *from, size_t length, off_t at) {
    int half = 0;
    return fails(file, WRITE, &half) ? -1 : REAL(pwrite)(file, from, cut(length, half), at);
}

ssize_t pwrite64(int file, const void *from, size_t length, off64_t at) {
    int half = 0;
    return fails(file, WRITE, &half) ? -1 : REAL(pwrite64)(file, from, cut(length, half), at);
}

ssize_t pwritev(int file, const struct iovec *from, int count, off_t at) {
    return fails(file, WRITE, NULL) ? -1 : REAL(pwritev)(file, from, count, at);
}

ssize_t pwritev64(int file, const struct iovec *from, int count, off64_t at) {
    return fails(file, WRITE, NULL) ? -1 : REAL(pwritev64)(file, from, count, at);
}

int fsync(int file) { return fails(file, SYNC, NULL) ? -1 : REAL(fsync)(file); }

int fdatasync(int file) { return fails(file, SYNC, NULL) ? -1 : REAL(fdatasync)(file); }

int ftruncate(int file, off_t length) {
    return fails(file, TRUNCATE, NULL) ? -1 : REAL(ftruncate)(file, length);
}

int ftruncate64(int file, off64_t length) {
    return fails(file, TRUNCATE, NULL) ? -1 : REAL(ftruncate64)(file, length);
}
