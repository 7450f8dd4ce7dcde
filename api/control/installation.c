#include "control/installation.h"

#include "cachewarden/app.h"
#include "cachewarden/control.h"
#include "control/version_guard_private.h"
#include "keyspace.h"

enum err control_refuse_foreign(struct error *error)
{
    return error_set(error, ERR_UPSTREAM_REFUSED,
                     "redis holds the control data of another users database; use that one, or "
                     "another Redis; if it is gone for good, take the data over: cachewarden serve "
                     "--adopt");
}

void installation_ask(struct pipeline *pipeline)
{
    dataset_ask(pipeline);
}

enum err installation_check(struct app *app, const struct value *reply, struct error *error)
{
    struct dataset dataset;

    dataset_take(reply, &dataset);
    return app->guard && version_guard_is_anothers(app->guard, &dataset)
               ? control_refuse_foreign(error)
               : ERR_OK;
}

/* Of a Redis that does not answer now, what it held when it was looked at last. */
static enum err look(struct app *app, struct work work, uint64_t *replication_id_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    installation_ask(pipeline);
    if (redis_run(app->control, pipeline, (struct work){.deadline_ns = work.deadline_ns}) != ERR_OK)
        return version_guard_is_foreign(app->guard, work.error) ? ERR_UPSTREAM_REFUSED : ERR_OK;
    if (!app->guard->relies)
        *replication_id_out = pipeline_replication_id(pipeline);
    return installation_check(app, pipeline_value(pipeline, 0), work.error);
}

enum err installation_admit(struct app *app, struct work work, uint64_t missed,
                            uint64_t *replication_id_out)
{
    struct version_knowledge known;

    *replication_id_out = 0;
    if (!app->guard)
        return ERR_OK;
    if (!version_guard_known(app->guard, &known) || (missed != 0 && known.replication_id == missed))
        return look(app, work, replication_id_out);
    if (!app->guard->relies)
        *replication_id_out = known.replication_id;
    return ERR_OK;
}

enum err app_admit(struct app *app, struct work work)
{
    uint64_t replication_id;

    return installation_admit(app, work, 0, &replication_id);
}

enum err control_installation(struct redis *control, struct work work, struct str *install_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    struct dataset dataset;

    *install_out = STR_NONE;
    installation_ask(pipeline);
    enum err err = redis_run(control, pipeline, work);
    if (err != ERR_OK)
        return err;
    dataset_take(pipeline_value(pipeline, 0), &dataset);
    if (dataset.is_whole)
        *install_out = dataset.install;
    return ERR_OK;
}
