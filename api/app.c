#include "cachewarden/app.h"

#include "audit/service.h"
#include "backup/service.h"
#include "caches/targets.h"
#include "cachewarden/clock.h"
#include "cachewarden/password.h"
#include "control/version_guard.h"
#include "entries/service.h"
#include "gateway/service.h"
#include "health/probe.h"
#include "identity/revocation_sync.h"
#include "janitor.h"
#include "jobs/service.h"
#include "limits/service.h"

#include <stdlib.h>

/* How long a closing program waits for the audit before the rest of it goes to the log. */
enum { CLOSE_MS = 2000 };
enum { START_WAIT_MS = 2000, TERM_PATIENCE_MS = 500, ALONE_MS = 60000 }; /* see app_options */

static enum err open_identity(struct app *app, const struct app_options *options,
                              struct error *error)
{
    const struct identity_options identity = {
        .users = options->users,
        .tokens = options->tokens,
        .admin_group = options->admin_group,
        .issuers = options->issuers,
        .issuer_count = options->issuer_count,
        .shared = options->shared,
    };

    if (!options->users)
        return ERR_OK;
    if (options->workers > 0)
        password_set_workers(options->workers);
    enum err err = identity_new(&identity, &app->identity, error);
    if (err == ERR_OK)
        err = version_guard_new(app->control, options->users, &app->guard, error);
    if (err != ERR_OK)
        return err;
    version_guard_set_patience(app->guard, options->term_patience_ms > 0 ? options->term_patience_ms
                                                                         : TERM_PATIENCE_MS);
    const struct revocation_sync_options sync = {
        .control = app->control,
        .guard = app->guard,
        .revocations = identity_revocations(app->identity),
        .budget_ms = app->budget_ms,
    };
    return revocation_sync_open(&sync, &app->revocation_sync, error);
}

/* In the order the services need each other; app_close goes the other way. */
static enum err open_services(struct app *app, const struct app_options *options,
                              struct error *error)
{
    struct redis_options control = options->control;

    control.asks_replication_id = options->users != NULL;
    enum err err = redis_open(&control, &app->control, error);

    if (err == ERR_OK)
        err = open_identity(app, options, error);
    if (err == ERR_OK)
        err = caches_open(options, app->control, &app->caches, error);
    if (err == ERR_OK && options->users)
        err = entries_open(options, app->control, &app->entries, error);
    if (err == ERR_OK && options->users && options->gateway.route_count > 0)
        err = gateway_open(app, &options->gateway, &app->gateway, error);
    if (err == ERR_OK)
        err = limits_open(&options->limits, &app->limits, error);
    if (err == ERR_OK)
        err = health_open(&app->health, error);
    if (err == ERR_OK)
        err = audit_open(app->control, options, app->budget_ms, &app->audit, error);
    if (err == ERR_OK)
        err = jobs_open(app, options, &app->jobs, error);
    if (err == ERR_OK && options->users)
        err = backups_open(app, options, &app->backups, error);
    return err;
}

enum err app_open(const struct app_options *options, struct app **app_out, struct error *error)
{
    struct app *app = calloc(1, sizeof *app);

    *app_out = NULL;
    if (!app)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the services");
    app->tallies = aligned_alloc(_Alignof(struct tallies), sizeof *app->tallies);
    if (!app->tallies) {
        free(app);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the services");
    }
    memset(app->tallies, 0, sizeof *app->tallies);
    app->policy = options->policy;
    app->budget_ms = options->control.borrow_timeout_ms + options->control.connect_timeout_ms +
                     options->control.command_timeout_ms;
    app->alone_ms = options->alone_ms > 0 ? options->alone_ms : ALONE_MS;
    app->start_wait_ms = options->start_wait_ms > 0 ? options->start_wait_ms : START_WAIT_MS;
    atomic_init(&app->registration_open, options->registration_open);
    atomic_init(&app->ready, false);
    atomic_init(&app->watch_until_ns, 0);
    enum err err = open_services(app, options, error);
    if (err != ERR_OK) {
        app_close(&app);
        return err;
    }
    /* Only now: after a failure the accounts are still the caller's. */
    app->users = options->users;
    *app_out = app;
    return ERR_OK;
}

void app_expect_watch(struct app *app)
{
    revocations_set_known(identity_revocations(app->identity), false);
}

enum err app_watch(struct app *app, struct error *error)
{
    const struct janitor_options janitor = {
        .app = app,
        .control = app->control,
        .guard = app->guard,
        .users = app->users,
        .entries = app->entries,
        .budget_ms = app->budget_ms,
    };

    app_expect_watch(app);
    atomic_store(&app->watch_until_ns, clock_deadline_ns(app->start_wait_ms));
    enum err err = revocation_sync_start(app->revocation_sync, error);
    if (err == ERR_OK)
        err = janitor_start(&janitor, &app->janitor, error);
    if (err == ERR_OK)
        err = jobs_watch(app->jobs, error);
    if (err == ERR_OK)
        err = backups_watch(app->backups, error);
    return err == ERR_OK ? identity_watch(app->identity, error) : err;
}

