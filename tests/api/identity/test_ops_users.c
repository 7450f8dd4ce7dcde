/* Accounts by HTTP's operations: what they answer, and what they must not do. */
#include "identity_case.h"

#include "cachewarden/audit.h"
#include "suite.h"

#include <string.h>

static int64_t root_id, boss_id, alice_id; /* a superuser, a member of Admin, neither */

static int64_t add(const char *name, bool is_superuser, const char *group)
{
    const struct str groups[] = {str_from(group)};
    char email[64];
    struct error error = {0};
    int64_t id;

    snprintf(email, sizeof email, "%s@example.org", name);
    const struct user user = {.username = str_from(name),
                              .email = str_from(email),
                              .password_hash = STR("-"),
                              .is_superuser = is_superuser,
                              .is_active = true,
                              .groups = groups,
                              .group_count = group ? 1 : 0};
    ck_assert_msg(users_add(loopback.app->users, &user, &id, &error) == ERR_OK, "%s", error.caller);
    return id;
}

static void open_accounts(void)
{
    open_all();
    root_id = add("root", true, NULL);
    boss_id = add("boss", false, "Admin");
    alice_id = make_account("alice");
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

static const char *number(int64_t id)
{
    static char texts[8][24];
    static unsigned next;
    char *text = texts[next++ % 8];

    snprintf(text, sizeof texts[0], "%lld", (long long)id);
    return text;
}

static struct loopback_answer *change(struct principal who, int64_t id, const char *body)
{
    return LOOPBACK(&loopback, "users.change", who, .name = number(id), .body = body);
}

static struct user account(struct arena *arena, int64_t id)
{
    struct error error = {0};
    struct user user;

    ck_assert_int_eq(users_find_by_id(loopback.app->users, arena, id, &user, &error), ERR_OK);
    return user;
}

/* Says all of it, and never a hash. Frees the answer. */
static void expect_like(struct loopback_answer *answer, const char *const *parts)
{
    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    for (; *parts; parts++)
        ck_assert_msg(strstr(answer->body, *parts), "%s lacks\n%s", answer->body, *parts);
    ck_assert_ptr_null(strstr(answer->body, "hash"));
    ck_assert_ptr_null(strstr(answer->body, "argon2"));
    loopback_free(&answer);
}

#define EXPECT_LIKE(answer_, ...) expect_like((answer_), (const char *const[]){__VA_ARGS__, NULL})

START_TEST(a_list_by_pages)
{
    struct loopback_answer *answer =
        LOOPBACK(&loopback, "users.list", superuser(), .query = "limit=2");
    const struct json *root = loopback_json(answer), *list = json_get(root, "users");

    ck_assert_uint_eq(json_count(list), 2);
    ck_assert_int_eq(json_integer(json_get(json_at(list, 0), "id")), root_id);
    ck_assert_int_eq(json_integer(json_get(root, "next")), boss_id);
    ck_assert_ptr_null(strstr(answer->body, "argon2"));
    loopback_free(&answer);
    char query[64];
    snprintf(query, sizeof query, "limit=2&after=%lld", (long long)boss_id);
    answer = LOOPBACK(&loopback, "users.list", superuser(), .query = query);
    root = loopback_json(answer);
    ck_assert_uint_eq(json_count(json_get(root, "users")), 1);
    ck_assert_ptr_nonnull(strstr(answer->body, "\"username\":\"alice\""));
    ck_assert_ptr_nonnull(strstr(answer->body, "\"active\":true,\"created_at\":\""));
    ck_assert_ptr_nonnull(strstr(answer->body, "],\"next\":null}"));
    loopback_free(&answer);
}
END_TEST

static void expect_found(const char *query, size_t count)
{
    struct loopback_answer *answer = LOOPBACK(&loopback, "users.list", superuser(), .query = query);
    size_t found = json_count(json_get(loopback_json(answer), "users"));

    ck_assert_msg(found == count, "%s: %zu of %s", query, found, answer->body);
    loopback_free(&answer);
}

/* A group more or less is no account more or less. */
START_TEST(a_search)
{
    static const struct {
        const char *query;
        size_t count;
    } rows[] = {
        {"q=LIC", 1}, /* whatever the case, and in the middle */
        {"q=example.org", 4},
        {"q=al", 1},
        {"q=nobody", 0},
        {"q=%25", 0},
        {"q=a_b", 1}, /* no wildcards */
        {"q=a%25b", 0},
        {"q=axb", 0},
        {"q=%21", 0},
        {"active=true", 4},
        {"active=false", 0},
        {"q=a_b&active=true&limit=1", 1},
        {"q=alice&active=false", 0},
    };
    const struct str groups[] = {STR("a"), STR("b"), STR("c")};
    struct error error = {0};

    add("a_b", false, NULL);
    ck_assert_int_eq(users_set_rights(loopback.app->users, alice_id,
                                      &(struct users_rights){.groups = groups, .group_count = 3},
                                      true, &error),
                     ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_found(rows[i].query, rows[i].count);
    EXPECT_LIKE(change(superuser(), alice_id, "{\"active\":false}"), "\"active\":false");
    expect_found("active=false", 1);
    expect_found("active=true", 3);
}
END_TEST

START_TEST(one_is_made)
{
    struct loopback_answer *answer = LOOPBACK(
        &loopback, "users.create", superuser(),
        .body =
            "{\"username\":\"greta\",\"email\":\"g@example.org\",\"password\":\"" LOOPBACK_PASSWORD
            "\",\"groups\":[\"b\",\"a\",\"b\"]}");
    char location[64];

    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_CREATED);
    snprintf(location, sizeof location, "/api/v1/users/%lld",
             (long long)json_integer(json_get(loopback_json(answer), "id")));
    ck_assert(str_eq(answer->reply.location, str_from(location)));
    ck_assert_ptr_nonnull(strstr(answer->body, "\"groups\":[\"a\",\"b\"],\"active\":true"));
    ck_assert_ptr_nonnull(strstr(answer->body, "\"last_login_at\":null}"));
    const char *name = strrchr(location, '/') + 1;
    EXPECT_LIKE(LOOPBACK(&loopback, "users.show", superuser(), .name = name),
                "\"groups\":[\"a\",\"b\"],\"active\":true");
    loopback_free(&answer);
    EXPECT_LIKE(PUBLIC("auth.login",
                       .body = "{\"username\":\"greta\",\"password\":\"" LOOPBACK_PASSWORD "\"}"),
                "\"username\":\"greta\"");
}
END_TEST

START_TEST(bodies_that_are_refused)
{
#define NEW(more)                                                                                 \
    "{\"username\":\"x\",\"email\":\"x@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"" more \
    "}"
    static const struct {
        const char *route, *body, *why;
    } rows[] = {
        {"users.create", "{}", "username: This field is required."},
        {"users.create", NEW(",\"id\":7"), "id: Unknown field. Leave it out."},
        {"users.create", NEW(",\"active\":false"), "active: Unknown field. Leave it out."},
        {"users.create", NEW(",\"groups\":\"Admin\""),
         "groups: This field must be a list of at most 64 names."},
        {"users.create", NEW(",\"groups\":[7]"),
         "groups: This field must be a list of at most 64 names."},
        {"users.create", NEW(",\"groups\":[\"\"]"), NULL},
        {"users.create", NEW(",\"is_superuser\":1"),
         "is_superuser: This field must be true or false."},
        {"users.change", "{}",
         "The body says nothing to change: give email, password, is_superuser, groups or active."},
        {"users.change", "{\"username\":\"x\"}", "username: Unknown field. Leave it out."},
        {"users.change", "{\"email\":null}", "email: This field must be a string."},
        {"users.change", "{\"email\":\"nowhere\"}", NULL},
        {"users.change", "{\"password\":\"\"}", "password: This field may not be blank."},
        {"users.change", "{\"password\":\"alice\"}", NULL},
        {"users.change", "{\"active\":null}", "active: This field must be true or false."},
        {"users.change", "{\"email\":\"new@example.org\",\"groups\":[\"good\",\"\\n\"]}", NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        loopback_expect_error(LOOPBACK(&loopback, rows[i].route, superuser(), .body = rows[i].body,
                                       .name = rows[i].route[6] == 'c' && rows[i].route[7] == 'h'
                                                   ? number(alice_id)
                                                   : NULL),
                              ERR_BAD_INPUT, rows[i].why);
    EXPECT_LIKE(LOOPBACK(&loopback, "users.show", superuser(), .name = number(alice_id)),
                "\"email\":\"alice@example.org\"", "\"groups\":[]");
}
END_TEST

/* The email is taken: the groups and the rest stay as they were. */
START_TEST(all_or_nothing)
{
    struct arena *arena = arena_new(4096, 0);
    struct user before = account(arena, alice_id);

    loopback_expect_error(
        change(superuser(), alice_id,
               "{\"email\":\"BOSS@example.org\",\"groups\":[\"x\"],\"is_superuser\":true,"
               "\"active\":false,\"password\":\"another-horse-battery\"}"),
        ERR_CONFLICT, "A user with that email already exists.");
    struct user after = account(arena, alice_id);
    ck_assert(after.is_active && !after.is_superuser && after.group_count == 0);
    ck_assert(str_eq(before.password_hash, after.password_hash));
    ck_assert(str_eq(before.incarnation, after.incarnation));
    ck_assert_int_eq(before.tokens_not_before_s, after.tokens_not_before_s);
    arena_free(&arena);
}
END_TEST

START_TEST(a_new_password_ends_sessions)
{
    char *pair = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "access_token");

    loopback_expect(verify(pair), "{}");
    EXPECT_LIKE(change(superuser(), alice_id, "{\"password\":\"another-horse-battery\"}"),
                "\"username\":\"alice\"");
    loopback_expect_error(verify(pair), ERR_UNAUTHENTICATED, NULL);
    loopback_expect_error(PUBLIC("auth.login", .body = GOOD_LOGIN), ERR_UNAUTHENTICATED,
                          BAD_LOGIN_SAYS);
    free(pair);
}
END_TEST

START_TEST(signed_out_by_somebody_else)
{
    char *token = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "access_token");
    struct loopback_answer *answer =
        LOOPBACK(&loopback, "users.logout", boss(), .name = number(alice_id));

    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
    loopback_free(&answer);
    loopback_expect_error(verify(token), ERR_UNAUTHENTICATED, NULL);
    free(token);
    /* Over and over, the next sign-in is still good. */
    enum err err = ERR_OK;
    for (int i = 0; i < 15 && err == ERR_OK; i++) {
        answer = LOOPBACK(&loopback, "users.logout", boss(), .name = number(alice_id));
        err = answer->err;
        loopback_free(&answer);
    }
    ck_assert_int_eq(err, ERR_THROTTLED);
    token = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "access_token");
    loopback_expect(verify(token), "{}");
    free(token);
}
END_TEST

