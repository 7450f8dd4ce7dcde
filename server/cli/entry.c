/* `entry`: what the cache service holds under a label, for an operator. */
#include "cli/cli.h"

#include "cachewarden/entries.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define NAMESPACE                                                                               \
    {                                                                                           \
        "namespace", 0, "N", false, "whose: user:ID, or app:NAME as an API key was made for it" \
    }

static const struct cli_option label_options[] = {NAMESPACE, CLI_JSON, CLI_OPTIONS_END};
static const struct cli_option set_options[] = {
    NAMESPACE,
    {"file", 0, "F", false, "the value; without it, or as -, standard input"},
    {"type", 0, "T", false, "what it is, such as application/json"},
    {"ttl", 0, "S", false, "seconds to live; without it entries.default_ttl_s"},
    {"model", 0, "M", true, "a model whose clear drops it"},
    CLI_JSON,
    CLI_OPTIONS_END,
};

struct entry_call {
    struct cli *cli;
    struct cli_services services;
    struct entry_request request;
    struct str models[ENTRY_MODELS_MAX];
    struct error error;
};

/* ---- what was given ---- */

static int take_models(struct entry_call *call)
{
    const char *text;

    call->request.models = call->models;
    for (size_t i = 0; (text = cli_value_at(call->cli, "model", i)) != NULL; i++) {
        if (i == ENTRY_MODELS_MAX)
            return cli_usage_error(call->cli, "an entry has %d models at most", ENTRY_MODELS_MAX);
        if (!entry_is_model(str_from(text)))
            return cli_usage_error(call->cli,
                                   "--model is 1 to %d bytes of UTF-8 without control characters "
                                   "and slashes, and neither . nor ..",
                                   ENTRY_MODEL_MAX);
        for (size_t k = 0; k < i; k++)
            if (str_eq(call->models[k], str_from(text)))
                return cli_usage_error(call->cli, "--model %s is there twice", text);
        call->models[call->request.model_count++] = str_from(text);
    }
    return CLI_OK;
}

static int take_names(struct entry_call *call)
{
    const char *space = cli_value(call->cli, "namespace");

    call->request.label = str_from(cli_argument(call->cli, 0));
    if (!space || !namespace_parse(str_from(space), &call->request.space))
        return cli_usage_error(call->cli, "needs --namespace user:ID or --namespace app:NAME");
    if (!entry_is_label(call->request.label))
        return cli_usage_error(call->cli,
                               "a label is 1 to %d bytes of UTF-8 without control characters and "
                               "without a part that is . or ..",
                               ENTRY_LABEL_MAX);
    return CLI_OK;
}

/* Opens the services; CLI_OK, or what to exit with. */
static int begin(struct cli *cli, bool changes, struct entry_call *call)
{
    *call = (struct entry_call){.cli = cli};
    int status = take_names(call);
    if (status == CLI_OK && changes)
        status = take_models(call);
    if (status != CLI_OK)
        return status;
    if (!(changes ? cli_open_to_change : cli_open)(cli, &call->services))
        return CLI_FAILED;
    call->request.app = call->services.app;
    call->request.work = cli_work(&call->services, &call->error);
    call->request.is_passive = !changes;
    return CLI_OK;
}

static int end(struct entry_call *call, int status)
{
    cli_close(&call->services);
    return status;
}

/* ---- get, ttl ---- */

/* Text as it is, other bytes as base64url. */
static void add_value(struct json_writer *json, struct arena *arena, struct str body)
{
    if (str_is_utf8(body))
        json_add_string(json, "value", body);
    else
        json_add_string(json, "value_base64url", base64url_encode(arena, body));
}

static int print_found(struct entry_call *call, const struct entry_found *found, bool has_value)
{
    struct strbuf text;
    struct json_writer json;

    strbuf_init(&text, NULL, found->body.len + 256);
    json_writer_init(&json, &text);
    json_open_object(&json);
    json_add_bool(&json, "hit", found->is_hit);
    if (found->is_hit) {
        json_add_integer(&json, "age", found->age_s);
        json_add_integer(&json, "ttl", found->ttl_s);
        json_add_string(&json, "content_type", found->content_type);
        json_add_integer(&json, "size", (int64_t)found->body.len);
        if (has_value)
            add_value(&json, call->services.arena, found->body);
    }
    json_close_object(&json);
    strbuf_add_char(&text, '\n');
    int status = cli_print(&text);
    return status == CLI_OK && !found->is_hit ? CLI_FAILED : status;
}

