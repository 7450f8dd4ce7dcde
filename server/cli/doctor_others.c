/* The doctor's look at others: whose control data is in Redis, whether it may be written, and whether other issuers
 * have keys. */
#include "cli/doctor.h"

#include "cachewarden/app.h"
#include "cachewarden/control.h"
#include "cachewarden/users.h"

/* An issuer that is asked for longer is of no use to anybody. */
enum { ISSUER_MS = 3000 };

/* ---- the control data ---- */

static const char control_data[] = "control data";

static void say_anothers(struct doctor *doctor, const char *why)
{
    doctor_say(
        doctor, DOCTOR_FAILURE, control_data,
        "give users.database or redis.url the value of the installation it belongs to, or use "
        "another Redis or database number; if that installation is gone for good, take the "
        "data over: cachewarden serve --adopt",
        "is of another users database%s; the server does not start beside it", why);
}

/* `install` is in the record. A database that the next start makes will have another id. */
static bool is_ours(struct doctor *doctor, const struct config *config, struct str install)
{
    struct users_sight sight;
    struct error error = {0};
    enum err err = users_look(str_from(config->users_database), &sight, &error);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && sight.version == 0))
        say_anothers(doctor, ", and there is none here yet");
    else if (err != ERR_OK || !sight.install[0])
        doctor_say(doctor, DOCTOR_UNKNOWN, control_data, NULL, "cannot tell whose it is: %s",
                   err == ERR_OK ? "the users database has another schema"
                                 : "the users database does not answer");
    else if (str_eq(str_from(sight.install), install))
        doctor_say(doctor, DOCTOR_OK, control_data, NULL, "is of our users database");
    else
        say_anothers(doctor, "");
    return err == ERR_OK && str_eq(str_from(sight.install), install);
}

/* The rights do not tell all: a Redis that lacks replicas, or cannot save, refuses each write. */
static void try_write(struct doctor *doctor, struct redis *redis, int64_t deadline_ns)
{
    struct error error = {0};
    enum err err = control_try_write(redis, (struct work){doctor->arena, deadline_ns, &error});
    if (err == ERR_OK)
        doctor_say(doctor, DOCTOR_OK, "redis writes", NULL, "a key was written and removed");
    else
        doctor_say(doctor, DOCTOR_FAILURE, "redis writes",
                   "repair what Redis names: docs/redis.md has a table of it",
                   "a key cannot be written, so no clear can: %s%s%s", error.caller,
                   error.detail[0] ? ": " : "", error.detail);
}

void doctor_check_installation(struct doctor *doctor, const struct config *config,
                               struct redis *redis, int64_t deadline_ns)
{
    struct str install;
    struct error error = {0};
    enum err err =
        control_installation(redis, (struct work){doctor->arena, deadline_ns, &error}, &install);
    if (err != ERR_OK)
        doctor_say(doctor, DOCTOR_UNKNOWN, control_data, NULL, "cannot tell whose it is: %s%s%s",
                   error.caller, error.detail[0] ? ": " : "", error.detail);
    else if (install.len == 0)
        doctor_say(doctor, DOCTOR_OK, control_data, NULL, "there is none yet");
    /* Beside another installation's control data nothing is written. */
    if (err == ERR_OK && (install.len == 0 || is_ours(doctor, config, install)))
        try_write(doctor, redis, deadline_ns);
    else
        doctor_say(doctor, DOCTOR_UNKNOWN, "redis writes", NULL,
                   "not tried: the control data is not known to be ours");
}

/* ---- other issuers ---- */

/* Files of theirs are looked at with the settings. */
static void check_issuer(struct doctor *doctor, const struct issuer_spec *spec)
{
    struct error error = {0};
    size_t count;
    if (spec->jwks_url.len == 0)
        return;
    enum err err = issuer_check_server(spec, ISSUER_MS, &count, &error);
    if (err == ERR_OK)
        doctor_say(doctor, DOCTOR_OK, "issuer", NULL, "%.*s: %zu keys", STR_ARG(spec->name), count);
    else
        doctor_say(
            doctor, DOCTOR_FAILURE, "issuer",
            "correct jwks_url, jwks_ca or algorithms, or bring that server back; without keys "
            "its tokens are refused",
            "%.*s: no keys from %.*s: %s", STR_ARG(spec->name), STR_ARG(spec->jwks_url),
            error.caller[0] ? error.caller : err_name(err));
}

void doctor_check_issuers(struct doctor *doctor, const struct config *config)
{
    const struct issuer_spec *specs;
    size_t count;
    if (config_issuer_specs(config, doctor->arena, &specs, &count) != ERR_OK)
        return;
    for (size_t i = 0; i < count; i++)
        check_issuer(doctor, &specs[i]);
}
