/* The route that puts a backup back. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/backup_restore.h"
#include "cachewarden/call.h"
#include "cachewarden/log.h"

/* Redis was there a moment ago. What it could not be told now is told by the answer, and can be done again. */
static void tell_redis(struct call *call, const struct backup_restore_order *order,
                       struct backup_restored *restored)
{
    struct error error = {0};
    enum err err = backup_restore_redis(call->app, order, restored, &error);

    if (err != ERR_OK)
        log_event(LOG_LEVEL_ERROR, "backups.redis_not_told", LOG_CSTR("id", restored->id),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", error.detail),
                  LOG_CSTR("fix", "restore the same backup once more when redis is back"));
}

enum err op_backups_restore(struct call *call)
{
    const struct backup_watch watch = {.is_stopping = &call->app->is_ending};
    struct backup_restored restored;
    const struct backup_restore_order order = {
        .id = call_param(call, "id")->text,
        .only_tries = call_param(call, "dry_run")->integer != 0,
        .takes_foreign = call_param(call, "foreign")->integer != 0,
        .watch = &watch,
    };
    enum err err = backup_restore_users(call->app, &order, &restored, &call->error);

    if (err == ERR_OK && !order.only_tries)
        tell_redis(call, &order, &restored);
    if (!order.only_tries && err != ERR_NOT_FOUND)
        audit_call(call, str_format(call->arena, "backup:%.*s", STR_ARG(str_sub(order.id, 0, 64))),
                   err, err == ERR_OK ? restored.users : -1);
    if (err != ERR_OK)
        return err;
    backup_restored_write(&call->reply.json, &restored);
    return call_finish(call);
}
