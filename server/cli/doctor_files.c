/* The doctor's look at this machine: the signing key, modes of files, certificates, room on disk. */
#include "cli/doctor.h"
#include "config/certificates.h"
#include "http/tls.h"

#include "cachewarden/clock.h"
#include "cachewarden/token.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { ROOM_LEAST_MIB = 16, ROOM_GOOD_MIB = 128 };

/* ---- the signing key ---- */

static void judge_secret(struct doctor *doctor, struct str secret)
{
    const char *weakness = token_secret_weakness(secret);
    if (weakness)
        doctor_say(doctor, DOCTOR_FAILURE, "auth.secret",
                   "make one with `openssl rand -hex 32`; everybody signs in again",
                   "it can be guessed: %s", weakness);
    else
        doctor_say(doctor, DOCTOR_OK, "auth.secret", NULL, "%zu bytes and no evident weakness",
                   secret.len);
}

/* Whoever guesses one of these can be anybody, too. */
static void judge_previous(struct doctor *doctor, const struct config_texts *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        const char *weakness = token_secret_weakness(str_from(secrets->items[i]));
        if (weakness)
            doctor_say(doctor, DOCTOR_FAILURE, "auth.previous_secrets",
                       "take it out; who has a token of it signs in again",
                       "number %zu can be guessed: %s", i + 1, weakness);
    }
}

static void check_secret_file(struct doctor *doctor, const char *database)
{
    struct config_report report = {0};
    struct error error = {0};
    char *secret = NULL;
    enum err err = config_secret_read(database, &secret, &report, &error);
    if (err == ERR_NOT_FOUND && access(database, F_OK) == 0)
        doctor_say(doctor, DOCTOR_WARNING, "auth.secret",
                   "put the old one back, or set auth.secret; else the next start makes a new one "
                   "and all tokens are void",
                   "there is a users database, and none beside it");
    else if (err == ERR_NOT_FOUND)
        doctor_say(doctor, DOCTOR_UNKNOWN, "auth.secret", "it is made by the first start",
                   "there is none yet beside the users database");
    else if (err != ERR_OK)
        doctor_say(doctor, DOCTOR_FAILURE, "auth.secret", NULL, "%s",
                   error.caller[0] ? error.caller : err_name(err));
    else
        judge_secret(doctor, str_from(secret));
    if (secret)
        secret_wipe(secret, strlen(secret));
    free(secret);
    config_report_fini(&report);
}

/* ---- modes ---- */

/* Where the group's rights are how the server gets at it, taking them away would lock it out. */
static const char *mode_fix(const struct stat *info)
{
    bool is_root = geteuid() == 0;
    bool is_owned = is_root ? info->st_uid != 0 || info->st_gid == 0 : info->st_uid == geteuid();

    return is_owned ? "take them away with chmod"
                    : "make the account the server runs as its owner (chown), then take them away "
                      "with chmod";
}

/* The group may read what an administrator gave it; who is in no group with us may not. */
static void check_mode(struct doctor *doctor, const char *what, const char *path, unsigned allowed)
{
    struct stat info;
    if (!path || !*path)
        return;
    if (stat(path, &info) != 0) {
        if (errno != ENOENT) /* what is missing is somebody else's finding */
            doctor_say(doctor, DOCTOR_UNKNOWN, "file modes",
                       "run doctor as the user the server runs as", "%s: cannot look at %s: %s",
                       what, path, strerror(errno));
        return;
    }
    unsigned mode = (unsigned)info.st_mode & 0777;
    bool is_open = mode & 06 & ~allowed, is_shared = mode & 060 & ~allowed;
    doctor_say(doctor,
               is_open     ? DOCTOR_FAILURE
               : is_shared ? DOCTOR_WARNING
                           : DOCTOR_OK,
               "file modes", is_open || is_shared ? mode_fix(&info) : NULL,
               "%s: %s has mode %04o%s", what, path, mode,
               is_open     ? ", others have rights"
               : is_shared ? ", the group has rights"
                           : "");
}

