/* What users_copy.h promises, on every kind of database and from each to each. */
#include "users/copy_case.h"

static struct user user;
static int64_t user_add_soon; /* what the wall clock said when the test began */

static void find(int64_t id)
{
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
}

static void add_key(const char *id, const char *name, int64_t owner)
{
    static const char digest[33] = "0123456789abcde\xff\x00 23456789abcdef";
    struct api_key key = {.id = str_from(id),
                          .name = str_from(name),
                          .secret_digest = {digest, 32},
                          .scopes = 5,
                          .space = STR("shop"),
                          .owner_id = owner};

    ck_assert_int_eq(api_keys_add(users, &key, &error), ERR_OK);
}

static struct api_key find_key(const char *id)
{
    struct api_key key = {0};
    enum err err = api_keys_find(users, arena, str_from(id), &key, &error);

    ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
    return key;
}

/* More than a page of each, and of each kind of row: deleted, off, with escapes. */
enum { MANY = 510 };

static void fill(void)
{
    char text[64];
    int64_t id;

    for (int i = 1; i <= MANY; i++) {
        snprintf(text, sizeof text, "User.%d", i);
        id = users_backend_add(users, text, "$argon2id$x");
        ck_assert_int_eq(id, i);
    }
    for (int i = 1; i <= 40; i++) {
        snprintf(text, sizeof text,
                 "Gr\xc3\xb6\xc3\x9f"
                 "e \"%d\"",
                 i);
        ck_assert_int_eq(users_set_group(users, 3 + i % 2, str_from(text), true, &error), ERR_OK);
        ck_assert_int_eq(users_switch_set(users, 1000000 + i, true, &error), ERR_OK);
        snprintf(text, sizeof text, "%012d", i);
        add_key(text, text, i % 2 ? i : 0);
        ck_assert_int_eq(users_provision(users, STR("https://i\\"), str_from(text), &id, &error),
                         ERR_OK);
    }
    ck_assert_int_eq(users_delete(users, 7, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, 8, false, &error), ERR_OK);
    ck_assert_int_eq(users_set_superuser(users, 9, true, &error), ERR_OK);
}

static void check_that_all_is_there(void)
{
    struct user *all;
    struct api_key *keys;
    struct users_ids off;
    struct str issuer, subject;
    size_t count;

    ck_assert_int_eq(users_list(users, arena, &all, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, MANY + 40 - 1);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("user.510"), &user, &error), ERR_OK);
    ck_assert(user.id == MANY && str_eq(user.username, STR("User.510")) && user.is_active);
    ck_assert(str_eq(user.password_hash, STR("$argon2id$x")));
    find(7);
    ck_assert(user.is_deleted);
    find(8);
    ck_assert(!user.is_active && !user.is_deleted && user.tokens_not_before_s > 0);
    find(9);
    ck_assert(user.is_superuser);
    find(3);
    ck_assert_uint_eq(user.group_count, 20);
    ck_assert(str_eq(user.groups[0], STR("Gr\xc3\xb6\xc3\x9f"
                                         "e \"10\"")));
    ck_assert_int_eq(api_keys_list(users, arena, &keys, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 40);
    struct api_key key = find_key("000000000001");
    ck_assert(key.owner_id == 1 && key.scopes == 5 && str_eq(key.space, STR("shop")));
    ck_assert(key.secret_digest.len == 32 && key.secret_digest.ptr[15] == '\xff');
    ck_assert_int_gt(find_key("000000000007").revoked_at_s, 0);
    ck_assert_int_eq(find_key("000000000002").owner_id, 0);
    ck_assert_int_eq(users_subject_of(users, arena, MANY + 40, &issuer, &subject, &error), ERR_OK);
    ck_assert(str_eq(issuer, STR("https://i\\")) && str_eq(subject, STR("000000000040")));
    ck_assert_int_eq(users_switches_off(users, arena, 0, 100, &off, &error), ERR_OK);
    ck_assert_uint_eq(off.count, 40);
}

