#include "control/floor.h"

#include <inttypes.h>

#define FACT STR("control_floor")

enum err floor_read(struct users *users, struct arena *arena, struct floor_state *state_out,
                    struct error *error)
{
    struct str text = STR_NONE, era;

    *state_out = (struct floor_state){0};
    enum err err = users_fact_get(users, arena, FACT, &text, error);
    if (err == ERR_NOT_FOUND) {
        error_clear(error);
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    state_out->text = text;
    if (!str_split(&text, ':', &era) || !str_to_int64(era, 1, INT64_MAX, &state_out->era) ||
        !str_to_int64(text, 0, INT64_MAX, &state_out->height))
        return error_set_detail(error, ERR_INTERNAL,
                                "users database: control_floor holds no floor");
    return ERR_OK;
}

enum err floor_move(struct users *users, struct arena *arena, const struct floor_state *from,
                    int64_t era, int64_t height, struct error *error)
{
    struct str text = str_format(arena, "%" PRId64 ":%" PRId64, era, height);

    if (!text.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a floor");
    return users_fact_replace(users, FACT, from->text, text, error);
}
