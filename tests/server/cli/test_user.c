/* `user`: accounts from the cradle to the grave. */
#include "cli_case.h"

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD "violet-lantern-42\n"

static json_t *answer;

static void close_all(void)
{
    json_decref(answer);
    answer = NULL;
    cli_close();
}

/* The JSON of the last command, which must have succeeded. */
static json_t *parse(void)
{
    json_error_t error;
    json_decref(answer);
    ck_assert_msg(cli_test.result.status == 0, "exit %d: %s", cli_test.result.status,
                  cli_test.result.err);
    answer = json_loads(cli_test.result.out, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    ck_assert_msg(answer != NULL, "%s: %s", error.text, cli_test.result.out);
    return answer;
}

static const char *text_of(const char *name)
{
    return json_string_value(json_object_get(answer, name));
}

static bool is_true(const char *name)
{
    ck_assert(json_is_boolean(json_object_get(answer, name)));
    return json_is_true(json_object_get(answer, name));
}

static void add(const char *name)
{
    char email[64];
    snprintf(email, sizeof email, "%s@example.com", name);
    cli_run_input(PASSWORD, "user", "add", name, "--email", email, "--password-file", "-",
                  "--json");
    parse();
}

START_TEST(adding)
{
    cli_run_input(PASSWORD, "user", "add", "alice", "--email", "alice@example.com",
                  "--password-file", "-");
    cli_expect_out("id:         1\nusername:   alice\nemail:      alice@example.com\nsuperuser:  "
                   "no\nactive:     yes\n");
    cli_expect_out("groups:     -\n");
    ck_assert_str_eq(cli_test.result.err, "");
    cli_run_input(PASSWORD, "user", "add", "root", "--email", "root@example.com", "--superuser",
                  "--group", "Ops", "--group", "Admin", "--password-file", "-", "--json");
    parse();
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "id")), 2);
    ck_assert_str_eq(text_of("username"), "root");
    ck_assert_str_eq(text_of("email"), "root@example.com");
    ck_assert(is_true("is_superuser") && is_true("is_active"));
    char *groups = json_dumps(json_object_get(answer, "groups"), JSON_COMPACT);
    ck_assert_str_eq(groups, "[\"Admin\",\"Ops\"]");
    free(groups);
}
END_TEST

START_TEST(the_password_may_be_in_a_file)
{
    cw_file_write(cli_test.directory, "password", PASSWORD, 0600);
    cli_run("user", "add", "alice", "--email", "a@example.com", "--password-file", "password",
            "--json");
    parse();
    cli_run("user", "add", "bob", "--email", "b@example.com", "--password-file", "nowhere");
    cli_expect(1, "",
               "cachewarden: cannot read the password from nowhere: No such file or directory\n");
}
END_TEST

START_TEST(passwords_that_will_not_do)
{
    static const char *const cases[][2] = {
        {"", "the password in standard input is empty"},
        {"\n", "is empty"},
        {"two\nlines-canary\n", "must be one line of text"},
        {"canary\n", "assword"},   /* too short */
        {"password\n", "assword"}, /* too common */
        {"alice@example.com\n", "assword"},
        {"\xef\xbb\xbfviolet-canary-42\n",
         "the password in standard input begins with a byte order mark; save it as UTF-8 without "
         "one"},
        {"violet-canary-42 \n", "the password in standard input ends in a blank; take it out"},
        {"violet-canary-42\r", "ends in a carriage return"},
    };
    cli_run_input(cases[_i][0], "user", "add", "alice", "--email", "alice@example.com",
                  "--password-file", "-");
    cli_expect_err(1, cases[_i][1]);
    ck_assert_ptr_null(strstr(cli_test.result.err, "canary"));
    cli_run("user", "list", "--json");
    cli_expect(0, "[]\n", "");
}
END_TEST

START_TEST(names_that_will_not_do)
{
    static const char *const cases[][2] = {
        {"a b", "a@example.com"}, {"", "a@example.com"}, {"alice", "nonsense"}};
    cli_run_input(PASSWORD, "user", "add", cases[_i][0], "--email", cases[_i][1], "--password-file",
                  "-");
    cli_expect_err(1, "cachewarden: ");
    ck_assert_str_eq(cli_test.result.out, "");
}
END_TEST

START_TEST(nobody_is_added_twice)
{
    add("alice");
    cli_run_input(PASSWORD, "user", "add", "ALICE", "--email", "other@example.com",
                  "--password-file", "-");
    cli_expect(1, "", "cachewarden: A user with that username already exists.\n");
    cli_run_input(PASSWORD, "user", "add", "other", "--email", "Alice@example.com",
                  "--password-file", "-");
    cli_expect(1, "", "cachewarden: A user with that email already exists.\n");
}
END_TEST

