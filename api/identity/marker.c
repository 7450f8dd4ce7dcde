#include "identity/marker.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"
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

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!(id.ptr[i] >= '0' && id.ptr[i] <= '9') && !(id.ptr[i] >= 'a' && id.ptr[i] <= 'f'))
            return false;
    }
    return id.len == MARKER_ID_SIZE;
}

static bool take_id(struct str *rest, struct str *id)
{
    return str_split(rest, ':', id) && is_id(*id);
}

static bool take_number(struct str *rest, int64_t *number)
{
    struct str text;

    return str_split(rest, ':', &text) && str_to_int64(text, 0, INT64_MAX, number);
}

bool marker_parse(struct str value, struct marker_facts *facts)
{
    int64_t origin = 0;

    *facts = (struct marker_facts){0};
    bool is_whole = take_id(&value, &facts->id) && take_id(&value, &facts->before) &&
                    take_number(&value, &facts->seen_at_s) && take_id(&value, &facts->install) &&
                    take_number(&value, &origin) && take_number(&value, &facts->era) &&
                    take_number(&value, &facts->floor) && !value.ptr;
    facts->origin = (uint64_t)origin;
    return is_whole;
}

bool marker_allows(struct str marker_value, struct str id, int64_t issued_at_s)
{
    struct marker_facts facts;

    if (!is_id(id) || !marker_parse(marker_value, &facts))
        return false;
    return str_eq(id, facts.id) || (str_eq(id, facts.before) && issued_at_s >= facts.seen_at_s);
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
    struct marker_facts parsed;

    *is_new_out = false;
    if (value->kind == VALUE_NIL)
        return error_set_detail(error, ERR_NOT_FOUND, "there is no control data in Redis");
    if (value->kind != VALUE_STRING || !marker_parse(value->text, &parsed))
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

struct str marker_write(struct marker *marker, struct arena *arena,
                        const struct marker_facts *facts)
{
    struct str id = facts->id, before = facts->before;

    lock_take(&marker->lock);
    int64_t seen_at_s = marker->seen_at_s;
    lock_give(&marker->lock);
    if (id.ptr) {
        seen_at_s = facts->seen_at_s;
    } else {
        id = random_hex(arena, MARKER_ID_SIZE / 2);
        before = marker_id(marker, arena);
    }
    if (!TEXTS_MADE(id, before))
        return STR_NONE;
    return str_format(arena, "%.*s:%.*s:%" PRId64 ":%.*s:%" PRId64 ":%" PRId64 ":%" PRId64,
                      STR_ARG(id), STR_ARG(before), seen_at_s, STR_ARG(facts->install),
                      (int64_t)facts->origin, facts->era, facts->floor);
}
