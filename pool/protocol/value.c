#include "cachewarden/value.h"

/* Redis puts a machine-readable word in front of most errors; it is separated by one blank. */
static struct str first_word(struct str text)
{
    ptrdiff_t blank = str_find(text, ' ');
    return blank < 0 ? text : str_sub(text, 0, (size_t)blank);
}

static bool contains(struct str text, const char *needle)
{
    size_t size = strlen(needle);
    for (size_t i = 0; i + size <= text.len; i++)
        if (memcmp(text.ptr + i, needle, size) == 0)
            return true;
    return false;
}

/* Errors that share the word ERR and differ only in their sentence (Redis 2.8 to 7). */
static enum redis_fault generic_fault(struct str text)
{
    if (contains(text, "would overflow") || contains(text, "would produce NaN"))
        return REDIS_FAULT_OVERFLOW;
    if (contains(text, "max number of clients"))
        return REDIS_FAULT_CLIENTS;
    if (contains(text, "invalid password") || contains(text, "AUTH <password> called") ||
        contains(text, "Client sent AUTH"))
        return REDIS_FAULT_AUTH;
    return REDIS_FAULT_OTHER;
}

static enum redis_fault word_fault(struct str word)
{
    static const struct {
        struct str word;
        enum redis_fault fault;
    } words[] = {
        {{"OOM", 3}, REDIS_FAULT_OOM},
        {{"READONLY", 8}, REDIS_FAULT_READONLY},
        {{"MISCONF", 7}, REDIS_FAULT_MISCONF},
        {{"LOADING", 7}, REDIS_FAULT_LOADING},
        {{"BUSY", 4}, REDIS_FAULT_BUSY},
        {{"MASTERDOWN", 10}, REDIS_FAULT_MASTERDOWN},
        {{"NOAUTH", 6}, REDIS_FAULT_AUTH},
        {{"WRONGPASS", 9}, REDIS_FAULT_AUTH},
        {{"NOPERM", 6}, REDIS_FAULT_NOPERM},
        {{"WRONGTYPE", 9}, REDIS_FAULT_WRONGTYPE},
        {{"TOOLARGE", 8}, REDIS_FAULT_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(word, words[i].word))
            return words[i].fault;
    return REDIS_FAULT_NONE;
}

/* "EXECABORT Transaction discarded because of: READONLY You can't write …": EXEC itself was refused. */
static enum redis_fault abort_fault(struct str text)
{
    static const char because[] = "because of: ";
    ptrdiff_t colon = str_find(text, ':');

    if (colon < 0 || !contains(text, because))
        return REDIS_FAULT_OTHER;
    enum redis_fault fault = word_fault(first_word(str_sub(text, (size_t)colon + 2, text.len)));
    return fault == REDIS_FAULT_NONE ? REDIS_FAULT_OTHER : fault;
}

enum redis_fault value_fault(const struct value *value)
{
    if (value->kind != VALUE_ERROR)
        return REDIS_FAULT_NONE;
    struct str word = first_word(value->text);
    enum redis_fault fault = word_fault(word);
    if (fault != REDIS_FAULT_NONE)
        return fault;
    if (str_eq(word, STR("EXECABORT")))
        return abort_fault(value->text);
    return str_eq(word, STR("ERR")) ? generic_fault(value->text) : REDIS_FAULT_OTHER;
}

const char *redis_fault_name(enum redis_fault fault)
{
    switch (fault) {
    case REDIS_FAULT_NONE:
        return "none";
    case REDIS_FAULT_OOM:
        return "oom";
    case REDIS_FAULT_READONLY:
        return "readonly";
    case REDIS_FAULT_MISCONF:
        return "misconf";
    case REDIS_FAULT_LOADING:
        return "loading";
    case REDIS_FAULT_BUSY:
        return "busy";
    case REDIS_FAULT_MASTERDOWN:
        return "masterdown";
    case REDIS_FAULT_AUTH:
        return "auth";
    case REDIS_FAULT_NOPERM:
        return "noperm";
    case REDIS_FAULT_WRONGTYPE:
        return "wrongtype";
    case REDIS_FAULT_OVERFLOW:
        return "overflow";
    case REDIS_FAULT_CLIENTS:
        return "clients";
    case REDIS_FAULT_TOO_LARGE:
        return "too_large";
    case REDIS_FAULT_OTHER:
        break;
    }
    return "other";
}

enum redis_error redis_fault_cause(enum redis_fault fault)
{
    switch (fault) {
    case REDIS_FAULT_OOM:
        return REDIS_ERROR_OUT_OF_MEMORY;
    case REDIS_FAULT_READONLY:
        return REDIS_ERROR_READ_ONLY;
    case REDIS_FAULT_LOADING:
        return REDIS_ERROR_LOADING;
    case REDIS_FAULT_BUSY:
    case REDIS_FAULT_CLIENTS:
        return REDIS_ERROR_BUSY;
    case REDIS_FAULT_MASTERDOWN:
    case REDIS_FAULT_TOO_LARGE:
        return REDIS_ERROR_UNAVAILABLE;
    case REDIS_FAULT_AUTH:
        return REDIS_ERROR_AUTHENTICATION;
    case REDIS_FAULT_NONE:
    case REDIS_FAULT_MISCONF:
    case REDIS_FAULT_NOPERM:
    case REDIS_FAULT_WRONGTYPE:
    case REDIS_FAULT_OVERFLOW:
    case REDIS_FAULT_OTHER:
        break;
    }
    return REDIS_ERROR_REFUSED;
}

struct str value_fixed_status(struct str text)
{
    static const struct str fixed[] = {{"QUEUED", 6}, {"OK", 2}};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (str_eq(text, fixed[i]))
            return fixed[i];
    return STR_NONE;
}

/* Where the part begins that is told to nobody, or the end. */
static size_t end_of_sentence(struct str text)
{
    static const struct str arguments = {", with args beginning with", 26};
    struct str word = first_word(text);

    if (str_eq(word, STR("MOVED")) || str_eq(word, STR("ASK")))
        return word.len;
    for (size_t i = 0; i < text.len; i++)
        if (str_starts(str_sub(text, i, text.len), arguments))
            return i;
    return text.len;
}

void value_error_sentence(const struct value *value, char out[VALUE_SENTENCE_SIZE])
{
    static const struct str named = {"NOPERM User ", 12}, nameless = {"NOPERM this user ", 17};
    struct str text = str_sub(value->text, 0, end_of_sentence(value->text));
    size_t size = 0;

    if (str_starts(text, named)) {
        ptrdiff_t name_end = str_find(str_sub(text, named.len, text.len), ' ');
        memcpy(out, nameless.ptr, size = nameless.len);
        text = name_end < 0 ? STR_NONE : str_sub(text, named.len + (size_t)name_end + 1, text.len);
    }
    for (size_t i = 0; i < text.len && size < VALUE_SENTENCE_SIZE - 1; i++)
        out[size++] = text.ptr[i] >= ' ' && text.ptr[i] <= '~' ? text.ptr[i] : '?';
    out[size] = '\0';
}

struct str value_error_word(const struct value *value)
{
    struct str word = first_word(value->text);
    return str_sub(word, 0, word.len < 32 ? word.len : 32);
}
