/*
 * What tests of the PostgreSQL driver share: the server all tests of a program work on, one of
 * its own for a test that breaks it, an empty database on either, and words for what is expected.
 */
#ifndef CACHEWARDEN_TESTS_USERS_POSTGRES_CASE_H
#define CACHEWARDEN_TESTS_USERS_POSTGRES_CASE_H

#include "cachewarden/clock.h"
#include "patience.h"
#include "suite.h"
#include "users_backend.h"

#include <time.h>

/* The longest waits of the driver, one after the other (a connection, an answer, a turn), and
 * something for two busy cores. */
enum { BUDGET_MS = 3000 + 2500 + 2000 + 2000 };

static struct postgres_server *server; /* users_backend_server, or the test's own */
static const char *const database = POSTGRES_DATABASE;
static char url[POSTGRES_URL_SIZE];
static struct users *users;
static struct arena *arena;
static struct error error;
static struct user user;

static inline void set_up_on(struct postgres_server *on)
{
    server = on;
    arena = arena_new(4096, 0);
    error_clear(&error);
}

static inline void set_up(void)
{
    postgres_server_empty(users_backend_server);
    set_up_on(users_backend_server);
    postgres_server_url(server, database, url);
}

/* For what breaks the server. */
static inline void set_up_own(void)
{
    set_up_on(postgres_server_start(&(struct postgres_server_options){.tcp = true}));
    postgres_server_hasty_url(server, database, url);
}

static inline void tear_down(void)
{
    users_close(&users);
    arena_free(&arena);
    if (server != users_backend_server)
        postgres_server_stop(&server);
}

static inline void open_users(void)
{
    ck_assert_msg(users_open(str_from(url), &users, &error) == ERR_OK, "%s", error.caller);
}

static inline void refuse_to_open(enum err wanted, const char *reason)
{
    error_clear(&error);
    enum err err = users_open(str_from(url), &users, &error);
    ck_assert_msg(err == wanted, "%s: %s", err_name(err), error.caller);
    ck_assert_ptr_null(users);
    ck_assert_msg(strstr(error.caller, reason) != NULL, "%s", error.caller);
    ck_assert_ptr_null(strstr(error.caller, POSTGRES_PASSWORD));
    ck_assert_ptr_null(strstr(error.detail, POSTGRES_PASSWORD));
}

static inline void expect(enum err err, enum err wanted)
{
    ck_assert_msg(err == wanted, "%s, not %s: %s (%s)", err_name(err), err_name(wanted),
                  error.caller, error.detail);
}

static inline enum err find(int64_t id)
{
    error_clear(&error);
    return users_find_by_id(users, arena, id, &user, &error);
}

static inline int64_t now_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

static inline void nap(void)
{
    const struct timespec five_ms = {0, 5000000};

    nanosleep(&five_ms, NULL);
}

/* It is back within a second or two of the server. */
static inline void wait_until_found(int64_t id)
{
    int64_t give_up = now_ms() + PATIENCE_MS;

    while (find(id) != ERR_OK) {
        ck_assert_int_eq(error.code, ERR_UPSTREAM_DOWN);
        ck_assert_msg(now_ms() < give_up, "%s", error.detail);
        nap();
    }
}

/* Not the vacuum's, which PostgreSQL begins by itself. */
static inline int64_t count_connections(void)
{
    return postgres_server_ask_integer(server, "postgres",
                                       "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'"
                                       " AND application_name = 'cachewarden'",
                                       database);
}

/* What an administrator does, or a server that ends: every connection of ours is closed. */
static inline void close_connections(void)
{
    postgres_server_do(server, "postgres",
                       "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                       " WHERE datname = '%s'",
                       database);
    ck_assert_int_eq(count_connections(), 0);
}

#endif
