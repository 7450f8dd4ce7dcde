/* What of the control data is backed up, and what comes of it in another Redis, or the same one later. */
#include "backup/control_data.h"

#include "control_data.h"
#include "identity/identity_case.h"
#include "patience.h"
#include "suite.h"

static struct strbuf lines;
static struct error error;

static struct control_options options(void)
{
    return (struct control_options){
        .control = loopback.app->control, .budget_ms = PATIENCE_MS, .duty_percent = 100};
}

static struct control_rows read_all(size_t limit)
{
    struct control_options from = options();
    struct control_reader *reader;
    struct control_rows rows = {0}, sum = {0};

    lines.len = 0;
    ck_assert_int_eq(control_reader_begin(&from, &reader), ERR_OK);
    while (!rows.is_done) {
        size_t before = lines.len;
        ck_assert_msg(control_reader_read(reader, limit, &lines, &rows, &error) == ERR_OK, "%s",
                      error.detail);
        ck_assert_uint_le(lines.len - before, limit);
        sum.rows += rows.rows;
        sum.keys += rows.keys;
    }
    control_reader_end(&reader);
    ck_assert_ptr_null(reader);
    strbuf_add_char(&lines, '\0');
    lines.len--;
    return sum;
}

static struct control_counts put_all(void)
{
    struct control_options to = options();
    struct control_counts counts = {0};

    ck_assert_msg(control_put(&to, strbuf_str(&lines), &counts, &error) == ERR_OK, "%s / %s",
                  error.caller, error.detail);
    return counts;
}

static void set_up(void)
{
    open_all();
    error_clear(&error);
    strbuf_init(&lines, NULL, 1024);
    /* The gate sees to it that there is a term. */
    read_all(4096);
    ck_assert_int_gt(control_term(redis), 0);
}

static void tear_down(void)
{
    strbuf_fini(&lines);
    close_all();
}

static void expect_line(const char *line)
{
    ck_assert_msg(strstr(lines.ptr, line), "%s is not in\n%s", line, lines.ptr);
}

/* More than a page of revocations, many at one second; more namespaces than one SCAN looks at. */
enum { REVOKED = 1300, CLEARED = 1500 };

static int64_t fill(void)
{
    int64_t soon = clock_wall_s() + 5000;

    redis_server_do(
        redis, "EVAL %s 0 %lld %d %d",
        "for i = 0, ARGV[2] - 1 do redis.call('ZADD', 'cw:revoked', ARGV[1] + (i < 700 "
        "and 0 or i), string.format('f:%032d', i)) end "
        "for i = 1, ARGV[3] do redis.call('HSET', 'cw:{u:' .. i .. '}', 'clears', i) end",
        (long long)soon, REVOKED, CLEARED);
    return soon;
}

START_TEST(clears_revocations_and_marks_are_there)
{
    int64_t soon = fill();
    char line[160];

    redis_server_do(redis, "SET cw:ids 70");
    redis_server_do(redis, "SET cw:voided 80");
    redis_server_do(redis, "HSET cw:{app:shop} clears 9");
    /* What is no control data, or says nothing here. */
    redis_server_do(redis, "ZADD cw:revoked %lld f:%032d", (long long)soon - 6000, 9999);
    redis_server_do(redis, "ZADD cw:revoked 1.7e+20 f:%032d", 9998);
    redis_server_do(redis, "ZADD cw:revoked %lld rubbish", (long long)soon);
    redis_server_do(redis, "HSET cw:{u:5000} off:1 1");
    redis_server_do(redis, "SET cw:{u:5001} text");
    redis_server_do(redis, "HSET cw:{u:7}:m m:Product 3");
    redis_server_do(redis, "SET cw:{u:7}:e:label v");
    redis_server_do(redis, "HSET cw:{u:0} clears 1");
    redis_server_do(redis, "HSET cw:t:abc record r");

    struct control_rows rows = read_all(4096);
    ck_assert_uint_eq(rows.rows, 1 + REVOKED + CLEARED + 1);
    ck_assert_uint_eq(rows.keys, 4 + CLEARED + 1);
    snprintf(line, sizeof line,
             "{\"kind\":\"marks\",\"term\":%lld,\"epoch\":%lld,\"reserved\":%lld,"
             "\"highest_id\":70,\"voided_s\":80}\n",
             (long long)control_term(redis), (long long)control_epoch(redis),
             (long long)control_number(redis, "cw:dataset", "reserved"));
    ck_assert_ptr_eq(strstr(lines.ptr, line), lines.ptr);
    expect_line("{\"kind\":\"clears\",\"namespace\":\"user:1500\",\"clears\":1500}\n");
    expect_line("{\"kind\":\"clears\",\"namespace\":\"app:shop\",\"clears\":9}\n");
    for (int i = 0; i < REVOKED; i += 649) {
        snprintf(line, sizeof line,
                 "{\"kind\":\"revoked\",\"what\":\"f:%032d\",\"expires_s\":%lld}\n", i,
                 (long long)soon + (i < 700 ? 0 : i));
        expect_line(line);
    }
    /* The same in large portions. */
    size_t size = lines.len;
    ck_assert_uint_eq(read_all(1024 * 1024).keys, rows.keys);
    ck_assert_uint_eq(lines.len, size);
}
END_TEST

