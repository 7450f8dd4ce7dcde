/* The doctor's questions to Redis. A question that Redis does not let its user ask is "unknown". */
#include "cli/doctor.h"

#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"

#include <stdlib.h>

enum {
    ALL_MS = 10000, /* for all Redis together */
    STEP_MS_MAX = 2000,
    CLOCK_WARNING_MS = 1000,
    CLOCK_FAILURE_MS = 5000,
};

#define NOT_TOLD "let its user ask: +info"

/* One command; the reply is never NULL. */
static enum err ask(struct redis *redis, struct work work, enum expect expect, struct str command,
                    const struct value **reply_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, expect, command);
    enum err err = redis_run(redis, pipeline, work);
    *reply_out = pipeline_value(pipeline, 0);
    return err;
}

static bool is(struct str info, const char *name, const char *value)
{
    return str_eq(redis_info_field(info, name), str_from(value));
}

/* ---- what INFO tells ---- */

static void check_version(struct doctor *doctor, struct str info)
{
    struct str version = redis_info_field(info, "redis_version"), rest = version, part;
    int64_t major = 0, minor = 0;
    if (!str_split(&rest, '.', &part) || !str_to_int64(part, 0, 1000, &major) ||
        !str_split(&rest, '.', &part) || !str_to_int64(part, 0, 1000, &minor))
        doctor_say(doctor, DOCTOR_UNKNOWN, "redis version", NOT_TOLD, "Redis does not tell");
    else if (major < 6 || (major == 6 && minor < 2))
        doctor_say(doctor, DOCTOR_FAILURE, "redis version", "install 6.2 or newer",
                   "%.*s is too old", STR_ARG(version));
    else
        doctor_say(doctor, DOCTOR_OK, "redis version", NULL, "%.*s", STR_ARG(version));
}

static void check_role(struct doctor *doctor, struct str info)
{
    struct str role = redis_info_field(info, "role");
    if (role.len == 0)
        doctor_say(doctor, DOCTOR_UNKNOWN, "redis role", NOT_TOLD, "Redis does not tell");
    else if (!str_eq(role, STR("master")))
        doctor_say(doctor, DOCTOR_FAILURE, "redis role",
                   "name the primary in redis.url, or the sentinels",
                   "this is a replica, which takes no writes");
    else
        doctor_say(doctor, DOCTOR_OK, "redis role", NULL, "primary");
    if (is(info, "cluster_enabled", "1"))
        doctor_say(doctor, DOCTOR_FAILURE, "redis role", "name a Redis that is no cluster",
                   "this is a node of a cluster");
}

/* One user's evicted hash looks like that of a user who never cleared: nothing tells. So even without
 * maxmemory, which somebody may set on the day that memory runs short. */
static void check_eviction(struct doctor *doctor, struct str info)
{
    static const char check[] = "redis eviction";
    static const char fix[] =
        "set maxmemory-policy noeviction, and give caches a Redis of their own";
    struct str policy = redis_info_field(info, "maxmemory_policy");
    if (policy.len == 0)
        doctor_say(doctor, DOCTOR_UNKNOWN, check, NOT_TOLD, "Redis does not tell");
    else if (str_eq(policy, STR("noeviction")))
        doctor_say(doctor, DOCTOR_OK, check, NULL, "noeviction");
    else
        doctor_say(doctor, DOCTOR_FAILURE, check, fix,
                   "%.*s: it throws away control data%s, and then versions go back and what was "
                   "revoked or spent is good again, unnoticed",
                   STR_ARG(policy),
                   is(info, "maxmemory", "0") ? " as soon as there is a maxmemory" : "");
}

/* Whether entries have the memory of another server: another database of one server is none. */
static bool entries_are_apart(const struct config *config)
{
    struct redis_address address = {0};
    bool is_apart =
        config->entries_redis_url &&
        redis_address_parse(str_from(config->entries_redis_url), &address, NULL) == ERR_OK &&
        !redis_address_same_server(&address, &config->redis);
    redis_address_fini(&address);
    return is_apart;
}

