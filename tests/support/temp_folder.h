/* A folder that exists as long as a test. */
#ifndef CACHEWARDEN_TESTS_TEMP_FOLDER_H
#define CACHEWARDEN_TESTS_TEMP_FOLDER_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct temp_folder {
    char path[256];
};

static inline void temp_folder_init(struct temp_folder *folder)
{
    const char *above = getenv("TMPDIR");

    snprintf(folder->path, sizeof folder->path, "%s/cachewarden-XXXXXX", above ? above : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

static inline int temp_folder_remove_one(const char *path, const struct stat *status, int kind,
                                         struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void temp_folder_fini(struct temp_folder *folder)
{
    ck_assert_int_eq(nftw(folder->path, temp_folder_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
