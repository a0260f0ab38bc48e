import { describe, expect, it } from 'vitest';
import { octets, strings } from '../../../guests/index.ts';
import type { LabGuest, LabHost } from '../../../scenarios/lab/lab-host.ts';
import { MovePair } from '../../../scenarios/lab/move-pair.ts';
import { ERROR, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, SERVER_FEATURES } from '../../../sim/index.ts';
import type { CompatName } from '../../../store/index.ts';
import { handingOn, named } from '../../support/odd-formats.ts';

const HOME = '/local/domain/5';

function pairOf(format = 'G4.1', compat?: { readonly from: CompatName; readonly to: CompatName }) {
  const pair = new MovePair({ format: named(format), ...(compat === undefined ? {} : { compat }) });
  const guest = pair.from.guest(5);
  return { pair, guest, from: pair.from, to: pair.to };
}

const begin = (guest: LabGuest) => Number(guest.ask('TRANSACTION_START', '\0'));
const end = (guest: LabGuest, tx: number, how = 'T') => guest.ask('TRANSACTION_END', strings(how), tx);

/** Reach a domain's tree as a program of dom0 sees it. */
const tree = (lab: LabHost, path: string) => lab.tool('DIRECTORY', strings(path));

describe('what is on its way', () => {
  it.each(['G1', 'G2', 'G3.0'])(
    'MIG-33: 10 of 16 octets taken, in %s: refused, or finished before the pause',
    (format) => {
      const { pair, guest, from, to } = pairOf(format);
      guest.send('WRITE', 'a\0value', 0, 0, 10);
      from.settle();
      expect(pair.move(guest)).toContain('consumed but unprocessed input dropped');
      expect(pair.order('from', 'quiesce', '5')).toBe('domain 5 has sent a part of a request');
      guest.send('WRITE', 'a\0value', 0, 10); // it runs, and finishes
      from.settle();
      expect(pair.order('from', 'quiesce', '5')).toBe('OK');
      guest.send('READ', strings('a')); // not read any more
      from.settle();
      pair.order('to', 'thaw', '5');
      expect(pair.move(guest)).toBe('moved');
      to.settle();
      expect([guest.replyTo(1), guest.replyTo(2)]).toEqual(['OK', 'value']);
    },
  );

  it.each([1, 15, 16, 17, 40, 1000, 4111])(
    'MIG-35: a payload of 4096 octets, cut behind octet %s, is executed once',
    (cut) => {
      const { pair, guest, from, to } = pairOf('G3.1');
      const payload = octets('a\0', 'p'.repeat(2040)); // the largest value that a guest may have
      const all = Math.min(cut, 16 + payload.length - 1);
      for (let at = 0; at < all; at += 1000) {
        guest.send('WRITE', payload, 0, at, Math.min(at + 1000, all));
        from.settle();
      }
      expect(pair.move(guest)).toBe('moved');
      for (let at = all; at < 16 + payload.length; at += 1000) {
        guest.send('WRITE', payload, 0, at, Math.min(at + 1000, 16 + payload.length));
        to.settle();
      }
      expect(guest.ask('READ', strings('a')).length).toBeGreaterThan(0);
    },
  );

  it('MIG-36: a START that was put aside for an update is executed at the other host', () => {
    const pair = new MovePair({ format: named('G3.1'), policy: 'daemon' });
    const guest = pair.from.guest(5);
    const holder = pair.from.guest(6);
    const open = begin(holder);
    pair.from.tool('CONTROL', strings('live-update', '-f', '/usr/sbin/xenstored'));
    const operator = pair.from.socket();
    pair.from.settle();
    operator.ask('CONTROL', strings('live-update', '-f', '/usr/sbin/xenstored'));
    operator.send('CONTROL', strings('live-update', '-s', '-t', '60'));
    pair.from.settle();
    const start = guest.send('TRANSACTION_START', '\0');
    pair.from.settle();
    expect(guest.replyTo(start)).toBe('no reply');
    expect(pair.move(guest)).toBe('moved');
    expect(guest.replyTo(start)).toBe('1');
    expect(end(guest, 1)).toBe('OK');
    expect(end(holder, open)).toBe('OK');
  });

  it('MIG-37: a reply half written, in G1: refused', () => {
    const { pair, guest, from } = pairOf('G1');
    guest.ask('WRITE', octets('v\0', 'x'.repeat(500)));
    guest.isHeld = true;
    for (let i = 0; i < 3; i++) guest.send('READ', strings('v'));
    from.settle();
    expect(pair.move(guest)).toContain('undelivered output dropped');
    guest.isHeld = false;
    pair.settle();
    expect([2, 3, 4].map((n) => guest.replyTo(n).length)).toEqual([500, 500, 500]);
  });

  it.each(['G2', 'G3.0'])('MIG-38: in %s the rest arrives whole, however long the guest takes', (format) => {
    const { pair, guest, from, to } = pairOf(format);
    // The rest looks like a watch event, which is dropped after 20 s if it is taken for one.
    const value = new Uint8Array(300).fill(0x64);
    value.set([15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 300 - 60 - 16, 0, 0, 0], 60);
    guest.ask('WRITE', octets('v\0', value));
    guest.isHeld = true;
    for (let i = 0; i < 5; i++) guest.send('READ', strings('v'));
    from.settle();
    expect(pair.move(guest)).toBe('moved');
    to.settle(25_000_000_000);
    guest.isHeld = false;
    pair.settle();
    expect([2, 3, 4, 5, 6].map((n) => guest.replyTo(n).length)).toEqual([300, 300, 300, 300, 300]);
  });

  it('MIG-58: indices at 2^32 - 3 are kept, and wrap at the other host', () => {
    const { pair, guest, to } = pairOf();
    for (const word of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) guest.ring.store32(word, 0xffff_fffd, true);
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK');
    for (const word of [REQ_PROD, REQ_CONS, RSP_PROD, RSP_CONS]) guest.ring.store32(word, 0xffff_fffd, true);
    guest.send('READ', strings('a'), 0, 0, 2);
    expect(pair.move(guest)).toBe('moved');
    guest.send('READ', strings('a'), 0, 2);
    to.settle();
    expect(guest.replyTo(2)).toBe('b');
    expect(guest.ring.load32(REQ_PROD)).toBeLessThan(100);
  });
});