/* Entries leave this much of maxmemory alone (entries.memory_percent). */
static bool has_room_for_entries(const struct config *config, int64_t used, int64_t max)
{
    int64_t percent = config->entries_memory_percent;
    return entries_are_apart(config) || used < max / 100 * percent + max % 100 * percent / 100;
}

/* Where nothing is evicted, a full Redis refuses every clear. Entries keep away from its maxmemory, where there is
 * one. */
static void check_memory(struct doctor *doctor, const struct config *config, struct str info)
{
    static const char check[] = "redis memory";
    static const char fix[] = "raise maxmemory, or move what fills it to a Redis of its own";
    int64_t used, max;
    if (!str_to_int64(redis_info_field(info, "used_memory"), 0, INT64_MAX, &used) ||
        !str_to_int64(redis_info_field(info, "maxmemory"), 0, INT64_MAX, &max))
        doctor_say(doctor, DOCTOR_UNKNOWN, check, NOT_TOLD, "Redis does not tell");
    else if (max == 0 && !entries_are_apart(config))
        doctor_say(doctor, DOCTOR_WARNING, check,
                   "set one, or give entries a Redis of their own (entries.redis_url)",
                   "no maxmemory: entries of the cache service may use all memory of its machine");
    else if (max == 0)
        doctor_say(doctor, DOCTOR_OK, check, NULL, "no maxmemory");
    else if (used >= max)
        doctor_say(doctor, DOCTOR_FAILURE, check, fix,
                   "all of maxmemory is in use: it takes no writes");
    else if (!has_room_for_entries(config, used, max))
        doctor_say(doctor, DOCTOR_WARNING, check,
                   "raise maxmemory, give entries a Redis of their own (entries.redis_url) or a "
                   "larger share (entries.memory_percent), or move what else fills it",
                   "no room for entries: %d %% of maxmemory are in use, and they stop at %d %%; "
                   "fills are refused, clears go on",
                   (int)(used / (max / 100 + 1)), (int)config->entries_memory_percent);
    else if (used >= max / 10 * 9)
        doctor_say(doctor, DOCTOR_WARNING, check, fix, "%d %% of maxmemory are in use",
                   (int)(used / (max / 100)));
    else
        doctor_say(doctor, DOCTOR_OK, check, NULL, "%d %% of maxmemory are in use",
                   (int)(used / (max / 100 + 1)));
}

static void check_last_saves(struct doctor *doctor, struct str info)
{
    static const char fix[] = "look at the log of Redis, and at the room on its disk";
    if (is(info, "rdb_last_bgsave_status", "err"))
        doctor_say(doctor, DOCTOR_FAILURE, "redis persistence", fix, "the last snapshot failed");
    if (is(info, "aof_last_write_status", "err") || is(info, "aof_last_bgrewrite_status", "err"))
        doctor_say(doctor, DOCTOR_FAILURE, "redis persistence", fix,
                   "the last write of the append-only file failed");
}

