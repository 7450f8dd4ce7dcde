/* What users.h promises about the accounts of another issuer's users, on every kind of database. */
#include "users_case.h"

#include "suite.h"

#include <pthread.h>

static struct user user;

static int64_t provision(const char *issuer, const char *subject)
{
    int64_t id = 0;

    ck_assert_msg(users_provision(users, str_from(issuer), str_from(subject), &id, &error) ==
                      ERR_OK,
                  "%s %s", error.caller, error.detail);
    ck_assert_int_gt(id, 0);
    return id;
}

static size_t count_accounts(void)
{
    struct user *list;
    size_t count;

    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    return count;
}

START_TEST(one_id_for_ever)
{
    open_backend(_i);
    int64_t alice = users_backend_add(users, "alice", "h");
    int64_t id = provision("https://id.example", "auth0|7");

    ck_assert_int_ne(id, alice);
    ck_assert_int_eq(provision("https://id.example", "auth0|7"), id);
    /* Both together are who it is, to the byte. */
    int64_t others[] = {
        provision("https://id.example", "auth0|8"),    provision("https://id.example", "AUTH0|7"),
        provision("https://other.example", "auth0|7"), provision("https://id.example", "alice"),
        provision("https://id.example", "\xc3\xa9"),
    };
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_ne(others[i], id);
        ck_assert_int_ne(others[i], alice);
        for (size_t j = 0; j < i; j++)
            ck_assert_int_ne(others[i], others[j]);
    }
    ck_assert_uint_eq(count_accounts(), 7);
    close_backend();
}
END_TEST

START_TEST(the_account_it_makes)
{
    open_backend(_i);
    int64_t id = provision("https://id.example", "auth0|7");

    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    ck_assert(user.is_active && !user.is_superuser && !user.is_deleted);
    ck_assert_uint_eq(user.group_count, 0);
    ck_assert_uint_eq(user.password_hash.len, 0);
    ck_assert(str_starts(user.username, STR("x-")));
    ck_assert_uint_eq(user.username.len, 34);
    ck_assert_int_eq(user_check_username(user.username, &error), ERR_OK);
    ck_assert_int_eq(user_check_email(user.email, &error), ERR_OK);
    ck_assert(str_ends(user.email, STR("@users.invalid")));
    ck_assert_int_gt(user.created_at_s, 0);
    /* Whose it is can be told, for those who look after it. */
    struct str issuer, subject;
    ck_assert_int_eq(users_subject_of(users, arena, id, &issuer, &subject, &error), ERR_OK);
    ck_assert(str_eq(issuer, STR("https://id.example")) && str_eq(subject, STR("auth0|7")));
    ck_assert_int_eq(users_subject_of(users, arena, id + 1, &issuer, &subject, &error),
                     ERR_NOT_FOUND);
    ck_assert_uint_eq(issuer.len + subject.len, 0);
    /* It has the rights an account may have. */
    ck_assert_int_eq(users_set_group(users, id, STR("Admin"), true, &error), ERR_OK);
    close_backend();
}
END_TEST

START_TEST(a_deleted_one_does_not_come_back)
{
    open_backend(_i);
    int64_t id = provision("https://id.example", "auth0|7");

    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    ck_assert_int_eq(provision("https://id.example", "auth0|7"), id);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    ck_assert(user.is_deleted);
    close_backend();
}
END_TEST

START_TEST(names_that_are_none)
{
    open_backend(_i);
    static char long_text[257];
    int64_t id = 5;

    memset(long_text, 'a', 256);
    const char *bad[] = {"", "line\nfeed", "\xff", "\x7f", long_text};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(users_provision(users, STR("i"), str_from(bad[i]), &id, &error),
                         ERR_BAD_INPUT);
        ck_assert_int_eq(id, 0);
        ck_assert_ptr_nonnull(strstr(error.caller, "subject: "));
        ck_assert_int_eq(users_provision(users, str_from(bad[i]), STR("s"), &id, &error),
                         ERR_BAD_INPUT);
        ck_assert_ptr_nonnull(strstr(error.caller, "issuer: "));
    }
    ck_assert_uint_eq(count_accounts(), 0);
    long_text[255] = '\0';
    provision(long_text, long_text);
    close_backend();
}
END_TEST

enum { NODES = 4, THREADS = 3, SUBJECTS = 10 };

struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    struct users *users; /* of a node of its own */
    int64_t ids[SUBJECTS];
    enum err err;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    struct error why = {0};
    char subject[32];

    pthread_barrier_wait(racer->start);
    for (int i = 0; i < SUBJECTS && !racer->err; i++) {
        snprintf(subject, sizeof subject, "subject %d", i);
        do
            racer->err = users_provision(racer->users, STR("issuer"), str_from(subject),
                                         &racer->ids[i], &why);
        while (users_backend_must_retry(racer->err, &why, deadline_ns));
    }
    return NULL;
}

/* Many threads of many nodes see the same subjects first, all at once. */
START_TEST(a_race_gives_one_id)
{
    open_backend(_i);
    struct users *nodes[NODES];
    struct racer racers[NODES * THREADS] = {0};
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, NODES * THREADS);
    for (int i = 0; i < NODES; i++)
        nodes[i] = users_backend_open();
    for (int i = 0; i < NODES * THREADS; i++) {
        racers[i].users = nodes[i % NODES];
        racers[i].start = &start;
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < NODES * THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        ck_assert_int_eq(racers[i].err, ERR_OK);
        ck_assert_mem_eq(racers[i].ids, racers[0].ids, sizeof racers[0].ids);
    }
    ck_assert_uint_eq(count_accounts(), SUBJECTS);
    for (int i = 0; i < NODES; i++)
        users_close(&nodes[i]);
    pthread_barrier_destroy(&start);
    close_backend();
}
END_TEST

START_TEST(a_database_out_of_reach)
{
    open_backend(_i);
    int64_t id = 5;

    backend->ruin();
    ck_assert_int_eq(users_provision(users, STR("i"), STR("s"), &id, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(id, 0);
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/subjects");
    TCase *tcase = tcase_create("users_subjects");

    tcase_add_loop_test(tcase, one_id_for_ever, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, the_account_it_makes, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_deleted_one_does_not_come_back, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, names_that_are_none, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_race_gives_one_id, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_database_out_of_reach, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
