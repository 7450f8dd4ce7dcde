#include "loopback.h"

#include "patience.h"

#include "cachewarden/caches.h"
#include "cachewarden/clock.h"
#include "cachewarden/params.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the services ---- */

/* Nodes that look by themselves begin terms at once, where one of them stands still for a moment. */
#define TERM_PATIENCE_MS 15000

static const struct str messages_keys[] = {{"whatsapp:{env}:in", 17}, {"whatsapp:{env}:out", 18}};

static const struct cache_spec usual_caches[] = {
    {.name = {"messages", 8}, .kind = CACHE_KEYS, .keys = messages_keys, .key_count = 2},
    {.name = {"search", 6}, .kind = CACHE_DATABASE, .database = 1},
};

static struct users *open_users(struct loopback *loopback, const struct loopback_options *options)
{
    const struct loopback *shares = options->shares;
    char url[128];
    struct users *users;
    struct error error = {0};

    if (options->users_url) {
        ck_assert_msg(users_open(str_from(options->users_url), &users, &error) == ERR_OK, "%s",
                      error.detail);
        return users;
    }
    if (!shares) {
        snprintf(loopback->directory, sizeof loopback->directory, "/tmp/cw-loopback-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(loopback->directory));
    }
    snprintf(url, sizeof url, "sqlite:%s/users.db",
             shares ? shares->directory : loopback->directory);
    ck_assert_msg(users_open(str_from(url), &users, &error) == ERR_OK, "%s", error.detail);
    return users;
}

enum err loopback_try_open(struct loopback *loopback, const struct loopback_options *options,
                           struct error *error)
{
    const bool is_hasty = options->command_timeout_ms != 0;
    *loopback = (struct loopback){0};
    struct app_options app = {
        .control = {.size = options->pool_size ? options->pool_size : 4,
                    .borrow_timeout_ms = is_hasty ? 5000 : REDIS_PATIENCE_MS,
                    .connect_timeout_ms = is_hasty ? 500 : REDIS_PATIENCE_MS,
                    .command_timeout_ms =
                        is_hasty ? options->command_timeout_ms : REDIS_PATIENCE_MS},
        .tokens = {.secret = STR(LOOPBACK_SECRET),
                   .issuer = STR("cachewarden"),
                   .leeway_s = 30,
                   .access_ttl_s = 900,
                   .refresh_ttl_s = 604800,
                   .session_idle_s = 1800,
                   .session_ttl_s = 1728000}, /* the longest of them */
        .admin_group = STR("Admin"),
        .registration_open = options->is_registration_open,
        .audit_keep = {100000, 100000, 100000},
        .audit_delayed_ms = options->audit_delayed_ms,
        .environment = STR("development"),
        .caches = options->caches ? options->caches : usual_caches,
        .cache_count = options->caches ? options->cache_count : 2,
        .node_name = STR("node-a"),
        .limits = options->limits,
        .entries = {.redis_url = str_from(options->entries_redis_url)},
        .jobs_duty_percent = 100,
        .backup = {.directory = str_from(options->backup_directory),
                   .retention_days = 7,
                   .include_entries = options->includes_entries},
        .jobs_give_up_ms = options->jobs_give_up_ms,
        .alone_ms = options->alone_ms,
        .start_wait_ms = options->start_wait_ms > 0 ? options->start_wait_ms : PATIENCE_MS,
        .term_patience_ms = options->term_patience_ms > 0 ? options->term_patience_ms
                            : options->is_unwatched       ? 0
                                                          : TERM_PATIENCE_MS,
    };
    ck_assert_int_eq(redis_address_parse(str_from(options->redis_url), &app.control.address, error),
                     ERR_OK);
    app.users = options->has_no_users ? NULL : open_users(loopback, options);
    enum err err = app_open(&app, &loopback->app, error);
    if (err != ERR_OK && app.users)
        users_close(&app.users);
    if (err == ERR_OK && app.users && !options->is_unwatched) {
        err = app_watch(loopback->app, error);
        app_await_start(loopback->app);
    }
    redis_address_fini(&app.control.address);
    return err;
}

void loopback_open(struct loopback *loopback, const struct loopback_options *options)
{
    struct error error = {0};
    enum err err = loopback_try_open(loopback, options, &error);

    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
}

void loopback_close(struct loopback *loopback)
{
    static const char *const files[] = {"users.db", "users.db-wal", "users.db-shm"};
    char path[128];

    app_close(&loopback->app);
    if (!loopback->directory[0])
        return;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", loopback->directory, files[i]);
        unlink(path);
    }
    rmdir(loopback->directory);
}

/* ---- who calls ---- */

