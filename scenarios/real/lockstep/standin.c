/*
 * What one xenstore daemon takes for its kernel and its hypervisor, loaded with LD_PRELOAD, in lock-step with a simulation.
 *
 * The daemon runs only between two calls that wait for an answer: the simulation writes one, and waits until the next such
 * call has come. Everything else that the daemon does is noted on the way, and goes along with that call, in the order of
 * the program. So one answer is one step of the daemon, most often one pass of its main loop, from poll(2) to poll(2).
 *
 * A call is a u32, the octets that follow, and notes of u32 words; its last note is the one that is answered. Numbers of
 * notes, and what they carry, are those of calls.ts, and what an answer looks like is there, too.
 *
 * Ring pages are pages of this process. What the simulation's guests have changed comes with each answer; what the daemon
 * has changed is found by comparing with what both sides knew last, after each notification and with each call. The
 * daemons store one index word, and notify: so each store to an index is told in its place.
 *
 * Nothing is kept here that must outlive exec: it is asked for at the start.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define PAGE_OCTETS 4096
#define RING_OCTETS 1024
#define INDEXES_AT 2048
#define WORDS_END 2080
#define REQ_CONS 2048
#define RSP_PROD 2060
#define RINGS 4096
#define DOMIDS 32768
#define PORTS 131072
#define FDS 4096
#define ROOM (8 << 20)
#define PID 1000
#define REASON_CRASH 3
#define GREF_XENSTORE 1
/* A daemon that has not come to its next call after so much time of its own, or so much of anybody's, hangs. */
#define HANG_CPU_S 10
#define HANG_S 60

enum note {
	NOTE_NOTIFY = 1, NOTE_UNMASK, NOTE_STORE, NOTE_PUT, NOTE_UNMAP, NOTE_WRITE, NOTE_CLOSE, NOTE_ACCEPT, NOTE_TOOK_PORT,
	NOTE_LISTEN, NOTE_UNBIND, NOTE_EVENTS,
	CALL_START = 32, CALL_POLL, CALL_BIND, CALL_VIRQ, CALL_PORT, CALL_MAP, CALL_MAP_GFN, CALL_DOMAIN, CALL_STATE,
	CALL_CHANGED, CALL_EXEC, CALL_STAT, CALL_READ, CALL_ROOM, CALL_MOVED, CALL_DIED, CALL_EXIT,
};
enum { TO_DAEMON = 3, FROM_DAEMON = 4 };
enum { FLAG_HANGUP = 1, FLAG_IN_STEPS = 2, FLAG_END = 4 };
enum kind { KIND_NONE, KIND_EVENTS, KIND_LISTENER, KIND_SOCKET, KIND_KERNEL_PAGE };

struct ring {
	uint8_t *page; /* NULL: free */
	uint32_t domid;
	uint8_t known[PAGE_OCTETS];
};

static int is_simulated, redirects, in_steps, own_dir = -1;
static char successor[PATH_MAX];
static uint8_t out[ROOM] __attribute__((aligned(8))), in[ROOM] __attribute__((aligned(8)));
static uint32_t out_octets = 4;
static struct ring rings[RINGS];
static uint32_t ring_count;
static int16_t port_domid[PORTS]; /* domid + 1; -1: a VIRQ; 0: not ours */
static struct { uint8_t kind; uint32_t room; } fds_of[FDS];
static uint32_t ready_port, waiting;
static struct timespec monotonic, wall;
static volatile sig_atomic_t calls, calls_seen_cpu, calls_seen_real;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The channel ------------------------------------------------------------------------------------------------------ */

/* The simulation is gone: nobody else removes the run's directory. */
static void leave_nothing(void)
{
	char path[PATH_MAX], link[32];
	struct dirent *entry;
	ssize_t n;
	DIR *dir;

	signal(SIGUSR2, SIG_IGN); /* both ends of the news come at about the same time: one of them is enough */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", own_dir);
	n = own_dir < 0 ? -1 : readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = 0;
	dir = strstr(path, "/xenarium-daemon-") ? fdopendir(own_dir) : NULL;
	if (dir)
		rewinddir(dir);
	while (dir && (entry = readdir(dir)))
		unlinkat(own_dir, entry->d_name, 0);
	if (dir)
		rmdir(path);
}

static void abandoned(void)
{
	leave_nothing();
	_exit(0);
}

static void on_abandoned(int sig)
{
	(void)sig;
	abandoned();
}

