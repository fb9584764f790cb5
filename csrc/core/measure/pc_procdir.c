// SPDX-License-Identifier: MIT
// The folder of one process under /proc (see the header).
#include "measure/pc_procdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure/pc_procfile.h"

enum { NONE = -1, DENIED = -2 }; // descriptors: not open yet; cannot be had, and will not be tried again
enum { CANARY_BYTES = 1 };       // a page

static void forget_files(pc_procdir *folder)
{
    folder->canary = NULL;
    folder->directory = NONE;
    for (int i = 0; i < PC_PROCDIR_FILES; i++)
        folder->files[i] = NONE;
}

void pc_procdir_close(pc_procdir *folder)
{
    for (int i = 0; i < PC_PROCDIR_FILES; i++) {
        if (folder->files[i] >= 0)
            (void)close(folder->files[i]);
    }
    if (folder->directory >= 0)
        (void)close(folder->directory);
    if (folder->canary != NULL)
        (void)munmap((void *)(uintptr_t)folder->canary, CANARY_BYTES);
    forget_files(folder);
}

// The kernel's way to say that the process behind a descriptor is gone.
static bool means_gone(int error)
{
    return error == ESRCH || error == ENOENT;
}

// A page that the kernel wipes in a forked child (Linux 4.14), so that a look at it tells of a fork without a system
// call.
static void set_canary(pc_procdir *folder)
{
    // cppcheck-suppress invalidFunctionArg ; an anonymous mapping wants -1
    void *page = mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    if (madvise(page, CANARY_BYTES, MADV_WIPEONFORK) < 0) {
        (void)munmap(page, CANARY_BYTES);
        return;
    }
    folder->canary = page;
    *folder->canary = 1;
}

static pid_t number_of(const pc_procdir *folder)
{
    return folder->pid != 0 ? folder->pid : getpid();
}

static int open_directory(pc_procdir *folder)
{
    char path[256];
    int written = snprintf(path, sizeof path, "%s/%ld", folder->proc, (long)number_of(folder));
    if (written < 0 || (size_t)written >= sizeof path)
        return -ENAMETOOLONG;
    folder->owner = getpid();
    folder->directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder->directory >= 0) {
        if (folder->pid == 0)
            set_canary(folder);
        return 0;
    }
    if (folder->pid == 0 && !pc_procfile_is_shortage(-errno))
        return 0; // /proc is not mounted or hidden
    return means_gone(errno) ? -ESRCH : -errno;
}

int pc_procdir_open(pc_procdir *folder, const char *proc, pid_t pid, bool lean)
{
    pc_procdir made = {.proc = proc, .pid = pid, .lean = lean};
    forget_files(&made);
    int status = pid < 0 ? -ESRCH : open_directory(&made);
    if (status < 0)
        return status;
    *folder = made;
    return 0;
}

int pc_procdir_follow_fork(pc_procdir *folder)
{
    if (folder->pid != 0 || (folder->canary != NULL ? *folder->canary == 1 : folder->owner == getpid()))
        return 0;
    pc_procdir_close(folder);
    return open_directory(folder);
}

// Whether the process has ended; asked after a file was not found.
static bool has_ended(const pc_procdir *folder)
{
    struct stat about;
    return fstatat(folder->directory, "stat", &about, 0) < 0 && means_gone(errno);
}

static int open_file(const pc_procdir *folder, int file)
{
    static const char *const names[PC_PROCDIR_FILES] = {"statm", "stat", "status", "io", "schedstat", "", "fd", "task"};
    char path[64];
    const char *name = names[file];
    if (file == PC_PROCDIR_CHILDREN) {
        (void)snprintf(path, sizeof path, "task/%ld/children", (long)number_of(folder));
        name = path;
    }
    bool is_folder = file == PC_PROCDIR_FD || file == PC_PROCDIR_TASK;
    return openat(folder->directory, name, (is_folder ? O_PATH | O_DIRECTORY : O_RDONLY) | O_CLOEXEC);
}

int pc_procdir_borrow(pc_procdir *folder, int file, int *descriptor)
{
    *descriptor = folder->files[file];
    if (PC_LIKELY(*descriptor != NONE) || folder->directory < 0)
        return 0;
    int opened = open_file(folder, file);
    if (opened < 0) {
        int error = errno;
        if (pc_procfile_is_shortage(-error))
            return -error;
        if (means_gone(error) && has_ended(folder))
            return -ESRCH;
        opened = DENIED;
    }
    if (opened < 0 || !folder->lean || file == PC_PROCDIR_STATM)
        folder->files[file] = opened;
    *descriptor = opened;
    return 0;
}

void pc_procdir_release(const pc_procdir *folder, int file, int descriptor)
{
    if (descriptor >= 0 && descriptor != folder->files[file])
        (void)close(descriptor);
}

// The length without what follows the last newline.
static size_t whole_lines(const char *text, size_t length)
{
    const char *newline = memrchr(text, '\n', length);
    return newline != NULL ? (size_t)(newline - text) + 1 : 0;
}

int pc_procdir_read(pc_procdir *folder, int file, char *text, size_t *length)
{
    int descriptor;
    int status = pc_procdir_borrow(folder, file, &descriptor);
    if (status < 0)
        return status;
    *length = 0;
    if (descriptor < 0)
        return 0;
    ssize_t count;
    do
        count = pread(descriptor, text, PC_PROCDIR_TEXT_BYTES, 0);
    while (count < 0 && errno == EINTR);
    int error = errno;
    pc_procdir_release(folder, file, descriptor);
    if (PC_LIKELY(count >= 0)) {
        *length = count < PC_PROCDIR_TEXT_BYTES ? (size_t)count : whole_lines(text, (size_t)count);
        return 0;
    }
    if (error == ESRCH || error == ENOMEM)
        return -error;
    if (descriptor == folder->files[file]) { // EACCES of io: only whoever may trace the process may read it
        (void)close(descriptor);
        folder->files[file] = DENIED;
    }
    return 0;
}

// By stat: the task folder has a link for each thread and two of its own; the size of the fd folder is the number of
// descriptors since Linux 6.2, and 0 before.
int pc_procdir_count(pc_procdir *folder, int file, uint64_t *count)
{
    int descriptor;
    int status = pc_procdir_borrow(folder, file, &descriptor);
    if (status < 0)
        return status;
    *count = 0;
    if (descriptor < 0)
        return 0;
    struct stat about;
    int result = fstat(descriptor, &about);
    int error = errno;
    pc_procdir_release(folder, file, descriptor);
    if (result < 0)
        return means_gone(error) ? -ESRCH : 0;
    if (file == PC_PROCDIR_TASK && about.st_nlink > 2)
        *count = (uint64_t)about.st_nlink - 2;
    if (file == PC_PROCDIR_FD && about.st_size > 0)
        *count = (uint64_t)about.st_size;
    return 0;
}
