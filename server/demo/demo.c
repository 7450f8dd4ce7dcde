#include "demo/demo_private.h"

#include "cachewarden/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* redis-server needs milliseconds; a machine that pages may need seconds. */
#define START_MS 20000
/* How long the redis-server of a demo that was killed may take to end. */
#define HANDOVER_MS 10000

/* ---- the folder ---- */

static enum err complain(struct error *error, const char *what)
{
    return error_set(error, ERR_UPSTREAM_DOWN, "demo: cannot %s: %s", what, strerror(errno));
}

static bool is_alive(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static pid_t read_pid(int fd)
{
    char text[24] = "";
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    int64_t pid = 0;
    while (size > 0 && text[size - 1] == '\n')
        size--;
    return size > 0 && str_to_int64((struct str){text, (size_t)size}, 1, INT32_MAX, &pid)
               ? (pid_t)pid
               : 0;
}

/*
 * The lock belongs to the open file, and redis-server inherits it: while either of the two lives,
 * nobody else uses the folder. So after a crash the next demo waits until redis-server is gone too.
 */
static enum err take_lock(struct demo *demo, struct error *error)
{
    int64_t deadline_ns = clock_deadline_ns(HANDOVER_MS);
    demo->lock = openat(demo->folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (demo->lock < 0)
        return complain(error, "make .cachewarden/lock");
    while (flock(demo->lock, LOCK_EX | LOCK_NB) != 0) {
        pid_t pid = read_pid(demo->lock);
        if (errno != EWOULDBLOCK)
            return complain(error, "lock .cachewarden/lock");
        if (is_alive(pid) || clock_mono_ns() > deadline_ns)
            return error_set(
                error, ERR_CONFLICT,
                "demo: one is running in this folder already (pid %d); stop it, or start "
                "this one in another folder",
                (int)pid);
        poll(NULL, 0, 10);
    }
    char text[24];
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(demo->lock, 0) != 0 || pwrite(demo->lock, text, (size_t)size, 0) != size)
        return complain(error, "write .cachewarden/lock");
    return ERR_OK;
}

static enum err open_folder(struct demo *demo, struct error *error)
{
    struct stat info;
    char here[DEMO_PATH_SIZE / 2];
    if (!getcwd(here, sizeof here))
        return complain(error, "find out where this is");
    snprintf(demo->path, sizeof demo->path, "%s/.cachewarden", strcmp(here, "/") == 0 ? "" : here);
    if (mkdir(demo->path, 0700) != 0 && errno != EEXIST)
        return complain(error, "make the folder .cachewarden");
    demo->folder = open(demo->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (demo->folder < 0 || fstat(demo->folder, &info) != 0)
        return complain(error, "open the folder .cachewarden");
    /* Passwords and keys will be in it. */
    if (info.st_uid != geteuid() || (info.st_mode & 077 && fchmod(demo->folder, 0700) != 0))
        return error_set(
            error, ERR_CONFLICT,
            "demo: the folder .cachewarden belongs to somebody else; start it in another "
            "folder");
    return take_lock(demo, error);
}

/* ---- redis-server ---- */

static bool is_program(const char *folder, size_t size)
{
    char path[DEMO_PATH_SIZE];
    snprintf(path, sizeof path, "%.*s/redis-server", (int)size, folder);
    return access(path, X_OK) == 0;
}

static bool is_installed(void)
{
    const char *path = getenv("PATH");
    for (; path && *path; path += strspn(path, ":")) {
        size_t size = strcspn(path, ":");
        if (is_program(path, size))
            return true;
        path += size;
    }
    return false;
}

/* In the child: only async-signal-safe calls. The socket's name is relative, so that a deep folder
 * is no problem for it. */
__attribute__((noreturn)) static void run_redis(const struct demo *demo, pid_t parent)
{
    static const char *const argv[] = {
        "redis-server", "--port",      "0",
        "--unixsocket", "redis.sock",  "--unixsocketperm",
        "700",          "--save",      "",
        "--appendonly", "yes",         "--appendfsync", /* app_own_redis relies on it */
        "always",       "--daemonize", "no",
        "--logfile",    "redis.log",   "--maxmemory-policy",
        "noeviction",   NULL,
    };
    sigset_t none;
    umask(077); /* its files hold tokens */
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* A group of its own: Ctrl-C in the terminal is for the server, which then ends this child. */
    if (getppid() != parent || setpgid(0, 0) != 0 || fchdir(demo->folder) != 0 || null < 0)
        _exit(126);
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static bool accepts(const struct demo *demo)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/redis.sock",
             demo->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return connected;
}

static enum err start_redis(struct demo *demo, struct error *error)
{
    if (!is_installed())
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "demo: redis-server is not installed; install it (Debian: apt install "
                         "redis-server, Fedora: dnf install redis), or run without --demo");
    /* Of a demo that was killed; nobody listens on it, for the lock is ours. */
    unlinkat(demo->folder, "redis.sock", 0);
    pid_t parent = getpid();
    demo->redis = fork();
    if (demo->redis == 0)
        run_redis(demo, parent);
    if (demo->redis < 0)
        return complain(error, "start redis-server");
    int64_t deadline_ns = clock_deadline_ns(START_MS);
    while (!accepts(demo)) {
        if (waitpid(demo->redis, NULL, WNOHANG) == demo->redis) {
            demo->redis = 0;
            return error_set(error, ERR_UPSTREAM_DOWN,
                             "demo: redis-server ended at once; see .cachewarden/redis.log");
        }
        if (clock_mono_ns() > deadline_ns)
            return error_set(error, ERR_UPSTREAM_DOWN,
                             "demo: redis-server does not answer; see .cachewarden/redis.log");
        poll(NULL, 0, 5);
    }
    return ERR_OK;
}

static void stop_redis(struct demo *demo)
{
    if (demo->redis <= 0)
        return;
    kill(demo->redis, SIGTERM);
    int64_t deadline_ns = clock_deadline_ns(HANDOVER_MS);
    while (waitpid(demo->redis, NULL, WNOHANG) == 0) {
        if (clock_mono_ns() > deadline_ns)
            kill(demo->redis, SIGKILL);
        poll(NULL, 0, 5);
    }
    demo->redis = 0;
}

/* ---- settings ---- */

/* Percent-encodes what a URL's path may not hold (RFC 3986 section 3.3). */
static void add_escaped(struct strbuf *out, struct str path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("/._-", c) != NULL;
        strbuf_addf(out, plain ? "%c" : "%%%02X", c);
    }
}

