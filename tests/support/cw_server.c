#include "cw_server.h"
#include "patience.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIST_MAX 64

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void nap(void)
{
    const struct timespec two_ms = {0, 2000000};
    nanosleep(&two_ms, NULL);
}

/* ---- files ---- */

char *cw_directory_new(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    ck_assert_int_gt(asprintf(&path, "%s/cw-test-XXXXXX", parent && *parent ? parent : "/tmp"), 0);
    ck_assert_msg(mkdtemp(path) != NULL, "mkdtemp %s: %s", path, strerror(errno));
    return path;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void cw_directory_remove(char **directory)
{
    if (!*directory)
        return;
    nftw(*directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(*directory);
    *directory = NULL;
}

void cw_file_write(const char *directory, const char *name, const char *text, mode_t mode)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static char *read_all(int fd)
{
    size_t size = 0, room = 65536;
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    for (;;) {
        if (size + 1 == room)
            ck_assert_ptr_nonnull(text = realloc(text, room *= 2));
        ssize_t got = read(fd, text + size, room - size - 1);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    text[size] = '\0';
    return text;
}

char *cw_file_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = read_all(fd);
    close(fd);
    return text;
}

/* ---- the child ---- */

/* A list of "NAME=value"; a later one of the same name takes the place of the earlier. */
struct environment {
    char *items[LIST_MAX + 1];
    size_t count;
};

static void environment_put(struct environment *environment, const char *item)
{
    size_t name = strcspn(item, "=") + 1;
    char *copy = strdup(item);
    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->items[i], item, name) == 0) {
            free(environment->items[i]);
            environment->items[i] = copy;
            return;
        }
    ck_assert_uint_lt(environment->count, LIST_MAX);
    environment->items[environment->count++] = copy;
}

static void environment_put_named(struct environment *environment, const char *name,
                                  const char *value)
{
    char *item = NULL;
    ck_assert_int_gt(asprintf(&item, "%s=%s", name, value), 0);
    environment_put(environment, item);
    free(item);
}

static void environment_init(struct environment *environment, const char *directory,
                             const char *const *more)
{
    static const char *const kept[] = {
        "PATH",         "TMPDIR",       "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE",
        "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",    "UBSAN_OPTIONS"};
    memset(environment, 0, sizeof *environment);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (getenv(kept[i]))
            environment_put_named(environment, kept[i], getenv(kept[i]));
    environment_put(environment, "LANG=C.UTF-8");
    environment_put(environment, "CACHEWARDEN_LISTEN=127.0.0.1:0");
    environment_put(environment, "REDIS_URL=redis://127.0.0.1:1/0");
    /* No load balancer has to notice that a test's server stops. */
    environment_put(environment, "CACHEWARDEN_SERVER_LAME_DUCK_S=0");
    if (directory) {
        char url[300];
        snprintf(url, sizeof url, "sqlite:%s/users.db", directory);
        environment_put_named(environment, "DATABASE_URL", url);
        environment_put_named(environment, "HOME", directory);
    }
    for (; more && *more; more++)
        environment_put(environment, *more);
}

static void environment_fini(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        free(environment->items[i]);
}

struct child_files {
    int in, out, err;
};

/* Before the credentials change: the way to the program may be closed to nobody. */
static void execute(char *const *argv, char *const *environment, bool is_nobody)
{
    int program = open(argv[0], O_RDONLY | O_CLOEXEC);
    if (is_nobody && geteuid() == 0 &&
        (syscall(SYS_setgroups, 0, NULL) != 0 ||
         syscall(SYS_setresgid, CW_NOBODY, CW_NOBODY, CW_NOBODY) != 0 ||
         syscall(SYS_setresuid, CW_NOBODY, CW_NOBODY, CW_NOBODY) != 0))
        _exit(126);
    fexecve(program, argv, environment);
    _exit(127);
}

