import { type EventQueue, strings } from '../../guests/index.ts';
import {
  CONNECTION,
  ERROR,
  PARK,
  type Port,
  REQ_CONS,
  REQ_PROD,
  RSP_CONS,
  RSP_PROD,
  SERVER_FEATURES,
} from '../../sim/index.ts';
import type { RingLink } from '../../store/format/model/index.ts';
import type { Client, LabGuest, LabHost } from './lab-host.ts';
import type { Things } from './things.ts';

/** Rings and sockets, who stands for whom, who waits to be accepted. */
export function connections(lab: LabHost, things: Things): void {
  const [five, six, seven] = lab.guests(5, 6, 7);
  const [plain, watching] = [lab.socket(), lab.socket()];
  plain.ask('READ', strings('/tool'));
  watching.ask('WATCH', strings('/local', 's'));
  watching.events();
  for (const domid of [5, 6]) {
    lab.write(`/of${domid}`, 'ours');
    lab.tool('SET_PERMS', strings(`/of${domid}`, `n${domid}`));
  }
  lab.tool('SET_TARGET', strings('7', '5')); // the target's connection is older
  lab.tool('SET_TARGET', strings('5', '6')); // and here younger
  const waiting: Client[] = [];
  lab.update({ dumped: () => waiting.push(lab.over(lab.connect())) });
  const isServed = (client: Client) => client.ask('GET_DOMAIN_PATH', strings('5')) === '/local/domain/5';
  things.note('listeners', 'a client that waits to be accepted', waiting.length === 1 && waiting.every(isServed));
  lab.write('/local/x', '');
  things.note('sockets', 'its watch', watching.events().includes('/local/x s'));
  const served = [plain, watching].map(isServed);
  things.note(
    'sockets',
    'is served',
    served.every((is) => is),
  );
  for (const [i, guest] of [five, six, seven].entries())
    things.note('connections', `ring of domain ${[5, 6, 7][i]}`, isServed(guest));
  for (const [i, is] of served.entries()) things.note('connections', `socket ${i + 1}`, is);
  things.note('target', 'domain 7 stands for 5', seven.ask('READ', strings('/of5')) === 'ours');
  things.note('target', 'domain 5 stands for 6, which is younger', five.ask('READ', strings('/of6')) === 'ours');
}

const WORDS = [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, SERVER_FEATURES, CONNECTION, ERROR];

function wordsOf({ ring }: LabGuest): string {
  return WORDS.map((at) => ring.load32(at)).join(' ');
}

/** The daemon's end of a guest's port, as the guest may ask; undefined: nobody has bound it. */
function boundTo({ domain, port }: LabGuest): Port | undefined {
  const channel = domain.ports.get(port);
  return channel?.state === 'interdomain' ? channel.remotePort : undefined;
}

