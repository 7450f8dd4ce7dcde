/* `backup restore`: puts a backup in the place of what is here, beside servers or alone. */
#include "cli/backup.h"
#include "cli/progress.h"

#include "cachewarden/backup_restore.h"
#include "cachewarden/clock.h"

#include <stdio.h>
#include <unistd.h>

const struct cli_option cli_backup_restore_options[] = {
    {"dry-run", 0, NULL, false, "say what would change, and change nothing"},
    {"yes", 0, NULL, false, "do not ask"},
    {"foreign", 0, NULL, false, "take a backup of another installation, too"},
    {"without-redis", 0, NULL, false, "go on when Redis is away"},
    CLI_JSON,
    CLI_OPTIONS_END};

/* A name of a file has a slash in it, or ends as backups do; an id has neither. */
static bool is_path(const char *argument)
{
    return strchr(argument, '/') || str_ends(str_from(argument), STR(".zst"));
}

/* ---- another process ---- */

/*
 * A backup by its id is put back beside a running server, which notices within a second. One from elsewhere comes to
 * a machine that is set up anew; there the server is to start with it.
 */
static bool may_go_on(const struct cli *cli, const struct cli_services *services)
{
    const char *what = cli_argument(cli, 0);
    char process[CLI_PROCESS_SIZE];

    if (services->other_process == 0 || cli_flag(cli, "dry-run"))
        return true;
    cli_name_process(services->other_process, process);
    if (!is_path(what)) {
        fprintf(stderr,
                "%s has the users database open; it goes on, and notices what is put back.\n",
                process);
        return true;
    }
    (void)cli_fail("%s has the users database open; stop the server first (systemctl stop "
                   "cachewarden), or put the file into backup.directory and restore it by its id",
                   process);
    return false;
}

/* ---- asking ---- */

/* What is said of each state; of those that are restored, numbers. */
static const char *entries_text(enum backup_entries state)
{
    switch (state) {
    case BACKUP_ENTRIES_UNTOUCHED:
        return "left out: Redis was not told of the restore";
    case BACKUP_ENTRIES_OFF:
        return "left out: backup.include_entries is not set";
    case BACKUP_ENTRIES_KEPT:
        return "left out: what Redis holds may be newer";
    case BACKUP_ENTRIES_FAILED:
        return "could not be put back, or not all of them; the log says why";
    default:
        return NULL;
    }
}

static void describe_entries(struct strbuf *out, const struct backup_restored *restored)
{
    const struct backup_entries_counts *entries = &restored->entries;
    const char *text = restored->only_tried && entries->state == BACKUP_ENTRIES_UNTOUCHED
                           ? NULL
                           : entries_text(entries->state);

    if (entries->state == BACKUP_ENTRIES_NONE)
        return;
    if (text)
        strbuf_addf(out, "%-19s %s\n", "entries:", text);
    if (text && entries->state != BACKUP_ENTRIES_FAILED)
        return;
    strbuf_addf(out, "%-19s %lld\n%-19s %lld\n",
                text ? "  put back:" : "entries:", (long long)entries->restored,
                "  expired:", (long long)entries->expired);
    if (restored->only_tried)
        return;
    strbuf_addf(out, "%-19s %lld\n%-19s %lld\n%-19s %lld\n%-19s %lld\n",
                "  cleared since:", (long long)entries->cleared,
                "  replaced since:", (long long)entries->taken,
                "  refused by Redis:", (long long)entries->refused,
                "  put back earlier:", (long long)entries->earlier);
}

static void describe(struct strbuf *out, const struct backup_restored *restored)
{
    char created_at[CLOCK_RFC3339_SIZE];

    clock_rfc3339(restored->created_at_s * 1000, created_at);
    strbuf_addf(out, "%-19s %s of %s\n", "backup:", restored->id, created_at);
    strbuf_addf(out, "%-19s %lld\n", "users:", (long long)restored->users);
    strbuf_addf(out, "%-19s %lld\n", "  new or come back:", (long long)restored->added);
    strbuf_addf(out, "%-19s %lld\n", "  password changes:", (long long)restored->passwords);
    strbuf_addf(out, "%-19s %lld\n", "users removed:", (long long)restored->removed);
    strbuf_addf(out, "%-19s %lld\n", "API keys:", (long long)restored->api_keys);
    strbuf_addf(out, "%-19s %lld\n", "API keys removed:", (long long)restored->api_keys_removed);
    describe_entries(out, restored);
}