/* Only async-signal-safe calls in the child: other threads of the test may hold any lock at fork. */
static pid_t launch(char *const *argv, char *const *environment, const char *directory,
                    struct child_files files, bool is_nobody)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    ck_assert_msg(pid >= 0, "fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (directory && chdir(directory) != 0))
        _exit(126);
    dup2(files.in, STDIN_FILENO);
    dup2(files.out, STDOUT_FILENO);
    dup2(files.err, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execute(argv, environment, is_nobody);
    _exit(127);
}

static void fill_argv(char *argv[LIST_MAX + 1], const char *const *first, const char *const *more)
{
    size_t count = 0;
    argv[count++] = (char *)(uintptr_t)CW_BINARY;
    for (; first && *first; first++)
        argv[count++] = (char *)(uintptr_t)*first;
    for (; more && *more; more++) {
        ck_assert_uint_lt(count, LIST_MAX);
        argv[count++] = (char *)(uintptr_t)*more;
    }
    argv[count] = NULL;
}

/* Exit status, or minus the signal. */
static int wait_status(pid_t pid)
{
    int status = 0;
    int64_t give_up = now_ms() + PATIENCE_MS;
    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (now_ms() > give_up) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            ck_abort_msg("the program did not end within %d s", PATIENCE_MS / 1000);
        }
        nap();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- the server ---- */

char *cw_server_log(const struct cw_server *server)
{
    char *text = cw_file_read(server->log_path);
    return text ? text : strdup("");
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail_server(struct cw_server *server,
                                                                        const char *format, ...)
{
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    char *log = cw_server_log(server);
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    ck_abort_msg("%s; its log:\n%s", what, log);
}

/* The program tells of its start as services tell systemd: a datagram "READY=1\nSTATUS=…". */
static int open_notify(struct sockaddr_un *address, const char *directory)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(address->sun_path, sizeof address->sun_path, "%s/notify", directory);
    ck_assert_msg(size > 0 && (size_t)size < sizeof address->sun_path, "%s: too long for a socket",
                  directory);
    unlink(address->sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(fd >= 0 && bind(fd, (struct sockaddr *)address, sizeof *address) == 0, "%s: %s",
                  address->sun_path, strerror(errno));
    return fd;
}

static void wait_ready(struct cw_server *server, int notify)
{
    char text[1024];
    int process = (int)syscall(SYS_pidfd_open, server->pid, 0);
    ck_assert_msg(process >= 0, "pidfd_open: %s", strerror(errno));
    int64_t give_up = now_ms() + PATIENCE_MS;
    for (bool ready = false; !ready;) {
        struct pollfd fds[] = {{.fd = notify, .events = POLLIN}, {.fd = process, .events = POLLIN}};
        int64_t left = give_up - now_ms();
        if (left <= 0 || poll(fds, 2, (int)left) == 0)
            fail_server(server, "the server was not ready within %d s", PATIENCE_MS / 1000);
        if (!(fds[0].revents & POLLIN)) {
            int status = wait_status(server->pid);
            server->pid = 0;
            fail_server(server, "the server ended at its start with %d", status);
        }
        ssize_t size = recv(notify, text, sizeof text - 1, 0);
        ck_assert_int_gt(size, 0);
        text[size] = '\0';
        ready = strstr(text, "READY=1") != NULL;
    }
    close(process);
    const char *status = strstr(text, "STATUS=");
    if (!status)
        fail_server(server, "the server did not say where it listens: %s", text);
    snprintf(server->status, sizeof server->status, "%.*s", (int)strcspn(status + 7, "\n"),
             status + 7);
}

/* The listener's words in "Listening on A, B": between the blank before it and the next comma. */
static const char *listener(const struct cw_server *server, size_t index, size_t *size_out)
{
    static const char intro[] = "Listening on ";
    const char *at = strstr(server->status, intro);
    ck_assert_msg(at != NULL, "no listeners in \"%s\"", server->status);
    at += sizeof intro - 1;
    for (; index > 0; index--) {
        at = strchr(at, ',');
        ck_assert_msg(at != NULL, "too few listeners in \"%s\"", server->status);
        at += strspn(at, ", ");
    }
    *size_out = strcspn(at, ",");
    return at;
}

int cw_server_port(const struct cw_server *server, size_t index)
{
    size_t size;
    const char *at = listener(server, index, &size);
    const char *port = at;
    for (const char *c = at; c < at + size; c++)
        if (*c == ':')
            port = c + 1;
    return (int)strtol(port, NULL, 10);
}

void cw_server_start(struct cw_server *server, const struct cw_server_options *options)
{
    static const struct cw_server_options plain;
    static const char *const serve[] = {"serve", NULL};
    static const char *const serve_config[] = {"serve", "--config", "test.conf", NULL};
    /* The default is 64, and under ThreadSanitizer each takes milliseconds. */
    static const char *const few_threads[] = {"CACHEWARDEN_SERVER_THREADS=8", NULL};
    if (!options)
        options = &plain;
    memset(server, 0, sizeof *server);
    if (options->directory) {
        snprintf(server->directory, sizeof server->directory, "%s", options->directory);
    } else {
        char *fresh = cw_directory_new();
        snprintf(server->directory, sizeof server->directory, "%s", fresh);
        free(fresh);
        server->owns_directory = true;
    }
    snprintf(server->log_path, sizeof server->log_path, "%s/stderr", server->directory);
    snprintf(server->output_path, sizeof server->output_path, "%s/stdout", server->directory);
    if (options->config)
        cw_file_write(server->directory, "test.conf", options->config, 0600);

    struct sockaddr_un address;
    int notify = open_notify(&address, server->directory);
    struct environment environment;
    environment_init(&environment, server->directory, few_threads);
    for (const char *const *item = options->environment; item && *item; item++)
        environment_put(&environment, *item);
    environment_put_named(&environment, "NOTIFY_SOCKET", address.sun_path);
    char *argv[LIST_MAX + 1];
    fill_argv(argv, options->config ? serve_config : serve, options->arguments);
    struct child_files files = {
        .in = open("/dev/null", O_RDONLY | O_CLOEXEC),
        .out = open(server->output_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
        .err = open(server->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600),
    };
    if (options->log_fd > 0)
        dup3(options->log_fd, files.err, O_CLOEXEC);
    server->pid = launch(argv, environment.items, server->directory, files, false);
    close(files.in), close(files.out), close(files.err);
    environment_fini(&environment);

    wait_ready(server, notify);
    server->notify = notify;
    server->port = cw_server_port(server, 0);
    size_t size;
    const char *at = listener(server, 0, &size);
    bool tls = size > 0 && at[size - 1] == 's';
    snprintf(server->base_url, sizeof server->base_url, "http%s://%.*s", tls ? "s" : "",
             (int)(tls ? size - 1 : size), at);
}

void cw_server_signal(const struct cw_server *server, int signal_number)
{
    ck_assert_int_gt(server->pid, 0);
    ck_assert_int_eq(kill(server->pid, signal_number), 0);
}

int cw_server_wait(struct cw_server *server)
{
    ck_assert_int_gt(server->pid, 0);
    int status = wait_status(server->pid);
    server->pid = 0;
    return status;
}

void cw_server_stop(struct cw_server *server)
{
    if (server->pid > 0) {
        cw_server_signal(server, SIGTERM);
        int status = cw_server_wait(server);
        if (status != 0)
            fail_server(server, "the server ended with %d", status);
    }
    if (server->notify > 0)
        close(server->notify);
    server->notify = 0;
    if (server->owns_directory) {
        char *directory = strdup(server->directory);
        cw_directory_remove(&directory);
        server->owns_directory = false;
    }
}

char *cw_server_wait_notify(const struct cw_server *server, const char *text)
{
    char word[1024];
    int64_t give_up = now_ms() + PATIENCE_MS;
    for (;;) {
        struct pollfd fd = {.fd = server->notify, .events = POLLIN};
        int64_t left = give_up - now_ms();
        if (left <= 0 || poll(&fd, 1, (int)left) == 0)
            ck_abort_msg("the server never told the manager \"%s\"", text);
        ssize_t size = recv(server->notify, word, sizeof word - 1, 0);
        ck_assert_int_gt(size, 0);
        word[size] = '\0';
        if (strstr(word, text))
            return strdup(word);
    }
}

void cw_server_wait_log(const struct cw_server *server, const char *text)
{
    int64_t give_up = now_ms() + PATIENCE_MS;
    for (;;) {
        char *log = cw_server_log(server);
        bool found = strstr(log, text) != NULL;
        if (!found && now_ms() > give_up)
            ck_abort_msg("\"%s\" never came up in the log:\n%s", text, log);
        free(log);
        if (found)
            return;
        nap();
    }
}

/* ---- one command ---- */

/* A nameless file: a command may write any amount without anybody reading. */
static int scratch(const char *text)
{
    int fd = (int)syscall(SYS_memfd_create, "cw-command", 1u /* close on exec */);
    ck_assert_msg(fd >= 0, "memfd_create: %s", strerror(errno));
    if (text) {
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    }
    return fd;
}

static char *take_text(int fd)
{
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    char *text = read_all(fd);
    close(fd);
    return text;
}

void cw_run(const struct cw_command *command, struct cw_result *result_out)
{
    char *argv[LIST_MAX + 1];
    fill_argv(argv, command->arguments, NULL);
    struct environment environment;
    environment_init(&environment, command->directory, command->environment);
    struct child_files files = {scratch(command->input), scratch(NULL), scratch(NULL)};
    pid_t pid = launch(argv, environment.items, command->directory, files, command->is_nobody);
    environment_fini(&environment);
    result_out->status = wait_status(pid);
    close(files.in);
    result_out->out = take_text(files.out);
    result_out->err = take_text(files.err);
}

void cw_result_fini(struct cw_result *result)
{
    free(result->out);
    free(result->err);
    result->out = result->err = NULL;
}
