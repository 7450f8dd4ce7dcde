/*
 * The program under test, from outside: `cachewarden serve` as a child on a free port, and single
 * commands with their output. Nothing of the tester's own environment reaches the program but PATH
 * and the sanitizers' options; its working directory, users database and secret are in a fresh
 * folder of mode 0700 unless the test names one. A child dies with the thread that started it.
 *
 * Everything that goes wrong in here ends the check test with a message and the server's log.
 *
 *     struct cw_server server;
 *     cw_server_start(&server, &(struct cw_server_options){.environment = (const char *const[]){redis, NULL}});
 *     … http_client_new(server.base_url) …
 *     cw_server_stop(&server);
 */
#ifndef SUPPORT_CW_SERVER_H
#define SUPPORT_CW_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* For a server's environment: as many threads as outside of tests. */
#define CW_DEFAULT_THREADS "CACHEWARDEN_SERVER_THREADS="
/* For a Redis that is well: a busy machine is no fault of it. Three items of an environment. */
#define CW_PATIENT_WITH_REDIS                                                                  \
    "CACHEWARDEN_REDIS_BORROW_TIMEOUT_MS=60000", "CACHEWARDEN_REDIS_CONNECT_TIMEOUT_MS=60000", \
        "CACHEWARDEN_REDIS_COMMAND_TIMEOUT_MS=60000"

/* All lists end with NULL and may be NULL. */
struct cw_server_options {
    const char *const *arguments; /* behind "serve" */
    /*
     * "NAME=value", in place of or besides these: CACHEWARDEN_LISTEN=127.0.0.1:0,
     * DATABASE_URL=sqlite:FOLDER/users.db, REDIS_URL=redis://127.0.0.1:1/0 (nobody there),
     * CACHEWARDEN_SERVER_LAME_DUCK_S=0, CACHEWARDEN_SERVER_THREADS=8. An empty value counts as not
     * given: "CACHEWARDEN_LISTEN=" lets the configuration file decide.
     */
    const char *const *environment;
    const char *config;    /* text of a configuration file, or NULL for none */
    const char *directory; /* run there and leave it; NULL: a fresh folder, removed at the end */
    int log_fd;            /* standard error, borrowed; 0: the file log_path */
};

struct cw_server {
    pid_t pid;
    int port;          /* of the first listener */
    char base_url[64]; /* "http://127.0.0.1:PORT", of the first listener */
    char status[512];  /* its words at the start: "Listening on 127.0.0.1:41233, [::1]:8443s" */
    char directory[256];
    char log_path[300];    /* standard error */
    char output_path[300]; /* standard output */
    bool owns_directory;
    int notify; /* where it tells how it is; 0: not started */
};

/* Returns once it takes requests. */
void cw_server_start(struct cw_server *server, const struct cw_server_options *options);
/* SIGTERM, waits until it has ended, expects exit status 0, removes the folder. Harmless when it was stopped. */
void cw_server_stop(struct cw_server *server);

/* The port of listener `index` (order of server.listen). */
int cw_server_port(const struct cw_server *server, size_t index);
void cw_server_signal(const struct cw_server *server, int signal_number);
/* Waits for its next word to the service manager that has this text; the caller frees all of it. What
 * came before is skipped. */
char *cw_server_wait_notify(const struct cw_server *server, const char *text);
/* Waits until it has ended by itself or by a signal sent before: exit status, or minus the signal. */
int cw_server_wait(struct cw_server *server);
/* What it has logged so far; the caller frees it. */
char *cw_server_log(const struct cw_server *server);
/* Waits until the log has this text. */
void cw_server_wait_log(const struct cw_server *server, const char *text);

/* An account that is nobody's: what root runs as it can read what everybody may, and no more. Other testers
 * cannot read what they took from themselves. */
#define CW_NOBODY 61234

/* One command, run to its end. */
struct cw_command {
    const char *const *arguments;   /* behind "cachewarden" */
    const char *const *environment; /* as above */
    const char *input;              /* standard input; NULL: empty */
    const char
        *directory; /* NULL: the tester's own working directory; then no DATABASE_URL is set */
    bool is_nobody; /* as CW_NOBODY, if the tester is root */
};
struct cw_result {
    int status; /* exit status, or minus the signal */
    char *out;  /* NUL-terminated */
    char *err;
};
void cw_run(const struct cw_command *command, struct cw_result *result_out);
void cw_result_fini(struct cw_result *result);

/* A fresh folder of mode 0700 under the system's place for temporary files; the caller frees the name. */
char *cw_directory_new(void);
/* Removes it with all it holds, and frees the name. */
void cw_directory_remove(char **directory);
/* Writes a file of that mode into it. */
void cw_file_write(const char *directory, const char *name, const char *text, mode_t mode);
/* The text of a file, or NULL when there is none; the caller frees it. */
char *cw_file_read(const char *path);

#endif