/* The numbers of _i: from which kind to which. */
START_TEST(all_rows_move_to_another_database)
{
    struct copy copy, again;
    char *facts;

    open_backend(_i / USERS_BACKEND_COUNT);
    fill();
    copy_take(&copy);
    ck_assert_uint_eq(copy.rows[USERS_ACCOUNTS], MANY + 40);
    ck_assert_uint_eq(copy.living[USERS_ACCOUNTS], MANY + 40 - 1);
    ck_assert_uint_eq(copy.rows[USERS_API_KEYS], 40);
    facts = memmem(copy.lines[USERS_FACTS].ptr, copy.lines[USERS_FACTS].len, "install_id", 10);
    ck_assert_ptr_nonnull(facts);
    close_backend();

    open_backend(_i % USERS_BACKEND_COUNT);
    struct users_import_counts counts = copy_put_back(&copy);
    ck_assert_int_eq(counts.accounts, MANY + 40 - 1);
    ck_assert_int_eq(counts.added, MANY + 40 - 1);
    ck_assert(counts.removed == 0 && counts.passwords == 0 && counts.keys == 40);
    check_that_all_is_there();
    copy_take(&again);
    for (enum users_table table = 0; table < USERS_FACTS; table++)
        ck_assert_msg(str_eq(strbuf_str(&copy.lines[table]), strbuf_str(&again.lines[table])), "%s",
                      users_table_name(table));
    copy_free(&again);
    /* The next one gets a number that nobody had. */
    ck_assert_int_eq(users_backend_add(users, "next", "h"), MANY + 41);
    copy_free(&copy);
    close_backend();
}
END_TEST

START_TEST(a_copy_is_of_the_moment_it_began)
{
    struct users_snapshot *snapshot;
    struct copy copy, small;
    struct api_key *keys;
    size_t count;

    open_backend(_i);
    for (int i = 0; i < 900; i++) {
        char name[32];
        snprintf(name, sizeof name, "user%d", i);
        users_backend_add(users, name, "h");
    }
    ck_assert_int_eq(users_snapshot_begin(users, &snapshot, &error), ERR_OK);
    /* Others go on meanwhile: those of this program, and of another one. */
    struct users *other = users_backend_open();
    users_backend_add(users, "late", "h");
    users_backend_add(other, "later", "h");
    add_key("aaaaaaaaaaaa", "late", 0);
    ck_assert_int_eq(users_delete(users, 1, &error), ERR_OK);
    ck_assert_int_eq(api_keys_list(users, arena, &keys, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 1);
    copy_read(snapshot, USERS_COPY_LINE_MAX, &small);
    users_snapshot_end(&snapshot);
    ck_assert_uint_eq(small.living[USERS_ACCOUNTS], 900);
    ck_assert_uint_eq(small.rows[USERS_API_KEYS], 0);
    copy_take(&copy);
    ck_assert_uint_eq(copy.rows[USERS_ACCOUNTS], 902);
    ck_assert_uint_eq(copy.living[USERS_ACCOUNTS], 901);
    ck_assert_uint_eq(copy.rows[USERS_API_KEYS], 1);
    copy_free(&copy);
    copy_free(&small);
    users_close(&other);
    close_backend();
}
END_TEST

START_TEST(who_only_tries_changes_nothing)
{
    struct users_import_counts counts;
    struct copy copy, before, after;

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    copy_take(&copy);
    users_backend_add(users, "bob", "h");
    add_key("aaaaaaaaaaaa", "one", 1);
    ck_assert_int_eq(users_set_password(users, 1, STR("other"), &error), ERR_OK);
    copy_take(&before);
    /* Nobody waits for it. */
    struct users_import *import;
    ck_assert_int_eq(users_import_begin(users, true, &import, &error), ERR_OK);
    ck_assert_int_eq(users_import_hold(import, &error), ERR_OK);
    ck_assert_int_eq(users_set_superuser(users, 1, false, &error), ERR_OK);
    ck_assert_int_eq(users_import_fact_set(import, STR("one"), STR("1"), &error), ERR_OK);
    ck_assert_int_eq(users_import_end(&import, ERR_OK, &error), ERR_OK);
    ck_assert_int_eq(copy_put(&copy, false, &counts), ERR_OK);
    ck_assert(counts.accounts == 1 && counts.added == 0 && counts.passwords == 1);
    ck_assert(counts.removed == 1 && counts.keys == 0 && counts.keys_removed == 1);
    copy_take(&after);
    for (enum users_table table = 0; table < USERS_TABLE_COUNT; table++)
        ck_assert(str_eq(strbuf_str(&before.lines[table]), strbuf_str(&after.lines[table])));
    copy_free(&copy);
    copy_free(&before);
    copy_free(&after);
    close_backend();
}
END_TEST

/* Accounts that are here, there, or both; names that went from one to another meanwhile. */
START_TEST(accounts_are_those_of_the_copy)
{
    struct copy copy;
    int64_t id;

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    users_backend_add(users, "bob", "h");
    users_backend_add(users, "carol", "h");
    ck_assert_int_eq(users_provision(users, STR("i"), STR("known"), &id, &error), ERR_OK);
    copy_take(&copy);
    ck_assert_int_eq(users_delete(users, 1, &error), ERR_OK);
    ck_assert_int_eq(users_delete(users, 2, &error), ERR_OK);
    ck_assert_int_eq(users_backend_add(users, "bob", "h"), 5);
    ck_assert_int_eq(users_backend_add(users, "new", "h"), 6);
    ck_assert_int_eq(users_provision(users, STR("i"), STR("unknown"), &id, &error), ERR_OK);
    ck_assert_int_eq(id, 7);
    ck_assert_int_eq(users_switch_set(users, 3, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, 3, STR("late"), true, &error), ERR_OK);

    struct users_import_counts counts = copy_put_back(&copy);
    ck_assert(counts.accounts == 4 && counts.added == 2 && counts.removed == 3);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("alice"), &user, &error), ERR_OK);
    ck_assert_int_eq(user.id, 1);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("bob"), &user, &error), ERR_OK);
    ck_assert_int_eq(user.id, 2);
    ck_assert_int_eq(users_find_by_name(users, arena, STR("new"), &user, &error), ERR_NOT_FOUND);
    for (id = 5; id <= 7; id++) {
        find(id);
        ck_assert(user.is_deleted && !user.is_active && user.password_hash.len == 0);
    }
    find(3);
    ck_assert_uint_eq(user.group_count, 0);
    bool is_off;
    ck_assert_int_eq(users_switch_is_off(users, 3, &is_off, &error), ERR_OK);
    ck_assert(!is_off);
    ck_assert_int_eq(users_provision(users, STR("i"), STR("known"), &id, &error), ERR_OK);
    ck_assert_int_eq(id, 4);
    /* Whoever is gone is made anew, with a number that nobody had. */
    ck_assert_int_eq(users_provision(users, STR("i"), STR("unknown"), &id, &error), ERR_OK);
    ck_assert_int_eq(id, 8);
    copy_free(&copy);
    close_backend();
}
END_TEST

