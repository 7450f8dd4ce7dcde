/* What users.h promises about API keys and facts, on every kind of database. */
#include "users_case.h"

#include "cachewarden/clock.h"
#include "cachewarden/principal.h"
#include "suite.h"

static struct api_key found;

static struct api_key key(const char *id, const char *name)
{
    return (struct api_key){.id = str_from(id),
                            .name = str_from(name),
                            .secret_digest = STR("0123456789\0abcdef0123456789\xff\xfe\xfd"
                                                 "ab")};
}

static void add(const struct api_key *added)
{
    ck_assert_msg(api_keys_add(users, added, &error) == ERR_OK, "%s", error.caller);
}

START_TEST(a_key_is_found_again)
{
    open_backend(_i);
    struct api_key added = key("aaaaaaaaaaaa", "deploy");
    int64_t owner = users_backend_add(users, "alice", "h"), before = clock_wall_s();

    added.scopes = SCOPE_FLUSH | SCOPE_USER;
    added.space = STR("shop");
    added.owner_id = owner;
    added.expires_at_s = 4102444800;
    add(&added);
    ck_assert_int_eq(api_keys_find(users, arena, STR("aaaaaaaaaaaa"), &found, &error), ERR_OK);
    ck_assert(str_eq(found.id, added.id));
    ck_assert(str_eq(found.name, STR("deploy")));
    ck_assert_uint_eq(found.secret_digest.len, 32);
    ck_assert(str_eq(found.secret_digest, added.secret_digest));
    ck_assert_uint_eq(found.scopes, SCOPE_FLUSH | SCOPE_USER);
    ck_assert(str_eq(found.space, STR("shop")));
    ck_assert_int_eq(found.owner_id, owner);
    ck_assert_int_ge(found.created_at_s, before);
    ck_assert_int_eq(found.expires_at_s, 4102444800);
    ck_assert_int_eq(found.revoked_at_s, 0);
    ck_assert_int_eq(found.last_used_at_s, 0);

    struct api_key plain = key("bbbbbbbbbbbb", "plain");
    plain.created_at_s = 77;
    add(&plain);
    ck_assert_int_eq(api_keys_find(users, arena, STR("bbbbbbbbbbbb"), &found, &error), ERR_OK);
    ck_assert_uint_eq(found.scopes, 0);
    ck_assert_uint_eq(found.space.len, 0);
    ck_assert_int_eq(found.owner_id, 0);
    ck_assert_int_eq(found.created_at_s, 77);
    close_backend();
}
END_TEST

START_TEST(times_of_any_size)
{
    open_backend(_i);
    static const int64_t times_s[] = {INT64_MIN, -1, 1, INT64_C(1) << 31, INT64_MAX};
    char id[16], name[16];

    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "aaaaaaaaaaa%d", i);
        snprintf(name, sizeof name, "key%d", i);
        struct api_key added = key(id, name);
        added.expires_at_s = times_s[i];
        add(&added);
        ck_assert_int_eq(api_keys_find(users, arena, str_from(id), &found, &error), ERR_OK);
        ck_assert_int_eq(found.expires_at_s, times_s[i]);
    }
    close_backend();
}
END_TEST

