#include "redis_server.h"
#include "patience.h"

#include <hiredis/hiredis.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX 64

struct redis_server {
    pid_t pid;
    int port, tls_port;
    bool has_tcp, has_unix, has_tls;
    char directory[64];
    char socket[96];
    char url[64];
    char unix_url[128];
    char *args[ARGS_MAX + 1];
    size_t args_count;
    char config[96]; /* path; "": none */
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("redis_server: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

static void nap(void)
{
    const struct timespec two_ms = {0, 2000000};
    nanosleep(&two_ms, NULL);
}

/* The socket stays open, bound and not listening: the kernel gives the port to nobody who asks for any, and lets
 * the server have it that asks for this one with SO_REUSEADDR, as all do. While that server is away, too. */
int support_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("no free port: %s", strerror(errno));
    return ntohs(address.sin_port);
}

/* Only async-signal-safe calls: other threads of the test may hold any lock at fork. */
static void child_run(char *const *argv, const char *directory, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(directory) != 0)
        _exit(126);
    int log = open("redis.log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0)
        _exit(126);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    _exit(127);
}

static redisContext *dial(const struct redis_server *server)
{
    const struct timeval patience = {PATIENCE_S, 0};
    redisContext *context = server->has_tcp
                                ? redisConnectWithTimeout("127.0.0.1", server->port, patience)
                                : redisConnectUnixWithTimeout(server->socket, patience);
    if (context && context->err == 0)
        redisSetTimeout(context, patience);
    return context;
}

/* An error reply is an answer too: a server with a password says NOAUTH. */
static bool answers(const struct redis_server *server)
{
    redisContext *context = dial(server);
    redisReply *reply = context && context->err == 0 ? redisCommand(context, "PING") : NULL;
    bool yes =
        reply && !(reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING", 7) == 0);
    if (reply)
        freeReplyObject(reply);
    if (context)
        redisFree(context);
    return yes;
}

static bool has_socket(const struct redis_server *server)
{
    struct stat info;
    return !server->has_unix || stat(server->socket, &info) == 0;
}

/* False when it ended before it answered: somebody else took the port. */
static bool launch(struct redis_server *server)
{
    char port[16], tls_port[16];
    snprintf(port, sizeof port, "%d", server->has_tcp ? server->port : 0);
    snprintf(tls_port, sizeof tls_port, "%d", server->tls_port);
    const char *argv[ARGS_MAX + 26] = {"redis-server", server->config,
                                       "--port",       port,
                                       "--bind",       "127.0.0.1",
                                       "--save",       "",
                                       "--appendonly", "no",
                                       "--daemonize",  "no",
                                       "--dir",        server->directory,
                                       "--logfile",    ""};
    size_t count = 16, first = server->config[0] ? 0 : 1; /* without a file its name is left out */
    if (server->has_unix) {
        argv[count++] = "--unixsocket";
        argv[count++] = server->socket;
    }
    if (server->has_tls) {
        argv[count++] = "--tls-port";
        argv[count++] = tls_port;
    }
    for (size_t i = 0; i < server->args_count; i++)
        argv[count++] = server->args[i];
    argv[count] = NULL;
    if (first)
        argv[1] = argv[0];

    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid < 0)
        die("fork: %s", strerror(errno));
    if (server->pid == 0)
        child_run((char *const *)(uintptr_t)(argv + first), server->directory, parent);

    time_t give_up = time(NULL) + PATIENCE_S;
    while (!answers(server) || !has_socket(server)) {
        int status = 0;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                die("redis-server is not installed");
            return false;
        }
        if (time(NULL) > give_up)
            die("no answer within %d s; see %s/redis.log", PATIENCE_S, server->directory);
        nap();
    }
    return true;
}

static void print_log(const struct redis_server *server)
{
    char path[128];
    snprintf(path, sizeof path, "%s/redis.log", server->directory);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    char line[512];
    while (fgets(line, sizeof line, file))
        fputs(line, stderr);
    fclose(file);
}

static void write_config(struct redis_server *server, const char *text)
{
    snprintf(server->config, sizeof server->config, "%s/redis.conf", server->directory);
    FILE *file = fopen(server->config, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        die("cannot write %s", server->config);
}

struct redis_server *redis_server_start(const struct redis_server_options *options)
{
    static const struct redis_server_options tcp_only;
    if (!options)
        options = &tcp_only;
    struct redis_server *server = calloc(1, sizeof *server);
    if (!server)
        die("no memory");
    server->has_tcp = !options->no_tcp;
    server->has_unix = options->unix_socket || options->no_tcp;
    server->has_tls = options->tls;
    snprintf(server->directory, sizeof server->directory, "/tmp/cw-redis-XXXXXX");
    if (!mkdtemp(server->directory))
        die("mkdtemp: %s", strerror(errno));
    snprintf(server->socket, sizeof server->socket, "%s/redis.sock", server->directory);
    snprintf(server->unix_url, sizeof server->unix_url, "unix://%s", server->socket);
    if (options->config)
        write_config(server, options->config);
    for (; options->args && options->args[server->args_count]; server->args_count++) {
        if (server->args_count == ARGS_MAX)
            die("too many arguments");
        server->args[server->args_count] = strdup(options->args[server->args_count]);
    }
    for (int attempt = 0; attempt < 5; attempt++) {
        server->port = server->has_tcp ? support_free_port() : 0;
        server->tls_port = server->has_tls ? support_free_port() : 0;
        snprintf(server->url, sizeof server->url, "redis://127.0.0.1:%d/0", server->port);
        if (launch(server))
            return server;
    }
    print_log(server);
    die("redis-server ends at once (see above)");
}

/* The state letter of /proc/<pid>/stat: 'T' stopped, 'Z' ended but not reaped; 0: it is gone. */
static char process_state(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] ? name_end[2] : (char)0;
}

