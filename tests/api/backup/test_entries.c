/* Entries of the cache service in a backup, and what comes of them in a Redis that lost them. */
#include "backup/entries_put.h"
#include "backup/restore.h"
#include "backup/service.h"
#include "cachewarden/random.h"
#include "entries/envelope.h"
#include "entries_restore.h"
#include "sanitized.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static struct entry_stored put_bytes(const char *label, struct str bytes, int64_t ttl_s)
{
    struct entry_stored stored;

    expect_ok(try_put(
        0, alice, label, NULL,
        (struct entry_fill){.body = bytes, .content_type = STR("image/x-odd; a=b"), .ttl_s = ttl_s},
        &stored));
    return stored;
}

static int64_t increment(int node, struct namespace space, const char *label)
{
    struct entry_request request = ask_on(node, space, label, NULL);
    int64_t value = 0;
    bool is_enabled;

    expect_ok(entries_increment(&request, 1, 3600, &value, &is_enabled));
    return value;
}

/* ---- they come back ---- */

static void expect_all_back(void)
{
    const struct str binary = STR("\0\xff\r\n\xc2 {\"\\");

    put(alice, "text", "one");
    put(bob, "text", "two");
    put(shop, "text", "three");
    put(shop, "empty", "");
    put_on(1, shop, "model", MODELS("Product", "Price"), "four", STR_NONE);
    put_bytes("binary", binary, 500);
    put(alice, "number", "41");
    struct entry_found before = get_on(1, alice, "binary", NULL);
    create(7);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 7, 0);

    expect_hit(0, alice, "text", "one");
    expect_hit(1, bob, "text", "two");
    expect_hit(1, shop, "text", "three");
    expect_hit(0, shop, "empty", "");
    expect_hit(0, shop, "model", "four");
    struct entry_found after = get_on(1, alice, "binary", NULL);
    ck_assert(after.is_hit && str_eq(after.body, binary));
    ck_assert(str_eq(after.content_type, STR("image/x-odd; a=b")));
    ck_assert(str_eq(after.etag, before.etag));
    ck_assert_int_le(after.ttl_s, before.ttl_s);
    ck_assert_int_ge(after.age_s, before.age_s);
    ck_assert_int_gt(after.ttl_s, 500 - PATIENCE_MS / 1000);
    ck_assert_int_eq(increment(1, alice, "number"), 42);
    /* They can be cleared like others. */
    clear_model_on(1, shop, "Price");
    expect_miss(0, shop, "model");
    clear_on(0, alice);
    expect_miss(1, alice, "text");
}

START_TEST(entries_that_were_lost_come_back)
{
    expect_all_back();
}
END_TEST

START_TEST(entries_of_a_redis_of_their_own_come_back)
{
    expect_all_back();
}
END_TEST

/* Bytes that do not compress, as long as an entry may be: they go through many members. A sanitizer sees as much in
 * a few. */
START_TEST(the_largest_entry_comes_back)
{
    size_t size = (size_t)(IS_SANITIZED ? 6 : 60) * 1024 * 1024;
    char *bytes = malloc(size);

    random_bytes(bytes, size);
    put_bytes("large", (struct str){bytes, size}, 3600);
    put(alice, "small", "x");
    create(2);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 2, 0);
    struct entry_found found = get_on(1, alice, "large", NULL);
    ck_assert(found.is_hit && str_eq(found.body, (struct str){bytes, size}));
    expect_hit(0, alice, "small", "x");
    free(bytes);
}
END_TEST

/* ---- what was dropped before ---- */

START_TEST(what_nobody_is_served_is_not_in_it)
{
    put(alice, "cleared", "v");
    put_on(0, shop, "model", MODELS("Product"), "v", STR_NONE);
    put(shop, "deleted", "v");
    put(bob, "number", "7");
    clear_on(0, alice);
    clear_on(1, bob);
    clear_model_on(1, shop, "Product");
    ck_assert(delete_on(0, shop, "deleted"));
    redis_server_do(redis, "SET cw:{u:7}:e:foreign text");
    redis_server_do(redis, "SET cw:{u:0}:e:label text");
    redis_server_do(redis, "SADD cw:{u:7}:e:set member");
    create(0);
    put(shop, "k", "v");
    clear_all_on(0);
    put(alice, "good", "v");
    create(1);
}
END_TEST

/* ---- what was cleared since ---- */

START_TEST(what_redis_has_not_lost_is_left_as_it_is)
{
    put(alice, "k", "old");
    create(1);
    clear_on(0, alice);
    expect_counts(restore(), BACKUP_ENTRIES_KEPT, 0, 0);
    expect_miss(0, alice, "k");
}
END_TEST

