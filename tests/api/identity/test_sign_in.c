/* In which term the refresh tokens of a sign-in are. */
#include "identity/sign_in.h"

#include "control/version_guard.h"
#include "control_data.h"
#include "patience.h"
#include "session.h"
#include "suite.h"

static struct redis_server *redis;
static struct loopback node, late;

/* A node that asks Redis nothing by itself. */
static void open_unwatched(struct loopback *at, const struct loopback *shares)
{
    loopback_open(at, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                 .is_registration_open = true,
                                                 .is_unwatched = true,
                                                 .shares = shares});
}

static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_unwatched(&node, NULL);
    session_register(&node, "alice");
    ck_assert_int_eq(audit_drain(node.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
}

static void close_all(void)
{
    loopback_close(&late);
    loopback_close(&node);
    redis_server_stop(&redis);
}

/* A node that is started then cannot tell what the damaged dataset lost, so no token of an earlier term is good. */
static void begin_a_term(void)
{
    struct error error = {0};
    redis_server_do(redis, "HDEL cw:dataset epoch");
    open_unwatched(&late, &node);
    enum err err = version_guard_reconcile(
        late.app->guard, VERSION_GUARD_REPAIRS,
        (struct work){.deadline_ns = clock_deadline_ns(PATIENCE_MS), .error = &error});
    ck_assert_msg(err == ERR_OK, "%s %s", error.caller, error.detail);
    ck_assert_int_eq(control_term(redis), 2);
}

/* Who signs in at a node that has not heard of the new term stays signed in. */
START_TEST(at_a_node_that_is_behind)
{
    struct session before, since;
    session_open(&node, "alice", &before);
    begin_a_term();
    session_open(&node, "alice", &since);
    ck_assert_int_eq(session_try_refresh(&late, since.refresh), ERR_OK);
    ck_assert_int_eq(session_try_refresh(&late, before.refresh), ERR_UNAUTHENTICATED);
    session_free(&before);
    session_free(&since);
}
END_TEST

/* The same of one whose data is gone, which nobody has noticed: it begins the term itself. */
START_TEST(in_data_that_is_gone)
{
    struct session since;
    redis_server_do(redis, "FLUSHALL");
    session_open(&node, "alice", &since);
    ck_assert_int_eq(control_term(redis), 2);
    open_unwatched(&late, &node);
    ck_assert_int_eq(session_try_refresh(&late, since.refresh), ERR_OK);
    session_free(&since);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/sign_in");
    TCase *tcase = tcase_create("term");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, at_a_node_that_is_behind);
    tcase_add_test(tcase, in_data_that_is_gone);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
