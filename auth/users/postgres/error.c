#include "users/postgres/error.h"

#include "users/driver.h"

#include <string.h>

/* PostgreSQL's documentation, appendix A. The first row that fits counts. */
static const struct users_postgres_meaning meanings[] = {
    {"23505", ERR_CONFLICT, false, "it is taken already"},
    {"23503", ERR_NOT_FOUND, false, "what it refers to is not there"},

    {"08", ERR_UPSTREAM_DOWN, true, "the connection was lost"},
    {"25006", ERR_UPSTREAM_DOWN, true, "it is read-only"},
    {"25P03", ERR_UPSTREAM_DOWN, true, "the connection was lost"},
    /* A prepared statement is gone: somebody between us and the server shares connections. */
    {"26000", ERR_UPSTREAM_DOWN, true, "the connection was reset"},
    {"42P05", ERR_UPSTREAM_DOWN, true, "a pooler shares its sessions and hides that"},
    {"40", ERR_UPSTREAM_DOWN, false, "too many changes at once"},
    {"42501", ERR_UPSTREAM_DOWN, true, "access is denied"},
    {"53100", ERR_UPSTREAM_DOWN, false, "the disk is full"},
    {"53", ERR_UPSTREAM_DOWN, true, "it is short of resources"},
    {"55P03", ERR_UPSTREAM_DOWN, false, "another program keeps it locked"},
    {"57014", ERR_UPSTREAM_DOWN, false, "it did not answer in time"},
    {"57P03", ERR_UPSTREAM_DOWN, true, "it is starting or shutting down"},
    {"57", ERR_UPSTREAM_DOWN, true, "it is shutting down"},
    {"58", ERR_UPSTREAM_DOWN, true, "reading or writing it failed"},
    {"XX001", ERR_UPSTREAM_DOWN, true, "it is damaged"},
    {"XX002", ERR_UPSTREAM_DOWN, true, "it is damaged"},

    {"", ERR_INTERNAL, true, "it failed unexpectedly"},
};

const struct users_postgres_meaning *users_postgres_meaning(const char *sqlstate)
{
    const struct users_postgres_meaning *meaning = meanings;

    while (strncmp(sqlstate ? sqlstate : "", meaning->sqlstate, strlen(meaning->sqlstate)) != 0)
        meaning++;
    return meaning;
}

const char *users_postgres_conflict(const char *constraint)
{
    static const char *const words[][2] = {
        {"accounts_username_key", USERS_USERNAME_TAKEN},
        {"accounts_email_key", USERS_EMAIL_TAKEN},
        {"api_keys_name", USERS_KEY_NAME_TAKEN},
        {"api_keys_id", USERS_KEY_ID_TAKEN},
    };

    for (size_t i = 0; constraint && i < sizeof words / sizeof *words; i++)
        if (strcmp(constraint, words[i][0]) == 0)
            return words[i][1];
    return NULL;
}

void users_postgres_one_line(char *out, size_t size, const char *message)
{
    size_t used = 0;

    for (const char *c = message ? message : ""; *c != '\0' && used + 1 < size; c++) {
        bool is_blank = *c == ' ' || *c == '\n' || *c == '\t' || *c == '\r';
        if (!is_blank)
            out[used++] = *c;
        else if (used > 0 && out[used - 1] != ' ')
            out[used++] = ' ';
    }
    while (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}
