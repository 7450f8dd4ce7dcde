/*
 * Which files are read, and that one which is there and cannot be read is an error: of the default file,
 * of conf.d, of includes and secrets; for the server and for commands that work straight on Redis.
 */
#include "config_case.h"

#include <sys/stat.h>
#include <unistd.h>

static char fallback[400], folder[300];

static void open_folder(void)
{
    case_open();
    ck_assert_int_eq(chmod(one.directory, 0755), 0);
    snprintf(folder, sizeof folder, "%s/etc", one.directory);
    snprintf(fallback, sizeof fallback, "%s/test.conf", folder);
    ck_assert_int_eq(mkdir(folder, 0755), 0);
}

static void close_folder(void)
{
    if (geteuid() != getuid())
        ck_assert_int_eq(seteuid(getuid()), 0);
    chmod(folder, 0755);
    case_close();
}

/* A file below the folder of the default file, made with the folder it is in. */
static void put(const char *name, const char *text, mode_t mode)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0755);
    cw_file_write(path, slash + 1, text, mode);
}

static void change(const char *name, mode_t mode)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* Loads what the default file and conf.d say, as nobody in particular. */
static enum err load(bool direct, const char *const *environment)
{
    const struct config_input input = {
        .default_file = fallback, .environment = environment, .direct = direct};
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(CW_NOBODY), 0);
    enum err err = case_load_input(&input);
    ck_assert_int_eq(seteuid(getuid()), 0);
    return err;
}

static void load_well(void)
{
    enum err err = load(false, NULL);
    ck_assert_msg(err == ERR_OK, "%s\n%s", err_name(err), case_problems());
}

/* Both refuse, with these words and no others; "%s" is the folder. */
static void expect_unreadable(const char *format)
{
    char wanted[2048];
    snprintf(wanted, sizeof wanted, format, folder, folder);
    for (int direct = 0; direct <= 1; direct++) {
        ck_assert_msg(load(direct, NULL) == ERR_BAD_INPUT, "goes on without:\n%s", wanted);
        ck_assert_str_eq(case_problems(), wanted);
    }
}

#define LET_IN "; run this as root or as the account of the service, or let this account read it\n"

/* ---- the default file ---- */

START_TEST(without_a_file_the_defaults_hold)
{
    load_well();
    ck_assert_str_eq(one.config->environment, "development");
    ck_assert_ptr_null(one.config->file);
    ck_assert_int_eq(rmdir(folder), 0);
    load_well();
    put("test.conf", "environment = \"production\";", 0644);
    load_well();
    ck_assert_str_eq(one.config->environment, "production");
    ck_assert_str_eq(one.config->file, fallback);
    ck_assert_str_eq(case_problems(), "");
}
END_TEST

START_TEST(a_file_that_may_not_be_read)
{
    put("test.conf", "environment = \"production\";", 0);
    expect_unreadable("error: %s/test.conf: cannot be read: Permission denied" LET_IN);
}
END_TEST

/* Whether there is a file in it nobody can tell. */
START_TEST(a_folder_that_may_not_be_entered)
{
    ck_assert_int_eq(chmod(folder, 0), 0);
    expect_unreadable("error: %s/test.conf: cannot be read: Permission denied" LET_IN);
}
END_TEST

