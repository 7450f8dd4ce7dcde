/* Which URLs of a PostgreSQL database are taken, and that a refusal repeats nothing of one. */
#include "users/postgres/url.h"

#include "cachewarden/users.h"
#include "suite.h"

static struct error error;

static enum err check(const char *url)
{
    error_clear(&error);
    return users_check_url(str_from(url), &error);
}

static const char *const good[] = {
    "postgresql://",
    "postgres://",
    "postgresql:///users",
    "postgresql://localhost/users",
    "postgresql://cw@localhost:5433/users",
    "postgresql://cw:p%40ss%2Fw%3Fr%25d@db.example.org:5433/users",
    "postgresql://cw:a:b?c=d@db/users",
    "postgres://cw:p@10.0.0.1,10.0.0.2:5433,[2001:db8::1]/users?target_session_attrs=read-write",
    "postgresql://cw:p@[fe80::1%25eth0]:5432/users",
    "postgresql://cw:p@%2Frun%2Fpostgresql/users",
    "postgresql://cw:p@/users?host=/run/postgresql",
    "postgresql:///users?user=cw@example.org&password=p@ss",
    "postgresql://cw:p@db/name%40with%40ats",
    "postgresql://cw@db/users?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem&connect_timeout=5",
    "postgresql://cw@db/users?options=-csearch_path%3Dcachewarden",
    "postgresql://db/Gr%C3%B6%C3%9Fe",
};

START_TEST(taken)
{
    ck_assert_msg(check(good[_i]) == ERR_OK, "%s: %s", good[_i], error.caller);
}
END_TEST

/* Every secret has "canary" in it, wherever libpq would take it to be. */
static const struct {
    const char *url, *reason;
} bad[] = {
    {"postgresql://cw:can@ary@db/users", "an @ is in the wrong place"},
    {"postgresql://cw:canary@@db/users", "an @ is in the wrong place"},
    {"postgresql://cw:can/ary@db/users", "an @ is in the wrong place"},
    {"postgresql://cw:12/canary@db/users", "an @ is in the wrong place"},
    {"postgresql://cw:can?ary@@db/users", "an @ is in the wrong place"},
    {"postgresql://cw:can?a/ry@db/users", "not a URL that PostgreSQL understands"},
    {"postgresql://cw:12?can/ary@db/users", "not a URL that PostgreSQL understands"},
    {"postgresql://cw:can%ary@db/users", "not a URL that PostgreSQL understands"},
    {"postgresql://cw:can%00ary@db/users", "not a URL that PostgreSQL understands"},
    {"postgresql://cw:canary@[::1/users", "not a URL that PostgreSQL understands"},
    {"postgresql://db:canary/users", "the port is no number"},
    {"postgresql://cw:canary@db:54x3/users", "the port is no number"},
    {"postgresql://cw:canary@db canary/users", "the host is none"},
    {"postgresql://cw:x@db%40canary/users", "the host is none"},
    {"postgresql://cw:x@%2Frun%40canary/users", "the host is none"},
    {"postgresql://db/users?canary=1", "not a URL that PostgreSQL understands"},
    {"postgresql://db/users?password", "not a URL that PostgreSQL understands"},
    {"postgresql://cw:canary@db/users?connect_timeout=0", "connect_timeout must be 1 to 30"},
    {"postgresql://cw:canary@db/users?connect_timeout=-1", "connect_timeout must be 1 to 30"},
    {"postgresql://cw:canary@db/users?connect_timeout=31", "connect_timeout must be 1 to 30"},
    {"postgresql://cw:canary@db/users?connect_timeout=x", "connect_timeout must be 1 to 30"},
    {"postgresql://cw:can\nary@db/users", "control characters"},
    {"postgresql://cw:can\xff"
     "ary@db/users",
     "not UTF-8"},
};

START_TEST(refused)
{
    struct users *users = NULL;

    ck_assert_int_eq(check(bad[_i].url), ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, bad[_i].reason) != NULL, "%s", error.caller);
    ck_assert_ptr_eq(strstr(error.caller, "users.database: "), error.caller);
    ck_assert_ptr_null(strstr(error.caller, "can"));
    ck_assert_ptr_null(strstr(error.caller, "ary"));
    ck_assert_ptr_null(strstr(error.detail, "ary"));
    /* The whole sentence finds room, with what to do. */
    ck_assert_uint_lt(strlen(error.caller), sizeof error.caller - 1);
    ck_assert_int_eq(users_open(str_from(bad[_i].url), &users, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(users);
}
END_TEST

START_TEST(a_nul_in_the_middle)
{
    error_clear(&error);
    ck_assert_int_eq(users_postgres_url_check(STR("cw@db\0/users"), &error), ERR_BAD_INPUT);
    ck_assert_int_eq(users_postgres_url_check(STR_NONE, NULL), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/postgres/url");
    TCase *tcase = tcase_create("users_postgres_url");

    tcase_add_loop_test(tcase, taken, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, a_nul_in_the_middle);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