static void give_up(const char *what)
{
	dprintf(STDERR_FILENO, "stand-in: %s\n", what);
	_exit(70);
}

static void word(uint32_t value)
{
	if (out_octets + 4 > ROOM)
		give_up("too much in one step");
	memcpy(out + out_octets, &value, 4);
	out_octets += 4;
}

static void octets(const void *from, uint32_t count)
{
	if (out_octets + count + 4 > ROOM)
		give_up("too much in one step");
	word(count);
	memcpy(out + out_octets, from, count);
	out_octets += (count + 3) & ~3u;
}

static ssize_t real_read(int fd, void *into, size_t count)
{
	static ssize_t (*next)(int, void *, size_t);

	if (!next)
		next = NEXT(read);
	return next(fd, into, count);
}

static ssize_t real_write(int fd, const void *from, size_t count)
{
	static ssize_t (*next)(int, const void *, size_t);

	if (!next)
		next = NEXT(write);
	return next(fd, from, count);
}

static void send_out(void)
{
	uint32_t at = 0, count = out_octets - 4;

	memcpy(out, &count, 4);
	while (at < out_octets) {
		ssize_t n = real_write(FROM_DAEMON, out + at, out_octets - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abandoned();
		at += n;
	}
	out_octets = 4;
}

static void receive(void)
{
	uint32_t at = 0, count = 4;

	while (at < count) {
		ssize_t n = real_read(TO_DAEMON, in + at, at < 4 ? ROOM : count - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			abandoned();
		at += n;
		if (at >= 4) {
			memcpy(&count, in, 4);
			count += 4;
			if (count > ROOM)
				give_up("too long an answer");
		}
	}
}

static void compare_words(uint32_t slot)
{
	struct ring *ring = &rings[slot];
	uint32_t at;

	for (at = INDEXES_AT; at < WORDS_END; at += 4) {
		uint32_t now = *(volatile uint32_t *)(ring->page + at), before;

		memcpy(&before, ring->known + at, 4);
		if (now == before)
			continue;
		if (at == RSP_PROD && now - before <= RING_OCTETS) {
			uint32_t from = before;

			while (from != now) {
				uint32_t start = from & (RING_OCTETS - 1), left = RING_OCTETS - start;
				uint32_t count = now - from < left ? now - from : left;

				word(NOTE_PUT), word(slot), word(RING_OCTETS + start);
				octets(ring->page + RING_OCTETS + start, count);
				memcpy(ring->known + RING_OCTETS + start, ring->page + RING_OCTETS + start, count);
				from += count;
			}
		}
		word(NOTE_STORE), word(slot), word(at), word(now);
		memcpy(ring->known + at, &now, 4);
	}
}

/* All that the daemon has changed in a page, octets that no index tells of among it. */
static void compare_page(uint32_t slot)
{
	struct ring *ring = &rings[slot];
	uint32_t from = 0, to = INDEXES_AT;

	if (!memcmp(ring->page, ring->known, PAGE_OCTETS))
		return;
	compare_words(slot);
	while (from < to && ring->page[from] == ring->known[from])
		from++;
	while (to > from && ring->page[to - 1] == ring->known[to - 1])
		to--;
	if (from < to) {
		word(NOTE_PUT), word(slot), word(from);
		octets(ring->page + from, to - from);
		memcpy(ring->known + from, ring->page + from, to - from);
	}
}


/* Send the notes and wait for the answer to the last one; returns what is left of it when everybody's part is taken. */
static const uint32_t *ask(void)
{
	const uint32_t *at = (const uint32_t *)(in + 4);
	uint32_t flags, pieces;
	int saved = errno;

	send_out();
	calls++;
	receive();
	calls++;
	flags = *at++;
	in_steps = !!(flags & FLAG_IN_STEPS);
	monotonic.tv_sec = *at++;
	monotonic.tv_nsec = *at++;
	wall.tv_sec = *at++;
	wall.tv_nsec = monotonic.tv_nsec;
	for (pieces = *at++; pieces > 0; pieces--) {
		uint32_t slot = *at++, offset = *at++, count = *at++;

		if (slot >= RINGS || offset + count > PAGE_OCTETS)
			give_up("a piece of no page");
		memcpy(rings[slot].known + offset, at, count);
		if (rings[slot].page)
			memcpy(rings[slot].page + offset, at, count);
		at += (count + 3) / 4;
	}
	if (flags & FLAG_HANGUP)
		raise(SIGHUP);
	if (flags & FLAG_END)
		_exit(0);
	errno = saved;
	return at;
}

static void compare_all(void)
{
	uint32_t slot;

	for (slot = 0; slot < ring_count; slot++)
		if (rings[slot].page)
			compare_words(slot);
}

static const uint32_t *call(enum note what, uint32_t count, ...)
{
	va_list args;

	compare_all();
	word(what);
	va_start(args, count);
	while (count--)
		word(va_arg(args, uint32_t));
	va_end(args);
	return ask();
}

static int failed(uint32_t error)
{
	errno = error;
	return -1;
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static enum kind kind_of(int fd)
{
	return is_simulated && fd >= 0 && fd < FDS ? fds_of[fd].kind : KIND_NONE;
}

static int own_fd(int fd, enum kind kind)
{
	if (fd >= FDS)
		give_up("too many descriptors");
	if (fd >= 0)
		fds_of[fd].kind = kind;
	return fd;
}

static int placeholder(enum kind kind)
{
	int flags = kind == KIND_SOCKET ? SOCK_STREAM : 0;

	return own_fd(flags ? NEXT(socket)(AF_UNIX, flags, 0) : NEXT(open)("/dev/null", O_RDWR), kind);
}

/* The daemons' fixed directories lie in the run's own, which is the working directory. */
static const char *redirect(const char *path, char *room)
{
	static const char *const fixed[] = { "/var/run/xenstored", "/var/run/xen", "/run/xenstored", "/run/xen",
					     "/var/log/xen", "/var/lib/xenstored", "/var/lib/xen", "/etc/xen" };
	size_t i;

	if (!redirects || !path)
		return path;
	if (!strcmp(path, "/proc/xen/xsd_port"))
		return "./xsd_port";
	for (i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		size_t n = strlen(fixed[i]);

		if (!strncmp(path, fixed[i], n) && (path[n] == '/' || !path[n])) {
			snprintf(room, PATH_MAX, ".%s", path + n);
			return room;
		}
	}
	return path;
}

#define ON_PATH(type, name, params, args)             \
	type name params                              \
	{                                             \
		char room[PATH_MAX];                  \
		__typeof__(&name) next = NEXT(name);  \
		path = redirect(path, room);          \
		return next args;                     \
	}

ON_PATH(int, unlink, (const char *path), (path))
ON_PATH(int, mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, chmod, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, lstat64, (const char *restrict path, struct stat64 *restrict st), (path, st))
ON_PATH(FILE *, fopen, (const char *restrict path, const char *restrict mode), (path, mode))

int rename(const char *from, const char *to)
{
	char room[PATH_MAX], other[PATH_MAX];

	return NEXT(rename)(redirect(from, room), redirect(to, other));
}

static int is_kernel_page(const char *path)
{
	return !strcmp(path, "/proc/xen/xsd_kva") || !strcmp(path, "/dev/xen/xsd_kva") ||
	       !strcmp(path, "/dev/xen/xenbus_dev");
}

#define OPEN(name)                                                        \
	int name(const char *path, int flags, ...)                        \
	{                                                                 \
		char room[PATH_MAX];                                      \
		mode_t mode = 0;                                          \
		va_list rest;                                             \
		if (flags & (O_CREAT | __O_TMPFILE)) {                    \
			va_start(rest, flags);                            \
			mode = va_arg(rest, mode_t);                      \
			va_end(rest);                                     \
		}                                                         \
		if (is_simulated && is_kernel_page(path))                 \
			return placeholder(KIND_KERNEL_PAGE);             \
		return NEXT(name)(redirect(path, room), flags, mode);     \
	}
OPEN(open)
OPEN(open64)

/* A file that a live update names is one of the simulation's; 0: it is none of those, and what is told is the answer. */
static int look_up(const char *path, mode_t *mode)
{
	char room[PATH_MAX];
	const uint32_t *answer;

	if (!is_simulated || !path || redirect(path, room) != path || !strncmp(path, "/dev/", 5) ||
	    !strncmp(path, "/proc/", 6) || path[0] != '/')
		return 1;
	compare_all();
	word(CALL_STAT), octets(path, strlen(path));
	answer = ask();
	*mode = answer[1];
	return answer[0] ? failed(answer[0]) : 0;
}

#define STAT(name, type)                                                  \
	int name(const char *restrict path, struct type *restrict st)     \
	{                                                                 \
		char room[PATH_MAX];                                      \
		mode_t mode;                                              \
		int found = look_up(path, &mode);                         \
		if (found > 0)                                            \
			return NEXT(name)(redirect(path, room), st);      \
		if (found == 0) {                                         \
			memset(st, 0, sizeof(*st));                       \
			st->st_mode = mode;                               \
		}                                                         \
		return found;                                             \
	}
STAT(stat, stat)
STAT(stat64, stat64)

int access(const char *path, int how)
{
	char room[PATH_MAX];
	mode_t mode;
	int found = look_up(path, &mode);

	if (found > 0)
		return NEXT(access)(redirect(path, room), how);
	return found == 0 && (how & X_OK) && !(mode & 0111) ? failed(EACCES) : found;
}

static int execute(const char *path, char *const argv[], char *const env[])
{
	const uint32_t *answer;
	char room[PATH_MAX];

	compare_all();
	word(CALL_EXEC), octets(path, strlen(path));
	answer = ask();
	if (answer[0])
		return failed(answer[0]);
	if (answer[1] >= PATH_MAX)
		return failed(ENAMETOOLONG);
	memcpy(room, answer + 2, answer[1]);
	room[answer[1]] = 0;
	return NEXT(execve)(room, argv, env);
}

/*
 * A child is no daemon: it looks whether the successor takes its arguments, and finds the same files. Whatever it names is a
 * program of the simulation, also where this machine has one of that name.
 */
static const char *in_child(const char *path)
{
	return redirects ? successor : path;
}

int execve(const char *path, char *const argv[], char *const env[])
{
	return is_simulated ? execute(path, argv, env) : NEXT(execve)(in_child(path), argv, env);
}

pid_t fork(void)
{
	pid_t child = NEXT(fork)();

	if (child == 0 && is_simulated) {
		is_simulated = 0;
		NEXT(close)(TO_DAEMON);
		NEXT(close)(FROM_DAEMON);
		setenv("XENARIUM_LOCKSTEP", "child", 1);
	}
	return child;
}

int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

int execvp(const char *path, char *const argv[])
{
	return is_simulated ? execute(path, argv, environ) : NEXT(execvp)(in_child(path), argv);
}

/* Its own number is one of the few things by which two runs of a process differ. */
pid_t getpid(void)
{
	return is_simulated ? PID : NEXT(getpid)();
}

/* oxenstored raises its limit of open files and gives up where it may not, and so does one that only looks at its arguments. */
int setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
	return redirects ? 0 : NEXT(setrlimit)(what, limit);
}

/* What a daemon tells the system log belongs to the run. */
void openlog(const char *ident, int option, int facility)
{
	(void)ident;
	(void)option;
	(void)facility;
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)priority;
	(void)flag;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (!strchr(format, '\n'))
		fputc('\n', stderr);
}

void syslog(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (!strchr(format, '\n'))
		fputc('\n', stderr);
}

/* Time ------------------------------------------------------------------------------------------------------------- */

/* It stands still within a step. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!is_simulated)
		return NEXT(clock_gettime)(clock, now);
	*now = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? wall : monotonic;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	if (!is_simulated)
		return NEXT(gettimeofday)(now, zone);
	now->tv_sec = wall.tv_sec;
	now->tv_usec = wall.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *at)
{
	time_t now = is_simulated ? wall.tv_sec : NEXT(time)(NULL);

	if (at)
		*at = now;
	return now;
}

/* Waiting, and sockets --------------------------------------------------------------------------------------------- */

/* Descriptors of the simulation are asked about there; the others, such as a pipe to itself, are looked at here. */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	static int (*next)(struct pollfd *, nfds_t, int);
	const uint32_t *answer;
	uint32_t told = 0, ready;
	nfds_t i;
	int n = 0;

	if (!next)
		next = NEXT(poll);
	if (!is_simulated)
		return next(fds, count, timeout);
	compare_all();
	for (i = 0; i < count; i++) {
		fds[i].revents = 0;
		if (kind_of(fds[i].fd) != KIND_NONE)
			told++;
		else if (fds[i].fd >= 0) {
			struct pollfd one = { .fd = fds[i].fd, .events = fds[i].events };

			if (next(&one, 1, 0) > 0)
				timeout = 0;
		}
	}
	word(CALL_POLL), word(timeout), word(told);
	for (i = 0; i < count; i++)
		if (kind_of(fds[i].fd) != KIND_NONE)
			word(i), word(fds[i].fd), word(fds[i].events);
	answer = ask();
	ready_port = *answer++;
	waiting = *answer++;
	for (ready = *answer++; ready > 0; ready--) {
		i = *answer++;
		fds[i].revents = *answer++;
		fds_of[fds[i].fd].room = *answer++;
	}
	for (i = 0; i < count; i++) {
		if (kind_of(fds[i].fd) == KIND_NONE && fds[i].fd >= 0)
			next(&fds[i], 1, 0);
		n += !!fds[i].revents;
	}
	return n;
}

