#include "control/observation.h"

#include "control/dataset.h"
#include "keyspace.h"
#include "redis_reply.h"

struct str switch_field(char buffer[SWITCH_FIELD_SIZE], int64_t term)
{
    const struct str prefix = STR("off:");

    memcpy(buffer, prefix.ptr, prefix.len);
    return (struct str){buffer, prefix.len + str_of_int64(buffer + prefix.len, term).len};
}

void observation_ask_switch(struct pipeline *pipeline, const struct namespace *whose, int64_t term)
{
    struct key key = key_namespace(whose);
    char buffer[SWITCH_FIELD_SIZE];

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), switch_field(buffer, term));
}

void observation_ask_data(struct pipeline *pipeline)
{
    struct key dataset = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&dataset), STR("term"),
                 STR("epoch"));
}

void observation_ask(struct pipeline *pipeline, const struct namespace *whose, int64_t term)
{
    char buffer[SWITCH_FIELD_SIZE];

    /* Of an application as well, which has no switch: what comes back has one form. */
    if (namespace_is_given(whose)) {
        struct key key = key_namespace(whose);
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), STR("clears"),
                     switch_field(buffer, term));
    }
    observation_ask_data(pipeline);
}

static void read_switch(const struct value *field, struct observation *observation)
{
    observation->has_switch = field->kind == VALUE_STRING;
    observation->is_off = observation->has_switch && str_eq(field->text, STR("1"));
}

void observation_take_switch(const struct value *reply, struct observation *observation)
{
    if (reply->count == 1)
        read_switch(&reply->items[0], observation);
}

static enum err take_namespace(const struct value *reply, struct observation *observation,
                               struct error *error)
{
    const struct value *clears = &reply->items[0];

    if (reply->count != 2)
        return refuse_reply(error, "HMGET of two fields answered otherwise");
    if (clears->kind != VALUE_NIL &&
        (clears->kind != VALUE_STRING ||
         !str_to_int64(clears->text, 0, INT64_MAX, &observation->clears)))
        return refuse_reply(error, "the clears of a namespace are no number");
    read_switch(&reply->items[1], observation);
    return ERR_OK;
}

void observation_take_data(const struct pipeline *pipeline, size_t index,
                           struct observation *observation)
{
    const struct value *data = pipeline_value(pipeline, index);

    observation->replication_id = pipeline_replication_id(pipeline);
    observation->term = 0;
    observation->has_epoch = false;
    if (data->count != 2)
        return;
    const struct value *term = &data->items[0], *epoch = &data->items[1];
    if (term->kind != VALUE_STRING ||
        !dataset_read_term(term->text, &observation->term, &observation->install))
        observation->term = 0;
    observation->has_epoch =
        epoch->kind == VALUE_STRING && str_to_int64(epoch->text, 0, INT64_MAX, &observation->epoch);
}

enum err observation_take(const struct pipeline *pipeline, size_t first,
                          const struct namespace *whose, struct observation *observation_out,
                          struct error *error)
{
    enum err err = ERR_OK;

    *observation_out = (struct observation){0};
    if (namespace_is_given(whose))
        err = take_namespace(pipeline_value(pipeline, first++), observation_out, error);
    observation_take_data(pipeline, first, observation_out);
    return err;
}
