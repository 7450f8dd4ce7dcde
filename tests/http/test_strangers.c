/* Users of somebody else who have the number of an account here: Django's customer beside our operator,
 * with the same secret. */
#include "cw_server.h"
#include "expect.h"
#include "http_client.h"
#include "mint.h"
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS "/api/cache/status/"
#define ADMIN  "/api/v1/audit"
#define JSON   "Content-Type: application/json"

static struct stand stand;
static char customer[MINT_SIZE]; /* root's number */

static void open_with(const char *config)
{
    stand_open(&stand, &(struct stand_options){.config = config});
    stand_stranger(customer, stand.root.id);
}

static void close_stand(void)
{
    stand_close(&stand);
}

static const struct http_reply *send_json(const char *path, const char *credential,
                                          const char *body)
{
    const char *headers[] = {JSON, credential, NULL};

    return http_send(stand.http, "POST", path, headers, body, strlen(body));
}

static void expect_customer(void)
{
    char me[200];

    expect_status(http_get(stand.http, STATUS, customer), 200);
    expect_status(http_get(stand.http, ADMIN, customer), 403);
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", customer), 403);
    snprintf(me, sizeof me,
             "{\"id\":%lld,\"username\":\"\",\"email\":\"\",\"is_superuser\":false,\"groups\":[]}",
             (long long)stand.root.id);
    expect_answer(http_get(stand.http, "/auth/me", customer), 200, me);
}

START_TEST(no_rights_and_no_name)
{
    open_with(NULL);
    expect_customer();
    expect_status(http_get(stand.http, ADMIN, stand.root.bearer), 200);
    expect_status(http_post(stand.http, "/api/cache/clear/", customer), 200);
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    char name[64];
    snprintf(name, sizeof name, "\"principal\":\"%lld (elsewhere)\"", (long long)stand.root.id);
    while (!strstr(http_get(stand.http, ADMIN, stand.root.bearer)->body, name))
        ck_assert_msg(stand_now_ms() < give_up, "the audit does not name the customer");
}
END_TEST

static void log_in_root(char *line, size_t size)
{
    const struct http_reply *reply = send_json(
        "/auth/login", NULL, "{\"username\":\"root\",\"password\":\"" STAND_PASSWORD "\"}");
    expect_status(reply, 200);
    const char *token = strstr(reply->body, "\"access_token\":\"") + strlen("\"access_token\":\"");
    snprintf(line, size, "Authorization: Bearer %.*s", (int)strcspn(token, "\""), token);
}

/* What the operator's account goes through is nothing to the customer, and the other way round. */
START_TEST(no_state)
{
    char operator[MINT_SIZE];
    open_with(NULL);
    log_in_root(operator, sizeof operator);
    expect_answer(send_json("/auth/password", customer,
                            "{\"old_password\":\"" STAND_PASSWORD
                            "\",\"new_password\":\"another-horse-battery\"}"),
                  403, "{\"detail\":\"The password of this account is not kept here.\"}");
    expect_answer(http_post(stand.http, "/auth/logout?all=true", customer), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":1}");
    expect_answer(http_get(stand.http, STATUS, customer), 401, SAYS_401);
    expect_status(http_get(stand.http, ADMIN, operator), 200);
    log_in_root(operator, sizeof operator);

    /* A later token of theirs is good again, and the operator's end is not theirs. */
    mint_bearer(customer, STAND_SECRET,
                "{\"token_type\":\"access\",\"exp\":4102444800,\"iat\":%lld,\"jti\":\"next\","
                "\"user_id\":%lld}",
                (long long)time(NULL) + 2, (long long)stand.root.id);
    expect_customer();
    expect_status(http_post(stand.http, "/auth/logout?all=true", operator), 200);
    expect_answer(http_get(stand.http, STATUS, operator), 401, SAYS_401);
    expect_customer();
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "root", NULL});
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    while (http_get(stand.http, STATUS, stand.root.bearer)->status != 401)
        ck_assert_msg(stand_now_ms() < give_up, "active still");
    expect_customer();
}
END_TEST

