#include "control/dataset.h"

#include "keyspace.h"

#include <inttypes.h>

bool dataset_is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!(id.ptr[i] >= '0' && id.ptr[i] <= '9') && !(id.ptr[i] >= 'a' && id.ptr[i] <= 'f'))
            return false;
    }
    return id.len == DATASET_ID_SIZE;
}

bool dataset_read_term(struct str text, int64_t *term_out, struct str *install_out)
{
    struct str term;

    *install_out = text;
    return str_split(install_out, ':', &term) && str_to_int64(term, 1, INT64_MAX, term_out) &&
           dataset_is_id(*install_out);
}

/* The fields, in the order they are asked for. */
enum { TERM, EPOCH, ID, BEFORE, SEEN, REPLICATION_ID, RESERVED, RESTORED, SPENT, INTACT, FIELDS };

void dataset_ask(struct pipeline *pipeline)
{
    struct key key = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), STR("term"), STR("epoch"),
                 STR("id"), STR("before"), STR("seen"), STR("replication_id"), STR("reserved"),
                 STR("restored"), STR("spent"), STR("intact"));
}

static bool take_number(const struct value *item, int64_t *number_out)
{
    return item->kind == VALUE_STRING && str_to_int64(item->text, 0, INT64_MAX, number_out);
}

static bool take_number_or_none(const struct value *item, int64_t *number_out)
{
    *number_out = 0;
    return item->kind == VALUE_NIL || take_number(item, number_out);
}

/* Progress of another term says nothing about this one. */
static int64_t take_restored(const struct value *item, int64_t term)
{
    struct str rest = item->text, of;
    int64_t of_term, restored;
    bool is_good = item->kind == VALUE_STRING && str_split(&rest, ':', &of) &&
                   str_to_int64(of, 1, INT64_MAX, &of_term) && of_term == term &&
                   str_to_int64(rest, 0, INT64_MAX, &restored);

    return is_good ? restored : 0;
}

void dataset_take(const struct value *reply, struct dataset *dataset_out)
{
    const struct value *items = reply->items;
    int64_t replication_id = 0;

    *dataset_out = (struct dataset){0};
    if (reply->kind != VALUE_ARRAY || reply->count != FIELDS)
        return;
    dataset_out->has_epoch = take_number(&items[EPOCH], &dataset_out->epoch);
    dataset_out->id = items[ID].text;
    dataset_out->before = items[BEFORE].text;
    dataset_out->is_whole =
        items[TERM].kind == VALUE_STRING &&
        dataset_read_term(items[TERM].text, &dataset_out->term, &dataset_out->install) &&
        dataset_is_id(dataset_out->id) && dataset_is_id(dataset_out->before) &&
        take_number(&items[SEEN], &dataset_out->seen_at_s) &&
        take_number(&items[REPLICATION_ID], &replication_id) &&
        take_number(&items[RESERVED], &dataset_out->reserved) &&
        take_number_or_none(&items[SPENT], &dataset_out->spent) &&
        take_number_or_none(&items[INTACT], &dataset_out->intact);
    dataset_out->replication_id = (uint64_t)replication_id;
    dataset_out->restored = take_restored(&items[RESTORED], dataset_out->term);
}

enum err dataset_write_restored(struct pipeline *pipeline, struct arena *arena, int64_t term,
                                int64_t restored)
{
    struct key key = key_dataset();
    struct str value = str_format(arena, "%" PRId64 ":%" PRId64, term, restored);

    if (!value.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("restored"), value);
    return ERR_OK;
}

enum err dataset_write_term(struct pipeline *pipeline, struct arena *arena,
                            const struct dataset *dataset)
{
    struct key key = key_dataset();
    struct str term =
        str_format(arena, "%" PRId64 ":%.*s", dataset->term, STR_ARG(dataset->install));
    struct str restored =
        str_format(arena, "%" PRId64 ":%" PRId64, dataset->term, dataset->restored);

    if (!term.ptr || !restored.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("epoch"),
                 STR_INT64(dataset->epoch));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("term"), term,
                 STR("replication_id"), STR_INT64((int64_t)dataset->replication_id),
                 STR("reserved"), STR_INT64(dataset->reserved), STR("restored"), restored);
    return ERR_OK;
}