static struct str incarnation_of(int64_t id)
{
    find(id);
    return user.incarnation;
}

START_TEST(no_token_is_good_that_was_not)
{
    struct copy copy;

    open_backend(_i);
    user_add_soon = clock_wall_s();
    for (int i = 1; i <= 6; i++)
        users_backend_add(users, (const char[]){(char)('a' + i), '\0'}, "h");
    ck_assert_int_eq(users_change_password(users, 6, STR("h"), STR("h6"), STR("fam"), &error),
                     ERR_OK);
    copy_take(&copy);
    struct str same = incarnation_of(1), gone = incarnation_of(4);
    find(6);
    int64_t kept = user.tokens_not_before_s;
    /* 2: another password; 3: deactivated; 4: deleted; 5: signed out everywhere. */
    ck_assert_int_eq(users_set_password(users, 2, STR("other"), &error), ERR_OK);
    ck_assert_int_eq(users_set_active(users, 3, false, &error), ERR_OK);
    ck_assert_int_eq(users_delete(users, 4, &error), ERR_OK);
    ck_assert_int_eq(users_void_tokens(users, 5, &error), ERR_OK);
    struct str second = incarnation_of(2), third = incarnation_of(3);
    find(5);
    int64_t fifth = user.tokens_not_before_s;
    find(2);
    int64_t voided = user.tokens_not_before_s;

    struct users_import_counts counts = copy_put_back(&copy);
    ck_assert_int_eq(counts.passwords, 1);
    ck_assert(str_eq(incarnation_of(1), same) && user.tokens_not_before_s == 0);
    /* Who signed in with that password a moment ago has tokens that no date would end. */
    ck_assert(!str_eq(incarnation_of(2), second) && str_eq(user.password_hash, STR("h")));
    ck_assert_int_gt(user.tokens_not_before_s, voided);
    ck_assert_int_gt(user.tokens_not_before_s, user_add_soon);
    /* Not the one it has now, nor the one it had. */
    ck_assert(!str_eq(incarnation_of(3), third) && user.is_active);
    ck_assert_uint_eq(user.incarnation.len, USERS_INCARNATION_SIZE);
    ck_assert(!str_eq(incarnation_of(4), gone) && !user.is_deleted);
    ck_assert_int_gt(user.tokens_not_before_s, user_add_soon);
    find(5);
    ck_assert_int_eq(user.tokens_not_before_s, fifth);
    find(6);
    ck_assert(user.tokens_not_before_s == kept && str_eq(user.tokens_kept_family, STR("fam")));

    /* Once more: what it did is not undone, and nothing is done twice. */
    struct str now = incarnation_of(4);
    counts = copy_put_back(&copy);
    ck_assert(counts.added == 0 && counts.removed == 0 && counts.passwords == 0);
    ck_assert(str_eq(incarnation_of(4), now));
    ck_assert(str_eq(incarnation_of(1), same));
    copy_free(&copy);
    close_backend();
}
END_TEST

