import { describe, expect, it } from 'vitest';
import { Host, STORE_BINARY } from '../../../scenarios/engine/host.ts';
import { NO_JITTER } from '../../../sim/index.ts';
import { MemoryFiles } from '../../../store/daemon/memory-files.ts';
import { Bench } from '../harness.ts';

const LOG = '/var/log/xen/trace.log';

function lines(bench: Bench, path = LOG): readonly string[] {
  return (bench.platform.written.textOf(path) ?? '').split('\n');
}

describe('CONTROL logfile and log', () => {
  it('write requests, and what comes and goes, from then on', () => {
    const bench = new Bench('4.22');
    bench.platform.clockMs = 1_790_000_000_000;
    expect(bench.s.ask('CONTROL', `logfile^${LOG}^`)).toBe('OK^');
    const { serial } = bench.s.conn;
    bench.s.ask('READ', '/tool^');
    bench.s.ask('WATCH', '/tool^t^');
    expect(lines(bench)).toEqual([
      '',
      '***',
      `io: IN 0x${serial.toString(16)} (d0) 20260921 14:13:20 READ (/tool )`,
      `io: IN 0x${serial.toString(16)} (d0) 20260921 14:13:20 WATCH (/tool t )`,
      'obj: CREATE watch 0x1',
      '',
    ]);
  });

  it('have no prefixes in 4.17, which does not know domids there either', () => {
    const bench = new Bench('4.17');
    bench.platform.clockMs = 951_782_400_000; // a leap day
    bench.s.ask('CONTROL', `logfile^${LOG}^`);
    bench.s.ask('READ', '/tool^');
    expect(lines(bench)[2]).toBe(`IN 0x${bench.s.conn.serial.toString(16)} 20000229 00:00:00 READ (/tool )`);
  });

  it('stop with `log off`, begin again with `log on`, and leave out what is switched off', () => {
    const bench = new Bench('4.22');
    bench.s.ask('CONTROL', `logfile^${LOG}^`);
    bench.s.ask('CONTROL', 'log^off^');
    const before = lines(bench).length;
    bench.s.ask('READ', '/tool^');
    expect(lines(bench)).toHaveLength(before);
    bench.s.ask('CONTROL', 'log^on^');
    expect(lines(bench).slice(-3)).toEqual(['', '***', '']);
    bench.s.ask('CONTROL', 'log^-io^');
    bench.s.ask('READ', '/tool^');
    bench.s.begin();
    expect(lines(bench).at(-2)).toMatch(/^obj: CREATE transaction /);
    expect(lines(bench).filter((line) => line.includes('READ'))).toEqual([]);
  });

  it('take what `print` prints, without an end of line; where there is no file it goes nowhere', () => {
    const bench = new Bench('4.22');
    expect(bench.s.ask('CONTROL', 'print^lost^')).toBe('OK^');
    bench.s.ask('CONTROL', `logfile^${LOG}^`);
    bench.s.ask('CONTROL', 'log^-io^');
    bench.s.ask('CONTROL', 'print^here^');
    bench.s.ask('CONTROL', 'print^too^');
    expect(lines(bench).at(-1)).toBe('control: herecontrol: too');
  });

  it('`log on` does nothing while nobody has said where', () => {
    expect(new Bench().s.ask('CONTROL', 'log^on^')).toBe('OK^');
  });
});

describe('CONTROL memreport', () => {
  it.each([
    ['nobody has said where', [], 'memreport^', 'EINVAL'],
    ['the file is named', [], 'memreport^/tmp/report^', 'OK^'],
    ['the file cannot be made', [], 'memreport^/none/report^', 'EINVAL'],
    ['the name is empty', [], 'memreport^^', 'EINVAL'],
    ['there is a log file', [`logfile^${LOG}^`], 'memreport^', 'OK^'],
    ['the log is off', [`logfile^${LOG}^`, 'log^off^'], 'memreport^', 'OK^'],
    ['the log file cannot be made, which nobody is told', ['logfile^/none/log^'], 'memreport^', 'EINVAL'],
    ['two names', [], 'memreport^/tmp/a^/tmp/b^', 'EINVAL'],
  ])('when %s', (_when, before, request, answer) => {
    for (const compat of ['4.17', '4.22'] as const) {
      const { s } = new Bench(compat);
      for (const one of before) expect(s.ask('CONTROL', one)).toBe('OK^');
      expect(s.ask('CONTROL', request)).toBe(answer);
    }
  });

  it('tells what domains, connections and nodes hold', () => {
    const bench = new Bench();
    bench.domain(1).ask('WATCH', 'x^tok^');
    bench.s.ask('CONTROL', 'memreport^/tmp/report^');
    const text = bench.platform.written.textOf('/tmp/report') ?? '';
    expect(text).toMatch(/^full talloc report on 'null_context' \(total +\d+ bytes in +\d+ blocks\)\n/);
    expect(text).toMatch(/^ {4}struct domain 1 +contains +\d+ bytes in +1 blocks \(ref 0\)$/m);
    expect(text).toMatch(/^ {8}struct watch +contains +20 bytes in +1 blocks \(ref 0\)$/m);
  });

  it('puts a file without a directory where 4.22 keeps its own', () => {
    const bench = new Bench('4.22');
    bench.s.ask('CONTROL', 'memreport^report^');
    expect(bench.platform.written.textOf('/var/lib/xen/xenstore/report')).toBeDefined();
  });
});

describe('the successor of a live update', () => {
  it('has no log file: it begins as its command line says', () => {
    const texts: string[] = [];
    const host = new Host({
      seed: '1',
      jitter: NO_JITTER,
      requestsMax: 100,
      policy: 'daemon',
      compat: '4.22',
      records: false,
      appendTo: () => ({ write: (text) => texts.push(text), close: () => texts.push('(closed)') }),
    });
    const socket = host.listener.connect('tool');
    const ask = (...words: readonly string[]) => {
      const payload = Uint8Array.from(words.map((w) => `${w}\0`).join(''), (c) => c.charCodeAt(0));
      const bytes = new Uint8Array(16 + payload.length);
      new DataView(bytes.buffer).setUint32(12, payload.length, true);
      bytes.set(payload, 16);
      socket.write(bytes, 0, bytes.length);
      const { scheduler } = host.machine;
      while (scheduler.runNext(scheduler.nowNs + 50_000_000));
      socket.read(new Uint8Array(4096), 0, 4096);
    };
    ask('logfile', LOG);
    ask('live-update', '-f', STORE_BINARY);
    ask('live-update', '-s');
    expect(host.store.updates).toMatchObject([{ outcome: 'ok' }]);
    expect(texts.at(-1)).toBe('(closed)');
    ask('memreport');
    expect(texts.at(-1)).toBe('(closed)');
  });
});

describe('files in memory', () => {
  it.each([
    ['/tmp/a', true],
    ['/a', true],
    ['/dev/null', true],
    ['/tmp', false],
    ['/tmp/', false],
    ['/none/a', false],
    ['a', false],
    ['', false],
  ])('%s', (path, can) => {
    expect(new MemoryFiles(new Map()).appendTo(path) !== undefined).toBe(can);
  });

  it('keep the newest MiB of each', () => {
    const files = new MemoryFiles(new Map());
    const file = files.appendTo('/tmp/a');
    for (let i = 0; i < 5; i++) file?.write(String(i).repeat(300_000));
    expect(files.textOf('/tmp/a')).toHaveLength(1 << 20);
    expect(files.textOf('/tmp/a')?.endsWith('4')).toBe(true);
  });
});
