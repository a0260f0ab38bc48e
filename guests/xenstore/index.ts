export { type ClientObserver, XsClient } from './client.ts';
export { XsDevice } from './device.ts';
export type { ClientHabits } from './habits.ts';
export type { EventQueue, Pending, Reply, WatchEvent, XsLink, XsProgram } from './link.ts';
export { LINUX_HABITS, LINUX_OLD_HABITS, MINIOS_HABITS, WINDOWS_HABITS } from './named.ts';
export { type KeyValues, split, strings } from './payload.ts';
export { LIBXENSTORE_HABITS, type SocketHabits, XsSocket } from './socket.ts';
export { WatchList } from './watch-list.ts';
export { type Transacted, Xs } from './xs.ts';
