import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as xenarium from '../../scenarios/index.ts';
import { docOf, exportsOf } from '../support/door.ts';

const ROOT = join(import.meta.dirname, '../..');
const exported = exportsOf(join(ROOT, 'scenarios/index.ts'));

/** A name more is a promise more: who changes this list means it. */
const VALUES = [
  'FAULTS_SETTING',
  'Findings',
  'PARK',
  'SCENARIOS',
  'STORE_SETTING',
  'Xs',
  'count',
  'domid',
  'flag',
  'gref',
  'openRun',
  'port',
  'runAndJudge',
  'scenario',
  'startGuests',
  'startOperator',
  'text',
  'textReport',
  'word',
];
const TYPES = [
  'Actor',
  'Domid',
  'FaultRule',
  'Gfn',
  'Gref',
  'Guest',
  'Handle',
  'History',
  'HistoryRecord',
  'Host',
  'Port',
  'Recorder',
  'Run',
  'RunRequest',
  'RunResult',
  'Scenario',
  'SettingsOf',
  'Thread',
  'Verdict',
];

describe('the door of the package', () => {
  it('lets out these values and types, and no others', () => {
    const names = (isType: boolean) => exported.filter((each) => each.isType === isType).map(({ name }) => name);
    expect(names(false)).toEqual(VALUES);
    expect(names(true)).toEqual(TYPES);
    expect(Object.keys(xenarium).sort()).toEqual(VALUES);
    expect(exported.length).toBeLessThan(40);
  });

  it.each(exported.map((each) => [each.name, each] as const))('says what %s is', (_, each) => {
    expect(docOf(each)).toMatch(/\w+[.:]/);
  });

  it.each([
    [xenarium.domid, 'domid', [0, 5, 32_751], [-1, 32_752, 1.5, Number.NaN]],
    [xenarium.gref, 'gref', [0, 8, 0xffff_ffff], [-1, 2 ** 32, 0.5]],
    [xenarium.port, 'port', [1, 131_071], [0, 131_072, Number.POSITIVE_INFINITY]],
  ] as const)('takes for an id what can be one: %o', (make, kind, good, bad) => {
    for (const id of good) expect(make(id)).toBe(id);
    for (const id of bad) expect(() => make(id)).toThrow(new RegExp(`^${id} is no ${kind}: .* from \\d+ to \\d+$`));
  });
});

describe('the scenario in the README', () => {
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-door-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const page = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const section = /^## A scenario of your own\n([\s\S]*?)^## /m.exec(page)?.[1] ?? '';
  const blocks = [...section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
  const [code, shown] = ['ts', ''].map((word) => blocks.find((each) => each[1] === word)?.[2] ?? '') as [
    string,
    string,
  ];

  /** As a package of somebody's own that has this one, as it was built, installed; what the compiler says. */
  function compile(text: string): string {
    writeFileSync(join(dir, 'own.ts'), text);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    return spawnSync(process.execPath, [tsc, '-p', dir], { encoding: 'utf8' }).stdout;
  }

  beforeAll(() => {
    mkdirSync(join(dir, 'node_modules'));
    symlinkSync(ROOT, join(dir, 'node_modules/xenarium'));
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    // Of a program's world there is just the console; no types are skipped, nor lent by the packages of this one.
    const compilerOptions = { target: 'ES2023', module: 'NodeNext', lib: ['ES2023', 'DOM'], strict: true, types: [] };
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['own.ts'] }));
  });

  it('compiles, and prints what is shown', () => {
    expect(code).toContain("from 'xenarium'");
    expect(compile(code)).toBe('');
    const { stdout, stderr } = spawnSync(process.execPath, [join(dir, 'own.js')], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toBe(shown);
  }, 60_000);

  it.each([
    ['a setting that it does not have', 'settings.update ', 'settings.updates ', /TS2551/],
    ['a port for a domid', 'domid: domid(5)', 'domid: null as unknown as Port', /TS2322/],
    ['a program that does not wait for a reply', 'yield* xs.watch', 'yield xs.watch', /TS2322/],
  ])(
    'does not compile with %s',
    (_, good, bad, complaint) => {
      expect(code).toContain(good);
      expect(compile(code.replace(good, bad).replace('History, Xs }', 'History, Port, Xs }'))).toMatch(complaint);
    },
    60_000,
  );
});
