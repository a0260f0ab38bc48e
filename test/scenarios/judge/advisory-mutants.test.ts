import { afterEach, describe, expect, it, vi } from 'vitest';
import { hostileGuests } from '../../../scenarios/catalogue/hostile-guests.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { XENSTORE_ERROR_PROTO } from '../../../sim/index.ts';
import { Accounting } from '../../../store/daemon/accounting.ts';
import { Connections } from '../../../store/daemon/connections.ts';
import { DeadNodes } from '../../../store/daemon/dead-nodes.ts';
import { DomainRecords } from '../../../store/daemon/domain-records.ts';
import { Names } from '../../../store/daemon/names.ts';
import { OPERATIONS } from '../../../store/daemon/operations/table.ts';
import { Output } from '../../../store/daemon/output.ts';
import { QUOTA } from '../../../store/daemon/quota.ts';
import { Rights } from '../../../store/daemon/rights.ts';
import { Transactions } from '../../../store/daemon/transactions.ts';
import { Watches } from '../../../store/daemon/watches.ts';
import { childOf, PathCache, parentOf } from '../../../store/protocol/path.ts';
import { ALL_RIGHTS, type Perm, READ } from '../../../store/protocol/perms.ts';
import { refuse, message as wireMessage, XS } from '../../../store/protocol/wire.ts';
import type * as Commit from '../../../store/tree/commit.ts';
import { LiveTree } from '../../../store/tree/live-tree.ts';
import { listOf } from '../../../store/tree/names.ts';
import { View } from '../../../store/tree/view.ts';
import { headline } from '../../support/headline.ts';

/*
 * The defence against each advisory is taken out of the daemon, and within 20 seeds of a stock scenario the run must say so
 * (docs/advisories.md; what each is about stands in the test that bears its number).
 */

const SEEDS_MAX = 20;

const planted = vi.hoisted(() => ({
  commit: undefined as undefined | ((real: typeof Commit.commit) => typeof Commit.commit),
}));
vi.mock(import('../../../store/tree/commit.ts'), async (original) => {
  const real = await original();
  const commit: typeof real.commit = (...args) => (planted.commit?.(real.commit) ?? real.commit)(...args);
  return { ...real, commit };
});

type Scenario = (seed: string) => RunResult;
const hostile =
  (set: Record<string, Setting> = {}): Scenario =>
  (seed) =>
    hostileGuests.run({
      seed,
      format: 'v2',
      settings: { requests: 1_000, hostile: 8, domains: 4, ...set },
      checks: true,
    });
const traffic =
  (set: Record<string, Setting> = {}): Scenario =>
  (seed) =>
    headline({ seed, set });

/** What is said of the first seed that does not pass, and which it was; '': of none. */
function said(scenario: Scenario): string {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const result = scenario(String(seed));
    if (result.outcome === 'pass' || result.outcome === 'unknown') continue;
    const details = result.verdicts.flatMap((v) => v.violations.map((w) => `${v.invariant}: ${w.detail}`));
    return [`seed ${seed}`, result.reason, result.failure?.what ?? '', ...details].join('\n');
  }
  return '';
}

afterEach(() => {
  vi.restoreAllMocks();
  planted.commit = undefined;
});

const EVERYBODY: readonly Perm[] = [{ domid: 0x7fef, rights: READ, stale: false }];

