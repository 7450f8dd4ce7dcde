/* Restores of entries that are done more than once, or where the backup is another's. */
#include "control_data.h"
#include "entries_restore.h"

/* It is ended when it has read some entries. */
static struct backup_entries_counts restore_cut_off(void)
{
    static const _Atomic bool is_stopping = true;
    const struct backup_watch watch = {.is_stopping = &is_stopping};
    struct backup_entries_counts counts = restore_by(nodes[0].app, &backup, &watch);

    ck_assert_int_eq(counts.state, BACKUP_ENTRIES_FAILED);
    return counts;
}

START_TEST(a_second_restore_brings_them_back_again)
{
    put(alice, "k", "v");
    create(1);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 1, 0);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 1, 0);
    expect_hit(1, alice, "k", "v");
}
END_TEST

/* What was deleted between two restores is known by no number. */
START_TEST(a_second_restore_undoes_no_deletion)
{
    put(alice, "k", "v");
    create(1);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 1, 0);
    ck_assert(delete_on(0, alice, "k"));
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 0, 1);
    ck_assert_int_eq(counts.earlier, 1);
    expect_miss(1, alice, "k");
}
END_TEST

/* ---- a restore that is ended, and done once more ---- */

static void put_cleared(void)
{
    clear_on(0, alice);
    clear_on(1, alice);
    put(alice, "k", "v");
    put(bob, "k", "v");
}

START_TEST(one_that_was_cut_off_is_done_once_more)
{
    put_cleared();
    create(2);
    lose_all();
    ck_assert_int_eq(restore_cut_off().restored, 0);
    ck_assert_int_eq(restore_cut_off().restored, 0);
    ck_assert_int_eq(control_clears(redis, alice.user_id), 2);
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 2, 0);
    expect_hit(1, alice, "k", "v");
    expect_hit(1, bob, "k", "v");
}
END_TEST

START_TEST(a_clear_between_the_two_holds)
{
    put_cleared();
    create(2);
    lose_all();
    (void)restore_cut_off();
    clear_on(1, alice);
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 1, 1);
    ck_assert_int_eq(counts.cleared, 1);
    ck_assert_int_eq(control_clears(redis, alice.user_id), 3);
    expect_miss(0, alice, "k");
    expect_hit(0, bob, "k", "v");
}
END_TEST

/* More than are put at once: some of them were there before it was cut off. */
START_TEST(a_deletion_between_the_two_holds)
{
    enum { ENTRIES = 100 };
    int64_t hits = 0;
    char label[32];

    for (int i = 0; i < ENTRIES; i++) {
        snprintf(label, sizeof label, "k%d", i);
        put(alice, label, "v");
    }
    create(ENTRIES);
    lose_all();
    int64_t before = restore_cut_off().restored;
    ck_assert(before > 0 && before < ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(label, sizeof label, "k%d", i);
        (void)!delete_on(0, alice, label);
    }
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, ENTRIES - before, before);
    ck_assert_int_eq(counts.earlier, before);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(label, sizeof label, "k%d", i);
        hits += get_on(1, alice, label, NULL).is_hit;
    }
    ck_assert_int_eq(hits, ENTRIES - before);
}
END_TEST

START_TEST(another_backup_behind_it_brings_none)
{
    put_cleared();
    create(2);
    struct backup older = backup;
    put(alice, "more", "v");
    create(3);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 3, 0);
    ck_assert(delete_on(0, alice, "k"));
    expect_counts(restore_by(nodes[0].app, &older, &unwatched), BACKUP_ENTRIES_KEPT, 0, 0);
    expect_miss(0, alice, "k");
}
END_TEST

/* What was cleared between two backups is not in the older of them as it was. */
START_TEST(clears_that_are_raised_to_those_of_a_newer_backup_hold)
{
    put_cleared();
    create(2);
    struct backup older = backup;
    clear_on(0, alice);
    put(alice, "k", "newer");
    create(2);
    lose_all();
    (void)restore_cut_off();
    redis_server_do(redis, "HDEL cw:dataset entries");
    struct backup_entries_counts counts = restore_by(nodes[0].app, &older, &unwatched);
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 1, 1);
    ck_assert_int_eq(counts.cleared, 1);
    expect_miss(0, alice, "k");
    expect_hit(0, bob, "k", "v");
}
END_TEST

/* ---- another installation ---- */

/* Whether its Redis was lost says nothing here, and accounts here have other people's numbers. */
START_TEST(entries_of_another_installation_stay_away)
{
    struct redis_server *own = redis_server_start(NULL);
    struct loopback other;
    struct entry_request request;
    struct entry_found found;

    put_cleared();
    create(2);
    loopback_open(&other, &(struct loopback_options){.redis_url = redis_server_url(own),
                                                     .backup_directory = folder.path,
                                                     .includes_entries = true,
                                                     .is_unwatched = true});
    expect_counts(restore_by(other.app, &backup, &unwatched), BACKUP_ENTRIES_KEPT, 0, 0);
    request = ask_on(0, bob, "k", NULL);
    request.app = other.app;
    expect_ok(entries_get(&request, &found));
    ck_assert(!found.is_hit);
    loopback_close(&other);
    redis_server_stop(&own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/entries_again");
    TCase *tcase = tcase_create("again");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_second_restore_brings_them_back_again);
    tcase_add_test(tcase, a_second_restore_undoes_no_deletion);
    tcase_add_test(tcase, one_that_was_cut_off_is_done_once_more);
    tcase_add_test(tcase, a_clear_between_the_two_holds);
    tcase_add_test(tcase, a_deletion_between_the_two_holds);
    tcase_add_test(tcase, another_backup_behind_it_brings_none);
    tcase_add_test(tcase, clears_that_are_raised_to_those_of_a_newer_backup_hold);
    tcase_add_test(tcase, entries_of_another_installation_stay_away);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
