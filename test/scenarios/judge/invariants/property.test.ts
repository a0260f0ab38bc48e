import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { History } from '../../../../scenarios/judge/history.ts';
import { checkHistory } from '../../../../scenarios/judge/invariants/index.ts';
import { HistoryBuilder, XS } from '../../../support/history-builder.ts';

const PATHS = [
  '/a',
  '/a/b',
  '/a/b/c',
  '/a/d',
  '/e/f',
  '/local/domain/5/x',
  '/local/domain/5/x/y',
  'x',
  'x/y/z',
  '/local',
];

const step = fc.record({
  who: fc.nat(3),
  what: fc.constantFrom(
    'write',
    'write',
    'write',
    'read',
    'list',
    'mkdir',
    'rm',
    'perms',
    'getPerms',
    'watch',
    'unwatch',
    'special',
    'start',
    'start',
    'commit',
    'commit',
    'abort',
    'reset',
    'serve',
    'serve',
    'serve',
    'flush',
    'flush',
    'drain',
    'settle',
    'update',
    'destroy',
    'release',
    'introduce',
  ),
  path: fc.nat(PATHS.length - 1),
  n: fc.nat(60),
  inTx: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Let a few domains do these steps: requests are sent ahead of being served, replies are written in pieces and taken late. */
function play(steps: readonly Step[], policy: 'carry' | 'daemon'): History {
  const b = new HistoryBuilder({ policy });
  const conns = [b.dom0, b.introduce(5), b.introduce(6)];
  const open: number[][] = conns.map(() => []);
  let domid = 7;
  for (const s of steps) {
    const i = s.who % conns.length;
    const conn = conns[i]!;
    if (b.isGone(conn)) continue;
    const path = PATHS[s.path]!;
    const tx = s.inTx ? (open[i]!.at(-1) ?? 0) : 0;
    const send = (type: number, payload: string, txId = tx) => {
      while (b.waiting(conn) + payload.length + 16 > 1024) b.serve(conn);
      b.send(conn, type, payload, txId);
    };
    switch (s.what) {
      case 'write':
        send(XS.WRITE, `${path}\0${'v'.repeat(s.n)}${s.n}`);
        break;
      case 'read':
        send(XS.READ, `${path}\0`);
        break;
      case 'list':
        send(XS.DIRECTORY, `${path}\0`);
        break;
      case 'mkdir':
        send(XS.MKDIR, `${path}\0`);
        break;
      case 'rm':
        send(XS.RM, `${path}\0`);
        break;
      case 'perms':
        send(XS.SET_PERMS, `${path}\0n${i === 0 ? 5 * (s.n % 2) : 4 + i}\0${'rwbn'[s.n % 4]}6\0`);
        break;
      case 'getPerms':
        send(XS.GET_PERMS, `${path}\0`);
        break;
      case 'watch':
        send(XS.WATCH, `${path}\0t${s.n % 3}\0`);
        break;
      case 'unwatch':
        send(XS.UNWATCH, `${path}\0t${s.n % 3}\0`);
        break;
      case 'special':
        if (i === 0) send(XS.WATCH, `@${s.n % 2 ? 'releaseDomain' : 'introduceDomain'}\0t${s.n % 3}\0`);
        break;
      case 'start':
        b.settle();
        open[i]!.push(b.start(conn));
        break;
      case 'commit':
      case 'abort':
        if (tx !== 0) send(XS.END, s.what === 'commit' ? 'T\0' : 'F\0');
        if (tx !== 0 && s.n % 4) open[i]!.pop();
        break;
      case 'reset':
        if (s.n % 8 === 0) send(XS.RESET_WATCHES, '\0');
        break;
      case 'serve':
        b.serve(conn);
        break;
      case 'flush':
        b.flush(conn, s.n * 4 + 1);
        break;
      case 'drain':
        b.drain(conn);
        break;
      case 'settle':
        b.settle();
        break;
      case 'update':
        b.liveUpdate();
        break;
      case 'destroy':
        if (i > 0 && s.n % 4 === 0) b.destroy(conn);
        break;
      case 'release':
        if (i > 0 && s.n % 4 === 1) b.request(b.dom0, XS.RELEASE, `${4 + i}\0`);
        break;
      case 'introduce':
        if (conns.length < 6) {
          conns.push(b.introduce(domid++));
          open.push([]);
        }
        break;
    }
  }
  return b.finish();
}

describe('valid histories', () => {
  it.each(['carry', 'daemon'] as const)('pass, whatever the clients do (policy %s)', (policy) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 250, size: 'max' }), (steps) => {
        const verdicts = checkHistory(play(steps, policy));
        expect(verdicts.flatMap((v) => v.violations.map((x) => `${x.invariant} @${x.seq} ${x.detail}`))).toEqual([]);
      }),
      { numRuns: 150, seed: 1 },
    );
  });
});
