/* What the owner of a home can do against a process that writes there, as fast as possible, until
 * it is killed or nobody waits for it: attacker MODE [PATH PATH]. What fails is part of the race. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

int main(int, char **);

/* Say every way in which one can look into a process. */
static int look(const char *process) {
    static const char *files[] = {"mem", "maps", "environ", "auxv", "stack", "io", "fd/3", "fd/4"};
    static const char *links[] = {"cwd", "root", "exe", "fd/1", "fd/3", "fd/4"};
    char path[200], byte;
    pid_t pid = atoi(process);
    struct iovec here = {&byte, 1}, there = {main, 1};
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0) puts("seize");
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0) puts("attach");
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0) puts("process_vm_readv");
    int handle = syscall(SYS_pidfd_open, pid, 0);
    for (int number = 0; number < 8; number++)
        if (syscall(SYS_pidfd_getfd, handle, number, 0) >= 0) puts("pidfd_getfd");
    for (size_t number = 0; number < sizeof files / sizeof *files; number++) {
        snprintf(path, sizeof path, "/proc/%s/%s", process, files[number]);
        int file = open(path, O_RDONLY | O_NONBLOCK);
        if (file >= 0 && read(file, &byte, 1) >= 0) puts(path);
    }
    for (size_t number = 0; number < sizeof links / sizeof *links; number++) {
        snprintf(path, sizeof path, "/proc/%s/%s", process, links[number]);
        if (readlink(path, &byte, 1) >= 0) puts(path);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    const char *one = argc > 2 ? argv[2] : "", *other = argc > 3 ? argv[3] : "";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    puts("ready");
    fflush(stdout);
    if (MODE("look")) return look(one);
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
            renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
            renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
            rmdir(one);
            rename(other, one);
            rename(one, other);
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
