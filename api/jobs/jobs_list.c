/* The list of jobs: entries `ID TARGET`, in the order in which they came. */
#include "jobs/jobs_private.h"

struct str job_listed_as(struct arena *arena, const struct job *job)
{
    return str_format(arena, "%.*s %s%.*s", STR_ARG(job->id), job->only_counts ? "count:" : "",
                      STR_ARG(job->target));
}

void job_list_ask(struct pipeline *pipeline)
{
    struct key jobs = key_jobs();

    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("LRANGE"), key_str(&jobs), STR("0"), STR("-1"));
}

void job_list_remove(struct pipeline *pipeline, struct str text)
{
    struct key jobs = key_jobs();

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("LREM"), key_str(&jobs), STR("0"), text);
}

bool job_entry_take(const struct value *list, size_t index, struct job_entry *entry_out)
{
    *entry_out = (struct job_entry){0};
    if (list->items[index].kind != VALUE_STRING)
        return false;
    entry_out->text = entry_out->target = list->items[index].text;
    return str_split(&entry_out->target, ' ', &entry_out->id) && key_is_job_id(entry_out->id);
}

bool job_list_place(const struct value *list, struct str id, size_t *index_out)
{
    struct job_entry entry;

    for (*index_out = 0; *index_out < list->count; ++*index_out) {
        if (job_entry_take(list, *index_out, &entry) && str_eq(entry.id, id))
            return true;
    }
    return false;
}

bool job_list_holder(const struct value *list, size_t index, struct job_entry *holder_out)
{
    struct job_entry own;

    if (!job_entry_take(list, index, &own))
        return false;
    for (size_t i = 0; i < index; i++) {
        if (job_entry_take(list, i, holder_out) && str_eq(holder_out->target, own.target) &&
            !str_eq(holder_out->id, own.id))
            return true;
    }
    return false;
}

size_t job_list_count(const struct value *list, size_t end)
{
    struct job_entry entry;
    size_t count = 0;

    for (size_t i = 0; i < end; i++)
        count += job_entry_take(list, i, &entry) && !job_list_holder(list, i, &entry);
    return count;
}
