/* How a revocation is written down. */
#include "cachewarden/revocations.h"

#include <assert.h>
#include <inttypes.h>

enum { DAY_S = 86400, DAYS_MAX = 1 << 24 };

struct revocation revocation_of_user(int64_t user_id, struct str whose, int64_t cut_s,
                                     int64_t until_s)
{
    int64_t days = 1;

    while (days < DAYS_MAX && cut_s + days * DAY_S < until_s)
        days *= 2;
    return (struct revocation){
        .kind = REVOKED_USER,
        .user_id = user_id,
        .whose = whose,
        .cut_s = cut_s,
        .expires_at_s = cut_s + days * DAY_S,
    };
}

static int64_t days_of(const struct revocation *revocation)
{
    int64_t kept_s = revocation->expires_at_s - revocation->cut_s;

    assert(kept_s > 0 && kept_s % DAY_S == 0);
    return kept_s / DAY_S;
}

struct str revocation_write(struct arena *arena, const struct revocation *revocation)
{
    switch (revocation->kind) {
    case REVOKED_TOKEN:
        return str_format(arena, "t:%.*s", STR_ARG(revocation->name));
    case REVOKED_FOREIGN:
        return str_format(arena, "x:%" PRId64 ":%.*s:%.*s", revocation->user_id,
                          STR_ARG(revocation->whose), STR_ARG(revocation->name));
    case REVOKED_FAMILY:
        return str_format(arena, "f:%.*s", STR_ARG(revocation->name));
    case REVOKED_USER:
        break;
    }
    return str_format(arena, "u:%" PRId64 ":%.*s:%" PRId64, revocation->user_id,
                      STR_ARG(revocation->whose), days_of(revocation));
}

static bool is_name(struct str name)
{
    return name.len > 0 && name.len <= REVOCATION_NAME_MAX_SIZE && !str_has_control(name);
}

/* "<id>:<whose>:<what follows>" */
static bool take_user(struct str *rest, struct revocation *read)
{
    struct str id;

    return str_split(rest, ':', &id) && str_to_int64(id, 1, INT64_MAX, &read->user_id) &&
           str_split(rest, ':', &read->whose) && (read->whose.len == 0 || is_name(read->whose));
}

static bool read_days(struct str text, struct revocation *read)
{
    int64_t days;

    if (!str_to_int64(text, 1, DAYS_MAX, &days) || read->expires_at_s < days * DAY_S)
        return false;
    read->cut_s = read->expires_at_s - days * DAY_S;
    return true;
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
        is_good = take_user(&rest, &read) && is_name(rest);
        read.name = rest;
        break;
    case 'u':
        read.kind = REVOKED_USER;
        is_good = take_user(&rest, &read) && read_days(rest, &read);
        break;
    default:
        return false;
    }
    if (is_good)
        *revocation_out = read;
    return is_good;
}
