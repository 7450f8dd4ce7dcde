#include "config/config_private.h"

#include "cachewarden/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE_MAX 65536

static void forget_text(const struct setting *row, char **field)
{
    if (*field && setting_is_secret(row))
        secret_wipe(*field, strlen(*field));
    free(*field);
    *field = NULL;
}

static bool is_printable(struct str text)
{
    return str_is_utf8(text) && !str_has_control(text);
}

static void out_of_memory(const struct config_source *source, struct config_name name,
                          struct config_report *report)
{
    config_error(report, source, name, "cannot be kept: out of memory");
}

/* ---- texts ---- */

static void store_text(const struct setting *row, void *base, struct str text,
                       const struct config_source *source, struct config_name name,
                       struct config_report *report)
{
    char **field = setting_field(row, base);
    if (text.len == 0 && (row->default_text || row->flags & MUST)) {
        config_error(report, source, name, "must not be empty");
        return;
    }
    const char *fault = setting_is_secret(row) ? secret_edge_fault(text) : NULL;
    if (fault) {
        config_error(report, source, name, "%s", fault);
        return;
    }
    /* Shells take them off, files of variables for containers do not. */
    if (row->kind == KIND_URL && text.len > 0 && strchr("\"'", text.ptr[0])) {
        config_error(report, source, name, "stands in quotes; take them off");
        return;
    }
    if (memchr(text.len ? text.ptr : "", '\0', text.len) ||
        (row->kind != KIND_SECRET && !is_printable(text))) {
        config_error(report, source, name, "must be UTF-8 without control characters");
        return;
    }
    char *copy = text.len ? strndup(text.ptr, text.len) : NULL;
    if (text.len && !copy) {
        out_of_memory(source, name, report);
        return;
    }
    forget_text(row, field);
    *field = copy;
}

static void store_choice(const struct setting *row, void *base, struct str text,
                         const struct config_source *source, struct config_name name,
                         struct config_report *report)
{
    struct str choices = str_from(row->choices), choice;
    for (int index = 0; str_split(&choices, '|', &choice); index++)
        if (str_eq(choice, text)) {
            *(int *)setting_field(row, base) = index;
            return;
        }
    struct strbuf words;
    strbuf_init(&words, NULL, 64);
    setting_describe(row, &words);
    config_error(report, source, name, "must be %.*s, not \"%.*s\"", STR_ARG(strbuf_str(&words)),
                 (int)(text.len < 64 ? text.len : 64), text.ptr ? text.ptr : "");
    strbuf_fini(&words);
}

static void store_database_url(const struct setting *row, void *base, struct str text)
{
    struct config_database *database = setting_field(row, base);
    value_fini(row, base);
    *database =
        (struct config_database){.given = true, .url = strndup(text.ptr ? text.ptr : "", text.len)};
}

void value_set_text(const struct setting *row, void *base, struct str text,
                    const struct config_source *source, struct config_name name,
                    struct config_report *report)
{
    if (row->kind == KIND_CHOICE)
        store_choice(row, base, text, source, name, report);
    else if (row->kind == KIND_DATABASE)
        store_database_url(row, base, text);
    else
        store_text(row, base, text, source, name, report);
}

bool texts_add(struct config_texts *texts, struct str text)
{
    char **items = realloc(texts->items, (texts->count + 1) * sizeof *items);
    if (!items)
        return false;
    texts->items = items;
    items[texts->count] = strndup(text.ptr ? text.ptr : "", text.len);
    return items[texts->count] != NULL && ++texts->count;
}

void texts_fini(struct config_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
    *texts = (struct config_texts){0};
}

static void free_texts(const struct setting *row, struct config_texts *texts)
{
    for (size_t i = 0; i < texts->count && setting_is_secret(row); i++)
        secret_wipe(texts->items[i], strlen(texts->items[i]));
    texts_fini(texts);
}

/* Comma list; blanks around the items do not count, nor does a comma at the end. */
static void parse_texts(const struct setting *row, void *base, struct str list,
                        const struct config_source *source, struct config_name name,
                        struct config_report *report)
{
    struct config_texts texts = {0};
    struct str item;
    while (str_split(&list, ',', &item)) {
        item = str_trim(item);
        if (item.len == 0)
            continue;
        if (!is_printable(item))
            config_error(report, source, name, "must be UTF-8 without control characters");
        else if (!texts_add(&texts, item))
            out_of_memory(source, name, report);
    }
    free_texts(row, setting_field(row, base));
    *(struct config_texts *)setting_field(row, base) = texts;
}

/* One a line; empty lines do not count. */
static void store_lines(const struct setting *row, void *base, struct str lines,
                        const struct config_source *source, struct config_name name,
                        struct config_report *report)
{
    struct config_texts texts = {0};
    struct str line;
    while (str_split(&lines, '\n', &line)) {
        if (str_ends(line, STR("\r")))
            line.len--;
        const char *fault = line.len > 0 ? secret_edge_fault(line) : NULL;
        if (fault)
            config_error(report, source, name, "%s", fault);
        else if (line.len > 0 && !texts_add(&texts, line))
            out_of_memory(source, name, report);
    }
    free_texts(row, setting_field(row, base));
    *(struct config_texts *)setting_field(row, base) = texts;
}

/* ---- numbers and booleans ---- */