static void expect_forbidden(struct loopback_answer *answer)
{
    loopback_expect_error(answer, ERR_FORBIDDEN, NULL);
}

/* A member of Admin, or a key, would make itself a superuser by the back door else. */
START_TEST(superusers_are_for_superusers)
{
    const struct principal others[] = {boss(), loopback_key(SCOPE_ADMIN, 0)};
    static const char *const bodies[] = {
        "{\"is_superuser\":false}", "{\"password\":\"another-horse-battery\"}",
        "{\"email\":\"mine@example.org\"}", "{\"active\":false}", "{\"groups\":[]}"};
    int64_t second = add("second", true, NULL);

    for (size_t who = 0; who < 2; who++) {
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
            expect_forbidden(change(others[who], second, bodies[i]));
        expect_forbidden(change(others[who], alice_id, "{\"is_superuser\":true}"));
        expect_forbidden(LOOPBACK(&loopback, "users.delete", others[who], .name = number(second)));
        expect_forbidden(LOOPBACK(&loopback, "users.create", others[who],
                                  .body = NEW(",\"is_superuser\":true")));
        /* What they may. */
        EXPECT_LIKE(change(others[who], alice_id, "{\"is_superuser\":false,\"groups\":[\"x\"]}"),
                    "\"groups\":[\"x\"]");
    }
    EXPECT_LIKE(change(superuser(), alice_id, "{\"is_superuser\":true}"), "\"is_superuser\":true");
}
END_TEST

