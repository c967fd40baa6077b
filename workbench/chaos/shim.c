/* Faults at system calls, for tests of what a process leaves behind: preloaded, it counts the C library's calls and
 * does what its rules say at the n-th one: kill the process, fail the call, hold it up, or set the clock.
 *
 * A rule is a line of the file CHAOS_RULES:   ACTION CALL SITE NTH WHEN ARGUMENT
 *   kill fdatasync spool.sqlite-wal 3 before 0        SIGKILL at the third one, before it is done (or "after")
 *   enospc pwrite spool.sqlite-wal 5 before 20        the fifth and the 19 that follow it fail: no space left
 *   eio fsync * 1 before 1                            the first one fails: input/output error (erofs: read-only)
 *   delay send http 2 before 300                      held up for 300 ms
 *   clock * * 100 before -3600000                     from there on the wall clock shows an hour less
 * "*" is any call, or any site. A site is a file's name, or a socket's by its port: CHAOS_PORTS is "opcua:4840,http:80".
 * A send that holds COMMIT is the call "commit". What was done is appended to CHAOS_LOG. CHAOS_CLOCK_MS sets the wall
 * clock off from the start. */

#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MOST_RULES 32
#define MOST_PORTS 8
#define NAME 64
#define PORT_NAME 16

struct rule {
    char action[NAME], call[NAME], site[NAME], when[NAME];
    long nth, argument, seen;
};

static struct rule rules[MOST_RULES];
static int rule_count;
static struct { char name[PORT_NAME]; int port; } ports[MOST_PORTS];
static int port_count;
static char log_path[4096];
static volatile long clock_ms;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;

/* The library's own function of the same name. */
#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void read_ports(const char *text) {
    port_count = 0;
    while (text && *text && port_count < MOST_PORTS) {
        if (sscanf(text, "%15[^:]:%d", ports[port_count].name, &ports[port_count].port) == 2) port_count++;
        text = strchr(text, ',');
        if (text) text++;
    }
}

/* Takes up the environment's rules; called at the start, and by a process that was forked with another environment. */
void chaos_arm(void) {
    const char *path = getenv("CHAOS_RULES"), *log = getenv("CHAOS_LOG"), *clock = getenv("CHAOS_CLOCK_MS");
    inside++;
    rule_count = 0;
    snprintf(log_path, sizeof log_path, "%s", log ? log : "");
    clock_ms = clock ? atol(clock) : 0;
    read_ports(getenv("CHAOS_PORTS"));
    FILE *file = path && *path ? fopen(path, "re") : NULL;
    if (file) {
        char line[512];
        while (rule_count < MOST_RULES && fgets(line, sizeof line, file)) {
            struct rule *one = &rules[rule_count];
            memset(one, 0, sizeof *one);
            if (sscanf(line, "%63s %63s %63s %ld %63s %ld", one->action, one->call, one->site, &one->nth, one->when,
                       &one->argument) == 6)
                rule_count++;
        }
        fclose(file);
    }
    inside--;
}

__attribute__((constructor)) static void begin(void) { chaos_arm(); }

static int port_of(int fd, int (*ask)(int, struct sockaddr *, socklen_t *)) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (ask(fd, (struct sockaddr *)&address, &size)) return -1;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -1;
}

static void base_name(const char *path, char *site) {
    const char *last = strrchr(path, '/');
    snprintf(site, NAME, "%.63s", last ? last + 1 : path);
    for (char *c = site; *c; c++)
        if (*c == ' ' || *c == '\n') *c = '_';
    if (!*site) snprintf(site, NAME, "-");
}

static void site_of(int fd, char *site) {
    struct stat about;
    if (fstat(fd, &about)) {
        snprintf(site, NAME, "closed");
    } else if (S_ISSOCK(about.st_mode)) {
        int peer = port_of(fd, getpeername), own = port_of(fd, getsockname);
        snprintf(site, NAME, "socket");
        for (int i = 0; i < port_count; i++)
            if (ports[i].port == peer || ports[i].port == own) snprintf(site, NAME, "%.15s", ports[i].name);
    } else if (S_ISREG(about.st_mode)) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, path, sizeof path - 1);
        path[size > 0 ? size : 0] = 0;
        base_name(path, site);
    } else {
        snprintf(site, NAME, "other");
    }
}

/* Past the interposed functions: they would count it. */
static void note(const struct rule *rule, const char *call, const char *site) {
    char line[512];
    int size = snprintf(line, sizeof line, "%s %s %s %ld %s %ld\n", rule->action, call, site, rule->nth, rule->when,
                        rule->argument);
    if (!*log_path) return;
    long fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, size);
    syscall(SYS_close, fd);
}

static int is_error(const struct rule *rule) { return rule->action[0] == 'e'; }

static int error_of(const struct rule *rule) {
    if (!strcmp(rule->action, "enospc")) return ENOSPC;
    return strcmp(rule->action, "erofs") ? EIO : EROFS;
}

