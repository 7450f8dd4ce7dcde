#include "backup/manifest.h"

#include "suite.h"

#include <stdio.h>

static struct arena *arena;
static struct error error;

static void set_up(void)
{
    arena = arena_new(4096, (size_t)16 << 20);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static enum err read_text(struct str text, struct archive_manifest *manifest)
{
    return manifest_read(text, (struct work){.arena = arena, .error = &error}, manifest);
}

static struct str write_text(const struct archive_manifest *manifest)
{
    struct strbuf text;

    strbuf_init(&text, arena, 4096);
    manifest_write(manifest, &text);
    ck_assert(!text.failed);
    return strbuf_str(&text);
}

/* One that is good, with `members` of control data. */
static struct archive_manifest a_manifest(size_t members)
{
    struct archive_manifest manifest = {
        .format = ARCHIVE_FORMAT_PLAIN,
        .about = {.id = STR("20260131T120000Z-89abcdef"),
                  .created_at_s = 1769860800,
                  .program = STR("0.1.0"),
                  .users_driver = STR("postgresql"),
                  .schema = 3,
                  .install_id = STR("install"),
                  .redis_version = STR("7.0.15")},
        .counts = {.users = 5, .api_keys = 6, .control_keys = 7},
        .rows = {1, 2, 3, 4, 5, 6, [ARCHIVE_CONTROL] = 7},
        .members = arena_calloc(arena, members, sizeof(struct archive_member)),
        .member_count = members,
    };

    for (size_t i = 0; i < members; i++)
        manifest.members[i] = (struct archive_member){.kind = ARCHIVE_CONTROL,
                                                      .number = (int)i + 1,
                                                      .size = ARCHIVE_MEMBER_SIZE_MAX,
                                                      .sha256 = {(unsigned char)i, 0xfe}};
    return manifest;
}

START_TEST(reads_what_it_wrote)
{
    struct archive_manifest manifest = a_manifest(2), again;
    struct str text = write_text(&manifest);

    ck_assert_msg(str_starts(text, STR("{\"format\":1,\"id\":\"20260131T120000Z-89abcdef\","
                                       "\"created_at\":\"2026-01-31T12:00:00.000Z\",")),
                  "%.*s", STR_ARG(text));
    ck_assert_msg(read_text(text, &again) == ERR_OK, "%s", error.caller);
    ck_assert(str_eq(write_text(&again), text));
    ck_assert_int_eq(again.about.created_at_s, 1769860800);
}
END_TEST

START_TEST(entries_make_another_format)
{
    struct archive_manifest manifest = a_manifest(2), again;
    bool is_format = true;

    manifest.format = ARCHIVE_FORMAT_ENTRIES;
    manifest.about.dataset = STR("0123456789abcdef0123456789abcdef");
    manifest.about.store = STR("fedcba9876543210fedcba9876543210");
    manifest.counts.entries = 8;
    manifest.rows[ARCHIVE_ENTRIES] = 9;
    manifest.members[0].kind = ARCHIVE_ENTRIES;
    manifest.members[1].number = 1;
    struct str text = write_text(&manifest);
    ck_assert_msg(read_text(text, &again) == ERR_OK, "%s", error.caller);
    ck_assert(str_eq(write_text(&again), text));
    ck_assert_int_eq(again.counts.entries, 8);
    ck_assert_int_eq(again.rows[ARCHIVE_ENTRIES], 9);
    ck_assert(str_eq(again.about.dataset, manifest.about.dataset));
    /* The first format has no such members. */
    manifest.format = ARCHIVE_FORMAT_PLAIN;
    ck_assert_int_eq(read_text(write_text(&manifest), &again), ERR_UNPROCESSABLE);
    ck_assert_int_eq(manifest_is_format(text, (struct work){.arena = arena}, &is_format), ERR_OK);
    ck_assert(!is_format);
}
END_TEST

/* What stands before the members: a program that knows the first format alone refuses the second by it. */
START_TEST(a_manifest_of_a_format_alone_is_known)
{
    static const int64_t formats[] = {0, 1, 2, 3};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct archive_manifest manifest;
        struct strbuf text;
        bool is_format;
        strbuf_init(&text, arena, 64);
        manifest_write_format(formats[i], &text);
        ck_assert_int_eq(
            manifest_is_format(strbuf_str(&text), (struct work){.arena = arena}, &is_format),
            ERR_OK);
        ck_assert_int_eq(is_format, formats[i] == ARCHIVE_FORMAT_ENTRIES);
        ck_assert_int_eq(read_text(strbuf_str(&text), &manifest), ERR_UNPROCESSABLE);
        if (formats[i] == 3)
            ck_assert_str_eq(error.caller,
                             "The archive has format 3; this program reads formats up to 2.");
    }
}
END_TEST

