/*
 * What a run must not ask the host for: its time, its chance, its timers and its queues. A lint rule keeps the names out of our
 * sources; here they are taken away while a simulation runs, from packages and from formats of one's own, too.
 */

/** How each is told, and what is used in its place. */
const REFUSED: readonly (readonly [told: string, instead: string])[] = [
  ['Date', 'virtual time is scheduler.nowNs'],
  ['performance.now', 'virtual time is scheduler.nowNs'],
  ['process.hrtime', 'virtual time is scheduler.nowNs'],
  ['process.uptime', 'virtual time is scheduler.nowNs'],
  ['Math.random', 'chance comes from named streams of the seed'],
  ['crypto.randomUUID', 'chance comes from named streams of the seed'],
  ['crypto.getRandomValues', 'chance comes from named streams of the seed'],
  ['setTimeout', 'scheduler.at is the timer of a run'],
  ['setInterval', 'scheduler.at is the timer of a run'],
  ['setImmediate', "order is the scheduler's"],
  ['queueMicrotask', "order is the scheduler's"],
];

/** Where each lives that this host has: a browser has no process, and files that are opened in one no crypto.randomUUID. */
const TAKEN_AWAY = REFUSED.flatMap(([told, instead]) => {
  const holder = holderOf(told);
  return holder !== undefined && nameOf(told) in holder ? [[holder, told, instead] as const] : [];
});

/**
 * Call `run` with the host's time, chance and timers taken away: whoever asks for one throws, with what to use in its place. All
 * are back when it returns or throws. Cost: some ten microseconds a call, none in between.
 */
export function withoutHost<T>(run: () => T): T {
  const before = TAKEN_AWAY.map(([holder, told]) => Object.getOwnPropertyDescriptor(holder, nameOf(told)));
  for (const [holder, told, instead] of TAKEN_AWAY)
    Object.defineProperty(holder, nameOf(told), { configurable: true, writable: true, value: refusal(told, instead) });
  try {
    return run();
  } finally {
    for (const [i, [holder, told]] of TAKEN_AWAY.entries()) {
      const was = before[i];
      if (was === undefined) Reflect.deleteProperty(holder, nameOf(told));
      else Object.defineProperty(holder, nameOf(told), was);
    }
  }
}

/** `performance` of `performance.now`; `undefined`: there is none. */
function holderOf(told: string): object | undefined {
  const [name = '', member] = told.split('.');
  return member === undefined ? globalThis : (globalThis as unknown as Record<string, object | undefined>)[name];
}

/** `now` of `performance.now`. */
function nameOf(told: string): string {
  return told.slice(told.indexOf('.') + 1);
}

function refusal(told: string, instead: string): () => never {
  // A function, not an arrow: `new Date` must reach it.
  return function refused(): never {
    throw new Error(`assertion: a simulation asks the host for ${told}: ${instead}`);
  };
}
