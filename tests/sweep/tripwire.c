/* A tripwire: runs a program, counts the system calls by which it changes files, and lets something happen at one of
 * them. The kernel stops each such call and asks here (seccomp's user notification), so that there is one count over all
 * threads, the program is the very one that people run, and a call is known by its path.
 *
 *   tripwire [-p] [-s] [-x DIRECTORY] [-f FUSE] [-l LOG] ACTION N PROGRAM ARGUMENT…
 *
 *   -p          calls that write to pipes and sockets count, too
 *   -s          syncs are not done, and said to be (a disk that lies)
 *   -x DIR      calls about what is below this directory do not count
 *   -f FUSE     is armed only if this file is there, and removes it: of several runs only the first is hit
 *   -l LOG      a line for each call: number, name, path
 *
 *   count       nothing happens
 *   kill        SIGKILL instead of call N
 *   signal:S    signal S before call N
 *   error:E     call N fails with this errno
 *   errors:E    so does each one after it (only where a disk without room would, for ENOSPC and EDQUOT)
 *   cut:MOUNT   SIGKILL instead of call N, and the file system there is shut down without writing out its log: what
 *               was not synced is gone, as when the power fails
 *
 * Only the program's own calls count, not those of its children. Its exit status is given on, a signal as 128 + S. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "not known here"
#endif

#define FS_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

/* What a call is about: a descriptor in argument 0, or a name in argument `name`. */
enum kind { WRITE, SYNC, MAKE, REMOVE, CHANGE };
struct call { int number; const char *word; enum kind kind; int name; };
#define BY_FD (-1)
static const struct call CALLS[] = {
    {SYS_write, "write", WRITE, BY_FD}, {SYS_pwrite64, "pwrite", WRITE, BY_FD}, {SYS_writev, "writev", WRITE, BY_FD},
    {SYS_pwritev, "pwritev", WRITE, BY_FD}, {SYS_pwritev2, "pwritev2", WRITE, BY_FD},
    {SYS_sendfile, "sendfile", WRITE, BY_FD}, {SYS_copy_file_range, "copy_file_range", WRITE, BY_FD},
    {SYS_fallocate, "fallocate", WRITE, BY_FD},
    {SYS_fsync, "fsync", SYNC, BY_FD}, {SYS_fdatasync, "fdatasync", SYNC, BY_FD}, {SYS_syncfs, "syncfs", SYNC, BY_FD},
    {SYS_sync_file_range, "sync_file_range", SYNC, BY_FD},
    {SYS_openat, "openat", MAKE, 1}, {SYS_openat2, "openat2", MAKE, 1}, {SYS_mkdirat, "mkdirat", MAKE, 1},
    {SYS_linkat, "linkat", MAKE, 3}, {SYS_symlinkat, "symlinkat", MAKE, 2}, {SYS_mknodat, "mknodat", MAKE, 1},
    {SYS_renameat2, "renameat2", MAKE, 3}, {SYS_unlinkat, "unlinkat", REMOVE, 1},
    {SYS_ftruncate, "ftruncate", CHANGE, BY_FD}, {SYS_truncate, "truncate", CHANGE, 0},
    {SYS_fchmod, "fchmod", CHANGE, BY_FD}, {SYS_fchmodat, "fchmodat", CHANGE, 1}, {SYS_fchown, "fchown", CHANGE, BY_FD},
    {SYS_fchownat, "fchownat", CHANGE, 1}, {SYS_utimensat, "utimensat", CHANGE, 1},
    {SYS_fsetxattr, "fsetxattr", CHANGE, BY_FD},
#if defined(__x86_64__)
    {SYS_open, "open", MAKE, 0}, {SYS_mkdir, "mkdir", MAKE, 0}, {SYS_link, "link", MAKE, 1},
    {SYS_symlink, "symlink", MAKE, 1}, {SYS_rename, "rename", MAKE, 1}, {SYS_renameat, "renameat", MAKE, 3},
    {SYS_unlink, "unlink", REMOVE, 0}, {SYS_rmdir, "rmdir", REMOVE, 0}, {SYS_chmod, "chmod", CHANGE, 0},
    {SYS_chown, "chown", CHANGE, 0}, {SYS_lchown, "lchown", CHANGE, 0},
#endif
};
#define COUNT (sizeof CALLS / sizeof *CALLS)

static int pipes_count, syncs_lie, armed = 1;
static const char *action, *mount_point, *except;
static int argument;
static long at, seen;
static FILE *log_file;
static pid_t child;

static void die(const char *what) { perror(what); exit(99); }

static int install(void) {
    struct sock_filter filter[COUNT + 5];
    size_t n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, COUNT + 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, COUNT - i, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {.len = n, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no_new_privs");
    int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (fd < 0) die("seccomp");
    return fd;
}

static void hand_over(int socket, int fd) {
    char byte = 0, room[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    if (sendmsg(socket, &message, 0) != 1) die("sendmsg");
}

static int take_over(int socket) {
    int fd;
    char byte, room[CMSG_SPACE(sizeof fd)];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message)) exit(99);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static int is_own(pid_t thread) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", child, thread);
    return access(path, F_OK) == 0;
}

static void memory(pid_t thread, uint64_t from, void *to, size_t bytes) {
    /* A page at most: what follows it may not be there. */
    size_t page = 4096 - from % 4096, first = bytes < page ? bytes : page;
    struct iovec ours = {to, first}, theirs = {(void *)(uintptr_t)from, first};
    memset(to, 0, bytes);
    if (process_vm_readv(thread, &ours, 1, &theirs, 1, 0) < (ssize_t)first) return;
    if (first == bytes || memchr(to, 0, first)) return;
    ours = (struct iovec){(char *)to + first, bytes - first};
    theirs = (struct iovec){(void *)(uintptr_t)(from + first), bytes - first};
    process_vm_readv(thread, &ours, 1, &theirs, 1, 0);
}