/* A socket's name has 107 bytes at most; through the opened folder it is short wherever that is,
 * and for commands beside the demo, too. */
static bool describe_socket(struct demo *demo)
{
    struct strbuf url;
    strbuf_init(&url, NULL, 256);
    strbuf_addf(&url, "unix://");
    if (strlen(demo->path) + sizeof "/redis.sock" <= sizeof((struct sockaddr_un *)NULL)->sun_path)
        add_escaped(&url, str_from(demo->path));
    else
        strbuf_addf(&url, "/proc/%d/fd/%d", (int)getpid(), demo->folder);
    strbuf_addf(&url, "/redis.sock");
    bool fits = !url.failed && url.len < sizeof demo->redis_url;
    if (fits)
        snprintf(demo->redis_url, sizeof demo->redis_url, "%.*s", STR_ARG(strbuf_str(&url)));
    strbuf_fini(&url);
    return fits;
}

static void fill_overrides(struct demo *demo)
{
    const struct config_override overrides[DEMO_OVERRIDES] = {
        {"redis.url", demo->redis_url, "--demo"},
        {"entries.redis_url", "", "--demo"}, /* none: nobody's entries are the demo's */
        {"users.database", "sqlite:.cachewarden/users.db", "--demo"},
        {"users.registration", "open", "--demo"},
        {"backup.directory", ".cachewarden/backups", "--demo"},
        {"auth.secret", "", "--demo"}, /* none: it makes its own, beside the database */
    };
    memcpy(demo->overrides, overrides, sizeof overrides);
}

const struct config_override *demo_overrides(const struct demo *demo, size_t *count_out)
{
    *count_out = DEMO_OVERRIDES;
    return demo->overrides;
}

pid_t demo_redis(const struct demo *demo)
{
    return demo->redis;
}

/* ---- life ---- */

enum err demo_open(struct demo **demo_out, struct error *error)
{
    struct demo *demo = calloc(1, sizeof *demo);
    *demo_out = NULL;
    if (!demo)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    demo->folder = demo->lock = -1;
    enum err err = open_folder(demo, error);
    if (err == ERR_OK && !describe_socket(demo))
        err = error_set(error, ERR_NO_MEMORY, "out of memory");
    if (err == ERR_OK)
        err = start_redis(demo, error);
    if (err != ERR_OK) {
        demo_close(&demo);
        return err;
    }
    fill_overrides(demo);
    *demo_out = demo;
    return ERR_OK;
}

void demo_close(struct demo **demo)
{
    struct demo *old = *demo;
    *demo = NULL;
    if (!old)
        return;
    stop_redis(old);
    if (old->lock >= 0)
        close(old->lock);
    if (old->folder >= 0)
        close(old->folder);
    secret_wipe(old, sizeof *old);
    free(old);
}
