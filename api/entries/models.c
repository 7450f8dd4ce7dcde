#include "entries/models.h"

#include "cachewarden/app.h"
#include "cachewarden/random.h"
#include "cachewarden/redis_error.h"
#include "keyspace.h"

#define MODEL_FIELD "m:"
enum { MODEL_FIELD_SIZE = sizeof MODEL_FIELD - 1 + ENTRY_MODEL_MAX };

static struct str model_field(char buffer[MODEL_FIELD_SIZE], struct str name)
{
    struct str shown = str_sub(name, 0, ENTRY_MODEL_MAX);

    memcpy(buffer, MODEL_FIELD, sizeof MODEL_FIELD - 1);
    if (shown.len > 0)
        memcpy(buffer + sizeof MODEL_FIELD - 1, shown.ptr, shown.len);
    return (struct str){buffer, sizeof MODEL_FIELD - 1 + shown.len};
}

struct str models_soft_name(struct arena *arena, struct str model)
{
    char *name = arena_alloc(arena, 1 + model.len);

    if (!name)
        return STR_NONE;
    name[0] = '/';
    if (model.len > 0)
        memcpy(name + 1, model.ptr, model.len);
    return (struct str){name, 1 + model.len};
}

/* From 1 up: 0 stands for no hash. */
static int64_t draw_base(void)
{
    uint64_t drawn;

    random_bytes(&drawn, sizeof drawn);
    return (int64_t)(drawn >> 2) + 1;
}

/* ---- reading ---- */

/* HMGET key base any m:… */
enum { ASK_FIXED = 4, TAKE_FIXED = 2, KEEP_COMMANDS = 2 };

/* Who reads the replies judges them: what somebody wrote there by hand must not be in the way for ever. */
static void add_keep(struct pipeline *pipeline, struct str key)
{
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HSETNX"), key, STR("base"),
                 STR_INT64(draw_base()));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key, STR_INT64(MODELS_LIFE_S));
}

void models_ask(struct pipeline *pipeline, const struct namespace *space,
                const struct model_set *models, bool keeps)
{
    struct key key = key_models(space);
    char fields[ENTRY_MODELS_MAX][MODEL_FIELD_SIZE];
    struct str argv[ASK_FIXED + ENTRY_MODELS_MAX] = {STR("HMGET"), key_str(&key), STR("base"),
                                                     STR("any")};

    if (keeps)
        add_keep(pipeline, key_str(&key));
    for (size_t i = 0; i < models->count; i++)
        argv[ASK_FIXED + i] = model_field(fields[i], models->names[i]);
    pipeline_add_keys(pipeline, EXPECT_UNJUDGED, 1, ASK_FIXED + models->count, argv);
}

/* A number from 0 up; 0 where there is none. */
static bool take_count(const struct value *field, int64_t *count_out)
{
    *count_out = 0;
    return field->kind == VALUE_NIL ||
           (field->kind == VALUE_STRING && str_to_int64(field->text, 0, INT64_MAX, count_out));
}

static bool take_counts(const struct value *reply, struct model_set *models)
{
    bool is_sound = reply->kind == VALUE_ARRAY && reply->count == TAKE_FIXED + models->count &&
                    take_count(&reply->items[0], &models->base) &&
                    take_count(&reply->items[1], &models->any);

    for (size_t i = 0; is_sound && i < models->count; i++)
        is_sound = take_count(&reply->items[TAKE_FIXED + i], &models->counts[i]);
    return is_sound;
}

static enum err take_error(const struct value *reply, struct error *error)
{
    struct str word = value_error_word(reply);

    return redis_error_set(error, ERR_UPSTREAM_REFUSED, redis_fault_cause(value_fault(reply)),
                           "models: redis answered %.*s", STR_ARG(word));
}

enum err models_take(const struct pipeline *pipeline, size_t first, bool keeps,
                     struct model_set *models, struct error *error)
{
    const struct value *kept = pipeline_value(pipeline, first);
    const struct value *reply = pipeline_value(pipeline, first + (keeps ? KEEP_COMMANDS : 0));

    models->is_damaged = false;
    if (keeps && kept->kind == VALUE_ERROR && value_fault(kept) != REDIS_FAULT_WRONGTYPE)
        return take_error(kept, error);
    if (reply->kind == VALUE_ERROR && value_fault(reply) != REDIS_FAULT_WRONGTYPE)
        return take_error(reply, error);
    if (take_counts(reply, models))
        return ERR_OK;
    models->is_damaged = true;
    models->base = models->any = 0;
    memset(models->counts, 0, sizeof models->counts);
    return ERR_OK;
}