START_TEST(a_clear_behind_the_loss_holds)
{
    put(alice, "k", "v");
    put(bob, "k", "v");
    put(shop, "k", "v");
    put_on(0, shop, "model", MODELS("Product"), "v", STR_NONE);
    clear_on(0, bob);
    put(bob, "k", "again");
    create(4);
    lose_all();
    clear_on(0, alice);
    /* As often as it had been cleared before the backup. */
    clear_on(0, bob);
    clear_model_on(1, shop, "Product");
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 1, 3);
    expect_miss(1, alice, "k");
    expect_miss(0, bob, "k");
    expect_miss(0, shop, "model");
    expect_hit(0, shop, "k", "v");
}
END_TEST

START_TEST(a_clear_for_all_behind_the_loss_holds)
{
    put(alice, "k", "v");
    put(shop, "k", "v");
    create(2);
    lose_all();
    clear_all_on(1);
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 0, 2);
    expect_miss(0, alice, "k");
    expect_miss(0, shop, "k");
}
END_TEST

static void turn(int node, struct namespace space, bool enabled)
{
    struct cache_state state;

    error_clear(&error);
    expect_ok(control_switch(nodes[node].app, (struct work){arena, in_time(), &error},
                             space.user_id, enabled, &state));
}

/* What is stored while it is off drops what was there, which is nothing by then. */
START_TEST(a_cache_that_was_off_behind_the_loss_stays_empty)
{
    put(alice, "k", "v");
    put(bob, "k", "v");
    put(shop, "k", "v");
    turn(0, bob, false);
    create(3);
    lose_all();
    turn(0, alice, false);
    put(alice, "k", "newer");
    turn(1, alice, true);
    turn(1, bob, true);
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 1, 2);
    ck_assert_int_eq(counts.cleared, 2);
    expect_miss(1, alice, "k");
    expect_hit(1, shop, "k", "v");
}
END_TEST

START_TEST(what_was_stored_since_stays)
{
    put(alice, "k", "old");
    put(alice, "number", "5");
    create(2);
    lose_all();
    put(alice, "k", "new");
    put(alice, "number", "9");
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 0, 2);
    ck_assert_int_eq(counts.taken, 2);
    /* The new term has made it old. */
    expect_miss(0, alice, "k");
}
END_TEST

START_TEST(what_a_store_of_their_own_holds_is_newer)
{
    put(alice, "k", "v");
    create(1);
    redis_server_do(redis, "FLUSHALL");
    ck_assert(delete_on(0, alice, "k") || true);
    expect_counts(restore(), BACKUP_ENTRIES_KEPT, 0, 0);
    expect_miss(0, alice, "k");
}
END_TEST

/* ---- while it is made ---- */

static void clear_meanwhile(void *with, const char *what, int64_t done, int64_t total)
{
    (void)done;
    (void)total;
    if (strcmp(what, "entries") == 0 && !*(bool *)with) {
        *(bool *)with = true;
        clear_on(1, alice);
    }
}

START_TEST(a_clear_while_it_is_made_holds)
{
    bool is_cleared = false;
    const struct backup_watch watch = {.progress = clear_meanwhile, .with = &is_cleared};

    put(alice, "k", "v");
    put(bob, "k", "v");
    create_watched(&watch);
    ck_assert(is_cleared);
    lose_all();
    expect_counts(restore(), BACKUP_ENTRIES_RESTORED, 1, 1);
    expect_miss(0, alice, "k");
    expect_hit(0, bob, "k", "v");
}
END_TEST

static void lose_meanwhile(void *with, const char *what, int64_t done, int64_t total)
{
    (void)done;
    (void)total;
    if (strcmp(what, with) == 0)
        redis_server_do(redis, "FLUSHALL");
}

/* Entries and clears of two lives of a Redis say nothing of each other. */
START_TEST(a_redis_that_loses_all_while_it_is_read_makes_none)
{
    static char when[][16] = {"entries", "control"};
    const struct backup_watch watch = {.progress = lose_meanwhile, .with = when[_i]};

    put(alice, "k", "v");
    error_clear(&error);
    ck_assert_int_eq(backup_create(nodes[0].app, &watch, &backup, &error), ERR_UPSTREAM_DOWN);
}
END_TEST

