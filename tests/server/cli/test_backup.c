/* `backup` from the shell, without a server. */
#include "cli_case.h"

#include <dirent.h>
#include <jansson.h>
#include <unistd.h>

/* A member of the newest backup that `backup list` has; the caller frees it. */
static char *newest(const char *member)
{
    ck_assert_int_eq(cli_run("backup", "list", "--json"), 0);
    json_t *root = json_loads(cli_test.result.out, 0, NULL);
    const json_t *first = json_array_get(json_object_get(root, "backups"), 0);
    const char *value = json_string_value(json_object_get(first, member));
    char *copy = value ? strdup(value) : NULL;
    json_decref(root);
    ck_assert_msg(copy != NULL, "%s: %s", member, cli_test.result.out);
    return copy;
}

static const char *path_of(const char *id)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/backups/%s.tar.zst", cli_test.directory, id);
    return path;
}

START_TEST(one_is_made_listed_checked_and_removed)
{
    ck_assert_int_eq(cli_run_input("correct-horse-battery\n", "user", "add", "ann", "--email",
                                   "ann@example.com", "--password-file", "-"),
                     0);
    cli_run("backup", "create");
    cli_expect_out("API keys, ");
    cli_expect_out(" is made: ");
    /* Lines, because this is no terminal; what is to be read by programs is alone on the other stream. */
    ck_assert_msg(strstr(cli_test.result.err, "accounts: 1\ngroups: 0\n") != NULL, "%s",
                  cli_test.result.err);
    ck_assert_msg(strstr(cli_test.result.err, "control: ") != NULL, "%s", cli_test.result.err);
    char *id = newest("id");
    cli_run("backup", "list");
    cli_expect_out("ID  ");
    cli_expect_out(id);
    cli_run("backup", "verify", id);
    cli_expect_out(" is whole: ");
    cli_run("backup", "cleanup");
    cli_expect(0, "", "");
    cli_run("backup", "cleanup", "--json");
    cli_expect(0, "{\"removed\":[],\"not_whole\":[]}\n", "");

    ck_assert_int_eq(truncate(path_of(id), 200), 0);
    cli_run("backup", "verify", id);
    cli_expect(1, "", "cachewarden: The archive is damaged: it does not end as a backup does.\n");
    cli_run("backup", "list", "--json");
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "event=backup.not_whole id="));
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "it does not end as a backup does"));
    ck_assert_str_eq(cli_test.result.out, "{\"backups\":[]}\n");
    cli_run("backup", "cleanup");
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, id));
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, " is not whole, and stays: The archive is"));
    cli_run("backup", "delete", id, "--json");
    cli_expect_out("{\"deleted\":\"2");
    cli_run("backup", "delete", id);
    cli_expect(1, "", "cachewarden: There is no such backup.\n");
    cli_run("backup", "verify", "../users.db");
    cli_expect(1, "", "cachewarden: There is no such backup.\n");
    free(id);
}
END_TEST

START_TEST(json_is_alone)
{
    ck_assert_int_eq(cli_run("backup", "create", "--json"), 0);
    ck_assert_str_eq(cli_test.result.err, "");
    json_t *made = json_loads(cli_test.result.out, 0, NULL);
    ck_assert_msg(made && json_object_size(made) == 7, "%s", cli_test.result.out);
    json_decref(made);
}
END_TEST

START_TEST(a_passphrase_encrypts)
{
    cli_run_with(NULL, VARIABLES("BACKUP_PASSPHRASE=correct horse battery"),
                 ARGUMENTS("backup", "create"));
    ck_assert_int_eq(cli_test.result.status, 0);
    /* Who does not know it does not even list it. */
    cli_run("backup", "list", "--json");
    ck_assert_str_eq(cli_test.result.out, "{\"backups\":[]}\n");
    cli_run_with(NULL, VARIABLES("BACKUP_PASSPHRASE=correct horse battery"),
                 ARGUMENTS("backup", "list"));
    cli_expect_out("Z-");
    cli_run_with(NULL, VARIABLES("BACKUP_PASSPHRASE=short"), ARGUMENTS("backup", "list"));
    cli_expect_err(1, "backup.passphrase has 5 bytes and needs at least 16");
}
END_TEST

/* A backup of when format 1 was new goes into an empty installation, with the secret it was made with. */
START_TEST(format_1_is_put_back)
{
    static const char *const secret[] = {"JWT_SECRET=a secret of archives that is long enough",
                                         NULL};

    cli_run_with(
        NULL, secret,
        ARGUMENTS("backup", "restore", CW_SOURCE_DIR "/tests/api/backup/format1.tar.zst", "--yes"));
    ck_assert_msg(cli_test.result.status == 0, "%s%s", cli_test.result.out, cli_test.result.err);
    cli_run_with(NULL, secret, ARGUMENTS("user", "show", "ann"));
    cli_expect_out("groups:     Admin\n");
    cli_run_with(NULL, secret, ARGUMENTS("user", "show", "bob"));
    cli_expect_out("id:         2\n");
    cli_run_with(NULL, secret, ARGUMENTS("user", "list"));
    cli_expect_out("bob");
    ck_assert_ptr_null(strstr(cli_test.result.out, "eve"));
    cli_run_with(NULL, secret, ARGUMENTS("key", "list"));
    cli_expect_out("deploy");
}
END_TEST

START_TEST(without_redis_it_says_so)
{
    cli_run("backup", "create");
    cli_expect_err(1, "redis");
    char folder[512];
    snprintf(folder, sizeof folder, "%s/backups", cli_test.directory);
    /* Whatever was made of the folder, nothing is in it. */
    ck_assert(access(folder, F_OK) != 0 || rmdir(folder) == 0);
}
END_TEST

START_TEST(a_folder_that_takes_nothing_is_named)
{
    cli_run_with(NULL, VARIABLES("BACKUP_DIR=/proc/self/fd"), ARGUMENTS("backup", "create"));
    cli_expect_err(1, "backup.directory: cannot write into /proc/self/fd: ");
}
END_TEST

START_TEST(wrong_words_are_a_usage_error)
{
    cli_run("backup", "verify");
    cli_expect_err(64, "verify");
    cli_run("backup", "make");
    cli_expect_err(64, "there is no command of that name");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/cli/backup");
    TCase *tcase = tcase_create("with redis"), *alone = tcase_create("alone");

    tcase_add_checked_fixture(tcase, cli_open_redis, cli_close);
    tcase_add_test(tcase, one_is_made_listed_checked_and_removed);
    tcase_add_test(tcase, json_is_alone);
    tcase_add_test(tcase, a_passphrase_encrypts);
    tcase_add_test(tcase, format_1_is_put_back);
    tcase_add_test(tcase, a_folder_that_takes_nothing_is_named);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(alone, cli_open, cli_close);
    tcase_add_test(alone, without_redis_it_says_so);
    tcase_add_test(alone, wrong_words_are_a_usage_error);
    suite_add_tcase(suite, alone);
    return suite_run(suite);
}
