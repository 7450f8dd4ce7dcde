/* `user migrate`: accounts and all that is with them, from SQLite into PostgreSQL. */
#include "cli/user.h"

#include "cachewarden/secret.h"
#include "cachewarden/users_move.h"

#include <errno.h>
#include <stdio.h>

const struct cli_option cli_migrate_options[] = {
    {"to", 0, "URL", false,
     "the database to move into, postgresql://… without a password (PGPASSFILE)"},
    {"to-file", 0, "FILE", false,
     "the same with a password, from FILE, or with - from standard input"},
    CLI_JSON,
    CLI_OPTIONS_END};

enum { URL_SIZE = 4096 };

struct migration {
    struct config *config;
    struct users *from, *to;
    char url[URL_SIZE];
};

/* ---- where to ---- */

/* Everybody on this machine can read arguments. */
static bool has_password(struct str url)
{
    ptrdiff_t query = str_find(url, '?'), at = -1;
    struct str place = str_sub(url, 0, query < 0 ? url.len : (size_t)query);

    for (size_t i = 0; i < place.len; i++)
        at = place.ptr[i] == '@' ? (ptrdiff_t)i : at;
    /* Behind the colon of "postgresql://". */
    struct str login = str_sub(place, 0, at < 0 ? 0 : (size_t)at);
    login = str_sub(login, (size_t)str_find(login, ':') + 1, login.len);
    return str_find(login, ':') >= 0 ||
           (query >= 0 && memmem(url.ptr + query, url.len - (size_t)query, "password=", 9));
}

static bool read_file(const char *path, char url_out[URL_SIZE])
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file) {
        (void)cli_fail("cannot read %s: %s", path, strerror(errno));
        return false;
    }
    size_t size = fread(url_out, 1, URL_SIZE - 1, file);
    if (file != stdin)
        fclose(file);
    struct str line = secret_line((struct str){url_out, size});
    bool is_good = size < URL_SIZE - 1 && line.len > 0 && !memchr(url_out, '\0', line.len);
    url_out[is_good ? line.len : 0] = '\0';
    if (!is_good)
        (void)cli_fail("%s holds no URL", path);
    return is_good;
}

/* Exit status. */
static int find_target(const struct cli *cli, char url_out[URL_SIZE])
{
    const char *url = cli_value(cli, "to"), *file = cli_value(cli, "to-file");
    struct error error = {0};

    if (!url == !file)
        return cli_usage_error(cli, "say where to: with --to URL or --to-file FILE");
    if (url && has_password(str_from(url)))
        return cli_usage_error(cli, "a URL with a password is no argument, for everybody can read "
                                    "those; put it into a file, and name that with --to-file");
    if (url)
        snprintf(url_out, URL_SIZE, "%s", url);
    else if (!read_file(file, url_out))
        return CLI_FAILED;
    if (!str_starts(str_from(url_out), STR("postgres")))
        return cli_fail("the database to move into must be PostgreSQL: postgresql://…");
    enum err err = users_check_url(str_from(url_out), &error);
    return err == ERR_OK ? CLI_OK : cli_fail_with(err, &error);
}

/* ---- where from ---- */

static int check_source(const struct config *config)
{
    struct str url = str_from(config->users_database);
    struct users_sight sight;
    struct error error = {0};

    if (!config_sqlite_path(config))
        return cli_fail("users.database is no SQLite file; it names what is moved, until you have "
                        "changed it afterwards");
    enum err err = users_look(url, &sight, &error);
    if (err == ERR_NOT_FOUND)
        return cli_fail("there is no users database at %s", config_sqlite_path(config));
    if (err != ERR_OK)
        return cli_fail_with(err, &error);
    if (sight.version != sight.known)
        return cli_fail("the users database is of another version; start this version's server "
                        "with it once");
    pid_t other = users_other_process(url);
    if (other == 0)
        return CLI_OK;
    char process[CLI_PROCESS_SIZE];
    cli_name_process(other, process);
    return cli_fail("%s has the users database open, and what it changes now would be lost; stop "
                    "the server first (systemctl stop cachewarden)",
                    process);
}

/* ---- doing ---- */

static int show(const struct cli *cli, const struct migration *migration,
                const struct users_moved *moved)
{
    const char *path = config_sqlite_path(migration->config);
    struct json_writer json;
    struct strbuf text;

    strbuf_init(&text, NULL, 512);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        json_open_object(&json);
        json_name(&json, "was_there");
        json_write_bool(&json, moved->was_there);
        json_name(&json, "users");
        json_write_integer(&json, moved->accounts);
        json_name(&json, "api_keys");
        json_write_integer(&json, moved->keys);
        json_close_object(&json);
        strbuf_add_char(&text, '\n');
        return cli_print(&text);
    }
    strbuf_addf(&text, "%s: %lld users, %lld API keys.\n",
                moved->was_there ? "All of it was there before" : "Moved",
                (long long)moved->accounts, (long long)moved->keys);
    strbuf_addf(&text, "Set users.database_file now, and start the server; then put %s away.\n",
                path);
    if (!migration->config->auth_secret)
        strbuf_addf(&text,
                    "auth.secret must be set there: auth.secret_file, with what %s.secret "
                    "holds.\n",
                    path);
    return cli_print(&text);
}

static int move(const struct cli *cli, struct migration *migration)
{
    struct users_moved moved = {0};
    struct error error = {0};
    enum err err =
        users_open(str_from(migration->config->users_database), &migration->from, &error);

    if (err == ERR_OK)
        err = users_open(str_from(migration->url), &migration->to, &error);
    if (err == ERR_OK)
        err = users_move(migration->from, migration->to, &moved, &error);
    return err == ERR_OK ? show(cli, migration, &moved) : cli_fail_with(err, &error);
}

int cli_migrate_users(struct cli *cli)
{
    struct migration migration = {.config = NULL};
    int status = find_target(cli, migration.url);

    if (status == CLI_OK && !cli_load_config(cli, false, &migration.config))
        status = CLI_FAILED;
    if (status == CLI_OK)
        status = check_source(migration.config);
    if (status == CLI_OK)
        status = move(cli, &migration);
    if (migration.to)
        users_close(&migration.to);
    if (migration.from)
        users_close(&migration.from);
    config_free(&migration.config);
    secret_wipe(migration.url, sizeof migration.url);
    return status;
}
