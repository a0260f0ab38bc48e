import type { Domain, Machine } from '../../sim/index.ts';
import { type ProcessOptions, XenstoredProcess } from '../live-update/process.ts';
import { DomainMoves } from './moves.ts';

/** Start this package's daemon, which can also move domains without their help; `StartStore` with what only it can do. */
export function startXenstored(machine: Machine, domain: Domain, options: ProcessOptions): XenstoredProcess {
  const moves = new DomainMoves(() => store.format);
  const store: XenstoredProcess = new XenstoredProcess(machine, domain, { ...options, moves });
  return store;
}
