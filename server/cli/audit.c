/* `audit`: who did what, to which cache, and when. */
#include "cli/cli.h"

#include "cachewarden/app.h"
#include "cachewarden/audit_search.h"
#include "cachewarden/clock.h"

#include <stdio.h>

enum { PAGE = 500, LIMIT_DEFAULT = 100, LIMIT_MAX = 1000000 };

/* Records on their way to standard output, a page at a time: they need not fit into memory. */
struct printing {
    struct strbuf text;
    bool is_json;
    int64_t count;
};

/* ---- output ---- */

static const struct {
    const char *head;
    enum audit_field field;
    size_t width;
} columns[] = {
    {"TIME", AUDIT_TIME, 21},       {"PRINCIPAL", AUDIT_PRINCIPAL, 18}, {"ACTION", AUDIT_ROUTE, 22},
    {"TARGET", AUDIT_TARGET, 22},   {"RESULT", AUDIT_RESULT, 18},       {"COUNT", AUDIT_COUNT, 9},
    {"ADDRESS", AUDIT_ADDRESS, 18}, {"REQUEST", AUDIT_REQUEST_ID, 0},
};

enum { COLUMNS = sizeof columns / sizeof *columns };

static void print_row(struct strbuf *out, const struct str *texts)
{
    for (size_t i = 0; i + 1 < COLUMNS; i++)
        cli_pad(out, texts[i].len > 0 ? texts[i] : STR("-"), columns[i].width);
    strbuf_add(out, texts[COLUMNS - 1]);
    strbuf_add_char(out, '\n');
}

static void print_heads(struct strbuf *out)
{
    struct str texts[COLUMNS];

    for (size_t i = 0; i < COLUMNS; i++)
        texts[i] = str_from(columns[i].head);
    print_row(out, texts);
}

/* An object a line: what reads it need not have all of it in memory. */
static void print_json(struct strbuf *out, const struct audit_found *record)
{
    struct json_writer json;

    json_writer_init(&json, out);
    audit_found_write(&json, record);
    strbuf_add_char(out, '\n');
}

static void print_found(void *with, const struct audit_found *record)
{
    struct printing *printing = with;
    struct str texts[COLUMNS];

    if (printing->is_json) {
        print_json(&printing->text, record);
    } else {
        for (size_t i = 0; i < COLUMNS; i++)
            texts[i] = record->fields[columns[i].field];
        texts[0] = str_sub(texts[0], 0, 19);
        print_row(&printing->text, texts);
    }
    printing->count++;
}

/* ---- what is wanted ---- */

static int take_time(const struct cli *cli, const char *option, int64_t *wall_ms_out,
                     bool *is_given_out)
{
    const char *text = cli_value(cli, option);

    *is_given_out = text != NULL;
    if (text && !clock_read(str_from(text), wall_ms_out))
        return cli_usage_error(cli,
                               "--%s must be a time such as 2026-01-31T12:00:00Z, or seconds since "
                               "1970, not \"%.64s\"",
                               option, text);
    return CLI_OK;
}

static int take_limit(const struct cli *cli, int64_t *limit_out)
{
    const char *text = cli_value(cli, "limit");

    *limit_out = LIMIT_DEFAULT;
    if (text && !str_to_int64(str_from(text), 1, LIMIT_MAX, limit_out))
        return cli_usage_error(cli, "--limit must be a whole number from 1 to %d, not \"%.64s\"",
                               LIMIT_MAX, text);
    return CLI_OK;
}

static int take_part(const struct cli *cli, int *part_out)
{
    const char *text = cli_value(cli, "part");

    *part_out = text ? audit_part_of_name(str_from(text)) : -1;
    if (text && *part_out < 0)
        return cli_usage_error(cli, "--part must be changes, clears or sign_ins, not \"%.64s\"",
                               text);
    return CLI_OK;
}

