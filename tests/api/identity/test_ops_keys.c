/* API keys by HTTP's operations: what they answer, and what they must not give. */
#include "identity_case.h"

#include "cachewarden/audit.h"
#include "suite.h"

#include <string.h>

static int64_t root_id, boss_id, alice_id; /* a superuser, an admin who is none, neither */

static void open_accounts(void)
{
    struct error error = {0};

    open_all();
    root_id = make_account("root");
    boss_id = make_account("boss");
    alice_id = make_account("alice");
    ck_assert_int_eq(users_set_superuser(loopback.app->users, root_id, true, &error), ERR_OK);
}

static struct principal superuser(void)
{
    struct principal principal = loopback_user(root_id);

    principal.is_superuser = principal.is_admin = true;
    return principal;
}

static struct principal boss(void)
{
    struct principal principal = loopback_user(boss_id);

    principal.is_admin = true;
    return principal;
}

static struct loopback_answer *create(struct principal who, const char *body)
{
    return LOOPBACK(&loopback, "keys.create", who, .body = body);
}

static struct loopback_answer *create_for(struct principal who, const char *name, int64_t user_id)
{
    char body[160];

    snprintf(body, sizeof body, "{\"name\":\"%s\",\"scopes\":[\"user\"],\"user_id\":%lld}", name,
             (long long)user_id);
    return create(who, body);
}

static struct loopback_answer *revoke(struct principal who, const char *id)
{
    return LOOPBACK(&loopback, "keys.revoke", who, .name = id);
}

/* The error, ERR_OK when the server takes the key. */
static enum err use(const char *secret, struct principal *principal_out)
{
    static struct arena *arena; /* what is in the principal lies here */
    struct error error = {0};
    const struct credentials credentials = {.api_key = str_from(secret)};

    arena_free(&arena);
    arena = arena_new(4096, 0);
    return identity_authenticate(loopback.app->identity,
                                 (struct work){arena, clock_mono_ns() + 10 * NS_PER_S, &error},
                                 &credentials, clock_wall_s(), principal_out);
}

static size_t count_keys(void)
{
    struct arena *arena = arena_new(4096, 0);
    struct error error = {0};
    struct api_key *keys;
    size_t count;

    ck_assert_int_eq(api_keys_list(loopback.app->users, arena, &keys, &count, &error), ERR_OK);
    arena_free(&arena);
    return count;
}

static void expect_made(struct loopback_answer *answer)
{
    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_CREATED);
    loopback_free(&answer);
}

START_TEST(one_is_made_and_works)
{
    struct loopback_answer *answer =
        create(superuser(), "{\"name\":\"shop\",\"scopes\":[\"metrics\",\"entries\"],"
                            "\"namespace\":\"app:store\",\"expires_days\":30}");
    struct principal principal;
    char location[64];

    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_CREATED);
    ck_assert_ptr_nonnull(strstr(answer->body,
                                 "\"name\":\"shop\",\"scopes\":[\"entries\",\"metrics\"],"
                                 "\"namespace\":\"store\",\"user_id\":null,"));
    ck_assert_ptr_null(strstr(answer->body, "digest"));
    struct str id = json_string(json_get(loopback_json(answer), "id"));
    snprintf(location, sizeof location, "/api/v1/keys/%.*s", STR_ARG(id));
    ck_assert(str_eq(answer->reply.location, str_from(location)));
    char *secret = take_member(answer, "secret");
    ck_assert_int_eq(use(secret, &principal), ERR_OK);
    ck_assert_uint_eq(principal.scopes, SCOPE_ENTRIES | SCOPE_METRICS);
    ck_assert(str_eq(principal.space, STR("store")));
    int64_t lasts_s = principal.expires_at_s - clock_wall_s();
    ck_assert_int_gt(lasts_s, 29 * 86400);
    ck_assert_int_le(lasts_s, 30 * 86400);
    free(secret);
}
END_TEST