static bool is_yes(void)
{
    char answer[16] = "";

    fprintf(stderr, "Put it in the place of what is here? [y/N] ");
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static enum err ask(struct cli_services *services, struct backup_restore_order order, bool *may_out,
                    struct error *error)
{
    struct backup_restored would;
    struct strbuf text;

    order.only_tries = true;
    order.watch = NULL;
    enum err err = backup_restore_users(services->app, &order, &would, error);
    if (err != ERR_OK)
        return err;
    strbuf_init(&text, services->arena, 512);
    describe(&text, &would);
    fprintf(stderr, "%.*s", STR_ARG(strbuf_str(&text)));
    *may_out = is_yes();
    return ERR_OK;
}

/* ---- doing ---- */

static int show(const struct cli *cli, const struct backup_restored *restored)
{
    struct json_writer json;
    struct strbuf text;

    strbuf_init(&text, NULL, 512);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        backup_restored_write(&json, restored);
        strbuf_add_char(&text, '\n');
        return cli_print(&text);
    }
    describe(&text, restored);
    if (restored->only_tried)
        strbuf_addf(&text, "Nothing was changed.\n");
    else if (restored->has_told_redis)
        strbuf_addf(&text, "%-19s %lld\n%-19s %lld\nRestored.\n",
                    "revocations:", (long long)restored->revocations,
                    "clears raised:", (long long)restored->clears);
    return cli_print(&text);
}

/* It is another installation now: what is open speaks of the one before. */
static bool open_anew(const struct cli *cli, struct cli_services *services)
{
    cli_close(services);
    return cli_open(cli, services);
}

static int say_untold(const char *why)
{
    return cli_fail(
        "the users database is restored, but Redis was not told: %s; a new term begins when "
        "it is back; restore the same backup once more then, for what was revoked",
        why);
}

/* The accounts are there, whatever becomes of this. */
static int tell_redis(const struct cli *cli, struct cli_services *services,
                      const struct backup_restore_order *order, struct backup_restored *restored)
{
    struct error error = {0};
    enum err err = backup_restore_redis(services->app, order, restored, &error);
    int status = show(cli, restored);

    if (err == ERR_OK)
        return status;
    (void)say_untold(error.caller[0] ? error.caller : err_name(err));
    return order->may_miss_redis && status == CLI_OK ? CLI_OK : CLI_FAILED;
}

static int restore(const struct cli *cli, struct cli_services *services,
                   struct backup_restore_order order)
{
    struct cli_progress progress;
    struct backup_restored restored;
    struct error error = {0};
    struct backup_watch watch =
        cli_progress_begin(&progress, cli_flag(cli, "json") ? NULL : stderr);

    order.watch = &watch;
    enum err err = backup_restore_users(services->app, &order, &restored, &error);
    cli_progress_end(&progress);
    order.watch = NULL;
    if (err == ERR_OK && restored.has_become && !open_anew(cli, services)) {
        int status = show(cli, &restored);
        return status == CLI_OK ? say_untold("the users database cannot be opened again") : status;
    }
    if (!order.only_tries)
        (void)cli_audit(services, "backups.restore",
                        str_format(services->arena, "backup:%.64s",
                                   err == ERR_OK ? restored.id : cli_argument(cli, 0)),
                        err, err == ERR_OK ? restored.users : -1, false);
    if (err != ERR_OK)
        return cli_fail_with(err, &error);
    return order.only_tries ? show(cli, &restored) : tell_redis(cli, services, &order, &restored);
}

static int ask_and_restore(const struct cli *cli, struct cli_services *services)
{
    const char *what = cli_argument(cli, 0);
    struct error error = {0};
    const struct backup_restore_order order = {
        .id = is_path(what) ? STR_NONE : str_from(what),
        .path = is_path(what) ? what : NULL,
        .only_tries = cli_flag(cli, "dry-run"),
        .takes_foreign = cli_flag(cli, "foreign"),
        .may_miss_redis = cli_flag(cli, "without-redis"),
        /* A server that has it open would go on as the installation that this was. */
        .may_become = services->other_process == 0,
    };
    bool may = cli_flag(cli, "yes") || order.only_tries;

    if (!may && !isatty(STDIN_FILENO))
        return cli_fail("there is nobody to ask; say --yes, or --dry-run to see what would change");
    if (!may) {
        enum err err = ask(services, order, &may, &error);
        if (err != ERR_OK)
            return cli_fail_with(err, &error);
    }
    return may ? restore(cli, services, order) : cli_fail("nothing was changed");
}

int cli_backup_restore(struct cli *cli)
{
    struct cli_services services;

    if (!cli_open(cli, &services))
        return CLI_FAILED;
    int status = may_go_on(cli, &services) ? ask_and_restore(cli, &services) : CLI_FAILED;
    cli_close(&services);
    return status;
}