static int is_nonblocking(int fd)
{
	return !!(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

ssize_t read(int fd, void *into, size_t count)
{
	const uint32_t *answer;

	if (kind_of(fd) != KIND_SOCKET)
		return real_read(fd, into, count);
	if (count == 0) /* never waits: a message without a payload is read so */
		return 0;
	answer = call(CALL_READ, 3, fd, (uint32_t)(count < RING_OCTETS * 64 ? count : RING_OCTETS * 64), is_nonblocking(fd));
	if (answer[0])
		return failed(answer[0]);
	memcpy(into, answer + 2, answer[1]);
	return answer[1];
}

/* What read(2) is called where its caller was compiled with _FORTIFY_SOURCE and does not know the count, as OCaml's runtime is. */
ssize_t __read_chk(int fd, void *into, size_t count, size_t room)
{
	if (count > room)
		abort();
	return read(fd, into, count);
}

ssize_t write(int fd, const void *from, size_t count)
{
	size_t done = 0;

	if (kind_of(fd) != KIND_SOCKET)
		return real_write(fd, from, count);
	while (done < count) {
		uint32_t some = count - done < fds_of[fd].room ? count - done : fds_of[fd].room;
		const uint32_t *answer;

		if (some > 0) {
			word(NOTE_WRITE), word(fd), octets((const uint8_t *)from + done, some);
			fds_of[fd].room -= some;
			done += some;
			continue;
		}
		if (done > 0 && is_nonblocking(fd))
			break;
		answer = call(CALL_ROOM, 2, fd, is_nonblocking(fd));
		if (answer[0])
			return done > 0 ? (ssize_t)done : failed(answer[0]);
		fds_of[fd].room = answer[1];
	}
	return done;
}

int close(int fd)
{
	if (kind_of(fd) != KIND_NONE && kind_of(fd) != KIND_KERNEL_PAGE)
		word(NOTE_CLOSE), word(fd);
	if (kind_of(fd) != KIND_NONE)
		fds_of[fd].kind = KIND_NONE;
	return NEXT(close)(fd);
}

int listen(int fd, int backlog)
{
	if (!is_simulated)
		return NEXT(listen)(fd, backlog);
	word(NOTE_LISTEN), word(own_fd(fd, KIND_LISTENER));
	return 0;
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct sockaddr_un *un = (const void *)addr;
	struct sockaddr_un moved = { .sun_family = AF_UNIX };
	char room[PATH_MAX];
	const char *path;

	if (!is_simulated || addr->sa_family != AF_UNIX)
		return NEXT(bind)(fd, addr, len);
	path = redirect(un->sun_path, room);
	if (strlen(path) >= sizeof(moved.sun_path))
		return failed(ENAMETOOLONG);
	strcpy(moved.sun_path, path);
	return NEXT(bind)(fd, (void *)&moved, sizeof(moved));
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int client;

	if (kind_of(fd) != KIND_LISTENER)
		return NEXT(accept4)(fd, addr, len, flags);
	if (!waiting)
		return failed(EAGAIN);
	waiting--;
	client = placeholder(KIND_SOCKET);
	if (client < 0)
		return -1;
	if (flags & SOCK_NONBLOCK)
		fcntl(client, F_SETFL, O_RDWR | O_NONBLOCK);
	if (flags & SOCK_CLOEXEC)
		fcntl(client, F_SETFD, FD_CLOEXEC);
	if (len && addr) {
		memset(addr, 0, *len);
		addr->sa_family = AF_UNIX;
		*len = sizeof(addr->sa_family);
	}
	fds_of[client].room = 0;
	word(NOTE_ACCEPT), word(client);
	return client;
}

int accept(int fd, struct sockaddr *restrict addr, socklen_t *restrict len)
{
	return kind_of(fd) == KIND_LISTENER ? accept4(fd, addr, len, 0) : NEXT(accept)(fd, addr, len);
}

/* Event channels --------------------------------------------------------------------------------------------------- */

typedef struct event_file {
	int fd;
} event_file;

event_file *xenevtchn_fdopen(void *log, int fd, unsigned int flags)
{
	event_file *xce = malloc(sizeof(*xce));

	(void)log;
	(void)flags;
	xce->fd = fd;
	return xce;
}

event_file *xenevtchn_open(void *log, unsigned int flags)
{
	int fd = placeholder(KIND_EVENTS);

	if (fd < 0)
		return NULL;
	word(NOTE_EVENTS), word(fd);
	return xenevtchn_fdopen(log, fd, flags);
}

int xenevtchn_close(event_file *xce)
{
	close(xce->fd);
	free(xce);
	return 0;
}

int xenevtchn_fd(event_file *xce)
{
	return xce->fd;
}

int xenevtchn_pending(event_file *xce)
{
	uint32_t port = ready_port;

	(void)xce;
	ready_port = 0;
	if (port) {
		word(NOTE_TOOK_PORT), word(port);
		return port;
	}
	port = *call(CALL_PORT, 0);
	return port ? (int)port : failed(EAGAIN);
}

static int owns(uint32_t port)
{
	return port < PORTS && port_domid[port];
}

int xenevtchn_unmask(event_file *xce, uint32_t port)
{
	(void)xce;
	word(NOTE_UNMASK), word(port);
	return 0;
}

static int bound(const uint32_t *answer, int whose)
{
	if (answer[0])
		return failed(answer[0]);
	if (answer[1] >= PORTS)
		give_up("a port out of range");
	port_domid[answer[1]] = whose;
	return answer[1];
}

int xenevtchn_bind_interdomain(event_file *xce, uint32_t domid, uint32_t remote)
{
	(void)xce;
	return bound(call(CALL_BIND, 2, domid, remote), domid < DOMIDS - 1 ? (int)domid + 1 : -1);
}

int xenevtchn_bind_virq(event_file *xce, unsigned int virq)
{
	(void)xce;
	return bound(call(CALL_VIRQ, 1, virq), -1);
}

int xenevtchn_unbind(event_file *xce, uint32_t port)
{
	(void)xce;
	if (!owns(port))
		return failed(ENOTCONN);
	port_domid[port] = 0;
	word(NOTE_UNBIND), word(port);
	return 0;
}

/* What the notification is about has just been stored. */
int xenevtchn_notify(event_file *xce, uint32_t port)
{
	uint32_t slot;

	(void)xce;
	if (!owns(port))
		return failed(ENOTCONN);
	for (slot = 0; slot < ring_count; slot++)
		if (rings[slot].page && (int)rings[slot].domid + 1 == port_domid[port])
			compare_page(slot);
	word(NOTE_NOTIFY), word(port);
	if (in_steps)
		call(CALL_MOVED, 0);
	return 0;
}

/* Ring pages ------------------------------------------------------------------------------------------------------- */

static void *map_ring(const uint32_t *answer, uint32_t domid)
{
	uint32_t slot = answer[1];
	void *page;

	if (answer[0]) {
		errno = answer[0];
		return NULL;
	}
	page = NEXT(mmap)(NULL, PAGE_OCTETS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slot >= RINGS || page == MAP_FAILED)
		give_up("no room for a ring");
	if (slot >= ring_count)
		ring_count = slot + 1;
	rings[slot].domid = domid;
	rings[slot].page = page;
	memcpy(rings[slot].known, answer + 2, PAGE_OCTETS);
	memcpy(page, answer + 2, PAGE_OCTETS);
	return page;
}

int munmap(void *at, size_t octets)
{
	uint32_t slot;

	for (slot = 0; slot < ring_count; slot++)
		if (rings[slot].page == at) {
			compare_page(slot);
			rings[slot].page = NULL;
			word(NOTE_UNMAP), word(slot);
		}
	return NEXT(munmap)(at, octets);
}

static void *map_kernel_page(void)
{
	void *page = map_ring(call(CALL_MAP, 2, 0, GREF_XENSTORE), 0);

	return page ? page : MAP_FAILED;
}

void *mmap(void *at, size_t octets, int prot, int flags, int fd, off_t offset)
{
	return kind_of(fd) == KIND_KERNEL_PAGE ? map_kernel_page() : NEXT(mmap)(at, octets, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t octets, int prot, int flags, int fd, off64_t offset)
{
	return kind_of(fd) == KIND_KERNEL_PAGE ? map_kernel_page() : NEXT(mmap64)(at, octets, prot, flags, fd, offset);
}

void *xengnttab_open(void *log, unsigned int flags)
{
	(void)log;
	(void)flags;
	return malloc(1);
}

int xengnttab_close(void *xgt)
{
	free(xgt);
	return 0;
}

int xengnttab_set_max_grants(void *xgt, uint32_t count)
{
	(void)xgt;
	(void)count;
	return 0;
}

void *xengnttab_map_grant_ref(void *xgt, uint32_t domid, uint32_t ref, int prot)
{
	(void)xgt;
	(void)prot;
	return map_ring(call(CALL_MAP, 2, domid, ref), domid);
}

int xengnttab_unmap(void *xgt, void *at, uint32_t pages)
{
	(void)xgt;
	return munmap(at, (size_t)pages * PAGE_OCTETS);
}

void *xc_map_foreign_range(void *xch, uint32_t domid, int octets, int prot, unsigned long gfn)
{
	(void)xch;
	(void)prot;
	if (octets == PAGE_OCTETS)
		return map_ring(call(CALL_MAP_GFN, 2, domid, (uint32_t)gfn), domid);
	errno = EINVAL;
	return NULL;
}

/* Domains ---------------------------------------------------------------------------------------------------------- */

void *xc_interface_open(void *log, void *builder, unsigned int flags)
{
	(void)log;
	(void)builder;
	(void)flags;
	return malloc(1);
}

int xc_interface_close(void *xch)
{
	free(xch);
	return 0;
}

/* The head of libxenctrl's xc_dominfo_t; no daemon reads more of it. */
struct dominfo_head {
	uint32_t domid, ssidref;
	unsigned int dying : 1, crashed : 1, shutdown : 1;
};

enum { DOMINF_DYING = 1, DOMINF_SHUTDOWN = 4, DOMINF_REASON_AT = 16 };

/* Only one domain is ever asked for: the size of the whole structure is not known here. */
int xc_domain_getinfo(void *xch, uint32_t first, unsigned int max, struct dominfo_head *info)
{
	const uint32_t *answer;
	int is_down, is_crash;

	(void)xch;
	if (max != 1)
		return failed(EINVAL);
	answer = call(CALL_DOMAIN, 1, first);
	if (answer[0])
		return failed(answer[0]);
	if (!answer[1])
		return 0;
	is_down = !!(answer[3] & DOMINF_SHUTDOWN);
	is_crash = ((answer[3] >> DOMINF_REASON_AT) & 255) == REASON_CRASH;
	info->domid = answer[2];
	info->ssidref = 0;
	info->dying = !!(answer[3] & DOMINF_DYING);
	info->crashed = is_down && is_crash;
	info->shutdown = is_down && !is_crash;
	return 1;
}

/* The head of XEN_DOMCTL_getdomaininfo's answer. */
struct domaininfo_head {
	uint16_t domid, pad;
	uint32_t flags;
};

int xc_domain_getinfolist(void *xch, uint32_t first, unsigned int max, struct domaininfo_head *info)
{
	const uint32_t *answer;

	(void)xch;
	if (max != 1)
		return failed(EINVAL);
	answer = call(CALL_DOMAIN, 1, first);
	if (answer[0])
		return failed(answer[0]);
	if (!answer[1])
		return 0;
	info->domid = answer[2];
	info->pad = 0;
	info->flags = answer[3];
	return 1;
}

int xc_domain_getinfo_single(void *xch, uint32_t domid, struct domaininfo_head *info)
{
	int n = xc_domain_getinfolist(xch, domid, 1, info);

	if (n < 0)
		return -1;
	return n == 1 && info->domid == domid ? 0 : failed(ESRCH);
}

/* libxenmanage, from 4.21 on. */
void *xenmanage_open(void *log, unsigned int flags)
{
	(void)log;
	(void)flags;
	return malloc(1);
}

int xenmanage_close(void *xm)
{
	free(xm);
	return 0;
}

static int tell_state(const uint32_t *answer, unsigned int *state, unsigned int *caps, uint64_t *unique_id)
{
	if (answer[0])
		return failed(answer[0]);
	if (state)
		*state = answer[2];
	if (caps)
		*caps = answer[3];
	if (unique_id)
		*unique_id = answer[4] | (uint64_t)answer[5] << 32;
	return 0;
}

int xenmanage_get_domain_info(void *xm, unsigned int domid, unsigned int *state, unsigned int *caps,
			      uint64_t *unique_id)
{
	(void)xm;
	return tell_state(call(CALL_STATE, 1, domid), state, caps, unique_id);
}

int xenmanage_poll_changed_domain(void *xm, unsigned int *domid, unsigned int *state, unsigned int *caps,
				  uint64_t *unique_id)
{
	const uint32_t *answer = call(CALL_CHANGED, 0);

	(void)xm;
	if (domid && !answer[0])
		*domid = answer[1];
	return tell_state(answer, state, caps, unique_id);
}

/* Ends ------------------------------------------------------------------------------------------------------------- */

static void tell_end(enum note what, uint32_t number)
{
	word(what), word(number);
	is_simulated = 0;
	ask(); /* somebody may want to look */
}

static void on_death(int sig)
{
	signal(sig, SIG_DFL);
	if (is_simulated)
		tell_end(CALL_DIED, sig);
	raise(sig);
}

static void on_tick(int sig)
{
	volatile sig_atomic_t *seen = sig == SIGPROF ? &calls_seen_cpu : &calls_seen_real;

	if (!is_simulated)
		return;
	/* An odd number: the simulation has the turn. */
	if (!(calls & 1) && *seen == calls)
		tell_end(CALL_DIED, 0), _exit(1);
	*seen = calls;
}

void exit(int status)
{
	if (is_simulated) {
		fflush(NULL);
		tell_end(CALL_EXIT, status);
	}
	NEXT(exit)(status);
	__builtin_unreachable();
}

/* Start ------------------------------------------------------------------------------------------------------------ */

static void catch_ends(void)
{
	static uint8_t stack[64 << 10];
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction on = { .sa_handler = on_death, .sa_flags = SA_ONSTACK };
	struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval cpu = { { HANG_CPU_S, 0 }, { HANG_CPU_S, 0 } }, real = { { HANG_S, 0 }, { HANG_S, 0 } };
	size_t i;

	sigaltstack(&other, NULL);
	if (!dlsym(RTLD_DEFAULT, "__asan_init")) /* a sanitizer has more to say */
		for (i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
			sigaction(deadly[i], &on, NULL);
	sigaction(SIGPROF, &tick, NULL);
	sigaction(SIGALRM, &tick, NULL);
	setitimer(ITIMER_PROF, &cpu, NULL);
	setitimer(ITIMER_REAL, &real, NULL);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
}

/* Both on one processor: there a switch to the other costs least. */
static void move_together(uint32_t thread, uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % CPU_SETSIZE, &set);
	sched_setaffinity(0, sizeof(set), &set);
	sched_setaffinity(thread, sizeof(set), &set);
}

__attribute__((constructor)) static void start(int argc, char **argv)
{
	const char *role = getenv("XENARIUM_LOCKSTEP");
	const uint32_t *answer;
	uint32_t count;
	int persona;

	(void)argc;
	if (!role)
		return;
	redirects = 1;
	if (!strcmp(role, "child"))
		return;
	persona = personality(0xffffffff);
	if (persona != -1 && !(persona & ADDR_NO_RANDOMIZE) && personality(persona | ADDR_NO_RANDOMIZE) != -1)
		NEXT(execve)("/proc/self/exe", argv, environ);
	own_dir = fcntl(NEXT(open)(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), F_DUPFD_CLOEXEC, FDS / 4);
	signal(SIGUSR2, on_abandoned);
	prctl(PR_SET_PDEATHSIG, SIGUSR2); /* also of one that does not come to its next call */
	catch_ends();
	word(CALL_START), word(NEXT(getpid)());
	answer = ask();
	if (answer[0])
		move_together(answer[0], answer[1]);
	answer += 2;
	for (count = *answer++; count > 0; count--, answer += 2)
		if (answer[0] < PORTS)
			port_domid[answer[0]] = (int16_t)answer[1];
	/* Descriptors that exec has closed are gone. */
	for (count = *answer++; count > 0; count--, answer += 2) {
		if (fcntl(answer[0], F_GETFD) < 0)
			word(NOTE_CLOSE), word(answer[0]);
		else
			own_fd(answer[0], answer[1]);
	}
	count = *answer++;
	if (count >= sizeof(successor))
		give_up("too long a path");
	memcpy(successor, answer, count);
	is_simulated = 1;
}
