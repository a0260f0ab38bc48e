import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DriveOptions } from '../../../scenarios/drive/drive.ts';
import { exhaust, KINDS, type Kind } from '../../../scenarios/drive/exhaust/exhaust.ts';
import { interleavings, orders, ordersOf } from '../../../scenarios/drive/exhaust/orders.ts';
import { outcomeOf } from '../../../scenarios/drive/exhaust/outcome.ts';
import { parseScript } from '../../../scenarios/drive/parse.ts';
import type { Action, MessageAction } from '../../../scenarios/drive/script.ts';
import type { DaemonState } from '../../../store/format/model/index.ts';
import { formatOf, type LabFormat } from '../../../store/format/model/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { message, XS } from '../../../store/protocol/wire.ts';

const CANON = new URL('../../../docs/canon/', import.meta.url);
const CARRY: DriveOptions = { compat: '4.22', policy: 'carry', seed: '1', liveUpdateEvery: 0, format: 'v2' };

function parsed(text: string): Action[] {
  return [...parseScript(text)].map((line) => {
    if (!line.ok) throw new Error(`${line.line}: ${line.reason}`);
    return line.action;
  });
}

function canon(name: string): Action[] {
  return parsed(readFileSync(new URL(name, CANON), 'utf8'));
}

/** Of each script: how many placements there are of each kind, and how many orders those of the last stand for. */
const COUNTS: Readonly<Record<string, Readonly<Record<Kind, number>> & { readonly all: number }>> = {
  '01-transaction.jsonl': { updates: 118, splits: 196, deaths: 149, races: 152, orders: 360, all: 56 },
  '02-queued-events.jsonl': { updates: 97, splits: 590, deaths: 68, races: 0, orders: 6, all: 1 },
  '03-reply-half-read.jsonl': { updates: 46, splits: 44, deaths: 17, races: 0, orders: 3, all: 1 },
  '04-conflict.jsonl': { updates: 123, splits: 197, deaths: 94, races: 288, orders: 2520, all: 210 },
  '05-death-seen.jsonl': { updates: 168, splits: 172, deaths: 181, races: 72, orders: 3, all: 1 },
  '06-target.jsonl': { updates: 106, splits: 202, deaths: 125, races: 124, orders: 240, all: 30 },
  '07-permissions.jsonl': { updates: 142, splits: 300, deaths: 197, races: 196, orders: 1524, all: 210 },
  '08-long-messages.jsonl': { updates: 67, splits: 2040, deaths: 38, races: 72, orders: 30, all: 6 },
  '09-removal.jsonl': { updates: 113, splits: 216, deaths: 84, races: 116, orders: 250, all: 28 },
  '10-introduced-again.jsonl': { updates: 135, splits: 202, deaths: 77, races: 36, orders: 7, all: 1 },
  '11-watch-depth.jsonl': { updates: 126, splits: 209, deaths: 97, races: 156, orders: 315, all: 35 },
  '12-three-guests.jsonl': { updates: 191, splits: 353, deaths: 399, races: 56, orders: 504, all: 34_650 },
};

describe('the canon', () => {
  it('is all there', () => {
    expect(readdirSync(CANON).sort()).toEqual(Object.keys(COUNTS));
  });

  it.each(Object.entries(COUNTS))('%s holds wherever something is put into it', (name, { all, ...counts }) => {
    const script = canon(name);
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const { failure, placements, held, refused } = exhaust(CARRY, script, kind);
      expect(failure).toBeUndefined();
      expect({ kind, placements, held, refused }).toEqual({
        kind,
        placements: counts[kind],
        held: counts[kind],
        refused: 0,
      });
    }
    expect(ordersOf(script)).toBe(all);
  });
});

/** A format with which a store forgets what it has queued of one type. */
function forgetful(type: number): LabFormat {
  const base = formatOf('G4.1')!;
  const without = (state: DaemonState): DaemonState => ({
    ...state,
    connections: state.connections.map((connection) => {
      const { output, restBytes } = connection;
      const reader = new MessageReader('believed');
      reader.push(output.subarray(restBytes));
      const kept = [output.subarray(0, restBytes)];
      for (let m = reader.shift(); m !== undefined; m = reader.shift())
        if (m.type !== type) kept.push(message(m.type, m.reqId, m.txId, m.payload));
      return { ...connection, output: Uint8Array.from(kept.flatMap((piece) => [...piece])) };
    }),
  });
  return { ...base, name: 'forgetful', write: (state, options) => base.write(without(state), options) };
}

