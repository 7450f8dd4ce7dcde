#include "backup/entries_numbers.h"

#include "control/dataset.h"
#include "keyspace.h"

void entries_numbers_ask(struct pipeline *pipeline, struct entries_numbers *numbers)
{
    struct key key = key_namespace(&numbers->space);

    numbers->at = pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), key_str(&key), STR("clears"));
    models_ask(pipeline, &numbers->space, &numbers->models, numbers->keeps);
}

enum err entries_numbers_take(const struct pipeline *pipeline, struct entries_numbers *numbers,
                              struct error *error)
{
    const struct value *reply = pipeline_value(pipeline, numbers->at);

    numbers->clears = -1;
    if (reply->kind == VALUE_ARRAY && reply->count == 1) {
        const struct value *clears = &reply->items[0];
        if (clears->kind == VALUE_NIL)
            numbers->clears = 0;
        else if (clears->kind == VALUE_STRING)
            (void)str_to_int64(clears->text, 0, INT64_MAX, &numbers->clears);
    }
    return models_take(pipeline, numbers->at + 1, numbers->keeps, &numbers->models, error);
}

void entries_data_ask(struct pipeline *pipeline, struct entries_data *data)
{
    data->at = pipeline_count(pipeline);
    dataset_ask(pipeline);
    dataset_ask_uncleared(pipeline);
}

void entries_data_take(const struct pipeline *pipeline, struct entries_data *data)
{
    struct dataset dataset;
    bool is_there;

    dataset_take(pipeline_value(pipeline, data->at), &dataset);
    data->is_whole = dataset.is_whole && dataset.has_epoch;
    data->epoch = dataset.epoch;
    data->id = dataset.id;
    data->is_uncleared =
        dataset_is_uncleared(pipeline_value(pipeline, data->at + 1), &is_there) && is_there;
}

int64_t entries_version(const struct entries_data *data, const struct entries_numbers *numbers)
{
    return 1 + data->epoch + numbers->clears;
}
