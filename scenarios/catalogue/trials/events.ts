import type { GuestOs } from '../../../guests/index.ts';
import { type Actor, PARK, type Port } from '../../../sim/index.ts';
import type { Program, Stage } from '../worries/play.ts';
import { answerOf, type Trials } from './trial.ts';

/** vCPUs that nothing else of the guest is on: upcalls of the one can be kept off, the other sleeps in polls. */
const VCPU = 1;
const POLLING_VCPU = 2;
/** All that such a guest has. */
export const VCPUS = 3;
const PORTS = 5;
/** Source: xen/include/public/event_channel.h, EVTCHN_FIFO_PRIORITY_MIN and EVTCHN_FIFO_PRIORITY_DEFAULT. */
const PRIORITY_MIN = 15;
const PRIORITY_DEFAULT = 7;
/** Calls between two times at which upcalls are let in. */
const CALLS_MAX = 24;
const CALL_NS = 400;
const THINK_NS_MAX = 60_000;
/** Longest sleep in a poll, and how soon the event comes that ends it, ns. */
const POLL_NS = 2_000_000;
const SOON_NS = 5_000;

/** The kernel changes to the FIFO ABI: all its events come that way from then on, those of xenstore, too. */
export function fifoKernel(trials: Trials): Program {
  return function* ({ me }, stage) {
    const { guest, host } = stage;
    const { os } = guest;
    const { evtchn } = os.hyper;
    const array = os.allocPage();
    trials.check(host, me.name, 'init_control', answerOf(evtchn.initControl(0, os.allocPage().gfn, 0)), 'OK');
    trials.check(host, me.name, 'expand_array', answerOf(evtchn.expandArray(array.gfn)), 'OK');
    const port = evtchn.bindIpi(VCPU);
    if (port.ok) {
      evtchn.send(port.value);
      trials.check(host, me.name, 'EVT-20: word without a control block', array.load32(4 * port.value), 0);
      evtchn.close(port.value);
    }
    trials.check(host, me.name, 'init_control', answerOf(evtchn.initControl(VCPU, os.allocPage().gfn, 0)), 'OK');
    yield* new EventTrials(trials, stage, me.name, true).run();
  };
}

/** A kernel with the ABI that every guest begins with. */
export function twoLevelKernel(trials: Trials): Program {
  return ({ me }, stage) => new EventTrials(trials, stage, me.name, false).run();
}

/** One that sleeps in a poll on another vCPU than the port notifies (EVT-27). */
export function pollingKernel(trials: Trials): Program {
  return function* ({ me }, { guest, host, traffic }) {
    const { os } = guest;
    const { evtchn } = os.hyper;
    const sends: Port[] = [];
    const peer = os.start('trial-peer', function* (): Actor {
      for (;;) {
        const port = sends.shift();
        yield port === undefined ? PARK : SOON_NS;
        if (port !== undefined) evtchn.send(port);
      }
    });
    while (!traffic.stopping) {
      const there = evtchn.allocUnbound(os.domain.domid, os.domain.domid);
      if (!there.ok) return;
      const here = evtchn.bindInterdomain(os.domain.domid, there.value);
      if (!here.ok) return;
      os.domain.ports.clear(here.value); // a bind raises its own port
      const untilNs = os.machine.nowNs + POLL_NS;
      const polled = evtchn.poll(POLLING_VCPU, [here.value], untilNs, () => me.wake());
      sends.push(there.value);
      peer.wake();
      if (polled.ok && polled.value) yield PARK;
      const woken = os.machine.nowNs < untilNs ? 'by its event' : 'by its time-out';
      trials.check(host, me.name, 'EVT-27: a poll ends', polled.ok ? woken : polled.errno, 'by its event');
      for (const { value } of [here, there]) evtchn.close(value);
      yield me.draws.below(THINK_NS_MAX);
    }
  };
}

/** A port that is open, and of which priority its next event is. */
interface Opened {
  readonly port: Port;
  priority: number;
}

/**
 * Upcalls of a vCPU are kept off while events are sent, priorities change, ports are closed and opened. Then they are let in, and
 * each port that had an event has had its handler run: with the FIFO ABI once, strictly by priority, and first come, first served.
 */
