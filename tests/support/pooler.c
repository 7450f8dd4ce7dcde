#include "pooler.h"

#include "patience.h"
#include "postgres_files.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "/usr/sbin/pgbouncer"
/* In the name of the socket only. */
#define PORT "6432"

struct pooler {
    pid_t pid;
    const char *directory; /* the server's */
};

__attribute__((format(printf, 3, 4))) static void write_file(const char *directory,
                                                             const char *name, const char *format,
                                                             ...)
{
    char path[128];
    va_list args;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    if (!file)
        postgres_die("%s cannot be written", path);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    if (fclose(file) != 0)
        postgres_die("%s cannot be written", path);
}

static void await_answers(const struct pooler *pooler)
{
    const char *const names[] = {"host", "port", "dbname", NULL};
    const char *const values[] = {pooler->directory, PORT, POSTGRES_DATABASE, NULL};
    time_t give_up = time(NULL) + PATIENCE_S;

    while (PQpingParams(names, values, 0) != PQPING_OK) {
        if (waitpid(pooler->pid, NULL, WNOHANG) == pooler->pid || time(NULL) > give_up) {
            postgres_print_log(pooler->directory);
            postgres_die("pgbouncer ends, or does not answer (see above)");
        }
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
}

struct pooler *pooler_start(const struct postgres_server *server, const char *mode, int sessions)
{
    struct pooler *pooler = calloc(1, sizeof *pooler);
    int port = postgres_server_port(server);

    if (!pooler)
        postgres_die("no memory");
    pooler->directory = postgres_server_directory(server);
    write_file(pooler->directory, "pooler.users", "\"%s\" \"%s\"\n\"%s\" \"%s\"\n", POSTGRES_USER,
               POSTGRES_PASSWORD, POSTGRES_SUPERUSER, POSTGRES_PASSWORD);
    write_file(pooler->directory, "pooler.ini",
               "[databases]\n* = host=%s port=%d\n"
               "[pgbouncer]\npool_mode = %s\ndefault_pool_size = %d\n"
               "listen_port = " PORT "\nunix_socket_dir = %s\n"
               "auth_type = plain\nauth_file = pooler.users\n"
               "server_login_retry = 1\nlog_connections = 0\nlog_disconnections = 0\n",
               pooler->directory, port > 0 ? port : 5432, mode, sessions, pooler->directory);
    const char *const argv[] = {PROGRAM, "-q", "pooler.ini", NULL};
    pooler->pid = postgres_launch((char *const *)(uintptr_t)argv, pooler->directory,
                                  postgres_find_identity());
    await_answers(pooler);
    return pooler;
}

void pooler_stop(struct pooler **pooler)
{
    if (!*pooler)
        return;
    kill((*pooler)->pid, SIGKILL);
    waitpid((*pooler)->pid, NULL, 0);
    free(*pooler);
    *pooler = NULL;
}

void pooler_url(const struct pooler *pooler, const char *database, char url_out[POSTGRES_URL_SIZE])
{
    snprintf(url_out, POSTGRES_URL_SIZE,
             "postgresql://%s:%s@:" PORT "/%s?host=%s&connect_timeout=30", POSTGRES_USER,
             POSTGRES_PASSWORD, database, pooler->directory);
}
