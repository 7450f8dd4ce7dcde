/* Two nodes on one Redis and one users database, and entries on them by functions. */
#ifndef TESTS_ENTRIES_CASE_H
#define TESTS_ENTRIES_CASE_H

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/entries.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct redis_server *redis, *store; /* of control data, and of entries */
static struct loopback nodes[2];
static struct arena *arena;
static struct error error;
static const char *backup_directory; /* NULL: none; else backups have entries */

static const struct namespace alice = {.user_id = 7}, bob = {.user_id = 8},
                              shop = {.app = {"shop", 4}};

/* command_timeout_ms 0: a busy machine fails no request. */
static inline void open_nodes_with(int64_t command_timeout_ms)
{
    struct loopback_options options = {.redis_url = redis_server_url(redis),
                                       .entries_redis_url = redis_server_url(store),
                                       .command_timeout_ms = command_timeout_ms,
                                       .backup_directory = backup_directory,
                                       .includes_entries = backup_directory != NULL,
                                       .is_unwatched = true};

    arena = arena_new(65536, 0);
    loopback_open(&nodes[0], &options);
    options.shares = &nodes[0];
    loopback_open(&nodes[1], &options);
}

static inline void open_nodes(void)
{
    open_nodes_with(0);
}

static inline void open_two_nodes(void)
{
    redis = store = redis_server_start(NULL);
    open_nodes();
}

/* Entries have a Redis of their own. */
static inline void open_two_nodes_apart(void)
{
    redis = redis_server_start(NULL);
    store = redis_server_start(NULL);
    open_nodes();
}

static inline void close_two_nodes(void)
{
    arena_free(&arena);
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    if (store != redis)
        redis_server_stop(&store);
    redis_server_stop(&redis);
}

static inline int64_t in_time(void)
{
    return clock_deadline_ns(PATIENCE_MS);
}

/* Up to four models, NULL behind the last. */
static inline struct entry_request ask_on(int node, struct namespace space, const char *label,
                                          const char *const *models)
{
    struct str *names = arena_calloc(arena, ENTRY_MODELS_MAX, sizeof *names);
    struct entry_request request = {.app = nodes[node].app,
                                    .work = {arena, in_time(), &error},
                                    .space = space,
                                    .label = str_from(label),
                                    .models = names};

    for (; models && models[request.model_count]; request.model_count++)
        names[request.model_count] = str_from(models[request.model_count]);
    error_clear(&error);
    return request;
}
#define MODELS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline void expect_ok(enum err err)
{
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
}

static inline struct entry_found get_on(int node, struct namespace space, const char *label,
                                        const char *const *models)
{
    struct entry_request request = ask_on(node, space, label, models);
    struct entry_found found;

    expect_ok(entries_get(&request, &found));
    return found;
}

/* A miss leaves a promise, unless another reader has one. */
static inline struct entry_found get_waiting(int node, int64_t wait_ms)
{
    struct entry_request request = ask_on(node, alice, "k", NULL);
    struct entry_found found;

    request.wait_ms = wait_ms;
    expect_ok(entries_get(&request, &found));
    return found;
}

static inline enum err try_put(int node, struct namespace space, const char *label,
                               const char *const *models, struct entry_fill fill,
                               struct entry_stored *stored_out)
{
    struct entry_request request = ask_on(node, space, label, models);

    if (fill.ttl_s == 0)
        fill.ttl_s = 3600;
    return entries_put(&request, &fill, stored_out);
}

static inline struct entry_stored put_on(int node, struct namespace space, const char *label,
                                         const char *const *models, const char *body,
                                         struct str lease)
{
    struct entry_stored stored;

    expect_ok(try_put(node, space, label, models,
                      (struct entry_fill){.body = str_from(body),
                                          .content_type = STR("text/plain"),
                                          .lease = lease},
                      &stored));
    return stored;
}

static inline void expect_hit(int node, struct namespace space, const char *label, const char *body)
{
    struct entry_found found = get_on(node, space, label, NULL);

    ck_assert_msg(found.is_hit, "%s is a miss", label);
    ck_assert_msg(str_eq(found.body, str_from(body)), "%s is %.*s, not %s", label,
                  STR_ARG(found.body), body);
}

static inline void expect_miss(int node, struct namespace space, const char *label)
{
    struct entry_found found = get_on(node, space, label, NULL);

    ck_assert_msg(!found.is_hit, "%s is a hit: %.*s", label, STR_ARG(found.body));
}

static inline int64_t clear_on(int node, struct namespace space)
{
    struct entry_request request = ask_on(node, space, "", NULL);
    int64_t generation = 0;

    expect_ok(entries_clear(&request, &generation));
    return generation;
}

static inline int64_t clear_model_on(int node, struct namespace space, const char *model)
{
    struct entry_request request = ask_on(node, space, "", NULL);
    int64_t generation = 0;

    expect_ok(entries_clear_model(&request, str_from(model), &generation));
    return generation;
}

static inline void clear_all_on(int node)
{
    int64_t epoch;

    expect_ok(control_clear_all(nodes[node].app, (struct work){arena, in_time(), &error}, &epoch));
}

static inline void switch_on(int node, int64_t user_id, bool enabled)
{
    struct cache_state state;

    expect_ok(control_switch(nodes[node].app, (struct work){arena, in_time(), &error}, user_id,
                             enabled, &state));
}

static inline bool delete_on(int node, struct namespace space, const char *label)
{
    struct entry_request request = ask_on(node, space, label, NULL);
    bool was_there;

    expect_ok(entries_delete(&request, &was_there));
    return was_there;
}

#endif