/* A number is not who somebody is: these were made in two databases. */
START_TEST(the_same_number_is_somebody_else)
{
    struct users_import_counts counts = {0};
    struct copy copy = {0};

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(users_note_login(users, 1, 1769860800, &error), ERR_OK);
    struct str before = incarnation_of(1);
    strbuf_add(
        &copy.lines[USERS_ACCOUNTS],
        STR("{\"id\":1,\"username\":\"admin\",\"email\":\"a@example.org\",\"password_hash\":\"h\","
            "\"is_superuser\":1,\"is_active\":1,\"created_at_s\":1,\"deleted_at_s\":0,"
            "\"tokens_not_before_s\":0,\"tokens_kept_family\":\"\"}\n"));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(copy_put(&copy, i == 1, &counts), ERR_OK);
        ck_assert(counts.added == 1 && counts.removed == 1 && counts.passwords == 0);
    }
    ck_assert(!str_eq(incarnation_of(1), before));
    find(1);
    ck_assert_int_eq(user.last_login_at_s, 0);
    copy_free(&copy);
    close_backend();
}
END_TEST

START_TEST(a_kept_family_loses_its_tokens_with_the_password)
{
    struct copy copy;

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    copy_take(&copy);
    ck_assert_int_eq(users_change_password(users, 1, STR("h"), STR("thief's"), STR("fam"), &error),
                     ERR_OK);
    ck_assert_int_eq(users_note_login(users, 1, 1769860800, &error), ERR_OK);
    copy_put_back(&copy);
    find(1);
    ck_assert_int_eq(user.last_login_at_s, 1769860800);
    ck_assert(str_eq(user.password_hash, STR("h")) && user.tokens_kept_family.len == 0);
    copy_free(&copy);
    close_backend();
}
END_TEST

START_TEST(a_revoked_key_stays_revoked)
{
    struct copy copy, newer;

    open_backend(_i);
    add_key("000000000001", "stays", 0);
    add_key("000000000002", "revoked", 0);
    copy_take(&copy);
    ck_assert_int_eq(api_keys_revoke(users, STR("revoked"), 5000, &error), ERR_OK);
    add_key("000000000003", "new", 0);
    add_key("000000000004", "new_revoked", 0);
    copy_take(&newer);
    ck_assert_int_eq(api_keys_revoke(users, STR("new_revoked"), 6000, &error), ERR_OK);
    ck_assert_int_eq(api_keys_touch(users, STR("000000000001"), 7000, &error), ERR_OK);

    struct users_import_counts counts = copy_put_back(&copy);
    ck_assert(counts.keys == 2 && counts.keys_removed == 1);
    ck_assert_int_eq(find_key("000000000001").revoked_at_s, 0);
    ck_assert_int_eq(find_key("000000000001").last_used_at_s, 7000);
    ck_assert_int_eq(find_key("000000000002").revoked_at_s, 5000);
    ck_assert_uint_eq(find_key("000000000003").id.len, 0);
    ck_assert_int_eq(find_key("000000000004").revoked_at_s, 6000);
    ck_assert(str_eq(find_key("000000000004").name, STR("new_revoked")));
    /* The name of one that is gone can be another's; then a copy comes that has both. */
    add_key("000000000005", "new", 0);
    ck_assert_int_eq(api_keys_revoke(users, STR("new"), 8000, &error), ERR_OK);
    copy_put_back(&newer);
    ck_assert(str_eq(find_key("000000000003").name, STR("new")));
    ck_assert_int_eq(find_key("000000000003").revoked_at_s, 0);
    ck_assert_int_eq(find_key("000000000004").revoked_at_s, 6000);
    ck_assert(str_eq(find_key("000000000005").name, STR("000000000005")));
    ck_assert_int_eq(find_key("000000000005").revoked_at_s, 8000);
    copy_free(&copy);
    copy_free(&newer);
    close_backend();
}
END_TEST

