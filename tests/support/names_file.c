#include "names_file.h"

#include "cw_server.h"
#include "patience.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *directory;
static char path[300], variable[320];

void names_file_open(void)
{
    directory = cw_directory_new();
    snprintf(path, sizeof path, "%s/names", directory);
    snprintf(variable, sizeof variable, "CW_NAMES_FILE=%s", path);
    names_file_say("");
}

void names_file_close(void)
{
    cw_directory_remove(&directory);
}

const char *names_file_variable(void)
{
    return variable;
}

/* Renamed, so that nobody reads half of it. */
void names_file_say(const char *lines)
{
    char fresh[310];

    cw_file_write(directory, "names.new", lines, 0644);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    ck_assert_int_eq(rename(fresh, path), 0);
}

int names_file_asked(const char *host)
{
    char name[320];
    int count = 0;

    snprintf(name, sizeof name, "%s.asked", path);
    char *text = cw_file_read(name), *rest = text;
    for (char *line; rest && (line = strsep(&rest, "\n"));)
        count += strcmp(line, host) == 0;
    free(text);
    return count;
}

void names_file_wait_asked(const char *host, int count)
{
    time_t give_up = time(NULL) + PATIENCE_S;

    while (names_file_asked(host) < count) {
        ck_assert_msg(time(NULL) < give_up, "%s was asked about %d times", host,
                      names_file_asked(host));
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
}
