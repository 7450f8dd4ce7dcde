/* The secret made at the first start: private, whole, kept, and the same for all who start at once. */
#include "config_case.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char database[300], path[310];
static struct error error;

static void open_folder(void)
{
    case_open();
    snprintf(database, sizeof database, "%s/users.db", one.directory);
    snprintf(path, sizeof path, "%s.secret", database);
}

static char *take(enum err wanted)
{
    char *secret;
    error_clear(&error);
    ck_assert_int_eq(config_secret_open(database, &secret, &one.report, &error), wanted);
    ck_assert(!secret == (wanted != ERR_OK));
    return secret;
}

START_TEST(it_is_made_once)
{
    struct stat info;
    umask(0);
    char *first = take(ERR_OK), *second = take(ERR_OK);
    ck_assert_uint_eq(strlen(first), 64);
    ck_assert_str_eq(first, second);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    ck_assert_uint_eq(info.st_nlink, 1);
    free(first);
    free(second);
    unlink(path);
    char *third = take(ERR_OK);
    ck_assert_uint_eq(strlen(third), 64);
    free(third);
}
END_TEST

/* Everybody writes what it got; all lines must be the same. */
START_TEST(all_who_start_at_once_agree)
{
    enum { STARTERS = 16 };
    int gate[2], answers[2];
    char lines[STARTERS * 64];
    ck_assert_int_eq(pipe(gate), 0);
    ck_assert_int_eq(pipe(answers), 0);
    for (int i = 0; i < STARTERS; i++)
        if (fork() == 0) {
            char c, *secret;
            close(gate[1]);
            (void)!read(gate[0], &c, 1); /* until the gate is closed */
            if (config_secret_open(database, &secret, &one.report, &error) == ERR_OK)
                (void)!write(answers[1], secret, 64);
            _exit(0);
        }
    close(gate[1]);
    for (int i = 0; i < STARTERS; i++)
        wait(NULL);
    close(answers[1]);
    size_t size = 0;
    ssize_t got;
    while ((got = read(answers[0], lines + size, sizeof lines - size)) > 0)
        size += (size_t)got;
    ck_assert_uint_eq(size, sizeof lines);
    for (int i = 1; i < STARTERS; i++)
        ck_assert_mem_eq(lines, lines + (size_t)i * 64, 64);
}
END_TEST

START_TEST(a_short_one_is_refused_with_the_fix)
{
    cw_file_write(one.directory, "users.db.secret", "canary\n", 0600);
    take(ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "users.db.secret"));
    ck_assert_ptr_nonnull(strstr(error.caller, "remove it"));
    ck_assert_ptr_null(strstr(error.caller, "canary"));
}
END_TEST

START_TEST(an_empty_one_is_refused)
{
    cw_file_write(one.directory, "users.db.secret", "", 0600);
    take(ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "it is empty"));
}
END_TEST

START_TEST(one_that_everybody_may_read_is_warned_of)
{
    cw_file_write(one.directory, "users.db.secret", "0123456789012345678901234567890123456789\n",
                  0644);
    free(take(ERR_OK));
    ck_assert_uint_eq(one.report.warnings, 1);
    ck_assert_ptr_nonnull(strstr(case_problems(), "everybody may read"));
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_named)
{
    snprintf(database, sizeof database, "%s/nowhere/users.db", one.directory);
    take(ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.caller, "/nowhere/users.db.secret"));
    ck_assert_ptr_nonnull(strstr(error.caller, "No such file"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_secret");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_folder, case_close);
    tcase_add_test(all, it_is_made_once);
    tcase_add_test(all, all_who_start_at_once_agree);
    tcase_add_test(all, a_short_one_is_refused_with_the_fix);
    tcase_add_test(all, an_empty_one_is_refused);
    tcase_add_test(all, one_that_everybody_may_read_is_warned_of);
    tcase_add_test(all, a_folder_that_is_not_there_is_named);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
