/* Several things about an account at once, the guard of superusers, and looking for accounts, on every database. */
#include "users_case.h"

#include <pthread.h>
#include <stdatomic.h>

static const struct str groups[] = {STR("Admin"), STR("Ops")};

static struct user look(int64_t id)
{
    struct user user;

    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    return user;
}

static int64_t add_superuser(const char *name)
{
    int64_t id = users_backend_add(users, name, "h");

    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    return id;
}

START_TEST(several_at_once)
{
    struct users_amendment wanted = {.email = STR("New@example.org"),
                                     .password_hash = STR("other"),
                                     .sets_superuser = true,
                                     .is_superuser = true,
                                     .sets_groups = true,
                                     .groups = groups,
                                     .group_count = 2,
                                     .sets_active = true};
    struct user user, found;

    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");
    struct user before = look(id);
    ck_assert_int_eq(users_set_group(users, id, STR("gone"), true, &error), ERR_OK);
    ck_assert_int_eq(users_amend(users, arena, id, &wanted, &user, &error), ERR_OK);
    found = look(id);
    ck_assert(user.is_superuser && found.is_superuser && !user.is_active && !found.is_active);
    ck_assert(str_eq(user.email, STR("New@example.org")) && str_eq(found.email, user.email));
    ck_assert(user.group_count == 2 && found.group_count == 2);
    ck_assert(str_eq(found.groups[0], STR("Admin")) && str_eq(found.groups[1], STR("Ops")));
    ck_assert(str_eq(found.password_hash, STR("other")));
    ck_assert(!str_eq(found.incarnation, before.incarnation));
    ck_assert_int_gt(found.tokens_not_before_s, before.tokens_not_before_s);
    ck_assert_int_eq(users_find_by_email(users, arena, STR("new@EXAMPLE.org"), &found, &error),
                     ERR_OK);
    /* What is not named stays. */
    wanted = (struct users_amendment){.sets_groups = true};
    ck_assert_int_eq(users_amend(users, NULL, id, &wanted, NULL, &error), ERR_OK);
    found = look(id);
    ck_assert(found.group_count == 0 && found.is_superuser && !found.is_active);
    close_backend();
}
END_TEST

START_TEST(nothing_where_one_will_not_do)
{
    const struct str bad[] = {STR("Ops"), STR("a,b")};
    struct users_amendment wanted = {
        .sets_superuser = true, .is_superuser = true, .sets_groups = true, .groups = groups};

    open_backend(_i);
    int64_t id = users_backend_add(users, "alice", "h");
    users_backend_add(users, "bob", "h");
    wanted.email = look(id + 1).email;
    wanted.group_count = 2;
    ck_assert_int_eq(users_amend(users, arena, id, &wanted, NULL, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "A user with that email already exists.");
    wanted.email = STR_NONE;
    wanted.groups = bad;
    ck_assert_int_eq(users_amend(users, arena, id, &wanted, NULL, &error), ERR_BAD_INPUT);
    ck_assert(!look(id).is_superuser && look(id).group_count == 0);
    ck_assert_int_eq(users_amend(users, arena, 99, &wanted, NULL, &error), ERR_BAD_INPUT);
    wanted.groups = groups;
    ck_assert_int_eq(users_amend(users, arena, 99, &wanted, NULL, &error), ERR_NOT_FOUND);
    close_backend();
}
END_TEST

static const struct users_amendment demote = {
    .is_guarded = true, .by_superuser = true, .sets_superuser = true};

enum { TAKERS = 4, ROUNDS = 25 };

static _Atomic int done, refused;
static pthread_barrier_t barrier;

static void *demote_one(void *arg)
{
    struct error why = {0};

    pthread_barrier_wait(&barrier);
    enum err err = users_amend(users, NULL, *(const int64_t *)arg, &demote, NULL, &why);
    ck_assert_msg(err == ERR_OK || err == ERR_CONFLICT, "%s / %s", why.caller, why.detail);
    atomic_fetch_add(err == ERR_OK ? &done : &refused, 1);
    return NULL;
}

static void demote_all(const int64_t ids[TAKERS])
{
    pthread_t threads[TAKERS];

    atomic_store(&done, 0);
    atomic_store(&refused, 0);
    for (int i = 0; i < TAKERS; i++)
        ck_assert_int_eq(users_set_superuser(users, ids[i], true, &error), ERR_OK);
    for (int i = 0; i < TAKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, demote_one, (void *)(uintptr_t)&ids[i]),
                         0);
    for (int i = 0; i < TAKERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&done), TAKERS - 1);
    ck_assert_int_eq(atomic_load(&refused), 1);
}

