import { octets, strings } from '../../guests/index.ts';
import type { StateRow } from '../../store/format/model/index.ts';
import type { LabGuest, LabHost } from './lab-host.ts';
import type { MovePair } from './move-pair.ts';

/** A guest that is caught in the middle of something, and goes on: with a move in between, or without. */
export interface MovePlay {
  /** Of the situation, in docs/rules. */
  readonly label: string;
  readonly name: string;
  /** Rows of the state without which the guest would notice. */
  readonly needs: readonly StateRow[];
  /** It has watches; left out: none. */
  readonly watches?: true;
  /** It is in the middle of a request, and does not go on before it has moved: nobody can wait for its end. */
  readonly inRequest?: true;
  /** Until it is caught; `lab` is the host where it is. @returns what comes after, with the host where it is by then. */
  readonly begin: (lab: LabHost, guest: LabGuest, pair: MovePair) => (lab: LabHost) => void;
}

const DOMID = 5;
const HOME = `/local/domain/${DOMID}`;
/** Four replies with such a value fill the ring to the last octet. */
const FITTING = 'f'.repeat(240);
/** Three replies with such a value, and a part of the fourth. */
const CUT = 'c'.repeat(300);

const begin = (guest: LabGuest) => Number(guest.ask('TRANSACTION_START', '\0'));

/** Fill the response ring: what comes now has to wait in the store. */
function fill(guest: LabGuest, value: string, replies: number): void {
  guest.ask('WRITE', octets('value\0', value));
  guest.isHeld = true;
  for (let i = 0; i < replies; i++) guest.send('READ', strings('value'));
}

/** It reads again, and everything arrives. */
function drain(lab: LabHost, guest: LabGuest): void {
  guest.isHeld = false;
  lab.settle();
}

