/* Accounts and their groups: found, listed, added and changed; see users.h. */
#include "users/users_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/random.h"

/* Both are ASCII, so this is the whole of it. */
struct str users_folded(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (!copy)
        return STR_NONE;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        copy[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    copy[text.len] = '\0';
    return (struct str){copy, text.len};
}

enum {
    COLUMN_ID,
    COLUMN_USERNAME,
    COLUMN_EMAIL,
    COLUMN_HASH,
    COLUMN_SUPERUSER,
    COLUMN_ACTIVE,
    COLUMN_DELETED,
    COLUMN_CREATED,
    COLUMN_LAST_LOGIN,
    COLUMN_NOT_BEFORE,
    COLUMN_KEPT_FAMILY,
    COLUMN_INCARNATION,
    COLUMN_GROUP
};

static struct user read_account(const struct users_result *result, size_t row)
{
    return (struct user){
        .id = users_integer(result, row, COLUMN_ID),
        .username = users_bytes(result, row, COLUMN_USERNAME),
        .email = users_bytes(result, row, COLUMN_EMAIL),
        .password_hash = users_bytes(result, row, COLUMN_HASH),
        .is_superuser = users_integer(result, row, COLUMN_SUPERUSER) != 0,
        .is_active = users_integer(result, row, COLUMN_ACTIVE) != 0,
        .is_deleted = users_integer(result, row, COLUMN_DELETED) != 0,
        .created_at_s = users_integer(result, row, COLUMN_CREATED),
        .last_login_at_s = users_integer(result, row, COLUMN_LAST_LOGIN),
        .tokens_not_before_s = users_integer(result, row, COLUMN_NOT_BEFORE),
        .tokens_kept_family = users_bytes(result, row, COLUMN_KEPT_FAMILY),
        .incarnation = users_bytes(result, row, COLUMN_INCARNATION),
    };
}

/* A result has one row for each group of an account, or one without a group; rows of one account
 * stand together. */
enum err users_read_accounts(struct arena *arena, const struct users_result *result,
                             struct user **accounts_out, size_t *count_out)
{
    struct user *accounts = arena_calloc(arena, result->row_count, sizeof *accounts);
    struct str *groups = arena_calloc(arena, result->row_count, sizeof *groups);
    size_t count = 0;

    if (!accounts || !groups)
        return ERR_NO_MEMORY;
    for (size_t row = 0; row < result->row_count; row++) {
        if (count == 0 || accounts[count - 1].id != users_integer(result, row, COLUMN_ID)) {
            accounts[count] = read_account(result, row);
            accounts[count].groups = &groups[row];
            count++;
        }
        groups[row] = users_bytes(result, row, COLUMN_GROUP);
        if (groups[row].len > 0)
            accounts[count - 1].group_count++;
    }
    *accounts_out = accounts;
    *count_out = count;
    return ERR_OK;
}

static enum err find_account(struct users *users, struct arena *arena,
                             enum users_statement statement, struct users_value key,
                             struct user *user_out, struct error *error)
{
    struct users_result result = {0};
    struct user *found = NULL;
    size_t count = 0;

    *user_out = (struct user){0};
    enum err err = users_run(users, USERS_READ, USERS_QUERY(statement, key), arena, &result, error);
    if (!err)
        err = users_read_accounts(arena, &result, &found, &count);
    if (err)
        return err;
    if (count == 0)
        return ERR_NOT_FOUND;
    *user_out = found[0];
    return ERR_OK;
}

enum err users_find_by_id(struct users *users, struct arena *arena, int64_t id,
                          struct user *user_out, struct error *error)
{
    return find_account(users, arena, ACCOUNT_BY_ID, USERS_INT(id), user_out, error);
}

enum err users_find_by_name(struct users *users, struct arena *arena, struct str username,
                            struct user *user_out, struct error *error)
{
    struct str key = users_folded(arena, username);

    if (!key.ptr)
        return ERR_NO_MEMORY;
    return find_account(users, arena, ACCOUNT_BY_NAME, USERS_STR(key), user_out, error);
}

enum err users_find_by_email(struct users *users, struct arena *arena, struct str email,
                             struct user *user_out, struct error *error)
{
    struct str key = users_folded(arena, email);

    if (!key.ptr)
        return ERR_NO_MEMORY;
    return find_account(users, arena, ACCOUNT_BY_EMAIL, USERS_STR(key), user_out, error);
}

enum err users_list(struct users *users, struct arena *arena, struct user **users_out,
                    size_t *count_out, struct error *error)
{
    struct users_result result = {0};

    *users_out = NULL;
    *count_out = 0;
    enum err err = users_run(users, USERS_READ, USERS_PLAIN(ACCOUNT_LIST), arena, &result, error);
    return err ? err : users_read_accounts(arena, &result, users_out, count_out);
}

struct str users_new_incarnation(struct arena *arena)
{
    return random_hex(arena, USERS_INCARNATION_SIZE / 2);
}

/* What LIKE would take for a wildcard stands for itself. */
static struct str contains(struct arena *arena, struct str text)
{
    struct str key = users_folded(arena, text);
    struct strbuf pattern;

    strbuf_init(&pattern, arena, 2 * key.len + 4);
    strbuf_add_char(&pattern, '%');
    for (size_t i = 0; i < key.len; i++) {
        if (strchr("%_!", key.ptr[i]))
            strbuf_add_char(&pattern, '!');
        strbuf_add_char(&pattern, key.ptr[i]);
    }
    if (key.len > 0)
        strbuf_add_char(&pattern, '%');
    return key.ptr && !pattern.failed ? strbuf_str(&pattern) : STR_NONE;
}

enum err users_find(struct users *users, struct arena *arena, const struct users_filter *filter,
                    size_t limit, struct user **users_out, size_t *count_out, struct error *error)
{
    struct users_result result = {0};
    struct str pattern = contains(arena, filter->text);
    int from = filter->wants_active && filter->is_active ? 1 : 0;
    int to = filter->wants_active && !filter->is_active ? 0 : 1;

    *users_out = NULL;
    *count_out = 0;
    if (!pattern.ptr)
        return ERR_NO_MEMORY;
    enum err err = users_run(users, USERS_READ,
                             USERS_QUERY(ACCOUNT_PAGE, USERS_INT(filter->after), USERS_INT(from),
                                         USERS_INT(to), USERS_STR(pattern), USERS_INT(limit)),
                             arena, &result, error);
    return err ? err : users_read_accounts(arena, &result, users_out, count_out);
}

enum err users_note_login(struct users *users, int64_t id, int64_t now_s, struct error *error)
{
    return users_run(users, USERS_WRITE,
                     USERS_QUERY(ACCOUNT_NOTE_LOGIN, USERS_INT(id), USERS_INT(now_s)), NULL, NULL,
                     error);
}

static enum err read_number(struct users *users, struct arena *arena,
                            enum users_statement statement, int64_t *number_out,
                            struct error *error)
{
    struct users_result result = {0};

    *number_out = 0;
    enum err err = users_run(users, USERS_READ, USERS_PLAIN(statement), arena, &result, error);
    if (!err)
        *number_out = users_integer(&result, 0, 0);
    return err;
}

enum err users_highest_id(struct users *users, struct arena *arena, int64_t *id_out,
                          struct error *error)
{
    return read_number(users, arena, ACCOUNT_HIGHEST, id_out, error);
}

enum err users_last_voided(struct users *users, struct arena *arena, int64_t *second_out,
                           struct error *error)
{
    return read_number(users, arena, ACCOUNT_LAST_VOIDED, second_out, error);
}

enum err users_void_all_tokens(struct users *users, int64_t not_before_s, struct error *error)
{
    return users_run(users, USERS_WRITE,
                     USERS_QUERY(ACCOUNT_VOID_ALL_TOKENS, USERS_INT(not_before_s)), NULL, NULL,
                     error);
}

static enum err insert_account(struct users *users, struct users_connection *connection,
                               struct arena *arena, const struct user *user, int64_t *id_out,
                               struct error *error)
{
    struct users_result result = {0};
    int64_t created_at_s = user->created_at_s > 0 ? user->created_at_s : clock_wall_s();
    struct str username_key = users_folded(arena, user->username);
    struct str email_key = users_folded(arena, user->email);
    struct str incarnation =
        user->incarnation.len > 0 ? user->incarnation : users_new_incarnation(arena);

    if (!username_key.ptr || !email_key.ptr || !incarnation.ptr)
        return ERR_NO_MEMORY;
    enum err err = users->driver->run(
        connection,
        USERS_QUERY(ACCOUNT_ADD, USERS_STR(user->username), USERS_STR(username_key),
                    USERS_STR(user->email), USERS_STR(email_key), USERS_STR(user->password_hash),
                    USERS_INT(user->is_superuser), USERS_INT(user->is_active),
                    USERS_INT(created_at_s), USERS_STR(incarnation)),
        arena, &result, error);
    if (err)
        return err;
    if (result.row_count != 1)
        return error_set_detail(error, ERR_INTERNAL, "users database: an insert gave no id");
    *id_out = users_integer(&result, 0, 0);
    for (size_t i = 0; !err && i < user->group_count; i++)
        err = users->driver->run(
            connection, USERS_QUERY(GROUP_ADD, USERS_INT(*id_out), USERS_STR(user->groups[i])),
            NULL, &result, error);
    return err;
}

/* Which of the two names was taken, where the driver could not tell. The other account may have
 * gone since. */
static enum err explain_conflict(struct users *users, struct arena *arena, const struct user *user,
                                 struct error *error)
{
    struct user other;

    if (users_find_by_name(users, arena, user->username, &other, NULL) == ERR_OK)
        return error_set(error, ERR_CONFLICT, USERS_USERNAME_TAKEN);
    if (users_find_by_email(users, arena, user->email, &other, NULL) == ERR_OK)
        return error_set(error, ERR_CONFLICT, USERS_EMAIL_TAKEN);
    return error_set(error, ERR_CONFLICT, "A user with that username or email already exists.");
}

static enum err check_account(const struct user *user, struct error *error)
{
    enum err err = user_check_username(user->username, error);

    if (!err)
        err = user_check_email(user->email, error);
    for (size_t i = 0; !err && i < user->group_count; i++)
        err = user_check_group(user->groups[i], error);
    return err;
}

enum err users_add(struct users *users, const struct user *user, int64_t *id_out,
                   struct error *error)
{
    struct users_connection *connection = NULL;

    *id_out = 0;
    enum err err = check_account(user, error);
    if (err)
        return err;
    struct arena *arena = arena_new(1024, 0);
    if (!arena)
        return ERR_NO_MEMORY;
    err = users_begin(users, USERS_WRITE, &connection, error);
    if (!err) {
        err = insert_account(users, connection, arena, user, id_out, error);
        err = users_end(users, &connection, err, error);
    }
    if (err == ERR_CONFLICT && error && error->caller[0] == '\0')
        err = explain_conflict(users, arena, user, error);
    if (err)
        *id_out = 0;
    arena_free(&arena);
    return err;
}

/* Dates of tokens are whole seconds, so to end those of this very second the next one is named. */
enum err users_set_password(struct users *users, int64_t id, struct str password_hash,
                            struct error *error)
{
    return users_change(users,
                        USERS_QUERY(ACCOUNT_SET_PASSWORD, USERS_INT(id),
                                    USERS_INT(clock_wall_s() + 1), USERS_STR(password_hash)),
                        error);
}

enum err users_change_password(struct users *users, int64_t id, struct str old_hash,
                               struct str new_hash, struct str kept_family, struct error *error)
{
    struct str kept = kept_family.len > 0 ? kept_family : STR("");

    return users_change(users,
                        USERS_QUERY(ACCOUNT_CHANGE_PASSWORD, USERS_INT(id),
                                    USERS_INT(clock_wall_s() + 1), USERS_STR(new_hash),
                                    USERS_STR(kept), USERS_STR(old_hash)),
                        error);
}

enum err users_void_tokens(struct users *users, int64_t id, struct error *error)
{
    return users_change(
        users, USERS_QUERY(ACCOUNT_VOID_TOKENS, USERS_INT(id), USERS_INT(clock_wall_s() + 1)),
        error);
}

enum err users_replace_hash(struct users *users, int64_t id, struct str old_hash,
                            struct str new_hash, struct error *error)
{
    return users_change(
        users,
        USERS_QUERY(ACCOUNT_REPLACE_HASH, USERS_INT(id), USERS_STR(old_hash), USERS_STR(new_hash)),
        error);
}

enum err users_set_active(struct users *users, int64_t id, bool is_active, struct error *error)
{
    struct arena *arena = arena_new(64, 0);
    struct str incarnation = arena ? users_new_incarnation(arena) : STR_NONE;
    enum err err;

    if (!incarnation.ptr)
        err = ERR_NO_MEMORY;
    else if (is_active)
        err = users_change(
            users, USERS_QUERY(ACCOUNT_ACTIVATE, USERS_INT(id), USERS_STR(incarnation)), error);
    else
        err = users_change(users,
                           USERS_QUERY(ACCOUNT_DEACTIVATE, USERS_INT(id),
                                       USERS_INT(clock_wall_s() + 1), USERS_STR(incarnation)),
                           error);
    arena_free(&arena);
    return err;
}
