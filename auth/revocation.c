/* How a revocation is written down. */
#include "cachewarden/revocations.h"

#include <inttypes.h>

struct str revocation_write(struct arena *arena, const struct revocation *revocation)
{
    switch (revocation->kind) {
    case REVOKED_TOKEN:
        return str_format(arena, "t:%.*s", STR_ARG(revocation->name));
    case REVOKED_FOREIGN:
        return str_format(arena, "x:%" PRId64 ":%.*s", revocation->user_id,
                          STR_ARG(revocation->name));
    case REVOKED_FAMILY:
        return str_format(arena, "f:%.*s", STR_ARG(revocation->name));
    case REVOKED_USER:
        break;
    }
    return str_format(arena, "u:%" PRId64 ":%.*s:%" PRId64, revocation->user_id,
                      STR_ARG(revocation->name), revocation->cut_s);
}

static bool is_name(struct str name)
{
    return name.len > 0 && name.len <= REVOCATION_NAME_MAX_SIZE && !str_has_control(name);
}

/* "<id>:<what follows>" */
static bool take_id(struct str *rest, int64_t *id_out)
{
    struct str id;

    return str_split(rest, ':', &id) && str_to_int64(id, 1, INT64_MAX, id_out);
}

bool revocation_read(struct str text, int64_t expires_at_s, struct revocation *revocation_out)
{
    struct revocation read = {.expires_at_s = expires_at_s};
    struct str rest = str_sub(text, 2, text.len);
    bool is_good = text.len > 2 && text.ptr[1] == ':';

    switch (is_good ? text.ptr[0] : 0) {
    case 't':
    case 'f':
        read.kind = text.ptr[0] == 't' ? REVOKED_TOKEN : REVOKED_FAMILY;
        read.name = rest;
        is_good = is_name(rest);
        break;
    case 'x':
        read.kind = REVOKED_FOREIGN;
        is_good = take_id(&rest, &read.user_id) && is_name(rest);
        read.name = rest;
        break;
    case 'u':
        read.kind = REVOKED_USER;
        is_good = take_id(&rest, &read.user_id) && str_split(&rest, ':', &read.name) &&
                  (read.name.len == 0 || is_name(read.name)) &&
                  str_to_int64(rest, 0, INT64_MAX, &read.cut_s);
        break;
    default:
        return false;
    }
    if (is_good)
        *revocation_out = read;
    return is_good;
}
