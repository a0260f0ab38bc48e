import type { Bug } from './bug.ts';

/** A mistake of Xen's history that is not here. */
export interface LeftOut extends Pick<Bug, 'id' | 'family' | 'title'> {
  /** Why, and what would have to be there first. */
  readonly why: string;
}

/** What cannot be put into this package by a change to a few pieces of it, or would show nothing. */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    id: 'B012',
    family: 'ring',
    title: 'Requester is woken and frees the request while it is still in use',
    why: 'memory of a guest is freed while it is used: nothing that crosses a ring tells of it',
  },
  {
    id: 'B037',
    family: 'transaction',
    title: 'Command line client prints results of aborted tries as well',
    why: 'scripts read single keys, outside of transactions; it takes xenstore-read of several paths, and who uses its output',
  },
  {
    id: 'B043',
    family: 'transaction',
    title: 'Read-only transactions get EAGAIN',
    why: 'the C daemon, which this one follows, does so: it takes the rules of oxenstored',
  },
  {
    id: 'B050',
    family: 'quota',
    title: "Quota inside a transaction ignores the transaction's own changes",
    why: 'released C daemons, which this one follows, look at committed nodes alone when a node is made: it takes a version that does not',
  },
  {
    id: 'B064',
    family: 'quota',
    title: 'Socket of an unprivileged store domain',
    why: 'a store domain has no sockets here: it takes a client in the store domain',
  },
  {
    id: 'B071',
    family: 'dump',
    title: 'Update starts although the new binary rejects the configuration',
    why: 'a successor has no configuration that could be refused: it takes a model of its file, and updates that change it',
  },
  {
    id: 'B076',
    family: 'dump',
    title: 'Success of the binary selection reported as error',
    why: 'no step of a successful selection sets an error number: it takes logs that are rotated',
  },
  {
    id: 'B077',
    family: 'restore',
    title: 'Restart option without a saved file ends the daemon',
    why: 'each run begins with a store that is there: it takes a host whose store is started anew',
  },
  {
    id: 'B080',
    family: 'restore',
    title: 'Reader works on an unset image',
    why: 'as B077: a store that is started for an update that nobody has prepared',
  },
  {
    id: 'B085',
    family: 'restore',
    title: 'Image size in 32 bits and records not checked against the end',
    why: 'no image of a run is cut short; those that are, are tried one by one (survive.test.ts), not in scenarios',
  },
  {
    id: 'B089',
    family: 'migration',
    title: 'Two suspends cancel each other',
    why: 'device models have no key by which an operation is cancelled: it takes xenopsd that suspends',
  },
  {
    id: 'B090',
    family: 'migration',
    title: 'Lock left behind blocks later suspends',
    why: 'the lock file of the event channel protocol is not modelled: it takes that, and a toolstack that dies with it',
  },
  {
    id: 'B093',
    family: 'migration',
    title: 'Soft reset uses an unset suspend state',
    why: 'no scenario has a soft reset that fails',
  },
  {
    id: 'B100',
    family: 'domain life',
    title: 'Query accepts the alias "self" and loops start again',
    why: 'no domain has the highest id that there is: it takes one at 0x7FEF, which a plan can ask for',
  },
  {
    id: 'B107',
    family: 'domain life',
    title: 'No control domain: privileged id invalid',
    why: 'each host begins with dom0: it takes one whose store domain is the first',
  },
  {
    id: 'B124',
    family: 'event channel',
    title: 'FIFO: endless loop while linking',
    why: 'a guest that rewrites its words keeps the sender for no virtual time: it takes stores between the tries of one step',
  },
  {
    id: 'B149',
    family: 'driver handshake',
    title: 'Event taken as spurious if one direction is idle',
    why: 'the end of an interrupt is never put off here: nothing but delay comes of it',
  },
  {
    id: 'B157',
    family: 'toolstack',
    title: 'Success, failure and cancel at the same time',
    why: 'as B089: nobody waits for several keys at once',
  },
];
