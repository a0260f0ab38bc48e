/*
 * A hypervisor stand-in for one xenstore daemon, loaded with LD_PRELOAD.
 *
 * The daemon's calls into the Xen libraries are answered from plain files in one directory, $XENARIUM_STANDIN, which
 * harness.ts prepares and watches. Nothing is kept in this process that must outlive exec: a live update goes on with
 * the same files, the same event device (a FIFO, open without close-on-exec) and the same ports.
 *
 *   domains     16 octets per domid, written by the harness: exists, shutdown, shutdown reason, dying, changed (set by the
 *               harness, cleared here when asked for; means something only while VIRQ_DOM_EXC is bound), 3 unused, and the
 *               unique id, u64
 *   page-<d>    the ring page of domain d, which is also what its grant 1 and its gfn map to
 *   evtchn      FIFO of ready ports, u32 each, made here: read by the daemon, written by the harness and by a bind
 *   status      u32 words, written here: STATUS_* below, then from STATUS_PORTS on the remote port bound per domid
 *   xsd_port    the event channel of dom0's own ring, as text
 *   control     unix socket on which the harness listens: it sends 4 octets, a sequence number, and gets 8 back, as soon
 *               as the daemon has nothing left to do: that number, and how many sockets have no room for its output
 *
 * Local port numbers follow a rule instead of an allocator: 100 + domid, and VIRQ_PORT.
 *
 * Time is virtual. It stands still while the daemon works and while it waits for input. Only when the daemon asks to be
 * woken soon (its write rate limit does that) the clock jumps there at once. So nothing a daemon does depends on how
 * fast this machine is, and no script ever waits for a rate limit, or sees the twenty seconds of an event timeout pass.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define PAGE_OCTETS 4096
#define DOMIDS 32768
#define PORT_BASE 100
#define VIRQ_PORT 99
#define VIRQ_DOM_EXC 3
#define GREF_XENSTORE 1
#define EVENT_CHANNEL_OF_GUEST 7
#define EVENT_CHANNEL_OF_DOM0 1
#define REASON_CRASH 3
#define SOON_MS 8000
/* A C daemon asks to be woken after this time as long as requests are put aside; nothing happens then. */
#define RETRY_MS 1000
/* An oxenstored waits for less than a millisecond by asking again and again: so often in a row, and time passes. */
#define SPINS_MAX 1000

enum { STATUS_VIRQ, STATUS_NOTIFIES, STATUS_OWED, STATUS_SECONDS, STATUS_MILLIS, STATUS_PORTS = 64 };
enum { DOM_EXISTS, DOM_SHUTDOWN, DOM_REASON, DOM_DYING, DOM_CHANGED, DOM_UNIQUE_ID = 8, DOM_OCTETS = 16 };

static const char *dir;
static int control = -1;
static volatile uint32_t *status;
static volatile uint8_t *domains;