describe('transactions', () => {
  it.each(['G3.1', 'G4.1'])(
    'MIG-43, NC-17, INV-M22: %s: END is EAGAIN, nothing of it is ever seen, and it is gone then',
    (format) => {
      const { pair, guest, to } = pairOf(format);
      guest.ask('WRITE', 'w\0old');
      const tx = begin(guest);
      guest.ask('WRITE', 'w\0mine', tx);
      guest.ask('WRITE', 'made\0mine', tx);
      expect(pair.move(guest)).toBe('moved');
      expect(to.tool('READ', strings(`${HOME}/w`))).toBe('old');
      expect(guest.ask('READ', strings('w'), tx)).toBe('mine');
      expect(end(guest, tx)).toBe('EAGAIN');
      expect([guest.ask('READ', strings('w')), guest.ask('READ', strings('made'))]).toEqual(['old', 'ENOENT']);
      expect(end(guest, tx)).toBe('ENOENT');
    },
  );

  it.each(['C-4.15', 'C-4.22', 'Ox-c'])('MIG-44: %s has no transactions: refused, until it has ended', (format) => {
    const { pair, guest } = pairOf(format);
    const tx = begin(guest);
    expect(pair.order('from', 'check', '5')).toContain('open transaction id dropped');
    expect(pair.move(guest)).toContain('open transaction id dropped');
    expect(end(guest, tx)).toBe('OK'); // it stayed, and nothing was lost
    expect(pair.order('from', 'check', '5')).toBe('OK');
    expect(pair.move(guest)).toBe('moved');
  });

  it('MIG-44: whoever loses one all the same is told that it does not exist, and no more', () => {
    const { pair, guest } = pairOf('C-4.22');
    const tx = begin(guest);
    guest.ask('WRITE', 'w\0mine', tx);
    expect(pair.move(guest, 'loss=silent')).toBe('moved');
    expect(end(guest, tx)).toBe('ENOENT');
    expect(guest.ask('READ', strings('w'))).toBe('ENOENT');
  });

  const hand = (disturb: (pair: MovePair, guest: LabGuest) => void) => {
    const pair = new MovePair({ format: handingOn() });
    const guest = pair.from.guest(5);
    guest.ask('WRITE', 'w\0old');
    guest.ask('WRITE', 'r\0old');
    const tx = begin(guest);
    guest.ask('READ', strings('r'), tx);
    guest.ask('WRITE', 'w\0mine', tx);
    guest.ask('WRITE', 'made\0mine', tx);
    disturb(pair, guest);
    expect(pair.move(guest, 'tx=conflictBase')).toBe('moved');
    return { pair, guest, tx };
  };

  it('MIG-45: with its conflict base one commits if nobody came in between', () => {
    const { guest, tx } = hand(() => {});
    expect(end(guest, tx)).toBe('OK');
    expect([guest.ask('READ', strings('w')), guest.ask('READ', strings('made'))]).toEqual(['mine', 'mine']);
  });

  it('MIG-45: and does not if somebody did, at one host or the other', () => {
    const before = hand((pair) => pair.from.write(`${HOME}/r`, 'theirs'));
    expect(end(before.guest, before.tx)).toBe('EAGAIN');
    const after = hand(() => {});
    after.pair.to.write(`${HOME}/r`, 'theirs');
    expect(end(after.guest, after.tx)).toBe('EAGAIN');
    expect(after.guest.ask('READ', strings('made'))).toBe('ENOENT');
    const made = hand((pair) => pair.from.write(`${HOME}/made`, 'theirs'));
    expect(end(made.guest, made.tx)).toBe('EAGAIN');
  });

  it('MIG-46: an id is not given out again before its END, though the server counts anew', () => {
    const { pair, guest } = pairOf();
    for (let i = 0; i < 4; i++) end(guest, begin(guest));
    const tx = begin(guest);
    expect(tx).toBe(5);
    expect(pair.move(guest)).toBe('moved');
    const ids = [begin(guest), begin(guest)];
    expect(ids).not.toContain(tx);
    expect(end(guest, tx, 'F')).toBe('OK');
  });

  it('9.2 txOverMove: refuse', () => {
    const { pair, guest } = pairOf();
    begin(guest);
    expect(pair.move(guest, 'tx=refuse')).toBe('1 transactions are open');
  });
});

