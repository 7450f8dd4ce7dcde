#include "issuers/key_file.h"

#include "suite.h"
#include "temp_folder.h"

#include "cachewarden/clock.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct temp_folder folder;
static char path[400], memory[64];
static struct error error;
static size_t size;
static struct key_file_stamp stamp;

static void set_up(void)
{
    temp_folder_init(&folder);
    snprintf(path, sizeof path, "%s/key", folder.path);
    error_clear(&error);
}

static void tear_down(void)
{
    temp_folder_fini(&folder);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(up_to_what_fits)
{
    write_file("0123456789");
    ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &stamp, &error), ERR_OK);
    ck_assert_uint_eq(size, 10);
    ck_assert_mem_eq(memory, "0123456789", 10);
    ck_assert_int_eq(key_file_read(path, memory, 4, &size, &stamp, &error), ERR_OK);
    ck_assert_uint_eq(size, 4);
    write_file("");
    ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &stamp, &error), ERR_OK);
    ck_assert_uint_eq(size, 0);
}
END_TEST

static void expect_refused(const char *why)
{
    ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &stamp, &error),
                     ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.caller, why) && strstr(error.caller, path), "%s", error.caller);
    ck_assert_uint_eq(size, 0);
}

START_TEST(what_is_no_file)
{
    expect_refused("No such file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_refused("not a regular file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_refused("not a regular file");
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(changes_are_seen)
{
    struct key_file_stamp none, first, same, longer, gone;

    key_file_look(path, &none);
    ck_assert(!none.exists && key_file_same(&none, &none));
    write_file("one");
    key_file_look(path, &first);
    key_file_look(path, &same);
    ck_assert(first.exists && !key_file_same(&none, &first));
    ck_assert(key_file_same(&first, &same));
    write_file("three");
    key_file_look(path, &longer);
    ck_assert(!key_file_same(&first, &longer));
    ck_assert_int_eq(unlink(path), 0);
    key_file_look(path, &gone);
    ck_assert(!gone.exists && !key_file_same(&longer, &gone));
}
END_TEST

static _Atomic bool is_over;

/* Files of another size in its place, again and again. */
static void *replace(void *arg)
{
    char next[410];

    snprintf(next, sizeof next, "%s.next", path);
    for (int i = 0; !is_over; i++) {
        FILE *file = fopen(next, "w");
        fputs(i % 2 == 0 ? "one" : "three", file);
        fclose(file);
        (void)rename(next, path);
    }
    return arg;
}

START_TEST(the_stamp_is_of_what_was_read)
{
    pthread_t thread;
    bool has_seen[8] = {false};

    write_file("one");
    ck_assert_int_eq(pthread_create(&thread, NULL, replace, NULL), 0);
    for (int i = 0; i < 10000 || !has_seen[3] || !has_seen[5]; i++) {
        ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &stamp, &error), ERR_OK);
        ck_assert_int_eq(stamp.size, (off_t)size);
        has_seen[size] = true;
    }
    is_over = true;
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(another_file_with_the_same_text)
{
    struct key_file_stamp first;

    write_file("one");
    ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &first, &error), ERR_OK);
    ck_assert_int_eq(unlink(path), 0);
    write_file("one");
    ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &stamp, &error), ERR_OK);
    ck_assert(!key_file_same(&first, &stamp) && key_file_same_text(&first, &stamp));
    write_file("two");
    ck_assert_int_eq(key_file_read(path, memory, sizeof memory, &size, &stamp, &error), ERR_OK);
    ck_assert(!key_file_same_text(&first, &stamp));
}
END_TEST

/* One that cannot be read looks as it does from outside: it is no other one at the next look. */
START_TEST(the_stamp_of_what_cannot_be_read)
{
    struct key_file_stamp outside;

    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_refused("not a regular file");
    key_file_look(path, &outside);
    ck_assert(stamp.exists && key_file_same(&stamp, &outside));
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(symlink(path, path), 0);
    expect_refused("symbolic links");
    ck_assert(!stamp.exists);
}
END_TEST

/* A young one may be written again within the same step of the clock. */
START_TEST(young_ones)
{
    key_file_look(path, &stamp);
    ck_assert(!key_file_is_young(&stamp, 0) && !key_file_is_young(&stamp, clock_wall_s()));
    write_file("one");
    key_file_look(path, &stamp);
    int64_t changed_s = stamp.changed.tv_sec;
    ck_assert(key_file_is_young(&stamp, changed_s));
    ck_assert(key_file_is_young(&stamp, changed_s + 2));
    ck_assert(!key_file_is_young(&stamp, changed_s + 3));
    /* The clock was put back, or is another machine's: not read again until it has caught up. */
    ck_assert(key_file_is_young(&stamp, changed_s - 2));
    ck_assert(!key_file_is_young(&stamp, changed_s - 3));
    ck_assert(!key_file_is_young(&stamp, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/key_file");
    TCase *tcase = tcase_create("key_file");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, up_to_what_fits);
    tcase_add_test(tcase, what_is_no_file);
    tcase_add_test(tcase, changes_are_seen);
    tcase_add_test(tcase, the_stamp_is_of_what_was_read);
    tcase_add_test(tcase, another_file_with_the_same_text);
    tcase_add_test(tcase, the_stamp_of_what_cannot_be_read);
    tcase_add_test(tcase, young_ones);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