static void check_modes(struct doctor *doctor, const struct config *config)
{
    enum { NONE = 0, GROUP_READS = 040, OTHERS_READ = 04 };
    const char *database = config_sqlite_path(config);
    if (database) {
        check_mode(doctor, "users database", database, NONE);
        check_mode(doctor, "users database", str_format(doctor->arena, "%s-wal", database).ptr,
                   NONE);
        check_mode(doctor, "auth.secret", str_format(doctor->arena, "%s.secret", database).ptr,
                   NONE);
    }
    check_mode(doctor, "backup.directory", config->backup_directory, NONE);
    /* That everybody may read secrets in it, the configuration says itself. */
    for (size_t i = 0; i < config->files.count; i++)
        check_mode(doctor, "configuration", config->files.items[i], GROUP_READS | OTHERS_READ);
    check_mode(doctor, "server.tls.key", config->server_tls_key, GROUP_READS);
    check_mode(doctor, "redis.tls_key", config->redis_tls_key, GROUP_READS);
    const struct config_issuer *issuers = config->auth_issuers.items;
    for (size_t i = 0; i < config->auth_issuers.count; i++)
        check_mode(doctor, "auth.issuers secret_file", issuers[i].secret_file, GROUP_READS);
}

/* ---- certificates ---- */

/* That a file of Redis's cannot be used, the configuration says. */
static void check_listeners_tls(struct doctor *doctor, const struct config *config)
{
    const struct tls_files files = {config->server_tls_certificate, config->server_tls_key,
                                    config->server_tls_client_ca};
    struct error error = {0};
    bool is_used = false;
    for (size_t i = 0; i < config->listen_count; i++)
        is_used = is_used || config->listen[i].tls;
    if (is_used && tls_check(&files, NULL, &error) != ERR_OK)
        doctor_say(doctor, DOCTOR_FAILURE, "certificates", "the server would not start", "%s",
                   error.caller);
}

static void check_certificates(struct doctor *doctor, const struct config *config)
{
    static const struct {
        enum doctor_verdict verdict;
        const char *fix;
    } verdicts[] = {
        [CERTIFICATE_GOOD] = {DOCTOR_OK, NULL},
        [CERTIFICATE_NEAR] = {DOCTOR_WARNING, "renew it, then reload the server (SIGHUP)"},
        [CERTIFICATE_EARLY] = {DOCTOR_FAILURE, "compare the clocks, or wait with using it"},
        [CERTIFICATE_EXPIRED] = {DOCTOR_FAILURE, "renew it, then reload the server (SIGHUP)"},
    };
    struct config_certificate each[CERTIFICATES];
    check_listeners_tls(doctor, config);
    config_certificates(config, clock_wall_s(), each);
    for (int i = 0; i < CERTIFICATES; i++)
        if (each[i].state != CERTIFICATE_UNUSED)
            doctor_say(doctor, verdicts[each[i].state].verdict, "certificates",
                       verdicts[each[i].state].fix, "%s: %s: %s",
                       certificate_setting((enum certificate_place)i), each[i].file, each[i].text);
}

/* ---- room ---- */

static void check_room(struct doctor *doctor, const char *database)
{
    struct statvfs disk;
    const char *slash = strrchr(database, '/');
    struct str folder =
        slash ? str_format(doctor->arena, "%.*s", (int)(slash - database) + 1, database) : STR(".");
    if (!folder.ptr || statvfs(folder.ptr, &disk) != 0) {
        doctor_say(doctor, DOCTOR_UNKNOWN, "disk", NULL, "cannot look at %.*s: %s", STR_ARG(folder),
                   strerror(errno));
        return;
    }
    unsigned long long mib = (unsigned long long)disk.f_bavail * disk.f_frsize >> 20;
    bool no_files = disk.f_files > 0 && disk.f_favail == 0;
    enum doctor_verdict verdict = mib < ROOM_LEAST_MIB || no_files ? DOCTOR_FAILURE
                                  : mib < ROOM_GOOD_MIB            ? DOCTOR_WARNING
                                                                   : DOCTOR_OK;
    doctor_say(doctor, verdict, "disk", verdict == DOCTOR_OK ? NULL : "make room there",
               "%llu MiB are free at %.*s%s", mib, STR_ARG(folder),
               no_files ? ", and no inode is" : "");
}

void doctor_check_files(struct doctor *doctor, const struct config *config)
{
    const char *database = config_sqlite_path(config);
    if (config->auth_secret)
        judge_secret(doctor, str_from(config->auth_secret));
    else if (database)
        check_secret_file(doctor, database);
    judge_previous(doctor, &config->auth_previous_secrets);
    check_modes(doctor, config);
    check_certificates(doctor, config);
    if (database)
        check_room(doctor, database);
}
