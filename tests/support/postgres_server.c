#include "postgres_server.h"

#include "patience.h"
#include "postgres_files.h"
#include "redis_server.h"

#include <dirent.h>
#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX      32
#define PROCESSES_MAX 64

struct postgres_server {
    pid_t pid; /* 0: not running */
    int port;  /* also in the name of the socket */
    bool has_tcp;
    char directory[64];
    int lifeline;      /* its end is what the caretaker waits for */
    int shared_memory; /* SysV id that a killed one has left behind, or -1 */
    char *args[ARGS_MAX + 1];
    size_t args_count;
};

static void nap(void)
{
    const struct timespec two_ms = {0, 2000000};
    nanosleep(&two_ms, NULL);
}

/* ---- processes ---- */

/* The state and the parent in /proc/<pid>/stat; false when there is none. */
static bool process_stat(pid_t pid, char *state_out, pid_t *parent_out)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *name_end = strrchr(text, ')');
    if (!name_end || strlen(name_end) < 4)
        return false;
    *state_out = name_end[2];
    *parent_out = (pid_t)strtol(name_end + 4, NULL, 10);
    return true;
}

static size_t find_children(pid_t parent, pid_t pids[PROCESSES_MAX])
{
    size_t count = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        postgres_die("/proc: %s", strerror(errno));
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), its_parent;
        char state;
        if (pid > 0 && process_stat(pid, &state, &its_parent) && its_parent == parent) {
            if (count == PROCESSES_MAX)
                postgres_die("too many processes");
            pids[count++] = pid;
        }
    }
    closedir(proc);
    return count;
}

/* A test forked by check is not the parent; the one that is reaps it later. */
static bool is_gone(pid_t pid)
{
    char state;
    pid_t parent;
    if (waitpid(pid, NULL, WNOHANG) == pid || !process_stat(pid, &state, &parent))
        return true;
    if (state != 'Z')
        return false;
    /* It ended between the two looks: a server that is started takes what is not reaped for one that runs. */
    waitpid(pid, NULL, WNOHANG);
    return true;
}

static void wait_gone(const pid_t *pids, size_t count)
{
    time_t give_up = time(NULL) + PATIENCE_S;
    for (size_t i = 0; i < count; i++)
        for (; !is_gone(pids[i]); nap())
            if (time(NULL) > give_up)
                postgres_die("process %d does not end", (int)pids[i]);
}

static void wait_stopped(pid_t pid)
{
    char state;
    pid_t parent;
    while (process_stat(pid, &state, &parent) && state != 'Z' && state != 'T')
        nap();
}

/* ---- SQL ---- */

static PGconn *try_to_connect(const struct postgres_server *server, const char *database)
{
    char port[16];
    snprintf(port, sizeof port, "%d", server->port);
    const char *const options[][2] = {
        {"host", server->directory},
        {"port", port},
        {"user", POSTGRES_SUPERUSER},
        {"password", POSTGRES_PASSWORD},
        {"dbname", database},
        {"connect_timeout", "10"},
        {"options", "-c default_transaction_read_only=off"},
    };
    enum { COUNT = sizeof options / sizeof *options };
    const char *names[COUNT + 1] = {0}, *values[COUNT + 1] = {0};
    for (size_t i = 0; i < COUNT; i++) {
        names[i] = options[i][0];
        values[i] = options[i][1];
    }
    return PQconnectdbParams(names, values, 0);
}

/* The one to the database "postgres" is kept: a connection costs more than most questions. It is of the process
 * that made it, and of the thread that starts and stops servers. */
static struct {
    const struct postgres_server *server;
    PGconn *connection;
    pid_t owner;
} kept;

static void drop_kept(void)
{
    if (kept.owner == getpid())
        PQfinish(kept.connection);
    kept.connection = NULL;
}

static PGconn *connect_to(const struct postgres_server *server, const char *database)
{
    bool is_kept = strcmp(database, "postgres") == 0;
    if (is_kept && kept.connection && kept.server == server && kept.owner == getpid())
        return kept.connection;
    PGconn *connection = try_to_connect(server, database);
    if (PQstatus(connection) != CONNECTION_OK)
        postgres_die("%s", PQerrorMessage(connection));
    if (is_kept) {
        drop_kept();
        kept.server = server;
        kept.connection = connection;
        kept.owner = getpid();
    }
    return connection;
}

static PGresult *ask(const struct postgres_server *server, const char *database, const char *format,
                     va_list args)
{
    char *sql = NULL;
    if (vasprintf(&sql, format, args) < 0)
        postgres_die("no memory");
    PGconn *connection = connect_to(server, database);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        postgres_die("%s: %s", sql, PQerrorMessage(connection));
    if (connection != kept.connection)
        PQfinish(connection);
    free(sql);
    return result;
}