const ROWS: readonly (readonly [
  advisory: string,
  what: string,
  scenario: Scenario,
  plant: () => void,
  told: RegExp,
])[] = [
  [
    'XSA-115',
    'events are for everybody',
    traffic(),
    () => {
      const fire = Watches.prototype.fire;
      vi.spyOn(Watches.prototype, 'fire').mockImplementation(function (this: Watches, name, node, mode, _old, cause) {
        fire.call(this, name, node, mode, { perms: EVERYBODY, generation: 0 }, cause);
      });
    },
    /event ".*" without a cause/,
  ],
  [
    'XSA-322',
    'entries of the dead stay, and mean whoever has their number next',
    hostile({ kind: 'comes-again', hostile: 4 }),
    () => {
      const store = LiveTree.prototype.store;
      vi.spyOn(LiveTree.prototype, 'store').mockImplementation(function (this: LiveTree, node, before) {
        const isStripped = before !== undefined && node.generation === before.generation;
        if (!isStripped) store.call(this, node, before);
      });
      vi.spyOn(Rights.prototype, 'isCurrent').mockReturnValue(true);
    },
    /READ .*entrusted.*expected EACCES/,
  ],
  [
    'XSA-323',
    'a relative path is counted without the home, an absolute one with it',
    hostile({ kind: 'names-both-ways', hostile: 4 }),
    () => {
      const find = PathCache.prototype.find;
      vi.spyOn(PathCache.prototype, 'find').mockImplementation(function (this: PathCache, ...args) {
        const known = find.apply(this, args);
        return { ...known, counted: known.homeDomid < 0 ? (known.name?.length ?? 0) : known.counted };
      });
    },
    /names-both-ways .*EINVAL/,
  ],
  [
    'XSA-324',
    'events are as long as they are',
    hostile({ kind: 'events-too-long', hostile: 4 }),
    () => {
      const event = Output.prototype.event;
      vi.spyOn(Output.prototype, 'event').mockImplementation(function (this: Output, watch, name, cause) {
        const text = `${name.slice(watch.prefix)}\0${watch.token}\0`;
        if (text.length <= 4096) return event.call(this, watch, name, cause);
        const bytes = wireMessage(
          XS.WATCH_EVENT,
          0,
          0,
          Uint8Array.from(text, (c) => c.charCodeAt(0)),
        );
        watch.conn.out.push({ kind: 'event', bytes, sent: 0, eventKey: '', deadlineMs: 0, cause: undefined });
      });
    },
    /events-too-long .*no message can hold: 0 was due, came 1/,
  ],
  [
    'XSA-325',
    'whoever breaks the protocol is forgotten, and with it the domain',
    hostile(),
    () => {
      const ignore = Connections.prototype.ignore;
      vi.spyOn(Connections.prototype, 'ignore').mockImplementation(function (this: Connections, conn, word) {
        ignore.call(this, conn, word);
        conn.isClosed = true;
        const { link } = conn;
        if (link.kind === 'ring') link.page?.unmap();
      });
    },
    /INV-H8: domain 0 touched the page/,
  ],
  [
    'XSA-326',
    'answers that nobody reads do not stop a guest',
    hostile(),
    () => {
      const count = Accounting.prototype.count;
      vi.spyOn(Accounting.prototype, 'count').mockImplementation(function (this: Accounting, conn, name, delta) {
        if (name !== 'outstanding') count.call(this, conn, name, delta);
      });
    },
    /never-reads/,
  ],
  [
    'XSA-330',
    'RESET_WATCHES leaves the index by paths',
    hostile(),
    () => {
      vi.spyOn(Watches.prototype, 'drop').mockImplementation((conn) => void conn.watches.splice(0));
    },
    /UNWATCH .*expected ENOENT/,
  ],
  [
    'XSA-353',
    'nobody asks the root',
    hostile(),
    () => {
      const rights = View.prototype.rights;
      vi.spyOn(View.prototype, 'rights').mockImplementation(function (this: View<never, never>, node) {
        return node.path === '/' ? ALL_RIGHTS : rights.call(this, node);
      });
    },
    /expected EACCES \(no permission at \/\), came success/,
  ],
  [
    'XSA-414',
    'what was written of a refused creation stays',
    hostile({ kind: 'levels-too-many', hostile: 4 }),
    () => {
      const erase = LiveTree.prototype.erase;
      vi.spyOn(LiveTree.prototype, 'erase').mockImplementation(function (this: LiveTree, node) {
        const parent = this.get(parentOf(node.path));
        const isListed =
          parent !== undefined && [...listOf(parent.children)].some((c) => childOf(parent.path, c) === node.path);
        if (isListed) erase.call(this, node);
      });
    },
    /levels-too-many .*READ/,
  ],
  [
    'XSA-415',
    'a transaction in which a creation failed half way can be committed',
    hostile({ kind: 'levels-too-many', hostile: 4 }),
    () => {
      const open = Transactions.prototype.open;
      vi.spyOn(Transactions.prototype, 'open').mockImplementation(function (this: Transactions, conn, tx) {
        Object.defineProperty(tx, 'failed', { get: () => false, set: () => {} });
        open.call(this, conn, tx);
      });
    },
    /TRANSACTION_END T\^: ENOMEM,EAGAIN was due, came OK/,
  ],
  [
    'XSA-417',
    'an entry for a domain that is not known counts',
    hostile({ hostile: 2, domains: 16, requests: 5_000 }),
    () => {
      const { markStale } = DomainRecords.prototype;
      vi.spyOn(DomainRecords.prototype, 'markStale').mockImplementation(function (this: DomainRecords, ...args) {
        return markStale.apply(this, args).map((perm) => ({ ...perm, stale: false }));
      });
      vi.spyOn(Rights.prototype, 'isCurrent').mockReturnValue(true);
    },
    /READ .*promised/,
  ],
  [
    'XSA-418',
    'a walk goes no deeper than the stack',
    hostile({ kind: 'deep-tree', hostile: 4 }),
    () => {
      const removeTree = View.prototype.removeTree;
      vi.spyOn(View.prototype, 'removeTree').mockImplementation(function (this: View<never, never>, node, parent) {
        let depth = 0;
        for (let at = node; at !== undefined; depth++) {
          const [first] = listOf(at.children);
          if (first === undefined) break;
          at = this.get(childOf(at.path, first)) as typeof node;
        }
        if (depth > 300) throw new RangeError('Maximum call stack size exceeded');
        removeTree.call(this, node, parent);
      });
    },
    /Maximum call stack size exceeded/,
  ],
  [
    'XSA-419',
    'nodes of the dead stay',
    traffic(),
    () => void vi.spyOn(DeadNodes.prototype, 'removeOf').mockImplementation(() => {}),
    /READ .*expected ENOENT/,
  ],
  [
    'XSA-420',
    'a header with a length that cannot be stays where it is',
    hostile({ kind: 'long-header', hostile: 4 }),
    () => {
      const giveUp = Connections.prototype.giveUp;
      vi.spyOn(Connections.prototype, 'giveUp').mockImplementation(function (this: Connections, conn, word) {
        if (word !== XENSTORE_ERROR_PROTO) giveUp.call(this, conn, word);
      });
    },
    /long-header .*error word: 3 was due, came 0/,
  ],
  [
    'XSA-421',
    'a node that was made and removed ends the commit half way',
    hostile({ kind: 'made-and-removed', hostile: 4 }),
    () => {
      planted.commit = (real) => (ground, who, tx, cause) => {
        const accesses = [...tx.accesses.values()];
        const at = accesses.findIndex((a) => a.modified && a.node === undefined && a.base === -1);
        if (at < 0) return real(ground, who, tx, cause);
        for (const { path } of accesses.slice(at)) tx.accesses.delete(path);
        real(ground, who, tx, cause);
        refuse('ENOENT');
      };
    },
    /made-and-removed .*TRANSACTION_END T\^: OK\^,EAGAIN was due, came ENOENT/,
  ],
  [
    'XSA-481',
    'a bad path below all homes clears its error',
    hostile({ kind: 'names-its-parents', hostile: 4 }),
    () => {
      const inPayload = Names.prototype.inPayload;
      vi.spyOn(Names.prototype, 'inPayload').mockImplementation(function (
        this: Names,
        conn,
        payload,
        from,
        to,
        special,
      ) {
        const name = inPayload.call(this, conn, payload, from, to, special);
        const text = String.fromCharCode(...payload.subarray(from, to));
        if (name === undefined && text === '/local/domain/') throw new Error('assertion: no errno');
        return name;
      });
    },
    /assertion: no errno/,
  ],
  [
    'XSA-483',
    'the count of nodes stays with the id', // until an update, which counts anew
    hostile({ kind: 'comes-again', hostile: 4, updates: 0 }),
    () => {
      const { remove, make } = DomainRecords.prototype;
      const left = new Map<number, number>();
      vi.spyOn(DomainRecords.prototype, 'remove').mockImplementation(function (this: DomainRecords, record) {
        left.set(record.domid, 1);
        remove.call(this, record);
      });
      vi.spyOn(DomainRecords.prototype, 'make').mockImplementation(function (this: DomainRecords, domid) {
        const record = make.call(this, domid);
        record.account.now[QUOTA.nodes]! += left.get(domid) ?? 0;
        left.delete(domid);
        return record;
      });
    },
    /comes-again .*is said to own \d+ nodes, and owns \d+/,
  ],
  [
    'XSA-484',
    'transactions cannot be given up by a request of one of them',
    hostile({ kind: 'resets-amid-transactions', hostile: 4 }),
    () => {
      const operation = OPERATIONS[XS.RESET_WATCHES];
      if (operation === undefined) throw new Error('there is no RESET_WATCHES');
      const { run } = operation;
      vi.spyOn(operation, 'run').mockImplementation((request) => {
        if (request.message.txId !== 0) throw new Error('assertion: a transaction is in use');
        return run(request);
      });
    },
    /assertion: a transaction is in use/,
  ],
];

describe('a defence that is taken out is found in a stock scenario', () => {
  it.each(ROWS)('%s: %s', { timeout: 120_000 }, (_, _what, scenario, plant, told) => {
    plant();
    const found = said(scenario);
    expect(found).toMatch(told);
  });

  it('and with all of them nothing is said', { timeout: 120_000 }, () => {
    expect(hostile()('1').outcome).toBe('pass');
    expect(traffic()('1').outcome).toBe('pass');
  });
});
