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

void observation_ask(struct pipeline *pipeline, const struct namespace *whose, int64_t term)
{
    struct key dataset = key_dataset();
    char buffer[SWITCH_FIELD_SIZE];

    /* Of an application as well, which has no switch: what comes back has one form. */
    if (namespace_is_given(whose)) {
        struct key key = key_namespace(whose);
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), STR("clears"),
                     switch_field(buffer, term));
    }
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&dataset), STR("term"),
                 STR("epoch"));
}

static enum err take_namespace(const struct value *reply, struct observation *observation,
                               struct error *error)
{
    const struct value *clears = &reply->items[0], *is_off = &reply->items[1];

    if (reply->count != 2)
        return refuse_reply(error, "HMGET of two fields answered otherwise");
    if (clears->kind != VALUE_NIL &&
        (clears->kind != VALUE_STRING ||
         !str_to_int64(clears->text, 0, INT64_MAX, &observation->clears)))
        return refuse_reply(error, "the clears of a namespace are no number");
    observation->has_switch = is_off->kind == VALUE_STRING;
    observation->is_off = observation->has_switch && str_eq(is_off->text, STR("1"));
    return ERR_OK;
}

enum err observation_take(const struct pipeline *pipeline, size_t first,
                          const struct namespace *whose, struct observation *observation_out,
                          struct error *error)
{
    enum err err = ERR_OK;

    *observation_out = (struct observation){.replication_id = pipeline_replication_id(pipeline)};
    if (namespace_is_given(whose))
        err = take_namespace(pipeline_value(pipeline, first++), observation_out, error);
    const struct value *data = pipeline_value(pipeline, first);
    if (err != ERR_OK || data->count != 2)
        return err;
    const struct value *term = &data->items[0], *epoch = &data->items[1];
    if (term->kind != VALUE_STRING ||
        !dataset_read_term(term->text, &observation_out->term, &observation_out->install))
        observation_out->term = 0;
    observation_out->has_epoch = epoch->kind == VALUE_STRING &&
                                 str_to_int64(epoch->text, 0, INT64_MAX, &observation_out->epoch);
    return ERR_OK;
}