START_TEST(facts_are_the_callers)
{
    struct users_import *import;
    struct str value, name, install;

    open_backend(_i);
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &install, &error), ERR_OK);
    ck_assert_int_eq(users_import_begin(users, false, &import, &error), ERR_OK);
    ck_assert_int_eq(users_import_hold(import, &error), ERR_OK);
    ck_assert(users_import_is_first(import));
    ck_assert_int_eq(users_import_fact_get(import, arena, STR("none"), &value, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(users_import_fact_set(import, STR("one"), STR("1"), &error), ERR_OK);
    ck_assert_int_eq(users_import_fact_get(import, arena, STR("one"), &value, &error), ERR_OK);
    ck_assert(str_eq(value, STR("1")));
    ck_assert_int_eq(users_fact_get(users, arena, STR("one"), &value, &error), ERR_NOT_FOUND);
    /* What was read stays true until the end: another node's compare-and-set waits, and gives up. */
    struct users *other = users_backend_open();
    ck_assert_int_eq(users_import_fact_get(import, arena, STR("install_id"), &value, &error),
                     ERR_OK);
    ck_assert_int_eq(users_fact_replace(other, STR("install_id"), install, STR("x"), &error),
                     ERR_UPSTREAM_DOWN);
    users_close(&other);
    ck_assert_int_eq(users_import_end(&import, ERR_OK, &error), ERR_OK);
    ck_assert_int_eq(users_fact_get(users, arena, STR("one"), &value, &error), ERR_OK);
    ck_assert_int_eq(users_fact_get(users, arena, STR("install_id"), &value, &error), ERR_OK);
    ck_assert(str_eq(value, install));
    users_backend_add(users, "alice", "h");
    ck_assert_int_eq(users_import_begin(users, false, &import, &error), ERR_OK);
    ck_assert_int_eq(users_import_hold(import, &error), ERR_OK);
    ck_assert(!users_import_is_first(import));
    ck_assert_int_eq(users_import_end(&import, ERR_CONFLICT, &error), ERR_CONFLICT);
    ck_assert_int_eq(
        users_copy_read_fact(arena, STR("{\"name\":\"a\",\"value\":\"b\"}"), &name, &value, &error),
        ERR_OK);
    ck_assert(str_eq(name, STR("a")) && str_eq(value, STR("b")));
    ck_assert_int_eq(users_copy_read_fact(arena, STR("{\"name\":\"a\"}"), &name, &value, &error),
                     ERR_BAD_INPUT);
    close_backend();
}
END_TEST

/* As Redis may know better than the rows of a copy. */
START_TEST(marks_of_elsewhere_hold)
{
    const int64_t now_s = clock_wall_s();
    const struct {
        int64_t voided_s, least_s, most_s;
    } cases[] = {{0, 0, 0},
                 {now_s - 5, now_s, now_s + PATIENCE_MS / 1000},
                 {now_s + 100000, now_s + 1, now_s + PATIENCE_MS / 1000}};

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    users_backend_add(users, "bob", "h");
    struct copy copy;
    copy_take(&copy);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct users_import_counts counts;
        struct users_import *import;
        /* What the import voids itself says nothing of the others. */
        if (i == 1)
            ck_assert_int_eq(users_replace_hash(users, 2, STR("h"), STR("h2"), &error), ERR_OK);
        ck_assert_int_eq(users_import_begin(users, false, &import, &error), ERR_OK);
        ck_assert_int_eq(users_import_rows(import, USERS_ACCOUNTS,
                                           strbuf_str(&copy.lines[USERS_ACCOUNTS]), &error),
                         ERR_OK);
        ck_assert_int_eq(users_import_hold(import, &error), ERR_OK);
        ck_assert_int_eq(users_import_finish(import, &counts, &error), ERR_OK);
        ck_assert_int_eq(users_import_raise(import, 70, cases[i].voided_s, &error), ERR_OK);
        ck_assert_int_eq(users_import_end(&import, ERR_OK, &error), ERR_OK);
        find(1);
        ck_assert_int_ge(user.tokens_not_before_s, cases[i].least_s);
        ck_assert_int_le(user.tokens_not_before_s, cases[i].most_s);
    }
    ck_assert_int_eq(users_backend_add(users, "next", "h"), 71);
    copy_free(&copy);
    close_backend();
}
END_TEST

