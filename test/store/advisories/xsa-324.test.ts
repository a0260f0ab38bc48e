/**
 * XSA-324: an event that is longer than a message may be.
 *
 * Mechanism: an event has the changed path and the token of the watch; each may be nearly as long as a message. Provoked by a watch
 * with a long token and a node with a long path below it. Failure: a message of more than 4,096 octets of payload, which the client
 * takes for garbage; or the daemon's error handling, which looks for a request that there is none of. The defence drops the event.
 */
import { describe, expect, it } from 'vitest';
import { PAYLOAD_MAX } from '../../../store/protocol/wire.ts';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-324 (%s)', (compat) => {
  it('an event that fits to the octet is sent, one octet more is not, and both sides go on', () => {
    const bench = new Bench(compat);
    const { s } = bench;
    const path = `/${'n'.repeat(1000)}`;
    const token = 't'.repeat(PAYLOAD_MAX - path.length - 2);
    expect(s.ask('WATCH', `/^${token}^`)).toBe('OK^');
    s.take();
    s.ask('WRITE', `${path}^`);
    expect(s.messages.at(-2)?.payload).toHaveLength(PAYLOAD_MAX);
    s.take();
    s.ask('WRITE', `${path}m^`);
    expect(s.take()).toEqual([]);
    for (const message of s.messages) expect(message.payload.length).toBeLessThanOrEqual(PAYLOAD_MAX);
    expect(s.ask('READ', `${path}m^`)).toBe('');
  });
});