/** What belongs to the machine: ports, frames, identities, and how it stands with domains. */
export function machine(lab: LabHost, things: Things): void {
  const { host } = lab;
  const { dom0 } = host;
  const quiet = lab.guest(5, true);
  const [idle, recycled, bad, halted, kept] = lab.guests(6, 9, 10, 11, 12, 13);
  const reports: EventQueue['events'][number][] = [];
  dom0.os.start('watcher', function* (me) {
    yield* dom0.client.watch({ events: reports, me }, '@releaseDomain/11', 'halted');
    for (;;) yield PARK;
  });
  lab.tool('SET_TARGET', strings('13', '12'));
  lab.settle();
  host.machine.shutdown(halted.domain, 'poweroff');
  host.machine.destroy(kept.domain);
  idle.ask('READ', strings('/tool'));
  // Broken indexes: the store will not look at this ring again, not even when they are mended.
  const prod = bad.ring.load32(REQ_PROD);
  bad.ring.store32(REQ_PROD, (prod + 5000) >>> 0, true);
  host.machine.send(bad.domain, bad.port);
  lab.settle();
  bad.ring.store32(REQ_PROD, prod, true);
  lab.settle();
  const words = [idle, bad].map(wordsOf);
  const reported = reports.length;
  const ports = { own: boundTo(idle), guests: idle.port };
  let isHeldOpen = true;
  let isRecycled = false;
  lab.update({
    dumped: () => host.machine.destroy(recycled.domain),
    step: () => {
      if (boundTo(idle) !== ports.own) isHeldOpen = false;
      // As soon as the old daemon has let go of the page, the number is free.
      if (isRecycled || host.machine.domain(9) !== undefined) return;
      isRecycled = true;
      lab.build(9);
    },
  });
  const { handedOver } = host.store;
  const linkOf = (domid: number): RingLink | undefined => {
    const conn = handedOver?.connections.find(({ link }) => link.kind === 'ring' && link.domid === domid);
    return conn?.link.kind === 'ring' ? conn.link : undefined;
  };
  things.note('ringWords', 'of an idle ring', wordsOf(idle) === words[0]);
  things.note('ringWords', 'of a ring that was given up', wordsOf(bad) === words[1]);
  things.note('port', "the daemon's", ports.own !== undefined && linkOf(6)?.port === ports.own, 'successor');
  things.note('port', "the guest's", linkOf(6)?.guestPort === ports.guests, 'successor');
  things.note('evtchnFd', 'ports stay bound', isHeldOpen);
  things.note('evtchnFd', 'its number', handedOver?.evtchn.fd !== undefined, 'successor');
  things.note('excPort', 'its number', handedOver?.evtchn.excPort !== undefined, 'successor');
  things.note('mfn', 'of domain 6', linkOf(6)?.mfn === BigInt(idle.ring.gfn), 'successor');
  const introduced = (domid: number) => lab.tool('IS_DOMAIN_INTRODUCED', strings(String(domid)));
  const isToldApart = isRecycled && introduced(9) === 'F' && introduced(6) === 'T';
  things.note('uniqueId', 'another domain with the same number is told apart', isToldApart);
  things.note('flags', 'released', introduced(12) === 'T');
  things.note('flags', 'ignored', introduced(10) === 'T' && isDeaf(bad));
  const isSilent = reports.length === reported;
  host.machine.destroy(halted.domain);
  lab.settle();
  things.note('flags', 'shut down, and reported', isSilent && reports.length > reported);
  things.note('port', 'a ring whose page does not tell it goes on', quiet.ask('READ', strings('/tool')) !== 'no reply');
}

function isDeaf(guest: LabGuest): boolean {
  return guest.ask('GET_DOMAIN_PATH', strings('5')) === 'no reply';
}

/** Limits and features. */
export function limits(lab: LabHost, things: Things): void {
  const [five, six] = [lab.build(5), lab.build(6)];
  lab.tool('SET_FEATURE', strings('5', '6'));
  lab.tool('SET_FEATURE', strings('6', '0'));
  for (const guest of [five, six]) lab.introduce(guest);
  lab.tool('SET_QUOTA', strings('nodes', '777'));
  lab.tool('SET_QUOTA', strings('transactions', '17'));
  lab.tool('SET_QUOTA', strings('5', 'watches', '3'));
  lab.tool('SET_QUOTA', strings('6', 'nodes', '99'));
  lab.update();
  const quota = (...args: readonly string[]) => lab.tool('GET_QUOTA', strings(...args));
  things.note('defaultQuotas', 'nodes', quota('nodes') === '777');
  things.note('defaultQuotas', 'transactions', quota('transactions') === '17');
  things.note('domainQuotas', 'nodes of domain 6', quota('6', 'nodes') === '99');
  const watches = [1, 2, 3, 4].map((i) => five.ask('WATCH', strings('here', String(i))));
  things.note('domainQuotas', 'watches of domain 5, which is refused more', watches.includes('ENOSPC'));
  const features = [five, six].map((guest) => guest.ask('GET_FEATURE', ''));
  things.note('features', 'of domain 5', features[0] === '6');
  things.note('features', 'of domain 6', features[1] === '0');
}