START_TEST(something_else_in_its_place)
{
    ck_assert_int_eq(mkdir(fallback, 0755), 0);
    expect_unreadable(
        "error: %s/test.conf: cannot be read: Is a directory; put a file in its place\n");
    ck_assert_int_eq(rmdir(fallback), 0);
    ck_assert_int_eq(symlink("nowhere", fallback), 0);
    expect_unreadable("error: %s/test.conf: cannot be read: No such file or directory; it is a "
                      "link to nothing, correct or remove it\n");
    ck_assert_int_eq(unlink(fallback), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(symlink("nowhere", folder), 0);
    expect_unreadable("error: %s/test.conf: cannot be read: No such file or directory\n");
    ck_assert_int_eq(unlink(folder), 0);
    cw_file_write(one.directory, "etc", "", 0644);
    expect_unreadable(
        "error: %s/test.conf: cannot be read: Not a directory; put a folder in its place\n");
}
END_TEST

/* ---- conf.d ---- */

START_TEST(later_files_have_the_word)
{
    put("test.conf", "server: { threads = 2; drain_s = 2; };\nenvironment = \"a\";", 0644);
    put("conf.d/10-b.conf", "server: { threads = 3; };\nenvironment = \"b\";", 0644);
    put("conf.d/9-last.conf", "server: { threads = 4; };", 0644); /* '9' > '1' */
    put("conf.d/notes.txt", "no settings", 0);
    put("conf.d/10-b.conf.dpkg-old", "no settings", 0644);
    put("conf.d/.#10-b.conf", "no settings", 0644);
    load_well();
    ck_assert_int_eq(one.config->server_threads, 4);
    ck_assert_int_eq(one.config->server_drain_s, 2);
    ck_assert_str_eq(one.config->environment, "b");
    ck_assert_str_eq(case_problems(), "");
    ck_assert_uint_eq(one.config->files.count, 3);
    ck_assert_ptr_nonnull(
        strstr(one.config->sources[SETTING_server_threads].place, "conf.d/9-last.conf"));
    /* The environment beats them all. */
    ck_assert_int_eq(load(false, ENVIRONMENT("CACHEWARDEN_SERVER_THREADS=5")), ERR_OK);
    ck_assert_int_eq(one.config->server_threads, 5);
}
END_TEST

START_TEST(lists_are_replaced_as_a_whole)
{
    put("test.conf",
        "server: { listen = [ \"127.0.0.1:1\", \"127.0.0.1:2\" ]; };\n"
        "caches = ( { name = \"a\"; keys = [ \"a\" ]; }, { name = \"b\"; keys = [ \"b\" ]; } );",
        0644);
    put("conf.d/a.conf",
        "server: { listen = [ \"127.0.0.1:3\" ]; };\n"
        "caches = ( { name = \"c\"; keys = [ \"c\" ]; } );",
        0644);
    load_well();
    ck_assert_uint_eq(one.config->listen_count, 1);
    ck_assert_int_eq(one.config->listen[0].port, 3);
    ck_assert_uint_eq(one.config->caches.count, 1);
    ck_assert_str_eq(((const struct config_cache *)one.config->caches.items)->name, "c");
}
END_TEST

START_TEST(conf_d_is_enough)
{
    put("conf.d/a.conf", "environment = \"production\";", 0644);
    load_well();
    ck_assert_str_eq(one.config->environment, "production");
    ck_assert_ptr_null(one.config->file);
}
END_TEST

START_TEST(it_lies_beside_the_file_that_is_named)
{
    const struct config_input input = {.file = fallback};
    put("test.conf", "server: { threads = 2; };", 0644);
    put("conf.d/a.conf", "@include \"more.inc\"", 0644);
    put("conf.d/more.inc", "server: { drain_s = 7; };", 0644);
    ck_assert_int_eq(case_load_input(&input), ERR_OK);
    ck_assert_int_eq(one.config->server_threads, 2);
    ck_assert_int_eq(one.config->server_drain_s, 7);
}
END_TEST

START_TEST(problems_name_their_file_and_line)
{
    put("test.conf", "server: { threads = 2; };", 0644);
    put("conf.d/a.conf", "\nserver: { threads = 0; };", 0644);
    put("conf.d/b.conf", "log: {", 0644);
    put("conf.d/c.conf", "\n\nlog: { leve = 1; };", 0644);
    ck_assert_int_eq(load(false, NULL), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), "/etc/conf.d/a.conf:2: server.threads must be"));
    ck_assert_ptr_nonnull(strstr(case_problems(), "/etc/conf.d/b.conf:1: syntax error"));
    ck_assert_ptr_nonnull(
        strstr(case_problems(), "/etc/conf.d/c.conf:3: there is no setting log.leve; did you"));
    ck_assert_uint_eq(one.report.errors, 3);
}
END_TEST

/* One source: the URL beats the parts, wherever they stand, and a disagreement is told. */
START_TEST(a_url_beats_its_parts_in_all_files)
{
    char address[256];
    put("test.conf", "redis: { url = \"redis://f:1/5\"; };", 0644);
    put("conf.d/a.conf", "redis: { host = \"g\"; port = 1; };", 0644);
    load_well();
    redis_address_describe(&one.config->redis, address, sizeof address);
    ck_assert_str_eq(address, "f:1/5");
    ck_assert_ptr_nonnull(strstr(case_problems(), "conf.d/a.conf:1: redis.host is not used"));
    ck_assert_int_eq(load(false, ENVIRONMENT("REDIS_HOST=h")), ERR_OK);
    redis_address_describe(&one.config->redis, address, sizeof address);
    ck_assert_str_eq(address, "h:1/5");
}
END_TEST

