import { operator, type Thread } from '../../guests/index.ts';
import { REQ_CONS, REQ_PROD, RING_BYTES } from '../../sim/index.ts';
import { type Ask, parseAsk } from './asks.ts';
import { type Host, STORE_BINARY } from './host.ts';
import type { UpdateAttempt } from './scenario.ts';

/** How long a guest with a broken ring goes on before it crashes, ns. */
const CRASHES_AFTER_NS = 2_000_000;

export interface AskedOf {
  readonly host: Host;
  /** Where what updates were asked for, and answered, is put. */
  readonly attempts: UpdateAttempt[];
  /** Where whoever asks is put. */
  readonly askers: Thread[];
  /** Of the image of an update; `undefined`: the daemon does not know the word. */
  readonly version: 1 | 2 | undefined;
}

/** Let what is asked of a host come in its time. To be called before the first step. Throws for what no parser lets through. */
export function armAsks(words: readonly string[], number: number, of: AskedOf): void {
  for (const [i, word] of words.entries()) {
    const ask = parseAsk(word);
    if (ask === undefined) throw new Error(`assertion: an ask is no ${word}`);
    if (ask.host !== number) continue;
    const name = `asked-${i + 1}`;
    // Judged as hostile from its birth: who reads the history has to know before the ring is looked at.
    if (ask.kind === 'break-ring') of.host.recorder?.distrust(ask.domid);
    of.host.machine.scheduler.at(ask.atNs, () => {
      if (ask.kind === 'update') update(of, name, ask);
      else if (ask.kind === 'preempt') of.host.machine.scheduler.preemptNext(ask.forNs);
      else breakRing(of.host, ask.domid);
    });
  }
}

/** One more program of dom0 asks the store to live-update itself, at once and whatever else there is. */
function update({ host, attempts, askers, version }: AskedOf, name: string, { atNs }: Ask): void {
  const { os } = host.dom0;
  let at = -1;
  const before = host.store.updates.length;
  const asker = os.start(name, (me) => {
    const link = host.connect(name);
    return operator(me, link, host.traffic, {
      moments: [atNs],
      isExact: true,
      file: STORE_BINARY,
      version: () => version,
      way: () => ({ timeoutSeconds: 0, force: false }),
      connect: () => host.connect(`${name}-holder`),
      os,
      asked: (_, command) => {
        const attempt = { n: attempts.length + 1, timeNs: host.machine.nowNs, command, answer: '', update: undefined };
        if (at < 0) at = attempts.push(attempt) - 1;
        else attempts[at] = { ...(attempts[at] as UpdateAttempt), command };
      },
      answered: (_, answer) => {
        const made = host.store.updates[before]?.n;
        attempts[at] = { ...(attempts[at] as UpdateAttempt), answer, update: made };
      },
    });
  });
  askers.push(asker);
}

/** A guest moves req_prod further ahead of req_cons than the ring has octets (BAD-14), and crashes some time later. */
function breakRing({ guests, machine, watch }: Host, domid: number): void {
  const guest = guests.find(({ os }) => os.domain.domid === domid && os.domain.isRunning);
  if (guest === undefined) return; // it has gone, or was never there
  const { os, client } = guest;
  const { domain } = os;
  const { frame, port } = client.ring;
  // Told as a fault is: what comes of it has its beginning there.
  machine.trace.mark('faults', 'break-ring', domid, `domain ${domid}`);
  watch?.distrust(frame);
  frame.store32(REQ_PROD, (frame.load32(REQ_CONS) + RING_BYTES + 1) >>> 0, true);
  os.hyper.send(port);
  machine.scheduler.at(machine.nowNs + CRASHES_AFTER_NS, () => {
    if (!domain.isRunning) return;
    machine.trace.mark('faults', 'break-ring', domid, `domain ${domid} crashes`);
    machine.shutdown(domain, 'crash');
  });
}
