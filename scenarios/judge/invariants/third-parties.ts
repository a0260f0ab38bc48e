import type { History, Verdict } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { Op, opName } from '../oracles/wire.ts';
import { logOf } from '../recorded-history.ts';
import { Findings } from './finding.ts';

const CLAIM =
  'What programs of guests ask and are told that are not moved is what it is in a run in which nobody is, but for time';
const SOURCE = 'migration.md INV-M8';

/**
 * INV-M8: the programs of guests that stay, in a run with migrations and in its twin without: of each what it asks, and what it is
 * answered, and of each watch its events, as far as the shorter run goes. Between two programs of a guest there is no order that is
 * not time's. Programs must ask for what depends on nobody else, and not watch the coming and going of domains.
 * @param names of the guests' epochs, which are in both.
 */
export function thirdParties(moved: readonly History[], twin: readonly History[], names: readonly string[]): Verdict {
  const findings = new Findings('third-parties');
  const nowhere = { seq: 0, timeNs: 0 };
  for (const name of names) {
    const [with_, without] = [linesOf(moved, name), linesOf(twin, name)];
    if (without.size === 0) findings.add(nowhere, name, '', 'INV-M8: nobody says anything');
    for (const [who, was] of without) {
      const is = with_.get(who) ?? [];
      const length = Math.min(is.length, was.length);
      findings.count('lines compared', length);
      const at = was.findIndex((line, i) => i < length && line !== is[i]);
      if (at >= 0) findings.add(nowhere, who, '', `INV-M8: ${is[at]} instead of ${was[at]}`);
      if (length === 0) findings.add(nowhere, who, '', 'INV-M8: it says nothing');
    }
  }
  return findings.verdict(CLAIM, SOURCE);
}

/** What each program of a guest asked and got, and each of its watches told, on whichever host. */
function linesOf(histories: readonly History[], name: string): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, string[]>();
  const say = (who: string, line: string) => {
    const all = lines.get(who) ?? [];
    all.push(line);
    lines.set(who, all);
  };
  for (const history of histories) {
    const conns = new Set(history.epochs.flatMap((each) => (each.name === name ? [each.conn] : [])));
    if (conns.size === 0) continue;
    const log = logOf(history);
    const asked = new Map<number, { readonly who: string; readonly type: number }>();
    for (let seq = 0; seq < log.length; seq++) {
      const kind = log.messageAt(seq);
      if (kind === undefined || !conns.has(log.conns[seq] as number)) continue;
      const type = log.typeOf(seq);
      const payload = textOf(log.payloadOf(seq)).replaceAll('\0', ' ');
      const reqId = log.reqIdOf(seq);
      if (kind === 'sent') {
        asked.set(reqId, { who: log.actorOf(seq), type });
        say(log.actorOf(seq), `${opName(type)} ${payload}`);
      } else if (type === Op.WATCH_EVENT) say(`${name}, watch ${payload.split(' ')[1]}`, payload);
      else {
        const { who, type: of } = asked.get(reqId) ?? { who: name, type };
        asked.delete(reqId);
        // An id says how many transactions others have begun.
        say(who, of === Op.TRANSACTION_START ? opName(type) : `${opName(type)}: ${payload}`);
      }
    }
  }
  return lines;
}
