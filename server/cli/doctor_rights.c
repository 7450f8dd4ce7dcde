/*
 * The doctor's look at the rights of the user of Redis. Redis tells with ACL DRYRUN (7.0), which runs
 * nothing; where it does not, only what the trial of a write needs is known (doctor_others.c).
 */
#include "cli/doctor.h"

#include "cachewarden/caches.h"
#include "cachewarden/pipeline.h"

enum { WORDS_MAX = 8, TRIALS_MAX = 512 };

/* Every right of the ACL line in docs/redis.md; a test takes each away in turn and expects it to be missed. */
enum need { NEED_ALWAYS, NEED_FOR_DATABASES, NEED_UNTRIED };

static const struct {
    enum need need;
    const char *name, *arguments;
} commands[] = {
#define COMMAND(need, name, arguments) {NEED_##need, name, arguments},
#include "cachewarden/redis_commands.def"
#undef COMMAND
};

struct trials {
    struct pipeline *pipeline;
    struct str user;
    struct str commands[TRIALS_MAX];
    size_t count;
};

static void add_words(struct trials *trials, struct str label, const struct str *words,
                      size_t count)
{
    struct str argv[WORDS_MAX + 3] = {STR("ACL"), STR("DRYRUN"), trials->user};
    if (trials->count >= TRIALS_MAX)
        return;
    for (size_t i = 0; i < count; i++)
        argv[3 + i] = words[i];
    trials->commands[trials->count++] = label;
    pipeline_add(trials->pipeline, EXPECT_ANY, 3 + count, argv);
}

static void add_command(struct trials *trials, const char *name, const char *arguments)
{
    struct str words[WORDS_MAX] = {str_from(name)}, rest = str_from(arguments);
    size_t count = 1;
    while (rest.len > 0 && count < WORDS_MAX && str_split(&rest, ' ', &words[count]))
        count++;
    add_words(trials, words[0], words, count);
}

/* The keys of named caches in this very Redis. */
static void add_cache_keys(struct doctor *doctor, const struct config *config,
                           struct trials *trials)
{
    const struct config_cache *caches = config->caches.items;
    for (size_t i = 0; i < config->caches.count; i++)
        for (size_t k = 0; k < caches[i].keys.count && !caches[i].redis_url; k++) {
            struct str key = key_of_cache(doctor->arena, str_from(caches[i].keys.items[k]),
                                          str_from(config->environment));
            add_words(trials, str_format(doctor->arena, "unlink %.*s", STR_ARG(key)),
                      (const struct str[]){STR("unlink"), key}, 2);
            add_words(trials, str_format(doctor->arena, "exists %.*s", STR_ARG(key)),
                      (const struct str[]){STR("exists"), key}, 2);
        }
}

static bool empties_databases(const struct config *config)
{
    const struct config_cache *caches = config->caches.items;
    for (size_t i = 0; i < config->caches.count; i++)
        if (caches[i].database.given && !caches[i].database.url && !caches[i].redis_url)
            return true;
    return false;
}

static void add_all(struct doctor *doctor, const struct config *config, struct trials *trials)
{
    bool has_databases = empties_databases(config);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].need == NEED_ALWAYS ||
            (commands[i].need == NEED_FOR_DATABASES && has_databases))
            add_command(trials, commands[i].name, commands[i].arguments);
    add_cache_keys(doctor, config, trials);
}

static void say_unknown(struct doctor *doctor, const char *why)
{
    doctor_say(doctor, DOCTOR_UNKNOWN, "redis rights",
               "compare them with docs/redis.md, or let the user ask: +acl|whoami +acl|dryrun",
               "cannot tell: %s", why);
}

/* Redis answers OK, or a sentence that says what is missing; that may only be the key. */
static void judge(struct doctor *doctor, const struct trials *trials)
{
    struct strbuf missing;
    size_t count = 0;
    strbuf_init(&missing, doctor->arena, 256);
    for (size_t i = 0; i < trials->count; i++) {
        const struct value *value = pipeline_value(trials->pipeline, i);
        if (value->kind == VALUE_ERROR || value->kind == VALUE_MISSING) {
            say_unknown(doctor, value_fault(value) == REDIS_FAULT_NOPERM
                                    ? "Redis does not let its user ask (ACL DRYRUN)"
                                    : "this Redis has no ACL DRYRUN, which came with 7.0");
            return;
        }
        if (value->kind == VALUE_STATUS && str_eq(value->text, STR("OK")))
            continue;
        strbuf_addf(&missing, "%s%.*s", count++ ? ", " : "", STR_ARG(trials->commands[i]));
    }
    if (count > 0)
        doctor_say(doctor, DOCTOR_FAILURE, "redis rights",
                   "give them with ACL SETUSER, as in docs/redis.md", "user %.*s may not: %.*s",
                   STR_ARG(trials->user), STR_ARG(strbuf_str(&missing)));
    else
        doctor_say(doctor, DOCTOR_OK, "redis rights", NULL, "user %.*s has all that is needed",
                   STR_ARG(trials->user));
}

void doctor_check_rights(struct doctor *doctor, const struct config *config, struct redis *redis,
                         int64_t deadline_ns)
{
    struct pipeline *question = pipeline_new(doctor->arena, PIPELINE_READ);
    struct trials *trials = arena_calloc(doctor->arena, 1, sizeof *trials);
    PIPELINE_ADD(question, EXPECT_STRING, STR("ACL"), STR("WHOAMI"));
    enum err err = redis_run(redis, question, (struct work){.deadline_ns = deadline_ns});
    if (err != ERR_OK || !trials) {
        say_unknown(doctor, err == ERR_UPSTREAM_REFUSED
                                ? "Redis does not let its user ask (ACL WHOAMI)"
                                : "Redis did not answer");
        return;
    }
    trials->user = pipeline_value(question, 0)->text;
    trials->pipeline = pipeline_new(doctor->arena, PIPELINE_READ);
    add_all(doctor, config, trials);
    err = redis_run(redis, trials->pipeline, (struct work){.deadline_ns = deadline_ns});
    if (err == ERR_OK || err == ERR_UPSTREAM_REFUSED)
        judge(doctor, trials);
    else
        say_unknown(doctor, "Redis did not answer");
}