void postgres_server_do(const struct postgres_server *server, const char *database,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PQclear(ask(server, database, format, args));
    va_end(args);
}

static char *text_of(PGresult *result)
{
    if (PQntuples(result) != 1 || PQnfields(result) != 1)
        postgres_die("not one value");
    char *text = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

char *postgres_server_ask_text(const struct postgres_server *server, const char *database,
                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = text_of(ask(server, database, format, args));
    va_end(args);
    return text;
}

int64_t postgres_server_ask_integer(const struct postgres_server *server, const char *database,
                                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = text_of(ask(server, database, format, args)), *end;
    va_end(args);
    int64_t number = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        postgres_die("not a number: %s", text);
    free(text);
    return number;
}

/* ---- start and stop ---- */

static bool answers(struct postgres_server *server)
{
    PGconn *connection = try_to_connect(server, "postgres");
    bool yes = PQstatus(connection) == CONNECTION_OK;
    PQfinish(connection);
    return yes;
}

/* False when it ended before it answered: somebody else took the port. */
static bool run_server(struct postgres_server *server)
{
    char postgres[128], port[16], socket[96];
    postgres_find_program(postgres, sizeof postgres, "postgres");
    snprintf(port, sizeof port, "%d", server->port);
    snprintf(socket, sizeof socket, "unix_socket_directories=%s", server->directory);
    const char *argv[2 * ARGS_MAX + 40] = {postgres, "-D", "data", "-p", port};
    static const char *const settings[] = {
        "fsync=off",
        "full_page_writes=off",
        "autovacuum=off",
        "max_logical_replication_workers=0",
        "shared_buffers=16MB",
        /* In the directory, not in /dev/shm, where a killed one would leave it. */
        "dynamic_shared_memory_type=mmap",
    };
    size_t count = 5;
    argv[count++] = "-c", argv[count++] = socket;
    argv[count++] = "-c";
    argv[count++] = server->has_tcp ? "listen_addresses=127.0.0.1" : "listen_addresses=";
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        argv[count++] = "-c", argv[count++] = settings[i];
    for (size_t i = 0; i < server->args_count; i++)
        argv[count++] = "-c", argv[count++] = server->args[i];
    argv[count] = NULL;

    server->pid = postgres_launch((char *const *)(uintptr_t)argv, server->directory,
                                  postgres_find_identity());
    server->shared_memory = -1;
    time_t give_up = time(NULL) + PATIENCE_S;
    while (!answers(server)) {
        int status = 0;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                postgres_die("postgres is not installed");
            return false;
        }
        if (time(NULL) > give_up) {
            postgres_print_log(server->directory);
            postgres_die("no answer within %d s (see above)", PATIENCE_S);
        }
        nap();
    }
    return true;
}

struct postgres_server *postgres_server_start(const struct postgres_server_options *options)
{
    static const struct postgres_server_options plain;
    if (!options)
        options = &plain;
    struct postgres_server *server = calloc(1, sizeof *server);
    if (!server)
        postgres_die("no memory");
    server->has_tcp = options->tcp;
    for (; options->args && options->args[server->args_count]; server->args_count++) {
        if (server->args_count == ARGS_MAX)
            postgres_die("too many settings");
        server->args[server->args_count] = strdup(options->args[server->args_count]);
    }
    postgres_make_directory(server->directory, sizeof server->directory, postgres_find_identity());
    server->lifeline = postgres_start_caretaker(server->directory);
    char data[80];
    snprintf(data, sizeof data, "%s/data", server->directory);
    postgres_copy(postgres_template(), data);
    for (int attempt = 0; attempt < 5; attempt++) {
        /* Without TCP any number will do: it is the end of the socket's name. */
        server->port = server->has_tcp ? support_free_port() : 5432;
        if (run_server(server))
            return server;
    }
    postgres_print_log(server->directory);
    postgres_die("postgres ends at once (see above)");
}

/* The segment that only marks the data directory as in use; its id is in the seventh line. */
static int find_shared_memory(const struct postgres_server *server)
{
    char path[128], line[256];
    int id = -1, number = 0;
    snprintf(path, sizeof path, "%s/data/postmaster.pid", server->directory);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (++number == 7) {
            char *second;
            strtoul(line, &second, 10);
            id = (int)strtol(second, NULL, 10);
        }
    if (file)
        fclose(file);
    return id;
}

static void signal_all(const struct postgres_server *server, int signal_number)
{
    pid_t children[PROCESSES_MAX];
    size_t count = find_children(server->pid, children);
    for (size_t i = 0; i < count; i++)
        kill(children[i], signal_number);
    kill(server->pid, signal_number);
}

