#include "backup/entries_source.h"

#include "backup/entries_numbers.h"
#include "cachewarden/random.h"
#include "cachewarden/redis_error.h"
#include "entries/service.h"
#include "keyspace.h"

enum { ID_BYTES = 16 };

/* Empty where there is none. */
static enum err read_store(struct app *app, bool makes, struct work work, struct str *id_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, makes ? PIPELINE_WRITE : PIPELINE_READ);
    struct str drawn = makes ? random_hex(work.arena, ID_BYTES) : STR_NONE;
    struct key key = key_store();

    *id_out = STR_NONE;
    if (!entries_own_redis(app->entries))
        return ERR_OK;
    if (makes && !drawn.ptr)
        return ERR_NO_MEMORY;
    if (makes)
        PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), key_str(&key), drawn, STR("NX"));
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&key));
    enum err err = redis_run(entries_redis(app->entries), pipeline, work);
    const struct value *reply = pipeline_value(pipeline, makes);
    if (err == ERR_OK && reply->kind == VALUE_STRING)
        *id_out = reply->text;
    return err;
}

static enum err read_data(struct app *app, struct pipeline *pipeline, struct work work,
                          struct entries_data *data_out)
{
    *data_out = (struct entries_data){0};
    entries_data_ask(pipeline, data_out);
    enum err err = redis_run(app->control, pipeline, work);
    if (err == ERR_OK)
        entries_data_take(pipeline, data_out);
    return err;
}

enum err entries_source_read(struct app *app, struct work work, struct entries_source *source_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    struct entries_data data;

    *source_out = (struct entries_source){0};
    pipeline_pass_gate(pipeline);
    enum err err = read_data(app, pipeline, work, &data);
    if (err != ERR_OK)
        return err;
    if (!data.is_whole)
        return redis_error_set(work.error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                               "there is no control data to judge entries by");
    source_out->dataset = data.id;
    source_out->replication_id = pipeline_replication_id(pipeline);
    return read_store(app, true, work, &source_out->store);
}

enum err entries_source_expect(const struct entries_source *source,
                               const struct entries_source *now, struct error *error)
{
    if (str_eq(source->dataset, now->dataset) && source->replication_id == now->replication_id &&
        str_eq(source->store, now->store))
        return ERR_OK;
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                           "another redis came in the place of the one that was read");
}

enum err entries_source_remembers(struct app *app, struct work work, struct str dataset,
                                  struct str store, struct entries_memory *memory_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    struct entries_data data;
    struct str here;
    enum err err = read_data(app, pipeline, work, &data);

    *memory_out = (struct entries_memory){
        .is_there = err == ERR_OK && data.is_whole && str_eq(data.id, dataset), .back = data.back};
    if (err != ERR_OK || memory_out->is_there)
        return err;
    err = read_store(app, false, work, &here);
    memory_out->is_there = err == ERR_OK && here.len > 0 && str_eq(here, store);
    return err;
}