START_TEST(bodies_that_are_refused)
{
#define DAYS "expires_days: Must be a whole number from 1 to 36500."
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{}", "name: This field is required."},
        {"{\"name\":\"a\"}", "scopes: This field is required."},
        {"{\"name\":\"a\",\"scopes\":[]}", NULL},
        {"{\"name\":\"a\",\"scopes\":\"flush\"}", NULL},
        {"{\"name\":\"a\",\"scopes\":[\"flush\",7]}",
         "scopes: There is no such scope. They are flush, entries, admin, user and metrics."},
        {"{\"name\":\"a\",\"scopes\":[\"flush\"],\"secret\":\"x\"}",
         "secret: Unknown field. Leave it out."},
        {"{\"name\":\"a b\",\"scopes\":[\"flush\"]}", NULL},
        {"{\"name\":\"a\",\"scopes\":[\"flush\"],\"expires_days\":0}", DAYS},
        {"{\"name\":\"a\",\"scopes\":[\"flush\"],\"expires_days\":36501}", DAYS},
        {"{\"name\":\"a\",\"scopes\":[\"flush\"],\"expires_days\":1.5}", DAYS},
        {"{\"name\":\"a\",\"scopes\":[\"flush\"],\"expires_days\":null}", DAYS},
        {"{\"name\":\"a\",\"scopes\":[\"entries\"]}",
         "namespace: A key with the scope entries works in a namespace. Say which."},
        {"{\"name\":\"a\",\"scopes\":[\"entries\"],\"namespace\":\"user:7\"}", NULL},
        {"{\"name\":\"a\",\"scopes\":[\"entries\"],\"namespace\":\"app:\"}", NULL},
        {"{\"name\":\"a\",\"scopes\":[\"entries\"],\"namespace\":\"a b\"}", NULL},
        {"{\"name\":\"a\",\"scopes\":[\"user\"]}",
         "user_id: A key with the scope user acts as an account. Say which."},
        {"{\"name\":\"a\",\"scopes\":[\"user\"],\"user_id\":\"1\"}",
         "user_id: Must be the id of an account."},
        {"{\"name\":\"a\",\"scopes\":[\"user\"],\"user_id\":987654321}",
         "user_id: There is no active account of this id."},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        loopback_expect_error(create(superuser(), rows[i].body), ERR_BAD_INPUT, rows[i].says);
    ck_assert_uint_eq(count_keys(), 0);
}
END_TEST

START_TEST(a_name_is_taken_for_ever)
{
    static const char body[] = "{\"name\":\"deploy\",\"scopes\":[\"flush\"]}";
    struct loopback_answer *answer = create(superuser(), body);
    char *id = take_member(answer, "id");

    for (int i = 0; i < 2; i++) {
        loopback_expect_error(create(superuser(), body), ERR_CONFLICT,
                              "There is or was an API key of this name. Take another one.");
        answer = revoke(superuser(), id);
        ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
        loopback_free(&answer);
    }
    free(id);
}
END_TEST

/* On the node that answers not even the second that keys are remembered for. */
START_TEST(revoked_at_once)
{
    struct loopback_answer *answer =
        create(superuser(), "{\"name\":\"deploy\",\"scopes\":[\"flush\"]}");
    struct str read = json_string(json_get(loopback_json(answer), "id"));
    char *id = strndup(read.ptr, read.len), *secret = take_member(answer, "secret");
    struct principal principal;

    ck_assert_int_eq(use(secret, &principal), ERR_OK);
    for (int i = 0; i < 2; i++) {
        answer = revoke(boss(), id);
        ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
        ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
        loopback_free(&answer);
        ck_assert_int_eq(use(secret, &principal), ERR_UNAUTHENTICATED);
    }
    loopback_expect_error(revoke(superuser(), "000000000000"), ERR_NOT_FOUND,
                          "There is no such API key.");
    loopback_expect_error(revoke(superuser(), "deploy"), ERR_NOT_FOUND,
                          "There is no such API key.");
    answer = LOOPBACK(&loopback, "keys.list", superuser(), );
    ck_assert_ptr_nonnull(strstr(answer->body, "\"state\":\"revoked\""));
    loopback_free(&answer);
    free(id);
    free(secret);
}
END_TEST

START_TEST(told_in_the_audit)
{
    struct loopback_answer *answer =
        create(superuser(), "{\"name\":\"deploy\",\"scopes\":[\"flush\"]}");
    struct str read = json_string(json_get(loopback_json(answer), "id"));
    char *id = strndup(read.ptr, read.len), *secret = take_member(answer, "secret");

    answer = revoke(boss(), id);
    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    loopback_free(&answer);
    ck_assert_int_eq(audit_drain(loopback.app, clock_mono_ns() + 20 * NS_PER_S), ERR_OK);
    answer = LOOPBACK(&loopback, "audit.list", superuser(), .query = "part=changes&limit=2");
    const struct json *records = json_get(loopback_json(answer), "records");
    static const char *const actions[] = {"keys.revoke", "keys.create"}; /* the newest first */
    ck_assert_uint_eq(json_count(records), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct json *record = json_at(records, i);
        ck_assert(str_eq(json_string(json_get(record, "route")), str_from(actions[i])));
        ck_assert(str_eq(json_string(json_get(record, "target")), STR("key:deploy")));
        ck_assert(str_eq(json_string(json_get(record, "result")), STR("ok")));
    }
    ck_assert_ptr_null(strstr(answer->body, strrchr(secret, '_') + 1));
    loopback_free(&answer);
    free(id);
    free(secret);
}
END_TEST

