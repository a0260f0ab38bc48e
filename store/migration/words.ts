import { refuse, strictDomid } from '../protocol/wire.ts';
import { SCOPES, type Scope } from './share.ts';
import { LOSS_POLICIES, type LossPolicy, TX_OVER_MOVE, type TxOverMove } from './tolerance.ts';

/** What words `name=value` behind a command choose. */
export interface Choices {
  /** Name of a format of the laboratory; left out: the one that live updates go through, else G3.1. */
  readonly format: string | undefined;
  readonly loss: LossPolicy;
  readonly tx: TxOverMove;
  readonly scope: Scope;
  /** The guest's end of the store's port, by domid. */
  readonly ports: ReadonlyMap<number, number>;
}

/** Errors (thrown): EINVAL. */
export function choicesOf(words: readonly string[]): Choices {
  const ports = new Map<number, number>();
  let choices: Omit<Choices, 'ports'> = { format: undefined, loss: 'refuse', tx: 'EAGAIN', scope: 'refuse' };
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) refuse('EINVAL');
    const [name, value] = [word.slice(0, at), word.slice(at + 1)];
    if (name === 'format') choices = { ...choices, format: value };
    else if (name === 'loss') choices = { ...choices, loss: oneOf(LOSS_POLICIES, value) };
    else if (name === 'tx') choices = { ...choices, tx: oneOf(TX_OVER_MOVE, value) };
    else if (name === 'scope') choices = { ...choices, scope: oneOf(SCOPES, value) };
    else ports.set(domidOf(name), domidOf(value));
  }
  return { ...choices, ports };
}

function oneOf<T extends string>(all: readonly T[], value: string): T {
  return all.find((one) => one === value) ?? refuse('EINVAL');
}

/** A domid, or a port. Errors (thrown): EINVAL. */
export function domidOf(word: string): number {
  if (!/^[0-9]{1,6}$/.test(word)) refuse('EINVAL');
  return strictDomid(word);
}