struct principal loopback_nobody(void)
{
    return (struct principal){.kind = PRINCIPAL_ANONYMOUS};
}

struct principal loopback_user(int64_t id)
{
    return (struct principal){.kind = PRINCIPAL_USER,
                              .credential = CREDENTIAL_BEARER,
                              .user_id = id,
                              .name = STR("alice"),
                              .email = STR("alice@example.org")};
}

struct principal loopback_admin(void)
{
    return (struct principal){.kind = PRINCIPAL_USER,
                              .credential = CREDENTIAL_BEARER,
                              .user_id = 1,
                              .name = STR("admin"),
                              .is_superuser = true,
                              .is_admin = true};
}

struct principal loopback_key(unsigned scopes, int64_t owner_id)
{
    return (struct principal){.kind = PRINCIPAL_API_KEY,
                              .credential = CREDENTIAL_API_KEY,
                              .user_id = owner_id,
                              .name = STR("deploy"),
                              .scopes = scopes};
}

/* ---- a call ---- */

static const struct route *find_route(const char *name)
{
    size_t count;
    const struct route *rows = routes_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    ck_abort_msg("no route %s", name);
}

static enum err walk(struct call *call, const struct loopback_request *request)
{
    struct query query = {str_from(request->query), request->query != NULL};
    struct str name = str_from(request->name);
    const char *type = request->type ? request->type : "application/json";

    switch (permit_decide(call->route->permit, &call->app->policy, &call->principal,
                          params_target(call->route, call->arena, query))) {
    case PERMIT_NO:
        return ERR_FORBIDDEN;
    case PERMIT_NO_CREDENTIAL:
        return ERR_UNAUTHENTICATED;
    case PERMIT_YES:
        break;
    }
    enum err err = limits_check(call);
    if (err == ERR_OK)
        err = params_read(call, query, &name, request->name ? 1 : 0);
    if (err == ERR_OK)
        err = params_read_body(call, str_from(type));
    if (err != ERR_OK)
        return err;
    call->deadline_ns = clock_deadline_ns(call->app->budget_ms);
    return limits_finish(call, call->route->operation(call));
}

struct loopback_answer *loopback_call(const struct loopback_request *request)
{
    struct loopback_answer *answer = calloc(1, sizeof *answer);
    struct call call;

    answer->arena = arena_new(4096, 0);
    call_init(&call, request->app, find_route(request->route), answer->arena);
    call.principal = request->principal;
    call.body = request->body_size > 0 ? (struct str){request->body, request->body_size}
                                       : str_from(request->body);
    call.lease = str_from(request->lease);
    call.if_none_match = str_from(request->if_none_match);
    call.is_head = request->is_head;
    call.session_cookie = str_from(request->session_cookie);
    call.is_same_origin = request->is_same_origin;
    call.request_id = STR("request-1");
    call.client_address = str_from(request->address ? request->address : "127.0.0.1");
    call.now_s = clock_wall_s();
    answer->err = walk(&call, request);
    answer->error = call.error;
    answer->reply = call.reply;
    answer->body =
        answer->err == ERR_OK ? str_dup(answer->arena, strbuf_str(&call.reply.body)).ptr : "";
    /* Whoever fails says so in both places. */
    if (answer->err != ERR_OK && answer->error.code != ERR_OK)
        ck_assert_int_eq(answer->error.code, answer->err);
    return answer;
}

void loopback_free(struct loopback_answer **answer)
{
    arena_free(&(*answer)->arena);
    free(*answer);
    *answer = NULL;
}

const struct json *loopback_json(const struct loopback_answer *answer)
{
    const struct json *root = NULL;
    struct error error = {0};

    ck_assert_msg(answer->err == ERR_OK, "%s: %s (%s)", err_name(answer->err), answer->error.caller,
                  answer->error.detail);
    ck_assert_msg(json_parse(answer->arena, str_from(answer->body), &root, &error) == ERR_OK,
                  "%s: %s", error.caller, answer->body);
    return root;
}

void loopback_expect(struct loopback_answer *answer, const char *body)
{
    ck_assert_msg(answer->err == ERR_OK, "%s: %s (%s)", err_name(answer->err), answer->error.caller,
                  answer->error.detail);
    ck_assert_str_eq(answer->body, body);
    ck_assert_int_eq(answer->error.code, ERR_OK);
    loopback_free(&answer);
}

void loopback_expect_error(struct loopback_answer *answer, enum err err, const char *says)
{
    ck_assert_msg(answer->err == err, "%s instead of %s: %s (%s) %s", err_name(answer->err),
                  err_name(err), answer->error.caller, answer->error.detail, answer->body);
    if (says)
        ck_assert_str_eq(answer->error.caller, says);
    loopback_free(&answer);
}
