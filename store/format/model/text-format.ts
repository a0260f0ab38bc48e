import { decodeFile } from '../file.ts';
import { generateOctets } from '../generate.ts';
import { g41 } from '../generations/g4-1.ts';
import { escapeOctets } from '../text.ts';
import { carriageOf } from './carriage.ts';
import { stateJson } from './diff.ts';
import { stateOfRecords } from './image-model.ts';
import type { LabFormat } from './lab-format.ts';
import type { LooseRecord } from './loose.ts';
import { quoted } from './losses.ts';
import { reduceState } from './reduce.ts';
import { type DumpLine, decodeTextDump, encodeTextDump, textDumpRows } from './text-dump.ts';
import { stateOfTextDump, type TextDialect, textDumpOfState } from './text-model.ts';

export const TEXT_DIALECTS = ['Ox-a', 'Ox-b', 'Ox-c'] as const;

const TITLES: Readonly<Record<TextDialect, string>> = {
  'Ox-a': 'text dump of oxenstored up to 4.14',
  'Ox-b': 'text dump of oxenstored 4.15, 4.16.0 to 4.16.2, 4.17.0',
  'Ox-c': 'text dump of oxenstored 4.16.3, 4.17.1, 4.18 and later',
};

/** A dialect of oxenstored's dump. All are read alike. */
export function textFormat(dialect: TextDialect): LabFormat {
  const read: LabFormat['read'] = (octets) => {
    const decoded = decodeTextDump(octets);
    if (!decoded.ok) return decoded;
    const { state, warnings } = stateOfTextDump(decoded.value.dump);
    const all = [...decoded.value.warnings, ...warnings].sort((a, b) => a.offset - b.offset);
    return { ok: true, value: { state, warnings: all } };
  };
  return {
    name: dialect,
    aliases: [],
    title: TITLES[dialect],
    carriage: carriageOf(dialect),
    read,
    write(state) {
      const { dump, assumptions } = textDumpOfState(state, dialect);
      return { ok: true, value: { octets: encodeTextDump(dump), assumptions } };
    },
    show(octets) {
      const decoded = decodeTextDump(octets);
      if (!decoded.ok) return `failure: ${decoded.failure.reason}\n`;
      const { lines } = decoded.value.dump;
      return `${lines.map(shownLine).join('\n')}\ntotal: ${lines.length} lines\n`;
    },
    json(octets) {
      const decoded = decodeTextDump(octets);
      return decoded.ok ? { ok: true, value: stateJson(decoded.value.dump) } : decoded;
    },
    annotate(octets) {
      const decoded = decodeTextDump(octets);
      const rows = textDumpRows(octets);
      return decoded.ok ? { rows } : { rows, failure: decoded.failure };
    },
    validate(octets) {
      const decoded = read(octets);
      if (decoded.ok) return decoded.value.warnings.map((one) => ({ ...one, rule: 'line', severity: 'error' }));
      return [{ ...decoded.failure, rule: 'header', severity: 'error' }];
    },
    generate(draws, size) {
      // What another format makes, as far as it can be said here.
      const made = generateOctets(g41, draws, size);
      const decoded = made.ok ? decodeFile(g41, made.octets) : made;
      if (!decoded.ok) return decoded;
      const { records, byteOrder } = decoded.file;
      const state = stateOfRecords(records as readonly object[] as readonly LooseRecord[], byteOrder === 'big');
      const { dump } = textDumpOfState(reduceState(state, carriageOf(dialect)).state, dialect);
      return { ok: true, value: encodeTextDump(dump) };
    },
  };
}

function shownLine(line: DumpLine): string {
  switch (line.kind) {
    case 'global':
      return `global: socket fd ${line.rw}`;
    case 'evtchn-dev':
      return `evtchn-dev: fd ${line.fd}, port ${line.port} of VIRQ_DOM_EXC`;
    case 'dom': {
      const local = line.localPort === undefined ? '' : `, port ${line.localPort}`;
      return `dom: domid ${line.domid}, mfn ${line.mfn}, the guest's port ${line.remotePort}${local}`;
    }
    case 'socket':
      return `socket: fd ${line.fd}`;
    case 'watch':
      return `watch: of ${line.id < 0 ? `socket ${-line.id}` : `domain ${line.id}`} ${quoted(line.path)} token ${escapeOctets(line.token)}`;
    case 'store': {
      const perms = line.perms.map(({ letter, domid }) => `${letter}${domid}`).join(' ');
      return `store: ${quoted(line.path)} = ${escapeOctets(line.value, 64)} [${perms}]`;
    }
    case 'skipped':
      return `skipped: ${quoted(line.text)}`;
  }
}