START_TEST(listing_and_showing)
{
    add("alice");
    add("bob");
    cli_run("user", "list");
    cli_expect_out(
        "ID      USERNAME                EMAIL                           SUPERUSER  ACTIVE  "
        "GROUPS\n"
        "1       alice                   alice@example.com               no         yes     -\n"
        "2       bob                     bob@example.com                 no         yes     -\n");
    cli_run("user", "list", "--json");
    ck_assert_uint_eq(json_array_size(parse()), 2);
    cli_run("user", "show", "bob", "--json");
    parse();
    ck_assert_str_eq(text_of("username"), "bob");
    ck_assert_ptr_null(strstr(cli_test.result.out, "argon2"));
    cli_run("user", "show", "carol");
    cli_expect(1, "", "cachewarden: there is no user \"carol\"; `cachewarden user list` has all\n");
}
END_TEST

START_TEST(rights_come_and_go)
{
    add("alice");
    cli_run("user", "grant", "alice", "--superuser", "--group", "Admin", "--group", "Ops",
            "--json");
    parse();
    ck_assert(is_true("is_superuser"));
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "groups")), 2);
    cli_run("user", "revoke", "alice", "--group", "Admin", "--json");
    parse();
    ck_assert(is_true("is_superuser"));
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "groups")), 1);
    cli_run("user", "revoke", "alice", "--superuser", "--json");
    parse();
    ck_assert(!is_true("is_superuser"));
    cli_run("user", "grant", "nobody", "--superuser");
    cli_expect_err(1, "there is no user \"nobody\"");
}
END_TEST

START_TEST(rights_are_given_wholly_or_not_at_all)
{
    add("alice");
    cli_run("user", "grant", "alice", "--superuser", "--group", "Ops", "--group", "a,b");
    cli_expect_err(1, "cachewarden: ");
    ck_assert_str_eq(cli_test.result.out, "");
    cli_run("user", "show", "alice", "--json");
    parse();
    ck_assert(!is_true("is_superuser"));
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "groups")), 0);
    cli_run("user", "grant", "alice", "--superuser");
    cli_run("user", "revoke", "alice", "--superuser", "--group", "a,b");
    cli_expect_err(1, "cachewarden: ");
    cli_run("user", "show", "alice", "--json");
    parse();
    ck_assert(is_true("is_superuser"));
    /* Told before a password is asked for: there is no terminal here to ask. */
    cli_run("user", "add", "bob", "--email", "bob@example.com", "--group", "a,b");
    cli_expect_err(1, "cachewarden: ");
    ck_assert_ptr_null(strstr(cli_test.result.err, "terminal"));
}
END_TEST

static void run_sql(const char *sql)
{
    char path[300];
    sqlite3 *raw;
    snprintf(path, sizeof path, "%s/users.db", cli_test.directory);
    ck_assert_int_eq(sqlite3_open(path, &raw), SQLITE_OK);
    char *why = NULL;
    ck_assert_msg(sqlite3_exec(raw, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
    sqlite3_close(raw);
}

/* Whatever becomes of the look at it: here the account is gone for good a moment later. */
START_TEST(what_was_changed_is_not_a_failure)
{
    static const char warning[] =
        "warning: the change was made, but the account cannot be shown: not_found\n";
    add("alice");
    run_sql("CREATE TRIGGER vanish AFTER UPDATE OF is_superuser ON accounts"
            " BEGIN DELETE FROM accounts WHERE id = NEW.id; END");
    cli_run("user", "grant", "alice", "--superuser");
    cli_expect(0, "id:         1\nusername:   alice\n", warning);
    add("bob");
    cli_run("user", "grant", "bob", "--superuser", "--json");
    cli_expect(0, "{\"id\":2,\"username\":\"bob\"}\n", warning);
}
END_TEST

START_TEST(shutting_out_and_letting_in)
{
    add("alice");
    cli_run("user", "deactivate", "alice", "--json");
    parse();
    ck_assert(!is_true("is_active"));
    cli_run("user", "activate", "alice", "--json");
    parse();
    ck_assert(is_true("is_active"));
}
END_TEST

START_TEST(deleting_is_for_ever)
{
    add("alice");
    cli_run("user", "delete", "alice");
    cli_expect(0, "user alice (id 1) deleted\n", "");
    cli_run("user", "delete", "alice");
    cli_expect_err(1, "there is no user \"alice\"");
    cli_run("user", "list", "--json");
    cli_expect(0, "[]\n", "");
    /* The name comes free, the id does not. */
    add("alice");
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "id")), 2);
    cli_run("user", "delete", "alice", "--json");
    cli_expect(0, "{\"id\":2,\"deleted\":true}\n", "");
}
END_TEST

#define NO_ADMIN                                                                       \
    "warning: no account may do what admins may any more; make one with: cachewarden " \
    "user grant NAME --superuser\n"

