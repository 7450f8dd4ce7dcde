#include "control/reserved.h"

#include <inttypes.h>

#define FACT STR("versions_reserved")

enum err reserved_read(struct users *users, struct arena *arena, struct reserved *reserved_out,
                       struct error *error)
{
    struct str text = STR_NONE, term;

    *reserved_out = (struct reserved){0};
    enum err err = users_fact_get(users, arena, FACT, &text, error);
    if (err == ERR_NOT_FOUND) {
        error_clear(error);
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    reserved_out->text = text;
    if (!str_split(&text, ':', &term) || !str_to_int64(term, 1, INT64_MAX, &reserved_out->term) ||
        !str_to_int64(text, 0, INT64_MAX, &reserved_out->up_to))
        return error_set_detail(error, ERR_INTERNAL,
                                "users database: versions_reserved holds something else");
    return ERR_OK;
}

enum err reserved_move(struct users *users, struct arena *arena, const struct reserved *from,
                       int64_t term, int64_t up_to, struct error *error)
{
    struct str text = str_format(arena, "%" PRId64 ":%" PRId64, term, up_to);

    if (!text.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a reserved number");
    return users_fact_replace(users, FACT, from->text, text, error);
}