void app_await_watch(struct app *app)
{
    if (app->revocation_sync)
        revocation_sync_wait(app->revocation_sync, atomic_load(&app->watch_until_ns));
    if (app->identity)
        identity_await(app->identity, clock_deadline_ns(app->start_wait_ms));
}

void app_await_start(struct app *app)
{
    if (app->janitor)
        janitor_wait(app->janitor, atomic_load(&app->watch_until_ns));
    app_await_watch(app);
}

bool app_knows_callers(const struct app *app)
{
    int64_t since_ns = app->users ? users_away_since_ns(app->users) : 0;
    int64_t alone_ns = app->alone_ms * NS_PER_MS;
    size_t routes;

    if (since_ns == 0 || clock_mono_ns() - since_ns < alone_ns)
        return true;
    (void)gateway_rows(app->gateway, &routes);
    /* Later than what was still in memory: it did without. And it has not turned others away ever since. */
    int64_t knew_ns = atomic_load(&app->knew_caller_ns);
    return routes > 0 || (knew_ns - since_ns > alone_ns / 2 &&
                          atomic_load(&app->turned_away_ns) - knew_ns < alone_ns);
}

void app_note_caller(struct app *app)
{
    if (app->users && users_is_away(app->users))
        atomic_store_explicit(&app->knew_caller_ns, clock_mono_ns(), memory_order_relaxed);
}

void app_note_turned_away(struct app *app)
{
    if (app->users && users_is_away(app->users))
        atomic_store_explicit(&app->turned_away_ns, clock_mono_ns(), memory_order_relaxed);
}

bool app_is_ready(struct app *app)
{
    return atomic_load(&app->ready) && !app_is_foreign(app, NULL) && app_knows_callers(app) &&
           (!app->identity || revocations_are_known(identity_revocations(app->identity)));
}

void app_adopt(struct app *app)
{
    version_guard_adopt(app->guard);
}

void app_own_redis(struct app *app)
{
    version_guard_adopt(app->guard);
    version_guard_rely(app->guard);
}

void app_follow(struct app *app)
{
    if (app->guard)
        version_guard_follow(app->guard);
}

bool app_is_foreign(struct app *app, struct error *error)
{
    return app->guard && version_guard_is_foreign(app->guard, error);
}

enum err app_renew_tls(struct app *app, const struct redis_address *files,
                       bool changed_out[TLS_PARTS], struct error *error)
{
    bool more[TLS_PARTS], of_entries[TLS_PARTS];
    enum err err = redis_renew_tls(app->control, files, changed_out, error);

    if (err == ERR_OK)
        err = caches_renew_tls(app->caches, files, more, error);
    if (err == ERR_OK)
        err = entries_renew_tls(app->entries, files, of_entries, error);
    for (int part = 0; err == ERR_OK && part < TLS_PARTS; part++)
        changed_out[part] = changed_out[part] || more[part] || of_entries[part];
    return err;
}

enum err app_renew_logins(struct app *app, const struct app_logins *logins, bool *redis_changed_out,
                          bool *users_changed_out, struct error *error)
{
    bool more = false, of_entries = false;
    enum err err = redis_renew_login(app->control, logins->control, redis_changed_out, error);

    *users_changed_out = false;
    if (err == ERR_OK)
        err = caches_renew_login(app->caches, logins->control, logins->caches, logins->cache_count,
                                 &more, error);
    if (err == ERR_OK)
        err = entries_renew_login(app->entries, logins->entries_url, &of_entries, error);
    *redis_changed_out = *redis_changed_out || more || of_entries;
    return err == ERR_OK && app->users
               ? users_renew_login(app->users, logins->users_url, users_changed_out, error)
               : err;
}

enum err app_set_secrets(struct app *app, const struct secrets *secrets, bool *changed_out,
                         struct error *error)
{
    enum err err = identity_set_secrets(app->identity, secrets, changed_out, error);

    if (err == ERR_OK)
        err = entries_set_secrets(app->entries, secrets, error);
    return err == ERR_OK ? backups_set_secrets(app->backups, secrets, error) : err;
}

void app_close(struct app **app)
{
    struct app *closing = *app;

    if (!closing)
        return;
    backups_close(&closing->backups);
    jobs_close(&closing->jobs);
    janitor_stop(&closing->janitor);
    gateway_settle(closing->gateway);
    revocation_sync_close(&closing->revocation_sync);
    audit_close(&closing->audit, clock_deadline_ns(CLOSE_MS));
    health_close(&closing->health);
    limits_close(&closing->limits);
    gateway_close(&closing->gateway);
    entries_close(&closing->entries);
    caches_close(&closing->caches);
    version_guard_free(&closing->guard);
    if (closing->identity)
        identity_free(&closing->identity);
    if (closing->users)
        users_close(&closing->users);
    if (closing->control)
        redis_close(&closing->control);
    free(closing->tallies);
    free(closing);
    *app = NULL;
}
