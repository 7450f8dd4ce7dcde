#include "audit/id.h"

#include <inttypes.h>

enum { BASE = 4 };

_Static_assert((int)AUDIT_PARTS <= BASE, "a part is one digit");

bool audit_id_read(struct str text, struct audit_id *id_out)
{
    struct str time, rest = text;

    return str_split(&rest, '-', &time) && str_to_int64(time, 0, INT64_MAX, &id_out->time_ms) &&
           str_to_int64(rest, 0, INT64_MAX, &id_out->sequence);
}

struct str audit_id_write(struct arena *arena, struct audit_id id)
{
    return str_format(arena, "%" PRId64 "-%" PRId64, id.time_ms, id.sequence);
}

bool audit_id_of_entry(struct str entry, enum audit_part part, struct audit_id *id_out)
{
    if (!audit_id_read(entry, id_out) || id_out->sequence > INT64_MAX / BASE - 1)
        return false;
    id_out->sequence = id_out->sequence * BASE + (int64_t)part;
    return true;
}

/* Of entries with the same time, those whose sequence * BASE + part is below id.sequence. */
struct str audit_id_end(struct arena *arena, struct audit_id id, enum audit_part part)
{
    int64_t above = id.sequence - (int64_t)part, first = 0;

    if (above > 0)
        first = above / BASE + (above % BASE != 0);
    /* Nothing is before 0-0, but Redis calls it an error to ask for that. */
    if (id.time_ms == 0 && first == 0)
        return STR("0-0");
    return str_format(arena, "(%" PRId64 "-%" PRId64, id.time_ms, first);
}

bool audit_id_is_older(struct audit_id a, struct audit_id b)
{
    return a.time_ms != b.time_ms ? a.time_ms < b.time_ms : a.sequence < b.sequence;
}
