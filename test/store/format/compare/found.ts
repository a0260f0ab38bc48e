/**
 * What is found between two formats, and why: how the old reader takes the new files, and the new reader the old ones.
 * Source of the reasons: the history of docs/designs/xenstore-migration.md and of tools/xenstored, by commit.
 */
export const FOUND: Readonly<Record<string, readonly string[]>> = {
  'G1 G2': [
    'framing-changed: refused, refused', // a live update has no libxl stream around its records
    'record-added TRANSACTION_NODE_DATA: refused, same', // the mail: contents of transactions
    'record-added GUEST_RING_DATA: refused, same', // the mail: ring data
    'record-added DOMAIN_START: refused, same', // the mail: a current domain
    'rule-looser watch-unique: refused, same', // each domain has watches of its own
    'rule-looser tx-unique: refused, same', // each domain has transaction ids of its own
    'rule-added domain-first: same, refused', // the current domain is set first
  ],
  'G2 R1': [
    'header-added: refused, refused', // the review: a format of its own
    'framing-changed: refused, refused',
    'end-added: refused, refused', // as the separate image
    'record-removed DOMAIN_START: same, refused', // the review: the domain stands in the header
    'rule-removed domain-first: refused, same',
    'rule-stricter watch-unique: same, refused',
    'rule-stricter tx-unique: same, refused',
    'rule-removed tx-known: refused, same',
    'rule-stricter tx-node-unique: same, refused',
  ],
  'R1 D1': [
    'header-field-removed domid: refused, misread',
    'header-field-removed pad: refused, misread',
    'record-number-reused GLOBAL_DATA: refused, misread',
    'record-number-reused CONNECTION_DATA: refused, refused',
    'record-removed TRANSACTION_NODE_DATA: same, misread',
    'record-removed GUEST_RING_DATA: same, refused',
    'record-renumbered NODE_DATA: refused, misread',
    'constant-became-field NODE_DATA connId: refused, misread',
    'field-replaced NODE_DATA connId: refused, misread',
    'count-narrowed NODE_DATA permCount: refused, misread',
    'length-moved NODE_DATA pathLen: refused, misread',
    'length-narrowed NODE_DATA pathLen: refused, misread',
    'length-narrowed NODE_DATA valueLen: refused, misread',
    'field-moved NODE_DATA path: refused, misread',
    'string-gained-nul NODE_DATA path: refused, misread',
    'padding-removed NODE_DATA pathPad: refused, misread',
    'padding-removed NODE_DATA valuePad: refused, misread',
    'field-inserted NODE_DATA txId: refused, misread',
    'field-inserted NODE_DATA access: refused, misread',
    'record-renumbered WATCH_DATA: refused, refused',
    'constant-became-field WATCH_DATA connId: refused, refused',
    'field-replaced WATCH_DATA connId: refused, refused',
    'length-narrowed WATCH_DATA wpathLen: refused, refused',
    'length-narrowed WATCH_DATA tokenLen: refused, refused',
    'field-moved WATCH_DATA wpath: refused, refused',
    'string-gained-nul WATCH_DATA wpath: refused, refused',
    'string-gained-nul WATCH_DATA token: refused, refused',
    'padding-removed WATCH_DATA wpathPad: refused, refused',
    'padding-removed WATCH_DATA tokenPad: refused, refused',
    'record-renumbered TRANSACTION_DATA: refused, refused',
    'constant-became-field TRANSACTION_DATA connId: refused, refused',
    'field-replaced TRANSACTION_DATA connId: refused, refused',
    'rule-looser node-unique: refused, same',
    'rule-removed watch-unique: refused, same',
    'rule-looser tx-unique: refused, same',
    'rule-stricter node-path: same, misread',
    'rule-looser node-path: refused, same',
    'rule-looser node-owner: refused, same',
    'rule-stricter watch-path: same, refused',
    'rule-stricter inner-nul: same, refused',
    'rule-stricter watch-size: same, refused',
    'rule-added conn-id-known: same, refused',
    'rule-added conn-id-known: same, misread',
    'rule-added tx-known: same, misread',
    'rule-added pending-unique: same, misread',
    'rule-added parent-first: same, misread',
    'padding-must-be-zero NODE_DATA: same, misread',
  ],
  'D1 D4': [
    'field-removed CONNECTION_DATA conn.ring.flags: refused, refused',
    'field-removed CONNECTION_DATA conn.ring.port: refused, refused', // one port, the guest's
    'field-removed CONNECTION_DATA conn.ring.data: refused, refused',
    'field-removed CONNECTION_DATA conn.socket.flags: refused, refused',
    'field-removed CONNECTION_DATA conn.socket.data: refused, refused',
    'padding-added CONNECTION_DATA conn.socket.pad2: refused, refused',
    'padding-removed CONNECTION_DATA pad: refused, refused', // conn-type moved next to conn-id
    'field-inserted CONNECTION_DATA flags: refused, refused', // flags come first in both alternatives
    'field-added-at-end CONNECTION_DATA data: refused, refused', // the data come behind the alternatives
    'length-moved NODE_DATA pathLen: refused, refused', // lengths moved up in NODE_DATA
    'length-moved NODE_DATA valueLen: refused, refused', // lengths moved up in NODE_DATA
    'padding-may-be-anything CONNECTION_DATA: refused, same', // padding is written zero and ignored when read
  ],
  'D4 G3.0': [
    'field-removed CONNECTION_DATA conn.ring.mfn: refused, refused', // 13dd372834a4: mfn dropped
    'padding-removed CONNECTION_DATA conn.socket.pad2: refused, misread', // 13dd372834a4: and what stood for it in sockets
  ],
  'G3.0 G3.1': [
    'field-redescribed CONNECTION_DATA flags: refused, refused', // 51f9df5c19f2: flags common to both, at the same offset
    'field-removed-at-end CONNECTION_DATA data: refused, refused', // 51f9df5c19f2: data-len replaced
    'field-added-at-end CONNECTION_DATA outRespLen: refused, refused', // 51f9df5c19f2: out-resp-len
    'field-added-at-end CONNECTION_DATA inData: refused, refused', // 51f9df5c19f2: in-data-len
    'field-added-at-end CONNECTION_DATA outData: refused, refused', // 51f9df5c19f2: out-data-len
    'rule-added in-messages: same, refused', // follows from 51f9df5c19f2
    'rule-added out-resp-len: same, refused', // 51f9df5c19f2: out-resp-len counts octets of out-data
    'rule-added out-messages: same, refused', // follows from it
  ],
  'G3.1 G3.2': [
    'length-counts-padding: same, same', // 3fab4e4f31: what C daemons write
    'field-replaced GLOBAL_DATA evtchnFd: misread, misread', // 8868a0e3f674: ro-socket-fd became evtchn-fd
    'padding-gained-meaning NODE_DATA perms[].flags: lost, same', // 8868a0e3f674: a permission may be stale
    'field-became-padding CONNECTION_DATA fields: same, lost', // 8868a0e3f674: flags of a connection removed
    'field-replaced CONNECTION_DATA conn.ring.port: misread, misread', // 8868a0e3f674: the daemon's port
    'field-redescribed CONNECTION_DATA outData: same, same', // the same in other words
    'rule-added conn-port-unique: same, refused', // follows from the daemon's port
  ],
  'G3.2 G4.0': [
    'version-raised: refused, same', // 6bc1c1aba01f: version 2
    'record-added GLOBAL_QUOTA_DATA: lost, same', // 6bc1c1aba01f
    'record-added DOMAIN_DATA: lost, same', // 6bc1c1aba01f
    'record-added WATCH_DATA_EXTENDED: lost, same', // 6bc1c1aba01f
  ],
  'G4.0 G4.1': [
    'padding-gained-meaning CONNECTION_DATA fields: same, same', // 60649eafb52f: the unnamed octets became fields
    'optional-part-added CONNECTION_DATA uniqueId: lost, same', // 60649eafb52f: unique-id
  ],
  'G3.2 C-4.15': [
    'record-not-written NODE_DATA: same, same', // pending nodes: transactions are never written
    'record-moved NODE_DATA: same, same', // special nodes before the tree
    'rule-looser node-unique: refused, same', // the child is listed twice
    'rule-added privileged-first: same, refused',
    'remark-added no-transactions: same, same',
    'missing-end-accepted: refused, same', // stops at END or at the end of the file
    'advance-exact: same, refused', // the reader skips exactly len
    'byte-order-dropped: same, refused', // little endian machines
  ],
  'C-4.15 C-4.16': [],
  'C-4.16 C-4.18': [
    'record-moved NODE_DATA: same, same', // d6bb63924f: special nodes are real nodes, behind the tree
    'rule-stricter node-unique: same, refused', // d6bb63924f: a path that comes twice is fatal
  ],
  'G3.2 C-4.18': [
    'record-not-written NODE_DATA: same, same',
    'rule-added privileged-first: same, refused',
    'remark-added no-transactions: same, same',
    'missing-end-accepted: refused, same',
    'advance-exact: same, refused',
    'byte-order-dropped: same, refused',
  ],
  'C-4.18 C-4.21': [
    'version-raised: refused, same', // a19e32fcfb and on: version 2 by default
    'record-added DOMAIN_DATA: lost, same', // fdd31b3bed: features only
    'padding-gained-meaning CONNECTION_DATA fields: same, same', // c7b8d5e9df: fields
    'optional-part-added CONNECTION_DATA uniqueId: lost, same', // c7b8d5e9df: unique-id
    'empty-records-refused: same, refused', // b29e3a26c2: reading nothing counts as an error
    'missing-end-refused: same, refused', // b29e3a26c2: as does the end of the file
  ],
  'G4.1 C-4.21': [
    'record-removed GLOBAL_QUOTA_DATA: same, lost',
    'record-removed WATCH_DATA_EXTENDED: same, lost',
    'record-not-written NODE_DATA: same, same',
    'rule-added privileged-first: same, refused',
    'remark-added no-transactions: same, same',
    'empty-records-refused: same, refused',
    'advance-exact: same, refused',
    'byte-order-dropped: same, refused',
  ],
  'C-4.21 C-4.22': [
    'record-added GLOBAL_QUOTA_DATA: lost, same', // c427829d0e, e52798141b
    'record-added WATCH_DATA_EXTENDED: refused, same', // db98de120c: len counts octets that are not there
  ],
  'G4.1 C-4.22': [
    'record-gate-lowered WATCH_DATA_EXTENDED: refused, misread',
    'record-length-misdeclared WATCH_DATA_EXTENDED: refused, misread', // db98de120c: len counts the larger structure
    'record-misread-by-own-reader WATCH_DATA_EXTENDED: refused, misread', // db98de120c: strings are taken from 10
    'field-removed WATCH_DATA_EXTENDED depth: refused, misread', // db98de120c: written without depth
    'padding-removed WATCH_DATA_EXTENDED pad: refused, misread',
    'record-not-written NODE_DATA: same, same',
    'rule-added privileged-first: same, refused',
    'remark-added no-transactions: same, same',
    'empty-records-refused: same, refused',
    'advance-exact: same, refused',
    'byte-order-dropped: same, refused',
  ],
};
