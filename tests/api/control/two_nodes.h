/* Two nodes on one Redis and one users database, for tests of what a loss of data does to versions. */
#ifndef TESTS_TWO_NODES_H
#define TESTS_TWO_NODES_H

#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "control/version_guard.h"
#include "control_data.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct redis_server *redis;
static struct loopback nodes[2];
static struct arena *arena;

/* Watched nodes look at Redis by themselves; others only when they are asked. */
static inline void open_node(struct loopback *node, const struct loopback *shares, bool is_watched)
{
    loopback_open(node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                   .shares = shares,
                                                   .is_unwatched = !is_watched});
}

static inline void open_two(bool are_watched)
{
    arena = arena_new(4096, 0);
    open_node(&nodes[0], NULL, are_watched);
    open_node(&nodes[1], &nodes[0], are_watched);
}

static inline void close_two(void)
{
    arena_free(&arena);
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    redis_server_stop(&redis);
}

static inline int64_t soon(void)
{
    return clock_deadline_ns(PATIENCE_MS);
}

static inline struct cache_state status_on(int node, int64_t user_id)
{
    struct cache_state state = {0};
    struct error error = {0};
    enum err err = control_status(nodes[node].app, (struct work){arena, soon(), &error}, user_id,
                                  NULL, &state);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
    return state;
}

static inline int64_t version_on(int node, int64_t user_id)
{
    return status_on(node, user_id).version;
}

static inline int64_t clear_on(int node, int64_t user_id)
{
    struct cache_state state = {0};
    struct error error = {0};
    enum err err =
        control_clear(nodes[node].app, (struct work){arena, soon(), &error}, user_id, &state);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
    return state.version;
}

static inline int64_t clear_all_on(int node)
{
    int64_t epoch = -1;
    struct error error = {0};
    enum err err = control_clear_all(nodes[node].app, (struct work){arena, soon(), &error}, &epoch);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
    return epoch;
}

static inline void switch_on(int node, int64_t user_id, bool enabled)
{
    struct cache_state state = {0};
    struct error error = {0};
    enum err err = control_switch(nodes[node].app, (struct work){arena, soon(), &error}, user_id,
                                  enabled, &state);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
}

/* As a node does by itself, four times a second. */
static inline enum err reconcile_on(const struct loopback *node, struct error *error)
{
    error_clear(error);
    return version_guard_reconcile(node->app->guard, VERSION_GUARD_REPAIRS,
                                   (struct work){.deadline_ns = soon(), .error = error});
}

static inline void repair_on(int node)
{
    struct error error;
    enum err err = reconcile_on(&nodes[node], &error);
    ck_assert_msg(err == ERR_OK, "%s: %s %s", err_name(err), error.caller, error.detail);
}

static inline int64_t epoch_held(void)
{
    return control_epoch(redis);
}

#endif