describe('whose it is', () => {
  it('MIG-47, NC-7, NC-26: another number is refused, and so is one that is taken', () => {
    const { pair, guest, to } = pairOf();
    pair.to.guest(5);
    expect(pair.move(guest)).toBe('the id is taken');
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK');
    const other = pairOf();
    expect(other.pair.dump(other.guest)).toBe('OK');
    other.to.host.files.write('/tmp/i', other.pair.image);
    expect(other.pair.order('to', 'restore', '/tmp/i', '6=1')).toContain('the connection of domain 5');
    expect(tree(to, '/local/domain')).not.toContain('6');
  });

  it.each(['G3.1', 'G3.2', 'G4.1'])(
    'MIG-48, INV-M25: %s: an entry for a third domain gives its number no right there',
    (format) => {
      const { pair, guest, from, to } = pairOf(format);
      const [seven, stranger] = [from.guest(7), to.guest(7)];
      guest.ask('WRITE', 'shared\0secret');
      from.tool('SET_PERMS', strings(`${HOME}/shared`, 'n5', 'r7'));
      expect(seven.ask('READ', strings(`${HOME}/shared`))).toBe('secret');
      expect(pair.move(guest)).toBe('moved');
      expect(stranger.ask('READ', strings(`${HOME}/shared`))).toBe('EACCES');
      expect(guest.ask('READ', strings('shared'))).toBe('secret');
    },
  );

  it('MIG-49, NC-13: nodes elsewhere, by the scope: refused, carried, left behind', () => {
    const make = () => {
      const made = pairOf();
      made.from.write('/tool/own', 'mine');
      made.from.tool('SET_PERMS', strings('/tool/own', 'n5'));
      return made;
    };
    const refused = make();
    expect(refused.pair.move(refused.guest)).toBe('domain 5 owns /tool/own outside its home');
    const carried = make();
    expect(carried.pair.move(carried.guest, 'scope=carry')).toBe('moved');
    expect(carried.guest.ask('READ', strings('/tool/own'))).toBe('mine');
    const dropped = make();
    expect(dropped.pair.order('from', 'check', '5', 'scope=drop')).toBe('OK\nnode "/tool/own": left behind');
    expect(dropped.pair.move(dropped.guest, 'scope=drop')).toBe('moved');
    expect(dropped.guest.ask('READ', strings('/tool/own'))).toBe('EACCES');
  });

  it('NC-14: whatever lies at its place gives way, and whoever owns something elsewhere is in the way', () => {
    const { pair, guest, to } = pairOf();
    to.write(`${HOME}/old`, 'of another');
    to.write(`${HOME}/data`, 'of another');
    guest.ask('WRITE', 'data\0mine');
    expect(pair.move(guest)).toBe('moved');
    expect([guest.ask('READ', strings('data')), guest.ask('READ', strings('old'))]).toEqual(['mine', 'ENOENT']);
  });

  it('MIG-50, MIG-51: a depth is kept, or a reason to stay, or the watch fires too often', () => {
    const { pair, guest } = pairOf('G3.1');
    guest.ask('WATCH', strings('d', 't', '1'));
    expect(pair.move(guest)).toContain('watch depth changed');
    expect(pair.order('from', 'check', '5', 'loss=warn')).toContain(
      'OK\nwatch "d" "t" of domain 5: watch depth changed',
    );
  });

  it('MIG-52: a depth as C-4.22 writes it: the image is refused before the guest runs, and the other store lives', () => {
    const { pair, guest, to } = pairOf('C-4.22');
    guest.ask('WATCH', strings('d', 't', '1'));
    expect(pair.move(guest)).toContain('watch depth');
    expect(to.tool('READ', strings('/tool'))).toBe('');
  });

  it.each([
    ['G3.2', 127],
    ['G4.1', 160],
  ])(
    'MIG-53, NC-21, INV-M23: 150 watches by a raised quota, through %s: all are kept, and then %s are the limit',
    (format, limit) => {
      const { pair, guest, from } = pairOf(format);
      from.tool('SET_QUOTA', strings('5', 'watches', '160'));
      for (let i = 0; i < 150; i++) expect(guest.ask('WATCH', strings('w', String(i)))).toBe('OK');
      guest.events();
      expect(pair.move(guest)).toBe('moved');
      expect(guest.events()).toEqual([]);
      guest.ask('WRITE', 'w\0');
      expect(guest.events()).toHaveLength(150);
      const more = guest.ask('WATCH', strings('w', 'more'));
      expect(more).toBe(limit > 150 ? 'OK' : 'ENOSPC');
      expect(guest.ask('UNWATCH', strings('w', '3'))).toBe('OK');
    },
  );

  it('MIG-54, NC-19: features that were offered must be there', () => {
    const { pair, guest } = pairOf('G3.1', { from: '4.22', to: '4.17' });
    expect(guest.ring.load32(SERVER_FEATURES)).toBe(14);
    expect(pair.move(guest)).toBe('domain 5 was offered features 0xe, here are 0x0');
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK');
    const up = pairOf('G3.1', { from: '4.17', to: '4.22' });
    expect(up.pair.move(up.guest)).toBe('moved');
    expect(up.guest.ring.load32(SERVER_FEATURES)).toBe(0);
    expect(up.guest.ask('WRITE', 'a\0b')).toBe('OK');
  });

  it('MIG-55, NC-18: a connection that is ignored stays, ignored', () => {
    const { pair, guest, from } = pairOf();
    const prod = guest.ring.load32(REQ_PROD);
    guest.ring.store32(REQ_PROD, (prod + 5000) >>> 0, true);
    from.host.machine.send(guest.domain, guest.port);
    from.settle();
    expect(guest.ring.load32(ERROR)).toBe(2);
    expect(pair.move(guest)).toBe('domain 5 is ignored');
  });

  it('MIG-56, NC-22, INV-M27: a watch of ends of domains does not tell it of its own, and goes on there', () => {
    const { pair, guest, to } = pairOf();
    const other = to.guest(9);
    guest.ask('WATCH', strings('@releaseDomain', 'r'));
    guest.ask('WATCH', strings('@introduceDomain', 'i'));
    guest.events();
    expect(pair.move(guest)).toBe('moved');
    expect(guest.events()).toEqual([]);
    to.host.machine.destroy(other.domain);
    pair.settle();
    expect(guest.events()).toEqual(['@releaseDomain r']);
  });

  it('NC-16, NC-22, INV-M27: others see nodes in the order of the image, one introduction, and one end', () => {
    const { pair, guest, from, to } = pairOf();
    const [here, there] = [from.socket(), to.socket()];
    pair.settle();
    for (const client of [here, there])
      for (const path of ['/local', '@introduceDomain', '@releaseDomain']) client.ask('WATCH', strings(path, 'm'));
    guest.ask('WRITE', 'a/b\0');
    pair.settle();
    for (const client of [here, there]) client.events();
    expect(pair.move(guest)).toBe('moved');
    expect(there.events()).toEqual([`${HOME} m`, `${HOME}/a m`, `${HOME}/a/b m`, '@introduceDomain m']);
    const ends = here.events().filter((event) => event.startsWith('@release'));
    expect(ends.length).toBe(2); // the park and the end
  });
});

