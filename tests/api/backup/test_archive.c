/* Names of members, ids, and the key of the seal. */
#include "backup/archive_key.h"

#include "suite.h"

#include <stdio.h>

START_TEST(names_of_members)
{
    char name[ARCHIVE_NAME_SIZE];

    archive_member_name(name, ARCHIVE_API_KEYS, 12);
    ck_assert_str_eq(name, "users/api_keys-000012.jsonl");
    archive_member_name(name, ARCHIVE_CONTROL, ARCHIVE_MEMBERS_MAX);
    ck_assert_str_eq(name, "control/data-006000.jsonl");
    ck_assert_str_eq(archive_kind_name(ARCHIVE_FACTS), "facts");
}
END_TEST

static const struct {
    const char *name;
    int after, number; /* the last member; after -1: none */
    bool follows;
} orders[] = {
    {"users/accounts-000001.jsonl", -1, 0, true},
    {"users/facts-000001.jsonl", -1, 0, true},
    {"users/accounts-000002.jsonl", -1, 0, false},
    {"users/accounts-000002.jsonl", ARCHIVE_ACCOUNTS, 1, true},
    {"users/accounts-000001.jsonl", ARCHIVE_ACCOUNTS, 1, false},
    {"users/accounts-000003.jsonl", ARCHIVE_ACCOUNTS, 1, false},
    {"control/data-000001.jsonl", ARCHIVE_ACCOUNTS, 7, true},
    {"users/accounts-000001.jsonl", ARCHIVE_CONTROL, 1, false},
    {"users/accounts-1.jsonl", -1, 0, false},
    {"/users/accounts-000001.jsonl", -1, 0, false},
    {"./users/accounts-000001.jsonl", -1, 0, false},
    {"users/../users/accounts-000001.jsonl", -1, 0, false},
    {"users/accounts-000001.jsonl/", -1, 0, false},
    {"users/accounts-000001.json", -1, 0, false},
    {"", -1, 0, false},
};

START_TEST(members_have_an_order)
{
    struct archive_member last = {.kind = (enum archive_kind)orders[_i].after,
                                  .number = orders[_i].number};
    struct archive_member next;
    char name[ARCHIVE_NAME_SIZE];

    bool follows = archive_member_follows(str_from(orders[_i].name),
                                          orders[_i].after < 0 ? NULL : &last, &next);
    ck_assert_msg(follows == orders[_i].follows, "%s", orders[_i].name);
    if (follows) {
        archive_member_name(name, next.kind, next.number);
        ck_assert_str_eq(name, orders[_i].name);
    }
}
END_TEST

START_TEST(ids_tell_their_time)
{
    static const char *const others[] = {
        "",
        "20260131T000000Z",
        "20260131T000000Z-",
        "20260131T000000Z-0123456",
        "20260131T000000Z-012345678",
        "20260131T000000Z-0123456G",
        "20260131T000000Z-0123ABCD",
        "20260131T000000Z_01234567",
        "20260132T000000Z-01234567",
        "20260229T000000Z-01234567",
        "20260131T240000Z-01234567",
        "20260131 000000Z-01234567",
        "20260131T000000z-01234567",
        "2026013-T000000Z-01234567",
        "../../../../../etc/passwd",
        ".0260131T000000Z-01234567",
    };
    char id[ARCHIVE_ID_SIZE], another[ARCHIVE_ID_SIZE];
    int64_t at_s = 0;

    archive_id_make(id, 1769904000); /* 2026-02-01 */
    ck_assert_int_eq(strncmp(id, "20260201T000000Z-", 17), 0);
    ck_assert(archive_id_read(str_from(id), &at_s));
    ck_assert_int_eq(at_s, 1769904000);
    archive_id_make(another, 1769904000);
    ck_assert_str_ne(id, another);
    ck_assert(archive_id_read(STR("20240229T235959Z-ffffffff"), &at_s));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(!archive_id_read(str_from(others[i]), &at_s), "%s", others[i]);
}
END_TEST

/* Makes the seal of a file with this digest. */
static void seal_with(const struct archive_key *key, const unsigned char *digest,
                      unsigned char seal_out[ARCHIVE_SEAL_SIZE])
{
    archive_seal_begin(key, seal_out);
    ck_assert_int_eq(archive_key_sign(key, (struct str){(const char *)digest, DIGEST_SHA256_SIZE},
                                      seal_out + ARCHIVE_SEAL_HEAD, NULL),
                     ERR_OK);
}

