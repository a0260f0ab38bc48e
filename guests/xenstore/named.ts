import { XS } from '../../store/protocol/wire.ts';
import type { ClientHabits } from './habits.ts';

/** How unevenly octets come and go; not a matter of which client it is. */
const UNEVEN = { tornOneIn: 8, tornNsMax: 3_000, slowReadNsMax: 0 } as const;

/** Linux since 4.12. Source: linux drivers/xen/xenbus/xenbus_comms.c, xenbus_xs.c. */
export const LINUX_HABITS: ClientHabits = {
  ...UNEVEN,
  notify: 'edge',
  maxInFlight: 32,
  ids: 'counter32',
  writes: 'segments',
  wraps: false,
  reads: 'octets',
  badIndex: 'zero both',
  overlong: 'dropped',
  ignoredTypes: [],
  events: 'oldest first',
  tokens: 'address',
  unwatchDropsEvents: true,
  watchdogNs: 0,
  retries: ['EAGAIN'],
  suspendWaits: 'requests and transactions',
  suspendWaitsForMessage: true,
  leaksLostTransactions: true,
  rewatch: 'newest first',
  knowsLostTransactions: false,
  skipsStaleResponses: true,
  resetsWatches: true,
};

/** Linux before 4.12: one request at a time. Source: the same files in linux 4.11. */
export const LINUX_OLD_HABITS: ClientHabits = {
  ...LINUX_HABITS,
  notify: 'always',
  maxInFlight: 1,
  ids: 'zero',
  leaksLostTransactions: false,
};

/** mini-os. Source: mini-os xenbus.c. */
export const MINIOS_HABITS: ClientHabits = {
  ...LINUX_HABITS,
  notify: 'message',
  ids: 'slot',
  writes: 'messages',
  wraps: true,
  reads: 'messages',
  badIndex: 'unseen',
  overlong: 'believed',
  events: 'newest first',
  tokens: 'own',
  unwatchDropsEvents: false,
  suspendWaits: 'requests',
  suspendWaitsForMessage: false, // a message is consumed whole
  leaksLostTransactions: false,
  skipsStaleResponses: false,
  resetsWatches: false,
};

/** Windows PV drivers. Source: win-xenbus src/xenbus/store.c. */
export const WINDOWS_HABITS: ClientHabits = {
  ...LINUX_HABITS,
  notify: 'always',
  maxInFlight: Number.POSITIVE_INFINITY,
  ids: 'counter16',
  wraps: true,
  badIndex: 'unseen',
  overlong: 'believed',
  ignoredTypes: [
    XS.CONTROL,
    XS.GET_PERMS,
    XS.INTRODUCE,
    XS.RELEASE,
    XS.GET_DOMAIN_PATH,
    XS.MKDIR,
    XS.IS_DOMAIN_INTRODUCED,
    XS.RESUME,
    XS.SET_TARGET,
  ],
  tokens: 'TOK',
  unwatchDropsEvents: false,
  watchdogNs: 15_000_000_000,
  suspendWaits: 'requests',
  suspendWaitsForMessage: false,
  leaksLostTransactions: false,
  rewatch: 'by owners',
  knowsLostTransactions: true,
  skipsStaleResponses: false,
  resetsWatches: false,
};
