#include "backup/tick.h"

#include <inttypes.h>
#include <stdio.h>

#define FACT STR("backup_tick")

static const struct str names[] = {
    [TICK_IDLE] = {"idle", 4},     [TICK_RUNNING] = {"running", 7}, [TICK_LEFT] = {"left", 4},
    [TICK_FAILED] = {"failed", 6}, [TICK_DONE] = {"done", 4},
};

/* People read it, too: "1785456000 running 1 3 8f14e45fceea167a 0 3 * * * UTC". */
struct str tick_write(const struct tick *tick, char out[TICK_TEXT_SIZE])
{
    int length =
        snprintf(out, TICK_TEXT_SIZE, "%" PRId64 " %s %" PRId64 " %" PRId64 " %s %s", tick->at_s,
                 names[tick->state].ptr, tick->attempt, tick->beat, tick->node, tick->schedule);

    return (struct str){out, (size_t)length};
}

static bool read_number(struct str *rest, int64_t *number_out)
{
    struct str part;

    return str_split(rest, ' ', &part) && str_to_int64(part, 0, INT64_MAX, number_out);
}

static bool read_state(struct str *rest, enum tick_state *state_out)
{
    struct str part;

    if (!str_split(rest, ' ', &part))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_eq(part, names[i])) {
            *state_out = (enum tick_state)i;
            return true;
        }
    }
    return false;
}

bool tick_read(struct str text, struct tick *tick_out)
{
    struct str rest = text, node;
    struct tick tick = {0};

    if (!read_number(&rest, &tick.at_s) || !read_state(&rest, &tick.state) ||
        !read_number(&rest, &tick.attempt) || !read_number(&rest, &tick.beat) ||
        !str_split(&rest, ' ', &node) || node.len >= TICK_NODE_SIZE ||
        rest.len >= TICK_SCHEDULE_SIZE)
        return false;
    memcpy(tick.node, node.ptr, node.len);
    memcpy(tick.schedule, rest.len > 0 ? rest.ptr : "", rest.len);
    *tick_out = tick;
    return true;
}

enum err tick_find(struct users *users, struct arena *arena, struct str *text_out,
                   struct tick *tick_out, struct error *error)
{
    *tick_out = (struct tick){0};
    enum err err = users_fact_get(users, arena, FACT, text_out, error);

    if (err == ERR_OK && !tick_read(*text_out, tick_out))
        return error_set_detail(error, ERR_CONFLICT, "the fact backup_tick makes no sense: %.64s",
                                text_out->ptr);
    return err;
}

enum err tick_replace(struct users *users, struct str old, const struct tick *tick,
                      struct error *error)
{
    char text[TICK_TEXT_SIZE];

    return users_fact_replace(users, FACT, old, tick_write(tick, text), error);
}