static int take_wanted(const struct cli *cli, struct audit_search *wanted_out, int64_t *limit_out)
{
    bool has_since;

    *wanted_out = (struct audit_search){
        .principal = str_from(cli_value(cli, "principal")),
        .action = str_from(cli_value(cli, "action")),
        .target = str_from(cli_value(cli, "target")),
        .result = str_from(cli_value(cli, "result")),
    };
    int status = take_part(cli, &wanted_out->part);
    if (status == CLI_OK)
        status = take_time(cli, "since", &wanted_out->since_ms, &has_since);
    if (status == CLI_OK)
        status = take_time(cli, "until", &wanted_out->until_ms, &wanted_out->has_until);
    if (status == CLI_OK)
        status = take_limit(cli, limit_out);
    return status;
}

/* ---- the command ---- */

/* Heads stand over a list, which may be empty, and over no failure. */
static int print_page(struct printing *printing, bool is_first)
{
    struct strbuf heads;

    strbuf_init(&heads, NULL, 256);
    if (is_first && !printing->is_json)
        print_heads(&heads);
    int status = cli_print(&heads);
    if (cli_print(&printing->text) != CLI_OK)
        status = CLI_FAILED;
    strbuf_init(&printing->text, NULL, 4096);
    return status;
}

/* Each search looks at so many records; the shell has the time to go on to the end, or to the limit. */
static int search(struct cli_services *services, struct audit_search *wanted, int64_t limit,
                  struct printing *printing)
{
    struct error error = {0};
    bool is_first = true;
    int status = CLI_OK;

    do {
        int64_t left = limit - printing->count;
        struct str next;
        wanted->limit = left < PAGE ? (size_t)left : PAGE;
        enum err err = audit_search(services->app, cli_work(services, &error), wanted, print_found,
                                    printing, &next);
        if (err != ERR_OK)
            return cli_fail_with(err, &error);
        status = print_page(printing, is_first);
        is_first = false;
        wanted->before = next;
    } while (status == CLI_OK && wanted->before.len > 0 && printing->count < limit);
    if (status == CLI_OK && wanted->before.len > 0)
        fprintf(stderr, "There may be older ones: --limit takes more.\n");
    return status;
}

static int run(struct cli *cli)
{
    struct cli_services services;
    struct audit_search wanted;
    struct printing printing = {.is_json = cli_flag(cli, "json")};
    int64_t limit;
    int status = take_wanted(cli, &wanted, &limit);

    if (status != CLI_OK)
        return status;
    if (!cli_open(cli, &services))
        return CLI_FAILED;
    strbuf_init(&printing.text, NULL, 4096);
    status = search(&services, &wanted, limit, &printing);
    strbuf_fini(&printing.text);
    cli_close(&services);
    return status;
}

const struct cli_command cli_audit_search = {
    .name = "audit",
    .arguments = "[--principal NAME] [--action ACTION] [--target TARGET] [--since TIME] [--json]",
    .summary = "who did what, and when: the newest records of the audit",
    .details = "A TIME is as RFC 3339 has it (2026-01-31T12:00:00Z), or seconds since 1970. With "
               "--json each "
               "record is a line of its own, with all its fields.",
    .options =
        (const struct cli_option[]){
            {"principal", 0, "NAME", false, "only what NAME did: an account, a key, a person here"},
            {"action", 0, "ACTION", false, "only this, such as caches.flush"},
            {"target", 0, "TARGET", false, "only what was done to this, such as user:7"},
            {"result", 0, "RESULT", false, "only what ended like this, such as ok"},
            {"part", 0, "PART", false, "only this part: changes, clears or sign_ins"},
            {"since", 0, "TIME", false, "only records from then on"},
            {"until", 0, "TIME", false, "only records before then"},
            {"limit", 0, "COUNT", false, "how many records at most (default 100)"},
            CLI_JSON,
            CLI_OPTIONS_END,
        },
    .run = run,
};