enum err dataset_write_loss(struct pipeline *pipeline, const struct dataset *dataset)
{
    struct key key = key_dataset();

    if (!dataset->id.ptr || !dataset->before.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("id"), dataset->id,
                 STR("before"), dataset->before, STR("seen"), STR_INT64(dataset->seen_at_s),
                 STR("intact"), STR_INT64(dataset->intact));
    return ERR_OK;
}

void dataset_ask_uncleared(struct pipeline *pipeline)
{
    struct key key = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), key_str(&key), STR("epoch"),
                 STR("uncleared"));
}

bool dataset_is_uncleared(const struct value *reply, bool *is_there_out)
{
    const struct value *items = reply->items;
    int64_t epoch, uncleared;

    *is_there_out = false;
    if (reply->kind != VALUE_ARRAY || reply->count != 2)
        return false;
    *is_there_out = items[0].kind != VALUE_NIL;
    return !*is_there_out || (take_number(&items[0], &epoch) &&
                              take_number(&items[1], &uncleared) && epoch == uncleared);
}

void dataset_write_uncleared(struct pipeline *pipeline, int64_t epoch)
{
    struct key key = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("uncleared"),
                 STR_INT64(epoch));
}

void dataset_ask_entries(struct pipeline *pipeline)
{
    struct key key = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HGET"), key_str(&key), STR("entries"));
}

void dataset_take_entries(const struct value *reply, struct dataset_entries *entries_out)
{
    struct str rest = reply->text;

    *entries_out = (struct dataset_entries){.backup = STR_NONE};
    if (reply->kind == VALUE_NIL)
        return;
    if (reply->kind != VALUE_STRING || !str_split(&rest, ':', &entries_out->backup) ||
        !str_to_int64(rest, 0, INT64_MAX, &entries_out->count))
        entries_out->backup = STR("?");
}

enum err dataset_write_entries(struct pipeline *pipeline, struct arena *arena,
                               const struct dataset_entries *entries)
{
    struct key key = key_dataset();
    struct str value = str_format(arena, "%.*s:%" PRId64, STR_ARG(entries->backup), entries->count);

    if (!value.ptr)
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("entries"), value);
    return ERR_OK;
}

void dataset_ask_ids(struct pipeline *pipeline)
{
    struct key key = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), STR("id"), STR("before"),
                 STR("seen"), STR("intact"));
}

/* HMGET id before seen intact */
static bool read_ids(const struct value *reply, int64_t *seen_at_s_out)
{
    const struct value *items = reply->items;

    return reply->kind == VALUE_ARRAY && reply->count == 4 && items[0].kind == VALUE_STRING &&
           items[1].kind == VALUE_STRING && take_number(&items[2], seen_at_s_out);
}

bool dataset_allows(const struct value *reply, struct str id, int64_t issued_at_s,
                    bool *is_there_out)
{
    const struct value *items = reply->items;
    int64_t seen_at_s;

    *is_there_out = read_ids(reply, &seen_at_s);
    if (!*is_there_out || !dataset_is_id(id))
        return false;
    return (str_eq(id, items[0].text) || str_eq(id, items[1].text)) && issued_at_s >= seen_at_s;
}

bool dataset_existed_at(const struct value *reply, int64_t issued_at_s)
{
    int64_t seen_at_s;

    return read_ids(reply, &seen_at_s) && issued_at_s >= seen_at_s;
}

bool dataset_is_intact(const struct value *reply, int64_t term)
{
    int64_t seen_at_s, intact;

    return !read_ids(reply, &seen_at_s) ||
           (take_number_or_none(&reply->items[3], &intact) && term >= intact);
}

void dataset_count_spent(struct pipeline *pipeline)
{
    struct key key = key_dataset();

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), STR("spent"), STR("1"));
}
