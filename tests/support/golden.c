#include "golden.h"

#include "cw_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void compare(const char *name, const char *golden, const char *now)
{
    for (int line = 1; *golden != '\0' || *now != '\0'; line++) {
        size_t golden_size = strcspn(golden, "\n"), now_size = strcspn(now, "\n");
        ck_assert_msg(golden_size == now_size && memcmp(golden, now, now_size) == 0,
                      "%s, line %d\nsays: %.*s\nis:   %.*s", name, line, (int)golden_size, golden,
                      (int)now_size, now);
        golden += golden_size + (golden[golden_size] == '\n');
        now += now_size + (now[now_size] == '\n');
    }
}

void golden_expect(const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", CW_SOURCE_DIR, name);
    if (getenv("CW_UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        fclose(file);
    }
    char *golden = cw_file_read(path);
    ck_assert_msg(golden != NULL, "no %s", path);
    compare(name, golden, text);
    free(golden);
}
