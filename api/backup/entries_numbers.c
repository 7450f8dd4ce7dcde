#include "backup/entries_numbers.h"

#include "keyspace.h"

void entries_numbers_ask(struct pipeline *pipeline, struct entries_numbers *numbers)
{
    struct key key = key_namespace(&numbers->space);

    numbers->at = pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), key_str(&key), STR("clears"),
                 STR("raised"), STR("switched"));
    models_ask(pipeline, &numbers->space, &numbers->models, numbers->keeps);
}

static void take_number(const struct value *item, int64_t *number)
{
    if (item->kind == VALUE_NIL)
        *number = 0;
    else if (item->kind == VALUE_STRING)
        (void)str_to_int64(item->text, 0, INT64_MAX, number);
}

enum err entries_numbers_take(const struct pipeline *pipeline, struct entries_numbers *numbers,
                              struct error *error)
{
    const struct value *reply = pipeline_value(pipeline, numbers->at);

    numbers->clears = numbers->raised = -1;
    if (reply->kind == VALUE_ARRAY && reply->count == 3) {
        take_number(&reply->items[0], &numbers->clears);
        take_number(&reply->items[1], &numbers->raised);
        numbers->was_off = reply->items[2].kind != VALUE_NIL;
    }
    return models_take(pipeline, numbers->at + 1, numbers->keeps, &numbers->models, error);
}

void entries_data_ask(struct pipeline *pipeline, struct entries_data *data)
{
    data->at = pipeline_count(pipeline);
    dataset_ask(pipeline);
    dataset_ask_uncleared(pipeline);
    dataset_ask_entries(pipeline);
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
    dataset_take_entries(pipeline_value(pipeline, data->at + 2), &data->back);
}

int64_t entries_version(const struct entries_data *data, const struct entries_numbers *numbers)
{
    return 1 + data->epoch + numbers->clears;
}