export const MOVE_PLAYS: readonly MovePlay[] = [
  {
    label: 'MIG-31',
    name: 'rings empty, watches only',
    needs: ['watch', 'node', 'acl'],
    watches: true,
    begin(lab, guest) {
      for (const [path, token] of [
        ['x', 'one'],
        ['x', 'two'],
        ['@releaseDomain', 'gone'],
        [`${HOME}/y`, 'abs'],
      ] as const)
        guest.ask('WATCH', strings(path, token));
      lab.write(`${HOME}/x`, '1');
      return (there) => {
        there.write(`${HOME}/x/below`, '2');
        there.write(`${HOME}/y`, '3');
        guest.ask('WATCH', strings('x', 'one')); // EEXIST
        guest.ask('UNWATCH', strings('x', 'two'));
        there.write(`${HOME}/x`, '4');
        guest.ask('READ', strings('x'));
      };
    },
  },
  {
    label: 'MIG-32',
    name: 'request half in the ring, nothing taken',
    needs: [],
    inRequest: true,
    begin(_lab, guest, pair) {
      pair.order('from', 'freeze', String(DOMID));
      guest.send('WRITE', 'a\0value', 0, 0, 10);
      return (there) => {
        guest.send('WRITE', 'a\0value', 0, 10);
        there.settle();
        guest.ask('READ', strings('a'));
      };
    },
  },
  {
    label: 'MIG-34',
    name: '10 of 16 header octets taken',
    needs: ['input'],
    inRequest: true,
    begin(lab, guest) {
      guest.send('WRITE', 'a\0value', 0, 0, 10);
      lab.settle();
      return (there) => {
        guest.send('WRITE', 'a\0value', 0, 10);
        there.settle();
        guest.ask('READ', strings('a'));
      };
    },
  },
  {
    label: 'MIG-35',
    name: 'a long request, all but its last octet taken',
    needs: ['input'],
    inRequest: true,
    begin(lab, guest) {
      const payload = octets('a\0', 'l'.repeat(2000));
      guest.send('WRITE', payload, 0, 0, 16 + payload.length - 1);
      lab.settle();
      guest.send('WRITE', payload, 0, 1040, 16 + payload.length - 1);
      lab.settle();
      return (there) => {
        guest.send('WRITE', payload, 0, 16 + payload.length - 1);
        there.settle();
        guest.ask('READ', strings('a'));
      };
    },
  },
  {
    label: 'MIG-39',
    name: 'reply half written, ring full',
    needs: ['output'],
    begin(lab, guest) {
      fill(guest, CUT, 5);
      lab.settle();
      return (there) => {
        drain(there, guest);
        guest.ask('READ', strings('value'));
      };
    },
  },
  {
    label: 'MIG-40',
    name: 'half event at the head, whole ones behind',
    needs: ['output'],
    watches: true,
    begin(lab, guest) {
      guest.ask('WATCH', strings('ev', 'e'.repeat(50)));
      fill(guest, 'v'.repeat(229), 4); // 980 of 1024 octets: the first event does not fit
      lab.settle();
      for (const name of ['ev/1', 'ev/2', 'ev/3', 'ev/4']) lab.write(`${HOME}/${name}`, '');
      return (there) => {
        there.write(`${HOME}/ev/5`, '');
        drain(there, guest);
      };
    },
  },
  {
    label: 'MIG-41',
    name: '30 events queued',
    needs: ['output'],
    watches: true,
    begin(lab, guest) {
      guest.ask('WATCH', strings('ev', 'e'));
      fill(guest, FITTING, 4);
      lab.settle();
      for (let i = 0; i < 30; i++) lab.write(`${HOME}/ev/${i}`, '');
      return (there) => drain(there, guest);
    },
  },
  {
    label: 'MIG-42',
    name: 'open transaction, nothing touched, ended by F',
    needs: ['txId'],
    begin(_lab, guest) {
      const tx = begin(guest);
      return () => {
        guest.ask('TRANSACTION_END', strings('F'), tx);
        guest.ask('TRANSACTION_END', strings('F'), tx); // ENOENT
      };
    },
  },
  {
    label: 'MIG-43',
    name: 'transaction with writes, a delete and reads, beaten by somebody else',
    needs: ['txId', 'txWrites', 'txDeletes', 'txReads'],
    begin(lab, guest) {
      for (const name of ['r1', 'r2', 'gone']) guest.ask('WRITE', `${name}\0old`);
      const tx = begin(guest);
      for (const name of ['r1', 'r2']) guest.ask('READ', strings(name), tx);
      for (const name of ['w1', 'w2']) guest.ask('WRITE', `${name}\0mine`, tx);
      guest.ask('RM', strings('gone'), tx);
      lab.write(`${HOME}/r1`, 'theirs');
      return (there) => {
        for (const name of ['r1', 'w1', 'w2', 'gone']) guest.ask('READ', strings(name), tx);
        guest.ask('READ', strings('w1'));
        guest.ask('TRANSACTION_END', strings('T'), tx); // EAGAIN, moved or not
        for (const name of ['r1', 'w1', 'gone']) guest.ask('READ', strings(name));
        there.settle();
      };
    },
  },
  {
    label: 'MIG-46',
    name: 'a second transaction beside the carried one',
    needs: ['txId'],
    begin(_lab, guest) {
      const tx = begin(guest);
      return () => {
        const other = begin(guest);
        guest.ask('WRITE', 'a\0b', other);
        guest.ask('TRANSACTION_END', strings('T'), other);
        guest.ask('TRANSACTION_END', strings('F'), tx);
        guest.ask('READ', strings('a'));
      };
    },
  },
  {
    label: 'MIG-51',
    name: 'watch with depth 1',
    needs: ['watch', 'watchDepth'],
    watches: true,
    begin(_lab, guest) {
      guest.ask('WATCH', strings('d', 't', '1'));
      return (there) => {
        there.write(`${HOME}/d/a`, '');
        there.write(`${HOME}/d/a/b`, '');
      };
    },
  },
  {
    label: 'MIG-57',
    name: 'response ring full, the guest would read next',
    needs: [],
    begin(lab, guest) {
      fill(guest, FITTING, 4);
      lab.settle();
      return (there) => drain(there, guest);
    },
  },
  {
    label: 'NC-4',
    name: 'mid-transaction, half a request in the ring, three events queued',
    needs: ['txId', 'txWrites', 'txReads', 'output', 'watch', 'node', 'acl'],
    watches: true,
    inRequest: true,
    begin(lab, guest, pair) {
      guest.ask('WATCH', strings('ev', 'e'));
      guest.ask('WRITE', 'r\0old');
      const tx = begin(guest);
      guest.ask('READ', strings('r'), tx);
      guest.ask('WRITE', 'w\0mine', tx);
      lab.write(`${HOME}/r`, 'theirs');
      fill(guest, FITTING, 4);
      lab.settle();
      for (const name of ['ev/1', 'ev/2', 'ev/3']) lab.write(`${HOME}/${name}`, '');
      pair.order('from', 'freeze', String(DOMID));
      guest.send('READ', strings('r'), 0, 0, 9);
      return (there) => {
        guest.send('READ', strings('r'), 0, 9);
        drain(there, guest);
        guest.ask('READ', strings('w'), tx);
        guest.ask('TRANSACTION_END', strings('T'), tx);
        there.write(`${HOME}/ev/4`, '');
        guest.ask('READ', strings('w'));
        guest.ask('DIRECTORY', strings('ev'));
      };
    },
  },
];

export { DOMID as PLAY_DOMID };
