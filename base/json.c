/*
 * The reader of json.h. jansson calls its kinds as we call ours, so they are renamed while its
 * header is read; this is the only file that reads it.
 */
#define JSON_OBJECT  JANSSON_OBJECT
#define JSON_ARRAY   JANSSON_ARRAY
#define JSON_STRING  JANSSON_STRING
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL    JANSSON_REAL
#define JSON_TRUE    JANSSON_TRUE
#define JSON_FALSE   JANSSON_FALSE
#define JSON_NULL    JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL

#include "cachewarden/json.h"

#include "cachewarden/arena.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

/* A struct json is jansson's json_t under a name that says nothing about jansson. */
static const json_t *inside(const struct json *value)
{
    return (const json_t *)value;
}

static const struct json *outside(const json_t *value)
{
    return (const struct json *)value;
}

/* Where a scan of the text stands. Lines and columns count from 1, columns in bytes. */
struct json_position {
    int line;
    int column;
};

/*
 * What has to be found before jansson sees a document. It recurses once a level, and a thousand
 * levels overflow a worker's stack; it spends some 250 bytes on a "{}"; and it skips a NUL behind
 * a number or a word as if it were not there. Only brackets and commas outside strings count.
 * Whether the text is JSON at all is jansson's to say.
 */
static const char *find_fault(struct str text, struct json_position *at_out)
{
    int depth = 0, values = 1;
    bool in_string = false, escaped = false;
    struct json_position at = {1, 0};

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        at.column++;
        if (c == '\n')
            at = (struct json_position){at.line + 1, 0};
        *at_out = at;
        if (c == '\0')
            return "a NUL byte";
        if (in_string) {
            if (c == '"' && !escaped)
                in_string = false;
            escaped = c == '\\' && !escaped;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == ']' || c == '}')
            depth--;
        else if (c == '[' || c == '{')
            depth++;
        if (c == '[' || c == '{' || c == ',')
            values++;
        if (depth > JSON_MAX_DEPTH)
            return "nested too deeply";
        if (values > JSON_MAX_VALUES)
            return "too many values";
    }
    return NULL;
}

/* jansson's own texts quote the document, which may hold a password; these do not. */
static const char *complaint(enum json_error_code code)
{
    switch (code) {
    case json_error_invalid_utf8:
        return "a string is not valid UTF-8";
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something follows the end of the document";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "\\u0000 is not allowed";
    case json_error_duplicate_key:
        return "an object has the same name twice";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_stack_overflow:
        return "nested too deeply";
    default:
        return "syntax error";
    }
}

/*
 * While a document is parsed, jansson's memory comes from the arena: nothing has to be freed
 * later, and the arena's limit holds. When the arena has no more, jansson does not get to know:
 * its lexer forgets to look and runs past the end of its buffer (2.14, lex_save). It is left by
 * longjmp instead, which loses nothing, because all it holds lies in the arena.
 */
struct parse {
    struct arena *arena;
    jmp_buf out_of_memory;
};

static _Thread_local struct parse *current_parse;

static void *parse_allocate(size_t size)
{
    if (!current_parse)
        return malloc(size);

    void *memory = arena_alloc(current_parse->arena, size);
    if (!memory)
        longjmp(current_parse->out_of_memory, 1);
    return memory;
}

/* jansson is told once for the whole process: whoever else uses it gets what malloc gives. */
static void parse_release(void *memory)
{
    if (!current_parse)
        free(memory);
}

static void set_allocator(void)
{
    json_set_alloc_funcs(parse_allocate, parse_release);
}

/* False when memory is out. NULL in *root_out is a document that is none, as *found_out tells. */
static bool load(struct arena *arena, struct str text, size_t flags, json_t **root_out,
                 json_error_t *found_out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct parse parse = {.arena = arena};

    pthread_once(&once, set_allocator);
    if (setjmp(parse.out_of_memory) != 0) {
        current_parse = NULL;
        return false;
    }
    current_parse = &parse;
    *root_out = json_loadb(text.ptr ? text.ptr : "", text.len,
                           flags | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, found_out);
    current_parse = NULL;
    return true;
}

static enum err parse(struct arena *arena, struct str text, size_t flags,
                      const struct json **root_out, struct error *error)
{
    struct json_position at;
    const char *fault = find_fault(text, &at);
    if (fault)
        return error_set(error, ERR_BAD_INPUT, "Invalid JSON at line %d, column %d: %s.", at.line,
                         at.column, fault);

    json_error_t found;
    json_t *root;
    if (!load(arena, text, flags, &root, &found))
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a JSON document");
    if (!root)
        return error_set(error, ERR_BAD_INPUT, "Invalid JSON at line %d, column %d: %s.",
                         found.line, found.column, complaint(json_error_code(&found)));
    *root_out = outside(root);
    return ERR_OK;
}

enum err json_parse(struct arena *arena, struct str text, const struct json **root_out,
                    struct error *error)
{
    return parse(arena, text, 0, root_out, error);
}

enum err json_parse_nul(struct arena *arena, struct str text, const struct json **root_out,
                        struct error *error)
{
    return parse(arena, text, JSON_ALLOW_NUL, root_out, error);
}

enum json_kind json_kind(const struct json *value)
{
    if (!value)
        return JSON_NULL;
    switch (json_typeof(inside(value))) {
    case JANSSON_OBJECT:
        return JSON_OBJECT;
    case JANSSON_ARRAY:
        return JSON_ARRAY;
    case JANSSON_STRING:
        return JSON_STRING;
    case JANSSON_INTEGER:
        return JSON_INTEGER;
    case JANSSON_REAL:
        return JSON_REAL;
    case JANSSON_TRUE:
    case JANSSON_FALSE:
        return JSON_BOOL;
    case JANSSON_NULL:
        break;
    }
    return JSON_NULL;
}

bool json_bool(const struct json *value)
{
    return value && json_typeof(inside(value)) == JANSSON_TRUE;
}

/* jansson's readers below take NULL and other kinds, and answer 0 or NULL. */

int64_t json_integer(const struct json *value)
{
    return json_integer_value(inside(value));
}

double json_real(const struct json *value)
{
    return json_number_value(inside(value));
}

struct str json_string(const struct json *value)
{
    const char *text = json_string_value(inside(value));

    return text ? (struct str){text, json_string_length(inside(value))} : STR_NONE;
}

const struct json *json_get(const struct json *object, const char *name)
{
    return outside(json_object_get(inside(object), name));
}

size_t json_count(const struct json *array_or_object)
{
    /* Each answers 0 for the other's kind. */
    return json_array_size(inside(array_or_object)) + json_object_size(inside(array_or_object));
}

const struct json *json_at(const struct json *array, size_t index)
{
    return outside(json_array_get(inside(array), index));
}

void json_each(const struct json *object,
               bool (*fn)(struct str name, const struct json *value, void *arg), void *arg)
{
    /* jansson's iterators are not const, though going through them changes nothing. */
    json_t *members = (json_t *)(uintptr_t)object;

    for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at)) {
        struct str name = {json_object_iter_key(at), json_object_iter_key_len(at)};
        if (!fn(name, outside(json_object_iter_value(at)), arg))
            return;
    }
}
