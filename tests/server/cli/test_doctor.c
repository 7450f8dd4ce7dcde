/* `doctor`: finds what is wrong, goes on after it, and leaves all as it was. */
#include "doctor_case.h"

#include "fake_redis.h"
#include "guarded_redis.h"
#include "key_server.h"
#include "postgres_server.h"
#include "redis_snapshot.h"
#include "signer.h"

#include <dirent.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRONG "f3J9sKq0vX7pLw2ZtB5nYc8RgHd4mUaQ"

static struct postgres_server *postgres;

/* What the folder holds but "." and "..". */
static int count_files(void)
{
    int count = -2;
    DIR *folder = opendir(cli_test.directory);
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

START_TEST(all_is_well)
{
    cli_run("user", "list");
    int files = count_files();
    redis_server_do(cli_test.redis, "CONFIG SET appendonly yes");
    int64_t keys = redis_server_ask_integer(cli_test.redis, "DBSIZE");
    cli_run("doctor");
    expect_status(0);
    expect_line("ok       configuration: ", "is good");
    expect_line("ok       redis: ", "answers at 127.0.0.1:");
    expect_line("ok       redis version: ", ".");
    expect_line("ok       redis role: ", "primary");
    expect_line("ok       redis eviction: ", "noeviction");
    expect_line("ok       redis persistence: ", "append-only");
    expect_line("ok       redis rights: ", "default has all");
    expect_line("ok       clock: ", "differs");
    expect_line("ok       named cache: ", "search: answers");
    expect_line("ok       users database: ", "sqlite answers, schema version");
    expect_line("ok       auth.secret: ", "64 bytes");
    expect_line("ok       file modes: ", "0600");
    ck_assert_ptr_nonnull(strstr(cli_test.result.out, "disk: "));
    ck_assert_int_eq(count_files(), files);
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "DBSIZE"), keys);
}
END_TEST

/* As the server would find it. */
START_TEST(whose_control_data_it_is)
{
    cli_run("cache", "clear", "--user", "1");
    cli_run("doctor");
    expect_status(0);
    expect_line("ok       control data: ", "is of our users database");
    cli_run_with(NULL, VARIABLES("DATABASE_URL=sqlite:none.db"), ARGUMENTS("doctor"));
    expect_status(1);
    expect_line("FAILED   control data: ", "there is none here yet");
    redis_server_do(cli_test.redis, "HSET cw:dataset term 1:0123456789abcdef0123456789abcdef");
    char *before = redis_snapshot(cli_test.redis, NULL);
    cli_run("doctor");
    expect_status(1);
    expect_line("unknown  redis writes: ", "not tried");
    expect_line("FAILED   control data: is of another users database", "cachewarden serve --adopt");
    char *after = redis_snapshot(cli_test.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    cli_run("serve", "--listen", "127.0.0.1:0");
    cli_expect_err(1, "another users database");
}
END_TEST

static void write_issuer(const char *url)
{
    char path[256];
    snprintf(path, sizeof path, "%s/issuer.conf", cli_test.directory);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "auth: { issuers = ( { issuer = \"https://id.example\"; audience = \"cw\";\n"
            "  algorithms = [ \"RS256\" ]; jwks_url = \"%s\"; } ); };\n",
            url);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

START_TEST(an_issuer_without_keys)
{
    struct key_server *server = key_server_start(NULL, 0);
    struct signer *signer = signer_new("RS256", "a");
    char *keys = signer_jwks((const struct signer *const[]){signer, NULL}), url[128];
    snprintf(url, sizeof url, "%s", key_server_url(server));
    write_issuer(url);
    cli_run("doctor", "--config", "issuer.conf");
    expect_status(1);
    expect_line("FAILED   issuer: https://id.example: no keys from http://127.0.0.1:", "key");
    key_server_publish(server, keys);
    cli_run("doctor", "--config", "issuer.conf");
    expect_status(0);
    expect_line("ok       issuer: ", "https://id.example: 1 keys");
    key_server_stop(&server);
    cli_run("doctor", "--config", "issuer.conf");
    expect_status(1);
    expect_line("FAILED   issuer: ", "refused");
    free(keys);
    signer_free(&signer);
}
END_TEST

/* Before the first start there is nothing, and there is nothing afterwards. */
START_TEST(it_makes_nothing)
{
    cli_run("doctor");
    expect_status(0);
    expect_line("unknown  users database: there is none yet", "none yet");
    expect_line("ok       control data: ", "there is none yet");
    expect_line("unknown  auth.secret: ", "first start");
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(redis_is_down)
{
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   redis: ", "127.0.0.1:1/0 does not serve us");
    expect_line("unknown  users database: ", "none yet");
    expect_line("FAILED   named cache: ", "search");
}
END_TEST

START_TEST(redis_stands_still)
{
    redis_server_pause(cli_test.redis);
    cli_run("doctor");
    redis_server_resume(cli_test.redis);
    expect_status(1);
    expect_line("FAILED   redis: ", "does not serve us");
    expect_line("unknown  users database: ", "none yet");
}
END_TEST

START_TEST(it_evicts)
{
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory-policy allkeys-lru");
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   redis eviction: ", "allkeys-lru: it throws away control data as soon as");
    expect_line("FAILED   redis eviction: ", "set maxmemory-policy noeviction");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 100mb");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory-policy volatile-ttl");
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   redis eviction: ", "volatile-ttl: it throws away control data, and then");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory-policy noeviction");
    cli_run("doctor");
    expect_status(0);
}
END_TEST