START_TEST(secrets_in_files_that_everybody_may_read_are_told)
{
    put("test.conf", "@include \"secret.inc\"", 0644);
    put("secret.inc", "redis: { password = \"p\"; };", 0644);
    put("conf.d/a.conf", "auth: { secret = \"0123456789012345678901234567890123456789\"; };", 0644);
    load_well();
    ck_assert_ptr_nonnull(strstr(case_problems(), "/secret.inc:1: redis.password stands in a file "
                                                  "that everybody may read: chmod 640 it"));
    ck_assert_ptr_nonnull(strstr(case_problems(), "/conf.d/a.conf:1: auth.secret stands in"));
    ck_assert_uint_eq(one.report.warnings, 2);
}
END_TEST

START_TEST(secrets_in_lists_are_told)
{
    put("test.conf", "caches = (\n{ name = \"c\"; database = \"redis://:p@h/1\"; } );", 0644);
    load_well();
    ck_assert_ptr_nonnull(strstr(case_problems(), "test.conf:2: caches[0].database stands in a "
                                                  "file that everybody may read: chmod 640 it\n"));
}
END_TEST

/* They are groups of the main file, too. */
START_TEST(conf_d_adds_to_groups)
{
    put("test.conf", "server: { threads = 4; drain_s = 7; };", 0644);
    put("conf.d/a.conf", "server: { threads = 5; };", 0644);
    put("conf.d/b.conf", "server: { lame_duck_s = 6; };", 0644);
    load_well();
    ck_assert_int_eq(one.config->server_threads, 5);
    ck_assert_int_eq(one.config->server_drain_s, 7);
    ck_assert_int_eq(one.config->server_lame_duck_s, 6);
}
END_TEST

START_TEST(a_name_that_stands_twice_may_be_in_an_included_file)
{
    put("test.conf", "server: { threads = 4;\n@include \"more.inc\"\n};", 0644);
    put("more.inc", "\nthreads = 5;", 0644);
    ck_assert_int_eq(load(false, NULL), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), "/more.inc:2: server.threads stands twice, here "
                                                  "and on line 1 of "));
    put("more.inc", "\xef\xbb\xbf drain_s = 5;", 0644);
    ck_assert_int_eq(load(false, NULL), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(
        strstr(case_problems(), "/more.inc:1: the file begins with a byte order mark"));
}
END_TEST

START_TEST(a_file_of_conf_d_that_may_not_be_read)
{
    put("test.conf", "environment = \"production\";", 0644);
    put("conf.d/a.conf", "environment = \"staging\";", 0);
    put("conf.d/b.conf", "", 0644);
    expect_unreadable("error: %s/conf.d/a.conf: cannot be read: Permission denied" LET_IN);
    put("conf.d/a.conf", "", 0644);
    change("conf.d", 0311);
    expect_unreadable("error: %s/conf.d: cannot be read: Permission denied" LET_IN);
    change("conf.d", 0744);
    expect_unreadable("error: %s/conf.d/a.conf: cannot be read: Permission denied" LET_IN
                      "error: %s/conf.d/b.conf: cannot be read: Permission denied" LET_IN);
    change("conf.d", 0755);
}
END_TEST

