import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-format-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const DOOR = pathToFileURL(built('store/format/index.js')).href;

describe('xenarium format compare', () => {
  it('exits 1 when a reader goes wrong, and says where', () => {
    const { code, out, err } = xenarium('format', 'compare', 'v1', 'v2');
    expect([code, err]).toEqual([1, '']);
    expect(out).toContain('old reads new (G3.2 reads G4.1): refused at offset 8: header version is 2, expected 1');
    expect(out).toMatch(/\nnew reads old: breaks \(0\), .*\n$/);
  });

  it('looks at one direction when told so', () => {
    const { code, out } = xenarium('format', 'compare', 'v1', 'v2', '--direction', 'backward');
    expect(code).toBe(0);
    expect(out).not.toContain('old reads new');
    expect(xenarium('format', 'compare', 'v1', 'v2', '--direction', 'forward').code).toBe(1);
  });

  it('prints findings for programs', () => {
    const { code, out } = xenarium('format', 'compare', 'G4.0', 'G4.1', '--json');
    expect(code).toBe(0);
    const { findings } = JSON.parse(out) as { readonly findings: readonly { readonly rule: string }[] };
    expect(findings.map(({ rule }) => rule)).toEqual(['padding-gained-meaning', 'optional-part-added']);
  });

  it("compares with a format of one's own", () => {
    const module = join(dir, 'mine.mjs');
    writeFileSync(
      module,
      `import { extend, formatNamed } from '${DOOR}';
       export default extend(formatNamed('v2'), { name: 'mine', without: ['DOMAIN_DATA'] });`,
    );
    const { code, out } = xenarium('format', 'compare', 'v2', module, '--direction', 'backward');
    expect(code).toBe(0);
    expect(out).toContain('lost: DOMAIN_DATA is skipped, as its type is not known');
  });

  it('complains about a name that no format has', () => {
    const { code, err } = xenarium('format', 'compare', 'v1', 'v9');
    expect(code).toBe(2);
    expect(err).toBe("xenarium: there is no format 'v9' (did you mean v1, v2?): see xenarium format list\n");
  });
});

describe('xenarium format doc, header and rules', () => {
  it('writes the specification', () => {
    const { code, out } = xenarium('format', 'doc', 'v2');
    expect(code).toBe(0);
    expect(out).toMatch(/^# G4\.1: /);
  });

  it('writes the C header into a file', () => {
    const to = join(dir, 'v2.h');
    expect(xenarium('format', 'header', 'v2', '--out', to)).toEqual({ code: 0, out: '', err: '' });
    expect(readFileSync(to, 'utf8')).toBe(xenarium('format', 'header', 'v2').out);
  });

  it('writes the page about what can change', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/format-rules.md'), 'utf8');
    expect(xenarium('format', 'rules').out).toBe(page);
  });
});
