/** Something that may keep a sound run waiting in which nothing else happens, and where it is written for how long. */
export interface Patience {
  readonly what: string;
  readonly ns: number;
  readonly source: string;
}

const SECOND_NS = 1_000_000_000;

/** Every wait of the host's programs that ends by itself; a run in which nothing moves for longer waits for nobody. */
export const PATIENCE: readonly Patience[] = [
  { what: 'libxl: a device model or a backend comes up', ns: 10 * SECOND_NS, source: 'LIBXL_INIT_TIMEOUT' },
  { what: 'libxl: a backend closes its device', ns: 10 * SECOND_NS, source: 'LIBXL_DESTROY_TIMEOUT' },
  { what: 'libxl: a hotplug script', ns: 40 * SECOND_NS, source: 'LIBXL_HOTPLUG_TIMEOUT' },
  {
    what: 'libxl: a guest acknowledges control/shutdown',
    ns: 60 * SECOND_NS,
    source: 'tools/libs/light/libxl_domain.c',
  },
  { what: 'libxl: a guest suspends', ns: 60 * SECOND_NS, source: 'tools/libs/light/libxl_dom_suspend.c' },
  { what: 'libxl: a domid that was destroyed comes back', ns: 60 * SECOND_NS, source: 'LIBXL_DOMID_REUSE_TIMEOUT' },
  { what: 'xenstored: an event that nobody reads expires', ns: 20 * SECOND_NS, source: 'tools/xenstored/core.c' },
  {
    // 200 nodes a second for all domains: one among 40 that removes the 1,000 nodes of its quota in one request.
    what: 'xenstored: credit for writes comes back',
    ns: 200 * SECOND_NS,
    source: 'tools/xenstored/domain.c',
  },
  {
    what: 'xenstored: transactions hold a live update up',
    ns: 60 * SECOND_NS,
    source: 'docs/misc/xenstore.txt, live-update',
  },
  { what: 'a hostile guest waits for an answer', ns: 30 * SECOND_NS, source: 'guests/hostile' },
];

/** A run that has made no progress for so long makes none any more. */
export const QUIET_NS: number = Math.max(...PATIENCE.map(({ ns }) => ns)) + SECOND_NS;

/**
 * A time-out that runs is a timer, or a task that sleeps until then. Where nothing has moved for as long as this, and no such
 * time-out is left, what goes on is polls.
 */
export const SETTLE_NS: number = 2 * SECOND_NS;