describe('stub domains', () => {
  function withModel(format = 'G4.1') {
    const made = pairOf(format);
    const model = made.from.guest(6);
    made.from.tool('SET_TARGET', strings('6', '5'));
    return { ...made, model };
  }

  it('MIG-59, NC-20: a guest and its stub domain move together, and one stands for the other again', () => {
    const { pair, guest, model, to } = withModel();
    guest.ask('WRITE', 'secret\0s');
    model.ask('WATCH', strings(`${HOME}/secret`, 'q'));
    model.events();
    for (const one of [guest, model]) {
      expect(pair.create(one)).toBe(true);
      pair.freeze(one);
      pair.park(one);
    }
    expect(pair.dump(guest)).toBe('OK');
    for (const one of [guest, model]) pair.sendMemory(one);
    to.host.files.write('/tmp/both', pair.image);
    expect(pair.order('to', 'restore', '/tmp/both', `5=${guest.port}`, `6=${model.port}`)).toBe('OK');
    pair.handOver(guest, model);
    expect(model.ask('READ', strings(`${HOME}/secret`))).toBe('s');
    guest.ask('WRITE', 'secret\0t');
    expect(model.events()).toEqual([`${HOME}/secret q`]);
  });

  it('MIG-59: the stub domain alone is refused, and a format of one domain holds no two', () => {
    const { pair, model, guest } = withModel();
    expect(pair.move(model)).toBe('domain 6 is the stub domain of 5, and moves with it alone');
    const one = withModel('G1');
    expect(one.pair.move(one.guest)).toContain('more than one connection dropped');
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK');
  });
});