START_TEST(two_who_share_a_number)
{
    char key[STAND_KEY_SIZE];
    open_with(NULL);
    stand_key(&stand, key, "roots",
              (const char *const[]){"--scope", "user", "--user", "root", NULL});
    const char *root[] = {stand.root.bearer, key, NULL}, *other[] = {customer, key, NULL};
    expect_status(http_send(stand.http, "GET", STATUS, root, NULL, 0), 200);
    expect_answer(http_send(stand.http, "GET", STATUS, other, NULL, 0), 400,
                  "{\"detail\":\"Conflicting credentials.\"}");
}
END_TEST

START_TEST(numbers_that_are_ours)
{
    open_with("auth: { shared: { accounts = \"local\"; }; };\n");
    expect_status(http_get(stand.http, ADMIN, customer), 200);
    expect_body_has(http_get(stand.http, "/auth/me", customer), 200, "\"username\":\"root\"");
}
END_TEST

static void expect_doctor(bool warns)
{
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"doctor", "--json", NULL}, &result);
    const char *numbers = strstr(result.out, "{\"check\":\"numbers\",\"result\":\"warning\"");
    ck_assert_msg((numbers != NULL) == warns, "%s", result.out);
    cw_result_fini(&result);
}

/* Two who share a number share a cache: somebody has to hear of it. */
START_TEST(the_doctor_tells)
{
    char other[MINT_SIZE];
    open_with(NULL);
    expect_status(http_get(stand.http, STATUS, stand.root.bearer), 200);
    expect_status(http_get(stand.http, STATUS, stand_stranger(other, 4711)), 200);
    expect_doctor(false);
    expect_status(http_get(stand.http, STATUS, customer), 200);
    expect_doctor(true);
}
END_TEST

START_TEST(numbers_kept_apart)
{
    struct stand_account later;
    open_with("users: { first_id = 1000000; };\n");
    stand_account(&stand, &later, "later", NULL);
    ck_assert_int_ge(later.id, 1000000);
    expect_status(http_get(stand.http, STATUS, later.bearer), 200);
}
END_TEST

static const struct http_reply *ask(const char *path, const char *claims)
{
    char line[MINT_SIZE];

    mint_bearer(line, STAND_SECRET, "{\"exp\":4102444800,\"jti\":\"a\",%s}", claims);
    return http_get(stand.http, path, line);
}

START_TEST(rights_that_are_claimed)
{
    open_with(
        "auth: { shared: { superuser_claim = \"is_superuser\"; groups_claim = \"groups\"; }; };\n");
    expect_status(ask(ADMIN, "\"user_id\":7,\"is_superuser\":true"), 200);
    expect_body_has(ask("/auth/me", "\"user_id\":7,\"is_superuser\":true"), 200,
                    "\"is_superuser\":true,\"groups\":[]}");
    expect_status(ask(ADMIN, "\"user_id\":7,\"groups\":[\"a\",\"Admin\"]"), 200);
    expect_body_has(ask("/auth/me", "\"user_id\":7,\"groups\":[\"a\",\"Admin\"]"), 200,
                    "\"is_superuser\":false,\"groups\":[\"a\",\"Admin\"]}");
    expect_status(ask(ADMIN, "\"user_id\":7,\"groups\":[\"a\"]"), 403);
    expect_status(http_get(stand.http, ADMIN, customer), 403);
    /* Who is named has the rights of the account. */
    expect_status(ask(ADMIN, "\"sub\":\"alice\",\"is_superuser\":true"), 403);
    expect_status(ask(ADMIN, "\"sub\":\"root\""), 200);
    expect_body_has(ask("/auth/me", "\"sub\":\"boss\""), 200, "\"groups\":[\"Admin\"]");
}
END_TEST

/* Three who count from one: two issuers, and who mints tokens with our secret. */
static const char *const whose[] = {"\"iss\":\"shop\",", "\"iss\":\"blog\",", ""};
enum { COUNTERS = 3 };

static void open_counters(const char *directory)
{
    char config[1024];
    cw_file_write(directory, "key", STAND_SECRET "\n", 0600);
    snprintf(
        config, sizeof config,
        "auth: { issuers = ( { issuer = \"shop\"; algorithms = [ \"HS256\" ]; accounts = "
        "\"none\"; secret_file = \"%s/key\"; user_claim = \"user_id\"; }, { issuer = \"blog\"; "
        "algorithms = [ \"HS256\" ]; accounts = \"none\"; secret_file = \"%s/key\"; "
        "user_claim = \"user_id\"; } ); };\n",
        directory, directory);
    open_with(config);
}

