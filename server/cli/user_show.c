/* What `user` prints of accounts. */
#include "cli/user.h"

#include "cachewarden/clock.h"

#include <stdio.h>

/* Whose user it is when another issuer vouches for it; empty: ours. */
struct external_subject {
    struct str issuer, subject;
};

static void write_user(struct json_writer *json, const struct user *user,
                       const struct external_subject *external)
{
    char time[CLOCK_RFC3339_SIZE];
    json_open_object(json);
    json_add_integer(json, "id", user->id);
    json_add_string(json, "username", user->username);
    json_add_string(json, "email", user->email);
    json_add_bool(json, "is_superuser", user->is_superuser);
    json_name(json, "groups");
    json_open_array(json);
    for (size_t i = 0; i < user->group_count; i++)
        json_write_string(json, user->groups[i]);
    json_close_array(json);
    json_add_bool(json, "is_active", user->is_active);
    if (external && external->issuer.len > 0) {
        json_add_string(json, "issuer", external->issuer);
        json_add_string(json, "subject", external->subject);
    }
    json_add_string(json, "created_at", clock_rfc3339(user->created_at_s * 1000, time));
    json_name(json, "last_login_at");
    if (user->last_login_at_s > 0)
        json_write_string(json, clock_rfc3339(user->last_login_at_s * 1000, time));
    else
        json_write_null(json);
    json_close_object(json);
}

static void print_groups(struct strbuf *out, const struct user *user)
{
    for (size_t i = 0; i < user->group_count; i++)
        strbuf_addf(out, "%s%.*s", i ? ", " : "", STR_ARG(user->groups[i]));
    if (user->group_count == 0)
        strbuf_addf(out, "-");
}

static void print_user(struct strbuf *out, const struct user *user,
                       const struct external_subject *external)
{
    char time[CLOCK_RFC3339_SIZE];
    struct str created = clock_rfc3339(user->created_at_s * 1000, time);
    strbuf_addf(out,
                "id:         %lld\nusername:   %.*s\nemail:      %.*s\nsuperuser:  %s\n"
                "active:     %s\ncreated:    %.*s\ngroups:     ",
                (long long)user->id, STR_ARG(user->username), STR_ARG(user->email),
                user->is_superuser ? "yes" : "no", user->is_active ? "yes" : "no",
                STR_ARG(created));
    print_groups(out, user);
    strbuf_add_char(out, '\n');
    if (external->issuer.len > 0)
        strbuf_addf(out, "issuer:     %.*s\nsubject:    %.*s\n", STR_ARG(external->issuer),
                    STR_ARG(external->subject));
}

static enum err read_subject(struct cli_services *services, int64_t id,
                             struct external_subject *external_out, struct error *error)
{
    *external_out = (struct external_subject){0};
    enum err err = users_subject_of(services->app->users, services->arena, id,
                                    &external_out->issuer, &external_out->subject, error);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int show(const struct cli *cli, const struct user *user,
                const struct external_subject *external)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, NULL, 256);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        write_user(&json, user, external);
        strbuf_add_char(&text, '\n');
    } else {
        print_user(&text, user, external);
    }
    return cli_print(&text);
}

int cli_show_user(const struct cli *cli, struct cli_services *services, const struct user *user)
{
    struct external_subject external;
    struct error error = {0};
    enum err err = read_subject(services, user->id, &external, &error);
    return err == ERR_OK ? show(cli, user, &external) : cli_fail_with(err, &error);
}

/* What is known of it all the same, so that scripts go on. */
static int show_unread(const struct cli *cli, const struct user *user, enum err err,
                       const struct error *error)
{
    struct strbuf text;
    struct json_writer json;
    fprintf(stderr, "warning: the change was made, but the account cannot be shown: %s\n",
            error->caller[0] ? error->caller : err_name(err));
    strbuf_init(&text, NULL, 256);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        json_open_object(&json);
        json_add_integer(&json, "id", user->id);
        json_add_string(&json, "username", user->username);
        json_close_object(&json);
        strbuf_add_char(&text, '\n');
    } else {
        strbuf_addf(&text, "id:         %lld\nusername:   %.*s\n", (long long)user->id,
                    STR_ARG(user->username));
    }
    return cli_print(&text);
}

int cli_show_changed(const struct cli *cli, struct cli_services *services, struct user *user)
{
    struct external_subject external;
    struct error error = {0};
    struct user now;
    if (user->is_deleted)
        return CLI_OK;
    enum err err = users_find_by_id(services->app->users, services->arena, user->id, &now, &error);
    if (err == ERR_OK)
        err = read_subject(services, user->id, &external, &error);
    if (err != ERR_OK)
        return show_unread(cli, user, err, &error);
    *user = now;
    return user->is_deleted ? CLI_OK : show(cli, user, &external);
}

static void print_table(struct strbuf *out, const struct user *users, size_t count)
{
    char id[24];
    cli_pad(out, STR("ID"), 8);
    cli_pad(out, STR("USERNAME"), 24);
    cli_pad(out, STR("EMAIL"), 32);
    cli_pad(out, STR("SUPERUSER"), 11);
    cli_pad(out, STR("ACTIVE"), 8);
    strbuf_addf(out, "GROUPS\n");
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%lld", (long long)users[i].id);
        cli_pad(out, str_from(id), 8);
        cli_pad(out, users[i].username, 24);
        cli_pad(out, users[i].email, 32);
        cli_pad(out, users[i].is_superuser ? STR("yes") : STR("no"), 11);
        cli_pad(out, users[i].is_active ? STR("yes") : STR("no"), 8);
        print_groups(out, &users[i]);
        strbuf_add_char(out, '\n');
    }
}

int cli_list_users(const struct cli *cli, const struct user *users, size_t count)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, NULL, 4096);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        json_open_array(&json);
        for (size_t i = 0; i < count; i++)
            write_user(&json, &users[i], NULL);
        json_close_array(&json);
        strbuf_add_char(&text, '\n');
    } else {
        print_table(&text, users, count);
    }
    return cli_print(&text);
}
