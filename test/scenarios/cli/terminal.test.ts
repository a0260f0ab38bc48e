import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { printInColour } from '../../../scenarios/cli/terminal/output.ts';
import { type Dialect, encodeImage, octetsOf, type StateRecord, v1, v2 } from '../../../store/format/index.ts';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-terminal-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Sets a colour, with ESC and with C1's CSI, and rings the bell. */
const STEERING = '\x1b[31mX\x9b31m\x07\x7f';

function node(path: string, value = ''): StateRecord {
  const perms = [{ letter: 'n', flags: 0, domid: 0 }] as const;
  return { kind: 'NODE_DATA', connId: 0, txId: 0, access: 0, perms, path: octetsOf(path), value: octetsOf(value) };
}

/** Everything in it that may be octets of a stranger's choice steers terminals. */
function image(dialect: Dialect, value: string, quota: number): string {
  const quotas = [{ name: octetsOf(`q${STEERING}`), value: quota }];
  const records: StateRecord[] = [
    { kind: 'GLOBAL_DATA', socketFd: 3, evtchnFd: 4 },
    {
      kind: 'CONNECTION_DATA',
      connId: 1,
      conn: { kind: 'ring', domid: 0, targetDomid: 0x7ff4, port: 1 },
      fields: 0,
      uniqueId: 0n,
      outRespLen: 0,
      inData: octetsOf(STEERING),
      outData: octetsOf(STEERING),
    },
    { kind: 'WATCH_DATA', connId: 1, wpath: octetsOf(`/w${STEERING}`), token: octetsOf(STEERING) },
    node('/'),
    node(`/a${STEERING}`, value),
    node(`/a${STEERING}`, value),
    node(`/b${STEERING}/c`),
    ...(dialect === v1 ? [] : [{ kind: 'DOMAIN_DATA', domid: 0, features: 0, quotas } as const]),
    { kind: 'END' },
  ];
  const encoded = encodeImage({ version: dialect === v1 ? 1 : 2, bigEndian: false, records }, dialect);
  if (!encoded.ok) throw new Error(encoded.failure.reason);
  const file = join(dir, `${value.length}-${quota}-${dialect === v1 ? 1 : 2}`);
  writeFileSync(file, encoded.value);
  return file;
}

describe('what an image holds does not steer a terminal', () => {
  const [a, b, old] = [image(v2, STEERING, 3), image(v2, 'v', 4), image(v1, STEERING, 0)];
  it.each([
    ['validate', a],
    ['validate', old],
    ['validate', a, '--json'],
    ['decode', a],
    ['decode', a, '--json'],
    ['annotate', a],
    ['annotate', a, '--json'],
    ['diff', a, b],
    ['diff', a, b, '--json'],
    ['diff', a, old],
    ['convert', a, '--to', 'v1', '--out', join(dir, 'out')],
    ['convert', a, '--to', 'G1', '--out', join(dir, 'out'), '--on-loss', 'warn'],
  ])('image %s', (...args) => {
    const { out, err } = xenarium('image', ...args);
    const said = out + err;
    expect(said).not.toBe('');
    expect(said).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
    if (args.includes('--json')) expect(JSON.stringify(JSON.parse(out))).toContain('X');
  });
});

describe('what guests said in a run does not either', () => {
  it('leaves to a report its colours, and nothing else', () => {
    let said = '';
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    printInColour('\x1b[1mviolation\x1b[0m of \x1b[2J\x1b]0;title\x07 \x9b2J\n');
    write.mockRestore();
    expect(said).toBe('\x1b[1mviolation\x1b[0m of \\033[2J\\033]0;title\\007 \\2332J\n');
  });

  it('goes through one place: no command writes to a stream by itself', () => {
    const sources = readdirSync('scenarios/cli', { recursive: true, encoding: 'utf8' }).filter((file) =>
      /\.ts$/.test(file),
    );
    const writers = sources.filter((file) =>
      /process\.(?:stdout|stderr)\.write|console\./.test(readFileSync(join('scenarios/cli', file), 'utf8')),
    );
    expect(writers.sort()).toEqual(['progress.ts', 'terminal/output.ts']);
  });
});