static const char *mint_of(char *line, int counter, const char *jti)
{
    return mint_bearer(line, STAND_SECRET,
                       "{\"token_type\":\"access\",\"exp\":4102444800,\"iat\":%lld,%s"
                       "\"jti\":\"%s\",\"user_id\":5}",
                       (long long)time(NULL) - 100, whose[counter], jti);
}

static void expect_good_but(int ended, const char *jti)
{
    char line[MINT_SIZE];
    for (int i = 0; i < COUNTERS; i++)
        expect_status(http_get(stand.http, STATUS, mint_of(line, i, jti)), i == ended ? 401 : 200);
}

START_TEST(a_number_of_each_issuer)
{
    char line[MINT_SIZE];
    char *directory = cw_directory_new();
    open_counters(directory);
    expect_good_but(-1, "a");
    expect_answer(http_post(stand.http, "/auth/logout", mint_of(line, _i, "a")), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":1}");
    expect_good_but(_i, "a");
    expect_good_but(-1, "b");
    expect_status(http_post(stand.http, "/auth/logout?all=true", mint_of(line, _i, "b")), 200);
    expect_good_but(_i, "b");
    expect_good_but(_i, "c");
    cw_directory_remove(&directory);
}
END_TEST

#define UUID "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

/* Users without numbers: Django names itself, signs with the same secret, and numbers are given here. */
START_TEST(users_with_uuids)
{
    char line[MINT_SIZE], config[512], path[128];
    char *directory = cw_directory_new();
    cw_file_write(directory, "django", STAND_SECRET "\n", 0600);
    snprintf(config, sizeof config,
             "auth: { issuers = ( { issuer = \"shop\"; algorithms = [ \"HS256\" ]; "
             "secret_file = \"%s/django\"; user_claim = \"user_id\"; } ); };\n",
             directory);
    open_with(config);
    expect_status(
        http_get(stand.http, "/api/v1/subjects?issuer=shop&subject=" UUID, stand.root.bearer), 404);
    mint_bearer(line, STAND_SECRET,
                "{\"token_type\":\"access\",\"exp\":4102444800,\"iat\":%lld,\"jti\":\"a\","
                "\"iss\":\"shop\",\"user_id\":\"" UUID "\"}",
                (long long)time(NULL));
    const struct http_reply *reply = http_get(stand.http, "/api/cache/check/", line);
    expect_status(reply, 204);
    long long id = strtoll(http_header(reply, "X-User-Id"), NULL, 10);
    ck_assert_int_gt(id, stand.boss.id);
    char found[64];
    snprintf(found, sizeof found, "{\"user_id\":%lld}", id);
    expect_answer(
        http_get(stand.http, "/api/v1/subjects?issuer=shop&subject=" UUID, stand.root.bearer), 200,
        found);
    snprintf(path, sizeof path, "/api/server-management/clear-cache/?user_id=%lld", id);
    expect_status(http_post(stand.http, path, stand.root.bearer), 200);
    expect_answer(http_get(stand.http, STATUS, line), 200,
                  "{\"enabled\":true,\"version\":2,\"message\":\"Cache is enabled\"}");
    cw_directory_remove(&directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("strangers");
    TCase *tcase = tcase_create("strangers");

    tcase_add_checked_fixture(tcase, NULL, close_stand);
    tcase_add_test(tcase, no_rights_and_no_name);
    tcase_add_test(tcase, no_state);
    tcase_add_test(tcase, two_who_share_a_number);
    tcase_add_test(tcase, numbers_that_are_ours);
    tcase_add_test(tcase, the_doctor_tells);
    tcase_add_test(tcase, numbers_kept_apart);
    tcase_add_test(tcase, rights_that_are_claimed);
    tcase_add_loop_test(tcase, a_number_of_each_issuer, 0, COUNTERS);
    tcase_add_test(tcase, users_with_uuids);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