/* All of them, each once, and no secret. */
START_TEST(a_list_by_pages)
{
    char body[80], query[80] = "limit=2", *secrets[5];
    size_t seen = 0, pages = 0;

    for (int i = 0; i < 5; i++) {
        snprintf(body, sizeof body, "{\"name\":\"key-%d\",\"scopes\":[\"flush\"]}", i);
        secrets[i] = take_member(create(superuser(), body), "secret");
    }
    for (bool more = true; more; pages++) {
        struct loopback_answer *answer =
            LOOPBACK(&loopback, "keys.list", superuser(), .query = query);
        const struct json *root = loopback_json(answer), *list = json_get(root, "keys");
        struct str next = json_string(json_get(root, "next"));
        for (int i = 0; i < 5; i++)
            ck_assert_ptr_null(strstr(answer->body, strrchr(secrets[i], '_') + 1));
        ck_assert_ptr_null(strstr(answer->body, "digest"));
        ck_assert_ptr_null(strstr(answer->body, "secret"));
        seen += json_count(list);
        ck_assert_uint_lt(pages, 5);
        more = next.len > 0;
        ck_assert_int_eq(json_kind(json_get(root, "next")), more ? JSON_STRING : JSON_NULL);
        if (more) {
            const struct json *last = json_at(list, json_count(list) - 1);
            ck_assert(str_eq(json_string(json_get(last, "id")), next));
        }
        snprintf(query, sizeof query, "limit=2&after=%.*s", STR_ARG(next));
        loopback_free(&answer);
    }
    ck_assert_uint_eq(seen, 5);
    ck_assert_uint_eq(pages, 3);
    for (int i = 0; i < 5; i++)
        free(secrets[i]);
}
END_TEST

/* An admin who is no superuser, or a key, would act as one by the back door else. */
START_TEST(nobody_acts_as_a_superuser_by_a_key)
{
    const struct principal others[] = {boss(), loopback_key(SCOPE_ADMIN, 0)};
    struct principal stranger = boss();

    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "first" : "second";
        loopback_expect_error(create_for(others[i], name, root_id), ERR_FORBIDDEN,
                              "user_id: Only a superuser makes a key of a superuser's account.");
        expect_made(create_for(others[i], name, alice_id));
    }
    expect_made(create_for(superuser(), "mine", root_id));
    expect_made(create_for(boss(), "bosses", boss_id));
    /* A number of somebody elsewhere is no account here. */
    stranger.user_id = root_id;
    expect_made(create_for(stranger, "own", root_id));
    stranger.is_stranger = true;
    loopback_expect_error(create_for(stranger, "foreign", root_id), ERR_FORBIDDEN, NULL);
}
END_TEST

START_TEST(no_key_makes_one_that_outlives_it)
{
    static const char for_ever[] = "{\"name\":\"a\",\"scopes\":[\"admin\"]}",
                      two_days[] = "{\"name\":\"b\",\"scopes\":[\"admin\"],\"expires_days\":2}",
                      a_day[] = "{\"name\":\"c\",\"scopes\":[\"admin\"],\"expires_days\":1}",
                      says[] =
                          "expires_days: A key makes none that is good for longer than itself.";
    struct principal key = loopback_key(SCOPE_ADMIN, 0), user = boss();

    key.expires_at_s = clock_wall_s() + 86400 + 3600;
    loopback_expect_error(create(key, for_ever), ERR_FORBIDDEN, says);
    loopback_expect_error(create(key, two_days), ERR_FORBIDDEN, says);
    expect_made(create(key, a_day));
    key.expires_at_s = 0;
    expect_made(create(key, two_days));
    /* That a token ends soon says nothing of its user. */
    user.expires_at_s = clock_wall_s() + 900;
    expect_made(create(user, for_ever));
}
END_TEST

START_TEST(for_admins)
{
    static const char *const routes[] = {"keys.list", "keys.create", "keys.revoke"};

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *name = i == 2 ? "000000000000" : NULL;
        loopback_expect_error(LOOPBACK(&loopback, routes[i], loopback_user(alice_id), .name = name),
                              ERR_FORBIDDEN, NULL);
        loopback_expect_error(LOOPBACK(&loopback, routes[i], loopback_nobody(), .name = name),
                              ERR_UNAUTHENTICATED, NULL);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("API keys");
    TCase *tcase = tcase_create("API keys");

    tcase_add_checked_fixture(tcase, open_accounts, close_all);
    tcase_add_test(tcase, one_is_made_and_works);
    tcase_add_test(tcase, bodies_that_are_refused);
    tcase_add_test(tcase, a_name_is_taken_for_ever);
    tcase_add_test(tcase, revoked_at_once);
    tcase_add_test(tcase, told_in_the_audit);
    tcase_add_test(tcase, a_list_by_pages);
    tcase_add_test(tcase, nobody_acts_as_a_superuser_by_a_key);
    tcase_add_test(tcase, no_key_makes_one_that_outlives_it);
    tcase_add_test(tcase, for_admins);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