/* The longest that is written fits in a member, and is read. */
START_TEST(the_longest_fits)
{
    struct archive_manifest manifest = a_manifest(ARCHIVE_MEMBERS_MAX), again;
    struct str text = write_text(&manifest);

    ck_assert_uint_le(text.len, ARCHIVE_MEMBER_SIZE_MAX);
    ck_assert_msg(read_text(text, &again) == ERR_OK, "%s", error.caller);
    ck_assert_uint_eq(again.member_count, ARCHIVE_MEMBERS_MAX);

    manifest = a_manifest(ARCHIVE_MEMBERS_MAX + 1);
    ck_assert_int_eq(read_text(write_text(&manifest), &again), ERR_UNPROCESSABLE);
}
END_TEST

static const struct {
    const char *old, *new, *reason;
} changes[] = {
    {"{\"format\"", "[\"format\"", "no JSON"},
    {"\"format\":1", "\"format\":3", "has format 3; this program reads formats up to 2"},
    {"\"format\":1", "\"format\":2", "what it is of"},
    {"\"format\":1", "\"format\":\"1\"", "no format"},
    {"\"format\":1", "\"former\":1", "no format"},
    {"-89abcdef", "-89abcdeg", "what it is of"},
    {"\"0.1.0\"", "\"0\\n0\"", "what it is of"},
    {"\"0.1.0\"", "17", "what it is of"},
    {"\"schema\":3", "\"schema\":-3", "what it is of"},
    {"\"users\":5", "\"users\":-5", "counts"},
    {"\"users\":5", "\"users\":5.5", "counts"},
    {"\"control_keys\":7", "\"keys\":7", "counts"},
    {"\"facts\":6", "\"fact\":6", "counts"},
    {"\"members\":[", "\"member\":[", "no list"},
    {"data-000002", "data-000003", "list of members is wrong"},
    {"data-000001", "data-000002", "list of members is wrong"},
    {"control/data-000001", "../../data-000001", "list of members is wrong"},
    {"\"size\":1048576", "\"size\":1048577", "list of members is wrong"},
    {"\"size\":1048576", "\"size\":0", "list of members is wrong"},
    {"\"sha256\":\"00", "\"sha256\":\"0", "list of members is wrong"},
    {"\"sha256\":\"00", "\"sha256\":\"xx", "list of members is wrong"},
    {"\"sha256\":\"00", "\"sha255\":\"00", "list of members is wrong"},
};

START_TEST(what_is_wrong_is_refused_with_the_reason)
{
    struct archive_manifest manifest = a_manifest(2), again;
    struct str text = write_text(&manifest);
    const char *found = memmem(text.ptr, text.len, changes[_i].old, strlen(changes[_i].old));
    struct strbuf changed;

    ck_assert_msg(found != NULL, "%s", changes[_i].old);
    strbuf_init(&changed, arena, text.len + 64);
    strbuf_add(&changed, (struct str){text.ptr, (size_t)(found - text.ptr)});
    strbuf_add(&changed, str_from(changes[_i].new));
    found += strlen(changes[_i].old);
    strbuf_add(&changed, (struct str){found, (size_t)(text.ptr + text.len - found)});
    ck_assert_int_eq(read_text(strbuf_str(&changed), &again), ERR_UNPROCESSABLE);
    ck_assert_msg(strstr(error.caller, changes[_i].reason) != NULL, "%s: %s", changes[_i].new,
                  error.caller);
}
END_TEST

START_TEST(a_name_more_is_ignored)
{
    struct archive_manifest manifest = a_manifest(1), again;
    struct str text = write_text(&manifest);
    struct str more =
        str_format(arena, "{\"later\":[{}],%.*s", STR_ARG(str_sub(text, 1, text.len)));

    ck_assert_int_eq(read_text(more, &again), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/manifest");
    TCase *tcase = tcase_create("manifest");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, reads_what_it_wrote);
    tcase_add_test(tcase, entries_make_another_format);
    tcase_add_test(tcase, a_manifest_of_a_format_alone_is_known);
    tcase_add_test(tcase, the_longest_fits);
    tcase_add_loop_test(tcase, what_is_wrong_is_refused_with_the_reason, 0,
                        sizeof changes / sizeof changes[0]);
    tcase_add_test(tcase, a_name_more_is_ignored);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
