/* `key`: API keys, whose secret is shown once. */
#include "cli_case.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

static json_t *answer;

static void close_all(void)
{
    json_decref(answer);
    answer = NULL;
    cli_close();
}

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

static const char *last_line(char *text)
{
    text[strlen(text) - 1] = '\0';
    return strrchr(text, '\n') + 1;
}

START_TEST(the_secret_is_alone_on_the_last_line)
{
    cli_run("key", "create", "deploy", "--scope", "flush");
    cli_expect_out("API key deploy (id ");
    cli_expect_out("scopes: flush. It is shown only now:\n");
    const char *secret = last_line(cli_test.result.out);
    ck_assert_int_eq(strncmp(secret, "cwk_", 4), 0);
    ck_assert_uint_gt(strlen(secret), 40);
    ck_assert_uint_eq(
        strspn(secret, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"),
        strlen(secret));
}
END_TEST

START_TEST(everything_about_it_as_json)
{
    cli_run_input("violet-lantern-42\n", "user", "add", "alice", "--email", "a@example.com",
                  "--password-file", "-");
    cli_run("key", "create", "app", "--scope", "entries", "--scope", "user", "--namespace", "shop",
            "--user", "alice", "--expires-days", "30", "--json");
    const char *secret = last_line(cli_test.result.out);
    ck_assert_int_eq(strncmp(secret, "cwk_", 4), 0);
    /* What is before it is one document, and the secret is not shown twice. */
    ck_assert_ptr_eq(strstr(cli_test.result.out, secret), secret);
    cli_test.result.out[secret - cli_test.result.out] = '\0';
    parse();
    char *text = json_dumps(json_object_get(answer, "scopes"), JSON_COMPACT);
    ck_assert_str_eq(text, "[\"entries\",\"user\"]");
    free(text);
    ck_assert_str_eq(json_string_value(json_object_get(answer, "name")), "app");
    ck_assert_str_eq(json_string_value(json_object_get(answer, "namespace")), "shop");
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "user_id")), 1);
    ck_assert(json_is_string(json_object_get(answer, "expires_at")));
}
END_TEST

/* As it was named for the key, and as the routes name it. */
START_TEST(a_namespace_in_both_spellings)
{
    static const char *const bad[] = {"app:", "user:", "user:7"};
    cli_run("key", "create", "a", "--scope", "entries", "--namespace", "shop");
    cli_run("key", "create", "b", "--scope", "entries", "--namespace", "app:shop");
    cli_run("key", "list", "--json");
    ck_assert_uint_eq(json_array_size(parse()), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(answer, i), "namespace")),
                         "shop");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cli_run("key", "create", "c", "--scope", "entries", "--namespace", bad[i]);
        cli_expect_err(64, "--namespace is app:NAME, not \"");
    }
    cli_run("key", "create", "c", "--scope", "entries", "--namespace", "app:a b");
    cli_expect_err(1, "namespace");
    cli_run("key", "list", "--json");
    ck_assert_uint_eq(json_array_size(parse()), 2);
    /* With none, nothing that it asks of entries would be allowed. An admin names one. */
    cli_run("key", "create", "e", "--scope", "entries", "--scope", "flush");
    cli_expect_out("API key e");
    ck_assert_ptr_nonnull(strstr(cli_test.result.err, "with --namespace app:NAME"));
    cli_run("key", "create", "d", "--scope", "entries", "--scope", "admin");
    cli_expect_out("API key d");
    ck_assert_ptr_null(strstr(cli_test.result.err, "warning"));
}
END_TEST

START_TEST(a_key_without_scope_is_warned_of)
{
    cli_run("key", "create", "idle");
    cli_expect_out("scopes: none.");
    ck_assert_str_eq(
        cli_test.result.err,
        "warning: the key has no scope and may do nothing; give it one with --scope\n");
}
END_TEST

START_TEST(listing_shows_no_secret)
{
    cli_run("key", "create", "deploy", "--scope", "flush", "--json");
    char *secret = strdup(last_line(cli_test.result.out));
    const char *tail = strrchr(secret, '_') + 1;
    cli_run("key", "list");
    cli_expect_out("ID             NAME");
    cli_expect_out(" deploy ");
    cli_expect_out("good\n");
    ck_assert_ptr_null(strstr(cli_test.result.out, tail));
    cli_run("key", "list", "--json");
    ck_assert_uint_eq(json_array_size(parse()), 1);
    ck_assert_ptr_null(strstr(cli_test.result.out, tail));
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(answer, 0), "state")),
                     "good");
    free(secret);
}
END_TEST

START_TEST(revoking)
{
    cli_run("key", "create", "deploy", "--scope", "flush");
    cli_run("key", "revoke", "deploy");
    cli_expect(0, "API key deploy revoked\n", "");
    cli_run("key", "list");
    cli_expect_out("revoked\n");
    cli_run("key", "revoke", "deploy", "--json");
    cli_expect(0, "{\"revoked\":true}\n", "");
    cli_run("key", "revoke", "nosuch");
    cli_expect(1, "",
               "cachewarden: there is no API key \"nosuch\"; `cachewarden key list` has all\n");
}
END_TEST

START_TEST(what_will_not_do)
{
    cli_run("key", "create", "deploy", "--scope", "flush");
    cli_run("key", "create", "deploy", "--scope", "flush");
    cli_expect_err(1, "take another name");
    ck_assert_str_eq(cli_test.result.out, "");
    cli_run("key", "revoke", "deploy");
    cli_run("key", "create", "deploy", "--scope", "flush");
    cli_expect(
        1, "",
        "cachewarden: there is or was an API key \"deploy\"; take another name, a revoked key "
        "keeps its own\n");
    cli_run("key", "create", "other", "--scope", "user", "--user", "nobody");
    cli_expect(1, "", "cachewarden: there is no user \"nobody\"\n");
}
END_TEST

START_TEST(a_secret_nobody_saw_is_told)
{
    char path[300], database[300];
    int status;
    snprintf(path, sizeof path, "%s/complaint", cli_test.directory);
    snprintf(database, sizeof database, "DATABASE_URL=sqlite:%s/users.db", cli_test.directory);
    pid_t pid = fork();
    if (pid == 0) {
        putenv(database);
        putenv(cli_test.redis_item);
        dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
        dup2(open(path, O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
        execl(CW_BINARY, CW_BINARY, "key", "create", "lost", (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    char *complaint = cw_file_read(path);
    ck_assert_ptr_nonnull(strstr(complaint, "revoke the key: cachewarden key revoke lost\n"));
    free(complaint);
}
END_TEST

START_TEST(keys_are_audited)
{
    cli_run("key", "create", "deploy", "--scope", "flush");
    cli_run("key", "revoke", "deploy");
    cli_run("key", "list");
    ck_assert_int_eq(redis_server_ask_integer(cli_test.redis, "XLEN cw:audit:changes"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, cli_open_redis, close_all);
    tcase_add_test(all, the_secret_is_alone_on_the_last_line);
    tcase_add_test(all, everything_about_it_as_json);
    tcase_add_test(all, a_namespace_in_both_spellings);
    tcase_add_test(all, a_key_without_scope_is_warned_of);
    tcase_add_test(all, listing_shows_no_secret);
    tcase_add_test(all, revoking);
    tcase_add_test(all, what_will_not_do);
    tcase_add_test(all, a_secret_nobody_saw_is_told);
    tcase_add_test(all, keys_are_audited);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
