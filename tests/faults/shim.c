/* Faults on demand, below one folder: preloaded into a Python that forks a child for each fault (driver.py).

   Every call that changes that folder is counted by its kind; at the Nth of the chosen kinds the process is killed,
   the call fails, or a file is swapped. Calls elsewhere (stdout, caches) are none of our business. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, FSYNC = 2, RENAME = 4, CREATE = 8, REMOVE = 16, TRUNCATE = 32, READ = 64, OPEN = 128 };
enum { COUNT = 0, KILL = 1, HALF = 2, FAIL_ONCE = 3, FAIL_FROM = 4, SWAP = 5 };

static char root[PATH_MAX], suffix[256], decoy[PATH_MAX];
static int kinds, how, at, number, exchange, log_file = -1;
static atomic_int seen;

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

/* What the driver calls in its child. `log` gets one letter a counted call. */
void fault_arm(const char *folder, int chosen, int way, int nth, int error, int swaps, const char *name, const char *other,
               const char *log) {
  snprintf(root, sizeof root, "%s/", folder);
  snprintf(suffix, sizeof suffix, "%s", name);
  snprintf(decoy, sizeof decoy, "%s", other);
  how = way; at = nth; number = error; exchange = swaps; seen = 0;
  log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  kinds = chosen;
}

static int below(const char *path) {
  size_t length = strlen(root);
  return strncmp(path, root, length) == 0 || (strlen(path) == length - 1 && strncmp(path, root, length - 1) == 0);
}

static int resolve(int folder, const char *name, char *out) {
  char link[64], base[PATH_MAX]; ssize_t length;
  if (name && name[0] == '/') { snprintf(out, PATH_MAX, "%s", name); return 1; }
  if (folder == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
  else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    length = readlink(link, base, sizeof base - 1);
    if (length < 0) return 0;
    base[length] = 0;
  }
  if (!name) { snprintf(out, PATH_MAX, "%s", base); return 1; }
  return snprintf(out, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

/* 0: go on; 1: fail with `number`; 2: do half of it and die. */
static int fault(int kind, int folder, const char *name) {
  char path[PATH_MAX]; int now, saved = errno;
  if (!(kinds & kind) || !resolve(folder, name, path) || !below(path)) { errno = saved; return 0; }
  if (suffix[0] && (strlen(path) < strlen(suffix) || strcmp(path + strlen(path) - strlen(suffix), suffix))) {
    errno = saved; return 0;
  }
  now = ++seen;
  if (log_file >= 0) { ssize_t (*put)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write"); put(log_file, "x", 1); }
  errno = saved;
  if (now == at && how == KILL) die();
  if (now == at && how == HALF) { if (kind != WRITE) die(); return 2; }
  if (now == at && how == SWAP) { int (*move)(const char *, const char *) = dlsym(RTLD_NEXT, "rename"); move(decoy, path); }
  if ((now == at && how == FAIL_ONCE) || (now >= at && how == FAIL_FROM)) { errno = number; return 1; }
  return 0;
}

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  switch (fault(WRITE, fd, NULL)) { case 1: return -1; case 2: real(fd, data, size / 2); die(); }
  return real(fd, data, size);
}
ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
  REAL(sendfile);
  switch (fault(WRITE, out, NULL)) { case 1: return -1; case 2: real(out, in, offset, size / 2); die(); }
  return real(out, in, offset, size);
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
  REAL(sendfile64);
  switch (fault(WRITE, out, NULL)) { case 1: return -1; case 2: real(out, in, offset, size / 2); die(); }
  return real(out, in, offset, size);
}
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
  REAL(copy_file_range);
  switch (fault(WRITE, out, NULL)) { case 1: return -1; case 2: real(in, from, out, to, size / 2, flags); die(); }
  return real(in, from, out, to, size, flags);
}
ssize_t read(int fd, void *data, size_t size) { REAL(read); return fault(READ, fd, NULL) ? -1 : real(fd, data, size); }
int fsync(int fd) { REAL(fsync); return fault(FSYNC, fd, NULL) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return fault(FSYNC, fd, NULL) ? -1 : real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); return fault(TRUNCATE, fd, NULL) ? -1 : real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); return fault(TRUNCATE, fd, NULL) ? -1 : real(fd, size); }
int rename(const char *from, const char *to) {
  REAL(rename);
  return fault(RENAME, AT_FDCWD, to) ? -1 : real(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
  REAL(renameat);
  return fault(RENAME, b, to) ? -1 : real(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  REAL(renameat2);
  if (!exchange && kinds) { errno = EINVAL; return -1; } /* a file system on which names cannot change places */
  return fault(RENAME, b, to) ? -1 : real(a, from, b, to, flags);
}
int mkdir(const char *path, mode_t mode) { REAL(mkdir); return fault(CREATE, AT_FDCWD, path) ? -1 : real(path, mode); }
int unlink(const char *path) { REAL(unlink); return fault(REMOVE, AT_FDCWD, path) ? -1 : real(path); }
int unlinkat(int fd, const char *path, int flags) { REAL(unlinkat); return fault(REMOVE, fd, path) ? -1 : real(fd, path, flags); }
int rmdir(const char *path) { REAL(rmdir); return fault(REMOVE, AT_FDCWD, path) ? -1 : real(path); }

#define OPENING(name)                                                                                                  \
  int name(const char *path, int flags, ...) {                                                                        \
    mode_t mode = 0; REAL(name);                                                                                      \
    if (flags & O_CREAT) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }           \
    if (fault(flags & O_CREAT ? CREATE : OPEN, AT_FDCWD, path)) return -1;                                             \
    return real(path, flags, mode);                                                                                    \
  }
#define OPENING_AT(name)                                                                                              \
  int name(int folder, const char *path, int flags, ...) {                                                            \
    mode_t mode = 0; REAL(name);                                                                                      \
    if (flags & O_CREAT) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); }           \
    if (fault(flags & O_CREAT ? CREATE : OPEN, folder, path)) return -1;                                               \
    return real(folder, path, flags, mode);                                                                            \
  }
OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)