START_TEST(the_last_superuser_stays)
{
    static const char last[] = "This is the last active superuser. Make another one first.";

    loopback_expect_error(change(superuser(), root_id, "{\"is_superuser\":false}"), ERR_CONFLICT,
                          last);
    loopback_expect_error(change(superuser(), root_id, "{\"active\":false}"), ERR_CONFLICT, last);
    loopback_expect_error(LOOPBACK(&loopback, "users.delete", superuser(), .name = number(root_id)),
                          ERR_CONFLICT, last);
    int64_t second = add("second", true, NULL);
    EXPECT_LIKE(change(superuser(), second, "{\"active\":false}"), "\"active\":false");
    /* One that is inactive is none. */
    loopback_expect_error(change(superuser(), root_id, "{\"active\":false}"), ERR_CONFLICT, last);
    EXPECT_LIKE(change(superuser(), second, "{\"active\":true}"), "\"active\":true");
    EXPECT_LIKE(change(superuser(), root_id, "{\"is_superuser\":false}"), "\"is_superuser\":false");
    /* Where there was none, nobody takes one away. */
    EXPECT_LIKE(change(superuser(), alice_id, "{\"active\":false}"), "\"active\":false");
}
END_TEST

START_TEST(deleted_for_ever)
{
    struct loopback_answer *answer =
        LOOPBACK(&loopback, "users.delete", boss(), .name = number(alice_id));

    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
    loopback_free(&answer);
    static const char *const routes[] = {"users.show", "users.delete", "users.logout"};
    for (size_t i = 0; i < 3; i++)
        loopback_expect_error(LOOPBACK(&loopback, routes[i], superuser(), .name = number(alice_id)),
                              ERR_NOT_FOUND, "There is no such account.");
    loopback_expect_error(change(superuser(), alice_id, "{\"active\":true}"), ERR_NOT_FOUND,
                          "There is no such account.");
    loopback_expect_error(change(superuser(), alice_id, "{\"password\":\"another-horse-battery\"}"),
                          ERR_NOT_FOUND, "There is no such account.");
}
END_TEST