describe('when it comes to nothing', () => {
  it('MIG-63, NC-15: the other store runs out of memory: not a trace of the domain', () => {
    const { pair, guest, to } = pairOf();
    const before = [tree(to, '/'), tree(to, '/local'), to.host.store.ports.length];
    guest.ask('WRITE', 'a\0b');
    let asked = 0;
    to.host.store.allocationFails = (domid) => domid === 5 && ++asked === 3;
    expect(pair.move(guest)).toBe('ENOMEM');
    expect([tree(to, '/'), tree(to, '/local'), to.host.store.ports.length]).toEqual(before);
    expect(to.tool('IS_DOMAIN_INTRODUCED', strings('5'))).toBe('F');
    expect(guest.ask('READ', strings('a'))).toBe('b');
    to.host.store.allocationFails = undefined;
    expect(pair.move(guest)).toBe('moved');
  });

  it('NC-15: nobody to bind to: not a trace either', () => {
    const { pair, guest, to } = pairOf();
    pair.create(guest);
    pair.freeze(guest);
    pair.park(guest);
    pair.dump(guest);
    pair.sendMemory(guest);
    to.host.files.write('/tmp/i', pair.image);
    expect(pair.order('to', 'restore', '/tmp/i', '5=77')).toBe('domain 5: EINVAL');
    expect(to.tool('IS_DOMAIN_INTRODUCED', strings('5'))).toBe('F');
    expect(pair.restore(guest)).toBe('OK');
    expect(to.tool('IS_DOMAIN_INTRODUCED', strings('5'))).toBe('T');
    expect(pair.restore(guest)).toBe('domain 5 is introduced');
  });

  it('MIG-62, NF10: *go* is lost: the copy is destroyed, and the guest goes on with all that came meanwhile', () => {
    const { pair, guest, from, to } = pairOf();
    guest.ask('WATCH', strings('x', 't'));
    guest.events();
    guest.send('WRITE', 'half\0done', 0, 0, 20);
    from.settle();
    pair.create(guest);
    pair.freeze(guest);
    pair.park(guest);
    expect(pair.dump(guest)).toBe('OK');
    pair.sendMemory(guest);
    expect(pair.restore(guest)).toBe('OK');
    from.write(`${HOME}/x`, 'after the dump');
    from.settle(30_000_000_000); // longer than events live
    pair.stay(guest);
    expect(guest.events()).toEqual(['x t']);
    guest.send('WRITE', 'half\0done', 0, 20);
    from.settle();
    expect(guest.ask('READ', strings('half'))).toBe('done');
    expect(to.tool('IS_DOMAIN_INTRODUCED', strings('5'))).toBe('F');
    expect(tree(to, '/local/domain')).toBe(''); // of what it had, nothing
  });

  it('NC-15: what was restored is not served before nobody can go back: nothing is done twice', () => {
    const { pair, guest, to } = pairOf();
    pair.create(guest);
    pair.freeze(guest);
    guest.send('WRITE', 'x\0once'); // whole in the ring, not read
    pair.park(guest);
    pair.dump(guest);
    pair.sendMemory(guest);
    expect(pair.restore(guest)).toBe('OK');
    to.settle(1_000_000_000);
    expect(to.tool('READ', strings(`${HOME}/x`))).toBe('ENOENT');
    pair.handOver(guest);
    expect(to.tool('READ', strings(`${HOME}/x`))).toBe('once');
  });

  it('INV-M24: what was dumped here and what is dumped there are the same, record by record', () => {
    const { pair, guest, from, to } = pairOf('G3.1');
    guest.ask('WATCH', strings('x', 't'));
    begin(guest);
    guest.isHeld = true;
    for (let i = 0; i < 30; i++) guest.send('READ', strings('/tool'));
    from.settle();
    pair.create(guest);
    pair.freeze(guest);
    pair.park(guest);
    pair.dump(guest);
    const first = pair.image;
    pair.sendMemory(guest);
    expect(pair.restore(guest)).toBe('OK');
    expect(pair.order('to', 'dump', '5', '/tmp/again')).toBe('OK');
    expect(named('G3.1').show(to.host.files.read('/tmp/again') as Uint8Array)).toBe(named('G3.1').show(first));
  });
});

