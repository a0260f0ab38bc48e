import { describe, expect, it } from 'vitest';
import { type EventQueue, GuestOs, strings, text, XS, Xs, XsClient } from '../../../guests/index.ts';
import {
  controlDomain,
  createDomain,
  setDomainMemory,
  setDomainVcpus,
  sysrqDomain,
} from '../../../guests/libxl/index.ts';
import { type Actor, PARK } from '../../../sim/index.ts';
import { look, pass, permsOf, run, together } from '../../support/host.ts';
import { asked, type LibxlBench, length, libxlBench, transaction } from './host.ts';

const SECOND_NS = 1_000_000_000;
const SHUTDOWN = '/local/domain/1/control/shutdown';

/** A guest whose kernel takes commands, if it is one that does; what it saw there. */
function guest(takes: boolean, type: 'pvh' | 'hvm' = 'pvh'): LibxlBench & { readonly seen: string[] } {
  const h = libxlBench();
  const seen: string[] = [];
  const made = run(h, 'xl', (me) =>
    createDomain(
      me,
      h.xl,
      { name: 'g', type, vcpus: 4, memoryKb: 131_072, videoKb: 1_024 },
      {
        boot: (built) => {
          const os = new GuestOs(h.host.machine, built.domain);
          const client = new XsClient(os, built.ring, built.port);
          client.observer = h.host.recorder?.ofClient(client, built.domain.domid);
          client.start();
          os.start('shutdown', function* (me): Actor {
            const xs = new Xs(client, me);
            const queue: EventQueue = { events: [], me };
            yield* client.watch(queue, 'control/shutdown', 'sd');
            for (;;) {
              if (queue.events.shift() === undefined) {
                yield PARK;
                continue;
              }
              const command = text((yield* xs.read('control/shutdown')).payload);
              seen.push(command);
              if (takes && command !== '') yield* xs.write('control/shutdown', '');
            }
          });
        },
      },
    ),
  );
  expect(made.rc).toBe(0);
  pass(h, 10_000_000); // it has its watch
  return { ...h, seen };
}

describe('power operations', () => {
  it.each(['poweroff', 'reboot'] as const)(
    'HS-10: %s is done when the guest has emptied the node; both see their own writes',
    (command) => {
      const h = guest(true);
      expect(run(h, 'xl', (me) => controlDomain(me, h.xl, 1, command)).rc).toBe(0);
      pass(h, 1_000_000); // the echo of its own write is still on its way
      expect(h.seen).toContain(command);
      expect(h.seen.at(0)).toBe('');
      expect(h.seen.at(-1)).toBe('');
      expect([look(h, SHUTDOWN), permsOf(h, SHUTDOWN)]).toEqual(['', 'n1']);
      const reads = asked(h, 'xl').filter(({ line }) => line === `READ ${SHUTDOWN}`);
      expect(reads.length).toBeGreaterThan(0);
    },
  );

  it('times out after 60 s, and leaves the command where it is', () => {
    const h = guest(false);
    const before = h.host.machine.nowNs;
    expect(run(h, 'xl', (me) => controlDomain(me, h.xl, 1, 'poweroff')).rc).toBe('ERROR_TIMEDOUT');
    expect(Math.round((h.host.machine.nowNs - before) / SECOND_NS)).toBe(60);
    expect(look(h, SHUTDOWN)).toBe('poweroff');
  });

  it('is done as well when the node has gone', () => {
    const h = guest(false);
    const [outcome] = together(h, [
      ['xl', (me) => controlDomain(me, h.xl, 1, 'poweroff')],
      [
        'rm',
        function* (me) {
          yield SECOND_NS;
          yield* h.host.dom0.client.request(me, XS.RM, strings(SHUTDOWN));
          return undefined;
        },
      ],
    ]);
    expect(outcome?.rc).toBe(0);
  });

  it('asks no HVM guest without PV drivers', () => {
    const h = guest(true, 'hvm');
    const from = length(h);
    expect(run(h, 'xl', (me) => controlDomain(me, h.xl, 1, 'poweroff', false)).rc).toBe('ERROR_NOPARAVIRT');
    expect(asked(h, 'xl', from).map(({ line }) => line)).toEqual(['READ /libxl/1/type']);
    expect(run(h, 'xl', (me) => controlDomain(me, h.xl, 1, 'poweroff', true)).rc).toBe(0);
  });

  it('sends a letter', () => {
    const h = guest(true);
    expect(run(h, 'xl', (me) => sysrqDomain(me, h.xl, 1, 's')).rc).toBe(0);
    expect(look(h, '/local/domain/1/control/sysrq')).toBe('s');
  });

  it('sets the memory target in a transaction, less the video memory, and refuses more than the most', () => {
    const h = guest(true);
    const from = length(h);
    expect(run(h, 'xl', (me) => setDomainMemory(me, h.xl, 1, 65_536)).rc).toBe(0);
    const vm = look(h, '/local/domain/1/vm');
    expect(transaction(asked(h, 'xl', from), 0)).toEqual([
      'READ /local/domain/1/memory/target',
      'READ /local/domain/1/memory/static-max',
      'READ /local/domain/1/memory/videoram',
      'WRITE /local/domain/1/memory/target 64512',
      `WRITE ${vm}/memory 63`,
      'TRANSACTION_END T',
    ]);
    expect(run(h, 'xl', (me) => setDomainMemory(me, h.xl, 1, 200_000)).rc).toBe('ERROR_INVAL');
    expect(look(h, '/local/domain/1/memory/target')).toBe('64512');
  });

  it('sets the vCPUs that are to be online, all in one transaction', () => {
    const h = guest(true);
    const from = length(h);
    expect(run(h, 'xl', (me) => setDomainVcpus(me, h.xl, 1, 2)).rc).toBe(0);
    expect(transaction(asked(h, 'xl', from), 0)).toEqual([
      ...['online', 'online', 'offline', 'offline'].map((v, i) => `WRITE /local/domain/1/cpu/${i}/availability ${v}`),
      'TRANSACTION_END T',
    ]);
    expect(run(h, 'xl', (me) => setDomainVcpus(me, h.xl, 1, 5)).rc).toBe('ERROR_INVAL');
  });
});