START_TEST(for_admins)
{
    static const char *const routes[] = {"users.list",   "users.show",   "users.create",
                                         "users.change", "users.delete", "users.logout"};

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *name = i == 0 || i == 2 ? NULL : number(alice_id);
        expect_forbidden(LOOPBACK(&loopback, routes[i], loopback_user(alice_id), .name = name));
        loopback_expect_error(LOOPBACK(&loopback, routes[i], loopback_nobody(), .name = name),
                              ERR_UNAUTHENTICATED, NULL);
    }
}
END_TEST

/* A change is made, and so is a sign-in's date; ending sessions is said to be impossible, and is not done. */
START_TEST(without_redis)
{
    struct arena *arena = arena_new(4096, 0);

    root_id = add("root", true, NULL);
    alice_id = make_account("alice");
    struct user before = account(arena, alice_id);
    struct loopback_answer *answer =
        LOOPBACK(&loopback, "users.logout", superuser(), .name = number(alice_id));
    ck_assert_msg(answer->err != ERR_OK, "ended sessions without Redis");
    loopback_free(&answer);
    ck_assert_int_eq(account(arena, alice_id).tokens_not_before_s, before.tokens_not_before_s);
    EXPECT_LIKE(change(superuser(), alice_id, "{\"password\":\"another-horse-battery\"}"),
                "\"username\":\"alice\"");
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("users");
    TCase *tcase = tcase_create("users"), *alone = tcase_create("without Redis");

    tcase_add_checked_fixture(tcase, open_accounts, close_all);
    tcase_add_test(tcase, a_list_by_pages);
    tcase_add_test(tcase, a_search);
    tcase_add_test(tcase, one_is_made);
    tcase_add_test(tcase, bodies_that_are_refused);
    tcase_add_test(tcase, all_or_nothing);
    tcase_add_test(tcase, a_new_password_ends_sessions);
    tcase_add_test(tcase, signed_out_by_somebody_else);
    tcase_add_test(tcase, superusers_are_for_superusers);
    tcase_add_test(tcase, the_last_superuser_stays);
    tcase_add_test(tcase, deleted_for_ever);
    tcase_add_test(tcase, for_admins);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(alone, open_without_redis, close_without_redis);
    tcase_add_test(alone, without_redis);
    suite_add_tcase(suite, alone);
    return suite_run(suite);
}
