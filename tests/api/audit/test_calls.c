/* Which part of the audit a call's record goes to, and which calls leave none. */
#include "audit_records.h"

static struct redis_server *redis;
static struct loopback loopback;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_registration_open = true});
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

#define DO(route, who, ...) \
    loopback_free(&(struct loopback_answer *){LOOPBACK(&loopback, route, who, __VA_ARGS__)})

static void expect_records(int changes, int clears)
{
    audit_records_drain(&loopback);
    ck_assert_int_eq(audit_records_in(redis, "changes"), changes);
    ck_assert_int_eq(audit_records_in(redis, "clears"), clears);
}

START_TEST(what_anybody_may_do_is_kept_apart)
{
    const struct principal app = loopback_key(SCOPE_USER | SCOPE_FLUSH, 5);
    DO("cache.clear", app);
    DO("cache.disable", app);
    DO("messages.flush", app);
    DO("caches.flush", app, .name = "messages");
    expect_records(0, 4);
    DO("cache.clear", loopback_user(7));
    DO("cache.clear", loopback_admin());
    expect_records(0, 6);
    DO("cache.admin_clear", loopback_admin(), .query = "user_id=7");
    DO("cache.admin_clear", loopback_admin());
    DO("messages.flush", loopback_admin());
    DO("caches.flush", loopback_admin(), .name = "messages");
    DO("search.clear", loopback_admin());
    expect_records(5, 6);
    loopback.app->policy.flush_for_authenticated = true;
    DO("messages.flush", loopback_user(7));
    expect_records(5, 7);
}
END_TEST

#define REGISTRATION                                           \
    "{\"username\":\"alice\",\"email\":\"alice@example.com\"," \
    "\"password\":\"" LOOPBACK_PASSWORD "\"}"
#define WRONG_OLD "{\"old_password\":\"wrong\",\"new_password\":\"another-lantern-43\"}"

/* Each of these may be had a thousand times a second. */
START_TEST(refusals_leave_nothing)
{
    DO("auth.register", loopback_nobody(), .body = REGISTRATION);
    expect_records(1, 0);
    DO("auth.register", loopback_nobody(), .body = REGISTRATION);
    loopback_expect_error(LOOPBACK(&loopback, "auth.password", loopback_user(1), .body = WRONG_OLD),
                          ERR_BAD_INPUT, "old_password: it is wrong.");
    DO("caches.flush", loopback_key(SCOPE_FLUSH, 0), .name = "nothing");
    DO("caches.flush", loopback_admin(), .name = "nothing");
    DO("auth.password", loopback_user(1),
       .body = "{\"old_password\":\"wrong\",\"new_password\":\"short\"}");
    DO("auth.login", loopback_nobody(), .body = "{\"username\":\"x\"}");
    DO("auth.refresh", loopback_nobody(), .body = "{\"refresh_token\":\"x\"}");
    DO("auth.logout", loopback_user(7), .body = "{\"refresh_token\":\"x\"}");
    DO("auth.logout", loopback_key(SCOPE_USER, 7));
    DO("cache.admin_clear", loopback_user(7));
    expect_records(1, 0);
}
END_TEST

static int sign_ins(void)
{
    audit_records_drain(&loopback);
    return (int)audit_records_in(redis, "sign_ins");
}

#define LOGIN(name, password) "{\"username\":\"" name "\",\"password\":\"" password "\"}"

START_TEST(sign_ins_are_seen)
{
    DO("auth.register", loopback_nobody(), .body = REGISTRATION);
    ck_assert_int_eq(sign_ins(), 0);
    DO("auth.login", loopback_nobody(), .body = LOGIN("alice", LOOPBACK_PASSWORD));
    ck_assert_int_eq(sign_ins(), 1);
    audit_records_expect(redis, "sign_ins", AUDIT_PRINCIPAL, "alice");
    audit_records_expect(redis, "sign_ins", AUDIT_PRINCIPAL_ID, "1");
    audit_records_expect(redis, "sign_ins", AUDIT_ROUTE, "auth.login");
    audit_records_expect(redis, "sign_ins", AUDIT_TARGET, "user:1");
    audit_records_expect(redis, "sign_ins", AUDIT_RESULT, "ok");
    DO("token.obtain", loopback_nobody(), .body = LOGIN("ALICE", "wrong"));
    ck_assert_int_eq(sign_ins(), 2);
    audit_records_expect(redis, "sign_ins", AUDIT_PRINCIPAL, "");
    audit_records_expect(redis, "sign_ins", AUDIT_PRINCIPAL_ID, "0");
    audit_records_expect(redis, "sign_ins", AUDIT_ROUTE, "token.obtain");
    audit_records_expect(redis, "sign_ins", AUDIT_TARGET, "user:1");
    audit_records_expect(redis, "sign_ins", AUDIT_RESULT, "unauthenticated");
    expect_records(1, 0);
}
END_TEST

/* A password that was typed into the wrong field is nobody's to read, or to guess from what is kept. */
START_TEST(a_name_that_nobody_has_is_a_digest)
{
    DO("auth.login", loopback_nobody(), .body = LOGIN("correct-horse", "x"));
    ck_assert_int_eq(sign_ins(), 1);
    char *first = audit_records_newest(redis, "sign_ins", AUDIT_TARGET);
    ck_assert_int_eq(strncmp(first, "name:", 5), 0);
    ck_assert_uint_eq(strlen(first), 5 + 32);
    DO("auth.login", loopback_nobody(), .body = LOGIN("CORRECT-horse", "y"));
    ck_assert_int_eq(sign_ins(), 2);
    char *same = audit_records_newest(redis, "sign_ins", AUDIT_TARGET);
    ck_assert_str_eq(same, first);
    DO("auth.login", loopback_nobody(), .body = LOGIN("correct-horsf", "y"));
    ck_assert_int_eq(sign_ins(), 3);
    char *other = audit_records_newest(redis, "sign_ins", AUDIT_TARGET);
    ck_assert_str_ne(other, first);
    /* An attack on one name is one, whichever field is tried. */
    DO("auth.login", loopback_nobody(), .body = "{\"email\":\"correct-horse\",\"password\":\"x\"}");
    ck_assert_int_eq(sign_ins(), 4);
    audit_records_expect(redis, "sign_ins", AUDIT_TARGET, first);
    /* Not what anybody could compute: `printf correct-horse | sha256sum`. */
    ck_assert_str_ne(first, "name:9dca666eb54730714630d1519264a7bf");
    free(first);
    free(same);
    free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/calls");
    TCase *tcase = tcase_create("calls");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, what_anybody_may_do_is_kept_apart);
    tcase_add_test(tcase, refusals_leave_nothing);
    tcase_add_test(tcase, sign_ins_are_seen);
    tcase_add_test(tcase, a_name_that_nobody_has_is_a_digest);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