START_TEST(it_is_full)
{
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 100mb");
    cli_run("doctor");
    expect_status(0);
    expect_line("ok       redis memory: ", " % of maxmemory");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 1kb");
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   redis memory: ", "raise maxmemory");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 0");
    cli_run("doctor");
    expect_status(0);
    expect_line("warning  redis memory: ", "no maxmemory: entries");
    cli_run_with(NULL, VARIABLES("CACHEWARDEN_ENTRIES_REDIS_URL=redis://127.0.0.1:1"),
                 ARGUMENTS("doctor"));
    expect_line("ok       redis memory: ", "no maxmemory");
}
END_TEST

/* Entries stop before Redis is full. */
START_TEST(no_room_for_entries)
{
    char same[96], other[96];
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 20mb");
    cli_run_with(NULL, VARIABLES("CACHEWARDEN_ENTRIES_MEMORY_PERCENT=1"), ARGUMENTS("doctor"));
    expect_status(0);
    expect_line("warning  redis memory: no room for entries", "they stop at 1 %");
    /* This Redis under another name is none apart. */
    snprintf(same, sizeof same, "CACHEWARDEN_ENTRIES_REDIS_URL=redis://localhost:%d/5",
             redis_server_port(cli_test.redis));
    cli_run_with(NULL, VARIABLES("CACHEWARDEN_ENTRIES_MEMORY_PERCENT=1", same),
                 ARGUMENTS("doctor"));
    expect_line("warning  redis memory: no room for entries", "they stop at 1 %");
    expect_line("warning  entries.redis_url: ", "is the server of the control data");
    redis_server_do(cli_test.redis, "CONFIG SET maxmemory 0");
    cli_run_with(NULL, VARIABLES(same), ARGUMENTS("doctor"));
    expect_line("warning  redis memory: ", "no maxmemory: entries");
    struct redis_server *apart = redis_server_start(NULL);
    snprintf(other, sizeof other, "CACHEWARDEN_ENTRIES_REDIS_URL=%s", redis_server_url(apart));
    cli_run_with(NULL, VARIABLES(other), ARGUMENTS("doctor"));
    expect_line("ok       redis memory: ", "no maxmemory");
    expect_line("warning  entries.redis_url: ", "no maxmemory: entries");
    redis_server_do(apart, "CONFIG SET maxmemory 1kb");
    cli_run_with(NULL, VARIABLES(other), ARGUMENTS("doctor"));
    expect_status(1);
    expect_line("FAILED   entries.redis_url: ", "noeviction");
    redis_server_stop(&apart);
}
END_TEST