START_TEST(an_empty_redis_gets_all_of_it)
{
    int64_t soon = fill();

    read_all(1024 * 1024);
    redis_server_do(redis, "DEL cw:revoked");
    redis_server_do(redis, "EVAL %s 0 %d",
                    "for i = 1, ARGV[1] do redis.call('DEL', 'cw:{u:' .. i .. '}') end", CLEARED);
    struct control_counts counts = put_all();
    ck_assert(counts.revocations == REVOKED && counts.clears == CLEARED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), REVOKED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCOUNT cw:revoked %lld %lld", (long long)soon,
                                              (long long)soon),
                     700);
    for (int i = 1; i <= CLEARED; i += 499)
        ck_assert_int_eq(control_clears(redis, i), i);
    counts = put_all();
    ck_assert(counts.revocations == REVOKED && counts.clears == 0);
}
END_TEST

START_TEST(nothing_is_lowered)
{
    int64_t soon = clock_wall_s() + 5000;
    static const char member[] = "f:00000000000000000000000000000001";

    control_set_clears(redis, 7, 5);
    control_set_clears(redis, 8, 5);
    redis_server_do(redis, "ZADD cw:revoked %lld %s", (long long)soon, member);
    read_all(4096);
    control_set_clears(redis, 7, 6);
    control_set_clears(redis, 8, 4);
    redis_server_do(redis, "ZADD cw:revoked %lld %s", (long long)soon + 100, member);
    redis_server_do(redis, "SET cw:ids 70");
    int64_t epoch = control_epoch(redis);
    struct control_counts counts = put_all();
    ck_assert(counts.revocations == 1 && counts.clears == 1);
    ck_assert_int_eq(control_clears(redis, 7), 6);
    ck_assert_int_eq(control_clears(redis, 8), 5);
    ck_assert_int_eq(
        redis_server_ask_integer(redis, "ZCOUNT cw:revoked %lld +inf", (long long)soon + 100), 1);
    ck_assert_int_eq(control_epoch(redis), epoch);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 70);
}
END_TEST

START_TEST(what_has_expired_since_stays_away)
{
    struct control_options to = options();
    struct control_counts counts = {0};
    struct str expired = STR(
        "{\"kind\":\"revoked\",\"what\":\"f:00000000000000000000000000000001\",\"expires_s\":5}\n");

    ck_assert_int_eq(control_put(&to, expired, &counts, &error), ERR_OK);
    ck_assert_int_eq(counts.revocations, 0);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:revoked"), 0);
}
END_TEST

/* Put there by hand. A backup that holds it has to be good for something. */
START_TEST(no_number_is_too_large_to_be_read_again)
{
    redis_server_do(redis, "HSET cw:{u:7} clears 9223372036854775807");
    redis_server_do(redis, "SET cw:ids 9223372036854775807");
    redis_server_do(redis, "ZADD cw:revoked 9007199254740992 f:00000000000000000000000000000001");
    read_all(4096);
    expect_line("\"clears\":4503599627370496}\n");
    expect_line("\"expires_s\":4503599627370496}\n");
    expect_line("\"highest_id\":4503599627370496,");
    redis_server_do(redis, "DEL cw:{u:7} cw:revoked");
    struct control_counts counts = put_all();
    ck_assert(counts.revocations == 1 && counts.clears == 1);
}
END_TEST