/* As it was stored, and not a line feed more. */
static int print_bytes(struct str body)
{
    struct strbuf text;

    strbuf_init(&text, NULL, body.len + 1);
    strbuf_add(&text, body);
    return cli_print(&text);
}

static int print_ttl(int64_t ttl_s)
{
    struct strbuf text;

    strbuf_init(&text, NULL, 32);
    strbuf_add_int64(&text, ttl_s);
    strbuf_add_char(&text, '\n');
    return cli_print(&text);
}

static int look(struct cli *cli, bool has_value)
{
    struct entry_call call;
    struct entry_found found;
    int status = begin(cli, false, &call);

    if (status != CLI_OK)
        return status;
    enum err err = entries_get(&call.request, &found);
    if (err != ERR_OK)
        return end(&call, cli_fail_with(err, &call.error));
    if (cli_flag(cli, "json"))
        return end(&call, print_found(&call, &found, has_value));
    if (!found.is_hit)
        return end(&call,
                   cli_fail(found.is_enabled ? "nothing is there" : "this account's cache is off"));
    return end(&call, has_value ? print_bytes(found.body) : print_ttl(found.ttl_s));
}

static int run_get(struct cli *cli)
{
    return look(cli, true);
}

static int run_ttl(struct cli *cli)
{
    return look(cli, false);
}

/* ---- set ---- */

/* All of it, unless that is more than `max`. False after a complaint. */
static bool read_all(int fd, const char *name, size_t max, struct strbuf *out)
{
    ssize_t got;

    do {
        char *room = strbuf_room(out, 65536);
        got = room ? read(fd, room, 65536) : -1;
        if (got > 0)
            out->len += (size_t)got;
    } while (out->len <= max && (got > 0 || (got < 0 && errno == EINTR)));
    if (got < 0)
        return cli_fail("%s: %s", name, out->failed ? "out of memory" : strerror(errno)) == CLI_OK;
    if (out->len > max)
        return cli_fail("%s: a value has %zu bytes at most (server.max_body)", name, max) == CLI_OK;
    return true;
}

static bool read_value(const struct entry_call *call, struct strbuf *out)
{
    const char *path = cli_value(call->cli, "file");
    bool is_stdin = !path || strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno)) == CLI_OK;
    bool is_read = read_all(fd, is_stdin ? "standard input" : path,
                            (size_t)call->services.config->server_max_body, out);
    if (!is_stdin)
        close(fd);
    return is_read;
}

static int take_fill(const struct entry_call *call, struct entry_fill *fill)
{
    const char *ttl = cli_value(call->cli, "ttl"), *type = cli_value(call->cli, "type");
    int64_t longest_s = call->request.model_count > 0 ? ENTRY_MODEL_TTL_MAX_S : ENTRY_TTL_MAX_S;
    int64_t usual_s = call->services.config->entries_default_ttl_s;

    fill->content_type = str_from(type);
    fill->ttl_s = usual_s < longest_s ? usual_s : longest_s;
    if (type && !entry_is_type(fill->content_type))
        return cli_usage_error(call->cli, "--type is a media type such as application/json");
    if (ttl && !str_to_int64(str_from(ttl), 1, longest_s, &fill->ttl_s))
        return cli_usage_error(call->cli, "--ttl must be a whole number from 1 to %lld%s",
                               (long long)longest_s,
                               call->request.model_count > 0 ? " with a model" : "");
    return CLI_OK;
}

