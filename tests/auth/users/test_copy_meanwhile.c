/* What others see of a copy that is put in place, and how much of it they wait for. */
#include "users/copy_case.h"

static struct user user;

static void find(int64_t id)
{
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
}

static struct str incarnation_of(int64_t id)
{
    find(id);
    return user.incarnation;
}

/* What is the same on both sides is not written: so what others wait for is as long as what differs. */
START_TEST(what_is_the_same_is_left_alone)
{
    struct users_import_counts counts;
    struct copy copy;

    open_backend(_i);
    for (int i = 0; i < 4; i++)
        users_backend_add(users, (const char[]){(char)('a' + i), '\0'}, "h");
    ck_assert_int_eq(users_delete(users, 3, &error), ERR_OK);
    ck_assert_int_eq(users_void_tokens(users, 2, &error), ERR_OK);
    copy_take(&copy);
    ck_assert_int_eq(users_set_password(users, 4, STR("other"), &error), ERR_OK);
    find(3);
    int64_t voided_s = user.tokens_not_before_s;
    struct str first = incarnation_of(1), second = incarnation_of(2);
    find(2);
    int64_t second_s = user.tokens_not_before_s;
    counts = copy_put_back(&copy);
    ck_assert(counts.accounts == 3 && counts.added == 0 && counts.removed == 0);
    ck_assert_int_eq(counts.passwords, 1);
    ck_assert(str_eq(incarnation_of(1), first) && str_eq(incarnation_of(2), second));
    ck_assert_int_eq(user.tokens_not_before_s, second_s);
    find(3);
    ck_assert(user.is_deleted && user.tokens_not_before_s == voided_s);
    find(4);
    ck_assert(str_eq(user.password_hash, STR("h")) && user.tokens_not_before_s > 0);
    copy_free(&copy);
    close_backend();
}
END_TEST

/* Readers see what was there before, until the end and at once after it. Who writes goes on while rows come in, and
 * waits from then on. */
START_TEST(others_go_on_meanwhile)
{
    struct users_import_counts counts;
    struct users_import *import;
    struct copy copy;

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    copy_take(&copy);
    struct users *other = users_backend_open();
    ck_assert_int_eq(users_import_begin(users, false, &import, &error), ERR_OK);
    ck_assert_int_eq(
        users_import_rows(import, USERS_ACCOUNTS, strbuf_str(&copy.lines[USERS_ACCOUNTS]), &error),
        ERR_OK);
    ck_assert_int_eq(users_import_rows(import, USERS_SWITCHES, STR("{\"user_id\":5}\n"), &error),
                     ERR_OK);
    ck_assert_int_eq(users_set_password(users, 1, STR("newer"), &error), ERR_OK);
    ck_assert_int_eq(users_set_password(other, 1, STR("new"), &error), ERR_OK);
    ck_assert_int_eq(users_import_hold(import, &error), ERR_OK);
    ck_assert_int_eq(users_import_finish(import, &counts, &error), ERR_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(users_find_by_id(i ? other : users, arena, 1, &user, &error), ERR_OK);
        ck_assert(str_eq(user.password_hash, STR("new")));
    }
    struct user late = {.username = STR("l"), .email = STR("l@example.org"), .is_active = true};
    int64_t id;
    ck_assert_int_eq(users_add(other, &late, &id, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(users_import_end(&import, ERR_OK, &error), ERR_OK);
    ck_assert_int_eq(users_find_by_id(other, arena, 1, &user, &error), ERR_OK);
    ck_assert(str_eq(user.password_hash, STR("h")));
    ck_assert_int_eq(users_add(other, &late, &id, &error), ERR_OK);
    users_close(&other);
    copy_free(&copy);
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/copy_meanwhile");
    TCase *copy = tcase_create("meanwhile");

    tcase_add_loop_test(copy, what_is_the_same_is_left_alone, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, others_go_on_meanwhile, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, copy);
    return users_backends_run(suite);
}
