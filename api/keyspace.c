#include "keyspace.h"

#include "cachewarden/arena.h"
#include "cachewarden/caches.h"
#include "cachewarden/die.h"
#include "cachewarden/random.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Callers' parts are bounded by their checks; a key that was cut would be somebody else's. */
CW_PRINTF(1, 2)
static struct key make(const char *format, ...)
{
    struct key key;
    va_list args;

    va_start(args, format);
    int len = vsnprintf(key.bytes, sizeof key.bytes, format, args);
    va_end(args);
    if (len <= 0 || (size_t)len >= sizeof key.bytes)
        die("a key of redis is too long: %s", format);
    key.len = (size_t)len;
    return key;
}

/* The same for the keys of every request: printf is slow. */
static struct key make_of_user(int64_t user_id, struct str part)
{
    static const char start[] = "cw:{u:";
    struct key key;

    assert(user_id > 0);
    memcpy(key.bytes, start, sizeof start - 1);
    key.len = sizeof start - 1;
    key.len += str_of_int64(key.bytes + key.len, user_id).len;
    memcpy(key.bytes + key.len, part.ptr, part.len);
    key.len += part.len;
    return key;
}

static struct key make_fixed(struct str whole)
{
    struct key key = {.len = whole.len};

    memcpy(key.bytes, whole.ptr, whole.len);
    return key;
}

static bool made_of(struct str s, size_t max_len, bool (*allowed)(char c))
{
    if (s.len == 0 || s.len > max_len)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!allowed(s.ptr[i]))
            return false;
    }
    return true;
}

static bool is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool is_name_character(char c)
{
    return is_id_character(c) || c == '.';
}

struct key key_user(int64_t user_id)
{
    return make_of_user(user_id, STR("}"));
}

static void append(struct key *key, struct str part)
{
    if (part.len > 0)
        memcpy(key->bytes + key->len, part.ptr, part.len);
    key->len += part.len;
}

static struct key make_of_namespace(const struct namespace *space, struct str part)
{
    struct key key = {0};

    if (space->user_id > 0)
        return make_of_user(space->user_id, part);
    /* A name from elsewhere than our checks could end the tag, and be somebody else's key. */
    if (!space->is_gateway && !key_is_cache_name(space->app))
        die("a namespace is neither a user's nor an application's, nor the gateway's");
    append(&key, space->is_gateway ? STR("cw:{gateway") : STR("cw:{app:"));
    append(&key, space->app);
    append(&key, part);
    return key;
}

struct key key_namespace(const struct namespace *space)
{
    return make_of_namespace(space, STR("}"));
}

bool key_read_namespace(struct str key, struct namespace *space_out)
{
    const struct str user = STR("cw:{u:"), app = STR("cw:{app:");
    struct namespace space = {0};

    *space_out = space;
    if (!str_ends(key, STR("}")))
        return false;
    if (str_starts(key, user))
        (void)str_to_int64(str_sub(key, user.len, key.len - user.len - 1), 1, INT64_MAX,
                           &space.user_id);
    else if (str_starts(key, app) &&
             key_is_cache_name(str_sub(key, app.len, key.len - app.len - 1)))
        space.app = str_sub(key, app.len, key.len - app.len - 1);
    *space_out = space;
    return namespace_is_given(&space);
}

struct key key_models(const struct namespace *space)
{
    return make_of_namespace(space, STR("}:m"));
}

static struct label_key make_of_label(const struct namespace *space, struct str part,
                                      struct str label)
{
    struct key start = make_of_namespace(space, part);
    struct label_key key = {.len = start.len + label.len};

    if (label.len == 0 || label.len > KEY_LABEL_MAX)
        die("a label of %zu bytes", label.len);
    memcpy(key.bytes, start.bytes, start.len);
    memcpy(key.bytes + start.len, label.ptr, label.len);
    return key;
}

struct label_key key_entry(const struct namespace *space, struct str label)
{
    return make_of_label(space, STR("}:e:"), label);
}

struct label_key key_fill(const struct namespace *space, struct str label)
{
    return make_of_label(space, STR("}:c:"), label);
}

struct label_key key_turn(const struct namespace *space, struct str label)
{
    return make_of_label(space, STR("}:t:"), label);
}

struct key key_entries(const struct namespace *space)
{
    return make_of_namespace(space, STR("}:e:"));
}

static struct key make_of_digest(const struct namespace *space, struct str part_of_name,
                                 const unsigned char digest[KEY_DIGEST_SIZE])
{
    struct key key = make_of_namespace(space, part_of_name);

    for (size_t at = 0; at < KEY_DIGEST_SIZE; at += sizeof(uint64_t)) {
        uint64_t part = 0;
        for (size_t i = 0; i < sizeof part; i++)
            part = part << 8 | digest[at + i];
        str_put_hex64(key.bytes + key.len, part);
        key.len += STR_HEX64_SIZE - 1;
    }
    return key;
}

struct key key_response(const struct namespace *space, const unsigned char digest[KEY_DIGEST_SIZE])
{
    return make_of_digest(space, STR("}:g:"), digest);
}