describe('a store that forgets over an update', () => {
  const options = (type: number): DriveOptions => ({ ...CARRY, format: 'forgetful', lab: forgetful(type) });

  it('queued events: named with the first place, and the shortest script', () => {
    const { failure, held } = exhaust(options(XS.WATCH_EVENT), canon('02-queued-events.jsonl'), 'updates');
    expect(held).toBeGreaterThan(0);
    expect(failure?.place).toMatch(/^an update right before step \d+ of line 8, .*WRITE/);
    expect(failure?.difference).toMatch(/"event": "data\/y\\u0000\w+\\u0000"\}.* without it, .* with it/);
    const { script } = failure!.shortest;
    expect(script.some((line) => line.includes('WATCH'))).toBe(true);
    expect(script).not.toContainEqual(expect.stringContaining('"expect"')); // the one line that is not needed
  });

  it('queued replies: named as well', () => {
    const { failure } = exhaust(options(XS.READ), canon('02-queued-events.jsonl'), 'updates');
    expect(failure?.difference).toContain('"reply": "READ"');
  });

  it('nothing that a script has: held', () => {
    const { failure, held } = exhaust(options(XS.UNWATCH), canon('02-queued-events.jsonl'), 'updates');
    expect(failure).toBeUndefined();
    expect(held).toBeGreaterThan(0);
  });
});

describe('orders', () => {
  const RACE = parsed(
    [
      '{"domain": 1}',
      '{"domain": 2}',
      '{"socket": "a"}',
      '{"on": "a", "op": "WATCH", "payload": "/local/domain/2\\u0000tok\\u0000"}',
      '{"hold": "2"}',
      '{"free": "2"}',
      '{"on": "1", "op": "WRITE", "payload": "data\\u00001"}',
      '{"on": "1", "op": "READ", "payload": "/local/domain/2\\u0000"}',
      '{"on": "2", "op": "WRITE", "payload": "data\\u00002"}',
      '{"on": "2", "op": "WRITE", "payload": "info\\u00002"}',
      '{"on": "a", "op": "WRITE", "payload": "/local/domain/1/data\\u00003"}',
      '{"on": "a", "op": "DIRECTORY", "payload": "/local/domain/2\\u0000"}',
    ].join('\n'),
  );
  const racing = RACE.slice(6) as MessageAction[];

  it('that are taken for the same come to the same', () => {
    const outcomes = (found: Iterable<readonly Action[]>) => {
      const all = new Set<string>();
      for (const order of found) {
        // Each connection sees its own lines in its own order, whoever else is served in between.
        const lines = outcomeOf(CARRY, [...RACE.slice(0, 6), ...order]).lines.flat();
        const of = ['1', '2', 'a'].map((on) => lines.filter((line) => line.includes(`"on": "${on}"`)).join());
        all.add(of.join('\n'));
      }
      return all;
    };
    const every = [...interleavings(racing, () => true)];
    expect(every).toHaveLength(90);
    expect(ordersOf(RACE)).toBe(90);
    const tried = [...orders(CARRY, RACE)].filter(({ place }) => place.startsWith('the order'));
    expect(tried.length).toBeLessThan(every.length);
    const lines = tried.map(({ place }) => [...place.matchAll(/\d+/g)].map(([n]) => RACE[Number(n) - 1]!));
    expect(outcomes(lines)).toEqual(outcomes(every));
  });

  it('of requests that have nothing to do with each other are one', () => {
    expect([...interleavings(racing, () => false)]).toHaveLength(1);
  });

  it('are told by the first in which an expectation is not met', () => {
    const script = parsed(
      [
        '{"domain": 1}',
        '{"socket": "a"}',
        '{"on": "1", "op": "WRITE", "payload": "data\\u00001"}',
        '{"on": "a", "op": "WRITE", "payload": "/local/domain/1/data\\u00002"}',
        '{"expect": {"on": "a", "reply": "WRITE"}, "ever": true}',
        '{"on": "1", "op": "READ", "payload": "data\\u0000", "wait": false}',
        '{"hold": "a"}',
        '{"expect": {"payload": "2"}, "ever": true}',
      ].join('\n'),
    );
    const held = exhaust(CARRY, script.slice(0, 5), 'orders');
    expect(held.failure).toBeUndefined();
    expect(held).toMatchObject({ placements: 8, held: 8, orders: 2 });
    const racingLast = [...script.slice(0, 4), script[4]!, ...script.slice(7)];
    const lost = exhaust(CARRY, [...racingLast.slice(0, 4), script[7]!], 'orders');
    expect(lost.failure?.difference).toMatch(/^expected \{"payload":"2"\}/);
  });
});

describe('what the policy says', () => {
  it('an update that is refused while a transaction is open changes nothing, and is counted', () => {
    const daemon = exhaust({ ...CARRY, policy: 'daemon' }, canon('01-transaction.jsonl'), 'updates');
    expect(daemon.failure).toBeUndefined();
    expect(daemon.held).toBe(daemon.placements);
    expect(daemon.refused).toBeGreaterThan(0);
    expect(daemon.again).toBe(0);
  });
});