static const char *const bad[] = {
    "rubbish\n",
    "{}\n",
    "\n\n",
    "{\"kind\":\"clears\",\"namespace\":\"user:0\",\"clears\":1}\n",
    "{\"kind\":\"clears\",\"namespace\":\"user:7\",\"clears\":-1}\n",
    "{\"kind\":\"clears\",\"namespace\":\"user:7\",\"clears\":9007199254740992}\n",
    "{\"kind\":\"clears\",\"namespace\":\"user:7\",\"clears\":1,\"more\":1}\n",
    "{\"kind\":\"clears\",\"namespace\":\"gateway\",\"clears\":1}\n",
    "{\"kind\":\"clears\",\"namespace\":\"app:a}b\",\"clears\":1}\n",
    "{\"kind\":\"revoked\",\"what\":\"z:1\",\"expires_s\":99999999999}\n",
    "{\"kind\":\"revoked\",\"what\":\"f:1\",\"expires_s\":\"1\"}\n",
    "{\"kind\":\"marks\",\"term\":1}\n",
    "{\"kind\":\"other\"}\n",
};

START_TEST(what_is_no_line_is_refused)
{
    struct control_options to = options();
    struct control_counts counts = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(control_put(&to, str_from(bad[i]), &counts, &error) == ERR_BAD_INPUT, "%s",
                      bad[i]);
    ck_assert_int_eq(control_clears(redis, 7), 0);
}
END_TEST

/* The second that a page ends in loses some of those that were read, and then the last one of them. */
START_TEST(none_is_hidden_by_another_that_lasts_longer)
{
    int changed[] = {0, 3, 499, 10};
    int64_t soon = fill();

    struct control_options from = options();
    struct control_reader *reader;
    struct control_rows rows = {0};
    char wanted[64];
    lines.len = 0;
    ck_assert_int_eq(control_reader_begin(&from, &reader), ERR_OK);
    for (size_t i = 0; !rows.is_done; i++) {
        ck_assert_msg(control_reader_read(reader, 4096, &lines, &rows, &error) == ERR_OK, "%s",
                      error.detail);
        if (i < sizeof changed / sizeof *changed)
            redis_server_do(redis, "ZADD cw:revoked GT %lld f:%032d", (long long)soon + 4000,
                            changed[i]);
    }
    control_reader_end(&reader);
    strbuf_add_char(&lines, '\0');
    for (int i = 0; i < REVOKED; i++) {
        snprintf(wanted, sizeof wanted, "f:%032d", i);
        ck_assert_msg(strstr(lines.ptr, wanted), "%s", wanted);
    }
}
END_TEST

START_TEST(it_ends_when_the_program_does)
{
    _Atomic bool is_stopping = false;
    struct control_options from = options();
    struct control_reader *reader;
    struct control_rows rows;

    from.is_stopping = &is_stopping;
    ck_assert_int_eq(control_reader_begin(&from, &reader), ERR_OK);
    is_stopping = true;
    ck_assert_int_eq(control_reader_read(reader, 4096, &lines, &rows, &error), ERR_BUSY);
    control_reader_end(&reader);
}
END_TEST

/* Half of one Redis and half of another would be a backup of none. */
START_TEST(another_redis_meanwhile_is_noticed)
{
    struct control_options from = options();
    struct control_reader *reader;
    struct control_rows rows;
    enum err err;

    fill();
    ck_assert_int_eq(control_reader_begin(&from, &reader), ERR_OK);
    ck_assert_int_eq(control_reader_read(reader, 4096, &lines, &rows, &error), ERR_OK);
    ck_assert(!rows.is_done);
    redis_server_kill(redis);
    err = control_reader_read(reader, 1024 * 1024, &lines, &rows, &error);
    ck_assert_int_ne(err, ERR_OK);
    redis_server_restart(redis);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    do
        err = control_reader_read(reader, 1024 * 1024, &lines, &rows, &error);
    while (err && strstr(error.detail, "another redis") == NULL && clock_mono_ns() < deadline_ns);
    ck_assert_int_eq(err, ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "redis unavailable");
    control_reader_end(&reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/control_data");
    TCase *data = tcase_create("data");

    tcase_add_checked_fixture(data, set_up, tear_down);
    tcase_add_test(data, clears_revocations_and_marks_are_there);
    tcase_add_test(data, an_empty_redis_gets_all_of_it);
    tcase_add_test(data, nothing_is_lowered);
    tcase_add_test(data, what_has_expired_since_stays_away);
    tcase_add_test(data, no_number_is_too_large_to_be_read_again);
    tcase_add_test(data, what_is_no_line_is_refused);
    tcase_add_test(data, none_is_hidden_by_another_that_lasts_longer);
    tcase_add_test(data, it_ends_when_the_program_does);
    tcase_add_test(data, another_redis_meanwhile_is_noticed);
    suite_add_tcase(suite, data);
    return suite_run(suite);
}