/* What the rules say of this call. The error to fail with, 0 for none. */
static int at(const char *call, const char *site, const char *when) {
    int error = 0;
    long hold_ms = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->when, when) || (strcmp(rule->call, "*") && strcmp(rule->call, call)) ||
            (strcmp(rule->site, "*") && strcmp(rule->site, site)))
            continue;
        rule->seen++;
        if (is_error(rule)) {
            if (rule->seen < rule->nth || rule->seen >= rule->nth + rule->argument) continue;
            if (rule->seen == rule->nth) note(rule, call, site);
            error = error_of(rule);
            continue;
        }
        if (rule->seen != rule->nth) continue;
        note(rule, call, site);
        if (!strcmp(rule->action, "kill")) syscall(SYS_kill, getpid(), SIGKILL);
        if (!strcmp(rule->action, "delay")) hold_ms += rule->argument;
        if (!strcmp(rule->action, "clock")) clock_ms += rule->argument;
    }
    pthread_mutex_unlock(&lock);
    if (hold_ms) {
        struct timespec hold = {hold_ms / 1000, hold_ms % 1000 * 1000000};
        nanosleep(&hold, NULL);
    }
    return error;
}

static int before(const char *call, const char *site) {
    if (inside || !rule_count) return 0;
    int kept = errno;
    inside++;
    int error = at(call, site, "before");
    inside--;
    errno = error ? error : kept;
    return error;
}

static void after(const char *call, const char *site) {
    if (inside || !rule_count) return;
    int kept = errno;
    inside++;
    at(call, site, "after");
    inside--;
    errno = kept;
}

static void find_site(int fd, char *site) {
    if (!rule_count || inside) return;
    int kept = errno;
    inside++;
    site_of(fd, site);
    inside--;
    errno = kept;
}

#define ON_FILE(type, name, shown, parameters, arguments) \
    type name parameters { \
        REAL(name); \
        char site[NAME] = ""; \
        find_site(fd, site); \
        if (before(shown, site)) return -1; \
        type result = real arguments; \
        after(shown, site); \
        return result; \
    }

/* A transaction's end, of a client of PostgreSQL, is a kind of call of its own. */
static const char *kind_of(const void *bytes, size_t size) {
    return rule_count && !inside && bytes && memmem(bytes, size, "COMMIT", 6) ? "commit" : "send";
}

ON_FILE(int, fsync, "fsync", (int fd), (fd))
ON_FILE(int, fdatasync, "fdatasync", (int fd), (fd))
ON_FILE(ssize_t, write, "write", (int fd, const void *bytes, size_t size), (fd, bytes, size))
ON_FILE(ssize_t, writev, "write", (int fd, const struct iovec *parts, int count), (fd, parts, count))
ON_FILE(ssize_t, pwrite, "pwrite", (int fd, const void *bytes, size_t size, off_t place), (fd, bytes, size, place))
ON_FILE(ssize_t, pwrite64, "pwrite", (int fd, const void *bytes, size_t size, off64_t place), (fd, bytes, size, place))
ON_FILE(int, ftruncate, "ftruncate", (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, "ftruncate", (int fd, off64_t size), (fd, size))
ON_FILE(ssize_t, send, kind_of(bytes, size), (int fd, const void *bytes, size_t size, int flags), (fd, bytes, size, flags))
ON_FILE(ssize_t, sendto, kind_of(bytes, size),
        (int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length),
        (fd, bytes, size, flags, to, length))
ON_FILE(ssize_t, sendmsg, "send", (int fd, const struct msghdr *message, int flags), (fd, message, flags))
ON_FILE(ssize_t, recv, "recv", (int fd, void *bytes, size_t size, int flags), (fd, bytes, size, flags))
ON_FILE(ssize_t, recvfrom, "recv",
        (int fd, void *bytes, size_t size, int flags, struct sockaddr *from, socklen_t *length),
        (fd, bytes, size, flags, from, length))
ON_FILE(ssize_t, recvmsg, "recv", (int fd, struct msghdr *message, int flags), (fd, message, flags))

#define ON_PATH(name, shown, parameters, path, arguments) \
    int name parameters { \
        REAL(name); \
        char site[NAME]; \
        base_name(path, site); \
        if (before(shown, site)) return -1; \
        int result = real arguments; \
        after(shown, site); \
        return result; \
    }

ON_PATH(rename, "rename", (const char *from, const char *to), to, (from, to))
ON_PATH(renameat, "rename", (int from_fd, const char *from, int to_fd, const char *to), to, (from_fd, from, to_fd, to))
ON_PATH(unlink, "unlink", (const char *path), path, (path))
ON_PATH(unlinkat, "unlink", (int fd, const char *path, int flags), path, (fd, path, flags))

/* Only what makes files: opening for reading leaves nothing behind. */
#define ON_OPEN(name, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
        } \
        if (!(flags & O_CREAT)) return real arguments; \
        char site[NAME]; \
        base_name(path, site); \
        if (before("create", site)) return -1; \
        int result = real arguments; \
        after("create", site); \
        return result; \
    }

ON_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
ON_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
ON_OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
ON_OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

int clock_gettime(clockid_t which, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(which, now);
    if (!result && clock_ms && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        long long ns = now->tv_nsec + clock_ms % 1000 * 1000000LL;
        now->tv_sec += clock_ms / 1000 + (ns < 0 ? -1 : ns / 1000000000);
        now->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (where) *where = precise.tv_sec;
    return precise.tv_sec;
}
