import { PAYLOAD_MAX } from '../file/messages.ts';
import type { Rule } from '../schema/rules.ts';

// What must hold in every generation, from the first document on.

export const nodeValueRule: Rule = {
  rule: 'node-value',
  of: ['NODE_DATA'],
  must: 'be-short',
  fields: ['value'],
  bytesMax: PAYLOAD_MAX,
  text: 'a value is one that a request could have brought',
};

/** @param of the records that watches have */
export function watchRules(of: readonly string[]): readonly Rule[] {
  return [
    { rule: 'watch-path', of, must: 'be-path', field: 'wpath', as: 'watch', text: 'a watch path is valid' },
    { rule: 'inner-nul', of, must: 'have-no-nul', field: 'token', text: 'no NUL inside a token' },
    {
      rule: 'watch-size',
      of,
      must: 'be-short',
      fields: ['wpath', 'token'],
      bytesMax: PAYLOAD_MAX - 2,
      text: 'a watch is one that a request could have brought',
    },
  ];
}