/* Whether snapshots are made only CONFIG GET save tells, which the user seldom may. */
static void check_persistence(struct doctor *doctor, struct redis *redis, int64_t deadline_ns,
                              struct str info)
{
    static const char check[] = "redis persistence";
    const struct value *reply;
    const struct str argv[] = {STR("CONFIG"), STR("GET"), STR("save")};
    check_last_saves(doctor, info);
    if (is(info, "aof_enabled", "1")) {
        doctor_say(doctor, DOCTOR_OK, check, NULL, "append-only file");
        return;
    }
    struct pipeline *pipeline = pipeline_new(doctor->arena, PIPELINE_READ);
    pipeline_add(pipeline, EXPECT_ARRAY, 3, argv);
    enum err err = redis_run(redis, pipeline, (struct work){.deadline_ns = deadline_ns});
    reply = pipeline_value(pipeline, 0);
    if (err != ERR_OK || reply->count != 2 || reply->items[1].kind != VALUE_STRING)
        doctor_say(doctor, DOCTOR_UNKNOWN, check, "see that appendonly is yes, or save is set",
                   "%s",
                   is(info, "aof_enabled", "0")
                       ? "no append-only file; whether there are snapshots Redis does not tell"
                       : "Redis does not tell");
    else if (reply->items[1].text.len == 0)
        doctor_say(doctor, DOCTOR_WARNING, check, "set appendonly yes",
                   "none: versions and sessions end with Redis");
    else
        doctor_say(doctor, DOCTOR_OK, check, NULL, "snapshots (save %.*s)",
                   STR_ARG(reply->items[1].text));
}

/* ---- clock ---- */

static bool read_time(const struct value *reply, int64_t *ms_out)
{
    int64_t seconds, micros;
    if (reply->count != 2 ||
        !str_to_int64(reply->items[0].text, 0, INT64_MAX / 1000 - 1, &seconds) ||
        !str_to_int64(reply->items[1].text, 0, 999999, &micros))
        return false;
    *ms_out = seconds * 1000 + micros / 1000;
    return true;
}

static void check_clock(struct doctor *doctor, struct redis *redis, int64_t deadline_ns)
{
    const struct value *reply;
    int64_t theirs_ms, before_ms = clock_wall_ms();
    enum err err = ask(redis, (struct work){doctor->arena, deadline_ns, NULL}, EXPECT_ARRAY,
                       STR("TIME"), &reply);
    int64_t after_ms = clock_wall_ms();
    if (err != ERR_OK || !read_time(reply, &theirs_ms)) {
        doctor_say(doctor, DOCTOR_UNKNOWN, "clock", "let its user ask: +time",
                   "cannot tell: Redis does not say its time");
        return;
    }
    /* What lies between question and answer is nobody's fault. */
    int64_t off_ms = theirs_ms < before_ms  ? before_ms - theirs_ms
                     : theirs_ms > after_ms ? theirs_ms - after_ms
                                            : 0;
    enum doctor_verdict verdict = off_ms > CLOCK_FAILURE_MS   ? DOCTOR_FAILURE
                                  : off_ms > CLOCK_WARNING_MS ? DOCTOR_WARNING
                                                              : DOCTOR_OK;
    doctor_say(doctor, verdict, "clock",
               verdict == DOCTOR_OK ? NULL : "synchronise both machines (NTP)",
               "differs from the clock of Redis by %lld ms", (long long)off_ms);
}

/* ---- who is asked ---- */

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

/* The control data's server is where its topology says; a URL of its own leads to one server. */
static struct redis *open_pool(struct doctor *doctor, const struct config *config,
                               const struct redis_address *address, const char *check)
{
    struct redis_options options;
    struct redis *redis = NULL;
    struct error error = {0};
    config_redis_options(config, &options);
    if (!redis_address_same_server(address, &config->redis))
        options.topology = (struct redis_topology){0};
    options.address = *address;
    options.size = 1;
    options.connect_timeout_ms = at_most(options.connect_timeout_ms, STEP_MS_MAX);
    options.command_timeout_ms = at_most(options.command_timeout_ms, STEP_MS_MAX);
    enum err err = redis_open(&options, &redis, &error);
    if (err != ERR_OK)
        doctor_say(doctor, DOCTOR_FAILURE, check, "correct the address, or the files for TLS", "%s",
                   error.caller[0] ? error.caller : err_name(err));
    return err == ERR_OK ? redis : NULL;
}

