import { describe, expect, it } from 'vitest';
import { strings, text, XS, Xs } from '../../../guests/index.ts';
import { Host, type HostOptions, STORE_BINARY } from '../../../scenarios/engine/host.ts';
import {
  type Actor,
  loneMachine,
  NO_JITTER,
  type StoreNews,
  type TraceEvent,
  type UnixSocket,
} from '../../../sim/index.ts';
import { v2 } from '../../../store/format/index.ts';
import { formatOf, type StateFormat } from '../../../store/format/model/index.ts';
import { MemoryFiles, startXenstored } from '../../../store/index.ts';
import { message } from '../../../store/protocol/wire.ts';

const FILES = formatOf('G4.1') as StateFormat;
const ALL_NS = 2_000_000_000;

type Told = Extract<TraceEvent, { readonly kind: 'store' }>;

/** A host on which one program of dom0 talks to the store through a socket, another through the kernel's ring. */
class Scene {
  readonly host: Host;
  readonly news: Told[] = [];
  readonly socket: UnixSocket;
  /** Answers to the operator, in order. */
  readonly answers: string[] = [];

  constructor(options: Partial<HostOptions> = {}) {
    this.host = new Host({
      seed: '1',
      jitter: NO_JITTER,
      requestsMax: 1e9,
      policy: 'carry',
      compat: '4.22',
      records: true,
      ...options,
    });
    this.host.machine.trace.observe((event) => {
      if (event.kind === 'store') this.news.push(event);
    });
    this.socket = this.host.listener.connect('program');
    this.run();
  }

  run(): void {
    this.host.machine.scheduler.run(this.host.machine.nowNs + ALL_NS);
  }

  /** Whether a request on the socket is answered. */
  isServed(): boolean {
    const request = message(XS.READ, 1, 0, strings('/tool'));
    this.socket.write(request, 0, request.length);
    this.run();
    const count = this.socket.readable();
    this.socket.read(new Uint8Array(count), 0, count);
    return count > 0;
  }

  /** Ask for an update; what is not answered by the end of `run` never is. */
  update(): void {
    const { answers } = this;
    const { os, client } = this.host.dom0;
    os.start(`operator${this.host.store.updates.length}`, function* (me): Actor {
      const xs = new Xs(client, me);
      yield* xs.call(XS.CONTROL, strings('live-update', '-f', STORE_BINARY));
      const reply = yield* xs.call(XS.CONTROL, strings('live-update', '-s'));
      answers.push(text(reply.payload).replace('\0', ''));
    });
    this.run();
  }

  /** What was told of updates, and by whom. */
  get steps(): string[] {
    const isStep = ({ phase }: StoreNews) => !['bound', 'unbound', 'no-memory', 'error-word'].includes(phase);
    return this.news.filter(isStep).map(({ phase, instance }) => `${phase} ${instance}`);
  }
}

describe('who asks for a live update', () => {
  it.each([
    ['an image', undefined, ['dump 1', 'up 2']],
    ['files', FILES, ['dump 1', 'exec 1', 'started 2', 'up 2']],
  ])('is told OK by the successor, through %s', (_, lab, steps) => {
    const scene = new Scene({ lab });
    scene.update();
    expect([scene.answers, scene.steps]).toEqual([['OK'], steps]);
    const { updates, handedOver, ended } = scene.host.store;
    expect(updates.map(({ n, outcome, reason }) => [n, outcome, reason])).toEqual([[1, 'ok', '']]);
    expect([handedOver !== undefined, ended, scene.isServed()]).toEqual([lab !== undefined, undefined, true]);
  });

  it('is told why the state could not be written', () => {
    const failure = { offset: 3, record: 1, name: 'X', path: 'y', reason: 'no room' };
    const scene = new Scene({ lab: { ...FILES, write: () => ({ ok: false, failure }) } });
    scene.update();
    expect(scene.answers).toEqual([expect.stringContaining('no room')]);
    expect([scene.steps, scene.isServed()]).toEqual([['failed 1'], true]);
    expect(scene.host.store.updates).toMatchObject([{ outcome: 'failed', reason: scene.answers[0], imageBytes: 0 }]);
  });

  it.each([
    ['an image', undefined],
    ['files', FILES],
  ])('is told why %s cannot be read', (_, lab) => {
    const scene = new Scene({ lab, passImage: (image) => image.subarray(0, 20) });
    scene.update();
    expect(scene.answers).toEqual([expect.stringMatching(/offset \d+/)]);
    expect([scene.steps, scene.isServed()]).toEqual([['dump 1', 'failed 1'], true]);
    expect(scene.host.store.updates).toMatchObject([{ outcome: 'failed', reason: scene.answers[0], imageBytes: 20 }]);
  });

  it('is told of an exec that fails in the words of lu.c; the next update is one of the same instance', () => {
    const scene = new Scene({ execFails: (n) => n === 1 });
    scene.update();
    scene.update();
    expect(scene.answers).toEqual(['Error activating new binary.', 'OK']);
    expect(scene.steps).toEqual(['dump 1', 'failed 1', 'dump 1', 'up 2']);
  });

  it('is told nothing where the successor cannot begin: the process has ended, its sockets are closed', () => {
    const scene = new Scene({ lab: FILES });
    const { machine, dom0, store, listener } = scene.host;
    const brief = machine.createDomain(6, 'd6');
    dom0.os.start('owner', function* (me): Actor {
      const xs = new Xs(dom0.client, me);
      yield* xs.write('/its', '');
      yield* xs.setPerms('/its', ['n6']);
    });
    scene.run();
    machine.trace.observe((event) => {
      if (event.kind === 'store' && event.phase === 'exec') machine.destroy(brief);
    });
    scene.update();
    expect(scene.steps).toEqual(['dump 1', 'exec 1', 'started 2', 'ended 2']);
    expect([scene.answers, scene.socket.hungUp(), scene.isServed()]).toEqual([[], true, false]);
    expect(store.ended).toMatch(/could not begin: .*domain 6/);
    expect(store.updates).toMatchObject([{ outcome: 'failed', reason: store.ended }]);
    expect([store.ports, dom0.os.domain.maptrack.handles(), store.handedOver]).toEqual([[], [], undefined]);
    expect(listener.connect().hungUp()).toBe(true);
  });
});

