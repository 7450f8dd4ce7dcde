/*
 * A private redis-server for one test: on a free TCP port of 127.0.0.1, on a Unix socket, or both,
 * in a temporary directory of its own, without persistence. It dies with the thread that started
 * it, so a crashed test leaves no server behind: start it from a thread that lives long enough
 * (the main thread). Everything that goes wrong here ends the test with a message.
 *
 * Usable with check in fork mode: start in the test, in a checked fixture, or in an unchecked
 * fixture (then every test of the case talks to the same server; restart it only in the process
 * that started it, because only that one learns the new pid).
 */
#ifndef SUPPORT_REDIS_SERVER_H
#define SUPPORT_REDIS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redis_server;
struct redisReply;

struct redis_server_options {
    bool no_tcp;      /* Unix socket only */
    bool unix_socket; /* also a Unix socket */
    bool tls;         /* also a TLS port; args name the certificates (--tls-cert-file, …) */
    const char
        *config; /* text of a configuration file, which it may rewrite; a sentinel needs one */
    const char *const *args; /* further arguments, NULL-terminated: {"--maxmemory", "1mb", NULL} */
};

/* NULL options: TCP only. Returns once the server answers. */
struct redis_server *redis_server_start(const struct redis_server_options *options);
/* Ends it, waits for it, removes its directory. Harmless for NULL and for a killed server. */
void redis_server_stop(struct redis_server **server);

int redis_server_port(const struct redis_server *server);     /* 0 with no_tcp */
int redis_server_tls_port(const struct redis_server *server); /* 0 without */
const char *redis_server_url(
    const struct redis_server *server); /* redis://127.0.0.1:PORT/0, else the unix:// one */
const char *redis_server_unix_url(
    const struct redis_server *server); /* unix:///…/redis.sock, NULL without */
const char *redis_server_socket(
    const struct redis_server *server); /* path of the Unix socket, NULL without */
const char *redis_server_directory(const struct redis_server *server);
pid_t redis_server_pid(const struct redis_server *server);

void redis_server_kill(struct redis_server *server); /* SIGKILL, and waits until it is gone */
void redis_server_restart(
    struct redis_server *server); /* same port, socket, directory and arguments; kills it first */
void redis_server_pause(struct redis_server *server);  /* SIGSTOP, and waits until it has stopped */
void redis_server_resume(struct redis_server *server); /* SIGCONT */

/* Runs one command (hiredis format, "%b" for bytes) over a connection of its own and returns the
 * reply, which may be an error reply; the caller calls freeReplyObject. */
struct redisReply *redis_server_ask(const struct redis_server *server, const char *format, ...);
/* The same for those that want one number or must only succeed: an error reply ends the test. */
int64_t redis_server_ask_integer(const struct redis_server *server, const char *format, ...);
void redis_server_do(const struct redis_server *server, const char *format, ...);

/* How often it was given this command (lower case) since the start or CONFIG RESETSTAT; and waiting until
 * it was that often. */
int64_t redis_server_calls(const struct redis_server *server, const char *command);
void redis_server_wait_calls(const struct redis_server *server, const char *command,
                             int64_t wanted);

/* User and system time it has used so far, in microseconds (/proc/<pid>/stat, 10 ms steps). */
int64_t redis_server_cpu_us(const struct redis_server *server);

/* A free TCP port of 127.0.0.1, kept for this process and the servers it starts until it ends. */
int support_free_port(void);

#endif
