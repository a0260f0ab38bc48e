import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { liveUpdateMidTraffic } from '../../scenarios/catalogue/live-update-mid-traffic.ts';
import { completeSettings } from '../../scenarios/engine/settings.ts';
import { textReport } from '../../scenarios/report/text.ts';
import { PAGES, withTables } from '../tools/scenario-tables.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('pages that are made of what scenarios say', () => {
  it.each(PAGES)('%s is current (npm run tables)', (path) => {
    const page = readFileSync(join(ROOT, path), 'utf8');
    expect(withTables(page) === page).toBe(true);
  });

  it('README.md shows what npm start prints', () => {
    const settings = completeSettings(liveUpdateMidTraffic.settings, {});
    const result = liveUpdateMidTraffic.run({ seed: '1', format: 'v2', settings, checks: true });
    const printed = textReport(result, { colour: false, command: 'xenarium' });
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`\n\`\`\`\n${printed.trim()}\n\`\`\``);
  });
});
