#include "stand.h"

#include "guarded_redis.h"
#include "patience.h"

#include <check.h>
#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FAR_FUTURE "4102444800" /* 2100-01-01 */

int64_t stand_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void stand_wait(bool (*is_true)(const void *with), const void *with, const char *what)
{
    const int64_t begin = stand_now_ms();
    while (!is_true(with)) {
        /* What does not come soon is asked for less often: most questions are requests. */
        const int64_t waited_ms = stand_now_ms() - begin;
        ck_assert_msg(waited_ms < PATIENCE_MS, "it never came true: %s", what);
        nanosleep(&(struct timespec){0, waited_ms < 100 ? 2000000 : 20000000}, NULL);
    }
}

/* ---- the command line ---- */

void stand_cli(const struct stand *stand, const char *input, const char *const *arguments,
               struct cw_result *result_out)
{
    const char *all[32];
    size_t count = 0;
    for (; arguments[count]; count++)
        all[count] = arguments[count];
    ck_assert_uint_lt(count, 29);
    if (stand->has_config) {
        all[count++] = "--config";
        all[count++] = "test.conf";
    }
    all[count] = NULL;
    const struct cw_command command = {
        .arguments = all,
        .environment = (const char *const *)stand->environment,
        .input = input,
        .directory = stand->directory,
    };
    cw_run(&command, result_out);
}

/* As stand_cli_do, and hands over what it printed; the caller frees it. */
static char *output_of(const struct stand *stand, const char *input, const char *const *arguments)
{
    struct cw_result result;
    stand_cli(stand, input, arguments, &result);
    ck_assert_msg(result.status == 0, "%s %s …: status %d\n%s%s", arguments[0],
                  arguments[1] ? arguments[1] : "", result.status, result.out, result.err);
    free(result.err);
    return result.out;
}

void stand_cli_do(const struct stand *stand, const char *input, const char *const *arguments)
{
    free(output_of(stand, input, arguments));
}

static void join(const char **out, size_t out_count, const char *const *first,
                 const char *const *more)
{
    size_t count = 0;
    for (; *first; first++)
        out[count++] = *first;
    for (; more && *more; more++) {
        ck_assert_uint_lt(count + 1, out_count);
        out[count++] = *more;
    }
    out[count] = NULL;
}

char *stand_key(const struct stand *stand, char *out, const char *name,
                const char *const *arguments)
{
    const char *all[24];
    join(all, 24, (const char *const[]){"key", "create", name, NULL}, arguments);
    char *printed = output_of(stand, NULL, all);
    /* The secret stands alone on the last line. */
    size_t size = strlen(printed);
    ck_assert_msg(size > 1 && printed[size - 1] == '\n', "no last line: %s", printed);
    printed[size - 1] = '\0';
    const char *last = strrchr(printed, '\n') ? strrchr(printed, '\n') + 1 : printed;
    ck_assert_msg(strncmp(last, "cwk_", 4) == 0 && strlen(last) < 200, "not a key: %s", last);
    snprintf(out, STAND_KEY_SIZE, "x-api-key: %s", last);
    free(printed);
    return out;
}

/* ---- accounts ---- */

static unsigned minted;

char *stand_stranger(char *out, int64_t user_id)
{
    return mint_bearer(out, STAND_SECRET,
                       "{\"token_type\":\"access\",\"exp\":" FAR_FUTURE
                       ",\"iat\":%lld,\"jti\":\"%x-%x\",\"user_id\":%lld}",
                       (long long)time(NULL), (unsigned)getpid(), ++minted, (long long)user_id);
}

char *stand_bearer(char *out, const struct stand_account *account)
{
    return mint_bearer(out, STAND_SECRET,
                       "{\"token_type\":\"access\",\"exp\":" FAR_FUTURE
                       ",\"iat\":%lld,\"jti\":\"%x-%x\",\"user_id\":%lld,\"sub\":\"%s\"}",
                       (long long)time(NULL), (unsigned)getpid(), ++minted, (long long)account->id,
                       account->name);
}

