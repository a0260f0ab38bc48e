import { strings } from '../../guests/index.ts';
import type { ConnectionState } from '../../store/format/model/index.ts';
import type { LabGuest, LabHost } from './lab-host.ts';
import type { Things } from './things.ts';

const begin = (guest: LabGuest) => Number(guest.ask('TRANSACTION_START', '\0'));
const end = (guest: LabGuest, tx: number) => guest.ask('TRANSACTION_END', strings('T'), tx);

/** Open transactions: one that did everything, one that did nothing, two whose ends are to be judged. */
export function transactions(lab: LabHost, things: Things): void {
  const [five, seven] = lab.guests(5, 7);
  lab.tool('MKDIR', strings('/tx'));
  lab.tool('SET_PERMS', strings('/tx', 'b0'));
  for (const name of ['read', 'write', 'gone', 'other', 'lost']) lab.write(`/tx/${name}`, 'old');
  const busy = begin(five);
  five.ask('READ', strings('/tx/read'), busy);
  five.ask('WRITE', '/tx/write\0mine', busy);
  five.ask('WRITE', '/tx/made\0mine', busy);
  five.ask('RM', strings('/tx/gone'), busy);
  const idle = begin(five);
  lab.write('/tx/read', 'new'); // after the first look at it

  // What a commit fires, seen once without an update: a new leaf is announced, its new parents are not.
  five.ask('WATCH', strings('/tx', 'w'));
  const fresh = (dir: string) => {
    const tx = begin(seven);
    seven.ask('WRITE', `/tx/${dir}/x/y\0`, tx);
    return tx;
  };
  five.events();
  end(seven, fresh('seen'));
  const due = five.events().map((event) => event.replace('seen', 'due'));
  const good = fresh('due');
  const beaten = begin(seven);
  seven.ask('READ', strings('/tx/lost'), beaten);
  seven.ask('WRITE', '/tx/lost\0mine', beaten);
  lab.write('/tx/lost', 'theirs');
  five.events();

  lab.update();
  const isOpen = five.ask('READ', strings('/tx/other'), busy) === 'old';
  const sees = (name: string, value: string) => isOpen && five.ask('READ', strings(`/tx/${name}`), busy) === value;
  const isWritten = sees('write', 'mine') && sees('made', 'mine');
  things.note('txReads', 'a value read before is read again', sees('read', 'old'));
  things.note('txWrites', 'values written are seen', isWritten);
  things.note('txDeletes', 'a node deleted is not seen', sees('gone', 'ENOENT'));
  const seen = lab.host.store.handedOver?.connections.find(isOf(5))?.transactions.find(({ id }) => id === busy);
  const access = (name: string) => {
    const node = seen?.nodes.find(({ path }) => path === `/tx/${name}`);
    return node === undefined ? '' : `${node.read ? 'read' : ''}${node.written ? 'written' : ''}`;
  };
  things.note('txReads', 'that it was read, not written', access('read') === 'read', 'successor');
  things.note('txWrites', 'how it was accessed', access('write') === 'readwritten', 'successor');

  five.events();
  const [won, lost] = [end(seven, good), end(seven, beaten)];
  const fired = five.events();
  things.note('txBase', 'commits what nobody disturbed, and nothing else', won === 'OK' && lost === 'EAGAIN');
  things.note('txEvents', 'those that were due, no others', won === 'OK' && String(fired) === String(due));
  const isKnown = (tx: number) => !['ENOENT', 'no reply'].includes(end(five, tx));
  things.note('txId', 'of one that did everything', isKnown(busy));
  things.note('txId', 'of one that did nothing', isKnown(idle));
}

function isOf(domid: number): (conn: ConnectionState) => boolean {
  return ({ link }) => link.kind === 'ring' && link.domid === domid;
}
