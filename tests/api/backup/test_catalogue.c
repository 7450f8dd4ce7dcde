/* The folder of backups: who finds what in it, and what becomes of a draft. */
#include "archives.h"
#include "backup/catalogue_private.h"
#include "suite.h"
#include "temp_folder.h"

#include <fcntl.h>
#include <stdio.h>

#define OLD   "20250131T000000Z-00000001"
#define NEWER "20260131T000000Z-00000002"
#define LAST  "20260131T000000Z-00000003"

static struct temp_folder folder;
static char directory[300];
static struct archive_key *key;
static struct catalogue *catalogue;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    temp_folder_init(&folder);
    snprintf(directory, sizeof directory, "%s/backups", folder.path);
    key = archives_key(ARCHIVES_SECRET);
    arena = arena_new(4096, 0);
    ck_assert_int_eq(catalogue_new(str_from(directory), key, &catalogue, &error), ERR_OK);
}

static void tear_down(void)
{
    catalogue_free(&catalogue);
    archive_key_free(&key);
    arena_free(&arena);
    temp_folder_fini(&folder);
}

static const char *path_of(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static const char *file_of(const char *id)
{
    char name[64];

    snprintf(name, sizeof name, "%s.tar.zst", id);
    return path_of(name);
}

static struct backup make(const char *id)
{
    struct catalogue_draft draft;
    struct archive_file file;
    struct backup backup;

    ck_assert_msg(catalogue_begin(catalogue, id, &draft, &error) == ERR_OK, "%s", error.caller);
    archives_write_id(draft.fd, key, id, &file);
    ck_assert_msg(catalogue_keep(catalogue, &draft, NULL, &backup, &error) == ERR_OK, "%s",
                  error.caller);
    ck_assert_str_eq(backup.id, id);
    ck_assert_int_eq(backup.size, file.size);
    ck_assert_int_eq(backup.users, 2);
    return backup;
}

/* The ids that are listed, with a blank behind each. */
static const char *listed(void)
{
    static char text[512];
    struct catalogue_listing listing;

    ck_assert_msg(catalogue_list(catalogue, NULL, (struct work){.arena = arena, .error = &error},
                                 &listing) == ERR_OK,
                  "%s", error.caller);
    text[0] = '\0';
    for (size_t i = 0; i < listing.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", listing.backups[i].id);
    return text;
}

static enum err find(const char *id)
{
    struct backup backup;

    return catalogue_find(catalogue, str_from(id), &backup, &error);
}

static enum err verify(const char *id)
{
    struct backup backup;

    return catalogue_verify(catalogue, str_from(id), NULL, &backup, &error);
}

START_TEST(there_is_none_at_first)
{
    ck_assert_str_eq(listed(), "");
    ck_assert_int_eq(find(OLD), ERR_NOT_FOUND);
    ck_assert_int_eq(verify(OLD), ERR_NOT_FOUND);
    ck_assert_int_eq(catalogue_remove(catalogue, STR(OLD), &error), ERR_NOT_FOUND);
    ck_assert_int_eq(access(directory, F_OK), -1);
}
END_TEST

START_TEST(the_newest_is_listed_first)
{
    make(NEWER);
    make(OLD);
    make(LAST);
    ck_assert_str_eq(listed(), LAST " " NEWER " " OLD " ");
    ck_assert_int_eq(find(NEWER), ERR_OK);
    ck_assert_int_eq(verify(OLD), ERR_OK);
    ck_assert_int_eq(catalogue_remove(catalogue, STR(NEWER), &error), ERR_OK);
    ck_assert_str_eq(listed(), LAST " " OLD " ");
    ck_assert_int_eq(find(NEWER), ERR_NOT_FOUND);
}
END_TEST

/* Only the owner reads accounts' hashes, whatever the shell that started us says. */
START_TEST(no_umask_changes_the_rights)
{
    static const mode_t masks[] = {0, 0777};

    for (size_t i = 0; i < 2; i++) {
        struct stat status;
        mode_t before = umask(masks[i]);
        make(i == 0 ? OLD : NEWER);
        umask(before);
        ck_assert_int_eq(stat(directory, &status), 0);
        ck_assert_int_eq(status.st_mode & 07777, 0700);
        ck_assert_int_eq(stat(file_of(i == 0 ? OLD : NEWER), &status), 0);
        ck_assert_int_eq(status.st_mode & 07777, 0600);
        if (i == 0) { /* the folder anew, too */
            ck_assert_int_eq(unlink(file_of(OLD)), 0);
            ck_assert_int_eq(rmdir(directory), 0);
        }
    }
}
END_TEST

/* Made by root on the shell, they are there for the service, whose folder it is. Who is not root owns it all. */
START_TEST(owners_are_those_of_the_folder_above)
{
    const uid_t nobody = geteuid() == 0 ? 65534 : geteuid();
    struct stat status;

    ck_assert_int_eq(chown(folder.path, nobody, (gid_t)-1), 0);
    make(OLD);
    ck_assert_int_eq(stat(directory, &status), 0);
    ck_assert_uint_eq(status.st_uid, nobody);
    ck_assert_int_eq(stat(file_of(OLD), &status), 0);
    ck_assert_uint_eq(status.st_uid, nobody);
    ck_assert_int_eq(status.st_mode & 07777, 0600);
}
END_TEST

/* A known reason is told again without a look at the file; who verifies looks. */
START_TEST(what_is_not_whole_is_read_once)
{
    int64_t size = make(OLD).size;

    ck_assert_int_eq(truncate(file_of(OLD), size - 1), 0);
    ck_assert_str_eq(listed(), "");
    ck_assert_uint_eq(catalogue->known_count, 1);
    ck_assert_ptr_nonnull(strstr(catalogue->known[0].reason, "damaged"));
    snprintf(catalogue->known[0].reason, sizeof catalogue->known[0].reason, "as before");
    ck_assert_str_eq(listed(), "");
    ck_assert_str_eq(catalogue->known[0].reason, "as before");
    ck_assert_int_eq(verify(OLD), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, "damaged"));
    ck_assert_int_eq(unlink(file_of(OLD)), 0);
    make(OLD);
    ck_assert_str_eq(listed(), OLD " ");
}
END_TEST

/* Also what somebody else has taken away: the room for what is known is bounded. */
/* A folder full of large archives takes longer than a server has to stop. */
START_TEST(a_list_of_what_was_not_read_is_given_up)
{
    static const _Atomic bool is_stopping = true;
    const struct backup_watch watch = {.is_stopping = &is_stopping};
    const struct work work = {.arena = arena, .error = &error};
    struct catalogue_listing listing;

    make(OLD);
    ck_assert_int_eq(catalogue_list(catalogue, &watch, work, &listing), ERR_OK);
    ck_assert_uint_eq(listing.count, 1);
    catalogue_free(&catalogue);
    ck_assert_int_eq(catalogue_new(str_from(directory), key, &catalogue, &error), ERR_OK);
    ck_assert_int_eq(catalogue_list(catalogue, &watch, work, &listing), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(error.caller, "it is stopping"));
    ck_assert_str_eq(listed(), OLD " ");
}
END_TEST

START_TEST(what_is_gone_is_forgotten)
{
    make(OLD);
    make(NEWER);
    make(LAST);
    ck_assert_uint_eq(catalogue->known_count, 3);
    ck_assert_int_eq(unlink(file_of(OLD)), 0);
    ck_assert_int_eq(unlink(file_of(LAST)), 0);
    ck_assert_str_eq(listed(), NEWER " ");
    ck_assert_uint_eq(catalogue->known_count, 1);
    ck_assert_int_eq(find(NEWER), ERR_OK);
}
END_TEST

START_TEST(one_is_written_at_a_time)
{
    struct catalogue_draft draft, another;

    ck_assert_int_eq(catalogue_begin(catalogue, OLD, &draft, &error), ERR_OK);
    ck_assert_int_eq(catalogue_begin(catalogue, NEWER, &another, &error), ERR_CONFLICT);
    ck_assert_str_eq(listed(), "");
    ck_assert_int_eq(access(path_of("." OLD ".tar.zst"), F_OK), 0);
    catalogue_drop(&draft);
    ck_assert_int_eq(access(path_of("." OLD ".tar.zst"), F_OK), -1);
    make(NEWER);
}
END_TEST

/* Of a process that died in it. What is not ours is nobody's to remove. */
START_TEST(a_draft_that_was_left_goes)
{
    make(OLD);
    close(open(path_of("." NEWER ".tar.zst"), O_CREAT | O_WRONLY, 0600));
    close(open(path_of(".hidden"), O_CREAT | O_WRONLY, 0600));
    close(open(path_of("notes.tar.zst"), O_CREAT | O_WRONLY, 0600));
    ck_assert_str_eq(listed(), OLD " ");
    make(LAST);
    ck_assert_int_eq(access(path_of("." NEWER ".tar.zst"), F_OK), -1);
    ck_assert_int_eq(access(path_of(".hidden"), F_OK), 0);
    ck_assert_int_eq(access(path_of("notes.tar.zst"), F_OK), 0);
    ck_assert_str_eq(listed(), LAST " " OLD " ");
}
END_TEST

/* What was written badly never gets its name. */
START_TEST(a_draft_that_is_not_whole_is_dropped)
{
    struct catalogue_draft draft;
    struct backup backup;

    ck_assert_int_eq(catalogue_begin(catalogue, OLD, &draft, &error), ERR_OK);
    ck_assert_int_eq(write(draft.fd, "half", 4), 4);
    ck_assert_int_eq(catalogue_keep(catalogue, &draft, NULL, &backup, &error), ERR_UNPROCESSABLE);
    ck_assert_int_eq(access(path_of("." OLD ".tar.zst"), F_OK), -1);
    ck_assert_int_eq(access(file_of(OLD), F_OK), -1);
    make(OLD);
}
END_TEST

START_TEST(what_is_not_whole_is_not_listed)
{
    int64_t size = make(OLD).size;
    char from[512];

    make(NEWER);
    ck_assert_str_eq(listed(), NEWER " " OLD " ");
    /* It is known to be whole by now. */
    ck_assert_int_eq(truncate(file_of(NEWER), size - 1), 0);
    ck_assert_str_eq(listed(), OLD " ");
    ck_assert_int_eq(find(NEWER), ERR_NOT_FOUND);
    ck_assert_int_eq(verify(NEWER), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, "damaged"));
    /* The same length, one other byte. */
    ck_assert_int_eq(truncate(file_of(NEWER), size), 0);
    ck_assert_int_eq(verify(NEWER), ERR_UNPROCESSABLE);
    /* Another's name. */
    snprintf(from, sizeof from, "%s", file_of(OLD));
    ck_assert_int_eq(rename(from, file_of(LAST)), 0);
    ck_assert_str_eq(listed(), "");
    ck_assert_int_eq(verify(LAST), ERR_UNPROCESSABLE);
    ck_assert_ptr_nonnull(strstr(error.caller, OLD));
    /* Not whole, but there: it can be removed. */
    ck_assert_int_eq(catalogue_remove(catalogue, STR(LAST), &error), ERR_OK);
}
END_TEST

