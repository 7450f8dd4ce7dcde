/*
 * Name servers for tests: getaddrinfo in the place of the C library's, in a program and in the libraries it uses.
 * It is part of this library because that stands before the C library in every program that tests start, with and
 * without a sanitizer. It does nothing unless CW_NAMES_FILE names a file of lines:
 *
 *     cache.test 127.0.0.2 127.0.0.1
 *     cache.test silent              until the file says something else
 *     cache.test fails
 *
 * Other names, and numeric ones, are the C library's as ever. Each question adds its name and a line feed to the file
 * CW_NAMES_FILE.asked.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 512 };

typedef int look_up(const char *host, const char *service, const struct addrinfo *hints,
                    struct addrinfo **found_out);

static look_up *c_library(void)
{
    look_up *found;

    *(void **)&found = dlsym(RTLD_NEXT, "getaddrinfo");
    return found;
}

static void note(const char *path, const char *host)
{
    char name[LINE_SIZE], line[LINE_SIZE];

    snprintf(name, sizeof name, "%s.asked", path);
    int len = snprintf(line, sizeof line, "%s\n", host),
        fd = open(name, O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        abort();
    close(fd);
}

/* What follows the name in its line. */
static bool find(const char *path, const char *host, char out[LINE_SIZE])
{
    char line[LINE_SIZE];
    size_t len = strlen(host);
    bool is_there = false;
    FILE *file = fopen(path, "re");

    while (file && !is_there && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        is_there = strncasecmp(line, host, len) == 0 && line[len] == ' ';
        if (is_there)
            snprintf(out, LINE_SIZE, "%s", line + len + 1);
    }
    if (file)
        fclose(file);
    return is_there;
}

/* The addresses in their order; they are freed as one list. */
static int answer(char *addresses, const char *service, const struct addrinfo *hints,
                  struct addrinfo **found_out)
{
    char *rest = NULL;
    struct addrinfo numeric = *hints, **end = found_out;

    numeric.ai_flags |= AI_NUMERICHOST;
    *found_out = NULL;
    for (char *one = strtok_r(addresses, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
        int failure = c_library()(one, service, &numeric, end);
        if (failure != 0)
            return failure;
        while (*end)
            end = &(*end)->ai_next;
    }
    return *found_out ? 0 : EAI_NONAME;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **found_out)
{
    static const struct addrinfo none = {.ai_family = AF_UNSPEC};
    const char *path = getenv("CW_NAMES_FILE");
    char words[LINE_SIZE];

    hints = hints ? hints : &none;
    if (!path || !host || (hints->ai_flags & AI_NUMERICHOST) || !find(path, host, words))
        return c_library()(host, service, hints, found_out);
    note(path, host);
    while (find(path, host, words) && strcmp(words, "silent") == 0)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    if (strcmp(words, "fails") == 0)
        return EAI_AGAIN;
    return answer(words, service, hints, found_out);
}