describe('live updates', () => {
  it('MIG-66: of the other store, between thaw and unpause: buffers go through a second dump', () => {
    const { pair, guest, from, to } = pairOf('G3.1');
    guest.ask('WRITE', octets('v\0', 'x'.repeat(500)));
    guest.isHeld = true;
    for (let i = 0; i < 4; i++) guest.send('READ', strings('v'));
    guest.send('WRITE', 'w\0late', 0, 0, 9);
    from.settle();
    expect(pair.move(guest)).toBe('moved');
    to.update();
    expect(to.lastUpdate?.outcome).toBe('ok');
    guest.isHeld = false;
    guest.send('WRITE', 'w\0late', 0, 9);
    pair.settle();
    expect([2, 3, 4, 5].map((n) => guest.replyTo(n).length)).toEqual([500, 500, 500, 500]);
    expect(guest.ask('READ', strings('w'))).toBe('late');
  });

  it('MIG-67: of the first store, while the domain is frozen: it waits, and is refused when its time is over', () => {
    const { pair, guest, from } = pairOf('G3.1');
    pair.freeze(guest);
    const operator = from.socket();
    from.settle();
    operator.ask('CONTROL', strings('live-update', '-f', '/usr/sbin/xenstored'));
    const asked = operator.send('CONTROL', strings('live-update', '-s', '-t', '5', '-F'));
    from.settle(3_000_000_000);
    expect([operator.replyTo(asked), from.lastUpdate]).toEqual(['no reply', undefined]);
    from.settle(5_000_000_000);
    expect(operator.replyTo(asked)).toBe('Domains that are migrated:\nDomain 5');
    pair.order('from', 'thaw', '5');
    from.update();
    expect(from.lastUpdate?.outcome).toBe('ok');
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK');
  });

  it('MIG-70: from an oxenstored: idle sessions move, others stay', () => {
    const { pair, guest, from } = pairOf('Ox-c');
    guest.send('READ', strings('/tool'), 0, 0, 5);
    from.settle();
    expect(pair.move(guest)).toContain('input');
    guest.send('READ', strings('/tool'), 0, 5);
    from.settle();
    expect(pair.move(guest)).toBe('moved');
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK');
  });
});