static bool answers(struct doctor *doctor, struct redis *redis, int64_t deadline_ns,
                    const struct redis_address *address, const char *check, const char *what)
{
    char where[256];
    const struct value *reply;
    struct error error = {0};
    redis_address_describe(address, where, sizeof where);
    enum err err = ask(redis, (struct work){doctor->arena, deadline_ns, &error}, EXPECT_STATUS,
                       STR("PING"), &reply);
    if (err == ERR_OK) {
        doctor_say(doctor, DOCTOR_OK, check, NULL, "%sanswers at %s", what, where);
        return true;
    }
    doctor_say(doctor, DOCTOR_FAILURE, check,
               "start it, or correct its address, user and password (docs/redis.md)",
               "%s%s does not serve us: %s", what, where,
               error.detail[0] ? error.detail : err_name(err));
    return false;
}

/* Each was asked when the first question to Redis was answered, or could not be. */
static void check_sentinels(struct doctor *doctor, struct redis *redis)
{
    static const char check[] = "redis sentinels";
    static const char fix[] = "look at the sentinels (docs/redis.md#sentinel)";
    struct redis_sentinels told;
    if (!redis_sentinels_read(redis, &told))
        return;
    if (!told.primary[0])
        doctor_say(doctor, DOCTOR_FAILURE, check, fix, "%s",
                   told.trouble[0] ? told.trouble : "they have not answered in time");
    else if (told.trouble[0])
        doctor_say(doctor, DOCTOR_WARNING, check, fix, "%s; the primary is %s", told.trouble,
                   told.primary);
    else if (told.count < 3)
        doctor_say(doctor, DOCTOR_WARNING, check, "name all of them, and have three at least",
                   "%zu of them: the primary is %s", told.count, told.primary);
    else
        doctor_say(doctor, DOCTOR_OK, check, NULL, "%zu agree that the primary is %s", told.naming,
                   told.primary);
}

static void check_control(struct doctor *doctor, const struct config *config, int64_t deadline_ns)
{
    const struct value *reply;
    struct redis *redis = open_pool(doctor, config, &config->redis, "redis");
    if (!redis)
        return;
    if (answers(doctor, redis, deadline_ns, &config->redis, "redis", "")) {
        enum err err = ask(redis, (struct work){doctor->arena, deadline_ns, NULL}, EXPECT_STRING,
                           STR("INFO"), &reply);
        struct str info = err == ERR_OK ? reply->text : STR_NONE;
        check_version(doctor, info);
        check_role(doctor, info);
        check_eviction(doctor, info);
        check_memory(doctor, config, info);
        check_persistence(doctor, redis, deadline_ns, info);
        doctor_check_rights(doctor, config, redis, deadline_ns);
        check_clock(doctor, redis, deadline_ns);
        if (doctor->knows_all)
            doctor_check_installation(doctor, config, redis, deadline_ns);
    }
    check_sentinels(doctor, redis);
    redis_close(&redis);
}

/* A cache's own database or server; caches of keys beside the control data have neither. */
static enum err address_of(const struct config *config, const struct config_cache *cache,
                           struct redis_address *address_out, struct error *error)
{
    const char *url = cache->database.url ? cache->database.url : cache->redis_url;
    enum err err = url ? redis_address_parse(str_from(url), address_out, error)
                       : redis_address_copy(&config->redis, address_out);
    if (err != ERR_OK)
        return err;
    if (cache->database.given)
        address_out->database = (int)cache->database.number;
    return url ? redis_address_copy_tls(&config->redis, address_out) : ERR_OK;
}

static void check_cache(struct doctor *doctor, const struct config *config,
                        const struct config_cache *cache, int64_t deadline_ns)
{
    struct redis_address address = {0};
    struct error error = {0};
    if (!cache->database.given && !cache->redis_url)
        return;
    enum err err = address_of(config, cache, &address, &error);
    if (err != ERR_OK) {
        doctor_say(doctor, DOCTOR_FAILURE, "named cache", NULL, "%s: %s", cache->name,
                   error.caller[0] ? error.caller : err_name(err));
    } else {
        struct redis *redis = open_pool(doctor, config, &address, "named cache");
        struct str what = str_format(doctor->arena, "%s: ", cache->name);
        if (redis)
            (void)answers(doctor, redis, deadline_ns, &address, "named cache", what.ptr);
        redis_close(&redis);
    }
    redis_address_fini(&address);
}