void value_set_integer(const struct setting *row, void *base, int64_t integer,
                       const struct config_source *source, struct config_name name,
                       struct config_report *report)
{
    if (integer < row->min || integer > row->max) {
        config_error(report, source, name, "must be a whole number from %lld to %lld, not %lld",
                     (long long)row->min, (long long)row->max, (long long)integer);
        return;
    }
    if (row->kind == KIND_DATABASE) {
        struct config_database *database = setting_field(row, base);
        value_fini(row, base);
        *database = (struct config_database){.given = true, .number = integer};
    } else {
        *(int64_t *)setting_field(row, base) = integer;
    }
}

void value_set_boolean(const struct setting *row, void *base, bool boolean)
{
    *(bool *)setting_field(row, base) = boolean;
}

static void parse_integer(const struct setting *row, void *base, struct str text,
                          const struct config_source *source, struct config_name name,
                          struct config_report *report)
{
    int64_t integer;
    if (str_to_int64(text, row->min, row->max, &integer)) {
        value_set_integer(row, base, integer, source, name, report);
        return;
    }
    /* Kubernetes sets REDIS_PORT=tcp://10.0.0.1:6379 in every pod beside a Service named redis. */
    const char *fix = str_starts(text, STR("tcp://"))
                          ? " (Kubernetes sets this for a Service of that name: set the variable "
                            "yourself, or enableServiceLinks: false)"
                          : "";
    config_error(report, source, name, "must be a whole number from %lld to %lld, not \"%.*s\"%s",
                 (long long)row->min, (long long)row->max, (int)(text.len < 64 ? text.len : 64),
                 text.ptr, fix);
}

static void parse_boolean(const struct setting *row, void *base, struct str text,
                          const struct config_source *source, struct config_name name,
                          struct config_report *report)
{
    static const struct {
        struct str word;
        bool value;
    } words[] = {{STR("true"), true},   {STR("1"), true},  {STR("yes"), true}, {STR("on"), true},
                 {STR("false"), false}, {STR("0"), false}, {STR("no"), false}, {STR("off"), false}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(text, words[i].word)) {
            value_set_boolean(row, base, words[i].value);
            return;
        }
    config_error(report, source, name, "must be true or false, not \"%.*s\"",
                 (int)(text.len < 64 ? text.len : 64), text.ptr);
}

void value_parse(const struct setting *row, void *base, struct str text,
                 const struct config_source *source, struct config_name name,
                 struct config_report *report)
{
    if (row->kind == KIND_INTEGER)
        parse_integer(row, base, text, source, name, report);
    else if (row->kind == KIND_BOOLEAN)
        parse_boolean(row, base, text, source, name, report);
    else if (row->kind == KIND_TEXTS || row->kind == KIND_SECRETS)
        parse_texts(row, base, text, source, name, report);
    else
        value_set_text(row, base, text, source, name, report);
}

/* ---- secrets in files ---- */

/* Reads at most `size` bytes; -1 with errno. */
static ssize_t read_file(const char *path, char *buffer, size_t size, mode_t *mode_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct stat info;
    ssize_t got = -1;
    size_t used = 0;
    if (fstat(fd, &info) == 0) {
        *mode_out = S_ISREG(info.st_mode) ? info.st_mode : 0;
        while ((got = read(fd, buffer + used, size - used)) > 0)
            used += (size_t)got;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return got < 0 ? -1 : (ssize_t)used;
}

void value_read_secret(const struct setting *row, void *base, const char *path,
                       const struct config_source *source, struct config_name name,
                       struct config_report *report)
{
    char *text = malloc(SECRET_FILE_MAX);
    if (!text) {
        out_of_memory(source, name, report);
        return;
    }
    mode_t mode = 0;
    ssize_t size = read_file(path, text, SECRET_FILE_MAX, &mode);
    struct str whole = {text, size < 0 ? 0 : (size_t)size}, secret = secret_line(whole);
    if (size < 0)
        config_error(report, source, name, "cannot be read from %s: %s%s", path, strerror(errno),
                     config_read_fix(path, errno));
    else if (size == SECRET_FILE_MAX)
        config_error(report, source, name, "cannot be read from %s: it is longer than %d bytes",
                     path, SECRET_FILE_MAX - 1);
    else if (row->kind == KIND_SECRETS)
        store_lines(row, base, whole, source, name, report);
    else if (secret.len == 0)
        config_error(report, source, name, "cannot be read from %s: it is empty", path);
    else
        store_text(row, base, secret, source, name, report);
    if (size >= 0 && mode & S_IROTH)
        config_warning(report, source, name, "is in %s, which everybody may read: chmod 600 it",
                       path);
    secret_wipe(text, SECRET_FILE_MAX);
    free(text);
}

/* ---- freeing ---- */

void value_fini(const struct setting *row, void *base)
{
    void *field = setting_field(row, base);
    const struct setting_table *fields = setting_fields(row->kind);
    if (row->kind == KIND_TEXTS || row->kind == KIND_SECRETS) {
        free_texts(row, field);
    } else if (row->kind == KIND_TEXT || setting_is_secret(row)) {
        forget_text(row, field);
    } else if (row->kind == KIND_DATABASE) {
        struct config_database *database = field;
        if (database->url)
            secret_wipe(database->url, strlen(database->url));
        free(database->url);
        *database = (struct config_database){0};
    } else if (fields) {
        struct config_list *list = field;
        for (size_t i = 0; i < list->count; i++)
            values_fini(fields, (char *)list->items + i * fields->item_size);
        free(list->items);
        *list = (struct config_list){0};
    }
}

void values_fini(const struct setting_table *table, void *base)
{
    for (size_t i = 0; i < table->count; i++)
        value_fini(&table->rows[i], base);
}
