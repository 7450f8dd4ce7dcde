/* The routes of backups. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/backup.h"
#include "cachewarden/call.h"

/* Nobody waits for a request but its client, who is not asked; a server that ends does not. */
static struct backup_watch watch_of(const struct call *call)
{
    return (struct backup_watch){.is_stopping = &call->app->is_ending};
}

static void record(const struct call *call, struct str id, enum err outcome, int64_t count)
{
    struct str target = id.len > 0
                            ? str_format(call->arena, "backup:%.*s", STR_ARG(str_sub(id, 0, 64)))
                            : STR("backups");

    audit_call(call, target, outcome, count);
}

static enum err answer(struct call *call, const struct backup *backup)
{
    backup_write(&call->reply.json, backup);
    return call_finish(call);
}

enum err op_backups_create(struct call *call)
{
    const struct backup_watch watch = watch_of(call);
    struct backup backup;
    enum err err = backup_create(call->app, &watch, &backup, &call->error);

    record(call, err == ERR_OK ? str_from(backup.id) : STR_NONE, err, -1);
    if (err != ERR_OK)
        return err;
    call->reply.outcome = OUTCOME_CREATED;
    call->reply.location = str_format(call->arena, "/api/v1/backups/%s", backup.id);
    if (!call->reply.location.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a location");
    return answer(call, &backup);
}

enum err op_backups_list(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct backup *backups;
    size_t count;
    const struct backup_watch watch = watch_of(call);
    enum err err = backup_list(call->app, &watch, call_work(call), &backups, &count);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_name(json, "backups");
    json_open_array(json);
    for (size_t i = 0; i < count; i++)
        backup_write(json, &backups[i]);
    json_close_array(json);
    json_close_object(json);
    return call_finish(call);
}

enum err op_backups_show(struct call *call)
{
    struct backup backup;
    enum err err = backup_find(call->app, call_work(call), call_param(call, "id")->text, &backup);

    return err == ERR_OK ? answer(call, &backup) : err;
}

enum err op_backups_verify(struct call *call)
{
    const struct backup_watch watch = watch_of(call);
    struct backup backup;
    enum err err =
        backup_verify(call->app, &watch, call_work(call), call_param(call, "id")->text, &backup);

    return err == ERR_OK ? answer(call, &backup) : err;
}

enum err op_backups_delete(struct call *call)
{
    struct str id = call_param(call, "id")->text;
    enum err err = backup_delete(call->app, call_work(call), id);

    record(call, id, err, -1);
    call->reply.outcome = OUTCOME_NO_CONTENT;
    return err;
}

enum err op_backups_cleanup(struct call *call)
{
    const struct backup_watch watch = watch_of(call);
    struct backup_cleaned cleaned;
    enum err err = backup_cleanup(call->app, &watch, call_work(call), &cleaned);

    /* One that removes nothing is asked for again and again. */
    if (err != ERR_OK || cleaned.files > 0)
        record(call, STR_NONE, err, (int64_t)cleaned.files);
    if (err != ERR_OK)
        return err;
    backup_cleaned_write(&call->reply.json, &cleaned);
    return call_finish(call);
}