/* Whether this call counts; its path. */
static int counts(const struct seccomp_notif *ask, const struct call *call, char *path, size_t room) {
    const uint64_t *a = (const uint64_t *)ask->data.args;
    if (call->name == BY_FD) {
        char link[64];
        int fd = (int)(ask->data.nr == SYS_copy_file_range ? a[2] : a[0]);
        snprintf(link, sizeof link, "/proc/%d/fd/%d", child, fd);
        ssize_t length = readlink(link, path, room - 1);
        path[length < 0 ? 0 : length] = 0;
        if (path[0] == '/') return strncmp(path, "/dev/", 5) || !strncmp(path, "/dev/shm/", 9);
        /* The notes that threads of a runtime pass to each other are none of anybody's business. */
        return pipes_count && (!strncmp(path, "pipe:", 5) || !strncmp(path, "socket:", 7));
    }
    memory(ask->pid, a[call->name], path, room);
    path[room - 1] = 0;
    uint64_t flags = O_CREAT;
    if (ask->data.nr == SYS_openat) flags = a[2];
    if (ask->data.nr == SYS_openat2) {
        struct open_how how;
        memory(ask->pid, a[2], &how, sizeof how);
        flags = how.flags;
    }
#if defined(__x86_64__)
    if (ask->data.nr == SYS_open) flags = a[1];
#endif
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static int is_excepted(const char *path) {
    size_t length = except ? strlen(except) : 0;
    return length && !strncmp(path, except, length) && (path[length] == '/' || !path[length]);
}

static void end_child(void) {
    kill(child, SIGKILL);
    siginfo_t info;
    while (waitid(P_PID, child, &info, WEXITED | WNOWAIT) && errno == EINTR) {}
}

/* What becomes of a counted call: 0 it is done, 1 the answer in `reply` stands for it. */
static int trip(const struct call *call, struct seccomp_notif_resp *reply) {
    int here = armed && seen == at, after = armed && seen >= at;
    if (here && !strcmp(action, "kill")) end_child();
    if (here && !strcmp(action, "signal")) kill(child, argument);
    if (here && !strcmp(action, "cut")) {
        end_child();
        int fd = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint32_t flag = NO_LOG_FLUSH;
        if (fd < 0 || ioctl(fd, FS_IOC_SHUTDOWN, &flag)) die("shutdown");
        close(fd);
    }
    int full = argument == ENOSPC || argument == EDQUOT;
    int fits = !full || (call->kind != REMOVE && call->kind != CHANGE);
    if ((here && !strcmp(action, "error")) || (after && fits && !strcmp(action, "errors"))) {
        reply->error = -argument;
        return 1;
    }
    return syncs_lie && call->kind == SYNC;
}

static void answer(int listener) {
    struct seccomp_notif ask = {0};
    struct seccomp_notif_resp reply = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &ask)) return;
    reply.id = ask.id;
    const struct call *call = NULL;
    for (size_t i = 0; i < COUNT && !call; i++)
        if (CALLS[i].number == ask.data.nr) call = &CALLS[i];
    char path[4096];
    int instead = 0;
    if (call && is_own(ask.pid) && counts(&ask, call, path, sizeof path) && !is_excepted(path)) {
        seen++;
        if (log_file) {
            for (char *c = path; *c; c++) if (*c == '\n') *c = '?';
            fprintf(log_file, "%ld %s %s\n", seen, call->word, path);
            fflush(log_file);
        }
        instead = trip(call, &reply);
    }
    if (!instead) reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    /* Who was killed meanwhile needs no answer. */
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

int main(int argc, char **argv) {
    int option;
    const char *fuse = NULL;
    while ((option = getopt(argc, argv, "+psx:f:l:")) != -1) {
        if (option == 'p') pipes_count = 1;
        else if (option == 's') syncs_lie = 1;
        else if (option == 'x') except = optarg;
        else if (option == 'f') fuse = optarg;
        else if (option == 'l') log_file = fopen(optarg, "ae");
        else return 99;
    }
    if (argc - optind < 3) return fprintf(stderr, "tripwire: words are missing\n"), 99;
    char *word = argv[optind], *colon = strchr(word, ':');
    if (colon) { *colon = 0; mount_point = colon + 1; argument = atoi(colon + 1); }
    action = word;
    at = atol(argv[optind + 1]);
    char **program = argv + optind + 2;
    if (fuse && unlink(fuse)) execvp(program[0], program), die(program[0]);

    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) die("socketpair");
    child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = install();
        hand_over(sockets[1], fd);
        close(fd);
        execvp(program[0], program);
        die(program[0]);
    }
    close(sockets[1]);
    int listener = take_over(sockets[0]);
    /* Ends are told to the program by its own streams, and kept by nobody else. */
    close(0);
    close(1);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    int status = 0, gone = 0;
    for (;;) {
        struct pollfd poll_on = {listener, POLLIN, 0};
        int ready = poll(&poll_on, 1, gone ? -1 : 20);
        if (ready < 0 && errno != EINTR) die("poll");
        if (!gone && waitpid(child, &status, WNOHANG) == child) gone = 1;
        if (ready > 0 && (poll_on.revents & POLLIN)) answer(listener);
        else if (gone && (ready == 0 || (poll_on.revents & (POLLHUP | POLLERR)))) break;
    }
    if (log_file) fclose(log_file);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
