import type { ScriptState } from './state.ts';

/** A transaction begins or ends; what is done in one is drawn with the other requests. */
export function transactionRequest(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const on = script.anyone();
  const own = script.open.get(on) ?? [];
  if (own.length === 0 || (own.length < 4 && oneIn(3))) {
    if (oneIn(25)) return script.send(on, 'TRANSACTION_START', '\0', { tx: own[0] ?? 4242 });
    const name = `t${++script.txCount}`;
    script.open.set(on, [...own, name]);
    return script.send(on, 'TRANSACTION_START', oneIn(4) ? '' : '\0', { as: name });
  }
  const tx = pick(own);
  if (oneIn(25)) return script.send(on, 'TRANSACTION_END', pick(['X\0', 'T', '', 'TT\0', 'T\0\0']), { tx });
  if (oneIn(30)) return script.send(on, 'TRANSACTION_END', 'T\0', { tx: pick([0, 4242]) });
  script.open.set(
    on,
    own.filter((name) => name !== tx),
  );
  script.send(on, 'TRANSACTION_END', oneIn(5) ? 'F\0' : 'T\0', { tx });
}