/* Each sees the others still there, and takes itself away. */
START_TEST(one_is_left_of_many_at_once)
{
    static const char *const names[TAKERS] = {"a", "b", "c", "d"};
    int64_t ids[TAKERS];

    open_backend(_i);
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, TAKERS), 0);
    for (int i = 0; i < TAKERS; i++)
        ids[i] = users_backend_add(users, names[i], "h");
    for (int round = 0; round < ROUNDS; round++)
        demote_all(ids);
    pthread_barrier_destroy(&barrier);
    close_backend();
}
END_TEST

START_TEST(the_guard)
{
    struct users_amendment end = {.is_guarded = true, .is_deletion = true};

    open_backend(_i);
    int64_t root = add_superuser("root"), alice = users_backend_add(users, "alice", "h");
    ck_assert_int_eq(users_amend(users, arena, root, &end, NULL, &error), ERR_FORBIDDEN);
    end.by_superuser = true;
    ck_assert_int_eq(users_amend(users, arena, root, &end, NULL, &error), ERR_CONFLICT);
    ck_assert(look(root).is_superuser && look(root).is_active && !look(root).is_deleted);
    end.by_superuser = false;
    ck_assert_int_eq(users_amend(users, arena, alice, &end, NULL, &error), ERR_OK);
    ck_assert(look(alice).is_deleted);
    ck_assert_int_eq(users_amend(users, arena, alice, &end, NULL, &error), ERR_NOT_FOUND);
    /* A shell may do everything. */
    ck_assert_int_eq(users_delete(users, root, &error), ERR_OK);
    close_backend();
}
END_TEST

static size_t count_found(struct users_filter filter, size_t limit)
{
    struct user *found;
    size_t count;

    ck_assert_msg(users_find(users, arena, &filter, limit, &found, &count, &error) == ERR_OK,
                  "%s / %s", error.caller, error.detail);
    for (size_t i = 0; i < count; i++)
        ck_assert(found[i].id > filter.after && (i == 0 || found[i - 1].id < found[i].id));
    return count;
}

START_TEST(looking_for_accounts)
{
    open_backend(_i);
    int64_t alice = users_backend_add(users, "alice", "h");
    int64_t odd = users_backend_add(users, "a_b", "h");
    int64_t off = users_backend_add(users, "off", "h");
    const struct users_rights many = {.groups = groups, .group_count = 2};
    ck_assert_int_eq(users_set_rights(users, alice, &many, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, off, false, &error), ERR_OK);
    ck_assert_int_eq(users_delete(users, users_backend_add(users, "gone", "h"), &error), ERR_OK);
    ck_assert_uint_eq(count_found((struct users_filter){0}, 10), 3);
    ck_assert_uint_eq(count_found((struct users_filter){0}, 2), 2);
    ck_assert_uint_eq(count_found((struct users_filter){.after = alice}, 10), 2);
    ck_assert_uint_eq(count_found((struct users_filter){.after = odd}, 10), 1);
    ck_assert_uint_eq(count_found((struct users_filter){.text = STR("LIC")}, 10), 1);
    ck_assert_uint_eq(count_found((struct users_filter){.text = STR("a_b")}, 10), 1);
    ck_assert_uint_eq(count_found((struct users_filter){.text = STR("a%")}, 10), 0);
    ck_assert_uint_eq(count_found((struct users_filter){.text = STR("!")}, 10), 0);
    ck_assert_uint_eq(count_found((struct users_filter){.text = STR("\\")}, 10), 0);
    ck_assert_uint_eq(count_found((struct users_filter){.text = STR("\xc3\xa9")}, 10), 0);
    ck_assert_uint_eq(count_found((struct users_filter){.wants_active = true}, 10), 1);
    ck_assert_uint_eq(
        count_found((struct users_filter){.wants_active = true, .is_active = true}, 10), 2);
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("users_amend");
    TCase *tcase = tcase_create("backends");

    tcase_add_loop_test(tcase, several_at_once, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, nothing_where_one_will_not_do, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, one_is_left_of_many_at_once, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, the_guard, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, looking_for_accounts, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