START_TEST(keys_that_are_not_there)
{
    open_backend(_i);
    struct api_key added = key("aaaaaaaaaaaa", "deploy");

    add(&added);
    ck_assert_int_eq(api_keys_find(users, arena, STR("aaaaaaaaaaab"), &found, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_find(users, arena, STR("AAAAAAAAAAAA"), &found, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_find(users, arena, STR("deploy"), &found, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_find(users, arena, STR_NONE, &found, &error), ERR_NOT_FOUND);
    ck_assert_uint_eq(found.id.len, 0);
    ck_assert_int_eq(api_keys_revoke(users, STR("nobody"), 5, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_touch(users, STR("aaaaaaaaaaab"), 5, &error), ERR_OK);
    close_backend();
}
END_TEST

START_TEST(names_are_taken_once_for_ever)
{
    open_backend(_i);
    struct api_key first = key("aaaaaaaaaaaa", "deploy"), second = key("bbbbbbbbbbbb", "deploy");

    add(&first);
    ck_assert_int_eq(api_keys_add(users, &second, &error), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "An API key with that name already exists.");
    ck_assert_int_eq(api_keys_revoke(users, STR("deploy"), 5, &error), ERR_OK);
    ck_assert_int_eq(api_keys_add(users, &second, &error), ERR_CONFLICT);
    close_backend();
}
END_TEST

START_TEST(an_owner_has_to_be_there)
{
    open_backend(_i);
    struct api_key orphan = key("aaaaaaaaaaaa", "deploy");
    struct api_key *list;
    size_t count;

    orphan.owner_id = 12345;
    ck_assert_int_eq(api_keys_add(users, &orphan, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 0);
    /* A refusal leaves the database usable. */
    orphan.owner_id = 0;
    add(&orphan);
    close_backend();
}
END_TEST

START_TEST(revoking)
{
    open_backend(_i);
    struct api_key added = key("aaaaaaaaaaaa", "deploy");

    add(&added);
    ck_assert_int_eq(api_keys_revoke(users, STR("deploy"), 1000, &error), ERR_OK);
    ck_assert_int_eq(api_keys_revoke(users, STR("deploy"), 2000, &error), ERR_OK);
    ck_assert_int_eq(api_keys_find(users, arena, STR("aaaaaaaaaaaa"), &found, &error), ERR_OK);
    ck_assert_int_eq(found.revoked_at_s, 1000);
    close_backend();
}
END_TEST

START_TEST(touching)
{
    open_backend(_i);
    struct api_key added = key("aaaaaaaaaaaa", "deploy");

    add(&added);
    ck_assert_int_eq(api_keys_touch(users, STR("aaaaaaaaaaaa"), 2000, &error), ERR_OK);
    /* Nodes may tell in any order. */
    ck_assert_int_eq(api_keys_touch(users, STR("aaaaaaaaaaaa"), 1000, &error), ERR_OK);
    ck_assert_int_eq(api_keys_find(users, arena, STR("aaaaaaaaaaaa"), &found, &error), ERR_OK);
    ck_assert_int_eq(found.last_used_at_s, 2000);
    close_backend();
}
END_TEST

START_TEST(listing)
{
    open_backend(_i);
    struct api_key *list;
    size_t count = 9;

    ck_assert_int_eq(api_keys_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 0);
    struct api_key old = key("bbbbbbbbbbbb", "old"), young = key("aaaaaaaaaaaa", "young");
    old.created_at_s = 10;
    young.created_at_s = 20;
    add(&young);
    add(&old);
    ck_assert_int_eq(api_keys_revoke(users, STR("old"), 30, &error), ERR_OK);
    ck_assert_int_eq(api_keys_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(str_eq(list[0].name, STR("old")));
    ck_assert_int_eq(list[0].revoked_at_s, 30);
    ck_assert(str_eq(list[1].name, STR("young")));
    close_backend();
}
END_TEST

START_TEST(a_deleted_owner_takes_the_keys_along)
{
    open_backend(_i);
    int64_t alice = users_backend_add(users, "alice", "h"),
            bob = users_backend_add(users, "bob", "h");
    struct api_key hers = key("aaaaaaaaaaaa", "hers"), his = key("bbbbbbbbbbbb", "his"),
                   nobodys = key("cccccccccccc", "nobodys");
    int64_t before = clock_wall_s();

    hers.owner_id = alice;
    his.owner_id = bob;
    add(&hers);
    add(&his);
    add(&nobodys);
    ck_assert_int_eq(users_delete(users, alice, &error), ERR_OK);
    ck_assert_int_eq(api_keys_find(users, arena, hers.id, &found, &error), ERR_OK);
    ck_assert_int_ge(found.revoked_at_s, before);
    ck_assert_int_eq(api_keys_find(users, arena, his.id, &found, &error), ERR_OK);
    ck_assert_int_eq(found.revoked_at_s, 0);
    ck_assert_int_eq(api_keys_find(users, arena, nobodys.id, &found, &error), ERR_OK);
    ck_assert_int_eq(found.revoked_at_s, 0);
    close_backend();
}
END_TEST

START_TEST(facts)
{
    open_backend(_i);
    struct str value;

    ck_assert_int_eq(users_fact_get(users, arena, STR("floor"), &value, &error), ERR_NOT_FOUND);
    ck_assert_uint_eq(value.len, 0);
    ck_assert_int_eq(users_fact_set(users, STR("floor"), STR("1000"), &error), ERR_OK);
    ck_assert_int_eq(users_fact_get(users, arena, STR("floor"), &value, &error), ERR_OK);
    ck_assert(str_eq(value, STR("1000")));
    ck_assert_int_eq(users_fact_set(users, STR("floor"), STR("2000"), &error), ERR_OK);
    ck_assert_int_eq(users_fact_set(users, STR("empty"), STR_NONE, &error), ERR_OK);
    ck_assert_int_eq(users_fact_get(users, arena, STR("floor"), &value, &error), ERR_OK);
    ck_assert(str_eq(value, STR("2000")));
    ck_assert_int_eq(users_fact_get(users, arena, STR("empty"), &value, &error), ERR_OK);
    ck_assert_uint_eq(value.len, 0);

    /* Made when the database was, 128 bits that no other has. */
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &value, &error), ERR_OK);
    ck_assert_uint_eq(value.len, 32);
    ck_assert_uint_eq(strspn(value.ptr, "0123456789abcdef"), 32);
    close_backend();
}
END_TEST

START_TEST(no_two_installations_are_alike)
{
    struct str first, second;

    open_backend(_i);
    struct arena *kept = arena_new(256, 0);
    ck_assert_int_eq(users_fact_get(users, kept, STR("install_id"), &first, &error), ERR_OK);
    close_backend();
    open_backend(_i);
    ck_assert_int_eq(users_fact_get(users, kept, STR("install_id"), &second, &error), ERR_OK);
    ck_assert(!str_eq(first, second));
    arena_free(&kept);
    close_backend();
}
END_TEST

START_TEST(pages_and_revocation_by_id)
{
    open_backend(_i);
    const struct work work = {.arena = arena, .error = &error};
    struct api_key *page;
    size_t count;
    struct api_key c = key("cccccccccccc", "first"), a = key("aaaaaaaaaaaa", "third"),
                   b = key("bbbbbbbbbbbb", "second");
    add(&c);
    add(&a);
    add(&b);
    ck_assert_int_eq(api_keys_page(users, work, STR_NONE, 2, &page, &count), ERR_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert(str_eq(page[0].name, STR("third")));
    ck_assert(str_eq(page[1].name, STR("second")));
    ck_assert_int_eq(api_keys_revoke_id(users, c.id, 1000, &error), ERR_OK);
    ck_assert_int_eq(api_keys_revoke_id(users, c.id, 2000, &error), ERR_OK);
    ck_assert_int_eq(api_keys_revoke_id(users, STR("first"), 2000, &error), ERR_NOT_FOUND);
    ck_assert_int_eq(api_keys_page(users, work, b.id, 2, &page, &count), ERR_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert(str_eq(page[0].id, c.id));
    ck_assert_int_eq(page[0].revoked_at_s, 1000);
    ck_assert_int_eq(api_keys_find(users, arena, a.id, &found, &error), ERR_OK);
    ck_assert_int_eq(found.revoked_at_s, 0);
    ck_assert_int_eq(api_keys_page(users, work, c.id, 2, &page, &count), ERR_OK);
    ck_assert_uint_eq(count, 0);
    close_backend();
}
END_TEST

int main(void)
{
    const TTest *const contract[] = {
        a_key_is_found_again,
        times_of_any_size,
        keys_that_are_not_there,
        names_are_taken_once_for_ever,
        an_owner_has_to_be_there,
        revoking,
        touching,
        listing,
        pages_and_revocation_by_id,
        a_deleted_owner_takes_the_keys_along,
        facts,
        no_two_installations_are_alike,
    };
    Suite *suite = suite_create("auth/users/keys");
    TCase *tcase = tcase_create("users_keys");

    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++)
        tcase_add_loop_test(tcase, contract[i], 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