static enum archive_seal judge(const struct archive_key *key, const unsigned char *seal,
                               const unsigned char *digest)
{
    enum archive_seal judgement;

    ck_assert_int_eq(archive_seal_check(key, seal, digest, &judgement, NULL), ERR_OK);
    return judgement;
}

START_TEST(seals_are_judged)
{
    unsigned char seal[ARCHIVE_SEAL_SIZE], digest[DIGEST_SHA256_SIZE] = {1, 2, 3};
    struct archive_key *key, *other, *same;

    ck_assert_int_eq(archive_key_new(&(struct secrets){.current = STR("one secret")}, &key, NULL),
                     ERR_OK);
    ck_assert_int_eq(archive_key_new(&(struct secrets){.current = STR("one secret")}, &same, NULL),
                     ERR_OK);
    ck_assert_int_eq(
        archive_key_new(&(struct secrets){.current = STR("another secret")}, &other, NULL), ERR_OK);
    seal_with(key, digest, seal);
    ck_assert_int_eq(judge(same, seal, digest), ARCHIVE_SEAL_GOOD);
    ck_assert_int_eq(judge(other, seal, digest), ARCHIVE_SEAL_FOREIGN);
    digest[31] ^= 1;
    ck_assert_int_eq(judge(key, seal, digest), ARCHIVE_SEAL_BROKEN);
    digest[31] ^= 1;
    seal[ARCHIVE_SEAL_SIZE - 1] ^= 1;
    ck_assert_int_eq(judge(key, seal, digest), ARCHIVE_SEAL_BROKEN);
    seal[0] ^= 1;
    ck_assert_int_eq(judge(key, seal, digest), ARCHIVE_SEAL_NONE);
    archive_key_free(&key);
    archive_key_free(&same);
    archive_key_free(&other);
    archive_key_free(&other);
}
END_TEST

/* The secret changes between the head of a seal and its end. */
START_TEST(a_seal_ends_with_the_secret_it_began_with)
{
    const struct secrets next = {.current = STR("another secret"),
                                 .previous = {STR("one secret")},
                                 .previous_count = 1},
                         none = {.current = STR("another secret")};
    unsigned char seal[ARCHIVE_SEAL_SIZE], digest[DIGEST_SHA256_SIZE] = {1, 2, 3};
    struct archive_key *key, *same;
    struct error error;

    ck_assert_int_eq(archive_key_new(&(struct secrets){.current = STR("one secret")}, &key, NULL),
                     ERR_OK);
    ck_assert_int_eq(archive_key_new(&(struct secrets){.current = STR("one secret")}, &same, NULL),
                     ERR_OK);
    uint64_t before = archive_key_secrets(key);
    archive_seal_begin(key, seal);
    ck_assert_int_eq(archive_key_set_secrets(key, &next, NULL), ERR_OK);
    ck_assert_uint_ne(archive_key_secrets(key), before);
    ck_assert_int_eq(archive_seal_end(key, seal, digest, seal + ARCHIVE_SEAL_HEAD, NULL), ERR_OK);
    ck_assert_int_eq(judge(same, seal, digest), ARCHIVE_SEAL_GOOD);
    ck_assert_int_eq(judge(key, seal, digest), ARCHIVE_SEAL_GOOD);
    ck_assert_int_eq(archive_key_set_secrets(key, &none, NULL), ERR_OK);
    ck_assert_int_eq(judge(key, seal, digest), ARCHIVE_SEAL_FOREIGN);
    ck_assert_int_eq(archive_seal_end(key, seal, digest, seal + ARCHIVE_SEAL_HEAD, &error),
                     ERR_CONFLICT);
    archive_key_free(&key);
    archive_key_free(&same);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/archive");
    TCase *tcase = tcase_create("archive");

    tcase_add_test(tcase, names_of_members);
    tcase_add_loop_test(tcase, members_have_an_order, 0, sizeof orders / sizeof orders[0]);
    tcase_add_test(tcase, ids_tell_their_time);
    tcase_add_test(tcase, seals_are_judged);
    tcase_add_test(tcase, a_seal_ends_with_the_secret_it_began_with);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