/* The rights are all there, and yet no clear would go through. */
START_TEST(it_refuses_writes)
{
    redis_server_do(cli_test.redis, "CONFIG SET min-replicas-to-write 1");
    cli_run("doctor");
    expect_status(1);
    expect_line("ok       redis rights: ", "has all");
    expect_line("FAILED   redis writes: ", "NOREPLICAS");
    redis_server_do(cli_test.redis, "CONFIG SET min-replicas-to-write 0");
    redis_server_do(cli_test.redis, "ACL SETUSER default -acl|whoami -multi");
    cli_run("doctor");
    expect_status(1);
    expect_line("unknown  redis rights: ", "cannot tell");
    expect_line("FAILED   redis writes: ", "redis refused MULTI (NOPERM): NOPERM ");
    expect_line("FAILED   redis writes: ", "'multi'");
    redis_server_do(cli_test.redis, "ACL SETUSER default +acl|whoami +multi");
    cli_run("doctor");
    expect_status(0);
    expect_line("ok       redis writes: ", "written and removed");
}
END_TEST

START_TEST(it_is_a_replica)
{
    redis_server_do(cli_test.redis, "REPLICAOF 127.0.0.1 1");
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   redis role: ", "replica");
}
END_TEST

START_TEST(it_keeps_nothing)
{
    redis_server_do(cli_test.redis, "CONFIG SET save %s", "");
    cli_run("doctor");
    expect_status(0);
    expect_line("warning  redis persistence: ", "none");
    redis_server_do(cli_test.redis, "CONFIG SET save %b", "3600 1", (size_t)6);
    cli_run("doctor");
    expect_line("ok       redis persistence: ", "snapshots");
    redis_server_do(cli_test.redis, "ACL SETUSER default -config");
    cli_run("doctor");
    expect_line("unknown  redis persistence: ", "does not tell");
}
END_TEST

