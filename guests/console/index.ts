export { ConsoleBuffer } from './buffer.ts';
export { type ConsoleHabits, type ConsolePage, GuestConsole, HVC_HABITS } from './console.ts';
export { Xenconsoled, type XenconsoledOptions } from './xenconsoled.ts';