static void end(struct postgres_server *server, int signal_number)
{
    if (server->pid <= 0)
        return;
    drop_kept();
    signal_all(server, SIGCONT);
    kill(server->pid, signal_number);
    wait_gone(&server->pid, 1);
    server->pid = 0;
}

void postgres_server_shut_down(struct postgres_server *server)
{
    end(server, SIGINT);
}

void postgres_server_kill(struct postgres_server *server)
{
    pid_t all[PROCESSES_MAX + 1];
    drop_kept();
    server->shared_memory = find_shared_memory(server);
    /* First the one that would start new ones. */
    all[0] = server->pid;
    kill(server->pid, SIGSTOP);
    wait_stopped(server->pid);
    size_t count = 1 + find_children(server->pid, all + 1);
    for (size_t i = count; i-- > 0;)
        kill(all[i], SIGKILL);
    wait_gone(all, count);
    server->pid = 0;
}

void postgres_server_start_again(struct postgres_server *server)
{
    /* The old port may still be held by an accepted connection's end; the bind is retried. */
    for (int attempt = 0; attempt < 50; attempt++) {
        if (run_server(server))
            return;
        nap();
    }
    postgres_print_log(server->directory);
    postgres_die("it does not start again (see above)");
}

void postgres_server_stop(struct postgres_server **server)
{
    if (!*server)
        return;
    end(*server, SIGQUIT);
    if ((*server)->shared_memory >= 0)
        shmctl((*server)->shared_memory, IPC_RMID, NULL);
    postgres_remove_directory((*server)->directory);
    postgres_dismiss_caretaker((*server)->lifeline);
    for (size_t i = 0; i < (*server)->args_count; i++)
        free((*server)->args[i]);
    free(*server);
    *server = NULL;
}

void postgres_server_pause(struct postgres_server *server)
{
    pid_t children[PROCESSES_MAX];
    kill(server->pid, SIGSTOP);
    wait_stopped(server->pid);
    size_t count = find_children(server->pid, children);
    for (size_t i = 0; i < count; i++)
        kill(children[i], SIGSTOP);
    for (size_t i = 0; i < count; i++)
        wait_stopped(children[i]);
}

void postgres_server_resume(struct postgres_server *server)
{
    signal_all(server, SIGCONT);
}

/* ---- databases ---- */

/* In two sessions: what locks a database out of reach is undone from another one. */
void postgres_server_empty(const struct postgres_server *server)
{
    postgres_server_do(server, "postgres",
                       "SELECT pg_terminate_backend(pid, %d) FROM pg_stat_activity"
                       " WHERE datname = '" POSTGRES_DATABASE "';"
                       "ALTER DATABASE " POSTGRES_DATABASE
                       " ALLOW_CONNECTIONS true CONNECTION LIMIT -1;"
                       "ALTER DATABASE " POSTGRES_DATABASE " OWNER TO " POSTGRES_USER ";"
                       "ALTER DATABASE " POSTGRES_DATABASE " RESET ALL",
                       PATIENCE_MS);
    postgres_server_do(server, POSTGRES_DATABASE,
                       "SET client_min_messages = warning;"
                       "DO $$ DECLARE schema text; BEGIN"
                       " FOR schema IN SELECT nspname FROM pg_namespace"
                       "  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP"
                       "  EXECUTE format('DROP SCHEMA %%I CASCADE', schema);"
                       " END LOOP; END $$;"
                       "CREATE SCHEMA public AUTHORIZATION pg_database_owner;"
                       "GRANT USAGE ON SCHEMA public TO PUBLIC");
}

void postgres_server_url(const struct postgres_server *server, const char *database,
                         char url_out[POSTGRES_URL_SIZE])
{
    snprintf(url_out, POSTGRES_URL_SIZE, "postgresql://%s:%s@:%d/%s?host=%s&connect_timeout=30",
             POSTGRES_USER, POSTGRES_PASSWORD, server->port, database, server->directory);
}

void postgres_server_hasty_url(const struct postgres_server *server, const char *database,
                               char url_out[POSTGRES_URL_SIZE])
{
    postgres_server_url(server, database, url_out);
    *strrchr(url_out, '&') = '\0';
}

void postgres_server_tcp_url(int port, const char *database, char url_out[POSTGRES_URL_SIZE])
{
    snprintf(url_out, POSTGRES_URL_SIZE, "postgresql://%s:%s@127.0.0.1:%d/%s", POSTGRES_USER,
             POSTGRES_PASSWORD, port, database);
}

int postgres_server_port(const struct postgres_server *server)
{
    return server->has_tcp ? server->port : 0;
}

const char *postgres_server_directory(const struct postgres_server *server)
{
    return server->directory;
}