int models_find(const struct model_set *models, struct str name)
{
    for (size_t i = 0; i < models->count; i++) {
        if (str_eq(models->names[i], name))
            return (int)i;
    }
    return -1;
}

enum models_verdict models_judge(const struct model_set *entry, const struct model_set *now)
{
    enum models_verdict verdict = MODELS_CURRENT;

    if (entry->count > 0 && (entry->base == 0 || entry->base != now->base))
        return MODELS_MOVED;
    for (size_t i = 0; i < entry->count; i++) {
        int known = models_find(now, entry->names[i]);
        if (known < 0)
            verdict = MODELS_UNKNOWN;
        else if (now->counts[known] != entry->counts[i])
            return MODELS_MOVED;
    }
    return verdict;
}

/* ---- clearing ---- */

/* It is made beside, and takes the place of the other in one command: at no moment is there no hash, which would
 * look as if no model had ever been cleared. */
enum err models_begin_anew(const struct entry_request *request, struct str cleared,
                           struct model_set *models)
{
    struct pipeline *pipeline = pipeline_new(request->work.arena, PIPELINE_WRITE);
    struct key key = key_models(&request->space), scratch = key_scratch(&request->space);
    char buffer[MODEL_FIELD_SIZE];
    int64_t base = draw_base();
    const struct str argv[] = {STR("HSET"),
                               key_str(&scratch),
                               STR("base"),
                               STR_INT64(base),
                               STR("any"),
                               STR("1"),
                               model_field(buffer, cleared),
                               STR("1")};

    pipeline_add_keys(pipeline, EXPECT_INTEGER, 1, cleared.len > 0 ? 8 : 6, argv);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&scratch),
                 STR_INT64(MODELS_LIFE_S));
    PIPELINE_KEYS(pipeline, EXPECT_OK, 2, STR("RENAME"), key_str(&scratch), key_str(&key));
    enum err err = redis_run(request->app->control, pipeline, request->work);
    if (err != ERR_OK)
        return err;
    models->is_damaged = false;
    models->base = base;
    models->any = 1;
    memset(models->counts, 0, sizeof models->counts);
    return ERR_OK;
}

/* How often it was cleared; 0: what is there is no number. Of other errors *err_out is what they mean. */
static int64_t take_raised(const struct value *reply, struct error *error, enum err *err_out)
{
    enum redis_fault fault = value_fault(reply);

    if (reply->kind == VALUE_INTEGER)
        return reply->integer > 0 ? reply->integer : 0;
    if (fault != REDIS_FAULT_WRONGTYPE && fault != REDIS_FAULT_OVERFLOW &&
        fault != REDIS_FAULT_OTHER && *err_out == ERR_OK)
        *err_out = take_error(reply, error);
    return 0;
}

/*
 * One step. Who sees that the sum has not moved takes the counts for those of then: between the two they could find the
 * counts of before under the sum of afterwards, or the other way round, whichever is raised first.
 */
static void add_clears(struct pipeline *pipeline, struct str key, const struct str *names,
                       size_t count)
{
    char buffer[MODEL_FIELD_SIZE];

    pipeline_begin_transaction(pipeline);
    for (size_t i = 0; i < count; i++)
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HINCRBY"), key, model_field(buffer, names[i]),
                     STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HINCRBY"), key, STR("any"), STR("1"));
    pipeline_end_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HLEN"), key);
}

enum err models_clear(const struct entry_request *request, const struct str *names, size_t count,
                      int64_t *count_out)
{
    enum { RAISED = KEEP_COMMANDS + 1 }; /* behind MULTI */
    struct pipeline *pipeline = pipeline_new(request->work.arena, PIPELINE_WRITE);
    struct key key = key_models(&request->space);
    bool is_sound = true;
    struct model_set anew;

    add_keep(pipeline, key_str(&key));
    add_clears(pipeline, key_str(&key), names, count);
    enum err err = redis_run(request->app->control, pipeline, request->work);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i <= count; i++) {
        int64_t raised =
            take_raised(pipeline_value(pipeline, RAISED + i), request->work.error, &err);
        is_sound = is_sound && raised > 0;
        if (i == 0)
            *count_out = raised;
    }
    if (err != ERR_OK)
        return err;
    if (!is_sound) {
        *count_out = 1;
        return models_begin_anew(request, names[0], &anew);
    }
    /* These were cleared whatever becomes of that: the next clear finds too many again. */
    if (pipeline_value(pipeline, RAISED + count + 2)->integer > TAKE_FIXED + MODELS_MAX &&
        models_begin_anew(request, STR_NONE, &anew) != ERR_OK)
        error_clear(request->work.error);
    return ERR_OK;
}