#define ACCOUNT(id, name, deleted)                                                        \
    "{\"id\":" id ",\"username\":" name ",\"email\":" name ",\"password_hash\":\"h\","    \
    "\"is_superuser\":0,\"is_active\":1,\"created_at_s\":1,\"deleted_at_s\":" deleted "," \
    "\"tokens_not_before_s\":0,\"tokens_kept_family\":\"\"}\n"

static const struct {
    enum users_table table;
    const char *lines, *says;
} bad[] = {
    {USERS_ACCOUNTS, "{}\n", "not an object with the 10 columns of accounts"},
    {USERS_ACCOUNTS, "rubbish\n", "not an object"},
    {USERS_ACCOUNTS, "\n", "not an object"},
    {USERS_ACCOUNTS, ACCOUNT("0", "\"a\"", "0"), "\"id\""},
    {USERS_ACCOUNTS, ACCOUNT("\"1\"", "\"a\"", "0"), "\"id\""},
    {USERS_ACCOUNTS, ACCOUNT("2", "\"a\"", "0") ACCOUNT("2", "\"b\"", "0"), "does not rise"},
    {USERS_ACCOUNTS, ACCOUNT("1", "\"a\"", "5"), "only what is deleted has no name"},
    {USERS_ACCOUNTS, ACCOUNT("1", "null", "0"), "only what is deleted has no name"},
    {USERS_ACCOUNTS, ACCOUNT("1", "\"a\"", "0") ACCOUNT("2", "\"A\"", "0"), "does not fit"},
    {USERS_ACCOUNTS, ACCOUNT("1", "\"a\\u0000b\"", "0"), "not an object"},
    {USERS_ACCOUNTS, "{\"id\":1}", "the last line has no end"},
    {USERS_GROUPS, "{\"account_id\":99,\"name\":\"g\"}\n", "does not fit"},
    {USERS_GROUPS, "{\"account_id\":1,\"named\":\"g\"}\n", "\"name\""},
    {USERS_API_KEYS,
     "{\"id\":\"k\",\"name\":\"n\",\"secret_digest\":\"00\",\"scopes\":1,\"space\":\"\",\"owner_"
     "id\":null,"
     "\"created_at_s\":1,\"expires_at_s\":0,\"revoked_at_s\":0,\"last_used_at_s\":0}\n",
     "\"secret_digest\""},
    {USERS_SWITCHES, "{\"user_id\":5}\n{\"user_id\":5}\n", "does not fit"},
};

/* Rows of a table share a database: none of them changes it. */
START_TEST(a_row_that_is_none_is_refused)
{
    struct users_import_counts counts;
    struct user *all;
    size_t count;

    open_backend(_i);
    users_backend_add(users, "alice", "h");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct copy copy = {0};
        error_clear(&error);
        strbuf_add(&copy.lines[bad[i].table], str_from(bad[i].lines));
        ck_assert_msg(copy_put(&copy, true, &counts) == ERR_BAD_INPUT, "%zu", i);
        ck_assert_msg(strstr(error.caller, bad[i].says), "%zu: %s", i, error.caller);
        ck_assert_ptr_nonnull(strstr(error.caller, users_table_name(bad[i].table)));
        copy_free(&copy);
        ck_assert_int_eq(users_list(users, arena, &all, &count, &error), ERR_OK);
        ck_assert_uint_eq(count, 1);
    }
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/copy");
    TCase *copy = tcase_create("copy");

    tcase_add_loop_test(copy, all_rows_move_to_another_database, 0,
                        USERS_BACKEND_COUNT * USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, a_copy_is_of_the_moment_it_began, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, who_only_tries_changes_nothing, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, accounts_are_those_of_the_copy, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, no_token_is_good_that_was_not, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, the_same_number_is_somebody_else, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, a_kept_family_loses_its_tokens_with_the_password, 0,
                        USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, a_revoked_key_stays_revoked, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, facts_are_the_callers, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, marks_of_elsewhere_hold, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(copy, a_row_that_is_none_is_refused, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, copy);
    return users_backends_run(suite);
}
