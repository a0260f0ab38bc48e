import { describe, expect, it } from 'vitest';
import { lossText } from '../../../../store/format/model/losses.ts';
import { renumberDomain } from '../../../../store/format/model/renumber.ts';
import { type ConnectionState, type DaemonState, EMPTY_STATE } from '../../../../store/format/model/state.ts';
import { octetsOf, textOf } from '../../../../store/format/schema/text.ts';

const node = (path: string, value = '', domid = 0) => ({
  path,
  value: octetsOf(value),
  acl: [{ letter: 'n' as const, domid, stale: false }],
});

/** A message: header with type and length, payload. */
function message(type: number, payload: string): Uint8Array {
  const octets = new Uint8Array(16 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, type, true);
  view.setUint32(12, payload.length, true);
  octets.set(octetsOf(payload), 16);
  return octets;
}

function connection(domid: number, changes: Partial<ConnectionState> = {}): ConnectionState {
  const link = { kind: 'ring', domid, port: 42, uniqueId: 165n } as const;
  const nothing = octetsOf('');
  const none = { readOnly: false, watches: [], transactions: [], delayed: [], restBytes: 0 };
  return { link, ...none, input: nothing, output: nothing, ...changes };
}

function renumbered(state: Partial<DaemonState>) {
  const done = renumberDomain({ ...EMPTY_STATE, ...state }, { from: 5, to: 77 });
  if (!done.ok) throw new Error(`assertion: ${done.reason}`);
  return { ...done, said: done.losses.map(lossText) };
}

const GUEST = [connection(5)];

describe('another number for a domain', () => {
  it.each([
    ['/local/domain/5', '/local/domain/77'],
    ['/local/domain/5/device/vif/0', '/local/domain/77/device/vif/0'],
    ['/local/domain/0/backend/vbd/5/51712', '/local/domain/0/backend/vbd/77/51712'],
    ['/local/domain/5/backend/vbd/5/51712', '/local/domain/77/backend/vbd/77/51712'],
    ['/local/domain/0/device-model/5/state', '/local/domain/0/device-model/77/state'],
    ['/libxl/5/type', '/libxl/77/type'],
    ['/local/domain/55/device/5', '/local/domain/55/device/5'],
    ['/tool/5', '/tool/5'],
  ])('%s becomes %s: by components, never by substring', (before, after) => {
    expect(renumbered({ nodes: [node(before)], connections: GUEST }).state.nodes[0]?.path).toBe(after);
  });

  it.each([
    ['/local/domain/0/backend/vbd/5/0/frontend-id', '5', '77'],
    ['/local/domain/0/backend/vbd/5/0/frontend', '/local/domain/5/device/vbd/0', '/local/domain/77/device/vbd/0'],
    ['/local/domain/5/domid', '5', '77'],
    ['/local/domain/5/device/vbd/0/backend-id', '0', '0'],
    ['/local/domain/5/memory/target', '5', '5'],
  ])('the value of %s, %s, becomes %s: only where the key says what it is', (path, before, after) => {
    expect(textOf(renumbered({ nodes: [node(path, before)], connections: GUEST }).state.nodes[0]!.value)).toBe(after);
  });

  it('owners, targets and domains get it; ports and identities of the old platform go', () => {
    const others = [connection(5), { ...connection(6), link: { kind: 'ring', domid: 6, target: 5 } as const }];
    const { state, said } = renumbered({
      nodes: [node('/a', '', 5)],
      connections: others,
      domains: [{ domid: 5, quotas: [] }],
    });
    expect(state.nodes[0]?.acl[0]?.domid).toBe(77);
    expect(state.connections.map(({ link }) => link)).toEqual([
      { kind: 'ring', domid: 77 },
      { kind: 'ring', domid: 6, target: 77 },
    ]);
    expect(state.domains[0]?.domid).toBe(77);
    expect(said).toEqual([
      'domain 5: event channel port dropped: port 42 of the old host',
      'domain 5: domain unique id dropped: uniqueId 165 of the old host',
    ]);
  });

  it('watches follow, their tokens never', () => {
    const watches = ['/local/domain/5/x', 'device', '@releaseDomain/5', '@releaseDomain'].map((path) => ({
      path,
      token: octetsOf('/local/domain/5'),
    }));
    const [conn] = renumbered({ connections: [connection(5, { watches })] }).state.connections;
    expect(conn?.watches.map(({ path }) => path)).toEqual([
      '/local/domain/77/x',
      'device',
      '@releaseDomain/77',
      '@releaseDomain',
    ]);
    expect(conn?.watches.every(({ token }) => textOf(token) === '/local/domain/5')).toBe(true);
  });

  it('whole messages are framed anew; parts of messages cannot be, and are told', () => {
    const rest = octetsOf('/local/domain/5\0t\0');
    const event = message(15, '/local/domain/5/x\0t\0');
    const { state, said } = renumbered({
      connections: [
        connection(5, {
          link: { kind: 'ring', domid: 5 },
          delayed: [message(2, '/local/domain/5/name\0'), message(16, '/local/domain/5/is not a path here')],
          input: octetsOf('\x02\0\0\0/local/domain/5'),
          output: Uint8Array.from([...rest, ...event]),
          restBytes: rest.length,
        }),
      ],
    });
    const [conn] = state.connections;
    expect(conn?.delayed).toEqual([
      message(2, '/local/domain/77/name\0'),
      message(16, '/local/domain/5/is not a path here'),
    ]);
    expect(conn?.output).toEqual(Uint8Array.from([...rest, ...message(15, '/local/domain/77/x\0t\0')]));
    expect(said).toEqual([
      'domain 5: undelivered output changed: a half-sent message still says /local/domain/5',
      'domain 5: consumed but unprocessed input changed: a request in part still says /local/domain/5',
    ]);
  });

  it('is refused when the domain is not there, or the number is taken', () => {
    const refused = (state: Partial<DaemonState>, to = 77) => {
      const done = renumberDomain({ ...EMPTY_STATE, ...state }, { from: 5, to });
      return done.ok ? '' : done.reason;
    };
    expect(refused({})).toBe('there is no domain 5 to renumber');
    expect(refused({ connections: [connection(5), connection(77)] })).toBe('domain 5 cannot become 77, which is there');
    expect(refused({ connections: GUEST, nodes: [node('/local/domain/77')] })).toMatch(/which is there/);
  });
});