static void wait_for_end(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0) {
        if (errno == EINTR)
            continue;
        /* A test forked by check is not the parent; the one that is reaps it later. */
        char state = process_state(pid);
        if (state == 0 || state == 'Z')
            return;
        nap();
    }
}

static void end(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    wait_for_end(server->pid);
    server->pid = 0;
}

static void remove_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    if (dir) {
        for (struct dirent *entry; (entry = readdir(dir));)
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                unlinkat(dirfd(dir), entry->d_name, 0);
        closedir(dir);
    }
    rmdir(directory);
}

void redis_server_stop(struct redis_server **server)
{
    if (!*server)
        return;
    end(*server);
    remove_directory((*server)->directory);
    for (size_t i = 0; i < (*server)->args_count; i++)
        free((*server)->args[i]);
    free(*server);
    *server = NULL;
}

int redis_server_port(const struct redis_server *server)
{
    return server->port;
}

int redis_server_tls_port(const struct redis_server *server)
{
    return server->tls_port;
}

const char *redis_server_url(const struct redis_server *server)
{
    return server->has_tcp ? server->url : server->unix_url;
}

const char *redis_server_unix_url(const struct redis_server *server)
{
    return server->has_unix ? server->unix_url : NULL;
}

const char *redis_server_socket(const struct redis_server *server)
{
    return server->has_unix ? server->socket : NULL;
}

const char *redis_server_directory(const struct redis_server *server)
{
    return server->directory;
}

pid_t redis_server_pid(const struct redis_server *server)
{
    return server->pid;
}

void redis_server_kill(struct redis_server *server)
{
    end(server);
}

void redis_server_restart(struct redis_server *server)
{
    end(server);
    unlink(server->socket);
    /* The old port may still be held by an accepted connection's end; the bind is retried. */
    for (int attempt = 0; attempt < 50; attempt++) {
        if (launch(server))
            return;
        nap();
    }
    print_log(server);
    die("it does not start again (see above)");
}

void redis_server_pause(struct redis_server *server)
{
    if (kill(server->pid, SIGSTOP) != 0)
        die("SIGSTOP: %s", strerror(errno));
    for (char state; (state = process_state(server->pid)) != 'T'; nap())
        if (state == 0 || state == 'Z')
            die("it ended instead of stopping");
}

void redis_server_resume(struct redis_server *server)
{
    if (kill(server->pid, SIGCONT) != 0)
        die("SIGCONT: %s", strerror(errno));
}

static redisReply *ask(const struct redis_server *server, const char *format, va_list args)
{
    redisContext *context = dial(server);
    if (!context || context->err)
        die("no connection: %s", context ? context->errstr : "no memory");
    redisReply *reply = redisvCommand(context, format, args);
    if (!reply)
        die("no answer to %s: %s", format, context->errstr);
    redisFree(context);
    return reply;
}

redisReply *redis_server_ask(const struct redis_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    return reply;
}

int64_t redis_server_ask_integer(const struct redis_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    int64_t number = 0;
    if (reply->type == REDIS_REPLY_INTEGER)
        number = reply->integer;
    else if (reply->type == REDIS_REPLY_STRING)
        number = strtoll(reply->str, NULL, 10);
    else
        die("%s: no number but %s", format, reply->str ? reply->str : "(nil)");
    freeReplyObject(reply);
    return number;
}

int64_t redis_server_calls(const struct redis_server *server, const char *command)
{
    redisReply *reply = redis_server_ask(server, "INFO commandstats");
    char wanted[64];
    snprintf(wanted, sizeof wanted, "cmdstat_%s:calls=", command);
    const char *found = strstr(reply->str, wanted);
    int64_t calls = found ? strtoll(found + strlen(wanted), NULL, 10) : 0;
    freeReplyObject(reply);
    return calls;
}

void redis_server_wait_calls(const struct redis_server *server, const char *command, int64_t wanted)
{
    for (int waited_ms = 0; redis_server_calls(server, command) < wanted; waited_ms += 10) {
        if (waited_ms > PATIENCE_MS)
            die("%s was not called %lld times", command, (long long)wanted);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

void redis_server_do(const struct redis_server *server, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(server, format, args);
    va_end(args);
    if (reply->type == REDIS_REPLY_ERROR)
        die("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

int64_t redis_server_cpu_us(const struct redis_server *server)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server->pid);
    FILE *file = fopen(path, "re");
    if (!file)
        die("%s: %s", path, strerror(errno));
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    /* The name in parentheses may hold blanks; utime and stime are words 12 and 13 behind it. */
    char *word = strrchr(text, ')');
    for (int i = 0; word && i < 12; i++)
        word = strchr(word + 1, ' ');
    if (!word)
        die("%s: unexpected form", path);
    char *end;
    int64_t ticks = strtoll(word, &end, 10);
    ticks += strtoll(end, NULL, 10);
    return ticks * (1000000 / sysconf(_SC_CLK_TCK));
}
