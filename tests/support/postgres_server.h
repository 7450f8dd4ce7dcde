/*
 * A private PostgreSQL for tests: initdb and postgres in a temporary directory of their own, on a
 * Unix socket there and, if wanted, on a free port of 127.0.0.1; nothing is ever synced to disk.
 * PostgreSQL refuses to run as root, so then it runs as nobody. Whatever becomes of the test,
 * nothing of it stays behind. Everything that goes wrong here ends the test with a message.
 *
 * initdb takes a second, so it is done once a build folder, and the server works on a copy. A test that
 * needs a server of its own (to kill, pause or restart it) has one in a fifth of a second. Tests that only
 * need an empty database share a server started in main, and its database, which is emptied for each.
 */
#ifndef SUPPORT_POSTGRES_SERVER_H
#define SUPPORT_POSTGRES_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The superuser, for the test's own hands, and who the program is to be: no rights but its own. */
#define POSTGRES_SUPERUSER "postgres"
#define POSTGRES_USER      "cachewarden"
#define POSTGRES_PASSWORD  "s3cret-of-postgres" /* of both */
#define POSTGRES_DATABASE  "users"              /* owned by POSTGRES_USER */
#define POSTGRES_URL_SIZE  512

struct postgres_server;

struct postgres_server_options {
    bool tcp;                /* also a free port of 127.0.0.1 */
    const char *const *args; /* settings, NULL-terminated: {"max_connections=5", NULL} */
};

/* NULL options: Unix socket only. Returns once it takes connections. */
struct postgres_server *postgres_server_start(const struct postgres_server_options *options);
/* Ends it, waits for it, removes its directory. Harmless for NULL and for a killed server. */
void postgres_server_stop(struct postgres_server **server);

/* Whatever was done to POSTGRES_DATABASE, and whoever is connected to it: it is empty and as it was at the
 * start. A new server's is. Any process may call it. */
void postgres_server_empty(const struct postgres_server *server);
/* The URL of a database for POSTGRES_USER: through the socket, with patience to connect or with the program's
 * own three seconds, for a server that is silent; or through a port (this server's, or
 * that of a proxy in front of it). */
void postgres_server_url(const struct postgres_server *server, const char *database,
                         char url_out[POSTGRES_URL_SIZE]);
void postgres_server_hasty_url(const struct postgres_server *server, const char *database,
                               char url_out[POSTGRES_URL_SIZE]);
void postgres_server_tcp_url(int port, const char *database, char url_out[POSTGRES_URL_SIZE]);
int postgres_server_port(const struct postgres_server *server);              /* 0 without tcp */
const char *postgres_server_directory(const struct postgres_server *server); /* of the socket */

/* SIGKILL for all its processes, and waits until they are gone. */
void postgres_server_kill(struct postgres_server *server);
/* Ends it as at a reboot: transactions under way are undone, clients are told. */
void postgres_server_shut_down(struct postgres_server *server);
/* Same place and settings, after either of them. */
void postgres_server_start_again(struct postgres_server *server);
/* SIGSTOP for all its processes, and waits until they have stopped; connections are taken by the
 * kernel and nobody answers. */
void postgres_server_pause(struct postgres_server *server);
void postgres_server_resume(struct postgres_server *server);

/* SQL as the superuser, over a connection of its own: what must succeed, and what gives one integer
 * or one text (which the caller frees). */
__attribute__((format(printf, 3, 4))) void postgres_server_do(const struct postgres_server *server,
                                                              const char *database,
                                                              const char *format, ...);
__attribute__((format(printf, 3, 4))) int64_t postgres_server_ask_integer(
    const struct postgres_server *server, const char *database, const char *format, ...);
__attribute__((format(printf, 3, 4))) char *postgres_server_ask_text(
    const struct postgres_server *server, const char *database, const char *format, ...);

#endif