/* It may evict and forget: that is a miss, and no more. What it may not is fill up: then it takes no fills. */
static void judge_entries_memory(struct doctor *doctor, struct str info)
{
    static const char check[] = "entries.redis_url";
    static const char fix[] = "set maxmemory and maxmemory-policy allkeys-lru";
    int64_t used, max;
    bool evicts = !is(info, "maxmemory_policy", "noeviction");
    if (!str_to_int64(redis_info_field(info, "used_memory"), 0, INT64_MAX, &used) ||
        !str_to_int64(redis_info_field(info, "maxmemory"), 0, INT64_MAX, &max))
        doctor_say(doctor, DOCTOR_UNKNOWN, check, NOT_TOLD, "its memory: Redis does not tell");
    else if (max == 0)
        doctor_say(doctor, DOCTOR_WARNING, check, fix,
                   "no maxmemory: entries may use all memory of its machine");
    else if (!evicts && used >= max / 10 * 9)
        doctor_say(doctor, used >= max ? DOCTOR_FAILURE : DOCTOR_WARNING, check, fix,
                   "%d %% of maxmemory are in use, and noeviction: when it is full, fills are "
                   "refused",
                   (int)(used / (max / 100 + 1)));
    else
        doctor_say(doctor, DOCTOR_OK, check, NULL, "%d %% of maxmemory are in use, %.*s",
                   (int)(used / (max / 100 + 1)),
                   STR_ARG(redis_info_field(info, "maxmemory_policy")));
}

static void look_at_entries(struct doctor *doctor, const struct config *config,
                            const struct redis_address *address, int64_t deadline_ns)
{
    static const char check[] = "entries.redis_url";
    const struct value *reply;
    if (redis_address_same_server(address, &config->redis))
        doctor_say(doctor, DOCTOR_WARNING, check,
                   "name another server, or leave it out and let entries live beside the control "
                   "data",
                   "is the server of the control data: entries have no memory apart");
    struct redis *pool = open_pool(doctor, config, address, check);
    if (pool && answers(doctor, pool, deadline_ns, address, check, "entries: ") &&
        !redis_address_same_server(address, &config->redis)) {
        enum err err = ask(pool, (struct work){doctor->arena, deadline_ns, NULL}, EXPECT_STRING,
                           STR("INFO"), &reply);
        judge_entries_memory(doctor, err == ERR_OK ? reply->text : STR_NONE);
    }
    redis_close(&pool);
}

static void check_entries(struct doctor *doctor, const struct config *config, int64_t deadline_ns)
{
    struct redis_address address = {0};
    struct error error = {0};
    if (!config->entries_redis_url)
        return;
    enum err err = redis_address_parse(str_from(config->entries_redis_url), &address, &error);
    if (err == ERR_OK)
        err = redis_address_copy_tls(&config->redis, &address);
    if (err != ERR_OK)
        doctor_say(doctor, DOCTOR_FAILURE, "entries.redis_url", NULL, "%s",
                   error.caller[0] ? error.caller : err_name(err));
    else
        look_at_entries(doctor, config, &address, deadline_ns);
    redis_address_fini(&address);
}

void doctor_check_redis(struct doctor *doctor, const struct config *config)
{
    int64_t deadline_ns = clock_deadline_ns(ALL_MS);
    const struct config_cache *caches = config->caches.items;
    check_control(doctor, config, deadline_ns);
    check_entries(doctor, config, deadline_ns);
    for (size_t i = 0; i < config->caches.count; i++)
        check_cache(doctor, config, &caches[i], deadline_ns);
}