START_TEST(taking_the_last_admin_s_rights_is_warned_of)
{
    add("alice");
    add("bob");
    cli_run("user", "grant", "alice", "--superuser");
    cli_run("user", "grant", "bob", "--group", "Admin");
    cli_run("user", "deactivate", "alice");
    ck_assert_str_eq(cli_test.result.err, "");
    cli_run("user", "delete", "bob");
    cli_expect(0, "user bob (id 2) deleted\n", NO_ADMIN);
    cli_run("user", "activate", "alice");
    cli_run("user", "revoke", "alice", "--group", "Admin");
    ck_assert_str_eq(cli_test.result.err, "");
    cli_run("user", "revoke", "alice", "--superuser");
    ck_assert_str_eq(cli_test.result.err, NO_ADMIN);
}
END_TEST

START_TEST(a_new_password)
{
    add("alice");
    cli_run_input("another-lantern-43\n", "user", "password", "alice", "--password-file", "-",
                  "--json");
    parse();
    ck_assert_str_eq(text_of("username"), "alice");
    cli_run_input("short\n", "user", "password", "alice", "--password-file", "-");
    cli_expect_err(1, "assword");
    cli_run_input("another-lantern-43\n", "user", "password", "nobody", "--password-file", "-");
    cli_expect_err(1, "there is no user \"nobody\"");
}
END_TEST

/* Every change is in the audit: who, what, to whom, how it went. */
START_TEST(changes_are_audited)
{
    static const char *const routes[] = {"user.add", "user.grant", "user.deactivate",
                                         "user.delete"};
    add("alice");
    cli_run("user", "grant", "alice", "--superuser");
    cli_run("user", "deactivate", "alice");
    cli_run("user", "delete", "alice");
    cli_run("user", "list");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "XLEN cw:audit:changes"), 4);
    for (size_t i = 0; i < 4; i++) {
        char script[] =
            "local s = 0 for _, e in ipairs(redis.call('XRANGE', 'cw:audit:changes', '-', '+')) do "
            "if string.find(e[2][2], '\\t' .. ARGV[1] .. '\\t', 1, true) then s = s + 1 end end "
            "return s";
        redisReply *reply = redis_server_ask(cli_test.redis, "EVAL %s 0 %s", script, routes[i]);
        ck_assert_msg(reply->type == REDIS_REPLY_INTEGER && reply->integer == 1, "%s", routes[i]);
        freeReplyObject(reply);
    }
}
END_TEST

/* Accounts do not need Redis; the audit record goes to the log then. */
START_TEST(without_redis_the_audit_is_logged)
{
    cli_run_input(PASSWORD, "user", "add", "alice", "--email", "a@example.com", "--password-file",
                  "-");
    ck_assert_int_eq(cli_test.result.status, 0);
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "event=audit.unsaved"));
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "route=user.add"));
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "credential=operator"));
}
END_TEST

/* Root types a command before the service was ever started: what it makes is the service's, whose
 * folder it is. Anybody else can only make their own. */
START_TEST(what_root_makes_is_the_services)
{
    static const char *const made[] = {"new", "new/users.db", "new/users.db.secret"};
    const uid_t service = geteuid() == 0 ? 65534 : geteuid();
    char url[320], path[320];
    struct stat status;
    if (geteuid() == 0)
        ck_assert_int_eq(chown(cli_test.directory, service, service), 0);
    snprintf(url, sizeof url, "DATABASE_URL=sqlite:%s/new/users.db", cli_test.directory);
    cli_run_with(NULL, VARIABLES(url), ARGUMENTS("user", "list"));
    ck_assert_msg(cli_test.result.status == 0, "%s", cli_test.result.err);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(path, sizeof path, "%s/%s", cli_test.directory, made[i]);
        ck_assert_int_eq(stat(path, &status), 0);
        ck_assert_msg(status.st_uid == service, "%s belongs to %u", path, status.st_uid);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user");
    TCase *with = tcase_create("with a Redis"), *without = tcase_create("without");
    tcase_add_checked_fixture(with, cli_open_redis, close_all);
    tcase_add_test(with, adding);
    tcase_add_test(with, the_password_may_be_in_a_file);
    tcase_add_loop_test(with, passwords_that_will_not_do, 0, 9);
    tcase_add_loop_test(with, names_that_will_not_do, 0, 3);
    tcase_add_test(with, nobody_is_added_twice);
    tcase_add_test(with, listing_and_showing);
    tcase_add_test(with, rights_come_and_go);
    tcase_add_test(with, rights_are_given_wholly_or_not_at_all);
    tcase_add_test(with, what_was_changed_is_not_a_failure);
    tcase_add_test(with, shutting_out_and_letting_in);
    tcase_add_test(with, deleting_is_for_ever);
    tcase_add_test(with, taking_the_last_admin_s_rights_is_warned_of);
    tcase_add_test(with, a_new_password);
    tcase_add_test(with, changes_are_audited);
    tcase_add_checked_fixture(without, cli_open, close_all);
    tcase_add_test(without, what_root_makes_is_the_services);
    tcase_add_test(without, without_redis_the_audit_is_logged);
    suite_add_tcase(suite, with);
    suite_add_tcase(suite, without);
    return suite_run(suite);
}