/* As docs/redis.md says; then with each right taken away in turn. */
START_TEST(each_right_is_missed)
{
    char *rights = guarded_redis_rights(), text[4096], *rest, *word;
    snprintf(text, sizeof text, "ACL SETUSER cachewarden %s", rights);
    redis_server_do(cli_test.redis, text);
    snprintf(cli_test.redis_item, sizeof cli_test.redis_item,
             "REDIS_URL=redis://cachewarden:PASSWORD@127.0.0.1:%d/0",
             redis_server_port(cli_test.redis));
    cli_run("doctor");
    expect_status(0);
    expect_line("unknown  redis rights: ", "cannot tell");
    redis_server_do(cli_test.redis, "ACL SETUSER cachewarden +acl|whoami +acl|dryrun");
    cli_run("doctor");
    expect_status(0);
    expect_line("ok       redis rights: ", "cachewarden has all");
    for (word = strtok_r(rights, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char missing[64];
        if (word[0] != '+' || strcmp(word, "+client|setname") == 0)
            continue;
        redis_server_do(cli_test.redis, "ACL SETUSER cachewarden -%s", word + 1);
        cli_run("doctor");
        expect_status(1);
        snprintf(missing, sizeof missing, "%s", word + 1);
        /* Without these two, no answer can be believed at all, or the cache is not reached. */
        if (strcmp(missing, "echo") == 0 || strcmp(missing, "ping") == 0)
            expect_line("FAILED   redis: ", "does not serve us");
        else
            expect_line("FAILED   redis rights: ", missing);
        redis_server_do(cli_test.redis, "ACL SETUSER cachewarden %s", word);
    }
    ck_assert_ptr_null(strstr(cli_test.result.out, "PASSWORD"));
    free(rights);
}
END_TEST

static char *acl_line_of_the_table(void)
{
    char *line = NULL;
    size_t size;
    FILE *out = open_memstream(&line, &size);
    fputs("on >PASSWORD resetkeys ~cw:* ~whatsapp:* resetchannels -@all", out);
#define COMMAND(need, name, arguments) fputs(" +" name, out);
#include "cachewarden/redis_commands.def"
#undef COMMAND
    fclose(out);
    return line;
}

/* docs/redis.md with the line as it should be. */
static void write_acl_line(const char *was, const char *line)
{
    char *page = cw_file_read(CW_SOURCE_DIR "/docs/redis.md");
    const char *at = strstr(page, was);
    FILE *file = fopen(CW_SOURCE_DIR "/docs/redis.md", "we");
    ck_assert(at && file);
    fprintf(file, "%.*s%s%s", (int)(at - page), page, line, at + strlen(was));
    fclose(file);
    free(page);
}

/* The page allows what the table has; to write it anew after a change of the table:
 * CW_UPDATE_GOLDEN=1 build-dev/tests/server/cli/test_doctor */
START_TEST(the_page_allows_what_the_table_has)
{
    char *line = acl_line_of_the_table(), *rights = guarded_redis_rights();
    if (getenv("CW_UPDATE_GOLDEN") && strcmp(line, rights) != 0) {
        write_acl_line(rights, line);
        free(rights);
        rights = guarded_redis_rights();
    }
    ck_assert_str_eq(rights, line);
    free(rights);
    free(line);
}
END_TEST

START_TEST(a_key_out_of_reach)
{
    redis_server_do(cli_test.redis, "ACL SETUSER default resetkeys ~cw:*");
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   redis rights: ", "unlink whatsapp:development:in");
}
END_TEST

START_TEST(a_wrong_clock_and_a_strange_redis)
{
    struct fake_redis *fake = fake_redis_start();
    snprintf(cli_test.redis_item, sizeof cli_test.redis_item, "REDIS_URL=%s", fake_redis_url(fake));
    cli_run("doctor"); /* answers +OK to everything */
    expect_status(0);
    expect_line("unknown  redis version: ", "not tell");
    expect_line("unknown  redis rights: ", "cannot tell");
    expect_line("unknown  clock: ", "cannot tell");
    fake_redis_override(fake, "TIME", "*2\r\n$10\r\n1000000000\r\n$1\r\n0\r\n");
    fake_redis_override(fake, "INFO", "$41\r\nredis_version:6.0.16\r\ncluster_enabled:1\r\n\r\n");
    cli_run("doctor");
    fake_redis_stop(&fake);
    expect_status(1);
    expect_line("FAILED   clock: ", "NTP");
    expect_line("FAILED   redis version: ", "6.2");
    expect_line("FAILED   redis role: ", "cluster");
}
END_TEST

START_TEST(modes_and_weak_secrets)
{
    char path[300];
    cli_run("user", "list");
    snprintf(path, sizeof path, "%s/users.db", cli_test.directory);
    ck_assert_int_eq(chmod(path, 0660), 0);
    cli_run("doctor");
    expect_line("warning  file modes: ", "0660");
    ck_assert_int_eq(chmod(path, 0604), 0);
    cli_run_with(NULL, VARIABLES("JWT_SECRET=canary-change-me-canary-change-me-aa"),
                 ARGUMENTS("doctor"));
    expect_status(1);
    expect_line("FAILED   file modes: ", "0604");
    expect_line("FAILED   auth.secret: ", "guessed");
    ck_assert_ptr_null(strstr(cli_test.result.out, "canary"));
    cli_run_with(NULL, VARIABLES("JWT_SECRET=" STRONG), ARGUMENTS("doctor"));
    expect_line("ok       auth.secret: ", "32 bytes");
    ck_assert_ptr_null(strstr(cli_test.result.out, STRONG));
}
END_TEST

START_TEST(a_broken_configuration)
{
    cli_run_with(NULL, VARIABLES("CACHEWARDEN_SERVER_THREADS=none"), ARGUMENTS("doctor"));
    expect_status(1);
    expect_line("FAILED   configuration: ", "CACHEWARDEN_SERVER_THREADS");
    expect_line("ok       redis: ", "answers");
    expect_line("unknown  users database: ", "not looked at");
}
END_TEST

START_TEST(modes_of_the_configuration)
{
    char path[300];
    cw_file_write(cli_test.directory, "cw.conf", "auth: { secret = \"" STRONG "\"; };\n", 0644);
    snprintf(path, sizeof path, "%s/cw.conf", cli_test.directory);
    cli_run("doctor", "--config", path);
    expect_line("warning  configuration: ", "everybody may read");
    ck_assert_int_eq(chmod(path, 0640), 0);
    cli_run("doctor", "--config", path);
    expect_status(0);
    expect_line("ok       configuration: ", "cw.conf is good");
    expect_line("ok       file modes: ", "0640");
    ck_assert_int_eq(chmod(path, 0666), 0);
    cli_run("doctor", "--config", path);
    expect_status(1);
    expect_line("FAILED   file modes: ", "0666");
    ck_assert_ptr_null(strstr(cli_test.result.out, STRONG));
}
END_TEST

START_TEST(other_files_are_not_ours)
{
    cw_file_write(cli_test.directory, "users.db", "this is no database at all, only some text",
                  0600);
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   users database: ", "not a SQLite database");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* What was written last is in the log beside the file, which stays as it is. */
START_TEST(a_database_in_use)
{
    char path[300];
    sqlite3 *other = NULL;
    cli_run("user", "list");
    snprintf(path, sizeof path, "%s/users.db", cli_test.directory);
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
    int files = count_files();
    cli_run("doctor");
    expect_status(1);
    expect_line("FAILED   users database: ", "999");
    ck_assert_int_eq(count_files(), files);
    sqlite3_close(other);
}
END_TEST

START_TEST(postgresql)
{
    char url[POSTGRES_URL_SIZE], item[POSTGRES_URL_SIZE + 16];
    postgres_server_url(postgres, POSTGRES_DATABASE, url);
    snprintf(item, sizeof item, "DATABASE_URL=%s", url);
    const char *const variables[] = {item, "JWT_SECRET=" STRONG, NULL};
    cli_run_with(NULL, variables, ARGUMENTS("doctor"));
    expect_status(0);
    expect_line("unknown  users database: ", "is empty");
    cli_run_with(NULL, variables, ARGUMENTS("user", "list"));
    ck_assert_int_eq(cli_test.result.status, 0);
    cli_run_with(NULL, variables, ARGUMENTS("doctor"));
    expect_status(0);
    expect_line("ok       users database: ", "postgresql answers, schema version");
    postgres_server_do(postgres, POSTGRES_DATABASE,
                       "INSERT INTO cachewarden_schema VALUES (999, 0)");
    cli_run_with(NULL, variables, ARGUMENTS("doctor"));
    expect_status(1);
    expect_line("FAILED   users database: ", "999");
    postgres_server_tcp_url(1, POSTGRES_DATABASE, url);
    snprintf(item, sizeof item, "DATABASE_URL=%s", url);
    cli_run_with(NULL, variables, ARGUMENTS("doctor"));
    expect_status(1);
    expect_line("FAILED   users database: ", "refused");
    expect_line("ok       redis: ", "answers");
    ck_assert_ptr_null(strstr(cli_test.result.out, POSTGRES_PASSWORD));
}
END_TEST

START_TEST(as_json)
{
    cli_run("doctor", "--json");
    expect_status(1);
    json_t *root = json_loads(cli_test.result.out, 0, NULL), *item;
    size_t i, failed = 0;
    ck_assert(json_is_false(json_object_get(root, "ok")));
    json_array_foreach(json_object_get(root, "checks"), i, item)
    {
        ck_assert(json_is_string(json_object_get(item, "check")));
        ck_assert(json_is_string(json_object_get(item, "text")));
        failed += strcmp(json_string_value(json_object_get(item, "result")), "failed") == 0;
    }
    ck_assert_uint_eq(failed, 2); /* Redis, and the named cache in it */
    json_decref(root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor");
    TCase *with = tcase_create("with a Redis"), *without = tcase_create("without");
    postgres = postgres_server_start(NULL);
    tcase_add_checked_fixture(with, cli_open_redis, cli_close);
    tcase_add_test(with, all_is_well);
    tcase_add_test(with, whose_control_data_it_is);
    tcase_add_test(with, an_issuer_without_keys);
    tcase_add_test(with, it_makes_nothing);
    tcase_add_test(with, redis_stands_still);
    tcase_add_test(with, it_evicts);
    tcase_add_test(with, it_is_full);
    tcase_add_test(with, no_room_for_entries);
    tcase_add_test(with, it_refuses_writes);
    tcase_add_test(with, it_is_a_replica);
    tcase_add_test(with, it_keeps_nothing);
    tcase_add_test(with, each_right_is_missed);
    tcase_add_test(with, a_key_out_of_reach);
    tcase_add_test(with, modes_and_weak_secrets);
    tcase_add_test(with, modes_of_the_configuration);
    tcase_add_test(with, a_broken_configuration);
    tcase_add_test(with, other_files_are_not_ours);
    tcase_add_test(with, a_database_in_use);
    tcase_add_test(with, postgresql);
    tcase_add_checked_fixture(without, cli_open, cli_close);
    tcase_add_test(without, the_page_allows_what_the_table_has);
    tcase_add_test(without, redis_is_down);
    tcase_add_test(without, a_wrong_clock_and_a_strange_redis);
    tcase_add_test(without, as_json);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    int status = suite_run(suite);
    postgres_server_stop(&postgres);
    return status;
}