struct key key_fetch(const struct namespace *space, const unsigned char digest[KEY_DIGEST_SIZE])
{
    return make_of_digest(space, STR("}:w:"), digest);
}

struct key key_refill(const struct namespace *space, const unsigned char digest[KEY_DIGEST_SIZE])
{
    return make_of_digest(space, STR("}:r:"), digest);
}

struct key key_scratch(const struct namespace *space)
{
    struct key key = make_of_namespace(space, STR("}:s:"));
    uint64_t number;

    random_bytes(&number, sizeof number);
    str_put_hex64(key.bytes + key.len, number);
    key.len += STR_HEX64_SIZE - 1;
    return key;
}

struct key key_dataset(void)
{
    return make_fixed(STR("cw:dataset"));
}

struct key key_store(void)
{
    return make_fixed(STR("cw:store"));
}

struct key key_audit(enum audit_part part)
{
    static const struct str names[AUDIT_PARTS] = {
        [AUDIT_CHANGES] = {"cw:audit:changes", 16},
        [AUDIT_CLEARS] = {"cw:audit:clears", 15},
        [AUDIT_SIGN_INS] = {"cw:audit:sign_ins", 17},
    };

    return make_fixed(names[part]);
}

struct key key_revoked(void)
{
    return make_fixed(STR("cw:revoked"));
}

struct key key_highest_id(void)
{
    return make_fixed(STR("cw:ids"));
}

struct key key_last_voided(void)
{
    return make_fixed(STR("cw:voided"));
}

struct key key_events(void)
{
    return make_fixed(STR("cw:events"));
}

struct key key_user_families(int64_t user_id)
{
    return make_of_user(user_id, STR("}:f"));
}

bool key_is_token_id(struct str token_id)
{
    return made_of(token_id, KEY_TOKEN_ID_MAX_SIZE, is_id_character);
}

struct key key_token(struct str token_id)
{
    assert(key_is_token_id(token_id));
    return make("cw:t:%.*s", STR_ARG(token_id));
}

bool key_is_cache_name(struct str name)
{
    return made_of(name, 64, is_name_character);
}

struct key key_last_flush(struct str cache)
{
    assert(key_is_cache_name(cache));
    return make("cw:flushed:%.*s", STR_ARG(cache));
}

struct key key_limit_user(const char *limit, int64_t user_id)
{
    assert(user_id > 0);
    return make("cw:l:{u:%" PRId64 "}:%s", user_id, limit);
}

struct key key_limit_stranger(const char *limit, int64_t user_id, struct str issuer)
{
    assert(user_id > 0);
    return make("cw:l:{u:%" PRId64 "}:%s:x:%.*s", user_id, limit, STR_ARG(issuer));
}

struct key key_limit_network(const char *limit, struct str network)
{
    return make("cw:l:%s:%.*s", limit, STR_ARG(network));
}

struct key key_limit_key(const char *limit, struct str key_id)
{
    return key_limit_network(limit, key_id);
}

struct key key_limit_family(const char *limit, struct str family)
{
    return key_limit_network(limit, family);
}

struct key key_limit_failures(struct str name_digest, struct str network)
{
    return make("cw:l:failures:%.*s:%.*s", STR_ARG(name_digest), STR_ARG(network));
}

struct key key_limit_failing(struct str name_digest)
{
    return make("cw:l:failing:%.*s", STR_ARG(name_digest));
}

struct key key_jobs(void)
{
    return make_fixed(STR("cw:jobs"));
}

struct key key_jobs_recent(void)
{
    return make_fixed(STR("cw:jobs:recent"));
}

struct key key_jobs_runner(void)
{
    return make_fixed(STR("cw:jobs:runner"));
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool key_is_job_id(struct str id)
{
    return id.len == 32 && made_of(id, 32, is_hex_digit);
}

struct key key_job(struct str id)
{
    assert(key_is_job_id(id));
    return make("cw:jobs:%.*s", STR_ARG(id));
}

struct str key_of_cache(struct arena *arena, struct str pattern, struct str environment)
{
    const struct str placeholder = STR("{env}");
    struct strbuf key;

    strbuf_init(&key, arena, pattern.len + environment.len + 1);
    while (pattern.len > 0) {
        bool here = str_starts(pattern, placeholder);
        size_t taken = here ? placeholder.len : 1;
        strbuf_add(&key, here ? environment : str_sub(pattern, 0, 1));
        pattern = str_sub(pattern, taken, pattern.len);
    }
    return key.failed ? STR_NONE : str_dup(arena, strbuf_str(&key));
}

struct key key_probe(void)
{
    uint64_t number[2];

    random_bytes(number, sizeof number);
    return make("cw:probe:%016" PRIx64 "%016" PRIx64, number[0], number[1]);
}

bool key_is_ours(struct str key)
{
    return str_starts(key, STR("cw:"));
}

bool key_prefix_reaches_ours(struct str prefix)
{
    return key_is_ours(prefix) || str_starts(STR("cw:"), prefix);
}