describe('CONTROL migrate', () => {
  it.each([
    [[], 'EINVAL'],
    [['dance', '5'], 'EINVAL'],
    [['freeze'], 'EINVAL'],
    [['freeze', 'x'], 'EINVAL'],
    [['freeze', '99'], 'domain 99 is not introduced'],
    [['thaw', '99'], 'domain 99 is not introduced'],
    [['dump', '5'], 'EINVAL'],
    [['dump', '5', '/nowhere/file'], '/nowhere/file cannot be written'],
    [['dump', '5', '/tmp/f', 'format=none'], 'there is no format none'],
    [['dump', '5', '/tmp/f', 'loss=some'], 'EINVAL'],
    [['check', '5', 'scope=all'], 'EINVAL'],
    [['restore', '/tmp/none', '5=1'], '/tmp/none cannot be read'],
    [['restore', '/tmp/none'], 'EINVAL'],
  ])('%j: %s', (words, answer) => {
    const { pair, guest } = pairOf();
    expect(pair.order('from', ...words)).toBe(answer);
    expect(guest.ask('WRITE', 'a\0b')).toBe('OK'); // it was not left frozen
  });

  it('is for those who may do anything', () => {
    const { guest } = pairOf();
    expect(guest.ask('CONTROL', strings('migrate', 'freeze', '5'))).toBe('EACCES');
  });
});