static void die(const char *what)
{
	fprintf(stderr, "stand-in: %s: %s\n", what, strerror(errno));
	_exit(70);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Files ------------------------------------------------------------------------------------------------------------ */

static int open_in_dir(const char *name, int flags)
{
	static int (*next)(const char *, int, ...);
	char path[PATH_MAX];

	if (!next)
		next = NEXT(open);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return next(path, flags);
}

static void *map_file(const char *name, size_t octets, int flags, int prot)
{
	int fd = open_in_dir(name, flags | O_CLOEXEC);
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, octets, prot, MAP_SHARED, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

/* Where the path really leads: the daemons' fixed directories and two files of /proc lie in the stand-in's directory. */
static const char *redirect(const char *path, char *room)
{
	static const char *const fixed[] = { "/var/run/xenstored", "/var/run/xen", "/run/xenstored", "/run/xen",
					     "/var/log/xen", "/var/lib/xenstored", "/etc/xen" };
	size_t i;

	if (!dir || !path)
		return path;
	if (!strcmp(path, "/proc/xen/xsd_kva") || !strcmp(path, "/dev/xen/xenbus_dev"))
		snprintf(room, PATH_MAX, "%s/page-0", dir);
	else if (!strcmp(path, "/proc/xen/xsd_port"))
		snprintf(room, PATH_MAX, "%s/xsd_port", dir);
	else {
		for (i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
			size_t n = strlen(fixed[i]);

			if (!strncmp(path, fixed[i], n) && (path[n] == '/' || !path[n])) {
				snprintf(room, PATH_MAX, "%s%s", dir, path + n);
				return room;
			}
		}
		return path;
	}
	return room;
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
ON_PATH(int, access, (const char *path, int mode), (path, mode))
ON_PATH(int, chmod, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, stat, (const char *restrict path, struct stat *restrict st), (path, st))
ON_PATH(int, stat64, (const char *restrict path, struct stat64 *restrict st), (path, st))
ON_PATH(int, lstat64, (const char *restrict path, struct stat64 *restrict st), (path, st))
ON_PATH(FILE *, fopen, (const char *restrict path, const char *restrict mode), (path, mode))

int rename(const char *from, const char *to)
{
	char room[PATH_MAX], other[PATH_MAX];

	return NEXT(rename)(redirect(from, room), redirect(to, other));
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
		return NEXT(name)(redirect(path, room), flags, mode);     \
	}
OPEN(open)
OPEN(open64)

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	const struct sockaddr_un *un = (const void *)addr;
	struct sockaddr_un moved = { .sun_family = AF_UNIX };
	char room[PATH_MAX];
	const char *path;

	if (addr->sa_family != AF_UNIX)
		return NEXT(bind)(fd, addr, len);
	path = redirect(un->sun_path, room);
	if (strlen(path) >= sizeof(moved.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(moved.sun_path, path);
	return NEXT(bind)(fd, (void *)&moved, sizeof(moved));
}

/* oxenstored raises its limit of open files and gives up where it may not. */
int setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
	(void)what;
	(void)limit;
	return 0;
}

/* What a daemon tells the system log belongs to whoever runs the harness. */
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
	fputc('\n', stderr);
}

/* Time ------------------------------------------------------------------------------------------------------------- */

static void jump(int ms)
{
	uint32_t millis = status[STATUS_MILLIS] + ms;

	status[STATUS_SECONDS] += millis / 1000;
	status[STATUS_MILLIS] = millis % 1000;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!status)
		return NEXT(clock_gettime)(clock, now);
	now->tv_sec = status[STATUS_SECONDS];
	now->tv_nsec = status[STATUS_MILLIS] * 1000000L;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	if (!status)
		return NEXT(gettimeofday)(now, zone);
	now->tv_sec = status[STATUS_SECONDS];
	now->tv_usec = status[STATUS_MILLIS] * 1000L;
	return 0;
}

time_t time(time_t *out)
{
	time_t now = status ? (time_t)status[STATUS_SECONDS] : NEXT(time)(NULL);

	if (out)
		*out = now;
	return now;
}

/* Quiet ------------------------------------------------------------------------------------------------------------ */

/* STATUS_OWED is the sequence number to answer when idle, 0 = none; it may be asked before an exec and answered after. */
static void hear_question(void)
{
	struct pollfd ask = { .fd = control, .events = POLLIN };
	uint32_t sequence;

	if (status[STATUS_OWED] || NEXT(poll)(&ask, 1, 0) <= 0)
		return;
	if (recv(control, &sequence, sizeof(sequence), MSG_WAITALL) != sizeof(sequence))
		_exit(0); /* the harness is gone */
	status[STATUS_OWED] = sequence;
}

static void answer_question(const struct pollfd *fds, nfds_t count)
{
	uint32_t answer[2] = { status[STATUS_OWED], 0 };

	if (!answer[0])
		return;
	while (count--)
		answer[1] += fds[count].events & POLLOUT ? 1 : 0;
	status[STATUS_OWED] = 0;
	if (send(control, answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
		_exit(0);
}

/*
 * The harness asks whether all is done. The answer must not come early: it is given when a poll of the daemon's own
 * descriptors, made after the question was read, finds nothing ready. Whatever the harness did before it asked (octets
 * in a socket, a port in the FIFO) is visible to that poll, so it has been dealt with.
 */
int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	static int (*next)(struct pollfd *, nfds_t, int);
	static struct pollfd *all;
	static nfds_t room;
	static int probed, spins;
	int n;

	if (!next)
		next = NEXT(poll);
	if (control < 0)
		return next(fds, count, timeout);
	if (room < count + 1) {
		room = 2 * (count + 1);
		all = realloc(all, room * sizeof(*all));
		if (!all)
			die("poll");
	}
	for (;;) {
		hear_question();
		n = next(fds, count, 0);
		if (n || timeout != RETRY_MS)
			probed = 0;
		if (n || timeout)
			spins = 0;
		else if (++spins > SPINS_MAX)
			jump(1);
		if (n || !timeout)
			return n;
		if (timeout == RETRY_MS && !probed) {
			probed = 1; /* a wait for credit that happens to be as long is one shorter then */
			jump(1);
			return 0;
		}
		if (timeout > 0 && timeout != RETRY_MS && timeout < SOON_MS) {
			jump(timeout);
			return 0;
		}
		answer_question(fds, count);
		memcpy(all, fds, count * sizeof(*all));
		all[count] = (struct pollfd){ .fd = control, .events = POLLIN };
		if (next(all, count + 1, -1) < 0)
			return -1;
	}
}

/*
 * The C daemon reads sockets in blocking mode: after a header without its body it serves nobody until an octet comes.
 * That is quiet, too.
 */
ssize_t read(int fd, void *into, size_t octets)
{
	static ssize_t (*next)(int, void *, size_t);
	struct pollfd both[2] = { { .fd = fd, .events = POLLIN }, { .fd = control, .events = POLLIN } };
	struct stat st;

	if (!next)
		next = NEXT(read);
	while (octets && control >= 0 && !NEXT(poll)(both, 1, 0) && !fstat(fd, &st) && S_ISSOCK(st.st_mode) &&
	       !(fcntl(fd, F_GETFL) & O_NONBLOCK)) {
		hear_question();
		if (NEXT(poll)(both, 1, 0))
			break;
		answer_question(NULL, 0);
		NEXT(poll)(both, 2, -1);
	}
	return next(fd, into, octets);
}

/* Event channels --------------------------------------------------------------------------------------------------- */

typedef struct event_device {
	int fd;
} event_device;

static void make_ready(int fd, uint32_t port)
{
	if (write(fd, &port, sizeof(port)) != sizeof(port))
		die("event FIFO");
}

event_device *xenevtchn_fdopen(void *log, int fd, unsigned int flags)
{
	event_device *xce = malloc(sizeof(*xce));

	(void)log;
	(void)flags;
	xce->fd = fd;
	return xce;
}

event_device *xenevtchn_open(void *log, unsigned int flags)
{
	int fd = open_in_dir("evtchn", O_RDWR | O_NONBLOCK); /* stays open over exec */

	return fd < 0 ? NULL : xenevtchn_fdopen(log, fd, flags);
}

int xenevtchn_close(event_device *xce)
{
	close(xce->fd);
	free(xce);
	return 0;
}

int xenevtchn_fd(event_device *xce)
{
	return xce->fd;
}

int xenevtchn_pending(event_device *xce)
{
	uint32_t port;

	return read(xce->fd, &port, sizeof(port)) == sizeof(port) ? (int)port : -1;
}

int xenevtchn_unmask(event_device *xce, uint32_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

static int dom_flag(uint32_t domid, int flag)
{
	return domid < DOMIDS && domains[domid * DOM_OCTETS + DOM_EXISTS] && domains[domid * DOM_OCTETS + flag];
}

static int is_alive(uint32_t domid)
{
	return dom_flag(domid, DOM_EXISTS) && !dom_flag(domid, DOM_DYING);
}

int xenevtchn_bind_interdomain(event_device *xce, uint32_t domid, uint32_t remote)
{
	if (!is_alive(domid)) {
		errno = ESRCH;
		return -1;
	}
	if (remote != (domid ? EVENT_CHANNEL_OF_GUEST : EVENT_CHANNEL_OF_DOM0) || status[STATUS_PORTS + domid]) {
		errno = EINVAL;
		return -1;
	}
	status[STATUS_PORTS + domid] = remote;
	make_ready(xce->fd, PORT_BASE + domid); /* a bind raises the new port once */
	return PORT_BASE + domid;
}

static void mark_changed(int whether)
{
	uint32_t domid;

	for (domid = 0; domid < DOMIDS; domid++)
		domains[domid * DOM_OCTETS + DOM_CHANGED] = whether && dom_flag(domid, DOM_EXISTS);
}

int xenevtchn_bind_virq(event_device *xce, unsigned int virq)
{
	(void)xce;
	if (virq != VIRQ_DOM_EXC) {
		errno = EINVAL;
		return -1;
	}
	mark_changed(1); /* the bitmap starts with every domain that is there */
	status[STATUS_VIRQ] = VIRQ_PORT;
	return VIRQ_PORT;
}

int xenevtchn_unbind(event_device *xce, uint32_t port)
{
	(void)xce;
	if (port == VIRQ_PORT && status[STATUS_VIRQ]) {
		status[STATUS_VIRQ] = 0;
		mark_changed(0);
	} else if (port >= PORT_BASE && port < PORT_BASE + DOMIDS && status[STATUS_PORTS + port - PORT_BASE])
		status[STATUS_PORTS + port - PORT_BASE] = 0;
	else {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int xenevtchn_notify(event_device *xce, uint32_t port)
{
	(void)xce;
	if (port < PORT_BASE || port >= PORT_BASE + DOMIDS || !status[STATUS_PORTS + port - PORT_BASE]) {
		errno = ENOTCONN;
		return -1;
	}
	status[STATUS_NOTIFIES]++;
	return 0;
}

/* Grants and foreign pages ----------------------------------------------------------------------------------------- */

static void *map_page(uint32_t domid, int prot)
{
	char name[32];

	snprintf(name, sizeof(name), "page-%u", domid);
	if (is_alive(domid))
		return map_file(name, PAGE_OCTETS, O_RDWR, prot);
	errno = EINVAL;
	return NULL;
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
	if (ref == GREF_XENSTORE)
		return map_page(domid, prot);
	errno = EINVAL;
	return NULL;
}

int xengnttab_unmap(void *xgt, void *at, uint32_t pages)
{
	(void)xgt;
	return munmap(at, (size_t)pages * PAGE_OCTETS);
}

void *xc_map_foreign_range(void *xch, uint32_t domid, int octets, int prot, unsigned long gfn)
{
	(void)xch;
	(void)gfn;
	if (octets == PAGE_OCTETS)
		return map_page(domid, prot);
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

/* The head of libxenctrl's xc_dominfo_t; the daemon reads no more of it. */
struct dominfo_head {
	uint32_t domid, ssidref;
	unsigned int dying : 1, crashed : 1, shutdown : 1;
};

static uint32_t first_from(uint32_t domid)
{
	while (domid < DOMIDS && !dom_flag(domid, DOM_EXISTS))
		domid++;
	return domid;
}

/* Only one domain is ever asked for: the size of the whole structure is not known here. */
int xc_domain_getinfo(void *xch, uint32_t first, unsigned int max, struct dominfo_head *info)
{
	uint32_t domid = first_from(first);
	int crashed;

	(void)xch;
	if (max != 1) {
		errno = EINVAL;
		return -1;
	}
	if (domid >= DOMIDS)
		return 0;
	crashed = domains[domid * DOM_OCTETS + DOM_REASON] == REASON_CRASH;
	info->domid = domid;
	info->ssidref = 0;
	info->dying = dom_flag(domid, DOM_DYING);
	info->crashed = dom_flag(domid, DOM_SHUTDOWN) && crashed;
	info->shutdown = dom_flag(domid, DOM_SHUTDOWN) && !crashed;
	return 1;
}

/* The head of XEN_DOMCTL_getdomaininfo's answer. */
struct domaininfo_head {
	uint16_t domid, pad;
	uint32_t flags; /* bit 0 dying, bit 2 shut down, bits 16-23 why */
};

int xc_domain_getinfolist(void *xch, uint32_t first, unsigned int max, struct domaininfo_head *info)
{
	uint32_t domid = first_from(first);

	(void)xch;
	if (max != 1) {
		errno = EINVAL;
		return -1;
	}
	if (domid >= DOMIDS)
		return 0;
	info->domid = domid;
	info->pad = 0;
	info->flags = (dom_flag(domid, DOM_DYING) ? 1 : 0) | (dom_flag(domid, DOM_SHUTDOWN) ? 4 : 0) |
		      (uint32_t)domains[domid * DOM_OCTETS + DOM_REASON] << 16;
	return 1;
}

/* libxenmanage, from 4.21 on: what XEN_DOMCTL_get_domain_state tells. */
enum { STATE_EXIST = 1, STATE_SHUTDOWN = 2, STATE_DEAD = 8, CAP_CONTROL = 1, CAP_HARDWARE = 2 };

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

static void tell_state(uint32_t domid, unsigned int *state, unsigned int *caps, uint64_t *unique_id)
{
	int exists = dom_flag(domid, DOM_EXISTS);

	if (state)
		*state = (exists ? STATE_EXIST : 0) | (dom_flag(domid, DOM_SHUTDOWN) ? STATE_SHUTDOWN : 0) |
			 (dom_flag(domid, DOM_DYING) ? STATE_DEAD : 0);
	if (caps)
		*caps = domid ? 0 : CAP_CONTROL | CAP_HARDWARE;
	if (unique_id && exists)
		memcpy(unique_id, (const void *)(domains + domid * DOM_OCTETS + DOM_UNIQUE_ID), sizeof(*unique_id));
	else if (unique_id)
		*unique_id = 0;
}

int xenmanage_get_domain_info(void *xm, unsigned int domid, unsigned int *state, unsigned int *caps,
			      uint64_t *unique_id)
{
	(void)xm;
	if (!dom_flag(domid, DOM_EXISTS)) {
		errno = ESRCH;
		return -1;
	}
	tell_state(domid, state, caps, unique_id);
	return 0;
}

int xenmanage_poll_changed_domain(void *xm, unsigned int *domid, unsigned int *state, unsigned int *caps,
				  uint64_t *unique_id)
{
	uint32_t next = 0;

	(void)xm;
	while (next < DOMIDS && !domains[next * DOM_OCTETS + DOM_CHANGED])
		next++;
	if (next == DOMIDS) {
		errno = ENOENT;
		return -1;
	}
	domains[next * DOM_OCTETS + DOM_CHANGED] = 0;
	*domid = next;
	tell_state(next, state, caps, unique_id);
	return 0;
}

/* Start ------------------------------------------------------------------------------------------------------------ */

__attribute__((constructor)) static void start(void)
{
	const char *inherited = getenv("XENARIUM_STANDIN_CONTROL");
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	char text[16], fifo[PATH_MAX];

	dir = getenv("XENARIUM_STANDIN");
	if (!dir)
		return;
	domains = map_file("domains", DOMIDS * DOM_OCTETS, O_RDWR, PROT_READ | PROT_WRITE);
	status = map_file("status", (STATUS_PORTS + DOMIDS) * sizeof(*status), O_RDWR, PROT_READ | PROT_WRITE);
	if (!domains || !status)
		die("domains and status");
	snprintf(fifo, sizeof(fifo), "%s/evtchn", dir);
	if (mkfifo(fifo, 0600) && errno != EEXIST)
		die("event FIFO");
	if (inherited) {
		control = atoi(inherited);
		return;
	}
	snprintf(where.sun_path, sizeof(where.sun_path), "%s/control", dir);
	control = socket(AF_UNIX, SOCK_STREAM, 0);
	if (control < 0 || connect(control, (void *)&where, sizeof(where)))
		die("control");
	snprintf(text, sizeof(text), "%d", control);
	setenv("XENARIUM_STANDIN_CONTROL", text, 1); /* exec hands the connection on */
}