START_TEST(what_is_no_file_of_the_folder_is_not_opened)
{
    static const char *const others[] = {"../../../../../../etc/passwd", "/etc/passwd", ".", ""};
    char elsewhere[512];

    make(OLD);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder.path);
    ck_assert_int_eq(rename(file_of(OLD), elsewhere), 0);
    ck_assert_int_eq(symlink(elsewhere, file_of(OLD)), 0);
    ck_assert_int_eq(mkfifo(file_of(NEWER), 0600), 0);
    ck_assert_int_eq(mkdir(file_of(LAST), 0700), 0);
    ck_assert_str_eq(listed(), "");
    ck_assert_int_eq(verify(OLD), ERR_UNPROCESSABLE);
    ck_assert_int_eq(verify(NEWER), ERR_UNPROCESSABLE);
    ck_assert_int_eq(verify(LAST), ERR_UNPROCESSABLE);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_int_eq(verify(others[i]), ERR_NOT_FOUND);
        ck_assert_int_eq(catalogue_remove(catalogue, str_from(others[i]), &error), ERR_NOT_FOUND);
    }
}
END_TEST

/* Folders that take nothing, also from root: in the place of one that is read-only. */
START_TEST(a_folder_that_takes_nothing_is_told)
{
    static const char *const places[] = {"/proc/self/fd", "/proc/none", "/dev/null", "/none/none"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct catalogue *there;
        struct catalogue_draft draft;
        ck_assert_int_eq(catalogue_new(str_from(places[i]), key, &there, &error), ERR_OK);
        ck_assert_msg(catalogue_begin(there, OLD, &draft, &error) == ERR_UPSTREAM_DOWN, "%s",
                      places[i]);
        ck_assert_msg(strstr(error.caller, places[i]) != NULL, "%s", error.caller);
        catalogue_free(&there);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/catalogue");
    TCase *tcase = tcase_create("catalogue");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, there_is_none_at_first);
    tcase_add_test(tcase, the_newest_is_listed_first);
    tcase_add_test(tcase, no_umask_changes_the_rights);
    tcase_add_test(tcase, owners_are_those_of_the_folder_above);
    tcase_add_test(tcase, a_list_of_what_was_not_read_is_given_up);
    tcase_add_test(tcase, what_is_gone_is_forgotten);
    tcase_add_test(tcase, what_is_not_whole_is_read_once);
    tcase_add_test(tcase, one_is_written_at_a_time);
    tcase_add_test(tcase, a_draft_that_was_left_goes);
    tcase_add_test(tcase, a_draft_that_is_not_whole_is_dropped);
    tcase_add_test(tcase, what_is_not_whole_is_not_listed);
    tcase_add_test(tcase, what_is_no_file_of_the_folder_is_not_opened);
    tcase_add_test(tcase, a_folder_that_takes_nothing_is_told);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
