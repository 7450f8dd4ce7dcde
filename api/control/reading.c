#include "control/reading.h"

#include "keyspace.h"
#include "services.h"

#include <inttypes.h>

void reading_ask(struct pipeline *pipeline, int64_t user_id)
{
    struct key witness = key_user_witness(user_id), off = key_user_switch(user_id),
               epoch = key_epoch(), epoch_witness = key_epoch_witness();

    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("MGET"), key_str(&witness), key_str(&off),
                 key_str(&epoch_witness), key_str(&epoch));
}

/* An item of MGET, where a key of another type is nil. */
static enum err take_counter(const struct value *item, int64_t *number_out, bool *is_there_out,
                             struct error *error)
{
    *number_out = 0;
    *is_there_out = item->kind == VALUE_STRING;
    if (item->kind == VALUE_NIL ||
        (item->kind == VALUE_STRING && str_to_int64(item->text, INT64_MIN, INT64_MAX, number_out)))
        return ERR_OK;
    return refuse_reply(error, "a counter does not hold a number");
}

enum err reading_take(const struct pipeline *pipeline, size_t index, struct reading *reading,
                      struct error *error)
{
    const struct value *items = pipeline_value(pipeline, index)->items;
    bool has_raised, has_witness, has_epoch;

    if (pipeline_value(pipeline, index)->count != 4)
        return refuse_reply(error, "MGET of four keys answered otherwise");
    enum err err = take_counter(&items[0], &reading->raised, &has_raised, error);
    if (err == ERR_OK)
        err = take_counter(&items[2], &reading->sight.witness, &has_witness, error);
    if (err == ERR_OK)
        err = take_counter(&items[3], &reading->sight.epoch, &has_epoch, error);
    if (err != ERR_OK)
        return err;
    reading->is_off = items[1].kind != VALUE_NIL;
    reading->sight.has_epoch = has_witness && has_epoch;
    reading->sight.origin = pipeline_origin(pipeline);
    return ERR_OK;
}

void reading_ask_status(struct pipeline *pipeline, int64_t user_id)
{
    struct key version = key_user_version(user_id);

    reading_ask(pipeline, user_id);
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), key_str(&version));
}

enum err reading_take_status(const struct pipeline *pipeline, size_t first,
                             struct reading *reading_out, struct error *error)
{
    *reading_out =
        (struct reading){.counter = reading_counter(pipeline_value(pipeline, first + 1), 1)};
    return reading_take(pipeline, first, reading_out, error);
}

int64_t reading_counter(const struct value *value, int64_t absent)
{
    return value->kind == VALUE_NIL ? absent : value->integer;
}

enum err reading_sum(const struct reading *reading, int64_t *version_out, struct error *error)
{
    int64_t counter = reading->counter, epoch = reading->sight.epoch;

    if (counter < 1)
        return refuse_reply(error, "a version counter is %" PRId64, counter);
    if (epoch < 0)
        return refuse_reply(error, "the epoch is %" PRId64, epoch);
    if (counter > INT64_MAX - epoch)
        return refuse_reply(error, "version counter and epoch overflow");
    *version_out = counter + epoch;
    return ERR_OK;
}
