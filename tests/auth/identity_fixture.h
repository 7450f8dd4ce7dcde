/* An identity over an empty users database, with a few accounts. */
#ifndef CACHEWARDEN_TESTS_IDENTITY_FIXTURE_H
#define CACHEWARDEN_TESTS_IDENTITY_FIXTURE_H

#include "cachewarden/clock.h"
#include "cachewarden/identity.h"
#include "cachewarden/password.h"
#include "patience.h"
#include "users_backend.h"

#define FIXTURE_SECRET "0123456789abcdef0123456789abcdef"

static struct users *users;
static struct identity *identity;
static struct arena *arena;
static struct error error;
static int64_t now_s;
static struct shared_spec fixture_shared; /* of tokens minted elsewhere with the secret */

enum { FIXTURE_REFRESH_TTL_S = 604800 };
static int64_t fixture_refresh_ttl_s = FIXTURE_REFRESH_TTL_S;

static inline int64_t soon(void)
{
    return clock_deadline_ns(PATIENCE_MS);
}

/* Of the account with this id; that of nobody, where there is none. */
static inline struct str incarnation_of(int64_t id)
{
    struct user user;

    return users_find_by_id(users, arena, id, &user, &error) == ERR_OK ? user.incarnation
                                                                       : STR("0123456789abcdef");
}

static inline void fixture_open_identity(void)
{
    struct identity_options options = {
        .users = users,
        .tokens = {.secret = STR(FIXTURE_SECRET),
                   .issuer = STR("cachewarden"),
                   .leeway_s = 30,
                   .access_ttl_s = 900,
                   .refresh_ttl_s = fixture_refresh_ttl_s,
                   .session_idle_s = 1800,
                   .session_ttl_s = 43200},
        .admin_group = STR("Admin"),
        .shared = fixture_shared,
    };
    ck_assert_msg(identity_new(&options, &identity, &error) == ERR_OK, "%s", error.caller);
}

static inline void fixture_init(void)
{
    users_backends[0].init();
    users = users_backend_open();
    arena = arena_new(16 * 1024, 0);
    error_clear(&error);
    now_s = clock_wall_s();
    fixture_shared = (struct shared_spec){0};
    fixture_open_identity();
}

/* With other settings, on the same database. */
static inline void fixture_restart(void)
{
    identity_free(&identity);
    fixture_open_identity();
}

/* The users database is lost: an empty one takes its place. */
static inline void fixture_start_again(void)
{
    identity_free(&identity);
    users_close(&users);
    users_backends[0].fini();
    users_backends[0].init();
    users = users_backend_open();
    fixture_open_identity();
}

static inline void fixture_fini(void)
{
    identity_free(&identity);
    ck_assert_ptr_null(identity);
    arena_free(&arena);
    users_close(&users);
    users_backends[0].fini();
}

#endif
