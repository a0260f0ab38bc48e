import { type Actor, type Devpts, type Domid, PARK, type Pty } from '../../sim/index.ts';
import { octetsOf as octets } from '../../store/protocol/octets.ts';
import type { GuestConsole } from '../console/index.ts';
import type { GuestOs, Me } from '../kernel/index.ts';
import type { Traffic } from '../load/index.ts';
import type { MonitorHost } from './domain-watcher.ts';
import { firstBeat, type Pace, paced, rest } from './pace.ts';
import { waitForKey } from './wait-key.ts';

/** Lines that a kernel prints while it boots. */
const BOOT_LINES = 60;

/** What runs at a guest's end of its console: the kernel's messages at boot, a log line now and then, and a shell that echoes. */
export function* consoleUser(
  me: Me,
  os: GuestOs,
  console: GuestConsole,
  traffic: Traffic,
  plan: { readonly pace: Pace; readonly seconds: number },
): Actor {
  const { draws } = me;
  const line = (what: string) => {
    const stamp = String(Math.floor(os.machine.nowNs / 1_000)).padStart(12);
    console.write(octets(`[${stamp}] ${what}: ${'x'.repeat(draws.below(90))}\r\n`));
  };
  console.onInput = (bytes) => console.write(bytes);
  for (let n = 0; n < BOOT_LINES; n++) {
    line('kernel');
    yield draws.below(40_000);
  }
  yield* firstBeat(os, me, traffic, plan.pace, plan.seconds);
  while (!traffic.stopping) {
    for (let n = draws.between(1, 20); n > 0; n--) line('daemon');
    yield* rest(os, me, traffic, paced(plan.pace, plan.seconds));
  }
}

/** `xl console`: waits for the terminal's name, then shows what comes, as long as it is open. */
export function* consoleClient(
  me: Me,
  host: MonitorHost,
  devpts: Devpts,
  domid: Domid,
  attached: (tty: Pty) => void,
): Actor {
  const session = host.connect('xl-console');
  let name = '';
  const found = yield* waitForKey(me, host, session, `/local/domain/${domid}/console/tty`, (value) => {
    name = value ?? '';
    return name !== '';
  });
  const tty = found ? devpts.find(name) : undefined;
  if (tty === undefined) return;
  tty.onSlave = () => me.wake();
  attached(tty);
  for (;;) {
    const bytes = tty.read('slave', 1_024);
    if (bytes.length === 0) yield PARK;
    else yield 2_000 + 10 * bytes.length; // a program, a pipe, and a person's terminal
  }
}

/** A person at a terminal: a line of a few octets now and then, a paste once in a while. */
export function* typist(me: Me, host: MonitorHost, tty: () => Pty | undefined, seconds: number): Actor {
  const { draws } = me;
  while (!host.traffic.stopping) {
    yield* rest(host.os, me, host.traffic, paced(host.pace, 1 + draws.below(seconds)));
    const line = draws.oneIn(4) ? 'paste '.repeat(draws.between(20, 60)) : 'uptime'.slice(0, draws.between(1, 6));
    tty()?.write('slave', octets(line, '\r'));
  }
}
