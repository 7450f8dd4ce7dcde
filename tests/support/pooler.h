/*
 * PgBouncer in front of a test's PostgreSQL. In its mode "transaction" whoever has a transaction has one of its few
 * sessions, and the next one has it after that, with whatever was left in it. On a Unix socket in the server's
 * directory, and goes with it at the latest. What goes wrong ends the test with a message.
 */
#ifndef SUPPORT_POOLER_H
#define SUPPORT_POOLER_H

#include "postgres_server.h"

struct pooler;

/* With so many sessions for each database and user. Returns once it takes connections. */
struct pooler *pooler_start(const struct postgres_server *server, const char *mode, int sessions);
/* Harmless for NULL. */
void pooler_stop(struct pooler **pooler);
/* The URL of a database for POSTGRES_USER. */
void pooler_url(const struct pooler *pooler, const char *database, char url_out[POSTGRES_URL_SIZE]);

#endif
