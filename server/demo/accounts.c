/* The people and the API key of the demo, and what to paste to try them. */
#include "demo/demo_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/password.h"
#include "cachewarden/random.h"
#include "cachewarden/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One hash takes 15 ms; this is for a machine that is very slow. */
#define DEMO_HASH_MS 30000

/* ---- the file of credentials ---- */

/* "NAME=value" lines. A value that is not there or does not fit leaves the field empty. */
static void take_line(struct str text, const char *name, char *field, size_t size)
{
    struct str line;
    while (str_split(&text, '\n', &line)) {
        ptrdiff_t equals = str_find(line, '=');
        if (equals < 0 || !str_eq(str_sub(line, 0, (size_t)equals), str_from(name)))
            continue;
        struct str value = str_sub(line, (size_t)equals + 1, line.len);
        if (value.len < size)
            snprintf(field, size, "%.*s", STR_ARG(value));
    }
}

static void read_credentials(struct demo *demo)
{
    char text[1024];
    int fd = openat(demo->folder, "credentials", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return;
    struct str lines = {text, (size_t)size};
    take_line(lines, "ADMIN_PASSWORD", demo->admin_password, sizeof demo->admin_password);
    take_line(lines, "DEMO_PASSWORD", demo->demo_password, sizeof demo->demo_password);
    take_line(lines, "API_KEY", demo->api_key, sizeof demo->api_key);
    secret_wipe(text, sizeof text);
}

/* Under a name of its own first, so that a crash leaves the old file or the new one. */
static enum err write_credentials(const struct demo *demo, struct error *error)
{
    char text[1024];
    int size = snprintf(text, sizeof text, "ADMIN_PASSWORD=%s\nDEMO_PASSWORD=%s\nAPI_KEY=%s\n",
                        demo->admin_password, demo->demo_password, demo->api_key);
    unlinkat(demo->folder, "credentials.new", 0);
    int fd = openat(demo->folder, "credentials.new",
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write(fd, text, (size_t)size) == size;
    if (fd >= 0)
        close(fd);
    secret_wipe(text, sizeof text);
    if (!written || renameat(demo->folder, "credentials.new", demo->folder, "credentials") != 0)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "demo: cannot write .cachewarden/credentials: %s", strerror(errno));
    return ERR_OK;
}

/* ---- accounts ---- */

struct person {
    const char *name;
    const char *email;
    bool is_superuser;
    char *password; /* in struct demo; "" until there is one */
    size_t password_size;
};

static enum err hash(struct arena *arena, const struct person *person, struct str *hash_out)
{
    return password_hash(arena, str_from(person->password), clock_deadline_ns(DEMO_HASH_MS),
                         hash_out);
}

static enum err add_person(struct users *users, struct arena *arena, const struct person *person,
                           int64_t *id_out, struct error *error)
{
    struct user user = {
        .username = str_from(person->name),
        .email = str_from(person->email),
        .is_superuser = person->is_superuser,
        .is_active = true,
        .created_at_s = clock_wall_s(),
    };
    enum err err = hash(arena, person, &user.password_hash);
    return err == ERR_OK ? users_add(users, &user, id_out, error) : err;
}

/* What is printed must be true, even after somebody has played with the accounts. */
static enum err repair_person(struct users *users, struct arena *arena, const struct person *person,
                              const struct user *user, struct error *error)
{
    bool rehash;
    struct str encoded;
    enum err err = password_verify(user->password_hash, str_from(person->password),
                                   clock_deadline_ns(DEMO_HASH_MS), &rehash);
    if (err == ERR_UNAUTHENTICATED) {
        err = hash(arena, person, &encoded);
        if (err == ERR_OK)
            err = users_set_password(users, user->id, encoded, error);
    }
    if (err == ERR_OK && user->is_superuser != person->is_superuser)
        err = users_set_superuser(users, user->id, person->is_superuser, error);
    if (err == ERR_OK && !user->is_active)
        err = users_set_active(users, user->id, true, error);
    return err;
}

static enum err prepare_person(struct users *users, struct arena *arena, struct person *person,
                               int64_t *id_out, struct error *error)
{
    struct user user;
    if (!person->password[0])
        snprintf(person->password, person->password_size, "%.*s",
                 STR_ARG(random_hex(arena, DEMO_PASSWORD_BYTES)));
    enum err err = users_find_by_name(users, arena, str_from(person->name), &user, error);
    if (err == ERR_NOT_FOUND)
        return add_person(users, arena, person, id_out, error);
    if (err == ERR_OK)
        *id_out = user.id;
    return err == ERR_OK ? repair_person(users, arena, person, &user, error) : err;
}

/* ---- the API key ---- */

#define KEY_SCOPES (SCOPE_FLUSH | SCOPE_ENTRIES)

static bool is_key_good(struct app *app, struct arena *arena, const char *api_key)
{
    const struct credentials credentials = {.api_key = str_from(api_key)};
    struct principal principal;
    struct error error;
    return api_key[0] &&
           identity_authenticate(app->identity, (struct work){.arena = arena, .error = &error},
                                 &credentials, clock_wall_s(), &principal) == ERR_OK &&
           (principal.scopes & KEY_SCOPES) == KEY_SCOPES;
}

static enum err prepare_key(struct demo *demo, struct app *app, struct arena *arena,
                            struct error *error)
{
    struct str secret = STR_NONE;
    struct api_key key = {.name = STR("demo"), .scopes = KEY_SCOPES, .space = STR("demo")};
    if (is_key_good(app, arena, demo->api_key))
        return ERR_OK;
    enum err err = identity_create_key(app->identity, arena, &key, clock_wall_s(), &secret, error);
    if (err == ERR_CONFLICT) {
        /* The old one is revoked or its secret is lost; names are never used again. */
        key.name = str_format(arena, "demo-%.*s", STR_ARG(random_hex(arena, 4)));
        err = identity_create_key(app->identity, arena, &key, clock_wall_s(), &secret, error);
    }
    if (err == ERR_OK && secret.len < sizeof demo->api_key)
        snprintf(demo->api_key, sizeof demo->api_key, "%.*s", STR_ARG(secret));
    return err;
}

enum err demo_prepare(struct demo *demo, struct app *app, struct error *error)
{
    int64_t admin_id;
    struct person admin = {"admin", "admin@demo.invalid", true, demo->admin_password,
                           sizeof demo->admin_password};
    struct person user = {"demo", "demo@demo.invalid", false, demo->demo_password,
                          sizeof demo->demo_password};
    struct arena *arena = arena_new(65536, 0);
    if (!arena)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    read_credentials(demo);
    enum err err = prepare_person(app->users, arena, &admin, &admin_id, error);
    if (err == ERR_OK)
        err = prepare_person(app->users, arena, &user, &demo->demo_user_id, error);
    if (err == ERR_OK)
        err = prepare_key(demo, app, arena, error);
    if (err == ERR_OK)
        err = write_credentials(demo, error);
    if (err != ERR_OK && !error->caller[0])
        err = error_set(error, err, "demo: cannot make the accounts: %s",
                        error->detail[0] ? error->detail : err_name(err));
    arena_free(&arena);
    return err;
}

/* ---- what to paste ---- */

static void print_base(struct strbuf *out, const struct listen_address *listen, int port)
{
    const char *host = listen->host;
    if (strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    strbuf_addf(out, strchr(host, ':') ? "%s://[%s]:%d" : "%s://%s:%d",
                listen->tls ? "https" : "http", host, port);
}

static void print_sign_in(struct strbuf *out, const char *variable, const char *name,
                          const char *password, const char *curl)
{
    strbuf_addf(out,
                "%s=$(%s \"$CW/api/token/\" -H 'Content-Type: application/json' \\\n"
                "  -d '{\"username\":\"%s\",\"password\":\"%s\"}' | sed "
                "'s/.*\"access\":\"\\([^\"]*\\)\".*/\\1/')\n",
                variable, curl, name, password);
}

/* One word of a shell, whatever is in it. */
static void print_word(struct strbuf *out, const char *word)
{
    strbuf_add_char(out, '\'');
    for (; *word; word++)
        strbuf_addf(out, *word == '\'' ? "'\\''" : "%c", *word);
    strbuf_add_char(out, '\'');
}

/* A command of this program beside the demo needs to know where the demo keeps what it has. */
static void print_command(struct strbuf *out, const struct demo *demo, const char *arguments)
{
    char self[DEMO_PATH_SIZE];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = '\0';
    strbuf_addf(out, "REDIS_URL=");
    print_word(out, demo->redis_url);
    strbuf_addf(out, " DATABASE_URL='sqlite:'");
    print_word(out, demo->path);
    strbuf_addf(out, "/users.db ");
    print_word(out, self);
    strbuf_addf(out, " %s\n", arguments);
}

/* Once the first four are pasted, every line can be by itself. No comments: an interactive zsh takes them
 * for commands, and an apostrophe in one for a quote. */
static void print_lines(struct strbuf *out, const struct demo *demo, struct str base,
                        const char *curl)
{
    static const char user[] = "-H \"Authorization: Bearer $USER_TOKEN\"";
    static const char admin[] = "-H \"Authorization: Bearer $ADMIN_TOKEN\"";
    static const char key[] = "-H \"x-api-key: $KEY\"";
    strbuf_addf(out, "CW=%.*s\n", STR_ARG(base));
    print_sign_in(out, "USER_TOKEN", "demo", demo->demo_password, curl);
    print_sign_in(out, "ADMIN_TOKEN", "admin", demo->admin_password, curl);
    strbuf_addf(out, "KEY=%s\n", demo->api_key);
    strbuf_addf(out, "\n");
    strbuf_addf(out, "%s \"$CW/api/cache/status/\" %s; echo\n", curl, user);
    strbuf_addf(out, "%s -X POST \"$CW/api/cache/clear/\" %s; echo\n", curl, user);
    strbuf_addf(out, "%s -X POST \"$CW/api/cache/disable/\" %s; echo\n", curl, user);
    strbuf_addf(out, "%s -X POST \"$CW/api/cache/enable/\" %s; echo\n", curl, user);
    strbuf_addf(out, "\n");
    strbuf_addf(out,
                "%s -X POST \"$CW/api/server-management/clear-cache/?user_id=%lld\" %s; echo\n",
                curl, (long long)demo->demo_user_id, admin);
    strbuf_addf(out, "%s -X POST \"$CW/api/server-management/clear-cache/\" %s; echo\n", curl,
                admin);
    strbuf_addf(out, "\n");
    strbuf_addf(out, "%s -X DELETE \"$CW/api/v1/cache\" %s; echo\n", curl, key);
    strbuf_addf(out, "%s -X POST \"$CW/api/v1/analytics/cache/clear\" %s; echo\n", curl, admin);
    strbuf_addf(out, "\n");
    strbuf_addf(out,
                "%s -X PUT \"$CW/api/v1/entries/greeting?ttl=60\" %s -d '{\"hello\":\"world\"}' && "
                "%s \"$CW/api/v1/entries/greeting\" %s; echo\n",
                curl, key, curl, key);
    strbuf_addf(out, "%s -X POST \"$CW/api/v1/entries/visits/increment\" %s; echo\n", curl, key);
    print_command(out, demo, "entry get visits --namespace app:demo; echo");
    strbuf_addf(out, "\n%s \"$CW/health\"; echo\n", curl);
}

/* On standard output, even when nobody reads that: who does not can look it up in the folder. */
static void show(struct str text)
{
    static struct sink out;
    sink_open(&out, STDOUT_FILENO);
    sink_start(&out);
    sink_write(&out, text);
    sink_close(&out);
}

void demo_print(const struct demo *demo, const struct listen_address *listen, int port)
{
    struct strbuf text, base;
    strbuf_init(&text, NULL, 4096);
    strbuf_init(&base, NULL, 64);
    print_base(&base, listen, port);
    strbuf_addf(&text,
                "\nCachewarden is running at %.*s\n"
                "Everything it keeps is in %s\n\n"
                "  admin    password %s   (superuser)\n"
                "  demo     password %s\n"
                "  API key  %s   (scopes flush and entries)\n\n"
                "Registration is open. Ctrl-C stops it. Paste into another shell:\n\n",
                STR_ARG(strbuf_str(&base)), demo->path, demo->admin_password, demo->demo_password,
                demo->api_key);
    print_lines(&text, demo, strbuf_str(&base), listen->tls ? "curl -sk" : "curl -s");
    strbuf_add_char(&text, '\n');
    if (!text.failed) {
        show(strbuf_str(&text));
        secret_wipe(text.ptr, text.len);
    }
    strbuf_fini(&text);
    strbuf_fini(&base);
}