static int print_stored(const struct cli *cli, const struct entry_stored *stored, int64_t ttl_s)
{
    struct strbuf text;

    strbuf_init(&text, NULL, 128);
    if (cli_flag(cli, "json")) {
        struct json_writer json;
        json_writer_init(&json, &text);
        json_open_object(&json);
        json_add_bool(&json, "stored", stored->is_enabled);
        json_add_bool(&json, "replaced", stored->was_there);
        if (stored->is_enabled)
            json_add_integer(&json, "ttl", ttl_s);
        json_close_object(&json);
        strbuf_add_char(&text, '\n');
    } else if (stored->is_enabled) {
        strbuf_addf(&text, "%s, for %lld seconds\n", stored->was_there ? "Replaced" : "Stored",
                    (long long)ttl_s);
    }
    int status = cli_print(&text);
    if (status == CLI_OK && !stored->is_enabled)
        return cli_flag(cli, "json") ? CLI_FAILED : cli_fail("this account's cache is off");
    return status;
}

static int store(struct entry_call *call, struct strbuf *value)
{
    struct entry_fill fill = {0};
    struct entry_stored stored;
    int status = take_fill(call, &fill);

    if (status != CLI_OK)
        return status;
    if (!read_value(call, value))
        return CLI_FAILED;
    fill.body = strbuf_str(value);
    /* Whoever types the value may take their time. */
    call->request.work = cli_work(&call->services, &call->error);
    entries_find_room(call->services.app, call->request.work);
    enum err err = entries_put(&call->request, &fill, &stored);
    (void)cli_audit(&call->services, "entries.put",
                    namespace_text(call->services.arena, &call->request.space), err, -1, false);
    if (err == ERR_UPSTREAM_REFUSED) /* whose memory is full, says the detail */
        return cli_fail("%s: %s", call->error.caller, call->error.detail);
    return err == ERR_OK ? print_stored(call->cli, &stored, fill.ttl_s)
                         : cli_fail_with(err, &call->error);
}

static int run_set(struct cli *cli)
{
    struct entry_call call;
    struct strbuf value;
    int status = begin(cli, true, &call);

    if (status != CLI_OK)
        return status;
    strbuf_init(&value, NULL, 0);
    status = store(&call, &value);
    strbuf_fini(&value);
    return end(&call, status);
}

/* ---- delete ---- */

static int print_deleted(const struct cli *cli, bool was_there)
{
    struct strbuf text;

    strbuf_init(&text, NULL, 64);
    if (cli_flag(cli, "json"))
        strbuf_addf(&text, "{\"deleted\":%s}\n", was_there ? "true" : "false");
    else
        strbuf_add(&text, was_there ? STR("Deleted\n") : STR("Nothing was there\n"));
    return cli_print(&text);
}

static int run_delete(struct cli *cli)
{
    struct entry_call call;
    bool was_there = false;
    int status = begin(cli, true, &call);

    if (status != CLI_OK)
        return status;
    enum err err = entries_delete(&call.request, &was_there);
    (void)cli_audit(&call.services, "entries.delete",
                    namespace_text(call.services.arena, &call.request.space), err, was_there,
                    false);
    return end(&call,
               err == ERR_OK ? print_deleted(cli, was_there) : cli_fail_with(err, &call.error));
}

/* ---- the table ---- */

const struct cli_command cli_entry = {
    .name = "entry",
    .arguments = "get | set | delete | ttl",
    .summary = "looks at and changes what the cache service holds",
    .subcommands =
        (const struct cli_command[]){
            {.name = "get",
             .arguments = "LABEL --namespace N [--json]",
             .summary = "prints what is stored, as it is; exit 1 where nothing is",
             .options = label_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_get},
            {.name = "set",
             .arguments = "LABEL --namespace N [--file F] [--type T] [--ttl S] [--model M]... "
                          "[--json]",
             .summary = "stores a value",
             .options = set_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_set},
            {.name = "delete",
             .arguments = "LABEL --namespace N [--json]",
             .summary = "takes away what is there",
             .options = label_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_delete},
            {.name = "ttl",
             .arguments = "LABEL --namespace N [--json]",
             .summary = "prints how many seconds it has to live; exit 1 where nothing is",
             .options = label_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_ttl},
            {.name = NULL},
        },
};
