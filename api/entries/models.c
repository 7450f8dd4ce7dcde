#include "entries/models.h"

#include "cachewarden/app.h"
#include "cachewarden/random.h"
#include "keyspace.h"
#include "redis_reply.h"

#define MODEL_FIELD "m:"
enum { MODEL_FIELD_SIZE = sizeof MODEL_FIELD - 1 + ENTRY_MODEL_MAX };

static struct str model_field(char buffer[MODEL_FIELD_SIZE], struct str name)
{
    struct str shown = str_sub(name, 0, ENTRY_MODEL_MAX);

    memcpy(buffer, MODEL_FIELD, sizeof MODEL_FIELD - 1);
    memcpy(buffer + sizeof MODEL_FIELD - 1, shown.ptr, shown.len);
    return (struct str){buffer, sizeof MODEL_FIELD - 1 + shown.len};
}

/* HMGET key base any m:… */
enum { ASK_FIXED = 4, TAKE_FIXED = 2 };

void models_ask(struct pipeline *pipeline, const struct namespace *space,
                const struct model_set *models)
{
    struct key key = key_models(space);
    char fields[ENTRY_MODELS_MAX][MODEL_FIELD_SIZE];
    struct str argv[ASK_FIXED + ENTRY_MODELS_MAX] = {STR("HMGET"), key_str(&key), STR("base"),
                                                     STR("any")};

    for (size_t i = 0; i < models->count; i++)
        argv[ASK_FIXED + i] = model_field(fields[i], models->names[i]);
    pipeline_add_keys(pipeline, EXPECT_ARRAY, 1, ASK_FIXED + models->count, argv);
}

void models_ask_base(struct pipeline *pipeline, const struct namespace *space)
{
    struct key key = key_models(space);
    uint64_t drawn;

    random_bytes(&drawn, sizeof drawn);
    /* From 1 up: 0 stands for no hash. */
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSETNX"), key_str(&key), STR("base"),
                 STR_INT64((int64_t)(drawn >> 2) + 1));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&key), STR_INT64(MODELS_LIFE_S));
}

/* A number from 0 up; 0 where there is none. */
static bool take_count(const struct value *field, int64_t *count_out)
{
    *count_out = 0;
    return field->kind == VALUE_NIL ||
           (field->kind == VALUE_STRING && str_to_int64(field->text, 0, INT64_MAX, count_out));
}

enum err models_take(const struct value *reply, struct model_set *models, struct error *error)
{
    bool is_sound = reply->kind == VALUE_ARRAY && reply->count == TAKE_FIXED + models->count &&
                    take_count(&reply->items[0], &models->base) &&
                    take_count(&reply->items[1], &models->any);

    for (size_t i = 0; is_sound && i < models->count; i++)
        is_sound = take_count(&reply->items[TAKE_FIXED + i], &models->counts[i]);
    return is_sound ? ERR_OK : refuse_reply(error, "the counts of models are no numbers");
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

/* Every entry that names a model is dropped with the hash: its base is another one. */
static enum err begin_anew(const struct entry_request *request)
{
    struct pipeline *pipeline = pipeline_new(request->work.arena, PIPELINE_WRITE);
    struct key key = key_models(&request->space);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
    models_ask_base(pipeline, &request->space);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), STR("any"), STR("1"));
    return redis_run(request->app->control, pipeline, request->work);
}

enum err models_clear(const struct entry_request *request, struct str name, int64_t *count_out)
{
    enum { ANY = MODELS_BASE_COMMANDS, COUNT, SIZE };
    struct pipeline *pipeline = pipeline_new(request->work.arena, PIPELINE_WRITE);
    struct key key = key_models(&request->space);
    char buffer[MODEL_FIELD_SIZE];
    struct str field = model_field(buffer, name);

    models_ask_base(pipeline, &request->space);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), STR("any"), STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), field, STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HLEN"), key_str(&key));
    enum err err = redis_run(request->app->control, pipeline, request->work);
    if (err != ERR_OK)
        return err;
    *count_out = pipeline_value(pipeline, COUNT)->integer;
    /* This one was cleared whatever becomes of that: the next clear finds too many again. */
    if (pipeline_value(pipeline, SIZE)->integer > TAKE_FIXED + MODELS_MAX &&
        begin_anew(request) != ERR_OK)
        error_clear(request->work.error);
    return ERR_OK;
}
