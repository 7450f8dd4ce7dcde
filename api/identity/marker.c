#include "identity/marker.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/random.h"
#include "keyspace.h"
#include "services.h"

#include <inttypes.h>
#include <stdlib.h>

/* The users database's fact: the id that was seen last. */
#define FACT STR("control_marker")

struct marker {
    struct users *users;
    struct lock lock;
    /* guarded by lock */
    char id[MARKER_ID_SIZE];
    int64_t seen_at_s; /* when Redis last had it; before the first time, when this node started */
};

struct parsed {
    struct str id, before;
    int64_t seen_at_s;
};

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!(id.ptr[i] >= '0' && id.ptr[i] <= '9') && !(id.ptr[i] >= 'a' && id.ptr[i] <= 'f'))
            return false;
    }
    return id.len == MARKER_ID_SIZE;
}

static bool parse(struct str value, struct parsed *parsed)
{
    return str_split(&value, ':', &parsed->id) && is_id(parsed->id) &&
           str_split(&value, ':', &parsed->before) && is_id(parsed->before) &&
           str_to_int64(value, 0, INT64_MAX, &parsed->seen_at_s);
}

bool marker_allows(struct str marker_value, struct str id, int64_t issued_at_s)
{
    struct parsed parsed;

    if (!is_id(id) || !parse(marker_value, &parsed))
        return false;
    return str_eq(id, parsed.id) || (str_eq(id, parsed.before) && issued_at_s >= parsed.seen_at_s);
}

/* ---- life ---- */

static void store(struct marker *marker, struct str id)
{
    struct error error = {0};
    enum err err = users_fact_set(marker->users, FACT, id, &error);

    if (err != ERR_OK)
        log_event(LOG_LEVEL_WARN, "marker.unsaved", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
}

enum err marker_new(struct users *users, struct marker **marker_out)
{
    struct marker *marker = calloc(1, sizeof *marker);
    struct arena *arena = arena_new(1024, 0);
    struct str fresh = arena ? random_hex(arena, MARKER_ID_SIZE / 2) : STR_NONE, known;

    *marker_out = NULL;
    if (!marker || !fresh.ptr) {
        free(marker);
        arena_free(&arena);
        return ERR_NO_MEMORY;
    }
    marker->users = users;
    marker->seen_at_s = clock_wall_s();
    lock_init(&marker->lock, LOCK_RANK_LEAF, "marker");
    enum err err = users_fact_get(users, arena, FACT, &known, NULL);
    if (err == ERR_OK && is_id(known)) {
        memcpy(marker->id, known.ptr, MARKER_ID_SIZE);
    } else {
        memcpy(marker->id, fresh.ptr, MARKER_ID_SIZE);
        store(marker, fresh);
    }
    arena_free(&arena);
    *marker_out = marker;
    return ERR_OK;
}

void marker_free(struct marker **marker)
{
    if (!*marker)
        return;
    lock_fini(&(*marker)->lock);
    free(*marker);
    *marker = NULL;
}

/* ---- what this node knows ---- */

struct str marker_id(struct marker *marker, struct arena *arena)
{
    char id[MARKER_ID_SIZE];

    lock_take(&marker->lock);
    memcpy(id, marker->id, sizeof id);
    lock_give(&marker->lock);
    return str_dup(arena, (struct str){id, sizeof id});
}

enum err marker_see(struct marker *marker, const struct value *value, int64_t now_s,
                    bool *is_new_out, struct error *error)
{
    struct parsed parsed;

    *is_new_out = false;
    if (value->kind == VALUE_NIL)
        return error_set_detail(error, ERR_NOT_FOUND, "there is no control data in Redis");
    if (value->kind != VALUE_STRING || !parse(value->text, &parsed))
        return refuse_reply(error, "cw:marker does not hold a marker");
    lock_take(&marker->lock);
    *is_new_out = memcmp(marker->id, parsed.id.ptr, MARKER_ID_SIZE) != 0;
    memcpy(marker->id, parsed.id.ptr, MARKER_ID_SIZE);
    marker->seen_at_s = now_s;
    lock_give(&marker->lock);
    if (*is_new_out)
        store(marker, parsed.id);
    return ERR_OK;
}

enum err marker_place(struct marker *marker, struct pool *control, struct arena *arena,
                      int64_t now_s, int64_t deadline_ns, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    struct str fresh = random_hex(arena, MARKER_ID_SIZE / 2), before = marker_id(marker, arena);
    struct key key = key_marker();
    bool is_new;

    lock_take(&marker->lock);
    int64_t seen_at_s = marker->seen_at_s;
    lock_give(&marker->lock);
    struct str value =
        str_format(arena, "%.*s:%.*s:%" PRId64, STR_ARG(fresh), STR_ARG(before), seen_at_s);
    if (!fresh.ptr || !before.ptr || !value.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a marker");
    /* Of nodes that come at once the first one's stands. */
    PIPELINE_ADD(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&key), value, STR("NX"));
    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("GET"), key_str(&key));
    enum err err = pipeline_run(control, pipeline, deadline_ns, error);
    if (err != ERR_OK)
        return err;
    if (pipeline_value(pipeline, 0)->kind == VALUE_STATUS)
        log_event(LOG_LEVEL_INFO, "marker.placed", LOG_STR("id", fresh), LOG_STR("before", before));
    return marker_see(marker, pipeline_value(pipeline, 1), now_s, &is_new, error);
}
