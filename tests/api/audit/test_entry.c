#include "audit/entry.h"

#include "cachewarden/audit.h"
#include "cachewarden/log.h"
#include "log_capture.h"
#include "suite.h"

#include <stdlib.h>

static const struct principal admin = {
    .kind = PRINCIPAL_USER, .credential = CREDENTIAL_BEARER, .user_id = 1, .name = {"admin", 5}};

static struct audit_record sample(void)
{
    return (struct audit_record){
        .principal = &admin,
        .client_address = STR("::1"),
        .request_id = STR("req-1"),
        .route = "cache.clear",
        .target = STR("user:1"),
        .result = "ok",
        .count = 6,
    };
}

static void expect_field(const struct audit_entry *entry, enum audit_field field, const char *text)
{
    struct str fields[AUDIT_FIELD_COUNT];
    audit_unpack(entry->packed, fields);
    ck_assert_msg(str_eq(fields[field], str_from(text)), "%s is %.*s", audit_field_name(field),
                  STR_ARG(fields[field]));
}

START_TEST(fields_as_text)
{
    struct audit_record record = sample();
    struct audit_entry *entry = audit_entry_new(&record, STR("node-a"));
    ck_assert_int_eq(str_find(entry->packed, '\t'), 24); /* behind the time */
    expect_field(entry, AUDIT_PRINCIPAL, "admin");
    expect_field(entry, AUDIT_PRINCIPAL_ID, "1");
    expect_field(entry, AUDIT_CREDENTIAL, "bearer");
    expect_field(entry, AUDIT_ADDRESS, "::1");
    expect_field(entry, AUDIT_ROUTE, "cache.clear");
    expect_field(entry, AUDIT_TARGET, "user:1");
    expect_field(entry, AUDIT_RESULT, "ok");
    expect_field(entry, AUDIT_COUNT, "6");
    expect_field(entry, AUDIT_REQUEST_ID, "req-1");
    expect_field(entry, AUDIT_NODE, "node-a");
    ck_assert(!entry->is_flush);
    free(entry);
}
END_TEST

/* No field can make another one. */
START_TEST(packed_and_unpacked)
{
    struct audit_record record = sample();
    record.target = STR("a\tb\nc");
    record.request_id = STR_NONE;
    struct audit_entry *entry = audit_entry_new(&record, STR("node-a"));
    struct str fields[AUDIT_FIELD_COUNT];
    expect_field(entry, AUDIT_TARGET, "a b c");
    expect_field(entry, AUDIT_REQUEST_ID, "");
    expect_field(entry, AUDIT_NODE, "node-a");
    audit_unpack(STR("only\ttwo"), fields);
    ck_assert(str_eq(fields[1], STR("two")));
    ck_assert(str_eq(fields[2], STR_NONE));
    ck_assert(str_eq(fields[AUDIT_NODE], STR_NONE));
    free(entry);
}
END_TEST

/* A control character becomes a blank wherever it stands; bytes above ASCII, and those beside it, stay. */
START_TEST(no_control_character_gets_through)
{
    static const char plain[] = "h\xc3\xa9llo w\xc3\xb6rld, \xff\x80\x7f! and so on";
    const size_t size = sizeof plain - 1;
    struct audit_record record = sample();

    for (size_t at = 0; at < size; at++)
        for (int control = 0; control <= ' '; control++) {
            char text[sizeof plain], wanted[sizeof plain];
            memcpy(text, plain, sizeof plain);
            memcpy(wanted, plain, sizeof plain);
            text[at] = (char)control;
            wanted[at] = ' ';
            record.target = (struct str){text, size};
            struct audit_entry *entry = audit_entry_new(&record, STR("node-a"));
            expect_field(entry, AUDIT_TARGET, wanted);
            free(entry);
        }
}
END_TEST

START_TEST(nothing_is_borrowed)
{
    char name[] = "mallory", route[] = "x.y";
    struct principal principal = {.name = str_from(name)};
    struct audit_record record = {.principal = &principal,
                                  .route = route,
                                  .result = "ok",
                                  .target = STR_NONE,
                                  .count = -1,
                                  .is_flush = true};
    struct audit_entry *entry = audit_entry_new(&record, STR_NONE);
    memset(name, 'x', sizeof name - 1);
    memset(route, 'x', sizeof route - 1);
    expect_field(entry, AUDIT_PRINCIPAL, "mallory");
    expect_field(entry, AUDIT_ROUTE, "x.y");
    expect_field(entry, AUDIT_TARGET, "");
    expect_field(entry, AUDIT_COUNT, "");
    expect_field(entry, AUDIT_CREDENTIAL, "none");
    ck_assert(entry->is_flush);
    free(entry);
}
END_TEST

START_TEST(long_fields_are_cut)
{
    char text[5000];
    memset(text, 'y', sizeof text);
    struct audit_record record = sample();
    record.request_id = (struct str){text, sizeof text};
    struct audit_entry *entry = audit_entry_new(&record, STR("n"));
    text[256] = '\0';
    expect_field(entry, AUDIT_REQUEST_ID, text);
    expect_field(entry, AUDIT_NODE, "n");
    free(entry);
}
END_TEST

START_TEST(the_log_has_it_all)
{
    struct audit_record record = sample();
    record.target = STR("a\nlevel=info event=forged");
    struct audit_entry *entry = audit_entry_new(&record, STR("node-a"));
    log_capture_start();
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    audit_entry_log(entry, "queue full");
    char *log = log_capture_end();
    static const char *const parts[] = {"event=audit.unsaved",
                                        "reason=\"queue full\"",
                                        "principal=admin",
                                        "principal_id=1",
                                        "credential=bearer",
                                        "address=::1",
                                        "route=cache.clear",
                                        "result=ok",
                                        "count=6",
                                        "request_id=req-1",
                                        "node=node-a",
                                        "recorded_at="};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ck_assert_msg(strstr(log, parts[i]) != NULL, "no %s in %s", parts[i], log);
    ck_assert_ptr_eq(strchr(log, '\n'), log + strlen(log) - 1); /* one line */
    free(log);
    free(entry);
}
END_TEST

START_TEST(no_count_is_none_in_the_log)
{
    struct audit_record record = sample();
    record.count = -1;
    struct audit_entry *entry = audit_entry_new(&record, STR("node-a"));
    log_capture_start();
    audit_entry_log(entry, "queue full");
    char *log = log_capture_end();
    ck_assert_msg(!strstr(log, "count") && strstr(log, "result=ok request_id=req-1"), "%s", log);
    free(log);
    free(entry);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit/entry");
    TCase *tcase = tcase_create("entry");
    tcase_add_test(tcase, fields_as_text);
    tcase_add_test(tcase, packed_and_unpacked);
    tcase_add_test(tcase, no_control_character_gets_through);
    tcase_add_test(tcase, nothing_is_borrowed);
    tcase_add_test(tcase, long_fields_are_cut);
    tcase_add_test(tcase, the_log_has_it_all);
    tcase_add_test(tcase, no_count_is_none_in_the_log);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