/* Many values, so that they are read in several steps, each of which has what is there then. */
START_TEST(an_entry_that_changes_meanwhile_is_whole)
{
    enum { ENTRIES = 300, SIZE = 9000 };
    const struct entries_options from = {.app = nodes[0].app, .duty_percent = 100};
    struct entries_source source;
    struct entries_reader *reader;
    struct entries_rows rows = {0};
    struct strbuf lines;
    static char body[SIZE];
    char label[32];
    int64_t entries = 0;

    memset(body, 'a', sizeof body);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(label, sizeof label, "k%d", i);
        put_bytes(label, (struct str){body, sizeof body}, 3600);
    }
    strbuf_init(&lines, NULL, 4096);
    expect_ok(entries_source_read(nodes[0].app, (struct work){arena, in_time(), &error}, &source));
    ck_assert_int_eq(entries_reader_begin(&from, &source, &reader), ERR_OK);
    memset(body, 'b', sizeof body);
    for (int step = 0; !rows.is_done; step++) {
        expect_ok(entries_reader_read(reader, 1024 * 1024, &lines, &rows, &error));
        entries += (int64_t)rows.entries;
        for (int i = 0; step == 0 && i < ENTRIES; i++) {
            snprintf(label, sizeof label, "k%d", i);
            put_bytes(label, (struct str){body, SIZE - 1}, 3600);
        }
    }
    entries_reader_end(&reader);
    ck_assert_int_eq(entries, ENTRIES);

    int old = 0, new = 0;
    struct str rest = strbuf_str(&lines), line;
    while (str_take_line(&rest, &line)) {
        struct entries_row row;
        expect_ok(entries_row_read(arena, line, &row, &error));
        char kind = row.bytes.ptr[row.bytes.len - 1];
        size_t size = kind == 'a' ? SIZE : SIZE - 1;
        ck_assert_uint_gt(row.bytes.len, size);
        for (size_t i = 1; i <= size; i++)
            ck_assert_int_eq(row.bytes.ptr[row.bytes.len - i], kind);
        old += kind == 'a';
        new += kind == 'b';
    }
    ck_assert_int_gt(old, 0);
    ck_assert_int_gt(new, 0);
    strbuf_fini(&lines);
}
END_TEST

/* ---- room, and life ---- */

START_TEST(a_redis_without_room_takes_none_and_undoes_nothing)
{
    char used[32] = "";

    put(alice, "k", "v");
    put(shop, "number", "5");
    create(2);
    lose_all();
    struct redisReply *info = redis_server_ask(redis, "INFO memory");
    (void)sscanf(strstr(info->str, "used_memory:") + strlen("used_memory:"), "%31[0-9]", used);
    freeReplyObject(info);
    redis_server_do(redis, "CONFIG SET maxmemory %lld", strtoll(used, NULL, 10) / 10 * 12);
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 0, 2);
    ck_assert_int_eq(counts.refused, 2);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
}
END_TEST

/* One that says no to each write, once the control data is in. */
static void expect_metric(const char *line)
{
    struct strbuf out;

    strbuf_init(&out, arena, 4096);
    backups_write_metrics(nodes[0].app->backups, &out);
    strbuf_add_char(&out, '\0');
    ck_assert_msg(strstr(out.ptr, line), "%s is not in\n%s", line, out.ptr);
}

START_TEST(a_store_that_refuses_undoes_nothing)
{
    put(alice, "k", "v");
    put(bob, "k", "v");
    create(2);
    lose_all();
    redis_server_do(store, "CONFIG SET maxmemory 1");
    struct backup_entries_counts counts = restore();
    expect_counts(counts, BACKUP_ENTRIES_RESTORED, 0, 2);
    ck_assert_int_eq(counts.refused, 2);
    expect_metric("cachewarden_backup_entries_total{result=\"backed_up\"} 2\n");
    expect_metric("cachewarden_backup_entries_total{result=\"refused\"} 2\n");
    expect_metric("cachewarden_backup_entries_total{result=\"restored\"} 0\n");
}
END_TEST

/* What may not be read is not taken for what is not there. */
START_TEST(a_store_that_does_not_tell_makes_no_backup)
{
    static const char *const rights[] = {"strlen", "get", "scan"};

    put(alice, "k", "v");
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        redis_server_do(store, "ACL SETUSER default -%s", rights[i]);
        error_clear(&error);
        ck_assert_int_eq(backup_create(nodes[0].app, &unwatched, &backup, &error),
                         ERR_UPSTREAM_REFUSED);
        redis_server_do(store, "ACL SETUSER default +%s", rights[i]);
    }
    create(1);
}
END_TEST

static struct entries_counts put_line(struct entries_row row)
{
    const struct entries_options to = {.app = nodes[0].app, .duty_percent = 100};
    struct entries_putter *putter;
    struct strbuf lines;

