#include "cachewarden/zone.h"

#include "suite.h"

#include <stdio.h>
#include <unistd.h>

static const char *refusal(const char *name)
{
    static char text[256];
    struct error error = {0};

    ck_assert_int_eq(zone_check(str_from(name), &error), ERR_BAD_INPUT);
    memcpy(text, error.caller, sizeof error.caller);
    return text;
}

START_TEST(names_are_files_of_the_system)
{
    struct error error = {0};
    static const char *const good[] = {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia",
                                       "Etc/GMT+5", "EST5EDT"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(zone_check(str_from(good[i]), &error) == ERR_OK, "%s", error.caller);
    ck_assert_str_eq(refusal("Europe/Berlln"),
                     "this system knows no time zone \"Europe/Berlln\": its names are the files "
                     "below /usr/share/zoneinfo (package tzdata)");
    ck_assert_ptr_nonnull(strstr(refusal("Europe"), "knows no time zone")); /* a folder */
    ck_assert_ptr_nonnull(strstr(refusal("tzdata.zi"), "is no name"));
    ck_assert_ptr_nonnull(strstr(refusal("CET-1CEST,M3.5.0,M10.5.0/3"), "is no name"));
}
END_TEST

START_TEST(no_name_is_a_path)
{
    static const char *const paths[] = {
        "",        "/etc/localtime", "../zoneinfo/UTC", "Europe/../UTC", "Europe//Berlin",
        "Europe/", ":UTC",           "Europe/Ber lin"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        ck_assert_msg(strstr(refusal(paths[i]), "is no name of a time zone; write one such as"),
                      "%s", paths[i]);
}
END_TEST

/* A file that is no zone: the C library would take it for UTC. */
START_TEST(a_file_has_to_be_a_zone)
{
    char folder[] = "/tmp/cw-zone-XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/Broken", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("this is no zone", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(setenv("TZDIR", folder, 1), 0);
    ck_assert_ptr_nonnull(strstr(refusal("Broken"), "knows no time zone"));
    ck_assert_ptr_nonnull(strstr(refusal("Europe/Berlin"), folder));
    unsetenv("TZDIR");
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(the_offset_is_that_of_the_moment)
{
    const int64_t winter_s = 1769860800, summer_s = 1785499200;
    struct error error = {0};

    ck_assert_int_eq(zone_offset_s(summer_s), 0);
    ck_assert_int_eq(zone_use(STR("Europe/Berlin"), &error), ERR_OK);
    ck_assert_int_eq(zone_offset_s(winter_s), 3600);
    ck_assert_int_eq(zone_offset_s(summer_s), 7200);
    ck_assert_int_eq(zone_use(STR("Europe/Nowhere"), &error), ERR_BAD_INPUT);
    ck_assert_int_eq(zone_offset_s(summer_s), 7200);
    ck_assert_int_eq(zone_use(STR("UTC"), &error), ERR_OK);
    ck_assert_int_eq(zone_offset_s(summer_s), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/zone");
    TCase *tcase = tcase_create("zone");

    tcase_add_test(tcase, names_are_files_of_the_system);
    tcase_add_test(tcase, no_name_is_a_path);
    tcase_add_test(tcase, a_file_has_to_be_a_zone);
    tcase_add_test(tcase, the_offset_is_that_of_the_moment);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