/* The id in what `user add --json` printed. */
static int64_t id_in(const char *printed)
{
    json_error_t error;
    json_t *user = json_loads(printed, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(user && json_is_integer(json_object_get(user, "id")), "no id: %s", printed);
    int64_t id = json_integer_value(json_object_get(user, "id"));
    json_decref(user);
    return id;
}

static void set_account(struct stand_account *account_out, const char *name, int64_t id)
{
    char bearer[MINT_SIZE];
    account_out->id = id;
    snprintf(account_out->name, sizeof account_out->name, "%s", name);
    stand_bearer(bearer, account_out);
    ck_assert_uint_lt(strlen(bearer), sizeof account_out->bearer);
    memcpy(account_out->bearer, bearer, strlen(bearer) + 1);
}

void stand_account(const struct stand *stand, struct stand_account *account_out, const char *name,
                   const char *const *more)
{
    char email[128];
    const char *all[24];
    snprintf(email, sizeof email, "%s@example.com", name);
    join(all, 24,
         (const char *const[]){"user", "add", name, "--email", email, "--password-file", "-",
                               "--json", NULL},
         more);
    char *printed = output_of(stand, STAND_PASSWORD "\n", all);
    set_account(account_out, name, id_in(printed));
    free(printed);
}

/* Those of stand_accounts.h, in a database of the stand's own or in the one a test has named. */
static void open_accounts(struct stand *stand, bool has_own_database)
{
    struct stand_account *const accounts[STAND_ACCOUNTS] = {
        [STAND_ALICE] = &stand->alice,
        [STAND_BOB] = &stand->bob,
        [STAND_ROOT] = &stand->root,
        [STAND_BOSS] = &stand->boss,
    };
    if (has_own_database)
        stand_accounts_copy(stand->directory);
    for (int i = 0; i < STAND_ACCOUNTS; i++)
        if (has_own_database)
            set_account(accounts[i], stand_accounts[i][0], i + 1);
        else
            stand_account(stand, accounts[i], stand_accounts[i][0], stand_accounts[i] + 1);
}

/* ---- all of it ---- */

static void add_variable(struct stand *stand, const char *variable)
{
    size_t count = 0;
    while (stand->environment[count])
        count++;
    ck_assert_uint_lt(count + 1, sizeof stand->environment / sizeof *stand->environment);
    ck_assert_ptr_nonnull(stand->environment[count] = strdup(variable));
}

static void set_environment(struct stand *stand, const struct stand_options *options)
{
    char url[128];
    if (stand->redis && stand->is_guarded) {
        char *variables[GUARDED_REDIS_VARIABLES];
        guarded_redis_environment(stand->redis, stand->directory, variables);
        for (int i = 0; i < GUARDED_REDIS_VARIABLES; i++) {
            add_variable(stand, variables[i]);
            free(variables[i]);
        }
    } else if (stand->redis) {
        snprintf(url, sizeof url, "REDIS_URL=%s", redis_server_url(stand->redis));
        add_variable(stand, url);
    }
    add_variable(stand, "JWT_SECRET=" STAND_SECRET);
    /* A busy machine is no fault of Redis, nor of a client; tests of faults set what they want. */
    add_variable(stand, "CACHEWARDEN_REDIS_BORROW_TIMEOUT_MS=60000");
    add_variable(stand, "CACHEWARDEN_REDIS_CONNECT_TIMEOUT_MS=60000");
    add_variable(stand, "CACHEWARDEN_REDIS_COMMAND_TIMEOUT_MS=60000");
    add_variable(stand, "CACHEWARDEN_SERVER_HEADER_TIMEOUT_MS=600000");
    add_variable(stand, "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000");
    /* Tests ask more often than people do; those of the limits turn them on. */
    add_variable(stand, "CACHEWARDEN_LIMITS_ENABLED=false");
    /* Tests ask for readiness like a load balancer; none is there to be told that the stand ends. */
    add_variable(stand, "CACHEWARDEN_SERVER_DRAIN_S=0");
    for (const char *const *variable = options->environment; variable && *variable; variable++)
        add_variable(stand, *variable);
}

static bool names(const char *const *environment, const char *start)
{
    for (; environment && *environment; environment++)
        if (strncmp(*environment, start, strlen(start)) == 0)
            return true;
    return false;
}

void stand_open(struct stand *stand, const struct stand_options *options)
{
    static const struct stand_options plain;
    if (!options)
        options = &plain;
    memset(stand, 0, sizeof *stand);
    stand->directory = cw_directory_new();
    stand->is_guarded = !options->no_redis && guarded_redis_is_wanted();
    if (!options->no_redis)
        stand->redis = stand->is_guarded ? guarded_redis_start(stand->directory, options->redis)
                                         : redis_server_start(options->redis);
    set_environment(stand, options);
    if (options->config) {
        cw_file_write(stand->directory, "test.conf", options->config, 0600);
        stand->has_config = true;
    }
    open_accounts(stand, !names(options->environment, "DATABASE_URL="));

    const struct cw_server_options server = {
        .environment = (const char *const *)stand->environment,
        .config = options->config,
        .directory = stand->directory,
        .log_fd = options->log_fd,
    };
    cw_server_start(&stand->server, &server);
    stand->http = http_client_new(stand->server.base_url);
}

void stand_close(struct stand *stand)
{
    http_client_free(&stand->http);
    cw_server_stop(&stand->server);
    if (stand->is_guarded)
        guarded_redis_expect_no_refusals(stand->redis);
    redis_server_stop(&stand->redis);
    for (size_t i = 0; i < sizeof stand->environment / sizeof *stand->environment; i++)
        free(stand->environment[i]);
    cw_directory_remove(&stand->directory);
    memset(stand, 0, sizeof *stand);
}