    strbuf_init(&lines, arena, 4096);
    entries_row_write(&row, arena, &lines);
    const struct entries_origin from = {.dataset = STR("another"), .backup = STR("it")};
    ck_assert_int_eq(entries_putter_begin(&to, &from, &putter), ERR_OK);
    expect_ok(entries_putter_put(putter, strbuf_str(&lines), &error));
    expect_ok(entries_putter_finish(putter, &error));
    struct entries_counts counts = *entries_putter_counts(putter);
    entries_putter_end(&putter);
    return counts;
}

static int64_t left_ms(const char *key)
{
    struct redisReply *reply = redis_server_ask(redis, "PTTL %s", key);
    int64_t left = reply->integer;

    freeReplyObject(reply);
    return left;
}

START_TEST(what_has_no_time_left_is_left_out)
{
    const struct envelope envelope = {.version = 1,
                                      .stored_at_ms = clock_wall_ms() - 10000,
                                      .life_ms = 3600 * 1000,
                                      .body = STR("v")};
    struct entries_row row = {.kind = ENTRIES_TEXT,
                              .space = shop,
                              .where = STR("app:shop"),
                              .label = STR("k"),
                              .bytes = envelope_encode(arena, &envelope)};

    expect_miss(0, shop, "k");
    row.size = (int64_t)row.bytes.len;
    row.expires_ms = clock_wall_ms() - 1;
    ck_assert_int_eq(put_line(row).expired, 1);
    expect_miss(0, shop, "k");
    row.expires_ms = clock_wall_ms() + 60000;
    ck_assert_int_eq(put_line(row).put, 1);
    struct entry_found found = get_on(1, shop, "k", NULL);
    ck_assert(found.is_hit);
    ck_assert_int_ge(found.age_s, 10);
    ck_assert_int_le(left_ms("cw:{app:shop}:e:k"), 60000);
}
END_TEST

/* ---- what the settings say ---- */

START_TEST(without_the_setting_there_are_none)
{
    const struct backup_restore_order order = {.watch = &unwatched};
    struct backup_restore_order with = order;
    struct backup_restored restored;

    put(alice, "k", "v");
    create(1);
    with.id = str_from(backup.id);
    with.only_tries = true;
    expect_ok(backup_restore_users(nodes[0].app, &with, &restored, &error));
    ck_assert_int_eq(restored.entries.state, BACKUP_ENTRIES_UNTOUCHED);
    ck_assert_int_eq(restored.entries.restored, 1);

    loopback_close(&nodes[1]);
    loopback_open(&nodes[1], &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .backup_directory = folder.path,
                                                        .shares = &nodes[0],
                                                        .is_unwatched = true});
    lose_all();
    with.only_tries = false;
    expect_ok(backup_restore_users(nodes[1].app, &with, &restored, &error));
    expect_ok(backup_restore_redis(nodes[1].app, &with, &restored, &error));
    ck_assert_int_eq(restored.entries.state, BACKUP_ENTRIES_OFF);
    expect_miss(1, alice, "k");
    expect_ok(backup_create(nodes[1].app, &unwatched, &backup, &error));
    ck_assert(!backup.has_entries);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/entries");
    TCase *tcase = tcase_create("entries"), *apart = tcase_create("apart");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, entries_that_were_lost_come_back);
    tcase_add_test(tcase, the_largest_entry_comes_back);
    tcase_add_test(tcase, a_cache_that_was_off_behind_the_loss_stays_empty);
    tcase_add_test(tcase, what_nobody_is_served_is_not_in_it);
    tcase_add_test(tcase, what_redis_has_not_lost_is_left_as_it_is);
    tcase_add_test(tcase, a_clear_behind_the_loss_holds);
    tcase_add_test(tcase, a_clear_for_all_behind_the_loss_holds);
    tcase_add_test(tcase, what_was_stored_since_stays);
    tcase_add_test(tcase, a_clear_while_it_is_made_holds);
    tcase_add_loop_test(tcase, a_redis_that_loses_all_while_it_is_read_makes_none, 0, 2);
    tcase_add_test(tcase, an_entry_that_changes_meanwhile_is_whole);
    tcase_add_test(tcase, a_redis_without_room_takes_none_and_undoes_nothing);
    tcase_add_test(tcase, what_has_no_time_left_is_left_out);
    tcase_add_test(tcase, without_the_setting_there_are_none);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(apart, set_up_apart, tear_down);
    tcase_add_test(apart, entries_of_a_redis_of_their_own_come_back);
    tcase_add_test(apart, what_a_store_of_their_own_holds_is_newer);
    tcase_add_test(apart, a_store_that_refuses_undoes_nothing);
    tcase_add_test(apart, a_store_that_does_not_tell_makes_no_backup);
    suite_add_tcase(suite, apart);
    return suite_run(suite);
}