describe('the way of an update', () => {
  it('can be another for each: files, then images again', () => {
    const scene = new Scene();
    const { store } = scene.host;
    for (const format of [FILES, undefined, formatOf('G3.2')]) {
      store.format = format;
      scene.update();
      expect(store.handedOver !== undefined).toBe(format !== undefined);
    }
    expect(store.updates.map(({ format }) => format)).toEqual(['G4.1', `v${v2.version}`, 'G3.2']);
    expect(scene.steps.at(-1)).toBe('up 4');
  });
});

describe('a store that is killed', () => {
  it.each([
    ['while it serves', undefined],
    ['between its dump and its exec', 'dump'],
    ['when it has not mapped a ring again', 'exec'],
  ] as const)('has nothing open any more, %s', (_, at) => {
    const scene = new Scene({ lab: FILES });
    const { store, machine, dom0, listener } = scene.host;
    const waiting: UnixSocket[] = [];
    machine.trace.observe((event) => {
      if (event.kind !== 'store' || event.phase !== at) return;
      waiting.push(listener.connect());
      machine.scheduler.at(machine.nowNs + 500, () => store.end());
    });
    if (at === undefined) store.end();
    else scene.update();
    expect(store.ended).toBe('it was killed');
    expect([store.ports, dom0.os.domain.maptrack.handles(), scene.answers]).toEqual([[], [], []]);
    expect([scene.socket, ...waiting, listener.connect()].every((end) => end.hungUp())).toBe(true);
    expect(scene.isServed()).toBe(false);
    const phases = scene.news.map(({ phase }) => phase);
    expect(phases.slice(phases.indexOf('ended') + 1)).toContain('unbound');
    const { length } = scene.news;
    store.end();
    expect(scene.news).toHaveLength(length);
  });

  it('is seen to have let go of everybody', () => {
    const scene = new Scene();
    expect(scene.isServed()).toBe(true);
    scene.host.store.end();
    const { epochs, records } = scene.host.recorder?.history() ?? { epochs: [], records: [] };
    expect(epochs.map(({ name }) => name)).toEqual(['dom0', 'dom0/program']);
    expect(records.flatMap((r) => (r.kind === 'detach' ? [r.conn] : [])).sort()).toEqual([0, 1]);
  });

  it('never began where its image is no image', () => {
    const machine = loneMachine({ seed: '1' });
    const store = startXenstored(machine, machine.createDomain(0, 'dom0'), {
      compat: '4.22',
      policy: 'daemon',
      listener: undefined,
      files: new MemoryFiles(new Map()),
      dom0Port: 0,
      resume: { image: new Uint8Array(3), sockets: new Map() },
    });
    expect(store.ended).toMatch(/offset 0/);
    expect(store.ports).toEqual([]);
  });
});

describe('the news of a store', () => {
  it('tell its own ports from those that other programs of its domain bind and close', () => {
    const scene = new Scene();
    const { machine, dom0 } = scene.host;
    const guest = machine.createDomain(7, 'd7');
    machine.unpause(guest);
    const before = scene.host.recorder?.history().epochs.length;
    dom0.os.start('backend', function* (): Actor {
      const bound = dom0.os.hyper.bindInterdomain(7, machine.events.allocUnbound(guest, guest, 0));
      yield 1_000;
      if (bound.ok) dom0.os.hyper.close(bound.value);
    });
    scene.run();
    expect(scene.news).toEqual([]);
    expect(scene.host.recorder?.history().epochs.length).toBe(before);
  });
});
