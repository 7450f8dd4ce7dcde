#include "control/reserved.h"

#include <inttypes.h>

bool reserved_parse(struct str text, struct reserved *reserved_out)
{
    struct str term;

    *reserved_out = (struct reserved){.text = text};
    return str_split(&text, ':', &term) && str_to_int64(term, 1, INT64_MAX, &reserved_out->term) &&
           str_to_int64(text, 0, INT64_MAX, &reserved_out->up_to);
}

struct str reserved_text(struct arena *arena, int64_t term, int64_t up_to)
{
    return str_format(arena, "%" PRId64 ":%" PRId64, term, up_to);
}

enum err reserved_read(struct users *users, struct arena *arena, struct reserved *reserved_out,
                       struct error *error)
{
    struct str text = STR_NONE;

    *reserved_out = (struct reserved){0};
    enum err err = users_fact_get(users, arena, RESERVED_FACT, &text, error);
    if (err == ERR_NOT_FOUND) {
        error_clear(error);
        return ERR_OK;
    }
    if (err != ERR_OK)
        return err;
    if (!reserved_parse(text, reserved_out))
        return error_set_detail(error, ERR_INTERNAL,
                                "users database: versions_reserved holds something else");
    return ERR_OK;
}

enum err reserved_move(struct users *users, struct arena *arena, const struct reserved *from,
                       int64_t term, int64_t up_to, struct error *error)
{
    struct str text = reserved_text(arena, term, up_to);

    if (!text.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a reserved number");
    return users_fact_replace(users, RESERVED_FACT, from->text, text, error);
}
