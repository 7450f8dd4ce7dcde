/* The doctor's look at backups: whether one can be made, how the last went, and whether a good one is overdue. */
#include "cli/doctor.h"

#include "cachewarden/backup_result.h"
#include "cachewarden/clock.h"
#include "cachewarden/users.h"
#include "cachewarden/zone.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static const char check[] = "backups";

/* ---- the folder ---- */

static void check_folder(struct doctor *doctor, const char *folder)
{
    struct stat info;
    bool is_there = stat(folder, &info) == 0;

    if (!is_there && errno == ENOENT)
        return; /* the first backup makes it */
    if (is_there && !S_ISDIR(info.st_mode))
        errno = ENOTDIR;
    else if (is_there && access(folder, R_OK | W_OK | X_OK) == 0)
        return;
    doctor_say(doctor, DOCTOR_FAILURE, check,
               "correct backup.directory, or make the account the server runs as its owner "
               "(chown)",
               "none can be made: %s: %s", folder, strerror(errno));
}

/* ---- the last ones ---- */

static const char *ago(struct doctor *doctor, int64_t at_s)
{
    char at[CLOCK_RFC3339_SIZE];
    int64_t minutes = (clock_wall_s() - at_s) / 60;
    bool is_long = minutes >= 120;
    struct str text =
        str_format(doctor->arena, "%.19sZ (%" PRId64 " %s ago)", clock_rfc3339(at_s * 1000, at).ptr,
                   is_long       ? minutes / 60
                   : minutes > 0 ? minutes
                                 : 0,
                   is_long ? "hours" : "minutes");

    return text.ptr ? text.ptr : "";
}

static void say_unscheduled(struct doctor *doctor, const struct backup_result *good)
{
    if (good->at_s > 0)
        doctor_say(doctor, DOCTOR_OK, check, NULL,
                   "the last good one is %s of %s; none is scheduled", good->id,
                   ago(doctor, good->at_s));
    else
        doctor_say(
            doctor, DOCTOR_WARNING, check,
            "make them by themselves with backup.schedule, such as \"0 3 * * *\", or by hand: "
            "cachewarden backup create",
            "none was made yet, and none is scheduled");
}

static void say_overdue(struct doctor *doctor, const char *schedule,
                        const struct backup_result *good, const struct backup_result *last)
{
    bool has_failed = last->at_s > 0 && !last->is_good;

    doctor_say(doctor, DOCTOR_FAILURE, check,
               "the log says why (event=backup.failed); make one now: cachewarden backup create",
               "two ticks of \"%s\" have brought no good one; the last is %s%s%s", schedule,
               good->at_s > 0 ? ago(doctor, good->at_s) : "none",
               has_failed ? ", and then one failed: " : "", has_failed ? last->reason : "");
}

static void say_scheduled(struct doctor *doctor, const struct config *config,
                          const struct users_sight *sight, const struct backup_result *good,
                          const struct backup_result *last)
{
    struct cron cron;
    struct error error = {0};
    int64_t now_s = clock_wall_s();

    if (zone_use(str_from(config->backup_timezone), &error) != ERR_OK ||
        cron_parse(str_from(config->backup_schedule), &cron, &error) != ERR_OK)
        return; /* the configuration has said so */
    int64_t next_s = cron_next(&cron, zone_offset_s, now_s);
    char next[CLOCK_RFC3339_SIZE];
    clock_rfc3339(next_s * 1000, next);
    if (good->at_s < backup_asked_for_s(&cron, zone_offset_s, sight->backup_since_s, now_s) &&
        sight->backup_since_s > 0)
        say_overdue(doctor, config->backup_schedule, good, last);
    else if (last->at_s > 0 && !last->is_good)
        doctor_say(doctor, DOCTOR_WARNING, check, "see the log of that node (event=backup.failed)",
                   "the last one failed on %s, %s: %s; the next is due at %.19sZ", last->node,
                   ago(doctor, last->at_s), last->reason, next);
    else if (good->at_s > 0)
        doctor_say(doctor, DOCTOR_OK, check, NULL,
                   "the last good one is %s of %s; the next is due at %.19sZ", good->id,
                   ago(doctor, good->at_s), next);
    else
        doctor_say(doctor, DOCTOR_OK, check, NULL, "the first is due at %.19sZ", next);
}

/* Whether the last good one of this machine is where it was put. */
static void check_file(struct doctor *doctor, const char *folder, const struct backup_result *good)
{
    char node[sizeof good->node] = "";
    struct str path = str_format(doctor->arena, "%s/%s.tar.zst", folder, good->id);

    if (good->at_s == 0 || gethostname(node, sizeof node - 1) != 0 || strcmp(node, good->node) != 0)
        return;
    if (path.ptr && access(path.ptr, F_OK) != 0)
        doctor_say(
            doctor, DOCTOR_WARNING, check,
            "correct backup.directory, mount its disk, or make a new one: cachewarden backup "
            "create",
            "the last good one is not in %s: %s: %s", folder, good->id, strerror(errno));
}

/* Where the server is started in another folder than commands are, they would not find each other's. */
static void check_place(struct doctor *doctor, const char *folder)
{
    if (folder[0] != '/')
        doctor_say(doctor, DOCTOR_WARNING, check, "give it a whole path",
                   "backup.directory is \"%s\": that is another folder for whoever is started in "
                   "another one",
                   folder);
}

static struct backup_result result_of(const char *fact)
{
    struct backup_result result = {0};

    if (!backup_result_read(str_from(fact), &result) ||
        !backup_result_is_believed(&result, clock_wall_s()))
        result.at_s = 0;
    return result;
}

void doctor_check_backups(struct doctor *doctor, const struct config *config)
{
    struct users_sight sight;
    struct backup_result good = {0}, last = {0};
    struct error error = {0};
    enum err err = users_look(str_from(config->users_database), &sight, &error);

    check_folder(doctor, config->backup_directory);
    /* That the database does not answer is a finding already. One that is not there yet has no backup. */
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return;
    good = result_of(sight.backup_good);
    last = result_of(sight.backup_last);
    check_file(doctor, config->backup_directory, &good);
    if (config->backup_schedule || last.at_s > 0)
        check_place(doctor, config->backup_directory);
    if (config->backup_schedule)
        say_scheduled(doctor, config, &sight, &good, &last);
    else
        say_unscheduled(doctor, &good);
}