class EventTrials {
  readonly #trials: Trials;
  readonly #stage: Stage;
  readonly #os: GuestOs;
  readonly #name: string;
  readonly #isFifo: boolean;
  readonly #opened: Opened[] = [];
  /** Ports with an event, in the order of the events, and the priorities that they had then. */
  #owed: Opened[] = [];
  /** Ports that were closed while they were in a queue: nobody may have them before it is drained. */
  readonly #linked = new Set<Port>();
  #ran: Port[] = [];

  constructor(trials: Trials, stage: Stage, name: string, isFifo: boolean) {
    this.#trials = trials;
    this.#stage = stage;
    this.#os = stage.guest.os;
    this.#name = name;
    this.#isFifo = isFifo;
  }

  *run(): Actor {
    const { traffic, host } = this.#stage;
    const draws = host.machine.streams.for(`${this.#name}/calls`);
    for (let i = 0; i < PORTS; i++) this.#open();
    while (!traffic.stopping) {
      this.#vcpu.upcallMasked = true;
      for (let calls = draws.between(1, CALLS_MAX); calls > 0; calls--) {
        const one = draws.pick(this.#opened);
        const what = draws.below(8);
        if (what < 5) this.#send(one);
        else if (what < 7) this.#prefer(one, draws.between(0, PRIORITY_MIN));
        else this.#reopen(one);
        yield CALL_NS;
      }
      this.#letIn();
      yield draws.below(THINK_NS_MAX);
    }
  }

  get #vcpu() {
    return this.#os.domain.ports.vcpu(VCPU);
  }

  #check(what: string, got: string | number | boolean, due: string | number | boolean): void {
    this.#trials.check(this.#stage.host, this.#name, what, got, due);
  }

  #open(): void {
    const { evtchn } = this.#os.hyper;
    const port = evtchn.bindIpi(VCPU);
    this.#check('bind_ipi', answerOf(port), 'OK');
    if (!port.ok) return;
    if (this.#isFifo) this.#check('EVT-1: a new port is in a queue', this.#linked.has(port.value), false);
    this.#os.domain.ports.handle(port.value, () => this.#ran.push(port.value), 'edge');
    evtchn.unmask(port.value);
    this.#opened.push({ port: port.value, priority: PRIORITY_DEFAULT });
  }

  #send(one: Opened): void {
    this.#check('send', this.#os.hyper.evtchn.send(one.port) ?? 'OK', 'OK');
    if (!this.#owed.some(({ port }) => port === one.port)) this.#owed.push({ ...one });
  }

  #prefer(one: Opened, priority: number): void {
    this.#check(
      'set_priority',
      answerOf(this.#os.hyper.evtchn.setPriority(one.port, priority)),
      this.#isFifo ? 'OK' : 'ENOSYS',
    );
    if (this.#isFifo) one.priority = priority;
  }

  #reopen(one: Opened): void {
    this.#check('close', answerOf(this.#os.hyper.evtchn.close(one.port)), 'OK');
    this.#opened.splice(this.#opened.indexOf(one), 1);
    if (this.#owed.some(({ port }) => port === one.port)) this.#linked.add(one.port);
    this.#owed = this.#owed.filter(({ port }) => port !== one.port);
    this.#open();
  }

  #letIn(): void {
    this.#vcpu.upcallMasked = false;
    this.#os.domain.ports.deliver(this.#vcpu);
    if (this.#isFifo) {
      const due = [...this.#owed].sort((a, b) => a.priority - b.priority).map(({ port }) => port);
      const isAsDue = this.#ran.join(' ') === due.join(' ');
      this.#check(
        'EVT-23, EVT-26: handlers',
        isAsDue ? 'as due' : `${this.#ran.join(' ')} for ${due.join(' ')}`,
        'as due',
      );
    } else {
      // 1. An event is sent. 2. vCPU 0 takes an upcall for another port of the same word, and serves both. So it may be early.
      const missing = this.#owed.filter(({ port }) => !this.#ran.includes(port));
      this.#check('EVT-15: ports whose handler did not run', missing.map(({ port }) => port).join(' '), '');
    }
    this.#owed = [];
    this.#linked.clear();
    this.#ran = [];
  }
}