START_TEST(something_else_in_conf_d_or_in_its_place)
{
    char path[400];
    put("conf.d/b.conf", "", 0644);
    snprintf(path, sizeof path, "%s/conf.d/a.conf", folder);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    expect_unreadable(
        "error: %s/conf.d/a.conf: cannot be read: Is a directory; put a file in its place\n");
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    expect_unreadable("error: %s/conf.d/a.conf: cannot be read: No such file or directory; it is a "
                      "link to nothing, correct or remove it\n");
    ck_assert_int_eq(unlink(path), 0);
    snprintf(path, sizeof path, "%s/conf.d/b.conf", folder);
    ck_assert_int_eq(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(rmdir(path), 0);
    cw_file_write(folder, "conf.d", "", 0644);
    expect_unreadable(
        "error: %s/conf.d: cannot be read: Not a directory; put a folder in its place\n");
}
END_TEST

/* ---- includes ---- */

START_TEST(an_include_that_cannot_be_read)
{
    char path[400];
    put("test.conf", "environment = \"production\";\n  @include \"more.inc\"\n", 0644);
    expect_unreadable("error: %s/test.conf:2: includes %s/more.inc, which cannot be read: No such "
                      "file or directory\n");
    put("more.inc", "", 0);
    expect_unreadable("error: %s/test.conf:2: includes %s/more.inc, which cannot be read: "
                      "Permission denied" LET_IN);
    snprintf(path, sizeof path, "%s/more.inc", folder);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0); /* libconfig would end the process */
    expect_unreadable("error: %s/test.conf:2: includes %s/more.inc, which cannot be read: Is a "
                      "directory; put a file in its place\n");
    ck_assert_int_eq(rmdir(path), 0);
    put("more.inc", "\n@include \"third.inc\"", 0644);
    expect_unreadable("error: %s/more.inc:2: includes %s/third.inc, which cannot be read: No such "
                      "file or directory\n");
}
END_TEST

START_TEST(an_include_that_goes_round_has_an_end)
{
    put("test.conf", "@include \"more.inc\"", 0644);
    put("more.inc", "@include \"more.inc\"", 0644);
    ck_assert_int_eq(load(false, NULL), ERR_BAD_INPUT);
    ck_assert_uint_eq(one.report.errors, 1);
}
END_TEST

/* What only looks like one. */
START_TEST(no_includes)
{
    put("test.conf",
        "# @include \"a\"\n/* @include \"b\" */\nenvironment = \"c\"; // @include \"d\"\n", 0644);
    load_well();
    put("test.conf", "auth: { issuer = \"@include \\\"a\\\"\"; };", 0644);
    load_well();
    ck_assert_str_eq(one.config->auth_issuer, "@include \"a\"");
}
END_TEST

/* ---- secrets ---- */

START_TEST(a_secret_that_may_not_be_read)
{
    char text[600], wanted[600];
    put("password", "p", 0);
    snprintf(text, sizeof text, "redis: { password_file = \"%s/password\"; };", folder);
    put("test.conf", text, 0644);
    snprintf(wanted, sizeof wanted,
             "error: %%s/test.conf:1: redis.password cannot be read from %%s/password: Permission "
             "denied" LET_IN);
    expect_unreadable(wanted);
    put("test.conf", "", 0644);
    snprintf(text, sizeof text, "REDIS_URL_FILE=%s/password", folder);
    ck_assert_int_eq(load(true, ENVIRONMENT(text)), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(case_problems(), "REDIS_URL_FILE: redis.url cannot be read from"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_files");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, open_folder, close_folder);
    tcase_add_test(all, without_a_file_the_defaults_hold);
    tcase_add_test(all, a_file_that_may_not_be_read);
    tcase_add_test(all, a_folder_that_may_not_be_entered);
    tcase_add_test(all, something_else_in_its_place);
    tcase_add_test(all, later_files_have_the_word);
    tcase_add_test(all, lists_are_replaced_as_a_whole);
    tcase_add_test(all, conf_d_is_enough);
    tcase_add_test(all, it_lies_beside_the_file_that_is_named);
    tcase_add_test(all, problems_name_their_file_and_line);
    tcase_add_test(all, a_url_beats_its_parts_in_all_files);
    tcase_add_test(all, secrets_in_files_that_everybody_may_read_are_told);
    tcase_add_test(all, secrets_in_lists_are_told);
    tcase_add_test(all, conf_d_adds_to_groups);
    tcase_add_test(all, a_name_that_stands_twice_may_be_in_an_included_file);
    tcase_add_test(all, a_file_of_conf_d_that_may_not_be_read);
    tcase_add_test(all, something_else_in_conf_d_or_in_its_place);
    tcase_add_test(all, an_include_that_cannot_be_read);
    tcase_add_test(all, an_include_that_goes_round_has_an_end);
    tcase_add_test(all, no_includes);
    tcase_add_test(all, a_secret_that_may_not_be_read);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
