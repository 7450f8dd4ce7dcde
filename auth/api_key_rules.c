/* See api_keys.h. */
#include "cachewarden/api_keys.h"

#include "cachewarden/clock.h"
#include "cachewarden/principal.h"

enum { DAY_S = 86400 };

bool api_key_take_space(struct str text, struct str *name_out)
{
    struct str app = STR("app:");

    *name_out = str_starts(text, app) ? str_sub(text, app.len, text.len) : text;
    return name_out->len > 0 && !str_starts(text, STR("user:"));
}

bool api_key_take_days(int64_t days, int64_t now_s, int64_t *expires_at_s_out)
{
    if (days < 1 || days > API_KEY_DAYS_MAX)
        return false;
    *expires_at_s_out = now_s + days * DAY_S;
    return true;
}

bool api_key_lacks_space(const struct api_key *key)
{
    return key->scopes & SCOPE_ENTRIES && !(key->scopes & (SCOPE_USER | SCOPE_ADMIN)) &&
           key->space.len == 0;
}

const char *api_key_state(const struct api_key *key, int64_t now_s)
{
    if (key->revoked_at_s > 0)
        return "revoked";
    return key->expires_at_s > 0 && key->expires_at_s <= now_s ? "expired" : "good";
}

static void write_time(struct json_writer *json, const char *name, int64_t time_s)
{
    char text[CLOCK_RFC3339_SIZE];

    json_name(json, name);
    if (time_s > 0)
        json_write_string(json, clock_rfc3339(time_s * 1000, text));
    else
        json_write_null(json);
}

static void write_scopes(struct json_writer *json, struct arena *arena, unsigned scopes)
{
    struct str rest = scope_names(arena, scopes), name;

    json_name(json, "scopes");
    json_open_array(json);
    while (scopes && str_split(&rest, ',', &name))
        json_write_string(json, str_trim(name));
    json_close_array(json);
}

void api_key_write(struct json_writer *json, struct arena *arena, const struct api_key *key)
{
    json_add_string(json, "id", key->id);
    json_add_string(json, "name", key->name);
    write_scopes(json, arena, key->scopes);
    json_name(json, "namespace");
    if (key->space.len > 0)
        json_write_string(json, key->space);
    else
        json_write_null(json);
    json_name(json, "user_id");
    if (key->owner_id > 0)
        json_write_integer(json, key->owner_id);
    else
        json_write_null(json);
    write_time(json, "created_at", key->created_at_s);
    write_time(json, "expires_at", key->expires_at_s);
}

void api_key_write_all(struct json_writer *json, struct arena *arena, const struct api_key *key,
                       int64_t now_s)
{
    api_key_write(json, arena, key);
    write_time(json, "last_used_at", key->last_used_at_s);
    write_time(json, "revoked_at", key->revoked_at_s);
    json_add_string(json, "state", str_from(api_key_state(key, now_s)));
}
